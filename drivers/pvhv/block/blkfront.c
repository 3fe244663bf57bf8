// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv-blkfront: the control path.
 *
 * The disk appears with the first connection and stays until the device goes, whatever
 * becomes of the backend. While there is none, requests fail; so do those that were in flight
 * when it went without answering, for nobody knows whether they were done. When a
 * backend comes again, the disk works again.
 *
 * A backend that breaks the rules is not talked to any more, until the device is made anew.
 */
#define pr_fmt(fmt) "pvhv-blkfront: " fmt

#include <linux/ctype.h>
#include <linux/idr.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "blkfront.h"

#define BLKFRONT_NAME		"pvd"
/* Of a disk; the block layer finds others for further partitions. */
#define BLKFRONT_MINORS		16
#define BLKFRONT_MAX_DISKS	(1 << (MINORBITS - 4))
/* How long pages of a backend that has gone are waited for, in seconds */
#define BLKFRONT_FAIL_WAIT	5

static unsigned int max_queues;
module_param(max_queues, uint, 0444);
MODULE_PARM_DESC(max_queues, "hardware queues of a disk, 0: one for each CPU (0)");

/* The fewest with which a queue has 256 slots */
static unsigned int ring_pages = 5;
module_param(ring_pages, uint, 0444);
MODULE_PARM_DESC(ring_pages,
		 "pages of a queue's rings, 1 to " __stringify(PVHV_MAX_RING_PAGES) " (5)");

static int blkfront_major;
static DEFINE_IDA(blkfront_ida);

/* ---- the disk ---- */

static void blkfront_free(struct blkfront *bf)
{
	unsigned int i;

	for (i = 0; i < bf->max_queues && bf->queues; i++)
		kfree(bf->queues[i]);
	kfree(bf->queues);
	if (bf->index >= 0)
		ida_free(&blkfront_ida, bf->index);
	kfree(bf);
}

static void blkfront_free_disk(struct gendisk *disk)
{
	blkfront_free(disk->private_data);
}

static void blkfront_closing(struct blkfront *bf);

/* open_mutex is held: whoever opens the disk later sees it closing. */
static void blkfront_release(struct gendisk *disk, fmode_t mode)
{
	struct blkfront *bf = disk->private_data;

	mutex_lock(&bf->lock);
	if (bf->detaching && !disk_openers(disk)) {
		bf->detaching = false;
		blkfront_closing(bf);
	}
	mutex_unlock(&bf->lock);
}

static const struct block_device_operations blkfront_fops = {
	.owner = THIS_MODULE,
	.release = blkfront_release,
	.free_disk = blkfront_free_disk,
};

static ssize_t serial_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct blkfront *bf = dev_to_disk(dev)->private_data;

	return sysfs_emit(buf, "%s\n", bf->serial);
}
static DEVICE_ATTR_RO(serial);

static struct attribute *blkfront_attrs[] = {
	&dev_attr_serial.attr,
	NULL
};

static const struct attribute_group blkfront_group = {
	.attrs = blkfront_attrs,
};

static const struct attribute_group *blkfront_groups[] = {
	&blkfront_group,
	NULL
};

/* pvda ... pvdz, pvdaa ... */
static void blkfront_name(int index, char *name)
{
	char letters[8];
	int n = sizeof(letters) - 1;

	letters[n] = '\0';
	do {
		letters[--n] = 'a' + index % 26;
		index = index / 26 - 1;
	} while (index >= 0 && n);
	snprintf(name, DISK_NAME_LEN, "%s%s", BLKFRONT_NAME, letters + n);
}

/* The name that the owner expects, or another one if an old disk is still open. */
static int blkfront_index(struct blkfront *bf)
{
	int index = ida_alloc_range(&blkfront_ida, bf->dev->index, bf->dev->index, GFP_KERNEL);

	if (index == -ENOSPC)
		index = ida_alloc_range(&blkfront_ida, PVHV_MAX_DEVICES, BLKFRONT_MAX_DISKS - 1,
					GFP_KERNEL);
	return index;
}

