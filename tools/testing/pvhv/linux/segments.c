// SPDX-License-Identifier: GPL-2.0
/*
 * segments: thread areas, the LDT, FS and GS bases, each task's own, across
 * switches and signals.
 */
#define _GNU_SOURCE
#include "test.h"

#include <asm/ldt.h>
#include <asm/prctl.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static u32 values[4] = { 0x11111111, 0x22222222, 0x33333333, 0x44444444 };

static struct user_desc describe(int entry, void *base)
{
	struct user_desc d = {
		.entry_number = entry, .base_addr = (uintptr_t)base, .limit = 0xfffff,
		.seg_32bit = 1, .limit_in_pages = 1, .useable = 1,
	};

	return d;
}

/* Low memory: a descriptor's base has 32 bits. */
static u32 *low_values(void)
{
	u32 *p = mmap((void *)0x10000000, PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	must_map(p, "mmap");
	memcpy(p, values, sizeof(values));
	return p;
}

static u32 read_by(u16 selector)
{
	u32 v;
	u16 old;

	/* ES and DS have no base in 64-bit mode, FS is the threads' */
#ifdef __x86_64__
	asm volatile("movw %%gs, %1; movw %2, %%gs; movl %%gs:0, %0; movw %1, %%gs"
		     : "=&r"(v), "=&r"(old) : "r"(selector));
#else
	asm volatile("movw %%es, %1; movw %2, %%es; movl %%es:0, %0; movw %1, %%es"
		     : "=&r"(v), "=&r"(old) : "r"(selector));
#endif
	return v;
}

static void ldt(void)
{
	u32 *low = low_values();
	pid_t pid;

	for (int i = 0; i < 4; i++) {
		struct user_desc d = describe(i * 100, low + i);

		if (syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)))
			skip("modify_ldt: %s", strerror(errno));
	}
	for (int i = 0; i < 4; i++)
		check(read_by(i * 100 << 3 | 7) == values[i], "entry %d reads %#x", i * 100,
		      read_by(i * 100 << 3 | 7));
	/* a child has its own copy */
	pid = must(fork(), "fork");
	for (int round = 0; round < 200; round++) {
		int i = pid ? round % 4 : (round + 1) % 4;
		struct user_desc d = describe(300, low + i);

		must(syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)), "modify_ldt");
		sched_yield();
		check(read_by(300 << 3 | 7) == values[i], "round %d: %#x, not %#x", round,
		      read_by(300 << 3 | 7), values[i]);
		check(read_by(100 << 3 | 7) == values[1], "round %d: entry 100", round);
	}
	if (!pid)
		_exit(0);
	must_exit(pid, 0, "child");
}

/* A register that C does not need meanwhile */
static void load(void *arg)
{
#ifdef __x86_64__
	asm volatile("movw %w0, %%gs" : : "r"((uintptr_t)arg));
#else
	asm volatile("movw %%es, %%dx; movw %w0, %%es; movw %%dx, %%es"
		     : : "r"((uintptr_t)arg) : "edx");
#endif
}

static void ldt_faults(void)
{
	struct user_desc d = describe(5, low_values()), none = { .entry_number = 5,
		.read_exec_only = 1, .seg_not_present = 1 };
	struct fault f;

	/* an entry that is not there */
	check(faults(load, (void *)(6 << 3 | 7), &f) && f.sig == SIGSEGV &&
	      (f.err & 0xfffc) == (6 << 3 | 4), "no entry: signal %d, error code %#lx", f.sig,
	      f.err);
	if (syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)))
		skip("modify_ldt: %s", strerror(errno));
	check(!faults(load, (void *)(5 << 3 | 7), &f), "the entry cannot be loaded");
	check(faults(load, (void *)(7 << 3 | 7), &f), "an entry beyond the limit was loaded");
	/* not present: another fault */
	d.seg_not_present = 1;
	must(syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)), "modify_ldt");
	check(faults(load, (void *)(5 << 3 | 7), &f), "an absent segment was loaded");
	check(f.trapno == 11 && f.sig == SIGBUS, "absent segment: signal %d, trap %lu", f.sig,
	      f.trapno);
	must(syscall(SYS_modify_ldt, 0x11, &none, sizeof(none)), "modify_ldt");
	check(faults(load, (void *)(5 << 3 | 7), &f) && f.trapno == 13, "deleted: trap %lu",
	      f.trapno);
}

/* Every size of LDT, which is more than a page at its largest */
static void large_ldt(void)
{
	u32 *low = low_values();

	for (int entry = 1; entry < 8192; entry = entry * 3 + 1) {
		struct user_desc d = describe(entry, low + entry % 4);

		if (syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)))
			skip("modify_ldt: %s", strerror(errno));
		check(read_by(entry << 3 | 7) == values[entry % 4], "entry %d", entry);
		sched_yield();
		check(read_by(entry << 3 | 7) == values[entry % 4], "entry %d after a switch",
		      entry);
	}
}

