// SPDX-License-Identifier: GPL-2.0
/*
 * blkring: a frontend that talks to the block backend directly, and breaks its rules.
 *
 * A bad request is answered and does no harm; a bad ring or a bad offer closes the
 * device, which can be opened again.
 *
 * disk: 16M
 */
#include "lib/frontend.h"

#define NR_QUEUES	2
#define DISK_SECTORS	32768UL

static u8 data[8][PAGE_SIZE] __page_aligned;

static struct area queues[NR_QUEUES];

/* Grants: 1 to 8 the data pages, 16 and on the rings */
#define DATA_REF(i)	(1 + (i))

/* What a good frontend offers, in @mine */
static void offer(void)
{
	mine.nr_props = 0;
	prop(PVHV_PROP_NR_QUEUES, 0, NR_QUEUES);
	prop(PVHV_PROP_RING_PAGES, 0, PAGES);
	offer_number();
	for (u32 n = 0; n < NR_QUEUES; n++)
		offer_area(&queues[n], n, sizeof(struct pvhv_blk_request),
			   sizeof(struct pvhv_blk_response));
}

static bool connect(void)
{
	offer();
	if (!connect_offer())
		return false;
	for (u32 i = 0; i < ARRAY_SIZE(data); i++)
		grant(DATA_REF(i), gpa_of(data[i]) >> 12, PVHV_GRANT_PERMIT);
	return true;
}

static bool connect_again(void)
{
	return reopen() && connect();
}

/* It has been closed, with nothing of ours in use, and works again. */
static void check_closed(const char *why)
{
	if (!check(wait_state(PVHV_DEV_CLOSED), "%s does not close the device", why))
		return;
	for (u32 i = 1; i < 32; i++)
		check(!(grants[i].control & (PVHV_GRANT_READING | PVHV_GRANT_WRITING)),
		      "grant %u is still in use after %s", i, why);
	check(connect_again(), "no connection after %s", why);
}

/* ---- requests ---- */

static struct pvhv_blk_request request(u8 op, u64 sector, u32 nr_segs)
{
	struct pvhv_blk_request r = { .op = op, .id = 7, .sector = sector, .nr_segs = nr_segs,
		.nr_sectors = nr_segs * 8 };

	for (u32 i = 0; i < nr_segs && i < PVHV_BLK_SEGS_FIRST; i++)
		r.segs[i] = (struct pvhv_blk_segment) { .ref = DATA_REF(i), .len = PAGE_SIZE };
	return r;
}

static void put(struct area *q, const struct pvhv_blk_request *r)
{
	pvhv_ring_put(&q->requests, r, sizeof(*r));
}

/* Send one and return its status, or -1 */
static int status_of(struct area *q, const struct pvhv_blk_request *r)
{
	struct pvhv_blk_response response;

	put(q, r);
	push(q);
	if (!check(get(q, &response), "no response"))
		return -1;
	check_eq(response.id, r->id, "the id of a response");
	return response.status;
}

static void check_good(void)
{
	struct pvhv_blk_request r = request(PVHV_BLK_READ, 0, 1);

	check_eq(status_of(&queues[0], &r), PVHV_BLK_S_OK, "the status of a good request");
}

