// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv: filling the shadow.
 *
 * A miss below a bound L1 table reads one entry of the guest's table; if that
 * is the guest's own fault, no more is needed to know it. Else the entry is
 * filled, and from the same cache line what is likely to be needed next. A miss
 * elsewhere walks, binds the table, and then does the same.
 *
 * A and D are the guest's and set by us: A when an entry is installed because
 * of an access, D when it is written. An entry is writable only if D is set, so
 * that the first write is missed. Neighbours and hints are installed only if
 * the guest's entry has A already, and never set anything.
 */
#include "mmu_internal.h"

/* Has an invalidation of @gfn been going on at some time since @seq was read? */
static bool inval_since(struct pvhv_mmu *mmu, unsigned long seq, u64 gfn)
{
	/* count first, then seq: pairs with pvhv_mmu_invalidate_end() */
	unsigned long count = smp_load_acquire(&mmu->inval_count);

	if (count && gfn >= READ_ONCE(mmu->inval_first) && gfn <= READ_ONCE(mmu->inval_last))
		return true;
	return READ_ONCE(mmu->inval_seq) != seq;
}

/* The page of entry @i has changed without a flush: the old one goes first. */
static void entry_replace(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv,
			  struct pvhv_mmu_table *t, unsigned int i)
{
	struct pvhv_mmu_op op = { .mmu = mmu, .stats = &mv->stats };

	pvhv_op_zap_entry(&op, t, i);
}

/**
 * entry_install() - make an entry present, or permit more
 * @mmu:	the domain's MMU
 * @mv:		whose chunks are used
 * @t:		L1 table
 * @i:		index
 * @gfn:	the page
 * @bits:	of the entry, from entry_bits()
 * @write:	it must be writable now
 *
 * Return: 0, -ENOENT if there is no RAM, -EAGAIN if the page is not resident
 * or being taken away, -ENOMEM.
 */
static int entry_install(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, struct pvhv_mmu_table *t,
			 unsigned int i, u64 gfn, u64 bits, bool write)
{
	spinlock_t *lock = pvhv_rmap_lock(mmu, gfn);
	u64 *sptep = &t->spt[i];
	unsigned long *word;
	unsigned long seq;
	bool writable;
	u64 pfn;
	int r;

	if (unlikely(gfn > U32_MAX))
		return -ENOENT;
	/* before the page is looked up; pairs with pvhv_mmu_invalidate_end() */
	seq = smp_load_acquire(&mmu->inval_seq);
	r = pvhv_gfn_to_pfn(mmu, gfn, write, &pfn, &writable, &word);
	if (unlikely(r))
		return r;
	/* The word, then inval_count; pairs with pvhv_mmu_invalidate_begin() */
	smp_rmb();
	bits |= pvhv_leaf_pa(pfn);
	if (unlikely(!writable))
		bits &= ~SPT_W;
	if (unlikely(READ_ONCE(*sptep) && t->gfn[i] != gfn))
		entry_replace(mmu, mv, t, i);

	spin_lock(lock);
	if (unlikely(inval_since(mmu, seq, gfn))) {
		r = -EAGAIN;
		goto out;
	}
	if (likely(!*sptep)) {
		r = pvhv_rmap_add(mmu, &mv->cache, gfn, word, sptep);
		if (unlikely(r))
			goto out;
		t->gfn[i] = gfn;
		__set_bit(i, t->map);
	} else {
		/*
		 * The same page. Keep what is already permitted: if that is
		 * too much, the guest owes a flush, which narrows it and says
		 * so to the hardware's TLBs.
		 */
		WARN_ON_ONCE((*sptep ^ bits) & PT_ADDR);
		bits = (bits | (*sptep & SPT_W)) & (*sptep | ~PT_NX);
	}
	WRITE_ONCE(*sptep, bits);
out:
	spin_unlock(lock);
	return r;
}

