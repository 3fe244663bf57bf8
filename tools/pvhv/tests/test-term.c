// SPDX-License-Identifier: GPL-2.0
#include "term.h"
#include "unit.h"

#define ESC "\x1d"

void test_term(void)
{
	static const struct {
		const char *in, *out;
		size_t used;
		enum escape_action action;
		bool pending;
	} cases[] = {
		{ "hello", "hello", 5, ESCAPE_NONE, false },
		{ "\x03\x1a\x1c", "\x03\x1a\x1c", 3, ESCAPE_NONE, false },
		{ "ab" ESC "qcd", "ab", 4, ESCAPE_QUIT, false },
		{ ESC ".", "", 2, ESCAPE_QUIT, false },
		{ ESC "?x", "", 2, ESCAPE_HELP, false },
		{ "a" ESC ESC "b", "a" ESC "b", 4, ESCAPE_NONE, false },
		{ ESC "x", ESC "x", 2, ESCAPE_NONE, false },
		{ "a" ESC, "a", 2, ESCAPE_NONE, true },
		{ ESC ESC ESC "q", ESC, 4, ESCAPE_QUIT, false },
		{ "q.?", "q.?", 3, ESCAPE_NONE, false },
	};
	struct escape split = { 0 };
	enum escape_action action;
	u8 out[64];
	size_t i, len, used;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct escape esc = { 0 };

		used = escape_filter(&esc, (const u8 *)cases[i].in, strlen(cases[i].in), out, &len,
				     &action);
		CHECK(used == cases[i].used && action == cases[i].action &&
		      esc.pending == cases[i].pending, "escape %zu: used %zu, action %d", i, used,
		      action);
		CHECK(len == strlen(cases[i].out) && !memcmp(out, cases[i].out, len),
		      "escape %zu: %zu bytes out", i, len);
	}

	/* the two keys in two reads; the second may become two bytes */
	escape_filter(&split, (const u8 *)ESC, 1, out, &len, &action);
	CHECK(len == 0 && action == ESCAPE_NONE, "first half");
	used = escape_filter(&split, (const u8 *)"x", 1, out, &len, &action);
	CHECK(used == 1 && len == 2 && !memcmp(out, ESC "x", 2), "second half");
	escape_filter(&split, (const u8 *)ESC, 1, out, &len, &action);
	escape_filter(&split, (const u8 *)"q", 1, out, &len, &action);
	CHECK(action == ESCAPE_QUIT, "quit in two halves");
}
