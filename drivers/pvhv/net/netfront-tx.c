// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv-netfront: transmission.
 *
 * A notification is a hypercall in which a backend on the host does all its work,
 * up to the response. So responses are looked for right behind it, and only what
 * is still in flight then makes an interrupt. What is sent while this queue is
 * polled, mostly acknowledgements, is pushed once at the end of the poll.
 */
#include <linux/mm.h>
#include <linux/skbuff.h>

#include "netfront.h"

/* ---- responses; under the lock of txq ---- */

/* The packet is not in flight any more. False: the peer still uses a page of it. */
static bool release(struct netfront_queue *q, struct netfront_tx *pkt)
{
	const struct pvhv_transport *tp = q->nf->pdev->tp;

	while (pkt->nr) {
		if (!tp->revoke(q->nf->pdev, pkt->refs[pkt->nr - 1]))
			return false;
		put_page(pkt->pages[--pkt->nr]);
	}
	dev_consume_skb_any(pkt->skb);
	pkt->skb = NULL;
	pkt->used = false;
	return true;
}

/* A ring that is broken stays so: nothing goes through it any more, and no event tells of it. */
static void check_rings(struct netfront_queue *q)
{
	if (q->tx.req.broken || q->tx.rsp.broken)
		netfront_break(q->nf, "a bad ring index");
}

static void reap(struct netfront_queue *q)
{
	struct pvhv_net_tx_response rsp;
	struct netfront_tx *pkt;

	while (pvhv_ring_items(&q->tx.rsp)) {
		pvhv_ring_get(&q->tx.rsp, &rsp, sizeof(rsp));
		pkt = &q->pkts[rsp.id % NETFRONT_TX_IDS];
		if (rsp.id >= NETFRONT_TX_IDS || !pkt->used) {
			netfront_break(q->nf, "a response to no packet");
			q->tx.rsp.broken = 1;
			return;
		}
		if (!release(q, pkt)) {
			netfront_break(q->nf, "a response to a packet that it still uses");
			q->tx.rsp.broken = 1;
			return;
		}
		q->free[q->nr_free++] = rsp.id;
		q->tx_inflight--;
		if (rsp.status == PVHV_NET_S_DROPPED)
			q->stats.tx_dropped++;
		else if (rsp.status != PVHV_NET_S_OK)
			q->stats.tx_errors++;
	}
	check_rings(q);
	if (pvhv_ring_pull(&q->tx.rsp))
		pvhv_area_notify(&q->tx_area);
}

static bool have_room(struct netfront_queue *q)
{
	return q->nr_free && pvhv_ring_room(&q->tx.req) >= PVHV_NET_TX_SLOTS;
}

/*
 * Let the backend see what there is, and see what it has done. An interrupt
 * comes for what is still in flight: at once if the queue waits for it, else
 * when most of it is done.
 */
static void push(struct netfront_queue *q)
{
	if (pvhv_ring_push(&q->tx.req)) {
		q->stats.tx_notified++;
		pvhv_area_notify(&q->tx_area);
	}
	do {
		reap(q);
	} while (q->tx_inflight &&
		 !pvhv_ring_wait_more_items(&q->tx.rsp, netif_tx_queue_stopped(q->txq) ? 1 :
					    max(1U, q->tx_inflight * 3 / 4)));
}

/* With everything pushed. An id or slots are free, or an event will tell. */
static void check_room(struct netfront_queue *q)
{
	if (have_room(q))
		return;
	netif_tx_stop_queue(q->txq);
	q->stats.tx_stopped++;
	for (;;) {
		push(q);
		if (have_room(q)) {
			netif_tx_start_queue(q->txq);
			return;
		}
		/* Ids come with responses, which were waited for; room has an event too. */
		if (!q->nr_free || pvhv_ring_wait_room(&q->tx.req, PVHV_NET_TX_SLOTS))
			break;
	}
	check_rings(q);
}

/* ---- packets ---- */

