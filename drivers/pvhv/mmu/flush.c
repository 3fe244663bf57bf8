// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv: making the shadow agree with the guest's tables again.
 *
 * A flush does not forget, it compares: for each shadow L1 table in the range
 * the guest's upper levels are walked once, and then each *present* entry is
 * compared with the guest's. Only if a range covers part of a table of the user
 * half and no tables were freed, the upper levels are taken to be what they
 * were: such a flush is about leaves. What is still right stays, what permits
 * too much is narrowed, the rest is removed. So fork's write protection of an
 * address space costs one pass and no misses afterwards, and flushing twice
 * (once on each vCPU) costs little the second time.
 *
 * An entry whose A bit the guest has cleared is removed, so that the next
 * access sets it again. Entries are never made to permit more: misses do that.
 */
#include <linux/sched.h>

#include "mmu_internal.h"

static void op_count(struct pvhv_mmu_op *op, struct pvhv_mmu_table *t, unsigned int i)
{
	op->nr++;
	op->gva = t->gva + ((u64)i << PAGE_SHIFT);
}

/**
 * pvhv_op_zap_entry() - remove an entry
 * @op:	notes it
 * @t:	L1 table, locked
 * @i:	index; the host may have removed the entry already
 */
void pvhv_op_zap_entry(struct pvhv_mmu_op *op, struct pvhv_mmu_table *t, unsigned int i)
{
	u64 gfn = t->gfn[i];
	spinlock_t *lock = pvhv_rmap_lock(op->mmu, gfn);

	__clear_bit(i, t->map);
	spin_lock(lock);
	if (t->spt[i]) {
		WRITE_ONCE(t->spt[i], 0);
		op->searched += pvhv_rmap_remove(op->mmu, gfn, &t->spt[i]);
		op->gen = atomic64_inc_return(&op->mmu->tlb_gen);
		op_count(op, t, i);
		op->stats->zaps++;
	}
	spin_unlock(lock);
}

/**
 * pvhv_op_zap_table() - remove all entries of a table
 * @op:	notes them
 * @t:	L1 table, locked
 */
void pvhv_op_zap_table(struct pvhv_mmu_op *op, struct pvhv_mmu_table *t)
{
	unsigned int i;

	for_each_set_bit(i, t->map, 512)
		pvhv_op_zap_entry(op, t, i);
}

/*
 * The host has removed the entry just now, maybe: tlb_gen must tell of it before the
 * flush that finds nothing to do is over.
 */
static void wait_for_zap(struct pvhv_mmu *mmu, u64 gfn)
{
	spinlock_t *lock = pvhv_rmap_lock(mmu, gfn);

	spin_lock(lock);
	spin_unlock(lock);
}

/* Let entry @i, last seen as @old, permit no more than @acc. */
static __always_inline void op_narrow_entry(struct pvhv_mmu_op *op, struct pvhv_mmu_table *t,
					    unsigned int i, u64 old, u64 acc)
{
	u64 new = (acc & ACC_W ? old : old & ~SPT_W) | (~acc & PT_NX);

	if (likely(new == old))
		return;
	/* no rmap lock: it stays present, or the host is removing it */
	if (cmpxchg(&t->spt[i], old, new) != old) {
		wait_for_zap(op->mmu, t->gfn[i]);
		return;
	}
	op->owe = true;
	op_count(op, t, i);
	op->stats->narrowed++;
}

/**
 * pvhv_op_publish() - before the table or tree is unlocked: tell tlb_gen
 * @op:	the operation
 */
void pvhv_op_publish(struct pvhv_mmu_op *op)
{
	if (op->owe)
		op->gen = atomic64_inc_return(&op->mmu->tlb_gen);
	op->owe = false;
}

/**
 * pvhv_op_finish() - without locks: give unlinked tables back
 * @op:		the operation
 * @live:	a CPU may be walking them
 */
