// SPDX-License-Identifier: GPL-2.0
/*
 * returns: the three returns with frames that no CPU would load, or would load
 * and then do something special.
 *
 * The hypervisor must neither fault itself (SYSRET to a non-canonical address
 * faults in ring 0 on Intel) nor let a frame reach more than user mode may.
 */
#include "lib/guest.h"

asm(".pushsection .user.text, \"ax\"\n"
    "user_syscall: syscall; ud2\n"
    "user_flags: pushfq; pop %rax; syscall; ud2\n"
    "user_nops: nop; nop; nop; syscall; ud2\n"
    "user_unaligned: mov %rsp, %rax; mov 1(%rax), %rcx; syscall; ud2\n"
    "user_step_syscall: syscall; nop; nop; ud2\n"
    ".code32\n"
    "user_compat_bp: int3\n"
    ".code64\n"
    ".popsection");
extern const char user_syscall[], user_flags[], user_nops[], user_unaligned[], user_step_syscall[],
	user_compat_bp[];

static const u64 non_canonical[] = {
	0x0000800000000000, 0x8000000000000000, 0x4141414141414141, 0xffff7fffffffffff,
	0x7fffffffffffffff,
};

TEST(sysret_to_non_canonical_rip)
{
	struct regs r;

	for (unsigned int i = 0; i < ARRAY_SIZE(non_canonical); i++) {
		user_regs(&r, (void *)non_canonical[i]);
		run_user(&r, BY_SYSRET);
		check_user(&r, X_GP, 0, "SYSRET to %#lx", non_canonical[i]);
		check_eq(r.rip, non_canonical[i], "RIP");
	}
}

TEST(iret_to_non_canonical_rip)
{
	struct regs r;

	for (unsigned int i = 0; i < ARRAY_SIZE(non_canonical); i++) {
		user_regs(&r, (void *)non_canonical[i]);
		r.rax = 0xaaaa;
		r.rcx = 0xcccc;
		r.r11 = 0x1111;
		run_user(&r, BY_IRET);
		check_user(&r, X_GP, 0, "IRET to %#lx", non_canonical[i]);
		check_eq(r.rip, non_canonical[i], "RIP");
		check_eq(r.cs, SEL_USER_CS, "CS");
		check(r.rax == 0xaaaa && r.rcx == 0xcccc && r.r11 == 0x1111,
		      "RAX, RCX or R11 did not come through");
	}
}

TEST(non_canonical_rsp)
{
	struct regs r;

	for (unsigned int i = 0; i < ARRAY_SIZE(non_canonical) * 2; i++) {
		u64 rsp = non_canonical[i / 2];

		user_regs(&r, user_syscall);
		r.rsp = rsp;
		run_user(&r, i & 1 ? BY_IRET : BY_SYSRET);
		check_user(&r, VECTOR_SYSCALL, 0, "user code with RSP %#lx", rsp);
		check_eq(r.rsp, rsp, "RSP");
	}
}

TEST(kernel_and_hole_addresses)
{
	static const u64 rips[] = {
		0xffffffff81000000, DIRECT_BASE, HOLE_BASE, HOLE_BASE + 0x2000,
		0xffff810000000000, 0xffff81ffffffffff, 0xffff82ffffffffff, 0xffffffffff600000,
		0xffffffffffffffff, 0xffffffff80000000,
	};
	struct regs r;

	for (unsigned int i = 0; i < ARRAY_SIZE(rips) * 2; i++) {
		u64 rip = rips[i / 2];

		user_regs(&r, (void *)rip);
		run_user(&r, i & 1 ? BY_IRET : BY_SYSRET);
		/* P is set where the guest's own tables map something */
		check(r.vector == X_PF && (r.error & ~PF_P) == (PF_U | PF_I),
		      "a return to %#lx gives %s", rip, user_text(&r));
		check_eq(r.cr2, rip, "CR2");
		check_eq(r.rip, rip, "RIP");
	}
}

