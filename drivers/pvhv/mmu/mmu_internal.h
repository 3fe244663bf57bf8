/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pvhv: what the files of the shadow MMU share.
 *
 * Reading order: walk.c (the guest's tables), table.c (ours), rmap.c (who maps
 * a page), shadow.c (filling), flush.c (agreeing again), root.c (address
 * spaces), mmu.c (memory, limits, life cycle).
 *
 * Locks, outermost first:
 *
 *   tree->lock			shape of one tree; the PML4 entries that point
 *				at it; of a user half, root->gen
 *     table->lock		an L1 table: contents, binding, where it is
 *       mmu->rmap_locks[]	reverse map of a gfn; every change of an entry
 *				from or to "not present"
 *   mmu->roots_lock		which roots there are, and their use counts
 *   mmu->pool_lock		spare objects
 *   mmu->inval_lock		invalidations going on
 *
 * The last three nest with nothing. No two locks of a kind are held at once.
 * Misses, hints and flushes find an L1 table without a lock, and take its own.
 *
 * The rules that the rest follows from:
 *
 * 1. A fill reads the guest's L1 entry and installs its own under the table's
 *    lock; a flush compares under that lock. So nothing read before a flush is
 *    installed after it. What a walk has read above is for the binding, and is
 *    read without a lock: a flush increments tree->flushes and then looks for
 *    tables, a bind has linked the table and then looks at tree->flushes (full
 *    barriers between). So one of them sees the other, and the bind gives up or
 *    the flush waits for the table and compares its binding. A and D are set where the
 *    bind is made, and no refusal is believed that a flush may have overtaken: what
 *    the walk took for a table may have been something else by then.
 * 2. A present leaf entry is in the reverse map of its gfn, always: both change
 *    under the gfn's rmap lock, and pvhv_mmu_invalidate_begin() needs no other.
 * 3. Whoever removes an entry from the reverse map increments tlb_gen before
 *    dropping the rmap lock; whoever narrows one does so before dropping the
 *    table's lock, whoever unlinks a table before dropping the tree's. Fills
 *    never narrow.
 * 4. A table unlinked from a root that is loaded, or from the kernel half, is
 *    given back only after pvhv_mmu_host_flush(). Nothing walks the others, and
 *    what CPUs have cached of them goes when a vCPU sees tlb_gen at its entry.
 * 5. A bound L1 table caches the guest's upper levels, as a CPU's paging-
 *    structure caches do: a miss below it reads one guest entry. Each flush
 *    that touches the table checks the binding.
 * 6. Tables are reused at once, and freed by RCU, each always for the same
 *    level. Who has found one without a lock finds it to be of that level until
 *    rcu_read_unlock_sched(), but maybe elsewhere: pvhv_leaf_is() tells, under its
 *    lock. If it is elsewhere, then what was here has been unlinked since, empty.
 */
#ifndef _PVHV_MMU_INTERNAL_H
#define _PVHV_MMU_INTERNAL_H

#include <linux/bitmap.h>
#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/lockdep.h>
#include <linux/rcupdate.h>

#include "access.h"
#include "mmu.h"

/* Page-table entries: the guest's and ours */
#define PT_P		BIT_ULL(0)
#define PT_W		BIT_ULL(1)
#define PT_U		BIT_ULL(2)
#define PT_A		BIT_ULL(5)
#define PT_D		BIT_ULL(6)
#define PT_PS		BIT_ULL(7)
#define PT_NX		BIT_ULL(63)
#define PT_ADDR		GENMASK_ULL(51, 12)

/*
 * Permissions combined over levels: PT_W and PT_U as they are and PT_NX
 * inverted, "may be executed", so that combining is one AND.
 */
#define ACC_W		PT_W
#define ACC_U		PT_U
#define ACC_X		PT_NX
#define ACC_ALL		(ACC_W | ACC_U | ACC_X)

/*
 * Ours: A and D are preset because the guest's are emulated at fill. D goes with W: a
 * leaf with D alone is a shadow-stack page where CR4.CET is set (SDM 3A 4.6.1), to which
 * ring 3 could write.
 */
#define SPT_TABLE	(PT_P | PT_W | PT_U | PT_A)
#define SPT_LEAF	(PT_P | PT_U | PT_A)
#define SPT_W		(PT_W | PT_D)

#define PVHV_L1_SPAN	BIT_ULL(21)	/* what an L1 table maps */
#define PVHV_USER_END	BIT_ULL(47)
#define PVHV_KERNEL_START (~0ULL << 47)

