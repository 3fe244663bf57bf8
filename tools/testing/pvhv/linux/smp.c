// SPDX-License-Identifier: GPL-2.0
/*
 * smp: what threads on several CPUs see of each other's page tables and clocks.
 *
 * Writers store a counter to one page without end. When a system call that took
 * their access away has returned, none of them may store there any more: what was
 * read once must stay. A TLB that was not flushed on another CPU shows as a change.
 * Readers must not see what is in a page that has another owner now.
 *
 * smp_seconds=N in the environment, which is the kernel's command line for init and its
 * children: each of these goes on for so long.
 */
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS	16
#define ROUNDS		200

static pthread_t threads[MAX_THREADS];
static unsigned int nr_threads;
static bool stop;
static u64 *page;		/* where the writers store, each its own word */
static u64 end;			/* of a test, if it has had its rounds */
static __thread sigjmp_buf again;
static __thread bool working;

static void set_end(void)
{
	const char *seconds = getenv("smp_seconds");

	end = now_ns() + (seconds ? atoi(seconds) : 0) * SECOND;
}

static bool goes_on(int round, int least)
{
	return round < least || now_ns() < end;
}

static void on_fault(int sig)
{
	if (working)
		siglongjmp(again, sig);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void *writer(void *arg)
{
	volatile u64 *word = page + (uintptr_t)arg;

	sigsetjmp(again, 0);
	working = true;
	for (u64 n = 1; !__atomic_load_n(&stop, __ATOMIC_RELAXED); n++)
		*word = n;
	return NULL;
}

static void start_threads(void *(*fn)(void *))
{
	struct sigaction sa = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	stop = false;
	nr_threads = cpus > MAX_THREADS ? MAX_THREADS : cpus;
	for (uintptr_t i = 0; i < nr_threads; i++) {
		int error = pthread_create(&threads[i], NULL, fn, (void *)i);

		check(!error, "pthread_create: %s", strerror(error));
	}
	set_end();
}

static void stop_threads(void)
{
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < nr_threads; i++)
		pthread_join(threads[i], NULL);
}

static u64 *map_at(void *where, int fd, off_t offset)
{
	return mmap(where, PAGE, PROT_READ | PROT_WRITE,
		    (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED) | (where ? MAP_FIXED : 0),
		    fd, offset);
}

/* Nobody may change what is at @at. Return: have the writers been there at all? */
static bool frozen(const char *what, int round, const volatile u64 *at)
{
	u64 before[MAX_THREADS];
	bool any = false;

	for (unsigned int i = 0; i < nr_threads; i++) {
		before[i] = at[i];
		any |= before[i] != 0;
	}
	for (int spin = 0; spin < 300; spin++)
		for (unsigned int i = 0; i < nr_threads; i++)
			check(at[i] == before[i], "%s, round %d, thread %u: stored %llu after %llu",
			      what, round, i, (unsigned long long)at[i],
			      (unsigned long long)before[i]);
	return any;
}

/* The writers need time to get there, in some rounds more, in some less. */
static void let_write(int round)
{
	if (round % 4 == 0)
		usleep(1000);
	else
		sched_yield();
}

static void by_mprotect(void)
{
	int used = 0;

	page = map_at(NULL, -1, 0);
	start_threads(writer);
	for (int round = 0; goes_on(round, ROUNDS); round++) {
		let_write(round);
		must(mprotect(page, PAGE, PROT_READ), "mprotect");
		used += frozen("mprotect", round, page);
		must(mprotect(page, PAGE, PROT_READ | PROT_WRITE), "mprotect");
	}
	stop_threads();
	check(used > ROUNDS / 8, "writers were there in %d rounds only", used);
}

/* Another page of a file takes the place of the one that the writers had. */
static void by_mmap(void)
{
	int fd = must(memfd_create("smp", 0), "memfd_create"), used = 0;
	u64 *file;

	must(ftruncate(fd, 2 * PAGE), "ftruncate");
	file = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	page = map_at(NULL, fd, 0);
	start_threads(writer);
	for (int round = 0; goes_on(round, ROUNDS); round++) {
		let_write(round);
		check(map_at(page, fd, round % 2 ? 0 : PAGE) == page, "mmap: %s", strerror(errno));
		used += frozen("mmap", round, file + (round % 2 ? PAGE / 8 : 0));
	}
	stop_threads();
	check(used > ROUNDS / 8, "writers were there in %d rounds only", used);
}

