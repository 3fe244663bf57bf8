// SPDX-License-Identifier: GPL-2.0
/*
 * cpu: the vCPUs of a domain that runs.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/pvhv.h>

#include "builtin.h"
#include "client.h"
#include "cpulist.h"
#include "runtime.h"

#define SET_TIMEOUT_MS	30000
#define POLL_NS		100000000

/* What is behind "pvhv cpu" */
struct call {
	char **argv;		/* for bad_usage() */
	bool json;
	bool timeout_given;
	unsigned int wait_ms;
	const char *domain;
	const char *arg[2];	/* behind it, NULL: not given */
};

static int ask(const struct call *c, const char *request, struct answer *a)
{
	struct errmsg e;
	int rc = client_ask(c->domain, request, a, &e);

	if (rc)
		say("%s: %s", c->domain, e.text);
	return rc;
}

/* ---- list ---- */

static void print_json(const struct answer *a)
{
	const struct answer_value *v;

	printf("[");
	for (v = a->value; v < a->value + a->nr; v++) {
		if (strcmp(v->key, "vcpu"))
			printf(", ");
		else
			printf("%s\n  {", v == a->value ? "" : "},");
		json_string(stdout, strcmp(v->key, "time-ms") ? v->key : "time_ms");
		printf(": ");
		if (strcmp(v->key, "state") && strcmp(v->key, "affinity"))
			printf("%llu", strtoull(v->value, NULL, 10));
		else
			json_string(stdout, v->value);
	}
	printf(a->nr ? "}\n]\n" : "]\n");
}

#define ROW	"%4s  %-5s  %7s  %4s  %11s  %s\n"

static void print_table(const struct answer *a)
{
	const struct answer_value *v;

	printf(ROW, "VCPU", "STATE", "TID", "CPU", "SECONDS", "AFFINITY");
	for (v = a->value; v < a->value + a->nr; v++) {
		const char *ms = answer_of(a, v, "time-ms");
		char seconds[32] = "-";
		u64 n;

		if (strcmp(v->key, "vcpu"))
			continue;
		if (*ms != '-') {
			n = strtoull(ms, NULL, 10);
			snprintf(seconds, sizeof(seconds), "%llu.%03llu", n / 1000, n % 1000);
		}
		printf(ROW, v->value, answer_of(a, v, "state"), answer_of(a, v, "tid"),
		       answer_of(a, v, "cpu"), seconds, answer_of(a, v, "affinity"));
	}
}

static int do_list(const struct call *c)
{
	struct answer a;

	if (ask(c, "cpus", &a))
		return STATUS_USAGE;
	if (c->json)
		print_json(&a);
	else
		print_table(&a);
	answer_free(&a);
	return STATUS_OK;
}

/* ---- pin ---- */

static int do_pin(const struct call *c)
{
	struct strbuf request = { 0 };
	struct cpu_list cpus;
	struct errmsg e;
	struct answer a;
	u64 vcpu;
	int rc;

	if (!c->arg[1])
		return bad_usage(c->argv, "give a domain, one of its vCPUs or all, and CPUs");
	if (strcmp(c->arg[0], "all") && parse_number(c->arg[0], PVHV_MAX_VCPUS - 1, &vcpu))
		return bad_usage(c->argv, "'%s' is no vCPU: give its number or all", c->arg[0]);
	if (strcmp(c->arg[1], "all") && cpu_list_parse(&cpus, c->arg[1], &e))
		return bad_usage(c->argv, "%s", e.text);
	strbuf_addf(&request, "cpu-pin %s,%s", c->arg[0], c->arg[1]);
	rc = ask(c, request.data, &a);
	strbuf_free(&request);
	if (rc)
		return STATUS_USAGE;
	answer_free(&a);
	return STATUS_OK;
}

/* ---- set ---- */

static unsigned int nr_up(const struct answer *a)
{
	unsigned int i, nr = 0;

	for (i = 0; i < a->nr; i++)
		nr += !strcmp(a->value[i].key, "state") && !strcmp(a->value[i].value, "up");
	return nr;
}

