// SPDX-License-Identifier: GPL-2.0
/*
 * The host's end of a guest's console: rings on one side, the queues behind the owner's
 * descriptor (../core/console.c) on the other.
 *
 * Bytes move when the guest notifies and when the owner has read or written; both call
 * pump(), which moves what there is room for. Output that finds none stays in the ring,
 * and the guest finds that full.
 */
#define pr_fmt(fmt) "pvhv: " fmt

#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include <pvhv/bus.h>
#include <pvhv/conif.h>
#include "../core/console.h"
#include "conback.h"

/**
 * struct conback - a console's backend
 * @pdev:	the device
 * @con:	the domain's queues
 * @lock:	what follows; inside of the queues' own pump lock
 * @area:	the rings
 * @out:	what the guest prints
 * @in:		what is typed
 * @live:	the rings may be used
 * @broken:	what the guest did, NULL: nothing wrong
 * @bytes_out:	statistics
 * @bytes_in:	likewise
 * @state_lock:	@state; outside of all others
 * @state:	as last published
 * @work:	publishes that it is broken
 */
struct conback {
	struct pvhv_device *pdev;
	struct pvhv_console *con;
	struct mutex lock;		/* the next six */
	struct pvhv_area area;
	struct pvhv_ring out, in;
	bool live;
	const char *broken;
	u64 bytes_out, bytes_in;
	struct mutex state_lock;	/* the next one */
	u32 state;
	struct work_struct work;
};

/*
 * From the ring to the owner, until it is empty, and then the guest tells of the next slot;
 * or until there is no room, and then the owner does. No slot is given back in between, so
 * a ring full of them is the most that there can be. Return: true if some is left.
 */
static bool move_output(struct conback *cb, bool last)
{
	struct pvhv_con_slot slot;

	while (pvhv_ring_items(&cb->out) || !pvhv_ring_wait_items(&cb->out)) {
		pvhv_ring_peek(&cb->out, 0, &slot, sizeof(slot));
		if (!slot.len || slot.len > PVHV_CON_SLOT_BYTES) {
			cb->broken = "a slot of a bad length";
			return false;
		}
		if (!pvhv_console_put(cb->con, slot.data, slot.len, last))
			return true;
		pvhv_ring_get(&cb->out, &slot, 0);
		cb->bytes_out += slot.len;
	}
	return false;
}

/* From the owner to the ring */
static void move_input(struct conback *cb)
{
	struct pvhv_con_slot slot;

	while (pvhv_ring_room(&cb->in) || !pvhv_ring_wait_room(&cb->in, 1)) {
		slot.len = pvhv_console_take(cb->con, slot.data, PVHV_CON_SLOT_BYTES);
		if (!slot.len || cb->in.broken)
			break;
		pvhv_ring_put(&cb->in, &slot, 1 + slot.len);
		cb->bytes_in += slot.len;
	}
}

/* Return: true if output is left that found no room. What is broken has none. */
static bool move(struct conback *cb, bool last)
{
	bool notify, left;

	mutex_lock(&cb->lock);
	if (!cb->live) {
		mutex_unlock(&cb->lock);
		return false;
	}
	left = move_output(cb, last);
	move_input(cb);
	notify = pvhv_ring_pull(&cb->out);
	notify |= pvhv_ring_push(&cb->in);
	if (cb->out.broken || cb->in.broken)
		cb->broken = "a bad ring index";
	if (cb->broken) {
		cb->live = false;
		left = false;
		queue_work(cb->pdev->wq, &cb->work);
	} else if (notify) {
		pvhv_area_notify(&cb->area);
	}
	mutex_unlock(&cb->lock);
	return left;
}

static bool conback_event(void *data)
{
	move(data, false);
	return false;
}

static bool conback_pump(void *data)
{
	return move(data, false);
}

/* ---- states ---- */

static int publish(struct conback *cb, u32 state)
{
	struct pvhv_props *p = NULL;
	int err;

	if (state == PVHV_DEV_INIT_WAIT || state == PVHV_DEV_CONNECTED) {
		p = pvhv_props_alloc();
		if (!p)
			return -ENOMEM;
		pvhv_prop_add(p, PVHV_PROP_RING_PAGES, 0, PVHV_CON_RING_PAGES);
		pvhv_offer_say(cb->pdev, p);
	}
	err = pvhv_publish(cb->pdev, state, p);
	if (!err)
		cb->state = state;
	kfree(p);
	return err;
}

static void disconnect(struct conback *cb)
{
	if (!cb->area.dev)
		return;
	/* What the guest has printed is not lost with it. */
	move(cb, true);
	pvhv_console_detach(cb->con);
	mutex_lock(&cb->lock);
	cb->live = false;
	mutex_unlock(&cb->lock);
	pvhv_area_destroy(&cb->area);
}

static void close_device(struct conback *cb)
{
	disconnect(cb);
	if (cb->state != PVHV_DEV_CLOSED)
		publish(cb, PVHV_DEV_CLOSED);
}

