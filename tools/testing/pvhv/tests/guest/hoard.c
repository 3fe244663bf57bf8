// SPDX-License-Identifier: GPL-2.0
/*
 * hoard FILE NR: NR processes read 1 MiB each of a disk, all into the same memory, past
 * the page cache. For a disk that does not answer: each page of each read needs a grant.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BYTES	(1024 * 1024)

int main(int argc, char **argv)
{
	int fd, nr = argc == 3 ? atoi(argv[2]) : 0;
	void *buf;

	if (!nr)
		errx(2, "see hoard.c");
	fd = open(argv[1], O_RDONLY | O_DIRECT);
	if (fd < 0)
		err(1, "%s", argv[1]);
	buf = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (buf == MAP_FAILED)
		err(1, "mmap");
	memset(buf, 1, BYTES);
	while (nr--)
		if (!fork())
			_exit(pread(fd, buf, BYTES, 0) != BYTES);
	return 0;
}
