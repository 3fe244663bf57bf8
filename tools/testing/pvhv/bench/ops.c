// SPDX-License-Identifier: GPL-2.0
/*
 * bench: the operations. Each is what a program sees of one thing that a
 * hypervisor may make expensive.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define PAGE	4096UL
#define KIB	1024UL
#define MIB	(1024 * KIB)

static void read_byte(const char *p)
{
	char c;

	asm volatile("movb %1, %0" : "=r"(c) : "m"(*p));
}

/* Small pages, whatever the kernel's policy for huge ones is */
static char *map(unsigned long size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	madvise(p, size, MADV_NOHUGEPAGE);
	return p;
}

static void touch(char *p, unsigned long size)
{
	for (unsigned long i = 0; i < size; i += PAGE)
		write_byte(p + i);
}

static void touch_marked(char *p, unsigned long size)
{
	for (unsigned long i = 0; i < size; i += PAGE) {
		write_byte(p + i);
		mark();
	}
}

pid_t fork_or_die(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	return pid;
}

void wait_for(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0)
		if (errno != EINTR)
			die("waitpid");
}

static uint64_t run_getppid(unsigned long n)
{
	uint64_t t = now_ns();

	while (n--) {
		mark();
		syscall(SYS_getppid);
	}
	return now_ns() - t;
}

static uint64_t run_clock(unsigned long n)
{
	uint64_t t = now_ns();
	struct timespec ts;

	while (n--) {
		mark();
		clock_gettime(CLOCK_MONOTONIC, &ts);
	}
	return now_ns() - t;
}

#define FAULT_PAGES	2048UL

static uint64_t run_fault(unsigned long n)
{
	char *p = map(n * PAGE);
	uint64_t t = now_ns();

	touch_marked(p, n * PAGE);
	t = now_ns() - t;
	munmap(p, n * PAGE);
	return t;
}

/* The same pages are never seen again: more than a guest has touched so far */
#define FRESH_PAGES	6144UL

static int file = -1;

#define FILE_PAGES	1024UL

