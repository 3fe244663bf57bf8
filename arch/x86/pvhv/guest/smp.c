// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv guest: processors.
 *
 * Processors are brought up and taken down by Linux's own code, as far as that does not
 * depend on real hardware: starting one is the APIC driver's wakeup_secondary_cpu, a
 * hypercall, and stopping it another one. A vCPU spins for a lock only for a while, then
 * it sleeps until it is kicked: who holds the lock may not be running.
 */
#define pr_fmt(fmt) "pvhv: " fmt

#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/hardirq.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/smp.h>
#include <linux/workqueue.h>

#include <asm/apic.h>
#include <asm/cpu.h>
#include <asm/paravirt.h>
#include <asm/qspinlock.h>
#include <asm/realmode.h>
#include <asm/smp.h>
#include <asm/spec-ctrl.h>
#include <asm/tlbflush.h>
#include <asm/x86_init.h>

#include "guest.h"

/* In place of the tables in which firmware lists processors */
static void __init pvhv_get_smp_config(unsigned int early)
{
	unsigned int i, version;

	if (early)
		return;

	boot_cpu_physical_apicid = 0;
	version = GET_APIC_VERSION(apic_read(APIC_LVR));
	boot_cpu_apic_version = version;
	for (i = 0; i < max(pvhv_start_info.nr_vcpus, 1U); i++)
		generic_processor_info(i, version);
}

static void __init pvhv_smp_prepare_cpus(unsigned int max_cpus)
{
	smp_prepare_cpus_common();
	speculative_store_bypass_ht_init();
	/* Measured once is enough; the others would do it one after another. */
	if (!preset_lpj)
		preset_lpj = loops_per_jiffy;

	/* The others can be started later, like those beyond maxcpus=. */
	if (pvhv_start_info.nr_vcpus_boot)
		setup_max_cpus = min(setup_max_cpus, pvhv_start_info.nr_vcpus_boot);
}

/* The first C function of a processor other than the boot vCPU; no stack frame to return to */
asmlinkage __visible void pvhv_start_secondary(void)
{
	void (*start)(void *unused) = (void *)initial_code;

	pvhv_cpu_start();
	write_cr3(__pa_symbol(swapper_pg_dir));
	start(NULL);
}

static int pvhv_wakeup_cpu(int apicid, unsigned long start_ip)
{
	/* Aligned to its size, so that it lies within one page. One CPU starts at a time. */
	static struct pvhv_vcpu_start start __aligned(64);
	unsigned int tries = 1000000;
	long ret;

	BUILD_BUG_ON(sizeof(start) != 64);
	start = (struct pvhv_vcpu_start) {
		.rip = (unsigned long)pvhv_startup_secondary,
		.rsp = initial_stack,
		.cr3 = __pa_symbol(swapper_pg_dir),
		.kernel_gs_base = initial_gs,
	};
	/* It has reported its death before it stopped. */
	while ((ret = pvhv_hypercall2(PVHV_HC_VCPU_UP, apicid, __pa_symbol(&start))) ==
	       -PVHV_EBUSY && tries--)
		pvhv_hypercall0(PVHV_HC_YIELD);
	return ret;
}

#ifdef CONFIG_HOTPLUG_CPU
static void pvhv_play_dead(void)
{
	play_dead_common();
	/* It does not return. */
	for (;;)
		pvhv_hypercall0(PVHV_HC_VCPU_DOWN);
}

static void pvhv_set_online(unsigned int cpu, bool online)
{
	int err = 0;

	if (cpu_online(cpu) != online)
		err = online ? add_cpu(cpu) : remove_cpu(cpu);
	if (err < 0)
		pr_warn("CPU %u cannot be turned %s: %pe\n", cpu, online ? "on" : "off",
			ERR_PTR(err));
}

