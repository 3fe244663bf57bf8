// SPDX-License-Identifier: GPL-2.0
/*
 * verify MIB SECONDS: fill memory, change it at random places and check it, all
 * the time, while the host takes pages away and brings them back. Each page
 * tells where it is and how often it was written.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE	4096
#define WORDS	(PAGE / 8)

typedef uint32_t u32;
typedef uint64_t u64;

static u64 (*mem)[WORDS];
static u32 *version;
static size_t pages;

static u64 word(size_t page, size_t i)
{
	return (page + 1) * 0x9e3779b97f4a7c15ULL + version[page] * 0x100000001b3ULL + i;
}

static int check(size_t page)
{
	for (size_t i = 0; i < WORDS; i += 61) {
		if (mem[page][i] != word(page, i)) {
			printf("not ok verify - page %zu word %zu: %#llx, not %#llx, version %u\n",
			       page, i, (unsigned long long)mem[page][i],
			       (unsigned long long)word(page, i), version[page]);
			return 1;
		}
	}
	return 0;
}

static void change(size_t page)
{
	version[page]++;
	for (size_t i = 0; i < WORDS; i += 61)
		mem[page][i] = word(page, i);
}

int main(int argc, char **argv)
{
	unsigned long passes = 0;
	time_t end;
	u32 r = 1;
	int status;

	if (argc != 3) {
		fprintf(stderr, "usage: verify MIB SECONDS\n");
		return 2;
	}
	pages = strtoul(argv[1], NULL, 0) << 8;
	mem = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	version = calloc(pages, sizeof(*version));
	if (mem == MAP_FAILED || !version) {
		perror("memory");
		return 2;
	}
	for (size_t i = 0; i < pages; i++)
		change(i);
	printf("verify: %zu pages are filled\n", pages);
	fflush(stdout);
	end = time(NULL) + atoi(argv[2]);
	do {
		for (size_t n = 0; n < pages && (n % 256 || time(NULL) < end); n++) {
			r = r * 1664525 + 1013904223;
			if (check(r % pages))
				return 1;
			if (r & 1 << 30)
				change(r % pages);
		}
		for (size_t i = 0; i < pages; i++)
			if (check(i))
				return 1;
		/* a child's writes are its own */
		if (passes % 4 == 0) {
			pid_t pid = fork();

			if (!pid) {
				for (size_t i = 0; i < pages; i += 3)
					change(i);
				for (size_t i = 0; i < pages; i++)
					if (check(i))
						_exit(1);
				_exit(0);
			}
			if (waitpid(pid, &status, 0) != pid || status) {
				printf("not ok verify - the child's status is %#x\n", status);
				return 1;
			}
		}
		printf("verify: pass %lu\n", ++passes);
		fflush(stdout);
	} while (time(NULL) < end);
	printf("ok verify\n");
	return 0;
}
