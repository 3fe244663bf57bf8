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

/* By level - 1. A table stays of its level, and what refers to it is of that above. */
static struct kmem_cache *caches[MMU_LEVELS];

/* L1 has gfn[], the others have child[] */
static void leaf_ctor(void *p)
{
	struct pvhv_mmu_table *t = p;

	memset(t, 0, struct_size(t, gfn, 512));
	spin_lock_init(&t->lock);
}

static void mid_ctor(void *p)
{
	struct pvhv_mmu_table *t = p;

	memset(t, 0, struct_size(t, child, 512));
}

int pvhv_table_caches_create(void)
{
	static const char * const names[MMU_LEVELS] = {
		"pvhv_table_l1", "pvhv_table_l2", "pvhv_table_l3",
	};
	struct pvhv_mmu_table *t;
	int i;

	for (i = 0; i < MMU_LEVELS; i++) {
		caches[i] = kmem_cache_create(names[i], i ? struct_size(t, child, 512) :
					      struct_size(t, gfn, 512), 0,
					      SLAB_ACCOUNT | SLAB_TYPESAFE_BY_RCU,
					      i ? mid_ctor : leaf_ctor);
		if (!caches[i]) {
			pvhv_table_caches_destroy();
			return -ENOMEM;
		}
	}
	return 0;
}

void pvhv_table_caches_destroy(void)
{
	int i;

	for (i = 0; i < MMU_LEVELS; i++) {
		kmem_cache_destroy(caches[i]);
		caches[i] = NULL;
	}
}

/**
 * pvhv_table_alloc() - a new table
 * @mmu:	the domain's MMU
 * @level:	1..3
 *
 * Return: the table, empty, or NULL.
 */
struct pvhv_mmu_table *pvhv_table_alloc(struct pvhv_mmu *mmu, int level)
{
	struct kmem_cache *cache = caches[level - 1];
	struct pvhv_mmu_table *t = kmem_cache_alloc(cache, GFP_KERNEL_ACCOUNT);

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

/* It is as it was constructed but for @spt, @level and old addresses. */
void pvhv_table_free(struct pvhv_mmu *mmu, struct pvhv_mmu_table *t)
{
	free_page((unsigned long)t->spt);
	kmem_cache_free(caches[t->level - 1], t);
	atomic64_dec(&mmu->pages);
}

void pvhv_tree_init(struct pvhv_mmu_tree *tree, struct pvhv_root *root, bool kuser)
{
	spin_lock_init(&tree->lock);
	tree->root = root;
	tree->kuser = kuser;
}

static unsigned int next_bit(const unsigned long *map, unsigned int size, unsigned int from)
{
	/* Others may set and clear bits: what was set before we were asked to look is found. */
	return data_race(find_next_bit(map, size, from));
}

/**
 * pvhv_tree_next() - the first L1 table that maps an address or something above it
 * @tree:	where; its lock is held, or rcu_read_lock_sched(), and then see rule 6
 * @gva:	the address; out: the first that the table maps
 *
 * Return: the table, or NULL.
 */
struct pvhv_mmu_table *pvhv_tree_next(struct pvhv_mmu_tree *tree, u64 *gva)
{
	unsigned int i3 = pvhv_index(*gva, 3), i2 = pvhv_index(*gva, 2);
	unsigned int i4 = pvhv_index(*gva, 4) & 255;
	u64 half = tree->root ? 0 : PVHV_KERNEL_START;
	struct pvhv_mmu_table *l3, *l2, *l1;
	unsigned int n4, n3, n2;

	/* @i3 and @i2 only count below the table that @gva itself is in */
	for (n4 = next_bit(tree->map, 256, i4); n4 < 256; n4 = next_bit(tree->map, 256, n4 + 1)) {
		l3 = pvhv_link_get(&tree->top[n4]);
		if (n4 != i4)
			i3 = 0;
		if (n4 != i4 || !l3)
			i2 = 0;
		if (!l3)
			continue;
		for (n3 = next_bit(l3->map, 512, i3); n3 < 512;
		     n3 = next_bit(l3->map, 512, n3 + 1)) {
			l2 = pvhv_link_get(&l3->child[n3]);
			if (n3 != i3)
				i2 = 0;
			if (!l2)
				continue;
			for (n2 = next_bit(l2->map, 512, i2); n2 < 512;
			     n2 = next_bit(l2->map, 512, n2 + 1)) {
				l1 = pvhv_link_get(&l2->child[n2]);
				if (!l1)
					continue;
				*gva = half | (u64)n4 << 39 | (u64)n3 << 30 | (u64)n2 << 21;
				return l1;
			}
		}
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
		       struct pvhv_mmu_table *parent, struct pvhv_mmu_table *t, u64 gva)
{
	unsigned int index = pvhv_index(gva, t->level + 1);
	u64 entry = pvhv_table_pa(t->spt) | SPT_TABLE;

