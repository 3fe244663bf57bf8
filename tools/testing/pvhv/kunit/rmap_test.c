// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv: the reverse map and the host's invalidations, as far as one thread can
 * provoke what happens between several: by calls from within the accessors.
 */
#include "testvm.h"

/* One page at @n addresses, in several tables */
static u64 alias_va(int i)
{
	return USER_VA + (i % 7) * PVHV_L1_SPAN + (i / 7) * PAGE_SIZE;
}

static u64 map_aliases(struct testvm *vm, int n)
{
	u64 cr3 = testvm_new_table(vm);
	int i;

	for (i = 0; i < n; i++)
		testvm_map(vm, cr3, alias_va(i), DATA_GFN, G_RW);
	testvm_load(vm, cr3, 1, 1);
	for (i = 0; i < n; i++)
		EXPECT_OK(vm, alias_va(i), UW);
	return cr3;
}

/* Chains of all lengths, taken apart from either end and from the middle */
static void rmap_chains(struct kunit *test)
{
	int n, order, i;

	for (n = 1; n <= 30; n++) {
		for (order = 0; order < 3; order++) {
			struct testvm *vm = testvm_create(test, 1000, 4);
			u64 cr3 = map_aliases(vm, n);

			KUNIT_EXPECT_EQ(test, testvm_present(vm), (unsigned int)n);
			testvm_check(vm);
			for (i = 0; i < n; i++) {
				int k = order == 0 ? i : order == 1 ? n - 1 - i : (i * 7 + 3) % n;
				u64 va = alias_va(k);

				*testvm_pte(vm, cr3, va, 1, G_TABLE) = 0;
				testvm_flush(vm, va, va + PAGE_SIZE, 0, 0);
				if (i % 5 == 0)
					testvm_check(vm);
			}
			if (order < 2) {
				KUNIT_EXPECT_EQ(test, testvm_present(vm), 0U);
				KUNIT_EXPECT_EQ(test, testvm_gfn(vm, DATA_GFN)->rmap, 0UL);
			}
			testvm_destroy(vm);
		}
	}
}

/* A page mapped more often than is searched: it is missed again */
static void rmap_limit(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 gen = atomic64_read(&vm->mmu.tlb_gen);
	int n = PVHV_MMU_RMAP_MAX + 50;
	u64 cr3;

	cr3 = map_aliases(vm, n);
	KUNIT_EXPECT_LE(test, testvm_present(vm), (unsigned int)PVHV_MMU_RMAP_MAX);
	KUNIT_EXPECT_GT(test, (u64)atomic64_read(&vm->mmu.tlb_gen), gen);
	testvm_check_agrees(vm);
	EXPECT_OK(vm, alias_va(0), UW);
	testvm_flush_all(vm, 2, PVHV_FLUSH_USER);
	testvm_check_agrees(vm);
	KUNIT_EXPECT_NE(test, cr3, 0ULL);
	testvm_destroy(vm);
}