static int blkfront_alloc_disk(struct blkfront *bf)
{
	struct blk_mq_tag_set *set = &bf->tag_set;
	struct gendisk *disk;
	int err;

	/* It has one already if the memory did not suffice the last time. */
	err = bf->index < 0 ? blkfront_index(bf) : bf->index;
	if (err < 0)
		return err;
	bf->index = err;

	set->ops = &blkfront_mq_ops;
	set->nr_hw_queues = bf->nr_areas;
	set->queue_depth = blkfront_layout(bf->ring_pages).nr;
	set->numa_node = NUMA_NO_NODE;
	set->flags = BLK_MQ_F_SHOULD_MERGE;
	set->cmd_size = sizeof(struct blkfront_req);
	set->driver_data = bf;
	err = blk_mq_alloc_tag_set(set);
	if (err)
		return err;

	disk = blk_mq_alloc_disk(set, bf);
	if (IS_ERR(disk)) {
		blk_mq_free_tag_set(set);
		return PTR_ERR(disk);
	}
	disk->major = blkfront_major;
	disk->first_minor = bf->index * BLKFRONT_MINORS;
	disk->minors = BLKFRONT_MINORS;
	disk->fops = &blkfront_fops;
	disk->private_data = bf;
	blkfront_name(bf->index, disk->disk_name);
	bf->disk = disk;
	return 0;
}

/* A number of the backend's that goes into an unsigned int of the block layer */
static unsigned int blkfront_number(const struct pvhv_props *p, u16 key, u64 otherwise,
				    unsigned int min, unsigned int max)
{
	return clamp_t(u64, pvhv_prop_get(p, key, 0, otherwise), min, max);
}

/* Whatever the backend says, these are limits that the block layer can live with. */
static void blkfront_limits(struct blkfront *bf, const struct pvhv_props *p)
{
	unsigned int nr = blkfront_layout(bf->ring_pages).nr;
	u64 features = pvhv_prop_get(p, PVHV_BLK_FEATURES, 0, 0);
	struct request_queue *q = bf->disk->queue;
	unsigned int segs, physical, n;

	/* A request must fit into the ring; half of it, so that two can be on their way. */
	segs = PVHV_BLK_SEGS_FIRST + (nr / 2 - 1) * PVHV_BLK_SEGS_MORE;
	segs = blkfront_number(p, PVHV_BLK_SEGMENTS, PVHV_BLK_SEGS_FIRST, 1,
			       min_t(unsigned int, segs, PVHV_BLK_MAX_SEGS));
	blk_queue_max_segments(q, segs);
	blk_queue_max_segment_size(q, PAGE_SIZE);
	blk_queue_segment_boundary(q, PAGE_SIZE - 1);
	blk_queue_dma_alignment(q, bf->logical - 1);
	blk_queue_max_hw_sectors(q, blkfront_number(p, PVHV_BLK_MAX_SECTORS, segs * 8,
						    PAGE_SIZE / SECTOR_SIZE, UINT_MAX));

	blk_queue_logical_block_size(q, bf->logical);
	physical = blkfront_number(p, PVHV_BLK_PHYSICAL, bf->logical, bf->logical, SZ_1M);
	if (is_power_of_2(physical))
		blk_queue_physical_block_size(q, physical);
	blk_queue_io_min(q, round_down(blkfront_number(p, PVHV_BLK_IO_MIN, physical, physical,
						       SZ_1G), bf->logical));
	blk_queue_io_opt(q, round_down(blkfront_number(p, PVHV_BLK_IO_OPT, 0, 0, SZ_1G),
				       bf->logical));

	n = features & PVHV_BLK_F_DISCARD ?
		blkfront_number(p, PVHV_BLK_DISCARD_MAX, 0, 0, UINT_MAX >> SECTOR_SHIFT) : 0;
	blk_queue_max_discard_sectors(q, round_down(n, bf->logical >> SECTOR_SHIFT));
	q->limits.discard_granularity = n ? blkfront_number(p, PVHV_BLK_DISCARD_GRAN, bf->logical,
							    bf->logical, SZ_1G) : 0;
	q->limits.discard_alignment = n ? blkfront_number(p, PVHV_BLK_DISCARD_ALIGN, 0, 0,
							  SZ_1G) : 0;
	n = features & PVHV_BLK_F_WRITE_ZEROES ?
		blkfront_number(p, PVHV_BLK_ZEROES_MAX, 0, 0, UINT_MAX >> SECTOR_SHIFT) : 0;
	blk_queue_max_write_zeroes_sectors(q, round_down(n, bf->logical >> SECTOR_SHIFT));

	blk_queue_write_cache(q, features & PVHV_BLK_F_FLUSH, features & PVHV_BLK_F_FUA);
	if (features & PVHV_BLK_F_ROTATIONAL)
		blk_queue_flag_clear(QUEUE_FLAG_NONROT, q);
	else
		blk_queue_flag_set(QUEUE_FLAG_NONROT, q);
	blk_queue_flag_clear(QUEUE_FLAG_ADD_RANDOM, q);
}

