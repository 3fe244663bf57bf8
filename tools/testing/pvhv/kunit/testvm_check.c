// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv: what must be true of the shadow at any time, and after a flush.
 */
#include "testvm.h"

struct count {
	u64 entries;
	u64 tables;
	u64 leaves;
	u64 unbound;
};

/* How often the reverse map of a page names an entry; NULL: length */
static unsigned int rmap_count(struct testvm *vm, u64 gfn, u64 *sptep)
{
	unsigned long word = testvm_gfn(vm, gfn)->rmap;
	struct pvhv_rmap_chunk *chunk, *first;
	unsigned int i, n = 0, total = 0;

	if (!(word & PVHV_RMAP_CHAIN))
		return sptep ? word == (unsigned long)sptep : !!word;
	first = (struct pvhv_rmap_chunk *)(word & ~PVHV_RMAP_CHAIN);
	for (chunk = first; chunk; chunk = chunk->next) {
		KUNIT_EXPECT_GT(vm->test, chunk->n, 0U);
		if (chunk != first)
			KUNIT_EXPECT_EQ(vm->test, chunk->n, (u32)PVHV_RMAP_SLOTS);
		for (i = 0; i < chunk->n; i++)
			n += !sptep || chunk->slot[i] == sptep;
		total += chunk->n;
	}
	KUNIT_EXPECT_EQ(vm->test, first->total, total);
	return n;
}

static void check_leaf(struct testvm *vm, struct pvhv_mmu_tree *tree, struct pvhv_mmu_table *t,
		       struct count *c)
{
	struct kunit *test = vm->test;
	unsigned int i;

	c->leaves++;
	c->unbound += t->bind == PVHV_UNBOUND;
	for (i = 0; i < 512; i++) {
		u64 spte = t->spt[i];
		struct testgfn *g;

		if (!spte)
			continue;
		c->entries++;
		g = testvm_gfn(vm, t->gfn[i]);
		KUNIT_ASSERT_NOT_NULL(test, g);
		KUNIT_EXPECT_TRUE(test, test_bit(i, t->map));
		KUNIT_EXPECT_NE(test, t->bind, (u8)PVHV_UNBOUND);
		KUNIT_EXPECT_EQ(test, spte & ~(PT_ADDR | SPT_W | PT_NX), SPT_LEAF);
		KUNIT_EXPECT_TRUE(test, !(spte & SPT_W) || (spte & SPT_W) == SPT_W);
		KUNIT_EXPECT_EQ(test, (spte & PT_ADDR) >> PAGE_SHIFT, g->pfn);
		KUNIT_EXPECT_EQ(test, rmap_count(vm, t->gfn[i], &t->spt[i]), 1U);
	}
}

static void check_table(struct testvm *vm, struct pvhv_mmu_tree *tree, struct pvhv_mmu_table *t,
			int level, u64 gva, struct count *c)
{
	struct kunit *test = vm->test;
	unsigned int i;

	c->tables++;
	KUNIT_EXPECT_EQ(test, t->level, (u8)level);
	if (level == 1) {
		KUNIT_EXPECT_EQ(test, t->gva, gva);
		KUNIT_EXPECT_PTR_EQ(test, t->tree, tree);
		check_leaf(vm, tree, t, c);
		return;
	}
	/* tables above are found by those below */
	if (tree->root || level < 3)
		KUNIT_EXPECT_FALSE(test, bitmap_empty(t->map, 512));
	for (i = 0; i < 512; i++) {
		struct pvhv_mmu_table *child = t->child[i];

		KUNIT_EXPECT_EQ(test, test_bit(i, t->map), !!child);
		KUNIT_EXPECT_EQ(test, t->spt[i], child ? __pa(child->spt) | SPT_TABLE : 0);
		if (!child)
			continue;
		KUNIT_EXPECT_PTR_EQ(test, child->parent, t);
		KUNIT_EXPECT_EQ(test, child->index, (u16)i);
		check_table(vm, tree, child, level - 1, gva + ((u64)i << (3 + 9 * level)), c);
	}
}

