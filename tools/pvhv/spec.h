/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What was asked for with --disk and --net: KEY=VALUE and words, separated by
 * commas. A comma that belongs to a value is written twice.
 */
#ifndef PVHV_TOOL_SPEC_H
#define PVHV_TOOL_SPEC_H

#include <limits.h>

#include <linux/pvhv.h>
#include <pvhv/device.h>

#include "util.h"

#define SPEC_SERIAL_LEN	32
#define SPEC_IFNAME_LEN	15
#define DISK_MAX_QUEUES	PVHV_MAX_AREAS	/* the module's own limit may be lower */
#define NET_MAX_QUEUES	8	/* PVHV_NET_MAX_QUEUES of drivers/pvhv/net/net.h */
#define NET_MIN_MTU	68
#define NET_MAX_MTU	65535

struct disk_spec {
	char path[PATH_MAX];
	bool readonly;
	bool cached;			/* cache=writeback */
	u32 queues;			/* 0: the backend decides */
	char serial[SPEC_SERIAL_LEN + 1];
};

struct net_spec {
	char bridge[SPEC_IFNAME_LEN + 1];	/* "": none */
	char ifname[SPEC_IFNAME_LEN + 1];	/* "": the module's */
	bool has_mac;
	u8 mac[6];
	u32 queues;
	u32 mtu;			/* 0: the backend decides */
};

/* 0, or -1 and @e, which does not repeat @text */
int disk_spec_parse(struct disk_spec *s, const char *text, struct errmsg *e);
int net_spec_parse(struct net_spec *s, const char *text, struct errmsg *e);

/* A text that gives @s again when it is parsed */
void disk_spec_format(const struct disk_spec *s, struct strbuf *out);
void net_spec_format(const struct net_spec *s, struct strbuf *out);

#define MAC_TEXT_LEN	18

/* "02:00:00:00:00:01"; returns @text */
const char *mac_text(const u8 mac[6], char text[MAC_TEXT_LEN]);

/*
 * The address of a domain's network device @n if none was given: the same for
 * this name on this host (@salt) whenever it is made; locally administered.
 */
void mac_derive(u8 mac[6], const char *salt, const char *domain, unsigned int n);

#endif