/* User mode's tree holds nothing that user mode may not see. */
static bool tree_admits(const struct pvhv_mmu_tree *tree, u64 acc)
{
	return (acc & ACC_U) || !tree->root || tree->kuser;
}

/* What @acc permits, in a shadow entry; ACC_W only if the guest's D is set */
static u64 entry_bits(const struct pvhv_mmu_tree *tree, u64 acc)
{
	/* SMEP; the other trees have no U here, or NX in the PML4 */
	if (unlikely(tree->kuser) && (acc & ACC_U))
		acc &= ~ACC_X;
	return SPT_LEAF | (acc & ACC_W ? SPT_W : 0) | (~acc & PT_NX);
}

/*
 * Install entry @i of a table bound to a guest table, as the guest's @pte
 * says, unless it is not there or would need A or D.
 */
static __always_inline int prefill_small(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv,
					 const struct pvhv_mmu_tree *tree,
					 struct pvhv_mmu_table *t, unsigned int i, u64 pte)
{
	u64 acc = t->acc & (pte ^ PT_NX);
	int r;

	if ((pte & (PT_P | PT_A)) != (PT_P | PT_A) || (pte & mmu->rsvd) || !tree_admits(tree, acc))
		return 0;
	if (!(pte & PT_D))
		acc &= ~ACC_W;
	r = entry_install(mmu, mv, t, i, (pte & PT_ADDR) >> PAGE_SHIFT, entry_bits(tree, acc),
			  false);
	if (!r)
		mv->stats.prefills++;
	return r;
}

/* The neighbours of entry @i, which has just been filled */
static void prefill_around(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv,
			   const struct pvhv_mmu_tree *tree, struct pvhv_mmu_table *t,
			   unsigned int i)
{
	unsigned int k = i & ~(PVHV_MMU_FILL_SMALL - 1);
	unsigned int stop = k + PVHV_MMU_FILL_SMALL;
	u64 line[8];

	BUILD_BUG_ON(PVHV_MMU_FILL_SMALL > 8 || 8 % PVHV_MMU_FILL_SMALL);

	if (pvhv_gpt_read_line(mmu, t->gpa + (i & ~7) * 8, line))
		return;
	for (; k < stop; k++) {
		u64 pte = line[k & 7];

		if ((pte & (PT_P | PT_A)) != (PT_P | PT_A) || t->spt[k])
			continue;
		if (prefill_small(mmu, mv, tree, t, k, pte) == -ENOMEM)
			return;
	}
}

static int prefill_large(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv,
			 const struct pvhv_mmu_tree *tree, struct pvhv_mmu_table *t,
			 unsigned int first, unsigned int n)
{
	u64 bits = entry_bits(tree, t->acc);
	unsigned int i;
	int r;

	if (!tree_admits(tree, t->acc))
		return 0;
	for (i = first; i < first + n; i++) {
		if (t->spt[i])
			continue;
		r = entry_install(mmu, mv, t, i, (t->gpa >> PAGE_SHIFT) + i, bits, false);
		if (r == -ENOMEM)
			return r;
		if (!r)
			mv->stats.prefills++;
	}
	return 0;
}

static int fill_again(struct pvhv_mmu_vcpu *mv, struct pvhv_mmu_fault_info *out, u64 gfn,
		      bool write)
{
	out->gfn = gfn;
	out->write = write;
	mv->stats.retries++;
	return -EAGAIN;
}

/* The result of entry_install() for the page that was asked for */
static int fill_result(struct pvhv_mmu_vcpu *mv, struct pvhv_mmu_fault_info *out, int r, u64 gfn,
		       u32 access)
{
	if (likely(!r)) {
		mv->stats.fills++;
		return PVHV_MMU_FILLED;
	}
	if (r == -EAGAIN)
		return fill_again(mv, out, gfn, access & PVHV_ACC_WRITE);
	if (r == -ENOENT) {
		out->error_code = access | PVHV_PF_P | PVHV_PF_RSVD;
		return PVHV_MMU_GUEST_FAULT;
	}
	return r;
}

