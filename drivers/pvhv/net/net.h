/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pvhv net: what frontend and backend have in common.
 */
#ifndef _PVHV_NET_H
#define _PVHV_NET_H

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/virtio_net.h>

#include <pvhv/bus.h>
#include <pvhv/netif.h>

/* Slots of a transmit ring that the largest packet takes */
#define PVHV_NET_TX_SLOTS	(1 + DIV_ROUND_UP(PVHV_NET_MAX_FRAGS, 2))
/* Buffers that the largest packet fills */
#define PVHV_NET_RX_SLOTS	DIV_ROUND_UP(PVHV_NET_MAX_LEN, PAGE_SIZE)
/* MTU at most: what an IP header can say */
#define PVHV_NET_MAX_MTU	65535
/* Queue pairs at most: two areas each */
#define PVHV_NET_MAX_QUEUES	8

static_assert(PVHV_NET_MAX_QUEUES * 2 <= PVHV_MAX_AREAS);
static_assert(PVHV_NET_RX_SLOTS <= PVHV_NET_MAX_FRAGS);
static_assert(sizeof(struct pvhv_net_packet) == 16);
static_assert(sizeof(union pvhv_net_tx_request) == 16);
static_assert(sizeof(struct pvhv_net_tx_response) == 8);
static_assert(sizeof(struct pvhv_net_rx_request) == 8);
static_assert(sizeof(struct pvhv_net_rx_response) == 24);

/* Both rings of an area */
struct pvhv_net_rings {
	struct pvhv_ring req;
	struct pvhv_ring rsp;
};

static inline void pvhv_net_rings_init(struct pvhv_net_rings *r, const struct pvhv_area *area,
				       u32 request_size, u32 response_size)
{
	struct pvhv_ring_layout l = pvhv_ring_layout(area->nr_pages, request_size, response_size);

	pvhv_ring_init(&r->req, area->addr + PVHV_RING_REQUEST_HEADER, area->addr + l.requests,
		       l.nr, request_size);
	pvhv_ring_init(&r->rsp, area->addr + PVHV_RING_RESPONSE_HEADER, area->addr + l.responses,
		       l.nr, response_size);
}

static inline void pvhv_net_tx_rings_init(struct pvhv_net_rings *r, const struct pvhv_area *area)
{
	pvhv_net_rings_init(r, area, sizeof(union pvhv_net_tx_request),
			    sizeof(struct pvhv_net_tx_response));
}

static inline void pvhv_net_rx_rings_init(struct pvhv_net_rings *r, const struct pvhv_area *area)
{
	pvhv_net_rings_init(r, area, sizeof(struct pvhv_net_rx_request),
			    sizeof(struct pvhv_net_rx_response));
}

/* The protocol of a frame behind its VLAN tags, as far as they are linear */
static inline __be16 pvhv_net_protocol(const struct sk_buff *skb)
{
	unsigned int at = offsetof(struct ethhdr, h_proto);
	__be16 proto = *(const __be16 *)(skb->data + at);

	while (eth_type_vlan(proto)) {
		at += VLAN_HLEN;
		if (at + sizeof(proto) > skb_headlen(skb))
			return 0;
		proto = *(const __be16 *)(skb->data + at);
	}
	return proto;
}

/*
 * Does a checksum from @start on begin behind the VLAN tags, which the stack takes off? What
 * is in front of @start is linear.
 */
static inline bool pvhv_net_behind_tags(const struct sk_buff *skb, unsigned int start)
{
	unsigned int at = ETH_HLEN;

	while (at <= start && eth_type_vlan(*(const __be16 *)(skb->data + at - sizeof(__be16))))
		at += VLAN_HLEN;
	return at <= start;
}

/**
 * pvhv_net_to_skb - what the peer says of checksum and segments
 * @skb:	the frame, skb->data at its Ethernet header, which is linear
 * @p:		the description, a private copy
 *
 * Return: 0, or -EINVAL if it cannot be true.
 */
