// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv: several vCPUs and a host at once, on the shadow MMU alone.
 *
 * The KUnit suites are one thread. This module has a thread per vCPU that
 * misses, hints, changes entries and flushes, loads and drops address spaces,
 * and one that takes pages away as the host does, over an array for RAM. From
 * time to time all of them stop, and what must be true is checked. It ends
 * with an error on purpose, so that insmod is all that is needed to run it
 * again; the last line in the log tells the outcome.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/rwsem.h>
#include <linux/vmalloc.h>

#include "mmu_internal.h"

#define NR_GFNS		1024
#define KNOWN_TOGETHER	24	/* across the stripes of the rmap locks */
#define DATA_GFN	256
#define NR_DATA		600
#define NR_VCPUS	4
#define NR_MM		3
#define REUSE_MM	NR_MM	/* one more, whose only L1 table comes and goes */
#define USER_VA		0x7f1234400000ULL
#define USER2_VA	(USER_VA + BIT_ULL(33))
#define USER_PAGES	1500
#define KERNEL_VA	0xffff888000000000ULL
#define KERNEL_PAGES	600

static int seconds = 20;
module_param(seconds, int, 0444);
MODULE_PARM_DESC(seconds, "how long");
static int max_pages = 2000;
module_param(max_pages, int, 0444);
MODULE_PARM_DESC(max_pages, "limit of page-table pages; 1: evict all the time");
static int levels = 4;
module_param(levels, int, 0444);
MODULE_PARM_DESC(levels, "of the shadow: 4 or 5");

struct stress_gfn {
	unsigned long pfn;	/* 0: not resident */
	unsigned long rmap;
};

static struct pvhv_mmu mmu;
static struct pvhv_mmu_vcpu vcpus[NR_VCPUS];
static u64 *ram;
static struct stress_gfn *gfns;
static bool known[NR_GFNS / KNOWN_TOGETHER + 1];
static u64 next_table;
static u64 cr3[NR_MM + 1];
static u64 ctx[NR_MM + 1];
static atomic64_t gen[NR_MM + 1];
static atomic64_t next_ctx = ATOMIC64_INIT(10);
static atomic64_t next_pfn = ATOMIC64_INIT(0x200000);
static atomic_t nr_ops;
static atomic_t nr_invalidations;
static atomic_t nr_reuses;
static atomic_t bad;
/* held for reading by whoever uses the MMU, for writing by the checks */
static DECLARE_RWSEM(stop);
static DEFINE_MUTEX(reuse_lock);

static u32 rnd(u32 below)
{
	return get_random_u32() % below;
}

static void complain(const char *what, u64 value)
{
	atomic_inc(&bad);
	pr_err_ratelimited("pvhv stress: %s (%#llx)\n", what, value);
}

/* ---- what the MMU asks for: access.h ---- */

int pvhv_gpt_read(struct pvhv_mmu *m, u64 gpa, u64 *val)
{
	if (gpa >> PAGE_SHIFT >= NR_GFNS)
		return -ENOENT;
	*val = READ_ONCE(ram[gpa / 8]);
	/* as if the host were busy: what is read of the next level may be much younger */
	if (!rnd(64))
		udelay(rnd(100));
	return 0;
}

int pvhv_gpt_read_line(struct pvhv_mmu *m, u64 gpa, u64 val[8])
{
	int i;

	if (gpa >> PAGE_SHIFT >= NR_GFNS)
		return -ENOENT;
	for (i = 0; i < 8; i++)
		val[i] = READ_ONCE(ram[gpa / 8 + i]);
	return 0;
}

int pvhv_gpt_cmpxchg(struct pvhv_mmu *m, u64 gpa, u64 old, u64 new)
{
	if (gpa >> PAGE_SHIFT >= NR_GFNS)
		return -ENOENT;
	return cmpxchg(&ram[gpa / 8], old, new) != old;
}

int pvhv_gfn_to_pfn(struct pvhv_mmu *m, u64 gfn, bool write, u64 *pfn, bool *writable,
		    unsigned long **rmap)
{
	if (gfn >= NR_GFNS)
		return -ENOENT;
	*pfn = READ_ONCE(gfns[gfn].pfn);
	if (!*pfn)
		return -EAGAIN;
	/* as where it is faulted in */
	cmpxchg(&known[gfn / KNOWN_TOGETHER], false, true);
	*writable = write || gfn % 4;
	*rmap = &gfns[gfn].rmap;
	return 0;
}

