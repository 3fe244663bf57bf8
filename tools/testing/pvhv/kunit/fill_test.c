// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv: misses, what is filled around them, hints, A and D, memory that the
 * host must bring first, and who may see what.
 */
#include <pvhv/vcpu_page.h>

#include "testvm.h"

static u64 pte_of(struct testvm *vm, u64 cr3, u64 gva)
{
	return *testvm_pte(vm, cr3, gva, 1, G_TABLE);
}

/* A is set by the first access, D by the first write, which misses again */
static void fill_accessed_dirty(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm);

	testvm_map(vm, cr3, USER_VA, DATA_GFN, PT_P | PT_W | PT_U);
	testvm_load(vm, cr3, 1, 1);
	EXPECT_OK(vm, USER_VA, UR);
	KUNIT_EXPECT_EQ(test, pte_of(vm, cr3, USER_VA) & (PT_A | PT_D), PT_A);
	EXPECT_HW(vm, USER_VA, UW, false);
	EXPECT_HW(vm, USER_VA, UX, true);
	/* kernel mode reads and does not execute what is user's */
	EXPECT_HW(vm, USER_VA, KR, true);
	EXPECT_HW(vm, USER_VA, KX, false);
	EXPECT_OK(vm, USER_VA, KW);
	KUNIT_EXPECT_EQ(test, pte_of(vm, cr3, USER_VA) & (PT_A | PT_D), PT_A | PT_D);
	EXPECT_HW(vm, USER_VA, UW, true);
	EXPECT_HW(vm, USER_VA, UX, true);
	KUNIT_EXPECT_EQ(test, vm->faults, 2U);
	testvm_check_agrees(vm);

	/* a write first: once is enough */
	testvm_map(vm, cr3, USER_VA + 0x100000, DATA_GFN + 1, PT_P | PT_W | PT_U | PT_NX);
	EXPECT_OK(vm, USER_VA + 0x100000, UW);
	EXPECT_FAULT(vm, USER_VA + 0x100000, UX, PVHV_PF_P);
	KUNIT_EXPECT_EQ(test, vm->faults, 4U);
	testvm_destroy(vm);
}

