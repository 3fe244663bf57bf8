/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The disks and network devices of a launcher's domain.
 *
 * They outlive the domain: one that the guest's reboot makes gets them again, in
 * their order. The numbers are the domain's own, so a disk may have another name
 * after a reboot if one before it was detached.
 */
#ifndef PVHV_TOOL_DEVICES_H
#define PVHV_TOOL_DEVICES_H

#include "domain.h"
#include "spec.h"

#define DEVICE_NAME_LEN	16

struct device {
	u32 class;			/* PVHV_CLASS_xxx */
	struct disk_spec disk;
	struct net_spec net;
	int fd;				/* of a disk's file */
	/* in the domain that there is now */
	bool plugged;
	bool leaving;			/* asked to go; not for the next domain */
	u32 id;
	u32 index;
	char ifname[DEVICE_NAME_LEN];
};

struct devices {
	unsigned int nr;
	struct device *dev[PVHV_MAX_DEVICES];
};

/*
 * A device that is not yet part of a domain; or NULL and @e. @domain is the name that
 * a MAC address is derived from.
 */
struct device *devices_new_disk(struct devices *ds, const struct disk_spec *spec,
				struct errmsg *e);
struct device *devices_new_net(struct devices *ds, const struct net_spec *spec,
			       const char *domain, struct errmsg *e);
void devices_drop(struct devices *ds, struct device *d);

/*
 * Give it to the domain. @again: its predecessor may not be all gone. 0, or @e and
 * -EINVAL: it cannot be had as asked for, -EIO: the host refuses.
 */
int device_plug(struct device *d, struct domain *dom, bool again, struct errmsg *e);
/* All; *culprit is the one that @e is about. */
int devices_plug_all(struct devices *ds, struct domain *dom, bool again, struct device **culprit,
		     struct errmsg *e);
/* The domain is gone, and with it those that were leaving. */
void devices_unplugged(struct devices *ds);
/*
 * Ask the guest to let go of it or, with @force, do not ask; it is forgotten when
 * devices_refresh() finds it gone.
 */
int device_unplug(struct device *d, struct domain *dom, bool force, struct errmsg *e);
/*
 * What the module says about each, in the order of @ds: id 0 if it does not know
 * the device. Forgets those that have left. 0 or -errno
 */
int devices_refresh(struct devices *ds, struct domain *dom,
		    struct pvhv_device_entry entries[PVHV_MAX_DEVICES]);

/* By name in the guest (a disk's) or in the host (a net's), by number or else by serial number */
struct device *devices_find(struct devices *ds, u32 class, const char *name);
unsigned int devices_count(const struct devices *ds, u32 class);

/* What it is called: "pvda" is in the guest, "vif3.0" in the host. */
void device_name(const struct device *d, char name[DEVICE_NAME_LEN]);
/* For messages: a disk's path, "--net" */
const char *device_label(const struct device *d);
/* "connected", "waiting", ... */
const char *device_state_name(const struct pvhv_device_entry *entry);

#endif
