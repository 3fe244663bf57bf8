// SPDX-License-Identifier: GPL-2.0
/*
 * discards: a frontend whose rings are full of discards that take long each. For
 * tests/block-discards.sh, which gives it such a disk and "test=NAME" for each run.
 *
 * disk: 16M
 */
#include "lib/frontend.h"

#define NR_QUEUES	2

static struct area queues[NR_QUEUES];
static u32 sent;

static bool all_taken(void)
{
	for (u32 n = 0; n < NR_QUEUES; n++)
		if (pvhv_ring_room(&queues[n].requests) < queues[n].requests.nr)
			return false;
	return true;
}

/* Connect, and fill the rings. True if all have been taken, and hardly one was done. */
static bool fill(void)
{
	struct pvhv_blk_request r = { .op = PVHV_BLK_DISCARD, .nr_sectors = 64 };
	u64 end;

	if (!find_device(PVHV_CLASS_BLOCK) || !wait_state(PVHV_DEV_INIT_WAIT))
		return false;
	prop(PVHV_PROP_NR_QUEUES, 0, NR_QUEUES);
	prop(PVHV_PROP_RING_PAGES, 0, PAGES);
	offer_number();
	for (u32 n = 0; n < NR_QUEUES; n++)
		offer_area(&queues[n], n, sizeof(struct pvhv_blk_request),
			   sizeof(struct pvhv_blk_response));
	if (!connect_offer())
		return false;
	for (u32 n = 0; n < NR_QUEUES; n++) {
		for (u32 i = 0; i < queues[n].requests.nr; i++, sent++) {
			r.id = i;
			pvhv_ring_put(&queues[n].requests, &r, sizeof(r));
		}
		push(&queues[n]);
	}
	for (end = now() + TIMEOUT; !all_taken() && now() < end;)
		hc_yield();
	if (!check(all_taken(), "the requests are not taken"))
		return false;
	/* The first one is begun. */
	sleep_ns(500000000);
	return check(pvhv_ring_items(&queues[0].responses) < sent / 8,
		     "the disk is fast: there is nothing to see here");
}

/* They are taken back, each with an answer, but for the one that has been begun. */
TEST(closing)
{
	u32 answered = 0, done = 0;

	if (!fill())
		return;
	mine.nr_props = 0;
	publish(PVHV_DEV_CLOSING);
	if (!check(wait_state(PVHV_DEV_CLOSED), "the device does not close"))
		return;
	for (u32 n = 0; n < NR_QUEUES; n++) {
		struct pvhv_ring *ring = &queues[n].responses;
		struct pvhv_blk_response response;

		while (pvhv_ring_items(ring)) {
			pvhv_ring_get(ring, &response, sizeof(response));
			answered++;
			done += response.status == PVHV_BLK_S_OK;
		}
	}
	check_eq(answered, sent, "the number of answers");
	check(done < sent / 8, "%u of %u discards were made", done, sent);
	publish(PVHV_DEV_CLOSED);
}

/* The ring is broken, and after that the domain ends. */
TEST(broken)
{
	if (!fill())
		return;
	WRITE_ONCE(queues[0].requests.shared->prod, 0x80000000);
	hc_event_send(queues[0].port);
	sleep_ns(500000000);
}

/* The domain is killed when it has begun to close the device. */
TEST(killed)
{
	if (!fill())
		return;
	mine.nr_props = 0;
	publish(PVHV_DEV_CLOSING);
	printf("kill me\n");
	for (;;)
		sleep_ns(1000000000);
}
