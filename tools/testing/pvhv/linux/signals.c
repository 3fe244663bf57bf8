// SPDX-License-Identifier: GPL-2.0
/*
 * signals: what each bad instruction becomes, nested handlers, alternate
 * stacks, and a context that a handler changed.
 */
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef __x86_64__
#define REG_IP	REG_RIP
#define REG_A	REG_RAX
#define REG_S	REG_RSP
#else
#define REG_IP	REG_EIP
#define REG_A	REG_EAX
#define REG_S	REG_ESP
#endif

/*
 * Instructions
 */

#define INSN(name, text)						\
	static void insn_##name(void *arg)				\
	{								\
		(void)arg;						\
		asm volatile(text : : : "memory", "cc");		\
	}

INSN(ud2, "ud2")
INSN(int3, "int3")
INSN(hlt, "hlt")
INSN(cli, "cli")
INSN(sti, "sti")
INSN(in, "xorl %%edx, %%edx; movb $0x80, %%dl; inb %%dx, %%al")
INSN(out, "outb %%al, $0x80")
INSN(int_d, "int $0x0d")
INSN(int_20, "int $0x20")
INSN(int_ec, "int $0xec")
INSN(int_ff, "int $0xff")
INSN(lgdt, "lgdt (%%esp)")
INSN(lidt, "lidt (%%esp)")
INSN(ltr, "xorl %%eax, %%eax; ltr %%ax")
INSN(lldt, "xorl %%eax, %%eax; lldt %%ax")
INSN(rdmsr, "movl $0xc0000080, %%ecx; rdmsr")
INSN(wrmsr, "movl $0xc0000080, %%ecx; xorl %%eax, %%eax; xorl %%edx, %%edx; wrmsr")
INSN(clts, "clts")
INSN(invd, "invd")
INSN(wbinvd, "wbinvd")
INSN(lmsw, "xorl %%eax, %%eax; lmsw %%ax")
#ifdef __x86_64__
INSN(mov_cr0, "movq %%cr0, %%rax")
INSN(mov_cr3, "movq %%cr3, %%rax")
INSN(to_cr3, "movq %%rax, %%cr3")
INSN(to_cr4, "movq %%rax, %%cr4")
INSN(mov_dr0, "movq %%dr0, %%rax")
INSN(mov_dr7, "movq %%dr7, %%rax")
INSN(swapgs, "swapgs")
INSN(sysret, "sysretl")
INSN(invlpg, "invlpg (%%rsp)")
INSN(noncanonical, "movq $1, %%rax; shlq $60, %%rax; movq (%%rax), %%rax")
INSN(noncanonical_stack, "movq %%rsp, %%rbx; movq $1, %%rsp; shlq $60, %%rsp; pushq %%rax")
INSN(null_ss, "xorl %%eax, %%eax; pushq %%rax; pushq %%rax; pushq %%rax; pushq %%rax; "
     "pushq %%rax; iretq")
INSN(into, ".byte 0xce")
#else
INSN(mov_cr0, "movl %%cr0, %%eax")
INSN(mov_cr3, "movl %%cr3, %%eax")
INSN(mov_dr7, "movl %%dr7, %%eax")
INSN(invlpg, "invlpg (%%esp)")
INSN(into, "movb $0x7f, %%al; addb $1, %%al; into")
INSN(bound, "pushl $0; pushl $0; movl $5, %%eax; boundl %%eax, (%%esp)")
#endif
INSN(bad_ds, "movl $0xfff8, %%eax; movl %%eax, %%ds")
INSN(kernel_ss, "movl $0x18, %%eax; movl %%eax, %%ss")

static void insn_div(void *arg)
{
	unsigned int zero = 0, a = 1, d = 0;

	(void)arg;
	asm volatile("divl %2" : "+a"(a), "+d"(d) : "r"(zero) : "cc");
}

static void insn_div_overflow(void *arg)
{
	unsigned int one = 1, a = 1, d = 5;

	(void)arg;
	asm volatile("divl %2" : "+a"(a), "+d"(d) : "r"(one) : "cc");
}