static void by_mremap(void)
{
	u64 *there = map_at(NULL, -1, 0), *home;
	int used = 0;

	home = map_at(NULL, -1, 0);
	page = home;
	start_threads(writer);
	for (int round = 0; goes_on(round, ROUNDS); round++) {
		let_write(round);
		check(mremap(home, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, there) == there,
		      "mremap: %s", strerror(errno));
		used += frozen("mremap", round, there);
		check(mremap(there, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, home) == home,
		      "mremap: %s", strerror(errno));
	}
	stop_threads();
	check(used > ROUNDS / 8, "writers were there in %d rounds only", used);
}

/* The child's copy is of one moment, whatever the parent's threads store. */
static void by_fork(void)
{
	page = map_at(NULL, -1, 0);
	start_threads(writer);
	for (int round = 0; goes_on(round, ROUNDS / 10); round++) {
		pid_t pid = must(fork(), "fork");

		if (!pid) {
			frozen("fork", round, page);
			_exit(0);
		}
		must_exit(pid, 0, "child");
	}
	stop_threads();
}

/*
 * Pages are put at a place that is theirs alone, so that the tables above it come and go with them
 * (with 32 bits, but for the highest one), and are unmapped. They are free then, and what is
 * allocated next gets them.
 */
#define PLACE		((char *)(uintptr_t)(sizeof(long) == 8 ? 0x200000000000ULL : 0x40000000ULL))
#define MANY		64	/* pages, more than Linux flushes one by one */
#define OURS		0x5a000000u
#define OTHERS		0xee	/* in each byte */

enum { COMING, THERE, GOING, GONE };

static u32 state;		/* 4 * round + one of these */

/* Rounds in which any reader was there: all of one round are one, however many they are */
struct met {
	u32 rounds, last;	/* last: + 1 */
};

static struct met met_page, met_fault;

