// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv bus: helpers for drivers. Properties, ring areas, and pages that the
 * peer does not give back.
 */
#define pr_fmt(fmt) "pvhv: " fmt

#include <linux/err.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "bus.h"

/* ---- properties ---- */

/**
 * pvhv_props_alloc - an empty list of properties
 *
 * May sleep. Return: the list, for kfree(), or NULL.
 */
struct pvhv_props *pvhv_props_alloc(void)
{
	return kzalloc(sizeof(struct pvhv_props), GFP_KERNEL);
}
EXPORT_SYMBOL_GPL(pvhv_props_alloc);

/**
 * pvhv_prop_add - append a property
 * @p:		the list
 * @key:	what
 * @index:	which of several
 * @value:	by key
 *
 * The pair of key and index must be new. If the list is full, @p->error is set, and
 * pvhv_publish() returns it: there is no need to look after each call.
 */
void pvhv_prop_add(struct pvhv_props *p, u16 key, u16 index, u64 value)
{
	if (p->nr == ARRAY_SIZE(p->props)) {
		p->error = -ENOSPC;
		return;
	}
	p->props[p->nr++] = (struct pvhv_prop) {
		.key = key, .index = index, .value = value,
	};
}
EXPORT_SYMBOL_GPL(pvhv_prop_add);

/**
 * pvhv_prop_get - look a property up
 * @p:		the list
 * @key:	what
 * @index:	which of several
 * @otherwise:	returned if it is not there
 *
 * Nothing is known of the value: the peer may have chosen it.
 */
u64 pvhv_prop_get(const struct pvhv_props *p, u16 key, u16 index, u64 otherwise)
{
	unsigned int i;

	for (i = 0; i < p->nr; i++)
		if (p->props[i].key == key && p->props[i].index == index)
			return p->props[i].value;
	return otherwise;
}
EXPORT_SYMBOL_GPL(pvhv_prop_get);

/**
 * pvhv_publish - publish this side's state and properties, at once
 * @dev:	the device
 * @state:	PVHV_DEV_xxx
 * @p:		all properties of this side, or NULL for none; those of the last
 *		publication are gone
 *
 * May sleep. A driver does not call it twice at a time for one device.
 *
 * Return: 0, or -errno and nothing has changed: -ENOSPC if @p did not hold
 * all, -EINVAL for a jump of states that the registry does not allow, -ENOENT
 * if it does not know the device any more.
 */
int pvhv_publish(struct pvhv_device *dev, u32 state, const struct pvhv_props *p)
{
	int err;

	if (p && p->error)
		return p->error;
	err = dev->tp->publish(dev, state, p ? p->props : NULL, p ? p->nr : 0);
	if (!err)
		WRITE_ONCE(dev->state, state);
	return err;
}
EXPORT_SYMBOL_GPL(pvhv_publish);

/**
 * pvhv_read_peer - read the other side's state and properties, of one publication
 * @dev:	the device
 * @state:	filled in, PVHV_DEV_xxx; may be NULL
 *
 * May sleep. The list and the state are well-formed; its values are the peer's.
 *
 * Return: the properties, for kfree(), or an ERR_PTR.
 */
struct pvhv_props *pvhv_read_peer(struct pvhv_device *dev, u32 *state)
{
	struct pvhv_device_side *side;
	struct pvhv_props *p;
	int err = -ENOMEM;

	p = pvhv_props_alloc();
	/* A page, because a transport may have to give its address to somebody */
	side = (void *)get_zeroed_page(GFP_KERNEL);
	if (!p || !side)
		goto fail;
	err = dev->tp->read_peer(dev, side);
	if (err)
		goto fail;

