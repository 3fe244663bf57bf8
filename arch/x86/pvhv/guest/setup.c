// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv guest: from the first C function to start_kernel().
 *
 * This is x86_64_start_kernel() for a kernel in ring 3: replace what cannot
 * work, turn the start info into boot_params, and join the ordinary path at
 * x86_64_start_reservations().
 */
#include <linux/acpi.h>
#include <linux/console.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/start_kernel.h>
#include <linux/string.h>

#include <asm/bootparam.h>
#include <asm/cpufeature.h>
#include <asm/e820/api.h>
#include <asm/io_apic.h>
#include <asm/kasan.h>
#include <asm/paravirt.h>
#include <asm/pci_x86.h>
#include <asm/pgtable.h>
#include <asm/proto.h>
#include <asm/sections.h>
#include <asm/setup.h>
#include <asm/text-patching.h>
#include <asm/tlbflush.h>
#include <asm/x86_init.h>

#include "../../kernel/cpu/cpu.h"
#include "guest.h"

struct pvhv_start_info pvhv_start_info __ro_after_init;
u64 pvhv_features __ro_after_init;
EXPORT_SYMBOL_GPL(pvhv_features);

/*
 * What the processor may have but a kernel in ring 3 cannot use. The
 * hypervisor hides most of it; a program may still see it by CPUID.
 */
static const u16 pvhv_hidden_caps[] __initconst = {
	/* Control registers, page tables */
	X86_FEATURE_SMEP, X86_FEATURE_SMAP, X86_FEATURE_LA57,
	X86_FEATURE_PCID, X86_FEATURE_INVPCID, X86_FEATURE_PKU, X86_FEATURE_OSPKE,
	/* Supervisor state of the FPU, and state that faults until enabled by MSR */
	X86_FEATURE_XSAVES, X86_FEATURE_XFD,
	X86_FEATURE_AMX_TILE, X86_FEATURE_AMX_BF16, X86_FEATURE_AMX_INT8,
	X86_FEATURE_IBT, X86_FEATURE_ENQCMD,
	/* Fast 32-bit system calls: the vDSO then uses INT 0x80 */
	X86_FEATURE_SYSENTER32, X86_FEATURE_SYSCALL32,
	/* Interrupts and time */
	X86_FEATURE_X2APIC, X86_FEATURE_TSC_DEADLINE_TIMER, X86_FEATURE_TSC_ADJUST,
	X86_FEATURE_MWAIT, X86_FEATURE_MWAITX, X86_FEATURE_WAITPKG,
	/* Machine checks, memory types, power, thermal */
	X86_FEATURE_MCE, X86_FEATURE_MCA, X86_FEATURE_MTRR, X86_FEATURE_ACPI,
	X86_FEATURE_ACC, X86_FEATURE_APERFMPERF, X86_FEATURE_EST, X86_FEATURE_TM2,
	X86_FEATURE_EPB, X86_FEATURE_DTHERM, X86_FEATURE_IDA, X86_FEATURE_PLN,
	X86_FEATURE_PTS, X86_FEATURE_HWP, X86_FEATURE_HW_PSTATE, X86_FEATURE_CPB,
	X86_FEATURE_CPPC, X86_FEATURE_HFI, X86_FEATURE_DCA, X86_FEATURE_SMCA,
	X86_FEATURE_INTEL_PPIN, X86_FEATURE_AMD_PPIN, X86_FEATURE_RAPL,
	/* Performance counters, tracing, resource control */
	X86_FEATURE_ARCH_PERFMON, X86_FEATURE_PEBS, X86_FEATURE_BTS, X86_FEATURE_DS,
	X86_FEATURE_DTES64, X86_FEATURE_PDCM, X86_FEATURE_PERFCTR_CORE,
	X86_FEATURE_PERFCTR_NB, X86_FEATURE_PERFCTR_LLC, X86_FEATURE_PERFMON_V2,
	X86_FEATURE_IBS, X86_FEATURE_BRS, X86_FEATURE_LWP, X86_FEATURE_ARCH_LBR,
	X86_FEATURE_INTEL_PT, X86_FEATURE_CQM, X86_FEATURE_RDT_A, X86_FEATURE_MBA,
	X86_FEATURE_BPEXT,
	/* Virtualization, encryption, enclaves */
	X86_FEATURE_VMX, X86_FEATURE_SMX, X86_FEATURE_SVM, X86_FEATURE_SKINIT,
	X86_FEATURE_SME, X86_FEATURE_SEV, X86_FEATURE_SEV_ES, X86_FEATURE_SGX,
	X86_FEATURE_TME, X86_FEATURE_PCONFIG,
	/* MSRs */
	X86_FEATURE_CORE_CAPABILITIES, X86_FEATURE_SPLIT_LOCK_DETECT,
	X86_FEATURE_BUS_LOCK_DETECT, X86_FEATURE_CPUID_FAULT, X86_FEATURE_RING3MWAIT,
	/*
	 * Speculation control: the hypervisor's business. Within the guest
	 * retpolines, return thunks and buffer clearing do without it.
	 */
	X86_FEATURE_SPEC_CTRL, X86_FEATURE_SPEC_CTRL_SSBD, X86_FEATURE_INTEL_STIBP,
	X86_FEATURE_MSR_SPEC_CTRL, X86_FEATURE_IBRS, X86_FEATURE_IBPB,
	X86_FEATURE_STIBP, X86_FEATURE_SSBD, X86_FEATURE_IBRS_ENHANCED,
	X86_FEATURE_AMD_IBPB, X86_FEATURE_AMD_IBRS, X86_FEATURE_AMD_STIBP,
	X86_FEATURE_AMD_STIBP_ALWAYS_ON, X86_FEATURE_AMD_SSBD, X86_FEATURE_VIRT_SSBD,
	X86_FEATURE_LS_CFG_SSBD, X86_FEATURE_AUTOIBRS, X86_FEATURE_SBPB,
	X86_FEATURE_IBPB_BRTYPE, X86_FEATURE_RRSBA_CTRL, X86_FEATURE_BHI_CTRL,
	X86_FEATURE_FLUSH_L1D, X86_FEATURE_MSR_TSX_CTRL, X86_FEATURE_SRBDS_CTRL,
	X86_FEATURE_TSX_FORCE_ABORT, X86_FEATURE_RTM_ALWAYS_ABORT,
	/*
	 * On AMD __switch_to() would load SS with a selector that ring 3
	 * cannot load. The hypervisor's returns do not have this bug.
	 */
	X86_BUG_SYSRET_SS_ATTRS,
	/* Idling is a hypercall: the local timer does not stop. */
	X86_BUG_AMD_E400,
};

