// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv-badback: a block backend that breaks the rules. For tests of the frontend only.
 *
 * It binds to block devices while pvhv-blkback is not loaded. Reads give zeroes, writes
 * are thrown away, until @mode says otherwise.
 */
#include <linux/blkdev.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <pvhv/blkif.h>
#include <pvhv/bus.h>
#include <pvhv/ring.h>

#include "badoffer.h"

enum badback_mode {
	GOOD,
	ID_TOO_LARGE,	/* a response to an id that cannot be */
	ID_NOT_SENT,	/* a response to an id that is not in flight */
	TWICE,		/* two responses to one request */
	PROD_TOO_FAR,	/* more responses than slots */
	PROD_BACK,	/* fewer responses than before */
	CONS_TOO_FAR,	/* more requests consumed than sent */
	CONS_BACK,	/* fewer than before */
	STATUS,		/* an error, @status: no more */
	KEEP_PAGE,	/* a response while the pages are still mapped */
	SILENT,		/* no response at all */
	STORM,		/* a thousand notifications for each request */
	NR_MODES
};

static const char * const names[NR_MODES] = {
	[GOOD] = "good", [ID_TOO_LARGE] = "id-too-large", [ID_NOT_SENT] = "id-not-sent",
	[TWICE] = "twice", [PROD_TOO_FAR] = "prod-too-far", [PROD_BACK] = "prod-back",
	[CONS_TOO_FAR] = "cons-too-far", [CONS_BACK] = "cons-back", [STATUS] = "status",
	[KEEP_PAGE] = "keep-page", [SILENT] = "silent", [STORM] = "storm",
};

static int mode;

static int mode_set(const char *text, const struct kernel_param *kp)
{
	int i = __sysfs_match_string(names, NR_MODES, text);

	if (i < 0)
		return i;
	WRITE_ONCE(mode, i);
	return 0;
}

static int mode_get(char *text, const struct kernel_param *kp)
{
	return sysfs_emit(text, "%s\n", names[READ_ONCE(mode)]);
}

static const struct kernel_param_ops mode_ops = { .set = mode_set, .get = mode_get };
module_param_cb(mode, &mode_ops, NULL, 0644);
MODULE_PARM_DESC(mode, "which rule to break, or good");

static ushort status = 0xffff;
module_param(status, ushort, 0644);
MODULE_PARM_DESC(status, "of the responses in mode status; the default is one that nobody knows");

static uint logical = SECTOR_SIZE;
module_param(logical, uint, 0644);
MODULE_PARM_DESC(logical, "bytes of a logical block that the frontend is told, any number");

static ulong sectors = 65536;
module_param(sectors, ulong, 0644);
MODULE_PARM_DESC(sectors, "size that the frontend is told, any number");

static ulong features = PVHV_BLK_F_FLUSH;
module_param(features, ulong, 0644);
MODULE_PARM_DESC(features, "PVHV_BLK_F_xxx that the frontend is told, with limits that make no sense");

static uint stale;
module_param(stale, uint, 0644);
MODULE_PARM_DESC(stale, "so many times CONNECTED is about another offer");

static int state_set(const char *text, const struct kernel_param *kp);
static const struct kernel_param_ops state_ops = { .set = state_set };
module_param_cb(state, &state_ops, NULL, 0200);
MODULE_PARM_DESC(state, "PVHV_DEV_xxx to be published for all devices, whatever it does to them");

#define RING_PAGES	5

struct badback {
	struct list_head list;
	struct pvhv_device *dev;
	struct mutex control;	/* states */
	struct mutex lock;	/* what follows */
	struct pvhv_area area;
	bool connected;
	struct pvhv_ring requests, responses;
	struct pvhv_map kept[PVHV_BLK_MAX_SEGS];
	struct pvhv_map maps[PVHV_BLK_MAX_SEGS];
	struct pvhv_blk_segment segs[PVHV_BLK_MAX_SEGS];
	unsigned int nr_kept;
};

