// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv guest: an APIC driver without an APIC.
 *
 * Linux sends interrupts between CPUs through its APIC driver, and the rest
 * of an APIC is not needed: the hypervisor has no interrupt to acknowledge
 * and its timer is a hypercall. So X86_FEATURE_APIC stays set, and this is
 * the driver. APIC identifiers are vCPU numbers.
 */
#include <linux/cpumask.h>
#include <linux/init.h>
#include <linux/smp.h>

#include <asm/apic.h>

#include "guest.h"

static void pvhv_send_ipi(int cpu, int vector)
{
	pvhv_hypercall3(PVHV_HC_SEND_IPI, cpu, 1, vector);
}

static void pvhv_send_ipi_mask(const struct cpumask *mask, int vector)
{
	const unsigned long *bits = cpumask_bits(mask);
	unsigned int first;

	for (first = 0; first < nr_cpu_ids; first += BITS_PER_LONG, bits++)
		if (*bits)
			pvhv_hypercall3(PVHV_HC_SEND_IPI, first, *bits, vector);
}

static void pvhv_send_ipi_mask_allbutself(const struct cpumask *mask, int vector)
{
	unsigned int cpu, self = smp_processor_id();

	for_each_cpu(cpu, mask)
		if (cpu != self)
			pvhv_send_ipi(cpu, vector);
}

static void pvhv_send_ipi_allbutself(int vector)
{
	pvhv_send_ipi_mask_allbutself(cpu_online_mask, vector);
}

static void pvhv_send_ipi_all(int vector)
{
	pvhv_send_ipi_mask(cpu_online_mask, vector);
}

static void pvhv_send_ipi_self(int vector)
{
	pvhv_send_ipi(smp_processor_id(), vector);
}

static u32 pvhv_apic_read(u32 reg)
{
	switch (reg) {
	case APIC_LVR:
		return 0x14;		/* version of an integrated APIC */
	case APIC_ID:
		return raw_smp_processor_id() << 24;
	}
	return 0;
}

static void pvhv_apic_write(u32 reg, u32 val)
{
}

static u64 pvhv_apic_icr_read(void)
{
	return 0;
}

static void pvhv_apic_icr_write(u32 low, u32 id)
{
}

static void pvhv_apic_nop(void)
{
}

static u32 pvhv_apic_wait_icr_idle(void)
{
	return 0;
}

static int pvhv_apic_id_valid(u32 apicid)
{
	return 1;
}

static int pvhv_apic_id_registered(void)
{
	return 1;
}

static int pvhv_apic_phys_pkg_id(int initial_apic_id, int index_msb)
{
	return initial_apic_id >> index_msb;
}

static unsigned int pvhv_apic_get_id(unsigned long x)
{
	return (x >> 24) & 0xff;
}

static u32 pvhv_apic_set_id(unsigned int id)
{
	return id << 24;
}

static struct apic pvhv_apic __ro_after_init = {
	.name				= "pvhv",

	.eoi_write			= pvhv_apic_write,
	.native_eoi_write		= pvhv_apic_write,
	.write				= pvhv_apic_write,
	.read				= pvhv_apic_read,
	.wait_icr_idle			= pvhv_apic_nop,
	.safe_wait_icr_idle		= pvhv_apic_wait_icr_idle,
	.icr_read			= pvhv_apic_icr_read,
	.icr_write			= pvhv_apic_icr_write,

	.send_IPI			= pvhv_send_ipi,
	.send_IPI_mask			= pvhv_send_ipi_mask,
	.send_IPI_mask_allbutself	= pvhv_send_ipi_mask_allbutself,
	.send_IPI_allbutself		= pvhv_send_ipi_allbutself,
	.send_IPI_all			= pvhv_send_ipi_all,
	.send_IPI_self			= pvhv_send_ipi_self,
	.calc_dest_apicid		= apic_flat_calc_apicid,

	.apic_id_valid			= pvhv_apic_id_valid,
	.apic_id_registered		= pvhv_apic_id_registered,
	.init_apic_ldr			= pvhv_apic_nop,
	.cpu_present_to_apicid		= default_cpu_present_to_apicid,
	.check_phys_apicid_present	= default_check_phys_apicid_present,
	.phys_pkg_id			= pvhv_apic_phys_pkg_id,
	.get_apic_id			= pvhv_apic_get_id,
	.set_apic_id			= pvhv_apic_set_id,
};

void __init pvhv_apic_init(void)
{
	apic = &pvhv_apic;
}
