/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The file or block device that a disk is kept in.
 *
 * Two guests that write to one image destroy it, and so do a guest and a file
 * system mounted here. So block devices are opened exclusively (O_EXCL), which is
 * refused while they are mounted or part of another device, and files are locked,
 * shared if they are only read. Claim and lock belong to the open file: they last as
 * long as the launcher or the module has it.
 */
#ifndef PVHV_TOOL_DISK_H
#define PVHV_TOOL_DISK_H

#include "util.h"

#define DISK_SECTOR	512

/* A descriptor; or -1 and @e */
int disk_open(const char *path, bool readonly, struct errmsg *e);
/* Its size now; -1 and @e: none that a disk can have */
int disk_size(int fd, u64 *size, struct errmsg *e);
/* Make a file larger, never smaller. */
int disk_grow(int fd, u64 size, struct errmsg *e);

#endif
