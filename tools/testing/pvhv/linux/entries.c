// SPDX-License-Identifier: GPL-2.0
/*
 * entries: the ways into the kernel and what they leave of the registers.
 */
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void int80(void)
{
	for (int i = 0; i < 1000; i++) {
		long pid = 20;	/* getpid of the 32-bit table */

#ifdef __x86_64__
		asm volatile("int $0x80" : "+a"(pid) : : "r8", "r9", "r10", "r11", "memory");
#else
		asm volatile("int $0x80" : "+a"(pid) : : "memory");
#endif
		check(pid == getpid(), "getpid() is %d, int 0x80 says %ld", getpid(), pid);
	}
}

static void numbers(void)
{
	static const long bad[] = { 100000, -1, 0x7fffffff, 0x40000027, 1000 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		check(syscall(bad[i]) == -1 && errno == ENOSYS, "number %ld: %s", bad[i],
		      strerror(errno));
}

#ifdef __x86_64__
/* A system call changes RAX, RCX and R11, and no other register or flag. */
static void registers(void)
{
	struct {
		u64 in[13], out[13], rcx, r11, here, flags;
		s64 ret;
	} r;
	u64 flags;

	for (int round = 0; round < 2000; round++) {
		for (int i = 0; i < 13; i++)
			r.in[i] = (u64)rnd() << 32 | rnd();
		/* getppid takes no arguments; DF, AC and the arithmetic flags are free */
		flags = 0x202 | (rnd() & 0x8d5) | (round % 7 ? 0 : 0x400);
		r.flags = flags;
		asm volatile("pushq %%rbp; pushq %%rbx\n"
			     "movq %0, %%rax; pushq %%rax\n"
			     "movq 0(%%rax), %%rbx; movq 8(%%rax), %%rdx; movq 16(%%rax), %%rsi\n"
			     "movq 24(%%rax), %%rdi; movq 32(%%rax), %%rbp; movq 40(%%rax), %%r8\n"
			     "movq 48(%%rax), %%r9; movq 56(%%rax), %%r10; movq 64(%%rax), %%r12\n"
			     "movq 72(%%rax), %%r13; movq 80(%%rax), %%r14; movq 88(%%rax), %%r15\n"
			     "pushq 232(%%rax)\n"
			     "movl $110, %%eax; popfq; syscall\n"
			     "1: pushfq; cld\n"
			     "xchgq %%rax, 8(%%rsp)\n"
			     "movq %%rcx, 208(%%rax); movq %%r11, 216(%%rax)\n"
			     "leaq 1b(%%rip), %%rcx; movq %%rcx, 224(%%rax)\n"
			     "popq %%rcx; movq %%rcx, 232(%%rax); popq %%rcx; movq %%rcx, 240(%%rax)\n"
			     "movq %%rbx, 104(%%rax); movq %%rdx, 112(%%rax)\n"
			     "movq %%rsi, 120(%%rax); movq %%rdi, 128(%%rax)\n"
			     "movq %%rbp, 136(%%rax); movq %%r8, 144(%%rax)\n"
			     "movq %%r9, 152(%%rax); movq %%r10, 160(%%rax)\n"
			     "movq %%r12, 168(%%rax); movq %%r13, 176(%%rax)\n"
			     "movq %%r14, 184(%%rax); movq %%r15, 192(%%rax)\n"
			     "popq %%rbx; popq %%rbp\n"
			     : : "r"(&r) : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10",
			     "r11", "r12", "r13", "r14", "r15", "memory", "cc");
		check(r.ret == getppid(), "round %d: returns %ld", round, (long)r.ret);
		for (int i = 0; i < 12; i++)
			check(r.in[i] == r.out[i], "round %d: register %d is %#lx, was %#lx",
			      round, i, r.out[i], r.in[i]);
		check(r.rcx == r.here, "round %d: RCX %#lx, not %#lx", round, r.rcx, r.here);
		check(r.r11 == flags && r.flags == flags,
		      "round %d: R11 %#lx, flags %#lx, were %#lx", round, r.r11, r.flags, flags);
		if (round % 100 == 0)
			sched_yield();
	}
}

/* 32-bit code in a 64-bit program: by a far call, and back */
static void compatibility_mode(void)
{
	static const u8 code[] = {
		0x8c, 0xc8,			/* mov %cs, %eax */
		0xb9, 42, 0, 0, 0,		/* mov $42, %ecx */
		0x50, 0x59,			/* push %eax; pop %ecx: 4 bytes each */
		0x68, 0x33, 0, 0, 0,		/* push $0x33 */
		0x53,				/* push %ebx */
		0xcb,				/* lret */
	};
	u8 *low = must_map(mmap((void *)0x20000000, 4 * PAGE,
				     PROT_READ | PROT_WRITE | PROT_EXEC,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), "mmap");
	/* the way back is in low memory as well: jmp *%rsi */
	static const u8 back[] = { 0xff, 0xe6 };
	u64 a, c;

	memcpy(low, code, sizeof(code));
	memcpy(low + 512, back, sizeof(back));
	for (int i = 0; i < 300; i++) {
		a = 0;
		asm volatile("movq %%rsp, %%r12\n"
			     "leaq 1f(%%rip), %%rsi\n"
			     "movl $0x20003000, %%esp\n"
			     "movl $0x20000200, %%ebx\n"
			     "pushq $0x23; pushq $0x20000000; lretq\n"
			     "1: movq %%r12, %%rsp"
			     : "+a"(a), "=&c"(c) : : "rbx", "rsi", "r12", "memory", "cc");
		check((u32)a == 0x23 && (u32)c == 0x23, "cs %#lx, ecx %#lx", a, c);
		if (i % 10 == 0)
			sched_yield();
	}
}

#define VSYSCALL	0xffffffffff600000

static void call_odd(void *arg)
{
	((long (*)(long))arg)(0);
}

static void call_time(void *arg)
{
	((time_t (*)(void *))(VSYSCALL + 0x400))(arg);
}

static void vsyscall(void)
{
	long (*vgettimeofday)(struct timeval *tv, void *tz) = (void *)VSYSCALL;
	time_t (*vtime)(time_t *t) = (void *)(VSYSCALL + 0x400);
	long (*vgetcpu)(unsigned int *cpu, unsigned int *node, void *x) =
		(void *)(VSYSCALL + 0x800);
	unsigned int cpu = 77, node = 77, cpu2;
	struct timeval tv;
	struct fault f;
	time_t t, t2;

	t = vtime(&t2);
	check(t == t2 && labs(t - time(NULL)) <= 1, "time() is %ld and %ld", (long)t, (long)t2);
	check(!vgettimeofday(&tv, NULL) && labs(tv.tv_sec - time(NULL)) <= 1,
	      "gettimeofday() is %ld", (long)tv.tv_sec);
	check(!vgetcpu(&cpu, &node, NULL), "getcpu() fails");
	must(syscall(SYS_getcpu, &cpu2, NULL, NULL), "getcpu");
	check(cpu == cpu2 && node == 0, "CPU %u, node %u", cpu, node);
	/* it is there for calls only, of these three addresses */
	check(read_faults((void *)VSYSCALL, &f) && f.sig == SIGSEGV && f.addr == VSYSCALL,
	      "the page can be read");
	check(write_faults((void *)VSYSCALL, &f) && f.sig == SIGSEGV, "the page can be written");
	check(faults(call_odd, (void *)(VSYSCALL + 0x100), &f) && f.sig == SIGSEGV,
	      "a call of another address");
	check(faults(call_time, (void *)8, &f) && f.sig == SIGSEGV, "a bad pointer: signal %d",
	      f.sig);
	check(faults(call_time, (void *)0xffffffff81000000, &f) && f.sig == SIGSEGV,
	      "a kernel pointer: signal %d", f.sig);
}
#else
/* Whatever the vdso takes, from memory that the kernel gave */
static void kernel_vsyscall(void)
{
	for (int i = 0; i < 1000; i++) {
		int pid = 20;

		asm volatile("call *%%gs:0x10" : "+a"(pid) : : "memory");
		check(pid == getpid(), "getpid() is %d, not %d", getpid(), pid);
	}
}

/* Six arguments, the last on the stack for the fast ways in */
static void six_arguments(void)
{
	u8 *p = must_map(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "mmap");

	check(p[0] == 0, "contents");
	check(syscall(SYS_mmap2, NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0) == -1 &&
	      errno == EBADF, "mmap2 of no file: %s", strerror(errno));
}

/* Fast system calls where there are none end a program, and nothing else. */
static void hidden_ways(void)
{
	static const char * const names[] = { "sysenter", "syscall" };

	for (int way = 0; way < 2; way++) {
		pid_t pid = must(fork(), "fork");
		int status;

		if (!pid) {
			signal(SIGSEGV, SIG_DFL);
			alarm(5);
			if (way == 0)
				asm volatile("sysenter" : : "a"(20) : "memory");
			else
				asm volatile("syscall" : : "a"(20) : "ecx", "memory");
			_exit(0);
		}
		waitpid(pid, &status, 0);
		note("%s: status %#x", names[way], status);
	}
}
#endif

const struct test tests[] = {
	{ "int80", int80 },
	{ "numbers", numbers },
#ifdef __x86_64__
	{ "registers", registers },
	{ "compatibility-mode", compatibility_mode },
	{ "vsyscall", vsyscall },
#else
	{ "kernel-vsyscall", kernel_vsyscall },
	{ "six-arguments", six_arguments },
	{ "hidden-ways", hidden_ways },
#endif
	{ NULL }
};
