// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv-blkfront: the data path.
 *
 * A request's pages are granted and its slots filled in queue_rq(); the backend is
 * notified once for a batch, if it asks for it. Its work may be done inside the
 * notification, so that is done without a lock.
 *
 * 1. An id is the request's tag. It is in flight from before its slots can be seen until its
 *    entry of @in_flight is taken. So a backend that answers with an id that is
 *    not in flight, or twice, is caught.
 * 2. A queue without room is stopped under its lock, after pvhv_ring_wait_room(). The
 *    handler looks for room under the lock, so it sees the stop or the stop sees the room.
 * 3. Grants are revoked before the request is completed. A page that the backend
 *    still uses then is one that it may still write to, so the request is kept.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/mm.h>

#include "blkfront.h"

/* Responses in one go, in interrupt context */
#define BLKFRONT_BUDGET	256

/* ---- segments ---- */

static bool blkfront_follows(const struct bio_vec *a, const struct bio_vec *b)
{
	return a->bv_page == b->bv_page && a->bv_offset + a->bv_len == b->bv_offset;
}

static void blkfront_revoke(struct blkfront_queue *q, struct blkfront_req *req)
{
	struct pvhv_device *dev = q->bf->dev;

	/* Nobody knows of them, but the backend may have guessed. See rule 3 */
	while (req->nr_segs) {
		if (!dev->tp->revoke(dev, req->segs[req->nr_segs - 1].ref))
			break;
		req->nr_segs--;
	}
}

static blk_status_t blkfront_grant(struct blkfront_queue *q, struct blkfront_req *req,
				   struct pvhv_blk_segment *seg, const struct bio_vec *bv,
				   bool readonly)
{
	struct pvhv_device *dev = q->bf->dev;

	/* The queue's limits say so, but not everybody in the kernel asks. */
	if ((bv->bv_offset | bv->bv_len) % SECTOR_SIZE)
		return BLK_STS_IOERR;
	seg->ref = dev->tp->grant(dev, bv->bv_page, readonly);
	if (seg->ref == PVHV_GRANT_NONE)
		return BLK_STS_RESOURCE;
	seg->offset = bv->bv_offset;
	seg->len = bv->bv_len;
	req->nr_segs++;
	return BLK_STS_OK;
}

/* Grant all pages of a request. Vectors that follow each other in a page are one segment. */
static blk_status_t blkfront_map(struct blkfront_queue *q, struct request *rq)
{
	struct blkfront_req *req = blk_mq_rq_to_pdu(rq);
	bool readonly = rq_data_dir(rq) == WRITE;
	struct bio_vec bv, last = {};
	struct req_iterator iter;
	blk_status_t status;

	rq_for_each_segment(bv, rq, iter) {
		if (last.bv_len && blkfront_follows(&last, &bv)) {
			last.bv_len += bv.bv_len;
			continue;
		}
		if (last.bv_len) {
			status = blkfront_grant(q, req, &req->segs[req->nr_segs], &last, readonly);
			if (status)
				return status;
		}
		/* One place is left for the last one. */
		if (req->nr_segs == PVHV_BLK_MAX_SEGS)
			return BLK_STS_IOERR;
		last = bv;
	}
	return blkfront_grant(q, req, &req->segs[req->nr_segs], &last, readonly);
}

/* ---- sending ---- */

static blk_status_t blkfront_fill(struct blkfront *bf, struct request *rq,
				  struct pvhv_blk_request *r)
{
	struct blkfront_req *req = blk_mq_rq_to_pdu(rq);

	*r = (struct pvhv_blk_request) { .id = rq->tag };
	if (req_op(rq) == REQ_OP_FLUSH) {
		r->op = PVHV_BLK_FLUSH;
		return BLK_STS_OK;
	}
	r->sector = blk_rq_pos(rq);
	r->nr_sectors = blk_rq_sectors(rq);

	switch (req_op(rq)) {
	case REQ_OP_READ:
		r->op = PVHV_BLK_READ;
		break;
	case REQ_OP_WRITE:
		r->op = PVHV_BLK_WRITE;
		if (rq->cmd_flags & REQ_FUA)
			r->flags = PVHV_BLK_FUA;
		break;
	case REQ_OP_DISCARD:
		r->op = PVHV_BLK_DISCARD;
		return BLK_STS_OK;
	case REQ_OP_WRITE_ZEROES:
		r->op = PVHV_BLK_WRITE_ZEROES;
		if (rq->cmd_flags & REQ_NOUNMAP)
			r->flags = PVHV_BLK_NOUNMAP;
		return BLK_STS_OK;
	default:
		return BLK_STS_NOTSUPP;
	}
	r->nr_segs = req->nr_segs;
	memcpy(r->segs, req->segs,
	       min_t(u16, req->nr_segs, PVHV_BLK_SEGS_FIRST) * sizeof(r->segs[0]));
	return BLK_STS_OK;
}

