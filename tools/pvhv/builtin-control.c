// SPDX-License-Identifier: GPL-2.0
/*
 * pause, resume, stop and kill: a request that has the command's name.
 */
#include <getopt.h>
#include <string.h>

#include "builtin.h"
#include "client.h"

#define STOP_TIMEOUT_MS		30000
#define KILL_TIMEOUT_MS		10000

int cmd_control(int argc, char **argv)
{
	static const struct option options[] = {
		{ "timeout", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	const char *verb = argv[0], *name = NULL;
	bool is_stop = !strcmp(verb, "stop");
	unsigned int wait_ms = 0;
	int c, rc, status = STATUS_OK;
	struct connection conn;
	struct answer a;
	struct errmsg e;

	if (is_stop)
		wait_ms = STOP_TIMEOUT_MS;
	else if (!strcmp(verb, "kill"))
		wait_ms = KILL_TIMEOUT_MS;
	while ((c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (c) {
		case 't':
			if (!is_stop)
				return bad_usage(argv, "unknown option --timeout");
			if (parse_timeout(argv, &wait_ms))
				return STATUS_USAGE;
			break;
		case 'h':
			return print_command_help(verb);
		case ':':
			return bad_usage(argv, "%s needs an argument", argv[optind - 1]);
		default:
			return bad_option(argv);
		}
	}
	if (parse_name(argc, argv, &name, &status))
		return status;

	rc = client_connect(&conn, name, CLIENT_TIMEOUT_MS, &e);
	if (!rc) {
		rc = client_request(&conn, verb, CLIENT_TIMEOUT_MS, &a, &e);
		if (rc)
			client_close(&conn);
	}
	if (rc) {
		say("%s: %s", name, e.text);
		return STATUS_USAGE;
	}
	answer_free(&a);
	if (wait_ms && client_wait_end(&conn, wait_ms)) {
		if (is_stop)
			say("%s: still there after %u s; pvhv kill %s ends it at once", name,
			    (wait_ms + 999) / 1000, name);
		else
			say("%s: its launcher does not end", name);
		status = STATUS_USAGE;
	}
	client_close(&conn);
	return status;
}