#define check_status(r, wanted, what)						\
	check_eq(status_of(&queues[0], &(r)), PVHV_BLK_S_##wanted, "the status of " what)

/* ---- tests ---- */

TEST(open)
{
	if (!find_device(PVHV_CLASS_BLOCK) || !wait_state(PVHV_DEV_INIT_WAIT) || !connect())
		return;
	read_peer();
	check(theirs.nr_props > 8 && theirs.nr_props <= PVHV_MAX_PROPS, "%u properties",
	      theirs.nr_props);
	for (u32 n = 0; n < theirs.nr_props; n++)
		if (theirs.props[n].key == PVHV_BLK_SECTORS)
			check_eq(theirs.props[n].value, DISK_SECTORS, "the size of the disk");
}

TEST(data)
{
	struct pvhv_blk_request r = request(PVHV_BLK_WRITE, 8, 4);

	for (u32 i = 0; i < 4; i++)
		memset(data[i], 'a' + i, PAGE_SIZE);
	check_status(r, OK, "a write");
	memset(data, 0, sizeof(data));
	/* backwards, and in parts of pages */
	r = request(PVHV_BLK_READ, 8, 4);
	for (u32 i = 0; i < 4; i++)
		r.segs[i].ref = DATA_REF(3 - i);
	check_status(r, OK, "a read");
	for (u32 i = 0; i < 4; i++)
		check(data[3 - i][0] == 'a' + i && data[3 - i][4095] == 'a' + i,
		      "wrong data in page %u", i);
	r = request(PVHV_BLK_READ, 15, 2);
	r.nr_sectors = 2;
	r.segs[0].offset = 512;
	r.segs[0].len = 512;
	r.segs[1].len = 512;
	r.segs[1].offset = 3584;
	check_status(r, OK, "a read of parts");
	check(data[0][512] == 'a' && data[1][3584] == 'b', "wrong data in parts");
	check(data[0][1024] == 'd' && data[1][3583] == 'c', "data outside of the segments");
}

TEST(grants_are_free_after_a_response)
{
	check_good();
	for (u32 i = 0; i < ARRAY_SIZE(data); i++)
		check_eq(grants[DATA_REF(i)].control, PVHV_GRANT_PERMIT,
			 "the control word of grant %u", i);
}

TEST(other_operations)
{
	struct pvhv_blk_request r = request(PVHV_BLK_FLUSH, 0, 0);

	check_status(r, OK, "a flush");
	r = request(PVHV_BLK_WRITE_ZEROES, 8, 0);
	r.nr_sectors = 8;
	check_status(r, OK, "write-zeroes");
	r = request(PVHV_BLK_READ, 8, 1);
	check_status(r, OK, "a read of zeroes");
	check(!data[0][0] && !data[0][4095], "they are no zeroes");
	r = request(PVHV_BLK_DISCARD, 0, 0);
	r.nr_sectors = 64;
	check_status(r, OK, "a discard");
	r = request(PVHV_BLK_WRITE, 0, 1);
	r.flags = PVHV_BLK_FUA;
	check_status(r, OK, "a write with FUA");
}

TEST(bad_fields)
{
	struct pvhv_blk_request r;

#define BAD(field, value, wanted)						\
	r = request(PVHV_BLK_READ, 0, 2);					\
	r.field = value;							\
	check_status(r, wanted, "a read with " #field " = " #value)

	BAD(op, 5, NOTSUPP);
	BAD(op, 255, NOTSUPP);
	BAD(flags, PVHV_BLK_FUA, INVALID);
	BAD(flags, 0x80, INVALID);
	BAD(reserved, 1, INVALID);
	BAD(reserved2, 1, INVALID);
	BAD(nr_segs, 0, INVALID);
	BAD(nr_segs, 1, INVALID);
	BAD(nr_segs, 3, INVALID);
	BAD(nr_sectors, 0, INVALID);
	BAD(nr_sectors, 15, INVALID);
	BAD(nr_sectors, 17, INVALID);
	BAD(nr_sectors, ~0UL, INVALID);
	BAD(nr_sectors, 16 | BIT(55), INVALID);		/* the same in bytes, modulo 2^64 */
	BAD(nr_sectors, 16 | BIT(32), INVALID);
	BAD(sector, DISK_SECTORS, IOERR);
	BAD(sector, DISK_SECTORS - 15, IOERR);
	BAD(sector, ~0UL, IOERR);
	BAD(sector, ~0UL - 15, IOERR);
	BAD(sector, BIT(55), IOERR);
	BAD(segs[0].len, 0, INVALID);
	BAD(segs[1].len, 0, INVALID);
	BAD(segs[0].len, 4095, INVALID);
	BAD(segs[0].len, 8192, INVALID);
	BAD(segs[0].len, 0xfe00, INVALID);
	BAD(segs[0].offset, 512, INVALID);
	BAD(segs[0].offset, 1, INVALID);
	BAD(segs[1].offset, 0xfe00, INVALID);

	r = request(PVHV_BLK_FLUSH, 1, 0);
	check_status(r, INVALID, "a flush with a sector");
	r = request(PVHV_BLK_FLUSH, 0, 1);
	check_status(r, INVALID, "a flush with a segment");
	r = request(PVHV_BLK_DISCARD, 0, 1);
	check_status(r, INVALID, "a discard with a segment");
	r = request(PVHV_BLK_DISCARD, 0, 0);
	check_status(r, INVALID, "a discard of nothing");
	r.nr_sectors = ~0UL;
	check_status(r, INVALID, "a discard of everything and more");
	r.nr_sectors = ~0U >> 9;
	check_status(r, IOERR, "a discard of the most that is allowed, and more than there is");
	r.sector = ~0UL;
	r.nr_sectors = 2;
	check_status(r, IOERR, "a discard around the end of numbers");
	check_good();
}

TEST(bad_grants)
{
	struct pvhv_blk_request r;

#define BAD_REF(reference)							\
	r = request(PVHV_BLK_READ, 0, 2);					\
	r.segs[1].ref = reference;						\
	check_status(r, INVALID, "a read into grant " #reference)

	BAD_REF(0);
	BAD_REF(100);		/* not permitted */
	BAD_REF(PVHV_GRANTS_PER_FRAME);
	BAD_REF(PVHV_MAX_GRANTS);
	BAD_REF(~0U);
	grant(100, gpa_of(data[0]) >> 12, PVHV_GRANT_PERMIT | PVHV_GRANT_READONLY);
	BAD_REF(100);
	r = request(PVHV_BLK_WRITE, 0, 1);
	r.segs[0].ref = 100;
	check_status(r, OK, "a write from a read-only grant");
	grant(100, gpa_of(data[0]) >> 12, PVHV_GRANT_PERMIT);
	grants[100].domid = 12345;
	BAD_REF(100);
	grant(100, gpa_of(data[0]) >> 12, PVHV_GRANT_PERMIT | 4);
	BAD_REF(100);
	grant(100, 1UL << 40, PVHV_GRANT_PERMIT);
	BAD_REF(100);
	grant(100, ~0UL, PVHV_GRANT_PERMIT);
	BAD_REF(100);
	grant(100, (ram_end >> 12) + 1000, PVHV_GRANT_PERMIT);
	BAD_REF(100);
	grant(100, 0, 0);
	/* the first segment was mapped and must not be any more */
	check_eq(grants[DATA_REF(0)].control, PVHV_GRANT_PERMIT, "a control word");
	check_good();
}

TEST(one_page_many_times)
{
	struct pvhv_blk_request r = request(PVHV_BLK_READ, 0, 4);

	for (u32 i = 0; i < 4; i++)
		r.segs[i].ref = DATA_REF(0);
	check_status(r, OK, "a read into one page four times");
	check_eq(grants[DATA_REF(0)].control, PVHV_GRANT_PERMIT, "its control word");
}

/* The peer's marks are only for the guest; without them it still cannot get at the page. */
TEST(control_words_overwritten)
{
	struct pvhv_blk_response response;
	struct pvhv_blk_request r = request(PVHV_BLK_WRITE, 0, 4);

	for (u32 n = 0; n < 50; n++) {
		put(&queues[0], &r);
		push(&queues[0]);
		for (u32 i = 0; i < 4; i++)
			WRITE_ONCE(grants[DATA_REF(i)].control, n & 1 ? ~0U : 0);
		if (!check(get(&queues[0], &response), "no response"))
			return;
		for (u32 i = 0; i < 4; i++)
			grant(DATA_REF(i), gpa_of(data[i]) >> 12, PVHV_GRANT_PERMIT);
	}
	check_good();
}

TEST(notifications_without_requests)
{
	for (u32 i = 0; i < 20000; i++)
		hc_event_send(queues[i & 1].port);
	check_good();
}

TEST(responses_not_read)
{
	struct pvhv_blk_request r = request(PVHV_BLK_READ, 0, 1);
	struct area *q = &queues[0];
	struct pvhv_blk_response response;
	u32 nr = queues[0].requests.nr, sent = 0, got = 0;

	/* Twice as many requests as there are places for responses */
	while (sent < 2 * nr && pvhv_ring_room(&q->requests)) {
		r.id = sent++;
		put(q, &r);
		push(q);
		if (sent == nr)
			sleep_ns(300000000);
	}
	check(sent == 2 * nr, "only %u of %u requests were taken", sent, 2 * nr);
	sleep_ns(300000000);
	check_eq(READ_ONCE(q->responses.shared->prod) - q->responses.mine, nr, "responses");
	for (; got < sent && get(q, &response); got++)
		;
	check_eq(got, sent, "responses in the end");
	check_good();
}

TEST(both_queues)
{
	struct pvhv_blk_request r = request(PVHV_BLK_READ, 0, 1);
	struct pvhv_blk_response response;

	for (u32 n = 0; n < 200; n++) {
		r.id = n;
		put(&queues[0], &r);
		put(&queues[1], &r);
		push(&queues[1]);
		push(&queues[0]);
		if (!check(get(&queues[0], &response) && response.id == n, "queue 0") ||
		    !check(get(&queues[1], &response) && response.id == n, "queue 1"))
			return;
	}
}

TEST(too_many_segments)
{
	struct pvhv_blk_request r = request(PVHV_BLK_READ, 0, 1);

	r.nr_segs = PVHV_BLK_MAX_SEGS + 1;
	put(&queues[0], &r);
	push(&queues[0]);
	check_closed("a request with 257 segments");
	check_good();
	r.nr_segs = 0xffff;
	put(&queues[1], &r);
	push(&queues[1]);
	check_closed("a request with 65535 segments");
	check_good();
}

TEST(request_longer_than_the_ring)
{
	struct pvhv_blk_request r = request(PVHV_BLK_READ, 0, 1);

	r.nr_segs = PVHV_BLK_SEGS_FIRST + 1;
	put(&queues[0], &r);
	push(&queues[0]);
	check_closed("a request without its second slot");
	check_good();
}

static void send_index(struct area *q, u32 *index, u32 value, const char *why)
{
	WRITE_ONCE(*index, value);
	hc_event_send(q->port);
	check_closed(why);
	check_good();
}

TEST(ring_indices)
{
	struct area *q = &queues[0];
	struct pvhv_ring_header *requests = (void *)q->area;
	struct pvhv_ring_header *responses = (void *)(q->area + PVHV_RING_RESPONSE_HEADER);
	u32 nr = queues[0].requests.nr;

	/* From the second connection on one request has been sent and answered. */
	check(connect_again(), "no connection");
	check_good();
	send_index(q, &requests->prod, nr + 2, "a ring with one request more than slots");
	send_index(q, &requests->prod, 0x80000000, "a ring with very many requests");
	check_good();
	send_index(q, &requests->prod, 0, "an index that went back");
	/* The backend looks at this one only when it takes a request. */
	put(q, &(struct pvhv_blk_request) { .op = PVHV_BLK_FLUSH });
	q->requests.shared->prod = ++q->requests.published;
	send_index(q, &responses->cons, 2, "a response read that was not there");
	check_good();
	put(q, &(struct pvhv_blk_request) { .op = PVHV_BLK_FLUSH });
	q->requests.shared->prod = ++q->requests.published;
	send_index(q, &responses->cons, 0, "a response index that went back");
}

TEST(indices_that_are_not_ours)
{
	struct pvhv_ring_header *requests = (void *)queues[0].area;

	/* What the backend writes it does not read: no harm. */
	WRITE_ONCE(requests->cons, 0xdeadbeef);
	WRITE_ONCE(requests->item_event, 0xdeadbeef);
	hc_event_send(queues[0].port);
	memset(queues[0].area + PVHV_RING_RESPONSE_HEADER, 0xff, 4);
	hc_event_send(queues[0].port);
	check(connect_again(), "no connection");
	check_good();
}

TEST(data_into_the_ring)
{
	struct pvhv_blk_request r = request(PVHV_BLK_READ, 0, 4);
	struct area *q = &queues[0];

	memset(data, 0xa5, sizeof(data));
	r.op = PVHV_BLK_WRITE;
	check_status(r, OK, "a write");
	/* Its own ring: full of nonsense now */
	r.op = PVHV_BLK_READ;
	for (u32 i = 0; i < 4; i++)
		r.segs[i].ref = RING_REF(0, i % PAGES);
	put(q, &r);
	push(q);
	for (u64 end = now() + TIMEOUT; info()->state == PVHV_DEV_CONNECTED && now() < end;)
		hc_event_send(q->port);
	check_closed("a ring overwritten by the disk");
	check_good();
}

/* Offers that no backend may take. @change is made to a good one. */
static void bad_offer(void (*change)(void), const char *why)
{
	if (!check(reopen(), "not open before %s", why))
		return;
	offer();
	change();
	check_eq(publish(PVHV_DEV_INITIALISED), 0, "publishing %s", why);
	check_closed(why);
}

#define OFFER(name, key, index, value)						\
	static void offer_##name(void) { set_prop(PVHV_PROP_##key, index, value); }
OFFER(no_queues, NR_QUEUES, 0, 0)
OFFER(many_queues, NR_QUEUES, 0, PVHV_MAX_AREAS + 1)
OFFER(queues_mod_2_32, NR_QUEUES, 0, NR_QUEUES | BIT(32))
OFFER(no_pages, RING_PAGES, 0, 0)
OFFER(many_pages, RING_PAGES, 0, PVHV_MAX_RING_PAGES + 1)
OFFER(more_pages, RING_PAGES, 0, PAGES + 1)
OFFER(ref_0, RING_REF, 0, 0)
OFFER(bad_ref, RING_REF, 17, 200)
OFFER(ref_mod_2_32, RING_REF, 0, RING_REF(0, 0) | BIT(32))
OFFER(port_0, PORT, 0, 0)
OFFER(bad_port, PORT, 1, 1000)
OFFER(far_port, PORT, 1, ~0UL)
OFFER(same_port, PORT, 1, queues[0].port)

static void offer_nothing(void)
{
	mine.nr_props = 0;
}

static void offer_readonly_ring(void)
{
	grant(RING_REF(1, 1), gpa_of(queues[1].area + PAGE_SIZE) >> 12,
	      PVHV_GRANT_PERMIT | PVHV_GRANT_READONLY);
}

static void offer_no_memory(void)
{
	grant(RING_REF(1, 1), 1UL << 40, PVHV_GRANT_PERMIT);
}

TEST(bad_offers)
{
#define TRY_OFFER(name) bad_offer(offer_##name, "the offer " #name)
	TRY_OFFER(nothing);
	TRY_OFFER(no_queues);
	TRY_OFFER(many_queues);
	TRY_OFFER(queues_mod_2_32);
	TRY_OFFER(no_pages);
	TRY_OFFER(many_pages);
	TRY_OFFER(more_pages);
	TRY_OFFER(ref_0);
	TRY_OFFER(bad_ref);
	TRY_OFFER(ref_mod_2_32);
	TRY_OFFER(port_0);
	TRY_OFFER(bad_port);
	TRY_OFFER(far_port);
	TRY_OFFER(same_port);
	TRY_OFFER(readonly_ring);
	TRY_OFFER(no_memory);
	check_good();
}

TEST(states_in_any_order)
{
	for (u32 i = 0; i < 300; i++) {
		if (random_below(4))
			offer();
		else
			mine.nr_props = 0;
		publish(1 + random_below(6));
	}
	check(connect_again(), "no connection");
	check_good();
}

/* Requests at random, most of them nearly right, on rings that are sometimes wrong */
TEST(random_requests)
{
	static const u64 odd[] = { 0, 1, 7, 8, 255, 256, 257, 511, 512, 4096, 0xffff, DISK_SECTORS,
		DISK_SECTORS - 8, ~0UL, BIT(31), BIT(32), BIT(55), BIT(63) };
	struct pvhv_blk_response response;
	struct pvhv_blk_request r;
	u32 answered = 0, reconnects = 0;

#define ODD() odd[random_below(ARRAY_SIZE(odd))]
	/* longer where the backend's worker waits for a CPU */
	for (u32 i = 0; i < 3000 || (reconnects < 2 && i < 1000000); i++) {
		struct area *q = &queues[random_below(NR_QUEUES)];

		r = request(random_below(6), random_below(1000) * 8, random_below(5));
		for (u32 n = random_below(3); n; n--) {
			switch (random_below(12)) {
			case 0:
				r.sector = ODD();
				break;
			case 1:
				r.nr_sectors = ODD();
				break;
			case 2:
				r.segs[random_below(4)].len = ODD();
				break;
			case 3:
				r.segs[random_below(4)].offset = ODD();
				break;
			case 4:
				r.segs[random_below(4)].ref = ODD();
				break;
			case 5:
				r.flags = ODD();
				break;
			case 6:
				r.nr_sectors = random_below(32);
				break;
			case 7:
				r.nr_segs = random_below(8);
				break;
			case 8:
				if (!random_below(20))
					r.nr_segs = ODD();
				break;
			case 9:
				if (!random_below(20))
					q->requests.shared->prod = ODD();
				break;
			case 10:
				if (!random_below(20))
					q->responses.shared->cons = ODD();
				break;
			case 11:
				r.id = ODD();
				break;
			}
		}
		if (pvhv_ring_room(&q->requests)) {
			put(q, &r);
			push(q);
		}
		while (pvhv_ring_items(&q->responses)) {
			pvhv_ring_get(&q->responses, &response, sizeof(response));
			pvhv_ring_pull(&q->responses);
			answered++;
		}
		if (info()->state != PVHV_DEV_CONNECTED || q->requests.broken ||
		    q->responses.broken) {
			reconnects++;
			if (!connect_again())
				return;
		}
	}
	printf("# %u answered, %u times connected again\n", answered, reconnects);
	check(answered > 100 && reconnects > 1, "%u answered, %u times connected again", answered,
	      reconnects);
	check(connect_again(), "no connection");
	check_good();
}

/* The domain ends with all of this under way. */
TEST(end_with_requests_in_flight)
{
	struct pvhv_blk_request r = request(PVHV_BLK_WRITE, 0, 4);

	for (u32 n = 0; n < NR_QUEUES; n++)
		for (r.id = 0; r.id < 16 && pvhv_ring_room(&queues[n].requests); r.id++)
			put(&queues[n], &r);
	push(&queues[0]);
	push(&queues[1]);
}
