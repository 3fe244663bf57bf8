// SPDX-License-Identifier: GPL-2.0
/*
 * threads: futexes, thread-local storage, restartable sequences, barriers.
 */
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

static void start(pthread_t *t, void *(*fn)(void *arg), void *arg)
{
	int error = pthread_create(t, NULL, fn, arg);

	check(!error, "pthread_create: %s", strerror(error));
}

static u32 ball;

static long futex(u32 *addr, int op, u32 value)
{
	return syscall(SYS_futex, addr, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

#define ROUNDS	5000

static void *player(void *arg)
{
	u32 mine = (uintptr_t)arg;

	for (u32 i = 0; i < ROUNDS; i++) {
		u32 want = 2 * i + mine;
		u32 now;

		while ((now = __atomic_load_n(&ball, __ATOMIC_SEQ_CST)) != want)
			futex(&ball, FUTEX_WAIT, now);
		__atomic_store_n(&ball, want + 1, __ATOMIC_SEQ_CST);
		futex(&ball, FUTEX_WAKE, 1);
	}
	return NULL;
}

static void ping_pong(void)
{
	pthread_t a, b;

	start(&a, player, (void *)0);
	start(&b, player, (void *)1);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	check(ball == 2 * ROUNDS, "%u", ball);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static long counter;
static __thread uintptr_t mine[100];

static void *count(void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(mine); i++)
		mine[i] = (uintptr_t)arg + i;
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
		if (i % 100 == 0)
			sched_yield();
		check(mine[i % ARRAY_SIZE(mine)] == (uintptr_t)arg + i % ARRAY_SIZE(mine),
		      "thread-local storage of thread %zu", (size_t)arg);
	}
	pthread_mutex_lock(&mutex);
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&mutex);
	return arg;
}

static void many(void)
{
	pthread_t t[32];
	void *ret;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		start(&t[i], count, (void *)(i * 1000));
	pthread_mutex_lock(&mutex);
	while (counter < 2000L * (long)ARRAY_SIZE(t))
		pthread_cond_wait(&cond, &mutex);
	pthread_mutex_unlock(&mutex);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		pthread_join(t[i], &ret);
		check((size_t)ret == i * 1000, "thread %zu returned %zu", i, (size_t)ret);
	}
	check(counter == 2000L * (long)ARRAY_SIZE(t), "counted %ld", counter);
}

static void *touch(void *arg)
{
	volatile char stack[3 * PAGE];

	for (size_t i = 0; i < sizeof(stack); i += 64)
		stack[i] = i;
	free(malloc(100000));
	return arg;
}

static void storm(void)
{
	pthread_t t[16];
	void *ret;

	for (int round = 0; round < 100; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(t); i++)
			start(&t[i], touch, (void *)i);
		for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
			pthread_join(t[i], &ret);
			check((size_t)ret == i, "thread %zu", i);
		}
	}
}

/* glibc registers each thread's area. */
static void rseq(void)
{
#ifdef __x86_64__
	struct rseq *rs;
	unsigned int cpu, node;

	if (!__rseq_size)
		skip("glibc without restartable sequences");
	rs = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
	for (int i = 0; i < 1000; i++) {
		cpu = __atomic_load_n(&rs->cpu_id, __ATOMIC_RELAXED);
		check(cpu < 64, "cpu_id %u", cpu);
		if (i % 50 == 0)
			sched_yield();
		must(syscall(SYS_getcpu, &cpu, &node, NULL), "getcpu");
	}
	/* a critical section that lasts longer than the task may run alone */
	{
		static struct rseq_cs cs __attribute__((aligned(32)));
		unsigned long aborts = 0, i;
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(0, &set);
		must(sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
		if (!must(fork(), "fork"))
			for (;;)
				;

		for (i = 0; i < 50 && aborts < 3; i++) {
			unsigned long aborted = 0;

			asm volatile("leaq 1f(%%rip), %%rax; movq %%rax, 8(%2)\n"
				     "movq $2f - 1f, 16(%2)\n"
				     "leaq 3f(%%rip), %%rax; movq %%rax, 24(%2)\n"
				     "movl $100000000, %%ecx\n"
				     "movq %2, 8(%1)\n"
				     "1: decl %%ecx; jnz 1b\n"
				     "2: jmp 4f\n"
				     ".long %c3\n"
				     "3: movl $1, %k0\n"
				     "4: movq $0, 8(%1)"
				     : "+r"(aborted) : "r"(rs), "r"(&cs), "i"(0x53053053)
				     : "rax", "rcx", "memory", "cc");
			aborts += aborted;
		}
		check(aborts, "none of %lu critical sections was aborted", i);
	}
#else
	skip("64-bit only");
#endif
}

static void membarrier(void)
{
	static const int commands[] = {
		MEMBARRIER_CMD_GLOBAL, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
		MEMBARRIER_CMD_PRIVATE_EXPEDITED,
		MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
		MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE,
	};
	long mask = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (mask < 0)
		skip("no membarrier");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (mask & commands[i])
			must(syscall(SYS_membarrier, commands[i], 0, 0), "membarrier");
}

static void where(void)
{
	unsigned int cpu, node, cpu2;
	cpu_set_t set;
	int n;

	must(syscall(SYS_getcpu, &cpu, &node, NULL), "getcpu");
	must(sched_getaffinity(0, sizeof(set), &set), "sched_getaffinity");
	check(CPU_ISSET(cpu, &set) && node == 0, "CPU %u of node %u", cpu, node);
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	must(sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
	for (n = 0; n < 1000; n++) {
		cpu2 = sched_getcpu();
		check(cpu2 == 0, "CPU %u, bound to 0", cpu2);
	}
}

static void *spin(void *arg)
{
	volatile u64 *n = arg;

	while (!__atomic_load_n(&ball, __ATOMIC_RELAXED))
		(*n)++;
	return NULL;
}

/* Threads that never wait share the processor. */
static void preemption(void)
{
	static u64 n[4 * 16];
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		start(&t[i], spin, &n[i * 16]);
	sleep(2);
	ball = 1;
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		check(n[i * 16], "thread %d did not run", i);
	}
}

const struct test tests[] = {
	{ "ping-pong", ping_pong },
	{ "many", many },
	{ "storm", storm },
	{ "rseq", rseq },
	{ "membarrier", membarrier },
	{ "cpu-number", where },
	{ "preemption", preemption },
	{ NULL }
};
