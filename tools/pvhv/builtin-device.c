// SPDX-License-Identifier: GPL-2.0
/*
 * disk and net: the devices of a domain that runs.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "builtin.h"
#include "client.h"
#include "device-list.h"
#include "runtime.h"
#include "spec.h"

#define DETACH_TIMEOUT_MS	30000
#define POLL_NS			100000000

/* What is behind "pvhv disk" or "pvhv net" */
struct call {
	bool is_disk;
	char **argv;		/* for bad_usage() */
	bool json;
	bool force;
	unsigned int wait_ms;
	const char *domain;
	const char *arg[2];	/* behind it, NULL: not given */
};

/* @about: what a failure is about besides the domain, or NULL */
static int ask_about(const struct call *c, const char *about, const char *verb, const char *arg,
		     struct answer *a)
{
	struct strbuf request = { 0 };
	struct errmsg e;
	int rc;

	strbuf_addf(&request, "%s%s%s", verb, arg ? " " : "", arg ? arg : "");
	rc = client_ask(c->domain, request.data, a, &e);
	strbuf_free(&request);
	if (rc)
		say("%s: %s%s%s", c->domain, about ? about : "", about ? ": " : "", e.text);
	return rc;
}

static int ask(const struct call *c, const char *verb, const char *arg, struct answer *a)
{
	return ask_about(c, NULL, verb, arg, a);
}

/* ---- list ---- */

static int do_list(const struct call *c)
{
	struct answer a;

	if (ask(c, c->is_disk ? "disks" : "nets", NULL, &a))
		return STATUS_USAGE;
	if (c->json) {
		device_list_json(&a);
		putchar('\n');
	} else {
		device_list_table(&a, c->is_disk);
	}
	answer_free(&a);
	return STATUS_OK;
}

/* ---- attach ---- */

/* The launcher has another working directory. */
static int make_absolute(struct disk_spec *spec, struct errmsg *e)
{
	char path[PATH_MAX];

	if (!realpath(spec->path, path))
		return errmsg_set(e, errno == ENOENT ? "does not exist" : "%s", strerror(errno));
	strcpy(spec->path, path);
	return 0;
}

static int do_attach(const struct call *c)
{
	const char *text = c->arg[0] ? c->arg[0] : "";
	struct strbuf spec = { 0 }, request = { 0 };
	struct disk_spec disk;
	struct net_spec net;
	struct answer a;
	struct errmsg e;
	int rc;

	if (c->is_disk && !c->arg[0])
		return bad_usage(c->argv, "give a domain and path=FILE");
	if (c->is_disk ? disk_spec_parse(&disk, text, &e) : net_spec_parse(&net, text, &e))
		return bad_usage(c->argv, "%s: %s", text, e.text);
	if (c->is_disk && make_absolute(&disk, &e)) {
		say("%s: %s", disk.path, e.text);
		return STATUS_USAGE;
	}
	if (c->is_disk)
		disk_spec_format(&disk, &spec);
	else
		net_spec_format(&net, &spec);
	if (spec.len)
		control_add_escaped(&request, spec.data);
	if (c->is_disk)
		rc = ask_about(c, disk.path, "disk-attach", request.data, &a);
	else
		rc = ask(c, "net-attach", request.data, &a);
	strbuf_free(&spec);
	strbuf_free(&request);
	if (rc)
		return STATUS_USAGE;
	printf("%s\n", answer_get(&a, "device"));
	answer_free(&a);
	return STATUS_OK;
}

/* ---- detach ---- */

static bool has_id(const struct answer *a, const char *id)
{
	unsigned int i;

	for (i = 0; i < a->nr; i++)
		if (!strcmp(a->value[i].key, "id") && !strcmp(a->value[i].value, id))
			return true;
	return false;
}

/* 0: it is gone, perhaps with its domain; -ETIMEDOUT */
static int wait_gone(const struct call *c, const char *id)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	u64 end = monotonic_ms() + c->wait_ms;
	struct answer a;
	struct errmsg e;
	bool there;

	for (;;) {
		if (client_ask(c->domain, c->is_disk ? "disks" : "nets", &a, &e))
			return 0;
		there = has_id(&a, id);
		answer_free(&a);
		if (!there)
			return 0;
		if (monotonic_ms() >= end)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
}