/* What may change while the disk is in use */
static void blkfront_update(struct blkfront *bf, const struct pvhv_props *p)
{
	u64 sectors = pvhv_prop_get(p, PVHV_BLK_SECTORS, 0, 0);

	/* The page cache counts in loff_t. */
	sectors = min_t(u64, sectors, LLONG_MAX >> SECTOR_SHIFT);
	sectors = round_down(sectors, bf->logical >> SECTOR_SHIFT);
	set_disk_ro(bf->disk, pvhv_prop_get(p, PVHV_BLK_FEATURES, 0, 0) & PVHV_BLK_F_READONLY);
	if (sectors != get_capacity(bf->disk))
		set_capacity_and_notify(bf->disk, sectors);
}

static void blkfront_read_serial(struct blkfront *bf, const struct pvhv_props *p)
{
	unsigned int i;
	u64 word;

	for (i = 0; i < 4; i++) {
		word = pvhv_prop_get(p, PVHV_BLK_SERIAL, i, 0);
		memcpy(bf->serial + i * sizeof(word), &word, sizeof(word));
	}
	for (i = 0; bf->serial[i]; i++)
		if (!isprint(bf->serial[i]))
			bf->serial[i] = '?';
}

/* ---- states ---- */

/* No requests, no backend. Called with bf->lock */
static void blkfront_disconnect(struct blkfront *bf)
{
	unsigned long deadline = jiffies + BLKFRONT_FAIL_WAIT * HZ;
	unsigned int i;

	for (i = 0; i < bf->max_queues; i++)
		blkfront_queue_stop(bf->queues[i]);
	/* Who has looked at the queue before that is done with it after this. */
	if (bf->disk)
		blk_mq_quiesce_queue(bf->disk->queue);
	for (i = 0; i < bf->max_queues; i++)
		blkfront_queue_destroy(bf->queues[i], deadline);
	if (bf->disk)
		blk_mq_unquiesce_queue(bf->disk->queue);
	bf->nr_areas = 0;
	bf->connected = false;
	bf->detaching = false;
	WRITE_ONCE(bf->closing, false);
}

static void blkfront_close(struct blkfront *bf)
{
	blkfront_disconnect(bf);
	if (bf->dev->state != PVHV_DEV_CLOSED)
		pvhv_publish(bf->dev, PVHV_DEV_CLOSED, NULL);
}