void pvhv_op_finish(struct pvhv_mmu_op *op, bool live)
{
	struct pvhv_mmu_table *t;

	WARN_ON_ONCE(op->owe);
	if (!op->gather)
		return;
	if (live)
		pvhv_mmu_host_flush(op->mmu);
	while ((t = op->gather)) {
		op->gather = t->next;
		pvhv_pool_put_table(op->mmu, t);
	}
}

/*
 * The guest has changed its tables before, maybe on another CPU. @tables: it may free some, of
 * which any walk may be reading one.
 */
static void flush_begin(struct pvhv_mmu_tree *tree, bool tables)
{
	atomic64_inc(&tree->flushes);
	/* before it is looked for what is there: pairs with leaf_bind(), see rule 1 */
	smp_mb__after_atomic();
	if (tables) {
		/* fill_locked() does not look at the number. */
		spin_lock(&tree->lock);
		spin_unlock(&tree->lock);
	}
}

/* The guest has nothing here any more, or something else. */
static void leaf_drop(struct pvhv_mmu_op *op, struct pvhv_mmu_tree *tree, struct pvhv_mmu_table *t)
{
	pvhv_op_zap_table(op, t);
	pvhv_table_bind(tree, t, PVHV_UNBOUND, 0, 0);
}

/* Unlink the L1 table of @gva if it shadows nothing, and there are enough of the kind. */
static noinline void leaf_trim(struct pvhv_mmu_op *op, struct pvhv_mmu_tree *tree, u64 gva)
{
	struct pvhv_mmu_table *t;

	spin_lock(&tree->lock);
	t = pvhv_tree_leaf(tree, gva);
	if (t && atomic_read(&tree->nr_unbound) > PVHV_MMU_KEEP_TABLES) {
		spin_lock(&t->lock);
		if (t->bind == PVHV_UNBOUND)
			pvhv_table_unlink(op, tree, t);
		spin_unlock(&t->lock);
	}
	pvhv_op_publish(op);
	spin_unlock(&tree->lock);
}

/* What entry @i must not exceed: 0 if it must go */
static __always_inline u64 entry_limit(const struct pvhv_mmu *mmu,
				       const struct pvhv_mmu_tree *tree,
				       const struct pvhv_mmu_table *t, unsigned int i, u64 pte)
{
	u64 acc = t->acc & (pte ^ PT_NX);

	if ((pte & (PT_P | PT_A)) != (PT_P | PT_A) || (pte & mmu->rsvd))
		return 0;
	if ((pte & PT_ADDR) >> PAGE_SHIFT != t->gfn[i])
		return 0;
	if (!(pte & PT_D))
		acc &= ~ACC_W;
	if (tree->kuser && (acc & ACC_U))
		acc &= ~ACC_X;
	else if (tree->root && !tree->kuser && !(acc & ACC_U))
		return 0;
	/* never 0 for what may stay */
	return acc | PT_P;
}

static __always_inline void resync_entry(struct pvhv_mmu_op *op, const struct pvhv_mmu_tree *tree,
					 struct pvhv_mmu_table *t, unsigned int i, u64 pte)
{
	u64 spte = READ_ONCE(t->spt[i]);
	u64 limit;

	if (unlikely(!spte)) {
		__clear_bit(i, t->map);
		wait_for_zap(op->mmu, t->gfn[i]);
		return;
	}
	limit = entry_limit(op->mmu, tree, t, i, pte);
	if (limit)
		op_narrow_entry(op, t, i, spte, limit);
	else
		pvhv_op_zap_entry(op, t, i);
}

/* Entries @first..@last of a table that shadows a guest table */
static void resync_small(struct pvhv_mmu_op *op, const struct pvhv_mmu_tree *tree,
			 struct pvhv_mmu_table *t, unsigned int first, unsigned int last)
{
	unsigned int k;

