/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pvhv-netback: a guest's network interface as a network device of this kernel.
 *
 * netback.c	control path: states, net_device, ethtool
 * netback-tx.c	what the guest transmits, and this kernel receives
 * netback-rx.c	what this kernel transmits, and the guest receives
 *
 * Names are the frontend's: tx is from the guest, rx to it.
 */
#ifndef _PVHV_NETBACK_H
#define _PVHV_NETBACK_H

#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "net.h"

/* Linear bytes of a packet from the guest: all headers that anybody looks at */
#define NETBACK_HEAD		256
/* Copies of a packet: a new one at each boundary of a buffer, a fragment, or a page in one */
#define NETBACK_MAX_COPIES	(2 * PVHV_NET_RX_SLOTS + 2 * (MAX_SKB_FRAGS + 1))

struct netback;

/* Counters have one writer at a time; a reader may see one of them a packet late. */
struct netback_stats {
	u64 tx_packets, tx_bytes;
	u64 tx_zerocopy;	/* packets whose payload was not copied here */
	u64 tx_orphaned;	/* of them those that the stack has copied */
	u64 tx_invalid;		/* broke a rule of the protocol */
	u64 tx_dropped;		/* no memory, the interface is down, or the poll too slow */
	u64 tx_events;		/* notifications from the guest */
	u64 tx_notified;	/* notifications to the guest */
	u64 tx_waited;		/* times that the handler waited for the poll */
	u64 rx_packets, rx_bytes;
	u64 rx_dropped;		/* nobody took them */
	u64 rx_deferred;	/* had to wait for the guest's memory */
	u64 rx_invalid;		/* lost by bad buffers */
	u64 rx_stopped;		/* times that buffers ran out */
	u64 rx_stalled;		/* times that too few came for stall_timeout */
	u64 rx_events;
	u64 rx_notified;
};

/**
 * struct netback_queue - a queue pair
 * @nb:		the device
 * @index:	number
 *
 * @tx_area:	area 2 * @index
 * @tx_mutex:	held by the handler of @tx_area's event
 * @tx_live:	packets are taken; under @tx_mutex
 * @tx:		@tx.req is the handler's, @tx.rsp is under @tx_lock
 * @tx_lock:	innermost; taken wherever an skb may be freed
 * @tx_batch:	the handler runs and will push the responses
 * @tx_promised: requests taken and not yet responded to
 * @tx_flight:	of them those whose pages are in an skb
 * @tx_tried:	packets that might be of them, of this period; this and the next two are the
 *		handler's
 * @tx_orphaned: @stats.tx_orphaned when it began
 * @tx_doubt:	too many of them were orphaned
 * @tx_idle:	wakes when @tx_flight is 0
 * @tx_skbs:	packets for the poll; its lock protects
 * @tx_waiting:	the sum of their truesize
 * @tx_room:	wakes when there are few of them
 * @tx_napi:	for GRO; enabled while the queue is connected
 *
 * @rx_area:	area 2 * @index + 1
 * @txq:	this kernel's queue for it; its lock protects all below
 * @rx_live:	packets are given
 * @rx:		both rings
 * @rx_skb:	a packet that @rx_work is about to copy; the queue is stopped, @rx is @rx_work's
 * @rx_stalled:	the guest takes nothing: drop
 * @rx_needed:	buffers for which the queue waits
 * @rx_since:	when it was stopped last; jiffies
 * @rx_waited:	jiffies that it was stopped for while @rx_taken packets were taken
 * @rx_taken:	see NETBACK_RX_PROGRESS
 * @rx_work:	copies with sleeping
 * @rx_stall:	runs when the queue has been stopped for too long
 * @copies:	of one packet
 * @ids:	of its buffers
 *
 * @stats:	by who holds the lock of the direction
 */
struct netback_queue {
	struct netback *nb;
	unsigned int index;

	struct pvhv_area tx_area;
	struct mutex tx_mutex;		/* the handler, and who stops it */
	bool tx_live;
	struct pvhv_net_rings tx;
	spinlock_t tx_lock;		/* responses */
	bool tx_batch;
	unsigned int tx_promised;
	unsigned int tx_flight;
	unsigned int tx_tried;
	u64 tx_orphaned;
	bool tx_doubt;
	wait_queue_head_t tx_idle;
	struct sk_buff_head tx_skbs;
	unsigned int tx_waiting;
	wait_queue_head_t tx_room;
	struct napi_struct tx_napi;

	struct pvhv_area rx_area;
	struct netdev_queue *txq;
	bool rx_live;
	struct pvhv_net_rings rx;
	struct sk_buff *rx_skb;
	bool rx_stalled;
	unsigned int rx_needed;
	unsigned long rx_since;
	unsigned long rx_waited;
	unsigned int rx_taken;
	struct work_struct rx_work;
	struct delayed_work rx_stall;
	struct pvhv_copy copies[NETBACK_MAX_COPIES];
	u16 ids[PVHV_NET_RX_SLOTS];

	struct netback_stats stats;
};

/**
 * struct netback - a device
 * @pdev:	on the bus
 * @ndev:	the interface
 * @lock:	serialises the control path; taken before the RTNL
 * @features:	PVHV_NET_F_xxx of the frontend
 * @state:	as last published
 * @stale:	generation of a frontend that belongs to an earlier backend; 0: none
 * @link:	what was published of PVHV_NET_LINK
 * @mtu:	and of PVHV_NET_MTU
 * @broken:	the frontend broke a rule that there is no recovery from; why
 * @nr_queues:	connected; 0: none
 * @nr_stalled:	queues that are stalled
 * @work:	publishes link and MTU, closes what is broken; again later if it cannot
 * @queues:	PVHV_NET_MAX_QUEUES or less
 */
struct netback {
	struct pvhv_device *pdev;
	struct net_device *ndev;
	struct mutex lock;		/* the control path */
	u64 features;
	u32 state;
	u32 stale;
	bool link;
	unsigned int mtu;
	const char *broken;
	unsigned int max_queues;
	unsigned int nr_queues;
	atomic_t nr_stalled;
	struct delayed_work work;
	struct netback_queue *queues;
};

/* netback.c */
void netback_break(struct netback *nb, const char *why);

/* netback-tx.c */
int netback_tx_init(void);
void netback_tx_exit(void);
bool netback_tx_event(void *data);
int netback_tx_poll(struct napi_struct *napi, int budget);
void netback_tx_start(struct netback_queue *q);
void netback_tx_stop(struct netback_queue *q);

/* netback-rx.c */
netdev_tx_t netback_start_xmit(struct sk_buff *skb, struct net_device *ndev);
bool netback_rx_event(void *data);
void netback_rx_init(struct netback_queue *q);
void netback_rx_start(struct netback_queue *q);
void netback_rx_stop(struct netback_queue *q);

#endif /* _PVHV_NETBACK_H */
