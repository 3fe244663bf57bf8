// SPDX-License-Identifier: GPL-2.0
/*
 * Two threads and one ring, or an area with a ring of requests and one of
 * responses: order, contents, and that nobody sleeps for ever.
 *
 * A thread sleeps by watching a counter that the other side's notifications
 * increase ("spin"), which makes the moments that matter frequent, or in an eventfd
 * as real drivers do. The counter is relaxed: only the ring may order anything.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "atomic.h"
#include "test.h"

#define MAX_SLOT_WORDS	16
#define MAX_IDS		256
#define MAX_REQ_SLOTS	4
#define SPINS		2000	/* before the other thread is given the CPU */

unsigned long race_items = 2000000;
unsigned int race_watchdog = 60;
const char *race_only = "";

static struct race_case {
	const char *name;
	uint32_t nr;		/* slots; of an area: pages */
	uint32_t words;		/* 8 bytes each: of a slot */
	uint32_t start;		/* of the indices */
	bool eventfd;
	unsigned int ids;	/* area: requests in flight at most */
	unsigned int part;	/* 1 / part of race_items: what sleeps often is slow */
} cases[] = {
	{ .name = "1-slot", .nr = 1, .words = 1, .start = 0xffffff00, .part = 40 },
	{ .name = "2-slots", .nr = 2, .words = 8, .start = 0xffffff00, .part = 20 },
	{ .name = "4-slots", .nr = 4, .words = 2, .start = 0, .part = 10 },
	{ .name = "32-slots", .nr = 32, .words = 8, .start = 0xfffffff0, .part = 1 },
	{ .name = "256-slots", .nr = 256, .words = 3, .start = 0xffff0000, .part = 1 },
	{ .name = "1-slot-eventfd", .nr = 1, .words = 8, .start = ~0U, .eventfd = true,
	  .part = 400 },
	{ .name = "32-slots-eventfd", .nr = 32, .words = 8, .start = ~0U, .eventfd = true,
	  .part = 20 },
	{ .name = "area", .nr = 1, .words = 8, .start = 0, .ids = 32, .part = 10 },
	{ .name = "area-small", .nr = 1, .words = 256, .start = 0, .ids = 4, .part = 200 },
	{ .name = "area-crowded", .nr = 1, .words = 8, .start = 0, .ids = 256, .part = 10 },
	{ .name = "area-eventfd", .nr = 2, .words = 8, .start = 0, .ids = 256, .eventfd = true,
	  .part = 50 },
};

static const struct race_case *now;
static unsigned long total;

/* ---- notifications ---- */

struct channel {
	uint64_t count __attribute__((aligned(64)));
	uint64_t seen __attribute__((aligned(64)));	/* the sleeper's */
	unsigned long sleeps;
	int fd;
};

/* to whom */
static struct channel to_consumer, to_producer;

static void channel_init(struct channel *c)
{
	*c = (struct channel) { .fd = now->eventfd ? eventfd(0, EFD_NONBLOCK) : -1 };
}

static void channel_notify(struct channel *c)
{
	uint64_t one = 1;

	if (c->fd < 0)
		__atomic_fetch_add(&c->count, 1, __ATOMIC_RELAXED);
	else if (write(c->fd, &one, sizeof(one)) != sizeof(one))
		fail("eventfd: cannot write");
}

static uint64_t seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static bool spin(struct channel *c)
{
	uint64_t count, end = seconds() + race_watchdog;
	unsigned int spins = 0;

	while ((count = __atomic_load_n(&c->count, __ATOMIC_RELAXED)) == c->seen) {
		__builtin_ia32_pause();
		if (++spins % SPINS)
			continue;
		sched_yield();
		if (seconds() > end)
			return false;
	}
	c->seen = count;
	return true;
}

static bool sleep_in_eventfd(struct channel *c)
{
	struct pollfd pfd = { .fd = c->fd, .events = POLLIN };
	uint64_t count;

	return poll(&pfd, 1, race_watchdog * 1000) == 1 &&
		read(c->fd, &count, sizeof(count)) == sizeof(count);
}

static void channel_sleep(struct channel *c, const char *who, const struct pvhv_ring *r)
{
	struct pvhv_ring_header *h = r->shared;

	c->sleeps++;
	if (c->fd < 0 ? spin(c) : sleep_in_eventfd(c))
		return;
	fail("%s: the %s was never woken: prod %#x cons %#x item_event %#x room_event %#x",
	     now->name, who, READ_ONCE(h->prod), READ_ONCE(h->cons), READ_ONCE(h->item_event),
	     READ_ONCE(h->room_event));
}