/* Neighbours come along if the guest has used them; A and D are not touched */
static void fill_around_small(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm), va = USER_VA + 0x10000;
	static const struct {
		u64 flags;
		bool read, write;
	} neighbour[8] = {
		{ G_RW, true, true },
		{ G_RO, true, false },
		{ PT_P | PT_W | PT_U | PT_A, true, false },	/* clean */
		{ PT_P | PT_W | PT_U | PT_D, false, false },	/* not used */
		{ G_KRW, false, false },			/* supervisor */
		{ 0, false, false },
		{ G_RW, true, true },				/* the one missed */
		{ G_RW | BIT_ULL(44), false, false },		/* reserved */
	};
	int i;

	for (i = 0; i < 8; i++)
		testvm_map(vm, cr3, va + i * PAGE_SIZE, DATA_GFN + i, neighbour[i].flags);
	testvm_map(vm, cr3, va + 8 * PAGE_SIZE, DATA_GFN + 8, G_RW);
	testvm_map(vm, cr3, va - PAGE_SIZE, DATA_GFN + 9, G_RW);
	testvm_load(vm, cr3, 1, 1);
	EXPECT_OK(vm, va + 6 * PAGE_SIZE, UR);
	KUNIT_EXPECT_EQ(test, vm->faults, 1U);
	for (i = 0; i < 8; i++) {
		u64 pte = pte_of(vm, cr3, va + i * PAGE_SIZE);

		EXPECT_HW(vm, va + i * PAGE_SIZE, UR, neighbour[i].read);
		EXPECT_HW(vm, va + i * PAGE_SIZE, UW, neighbour[i].write);
		if (neighbour[i].flags)
			KUNIT_EXPECT_EQ(test, pte, (DATA_GFN + i) << 12 | neighbour[i].flags);
	}
	EXPECT_HW(vm, va + 8 * PAGE_SIZE, UR, false);
	EXPECT_HW(vm, va - PAGE_SIZE, UR, false);
	KUNIT_EXPECT_EQ(test, vm->v->stats.fills, 1ULL);
	KUNIT_EXPECT_EQ(test, vm->v->stats.prefills, 3ULL);
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* A large leaf: an aligned group of what is resident; nothing is read twice */
static void fill_around_large(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm);
	unsigned int i, reads;

	testvm_map_large(vm, cr3, KERNEL_VA, HIGH_GFN, 2, G_KRW);
	testvm_map_large(vm, cr3, KERNEL_VA + PVHV_L1_SPAN, HIGH_GFN + 512, 2, G_KRW);
	testvm_load(vm, cr3, 1, 1);
	testvm_gfn(vm, HIGH_GFN + 0x21)->absent = true;
	testvm_gfn(vm, HIGH_GFN + 0x22)->readonly = true;
	EXPECT_OK(vm, KERNEL_VA + 0x25000, KR);
	for (i = 0x1f; i <= 0x30; i++) {
		bool in = i >= 0x20 && i < 0x30 && i != 0x21;

		EXPECT_HW(vm, KERNEL_VA + i * 0x1000, KR, in);
		EXPECT_HW(vm, KERNEL_VA + i * 0x1000, KW, in && i != 0x22);
	}
	KUNIT_EXPECT_EQ(test, vm->v->stats.prefills, 14ULL);
	/* the large leaf is remembered: no more reads of the guest's tables */
	reads = vm->reads;
	EXPECT_OK(vm, KERNEL_VA + 0x100000, KW);
	EXPECT_OK(vm, KERNEL_VA + 0x21000, KW);
	EXPECT_OK(vm, KERNEL_VA + 0x22000, KW);
	KUNIT_EXPECT_EQ(test, vm->reads, reads);
	EXPECT_OK(vm, KERNEL_VA + PVHV_L1_SPAN, KW);
	KUNIT_EXPECT_GT(test, vm->reads, reads);
	EXPECT_FAULT(vm, KERNEL_VA + 2 * PVHV_L1_SPAN, KR, 0);
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* D of a large leaf: set by the first write anywhere in it */
static void fill_large_dirty(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm);
	u64 *pmd;

	testvm_map_large(vm, cr3, KERNEL_VA, HIGH_GFN, 2, PT_P | PT_W);
	pmd = testvm_pte(vm, cr3, KERNEL_VA, 2, G_TABLE);
	testvm_load(vm, cr3, 1, 1);
	EXPECT_OK(vm, KERNEL_VA, KR);
	KUNIT_EXPECT_EQ(test, *pmd & (PT_A | PT_D), PT_A);
	EXPECT_HW(vm, KERNEL_VA, KW, false);
	EXPECT_OK(vm, KERNEL_VA + 0x100000, KW);
	KUNIT_EXPECT_EQ(test, *pmd & (PT_A | PT_D), PT_A | PT_D);
	EXPECT_OK(vm, KERNEL_VA, KW);
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* A 1 GiB leaf of which only 8 MiB have RAM */
static void fill_gigantic(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm);
	u64 last = HIGH_GFNS * PAGE_SIZE - PAGE_SIZE;

	testvm_map_large(vm, cr3, KERNEL_VA, HIGH_GFN, 3, G_KRW);
	testvm_load(vm, cr3, 1, 1);
	EXPECT_OK(vm, KERNEL_VA, KW);
	EXPECT_OK(vm, KERNEL_VA + last, KW);
	KUNIT_EXPECT_EQ(test, (testvm_hw_pte(vm, vm->v, KERNEL_VA + last, false) & PT_ADDR) >> 12,
			testvm_gfn(vm, HIGH_GFN + HIGH_GFNS - 1)->pfn);
	EXPECT_FAULT(vm, KERNEL_VA + last + 0x1000, KW, PVHV_PF_P | PVHV_PF_RSVD);
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* Pages and tables that the host must bring, or make writable, first */
static void fill_not_resident(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm);
	struct pvhv_mmu_fault_info info;
	struct testgfn *g;
	u64 table, gpa;
	int level, r;

	testvm_map(vm, cr3, USER_VA, DATA_GFN, PT_P | PT_W | PT_U);
	testvm_map(vm, cr3, USER_VA + PAGE_SIZE, DATA_GFN + 1, PT_P | PT_W | PT_U);
	testvm_load(vm, cr3, 1, 1);
	for (level = 4; level >= 1; level--) {
		/* the table that holds the entry of that level */
		table = level == 4 ? cr3 :
			*testvm_pte(vm, cr3, USER_VA, level + 1, G_TABLE) & PT_ADDR;
		g = testvm_gfn(vm, table >> 12);
		testvm_load_all(vm, cr3);
		testvm_load(vm, cr3, 1, 1);
		testvm_host_takes(vm, DATA_GFN);
		testvm_flush(vm, USER_VA, USER_VA + PVHV_L1_SPAN, 0, PVHV_FLUSH_FREED_TABLES);
		g->absent = true;
		KUNIT_EXPECT_EQ(test, pvhv_mmu_fault(&vm->mmu, vm->v, USER_VA, UR, &info), -EAGAIN);
		KUNIT_EXPECT_EQ(test, info.gfn, table >> 12);
		KUNIT_EXPECT_FALSE(test, info.write);
		KUNIT_EXPECT_EQ(test, pvhv_mmu_translate(&vm->mmu, vm->v, USER_VA, UR, &gpa, &info),
				-EAGAIN);
		KUNIT_EXPECT_EQ(test, info.gfn, table >> 12);
		g->absent = false;
	}
	/* its L1 table cannot be written: A cannot be set */
	g->readonly = true;
	KUNIT_EXPECT_EQ(test, pvhv_mmu_fault(&vm->mmu, vm->v, USER_VA, UR, &info), -EAGAIN);
	KUNIT_EXPECT_EQ(test, info.gfn, table >> 12);
	KUNIT_EXPECT_TRUE(test, info.write);
	EXPECT_OK(vm, USER_VA, UR);

	/* the page itself */
	testvm_gfn(vm, DATA_GFN + 1)->absent = true;
	r = pvhv_mmu_fault(&vm->mmu, vm->v, USER_VA + 0x1000, UR, &info);
	KUNIT_EXPECT_EQ(test, r, -EAGAIN);
	KUNIT_EXPECT_EQ(test, info.gfn, DATA_GFN + 1ULL);
	KUNIT_EXPECT_FALSE(test, info.write);
	testvm_gfn(vm, DATA_GFN + 1)->absent = false;
	testvm_gfn(vm, DATA_GFN + 1)->readonly = true;
	EXPECT_OK(vm, USER_VA + 0x1000, UR);
	r = pvhv_mmu_fault(&vm->mmu, vm->v, USER_VA + 0x1000, UW, &info);
	KUNIT_EXPECT_EQ(test, r, -EAGAIN);
	KUNIT_EXPECT_EQ(test, info.gfn, DATA_GFN + 1ULL);
	KUNIT_EXPECT_TRUE(test, info.write);
	/* D is set by now, but the page is not writable yet */
	EXPECT_HW(vm, USER_VA + 0x1000, UW, false);
	EXPECT_OK(vm, USER_VA + 0x1000, UW);
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* An entry changes between being read and being marked */
static void change_in_cmpxchg(struct testvm *vm, enum testhook what, u64 gpa)
{
	if (what != HOOK_CMPXCHG || !vm->hook_count)
		return;
	vm->hook_count--;
	*testvm_ptr(vm, gpa) ^= vm->hook_arg;
}