static void rmap_invalidate(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm), gen, last;
	int i;

	testvm_map_range(vm, cr3, USER_VA, DATA_GFN, 200, G_RW);
	testvm_map_range(vm, cr3, KERNEL_VA, DATA_GFN, 200, G_KRW);
	testvm_load(vm, cr3, 1, 1);
	for (i = 0; i < 200; i++) {
		EXPECT_OK(vm, USER_VA + i * PAGE_SIZE, UW);
		EXPECT_OK(vm, KERNEL_VA + i * PAGE_SIZE, KW);
	}
	KUNIT_EXPECT_EQ(test, testvm_present(vm), 400U);

	/* across stripes of locks, ends included, nothing else */
	gen = atomic64_read(&vm->mmu.tlb_gen);
	last = DATA_GFN + 150;
	pvhv_mmu_invalidate_begin(&vm->mmu, DATA_GFN + 50, last, true);
	KUNIT_EXPECT_GT(test, (u64)atomic64_read(&vm->mmu.tlb_gen), gen);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), 400 - 202U);
	EXPECT_HW(vm, USER_VA + 49 * PAGE_SIZE, UW, true);
	EXPECT_HW(vm, USER_VA + 50 * PAGE_SIZE, UR, false);
	EXPECT_HW(vm, USER_VA + 150 * PAGE_SIZE, UR, false);
	EXPECT_HW(vm, KERNEL_VA + 151 * PAGE_SIZE, KW, true);
	pvhv_mmu_invalidate_end(&vm->mmu, DATA_GFN + 50, last);
	testvm_check(vm);

	/* nothing there: nobody needs to flush */
	gen = atomic64_read(&vm->mmu.tlb_gen);
	pvhv_mmu_invalidate_begin(&vm->mmu, DATA_GFN + 50, last, true);
	pvhv_mmu_invalidate_end(&vm->mmu, DATA_GFN + 50, last);
	KUNIT_EXPECT_EQ(test, gen, (u64)atomic64_read(&vm->mmu.tlb_gen));

	/* flushes find what the host has left */
	testvm_flush_all(vm, 2, PVHV_FLUSH_USER | PVHV_FLUSH_KERNEL);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), 400 - 202U);
	EXPECT_OK(vm, USER_VA + 100 * PAGE_SIZE, UW);
	testvm_check_agrees(vm);

	/* all there is, and where there is none */
	pvhv_mmu_invalidate_begin(&vm->mmu, 0, HIGH_GFN + HIGH_GFNS, true);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), 0U);
	pvhv_mmu_invalidate_end(&vm->mmu, 0, HIGH_GFN + HIGH_GFNS);
	/* tables are empty but bound */
	EXPECT_OK(vm, USER_VA, UW);
	testvm_flush(vm, USER_VA, USER_VA + PAGE_SIZE, 0, PVHV_FLUSH_FREED_TABLES);
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* While it goes on, its pages are not filled, others are */
static void rmap_invalidate_blocks(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm);
	struct pvhv_mmu_fault_info info;
	int r;

	testvm_map(vm, cr3, USER_VA, DATA_GFN, G_RW);
	testvm_map(vm, cr3, USER_VA + 0x1000, DATA_GFN + 1, G_RW);
	testvm_map(vm, cr3, USER_VA + 0x2000, DATA_GFN + 9, G_RW);
	testvm_load(vm, cr3, 1, 1);
	pvhv_mmu_invalidate_begin(&vm->mmu, DATA_GFN, DATA_GFN, true);
	KUNIT_EXPECT_EQ(test, pvhv_mmu_fault(&vm->mmu, vm->v, USER_VA, UR, &info), -EAGAIN);
	KUNIT_EXPECT_EQ(test, info.gfn, (u64)DATA_GFN);
	testvm_hint(vm, USER_VA, 1);
	EXPECT_HW(vm, USER_VA, UR, false);
	EXPECT_OK(vm, USER_VA + 0x1000, UR);
	EXPECT_HW(vm, USER_VA, UR, false);

	/* two at once: the range covers both until both have ended */
	pvhv_mmu_invalidate_begin(&vm->mmu, DATA_GFN + 8, DATA_GFN + 9, true);
	EXPECT_HW(vm, USER_VA + 0x2000, UR, false);
	pvhv_mmu_invalidate_end(&vm->mmu, DATA_GFN, DATA_GFN);
	KUNIT_EXPECT_EQ(test, pvhv_mmu_fault(&vm->mmu, vm->v, USER_VA, UR, &info), -EAGAIN);
	r = pvhv_mmu_fault(&vm->mmu, vm->v, USER_VA + 0x2000, UR, &info);
	KUNIT_EXPECT_EQ(test, r, -EAGAIN);
	pvhv_mmu_invalidate_end(&vm->mmu, DATA_GFN + 8, DATA_GFN + 9);
	EXPECT_OK(vm, USER_VA, UR);
	EXPECT_OK(vm, USER_VA + 0x2000, UR);
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* The host moves the page after it was looked up and before it is installed */
static void take_after_lookup(struct testvm *vm, enum testhook what, u64 gfn)
{
	if (what != HOOK_PFN || !vm->hook_count || gfn != vm->hook_arg)
		return;
	vm->hook_count--;
	testvm_host_takes(vm, gfn);
}

