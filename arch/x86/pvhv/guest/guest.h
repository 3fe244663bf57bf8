/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pvhv guest: what its files share.
 *
 *	head.S	first instructions, ELF notes
 *	setup.c	start info, boot parameters, CPU features, platform
 *	entry.S	entries and exits of the kernel, the hypercall
 *	irq.c	events, interrupt flag, the hypervisor's callback
 *	processor.c	MSRs, CPUID, descriptors, debug registers, the vCPU page
 *	mmu.c	CR3, TLB flushes, page-table hints
 *	apic.c	inter-processor interrupts in the clothes of an APIC
 *	smp.c	processors
 *	time.c	clock, timer, stolen time
 *	reboot.c	the end of the domain
 */
#ifndef _PVHV_GUEST_H
#define _PVHV_GUEST_H

#include <linux/init.h>
#include <linux/types.h>
#include <asm/pgtable_types.h>
#include <asm/pvhv-hypercall.h>
#include <pvhv/start_info.h>

struct pt_regs;

/* The kernel's own, which no header declares */
extern pmdval_t early_pmd_flags;
extern u8 this_cpu_cmpxchg16b_emu[];

/* head.S, entry.S */
asmlinkage void pvhv_startup(void);
asmlinkage void pvhv_startup_secondary(void);
asmlinkage void pvhv_entry_syscall(void);
asmlinkage void pvhv_entry_event_user(void);
asmlinkage void pvhv_entry_event_kernel(void);
asmlinkage void pvhv_entry_event_early(void);
asmlinkage void pvhv_entry_double_fault(void);
extern const char pvhv_ret_user_sysret[];
extern const char pvhv_ret_user_iret[];
extern const char pvhv_ret_kernel[];
asmlinkage unsigned long pvhv_save_fl(void);
asmlinkage void pvhv_irq_disable(void);
asmlinkage void pvhv_irq_enable(void);
asmlinkage unsigned long pvhv_read_cr2(void);
asmlinkage bool pvhv_this_cpu_cmpxchg16b(void);

/* setup.c */
asmlinkage void pvhv_start_kernel(unsigned long start_info_gpa);
extern struct pvhv_start_info pvhv_start_info;

/* irq.c */
void pvhv_event_user(struct pt_regs *regs, unsigned long vector, unsigned long error_code);
void pvhv_event_kernel(struct pt_regs *regs, unsigned long vector, unsigned long error_code);
void pvhv_event_early(struct pt_regs *regs, unsigned long vector, unsigned long error_code);
void sysvec_pvhv_callback(struct pt_regs *regs);
void sysvec_pvhv_event(struct pt_regs *regs);
void pvhv_irq_init(void);

/* processor.c */
void pvhv_cpu_init(void);
void pvhv_cpu_use_fsgsbase(void);
void pvhv_register_vcpu(void);
void pvhv_cpu_start(void);

/* smp.c */
asmlinkage void pvhv_start_secondary(void);
bool pvhv_vcpu_is_preempted(long cpu);

/* mmu.c, apic.c, smp.c, time.c, reboot.c */
void pvhv_mmu_init(void);
bool pvhv_shadow_miss(unsigned long *error_code);
void pvhv_apic_init(void);
void pvhv_smp_init(void);
void pvhv_time_init(void);
void sysvec_pvhv_timer(struct pt_regs *regs);
void pvhv_reboot_init(void);
void pvhv_shutdown(unsigned int reason, const char *message);

/* drivers/pvhv/console */
#ifdef CONFIG_HVC_PVHV
void pvhv_console_early_init(void);
#else
static inline void pvhv_console_early_init(void) { }
#endif

/*
 * Page faults in user mode come before the hypervisor has looked at them. Not where RCU may
 * take user mode for an idle CPU: pvhv_shadow_miss() walks page tables before it is told otherwise.
 */
static __always_inline bool pvhv_direct_faults(void)
{
	return !IS_ENABLED(CONFIG_CONTEXT_TRACKING_USER) &&
	       pvhv_features & PVHV_F_DIRECT_FAULTS;
}

/*
 * Interrupts off without tracing or lockdep: for the few hypercalls that
 * return something in the vCPU page, which an interrupt could overwrite.
 */
static __always_inline u8 pvhv_vif_save(void)
{
	u8 vif = raw_cpu_read_1(pvhv_vcpu_page.vif);

	raw_cpu_write_1(pvhv_vcpu_page.vif, 0);
	barrier();
	return vif;
}

static __always_inline void pvhv_vif_restore(u8 vif)
{
	barrier();
	if (vif)
		asm volatile ("call pvhv_irq_enable" : ASM_CALL_CONSTRAINT
			      : : "rax", "cc", "memory");
}

#endif /* _PVHV_GUEST_H */
