// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv-blkback: the data path.
 *
 * A slot is copied once, checked once, and then only the copy is looked at. What
 * a queue can have in flight is allocated with the queue: a request for each slot,
 * and the segments that a full ring has room for. When it is used up, requests wait
 * in the ring.
 *
 * 1. A request is taken only if the ring of responses has a slot that no other request
 *    in flight is going to use. So a response never waits, and a frontend that does not
 *    read its responses only stops itself.
 * 2. The queue goes to sleep in one of three ways, each with somebody to wake it:
 *    no requests (pvhv_ring_wait_items: the frontend), no room for the response
 *    (pvhv_ring_wait_room: the frontend), nothing to put it in (@starved: the end of a request
 *    in flight, of which there is at least one).
 * 3. The grants of a request are unmapped before its response can be seen.
 * 4. Discards and zeroes may take a device minutes each, and a ring is full of them soon.
 *    They are done one at a time, and no more when the queue has been stopped: else who
 *    stops it, and who removes the device of a dead frontend, would wait for hours of work.
 */
#include <linux/bitmap.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "blkback.h"

/*
 * Deferred requests of a disk that wait at the same time, each with a worker of a queue that is
 * all its domain's disks': it has as many for each of them, whatever the others do.
 */
#define BLKBACK_DEFERRED_MAX	(WQ_MAX_ACTIVE / PVHV_MAX_DEVICES)

/* In jiffies: until a request that could not be begun is tried again */
#define BLKBACK_LATER		(HZ / 10)

/* Requests in one go, before others get the CPU and signals are looked at */
#define BLKBACK_BUDGET	64

static u16 blkback_wire_status(blk_status_t status)
{
	switch (status) {
	case BLK_STS_OK:
		return PVHV_BLK_S_OK;
	case BLK_STS_NOTSUPP:
		return PVHV_BLK_S_NOTSUPP;
	case BLK_STS_TIMEOUT:
		return PVHV_BLK_S_TIMEOUT;
	case BLK_STS_NOSPC:
		return PVHV_BLK_S_NOSPC;
	case BLK_STS_MEDIUM:
		return PVHV_BLK_S_MEDIUM;
	case BLK_STS_TRANSPORT:
		return PVHV_BLK_S_TRANSPORT;
	case BLK_STS_PROTECTION:
		return PVHV_BLK_S_PROTECTION;
	case BLK_STS_RESOURCE:
		return PVHV_BLK_S_NOMEM;
	case BLK_STS_TARGET:
		return PVHV_BLK_S_TARGET;
	case BLK_STS_NEXUS:
		return PVHV_BLK_S_NEXUS;
	case BLK_STS_OFFLINE:
		return PVHV_BLK_S_OFFLINE;
	default:
		return PVHV_BLK_S_IOERR;
	}
}

/* Let the frontend see what was put. Called with q->lock. */
static void blkback_push(struct blkback_queue *q)
{
	if (q->responses.mine == q->responses.published)
		return;
	if (pvhv_ring_push(&q->responses)) {
		q->stats[BLKBACK_SENT]++;
		pvhv_area_notify(&q->area);
	} else {
		q->stats[BLKBACK_SUPPRESSED]++;
	}
}

/* Called with q->lock; the slot is there by rule 1. */
static void blkback_put_response(struct blkback_queue *q, u16 id, u16 status)
{
	struct pvhv_blk_response response = { .id = id, .status = status };

	if (status != PVHV_BLK_S_OK)
		q->stats[BLKBACK_ERRORS]++;
	pvhv_ring_put(&q->responses, &response, sizeof(response));
	if (!in_task() || q->submitter != current)
		blkback_push(q);
}

static void blkback_finish(struct blkback_req *req, u16 status)
{
	struct blkback_queue *q = req->q;
	unsigned long flags;

	if (req->nr_segs)
		q->bd->dev->tp->unmap(q->bd->dev, req->maps, req->nr_segs,
				      req->op == PVHV_BLK_READ);

	/* Notify and wake up under the lock: blkback_queue_drain() may be waiting for it. */
	spin_lock_irqsave(&q->lock, flags);
	blkback_put_response(q, req->id, status);
	bitmap_clear(q->units, req->unit, req->nr_units);
	list_add(&req->list, &q->free);
	if (q->starved) {
		q->starved = false;
		queue_delayed_work(q->bd->dev->io_wq, &q->work, 0);
	}
	if (!--q->in_flight)
		wake_up(&q->drained);
	spin_unlock_irqrestore(&q->lock, flags);
}