unsigned long *pvhv_gfn_rmap(struct pvhv_mmu *m, u64 gfn)
{
	return gfn < NR_GFNS && READ_ONCE(known[gfn / KNOWN_TOGETHER]) ? &gfns[gfn].rmap : NULL;
}

u64 pvhv_gfn_skip(struct pvhv_mmu *m, u64 gfn)
{
	return READ_ONCE(known[gfn / KNOWN_TOGETHER]) ? gfn : roundup(gfn + 1, KNOWN_TOGETHER);
}

void pvhv_mmu_host_flush(struct pvhv_mmu *m)
{
	might_sleep();
}

void pvhv_mmu_host_flush_root(struct pvhv_mmu *m, const struct pvhv_root *root)
{
	might_sleep();
}

u64 pvhv_table_pa(const void *table)
{
	return __pa(table);
}

u64 pvhv_leaf_pa(u64 pfn)
{
	return pfn << PAGE_SHIFT;
}

/* ---- the guest's tables: made once, only leaves change, but for REUSE_MM ---- */

static u64 *guest_pte(u64 table, u64 gva, int level)
{
	int l;

	for (l = 4; ; l--) {
		u64 *p = &ram[table / 8 + pvhv_index(gva, l)];

		if (l == level)
			return p;
		if (!(*p & PT_P))
			*p = next_table++ << PAGE_SHIFT | PT_P | PT_W | PT_U | PT_A | PT_D;
		table = *p & PT_ADDR;
	}
}

static u64 random_pte(bool kernel)
{
	u64 pte = (DATA_GFN + rnd(NR_DATA)) << PAGE_SHIFT | PT_P;

	if (!rnd(4))
		return 0;
	pte |= get_random_u32() & (PT_W | PT_U | PT_A | PT_D);
	if (rnd(2))
		pte |= PT_NX;
	return kernel ? pte & ~PT_U : pte;
}

static void make_tables(void)
{
	int mm, i;

	next_table = 1;
	for (mm = 0; mm <= NR_MM; mm++) {
		cr3[mm] = next_table++ << PAGE_SHIFT;
		ctx[mm] = atomic64_inc_return(&next_ctx);
		atomic64_set(&gen[mm], 1);
		if (mm)
			memcpy(&ram[cr3[mm] / 8 + 256], &ram[cr3[0] / 8 + 256], PAGE_SIZE / 2);
		else
			for (i = 0; i < 2 * 512; i++)
				*guest_pte(cr3[0], KERNEL_VA + i * PAGE_SIZE, 1) = random_pte(true);
		if (mm == REUSE_MM) {
			for (i = 0; i < 512; i++)
				*guest_pte(cr3[mm], USER_VA + i * PAGE_SIZE, 1) = random_pte(false);
			continue;
		}
		/* to the end of the last L1 table, and what a range runs over */
		for (i = 0; i < 4 * 512; i++) {
			*guest_pte(cr3[mm], USER_VA + i * PAGE_SIZE, 1) = random_pte(false);
			*guest_pte(cr3[mm], USER2_VA + i * PAGE_SIZE, 1) = random_pte(false);
		}
	}
	WARN_ON(next_table > DATA_GFN);
}

static u64 random_va(bool *kernel)
{
	*kernel = !rnd(8);
	if (*kernel)
		return KERNEL_VA + rnd(KERNEL_PAGES) * PAGE_SIZE;
	return (rnd(2) ? USER_VA : USER2_VA) + rnd(USER_PAGES) * PAGE_SIZE;
}

/* ---- vCPUs ---- */

static void do_load(struct pvhv_mmu_vcpu *mv, int mm)
{
	struct pvhv_mmu_flush fl = {};
	/* who flushes REUSE_MM does it by its number, so it always has one */
	bool all = !rnd(64) && mm != REUSE_MM;
	u64 id = rnd(4) || mm == REUSE_MM ? READ_ONCE(ctx[mm]) : 0;

	while (pvhv_mmu_load_root(&mmu, mv, cr3[mm], id, atomic64_read(&gen[mm]), all, &fl))
		pvhv_mmu_topup(&mmu, mv);
}

