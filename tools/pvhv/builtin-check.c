// SPDX-License-Identifier: GPL-2.0
#include <getopt.h>
#include <string.h>

#include <pvhv/start_info.h>

#include "builtin.h"
#include "host.h"

struct bit_name {
	u64 bit;
	const char *name;
};

static const struct bit_name features[] = {
	{ PVHV_F_FSGSBASE, "fsgsbase" }, { PVHV_F_CLOCK_STABLE, "clock-stable" },
	{ PVHV_F_HINTS, "hints" }, { PVHV_F_CPUID_FAULTING, "cpuid-faulting" },
	{ PVHV_F_DIRECT_FAULTS, "direct-faults" },
};

static const struct bit_name switcher[] = {
	{ PVHV_SWITCHER_PCID, "pcid" }, { PVHV_SWITCHER_LA57, "la57" },
	{ PVHV_SWITCHER_PTI, "pti" }, { PVHV_SWITCHER_FSGSBASE, "fsgsbase" },
	{ PVHV_SWITCHER_INVPCID, "invpcid" }, { PVHV_SWITCHER_RSB_FILL, "rsb-fill" },
	{ PVHV_SWITCHER_IBRS, "ibrs" }, { PVHV_SWITCHER_VERW, "verw" },
	{ PVHV_SWITCHER_IBPB, "ibpb" }, { PVHV_SWITCHER_BHB, "bhb" },
};

/* An array of names; bits that have none as numbers */
static void print_bits(const char *key, u64 bits, const struct bit_name *names, size_t nr)
{
	const char *separator = "";
	unsigned int bit;
	size_t i;

	printf(", \"%s\": [", key);
	for (bit = 0; bit < 64; bit++) {
		if (!(bits & (1ULL << bit)))
			continue;
		for (i = 0; i < nr && names[i].bit != 1ULL << bit; i++)
			;
		if (i < nr)
			printf("%s\"%s\"", separator, names[i].name);
		else
			printf("%s\"bit-%u\"", separator, bit);
		separator = ", ";
	}
	printf("]");
}

static void print_plain(const struct host *h, bool ready)
{
	const struct problem *p;

	for (p = h->problem; p < h->problem + h->nr; p++)
		printf("%s %s: %s; %s\n", p->is_error ? "error" : "warning", p->type, p->text,
		       p->action);
	if (!ready)
		return;
	printf("ok ready: Linux %s, module API version %u, ", h->release, h->info.api_version);
	printf("guest ABI version %u, CPUID %s\n", h->info.abi_version,
	       h->info.features & PVHV_F_CPUID_FAULTING ? "faults" : "is raw");
}

static void print_json(const struct host *h, bool ready)
{
	const struct problem *p;

	printf("{\"ready\": %s, \"kernel\": ", ready ? "true" : "false");
	json_string(stdout, h->release);
	if (h->have_info) {
		printf(", \"module\": {\"api_version\": %u, \"abi_version\": %u",
		       h->info.api_version, h->info.abi_version);
		printf(", \"tsc_khz\": %llu, \"max_vcpus\": %u, \"domains\": %u",
		       h->info.tsc_khz, h->info.max_vcpus, h->info.nr_domains);
		print_bits("features", h->info.features, features, ARRAY_SIZE(features));
		print_bits("switcher", h->info.switcher, switcher, ARRAY_SIZE(switcher));
		printf("}");
	} else {
		printf(", \"module\": null");
	}
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
			return bad_option(argv);
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
