// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv: the shadow MMU's memory, limits and life cycle.
 *
 * Tables are needed under spinlocks and got where one may sleep: each vCPU has
 * a cache that pvhv_mmu_topup() fills, from the domain's pool or from the host.
 * What is unlinked goes back to the pool, empty as it is, so that a guest that
 * forks and exits recycles its tables without zeroing a page.
 */
#include <linux/slab.h>

#include "mmu_internal.h"

/* Cache sizes: what a topup leaves there, and when it is due */
static const u16 cache_tables[MMU_LEVELS] = { 4, 2, 1 };
#define CACHE_CHUNKS	96
/* A miss needs a table of each level at most, a chunk for each page it fills, */
#define NEED_CHUNKS	(1 + PVHV_MMU_FILL_LARGE)
				/* and a root, or a tree if it splits one */

/* Pool sizes: what a few processes have */
static const u16 pool_tables[MMU_LEVELS] = { 64, 24, 8 };
#define POOL_ROOTS	8

/**
 * pvhv_mmu_setup() - once per module, before the first domain
 */
int pvhv_mmu_setup(void)
{
	int r = pvhv_table_caches_create();

	if (r)
		return r;
	r = pvhv_rmap_caches_create();
	if (r)
		pvhv_table_caches_destroy();
	return r;
}

/**
 * pvhv_mmu_teardown() - undo pvhv_mmu_setup()
 */
void pvhv_mmu_teardown(void)
{
	pvhv_rmap_caches_destroy();
	pvhv_table_caches_destroy();
}

/**
 * pvhv_mmu_init() - set up a domain's MMU
 * @mmu:	zeroed
 * @cfg:	see there
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int pvhv_mmu_init(struct pvhv_mmu *mmu, const struct pvhv_mmu_config *cfg)
{
	int i;

	if ((cfg->levels != 4 && cfg->levels != 5) || cfg->phys_bits < 36 || cfg->phys_bits > 52)
		return -EINVAL;

	mmu->master = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!mmu->master)
		return -ENOMEM;
	atomic64_set(&mmu->tlb_gen, 1);
	mmu->levels = cfg->levels;
	mmu->max_pages = max_t(u64, cfg->max_pages, PVHV_MMU_MIN_PAGES);
	mmu->rsvd = GENMASK_ULL(51, 12) & ~(BIT_ULL(cfg->phys_bits) - 1);
	memcpy(mmu->hole, cfg->hole, sizeof(mmu->hole));
	pvhv_tree_init(&mmu->kernel, NULL, false);
	spin_lock_init(&mmu->inval_lock);
	spin_lock_init(&mmu->roots_lock);
	INIT_LIST_HEAD(&mmu->idle);
	INIT_LIST_HEAD(&mmu->all);
	INIT_LIST_HEAD(&mmu->dead);
	spin_lock_init(&mmu->pool_lock);
	for (i = 0; i < PVHV_MMU_RMAP_LOCKS; i++)
		spin_lock_init(&mmu->rmap_locks[i].lock);
	return 0;
}

static void cache_put_table(struct pvhv_mmu_cache *cache, struct pvhv_mmu_table *t)
{
	t->next = cache->tables[t->level - 1];
	cache->tables[t->level - 1] = t;
	cache->nr_tables[t->level - 1]++;
}

static void cache_put_root(struct pvhv_mmu_cache *cache, struct pvhv_root *root)
{
	root->next = cache->roots;
	cache->roots = root;
	cache->nr_roots++;
}

static struct pvhv_mmu_table *pop_table(struct pvhv_mmu_cache *cache, int level)
{
	struct pvhv_mmu_table *t = cache->tables[level - 1];

	if (t) {
		cache->tables[level - 1] = t->next;
		cache->nr_tables[level - 1]--;
	}
	return t;
}

static struct pvhv_root *pop_root(struct pvhv_mmu_cache *cache)
{
	struct pvhv_root *root = cache->roots;

	if (root) {
		cache->roots = root->next;
		cache->nr_roots--;
	}
	return root;
}

/* Give everything back to the host. */
static void cache_free(struct pvhv_mmu *mmu, struct pvhv_mmu_cache *cache)
{
	struct pvhv_mmu_table *t;
	struct pvhv_root *root;
	int level;

	for (level = 1; level <= MMU_LEVELS; level++)
		while ((t = pop_table(cache, level)))
			pvhv_table_free(mmu, t);
	while ((root = pop_root(cache)))
		pvhv_root_free(mmu, root);
	pvhv_rmap_chunks_free(cache);
	kfree(cache->trees);
	memset(cache, 0, sizeof(*cache));
}

/**
 * pvhv_pool_put_table() - give a table back
 * @mmu:	the domain's MMU
 * @t:		empty, and no CPU walks it
 */
