// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv: what Linux does to page tables and how it tells: fork, munmap,
 * mprotect, copy-on-write, huge page collapse and split, reclaim.
 */
#include "testvm.h"

#define PAGES 20
#define CTX 1

static struct testvm *process(struct kunit *test, u64 *cr3, u64 flags)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	int i;

	*cr3 = testvm_new_table(vm);
	testvm_map_range(vm, *cr3, USER_VA, DATA_GFN, PAGES, flags);
	testvm_load(vm, *cr3, CTX, 1);
	for (i = 0; i < PAGES; i++)
		EXPECT_OK(vm, USER_VA + i * PAGE_SIZE, UR);
	return vm;
}

static void set_range(struct testvm *vm, u64 cr3, int first, int n, u64 clear, u64 set)
{
	for (; n--; first++) {
		u64 *pte = testvm_pte(vm, cr3, USER_VA + first * PAGE_SIZE, 1, G_TABLE);

		*pte = (*pte & ~clear) | set;
	}
}

/* fork: everything loses W; one pass, and reading needs no miss afterwards */
static void flush_fork(struct kunit *test)
{
	struct pvhv_mmu_flush fl;
	struct testvm *vm;
	u64 cr3, gen;
	int i;

	vm = process(test, &cr3, G_RW);
	gen = atomic64_read(&vm->mmu.tlb_gen);
	set_range(vm, cr3, 0, PAGES, PT_W, 0);
	EXPECT_HW(vm, USER_VA, UW, true);	/* not yet */
	fl = testvm_flush_all(vm, 2, PVHV_FLUSH_USER);
	KUNIT_EXPECT_TRUE(test, fl.any);
	KUNIT_EXPECT_FALSE(test, fl.single);
	KUNIT_EXPECT_EQ(test, fl.gen, (u64)atomic64_read(&vm->mmu.tlb_gen));
	/* one for all */
	KUNIT_EXPECT_EQ(test, fl.gen, gen + 1);
	KUNIT_EXPECT_EQ(test, vm->v->stats.narrowed, (u64)PAGES);
	KUNIT_EXPECT_EQ(test, vm->v->stats.zaps, 0ULL);
	vm->faults = 0;
	for (i = 0; i < PAGES; i++)
		EXPECT_OK(vm, USER_VA + i * PAGE_SIZE, UR);
	KUNIT_EXPECT_EQ(test, vm->faults, 0U);
	EXPECT_FAULT(vm, USER_VA, UW, PVHV_PF_P);
	testvm_check_agrees(vm);

	/* the last owner gets W back; the first write finds it */
	set_range(vm, cr3, 3, 1, 0, PT_W);
	EXPECT_OK(vm, USER_VA + 3 * PAGE_SIZE, UW);

	/* a second time there is nothing to do, and no reason to flush */
	gen = atomic64_read(&vm->mmu.tlb_gen);
	fl = testvm_flush_all(vm, 3, PVHV_FLUSH_USER);
	KUNIT_EXPECT_FALSE(test, fl.any);
	KUNIT_EXPECT_EQ(test, gen, (u64)atomic64_read(&vm->mmu.tlb_gen));
	KUNIT_EXPECT_EQ(test, vm->host_flushes, 0U);
	testvm_destroy(vm);
}

/* Copy-on-write: one page is replaced */
static void flush_cow(struct kunit *test)
{
	struct pvhv_mmu_flush fl;
	u64 cr3, va = USER_VA + 5 * PAGE_SIZE;
	struct testvm *vm;

	vm = process(test, &cr3, G_RO);
	EXPECT_FAULT(vm, va, UW, PVHV_PF_P);
	testvm_map(vm, cr3, va, 0, 0);
	fl = testvm_flush(vm, va, va + PAGE_SIZE, 2, 0);
	KUNIT_EXPECT_TRUE(test, fl.any);
	KUNIT_EXPECT_TRUE(test, fl.single);
	KUNIT_EXPECT_EQ(test, fl.gva, va);
	KUNIT_EXPECT_EQ(test, fl.gen, (u64)atomic64_read(&vm->mmu.tlb_gen));
	EXPECT_FAULT(vm, va, UR, 0);
	testvm_map(vm, cr3, va, DATA_GFN + 100, G_RW);
	testvm_hint(vm, va, 1);
	EXPECT_HW(vm, va, UW, true);
	KUNIT_EXPECT_EQ(test, (testvm_hw_pte(vm, vm->v, va, true) & PT_ADDR) >> 12,
			testvm_gfn(vm, DATA_GFN + 100)->pfn);
	/* the others have not noticed */
	KUNIT_EXPECT_EQ(test, testvm_present(vm), (unsigned int)PAGES);
	testvm_check_agrees(vm);

	/* a page that was not in the shadow at all */
	fl = testvm_flush(vm, USER_VA + 100 * PAGE_SIZE, USER_VA + 101 * PAGE_SIZE, 3, 0);
	KUNIT_EXPECT_FALSE(test, fl.any);
	testvm_destroy(vm);
}

