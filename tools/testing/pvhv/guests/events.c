// SPDX-License-Identifier: GPL-2.0
/*
 * events: how exceptions and interrupts arrive, one after another and one
 * inside another.
 */
#include "lib/guest.h"

TEST(state_at_entry)
{
	TRY("pushfq; orq $0x44401, (%%rsp); popfq; ud2");
	check_trap(X_UD, 0, "ud2");
	check_eq(trap.rflags & (FL_AC | FL_NT | FL_DF | FL_CF), FL_AC | FL_NT | FL_DF | FL_CF,
		 "AC, NT, DF, CF in the event's RFLAGS");
	asm volatile("cld");
	check_eq(vp->in_delivery, 0, "IN_DELIVERY afterwards");
}

static u64 seen_flags, seen_gs, seen_vif;

static bool look(struct regs *regs, bool user)
{
	(void)user;
	asm volatile("pushfq; pop %0" : "=r"(seen_flags));
	asm volatile("mov %%gs:%c1, %0" : "=r"(seen_gs) : "i"(CPU_SELF));
	seen_vif = vp->vif;
	(void)regs;
	return false;
}

TEST(entry_registers)
{
	struct regs r;

	event_hook = look;
	irq_enable();
	TRY("pushfq; orq $0x44401, (%%rsp); popfq; ud2");
	check_eq(seen_flags & (FL_AC | FL_NT | FL_DF | FL_TF | FL_IF), FL_IF,
		 "RFLAGS in a kernel event handler");
	check_eq(seen_gs, (u64)&cpu0, "GS base in a kernel event handler");
	check_eq(seen_vif, 0, "VIF in a kernel event handler");
	check_eq(vp->vif, 1, "VIF after a kernel event");
	check_eq(trap.rflags & FL_IF, FL_IF, "IF in a kernel event's frame with VIF set");
	irq_disable();
	TRY("ud2");
	check_eq(trap.rflags & FL_IF, 0, "IF in a kernel event's frame with VIF clear");

	extern const char events_user_ud[];

	user_regs(&r, events_user_ud);
	r.rflags |= FL_AC | FL_DF | FL_NT | FL_CF;
	run_user(&r, BY_IRET);
	check_user(&r, X_UD, 0, "user code");
	check_eq(seen_flags & (FL_AC | FL_NT | FL_DF | FL_TF | FL_IF), FL_IF,
		 "RFLAGS in a user event handler");
	check_eq(seen_gs, (u64)&cpu0, "GS base in a user event handler");
	check_eq(seen_vif, 0, "VIF in a user event handler");
	check_eq(r.rflags & (FL_IF | FL_CF), FL_IF | FL_CF, "IF and CF in a user event's frame");
}

asm(".pushsection .user.text, \"ax\"\n"
    "events_user_ud: ud2\n"
    "events_user_syscall: syscall; ud2\n"
    "events_user_pf: mov (%rdi), %rax; syscall; ud2\n"
    ".popsection");
extern const char events_user_syscall[], events_user_pf[];

TEST(syscall_entry_registers)
{
	struct regs r;

	event_hook = look;
	user_regs(&r, events_user_syscall);
	r.rflags |= FL_AC | FL_DF | FL_NT | FL_CF;
	run_user(&r, BY_IRET);
	check_user(&r, VECTOR_SYSCALL, 0, "user code");
	check_eq(seen_flags & (FL_AC | FL_NT | FL_DF | FL_TF | FL_IF), FL_IF,
		 "RFLAGS in the system-call handler");
	check_eq(seen_gs, (u64)&cpu0, "GS base in the system-call handler");
	check_eq(seen_vif, 0, "VIF in the system-call handler");
	check_eq(r.rflags & (FL_AC | FL_NT | FL_DF | FL_CF), FL_AC | FL_NT | FL_DF | FL_CF,
		 "AC, NT, DF, CF in the system call's RFLAGS");
	check_eq(r.rip, (u64)events_user_syscall + 2, "RIP");
}

TEST(cr2_is_kept)
{
	u64 cr2;

	try_read(SCRATCH_BASE + 0x10008, NULL);
	cr2 = vp->cr2;
	check_eq(cr2, SCRATCH_BASE + 0x10008, "CR2");
	/* A shadow miss that the hypervisor serves is no page fault of the guest's */
	map_page(SCRATCH_BASE, gpa_of(alloc_page()), PTE_P | PTE_W);
	check(try_write(SCRATCH_BASE, 1), "a write to a mapped page faults");
	check_eq(vp->cr2, cr2, "CR2 after a hidden fault");
	TRY("ud2");
	check_eq(vp->cr2, cr2, "CR2 after #UD");
}

