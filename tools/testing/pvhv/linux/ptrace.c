// SPDX-License-Identifier: GPL-2.0
/*
 * ptrace: single steps, breakpoints and watchpoints are exact, and registers
 * of another process can be read and set.
 */
#define _GNU_SOURCE
#include "test.h"

#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __x86_64__
#define IP(r)	((r).rip)
#define A(r)	((r).rax)
#define ORIG(r)	((r).orig_rax)
#define ARG0(r)	((r).rdi)
#else
#define IP(r)	((r).eip)
#define A(r)	((r).eax)
#define ORIG(r)	((r).orig_eax)
#define ARG0(r)	((r).ebx)
#endif

static pid_t child(void (*fn)(void))
{
	pid_t pid = must(fork(), "fork");
	int status;

	if (!pid) {
		must(ptrace(PTRACE_TRACEME, 0, 0, 0), "PTRACE_TRACEME");
		raise(SIGSTOP);
		fn();
		_exit(5);
	}
	must(waitpid(pid, &status, 0), "waitpid");
	check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP, "status %#x", status);
	return pid;
}

/* Go on with the child; its new status. */
static int go(int request, pid_t pid)
{
	int status;

	must(ptrace(request, pid, 0, 0), "ptrace");
	must(waitpid(pid, &status, 0), "waitpid");
	return status;
}

static void must_trap(int status, const char *what)
{
	check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP, "%s: status %#x", what, status);
}

static void must_end(int status)
{
	check(WIFEXITED(status) && WEXITSTATUS(status) == 5, "the end: status %#x", status);
}

static struct user_regs_struct regs_of(pid_t pid)
{
	struct user_regs_struct regs;

	must(ptrace(PTRACE_GETREGS, pid, 0, &regs), "PTRACE_GETREGS");
	return regs;
}

/* 1000 rounds of two instructions between two labels */
extern const char loop_start[], loop_end[];

static void __attribute__((noinline)) counted_loop(void)
{
	asm volatile("movl $1000, %%ecx\n"
		     ".globl loop_start\nloop_start:\n"
		     "1: decl %%ecx\n"
		     "jnz 1b\n"
		     ".globl loop_end\nloop_end:\n"
		     "nop" : : : "ecx", "cc");
}

static void step_count(void)
{
	pid_t pid = child(counted_loop);
	unsigned int inside = 0, steps = 0;
	uintptr_t last = 0, ip;
	int status;

	for (;;) {
		status = go(PTRACE_SINGLESTEP, pid);
		if (!WIFSTOPPED(status))
			break;
		must_trap(status, "step");
		ip = IP(regs_of(pid));
		check(ip != last, "a step stays at %#lx", (unsigned long)ip);
		last = ip;
		inside += ip >= (uintptr_t)loop_start && ip < (uintptr_t)loop_end;
		check(++steps < 100000, "no end");
	}
	must_end(status);
	check(inside == 2000, "%u steps in a loop of 2000 instructions", inside);
}

/* Over system calls of both kinds: a step ends after each */
extern const char int80_at[], after_int80[], syscall_at[], after_syscall[];

static void system_calls(void)
{
	for (int i = 0; i < 10; i++) {
		long ret = 20;	/* getpid */

#ifdef __x86_64__
		asm volatile(".globl int80_at\nint80_at: int $0x80\n"
			     ".globl after_int80\nafter_int80: nop"
			     : "+a"(ret) : : "r8", "r9", "r10", "r11", "memory");
		check(ret == getpid(), "int 0x80 returns %ld", ret);
		ret = SYS_getpid;
		asm volatile(".globl syscall_at\nsyscall_at: syscall\n"
			     ".globl after_syscall\nafter_syscall: nop"
			     : "+a"(ret) : : "rcx", "r11", "memory");
#else
		asm volatile(".globl int80_at\nint80_at: int $0x80\n"
			     ".globl after_int80\nafter_int80: nop"
			     : "+a"(ret) : : "memory");
#endif
		check(ret == getpid(), "the system call returns %ld", ret);
	}
}

