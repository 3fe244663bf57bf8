// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "builtin.h"
#include "client.h"
#include "device-list.h"

/* Values that are numbers; all others are strings. */
static bool is_number(const char *key)
{
	static const char * const numbers[] = {
		"pid", "domid", "vcpus", "max-vcpus", "memory", "disks", "nets", "uptime-ms",
		"reboots",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!strcmp(key, numbers[i]))
			return true;
	return false;
}

static void print_plain(const struct answer *info)
{
	const struct answer_value *v;
	char buf[32];

	for (v = info->value; v < info->value + info->nr; v++) {
		u64 number = strtoull(v->value, NULL, 10);

		if (!strcmp(v->key, "memory")) {
			printf("%-14s %s\n", v->key, format_size(number, buf, sizeof(buf)));
		} else if (!strcmp(v->key, "uptime-ms")) {
			printf("%-14s %s\n", "uptime",
			       format_uptime(number / 1000, buf, sizeof(buf)));
		} else {
			printf("%-14s ", v->key);
			print_visible(stdout, v->value);
			putchar('\n');
		}
	}
}

static void print_devices(const struct answer *a, bool is_disk)
{
	if (!a->nr)
		return;
	putchar('\n');
	device_list_table(a, is_disk);
}

static void print_regs(const struct answer *regs)
{
	const struct answer_value *v;
	unsigned int i;

	if (!regs->nr)
		return;
	printf("\nvCPU 0");
	for (i = 0; i < regs->nr; i++) {
		v = &regs->value[i];
		/* four 64-bit registers a line, selectors and the mode in one */
		if (strlen(v->value) == 16)
			printf("%s%-7s ", i % 4 ? "  " : "\n", v->key);
		else
			printf("%s%s ", i && strlen(v[-1].value) == 16 ? "\n" : "  ", v->key);
		print_visible(stdout, v->value);
	}
	putchar('\n');
}

/* "uptime-ms" is uptime_ms in JSON */
static void print_json_values(const struct answer *a, bool only_strings)
{
	const struct answer_value *v;
	char key[64];
	char *c;

	for (v = a->value; v < a->value + a->nr; v++) {
		snprintf(key, sizeof(key), "%s", v->key);
		for (c = key; *c; c++)
			if (*c == '-')
				*c = '_';
		printf("%s", v == a->value ? "" : ", ");
		json_string(stdout, key);
		printf(": ");
		if (!only_strings && is_number(v->key))
			printf("%llu", strtoull(v->value, NULL, 10));
		else
			json_string(stdout, v->value);
	}
}

int cmd_info(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	int c, rc, status = STATUS_OK;
	struct answer info, regs = { 0 }, disks = { 0 }, nets = { 0 };
	const char *name = NULL, *state;
	struct connection conn;
	bool json = false;
	struct errmsg e;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			json = true;
			break;
		case 'h':
			return print_command_help(argv[0]);
		default:
			return bad_usage(argv, "unknown option %s", argv[optind - 1]);
		}
	}
	if (parse_name(argc, argv, &name, &status))
		return status;

	rc = client_connect(&conn, name, CLIENT_TIMEOUT_MS, &e);
	if (!rc) {
		rc = client_request(&conn, "info", CLIENT_TIMEOUT_MS, &info, &e);
		if (rc)
			client_close(&conn);
	}
	if (rc) {
		say("%s: %s", name, e.text);
		return STATUS_USAGE;
	}
	state = answer_get(&info, "state");
	if (!strcmp(state, "paused") || !strcmp(state, "crashed")) {
		if (client_request(&conn, "regs 0", CLIENT_TIMEOUT_MS, &regs, &e))
			say("%s: no registers: %s", name, e.text);
	}
	/* "state" and the like if it has just ended: then without */
	if (answer_number(&info, "disks"))
		client_request(&conn, "disks", CLIENT_TIMEOUT_MS, &disks, &e);
	if (answer_number(&info, "nets"))
		client_request(&conn, "nets", CLIENT_TIMEOUT_MS, &nets, &e);
	client_close(&conn);

	if (json) {
		putchar('{');
		print_json_values(&info, false);
		printf(", \"disk_list\": ");
		device_list_json(&disks);
		printf(", \"net_list\": ");
		device_list_json(&nets);
		if (regs.nr) {
			printf(", \"registers\": {");
			print_json_values(&regs, true);
			putchar('}');
		}
		printf("}\n");
	} else {
		print_plain(&info);
		print_devices(&disks, true);
		print_devices(&nets, false);
		print_regs(&regs);
	}
	answer_free(&disks);
	answer_free(&nets);
	answer_free(&info);
	answer_free(&regs);
	return STATUS_OK;
}