void pvhv_pool_put_table(struct pvhv_mmu *mmu, struct pvhv_mmu_table *t)
{
	struct pvhv_mmu_cache *pool = &mmu->pool;
	bool keep;

	spin_lock(&mmu->pool_lock);
	keep = pool->nr_tables[t->level - 1] < pool_tables[t->level - 1];
	if (keep)
		cache_put_table(pool, t);
	spin_unlock(&mmu->pool_lock);
	if (!keep)
		pvhv_table_free(mmu, t);
}

/**
 * pvhv_pool_put_root() - give a root back
 * @mmu:	the domain's MMU
 * @root:	empty, and no CPU walks it
 */
void pvhv_pool_put_root(struct pvhv_mmu *mmu, struct pvhv_root *root)
{
	bool keep;

	spin_lock(&mmu->pool_lock);
	keep = mmu->pool.nr_roots < POOL_ROOTS;
	if (keep)
		cache_put_root(&mmu->pool, root);
	spin_unlock(&mmu->pool_lock);
	if (!keep)
		pvhv_root_free(mmu, root);
}

static void topup_from_pool(struct pvhv_mmu *mmu, struct pvhv_mmu_cache *cache)
{
	struct pvhv_mmu_cache *pool = &mmu->pool;
	int i;

	spin_lock(&mmu->pool_lock);
	for (i = 0; i < MMU_LEVELS; i++)
		while (cache->nr_tables[i] < cache_tables[i] && pool->nr_tables[i])
			cache_put_table(cache, pop_table(pool, i + 1));
	if (!cache->nr_roots && pool->nr_roots)
		cache_put_root(cache, pop_root(pool));
	spin_unlock(&mmu->pool_lock);
}

/* Spares of a kind that nobody lacks count against the limit, too. */
static bool pool_drain(struct pvhv_mmu *mmu)
{
	struct pvhv_mmu_cache pool;

	spin_lock(&mmu->pool_lock);
	pool = mmu->pool;
	memset(&mmu->pool, 0, sizeof(mmu->pool));
	spin_unlock(&mmu->pool_lock);
	if (!pool.nr_tables[0] && !pool.nr_tables[1] && !pool.nr_tables[2] && !pool.nr_roots)
		return false;
	cache_free(mmu, &pool);
	return true;
}

static bool over_limit(struct pvhv_mmu *mmu)
{
	return atomic64_read(&mmu->pages) >= mmu->max_pages ||
	       READ_ONCE(mmu->nr_roots) >= PVHV_MMU_MAX_ROOTS;
}

static bool cache_suffices(const struct pvhv_mmu_cache *cache)
{
	return cache->nr_tables[0] && cache->nr_tables[1] && cache->nr_tables[2] &&
	       cache->nr_roots;
}

static int topup_tables(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv)
{
	struct pvhv_mmu_cache *cache = &mv->cache;
	int level;

	for (;;) {
		topup_from_pool(mmu, cache);
		if (cache_suffices(cache))
			return 0;

		/* over the limit is better than stopping the guest */
		if (over_limit(mmu) && (pool_drain(mmu) || pvhv_roots_evict(mmu, mv)))
			continue;

		for (level = 1; level <= MMU_LEVELS; level++) {
			struct pvhv_mmu_table *t;

			if (cache->nr_tables[level - 1])
				continue;
			t = pvhv_table_alloc(mmu, level);
			if (!t)
				return -ENOMEM;
			cache_put_table(cache, t);
		}
		if (!cache->nr_roots) {
			struct pvhv_root *root = pvhv_root_alloc(mmu);

			if (!root)
				return -ENOMEM;
			cache_put_root(cache, root);
		}
	}
}

/**
 * pvhv_mmu_topup() - make sure that a vCPU's next miss or root finds memory
 * @mmu:	the domain's MMU
 * @mv:		the vCPU
 *
 * Cheap if nothing is to be done. May sleep; evicts when the domain is at its
 * limit.
 *
 * Return: 0, -ENOMEM if the host has no memory.
 */
int pvhv_mmu_topup(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv)
{
	struct pvhv_mmu_cache *cache = &mv->cache;

	if (!cache_suffices(cache)) {
		int r;

		while (pvhv_root_reap(mmu))
			;
		r = topup_tables(mmu, mv);
		if (r)
			return r;
	}
	if (cache->nr_chunks < NEED_CHUNKS) {
		while (cache->nr_chunks < CACHE_CHUNKS) {
			struct pvhv_rmap_chunk *chunk = pvhv_rmap_chunk_alloc();

			if (!chunk)
				return -ENOMEM;
			pvhv_rmap_chunk_put(cache, chunk);
		}
	}
	if (!cache->nr_trees) {
		cache->trees = kzalloc(sizeof(*cache->trees), GFP_KERNEL_ACCOUNT);
		if (!cache->trees)
			return -ENOMEM;
		cache->nr_trees = 1;
	}
	return 0;
}

