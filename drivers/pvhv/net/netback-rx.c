// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv-netback: packets to the guest.
 *
 * A packet is copied into the guest's buffers as soon as the stack sends it, so
 * none is kept here: when buffers run out the queue stops, and the packets are
 * in its queueing discipline, where they are limited and accounted. Where the
 * guest's memory is not at hand the one packet waits for a worker that may
 * sleep, with the queue stopped.
 *
 * A guest that lets packets wait for stall_timeout seconds, and takes next to
 * nothing in that time, is stalled: all for it are dropped, and the interface has
 * no carrier if that is so of all its queues. The next buffers end it.
 */
#include <linux/mm.h>
#include <linux/module.h>

#include "netback.h"

static unsigned int stall_timeout = 10;
module_param(stall_timeout, uint, 0644);
MODULE_PARM_DESC(stall_timeout, "Seconds that packets wait for a guest before they are dropped");

/*
 * Packets that a guest must take before it may let others wait for stall_timeout once more. Not
 * buffers, of which one packet may need 17: what waits for it is counted in packets.
 */
#define NETBACK_RX_PROGRESS	128

/* Buffers that any packet needs; the queue runs while there are so many */
static unsigned int max_buffers(const struct netback *nb)
{
	const struct net_device *ndev = nb->ndev;

	if (ndev->features & NETIF_F_ALL_TSO)
		return PVHV_NET_RX_SLOTS;
	return DIV_ROUND_UP(READ_ONCE(ndev->mtu) + ETH_HLEN + VLAN_HLEN, PAGE_SIZE);
}

/*
 * Divide a packet into copies, none of which crosses a page here or a buffer
 * there. The buffers are the next in the ring; they stay in it.
 * Return: copies; 0 if they are more than there can be.
 */
static unsigned int plan(struct netback_queue *q, const struct sk_buff *skb)
{
	struct pvhv_net_rx_request req = { };
	unsigned int nr = 0, at = 0, frag;

	for (frag = 0; frag <= skb_shinfo(skb)->nr_frags; frag++) {
		unsigned int offset, left;
		struct page *page;

		if (!frag) {
			page = virt_to_page(skb->data);
			offset = offset_in_page(skb->data);
			left = skb_headlen(skb);
		} else {
			const skb_frag_t *f = &skb_shinfo(skb)->frags[frag - 1];

			page = skb_frag_page(f);
			offset = skb_frag_off(f);
			left = skb_frag_size(f);
		}
		page += offset / PAGE_SIZE;
		offset %= PAGE_SIZE;
		while (left) {
			unsigned int to = at % PAGE_SIZE, len;

			if (!to) {
				pvhv_ring_peek(&q->rx.req, at / PAGE_SIZE, &req, sizeof(req));
				q->ids[at / PAGE_SIZE] = req.id;
			}
			if (nr == NETBACK_MAX_COPIES)
				return 0;
			len = min3(left, (unsigned int)PAGE_SIZE - offset,
				   (unsigned int)PAGE_SIZE - to);
			q->copies[nr++] = (struct pvhv_copy) {
				.ref = req.ref, .offset = to, .page = page,
				.page_offset = offset, .len = len, .to_peer = true,
			};
			at += len;
			left -= len;
			offset += len;
			if (offset == PAGE_SIZE) {
				offset = 0;
				page++;
			}
		}
	}
	return nr;
}

/* The buffers of a packet go back, filled or not. */
static void put_responses(struct netback_queue *q, const struct sk_buff *skb, u16 status)
{
	unsigned int nr = DIV_ROUND_UP(skb->len, PAGE_SIZE), i, left = skb->len;
	struct pvhv_net_rx_response rsp;

	for (i = 0; i < nr; i++) {
		memset(&rsp, 0, sizeof(rsp));
		rsp.id = q->ids[i];
		rsp.status = status;
		rsp.more = nr - 1 - i;
		if (status == PVHV_NET_S_OK) {
			rsp.len = min_t(unsigned int, left, PAGE_SIZE);
			left -= rsp.len;
			if (!i) {
				pvhv_net_from_skb(skb, &rsp.packet);
				rsp.packet.nr_frags = nr;
			}
		}
		/* A frontend that gives more buffers than it has slots to get them back */
		if (!pvhv_ring_room(&q->rx.rsp))
			q->rx.rsp.broken = 1;
		else
			pvhv_ring_put(&q->rx.rsp, &rsp, sizeof(rsp));
	}
	/* Its slots are free for new buffers: two rings of one size. */
	q->rx.req.mine += nr;
	q->rx_taken++;
}

/* Responses become visible. Return: to be notified. */
static bool push(struct netback_queue *q)
{
	bool notify = pvhv_ring_pull(&q->rx.req);

	notify |= pvhv_ring_push(&q->rx.rsp);
	if (notify)
		q->stats.rx_notified++;
	return notify;
}