static void __init pvhv_init_caps(void)
{
	int i;

	setup_force_cpu_cap(X86_FEATURE_PVR3);
	setup_force_cpu_cap(X86_FEATURE_PVHV);
	setup_force_cpu_cap(X86_FEATURE_HYPERVISOR);
	/* See apic.c */
	setup_force_cpu_cap(X86_FEATURE_APIC);
	/* So that pvhv_do_read_msr() can say what this guest is not prone to */
	setup_force_cpu_cap(X86_FEATURE_ARCH_CAPABILITIES);

	for (i = 0; i < ARRAY_SIZE(pvhv_hidden_caps); i++)
		setup_clear_cpu_cap(pvhv_hidden_caps[i]);

	if (pvhv_features & PVHV_F_FSGSBASE)
		pvhv_cpu_use_fsgsbase();
	else
		setup_clear_cpu_cap(X86_FEATURE_FSGSBASE);
}

static void __init pvhv_set_legacy_features(void)
{
	x86_platform.legacy.rtc = 0;
	x86_platform.legacy.warm_reset = 0;
	x86_platform.legacy.reserve_bios_regions = 0;
	x86_platform.legacy.i8042 = X86_LEGACY_I8042_PLATFORM_ABSENT;
	x86_platform.legacy.devices.pnpbios = 0;
}

static unsigned char pvhv_get_nmi_reason(void)
{
	return 0;
}

/* Keeps drivers of PC hardware from looking for it. */
static void __init pvhv_reserve_resources(void)
{
	paravirt_disable_iospace();
}

/* The default takes a map of one entry for a mistake of the BIOS. */
static char * __init pvhv_memory_setup(void)
{
	struct pvhv_memmap_entry *map = __va(pvhv_start_info.memmap);
	unsigned int i;

	for (i = 0; i < pvhv_start_info.nr_memmap; i++)
		e820__range_add(map[i].addr, map[i].size,
				map[i].type == PVHV_MEM_RAM ? E820_TYPE_RAM : E820_TYPE_RESERVED);
	e820__update_table(e820_table);
	return "pvhv";
}

/* Where setup_arch() lets a platform do something early */
static void __init pvhv_arch_setup(void)
{
	pvhv_console_early_init();
	pr_info("pvhv: domain %u, features %#llx\n", pvhv_start_info.domid, pvhv_features);

	add_bootloader_randomness(pvhv_start_info.rng_seed, sizeof(pvhv_start_info.rng_seed));
	memzero_explicit(pvhv_start_info.rng_seed, sizeof(pvhv_start_info.rng_seed));
}