/* Closed, and ready for another backend if one can come */
static void blkfront_reopen(struct blkfront *bf)
{
	blkfront_close(bf);
	if (!bf->broken && (bf->dev->flags & PVHV_DEV_ONLINE) &&
	    !(bf->dev->flags & PVHV_DEV_PEER_DEAD))
		pvhv_publish(bf->dev, PVHV_DEV_INITIALISING, NULL);
}

/* The backend says what it takes: offer queues. */
static int blkfront_offer(struct blkfront *bf)
{
	struct pvhv_props *props;
	unsigned int nr, i;
	int err = 0;
	u32 state;

	props = pvhv_read_peer(bf->dev, &state);
	if (IS_ERR(props))
		return PTR_ERR(props);
	if (state != PVHV_DEV_INIT_WAIT) {
		kfree(props);
		return 0;	/* there will be news */
	}
	nr = blkfront_number(props, PVHV_PROP_NR_QUEUES, 1, 1, bf->max_queues);
	bf->ring_pages = blkfront_number(props, PVHV_PROP_RING_PAGES, 1, 1,
					 clamp(ring_pages, 1U, (unsigned int)PVHV_MAX_RING_PAGES));
	props->nr = 0;
	pvhv_prop_add(props, PVHV_PROP_NR_QUEUES, 0, nr);
	pvhv_prop_add(props, PVHV_PROP_RING_PAGES, 0, bf->ring_pages);
	pvhv_offer_make(bf->dev, props);
	for (i = 0; i < nr && !err; i++) {
		err = blkfront_queue_create(bf->queues[i], bf->ring_pages);
		if (!err)
			pvhv_area_offer(&bf->queues[i]->area, i, props);
	}
	if (!err)
		err = pvhv_publish(bf->dev, PVHV_DEV_INITIALISED, props);
	kfree(props);
	if (err)
		blkfront_disconnect(bf);
	else
		bf->nr_areas = nr;
	return err;
}

/* The backend has mapped them. */
static int blkfront_connect(struct blkfront *bf)
{
	struct pvhv_props *props;
	unsigned int i;
	u64 logical;
	u32 state;
	int err;

	props = pvhv_read_peer(bf->dev, &state);
	if (IS_ERR(props))
		return PTR_ERR(props);
	err = 0;
	if (state != PVHV_DEV_CONNECTED)
		goto out;	/* there will be news */
	if (!pvhv_offer_taken(bf->dev, props)) {
		blkfront_reopen(bf);
		goto out;
	}
	err = -EINVAL;
	logical = pvhv_prop_get(props, PVHV_BLK_LOGICAL, 0, 0);
	if (logical < SECTOR_SIZE || logical > PAGE_SIZE || !is_power_of_2(logical))
		goto out;
	/* What is mounted cannot follow. */
	if (bf->disk && bf->logical != logical)
		goto out;
	bf->logical = logical;

	if (!bf->disk) {
		err = blkfront_alloc_disk(bf);
		if (err)
			goto out;
		blkfront_read_serial(bf, props);
		blkfront_limits(bf, props);
	} else {
		blk_mq_update_nr_hw_queues(&bf->tag_set, bf->nr_areas);
		blk_mq_freeze_queue(bf->disk->queue);
		blkfront_limits(bf, props);
		blk_mq_unfreeze_queue(bf->disk->queue);
	}
	err = -ENOMEM;
	if (bf->tag_set.nr_hw_queues > bf->nr_areas)
		goto out;
	blkfront_update(bf, props);
	for (i = 0; i < bf->nr_areas; i++)
		blkfront_queue_connect(bf->queues[i]);
	bf->connected = true;
	/* Says CONNECTED when it is done. */
	schedule_work(&bf->add_work);
	err = 0;
out:
	kfree(props);
	return err;
}

/*
 * Add the disk, which reads the partition table: the backend may die meanwhile, and
 * then it is the callbacks, without bf->lock here, that make the reads fail.
 */
