/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * pvhv: the console protocol.
 *
 * Each domain that its owner has given one has one console, with one ring area
 * (<pvhv/ring.h>): requests are what the guest prints, responses what is typed. Nobody
 * answers anything; both rings carry struct pvhv_con_slot.
 *
 * PVHV_HC_CONSOLE_WRITE and PVHV_HC_CONSOLE_READ work beside it, before there is a ring and
 * when it has broken: the hypervisor takes what is in the ring before it takes the
 * bytes of a CONSOLE_WRITE, so the order is kept. A backend that is CLOSING or CLOSED takes
 * nothing any more: the frontend may print what is left. Input that is in a ring when it goes
 * is lost.
 */
#ifndef _PVHV_CONIF_H
#define _PVHV_CONIF_H

#include <pvhv/device.h>

#define PVHV_CON_SLOT_BYTES	63
#define PVHV_CON_RING_PAGES	2	/* of an area, at most */

/**
 * struct pvhv_con_slot - some bytes
 * @len:	how many, 1 to PVHV_CON_SLOT_BYTES
 * @data:	them
 */
struct pvhv_con_slot {
	__u8 len;
	__u8 data[PVHV_CON_SLOT_BYTES];
};

_Static_assert(sizeof(struct pvhv_con_slot) == 64, "console slot");

#endif /* _PVHV_CONIF_H */