/* Verdicts between the functions that fill, besides PVHV_MMU_xxx and -errno */
#define FILL_WALK	2	/* the cached upper levels do not answer it */
#define FILL_KUSER	3	/* a supervisor page in the user half */

enum pvhv_bind {
	PVHV_UNBOUND,		/* and then empty */
	PVHV_BOUND_TABLE,	/* shadows a guest L1 table */
	PVHV_BOUND_LARGE,	/* shadows 2 MiB of a larger guest leaf */
};

/**
 * struct pvhv_mmu_table - a shadow table
 * @lock:	of L1
 * @spt:	the page that the hardware walks
 * @tree:	L1: where it is linked, or NULL
 * @parent:	NULL for L3
 * @next:	in a list of spares or of tables to give back
 * @gva:	L1: first address that it maps
 * @gpa:	L1: the guest's table, or what its large leaf maps at @gva
 * @acc:	L1: permissions of the guest's levels above, or with the large leaf's
 * @index:	in @parent, or in the tree's top
 * @level:	1..3
 * @bind:	L1: what @gpa and @acc are
 * @map:	entries that are present; for L1, of which the host may have
 *		removed some meanwhile
 * @child:	L2, L3: the tables below
 * @gfn:	L1: which page each present entry maps
 */
struct pvhv_mmu_table {
	spinlock_t lock;	/* L1: what is here, but for next and parent */
	u64 *spt;
	struct pvhv_mmu_tree *tree;
	struct pvhv_mmu_table *parent;
	struct pvhv_mmu_table *next;
	u64 gva;
	u64 gpa;
	u64 acc;
	u16 index;
	u8 level;
	u8 bind;
	DECLARE_BITMAP(map, 512);
	union {
		DECLARE_FLEX_ARRAY(struct pvhv_mmu_table *, child);
		DECLARE_FLEX_ARRAY(u32, gfn);
	};
};

/**
 * struct pvhv_root - an address space of the guest
 * @hash:	in mmu->roots[], unless anonymous or dead
 * @list:	in mmu->idle or mmu->dead, when loaded nowhere
 * @all:	in mmu->all
 * @next:	in a list of spares
 * @cr3:	the guest's PML4 (gpa)
 * @ctx_id:	its name, 0: anonymous
 * @gen:	what its user half was last made to agree with; under user.lock
 * @later:	bit n: gen + 1 + n has been flushed, too; likewise
 * @id:		never reused
 * @users:	vCPUs that have it loaded, or are flushing it
 * @dead:	dropped while loaded
 * @pml4:	[0] kernel mode, [1] user mode
 * @pml5:	likewise, on hosts with five levels
 * @kuser:	kernel mode's view of the user half, once it differs from @user
 * @user:	the user half
 */
struct pvhv_root {
	struct hlist_node hash;
	struct list_head list;
	struct list_head all;
	struct pvhv_root *next;
	u64 cr3;
	u64 ctx_id;
	u64 gen;
	u64 later;
	u64 id;
	unsigned int users;
	bool dead;
	u64 *pml4[2];
	u64 *pml5[2];
	struct pvhv_mmu_tree *kuser;
	struct pvhv_mmu_tree user;
};

/* Reverse-map words: 0, an entry's address, or a chunk's with bit 0 set */
#define PVHV_RMAP_CHAIN	1UL
#define PVHV_RMAP_SLOTS	6

/**
 * struct pvhv_rmap_chunk - part of a chain
 * @next:	the next chunk, full
 * @n:		used slots
 * @total:	in the first chunk: entries of the chain
 * @slot:	the entries
 */
struct pvhv_rmap_chunk {
	struct pvhv_rmap_chunk *next;
	u32 n;
	u32 total;
	u64 *slot[PVHV_RMAP_SLOTS];
};

#define PVHV_KERNEL_MODE	0
#define PVHV_USER_MODE		1

/**
 * struct pvhv_walk - a walk of the guest's tables
 * @gpa:	of the entry read at each level
 * @pte:	that entry
 * @upper:	permissions of the levels above the leaf, and PT_A if all have it
 * @acc:	... and the leaf
 * @gfn:	page that the address is in; for -EAGAIN, page that is not resident
 * @level:	of the leaf
 * @error:	P and RSVD of the guest's fault
 */
struct pvhv_walk {
	u64 gpa[5];
	u64 pte[5];
	u64 upper;
	u64 acc;
	u64 gfn;
	int level;
	u32 error;
};