/* Called with q->lock and room for it */
static void blkfront_put(struct blkfront_queue *q, struct request *rq,
			 const struct pvhv_blk_request *r)
{
	struct blkfront_req *req = blk_mq_rq_to_pdu(rq);
	unsigned int i, n;

	WRITE_ONCE(q->in_flight[rq->tag], rq);	/* rule 1; the push is a release */
	atomic_inc(&q->nr_in_flight);
	pvhv_ring_put(&q->requests, r, sizeof(*r));
	for (i = PVHV_BLK_SEGS_FIRST; i < r->nr_segs; i += n) {
		n = min_t(unsigned int, r->nr_segs - i, PVHV_BLK_SEGS_MORE);
		pvhv_ring_put(&q->requests, &req->segs[i], n * sizeof(req->segs[0]));
	}
}

static blk_status_t blkfront_queue_rq(struct blk_mq_hw_ctx *hctx,
				      const struct blk_mq_queue_data *bd)
{
	struct blkfront_queue *q = hctx->driver_data;
	struct request *rq = bd->rq;
	struct blkfront_req *req = blk_mq_rq_to_pdu(rq);
	struct pvhv_blk_request r;
	blk_status_t status = BLK_STS_OK;
	bool notify = false, broken = false;
	unsigned long flags;
	unsigned int slots;

	/* No backend: an error now is better than to wait for one that may never come. */
	if (!READ_ONCE(q->connected))
		return BLK_STS_IOERR;
	blk_mq_start_request(rq);
	req->nr_segs = 0;
	if (req_op(rq) == REQ_OP_READ || req_op(rq) == REQ_OP_WRITE)
		status = blkfront_map(q, rq);
	if (!status)
		status = blkfront_fill(q->bf, rq, &r);

	spin_lock_irqsave(&q->lock, flags);
	if (!q->connected) {
		status = BLK_STS_IOERR;
	} else if (!status) {
		slots = pvhv_blk_slots(r.nr_segs);
		if (pvhv_ring_room(&q->requests) >= slots) {
			blkfront_put(q, rq, &r);
		} else {
			/* What the backend does not see it cannot make room of. */
			notify = pvhv_ring_push(&q->requests);
			q->room_wanted = slots;
			blk_mq_stop_hw_queue(hctx);
			if (pvhv_ring_wait_room(&q->requests, slots)) {
				status = BLK_STS_DEV_RESOURCE;
				broken = q->requests.broken;
			} else {
				q->room_wanted = 0;
				blk_mq_start_stopped_hw_queue(hctx, true);
				blkfront_put(q, rq, &r);
			}
		}
		if (bd->last && !status)
			notify |= pvhv_ring_push(&q->requests);
	}
	spin_unlock_irqrestore(&q->lock, flags);

	if (notify)
		pvhv_area_notify(&q->area);
	if (broken)
		blkfront_break(q->bf, "the ring of requests was broken");
	if (status) {
		blkfront_revoke(q, req);
		if (req->nr_segs) {
			blkfront_break(q->bf, "the backend uses pages that it was not told of");
			/* Kept: completed when the pages are free. */
			atomic_inc(&q->nr_in_flight);
			WRITE_ONCE(q->in_flight[rq->tag], rq);
			return BLK_STS_OK;
		}
	}
	return status;
}

static void blkfront_commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	struct blkfront_queue *q = hctx->driver_data;
	bool notify = false;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	if (q->connected)
		notify = pvhv_ring_push(&q->requests);
	spin_unlock_irqrestore(&q->lock, flags);
	if (notify)
		pvhv_area_notify(&q->area);
}

/* ---- responses ---- */