static void fill_races_with_guest(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm);
	u64 *pte;

	testvm_map(vm, cr3, USER_VA, DATA_GFN, PT_P | PT_W | PT_U);
	pte = testvm_pte(vm, cr3, USER_VA, 1, G_TABLE);
	testvm_load(vm, cr3, 1, 1);
	vm->hook = change_in_cmpxchg;

	/* it goes away: the guest's fault */
	vm->hook_arg = PT_P;
	vm->hook_count = 1;
	EXPECT_FAULT(vm, USER_VA, UR, 0);
	*pte |= PT_P;

	/* it loses W: likewise; D must not be set */
	vm->hook_arg = PT_W;
	vm->hook_count = 1;
	EXPECT_FAULT(vm, USER_VA, UW, PVHV_PF_P);
	KUNIT_EXPECT_EQ(test, *pte & PT_D, 0ULL);
	*pte |= PT_W;

	/* a bit that does not matter: found at the next try */
	vm->hook_arg = BIT_ULL(9);
	vm->hook_count = 1;
	EXPECT_OK(vm, USER_VA, UW);

	/* for ever: the guest tries again */
	testvm_map(vm, cr3, USER_VA + 0x100000, DATA_GFN, PT_P | PT_W | PT_U);
	vm->hook_count = 100;
	EXPECT_OK(vm, USER_VA + 0x100000, UW);
	KUNIT_EXPECT_EQ(test, vm->hook_count, 0U);
	testvm_check(vm);
	testvm_destroy(vm);
}

/* The table above changes during the walk */
static void drop_table(struct testvm *vm, enum testhook what, u64 gpa)
{
	if (what == HOOK_READ && vm->hook_count && gpa >> 12 == vm->hook_arg >> 12) {
		vm->hook_count--;
		*testvm_ptr(vm, vm->hook_arg) = 0;
	}
}

