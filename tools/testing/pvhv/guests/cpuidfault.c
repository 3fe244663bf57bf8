// SPDX-License-Identifier: GPL-2.0
/*
 * cpuidfault: CPUID that faults, in kernel and user mode.
 *
 * QEMU has no CPU on which it does. But the hypervisor looks at the instruction by the
 * guest's page tables, and the CPU executes what the TLB has: with an entry that was
 * changed and not flushed the one is CPUID and the other CLTS, which raises #GP.
 */
#include "lib/guest.h"

#define UVA	0x50000000UL
#define KVA	(SCRATCH_BASE + 0x3000000000)

/* 32-bit code of ring 3 */
static u64 desc32(u64 base)
{
	return 0x00cffb000000ffffUL | (base & 0xffffffUL) << 16 | ((base >> 24) & 0xffUL) << 56;
}

static u8 *clts, *other;	/* pages, two of each */

static bool no_faults(void)
{
	if (start_info.features & PVHV_F_CPUID_FAULTING)
		return false;
	skip("CPUID does not fault");
	return true;
}

/* What follows is the same in both, so it does not matter which the CPU takes. */
static void fill(unsigned int offset, const u8 *insn, unsigned int len, u8 after)
{
	if (!clts) {
		clts = alloc_pages_2m();
		other = clts + 2 * PAGE_SIZE;
	}
	memset(clts, 0xcc, 2 * PAGE_SIZE);
	memset(other, 0xcc, 2 * PAGE_SIZE);
	clts[offset] = 0x0f;
	clts[offset + 1] = 0x06;
	memcpy(other + offset, insn, len);
	clts[offset + len] = after;
	other[offset + len] = after;
}

/* Both pages, to the hypervisor and, if flushed, to the CPU */
static void map(u64 va, const u8 *to, u64 flags)
{
	map_page(va, gpa_of(to), flags | PTE_P | PTE_A);
	map_page(va + PAGE_SIZE, gpa_of(to + PAGE_SIZE), flags | PTE_P | PTE_A);
}

static void flush(u64 va)
{
	flush_page(va);
	flush_page(va + PAGE_SIZE);
}

/* The CPU has CLTS at r->rip now; the tables will say what is in the other pages. */
static void user_stale(struct regs *r, unsigned int offset)
{
	struct regs first = *r;

	map(UVA, clts, PTE_U);
	flush(UVA);
	first.rflags &= ~FL_TF;
	run_user(&first, BY_IRET);
	check_user(&first, X_GP, 0, "CLTS in user mode");
	check_eq(first.rip, r->rip, "RIP of the #GP");
	/* Have the page behind it in the TLB, too. */
	first = *r;
	first.rip += offset + 16 >= PAGE_SIZE ? 16 : 0;
	if (first.rip != r->rip)
		run_user(&first, BY_IRET);
	map(UVA, other, PTE_U);
}

static const u8 cpuid_insn[] = { 0x0f, 0xa2 };

static void begin(struct regs *r, u32 leaf, u32 sub)
{
	user_regs(r, (void *)UVA);
	/* The upper halves do not count, and are zero afterwards. */
	r->rax = leaf | 0xdead00000000;
	r->rcx = sub | 0xbeef00000000;
	r->rbx = ~0UL;
	r->rdx = ~0UL;
}

static void user_result(const struct regs *r, u32 leaf, u32 sub, u64 rip)
{
	u32 a, b, c, d;

	cpuid(leaf, sub, &a, &b, &c, &d);
	check_user(r, X_BP, 0, "CPUID(%#x, %u)", leaf, sub);
	check_eq(r->rip, rip, "RIP after CPUID and INT3");
	check(r->rax == a && r->rbx == b && r->rcx == c && r->rdx == d,
	      "CPUID(%#x, %u) is %#lx %#lx %#lx %#lx, not %#x %#x %#x %#x", leaf, sub, r->rax,
	      r->rbx, r->rcx, r->rdx, a, b, c, d);
}

TEST(user_mode)
{
	static const u32 leaves[] = {
		0, 1, 2, 4, 7, 0xb, 0xd, 0x40000000, 0x40000001, 0x80000000, 0x80000001, ~0U,
	};
	struct regs r;

	if (no_faults())
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(leaves); i++) {
		for (u32 sub = 0; sub < 3; sub++) {
			fill(0, cpuid_insn, 2, 0xcc);
			begin(&r, leaves[i], sub);
			user_stale(&r, 0);
			run_user(&r, BY_IRET);
			user_result(&r, leaves[i], sub, UVA + 3);
		}
	}
}

TEST(prefixes)
{
	static const struct {
		u8 insn[15];
		unsigned int len;
	} forms[] = {
		{ { 0x66, 0x0f, 0xa2 }, 3 },
		{ { 0x48, 0x0f, 0xa2 }, 3 },
		{ { 0xf3, 0x67, 0x4f, 0x0f, 0xa2 }, 5 },
		{ { 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e,
		    0x0f, 0xa2 }, 15 },
	};
	struct regs r;

	if (no_faults())
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(forms); i++) {
		fill(0, forms[i].insn, forms[i].len, 0xcc);
		begin(&r, 1, 0);
		user_stale(&r, 0);
		run_user(&r, BY_IRET);
		user_result(&r, 1, 0, UVA + forms[i].len + 1);
	}
}

