// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv guest: clock, timer, stolen time.
 *
 * If the host's TSC can be relied on (PVHV_F_CLOCK_STABLE) the guest uses it
 * itself, with the frequency from the start info: the kernel's TSC clocksource
 * and, in programs, the vDSO work without the hypervisor. Otherwise the
 * clocksource is the hypervisor's clock. That clock is in either case what
 * timers are set by.
 */
#include <linux/clockchips.h>
#include <linux/clocksource.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/percpu.h>
#include <linux/sched/clock.h>
#include <linux/time64.h>

#include <asm/idtentry.h>
#include <asm/irq_regs.h>
#include <asm/irq_stack.h>
#include <asm/paravirt.h>
#include <asm/pvclock.h>
#include <asm/tsc.h>
#include <asm/vdso.h>
#include <asm/x86_init.h>

#include "guest.h"

/* The same for all vCPUs. A page of its own: vDSO code reads it in programs. */
static union {
	struct pvclock_vsyscall_time_info info;
	u8 page[PAGE_SIZE];
} pvhv_clock_page0 __aligned(PAGE_SIZE);

static u64 pvhv_sched_clock_offset __ro_after_init;

static u64 pvhv_clock_read(void)
{
	u64 ns;

	/* Then the page says nothing. */
	if (unlikely(!(pvhv_features & PVHV_F_CLOCK_STABLE)))
		return pvhv_hypercall0(PVHV_HC_GET_TIME);

	preempt_disable_notrace();
	ns = pvclock_clocksource_read(&pvhv_clock_page0.info.pvti);
	preempt_enable_notrace();
	return ns;
}

static u64 pvhv_sched_clock(void)
{
	return pvhv_clock_read() - pvhv_sched_clock_offset;
}

static u64 pvhv_clocksource_read(struct clocksource *cs)
{
	return pvhv_clock_read();
}

static int pvhv_clocksource_enable(struct clocksource *cs)
{
	vclocks_set_used(VDSO_CLOCKMODE_PVCLOCK);
	return 0;
}

static struct clocksource pvhv_clocksource = {
	.name	= "pvhv",
	.rating	= 400,
	.read	= pvhv_clocksource_read,
	.mask	= CLOCKSOURCE_MASK(64),
	.flags	= CLOCK_SOURCE_IS_CONTINUOUS,
	.enable	= pvhv_clocksource_enable,
};

static int pvhv_timer_shutdown(struct clock_event_device *evt)
{
	pvhv_hypercall1(PVHV_HC_SET_TIMER, 0);
	return 0;
}

/* A time that has passed already raises the interrupt at once. */
static int pvhv_timer_set_next_event(unsigned long delta, struct clock_event_device *evt)
{
	pvhv_hypercall1(PVHV_HC_SET_TIMER, pvhv_clock_read() + delta);
	return 0;
}

static DEFINE_PER_CPU(struct clock_event_device, pvhv_timer) = {
	.name			= "pvhv",
	.features		= CLOCK_EVT_FEAT_ONESHOT,
	.rating			= 500,

	/* Ticks are nanoseconds. */
	.mult			= 1,
	.shift			= 0,
	.min_delta_ns		= 1000,
	.min_delta_ticks	= 1000,
	.max_delta_ns		= LONG_MAX,
	.max_delta_ticks	= LONG_MAX,

	.set_state_shutdown	= pvhv_timer_shutdown,
	.set_state_oneshot_stopped = pvhv_timer_shutdown,
	.set_next_event		= pvhv_timer_set_next_event,
};

static void pvhv_check_stopped(void)
{
	if (unlikely(this_cpu_read(pvhv_vcpu_page.stopped))) {
		this_cpu_write(pvhv_vcpu_page.stopped, 0);
		pvclock_touch_watchdogs();
	}
}

/* What the soft lockup detector looks at first: the stop may have been in its own interrupt. */
u64 running_clock(void)
{
	pvhv_check_stopped();
	return local_clock();
}

DEFINE_IDTENTRY_SYSVEC(sysvec_pvhv_timer)
{
	struct clock_event_device *evt = this_cpu_ptr(&pvhv_timer);
	struct pt_regs *old_regs = set_irq_regs(regs);

	inc_irq_stat(apic_timer_irqs);
	/* Before the watchdogs look, which is what the handler may do */
	pvhv_check_stopped();
	if (likely(evt->event_handler))
		evt->event_handler(evt);

	set_irq_regs(old_regs);
}

