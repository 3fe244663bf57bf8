/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pvhv guest: entries to and exits from the kernel.
 *
 * The hypervisor tells what happened through the vCPU page and leaves RSP
 * alone; here the frame is moved from there to a kernel stack, so that the
 * rest of the kernel sees the struct pt_regs that it would see on bare
 * hardware. The exits do the reverse, and end in a SYSCALL whose address says
 * which kind of return is meant (see include/pvhv/hypercall.h).
 *
 * All entries come with VIF clear and all exits leave with VIF clear, so
 * nothing can overwrite the vCPU page while it holds a frame.
 */
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/linkage.h>

#include <asm/asm.h>
#include <asm/asm-offsets.h>
#include <asm/export.h>
#include <asm/frame.h>
#include <asm/nospec-branch.h>
#include <asm/percpu.h>
#include <asm/processor-flags.h>
#include <asm/segment.h>
#include <asm/unwind_hints.h>

#include <pvhv/hypercall.h>
#include <pvhv/vcpu_page.h>

#include "../../entry/calling.h"

#define VP(field)	PER_CPU_VAR(pvhv_vcpu_page + PVHV_VP_##field)

/*
 * int3_emulate_push() stores below the interrupted stack pointer: keep that
 * much free between the interrupted stack and the frame.
 */
#define PVHV_STACK_GAP	64

/* The rest of an event's entry: %rsp points to the pushed RIP. */
.macro PVHV_EVENT_ENTRY kernel:req
	UNWIND_HINT_IRET_REGS
	pushq	$-1			/* pt_regs->orig_ax: no system call */
	PUSH_AND_CLEAR_REGS
	ENCODE_FRAME_POINTER

	UNTRAIN_RET
#ifdef CONFIG_CPU_SRSO
	.if \kernel
	pushq	$0			/* where it expects a return address */
	HANDLE_INTR_SAFERET 8(%rsp)
	addq	$8, %rsp
	.endif
#endif

	movq	%rsp, %rdi
	movl	VP(VECTOR), %esi
	movq	VP(ERROR_CODE), %rdx
	/* The frame is safe: from here on page faults may nest again. */
	movb	$0, VP(IN_DELIVERY)
.endm

/*
 * Restore all registers and move the frame to the vCPU page. RCX and R11 go
 * there too, because SYSCALL clobbers them.
 */
.macro PVHV_POP_REGS_TO_PAGE
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	popq	VP(R11)
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rax
	popq	VP(RCX)
	popq	%rdx
	popq	%rsi
	popq	%rdi
	addq	$8, %rsp		/* orig_ax */
	popq	VP(RIP)
	popq	VP(CS)
	popq	VP(RFLAGS)
	popq	VP(RSP)
	popq	VP(SS)
.endm

.code64
.section .entry.text, "ax"

/* SYSCALL in user mode: RCX and R11 are gone, RIP and RFLAGS are in the page. */
SYM_CODE_START(pvhv_entry_syscall)
	UNWIND_HINT_ENTRY
	ENDBR

	movq	PER_CPU_VAR(cpu_current_top_of_stack), %rsp
	movq	VP(RIP), %rcx
	movq	VP(RFLAGS), %r11

	pushq	$__USER_DS		/* pt_regs->ss */
	pushq	VP(RSP)			/* pt_regs->sp */
	pushq	%r11			/* pt_regs->flags */
	pushq	$__USER_CS		/* pt_regs->cs */
	pushq	%rcx			/* pt_regs->ip */
	pushq	%rax			/* pt_regs->orig_ax */

	PUSH_AND_CLEAR_REGS rax=$-ENOSYS

	movq	%rsp, %rdi
	/* Sign extend the lower 32bit as syscall numbers are treated as int */
	movslq	%eax, %rsi

	UNTRAIN_RET
	CLEAR_BRANCH_HISTORY

	call	do_syscall_64		/* returns with VIF clear */

#ifdef CONFIG_GCC_PLUGIN_STACKLEAK
	call	stackleak_erase
#endif

	/* What SYSRET cannot restore, and user code could tell, goes by IRET. */
	movq	RIP(%rsp), %rcx
	movq	EFLAGS(%rsp), %r11
	cmpq	RCX(%rsp), %rcx
	jne	.Lreturn_user_iret
	cmpq	R11(%rsp), %r11
	jne	.Lreturn_user_iret
	testl	$(X86_EFLAGS_TF | X86_EFLAGS_RF | X86_EFLAGS_NT), %r11d
	jnz	.Lreturn_user_iret
	shrq	$__VIRTUAL_MASK_SHIFT, %rcx
	jnz	.Lreturn_user_iret
	cmpq	$__USER_CS, CS(%rsp)
	jne	.Lreturn_user_iret
	cmpq	$__USER_DS, SS(%rsp)
	jne	.Lreturn_user_iret

	POP_REGS
	addq	$8, %rsp		/* orig_ax */
	popq	VP(RIP)
	addq	$8, %rsp		/* CS: implied */
	popq	VP(RFLAGS)
	popq	VP(RSP)
	CLEAR_CPU_BUFFERS
	syscall
