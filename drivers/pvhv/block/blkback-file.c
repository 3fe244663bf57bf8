// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv-blkback: files, by asynchronous direct I/O to the guest's pages; and files or
 * block devices through the page cache, where a thread copies.
 *
 * Direct I/O begins without waiting in the thread of the vCPU. What would have to
 * wait (allocation of blocks, a lock) and what comes back incomplete goes on in the workqueue.
 */
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/uio.h>

#include "blkback.h"

static void blkback_file_end(struct blkback_req *req, int err)
{
	/* The block layer knows no quotas. For the guest it is the same: no room. */
	blkback_end(req, errno_to_blk_status(err == -EDQUOT ? -ENOSPC : err));
}

static int blkback_file_sync(struct blkback_req *req)
{
	/* Data, and what of the metadata is needed to find it */
	return vfs_fsync(req->q->bd->file, 1);
}

/* DISCARD and WRITE_ZEROES, through the file system */
static int blkback_file_allocate(struct blkback_req *req)
{
	int mode = FALLOC_FL_KEEP_SIZE;
	int err;

	if (req->op == PVHV_BLK_WRITE_ZEROES && req->flags & PVHV_BLK_NOUNMAP)
		mode |= FALLOC_FL_ZERO_RANGE;
	else	/* a hole reads as zeroes */
		mode |= FALLOC_FL_PUNCH_HOLE;
	err = vfs_fallocate(req->q->bd->file, mode, req->sector << SECTOR_SHIFT,
			    req->nr_sectors << SECTOR_SHIFT);
	if (!err && req->flags & PVHV_BLK_FUA)
		err = blkback_file_sync(req);
	return err;
}

/* Not only regular files have a superblock that can be frozen, but only theirs matters. */
static bool blkback_file_freezes(const struct blkback_req *req)
{
	return req->op == PVHV_BLK_WRITE && S_ISREG(file_inode(req->file.iocb.ki_filp)->i_mode);
}

static ssize_t blkback_file_rw(struct blkback_req *req, struct kiocb *iocb)
{
	struct file *file = req->q->bd->file;
	u32 bytes = blkback_bytes(req);
	struct iov_iter iter;

	iov_iter_bvec(&iter, req->op == PVHV_BLK_WRITE ? ITER_SOURCE : ITER_DEST, req->bvecs,
		      req->nr_segs, bytes);
	iov_iter_advance(&iter, req->file.done);
	iocb->ki_pos = (req->sector << SECTOR_SHIFT) + req->file.done;
	if (req->op == PVHV_BLK_WRITE && req->flags & PVHV_BLK_FUA)
		iocb->ki_flags |= IOCB_DSYNC;
	return req->op == PVHV_BLK_WRITE ? call_write_iter(file, iocb, &iter) :
		call_read_iter(file, iocb, &iter);
}

/* ---- direct ---- */

/* The second of the submitter and the I/O to be done with it decides how it goes on. */
static void blkback_direct_put(struct blkback_req *req)
{
	u32 bytes = blkback_bytes(req);
	long ret;

	if (!refcount_dec_and_test(&req->file.refs))
		return;

	ret = req->file.ret;
	if (ret > 0)
		req->file.done += ret;
	if (ret >= 0 && req->file.done >= bytes) {
		blkback_end(req, BLK_STS_OK);
	} else if (ret > 0 || (ret == -EAGAIN && req->file.iocb.ki_flags & IOCB_NOWAIT)) {
		blkback_defer(req);
	} else if (!ret) {
		/* the end of a file that has been truncated */
		blkback_end(req, BLK_STS_IOERR);
	} else {
		blkback_file_end(req, ret);
	}
}

static void blkback_direct_complete(struct kiocb *iocb, long ret)
{
	struct blkback_req *req = container_of(iocb, struct blkback_req, file.iocb);

	if (blkback_file_freezes(req)) {
		struct super_block *sb = file_inode(iocb->ki_filp)->i_sb;

		__sb_writers_acquired(sb, SB_FREEZE_WRITE);
		sb_end_write(sb);
	}
	req->file.ret = ret;
	blkback_direct_put(req);
}

static void blkback_direct_rw(struct blkback_req *req, int flags)
{
	struct kiocb *iocb = &req->file.iocb;
	ssize_t ret;

	*iocb = (struct kiocb) {
		.ki_filp = req->q->bd->file,
		.ki_complete = blkback_direct_complete,
		.ki_flags = IOCB_DIRECT | flags,
		.ki_ioprio = get_current_ioprio(),
	};
	/* By this overlayfs knows what it has begun, and must end. */
	if (req->op == PVHV_BLK_WRITE)
		iocb->ki_flags |= IOCB_WRITE;
	if (blkback_file_freezes(req)) {
		struct super_block *sb = file_inode(iocb->ki_filp)->i_sb;

		/* It may be frozen for as long as a backup takes. */
		if (!sb_start_write_trylock(sb)) {
			blkback_defer_later(req);
			return;
		}
		/* Ends in another context, which lockdep must not mind. */
		__sb_writers_release(sb, SB_FREEZE_WRITE);
	}
	/* File systems look at the kiocb after it has been completed. */
	refcount_set(&req->file.refs, 2);
	ret = blkback_file_rw(req, iocb);
	if (ret != -EIOCBQUEUED)
		blkback_direct_complete(iocb, ret);
	blkback_direct_put(req);
}

static void blkback_direct_submit(struct blkback_req *req)
{
	req->file.done = 0;
	if ((req->op == PVHV_BLK_READ || req->op == PVHV_BLK_WRITE) &&
	    req->q->bd->file->f_mode & FMODE_NOWAIT)
		blkback_direct_rw(req, IOCB_NOWAIT);
	else
		blkback_defer(req);
}

