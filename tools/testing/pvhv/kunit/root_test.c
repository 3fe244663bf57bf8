// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv: address spaces: names and generations, dropping, limits.
 */
#include "testvm.h"

/* A process of @n pages, each in a table of its own */
static u64 make_mm(struct testvm *vm, int n)
{
	u64 cr3 = testvm_new_table(vm);
	int i;

	for (i = 0; i < n; i++)
		testvm_map(vm, cr3, USER_VA + i * PVHV_L1_SPAN, DATA_GFN + i, G_RW);
	return cr3;
}

static void touch(struct testvm *vm, int n)
{
	int i;

	for (i = 0; i < n; i++)
		EXPECT_OK(vm, USER_VA + i * PVHV_L1_SPAN, UW);
}

/* A switch of address space discards nothing that is still valid */
static void root_switching(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 a = make_mm(vm, 2), b = make_mm(vm, 3);
	u64 gen, id;

	testvm_load(vm, a, 1, 1);
	touch(vm, 2);
	id = pvhv_mmu_root_id(vm->v);
	KUNIT_EXPECT_NE(test, id, 0ULL);
	testvm_load(vm, b, 2, 1);
	KUNIT_EXPECT_NE(test, id, pvhv_mmu_root_id(vm->v));
	touch(vm, 3);
	vm->faults = 0;
	gen = atomic64_read(&vm->mmu.tlb_gen);
	testvm_load(vm, a, 1, 1);
	KUNIT_EXPECT_EQ(test, id, pvhv_mmu_root_id(vm->v));
	KUNIT_EXPECT_EQ(test, a, pvhv_mmu_cr3(vm->v));
	KUNIT_EXPECT_NE(test, pvhv_mmu_hw_root(vm->v, false), pvhv_mmu_hw_root(vm->v, true));
	touch(vm, 2);
	testvm_load(vm, b, 2, 0);
	touch(vm, 3);
	KUNIT_EXPECT_EQ(test, vm->faults, 0U);
	KUNIT_EXPECT_EQ(test, gen, (u64)atomic64_read(&vm->mmu.tlb_gen));
	KUNIT_EXPECT_EQ(test, vm->host_flushes, 0U);
	/* low bits and bit 63 of CR3 are not the address */
	testvm_load(vm, b | 0x805 | BIT_ULL(63), 2, 1);
	KUNIT_EXPECT_EQ(test, b, pvhv_mmu_cr3(vm->v));
	/* the same name with another root is another address space */
	testvm_load(vm, a, 2, 1);
	EXPECT_HW(vm, USER_VA, UR, false);
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* What happens to a generation, by each call */
static void root_generations(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 a = make_mm(vm, 1);
	struct pvhv_root *root;
	u64 *pte = testvm_pte(vm, a, USER_VA, 1, G_TABLE);
	u64 end;

	testvm_load(vm, a, 1, 5);
	root = vm->v->root;
	KUNIT_EXPECT_EQ(test, root->gen, 5ULL);
	touch(vm, 1);

	/* older or equal: nothing is looked at, even if it were wrong */
	*pte &= ~PT_P;
	testvm_load(vm, a, 1, 5);
	testvm_load(vm, a, 1, 3);
	EXPECT_HW(vm, USER_VA, UW, true);
	KUNIT_EXPECT_EQ(test, root->gen, 5ULL);
	/* newer: made to agree */
	testvm_load(vm, a, 1, 6);
	EXPECT_HW(vm, USER_VA, UR, false);
	KUNIT_EXPECT_EQ(test, root->gen, 6ULL);

	/*
	 * ranges, of a table and of several: the next one advances, one after a gap when
	 * the gap is filled
	 */
	for (end = USER_VA + PAGE_SIZE; end <= USER_VA + 2 * PVHV_L1_SPAN; end += PVHV_L1_SPAN) {
		u64 gen = root->gen;

		testvm_flush(vm, USER_VA, end, gen + 1, 0);
		KUNIT_EXPECT_EQ(test, root->gen, gen + 1);
		testvm_flush(vm, USER_VA, end, gen + 3, 0);
		KUNIT_EXPECT_EQ(test, root->gen, gen + 1);
		testvm_flush(vm, USER_VA, end, 0, 0);
		KUNIT_EXPECT_EQ(test, root->gen, gen + 1);
		testvm_flush(vm, USER_VA, end, gen + 2, PVHV_FLUSH_FREED_TABLES);
		KUNIT_EXPECT_EQ(test, root->gen, gen + 3);
		testvm_flush(vm, USER_VA, end, gen, 0);
		KUNIT_EXPECT_EQ(test, root->gen, gen + 3);
	}
	KUNIT_EXPECT_EQ(test, root->gen, 12ULL);
	/* done by another vCPU already */
	*pte |= PT_P;
	touch(vm, 1);
	*pte &= ~PT_P;
	testvm_flush(vm, USER_VA, USER_VA + PAGE_SIZE, 12, 0);
	testvm_flush(vm, USER_VA, USER_VA + 2 * PVHV_L1_SPAN, 12, 0);
	testvm_flush_all(vm, 10, PVHV_FLUSH_USER);
	EXPECT_HW(vm, USER_VA, UW, true);
	/* not told, or told about the kernel too: never skipped */
	testvm_flush(vm, USER_VA, USER_VA + PAGE_SIZE, 0, 0);
	EXPECT_HW(vm, USER_VA, UW, false);
	*pte |= PT_P;
	touch(vm, 1);
	*pte &= ~PT_P;
	testvm_flush(vm, 0, ~0ULL, 12, 0);
	EXPECT_HW(vm, USER_VA, UW, false);
	KUNIT_EXPECT_EQ(test, root->gen, 12ULL);

	/* everything: advances however far */
	testvm_flush_all(vm, 20, PVHV_FLUSH_USER);
	KUNIT_EXPECT_EQ(test, root->gen, 20ULL);
	testvm_flush_all(vm, 15, PVHV_FLUSH_USER | PVHV_FLUSH_KERNEL);
	KUNIT_EXPECT_EQ(test, root->gen, 20ULL);
	testvm_flush_all(vm, 30, PVHV_FLUSH_KERNEL);
	KUNIT_EXPECT_EQ(test, root->gen, 20ULL);
	testvm_flush_all(vm, 0, PVHV_FLUSH_USER);
	KUNIT_EXPECT_EQ(test, root->gen, 20ULL);
	testvm_destroy(vm);
}

/* Without a name: one root per vCPU, made to agree at each load */
static void root_anonymous(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 a = make_mm(vm, 2), b = make_mm(vm, 2);
	u64 other, *pte = testvm_pte(vm, a, USER_VA, 1, G_TABLE);
	int i;

	testvm_map(vm, a, KERNEL_VA, DATA_GFN, G_KRW);
	for (i = 256; i < 512; i++)
		testvm_ptr(vm, b)[i] = testvm_ptr(vm, a)[i];
	testvm_load(vm, a, 0, 0);
	touch(vm, 2);
	EXPECT_OK(vm, KERNEL_VA, KW);
	*pte &= ~PT_W;
	testvm_load(vm, a, 0, 0);
	EXPECT_HW(vm, USER_VA, UW, false);
	EXPECT_HW(vm, USER_VA, UR, true);
	testvm_check_agrees(vm);
	/* generations are nothing to it */
	testvm_flush_all(vm, 100, PVHV_FLUSH_USER);
	*pte &= ~PT_P;
	testvm_flush(vm, USER_VA, USER_VA + PAGE_SIZE, 50, 0);
	EXPECT_HW(vm, USER_VA, UR, false);
	KUNIT_EXPECT_EQ(test, vm->v->root->gen, 0ULL);

	/* another cr3 */
	testvm_load(vm, b, 0, 0);
	testvm_check_agrees(vm);
	touch(vm, 2);
	/* the kernel half stays, even if it should not */
	*testvm_pte(vm, b, KERNEL_VA, 1, G_TABLE) = 0;
	testvm_load(vm, a, 0, 0);
	EXPECT_HW(vm, KERNEL_VA, KW, true);
	/* ... until all is to be flushed */
	testvm_load_all(vm, a);
	EXPECT_HW(vm, KERNEL_VA, KW, false);
	testvm_check_agrees(vm);

	/* the other vCPU has its own */
	other = pvhv_mmu_root_id(vm->v);
	vm->v = &vm->mv[1];
	testvm_load(vm, b, 0, 0);
	KUNIT_EXPECT_NE(test, pvhv_mmu_root_id(vm->v), other);
	touch(vm, 2);
	/* from and to named ones */
	KUNIT_EXPECT_EQ(test, vm->mmu.nr_roots, 2U);
	testvm_load(vm, a, 9, 1);
	/* it goes then, and is freed when there is time */
	KUNIT_EXPECT_NULL(test, vm->v->anon);
	KUNIT_EXPECT_EQ(test, vm->mmu.nr_roots, 3U);
	pvhv_mmu_vcpu_idle(&vm->mmu, vm->v);
	KUNIT_EXPECT_EQ(test, vm->mmu.nr_roots, 2U);
	testvm_check(vm);
	testvm_load(vm, b, 0, 0);
	testvm_check_agrees(vm);
	pvhv_mmu_mm_drop(&vm->mmu, 0);
	testvm_check(vm);
	testvm_destroy(vm);
}

static void root_drop(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 a = make_mm(vm, 2), b = make_mm(vm, 3);
	u64 id;

	testvm_load(vm, a, 1, 1);
	touch(vm, 2);
	id = pvhv_mmu_root_id(vm->v);
	testvm_load(vm, b, 2, 1);
	touch(vm, 3);
	pvhv_mmu_mm_drop(&vm->mmu, 1);
	KUNIT_EXPECT_EQ(test, vm->mmu.nr_roots, 1U);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), 3U);
	pvhv_mmu_mm_drop(&vm->mmu, 1);
	pvhv_mmu_mm_drop(&vm->mmu, 12345);
	testvm_check(vm);
	/* nobody walked it: no other CPU was disturbed */
	KUNIT_EXPECT_EQ(test, vm->host_flushes, 0U);

	/* the name again, from nothing */
	testvm_load(vm, a, 1, 1);
	KUNIT_EXPECT_NE(test, pvhv_mmu_root_id(vm->v), id);
	EXPECT_HW(vm, USER_VA, UR, false);
	touch(vm, 2);

	/* while it is loaded, on two vCPUs */
	vm->v = &vm->mv[1];
	testvm_load(vm, a, 1, 1);
	pvhv_mmu_mm_drop(&vm->mmu, 1);
	touch(vm, 2);
	vm->v = &vm->mv[0];
	touch(vm, 2);
	testvm_flush_all(vm, 2, PVHV_FLUSH_USER);
	/* loading the name now is another one */
	id = pvhv_mmu_root_id(vm->v);
	testvm_load(vm, a, 1, 1);
	KUNIT_EXPECT_NE(test, pvhv_mmu_root_id(vm->v), id);
	KUNIT_EXPECT_EQ(test, vm->mmu.nr_roots, 3U);
	testvm_check(vm);
	vm->v = &vm->mv[1];
	testvm_load(vm, b, 2, 1);
	/* the last has left: freed when memory is needed next */
	testvm_check(vm);
	vm->v->cache.nr_roots ? (void)0 : (void)pvhv_mmu_topup(&vm->mmu, vm->v);
	testvm_load(vm, make_mm(vm, 1), 3, 1);
	KUNIT_EXPECT_EQ(test, pvhv_mmu_topup(&vm->mmu, vm->v), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&vm->mmu.dead));
	testvm_check(vm);
	testvm_destroy(vm);
}