static blk_status_t blkfront_status(u16 status)
{
	static const blk_status_t table[] = {
		[PVHV_BLK_S_OK] = BLK_STS_OK,
		[PVHV_BLK_S_IOERR] = BLK_STS_IOERR,
		[PVHV_BLK_S_NOTSUPP] = BLK_STS_NOTSUPP,
		[PVHV_BLK_S_TIMEOUT] = BLK_STS_TIMEOUT,
		[PVHV_BLK_S_NOSPC] = BLK_STS_NOSPC,
		[PVHV_BLK_S_MEDIUM] = BLK_STS_MEDIUM,
		[PVHV_BLK_S_TRANSPORT] = BLK_STS_TRANSPORT,
		[PVHV_BLK_S_PROTECTION] = BLK_STS_PROTECTION,
		[PVHV_BLK_S_NOMEM] = BLK_STS_RESOURCE,
		[PVHV_BLK_S_INVALID] = BLK_STS_IOERR,
		[PVHV_BLK_S_TARGET] = BLK_STS_TARGET,
		[PVHV_BLK_S_NEXUS] = BLK_STS_NEXUS,
		[PVHV_BLK_S_OFFLINE] = BLK_STS_OFFLINE,
	};

	return status < ARRAY_SIZE(table) ? table[status] : BLK_STS_IOERR;
}

/* Only to be tried once: file systems and the block layer do without. */
static void blkfront_not_supported(struct request *rq)
{
	if (req_op(rq) == REQ_OP_DISCARD)
		blk_queue_max_discard_sectors(rq->q, 0);
	else if (req_op(rq) == REQ_OP_WRITE_ZEROES)
		blk_queue_max_write_zeroes_sectors(rq->q, 0);
	else
		return;
	rq->rq_flags |= RQF_QUIET;
}

static void blkfront_complete(struct request *rq)
{
	struct blkfront_req *req = blk_mq_rq_to_pdu(rq);

	if (req->status == BLK_STS_NOTSUPP)
		blkfront_not_supported(rq);
	blk_mq_end_request(rq, req->status);
}

static struct request *blkfront_take(struct blkfront_queue *q, unsigned int id)
{
	struct request *rq = id < PVHV_BLK_MAX_IDS ? xchg(&q->in_flight[id], NULL) : NULL;

	if (rq && atomic_dec_and_test(&q->nr_in_flight) && READ_ONCE(q->bf->closing))
		schedule_work(&q->bf->close_work);
	return rq;
}

/* Returns what the backend has done wrong, or NULL. */
static const char *blkfront_response(struct blkfront_queue *q,
				     const struct pvhv_blk_response *response,
				     struct io_comp_batch *batch)
{
	struct request *rq = blkfront_take(q, response->id);
	struct blkfront_req *req;

	if (!rq)
		return "a response to nothing";
	req = blk_mq_rq_to_pdu(rq);
	blkfront_revoke(q, req);
	if (req->nr_segs) {
		atomic_inc(&q->nr_in_flight);
		WRITE_ONCE(q->in_flight[response->id], rq);
		return "a response, but its pages are still in use";
	}
	req->status = blkfront_status(response->status);
	if (!blk_mq_complete_request_remote(rq) &&
	    !blk_mq_add_to_batch(rq, batch, (__force int)req->status, blk_mq_end_request_batch))
		blkfront_complete(rq);
	return NULL;
}

static void blkfront_restart(struct blkfront_queue *q)
{
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	/* rule 2 */
	if (q->room_wanted && !pvhv_ring_wait_room(&q->requests, q->room_wanted)) {
		q->room_wanted = 0;
		blk_mq_start_stopped_hw_queue(q->hctx, true);
	}
	spin_unlock_irqrestore(&q->lock, flags);
}

/* The backend's event, in interrupt context */
static bool blkfront_event(void *data)
{
	struct blkfront_queue *q = data;
	struct pvhv_blk_response response;
	unsigned int items, done = 0;
	DEFINE_IO_COMP_BATCH(batch);
	const char *wrong = NULL;
	bool more = false;

	while (!wrong && !more) {
		items = pvhv_ring_items(&q->responses);
		while (items-- && !wrong) {
			pvhv_ring_get(&q->responses, &response, sizeof(response));
			wrong = blkfront_response(q, &response, &batch);
			done++;
		}
		/* The backend waits for room only if we have been slow. */
		if (pvhv_ring_pull(&q->responses))
			pvhv_area_notify(&q->area);
		if (pvhv_ring_wait_items(&q->responses))
			break;
		more = done >= BLKFRONT_BUDGET;
	}
	if (batch.complete)
		batch.complete(&batch);
	blkfront_restart(q);
	if (q->responses.broken)
		wrong = "the ring of responses was broken";
	if (READ_ONCE(q->requests.broken))
		wrong = "the ring of requests was broken";
	if (wrong)
		blkfront_break(q->bf, wrong);
	return more && !wrong;
}

