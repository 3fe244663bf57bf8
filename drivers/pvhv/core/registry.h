/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The registry's devices, as registry.c and the host's transport know them
 */
#ifndef _PVHV_CORE_REGISTRY_H
#define _PVHV_CORE_REGISTRY_H

#include <pvhv/bus.h>
#include "pvhv.h"

/**
 * struct pvhv_disk_queue - a domain's disks' workqueue
 * @wq:		with a rescuer, which is a thread that nobody is charged for: so one for all
 * @users:	the domain and its disks
 */
struct pvhv_disk_queue {
	struct workqueue_struct *wq;
	refcount_t users;
};

/**
 * struct pvhv_rside - a side of a device in the registry
 * @domid:	whose
 * @domain:	the same, NULL: the host, or it has ended; under registry_lock
 * @state:	PVHV_DEV_xxx
 * @generation:	changes with every publication and every change of flags
 * @nr_props:	entries of @props
 * @props:	as published, NULL if none
 */
struct pvhv_rside {
	pvhv_domid_t domid;
	struct pvhv_domain *domain;
	u32 state;
	u32 generation;
	u32 nr_props;
	struct pvhv_prop *props;
};

/**
 * struct pvhv_rdev - a device in the registry
 * @list:	all devices, under registry_lock
 * @id:		never used again
 * @class:	PVHV_CLASS_xxx
 * @index:	among the frontend's devices of this class
 * @flags:	PVHV_DEV_ONLINE, PVHV_DEV_PEER_DEAD
 * @visible:	made completely
 * @removing:	@remove is on its way
 * @side:	by role; under registry_lock
 * @bus:	the backend's on the host
 * @config:	for it
 * @grants:	the frontend's
 * @kept:	the frontend's domain, if its backend uses more of it than grants
 * @wq:		the domain's disks', or its own: what its backend does there may wait for the
 *		owner's memory or file, which may be a file system that does not answer
 * @disk_queue:	of a disk: what @wq is of
 * @remove:	takes it from the bus, then away; on @wq
 * @free:	lets go of @wq
 */
struct pvhv_rdev {
	struct list_head list;
	u32 id;
	u32 class;
	u32 index;
	u32 flags;
	bool visible;
	bool removing;
	struct pvhv_rside side[2];
	struct pvhv_device *bus;
	struct pvhv_device_config config;
	struct pvhv_grant_table *grants;
	struct pvhv_domain *kept;
	struct workqueue_struct *wq;
	struct pvhv_disk_queue *disk_queue;
	struct work_struct remove;
	struct work_struct free;
};

int pvhv_registry_publish(struct pvhv_rdev *rd, u32 role, u32 state,
			  const struct pvhv_prop *props, u32 nr);
void pvhv_registry_read(struct pvhv_rdev *rd, u32 role, struct pvhv_device_side *out);
/* ../bus/host.c */
extern const struct pvhv_transport pvhv_host_transport;

#endif /* _PVHV_CORE_REGISTRY_H */
