/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pvhv-netfront: a guest's network interface.
 *
 * netfront.c	control path: states, net_device, ethtool
 * netfront-tx.c	transmission
 * netfront-rx.c	reception
 */
#ifndef _PVHV_NETFRONT_H
#define _PVHV_NETFRONT_H

#include <linux/mutex.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

#include "net.h"

/* Ring pages of an area: 512 slots to transmit, 256 to receive */
#define NETFRONT_RING_PAGES	4
/* Packets in flight at most. Each takes two slots or more. */
#define NETFRONT_TX_IDS		256
/* Buffers at most: the slots of NETFRONT_RING_PAGES */
#define NETFRONT_RX_IDS		256
/*
 * A packet's linear part goes through a buffer of its id, which is granted all
 * the time: the rest of a slab page is no business of the backend's, and
 * small packets need no grant.
 */
#define NETFRONT_HEAD		2048
#define NETFRONT_HEADS_PER_PAGE	(PAGE_SIZE / NETFRONT_HEAD)
#define NETFRONT_HEAD_PAGES	(NETFRONT_TX_IDS / NETFRONT_HEADS_PER_PAGE)
/* Received packets up to this are copied, and their buffer is used again */
#define NETFRONT_RX_COPY	256
/* Buffers are given back to the backend by so many */
#define NETFRONT_RX_BATCH	16
/* Jiffies until a lack of grants or memory may be over */
#define NETFRONT_RETRY		(HZ / 50 + 1)

struct netfront;

struct netfront_stats {
	u64 tx_packets, tx_bytes;
	u64 tx_dropped;
	u64 tx_errors;		/* refused by the backend */
	u64 tx_linearized;
	u64 tx_stopped;		/* times that the queue was full */
	u64 tx_no_grants;
	u64 tx_notified;	/* notifications to the backend */
	u64 tx_events;		/* interrupts */
	u64 rx_packets, rx_bytes;
	u64 rx_dropped;
	u64 rx_errors;
	u64 rx_no_memory;
	u64 rx_notified;
	u64 rx_events;
	u64 polls;
};

/* A packet in flight: pages granted for it alone, and the skb if it is needed */
struct netfront_tx {
	struct sk_buff *skb;
	bool used;
	unsigned int nr;
	pvhv_grant_t refs[PVHV_NET_MAX_FRAGS];
	struct page *pages[PVHV_NET_MAX_FRAGS];	/* each with a reference */
};

struct netfront_rx {
	struct page *page;
	pvhv_grant_t ref;
};

/**
 * struct netfront_queue - a queue pair
 * @nf:		the device
 * @index:	number
 * @napi:	polls both directions
 *
 * @tx_area:	area 2 * @index
 * @txq:	the stack's queue; its lock protects what follows
 * @tx_live:	connected
 * @tx:		both rings
 * @tx_poller:	the CPU that polls + 1: what it sends is pushed at the end of the poll
 * @tx_inflight: packets without a response
 * @nr_free:	ids in @free
 * @tx_retry:	wakes the queue when grants may be there again
 * @pkts:	by id
 * @heads:	pages of the linear parts
 * @head_refs:	their grants
 *
 * @rx_area:	area 2 * @index + 1
 * @rx:		both rings; all of this is the poll's
 * @rx_retry:	polls when memory may be there again
 * @rx_nr_free:	ids in @rx_free
 * @bufs:	by id
 */
struct netfront_queue {
	struct netfront *nf;
	unsigned int index;
	struct napi_struct napi;

	struct pvhv_area tx_area;
	struct netdev_queue *txq;
	bool tx_live;
	struct pvhv_net_rings tx;
	int tx_poller;
	unsigned int tx_inflight;
	unsigned int nr_free;
	u16 free[NETFRONT_TX_IDS];
	struct timer_list tx_retry;
	struct netfront_tx pkts[NETFRONT_TX_IDS];
	struct page *heads[NETFRONT_HEAD_PAGES];
	pvhv_grant_t head_refs[NETFRONT_HEAD_PAGES];

	struct pvhv_area rx_area;
	struct pvhv_net_rings rx;
	struct timer_list rx_retry;
	unsigned int rx_nr_free;
	u16 rx_free[NETFRONT_RX_IDS];
	struct netfront_rx bufs[NETFRONT_RX_IDS];

	struct netfront_stats stats;
};

/**
 * struct netfront - a device
 * @pdev:	on the bus
 * @ndev:	the interface; registered when the backend has told of it
 * @lock:	serialises the control path; taken before the RTNL
 * @state:	as last published
 * @seen:	generation of the backend that the queues were offered to
 * @features:	PVHV_NET_F_xxx of the backend
 * @link:	of the backend
 * @registered:	@ndev is
 * @connected:	queues may be used; under the RTNL
 * @running:	queues are used; under the RTNL
 * @broken:	the backend broke a rule; why
 * @max_queues:	allocated
 * @nr_queues:	connected
 * @work:	closes what is broken
 */
struct netfront {
	struct pvhv_device *pdev;
	struct net_device *ndev;
	struct mutex lock;	/* the control path */
	u32 state;
	u32 seen;
	u64 features;
	bool link;
	bool registered;
	bool connected;
	bool running;
	const char *broken;
	unsigned int max_queues;
	unsigned int nr_queues;
	struct netfront_queue *queues;
	struct work_struct work;
};

/* netfront.c */
void netfront_break(struct netfront *nf, const char *why);

/* netfront-tx.c */
netdev_tx_t netfront_start_xmit(struct sk_buff *skb, struct net_device *ndev);
bool netfront_tx_event(void *data);
void netfront_tx_poll_begin(struct netfront_queue *q);
void netfront_tx_poll_end(struct netfront_queue *q);
void netfront_tx_init(struct netfront_queue *q);
int netfront_tx_create(struct netfront_queue *q, unsigned int pages);
void netfront_tx_start(struct netfront_queue *q);
void netfront_tx_stop(struct netfront_queue *q);
void netfront_tx_destroy(struct netfront_queue *q);

/* netfront-rx.c */
int netfront_rx_poll(struct netfront_queue *q, int budget);
bool netfront_rx_event(void *data);
void netfront_rx_init(struct netfront_queue *q);
int netfront_rx_create(struct netfront_queue *q, unsigned int pages);
void netfront_rx_start(struct netfront_queue *q);
void netfront_rx_stop(struct netfront_queue *q);
void netfront_rx_destroy(struct netfront_queue *q);

#endif /* _PVHV_NETFRONT_H */