static void fill_races_with_free(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm);
	u64 *pmd;

	testvm_map(vm, cr3, USER_VA, DATA_GFN, PT_P | PT_W | PT_U);
	pmd = testvm_pte(vm, cr3, USER_VA, 2, G_TABLE);
	testvm_load(vm, cr3, 1, 1);
	vm->hook = drop_table;
	vm->hook_arg = (u8 *)pmd - (u8 *)vm->ram;
	vm->hook_count = 1;
	/* what was read before may be used, until the flush that is to follow */
	testvm_access(vm, USER_VA, UR);
	KUNIT_EXPECT_EQ(test, vm->hook_count, 0U);
	testvm_check(vm);
	testvm_flush(vm, USER_VA, USER_VA + PAGE_SIZE, 2, PVHV_FLUSH_FREED_TABLES);
	EXPECT_FAULT(vm, USER_VA, UR, 0);
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* Another vCPU takes W away above the leaf, and flushes, while this one's walk goes on */
static void protect_and_flush(struct testvm *vm, enum testhook what, u64 gpa)
{
	struct pvhv_mmu_vcpu *walker = vm->v;

	if (what != HOOK_READ || !vm->hook_count || gpa >> 12 != vm->hook_arg >> 12)
		return;
	vm->hook_count--;
	*testvm_ptr(vm, vm->hook_arg) &= ~PT_W;
	vm->v = &vm->mv[1];
	testvm_flush_mm(vm, 1, USER_VA, USER_VA + PVHV_L1_SPAN, 0, 0);
	vm->v = walker;
}

/* What a walk has read before a flush is not bound after it. */
static void fill_races_with_flush(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm);
	u64 *pmd;

	testvm_map_range(vm, cr3, USER_VA, DATA_GFN, 16, G_RW);
	pmd = testvm_pte(vm, cr3, USER_VA, 2, G_TABLE);
	testvm_load(vm, cr3, 1, 1);
	vm->hook = protect_and_flush;
	vm->hook_arg = (u8 *)pmd - (u8 *)vm->ram;

	/* no table is there yet */
	vm->hook_count = 1;
	EXPECT_FAULT(vm, USER_VA, UW, PVHV_PF_P);
	KUNIT_EXPECT_EQ(test, vm->hook_count, 0U);
	EXPECT_HW(vm, USER_VA, UW, false);

	/* there is one, which shadows nothing */
	EXPECT_OK(vm, USER_VA, UR);
	*pmd = *pmd & ~PT_P;
	testvm_flush(vm, USER_VA, USER_VA + PVHV_L1_SPAN, 0, 0);
	*pmd |= PT_P | PT_W;
	vm->hook_count = 1;
	EXPECT_FAULT(vm, USER_VA, UW, PVHV_PF_P);
	EXPECT_HW(vm, USER_VA, UW, false);

	/* a hint gives up */
	*pmd = *pmd & ~PT_P;
	testvm_flush(vm, USER_VA, USER_VA + PVHV_L1_SPAN, 0, 0);
	*pmd |= PT_P | PT_W;
	vm->hook_count = 1;
	testvm_hint(vm, USER_VA, 16);
	KUNIT_EXPECT_EQ(test, vm->hook_count, 0U);
	EXPECT_HW(vm, USER_VA, UW, false);

	vm->hook = NULL;
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* The guest takes a table away, flushes, and uses its page for something else: hook_data. */
static void reuse_table(struct testvm *vm, enum testhook what, u64 gpa)
{
	struct pvhv_mmu_vcpu *walker = vm->v;
	u64 *table;
	int i;

	if (what != HOOK_READ || !vm->hook_count || gpa >> 12 != vm->hook_arg >> 12)
		return;
	vm->hook_count--;
	table = testvm_ptr(vm, *testvm_ptr(vm, vm->hook_arg) & PT_ADDR);
	*testvm_ptr(vm, vm->hook_arg) = 0;
	vm->v = &vm->mv[1];
	testvm_flush_mm(vm, 1, USER_VA, USER_VA + PVHV_L1_SPAN, 0, PVHV_FLUSH_FREED_TABLES);
	vm->v = walker;
	for (i = 0; i < 512; i++)
		table[i] = vm->hook_data;
}

