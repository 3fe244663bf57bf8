// SPDX-License-Identifier: GPL-2.0
/*
 * blkload FILE read|write random|sequential BLOCK DEPTH MS: asynchronous direct I/O
 * with DEPTH requests under way for MS milliseconds; prints
 *
 *	REQUESTS NANOSECONDS
 *
 * When some requests have ended, as many new ones are submitted, in one call.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define MAX_DEPTH	256
#define NSEC_PER_SEC	1000000000ULL
/* Requests between two looks at the clock */
#define CLOCK_EVERY	32

static uint64_t seed = 1, next;

static void fail(const char *what)
{
	printf("blkload: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* The next of @blocks */
static uint64_t choose(int random, uint64_t blocks)
{
	if (!random)
		return next++ % blocks;
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 24) % blocks;
}

int main(int argc, char **argv)
{
	uint64_t bytes, block, blocks, requests = 0, begin, end, time = 0;
	struct io_event events[MAX_DEPTH];
	struct iocb cbs[MAX_DEPTH], *list[MAX_DEPTH];
	int fd, depth, random, write, n, sent, i;
	aio_context_t ctx = 0;
	void *buf;

	if (argc != 7) {
		fprintf(stderr,
			"usage: blkload FILE read|write random|sequential BLOCK DEPTH MS\n");
		return 2;
	}
	write = !strcmp(argv[2], "write");
	random = !strcmp(argv[3], "random");
	block = strtoull(argv[4], NULL, 0);
	depth = atoi(argv[5]);
	if (!block || depth < 1 || depth > MAX_DEPTH) {
		errno = EINVAL;
		fail("BLOCK or DEPTH");
	}
	fd = open(argv[1], (write ? O_RDWR : O_RDONLY) | O_DIRECT);
	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes))
		fail(argv[1]);
	blocks = bytes / block;
	if (!blocks || syscall(SYS_io_setup, depth, &ctx))
		fail("io_setup");

	for (i = 0; i < depth; i++) {
		if (posix_memalign(&buf, 4096, block))
			fail("memory");
		memset(buf, i + 1, block);
		cbs[i] = (struct iocb) {
			.aio_data = i,
			.aio_lio_opcode = write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
			.aio_fildes = fd,
			.aio_buf = (uintptr_t)buf,
			.aio_nbytes = block,
		};
		list[i] = &cbs[i];
	}
	begin = now();
	end = begin + strtoull(argv[6], NULL, 0) * 1000000;
	for (n = depth; n; ) {
		for (i = 0; i < n; i++)
			list[i]->aio_offset = choose(random, blocks) * block;
		for (i = 0; i < n; i += sent) {
			sent = syscall(SYS_io_submit, ctx, n - i, list + i);
			if (sent < 0)
				fail("io_submit");
		}
		n = syscall(SYS_io_getevents, ctx, 1, depth, events, NULL);
		if (n < 1)
			fail("io_getevents");
		for (i = 0; i < n; i++) {
			if (events[i].res != (int64_t)block) {
				errno = events[i].res < 0 ? -events[i].res : EIO;
				fail("request");
			}
			list[i] = &cbs[events[i].data];
			mark();
		}
		requests += n;
		if (requests / CLOCK_EVERY != (requests - n) / CLOCK_EVERY) {
			time = now();
			if (time >= end)
				break;
		}
	}
	printf("%llu %llu\n", (unsigned long long)requests, (unsigned long long)(time - begin));
	return 0;
}