/**
 * blkback_end - end a request
 * @req:	of which nothing is used any more
 * @status:	how it went
 *
 * Context: any.
 */
void blkback_end(struct blkback_req *req, blk_status_t status)
{
	blkback_finish(req, blkback_wire_status(status));
}

/*
 * As who has opened the file, whoever's thread this is: file systems ask for rights when
 * they are written to, too (quotas, reserved blocks, set-uid bits).
 */
static void blkback_as_owner(void (*fn)(struct blkback_req *req), struct blkback_req *req)
{
	/* req may be gone afterwards, the file is not: a queue is still there. */
	const struct cred *old = override_creds(req->q->bd->file->f_cred);

	fn(req);
	revert_creds(old);
}

static void blkback_req_work(struct work_struct *work)
{
	struct blkback_req *req = container_of(work, struct blkback_req, work);
	struct blkback *bd = req->q->bd;

	/* Who removes it waits for all that is deferred, a few at a time. */
	if (READ_ONCE(bd->dev->flags) & PVHV_DEV_PEER_DEAD)
		blkback_end(req, BLK_STS_IOERR);
	else
		blkback_as_owner(bd->backing->work, req);

	spin_lock_irq(&bd->defer_lock);
	req = list_first_entry_or_null(&bd->deferred, struct blkback_req, list);
	if (req) {
		list_del(&req->list);
		queue_work(bd->dev->io_wq, &req->work);
	} else {
		bd->nr_deferred--;
	}
	spin_unlock_irq(&bd->defer_lock);
}

/* Rule 4 */
static void blkback_long_work(struct work_struct *work)
{
	struct blkback *bd = container_of(work, struct blkback, long_work);
	struct blkback_req *req;
	bool more;

	spin_lock_irq(&bd->defer_lock);
	req = list_first_entry_or_null(&bd->long_reqs, struct blkback_req, list);
	if (req)
		list_del(&req->list);
	more = !list_empty(&bd->long_reqs);
	spin_unlock_irq(&bd->defer_lock);

	if (more)
		queue_work(bd->dev->wq, &bd->long_work);
	if (!req)
		return;
	/* Nobody waits for more than the one that is under way: each may take minutes. */
	if (READ_ONCE(req->q->stopped) || READ_ONCE(bd->dev->flags) & PVHV_DEV_PEER_DEAD)
		blkback_end(req, BLK_STS_IOERR);
	else
		blkback_as_owner(bd->backing->work, req);
}

/**
 * blkback_defer - go on with a request in a workqueue
 * @req:	for the backing's work()
 *
 * Context: any.
 */
void blkback_defer(struct blkback_req *req)
{
	struct blkback_queue *q = req->q;
	struct blkback *bd = q->bd;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	q->stats[BLKBACK_DEFERRED]++;
	spin_unlock_irqrestore(&q->lock, flags);

	spin_lock_irqsave(&bd->defer_lock, flags);
	if (req->op == PVHV_BLK_DISCARD || req->op == PVHV_BLK_WRITE_ZEROES) {
		list_add_tail(&req->list, &bd->long_reqs);
		queue_work(bd->dev->wq, &bd->long_work);
	} else if (bd->nr_deferred < BLKBACK_DEFERRED_MAX) {
		bd->nr_deferred++;
		queue_work(bd->dev->io_wq, &req->work);
	} else {
		list_add_tail(&req->list, &bd->deferred);
	}
	spin_unlock_irqrestore(&bd->defer_lock, flags);
}

static void blkback_later_work(struct work_struct *work)
{
	struct blkback *bd = container_of(to_delayed_work(work), struct blkback, later_work);
	struct blkback_req *req, *next;
	LIST_HEAD(reqs);

	spin_lock_irq(&bd->defer_lock);
	list_splice_init(&bd->later, &reqs);
	spin_unlock_irq(&bd->defer_lock);
	list_for_each_entry_safe(req, next, &reqs, list) {
		list_del(&req->list);
		blkback_defer(req);
	}
}

/**
 * blkback_defer_later - go on with a request in a workqueue, after a while
 * @req:	for the backing's work(), which may say so again
 *
 * For what may have to wait for minutes. No worker does, and when the domain has ended
 * the request ends, too.
 *
 * Context: any.
 */