/* The guest replaces a page and flushes only afterwards, or a bit at a time */
static void flush_late(struct kunit *test)
{
	struct testvm *vm;
	u64 cr3, gen;

	vm = process(test, &cr3, G_RW | PT_NX);
	/* X instead of W, without a flush: a miss adds X; W goes with the flush */
	set_range(vm, cr3, 0, 1, PT_W | PT_NX, 0);
	EXPECT_OK(vm, USER_VA, UX);
	EXPECT_HW(vm, USER_VA, UW, true);
	testvm_flush(vm, USER_VA, USER_VA + PAGE_SIZE, 2, 0);
	EXPECT_HW(vm, USER_VA, UW, false);
	EXPECT_HW(vm, USER_VA, UX, true);
	testvm_check_agrees(vm);

	/* another page, without a flush: a miss finds it, TLBs are told */
	gen = atomic64_read(&vm->mmu.tlb_gen);
	testvm_map(vm, cr3, USER_VA, DATA_GFN + 200, G_RW);
	EXPECT_OK(vm, USER_VA, UW);
	KUNIT_EXPECT_GT(test, (u64)atomic64_read(&vm->mmu.tlb_gen), gen);
	KUNIT_EXPECT_EQ(test, (testvm_hw_pte(vm, vm->v, USER_VA, true) & PT_ADDR) >> 12,
			testvm_gfn(vm, DATA_GFN + 200)->pfn);
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* By name, from a vCPU that has another address space loaded */
static void flush_by_name(struct kunit *test)
{
	struct testvm *vm;
	u64 cr3, other;

	vm = process(test, &cr3, G_RW);
	other = testvm_new_table(vm);
	vm->v = &vm->mv[1];
	KUNIT_ASSERT_EQ(test, 0, pvhv_mmu_topup(&vm->mmu, vm->v));
	testvm_load(vm, other, CTX + 1, 1);
	set_range(vm, cr3, 0, 4, PT_W, 0);
	testvm_flush_mm(vm, CTX, USER_VA, USER_VA + 4 * PAGE_SIZE, 2, 0);
	KUNIT_EXPECT_EQ(test, vm->root_flushes, 1U);
	KUNIT_EXPECT_EQ(test, vm->v->stats.narrowed, 4ULL);
	vm->v = &vm->mv[0];
	EXPECT_HW(vm, USER_VA + 3 * PAGE_SIZE, UW, false);
	EXPECT_HW(vm, USER_VA + 4 * PAGE_SIZE, UW, true);
	testvm_check_agrees(vm);

	/* nothing to do, but another vCPU may have done it just now */
	testvm_flush_mm(vm, CTX, USER_VA, USER_VA + 4 * PAGE_SIZE, 2, 0);
	KUNIT_EXPECT_EQ(test, vm->root_flushes, 2U);

	/* all of it, while it is loaded nowhere */
	testvm_load(vm, other, CTX + 1, 1);
	set_range(vm, cr3, 0, PAGES, PT_W, 0);
	testvm_flush_mm(vm, CTX, 0, 0, 3, 0);
	KUNIT_EXPECT_EQ(test, vm->root_flushes, 3U);
	testvm_load(vm, cr3, CTX, 3);
	EXPECT_HW(vm, USER_VA + (PAGES - 1) * PAGE_SIZE, UW, false);
	EXPECT_HW(vm, USER_VA + (PAGES - 1) * PAGE_SIZE, UR, true);
	testvm_check_agrees(vm);

	/* nobody's, and what is dropped while it is loaded */
	testvm_flush_mm(vm, CTX + 7, 0, 0, 3, 0);
	pvhv_mmu_mm_drop(&vm->mmu, CTX);
	testvm_flush_mm(vm, CTX, 0, 0, 4, 0);
	KUNIT_EXPECT_EQ(test, vm->root_flushes, 3U);
	testvm_destroy(vm);
}

/* Two page tables of one name: both */
static void flush_two_tables(struct kunit *test)
{
	struct testvm *vm;
	u64 cr3, other;

	vm = process(test, &cr3, G_RW);
	other = testvm_new_table(vm);
	testvm_map_range(vm, other, USER_VA, DATA_GFN, 4, G_RW);
	testvm_load(vm, other, CTX, 1);
	EXPECT_OK(vm, USER_VA, UW);
	set_range(vm, cr3, 0, 1, PT_W, 0);
	set_range(vm, other, 0, 1, PT_W, 0);
	testvm_flush_mm(vm, CTX, USER_VA, USER_VA + PAGE_SIZE, 2, 0);
	KUNIT_EXPECT_EQ(test, vm->root_flushes, 2U);
	EXPECT_HW(vm, USER_VA, UW, false);
	testvm_load(vm, cr3, CTX, 2);
	EXPECT_HW(vm, USER_VA, UW, false);
	EXPECT_HW(vm, USER_VA + PAGE_SIZE, UW, true);
	testvm_destroy(vm);
}

/* The name of what is loaded was dropped and given to another one, which is meant. */
static void flush_reused_name(struct kunit *test)
{
	struct testvm *vm;
	u64 cr3, other;

	vm = process(test, &cr3, G_RW);
	other = testvm_new_table(vm);
	testvm_map_range(vm, other, USER_VA, DATA_GFN, 4, G_RW);
	pvhv_mmu_mm_drop(&vm->mmu, CTX);
	vm->v = &vm->mv[1];
	KUNIT_ASSERT_EQ(test, 0, pvhv_mmu_topup(&vm->mmu, vm->v));
	testvm_load(vm, other, CTX, 1);
	EXPECT_OK(vm, USER_VA, UW);
	set_range(vm, other, 0, 1, PT_W, 0);
	vm->v = &vm->mv[0];
	testvm_flush_mm(vm, CTX, USER_VA, USER_VA + PAGE_SIZE, 2, 0);
	vm->v = &vm->mv[1];
	EXPECT_HW(vm, USER_VA, UW, false);
	testvm_destroy(vm);
}

/* Flushes of several vCPUs arrive in any order; when all have, a load has nothing to do. */
static void flush_out_of_order(struct kunit *test)
{
	static const u8 order[] = { 4, 3, 2, 6, 5, 7, 70, 8 };
	struct testvm *vm;
	unsigned int i;
	u64 cr3, resyncs;

	vm = process(test, &cr3, G_RW);
	for (i = 0; i < ARRAY_SIZE(order); i++)
		testvm_flush_mm(vm, CTX, USER_VA, USER_VA + PAGE_SIZE, order[i], 0);
	resyncs = vm->v->stats.resyncs;
	testvm_load(vm, cr3, CTX, 8);
	KUNIT_EXPECT_EQ(test, vm->v->stats.resyncs, resyncs);
	/* one is missing */
	testvm_flush_mm(vm, CTX, USER_VA, USER_VA + PAGE_SIZE, 10, 0);
	resyncs = vm->v->stats.resyncs;
	testvm_load(vm, cr3, CTX, 9);
	KUNIT_EXPECT_GT(test, vm->v->stats.resyncs, resyncs);
	/* and was compared with the rest, so 10 is reached, too; 70 was too far ahead */
	resyncs = vm->v->stats.resyncs;
	testvm_load(vm, cr3, CTX, 10);
	KUNIT_EXPECT_EQ(test, vm->v->stats.resyncs, resyncs);
	testvm_load(vm, cr3, CTX, 70);
	KUNIT_EXPECT_GT(test, vm->v->stats.resyncs, resyncs);
	testvm_destroy(vm);
}

/* mprotect: part of a table, all kinds of permissions */
static void flush_mprotect(struct kunit *test)
{
	static const struct {
		u64 clear, set;
		u32 still, no_more;
	} change[] = {
		{ PT_W, 0, UR, UW },
		{ 0, PT_NX, UW, UX },
		{ PT_U, 0, UR, UR },
		{ PT_D, 0, UR, UW },
		{ PT_A, 0, UR, UR },
		{ PT_P, 0, UR, UR },
	};
	int i, k;

	for (i = 0; i < ARRAY_SIZE(change); i++) {
		struct pvhv_mmu_flush fl;
		struct testvm *vm;
		u64 cr3;

		vm = process(test, &cr3, G_RW);
		set_range(vm, cr3, 3, 9, change[i].clear, change[i].set);
		fl = testvm_flush(vm, USER_VA + 3 * PAGE_SIZE, USER_VA + 12 * PAGE_SIZE, 2, 0);
		KUNIT_EXPECT_TRUE(test, fl.any);
		for (k = 0; k < PAGES; k++) {
			u64 va = USER_VA + k * PAGE_SIZE;
			bool in = k >= 3 && k < 12;

			EXPECT_HW(vm, va, change[i].no_more, !in);
			if (change[i].still != change[i].no_more)
				EXPECT_HW(vm, va, change[i].still, true);
		}
		testvm_check_agrees(vm);
		testvm_destroy(vm);
	}
}

/* Ranges do what they say and no more; partial pages count */
static void flush_exact_range(struct kunit *test)
{
	struct testvm *vm;
	u64 cr3;
	int k;

	vm = process(test, &cr3, G_RW);
	set_range(vm, cr3, 0, PAGES, PT_P, 0);
	testvm_flush(vm, USER_VA + 0x3fff, USER_VA + 0x5001, 0, 0);
	for (k = 0; k < PAGES; k++)
		EXPECT_HW(vm, USER_VA + k * PAGE_SIZE, UR, k < 3 || k > 5);
	testvm_flush(vm, USER_VA + 0x7000, USER_VA + 0x7000, 0, 0);
	testvm_flush(vm, USER_VA + 0x9000, USER_VA + 0x7000, 0, 0);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), PAGES - 3U);
	/* the kernel half and user half apart */
	testvm_flush_all(vm, 0, PVHV_FLUSH_KERNEL);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), PAGES - 3U);
	testvm_flush_all(vm, 0, PVHV_FLUSH_USER | PVHV_FLUSH_KERNEL);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), 0U);
	testvm_destroy(vm);
}