	/* what cannot be read now cannot be trusted now: as if it were 0 */
	if (first == last) {
		u64 pte = 0;

		if (!test_bit(first, t->map))
			return;
		if (pvhv_gpt_read(op->mmu, t->gpa + first * 8, &pte))
			pte = 0;
		resync_entry(op, tree, t, first, pte);
		return;
	}

	for (k = first / BITS_PER_LONG; k <= last / BITS_PER_LONG; k++) {
		unsigned long todo = t->map[k];
		unsigned int base = k * BITS_PER_LONG;

		if (base < first)
			todo &= ~0UL << (first - base);
		if (last - base < BITS_PER_LONG - 1)
			todo &= ~0UL >> (BITS_PER_LONG - 1 - (last - base));
		while (todo) {
			/* the present ones of the next eight entries, one read */
			unsigned int line_base = __ffs(todo) & ~7;
			unsigned long some = todo & (255UL << line_base);
			u64 line[8];

			todo &= ~some;
			if (pvhv_gpt_read_line(op->mmu, t->gpa + (base + line_base) * 8, line))
				memset(line, 0, sizeof(line));
			for (; some; some &= some - 1) {
				unsigned int n = __ffs(some);

				resync_entry(op, tree, t, base + n, line[n & 7]);
			}
		}
	}
}

static void resync_large(struct pvhv_mmu_op *op, struct pvhv_mmu_table *t, u64 acc)
{
	unsigned int i;

	for_each_set_bit(i, t->map, 512) {
		u64 spte = READ_ONCE(t->spt[i]);

		if (spte) {
			op_narrow_entry(op, t, i, spte, acc);
		} else {
			__clear_bit(i, t->map);
			wait_for_zap(op->mmu, t->gfn[i]);
		}
	}
}

/**
 * resync_leaf() - make an L1 table agree with the guest's
 * @op:		notes what changes
 * @tree:	where @t is
 * @t:		the table, locked
 * @cr3:	whose view it is
 * @i:		first entry
 * @last:	last entry
 */
static void resync_leaf(struct pvhv_mmu_op *op, struct pvhv_mmu_tree *tree,
			struct pvhv_mmu_table *t, u64 cr3, unsigned int i, unsigned int last)
{
	struct pvhv_walk w;
	u64 acc;

	if (t->bind == PVHV_UNBOUND)
		return;
	op->stats->resyncs++;

	/*
	 * Part of a table of the user half: its place has not changed. In the
	 * kernel half it may have: Linux's pmd_free_pte_page() flushes one page
	 * and then frees the table.
	 */
	if (tree->root && last - i < 511 && t->bind == PVHV_BOUND_TABLE) {
		resync_small(op, tree, t, i, last);
		return;
	}
	/* nothing to keep: the next miss walks */
	if (bitmap_empty(t->map, 512)) {
		leaf_drop(op, tree, t);
		return;
	}
	/* A cleared above means that the next access is to set it, as below */
	if (pvhv_walk(op->mmu, cr3, t->gva, 2, &w) || !(w.acc & PT_A)) {
		leaf_drop(op, tree, t);
		return;
	}
	acc = w.acc & ACC_ALL;

	if (w.level == 1) {
		if (t->bind != PVHV_BOUND_TABLE || t->gpa != w.gpa[1]) {
			leaf_drop(op, tree, t);
			return;
		}
		if (t->acc != acc) {
			/* All entries depend on it. */
			i = 0;
			last = 511;
		}
		t->acc = acc;
		resync_small(op, tree, t, i, last);
		return;
	}

	if (!(w.pte[w.level] & PT_D))
		acc &= ~ACC_W;
	if (t->bind != PVHV_BOUND_LARGE || t->gpa != w.gfn << PAGE_SHIFT ||
	    (tree->root && !tree->kuser && !(acc & ACC_U))) {
		leaf_drop(op, tree, t);
		return;
	}
	t->acc = acc;
	if (tree->kuser && (acc & ACC_U))
		acc &= ~ACC_X;
	resync_large(op, t, acc);
}

