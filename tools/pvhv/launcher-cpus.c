// SPDX-License-Identifier: GPL-2.0
/*
 * The requests of the control socket that are about vCPUs, and where their threads run.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "launcher.h"
#include "launcher-requests.h"

/* It may have ended a moment after it was looked at. */
static int refused(int rc, struct errmsg *e)
{
	if (rc == -ESRCH)
		return errmsg_set(e, "state the domain has ended");
	return errmsg_set(e, "failed the host refuses: %s", strerror(-rc));
}

int request_cpus(struct launcher *l, const char *arg, struct strbuf *out, struct errmsg *e)
{
	struct pvhv_state state;
	unsigned int i;
	int rc;

	if (launcher_not_running(l, e))
		return -1;
	rc = domain_state(&l->dom, &state);
	if (rc)
		return refused(rc, e);
	for (i = 0; i < l->dom.nr_vcpus; i++) {
		struct strbuf affinity = { 0 };
		struct vcpu_thread t;

		control_addf(out, "vcpu", "%u", i);
		control_add(out, "state", state.vcpus_up >> i & 1 ? "up" : "down");
		/* the domain is about to end */
		if (domain_vcpu_thread(&l->dom, i, &t))
			continue;
		control_addf(out, "tid", "%d", t.tid);
		if (t.cpu >= 0)
			control_addf(out, "cpu", "%d", t.cpu);
		control_addf(out, "time-ms", "%llu", t.time_ms);
		cpu_list_format(&t.affinity, &affinity);
		control_add(out, "affinity", affinity.data ? affinity.data : "");
		strbuf_free(&affinity);
	}
	return 0;
}

/* What new threads would have anyway, for "all"; else what @text says */
static int wanted_cpus(const char *text, struct cpu_list *cpus, struct errmsg *e)
{
	struct errmsg why;
	int rc;

	if (!strcmp(text, "all")) {
		rc = cpu_list_get_affinity(cpus, 0);
		return rc ? errmsg_set(e, "failed no affinity: %s", strerror(-rc)) : 0;
	}
	if (cpu_list_parse(cpus, text, &why) || cpu_list_check_host(cpus, &why))
		return errmsg_set(e, "failed %.1000s", why.text);
	return 0;
}

static int pin(struct launcher *l, unsigned int vcpu, const struct cpu_list *cpus, bool keep,
	       struct errmsg *e)
{
	int rc = domain_pin(&l->dom, vcpu, cpus);

	if (rc == -EINVAL)
		return errmsg_set(e, "failed the cpuset of its process has none of these CPUs");
	if (rc)
		return refused(rc, e);
	free(l->pin[vcpu]);
	l->pin[vcpu] = NULL;
	if (keep) {
		l->pin[vcpu] = xmalloc(sizeof(*cpus));
		*l->pin[vcpu] = *cpus;
	}
	return 0;
}

/* "VCPU,LIST"; both may be "all" */
int request_cpu_pin(struct launcher *l, const char *arg, struct strbuf *out, struct errmsg *e)
{
	unsigned int nr = l->dom.nr_vcpus;
	char vcpu[16] = "";
	const char *list = strchr(arg, ',');
	u64 first = 0, end = nr;
	struct cpu_list cpus;

	if (!list || list - arg >= (ssize_t)sizeof(vcpu))
		return errmsg_set(e, "failed give VCPU,LIST");
	memcpy(vcpu, arg, list++ - arg);
	if (launcher_not_running(l, e))
		return -1;
	if (strcmp(vcpu, "all")) {
		if (parse_number(vcpu, nr - 1, &first))
			return errmsg_set(e, "failed there is no vCPU %s: give 0 to %u or all",
					  vcpu, nr - 1);
		end = first + 1;
	}
	if (wanted_cpus(list, &cpus, e))
		return -1;
	for (; first < end; first++)
		if (pin(l, first, &cpus, strcmp(list, "all"), e))
			return -1;
	return 0;
}

void launcher_pin_again(struct launcher *l)
{
	unsigned int i;
	int rc;

	for (i = 0; i < l->dom.nr_vcpus; i++) {
		rc = l->pin[i] ? domain_pin(&l->dom, i, l->pin[i]) : 0;
		/* unless the guest has ended already */
		if (rc && rc != -ESRCH)
			say("%s: vCPU %u is not pinned any more: %s", l->cfg->name, i,
			    strerror(-rc));
	}
}

int request_cpu_set(struct launcher *l, const char *arg, struct strbuf *out, struct errmsg *e)
{
	struct launcher_config *cfg = l->cfg;
	u64 n;
	int rc;

	if (parse_number(arg, PVHV_MAX_VCPUS, &n) || !n)
		return errmsg_set(e, "failed '%s': give a number from 1 to %u", arg,
				  PVHV_MAX_VCPUS);
	if (launcher_not_running(l, e))
		return -1;
	if (n > cfg->max_cpus)
		return errmsg_set(e,
				  "failed the domain has at most %u vCPUs: start it with --cpus %u,max=%llu",
				  cfg->max_cpus, cfg->cpus, n);
	rc = domain_set_vcpus(&l->dom, n);
	if (rc)
		return refused(rc, e);
	cfg->cpus = n;
	return 0;
}