static int fill_large(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv,
		      const struct pvhv_mmu_tree *tree, struct pvhv_mmu_table *t, u64 gva,
		      u32 access, struct pvhv_mmu_fault_info *out)
{
	unsigned int i = pvhv_index(gva, 1);
	u64 gfn = (t->gpa >> PAGE_SHIFT) + i;
	int r;

	/* without W it may be that only D is missing */
	if (!pvhv_access_ok(t->acc, access))
		return FILL_WALK;
	if (!tree_admits(tree, t->acc))
		return FILL_KUSER;
	r = entry_install(mmu, mv, t, i, gfn, entry_bits(tree, t->acc), access & PVHV_ACC_WRITE);
	if (likely(!r))
		prefill_large(mmu, mv, tree, t, i & ~(PVHV_MMU_FILL_LARGE - 1),
			      PVHV_MMU_FILL_LARGE);
	return fill_result(mv, out, r, gfn, access);
}

static __always_inline int fill_small(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv,
				      const struct pvhv_mmu_tree *tree, struct pvhv_mmu_table *t,
				      u64 gva, u32 access, struct pvhv_mmu_fault_info *out)
{
	unsigned int i = pvhv_index(gva, 1);
	u64 pte_gpa = t->gpa + i * 8;
	u64 pte, acc, gfn, need;
	int r;

	r = pvhv_gpt_read(mmu, pte_gpa, &pte);
	if (unlikely(r))
		return r == -EAGAIN ? fill_again(mv, out, pte_gpa >> PAGE_SHIFT, false) : FILL_WALK;
	if (!(pte & PT_P)) {
		out->error_code = access;
		return PVHV_MMU_GUEST_FAULT;
	}
	if (unlikely(pte & mmu->rsvd)) {
		out->error_code = access | PVHV_PF_P | PVHV_PF_RSVD;
		return PVHV_MMU_GUEST_FAULT;
	}
	acc = t->acc & (pte ^ PT_NX);
	if (!pvhv_access_ok(acc, access)) {
		/* only what the levels above permit is the leaf's own refusal */
		if ((t->acc | (tree->root ? 0 : ACC_U)) != ACC_ALL)
			return FILL_WALK;
		out->error_code = access | PVHV_PF_P;
		return PVHV_MMU_GUEST_FAULT;
	}
	if (unlikely(!tree_admits(tree, acc)))
		return FILL_KUSER;
	need = access & PVHV_ACC_WRITE ? PT_A | PT_D : PT_A;
	if ((pte & need) != need) {
		r = pvhv_gpt_cmpxchg(mmu, pte_gpa, pte, pte | need);
		if (r == -EAGAIN)
			return fill_again(mv, out, pte_gpa >> PAGE_SHIFT, true);
		if (r)
			return FILL_WALK;
		pte |= need;
	}
	if (!(pte & PT_D))
		acc &= ~ACC_W;
	gfn = (pte & PT_ADDR) >> PAGE_SHIFT;
	r = entry_install(mmu, mv, t, i, gfn, entry_bits(tree, acc), access & PVHV_ACC_WRITE);
	if (likely(!r))
		prefill_around(mmu, mv, tree, t, i);
	return fill_result(mv, out, r, gfn, access);
}

/* Make the binding of @t what a walk has found. */
static void bind_walked(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv,
			struct pvhv_mmu_tree *tree, struct pvhv_mmu_table *t,
			const struct pvhv_walk *w)
{
	enum pvhv_bind bind = PVHV_BOUND_TABLE;
	u64 gpa = w->gpa[1] & PAGE_MASK;
	u64 acc = w->upper & ACC_ALL;

	if (w->level > 1) {
		bind = PVHV_BOUND_LARGE;
		gpa = (w->gfn << PAGE_SHIFT) & ~(PVHV_L1_SPAN - 1);
		acc = w->acc & ACC_ALL;
		if (!(w->pte[w->level] & PT_D))
			acc &= ~ACC_W;
	}
	if (t->bind == bind && t->gpa == gpa && t->acc == acc)
		return;
	if (t->bind != PVHV_UNBOUND && (t->bind != bind || t->gpa != gpa)) {
		/* replaced by the guest, the flush is still to come */
		struct pvhv_mmu_op op = { .mmu = mmu, .stats = &mv->stats };

		pvhv_op_zap_table(&op, t);
	}
	pvhv_table_bind(tree, t, bind, gpa, acc);
}

