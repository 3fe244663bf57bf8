// SPDX-License-Identifier: GPL-2.0
/*
 * directfaults: page faults in user mode that are told before the hypervisor has looked
 * at the guest's tables (PVHV_SETUP_DIRECT_FAULTS), and PAGE_FAULT, which looks.
 */
#include "lib/guest.h"

#define UVA	0x50000000000UL

#define hc_page_fault(gva, error)	hypercall2(PVHV_HC_PAGE_FAULT, gva, error)

static struct pvhv_vcpu_setup s __attribute__((aligned(256)));

static long set_up(u64 flags)
{
	vcpu_setup_fill(&s, &cpu0);
	s.flags = flags;
	return hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(&s));
}

static bool direct(void)
{
	if (start_info.features & PVHV_F_DIRECT_FAULTS)
		return check_eq(set_up(PVHV_SETUP_DIRECT_FAULTS), 0, "VCPU_SETUP");
	skip("the host does not offer it");
	return false;
}

TEST(flags)
{
	bool offered = start_info.features & PVHV_F_DIRECT_FAULTS;

	check_eq(offered, have_fsgsbase(), "that it is offered");
	check_eq(set_up(PVHV_SETUP_DIRECT_FAULTS), offered ? 0 : -PVHV_EINVAL, "VCPU_SETUP");
	for (int bit = 1; bit < 64; bit++)
		check_eq(set_up(BIT(bit)), -PVHV_EINVAL, "VCPU_SETUP with bit %d", bit);
	check_eq(set_up(0), 0, "VCPU_SETUP without flags");
}

asm(".pushsection .user.text, \"ax\"\n"
    "user_read: mov (%rdi), %rax; syscall; ud2\n"
    "user_write: mov %rax, (%rdi); syscall; ud2\n"
    "user_jump: jmp *%rdi\n"
    "user_keeps_gs: wrgsbase %rsi; mov (%rdi), %rax; rdgsbase %rbx; syscall; ud2\n"
    "user_pages: mov %rsi, %rcx\n"
    "1: mov (%rdi), %rax; add %rax, %rbx; add $4096, %rdi; dec %rcx; jnz 1b; syscall; ud2\n"
    ".code32\n"
    "user_read32: mov (%edi), %eax; int3\n"
    ".code64\n"
    ".popsection");
extern const char user_read[], user_write[], user_jump[], user_keeps_gs[], user_pages[],
		  user_read32[];

static struct regs first;	/* as the first fault came */
static u64 nr_faults, entry_flags, entry_gs, entry_vif;
static long answer;		/* of PAGE_FAULT, to the last one */

/* Ask, and go back if the tables are not to blame. */
static bool ask(struct regs *regs, bool user)
{
	if (!user || regs->vector != X_PF)
		return false;
	/* of the program's code or stack */
	if (regs->cr2 < USER_BASE + 0x1000000)
		return !hc_page_fault(regs->cr2, regs->error);
	if (!nr_faults++) {
		first = *regs;
		asm volatile("pushfq; pop %0" : "=r"(entry_flags));
		asm volatile("mov %%gs:%c1, %0" : "=r"(entry_gs) : "i"(CPU_SELF));
		entry_vif = vp->vif;
	}
	answer = hc_page_fault(regs->cr2, regs->error);
	return !answer;
}

static void run_asking(struct regs *r)
{
	nr_faults = 0;
	answer = -1000;
	event_hook = ask;
	run_user(r, BY_IRET);
	event_hook = NULL;
}

/* Run @code, whose operand is at @va. */
static void run_at(struct regs *r, const char *code, u64 va)
{
	user_regs(r, code);
	r->rdi = va;
	run_asking(r);
}

/* A page of which the shadow knows nothing */
static u64 *new_page(u64 va, u64 flags)
{
	u64 *p = alloc_page();

	map_page(va, gpa_of(p), flags);
	flush_page(va);
	p[1] = 4711;
	return p;
}

