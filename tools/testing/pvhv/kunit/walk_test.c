// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv: every combination of page-table bits, at every level, against a model.
 *
 * In the manner of kvm-unit-tests' "access": build a translation, change one
 * level, try each kind of access, and compare what the guest gets (success or
 * error code), what its A and D bits have become, and what the shadow permits
 * afterwards without asking again.
 */
#include "testvm.h"

static const u32 accesses[] = { KR, KW, KX, UR, UW, UX };

/* The bits that are enumerated; RSVD stands for one beyond PHYS_BITS */
#define RSVD BIT_ULL(45)
static const u64 bits[] = { PT_P, PT_W, PT_U, PT_NX, PT_A, PT_D, PT_PS, RSVD };

static u64 combination(unsigned int n)
{
	u64 flags = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		if (n & BIT(i))
			flags |= bits[i];
	}
	return flags;
}

struct path {
	u64 cr3;
	u64 gva;
	u64 *pte[5];
	u64 plain[5];	/* address only */
};

static void make_path(struct testvm *vm, struct path *p, u64 gva)
{
	int level;

	p->cr3 = testvm_new_table(vm);
	p->gva = gva;
	testvm_map(vm, p->cr3, gva, DATA_GFN, G_RW);
	for (level = 1; level <= 4; level++) {
		p->pte[level] = testvm_pte(vm, p->cr3, gva, level, G_TABLE);
		p->plain[level] = *p->pte[level] & PT_ADDR;
	}
}

static void reset_path(struct path *p)
{
	int level;

	for (level = 1; level <= 4; level++)
		*p->pte[level] = p->plain[level] | G_RW;
}

static void try_access(struct testvm *vm, struct path *p, u32 access, const char *what)
{
	struct testxlat x = testvm_model(vm, p->cr3, p->gva);
	bool permitted = testvm_model_permits(&x, p->gva, access);
	struct pvhv_mmu_fault_info info;
	u64 before[5], gpa = 0;
	u32 got, want;
	int level, r;

	for (level = 1; level <= 4; level++)
		before[level] = *p->pte[level];

	want = ACCESS_OK;
	if (!permitted)
		want = access | (x.ok ? PVHV_PF_P : x.error);
	else if (!testvm_gfn(vm, x.gfn))
		want = access | PVHV_PF_P | PVHV_PF_RSVD;

	/* without side effects first */
	r = pvhv_mmu_translate(&vm->mmu, vm->v, p->gva, access, &gpa, &info);
	KUNIT_EXPECT_EQ_MSG(vm->test, r, permitted ? 0 : PVHV_MMU_GUEST_FAULT, "%s", what);
	if (permitted)
		KUNIT_EXPECT_EQ_MSG(vm->test, gpa, x.gfn << 12 | p->gva % 4096, "%s", what);
	else
		KUNIT_EXPECT_EQ_MSG(vm->test, info.error_code, want, "%s", what);
	for (level = 1; level <= 4; level++)
		KUNIT_EXPECT_EQ_MSG(vm->test, *p->pte[level], before[level], "%s", what);

	got = testvm_access(vm, p->gva, access);
	KUNIT_EXPECT_EQ_MSG(vm->test, got, want, "%s", what);

	if (got != ACCESS_OK) {
		/* hardware may set A above a leaf that refuses, we do not */
		if (!permitted)
			for (level = 1; level <= 4; level++)
				KUNIT_EXPECT_EQ_MSG(vm->test, *p->pte[level], before[level], "%s",
						    what);
		return;
	}

	/* A on the way, D in the leaf of a write, nothing else */
	for (level = 4; level >= x.level; level--) {
		u64 expect = before[level] | PT_A;

		if (level == x.level && (access & PVHV_ACC_WRITE))
			expect |= PT_D;
		KUNIT_EXPECT_EQ_MSG(vm->test, *p->pte[level], expect, "%s", what);
	}

	/* the shadow permits what the guest's tables do now, D included */
	x = testvm_model(vm, p->cr3, p->gva);
	for (r = 0; r < ARRAY_SIZE(accesses); r++) {
		u32 other = accesses[r];
		u64 spte = testvm_hw_pte(vm, vm->v, p->gva, other & PVHV_ACC_USER);

		if (testvm_hw_permits(spte, other)) {
			KUNIT_EXPECT_TRUE_MSG(vm->test, testvm_model_permits(&x, p->gva, other),
					      "%s: then %#x", what, other);
			KUNIT_EXPECT_TRUE_MSG(vm->test, !(other & PVHV_ACC_WRITE) || x.d,
					      "%s: then %#x", what, other);
			KUNIT_EXPECT_EQ_MSG(vm->test, (spte & PT_ADDR) >> 12,
					    testvm_gfn(vm, x.gfn)->pfn, "%s", what);
		}
	}
}

