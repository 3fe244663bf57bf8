// SPDX-License-Identifier: GPL-2.0
/*
 * Guest RAM: slots over the owner's address space.
 *
 * Guest page tables and buffers are read through the owner's own mappings, as
 * user memory: nothing is pinned and swap, migration and the rest need no
 * help. For the shadow, a page's frame number is looked up once and remembered
 * until the MMU notifier says that it may change.
 *
 * Lookup against notifier (as in KVM): invalidate_count is raised before a
 * page is taken away and lowered, with invalidate_seq raised, afterwards. A
 * lookup that finds the count raised, or the sequence changed since it began,
 * does not remember what it found. The MMU does the same once more for its
 * entries.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/nospec.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/smp.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "pvhv.h"
#include "../mmu/access.h"

/* Pages that are looked up together. With 16, each costs a sixth of what it costs alone. */
#define LOOKUP_BATCH	16UL

static struct pvhv_slot *find_slot(struct pvhv_domain *d, u64 gfn)
{
	struct pvhv_memory_map *m = &d->memory;
	int i, n = READ_ONCE(m->nr_slots);

	for (i = 0; i < n; i++) {
		struct pvhv_slot *s = &m->slots[i];

		if (gfn - s->gfn < s->nr)
			return s;
	}
	return NULL;
}

/* The record of page @i, NULL if there is none yet */
static struct pvhv_gfn *gfn_record(const struct pvhv_slot *s, unsigned long i)
{
	/* Pairs with install_records(), by the address */
	struct pvhv_gfn *chunk = READ_ONCE(s->chunks[i / PVHV_GFN_CHUNK]);

	return likely(chunk) ? chunk + i % PVHV_GFN_CHUNK : NULL;
}

/* Use the zeroed @page for the records of page @i and its neighbours, if there are none yet */
static void install_records(const struct pvhv_slot *s, unsigned long i, void *page)
{
	if (cmpxchg(&s->chunks[i / PVHV_GFN_CHUNK], NULL, page))
		free_page((unsigned long)page);
}

static u64 __user *gpa_to_user(struct pvhv_domain *d, u64 gpa)
{
	u64 gfn = gpa >> PAGE_SHIFT;
	struct pvhv_slot *s = find_slot(d, gfn);

	if (unlikely(!s))
		return NULL;
	return (u64 __user *)(s->hva + (array_index_nospec(gfn - s->gfn, s->nr) << PAGE_SHIFT) +
			      (gpa & ~PAGE_MASK));
}

/* ---- what the MMU needs, see ../mmu/access.h ---- */

int pvhv_gpt_read(struct pvhv_mmu *mmu, u64 gpa, u64 *val)
{
	u64 __user *p = gpa_to_user(pvhv_mmu_domain(mmu), gpa);
	int ret = -EAGAIN;

	if (unlikely(!p))
		return -ENOENT;
	pagefault_disable();
	if (user_access_begin(p, sizeof(*p))) {
		unsafe_get_user(*val, p, fault);
		ret = 0;
fault:
		user_access_end();
	}
	pagefault_enable();
	return ret;
}

int pvhv_gpt_read_line(struct pvhv_mmu *mmu, u64 gpa, u64 val[8])
{
	u64 __user *p = gpa_to_user(pvhv_mmu_domain(mmu), gpa);
	int i, ret = -EAGAIN;

	if (unlikely(!p))
		return -ENOENT;
	pagefault_disable();
	if (user_access_begin(p, 8 * sizeof(*p))) {
		for (i = 0; i < 8; i++)
			unsafe_get_user(val[i], p + i, fault);
		ret = 0;
fault:
		user_access_end();
	}
	pagefault_enable();
	return ret;
}