static __always_inline int fill_bound(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv,
				      const struct pvhv_mmu_tree *tree, struct pvhv_mmu_table *t,
				      u64 gva, u32 access, struct pvhv_mmu_fault_info *out)
{
	if (likely(t->bind == PVHV_BOUND_TABLE))
		return fill_small(mmu, mv, tree, t, gva, access, out);
	if (t->bind == PVHV_BOUND_LARGE)
		return fill_large(mmu, mv, tree, t, gva, access, out);
	return FILL_WALK;
}

/* What the L1 table of @gva answers, if there is one */
static __always_inline int fill_leaf(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv,
				     struct pvhv_mmu_tree *tree, u64 gva, u32 access,
				     struct pvhv_mmu_fault_info *out)
{
	struct pvhv_mmu_table *t;
	int r = FILL_WALK;

	rcu_read_lock_sched();
	t = pvhv_tree_leaf(tree, gva);
	if (likely(t)) {
		spin_lock(&t->lock);
		if (likely(pvhv_leaf_is(t, tree, gva)))
			r = fill_bound(mmu, mv, tree, t, gva, access, out);
		spin_unlock(&t->lock);
	}
	rcu_read_unlock_sched();
	return r;
}

static bool flush_since(const struct pvhv_mmu_tree *tree, s64 flushes)
{
	return atomic64_read(&tree->flushes) != flushes;
}

/*
 * Set A and D where an access does, and bind a table, locked, to what the walk has found.
 * Both are for who knows that no flush has come after the walk began: what was a guest's
 * table may be anything afterwards, and must not be written. Return: as pvhv_walk_mark().
 */
static int mark_and_bind(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv,
			 struct pvhv_mmu_tree *tree, struct pvhv_mmu_table *t, struct pvhv_walk *w,
			 u64 need, u64 *gfn)
{
	int r = pvhv_walk_mark(mmu, w, need, gfn);

	if (r)
		return r;
	w->pte[w->level] |= need;
	bind_walked(mmu, mv, tree, t, w);
	return 0;
}

/**
 * leaf_bind() - bind the L1 table of an address, which is made if there is none
 * @mmu:	the domain's MMU
 * @mv:		whose spare tables are used
 * @tree:	where
 * @gva:	the address
 * @w:		what a walk has found
 * @need:	what to set in the guest's leaf, as hardware would
 * @flushes:	of the tree, before that walk
 * @gfn:	out: for -EAGAIN, page that must be writable
 *
 * Return: 0, 1: walk again, -EAGAIN, -ENOMEM if the cache is short.
 */
static int leaf_bind(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, struct pvhv_mmu_tree *tree,
		     u64 gva, struct pvhv_walk *w, u64 need, s64 flushes, u64 *gfn)
{
	struct pvhv_mmu_table *t;
	bool grown = false;
	int r;

	for (;; grown = true) {
		r = 1;
		rcu_read_lock_sched();
		t = pvhv_tree_leaf(tree, gva);
		if (t) {
			spin_lock(&t->lock);
			/* linked before this, and by whom; pairs with flush_begin() */
			smp_mb();
			if (pvhv_leaf_is(t, tree, gva) && !flush_since(tree, flushes))
				r = mark_and_bind(mmu, mv, tree, t, w, need, gfn);
			spin_unlock(&t->lock);
		}
		rcu_read_unlock_sched();
		if (t || grown)
			return r;
		r = pvhv_tree_grow(mmu, mv, tree, gva);
		if (r)
			return r;
	}
}

