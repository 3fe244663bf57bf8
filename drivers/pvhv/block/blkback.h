/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pvhv-blkback: the backend of block devices.
 *
 * blkback.c	control path: properties, states, queues made and taken down
 * blkback-io.c	data path: from a ring slot to a checked, mapped request and back
 * blkback-bdev.c, blkback-file.c	what is behind: struct blkback_backing
 *
 * A request is taken in the thread of the vCPU that has sent it, or in the queue's
 * work when something had run out. It ends in any context.
 */
#ifndef _PVHV_BLKBACK_H
#define _PVHV_BLKBACK_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <pvhv/blkif.h>
#include <pvhv/bus.h>
#include <pvhv/ring.h>

struct blkback;
struct blkback_queue;

/* Segments are handed out in units of so many: as many as fit into one slot. */
#define BLKBACK_UNIT		PVHV_BLK_SEGS_FIRST

enum blkback_stat {
	BLKBACK_READ_REQUESTS,
	BLKBACK_READ_SECTORS,
	BLKBACK_WRITE_REQUESTS,
	BLKBACK_WRITE_SECTORS,
	BLKBACK_FLUSH_REQUESTS,
	BLKBACK_DISCARD_REQUESTS,
	BLKBACK_DISCARD_SECTORS,
	BLKBACK_ZEROES_REQUESTS,
	BLKBACK_ZEROES_SECTORS,
	BLKBACK_ERRORS,			/* responses that are not PVHV_BLK_S_OK */
	BLKBACK_RUNS,			/* times that the ring of requests was looked at */
	BLKBACK_DEFERRED,		/* requests that went through the workqueue */
	BLKBACK_STARVED,		/* waits for requests in flight to end */
	BLKBACK_SENT,			/* notifications */
	BLKBACK_SUPPRESSED,		/* responses pushed without one */
	BLKBACK_NR_STATS
};

/* Sectors of a DISCARD or WRITE_ZEROES at most, which is also what fits into a bio */
#define BLKBACK_LONGEST	(UINT_MAX >> SECTOR_SHIFT)

/**
 * struct blkback_req - a request in flight
 * @q:		its queue
 * @list:	in the queue's free list, or one of the device's
 * @op:		PVHV_BLK_xxx
 * @flags:	PVHV_BLK_xxx flags
 * @id:		the frontend's, only good for the response
 * @nr_segs:	checked and mapped
 * @unit:	first of its units of @maps and @bvecs
 * @nr_units:	how many
 * @sector:	where, checked
 * @nr_sectors:	how many, checked
 * @maps:	of its segments
 * @bvecs:	likewise, filled in
 * @work:	runs the backing's work()
 * @bio:	of a block device
 * @file:	of a file
 */
struct blkback_req {
	struct blkback_queue *q;
	struct list_head list;
	u8 op;
	u8 flags;
	u16 id;
	u16 nr_segs;
	u16 unit;
	u16 nr_units;
	u64 sector;
	u64 nr_sectors;
	struct pvhv_map *maps;
	struct bio_vec *bvecs;
	struct work_struct work;
	union {
		struct bio bio;
		struct {
			struct kiocb iocb;
			refcount_t refs;	/* the submitter's and the I/O's */
			u32 done;		/* bytes */
			long ret;
		} file;
	};
};

/**
 * struct blkback_queue - one ring area of a frontend
 * @bd:		its device
 * @area:	the shared pages and the event
 * @index:	which queue
 * @mutex:	serialises those who take requests
 * @requests:	under @mutex
 * @stopped:	under @mutex: takes no more requests
 * @refused:	under @mutex: requests of the last run that were not begun
 * @work:	takes requests when there is no event that would
 * @lock:	irq safe, for all that follows
 * @responses:	a slot is kept for each request in flight
 * @in_flight:	requests taken and not answered
 * @submitter:	the thread that holds @mutex: what it completes itself is pushed at the end
 * @starved:	run @work when a request ends
 * @drained:	wakes up when @in_flight is 0
 * @free:	requests
 * @reqs:	all of them, as many as the ring has slots
 * @maps:	of segments, @nr_units units of them
 * @bvecs:	likewise
 * @units:	bitmap of those in use
 * @nr_units:	how many there are
 * @stats:	by enum blkback_stat
 */
struct blkback_queue {
	struct blkback *bd;
	struct pvhv_area area;
	unsigned int index;