	err = -EPROTO;
	if (side->nr_props > PVHV_MAX_PROPS || side->state < PVHV_DEV_INITIALISING ||
	    side->state > PVHV_DEV_CLOSED)
		goto fail;
	p->nr = side->nr_props;
	memcpy(p->props, side->props, p->nr * sizeof(p->props[0]));
	if (state)
		*state = side->state;
	free_page((unsigned long)side);
	return p;
fail:
	free_page((unsigned long)side);
	kfree(p);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_GPL(pvhv_read_peer);

/*
 * ---- offers ----
 *
 * A frontend that begins anew while its backend connects still sees INIT_WAIT, offers other
 * rings, and then sees CONNECTED, which is not about these. States alone do not tell.
 */

/**
 * pvhv_offer_make - frontend: number an offer
 * @dev:	the device
 * @p:		the properties to be published with INITIALISED
 */
void pvhv_offer_make(struct pvhv_device *dev, struct pvhv_props *p)
{
	pvhv_prop_add(p, PVHV_PROP_OFFER, 0, ++dev->offer);
}
EXPORT_SYMBOL_GPL(pvhv_offer_make);

/**
 * pvhv_offer_taken - frontend: is the backend connected to what was offered last?
 * @dev:	the device
 * @p:		properties of a CONNECTED backend
 *
 * Return: true, also if the backend does not say. If false, close and begin anew: then it
 * sees what is offered next.
 */
bool pvhv_offer_taken(struct pvhv_device *dev, const struct pvhv_props *p)
{
	if (pvhv_prop_get(p, PVHV_PROP_OFFER, 0, dev->offer) == dev->offer)
		return true;
	dev_info_ratelimited(&dev->dev, "the backend is connected to another offer: once more\n");
	return false;
}
EXPORT_SYMBOL_GPL(pvhv_offer_taken);

/**
 * pvhv_offer_take - backend: these properties are what it connects to
 * @dev:	the device
 * @p:		the frontend's; 0 is for one without numbers
 */
void pvhv_offer_take(struct pvhv_device *dev, const struct pvhv_props *p)
{
	dev->offer = pvhv_prop_get(p, PVHV_PROP_OFFER, 0, 0);
}
EXPORT_SYMBOL_GPL(pvhv_offer_take);

/**
 * pvhv_offer_say - backend: say which offer was taken
 * @dev:	the device
 * @p:		the properties to be published with CONNECTED
 */
void pvhv_offer_say(struct pvhv_device *dev, struct pvhv_props *p)
{
	pvhv_prop_add(p, PVHV_PROP_OFFER, 0, dev->offer);
}
EXPORT_SYMBOL_GPL(pvhv_offer_say);

/* ---- pages that the peer does not give back ---- */

/*
 * A granted page that the peer uses cannot be freed, and nobody wants to wait
 * for the peer. Such pages go on a list, which a timer goes through. If a peer
 * keeps too many of them, it gets no new areas: so one that connects again
 * and again without unmapping costs a bounded amount.
 */
#define PVHV_MAX_KEPT_PAGES	1024
#define PVHV_KEPT_PERIOD	HZ	/* in jiffies: between two attempts */

struct kept_page {
	struct list_head list;
	struct pvhv_device *dev;
	struct page *page;
	pvhv_grant_t ref;
};

static LIST_HEAD(kept_pages);
static unsigned int nr_kept_pages;
static DEFINE_MUTEX(kept_lock);

static void kept_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(kept_dwork, kept_work);

static void kept_work(struct work_struct *work)
{
	struct kept_page *k, *next;

	mutex_lock(&kept_lock);
	list_for_each_entry_safe(k, next, &kept_pages, list) {
		if (!k->dev->tp->revoke(k->dev, k->ref))
			continue;
		list_del(&k->list);
		WRITE_ONCE(nr_kept_pages, nr_kept_pages - 1);
		put_page(k->page);
		put_device(&k->dev->dev);
		module_put(THIS_MODULE);
		kfree(k);
	}
	if (!list_empty(&kept_pages))
		schedule_delayed_work(&kept_dwork, PVHV_KEPT_PERIOD);
	mutex_unlock(&kept_lock);
}

/**
 * pvhv_revoke_put - take a grant back and drop the page, now or later
 * @dev:	the device
 * @ref:	the grant
 * @page:	the page; the caller's reference is taken over
 *
 * For a page that nobody but the peer may still use: if it does, the page
 * is kept until it no longer does, whatever becomes of the device meanwhile.
 * May sleep, but does not wait for the peer.
 */
void pvhv_revoke_put(struct pvhv_device *dev, pvhv_grant_t ref, struct page *page)
{
	struct kept_page *k;

	if (dev->tp->revoke(dev, ref)) {
		put_page(page);
		return;
	}

	/* Less than a page: there is nothing to do about it if it fails. */
	k = kmalloc(sizeof(*k), GFP_KERNEL | __GFP_NOFAIL);
	k->dev = dev;
	k->page = page;
	k->ref = ref;
	get_device(&dev->dev);
	/* Our caller is a driver that uses this module, so it cannot fail. */
	__module_get(THIS_MODULE);

	mutex_lock(&kept_lock);
	list_add_tail(&k->list, &kept_pages);
	WRITE_ONCE(nr_kept_pages, nr_kept_pages + 1);
	schedule_delayed_work(&kept_dwork, PVHV_KEPT_PERIOD);
	mutex_unlock(&kept_lock);

	dev_dbg(&dev->dev, "the peer still uses a page, %u in all\n", READ_ONCE(nr_kept_pages));
}
EXPORT_SYMBOL_GPL(pvhv_revoke_put);

void pvhv_client_exit(void)
{
	/* The list is empty, each entry had a reference to the module. */
	cancel_delayed_work_sync(&kept_dwork);
}

/* ---- ring areas ---- */

/* One page needs no mapping of its own. */
static void *area_map_pages(struct page **pages, unsigned int nr)
{
	return nr == 1 ? page_address(pages[0]) : vmap(pages, nr, VM_MAP, PAGE_KERNEL);
}

static void area_unmap_pages(struct pvhv_area *area)
{
	if (area->nr_pages > 1)
		vunmap(area->addr);
}

/* The page behind part of a mapping of area_map_pages() */
static struct page *area_page(const struct pvhv_area *area, unsigned int i)
{
	void *addr = area->addr + i * PAGE_SIZE;

