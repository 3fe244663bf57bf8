// SPDX-License-Identifier: GPL-2.0
/*
 * netring: a frontend that talks to the network backend directly, and breaks its rules.
 *
 * A bad packet is answered and goes nowhere; a bad ring or a bad offer closes the
 * device, which can be opened again. With test=drip on the command line it takes next
 * to nothing.
 *
 * options: --net queues=2
 */
#include "lib/frontend.h"
#include <pvhv/netif.h>

#define NR_AREAS	4		/* two queue pairs: transmit, receive */
#define NR_BUFFERS	32
#define FRAME		64		/* bytes of a good one */
/* Buffers of the largest packet: as long as there are fewer the host sends nothing. */
#define LARGEST		((PVHV_NET_MAX_LEN + PAGE_SIZE - 1) / PAGE_SIZE)

static u8 data[4][PAGE_SIZE] __page_aligned;
static u8 buffers[NR_BUFFERS][PAGE_SIZE] __page_aligned;

static struct area areas[NR_AREAS];

#define TX	(&areas[0])
#define RX	(&areas[1])

/* Grants: 1 to 4 the data pages, 16 and on the rings, 64 and on the buffers */
#define DATA_REF(i)	(1 + (i))
#define BUFFER_REF(i)	(64 + (i))

/* What a good frontend offers, in @mine */
static void offer(void)
{
	mine.nr_props = 0;
	prop(PVHV_PROP_NR_QUEUES, 0, NR_AREAS / 2);
	prop(PVHV_PROP_RING_PAGES, 0, PAGES);
	offer_number();
	prop(PVHV_NET_FEATURES, 0, PVHV_NET_F_CSUM | PVHV_NET_F_TSO4 | PVHV_NET_F_TSO6);
	for (u32 n = 0; n < NR_AREAS; n += 2) {
		offer_area(&areas[n], n, sizeof(union pvhv_net_tx_request),
			   sizeof(struct pvhv_net_tx_response));
		offer_area(&areas[n + 1], n + 1, sizeof(struct pvhv_net_rx_request),
			   sizeof(struct pvhv_net_rx_response));
	}
}

static bool connect(void)
{
	offer();
	if (!connect_offer())
		return false;
	for (u32 i = 0; i < ARRAY_SIZE(data); i++)
		grant(DATA_REF(i), gpa_of(data[i]) >> 12,
		      PVHV_GRANT_PERMIT | PVHV_GRANT_READONLY);
	for (u32 i = 0; i < NR_BUFFERS; i++)
		grant(BUFFER_REF(i), gpa_of(buffers[i]) >> 12, PVHV_GRANT_PERMIT);
	return true;
}

static bool connect_again(void)
{
	return reopen() && connect();
}

/*
 * It closes, with nothing of ours in use, and works again. A backend that has been
 * sent nonsense asks us to close, with CLOSING.
 */
static void check_closed(const char *why)
{
	u64 end = now() + TIMEOUT;

	while (info()->state == PVHV_DEV_CONNECTED && now() < end)
		hc_yield();
	check(info()->state != PVHV_DEV_CONNECTED, "%s does not close the device", why);
	mine.nr_props = 0;
	publish(PVHV_DEV_CLOSED);
	if (!wait_state(PVHV_DEV_CLOSED))
		return;
	for (u32 i = 1; i < 128; i++)
		check(!(grants[i].control & (PVHV_GRANT_READING | PVHV_GRANT_WRITING)),
		      "grant %u is still in use after %s", i, why);
	check(connect_again(), "no connection after %s", why);
}

/* ---- packets ---- */

static struct pvhv_net_packet packet(u32 nr_frags)
{
	return (struct pvhv_net_packet) { .id = 7, .nr_frags = nr_frags };
}

static struct pvhv_net_frag frags[26];

/* A frame of one fragment of an ethertype that nobody wants */
static void good_frame(void)
{
	memset(frags, 0, sizeof(frags));
	memset(data, 0, sizeof(data));
	memset(data[0], 0xff, 6);
	data[0][6] = 2;
	data[0][12] = 0x88;
	data[0][13] = 0xb5;
	frags[0] = (struct pvhv_net_frag) { .ref = DATA_REF(0), .len = FRAME };
}

