// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv-badnet: packets. Every IPv4 packet comes back to the guest with its addresses and ports
 * exchanged, so a ping gets its answer; whoever asks for an Ethernet address gets one.
 * Until @mode or @header says otherwise.
 */
#include <linux/etherdevice.h>
#include <linux/icmp.h>
#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/string.h>
#include <net/ip.h>

#include "badnet.h"

/* The rules of the rings are broken in the same ways for all four of them. */
enum badnet_mode {
	GOOD,
	TX_ID_TOO_LARGE,	/* a response to an id that cannot be */
	TX_ID_NOT_SENT,		/* a response to an id that is not in flight */
	TX_TWICE,		/* two responses to one packet */
	TX_KEEP,		/* a response while a page is still mapped */
	TX_PROD_TOO_FAR,	/* more responses than slots */
	TX_PROD_BACK,		/* fewer responses than before */
	TX_CONS_TOO_FAR,	/* more requests consumed than sent */
	TX_CONS_BACK,		/* fewer than before */
	TX_STATUS,		/* a status that nobody knows: an error, no more */
	TX_SILENT,		/* no response at all */
	TX_FROZEN,		/* requests are not even consumed */
	RX_ID_TOO_LARGE,	/* a buffer that cannot be */
	RX_ID_UNKNOWN,		/* a buffer that the frontend does not have */
	RX_TWICE,		/* one buffer for two packets */
	RX_KEEP,		/* a packet in a buffer that is still mapped */
	RX_PROD_TOO_FAR,
	RX_PROD_BACK,
	RX_CONS_TOO_FAR,
	RX_CONS_BACK,
	RX_LEN_0,		/* nothing in a buffer */
	RX_LEN_4097,		/* more than a page */
	RX_LEN_HUGE,
	RX_MORE_MISSING,	/* one more buffer than there is */
	RX_MORE_HUGE,		/* as many as the field can say */
	RX_MORE_DISORDER,	/* the second buffer does not count down */
	RX_NOT_FULL,		/* a first buffer that is not full */
	RX_STATUS_MIXED,	/* one buffer of a packet with an error */
	RX_STATUS,		/* a status that nobody knows: an error, no more */
	RX_RUNT,		/* less than an Ethernet header: dropped, no more */
	RX_GIANT,		/* more than the largest packet: dropped, no more */
	STORM,			/* a thousand notifications for each packet */
	NR_MODES
};

static const char * const mode_names[NR_MODES] = {
	[GOOD] = "good",
	[TX_ID_TOO_LARGE] = "tx-id-too-large", [TX_ID_NOT_SENT] = "tx-id-not-sent",
	[TX_TWICE] = "tx-twice", [TX_KEEP] = "tx-keep",
	[TX_PROD_TOO_FAR] = "tx-prod-too-far", [TX_PROD_BACK] = "tx-prod-back",
	[TX_CONS_TOO_FAR] = "tx-cons-too-far", [TX_CONS_BACK] = "tx-cons-back",
	[TX_STATUS] = "tx-status", [TX_SILENT] = "tx-silent", [TX_FROZEN] = "tx-frozen",
	[RX_ID_TOO_LARGE] = "rx-id-too-large", [RX_ID_UNKNOWN] = "rx-id-unknown",
	[RX_TWICE] = "rx-twice", [RX_KEEP] = "rx-keep",
	[RX_PROD_TOO_FAR] = "rx-prod-too-far", [RX_PROD_BACK] = "rx-prod-back",
	[RX_CONS_TOO_FAR] = "rx-cons-too-far", [RX_CONS_BACK] = "rx-cons-back",
	[RX_LEN_0] = "rx-len-0", [RX_LEN_4097] = "rx-len-4097", [RX_LEN_HUGE] = "rx-len-huge",
	[RX_MORE_MISSING] = "rx-more-missing", [RX_MORE_HUGE] = "rx-more-huge",
	[RX_MORE_DISORDER] = "rx-more-disorder", [RX_NOT_FULL] = "rx-not-full",
	[RX_STATUS_MIXED] = "rx-status-mixed", [RX_STATUS] = "rx-status",
	[RX_RUNT] = "rx-runt", [RX_GIANT] = "rx-giant", [STORM] = "storm",
};

