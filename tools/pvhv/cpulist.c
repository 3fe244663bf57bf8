// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "cpulist.h"

bool cpu_list_has(const struct cpu_list *list, unsigned int cpu)
{
	return CPU_ISSET_S(cpu, sizeof(list->set), list->set);
}

/* Move *text behind a number; -1: there is none, or it is too large */
static int next_cpu(const char **text)
{
	int cpu = 0;

	if (!isdigit((unsigned char)**text))
		return -1;
	for (; isdigit((unsigned char)**text); (*text)++) {
		cpu = cpu * 10 + **text - '0';
		if (cpu >= HOST_MAX_CPUS)
			return -1;
	}
	return cpu;
}

/* "6" or "0-3" */
static int next_range(const char **text, struct cpu_list *list)
{
	int first = next_cpu(text), last = first;

	if (**text == '-') {
		(*text)++;
		last = next_cpu(text);
	}
	if (first < 0 || last < first)
		return -1;
	for (; first <= last; first++)
		CPU_SET_S(first, sizeof(list->set), list->set);
	return 0;
}

int cpu_list_parse(struct cpu_list *list, const char *text, struct errmsg *e)
{
	const char *p = text;
	int rc;

	memset(list, 0, sizeof(*list));
	while (!(rc = next_range(&p, list)) && *p == ',')
		p++;
	if (rc || *p)
		return errmsg_set(e, "'%s' is not a list of CPUs, such as 0-3,6", text);
	return 0;
}

void cpu_list_format(const struct cpu_list *list, struct strbuf *out)
{
	const char *comma = "";
	unsigned int cpu, last;

	for (cpu = 0; cpu < HOST_MAX_CPUS; cpu++) {
		if (!cpu_list_has(list, cpu))
			continue;
		for (last = cpu; last + 1 < HOST_MAX_CPUS && cpu_list_has(list, last + 1);)
			last++;
		strbuf_addf(out, "%s%u", comma, cpu);
		if (last > cpu)
			strbuf_addf(out, "%c%u", last == cpu + 1 ? ',' : '-', last);
		comma = ",";
		cpu = last;
	}
}

static int read_host(struct cpu_list *list, const char *name)
{
	char path[64], text[16 * KIB];
	struct errmsg ignored;
	int rc = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/%s", name);
	f = fopen(path, "re");
	if (!f)
		return -1;
	if (fgets(text, sizeof(text), f)) {
		text[strcspn(text, "\n")] = '\0';
		rc = cpu_list_parse(list, text, &ignored);
	}
	fclose(f);
	return rc;
}

int cpu_list_check_host(const struct cpu_list *list, struct errmsg *e)
{
	struct cpu_list present, online;
	struct strbuf text = { 0 };
	unsigned int cpu;

	if (read_host(&present, "present") || read_host(&online, "online"))
		return 0;
	for (cpu = 0; cpu < HOST_MAX_CPUS; cpu++)
		if (cpu_list_has(list, cpu) && !cpu_list_has(&online, cpu))
			break;
	if (cpu == HOST_MAX_CPUS)
		return 0;
	cpu_list_format(&online, &text);
	errmsg_set(e, "CPU %u of the host %s: give some of %.900s", cpu,
		   cpu_list_has(&present, cpu) ? "is offline" : "does not exist", text.data);
	strbuf_free(&text);
	return -1;
}

int cpu_list_get_affinity(struct cpu_list *list, pid_t tid)
{
	memset(list, 0, sizeof(*list));
	return sched_getaffinity(tid, sizeof(list->set), list->set) ? -errno : 0;
}

int cpu_list_set_affinity(const struct cpu_list *list, pid_t tid)
{
	return sched_setaffinity(tid, sizeof(list->set), list->set) ? -errno : 0;
}