TEST(last_byte_of_the_user_half)
{
	u64 *page = alloc_page();
	struct regs r;

	map_page(USER_END - PAGE_SIZE, gpa_of(page), PTE_P | PTE_W | PTE_U);
	map_page(USER_END, gpa_of(page), PTE_P | PTE_W | PTE_U);
	/* SYSCALL as the last instruction: RIP becomes non-canonical */
	((u8 *)page)[4094] = 0x0f;
	((u8 *)page)[4095] = 0x05;
	user_regs(&r, (void *)(USER_END + 4094));
	run_user(&r, BY_SYSRET);
	check_user(&r, VECTOR_SYSCALL, 0, "SYSCALL at the end of the user half");
	check_eq(r.rip, 0x800000000000, "RIP");
	run_user(&r, BY_SYSRET);
	check_user(&r, X_GP, 0, "SYSRET to where it came from");
	check_eq(r.rip, 0x800000000000, "RIP");
	r.cs = SEL_USER_CS;
	r.ss = SEL_USER_DS;
	run_user(&r, BY_IRET);
	check_user(&r, X_GP, 0, "IRET to where it came from");

	/* and the page before it */
	user_regs(&r, (void *)(USER_END - PAGE_SIZE + 4094));
	run_user(&r, BY_SYSRET);
	check_user(&r, VECTOR_SYSCALL, 0, "SYSCALL in front of the last page");
	check_eq(r.rip, USER_END, "RIP");
	/* running off the end */
	((u8 *)page)[4094] = 0x90;
	((u8 *)page)[4095] = 0x90;
	user_regs(&r, (void *)(USER_END + 4094));
	run_user(&r, BY_SYSRET);
	check_user(&r, X_GP, 0, "running out of the user half");
	*entry_of(current_root, USER_END, 1) = 0;
	*entry_of(current_root, USER_END - PAGE_SIZE, 1) = 0;
	flush_page(USER_END - PAGE_SIZE);
	flush_page(USER_END);
}

/* Selectors that IRET must refuse: as #GP from user mode, frame as it was */
TEST(iret_bad_cs)
{
	static const u16 bad[] = {
		0, 1, 2, 3, 0x10, 0x13, 0x08, 0x0b, 0x18, 0x1b, 0x20, 0x30, 0x31, 0x32, 0x2b, 0x28,
		0x40, 0x43, 0x48, 0x50, 0x63, 0x6b, 0x73, 0x7b, 0x7f, 0x80, 0x83, 0xf0, 0xfff8, 0xffff,
		SEL_LDT(0), SEL_LDT(8191),
	};
	struct regs r;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		user_regs(&r, user_syscall);
		r.cs = bad[i];
		run_user(&r, BY_IRET);
		check(user_is(&r, X_GP, ANY_ERROR) || user_is(&r, X_NP, ANY_ERROR),
		      "IRET with CS %#x gives %s", bad[i], user_text(&r));
		check(r.error == 0 || r.error == (bad[i] & ~3u), "error code is %#lx for CS %#x",
		      r.error, bad[i]);
		check_eq(r.cs, bad[i], "the frame's CS");
		check_eq(r.rip, (u64)user_syscall, "the frame's RIP");
		check_eq(r.ss, SEL_USER_DS, "the frame's SS");
	}
}

TEST(iret_bad_ss)
{
	static const u16 bad[] = {
		0, 1, 2, 3, 0x10, 0x13, 0x18, 0x1b, 0x28, 0x29, 0x2a, 0x20, 0x23, 0x33, 0x30,
		0x40, 0x43, 0x63, 0x7b, 0x7f, 0xfff8, 0xffff, SEL_LDT(0), SEL_LDT(8191),
	};
	struct regs r;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		user_regs(&r, user_syscall);
		r.ss = bad[i];
		run_user(&r, BY_IRET);
		check(user_is(&r, X_GP, ANY_ERROR) || user_is(&r, X_SS, ANY_ERROR) ||
		      user_is(&r, X_NP, ANY_ERROR), "IRET with SS %#x gives %s", bad[i], user_text(&r));
		check_eq(r.ss, bad[i], "the frame's SS");
		check_eq(r.cs, SEL_USER_CS, "the frame's CS");
		check_eq(r.rip, (u64)user_syscall, "the frame's RIP");
	}
}

TEST(iret_garbage_above_selectors)
{
	struct regs r;

	/* IRET looks at 16 bits only; a refusal is as good */
	user_regs(&r, user_syscall);
	r.cs |= 0xdead0000;
	r.ss |= 0xbeef00000000;
	run_user(&r, BY_IRET);
	check(user_is(&r, VECTOR_SYSCALL, 0) || user_is(&r, X_GP, ANY_ERROR),
	      "IRET with bits above the selectors gives %s", user_text(&r));
}

