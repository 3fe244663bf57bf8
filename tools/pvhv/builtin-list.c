// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <getopt.h>

#include "builtin.h"
#include "client.h"
#include "runtime.h"

#define ROW	"%-20s %7s  %-12s %8s  %4s  %5s %4s  %12s  "

#define LIST_TIMEOUT_MS	2000	/* for each launcher: one may hang */

static void print_row(const char *name, const struct answer *a)
{
	char size[32], uptime[32];

	printf(ROW, name, answer_get(a, "pid"), answer_get(a, "state"),
	       format_size(answer_number(a, "memory"), size, sizeof(size)),
	       answer_get(a, "vcpus"), answer_get(a, "disks"), answer_get(a, "nets"),
	       format_uptime(answer_number(a, "uptime-ms") / 1000, uptime, sizeof(uptime)));
	print_visible(stdout, answer_get(a, "reason"));
	putchar('\n');
}

static void print_json_row(const char *name, const struct answer *a, bool first)
{
	printf("%s\n  {\"name\": ", first ? "" : ",");
	json_string(stdout, name);
	printf(", \"pid\": %llu, \"state\": ", answer_number(a, "pid"));
	json_string(stdout, answer_get(a, "state"));
	printf(", \"memory\": %llu, \"vcpus\": %llu, \"disks\": %llu, \"nets\": %llu",
	       answer_number(a, "memory"), answer_number(a, "vcpus"),
	       answer_number(a, "disks"), answer_number(a, "nets"));
	printf(", \"uptime_ms\": %llu, \"reason\": ", answer_number(a, "uptime-ms"));
	if (*answer_get(a, "reason"))
		json_string(stdout, answer_get(a, "reason"));
	else
		printf("null");
	printf("}");
}

/* A launcher that is there but cannot tell */
static void print_mute(const char *name, const char *why, bool json, bool first)
{
	if (json) {
		printf("%s\n  {\"name\": ", first ? "" : ",");
		json_string(stdout, name);
		printf(", \"pid\": null, \"state\": \"unresponsive\", \"memory\": null");
		printf(", \"vcpus\": null, \"disks\": null, \"nets\": null");
		printf(", \"uptime_ms\": null, \"reason\": ");
		json_string(stdout, why);
		printf("}");
	} else {
		printf(ROW "%s\n", name, "-", "unresponsive", "-", "-", "-", "-", "-", why);
	}
}

int cmd_list(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	bool json = false, first = true;
	char **names, **name;
	int c;

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
	if (optind < argc)
		return bad_usage(argv, "unknown argument %s", argv[optind]);

	if (json)
		putchar('[');
	else
		printf(ROW "%s\n", "NAME", "PID", "STATE", "MEMORY", "CPUS", "DISKS", "NETS",
		       "UPTIME", "REASON");
	names = runtime_names();
	for (name = names; *name; name++) {
		struct connection conn;
		struct answer a;
		struct errmsg e;
		int rc;

		rc = client_connect(&conn, *name, LIST_TIMEOUT_MS, &e);
		if (!rc) {
			rc = client_request(&conn, "info", LIST_TIMEOUT_MS, &a, &e);
			client_close(&conn);
		}
		/* gone by now, or another user's */
		if (rc == -ENOENT || rc == -EPIPE || rc == -EACCES || rc == -EPERM)
			continue;
		if (rc) {
			print_mute(*name, e.text, json, first);
		} else {
			if (json)
				print_json_row(*name, &a, first);
			else
				print_row(*name, &a);
			answer_free(&a);
		}
		first = false;
	}
	names_free(names);
	if (json)
		printf(first ? "]\n" : "\n]\n");
	return STATUS_OK;
}