/*
 * A step's work is counted in tables. Entries that changed count too, and what was
 * searched for them: PVHV_MMU_RMAP_MAX others, maybe.
 */
static unsigned int op_work(const struct pvhv_mmu_op *op)
{
	return op->nr + op->searched;
}

static unsigned int op_cost(const struct pvhv_mmu_op *op, unsigned int work_before)
{
	return 1 + (op_work(op) - work_before) / PVHV_MMU_FLUSH_ENTRIES;
}

/*
 * Resync entries @i..@last of the table of @gva, which has been found without a lock: if
 * it is elsewhere now, there is nothing here that is older than the flush.
 */
static __always_inline void flush_leaf(struct pvhv_mmu_op *op, struct pvhv_mmu_tree *tree,
				       struct pvhv_mmu_table *t, u64 gva, u64 cr3,
				       unsigned int i, unsigned int last)
{
	bool unbound;

	spin_lock(&t->lock);
	if (likely(pvhv_leaf_is(t, tree, gva)))
		resync_leaf(op, tree, t, cr3, i, last);
	unbound = t->bind == PVHV_UNBOUND;
	pvhv_op_publish(op);
	spin_unlock(&t->lock);
	if (unlikely(unbound) && atomic_read(&tree->nr_unbound) > PVHV_MMU_KEEP_TABLES)
		leaf_trim(op, tree, gva);
}

/*
 * Resync what a tree has between @first and @last. True: @budget was used up,
 * go on at *@cursor.
 */
static bool resync_tree(struct pvhv_mmu_op *op, struct pvhv_mmu_tree *tree, u64 cr3,
			u64 first, u64 last, bool whole_tables, u64 *cursor, int *budget)
{
	struct pvhv_mmu_table *t;
	u64 gva = max(first, *cursor);
	bool more = false;

	if (!*cursor)
		/* In the kernel half any flush may be about tables, see resync_leaf(). */
		flush_begin(tree, whole_tables || !tree->root);
	rcu_read_lock_sched();
	while (gva <= last && (t = pvhv_tree_next(tree, &gva)) && gva <= last) {
		unsigned int i = 0, j = 511, before = op_work(op);

		if (*budget <= 0) {
			*cursor = gva;
			more = true;
			break;
		}
		if (!whole_tables) {
			i = gva < first ? pvhv_index(first, 1) : 0;
			j = last - gva < PVHV_L1_SPAN ? pvhv_index(last, 1) : 511;
		}
		flush_leaf(op, tree, t, gva, cr3, i, j);
		*budget -= op_cost(op, before);
		gva += PVHV_L1_SPAN;
		if (!gva)
			break;
	}
	rcu_read_unlock_sched();
	return more;
}

static void flush_note(struct pvhv_mmu_flush *fl, const struct pvhv_mmu_op *op)
{
	if (!op->nr && !op->unlinked)
		return;
	/* a page of the kernel half may be cached under every root's tag */
	fl->single = !fl->any && op->nr == 1 && !op->unlinked && pvhv_is_user_half(op->gva);
	fl->any = true;
	fl->gva = op->gva;
	fl->gen = op->gen;
}

/**
 * pvhv_flush_step() - do part of a flush
 * @mmu:	the domain's MMU
 * @root:	the address space; the caller sees to it that it stays
 * @stats:	of the vCPU that does it
 * @first:	first address
 * @last:	last address
 * @whole_tables: compare all entries of the tables touched
 * @fl:		progress and outcome
 *
 * Return: 0 done, 1 call again.
 */
