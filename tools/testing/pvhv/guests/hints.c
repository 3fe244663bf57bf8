// SPDX-License-Identifier: GPL-2.0
/*
 * hints: "this PTE has become present". A hint may be dropped, and a lie must
 * show the guest nothing that its tables do not.
 */
#include "lib/guest.h"

#define KVA	(SCRATCH_BASE + 0x4000000000)
#define UVA	0x50000000000UL

static void hint(u64 va, u64 further)
{
	vp->hints[vp->nr_hints] = (va & PAGE_MASK) | further;
	barrier();
	vp->nr_hints++;
}

TEST(consumed_by_sync)
{
	long r;

	vp->nr_hints = 0;
	for (u64 i = 0; i < 10; i++) {
		map_page(UVA + i * PAGE_SIZE, gpa_of(alloc_page()), PTE_P | PTE_W | PTE_U);
		hint(UVA + i * PAGE_SIZE, 0);
	}
	r = hc_sync_hints();
	check(r >= 0, "SYNC_HINTS returns %ld", r);
	check_eq(vp->nr_hints, 0, "NR_HINTS afterwards");
	for (u64 i = 0; i < 10; i++)
		check(try_write(UVA + i * PAGE_SIZE, i), "a hinted page faults: %s", trap_text(&trap));
}

asm(".pushsection .user.text, \"ax\"\n"
    "user_syscall: syscall; ud2\n"
    "user_read: mov (%rdi), %rax; syscall; ud2\n"
    ".popsection");
extern const char user_syscall[], user_read[];

TEST(consumed_by_return)
{
	struct regs r;

	for (int how = BY_SYSRET; how <= BY_IRET; how++) {
		hint(UVA, 9);
		hint(KVA, 0);
		user_regs(&r, user_syscall);
		run_user(&r, how);
		check_user(&r, VECTOR_SYSCALL, 0, "user code");
		check_eq(vp->nr_hints, 0, "NR_HINTS after a return to user mode");
	}
}

TEST(accessed_and_dirty)
{
	u64 va = UVA + 0x100000, *e;
	u64 *p = alloc_page();

	/* Filling by a hint may set A; D only a write may */
	map_page(va, gpa_of(p), PTE_P | PTE_W | PTE_U);
	e = entry_of(current_root, va, 1);
	hint(va, 0);
	hc_sync_hints();
	check_eq(*e & PTE_D, 0, "D after a hint");
	check(try_write(va, 1), "a write gives %s", trap_text(&trap));
	check_eq(*e & (PTE_A | PTE_D), PTE_A | PTE_D, "A and D after a write");
}

static const u64 bad_pages[] = {
	0, 0x1000, USER_BASE, HOLE_BASE, HOLE_BASE + 0x1000, HOLE_BASE + 0x10000, 0xffff81fffffff000,
	0xffffffff81000000, DIRECT_BASE, 0xfffffffffffff000, 0x7ffffffff000, 0x800000000000,
	0xffff7ffffffff000, 0x8000000000000000, 0x4141414141414000, KVA, UVA + 0x40000000,
	0xff00000000000000,
};

TEST(lies)
{
	struct regs r;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad_pages); i++) {
		for (u64 further = 0; further < 4096; further += 819) {
			hint(bad_pages[i], further);
			check(hc_sync_hints() >= 0, "SYNC_HINTS fails for %#lx", bad_pages[i]);
			check_eq(vp->nr_hints, 0, "NR_HINTS afterwards");
		}
		hint(bad_pages[i], 4095);
		user_regs(&r, user_syscall);
		run_user(&r, BY_SYSRET);
		check_user(&r, VECTOR_SYSCALL, 0, "user code");
	}
	/* nothing has appeared */
	try_read(HOLE_BASE + 0x1000, NULL);
	check(trap.vector == X_PF, "a hint has opened the hole: %s", trap_text(&trap));
	try_read(UVA + 0x40000000, NULL);
	check_trap(X_PF, 0, "a page that was hinted but not mapped");
	user_regs(&r, user_read);
	r.rdi = 0xffffffff81000000;
	run_user(&r, BY_SYSRET);
	check_user(&r, X_PF, ANY_ERROR, "a user read of kernel text that was hinted");
	user_regs(&r, user_read);
	r.rdi = HOLE_BASE;
	run_user(&r, BY_SYSRET);
	check_user(&r, X_PF, ANY_ERROR, "a user read of the hole that was hinted");
}

