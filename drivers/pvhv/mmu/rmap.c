// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv: the reverse map: which shadow entries map a page of guest RAM.
 *
 * One word per gfn: zero, a pointer to the only entry, or a pointer to a chain
 * of chunks with bit 0 set. Only the first chunk of a chain may have room, so
 * adding never searches. A chain that has shrunk to one entry stays a chain:
 * most pages are mapped by the guest kernel's direct map and now and then by a
 * program, and would be converted back and forth.
 *
 * Removing searches the chain, so its length is bounded: a page mapped too
 * often (the zero page) loses all its mappings and is missed again.
 */
#include <linux/sched.h>
#include <linux/slab.h>

#include "mmu_internal.h"

static struct kmem_cache *chunk_cache;

int pvhv_rmap_caches_create(void)
{
	chunk_cache = kmem_cache_create("pvhv_rmap", sizeof(struct pvhv_rmap_chunk), 0,
					SLAB_ACCOUNT, NULL);
	return chunk_cache ? 0 : -ENOMEM;
}

void pvhv_rmap_caches_destroy(void)
{
	kmem_cache_destroy(chunk_cache);
	chunk_cache = NULL;
}

struct pvhv_rmap_chunk *pvhv_rmap_chunk_alloc(void)
{
	return kmem_cache_alloc(chunk_cache, GFP_KERNEL_ACCOUNT);
}

void pvhv_rmap_chunk_put(struct pvhv_mmu_cache *cache, struct pvhv_rmap_chunk *chunk)
{
	chunk->next = cache->chunks;
	cache->chunks = chunk;
	cache->nr_chunks++;
}

static struct pvhv_rmap_chunk *chunk_get(struct pvhv_mmu_cache *cache)
{
	struct pvhv_rmap_chunk *chunk = cache->chunks;

	if (chunk) {
		cache->chunks = chunk->next;
		cache->nr_chunks--;
	}
	return chunk;
}

void pvhv_rmap_chunks_free(struct pvhv_mmu_cache *cache)
{
	struct pvhv_rmap_chunk *chunk;

	while ((chunk = chunk_get(cache)))
		kmem_cache_free(chunk_cache, chunk);
}

static struct pvhv_rmap_chunk *chain_of(unsigned long word)
{
	return (struct pvhv_rmap_chunk *)(word & ~PVHV_RMAP_CHAIN);
}

/* Remove every mapping of a page; the caller increments tlb_gen if there were. */
static unsigned int rmap_zap(unsigned long *word)
{
	struct pvhv_rmap_chunk *chunk, *next;
	unsigned int i, zapped = 0;
	unsigned long v = *word;

	*word = 0;
	if (!(v & PVHV_RMAP_CHAIN)) {
		/* cmpxchg in op_narrow() fails or comes first: no xchg needed */
		WRITE_ONCE(*(u64 *)v, 0);
		return 1;
	}
	for (chunk = chain_of(v); chunk; chunk = next) {
		next = chunk->next;
		for (i = 0; i < chunk->n; i++)
			WRITE_ONCE(*chunk->slot[i], 0);
		zapped += chunk->n;
		kmem_cache_free(chunk_cache, chunk);
	}
	return zapped;
}

/* pvhv_rmap_add() for a page that is mapped already */
int pvhv_rmap_add_chain(struct pvhv_mmu *mmu, struct pvhv_mmu_cache *cache, unsigned long *word,
			u64 *sptep)
{
	struct pvhv_rmap_chunk *chunk, *first;
	unsigned long v = *word;

	if (v & PVHV_RMAP_CHAIN) {
		first = chain_of(v);
		if (unlikely(first->total >= PVHV_MMU_RMAP_MAX)) {
			rmap_zap(word);
			atomic64_inc(&mmu->tlb_gen);
			*word = (unsigned long)sptep;
			return 0;
		}
		if (first->n < PVHV_RMAP_SLOTS) {
			first->slot[first->n++] = sptep;
			first->total++;
			return 0;
		}
	}

	chunk = chunk_get(cache);
	if (!chunk)
		return -ENOMEM;
	if (v & PVHV_RMAP_CHAIN) {
		chunk->next = chain_of(v);
		chunk->total = chunk->next->total + 1;
		chunk->n = 0;
	} else {
		chunk->next = NULL;
		chunk->total = 2;
		chunk->slot[0] = (u64 *)v;
		chunk->n = 1;
	}
	chunk->slot[chunk->n++] = sptep;
	*word = (unsigned long)chunk | PVHV_RMAP_CHAIN;
	return 0;
}