/* What became of the copies. Return: PVHV_NET_S_xxx, or -EAGAIN */
static int outcome(const struct netback_queue *q, unsigned int nr)
{
	int ret = PVHV_NET_S_OK;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (q->copies[i].status == -EAGAIN)
			ret = -EAGAIN;
		else if (q->copies[i].status)
			return PVHV_NET_S_INVALID;
	}
	return ret;
}

static void account(struct netback_queue *q, const struct sk_buff *skb, int status)
{
	if (status == PVHV_NET_S_OK) {
		q->stats.rx_packets++;
		q->stats.rx_bytes += skb->len;
	} else {
		q->stats.rx_invalid++;
	}
}

/*
 * The queue was stopped, or was so before and still is. Only the time that it is stopped counts,
 * over as many stops as it takes: else a guest that gives buffers for one packet just in time,
 * again and again, would keep other guests' packets for hours. Who is slow but refills his ring has
 * taken enough after a stop or two.
 */
static void start_wait(struct netback_queue *q)
{
	unsigned long timeout = READ_ONCE(stall_timeout) * HZ;

	if (q->rx_taken >= NETBACK_RX_PROGRESS) {
		q->rx_taken = 0;
		q->rx_waited = 0;
	}
	q->rx_since = jiffies;
	mod_delayed_work(system_wq, &q->rx_stall, timeout - min(timeout, q->rx_waited));
}

static void end_wait(struct netback_queue *q)
{
	q->rx_waited += jiffies - q->rx_since;
}

/*
 * Stop the queue unless there are buffers for any packet. Under its lock, with
 * everything pushed. Return: false if it was stopped, and will be woken.
 */
static bool check_room(struct netback_queue *q)
{
	q->rx_needed = max_buffers(q->nb);
	if (pvhv_ring_items(&q->rx.req) >= q->rx_needed)
		return true;
	netif_tx_stop_queue(q->txq);
	if (pvhv_ring_wait_more_items(&q->rx.req, q->rx_needed)) {
		q->stats.rx_stopped++;
		/* No event may ever come, and other guests' packets wait in our qdisc. */
		if (q->rx.req.broken)
			netback_break(q->nb, "bad ring index");
		else
			start_wait(q);
		return false;
	}
	netif_tx_start_queue(q->txq);
	return true;
}

/**
 * netback_start_xmit - a packet for the guest
 * @skb:	it
 * @ndev:	the interface
 *
 * Under the lock of the queue, bottom halves off.
 *
 * Return: NETDEV_TX_OK
 */
netdev_tx_t netback_start_xmit(struct sk_buff *skb, struct net_device *ndev)
{
	struct netback *nb = netdev_priv(ndev);
	struct netback_queue *q = &nb->queues[skb_get_queue_mapping(skb)];
	struct pvhv_net_packet unused;
	bool notify = false;
	unsigned int nr;
	int status;

	if (!q->rx_live || q->rx_skb)
		goto drop;
	/* Headers must be where the description says; frag_list is no feature of ours. */
	if (skb->len > PVHV_NET_MAX_LEN || skb->len < ETH_HLEN || skb_has_frag_list(skb) ||
	    pvhv_net_from_skb(skb, &unused))
		goto drop;
	if (pvhv_ring_items(&q->rx.req) < DIV_ROUND_UP(skb->len, PAGE_SIZE))
		goto drop;	/* stalled, or larger than the features allow */
	nr = plan(q, skb);
	if (!nr)
		goto drop;

	skb_tx_timestamp(skb);
	nb->pdev->tp->copy(nb->pdev, q->copies, nr, true);
	status = outcome(q, nr);
	if (status == -EAGAIN) {
		/* The memory may take for ever, and the packet may be another guest's. */
		if (skb_orphan_frags(skb, GFP_ATOMIC))
			goto drop;
		q->stats.rx_deferred++;
		netif_tx_stop_queue(q->txq);
		notify = push(q);
		q->rx_skb = skb;
		queue_work(q->nb->pdev->wq, &q->rx_work);
		start_wait(q);
		goto out;
	}
	account(q, skb, status);
	put_responses(q, skb, status);
	dev_consume_skb_any(skb);
	/* More follow: one notification for all. */
	if (netdev_xmit_more() && pvhv_ring_items(&q->rx.req) >= q->rx_needed)
		return NETDEV_TX_OK;
	notify = push(q);
	if (!q->rx_stalled)
		check_room(q);
out:
	if (notify)
		pvhv_area_notify(&q->rx_area);
	if (q->rx.req.broken || q->rx.rsp.broken)
		netback_break(nb, "bad ring index");
	return NETDEV_TX_OK;
drop:
	q->stats.rx_dropped++;
	dev_kfree_skb_any(skb);
	/* With rx_skb, the rings are rx_work's. */
	if (!q->rx_live || q->rx_skb || netdev_xmit_more())
		return NETDEV_TX_OK;
	notify = push(q);
	goto out;
}

/* Under the queue's lock */
static void end_stall(struct netback_queue *q)
{
	if (!q->rx_stalled)
		return;
	q->rx_stalled = false;
	q->rx_taken = 0;
	q->rx_waited = 0;
	if (atomic_dec_return(&q->nb->nr_stalled) == q->nb->nr_queues - 1)
		netif_carrier_on(q->nb->ndev);
}

