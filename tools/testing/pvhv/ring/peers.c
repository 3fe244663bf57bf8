// SPDX-License-Identifier: GPL-2.0
/*
 * Everything about rings that needs no second thread: arithmetic at the wrap of
 * indices, when a notification is due, what a hostile peer can do.
 */
#include <stdlib.h>

#include <pvhv/blkif.h>
#include <pvhv/netif.h>

#include "atomic.h"
#include "test.h"

#define MAX_NR	64
#define GUARD	0x5a

static const uint32_t starts[] = { 0, 1, 0x7ffffffe, 0xfffffff0, 0xfffffffe, 0xffffffff };

/* A ring with both views, and what must not be touched around its slots */
static struct pvhv_ring_header header;
static uint8_t memory[16 + MAX_NR * 64 + 16];
static struct pvhv_ring prod, cons;

static void view(struct pvhv_ring *r, uint32_t nr, uint32_t size, uint32_t start)
{
	pvhv_ring_init(r, &header, memory + 16, nr, size);
	r->mine = start;
	r->published = start;
	r->theirs = start;
}

static void fresh(uint32_t nr, uint32_t size, uint32_t start)
{
	memset(memory, GUARD, sizeof(memory));
	header = (struct pvhv_ring_header) {
		.prod = start, .cons = start, .item_event = start, .room_event = start,
	};
	view(&prod, nr, size, start);
	view(&cons, nr, size, start);
}

static void check_guards(uint32_t nr, uint32_t size)
{
	size_t i;

	for (i = 0; i < sizeof(memory); i++)
		if (i < 16 || i >= 16 + nr * size)
			check(memory[i] == GUARD, "byte %zu beside the slots was written", i);
}

static void put(uint64_t value)
{
	pvhv_ring_put(&prod, &value, sizeof(value));
}

static uint64_t get(void)
{
	uint64_t value;

	pvhv_ring_get(&cons, &value, sizeof(value));
	return value;
}

/* Any batches, against a counter */
static void test_order(void)
{
	uint64_t rnd = 1, sent = 0, got = 0;
	uint32_t nr, i, n;
	unsigned int s, round;

	for (nr = 1; nr <= MAX_NR; nr *= 2) {
		for (s = 0; s < sizeof(starts) / sizeof(*starts); s++) {
			fresh(nr, 16, starts[s]);
			sent = 0;
			got = 0;
			for (round = 0; round < 500; round++) {
				n = pvhv_ring_room(&prod);
				check(n == nr - (sent - got), "room is %u, not %llu of %u", n,
				      (unsigned long long)(nr - (sent - got)), nr);
				for (i = random64(&rnd) % (n + 1); i; i--)
					put(sent++);
				check(pvhv_ring_items(&cons) == prod.published - cons.mine,
				      "items are seen before they are pushed");
				pvhv_ring_push(&prod);
				n = pvhv_ring_items(&cons);
				check(n == sent - got, "%u items, not %llu", n,
				      (unsigned long long)(sent - got));
				for (i = random64(&rnd) % (n + 1); i; i--, got++)
					check(get() == got, "item %llu is another",
					      (unsigned long long)got);
				n = pvhv_ring_room(&prod);
				check(n == nr - (prod.mine - cons.published),
				      "room before it is given back");
				pvhv_ring_pull(&cons);
			}
			check(!prod.broken && !cons.broken, "broken by honest peers");
			check_guards(nr, 16);
		}
	}
	puts("ok ring.order");
}

/* A short item leaves nothing of an older one in its slot. */
static void test_slots(void)
{
	uint8_t item[64], got[64];
	uint32_t len, i;

	for (len = 8; len <= 64; len += 8) {
		fresh(2, 64, 0);
		memset(item, 0xff, sizeof(item));
		pvhv_ring_put(&prod, item, len);
		pvhv_ring_push(&prod);
		check(pvhv_ring_items(&cons) == 1, "no item");
		pvhv_ring_peek(&cons, 0, got, 64);
		for (i = 0; i < 64; i++)
			check(got[i] == (i < len ? 0xff : 0), "byte %u of %u is %#x", i, len,
			      got[i]);
		check(cons.mine == 0 && pvhv_ring_items(&cons) == 1, "peeking takes");
	}
	fresh(4, 8, 0xfffffffe);
	for (i = 0; i < 4; i++)
		put(i);
	pvhv_ring_push(&prod);
	pvhv_ring_items(&cons);
	for (i = 0; i < 4; i++) {
		uint64_t value;

		pvhv_ring_peek(&cons, i, &value, 8);
		check(value == i, "slot %u ahead has %llu", i, (unsigned long long)value);
	}
	puts("ok ring.slots");
}

/*
 * For every distance of an event from what is being published: notified exactly
 * if the index moves past the event.
 */