/* What has been a table before a flush is neither written nor believed after it. */
static void fill_races_with_reuse(struct kunit *test)
{
	/* like entries without A; with a reserved bit; of the kernel; outside of RAM */
	static const u64 data[] = { 7, 7 | BIT_ULL(51), 3, 7 | BIT_ULL(45) };
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm), was;
	u64 *pmd, *table;
	int n;

	testvm_map_range(vm, cr3, USER_VA, DATA_GFN, 16, G_RW);
	pmd = testvm_pte(vm, cr3, USER_VA, 2, G_TABLE);
	was = *pmd;
	table = testvm_ptr(vm, was & PT_ADDR);
	testvm_load(vm, cr3, 1, 1);
	vm->hook = reuse_table;
	vm->hook_arg = (u8 *)pmd - (u8 *)vm->ram;

	/* twice: for the first, there may be no spare table yet */
	for (n = 0; n < 2 * ARRAY_SIZE(data); n++) {
		int i = n % ARRAY_SIZE(data);

		vm->hook_data = data[i];
		vm->hook_count = 1;
		*pmd = was;
		EXPECT_FAULT(vm, USER_VA, i == 2 ? PVHV_ACC_WRITE : UW, 0);
		KUNIT_EXPECT_EQ(test, vm->hook_count, 0U);
		KUNIT_EXPECT_EQ(test, table[0], data[i]);
		KUNIT_EXPECT_PTR_EQ(test, vm->v->root->kuser, NULL);

		vm->hook_count = 1;
		*pmd = was;
		testvm_hint(vm, USER_VA, 16);
		KUNIT_EXPECT_EQ(test, table[0], data[i]);
		EXPECT_HW(vm, USER_VA, UR, false);
	}
	vm->hook = NULL;
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

static void flush_at_read(struct testvm *vm, enum testhook what, u64 gpa)
{
	struct pvhv_mmu_vcpu *walker = vm->v;

	if (what != HOOK_READ || !vm->hook_count || gpa >> 12 != vm->hook_arg >> 12)
		return;
	vm->hook_count--;
	vm->v = &vm->mv[1];
	testvm_flush_mm(vm, 1, USER_VA + PVHV_L1_SPAN, USER_VA + 2 * PVHV_L1_SPAN, 0, 0);
	vm->v = walker;
}

/* Flushes of something else, one during each walk, do not keep an access from its page. */
static void fill_among_flushes(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	struct pvhv_mmu_fault_info info;
	u64 cr3 = testvm_new_table(vm);
	u64 *pmd;

	testvm_map_range(vm, cr3, USER_VA, DATA_GFN, 16, G_RW);
	pmd = testvm_pte(vm, cr3, USER_VA, 2, G_TABLE);
	testvm_load(vm, cr3, 1, 1);
	KUNIT_ASSERT_EQ(test, 0, pvhv_mmu_topup(&vm->mmu, vm->v));
	vm->hook = flush_at_read;
	vm->hook_arg = (u8 *)pmd - (u8 *)vm->ram;
	/* those that are not done under a lock, for which a flush would wait */
	vm->hook_count = 8;
	KUNIT_EXPECT_EQ(test, pvhv_mmu_fault(&vm->mmu, vm->v, USER_VA, UW, &info),
			PVHV_MMU_FILLED);
	KUNIT_EXPECT_EQ(test, vm->hook_count, 0U);
	EXPECT_HW(vm, USER_VA, UW, true);
	vm->hook = NULL;
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* ---- hints ---- */

static void fill_hints(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm), va = USER_VA + PVHV_L1_SPAN - 0x4000;
	int i;

	/* nothing there: no table is made for it */
	testvm_load(vm, cr3, 1, 1);
	testvm_hint(vm, va, 1);
	KUNIT_EXPECT_EQ(test, atomic64_read(&vm->mmu.tables), 0LL);

	/* across two L1 tables, with holes and unused entries */
	testvm_map_range(vm, cr3, va, DATA_GFN, 8, G_RW);
	testvm_map(vm, cr3, va + 0x1000, DATA_GFN + 1, 0);
	testvm_map(vm, cr3, va + 0x5000, DATA_GFN + 5, PT_P | PT_W | PT_U);
	testvm_map(vm, cr3, va + 0x6000, DATA_GFN + 6, G_RO);
	testvm_map(vm, cr3, va + 0x7000, DATA_GFN + 7, G_KRW);
	testvm_hint(vm, va, 9);
	for (i = 0; i < 9; i++) {
		EXPECT_HW(vm, va + i * 0x1000, UR, i != 1 && i != 5 && i < 7);
		EXPECT_HW(vm, va + i * 0x1000, UW, i != 1 && i < 5);
	}
	KUNIT_EXPECT_EQ(test, pte_of(vm, cr3, va + 0x5000) & PT_A, 0ULL);
	KUNIT_EXPECT_EQ(test, vm->faults, 0U);

	/* what has become writable is made so */
	testvm_map(vm, cr3, va + 0x6000, DATA_GFN + 6, G_RW);
	testvm_hint(vm, va + 0x6000, 1);
	EXPECT_HW(vm, va + 0x6000, UW, true);

	/* kernel half */
	testvm_map_range(vm, cr3, TEXT_VA, DATA_GFN, 4, G_KRW);
	testvm_hint(vm, TEXT_VA, 4);
	EXPECT_OK(vm, TEXT_VA, KR);	/* the first miss links the L3 table */
	EXPECT_HW(vm, TEXT_VA + 0x3000, KW, true);
	/* a large leaf, used or not */
	testvm_map_large(vm, cr3, KERNEL_VA, HIGH_GFN, 2, G_KRW);
	testvm_map_large(vm, cr3, KERNEL_VA + PVHV_L1_SPAN, HIGH_GFN, 2, PT_P | PT_W);
	testvm_hint(vm, KERNEL_VA, 1024);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), 5 + 4 + 512U);
	testvm_check_agrees(vm);

	/* as many as there can be, as long as they can be */
	testvm_map_large(vm, cr3, KERNEL_VA, HIGH_GFN, 3, G_KRW);
	{
		u64 hints[PVHV_VP_MAX_HINTS];

		for (i = 0; i < ARRAY_SIZE(hints); i++)
			hints[i] = (KERNEL_VA + (u64)i * 0x1000000) | 0xfff;
		pvhv_mmu_sync_hints(&vm->mmu, vm->v, hints, ARRAY_SIZE(hints));
	}
	testvm_check(vm);
	testvm_destroy(vm);
}