int pvhv_flush_step(struct pvhv_mmu *mmu, struct pvhv_root *root, struct pvhv_mmu_stats *stats,
		    u64 first, u64 last, bool whole_tables, struct pvhv_mmu_flush *fl)
{
	struct pvhv_mmu_op op = { .mmu = mmu, .stats = stats };
	int budget = PVHV_MMU_FLUSH_BATCH;
	bool more = false;

	for (; fl->phase < 3; fl->phase++, fl->cursor = 0) {
		struct pvhv_mmu_tree *tree;
		u64 from = first, to = last;

		switch (fl->phase) {
		case 0:
			tree = &root->user;
			break;
		case 1:
			tree = READ_ONCE(root->kuser);
			break;
		default:
			tree = &mmu->kernel;
			break;
		}
		if (fl->phase < 2)
			to = min(to, PVHV_USER_END - 1);
		else
			from = max(from, PVHV_KERNEL_START);
		if (from > to || !tree)
			continue;
		more = resync_tree(&op, tree, root->cr3, from, to, whole_tables, &fl->cursor,
				   &budget);
		if (more)
			break;
	}
	flush_note(fl, &op);
	pvhv_op_finish(&op, true);
	return more;
}

/**
 * pvhv_root_has_gen() - has an address space been made to agree already?
 * @root:	the address space
 * @gen:	with what
 */
bool pvhv_root_has_gen(const struct pvhv_root *root, u64 gen)
{
	/* then also what was done to get there, and its tlb_gen */
	return smp_load_acquire(&root->gen) >= gen;
}

/* It has got to @gen, and maybe further. */
static void root_set_gen(struct pvhv_root *root, u64 gen)
{
	while (root->later & 1) {
		root->later >>= 1;
		gen++;
	}
	/* pairs with pvhv_root_has_gen() */
	smp_store_release(&root->gen, gen);
}

/*
 * A range was flushed for @new_gen. Where several vCPUs flush, a later one may be here
 * first: it is remembered. If others came before that we do not know of, the address space
 * has not got there, and the next load will compare it all.
 */
static void root_advance(struct pvhv_root *root, u64 new_gen)
{
	u64 ahead;

	if (!root->ctx_id || !new_gen)
		return;
	spin_lock(&root->user.lock);
	ahead = new_gen - root->gen - 1;
	if (new_gen > root->gen && ahead < BITS_PER_LONG_LONG) {
		root->later |= BIT_ULL(ahead);
		root_set_gen(root, root->gen);
	}
	spin_unlock(&root->user.lock);
}

/**
 * pvhv_root_reach() - all of the user half has been made to agree
 * @root:	the address space
 * @gen:	with what
 */
void pvhv_root_reach(struct pvhv_root *root, u64 gen)
{
	spin_lock(&root->user.lock);
	if (gen > root->gen) {
		u64 steps = gen - root->gen;

		root->later = steps < BITS_PER_LONG_LONG ? root->later >> steps : 0;
		root_set_gen(root, gen);
	}
	spin_unlock(&root->user.lock);
}

/*
 * The usual flush: a few pages of the user half, in one table; all at once. False: it is
 * not that simple.
 */
static bool flush_few(struct pvhv_mmu *mmu, struct pvhv_root *root, struct pvhv_mmu_stats *stats,
		      u64 first, u64 last, u64 new_gen, struct pvhv_mmu_flush *fl)
{
	struct pvhv_mmu_op op = { .mmu = mmu, .stats = stats };
	struct pvhv_mmu_tree *tree = &root->user;
	struct pvhv_mmu_table *t;

	flush_begin(tree, false);
	if (unlikely(READ_ONCE(root->kuser)))
		return false;
	rcu_read_lock_sched();
	t = pvhv_tree_leaf(tree, first);
	if (t)
		flush_leaf(&op, tree, t, first, root->cr3, pvhv_index(first, 1),
			   pvhv_index(last, 1));
	rcu_read_unlock_sched();
	root_advance(root, new_gen);
	flush_note(fl, &op);
	pvhv_op_finish(&op, true);
	return true;
}

