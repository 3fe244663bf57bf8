// SPDX-License-Identifier: GPL-2.0
/*
 * What programs expect of a kernel, one function each, run inside a Linux
 * guest. Built as 64-bit and 32-bit, static and dynamic program; prints
 * "ok NAME" or "not ok NAME - why" lines.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

/* Faults are on purpose here, and longjmp() leaves only through them. */
#pragma GCC diagnostic ignored "-Wclobbered"
#pragma GCC diagnostic ignored "-Warray-bounds"

#define PAGE	4096
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static char why[256];
static char *self;

/* In a test function: state what must be true, or return with the reason. */
#define MUST(cond, fmt, ...) do {					\
	if (!(cond)) {							\
		snprintf(why, sizeof(why), fmt, ##__VA_ARGS__);		\
		return -1;						\
	}								\
} while (0)

static long long now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* Runs @fn in a child; its exit status, or -signal. */
static int in_child(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		fn();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 999;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* ------------------------------------------------------------------ time */

static int test_clocks(void)
{
	long long last = now_ns(CLOCK_MONOTONIC);

	for (int i = 0; i < 100000; i++) {
		long long now = now_ns(CLOCK_MONOTONIC);

		MUST(now >= last, "time goes back by %lld ns", last - now);
		last = now;
	}
	MUST(now_ns(CLOCK_REALTIME) > 1600000000LL * 1000000000, "year of %ld",
	     (long)time(NULL));
	return 0;
}

/* Dies if reading the clock is a system call. */
static void read_clock_without_syscall(void)
{
#ifndef SYS_clock_gettime64
#define SYS_clock_gettime64 SYS_clock_gettime
#endif
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime64, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(2);
	for (int i = 0; i < 1000; i++)
		now_ns(CLOCK_MONOTONIC);
}

static int test_vdso(void)
{
	int status;

	MUST(getauxval(AT_SYSINFO_EHDR), "no vdso");
#ifdef STATIC32
	return 0;	/* static 32-bit glibc does not use the vdso */
#endif
	status = in_child(read_clock_without_syscall);
	MUST(status == 0, "clock_gettime is a system call (%d)", status);
	return 0;
}

static int test_sleep(void)
{
	struct timespec ts = { .tv_nsec = 50 * 1000000 };
	long long start = now_ns(CLOCK_MONOTONIC), took;

	nanosleep(&ts, NULL);
	took = now_ns(CLOCK_MONOTONIC) - start;
	MUST(took >= 50 * 1000000 && took < 3000000000LL,
	     "sleep of 50 ms takes %lld us", took / 1000);
	return 0;
}

/* --------------------------------------------------------------- threads */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;
static __thread int of_thread;
static long counter;

static void *count(void *arg)
{
	of_thread = (int)(uintptr_t)arg;
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 5000; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
		if (i % 500 == 0)
			sched_yield();
	}
	return (void *)(uintptr_t)of_thread;
}

static int test_threads(void)
{
	pthread_t t[8];
	void *ret;

	counter = 0;
	pthread_barrier_init(&barrier, NULL, ARRAY_SIZE(t));
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		MUST(!pthread_create(&t[i], NULL, count, (void *)(i + 1)),
		     "pthread_create %zu", i);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		pthread_join(t[i], &ret);
		MUST((size_t)ret == i + 1, "thread %zu has the TLS of %zu",
		     i + 1, (size_t)ret);
	}
	MUST(counter == 5000 * (long)ARRAY_SIZE(t), "counted %ld", counter);
	return 0;
}

/* --------------------------------------------------------------- signals */

static sigjmp_buf jump;
static volatile sig_atomic_t caught, caught_code;
static void *volatile caught_addr;

static void on_fault(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	caught = sig;
	caught_code = si->si_code;
	caught_addr = si->si_addr;
	siglongjmp(jump, 1);
}