static void test_events(void)
{
	uint32_t nr = 8, n, s;
	int event, due;

	for (s = 0; s < sizeof(starts) / sizeof(*starts); s++) {
		for (n = 1; n <= nr; n++) {
			for (event = -20; event <= 20; event++) {
				uint32_t i;

				fresh(nr, 8, starts[s]);
				header.item_event = starts[s] + event;
				header.room_event = starts[s] + event;
				for (i = 0; i < n; i++)
					put(i);
				due = event >= 0 && event < (int)n;
				check(pvhv_ring_push(&prod) == due,
				      "%u items, event %d ahead: notified wrongly", n, event);
				check(!pvhv_ring_push(&prod), "notified of nothing");
				pvhv_ring_items(&cons);
				for (i = 0; i < n; i++)
					get();
				check(pvhv_ring_pull(&cons) == due,
				      "%u slots, event %d ahead: notified wrongly", n, event);
				check(!pvhv_ring_pull(&cons), "notified of nothing");
			}
		}
	}
	puts("ok ring.events");
}

/* The producer of a full ring waits for n slots: told by the n-th, not before. */
static void test_wait_room(void)
{
	uint32_t nr, n, i, s;

	for (nr = 1; nr <= 16; nr *= 2) {
		for (n = 1; n <= nr; n++) {
			for (s = 0; s < sizeof(starts) / sizeof(*starts); s++) {
				fresh(nr, 8, starts[s]);
				check(!pvhv_ring_wait_room(&prod, nr), "an empty ring is full");
				for (i = 0; i < nr; i++)
					put(i);
				pvhv_ring_push(&prod);
				check(pvhv_ring_wait_room(&prod, n), "a full ring has room");
				pvhv_ring_items(&cons);
				for (i = 1; i <= nr; i++) {
					get();
					check(pvhv_ring_pull(&cons) == (i == n),
					      "waits for %u of %u, slot %u notifies wrongly",
					      n, nr, i);
					check(pvhv_ring_room(&prod) == i, "room is wrong");
				}
				check(!pvhv_ring_wait_room(&prod, n), "waits for what is there");
			}
		}
	}
	puts("ok ring.wait-room");
}

/* The consumer waits for one more; a batch of any size wakes it, once. */
static void test_wait_items(void)
{
	uint32_t nr = 16, n, i, s;

	for (n = 1; n <= nr; n++) {
		for (s = 0; s < sizeof(starts) / sizeof(*starts); s++) {
			fresh(nr, 8, starts[s]);
			check(pvhv_ring_wait_items(&cons), "an empty ring has items");
			for (i = 0; i < n; i++)
				put(i);
			check(pvhv_ring_push(&prod), "not woken");
			if (n < nr) {
				put(0);
				check(!pvhv_ring_push(&prod), "woken twice");
			}
			check(!pvhv_ring_wait_items(&cons), "sleeps before items");
		}
	}
	puts("ok ring.wait-items");
}

/*
 * Of 8 slots some are produced and some consumed; then the consumer's index is
 * @lie, from before what was seen to beyond what was produced.
 */
static void hostile_consumer(uint32_t start, int produced, int consumed, int lie)
{
	bool good = lie >= consumed && lie <= produced;
	uint32_t room, before;
	int i;

	fresh(8, 8, start);
	for (i = 0; i < produced; i++)
		put(i);
	pvhv_ring_push(&prod);
	header.cons = start + consumed;
	check(pvhv_ring_room(&prod) == (uint32_t)(8 - produced + consumed), "honest room");
	/* what is put and not pushed must not be consumed */
	if (produced - consumed < 8)
		put(1);
	before = pvhv_ring_room(&prod);
	header.cons = start + lie;
	room = pvhv_ring_room(&prod);
	check(!!prod.broken == !good, "%d of %d consumed, then %d: %s", consumed, produced, lie,
	      good ? "broken" : "believed");
	check(room == (good ? before + (lie - consumed) : 0), "room %u after a lie", room);
	check(good || pvhv_ring_wait_room(&prod, 1), "a broken ring has room");
	/* repenting does not help */
	header.cons = start + produced;
	check(good || (pvhv_ring_room(&prod) == 0 && prod.broken), "mended");
}

/* The producer's, likewise; the consumer has read some and given some back. */
static void hostile_producer(uint32_t start, int produced, int read, int given, int lie)
{
	bool good = lie >= produced && lie <= 8 + given;
	uint32_t items;
	int i;

	fresh(8, 8, start);
	header.prod = start + produced;
	check(pvhv_ring_items(&cons) == (uint32_t)produced, "honest items");
	for (i = 0; i < read; i++) {
		if (i == given)
			pvhv_ring_pull(&cons);
		get();
	}
	if (given == read)
		pvhv_ring_pull(&cons);
	header.prod = start + lie;
	items = pvhv_ring_items(&cons);
	check(!!cons.broken == !good, "%d produced, %d given back, then %d: %s", produced, given,
	      lie, good ? "broken" : "believed");
	check(items == (good ? (uint32_t)(lie - read) : 0), "%u items after a lie", items);
	check(items <= 8, "more items than slots");
	check(good || pvhv_ring_wait_items(&cons), "a broken ring has items");
	header.prod = start + produced;
	check(good || (pvhv_ring_items(&cons) == 0 && cons.broken), "mended");
}