static void do_fault(struct pvhv_mmu_vcpu *mv, u64 va)
{
	static const u32 accesses[] = {
		0, PVHV_ACC_WRITE, PVHV_ACC_FETCH, PVHV_ACC_USER,
		PVHV_ACC_USER | PVHV_ACC_WRITE, PVHV_ACC_USER | PVHV_ACC_FETCH,
	};
	u32 access = accesses[rnd(ARRAY_SIZE(accesses))];
	struct pvhv_mmu_fault_info info;
	int tries, r;

	for (tries = 0; tries < 20; tries++) {
		r = pvhv_mmu_fault(&mmu, mv, va, access, &info);
		if (r == -ENOMEM)
			pvhv_mmu_topup(&mmu, mv);
		else if (r != -EAGAIN)
			return;
		cond_resched();
	}
}

static void do_change(struct pvhv_mmu_vcpu *mv, int mm, u64 va, bool kernel)
{
	struct pvhv_mmu_flush fl = {};
	u64 flags = rnd(8) ? 0 : PVHV_FLUSH_FREED_TABLES;
	u64 g;

	xchg(guest_pte(cr3[mm], va, 1), random_pte(kernel));
	g = atomic64_inc_return(&gen[mm]);
	/* from wherever it is done, whatever is loaded there */
	if (!kernel && rnd(2)) {
		u64 end = rnd(8) ? va + (1 + rnd(3)) * PAGE_SIZE : 0;

		while (pvhv_mmu_flush_mm_step(&mmu, mv, READ_ONCE(ctx[mm]), end ? va : 0, end, g,
					      flags, &fl))
			cond_resched();
		return;
	}
	while (pvhv_mmu_flush_range_step(&mmu, mv, va, va + (1 + rnd(3)) * PAGE_SIZE,
					 kernel ? 0 : g, flags, &fl))
		cond_resched();
}

static void do_protect(struct pvhv_mmu_vcpu *mv, int mm, u64 va)
{
	struct pvhv_mmu_flush fl = {};
	int i, n = rnd(300);
	u64 g;

	va &= ~(PVHV_L1_SPAN - 1);
	for (i = 0; i < n; i++) {
		u64 *p = guest_pte(cr3[mm], va + i * PAGE_SIZE, 1);
		u64 old = READ_ONCE(*p);

		cmpxchg(p, old, old & ~PT_W);
	}
	g = atomic64_inc_return(&gen[mm]);
	while (pvhv_mmu_flush_all_step(&mmu, mv, rnd(2) ? g : 0, 1 + rnd(3), &fl))
		cond_resched();
}

static unsigned int scan_mm(u64 of, u64 first, u64 last, bool quiet);

/*
 * A table is taken away and, after a flush, its page is used for something else. Nothing of it
 * may be mapped then, nor written as a table is, whoever was just walking it.
 */
static void do_reuse(struct pvhv_mmu_vcpu *mv)
{
	static const u64 data[] = { 1, 3, 5, 7 };
	struct pvhv_mmu_flush fl = {};
	u64 *pmd, old, *table, g;
	int i;

	if (!mutex_trylock(&reuse_lock))
		return;
	pmd = guest_pte(cr3[REUSE_MM], USER_VA, 2);
	old = xchg(pmd, 0);
	table = &ram[(old & PT_ADDR) / 8];
	g = atomic64_inc_return(&gen[REUSE_MM]);
	while (pvhv_mmu_flush_mm_step(&mmu, mv, ctx[REUSE_MM], USER_VA, USER_VA + PVHV_L1_SPAN, g,
				      PVHV_FLUSH_FREED_TABLES, &fl))
		cond_resched();
	for (i = 0; i < 512; i++)
		WRITE_ONCE(table[i], data[i % ARRAY_SIZE(data)]);
	if (scan_mm(cr3[REUSE_MM], 1, 0, false))
		complain("a table taken away is mapped", 0);
	udelay(20 + rnd(100));
	for (i = 0; i < 512; i++)
		if (READ_ONCE(table[i]) != data[i % ARRAY_SIZE(data)])
			complain("what was a table is written", READ_ONCE(table[i]));
	for (i = 0; i < 512; i++)
		WRITE_ONCE(table[i], random_pte(false));
	xchg(pmd, old);
	atomic_inc(&nr_reuses);
	mutex_unlock(&reuse_lock);
}

static void do_hint(struct pvhv_mmu_vcpu *mv, u64 hint)
{
	if (pvhv_mmu_sync_hints(&mmu, mv, &hint, 1) == -ENOMEM)
		pvhv_mmu_topup(&mmu, mv);
}