void blkback_defer_later(struct blkback_req *req)
{
	struct blkback *bd = req->q->bd;
	unsigned long flags;

	spin_lock_irqsave(&bd->defer_lock, flags);
	list_add_tail(&req->list, &bd->later);
	queue_delayed_work(bd->dev->io_wq, &bd->later_work, BLKBACK_LATER);
	spin_unlock_irqrestore(&bd->defer_lock, flags);
}

/**
 * blkback_defer_init - once for each device
 * @bd:	the device
 */
void blkback_defer_init(struct blkback *bd)
{
	spin_lock_init(&bd->defer_lock);
	INIT_LIST_HEAD(&bd->deferred);
	INIT_LIST_HEAD(&bd->long_reqs);
	INIT_WORK(&bd->long_work, blkback_long_work);
	INIT_LIST_HEAD(&bd->later);
	INIT_DELAYED_WORK(&bd->later_work, blkback_later_work);
}

/* Get a request with room for @nr_segs, or NULL if that must wait (rule 2). */
static struct blkback_req *blkback_get_req(struct blkback_queue *q, unsigned int nr_segs)
{
	unsigned int nr = DIV_ROUND_UP(nr_segs, BLKBACK_UNIT);
	struct blkback_req *req = NULL;
	unsigned long unit;

	spin_lock_irq(&q->lock);
	if (q->in_flight) {
		unit = bitmap_find_next_zero_area(q->units, q->nr_units, 0, nr, 0);
		if (unit >= q->nr_units || list_empty(&q->free)) {
			q->starved = true;
			q->stats[BLKBACK_STARVED]++;
			goto out;
		}
	} else {
		unit = 0;
	}
	if (pvhv_ring_room(&q->responses) <= q->in_flight &&
	    pvhv_ring_wait_room(&q->responses, q->in_flight + 1))
		goto out;

	req = list_first_entry(&q->free, struct blkback_req, list);
	list_del(&req->list);
	bitmap_set(q->units, unit, nr);
	q->in_flight++;
	req->unit = unit;
	req->nr_units = nr;
	req->maps = q->maps + unit * BLKBACK_UNIT;
	req->bvecs = q->bvecs + unit * BLKBACK_UNIT;
out:
	spin_unlock_irq(&q->lock);
	return req;
}

/* Check a segment and note it. Returns its bytes, 0 if it is bad. */
static unsigned int blkback_segment(struct blkback_req *req, unsigned int i,
				    const struct pvhv_blk_segment *seg)
{
	if (!seg->len || seg->offset % SECTOR_SIZE || seg->len % req->q->bd->logical ||
	    seg->offset + seg->len > PAGE_SIZE)
		return 0;
	req->maps[i] = (struct pvhv_map) {
		.ref = seg->ref,
		.readonly = req->op == PVHV_BLK_WRITE,
	};
	req->bvecs[i].bv_offset = seg->offset;
	req->bvecs[i].bv_len = seg->len;
	return seg->len;
}

/* Check and copy the segments, whose first slot is @first. False if they are bad. */
static bool blkback_segments(struct blkback_queue *q, struct blkback_req *req,
			     const struct pvhv_blk_request *first)
{
	struct pvhv_blk_segment more[PVHV_BLK_SEGS_MORE];
	unsigned int i, len, slot = 0, n = 0;
	u64 bytes = 0;

	for (i = 0; i < first->nr_segs; i++) {
		if (i < PVHV_BLK_SEGS_FIRST) {
			len = blkback_segment(req, i, &first->segs[i]);
		} else {
			n = (i - PVHV_BLK_SEGS_FIRST) % PVHV_BLK_SEGS_MORE;
			if (!n)
				pvhv_ring_peek(&q->requests, ++slot, more, sizeof(more));
			len = blkback_segment(req, i, &more[n]);
		}
		if (!len)
			return false;
		bytes += len;
	}
	return bytes == first->nr_sectors << SECTOR_SHIFT;
}