TEST(miss)
{
	struct regs r;

	if (!direct())
		return;
	new_page(UVA, PTE_P | PTE_W | PTE_U);
	user_regs(&r, user_read);
	r.rdi = UVA + 8;
	r.rax = 1; r.rbx = 2; r.rcx = 3; r.rdx = 4; r.rsi = 5; r.rbp = 6; r.r8 = 8; r.r9 = 9;
	r.r10 = 10; r.r11 = 11; r.r12 = 12; r.r13 = 13; r.r14 = 14; r.r15 = 15;
	r.rflags |= FL_CF | FL_AC | FL_DF | FL_NT;
	run_asking(&r);
	check_user(&r, VECTOR_SYSCALL, 0, "the read");
	check_eq(r.rax, 4711, "what was read");
	check_eq(nr_faults, 1, "page faults that were told");
	check_eq(answer, 0, "PAGE_FAULT");
	check_eq(first.cr2, UVA + 8, "CR2");
	check_eq(first.error & ~(u64)PF_P, PF_U, "the error code but P");
	check_eq(first.rip, (u64)user_read, "RIP");
	check_eq(first.rsp, r.rsp, "RSP");
	check_eq(first.cs, SEL_USER_CS, "CS");
	check_eq(first.ss, SEL_USER_DS, "SS");
	check_eq(first.rflags & (FL_CF | FL_AC | FL_DF | FL_NT | FL_IF | FL_TF),
		 FL_CF | FL_AC | FL_DF | FL_NT | FL_IF, "RFLAGS");
	check(first.rax == 1 && first.rbx == 2 && first.rcx == 3 && first.rdx == 4 &&
	      first.rsi == 5 && first.rbp == 6 && first.r8 == 8 && first.r9 == 9 &&
	      first.r10 == 10 && first.r11 == 11 && first.r12 == 12 && first.r13 == 13 &&
	      first.r14 == 14 && first.r15 == 15, "a register is not what it was");
	check(r.rbx == 2 && r.rdx == 4 && r.rsi == 5 && r.rbp == 6 && r.r8 == 8 && r.r9 == 9 &&
	      r.r10 == 10 && r.r12 == 12 && r.r13 == 13 && r.r14 == 14 && r.r15 == 15,
	      "a register has not come back");
	check_eq(entry_flags & (FL_AC | FL_NT | FL_DF | FL_TF | FL_IF), FL_IF,
		 "the handler's RFLAGS");
	check_eq(entry_gs, (u64)&cpu0, "the handler's GS base");
	check_eq(entry_vif, 0, "the handler's VIF");
	check_eq(*entry_of(current_root, UVA, 1) & (PTE_A | PTE_D), PTE_A, "A and D");
	/* it is there now */
	run_at(&r, user_read, UVA + 8);
	check_user(&r, VECTOR_SYSCALL, 0, "another read");
	check_eq(nr_faults, 0, "page faults of another read");
}

TEST(write_after_read)
{
	struct regs r;
	u64 *p;

	if (!direct())
		return;
	p = new_page(UVA, PTE_P | PTE_W | PTE_U);
	run_at(&r, user_read, UVA);
	user_regs(&r, user_write);
	r.rdi = UVA;
	r.rax = 815;
	run_asking(&r);
	check_user(&r, VECTOR_SYSCALL, 0, "the write");
	check_eq(nr_faults, 1, "page faults, as D is not set");
	check_eq(first.error & ~(u64)PF_P, PF_U | PF_W, "the error code but P");
	check_eq(p[0], 815, "what was written");
	check_eq(*entry_of(current_root, UVA, 1) & (PTE_A | PTE_D), PTE_A | PTE_D, "A and D");
}

static const struct {
	const char *what, *code;
	u64 flags, error;
} refused[] = {
	{ "a read of nothing", user_read, 0, PF_U },
	{ "a write to nothing", user_write, 0, PF_U | PF_W },
	{ "a jump to nothing", user_jump, 0, PF_U | PF_I },
	{ "a read of a supervisor page", user_read, PTE_P | PTE_W, PF_U | PF_P },
	{ "a write to a supervisor page", user_write, PTE_P | PTE_W, PF_U | PF_W | PF_P },
	{ "a write to a read-only page", user_write, PTE_P | PTE_U, PF_U | PF_W | PF_P },
	{ "a jump to a page without X", user_jump, PTE_P | PTE_U | PTE_NX, PF_U | PF_I | PF_P },
};

TEST(the_guests_own)
{
	struct regs r;

	if (!direct())
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(refused); i++) {
		/* with and without something in the shadow */
		for (int read_before = 0; read_before < 2; read_before++) {
			new_page(UVA, refused[i].flags);
			if (read_before)
				try_read(UVA, NULL);
			run_at(&r, refused[i].code, UVA);
			check(r.vector == X_PF, "%s gives %s", refused[i].what, user_text(&r));
			check_eq(r.cr2, UVA, "CR2 of %s", refused[i].what);
			check_eq(r.error & ~(u64)PF_P, refused[i].error & ~(u64)PF_P,
				 "error code of %s but P", refused[i].what);
			check_eq(answer, refused[i].error, "PAGE_FAULT of %s", refused[i].what);
		}
	}
}