static void do_hints(struct pvhv_mmu_vcpu *mv)
{
	bool kernel;
	u64 hints[4];
	int i;

	for (i = 0; i < ARRAY_SIZE(hints); i++)
		hints[i] = random_va(&kernel) | rnd(40);
	if (pvhv_mmu_sync_hints(&mmu, mv, hints, ARRAY_SIZE(hints)) == -ENOMEM)
		pvhv_mmu_topup(&mmu, mv);
}

static int vcpu_thread(void *data)
{
	struct pvhv_mmu_vcpu *mv = data;
	struct pvhv_mmu_fault_info info;
	int mm = 0;
	u64 gpa;

	while (!kthread_should_stop()) {
		u32 what = rnd(100);
		bool kernel;
		u64 va = random_va(&kernel);

		atomic_inc(&nr_ops);
		down_read(&stop);
		if (!mv->root || what < 5) {
			mm = rnd(NR_MM + 1);
			do_load(mv, mm);
		} else if (mm == REUSE_MM && what < 95) {
			va = USER_VA + rnd(512) * PAGE_SIZE;
			if (what < 80)
				do_fault(mv, va);
			else if (what < 90)
				do_reuse(mv);
			else
				do_hint(mv, va | rnd(40));
		} else if (what < 65) {
			do_fault(mv, va);
		} else if (what < 80) {
			do_change(mv, mm, va, kernel);
		} else if (what < 90) {
			do_hints(mv);
		} else if (what < 95) {
			do_protect(mv, mm, va);
		} else if (what < 97) {
			int victim = rnd(NR_MM);

			pvhv_mmu_mm_drop(&mmu, xchg(&ctx[victim],
						    atomic64_inc_return(&next_ctx)));
		} else if (what < 99) {
			pvhv_mmu_translate(&mmu, mv, va, 0, &gpa, &info);
		} else {
			pvhv_roots_evict(&mmu, mv);
		}
		up_read(&stop);
		cond_resched();
	}
	return 0;
}

/* ---- checks ---- */

/* Present entries; none of them may map @first..@last */
static unsigned int scan(struct pvhv_mmu_tree *tree, u64 first, u64 last, bool quiet)
{
	struct pvhv_mmu_table *t;
	unsigned int i, n = 0;
	u64 gva = 0;

	spin_lock(&tree->lock);
	while ((t = pvhv_tree_next(tree, &gva))) {
		for (i = 0; i < 512; i++) {
			u64 spte = READ_ONCE(t->spt[i]);

			if (!spte)
				continue;
			n++;
			if (t->gfn[i] >= first && t->gfn[i] <= last)
				complain("a page taken away is mapped", t->gfn[i]);
			if (!quiet)
				continue;
			if (!test_bit(i, t->map))
				complain("an entry is not in its table's map", spte);
			if ((spte & PT_ADDR) >> PAGE_SHIFT != gfns[t->gfn[i]].pfn)
				complain("an entry maps another page", spte);
		}
		gva = t->gva + PVHV_L1_SPAN;
		if (!gva || gva == PVHV_USER_END)
			break;
	}
	spin_unlock(&tree->lock);
	return n;
}

/*
 * The user halves of address spaces with the table @of, or of all if it is 0. What has the table,
 * is in no hash any more and is not used is being destroyed: nobody has it loaded or can.
 */
static unsigned int scan_mm(u64 of, u64 first, u64 last, bool quiet)
{
	struct pvhv_root *root;
	unsigned int n = 0;

	spin_lock(&mmu.roots_lock);
	list_for_each_entry(root, &mmu.all, all) {
		if (of && (root->cr3 != of || (hlist_unhashed(&root->hash) && !root->users)))
			continue;
		n += scan(&root->user, first, last, quiet);
		if (READ_ONCE(root->kuser))
			n += scan(root->kuser, first, last, quiet);
	}
	spin_unlock(&mmu.roots_lock);
	return n;
}

static unsigned int scan_all(u64 first, u64 last, bool quiet)
{
	return scan(&mmu.kernel, first, last, quiet) + scan_mm(0, first, last, quiet);
}

static unsigned int count_rmaps(void)
{
	struct pvhv_rmap_chunk *chunk;
	unsigned int n = 0;
	int i;

	for (i = 0; i < NR_GFNS; i++) {
		unsigned long word = gfns[i].rmap;

		if (!(word & PVHV_RMAP_CHAIN)) {
			n += !!word;
			continue;
		}
		chunk = (struct pvhv_rmap_chunk *)(word & ~PVHV_RMAP_CHAIN);
		for (; chunk; chunk = chunk->next)
			n += chunk->n;
	}
	return n;
}