/* Tables and roots go round: no page is allocated for the next process */
static void root_recycling(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 a = make_mm(vm, 3), pages = 0;
	int i;

	for (i = 0; i < 50; i++) {
		testvm_load(vm, a, 100 + i, 1);
		touch(vm, 3);
		EXPECT_OK(vm, USER_VA, KR);
		testvm_load(vm, a, 0, 0);
		pvhv_mmu_mm_drop(&vm->mmu, 100 + i);
		if (i == 10)
			pages = atomic64_read(&vm->mmu.pages);
	}
	KUNIT_EXPECT_EQ(test, pages, (u64)atomic64_read(&vm->mmu.pages));
	testvm_check(vm);
	testvm_destroy(vm);
}

/* The split of a root ends with it */
static void root_split_recycled(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 a = make_mm(vm, 1);
	int i;

	testvm_map(vm, a, 0x5000, DATA_GFN + 5, G_KRW);
	for (i = 0; i < 20; i++) {
		testvm_load(vm, a, 1 + i, 1);
		KUNIT_EXPECT_FALSE(test, vm->v->root->kuser);
		EXPECT_OK(vm, USER_VA, KW);
		EXPECT_OK(vm, 0x5000, KW);
		EXPECT_OK(vm, USER_VA, UW);
		testvm_check_agrees(vm);
		testvm_load(vm, a, 0, 0);
		pvhv_mmu_mm_drop(&vm->mmu, 1 + i);
	}
	testvm_destroy(vm);
}