/**
 * struct pvhv_mmu_op - something that takes entries or tables away
 * @mmu:	the domain's MMU
 * @stats:	where it is counted
 * @gather:	tables unlinked and not yet given back
 * @nr:		entries narrowed or removed
 * @searched:	chunks of the reverse map, for them
 * @unlinked:	tables have been unlinked
 * @owe:	tlb_gen must be incremented before the lock is dropped
 * @gva:	the last entry
 * @gen:	tlb_gen after the last increment
 */
struct pvhv_mmu_op {
	struct pvhv_mmu *mmu;
	struct pvhv_mmu_stats *stats;
	struct pvhv_mmu_table *gather;
	unsigned int nr;
	unsigned int searched;
	bool unlinked;
	bool owe;
	u64 gva;
	u64 gen;
};

static inline unsigned int pvhv_index(u64 gva, int level)
{
	return (gva >> (3 + 9 * level)) & 511;
}

static inline bool pvhv_is_user_half(u64 gva)
{
	return gva < PVHV_USER_END;
}

static inline bool pvhv_is_kernel_half(u64 gva)
{
	return gva >= PVHV_KERNEL_START;
}

static inline bool pvhv_is_hole(u64 gva)
{
	return pvhv_is_kernel_half(gva) &&
	       pvhv_index(gva, 4) - PVHV_HOLE_FIRST_SLOT < PVHV_HOLE_NR_SLOTS;
}

static inline spinlock_t *pvhv_rmap_lock(struct pvhv_mmu *mmu, u64 gfn)
{
	return &mmu->rmap_locks[(gfn / PVHV_MMU_RMAP_STRIPE) % PVHV_MMU_RMAP_LOCKS].lock;
}

/* Does what @acc permits permit @access? */
static inline bool pvhv_access_ok(u64 acc, u32 access)
{
	if ((access & PVHV_ACC_WRITE) && !(acc & ACC_W))
		return false;
	if (access & PVHV_ACC_USER)
		return (acc & ACC_U) && (!(access & PVHV_ACC_FETCH) || (acc & ACC_X));
	/* kernel mode: no SMAP, but SMEP */
	return !(access & PVHV_ACC_FETCH) || (acc & (ACC_X | ACC_U)) == ACC_X;
}

/* A link to a table of the level below */
static inline struct pvhv_mmu_table *pvhv_link_get(struct pvhv_mmu_table * const *link)
{
	/* pairs with pvhv_link_set() */
	return smp_load_acquire(link);
}

static inline void pvhv_link_set(struct pvhv_mmu_table **link, struct pvhv_mmu_table *t)
{
	/* Who finds it sees its fields; who does not, what became of its entries. */
	smp_store_release(link, t);
}

/*
 * The L1 table of an address, NULL if there is none. Under the tree's lock, or
 * rcu_read_lock_sched(), and then see rule 6.
 */
static inline struct pvhv_mmu_table *pvhv_tree_leaf(struct pvhv_mmu_tree *tree, u64 gva)
{
	struct pvhv_mmu_table *t = pvhv_link_get(&tree->top[pvhv_index(gva, 4) & 255]);

	if (likely(t))
		t = pvhv_link_get(&t->child[pvhv_index(gva, 3)]);
	if (likely(t))
		t = pvhv_link_get(&t->child[pvhv_index(gva, 2)]);
	return t;
}

/* Is this the L1 table of an address? */
static inline bool pvhv_leaf_is(const struct pvhv_mmu_table *t, const struct pvhv_mmu_tree *tree,
				u64 gva)
{
	lockdep_assert_held(&t->lock);

	return t->tree == tree && t->gva == (gva & ~(PVHV_L1_SPAN - 1));
}

/* walk.c */
int pvhv_walk(struct pvhv_mmu *mmu, u64 cr3, u64 gva, int lowest, struct pvhv_walk *w);
int pvhv_walk_mark(struct pvhv_mmu *mmu, const struct pvhv_walk *w, u64 leaf_bits, u64 *gfn);

/* table.c */
int pvhv_table_caches_create(void);
void pvhv_table_caches_destroy(void);
struct pvhv_mmu_table *pvhv_table_alloc(struct pvhv_mmu *mmu, int level);
void pvhv_table_free(struct pvhv_mmu *mmu, struct pvhv_mmu_table *t);
void pvhv_tree_init(struct pvhv_mmu_tree *tree, struct pvhv_root *root, bool kuser);
struct pvhv_mmu_table *pvhv_tree_next(struct pvhv_mmu_tree *tree, u64 *gva);
int pvhv_tree_grow(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, struct pvhv_mmu_tree *tree,
		   u64 gva);