/* What user mode sees in RFLAGS after a return with every bit set in turn */
TEST(flags)
{
	/* VM, VIP, VIF and reserved bits: clear in user mode, or the frame is refused */
	const u64 kept = 0xcd5 | FL_AC | FL_ID | FL_NT | FL_IF | FL_RF;
	struct regs r;

	for (int how = BY_SYSRET; how <= BY_IRET; how++) {
		for (unsigned int bit = 0; bit < 64; bit++) {
			u64 may = BIT(bit) & kept & ~FL_RF;

			if (BIT(bit) == FL_TF)
				continue;
			user_regs(&r, user_flags);
			r.rflags |= BIT(bit);
			run_user(&r, how);
			if (user_is(&r, X_GP, 0) && !(BIT(bit) & kept))
				continue;
			if (BIT(bit) == FL_AC && user_is(&r, X_AC, 0))
				continue;
			check_user(&r, VECTOR_SYSCALL, 0, "bit %u in RFLAGS, by %s", bit,
				   how == BY_IRET ? "IRET" : "SYSRET");
			if (how == BY_SYSRET)
				may &= ~FL_NT;
			check((r.rax & ~(FL_IF | 2)) == (may & ~(FL_IF | 2)) ||
			      (r.rax & ~(FL_IF | 2)) == 0,
			      "with bit %u by %s user mode has RFLAGS %#lx", bit,
			      how == BY_IRET ? "IRET" : "SYSRET", r.rax);
			check(may == 0 || r.rax & may, "bit %u of RFLAGS is lost by %s", bit,
			      how == BY_IRET ? "IRET" : "SYSRET");
			check(r.rax & FL_IF, "IF is clear in user mode");
			check(!(r.rax & FL_IOPL), "user mode has IOPL: %#lx", r.rax);
		}
	}
}

TEST(flags_without_if)
{
	struct regs r;

	for (int how = BY_SYSRET; how <= BY_IRET; how++) {
		user_regs(&r, user_flags);
		r.rflags = 0;
		run_user(&r, how);
		check_user(&r, VECTOR_SYSCALL, 0, "a return with RFLAGS 0");
		check(r.rax & FL_IF, "IF is clear in user mode");
		check(r.rflags & FL_IF, "the system call's frame has no IF");
	}
}

TEST(flags_all_ones)
{
	struct regs r;

	for (int how = BY_SYSRET; how <= BY_IRET; how++) {
		user_regs(&r, user_flags);
		r.rflags = ~0UL;
		run_user(&r, how);
		check(user_is(&r, X_DB, 0) || user_is(&r, X_GP, 0) || user_is(&r, X_AC, 0) ||
		      user_is(&r, VECTOR_SYSCALL, 0), "RFLAGS of all ones give %s", user_text(&r));
		check(!(r.rflags & FL_IOPL), "user mode has IOPL: %#lx", r.rflags);
		user_regs(&r, user_flags);
		r.rflags = FL_IOPL | FL_IF;
		run_user(&r, how);
		check_user(&r, VECTOR_SYSCALL, 0, "a return with IOPL 3");
		check_eq(r.rax & FL_IOPL, 0, "IOPL");
	}
}

TEST(single_step)
{
	struct regs r;

	user_regs(&r, user_nops);
	r.rflags |= FL_TF;
	run_user(&r, BY_IRET);
	check_user(&r, X_DB, 0, "IRET with TF");
	check_eq(r.rip, (u64)user_nops + 1, "RIP after one instruction");
	check(r.dr6 & BIT(14), "DR6 is %#lx: no BS", r.dr6);
	check(r.rflags & FL_TF, "the event's frame has no TF");
	run_user(&r, BY_IRET);
	check_user(&r, X_DB, 0, "IRET with TF");
	check_eq(r.rip, (u64)user_nops + 2, "RIP after two instructions");

	user_regs(&r, user_nops);
	r.rflags |= FL_TF;
	run_user(&r, BY_SYSRET);
	check_user(&r, VECTOR_SYSCALL, 0, "SYSRET takes TF as clear, and");

	/* RF keeps nothing from single-stepping */
	user_regs(&r, user_nops);
	r.rflags |= FL_TF | FL_RF;
	run_user(&r, BY_IRET);
	check_user(&r, X_DB, 0, "IRET with TF and RF");
	check_eq(r.rip, (u64)user_nops + 1, "RIP after one instruction");
}

TEST(single_step_over_syscall)
{
	struct regs r;

	user_regs(&r, user_step_syscall);
	r.rflags |= FL_TF;
	run_user(&r, BY_IRET);
	check_user(&r, VECTOR_SYSCALL, 0, "SYSCALL with TF");
	check_eq(r.rip, (u64)user_step_syscall + 2, "RIP");
	check(r.rflags & FL_TF, "the system call's RFLAGS are %#lx: no TF", r.rflags);
	r.cs = SEL_USER_CS;
	r.ss = SEL_USER_DS;
	run_user(&r, BY_IRET);
	check_user(&r, X_DB, 0, "the return with TF");
	check_eq(r.rip, (u64)user_step_syscall + 3, "RIP after the next instruction");
}

