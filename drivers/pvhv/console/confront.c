// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's end of its console: rings instead of hypercalls, once there is a backend.
 */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include <pvhv/bus.h>
#include <pvhv/conif.h>
#include "confront.h"

/**
 * struct confront - a console's frontend
 * @pdev:	the device
 * @area:	the rings
 * @out:	what is printed; hvc_pvhv.c's lock for output
 * @in:		what is typed; that for input, like the next two
 * @slot:	of @in, being read
 * @slot_at:	bytes of it that have been
 * @lock:	@state and @seen
 * @state:	as last published
 * @seen:	generation of the peer's that was answered by an offer
 */
struct confront {
	struct pvhv_device *pdev;
	struct pvhv_area area;
	struct pvhv_ring out, in;
	struct pvhv_con_slot slot;
	unsigned int slot_at;
	struct mutex lock;		/* the next two */
	u32 state, seen;
};

int confront_write(struct confront *cf, const char *buf, int count)
{
	struct pvhv_con_slot slot;
	int done = 0;

	do {
		while (done < count && pvhv_ring_room(&cf->out)) {
			slot.len = min(count - done, PVHV_CON_SLOT_BYTES);
			memcpy(slot.data, buf + done, slot.len);
			pvhv_ring_put(&cf->out, &slot, 1 + slot.len);
			done += slot.len;
		}
		/* On the host this is the caller's work: there may be room afterwards. */
		if (pvhv_ring_push(&cf->out))
			pvhv_area_notify(&cf->area);
		if (cf->out.broken)
			return done ?: -1;
	} while (done < count && !pvhv_ring_wait_room(&cf->out, 1));
	return done;
}

int confront_read(struct confront *cf, char *buf, int count)
{
	int done = 0;

	while (done < count) {
		if (cf->slot_at < cf->slot.len) {
			int n = min_t(int, count - done, cf->slot.len - cf->slot_at);

			memcpy(buf + done, cf->slot.data + cf->slot_at, n);
			cf->slot_at += n;
			done += n;
			continue;
		}
		if (!pvhv_ring_items(&cf->in) && pvhv_ring_wait_items(&cf->in))
			break;
		cf->slot_at = 0;
		pvhv_ring_get(&cf->in, &cf->slot, sizeof(cf->slot));
		if (cf->slot.len > PVHV_CON_SLOT_BYTES) {
			cf->slot.len = 0;
			cf->in.broken = 1;
			break;
		}
	}
	if (pvhv_ring_pull(&cf->in))
		pvhv_area_notify(&cf->area);
	return done ?: cf->in.broken ? -1 : 0;
}

int confront_left(struct confront *cf, char *buf)
{
	struct pvhv_con_slot slot;
	struct pvhv_ring ring;
	int left = 0;

	/* Where has the backend stopped? It could still write there, so the slots are copied. */
	pvhv_ring_room(&cf->out);
	ring = cf->out;
	ring.mine = ring.theirs;
	while (!ring.broken && ring.mine != cf->out.mine) {
		pvhv_ring_get(&ring, &slot, sizeof(slot));
		if (slot.len > PVHV_CON_SLOT_BYTES)
			break;
		memcpy(buf + left, slot.data, slot.len);
		left += slot.len;
	}
	return left;
}

static bool confront_event(void *data)
{
	pvhv_console_poll();
	return false;
}

/* ---- states ---- */

static int publish(struct confront *cf, u32 state, const struct pvhv_props *p)
{
	int err = pvhv_publish(cf->pdev, state, p);

	if (!err)
		cf->state = state;
	return err;
}

static void close_device(struct confront *cf)
{
	pvhv_console_leave(cf);
	pvhv_area_destroy(&cf->area);
	if (cf->state != PVHV_DEV_CLOSED)
		publish(cf, PVHV_DEV_CLOSED, NULL);
	/* Output may have waited for room in the ring. */
	pvhv_console_poll();
}

static void reopen(struct confront *cf)
{
	close_device(cf);
	if (cf->pdev->flags & PVHV_DEV_ONLINE && !(cf->pdev->flags & PVHV_DEV_PEER_DEAD))
		publish(cf, PVHV_DEV_INITIALISING, NULL);
}