	t->parent = parent;
	if (parent) {
		t->index = index;
		pvhv_link_set(&parent->child[index], t);
		__set_bit(index, parent->map);
		WRITE_ONCE(parent->spt[index], entry);
	} else {
		t->index = index & 255;
		pvhv_link_set(&tree->top[t->index], t);
		__set_bit(t->index, tree->map);
		tree_set_top(mmu, tree, t->index, entry);
	}
	atomic64_inc(&mmu->tables);
}

/* Who has found it by an old link must not use it before it can be found by this one. */
static void leaf_link(struct pvhv_mmu *mmu, struct pvhv_mmu_tree *tree,
		      struct pvhv_mmu_table *parent, struct pvhv_mmu_table *t, u64 gva)
{
	spin_lock(&t->lock);
	t->tree = tree;
	t->gva = gva & ~(PVHV_L1_SPAN - 1);
	table_link(mmu, tree, parent, t, gva);
	spin_unlock(&t->lock);
	tree->nr_leaves++;
	atomic_inc(&tree->nr_unbound);
}

static struct pvhv_mmu_table *cache_get(struct pvhv_mmu_cache *cache, int level)
{
	struct pvhv_mmu_table *t = cache->tables[level - 1];

	cache->tables[level - 1] = t->next;
	cache->nr_tables[level - 1]--;
	return t;
}

/**
 * pvhv_tree_grow() - make the L1 table of an address, if there is none
 * @mmu:	the domain's MMU
 * @mv:		whose spare tables are used
 * @tree:	where
 * @gva:	the address
 *
 * All or nothing: tables are found, and given back, by the L1 tables below
 * them, so none is ever without.
 *
 * Return: 0, -ENOMEM if the cache is short.
 */
int pvhv_tree_grow(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, struct pvhv_mmu_tree *tree,
		   u64 gva)
{
	struct pvhv_mmu_cache *cache = &mv->cache;
	struct pvhv_mmu_table *l3, *l2 = NULL, *l1 = NULL;
	int r = 0;

	spin_lock(&tree->lock);
	l3 = tree->top[pvhv_index(gva, 4) & 255];
	if (l3)
		l2 = l3->child[pvhv_index(gva, 3)];
	if (l2)
		l1 = l2->child[pvhv_index(gva, 2)];
	if (l1)
		goto out;
	if (!cache->nr_tables[0] || (!l2 && !cache->nr_tables[1]) ||
	    (!l3 && !cache->nr_tables[2])) {
		r = -ENOMEM;
		goto out;
	}
	if (!l3) {
		l3 = cache_get(cache, 3);
		table_link(mmu, tree, NULL, l3, gva);
	}
	if (!l2) {
		l2 = cache_get(cache, 2);
		table_link(mmu, tree, l3, l2, gva);
	}
	l1 = cache_get(cache, 1);
	leaf_link(mmu, tree, l2, l1, gva);
out:
	spin_unlock(&tree->lock);
	return r;
}

/**
 * pvhv_table_unlink() - take an empty L1 table out of its tree
 * @op:		collects it
 * @tree:	where it is; locked
 * @t:		the table, locked; its parents go with it when they become empty
 */
void pvhv_table_unlink(struct pvhv_mmu_op *op, struct pvhv_mmu_tree *tree,
		       struct pvhv_mmu_table *t)
{
	lockdep_assert_held(&tree->lock);
	lockdep_assert_held(&t->lock);
	WARN_ON_ONCE(t->bind != PVHV_UNBOUND);

	tree->nr_leaves--;
	atomic_dec(&tree->nr_unbound);
	t->tree = NULL;
	op->owe = true;
	op->unlinked = true;
	for (;;) {
		struct pvhv_mmu_table *parent = t->parent;

		if (parent) {
			WRITE_ONCE(parent->spt[t->index], 0);
			pvhv_link_set(&parent->child[t->index], NULL);
			__clear_bit(t->index, parent->map);
		} else {
			tree_set_top(op->mmu, tree, t->index, 0);
			pvhv_link_set(&tree->top[t->index], NULL);
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
 * @t:		the table, locked; empty if @bind or @gpa change
 * @bind:	PVHV_xxx
 * @gpa:	the guest's table, or what its large leaf maps
 * @acc:	permissions above, or with the large leaf's
 */
void pvhv_table_bind(struct pvhv_mmu_tree *tree, struct pvhv_mmu_table *t,
		     enum pvhv_bind bind, u64 gpa, u64 acc)
{
	lockdep_assert_held(&t->lock);

	if (t->bind == PVHV_UNBOUND)
		atomic_dec(&tree->nr_unbound);
	if (bind == PVHV_UNBOUND)
		atomic_inc(&tree->nr_unbound);
	t->bind = bind;
	t->gpa = gpa;
	t->acc = acc;
}