/* munmap with freed tables; the same table comes back with other contents */
static void flush_munmap(struct kunit *test)
{
	u64 cr3, *pmd, table, leaves;
	struct testvm *vm;

	vm = process(test, &cr3, G_RW);
	pmd = testvm_pte(vm, cr3, USER_VA, 2, G_TABLE);
	table = *pmd;
	*pmd = 0;
	testvm_flush(vm, USER_VA, USER_VA + PAGES * PAGE_SIZE, 2, PVHV_FLUSH_FREED_TABLES);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), 0U);
	EXPECT_FAULT(vm, USER_VA, UR, 0);
	testvm_check(vm);

	/* the emptied table of ours serves again */
	leaves = vm->v->cache.nr_tables[0];
	testvm_ptr(vm, table & PT_ADDR)[0] = (DATA_GFN + 300) << 12 | G_RW;
	*pmd = table;
	EXPECT_OK(vm, USER_VA, UW);
	KUNIT_EXPECT_EQ(test, (u64)vm->v->cache.nr_tables[0], leaves);

	/* freed and reused in one go: same place, other contents */
	testvm_ptr(vm, table & PT_ADDR)[0] = (DATA_GFN + 301) << 12 | G_RW;
	testvm_ptr(vm, table & PT_ADDR)[7] = 0;
	testvm_flush(vm, USER_VA, USER_VA + PAGE_SIZE, 3, PVHV_FLUSH_FREED_TABLES);
	testvm_check_agrees(vm);

	/* another table in its place */
	*pmd = testvm_new_table(vm) | G_TABLE;
	testvm_map(vm, cr3, USER_VA, DATA_GFN + 302, G_RW);
	testvm_flush(vm, USER_VA, USER_VA + PAGE_SIZE, 4, PVHV_FLUSH_FREED_TABLES);
	testvm_check_agrees(vm);
	EXPECT_OK(vm, USER_VA, UW);

	/* another one without a flush, the old one was missed through */
	*pmd = testvm_new_table(vm) | G_TABLE;
	testvm_map(vm, cr3, USER_VA + PAGE_SIZE, DATA_GFN + 303, G_RW);
	testvm_flush_all(vm, 5, PVHV_FLUSH_USER);
	EXPECT_OK(vm, USER_VA + PAGE_SIZE, UR);
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* Many emptied tables: few are kept, TLBs and walkers are flushed before reuse */
static void flush_keeps_few(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm);
	int i, n = 100;

	testvm_load(vm, cr3, 1, 1);
	for (i = 0; i < n; i++) {
		testvm_map(vm, cr3, USER_VA + i * PVHV_L1_SPAN, DATA_GFN + i, G_RW);
		EXPECT_OK(vm, USER_VA + i * PVHV_L1_SPAN, UW);
	}
	KUNIT_EXPECT_EQ(test, vm->host_flushes, 0U);
	for (i = 0; i < n; i++)
		*testvm_pte(vm, cr3, USER_VA + i * PVHV_L1_SPAN, 2, G_TABLE) = 0;
	testvm_flush_all(vm, 0, PVHV_FLUSH_USER);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), 0U);
	KUNIT_EXPECT_LE(test, vm->v->root->user.nr_leaves, (u32)PVHV_MMU_KEEP_TABLES);
	KUNIT_EXPECT_GT(test, vm->host_flushes, 0U);
	testvm_check(vm);
	testvm_destroy(vm);
}

