// SPDX-License-Identifier: GPL-2.0
/*
 * Grants: a domain's table of pages that others may use, and their uses. What
 * a guest sees is in <pvhv/grant.h>.
 *
 * A use begins by marking the entry, together with the test of what the guest wrote
 * there: one compare-and-exchange of permission and domain. From then on a guest that
 * keeps to the rules does not change the entry, so the page number is read after it. A
 * guest that does not keep to them gives another page of its own away, or the
 * mark; what is in use is counted here, where it cannot write.
 *
 * A page in use is kept by a reference. What a table needs to forget a use is its
 * own: neither the page nor the domain.
 */
#include <linux/atomic.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>

#include <pvhv/bus.h>
#include "grant_check.h"
#include "pvhv.h"
#include "trace.h"

/* A guest that changes an entry as often as this while it is looked at does not mean it. */
#define MAX_TRIES	16

/* handle[1] of a struct pvhv_map */
#define HANDLE_WRITE	1UL
#define HANDLE_SHIFT	1

static struct pvhv_grant_frame *find_frame(struct pvhv_grant_table *gt, u32 ref)
{
	u32 nr = ref / PVHV_GRANTS_PER_FRAME;

	/* Pairs with the release in pvhv_hc_grant_setup(). */
	if (!ref || nr >= smp_load_acquire(&gt->nr_frames))
		return NULL;
	return gt->frames[array_index_nospec(nr, PVHV_MAX_GRANT_FRAMES)];
}

/* Mark an entry as used. Return: 0 and the page's number, -ENOENT, -EPERM, -EBUSY. */
static int begin_use(struct pvhv_grant_table *gt, u32 ref, pvhv_domid_t who, bool write, u64 *gfn)
{
	struct pvhv_grant_frame *f = find_frame(gt, ref);
	u32 i = ref % PVHV_GRANTS_PER_FRAME;
	union pvhv_grant_word old, new;
	struct pvhv_grant_entry *e;
	unsigned long flags;
	int ret = -EBUSY, tries;

	if (!f)
		return -ENOENT;
	e = &f->entries[i];
	spin_lock_irqsave(&f->lock, flags);
	old.word = READ_ONCE(*(u64 *)e);
	for (tries = 0; tries < MAX_TRIES; tries++) {
		ret = pvhv_grant_permits(old, who, write);
		if (ret)
			break;
		new = old;
		new.control |= pvhv_grant_mark(write);
		if (try_cmpxchg((u64 *)e, &old.word, new.word))
			break;
		ret = -EBUSY;
	}
	if (!ret) {
		if (write)
			f->uses[i].writers++;
		else
			f->uses[i].readers++;
		*gfn = READ_ONCE(e->gfn);
	}
	spin_unlock_irqrestore(&f->lock, flags);
	return ret;
}

static void end_use(struct pvhv_grant_table *gt, u32 ref, bool write)
{
	struct pvhv_grant_frame *f = gt->frames[ref / PVHV_GRANTS_PER_FRAME];
	u32 i = ref % PVHV_GRANTS_PER_FRAME;
	unsigned long flags;
	u32 *count;

	spin_lock_irqsave(&f->lock, flags);
	count = write ? &f->uses[i].writers : &f->uses[i].readers;
	if (!WARN_ON_ONCE(!*count) && !--*count)
		atomic_andnot(pvhv_grant_mark(write), (atomic_t *)&f->entries[i].control);
	spin_unlock_irqrestore(&f->lock, flags);
}

static struct page *grab(struct pvhv_grant_table *gt, u64 gfn, bool write, bool atomic)
{
	struct page *page = ERR_PTR(-ESRCH);
	struct pvhv_domain *d;

	rcu_read_lock();
	d = rcu_dereference(gt->domain);
	if (d && !pvhv_domain_ended(d))
		page = pvhv_grab_gfn_page(d, gfn, write);
	rcu_read_unlock();
	if (likely(page))
		return page;
	return atomic ? ERR_PTR(-EAGAIN) : pvhv_fetch_gfn_page(gt, gfn, write);
}