static void enumerate(struct kunit *test, u64 gva)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	char what[80];
	struct path p;
	unsigned int n;
	int level, i;

	make_path(vm, &p, gva);
	for (level = 4; level >= 1; level--) {
		for (n = 0; n < BIT(ARRAY_SIZE(bits)); n++) {
			for (i = 0; i < ARRAY_SIZE(accesses); i++) {
				u64 pte = p.plain[level] | combination(n);

				reset_path(&p);
				/* as a large leaf it maps RAM that there is, aligned */
				if ((pte & PT_PS) && (level == 2 || level == 3))
					pte = (HIGH_GFN << 12) | combination(n);
				*p.pte[level] = pte;
				testvm_load_all(vm, p.cr3);
				snprintf(what, sizeof(what), "level %d pte %#llx access %#x",
					 level, pte, accesses[i]);
				try_access(vm, &p, accesses[i], what);
			}
		}
		testvm_check(vm);
	}
	testvm_destroy(vm);
}

static void walk_user(struct kunit *test)
{
	enumerate(test, USER_VA + 0x3000);
}

static void walk_kernel(struct kunit *test)
{
	enumerate(test, KERNEL_VA + 0x5000);
}

/* Two levels at once, with the shadow kept from one combination to the next */
static void walk_pairs(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 state = 12345;
	char what[80];
	struct path p;
	int round, i;

	for (i = 0; i < 2; i++) {
		make_path(vm, &p, i ? TEXT_VA : USER_VA);
		testvm_load(vm, p.cr3, 7 + i, 1);
		for (round = 0; round < 3000; round++) {
			int a, b;
			u32 access;

			state = state * 6364136223846793005ULL + 1442695040888963407ULL;
			a = 1 + (state >> 33) % 4;
			b = 1 + (state >> 35) % 4;
			access = accesses[(state >> 37) % 6];
			reset_path(&p);
			*p.pte[a] = p.plain[a] | (combination(state >> 40 & 255) & ~PT_PS);
			*p.pte[b] = p.plain[b] | (combination(state >> 50 & 255) & ~PT_PS);
			testvm_flush(vm, p.gva, p.gva + PAGE_SIZE, 0, PVHV_FLUSH_FREED_TABLES);
			snprintf(what, sizeof(what), "round %d: %llx/%llx access %#x", round,
				 *p.pte[a], *p.pte[b], access);
			try_access(vm, &p, access, what);
		}
		testvm_check(vm);
	}
	testvm_destroy(vm);
}

/* Reserved address bits of large leaves, each alone */
static void walk_large_reserved(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	int level, bit;
	struct path p;

	make_path(vm, &p, USER_VA & ~(BIT_ULL(30) - 1));
	for (level = 2; level <= 3; level++) {
		for (bit = 12; bit < 52; bit++) {
			u64 gfn = HIGH_GFN | BIT_ULL(bit - 12);
			bool low = bit >= 13 && bit < (level == 2 ? 21 : 30);
			bool wide = bit >= PHYS_BITS;
			u32 want = UR | PVHV_PF_P | PVHV_PF_RSVD;

			reset_path(&p);
			*p.pte[level] = gfn << 12 | G_RW | PT_PS;
			testvm_load_all(vm, p.cr3);
			/* bit 12 is PAT; HIGH_GFN is bit 30; what is left has no RAM */
			if (bit == 12 || bit == 30 || (level == 2 && (bit == 21 || bit == 22)))
				want = ACCESS_OK;
			KUNIT_EXPECT_EQ_MSG(test, testvm_access(vm, p.gva, UR), want,
					    "level %d bit %d low %d wide %d", level, bit, low,
					    wide);
		}
	}
	testvm_destroy(vm);
}

/* Tables and pages where there is no RAM */
static void walk_no_ram(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	struct path p;
	int level;

	make_path(vm, &p, USER_VA);
	for (level = 1; level <= 4; level++) {
		reset_path(&p);
		*p.pte[level] = NO_GFN << 12 | G_RW;
		testvm_load_all(vm, p.cr3);
		EXPECT_FAULT(vm, p.gva, UR, PVHV_PF_P | PVHV_PF_RSVD);
		EXPECT_FAULT(vm, p.gva, KW, PVHV_PF_P | PVHV_PF_RSVD);
	}
	/* gfns that do not fit what a shadow table holds */
	reset_path(&p);
	*p.pte[1] = ((1ULL << 39) | DATA_GFN << 12) | G_RW;
	testvm_load_all(vm, p.cr3);
	EXPECT_FAULT(vm, p.gva, UR, PVHV_PF_P | PVHV_PF_RSVD);
	/* the root itself */
	testvm_load_all(vm, NO_GFN << 12);
	EXPECT_FAULT(vm, p.gva, UR, PVHV_PF_P | PVHV_PF_RSVD);
	EXPECT_FAULT(vm, KERNEL_VA, KR, PVHV_PF_P | PVHV_PF_RSVD);
	testvm_load_all(vm, ~0ULL);
	EXPECT_FAULT(vm, p.gva, UR, PVHV_PF_P | PVHV_PF_RSVD);
	testvm_check(vm);
	testvm_destroy(vm);
}

