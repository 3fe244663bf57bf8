/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pvhv: the shadow MMU's interface.
 *
 * The guest writes its page tables as plain memory. What the hardware walks
 * are tables of our own, a software TLB: an entry is filled when it is missed
 * or hinted, and is made to agree with the guest's tables when the guest says
 * that it has changed them (LOAD_CR3, FLUSH_xxx) or the host takes a page away
 * (pvhv_mmu_invalidate_begin()). In between it may be stale, as a TLB may be.
 *
 * Who calls what, and in which context:
 *
 *   may sleep		pvhv_mmu_init/destroy, _vcpu_init/idle/destroy, _topup,
 *			_mm_drop
 *   no spinlocks held	_load_root, _flush_*_step: they call
 *			pvhv_mmu_host_flush(), but do not sleep by themselves
 *   anywhere		pvhv_mmu_fault, _translate, _sync_hints, _hw_root
 *   MMU notifier	pvhv_mmu_invalidate_begin/end
 *
 * A struct pvhv_mmu_vcpu is used by one thread at a time.
 *
 * Hardware TLBs. Whatever narrows or unlinks an entry increments mmu->tlb_gen.
 * A vCPU remembers the value that it last flushed its hardware TLB at (read
 * tlb_gen, then flush), and compares before it enters the guest, with
 * interrupts off and after it has made itself visible as running. INVARIANT:
 * pages that the host takes back may be cached in the TLB of any vCPU whose
 * value is older, whether pvhv_mmu_invalidate_begin() found entries or not: so
 * the notifier must *always* make those leave the guest (pvhv_mmu_host_flush())
 * before it returns.
 */
#ifndef _PVHV_MMU_H
#define _PVHV_MMU_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/cache.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <pvhv/hypercall.h>

struct pvhv_mmu_table;
struct pvhv_rmap_chunk;
struct pvhv_root;

/* What an access is: the bits of the hardware's page-fault error code. */
#define PVHV_ACC_WRITE		BIT(1)
#define PVHV_ACC_USER		BIT(2)	/* guest user mode */
#define PVHV_ACC_FETCH		BIT(4)

/* Page-fault error code of the guest */
#define PVHV_PF_P		BIT(0)
#define PVHV_PF_W		BIT(1)
#define PVHV_PF_U		BIT(2)
#define PVHV_PF_RSVD		BIT(3)
#define PVHV_PF_I		BIT(4)
#define PVHV_PF_PK		BIT(5)

/* Results of pvhv_mmu_fault() and pvhv_mmu_translate(), besides -errno */
#define PVHV_MMU_FILLED		0	/* let the guest try again */
#define PVHV_MMU_GUEST_FAULT	1	/* it is the guest's own */

/* Limits and policies */
#define PVHV_MMU_MIN_PAGES	128	/* least max_pages: a few processes */
#define PVHV_MMU_VCPU_PAGES	32	/* ... and for each vCPU more: spares, and to work with */
#define PVHV_MMU_MAX_ROOTS	4096	/* address spaces remembered: bounds hash chains */
#define PVHV_MMU_FLUSH_BATCH	32	/* tables per step ... */
#define PVHV_MMU_FLUSH_ENTRIES	32	/* ... changes, or steps of a search, that count as one */
#define PVHV_MMU_RMAP_MAX	1024	/* mappings of one guest page; more drop the old ones */
#define PVHV_MMU_FILL_SMALL	8	/* guest 4K leaves: a cache line of PTEs */
#define PVHV_MMU_FILL_LARGE	16	/* pages of a guest 2M or 1G leaf per miss */
#define PVHV_MMU_HINT_PAGES	1024	/* pages per pvhv_mmu_sync_hints(), the rest is missed */
#define PVHV_MMU_KEEP_TABLES	8	/* emptied L1 tables that a tree keeps for reuse */
#define MMU_LEVELS		3	/* of tables; above are the PML4s, each with its root */
#define PVHV_MMU_ROOT_BUCKETS	256
#define PVHV_MMU_RMAP_LOCKS	64
#define PVHV_MMU_RMAP_STRIPE	64	/* neighbouring gfns under one lock */

/**
 * struct pvhv_mmu_config - what pvhv_mmu_init() is told
 * @max_pages:	page-table pages that the domain may use, at least MIN_PAGES
 * @levels:	4 or 5: of the host's hardware tables; the guest's have 4
 * @phys_bits:	physical address width that the guest sees, 36..52
 * @hole:	top-level entries of slots 256..259 in every root; supervisor
 */
struct pvhv_mmu_config {
	u64 max_pages;
	unsigned int levels;
	unsigned int phys_bits;
	u64 hole[PVHV_HOLE_NR_SLOTS];
};