int pvhv_gpt_cmpxchg(struct pvhv_mmu *mmu, u64 gpa, u64 old, u64 new)
{
	u64 __user *p = gpa_to_user(pvhv_mmu_domain(mmu), gpa);
	int ret = -EAGAIN;

	if (unlikely(!p))
		return -ENOENT;
	pagefault_disable();
	if (user_access_begin(p, sizeof(*p))) {
		ret = !unsafe_try_cmpxchg_user(p, &old, new, fault);
		user_access_end();
		pagefault_enable();
		return ret;
fault:
		user_access_end();
	}
	pagefault_enable();
	return ret;
}

/*
 * Look a page up in the owner's tables, and those behind it: most are part of a huge page, and
 * are wanted next. @nr is the most that may be looked up, LOOKUP_BATCH or less.
 */
static int look_up(struct pvhv_memory_map *m, unsigned long hva, struct pvhv_gfn *g,
		   unsigned long nr, bool write, u64 *pfn, bool *writable)
{
	struct page *pages[LOOKUP_BATCH];
	unsigned long seq, known;
	int i, n;

	seq = READ_ONCE(m->invalidate_seq);
	/* Pairs with the locked section of range_end() */
	smp_rmb();
	n = get_user_pages_fast_only(hva, nr, FOLL_WRITE, pages);
	*writable = n >= 1;
	if (!*writable) {
		n = write ? 0 : get_user_pages_fast_only(hva, 1, 0, pages);
		if (n != 1)
			return -EAGAIN;
	}
	*pfn = page_to_pfn(pages[0]);
	/* The guest may write from now on, which the owner's PTE does not see. */
	for (i = 0; i < n; i++) {
		if (*writable)
			SetPageDirty(pages[i]);
		put_page(pages[i]);
	}

	known = PVHV_GFN_VALID | (*writable ? PVHV_GFN_WRITABLE : 0);
	spin_lock(&m->lock);
	if (!m->invalidate_count && m->invalidate_seq == seq)
		for (i = 0; i < n; i++)
			WRITE_ONCE(g[i].pfn, page_to_pfn(pages[i]) << PVHV_GFN_SHIFT | known);
	spin_unlock(&m->lock);
	return 0;
}

int pvhv_gfn_to_pfn(struct pvhv_mmu *mmu, u64 gfn, bool write, u64 *pfn, bool *writable,
		    unsigned long **rmap)
{
	struct pvhv_domain *d = pvhv_mmu_domain(mmu);
	struct pvhv_slot *s = find_slot(d, gfn);
	unsigned long known, i, nr, most;
	struct pvhv_gfn *g;

	if (unlikely(!s))
		return -ENOENT;
	i = array_index_nospec(gfn - s->gfn, s->nr);
	g = gfn_record(s, i);
	if (unlikely(!g))
		return -EAGAIN;
	*rmap = &g->rmap;
	known = READ_ONCE(g->pfn);
	if (likely(known & PVHV_GFN_VALID && (!write || known & PVHV_GFN_WRITABLE))) {
		*pfn = known >> PVHV_GFN_SHIFT;
		*writable = known & PVHV_GFN_WRITABLE;
		return 0;
	}
	/* Not beyond the slot, nor the records that were made together */
	most = min3((unsigned long)s->nr - i, PVHV_GFN_CHUNK - i % PVHV_GFN_CHUNK, LOOKUP_BATCH);
	for (nr = 1; nr < most; nr++)
		if (READ_ONCE(g[nr].pfn) & PVHV_GFN_VALID)
			break;
	return look_up(&d->memory, s->hva + (i << PAGE_SHIFT), g, nr, write, pfn,
		       writable);
}

unsigned long *pvhv_gfn_rmap(struct pvhv_mmu *mmu, u64 gfn)
{
	struct pvhv_slot *s = find_slot(pvhv_mmu_domain(mmu), gfn);
	struct pvhv_gfn *g;

	if (!s)
		return NULL;
	g = gfn_record(s, array_index_nospec(gfn - s->gfn, s->nr));
	return g ? &g->rmap : NULL;
}

