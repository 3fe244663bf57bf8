/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * pvhv: the network device protocol.
 *
 * A queue pair has two ring areas (<pvhv/ring.h>) with an event port each: area 2q
 * transmits from the frontend, area 2q + 1 receives.
 *
 * Transmit: a packet is one slot with a struct pvhv_net_packet and, behind it,
 * slots with two fragments each; all are produced together. The response names
 * the packet by @id; then its grants may be revoked. Fragments are granted
 * read-only.
 *
 * Receive: the frontend gives buffers, each a whole page granted for writing.
 * A packet fills one or more of them, in the order they were given: the first response has
 * the struct pvhv_net_packet, all say how much is in their buffer.
 *
 * Checksums and segmentation are described as virtio 1.1, 5.1.6 does it: the
 * struct virtio_net_hdr without num_buffers.
 */
#ifndef _PVHV_NETIF_H
#define _PVHV_NETIF_H

#include <pvhv/device.h>

#define PVHV_NET_MAX_FRAGS	24	/* of a packet either way */
#define PVHV_NET_MAX_LEN	(65535 + 18)	/* Ethernet header, no FCS, one VLAN tag */
#define PVHV_NET_MAX_IDS	4096

/* @hdr_flags, as VIRTIO_NET_HDR_F_xxx */
#define PVHV_NET_NEEDS_CSUM	1
#define PVHV_NET_DATA_VALID	2
/* @gso_type, as VIRTIO_NET_HDR_GSO_xxx */
#define PVHV_NET_GSO_NONE	0
#define PVHV_NET_GSO_TCPV4	1
#define PVHV_NET_GSO_TCPV6	4
#define PVHV_NET_GSO_ECN	0x80

/**
 * struct pvhv_net_packet - what a packet is
 * @id:		transmit: comes back in the response; below PVHV_NET_MAX_IDS.
 *		Receive: 0
 * @nr_frags:	fragments or buffers
 * @hdr_flags:	PVHV_NET_NEEDS_CSUM or DATA_VALID
 * @gso_type:	PVHV_NET_GSO_xxx
 * @reserved:	0
 * @hdr_len:	bytes of all headers, with GSO
 * @gso_size:	bytes of payload in each segment, with GSO
 * @csum_start:	with NEEDS_CSUM: checksum from here on,
 * @csum_offset: ... to be stored so far behind it
 */
struct pvhv_net_packet {
	__u16 id;
	__u16 nr_frags;
	__u8  hdr_flags;
	__u8  gso_type;
	__u16 reserved;
	__u16 hdr_len;
	__u16 gso_size;
	__u16 csum_start;
	__u16 csum_offset;
};

struct pvhv_net_frag {
	pvhv_grant_t ref;
	__u16 offset;
	__u16 len;		/* not 0; offset + len at most 4096 */
};

union pvhv_net_tx_request {
	struct pvhv_net_packet packet;
	struct pvhv_net_frag frags[2];	/* an unused second one is zero */
};

struct pvhv_net_tx_response {
	__u16 id;
	__u16 status;		/* PVHV_NET_S_xxx */
	__u32 reserved;		/* 0 */
};

struct pvhv_net_rx_request {
	pvhv_grant_t ref;
	__u16 id;		/* below PVHV_NET_MAX_IDS */
	__u16 reserved;		/* 0 */
};

/**
 * struct pvhv_net_rx_response - one filled buffer
 * @id:		of the buffer
 * @len:	bytes in it, from its start
 * @status:	PVHV_NET_S_xxx; with an error the buffer comes back unused
 * @more:	buffers of this packet that follow
 * @packet:	in the first one, else zero
 */
struct pvhv_net_rx_response {
	__u16 id;
	__u16 len;
	__u16 status;
	__u16 more;
	struct pvhv_net_packet packet;
};

#define PVHV_NET_S_OK		0
#define PVHV_NET_S_DROPPED	1	/* nobody wanted it */
#define PVHV_NET_S_INVALID	2	/* it broke a rule above */

/* Properties of either side */
#define PVHV_NET_FEATURES	16	/* PVHV_NET_F_xxx that this side can receive */
#define PVHV_NET_LINK		17	/* backend: 1 carrier, 0 none; may change */
#define PVHV_NET_MAC		18	/* backend: byte 0 first, in bits 7:0 */
#define PVHV_NET_MTU		19	/* backend: largest and first value */

#define PVHV_NET_F_CSUM		(1ULL << 0)	/* NEEDS_CSUM */
#define PVHV_NET_F_TSO4		(1ULL << 1)
#define PVHV_NET_F_TSO6		(1ULL << 2)
#define PVHV_NET_F_ECN		(1ULL << 3)

#endif /* _PVHV_NETIF_H */
