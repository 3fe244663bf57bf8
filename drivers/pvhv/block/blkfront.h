/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pvhv-blkfront: the frontend of block devices.
 *
 * blkfront.c		control path: states, the disk, its limits
 * blkfront-io.c	data path: from a blk-mq request to ring slots and back
 */
#ifndef _PVHV_BLKFRONT_H
#define _PVHV_BLKFRONT_H

#include <linux/atomic.h>
#include <linux/blk-mq.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <pvhv/blkif.h>
#include <pvhv/bus.h>
#include <pvhv/ring.h>

struct blkfront;

/**
 * struct blkfront_req - what blk-mq keeps for us with a request
 * @status:	of the response
 * @nr_segs:	granted
 * @segs:	as they go into the ring
 */
struct blkfront_req {
	blk_status_t status;
	u16 nr_segs;
	struct pvhv_blk_segment segs[PVHV_BLK_MAX_SEGS];
};

/**
 * struct blkfront_queue - a hardware queue
 * @bf:		its device
 * @index:	which queue
 * @hctx:	blk-mq's
 * @area:	the shared pages and the event, while there are some
 * @responses:	the event's handler's alone
 * @lock:	irq safe, for @connected, @requests and @room_wanted
 * @connected:	requests may be sent
 * @requests:	ring of requests
 * @room_wanted: slots that a stopped queue waits for, 0: not stopped
 * @nr_in_flight: entries of @in_flight that are not NULL
 * @in_flight:	by id, which is the tag. An entry belongs to whoever exchanges it with
 *		NULL: the handler, or the control path when there is no handler any more
 */
struct blkfront_queue {
	struct blkfront *bf;
	unsigned int index;
	struct blk_mq_hw_ctx *hctx;
	struct pvhv_area area;
	struct pvhv_ring responses;

	spinlock_t lock;	/* what follows, up to the blank line */
	bool connected;
	struct pvhv_ring requests;
	unsigned int room_wanted;

	atomic_t nr_in_flight;
	struct request *in_flight[PVHV_BLK_MAX_IDS];
};

/**
 * struct blkfront - a block device
 * @dev:	on the bus
 * @lock:	control path
 * @disk:	from the first connection on, or NULL
 * @disk_added:	it was given to the block layer; of @add_work, then of remove()
 * @tag_set:	blk-mq's
 * @index:	of the name
 * @queues:	all that there may ever be
 * @max_queues:	how many
 * @nr_areas:	offered to the backend now
 * @ring_pages:	of each
 * @connected:	the queues are, as far as @lock is concerned
 * @detaching:	the owner wants it back; it goes on until nobody has the disk open
 * @closing:	nothing new is sent; CLOSING is published when nothing is in flight
 * @broken:	what the backend has done wrong, or NULL; nothing is sent to it any more
 * @add_work:	adds the disk, which reads its partition table: so not in a callback
 * @close_work:	goes on with @closing, or @broken
 * @logical:	bytes of a logical block
 * @serial:	the backend's, NUL-terminated
 */
struct blkfront {
	struct pvhv_device *dev;
	struct mutex lock;	/* control path */
	struct gendisk *disk;
	bool disk_added;
	struct blk_mq_tag_set tag_set;
	int index;
	struct blkfront_queue **queues;
	unsigned int max_queues;
	unsigned int nr_areas;
	unsigned int ring_pages;
	bool connected;
	bool detaching;
	bool closing;
	const char *broken;
	struct work_struct add_work;
	struct work_struct close_work;
	u32 logical;
	char serial[33];
};

/* blkfront.c */
void blkfront_break(struct blkfront *bf, const char *why);

/* blkfront-io.c */
extern const struct blk_mq_ops blkfront_mq_ops;
int blkfront_queue_create(struct blkfront_queue *q, unsigned int nr_pages);
void blkfront_queue_connect(struct blkfront_queue *q);
void blkfront_queue_stop(struct blkfront_queue *q);
void blkfront_queue_destroy(struct blkfront_queue *q, unsigned long deadline);

static inline struct pvhv_ring_layout blkfront_layout(unsigned int nr_pages)
{
	return pvhv_ring_layout(nr_pages, sizeof(struct pvhv_blk_request),
				sizeof(struct pvhv_blk_response));
}

#endif /* _PVHV_BLKFRONT_H */