static void __init pvhv_init_platform(void)
{
	pv_info.name = "pvhv";

	x86_init.oem.arch_setup = pvhv_arch_setup;
	x86_init.resources.memory_setup = pvhv_memory_setup;
	x86_init.resources.probe_roms = x86_init_noop;
	x86_init.resources.reserve_resources = pvhv_reserve_resources;
	x86_platform.set_legacy_features = pvhv_set_legacy_features;
	x86_platform.get_nmi_reason = pvhv_get_nmi_reason;
	x86_platform.realmode_reserve = x86_init_noop;
	x86_platform.realmode_init = x86_init_noop;

#ifdef CONFIG_ACPI
	disable_acpi();
#endif
#ifdef CONFIG_PCI
	pci_probe = 0;
#endif
	/* hvc0 is /dev/console unless the command line says otherwise. */
	if (IS_ENABLED(CONFIG_HVC_PVHV))
		add_preferred_console("hvc", 0, NULL);
}

/*
 * The first #PF of an address of the direct map adds it to early_top_pgt, as
 * on bare hardware. That ends with init_mem_mapping().
 */
static void __init pvhv_init_page_tables(void)
{
	early_top_pgt[511] = init_top_pgt[511];
	write_cr3(__pa_symbol(early_top_pgt));
	clear_page(init_top_pgt);
	kasan_early_init();

	get_cpu_cap(&boot_cpu_data);
	x86_configure_nx();
	get_cpu_address_sizes(&boot_cpu_data);
	if (boot_cpu_has(X86_FEATURE_NX))
		early_pmd_flags |= _PAGE_NX;
}

static void __init pvhv_read_start_info(unsigned long gpa)
{
	struct pvhv_start_info *si = __va(gpa);

	if (si->magic != PVHV_START_MAGIC)
		pvhv_shutdown(PVHV_SHUTDOWN_CRASH, "no start info");
	if (si->version < PVHV_ABI_VERSION || si->size < sizeof(*si))
		pvhv_shutdown(PVHV_SHUTDOWN_CRASH, "this kernel needs a newer hypervisor");

	pvhv_start_info = *si;
	memzero_explicit(si->rng_seed, sizeof(si->rng_seed));
	pvhv_features = pvhv_start_info.features;
}

static void __init pvhv_fill_boot_params(void)
{
	struct pvhv_start_info *si = &pvhv_start_info;
	struct setup_header *hdr = &boot_params.hdr;

	if (si->cmdline)
		strscpy(boot_command_line, __va(si->cmdline),
			min_t(size_t, si->cmdline_len + 1, COMMAND_LINE_SIZE));

	hdr->ramdisk_image = lower_32_bits(si->initrd);
	hdr->ramdisk_size = lower_32_bits(si->initrd_len);
	boot_params.ext_ramdisk_image = upper_32_bits(si->initrd);
	boot_params.ext_ramdisk_size = upper_32_bits(si->initrd_len);

	/* 0xff: none of the registered loaders. 0 would mean "no initrd". */
	hdr->type_of_loader = 0xff;
	/* Says that this has been filled in and need not be copied. */
	hdr->version = 0x20f;
}

asmlinkage __visible void __init pvhv_start_kernel(unsigned long start_info_gpa)
{
	clear_bss();

	/* First the operations, then what uses them. */
	pvhv_cpu_init();
	pvhv_irq_init();
	pvhv_mmu_init();
	pvhv_register_vcpu();

	/* From here on page faults are served, and so the start info is mapped. */
	pvhv_init_page_tables();
	pvhv_read_start_info(start_info_gpa);

	pvhv_init_caps();
	pvhv_apic_init();
	pvhv_smp_init();
	pvhv_time_init();
	pvhv_reboot_init();
	pvhv_init_platform();
	pvhv_fill_boot_params();

	/* boot_cpu_data knows only the extended leaves as yet. */
	if (!(cpuid_ecx(1) & BIT(X86_FEATURE_CX16 & 31)))
		pvhv_shutdown(PVHV_SHUTDOWN_CRASH, "this kernel needs CMPXCHG16B");
	__text_gen_insn(this_cpu_cmpxchg16b_emu, JMP32_INSN_OPCODE, this_cpu_cmpxchg16b_emu,
			pvhv_this_cpu_cmpxchg16b, JMP32_INSN_SIZE);

	/* CR4 cannot be read in ring 3; these are what the kernel looks for. */
	this_cpu_write(cpu_tlbstate.cr4, X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE |
		       X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT);

	/* The kernel's image in the page table that init_mem_mapping() loads */
	init_top_pgt[511] = early_top_pgt[511];

	x86_64_start_reservations((char *)__pa_symbol(&boot_params));
}
