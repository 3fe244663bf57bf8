// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv-netfront: reception.
 *
 * Buffers are pages that the backend may write. A large packet takes its pages
 * along, after their grants were revoked: nobody writes them any more. A small
 * one is copied, once, and its page is given to the backend again as it is.
 */
#include <linux/mm.h>
#include <linux/skbuff.h>

#include "netfront.h"

/* The backend may have the buffer (again). The grant is there. */
static void post(struct netfront_queue *q, u16 id)
{
	struct pvhv_net_rx_request req = { .ref = q->bufs[id].ref, .id = id };

	pvhv_ring_put(&q->rx.req, &req, sizeof(req));
}

static void retry_later(struct netfront_queue *q)
{
	q->stats.rx_no_memory++;
	mod_timer(&q->rx_retry, jiffies + NETFRONT_RETRY);
}

static void refill(struct netfront_queue *q)
{
	struct pvhv_device *pdev = q->nf->pdev;

	while (q->rx_nr_free && pvhv_ring_room(&q->rx.req)) {
		u16 id = q->rx_free[q->rx_nr_free - 1];
		struct netfront_rx *buf = &q->bufs[id];
		struct page *page = dev_alloc_page();

		if (!page) {
			retry_later(q);
			break;
		}
		buf->ref = pdev->tp->grant(pdev, page, false);
		if (buf->ref == PVHV_GRANT_NONE) {
			__free_page(page);
			retry_later(q);
			break;
		}
		buf->page = page;
		q->rx_nr_free--;
		post(q, id);
	}
}

static void push(struct netfront_queue *q)
{
	bool notify = pvhv_ring_pull(&q->rx.rsp);

	notify |= pvhv_ring_push(&q->rx.req);
	if (notify) {
		q->stats.rx_notified++;
		pvhv_area_notify(&q->rx_area);
	}
}

static const char *get_response(struct netfront_queue *q, struct pvhv_net_rx_response *rsp)
{
	pvhv_ring_get(&q->rx.rsp, rsp, sizeof(*rsp));
	if (rsp->id >= NETFRONT_RX_IDS || !q->bufs[rsp->id].page)
		return "a buffer that it does not have";
	if (rsp->len > PAGE_SIZE || (rsp->status == PVHV_NET_S_OK && !rsp->len))
		return "a buffer of a bad length";
	return NULL;
}

/* Take the page out of a buffer; NULL: the backend still uses it */
static struct page *take_page(struct netfront_queue *q, u16 id)
{
	struct netfront_rx *buf = &q->bufs[id];
	struct page *page = buf->page;

	if (!q->nf->pdev->tp->revoke(q->nf->pdev, buf->ref))
		return NULL;
	buf->page = NULL;
	q->rx_free[q->rx_nr_free++] = id;
	return page;
}

/* The page is not needed: it is a buffer again. */
static void reuse(struct netfront_queue *q, u16 id)
{
	struct page *page;

	if (pvhv_ring_room(&q->rx.req)) {
		post(q, id);
		return;
	}
	page = take_page(q, id);
	if (page)
		put_page(page);
}

/*
 * The buffer's @len bytes become the next of the packet. A first buffer that
 * is short is copied, else the Ethernet header, so that GRO finds the rest in a page.
 */
static const char *add_buffer(struct netfront_queue *q, struct sk_buff *skb,
			      const struct pvhv_net_rx_response *rsp)
{
	unsigned int pulled = 0, id = rsp->id;
	struct page *page;

	if (!skb->len) {
		pulled = rsp->len <= NETFRONT_RX_COPY ? rsp->len : ETH_HLEN;
		if (pulled == rsp->len) {
			skb_put_data(skb, page_address(q->bufs[id].page), pulled);
			reuse(q, id);
			return NULL;
		}
	}
	page = take_page(q, id);
	if (!page)
		return "a buffer that it still uses";
	if (pulled)
		skb_put_data(skb, page_address(page), pulled);
	skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, page, pulled, rsp->len - pulled,
			PAGE_SIZE);
	return NULL;
}

/*
 * One packet of all its buffers. Return: NULL, or what is wrong so that
 * nothing more can be received; @skbp may stay NULL without that.
 */