u64 pvhv_gfn_skip(struct pvhv_mmu *mmu, u64 gfn)
{
	struct pvhv_slot *s = find_slot(pvhv_mmu_domain(mmu), gfn);
	u64 i;

	if (WARN_ON_ONCE(!s))
		return gfn + 1;
	i = gfn - s->gfn;
	return gfn_record(s, i) ? gfn : s->gfn + (i | (PVHV_GFN_CHUNK - 1)) + 1;
}

u64 pvhv_table_pa(const void *table)
{
	return __sme_pa(table);
}

u64 pvhv_leaf_pa(u64 pfn)
{
	return __sme_set(pfn << PAGE_SHIFT);
}

static void nothing(void *unused)
{
}

/*
 * Disturb the CPUs that run vCPUs of the domain with what is older than @gen, and only
 * those that have @root loaded unless it is NULL.
 */
static void leave_guest(struct pvhv_domain *d, const struct pvhv_root *root, u64 gen)
{
	cpumask_var_t mask;
	int i, cpu;

	if (!zalloc_cpumask_var(&mask, GFP_ATOMIC)) {
		/* Without memory for a mask: everybody */
		on_each_cpu(nothing, NULL, 1);
		return;
	}
	preempt_disable();
	for (i = 0; i < PVHV_MAX_VCPUS; i++) {
		struct pvhv_vcpu *v = READ_ONCE(d->vcpus[i]);

		if (!v || READ_ONCE(v->mode) != PVHV_IN_GUEST || READ_ONCE(v->tlb_gen) >= gen ||
		    (root && READ_ONCE(v->mmu.root) != root))
			continue;
		cpu = READ_ONCE(v->cpu);
		if (cpu >= 0)
			cpumask_set_cpu(cpu, mask);
	}
	/* The interrupt itself is the exit. This CPU is not in the guest. */
	smp_call_function_many(mask, nothing, NULL, 1);
	preempt_enable();
	free_cpumask_var(mask);
}

void pvhv_mmu_host_flush(struct pvhv_mmu *mmu)
{
	/* Pairs with run_loaded(): it reads tlb_gen after setting the mode. */
	smp_mb();
	leave_guest(pvhv_mmu_domain(mmu), NULL, U64_MAX);
}

/*
 * With the barrier, who sets its mode too late for us to see reads the new tlb_gen, and has
 * loaded its root before. A v->tlb_gen that is read too early is too low.
 */
void pvhv_mmu_host_flush_root(struct pvhv_mmu *mmu, const struct pvhv_root *root)
{
	/* Pairs with run_loaded(), as above */
	smp_mb();
	leave_guest(pvhv_mmu_domain(mmu), root, atomic64_read(&mmu->tlb_gen));
}

/* ---- the notifier ---- */

/*
 * A slot must not appear between the start of an invalidation and its end, or the end
 * lowers counts that the start did not raise. So all that go on are counted, whatever
 * they touch, and pvhv_set_memory() waits until there is none.
 */
static void invalidation_starts(struct pvhv_memory_map *m)
{
	spin_lock(&m->lock);
	m->invalidations++;
	spin_unlock(&m->lock);
}

static void invalidation_ends(struct pvhv_memory_map *m)
{
	bool last;

	spin_lock(&m->lock);
	last = !--m->invalidations;
	spin_unlock(&m->lock);
	if (last)
		wake_up(&m->no_invalidation);
}

typedef void (*range_fn)(struct pvhv_domain *d, struct pvhv_slot *s, u64 first, u64 last,
			 bool may_sleep);