/* khugepaged and back: a table becomes a large leaf, a large leaf a table */
static void flush_collapse_split(struct kunit *test)
{
	u64 cr3, *pmd, table;
	struct testvm *vm;
	int i;

	vm = process(test, &cr3, G_RW);
	pmd = testvm_pte(vm, cr3, USER_VA, 2, G_TABLE);
	table = *pmd;
	*pmd = 0;
	testvm_flush(vm, USER_VA, USER_VA + PVHV_L1_SPAN, 2, 0);
	EXPECT_FAULT(vm, USER_VA, UW, 0);
	*pmd = HIGH_GFN << 12 | G_RW | PT_PS;
	testvm_hint(vm, USER_VA, 512);
	EXPECT_HW(vm, USER_VA + 511 * PAGE_SIZE, UW, true);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), 512U);
	testvm_check_agrees(vm);

	/* fork: one entry changes, 512 of ours */
	*pmd &= ~PT_W;
	testvm_flush_all(vm, 3, PVHV_FLUSH_USER);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), 512U);
	EXPECT_HW(vm, USER_VA + 511 * PAGE_SIZE, UW, false);
	EXPECT_HW(vm, USER_VA + 511 * PAGE_SIZE, UR, true);
	testvm_check_agrees(vm);
	*pmd |= PT_W;
	EXPECT_OK(vm, USER_VA, UW);

	/* D and A cleared */
	*pmd &= ~PT_D;
	testvm_flush(vm, USER_VA + PAGE_SIZE, USER_VA + 2 * PAGE_SIZE, 4, 0);
	EXPECT_HW(vm, USER_VA, UW, false);
	testvm_check_agrees(vm);
	*pmd &= ~PT_A;
	testvm_flush(vm, USER_VA, USER_VA + PVHV_L1_SPAN, 5, 0);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), 0U);
	EXPECT_OK(vm, USER_VA, UW);

	/* split into the same pages: all of it must go, and come back */
	for (i = 0; i < 512; i++)
		testvm_ptr(vm, table & PT_ADDR)[i] = (HIGH_GFN + i) << 12 | G_RW;
	*pmd = table;
	testvm_flush(vm, USER_VA, USER_VA + PVHV_L1_SPAN, 6, 0);
	EXPECT_OK(vm, USER_VA + 0x5000, UW);
	testvm_check_agrees(vm);

	/* and to a large leaf; from there to another, by a flush of any page of it */
	*pmd = (HIGH_GFN + 512) << 12 | G_RW | PT_PS;
	testvm_flush(vm, USER_VA, USER_VA + PVHV_L1_SPAN, 7, 0);
	testvm_check_agrees(vm);
	EXPECT_OK(vm, USER_VA + 0x5000, UW);
	*pmd = (HIGH_GFN + 1024) << 12 | G_RW | PT_PS;
	testvm_flush(vm, USER_VA, USER_VA + PAGE_SIZE, 8, 0);
	testvm_check_agrees(vm);
	/* ... with a supervisor's */
	*pmd = (HIGH_GFN + 1024) << 12 | G_RW | PT_PS;
	EXPECT_OK(vm, USER_VA + 0x5000, UW);
	*pmd &= ~PT_U;
	testvm_flush(vm, USER_VA, USER_VA + PAGE_SIZE, 9, 0);
	EXPECT_FAULT(vm, USER_VA + 0x5000, UR, PVHV_PF_P);
	EXPECT_OK(vm, USER_VA + 0x5000, KX);
	*pmd |= PT_U;
	testvm_flush(vm, USER_VA, USER_VA + PAGE_SIZE, 10, 0);
	EXPECT_FAULT(vm, USER_VA + 0x5000, KX, PVHV_PF_P);
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* A change above the leaf tables, told by a flush of what it covers, or more */
static void flush_upper_levels(struct kunit *test)
{
	int level;

	for (level = 2; level <= 4; level++) {
		struct testvm *vm;
		u64 cr3, *entry;

		vm = process(test, &cr3, G_RW);
		entry = testvm_pte(vm, cr3, USER_VA, level, G_TABLE);
		*entry &= ~PT_W;
		testvm_flush(vm, USER_VA, USER_VA + PVHV_L1_SPAN, 2, 0);
		testvm_check_agrees(vm);
		EXPECT_FAULT(vm, USER_VA + PAGE_SIZE, UW, PVHV_PF_P);
		EXPECT_HW(vm, USER_VA + PAGE_SIZE, UR, true);
		/* more again: no flush needed */
		*entry |= PT_W;
		EXPECT_OK(vm, USER_VA + PAGE_SIZE, UW);
		*entry |= PT_NX;
		testvm_flush_all(vm, 3, PVHV_FLUSH_USER);
		EXPECT_FAULT(vm, USER_VA, UX, PVHV_PF_P);
		testvm_check_agrees(vm);
		*entry &= ~(PT_NX | PT_U);
		testvm_flush_all(vm, 4, PVHV_FLUSH_USER);
		EXPECT_FAULT(vm, USER_VA, UR, PVHV_PF_P);
		KUNIT_EXPECT_EQ(test, testvm_present(vm), 0U);
		*entry |= PT_U | BIT_ULL(46);
		EXPECT_FAULT(vm, USER_VA, UR, PVHV_PF_P | PVHV_PF_RSVD);
		testvm_check_agrees(vm);
		testvm_destroy(vm);
	}
}