TEST(supervisor_page_hinted)
{
	u64 va = UVA + 0x200000;
	struct regs r;

	map_page(va, gpa_of(alloc_page()), PTE_P | PTE_W);
	hint(va, 0);
	hc_sync_hints();
	user_regs(&r, user_read);
	r.rdi = va;
	run_user(&r, BY_SYSRET);
	check_user(&r, X_PF, PF_U | PF_P, "a user read of a supervisor page that was hinted");
	check(try_read(va, NULL), "a kernel read of it gives %s", trap_text(&trap));
}

TEST(bad_entries_hinted)
{
	static const u64 entries[] = {
		~0UL, 1, PTE_P | 1UL << 51, PTE_P | PTE_W | PTE_U | PTE_ADDR, 0x8000000000000ffe,
		0xfee00000 | PTE_P | PTE_W | PTE_U, ~PTE_P,
	};
	u64 va = UVA + 0x300000, *e = make_entry(current_root, va, 1);

	for (unsigned int i = 0; i < ARRAY_SIZE(entries); i++) {
		*e = entries[i];
		hint(va, 3);
		check(hc_sync_hints() >= 0, "SYNC_HINTS fails for an entry of %#lx", entries[i]);
		try_write(va, 1);
		if (entries[i] != 1)
			check(trap.vector == X_PF, "an entry of %#lx: a write gives %s", entries[i],
			      trap_text(&trap));
		*e = 0;
		flush_page(va);
	}
}

TEST(counts)
{
	static const u32 counts[] = { PVHV_VP_MAX_HINTS, PVHV_VP_MAX_HINTS + 1, 1000, 0x7fffffff,
				      0x80000000, 0xffffffff };
	struct regs r;

	for (unsigned int i = 0; i < ARRAY_SIZE(counts); i++) {
		for (int j = 0; j < PVHV_VP_MAX_HINTS; j++)
			vp->hints[j] = UVA + (u64)j * 0x1234000 + j;
		memset((void *)vp->reserved4, 0x41, sizeof(vp->reserved4));
		vp->nr_hints = counts[i];
		check(hc_sync_hints() >= 0, "SYNC_HINTS of %u fails", counts[i]);
		check_eq(vp->nr_hints, 0, "NR_HINTS afterwards");
		vp->nr_hints = counts[i];
		user_regs(&r, user_syscall);
		run_user(&r, BY_IRET);
		check_user(&r, VECTOR_SYSCALL, 0, "user code");
	}
	vp->nr_hints = 0;
}

TEST(most_work)
{
	/* 96 hints of 4096 pages each: bounded, and not by much time */
	u64 t = now();

	for (int i = 0; i < 200; i++) {
		for (int j = 0; j < PVHV_VP_MAX_HINTS; j++)
			vp->hints[j] = (DIRECT_BASE + (u64)j * 0x1000000) | 4095;
		vp->nr_hints = PVHV_VP_MAX_HINTS;
		hc_sync_hints();
	}
	t = now() - t;
	printf("# %lu us for 96 hints of 4096 pages\n", t / 200000);
}

TEST(stale_hint)
{
	u64 va = UVA + 0x400000, value;
	u64 *p = alloc_page(), *q = alloc_page();

	/* Hinted, then changed and flushed before anybody looked */
	p[0] = 1;
	q[0] = 2;
	for (int i = 0; i < 100; i++) {
		map_page(va, gpa_of(p), PTE_P | PTE_W | PTE_U);
		hint(va, 0);
		map_page(va, gpa_of(q), PTE_P | PTE_U);
		flush_page(va);
		hint(va, 0);
		hc_sync_hints();
		try_read(va, &value);
		check_eq(value, 2, "what is mapped");
		try_write(va, 3);
		check_trap(X_PF, PF_P | PF_W, "a write to a read-only page");
		map_page(va, 0, 0);
		flush_page(va);
		hint(va, 0);
		hc_sync_hints();
		try_read(va, NULL);
		check_trap(X_PF, 0, "a read of an unmapped page");
	}
}