static int offer(struct confront *cf)
{
	struct pvhv_ring_layout l = pvhv_ring_layout(PVHV_CON_RING_PAGES,
						     sizeof(struct pvhv_con_slot),
						     sizeof(struct pvhv_con_slot));
	struct pvhv_props *p;
	int err = 0;
	u32 state;

	p = pvhv_read_peer(cf->pdev, &state);
	if (IS_ERR(p))
		return PTR_ERR(p);
	if (state != PVHV_DEV_INIT_WAIT)
		goto out;	/* there will be news */
	cf->seen = cf->pdev->generation;
	p->nr = 0;
	err = pvhv_area_create(&cf->area, cf->pdev, PVHV_CON_RING_PAGES, confront_event, cf,
			       PVHV_EVENT_ATOMIC);
	if (err)
		goto out;
	pvhv_ring_init(&cf->out, cf->area.addr + PVHV_RING_REQUEST_HEADER,
		       cf->area.addr + l.requests, l.nr, sizeof(struct pvhv_con_slot));
	pvhv_ring_init(&cf->in, cf->area.addr + PVHV_RING_RESPONSE_HEADER,
		       cf->area.addr + l.responses, l.nr, sizeof(struct pvhv_con_slot));
	cf->slot.len = 0;
	cf->slot_at = 0;
	pvhv_prop_add(p, PVHV_PROP_RING_PAGES, 0, PVHV_CON_RING_PAGES);
	pvhv_offer_make(cf->pdev, p);
	pvhv_area_offer(&cf->area, 0, p);
	err = publish(cf, PVHV_DEV_INITIALISED, p);
	if (err)
		pvhv_area_destroy(&cf->area);
out:
	kfree(p);
	return err;
}

/* The backend has mapped them. */
static int connect(struct confront *cf)
{
	struct pvhv_props *p;
	int err = 0;
	u32 state;

	/* It has been closed, and that could not be published. */
	if (!cf->area.dev)
		return -ENODEV;
	p = pvhv_read_peer(cf->pdev, &state);
	if (IS_ERR(p))
		return PTR_ERR(p);
	if (state != PVHV_DEV_CONNECTED)
		goto out;	/* there will be news */
	if (!pvhv_offer_taken(cf->pdev, p)) {
		reopen(cf);
		goto out;
	}
	pvhv_console_use(cf);
	err = publish(cf, PVHV_DEV_CONNECTED, NULL);
	/* What has come before, and output that has waited for a hypercall */
	pvhv_console_poll();
out:
	kfree(p);
	return err;
}

static void confront_changed(struct pvhv_device *pdev)
{
	struct confront *cf = dev_get_drvdata(&pdev->dev);
	int err = 0;

	mutex_lock(&cf->lock);
	switch (pdev->peer_state) {
	case PVHV_DEV_INITIALISING:
	case PVHV_DEV_INIT_WAIT:
		/* A new one; we have not seen the end of the last one. */
		if (cf->state != PVHV_DEV_INITIALISING &&
		    (cf->state != PVHV_DEV_INITIALISED || pdev->generation != cf->seen))
			reopen(cf);
		if (pdev->peer_state == PVHV_DEV_INIT_WAIT && cf->state == PVHV_DEV_INITIALISING)
			err = offer(cf);
		break;
	case PVHV_DEV_CONNECTED:
		if (cf->state == PVHV_DEV_INITIALISED)
			err = connect(cf);
		break;
	case PVHV_DEV_CLOSING:
		/*
		 * For good: it says that we have broken a rule. Hypercalls go on. But what
		 * has not been offered yet breaks none: it is about the last time.
		 */
		if (cf->state != PVHV_DEV_INITIALISING)
			close_device(cf);
		break;
	case PVHV_DEV_CLOSED:
		if (cf->state != PVHV_DEV_INITIALISING && cf->state != PVHV_DEV_CLOSED)
			reopen(cf);
		break;
	}
	if (err) {
		dev_err_ratelimited(&pdev->dev, "cannot connect: error %d\n", err);
		close_device(cf);
	}
	mutex_unlock(&cf->lock);
}

static int confront_probe(struct pvhv_device *pdev)
{
	struct confront *cf = kzalloc(sizeof(*cf), GFP_KERNEL);

	if (!cf)
		return -ENOMEM;
	cf->pdev = pdev;
	cf->state = PVHV_DEV_INITIALISING;
	mutex_init(&cf->lock);
	dev_set_drvdata(&pdev->dev, cf);
	return 0;
}

static void confront_remove(struct pvhv_device *pdev)
{
	struct confront *cf = dev_get_drvdata(&pdev->dev);

	/* The backend takes what is in the ring when it hears of this. */
	pvhv_console_use(NULL);
	pvhv_area_destroy(&cf->area);
	pvhv_console_poll();
	kfree(cf);
}

static struct pvhv_driver confront_driver = {
	.driver.name	= "pvhv-confront",
	.class		= PVHV_CLASS_CONSOLE,
	.role		= PVHV_ROLE_FRONTEND,
	.probe		= confront_probe,
	.changed	= confront_changed,
	.remove		= confront_remove,
};
module_pvhv_driver(confront_driver);