/* An entry above the leaf, or a leaf of 2 MiB, that permits less; and what is not RAM */
TEST(above_the_leaf)
{
	u64 *upper;
	struct regs r;

	if (!direct())
		return;
	for (int level = 2; level <= 4; level++) {
		for (u64 bit = PTE_W; bit <= PTE_U; bit <<= 1) {
			u64 error = PF_U | PF_W | PF_P;

			new_page(UVA, PTE_P | PTE_W | PTE_U);
			upper = entry_of(current_root, UVA, level);
			*upper &= ~bit;
			hc_flush_range(UVA, UVA + PAGE_SIZE, 0, PVHV_FLUSH_FREED_TABLES);
			run_at(&r, user_write, UVA);
			check(r.vector == X_PF, "level %d without %#lx gives %s", level, bit,
			      user_text(&r));
			check_eq(answer, error, "PAGE_FAULT, level %d without %#lx", level, bit);
			*upper |= bit;
			hc_flush_range(UVA, UVA + PAGE_SIZE, 0, PVHV_FLUSH_FREED_TABLES);
			run_at(&r, user_write, UVA);
			check_user(&r, VECTOR_SYSCALL, 0, "the write");
		}
	}
	for (u64 flags = PTE_P | PTE_U; flags <= (PTE_P | PTE_U | PTE_W); flags += PTE_W) {
		u64 *big = alloc_pages_2m();

		big[512 * 7] = 77;
		*make_entry(current_root, UVA + 0x40000000, 2) = gpa_of(big) | flags | PTE_PS;
		hc_flush_range(UVA + 0x40000000, UVA + 0x40200000, 0, PVHV_FLUSH_FREED_TABLES);
		run_at(&r, user_read, UVA + 0x40000000 + 7 * PAGE_SIZE);
		check_user(&r, VECTOR_SYSCALL, 0, "a read of a big page");
		check_eq(r.rax, 77, "what was read");
		run_at(&r, user_write, UVA + 0x40000000 + 8 * PAGE_SIZE);
		check_eq(answer, flags & PTE_W ? 0 : PF_U | PF_W | PF_P,
			 "PAGE_FAULT of a big page");
	}
	map_page(UVA, 1UL << 40, PTE_P | PTE_W | PTE_U);
	flush_page(UVA);
	run_at(&r, user_read, UVA);
	check_eq(answer, PF_U | PF_P | PF_RSVD, "PAGE_FAULT of a page that is not RAM");
}

/* Pages that the host has to make first: the hypercall is done again then. */
TEST(not_there_yet)
{
	struct regs r;

	if (!direct())
		return;
	for (u64 i = 0; i < 50; i++) {
		/* the last RAM, which nobody has touched */
		map_page(UVA, ram_end - (i + 1) * PAGE_SIZE, PTE_P | PTE_W | PTE_U);
		flush_page(UVA);
		run_at(&r, user_read, UVA);
		check_user(&r, VECTOR_SYSCALL, 0, "the read");
		check_eq(r.rax, 0, "what was read");
		check_eq(nr_faults, 1, "page faults");
	}
}

/* What is not told at once comes with what the tables say. */
TEST(elsewhere)
{
	static const u64 kernel[] = {
		DIRECT_BASE, KERNEL_BASE + IMAGE_GPA, HOLE_BASE, SCRATCH_BASE,
	};
	struct regs r;

	if (!direct())
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(kernel); i++) {
		run_at(&r, user_read, kernel[i]);
		check(r.vector == X_PF, "a read of %#lx gives %s", kernel[i], user_text(&r));
		check_eq(answer, -PVHV_EINVAL, "PAGE_FAULT of %#lx", kernel[i]);
	}
	run_at(&r, user_read, BIT(47));
	check_user(&r, X_GP, 0, "a read at a non-canonical address");
	run_at(&r, user_read, BIT(47) - 4);
	check(r.vector == X_PF || r.vector == X_GP || r.vector == X_SS,
	      "a read across the end of the user half gives %s", user_text(&r));
	/* and in kernel mode */
	new_page(UVA, PTE_P | PTE_W | PTE_U);
	check(try_read(UVA, NULL), "a read in kernel mode gives %s", trap_text(&trap));
	map_page(UVA, 0, 0);
	flush_page(UVA);
	try_write(UVA, 1);
	check_trap(X_PF, PF_W, "a write to nothing in kernel mode");
}

