/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * pvhv: the registry of split devices.
 *
 * A device has two sides, a frontend and a backend, in two domains. Each side
 * owns a state and a list of properties, which the other side can read. Both
 * are published together, by one call: a reader sees all of a publication or
 * nothing of it, so there are no transactions. Properties are numbers; nothing
 * is parsed.
 *
 * Whenever the other side of one of a domain's devices changes, a device
 * appears or goes, the domain is told by PVHV_CAUSE_DEVICES. That is one bit:
 * the domain lists its devices and compares generations.
 *
 *	backend			frontend
 *	INITIALISING		INITIALISING	the device is made
 *	INIT_WAIT				the backend says what it has
 *				INITIALISED	the frontend gives rings and ports
 *	CONNECTED				the backend has mapped them
 *				CONNECTED	in use
 *	CONNECTED		CONNECTED	either publishes again: resize, link state
 *	CLOSING					the backend wants it closed
 *				CLOSING		the frontend closes: nothing new
 *	CLOSED					the backend has unmapped everything
 *				CLOSED
 *	INIT_WAIT		INITIALISING	or once more
 *
 * A side that is not told otherwise by its own state may be CLOSED at any
 * time: its driver is gone. PVHV_DEV_ONLINE tells whether it is worth waiting
 * for another.
 */
#ifndef _PVHV_DEVICE_H
#define _PVHV_DEVICE_H

#include <pvhv/types.h>

#define PVHV_CLASS_BLOCK	1
#define PVHV_CLASS_NET		2
#define PVHV_CLASS_CONSOLE	3

#define PVHV_ROLE_FRONTEND	0
#define PVHV_ROLE_BACKEND	1

#define PVHV_DEV_INITIALISING	1
#define PVHV_DEV_INIT_WAIT	2
#define PVHV_DEV_INITIALISED	3
#define PVHV_DEV_CONNECTED	4
#define PVHV_DEV_CLOSING	5
#define PVHV_DEV_CLOSED		6

/* struct pvhv_device_info, struct pvhv_device_side: flags, set by the registry */
#define PVHV_DEV_ONLINE		(1U << 0) /* clear: the device is being removed */
#define PVHV_DEV_PEER_DEAD	(1U << 1) /* the other domain has ended: CLOSED for ever */

/**
 * struct pvhv_prop - a property
 * @key:	what, see <pvhv/blkif.h> and <pvhv/netif.h>; unknown ones are skipped
 * @index:	which of several
 * @reserved:	0
 * @value:	by key
 */
struct pvhv_prop {
	__u16 key;
	__u16 index;
	__u32 reserved;
	__u64 value;
};

#define PVHV_MAX_PROPS		255

/**
 * struct pvhv_device_side - one side of a device
 * @state:	PVHV_DEV_xxx
 * @generation:	changes with every publication and every change of @flags
 * @nr_props:	used entries of @props
 * @flags:	PVHV_DEV_xxx flags; written as 0
 * @props:	no two with the same key and index
 *
 * PVHV_HC_DEVICE_PUBLISH reads one from a page, PVHV_HC_DEVICE_READ writes the
 * other side's. What is behind the used properties is not looked at or written.
 */
struct pvhv_device_side {
	__u32 state;
	__u32 generation;
	__u32 nr_props;
	__u32 flags;
	struct pvhv_prop props[PVHV_MAX_PROPS];
};

_Static_assert(sizeof(struct pvhv_device_side) == 4096, "side of a device");

/**
 * struct pvhv_device_info - one entry of PVHV_HC_DEVICE_LIST
 * @id:		names the device to the other hypercalls; never used again
 * @class:	PVHV_CLASS_xxx
 * @index:	number among the frontend's devices of this class
 * @role:	PVHV_ROLE_xxx of the caller
 * @peer:	the other domain
 * @state:	the other side's
 * @generation:	the other side's
 * @flags:	PVHV_DEV_xxx flags
 */
struct pvhv_device_info {
	__u32 id;
	__u32 class;
	__u32 index;
	__u32 role;
	pvhv_domid_t peer;
	__u32 state;
	__u32 generation;
	__u32 flags;
};

#define PVHV_DEVICES_PER_LIST	128	/* entries in a page */
#define PVHV_MAX_DEVICES	64	/* with one domain as frontend */

/*
 * Keys 1 to 15 mean the same for every class. The frontend's, for a queue with
 * one ring area (<pvhv/ring.h>):
 */
#define PVHV_PROP_NR_QUEUES	1	/* in use; the backend's: the most it takes */
#define PVHV_PROP_RING_PAGES	2	/* of each area; the backend's: the most it takes */
#define PVHV_PROP_RING_REF	3	/* grant of page i % 16 of area i / 16 */
#define PVHV_PROP_PORT		4	/* of area i, made for the backend to bind */
#define PVHV_PROP_OFFER		5	/* a number for all this; the backend's: the one it took */
#define PVHV_MAX_RING_PAGES	8
#define PVHV_MAX_AREAS		24

#endif /* _PVHV_DEVICE_H */
