// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <string.h>

#include "spec.h"

/* The next field, up to a single comma: its length, 0 at the end, -1: too long */
static int next_field(const char **text, char *field, size_t len)
{
	const char *p = *text;
	size_t n = 0;

	while (*p) {
		if (*p == ',' && *++p != ',')
			break;
		if (n == len - 1)
			return -1;
		field[n++] = *p++;
	}
	field[n] = '\0';
	*text = p;
	return n;
}

/* Split KEY=VALUE; NULL if there is no '='. */
static char *split(char *field)
{
	char *value = strchr(field, '=');

	if (value)
		*value++ = '\0';
	return value;
}

static int parse_count(const char *key, const char *value, u32 smallest, u32 largest, u32 *out,
		       struct errmsg *e)
{
	u64 n;

	if (parse_number(value, largest, &n) || n < smallest)
		return errmsg_set(e, "%s=%s: give a number from %u to %u", key, value, smallest,
				  largest);
	*out = n;
	return 0;
}

/* Of letters, digits and "._-", so that no program ever takes it for something else */
static int parse_word(const char *key, const char *value, char *out, size_t len, struct errmsg *e)
{
	const char *c;

	for (c = value; isalnum((unsigned char)*c) || (*c && strchr("._-", *c)); c++)
		;
	if (*c || c == value || c - value >= (ssize_t)len || *value == '-' || *value == '.')
		return errmsg_set(e, "%s=%s: give 1 to %zu of A-Z a-z 0-9 . _ -, first not . or -",
				  key, value, len - 1);
	strcpy(out, value);
	return 0;
}

/* @given: the keys so far, one bit each, in the order of @keys. */
static int check_once(const char *key, const char * const *keys, u32 *given, struct errmsg *e)
{
	unsigned int i;

	for (i = 0; keys[i] && strcmp(key, keys[i]); i++)
		;
	if (keys[i] && *given >> i & 1)
		return errmsg_set(e, "%s is given twice", key);
	*given |= 1U << i;
	return 0;
}

static int disk_field(struct disk_spec *s, const char *key, const char *value, struct errmsg *e)
{
	if (!strcmp(key, "ro")) {
		if (value)
			return errmsg_set(e, "ro has no value: leave it out to write");
		s->readonly = true;
		return 0;
	}
	if (!strcmp(key, "rw"))
		return errmsg_set(e, "'rw' is no option: a disk without ro can be written to");
	if (!value)
		return errmsg_set(e, "'%s' is not an option of a disk: give path=FILE", key);
	if (!strcmp(key, "path")) {
		if (!*value)
			return errmsg_set(e, "path= is empty");
		strcpy(s->path, value);		/* no longer than the field */
		return 0;
	}
	if (!strcmp(key, "cache")) {
		if (strcmp(value, "none") && strcmp(value, "writeback"))
			return errmsg_set(e, "cache=%s: give none or writeback", value);
		s->cached = !strcmp(value, "writeback");
		return 0;
	}
	if (!strcmp(key, "queues"))
		return parse_count(key, value, 1, DISK_MAX_QUEUES, &s->queues, e);
	if (!strcmp(key, "serial"))
		return parse_word(key, value, s->serial, sizeof(s->serial), e);
	return errmsg_set(e, "'%s' is not an option of a disk", key);
}

int disk_spec_parse(struct disk_spec *s, const char *text, struct errmsg *e)
{
	static const char * const keys[] = { "path", "ro", "cache", "queues", "serial", NULL };
	char field[PATH_MAX];
	u32 given = 0;
	char *value;
	int n;

	memset(s, 0, sizeof(*s));
	while ((n = next_field(&text, field, sizeof(field))) > 0) {
		value = split(field);
		if (check_once(field, keys, &given, e) || disk_field(s, field, value, e))
			return -1;
	}
	if (n < 0)
		return errmsg_set(e, "too long");
	if (*text)
		return errmsg_set(e, "an option is empty; write a comma in a path twice");
	if (!*s->path)
		return errmsg_set(e, "give path=FILE");
	return 0;
}

