// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv: address spaces.
 *
 * The guest names an address space by its ctx_id; what is shadowed of it stays
 * while it is loaded nowhere, until the guest drops the name or the room is
 * needed. Address spaces without a name (ctx_id 0) have one root per vCPU,
 * which is made to agree with the guest's tables at each load and goes when one
 * with a name is loaded.
 *
 * A root has two PML4 pages. User mode's has the user half only, and only what
 * is accessible to user mode. Kernel mode's has the kernel half, and the same
 * user half with NX. When kernel mode needs a supervisor page of the user half
 * (Linux's text_poke does), the root is split: kernel mode gets a user half of
 * its own, see pvhv_root_split().
 *
 * With five hardware levels there is a PML5 page above each: slot 0 holds the
 * user half's PML4, slot 511 the domain's master PML4, so that addresses which
 * the guest takes for non-canonical are mapped nowhere.
 */
#include <linux/hash.h>
#include <linux/slab.h>

#include "mmu_internal.h"

/* mmu->pages: PML4s, PML5s and the structure itself */
static unsigned int root_pages(const struct pvhv_mmu *mmu)
{
	return mmu->levels == 5 ? 5 : 3;
}

/**
 * pvhv_root_alloc() - a new root
 * @mmu:	the domain's MMU
 *
 * Return: the root, mapping nothing but the hole, or NULL.
 */
struct pvhv_root *pvhv_root_alloc(struct pvhv_mmu *mmu)
{
	struct pvhv_root *root = kzalloc(sizeof(*root), GFP_KERNEL_ACCOUNT);
	int mode, i;

	if (!root)
		return NULL;
	atomic64_add(root_pages(mmu), &mmu->pages);
	INIT_HLIST_NODE(&root->hash);
	INIT_LIST_HEAD(&root->list);
	INIT_LIST_HEAD(&root->all);
	pvhv_tree_init(&root->user, root, false);
	for (mode = 0; mode < 2; mode++) {
		u64 *top;

		root->pml4[mode] = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
		if (!root->pml4[mode])
			goto fail;
		top = root->pml4[mode];
		if (mmu->levels == 5) {
			root->pml5[mode] = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
			if (!root->pml5[mode])
				goto fail;
			top = root->pml5[mode];
			top[0] = pvhv_table_pa(root->pml4[mode]) | SPT_TABLE;
			if (mode == PVHV_KERNEL_MODE)
				top[511] = pvhv_table_pa(mmu->master) | SPT_TABLE;
		}
		for (i = 0; i < PVHV_HOLE_NR_SLOTS; i++)
			top[PVHV_HOLE_FIRST_SLOT + i] = mmu->hole[i];
	}
	return root;
fail:
	pvhv_root_free(mmu, root);
	return NULL;
}

void pvhv_root_free(struct pvhv_mmu *mmu, struct pvhv_root *root)
{
	int mode;

	for (mode = 0; mode < 2; mode++) {
		free_page((unsigned long)root->pml5[mode]);
		free_page((unsigned long)root->pml4[mode]);
	}
	atomic64_sub(root_pages(mmu), &mmu->pages);
	kfree(root);
}

/*
 * Empty a root that is loaded nowhere and in no list. What CPUs have cached of
 * it is known to tlb_gen if it was anything of the guest's. May sleep.
 */
static void root_clear(struct pvhv_mmu *mmu, struct pvhv_root *root)
{
	u64 *pml4 = root->pml4[PVHV_KERNEL_MODE];
	int i;

	WARN_ON_ONCE(root->users);
	pvhv_tree_zap(mmu, &root->user, false);
	if (root->kuser) {
		pvhv_tree_zap(mmu, root->kuser, false);
		kfree(root->kuser);
		root->kuser = NULL;
	}
	if (mmu->levels == 4) {
		for_each_set_bit(i, mmu->kernel.map, 256)
			pml4[256 + i] = 0;
	}
	root->ctx_id = 0;
	root->gen = 0;
	root->later = 0;
	root->dead = false;
}

/* A root taken from the vCPU's cache, loaded once */
static struct pvhv_root *root_new(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, u64 cr3,
				  u64 ctx_id, u64 gen)
{
	struct pvhv_root *root = mv->cache.roots;
	int i;

	lockdep_assert_held(&mmu->roots_lock);

	if (!root)
		return NULL;
	mv->cache.roots = root->next;
	mv->cache.nr_roots--;
	root->cr3 = cr3;
	root->ctx_id = ctx_id;
	root->gen = gen;
	root->id = ++mmu->next_root_id;
	root->users = 1;
	list_add(&root->all, &mmu->all);
	mmu->nr_roots++;
	if (mmu->levels == 4) {
		/* those that are linked later are found at the first miss */
		for_each_set_bit(i, mmu->kernel.map, 256)
			root->pml4[PVHV_KERNEL_MODE][256 + i] = READ_ONCE(mmu->master[256 + i]);
	}
	return root;
}

static struct hlist_head *root_bucket(struct pvhv_mmu *mmu, u64 ctx_id)
{
	return &mmu->roots[hash_64(ctx_id, ilog2(PVHV_MMU_ROOT_BUCKETS))];
}

/* *@alias: there are others of the name */
static struct pvhv_root *root_find(struct pvhv_mmu *mmu, u64 cr3, u64 ctx_id, bool *alias)
{
	struct pvhv_root *root;

	hlist_for_each_entry(root, root_bucket(mmu, ctx_id), hash) {
		if (root->ctx_id != ctx_id)
			continue;
		if (root->cr3 == cr3)
			return root;
		*alias = true;
	}
	return NULL;
}

static void root_put(struct pvhv_mmu *mmu, struct pvhv_root *root)
{
	lockdep_assert_held(&mmu->roots_lock);

	if (!WARN_ON_ONCE(!root->users) && --root->users)
		return;
	list_add_tail(&root->list, root->dead ? &mmu->dead : &mmu->idle);
}

/**
 * pvhv_root_pin() - find a root by its name, so that it stays
 * @mmu:	the domain's MMU
 * @ctx_id:	its name
 * @least_id:	its number at least
 *
 * Return: of several the one with the lowest number; NULL if there is none.
 */
struct pvhv_root *pvhv_root_pin(struct pvhv_mmu *mmu, u64 ctx_id, u64 least_id)
{
	struct pvhv_root *root, *found = NULL;

	spin_lock(&mmu->roots_lock);
	hlist_for_each_entry(root, root_bucket(mmu, ctx_id), hash)
		if (root->ctx_id == ctx_id && root->id >= least_id &&
		    (!found || root->id < found->id))
			found = root;
	if (found && !found->users++)
		list_del_init(&found->list);
	spin_unlock(&mmu->roots_lock);
	return found;
}

/**
 * pvhv_root_unpin() - it may go
 * @mmu:	the domain's MMU
 * @root:	of pvhv_root_pin()
 *
 * Return: there is one of the same name with a higher number.
 */
bool pvhv_root_unpin(struct pvhv_mmu *mmu, struct pvhv_root *root)
{
	struct pvhv_root *other;
	bool more = false;

	spin_lock(&mmu->roots_lock);
	hlist_for_each_entry(other, root_bucket(mmu, root->ctx_id), hash)
		more |= other->ctx_id == root->ctx_id && other->id > root->id;
	root_put(mmu, root);
	spin_unlock(&mmu->roots_lock);
	return more;
}

/* A kernel that names its address spaces does not come back to one without a name. */
static void root_leave(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, struct pvhv_root *root)
{
	if (root == mv->anon) {
		mv->anon = NULL;
		WRITE_ONCE(root->dead, true);
	}
	root_put(mmu, root);
}

/* Load the root; *@fresh: it maps nothing yet */
static int root_switch(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, u64 cr3, u64 ctx_id,
		       u64 gen, bool *fresh)
{
	struct pvhv_root *root, *old = mv->root;
	bool alias = false;
	int r = 0;

	*fresh = false;
	if (old && ctx_id && old->ctx_id == ctx_id && old->cr3 == cr3 && !READ_ONCE(old->dead))
		return 0;

	spin_lock(&mmu->roots_lock);
	root = ctx_id ? root_find(mmu, cr3, ctx_id, &alias) : mv->anon;
	if (root) {
		if (ctx_id && !root->users++)
			list_del_init(&root->list);
		if (!ctx_id)
			root->cr3 = cr3;
	} else {
		root = root_new(mmu, mv, cr3, ctx_id, gen);
		if (!root) {
			r = -ENOMEM;
			goto out;
		}
		if (ctx_id)
			hlist_add_head(&root->hash, root_bucket(mmu, ctx_id));
		else
			mv->anon = root;
		/* No guest does it that means well: so for the rest of the domain's life */
		if (alias)
			WRITE_ONCE(mmu->aliases, true);
		/*
		 * A flush that has not seen it, nor that the last root of the name is dead, is
		 * older than the walks for this one; pairs with pvhv_mmu_flush_mm_step().
		 */
		smp_mb();
		*fresh = true;
	}
	mv->root = root;
	if (old && (old != mv->anon || old != root))
		root_leave(mmu, mv, old);
out:
	spin_unlock(&mmu->roots_lock);
	return r;
}

/**
 * pvhv_mmu_load_root() - PVHV_HC_LOAD_CR3
 * @mmu:	the domain's MMU
 * @mv:		the vCPU
 * @cr3:	the guest's PML4; what is not an address in it is ignored
 * @ctx_id:	name of the address space, 0: none
 * @tlb_gen:	what its shadow must have reached
 * @flush_all:	forget the kernel half too; @ctx_id is taken as 0
 * @fl:		zeroed; out
 *
 * The kernel half is flushed only by @flush_all. A new hardware root must be
 * loaded in any case (pvhv_mmu_hw_root()); @fl tells whether the TLB is stale
 * as well.
 *
 * Return: 0; 1: there is more to flush, call again with the same arguments
 * before the guest runs; -ENOMEM: pvhv_mmu_topup(), then call again.
 */
int pvhv_mmu_load_root(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, u64 cr3, u64 ctx_id,
		       u64 tlb_gen, bool flush_all, struct pvhv_mmu_flush *fl)
{
	u64 last = flush_all ? ~0ULL : PVHV_USER_END - 1;
	struct pvhv_root *root;
	bool fresh = false;
	int r;

	if (flush_all)
		ctx_id = 0;
	r = root_switch(mmu, mv, cr3 & PT_ADDR, ctx_id, tlb_gen, &fresh);
	if (r)
		return r;
	if (fresh && !flush_all)
		return 0;

	root = mv->root;
	if (ctx_id && pvhv_root_has_gen(root, tlb_gen))
		return 0;
	if (pvhv_flush_step(mmu, root, &mv->stats, 0, last, true, fl))
		return 1;
	if (ctx_id)
		pvhv_root_reach(root, tlb_gen);
	return 0;
}

/**
 * pvhv_mmu_hw_root() - physical address of the top-level table, for CR3
 * @mv:		the vCPU; has a root loaded
 * @user_mode:	of user mode's or of kernel mode's
 */
u64 pvhv_mmu_hw_root(const struct pvhv_mmu_vcpu *mv, bool user_mode)
{
	const struct pvhv_root *root = mv->root;

	return pvhv_table_pa(root->pml5[user_mode] ?: root->pml4[user_mode]);
}

/**
 * pvhv_mmu_root_id() - a number that no other root has or had in this domain
 * @mv:		the vCPU; has a root loaded
 *
 * Never 0.
 */
u64 pvhv_mmu_root_id(const struct pvhv_mmu_vcpu *mv)
{
	return mv->root->id;
}

/**
 * pvhv_mmu_cr3() - the guest's CR3
 * @mv:		the vCPU; has a root loaded
 */
u64 pvhv_mmu_cr3(const struct pvhv_mmu_vcpu *mv)
{
	return mv->root->cr3;
}

/**
 * pvhv_root_split() - give kernel mode a user half of its own
 * @mmu:	the domain's MMU
 * @mv:		the vCPU
 * @root:	its root
 *
 * From now on kernel mode sees the user half through root->kuser, which may
 * hold supervisor pages; user mode's tree never does. Stays until the root is
 * freed: few address spaces need it, and those again and again.
 *
 * Return: 0, -ENOMEM if the cache is short.
 */
int pvhv_root_split(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, struct pvhv_root *root)
{
	struct pvhv_mmu_tree *tree = mv->cache.trees;
	int r = 0;
	int i;

	spin_lock(&root->user.lock);
	if (root->kuser)
		goto out;
	if (!tree) {
		r = -ENOMEM;
		goto out;
	}
	mv->cache.trees = NULL;
	mv->cache.nr_trees = 0;
	pvhv_tree_init(tree, root, true);
	/* from here on pvhv_tree_grow() for the user's tree leaves these alone */
	for_each_set_bit(i, root->user.map, 256)
		WRITE_ONCE(root->pml4[PVHV_KERNEL_MODE][i], 0);
	/* initialised before another vCPU sees it */
	smp_store_release(&root->kuser, tree);
	atomic64_inc(&mmu->tlb_gen);
	/* A flush that has not seen it is older than the walks for it; pairs with flush_begin(). */
	smp_mb__after_atomic();
out:
	spin_unlock(&root->user.lock);
	return r;
}

/* Free a root that is in no list but mmu->all. */
static void root_destroy(struct pvhv_mmu *mmu, struct pvhv_root *root)
{
	spin_lock(&mmu->roots_lock);
	list_del_init(&root->all);
	mmu->nr_roots--;
	spin_unlock(&mmu->roots_lock);
	root_clear(mmu, root);
	pvhv_pool_put_root(mmu, root);
}

/**
 * pvhv_mmu_mm_drop() - PVHV_HC_MM_DROP
 * @mmu:	the domain's MMU
 * @ctx_id:	address space that will not be loaded any more
 *
 * May sleep. What is still loaded is freed some time after its last use.
 */
void pvhv_mmu_mm_drop(struct pvhv_mmu *mmu, u64 ctx_id)
{
	struct pvhv_root *root, *dead;
	struct hlist_node *next;

	if (!ctx_id)
		return;
	do {
		dead = NULL;
		spin_lock(&mmu->roots_lock);
		hlist_for_each_entry_safe(root, next, root_bucket(mmu, ctx_id), hash) {
			if (root->ctx_id != ctx_id)
				continue;
			hlist_del_init(&root->hash);
			WRITE_ONCE(root->dead, true);
			if (root->users)
				continue;
			list_del_init(&root->list);
			dead = root;
			break;
		}
		spin_unlock(&mmu->roots_lock);
		if (dead)
			root_destroy(mmu, dead);
	} while (dead);
}

static struct pvhv_root *root_victim(struct pvhv_mmu *mmu)
{
	struct pvhv_root *root;

	spin_lock(&mmu->roots_lock);
	root = list_first_entry_or_null(&mmu->dead, struct pvhv_root, list);
	if (!root) {
		root = list_first_entry_or_null(&mmu->idle, struct pvhv_root, list);
		if (root)
			atomic64_inc(&mmu->evictions);
	}
	if (root) {
		list_del_init(&root->list);
		hlist_del_init(&root->hash);
	}
	spin_unlock(&mmu->roots_lock);
	return root;
}

/**
 * pvhv_root_reap() - free a root that was dropped while it was loaded
 * @mmu:	the domain's MMU
 *
 * May sleep.
 *
 * Return: false if there was none.
 */
bool pvhv_root_reap(struct pvhv_mmu *mmu)
{
	struct pvhv_root *root;

	spin_lock(&mmu->roots_lock);
	root = list_first_entry_or_null(&mmu->dead, struct pvhv_root, list);
	if (root)
		list_del_init(&root->list);
	spin_unlock(&mmu->roots_lock);
	if (!root)
		return false;
	root_destroy(mmu, root);
	return true;
}

static bool zap_if_any(struct pvhv_mmu *mmu, struct pvhv_mmu_tree *tree)
{
	if (!tree || !READ_ONCE(tree->nr_leaves))
		return false;
	pvhv_tree_zap(mmu, tree, true);
	atomic64_inc(&mmu->evictions);
	return true;
}

static bool zap_root(struct pvhv_mmu *mmu, struct pvhv_root *root)
{
	return zap_if_any(mmu, &root->user) | zap_if_any(mmu, READ_ONCE(root->kuser));
}

/**
 * pvhv_roots_evict() - make room in the domain's budget of tables
 * @mmu:	the domain's MMU
 * @mv:		who needs it
 *
 * What is missed least goes first: dropped roots, those loaded nowhere, least
 * recently used first, then this vCPU's own user half, the kernel half, and
 * last what other vCPUs are running on. May sleep.
 *
 * Return: false if there is nothing left to take.
 */
bool pvhv_roots_evict(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv)
{
	struct pvhv_root *root = root_victim(mmu);
	bool done = false;

	if (root) {
		root_destroy(mmu, root);
		return true;
	}
	if (mv->root && zap_root(mmu, mv->root))
		return true;
	if (mv->anon && zap_root(mmu, mv->anon))
		return true;
	if (zap_if_any(mmu, &mmu->kernel))
		return true;

	/* pinned by a use of our own, so that it stays while we sleep */
	spin_lock(&mmu->roots_lock);
	list_for_each_entry(root, &mmu->all, all) {
		if (READ_ONCE(root->user.nr_leaves) && root->users) {
			root->users++;
			done = true;
			break;
		}
	}
	spin_unlock(&mmu->roots_lock);
	if (!done)
		return false;
	done = zap_root(mmu, root);
	spin_lock(&mmu->roots_lock);
	root_put(mmu, root);
	spin_unlock(&mmu->roots_lock);
	return done;
}

/* The vCPU is gone: nothing is loaded there any more. */
void pvhv_roots_leave(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv)
{
	spin_lock(&mmu->roots_lock);
	if (mv->root)
		root_leave(mmu, mv, mv->root);
	mv->root = NULL;
	spin_unlock(&mmu->roots_lock);
	while (pvhv_root_reap(mmu))
		;
}

/* The domain is gone. */
void pvhv_roots_destroy(struct pvhv_mmu *mmu)
{
	struct pvhv_root *root;

	while ((root = root_victim(mmu)))
		root_destroy(mmu, root);
	WARN_ON_ONCE(!list_empty(&mmu->all));
}
