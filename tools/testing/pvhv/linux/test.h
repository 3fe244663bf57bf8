/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test programs that run inside a Linux guest, and the little they share.
 *
 * A program is a table of tests. Each test runs in a process of its own and
 * prints one line, "ok PROGRAM:TEST" or "not ok PROGRAM:TEST - why": it passes
 * if it returns, and fails if check() fails, anywhere in it or its children,
 * or if it dies or takes too long.
 */
#ifndef PVHV_TEST_H
#define PVHV_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define PAGE		4096UL
#define MIB		(1024 * 1024UL)
#define SECOND		1000000000ULL	/* in ns */
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct test {
	const char *name;
	void (*run)(void);
	unsigned int seconds;	/* limit; 0: a default */
};

/* Of each program; ends with an empty one */
extern const struct test tests[];

/* Argument vector for tests that start their own program again: see hook(). */
extern const char *self;

/* A program may be started with arguments for its own use: a weak function
 * that gets them instead of running the tests.
 */
int hook(int argc, char **argv);

__attribute__((format(printf, 1, 2), noreturn)) void fail(const char *fmt, ...);
__attribute__((format(printf, 1, 2), noreturn)) void skip(const char *fmt, ...);
__attribute__((format(printf, 1, 2))) void note(const char *fmt, ...);

/* What must be true, or the test has failed and ends here. */
#define check(ok, ...)			\
	do {				\
		if (!(ok))		\
			fail(__VA_ARGS__); \
	} while (0)

/* A failed system call is a failure of the test, with errno in words. */
long must(long ret, const char *what);
void *must_map(void *p, const char *what);

u64 now_ns(void);
u32 rnd(void);		/* the same numbers in each run */
void rnd_seed(u32 seed);

/* Wait for a child that has to end with this status of exit(). */
void must_exit(pid_t pid, int status, const char *what);

/* One fault of this process, as its signal told it */
struct fault {
	int sig, code;
	uintptr_t addr, ip;
	unsigned long err, trapno;
};

/* Call fn(arg); true if it ended in a signal, which is described in @f. */
bool faults(void (*fn)(void *arg), void *arg, struct fault *f);
bool read_faults(const volatile void *p, struct fault *f);
bool write_faults(volatile void *p, struct fault *f);
bool exec_faults(const void *p, struct fault *f);

/* The bits of a page fault's error code */
#define PF_PROT		1	/* of a page that is present */
#define PF_WRITE	2
#define PF_USER		4
#define PF_INSTR	16

#endif