/* Tables that are their own children, at every level: nothing special */
static void walk_recursive(struct kunit *test)
{
	struct testvm *vm = testvm_create(test, 1000, 4);
	u64 cr3 = testvm_new_table(vm);
	u64 *table = testvm_ptr(vm, cr3);
	u64 gva = 0, kva = ~0ULL << 48;
	int level;

	/* slots 3 and 300 of the only table there is */
	table[3] = cr3 | G_RW;
	table[300] = cr3 | G_RW;
	for (level = 1; level <= 4; level++) {
		gva |= 3ULL << (3 + 9 * level);
		kva |= 300ULL << (3 + 9 * level);
	}
	testvm_load_all(vm, cr3);
	EXPECT_OK(vm, gva, UW);
	EXPECT_OK(vm, gva, KR);
	EXPECT_OK(vm, kva, KW);
	EXPECT_FAULT(vm, kva, UR, PVHV_PF_P);
	EXPECT_FAULT(vm, gva + PAGE_SIZE, UR, 0);
	/* the page seen there is the table */
	KUNIT_EXPECT_EQ(test, (testvm_hw_pte(vm, vm->v, gva, true) & PT_ADDR) >> 12,
			testvm_gfn(vm, cr3 >> 12)->pfn);
	testvm_check_agrees(vm);
	testvm_destroy(vm);
}

/* The hole, the ends of the halves, and what is not an address at all */
static void walk_odd_addresses(struct kunit *test)
{
	static const u64 nowhere[] = {
		0x0000800000000000ULL, 0x0000ffffffffffffULL, 0x1234567812345678ULL,
		0xffff7fffffffffffULL, 0x8000000000000000ULL, 0xfffeffffffffffffULL,
	};
	struct testvm *vm;
	u64 cr3, gva;
	int i, r, levels;

	for (levels = 4; levels <= 5; levels++) {
		vm = testvm_create(test, 1000, levels);
		cr3 = testvm_new_table(vm);
		/* the guest's own entries in the hole are never looked at */
		for (i = 0; i < 512; i++)
			testvm_ptr(vm, cr3)[i] = cr3 | G_RW;
		testvm_load(vm, cr3, 1, 1);
		for (gva = 0xffff800000000000ULL; gva < 0xffff820000000000ULL;
		     gva += 0x4000000000ULL) {
			EXPECT_FAULT(vm, gva, KR, 0);
			EXPECT_FAULT(vm, gva, UW, 0);
			EXPECT_FAULT(vm, gva, KX, 0);
			testvm_hint(vm, gva, 4);
			testvm_flush(vm, gva, gva + 0x200000, 0, PVHV_FLUSH_FREED_TABLES);
		}
		for (i = 0; i < ARRAY_SIZE(nowhere); i++) {
			struct pvhv_mmu_fault_info info;

			r = pvhv_mmu_fault(&vm->mmu, vm->v, nowhere[i], KW, &info);
			KUNIT_EXPECT_EQ(test, r, PVHV_MMU_GUEST_FAULT);
			r = pvhv_mmu_fault(&vm->mmu, vm->v, nowhere[i], UX, &info);
			KUNIT_EXPECT_EQ(test, r, PVHV_MMU_GUEST_FAULT);
			testvm_hint(vm, nowhere[i] & PAGE_MASK, 4096);
			testvm_flush(vm, nowhere[i], nowhere[i] + 0x1000, 0, 0);
		}
		KUNIT_EXPECT_EQ(test, testvm_present(vm), 0U);
		EXPECT_OK(vm, 0, UR);
		EXPECT_OK(vm, 0x00007fffffffffffULL, UR);
		EXPECT_OK(vm, 0xffff820000000000ULL, KR);
		EXPECT_OK(vm, ~0ULL, KR);
		EXPECT_FAULT(vm, ~0ULL, UR, PVHV_PF_P);
		/* ranges with ends everywhere */
		testvm_flush(vm, 0, 0, 0, 0);
		testvm_flush(vm, ~0ULL, 0, 0, 0);
		testvm_flush(vm, 0x7fffffffffffULL, ~0ULL, 0, 0);
		testvm_flush(vm, ~0ULL, 5, 0, 0);
		testvm_flush_all(vm, 0, 0);
		testvm_hint(vm, ~0ULL & PAGE_MASK, 4096);
		testvm_hint(vm, 0x00007ffffffff000ULL, 4096);
		testvm_check_agrees(vm);
		EXPECT_OK(vm, 0, UR);
		EXPECT_OK(vm, ~0ULL, KR);
		testvm_destroy(vm);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(walk_user),
	KUNIT_CASE(walk_kernel),
	KUNIT_CASE(walk_pairs),
	KUNIT_CASE(walk_large_reserved),
	KUNIT_CASE(walk_no_ram),
	KUNIT_CASE(walk_recursive),
	KUNIT_CASE(walk_odd_addresses),
	{}
};

static struct kunit_suite suite = {
	.name = "pvhv_walk",
	.test_cases = cases,
};

kunit_test_suite(suite);
