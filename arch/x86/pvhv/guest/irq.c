// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv guest: events, and the virtual interrupt flag.
 *
 * The hypervisor uses the vector numbers of the processor and, for
 * interrupts, of Linux. So all there is to do is to call the handler.
 */
#include <linux/hardirq.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/reboot.h>
#include <linux/smp.h>

#include <asm/apic.h>
#include <asm/desc.h>
#include <asm/hw_irq.h>
#include <asm/i8259.h>
#include <asm/idtentry.h>
#include <asm/init.h>
#include <asm/irq.h>
#include <asm/irq_regs.h>
#include <asm/irq_stack.h>
#include <asm/paravirt.h>
#include <asm/pgtable.h>
#include <asm/setup.h>
#include <asm/traps.h>
#include <asm/x86_init.h>

#include "guest.h"

static pvhv_cause_fn pvhv_cause_handler[BITS_PER_LONG];

/**
 * pvhv_set_cause_handler - be called when the hypervisor raises a cause
 * @cause:	one PVHV_CAUSE_xxx bit
 * @handler:	called in interrupt context; NULL to stop
 */
int pvhv_set_cause_handler(unsigned int cause, pvhv_cause_fn handler)
{
	if (!is_power_of_2(cause))
		return -EINVAL;
	WRITE_ONCE(pvhv_cause_handler[ilog2(cause)], handler);
	/* Nobody may still be in a handler whose module goes away. */
	if (!handler)
		synchronize_rcu();
	return 0;
}
EXPORT_SYMBOL_GPL(pvhv_set_cause_handler);

DEFINE_IDTENTRY_SYSVEC(sysvec_pvhv_callback)
{
	struct pt_regs *old_regs = set_irq_regs(regs);
	unsigned long causes;
	unsigned int bit;

	inc_irq_stat(irq_hv_callback_count);

	causes = pvhv_hypercall0(PVHV_HC_GET_CAUSES);
	for_each_set_bit(bit, &causes, BITS_PER_LONG) {
		pvhv_cause_fn handler = READ_ONCE(pvhv_cause_handler[bit]);

		if (handler)
			handler();
	}

	set_irq_regs(old_regs);
}

#ifdef CONFIG_PVHV_BUS
/* Each port is an interrupt of its own, and counted as that. */
DEFINE_IDTENTRY_SYSVEC(sysvec_pvhv_event)
{
	struct pt_regs *old_regs = set_irq_regs(regs);

	pvhv_event_interrupt();
	set_irq_regs(old_regs);
}
#endif

static void pvhv_poweroff_request(void)
{
	orderly_poweroff(true);
}

static void pvhv_reboot_request(void)
{
	orderly_reboot();
}

/* Exceptions that mean the same in either mode, and interrupts */
static __always_inline void pvhv_event(struct pt_regs *regs, unsigned long vector,
				       unsigned long error_code)
{
	switch (vector) {
	case PVHV_VECTOR_TIMER:			return sysvec_pvhv_timer(regs);
	case PVHV_VECTOR_CALLBACK:		return sysvec_pvhv_callback(regs);
#ifdef CONFIG_PVHV_BUS
	case PVHV_VECTOR_EVENT:			return sysvec_pvhv_event(regs);
#endif
	case RESCHEDULE_VECTOR:			return sysvec_reschedule_ipi(regs);
	case CALL_FUNCTION_SINGLE_VECTOR:	return sysvec_call_function_single(regs);
	case CALL_FUNCTION_VECTOR:		return sysvec_call_function(regs);
	case IRQ_WORK_VECTOR:			return sysvec_irq_work(regs);
	case REBOOT_VECTOR:			return sysvec_reboot(regs);
	case X86_TRAP_DE:	return exc_divide_error(regs);
	case X86_TRAP_NMI:	return exc_nmi(regs);
	case X86_TRAP_BP:	return exc_int3(regs);
	case X86_TRAP_OF:	return exc_overflow(regs);
	case X86_TRAP_BR:	return exc_bounds(regs);
	case X86_TRAP_UD:	return exc_invalid_op(regs);
	case X86_TRAP_NM:	return exc_device_not_available(regs);
	case X86_TRAP_OLD_MF:	return exc_coproc_segment_overrun(regs);
	case X86_TRAP_TS:	return exc_invalid_tss(regs, error_code);
	case X86_TRAP_NP:	return exc_segment_not_present(regs, error_code);
	case X86_TRAP_SS:	return exc_stack_segment(regs, error_code);
	case X86_TRAP_GP:	return exc_general_protection(regs, error_code);
	case X86_TRAP_MF:	return exc_coprocessor_error(regs);
	case X86_TRAP_AC:	return exc_alignment_check(regs, error_code);
	case X86_TRAP_XF:	return exc_simd_coprocessor_error(regs);
	case X86_TRAP_SPURIOUS:	return exc_spurious_interrupt_bug(regs);
#ifdef CONFIG_IA32_EMULATION
	case IA32_SYSCALL_VECTOR:	return do_int80_emulation(regs);
#endif
	/* Complains about a vector that nobody uses */
	default:		return common_interrupt(regs, vector);
	}
}