/**
 * pvhv_grant_map - begin to use granted pages
 * @gt:		the granting domain's table
 * @who:	uses them
 * @maps:	see struct pvhv_map; each has a status: 0, -ENOENT, -EPERM, -EBUSY (the
 *		guest keeps changing the entry), -EFAULT (it is no RAM), -ESRCH (the
 *		domain has ended), -ENOMEM, -EINTR, and -EAGAIN with @atomic
 * @nr:		entries
 * @atomic:	must not sleep
 *
 * A page is got for writing even if it is only read: else the guest could be
 * given another copy when it writes, and the reader would not see it.
 */
void pvhv_grant_map(struct pvhv_grant_table *gt, pvhv_domid_t who, struct pvhv_map *maps,
		    unsigned int nr, bool atomic)
{
	unsigned int i, mapped = 0;

	for (i = 0; i < nr; i++) {
		struct pvhv_map *m = &maps[i];
		u32 ref = (__force u32)m->ref;
		struct page *page;
		u64 gfn;

		m->page = NULL;
		m->status = begin_use(gt, ref, who, !m->readonly, &gfn);
		if (!m->status) {
			page = grab(gt, gfn, true, atomic);
			if (IS_ERR(page)) {
				m->status = PTR_ERR(page);
				end_use(gt, ref, !m->readonly);
			} else {
				m->page = page;
				m->handle[0] = (unsigned long)gt;
				m->handle[1] = (unsigned long)ref << HANDLE_SHIFT |
					(m->readonly ? 0 : HANDLE_WRITE);
				mapped++;
			}
		}
		trace_pvhv_grant_map((__force u32)gt->domid, ref, (__force u32)who, !m->readonly,
				     m->status);
	}
	if (mapped) {
		refcount_add(mapped, &gt->ref);
		atomic_add(mapped, &gt->mapped);
		atomic64_add(mapped, &gt->maps);
	}
}

static void table_put(struct pvhv_grant_table *gt, int n)
{
	if (refcount_sub_and_test(n, &gt->ref))
		queue_work(pvhv_wq, &gt->work);
}

/**
 * pvhv_grant_unmap - end the use of granted pages
 * @maps:	mapped, or with @page NULL, which are skipped
 * @nr:		entries
 * @dirty:	they have been written
 *
 * Any context. All in @maps may be of different domains, which may have ended.
 */
void pvhv_grant_unmap(struct pvhv_map *maps, unsigned int nr, bool dirty)
{
	struct pvhv_grant_table *last = NULL;
	unsigned int i, n = 0;

	for (i = 0; i < nr; i++) {
		struct pvhv_map *m = &maps[i];
		struct pvhv_grant_table *gt = (struct pvhv_grant_table *)m->handle[0];
		u32 ref = m->handle[1] >> HANDLE_SHIFT;
		bool write = m->handle[1] & HANDLE_WRITE;

		if (!m->page)
			continue;
		if (dirty && write)
			SetPageDirty(m->page);
		put_page(m->page);
		m->page = NULL;
		end_use(gt, ref, write);
		trace_pvhv_grant_unmap((__force u32)gt->domid, ref, 0, write, 0);
		atomic_dec(&gt->mapped);
		if (gt != last && n) {
			table_put(last, n);
			n = 0;
		}
		last = gt;
		n++;
	}
	if (n)
		table_put(last, n);
}

/**
 * pvhv_grant_copy - copy between pages of the host's and granted ones
 * @gt:		the granting domain's table
 * @who:	copies
 * @copies:	see struct pvhv_copy; each has a status as with pvhv_grant_map(), or -EINVAL
 * @nr:		entries
 * @atomic:	must not sleep
 */
void pvhv_grant_copy(struct pvhv_grant_table *gt, pvhv_domid_t who, struct pvhv_copy *copies,
		     unsigned int nr, bool atomic)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		struct pvhv_copy *c = &copies[i];
		u32 ref = (__force u32)c->ref;
		struct page *page;
		u64 gfn;

		c->status = -EINVAL;
		if (!pvhv_part_of_page(c->offset, c->len) ||
		    !pvhv_part_of_page(c->page_offset, c->len))
			continue;
		c->status = begin_use(gt, ref, who, c->to_peer, &gfn);
		if (!c->status) {
			page = grab(gt, gfn, c->to_peer, atomic);
			if (IS_ERR(page)) {
				c->status = PTR_ERR(page);
			} else {
				if (c->to_peer) {
					memcpy_page(page, c->offset, c->page, c->page_offset,
						    c->len);
					SetPageDirty(page);
				} else {
					memcpy_page(c->page, c->page_offset, page, c->offset,
						    c->len);
				}
				put_page(page);
			}
			end_use(gt, ref, c->to_peer);
		}
		trace_pvhv_grant_copy((__force u32)gt->domid, ref, (__force u32)who, c->to_peer,
				      c->status);
	}
	atomic64_add(nr, &gt->copies);
}