static void setup_file(void)
{
	char *p;

	file = memfd_create("bench", 0);
	if (file < 0 || ftruncate(file, FILE_PAGES * PAGE))
		die("memfd");
	p = mmap(NULL, FILE_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (p == MAP_FAILED)
		die("mmap of a memfd");
	touch(p, FILE_PAGES * PAGE);
	munmap(p, FILE_PAGES * PAGE);
}

static void cleanup_file(void)
{
	close(file);
}

/* A fault maps 16 pages around it. */
static uint64_t run_file_fault(unsigned long n)
{
	char *p = mmap(NULL, n * PAGE, PROT_READ, MAP_SHARED, file, 0);
	unsigned long i;
	uint64_t t;

	if (p == MAP_FAILED)
		die("mmap of a memfd");
	t = now_ns();
	for (i = 0; i < n; i++) {
		read_byte(p + i * PAGE);
		mark();
	}
	t = now_ns() - t;
	munmap(p, n * PAGE);
	return t;
}

static uint64_t run_cow(unsigned long n)
{
	char *p = map(n * PAGE);
	int fd[2];
	uint64_t t;
	pid_t pid;
	char c;

	touch(p, n * PAGE);
	if (pipe(fd))
		die("pipe");
	pid = fork_or_die();
	if (!pid) {
		close(fd[1]);
		_exit(read(fd[0], &c, 1));
	}
	t = now_ns();
	touch_marked(p, n * PAGE);
	t = now_ns() - t;
	close(fd[1]);
	close(fd[0]);
	wait_for(pid);
	munmap(p, n * PAGE);
	return t;
}

static uint64_t run_mmap(unsigned long n)
{
	uint64_t t = now_ns();

	while (n--) {
		char *p = mmap(NULL, 64 * KIB, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		mark();
		if (p == MAP_FAILED)
			die("mmap");
		touch(p, 64 * KIB);
		munmap(p, 64 * KIB);
	}
	return now_ns() - t;
}

static char *area;

static void setup_mprotect(void)
{
	area = map(PAGE);
	touch(area, PAGE);
}

static uint64_t run_mprotect(unsigned long n)
{
	uint64_t t = now_ns();

	while (n--) {
		mark();
		mprotect(area, PAGE, PROT_READ);
		mprotect(area, PAGE, PROT_READ | PROT_WRITE);
	}
	return now_ns() - t;
}

static void cleanup_mprotect(void)
{
	munmap(area, PAGE);
}

static uint64_t run_fork(unsigned long n)
{
	uint64_t t = now_ns();

	while (n--) {
		pid_t pid = fork_or_die();

		if (!pid)
			_exit(0);
		mark();
		wait_for(pid);
	}
	return now_ns() - t;
}

static void setup_fork16(void)
{
	area = map(16 * MIB);
	touch(area, 16 * MIB);
}

static void cleanup_fork16(void)
{
	munmap(area, 16 * MIB);
}

static uint64_t run_exec(unsigned long n)
{
	uint64_t t = now_ns();

	while (n--) {
		pid_t pid = fork_or_die();

		if (!pid) {
			execl(bench_self, "bench", "exit", NULL);
			_exit(1);
		}
		mark();
		wait_for(pid);
	}
	return now_ns() - t;
}

static int ping[2], pong[2];
static pid_t partner;

static void setup_pipe(void)
{
	char c;

	if (pipe(ping) || pipe(pong))
		die("pipe");
	partner = fork_or_die();
	if (!partner) {
		close(ping[1]);
		while (read(ping[0], &c, 1) == 1 && write(pong[1], &c, 1) == 1)
			;
		_exit(0);
	}
	close(ping[0]);
	close(pong[1]);
}

/* There and back are two switches. */
static uint64_t run_pipe(unsigned long n)
{
	uint64_t t = now_ns();
	char c = 0;

	for (unsigned long i = 0; i < n; i += 2) {
		mark();
		if (write(ping[1], &c, 1) != 1)
			die("pipe");
		mark();
		if (read(pong[0], &c, 1) != 1)
			die("pipe");
	}
	return now_ns() - t;
}

static void cleanup_pipe(void)
{
	close(ping[1]);
	close(pong[0]);
	wait_for(partner);
}

static void on_signal(int number)
{
}

static void setup_signal(void)
{
	signal(SIGUSR1, on_signal);
}

static uint64_t run_signal(unsigned long n)
{
	pid_t self = getpid();
	uint64_t t = now_ns();

	while (n--) {
		mark();
		syscall(SYS_kill, self, SIGUSR1);
	}
	return now_ns() - t;
}

static uint64_t run_read(unsigned long n)
{
	static char buf[4096];
	uint64_t t = now_ns();

	while (n--) {
		mark();
		if (pread(file, buf, sizeof(buf), 0) != sizeof(buf))
			die("pread");
	}
	return now_ns() - t;
}

/*
 * What is lost to timer ticks and the like: a loop of two instructions a turn.
 * The result is the ns that 1000 turns take, so 2000 is nothing lost where a
 * nanosecond is an instruction.
 */
static uint64_t run_compute(unsigned long n)
{
	uint64_t t = now_ns();
	unsigned long turns = n * 1000;

	asm volatile("1: dec %0\n\tjnz 1b" : "+r"(turns) : : "cc");
	return now_ns() - t;
}

/*
 * How late a program hears of a timer of its own, on a machine with nothing else to do. Times
 * are at random, so that a tick is met no more often than by chance.
 */
#define TIMER_SLEEPS	1200UL
#define TIMER_WARM_UP	100UL

static uint64_t late[TIMER_SLEEPS];
static unsigned int nr_late;

static uint64_t run_timer(unsigned long n)
{
	static uint32_t seed = 1;
	uint64_t sum = 0;

	while (n--) {
		struct timespec ts;
		uint64_t due, t;

		seed = seed * 1664525 + 1013904223;
		due = now_ns() + 200000 + (seed >> 8) % 800000;
		ts.tv_sec = due / 1000000000;
		ts.tv_nsec = due % 1000000000;
		mark();
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
			;
		t = now_ns() - due;
		if (nr_late < TIMER_SLEEPS)
			late[nr_late++] = t;
		sum += t;
	}
	return sum;
}

static void setup_timer(void)
{
	prctl(PR_SET_TIMERSLACK, 1);
	run_timer(TIMER_WARM_UP);
	nr_late = 0;
}

static int compare_late(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void cleanup_timer(void)
{
	qsort(late, nr_late, sizeof(*late), compare_late);
	printf("BENCH latency timer n=%u min=%llu median=%llu p99=%llu max=%llu\n", nr_late,
	       (unsigned long long)late[0], (unsigned long long)late[nr_late / 2],
	       (unsigned long long)late[nr_late * 99ULL / 100],
	       (unsigned long long)late[nr_late - 1]);
}

const struct op ops[] = {
	{ "fresh", "first touch of guest RAM",
	  .run = run_fault, .max = FRESH_PAGES, .once = true },
	{ "getppid", "getppid", .run = run_getppid },
	{ "clock", "clock_gettime", .run = run_clock },
	{ "fault", "anonymous page fault", .run = run_fault, .max = FAULT_PAGES },
	{ "cow", "copy-on-write fault", .run = run_cow, .max = FAULT_PAGES },
	{ "filefault", "mapped file, per page",
	  setup_file, run_file_fault, cleanup_file, .max = FILE_PAGES },
	{ "mmap", "mmap+touch+munmap 64 KiB", .run = run_mmap },
	{ "mprotect", "mprotect pair", setup_mprotect, run_mprotect, cleanup_mprotect },
	{ "fork", "fork+exit+wait", .run = run_fork },
	{ "fork16", "fork with 16 MiB dirty",
	  setup_fork16, run_fork, cleanup_fork16 },
	{ "exec", "fork+exec+wait", .run = run_exec },
	{ "pipe", "context switch over pipes", setup_pipe, run_pipe, cleanup_pipe },
	{ "signal", "signal delivery", setup_signal, run_signal },
	{ "read", "4 KiB read (tmpfs)", setup_file, run_read, cleanup_file },
	{ "compute", "1000 turns of a loop", .run = run_compute },
	{ "timer", "one-shot timer, how late",
	  setup_timer, run_timer, cleanup_timer, .max = TIMER_SLEEPS, .once = true },
	/* Only when named by ops= */
	{ "smp-fault", "page fault, in two processes", .run = run_smp_fault,
	  .max = 2 * FAULT_PAGES },
	{ "smp-fault-mm", "page fault, in two threads", .run = run_smp_fault_mm,
	  .max = 2 * FAULT_PAGES },
	{ "smp-shootdown", "mprotect pair and a write, two threads", .run = run_smp_shootdown },
	{ "smp-futex", "futex ping-pong, per switch", .run = run_smp_futex },
	{ "smp-pipe", "pipe ping-pong, per switch", .run = run_smp_pipe },
	{ "smp-hackbench", "hackbench, per message", .run = run_smp_hackbench },
	{ }
};