/**
 * struct pvhv_mmu_stats - counters
 * @fills:	entries installed because they were missed
 * @prefills:	entries installed around a miss or by a hint
 * @faults_guest: faults that were found to be the guest's own
 * @retries:	fills that waited for the host (-EAGAIN)
 * @resyncs:	leaf tables compared with the guest's
 * @narrowed:	entries that lost permissions
 * @zaps:	entries removed because of the guest
 * @host_zaps:	entries removed because of the host
 * @evictions:	address spaces forgotten to make room
 * @tables_now:	shadow tables in use
 * @pages_now:	pages allocated for tables and roots, spare ones included
 * @roots_now:	address spaces remembered
 */
struct pvhv_mmu_stats {
	u64 fills;
	u64 prefills;
	u64 faults_guest;
	u64 retries;
	u64 resyncs;
	u64 narrowed;
	u64 zaps;
	u64 host_zaps;
	u64 evictions;
	u64 tables_now;
	u64 pages_now;
	u64 roots_now;
};

/**
 * struct pvhv_mmu_tree - shadow tables below one half of a PML4
 * @lock:	held to link and unlink tables
 * @flushes:	incremented when a flush begins
 * @nr_unbound:	L1 tables that shadow nothing now
 * @nr_leaves:	L1 tables it has
 * @kuser:	kernel mode's own view of the user half
 * @root:	address space, NULL: the kernel half
 * @map:	which of @top there are
 * @top:	its L3 tables
 */
struct pvhv_mmu_tree {
	spinlock_t lock;	/* shape */
	atomic64_t flushes;
	atomic_t nr_unbound;
	u32 nr_leaves;
	bool kuser;
	struct pvhv_root *root;
	DECLARE_BITMAP(map, 256);
	struct pvhv_mmu_table *top[256];
};

/* Spare objects; tables and roots in it are zero but for their own pages. */
struct pvhv_mmu_cache {
	struct pvhv_mmu_table *tables[MMU_LEVELS];	/* by level - 1 */
	struct pvhv_rmap_chunk *chunks;
	struct pvhv_root *roots;
	struct pvhv_mmu_tree *trees;
	u16 nr_tables[MMU_LEVELS];
	u16 nr_chunks;
	u16 nr_roots;
	u16 nr_trees;
};

/**
 * struct pvhv_mmu - the MMU of a domain; embedded there
 * @tlb_gen:		see the head of this file
 * @rsvd:		physical address bits that a guest entry must not have
 * @levels:		of the hardware tables
 * @max_pages:		limit of @pages
 * @hole:		see struct pvhv_mmu_config
 * @kernel:		the kernel half, shared by all roots
 * @master:		PML4 page with the kernel half's entries
 * @inval_lock:		protects the next four
 * @inval_seq:		incremented when an invalidation ends
 * @inval_count:	invalidations going on
 * @inval_first:	gfns they are about
 * @inval_last:		likewise, inclusive
 * @roots_lock:		protects the roots' hash, lists and use counts
 * @roots:		by ctx_id
 * @idle:		roots loaded nowhere, least recently used first
 * @all:		all roots, anonymous ones too
 * @dead:		dropped roots that nobody has freed yet
 * @nr_roots:		length of @all
 * @next_root_id:	the next root's id
 * @aliases:		there have been two roots of one name; read without the lock
 * @pool_lock:		protects @pool
 * @pool:		spare tables and roots of the domain
 * @pages:		pages allocated, spare ones included
 * @tables:		tables linked into trees
 * @host_zaps:		counter
 * @evictions:		counter
 * @old_stats:		counters of vCPUs that are gone
 * @rmap_locks:		protect the reverse map and every change of an entry
 *			from or to "not present", by gfn
 */
struct pvhv_mmu {
	atomic64_t tlb_gen;
	u64 rsvd;
	unsigned int levels;
	u64 max_pages;
	u64 hole[PVHV_HOLE_NR_SLOTS];

	struct pvhv_mmu_tree kernel;
	u64 *master;

	spinlock_t inval_lock;	/* the next four */
	unsigned long inval_seq;
	unsigned long inval_count;
	u64 inval_first;
	u64 inval_last;

	spinlock_t roots_lock;	/* the next seven, and users of roots */
	struct hlist_head roots[PVHV_MMU_ROOT_BUCKETS];
	struct list_head idle;
	struct list_head all;
	struct list_head dead;
	unsigned int nr_roots;
	u64 next_root_id;
	bool aliases;

	spinlock_t pool_lock;	/* pool, old_stats */
	struct pvhv_mmu_cache pool;
	atomic64_t pages;
	atomic64_t tables;
	atomic64_t host_zaps;
	atomic64_t evictions;
	struct pvhv_mmu_stats old_stats;

