// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

bool say_raw;

int errmsg_set(struct errmsg *e, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, args);
	va_end(args);
	return -1;
}

void say(const char *fmt, ...)
{
	char buf[2048] = "pvhv: ";
	size_t len = strlen(buf), i;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(buf + len, sizeof(buf) - len - 2, fmt, args);
	va_end(args);
	if (n > 0)
		len = min(len + n, sizeof(buf) - 3);
	/* File names and guests' messages end up here: no escape sequences. */
	for (i = 0; i < len; i++)
		if (iscntrl((unsigned char)buf[i]))
			buf[i] = '?';
	if (say_raw)
		buf[len++] = '\r';
	buf[len++] = '\n';
	write_all(STDERR_FILENO, buf, len);
}

void *xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p) {
		say("out of memory");
		exit(2);
	}
	return p;
}

void *xzalloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p) {
		say("out of memory");
		exit(2);
	}
	return p;
}

void *xrealloc(void *p, size_t size)
{
	p = realloc(p, size ? size : 1);
	if (!p) {
		say("out of memory");
		exit(2);
	}
	return p;
}

char *xstrdup(const char *s)
{
	size_t len = strlen(s) + 1;

	return memcpy(xmalloc(len), s, len);
}

static void strbuf_grow(struct strbuf *s, size_t more)
{
	size_t room = max_t(size_t, s->room, 64);
	char *data;

	while (room - s->len <= more)
		room *= 2;
	if (room == s->room)
		return;
	data = realloc(s->data, room);
	if (!data) {
		say("out of memory");
		exit(2);
	}
	s->data = data;
	s->room = room;
}

void strbuf_add(struct strbuf *s, const void *data, size_t len)
{
	strbuf_grow(s, len);
	memcpy(s->data + s->len, data, len);
	s->len += len;
	s->data[s->len] = '\0';
}

void strbuf_addf(struct strbuf *s, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0)
		return;
	strbuf_grow(s, n);
	va_start(args, fmt);
	vsnprintf(s->data + s->len, n + 1, fmt, args);
	va_end(args);
	s->len += n;
}

void strbuf_consume(struct strbuf *s, size_t len)
{
	if (len == 0)
		return;
	memmove(s->data, s->data + len, s->len - len);
	s->len -= len;
	s->data[s->len] = '\0';
}

void strbuf_free(struct strbuf *s)
{
	free(s->data);
	memset(s, 0, sizeof(*s));
}

int parse_number(const char *text, u64 max, u64 *value)
{
	unsigned long long n;
	char *end;

	/* strtoull takes blanks and a sign */
	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *end || n > max)
		return -EINVAL;
	*value = n;
	return 0;
}

int parse_size(const char *text, u64 *bytes)
{
	static const char units[] = "KMGT";
	unsigned int shift = 20;
	unsigned long long n;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || n == 0)
		return -EINVAL;
	if (*end) {
		const char *unit = strchr(units, toupper((unsigned char)*end));

		if (!unit)
			return -EINVAL;
		shift = 10 * (unit - units + 1);
		end++;
		/* 256MiB and 256MB are what people also write */
		if (!strcasecmp(end, "iB") || !strcasecmp(end, "B"))
			end = "";
		if (*end)
			return -EINVAL;
	}
	if (n > ULLONG_MAX >> shift)
		return -EINVAL;
	*bytes = n << shift;
	return 0;
}

int parse_seconds(const char *text, unsigned int *ms)
{
	unsigned long n = 0, scale = 1000;
	const char *p = text;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++) {
		n = n * 10 + (*p - '0');
		if (n > 86400)
			return -EINVAL;
	}
	n *= 1000;
	if (*p == '.') {
		p++;
		if (!isdigit((unsigned char)*p))
			return -EINVAL;
		for (; isdigit((unsigned char)*p); p++) {
			scale /= 10;
			if (scale == 0)
				return -EINVAL;
			n += (*p - '0') * scale;
		}
	}
	if (*p || n == 0 || n > 86400UL * 1000)
		return -EINVAL;
	*ms = n;
	return 0;
}

u64 parse_kernel_size(const char *text, const char **end)
{
	static const char units[] = "KMGTPE";
	const char *unit;
	char *stop;
	u64 n;

	n = strtoull(text, &stop, 0);
	if (*stop) {
		unit = strchr(units, toupper((unsigned char)*stop));
		if (unit) {
			n <<= 10 * (unit - units + 1);
			stop++;
		}
	}
	*end = stop;
	return n;
}

const char *format_size(u64 bytes, char *buf, size_t len)
{
	static const char units[] = "KMGT";
	int unit = 0;

	if (bytes % KIB) {
		snprintf(buf, len, "%llu", bytes);
		return buf;
	}
	bytes /= KIB;
	while (unit < 3 && bytes && bytes % KIB == 0) {
		bytes /= KIB;
		unit++;
	}
	snprintf(buf, len, "%llu%c", bytes, units[unit]);
	return buf;
}

const char *format_uptime(u64 seconds, char *buf, size_t len)
{
	unsigned int h = seconds / 3600 % 24, m = seconds / 60 % 60, s = seconds % 60;

	if (seconds >= 86400)
		snprintf(buf, len, "%llud %02u:%02u:%02u", seconds / 86400, h, m, s);
	else
		snprintf(buf, len, "%02u:%02u:%02u", h, m, s);
	return buf;
}

/* Length of the UTF-8 sequence at @s, 0 if it is none. */
static size_t utf8_len(const unsigned char *s)
{
	size_t len, i;
	u32 c;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		len = 2;
	else if ((s[0] & 0xf0) == 0xe0)
		len = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		len = 4;
	else
		return 0;
	c = s[0] & (0x7f >> len);
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (len == 3 && (c < 0x800 || (c >= 0xd800 && c <= 0xdfff)))
		return 0;
	if (len == 4 && (c < 0x10000 || c > 0x10ffff))
		return 0;
	return len;
}

void json_string(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t len;

	putc('"', out);
	for (; *s; s += len) {
		len = utf8_len(s);
		if (len == 0) {
			fputs("\\ufffd", out);
			len = 1;
		} else if (*s == '"' || *s == '\\') {
			fprintf(out, "\\%c", *s);
		} else if (*s == '\n') {
			fputs("\\n", out);
		} else if (*s == '\t') {
			fputs("\\t", out);
		} else if (*s < 0x20 || *s == 0x7f) {
			fprintf(out, "\\u%04x", *s);
		} else {
			fwrite(s, 1, len, out);
		}
	}
	putc('"', out);
}

void print_visible(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t len;

	for (; *s; s += len) {
		len = utf8_len(s);
		/* U+0080..U+009F are control characters too */
		if (len == 0 || *s < 0x20 || *s == 0x7f ||
		    (len == 2 && s[0] == 0xc2 && s[1] < 0xa0)) {
			fprintf(out, "\\x%02x", *s);
			len = 1;
		} else {
			fwrite(s, 1, len, out);
		}
	}
}

int write_all(int fd, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	while (len) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd pfd = { .fd = fd, .events = POLLOUT };

			poll(&pfd, 1, -1);
			continue;
		}
		if (n < 0)
			return -errno;
		p += n;
		len -= n;
	}
	return 0;
}

u64 monotonic_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}
