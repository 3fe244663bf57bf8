// SPDX-License-Identifier: GPL-2.0
/*
 * bench: operations of several threads or processes, each on a CPU of its own as far
 * as there are any.
 *
 * Under -icount the CPUs of a machine take turns, and the clock counts the
 * instructions of all: what a thread wastes while it waits counts as well, so waiting
 * is by PAUSE, after which QEMU goes on with the next CPU.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#include "bench.h"

#define PAGE		4096UL
#define THREADS		2
#define PARALLEL_PAGES	1024UL	/* each thread's */

static void touch(char *p)
{
	asm volatile("movb $1, %0" : "=m"(*p));
}

/* Who waits for another thread must not keep the only CPU. */
static void relax(void)
{
	static long cpus;

	if (!cpus)
		cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (cpus > 1)
		_mm_pause();
	else
		sched_yield();
}

static void pin(unsigned int n)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(n % sysconf(_SC_NPROCESSORS_ONLN), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

static void pin_nowhere(void)
{
	unsigned int i, n = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	CPU_ZERO(&set);
	for (i = 0; i < n; i++)
		CPU_SET(i, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static pthread_t start(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, arg))
		die("pthread_create");
	return thread;
}

/* ---- faults of several threads in one address space ---- */

static atomic_int go, ready;
static unsigned long each;

static void *fault_thread(void *arg)
{
	unsigned long size = each * PAGE, i;
	char *p;

	pin((unsigned long)arg);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		die("mmap");
	madvise(p, size, MADV_NOHUGEPAGE);
	ready++;
	while (!go)
		relax();
	for (i = 0; i < size; i += PAGE)
		touch(p + i);
	ready--;
	while (go)
		relax();
	munmap(p, size);
	return NULL;
}

uint64_t run_parallel_fault(unsigned long n)
{
	pthread_t threads[THREADS - 1];
	unsigned long i;
	uint64_t t = 0;

	each = n / THREADS ? n / THREADS : 1;
	for (i = 1; i < THREADS; i++)
		threads[i - 1] = start(fault_thread, (void *)i);
	while (ready < THREADS - 1)
		relax();
	/* this one, too, with the clock around it */
	pin(0);
	{
		char *p = mmap(NULL, each * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			die("mmap");
		madvise(p, each * PAGE, MADV_NOHUGEPAGE);
		t = now_ns();
		go = 1;
		for (i = 0; i < each * PAGE; i += PAGE)
			touch(p + i);
		while (ready)
			relax();
		t = now_ns() - t;
		munmap(p, each * PAGE);
	}
	go = 0;
	for (i = 1; i < THREADS; i++)
		pthread_join(threads[i - 1], NULL);
	return t * n / (each * THREADS);
}

/* ---- a page narrowed while another CPU uses the address space ---- */

static atomic_int stop;
static char *shot;
static pthread_t spinner;

static void *spin(void *arg)
{
	pin(1);
	ready = 1;
	while (!stop) {
		touch(shot + PAGE);
		relax();
	}
	return NULL;
}

void setup_shootdown(void)
{
	shot = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (shot == MAP_FAILED)
		die("mmap");
	ready = 0;
	stop = 0;
	touch(shot);
	touch(shot + PAGE);
	pin(0);
	spinner = start(spin, NULL);
	while (!ready)
		relax();
}

uint64_t run_shootdown(unsigned long n)
{
	uint64_t t = now_ns();

	while (n--) {
		if (mprotect(shot, PAGE, PROT_READ) || mprotect(shot, PAGE, PROT_READ | PROT_WRITE))
			die("mprotect");
		touch(shot);
	}
	return now_ns() - t;
}

void cleanup_shootdown(void)
{
	stop = 1;
	pthread_join(spinner, NULL);
	munmap(shot, 2 * PAGE);
}

/* ---- a futex between two threads ---- */

static atomic_int turn;
static unsigned long rounds;

static void pass_on(int mine)
{
	while (turn != mine)
		syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, !mine, NULL, NULL, 0);
	turn = !mine;
	syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *futex_thread(void *arg)
{
	unsigned long n = rounds;

	pin(1);
	while (n--)
		pass_on(1);
	return NULL;
}

uint64_t run_futex(unsigned long n)
{
	pthread_t other;
	uint64_t t;

	pin(0);
	turn = 0;
	rounds = n;
	other = start(futex_thread, NULL);
	t = now_ns();
	while (n--)
		pass_on(0);
	pthread_join(other, NULL);
	return now_ns() - t;
}

/* ---- a pipe between processes on two CPUs ---- */

static void transfer(int from, int to, unsigned long n)
{
	char c;

	while (n--)
		if (read(from, &c, 1) != 1 || write(to, "x", 1) != 1)
			die("pipe");
}

uint64_t run_cross_pipe(unsigned long n)
{
	int there[2], back[2];
	uint64_t t;
	pid_t pid;

	if (pipe(there) || pipe(back))
		die("pipe");
	pin(0);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		pin(1);
		transfer(there[0], back[1], n + 1);
		_exit(0);
	}
	/* once, for it to be there */
	if (write(there[1], "x", 1) != 1)
		die("pipe");
	t = now_ns();
	transfer(back[0], there[1], n);
	t = now_ns() - t;
	waitpid(pid, NULL, 0);
	close(there[0]);
	close(there[1]);
	close(back[0]);
	close(back[1]);
	return t;
}

/* ---- many who talk to many ---- */

#define GROUPS	2
#define MEMBERS	4	/* senders and receivers of a group */
#define MESSAGE	100

static void receiver(int fd, unsigned long n)
{
	char buf[MESSAGE];
	unsigned long got = 0;

	while (got < n * MESSAGE) {
		ssize_t len = read(fd, buf, sizeof(buf));

		if (len <= 0)
			die("read");
		got += len;
	}
	_exit(0);
}

static void sender(const int *fds, unsigned long n)
{
	char buf[MESSAGE] = { 0 };

	while (n--)
		for (int i = 0; i < MEMBERS; i++)
			if (write(fds[i], buf, sizeof(buf)) != sizeof(buf))
				die("write");
	_exit(0);
}

/* @n messages in all; the processes are made beforehand and wait for a byte */
uint64_t run_hackbench(unsigned long n)
{
	unsigned long turns = n / (GROUPS * MEMBERS * MEMBERS);
	int gate[2], fds[MEMBERS], far[MEMBERS], i, g;
	pid_t pid;
	uint64_t t;
	char c;

	turns += !turns;
	if (pipe(gate))
		die("pipe");
	pin_nowhere();
	for (g = 0; g < GROUPS; g++) {
		for (i = 0; i < MEMBERS; i++) {
			int pair[2];

			if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
				die("socketpair");
			fds[i] = pair[0];
			far[i] = pair[1];
		}
		for (i = 0; i < 2 * MEMBERS; i++) {
			pid = fork();
			if (pid < 0)
				die("fork");
			if (pid)
				continue;
			if (read(gate[0], &c, 1) != 1)
				_exit(1);
			if (i < MEMBERS)
				receiver(far[i], turns * MEMBERS);
			sender(fds, turns);
		}
		for (i = 0; i < MEMBERS; i++) {
			close(fds[i]);
			close(far[i]);
		}
	}
	t = now_ns();
	for (i = 0; i < GROUPS * 2 * MEMBERS; i++)
		if (write(gate[1], "x", 1) != 1)
			die("gate");
	while (wait(NULL) > 0)
		;
	t = now_ns() - t;
	close(gate[0]);
	close(gate[1]);
	return t * n / (turns * GROUPS * MEMBERS * MEMBERS);
}
