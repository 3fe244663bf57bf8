// SPDX-License-Identifier: GPL-2.0
#include <getopt.h>
#include <string.h>

#include "builtin.h"
#include "host.h"

static void print_plain(const struct host *h, bool ready)
{
	const struct problem *p;

	for (p = h->problem; p < h->problem + h->nr; p++)
		printf("%s %s: %s; %s\n", p->is_error ? "error" : "warning", p->type, p->text,
		       p->action);
	if (ready)
		printf("ok ready: Linux %s, module API version %u, guest ABI version %u\n",
		       h->release, h->info.api_version, h->info.abi_version);
}

static void print_json(const struct host *h, bool ready)
{
	const struct problem *p;

	printf("{\"ready\": %s, \"kernel\": ", ready ? "true" : "false");
	json_string(stdout, h->release);
	if (h->have_info)
		printf(", \"module\": {\"api_version\": %u, \"abi_version\": %u, \"features\": %llu, \"tsc_khz\": %llu, \"max_vcpus\": %u, \"domains\": %u, \"switcher\": %llu}",
		       h->info.api_version, h->info.abi_version, h->info.features,
		       h->info.tsc_khz, h->info.max_vcpus, h->info.nr_domains, h->info.switcher);
	else
		printf(", \"module\": null");
	printf(", \"problems\": [");
	for (p = h->problem; p < h->problem + h->nr; p++) {
		printf("%s{\"severity\": \"%s\", \"type\": \"%s\", \"problem\": ",
		       p == h->problem ? "" : ", ", p->is_error ? "error" : "warning", p->type);
		json_string(stdout, p->text);
		printf(", \"action\": ");
		json_string(stdout, p->action);
		printf("}");
	}
	printf("]}\n");
}

int cmd_check(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	bool json = false, ready;
	struct host h;
	int c;

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
	if (optind < argc)
		return bad_usage(argv, "unknown argument %s", argv[optind]);

	host_init(&h);
	ready = host_check(&h);
	if (json)
		print_json(&h, ready);
	else
		print_plain(&h, ready);
	return ready ? STATUS_OK : STATUS_HOST;
}