/* What the guest's tables say about an access. Return: 0, or what the miss comes to */
static int look(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, const struct pvhv_mmu_tree *tree,
		u64 gva, u32 access, struct pvhv_walk *w, struct pvhv_mmu_fault_info *out)
{
	int r = pvhv_walk(mmu, mv->root->cr3, gva, 1, w);

	if (r == -EAGAIN)
		return fill_again(mv, out, w->gfn, false);
	if (!r && !pvhv_access_ok(w->acc, access)) {
		w->error = PVHV_PF_P;
		r = PVHV_MMU_GUEST_FAULT;
	}
	if (r) {
		out->error_code = access | w->error;
		return r;
	}
	return tree_admits(tree, w->acc) ? 0 : FILL_KUSER;
}

/*
 * As fill_walk(), where flushes have made all its tries vain: the table first, and then the walk
 * under its lock, for which flushes of what it maps wait, and the tree's, for which those wait
 * that free tables anywhere.
 */
static noinline int fill_locked(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv,
				struct pvhv_mmu_tree *tree, u64 gva, u32 access, u64 need,
				struct pvhv_mmu_fault_info *out)
{
	struct pvhv_mmu_table *t;
	struct pvhv_walk w;
	int r;

	r = pvhv_tree_grow(mmu, mv, tree, gva);
	if (r)
		return r;
	r = FILL_WALK;
	spin_lock(&tree->lock);
	t = pvhv_tree_leaf(tree, gva);
	if (t) {
		spin_lock(&t->lock);
		/* A flush that does not find the table has come before what the walk reads. */
		smp_mb();
		if (pvhv_leaf_is(t, tree, gva)) {
			r = look(mmu, mv, tree, gva, access, &w, out);
			if (!r) {
				r = mark_and_bind(mmu, mv, tree, t, &w, need, &out->gfn);
				if (r == -EAGAIN)
					fill_again(mv, out, out->gfn, true);
				else if (r)
					r = FILL_WALK;
				else
					r = fill_bound(mmu, mv, tree, t, gva, access, out);
			}
		}
		spin_unlock(&t->lock);
	}
	spin_unlock(&tree->lock);
	return r;
}

/* What the cached upper levels did not answer */
static int fill_walk(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, struct pvhv_mmu_tree *tree,
		     u64 gva, u32 access, struct pvhv_mmu_fault_info *out)
{
	u64 need = access & PVHV_ACC_WRITE ? PT_A | PT_D : PT_A;
	struct pvhv_walk w;
	int r, tries;

	for (tries = 0; tries < 8; tries++) {
		s64 flushes = atomic64_read_acquire(&tree->flushes);

		r = look(mmu, mv, tree, gva, access, &w, out);
		if (r == -EAGAIN)
			return r;
		if (r) {
			/* what it has read, then whether that was still a table */
			smp_rmb();
			if (flush_since(tree, flushes))
				continue;
			return r;
		}
		r = leaf_bind(mmu, mv, tree, gva, &w, need, flushes, &out->gfn);
		if (r == -EAGAIN)
			return fill_again(mv, out, out->gfn, true);
		if (r < 0)
			return r;
		if (r)
			continue;
		r = fill_leaf(mmu, mv, tree, gva, access, out);
		if (r != FILL_WALK)
			return r;
	}
	r = fill_locked(mmu, mv, tree, gva, access, need, out);
	/* another vCPU keeps changing it: the guest misses it again */
	return r == FILL_WALK ? PVHV_MMU_FILLED : r;
}

