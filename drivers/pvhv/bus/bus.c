// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv bus: devices, drivers, and when a driver is called.
 *
 * The device lock of the driver model serialises a driver's callbacks: probe
 * and remove are called with it held anyway, and changed is called by a work
 * item that takes it. What the transport reports in between is only
 * remembered, so any number of changes before the work item runs are one.
 */
#define pr_fmt(fmt) "pvhv: " fmt

#include <linux/err.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "bus.h"

/**
 * struct pvhv_bus_device - a device and what only the bus knows of it
 * @pd:		what drivers see
 * @work:	calls the driver's changed()
 * @lock:	protects the rest; taken in any context
 * @state:	the other side's, as last reported by the transport
 * @generation:	likewise
 * @flags:	likewise
 * @going:	the transport has removed the device: nothing is queued any more
 */
struct pvhv_bus_device {
	struct pvhv_device pd;
	struct work_struct work;
	spinlock_t lock;	/* what follows */
	u32 state;
	u32 generation;
	u32 flags;
	bool going;
};

#define to_bus_device(d)	container_of(d, struct pvhv_bus_device, pd)
#define to_pvhv_driver(d)	container_of(d, struct pvhv_driver, driver)

static struct workqueue_struct *bus_wq;
static struct device *bus_root;
/* Devices that are not freed yet, though they may have left the bus */
static atomic_t nr_devices = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(nr_devices_wq);

/* ---- sysfs, names, modprobe ---- */

static const char *class_name(u32 class)
{
	switch (class) {
	case PVHV_CLASS_BLOCK:	return "blk";
	case PVHV_CLASS_NET:	return "net";
	case PVHV_CLASS_CONSOLE: return "con";
	}
	return NULL;
}

static const char *state_name(u32 state)
{
	static const char * const names[] = {
		[PVHV_DEV_INITIALISING]	= "initialising",
		[PVHV_DEV_INIT_WAIT]	= "init-wait",
		[PVHV_DEV_INITIALISED]	= "initialised",
		[PVHV_DEV_CONNECTED]	= "connected",
		[PVHV_DEV_CLOSING]	= "closing",
		[PVHV_DEV_CLOSED]	= "closed",
	};

	return state < ARRAY_SIZE(names) && names[state] ? names[state] : "unknown";
}

static ssize_t class_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const char *name = class_name(to_pvhv_device(dev)->class);

	return name ? sysfs_emit(buf, "%s\n", name) :
		      sysfs_emit(buf, "%u\n", to_pvhv_device(dev)->class);
}
static DEVICE_ATTR_RO(class);

static ssize_t role_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", to_pvhv_device(dev)->role == PVHV_ROLE_FRONTEND ?
			  "frontend" : "backend");
}
static DEVICE_ATTR_RO(role);

static ssize_t index_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", to_pvhv_device(dev)->index);
}
static DEVICE_ATTR_RO(index);

static ssize_t peer_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", (__force u32)to_pvhv_device(dev)->peer);
}
static DEVICE_ATTR_RO(peer);

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", state_name(READ_ONCE(to_pvhv_device(dev)->state)));
}
static DEVICE_ATTR_RO(state);

static ssize_t peer_state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", state_name(READ_ONCE(to_pvhv_device(dev)->peer_state)));
}
static DEVICE_ATTR_RO(peer_state);

static ssize_t modalias_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct pvhv_device *pd = to_pvhv_device(dev);

	return sysfs_emit(buf, "pvhv:c%ur%u\n", pd->class, pd->role);
}
static DEVICE_ATTR_RO(modalias);

static struct attribute *pvhv_dev_attrs[] = {
	&dev_attr_class.attr,
	&dev_attr_role.attr,
	&dev_attr_index.attr,
	&dev_attr_peer.attr,
	&dev_attr_state.attr,
	&dev_attr_peer_state.attr,
	&dev_attr_modalias.attr,
	NULL
};
ATTRIBUTE_GROUPS(pvhv_dev);

static int pvhv_bus_uevent(struct device *dev, struct kobj_uevent_env *env)
{
	struct pvhv_device *pd = to_pvhv_device(dev);

	return add_uevent_var(env, "MODALIAS=pvhv:c%ur%u", pd->class, pd->role);
}

/* A frontend's index is unique among its devices; a backend has many frontends. */
static int set_name(struct pvhv_device *pd)
{
	const char *name = class_name(pd->class);
	char number[16];

	if (!name) {
		snprintf(number, sizeof(number), "c%u", pd->class);
		name = number;
	}
	if (pd->role == PVHV_ROLE_FRONTEND)
		return dev_set_name(&pd->dev, "pvhv-%s-front-%u", name, pd->index);
	return dev_set_name(&pd->dev, "pvhv-%s-back-%u-%u", name, (__force u32)pd->peer,
			    pd->index);
}

/* ---- drivers ---- */

static int pvhv_bus_match(struct device *dev, struct device_driver *driver)
{
	struct pvhv_device *pd = to_pvhv_device(dev);
	struct pvhv_driver *drv = to_pvhv_driver(driver);

	return drv->class == pd->class && drv->role == pd->role;
}