static void blkfront_add_work(struct work_struct *work)
{
	struct blkfront *bf = container_of(work, struct blkfront, add_work);
	int err;

	if (!bf->disk_added) {
		err = device_add_disk(&bf->dev->dev, bf->disk, blkfront_groups);
		if (err) {
			dev_err(&bf->dev->dev, "cannot add the disk: error %d\n", err);
			mutex_lock(&bf->lock);
			bf->broken = "the disk cannot be added";
			blkfront_close(bf);
			mutex_unlock(&bf->lock);
			return;
		}
		bf->disk_added = true;
	}
	mutex_lock(&bf->lock);
	if (bf->connected && !bf->closing && bf->dev->state == PVHV_DEV_INITIALISED)
		pvhv_publish(bf->dev, PVHV_DEV_CONNECTED, NULL);
	mutex_unlock(&bf->lock);
}

static unsigned int blkfront_in_flight(struct blkfront *bf)
{
	unsigned int i, n = 0;

	for (i = 0; i < bf->max_queues; i++)
		n += atomic_read(&bf->queues[i]->nr_in_flight);
	return n;
}

static void blkfront_close_work(struct work_struct *work)
{
	struct blkfront *bf = container_of(work, struct blkfront, close_work);

	mutex_lock(&bf->lock);
	if (READ_ONCE(bf->broken)) {
		blkfront_close(bf);
	} else if (bf->closing && !blkfront_in_flight(bf)) {
		/* The backend answers with CLOSED. */
		if (bf->dev->state < PVHV_DEV_CLOSING)
			pvhv_publish(bf->dev, PVHV_DEV_CLOSING, NULL);
	}
	mutex_unlock(&bf->lock);
}

/* The backend wants to close: nothing new, and the rest may end. */
static void blkfront_closing(struct blkfront *bf)
{
	unsigned int i;

	for (i = 0; i < bf->max_queues; i++)
		blkfront_queue_stop(bf->queues[i]);
	WRITE_ONCE(bf->closing, true);
	smp_mb();	/* the last response sees @closing, or we see that it was there */
	schedule_work(&bf->close_work);
}

/**
 * blkfront_break - the backend has broken the rules
 * @bf:		the device
 * @why:	a constant string, for the log
 *
 * Everything fails from now on.
 *
 * Context: any.
 */
void blkfront_break(struct blkfront *bf, const char *why)
{
	if (cmpxchg(&bf->broken, NULL, why))
		return;
	dev_err(&bf->dev->dev, "the backend cannot be trusted: %s; all requests fail\n", why);
	schedule_work(&bf->close_work);
}

static void blkfront_changed(struct pvhv_device *dev)
{
	struct blkfront *bf = dev_get_drvdata(&dev->dev);
	struct pvhv_props *props;
	int err = 0;

	mutex_lock(&bf->lock);
	if (READ_ONCE(bf->broken))
		goto out;

	switch (dev->peer_state) {
	case PVHV_DEV_INITIALISING:
	case PVHV_DEV_INIT_WAIT:
		/* A new one; we have not seen the end of the last one. */
		if (dev->state != PVHV_DEV_INITIALISING && !(dev->state == PVHV_DEV_INITIALISED &&
							     !bf->connected))
			blkfront_reopen(bf);
		if (dev->peer_state == PVHV_DEV_INIT_WAIT && dev->state == PVHV_DEV_INITIALISING)
			err = blkfront_offer(bf);
		break;
	case PVHV_DEV_CONNECTED:
		if (dev->state == PVHV_DEV_INITIALISED && !bf->connected) {
			err = blkfront_connect(bf);
		} else if (bf->connected) {
			props = pvhv_read_peer(dev, NULL);
			if (!IS_ERR(props))
				blkfront_update(bf, props);
			kfree(IS_ERR(props) ? NULL : props);
		}
		break;
	case PVHV_DEV_CLOSING:
		if (!bf->connected)
			blkfront_close(bf);
		else if (!(dev->flags & PVHV_DEV_ONLINE) && disk_openers(bf->disk))
			bf->detaching = true;
		else
			blkfront_closing(bf);
		break;
	case PVHV_DEV_CLOSED:
		if (dev->state != PVHV_DEV_INITIALISING)
			blkfront_reopen(bf);
		break;
	}
	if (err) {
		dev_err_ratelimited(&dev->dev, "cannot connect: error %d\n", err);
		blkfront_close(bf);
	}
out:
	mutex_unlock(&bf->lock);
}

