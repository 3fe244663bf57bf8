// SPDX-License-Identifier: GPL-2.0
/*
 * conring: a frontend of the console that breaks the rules of its rings. The device is
 * closed then, and can be opened again; the hypercalls, which print all of this, go on.
 *
 * timeout: 240
 */
#include "lib/frontend.h"
#include <pvhv/conif.h>

static struct area con;

static void offer(void)
{
	mine.nr_props = 0;
	prop(PVHV_PROP_RING_PAGES, 0, PAGES);
	offer_number();
	offer_area(&con, 0, sizeof(struct pvhv_con_slot), sizeof(struct pvhv_con_slot));
}

static bool connect(void)
{
	offer();
	return connect_offer();
}

/* From whatever to a backend that waits for us: one that does already need not close. */
static bool open_again(void)
{
	mine.nr_props = 0;
	publish(PVHV_DEV_CLOSED);
	publish(PVHV_DEV_INITIALISING);
	return wait_state(PVHV_DEV_INIT_WAIT);
}

static bool connect_again(void)
{
	return open_again() && connect();
}

/* It has ended the connection, with nothing of ours in use, and takes another one. */
static void check_closed(const char *why)
{
	if (!check(wait_state(PVHV_DEV_CLOSING), "%s does not close the device", why))
		return;
	mine.nr_props = 0;
	publish(PVHV_DEV_CLOSED);
	check(wait_state(PVHV_DEV_CLOSED), "it is not closed after %s", why);
	for (u32 i = 1; i < 32; i++)
		check(!(grants[i].control & (PVHV_GRANT_READING | PVHV_GRANT_WRITING)),
		      "grant %u is still in use after %s", i, why);
	publish(PVHV_DEV_INITIALISING);
	check(wait_state(PVHV_DEV_INIT_WAIT) && connect(), "no connection after %s", why);
}

static void put(const char *text, u8 len)
{
	struct pvhv_con_slot slot = { .len = len };

	memcpy(slot.data, text, strlen(text));
	pvhv_ring_put(&con.requests, &slot, sizeof(slot));
}

static bool taken(void)
{
	u64 end = now() + TIMEOUT;

	while (READ_ONCE(con.requests.shared->cons) != con.requests.mine && now() < end)
		hc_yield();
	return READ_ONCE(con.requests.shared->cons) == con.requests.mine;
}

TEST(open)
{
	if (find_device(PVHV_CLASS_CONSOLE) && wait_state(PVHV_DEV_INIT_WAIT))
		connect();
}

/* What comes by the ring and by hypercalls is in the order in which it was sent. */
TEST(output)
{
	for (u32 i = 0; i < 100; i++) {
		put("# by ring\n", 10);
		push(&con);
		if (!check(taken(), "slot %u is not taken", i))
			return;
	}
	/* pushed, and nobody told: the next hypercall takes it first */
	put("# told by the next line\n", 24);
	pvhv_ring_push(&con.requests);
	printf("# the next line\n");
	check(READ_ONCE(con.requests.shared->cons) == con.requests.mine, "it is still there");
}

TEST(full_ring)
{
	u32 n = pvhv_ring_room(&con.requests);

	for (u32 i = 0; i < n; i++)
		put("# one of a full ring\n", 21);
	push(&con);
	check(taken(), "they are not taken");
}

/* Whoever empties a full ring asks to be told of what comes next, too. */
static void check_told(const char *why)
{
	put("# the one after a full ring\n", 28);
	push(&con);
	check(taken(), "a slot is not taken after %s", why);
}

TEST(full_ring_for_a_hypercall)
{
	while (pvhv_ring_room(&con.requests))
		put("# full, and nobody told\n", 24);
	pvhv_ring_push(&con.requests);
	printf("# the hypercall\n");
	check(taken(), "they are not taken by a hypercall");
	check_told("a hypercall");
}

TEST(full_ring_offered)
{
	if (!check(open_again(), "it cannot be opened"))
		return;
	offer();
	while (pvhv_ring_room(&con.requests))
		put("# offered\n", 10);
	pvhv_ring_push(&con.requests);
	publish(PVHV_DEV_INITIALISED);
	if (!wait_state(PVHV_DEV_CONNECTED))
		return;
	publish(PVHV_DEV_CONNECTED);
	check(taken(), "what was offered is not taken");
	check_told("a full ring was offered");
}

