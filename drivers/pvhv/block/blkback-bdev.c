// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv-blkback: block devices. A request's pages go into one bio, which the block
 * layer splits as the device needs it. The bio is charged to the cgroup of the
 * thread that submits it, which is the vCPU's.
 */
#include "blkback.h"

static void blkback_bdev_endio(struct bio *bio)
{
	struct blkback_req *req = bio->bi_private;
	blk_status_t status = bio->bi_status;

	bio_uninit(bio);
	blkback_end(req, status);
}

static void blkback_bdev_submit(struct blkback_req *req)
{
	struct bio *bio = &req->bio;
	blk_opf_t opf;
	unsigned int i;

	switch (req->op) {
	case PVHV_BLK_READ:
		opf = REQ_OP_READ;
		break;
	case PVHV_BLK_WRITE:
		opf = REQ_OP_WRITE | REQ_SYNC | REQ_IDLE;
		if (req->flags & PVHV_BLK_FUA)
			opf |= REQ_FUA;
		break;
	case PVHV_BLK_FLUSH:
		opf = REQ_OP_WRITE | REQ_PREFLUSH;
		break;
	default:
		blkback_defer(req);
		return;
	}

	/* The bio's vectors are these, merged: what is written is at or before what is read. */
	bio_init(bio, req->q->bd->bdev, req->bvecs, req->nr_segs, opf);
	for (i = 0; i < req->nr_segs; i++) {
		struct bio_vec bv = req->bvecs[i];

		bio_add_page(bio, bv.bv_page, bv.bv_len, bv.bv_offset);
	}
	bio->bi_iter.bi_sector = req->sector;
	bio->bi_private = req;
	bio->bi_end_io = blkback_bdev_endio;
	submit_bio(bio);
}

/* Only what the frontend is free to leave out comes here: it may take its time. */
static void blkback_bdev_work(struct blkback_req *req)
{
	struct block_device *bdev = req->q->bd->bdev;
	unsigned int flags = BLKDEV_ZERO_NOFALLBACK;
	int err;

	if (req->op == PVHV_BLK_DISCARD) {
		err = blkdev_issue_discard(bdev, req->sector, req->nr_sectors, GFP_KERNEL);
	} else {
		if (req->flags & PVHV_BLK_NOUNMAP)
			flags |= BLKDEV_ZERO_NOUNMAP;
		err = blkdev_issue_zeroout(bdev, req->sector, req->nr_sectors, GFP_KERNEL, flags);
		if (!err && req->flags & PVHV_BLK_FUA)
			err = blkdev_issue_flush(bdev);
	}
	blkback_end(req, errno_to_blk_status(err));
}

const struct blkback_backing blkback_bdev = {
	.name = "block device",
	.submit = blkback_bdev_submit,
	.work = blkback_bdev_work,
};

/**
 * blkback_bdev_props - what a block device can do
 * @bd:		the device
 * @features:	PVHV_BLK_F_xxx are added
 * @props:	limits are added; those that are checked are in @bd, too
 */
void blkback_bdev_props(struct blkback *bd, u64 *features, struct pvhv_props *props)
{
	struct block_device *bdev = bd->bdev;

	bd->discard_max = min(bdev_max_discard_sectors(bdev), BLKBACK_LONGEST);
	bd->zeroes_max = min(bdev_write_zeroes_sectors(bdev), BLKBACK_LONGEST);
	if (bdev_write_cache(bdev))
		*features |= PVHV_BLK_F_FLUSH;
	if (bdev_fua(bdev))
		*features |= PVHV_BLK_F_FUA;
	if (!bdev_nonrot(bdev))
		*features |= PVHV_BLK_F_ROTATIONAL;
	if (bd->discard_max) {
		*features |= PVHV_BLK_F_DISCARD;
		pvhv_prop_add(props, PVHV_BLK_DISCARD_GRAN, 0, bdev_discard_granularity(bdev));
		pvhv_prop_add(props, PVHV_BLK_DISCARD_ALIGN, 0, bdev_discard_alignment(bdev));
		pvhv_prop_add(props, PVHV_BLK_DISCARD_MAX, 0, bd->discard_max);
	}
	if (bd->zeroes_max) {
		*features |= PVHV_BLK_F_WRITE_ZEROES;
		pvhv_prop_add(props, PVHV_BLK_ZEROES_MAX, 0, bd->zeroes_max);
	}
	pvhv_prop_add(props, PVHV_BLK_PHYSICAL, 0, bdev_physical_block_size(bdev));
	pvhv_prop_add(props, PVHV_BLK_IO_MIN, 0, bdev_io_min(bdev));
	pvhv_prop_add(props, PVHV_BLK_IO_OPT, 0, bdev_io_opt(bdev));
}
