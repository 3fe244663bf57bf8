// SPDX-License-Identifier: GPL-2.0
/*
 * PVHV_GET_STATS: every counter with its name.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "pvhv.h"

struct counter {
	const char *name;
	size_t offset;
};

#define VCPU(field)	{ #field, offsetof(struct pvhv_vcpu_stats, field) }
#define SPLIT(field)	{ #field, offsetof(struct split_stats, field) }
#define MMU(field)	{ "mmu_" #field, offsetof(struct pvhv_mmu_stats, field) }

/**
 * struct split_stats - what a domain's split devices are made of
 * @port_events:	notifications that made one of its ports pending
 * @ports_now:		its ends of event channels
 * @grant_maps:		times that a page it granted was mapped
 * @grant_copies:	copies from or to pages it granted
 * @grants_mapped_now:	uses of its pages that go on
 * @grant_frames_now:	frames of its table
 * @devices_now:	its devices
 */
struct split_stats {
	u64 port_events;
	u64 ports_now;
	u64 grant_maps;
	u64 grant_copies;
	u64 grants_mapped_now;
	u64 grant_frames_now;
	u64 devices_now;
};

static const struct counter vcpu_counters[] = {
	VCPU(exits),
	VCPU(exit_hypercall),
	VCPU(exit_return),
	VCPU(exit_page_fault),
	VCPU(exit_exception),
	VCPU(exit_emulate),
	VCPU(exit_interrupt),
	VCPU(exit_nmi),
	VCPU(syscalls_direct),
	VCPU(returns_direct),
	VCPU(faults_direct),
	VCPU(events),
	VCPU(interrupts),
	VCPU(loads),
	VCPU(halts),
	VCPU(sleeps),
	VCPU(polls),
	VCPU(hints),
	VCPU(host_faults),
	VCPU(port_sends),
};

static const struct counter split_counters[] = {
	SPLIT(port_events),
	SPLIT(ports_now),
	SPLIT(grant_maps),
	SPLIT(grant_copies),
	SPLIT(grants_mapped_now),
	SPLIT(grant_frames_now),
	SPLIT(devices_now),
};

static const struct counter mmu_counters[] = {
	MMU(fills),
	MMU(prefills),
	MMU(faults_guest),
	MMU(retries),
	MMU(resyncs),
	MMU(narrowed),
	MMU(zaps),
	MMU(host_zaps),
	MMU(evictions),
	MMU(tables_now),
	MMU(pages_now),
	MMU(roots_now),
};

#define NR_COUNTERS	(ARRAY_SIZE(vcpu_counters) + ARRAY_SIZE(split_counters) + \
			 ARRAY_SIZE(mmu_counters))

/* Add up the counters of a vCPU into @out, and its MMU's into @mmu. */
static void add_vcpu(struct pvhv_vcpu *v, struct pvhv_stat *out, struct pvhv_mmu_stats *mmu)
{
	struct pvhv_vcpu_stats s = v->stats;
	int i;

	for (i = 0; i < ARRAY_SIZE(vcpu_counters); i++)
		out[i].value += *(u64 *)((void *)&s + vcpu_counters[i].offset);
	pvhv_mmu_add_stats(mmu, &v->mmu.stats);
}

static void get_split_stats(struct pvhv_domain *d, struct split_stats *s)
{
	struct pvhv_grant_table *gt = d->grants;

	s->port_events = atomic64_read(&d->ports.received);
	s->ports_now = atomic_read(&d->ports.nr);
	s->grant_maps = atomic64_read(&gt->maps);
	s->grant_copies = atomic64_read(&gt->copies);
	s->grants_mapped_now = atomic_read(&gt->mapped);
	s->grant_frames_now = READ_ONCE(gt->nr_frames);
	s->devices_now = READ_ONCE(d->nr_devices);
}

static void collect(struct pvhv_domain *d, struct pvhv_stat *out)
{
	struct pvhv_stat *split_out = out + ARRAY_SIZE(vcpu_counters);
	struct pvhv_stat *mmu_out = split_out + ARRAY_SIZE(split_counters);
	struct pvhv_mmu_stats mmu = { };
	struct split_stats split;
	int i;

	pvhv_mmu_get_stats(&d->mmu, &mmu);
	for (i = 0; i < PVHV_MAX_VCPUS; i++)
		if (READ_ONCE(d->vcpus[i]))
			add_vcpu(d->vcpus[i], out, &mmu);
	for (i = 0; i < ARRAY_SIZE(vcpu_counters); i++)
		strscpy(out[i].name, vcpu_counters[i].name, sizeof(out[i].name));
	get_split_stats(d, &split);
	for (i = 0; i < ARRAY_SIZE(split_counters); i++) {
		strscpy(split_out[i].name, split_counters[i].name, sizeof(out[i].name));
		split_out[i].value = *(u64 *)((void *)&split + split_counters[i].offset);
	}
	for (i = 0; i < ARRAY_SIZE(mmu_counters); i++) {
		strscpy(mmu_out[i].name, mmu_counters[i].name, sizeof(out[i].name));
		mmu_out[i].value = *(u64 *)((void *)&mmu + mmu_counters[i].offset);
	}
}

/**
 * pvhv_get_stats - PVHV_GET_STATS
 * @d:		the domain
 * @arg:	struct pvhv_stats of the caller
 *
 * Counters of a running vCPU are read without a lock: they may be a moment old.
 */
long pvhv_get_stats(struct pvhv_domain *d, void __user *arg)
{
	struct pvhv_stats s;
	struct pvhv_stat *out;
	u32 room;
	long ret = 0;

	if (copy_from_user(&s, arg, sizeof(s)))
		return -EFAULT;
	if (s.reserved)
		return -EINVAL;
	out = kcalloc(NR_COUNTERS, sizeof(*out), GFP_KERNEL);
	if (!out)
		return -ENOMEM;
	collect(d, out);
	room = min_t(u32, s.count, NR_COUNTERS);
	s.count = NR_COUNTERS;
	if (copy_to_user(u64_to_user_ptr(s.stats), out, room * sizeof(*out)) ||
	    copy_to_user(arg, &s, sizeof(s)))
		ret = -EFAULT;
	kfree(out);
	return ret;
}