/* What a packet to the guest says of itself; IPv4 is at 14, what is in it at 34. */
#define CSUM	PVHV_NET_NEEDS_CSUM
#define TCP4	PVHV_NET_GSO_TCPV4
static const struct badnet_header {
	const char *name;
	struct pvhv_net_packet p;
} headers[] = {
	{ "own" },		/* as the frontend has sent it */
	{ "random" },		/* numbers that are near to what is right */
	{ "flags", { .hdr_flags = 0x80 } },
	{ "reserved", { .reserved = 1 } },
	{ "gso-2", { .hdr_flags = CSUM, .gso_type = 2, .gso_size = 100, .csum_start = 34,
		     .csum_offset = 16 } },
	{ "gso-udp", { .hdr_flags = CSUM, .gso_type = 3, .gso_size = 100, .csum_start = 34,
		       .csum_offset = 6 } },
	{ "gso-udp-l4", { .hdr_flags = CSUM, .gso_type = 5, .gso_size = 100, .csum_start = 34,
			  .csum_offset = 6 } },
	{ "gso-ecn-alone", { .gso_type = PVHV_NET_GSO_ECN } },
	{ "gso-all-bits", { .hdr_flags = CSUM, .gso_type = 0xff, .gso_size = 100,
			    .csum_start = 34, .csum_offset = 16 } },
	{ "gso-no-csum", { .gso_type = TCP4, .gso_size = 100 } },
	{ "gso-size-0", { .hdr_flags = CSUM, .gso_type = TCP4, .csum_start = 34,
			  .csum_offset = 16 } },
	{ "gso-size-max", { .hdr_flags = CSUM, .gso_type = TCP4, .gso_size = 0xffff,
			    .csum_start = 34, .csum_offset = 16 } },
	{ "gso-ipv6", { .hdr_flags = CSUM, .gso_type = PVHV_NET_GSO_TCPV6, .gso_size = 100,
			.csum_start = 34, .csum_offset = 16 } },
	{ "gso-csum-of-udp", { .hdr_flags = CSUM, .gso_type = TCP4, .gso_size = 100,
			       .csum_start = 34, .csum_offset = 6 } },
	{ "csum-start-0", { .hdr_flags = CSUM } },
	{ "csum-start-13", { .hdr_flags = CSUM, .csum_start = 13, .csum_offset = 30 } },
	{ "csum-start-max", { .hdr_flags = CSUM, .csum_start = 0xffff } },
	{ "csum-offset-max", { .hdr_flags = CSUM, .csum_start = 34, .csum_offset = 0xffff } },
	{ "csum-both-max", { .hdr_flags = CSUM, .csum_start = 0xffff, .csum_offset = 0xffff } },
	/* From here on nothing is known to be wrong, or nothing is used of it. */
	{ "hdr-len", { .hdr_flags = CSUM, .gso_type = TCP4, .hdr_len = 0xffff, .gso_size = 100,
		       .csum_start = 34, .csum_offset = 16 } },
	{ "gso-size-1", { .hdr_flags = CSUM, .gso_type = TCP4, .gso_size = 1, .csum_start = 34,
			  .csum_offset = 16 } },
	{ "csum-of-ip", { .hdr_flags = CSUM, .csum_start = 14, .csum_offset = 10 } },
	{ "csum-inside", { .hdr_flags = CSUM, .csum_start = 20, .csum_offset = 2 } },
	{ "both-flags", { .hdr_flags = CSUM | PVHV_NET_DATA_VALID, .csum_start = 34,
			  .csum_offset = 2 } },
	{ "counts", { .id = 0xffff, .nr_frags = 0xffff } },
};

enum { HEADER_OWN, HEADER_RANDOM };

static int mode, header;

static int mode_set(const char *text, const struct kernel_param *kp)
{
	int i = __sysfs_match_string(mode_names, NR_MODES, text);

	if (i < 0)
		return i;
	badnet_drop_kept();
	WRITE_ONCE(mode, i);
	return 0;
}

static int mode_get(char *text, const struct kernel_param *kp)
{
	return sysfs_emit(text, "%s\n", mode_names[READ_ONCE(mode)]);
}