static void test_hostile(void)
{
	unsigned int s, i;
	int lie;

	for (s = 0; s < sizeof(starts) / sizeof(*starts); s++) {
		for (i = 0; i < 9 * 9 * 9; i++) {
			int produced = i % 9, read = i / 9 % 9, given = i / 81;

			for (lie = -20; lie <= 20; lie++) {
				if (read <= produced && !given)
					hostile_consumer(starts[s], produced, read, lie);
				if (read <= produced && given <= read)
					hostile_producer(starts[s], produced, read, given, lie);
			}
		}
	}
	puts("ok ring.hostile");
}

/* Headers of noise: nothing but @broken may come of it. */
static void test_noise(void)
{
	uint64_t rnd = 7, value;
	uint32_t n;
	int round, step;

	for (round = 0; round < 20000; round++) {
		fresh(8, 8, random64(&rnd));
		for (step = 0; step < 40; step++) {
			uint32_t *word = (uint32_t *)&header + random64(&rnd) % 32;

			if (random64(&rnd) % 4 == 0)
				*word = random64(&rnd);
			else if (random64(&rnd) % 2)
				*word += random64(&rnd) % 12 - 2;
			n = pvhv_ring_room(&prod);
			check(n <= 8, "room for %u in a ring of 8", n);
			for (; n && random64(&rnd) % 3; n--)
				put(n);
			pvhv_ring_push(&prod);
			if (random64(&rnd) % 2) {
				n = pvhv_ring_items(&cons);
				check(n <= 8, "%u items in a ring of 8", n);
				for (; n && random64(&rnd) % 3; n--)
					pvhv_ring_get(&cons, &value, 8);
				pvhv_ring_pull(&cons);
			}
			pvhv_ring_wait_room(&prod, 1 + random64(&rnd) % 8);
			pvhv_ring_wait_items(&cons);
		}
		check_guards(8, 8);
	}
	puts("ok ring.noise");
}

/* A frozen peer costs nothing: no room, no items, and nothing is broken. */
static void test_frozen(void)
{
	int i;

	fresh(4, 8, 0xffffffff);
	for (i = 0; i < 4; i++)
		put(i);
	pvhv_ring_push(&prod);
	for (i = 0; i < 100; i++)
		check(pvhv_ring_wait_room(&prod, 1) && !pvhv_ring_room(&prod), "room");
	fresh(4, 8, 0xffffffff);
	for (i = 0; i < 100; i++)
		check(pvhv_ring_wait_items(&cons) && !pvhv_ring_items(&cons), "items");
	check(!prod.broken && !cons.broken, "broken by a peer that does nothing");
	puts("ok ring.frozen");
}

static void check_layout(uint32_t pages, uint32_t request, uint32_t response, uint32_t nr)
{
	struct pvhv_ring_layout l = pvhv_ring_layout(pages, request, response);

	check(l.nr == nr, "%u pages of %u + %u: %u slots, not %u", pages, request, response,
	      l.nr, nr);
	if (!nr)
		return;
	check(l.requests >= PVHV_RING_RESPONSE_HEADER + sizeof(struct pvhv_ring_header),
	      "slots in the headers");
	check(l.responses >= l.requests + l.nr * request, "responses in requests");
	check(l.responses + l.nr * response <= pages * 4096, "slots behind the area");
	check((l.requests | l.responses) % 8 == 0, "slots that are not aligned");
	check(2 * nr * (request + response) > pages * 4096 - PVHV_RING_FIRST_SLOT,
	      "twice as many fit");
}

static void test_layout(void)
{
	uint32_t pages, request, response;

	check_layout(1, sizeof(struct pvhv_blk_request), sizeof(struct pvhv_blk_response), 32);
	check_layout(8, sizeof(struct pvhv_blk_request), sizeof(struct pvhv_blk_response), 256);
	check_layout(4, sizeof(union pvhv_net_tx_request), sizeof(struct pvhv_net_tx_response),
		     512);
	check_layout(4, sizeof(struct pvhv_net_rx_request), sizeof(struct pvhv_net_rx_response),
		     256);
	/* nothing fits */
	check_layout(0, 8, 8, 0);
	check_layout(1, 4096, 8, 0);
	check_layout(1, 3840, 8, 0);
	/* exactly one */
	check_layout(1, 3832, 8, 1);
	for (pages = 1; pages <= 64; pages++)
		for (request = 8; request <= 128; request += 8)
			for (response = 8; response <= 128; response += 8) {
				uint32_t nr = pvhv_ring_layout(pages, request, response).nr;

				check(nr && !(nr & (nr - 1)), "%u slots", nr);
				check_layout(pages, request, response, nr);
			}
	puts("ok ring.layout");
}

void test_peers(void)
{
	test_layout();
	test_order();
	test_slots();
	test_events();
	test_wait_room();
	test_wait_items();
	test_hostile();
	test_frozen();
	test_noise();
}