/* pvhv_mmu_flush_range_step() for any address space that stays */
static int flush_range(struct pvhv_mmu *mmu, struct pvhv_root *root, struct pvhv_mmu_stats *stats,
		       u64 first, u64 last, u64 new_gen, u64 flags, struct pvhv_mmu_flush *fl)
{
	/* another vCPU has done the same flush; ours finds its tlb_gen */
	if (!fl->phase && !fl->cursor && pvhv_is_user_half(last) && root->ctx_id && new_gen &&
	    pvhv_root_has_gen(root, new_gen))
		return 0;
	if (likely(pvhv_is_user_half(last) && first / PVHV_L1_SPAN == last / PVHV_L1_SPAN &&
		   !(flags & PVHV_FLUSH_FREED_TABLES)) &&
	    flush_few(mmu, root, stats, first, last, new_gen, fl))
		return 0;
	if (pvhv_flush_step(mmu, root, stats, first, last, flags & PVHV_FLUSH_FREED_TABLES, fl))
		return 1;
	root_advance(root, new_gen);
	return 0;
}

/**
 * pvhv_mmu_flush_range_step() - PVHV_HC_FLUSH_RANGE
 * @mmu:	the domain's MMU
 * @mv:		the vCPU
 * @start:	first address that has changed
 * @end:	the first that has not; 0: to the end of the address space
 * @new_gen:	what the address space has reached by this change, or 0
 * @flags:	PVHV_FLUSH_FREED_TABLES
 * @fl:		zeroed before the first step
 *
 * In the user half, a range that covers part of an aligned 2 MiB without
 * PVHV_FLUSH_FREED_TABLES is about leaf entries there, 4K or large.
 *
 * The work of a step is bounded; between the steps the caller may look at
 * signals and reschedule.
 *
 * Return: 0 done, 1 call again with the same arguments.
 */
int pvhv_mmu_flush_range_step(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, u64 start, u64 end,
			      u64 new_gen, u64 flags, struct pvhv_mmu_flush *fl)
{
	u64 first = start & PAGE_MASK;

	return first < end || !end ? flush_range(mmu, mv->root, &mv->stats, first, end - 1,
						 new_gen, flags, fl) : 0;
}

/* One root of FLUSH_MM's */
static bool flush_mm_root(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, struct pvhv_root *root,
			  u64 first, u64 last, u64 new_gen, u64 flags, struct pvhv_mmu_flush *fl)
{
	bool more = false;

	if (first || last != PVHV_USER_END - 1) {
		more = flush_range(mmu, root, &mv->stats, first, last, new_gen, flags, fl);
	} else if (fl->phase || fl->cursor || !new_gen || !pvhv_root_has_gen(root, new_gen)) {
		more = pvhv_flush_step(mmu, root, &mv->stats, first, last, true, fl);
		if (!more)
			pvhv_root_reach(root, new_gen);
	}
	/* Also what was found as it should be, maybe since a moment ago only */
	if (!more)
		pvhv_mmu_host_flush_root(mmu, root);
	return more;
}

/*
 * The loaded root has the name, and no other root has: it needs no lock, for it
 * stays while it is loaded. Asked once more after the flush: a root that comes after that
 * maps nothing yet, and root_switch() sees to it that its walks are later.
 */
static bool root_is_only(const struct pvhv_mmu *mmu, const struct pvhv_root *root, u64 ctx_id)
{
	return root && root->ctx_id == ctx_id && !READ_ONCE(root->dead) &&
	       !READ_ONCE(mmu->aliases);
}

/**
 * pvhv_mmu_flush_mm_step() - PVHV_HC_FLUSH_MM
 * @mmu:	the domain's MMU
 * @mv:		the vCPU; need not have it loaded
 * @ctx_id:	the address space
 * @start:	first address that has changed, in the user half
 * @end:	the first that has not; 0: to the end of the user half
 * @new_gen:	what the address space has reached by this change, or 0
 * @flags:	PVHV_FLUSH_FREED_TABLES
 * @fl:		zeroed before the first step
 *
 * As pvhv_mmu_flush_range_step(), and in the end no CPU uses what it has cached of
 * the range before.
 *
 * Return: 0 done, 1 call again with the same arguments.
 */