/* ---- one ring ---- */

static uint8_t memory[16 * 4096] __attribute__((aligned(4096)));

static struct pvhv_ring new_view(void)
{
	struct pvhv_ring r;

	pvhv_ring_init(&r, memory, memory + PVHV_RING_FIRST_SLOT, now->nr, now->words * 8);
	r.mine = now->start;
	r.published = now->start;
	r.theirs = now->start;
	return r;
}

static uint64_t pattern(uint64_t i, unsigned int word)
{
	return (i + 1) * 0x9e3779b97f4a7c15ULL + word * 0x100000001b3ULL;
}

static void *producer(void *arg)
{
	struct pvhv_ring r = new_view();
	uint64_t rnd = 3, item[MAX_SLOT_WORDS];
	unsigned long sent = 0;
	uint32_t n, want;
	unsigned int w;

	while (sent < total) {
		want = 1 + random64(&rnd) % r.nr;
		while (pvhv_ring_room(&r) < want) {
			check(!r.broken, "%s: broken for the producer", now->name);
			if (pvhv_ring_wait_room(&r, want))
				channel_sleep(&to_producer, "producer", &r);
		}
		n = 1 + random64(&rnd) % pvhv_ring_room(&r);
		for (; n && sent < total; n--, sent++) {
			for (w = 0; w < now->words; w++)
				item[w] = pattern(sent, w);
			pvhv_ring_put(&r, item, now->words * 8);
		}
		if (pvhv_ring_push(&r))
			channel_notify(&to_consumer);
	}
	return arg;
}

static void *consumer(void *arg)
{
	struct pvhv_ring r = new_view();
	uint64_t rnd = 5, item[MAX_SLOT_WORDS];
	unsigned long got = 0;
	unsigned int w;
	uint32_t n;

	while (got < total) {
		n = pvhv_ring_items(&r);
		check(!r.broken, "%s: broken for the consumer", now->name);
		if (!n) {
			if (pvhv_ring_pull(&r))
				channel_notify(&to_producer);
			if (pvhv_ring_wait_items(&r))
				channel_sleep(&to_consumer, "consumer", &r);
			continue;
		}
		for (n = 1 + random64(&rnd) % n; n; n--, got++) {
			pvhv_ring_get(&r, item, now->words * 8);
			for (w = 0; w < now->words; w++)
				check(item[w] == pattern(got, w),
				      "%s: item %lu, word %u is wrong", now->name, got, w);
		}
		/* not always at once */
		if (random64(&rnd) % 2 && pvhv_ring_pull(&r))
			channel_notify(&to_producer);
	}
	return arg;
}

/* ---- an area ---- */

struct message {
	uint64_t id;
	uint64_t nr_slots;
	uint64_t serial;	/* of the request */
	uint64_t slot;
};

struct answer {
	uint64_t id;
	uint64_t serial;
};

static void new_area_views(struct pvhv_ring *requests, struct pvhv_ring *responses)
{
	struct pvhv_ring_layout l = pvhv_ring_layout(now->nr, now->words * 8,
						     sizeof(struct answer));

	pvhv_ring_init(requests, memory + PVHV_RING_REQUEST_HEADER, memory + l.requests, l.nr,
		       now->words * 8);
	pvhv_ring_init(responses, memory + PVHV_RING_RESPONSE_HEADER, memory + l.responses, l.nr,
		       sizeof(struct answer));
}

/* Slots of a request: a random number that both sides can tell from its serial */
static unsigned int slots_of(uint64_t serial, uint32_t nr)
{
	unsigned int n = 1 + pattern(serial, 0) / 7 % MAX_REQ_SLOTS;

	return n < nr ? n : nr;
}

