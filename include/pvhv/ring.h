/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * pvhv: rings. One producer, one consumer, who do not trust each other.
 *
 * A ring is a header of two cache lines, one that only the producer writes and
 * one that only the consumer writes, and 2^n slots of a fixed size. Indices
 * run freely and wrap at 2^32; slot i is at i mod 2^n. A request/response channel
 * is two rings in one area, see struct pvhv_ring_layout.
 *
 * The engine is compiled for Linux and for the race test in user space; it needs
 * READ_ONCE, WRITE_ONCE, smp_load_acquire, smp_store_release, smp_mb, memcpy and
 * memset only. Each side keeps its own index and size in private memory and validates the
 * other's index whenever it reads it, once: a ring whose other side breaks the
 * rules becomes @broken and looks empty and full for ever: look at @broken before
 * sleeping. Slots are copied out before anybody looks at them.
 *
 * Invariants:
 * 1. The producer fills slots, then stores @prod with a release; the consumer
 *    loads @prod with an acquire, then reads slots.
 * 2. The consumer is done with slots, then stores @cons with a release; the producer
 *    loads @cons with an acquire, then fills slots again.
 * 3. Notification of items: the consumer stores @item_event, full barrier, looks
 *    at @prod again before it sleeps. The producer stores @prod, full barrier,
 *    reads @item_event, and notifies if the stored @prod has moved past it.
 *    So one of them sees the other's store.
 * 4. Notification of room: the same with @room_event and @cons, the other way round.
 */
#ifndef _PVHV_RING_H
#define _PVHV_RING_H

#include <linux/types.h>

/**
 * struct pvhv_ring_header - the shared part; zeroed by the frontend at first
 * @prod:	items ever produced
 * @room_event:	notify the producer when @cons moves past this
 * @cons:	items ever consumed
 * @item_event:	notify the consumer when @prod moves past this
 */
struct pvhv_ring_header {
	__u32 prod;
	__u32 room_event;
	__u32 reserved0[14];
	__u32 cons;
	__u32 item_event;
	__u32 reserved1[14];
};

_Static_assert(sizeof(struct pvhv_ring_header) == 128, "ring header");

/**
 * struct pvhv_ring - one side's private view of a ring
 * @shared:	its header
 * @slots:	slot 0
 * @nr:		slots, a power of two
 * @size:	bytes of a slot
 * @mine:	what this side has produced or consumed, maybe not yet published
 * @published:	what the other side has been told of it
 * @theirs:	the other side's index as last seen, validated
 * @broken:	the other side broke the rules; stays set
 *
 * Not locked: one thread at a time for each side.
 */
struct pvhv_ring {
	struct pvhv_ring_header *shared;
	void *slots;
	__u32 nr;
	__u32 size;
	__u32 mine;
	__u32 published;
	__u32 theirs;
	__u32 broken;
};

/**
 * struct pvhv_ring_layout - an area with a ring of requests and one of responses
 * @nr:		slots of each, a power of two, as many as fit; 0: not even one does
 * @requests:	offset of the first request slot
 * @responses:	offset of the first response slot
 *
 * The headers are at 0 (requests) and 128 (responses).
 */
struct pvhv_ring_layout {
	__u32 nr;
	__u32 requests;
	__u32 responses;
};

#define PVHV_RING_REQUEST_HEADER	0
#define PVHV_RING_RESPONSE_HEADER	128
#define PVHV_RING_FIRST_SLOT		256

/**
 * pvhv_ring_layout - how an area is divided, the same on both sides
 * @pages:		of it, at most 2^19
 * @request_size:	bytes, a multiple of 8
 * @response_size:	bytes, a multiple of 8
 */
static inline struct pvhv_ring_layout pvhv_ring_layout(__u32 pages, __u32 request_size,
						       __u32 response_size)
{
	__u32 room = pages ? pages * 4096 - PVHV_RING_FIRST_SLOT : 0;
	__u32 fit = room / (request_size + response_size);
	struct pvhv_ring_layout l = { .nr = !!fit, .requests = PVHV_RING_FIRST_SLOT };

	while (l.nr * 2 <= fit && l.nr)
		l.nr *= 2;
	l.responses = l.requests + l.nr * request_size;
	return l;
}

/**
 * pvhv_ring_init - a view of a ring that is empty and whose header is zero
 * @r:		the view
 * @header:	the shared part
 * @slots:	slot 0
 * @nr:		slots, a power of two
 * @size:	bytes of a slot
 */
static inline void pvhv_ring_init(struct pvhv_ring *r, void *header, void *slots, __u32 nr,
				  __u32 size)
{
	*r = (struct pvhv_ring) { .shared = header, .slots = slots, .nr = nr, .size = size };
}

/**
 * pvhv_ring_unused - has no backend used a pair of rings yet?
 * @requests:	just initialised
 * @responses:	just initialised
 *
 * Requests may wait already. But a frontend that has not heard yet that its
 * backend is gone may offer a new one what the old one left: both would count
 * differently.
 */
static inline int pvhv_ring_unused(const struct pvhv_ring *requests,
				   const struct pvhv_ring *responses)
{
	return !READ_ONCE(requests->shared->cons) && !READ_ONCE(responses->shared->prod);
}

static inline void *pvhv_ring_slot(const struct pvhv_ring *r, __u32 index)
{
	return (char *)r->slots + (unsigned long)(index & (r->nr - 1)) * r->size;
}

/* ---- the producer ---- */

/**
 * pvhv_ring_room - slots that can be filled now
 * @r:	the producer's view
 */