	return area->nr_pages == 1 ? virt_to_page(addr) : vmalloc_to_page(addr);
}

static int bad_area_size(unsigned int nr_pages)
{
	return nr_pages < 1 || nr_pages > PVHV_MAX_RING_PAGES ? -EINVAL : 0;
}

/**
 * pvhv_area_create - frontend: make an area for rings
 * @area:	filled in; all zero until then, and again if this fails
 * @dev:	the device
 * @nr_pages:	1 to PVHV_MAX_RING_PAGES
 * @fn:		handler of the area's event, see <pvhv/bus.h>
 * @data:	its argument
 * @flags:	PVHV_EVENT_xxx
 *
 * May sleep. The peer cannot use the area, and @fn is not called, before the
 * area is offered and the offer published.
 *
 * Return: 0 or -errno; -EBUSY if peers keep too many pages of old areas.
 */
int pvhv_area_create(struct pvhv_area *area, struct pvhv_device *dev, unsigned int nr_pages,
		     bool (*fn)(void *data), void *data, unsigned int flags)
{
	struct page *pages[PVHV_MAX_RING_PAGES] = {};
	unsigned int i, granted = 0;
	int err;

	memset(area, 0, sizeof(*area));
	err = bad_area_size(nr_pages);
	if (err)
		return err;
	if (READ_ONCE(nr_kept_pages) + nr_pages > PVHV_MAX_KEPT_PAGES) {
		dev_warn_ratelimited(&dev->dev, "peers keep %u pages of old rings\n",
				     READ_ONCE(nr_kept_pages));
		return -EBUSY;
	}

	area->dev = dev;
	area->nr_pages = nr_pages;
	for (i = 0; i < nr_pages; i++) {
		err = -ENOMEM;
		pages[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!pages[i])
			goto fail;
	}
	area->addr = area_map_pages(pages, nr_pages);
	if (!area->addr)
		goto fail;

	area->event = dev->tp->event_alloc(dev, fn, data, flags);
	if (IS_ERR(area->event)) {
		err = PTR_ERR(area->event);
		goto unmap;
	}
	for (; granted < nr_pages; granted++) {
		area->refs[granted] = dev->tp->grant(dev, pages[granted], false);
		if (area->refs[granted] == PVHV_GRANT_NONE) {
			err = -ENOSPC;
			goto revoke;
		}
	}
	return 0;
revoke:
	dev->tp->event_close(area->event);
unmap:
	area_unmap_pages(area);
fail:
	for (i = 0; i < nr_pages; i++) {
		if (i < granted)
			/* Nobody knows of it, but a peer may guess a number. */
			pvhv_revoke_put(dev, area->refs[i], pages[i]);
		else if (pages[i])
			__free_page(pages[i]);
	}
	memset(area, 0, sizeof(*area));
	return err;
}
EXPORT_SYMBOL_GPL(pvhv_area_create);

/**
 * pvhv_area_offer - frontend: put an area into the properties to be published
 * @area:	an area of pvhv_area_create()
 * @i:		its number, below PVHV_MAX_AREAS
 * @p:		the properties
 *
 * The driver itself adds PVHV_PROP_RING_PAGES, which is the same for all areas.
 */
void pvhv_area_offer(const struct pvhv_area *area, unsigned int i, struct pvhv_props *p)
{
	unsigned int page;

	for (page = 0; page < area->nr_pages; page++)
		pvhv_prop_add(p, PVHV_PROP_RING_REF, i * 16 + page,
			      (__force u32)area->refs[page]);
	pvhv_prop_add(p, PVHV_PROP_PORT, i, (__force u32)area->dev->tp->event_port(area->event));
}
EXPORT_SYMBOL_GPL(pvhv_area_offer);

static void unmap_some(struct pvhv_device *dev, struct pvhv_map *maps, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!maps[i].status)
			dev->tp->unmap(dev, &maps[i], 1, true);
}

