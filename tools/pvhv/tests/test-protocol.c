// SPDX-License-Identifier: GPL-2.0
#include "protocol.h"
#include "unit.h"

static void test_requests(void)
{
	static const struct {
		const char *line;
		const char *verb, *arg;	/* NULL: refused */
	} cases[] = {
		{ "info", "info", "" },
		{ "regs 0", "regs", "0" },
		{ "a b", "a", "b" },
		{ "", NULL, NULL }, { " ", NULL, NULL }, { " info", NULL, NULL },
		{ "info ", NULL, NULL }, { "regs  0", NULL, NULL }, { "regs 0 1", NULL, NULL },
		{ "info\r", NULL, NULL }, { "in\tfo", NULL, NULL }, { "caf\xc3\xa9", NULL, NULL },
		{ "\x7f", NULL, NULL },
	};
	const char *verb, *arg;
	char line[CONTROL_MAX_REQUEST + 1];
	struct errmsg e;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		int rc;

		strcpy(line, cases[i].line);
		rc = control_parse_request(line, strlen(line), &verb, &arg, &e);
		CHECK((rc == 0) == !!cases[i].verb, "request '%s': %d", cases[i].line, rc);
		if (!rc)
			CHECK(!strcmp(verb, cases[i].verb) && !strcmp(arg, cases[i].arg),
			      "request '%s': '%s' '%s'", cases[i].line, verb, arg);
	}
	memcpy(line, "in\0fo", 5);
	CHECK(control_parse_request(line, 5, &verb, &arg, &e), "a NUL in a request");
}

static void test_answers(void)
{
	static const struct {
		const char *line;
		int kind;
		const char *key, *value;
	} cases[] = {
		{ "ok", CONTROL_OK, NULL, NULL },
		{ "=name web", CONTROL_VALUE, "name", "web" },
		{ "=cmdline a b  c", CONTROL_VALUE, "cmdline", "a b  c" },
		{ "=empty ", CONTROL_VALUE, "empty", "" },
		{ "=path a\\x0ab\\x5cc", CONTROL_VALUE, "path", "a\nb\\c" },
		{ "=bad \\x0 \\xzz \\", CONTROL_VALUE, "bad", "\\x0 \\xzz \\" },
		{ "=nul \\x00", CONTROL_VALUE, "nul", "\\x00" },
		{ "error state it has ended", CONTROL_ERROR, "state", "it has ended" },
		{ "=", -1, NULL, NULL }, { "=x", -1, NULL, NULL }, { "= x", -1, NULL, NULL },
		{ "okay", -1, NULL, NULL }, { "", -1, NULL, NULL }, { "error", -1, NULL, NULL },
		{ "error ", -1, NULL, NULL }, { "name web", -1, NULL, NULL },
	};
	char line[256], *key, *value;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		int kind;

		strcpy(line, cases[i].line);
		kind = control_parse_answer(line, &key, &value);
		CHECK(kind == cases[i].kind, "answer '%s': %d", cases[i].line, kind);
		if (kind == cases[i].kind && cases[i].key)
			CHECK(!strcmp(key, cases[i].key) && !strcmp(value, cases[i].value),
			      "answer '%s': '%s' '%s'", cases[i].line, key, value);
	}
}

static void test_round_trip(void)
{
	char all[256], *key, *value, *newline;
	struct strbuf s = { 0 };
	int i;

	for (i = 1; i < 256; i++)
		all[i - 1] = i;
	all[255] = '\0';
	control_add(&s, "all", all);
	newline = memchr(s.data, '\n', s.len);
	CHECK(newline == s.data + s.len - 1, "a newline in a value");
	*newline = '\0';
	CHECK(control_parse_answer(s.data, &key, &value) == CONTROL_VALUE && !strcmp(value, all),
	      "all bytes come back");
	strbuf_free(&s);
}

static void test_greetings(void)
{
	static const struct { const char *line; int version; } cases[] = {
		{ "pvhv-control 1 web", 1 }, { "pvhv-control 12 web", 12 },
		{ "pvhv-control 1", -1 }, { "pvhv-control  1 web", -1 },
		{ "pvhv-control x web", -1 },
		{ "pvhv-control -1 web", -1 }, { "pvhv-control 0 web", -1 },
		{ "pvhv-control 99999999999999999999 web", -1 },
		{ "SSH-2.0-OpenSSH", -1 }, { "", -1 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK(control_parse_greeting(cases[i].line) == cases[i].version, "greeting '%s'",
		      cases[i].line);
}

void test_protocol(void)
{
	test_requests();
	test_answers();
	test_round_trip();
	test_greetings();
}