static void blkback_direct_work(struct blkback_req *req)
{
	switch (req->op) {
	case PVHV_BLK_READ:
	case PVHV_BLK_WRITE:
		blkback_direct_rw(req, 0);
		break;
	case PVHV_BLK_FLUSH:
		blkback_file_end(req, blkback_file_sync(req));
		break;
	default:
		blkback_file_end(req, blkback_file_allocate(req));
	}
}

const struct blkback_backing blkback_direct = {
	.name = "file, direct",
	.submit = blkback_direct_submit,
	.work = blkback_direct_work,
};

/**
 * blkback_file_can_direct - is there direct I/O on a regular file?
 * @file:	open for reading
 *
 * It is tried: overlayfs promises it whatever is below.
 */
bool blkback_file_can_direct(struct file *file)
{
	struct bio_vec bvec = { .bv_len = PAGE_SIZE };
	struct iov_iter iter;
	struct kiocb iocb;
	ssize_t ret;

	if (!(file->f_mode & FMODE_CAN_ODIRECT) || !file->f_op->read_iter)
		return false;
	bvec.bv_page = alloc_page(GFP_KERNEL);
	if (!bvec.bv_page)
		return false;
	init_sync_kiocb(&iocb, file);
	iocb.ki_flags |= IOCB_DIRECT;
	iov_iter_bvec(&iter, ITER_DEST, &bvec, 1, PAGE_SIZE);
	ret = file->f_op->read_iter(&iocb, &iter);
	__free_page(bvec.bv_page);
	return ret >= 0 || ret == -EIO;
}

/* ---- through the page cache ---- */

static int blkback_cached_rw(struct blkback_req *req)
{
	struct file *file = req->q->bd->file;
	u32 bytes = blkback_bytes(req);
	struct kiocb iocb;
	ssize_t ret = 0;

	req->file.done = 0;
	if (req->op == PVHV_BLK_WRITE)
		file_start_write(file);
	do {
		init_sync_kiocb(&iocb, file);
		iocb.ki_flags &= ~(IOCB_DIRECT | IOCB_APPEND);
		ret = blkback_file_rw(req, &iocb);
		if (ret > 0)
			req->file.done += ret;
	} while (ret > 0 && req->file.done < bytes);
	if (req->op == PVHV_BLK_WRITE) {
		/* generic_write_sync() is part of what a file system's write does. */
		file_end_write(file);
	}
	return ret < 0 ? ret : ret == 0 ? -EIO : 0;
}

static void blkback_cached_work(struct blkback_req *req)
{
	int err;

	switch (req->op) {
	case PVHV_BLK_READ:
	case PVHV_BLK_WRITE:
		err = blkback_cached_rw(req);
		break;
	case PVHV_BLK_FLUSH:
		err = blkback_file_sync(req);
		break;
	default:
		err = blkback_file_allocate(req);
	}
	blkback_file_end(req, err);
}

const struct blkback_backing blkback_cached = {
	.name = "cached",
	.submit = blkback_defer,
	.work = blkback_cached_work,
};

/**
 * blkback_file_logical - the smallest write
 * @file:	the file, or a block device to be used through the page cache
 * @direct:	with direct I/O
 *
 * Return: bytes.
 */
u32 blkback_file_logical(const struct file *file, bool direct)
{
	struct inode *inode = file->f_mapping->host;

	if (S_ISBLK(inode->i_mode))
		return bdev_logical_block_size(I_BDEV(inode));
	/* What lies under a network or a pseudo file system is its own affair. */
	return direct && inode->i_sb->s_bdev ? bdev_logical_block_size(inode->i_sb->s_bdev) :
		SECTOR_SIZE;
}

/**
 * blkback_file_props - what a file can do
 * @bd:		the device
 * @features:	PVHV_BLK_F_xxx are added
 * @props:	limits are added; those that are checked are in @bd, too
 */
void blkback_file_props(struct blkback *bd, u64 *features, struct pvhv_props *props)
{
	struct inode *inode = bd->file->f_mapping->host;
	struct block_device *bdev = S_ISBLK(inode->i_mode) ? I_BDEV(inode) : inode->i_sb->s_bdev;
	u32 block = max(bd->logical, S_ISBLK(inode->i_mode) ? bdev_physical_block_size(bdev) :
			(u32)i_blocksize(inode));

	bd->discard_max = BLKBACK_LONGEST;
	bd->zeroes_max = BLKBACK_LONGEST;
	*features |= PVHV_BLK_F_FLUSH | PVHV_BLK_F_FUA;
	if (bdev && !bdev_nonrot(bdev))
		*features |= PVHV_BLK_F_ROTATIONAL;
	/*
	 * A file system that cannot do it will say so when it is asked. A block device's punch
	 * is write-zeroes of the device.
	 */
	if (S_ISBLK(inode->i_mode) ? bdev_write_zeroes_sectors(bdev) :
	    !!bd->file->f_op->fallocate) {
		*features |= PVHV_BLK_F_DISCARD | PVHV_BLK_F_WRITE_ZEROES;
		pvhv_prop_add(props, PVHV_BLK_DISCARD_GRAN, 0, block);
		pvhv_prop_add(props, PVHV_BLK_DISCARD_ALIGN, 0, 0);
		pvhv_prop_add(props, PVHV_BLK_DISCARD_MAX, 0, bd->discard_max);
		pvhv_prop_add(props, PVHV_BLK_ZEROES_MAX, 0, bd->zeroes_max);
	}
	pvhv_prop_add(props, PVHV_BLK_PHYSICAL, 0, block);
	pvhv_prop_add(props, PVHV_BLK_IO_MIN, 0, block);
	pvhv_prop_add(props, PVHV_BLK_IO_OPT, 0, 0);
}