static void catch(int sig, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction sa = {
		.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigaction(sig, &sa, NULL);
}

/* Is @code ended by signal @sig? */
#define FAULTS(sig, code) ({						\
	catch(sig, on_fault);						\
	caught = 0;							\
	if (!sigsetjmp(jump, 1)) {					\
		code;							\
	}								\
	signal(sig, SIG_DFL);						\
	caught == (sig);						\
})

static int test_faults(void)
{
	char *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int zero = 0;

	MUST(FAULTS(SIGSEGV, *(volatile char *)(p + 5) = 1), "write to r/o");
	MUST(caught_addr == p + 5 && caught_code == SEGV_ACCERR,
	     "write to r/o at %p: address %p code %d", p + 5, caught_addr,
	     (int)caught_code);
	munmap(p, PAGE);
	MUST(FAULTS(SIGSEGV, (void)*(volatile char *)p), "read of a hole");
	MUST(caught_addr == p && caught_code == SEGV_MAPERR, "read of a hole");
	MUST(FAULTS(SIGSEGV, (void)*(volatile char *)8), "null pointer");
	MUST(FAULTS(SIGFPE, asm volatile("divl %1" : : "a" (1), "r" (zero), "d" (0))),
	     "division by zero");
	MUST(FAULTS(SIGILL, asm volatile("ud2")), "ud2");
	MUST(FAULTS(SIGTRAP, asm volatile("int3")), "int3");
	MUST(FAULTS(SIGSEGV, asm volatile("hlt")), "hlt");
	MUST(FAULTS(SIGSEGV, asm volatile("cli")), "cli");
#ifdef __x86_64__
	MUST(FAULTS(SIGSEGV, *(volatile char *)(1UL << 63) = 1), "kernel half");
	MUST(FAULTS(SIGSEGV, (void)*(volatile char *)0xffffffff81000000),
	     "read of the kernel");
#endif
	return 0;
}

static volatile int ticks;

static void on_tick(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	(void)uc;
	ticks++;
}

static int test_timer_signals(void)
{
	struct itimerval on = { { 0, 2000 }, { 0, 2000 } }, off = {};
	long long end = now_ns(CLOCK_MONOTONIC) + 10000000000LL;
	unsigned int a = 1, b = 2;

	catch(SIGALRM, on_tick);
	ticks = 0;
	setitimer(ITIMER_REAL, &on, NULL);
	/* the registers must survive each of them */
	while (ticks < 50 && now_ns(CLOCK_MONOTONIC) < end) {
		for (int i = 0; i < 1000; i++) {
			a += 3;
			b += 3;
			MUST(b == a + 1, "registers after %d signals", ticks);
		}
	}
	setitimer(ITIMER_REAL, &off, NULL);
	MUST(ticks >= 50, "%d signals in 10 s", ticks);
	return 0;
}

static char alt_stack[65536];

static void overflow(volatile char *above)
{
	volatile char block[1000];

	block[0] = *above;
	if (block[0] == 0)	/* always */
		overflow(block);
	block[1] = 0;		/* no tail call */
}

static int test_stack_overflow(void)
{
	stack_t ss = { .ss_sp = alt_stack, .ss_size = sizeof(alt_stack) }, no = {
		.ss_flags = SS_DISABLE };
	struct sigaction sa = {
		.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK,
	};
	volatile char c = 0;

	sigaltstack(&ss, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	caught = 0;
	if (!sigsetjmp(jump, 1))
		overflow(&c);
	signal(SIGSEGV, SIG_DFL);
	sigaltstack(&no, NULL);
	MUST(caught == SIGSEGV, "no SIGSEGV");
	return 0;
}

static void on_ill_skip(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)si;
#ifdef __x86_64__
	uc->uc_mcontext.gregs[REG_RIP] += 2;
	uc->uc_mcontext.gregs[REG_RAX] = 77;
#else
	uc->uc_mcontext.gregs[REG_EIP] += 2;
	uc->uc_mcontext.gregs[REG_EAX] = 77;
#endif
}