TEST(across_two_pages)
{
	struct regs r;

	if (no_faults())
		return;
	fill(PAGE_SIZE - 1, cpuid_insn, 2, 0xcc);
	begin(&r, 7, 0);
	r.rip = UVA + PAGE_SIZE - 1;
	user_stale(&r, PAGE_SIZE - 1);
	run_user(&r, BY_IRET);
	user_result(&r, 7, 0, UVA + PAGE_SIZE + 2);

	/* The second one is gone when it is looked at. */
	begin(&r, 7, 0);
	r.rip = UVA + PAGE_SIZE - 1;
	user_stale(&r, PAGE_SIZE - 1);
	map_page(UVA + PAGE_SIZE, 0, 0);
	run_user(&r, BY_IRET);
	check_user(&r, X_GP, 0, "half of CPUID");
	check_eq(r.rip, UVA + PAGE_SIZE - 1, "RIP of the #GP");
}

/* Nothing else may be taken for it, nor what the program cannot execute. */
TEST(other_faults)
{
	static const u8 others[][3] = {
		{ 0x0f, 0x06 }, { 0x0f, 0x32 }, { 0xf4, 0xa2 }, { 0xf0, 0x0f, 0xa2 },
		{ 0xfa, 0xfa },
	};
	struct regs r;

	if (no_faults())
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++) {
		fill(0, others[i], 3, 0xcc);
		begin(&r, 1, 0);
		user_stale(&r, 0);
		run_user(&r, BY_IRET);
		check_user(&r, X_GP, 0, "instruction %u", i);
		check_eq(r.rip, UVA, "RIP of the #GP");
		check_eq(r.rbx, ~0UL, "RBX");
	}
	fill(0, cpuid_insn, 2, 0xcc);
	begin(&r, 1, 0);
	user_stale(&r, 0);
	map(UVA, other, 0);
	run_user(&r, BY_IRET);
	check_user(&r, X_GP, 0, "CPUID in a page of the kernel");
	begin(&r, 1, 0);
	user_stale(&r, 0);
	map(UVA, other, PTE_U | PTE_NX);
	run_user(&r, BY_IRET);
	check_user(&r, X_GP, 0, "CPUID in a page of data");
}

TEST(a_step)
{
	struct regs r;

	if (no_faults())
		return;
	fill(0, cpuid_insn, 2, 0x90);
	begin(&r, 1, 0);
	r.rflags |= FL_TF;
	user_stale(&r, 0);
	run_user(&r, BY_IRET);
	check_user(&r, X_DB, 0, "a step over CPUID");
	check_eq(r.rip, UVA + 2, "RIP after the step");
	check_eq(r.dr6 & 0x400f, BIT(14), "DR6");
	check_eq(r.rflags & FL_RF, 0, "RF");
}

/* 32-bit code, where it begins at 0 and elsewhere */
TEST(compatibility_mode)
{
	static u64 ldt[2] __page_aligned;
	struct regs r;

	if (no_faults())
		return;
	fill(0, cpuid_insn, 2, 0xcc);
	begin(&r, 1, 0);
	r.rax = 1;
	r.rcx = 0;
	r.cs = SEL_USER32_CS;
	user_stale(&r, 0);
	run_user(&r, BY_IRET);
	user_result(&r, 1, 0, UVA + 3);

	ldt[1] = desc32(UVA - 0x1000);
	check_eq(hc_set_ldt((u64)ldt, 2), 0, "SET_LDT");
	begin(&r, 1, 0);
	r.rax = 1;
	r.rcx = 0;
	r.cs = SEL_LDT(1);
	r.rip = 0x1000;
	user_stale(&r, 0);
	run_user(&r, BY_IRET);
	user_result(&r, 1, 0, 0x1003);
	hc_set_ldt(0, 0);
}

TEST(kernel_mode)
{
	static const u32 leaves[] = { 0, 1, 7, 0xd, 0x40000000, 0x80000001 };
	u32 a, b, c, d;
	u64 ra, rb, rc, rd;

	if (no_faults())
		return;
	fill(0, cpuid_insn, 2, 0xc3);
	for (unsigned int i = 0; i < ARRAY_SIZE(leaves); i++) {
		map(KVA, clts, 0);
		flush(KVA);
		/* is nothing there, and then returns */
		asm volatile("call *%0" : : "r"(KVA) : "memory", "rax", "rbx", "rcx", "rdx");
		map(KVA, other, 0);
		asm volatile("call *%4" : "=a"(ra), "=b"(rb), "=c"(rc), "=d"(rd)
			     : "r"(KVA), "a"(leaves[i] | 0xdead00000000), "c"(0xbeef00000000)
			     : "memory");
		cpuid(leaves[i], 0, &a, &b, &c, &d);
		check(ra == a && rb == b && rc == c && rd == d,
		      "CPUID(%#x) is %#lx %#lx %#lx %#lx, not %#x %#x %#x %#x", leaves[i], ra, rb,
		      rc, rd, a, b, c, d);
	}
}
