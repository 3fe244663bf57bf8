// SPDX-License-Identifier: GPL-2.0
/*
 * vCPUs that start, stop and wake each other, and how many the owner wants.
 *
 * A vCPU that is down is a thread that sleeps in PVHV_RUN. Who starts it leaves the
 * registers in v->start; the thread itself loads them.
 */
#include <linux/log2.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>

#include "pvhv.h"

/**
 * pvhv_find_vcpu - a vCPU by its number
 * @d:	the domain
 * @id:	number, the guest's
 *
 * Return: NULL if there is none.
 */
struct pvhv_vcpu *pvhv_find_vcpu(struct pvhv_domain *d, u64 id)
{
	if (id >= PVHV_MAX_VCPUS)
		return NULL;
	return READ_ONCE(d->vcpus[array_index_nospec(id, PVHV_MAX_VCPUS)]);
}

/**
 * pvhv_hc_vcpu_up - PVHV_HC_VCPU_UP
 * @v:	the vCPU that calls, not loaded
 * @a:	arguments
 */
long pvhv_hc_vcpu_up(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_domain *d = v->domain;
	struct pvhv_vcpu *to = pvhv_find_vcpu(d, a[0]);
	struct pvhv_vcpu_start s;
	long ret = -PVHV_EBUSY;

	if (!pvhv_in_one_page(a[1], sizeof(s)))
		return -PVHV_EINVAL;
	if (!to)
		return -PVHV_ENOENT;
	if (pvhv_copy_from_guest(v, &s, a[1], sizeof(s)))
		return -PVHV_EFAULT;
	if (!pvhv_vcpu_start_ok(&s) || !pvhv_root_ok(d, s.cr3))
		return -PVHV_EINVAL;

	spin_lock(&d->state_lock);
	if (to->power == PVHV_VCPU_DOWN) {
		to->start = s;
		/* Here: what is sent from now on is for the vCPU that is up. */
		bitmap_zero(to->irr, 256);
		WRITE_ONCE(to->irr_any, false);
		WRITE_ONCE(to->nmi_pending, false);
		WRITE_ONCE(to->kicked, false);
		/* Pairs with the acquire in pvhv_vcpu_power(), which reads to->start. */
		smp_store_release(&to->power, PVHV_VCPU_STARTING);
		ret = 0;
	}
	spin_unlock(&d->state_lock);
	if (!ret)
		wake_up(&to->wq);
	return ret;
}

/* In the vCPU's own thread: as after a reset, with the registers of v->start */
static int start(struct pvhv_vcpu *v)
{
	struct pvhv_vcpu_regs regs = {
		.rip = v->start.rip, .rsp = v->start.rsp, .rdi = v->start.arg,
		.cr3 = v->start.cr3, .gs_base = v->start.kernel_gs_base,
		.cs = SW_USER_CS, .ss = SW_USER_DS,
	};
	int ret;

	memset(v->tls, 0, sizeof(v->tls));
	memset(v->dr, 0, sizeof(v->dr));
	v->dr6 = 0;
	v->dr7 = 0;
	v->nr_ldt = 0;
	ret = pvhv_set_regs(v, &regs);
	/* What is told through ports that are bound to it, it may have been told before. */
	if (!ret && READ_ONCE(v->event_sel))
		pvhv_raise(v, PVHV_VECTOR_EVENT);
	if (!ret && !v->id && READ_ONCE(v->domain->causes))
		pvhv_raise(v, PVHV_VECTOR_CALLBACK);
	if (ret)
		pvhv_domain_end(v->domain, PVHV_STATE_CRASHED, PVHV_CRASH_MEMORY,
				"vCPU %u: cannot be started: error %d", v->id, ret);
	return ret;
}

/**
 * pvhv_vcpu_power - what a vCPU that is not up does in PVHV_RUN
 * @v:	the vCPU
 *
 * Return: 0 look again, or -EINTR.
 */
int pvhv_vcpu_power(struct pvhv_vcpu *v)
{
	/* Pairs with the release in pvhv_hc_vcpu_up(). */
	if (smp_load_acquire(&v->power) == PVHV_VCPU_DOWN)
		return wait_event_interruptible(v->wq, READ_ONCE(v->power) != PVHV_VCPU_DOWN ||
						READ_ONCE(v->requests)) ? -EINTR : 0;
	start(v);
	return 0;
}

/**
 * pvhv_hc_vcpu_down - PVHV_HC_VCPU_DOWN
 * @v:	the vCPU, not loaded
 */
void pvhv_hc_vcpu_down(struct pvhv_vcpu *v)
{
	struct pvhv_domain *d = v->domain;
	bool last = true;
	int i;

	/* Before it can be started again, or its next life gets an interrupt of this one. */
	hrtimer_cancel(&v->timer);
	spin_lock(&d->state_lock);
	for (i = 0; i < PVHV_MAX_VCPUS; i++) {
		struct pvhv_vcpu *other = READ_ONCE(d->vcpus[i]);

		if (other && other != v && other->power != PVHV_VCPU_DOWN)
			last = false;
	}
	WRITE_ONCE(v->power, PVHV_VCPU_DOWN);
	spin_unlock(&d->state_lock);
	if (last)
		pvhv_domain_end(d, PVHV_STATE_CRASHED, PVHV_CRASH_EVENT,
				"vCPU %u, the last one, was stopped", v->id);
}

/**
 * pvhv_hc_kick - PVHV_HC_KICK
 * @v:	the vCPU that calls
 * @a:	arguments
 */
long pvhv_hc_kick(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_vcpu *to = pvhv_find_vcpu(v->domain, a[0]);

	if (!to)
		return -PVHV_ENOENT;
	/* Its sleep looks at the flag after it has queued itself on wq. */
	WRITE_ONCE(to->kicked, true);
	wake_up(&to->wq);
	return 0;
}

/**
 * pvhv_set_vcpus - PVHV_SET_VCPUS
 * @d:	the domain
 * @nr:	vCPUs that the guest is asked to have online
 *
 * Return: 0, -ESRCH, -EINVAL.
 */
long pvhv_set_vcpus(struct pvhv_domain *d, unsigned long nr)
{
	unsigned int i, created = 0;

	if (pvhv_domain_ended(d))
		return -ESRCH;
	for (i = 0; i < PVHV_MAX_VCPUS; i++)
		created += !!READ_ONCE(d->vcpus[i]);
	if (!nr || nr > created)
		return -EINVAL;
	/* It is there for whoever sees the cause, whose bit is set by a locked instruction. */
	WRITE_ONCE(d->vcpus_wanted, nr);
	pvhv_raise_cause(d, ilog2(PVHV_CAUSE_VCPUS));
	return 0;
}

/**
 * pvhv_hc_get_vcpus - PVHV_HC_GET_VCPUS
 * @v:	the vCPU that calls
 * @a:	arguments, none
 */
long pvhv_hc_get_vcpus(struct pvhv_vcpu *v, const u64 *a)
{
	return READ_ONCE(v->domain->vcpus_wanted);
}