/* Kernel half: a table is freed, told by a flush of any page of it */
static void flush_kernel_table(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm), *pmd, table;
	int i;

	for (i = 0; i < 4; i++)
		testvm_map(vm, cr3, KERNEL_VA + i * PAGE_SIZE, DATA_GFN + i, G_KRW);
	testvm_load(vm, cr3, 1, 1);
	for (i = 0; i < 4; i++)
		EXPECT_OK(vm, KERNEL_VA + i * PAGE_SIZE, KW);
	pmd = testvm_pte(vm, cr3, KERNEL_VA, 2, G_TABLE);
	table = *pmd & PT_ADDR;

	/* one entry of it is changed: the others stay */
	testvm_ptr(vm, table)[1] = 0;
	testvm_flush(vm, KERNEL_VA + PAGE_SIZE, KERNEL_VA + 2 * PAGE_SIZE, 0, 0);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), 3U);
	testvm_check_agrees(vm);

	/* as pmd_free_pte_page() does: what the page holds next is no table */
	*pmd = 0;
	testvm_flush(vm, KERNEL_VA, KERNEL_VA + PAGE_SIZE, 0, 0);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), 0U);
	testvm_ptr(vm, table)[2] = (DATA_GFN + 100) << 12 | G_KRW;
	EXPECT_FAULT(vm, KERNEL_VA + 2 * PAGE_SIZE, KR, 0);
	*pmd = HIGH_GFN << 12 | PT_PS | G_KRW;
	EXPECT_OK(vm, KERNEL_VA + 2 * PAGE_SIZE, KW);
	testvm_check_agrees(vm);

	/* fewer permissions above: all entries, whatever the range */
	testvm_load_all(vm, cr3);
	*pmd = table | G_TABLE;
	testvm_flush_all(vm, 0, PVHV_FLUSH_KERNEL);
	EXPECT_OK(vm, KERNEL_VA, KW);
	EXPECT_OK(vm, KERNEL_VA + 3 * PAGE_SIZE, KW);
	*pmd &= ~PT_W;
	testvm_flush(vm, KERNEL_VA, KERNEL_VA + PAGE_SIZE, 0, 0);
	EXPECT_HW(vm, KERNEL_VA + 3 * PAGE_SIZE, KW, false);
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* The guest's table is not resident when it should be compared */
static void flush_not_resident(struct kunit *test)
{
	struct testgfn *g;
	struct testvm *vm;
	u64 cr3;

	vm = process(test, &cr3, G_RW);
	g = testvm_gfn(vm, *testvm_pte(vm, cr3, USER_VA, 2, G_TABLE) >> 12);
	g->absent = true;
	testvm_flush(vm, USER_VA, USER_VA + 4 * PAGE_SIZE, 2, 0);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), PAGES - 4U);
	testvm_gfn(vm, cr3 >> 12)->absent = true;
	testvm_flush(vm, USER_VA, USER_VA + PAGE_SIZE, 3, PVHV_FLUSH_FREED_TABLES);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), 0U);
	EXPECT_OK(vm, USER_VA, UW);
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* Large flushes come in steps, and others may fill in between */
static void flush_in_steps(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm);
	struct pvhv_mmu_flush fl = {};
	int i, n = 150, steps = 0;

	testvm_load(vm, cr3, 1, 1);
	for (i = 0; i < n; i++) {
		testvm_map(vm, cr3, USER_VA + i * PVHV_L1_SPAN, DATA_GFN + i, G_RW);
		EXPECT_OK(vm, USER_VA + i * PVHV_L1_SPAN, UW);
	}
	for (i = 0; i < n; i++)
		*testvm_pte(vm, cr3, USER_VA + i * PVHV_L1_SPAN, 1, G_TABLE) &= ~PT_W;
	while (pvhv_mmu_flush_range_step(&vm->mmu, vm->v, USER_VA, USER_VA + n * PVHV_L1_SPAN, 2, 0,
					 &fl)) {
		steps++;
		/* not before it is all done */
		KUNIT_EXPECT_EQ(test, vm->v->root->gen, 1ULL);
		testvm_check(vm);
		EXPECT_OK(vm, USER_VA + (steps * 40 % n) * PVHV_L1_SPAN, UR);
	}
	KUNIT_EXPECT_EQ(test, steps, (n - 1) / PVHV_MMU_FLUSH_BATCH);
	KUNIT_EXPECT_EQ(test, vm->v->root->gen, 2ULL);
	KUNIT_EXPECT_EQ(test, vm->v->stats.narrowed, (u64)n);
	KUNIT_EXPECT_TRUE(test, fl.any && !fl.single);
	testvm_check_agrees(vm);

	/* across both halves */
	testvm_map(vm, cr3, KERNEL_VA, DATA_GFN, G_KRW);
	EXPECT_OK(vm, KERNEL_VA, KW);
	*testvm_pte(vm, cr3, KERNEL_VA, 1, G_TABLE) = 0;
	for (i = 0; i < n; i++)
		*testvm_pte(vm, cr3, USER_VA + i * PVHV_L1_SPAN, 1, G_TABLE) = 0;
	memset(&fl, 0, sizeof(fl));
	steps = 0;
	while (pvhv_mmu_flush_range_step(&vm->mmu, vm->v, 0, 0, 0, 0, &fl))
		steps++;
	KUNIT_EXPECT_EQ(test, steps, (n - 1) / PVHV_MMU_FLUSH_BATCH);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), 0U);
	testvm_destroy(vm);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(flush_fork),
	KUNIT_CASE(flush_cow),
	KUNIT_CASE(flush_late),
	KUNIT_CASE(flush_by_name),
	KUNIT_CASE(flush_two_tables),
	KUNIT_CASE(flush_reused_name),
	KUNIT_CASE(flush_out_of_order),
	KUNIT_CASE(flush_mprotect),
	KUNIT_CASE(flush_exact_range),
	KUNIT_CASE(flush_munmap),
	KUNIT_CASE(flush_keeps_few),
	KUNIT_CASE(flush_collapse_split),
	KUNIT_CASE(flush_upper_levels),
	KUNIT_CASE(flush_kernel_table),
	KUNIT_CASE(flush_not_resident),
	KUNIT_CASE(flush_in_steps),
	{}
};

static struct kunit_suite suite = {
	.name = "pvhv_flush",
	.test_cases = cases,
};

kunit_test_suite(suite);