/* The least recently loaded address spaces make room; the guest only misses */
static void root_eviction(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, PVHV_MMU_MIN_PAGES, 4);
	u64 cr3[40];
	int i, round, kept;

	for (i = 0; i < ARRAY_SIZE(cr3); i++) {
		cr3[i] = testvm_new_table(vm);
		testvm_map(vm, cr3[i], USER_VA, DATA_GFN + i, G_RW);
		testvm_map(vm, cr3[i], 0x400000, DATA_GFN + i, G_RW);
	}
	for (round = 0; round < 3; round++) {
		for (i = 0; i < ARRAY_SIZE(cr3); i++) {
			testvm_load(vm, cr3[i], 1 + i, 1);
			EXPECT_OK(vm, USER_VA, UW);
			EXPECT_OK(vm, 0x400000, UW);
			KUNIT_EXPECT_LE(test, (u64)atomic64_read(&vm->mmu.pages),
					PVHV_MMU_MIN_PAGES + 8ULL);
		}
		testvm_check(vm);
	}
	KUNIT_EXPECT_GT(test, (u64)atomic64_read(&vm->mmu.evictions), 0ULL);
	/* the last ones are still here, the first is not */
	testvm_load(vm, cr3[ARRAY_SIZE(cr3) - 2], ARRAY_SIZE(cr3) - 1, 1);
	vm->faults = 0;
	EXPECT_OK(vm, USER_VA, UW);
	kept = vm->faults == 0;
	KUNIT_EXPECT_TRUE(test, kept);
	testvm_load(vm, cr3[0], 1, 1);
	EXPECT_HW(vm, USER_VA, UW, false);
	testvm_destroy(vm);
}