/* Kernel L3 tables reach a root's PML4 when they are missed through it. */
static void sync_kernel_slot(struct pvhv_mmu *mmu, struct pvhv_root *root, u64 gva)
{
	unsigned int slot = pvhv_index(gva, 4);
	u64 *entry = &root->pml4[PVHV_KERNEL_MODE][slot];
	u64 master = READ_ONCE(mmu->master[slot]);

	/*
	 * With five levels the master page itself is linked. Once set it stays; but we may have
	 * read it before that, and another vCPU have set ours since.
	 */
	if (mmu->levels == 4 && master && unlikely(READ_ONCE(*entry) != master))
		WRITE_ONCE(*entry, master);
}

/**
 * pvhv_mmu_fault() - serve a page fault that the hardware has raised
 * @mmu:	the domain's MMU
 * @mv:		the vCPU
 * @gva:	the address
 * @access:	PVHV_ACC_xxx
 * @out:	out: see struct pvhv_mmu_fault_info
 *
 * Return: PVHV_MMU_FILLED: run the guest again (it may also be that nothing
 * was missing). PVHV_MMU_GUEST_FAULT: deliver out->error_code. -EAGAIN: make
 * out->gfn resident, writable if out->write, and call again. -ENOMEM:
 * pvhv_mmu_topup() and call again.
 */
int pvhv_mmu_fault(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, u64 gva, u32 access,
		   struct pvhv_mmu_fault_info *out)
{
	struct pvhv_root *root = mv->root;
	struct pvhv_mmu_tree *tree;
	u64 gpa;
	int r;

again:
	if (likely(pvhv_is_user_half(gva))) {
		tree = &root->user;
		if (!(access & PVHV_ACC_USER) && unlikely(READ_ONCE(root->kuser)))
			tree = root->kuser;
	} else if (likely(pvhv_is_kernel_half(gva) && !pvhv_is_hole(gva) &&
			  !(access & PVHV_ACC_USER))) {
		tree = &mmu->kernel;
	} else {
		/* nothing to fill: only the error code is asked for */
		r = pvhv_mmu_translate(mmu, mv, gva, access, &gpa, out);
		WARN_ON_ONCE(!r);
		mv->stats.faults_guest++;
		return r;
	}

	r = fill_leaf(mmu, mv, tree, gva, access, out);
	if (unlikely(r == FILL_WALK))
		r = fill_walk(mmu, mv, tree, gva, access, out);
	if (tree == &mmu->kernel && r == PVHV_MMU_FILLED)
		sync_kernel_slot(mmu, root, gva);
	if (unlikely(r == FILL_KUSER)) {
		r = pvhv_root_split(mmu, mv, root);
		if (!r)
			goto again;
	}
	if (r == PVHV_MMU_GUEST_FAULT)
		mv->stats.faults_guest++;
	return r;
}

/*
 * Hints. A hint says that entries have just become present or more permissive,
 * so both missing entries and read-only ones are worth a look.
 */
static bool hint_useful(u64 spte, u64 pte)
{
	return !spte || ((pte & (PT_W | PT_D)) == (PT_W | PT_D) && !(spte & PT_W));
}

/* Entries @i..@last of a bound table, locked */
static int hint_table(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv,
		      const struct pvhv_mmu_tree *tree, struct pvhv_mmu_table *t, unsigned int i,
		      unsigned int last)
{
	u64 line[8];
	int r;

	if (t->bind == PVHV_BOUND_LARGE)
		return prefill_large(mmu, mv, tree, t, i, last - i + 1);

	while (i <= last) {
		unsigned int stop = min(last, i | 7);

		r = pvhv_gpt_read_line(mmu, t->gpa + (i & ~7) * 8, line);
		if (r)
			return r;
		for (; i <= stop; i++) {
			if (!hint_useful(t->spt[i], line[i & 7]))
				continue;
			r = prefill_small(mmu, mv, tree, t, i, line[i & 7]);
			if (r == -ENOMEM)
				return r;
		}
	}
	return 0;
}