static void put(struct area *a, const struct pvhv_net_packet *p)
{
	union pvhv_net_tx_request r = { .packet = *p };

	pvhv_ring_put(&a->requests, &r, sizeof(r));
	for (u32 i = 0; i < p->nr_frags && i < ARRAY_SIZE(frags); i += 2)
		pvhv_ring_put(&a->requests, &frags[i], sizeof(r));
}

static int status_of(struct area *a, const struct pvhv_net_packet *p)
{
	struct pvhv_net_tx_response response;

	put(a, p);
	push(a);
	if (!check(get(a, &response), "no response"))
		return -1;
	check_eq(response.id, p->id, "the id of a response");
	return response.status;
}

static void check_good(void)
{
	struct pvhv_net_packet p = packet(1);

	good_frame();
	check_eq(status_of(TX, &p), PVHV_NET_S_OK, "the status of a good packet");
	check_eq(status_of(&areas[2], &p), PVHV_NET_S_OK, "the status in the second queue");
}

#define check_status(p, wanted, what)						\
	check_eq(status_of(TX, &(p)), PVHV_NET_S_##wanted, "the status of " what)

/* ---- tests ---- */

TEST(open)
{
	bool mac = false;

	if (!find_device(PVHV_CLASS_NET) || !wait_state(PVHV_DEV_INIT_WAIT) || !connect())
		return;
	read_peer();
	for (u32 n = 0; n < theirs.nr_props; n++) {
		mac |= theirs.props[n].key == PVHV_NET_MAC && theirs.props[n].value;
		if (theirs.props[n].key == PVHV_NET_MTU)
			check_eq(theirs.props[n].value, 1500, "the MTU");
	}
	check(mac, "no MAC address");
}

TEST(good_packets)
{
	struct pvhv_net_packet p = packet(3);

	check_good();
	check_eq(grants[DATA_REF(0)].control, PVHV_GRANT_PERMIT | PVHV_GRANT_READONLY,
		 "the control word of a grant");
	good_frame();
	frags[1] = (struct pvhv_net_frag) { .ref = DATA_REF(1), .offset = 4095, .len = 1 };
	frags[2] = (struct pvhv_net_frag) { .ref = DATA_REF(2), .len = 4096 };
	check_status(p, OK, "a packet of three fragments");
	p.nr_frags = PVHV_NET_MAX_FRAGS;
	for (u32 i = 0; i < PVHV_NET_MAX_FRAGS; i++)
		frags[i] = (struct pvhv_net_frag) { .ref = DATA_REF(0), .len = 100 };
	check_status(p, OK, "a packet of one page 24 times");
	/* What does not fit into the fragments of an skb is too much for its head: copied */
	for (u32 i = 0; i < PVHV_NET_MAX_FRAGS; i++)
		frags[i].len = i < 7 ? 4096 : 2000;
	for (u32 i = 0; i < 100; i++)
		check_status(p, OK, "a packet of 61 KiB that is copied");
	check_good();
}

/* The host sends by itself: neighbour discovery, when the interface has its carrier */
TEST(receive)
{
	struct pvhv_net_rx_response response;
	struct pvhv_net_rx_request request;

	for (u32 i = 0; i < NR_BUFFERS; i++) {
		request = (struct pvhv_net_rx_request) { .ref = BUFFER_REF(i), .id = 100 + i };
		pvhv_ring_put(&RX->requests, &request, sizeof(request));
		pvhv_ring_put(&areas[3].requests, &request, sizeof(request));
	}
	push(RX);
	push(&areas[3]);
	for (u64 end = now() + TIMEOUT; now() < end;) {
		struct area *a = pvhv_ring_items(&RX->responses) ? RX : &areas[3];

		if (!pvhv_ring_items(&a->responses)) {
			hc_yield();
			continue;
		}
		check(get(a, &response), "no response");
		check_eq(response.status, PVHV_NET_S_OK, "the status of a buffer");
		check(response.id >= 100 && response.id < 100 + NR_BUFFERS, "the id %u",
		      response.id);
		check_eq(response.packet.nr_frags, 1, "buffers");
		check(response.len >= 14 && response.len <= 1514, "%u bytes", response.len);
		return;
	}
	fail("nothing came");
}

/* Buffers that the host is not told of: what waits for them comes when it looks by itself. */
TEST(buffers_without_an_event)
{
	struct pvhv_net_rx_response response;
	struct pvhv_net_rx_request request;

	check(connect_again(), "no connection");
	sleep_ns(2000000000);
	for (u32 n = 1; n < NR_AREAS; n += 2) {
		for (u32 i = 0; i < NR_BUFFERS; i++) {
			request = (struct pvhv_net_rx_request) { .ref = BUFFER_REF(i), .id = i };
			pvhv_ring_put(&areas[n].requests, &request, sizeof(request));
		}
		pvhv_ring_push(&areas[n].requests);
	}
	for (u64 end = now() + TIMEOUT; now() < end; hc_yield()) {
		struct area *a = pvhv_ring_items(&RX->responses) ? RX : &areas[3];

		if (!pvhv_ring_items(&a->responses))
			continue;
		check(get(a, &response), "no response");
		check_eq(response.status, PVHV_NET_S_OK, "the status of a buffer");
		check_good();
		return;
	}
	fail("nothing came");
}

static void give(struct area *a, u32 nr)
{
	struct pvhv_net_rx_request request;

	for (u32 i = 0; i < nr; i++) {
		request = (struct pvhv_net_rx_request) { .ref = BUFFER_REF(i), .id = i };
		pvhv_ring_put(&a->requests, &request, sizeof(request));
	}
	push(a);
}

/* Room for one packet a second, less than any stall_timeout: net-changes looks what comes of it. */
TEST(drip)
{
	if (!cmdline_value("test"))
		return;
	if (!find_device(PVHV_CLASS_NET) || !wait_state(PVHV_DEV_INIT_WAIT) || !connect())
		return;
	for (u32 n = 1; n < NR_AREAS; n += 2)
		give(&areas[n], LARGEST - 1);
	printf("# drips\n");
	for (u64 end = now() + 60000000000UL; now() < end; sleep_ns(1000000000))
		for (u32 n = 1; n < NR_AREAS; n += 2)
			give(&areas[n], 1);
}

/*
 * Of a large packet only the head is copied, the rest stays in the guest's pages; a
 * checksum that begins behind all of it makes the host pull all of it out of there.
 */
TEST(checksums_that_pull)
{
	static const u16 starts[] = { 4095, 4096, 4097, 2048, 0xffff };
	struct pvhv_net_packet p;

	for (u32 i = 0; i < 100; i++) {
		p = packet(1);
		good_frame();
		frags[0].len = PAGE_SIZE;
		p.hdr_flags = PVHV_NET_NEEDS_CSUM;
		p.csum_start = starts[i % ARRAY_SIZE(starts)];
		p.csum_offset = p.csum_start == 2048 ? 2047 : 0;
		check_status(p, INVALID, "a large packet with a checksum at its end");
	}
	check_good();
}

TEST(bad_fields)
{
	struct pvhv_net_packet p;

#define BAD(field, value)							\
	p = packet(1);								\
	good_frame();								\
	field = value;								\
	check_status(p, INVALID, "a packet with " #field " = " #value)

	BAD(p.hdr_flags, 4);
	BAD(p.hdr_flags, 0x80);
	BAD(p.reserved, 1);
	BAD(p.gso_type, 2);
	BAD(p.gso_type, 3);
	BAD(p.gso_type, 5);
	BAD(p.gso_type, PVHV_NET_GSO_ECN);
	BAD(p.gso_type, PVHV_NET_GSO_TCPV4);	/* without a checksum to fill in */
	BAD(p.gso_type, 0xff);
	BAD(frags[0].len, 0);
	BAD(frags[0].len, 13);
	BAD(frags[0].len, 4097);
	BAD(frags[0].len, 0xffff);
	BAD(frags[0].offset, 4096);
	BAD(frags[0].offset, 4096 - FRAME + 1);
	BAD(frags[0].offset, 0xffff);
	BAD(frags[1].ref, DATA_REF(1));
	BAD(frags[1].len, 1);
	BAD(frags[1].offset, 1);

	/* checksums that lie outside */
#define BAD_CSUM(start, offset)							\
	p = packet(1);								\
	good_frame();								\
	p.hdr_flags = PVHV_NET_NEEDS_CSUM;					\
	p.csum_start = start;							\
	p.csum_offset = offset;							\
	check_status(p, INVALID, "a checksum from " #start " at " #offset)

	BAD_CSUM(0, 16);
	BAD_CSUM(13, 16);
	BAD_CSUM(14, 49);
	BAD_CSUM(FRAME, 0);
	BAD_CSUM(FRAME - 1, 0);
	BAD_CSUM(0xffff, 0xffff);
	BAD_CSUM(14, 0xffff);

	/* ... or begin in a VLAN tag, which is taken off */
#define BAD_CSUM_VLAN(start)							\
	p = packet(1);								\
	good_frame();								\
	data[0][12] = 0x81;							\
	data[0][13] = 0;							\
	data[0][16] = 0x81;							\
	data[0][17] = 0;							\
	p.hdr_flags = PVHV_NET_NEEDS_CSUM;					\
	p.csum_start = start;							\
	check_status(p, INVALID, "a checksum from " #start ", with two tags")

	BAD_CSUM_VLAN(14);
	BAD_CSUM_VLAN(18);
	BAD_CSUM_VLAN(21);

	/* segments */
#define BAD_GSO(type, size, start, proto)					\
	p = packet(1);								\
	good_frame();								\
	data[0][12] = (proto) >> 8;						\
	data[0][13] = (proto) & 0xff;						\
	p.hdr_flags = PVHV_NET_NEEDS_CSUM;					\
	p.gso_type = type;							\
	p.gso_size = size;							\
	p.csum_start = start;							\
	p.csum_offset = 16;							\
	check_status(p, INVALID, "GSO " #type " " #size " " #start " " #proto)

	BAD_GSO(PVHV_NET_GSO_TCPV4, 0, 34, 0x800);
	BAD_GSO(PVHV_NET_GSO_TCPV4, 0xffff, 34, 0x800);
	BAD_GSO(PVHV_NET_GSO_TCPV4, 100, 34, 0x86dd);
	BAD_GSO(PVHV_NET_GSO_TCPV6, 100, 34, 0x800);
	BAD_GSO(PVHV_NET_GSO_TCPV4, 100, FRAME - 19, 0x800);
	BAD_GSO(PVHV_NET_GSO_TCPV4, 100, 34, 0x8100);

	/* more than any packet may have */
	p = packet(PVHV_NET_MAX_FRAGS);
	good_frame();
	for (u32 i = 0; i < PVHV_NET_MAX_FRAGS; i++)
		frags[i] = (struct pvhv_net_frag) { .ref = DATA_REF(0), .len = 4096 };
	check_status(p, INVALID, "a packet of 96 KiB");
	check_good();
}

/* Segments that are no segments: dropped somewhere in the stack, and nothing else */
TEST(odd_segments)
{
	struct pvhv_net_packet p = packet(3);

	for (u32 i = 0; i < 200; i++) {
		good_frame();
		data[0][12] = 8;
		data[0][13] = 0;
		for (u32 n = 14; n < 80; n++)
			data[0][n] = random_below(256);
		data[0][14] = 0x40 | random_below(16);
		data[0][23] = 6;
		p.hdr_flags = PVHV_NET_NEEDS_CSUM;
		p.gso_type = PVHV_NET_GSO_TCPV4 | (random_below(2) ? PVHV_NET_GSO_ECN : 0);
		p.gso_size = 1 + random_below(3000);
		p.hdr_len = random_below(0x10000);
		p.csum_start = 14 + random_below(80);
		p.csum_offset = 16;
		frags[0].len = 100;
		frags[1] = (struct pvhv_net_frag) { .ref = DATA_REF(1), .len = 4096 };
		frags[2] = (struct pvhv_net_frag) { .ref = DATA_REF(2), .len = 4096 };
		if (status_of(TX, &p) < 0)
			return;
	}
	check_good();
}

TEST(bad_grants)
{
	struct pvhv_net_packet p = packet(2);

#define BAD_REF(reference)							\
	good_frame();								\
	frags[1] = (struct pvhv_net_frag) { .ref = reference, .len = 100 };	\
	check_status(p, INVALID, "a packet in grant " #reference)

	BAD_REF(0);
	BAD_REF(200);		/* not permitted */
	BAD_REF(PVHV_GRANTS_PER_FRAME);
	BAD_REF(PVHV_MAX_GRANTS);
	BAD_REF(~0U);
	grant(200, gpa_of(data[0]) >> 12, PVHV_GRANT_PERMIT);
	grants[200].domid = 12345;
	BAD_REF(200);
	grant(200, 1UL << 40, PVHV_GRANT_PERMIT);
	BAD_REF(200);
	grant(200, (ram_end >> 12) + 1000, PVHV_GRANT_PERMIT);
	BAD_REF(200);
	grant(200, 0, 0);
	/* the first fragment was mapped and must not be any more */
	check_eq(grants[DATA_REF(0)].control, PVHV_GRANT_PERMIT | PVHV_GRANT_READONLY,
		 "a control word");
	check_good();
}

/* Buffers that cannot be written: the packet is lost, the buffers come back. */
TEST(bad_buffers)
{
	static const u32 refs[] = { 0, 200, DATA_REF(0), ~0U, PVHV_MAX_GRANTS };
	struct pvhv_net_rx_response response;
	struct pvhv_net_rx_request request;
	u32 came = 0;

	check(connect_again(), "no connection");
	for (u32 i = 0; i < 40; i++) {
		request = (struct pvhv_net_rx_request) {
			.ref = refs[i % ARRAY_SIZE(refs)], .id = 100 + i,
		};
		pvhv_ring_put(&RX->requests, &request, sizeof(request));
		pvhv_ring_put(&areas[3].requests, &request, sizeof(request));
	}
	push(RX);
	push(&areas[3]);
	for (u64 end = now() + 10000000000UL; now() < end && came < 2;) {
		struct area *a = pvhv_ring_items(&RX->responses) ? RX : &areas[3];

		if (!pvhv_ring_items(&a->responses)) {
			hc_yield();
			continue;
		}
		check(get(a, &response), "no response");
		check_eq(response.status, PVHV_NET_S_INVALID, "the status of a bad buffer");
		came++;
	}
	check(came, "nothing came");
	check_good();
}

TEST(notifications_without_packets)
{
	for (u32 i = 0; i < 20000; i++)
		hc_event_send(areas[i % NR_AREAS].port);
	check_good();
}

static void close_by_packet(u32 nr_frags, u32 id, const char *why)
{
	struct pvhv_net_packet p = packet(nr_frags);

	good_frame();
	p.id = id;
	put(TX, &p);
	push(TX);
	check_closed(why);
	check_good();
}

TEST(packets_that_end_a_ring)
{
	union pvhv_net_tx_request r = { .packet = packet(PVHV_NET_MAX_FRAGS) };

	close_by_packet(0, 7, "a packet without fragments");
	close_by_packet(PVHV_NET_MAX_FRAGS + 1, 7, "a packet of 25 fragments");
	close_by_packet(0xffff, 7, "a packet of 65535 fragments");
	close_by_packet(1, PVHV_NET_MAX_IDS, "an id that is too large");
	pvhv_ring_put(&TX->requests, &r, sizeof(r));
	push(TX);
	check_closed("a packet without its other slots");
	check_good();
}

TEST(responses_not_read)
{
	struct pvhv_net_packet p = packet(1);

	/* More packets than places for responses, of which none is read */
	good_frame();
	for (u32 n = 0; n < 3 * TX->responses.nr; n++) {
		if (pvhv_ring_room(&TX->requests) < 2)
			break;
		put(TX, &p);
		push(TX);
	}
	check_closed("a ring whose responses are not read");
	check_good();
}

static void send_index(struct area *a, u32 *index, u32 value, const char *why)
{
	WRITE_ONCE(*index, value);
	hc_event_send(a->port);
	check_closed(why);
	check_good();
}

TEST(ring_indices)
{
	struct pvhv_ring_header *requests = (void *)TX->area;
	struct pvhv_ring_header *buffer_requests = (void *)RX->area;
	u32 nr = TX->requests.nr;

	/* From the second connection on two slots have been sent. */
	check(connect_again(), "no connection");
	check_good();
	send_index(TX, &requests->prod, nr + 3, "a ring with one slot more than there are");
	send_index(TX, &requests->prod, 0x80000000, "a ring with very many packets");
	send_index(TX, &requests->prod, 0, "an index that went back");
	send_index(RX, &buffer_requests->prod, RX->requests.nr + 1, "too many buffers");
	send_index(RX, &buffer_requests->prod, 0x80000001, "very many buffers");
}

TEST(indices_that_are_not_ours)
{
	struct pvhv_ring_header *requests = (void *)TX->area;

	/* What the backend writes it does not read: no harm. */
	WRITE_ONCE(requests->cons, 0xdeadbeef);
	WRITE_ONCE(requests->item_event, 0xdeadbeef);
	hc_event_send(TX->port);
	memset(RX->area + PVHV_RING_RESPONSE_HEADER, 0xff, 4);
	hc_event_send(RX->port);
	check(connect_again(), "no connection");
	check_good();
}

/* Offers that no backend may take. @change is made to a good one. */
static void bad_offer(void (*change)(void), const char *why)
{
	u64 end = now() + TIMEOUT;

	if (!check(reopen(), "not open before %s", why))
		return;
	offer();
	change();
	check_eq(publish(PVHV_DEV_INITIALISED), 0, "publishing %s", why);
	while (info()->state == PVHV_DEV_INIT_WAIT && now() < end)
		hc_yield();
	check_closed(why);
}

#define OFFER(name, key, index, value)						\
	static void offer_##name(void) { set_prop(PVHV_PROP_##key, index, value); }
OFFER(no_queues, NR_QUEUES, 0, 0)
OFFER(many_queues, NR_QUEUES, 0, 3)
OFFER(queues_mod_2_32, NR_QUEUES, 0, 2 | BIT(32))
OFFER(no_pages, RING_PAGES, 0, 0)
OFFER(many_pages, RING_PAGES, 0, PVHV_MAX_RING_PAGES + 1)
OFFER(more_pages, RING_PAGES, 0, PAGES + 1)
OFFER(ref_0, RING_REF, 0, 0)
OFFER(bad_ref, RING_REF, 49, 200)
OFFER(port_0, PORT, 0, 0)
OFFER(bad_port, PORT, 3, 1000)
OFFER(same_port, PORT, 1, areas[0].port)

static void offer_nothing(void)
{
	mine.nr_props = 0;
}

/* No event follows: the backend has to see it by itself, and close. */
static void offer_broken_buffers(void)
{
	WRITE_ONCE(areas[3].requests.shared->prod, ~0U);
}

static void offer_broken_packets(void)
{
	WRITE_ONCE(areas[2].requests.shared->prod, ~0U);
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
	TRY_OFFER(port_0);
	TRY_OFFER(bad_port);
	TRY_OFFER(same_port);
	TRY_OFFER(broken_buffers);
	TRY_OFFER(broken_packets);
	check_good();
}

/* Packets at random, most of them nearly right, on rings that are sometimes wrong */
TEST(random_packets)
{
	static const u64 odd[] = { 0, 1, 7, 13, 14, 255, 256, 1500, 4095, 4096, 4097, 0x7fff,
		0xffff, ~0UL, BIT(31) };
	u32 answered = 0, reconnects = 0;
	struct pvhv_net_tx_response response;
	struct pvhv_net_rx_request request;
	struct pvhv_net_packet p;
	u8 unused[64];

#define ODD() odd[random_below(ARRAY_SIZE(odd))]
	/* longer where the backend's worker waits for a CPU */
	for (u32 i = 0; i < 2000 || (reconnects < 2 && i < 1000000); i++) {
		struct area *a = &areas[random_below(2) * 2], *b = a + 1;

		good_frame();
		p = packet(1 + random_below(4));
		for (u32 n = 1; n < p.nr_frags; n++)
			frags[n] = (struct pvhv_net_frag) {
				.ref = DATA_REF(random_below(4)), .len = 1 + random_below(4096),
			};
		if (random_below(2)) {
			data[0][12] = 8;
			data[0][13] = 0;
			data[0][14] = 0x45;
			data[0][23] = 6;
			p.hdr_flags = PVHV_NET_NEEDS_CSUM;
			p.csum_start = 34;
			p.csum_offset = 16;
			p.gso_type = random_below(2) ? PVHV_NET_GSO_TCPV4 : 0;
			p.gso_size = p.gso_type ? 1 + random_below(2000) : 0;
		}
		for (u32 n = random_below(3); n; n--) {
			switch (random_below(12)) {
			case 0:
				p.hdr_flags = ODD();
				break;
			case 1:
				p.gso_type = ODD();
				break;
			case 2:
				p.gso_size = ODD();
				break;
			case 3:
				p.csum_start = ODD();
				break;
			case 4:
				p.csum_offset = ODD();
				break;
			case 5:
				p.hdr_len = ODD();
				break;
			case 6:
				frags[random_below(4)].len = ODD();
				break;
			case 7:
				frags[random_below(4)].offset = ODD();
				break;
			case 8:
				frags[random_below(4)].ref = ODD();
				break;
			case 9:
				if (!random_below(20))
					p.nr_frags = ODD();
				break;
			case 10:
				if (!random_below(20))
					a->requests.shared->prod = ODD();
				break;
			case 11:
				if (!random_below(20))
					b->responses.shared->cons = ODD();
				break;
			}
		}
		if (pvhv_ring_room(&a->requests) > 16) {
			put(a, &p);
			push(a);
		}
		request = (struct pvhv_net_rx_request) {
			.ref = random_below(8) ? BUFFER_REF(random_below(NR_BUFFERS)) : ODD(),
			.id = random_below(NR_BUFFERS),
		};
		if (pvhv_ring_room(&b->requests)) {
			pvhv_ring_put(&b->requests, &request, sizeof(request));
			push(b);
		}
		while (pvhv_ring_items(&a->responses)) {
			pvhv_ring_get(&a->responses, &response, sizeof(response));
			pvhv_ring_pull(&a->responses);
			answered++;
		}
		while (pvhv_ring_items(&b->responses)) {
			pvhv_ring_get(&b->responses, unused, b->responses.size);
			pvhv_ring_pull(&b->responses);
		}
		if (info()->state != PVHV_DEV_CONNECTED || a->requests.broken ||
		    a->responses.broken || b->requests.broken || b->responses.broken) {
			reconnects++;
			if (!connect_again())
				return;
		}
	}
	printf("# %u answered, %u times connected again\n", answered, reconnects);
	/* how many depends on when the backend looks */
	check(answered > 100 && reconnects > 1, "%u answered, %u times connected again", answered,
	      reconnects);
	check(connect_again(), "no connection");
	check_good();
}

/* The domain ends with all of this under way. */
TEST(end_with_packets_in_flight)
{
	struct pvhv_net_packet p = packet(1);

	good_frame();
	for (u32 n = 0; n < NR_AREAS; n += 2)
		for (p.id = 0; p.id < 16 && pvhv_ring_room(&areas[n].requests) > 2; p.id++)
			put(&areas[n], &p);
	push(TX);
	push(&areas[2]);
}
