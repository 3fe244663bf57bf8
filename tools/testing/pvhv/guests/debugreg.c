// SPDX-License-Identifier: GPL-2.0
/*
 * debugreg: breakpoints in the user half work in both modes; addresses in the
 * upper half, where they might be the host's as well, are refused.
 */
#include "lib/guest.h"

#define DR7_L(n)	BIT((n) * 2)
#define DR7_G(n)	BIT((n) * 2 + 1)
#define DR7_RW(n, rw)	((u64)(rw) << (16 + (n) * 4))
#define DR7_LEN(n, len)	((u64)(len) << (18 + (n) * 4))
#define RW_EXEC		0
#define RW_WRITE	1
#define RW_ACCESS	3

static u64 watched[8] __user_data __attribute__((aligned(64)));
static u64 user_watched __user_data;

static void clear(void)
{
	hc_set_debugreg(7, 0);
	for (int i = 0; i < 4; i++)
		hc_set_debugreg(i, 0);
	hc_set_debugreg(6, 0);
}

static u64 get(int nr)
{
	long r = hc_get_debugreg(nr);

	check_eq(r, 0, "GET_DEBUGREG's result");
	return vp->result[0];
}

TEST(read_back)
{
	for (int i = 0; i < 4; i++) {
		check_eq(hc_set_debugreg(i, (u64)&watched[i]), 0, "SET_DEBUGREG(%d)", i);
		check_eq(get(i), (u64)&watched[i], "DR%d", i);
	}
	check_eq(hc_set_debugreg(7, DR7_L(0) | DR7_RW(0, RW_WRITE) | DR7_LEN(0, 3)), 0,
		 "SET_DEBUGREG(7)");
	check_eq(get(7) & 0xffff00ff, DR7_L(0) | DR7_RW(0, RW_WRITE) | DR7_LEN(0, 3), "DR7");
	clear();
	check_eq(get(7) & 0xff, 0, "DR7's enable bits");
}

TEST(kernel_watchpoint)
{
	for (int i = 0; i < 4; i++) {
		hc_set_debugreg(i, (u64)&watched[i]);
		hc_set_debugreg(7, DR7_L(i) | DR7_RW(i, RW_WRITE) | DR7_LEN(i, 2));
		TRY_IO("movq $1, (%0); nop; nop", : : "r"(&watched[i]) : "memory");
		check_trap(X_DB, 0, "a write to what DR%d watches", i);
		check_eq(trap.dr6 & 15, BIT(i), "DR6's low bits");
		TRY_IO("mov (%0), %%rax; nop; nop", : : "r"(&watched[i]) : "memory", "rax");
		check_no_trap("a read of what DR%d watches for writes", i);
		TRY_IO("movq $1, (%0); nop; nop", : : "r"(&watched[i + 1]) : "memory");
		check_no_trap("a write next to what DR%d watches", i);
		clear();
	}
}

TEST(kernel_addresses_are_refused)
{
	static const u64 bad[] = {
		0xffffffff81000000, DIRECT_BASE, SCRATCH_BASE, 0xffffffffffffffff, 1UL << 47,
		1UL << 63, HOLE_BASE,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		check_eq(hc_set_debugreg(0, bad[i]), -PVHV_EINVAL, "SET_DEBUGREG(0, %#lx)", bad[i]);
		check_eq(get(0), 0, "DR0 after that");
	}
}

asm(".pushsection .user.text, \"ax\"\n"
    "user_writes: movq $5, (%rdi); nop; nop; syscall; ud2\n"
    ".popsection");
extern const char user_writes[];

TEST(user_watchpoint)
{
	struct regs r;

	hc_set_debugreg(0, (u64)&user_watched);
	hc_set_debugreg(7, DR7_L(0) | DR7_RW(0, RW_WRITE) | DR7_LEN(0, 2));
	user_regs(&r, user_writes);
	r.rdi = (u64)&user_watched;
	run_user(&r, BY_IRET);
	check_user(&r, X_DB, 0, "a user write to what DR0 watches");
	check_eq(r.dr6 & 15, 1, "DR6's low bits");
	check_eq(user_watched, 5, "what was written");
	clear();
	user_regs(&r, user_writes);
	r.rdi = (u64)&user_watched;
	run_user(&r, BY_IRET);
	check_user(&r, VECTOR_SYSCALL, 0, "a write without a watchpoint");
}

