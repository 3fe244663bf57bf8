/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only calls that reach /dev/pvhv and the descriptors that come from it:
 * tests/fake-device.c takes the place of device.c.
 */
#ifndef PVHV_TOOL_DEVICE_H
#define PVHV_TOOL_DEVICE_H

#include <sys/stat.h>

#define DEVICE_PATH	"/dev/pvhv"

/* All: the result, or -errno. */
int device_stat(struct stat *st);
int device_open(void);
int device_ioctl(int fd, unsigned long request, unsigned long arg);

#endif