/* All rules about a request's own slot. Returns PVHV_BLK_S_xxx. */
static u16 blkback_check(struct blkback *bd, const struct pvhv_blk_request *r)
{
	u64 sectors = READ_ONCE(bd->sectors), max = U64_MAX;
	u8 flags = 0;

	if (r->reserved || r->reserved2)
		return PVHV_BLK_S_INVALID;

	switch (r->op) {
	case PVHV_BLK_WRITE:
		flags = PVHV_BLK_FUA;
		fallthrough;
	case PVHV_BLK_READ:
		if (!r->nr_segs || r->nr_sectors > PVHV_BLK_MAX_SEGS * (PAGE_SIZE / SECTOR_SIZE))
			return PVHV_BLK_S_INVALID;
		break;
	case PVHV_BLK_FLUSH:
		if (r->flags || r->nr_segs || r->sector || r->nr_sectors)
			return PVHV_BLK_S_INVALID;
		return PVHV_BLK_S_OK;
	case PVHV_BLK_WRITE_ZEROES:
		flags = PVHV_BLK_FUA | PVHV_BLK_NOUNMAP;
		if (!(READ_ONCE(bd->features) & PVHV_BLK_F_WRITE_ZEROES))
			return PVHV_BLK_S_NOTSUPP;
		if (r->nr_segs)
			return PVHV_BLK_S_INVALID;
		max = bd->zeroes_max;
		break;
	case PVHV_BLK_DISCARD:
		if (!(READ_ONCE(bd->features) & PVHV_BLK_F_DISCARD))
			return PVHV_BLK_S_NOTSUPP;
		if (r->nr_segs)
			return PVHV_BLK_S_INVALID;
		max = bd->discard_max;
		break;
	default:
		return PVHV_BLK_S_NOTSUPP;
	}
	if (r->flags & ~flags || !r->nr_sectors || r->nr_sectors > max ||
	    (r->sector | r->nr_sectors) & ((bd->logical >> SECTOR_SHIFT) - 1))
		return PVHV_BLK_S_INVALID;
	/* Not the frontend's fault if it does not know yet of a smaller size */
	if (r->nr_sectors > sectors || r->sector > sectors - r->nr_sectors)
		return PVHV_BLK_S_IOERR;
	if (r->op != PVHV_BLK_READ && bd->readonly)
		return PVHV_BLK_S_IOERR;
	return PVHV_BLK_S_OK;
}

/* Map all segments or none. Returns PVHV_BLK_S_xxx. */
static u16 blkback_map(struct blkback *bd, struct blkback_req *req)
{
	const struct pvhv_transport *tp = bd->dev->tp;
	unsigned int i, j;

	tp->map(bd->dev, req->maps, req->nr_segs, false);
	for (i = 0; i < req->nr_segs; i++) {
		if (req->maps[i].status)
			break;
		req->bvecs[i].bv_page = req->maps[i].page;
	}
	if (i == req->nr_segs)
		return PVHV_BLK_S_OK;

	for (j = 0; j < req->nr_segs; j++)
		if (!req->maps[j].status)
			tp->unmap(bd->dev, &req->maps[j], 1, false);
	return req->maps[i].status == -ENOMEM ? PVHV_BLK_S_NOMEM : PVHV_BLK_S_INVALID;
}

static void blkback_account(struct blkback_queue *q, const struct blkback_req *req)
{
	static const u8 requests[] = {
		[PVHV_BLK_READ] = BLKBACK_READ_REQUESTS,
		[PVHV_BLK_WRITE] = BLKBACK_WRITE_REQUESTS,
		[PVHV_BLK_FLUSH] = BLKBACK_FLUSH_REQUESTS,
		[PVHV_BLK_DISCARD] = BLKBACK_DISCARD_REQUESTS,
		[PVHV_BLK_WRITE_ZEROES] = BLKBACK_ZEROES_REQUESTS,
	};

	spin_lock_irq(&q->lock);
	q->stats[requests[req->op]]++;
	if (req->op != PVHV_BLK_FLUSH)	/* sectors are counted next to requests */
		q->stats[requests[req->op] + 1] += req->nr_sectors;
	spin_unlock_irq(&q->lock);
}

/*
 * Take the next request of @items slots. Returns its slots, 0 if it must wait,
 * -EPROTO if the ring makes no sense.
 */