/* pvhv_rmap_remove() for a page that is mapped by others, too, or was */
unsigned int pvhv_rmap_remove_chain(unsigned long *word, u64 *sptep)
{
	struct pvhv_rmap_chunk *first, *chunk;
	unsigned int i, searched = 0;

	if (WARN_ON_ONCE(!(*word & PVHV_RMAP_CHAIN)))
		return 0;
	first = chain_of(*word);
	for (chunk = first; chunk; chunk = chunk->next) {
		searched++;
		for (i = 0; i < chunk->n; i++) {
			if (chunk->slot[i] == sptep)
				goto found;
		}
	}
	WARN_ON_ONCE(1);
	return searched;
found:
	chunk->slot[i] = first->slot[--first->n];
	first->total--;
	if (!first->n) {
		*word = 0;
		if (first->next) {
			first->next->total = first->total;
			*word = (unsigned long)first->next | PVHV_RMAP_CHAIN;
		}
		kmem_cache_free(chunk_cache, first);
	}
	return searched;
}

/**
 * pvhv_mmu_invalidate_begin() - the host is about to take pages away
 * @mmu:	the domain's MMU
 * @first_gfn:	first page
 * @last_gfn:	last page, inclusive
 * @may_sleep:	a long range may let others run
 *
 * On return no entry maps them, and none will before
 * pvhv_mmu_invalidate_end(): a fill that needs them is told -EAGAIN. The
 * hardware's TLBs are still to be flushed: see the head of mmu.h. The range
 * must be clipped to one piece of RAM, its cost is proportional to its length.
 */
void pvhv_mmu_invalidate_begin(struct pvhv_mmu *mmu, u64 first_gfn, u64 last_gfn, bool may_sleep)
{
	u64 gfn = first_gfn;

	/* What shadow tables cannot name, they do not map */
	last_gfn = min_t(u64, last_gfn, U32_MAX);

	/*
	 * Written before the rmap locks are taken below: a fill of such a page
	 * either installs before we look (and is removed), or takes the rmap
	 * lock after us and sees this.
	 */
	spin_lock(&mmu->inval_lock);
	if (!mmu->inval_count) {
		WRITE_ONCE(mmu->inval_first, first_gfn);
		WRITE_ONCE(mmu->inval_last, last_gfn);
	} else {
		WRITE_ONCE(mmu->inval_first, min(mmu->inval_first, first_gfn));
		WRITE_ONCE(mmu->inval_last, max(mmu->inval_last, last_gfn));
	}
	WRITE_ONCE(mmu->inval_count, mmu->inval_count + 1);
	spin_unlock(&mmu->inval_lock);
	/*
	 * A page that has no word now has no entry. Whoever finds that it has got one, as
	 * entry_install() does before it looks at the count, sees the above.
	 */
	smp_mb();

	while (gfn <= last_gfn) {
		u64 stop = min(last_gfn, gfn | (PVHV_MMU_RMAP_STRIPE - 1));
		spinlock_t *lock = pvhv_rmap_lock(mmu, gfn);
		u64 next = pvhv_gfn_skip(mmu, gfn);
		unsigned int zapped = 0;

		if (may_sleep)
			cond_resched();
		if (next > gfn) {
			gfn = next;
			continue;
		}
		spin_lock(lock);
		for (; gfn <= stop; gfn++) {
			unsigned long *word = pvhv_gfn_rmap(mmu, gfn);

			if (word && *word)
				zapped += rmap_zap(word);
		}
		if (zapped) {
			atomic64_inc(&mmu->tlb_gen);
			atomic64_add(zapped, &mmu->host_zaps);
		}
		spin_unlock(lock);
	}
}

/**
 * pvhv_mmu_invalidate_end() - the pages may be looked up again
 * @mmu:	the domain's MMU
 * @first_gfn:	as given to pvhv_mmu_invalidate_begin()
 * @last_gfn:	likewise
 */
void pvhv_mmu_invalidate_end(struct pvhv_mmu *mmu, u64 first_gfn, u64 last_gfn)
{
	spin_lock(&mmu->inval_lock);
	/*
	 * A fill that looked a page up before it changed must see the new
	 * sequence number, once it does not see the count any more. Pairs with
	 * entry_install(): who sees the number sees the page as it is now.
	 */
	smp_store_release(&mmu->inval_seq, mmu->inval_seq + 1);
	WARN_ON_ONCE(!mmu->inval_count);
	/* after inval_seq; pairs with inval_since() */
	smp_store_release(&mmu->inval_count, mmu->inval_count - 1);
	spin_unlock(&mmu->inval_lock);
}