static void check_all(void)
{
	unsigned int entries, rmaps;

	down_write(&stop);
	entries = scan_all(1, 0, true);
	rmaps = count_rmaps();
	if (entries != rmaps)
		complain("entries and reverse map differ", entries - rmaps);
	up_write(&stop);
}

/* ---- the host ---- */

static int host_thread(void *data)
{
	unsigned int round = 0;

	while (!kthread_should_stop()) {
		u64 first = rnd(NR_GFNS), last = first + (rnd(4) ? 0 : rnd(100)), i;

		last = min_t(u64, last, NR_GFNS - 1);
		pvhv_mmu_invalidate_begin(&mmu, first, last, false);
		for (i = first; i <= last; i++) {
			if (READ_ONCE(gfns[i].rmap))
				complain("a page taken away is in the reverse map", i);
			WRITE_ONCE(gfns[i].pfn, 0);
		}
		udelay(rnd(20));
		if (++round % 64 == 0)
			scan_all(first, last, false);
		for (i = first; i <= last; i++)
			WRITE_ONCE(gfns[i].pfn, atomic64_inc_return(&next_pfn));
		pvhv_mmu_invalidate_end(&mmu, first, last);
		atomic_inc(&nr_invalidations);
		if (round % 1000 == 0)
			check_all();
		cond_resched();
	}
	return 0;
}

static int run(void)
{
	struct task_struct *threads[NR_VCPUS + 1];
	int i, n, s;

	for (n = 0; n <= NR_VCPUS; n++) {
		if (n < NR_VCPUS)
			threads[n] = kthread_run(vcpu_thread, &vcpus[n], "stress-%d", n);
		else
			threads[n] = kthread_run(host_thread, NULL, "stress-host");
		if (IS_ERR(threads[n]))
			break;
	}
	for (s = 0; n > NR_VCPUS && s < seconds && !atomic_read(&bad); s++)
		msleep(1000);
	for (i = 0; i < n; i++)
		kthread_stop(threads[i]);
	return n > NR_VCPUS ? 0 : -ENOMEM;
}

static int __init stress_init(void)
{
	struct pvhv_mmu_config cfg = {
		.max_pages = max_pages,
		.levels = levels,
		.phys_bits = 40,
	};
	struct pvhv_mmu_stats stats;
	int i, r = -ENOMEM;

	ram = vzalloc(NR_GFNS * PAGE_SIZE);
	gfns = vzalloc(NR_GFNS * sizeof(*gfns));
	if (!ram || !gfns)
		goto free;
	for (i = 0; i < NR_GFNS; i++)
		gfns[i].pfn = 0x100000 + i;
	make_tables();
	r = pvhv_mmu_setup();
	if (r)
		goto free;
	r = pvhv_mmu_init(&mmu, &cfg);
	if (r)
		goto teardown;
	for (i = 0; i < NR_VCPUS; i++)
		pvhv_mmu_vcpu_init(&vcpus[i]);
	r = run();
	check_all();
	for (i = 0; i < NR_VCPUS; i++)
		pvhv_mmu_vcpu_destroy(&mmu, &vcpus[i]);
	pvhv_mmu_destroy(&mmu);
	pvhv_mmu_get_stats(&mmu, &stats);
	if (count_rmaps() || stats.tables_now || stats.pages_now || stats.roots_now)
		complain("something is left", stats.tables_now);
	pr_info("pvhv stress: %s: %d operations, %d invalidations, %d tables reused, %llu fills, %llu prefills, %llu resyncs, %llu zaps, %llu by the host, %llu evictions\n",
		r || atomic_read(&bad) ? "FAILED" : "passed", atomic_read(&nr_ops),
		atomic_read(&nr_invalidations), atomic_read(&nr_reuses), stats.fills,
		stats.prefills, stats.resyncs, stats.zaps, stats.host_zaps, stats.evictions);
	/* loaded for what it does, not to stay */
	r = r ?: -EAGAIN;
teardown:
	pvhv_mmu_teardown();
free:
	vfree(gfns);
	vfree(ram);
	return r;
}

module_init(stress_init);

MODULE_DESCRIPTION("pvhv: stress of the shadow MMU");
MODULE_LICENSE("GPL");