/* ---- guests ---- */

static void frame_free(struct pvhv_grant_frame *f)
{
	pvhv_unpin_guest_page(f->page);
	kfree(f);
}

/**
 * pvhv_hc_grant_setup - PVHV_HC_GRANT_SETUP
 * @v:	the vCPU, not loaded
 * @a:	arguments
 */
long pvhv_hc_grant_setup(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_domain *d = v->domain;
	struct pvhv_grant_table *gt = d->grants;
	struct pvhv_grant_frame *f;
	long ret = 0;

	if (a[0] >= PVHV_MAX_GRANT_FRAMES || a[1] & ~PAGE_MASK)
		return -PVHV_EINVAL;
	f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	if (!f)
		return -PVHV_ENOMEM;
	spin_lock_init(&f->lock);
	f->page = pvhv_pin_guest_page(d, a[1]);
	if (IS_ERR(f->page)) {
		ret = PTR_ERR(f->page);
		kfree(f);
		return ret;
	}
	f->entries = page_address(f->page);
	mutex_lock(&d->lock);
	if (a[0] < gt->nr_frames) {
		ret = -PVHV_EBUSY;
	} else if (a[0] > gt->nr_frames) {
		ret = -PVHV_EINVAL;
	} else {
		gt->frames[gt->nr_frames] = f;
		/* The frame is complete for who sees the number. */
		smp_store_release(&gt->nr_frames, gt->nr_frames + 1);
	}
	mutex_unlock(&d->lock);
	if (ret)
		frame_free(f);
	return ret;
}

/* An end of a copy, resolved */
struct end {
	struct pvhv_grant_table *gt;	/* with a reference; NULL: a page of the caller's own */
	struct page *page;
	u32 ref;
	bool write;
};

static struct pvhv_grant_table *table_get(pvhv_domid_t domid)
{
	struct pvhv_grant_table *gt = NULL;
	struct pvhv_domain *d;

	rcu_read_lock();
	d = pvhv_find_domain(domid);
	/* It lets go of its table a grace period after it cannot be found. */
	if (d && refcount_inc_not_zero(&d->grants->ref))
		gt = d->grants;
	rcu_read_unlock();
	return gt;
}

static int end_get(struct pvhv_domain *d, const struct pvhv_copy_end *c, bool write, struct end *e)
{
	u64 gfn = c->gfn;
	int ret;

	*e = (struct end) { .ref = (__force u32)c->ref, .write = write };
	if (e->ref) {
		e->gt = table_get(c->domid);
		if (!e->gt)
			return -ENOENT;
		ret = begin_use(e->gt, e->ref, pvhv_domid(d), write, &gfn);
		if (ret)
			goto put;
	}
	e->page = grab(e->gt ?: d->grants, gfn, write, false);
	if (!IS_ERR(e->page))
		return 0;
	ret = PTR_ERR(e->page);
	if (!e->gt)
		return ret;
	end_use(e->gt, e->ref, write);
put:
	table_put(e->gt, 1);
	return ret;
}

static void end_put(struct end *e)
{
	if (e->write)
		SetPageDirty(e->page);
	put_page(e->page);
	if (!e->gt)
		return;
	end_use(e->gt, e->ref, e->write);
	atomic64_inc(&e->gt->copies);
	table_put(e->gt, 1);
}

static int copy_one(struct pvhv_domain *d, const struct pvhv_grant_copy *c)
{
	struct end src, dst;
	int ret;

	if (!pvhv_grant_copy_ok(c))
		return -EINVAL;
	ret = end_get(d, &c->src, false, &src);
	if (ret)
		return ret;
	ret = end_get(d, &c->dst, true, &dst);
	if (!ret) {
		/* They may overlap. */
		memmove(page_address(dst.page) + c->dst.offset,
			page_address(src.page) + c->src.offset, c->len);
		end_put(&dst);
	}
	end_put(&src);
	return ret;
}