/* Call fn for the guest pages of each slot within [start, end) of the owner. */
static void call_in_range(struct pvhv_domain *d, unsigned long start, unsigned long end,
			  range_fn fn, bool may_sleep)
{
	struct pvhv_memory_map *m = &d->memory;
	int i, n = READ_ONCE(m->nr_slots);

	for (i = 0; i < n; i++) {
		struct pvhv_slot *s = &m->slots[i];
		unsigned long from = max(start, s->hva);
		unsigned long to = min(end, s->hva + (s->nr << PAGE_SHIFT));

		if (from < to)
			fn(d, s, s->gfn + ((from - s->hva) >> PAGE_SHIFT),
			   s->gfn + ((to - 1 - s->hva) >> PAGE_SHIFT), may_sleep);
	}
}

static void range_begin(struct pvhv_domain *d, struct pvhv_slot *s, u64 first, u64 last,
			bool may_sleep)
{
	u64 i = first - s->gfn, end = last - s->gfn;

	BUILD_BUG_ON_NOT_POWER_OF_2(PVHV_GFN_CHUNK);
	spin_lock(&d->memory.lock);
	d->memory.invalidate_count++;
	spin_unlock(&d->memory.lock);
	/* From now on nobody remembers anything, so there is no hurry. */
	while (i <= end) {
		u64 stop = min(end, i | (PVHV_GFN_CHUNK - 1));
		struct pvhv_gfn *g = gfn_record(s, i);

		for (; g && i <= stop; i++)
			WRITE_ONCE(g++->pfn, 0);
		i = stop + 1;
		if (may_sleep)
			cond_resched();
	}
	pvhv_mmu_invalidate_begin(&d->mmu, first, last, may_sleep);
}

static void range_end(struct pvhv_domain *d, struct pvhv_slot *s, u64 first, u64 last,
		      bool may_sleep)
{
	pvhv_mmu_invalidate_end(&d->mmu, first, last);
	spin_lock(&d->memory.lock);
	d->memory.invalidate_seq++;
	d->memory.invalidate_count--;
	spin_unlock(&d->memory.lock);
}

static bool touches(struct pvhv_domain *d, unsigned long start, unsigned long end)
{
	struct pvhv_memory_map *m = &d->memory;
	int i, n = READ_ONCE(m->nr_slots);

	for (i = 0; i < n; i++)
		if (start < m->slots[i].hva + (m->slots[i].nr << PAGE_SHIFT) &&
		    end > m->slots[i].hva)
			return true;
	return false;
}

static int notifier_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct pvhv_domain *d = container_of(mn, struct pvhv_domain, memory.notifier);

	invalidation_starts(&d->memory);
	if (!touches(d, range->start, range->end))
		return 0;
	call_in_range(d, range->start, range->end, range_begin,
		      mmu_notifier_range_blockable(range));
	/* Entries gone or not, a TLB may hold the page: see mmu.h */
	pvhv_mmu_host_flush(&d->mmu);
	return 0;
}

static void notifier_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct pvhv_domain *d = container_of(mn, struct pvhv_domain, memory.notifier);

	call_in_range(d, range->start, range->end, range_end, false);
	invalidation_ends(&d->memory);
}

/* The address space dies, maybe before our descriptors are closed. */
static void notifier_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct pvhv_domain *d = container_of(mn, struct pvhv_domain, memory.notifier);

	pvhv_domain_end(d, PVHV_STATE_KILLED, PVHV_CRASH_NONE, "its process has ended");
	invalidation_starts(&d->memory);
	call_in_range(d, 0, ULONG_MAX, range_begin, true);
	pvhv_mmu_host_flush(&d->mmu);
	call_in_range(d, 0, ULONG_MAX, range_end, false);
	invalidation_ends(&d->memory);
}

static const struct mmu_notifier_ops notifier_ops = {
	.invalidate_range_start	= notifier_start,
	.invalidate_range_end	= notifier_end,
	.release		= notifier_release,
};

/* ---- slots ---- */

int pvhv_memory_init(struct pvhv_domain *d)
{
	struct pvhv_memory_map *m = &d->memory;
	int ret;

	spin_lock_init(&m->lock);
	init_waitqueue_head(&m->no_invalidation);
	m->notifier.ops = &notifier_ops;
	ret = mmu_notifier_register(&m->notifier, d->mm);
	m->notifier_on = !ret;
	return ret;
}