static void insn_sse(void *arg)
{
	unsigned int mxcsr = 0x1d80;	/* division by zero is not masked */
	double one = 1, zero = 0;

	(void)arg;
	asm volatile("ldmxcsr %2; divsd %1, %0" : "+x"(one) : "x"(zero), "m"(mxcsr));
}

static void insn_x87(void *arg)
{
	unsigned short cw = 0x37b;

	(void)arg;
	asm volatile("fninit; fldcw %0; fldz; fld1; fdivp; fwait" : : "m"(cw));
}

static void insn_misaligned_sse(void *arg)
{
	static char space[64] __attribute__((aligned(16)));

	(void)arg;
	asm volatile("movaps (%0), %%xmm0" : : "r"(space + 1) : "xmm0");
}

struct bad {
	const char *name;
	void (*fn)(void *arg);
	int sig, code;		/* code 0: any */
	unsigned long trapno;
	bool maybe;		/* QEMU's TCG does not know this fault */
	bool or_gp;		/* QEMU's TCG takes it for a #GP */
};

#define BAD(name, sig, code, trap) { #name, insn_##name, sig, code, trap }

static const struct bad bad[] = {
	BAD(ud2, SIGILL, ILL_ILLOPN, 6),
	BAD(int3, SIGTRAP, SI_KERNEL, 3),
	BAD(div, SIGFPE, FPE_INTDIV, 0),
	BAD(div_overflow, SIGFPE, FPE_INTDIV, 0),
	{ "sse", insn_sse, SIGFPE, FPE_FLTDIV, 19, true },
	BAD(x87, SIGFPE, FPE_FLTDIV, 16),
	BAD(misaligned_sse, SIGSEGV, SI_KERNEL, 13),
	BAD(hlt, SIGSEGV, SI_KERNEL, 13),
	BAD(cli, SIGSEGV, SI_KERNEL, 13),
	BAD(sti, SIGSEGV, SI_KERNEL, 13),
	BAD(in, SIGSEGV, SI_KERNEL, 13),
	BAD(out, SIGSEGV, SI_KERNEL, 13),
	BAD(int_d, SIGSEGV, SI_KERNEL, 13),
	BAD(int_20, SIGSEGV, SI_KERNEL, 13),
	BAD(int_ec, SIGSEGV, SI_KERNEL, 13),
	BAD(int_ff, SIGSEGV, SI_KERNEL, 13),
	BAD(lgdt, SIGSEGV, SI_KERNEL, 13),
	BAD(lidt, SIGSEGV, SI_KERNEL, 13),
	BAD(ltr, SIGSEGV, SI_KERNEL, 13),
	BAD(lldt, SIGSEGV, SI_KERNEL, 13),
	BAD(rdmsr, SIGSEGV, SI_KERNEL, 13),
	BAD(wrmsr, SIGSEGV, SI_KERNEL, 13),
	BAD(clts, SIGSEGV, SI_KERNEL, 13),
	BAD(invd, SIGSEGV, SI_KERNEL, 13),
	BAD(wbinvd, SIGSEGV, SI_KERNEL, 13),
	BAD(lmsw, SIGSEGV, SI_KERNEL, 13),
	BAD(mov_cr0, SIGSEGV, SI_KERNEL, 13),
	BAD(mov_cr3, SIGSEGV, SI_KERNEL, 13),
	BAD(mov_dr7, SIGSEGV, SI_KERNEL, 13),
	BAD(invlpg, SIGSEGV, SI_KERNEL, 13),
	BAD(bad_ds, SIGSEGV, SI_KERNEL, 13),
	BAD(kernel_ss, SIGSEGV, SI_KERNEL, 13),
#ifdef __x86_64__
	BAD(to_cr3, SIGSEGV, SI_KERNEL, 13),
	BAD(to_cr4, SIGSEGV, SI_KERNEL, 13),
	BAD(mov_dr0, SIGSEGV, SI_KERNEL, 13),
	BAD(swapgs, SIGSEGV, SI_KERNEL, 13),
	BAD(sysret, SIGSEGV, SI_KERNEL, 13),
	BAD(noncanonical, SIGSEGV, SI_KERNEL, 13),
	{ "noncanonical_stack", insn_noncanonical_stack, SIGBUS, 0, 12, .or_gp = true },
	BAD(null_ss, SIGSEGV, SI_KERNEL, 13),
	BAD(into, SIGILL, ILL_ILLOPN, 6),
#else
	BAD(into, SIGSEGV, SI_KERNEL, 4),
	BAD(bound, SIGSEGV, SI_KERNEL, 5),
#endif
};