/* Let the driver see what the transport has reported */
static void take_news(struct pvhv_bus_device *b)
{
	struct pvhv_device *pd = &b->pd;
	unsigned long flags;

	device_lock_assert(&pd->dev);
	spin_lock_irqsave(&b->lock, flags);
	WRITE_ONCE(pd->peer_state, b->state);
	WRITE_ONCE(pd->flags, b->flags);
	pd->generation = b->generation;
	spin_unlock_irqrestore(&b->lock, flags);
}

/* What a driver allocates for a frontend, with GFP_KERNEL_ACCOUNT, is the owner's. */
static struct mem_cgroup *charge_owner(const struct pvhv_device *pd)
{
	return set_active_memcg(pd->config ? pd->config->memcg : NULL);
}

static void changed_work(struct work_struct *work)
{
	struct pvhv_bus_device *b = container_of(work, struct pvhv_bus_device, work);
	struct device *dev = &b->pd.dev;
	struct mem_cgroup *memcg;

	device_lock(dev);
	take_news(b);
	memcg = charge_owner(&b->pd);
	/* Under the lock, a driver that is there has been probed. */
	if (dev->driver)
		to_pvhv_driver(dev->driver)->changed(&b->pd);
	set_active_memcg(memcg);
	device_unlock(dev);
}

static void call_changed(struct pvhv_bus_device *b)
{
	unsigned long flags;

	spin_lock_irqsave(&b->lock, flags);
	if (!b->going)
		queue_work(b->pd.wq, &b->work);
	spin_unlock_irqrestore(&b->lock, flags);
}

static int pvhv_bus_probe(struct device *dev)
{
	struct pvhv_device *pd = to_pvhv_device(dev);
	struct pvhv_bus_device *b = to_bus_device(pd);
	struct mem_cgroup *memcg = charge_owner(pd);
	int err = 0;

	take_news(b);
	/* What the last driver has left behind */
	if (pd->state != PVHV_DEV_INITIALISING)
		err = pvhv_publish(pd, PVHV_DEV_INITIALISING, NULL);
	if (!err)
		err = to_pvhv_driver(dev->driver)->probe(pd);
	set_active_memcg(memcg);
	pd->error = err;
	if (err) {
		/* The peer need not wait for us, unless we come again soon. */
		if (err != -EPROBE_DEFER || pd->state != PVHV_DEV_INITIALISING)
			pvhv_publish(pd, PVHV_DEV_CLOSED, NULL);
		/* An owner is told, so the driver core need not fill the log for him. */
		return pd->config && err != -EPROBE_DEFER ? -ENODEV : err;
	}

	call_changed(b);
	return 0;
}

static void pvhv_bus_drv_remove(struct device *dev)
{
	struct pvhv_device *pd = to_pvhv_device(dev);

	/* Not by changed() when the device is going */
	take_news(to_bus_device(pd));
	to_pvhv_driver(dev->driver)->remove(pd);
	/* Fails if the device is gone from the registry, and then it is no news. */
	if (pd->state != PVHV_DEV_CLOSED)
		pvhv_publish(pd, PVHV_DEV_CLOSED, NULL);
}

struct bus_type pvhv_bus = {
	.name		= "pvhv",
	.dev_groups	= pvhv_dev_groups,
	.match		= pvhv_bus_match,
	.uevent		= pvhv_bus_uevent,
	.probe		= pvhv_bus_probe,
	.remove		= pvhv_bus_drv_remove,
};

/**
 * __pvhv_register_driver - add a driver, and probe the devices that it fits
 * @drv:	with name, class, role and all three callbacks
 * @owner:	its module
 *
 * Use pvhv_register_driver(). May sleep; probes may happen before it returns.
 *
 * Return: 0 or -errno; -ENODEV if this kernel has no pvhv bus, because it
 * does not run under pvhv.
 */
int __pvhv_register_driver(struct pvhv_driver *drv, struct module *owner)
{
	if (!bus_wq)
		return -ENODEV;
	drv->driver.bus = &pvhv_bus;
	drv->driver.owner = owner;
	return driver_register(&drv->driver);
}
EXPORT_SYMBOL_GPL(__pvhv_register_driver);

/**
 * pvhv_unregister_driver - remove a driver from its devices and forget it
 * @drv:	the driver
 *
 * May sleep. No callback runs afterwards.
 */
void pvhv_unregister_driver(struct pvhv_driver *drv)
{
	driver_unregister(&drv->driver);
}
EXPORT_SYMBOL_GPL(pvhv_unregister_driver);

/* ---- transports ---- */

static void pvhv_device_release(struct device *dev)
{
	kfree(to_bus_device(to_pvhv_device(dev)));
	if (atomic_dec_and_test(&nr_devices))
		wake_up_all(&nr_devices_wq);
}

