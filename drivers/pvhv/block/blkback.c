// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv-blkback: the control path.
 *
 * The device is INIT_WAIT from its beginning; its size and limits do not depend on
 * the frontend. When the frontend is INITIALISED its queues are made and started,
 * and the backend is CONNECTED. They are stopped, drained and unmapped when the
 * frontend is CLOSING or gone, when it breaks the rules, or when the driver goes.
 */
#include <linux/file.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "blkback.h"

static unsigned int max_queues = 8;
module_param(max_queues, uint, 0644);
MODULE_PARM_DESC(max_queues,
		 "queues of a device at most, 1 to " __stringify(PVHV_MAX_AREAS) " (8)");

static unsigned int max_ring_pages = PVHV_MAX_RING_PAGES;
module_param(max_ring_pages, uint, 0644);
MODULE_PARM_DESC(max_ring_pages,
		 "pages of a queue's rings at most, 1 to " __stringify(PVHV_MAX_RING_PAGES) " (8)");

static unsigned int max_segments = PVHV_BLK_MAX_SEGS;
module_param(max_segments, uint, 0644);
MODULE_PARM_DESC(max_segments, "segments that a frontend is told to put into a request (256)");

static unsigned int blkback_max_queues(const struct blkback *bd)
{
	unsigned int nr = READ_ONCE(max_queues);

	if (bd->dev->config->max_queues)
		nr = min(nr, bd->dev->config->max_queues);
	return clamp_t(unsigned int, nr, 1, PVHV_MAX_AREAS);
}

static unsigned int blkback_max_pages(void)
{
	return clamp_t(unsigned int, READ_ONCE(max_ring_pages), 1, PVHV_MAX_RING_PAGES);
}

static u64 blkback_capacity(const struct blkback *bd)
{
	const struct inode *inode = bd->file->f_mapping->host;
	u64 sectors = S_ISBLK(inode->i_mode) ? bdev_nr_sectors(I_BDEV(bd->file->f_mapping->host)) :
		(u64)i_size_read(inode) >> SECTOR_SHIFT;

	return round_down(sectors, bd->logical >> SECTOR_SHIFT);
}

static int blkback_publish(struct blkback *bd, u32 state)
{
	unsigned int segs = clamp_t(unsigned int, READ_ONCE(max_segments), 1, PVHV_BLK_MAX_SEGS);
	const char *serial = bd->dev->config->serial;
	struct pvhv_props *props = pvhv_props_alloc();
	u64 word, features;
	int err, i;

	if (!props)
		return -ENOMEM;
	pvhv_prop_add(props, PVHV_PROP_NR_QUEUES, 0, blkback_max_queues(bd));
	pvhv_prop_add(props, PVHV_PROP_RING_PAGES, 0, blkback_max_pages());
	pvhv_prop_add(props, PVHV_BLK_SECTORS, 0, bd->sectors);
	pvhv_prop_add(props, PVHV_BLK_LOGICAL, 0, bd->logical);
	pvhv_prop_add(props, PVHV_BLK_SEGMENTS, 0, segs);
	pvhv_prop_add(props, PVHV_BLK_MAX_SECTORS, 0,
		      PVHV_BLK_MAX_SEGS * (PAGE_SIZE / SECTOR_SIZE));
	features = bd->readonly ? PVHV_BLK_F_READONLY : 0;
	if (bd->bdev)
		blkback_bdev_props(bd, &features, props);
	else
		blkback_file_props(bd, &features, props);
	if (bd->readonly)
		features &= ~(PVHV_BLK_F_DISCARD | PVHV_BLK_F_WRITE_ZEROES);
	/* Requests are checked against it all the time. */
	WRITE_ONCE(bd->features, features);
	pvhv_prop_add(props, PVHV_BLK_FEATURES, 0, features);
	for (i = 0; i < sizeof(bd->dev->config->serial) / sizeof(word); i++) {
		memcpy(&word, serial + i * sizeof(word), sizeof(word));
		pvhv_prop_add(props, PVHV_BLK_SERIAL, i, word);
	}

	pvhv_offer_say(bd->dev, props);

	err = props->error ?: pvhv_publish(bd->dev, state, props);
	if (!err)
		bd->state = state;
	kfree(props);
	return err;
}

static void blkback_disconnect(struct blkback *bd)
{
	unsigned int i, j;

	/* Stop all before the first one is waited for. */
	for (i = 0; i < bd->nr_queues; i++)
		blkback_queue_stop(bd->queues[i]);
	for (i = 0; i < bd->nr_queues; i++) {
		blkback_queue_drain(bd->queues[i]);
		for (j = 0; j < BLKBACK_NR_STATS; j++)
			bd->stats[j] += bd->queues[i]->stats[j];
		blkback_queue_destroy(bd->queues[i]);
	}
	kfree(bd->queues);
	bd->queues = NULL;
	bd->nr_queues = 0;
	/* The work may come late, after the frontend has begun again. */
	WRITE_ONCE(bd->faulted, false);
}