static void instructions(void)
{
	const struct bad *b;
	struct fault f;

	for (b = bad; b < bad + ARRAY_SIZE(bad); b++) {
		if (!faults(b->fn, NULL, &f)) {
			check(b->maybe, "%s does nothing", b->name);
			continue;
		}
		if (b->or_gp && f.trapno == 13 && f.sig == SIGSEGV)
			continue;
		check(f.sig == b->sig, "%s: signal %d, not %d (trap %lu, error code %#lx)", b->name,
		      f.sig, b->sig, f.trapno, f.err);
		check(f.trapno == b->trapno && (!b->code || f.code == b->code),
		      "%s: trap %lu code %d, not %lu and %d", b->name, f.trapno, f.code,
		      b->trapno, b->code);
	}
}

/* INT n to a vector that is not for programs tells which one it was. */
static void int_error_code(void)
{
	struct fault f;

	check(faults(insn_int_20, NULL, &f), "int $0x20 does nothing");
	/* QEMU's TCG counts an IDT entry as 16 */
	check(f.err == (0x20 << 3 | 2) || f.err == (0x20 << 4 | 2), "int $0x20: error code %#lx",
	      f.err);
}

/* Registers of the bad instruction's moment reach the handler, and back. */
static volatile unsigned long seen[3];

static void on_ill(int sig, siginfo_t *si, void *context)
{
	mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;

	(void)sig;
	(void)si;
	seen[0] = m->gregs[REG_A];
	seen[1] = m->gregs[REG_S];
	seen[2] = m->gregs[REG_EFL];
	m->gregs[REG_IP] += 2;
	m->gregs[REG_A] = 77;
	m->gregs[REG_EFL] ^= 1;		/* carry */
}

static void on_signal(int sig, void (*fn)(int sig, siginfo_t *si, void *context), int flags)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	must(sigaction(sig, &sa, NULL), "sigaction");
}

static void changed_context(void)
{
	unsigned long a, sp;
	unsigned char carry;

	on_signal(SIGILL, on_ill, 0);
	for (int i = 0; i < 200; i++) {
		a = 1000 + i;
		asm volatile("movl %%esp, %k1; clc; ud2; setc %2"
			     : "+a"(a), "=&r"(sp), "=&q"(carry) : : "cc", "memory");
		check(a == 77, "rax is %lu after the handler set it", a);
		check(carry, "the handler's flag is lost");
		check(seen[0] == 1000ul + i, "the handler sees rax %lu", seen[0]);
		check((u32)seen[1] == (u32)sp, "the handler sees rsp %#lx, not %#lx",
		      seen[1], sp);
		check(!(seen[2] & 1), "the handler sees flags %#lx", seen[2]);
	}
}

static volatile int depth, deepest;

static void nest(int sig, siginfo_t *si, void *context)
{
	int here = ++depth;

	(void)si;
	(void)context;
	if (here > deepest)
		deepest = here;
	if (here < 50)
		raise(here % 2 ? SIGUSR2 : SIGUSR1);
	check(depth == here, "depth %d, not %d", depth, here);
	depth--;
	(void)sig;
}