	/* by gfn: the reverse map; entries from or to "not present" */
	struct {
		spinlock_t lock;	/* the gfns of this stripe */
	} ____cacheline_aligned_in_smp rmap_locks[PVHV_MMU_RMAP_LOCKS];
};

/**
 * struct pvhv_mmu_vcpu - a vCPU's part of the MMU; embedded there
 * @root:	what is loaded; NULL before the first pvhv_mmu_load_root()
 * @anon:	its root for address spaces without identity, while one is loaded
 * @cache:	spare objects
 * @stats:	counters
 */
struct pvhv_mmu_vcpu {
	struct pvhv_root *root;
	struct pvhv_root *anon;
	struct pvhv_mmu_cache cache;
	struct pvhv_mmu_stats stats;
};

/**
 * struct pvhv_mmu_fault_info - what pvhv_mmu_fault() says about the failure
 * @error_code:	PVHV_PF_xxx, for PVHV_MMU_GUEST_FAULT
 * @write:	for -EAGAIN: it is needed writable
 * @gfn:	for -EAGAIN: page of guest RAM that must be faulted in
 */
struct pvhv_mmu_fault_info {
	u32 error_code;
	bool write;
	u64 gfn;
};

/**
 * struct pvhv_mmu_flush - progress and outcome of a flush
 * @any:	entries were narrowed or removed: the caller's hardware TLB is stale
 * @single:	... and it was only the page at @gva, in the user half of the
 *		current root; may be cached for kernel and for user mode
 * @gva:	see @single
 * @gen:	with @any: value of tlb_gen that covers it. A vCPU whose hardware
 *		TLB is good for @gen - 1 may flush the single page and be good
 *		for @gen; anyone else flushes everything.
 * @cursor:	the MMU's own, like the rest
 * @phase:	-
 * @root_id:	-
 *
 * Zero it before the first step, leave it alone between the steps.
 */
struct pvhv_mmu_flush {
	bool any;
	bool single;
	u64 gva;
	u64 gen;

	u64 cursor;
	unsigned int phase;
	u64 root_id;
};

/* Once per module */
int pvhv_mmu_setup(void);
void pvhv_mmu_teardown(void);

int pvhv_mmu_init(struct pvhv_mmu *mmu, const struct pvhv_mmu_config *cfg);
void pvhv_mmu_destroy(struct pvhv_mmu *mmu);
void pvhv_mmu_vcpu_idle(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv);
void pvhv_mmu_vcpu_init(struct pvhv_mmu_vcpu *mv);
void pvhv_mmu_vcpu_destroy(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv);
int pvhv_mmu_topup(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv);

int pvhv_mmu_load_root(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, u64 cr3, u64 ctx_id,
		       u64 tlb_gen, bool flush_all, struct pvhv_mmu_flush *fl);
u64 pvhv_mmu_hw_root(const struct pvhv_mmu_vcpu *mv, bool user_mode);
u64 pvhv_mmu_root_id(const struct pvhv_mmu_vcpu *mv);
u64 pvhv_mmu_cr3(const struct pvhv_mmu_vcpu *mv);
void pvhv_mmu_mm_drop(struct pvhv_mmu *mmu, u64 ctx_id);

int pvhv_mmu_fault(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, u64 gva, u32 access,
		   struct pvhv_mmu_fault_info *out);
int pvhv_mmu_translate(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, u64 gva, u32 access,
		       u64 *gpa, struct pvhv_mmu_fault_info *out);
int pvhv_mmu_sync_hints(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, const u64 *hints,
			unsigned int n);

int pvhv_mmu_flush_range_step(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, u64 start, u64 end,
			      u64 new_gen, u64 flags, struct pvhv_mmu_flush *fl);
int pvhv_mmu_flush_mm_step(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, u64 ctx_id, u64 start,
			   u64 end, u64 new_gen, u64 flags, struct pvhv_mmu_flush *fl);
int pvhv_mmu_flush_all_step(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, u64 new_gen, u64 flags,
			    struct pvhv_mmu_flush *fl);

void pvhv_mmu_invalidate_begin(struct pvhv_mmu *mmu, u64 first_gfn, u64 last_gfn, bool may_sleep);
void pvhv_mmu_invalidate_end(struct pvhv_mmu *mmu, u64 first_gfn, u64 last_gfn);

void pvhv_mmu_get_stats(struct pvhv_mmu *mmu, struct pvhv_mmu_stats *sum);
void pvhv_mmu_add_stats(struct pvhv_mmu_stats *sum, const struct pvhv_mmu_stats *add);

#endif /* _PVHV_MMU_H */