/* A number of the peer's that must be in 1 .. U32_MAX; else 0 */
static u32 prop_number(const struct pvhv_props *p, u16 key, u16 index)
{
	u64 value = pvhv_prop_get(p, key, index, 0);

	return value > U32_MAX ? 0 : value;
}

/**
 * pvhv_area_accept - backend: map an area that the frontend has offered, bind its port
 * @area:	filled in; all zero until then, and again if this fails
 * @dev:	the device
 * @i:		number of the area
 * @p:		the frontend's properties, with PVHV_PROP_RING_PAGES
 * @fn:		handler of the area's event, see <pvhv/bus.h>
 * @data:	its argument
 * @flags:	PVHV_EVENT_xxx
 *
 * May sleep. The frontend can send at once: @fn may be called before this
 * returns, when @area is not complete. It then returns, and the driver looks
 * at the rings once by itself when it is ready.
 *
 * Return: 0 or -errno; -EPROTO if the offer makes no sense.
 */
int pvhv_area_accept(struct pvhv_area *area, struct pvhv_device *dev, unsigned int i,
		     const struct pvhv_props *p, bool (*fn)(void *data), void *data,
		     unsigned int flags)
{
	struct page *pages[PVHV_MAX_RING_PAGES];
	u64 nr = pvhv_prop_get(p, PVHV_PROP_RING_PAGES, 0, 0);
	u32 port = prop_number(p, PVHV_PROP_PORT, i);
	unsigned int page;
	int err;

	memset(area, 0, sizeof(*area));
	if (!port || nr > PVHV_MAX_RING_PAGES || bad_area_size(nr))
		return -EPROTO;
	area->dev = dev;
	area->nr_pages = nr;
	for (page = 0; page < nr; page++) {
		u32 ref = prop_number(p, PVHV_PROP_RING_REF, i * 16 + page);

		err = -EPROTO;
		if (!ref)
			goto fail;
		area->maps[page].ref = (__force pvhv_grant_t)ref;
	}

	dev->tp->map(dev, area->maps, nr, false);
	for (page = 0; page < nr; page++) {
		err = area->maps[page].status;
		if (err)
			goto unmap;
		pages[page] = area->maps[page].page;
	}
	err = -ENOMEM;
	area->addr = area_map_pages(pages, nr);
	if (!area->addr)
		goto unmap;

	area->event = dev->tp->event_bind(dev, (__force pvhv_port_t)port, fn, data, flags);
	if (!IS_ERR(area->event))
		return 0;
	err = PTR_ERR(area->event);
	area_unmap_pages(area);
unmap:
	unmap_some(dev, area->maps, nr);
fail:
	memset(area, 0, sizeof(*area));
	return err;
}
EXPORT_SYMBOL_GPL(pvhv_area_accept);

/**
 * pvhv_area_destroy - either side: close the event, give the pages back
 * @area:	of pvhv_area_create() or pvhv_area_accept(), or all zero; all zero
 *		afterwards
 *
 * May sleep; not from the area's handler, which is not called afterwards.
 * Pages of the frontend that the backend still uses are freed when it has
 * unmapped them, see pvhv_revoke_put().
 */
void pvhv_area_destroy(struct pvhv_area *area)
{
	struct page *pages[PVHV_MAX_RING_PAGES];
	struct pvhv_device *dev = area->dev;
	unsigned int i;

	if (!dev)
		return;
	dev->tp->event_close(area->event);

	if (dev->role == PVHV_ROLE_BACKEND) {
		area_unmap_pages(area);
		dev->tp->unmap(dev, area->maps, area->nr_pages, true);
	} else {
		for (i = 0; i < area->nr_pages; i++)
			pages[i] = area_page(area, i);
		area_unmap_pages(area);
		for (i = 0; i < area->nr_pages; i++)
			pvhv_revoke_put(dev, area->refs[i], pages[i]);
	}
	memset(area, 0, sizeof(*area));
}
EXPORT_SYMBOL_GPL(pvhv_area_destroy);

/**
 * pvhv_area_notify - either side: send the area's event
 * @area:	the area
 *
 * Any context. In a guest this is a hypercall, in which the backend may do
 * its work: not under a lock that others wait for, if that can be avoided.
 */
void pvhv_area_notify(const struct pvhv_area *area)
{
	area->dev->tp->event_send(area->event);
}
EXPORT_SYMBOL_GPL(pvhv_area_notify);