static void *frontend(void *arg)
{
	struct pvhv_ring requests, responses;
	uint64_t in_flight[MAX_IDS] = { 0 };	/* serial + 1 */
	unsigned int free_id[MAX_IDS], nr_free, slots, s;
	unsigned long sent = 0, got = 0;
	bool blocked;

	new_area_views(&requests, &responses);
	for (nr_free = 0; nr_free < now->ids; nr_free++)
		free_id[nr_free] = nr_free;
	while (got < total) {
		while (pvhv_ring_items(&responses)) {
			struct answer a;

			pvhv_ring_get(&responses, &a, sizeof(a));
			check(a.id < now->ids && in_flight[a.id],
			      "%s: a response to nothing", now->name);
			check(in_flight[a.id] == a.serial + 1, "%s: a response to another request",
			      now->name);
			in_flight[a.id] = 0;
			free_id[nr_free++] = a.id;
			got++;
		}
		if (pvhv_ring_pull(&responses))
			channel_notify(&to_consumer);
		blocked = false;
		while (sent < total && nr_free) {
			struct message m = { .serial = sent };

			slots = slots_of(sent, requests.nr);
			if (pvhv_ring_room(&requests) < slots) {
				blocked = true;
				break;
			}
			m.id = free_id[--nr_free];
			m.nr_slots = slots;
			in_flight[m.id] = ++sent;
			for (s = 0; s < slots; s++) {
				m.slot = s;
				pvhv_ring_put(&requests, &m, sizeof(m));
			}
		}
		if (pvhv_ring_push(&requests))
			channel_notify(&to_consumer);
		check(!requests.broken && !responses.broken, "%s: broken for the frontend",
		      now->name);
		if (got == total)
			break;
		/* both are armed before it sleeps: there is one notification for all */
		if (pvhv_ring_wait_items(&responses) &&
		    (!blocked || pvhv_ring_wait_room(&requests, slots)))
			channel_sleep(&to_producer, "frontend", blocked ? &requests : &responses);
	}
	return arg;
}

static void *backend(void *arg)
{
	struct pvhv_ring requests, responses;
	struct answer pending[MAX_IDS];
	unsigned int nr_pending = 0, s;
	unsigned long got = 0, answered = 0;
	uint64_t rnd = 11;
	bool blocked;

	new_area_views(&requests, &responses);
	while (answered < total) {
		while (pvhv_ring_items(&requests)) {
			struct message m, more;

			pvhv_ring_peek(&requests, 0, &m, sizeof(m));
			check(m.serial == got && m.nr_slots == slots_of(got, requests.nr),
			      "%s: request %lu is wrong", now->name, got);
			check(m.nr_slots <= pvhv_ring_items(&requests),
			      "%s: a part of request %lu", now->name, got);
			for (s = 0; s < m.nr_slots; s++) {
				pvhv_ring_get(&requests, &more, sizeof(more));
				check(more.serial == got && more.slot == s && more.id == m.id,
				      "%s: slot %u of request %lu is wrong", now->name, s, got);
			}
			check(nr_pending < MAX_IDS, "%s: too many requests", now->name);
			pending[nr_pending++] = (struct answer) { .id = m.id, .serial = got++ };
			if (random64(&rnd) % 8 == 0)
				break;
		}
		if (pvhv_ring_pull(&requests))
			channel_notify(&to_producer);
		blocked = false;
		while (nr_pending) {
			s = random64(&rnd) % nr_pending;
			if (!pvhv_ring_room(&responses)) {
				blocked = true;
				break;
			}
			pvhv_ring_put(&responses, &pending[s], sizeof(*pending));
			pending[s] = pending[--nr_pending];
			answered++;
		}
		if (pvhv_ring_push(&responses))
			channel_notify(&to_producer);
		check(!requests.broken && !responses.broken, "%s: broken for the backend",
		      now->name);
		if (answered == total)
			break;
		if (pvhv_ring_wait_items(&requests) &&
		    (!blocked || pvhv_ring_wait_room(&responses, 1)))
			channel_sleep(&to_consumer, "backend", blocked ? &responses : &requests);
	}
	return arg;
}

static void run(const struct race_case *c)
{
	struct pvhv_ring_header *h = (void *)memory;
	pthread_t a, b;

	now = c;
	total = race_items / c->part;
	memset(memory, 0, sizeof(memory));
	h->prod = c->start;
	h->cons = c->start;
	h->item_event = c->start;
	h->room_event = c->start;
	channel_init(&to_consumer);
	channel_init(&to_producer);
	if (pthread_create(&a, NULL, c->ids ? frontend : producer, NULL) ||
	    pthread_create(&b, NULL, c->ids ? backend : consumer, NULL))
		fail("no threads");
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	if (c->eventfd) {
		close(to_consumer.fd);
		close(to_producer.fd);
	}
	/* a case in which nobody sleeps proves nothing about waking up */
	check(to_consumer.sleeps + to_producer.sleeps, "%s: nobody ever slept", c->name);
	printf("ok ring.race-%s # %lu items, sleeps %lu + %lu\n", c->name, total,
	       to_producer.sleeps, to_consumer.sleeps);
}

void test_race(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (strstr(cases[i].name, race_only))
			run(&cases[i]);
}