static void nested(void)
{
	on_signal(SIGUSR1, nest, SA_NODEFER);
	on_signal(SIGUSR2, nest, SA_NODEFER);
	raise(SIGUSR1);
	check(deepest == 50 && depth == 0, "depth %d at most, %d at the end", deepest, depth);
}

static char alt[65536];
static volatile uintptr_t handler_stack;

static void on_alt(int sig, siginfo_t *si, void *context)
{
	volatile char here;

	(void)sig;
	(void)si;
	(void)context;
	handler_stack = (uintptr_t)&here;
}

static void alternate_stack(void)
{
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) }, now;

	must(sigaltstack(&ss, NULL), "sigaltstack");
	on_signal(SIGUSR1, on_alt, SA_ONSTACK);
	for (int i = 0; i < 100; i++) {
		raise(SIGUSR1);
		check(handler_stack - (uintptr_t)alt < sizeof(alt), "handler on another stack");
		must(sigaltstack(NULL, &now), "sigaltstack");
		check(!(now.ss_flags & SS_ONSTACK), "still on the alternate stack");
	}
}

/* With a stack pointer that nothing can be pushed to, it must be the other one. */
static void bad_stack_pointer(void)
{
	pid_t pid = must(fork(), "fork");
	int status;

	if (!pid) {
		/* no alternate stack: the signal cannot be delivered */
		signal(SIGSEGV, SIG_DFL);
		asm volatile("xorl %%esp, %%esp; push $0" : : : "memory");
		_exit(0);
	}
	waitpid(pid, &status, 0);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %#x", status);
}

static volatile unsigned int alarms;

static void on_alarm(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)si;
	(void)context;
	alarms++;
	/* other values in vector registers, which must not stay */
	asm volatile("pcmpeqd %%xmm0, %%xmm0; pcmpeqd %%xmm7, %%xmm7; fldpi; fstp %%st(0)"
		     : : : "xmm0", "xmm7");
}

static void tick(unsigned int us)
{
	struct itimerval it = { { 0, us }, { 0, us } };

	must(setitimer(ITIMER_REAL, &it, NULL), "setitimer");
}

static void storm(void)
{
	u64 end = now_ns() + 20 * SECOND;
	u32 a = 1, b = 2, x[4] = { 1, 2, 3, 4 }, y[4];
	unsigned int rounds = 0;

	on_signal(SIGALRM, on_alarm, SA_RESTART);
	tick(500);
	/* as many as a slow machine can take, or one that is halted all the time */
	while (alarms < 200 || (alarms < 2000 && now_ns() < end)) {
		asm volatile("movups (%0), %%xmm0; movups (%0), %%xmm7" : : "r"(x) :
			     "xmm0", "xmm7", "memory");
		for (int i = 0; i < 500; i++) {
			a += 3;
			b += 3;
			asm volatile("" : "+r"(a), "+r"(b));
		}
		check(b == a + 1, "registers after %u signals", alarms);
		asm volatile("movups %%xmm0, (%0)" : : "r"(y) : "memory");
		check(!memcmp(x, y, sizeof(x)), "xmm0 after %u signals", alarms);
		asm volatile("movups %%xmm7, (%0)" : : "r"(y) : "memory");
		check(!memcmp(x, y, sizeof(x)), "xmm7 after %u signals", alarms);
		x[rounds % 4] = rounds;
		if (rounds++ % 16 == 0)
			sched_yield();
	}
	tick(0);
}

/* A string instruction is interrupted and goes on. */
static void strings(void)
{
	static u8 from[MIB], to[MIB];
	u64 end = now_ns() + 10 * SECOND;
	unsigned int round;

	on_signal(SIGALRM, on_alarm, SA_RESTART);
	tick(300);
	alarms = 0;
	for (round = 0; alarms <= 10 || ((alarms < 300 || round < 20) && now_ns() < end); round++) {
		u8 *d = to, *s = from;
		size_t n = sizeof(to);

		memset(from, round, sizeof(from));
		asm volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
		check(!n && d == to + sizeof(to) && s == from + sizeof(from), "registers");
		for (size_t i = 0; i < sizeof(to); i += 61)
			check(to[i] == (u8)round, "byte %zu of round %u", i, round);
	}
	tick(0);
}