SYM_INNER_LABEL(pvhv_ret_user_sysret, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	int3
SYM_CODE_END(pvhv_entry_syscall)

/* Exception or interrupt in user mode */
SYM_CODE_START(pvhv_entry_event_user)
	UNWIND_HINT_ENTRY
	ENDBR

	movq	PER_CPU_VAR(cpu_current_top_of_stack), %rsp
	pushq	VP(SS)
	pushq	VP(RSP)
	pushq	VP(RFLAGS)
	pushq	VP(CS)
	pushq	VP(RIP)
	PVHV_EVENT_ENTRY kernel=0

	call	pvhv_event_user

/* Also where a new task goes, from swapgs_restore_regs_and_return_to_usermode */
SYM_INNER_LABEL(pvhv_restore_regs_and_return_to_usermode, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
.Lreturn_user_iret:
	UNWIND_HINT_REGS
#ifdef CONFIG_DEBUG_ENTRY
	/* Assert that pt_regs indicates user mode and that VIF is clear. */
	testb	$3, CS(%rsp)
	jz	1f
	cmpb	$0, VP(VIF)
	je	2f
1:	ud2
2:
#endif
#ifdef CONFIG_GCC_PLUGIN_STACKLEAK
	call	stackleak_erase
#endif
	PVHV_POP_REGS_TO_PAGE
	CLEAR_CPU_BUFFERS
	syscall
SYM_INNER_LABEL(pvhv_ret_user_iret, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	int3
SYM_CODE_END(pvhv_entry_event_user)

/*
 * Exception or interrupt in kernel mode. CS and SS are those that the kernel
 * has on bare hardware: user_mode(regs) and much else depend on it.
 */
.macro PVHV_KERNEL_EVENT_ENTRY
	andq	$-16, %rsp
	leaq	-PVHV_STACK_GAP(%rsp), %rsp
	pushq	$__KERNEL_DS
	pushq	VP(RSP)
	pushq	VP(RFLAGS)
	pushq	$__KERNEL_CS
	pushq	VP(RIP)
	PVHV_EVENT_ENTRY kernel=1
.endm

SYM_CODE_START(pvhv_entry_event_kernel)
	UNWIND_HINT_ENTRY
	ENDBR

	PVHV_KERNEL_EVENT_ENTRY

	call	pvhv_event_kernel

SYM_INNER_LABEL(pvhv_return_to_kernel, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	UNWIND_HINT_REGS
#ifdef CONFIG_DEBUG_ENTRY
	testb	$3, CS(%rsp)
	jnz	1f
	cmpb	$0, VP(VIF)
	je	2f
1:	ud2
2:
#endif
	PVHV_POP_REGS_TO_PAGE
	syscall
SYM_INNER_LABEL(pvhv_ret_kernel, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	int3
SYM_CODE_END(pvhv_entry_event_kernel)

/*
 * A page fault while the frame of an event was being saved: the stack is
 * overrun or broken. RSP is the double fault stack, the page holds the frame
 * of the event and CR2 of the fault. There is no way back.
 */
SYM_CODE_START(pvhv_entry_double_fault)
	UNWIND_HINT_ENTRY
	ENDBR

	pushq	$__KERNEL_DS
	pushq	VP(RSP)
	pushq	VP(RFLAGS)
	pushq	$__KERNEL_CS
	pushq	VP(RIP)
	PVHV_EVENT_ENTRY kernel=0

	call	exc_double_fault

	/* exc_double_fault() may or may not return, by configuration. */
	REACHABLE
	jmp	pvhv_return_to_kernel
SYM_CODE_END(pvhv_entry_double_fault)

	__INIT
/* As pvhv_entry_event_kernel, before trap_init() */
SYM_CODE_START(pvhv_entry_event_early)
	UNWIND_HINT_ENTRY
	ENDBR

	PVHV_KERNEL_EVENT_ENTRY

	call	pvhv_event_early
	jmp	pvhv_return_to_kernel
SYM_CODE_END(pvhv_entry_event_early)
	__FINIT

.pushsection .noinstr.text, "ax"
/* RAX = number, arguments in RDI, RSI, RDX, R10; result in RAX; keeps the rest */
SYM_FUNC_START(pvhv_hypercall)
	ENDBR
	syscall
	UNWIND_HINT_FUNC
	RET
SYM_FUNC_END(pvhv_hypercall)
EXPORT_SYMBOL_GPL(pvhv_hypercall)

/*
 * Interrupt flag and CR2 operations, called with all registers but RAX live.
 * Migration between two instructions is harmless: it means that an interrupt
 * was taken, and being scheduled in again looks at PENDING.
 */
SYM_FUNC_START(pvhv_save_fl)
	ENDBR
	movzbl	VP(VIF), %eax
	shll	$9, %eax		/* X86_EFLAGS_IF */
	RET
SYM_FUNC_END(pvhv_save_fl)

SYM_FUNC_START(pvhv_irq_disable)
	ENDBR
	movb	$0, VP(VIF)
	RET
SYM_FUNC_END(pvhv_irq_disable)

SYM_FUNC_START(pvhv_irq_enable)
	ENDBR
	movb	$1, VP(VIF)
	cmpb	$0, VP(PENDING)
	jne	1f
	RET
1:
	FRAME_BEGIN
	pushq	%rcx
	pushq	%r11
	movl	$PVHV_HC_IRQ_WINDOW, %eax
	call	pvhv_hypercall
	popq	%r11
	popq	%rcx
	FRAME_END
	RET
SYM_FUNC_END(pvhv_irq_enable)

SYM_FUNC_START(pvhv_read_cr2)
	ENDBR
	movq	VP(CR2), %rax
	RET
SYM_FUNC_END(pvhv_read_cr2)
.popsection

	.text
/*
 * Replaces this_cpu_cmpxchg16b_emu(), whose "cli; ... popf" does not work in
 * ring 3. It is used until alternatives are applied.
 */
SYM_FUNC_START(pvhv_this_cpu_cmpxchg16b)
	cmpxchg16b PER_CPU_VAR((%rsi))
	setz	%al
	RET
SYM_FUNC_END(pvhv_this_cpu_cmpxchg16b)