TEST(user_breakpoint_on_syscall)
{
	struct regs r;

	/* At the instruction after SYSCALL, where the switcher's exit leads back to */
	hc_set_debugreg(2, (u64)user_writes + 9);
	hc_set_debugreg(7, DR7_L(2));
	user_regs(&r, user_writes);
	r.rdi = (u64)&user_watched;
	for (int how = BY_SYSRET; how <= BY_IRET; how++) {
		user_regs(&r, user_writes + 9);
		r.rdi = (u64)&user_watched;
		run_user(&r, how);
		check_user(&r, X_DB, 0, "a breakpoint on the first instruction");
		check_eq(r.rip, (u64)user_writes + 9, "RIP");
		/* RF gets over it */
		r.rflags |= FL_RF;
		run_user(&r, BY_IRET);
		check(r.vector == VECTOR_SYSCALL || r.vector == X_UD, "RF set, but user code gives %s",
		      user_text(&r));
	}
	clear();
}

TEST(hypervisor_addresses)
{
	static const u64 bad[] = {
		HOLE_BASE, HOLE_BASE + 0x1000, HOLE_BASE + 0x2000, HOLE_BASE + 0x3000,
		HOLE_BASE + 0x8000, HOLE_BASE + 0x10000, HOLE_BASE + 0xfff8, 0xffff81fffffffff8,
		0xff00000000002000, 0xfffffe0000000000, 0xfffffe0000001000, 0xfffffe0000003000,
		0xffffffff81e00000, 0xffffffff82000000, 1UL << 47, 1UL << 63, ~7UL,
	};
	struct regs r;
	long ret;

	/* Refused, or taken and without effect: exits go on as before */
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		for (u64 rw = 0; rw < 4; rw++) {
			for (int n = 0; n < 4; n++) {
				ret = hc_set_debugreg(n, bad[i]);
				check(ret == 0 || ret >= -4095, "SET_DEBUGREG(%d, %#lx) returns %ld", n,
				      bad[i], ret);
			}
			hc_set_debugreg(7, 0xff | DR7_RW(0, rw) | DR7_RW(1, rw) | DR7_RW(2, rw) |
					DR7_RW(3, rw) | (rw ? DR7_LEN(0, 3) | DR7_LEN(1, 2) : 0));
			hc_yield();
			TRY("ud2");
			if (!check_trap(X_UD, 0, "ud2 with breakpoints at %#lx", bad[i]))
				return clear();
			user_regs(&r, user_writes);
			r.rdi = (u64)&user_watched;
			run_user(&r, BY_SYSRET);
			if (!check_user(&r, VECTOR_SYSCALL, 0, "user code"))
				return clear();
			sleep_ns(20000);
		}
	}
	clear();
}

TEST(watchpoint_on_the_vcpu_page)
{
	struct regs r;

	/* The hypervisor writes it through a mapping of its own: no hit, no harm */
	hc_set_debugreg(0, (u64)&vp->rip);
	hc_set_debugreg(1, (u64)&vp->pending);
	hc_set_debugreg(7, DR7_L(0) | DR7_RW(0, RW_ACCESS) | DR7_LEN(0, 2) |
			DR7_L(1) | DR7_RW(1, RW_ACCESS));
	asm volatile("ud2_here: nop");
	sleep_ns(50000);
	hc_set_debugreg(7, 0);
	irq_disable();
	user_regs(&r, user_writes);
	r.rdi = (u64)&user_watched;
	run_user(&r, BY_SYSRET);
	check_user(&r, VECTOR_SYSCALL, 0, "user code");
	clear();
}

TEST(strange_dr7)
{
	static const u64 values[] = { ~0UL, BIT(13), 0xffffffff, 0x400, BIT(11), BIT(32), BIT(63), 0x2000,
				      DR7_L(0) | DR7_RW(0, 2), DR7_L(0) | DR7_LEN(0, 1) };
	u64 before;

	/* GD would make the host's own use of the registers trap */
	for (unsigned int i = 0; i < ARRAY_SIZE(values); i++) {
		long ret = hc_set_debugreg(7, values[i]);

		check(ret == 0 || ret >= -4095, "SET_DEBUGREG(7, %#lx) returns %ld", values[i], ret);
		hc_yield();
		TRY("ud2");
		check_trap(X_UD, 0, "ud2 with DR7 = %#lx", values[i]);
		hc_set_debugreg(7, 0);
	}
	before = get(6);
	for (int i = 0; i < 64; i++) {
		long ret = hc_set_debugreg(6, BIT(i));

		check(ret == 0 || ret >= -4095, "SET_DEBUGREG(6, %#lx) returns %ld", BIT(i), ret);
	}
	(void)before;
	clear();
}

TEST(survives_sleep)
{
	/* Whoever else used the registers meanwhile */
	hc_set_debugreg(3, (u64)&watched[3]);
	hc_set_debugreg(7, DR7_L(3) | DR7_RW(3, RW_WRITE) | DR7_LEN(3, 2));
	for (int i = 0; i < 20; i++) {
		sleep_ns(200000);
		TRY_IO("movq $1, (%0); nop; nop", : : "r"(&watched[3]) : "memory");
		if (!check_trap(X_DB, 0, "a write to what DR3 watches"))
			break;
	}
	clear();
}
