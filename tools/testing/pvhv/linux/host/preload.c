// SPDX-License-Identifier: GPL-2.0
/*
 * Loaded into pvhv run by LD_PRELOAD, to change what its process is like:
 *
 *	PVHV_STORM=USEC		a signal to each vCPU thread every USEC, which
 *				interrupts PVHV_RUN
 *	PVHV_STORM_COUNT=FILE	gets how often it did
 *	PVHV_LDT=1		a thread that changes its LDT all the time
 *	PVHV_MERGEABLE=1	guest RAM is for KSM
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <errno.h>
#include <linux/pvhv.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id	_sigev_un._tid
#endif

static unsigned long interrupted;

int ioctl(int fd, unsigned long request, ...);

static void on_signal(int sig)
{
	(void)sig;
}

static void start_storm(const char *usec)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct sigevent ev = {
		.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1,
		.sigev_notify_thread_id = syscall(SYS_gettid),
	};
	long ns = atol(usec) * 1000;
	struct itimerspec its = { { 0, ns }, { 0, ns } };
	sigset_t set;
	timer_t timer;

	sigaction(SIGUSR1, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	if (timer_create(CLOCK_MONOTONIC, &ev, &timer) || timer_settime(timer, 0, &its, NULL))
		abort();
}

static void __attribute__((destructor)) write_count(void)
{
	const char *path = getenv("PVHV_STORM_COUNT");
	FILE *f = path ? fopen(path, "w") : NULL;

	if (!f)
		return;
	fprintf(f, "%lu\n", interrupted);
	fclose(f);
}

static void *change_ldt(void *unused)
{
	struct user_desc entry = { .limit = 1, .seg_32bit = 1, .useable = 1 };

	for (;; entry.entry_number ^= 1) {
		syscall(SYS_modify_ldt, 0x11, &entry, sizeof(entry));
		usleep(200);
	}
	return unused;
}

int ioctl(int fd, unsigned long request, ...)
{
	static pthread_t ldt_thread;
	static __thread int started;
	const char *usec = getenv("PVHV_STORM");
	void *arg;
	va_list ap;
	long ret;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request == PVHV_RUN && usec && !started) {
		started = 1;
		start_storm(usec);
	}
	if (request == PVHV_RUN && getenv("PVHV_LDT") && !ldt_thread)
		pthread_create(&ldt_thread, NULL, change_ldt, NULL);
	if (request == PVHV_SET_MEMORY) {
		struct pvhv_memory *m = arg;

		if (getenv("PVHV_MERGEABLE"))
			madvise((void *)m->hva, m->size, MADV_MERGEABLE);
	}
	ret = syscall(SYS_ioctl, fd, request, arg);
	if (request == PVHV_RUN && ret < 0 && errno == EINTR)
		__atomic_fetch_add(&interrupted, 1, __ATOMIC_RELAXED);
	return ret;
}