static unsigned int count_pages(const struct sk_buff *skb)
{
	const struct skb_shared_info *si = skb_shinfo(skb);
	unsigned int i, nr;

	nr = skb_headlen(skb) <= NETFRONT_HEAD ? 1 : DIV_ROUND_UP(skb_headlen(skb), PAGE_SIZE);
	for (i = 0; i < si->nr_frags; i++)
		nr += DIV_ROUND_UP(skb_frag_off(&si->frags[i]) % PAGE_SIZE +
				   skb_frag_size(&si->frags[i]), PAGE_SIZE);
	return nr;
}

/* Takes over a reference to the page, also if it fails. */
static bool grant_page(struct netfront_queue *q, struct netfront_tx *pkt, struct page *page)
{
	pvhv_grant_t ref = q->nf->pdev->tp->grant(q->nf->pdev, page, true);

	if (ref == PVHV_GRANT_NONE) {
		q->stats.tx_no_grants++;
		put_page(page);
		return false;
	}
	pkt->refs[pkt->nr] = ref;
	pkt->pages[pkt->nr++] = page;
	return true;
}

/* The linear part, or the first bytes of the packet, by copy. Return: fragments, 0: failed */
static unsigned int map_head(struct netfront_queue *q, u16 id, struct sk_buff *skb,
			     unsigned int len, struct pvhv_net_frag *frags)
{
	struct netfront_tx *pkt = &q->pkts[id];
	unsigned int at, n, nr = 0;

	if (len <= NETFRONT_HEAD) {
		unsigned int offset = id % NETFRONT_HEADS_PER_PAGE * NETFRONT_HEAD;
		unsigned int i = id / NETFRONT_HEADS_PER_PAGE;

		skb_copy_bits(skb, 0, page_address(q->heads[i]) + offset, len);
		frags[0] = (struct pvhv_net_frag) {
			.ref = q->head_refs[i], .offset = offset, .len = len,
		};
		return 1;
	}
	for (at = 0; at < len; at += n) {
		struct page *page = alloc_page(GFP_ATOMIC | __GFP_NOWARN);

		if (!page)
			return 0;
		n = min_t(unsigned int, len - at, PAGE_SIZE);
		memcpy(page_address(page), skb->data + at, n);
		/* All of the page can be read by the backend. */
		memset(page_address(page) + n, 0, PAGE_SIZE - n);
		if (!grant_page(q, pkt, page))
			return 0;
		frags[nr++] = (struct pvhv_net_frag) {
			.ref = pkt->refs[pkt->nr - 1], .len = n,
		};
	}
	return nr;
}

static unsigned int map_frags(struct netfront_queue *q, u16 id, struct sk_buff *skb,
			      struct pvhv_net_frag *frags)
{
	struct netfront_tx *pkt = &q->pkts[id];
	unsigned int i, n, nr = 0;

	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *f = &skb_shinfo(skb)->frags[i];
		struct page *page = skb_frag_page(f) + skb_frag_off(f) / PAGE_SIZE;
		unsigned int offset = skb_frag_off(f) % PAGE_SIZE, left = skb_frag_size(f);

		for (; left; left -= n, offset = 0, page++) {
			n = min_t(unsigned int, left, PAGE_SIZE - offset);
			get_page(page);
			if (!grant_page(q, pkt, page))
				return 0;
			frags[nr++] = (struct pvhv_net_frag) {
				.ref = pkt->refs[pkt->nr - 1], .offset = offset, .len = n,
			};
		}
	}
	return nr;
}

/* Return: fragments; 0: for lack of grants or memory nothing was done */
static unsigned int map(struct netfront_queue *q, u16 id, struct sk_buff *skb,
			struct pvhv_net_frag *frags)
{
	struct netfront_tx *pkt = &q->pkts[id];
	unsigned int nr, n;

	if (skb->len <= NETFRONT_HEAD)
		return map_head(q, id, skb, skb->len, frags);
	nr = map_head(q, id, skb, skb_headlen(skb), frags);
	if (!nr)
		goto undo;
	if (skb_is_nonlinear(skb)) {
		n = map_frags(q, id, skb, frags + nr);
		if (!n)
			goto undo;
		nr += n;
	}
	return nr;
undo:
	/* The backend has not been told of them. If it guesses one, it keeps it. */
	if (!release(q, pkt)) {
		pkt->used = true;
		/* This id is not free: no other packet may be put into it. */
		q->tx.req.broken = 1;
		netfront_break(q->nf, "a use of a grant that it was not told of");
	}
	return 0;
}