/* What has no number of its own in the ABI */
static int guest_error(int ret)
{
	switch (ret) {
	case -ESRCH:
		return -PVHV_ENOENT;
	case -EINTR:
	case -ERESTARTSYS:
		return -PVHV_EAGAIN;
	case 0: case -PVHV_EPERM: case -PVHV_ENOENT: case -PVHV_EBUSY: case -PVHV_EFAULT:
	case -PVHV_EINVAL: case -PVHV_EAGAIN:
		return ret;
	}
	return -PVHV_ENOMEM;
}

/**
 * pvhv_hc_grant_copy - PVHV_HC_GRANT_COPY
 * @v:	the vCPU, not loaded
 * @a:	arguments
 *
 * The entries are copied once, done some at a time, and copied back with their results
 * when all are done.
 */
long pvhv_hc_grant_copy(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_grant_copy_state *s = &v->grant_copy;
	struct pvhv_grant_copy *c;
	u32 i, n;

	if (!a[1] || a[1] > PVHV_GRANT_COPY_MAX || !pvhv_in_one_page(a[0], a[1] * sizeof(*c)))
		return -PVHV_EINVAL;
	if (!s->count) {
		if (pvhv_copy_from_guest(v, s->entries, a[0], a[1] * sizeof(*c)))
			return -PVHV_EFAULT;
		s->count = a[1];
		s->done = 0;
	}
	for (i = 0; i < PVHV_GRANT_COPY_STEP && s->done < s->count; i++, s->done++) {
		c = &s->entries[s->done];
		c->status = guest_error(copy_one(v->domain, c));
		trace_pvhv_grant_copy((__force u32)c->src.domid, (__force u32)c->src.ref,
				      v->domain->id, false, c->status);
	}
	if (s->done < s->count)
		return 0;
	n = s->count;
	s->count = 0;
	if (pvhv_copy_to_guest(v, a[0], s->entries, n * sizeof(*c)))
		return -PVHV_EFAULT;
	return n;
}

/* ---- life ---- */

/*
 * Every mapped page holds its table, so that the number of this cache's objects tells
 * whether a page of any guest is still in use. Unless it is merged with another cache
 * (slab_nomerge), one that is forgotten is a complaint when the module is unloaded.
 */
static struct kmem_cache *table_cache;

int pvhv_grants_setup(void)
{
	table_cache = kmem_cache_create("pvhv_grant_table", sizeof(struct pvhv_grant_table), 0,
					SLAB_ACCOUNT, NULL);
	return table_cache ? 0 : -ENOMEM;
}

void pvhv_grants_teardown(void)
{
	kmem_cache_destroy(table_cache);
}

static void table_work(struct work_struct *work)
{
	struct pvhv_grant_table *gt = container_of(work, struct pvhv_grant_table, work);
	u32 i;

	for (i = 0; i < gt->nr_frames; i++)
		frame_free(gt->frames[i]);
	kmem_cache_free(table_cache, gt);
}

int pvhv_grants_init(struct pvhv_domain *d)
{
	struct pvhv_grant_table *gt = kmem_cache_zalloc(table_cache, GFP_KERNEL_ACCOUNT);

	if (!gt)
		return -ENOMEM;
	refcount_set(&gt->ref, 1);
	gt->domid = pvhv_domid(d);
	INIT_WORK(&gt->work, table_work);
	rcu_assign_pointer(gt->domain, d);
	d->grants = gt;
	return 0;
}

/**
 * pvhv_grants_detach - after a grace period the table does not touch the domain
 * @d:	being freed
 */
void pvhv_grants_detach(struct pvhv_domain *d)
{
	RCU_INIT_POINTER(d->grants->domain, NULL);
}

/**
 * pvhv_grant_table_put - put a reference
 * @gt:	the table
 *
 * Any context.
 */
void pvhv_grant_table_put(struct pvhv_grant_table *gt)
{
	table_put(gt, 1);
}
