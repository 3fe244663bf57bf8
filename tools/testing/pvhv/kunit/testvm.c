// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv: the machine of testvm.h.
 */
#include <linux/slab.h>

#include "testvm.h"

static struct testvm *vm_of(struct pvhv_mmu *mmu)
{
	return container_of(mmu, struct testvm, mmu);
}

struct testgfn *testvm_gfn(struct testvm *vm, u64 gfn)
{
	if (gfn < LOW_GFNS)
		return &vm->gfns[gfn];
	if (gfn >= HIGH_GFN && gfn < HIGH_GFN + HIGH_GFNS)
		return &vm->gfns[LOW_GFNS + gfn - HIGH_GFN];
	return NULL;
}

/* NULL: no RAM there; high memory reads as zero */
u64 *testvm_ptr(struct testvm *vm, u64 gpa)
{
	static u64 zero[512];

	if (gpa >> PAGE_SHIFT < LOW_GFNS)
		return &vm->ram[gpa / 8];
	return testvm_gfn(vm, gpa >> PAGE_SHIFT) ? &zero[(gpa & ~PAGE_MASK) / 8] : NULL;
}

static void run_hook(struct testvm *vm, enum testhook what, u64 arg)
{
	if (vm->hook)
		vm->hook(vm, what, arg);
}

/* ---- what the MMU asks for: access.h ---- */

int pvhv_gpt_read(struct pvhv_mmu *mmu, u64 gpa, u64 *val)
{
	struct testvm *vm = vm_of(mmu);
	u64 *p = testvm_ptr(vm, gpa);

	KUNIT_EXPECT_EQ(vm->test, gpa & 7, 0ULL);
	KUNIT_EXPECT_EQ(vm->test, gpa >> 52, 0ULL);
	if (!p)
		return -ENOENT;
	if (testvm_gfn(vm, gpa >> PAGE_SHIFT)->absent)
		return -EAGAIN;
	vm->reads++;
	*val = *p;
	run_hook(vm, HOOK_READ, gpa);
	return 0;
}

int pvhv_gpt_read_line(struct pvhv_mmu *mmu, u64 gpa, u64 val[8])
{
	struct testvm *vm = vm_of(mmu);
	u64 *p = testvm_ptr(vm, gpa);

	KUNIT_EXPECT_EQ(vm->test, gpa & 63, 0ULL);
	if (!p)
		return -ENOENT;
	if (testvm_gfn(vm, gpa >> PAGE_SHIFT)->absent)
		return -EAGAIN;
	vm->reads++;
	memcpy(val, p, 64);
	run_hook(vm, HOOK_READ, gpa);
	return 0;
}

int pvhv_gpt_cmpxchg(struct pvhv_mmu *mmu, u64 gpa, u64 old, u64 new)
{
	struct testvm *vm = vm_of(mmu);
	u64 *p = testvm_ptr(vm, gpa);
	struct testgfn *g = testvm_gfn(vm, gpa >> PAGE_SHIFT);

	if (!p)
		return -ENOENT;
	if (g->absent || g->readonly)
		return -EAGAIN;
	run_hook(vm, HOOK_CMPXCHG, gpa);
	/* nothing but A and D is ever ours to change */
	KUNIT_EXPECT_EQ(vm->test, (old ^ new) & ~(PT_A | PT_D), 0ULL);
	if (*p != old)
		return 1;
	*p = new;
	return 0;
}

int pvhv_gfn_to_pfn(struct pvhv_mmu *mmu, u64 gfn, bool write, u64 *pfn, bool *writable,
		    unsigned long **rmap)
{
	struct testvm *vm = vm_of(mmu);
	struct testgfn *g = testvm_gfn(vm, gfn);

	if (!g)
		return -ENOENT;
	if (g->absent || (write && g->readonly))
		return -EAGAIN;
	g->known = true;
	*pfn = g->pfn;
	*writable = !g->readonly;
	*rmap = &g->rmap;
	run_hook(vm, HOOK_PFN, gfn);
	return 0;
}

unsigned long *pvhv_gfn_rmap(struct pvhv_mmu *mmu, u64 gfn)
{
	struct testgfn *g = testvm_gfn(vm_of(mmu), gfn);

	return g && g->known ? &g->rmap : NULL;
}

u64 pvhv_gfn_skip(struct pvhv_mmu *mmu, u64 gfn)
{
	struct testgfn *g = testvm_gfn(vm_of(mmu), gfn);

	return g && g->known ? gfn : gfn + 1;
}

void pvhv_mmu_host_flush(struct pvhv_mmu *mmu)
{
	vm_of(mmu)->host_flushes++;
}

