/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * pvhv: numbers that must not be mixed up. Sparse sees them as different types;
 * in shared memory and registers they are what they are typed here.
 */
#ifndef _PVHV_TYPES_H
#define _PVHV_TYPES_H

#include <linux/types.h>

/* A domain. 0 is the host; others may be used again after the domain's end. */
typedef __u32 __bitwise pvhv_domid_t;
#define PVHV_DOMID_HOST		((__force pvhv_domid_t)0)

/* An entry of its owner's grant table; 0 is never valid */
typedef __u32 __bitwise pvhv_grant_t;
#define PVHV_GRANT_NONE		((__force pvhv_grant_t)0)

/* An end of an event channel, as its owner names it; 0 is never valid */
typedef __u32 __bitwise pvhv_port_t;
#define PVHV_PORT_NONE		((__force pvhv_port_t)0)

#endif /* _PVHV_TYPES_H */