static void thread_area(void)
{
	u32 *low = low_values();
	struct user_desc d = describe(-1, low);
	pid_t pid;
	long ret = -1;

#ifdef __x86_64__
	/* the 32-bit call, with the structure in low memory */
	struct user_desc *there = (void *)(low + 64);

	*there = d;
	asm volatile("int $0x80" : "=a"(ret) : "0"(243), "b"(there) : "memory", "r8", "r9", "r10",
		     "r11");
	if (ret == -ENOSYS)
		skip("no 32-bit system calls");
	d = *there;
#else
	ret = syscall(SYS_set_thread_area, &d);
#endif
	check(!ret, "set_thread_area: %ld", ret);
	check(d.entry_number >= 12 && d.entry_number <= 14, "entry %u", d.entry_number);
	check(read_by(d.entry_number << 3 | 3) == values[0], "reads %#x",
	      read_by(d.entry_number << 3 | 3));
	pid = must(fork(), "fork");
	for (int round = 0; round < 300; round++) {
		int i = pid ? round % 4 : (round + 2) % 4;

		d.base_addr = (uintptr_t)(low + i);
#ifdef __x86_64__
		*there = d;
		asm volatile("int $0x80" : "=a"(ret) : "0"(243), "b"(there) : "memory", "r8", "r9",
			     "r10", "r11");
#else
		ret = syscall(SYS_set_thread_area, &d);
#endif
		check(!ret, "set_thread_area: %ld", ret);
		sched_yield();
		check(read_by(d.entry_number << 3 | 3) == values[i], "round %d: %#x, not %#x",
		      round, read_by(d.entry_number << 3 | 3), values[i]);
	}
	if (!pid)
		_exit(0);
	must_exit(pid, 0, "child");
}

/*
 * A task's selectors survive that another one, who has no LDT, runs: Linux changes the LDT
 * before it reads the registers of the task that it leaves.
 */
static void ldt_selectors(void)
{
	u32 *low = low_values();
	struct user_desc d = describe(7, low + 1);
	u16 sel = 7 << 3 | 7, es, other;
	u32 value;
	pid_t pid = must(fork(), "fork");

	if (!pid)
		for (;;)
			sched_yield();
	if (syscall(SYS_modify_ldt, 0x11, &d, sizeof(d))) {
		kill(pid, SIGKILL);
		skip("modify_ldt: %s", strerror(errno));
	}
	for (int round = 0; round < 500; round++) {
#ifdef __x86_64__
		asm volatile("movw %0, %%gs; movw %0, %%es" : : "r"(sel));
		syscall(SYS_sched_yield);
		asm volatile("movw %%es, %0; movw %%gs, %1; movl %%gs:0, %2"
			     : "=r"(es), "=r"(other), "=r"(value));
#else
		asm volatile("movw %0, %%es; movw %0, %%fs" : : "r"(sel));
		syscall(SYS_sched_yield);
		asm volatile("movw %%es, %0; movw %%fs, %1; movl %%fs:0, %2"
			     : "=r"(es), "=r"(other), "=r"(value));
		/* string instructions of C need it */
		asm volatile("movw %0, %%es" : : "r"((u16)0x2b));
#endif
		if (es != sel || other != sel || value != values[1])
			kill(pid, SIGKILL);
		check(es == sel, "round %d: es %#x, not %#x", round, es, sel);
		check(other == sel, "round %d: fs or gs %#x, not %#x", round, other, sel);
		check(value == values[1], "round %d: %#x, not %#x", round, value, values[1]);
	}
	kill(pid, SIGKILL);
	must(waitpid(pid, NULL, 0), "waitpid");
}

/* Selectors that are of no use in 64-bit mode are a task's own all the same. */
static void selectors(void)
{
	pid_t pid = must(fork(), "fork");
	u16 want = pid ? 0x2b : 0, ds, es;

	for (int round = 0; round < 500; round++) {
#ifdef __x86_64__
		asm volatile("movw %0, %%ds; movw %0, %%es" : : "r"(want));
#else
		asm volatile("movw %0, %%es" : : "r"(want));
#endif
		syscall(SYS_sched_yield);
		asm volatile("movw %%ds, %0; movw %%es, %1" : "=r"(ds), "=r"(es));
#ifndef __x86_64__
		/* string instructions of C need it */
		asm volatile("movw %0, %%es" : : "r"((u16)0x2b));
		check(ds == 0x2b, "ds %#x", ds);
#else
		check(ds == want, "round %d: ds %#x, not %#x", round, ds, want);
#endif
		check(es == want, "round %d: es %#x, not %#x", round, es, want);
	}
	if (!pid)
		_exit(0);
	must_exit(pid, 0, "child");
}

#ifdef __x86_64__
static unsigned long gs_base(void)
{
	unsigned long base;

	must(syscall(SYS_arch_prctl, ARCH_GET_GS, &base), "ARCH_GET_GS");
	return base;
}

static u32 at_gs(void)
{
	u32 v;

	asm volatile("movl %%gs:0, %0" : "=r"(v));
	return v;
}

