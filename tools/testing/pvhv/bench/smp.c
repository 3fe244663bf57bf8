// SPDX-License-Identifier: GPL-2.0
/*
 * bench: the operations of two threads, each kept on a CPU of its own where
 * there are two, else both on the only one.
 *
 * Under "qemu -icount" the clock counts the instructions of all CPUs, and one CPU
 * runs at a time: a result is the work of both threads, waiting in loops
 * included, for each thing that one of them does. It is no elapsed time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#include "bench.h"

#define PAGE		4096UL
#define MIN_EACH	256	/* else the start is most of it */

static void stay_on(unsigned int nr)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(nr % sysconf(_SC_NPROCESSORS_ONLN), &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		die("sched_setaffinity");
}

static void roam(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	for (int i = 0; i < sysconf(_SC_NPROCESSORS_ONLN); i++)
		CPU_SET(i, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

static void *map(unsigned long size, int flags)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	madvise(p, size, MADV_NOHUGEPAGE);
	return p;
}

static pthread_t start(void *(*fn)(void *))
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, fn, NULL);
	if (errno)
		die("pthread_create");
	return thread;
}

/* Where the two meet; in memory that processes share, too */
struct gate {
	unsigned int here;
	uint64_t ns;	/* of the last one's arrival */
};

static struct gate *begin, *end;
static unsigned long each;	/* how many things each of the two does */

/*
 * The one who waits lets others run: of its own CPU, and by PAUSE, after which QEMU
 * goes on with the other CPU.
 */
static void meet(struct gate *gate)
{
	gate->ns = now_ns();
	__atomic_add_fetch(&gate->here, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&gate->here, __ATOMIC_SEQ_CST) < 2) {
		_mm_pause();
		sched_yield();
	}
}

static void touch_own(unsigned int cpu)
{
	char *p = map(each * PAGE, MAP_PRIVATE);

	stay_on(cpu);
	meet(begin);
	for (unsigned long i = 0; i < each; i++)
		write_byte(p + i * PAGE);
	meet(end);
	munmap(p, each * PAGE);
}

static void *fault_thread(void *unused)
{
	touch_own(1);
	return NULL;
}

static uint64_t two_faults(unsigned long n, bool threads)
{
	pthread_t thread = 0;
	pid_t pid = 0;
	uint64_t t;

	begin = map(PAGE, MAP_SHARED);
	end = begin + 1;
	each = n / 2 + MIN_EACH;
	if (threads) {
		thread = start(fault_thread);
	} else {
		pid = fork_or_die();
		if (!pid) {
			touch_own(1);
			_exit(0);
		}
	}
	touch_own(0);
	t = end->ns - begin->ns;
	if (threads)
		pthread_join(thread, NULL);
	else
		wait_for(pid);
	munmap(begin, PAGE);
	roam();
	return t * n / (2 * each);
}

uint64_t run_smp_fault(unsigned long n)
{
	return two_faults(n, false);
}

uint64_t run_smp_fault_mm(unsigned long n)
{
	return two_faults(n, true);
}

static unsigned int stop, running;

static void futex(unsigned int *word, int op, unsigned int value)
{
	syscall(SYS_futex, word, op, value, NULL);
}

/* Runs all the time, or sleeps where there is no other CPU to run on. */
static void *other_thread(void *unused)
{
	bool alone = sysconf(_SC_NPROCESSORS_ONLN) == 1;

	stay_on(1);
	__atomic_store_n(&running, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		if (alone)
			futex(&stop, FUTEX_WAIT_PRIVATE, 0);
		_mm_pause();
	}
	return NULL;
}

uint64_t run_smp_shootdown(unsigned long n)
{
	char *p = map(PAGE, MAP_PRIVATE);
	pthread_t thread;
	uint64_t t;

	write_byte(p);
	stop = 0;
	running = 0;
	stay_on(0);
	thread = start(other_thread);
	do
		usleep(1000);
	while (!__atomic_load_n(&running, __ATOMIC_SEQ_CST));
	t = now_ns();
	for (unsigned long i = 0; i < n; i++) {
		mprotect(p, PAGE, PROT_READ);
		mprotect(p, PAGE, PROT_READ | PROT_WRITE);
		write_byte(p);
	}
	t = now_ns() - t;
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	futex(&stop, FUTEX_WAKE_PRIVATE, 1);
	pthread_join(thread, NULL);
	munmap(p, PAGE);
	roam();
	return t;
}

static unsigned int turn;