static int blkfront_probe(struct pvhv_device *dev)
{
	struct blkfront *bf;
	unsigned int i;

	bf = kzalloc(sizeof(*bf), GFP_KERNEL);
	if (!bf)
		return -ENOMEM;
	bf->dev = dev;
	bf->index = -1;
	mutex_init(&bf->lock);
	INIT_WORK(&bf->add_work, blkfront_add_work);
	INIT_WORK(&bf->close_work, blkfront_close_work);
	bf->max_queues = min_t(unsigned int, max_queues ?: nr_cpu_ids,
			       min_t(unsigned int, nr_cpu_ids, PVHV_MAX_AREAS));
	bf->queues = kcalloc(bf->max_queues, sizeof(*bf->queues), GFP_KERNEL);
	for (i = 0; bf->queues && i < bf->max_queues; i++) {
		struct blkfront_queue *q = kzalloc(sizeof(*q), GFP_KERNEL);

		if (!q)
			break;
		q->bf = bf;
		q->index = i;
		spin_lock_init(&q->lock);
		bf->queues[i] = q;
	}
	if (!bf->queues || i < bf->max_queues) {
		blkfront_free(bf);
		return -ENOMEM;
	}
	dev_set_drvdata(&dev->dev, bf);
	return 0;
}

static void blkfront_remove(struct pvhv_device *dev)
{
	struct blkfront *bf = dev_get_drvdata(&dev->dev);

	mutex_lock(&bf->lock);
	blkfront_disconnect(bf);
	mutex_unlock(&bf->lock);
	cancel_work_sync(&bf->add_work);
	cancel_work_sync(&bf->close_work);

	if (!bf->disk_added) {
		/* A disk that was never added needs its tags to the end, and does not free us. */
		if (bf->disk) {
			put_disk(bf->disk);
			blk_mq_free_tag_set(&bf->tag_set);
		}
		blkfront_free(bf);
		return;
	}
	/* What is mounted sees errors. */
	blk_mark_disk_dead(bf->disk);
	del_gendisk(bf->disk);
	blk_mq_free_tag_set(&bf->tag_set);
	put_disk(bf->disk);
}

static struct pvhv_driver blkfront_driver = {
	.driver = {
		.name = "pvhv-blkfront",
	},
	.class = PVHV_CLASS_BLOCK,
	.role = PVHV_ROLE_FRONTEND,
	.probe = blkfront_probe,
	.changed = blkfront_changed,
	.remove = blkfront_remove,
};

static int __init blkfront_init(void)
{
	int err;

	blkfront_major = register_blkdev(0, BLKFRONT_NAME);
	if (blkfront_major < 0)
		return blkfront_major;
	err = pvhv_register_driver(&blkfront_driver);
	if (err)
		unregister_blkdev(blkfront_major, BLKFRONT_NAME);
	return err;
}
module_init(blkfront_init);

static void __exit blkfront_exit(void)
{
	pvhv_unregister_driver(&blkfront_driver);
	unregister_blkdev(blkfront_major, BLKFRONT_NAME);
	ida_destroy(&blkfront_ida);
}
module_exit(blkfront_exit);

MODULE_DESCRIPTION("pvhv: frontend of block devices");
MODULE_LICENSE("GPL");
MODULE_ALIAS_PVHV(PVHV_CLASS_BLOCK, PVHV_ROLE_FRONTEND);