static void check_tree(struct testvm *vm, struct pvhv_mmu_tree *tree, struct count *c)
{
	struct kunit *test = vm->test;
	u64 base = tree->root ? 0 : PVHV_KERNEL_START;
	struct count mine = {};
	unsigned int i;

	for (i = 0; i < 256; i++) {
		struct pvhv_mmu_table *t = tree->top[i];

		KUNIT_EXPECT_EQ(test, test_bit(i, tree->map), !!t);
		if (!t)
			continue;
		KUNIT_EXPECT_PTR_EQ(test, t->parent, (struct pvhv_mmu_table *)NULL);
		KUNIT_EXPECT_EQ(test, t->index, (u16)i);
		check_table(vm, tree, t, 3, base + ((u64)i << 39), &mine);
	}
	KUNIT_EXPECT_EQ(test, mine.leaves, (u64)tree->nr_leaves);
	KUNIT_EXPECT_EQ(test, mine.unbound, (u64)atomic_read(&tree->nr_unbound));
	c->entries += mine.entries;
	c->tables += mine.tables;
}

static u64 top_entry(const struct pvhv_mmu_tree *tree, unsigned int i)
{
	return tree->top[i] ? __pa(tree->top[i]->spt) | SPT_TABLE : 0;
}

static void check_root(struct testvm *vm, struct pvhv_root *root)
{
	struct kunit *test = vm->test;
	u64 **top = vm->mmu.levels == 5 ? root->pml5 : root->pml4;
	unsigned int i;

	for (i = 0; i < 256; i++) {
		u64 user = top_entry(&root->user, i);
		u64 kernel = root->kuser ? top_entry(root->kuser, i) : user ? user | PT_NX : 0;

		KUNIT_EXPECT_EQ(test, root->pml4[PVHV_USER_MODE][i], user);
		KUNIT_EXPECT_EQ(test, root->pml4[PVHV_KERNEL_MODE][i], kernel);
	}
	for (i = 256; i < 512; i++) {
		bool hole = i < 256 + PVHV_HOLE_NR_SLOTS;
		u64 user = 0, kernel = top[PVHV_KERNEL_MODE][i], want;

		if (hole)
			user = vm->mmu.hole[i - 256];
		want = hole ? user : vm->mmu.master[i];
		if (vm->mmu.levels == 5 && !hole)
			want = i == 511 ? __pa(vm->mmu.master) | SPT_TABLE : 0;
		KUNIT_EXPECT_EQ(test, top[PVHV_USER_MODE][i], user);
		/* the kernel half comes in lazily */
		if (kernel || hole || vm->mmu.levels == 5)
			KUNIT_EXPECT_EQ(test, kernel, want);
	}
	if (vm->mmu.levels == 4)
		return;
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, root->pml5[i][0], __pa(root->pml4[i]) | SPT_TABLE);
		KUNIT_EXPECT_EQ(test, !!memchr_inv(&root->pml5[i][1], 0, 255 * 8), false);
		KUNIT_EXPECT_EQ(test, !!memchr_inv(&root->pml4[i][256], 0, 256 * 8), false);
	}
}

static u64 cached_pages(struct testvm *vm, struct pvhv_mmu_cache *cache)
{
	struct pvhv_mmu_table *t;
	struct pvhv_root *root;
	u64 n = 0, tables = 0;
	int level;

	for (level = 1; level <= MMU_LEVELS; level++) {
		for (t = cache->tables[level - 1]; t; t = t->next, n++) {
			KUNIT_EXPECT_FALSE(vm->test, memchr_inv(t->spt, 0, PAGE_SIZE));
			KUNIT_EXPECT_TRUE(vm->test, bitmap_empty(t->map, 512));
			KUNIT_EXPECT_EQ(vm->test, t->level, (u8)level);
			KUNIT_EXPECT_EQ(vm->test, t->bind, (u8)PVHV_UNBOUND);
			KUNIT_EXPECT_FALSE(vm->test, t->tree);
			if (level > 1)
				KUNIT_EXPECT_FALSE(vm->test, memchr_inv(t->child, 0, PAGE_SIZE));
		}
		tables += cache->nr_tables[level - 1];
	}
	KUNIT_EXPECT_EQ(vm->test, n, tables);
	for (root = cache->roots; root; root = root->next) {
		check_root(vm, root);
		KUNIT_EXPECT_TRUE(vm->test, bitmap_empty(root->user.map, 256));
		KUNIT_EXPECT_FALSE(vm->test, root->kuser);
		n += vm->mmu.levels == 5 ? 5 : 3;
	}
	return n;
}

