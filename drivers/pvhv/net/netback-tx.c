// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv-netback: packets from the guest.
 *
 * The handler runs in the thread that has sent the event, which for a guest of
 * this host is the vCPU's, and so usually does the NAPI poll, which is there for
 * GRO: the guest pays for its packets up to where the stack queues them. A
 * packet's first bytes are copied, so that its headers can no longer change under
 * those who look at them; of a large one the rest goes into the skb as it is, the
 * guest's own pages. They stay mapped until the skb is freed or the stack makes
 * a copy, as it does before it gives an skb to a socket. Our own copy costs less than its:
 * as long as most packets go to sockets, only one of so many is tried without.
 *
 * What bounds that: zerocopy_max packets of a queue, then packets are copied; and
 * of skbs that wait somewhere, whoever keeps them: a queueing discipline has a limit, and a
 * vif whose guest takes nothing drops them (stall_timeout).
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/skbuff.h>
#include <linux/slab.h>

#include "netback.h"

static unsigned int zerocopy_max = 256;
module_param(zerocopy_max, uint, 0644);
MODULE_PARM_DESC(zerocopy_max, "Packets of a queue whose pages are in use here; more are copied");

static unsigned int zerocopy_min = 2048;
module_param(zerocopy_min, uint, 0644);
MODULE_PARM_DESC(zerocopy_min, "Bytes of a packet from which on it is not copied");

/* Packets of a call of the handler: keeps a vCPU from living in the host's stack */
#define NETBACK_TX_BUDGET	64
/*
 * Packets that wait for the poll, which may be ksoftirqd's or a thread's, and the memory in which
 * they do: copies have been answered, so that the ring does not bound them. One packet more.
 */
#define NETBACK_TX_BACKLOG	256
#define NETBACK_TX_BACKLOG_BYTES (2 << 20)
/* Jiffies that a call of the handler waits for the poll before it drops packets */
#define NETBACK_TX_WAIT		DIV_ROUND_UP(HZ, 50)
/*
 * One of so many packets may be copied by the stack, else we copy and try one of so many;
 * counted for so many packets
 */
#define NETBACK_TX_TRY		64
#define NETBACK_TX_PERIOD	1024
/* Linear bytes at most: a packet in more fragments than an skb has is copied so far */
#define NETBACK_TX_MAX_HEAD	(3 * PAGE_SIZE)
/* A copied packet is linear up to this size; pages of this order are behind that */
#define NETBACK_TX_LINEAR	2048
#define NETBACK_TX_COPY_ORDER	3

/**
 * struct netback_tx - a packet whose pages are mapped
 * @ubuf:	known to the skb
 * @q:		its queue
 * @id:		the frontend's
 * @nr:		fragments
 * @status:	for the response
 * @orphaned:	the stack has made a copy
 * @maps:	of the fragments
 */
struct netback_tx {
	struct ubuf_info ubuf;
	struct netback_queue *q;
	u16 id;
	u16 nr;
	u16 status;
	bool orphaned;
	struct pvhv_map maps[PVHV_NET_MAX_FRAGS];
};

static struct kmem_cache *netback_tx_cache;

/* Both under tx_lock */
static void put_response(struct netback_queue *q, u16 id, u16 status)
{
	struct pvhv_net_tx_response rsp = { .id = id, .status = status };

	lockdep_assert_held(&q->tx_lock);
	q->tx_promised--;
	/* There is room: no more is promised. Without, the ring is broken. */
	if (pvhv_ring_room(&q->tx.rsp))
		pvhv_ring_put(&q->tx.rsp, &rsp, sizeof(rsp));
}

static bool push_responses(struct netback_queue *q)
{
	bool notify = pvhv_ring_push(&q->tx.rsp);

	lockdep_assert_held(&q->tx_lock);
	if (notify)
		q->stats.tx_notified++;
	return notify;
}

static void respond(struct netback_queue *q, u16 id, u16 status)
{
	unsigned long flags;

	spin_lock_irqsave(&q->tx_lock, flags);
	put_response(q, id, status);
	spin_unlock_irqrestore(&q->tx_lock, flags);
}

/*
 * The skb is freed, or has pages of its own now. Any context. Under the lock up
 * to the end: netback_tx_stop() waits for it, and q and the cache may go afterwards.
 */