/* Hints without memory, tables that are away, caches that run dry */
static void fill_hints_short(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm), hint;
	int i;

	testvm_load(vm, cr3, 1, 1);
	testvm_map_range(vm, cr3, USER_VA, DATA_GFN, 200, G_RW);
	testvm_map_range(vm, cr3, USER_VA + 0x100000, DATA_GFN, 200, G_RW);
	testvm_gfn(vm, DATA_GFN + 3)->absent = true;
	testvm_gfn(vm, *testvm_pte(vm, cr3, USER_VA, 2, G_TABLE) >> 12)->absent = true;
	testvm_hint(vm, USER_VA, 200);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), 0U);
	testvm_gfn(vm, *testvm_pte(vm, cr3, USER_VA, 2, G_TABLE) >> 12)->absent = false;
	testvm_hint(vm, USER_VA, 200);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), 199U);
	/* the second mapping of each page takes a chunk: more than a cache has */
	hint = (USER_VA + 0x100000) | 199;
	for (i = 0; i < 10; i++) {
		if (!pvhv_mmu_sync_hints(&vm->mmu, vm->v, &hint, 1))
			break;
		testvm_check(vm);
		KUNIT_EXPECT_EQ(test, 0, pvhv_mmu_topup(&vm->mmu, vm->v));
	}
	KUNIT_EXPECT_GT(test, i, 0);
	KUNIT_EXPECT_LT(test, i, 10);
	KUNIT_EXPECT_EQ(test, testvm_present(vm), 398U);
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* With an empty cache each call says so, until what it needs is there */
static void fill_without_memory(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm);
	struct pvhv_mmu_fault_info info;
	struct pvhv_mmu_cache saved, empty = {};
	struct pvhv_mmu_flush fl = {};

	testvm_map(vm, cr3, USER_VA, DATA_GFN, G_RW);
	testvm_map(vm, cr3, KERNEL_VA, DATA_GFN, G_KRW);
	testvm_map(vm, cr3, 0x1000, DATA_GFN, G_KRW);
	saved = vm->v->cache;
	vm->v->cache = empty;
	KUNIT_EXPECT_EQ(test, pvhv_mmu_load_root(&vm->mmu, vm->v, cr3, 1, 1, false, &fl), -ENOMEM);
	vm->v->cache = saved;
	testvm_load(vm, cr3, 1, 1);

	saved = vm->v->cache;
	vm->v->cache = empty;
	KUNIT_EXPECT_EQ(test, pvhv_mmu_fault(&vm->mmu, vm->v, USER_VA, UR, &info), -ENOMEM);
	KUNIT_EXPECT_EQ(test, pvhv_mmu_fault(&vm->mmu, vm->v, KERNEL_VA, KR, &info), -ENOMEM);
	KUNIT_EXPECT_EQ(test, pvhv_mmu_fault(&vm->mmu, vm->v, 0x1000, KR, &info), -ENOMEM);
	vm->v->cache = saved;

	/* some, but not all of what it takes: nothing is left behind */
	vm->v->cache.tables[0] = NULL;
	vm->v->cache.nr_tables[0] = 0;
	KUNIT_EXPECT_EQ(test, pvhv_mmu_fault(&vm->mmu, vm->v, USER_VA, UR, &info), -ENOMEM);
	vm->v->cache.tables[0] = saved.tables[0];
	vm->v->cache.nr_tables[0] = saved.nr_tables[0];
	KUNIT_EXPECT_EQ(test, atomic64_read(&vm->mmu.tables), 0LL);
	testvm_check(vm);
	EXPECT_OK(vm, USER_VA, UW);
	EXPECT_OK(vm, KERNEL_VA, KW);
	EXPECT_OK(vm, 0x1000, KR);
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* What an idle vCPU had is the next one's. */
static void fill_idle(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	struct pvhv_mmu_cache *cache = &vm->mv[0].cache;
	u64 cr3 = testvm_new_table(vm), pages = atomic64_read(&vm->mmu.pages);
	struct pvhv_mmu_vcpu mv;

	testvm_map(vm, cr3, USER_VA, DATA_GFN, G_RW);
	pvhv_mmu_vcpu_idle(&vm->mmu, &vm->mv[0]);
	KUNIT_EXPECT_EQ(test, cache->nr_tables[0] + cache->nr_tables[1] + cache->nr_tables[2] +
			cache->nr_roots, 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&vm->mmu.pages), pages);
	pvhv_mmu_vcpu_init(&mv);
	KUNIT_EXPECT_EQ(test, pvhv_mmu_topup(&vm->mmu, &mv), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&vm->mmu.pages), pages);
	testvm_load(vm, cr3, 1, 1);
	EXPECT_OK(vm, USER_VA, UW);
	pvhv_mmu_vcpu_destroy(&vm->mmu, &mv);
	testvm_check(vm);
	testvm_destroy(vm);
}