unsigned int testvm_present(struct testvm *vm)
{
	struct pvhv_root *root;
	struct count c = {};

	check_tree(vm, &vm->mmu.kernel, &c);
	list_for_each_entry(root, &vm->mmu.all, all) {
		check_tree(vm, &root->user, &c);
		if (root->kuser)
			check_tree(vm, root->kuser, &c);
	}
	return c.entries;
}

void testvm_check(struct testvm *vm)
{
	struct pvhv_mmu *mmu = &vm->mmu;
	struct kunit *test = vm->test;
	struct count c = {};
	struct pvhv_root *root;
	u64 pages, rmaps = 0;
	unsigned int i, roots = 0;

	check_tree(vm, &mmu->kernel, &c);
	for (i = 0; i < 256; i++)
		KUNIT_EXPECT_EQ(test, mmu->master[256 + i], top_entry(&mmu->kernel, i));
	list_for_each_entry(root, &mmu->all, all) {
		roots++;
		check_root(vm, root);
		check_tree(vm, &root->user, &c);
		if (root->kuser)
			check_tree(vm, root->kuser, &c);
	}
	KUNIT_EXPECT_EQ(test, (u64)atomic64_read(&mmu->tables), c.tables);
	KUNIT_EXPECT_EQ(test, mmu->nr_roots, roots);

	pages = c.tables + roots * (mmu->levels == 5 ? 5 : 3) + cached_pages(vm, &mmu->pool);
	for (i = 0; i < 2; i++)
		pages += cached_pages(vm, &vm->mv[i].cache);
	KUNIT_EXPECT_EQ(test, (u64)atomic64_read(&mmu->pages), pages);

	for (i = 0; i < ALL_GFNS; i++) {
		u64 gfn = i < LOW_GFNS ? i : HIGH_GFN + i - LOW_GFNS;

		if (vm->gfns[i].rmap)
			rmaps += rmap_count(vm, gfn, NULL);
	}
	/* each entry is in the reverse map once, and nothing else is */
	KUNIT_EXPECT_EQ(test, rmaps, c.entries);
}

static void agrees_tree(struct testvm *vm, struct pvhv_mmu_tree *tree, u64 cr3)
{
	struct kunit *test = vm->test;
	struct pvhv_mmu_table *t;
	u64 gva = 0;
	int i;

	spin_lock(&tree->lock);
	while ((t = pvhv_tree_next(tree, &gva))) {
		for (i = 0; i < 512; i++) {
			u64 va = t->gva + i * PAGE_SIZE;
			u64 spte = t->spt[i];
			struct testxlat x;

			if (!spte)
				continue;
			x = testvm_model(vm, cr3, va);
			KUNIT_EXPECT_TRUE(test, x.ok);
			KUNIT_EXPECT_TRUE(test, x.a);
			KUNIT_EXPECT_EQ(test, x.gfn, (u64)t->gfn[i]);
			KUNIT_EXPECT_TRUE(test, !(spte & PT_W) || (x.w && x.d));
			KUNIT_EXPECT_TRUE(test, (spte & PT_NX) || x.x);
			if (tree->kuser)
				KUNIT_EXPECT_TRUE(test, (spte & PT_NX) || !x.u);
			else if (tree->root)
				KUNIT_EXPECT_TRUE(test, x.u);
		}
		gva = t->gva + PVHV_L1_SPAN;
		if (!gva || gva == PVHV_USER_END)
			break;
	}
	spin_unlock(&tree->lock);
}

/* After everything was flushed: nothing permits more than the guest does. */
void testvm_check_agrees(struct testvm *vm)
{
	struct pvhv_root *root = vm->v->root;

	testvm_check(vm);
	agrees_tree(vm, &vm->mmu.kernel, root->cr3);
	agrees_tree(vm, &root->user, root->cr3);
	if (root->kuser)
		agrees_tree(vm, root->kuser, root->cr3);
}