static int say_late(const struct call *c, unsigned int up, u64 wanted)
{
	struct answer a;

	if (ask(c, "info", &a))
		return STATUS_USAGE;
	say("%s: vCPUs up after %u s: %u, not %llu; %s", c->domain, (c->wait_ms + 999) / 1000, up,
	    wanted, strcmp(answer_get(&a, "state"), "paused") ?
	    "the guest's log may tell why" : "it is paused: pvhv resume lets it go on");
	answer_free(&a);
	return STATUS_USAGE;
}

static int wait_up(const struct call *c, u64 wanted)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	u64 end = monotonic_ms() + c->wait_ms;
	struct answer a;
	unsigned int up;

	for (;;) {
		if (ask(c, "cpus", &a))
			return STATUS_USAGE;
		up = nr_up(&a);
		answer_free(&a);
		if (up == wanted)
			return STATUS_OK;
		if (monotonic_ms() >= end)
			return say_late(c, up, wanted);
		nanosleep(&pause, NULL);
	}
}

static int do_set(const struct call *c)
{
	struct answer a;
	char request[32];
	u64 wanted;

	if (!c->arg[0])
		return bad_usage(c->argv, "give a domain and a number of vCPUs");
	if (parse_number(c->arg[0], PVHV_MAX_VCPUS, &wanted) || !wanted)
		return bad_usage(c->argv, "'%s': give a number of vCPUs, 1 to %u", c->arg[0],
				 PVHV_MAX_VCPUS);
	snprintf(request, sizeof(request), "cpu-set %llu", wanted);
	if (ask(c, request, &a))
		return STATUS_USAGE;
	answer_free(&a);
	return c->wait_ms ? wait_up(c, wanted) : STATUS_OK;
}

/* ---- all ---- */

static const struct action {
	const char *name;
	int (*fn)(const struct call *c);
	int max_args;		/* behind the domain */
	const char *option;	/* the one that it has, or "" */
} actions[] = {
	{ "list", do_list, 0, "json" },
	{ "pin", do_pin, 2, "" },
	{ "set", do_set, 1, "timeout" },
};

static const struct action *find_action(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(actions); i++)
		if (!strcmp(name, actions[i].name))
			return &actions[i];
	return NULL;
}

/* What is behind the options */
static int call_action(struct call *c, int argc, char **argv)
{
	const struct action *action;
	int i;

	if (argc < 1)
		return bad_usage(c->argv, "give list, pin or set");
	action = find_action(argv[0]);
	if (!action)
		return bad_usage(c->argv, "'%s' is not list, pin or set", argv[0]);
	if (c->json && strcmp(action->option, "json"))
		return bad_usage(c->argv, "%s has no option --json", argv[0]);
	if (c->timeout_given && strcmp(action->option, "timeout"))
		return bad_usage(c->argv, "%s has no option --timeout", argv[0]);
	if (argc < 2)
		return bad_usage(c->argv, "give the NAME of a domain");
	if (!name_valid(argv[1]))
		return bad_usage(c->argv, "'%s' is no name: " NAME_RULE, argv[1]);
	c->domain = argv[1];
	if (argc - 2 > action->max_args)
		return bad_usage(c->argv, "unknown argument %s", argv[2 + action->max_args]);
	for (i = 2; i < argc; i++)
		c->arg[i - 2] = argv[i];
	return action->fn(c);
}

int cmd_cpu(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "timeout", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct call c = { .argv = argv, .wait_ms = SET_TIMEOUT_MS };
	int opt;

	while ((opt = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			c.json = true;
			break;
		case 't':
			if (parse_timeout(argv, &c.wait_ms))
				return STATUS_USAGE;
			c.timeout_given = true;
			break;
		case 'h':
			return print_command_help(argv[0]);
		case ':':
			return bad_usage(argv, "%s needs an argument", argv[optind - 1]);
		default:
			return bad_option(argv);
		}
	}
	return call_action(&c, argc - optind, argv + optind);
}
