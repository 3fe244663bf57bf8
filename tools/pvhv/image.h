/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An input file (kernel or initrd) that is read at random.
 *
 * A regular file stays open and is read where it lies, so that a guest's
 * reboot starts what its first boot started, even if the name now belongs to
 * another file. What cannot be read twice (a pipe) is held in memory. Files
 * that are empty are refused, but not /dev/null.
 */
#ifndef PVHV_TOOL_IMAGE_H
#define PVHV_TOOL_IMAGE_H

#include "util.h"

#define IMAGE_MAX_SLURP		(1 * GIB)	/* of what comes through a pipe */

struct image {
	int fd;			/* -1: @mem holds it all */
	u8 *mem;		/* malloc'ed */
	u64 size;
};

int image_open(struct image *img, const char *path, struct errmsg *e);
/* Take over @mem, which came from malloc(). */
void image_from_memory(struct image *img, void *mem, u64 size);
/* 0, -EIO if it is not all there, or another -errno */
int image_read(const struct image *img, u64 offset, void *buf, u64 len);
void image_close(struct image *img);

#endif