static LIST_HEAD(badbacks);
static DEFINE_MUTEX(badbacks_lock);	/* the list */

static void respond(struct badback *b, u16 id, u16 status)
{
	struct pvhv_blk_response response = { .id = id, .status = status };

	if (pvhv_ring_room(&b->responses))
		pvhv_ring_put(&b->responses, &response, sizeof(response));
}

static void set_index(u32 *shared, u32 value)
{
	WRITE_ONCE(*shared, value);
}

/* A request that was mapped, and what is done to the frontend for it */
static void answer(struct badback *b, const struct pvhv_blk_request *r)
{
	unsigned int i;

	switch (READ_ONCE(mode)) {
	case ID_TOO_LARGE:
		respond(b, 0xffff, PVHV_BLK_S_OK);
		break;
	case ID_NOT_SENT:
		respond(b, r->id ^ 1, PVHV_BLK_S_OK);
		break;
	case TWICE:
		respond(b, r->id, PVHV_BLK_S_OK);
		respond(b, r->id, PVHV_BLK_S_OK);
		break;
	case PROD_TOO_FAR:
		set_index(&b->responses.shared->prod, b->responses.mine + b->responses.nr + 1);
		pvhv_area_notify(&b->area);
		break;
	case PROD_BACK:
		set_index(&b->responses.shared->prod, b->responses.mine - 1);
		pvhv_area_notify(&b->area);
		break;
	case CONS_TOO_FAR:
		set_index(&b->requests.shared->cons, b->requests.mine + b->requests.nr + 1);
		respond(b, r->id, PVHV_BLK_S_OK);
		break;
	case CONS_BACK:
		set_index(&b->requests.shared->cons, b->requests.mine - b->requests.nr);
		respond(b, r->id, PVHV_BLK_S_OK);
		break;
	case STATUS:
		respond(b, r->id, READ_ONCE(status));
		break;
	case SILENT:
		break;
	case STORM:
		for (i = 0; i < 1000; i++)
			pvhv_area_notify(&b->area);
		fallthrough;
	default:
		respond(b, r->id, PVHV_BLK_S_OK);
	}
}

static void drop_kept(struct badback *b)
{
	b->dev->tp->unmap(b->dev, b->kept, b->nr_kept, true);
	b->nr_kept = 0;
}

static unsigned int serve(struct badback *b)
{
	unsigned int i, n = 0, slots;
	struct pvhv_blk_request r;

	pvhv_ring_peek(&b->requests, 0, &r, sizeof(r));
	/* The frontend is good, here. */
	slots = pvhv_blk_slots(r.nr_segs);
	for (i = 0; i < r.nr_segs; i++) {
		if (i < PVHV_BLK_SEGS_FIRST)
			b->segs[i] = r.segs[i];
		else if (!((i - PVHV_BLK_SEGS_FIRST) % PVHV_BLK_SEGS_MORE))
			pvhv_ring_peek(&b->requests, ++n, &b->segs[i],
				       min_t(u32, r.nr_segs - i, PVHV_BLK_SEGS_MORE) *
				       sizeof(b->segs[0]));
		b->maps[i] = (struct pvhv_map) {
			.ref = b->segs[i].ref, .readonly = r.op == PVHV_BLK_WRITE,
		};
	}
	b->dev->tp->map(b->dev, b->maps, r.nr_segs, false);
	for (i = 0; i < r.nr_segs; i++)
		if (!b->maps[i].status && r.op == PVHV_BLK_READ)
			memset(page_address(b->maps[i].page) + b->segs[i].offset, 0,
			       b->segs[i].len);
	if (READ_ONCE(mode) == KEEP_PAGE && !b->nr_kept && r.nr_segs) {
		memcpy(b->kept, b->maps, r.nr_segs * sizeof(b->maps[0]));
		b->nr_kept = r.nr_segs;
	} else {
		b->dev->tp->unmap(b->dev, b->maps, r.nr_segs, r.op == PVHV_BLK_READ);
	}
	answer(b, &r);
	return slots;
}