static void step_syscalls(void)
{
	pid_t pid = child(system_calls);
	unsigned int calls = 0, steps = 0;
	uintptr_t last = 0, ip;
	int status;

	for (;;) {
		status = go(PTRACE_SINGLESTEP, pid);
		if (!WIFSTOPPED(status))
			break;
		must_trap(status, "step");
		ip = IP(regs_of(pid));
		if (last == (uintptr_t)int80_at) {
			check(ip == (uintptr_t)after_int80, "a step over int $0x80 ends at %#lx",
			      (unsigned long)ip);
			calls++;
		}
#ifdef __x86_64__
		if (last == (uintptr_t)syscall_at) {
			check(ip == (uintptr_t)after_syscall, "a step over syscall ends at %#lx",
			      (unsigned long)ip);
			calls++;
		}
#endif
		last = ip;
		check(++steps < 100000, "no end");
	}
	must_end(status);
	check(calls == (sizeof(long) == 8 ? 20 : 10), "%u system calls were seen", calls);
}

static volatile struct {
	u64 before, value, after;
} watched;

static void write_watched(void)
{
	watched.before = 1;
	watched.value = 2;
	watched.after = 3;
	(void)watched.value;
	((volatile u8 *)&watched.value)[3] = 4;
}

static void set_debugreg(pid_t pid, int n, unsigned long value)
{
	long ret = ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[n]), value);

	if (ret)
		fail("DR%d = %#lx: %s", n, value, strerror(errno));
}

static unsigned long get_debugreg(pid_t pid, int n)
{
	errno = 0;
	return ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg[n]), 0);
}

/* Stop after stop: DR6 must tell register @n each time. */
static void watch(unsigned long type, unsigned long len, uintptr_t addr, int n,
		  unsigned int stops, const char *what)
{
	pid_t pid = child(write_watched);
	unsigned int count = 0;
	unsigned long dr6;
	int status;

	set_debugreg(pid, n, addr);
	set_debugreg(pid, 7, 1ul << 2 * n | (type | len << 2) << (16 + 4 * n));
	for (;;) {
		status = go(PTRACE_CONT, pid);
		if (!WIFSTOPPED(status))
			break;
		must_trap(status, what);
		dr6 = get_debugreg(pid, 6);
		check((dr6 & 15) == 1ul << n, "%s: DR6 is %#lx", what, dr6);
		count++;
	}
	must_end(status);
	check(count == stops, "%s: %u stops, not %u", what, count, stops);
}

static void watchpoints(void)
{
	uintptr_t value = (uintptr_t)&watched.value;
	unsigned int words = sizeof(long) == 8 ? 1 : 2;

	watch(1, 3, value, 0, 2, "4 bytes, writes");
	/* on 32 bits, two stores, and the upper one is not in these bytes */
	watch(1, 0, value + 3, 1, 2, "a byte, writes");
	watch(1, 1, value + 2, 2, 2, "2 bytes, writes");
	watch(3, 3, value, 3, 3, "4 bytes, reads and writes");
	if (sizeof(long) == 8)
		watch(1, 2, value, 1, 2 * words, "8 bytes, writes");
	watch(0, 0, (uintptr_t)write_watched, 0, 1, "execution");
}

/* Of the kernel's half there is nothing to watch. */
static void watch_kernel(void)
{
#ifdef __x86_64__
	static const unsigned long bad[] = {
		0xffffffff81000000, 0xffff888000000000, 0xffff800000000000, 0x800000000000,
	};
	pid_t pid = child(write_watched);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[0]), bad[i]);
		check(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), 0xd0001) ==
		      -1 || get_debugreg(pid, 0) != bad[i], "a watchpoint at %#lx", bad[i]);
	}
	must_end(go(PTRACE_CONT, pid));