static int blkback_take(struct blkback_queue *q, unsigned int items)
{
	struct pvhv_blk_request first;
	struct blkback_req *req;
	unsigned int slots;
	u16 status;

	pvhv_ring_peek(&q->requests, 0, &first, sizeof(first));
	if (first.nr_segs > PVHV_BLK_MAX_SEGS)
		return -EPROTO;
	slots = pvhv_blk_slots(first.nr_segs);
	if (slots > items)
		return -EPROTO;

	req = blkback_get_req(q, first.nr_segs);
	if (!req)
		return q->responses.broken ? -EPROTO : 0;
	req->op = first.op;
	req->flags = first.flags;
	req->id = first.id;
	req->nr_segs = 0;	/* none mapped yet */
	req->sector = first.sector;
	req->nr_sectors = first.nr_sectors;

	status = blkback_check(q->bd, &first);
	if (status == PVHV_BLK_S_OK && first.nr_segs) {
		if (!blkback_segments(q, req, &first)) {
			status = PVHV_BLK_S_INVALID;
		} else {
			req->nr_segs = first.nr_segs;
			status = blkback_map(q->bd, req);
		}
	}
	if (status == PVHV_BLK_S_OK) {
		blkback_account(q, req);
		blkback_as_owner(q->bd->backing->submit, req);
		return slots;
	}

	if (status == PVHV_BLK_S_INVALID)
		dev_dbg(&q->bd->dev->dev, "queue %u: the frontend sent a bad request\n", q->index);
	req->nr_segs = 0;
	q->refused++;
	blkback_finish(req, status);
	return slots;
}

/* Take what is there. Called with q->mutex. Returns true if there may be more. */
static bool blkback_run(struct blkback_queue *q)
{
	unsigned int budget = BLKBACK_BUDGET;
	bool more = false, broken = false;
	struct blk_plug plug;
	unsigned int items;
	int slots;

	if (q->stopped)
		return false;
	q->refused = 0;

	spin_lock_irq(&q->lock);
	q->submitter = current;
	q->stats[BLKBACK_RUNS]++;
	spin_unlock_irq(&q->lock);

	blk_start_plug(&plug);
	items = pvhv_ring_items(&q->requests);
	for (;;) {
		if (!items) {
			/* Room first, then sleep: it is what the frontend may be waiting for. */
			if (pvhv_ring_pull(&q->requests))
				pvhv_area_notify(&q->area);
			if (pvhv_ring_wait_items(&q->requests))
				break;
			items = pvhv_ring_items(&q->requests);
			continue;
		}
		if (!budget--) {
			more = true;
			break;
		}
		slots = blkback_take(q, items);
		if (slots < 0)
			broken = true;
		if (slots <= 0)
			break;
		q->requests.mine += slots;
		items -= slots;
	}
	blk_finish_plug(&plug);
	if (pvhv_ring_pull(&q->requests))
		pvhv_area_notify(&q->area);

	spin_lock_irq(&q->lock);
	q->submitter = NULL;
	blkback_push(q);
	spin_unlock_irq(&q->lock);

	if (broken || q->requests.broken) {
		WRITE_ONCE(q->stopped, true);
		blkback_fault(q->bd, q->requests.broken ? "the ring of requests was broken" :
			      q->responses.broken ? "the ring of responses was broken" :
			      "a request was longer than what was in the ring");
		return false;
	}
	return more;
}

/* The frontend's event, in the thread of its vCPU */
static bool blkback_event(void *data)
{
	struct blkback_queue *q = data;
	bool more;

	/* Who has it may wait for the owner's memory, which this thread may have to give. */
	if (mutex_lock_killable(&q->mutex))
		return true;
	more = blkback_run(q);
	mutex_unlock(&q->mutex);
	return more;
}

static void blkback_queue_work(struct work_struct *work)
{
	struct blkback_queue *q = container_of(to_delayed_work(work), struct blkback_queue, work);
	unsigned int refused;
	bool more;

	mutex_lock(&q->mutex);
	more = blkback_run(q);
	refused = q->refused;
	mutex_unlock(&q->mutex);
	/* Saying no costs a frontend nothing, and this thread is the host's. */
	if (more)
		queue_delayed_work(q->bd->dev->io_wq, &q->work, refused > BLKBACK_BUDGET / 2);
}

static void blkback_queue_free(struct blkback_queue *q)
{
	kvfree(q->reqs);
	kvfree(q->maps);
	kvfree(q->bvecs);
	bitmap_free(q->units);
	kfree(q);
}

/**
 * blkback_queue_create - make a queue of what the frontend offers
 * @bd:		the device
 * @index:	which queue
 * @props:	the frontend's
 * @nr_pages:	of each ring area, checked
 *
 * The queue is stopped, but its event is bound.
 *
 * Return: the queue or an ERR_PTR().
 */
