// SPDX-License-Identifier: GPL-2.0
/*
 * bench: measure the operations of ops.c; see "bench help".
 *
 * Runs as an ordinary program or as the init of an initrd that holds nothing
 * else. Under "qemu -icount shift=0" a nanosecond is an instruction.
 *
 * Output, one line each, for programs to read:
 *
 *	BENCH begin tsc=N t=MS reps=N cpus=N kernel=RELEASE
 *	BENCH result NAME median=NS min=NS max=NS n=COUNT reps=NS,NS...
 *	BENCH latency NAME n=COUNT min=NS median=NS p99=NS max=NS	(of what is waited for)
 *	BENCH sync NAME begin|end OPERATIONS	(with "sync")
 *	BENCH loop NAME				(with "loop=")
 *	BENCH stamp tsc=N			("bench stamp COMMAND...")
 *	BENCH end tsc=N ns=N
 *
 * tsc is that of the program's start, and at the end the TSC's and the clock's
 * difference to then: whether a nanosecond is an instruction.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "bench.h"

#define MAX_REPS 101
#define WARM_UP_NS 40000000	/* of loop= */

char *bench_self;

static uint64_t start_tsc, start_ns;
static unsigned long target_ms = 10;
static unsigned long reps = 7;
static const char *only;
static bool sync_mode;
static bool is_init;

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void finish(int status)
{
	fflush(stdout);
	if (is_init) {
		sync();
		reboot(RB_POWER_OFF);
		/* A kernel that cannot, such as one without ACPI */
		for (;;)
			pause();
	}
	exit(status);
}