/* System calls that wait are interrupted, or restarted. */
static void restart(void)
{
	int fd[2];
	char c;
	pid_t pid;

	must(pipe(fd), "pipe");
	on_signal(SIGUSR1, on_alt, SA_RESTART);
	on_signal(SIGUSR2, on_alt, 0);
	pid = must(fork(), "fork");
	if (!pid) {
		for (int i = 0; i < 20; i++) {
			usleep(2000);
			kill(getppid(), SIGUSR1);
		}
		usleep(2000);
		must(write(fd[1], "x", 1), "write");
		usleep(100000);
		kill(getppid(), SIGUSR2);
		_exit(0);
	}
	check(read(fd[0], &c, 1) == 1 && c == 'x', "read() was not restarted");
	check(read(fd[0], &c, 1) == -1 && errno == EINTR, "read() was not interrupted");
	must_exit(pid, 0, "child");
}

static volatile unsigned int counted;

/* Until enough have arrived: those sent while the other's CPU does not run are one. */
static void *send_signals(void *arg)
{
	pid_t tid = *(pid_t *)arg;

	for (int i = 0; i < 3000 || (counted <= 10 && i < 3000000); i++) {
		syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
		if (i % 8 == 0)
			sched_yield();
	}
	return NULL;
}

static void on_count(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)context;
	if (si->si_code == SI_TKILL)
		counted++;
}

static void between_threads(void)
{
	pid_t tid = syscall(SYS_gettid);
	pthread_t t;

	on_signal(SIGUSR1, on_count, SA_RESTART);
	check(!pthread_create(&t, NULL, send_signals, &tid), "pthread_create");
	pthread_join(t, NULL);
	check(counted > 10, "only %u signals", counted);
}

/* TF set by the program itself */
static volatile unsigned int traps;
static volatile uintptr_t trap_ip[8];

static void on_trap(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	check(si->si_code == TRAP_TRACE, "si_code %d", si->si_code);
	if (traps < ARRAY_SIZE(trap_ip))
		trap_ip[traps] = ((ucontext_t *)context)->uc_mcontext.gregs[REG_IP];
	traps++;
}

extern const char traced[];

static void __attribute__((noinline)) trap_flag(void)
{
	uintptr_t start = (uintptr_t)traced;

	on_signal(SIGTRAP, on_trap, 0);
#ifdef __x86_64__
	asm volatile("subq $128, %%rsp\n"	/* red zone */
		     "pushfq; orl $0x100, (%%rsp); popfq\n"
		     "nop\n"
		     ".globl traced\ntraced: nop; nop\n"
		     "pushfq; andl $~0x100, (%%rsp); popfq\n"
		     "addq $128, %%rsp" : : : "memory", "cc");
#else
	asm volatile("pushfl; orl $0x100, (%%esp); popfl\n"
		     "nop\n"
		     ".globl traced\ntraced: nop; nop\n"
		     "pushfl; andl $~0x100, (%%esp); popfl" : : : "memory", "cc");
#endif
	/* after each instruction that began with TF: 3 nops, pushf, and, popf */
	check(traps == 6, "%u traps, not 6", traps);
	for (int i = 0; i < 3; i++)
		check(trap_ip[i] == start + i, "trap %d at %#lx, not %#lx", i,
		      (unsigned long)trap_ip[i], (unsigned long)start + i);
}

const struct test tests[] = {
	{ "instructions", instructions },
	{ "int-error-code", int_error_code },
	{ "changed-context", changed_context },
	{ "nested", nested },
	{ "alternate-stack", alternate_stack },
	{ "bad-stack-pointer", bad_stack_pointer },
	{ "storm", storm },
	{ "string-instructions", strings },
	{ "restart", restart },
	{ "between-threads", between_threads },
	{ "trap-flag", trap_flag },
	{ NULL }
};