static inline __u32 pvhv_ring_room(struct pvhv_ring *r)
{
	__u32 cons = smp_load_acquire(&r->shared->cons);	/* invariant 2 */

	/* It can only have moved forward, and not beyond what it was given. */
	if (cons - r->theirs > r->published - r->theirs)
		r->broken = 1;
	if (r->broken)
		return 0;
	r->theirs = cons;
	return r->nr - (r->mine - cons);
}

/**
 * pvhv_ring_put - fill the next slot; the consumer does not see it yet
 * @r:		the producer's view, with room
 * @item:	what
 * @len:	its bytes, at most the size of a slot; the rest is zeroed
 */
static inline void pvhv_ring_put(struct pvhv_ring *r, const void *item, __u32 len)
{
	char *slot = pvhv_ring_slot(r, r->mine++);

	memcpy(slot, item, len);
	if (len < r->size)
		memset(slot + len, 0, r->size - len);
}

/* Has the index moved past @event on its way from @old to @new? */
static inline int pvhv_ring_passed(__u32 event, __u32 old, __u32 new)
{
	return new - event - 1 < new - old;
}

/**
 * pvhv_ring_push - let the consumer see what was put
 * @r:	the producer's view
 *
 * Return: true if the consumer must be notified.
 */
static inline int pvhv_ring_push(struct pvhv_ring *r)
{
	__u32 old = r->published;

	if (r->mine == old)
		return 0;
	smp_store_release(&r->shared->prod, r->mine);	/* invariant 1 */
	r->published = r->mine;
	smp_mb();	/* invariant 3 */
	return pvhv_ring_passed(READ_ONCE(r->shared->item_event), old, r->mine);
}

/**
 * pvhv_ring_wait_room - ask to be notified when there is room
 * @r:	the producer's view
 * @n:	for so many slots, at most the size of the ring
 *
 * What was put must have been pushed: no room comes from what nobody sees.
 *
 * Return: true if there is not: a notification will come. If the ring is
 * broken, there is none and none will come.
 */
static inline int pvhv_ring_wait_room(struct pvhv_ring *r, __u32 n)
{
	/* n slots are free once cons has reached mine + n - nr */
	WRITE_ONCE(r->shared->room_event, r->mine + n - r->nr - 1);
	smp_mb();	/* invariant 4 */
	return pvhv_ring_room(r) < n;
}

/* ---- the consumer ---- */

/**
 * pvhv_ring_items - slots that can be read now
 * @r:	the consumer's view
 */
static inline __u32 pvhv_ring_items(struct pvhv_ring *r)
{
	__u32 prod = smp_load_acquire(&r->shared->prod);	/* invariant 1 */

	/* Forward only, and no more than the slots that it knows to be free. */
	if (prod - r->theirs > r->nr - (r->theirs - r->published))
		r->broken = 1;
	if (r->broken)
		return 0;
	r->theirs = prod;
	return prod - r->mine;
}

/**
 * pvhv_ring_peek - copy a slot and leave it there
 * @r:		the consumer's view
 * @n:		which, from the next one on; below pvhv_ring_items()
 * @item:	where to
 * @len:	bytes, at most the size of a slot
 */
static inline void pvhv_ring_peek(const struct pvhv_ring *r, __u32 n, void *item, __u32 len)
{
	memcpy(item, pvhv_ring_slot(r, r->mine + n), len);
	/*
	 * The copy is made here, once. Without this, the compiler might leave
	 * it out and read the slot again where @item is used, after the checks.
	 */
	__asm__ volatile ("" : : : "memory");
}

/**
 * pvhv_ring_get - copy the next slot and go on to the one behind it
 * @r:		the consumer's view, with items
 * @item:	where to
 * @len:	bytes, at most the size of a slot
 */
static inline void pvhv_ring_get(struct pvhv_ring *r, void *item, __u32 len)
{
	pvhv_ring_peek(r, 0, item, len);
	r->mine++;
}

/**
 * pvhv_ring_pull - give the slots back that were read
 * @r:	the consumer's view
 *
 * Return: true if the producer must be notified that there is room.
 */
static inline int pvhv_ring_pull(struct pvhv_ring *r)
{
	__u32 old = r->published;

	if (r->mine == old)
		return 0;
	smp_store_release(&r->shared->cons, r->mine);	/* invariant 2 */
	r->published = r->mine;
	smp_mb();	/* invariant 4 */
	return pvhv_ring_passed(READ_ONCE(r->shared->room_event), old, r->mine);
}

/**
 * pvhv_ring_wait_items - ask to be notified of the next item
 * @r:	the consumer's view
 *
 * Return: true if there is none: a notification will come. If the ring is
 * broken, there is none and none will come.
 */
static inline int pvhv_ring_wait_items(struct pvhv_ring *r)
{
	WRITE_ONCE(r->shared->item_event, r->mine);
	smp_mb();	/* invariant 3 */
	return !pvhv_ring_items(r);
}

/**
 * pvhv_ring_wait_more_items - ask to be notified when there are @n items
 * @r:	the consumer's view
 * @n:	so many, at most the size of the ring
 *
 * Return: true if there are not: a notification will come. If the ring is
 * broken, there are none and none will come.
 */
static inline int pvhv_ring_wait_more_items(struct pvhv_ring *r, __u32 n)
{
	WRITE_ONCE(r->shared->item_event, r->mine + n - 1);
	smp_mb();	/* invariant 3 */
	return pvhv_ring_items(r) < n;
}

#endif /* _PVHV_RING_H */