static const char *receive(struct netfront_queue *q, unsigned int items, struct sk_buff **skbp)
{
	struct pvhv_net_rx_response rsp;
	struct pvhv_net_packet packet;
	unsigned int more, status;
	struct sk_buff *skb;
	const char *wrong;

	*skbp = NULL;
	wrong = get_response(q, &rsp);
	if (wrong)
		return wrong;
	packet = rsp.packet;
	more = rsp.more;
	status = rsp.status;
	if (more >= PVHV_NET_RX_SLOTS || more >= items)
		return "a packet without its buffers";

	skb = status == PVHV_NET_S_OK ? napi_alloc_skb(&q->napi, NETFRONT_RX_COPY) : NULL;
	if (status != PVHV_NET_S_OK)
		q->stats.rx_errors++;
	else if (!skb)
		q->stats.rx_no_memory++;
	for (;;) {
		if (more && status == PVHV_NET_S_OK && rsp.len != PAGE_SIZE) {
			wrong = "a buffer that is not full";
			break;
		}
		if (skb)
			wrong = add_buffer(q, skb, &rsp);
		else
			reuse(q, rsp.id);
		if (wrong || !more)
			break;
		wrong = get_response(q, &rsp);
		if (!wrong && (rsp.more != --more || rsp.status != status))
			wrong = "buffers in disorder";
		if (wrong)
			break;
	}
	if (!skb)
		return wrong;
	if (wrong) {
		kfree_skb(skb);
		return wrong;
	}
	if (skb->len < ETH_HLEN || skb->len > PVHV_NET_MAX_LEN || pvhv_net_to_skb(skb, &packet)) {
		q->stats.rx_errors++;
		kfree_skb(skb);
		return NULL;
	}
	if (packet.hdr_flags == PVHV_NET_DATA_VALID)
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	*skbp = skb;
	return NULL;
}

/**
 * netfront_rx_poll - receive packets
 * @q:		the queue, polled by this CPU
 * @budget:	packets at most
 *
 * Return: packets; less than @budget if there are no more and an event will tell of the next
 */
int netfront_rx_poll(struct netfront_queue *q, int budget)
{
	const char *wrong = NULL;
	unsigned int items;
	struct sk_buff *skb;
	int done = 0;

	while (done < budget && !wrong) {
		items = pvhv_ring_items(&q->rx.rsp);
		if (!items) {
			/* All is given back before we wait. */
			if (q->rx_nr_free >= NETFRONT_RX_BATCH)
				refill(q);
			push(q);
			if (pvhv_ring_wait_items(&q->rx.rsp))
				break;
			continue;
		}
		wrong = receive(q, items, &skb);
		done++;
		if (skb) {
			q->stats.rx_packets++;
			q->stats.rx_bytes += skb->len;
			skb_record_rx_queue(skb, q->index);
			skb->protocol = eth_type_trans(skb, q->nf->ndev);
			napi_gro_receive(&q->napi, skb);
		}
		if (q->rx_nr_free >= q->rx.req.nr / 4) {
			refill(q);
			push(q);
		}
	}
	if (q->rx.rsp.broken || q->rx.req.broken)
		wrong = "a bad ring index";
	if (wrong) {
		q->rx.rsp.broken = 1;
		netfront_break(q->nf, wrong);
		return 0;
	}
	return done;
}

/**
 * netfront_rx_event - the backend has filled buffers
 * @data:	the queue
 *
 * Interrupt context.
 */
bool netfront_rx_event(void *data)
{
	struct netfront_queue *q = data;

	q->stats.rx_events++;
	napi_schedule(&q->napi);
	return false;
}

static void rx_retry(struct timer_list *t)
{
	struct netfront_queue *q = from_timer(q, t, rx_retry);

	napi_schedule(&q->napi);
}

void netfront_rx_init(struct netfront_queue *q)
{
	timer_setup(&q->rx_retry, rx_retry, 0);
}

/**
 * netfront_rx_create - area of the receiving half; buffers come later
 * @q:		the queue
 * @pages:	of the area
 */
int netfront_rx_create(struct netfront_queue *q, unsigned int pages)
{
	unsigned int i, ids;
	int err;

	err = pvhv_area_create(&q->rx_area, q->nf->pdev, pages, netfront_rx_event, q,
			       PVHV_EVENT_ATOMIC);
	if (err)
		return err;
	pvhv_net_rx_rings_init(&q->rx, &q->rx_area);
	ids = min_t(unsigned int, NETFRONT_RX_IDS, q->rx.req.nr);
	q->rx_nr_free = ids;
	for (i = 0; i < ids; i++)
		q->rx_free[i] = i;
	return 0;
}

/**
 * netfront_rx_start - give the backend buffers
 * @q:	the queue, connected, not yet polled
 */
void netfront_rx_start(struct netfront_queue *q)
{
	refill(q);
	push(q);
}

void netfront_rx_stop(struct netfront_queue *q)
{
	del_timer_sync(&q->rx_retry);
}

/**
 * netfront_rx_destroy - free all buffers; the backend should have closed
 * @q:	the queue, not polled
 */
void netfront_rx_destroy(struct netfront_queue *q)
{
	unsigned int i;

	for (i = 0; i < NETFRONT_RX_IDS; i++) {
		struct netfront_rx *buf = &q->bufs[i];

		if (!buf->page)
			continue;
		pvhv_revoke_put(q->nf->pdev, buf->ref, buf->page);
		buf->page = NULL;
	}
	pvhv_area_destroy(&q->rx_area);
}
