// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv bus, a guest's transport: the registry by hypercalls, start-up.
 *
 * The hypervisor says "something has changed" by PVHV_CAUSE_DEVICES. Then the
 * devices are listed, and compared with those that we know. One work item does
 * it, so there is no other order of events than that of the lists.
 */
#define pr_fmt(fmt) "pvhv: " fmt

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <asm/pvhv.h>
#include <asm/pvhv-hypercall.h>

#include "guest.h"

/* How long the boot waits for devices that have a driver, in seconds */
#define PVHV_BOOT_WAIT	10

/* ---- the registry ---- */

static int guest_publish(struct pvhv_device *dev, u32 state, const struct pvhv_prop *props,
			 unsigned int nr)
{
	struct pvhv_device_side *side;
	long ret;

	if (nr > PVHV_MAX_PROPS)
		return -ENOSPC;
	side = (void *)get_zeroed_page(GFP_KERNEL);
	if (!side)
		return -ENOMEM;
	side->state = state;
	side->nr_props = nr;
	if (nr)
		memcpy(side->props, props, nr * sizeof(*props));
	ret = pvhv_hypercall2(PVHV_HC_DEVICE_PUBLISH, dev->id, __pa(side));
	free_page((unsigned long)side);
	return ret;
}

static int guest_read_peer(struct pvhv_device *dev, struct pvhv_device_side *side)
{
	return pvhv_hypercall2(PVHV_HC_DEVICE_READ, dev->id, __pa(side));
}

static const struct pvhv_transport guest_transport = {
	.name		= "hypercall",
	.publish	= guest_publish,
	.read_peer	= guest_read_peer,
	.grant		= pvhv_guest_grant,
	.revoke		= pvhv_guest_revoke,
	.map		= pvhv_guest_map,
	.unmap		= pvhv_guest_unmap,
	.copy		= pvhv_guest_copy,
	.event_alloc	= pvhv_guest_event_alloc,
	.event_bind	= pvhv_guest_event_bind,
	.event_close	= pvhv_guest_event_close,
	.event_send	= pvhv_guest_event_send,
	.event_port	= pvhv_guest_event_port,
};

/* ---- which devices there are ---- */

/**
 * struct guest_device - a device that the bus knows
 * @list:	in guest_devices
 * @info:	as last listed
 * @dev:	on the bus
 * @listed:	by the list that is being looked at
 * @going:	@remove has been queued
 * @remove:	takes it from the bus, which may wait for its driver. Not in the scan,
 *		because the other devices should not wait as well
 */
struct guest_device {
	struct list_head list;
	struct pvhv_device_info info;
	struct pvhv_device *dev;
	bool listed;
	bool going;
	struct work_struct remove;
};

static LIST_HEAD(guest_devices);
static DEFINE_MUTEX(guest_devices_lock);

static void scan_work(struct work_struct *work);
static DECLARE_WORK(scan, scan_work);

static void request_scan(void)
{
	queue_work(system_unbound_wq, &scan);
}

static void remove_work(struct work_struct *work)
{
	struct guest_device *gd = container_of(work, struct guest_device, remove);

	pvhv_bus_remove(gd->dev);
	mutex_lock(&guest_devices_lock);
	list_del(&gd->list);
	mutex_unlock(&guest_devices_lock);
	kfree(gd);
	/* One of the same name may be waiting. */
	request_scan();
}

static struct guest_device *find_device(u32 id)
{
	struct guest_device *gd;

	list_for_each_entry(gd, &guest_devices, list)
		if (gd->info.id == id)
			return gd;
	return NULL;
}

/* Is there an older one that would have the same name? */
static bool name_taken(const struct pvhv_device_info *info)
{
	struct guest_device *gd;

	list_for_each_entry(gd, &guest_devices, list)
		if (gd->info.class == info->class && gd->info.index == info->index &&
		    gd->info.role == info->role && gd->info.peer == info->peer)
			return true;
	return false;
}

