// SPDX-License-Identifier: GPL-2.0
/* Test guests: strings, printf and the end of the domain. */
#include "guest.h"

void *memset(void *s, int c, size_t n)
{
	char *p = s;

	while (n--)
		*p++ = c;
	return s;
}

void *memcpy(void *d, const void *s, size_t n)
{
	char *to = d;
	const char *from = s;

	while (n--)
		*to++ = *from++;
	return d;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *p = a, *q = b;

	for (; n; n--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return (u8)*a - (u8)*b;
}

struct out {
	char *buf;
	size_t size, len;
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void put_string(struct out *o, const char *s, int width)
{
	int n = strlen(s);

	while (*s)
		put(o, *s++);
	for (; n < width; n++)
		put(o, ' ');
}

static void put_number(struct out *o, u64 v, int base, int width, char pad, bool minus)
{
	char digits[24];
	int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	if (minus)
		digits[n++] = '-';
	for (; width > n; width--)
		put(o, pad);
	while (n)
		put(o, digits[--n]);
}

/* %s %c %d %u %x %p, with l, #, 0 and a width */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	struct out o = { buf, size, 0 };

	for (; *fmt; fmt++) {
		int width = 0, longs = 0;
		bool hash = false;
		char pad = ' ';
		long v;

		if (*fmt != '%') {
			put(&o, *fmt);
			continue;
		}
		fmt++;
		for (; *fmt == '#' || *fmt == '0' || *fmt == '-'; fmt++) {
			hash |= *fmt == '#';
			if (*fmt == '0')
				pad = '0';
		}
		for (; *fmt >= '0' && *fmt <= '9'; fmt++)
			width = width * 10 + *fmt - '0';
		for (; *fmt == 'l' || *fmt == 'z'; fmt++)
			longs++;
		switch (*fmt) {
		case 's':
			put_string(&o, va_arg(args, const char *), width);
			break;
		case 'c':
			put(&o, va_arg(args, int));
			break;
		case 'd':
			v = longs ? va_arg(args, long) : va_arg(args, int);
			put_number(&o, v < 0 ? -(u64)v : (u64)v, 10, width, pad, v < 0);
			break;
		case 'u':
		case 'x':
		case 'p':
			if (longs || *fmt == 'p')
				v = va_arg(args, long);
			else
				v = va_arg(args, unsigned int);
			if (hash || *fmt == 'p')
				put_string(&o, "0x", 0);
			put_number(&o, v, *fmt == 'u' ? 10 : 16, width, pad, false);
			break;
		default:
			put(&o, *fmt);
		}
	}
	if (size)
		buf[o.len < size ? o.len : size - 1] = 0;
	return o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(buf, size, fmt, args);
	va_end(args);
	return n;
}

void console_write(const char *s, size_t len)
{
	static char buf[PAGE_SIZE] __page_aligned;	/* contiguous in gpa */

	while (len) {
		size_t n = len < sizeof(buf) ? len : sizeof(buf), done = 0;

		memcpy(buf, s, n);
		while (done < n) {
			long r = hc_console_write((u64)buf - KERNEL_BASE + done, n - done);

			if (r < 0)
				return;
			if (!r)
				hc_yield();
			done += r;
		}
		s += n;
		len -= n;
	}
}

void printf(const char *fmt, ...)
{
	static char line[1024];
	va_list args;
	size_t n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	console_write(line, n < sizeof(line) ? n : sizeof(line) - 1);
}

void __noreturn shutdown(int reason, const char *message)
{
	static char buf[256] __attribute__((aligned(256)));

	snprintf(buf, sizeof(buf), "%s", message ?: "");
	hc_shutdown(reason, message ? (u64)buf - KERNEL_BASE : 0, strlen(buf));
	for (;;)
		asm volatile("ud2");
}

void __noreturn panic(const char *fmt, ...)
{
	static char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	printf("panic: %s\n", text);
	shutdown(PVHV_SHUTDOWN_CRASH, text);
}