TEST(bad_lengths)
{
	static const u8 bad[] = { 0, 64, 65, 128, 255 };

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		put("# of a bad slot\n", bad[i]);
		push(&con);
		check_closed("a bad length");
	}
}

TEST(ring_indices)
{
	static const u32 bad[] = { 33, 64, 0x80000000, ~0U };

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		WRITE_ONCE(con.requests.shared->prod, con.requests.mine + bad[i]);
		hc_event_send(con.port);
		check_closed("a bad prod");
		WRITE_ONCE(con.responses.shared->cons, con.responses.mine + bad[i]);
		hc_event_send(con.port);
		check_closed("a bad cons");
	}
}

/* The hypervisor looks at the ring for a hypercall, too. */
TEST(index_for_a_hypercall)
{
	WRITE_ONCE(con.requests.shared->prod, con.requests.mine + 1000);
	printf("# a hypercall beside a broken ring\n");
	check_closed("a bad prod");
}

TEST(notifications_without_output)
{
	for (u32 i = 0; i < 20000; i++)
		hc_event_send(con.port);
	put("# afterwards\n", 13);
	push(&con);
	check(taken(), "it is not taken");
}

TEST(bad_offers)
{
	static const struct {
		u16 key, index;
		u64 value;
	} bad[] = {
		{ PVHV_PROP_RING_PAGES, 0, 0 }, { PVHV_PROP_RING_PAGES, 0, PAGES + 1 },
		{ PVHV_PROP_RING_PAGES, 0, BIT(32) + 1 }, { PVHV_PROP_RING_PAGES, 0, ~0UL },
		{ PVHV_PROP_PORT, 0, 0 }, { PVHV_PROP_PORT, 0, 4000 },
		{ PVHV_PROP_PORT, 0, BIT(32) },
		{ PVHV_PROP_RING_REF, 0, 0 }, { PVHV_PROP_RING_REF, 1, 9999 },
		{ PVHV_PROP_RING_REF, 1, ~0UL },
	};

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		if (!check(open_again(), "it cannot be opened"))
			return;
		offer();
		set_prop(bad[i].key, bad[i].index, bad[i].value);
		publish(PVHV_DEV_INITIALISED);
		check_closed("a bad offer");
	}
	/* rings that somebody has used */
	if (!check(open_again(), "it cannot be opened"))
		return;
	offer();
	con.requests.shared->cons = 1;
	publish(PVHV_DEV_INITIALISED);
	check_closed("a used ring");
}

TEST(states_in_any_order)
{
	for (u32 i = 0; i < 3000; i++) {
		u32 state = 1 + random_below(6);

		if (state == PVHV_DEV_INITIALISED)
			offer();
		publish(state);
		if (random_below(3) == 0) {
			put("#\n", 2);
			push(&con);
		}
	}
	check(connect_again(), "no connection afterwards");
}

TEST(random_rings)
{
	for (u32 i = 0; i < 200; i++) {
		for (u32 k = 0; k < 1 + random_below(40) && pvhv_ring_room(&con.requests); k++)
			put("# random\n", random_below(60) ? 9 : random_below(256));
		if (!random_below(20))
			WRITE_ONCE(con.requests.shared->prod, random_below(~0U));
		if (!random_below(20))
			WRITE_ONCE(con.requests.shared->item_event, random_below(~0U));
		if (!random_below(20))
			WRITE_ONCE(con.responses.shared->room_event, random_below(~0U));
		push(&con);
		hc_event_send(con.port);
		if (info()->state != PVHV_DEV_CONNECTED || con.requests.broken)
			if (!check(connect_again(), "no connection"))
				return;
	}
}

/* The domain ends with a ring that has output: it is not lost, and nothing is kept. */
TEST(end_with_output)
{
	if (!check(connect_again(), "no connection"))
		return;
	put("# the last words\n", 17);
	pvhv_ring_push(&con.requests);
}