/**
 * pvhv_memory_stop - no more invalidations; before the MMU goes
 * @d:	the domain
 */
void pvhv_memory_stop(struct pvhv_domain *d)
{
	if (d->memory.notifier_on)
		mmu_notifier_unregister(&d->memory.notifier, d->mm);
	d->memory.notifier_on = false;
}

static unsigned long nr_chunks(const struct pvhv_slot *s)
{
	return DIV_ROUND_UP(s->nr, PVHV_GFN_CHUNK);
}

/* After the MMU is gone */
void pvhv_memory_destroy(struct pvhv_domain *d)
{
	struct pvhv_slot *s = d->memory.slots;
	unsigned long i;

	for (; s < d->memory.slots + d->memory.nr_slots; s++) {
		for (i = 0; i < nr_chunks(s); i++) {
			free_page((unsigned long)s->chunks[i]);
			cond_resched();
		}
		vfree(s->chunks);
	}
}

static bool overlap(u64 a, u64 alen, u64 b, u64 blen)
{
	return a < b + blen && b < a + alen;
}

/* See invalidation_starts(). What goes on is another thread's, which needs no lock of ours. */
static int publish_slot(struct pvhv_memory_map *m)
{
	bool done = false;

	while (!done) {
		if (wait_event_interruptible(m->no_invalidation, !READ_ONCE(m->invalidations)))
			return -EINTR;
		spin_lock(&m->lock);
		done = !m->invalidations;
		if (done) {
			/* The slot, then its number: vCPUs look without a lock. */
			smp_store_release(&m->nr_slots, m->nr_slots + 1);
		}
		spin_unlock(&m->lock);
	}
	return 0;
}

/**
 * pvhv_set_memory - PVHV_SET_MEMORY
 * @d:	the domain
 * @u:	checked for zero padding by the caller
 *
 * Return: 0, -EINVAL, -EEXIST, -EBUSY once a vCPU has run, -ENOMEM, -EINTR.
 */
int pvhv_set_memory(struct pvhv_domain *d, const struct pvhv_memory *u)
{
	struct pvhv_memory_map *m = &d->memory;
	struct pvhv_slot s = {
		.gfn = u->gpa >> PAGE_SHIFT,
		.nr = u->size >> PAGE_SHIFT,
		.hva = u->hva,
	};
	int i, ret;

	if (u->slot >= PVHV_MAX_MEMORY_SLOTS || u->flags || !u->size ||
	    (u->gpa | u->size | u->hva) & ~PAGE_MASK ||
	    u->gpa + u->size <= u->gpa || u->gpa + u->size > 1ULL << 46 ||
	    !access_ok((void __user *)u->hva, u->size))
		return -EINVAL;

	mutex_lock(&d->lock);
	ret = -EBUSY;
	if (READ_ONCE(d->state) != PVHV_STATE_CREATED)
		goto out;
	/* Slots are numbered in the order of their making: no holes to skip. */
	ret = -EEXIST;
	if (u->slot < m->nr_slots)
		goto out;
	ret = -EINVAL;
	if (u->slot > m->nr_slots)
		goto out;
	ret = -EEXIST;
	for (i = 0; i < m->nr_slots; i++)
		if (overlap(s.gfn, s.nr, m->slots[i].gfn, m->slots[i].nr) ||
		    overlap(s.hva, u->size, m->slots[i].hva, m->slots[i].nr << PAGE_SHIFT))
			goto out;
	ret = -ENOMEM;
	/* May be some 100 MiB: not to be had by killing others */
	s.chunks = __vmalloc(array_size(nr_chunks(&s), sizeof(*s.chunks)),
			     GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN | __GFP_RETRY_MAYFAIL);
	if (!s.chunks)
		goto out;
	m->slots[m->nr_slots] = s;

	ret = publish_slot(m);
	if (ret)
		vfree(s.chunks);
out:
	mutex_unlock(&d->lock);
	return ret;
}