static int connect(struct conback *cb)
{
	struct pvhv_ring_layout l;
	struct pvhv_props *p;
	u32 state;
	int err;

	p = pvhv_read_peer(cb->pdev, &state);
	if (IS_ERR(p))
		return PTR_ERR(p);
	err = -EAGAIN;
	if (state != PVHV_DEV_INITIALISED)
		goto out;	/* there will be news */
	err = -EPROTO;
	if (pvhv_prop_get(p, PVHV_PROP_RING_PAGES, 0, 0) > PVHV_CON_RING_PAGES)
		goto out;
	err = pvhv_area_accept(&cb->area, cb->pdev, 0, p, conback_event, cb, 0);
	if (err)
		goto out;

	l = pvhv_ring_layout(cb->area.nr_pages, sizeof(struct pvhv_con_slot),
			     sizeof(struct pvhv_con_slot));
	mutex_lock(&cb->lock);
	pvhv_ring_init(&cb->out, cb->area.addr + PVHV_RING_REQUEST_HEADER,
		       cb->area.addr + l.requests, l.nr, sizeof(struct pvhv_con_slot));
	pvhv_ring_init(&cb->in, cb->area.addr + PVHV_RING_RESPONSE_HEADER,
		       cb->area.addr + l.responses, l.nr, sizeof(struct pvhv_con_slot));
	cb->broken = NULL;
	cb->live = pvhv_ring_unused(&cb->out, &cb->in);
	mutex_unlock(&cb->lock);
	if (!cb->live) {
		pvhv_area_destroy(&cb->area);
		err = -ESTALE;
		goto out;
	}
	pvhv_console_attach(cb->con, conback_pump, cb);
	/* Events before this were lost. */
	move(cb, false);
	pvhv_offer_take(cb->pdev, p);
	err = publish(cb, PVHV_DEV_CONNECTED);
	if (err)
		disconnect(cb);
out:
	kfree(p);
	return err;
}

static void conback_changed(struct pvhv_device *pdev)
{
	struct conback *cb = dev_get_drvdata(&pdev->dev);
	int err;

	mutex_lock(&cb->state_lock);
	if (pdev->flags & PVHV_DEV_PEER_DEAD) {
		close_device(cb);
		goto out;
	}
	switch (pdev->peer_state) {
	case PVHV_DEV_INITIALISING:
		if (cb->state == PVHV_DEV_INIT_WAIT)
			break;
		close_device(cb);
		publish(cb, PVHV_DEV_INIT_WAIT);
		break;
	case PVHV_DEV_INITIALISED:
		/* A guest can do this as often as it likes: nothing is printed. */
		if (cb->state != PVHV_DEV_INIT_WAIT)
			break;
		err = connect(cb);
		if (err && err != -EAGAIN)
			publish(cb, PVHV_DEV_CLOSING);
		break;
	case PVHV_DEV_CLOSING:
	case PVHV_DEV_CLOSED:
		if (cb->state != PVHV_DEV_INIT_WAIT)
			close_device(cb);
		break;
	}
out:
	mutex_unlock(&cb->state_lock);
}

static void conback_work(struct work_struct *work)
{
	struct conback *cb = container_of(work, struct conback, work);

	mutex_lock(&cb->state_lock);
	if (cb->broken && cb->state == PVHV_DEV_CONNECTED)
		publish(cb, PVHV_DEV_CLOSING);
	mutex_unlock(&cb->state_lock);
}

/* ---- coming and going ---- */

static int conback_probe(struct pvhv_device *pdev)
{
	struct conback *cb;
	int err;

	if (!pdev->config || !pdev->config->console)
		return -EINVAL;
	cb = kzalloc(sizeof(*cb), GFP_KERNEL_ACCOUNT);
	if (!cb)
		return -ENOMEM;
	cb->pdev = pdev;
	cb->con = pdev->config->console;
	cb->state = PVHV_DEV_INITIALISING;
	mutex_init(&cb->lock);
	mutex_init(&cb->state_lock);
	INIT_WORK(&cb->work, conback_work);
	dev_set_drvdata(&pdev->dev, cb);
	err = publish(cb, PVHV_DEV_INIT_WAIT);
	if (err)
		kfree(cb);
	return err;
}

static void conback_remove(struct pvhv_device *pdev)
{
	struct conback *cb = dev_get_drvdata(&pdev->dev);

	mutex_lock(&cb->state_lock);
	disconnect(cb);
	cb->state = PVHV_DEV_CLOSED;
	mutex_unlock(&cb->state_lock);
	cancel_work_sync(&cb->work);
	kfree(cb);
}

static ssize_t bytes_out_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct conback *cb = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%llu\n", READ_ONCE(cb->bytes_out));
}
static DEVICE_ATTR_RO(bytes_out);

static ssize_t bytes_in_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct conback *cb = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%llu\n", READ_ONCE(cb->bytes_in));
}
static DEVICE_ATTR_RO(bytes_in);

static struct attribute *conback_attrs[] = {
	&dev_attr_bytes_out.attr,
	&dev_attr_bytes_in.attr,
	NULL
};
ATTRIBUTE_GROUPS(conback);

static struct pvhv_driver conback_driver = {
	.driver = {
		.name		= "pvhv-conback",
		.dev_groups	= conback_groups,
	},
	.class		= PVHV_CLASS_CONSOLE,
	.role		= PVHV_ROLE_BACKEND,
	.probe		= conback_probe,
	.changed	= conback_changed,
	.remove		= conback_remove,
};

int pvhv_conback_init(void)
{
	return pvhv_register_driver(&conback_driver);
}

void pvhv_conback_exit(void)
{
	pvhv_unregister_driver(&conback_driver);
}