struct blkback_queue *blkback_queue_create(struct blkback *bd, unsigned int index,
					   const struct pvhv_props *props, unsigned int nr_pages)
{
	struct pvhv_ring_layout l = pvhv_ring_layout(nr_pages, sizeof(struct pvhv_blk_request),
						     sizeof(struct pvhv_blk_response));
	struct blkback_queue *q = kzalloc(sizeof(*q), GFP_KERNEL_ACCOUNT);
	unsigned int i, nr_segs;
	int err = -ENOMEM;

	if (!q)
		return ERR_PTR(-ENOMEM);
	/* A ring full of the largest requests, and any one request whatever the ring */
	q->nr_units = (l.nr * PVHV_BLK_SEGS_MORE + PVHV_BLK_MAX_SEGS) / BLKBACK_UNIT;
	nr_segs = q->nr_units * BLKBACK_UNIT;
	q->reqs = kvcalloc(l.nr, sizeof(*q->reqs), GFP_KERNEL_ACCOUNT);
	q->maps = kvcalloc(nr_segs, sizeof(*q->maps), GFP_KERNEL_ACCOUNT);
	q->bvecs = kvcalloc(nr_segs, sizeof(*q->bvecs), GFP_KERNEL_ACCOUNT);
	q->units = bitmap_zalloc(q->nr_units, GFP_KERNEL_ACCOUNT);
	if (!q->reqs || !q->maps || !q->bvecs || !q->units)
		goto fail;

	q->bd = bd;
	q->index = index;
	q->stopped = true;
	mutex_init(&q->mutex);
	INIT_DELAYED_WORK(&q->work, blkback_queue_work);
	spin_lock_init(&q->lock);
	init_waitqueue_head(&q->drained);
	INIT_LIST_HEAD(&q->free);
	for (i = 0; i < l.nr; i++) {
		q->reqs[i].q = q;
		INIT_WORK(&q->reqs[i].work, blkback_req_work);
		list_add_tail(&q->reqs[i].list, &q->free);
	}

	err = pvhv_area_accept(&q->area, bd->dev, index, props, blkback_event, q, 0);
	if (err)
		goto fail;
	pvhv_ring_init(&q->requests, q->area.addr + PVHV_RING_REQUEST_HEADER,
		       q->area.addr + l.requests, l.nr, sizeof(struct pvhv_blk_request));
	pvhv_ring_init(&q->responses, q->area.addr + PVHV_RING_RESPONSE_HEADER,
		       q->area.addr + l.responses, l.nr, sizeof(struct pvhv_blk_response));
	if (!pvhv_ring_unused(&q->requests, &q->responses)) {
		pvhv_area_destroy(&q->area);
		err = -ESTALE;
		goto fail;
	}
	return q;

fail:
	blkback_queue_free(q);
	return ERR_PTR(err);
}

/**
 * blkback_queue_start - begin to take requests
 * @q:	a queue just made
 */
void blkback_queue_start(struct blkback_queue *q)
{
	mutex_lock(&q->mutex);
	WRITE_ONCE(q->stopped, false);
	mutex_unlock(&q->mutex);
	/* for what was sent before, whose event found the queue stopped */
	queue_delayed_work(q->bd->dev->io_wq, &q->work, 0);
}

/**
 * blkback_queue_stop - take no more requests
 * @q:	the queue; may be stopped already
 *
 * Discards and the like that have not begun will end with an error.
 */
void blkback_queue_stop(struct blkback_queue *q)
{
	mutex_lock(&q->mutex);
	WRITE_ONCE(q->stopped, true);
	mutex_unlock(&q->mutex);
}

/**
 * blkback_queue_drain - wait for the requests in flight
 * @q:	a stopped queue
 *
 * Context: may sleep as long as the hardware needs.
 */
void blkback_queue_drain(struct blkback_queue *q)
{
	spin_lock_irq(&q->lock);
	/* Not one long sleep, which the host's watchdog would take for a hang */
	while (!wait_event_lock_irq_timeout(q->drained, !q->in_flight, q->lock, HZ))
		;
	q->starved = false;
	spin_unlock_irq(&q->lock);
	cancel_delayed_work_sync(&q->work);
}

/**
 * blkback_queue_destroy - unmap and free a queue
 * @q:	a stopped queue
 */
void blkback_queue_destroy(struct blkback_queue *q)
{
	unsigned int i;

	pvhv_area_destroy(&q->area);
	/* A work that has just ended its request may still be on its way out. */
	for (i = 0; i < q->requests.nr; i++)
		cancel_work_sync(&q->reqs[i].work);
	blkback_queue_free(q);
}