static const struct kernel_param_ops mode_ops = { .set = mode_set, .get = mode_get };
module_param_cb(mode, &mode_ops, NULL, 0644);
MODULE_PARM_DESC(mode, "which rule to break, or good");

static int header_set(const char *text, const struct kernel_param *kp)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(headers); i++) {
		if (sysfs_streq(text, headers[i].name)) {
			WRITE_ONCE(header, i);
			return 0;
		}
	}
	return -EINVAL;
}

static int header_get(char *text, const struct kernel_param *kp)
{
	return sysfs_emit(text, "%s\n", headers[READ_ONCE(header)].name);
}

static const struct kernel_param_ops header_ops = { .set = header_set, .get = header_get };
module_param_cb(header, &header_ops, NULL, 0644);
MODULE_PARM_DESC(header, "what packets to the guest say of themselves, or own");

static uint packets;
module_param(packets, uint, 0644);
MODULE_PARM_DESC(packets, "packets taken from guests");

static uint leaked;
module_param(leaked, uint, 0644);
MODULE_PARM_DESC(leaked, "first packets of a queue in a page with something else");

static bool beyond;
module_param(beyond, bool, 0644);
MODULE_PARM_DESC(beyond, "packets to the guest are for the address behind its own");

/* ---- packets to the guest ---- */

static void set_index(u32 *shared, u32 value)
{
	WRITE_ONCE(*shared, value);
}

static void put_rx(struct badnet_queue *q, const struct pvhv_net_rx_response *rsp)
{
	if (pvhv_ring_room(&q->rx_rsp))
		pvhv_ring_put(&q->rx_rsp, rsp, sizeof(*rsp));
}

/* One of the values that are looked at, or none of them */
static u16 random_number(u32 len)
{
	static const u16 some[] = { 0, 1, 13, 14, 18, 20, 33, 34, 42, 54, 0x7fff, 0xfffe, 0xffff };
	u32 r = get_random_u32();

	switch (r % 4) {
	case 0:
		return some[r / 4 % ARRAY_SIZE(some)];
	case 1:
		return len - 4 + r / 4 % 8;
	case 2:
		return r / 4 % 80;
	default:
		return r / 4;
	}
}

static void make_header(struct pvhv_net_packet *p, u32 len)
{
	static const u8 types[] = { 0, 0, 1, 1, 1, 4, 0x81, 0x84, 3, 5, 0xff };
	int i = READ_ONCE(header);

	if (i == HEADER_RANDOM) {
		p->hdr_flags = get_random_u32() % 8 ? CSUM : get_random_u32() % 4;
		p->gso_type = types[get_random_u32() % ARRAY_SIZE(types)];
		p->hdr_len = random_number(len);
		p->gso_size = random_number(len);
		p->csum_start = random_number(len);
		p->csum_offset = get_random_u32() % 4 ? 16 : random_number(len);
	} else if (i != HEADER_OWN) {
		*p = headers[i].p;
	}
}

/* What is done to a response. @i: which of @nr */
static void spoil(struct badnet_queue *q, struct pvhv_net_rx_response *rsp, unsigned int i,
		  unsigned int nr)
{
	switch (READ_ONCE(mode)) {
	case RX_ID_TOO_LARGE:
		rsp->id = 0xffff;
		break;
	case RX_ID_UNKNOWN:
		rsp->id = 300;
		break;
	case RX_LEN_0:
		rsp->len = 0;
		break;
	case RX_LEN_4097:
		rsp->len = 4097;
		break;
	case RX_LEN_HUGE:
		rsp->len = 0xffff;
		break;
	case RX_MORE_MISSING:
		rsp->more++;
		break;
	case RX_MORE_HUGE:
		rsp->more = 0xffff;
		break;
	case RX_MORE_DISORDER:
		rsp->more = nr - 1;
		break;
	case RX_NOT_FULL:
		if (!i && nr > 1)
			rsp->len--;
		break;
	case RX_STATUS_MIXED:
		if (i)
			rsp->status = PVHV_NET_S_DROPPED;
		break;
	case RX_STATUS:
		rsp->status = 0xffff;
		break;
	case RX_TWICE:
		put_rx(q, rsp);
		break;
	}
}