static int test_sigreturn(void)
{
	int eax;

	catch(SIGILL, on_ill_skip);
	asm volatile("ud2" : "=a" (eax) : "0" (1));
	signal(SIGILL, SIG_DFL);
	MUST(eax == 77, "eax is %d, not what the handler put there", eax);
	return 0;
}

/* ---------------------------------------------------------------- memory */

static int test_fork_cow(void)
{
	const size_t size = 4 << 20;
	unsigned char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(p != MAP_FAILED, "mmap");
	for (size_t i = 0; i < size; i += PAGE)
		p[i] = i / PAGE;
	for (int round = 0; round < 20; round++) {
		int status;
		pid_t pid = fork();

		MUST(pid >= 0, "fork");
		if (!pid) {
			for (size_t i = 0; i < size; i += PAGE) {
				if (p[i] != (unsigned char)(i / PAGE))
					_exit(1);
				p[i] = 0xee;
			}
			_exit(0);
		}
		/* what the parent writes meanwhile is its own, too */
		for (size_t i = 1; i < size; i += 7 * PAGE)
			p[i] = round;
		waitpid(pid, &status, 0);
		MUST(status == 0, "the child's copy differs in round %d", round);
		for (size_t i = 0; i < size; i += PAGE)
			MUST(p[i] == (unsigned char)(i / PAGE),
			     "the child wrote the parent's page %zu", i / PAGE);
	}
	munmap(p, size);
	return 0;
}

static int test_mprotect(void)
{
	char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 1, 16 * PAGE);
	for (int i = 0; i < 200; i++) {
		char *q = p + i % 16 * PAGE;

		mprotect(q, PAGE, PROT_READ);
		MUST(FAULTS(SIGSEGV, *(volatile char *)q = 2), "r/o page, round %d", i);
		mprotect(q, PAGE, PROT_READ | PROT_WRITE);
		*(volatile char *)q = 2;
		mprotect(q, PAGE, PROT_NONE);
		MUST(FAULTS(SIGSEGV, (void)*(volatile char *)q), "PROT_NONE, round %d", i);
		mprotect(q, PAGE, PROT_READ | PROT_WRITE);
		MUST(*(volatile char *)q == 2, "contents, round %d", i);
	}
	/* no-execute */
	p[0] = (char)0xc3;
	MUST(FAULTS(SIGSEGV, ((void (*)(void))p)()), "code in data");
	mprotect(p, PAGE, PROT_READ | PROT_EXEC);
	((void (*)(void))p)();
	munmap(p, 16 * PAGE);
	return 0;
}

static int test_mremap_and_holes(void)
{
	char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;

	for (int i = 0; i < 64; i++)
		p[i * PAGE] = i;
	q = mremap(p, 64 * PAGE, 4096 * PAGE, MREMAP_MAYMOVE);
	MUST(q != MAP_FAILED, "mremap");
	for (int i = 0; i < 64; i++)
		MUST(q[i * PAGE] == i, "page %d after mremap", i);
	if (q != p)
		MUST(FAULTS(SIGSEGV, (void)*(volatile char *)p), "old place");
	madvise(q, 32 * PAGE, MADV_DONTNEED);
	for (int i = 0; i < 64; i++)
		MUST(q[i * PAGE] == (i < 32 ? 0 : i), "page %d after MADV_DONTNEED", i);
	munmap(q + 40 * PAGE, PAGE);
	MUST(FAULTS(SIGSEGV, (void)*(volatile char *)(q + 40 * PAGE)), "hole");
	munmap(q, 4096 * PAGE);
	return 0;
}