static void add_device(const struct pvhv_device_info *info)
{
	struct guest_device *gd = kzalloc(sizeof(*gd), GFP_KERNEL);
	struct pvhv_device *dev;

	if (!gd)
		return;
	dev = pvhv_bus_add(&guest_transport, gd, info, NULL, NULL, NULL);
	if (IS_ERR(dev)) {
		pr_warn("device %u of class %u: error %ld\n", info->index, info->class,
			PTR_ERR(dev));
		kfree(gd);
		return;
	}
	gd->info = *info;
	gd->dev = dev;
	gd->listed = true;
	INIT_WORK(&gd->remove, remove_work);
	list_add_tail(&gd->list, &guest_devices);
}

static void scan_list(const struct pvhv_device_info *infos, unsigned int nr)
{
	struct guest_device *gd;
	unsigned int i;

	list_for_each_entry(gd, &guest_devices, list)
		gd->listed = false;
	for (i = 0; i < nr; i++) {
		gd = find_device(infos[i].id);
		if (!gd)
			continue;
		gd->listed = true;
		if (gd->info.generation != infos[i].generation ||
		    gd->info.flags != infos[i].flags) {
			gd->info = infos[i];
			pvhv_bus_changed(gd->dev, &infos[i]);
		}
	}
	list_for_each_entry(gd, &guest_devices, list) {
		if (!gd->listed && !gd->going) {
			gd->going = true;
			queue_work(system_unbound_wq, &gd->remove);
		}
	}
	for (i = 0; i < nr; i++)
		if (!find_device(infos[i].id) && !name_taken(&infos[i]))
			add_device(&infos[i]);
}

static void scan_work(struct work_struct *work)
{
	struct pvhv_device_info *infos = (void *)__get_free_page(GFP_KERNEL);
	long nr = -ENOMEM;

	BUILD_BUG_ON(PVHV_DEVICES_PER_LIST * sizeof(*infos) > PAGE_SIZE);
	if (infos)
		nr = pvhv_hypercall1(PVHV_HC_DEVICE_LIST, __pa(infos));
	if (nr < 0) {
		pr_warn_ratelimited("cannot list devices: error %ld\n", nr);
	} else {
		mutex_lock(&guest_devices_lock);
		scan_list(infos, min_t(long, nr, PVHV_DEVICES_PER_LIST));
		mutex_unlock(&guest_devices_lock);
	}
	free_page((unsigned long)infos);
}

/* ---- start-up ---- */

static bool have_bus __initdata;

/* Before any driver is registered */
static int __init guest_bus_init(void)
{
	int err;

	if (!pvhv_guest())
		return 0;
	err = pvhv_guest_event_init();
	if (!err)
		err = pvhv_guest_grant_init();
	if (!err)
		err = pvhv_bus_init();
	/* An older hypervisor; drivers find no bus and say nothing. */
	if (err == -ENOSYS)
		return 0;
	have_bus = !err;
	return err;
}
postcore_initcall(guest_bus_init);

static int __init guest_devices_init(void)
{
	if (!have_bus)
		return 0;
	/* In this order, so that nothing is missed between them */
	pvhv_set_cause_handler(PVHV_CAUSE_DEVICES, request_scan);
	request_scan();
	return 0;
}
subsys_initcall(guest_devices_init);

/* A driver is there, and the device neither works nor is known not to */
static int __init is_coming_up(struct device *dev, void *data)
{
	struct pvhv_device *pd = to_pvhv_device(dev);
	u32 state = READ_ONCE(pd->state);

	if (!device_is_bound(dev) || pd->role != PVHV_ROLE_FRONTEND ||
	    !(READ_ONCE(pd->flags) & PVHV_DEV_ONLINE) || state >= PVHV_DEV_CONNECTED)
		return 0;
	*(const char **)data = dev_name(dev);
	return 1;
}

/*
 * The root file system may be on one of the devices, and the kernel mounts it
 * when it has done the initcalls. The peer is another kernel: it takes its time.
 */
static int __init guest_devices_wait(void)
{
	unsigned long end = jiffies + PVHV_BOOT_WAIT * HZ;
	const char *name;

	if (!have_bus)
		return 0;
	flush_work(&scan);
	while (bus_for_each_dev(&pvhv_bus, NULL, &name, is_coming_up)) {
		if (time_after(jiffies, end)) {
			pr_warn("%s is not connected after %u seconds; going on\n", name,
				PVHV_BOOT_WAIT);
			break;
		}
		msleep(20);
	}
	pvhv_bus_flush();
	return 0;
}
late_initcall(guest_devices_wait);
