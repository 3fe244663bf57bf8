// SPDX-License-Identifier: GPL-2.0
/*
 * time: clocks go forward, are read without system calls, and timers keep to
 * them.
 */
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timerfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS	1000000ULL

/* For the test on the host: "clock NS" every half second, for @argv[2] seconds */
int hook(int argc, char **argv)
{
	u64 end = now_ns();

	if (argc != 3 || strcmp(argv[1], "clock"))
		return -1;
	end += atoi(argv[2]) * SECOND;
	while (now_ns() < end) {
		printf("clock %llu\n", (unsigned long long)now_ns());
		usleep(500000);
	}
	return 0;
}

static u64 ns_of(clockid_t id)
{
	struct timespec ts;

	must(clock_gettime(id, &ts), "clock_gettime");
	check(ts.tv_nsec >= 0 && ts.tv_nsec < 1000000000, "clock %d: %ld ns", id, ts.tv_nsec);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

static void monotonic(void)
{
	static const clockid_t ids[] = {
		CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_REALTIME,
		CLOCK_MONOTONIC_COARSE, CLOCK_REALTIME_COARSE, CLOCK_TAI,
	};
	pid_t pid = must(fork(), "fork");

	/* twice, so that there are context switches in between */
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		u64 last = ns_of(ids[i]), now;
		u64 first = last;

		for (int n = 0; n < 30000; n++) {
			now = ns_of(ids[i]);
			check(now >= last, "clock %d goes back by %llu ns", ids[i],
			      (unsigned long long)(last - now));
			last = now;
			if (n % 1000 == 0)
				sched_yield();
		}
		check(last > first || i == 4 || i == 5, "clock %d stands still", ids[i]);
	}
	if (!pid)
		_exit(0);
	must_exit(pid, 0, "child");
}

/* Clocks that tell the same time agree. */
static void agree(void)
{
	for (int i = 0; i < 100; i++) {
		struct timeval tv;
		u64 a = ns_of(CLOCK_REALTIME), b, c;

		gettimeofday(&tv, NULL);
		b = tv.tv_sec * SECOND + tv.tv_usec * 1000;
		c = ns_of(CLOCK_REALTIME);
		check(b + 1000 > a && b <= c, "gettimeofday is off by %lld ns", (long long)(b - a));
		check(c / SECOND - time(NULL) + 1 <= 2, "time() is off");
		a = ns_of(CLOCK_MONOTONIC);
		b = ns_of(CLOCK_BOOTTIME);
		c = ns_of(CLOCK_MONOTONIC_RAW);
		check(b + 1000 > a && b - a < SECOND, "CLOCK_BOOTTIME is off by %lld ns",
		      (long long)(b - a));
		check(c > a ? c - a < 5 * SECOND : a - c < 5 * SECOND,
		      "CLOCK_MONOTONIC_RAW is off by %lld ns", (long long)(c - a));
	}
	/* the hypervisor knows what time it is */
	check(time(NULL) > 1700000000, "it is the year %d", (int)(time(NULL) / 31556952 + 1970));
}

#ifndef SYS_clock_gettime64
#define SYS_clock_gettime64	SYS_clock_gettime
#endif
#ifndef SYS_time
#define SYS_time		SYS_clock_gettime
#endif

/* Reading the clock as a system call ends the process. */
static void forbid_clock_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime64, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_gettimeofday, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_time, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS");
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "seccomp");
}

static void without_syscalls(void)
{
	struct timeval tv;
	pid_t pid;
	int status;

	check(getauxval(AT_SYSINFO_EHDR), "there is no vdso");
	/* the filter works */
	pid = must(fork(), "fork");
	if (!pid) {
		forbid_clock_calls();
		syscall(SYS_gettimeofday, &tv, NULL);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "no filter: %#x", status);

	pid = must(fork(), "fork");
	if (!pid) {
		forbid_clock_calls();
		for (int i = 0; i < 1000; i++) {
			ns_of(CLOCK_MONOTONIC);
			ns_of(CLOCK_REALTIME);
			gettimeofday(&tv, NULL);
		}
		_exit(0);
	}
	waitpid(pid, &status, 0);
	check(!WIFSIGNALED(status), "a clock was read by a system call");
	check(!status, "status %#x", status);
}

static void sleeps(void)
{
	static const unsigned int ms[] = { 1, 5, 20, 100, 500 };

	for (size_t i = 0; i < ARRAY_SIZE(ms); i++) {
		struct timespec ts = { .tv_nsec = ms[i] * MS };
		u64 start = now_ns(), took;

		must(nanosleep(&ts, NULL), "nanosleep");
		took = now_ns() - start;
		/* a loaded machine may take long, but there is no excuse for too short */
		check(took >= ms[i] * MS && took < (ms[i] + 2000) * MS, "%u ms take %llu us",
		      ms[i], (unsigned long long)took / 1000);
	}
}

static void timer_fd(void)
{
	int fd = must(timerfd_create(CLOCK_MONOTONIC, 0), "timerfd_create");
	struct itimerspec its = {
		.it_value = { .tv_nsec = 10 * MS }, .it_interval = { .tv_nsec = 10 * MS },
	};
	u64 start = now_ns(), n, sum = 0, took;

	must(timerfd_settime(fd, 0, &its, NULL), "timerfd_settime");
	while (sum < 100) {
		must(read(fd, &n, 8), "read");
		check(n > 0, "nothing expired");
		sum += n;
	}
	took = now_ns() - start;
	/* exactly one every 10 ms, however late each is heard of */
	check(took >= sum * 10 * MS && took < (sum * 10 + 2000) * MS,
	      "%llu periods of 10 ms in %llu ms", (unsigned long long)sum,
	      (unsigned long long)(took / MS));
}