void die(const char *fmt, ...)
{
	va_list args;
	int error = errno;

	printf("BENCH error ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf(": %s\n", strerror(error));
	finish(1);
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Somebody wants to look at counters now: wait until they have. */
static void synchronise(const char *name, const char *what, unsigned long total)
{
	char line[16];

	if (!sync_mode)
		return;
	printf("BENCH sync %s %s %lu\n", name, what, total);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		sync_mode = false;
}

/* How many make a run of about target_ms */
static unsigned long calibrate(const struct op *op)
{
	uint64_t target = target_ms * 1000000, ns;
	unsigned long n = 1;

	if (op->once)
		return op->max;
	for (;;) {
		ns = op->run(n);
		if (op->max && n >= op->max)
			return op->max;
		if (ns >= target / 4)
			break;
		n *= 4;
		if (op->max && n > op->max)
			n = op->max;
	}
	n = n * target / ns;
	if (op->max && n > op->max)
		n = op->max;
	return n ? n : 1;
}

static void measure(const struct op *op)
{
	double result[MAX_REPS], sorted[MAX_REPS];
	unsigned long n, i, count = op->once ? 1 : reps;

	if (op->setup)
		op->setup();
	n = calibrate(op);
	synchronise(op->name, "begin", n * count);
	for (i = 0; i < count; i++)
		result[i] = (double)op->run(n) / n;
	synchronise(op->name, "end", n * count);
	if (op->cleanup)
		op->cleanup();

	memcpy(sorted, result, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare);
	printf("BENCH result %s median=%.1f min=%.1f max=%.1f n=%lu reps=", op->name,
	       sorted[count / 2], sorted[0], sorted[count - 1], n);
	for (i = 0; i < count; i++)
		printf("%s%.1f", i ? "," : "", result[i]);
	printf("\n");
	fflush(stdout);
}

/* The same operation for ever, for a profiler to look at */
static void run_for_ever(const char *name)
{
	const struct op *op;
	unsigned long n;
	uint64_t ns;

	for (op = ops; op->name; op++)
		if (!strcmp(op->name, name))
			break;
	if (!op->name) {
		errno = EINVAL;
		die("loop=%s", name);
	}
	if (op->setup)
		op->setup();
	target_ms = 2;
	n = calibrate(op);
	/* So long that caches, hints and the scheduler are as they will be */
	for (ns = 0; ns < WARM_UP_NS;)
		ns += op->run(n);
	printf("BENCH loop %s\n", name);
	fflush(stdout);
	for (;;)
		op->run(n);
}

static bool selected(const char *name)
{
	size_t len = strlen(name);
	const char *p;

	if (!only)
		return strncmp(name, "smp-", 4);
	for (p = only; (p = strstr(p, name)); p += len)
		if ((p == only || p[-1] == ',') && (!p[len] || p[len] == ','))
			return true;
	return false;
}

static void help(void)
{
	const struct op *op;

	printf("usage: bench [t=MS] [reps=N] [ops=NAME,NAME...] [sync | idle | loop=NAME]\n"
	       "       bench stamp COMMAND...\n\n"
	       "t=MS     length of a run (10)\n"
	       "reps=N   runs, of which the median is the result (7)\n"
	       "ops=     only these; without it, all but smp-*\n"
	       "sync     wait for a line of input before and after the runs of an operation\n"
	       "idle     do nothing, for ever\n"
	       "loop=    do that operation for ever\n"
	       "stamp    print the TSC and run COMMAND\n\n");
	for (op = ops; op->name; op++)
		printf("%-14s %s\n", op->name, op->text);
}

static void init_system(void)
{
	static const char * const fs[][2] = {
		{ "proc", "/proc" }, { "sysfs", "/sys" }, { "devtmpfs", "/dev" },
		{ "tmpfs", "/tmp" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(fs); i++) {
		mkdir(fs[i][1], 0755);
		mount(fs[i][0], fs[i][1], fs[i][0], 0, NULL);
	}
	/* Those that maxcpus= has left out: see peers */
	for (int i = 1; ; i++) {
		char path[64];
		FILE *f;

		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", i);
		f = fopen(path, "w");
		if (!f)
			break;
		fputs("1", f);
		fclose(f);
	}
}

int main(int argc, char **argv)
{
	const char *looping = NULL;
	const struct op *op;
	struct utsname uts;
	bool idle = false;

	start_tsc = __rdtsc();
	start_ns = now_ns();
	/* what fork+exec+wait execs */
	if (argc == 2 && !strcmp(argv[1], "exit"))
		_exit(0);
	if (argc > 2 && !strcmp(argv[1], "stamp")) {
		printf("BENCH stamp tsc=%llu\n", (unsigned long long)start_tsc);
		fflush(stdout);
		execvp(argv[2], argv + 2);
		die("%s", argv[2]);
	}

	is_init = getpid() == 1;
	bench_self = is_init ? "/init" : "/proc/self/exe";
	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "t=", 2)) {
			target_ms = strtoul(argv[i] + 2, NULL, 0);
		} else if (!strncmp(argv[i], "reps=", 5)) {
			reps = strtoul(argv[i] + 5, NULL, 0);
		} else if (!strncmp(argv[i], "ops=", 4)) {
			only = argv[i] + 4;
		} else if (!strncmp(argv[i], "loop=", 5)) {
			looping = argv[i] + 5;
		} else if (!strcmp(argv[i], "sync")) {
			sync_mode = true;
		} else if (!strcmp(argv[i], "idle")) {
			idle = true;
		} else if (!is_init) {
			/* init gets what the kernel does not know: ignore that */
			help();
			return strcmp(argv[i], "help") ? 1 : 0;
		}
	}
	if (reps < 1 || reps > MAX_REPS || target_ms < 1 || target_ms > 10000) {
		errno = EINVAL;
		die("t= or reps=");
	}
	if (is_init)
		init_system();
	uname(&uts);
	printf("BENCH begin tsc=%llu t=%lu reps=%lu cpus=%ld kernel=%s\n",
	       (unsigned long long)start_tsc, target_ms, reps, sysconf(_SC_NPROCESSORS_ONLN),
	       uts.release);
	fflush(stdout);
	if (idle)
		for (;;)
			pause();
	if (looping)
		run_for_ever(looping);
	/* what it took to get here */
	synchronise("boot", "end", 1);
	for (op = ops; op->name; op++)
		if (selected(op->name))
			measure(op);
	printf("BENCH end tsc=%llu ns=%llu\n", (unsigned long long)(__rdtsc() - start_tsc),
	       (unsigned long long)(now_ns() - start_ns));
	finish(0);
}