static inline int pvhv_net_to_skb(struct sk_buff *skb, const struct pvhv_net_packet *p)
{
	struct virtio_net_hdr hdr = {
		.flags = p->hdr_flags & PVHV_NET_NEEDS_CSUM,
		.gso_type = p->gso_type,
		.hdr_len = (__force __virtio16)cpu_to_le16(p->hdr_len),
		.gso_size = (__force __virtio16)cpu_to_le16(p->gso_size),
		.csum_start = (__force __virtio16)cpu_to_le16(p->csum_start),
		.csum_offset = (__force __virtio16)cpu_to_le16(p->csum_offset),
	};

	if (p->hdr_flags & ~(PVHV_NET_NEEDS_CSUM | PVHV_NET_DATA_VALID) || p->reserved)
		return -EINVAL;
	switch (p->gso_type & ~PVHV_NET_GSO_ECN) {
	case PVHV_NET_GSO_NONE:
		if (p->gso_type)
			return -EINVAL;
		break;
	case PVHV_NET_GSO_TCPV4:
	case PVHV_NET_GSO_TCPV6:
		/* Each segment needs a checksum, so this one must be partial. */
		if (!(p->hdr_flags & PVHV_NET_NEEDS_CSUM) ||
		    !pskb_may_pull(skb, ETH_HLEN + 2 * VLAN_HLEN) ||
		    !virtio_net_hdr_match_proto(pvhv_net_protocol(skb), p->gso_type))
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	if (p->hdr_flags & PVHV_NET_NEEDS_CSUM &&
	    (!pskb_may_pull(skb, p->csum_start) || !pvhv_net_behind_tags(skb, p->csum_start)))
		return -EINVAL;
	return virtio_net_hdr_to_skb(skb, &hdr, true);
}

/**
 * pvhv_net_from_skb - the opposite, for transmission
 * @skb:	the frame; if it is GSO, its checksum is partial (see pvhv_net_features_check())
 * @p:		filled in, but for @id and @nr_frags
 *
 * Return: 0, or -EINVAL if there is no way to say it.
 */
static inline int pvhv_net_from_skb(const struct sk_buff *skb, struct pvhv_net_packet *p)
{
	struct virtio_net_hdr hdr;
	int err;

	memset(p, 0, sizeof(*p));
	err = virtio_net_hdr_from_skb(skb, &hdr, true, true, 0);
	if (err)
		return err;
	p->hdr_flags = hdr.flags;
	p->gso_type = hdr.gso_type;
	p->gso_size = le16_to_cpu((__force __le16)hdr.gso_size);
	p->csum_start = le16_to_cpu((__force __le16)hdr.csum_start);
	p->csum_offset = le16_to_cpu((__force __le16)hdr.csum_offset);
	if (p->gso_type)
		p->hdr_len = skb_tcp_all_headers(skb);
	return 0;
}

/* What ndo_features_check() says of any packet: GSO only with a partial checksum */
static inline netdev_features_t pvhv_net_features_check(struct sk_buff *skb,
							struct net_device *ndev,
							netdev_features_t features)
{
	if (skb_is_gso(skb) && skb->ip_summed != CHECKSUM_PARTIAL)
		features &= ~NETIF_F_GSO_MASK;
	return vlan_features_check(skb, features);
}

/* What of the stack's features the other side's PVHV_NET_FEATURES do not permit */
static inline netdev_features_t pvhv_net_fix_features(netdev_features_t features, u64 peer)
{
	if (!(peer & PVHV_NET_F_CSUM))
		features &= ~(NETIF_F_HW_CSUM | NETIF_F_ALL_TSO);
	if (!(peer & PVHV_NET_F_TSO4))
		features &= ~NETIF_F_TSO;
	if (!(peer & PVHV_NET_F_TSO6))
		features &= ~NETIF_F_TSO6;
	if (!(peer & PVHV_NET_F_ECN))
		features &= ~NETIF_F_TSO_ECN;
	return features;
}

#define PVHV_NET_ALL_FEATURES \
	(PVHV_NET_F_CSUM | PVHV_NET_F_TSO4 | PVHV_NET_F_TSO6 | PVHV_NET_F_ECN)
/* The stack's names for them */
#define PVHV_NET_HW_FEATURES \
	(NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN)

static inline u64 pvhv_net_mac_to_prop(const u8 *mac)
{
	u64 value = 0;
	int i;

	for (i = 0; i < ETH_ALEN; i++)
		value |= (u64)mac[i] << (8 * i);
	return value;
}

static inline void pvhv_net_mac_from_prop(u8 *mac, u64 value)
{
	int i;

	for (i = 0; i < ETH_ALEN; i++)
		mac[i] = value >> (8 * i);
}

#endif /* _PVHV_NET_H */
