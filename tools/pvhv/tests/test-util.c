// SPDX-License-Identifier: GPL-2.0
#include "runtime.h"
#include "unit.h"

static void test_sizes(void)
{
	static const struct {
		const char *text;
		u64 bytes;	/* 0: refused */
	} cases[] = {
		{ "256M", 256 * MIB }, { "256m", 256 * MIB }, { "256", 256 * MIB },
		{ "1G", GIB }, { "2T", 2048 * GIB }, { "4096K", 4 * MIB }, { "4k", 4096 },
		{ "512MiB", 512 * MIB }, { "512MB", 512 * MIB }, { "1gib", GIB },
		{ "0", 0 }, { "0M", 0 }, { "", 0 }, { "M", 0 }, { "-1", 0 }, { "-1M", 0 },
		{ "+5", 0 }, { " 5", 0 }, { "5 ", 0 }, { "5X", 0 }, { "5MM", 0 }, { "5Mi", 0 },
		{ "1.5G", 0 }, { "0x100M", 0 }, { "1e3", 0 }, { "5M5", 0 }, { "5b", 0 },
		{ "18446744073709551615", 0 }, { "18446744073709551616", 0 },
		{ "17592186044416", 0 },	/* 2^64 bytes */
		{ "17592186044415", 0xfffffffffff00000ULL },
		{ "16777216T", 0 }, { "16777215T", 16777215ULL << 40 },
		{ "99999999999999999999999999M", 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 bytes = 0;
		int rc = parse_size(cases[i].text, &bytes);

		CHECK((rc == 0) == (cases[i].bytes != 0), "size '%s': %d", cases[i].text, rc);
		CHECK(bytes == cases[i].bytes, "size '%s': %llu", cases[i].text, bytes);
	}
}

static void test_numbers(void)
{
	static const struct {
		const char *text;
		u64 max;
		bool good;
		u64 value;
	} cases[] = {
		{ "0", 10, true, 0 }, { "10", 10, true, 10 }, { "11", 10, false, 0 },
		{ "", 10, false, 0 }, { "-1", 10, false, 0 }, { "+1", 10, false, 0 },
		{ " 1", 10, false, 0 }, { "1 ", 10, false, 0 }, { "0x1", 10, false, 0 },
		{ "007", 10, true, 7 }, { "99999999999999999999", ~0ULL, false, 0 },
		{ "18446744073709551615", ~0ULL, true, ~0ULL },
	};
	static const struct {
		const char *text;
		unsigned int ms;	/* 0: refused */
	} seconds[] = {
		{ "1", 1000 }, { "0.5", 500 }, { "0.001", 1 }, { "2.25", 2250 },
		{ "86400", 86400000 },
		{ "0", 0 }, { "0.0", 0 }, { "0.0001", 0 }, { "1.", 0 }, { ".5", 0 }, { "-1", 0 },
		{ "86401", 0 }, { "86400.001", 0 }, { "1s", 0 }, { "", 0 }, { "1e3", 0 },
		{ "99999999999999999999", 0 }, { "1.2345", 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 value = 0;
		int rc = parse_number(cases[i].text, cases[i].max, &value);

		CHECK((rc == 0) == cases[i].good && value == cases[i].value, "number '%s': %d %llu",
		      cases[i].text, rc, value);
	}
	for (i = 0; i < ARRAY_SIZE(seconds); i++) {
		unsigned int ms = 0;
		int rc = parse_seconds(seconds[i].text, &ms);

		CHECK((rc == 0) == (seconds[i].ms != 0) && ms == seconds[i].ms,
		      "seconds '%s': %d %u", seconds[i].text, rc, ms);
	}
}

static void test_formats(void)
{
	static const struct { u64 bytes; const char *text; } sizes[] = {
		{ 256 * MIB, "256M" }, { GIB, "1G" }, { 1536 * MIB, "1536M" }, { 4096, "4K" },
		{ 1, "1" }, { 4097, "4097" }, { 2048 * GIB, "2T" }, { 0, "0K" },
		{ MIB + KIB, "1025K" },
	};
	static const struct { u64 seconds; const char *text; } times[] = {
		{ 0, "00:00:00" }, { 59, "00:00:59" }, { 3661, "01:01:01" },
		{ 86399, "23:59:59" }, { 86400, "1d 00:00:00" }, { 864000 + 3723, "10d 01:02:03" },
	};
	char buf[32];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		CHECK(!strcmp(format_size(sizes[i].bytes, buf, sizeof(buf)), sizes[i].text),
		      "size %llu: '%s'", sizes[i].bytes, buf);
	for (i = 0; i < ARRAY_SIZE(times); i++)
		CHECK(!strcmp(format_uptime(times[i].seconds, buf, sizeof(buf)), times[i].text),
		      "uptime %llu: '%s'", times[i].seconds, buf);
}

static char *print_to_string(void (*fn)(FILE *out, const char *text), const char *text)
{
	size_t len;
	char *s;
	FILE *f = open_memstream(&s, &len);

	fn(f, text);
	fclose(f);
	return s;
}

static void test_printing(void)
{
	static const struct {
		const char *text, *json, *visible;
	} cases[] = {
		{ "plain", "\"plain\"", "plain" },
		{ "", "\"\"", "" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"", "a\"b\\c" },
		{ "a\nb\tc\r", "\"a\\nb\\tc\\u000d\"", "a\\x0ab\\x09c\\x0d" },
		{ "\x1b[31m\x7f", "\"\\u001b[31m\\u007f\"", "\\x1b[31m\\x7f" },
		{ "\xc3\xa9 \xe2\x82\xac", "\"\xc3\xa9 \xe2\x82\xac\"", "\xc3\xa9 \xe2\x82\xac" },
		{ "\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"", "\xf0\x9f\x98\x80" },
		/* not UTF-8: a lone byte, overlong, a surrogate, cut short, too large */
		{ "\xff", "\"\\ufffd\"", "\\xff" },
		{ "\xc0\x80", "\"\\ufffd\\ufffd\"", "\\xc0\\x80" },
		{ "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"", "\\xed\\xa0\\x80" },
		{ "\xe2\x82", "\"\\ufffd\\ufffd\"", "\\xe2\\x82" },
		{ "\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"", "\\xf4\\x90\\x80\\x80" },
		/* C1 controls are UTF-8, but nothing for a terminal */
		{ "\xc2\x9b", "\"\xc2\x9b\"", "\\xc2\\x9b" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		char *json = print_to_string(json_string, cases[i].text);
		char *visible = print_to_string(print_visible, cases[i].text);

		CHECK(!strcmp(json, cases[i].json), "json %zu: %s", i, json);
		CHECK(!strcmp(visible, cases[i].visible), "visible %zu: %s", i, visible);
		free(json);
		free(visible);
	}
}

static void test_names(void)
{
	static const struct { const char *name; bool valid; } cases[] = {
		{ "a", true }, { "web-1.example_2", true }, { "0", true }, { ".x", true },
		{ "", false }, { "-a", false }, { "a/b", false }, { "../x", false },
		{ "a b", false },
		{ "a\nb", false }, { "\xc3\xa9", false }, { "a;b", false },
		{ "1234567890123456789012345678901234567890123456789012345678901234", true },
		{ "12345678901234567890123456789012345678901234567890123456789012345", false },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK(name_valid(cases[i].name) == cases[i].valid, "name '%s'", cases[i].name);
}

static void test_strbuf(void)
{
	struct strbuf s = { 0 };
	int i;

	for (i = 0; i < 1000; i++)
		strbuf_addf(&s, "%d,", i);
	CHECK(s.len == 3890 && s.data[s.len] == '\0', "%zu bytes", s.len);
	strbuf_consume(&s, 10);
	CHECK(!strncmp(s.data, "5,6,", 4), "%.10s", s.data);
	strbuf_consume(&s, s.len);
	CHECK(s.len == 0 && s.data[0] == '\0', "%zu bytes", s.len);
	strbuf_consume(&s, 0);
	strbuf_free(&s);
}

void test_util(void)
{
	test_sizes();
	test_numbers();
	test_formats();
	test_printing();
	test_names();
	test_strbuf();
}