static void netback_tx_done(struct sk_buff *skb, struct ubuf_info *ubuf, bool zerocopy)
{
	struct netback_tx *tx = container_of(ubuf, struct netback_tx, ubuf);
	struct netback_queue *q = tx->q;
	unsigned long flags;

	if (!zerocopy)
		tx->orphaned = true;
	if (!refcount_dec_and_test(&ubuf->refcnt))
		return;
	q->nb->pdev->tp->unmap(q->nb->pdev, tx->maps, tx->nr, false);

	/* The module stays until it is left: unregister_netdev() waits for readers. */
	rcu_read_lock();
	spin_lock_irqsave(&q->tx_lock, flags);
	put_response(q, tx->id, tx->status);
	q->stats.tx_orphaned += tx->orphaned;
	kmem_cache_free(netback_tx_cache, tx);
	if (!q->tx_batch && push_responses(q))
		pvhv_area_notify(&q->tx_area);
	if (!--q->tx_flight)
		wake_up(&q->tx_idle);
	spin_unlock_irqrestore(&q->tx_lock, flags);
	rcu_read_unlock();
}

/* The first bytes of a packet, out of mapped fragments */
static int store_frags(struct sk_buff *skb, const struct netback_tx *tx,
		       const struct pvhv_net_frag *frags, unsigned int len)
{
	unsigned int at = 0, i;

	for (i = 0; i < tx->nr && at < len; i++) {
		unsigned int n = min_t(unsigned int, frags[i].len, len - at);

		if (skb_store_bits(skb, at, page_address(tx->maps[i].page) + frags[i].offset, n))
			return -EFAULT;
		at += n;
	}
	return 0;
}

/*
 * All of it is copied; for a large one into large pages. Not into parts of pages as NICs' drivers
 * do, which GRO could make fragments instead of a list, 17 of them: one that stays somewhere holds
 * the whole page, many times what is accounted for it, and the guest would choose which ones stay.
 */
static struct sk_buff *build_copy(const struct netback_tx *tx, const struct pvhv_net_frag *frags,
				  unsigned int len)
{
	unsigned int head = len <= NETBACK_TX_LINEAR ? len : NETBACK_HEAD;
	struct sk_buff *skb;
	int err;

	skb = alloc_skb_with_frags(NET_SKB_PAD + head, len - head, NETBACK_TX_COPY_ORDER, &err,
				   GFP_KERNEL | __GFP_NOWARN);
	if (!skb)
		return NULL;
	skb_reserve(skb, NET_SKB_PAD);
	skb_put(skb, head);
	skb->data_len = len - head;
	skb->len = len;
	if (store_frags(skb, tx, frags, len)) {
		kfree_skb(skb);
		return NULL;
	}
	return skb;
}

/* The first bytes are copied, the rest stays where it is */
static struct sk_buff *build_zerocopy(struct netback_tx *tx, const struct pvhv_net_frag *frags,
				      unsigned int len, unsigned int head)
{
	unsigned int i, at = 0, nr = 0;
	struct sk_buff *skb;

	skb = alloc_skb(NET_SKB_PAD + head, GFP_KERNEL | __GFP_NOWARN);
	if (!skb)
		return NULL;
	skb_reserve(skb, NET_SKB_PAD);
	skb_put(skb, head);
	if (store_frags(skb, tx, frags, head)) {
		kfree_skb(skb);
		return NULL;
	}
	for (i = 0; i < tx->nr; at += frags[i++].len) {
		struct page *page = tx->maps[i].page;
		unsigned int skip = at < head ? head - at : 0;

		if (skip >= frags[i].len)
			continue;
		/* The mapping's reference goes with the mapping. */
		get_page(page);
		__skb_fill_page_desc(skb, nr++, page, frags[i].offset + skip, frags[i].len - skip);
	}
	skb_shinfo(skb)->nr_frags = nr;
	skb->data_len = len - head;
	skb->len = len;
	skb->truesize += nr * PAGE_SIZE;

	tx->status = PVHV_NET_S_OK;
	tx->ubuf.callback = netback_tx_done;
	tx->ubuf.flags = SKBFL_ZEROCOPY_FRAG;
	/* One is receive()'s: what checks headers may pull all out of the fragments. */
	refcount_set(&tx->ubuf.refcnt, 2);
	skb_zcopy_init(skb, &tx->ubuf);
	return skb;
}

/* Linear bytes with which the rest fits into the fragments of an skb; 0: too many */
static unsigned int zerocopy_head(const struct pvhv_net_frag *frags, unsigned int nr)
{
	unsigned int head = 0;

	while (nr > MAX_SKB_FRAGS) {
		head += (frags++)->len;
		nr--;
	}
	head = max_t(unsigned int, head, NETBACK_HEAD);
	return head <= NETBACK_TX_MAX_HEAD ? head : 0;
}