static int do_detach(const struct call *c)
{
	int status = STATUS_OK;
	struct answer a;
	char verb[32];

	if (!c->arg[0])
		return bad_usage(c->argv, "give a domain and one of its devices");
	snprintf(verb, sizeof(verb), "%s-%s", c->is_disk ? "disk" : "net",
		 c->force ? "remove" : "detach");
	if (ask_about(c, c->arg[0], verb, c->arg[0], &a))
		return STATUS_USAGE;
	if (c->wait_ms && wait_gone(c, answer_get(&a, "id"))) {
		say("%s: %s is still in use after %u s%s", c->domain, c->arg[0],
		    (c->wait_ms + 999) / 1000, c->force ? "" :
		    "; it goes when the guest lets go, --force does not ask");
		status = STATUS_USAGE;
	}
	answer_free(&a);
	return status;
}

/* ---- resize ---- */

static int do_resize(const struct call *c)
{
	struct strbuf arg = { 0 };
	struct answer a;
	char size[32];
	u64 bytes;
	int rc;

	if (!c->arg[0])
		return bad_usage(c->argv, "give a domain and one of its disks");
	strbuf_addf(&arg, "%s", c->arg[0]);
	if (c->arg[1]) {
		if (parse_size(c->arg[1], &bytes)) {
			strbuf_free(&arg);
			return bad_usage(c->argv, "'%s': give a size, as 512M or 2G", c->arg[1]);
		}
		strbuf_addf(&arg, ",%llu", bytes);
	}
	rc = ask_about(c, c->arg[0], "disk-resize", arg.data, &a);
	strbuf_free(&arg);
	if (rc)
		return STATUS_USAGE;
	printf("%s\n", format_size(answer_number(&a, "size"), size, sizeof(size)));
	answer_free(&a);
	return STATUS_OK;
}

/* ---- all ---- */

static const struct {
	const char *name;
	int (*fn)(const struct call *c);
	bool only_disk;
	int max_args;		/* behind the domain */
	const char *options;	/* letters of those that it takes */
} actions[] = {
	{ "list", do_list, false, 0, "j" },
	{ "attach", do_attach, false, 1, "" },
	{ "detach", do_detach, false, 1, "ft" },
	{ "resize", do_resize, true, 2, "" },
};

/* No blank and no comma may reach the request. */
static bool plain(const char *text)
{
	return *text && strlen(text) <= NAME_MAX && !text[strcspn(text, " ,\t\n\\")];
}

int cmd_device(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "force", no_argument, NULL, 'f' },
		{ "timeout", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct call c = {
		.argv = argv, .is_disk = !strcmp(argv[0], "disk"), .wait_ms = DETACH_TIMEOUT_MS,
	};
	char given[8] = "";
	const char *letter;
	int opt, i, n = 0;
	size_t a;

	while ((opt = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			c.json = true;
			break;
		case 'f':
			c.force = true;
			break;
		case 't':
			if (parse_timeout(argv, &c.wait_ms))
				return STATUS_USAGE;
			break;
		case 'h':
			return print_command_help(argv[0]);
		case ':':
			return bad_usage(argv, "%s needs an argument", argv[optind - 1]);
		default:
			return bad_option(argv);
		}
		if (!strchr(given, opt))
			given[n++] = opt;
	}
	argv += optind;
	argc -= optind;
	if (argc < 1)
		return bad_usage(c.argv, "give list, attach, detach%s",
				 c.is_disk ? " or resize" : "");
	for (a = 0; a < ARRAY_SIZE(actions); a++)
		if (!strcmp(argv[0], actions[a].name) && (c.is_disk || !actions[a].only_disk))
			break;
	if (a == ARRAY_SIZE(actions))
		return bad_usage(c.argv, "'%s' is not list, attach, detach%s", argv[0],
				 c.is_disk ? " or resize" : "");
	for (letter = given; *letter; letter++)
		if (!strchr(actions[a].options, *letter))
			return bad_usage(c.argv, "%s has no option --%s", argv[0],
					 *letter == 'j' ? "json" : *letter == 'f' ? "force" :
					 "timeout");
	if (argc < 2)
		return bad_usage(c.argv, "give the NAME of a domain");
	if (!name_valid(argv[1]))
		return bad_usage(c.argv, "'%s' is no name: " NAME_RULE, argv[1]);
	c.domain = argv[1];
	if (argc - 2 > actions[a].max_args)
		return bad_usage(c.argv, "unknown argument %s", argv[2 + actions[a].max_args]);
	for (i = 2; i < argc; i++) {
		c.arg[i - 2] = argv[i];
		if (actions[a].fn != do_attach && !plain(argv[i]))
			return bad_usage(c.argv, "'%s' is no name of a device", argv[i]);
	}
	return actions[a].fn(&c);
}