TEST(dr6_is_kept)
{
	TRY("pushfq; orq $0x100, (%%rsp); popfq; nop; nop");
	check_trap(X_DB, 0, "TF");
	vp->dr6 = 0x1234;
	TRY("ud2");
	check_eq(vp->dr6, 0x1234, "DR6 after #UD");
}

static unsigned int depth, deepest;

static bool nest(struct regs *regs, bool user)
{
	(void)user;
	if (regs->vector != X_UD)
		return false;
	if (++depth > deepest)
		deepest = depth;
	if (depth < 20)
		asm volatile("ud2");
	depth--;
	regs->rip += 2;
	return true;
}

TEST(nested_exceptions)
{
	event_hook = nest;
	asm volatile("ud2");
	check_eq(deepest, 20, "depth of nested exceptions");
	check_eq(depth, 0, "depth afterwards");
}

static u64 order[64];
static unsigned int nr_order;

static bool note_order(struct regs *regs, bool user)
{
	(void)user;
	if (regs->vector < 32)
		return false;
	if (nr_order < ARRAY_SIZE(order))
		order[nr_order++] = regs->vector;
	return true;
}

TEST(interrupts_wait_for_vif)
{
	static const u8 vectors[] = { 0x30, 0x41, 0xfb, 0xfd, 0x55, 0x20 };
	u64 all = 0;

	irq_disable();
	nr_order = 0;
	event_hook = note_order;
	for (unsigned int i = 0; i < ARRAY_SIZE(vectors); i++)
		hc_send_ipi(0, 1, vectors[i]);
	/* the same again: still one each */
	for (unsigned int i = 0; i < ARRAY_SIZE(vectors); i++)
		hc_send_ipi(0, 1, vectors[i]);
	check_eq(nr_order, 0, "number of interrupts with VIF clear");
	check_eq(vp->pending, 1, "PENDING");
	irq_enable();
	irq_disable();
	check_eq(nr_order, ARRAY_SIZE(vectors), "number of interrupts");
	for (unsigned int i = 0; i < nr_order; i++)
		for (unsigned int j = 0; j < ARRAY_SIZE(vectors); j++)
			if (order[i] == vectors[j])
				all |= BIT(j);
	check_eq(all, BIT(ARRAY_SIZE(vectors)) - 1, "set of vectors that came");
	check_eq(vp->pending, 0, "PENDING afterwards");
}

TEST(interrupt_window_with_nothing_pending)
{
	irq_disable();
	check_eq(hc_irq_window(), 0, "IRQ_WINDOW's result");
	vp->vif = 1;
	check_eq(hc_irq_window(), 0, "IRQ_WINDOW's result");
	irq_disable();
}

TEST(pending_written_by_the_guest)
{
	u64 before = 0, after = 0;

	for (unsigned int i = 0; i < 256; i++)
		before += irq_count[i];
	for (unsigned int i = 0; i < 256; i++) {
		vp->pending = i;
		vp->vif = i;
		check_eq(hc_irq_window(), 0, "IRQ_WINDOW's result");
		vp->vif = 0;
	}
	vp->pending = 0;
	for (unsigned int i = 0; i < 256; i++)
		after += irq_count[i];
	check_eq(after, before, "number of interrupts");
}

TEST(pending_cleared_by_the_guest)
{
	u64 before = irq_count[0x77];

	irq_disable();
	hc_send_ipi(0, 1, 0x77);
	vp->pending = 0;
	vp->vif = 1;
	hc_irq_window();
	irq_disable();
	check_eq(irq_count[0x77], before + 1, "number of interrupts");
}

TEST(nmi)
{
	u64 before;

	event_hook = note_order;
	nr_order = 0;
	before = trap.count;
	trap_reset();
	irq_disable();
	/* the NMI waits for VIF (or for user mode) like any interrupt */
	check_eq(hc_send_ipi(0, 1, X_NMI), 0, "SEND_IPI of an NMI");
	TRY("nop; nop");
	check_no_trap("an NMI with VIF clear");
	TRY_IO("movb $1, %%gs:0; mov $7, %%eax; syscall; nop; nop", : : : "rax", "rcx", "r11", "memory");
	check_trap(X_NMI, 0, "an NMI with VIF set");
	irq_disable();
	(void)before;
}