#else
	skip("64-bit only");
#endif
}

static void count_up(void)
{
	for (int i = 0; i < 100; i++) {
		watched.value++;
		sched_yield();
	}
}

/* Watchpoints belong to a task, whoever runs in between. */
static void watch_one_of_two(void)
{
	pid_t pid = child(count_up), other = must(fork(), "fork");
	int stops = 0, status;

	if (!other) {
		count_up();
		_exit(0);
	}
	set_debugreg(pid, 0, (uintptr_t)&watched.value);
	set_debugreg(pid, 7, 0xd0001);
	while (status = go(PTRACE_CONT, pid), WIFSTOPPED(status)) {
		must_trap(status, "watchpoint");
		check(++stops <= 200, "no end");
	}
	must_end(status);
	must_exit(other, 0, "the one that is not watched");
	check(stops == 100 * (sizeof(long) == 8 ? 1 : 2) || stops == 100, "%d stops, not 100",
	      stops);
}

static int __attribute__((noinline)) returns_one(void)
{
	asm volatile("");
	return 1;
}

static void call_it(void)
{
	for (int i = 0; i < 20; i++)
		check(returns_one() == 1, "the function was broken");
}

/* As a debugger does it: an int3 in the code, one step, the int3 again. */
static void breakpoints(void)
{
	pid_t pid = child(call_it);
	long word = ptrace(PTRACE_PEEKTEXT, pid, returns_one, 0);
	long patched = (word & ~0xffl) | 0xcc;
	struct user_regs_struct regs;
	int hits = 0, status;

	must(ptrace(PTRACE_POKETEXT, pid, returns_one, patched), "PTRACE_POKETEXT");
	for (;;) {
		status = go(PTRACE_CONT, pid);
		if (!WIFSTOPPED(status))
			break;
		must_trap(status, "breakpoint");
		regs = regs_of(pid);
		check((uintptr_t)IP(regs) == (uintptr_t)returns_one + 1, "stop at %#lx",
		      (unsigned long)IP(regs));
		hits++;
		IP(regs)--;
		must(ptrace(PTRACE_SETREGS, pid, 0, &regs), "PTRACE_SETREGS");
		must(ptrace(PTRACE_POKETEXT, pid, returns_one, word), "PTRACE_POKETEXT");
		must_trap(go(PTRACE_SINGLESTEP, pid), "step");
		must(ptrace(PTRACE_POKETEXT, pid, returns_one, patched), "PTRACE_POKETEXT");
	}
	must_end(status);
	check(hits == 20, "%d hits, not 20", hits);
	check(returns_one() == 1, "the parent's code was changed, too");
}

static void ask_parent(void)
{
	long ret = syscall(SYS_getppid);

	check(ret == 4711, "getppid() returns %ld", ret);
	ret = syscall(SYS_exit_group + 100000);
	check(ret == getpid(), "a call that was replaced returns %ld", ret);
}

static void change_syscalls(void)
{
	pid_t pid = child(ask_parent);
	struct user_regs_struct regs;
	int status, calls = 0;

	must(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD), "PTRACE_SETOPTIONS");
	for (;;) {
		status = go(PTRACE_SYSCALL, pid);
		if (!WIFSTOPPED(status))
			break;
		check(WSTOPSIG(status) == (SIGTRAP | 0x80), "status %#x", status);
		regs = regs_of(pid);
		calls++;
		if (ORIG(regs) == SYS_getppid && calls % 2 == 0) {
			A(regs) = 4711;
			must(ptrace(PTRACE_SETREGS, pid, 0, &regs), "PTRACE_SETREGS");
		} else if (ORIG(regs) == SYS_exit_group + 100000) {
			ORIG(regs) = SYS_getpid;
			must(ptrace(PTRACE_SETREGS, pid, 0, &regs), "PTRACE_SETREGS");
		}
	}
	must_end(status);
	check(calls >= 5, "%d stops", calls);
}