static void spoil_rx_indices(struct badnet_queue *q)
{
	switch (READ_ONCE(mode)) {
	case RX_PROD_TOO_FAR:
		set_index(&q->rx_rsp.shared->prod, q->rx_rsp.mine + q->rx_rsp.nr + 1);
		break;
	case RX_PROD_BACK:
		set_index(&q->rx_rsp.shared->prod, q->rx_rsp.mine - 1);
		break;
	case RX_CONS_TOO_FAR:
		set_index(&q->rx_req.shared->cons, q->rx_req.mine + q->rx_req.nr + 1);
		break;
	case RX_CONS_BACK:
		set_index(&q->rx_req.shared->cons, q->rx_req.mine - q->rx_req.nr - 1);
		break;
	default:
		return;
	}
	pvhv_area_notify(&q->rx_area);
}

/* The frame goes to the guest, if it has buffers. */
static void deliver(struct badnet_queue *q, const struct pvhv_net_packet *p, u32 len)
{
	struct pvhv_net_rx_response rsp;
	struct pvhv_net_rx_request req;
	struct badnet *b = q->b;
	unsigned int i, nr;

	if (READ_ONCE(mode) == RX_RUNT)
		len = ETH_HLEN - 1;
	if (READ_ONCE(mode) == RX_GIANT)
		len = FRAME_LEN;
	nr = DIV_ROUND_UP(len, PAGE_SIZE);
	if (pvhv_ring_items(&q->rx_req) < nr)
		return;
	for (i = 0; i < nr; i++) {
		pvhv_ring_peek(&q->rx_req, i, &req, sizeof(req));
		b->copies[i] = (struct pvhv_copy) {
			.ref = req.ref, .page = virt_to_page(b->frame + i * PAGE_SIZE),
			.len = min_t(u32, len - i * PAGE_SIZE, PAGE_SIZE), .to_peer = true,
		};
		if (READ_ONCE(mode) == RX_KEEP)
			badnet_keep(b, req.ref, false);
	}
	b->dev->tp->copy(b->dev, b->copies, nr, false);
	for (i = 0; i < nr; i++) {
		pvhv_ring_get(&q->rx_req, &req, sizeof(req));
		rsp = (struct pvhv_net_rx_response) {
			.id = req.id, .len = b->copies[i].len, .more = nr - 1 - i,
		};
		if (!i) {
			rsp.packet = *p;
			make_header(&rsp.packet, len);
		}
		spoil(q, &rsp, i, nr);
		put_rx(q, &rsp);
	}
	if (READ_ONCE(mode) != RX_CONS_TOO_FAR && READ_ONCE(mode) != RX_CONS_BACK &&
	    pvhv_ring_pull(&q->rx_req))
		pvhv_area_notify(&q->rx_area);
	if (pvhv_ring_push(&q->rx_rsp))
		pvhv_area_notify(&q->rx_area);
	spoil_rx_indices(q);
}

/* ---- what comes back ---- */

static void exchange(void *a, void *b, unsigned int len)
{
	u8 *x = a, *y = b;

	while (len--)
		swap(x[len], y[len]);
}

static const u8 our_mac[ETH_ALEN] = { 2, 0, 0, 0, 0, 1 };

static bool answer_arp(struct arphdr *arp)
{
	u8 *sender = (u8 *)(arp + 1), *target = sender + ETH_ALEN + 4;

	if (arp->ar_op != htons(ARPOP_REQUEST))
		return false;
	arp->ar_op = htons(ARPOP_REPLY);
	exchange(sender, target, ETH_ALEN + 4);
	ether_addr_copy(sender, our_mac);
	return true;
}

static bool answer_ip(struct iphdr *ip, u32 room)
{
	struct icmphdr *icmp = (void *)ip + ip->ihl * 4;

	if (ip->ihl < 5 || room < ip->ihl * 4 + 8 || ipv4_is_multicast(ip->daddr) ||
	    ipv4_is_lbcast(ip->daddr))
		return false;
	swap(ip->saddr, ip->daddr);
	if (READ_ONCE(beyond)) {
		__be32 next = htonl(ntohl(ip->daddr) + 1);

		csum_replace4(&ip->check, ip->daddr, next);
		ip->daddr = next;
	}
	if (ip->frag_off & htons(IP_OFFSET))
		return true;
	if (ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP)
		exchange(icmp, (void *)icmp + 2, 2);
	if (ip->protocol == IPPROTO_ICMP && icmp->type == ICMP_ECHO) {
		icmp->type = ICMP_ECHOREPLY;
		csum_replace2(&icmp->checksum, htons(ICMP_ECHO << 8), htons(ICMP_ECHOREPLY << 8));
	}
	return true;
}