/**
 * netfront_start_xmit - send a packet
 * @skb:	it
 * @ndev:	the interface
 *
 * Under the lock of the queue, bottom halves off.
 *
 * Return: NETDEV_TX_OK, or NETDEV_TX_BUSY without grants
 */
netdev_tx_t netfront_start_xmit(struct sk_buff *skb, struct net_device *ndev)
{
	struct netfront *nf = netdev_priv(ndev);
	struct netfront_queue *q = &nf->queues[skb_get_queue_mapping(skb)];
	struct pvhv_net_frag frags[PVHV_NET_MAX_FRAGS + 1];
	union pvhv_net_tx_request req;
	unsigned int nr, i;
	u16 id;

	if (!q->tx_live || skb->len > PVHV_NET_MAX_LEN || skb->len < ETH_HLEN ||
	    skb_has_frag_list(skb))
		goto drop;
	if (q->tx.req.broken || q->tx.rsp.broken)
		goto drop;
	if (count_pages(skb) > PVHV_NET_MAX_FRAGS) {
		q->stats.tx_linearized++;
		if (skb_linearize(skb))
			goto drop;
	}
	if (!have_room(q)) {
		/* Only when somebody sends who was not to: a stopped queue is not asked. */
		check_room(q);
		if (!have_room(q))
			return NETDEV_TX_BUSY;
	}
	if (pvhv_net_from_skb(skb, &req.packet))
		goto drop;

	id = q->free[q->nr_free - 1];
	nr = map(q, id, skb, frags);
	if (!nr) {
		if (q->pkts[id].used)
			goto drop;
		netif_tx_stop_queue(q->txq);
		push(q);
		mod_timer(&q->tx_retry, jiffies + NETFRONT_RETRY);
		return NETDEV_TX_BUSY;
	}
	q->nr_free--;
	q->tx_inflight++;
	q->pkts[id].used = true;
	q->stats.tx_packets++;
	q->stats.tx_bytes += skb->len;

	req.packet.id = id;
	req.packet.nr_frags = nr;
	pvhv_ring_put(&q->tx.req, &req, sizeof(req));
	memset(&frags[nr], 0, sizeof(frags[nr]));
	for (i = 0; i < nr; i += 2)
		pvhv_ring_put(&q->tx.req, &frags[i], sizeof(req));

	skb_tx_timestamp(skb);
	/* Without pages of it in flight nobody needs it any more. */
	if (q->pkts[id].nr)
		q->pkts[id].skb = skb;
	else
		dev_consume_skb_any(skb);

	if (have_room(q) && (netdev_xmit_more() || q->tx_poller == raw_smp_processor_id() + 1))
		return NETDEV_TX_OK;
	push(q);
	check_room(q);
	return NETDEV_TX_OK;
drop:
	q->stats.tx_dropped++;
	dev_kfree_skb_any(skb);
	if (q->tx_live && !netdev_xmit_more())
		push(q);
	return NETDEV_TX_OK;
}

/* ---- polls ---- */

static void wake(struct netfront_queue *q)
{
	if (q->tx_live && netif_tx_queue_stopped(q->txq) && !timer_pending(&q->tx_retry) &&
	    have_room(q))
		netif_tx_wake_queue(q->txq);
}

/**
 * netfront_tx_poll_begin - what is done, and from now on packets are collected
 * @q:	the queue, polled by this CPU
 */
void netfront_tx_poll_begin(struct netfront_queue *q)
{
	__netif_tx_lock(q->txq, smp_processor_id());
	if (q->tx_live) {
		q->tx_poller = smp_processor_id() + 1;
		reap(q);
		wake(q);
	}
	__netif_tx_unlock(q->txq);
}

/**
 * netfront_tx_poll_end - push what was collected
 * @q:	the queue
 */
void netfront_tx_poll_end(struct netfront_queue *q)
{
	__netif_tx_lock(q->txq, smp_processor_id());
	if (q->tx_live) {
		q->tx_poller = 0;
		push(q);
		if (netif_tx_queue_stopped(q->txq)) {
			if (!have_room(q))
				check_room(q);
			wake(q);
		}
	}
	__netif_tx_unlock(q->txq);
}

