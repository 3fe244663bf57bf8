// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "builtin.h"
#include "client.h"

/* A level, such as the shadow pages there are now, has no rate. */
static bool is_level(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && !strcmp(name + len - 4, "_now");
}

/*
 * @before: the previous answer; NULL: everything was 0 when the domain started.
 * The domain may have been started again in between: then likewise.
 */
struct sample {
	const struct answer *before;
	const struct answer *now;
	double seconds;
};

static void sample_init(struct sample *s, const struct answer *before, const struct answer *now)
{
	u64 end = answer_number(now, "uptime-ms");
	u64 start = before ? answer_number(before, "uptime-ms") : 0;

	if (end < start) {
		before = NULL;
		start = 0;
	}
	s->before = before;
	s->now = now;
	s->seconds = (end - start) / 1000.0;
}

static double rate(const struct sample *s, const char *key, u64 total)
{
	u64 old = s->before ? answer_number(s->before, key) : 0;

	return total >= old && s->seconds > 0 ? (total - old) / s->seconds : 0;
}

static void print_plain(const struct sample *s)
{
	const struct answer_value *v;

	printf("%-24s %20s %14s\n", "COUNTER", "TOTAL", "PER SECOND");
	for (v = s->now->value; v < s->now->value + s->now->nr; v++) {
		u64 total = strtoull(v->value, NULL, 10);

		if (!strcmp(v->key, "uptime-ms"))
			continue;
		print_visible(stdout, v->key);
		printf("%*s %20llu ", max(0, 24 - (int)strlen(v->key)), "", total);
		if (is_level(v->key))
			printf("%14s\n", "-");
		else
			printf("%14.1f\n", rate(s, v->key, total));
	}
}

static void print_json(const char *name, const struct sample *s)
{
	const struct answer_value *v;
	bool first = true;

	printf("{\"name\": ");
	json_string(stdout, name);
	printf(", \"uptime_ms\": %llu, \"seconds\": %.3f, \"counters\": {",
	       answer_number(s->now, "uptime-ms"), s->seconds);
	for (v = s->now->value; v < s->now->value + s->now->nr; v++) {
		u64 total = strtoull(v->value, NULL, 10);

		if (!strcmp(v->key, "uptime-ms"))
			continue;
		printf("%s", first ? "" : ", ");
		first = false;
		json_string(stdout, v->key);
		if (is_level(v->key))
			printf(": {\"total\": %llu, \"rate\": null}", total);
		else
			printf(": {\"total\": %llu, \"rate\": %.3f}", total,
			       rate(s, v->key, total));
	}
	printf("}}\n");
}

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

static int show(const char *name, unsigned int interval_ms, u64 count, bool json)
{
	struct answer before = { 0 }, now;
	struct connection conn;
	struct sample s;
	struct errmsg e;
	u64 i = 0;
	int rc;

	rc = client_connect(&conn, name, CLIENT_TIMEOUT_MS, &e);
	if (!rc)
		rc = client_request(&conn, "stats", CLIENT_TIMEOUT_MS, &now, &e);
	/* with an interval, the first one is only where rates start */
	while (!rc) {
		if (!interval_ms || i > 0) {
			sample_init(&s, interval_ms ? &before : NULL, &now);
			if (json) {
				print_json(name, &s);
			} else {
				printf("%s", i > 1 ? "\n" : "");
				print_plain(&s);
			}
			fflush(stdout);
		}
		answer_free(&before);
		before = now;
		if (!interval_ms || i++ == count || ferror(stdout))
			break;
		sleep_ms(interval_ms);
		rc = client_request(&conn, "stats", CLIENT_TIMEOUT_MS, &now, &e);
		/* it ended while we looked on */
		if (rc == -EPIPE) {
			rc = 0;
			break;
		}
	}
	answer_free(&before);
	client_close(&conn);
	if (rc) {
		say("%s: %s", name, e.text);
		return STATUS_USAGE;
	}
	return STATUS_OK;
}

int cmd_stat(int argc, char **argv)
{
	static const struct option options[] = {
		{ "interval", required_argument, NULL, 'i' },
		{ "count", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	unsigned int interval_ms = 0;
	const char *name = NULL;
	u64 count = ULLONG_MAX;
	int c, status = STATUS_OK;
	bool json = false;

	while ((c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (c) {
		case 'i':
			if (parse_seconds(optarg, &interval_ms))
				return bad_usage(argv,
						 "--interval '%s': give seconds, at most 86400",
						 optarg);
			break;
		case 'c':
			if (parse_number(optarg, 1000000000, &count) || count == 0)
				return bad_usage(argv, "--count '%s': give a number from 1",
						 optarg);
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			return print_command_help(argv[0]);
		case ':':
			return bad_usage(argv, "%s needs an argument", argv[optind - 1]);
		default:
			return bad_option(argv);
		}
	}
	if (parse_name(argc, argv, &name, &status))
		return status;
	if (!interval_ms && count != ULLONG_MAX)
		interval_ms = 1000;
	return show(name, interval_ms, count, json);
}
