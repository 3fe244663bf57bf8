/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only calls that reach /dev/pvhv, the descriptors that come from it, and
 * the host's network interfaces: tests/fake-device.c takes the place of device.c.
 */
#ifndef PVHV_TOOL_DEVICE_H
#define PVHV_TOOL_DEVICE_H

#include <stdbool.h>
#include <sys/stat.h>

#define DEVICE_PATH	"/dev/pvhv"
/* queues of a disk at most */
#define DISK_QUEUES_PATH "/sys/module/pvhv_blkback/parameters/max_queues"

/* All: the result, or -errno. */
int device_stat(struct stat *st);
int device_open(void);
int device_ioctl(int fd, unsigned long request, unsigned long arg);

/* Whether CPUID raises a fault in the calling thread; -ENODEV: not on this CPU */
int thread_cpuid_faults(bool on);

/* What pvhv-blkback takes; 0 if it is not loaded */
unsigned int disk_max_queues(void);

/* -ENODEV: there is no such interface */
int interface_exists(const char *ifname);
int interface_up(const char *ifname);
/* -EOPNOTSUPP: @bridge is none */
int interface_into_bridge(const char *ifname, const char *bridge);

#endif