TEST(double_fault)
{
	u64 at;

	/* The stub cannot push the frame: that is what df_stack is for */
	TRY_IO("lea 1f(%%rip), %0; mov %1, %%rsp; 1: ud2",
	       : "=&r"(at) : "r"(SCRATCH_BASE + 0x200000));
	check(trap.double_fault, "ud2 with a bad RSP is no double fault but %s", trap_text(&trap));
	check_eq(trap.vector, X_DF, "vector");
	check_eq(trap.rip, at, "RIP of the first event");
	check_eq(trap.rsp, SCRATCH_BASE + 0x200000, "RSP of the first event");
	check_eq(trap.cr2, SCRATCH_BASE + 0x200000 - 8, "CR2");
	check_eq(vp->in_delivery, 0, "IN_DELIVERY afterwards");

	/* and a page fault as the first event */
	TRY_IO("mov %1, %%rsp; mov (%0), %0", : : "r"(SCRATCH_BASE + 0x300000),
	       "r"(SCRATCH_BASE + 0x201000));
	check(trap.double_fault, "a page fault with a bad RSP is no double fault but %s",
	      trap_text(&trap));
	check_eq(trap.cr2, SCRATCH_BASE + 0x201000 - 8, "CR2");
	TRY("ud2");
	check_trap(X_UD, 0, "an event after that");
	check(!trap.double_fault, "an event after that is a double fault");
}

TEST(double_fault_on_other_stacks)
{
	static const u64 stacks[] = {
		HOLE_BASE + 0x8000, 0x1000, USER_END, 8, 0, 0xffffffffffffffff, 0xffffffff80000008,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(stacks); i++) {
		TRY_IO("mov %0, %%rsp; ud2", : : "r"(stacks[i]));
		check(trap.double_fault, "ud2 with RSP %#lx is no double fault but %s", stacks[i],
		      trap_text(&trap));
	}
}

TEST(read_only_stack)
{
	u64 va = SCRATCH_BASE + 0x10000;

	map_page(va, gpa_of(alloc_page()), PTE_P | PTE_NX);
	TRY_IO("mov %0, %%rsp; ud2", : : "r"(va + 0x800));
	check(trap.double_fault, "ud2 on a read-only stack is no double fault but %s",
	      trap_text(&trap));
	check_eq(trap.cr2, va + 0x7f8, "CR2");
	*entry_of(current_root, va, 1) = 0;
	flush_page(va);
}

TEST(in_delivery_left_set)
{
	/*
	 * The guest never cleared it: its next page fault is a double fault,
	 * and the frame is what the page holds, not the page fault's
	 */
	TRY("ud2");
	TRY_IO("lea 1f(%%rip), %%rax\n"
	       "mov %%rax, %%gs:%c1\n"
	       "movb $1, %%gs:%c2\n"
	       "1: mov (%0), %%rax",
	       : : "r"(SCRATCH_BASE + 0x400000), "i"(PVHV_VP_RIP), "i"(PVHV_VP_IN_DELIVERY)
	       : "rax", "memory");
	check(trap.double_fault, "a page fault with IN_DELIVERY set is no double fault but %s",
	      trap_text(&trap));
	check_eq(trap.cr2, SCRATCH_BASE + 0x400000, "CR2");
	vp->in_delivery = 0;
}

TEST(in_delivery_holds_user_events_up)
{
	struct regs r;

	/* It is about kernel mode's entry code; user mode's events clear it */
	vp->in_delivery = 1;
	user_regs(&r, events_user_pf);
	r.rdi = 0x123000;
	run_user(&r, BY_IRET);
	check_user(&r, X_PF, PF_U, "user code");
	check_eq(r.cr2, 0x123000, "CR2");
	vp->in_delivery = 0;
}

TEST(interrupts_during_delivery)
{
	u64 before = irq_count[PVHV_VECTOR_TIMER], end;

	/* A storm of exceptions under a storm of timer interrupts */
	irq_enable();
	end = now() + 20000000;
	while (now() < end) {
		hc_set_timer(now() + 20000);
		for (unsigned int i = 0; i < 20; i++) {
			TRY("ud2");
			if (!check_trap(X_UD, 0, "ud2"))
				return irq_disable();
		}
	}
	irq_disable();
	check(irq_count[PVHV_VECTOR_TIMER] > before, "no timer interrupt came");
}
