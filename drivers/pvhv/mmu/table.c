// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv: shadow tables and the trees made of them.
 *
 * A tree maps half of an address space: up to 256 L3 tables, L2 tables, L1
 * tables. It follows virtual addresses only; which table of the guest an L1
 * table shadows is its binding, which may change while it stays in place.
 * Upper entries permit everything, the leaves decide.
 *
 * L3 tables of the kernel half are never unlinked: every root's PML4 points at
 * them. They are at most 252.
 */
#include <linux/slab.h>

#include "mmu_internal.h"

static struct kmem_cache *leaf_cache;	/* L1, with gfn[] */
static struct kmem_cache *mid_cache;	/* L2 and L3, with child[] */

int pvhv_table_caches_create(void)
{
	leaf_cache = kmem_cache_create("pvhv_table_leaf",
				       sizeof(struct pvhv_mmu_table) + 512 * sizeof(u32), 0,
				       SLAB_ACCOUNT, NULL);
	mid_cache = kmem_cache_create("pvhv_table_mid",
				      sizeof(struct pvhv_mmu_table) + 512 * sizeof(void *), 0,
				      SLAB_ACCOUNT, NULL);
	if (leaf_cache && mid_cache)
		return 0;
	pvhv_table_caches_destroy();
	return -ENOMEM;
}

void pvhv_table_caches_destroy(void)
{
	kmem_cache_destroy(mid_cache);
	mid_cache = NULL;
	kmem_cache_destroy(leaf_cache);
	leaf_cache = NULL;
}

/**
 * pvhv_table_alloc() - a new table
 * @mmu:	the domain's MMU
 * @level:	1, or 2 for L2 and L3
 *
 * Return: the table, empty, or NULL.
 */
struct pvhv_mmu_table *pvhv_table_alloc(struct pvhv_mmu *mmu, int level)
{
	struct kmem_cache *cache = level == 1 ? leaf_cache : mid_cache;
	struct pvhv_mmu_table *t = kmem_cache_zalloc(cache, GFP_KERNEL_ACCOUNT);

	if (!t)
		return NULL;
	t->spt = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!t->spt) {
		kmem_cache_free(cache, t);
		return NULL;
	}
	t->level = level;
	atomic64_inc(&mmu->pages);
	return t;
}

void pvhv_table_free(struct pvhv_mmu *mmu, struct pvhv_mmu_table *t)
{
	free_page((unsigned long)t->spt);
	kmem_cache_free(t->level == 1 ? leaf_cache : mid_cache, t);
	atomic64_dec(&mmu->pages);
}

void pvhv_tree_init(struct pvhv_mmu_tree *tree, struct pvhv_root *root, bool kuser)
{
	spin_lock_init(&tree->lock);
	tree->root = root;
	tree->kuser = kuser;
}

/* The first L1 table that maps @gva or something above it. */
struct pvhv_mmu_table *pvhv_tree_next(struct pvhv_mmu_tree *tree, u64 gva)
{
	unsigned int i4 = pvhv_index(gva, 4) & 255;
	unsigned int i3 = pvhv_index(gva, 3);
	unsigned int i2 = pvhv_index(gva, 2);
	unsigned int n;

	lockdep_assert_held(&tree->lock);

	/* @i3 and @i2 only count below the table that @gva itself is in */
	for (n = find_next_bit(tree->map, 256, i4); n < 256;
	     n = find_next_bit(tree->map, 256, n + 1)) {
		struct pvhv_mmu_table *l3 = tree->top[n];

		if (n != i4) {
			i3 = 0;
			i2 = 0;
		}
		for (n = find_next_bit(l3->map, 512, i3); n < 512;
		     n = find_next_bit(l3->map, 512, n + 1)) {
			struct pvhv_mmu_table *l2 = l3->child[n];

			if (n != i3)
				i2 = 0;
			n = find_next_bit(l2->map, 512, i2);
			if (n < 512)
				return l2->child[n];
			n = l2->index;
		}
		n = l3->index;
	}
	return NULL;
}

/* The PML4 entries of an L3 table; see struct pvhv_root */
static void tree_set_top(struct pvhv_mmu *mmu, struct pvhv_mmu_tree *tree, unsigned int index,
			 u64 entry)
{
	struct pvhv_root *root = tree->root;

	if (!root) {
		WRITE_ONCE(mmu->master[256 + index], entry);
	} else if (tree->kuser) {
		WRITE_ONCE(root->pml4[PVHV_KERNEL_MODE][index], entry);
	} else {
		WRITE_ONCE(root->pml4[PVHV_USER_MODE][index], entry);
		/* SMEP: kernel mode executes nothing of the user half */
		if (!root->kuser)
			WRITE_ONCE(root->pml4[PVHV_KERNEL_MODE][index],
				   entry ? entry | PT_NX : 0);
	}
}