static volatile int ticks;

static void on_tick(int sig)
{
	(void)sig;
	ticks++;
}

static void intervals(void)
{
	struct itimerval it = { { 0, 10000 }, { 0, 10000 } };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec its = {
		.it_value = { .tv_nsec = 10 * MS }, .it_interval = { .tv_nsec = 10 * MS },
	};
	u64 start = now_ns(), took;
	timer_t timer;

	signal(SIGALRM, on_tick);
	must(setitimer(ITIMER_REAL, &it, NULL), "setitimer");
	while (ticks < 50 && now_ns() - start < 20 * SECOND)
		pause();
	took = now_ns() - start;
	check(ticks >= 50 && took >= 490 * MS, "%d ticks of 10 ms in %llu ms", ticks,
	      (unsigned long long)(took / MS));
	memset(&it, 0, sizeof(it));
	setitimer(ITIMER_REAL, &it, NULL);

	/* while the program computes */
	ticks = 0;
	signal(SIGUSR1, on_tick);
	must(timer_create(CLOCK_MONOTONIC, &ev, &timer), "timer_create");
	must(timer_settime(timer, 0, &its, NULL), "timer_settime");
	start = now_ns();
	while (ticks < 30 && now_ns() - start < 20 * SECOND)
		;
	check(ticks >= 30, "%d ticks in %llu ms of computing", ticks,
	      (unsigned long long)((now_ns() - start) / MS));
	timer_delete(timer);
}

/* What a process used is not more than what went by. */
static void cpu_time(void)
{
	u64 start = now_ns(), used = ns_of(CLOCK_PROCESS_CPUTIME_ID), took;
	struct rusage ru;
	volatile u32 n = 0;

	while (now_ns() - start < SECOND)
		n++;
	used = ns_of(CLOCK_PROCESS_CPUTIME_ID) - used;
	took = now_ns() - start;
	check(used > 0 && used <= took + 20 * MS, "%llu us of %llu us",
	      (unsigned long long)used / 1000, (unsigned long long)took / 1000);
	must(getrusage(RUSAGE_SELF, &ru), "getrusage");
	check(ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec +
	      ru.ru_stime.tv_sec * 1000000 + ru.ru_stime.tv_usec > 0, "no time was used");
	/* an ITIMER_PROF fires by it */
	{
		struct itimerval it = { { 0, 20000 }, { 0, 20000 } };

		signal(SIGPROF, on_tick);
		ticks = 0;
		must(setitimer(ITIMER_PROF, &it, NULL), "setitimer");
		start = now_ns();
		while (ticks < 5 && now_ns() - start < 20 * SECOND)
			n++;
		check(ticks >= 5, "%d profiling ticks in 20 s", ticks);
	}
}

/* The time stamp counter, as the clock and the tasks see it */
static void tsc(void)
{
	u64 last = __builtin_ia32_rdtsc(), now, start;
	unsigned long long hz;

	for (int i = 0; i < 100000; i++) {
		now = __builtin_ia32_rdtsc();
		check(now >= last, "TSC goes back by %llu", (unsigned long long)(last - now));
		last = now;
	}
	start = now_ns();
	last = __builtin_ia32_rdtsc();
	while (now_ns() - start < SECOND / 2)
		;
	hz = (__builtin_ia32_rdtsc() - last) * 2;
	check(hz > 500000000ULL && hz < 10000000000ULL, "TSC of %llu Hz", hz);
}

static void read_tsc(void *arg)
{
	*(volatile u64 *)arg = __builtin_ia32_rdtsc();
}

/* A task may forbid itself the counter; others keep it. */
static void tsc_forbidden(void)
{
	pid_t pid = must(fork(), "fork");
	u64 value;
	struct fault f;

	if (pid) {
		for (int i = 0; i < 2000; i++) {
			check(!faults(read_tsc, &value, &f), "RDTSC faults: signal %d", f.sig);
			sched_yield();
		}
		must_exit(pid, 0, "child");
		return;
	}
	must(prctl(PR_SET_TSC, PR_TSC_SIGSEGV), "PR_SET_TSC");
	if (!faults(read_tsc, &value, &f))
		skip("PR_SET_TSC does nothing: CR4.TSD is the host's");
	for (int i = 0; i < 200; i++) {
		check(faults(read_tsc, &value, &f) && f.sig == SIGSEGV, "RDTSC works");
		sched_yield();
	}
	must(prctl(PR_SET_TSC, PR_TSC_ENABLE), "PR_SET_TSC");
	check(!faults(read_tsc, &value, &f), "RDTSC faults: signal %d", f.sig);
	_exit(0);
}

static void source(void)
{
	char name[64] = "";
	FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "r");

	check(f && fgets(name, sizeof(name), f), "no clock source");
	fclose(f);
	check(!strcmp(name, "pvhv\n") || !strcmp(name, "tsc\n"), "clock source %s", name);
}

const struct test tests[] = {
	{ "source", source },
	{ "monotonic", monotonic },
	{ "agree", agree },
	{ "without-system-calls", without_syscalls },
	{ "sleeps", sleeps },
	{ "timerfd", timer_fd },
	{ "intervals", intervals },
	{ "cpu-time", cpu_time },
	{ "tsc", tsc },
	{ "tsc-forbidden", tsc_forbidden },
	{ NULL }
};