/* The owner wants another number of them: the lowest-numbered ones, so always CPU 0. */
static void pvhv_adjust_cpus(struct work_struct *work)
{
	long wanted = pvhv_hypercall0(PVHV_HC_GET_VCPUS);
	unsigned int cpu;

	/* It has not said, or it is an older hypervisor. */
	if (wanted <= 0)
		return;
	for_each_present_cpu(cpu)
		pvhv_set_online(cpu, cpu < wanted);
}

static DECLARE_WORK(pvhv_cpus_work, pvhv_adjust_cpus);

static void pvhv_cpus_request(void)
{
	/* Of no CPU: it turns off those that a work may be bound to. */
	queue_work(system_unbound_wq, &pvhv_cpus_work);
}

static int __init pvhv_cpus_init(void)
{
	if (!pvhv_guest())
		return 0;
	/* In this order, so that no wish is missed between them */
	pvhv_set_cause_handler(PVHV_CAUSE_VCPUS, pvhv_cpus_request);
	pvhv_cpus_request();
	return 0;
}
device_initcall(pvhv_cpus_init);
#endif

#ifdef CONFIG_PARAVIRT_SPINLOCKS
static void pvhv_lock_wait(u8 *ptr, u8 val)
{
	/* In an NMI the kick may be meant for the wait that it interrupted. */
	if (in_nmi())
		return;
	if (irqs_disabled()) {
		if (READ_ONCE(*ptr) == val)
			pvhv_hypercall1(PVHV_HC_WAIT, 0);
		return;
	}
	/* Else an interrupt's own wait could take the kick, between the look and the wait. */
	local_irq_disable();
	if (READ_ONCE(*ptr) == val)
		pvhv_hypercall1(PVHV_HC_WAIT, PVHV_WAIT_ENABLE);
	local_irq_enable();
}

static void pvhv_lock_kick(int cpu)
{
	pvhv_hypercall1(PVHV_HC_KICK, cpu);
}

__visible bool pvhv_vcpu_is_preempted(long cpu)
{
	return READ_ONCE(per_cpu(pvhv_vcpu_page, cpu).preempted);
}

PV_CALLEE_SAVE_REGS_THUNK(pvhv_vcpu_is_preempted);

static void __init pvhv_spinlocks_init(void)
{
	/* Nobody to be preempted by: keep queued spinlocks */
	static_branch_disable(&virt_spin_lock_key);
	if (pvhv_start_info.nr_vcpus == 1 || nopvspin)
		return;

	__pv_init_lock_hash();
	pv_ops.lock.queued_spin_lock_slowpath = __pv_queued_spin_lock_slowpath;
	pv_ops.lock.queued_spin_unlock = PV_CALLEE_SAVE(__pv_queued_spin_unlock);
	pv_ops.lock.wait = pvhv_lock_wait;
	pv_ops.lock.kick = pvhv_lock_kick;
	pv_ops.lock.vcpu_is_preempted = PV_CALLEE_SAVE(pvhv_vcpu_is_preempted);
}
#else
static inline void pvhv_spinlocks_init(void) { }
#endif

static void __init pvhv_smp_prepare_boot_cpu(void)
{
	native_smp_prepare_boot_cpu();
	pvhv_spinlocks_init();
}

void __init pvhv_smp_init(void)
{
	/* do_boot_cpu() looks up an address there that only real mode is interested in. */
	static struct real_mode_header no_real_mode;

	real_mode_header = &no_real_mode;
	apic->wakeup_secondary_cpu = pvhv_wakeup_cpu;

	smp_ops.smp_prepare_boot_cpu = pvhv_smp_prepare_boot_cpu;
	smp_ops.smp_prepare_cpus = pvhv_smp_prepare_cpus;
#ifdef CONFIG_HOTPLUG_CPU
	smp_ops.play_dead = pvhv_play_dead;
#endif

	/* Do not search memory for tables of the firmware. */
	x86_init.mpparse.find_smp_config = x86_init_noop;
	x86_init.mpparse.get_smp_config = pvhv_get_smp_config;
	smp_found_config = 1;
}