/* ---- who sees what ---- */

static void fill_isolation(struct kunit *test)
{
	struct testvm *vm;
	int levels;

	for (levels = 4; levels <= 5; levels++) {
		u64 cr3;

		vm = testvm_create(test, 1000, levels);
		cr3 = testvm_new_table(vm);
		testvm_map(vm, cr3, USER_VA, DATA_GFN, G_RW);
		testvm_map(vm, cr3, USER_VA + 0x1000, DATA_GFN + 1, G_KRW);
		testvm_map(vm, cr3, KERNEL_VA, DATA_GFN + 2, G_KRW);
		testvm_map(vm, cr3, KERNEL_VA + 0x1000, DATA_GFN + 3, G_RW);	/* U=1 */
		testvm_load(vm, cr3, 1, 1);

		/* user first, then the kernel, on the same tables */
		EXPECT_OK(vm, USER_VA, UX);
		EXPECT_HW(vm, USER_VA, KW, true);
		EXPECT_FAULT(vm, USER_VA, KX, PVHV_PF_P);
		EXPECT_FAULT(vm, USER_VA + 0x1000, UR, PVHV_PF_P);
		KUNIT_EXPECT_PTR_EQ(test, vm->v->root->kuser, (struct pvhv_mmu_tree *)NULL);
		EXPECT_OK(vm, KERNEL_VA, KX);
		EXPECT_OK(vm, KERNEL_VA + 0x1000, KX);	/* the half decides, not U */
		EXPECT_FAULT(vm, KERNEL_VA, UR, PVHV_PF_P);
		EXPECT_FAULT(vm, KERNEL_VA + 0x1000, UR, PVHV_PF_P);
		KUNIT_EXPECT_EQ(test, testvm_hw_pte(vm, vm->v, KERNEL_VA, true), 0ULL);
		testvm_check_agrees(vm);

		/* a supervisor page of the user half: the root is split */
		EXPECT_OK(vm, USER_VA + 0x1000, KX);
		KUNIT_EXPECT_PTR_NE(test, vm->v->root->kuser, (struct pvhv_mmu_tree *)NULL);
		KUNIT_EXPECT_EQ(test, testvm_hw_pte(vm, vm->v, USER_VA + 0x1000, true), 0ULL);
		EXPECT_FAULT(vm, USER_VA + 0x1000, UW, PVHV_PF_P);
		EXPECT_OK(vm, USER_VA + 0x1000, KW);
		EXPECT_OK(vm, USER_VA, KW);
		EXPECT_FAULT(vm, USER_VA, KX, PVHV_PF_P);
		EXPECT_OK(vm, USER_VA, UX);
		EXPECT_OK(vm, USER_VA, UW);
		/* new L3 tables go to the right places */
		testvm_map(vm, cr3, 0x1000, DATA_GFN + 4, G_KRW);
		testvm_map(vm, cr3, 0x2000, DATA_GFN + 5, G_RW);
		EXPECT_OK(vm, 0x1000, KW);
		EXPECT_OK(vm, 0x2000, UW);
		testvm_check_agrees(vm);

		/* flushes reach both */
		testvm_map(vm, cr3, USER_VA, DATA_GFN, G_KRO);
		testvm_map(vm, cr3, USER_VA + 0x1000, DATA_GFN + 1, G_RO);
		testvm_flush(vm, USER_VA, USER_VA + 0x2000, 0, 0);
		testvm_check_agrees(vm);
		EXPECT_HW(vm, USER_VA, UR, false);
		EXPECT_HW(vm, USER_VA, KW, false);
		EXPECT_HW(vm, USER_VA + 0x1000, KX, false);
		EXPECT_OK(vm, USER_VA + 0x1000, UX);
		EXPECT_FAULT(vm, USER_VA + 0x1000, KX, PVHV_PF_P);
		testvm_destroy(vm);
	}
}

