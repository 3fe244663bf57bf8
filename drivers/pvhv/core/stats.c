// SPDX-License-Identifier: GPL-2.0
/*
 * PVHV_GET_STATS: every counter with its name.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "pvhv.h"

static void add(struct pvhv_stat *out, u32 *n, const char *name, u64 value)
{
	strscpy(out[*n].name, name, sizeof(out->name));
	out[(*n)++].value = value;
}

#define MMU_STATS(X) \
	X(fills) X(prefills) X(faults_guest) X(retries) X(resyncs) X(narrowed) X(zaps) \
	X(host_zaps) X(evictions) X(tables_now) X(pages_now) X(roots_now)
#define COUNT(name) + 1
#define NR_STATS (0 PVHV_VCPU_STATS(COUNT) MMU_STATS(COUNT))

/**
 * pvhv_get_stats - PVHV_GET_STATS
 * @d:		the domain
 * @arg:	struct pvhv_stats of the caller
 *
 * Counters of a running vCPU are read without a lock: they may be a moment old.
 */
long pvhv_get_stats(struct pvhv_domain *d, void __user *arg)
{
	struct pvhv_vcpu_stats sum = { };
	struct pvhv_mmu_stats mmu = { };
	struct pvhv_stats s;
	struct pvhv_stat *out;
	u32 i, n = 0;
	long ret = 0;

	if (copy_from_user(&s, arg, sizeof(s)))
		return -EFAULT;
	if (s.reserved)
		return -EINVAL;
	out = kcalloc(NR_STATS, sizeof(*out), GFP_KERNEL);
	if (!out)
		return -ENOMEM;
	pvhv_mmu_get_stats(&d->mmu, &mmu);
	for (i = 0; i < PVHV_MAX_VCPUS; i++) {
		struct pvhv_vcpu *v = READ_ONCE(d->vcpus[i]);
		struct sw_guest *g;

		if (!v)
			continue;
#define SUM(name) sum.name += READ_ONCE(v->stats.name);
		PVHV_VCPU_STATS(SUM)
		g = READ_ONCE(v->guest);
		sum.syscalls_direct += READ_ONCE(g->nr_syscalls);
		sum.returns_direct += READ_ONCE(g->nr_returns);
		pvhv_mmu_add_stats(&mmu, &v->mmu.stats);
	}
#define ADD(name) add(out, &n, #name, sum.name);
	PVHV_VCPU_STATS(ADD)
#undef ADD
#define ADD(name) add(out, &n, "mmu_" #name, mmu.name);
	MMU_STATS(ADD)
	i = min(s.count, n);
	s.count = n;
	if (copy_to_user(u64_to_user_ptr(s.stats), out, i * sizeof(*out)) ||
	    copy_to_user(arg, &s, sizeof(s)))
		ret = -EFAULT;
	kfree(out);
	return ret;
}