void pvhv_table_unlink(struct pvhv_mmu_op *op, struct pvhv_mmu_tree *tree,
		       struct pvhv_mmu_table *t);
void pvhv_table_bind(struct pvhv_mmu_tree *tree, struct pvhv_mmu_table *t,
		     enum pvhv_bind bind, u64 gpa, u64 acc);

/* rmap.c */
int pvhv_rmap_caches_create(void);
void pvhv_rmap_caches_destroy(void);
struct pvhv_rmap_chunk *pvhv_rmap_chunk_alloc(void);
void pvhv_rmap_chunk_put(struct pvhv_mmu_cache *cache, struct pvhv_rmap_chunk *chunk);
void pvhv_rmap_chunks_free(struct pvhv_mmu_cache *cache);
int pvhv_rmap_add_chain(struct pvhv_mmu *mmu, struct pvhv_mmu_cache *cache, unsigned long *word,
			u64 *sptep);
unsigned int pvhv_rmap_remove_chain(unsigned long *word, u64 *sptep);

/**
 * pvhv_rmap_add() - note that an entry maps a page
 * @mmu:	the domain's MMU
 * @cache:	where a chunk may be had
 * @gfn:	the page
 * @word:	its word
 * @sptep:	the entry, about to become present
 *
 * Return: 0, -ENOMEM if @cache is short.
 */
static inline int pvhv_rmap_add(struct pvhv_mmu *mmu, struct pvhv_mmu_cache *cache, u64 gfn,
				unsigned long *word, u64 *sptep)
{
	lockdep_assert_held(pvhv_rmap_lock(mmu, gfn));

	if (unlikely(*word))
		return pvhv_rmap_add_chain(mmu, cache, word, sptep);
	*word = (unsigned long)sptep;
	return 0;
}

/**
 * pvhv_rmap_remove() - note that an entry does not map a page any more
 * @mmu:	the domain's MMU
 * @gfn:	the page
 * @sptep:	the entry; was present
 *
 * Return: how many chunks were searched for it.
 */
static inline unsigned int pvhv_rmap_remove(struct pvhv_mmu *mmu, u64 gfn, u64 *sptep)
{
	unsigned long *word = pvhv_gfn_rmap(mmu, gfn);

	lockdep_assert_held(pvhv_rmap_lock(mmu, gfn));

	if (WARN_ON_ONCE(!word))
		return 0;
	if (unlikely(*word != (unsigned long)sptep))
		return pvhv_rmap_remove_chain(word, sptep);
	*word = 0;
	return 0;
}

/* flush.c */
void pvhv_op_zap_entry(struct pvhv_mmu_op *op, struct pvhv_mmu_table *t, unsigned int i);
void pvhv_op_zap_table(struct pvhv_mmu_op *op, struct pvhv_mmu_table *t);
void pvhv_op_publish(struct pvhv_mmu_op *op);
void pvhv_op_finish(struct pvhv_mmu_op *op, bool live);
int pvhv_flush_step(struct pvhv_mmu *mmu, struct pvhv_root *root, struct pvhv_mmu_stats *stats,
		    u64 first, u64 last, bool whole_tables, struct pvhv_mmu_flush *fl);
void pvhv_root_reach(struct pvhv_root *root, u64 gen);
struct pvhv_root *pvhv_root_pin(struct pvhv_mmu *mmu, u64 ctx_id, u64 least_id);
bool pvhv_root_unpin(struct pvhv_mmu *mmu, struct pvhv_root *root);
bool pvhv_root_has_gen(const struct pvhv_root *root, u64 gen);
void pvhv_tree_zap(struct pvhv_mmu *mmu, struct pvhv_mmu_tree *tree, bool live);

/* root.c */
struct pvhv_root *pvhv_root_alloc(struct pvhv_mmu *mmu);
void pvhv_root_free(struct pvhv_mmu *mmu, struct pvhv_root *root);
int pvhv_root_split(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, struct pvhv_root *root);
bool pvhv_roots_evict(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv);
bool pvhv_root_reap(struct pvhv_mmu *mmu);
void pvhv_roots_leave(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv);
void pvhv_roots_destroy(struct pvhv_mmu *mmu);

/* mmu.c */
void pvhv_pool_put_table(struct pvhv_mmu *mmu, struct pvhv_mmu_table *t);
void pvhv_pool_put_root(struct pvhv_mmu *mmu, struct pvhv_root *root);

#endif /* _PVHV_MMU_INTERNAL_H */