static bool badback_event(void *data)
{
	struct badback *b = data;
	u32 slots;

	mutex_lock(&b->lock);
	while (b->connected && pvhv_ring_items(&b->requests)) {
		slots = serve(b);
		b->requests.mine += slots;
		if (READ_ONCE(mode) != CONS_TOO_FAR && READ_ONCE(mode) != CONS_BACK &&
		    pvhv_ring_pull(&b->requests))
			pvhv_area_notify(&b->area);
		if (pvhv_ring_push(&b->responses))
			pvhv_area_notify(&b->area);
	}
	if (b->connected)
		pvhv_ring_wait_items(&b->requests);
	mutex_unlock(&b->lock);
	return false;
}

static int badback_publish(struct badback *b, u32 state)
{
	struct pvhv_props *props = pvhv_props_alloc();
	int err;

	if (!props)
		return -ENOMEM;
	pvhv_prop_add(props, PVHV_PROP_NR_QUEUES, 0, 1);
	pvhv_prop_add(props, PVHV_PROP_RING_PAGES, 0, RING_PAGES);
	pvhv_prop_add(props, PVHV_BLK_SECTORS, 0, READ_ONCE(sectors));
	pvhv_prop_add(props, PVHV_BLK_LOGICAL, 0, READ_ONCE(logical));
	pvhv_prop_add(props, PVHV_BLK_SEGMENTS, 0, ~0ULL);
	pvhv_prop_add(props, PVHV_BLK_MAX_SECTORS, 0, ~0ULL);
	pvhv_prop_add(props, PVHV_BLK_FEATURES, 0, READ_ONCE(features));
	pvhv_prop_add(props, PVHV_BLK_DISCARD_GRAN, 0, 12345);
	pvhv_prop_add(props, PVHV_BLK_DISCARD_ALIGN, 0, ~0ULL);
	pvhv_prop_add(props, PVHV_BLK_DISCARD_MAX, 0, ~0ULL);
	pvhv_prop_add(props, PVHV_BLK_ZEROES_MAX, 0, ~0ULL);
	pvhv_prop_add(props, PVHV_BLK_PHYSICAL, 0, 12345);
	pvhv_prop_add(props, PVHV_BLK_IO_MIN, 0, ~0ULL);
	pvhv_prop_add(props, PVHV_BLK_IO_OPT, 0, ~0ULL);
	pvhv_prop_add(props, PVHV_BLK_SERIAL, 0, ~0ULL);
	pvhv_prop_add(props, 999, 999, ~0ULL);
	pvhv_offer_say(b->dev, props);
	err = pvhv_publish(b->dev, state, props);
	kfree(props);
	return err;
}

static void disconnect(struct badback *b)
{
	bool was;

	mutex_lock(&b->lock);
	was = b->connected;
	b->connected = false;
	mutex_unlock(&b->lock);
	if (was) {
		drop_kept(b);
		pvhv_area_destroy(&b->area);
	}
}

static void connect(struct badback *b)
{
	struct pvhv_ring_layout l = pvhv_ring_layout(RING_PAGES, sizeof(struct pvhv_blk_request),
						     sizeof(struct pvhv_blk_response));
	struct pvhv_props *props = pvhv_read_peer(b->dev, NULL);
	int err;

	if (IS_ERR(props))
		return;
	/* It may have begun anew unseen. */
	disconnect(b);
	pvhv_offer_take(b->dev, props);
	err = pvhv_area_accept(&b->area, b->dev, 0, props, badback_event, b, 0);
	kfree(props);
	if (err)
		return;
	pvhv_ring_init(&b->requests, b->area.addr + PVHV_RING_REQUEST_HEADER,
		       b->area.addr + l.requests, l.nr, sizeof(struct pvhv_blk_request));
	pvhv_ring_init(&b->responses, b->area.addr + PVHV_RING_RESPONSE_HEADER,
		       b->area.addr + l.responses, l.nr, sizeof(struct pvhv_blk_response));
	mutex_lock(&b->lock);
	b->connected = true;
	mutex_unlock(&b->lock);
	badback_publish(b, PVHV_DEV_CONNECTED);
	badback_event(b);
}