/* One address space that is larger than the limit; then the kernel half */
static void root_own_eviction(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1, 4);
	u64 cr3 = testvm_new_table(vm);
	int i, n = 300;

	KUNIT_EXPECT_EQ(test, vm->mmu.max_pages, (u64)PVHV_MMU_MIN_PAGES);
	testvm_load(vm, cr3, 1, 1);
	vm->v = &vm->mv[1];
	testvm_load(vm, cr3, 1, 1);
	testvm_map_large(vm, cr3, USER_VA & ~(BIT_ULL(30) - 1), HIGH_GFN, 2, G_RW);
	for (i = 0; i < n; i++) {
		/* a few tables of the guest's serve for many addresses */
		u64 va = USER_VA + i * PVHV_L1_SPAN;
		u64 kva = KERNEL_VA + i * PVHV_L1_SPAN;

		testvm_map_large(vm, cr3, va, HIGH_GFN, 2, G_RW);
		testvm_map_large(vm, cr3, kva, HIGH_GFN + 512, 2, G_KRW);
		EXPECT_OK(vm, va, UW);
		EXPECT_OK(vm, kva, KW);
		KUNIT_EXPECT_LE(test, (u64)atomic64_read(&vm->mmu.pages),
				PVHV_MMU_MIN_PAGES + 8ULL);
		vm->v = &vm->mv[i & 1];
	}
	KUNIT_EXPECT_GT(test, vm->host_flushes, 0U);
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* What the others run on is taken last, and they get it back */
static void root_others_eviction(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1, 4);
	u64 a = testvm_new_table(vm), b = testvm_new_table(vm);
	int i;

	for (i = 0; i < 140; i++)
		testvm_map_large(vm, a, USER_VA + i * PVHV_L1_SPAN, HIGH_GFN, 2, G_RW);
	testvm_map_large(vm, b, USER_VA, HIGH_GFN, 2, G_RW);
	testvm_load(vm, a, 1, 1);
	for (i = 0; i < 110; i++)
		EXPECT_OK(vm, USER_VA + i * PVHV_L1_SPAN, UW);
	vm->v = &vm->mv[1];
	testvm_load(vm, b, 2, 1);
	for (i = 0; i < 30; i++) {
		testvm_map_large(vm, b, USER_VA + i * PVHV_L1_SPAN, HIGH_GFN, 2, G_RW);
		EXPECT_OK(vm, USER_VA + i * PVHV_L1_SPAN, UW);
		KUNIT_EXPECT_LE(test, (u64)atomic64_read(&vm->mmu.pages),
				PVHV_MMU_MIN_PAGES + 8ULL);
	}
	testvm_check(vm);
	vm->v = &vm->mv[0];
	EXPECT_OK(vm, USER_VA, UW);
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* More names than may be remembered */
static void root_too_many(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 100000, 4);
	u64 cr3 = testvm_new_table(vm);
	u64 i;

	for (i = 1; i < PVHV_MMU_MAX_ROOTS + 500; i++)
		testvm_load(vm, cr3, i, 1);
	KUNIT_EXPECT_LE(test, vm->mmu.nr_roots, PVHV_MMU_MAX_ROOTS + 2U);
	KUNIT_EXPECT_GT(test, (u64)atomic64_read(&vm->mmu.evictions), 490ULL);
	testvm_check(vm);
	testvm_destroy(vm);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(root_switching),
	KUNIT_CASE(root_generations),
	KUNIT_CASE(root_anonymous),
	KUNIT_CASE(root_drop),
	KUNIT_CASE(root_recycling),
	KUNIT_CASE(root_split_recycled),
	KUNIT_CASE(root_eviction),
	KUNIT_CASE(root_own_eviction),
	KUNIT_CASE(root_others_eviction),
	KUNIT_CASE(root_too_many),
	{}
};

static struct kunit_suite suite = {
	.name = "pvhv_root",
	.test_cases = cases,
};

kunit_test_suite(suite);
