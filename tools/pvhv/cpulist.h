/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sets of the host's CPUs, in text as "0-3,6".
 */
#ifndef PVHV_TOOL_CPULIST_H
#define PVHV_TOOL_CPULIST_H

#include <sched.h>

#include "util.h"

#define HOST_MAX_CPUS	8192	/* that Linux can have; a cpu_set_t has fewer */

struct cpu_list {
	cpu_set_t set[HOST_MAX_CPUS / CPU_SETSIZE];
};

bool cpu_list_has(const struct cpu_list *list, unsigned int cpu);
int cpu_list_parse(struct cpu_list *list, const char *text, struct errmsg *e);
/* As taskset -c prints it */
void cpu_list_format(const struct cpu_list *list, struct strbuf *out);
/* All of them must exist and be online; when that cannot be found out, it is taken for true. */
int cpu_list_check_host(const struct cpu_list *list, struct errmsg *e);

/* Where a thread may run: 0 or -errno; 0 is the calling one */
int cpu_list_get_affinity(struct cpu_list *list, pid_t tid);
int cpu_list_set_affinity(const struct cpu_list *list, pid_t tid);

#endif
