/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pvhv-badnet: a network backend that breaks the rules. For tests of the frontend only.
 *
 * badnet.c		states and properties
 * badnet-io.c		packets, and what is wrong with them
 * badnet-grant.c	uses of grants that nobody permits
 */
#ifndef _PVHV_BADNET_H
#define _PVHV_BADNET_H

#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>

#include <pvhv/bus.h>
#include <pvhv/netif.h>
#include <pvhv/ring.h>

#define MAX_QUEUES	8
/* One page more than the largest packet has */
#define FRAME_PAGES	17
#define FRAME_LEN	(FRAME_PAGES * PAGE_SIZE)

struct badnet;

struct badnet_queue {
	struct badnet *b;
	struct pvhv_area tx_area, rx_area;
	struct pvhv_ring tx_req, tx_rsp, rx_req, rx_rsp;
};

/**
 * struct badnet - a device
 * @list:	in badnet_devices
 * @dev:	on the bus
 * @ndev:	for the launcher, which wants to turn it on
 * @control:	serialises the bus's callbacks and the parameter "state"
 * @lock:	protects the rest: the data path
 * @nr_queues:	connected
 * @q:		queues
 * @frame:	the packet that is looked at
 * @frags:	of a packet from the guest
 * @copies:	of fragments or buffers
 */
struct badnet {
	struct list_head list;
	struct pvhv_device *dev;
	struct net_device *ndev;
	struct mutex control;	/* states */
	struct mutex lock;	/* what follows */
	unsigned int nr_queues;
	struct badnet_queue q[MAX_QUEUES];
	void *frame;
	struct pvhv_net_frag frags[PVHV_NET_MAX_FRAGS];
	struct pvhv_copy copies[PVHV_NET_MAX_FRAGS];
};

/* badnet.c */
extern struct list_head badnet_devices;
extern struct mutex badnet_devices_lock;

/* badnet-io.c */
bool badnet_event(void *data);
void badnet_rings_init(struct badnet_queue *q);

/* badnet-grant.c */
void badnet_keep(struct badnet *b, pvhv_grant_t ref, bool readonly);
void badnet_drop_kept(void);
void badnet_guess_end(struct pvhv_device *dev);

#endif /* _PVHV_BADNET_H */
