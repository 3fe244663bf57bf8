// SPDX-License-Identifier: GPL-2.0
/*
 * vCPUs with nothing to do: PVHV_HC_HALT and PVHV_HC_WAIT.
 *
 * A thread that sleeps costs a switch to the idle task and back, and an IPI for who wakes
 * it. So a vCPU whose sleeps have been short polls for a while first, as long as nobody else
 * wants the CPU; one whose sleeps are long does not.
 */
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <linux/wait.h>

#include "pvhv.h"

static unsigned int halt_poll_ns = 100000;
module_param(halt_poll_ns, uint, 0644);
MODULE_PARM_DESC(halt_poll_ns, "nanoseconds that an idle vCPU polls at most, 0: never (100000)");

#define POLL_FIRST_NS	10000	/* after the first short sleep */

static bool may_interrupt(struct pvhv_vcpu *v)
{
	return READ_ONCE(v->irr_any) && READ_ONCE(v->page->vif);
}

static bool wanted(struct pvhv_vcpu *v, bool halted)
{
	if (READ_ONCE(v->requests))
		return true;
	return halted ? READ_ONCE(v->irr_any) : READ_ONCE(v->kicked) || may_interrupt(v);
}

static bool poll(struct pvhv_vcpu *v, bool halted, ktime_t start, unsigned int max)
{
	ktime_t end = ktime_add_ns(start, min(v->poll_ns, max));

	if (!v->poll_ns)
		return false;
	do {
		if (wanted(v, halted)) {
			v->stats.polls++;
			return true;
		}
		cpu_relax();
	} while (single_task_running() && !need_resched() && !signal_pending(current) &&
		 ktime_before(ktime_get(), end));
	return false;
}

/* Would polling have been worth it? */
static void learn(struct pvhv_vcpu *v, ktime_t start, unsigned int max)
{
	if (ktime_to_ns(ktime_sub(ktime_get(), start)) > max)
		v->poll_ns = 0;
	else
		v->poll_ns = min(max, v->poll_ns ? 2 * v->poll_ns : POLL_FIRST_NS);
}

/**
 * pvhv_idle - sleep until there is something to do
 * @v:		the vCPU, not loaded
 * @halted:	until an interrupt is pending, whether VIF permits it or not; else until a kick
 *		or an interrupt that VIF permits
 *
 * Sets v->next if there is; else somebody requests something.
 *
 * Return: 0, or -EINTR.
 */
int pvhv_idle(struct pvhv_vcpu *v, bool halted)
{
	unsigned int max = READ_ONCE(halt_poll_ns);
	ktime_t start = ktime_get();

	/* It does not want to run. */
	if (v->page)
		WRITE_ONCE(v->page->preempted, 0);
	if (!wanted(v, halted) && !poll(v, halted, start, max)) {
		v->stats.sleeps++;
		/* Short sleeps are followed by work. */
		if (!v->poll_ns)
			pvhv_mmu_vcpu_idle(&v->domain->mmu, &v->mmu);
		if (wait_event_interruptible(v->wq, wanted(v, halted)))
			return -EINTR;
		learn(v, start, max);
	}
	if (!halted) {
		WRITE_ONCE(v->kicked, false);
		v->next = PVHV_CONTINUE;
	} else if (READ_ONCE(v->irr_any)) {
		v->stats.halts++;
		v->next = PVHV_CONTINUE;
	}
	return 0;
}
