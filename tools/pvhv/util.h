/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every part of the tool uses: error text, growing strings, parsing of
 * numbers, JSON.
 */
#ifndef PVHV_TOOL_UTIL_H
#define PVHV_TOOL_UTIL_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define __printf(f, a)	__attribute((format(printf, f, a)))

/* Each argument is evaluated once; both are of the type of the first, or given. */
#define min_t(type, a, b) ({ type __a = (a); type __b = (b); __a < __b ? __a : __b; })
#define max_t(type, a, b) ({ type __a = (a); type __b = (b); __a > __b ? __a : __b; })
#define min(a, b)	({ __auto_type __x = (a); min_t(__typeof__(__x), __x, b); })
#define max(a, b)	({ __auto_type __x = (a); max_t(__typeof__(__x), __x, b); })

#define KIB		1024ULL
#define MIB		(1024 * KIB)
#define GIB		(1024 * MIB)
#define GUEST_PAGE_SIZE	4096ULL

static inline u64 page_align(u64 value)
{
	return (value + GUEST_PAGE_SIZE - 1) & ~(GUEST_PAGE_SIZE - 1);
}

static inline u64 page_align_down(u64 value)
{
	return value & ~(GUEST_PAGE_SIZE - 1);
}

/*
 * Why something failed, for the user: one line, without "pvhv:" and newline.
 * Functions that take one fill it in exactly when they fail.
 */
struct errmsg {
	char text[1024];
};

/* Fill in @e; returns -1, so that callers can return the call itself. */
int errmsg_set(struct errmsg *e, const char *fmt, ...) __printf(2, 3);

/* Print "pvhv: ...\n" to stderr in one write; \r\n while a terminal is raw. */
void say(const char *fmt, ...) __printf(1, 2);
extern bool say_raw;

/* A string that grows; memory exhaustion ends the program. */
struct strbuf {
	char *data;	/* NUL-terminated once anything was added */
	size_t len;
	size_t room;
};

void strbuf_add(struct strbuf *s, const void *data, size_t len);
void strbuf_addf(struct strbuf *s, const char *fmt, ...) __printf(2, 3);
void strbuf_consume(struct strbuf *s, size_t len);	/* drop the first bytes */
void strbuf_free(struct strbuf *s);

void *xmalloc(size_t size);
void *xzalloc(size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);

/*
 * "512M", "2G", "1048576KiB", "512MB" (the same); a bare number means MiB, as in
 * qemu -m. 0, other suffixes, fractions and overflow are refused.
 */
int parse_size(const char *text, u64 *bytes);
/* decimal, nothing else around it, at most @max */
int parse_number(const char *text, u64 max, u64 *value);
/* seconds with at most three decimals: "0.5", "2"; at least 1 ms, at most a day */
int parse_seconds(const char *text, unsigned int *ms);
/* the kernel's memparse(): decimal or 0x, K/M/G/T/P/E; *end is left behind it */
u64 parse_kernel_size(const char *text, const char **end);

/* "256M", "1536K", "4G": the largest unit that is exact */
const char *format_size(u64 bytes, char *buf, size_t len);
/* "1d 02:03:04" or "02:03:04" */
const char *format_uptime(u64 seconds, char *buf, size_t len);

/* Print @text as a JSON string, quotes included; bytes that are not UTF-8 become U+FFFD. */
void json_string(FILE *out, const char *text);
/* Print @text with control characters made visible, for terminals. */
void print_visible(FILE *out, const char *text);

/* Write all of it or fail; waits on descriptors that do not block. */
int write_all(int fd, const void *data, size_t len);

u64 monotonic_ms(void);

#endif