TEST(alignment_check)
{
	struct regs r;

	user_regs(&r, user_unaligned);
	run_user(&r, BY_IRET);
	check_user(&r, VECTOR_SYSCALL, 0, "an unaligned access without AC");
	user_regs(&r, user_unaligned);
	r.rflags |= FL_AC;
	run_user(&r, BY_IRET);
	check(user_is(&r, X_AC, 0) || user_is(&r, VECTOR_SYSCALL, 0),
	      "an unaligned access with AC gives %s", user_text(&r));
	if (r.vector != X_AC)
		skip("this CPU does not check alignment");
}

TEST(compat_above_4g)
{
	struct regs r;

	/* A 32-bit code segment runs what is in the low half of RIP, or is refused */
	user_regs32(&r, user_compat_bp);
	r.rip |= 0x1234UL << 32;
	run_user(&r, BY_IRET);
	check(user_is(&r, X_BP, 0) || user_is(&r, X_GP, ANY_ERROR) || user_is(&r, X_PF, ANY_ERROR),
	      "IRET to %#lx with a 32-bit CS gives %s", (u64)user_compat_bp | 0x1234UL << 32,
	      user_text(&r));
	user_regs32(&r, (void *)0xffffffff);
	run_user(&r, BY_IRET);
	check(r.vector == X_PF, "IRET to 4 GiB - 1 gives %s", user_text(&r));
}

TEST(rcx_r11_after_sysret)
{
	struct regs r;

	user_regs(&r, user_syscall);
	r.rcx = 0x1234;
	r.r11 = 0x5678;
	run_user(&r, BY_SYSRET);
	/* user_syscall's own SYSCALL has overwritten them, so look at an exception */
	user_regs(&r, (void *)(user_syscall + 2));
	r.rcx = 0x1234;
	r.r11 = 0x5678;
	run_user(&r, BY_SYSRET);
	check_user(&r, X_UD, 0, "ud2");
	check_eq(r.rcx, (u64)user_syscall + 2, "RCX");
	check_eq(r.r11 | FL_IF, FL_IF | 2, "R11");
}

/* The kernel-mode return, with frames that leave kernel mode's bounds */
TEST(ret_kernel_restores)
{
	u64 rcx, r11;
	u8 carry;

	irq_disable();
	vp->rflags = FL_IF | FL_CF | 2;
	vp->rcx = 0xc0c0;
	vp->r11 = 0x1111;
	asm volatile("lea 1f(%%rip), %%rax\n"
		     "mov %%rax, %%gs:%c3\n"
		     "mov %%rsp, %%gs:%c4\n"
		     "jmp ret_kernel - 2\n"
		     "1: setc %0; mov %%r11, %2\n"
		     : "=b"(carry), "=&c"(rcx), "=r"(r11)
		     : "i"(PVHV_VP_RIP), "i"(PVHV_VP_RSP)
		     : "rax", "r11", "memory", "cc");
	check_eq(r11, 0x1111, "R11");
	check_eq(carry, 1, "CF");
	check_eq(rcx, 0xc0c0, "RCX");
	check_eq(vp->vif, 1, "VIF");
	irq_disable();
}

TEST(ret_kernel_flags)
{
	static const u64 bits[] = { FL_IOPL, FL_VM, FL_VIF, FL_VIP, ~0UL & ~FL_TF, 1UL << 63 };
	u64 flags;

	for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++) {
		vp->rflags = bits[i];
		asm volatile("lea 1f(%%rip), %%rax\n"
			     "mov %%rax, %%gs:%c1\n"
			     "mov %%rsp, %%gs:%c2\n"
			     "jmp ret_kernel - 2\n"
			     "1: pushfq; pop %0; push $2; popfq\n"
			     : "=r"(flags) : "i"(PVHV_VP_RIP), "i"(PVHV_VP_RSP)
			     : "rax", "rcx", "r11", "memory", "cc");
		check(!(flags & (FL_IOPL | FL_VM | FL_VIF | FL_VIP)), "RFLAGS are %#lx", flags);
		check(flags & FL_IF, "the hardware's IF is clear");
		irq_disable();
	}
}

TEST(pending_interrupt_at_return)
{
	u64 before = irq_count[PVHV_VECTOR_TIMER], end = now() + 1000000000;
	struct regs r;

	for (int how = BY_SYSRET; how <= BY_IRET; how++) {
		irq_disable();
		hc_set_timer(now());
		while (!READ_ONCE(vp->pending) && now() < end)
			;
		user_regs(&r, user_syscall);
		run_user(&r, how);
		check_user(&r, VECTOR_SYSCALL, 0, "user code");
		check_eq(irq_count[PVHV_VECTOR_TIMER], ++before, "number of timer interrupts");
	}
}