static int check_packet(const struct pvhv_net_packet *p, const struct pvhv_net_frag *frags,
			unsigned int *len)
{
	unsigned int i;

	*len = 0;
	for (i = 0; i < p->nr_frags; i++) {
		if (!frags[i].len || frags[i].offset + frags[i].len > PAGE_SIZE)
			return -EINVAL;
		*len += frags[i].len;
	}
	if (*len < ETH_HLEN || *len > PVHV_NET_MAX_LEN)
		return -EINVAL;
	if (i % 2 && (frags[i].len || frags[i].offset || frags[i].ref != PVHV_GRANT_NONE))
		return -EINVAL;
	return 0;
}

/* ---- what waits for the poll ---- */

static void backlog_put(struct netback_queue *q, struct sk_buff *skb)
{
	spin_lock_irq(&q->tx_skbs.lock);
	__skb_queue_tail(&q->tx_skbs, skb);
	WRITE_ONCE(q->tx_waiting, q->tx_waiting + skb->truesize);
	spin_unlock_irq(&q->tx_skbs.lock);
}

static struct sk_buff *backlog_get(struct netback_queue *q)
{
	struct sk_buff *skb;
	unsigned long flags;

	spin_lock_irqsave(&q->tx_skbs.lock, flags);
	skb = __skb_dequeue(&q->tx_skbs);
	if (skb)
		WRITE_ONCE(q->tx_waiting, q->tx_waiting - skb->truesize);
	spin_unlock_irqrestore(&q->tx_skbs.lock, flags);
	return skb;
}

/* Only the handler adds to it. */
static bool backlog_full(const struct netback_queue *q)
{
	return skb_queue_len_lockless(&q->tx_skbs) >= NETBACK_TX_BACKLOG ||
		READ_ONCE(q->tx_waiting) >= NETBACK_TX_BACKLOG_BYTES;
}

/* Half of it, so that who waits for it sleeps once for many packets */
static bool backlog_has_room(const struct netback_queue *q)
{
	return skb_queue_len_lockless(&q->tx_skbs) <= NETBACK_TX_BACKLOG / 2 &&
		READ_ONCE(q->tx_waiting) <= NETBACK_TX_BACKLOG_BYTES / 2;
}

/*
 * The guest is faster than the poll, which may be due in ksoftirqd or a thread that waits for the
 * very CPU that we have. Sleep gives it away, whatever our priority is, and costs the guest.
 * Return: false if it does not get on.
 */
static bool backlog_wait(struct netback_queue *q)
{
	if (!backlog_full(q))
		return true;
	q->stats.tx_waited++;
	wait_event_timeout(q->tx_room, backlog_has_room(q), NETBACK_TX_WAIT);
	return !backlog_full(q);
}

/* Do packets go where no copy is needed? A bridge or a card, not a socket. */
static bool zerocopy_pays(struct netback_queue *q)
{
	u64 orphaned = READ_ONCE(q->stats.tx_orphaned) - q->tx_orphaned;

	if (++q->tx_tried == NETBACK_TX_PERIOD) {
		/* half of those that are tried one by one */
		if (orphaned <= NETBACK_TX_PERIOD / NETBACK_TX_TRY / 2)
			q->tx_doubt = false;
		q->tx_tried = 0;
		q->tx_orphaned += orphaned;
	} else if (orphaned > q->tx_tried / NETBACK_TX_TRY) {
		q->tx_doubt = true;
	}
	/* What becomes of a packet is known behind its batch: so no more than one of it */
	return !q->tx_doubt || q->tx_tried % NETBACK_TX_TRY == 0;
}