/* Take what the frontend offers. An error is the frontend's, or no memory. */
static int blkback_connect(struct blkback *bd)
{
	struct pvhv_props *props;
	u64 nr, pages;
	unsigned int i;
	int err = -EINVAL;
	u32 state;

	props = pvhv_read_peer(bd->dev, &state);
	if (IS_ERR(props))
		return PTR_ERR(props);
	/* It may have changed since we were told, and we shall be told again. */
	if (state != PVHV_DEV_INITIALISED) {
		err = -EAGAIN;
		goto out;
	}
	nr = pvhv_prop_get(props, PVHV_PROP_NR_QUEUES, 0, 0);
	pages = pvhv_prop_get(props, PVHV_PROP_RING_PAGES, 0, 0);
	if (!nr || nr > blkback_max_queues(bd) || !pages || pages > blkback_max_pages())
		goto out;
	err = -ENOMEM;
	bd->queues = kcalloc(nr, sizeof(*bd->queues), GFP_KERNEL_ACCOUNT);
	if (!bd->queues)
		goto out;

	for (i = 0; i < nr; i++) {
		struct blkback_queue *q = blkback_queue_create(bd, i, props, pages);

		if (IS_ERR(q)) {
			err = PTR_ERR(q);
			goto fail;
		}
		bd->queues[bd->nr_queues++] = q;
	}
	pvhv_offer_take(bd->dev, props);
	bd->sectors = blkback_capacity(bd);
	err = blkback_publish(bd, PVHV_DEV_CONNECTED);
	if (err)
		goto fail;
	for (i = 0; i < nr; i++)
		blkback_queue_start(bd->queues[i]);
	goto out;

fail:
	blkback_disconnect(bd);
out:
	kfree(props);
	return err;
}

static void blkback_resize(struct blkback *bd)
{
	u64 sectors = blkback_capacity(bd);

	if (sectors == bd->sectors)
		return;
	WRITE_ONCE(bd->sectors, sectors);
	blkback_publish(bd, bd->state);
}

static void blkback_close(struct blkback *bd)
{
	blkback_disconnect(bd);
	if (bd->state != PVHV_DEV_CLOSED)
		blkback_publish(bd, PVHV_DEV_CLOSED);
}

static void blkback_fault_work(struct work_struct *work)
{
	struct blkback *bd = container_of(work, struct blkback, fault_work);

	mutex_lock(&bd->lock);
	if (READ_ONCE(bd->faulted))
		blkback_close(bd);
	mutex_unlock(&bd->lock);
}

/**
 * blkback_fault - the frontend has broken the rules: close the device
 * @bd:		the device
 * @why:	a constant string, for sysfs and the log
 *
 * The frontend may begin again from INITIALISING.
 *
 * Context: any.
 */
void blkback_fault(struct blkback *bd, const char *why)
{
	WRITE_ONCE(bd->fault, why);
	WRITE_ONCE(bd->faulted, true);
	dev_warn_ratelimited(&bd->dev->dev, "closed: %s\n", why);
	queue_work(bd->dev->wq, &bd->fault_work);
}

static void blkback_changed(struct pvhv_device *dev)
{
	struct blkback *bd = dev_get_drvdata(&dev->dev);
	int err;

	mutex_lock(&bd->lock);
	switch (dev->peer_state) {
	case PVHV_DEV_INITIALISING:
		blkback_disconnect(bd);
		if (bd->state != PVHV_DEV_INIT_WAIT && dev->flags & PVHV_DEV_ONLINE) {
			if (bd->state != PVHV_DEV_CLOSED)
				blkback_publish(bd, PVHV_DEV_CLOSED);
			bd->sectors = blkback_capacity(bd);
			blkback_publish(bd, PVHV_DEV_INIT_WAIT);
		}
		break;
	case PVHV_DEV_INITIALISED:
		if (bd->state != PVHV_DEV_INIT_WAIT || !(dev->flags & PVHV_DEV_ONLINE))
			break;
		err = blkback_connect(bd);
		if (err && err != -EAGAIN) {
			WRITE_ONCE(bd->fault, err == -ENOMEM ? "no memory for the queues" :
				   "the frontend's queues cannot be used");
			dev_warn_ratelimited(&dev->dev, "closed: %s (%d)\n", bd->fault, err);
			blkback_close(bd);
		}
		break;
	case PVHV_DEV_CONNECTED:
		if (bd->state == PVHV_DEV_CONNECTED)
			blkback_resize(bd);
		break;
	case PVHV_DEV_CLOSING:
	case PVHV_DEV_CLOSED:
		blkback_close(bd);
		break;
	}
	if (!(dev->flags & PVHV_DEV_ONLINE)) {
		if (bd->state == PVHV_DEV_CONNECTED)
			blkback_publish(bd, PVHV_DEV_CLOSING);
		else if (bd->state != PVHV_DEV_CLOSING)
			blkback_close(bd);
	}
	mutex_unlock(&bd->lock);
}