static u64 pvhv_steal_clock(int cpu)
{
	struct pvhv_vcpu_page *page = per_cpu_ptr(&pvhv_vcpu_page, cpu);
	u32 seq;
	u64 ns;

	do {
		seq = READ_ONCE(page->steal_seq);
		virt_rmb();	/* what was read between ... */
		ns = READ_ONCE(page->steal_ns);
		virt_rmb();	/* ... two reads of the same even number is valid */
	} while (seq & 1 || seq != READ_ONCE(page->steal_seq));
	return ns;
}

static unsigned long pvhv_tsc_khz(void)
{
	return pvhv_start_info.tsc_khz;
}

static void pvhv_get_wallclock(struct timespec64 *now)
{
	*now = ns_to_timespec64(pvhv_hypercall0(PVHV_HC_GET_WALLCLOCK));
}

static int pvhv_set_wallclock(const struct timespec64 *now)
{
	return -ENODEV;
}

/* Late enough for static calls and keys, early enough for sched_clock */
static void __init pvhv_clock_late_init(void)
{
	if (pvhv_features & PVHV_F_CLOCK_STABLE)
		return;

	mark_tsc_unstable("the host does not vouch for it");
	pvhv_sched_clock_offset = pvhv_clock_read();
	clear_sched_clock_stable();
	paravirt_set_sched_clock(pvhv_sched_clock);
}

static void pvhv_timer_setup_cpu(void)
{
	struct clock_event_device *evt = this_cpu_ptr(&pvhv_timer);

	evt->cpumask = cpumask_of(smp_processor_id());
	clockevents_register_device(evt);
}

static void __init pvhv_timer_init(void)
{
	pvhv_timer_setup_cpu();
	clocksource_register_hz(&pvhv_clocksource, NSEC_PER_SEC);

	static_call_update(pv_steal_clock, pvhv_steal_clock);
	static_key_slow_inc(&paravirt_steal_enabled);
	static_key_slow_inc(&paravirt_steal_rq_enabled);
}

void __init pvhv_time_init(void)
{
	struct pvclock_vcpu_time_info *pvti = &pvhv_clock_page0.info.pvti;

	BUILD_BUG_ON(sizeof(pvhv_clock_page0) != PAGE_SIZE);

	if (pvhv_hypercall1(PVHV_HC_SET_CLOCK, __pa_symbol(pvti)))
		pvhv_shutdown(PVHV_SHUTDOWN_CRASH, "the hypervisor refused the clock page");

	if (pvhv_features & PVHV_F_CLOCK_STABLE) {
		pvclock_set_flags(PVCLOCK_TSC_STABLE_BIT);
		setup_force_cpu_cap(X86_FEATURE_CONSTANT_TSC);
		setup_force_cpu_cap(X86_FEATURE_NONSTOP_TSC);
		setup_force_cpu_cap(X86_FEATURE_TSC_RELIABLE);
		/* The second choice, after the TSC's 300 */
		pvhv_clocksource.rating = 299;
	} else {
		setup_clear_cpu_cap(X86_FEATURE_CONSTANT_TSC);
		setup_clear_cpu_cap(X86_FEATURE_NONSTOP_TSC);
	}
	if (pvclock_read_flags(pvti) & PVCLOCK_TSC_STABLE_BIT) {
		pvclock_set_pvti_cpu0_va(&pvhv_clock_page0.info);
		pvhv_clocksource.vdso_clock_mode = VDSO_CLOCKMODE_PVCLOCK;
	}

	setup_force_cpu_cap(X86_FEATURE_TSC_KNOWN_FREQ);
	x86_platform.calibrate_tsc = pvhv_tsc_khz;
	x86_platform.calibrate_cpu = pvhv_tsc_khz;
	x86_platform.get_wallclock = pvhv_get_wallclock;
	x86_platform.set_wallclock = pvhv_set_wallclock;

	/* There is no DMI to set up, and this is just before tsc_early_init(). */
	x86_init.resources.dmi_setup = pvhv_clock_late_init;
	x86_init.timers.timer_init = pvhv_timer_init;
	x86_init.timers.setup_percpu_clockev = x86_init_noop;
	x86_init.timers.wallclock_init = x86_init_noop;
	x86_cpuinit.setup_percpu_clockev = pvhv_timer_setup_cpu;
}