	struct mutex mutex;	/* what follows, up to the blank line */
	struct pvhv_ring requests;
	bool stopped;
	unsigned int refused;
	struct delayed_work work;

	spinlock_t lock;	/* what follows */
	struct pvhv_ring responses;
	unsigned int in_flight;
	struct task_struct *submitter;
	bool starved;
	wait_queue_head_t drained;
	struct list_head free;
	struct blkback_req *reqs;
	struct pvhv_map *maps;
	struct bio_vec *bvecs;
	unsigned long *units;
	unsigned int nr_units;
	u64 stats[BLKBACK_NR_STATS];
};

/**
 * struct blkback_backing - what is behind a device
 * @name:	for people
 * @submit:	begin a request; may sleep, but not for the request's end. The
 *		request ends with blkback_end(), or goes on with blkback_defer()
 * @work:	do a deferred request, in a workqueue. Likewise
 *
 * Both get requests whose sectors and segments have been checked.
 */
struct blkback_backing {
	const char *name;
	void (*submit)(struct blkback_req *req);
	void (*work)(struct blkback_req *req);
};

/**
 * struct blkback - a block device
 * @dev:	on the bus
 * @file:	the backing file or block device
 * @bdev:	if it is a block device that is used directly
 * @backing:	how it is used
 * @sectors:	capacity
 * @logical:	bytes of a logical block, from here on what the frontend was told
 * @readonly:	writes are refused
 * @features:	PVHV_BLK_F_xxx
 * @discard_max: sectors of a request, as the frontend was told
 * @zeroes_max:	likewise
 * @defer_lock:	irq safe
 * @nr_deferred: requests that have a worker, or will soon
 * @deferred:	those that wait for one
 * @long_reqs:	discards and zeroes that wait
 * @long_work:	does them
 * @later:	requests that wait for a file system that is frozen
 * @later_work:	tries them again
 * @lock:	control path, and the reading of statistics
 * @queues:	while connected
 * @nr_queues:	of them
 * @state:	as last published
 * @fault:	what the frontend has done wrong, or NULL
 * @faulted:	@fault is of the queues that there are now
 * @fault_work:	closes the device because of it
 * @stats:	of queues that are gone
 */
struct blkback {
	struct pvhv_device *dev;
	struct file *file;
	struct block_device *bdev;
	const struct blkback_backing *backing;
	u64 sectors;
	u32 logical;
	bool readonly;
	u64 features;
	u32 discard_max;
	u32 zeroes_max;

	spinlock_t defer_lock;	/* what follows */
	unsigned int nr_deferred;
	struct list_head deferred;
	struct list_head long_reqs;
	struct work_struct long_work;
	struct list_head later;
	struct delayed_work later_work;

	struct mutex lock;	/* what follows */
	struct blkback_queue **queues;
	unsigned int nr_queues;
	u32 state;
	const char *fault;
	bool faulted;
	struct work_struct fault_work;
	u64 stats[BLKBACK_NR_STATS];
};

/* blkback.c */
void blkback_fault(struct blkback *bd, const char *why);

/* blkback-io.c */
struct blkback_queue *blkback_queue_create(struct blkback *bd, unsigned int index,
					   const struct pvhv_props *props, unsigned int nr_pages);
void blkback_queue_start(struct blkback_queue *q);
void blkback_queue_stop(struct blkback_queue *q);
void blkback_queue_drain(struct blkback_queue *q);
void blkback_queue_destroy(struct blkback_queue *q);
void blkback_end(struct blkback_req *req, blk_status_t status);
void blkback_defer(struct blkback_req *req);
void blkback_defer_later(struct blkback_req *req);
void blkback_defer_init(struct blkback *bd);

static inline u32 blkback_bytes(const struct blkback_req *req)
{
	return req->nr_sectors << SECTOR_SHIFT;
}

/* blkback-bdev.c, blkback-file.c */
extern const struct blkback_backing blkback_bdev;
void blkback_bdev_props(struct blkback *bd, u64 *features, struct pvhv_props *props);
extern const struct blkback_backing blkback_direct, blkback_cached;
void blkback_file_props(struct blkback *bd, u64 *features, struct pvhv_props *props);
u32 blkback_file_logical(const struct file *file, bool direct);
bool blkback_file_can_direct(struct file *file);

#endif /* _PVHV_BLKBACK_H */