/* Make the frame an answer. False: there is none. */
static bool make_answer(struct badnet *b, u32 len)
{
	struct ethhdr *eth = b->frame;
	u32 at = ETH_HLEN;
	__be16 proto = eth->h_proto;

	while (eth_type_vlan(proto) && at + VLAN_HLEN <= len) {
		proto = *(__be16 *)(b->frame + at + 2);
		at += VLAN_HLEN;
	}
	if (proto == htons(ETH_P_ARP)) {
		if (at + sizeof(struct arphdr) + 2 * (ETH_ALEN + 4) > len ||
		    !answer_arp(b->frame + at))
			return false;
	} else if (proto == htons(ETH_P_IP)) {
		if (at + sizeof(struct iphdr) > len || !answer_ip(b->frame + at, len - at))
			return false;
	} else {
		return false;
	}
	ether_addr_copy(eth->h_dest, eth->h_source);
	ether_addr_copy(eth->h_source, our_mac);
	return true;
}

/* ---- packets from the guest ---- */

static void put_tx(struct badnet_queue *q, u16 id, u16 status)
{
	struct pvhv_net_tx_response rsp = { .id = id, .status = status };

	if (pvhv_ring_room(&q->tx_rsp))
		pvhv_ring_put(&q->tx_rsp, &rsp, sizeof(rsp));
}

/* A packet that was taken, and what is done to the frontend for it */
static void respond(struct badnet_queue *q, const struct pvhv_net_packet *p)
{
	unsigned int i;

	switch (READ_ONCE(mode)) {
	case TX_ID_TOO_LARGE:
		put_tx(q, 0xffff, PVHV_NET_S_OK);
		break;
	case TX_ID_NOT_SENT:
		put_tx(q, p->id ^ 128, PVHV_NET_S_OK);
		break;
	case TX_TWICE:
		put_tx(q, p->id, PVHV_NET_S_OK);
		put_tx(q, p->id, PVHV_NET_S_OK);
		break;
	case TX_KEEP:
		badnet_keep(q->b, q->b->frags[p->nr_frags - 1].ref, true);
		put_tx(q, p->id, PVHV_NET_S_OK);
		break;
	case TX_PROD_TOO_FAR:
		set_index(&q->tx_rsp.shared->prod, q->tx_rsp.mine + q->tx_rsp.nr + 1);
		pvhv_area_notify(&q->tx_area);
		break;
	case TX_PROD_BACK:
		set_index(&q->tx_rsp.shared->prod, q->tx_rsp.mine - 1);
		pvhv_area_notify(&q->tx_area);
		break;
	case TX_CONS_TOO_FAR:
		set_index(&q->tx_req.shared->cons, q->tx_req.mine + q->tx_req.nr + 1);
		put_tx(q, p->id, PVHV_NET_S_OK);
		break;
	case TX_CONS_BACK:
		set_index(&q->tx_req.shared->cons, q->tx_req.mine - q->tx_req.nr - 1);
		put_tx(q, p->id, PVHV_NET_S_OK);
		break;
	case TX_STATUS:
		put_tx(q, p->id, 0xffff);
		break;
	case TX_SILENT:
		break;
	case STORM:
		for (i = 0; i < 500; i++) {
			pvhv_area_notify(&q->tx_area);
			pvhv_area_notify(&q->rx_area);
		}
		fallthrough;
	default:
		put_tx(q, p->id, PVHV_NET_S_OK);
	}
}

/* Nothing but the packet is in a page that is granted all the time. */
static void look_for_leaks(struct badnet *b, const struct pvhv_net_frag *f)
{
	u32 end = f->offset + f->len;

	b->copies[0] = (struct pvhv_copy) {
		.ref = f->ref, .page = virt_to_page(b->frame), .len = PAGE_SIZE,
	};
	b->dev->tp->copy(b->dev, b->copies, 1, false);
	if (b->copies[0].status || memchr_inv(b->frame, 0, f->offset) ||
	    memchr_inv(b->frame + end, 0, PAGE_SIZE - end))
		WRITE_ONCE(leaked, leaked + 1);
}