/**
 * pvhv_bus_add - a device of this kernel's has appeared
 * @tp:		how its driver reaches the peer
 * @tp_data:	@tp_data of the device, the transport's own
 * @info:	what it is, and the other side's state
 * @config:	@config of the device; must stay until pvhv_bus_remove() returns
 * @wq:		@wq of the device; likewise; NULL: the bus's
 * @io_wq:	@io_wq of the device; likewise; NULL: @wq
 *
 * May sleep, and may probe a driver before it returns. The transport must be
 * able to serve @tp for the device from now on, until pvhv_bus_remove() returns;
 * revoke() even until the device is freed.
 *
 * Return: the device, which is the caller's until pvhv_bus_remove(), or an
 * ERR_PTR: -EEXIST if there is one of its class, role, peer and index.
 */
struct pvhv_device *pvhv_bus_add(const struct pvhv_transport *tp, void *tp_data,
				 const struct pvhv_device_info *info,
				 const struct pvhv_device_config *config,
				 struct workqueue_struct *wq, struct workqueue_struct *io_wq)
{
	struct pvhv_bus_device *b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	struct pvhv_device *pd;
	int err;

	if (!b)
		return ERR_PTR(-ENOMEM);
	INIT_WORK(&b->work, changed_work);
	spin_lock_init(&b->lock);
	b->state = info->state;
	b->generation = info->generation;
	b->flags = info->flags;

	pd = &b->pd;
	pd->id = info->id;
	pd->class = info->class;
	pd->index = info->index;
	pd->role = info->role;
	pd->peer = info->peer;
	pd->tp = tp;
	pd->tp_data = tp_data;
	pd->config = config;
	pd->wq = wq ?: bus_wq;
	pd->io_wq = io_wq ?: pd->wq;
	pd->state = PVHV_DEV_INITIALISING;
	pd->peer_state = info->state;
	pd->generation = info->generation;
	pd->flags = info->flags;
	pd->dev.bus = &pvhv_bus;
	pd->dev.parent = bus_root;
	pd->dev.release = pvhv_device_release;
	atomic_inc(&nr_devices);
	device_initialize(&pd->dev);

	err = set_name(pd);
	if (!err)
		err = device_add(&pd->dev);
	if (err) {
		put_device(&pd->dev);
		return ERR_PTR(err);
	}
	return pd;
}
EXPORT_SYMBOL_GPL(pvhv_bus_add);

/**
 * pvhv_bus_changed - the other side of a device, or a flag, has changed
 * @dev:	the device
 * @info:	with the new state, generation and flags
 *
 * Any context. The driver is told later; changes that it has not seen yet are
 * one. @info of the latest call wins: the transport keeps the order.
 */
void pvhv_bus_changed(struct pvhv_device *dev, const struct pvhv_device_info *info)
{
	struct pvhv_bus_device *b = to_bus_device(dev);
	unsigned long flags;

	spin_lock_irqsave(&b->lock, flags);
	b->state = info->state;
	b->generation = info->generation;
	b->flags = info->flags;
	spin_unlock_irqrestore(&b->lock, flags);
	call_changed(b);
}
EXPORT_SYMBOL_GPL(pvhv_bus_changed);

/**
 * pvhv_bus_remove - a device is gone
 * @dev:	the device; may be freed when this returns
 *
 * At any time after pvhv_bus_add() has returned, once; but not from a
 * callback of the same device. May sleep: waits for a callback that is
 * running, then the driver's remove() is called.
 */
void pvhv_bus_remove(struct pvhv_device *dev)
{
	struct pvhv_bus_device *b = to_bus_device(dev);
	unsigned long flags;

	spin_lock_irqsave(&b->lock, flags);
	b->going = true;
	spin_unlock_irqrestore(&b->lock, flags);

	/*
	 * A callback waits as long as a disk of the host's does. We with it, but not in one long
	 * sleep for its lock, which the watchdog would take for a hang.
	 */
	while (work_busy(&b->work))
		schedule_timeout_idle(1);
	device_del(&dev->dev);
	/* work_busy() is no promise. If it runs now, it finds no driver any more. */
	cancel_work_sync(&b->work);
	put_device(&dev->dev);
}
EXPORT_SYMBOL_GPL(pvhv_bus_remove);

/* Wait for the calls of changed() that are due now, on the bus's queue */
void pvhv_bus_flush(void)
{
	flush_workqueue(bus_wq);
}

int pvhv_bus_init(void)
{
	struct workqueue_struct *wq;
	int err;

	/* Devices do not wait for each other; swap may be on one of them. */
	wq = alloc_workqueue("pvhv_bus", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!wq)
		return -ENOMEM;
	bus_root = root_device_register("pvhv");
	if (IS_ERR(bus_root)) {
		err = PTR_ERR(bus_root);
		goto wq;
	}
	err = bus_register(&pvhv_bus);
	if (err)
		goto root;
	bus_wq = wq;
	return 0;
root:
	root_device_unregister(bus_root);
wq:
	destroy_workqueue(wq);
	return err;
}

/* All devices and drivers must be gone; somebody may still hold a reference. */
void pvhv_bus_exit(void)
{
	pvhv_client_exit();
	wait_event(nr_devices_wq, !atomic_read(&nr_devices));
	bus_unregister(&pvhv_bus);
	root_device_unregister(bus_root);
	destroy_workqueue(bus_wq);
	bus_wq = NULL;
}