void pvhv_mmu_host_flush_root(struct pvhv_mmu *mmu, const struct pvhv_root *root)
{
	vm_of(mmu)->root_flushes++;
}

u64 pvhv_table_pa(const void *table)
{
	return __pa(table);
}

u64 pvhv_leaf_pa(u64 pfn)
{
	return pfn << PAGE_SHIFT;
}

/* ---- life ---- */

struct testvm *testvm_create(struct kunit *test, u64 max_pages, int levels)
{
	struct pvhv_mmu_config cfg = {
		.max_pages = max_pages,
		.levels = levels,
		.phys_bits = PHYS_BITS,
		/* supervisor, with something recognisable */
		.hole = { 0x111000 | PT_P | PT_W, 0x222000 | PT_P | PT_W, 0, 0x444000 | PT_P },
	};
	struct testvm *vm;
	int i;

	vm = kzalloc(sizeof(*vm), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vm);
	vm->test = test;
	vm->ram = kvcalloc(LOW_GFNS, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vm->ram);
	vm->gfns = kvcalloc(ALL_GFNS, sizeof(*vm->gfns), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vm->gfns);
	vm->next_pfn = 0x1000000;
	for (i = 0; i < ALL_GFNS; i++)
		vm->gfns[i].pfn = vm->next_pfn++;
	vm->next_table = 1;

	KUNIT_ASSERT_EQ(test, 0, pvhv_mmu_setup());
	KUNIT_ASSERT_EQ(test, 0, pvhv_mmu_init(&vm->mmu, &cfg));
	for (i = 0; i < 2; i++) {
		pvhv_mmu_vcpu_init(&vm->mv[i]);
		KUNIT_ASSERT_EQ(test, 0, pvhv_mmu_topup(&vm->mmu, &vm->mv[i]));
	}
	vm->v = &vm->mv[0];
	return vm;
}

/* Everything must be gone afterwards. */
void testvm_destroy(struct testvm *vm)
{
	struct pvhv_mmu_stats stats;
	unsigned int left = 0;
	int i;

	vm->hook = NULL;
	testvm_check(vm);
	for (i = 0; i < 2; i++)
		pvhv_mmu_vcpu_destroy(&vm->mmu, &vm->mv[i]);
	testvm_check(vm);
	pvhv_mmu_destroy(&vm->mmu);
	pvhv_mmu_get_stats(&vm->mmu, &stats);
	KUNIT_EXPECT_EQ(vm->test, stats.tables_now, 0ULL);
	KUNIT_EXPECT_EQ(vm->test, stats.pages_now, 0ULL);
	KUNIT_EXPECT_EQ(vm->test, stats.roots_now, 0ULL);
	for (i = 0; i < ALL_GFNS; i++)
		left += !!vm->gfns[i].rmap;
	KUNIT_EXPECT_EQ(vm->test, left, 0U);
	/* kmem_cache_destroy() complains about objects that are left */
	pvhv_mmu_teardown();
	kvfree(vm->gfns);
	kvfree(vm->ram);
	kfree(vm);
}

/* ---- the guest's tables ---- */

u64 testvm_new_table(struct testvm *vm)
{
	KUNIT_ASSERT_LT(vm->test, vm->next_table, (u64)DATA_GFN);
	return vm->next_table++ << PAGE_SHIFT;
}

/* The entry of @gva at @level; tables above it are made as needed. */
u64 *testvm_pte(struct testvm *vm, u64 cr3, u64 gva, int level, u64 table_flags)
{
	u64 table = cr3;
	int l;

	for (l = 4; ; l--) {
		u64 *p = testvm_ptr(vm, table + ((gva >> (12 + 9 * (l - 1))) % 512) * 8);

		KUNIT_ASSERT_NOT_NULL(vm->test, p);
		if (l == level)
			return p;
		if (!(*p & PT_P))
			*p = testvm_new_table(vm) | table_flags;
		table = *p & 0x000ffffffffff000ULL;
	}
}

void testvm_map(struct testvm *vm, u64 cr3, u64 gva, u64 gfn, u64 flags)
{
	*testvm_pte(vm, cr3, gva, 1, G_TABLE) = gfn << PAGE_SHIFT | flags;
}

void testvm_map_range(struct testvm *vm, u64 cr3, u64 gva, u64 gfn, unsigned int n, u64 flags)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		testvm_map(vm, cr3, gva + i * PAGE_SIZE, gfn + i, flags);
}

void testvm_map_large(struct testvm *vm, u64 cr3, u64 gva, u64 gfn, int level, u64 flags)
{
	*testvm_pte(vm, cr3, gva, level, G_TABLE) = gfn << PAGE_SHIFT | PT_PS | flags;
}