int pvhv_mmu_flush_mm_step(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, u64 ctx_id, u64 start,
			   u64 end, u64 new_gen, u64 flags, struct pvhv_mmu_flush *fl)
{
	u64 first = start & PAGE_MASK;
	u64 last = end ? end - 1 : PVHV_USER_END - 1;
	struct pvhv_root *root = mv->root;
	bool more;

	if (!fl->root_id && root_is_only(mmu, root, ctx_id)) {
		if (flush_mm_root(mmu, mv, root, first, last, new_gen, flags, fl))
			return 1;
		smp_mb();	/* pairs with root_switch() */
		if (root_is_only(mmu, root, ctx_id))
			return 0;
	}

	root = pvhv_root_pin(mmu, ctx_id, fl->root_id);
	if (!root)
		return 0;
	if (fl->root_id != root->id) {
		/* none before, or that one is done, or gone */
		fl->root_id = root->id;
		fl->phase = 0;
		fl->cursor = 0;
	}
	more = flush_mm_root(mmu, mv, root, first, last, new_gen, flags, fl);
	if (!more)
		fl->root_id++;
	/* A name may have several page tables. */
	return pvhv_root_unpin(mmu, root) || more;
}

/**
 * pvhv_mmu_flush_all_step() - PVHV_HC_FLUSH_ALL
 * @mmu:	the domain's MMU
 * @mv:		the vCPU
 * @new_gen:	what the address space has reached, or 0
 * @flags:	PVHV_FLUSH_USER, PVHV_FLUSH_KERNEL
 * @fl:		zeroed before the first step
 *
 * Return: 0 done, 1 call again with the same arguments.
 */
int pvhv_mmu_flush_all_step(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, u64 new_gen, u64 flags,
			    struct pvhv_mmu_flush *fl)
{
	struct pvhv_root *root = mv->root;
	u64 first = flags & PVHV_FLUSH_USER ? 0 : PVHV_KERNEL_START;
	u64 last = flags & PVHV_FLUSH_KERNEL ? ~0ULL : PVHV_USER_END - 1;

	if (first > last)
		return 0;
	if (!fl->phase && !fl->cursor && !(flags & PVHV_FLUSH_KERNEL) && root->ctx_id && new_gen &&
	    pvhv_root_has_gen(root, new_gen))
		return 0;
	if (pvhv_flush_step(mmu, root, &mv->stats, first, last, true, fl))
		return 1;
	if ((flags & PVHV_FLUSH_USER) && root->ctx_id)
		pvhv_root_reach(root, new_gen);
	return 0;
}

/**
 * pvhv_tree_zap() - remove everything from a tree
 * @mmu:	the domain's MMU
 * @tree:	the tree
 * @live:	a CPU may be walking it
 *
 * May sleep. If it is live, others may fill it again meanwhile.
 */
void pvhv_tree_zap(struct pvhv_mmu *mmu, struct pvhv_mmu_tree *tree, bool live)
{
	struct pvhv_mmu_stats stats = {};
	struct pvhv_mmu_table *t;
	u64 gva;

	do {
		struct pvhv_mmu_op op = { .mmu = mmu, .stats = &stats };
		int budget = PVHV_MMU_FLUSH_BATCH;

		spin_lock(&tree->lock);
		while (gva = 0, (t = pvhv_tree_next(tree, &gva)) && budget > 0) {
			unsigned int before = op_work(&op);

			spin_lock(&t->lock);
			pvhv_op_zap_table(&op, t);
			pvhv_table_bind(tree, t, PVHV_UNBOUND, 0, 0);
			pvhv_table_unlink(&op, tree, t);
			spin_unlock(&t->lock);
			budget -= op_cost(&op, before);
		}
		pvhv_op_publish(&op);
		spin_unlock(&tree->lock);
		pvhv_op_finish(&op, live);
		cond_resched();
	} while (t);
}
