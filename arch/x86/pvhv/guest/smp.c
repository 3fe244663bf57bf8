// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv guest: processors.
 *
 * Only the boot vCPU is used so far; all per-CPU state is kept per CPU.
 */
#include <linux/cpu.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/smp.h>

#include <asm/apic.h>
#include <asm/cpu.h>
#include <asm/paravirt.h>
#include <asm/qspinlock.h>
#include <asm/smp.h>
#include <asm/spec-ctrl.h>
#include <asm/x86_init.h>

#include "guest.h"

/* In place of the tables in which firmware lists processors */
static void __init pvhv_get_smp_config(unsigned int early)
{
	if (early)
		return;

	boot_cpu_physical_apicid = 0;
	boot_cpu_apic_version = GET_APIC_VERSION(apic_read(APIC_LVR));
	generic_processor_info(0, boot_cpu_apic_version);

	if (pvhv_start_info.nr_vcpus > 1)
		pr_warn("pvhv: using 1 of %u vCPUs\n", pvhv_start_info.nr_vcpus);
}

static void __init pvhv_smp_prepare_boot_cpu(void)
{
	native_smp_prepare_boot_cpu();
	/* Nobody to be preempted by: keep queued spinlocks */
	if (pvhv_start_info.nr_vcpus == 1)
		static_branch_disable(&virt_spin_lock_key);
}

static void __init pvhv_smp_prepare_cpus(unsigned int max_cpus)
{
	smp_prepare_cpus_common();
	speculative_store_bypass_ht_init();
}

static int pvhv_cpu_up(unsigned int cpu, struct task_struct *idle)
{
	return -EOPNOTSUPP;
}

void __init pvhv_smp_init(void)
{
	smp_ops.smp_prepare_boot_cpu = pvhv_smp_prepare_boot_cpu;
	smp_ops.smp_prepare_cpus = pvhv_smp_prepare_cpus;
	smp_ops.cpu_up = pvhv_cpu_up;

	/* Do not search memory for tables of the firmware. */
	x86_init.mpparse.find_smp_config = x86_init_noop;
	x86_init.mpparse.get_smp_config = pvhv_get_smp_config;
	smp_found_config = 1;
}