struct testxlat testvm_model(struct testvm *vm, u64 cr3, u64 gva)
{
	struct testxlat x = { .w = true, .u = true, .x = true, .a = true };
	const unsigned int shift[] = { 0, 12, 21, 30, 39 };
	u64 top = gva >> 47;
	u64 slot = (gva >> 39) % 512;
	u64 pa = cr3;
	int level;

	if (top != 0 && top != 0x1ffff)
		return x;
	if (slot >= 256 && slot < 260)
		return x;
	for (level = 4; level >= 1; level--) {
		u64 *p = testvm_ptr(vm, pa + ((gva >> shift[level]) % 512) * 8);
		bool large = false;
		u64 pte;

		if (!p)
			goto rsvd;
		pte = *p;
		if ((pte & 1) == 0)
			return x;
		if ((pte >> PHYS_BITS) & ((1u << (52 - PHYS_BITS)) - 1))
			goto rsvd;
		if (pte & 0x80) {
			if (level == 4)
				goto rsvd;
			if (level == 3 && (pte & 0x3fffe000))
				goto rsvd;
			if (level == 2 && (pte & 0x1fe000))
				goto rsvd;
			large = level > 1;
		}
		x.w &= pte >> 1;
		x.u &= pte >> 2;
		x.a &= pte >> 5;
		x.x &= !(pte >> 63);
		pa = pte & 0x000ffffffffff000ULL;
		if (level > 1 && !large)
			continue;
		x.d = pte >> 6 & 1;
		x.level = level;
		pa &= ~((1ULL << shift[level]) - 1);
		x.gfn = (pa + gva % (1ULL << shift[level])) >> 12;
		break;
	}
	/* the kernel half belongs to the kernel */
	if (slot >= 256)
		x.u = false;
	x.ok = true;
	return x;
rsvd:
	x.error = PVHV_PF_P | PVHV_PF_RSVD;
	return x;
}

/* Not D: that is set on the way. */
bool testvm_model_permits(const struct testxlat *x, u64 gva, u32 access)
{
	if (!x->ok)
		return false;
	if (access & PVHV_ACC_USER) {
		if (!x->u)
			return false;
	} else if ((access & PVHV_ACC_FETCH) && x->u) {
		return false;
	}
	if ((access & PVHV_ACC_WRITE) && !x->w)
		return false;
	return !(access & PVHV_ACC_FETCH) || x->x;
}

/* ---- the hardware ---- */

/* Combined entry for an address, 0: not present for ring 3 */
u64 testvm_hw_pte(struct testvm *vm, struct pvhv_mmu_vcpu *mv, u64 gva, bool user)
{
	u64 pa = pvhv_mmu_hw_root(mv, user);
	u64 sum = PT_P | PT_W | PT_U;
	int level;

	for (level = vm->mmu.levels; level >= 1; level--) {
		u64 *table = __va(pa & PT_ADDR);
		u64 pte = table[(gva >> (3 + 9 * level)) % 512];

		if (!(pte & PT_P)) {
			/* L1TF: nothing that looks like an address */
			KUNIT_EXPECT_EQ(vm->test, pte, 0ULL);
			return 0;
		}
		if (!(pte & PT_U))
			return 0;	/* the hole */
		KUNIT_EXPECT_NE(vm->test, pte & PT_A, 0ULL);
		KUNIT_EXPECT_EQ(vm->test, pte & PT_PS, 0ULL);
		sum &= pte | ~(PT_P | PT_W | PT_U);
		sum |= pte & PT_NX;
		pa = pte & PT_ADDR;
	}
	return sum | pa;
}

bool testvm_hw_permits(u64 spte, u32 access)
{
	return spte && (!(access & PVHV_ACC_WRITE) || (spte & PT_W)) &&
	       (!(access & PVHV_ACC_FETCH) || !(spte & PT_NX));
}

