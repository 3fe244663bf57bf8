// SPDX-License-Identifier: GPL-2.0
/*
 * iocheck FILE BLOCK DEPTH KIND BYTES START SECONDS: asynchronous direct I/O to a
 * part of a disk, and is what is read what was written last?
 *
 * KIND: random, sequential or mixed writes, each followed by reads; "sync" adds an
 * fdatasync after every 16th write. BLOCK is the smallest request. Each 512 bytes hold
 * where they belong and how often they have been written. SECONDS 0: once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef uint64_t u64;
typedef uint32_t u32;

#define SECTOR	512
#define LARGEST	(1024 * 1024)
#define BATCH	8

struct slot {
	struct iocb cb;
	unsigned char *buf;
	int busy;
	u64 sector, count;
};

static const char *path;
static u64 block, depth, sectors, start, seed = 1;
static u32 *written;	/* generation of each sector */
static unsigned char *locked;	/* in a request that is under way */
static struct slot *slots;
static aio_context_t ctx;
static unsigned long done_reads, done_writes;

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fprintf(stdout, "iocheck: %s: ", path);
	vfprintf(stdout, fmt, args);
	fputc('\n', stdout);
	va_end(args);
	exit(1);
}

static u64 random_below(u64 n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 24) % n;
}

static void fill(unsigned char *p, u64 sector, u32 generation)
{
	u64 *words = (u64 *)p;

	for (int i = 0; i < SECTOR / 8; i += 2) {
		words[i] = sector;
		words[i + 1] = generation + ((u64)i << 32);
	}
}

static void verify(const struct slot *s)
{
	unsigned char wanted[SECTOR];

	for (u64 i = 0; i < s->count; i++) {
		const unsigned char *p = s->buf + i * SECTOR;
		u64 sector = s->sector + i;

		if (!written[sector])
			continue;
		fill(wanted, sector, written[sector]);
		if (memcmp(p, wanted, SECTOR))
			die("sector %llu, of %llu at %llu, is sector %llu, write %u, not write %u",
			    (unsigned long long)sector, (unsigned long long)s->count,
			    (unsigned long long)s->sector,
			    (unsigned long long)((const u64 *)p)[0],
			    (unsigned int)((const u64 *)p)[1], written[sector]);
	}
}

/* Wait for at least @n requests */
static int reap(int n)
{
	struct io_event events[64];
	int got = syscall(SYS_io_getevents, ctx, n, 64, events, NULL);

	if (got < 0)
		die("io_getevents: %s", strerror(errno));
	for (int i = 0; i < got; i++) {
		struct slot *s = &slots[events[i].data];

		if (events[i].res != (int64_t)(s->count * SECTOR))
			die("%s of %llu sectors from %llu: %s",
			    s->cb.aio_lio_opcode == IOCB_CMD_PREAD ? "read" : "write",
			    (unsigned long long)s->count, (unsigned long long)s->sector,
			    events[i].res < 0 ? strerror(-events[i].res) : "short");
		if (s->cb.aio_lio_opcode == IOCB_CMD_PREAD)
			verify(s);
		memset(locked + s->sector, 0, s->count);
		s->busy = 0;
	}
	return got;
}

static struct slot *free_slot(void)
{
	for (;;) {
		for (u64 i = 0; i < depth; i++)
			if (!slots[i].busy)
				return &slots[i];
		reap(1);
	}
}

static void prepare(struct slot *s, int fd, int write, u64 sector, u64 count)
{
	while (memchr(locked + sector, 1, count))
		reap(1);
	memset(locked + sector, 1, count);
	s->busy = 1;
	s->sector = sector;
	s->count = count;
	if (write) {
		done_writes++;
		for (u64 i = 0; i < count; i++)
			fill(s->buf + i * SECTOR, sector + i, ++written[sector + i]);
	} else {
		done_reads++;
		memset(s->buf, 0xee, count * SECTOR);
	}
	s->cb = (struct iocb) {
		.aio_data = s - slots,
		.aio_lio_opcode = write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
		.aio_fildes = fd,
		.aio_buf = (uintptr_t)s->buf,
		.aio_nbytes = count * SECTOR,
		.aio_offset = start + sector * SECTOR,
	};
}

static void submit(struct iocb **list, int *n)
{
	int sent = 0, ret;

	while (sent < *n) {
		ret = syscall(SYS_io_submit, ctx, *n - sent, list + sent);
		if (ret < 0 && errno != EAGAIN)
			die("io_submit: %s", strerror(errno));
		sent += ret > 0 ? ret : 0;
	}
	*n = 0;
}

/* Once over as many bytes as there are. @writes: per cent */
static void pass(int fd, int random, unsigned int writes, int sync)
{
	u64 unit = block / SECTOR, at = 0, total = 0, since = 0;
	struct iocb *list[BATCH];
	struct slot *s;
	int n = 0, wr;

	while (total < sectors) {
		u64 most = LARGEST / SECTOR / unit, count;

		/* small ones are as frequent as large ones */
		count = unit * (random ? 1 + random_below(1 + (most >> random_below(12))) : most);
		if (random)
			at = random_below(sectors / unit) * unit;
		if (at + count > sectors)
			count = sectors - at;
		/* what is in the list is locked, too, and must be on its way */
		if (n && memchr(locked + at, 1, count))
			submit(list, &n);
		for (s = NULL; !s;) {
			for (u64 i = 0; i < depth && !s; i++)
				s = slots[i].busy ? NULL : &slots[i];
			if (!s) {
				submit(list, &n);
				s = free_slot();
			}
		}
		wr = random_below(100) < writes;
		prepare(s, fd, wr, at, count);
		list[n++] = &s->cb;
		if (n == BATCH || !random)
			submit(list, &n);
		at += count;
		total += count;
		if (sync && wr && !(++since % 16) && fdatasync(fd))
			die("fdatasync: %s", strerror(errno));
	}
	submit(list, &n);
	for (;;) {
		u64 busy = 0;

		for (u64 i = 0; i < depth; i++)
			busy += slots[i].busy;
		if (!busy)
			break;
		reap(1);
	}
	if (sync && fdatasync(fd))
		die("fdatasync: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	int fd, random, sync, seconds;
	time_t end;

	if (argc != 8) {
		fprintf(stderr, "usage: iocheck FILE BLOCK DEPTH KIND BYTES START SECONDS\n");
		return 2;
	}
	path = argv[1];
	block = strtoull(argv[2], NULL, 0);
	depth = strtoull(argv[3], NULL, 0);
	random = strcmp(argv[4], "sequential");
	sync = !strcmp(argv[4], "sync");
	sectors = strtoull(argv[5], NULL, 0) / SECTOR;
	start = strtoull(argv[6], NULL, 0);
	seconds = atoi(argv[7]);

	fd = open(path, O_RDWR | O_DIRECT);
	if (fd < 0)
		die("%s", strerror(errno));
	written = calloc(sectors, sizeof(*written));
	locked = calloc(sectors, 1);
	slots = calloc(depth, sizeof(*slots));
	if (!written || !locked || !slots || syscall(SYS_io_setup, depth, &ctx))
		die("no memory, or no io_setup");
	for (u64 i = 0; i < depth; i++)
		if (posix_memalign((void **)&slots[i].buf, 4096, LARGEST))
			die("no memory");
	end = time(NULL) + seconds;
	do {
		if (strcmp(argv[4], "mixed"))
			pass(fd, random, 100, sync);
		else
			pass(fd, 1, 50, 0);
		pass(fd, random, 0, 0);
	} while (time(NULL) < end);
	printf("iocheck: %lu writes, %lu reads\n", done_writes, done_reads);
	return 0;
}