static int test_shared_memory(void)
{
	int *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid = fork();

	if (!pid) {
		p[0] = 42;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	MUST(p[0] == 42, "the child's write is not seen");
	return 0;
}

/* ------------------------------------------------------------- processes */

static int test_fork_exec_storm(void)
{
	for (int i = 0; i < 100; i++) {
		int status;
		pid_t pid = i % 2 ? vfork() : fork();

		MUST(pid >= 0, "fork %d", i);
		if (!pid) {
			execl(self, self, "exit", NULL);
			_exit(99);
		}
		waitpid(pid, &status, 0);
		MUST(WIFEXITED(status) && WEXITSTATUS(status) == 7,
		     "exec %d: status %#x", i, status);
	}
	return 0;
}

static int test_pipes(void)
{
	int a[2], b[2], status, n = 0;
	pid_t pid;

	MUST(!pipe(a) && !pipe(b), "pipe");
	pid = fork();
	if (!pid) {
		close(a[1]);
		while (read(a[0], &n, 4) == 4) {
			n++;
			if (write(b[1], &n, 4) != 4)
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < 2000; i++)
		MUST(write(a[1], &n, 4) == 4 && read(b[0], &n, 4) == 4, "round %d", i);
	close(a[1]);
	waitpid(pid, &status, 0);
	MUST(n == 2000 && status == 0, "%d rounds, status %#x", n, status);
	return 0;
}

static int test_ptrace_steps(void)
{
	struct user_regs_struct regs;
	int status, steps = 0;
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		/* system calls and a loop under the single step */
		for (volatile int i = 0; i < 20; i++)
			syscall(SYS_getppid);
		_exit(5);
	}
	waitpid(pid, &status, 0);
	MUST(WIFSTOPPED(status), "not stopped: %#x", status);
	while (steps < 100000) {
		MUST(!ptrace(PTRACE_SINGLESTEP, pid, 0, 0), "step %d", steps);
		waitpid(pid, &status, 0);
		if (!WIFSTOPPED(status))
			break;
		MUST(WSTOPSIG(status) == SIGTRAP, "signal %d at step %d",
		     WSTOPSIG(status), steps);
		MUST(!ptrace(PTRACE_GETREGS, pid, 0, &regs), "registers");
		steps++;
	}
	MUST(WIFEXITED(status) && WEXITSTATUS(status) == 5, "status %#x", status);
	MUST(steps > 200, "only %d steps", steps);
	return 0;
}

static volatile int watched;

static int test_ptrace_watchpoint(void)
{
	int status;
	long dr6;
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		watched = 1;
		_exit(6);
	}
	waitpid(pid, &status, 0);
	MUST(!ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[0]),
		     &watched), "DR0: %s", strerror(errno));
	/* L0, write, 4 bytes */
	MUST(!ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]),
		     (void *)0xd0001), "DR7: %s", strerror(errno));
	ptrace(PTRACE_CONT, pid, 0, 0);
	waitpid(pid, &status, 0);
	MUST(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP,
	     "no trap: status %#x", status);
	dr6 = ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg[6]), 0);
	MUST(dr6 & 1, "DR6 is %#lx", dr6);
	ptrace(PTRACE_CONT, pid, 0, 0);
	waitpid(pid, &status, 0);
	MUST(WIFEXITED(status) && WEXITSTATUS(status) == 6, "status %#x", status);
	return 0;
}

/* -------------------------------------------------------------- old ways */

static int test_int80(void)
{
	int pid;

	/* getpid of the 32-bit table, from 64-bit programs, too */
	asm volatile("int $0x80" : "=a" (pid) : "0" (20) :
#ifdef __x86_64__
		     "r8", "r9", "r10", "r11",
#endif
		     "memory");
	MUST(pid == getpid(), "getpid() is %d, int 0x80 says %d", getpid(), pid);
	return 0;
}

#ifdef __x86_64__
static int test_vsyscall(void)
{
	time_t (*vtime)(time_t *) = (void *)0xffffffffff600400;
	time_t t = vtime(NULL);

	MUST(llabs((long long)t - time(NULL)) <= 1, "time is %ld", (long)t);
	return 0;
}
#else
static int test_kernel_vsyscall(void)
{
	int pid;

	/* SYSENTER, SYSCALL or int 0x80, whatever the vdso picked */
	asm volatile("call *%%gs:0x10" : "=a" (pid) : "0" (20) : "memory");
	MUST(pid == getpid(), "getpid() is %d, not %d", pid, getpid());
	return 0;
}