TEST(bad_arguments)
{
	static const u64 bad[] = { BIT(47), ~0UL, HOLE_BASE, DIRECT_BASE, KERNEL_BASE, BIT(63) };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		check_eq(hc_page_fault(bad[i], PF_U), -PVHV_EINVAL, "PAGE_FAULT of %#lx", bad[i]);
	map_page(UVA, 0, 0);
	flush_page(UVA);
	for (u64 bit = 0; bit < 64; bit++) {
		bool good = BIT(bit) & (PF_P | PF_W | PF_I | PF_U);

		check_eq(hc_page_fault(UVA, PF_U | BIT(bit)),
			 good ? (PF_U | BIT(bit)) & ~(u64)PF_P : (u64)-PVHV_EINVAL,
			 "PAGE_FAULT with bit %lu", bit);
	}
	check_eq(hc_page_fault(UVA, PF_W), -PVHV_EINVAL, "PAGE_FAULT of kernel mode");
	check_eq(hc_page_fault(BIT(47) - 1, PF_U), PF_U, "PAGE_FAULT of the last byte");
}

TEST(gs_base_is_kept)
{
	struct regs r;

	if (!direct())
		return;
	new_page(UVA, PTE_P | PTE_U);
	user_regs(&r, user_keeps_gs);
	r.rdi = UVA;
	r.rsi = 0x123456789000;
	run_asking(&r);
	check_user(&r, VECTOR_SYSCALL, 0, "user code");
	check_eq(nr_faults, 1, "page faults");
	check_eq(entry_gs, (u64)&cpu0, "the handler's GS base");
	check_eq(r.rbx, 0x123456789000, "user mode's GS base afterwards");
}

TEST(in_32_bits)
{
	struct regs r;

	if (!direct())
		return;
	new_page(0x60000000, PTE_P | PTE_U);
	user_regs32(&r, user_read32);
	r.rdi = 0x60000008;
	run_asking(&r);
	check_user(&r, X_BP, 0, "the read");
	check_eq(r.rax, 4711, "what was read");
	check_eq(nr_faults, 1, "page faults");
	check_eq(first.cs, SEL_USER32_CS, "CS");
}

TEST(single_stepped)
{
	struct regs r;

	if (!direct())
		return;
	new_page(UVA, PTE_P | PTE_U);
	user_regs(&r, user_read);
	r.rdi = UVA;
	r.rflags |= FL_TF;
	run_asking(&r);
	check_user(&r, X_DB, ANY_ERROR, "the instruction that was stepped");
	check_eq(nr_faults, 1, "page faults");
	check_eq(entry_flags & FL_TF, 0, "TF in the handler");
	check_eq(first.rflags & FL_TF, FL_TF, "TF in the frame");
	check_eq(r.rip, (u64)user_read + 3, "RIP after the step");
}

#define PAGES	64

/* Many, with interrupts in between and of each kind: all are told, none twice. */
TEST(again_and_again)
{
	u64 before = irq_count[PVHV_VECTOR_TIMER], wanted = 0, end = now() + 500000000;
	struct regs r;
	u64 rounds;

	if (!direct())
		return;
	for (u64 i = 0; i < PAGES; i++) {
		*(u64 *)new_page(UVA + i * PAGE_SIZE, PTE_P | PTE_U) = i * i;
		wanted += i * i;
	}
	for (rounds = 0; rounds < 20 || now() < end; rounds++) {
		/* out of the shadow, and there again */
		for (u64 i = 0; i < PAGES; i++)
			*entry_of(current_root, UVA + i * PAGE_SIZE, 1) &= ~PTE_P;
		hc_flush_range(UVA, UVA + PAGES * PAGE_SIZE, 0, 0);
		for (u64 i = 0; i < PAGES; i++)
			*entry_of(current_root, UVA + i * PAGE_SIZE, 1) |= PTE_P;
		hc_set_timer(now() + 20000 + rounds % 50 * 1000);
		user_regs(&r, user_pages);
		r.rdi = UVA;
		r.rsi = PAGES;
		run_asking(&r);
		if (!check(user_is(&r, VECTOR_SYSCALL, 0), "user code gives %s", user_text(&r)) ||
		    !check_eq(r.rbx, wanted, "the sum") ||
		    !check(nr_faults >= 1 && nr_faults <= PAGES, "%lu page faults", nr_faults))
			break;
	}
	hc_set_timer(0);
	check(irq_count[PVHV_VECTOR_TIMER] > before, "no interrupts in %lu rounds", rounds);
	printf("# %lu rounds, %lu interrupts\n", rounds, irq_count[PVHV_VECTOR_TIMER] - before);
}

TEST(off_again)
{
	struct regs r;

	if (!direct())
		return;
	check_eq(set_up(0), 0, "VCPU_SETUP");
	new_page(UVA, PTE_P | PTE_U);
	run_at(&r, user_read, UVA);
	check_user(&r, VECTOR_SYSCALL, 0, "the read");
	check_eq(nr_faults, 0, "page faults of a shadow's miss");
}
