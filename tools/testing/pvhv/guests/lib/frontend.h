/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test guests that are the frontend of one device: its rings, grants and states.
 */
#ifndef _LIB_FRONTEND_H
#define _LIB_FRONTEND_H

#include "guest.h"

/* What ring.h needs: this CPU keeps the order of loads and that of stores by itself. */
#define smp_mb()		asm volatile("mfence" ::: "memory")
#define smp_load_acquire(p)	({ __typeof__(*(p)) v_ = READ_ONCE(*(p)); barrier(); v_; })
#define smp_store_release(p, v)	({ barrier(); WRITE_ONCE(*(p), v); })

#include "split.h"
#include <pvhv/ring.h>

#define PAGES		2		/* of a ring area */
#define TIMEOUT		20000000000UL	/* ns, on a slow machine */

/* Grants of the pages of area @n: from 16 on, below 32 */
#define RING_REF(n, i)	(16 + (n) * PAGES + (i))

struct area {
	u8 area[PAGES * PAGE_SIZE] __page_aligned;
	struct pvhv_ring requests, responses;
	u32 port;
};

extern struct pvhv_grant_entry grants[PVHV_GRANTS_PER_FRAME];
/* Both sides of the device */
extern struct pvhv_device_side mine, theirs;

/* Register what events and grants need, and find the device of a class */
bool find_device(u32 class);
void grant(u32 ref, u64 gfn, u32 flags);

const struct pvhv_device_info *info(void);
bool wait_state(u32 state);
long publish(u32 state);
bool read_peer(void);
/* From whatever to a backend that waits for us */
bool reopen(void);

/* The properties in @mine: add one, change one */
void prop(u16 key, u16 index, u64 value);
void set_prop(u16 key, u16 index, u64 value);

/* Empty rings in area @n, granted, with a new port; and their properties */
void offer_area(struct area *a, u32 n, u32 request_size, u32 response_size);
/* The number of what is offered, into @mine */
void offer_number(void);
/* INITIALISED with @mine, until both are CONNECTED, and to that offer */
bool connect_offer(void);
void push(struct area *a);
/* The next response; false after some time, or if the ring is broken */
bool get(struct area *a, void *response);

/* The same at each run */
u32 random_below(u32 n);

#endif