/*
 * The guest's memory was not at hand. Nobody else uses the rings: the queue is
 * stopped, or drops what it gets; who wakes it looks for rx_skb first.
 */
static void rx_work(struct work_struct *work)
{
	struct netback_queue *q = container_of(work, struct netback_queue, rx_work);
	struct netback *nb = q->nb;
	struct sk_buff *skb;
	bool notify, broken;
	unsigned int nr;
	int status;

	skb = q->rx_skb;
	if (!skb)
		return;
	nr = plan(q, skb);
	nb->pdev->tp->copy(nb->pdev, q->copies, nr, false);
	status = outcome(q, nr);
	if (status < 0)
		status = PVHV_NET_S_INVALID;

	__netif_tx_lock_bh(q->txq);
	account(q, skb, status);
	put_responses(q, skb, status);
	q->rx_skb = NULL;
	notify = push(q);
	end_wait(q);
	/* Stalled meanwhile, and an event may have come in vain */
	if (q->rx_stalled && !pvhv_ring_wait_more_items(&q->rx.req, q->rx_needed))
		end_stall(q);
	if (!q->rx_live || q->rx_stalled || check_room(q))
		netif_tx_wake_queue(q->txq);
	broken = q->rx_live && (q->rx.req.broken || q->rx.rsp.broken);
	__netif_tx_unlock_bh(q->txq);

	consume_skb(skb);
	if (notify)
		pvhv_area_notify(&q->rx_area);
	if (broken)
		netback_break(nb, "bad ring index");
}

static void rx_stall(struct work_struct *work)
{
	struct netback_queue *q = container_of(to_delayed_work(work), struct netback_queue,
					       rx_stall);
	struct netback *nb = q->nb;

	__netif_tx_lock_bh(q->txq);
	if (q->rx_live && !q->rx_stalled && netif_tx_queue_stopped(q->txq)) {
		end_wait(q);
		if (q->rx_waited < READ_ONCE(stall_timeout) * HZ) {
			/* It was woken and stopped again while we waited for the lock. */
			start_wait(q);
			goto out;
		}
		if (q->rx_skb || pvhv_ring_items(&q->rx.req) < q->rx_needed) {
			q->rx_stalled = true;
			q->stats.rx_stalled++;
			if (atomic_inc_return(&nb->nr_stalled) == nb->nr_queues)
				netif_carrier_off(nb->ndev);
		}
		/* What waits is dropped, or there are buffers that the guest has not told of. */
		netif_tx_wake_queue(q->txq);
	}
out:
	__netif_tx_unlock_bh(q->txq);
}

/**
 * netback_rx_event - the guest has given buffers, or taken packets
 * @data:	the queue
 *
 * Process context.
 *
 * Return: false: there is never more.
 */
bool netback_rx_event(void *data)
{
	struct netback_queue *q = data;
	bool broken;

	__netif_tx_lock_bh(q->txq);
	q->stats.rx_events++;
	if (q->rx_live && !q->rx_skb && (q->rx_stalled || netif_tx_queue_stopped(q->txq))) {
		/* Sooner or later it has to be enough for any packet. */
		if (!pvhv_ring_wait_more_items(&q->rx.req, q->rx_needed)) {
			end_wait(q);
			end_stall(q);
			netif_tx_wake_queue(q->txq);
		}
	}
	broken = q->rx_live && (q->rx.req.broken || q->rx.rsp.broken);
	__netif_tx_unlock_bh(q->txq);
	if (broken)
		netback_break(q->nb, "bad ring index");
	return false;
}

/**
 * netback_rx_init - once for each queue
 * @q:	the queue
 */
void netback_rx_init(struct netback_queue *q)
{
	INIT_WORK(&q->rx_work, rx_work);
	INIT_DELAYED_WORK(&q->rx_stall, rx_stall);
}

/**
 * netback_rx_start - the queue is connected; the guest may have no buffers yet
 * @q:	the queue, with its area
 */
void netback_rx_start(struct netback_queue *q)
{
	__netif_tx_lock_bh(q->txq);
	q->rx_stalled = false;
	q->rx_taken = 0;
	q->rx_waited = 0;
	q->rx_live = true;
	if (check_room(q))
		netif_tx_wake_queue(q->txq);
	__netif_tx_unlock_bh(q->txq);
}

/**
 * netback_rx_stop - nothing more goes to the guest; packets are dropped
 * @q:	the queue; its events may still come
 */
void netback_rx_stop(struct netback_queue *q)
{
	__netif_tx_lock_bh(q->txq);
	q->rx_live = false;
	__netif_tx_unlock_bh(q->txq);
	cancel_delayed_work_sync(&q->rx_stall);
	flush_work(&q->rx_work);
	__netif_tx_lock_bh(q->txq);
	if (q->rx_stalled)
		atomic_dec(&q->nb->nr_stalled);
	q->rx_stalled = false;
	netif_tx_wake_queue(q->txq);
	__netif_tx_unlock_bh(q->txq);
}