/**
 * pvhv_mmu_vcpu_idle() - let others have a vCPU's spare tables and roots, free a dead one
 * @mmu:	the domain's MMU
 * @mv:		the vCPU, which is not going to run for a while
 *
 * May sleep. Its next miss that needs them is told -ENOMEM.
 */
void pvhv_mmu_vcpu_idle(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv)
{
	struct pvhv_mmu_cache *cache = &mv->cache;
	struct pvhv_mmu_table *t;
	struct pvhv_root *root;
	int level;

	for (level = 1; level <= MMU_LEVELS; level++)
		while ((t = pop_table(cache, level)))
			pvhv_pool_put_table(mmu, t);
	while ((root = pop_root(cache)))
		pvhv_pool_put_root(mmu, root);
	/* one, as an interrupt may come meanwhile */
	pvhv_root_reap(mmu);
}

/**
 * pvhv_mmu_vcpu_init() - set up a vCPU's part
 * @mv:	the vCPU
 */
void pvhv_mmu_vcpu_init(struct pvhv_mmu_vcpu *mv)
{
	memset(mv, 0, sizeof(*mv));
}

/**
 * pvhv_mmu_vcpu_destroy() - free a vCPU's part
 * @mmu:	the domain's MMU
 * @mv:		the vCPU; does not run and will not again
 *
 * May sleep.
 */
void pvhv_mmu_vcpu_destroy(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv)
{
	pvhv_roots_leave(mmu, mv);
	cache_free(mmu, &mv->cache);
	spin_lock(&mmu->pool_lock);
	pvhv_mmu_add_stats(&mmu->old_stats, &mv->stats);
	spin_unlock(&mmu->pool_lock);
	memset(&mv->stats, 0, sizeof(mv->stats));
}

/* Nothing walks it, nobody else knows it: the kernel half, L3 tables too */
static void kernel_half_free(struct pvhv_mmu *mmu)
{
	int i;

	pvhv_tree_zap(mmu, &mmu->kernel, false);
	for_each_set_bit(i, mmu->kernel.map, 256) {
		WARN_ON_ONCE(!bitmap_empty(mmu->kernel.top[i]->map, 512));
		pvhv_table_free(mmu, mmu->kernel.top[i]);
		atomic64_dec(&mmu->tables);
	}
	bitmap_zero(mmu->kernel.map, 256);
}

/**
 * pvhv_mmu_destroy() - free a domain's MMU
 * @mmu:	the domain's; all vCPUs are destroyed, no notifier calls any more
 *
 * May sleep. All reverse-map words are zero afterwards.
 */
void pvhv_mmu_destroy(struct pvhv_mmu *mmu)
{
	if (!mmu->master)
		return;
	pvhv_roots_destroy(mmu);
	kernel_half_free(mmu);
	pool_drain(mmu);
	WARN_ON_ONCE(atomic64_read(&mmu->tables));
	WARN_ON_ONCE(atomic64_read(&mmu->pages));
	free_page((unsigned long)mmu->master);
	mmu->master = NULL;
}

/**
 * pvhv_mmu_add_stats() - add up counters
 * @sum:	changed
 * @add:	a vCPU's
 */
void pvhv_mmu_add_stats(struct pvhv_mmu_stats *sum, const struct pvhv_mmu_stats *add)
{
	const u64 *from = (const u64 *)add;
	u64 *to = (u64 *)sum;
	int i;

	BUILD_BUG_ON(sizeof(*sum) % sizeof(u64));
	for (i = 0; i < sizeof(*sum) / sizeof(u64); i++)
		to[i] += from[i];
}

/**
 * pvhv_mmu_get_stats() - counters that belong to no vCPU, and of those gone
 * @mmu:	the domain's MMU
 * @sum:	out; pvhv_mmu_add_stats() each vCPU's
 */
void pvhv_mmu_get_stats(struct pvhv_mmu *mmu, struct pvhv_mmu_stats *sum)
{
	spin_lock(&mmu->pool_lock);
	*sum = mmu->old_stats;
	spin_unlock(&mmu->pool_lock);
	sum->host_zaps += atomic64_read(&mmu->host_zaps);
	sum->evictions += atomic64_read(&mmu->evictions);
	sum->tables_now = atomic64_read(&mmu->tables);
	sum->pages_now = atomic64_read(&mmu->pages);
	sum->roots_now = READ_ONCE(mmu->nr_roots);
}