/* The usual hint: a single page */
static __always_inline int hint_entry(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv,
				      const struct pvhv_mmu_tree *tree, struct pvhv_mmu_table *t,
				      unsigned int i)
{
	u64 pte;
	int r;

	r = pvhv_gpt_read(mmu, t->gpa + i * 8, &pte);
	if (!r && hint_useful(t->spt[i], pte))
		r = prefill_small(mmu, mv, tree, t, i, pte);
	return r;
}

/* Make and bind the L1 table of @gva, if the guest has something there. */
static int hint_bind(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, struct pvhv_mmu_tree *tree,
		     u64 gva)
{
	s64 flushes = atomic64_read_acquire(&tree->flushes);
	struct pvhv_walk w;
	u64 gfn;
	int r;

	r = pvhv_walk(mmu, mv->root->cr3, gva, 2, &w);
	if (r)
		return r;
	if (w.level > 1 && !(w.pte[w.level] & PT_A))
		return PVHV_MMU_GUEST_FAULT;
	return leaf_bind(mmu, mv, tree, gva, &w, 0, flushes, &gfn);
}

/* A hint about @n pages of one L1 table: FILL_WALK if that is not bound */
static __always_inline int hint_leaf(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv,
				     struct pvhv_mmu_tree *tree, u64 gva, unsigned int n)
{
	unsigned int i = pvhv_index(gva, 1);
	struct pvhv_mmu_table *t;
	int r = FILL_WALK;

	rcu_read_lock_sched();
	t = pvhv_tree_leaf(tree, gva);
	if (likely(t)) {
		spin_lock(&t->lock);
		if (likely(pvhv_leaf_is(t, tree, gva) && t->bind != PVHV_UNBOUND)) {
			if (likely(n == 1 && t->bind == PVHV_BOUND_TABLE))
				r = hint_entry(mmu, mv, tree, t, i);
			else
				r = hint_table(mmu, mv, tree, t, i, i + n - 1);
		}
		spin_unlock(&t->lock);
	}
	rcu_read_unlock_sched();
	return r;
}

static int hint_range(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, struct pvhv_mmu_tree *tree,
		      u64 gva, unsigned int pages)
{
	while (pages) {
		unsigned int n = min(pages, 512 - pvhv_index(gva, 1));
		int r = hint_leaf(mmu, mv, tree, gva, n);

		if (unlikely(r == FILL_WALK)) {
			r = hint_bind(mmu, mv, tree, gva);
			if (!r)
				r = hint_leaf(mmu, mv, tree, gva, n);
		}
		if (r)
			return r;
		pages -= n;
		gva += n * PAGE_SIZE;
	}
	return 0;
}

/**
 * pvhv_mmu_sync_hints() - fill what the guest says it has mapped
 * @mmu:	the domain's MMU
 * @mv:		the vCPU
 * @hints:	copied from the vCPU page
 * @n:		their number
 *
 * Fills what is there and has A set, and gives up on a hint at the first thing
 * that is missing. At most PVHV_MMU_HINT_PAGES pages are looked at.
 *
 * Return: 0, -ENOMEM if the vCPU's cache ran short: pvhv_mmu_topup() before
 * the next time. The hints are done with in both cases.
 */
int pvhv_mmu_sync_hints(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, const u64 *hints,
			unsigned int n)
{
	unsigned int budget = PVHV_MMU_HINT_PAGES;
	unsigned int k;

	for (k = 0; k < n && budget; k++) {
		u64 gva = hints[k] & PAGE_MASK;
		unsigned int pages = min_t(unsigned int, (hints[k] & ~PAGE_MASK) + 1, budget);
		u64 last = gva + (pages - 1) * PAGE_SIZE;
		struct pvhv_mmu_tree *tree;

		budget -= pages;
		if (pvhv_is_user_half(last) && gva <= last)
			tree = &mv->root->user;
		else if (pvhv_is_kernel_half(gva) && gva <= last && !pvhv_is_hole(gva))
			tree = &mmu->kernel;
		else
			continue;
		if (hint_range(mmu, mv, tree, gva, pages) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}