static void count_round(struct met *m, u32 round)
{
	u32 last = __atomic_load_n(&m->last, __ATOMIC_RELAXED);

	if (last <= round && __atomic_compare_exchange_n(&m->last, &last, round + 1, false,
							 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		__atomic_fetch_add(&m->rounds, 1, __ATOMIC_RELAXED);
}

static size_t size_of(u32 round)
{
	return round % 2 ? MANY * PAGE : PAGE;
}

static void *reader(void *arg)
{
	uintptr_t id = (uintptr_t)arg;
	volatile u32 before = COMING, n = 0;
	u32 value;
	int sig;

	sig = sigsetjmp(again, 0);
	if (sig) {
		check(sig == SIGSEGV, "munmap, round %u: %s", before / 4, strsignal(sig));
		check(before % 4 != THERE || __atomic_load_n(&state, __ATOMIC_SEQ_CST) != before,
		      "munmap, round %u: a page that is there is not", before / 4);
		count_round(&met_fault, before / 4);
	}
	working = true;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		u32 round = __atomic_load_n(&state, __ATOMIC_RELAXED) / 4;
		size_t offset = n++ * PAGE % size_of(round);

		before = __atomic_load_n(&state, __ATOMIC_SEQ_CST);
		if (offset >= size_of(before / 4))
			continue;
		value = *(volatile u32 *)(PLACE + offset + id * sizeof(value));
		check((value & 0xff000000) == OURS, "munmap, round %u: %#x is somebody else's",
		      before / 4, value);
		if (__atomic_load_n(&state, __ATOMIC_SEQ_CST) != before)
			continue;
		check(before % 4 != GONE, "munmap, round %u: %#x read afterwards", before / 4,
		      value);
		check(before % 4 != THERE || value == (OURS | before / 4),
		      "munmap, round %u: %#x is older", before / 4, value);
		if (before % 4 == THERE)
			count_round(&met_page, before / 4);
	}
	return NULL;
}

static void set_state(u32 round, u32 what)
{
	__atomic_store_n(&state, round * 4 + what, __ATOMIC_SEQ_CST);
}

static void by_munmap(void)
{
	int round;

	start_threads(reader);
	for (round = 0; goes_on(round, ROUNDS); round++) {
		size_t size = size_of(round);
		char *p = must_map(mmap(NULL, size, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "mmap");

		set_state(round, COMING);
		for (size_t i = 0; i < size / sizeof(u32); i += i % 1024 < MAX_THREADS ? 1 : 1008)
			((u32 *)p)[i] = OURS | round;
		/* the tables above stay in some rounds */
		if (round % 4 == 0)
			check(map_at(PLACE + MIB, -1, 0) == (void *)(PLACE + MIB), "mmap: %s",
			      strerror(errno));
		check(mremap(p, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, PLACE) == PLACE,
		      "mremap: %s", strerror(errno));
		set_state(round, THERE);
		let_write(round);
		set_state(round, GOING);
		must(munmap(PLACE, size), "munmap");
		set_state(round, GONE);
		p = must_map(mmap(NULL, size, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "mmap");
		memset(p, OTHERS, size);
		/* the readers' time, if they have no CPU of their own */
		if (round % 4 == 2)
			usleep(1000);
		must(munmap(p, size), "munmap");
		if (round % 4 == 1)
			must(munmap(PLACE + MIB, PAGE), "munmap");
	}
	stop_threads();
	check(met_page.rounds > ROUNDS / 8 && met_fault.rounds > ROUNDS / 8,
	      "of %d rounds, read in %u, faulted in %u only", round, met_page.rounds,
	      met_fault.rounds);
}

/* What was read of the clock happened before what is read afterwards, on any CPU. */
static u64 last_time;

static void *clock_reader(void *arg)
{
	struct timespec ts;

	for (int i = 0; goes_on(i, 100000); i++) {
		u64 before = __atomic_load_n(&last_time, __ATOMIC_SEQ_CST), now;

		clock_gettime((uintptr_t)arg, &ts);
		now = ts.tv_sec * 1000000000ULL + ts.tv_nsec;
		check(now >= before, "clock %u: %llu ns backwards", (unsigned int)(uintptr_t)arg,
		      (unsigned long long)(before - now));
		__atomic_store_n(&last_time, now, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void clock_monotonic(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME };

	for (unsigned int c = 0; c < 2; c++) {
		last_time = 0;
		set_end();
		nr_threads = cpus > MAX_THREADS ? MAX_THREADS : cpus;
		for (unsigned int i = 0; i < nr_threads; i++) {
			int error = pthread_create(&threads[i], NULL, clock_reader,
						   (void *)(uintptr_t)clocks[c]);

			check(!error, "pthread_create: %s", strerror(error));
		}
		for (unsigned int i = 0; i < nr_threads; i++)
			pthread_join(threads[i], NULL);
	}
}

static unsigned long steal_ticks(void)
{
	unsigned long t[8] = { 0 };
	FILE *f = fopen("/proc/stat", "r");

	if (!f || fscanf(f, "cpu %lu %lu %lu %lu %lu %lu %lu %lu", &t[0], &t[1], &t[2], &t[3],
			 &t[4], &t[5], &t[6], &t[7]) != 8)
		t[7] = 0;
	if (f)
		fclose(f);
	return t[7];
}

static void *spinner(void *arg)
{
	time_t end = time(NULL) + 3;

	while (time(NULL) < end)
		;
	return arg;
}

/* More busy vCPUs than the host has CPUs: some have to wait, and Linux knows. */
static void stolen(void)
{
	unsigned long before = steal_ticks();
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (cpus < 4)
		return;
	if (cpus > MAX_THREADS)
		cpus = MAX_THREADS;
	for (int i = 0; i < cpus; i++)
		check(!pthread_create(&threads[i], NULL, spinner, NULL), "pthread_create");
	for (int i = 0; i < cpus; i++)
		pthread_join(threads[i], NULL);
	check(steal_ticks() > before, "nothing was stolen of %ld busy CPUs", cpus);
}

/* Each CPU can be reached, and says which one it is. */
static void all_cpus(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	for (int i = 0; i < cpus; i++) {
		unsigned int cpu, node;

		CPU_ZERO(&set);
		CPU_SET(i, &set);
		must(sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
		must(syscall(SYS_getcpu, &cpu, &node, NULL), "getcpu");
		check((int)cpu == i, "on CPU %u, not %d", cpu, i);
		check(sched_getcpu() == i, "the vDSO says %d, not %d", sched_getcpu(), i);
	}
}

const struct test tests[] = {
	{ "all-cpus", all_cpus },
	{ "mprotect", by_mprotect },
	{ "mmap", by_mmap },
	{ "mremap", by_mremap },
	{ "munmap", by_munmap, .seconds = 300 },
	{ "fork", by_fork },
	{ "clock-monotonic", clock_monotonic },
	{ "stolen", stolen },
	{ NULL }
};