/**
 * netfront_tx_event - the backend has sent packets, or taken requests
 * @data:	the queue
 *
 * Interrupt context.
 */
bool netfront_tx_event(void *data)
{
	struct netfront_queue *q = data;

	q->stats.tx_events++;
	napi_schedule(&q->napi);
	return false;
}

static void tx_retry(struct timer_list *t)
{
	struct netfront_queue *q = from_timer(q, t, tx_retry);

	__netif_tx_lock(q->txq, smp_processor_id());
	if (q->tx_live)
		netif_tx_wake_queue(q->txq);
	__netif_tx_unlock(q->txq);
}

/* ---- life ---- */

void netfront_tx_init(struct netfront_queue *q)
{
	timer_setup(&q->tx_retry, tx_retry, 0);
}

static void heads_destroy(struct netfront_queue *q)
{
	unsigned int i;

	for (i = 0; i < NETFRONT_HEAD_PAGES && q->heads[i]; i++) {
		pvhv_revoke_put(q->nf->pdev, q->head_refs[i], q->heads[i]);
		q->heads[i] = NULL;
	}
}

/**
 * netfront_tx_create - area and memory of the transmitting half
 * @q:		the queue
 * @pages:	of the area
 */
int netfront_tx_create(struct netfront_queue *q, unsigned int pages)
{
	const struct pvhv_transport *tp = q->nf->pdev->tp;
	unsigned int i, ids;
	int err;

	err = pvhv_area_create(&q->tx_area, q->nf->pdev, pages, netfront_tx_event, q,
			       PVHV_EVENT_ATOMIC);
	if (err)
		return err;
	pvhv_net_tx_rings_init(&q->tx, &q->tx_area);
	for (i = 0; i < NETFRONT_HEAD_PAGES; i++) {
		/* The backend can read all of it, packets or not. */
		struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
		pvhv_grant_t ref;

		if (!page) {
			err = -ENOMEM;
			goto out;
		}
		ref = tp->grant(q->nf->pdev, page, true);
		if (ref == PVHV_GRANT_NONE) {
			__free_page(page);
			err = -ENOSPC;
			goto out;
		}
		q->heads[i] = page;
		q->head_refs[i] = ref;
	}
	/* There is a response slot for each packet, so never more packets than slots. */
	ids = min_t(unsigned int, NETFRONT_TX_IDS, q->tx.rsp.nr);
	q->nr_free = ids;
	for (i = 0; i < ids; i++)
		q->free[i] = i;
	q->tx_inflight = 0;
	q->tx_poller = 0;
	return 0;
out:
	heads_destroy(q);
	pvhv_area_destroy(&q->tx_area);
	return err;
}

void netfront_tx_start(struct netfront_queue *q)
{
	__netif_tx_lock_bh(q->txq);
	q->tx_live = true;
	netif_tx_wake_queue(q->txq);
	__netif_tx_unlock_bh(q->txq);
}

/**
 * netfront_tx_stop - no packets any more; what is in flight stays
 * @q:	the queue, which is not polled
 */
void netfront_tx_stop(struct netfront_queue *q)
{
	__netif_tx_lock_bh(q->txq);
	q->tx_live = false;
	netif_tx_stop_queue(q->txq);
	__netif_tx_unlock_bh(q->txq);
	del_timer_sync(&q->tx_retry);
}

/**
 * netfront_tx_destroy - forget all packets; the backend should have closed
 * @q:	the queue, stopped
 */
void netfront_tx_destroy(struct netfront_queue *q)
{
	unsigned int i;

	for (i = 0; i < NETFRONT_TX_IDS; i++) {
		struct netfront_tx *pkt = &q->pkts[i];

		while (pkt->nr) {
			pkt->nr--;
			pvhv_revoke_put(q->nf->pdev, pkt->refs[pkt->nr], pkt->pages[pkt->nr]);
		}
		kfree_skb(pkt->skb);
		pkt->skb = NULL;
		pkt->used = false;
	}
	heads_destroy(q);
	pvhv_area_destroy(&q->tx_area);
}