/* The kernel half is one for all roots, also those that are loaded later */
static void fill_kernel_half_shared(struct kunit *test)
{
	struct testvm *vm;
	int levels;

	for (levels = 4; levels <= 5; levels++) {
		u64 a, b;
		int i;

		vm = testvm_create(test, 1000, levels);
		a = testvm_new_table(vm);
		b = testvm_new_table(vm);
		testvm_map(vm, a, KERNEL_VA, DATA_GFN, G_KRW);
		testvm_map(vm, a, TEXT_VA, DATA_GFN + 1, G_KRW);
		/* both processes have the kernel's PML4 entries */
		for (i = 256; i < 512; i++)
			testvm_ptr(vm, b)[i] = testvm_ptr(vm, a)[i];
		testvm_load(vm, a, 1, 1);
		EXPECT_OK(vm, KERNEL_VA, KW);
		vm->v = &vm->mv[1];
		testvm_load(vm, b, 2, 1);
		/* linked when it was created */
		EXPECT_HW(vm, KERNEL_VA, KW, true);
		vm->v = &vm->mv[0];
		EXPECT_OK(vm, TEXT_VA, KW);
		vm->v = &vm->mv[1];
		/* linked when it is missed, at no cost */
		vm->faults = 0;
		EXPECT_OK(vm, TEXT_VA, KW);
		KUNIT_EXPECT_EQ(test, vm->faults, levels == 4 ? 1U : 0U);
		/* flushed by one, gone for both */
		testvm_map(vm, a, TEXT_VA, DATA_GFN + 1, 0);
		testvm_flush(vm, TEXT_VA, TEXT_VA + 0x1000, 0, 0);
		EXPECT_FAULT(vm, TEXT_VA, KR, 0);
		vm->v = &vm->mv[0];
		EXPECT_HW(vm, TEXT_VA, KR, false);
		testvm_check_agrees(vm);
		testvm_destroy(vm);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(fill_accessed_dirty),
	KUNIT_CASE(fill_around_small),
	KUNIT_CASE(fill_around_large),
	KUNIT_CASE(fill_large_dirty),
	KUNIT_CASE(fill_gigantic),
	KUNIT_CASE(fill_not_resident),
	KUNIT_CASE(fill_races_with_guest),
	KUNIT_CASE(fill_races_with_free),
	KUNIT_CASE(fill_races_with_flush),
	KUNIT_CASE(fill_races_with_reuse),
	KUNIT_CASE(fill_among_flushes),
	KUNIT_CASE(fill_hints),
	KUNIT_CASE(fill_hints_short),
	KUNIT_CASE(fill_without_memory),
	KUNIT_CASE(fill_idle),
	KUNIT_CASE(fill_isolation),
	KUNIT_CASE(fill_kernel_half_shared),
	{}
};

static struct kunit_suite suite = {
	.name = "pvhv_fill",
	.test_cases = cases,
};

kunit_test_suite(suite);