/* ---- getting at guest memory ---- */

/**
 * pvhv_root_ok - may this be a page-table root
 * @d:	 the domain
 * @gpa: guest-physical address
 */
bool pvhv_root_ok(struct pvhv_domain *d, u64 gpa)
{
	return !(gpa & ~PAGE_MASK) && find_slot(d, gpa >> PAGE_SHIFT);
}

/**
 * pvhv_fault_in - make the host provide a guest page
 * @d:		the domain
 * @gfn:	which
 * @write:	writable, in a copy of its own if need be
 *
 * Makes the page's record, too. In the owner's context; sleeps. Return: 0, -EFAULT, -ENOMEM,
 * -EINTR...
 */
int pvhv_fault_in(struct pvhv_domain *d, u64 gfn, bool write)
{
	struct pvhv_slot *s = find_slot(d, gfn);
	unsigned long hva, i;
	struct page *page;
	int ret;

	if (!s)
		return -EFAULT;
	i = array_index_nospec(gfn - s->gfn, s->nr);
	if (!gfn_record(s, i)) {
		void *records = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

		if (!records)
			return -ENOMEM;
		install_records(s, i, records);
	}
	hva = s->hva + (i << PAGE_SHIFT);
	for (;;) {
		ret = get_user_pages_fast(hva, 1, write ? FOLL_WRITE : 0, &page);
		if (ret != 1)
			return ret < 0 ? ret : -EFAULT;
		put_page(page);
		/*
		 * What was never written is the zero page to a reader, which
		 * pvhv_gfn_to_pfn() cannot get: then have a page of its own.
		 */
		if (write || get_user_pages_fast_only(hva, 1, 0, &page) == 1)
			break;
		write = true;
	}
	if (!write)
		put_page(page);
	return 0;
}

static int copy_guest(struct pvhv_vcpu *v, void *buf, u64 gpa, size_t len, bool to_guest)
{
	while (len) {
		size_t n = min_t(size_t, len, PAGE_SIZE - (gpa & ~PAGE_MASK));
		void __user *p = gpa_to_user(v->domain, gpa);

		if (!p)
			return -EFAULT;
		if (to_guest ? copy_to_user(p, buf, n) : copy_from_user(buf, p, n))
			return -EFAULT;
		buf += n;
		gpa += n;
		len -= n;
	}
	return 0;
}

/**
 * pvhv_copy_from_guest - read guest RAM
 * @v:	the vCPU, not loaded
 * @to:	kernel buffer
 * @gpa: guest-physical address, may be anything
 * @len: bytes, may cross pages
 *
 * Return: 0 or -EFAULT.
 */
int pvhv_copy_from_guest(struct pvhv_vcpu *v, void *to, u64 gpa, size_t len)
{
	return copy_guest(v, to, gpa, len, false);
}

int pvhv_copy_to_guest(struct pvhv_vcpu *v, u64 gpa, const void *from, size_t len)
{
	return copy_guest(v, (void *)from, gpa, len, true);
}

/**
 * pvhv_copy_from_guest_virt - read guest memory by virtual address
 * @v:	the vCPU, not loaded
 * @to:	kernel buffer
 * @gva: address in the current address space
 * @len: bytes, may cross pages
 * @fetch: as instructions
 *
 * Return: 0 or -EFAULT; no page fault is raised in the guest.
 */
