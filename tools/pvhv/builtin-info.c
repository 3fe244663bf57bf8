// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <linux/pvhv.h>

#include "builtin.h"
#include "client.h"
#include "cpulist.h"
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

static void print_regs(unsigned int vcpu, const struct answer *regs)
{
	const struct answer_value *v;
	unsigned int i;

	if (!regs->nr)
		return;
	printf("\nvCPU %u", vcpu);
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

static void print_json_regs(const struct answer regs[PVHV_MAX_VCPUS])
{
	const char *separator = ", \"registers\": [";
	unsigned int i;

	for (i = 0; i < PVHV_MAX_VCPUS; i++) {
		if (!regs[i].nr)
			continue;
		printf("%s{\"vcpu\": %u, ", separator, i);
		print_json_values(&regs[i], true);
		putchar('}');
		separator = ", ";
	}
	if (separator[2] == '\0')
		putchar(']');
}

/* Those of the vCPUs that are up; it may be resumed meanwhile. */
static void ask_regs(struct connection *conn, const char *name, const char *vcpus,
		     struct answer regs[PVHV_MAX_VCPUS])
{
	struct cpu_list up;
	char request[16];
	struct errmsg e;
	unsigned int i;

	if (cpu_list_parse(&up, vcpus, &e))
		return;
	for (i = 0; i < PVHV_MAX_VCPUS; i++) {
		if (!cpu_list_has(&up, i))
			continue;
		snprintf(request, sizeof(request), "regs %u", i);
		if (!client_request(conn, request, CLIENT_TIMEOUT_MS, &regs[i], &e))
			continue;
		say("%s: no registers: %s", name, e.text);
		break;
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
	struct answer info, regs[PVHV_MAX_VCPUS] = { 0 }, disks = { 0 }, nets = { 0 };
	const char *name = NULL, *state;
	unsigned int i;
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
			return bad_option(argv);
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
	if (!strcmp(state, "paused") || !strcmp(state, "crashed"))
		ask_regs(&conn, name, answer_get(&info, "vcpus-up"), regs);
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
		print_json_regs(regs);
		printf("}\n");
	} else {
		print_plain(&info);
		print_devices(&disks, true);
		print_devices(&nets, false);
		for (i = 0; i < PVHV_MAX_VCPUS; i++)
			print_regs(i, &regs[i]);
	}
	answer_free(&disks);
	answer_free(&nets);
	answer_free(&info);
	for (i = 0; i < PVHV_MAX_VCPUS; i++)
		answer_free(&regs[i]);
	return STATUS_OK;
}
