// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv bus, a guest's transport: the grant table, and copies.
 *
 * The table starts empty and grows by a frame when it is exhausted. Free entries
 * are a list, with a small stack of them for each CPU, so that a driver's
 * grants and revocations rarely meet another CPU.
 */
#define pr_fmt(fmt) "pvhv: " fmt

#include <linux/cache.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include <asm/pvhv-hypercall.h>

#include "guest.h"

/* Entries that a CPU keeps; taken from the list and given back by halves */
#define PVHV_GRANT_CACHE	64

struct grant_cache {
	unsigned int nr;
	u32 refs[PVHV_GRANT_CACHE];
};

static DEFINE_PER_CPU(struct grant_cache, grant_cache);

static struct pvhv_grant_entry *grant_frames[PVHV_MAX_GRANT_FRAMES];
static DEFINE_SPINLOCK(grant_lock);	/* the rest; taken in any context */
static unsigned int nr_grant_frames;
static u32 free_list;			/* 0: empty. Linked by the entries' gfn */

static struct pvhv_grant_entry *grant_entry(u32 ref)
{
	return &grant_frames[ref / PVHV_GRANTS_PER_FRAME][ref % PVHV_GRANTS_PER_FRAME];
}

static void push_free(u32 ref)
{
	lockdep_assert_held(&grant_lock);
	/* Nobody looks at it: there is no PVHV_GRANT_PERMIT. */
	grant_entry(ref)->gfn = free_list;
	free_list = ref;
}

/* Add a frame to the table. Any context */
static int grow(void)
{
	unsigned int frame = nr_grant_frames, i;
	struct pvhv_grant_entry *table;
	long err;

	lockdep_assert_held(&grant_lock);
	if (frame == PVHV_MAX_GRANT_FRAMES)
		return -ENOSPC;
	table = (void *)get_zeroed_page(GFP_ATOMIC | __GFP_NOWARN);
	if (!table)
		return -ENOMEM;
	err = pvhv_hypercall2(PVHV_HC_GRANT_SETUP, frame, __pa(table));
	if (err) {
		free_page((unsigned long)table);
		return err;
	}
	grant_frames[frame] = table;
	nr_grant_frames++;
	/* The lowest is taken first; 0 never is. */
	for (i = PVHV_GRANTS_PER_FRAME; i-- > !frame; )
		push_free(frame * PVHV_GRANTS_PER_FRAME + i);
	return 0;
}

/* A free entry, or 0 */
static u32 get_ref(void)
{
	struct grant_cache *c;
	unsigned long flags;
	u32 ref = 0;

	local_irq_save(flags);
	c = this_cpu_ptr(&grant_cache);
	if (!c->nr) {
		spin_lock(&grant_lock);
		if (!free_list)
			grow();
		while (free_list && c->nr < PVHV_GRANT_CACHE / 2) {
			c->refs[c->nr++] = free_list;
			free_list = grant_entry(free_list)->gfn;
		}
		spin_unlock(&grant_lock);
	}
	if (c->nr)
		ref = c->refs[--c->nr];
	local_irq_restore(flags);
	return ref;
}

static void put_ref(u32 ref)
{
	struct grant_cache *c;
	unsigned long flags;

	local_irq_save(flags);
	c = this_cpu_ptr(&grant_cache);
	if (c->nr == PVHV_GRANT_CACHE) {
		spin_lock(&grant_lock);
		while (c->nr > PVHV_GRANT_CACHE / 2)
			push_free(c->refs[--c->nr]);
		spin_unlock(&grant_lock);
	}
	c->refs[c->nr++] = ref;
	local_irq_restore(flags);
}

pvhv_grant_t pvhv_guest_grant(struct pvhv_device *dev, struct page *page, bool readonly)
{
	u32 ref = get_ref();
	struct pvhv_grant_entry *entry;

	if (!ref)
		return PVHV_GRANT_NONE;
	entry = grant_entry(ref);
	entry->domid = dev->peer;
	entry->gfn = page_to_pfn(page);
	/* The hypervisor looks at them when it sees PERMIT. */
	smp_store_release(&entry->control,
			  PVHV_GRANT_PERMIT | (readonly ? PVHV_GRANT_READONLY : 0));
	return (__force pvhv_grant_t)ref;
}

bool pvhv_guest_revoke(struct pvhv_device *dev, pvhv_grant_t ref)
{
	u32 *control = &grant_entry((__force u32)ref)->control;
	u32 old = READ_ONCE(*control);

	/* A use that begins now makes the exchange fail. */
	if ((old & ~PVHV_GRANT_FLAGS) || cmpxchg(control, old, 0) != old)
		return false;
	put_ref((__force u32)ref);
	return true;
}

/*
 * To map a page of another domain, a guest needs guest-physical addresses for
 * it. That is for driver domains, which do not exist yet; until then backends
 * in a guest can copy.
 */
void pvhv_guest_map(struct pvhv_device *dev, struct pvhv_map *maps, unsigned int nr,
		    bool atomic)
{
	while (nr--)
		maps[nr].status = -EOPNOTSUPP;
}

void pvhv_guest_unmap(struct pvhv_device *dev, struct pvhv_map *maps, unsigned int nr,
		      bool dirty)
{
	WARN_ON_ONCE(nr);
}

static void copy_end(struct pvhv_copy_end *end, struct pvhv_device *dev,
		     const struct pvhv_copy *c, bool peer)
{
	if (peer)
		*end = (struct pvhv_copy_end) {
			.domid = dev->peer, .ref = c->ref, .offset = c->offset,
		};
	else
		*end = (struct pvhv_copy_end) {
			.gfn = page_to_pfn(c->page), .offset = c->page_offset,
		};
}

/* One hypercall. Return: how many have a status now, at least 1 */
static unsigned int copy_some(struct pvhv_device *dev, struct pvhv_grant_copy *list,
			      struct pvhv_copy *copies, unsigned int nr)
{
	unsigned int i;
	long done;

	for (i = 0; i < nr; i++) {
		list[i] = (struct pvhv_grant_copy) { .len = copies[i].len };
		copy_end(&list[i].src, dev, &copies[i], !copies[i].to_peer);
		copy_end(&list[i].dst, dev, &copies[i], copies[i].to_peer);
	}
	done = pvhv_hypercall2(PVHV_HC_GRANT_COPY, __pa(list), nr);
	if (done <= 0 || done > nr) {
		copies[0].status = done < 0 ? done : -EIO;
		return 1;
	}
	for (i = 0; i < done; i++)
		copies[i].status = list[i].status;
	return done;
}

/* A hypercall never sleeps as far as the guest can see, so @atomic is nothing. */
void pvhv_guest_copy(struct pvhv_device *dev, struct pvhv_copy *copies, unsigned int nr,
		     bool atomic)
{
	struct pvhv_grant_copy *list = (void *)__get_free_page(GFP_ATOMIC | __GFP_NOWARN);

	BUILD_BUG_ON(PVHV_GRANT_COPY_MAX * sizeof(*list) > PAGE_SIZE);
	while (nr) {
		unsigned int done = nr;

		if (list)
			done = copy_some(dev, list, copies, min(nr, PVHV_GRANT_COPY_MAX + 0U));
		else
			for (done = 0; done < nr; done++)
				copies[done].status = -EAGAIN;
		copies += done;
		nr -= done;
	}
	free_page((unsigned long)list);
}

/* The first frame shows whether the hypervisor has grants at all. */
int __init pvhv_guest_grant_init(void)
{
	int err;

	spin_lock_irq(&grant_lock);
	err = grow();
	spin_unlock_irq(&grant_lock);
	return err;
}