static int blkback_open(struct blkback *bd)
{
	const struct pvhv_device_config *config = bd->dev->config;
	struct inode *inode = config->file->f_mapping->host;
	bool direct = !config->cached;

	if (!S_ISREG(inode->i_mode) && !S_ISBLK(inode->i_mode))
		return -ENOTBLK;
	bd->readonly = config->readonly;
	/* Of hugetlbfs and some of /proc: not all that is regular can be read and written so. */
	if (!config->file->f_op->read_iter ||
	    (!bd->readonly && !config->file->f_op->write_iter))
		return -EOPNOTSUPP;
	/* A disk does not append. */
	if (!bd->readonly && (IS_APPEND(inode) || config->file->f_flags & O_APPEND))
		return -EPERM;

	if (S_ISBLK(inode->i_mode)) {
		struct block_device *bdev = I_BDEV(inode);

		/* Zones would have to be passed through. */
		if (bdev_is_zoned(bdev) || bdev_logical_block_size(bdev) > PAGE_SIZE)
			return -EOPNOTSUPP;
		bd->readonly |= bdev_read_only(bdev);
		if (direct) {
			bd->bdev = bdev;
			bd->backing = &blkback_bdev;
		}
	} else if (direct && blkback_file_can_direct(config->file)) {
		bd->backing = &blkback_direct;
	}
	if (!bd->backing) {
		/* asked for, or the only way: tmpfs has no direct I/O */
		bd->backing = &blkback_cached;
		direct = false;
	}
	bd->logical = blkback_file_logical(config->file, direct);
	if (bd->logical > PAGE_SIZE)
		return -EOPNOTSUPP;
	bd->file = get_file(config->file);
	bd->sectors = blkback_capacity(bd);
	return 0;
}

static int blkback_probe(struct pvhv_device *dev)
{
	struct blkback *bd;
	int err;

	if (!dev->config || !dev->config->file)
		return -ENODEV;
	bd = kzalloc(sizeof(*bd), GFP_KERNEL_ACCOUNT);
	if (!bd)
		return -ENOMEM;
	bd->dev = dev;
	bd->state = dev->state;
	mutex_init(&bd->lock);
	INIT_WORK(&bd->fault_work, blkback_fault_work);
	blkback_defer_init(bd);
	err = blkback_open(bd);
	if (err)
		goto fail;
	dev_set_drvdata(&dev->dev, bd);
	err = blkback_publish(bd, PVHV_DEV_INIT_WAIT);
	if (err)
		goto fail_file;
	return 0;

fail_file:
	dev_set_drvdata(&dev->dev, NULL);
	fput(bd->file);
fail:
	kfree(bd);
	return err;
}

static void blkback_remove(struct pvhv_device *dev)
{
	struct blkback *bd = dev_get_drvdata(&dev->dev);

	mutex_lock(&bd->lock);
	blkback_disconnect(bd);
	mutex_unlock(&bd->lock);
	/* Only queues ask for them, and they have nothing left to do. */
	cancel_work_sync(&bd->fault_work);
	cancel_work_sync(&bd->long_work);
	cancel_delayed_work_sync(&bd->later_work);
	dev_set_drvdata(&dev->dev, NULL);
	fput(bd->file);
	kfree(bd);
}

/* ---- sysfs ---- */

static ssize_t backing_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct blkback *bd = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n", bd->backing->name);
}
static DEVICE_ATTR_RO(backing);

static ssize_t fault_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct blkback *bd = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n", READ_ONCE(bd->fault) ?: "");
}
static DEVICE_ATTR_RO(fault);

static ssize_t queues_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct blkback *bd = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%u\n", READ_ONCE(bd->nr_queues));
}
static DEVICE_ATTR_RO(queues);

static ssize_t sectors_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct blkback *bd = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%llu\n", READ_ONCE(bd->sectors));
}
static DEVICE_ATTR_RO(sectors);

static ssize_t in_flight_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct blkback *bd = dev_get_drvdata(dev);
	unsigned int i, n = 0;

	if (mutex_lock_interruptible(&bd->lock))
		return -ERESTARTSYS;
	for (i = 0; i < bd->nr_queues; i++)
		n += READ_ONCE(bd->queues[i]->in_flight);
	mutex_unlock(&bd->lock);
	return sysfs_emit(buf, "%u\n", n);
}
static DEVICE_ATTR_RO(in_flight);

