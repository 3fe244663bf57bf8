/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * pvhv: the block device protocol.
 *
 * A queue is a ring area (<pvhv/ring.h>) with an event port. A request is one
 * slot with its first segments and, if it has more, slots with nothing but
 * segments behind it; all of them are produced together. Responses come in any
 * order, one for each request, and name it by @id, which the frontend chooses
 * among those not in flight.
 *
 * A segment is part of one page that the frontend has granted to the backend: read-only is
 * enough for a write. Segments are whole logical blocks. The grants may be revoked when the
 * response is there.
 *
 * FLUSH is complete when all that was complete before the FLUSH was sent is on stable
 * storage; FUA, when the write itself is. There are no barriers.
 */
#ifndef _PVHV_BLKIF_H
#define _PVHV_BLKIF_H

#include <pvhv/device.h>

#define PVHV_BLK_READ		0
#define PVHV_BLK_WRITE		1
#define PVHV_BLK_FLUSH		2	/* no sectors, no segments */
#define PVHV_BLK_DISCARD	3	/* @nr_sectors, no segments */
#define PVHV_BLK_WRITE_ZEROES	4	/* @nr_sectors, no segments */

/* @flags */
#define PVHV_BLK_FUA		(1 << 0)	/* WRITE and WRITE_ZEROES */
#define PVHV_BLK_NOUNMAP	(1 << 1)	/* WRITE_ZEROES: keep it allocated */

struct pvhv_blk_segment {
	pvhv_grant_t ref;
	__u16 offset;		/* bytes, a multiple of 512 */
	__u16 len;		/* bytes, likewise, not 0; offset + len at most 4096 */
};

#define PVHV_BLK_SEGS_FIRST	4	/* in the request's own slot */
#define PVHV_BLK_SEGS_MORE	8	/* in each further slot */
#define PVHV_BLK_MAX_SEGS	256	/* of a request: 1 MiB and more */

/**
 * struct pvhv_blk_request - a request
 * @id:		comes back in the response; below PVHV_BLK_MAX_IDS
 * @op:		PVHV_BLK_xxx
 * @flags:	PVHV_BLK_xxx flags
 * @nr_segs:	segments; slots used: pvhv_blk_slots(nr_segs)
 * @reserved:	0
 * @sector:	first sector, of 512 bytes whatever the block size is
 * @nr_sectors:	of 512 bytes; READ and WRITE: what the segments add up to
 * @reserved2:	0
 * @segs:	the first segments
 */
struct pvhv_blk_request {
	__u16 id;
	__u8  op;
	__u8  flags;
	__u16 nr_segs;
	__u16 reserved;
	__u64 sector;
	__u64 nr_sectors;
	__u64 reserved2;
	struct pvhv_blk_segment segs[PVHV_BLK_SEGS_FIRST];
};

_Static_assert(sizeof(struct pvhv_blk_request) == 64, "block request");

#define PVHV_BLK_MAX_IDS	1024

static inline __u32 pvhv_blk_slots(__u32 nr_segs)
{
	return nr_segs <= PVHV_BLK_SEGS_FIRST ? 1 :
		1 + (nr_segs - PVHV_BLK_SEGS_FIRST + PVHV_BLK_SEGS_MORE - 1) / PVHV_BLK_SEGS_MORE;
}

/**
 * struct pvhv_blk_response - a response
 * @id:		of the request
 * @status:	PVHV_BLK_S_xxx
 * @reserved:	0
 */
struct pvhv_blk_response {
	__u16 id;
	__u16 status;
	__u32 reserved;
};

#define PVHV_BLK_S_OK		0
#define PVHV_BLK_S_IOERR	1
#define PVHV_BLK_S_NOTSUPP	2
#define PVHV_BLK_S_TIMEOUT	3
#define PVHV_BLK_S_NOSPC	4
#define PVHV_BLK_S_MEDIUM	5
#define PVHV_BLK_S_TRANSPORT	6	/* path gone, perhaps not for ever */
#define PVHV_BLK_S_PROTECTION	7
#define PVHV_BLK_S_NOMEM	8
#define PVHV_BLK_S_INVALID	9	/* the request broke a rule above */
#define PVHV_BLK_S_TARGET	10	/* the device will never do it */
#define PVHV_BLK_S_NEXUS	11	/* reserved by somebody else */
#define PVHV_BLK_S_OFFLINE	12	/* device gone */
/* One that is not known is PVHV_BLK_S_IOERR. */

/* Properties of the backend */
#define PVHV_BLK_SECTORS	16	/* capacity in sectors of 512 bytes; may change */
#define PVHV_BLK_FEATURES	17	/* PVHV_BLK_F_xxx */
#define PVHV_BLK_LOGICAL	18	/* bytes of a logical block */
#define PVHV_BLK_PHYSICAL	19	/* bytes of a physical block */
#define PVHV_BLK_IO_MIN		20	/* bytes */
#define PVHV_BLK_IO_OPT		21	/* bytes, 0: nothing is known */
#define PVHV_BLK_MAX_SECTORS	22	/* of a READ or WRITE */
#define PVHV_BLK_SEGMENTS	23	/* most segments of a request */
#define PVHV_BLK_DISCARD_GRAN	24	/* bytes */
#define PVHV_BLK_DISCARD_ALIGN	25	/* bytes */
#define PVHV_BLK_DISCARD_MAX	26	/* sectors of a DISCARD */
#define PVHV_BLK_ZEROES_MAX	27	/* sectors of a WRITE_ZEROES */
#define PVHV_BLK_SERIAL		28	/* 8 characters each, index 0 to 3, NUL-padded */

#define PVHV_BLK_F_READONLY	(1ULL << 0)
#define PVHV_BLK_F_FLUSH	(1ULL << 1)	/* has a volatile cache: FLUSH matters */
#define PVHV_BLK_F_FUA		(1ULL << 2)
#define PVHV_BLK_F_DISCARD	(1ULL << 3)
#define PVHV_BLK_F_WRITE_ZEROES	(1ULL << 4)
#define PVHV_BLK_F_ROTATIONAL	(1ULL << 5)

#endif /* _PVHV_BLKIF_H */