static void wait_there(void)
{
	for (;;)
		pause();
}

static void registers(void)
{
	pid_t pid = child(wait_there);
	struct user_regs_struct regs = regs_of(pid), back;
	unsigned long cs, ss;

	check((regs.eflags & 0x200) && !(regs.eflags & 0x3000), "flags %#lx",
	      (unsigned long)regs.eflags);
#ifdef __x86_64__
	cs = regs.cs;
	ss = regs.ss;
	check(cs == 0x33 && ss == 0x2b, "cs %#lx ss %#lx", cs, ss);
	/* what must not get through: IOPL, VM, interrupts off */
	regs.eflags |= 0x3000 | 0x20000;
	regs.eflags &= ~0x200ul;
	regs.r12 = 0x1122334455667788;
	regs.rbx = ~0ul;
	must(ptrace(PTRACE_SETREGS, pid, 0, &regs), "PTRACE_SETREGS");
	back = regs_of(pid);
	check(back.r12 == regs.r12 && back.rbx == regs.rbx, "r12 %#llx, rbx %#llx", back.r12,
	      back.rbx);
	check((back.eflags & 0x23200) == 0x200, "flags %#lx", (unsigned long)back.eflags);
	regs.cs = 0x10;
	check(ptrace(PTRACE_SETREGS, pid, 0, &regs) == -1, "cs 0x10 was taken");
	regs.cs = 0x33;
	regs.fs_base = 0xffff888000000000;
	check(ptrace(PTRACE_SETREGS, pid, 0, &regs) == -1, "a kernel address as fs_base");
#else
	cs = regs.xcs;
	ss = regs.xss;
	check(cs == 0x23 && ss == 0x2b, "cs %#lx ss %#lx", cs, ss);
	regs.eflags |= 0x3000;
	regs.ebx = 0x11223344;
	must(ptrace(PTRACE_SETREGS, pid, 0, &regs), "PTRACE_SETREGS");
	back = regs_of(pid);
	check(back.ebx == 0x11223344 && !(back.eflags & 0x3000), "ebx %#lx flags %#lx",
	      (unsigned long)back.ebx, (unsigned long)back.eflags);
#endif
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void compare_xmm(void)
{
	u32 x[4] __attribute__((aligned(16)));

	asm volatile("pcmpeqd %%xmm5, %%xmm5; int3; movaps %%xmm5, %0" : "=m"(x));
	for (int i = 0; i < 4; i++)
		check(x[i] == 0x1000u + i, "xmm5 word %d is %#x", i, x[i]);
}

static void fpu_registers(void)
{
	struct user_fpregs_struct unused;
	static u32 area[2048] __attribute__((aligned(64)));
	struct iovec iov = { area, sizeof(area) };
	pid_t pid = child(compare_xmm);
	u32 *xmm5 = area + 160 / 4 + 5 * 4;

	(void)unused;
	must_trap(go(PTRACE_CONT, pid), "int3");
	if (ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &iov))
		skip("no NT_X86_XSTATE");
	for (int i = 0; i < 4; i++) {
		check(xmm5[i] == 0xffffffff, "xmm5 word %d is %#x", i, xmm5[i]);
		xmm5[i] = 0x1000 + i;
	}
	area[512 / 4] |= 2;	/* XSTATE_BV: SSE is there */
	must(ptrace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov), "PTRACE_SETREGSET");
	must_end(go(PTRACE_CONT, pid));
}

const struct test tests[] = {
	{ "step-count", step_count },
	{ "step-system-calls", step_syscalls },
	{ "watchpoints", watchpoints },
	{ "watch-kernel", watch_kernel },
	{ "watch-one-of-two", watch_one_of_two },
	{ "breakpoints", breakpoints },
	{ "change-system-calls", change_syscalls },
	{ "registers", registers },
	{ "fpu-registers", fpu_registers },
	{ NULL }
};