/* Twice each: wait for our turn, end it, wake the other. */
static void take_turns(unsigned int me)
{
	for (unsigned long i = 0; i < each; i++) {
		while (__atomic_load_n(&turn, __ATOMIC_SEQ_CST) != me)
			futex(&turn, FUTEX_WAIT_PRIVATE, !me);
		__atomic_store_n(&turn, !me, __ATOMIC_SEQ_CST);
		futex(&turn, FUTEX_WAKE_PRIVATE, 1);
	}
}

static void *futex_thread(void *unused)
{
	stay_on(1);
	take_turns(1);
	return NULL;
}

uint64_t run_smp_futex(unsigned long n)
{
	pthread_t thread;
	uint64_t t;

	each = n / 2 + MIN_EACH;
	turn = 0;
	stay_on(0);
	thread = start(futex_thread);
	t = now_ns();
	take_turns(0);
	pthread_join(thread, NULL);
	t = now_ns() - t;
	roam();
	return t * n / (2 * each);
}

uint64_t run_smp_pipe(unsigned long n)
{
	int ping[2], pong[2];
	uint64_t t;
	pid_t pid;
	char c = 0;

	if (pipe(ping) || pipe(pong))
		die("pipe");
	stay_on(0);
	pid = fork_or_die();
	if (!pid) {
		stay_on(1);
		close(ping[1]);
		while (read(ping[0], &c, 1) == 1 && write(pong[1], &c, 1) == 1)
			;
		_exit(0);
	}
	close(ping[0]);
	close(pong[1]);
	each = n / 2 + MIN_EACH;
	t = now_ns();
	for (unsigned long i = 0; i < each; i++)
		if (write(ping[1], &c, 1) != 1 || read(pong[0], &c, 1) != 1)
			die("pipe");
	t = now_ns() - t;
	close(ping[1]);
	close(pong[0]);
	wait_for(pid);
	roam();
	return t * n / (2 * each);
}

/*
 * As hackbench does it: in each group, all senders write messages to all
 * receivers, a process each, which the scheduler may put on any CPU.
 */
#define GROUPS		2
#define SENDERS		4	/* and as many receivers, of each group */
#define WORKERS		(GROUPS * 2 * SENDERS)
#define MESSAGE		100
#define A_LOOP		((unsigned long)GROUPS * SENDERS * SENDERS)
#define MIN_LOOPS	20	/* else the start is most of it */

static void send_all(int fds[SENDERS][2], unsigned long loops)
{
	char message[MESSAGE] = "";

	while (loops--)
		for (int i = 0; i < SENDERS; i++)
			if (write(fds[i][1], message, MESSAGE) != MESSAGE)
				_exit(1);
}

static void receive_all(int fd, unsigned long loops)
{
	char message[MESSAGE];
	size_t left = loops * SENDERS * MESSAGE;
	ssize_t n;

	while (left) {
		n = read(fd, message, left < MESSAGE ? left : MESSAGE);
		if (n <= 0)
			_exit(1);
		left -= n;
	}
}

/* Pipes: of workers that are ready or done, and two that end when the parent says so */
static int report[2], go[2], leave[2];

static void reports(void)
{
	char c;

	for (int i = 0; i < WORKERS; i++)
		if (read(report[0], &c, 1) != 1)
			die("hackbench");
}

static void work(int fds[SENDERS][2], int nr, unsigned long loops)
{
	char c;

	close(go[1]);
	close(leave[1]);
	if (write(report[1], "", 1) != 1 || read(go[0], &c, 1))
		_exit(1);
	if (nr < SENDERS)
		send_all(fds, loops);
	else
		receive_all(fds[nr - SENDERS][0], loops);
	_exit(write(report[1], "", 1) != 1 || read(leave[0], &c, 1));
}

uint64_t run_smp_hackbench(unsigned long n)
{
	unsigned long loops = n / A_LOOP + MIN_LOOPS;
	int fds[SENDERS][2];
	uint64_t t;

	if (pipe(report) || pipe(go) || pipe(leave))
		die("pipe");
	for (int group = 0; group < GROUPS; group++) {
		for (int i = 0; i < SENDERS; i++)
			if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]))
				die("socketpair");
		for (int i = 0; i < 2 * SENDERS; i++)
			if (!fork_or_die())
				work(fds, i, loops);
		for (int i = 0; i < SENDERS; i++) {
			close(fds[i][0]);
			close(fds[i][1]);
		}
	}
	close(report[1]);
	reports();
	t = now_ns();
	close(go[1]);
	reports();
	t = now_ns() - t;
	close(leave[1]);
	for (int i = 0; i < WORKERS; i++)
		wait_for(-1);
	close(report[0]);
	close(go[0]);
	close(leave[0]);
	return t * n / (loops * A_LOOP);
}