/* The guest's access, with all that it takes: ACCESS_OK or its error code */
u32 testvm_access(struct testvm *vm, u64 gva, u32 access)
{
	struct pvhv_mmu_fault_info info;
	bool canonical = gva >> 47 == 0 || gva >> 47 == 0x1ffff;
	struct testgfn *g;
	int i, r;

	for (i = 0; i < 50; i++) {
		if (canonical &&
		    testvm_hw_permits(testvm_hw_pte(vm, vm->v, gva, access & PVHV_ACC_USER),
				      access))
			return ACCESS_OK;
		memset(&info, 0xaa, sizeof(info));
		vm->faults++;
		r = pvhv_mmu_fault(&vm->mmu, vm->v, gva, access, &info);
		switch (r) {
		case PVHV_MMU_FILLED:
			break;
		case PVHV_MMU_GUEST_FAULT:
			return info.error_code;
		case -EAGAIN:
			g = testvm_gfn(vm, info.gfn);
			KUNIT_ASSERT_NOT_NULL(vm->test, g);
			g->absent = false;
			if (info.write)
				g->readonly = false;
			break;
		case -ENOMEM:
			KUNIT_EXPECT_EQ(vm->test, 0, pvhv_mmu_topup(&vm->mmu, vm->v));
			break;
		default:
			KUNIT_FAIL(vm->test, "pvhv_mmu_fault(%#llx, %#x) = %d", gva, access, r);
			return 0;
		}
	}
	KUNIT_FAIL(vm->test, "access %#x to %#llx is missed again and again", access, gva);
	return 0;
}

void testvm_expect(struct testvm *vm, u64 gva, u32 access, u32 outcome, int line)
{
	u32 want = outcome == ACCESS_OK ? outcome : access | outcome;

	KUNIT_EXPECT_EQ_MSG(vm->test, testvm_access(vm, gva, access), want,
			    "line %d: access %#x to %#llx", line, access, gva);
}

void testvm_expect_hw(struct testvm *vm, u64 gva, u32 access, bool yes, int line)
{
	u64 spte = testvm_hw_pte(vm, vm->v, gva, access & PVHV_ACC_USER);

	KUNIT_EXPECT_EQ_MSG(vm->test, testvm_hw_permits(spte, access), yes,
			    "line %d: access %#x to %#llx, entry %#llx", line, access, gva, spte);
}

/* ---- calls ---- */

void testvm_load(struct testvm *vm, u64 cr3, u64 ctx, u64 gen)
{
	struct pvhv_mmu_flush fl = {};
	int r;

	while ((r = pvhv_mmu_load_root(&vm->mmu, vm->v, cr3, ctx, gen, false, &fl))) {
		if (r == -ENOMEM)
			r = pvhv_mmu_topup(&vm->mmu, vm->v) ?: 1;
		KUNIT_ASSERT_EQ(vm->test, r, 1);
	}
}

void testvm_load_all(struct testvm *vm, u64 cr3)
{
	struct pvhv_mmu_flush fl = {};
	int r;

	while ((r = pvhv_mmu_load_root(&vm->mmu, vm->v, cr3, 0, 0, true, &fl))) {
		if (r == -ENOMEM)
			r = pvhv_mmu_topup(&vm->mmu, vm->v) ?: 1;
		KUNIT_ASSERT_EQ(vm->test, r, 1);
	}
}

struct pvhv_mmu_flush testvm_flush(struct testvm *vm, u64 start, u64 end, u64 gen, u64 flags)
{
	struct pvhv_mmu_flush fl = {};

	while (pvhv_mmu_flush_range_step(&vm->mmu, vm->v, start, end, gen, flags, &fl))
		;
	return fl;
}

struct pvhv_mmu_flush testvm_flush_mm(struct testvm *vm, u64 ctx, u64 start, u64 end, u64 gen,
				      u64 flags)
{
	struct pvhv_mmu_flush fl = {};

	while (pvhv_mmu_flush_mm_step(&vm->mmu, vm->v, ctx, start, end, gen, flags, &fl))
		;
	return fl;
}

struct pvhv_mmu_flush testvm_flush_all(struct testvm *vm, u64 gen, u64 flags)
{
	struct pvhv_mmu_flush fl = {};

	while (pvhv_mmu_flush_all_step(&vm->mmu, vm->v, gen, flags, &fl))
		;
	return fl;
}

void testvm_hint(struct testvm *vm, u64 gva, unsigned int pages)
{
	u64 hint = gva | (pages - 1);

	/* a hint may need more than a topup gives */
	while (pvhv_mmu_sync_hints(&vm->mmu, vm->v, &hint, 1) == -ENOMEM)
		KUNIT_ASSERT_EQ(vm->test, 0, pvhv_mmu_topup(&vm->mmu, vm->v));
}

/* The host moves a page elsewhere. */
void testvm_host_takes(struct testvm *vm, u64 gfn)
{
	struct testgfn *g = testvm_gfn(vm, gfn);

	/* also called by hooks, under the MMU's locks: as if by another CPU */
	pvhv_mmu_invalidate_begin(&vm->mmu, gfn, gfn, false);
	KUNIT_EXPECT_EQ(vm->test, g->rmap, 0UL);
	g->pfn = vm->next_pfn++;
	pvhv_mmu_invalidate_end(&vm->mmu, gfn, gfn);
}