__visible noinstr void pvhv_event_user(struct pt_regs *regs, unsigned long vector,
				       unsigned long error_code)
{
	if (likely(vector == X86_TRAP_PF)) {
		if (pvhv_direct_faults() && pvhv_shadow_miss(&error_code))
			return;
		return exc_page_fault(regs, error_code);
	}
	if (vector == X86_TRAP_DB)
		return noist_exc_debug(regs);
	pvhv_event(regs, vector, error_code);
}

__visible noinstr void pvhv_event_kernel(struct pt_regs *regs, unsigned long vector,
					 unsigned long error_code)
{
	if (likely(vector == X86_TRAP_PF))
		return exc_page_fault(regs, error_code);
	if (vector == X86_TRAP_DB)
		return exc_debug(regs);
	pvhv_event(regs, vector, error_code);
}

/* Before trap_init(): as do_early_exception(), with CR2 from the vCPU page */
__visible void __init pvhv_event_early(struct pt_regs *regs, unsigned long vector,
				       unsigned long error_code)
{
	if (vector == X86_TRAP_PF) {
		unsigned long address = raw_cpu_read(pvhv_vcpu_page.cr2);
		unsigned long physaddr = address - __PAGE_OFFSET;

		if (__early_make_pgtable(address, (physaddr & PMD_MASK) + early_pmd_flags))
			return;
	}
	/* early_fixup_exception() prints it */
	regs->orig_ax = error_code;
	early_fixup_exception(regs, vector);
	regs->orig_ax = -1;
}

static noinstr void pvhv_safe_halt(void)
{
	pvhv_hypercall0(PVHV_HC_HALT);
}

/*
 * Halting with interrupts off is for ever: what stops a CPU at the end of a
 * panic. The domain ends with its last CPU.
 */
static void pvhv_halt(void)
{
	if (!irqs_disabled()) {
		pvhv_safe_halt();
		return;
	}
	if (num_online_cpus() > 1)
		pvhv_hypercall0(PVHV_HC_VCPU_DOWN);
	pvhv_shutdown(PVHV_SHUTDOWN_CRASH, "halted with interrupts disabled");
}

static void __init pvhv_init_IRQ(void)
{
	/*
	 * Makes /proc/interrupts show the first, and keeps both from being given
	 * to devices; the IDT is never looked at.
	 */
	set_bit(HYPERVISOR_CALLBACK_VECTOR, system_vectors);
	set_bit(POSTED_INTR_VECTOR, system_vectors);
	native_init_IRQ();

	pvhv_set_cause_handler(PVHV_CAUSE_POWEROFF, pvhv_poweroff_request);
	pvhv_set_cause_handler(PVHV_CAUSE_REBOOT, pvhv_reboot_request);
}

void __init pvhv_irq_init(void)
{
	BUILD_BUG_ON(PVHV_VECTOR_TIMER != LOCAL_TIMER_VECTOR);
	BUILD_BUG_ON(PVHV_VECTOR_CALLBACK != HYPERVISOR_CALLBACK_VECTOR);
	/* A guest of pvhv is not a host of KVM. */
	BUILD_BUG_ON(PVHV_VECTOR_EVENT != POSTED_INTR_VECTOR);

	pv_ops.irq.save_fl = __PV_IS_CALLEE_SAVE(pvhv_save_fl);
	pv_ops.irq.irq_disable = __PV_IS_CALLEE_SAVE(pvhv_irq_disable);
	pv_ops.irq.irq_enable = __PV_IS_CALLEE_SAVE(pvhv_irq_enable);
	pv_ops.irq.safe_halt = pvhv_safe_halt;
	pv_ops.irq.halt = pvhv_halt;

	legacy_pic = &null_legacy_pic;
	x86_init.irqs.intr_init = pvhv_init_IRQ;
	x86_init.irqs.intr_mode_select = x86_init_noop;
	x86_init.irqs.intr_mode_init = x86_init_noop;
}