/* Say that it is connected, to what is offered or to what was offered @before that. */
static int pretend(struct badback *b, unsigned int before)
{
	return badoffer_take(b->dev, before) ?: badback_publish(b, PVHV_DEV_CONNECTED);
}

/* What this side has to say to the other's state. Called with b->control */
static void badback_answer(struct badback *b)
{
	struct pvhv_device *dev = b->dev;

	switch (dev->peer_state) {
	case PVHV_DEV_INITIALISING:
		disconnect(b);
		if (dev->state == PVHV_DEV_CONNECTED)
			pvhv_publish(dev, PVHV_DEV_CLOSED, NULL);
		if (dev->state == PVHV_DEV_CLOSED)
			badback_publish(b, PVHV_DEV_INIT_WAIT);
		break;
	case PVHV_DEV_INITIALISED:
		if (dev->state != PVHV_DEV_INIT_WAIT)
			break;
		if (!READ_ONCE(stale))
			connect(b);
		else if (!pretend(b, 1))
			WRITE_ONCE(stale, stale - 1);
		break;
	case PVHV_DEV_CLOSING:
	case PVHV_DEV_CLOSED:
		disconnect(b);
		if (dev->state != PVHV_DEV_CLOSED)
			pvhv_publish(dev, PVHV_DEV_CLOSED, NULL);
		break;
	}
	if (!(dev->flags & PVHV_DEV_ONLINE) && dev->state == PVHV_DEV_CONNECTED)
		badback_publish(b, PVHV_DEV_CLOSING);
}

static void badback_changed(struct pvhv_device *dev)
{
	struct badback *b = dev_get_drvdata(&dev->dev);

	mutex_lock(&b->control);
	badback_answer(b);
	mutex_unlock(&b->control);
}

static int state_set(const char *text, const struct kernel_param *kp)
{
	struct badback *b;
	u32 state;
	int err = kstrtou32(text, 0, &state);

	if (err)
		return err;
	mutex_lock(&badbacks_lock);
	list_for_each_entry(b, &badbacks, list) {
		mutex_lock(&b->control);
		err = state == PVHV_DEV_CONNECTED ? pretend(b, 0) : badback_publish(b, state);
		/* A frontend that is INITIALISING already will not say so again. */
		if (!err && state == PVHV_DEV_CLOSED)
			badback_answer(b);
		mutex_unlock(&b->control);
	}
	mutex_unlock(&badbacks_lock);
	return err;
}

static int badback_probe(struct pvhv_device *dev)
{
	struct badback *b = kzalloc(sizeof(*b), GFP_KERNEL);
	int err;

	if (!b)
		return -ENOMEM;
	b->dev = dev;
	mutex_init(&b->control);
	mutex_init(&b->lock);
	dev_set_drvdata(&dev->dev, b);
	err = badback_publish(b, PVHV_DEV_INIT_WAIT);
	if (err) {
		kfree(b);
		return err;
	}
	mutex_lock(&badbacks_lock);
	list_add_tail(&b->list, &badbacks);
	mutex_unlock(&badbacks_lock);
	return 0;
}

static void badback_remove(struct pvhv_device *dev)
{
	struct badback *b = dev_get_drvdata(&dev->dev);

	mutex_lock(&badbacks_lock);
	list_del(&b->list);
	mutex_unlock(&badbacks_lock);
	disconnect(b);
	kfree(b);
}

static struct pvhv_driver badback_driver = {
	.driver = {
		.name = "pvhv-badback",
	},
	.class = PVHV_CLASS_BLOCK,
	.role = PVHV_ROLE_BACKEND,
	.probe = badback_probe,
	.changed = badback_changed,
	.remove = badback_remove,
};
module_pvhv_driver(badback_driver);

MODULE_DESCRIPTION("pvhv: a block backend that breaks the rules, for tests");
MODULE_LICENSE("GPL");