static int test_ldt(void)
{
	/* entry 0: base @value, 4 GiB, 32-bit data */
	static int value = 4711;
	struct { unsigned int entry; unsigned long base; unsigned int limit, flags; } d = {
		.base = (unsigned long)&value, .limit = 0xfffff, .flags = 0x51,
	};
	int got;

	MUST(!syscall(SYS_modify_ldt, 1, &d, sizeof(d)), "modify_ldt: %s",
	     strerror(errno));
	asm volatile("push %%fs; mov %1, %%fs; mov %%fs:0, %0; pop %%fs" :
		     "=r" (got) : "r" (7));
	MUST(got == value, "read %d through the LDT", got);
	return 0;
}
#endif

/* ------------------------------------------------------------------- FPU */

static int test_avx(void)
{
	int status, bad = 0;
	pid_t pid;

	if (!__builtin_cpu_supports("avx"))
		return 1;
	pid = fork();
	/* two processes, each with a pattern of its own in a vector register */
	for (int round = 0; round < 200 && !bad; round++) {
		uint32_t in[8], out[8];

		for (int i = 0; i < 8; i++)
			in[i] = (pid ? 0x1000 : 0x2000) + round * 8 + i;
		asm volatile("vmovups (%0), %%ymm5" : : "r" (in) : "memory");
		sched_yield();
		for (volatile int spin = 0; spin < 2000; spin++)
			;
		asm volatile("vmovups %%ymm5, (%0); vzeroupper" : : "r" (out) : "memory");
		bad = memcmp(in, out, sizeof(in));
	}
	if (!pid)
		_exit(bad != 0);
	waitpid(pid, &status, 0);
	MUST(!bad && !status, "YMM5 changed");
	return 0;
}

static int test_sse(void)
{
	double x = 0;

	for (int i = 1; i < 100000; i++)
		x += 1.0 / i / i;
	MUST(x > 1.6449 && x < 1.64494, "pi^2/6 is %f", x);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);	/* 0, -1 with why set, 1: cannot be tested */
} tests[] = {
	{ "clocks", test_clocks },
	{ "vdso", test_vdso },
	{ "sleep", test_sleep },
	{ "threads", test_threads },
	{ "faults", test_faults },
	{ "timer_signals", test_timer_signals },
	{ "stack_overflow", test_stack_overflow },
	{ "sigreturn", test_sigreturn },
	{ "fork_cow", test_fork_cow },
	{ "mprotect", test_mprotect },
	{ "mremap_and_holes", test_mremap_and_holes },
	{ "shared_memory", test_shared_memory },
	{ "fork_exec_storm", test_fork_exec_storm },
	{ "pipes", test_pipes },
	{ "ptrace_steps", test_ptrace_steps },
	{ "ptrace_watchpoint", test_ptrace_watchpoint },
	{ "int80", test_int80 },
#ifdef __x86_64__
	{ "vsyscall", test_vsyscall },
#else
	{ "kernel_vsyscall", test_kernel_vsyscall },
	{ "ldt", test_ldt },
#endif
	{ "avx", test_avx },
	{ "sse", test_sse },
};

int main(int argc, char **argv)
{
	int failed = 0;
	char *kind = strrchr(argv[0], '/');

	self = argv[0];
	kind = kind ? kind + 1 : argv[0];
	if (argc > 1 && !strcmp(argv[1], "exit"))
		return 7;
	setlinebuf(stdout);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		int rc = argc > 1 && strcmp(argv[1], tests[i].name) ? 2 : tests[i].run();

		if (rc == 0)
			printf("ok %s-%s\n", kind, tests[i].name);
		else if (rc == 1)
			printf("ok %s-%s # SKIP not on this processor\n", kind, tests[i].name);
		else if (rc < 0)
			printf("not ok %s-%s - %s\n", kind, tests[i].name, why);
		failed |= rc < 0;
	}
	return failed;
}