/* One packet: an skb for the stack, or NULL and a response */
static struct sk_buff *receive(struct netback_queue *q, const struct pvhv_net_packet *p,
			       const struct pvhv_net_frag *frags)
{
	const struct pvhv_transport *tp = q->nb->pdev->tp;
	unsigned int i, len, head, flight;
	u16 status = PVHV_NET_S_INVALID;
	struct sk_buff *skb = NULL;
	struct netback_tx *tx;
	bool zerocopy;

	if (check_packet(p, frags, &len)) {
		q->stats.tx_invalid++;
		respond(q, p->id, status);
		return NULL;
	}
	tx = kmem_cache_alloc(netback_tx_cache, GFP_KERNEL);
	if (!tx) {
		q->stats.tx_dropped++;
		respond(q, p->id, PVHV_NET_S_DROPPED);
		return NULL;
	}
	tx->q = q;
	tx->id = p->id;
	tx->nr = p->nr_frags;
	tx->orphaned = false;
	for (i = 0; i < tx->nr; i++)
		tx->maps[i] = (struct pvhv_map) { .ref = frags[i].ref, .readonly = true };
	tp->map(q->nb->pdev, tx->maps, tx->nr, false);
	for (i = 0; i < tx->nr; i++)
		if (tx->maps[i].status)
			break;
	if (i < tx->nr) {
		/* those that are */
		tp->unmap(q->nb->pdev, tx->maps, tx->nr, false);
		kmem_cache_free(netback_tx_cache, tx);
		q->stats.tx_invalid++;
		respond(q, p->id, status);
		return NULL;
	}

	/* Only the handler adds to it, so it is not more when it is used. */
	flight = READ_ONCE(q->tx_flight);
	head = zerocopy_head(frags, tx->nr);
	zerocopy = len >= max_t(unsigned int, READ_ONCE(zerocopy_min), NETBACK_HEAD + 1) &&
		head && head < len && flight < READ_ONCE(zerocopy_max) && zerocopy_pays(q);
	if (zerocopy) {
		spin_lock_irq(&q->tx_lock);
		q->tx_flight++;
		spin_unlock_irq(&q->tx_lock);
		skb = build_zerocopy(tx, frags, len, head);
		if (skb) {
			q->stats.tx_zerocopy++;
		} else {
			spin_lock_irq(&q->tx_lock);
			q->tx_flight--;
			spin_unlock_irq(&q->tx_lock);
			zerocopy = false;
		}
	} else {
		skb = build_copy(tx, frags, len);
	}
	if (!zerocopy) {
		tp->unmap(q->nb->pdev, tx->maps, tx->nr, false);
		kmem_cache_free(netback_tx_cache, tx);
	}
	if (!skb) {
		q->stats.tx_dropped++;
		respond(q, p->id, PVHV_NET_S_DROPPED);
		return NULL;
	}

	if (pvhv_net_to_skb(skb, p)) {
		q->stats.tx_invalid++;
	} else if (!netif_running(q->nb->ndev)) {
		q->stats.tx_dropped++;
		status = PVHV_NET_S_DROPPED;
	} else {
		q->stats.tx_packets++;
		q->stats.tx_bytes += len;
		status = PVHV_NET_S_OK;
	}
	if (!zerocopy)
		respond(q, p->id, status);
	if (zerocopy) {
		tx->status = status;
		netback_tx_done(NULL, &tx->ubuf, true);
	}
	if (status != PVHV_NET_S_OK) {
		kfree_skb(skb);
		return NULL;
	}
	skb_record_rx_queue(skb, q->index);
	skb->protocol = eth_type_trans(skb, q->nb->ndev);
	return skb;
}

/*
 * Take the next packet out of the ring. Return: NULL, or what is wrong with it
 * in such a way that it cannot be told where the next one begins.
 */
static const char *take(struct netback_queue *q, struct pvhv_net_packet *p,
			struct pvhv_net_frag *frags)
{
	union pvhv_net_tx_request req;
	unsigned int i, slots;

	pvhv_ring_get(&q->tx.req, &req, sizeof(req));
	*p = req.packet;
	if (!p->nr_frags || p->nr_frags > PVHV_NET_MAX_FRAGS)
		return "a packet with a bad number of fragments";
	if (p->id >= PVHV_NET_MAX_IDS)
		return "a packet with a bad id";
	slots = DIV_ROUND_UP(p->nr_frags, 2);
	/* Its slots were produced together. */
	if (q->tx.req.theirs - q->tx.req.mine < slots)
		return "a packet without its fragments";
	for (i = 0; i < slots; i++) {
		pvhv_ring_get(&q->tx.req, &req, sizeof(req));
		frags[2 * i] = req.frags[0];
		frags[2 * i + 1] = req.frags[1];
	}
	return NULL;
}

/* A response is kept free for each request that is taken. */
static bool promise(struct netback_queue *q)
{
	bool room;

	spin_lock_irq(&q->tx_lock);
	room = pvhv_ring_room(&q->tx.rsp) > q->tx_promised;
	if (room)
		q->tx_promised++;
	spin_unlock_irq(&q->tx_lock);
	return room;
}

/**
 * netback_tx_poll - merge packets, and give them to the stack
 * @napi:	of the queue
 * @budget:	packets at most
 *
 * Return: packets
 */
int netback_tx_poll(struct napi_struct *napi, int budget)
{
	struct netback_queue *q = container_of(napi, struct netback_queue, tx_napi);
	struct sk_buff *skb;
	int done;

	for (done = 0; done < budget; done++) {
		bool alone;

		skb = backlog_get(q);
		if (!skb)
			break;
		/*
		 * Pages that are mapped belong to one skb, which not all of 6.1's GRO looks at. It
		 * goes there all the same: what GRO has let go waits in a list of NAPI's, and
		 * netif_receive_skb() would overtake packets of the same flow there.
		 */
		alone = skb_zcopy(skb);
		if (alone)
			napi_gro_flush(napi, false);
		napi_gro_receive(napi, skb);
		if (alone)
			napi_gro_flush(napi, false);
	}
	if (wq_has_sleeper(&q->tx_room) && backlog_has_room(q))
		wake_up(&q->tx_room);
	if (done < budget)
		napi_complete_done(napi, done);
	return done;
}