static struct attribute *blkback_attrs[] = {
	&dev_attr_backing.attr,
	&dev_attr_fault.attr,
	&dev_attr_queues.attr,
	&dev_attr_sectors.attr,
	&dev_attr_in_flight.attr,
	NULL
};

static const struct attribute_group blkback_group = {
	.attrs = blkback_attrs,
};

static ssize_t blkback_stat_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct dev_ext_attribute *ext = container_of(attr, struct dev_ext_attribute, attr);
	unsigned long which = (unsigned long)ext->var;
	struct blkback *bd = dev_get_drvdata(dev);
	unsigned int i;
	u64 n;

	if (mutex_lock_interruptible(&bd->lock))
		return -ERESTARTSYS;
	n = bd->stats[which];
	for (i = 0; i < bd->nr_queues; i++)
		n += READ_ONCE(bd->queues[i]->stats[which]);
	mutex_unlock(&bd->lock);
	return sysfs_emit(buf, "%llu\n", n);
}

#define BLKBACK_STAT(name, which)					\
	static struct dev_ext_attribute blkback_stat_##name = {		\
		__ATTR(name, 0444, blkback_stat_show, NULL), (void *)which }

BLKBACK_STAT(read_requests, BLKBACK_READ_REQUESTS);
BLKBACK_STAT(read_sectors, BLKBACK_READ_SECTORS);
BLKBACK_STAT(write_requests, BLKBACK_WRITE_REQUESTS);
BLKBACK_STAT(write_sectors, BLKBACK_WRITE_SECTORS);
BLKBACK_STAT(flush_requests, BLKBACK_FLUSH_REQUESTS);
BLKBACK_STAT(discard_requests, BLKBACK_DISCARD_REQUESTS);
BLKBACK_STAT(discard_sectors, BLKBACK_DISCARD_SECTORS);
BLKBACK_STAT(write_zeroes_requests, BLKBACK_ZEROES_REQUESTS);
BLKBACK_STAT(write_zeroes_sectors, BLKBACK_ZEROES_SECTORS);
BLKBACK_STAT(errors, BLKBACK_ERRORS);
BLKBACK_STAT(runs, BLKBACK_RUNS);
BLKBACK_STAT(deferred, BLKBACK_DEFERRED);
BLKBACK_STAT(starved, BLKBACK_STARVED);
BLKBACK_STAT(notifications_sent, BLKBACK_SENT);
BLKBACK_STAT(notifications_suppressed, BLKBACK_SUPPRESSED);

static struct attribute *blkback_stat_attrs[] = {
	&blkback_stat_read_requests.attr.attr,
	&blkback_stat_read_sectors.attr.attr,
	&blkback_stat_write_requests.attr.attr,
	&blkback_stat_write_sectors.attr.attr,
	&blkback_stat_flush_requests.attr.attr,
	&blkback_stat_discard_requests.attr.attr,
	&blkback_stat_discard_sectors.attr.attr,
	&blkback_stat_write_zeroes_requests.attr.attr,
	&blkback_stat_write_zeroes_sectors.attr.attr,
	&blkback_stat_errors.attr.attr,
	&blkback_stat_runs.attr.attr,
	&blkback_stat_deferred.attr.attr,
	&blkback_stat_starved.attr.attr,
	&blkback_stat_notifications_sent.attr.attr,
	&blkback_stat_notifications_suppressed.attr.attr,
	NULL
};

static const struct attribute_group blkback_stat_group = {
	.name = "statistics",
	.attrs = blkback_stat_attrs,
};

static const struct attribute_group *blkback_groups[] = {
	&blkback_group,
	&blkback_stat_group,
	NULL
};

/* ---- module ---- */

static struct pvhv_driver blkback_driver = {
	.driver = {
		.name = "pvhv-blkback",
		.dev_groups = blkback_groups,
	},
	.class = PVHV_CLASS_BLOCK,
	.role = PVHV_ROLE_BACKEND,
	.probe = blkback_probe,
	.changed = blkback_changed,
	.remove = blkback_remove,
};

static int __init blkback_init(void)
{
	return pvhv_register_driver(&blkback_driver);
}
module_init(blkback_init);

static void __exit blkback_exit(void)
{
	pvhv_unregister_driver(&blkback_driver);
}
module_exit(blkback_exit);

MODULE_DESCRIPTION("pvhv: backend of block devices");
MODULE_LICENSE("GPL");
MODULE_ALIAS_PVHV(PVHV_CLASS_BLOCK, PVHV_ROLE_BACKEND);