int pvhv_copy_from_guest_virt(struct pvhv_vcpu *v, void *to, u64 gva, size_t len, bool fetch)
{
	u32 access = (v->guest->user_mode ? PVHV_ACC_USER : 0) | (fetch ? PVHV_ACC_FETCH : 0);
	struct pvhv_mmu_fault_info info;
	int ret, tries = 8;
	u64 gpa;

	while (len) {
		size_t n = min_t(size_t, len, PAGE_SIZE - (gva & ~PAGE_MASK));

		if (!pvhv_canonical(gva) || pvhv_in_hole(gva))
			return -EFAULT;
		ret = pvhv_mmu_translate(&v->domain->mmu, &v->mmu, gva, access, &gpa, &info);
		if (ret == -EAGAIN && tries--) {
			if (pvhv_fault_in(v->domain, info.gfn, info.write))
				return -EFAULT;
			continue;
		}
		if (ret || pvhv_copy_from_guest(v, to, gpa, n))
			return -EFAULT;
		to += n;
		gva += n;
		len -= n;
	}
	return 0;
}

/**
 * pvhv_grab_gfn_page - a reference to a guest page that is known already
 * @d:		the domain; the caller sees to it that it stays
 * @gfn:	anything
 * @write:	it will be written
 *
 * Any context. Only from what pvhv_gfn_to_pfn() remembers; that this is the guest's
 * page when we have the reference follows as in gup_fast():
 *
 * - The notifier clears the frame number before the host takes the page from the
 *   owner's address space, and only after that can it be freed and used again.
 * - We take the reference only if the page is not free, and then read the frame number
 *   again; folio_try_get() is a full barrier between the two. If it is still there, the
 *   page had not been taken away when the reference was there, so it cannot be freed.
 * - If it was taken away in between and came back, it is the guest's again.
 *
 * A page that is taken away *afterwards* stays with us until it is put, as with any other
 * page that I/O is done on: migration, swap and compaction see the reference and wait.
 *
 * Return: the page, NULL if it has to be got from the host, or ERR_PTR(-EFAULT).
 */
struct page *pvhv_grab_gfn_page(struct pvhv_domain *d, u64 gfn, bool write)
{
	struct pvhv_slot *s = find_slot(d, gfn);
	unsigned long known;
	struct folio *folio;
	struct pvhv_gfn *g;
	struct page *page;

	if (unlikely(!s))
		return ERR_PTR(-EFAULT);
	g = gfn_record(s, array_index_nospec(gfn - s->gfn, s->nr));
	if (!g)
		return NULL;
	known = READ_ONCE(g->pfn);
	if (!(known & PVHV_GFN_VALID) || (write && !(known & PVHV_GFN_WRITABLE)))
		return NULL;
	page = pfn_to_page(known >> PVHV_GFN_SHIFT);
	/* Device memory is kept by its driver's own means. */
	if (unlikely(is_zone_device_page(page)))
		return NULL;
	folio = page_folio(page);
	if (unlikely(!folio_try_get(folio)))
		return NULL;
	if (unlikely(page_folio(page) != folio || READ_ONCE(g->pfn) != known)) {
		folio_put(folio);
		return NULL;
	}
	return page;
}

/*
 * A page for install_records(), charged to whom @mm is; NULL if it is not easily had:
 * nobody is to be killed for what only makes the next use quicker.
 */
static void *records_of(struct mm_struct *mm)
{
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(mm);
	struct mem_cgroup *old = set_active_memcg(memcg);
	void *page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT | __GFP_NORETRY | __GFP_NOWARN);

	set_active_memcg(old);
	mem_cgroup_put(memcg);
	return page;
}

/*
 * Remember a page that pvhv_fetch_gfn_page() has got, unless it may be old news or there
 * is no record to note it in.
 */
static void remember(struct pvhv_domain *d, u64 gfn, unsigned long seq, struct page *page)
{
	struct pvhv_memory_map *m = &d->memory;
	struct pvhv_slot *s = find_slot(d, gfn);
	struct pvhv_gfn *g = gfn_record(s, array_index_nospec(gfn - s->gfn, s->nr));

	if (!g)
		return;
	spin_lock(&m->lock);
	if (!m->invalidate_count && m->invalidate_seq == seq)
		WRITE_ONCE(g->pfn, page_to_pfn(page) << PVHV_GFN_SHIFT |
			   PVHV_GFN_VALID | PVHV_GFN_WRITABLE);
	spin_unlock(&m->lock);
}