/* Copy the next packet. Return: its slots; the frontend is good, here. */
static unsigned int take(struct badnet_queue *q, struct pvhv_net_packet *p, u32 *len)
{
	union pvhv_net_tx_request req;
	struct badnet *b = q->b;
	unsigned int i, nr = 0;
	u32 at = 0, n, done;

	pvhv_ring_peek(&q->tx_req, 0, &req, sizeof(req));
	*p = req.packet;
	if (!q->tx_req.mine) {
		pvhv_ring_peek(&q->tx_req, 1, &req, sizeof(req));
		look_for_leaks(b, &req.frags[0]);
	}
	for (i = 0; i < p->nr_frags; i++) {
		if (!(i % 2))
			pvhv_ring_peek(&q->tx_req, 1 + i / 2, &req, sizeof(req));
		b->frags[i] = req.frags[i % 2];
		for (done = 0; done < b->frags[i].len; done += n) {
			/* A page of the frame's may end in the middle of a fragment. */
			n = min_t(u32, b->frags[i].len - done, PAGE_SIZE - at % PAGE_SIZE);
			if (nr == ARRAY_SIZE(b->copies)) {
				b->dev->tp->copy(b->dev, b->copies, nr, false);
				nr = 0;
			}
			b->copies[nr++] = (struct pvhv_copy) {
				.ref = b->frags[i].ref, .offset = b->frags[i].offset + done,
				.page = virt_to_page(b->frame + at), .page_offset = at % PAGE_SIZE,
				.len = n,
			};
			at += n;
		}
	}
	b->dev->tp->copy(b->dev, b->copies, nr, false);
	*len = at;
	return 1 + DIV_ROUND_UP(p->nr_frags, 2);
}

static void serve(struct badnet_queue *q)
{
	struct pvhv_net_packet p;
	u32 len;

	q->tx_req.mine += take(q, &p, &len);
	WRITE_ONCE(packets, packets + 1);
	respond(q, &p);
	if (READ_ONCE(mode) != TX_CONS_TOO_FAR && READ_ONCE(mode) != TX_CONS_BACK &&
	    pvhv_ring_pull(&q->tx_req))
		pvhv_area_notify(&q->tx_area);
	if (pvhv_ring_push(&q->tx_rsp))
		pvhv_area_notify(&q->tx_area);
	p.id = 0;
	if (make_answer(q->b, len))
		deliver(q, &p, len);
}

/* Either event of a queue */
bool badnet_event(void *data)
{
	struct badnet_queue *q = data;
	struct badnet *b = q->b;

	mutex_lock(&b->lock);
	if (q - b->q < b->nr_queues) {
		while (READ_ONCE(mode) != TX_FROZEN && pvhv_ring_items(&q->tx_req))
			serve(q);
		pvhv_ring_wait_items(&q->tx_req);
	}
	mutex_unlock(&b->lock);
	return false;
}

static void init_rings(struct pvhv_area *area, struct pvhv_ring *req, u32 req_size,
		       struct pvhv_ring *rsp, u32 rsp_size)
{
	struct pvhv_ring_layout l = pvhv_ring_layout(area->nr_pages, req_size, rsp_size);

	pvhv_ring_init(req, area->addr + PVHV_RING_REQUEST_HEADER, area->addr + l.requests, l.nr,
		       req_size);
	pvhv_ring_init(rsp, area->addr + PVHV_RING_RESPONSE_HEADER, area->addr + l.responses, l.nr,
		       rsp_size);
}

/* The areas are accepted. */
void badnet_rings_init(struct badnet_queue *q)
{
	init_rings(&q->tx_area, &q->tx_req, sizeof(union pvhv_net_tx_request), &q->tx_rsp,
		   sizeof(struct pvhv_net_tx_response));
	init_rings(&q->rx_area, &q->rx_req, sizeof(struct pvhv_net_rx_request), &q->rx_rsp,
		   sizeof(struct pvhv_net_rx_response));
}
