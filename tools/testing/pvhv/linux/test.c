// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define DEFAULT_SECONDS	120

enum { PASS, FAIL, SKIP };

/* Shared by a test and its children: the first one to say why is heard. */
static struct verdict {
	int outcome;
	char why[240];
} *verdict;

const char *self;
static const char *program;

static void __attribute__((noreturn)) conclude(int outcome, const char *fmt, va_list ap)
{
	int pass = PASS;

	if (__atomic_compare_exchange_n(&verdict->outcome, &pass, outcome, false,
					__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		vsnprintf(verdict->why, sizeof(verdict->why), fmt, ap);
	_exit(outcome);
}

void fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conclude(FAIL, fmt, ap);
}

void skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conclude(SKIP, fmt, ap);
}

void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("# %s: ", program);
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
}

long must(long ret, const char *what)
{
	if (ret == -1)
		fail("%s: %s", what, strerror(errno));
	return ret;
}

void *must_map(void *p, const char *what)
{
	if (p == MAP_FAILED)
		fail("%s: %s", what, strerror(errno));
	return p;
}

u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

static u32 rnd_state = 2463534242;

void rnd_seed(u32 seed)
{
	rnd_state = seed * 2654435761u | 1;
}

u32 rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 17;
	rnd_state ^= rnd_state << 5;
	return rnd_state;
}

void must_exit(pid_t pid, int wanted, const char *what)
{
	int status;

	must(pid, what);
	if (waitpid(pid, &status, 0) != pid)
		fail("%s: waitpid: %s", what, strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != wanted)
		fail("%s: the child's status is %#x", what, status);
}

/*
 * Faults
 */

static sigjmp_buf after_fault;
static struct fault caught;

static void on_fault(int sig, siginfo_t *si, void *context)
{
	const mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;

	caught.sig = sig;
	caught.code = si->si_code;
	caught.addr = (uintptr_t)si->si_addr;
#ifdef __x86_64__
	caught.ip = m->gregs[REG_RIP];
#else
	caught.ip = m->gregs[REG_EIP];
#endif
	caught.err = m->gregs[REG_ERR];
	caught.trapno = m->gregs[REG_TRAPNO];
	siglongjmp(after_fault, 1);
}

bool faults(void (*fn)(void *arg), void *arg, struct fault *f)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	static char stack[65536];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = {
		.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK,
	};
	struct sigaction old[ARRAY_SIZE(signals)];
	stack_t old_ss;
	size_t i;

	sigaltstack(&ss, &old_ss);
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &sa, &old[i]);
	memset(&caught, 0, sizeof(caught));
	if (!sigsetjmp(after_fault, 1))
		fn(arg);
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &old[i], NULL);
	sigaltstack(&old_ss, NULL);
	*f = caught;
	return caught.sig;
}

static void do_read(void *p)
{
	(void)*(volatile char *)p;
}

static void do_write(void *p)
{
	*(volatile char *)p = 0x5a;
}

static void do_exec(void *p)
{
	((void (*)(void))p)();
}

bool read_faults(const volatile void *p, struct fault *f)
{
	return faults(do_read, (void *)p, f);
}

bool write_faults(volatile void *p, struct fault *f)
{
	return faults(do_write, (void *)p, f);
}

bool exec_faults(const void *p, struct fault *f)
{
	return faults(do_exec, (void *)p, f);
}

/*
 * The runner
 */

/* @status: of the test's process; -1: it took too long */
static bool report(const struct test *t, int status)
{
	printf("%sok %s:%s", verdict->outcome == SKIP || (verdict->outcome == PASS && !status) ?
	       "" : "not ", program, t->name);
	if (verdict->outcome == SKIP)
		printf(" # SKIP %s", verdict->why);
	else if (verdict->outcome == FAIL)
		printf(" - %s", verdict->why);
	else if (status == -1)
		printf(" - timeout");
	else if (WIFSIGNALED(status))
		printf(" - %s", strsignal(WTERMSIG(status)));
	else if (status)
		printf(" - status %#x", status);
	printf("\n");
	return verdict->outcome == SKIP || (verdict->outcome == PASS && !status);
}

static bool run(const struct test *t)
{
	unsigned int seconds = t->seconds ?: DEFAULT_SECONDS;
	struct timespec limit = { .tv_sec = seconds };
	sigset_t chld;
	int status;
	pid_t pid;

	memset(verdict, 0, sizeof(*verdict));
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		exit(2);
	}
	if (pid == 0) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigprocmask(SIG_UNBLOCK, &chld, NULL);
		t->run();
		fflush(stdout);
		_exit(0);
	}
	setpgid(pid, pid);
	if (sigtimedwait(&chld, NULL, &limit) < 0) {
		kill(-pid, SIGKILL);
		waitpid(pid, &status, 0);
		return report(t, -1);
	}
	waitpid(pid, &status, 0);
	kill(-pid, SIGKILL);	/* children that it left */
	return report(t, status);
}

int __attribute__((weak)) hook(int argc __attribute__((unused)),
			       char **argv __attribute__((unused)))
{
	return -1;
}

int main(int argc, char **argv)
{
	const struct test *t;
	bool good = true;
	int i, status;

	setlinebuf(stdout);
	self = argv[0];
	program = strrchr(self, '/') ? strrchr(self, '/') + 1 : self;
	verdict = must_map(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				-1, 0), "mmap");
	if (argc > 1) {
		status = hook(argc, argv);
		if (status >= 0)
			return status;
	}
	for (t = tests; t->name; t++) {
		for (i = 1; i < argc && strcmp(argv[i], t->name); i++)
			;
		if (argc == 1 || i < argc)
			good &= run(t);
	}
	return !good;
}