/**
 * pvhv_fetch_gfn_page - a reference to a guest page, got from the host if need be
 * @gt:		the domain's grant table, which outlives it
 * @gfn:	anything
 * @write:	it will be written; else a page that cannot be is good enough, if
 *		the owner has mapped it so
 *
 * Sleeps, in any process. Return: the page or ERR_PTR(-errno): -ESRCH if the
 * domain has ended, -EFAULT if there is no such page, -ENOMEM, -EINTR.
 */
struct page *pvhv_fetch_gfn_page(struct pvhv_grant_table *gt, u64 gfn, bool write)
{
	unsigned int flags = FOLL_WRITE;
	struct pvhv_domain *d;
	struct mm_struct *mm;
	unsigned long seq, hva, i;
	void *records = NULL;
	struct pvhv_slot *s;
	struct page *page;
	bool unrecorded;
	int ret, locked;

	rcu_read_lock();
	d = rcu_dereference(gt->domain);
	s = d ? find_slot(d, gfn) : NULL;
	/* Its memory may live on in other processes; its address space must. */
	if (!s || !mmget_not_zero(d->mm)) {
		rcu_read_unlock();
		return ERR_PTR(d && !s ? -EFAULT : -ESRCH);
	}
	mm = d->mm;
	i = array_index_nospec(gfn - s->gfn, s->nr);
	hva = s->hva + (i << PAGE_SHIFT);
	unrecorded = !gfn_record(s, i);
	seq = READ_ONCE(d->memory.invalidate_seq);
	rcu_read_unlock();
	/* Pairs with the locked section of range_end() */
	smp_rmb();
again:
	mmap_read_lock(mm);
	locked = 1;
	ret = get_user_pages_remote(mm, hva, 1, flags, &page, NULL, &locked);
	if (locked)
		mmap_read_unlock(mm);
	if (ret == -EFAULT && !write && flags) {
		flags = 0;
		goto again;
	}
	/* What is only passed on between devices is missed by no vCPU: see pvhv_fault_in(). */
	if (unrecorded && ret == 1 && flags)
		records = records_of(mm);
	/* If this is the last use of the address space, its end is not our business. */
	mmput_async(mm);
	if (ret != 1)
		return ERR_PTR(ret < 0 ? ret : -EFAULT);
	if (!flags)
		return page;
	/* Written from now on without the owner's PTE, as in pvhv_gfn_to_pfn() */
	SetPageDirty(page);
	rcu_read_lock();
	d = rcu_dereference(gt->domain);
	if (d) {
		if (records)
			install_records(find_slot(d, gfn), i, records);
		records = NULL;
		remember(d, gfn, seq, page);
	}
	rcu_read_unlock();
	free_page((unsigned long)records);
	return page;
}

/**
 * pvhv_pin_guest_page - keep a guest page where it is
 * @d:	the domain
 * @gpa: guest-physical address of the page
 *
 * For the few pages that are shared with us for long. Sleeps.
 *
 * Return: the page or ERR_PTR(-PVHV_Exxx).
 */
struct page *pvhv_pin_guest_page(struct pvhv_domain *d, u64 gpa)
{
	u64 gfn = gpa >> PAGE_SHIFT;
	struct pvhv_slot *s = find_slot(d, gfn);
	struct page *page;

	if (!s)
		return ERR_PTR(-PVHV_EFAULT);
	if (pin_user_pages_fast(s->hva + ((gfn - s->gfn) << PAGE_SHIFT), 1,
				FOLL_WRITE | FOLL_LONGTERM, &page) != 1)
		return ERR_PTR(-PVHV_ENOMEM);
	return page;
}

void pvhv_unpin_guest_page(struct page *page)
{
	unpin_user_pages_dirty_lock(&page, 1, true);
}