static void table_link(struct pvhv_mmu *mmu, struct pvhv_mmu_tree *tree,
		       struct pvhv_mmu_table *parent, struct pvhv_mmu_table *t, u64 gva, int level)
{
	unsigned int index = pvhv_index(gva, level + 1);
	u64 entry = pvhv_table_pa(t->spt) | SPT_TABLE;

	t->level = level;
	t->parent = parent;
	t->gva = gva & ~(BIT_ULL(12 + 9 * level) - 1);
	if (parent) {
		t->index = index;
		parent->child[index] = t;
		__set_bit(index, parent->map);
		WRITE_ONCE(parent->spt[index], entry);
	} else {
		t->index = index & 255;
		tree->top[t->index] = t;
		__set_bit(t->index, tree->map);
		tree_set_top(mmu, tree, t->index, entry);
	}
	if (level == 1) {
		tree->nr_leaves++;
		tree->nr_unbound++;
	}
	atomic64_inc(&mmu->tables);
}

static struct pvhv_mmu_table *cache_get_mid(struct pvhv_mmu_cache *cache)
{
	struct pvhv_mmu_table *t = cache->mids;

	cache->mids = t->next;
	cache->nr_mids--;
	return t;
}

static struct pvhv_mmu_table *cache_get_leaf(struct pvhv_mmu_cache *cache)
{
	struct pvhv_mmu_table *t = cache->leaves;

	cache->leaves = t->next;
	cache->nr_leaves--;
	return t;
}

/**
 * pvhv_tree_grow() - make the L1 table of an address
 * @mmu:	the domain's MMU
 * @mv:		whose spare tables are used
 * @tree:	where
 * @gva:	the address
 * @leaf:	out: the table, which may have been there before
 *
 * All or nothing: tables are found, and given back, by the L1 tables below
 * them, so none is ever without.
 *
 * Return: 0, -ENOMEM if the cache is short.
 */
int pvhv_tree_grow(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, struct pvhv_mmu_tree *tree,
		   u64 gva, struct pvhv_mmu_table **leaf)
{
	struct pvhv_mmu_cache *cache = &mv->cache;
	struct pvhv_mmu_table *l3, *l2 = NULL, *l1 = NULL;

	lockdep_assert_held(&tree->lock);

	l3 = tree->top[pvhv_index(gva, 4) & 255];
	if (l3)
		l2 = l3->child[pvhv_index(gva, 3)];
	if (l2)
		l1 = l2->child[pvhv_index(gva, 2)];
	if (!l1) {
		if (!cache->nr_leaves || cache->nr_mids < !l3 + !l2)
			return -ENOMEM;
		if (!l3) {
			l3 = cache_get_mid(cache);
			table_link(mmu, tree, NULL, l3, gva, 3);
		}
		if (!l2) {
			l2 = cache_get_mid(cache);
			table_link(mmu, tree, l3, l2, gva, 2);
		}
		l1 = cache_get_leaf(cache);
		table_link(mmu, tree, l2, l1, gva, 1);
	}
	*leaf = l1;
	return 0;
}

/**
 * pvhv_table_unlink() - take an empty L1 table out of its tree
 * @op:		collects it
 * @tree:	where it is
 * @t:		the table; its parents go with it when they become empty
 */
void pvhv_table_unlink(struct pvhv_mmu_op *op, struct pvhv_mmu_tree *tree,
		       struct pvhv_mmu_table *t)
{
	lockdep_assert_held(&tree->lock);
	WARN_ON_ONCE(t->bind != PVHV_UNBOUND);

	tree->nr_leaves--;
	tree->nr_unbound--;
	op->owe = true;
	op->unlinked = true;
	for (;;) {
		struct pvhv_mmu_table *parent = t->parent;

		if (parent) {
			WRITE_ONCE(parent->spt[t->index], 0);
			parent->child[t->index] = NULL;
			__clear_bit(t->index, parent->map);
		} else {
			tree_set_top(op->mmu, tree, t->index, 0);
			tree->top[t->index] = NULL;
			__clear_bit(t->index, tree->map);
		}
		t->next = op->gather;
		op->gather = t;
		atomic64_dec(&op->mmu->tables);

		if (!parent || !bitmap_empty(parent->map, 512))
			break;
		if (!tree->root && !parent->parent)
			break;
		t = parent;
	}
}

/**
 * pvhv_table_bind() - what an L1 table shadows from now on
 * @tree:	where it is
 * @t:		the table; empty if @bind or @gpa change
 * @bind:	PVHV_xxx
 * @gpa:	the guest's table, or what its large leaf maps
 * @acc:	permissions above, or with the large leaf's
 */
void pvhv_table_bind(struct pvhv_mmu_tree *tree, struct pvhv_mmu_table *t,
		     enum pvhv_bind bind, u64 gpa, u64 acc)
{
	lockdep_assert_held(&tree->lock);

	tree->nr_unbound += (bind == PVHV_UNBOUND) - (t->bind == PVHV_UNBOUND);
	t->bind = bind;
	t->gpa = gpa;
	t->acc = acc;
}