static void rmap_lookup_race(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm);
	struct pvhv_mmu_fault_info info;

	testvm_map_range(vm, cr3, USER_VA, DATA_GFN, 8, G_RW);
	testvm_load(vm, cr3, 1, 1);
	vm->hook = take_after_lookup;
	vm->hook_arg = DATA_GFN;
	vm->hook_count = 1;
	KUNIT_EXPECT_EQ(test, pvhv_mmu_fault(&vm->mmu, vm->v, USER_VA, UW, &info), -EAGAIN);
	KUNIT_EXPECT_EQ(test, info.gfn, (u64)DATA_GFN);
	KUNIT_EXPECT_TRUE(test, info.write);
	EXPECT_HW(vm, USER_VA, UR, false);
	testvm_check(vm);
	vm->hook_count = 3;
	EXPECT_OK(vm, USER_VA, UW);
	testvm_check(vm);

	/* a neighbour: the fill as a whole is none the worse */
	testvm_flush_all(vm, 2, PVHV_FLUSH_USER);
	testvm_host_takes(vm, DATA_GFN);
	testvm_host_takes(vm, DATA_GFN + 1);
	testvm_host_takes(vm, DATA_GFN + 5);
	vm->hook_arg = DATA_GFN + 5;
	vm->hook_count = 1;
	EXPECT_OK(vm, USER_VA + 0x1000, UW);
	EXPECT_HW(vm, USER_VA + 0x5000, UW, false);
	testvm_check_agrees(vm);

	/* by a hint, and in a large leaf */
	vm->hook_count = 1;
	testvm_hint(vm, USER_VA, 8);
	KUNIT_EXPECT_EQ(test, vm->hook_count, 0U);
	testvm_check_agrees(vm);
	testvm_map_large(vm, cr3, KERNEL_VA, HIGH_GFN, 2, G_KRW);
	vm->hook_arg = HIGH_GFN + 3;
	vm->hook_count = 1;
	EXPECT_OK(vm, KERNEL_VA, KW);
	EXPECT_HW(vm, KERNEL_VA + 0x3000, KW, false);
	EXPECT_OK(vm, KERNEL_VA + 0x3000, KW);
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* The host takes a page while a flush compares its entry */
static void take_while_compared(struct testvm *vm, enum testhook what, u64 gpa)
{
	if (what != HOOK_READ || !vm->hook_count || gpa >> 12 != vm->hook_arg)
		return;
	vm->hook_count--;
	testvm_host_takes(vm, DATA_GFN);
	testvm_host_takes(vm, DATA_GFN + 1);
}

static void rmap_flush_race(struct kunit *test)
{
	u64 changes[] = { 0, PT_W, PT_P, PT_A };
	int i;

	for (i = 0; i < ARRAY_SIZE(changes); i++) {
		struct testvm *vm = testvm_create(test, 1000, 4);
		u64 cr3 = testvm_new_table(vm);
		int k;

		testvm_map_range(vm, cr3, USER_VA, DATA_GFN, 8, G_RW);
		testvm_load(vm, cr3, 1, 1);
		EXPECT_OK(vm, USER_VA, UW);
		KUNIT_EXPECT_EQ(test, testvm_present(vm), 8U);
		for (k = 0; k < 8; k++)
			*testvm_pte(vm, cr3, USER_VA + k * PAGE_SIZE, 1, G_TABLE) &= ~changes[i];
		vm->hook = take_while_compared;
		vm->hook_arg = *testvm_pte(vm, cr3, USER_VA, 2, G_TABLE) >> 12;
		vm->hook_count = 1;
		testvm_flush(vm, USER_VA, USER_VA + 8 * PAGE_SIZE, 2, 0);
		KUNIT_EXPECT_EQ(test, vm->hook_count, 0U);
		EXPECT_HW(vm, USER_VA, UR, false);
		EXPECT_HW(vm, USER_VA + 0x1000, UR, false);
		EXPECT_HW(vm, USER_VA + 0x2000, UR, i < 2);
		testvm_check_agrees(vm);
		testvm_destroy(vm);
	}
}