static void bases(void)
{
	pid_t pid[3];
	u32 me, i;

	for (me = 0; me < 3; me++) {
		pid[me] = must(fork(), "fork");
		if (!pid[me])
			break;
	}
	for (int round = 0; round < 500; round++) {
		i = (me + round) % 4;
		must(syscall(SYS_arch_prctl, ARCH_SET_GS, &values[i]), "ARCH_SET_GS");
		sched_yield();
		check(at_gs() == values[i] && gs_base() == (uintptr_t)&values[i],
		      "process %u, round %d: GS base %#lx", me, round, gs_base());
	}
	if (me < 3)
		_exit(0);
	for (i = 0; i < 3; i++)
		must_exit(pid[i], 0, "child");
	check(syscall(SYS_arch_prctl, ARCH_SET_GS, 0xffff888000000000) == -1,
	      "a kernel address as GS base");
	check(syscall(SYS_arch_prctl, ARCH_SET_FS, 0x800000000000) == -1,
	      "a non-canonical FS base");
}

static bool have_fsgsbase(void)
{
	return getauxval(AT_HWCAP2) & 2;
}

/* WRGSBASE takes any canonical address, and that is what stays. */
static void base_instructions(void)
{
	static const u64 odd[] = {
		0, 1, 0x7fffffffffff, 0xffff800000000000, 0xffff888000000123, ~0ull, 0xdeadbeef,
	};
	pid_t pid;
	u64 gs, fs, old;
	bool bad;

	if (!have_fsgsbase())
		skip("no FSGSBASE");
	pid = must(fork(), "fork");
	for (int round = 0; round < 700; round++) {
		u64 want = odd[(round + (pid ? 0 : 3)) % ARRAY_SIZE(odd)];

		asm volatile("wrgsbase %0" : : "r"(want));
		sched_yield();
		asm volatile("rdgsbase %0" : "=r"(gs));
		check(gs == want, "round %d: GS base %#lx, not %#lx", round, gs, want);
		/* FS likewise, with no C code that uses it in between */
		asm volatile("rdfsbase %2; wrfsbase %3; movl $24, %%eax; syscall; rdfsbase %0; "
			     "wrfsbase %2; cmpq %0, %3; setne %1"
			     : "=&r"(fs), "=&q"(bad), "=&r"(old) : "r"(want)
			     : "rax", "rcx", "r11", "memory", "cc");
		check(!bad, "round %d: FS base %#lx, not %#lx", round, fs, want);
	}
	if (!pid)
		_exit(0);
	must_exit(pid, 0, "child");
}

static volatile int handled;

static void on_usr1(int sig)
{
	(void)sig;
	handled++;
	/* a handler's own change goes with it into the program: no base is restored */
}

/* The base stays with a selector that has another one. */
static void base_and_selector(void)
{
	u32 *low = low_values();
	struct user_desc d = describe(3, low);
	u64 gs;
	u16 sel;

	if (!have_fsgsbase())
		skip("no FSGSBASE");
	if (syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)))
		skip("modify_ldt: %s", strerror(errno));
	signal(SIGUSR1, on_usr1);
	if (!must(fork(), "fork"))
		for (;;)
			sched_yield();
	for (int round = 0; round < 300; round++) {
		asm volatile("movw %w0, %%gs; wrgsbase %1" : : "r"(3 << 3 | 7), "r"(&values[2]));
		if (round % 2)
			raise(SIGUSR1);
		else
			sched_yield();
		asm volatile("rdgsbase %0; movw %%gs, %1" : "=r"(gs), "=r"(sel));
		check(gs == (uintptr_t)&values[2] && sel == (3 << 3 | 7),
		      "round %d: selector %#x, base %#lx, not %#lx", round, sel, gs,
		      (uintptr_t)&values[2]);
		check(at_gs() == values[2], "round %d: reads %#x", round, at_gs());
	}
	check(handled == 150, "%d signals", handled);
}
#endif

/* LAR and LSL see what Linux promises to programs. */
static void cpu_number_segment(void)
{
	unsigned int limit = 0, cpu;
	bool ok;

	asm volatile("lsl %2, %0; setz %1" : "+r"(limit), "=q"(ok) : "r"(15 << 3 | 3) : "cc");
	check(ok, "LSL of the CPU number's segment fails");
	must(syscall(SYS_getcpu, &cpu, NULL, NULL), "getcpu");
	check((limit & 0xfff) == cpu, "LSL says CPU %u, getcpu %u", limit & 0xfff, cpu);
}

const struct test tests[] = {
	{ "ldt", ldt },
	{ "ldt-faults", ldt_faults },
	{ "large-ldt", large_ldt },
	{ "ldt-selectors", ldt_selectors },
	{ "thread-area", thread_area },
	{ "selectors", selectors },
#ifdef __x86_64__
	{ "bases", bases },
	{ "base-instructions", base_instructions },
	{ "base-and-selector", base_and_selector },
#endif
	{ "cpu-number", cpu_number_segment },
	{ NULL }
};
