// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "device-list.h"

static bool is_number(const char *key)
{
	return !strcmp(key, "id") || !strcmp(key, "index") || !strcmp(key, "size") ||
		!strcmp(key, "queues") || !strcmp(key, "mtu");
}

void device_list_json(const struct answer *a)
{
	const struct answer_value *v;

	printf("[");
	for (v = a->value; v < a->value + a->nr; v++) {
		bool first = !strcmp(v->key, "device");

		if (first)
			printf("%s\n  {", v == a->value ? "" : "},");
		else
			printf(", ");
		json_string(stdout, first ? "name" : v->key);
		printf(": ");
		if (is_number(v->key))
			printf("%llu", strtoull(v->value, NULL, 10));
		else
			json_string(stdout, v->value);
	}
	printf(a->nr ? "}\n]" : "]");
}

#define DISK_ROW	"%-8s %-10s %8s  %-4s  %-9s  %6s  %-12s  "
#define NET_ROW		"%-15s %-10s  %-17s  %-15s  %6s  %s\n"

void device_list_table(const struct answer *a, bool is_disk)
{
	const struct answer_value *v;
	char size[32];

	if (is_disk)
		printf(DISK_ROW "%s\n", "NAME", "STATE", "SIZE", "MODE", "CACHE", "QUEUES",
		       "SERIAL", "PATH");
	else
		printf(NET_ROW, "NAME", "STATE", "MAC", "BRIDGE", "QUEUES", "MTU");
	for (v = a->value; v < a->value + a->nr; v++) {
		if (strcmp(v->key, "device"))
			continue;
		if (!is_disk) {
			printf(NET_ROW, v->value, answer_of(a, v, "state"), answer_of(a, v, "mac"),
			       answer_of(a, v, "bridge"), answer_of(a, v, "queues"),
			       answer_of(a, v, "mtu"));
			continue;
		}
		strcpy(size, "-");
		if (answer_of(a, v, "size")[0] != '-')
			format_size(strtoull(answer_of(a, v, "size"), NULL, 10), size,
				    sizeof(size));
		printf(DISK_ROW, v->value, answer_of(a, v, "state"), size, answer_of(a, v, "mode"),
		       answer_of(a, v, "cache"), answer_of(a, v, "queues"),
		       answer_of(a, v, "serial"));
		print_visible(stdout, answer_of(a, v, "path"));
		putchar('\n');
	}
}