const char *mac_text(const u8 mac[6], char text[MAC_TEXT_LEN])
{
	snprintf(text, MAC_TEXT_LEN, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return text;
}

static int parse_mac(const char *value, u8 mac[6], struct errmsg *e)
{
	unsigned int b[6], i;
	char end;

	if (strlen(value) != 17 || strspn(value, "0123456789abcdefABCDEF:") != 17 ||
	    sscanf(value, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		   &end) != 6)
		return errmsg_set(e, "mac=%s: give an address as 02:00:00:00:00:01", value);
	for (i = 0; i < 6; i++)
		mac[i] = b[i];
	if (mac[0] & 1)
		return errmsg_set(e, "mac=%s: is a multicast address", value);
	if (!(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]))
		return errmsg_set(e, "mac=%s: is no address of an interface", value);
	return 0;
}

static int net_field(struct net_spec *s, const char *key, const char *value, struct errmsg *e)
{
	if (!value)
		return errmsg_set(e, "'%s' is not an option of a network device", key);
	if (!strcmp(key, "bridge"))
		return parse_word(key, value, s->bridge, sizeof(s->bridge), e);
	if (!strcmp(key, "ifname"))
		return parse_word(key, value, s->ifname, sizeof(s->ifname), e);
	if (!strcmp(key, "mac")) {
		s->has_mac = true;
		return parse_mac(value, s->mac, e);
	}
	if (!strcmp(key, "queues"))
		return parse_count(key, value, 1, NET_MAX_QUEUES, &s->queues, e);
	if (!strcmp(key, "mtu"))
		return parse_count(key, value, NET_MIN_MTU, NET_MAX_MTU, &s->mtu, e);
	return errmsg_set(e, "'%s' is not an option of a network device", key);
}

int net_spec_parse(struct net_spec *s, const char *text, struct errmsg *e)
{
	static const char * const keys[] = { "bridge", "ifname", "mac", "queues", "mtu", NULL };
	char field[256];
	u32 given = 0;
	char *value;
	int n;

	memset(s, 0, sizeof(*s));
	while ((n = next_field(&text, field, sizeof(field))) > 0) {
		value = split(field);
		if (check_once(field, keys, &given, e) || net_field(s, field, value, e))
			return -1;
	}
	if (n < 0)
		return errmsg_set(e, "too long");
	if (*text)
		return errmsg_set(e, "an option is empty");
	return 0;
}

void disk_spec_format(const struct disk_spec *s, struct strbuf *out)
{
	const char *c;

	strbuf_addf(out, "path=");
	for (c = s->path; *c; c++)
		strbuf_addf(out, "%c%s", *c, *c == ',' ? "," : "");
	if (s->readonly)
		strbuf_addf(out, ",ro");
	if (s->cached)
		strbuf_addf(out, ",cache=writeback");
	if (s->queues)
		strbuf_addf(out, ",queues=%u", s->queues);
	if (*s->serial)
		strbuf_addf(out, ",serial=%s", s->serial);
}

void net_spec_format(const struct net_spec *s, struct strbuf *out)
{
	size_t start = out->len;
	char mac[MAC_TEXT_LEN];

	if (*s->bridge)
		strbuf_addf(out, ",bridge=%s", s->bridge);
	if (*s->ifname)
		strbuf_addf(out, ",ifname=%s", s->ifname);
	if (s->has_mac)
		strbuf_addf(out, ",mac=%s", mac_text(s->mac, mac));
	if (s->queues)
		strbuf_addf(out, ",queues=%u", s->queues);
	if (s->mtu)
		strbuf_addf(out, ",mtu=%u", s->mtu);
	/* without the first comma */
	if (out->len > start) {
		memmove(out->data + start, out->data + start + 1, out->len - start);
		out->len--;
	}
}

/* FNV-1a; only addresses come of it, so nobody gains from collisions */
static u64 hash(u64 h, const char *text)
{
	do {
		h = (h ^ (u8)*text) * 0x100000001b3ULL;
	} while (*text++);
	return h;
}

void mac_derive(u8 mac[6], const char *salt, const char *domain, unsigned int n)
{
	u64 h = hash(hash(0xcbf29ce484222325ULL, salt), domain);
	unsigned int i;

	h = (h ^ n) * 0x100000001b3ULL;
	h ^= h >> 32;
	h *= 0x9e3779b97f4a7c15ULL;
	for (i = 0; i < 6; i++)
		mac[i] = h >> (16 + 8 * i);
	mac[0] = (mac[0] & 0xfc) | 0x02;
}