/**
 * netback_tx_event - the guest has packets
 * @data:	the queue
 *
 * Process context, may sleep.
 *
 * Return: true if there are more.
 */
bool netback_tx_event(void *data)
{
	struct pvhv_net_frag frags[PVHV_NET_MAX_FRAGS];
	struct netback_queue *q = data;
	const char *wrong = NULL;
	struct pvhv_net_packet p;
	unsigned int done = 0;
	struct sk_buff *skb;
	bool more = true, full, notify;

	/* Who has it may wait for the owner's memory, which this thread may have to give. */
	if (mutex_lock_killable(&q->tx_mutex))
		return true;
	if (!q->tx_live) {
		mutex_unlock(&q->tx_mutex);
		return false;
	}
	q->stats.tx_events++;
	/* Not later: now all that is done is answered, and what waits is known to NAPI. */
	full = pvhv_ring_items(&q->tx.req) && !backlog_wait(q);
	spin_lock_irq(&q->tx_lock);
	q->tx_batch = true;
	spin_unlock_irq(&q->tx_lock);

	while (done < NETBACK_TX_BUDGET && !wrong) {
		if (!pvhv_ring_items(&q->tx.req)) {
			more = !pvhv_ring_wait_items(&q->tx.req);
			if (!more)
				break;
		}
		/* The next call waits. If this one has waited in vain it drops. */
		if (!full && backlog_full(q))
			break;
		if (!promise(q)) {
			wrong = "more packets than there are responses";
			break;
		}
		done++;
		wrong = take(q, &p, frags);
		if (wrong)
			break;
		if (full && backlog_full(q)) {
			q->stats.tx_dropped++;
			respond(q, p.id, PVHV_NET_S_DROPPED);
			continue;
		}
		skb = receive(q, &p, frags);
		if (skb)
			backlog_put(q, skb);
	}
	if (q->tx.req.broken || q->tx.rsp.broken)
		wrong = "bad ring index";
	notify = pvhv_ring_pull(&q->tx.req);
	if (!skb_queue_empty_lockless(&q->tx_skbs)) {
		/* It polls in the end, here and now. */
		local_bh_disable();
		napi_schedule(&q->tx_napi);
		local_bh_enable();
	}

	spin_lock_irq(&q->tx_lock);
	q->tx_batch = false;
	notify |= push_responses(q);
	spin_unlock_irq(&q->tx_lock);
	if (notify)
		pvhv_area_notify(&q->tx_area);
	if (wrong)
		q->tx_live = false;
	mutex_unlock(&q->tx_mutex);
	if (wrong)
		netback_break(q->nb, wrong);
	return more && !wrong;
}

/**
 * netback_tx_start - the queue is connected
 * @q:	the queue, with its area
 */
void netback_tx_start(struct netback_queue *q)
{
	napi_enable(&q->tx_napi);
	mutex_lock(&q->tx_mutex);
	q->tx_live = true;
	mutex_unlock(&q->tx_mutex);
}

/**
 * netback_tx_stop - take nothing more, and wait for what is in flight
 * @q:	the queue
 *
 * Sleeps as long as an skb stays somewhere.
 */
void netback_tx_stop(struct netback_queue *q)
{
	struct sk_buff *skb;

	mutex_lock(&q->tx_mutex);
	q->tx_live = false;
	mutex_unlock(&q->tx_mutex);
	napi_disable(&q->tx_napi);
	while ((skb = backlog_get(q)))
		kfree_skb(skb);
	WARN_ON_ONCE(q->tx_waiting);

	/* Not one long sleep: it is no hung task. */
	while (!wait_event_timeout(q->tx_idle, !READ_ONCE(q->tx_flight), HZ))
		;
	/* netback_tx_done() may still hold it. */
	spin_lock_irq(&q->tx_lock);
	spin_unlock_irq(&q->tx_lock);
}

int netback_tx_init(void)
{
	netback_tx_cache = KMEM_CACHE(netback_tx, SLAB_ACCOUNT);
	return netback_tx_cache ? 0 : -ENOMEM;
}

void netback_tx_exit(void)
{
	kmem_cache_destroy(netback_tx_cache);
}