/* ---- blk-mq ---- */

static int blkfront_init_hctx(struct blk_mq_hw_ctx *hctx, void *data, unsigned int i)
{
	struct blkfront *bf = data;

	if (i >= bf->max_queues)
		return -EINVAL;
	hctx->driver_data = bf->queues[i];
	bf->queues[i]->hctx = hctx;
	return 0;
}

const struct blk_mq_ops blkfront_mq_ops = {
	.queue_rq = blkfront_queue_rq,
	.commit_rqs = blkfront_commit_rqs,
	.complete = blkfront_complete,
	.init_hctx = blkfront_init_hctx,
};

/* ---- for the control path ---- */

/**
 * blkfront_queue_create - make a ring area to be offered
 * @q:		a queue without one
 * @nr_pages:	of the area
 *
 * Return: 0 or -errno.
 */
int blkfront_queue_create(struct blkfront_queue *q, unsigned int nr_pages)
{
	struct pvhv_ring_layout l = blkfront_layout(nr_pages);
	int err;

	err = pvhv_area_create(&q->area, q->bf->dev, nr_pages, blkfront_event, q,
			       PVHV_EVENT_ATOMIC);
	if (err)
		return err;
	pvhv_ring_init(&q->requests, q->area.addr + PVHV_RING_REQUEST_HEADER,
		       q->area.addr + l.requests, l.nr, sizeof(struct pvhv_blk_request));
	pvhv_ring_init(&q->responses, q->area.addr + PVHV_RING_RESPONSE_HEADER,
		       q->area.addr + l.responses, l.nr, sizeof(struct pvhv_blk_response));
	q->room_wanted = 0;
	return 0;
}

/**
 * blkfront_queue_connect - requests may be sent from now on
 * @q:	a queue whose area the backend has accepted
 */
void blkfront_queue_connect(struct blkfront_queue *q)
{
	spin_lock_irq(&q->lock);
	q->connected = true;
	spin_unlock_irq(&q->lock);
}

/**
 * blkfront_queue_stop - nothing more is sent, everything new fails
 * @q:	the queue; what is in flight stays
 */
void blkfront_queue_stop(struct blkfront_queue *q)
{
	bool notify = false;

	spin_lock_irq(&q->lock);
	if (q->connected)
		/* What is in the ring is in flight. */
		notify = pvhv_ring_push(&q->requests);
	q->connected = false;
	if (q->room_wanted) {
		q->room_wanted = 0;
		blk_mq_start_stopped_hw_queue(q->hctx, true);
	}
	spin_unlock_irq(&q->lock);
	if (notify)
		pvhv_area_notify(&q->area);
}

/*
 * The backend will not answer. What cannot be revoked in time is left to the bus, which
 * keeps the pages as long as they are in use; the data in them is not to be trusted.
 */
static void blkfront_fail(struct blkfront_queue *q, struct request *rq, unsigned long deadline)
{
	struct blkfront_req *req = blk_mq_rq_to_pdu(rq);
	struct pvhv_device *dev = q->bf->dev;
	struct bio_vec bv, last = {};
	struct req_iterator iter;
	unsigned int i = 0;

	blkfront_revoke(q, req);
	while (req->nr_segs && time_before(jiffies, deadline)) {
		msleep(20);
		blkfront_revoke(q, req);
	}
	if (req->nr_segs) {
		rq_for_each_segment(bv, rq, iter) {
			if (last.bv_len && blkfront_follows(&last, &bv)) {
				last.bv_len += bv.bv_len;
				continue;
			}
			last = bv;
			if (i == req->nr_segs)
				break;
			get_page(bv.bv_page);
			pvhv_revoke_put(dev, req->segs[i++].ref, bv.bv_page);
		}
		req->nr_segs = 0;
	}
	req->status = BLK_STS_IOERR;
	blk_mq_complete_request(rq);
}

/**
 * blkfront_queue_destroy - take the area away, and fail what is in flight
 * @q:		a stopped queue; may have no area
 * @deadline:	jiffies until which to wait for the backend's hardware
 *
 * Context: may sleep.
 */
void blkfront_queue_destroy(struct blkfront_queue *q, unsigned long deadline)
{
	struct request *rq;
	unsigned int i;

	/* No handler afterwards */
	pvhv_area_destroy(&q->area);
	for (i = 0; i < PVHV_BLK_MAX_IDS; i++) {
		rq = blkfront_take(q, i);
		if (rq)
			blkfront_fail(q, rq, deadline);
	}
}