/* Each removal is known to tlb_gen by the time the reverse map is without it */
static void rmap_tlb_gen(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm), gen;
	struct pvhv_mmu_flush fl;

	testvm_map(vm, cr3, USER_VA, DATA_GFN, G_RW);
	testvm_load(vm, cr3, 1, 1);
	EXPECT_OK(vm, USER_VA, UW);
	gen = atomic64_read(&vm->mmu.tlb_gen);
	/* filling and permitting more tell nobody */
	testvm_map(vm, cr3, USER_VA + 0x1000, DATA_GFN, PT_P | PT_W | PT_U);
	EXPECT_OK(vm, USER_VA + 0x1000, UR);
	EXPECT_OK(vm, USER_VA + 0x1000, UW);
	KUNIT_EXPECT_EQ(test, gen, (u64)atomic64_read(&vm->mmu.tlb_gen));
	/* one removal: the caller may flush one page */
	testvm_map(vm, cr3, USER_VA, 0, 0);
	fl = testvm_flush(vm, USER_VA, USER_VA + 0x2000, 2, 0);
	KUNIT_EXPECT_TRUE(test, fl.any && fl.single && fl.gva == USER_VA);
	KUNIT_EXPECT_EQ(test, fl.gen, gen + 1);
	/* one narrowing: likewise */
	testvm_map(vm, cr3, USER_VA + 0x1000, DATA_GFN, G_RO);
	fl = testvm_flush(vm, USER_VA, USER_VA + 0x2000, 3, 0);
	KUNIT_EXPECT_TRUE(test, fl.any && fl.single && fl.gva == USER_VA + 0x1000);
	KUNIT_EXPECT_EQ(test, fl.gen, gen + 2);
	/* by the host */
	testvm_host_takes(vm, DATA_GFN);
	KUNIT_EXPECT_EQ(test, (u64)atomic64_read(&vm->mmu.tlb_gen), gen + 3);
	/* in the kernel half it may be cached under every root's tag */
	testvm_map(vm, cr3, KERNEL_VA, DATA_GFN, G_KRW);
	EXPECT_OK(vm, KERNEL_VA, KW);
	testvm_map(vm, cr3, KERNEL_VA, 0, 0);
	fl = testvm_flush(vm, KERNEL_VA, KERNEL_VA + 0x1000, 0, 0);
	KUNIT_EXPECT_TRUE(test, fl.any && !fl.single);
	/* two */
	testvm_map(vm, cr3, USER_VA, DATA_GFN, G_RW);
	EXPECT_OK(vm, USER_VA, UW);
	EXPECT_OK(vm, USER_VA + 0x1000, UR);
	testvm_map(vm, cr3, USER_VA, 0, 0);
	testvm_map(vm, cr3, USER_VA + 0x1000, 0, 0);
	fl = testvm_flush(vm, USER_VA, USER_VA + 0x2000, 4, 0);
	KUNIT_EXPECT_TRUE(test, fl.any && !fl.single);
	testvm_destroy(vm);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(rmap_chains),
	KUNIT_CASE(rmap_limit),
	KUNIT_CASE(rmap_invalidate),
	KUNIT_CASE(rmap_invalidate_blocks),
	KUNIT_CASE(rmap_lookup_race),
	KUNIT_CASE(rmap_flush_race),
	KUNIT_CASE(rmap_tlb_gen),
	{}
};

static struct kunit_suite suite = {
	.name = "pvhv_rmap",
	.test_cases = cases,
};

kunit_test_suite(suite);
