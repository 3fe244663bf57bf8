/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The world switch. See switcher.h for the memory layout.
 *
 * This code is data to the kernel: it is copied into pages that only our own
 * page-table entries make executable, at an address of its own in each CPU's
 * area. So it must be position independent, may not use alternatives, and the
 * RET to C is reached only after the return stack buffer has been dealt with.
 *
 * What is true where (H = the host's, O = our own, G = the guest's):
 *
 *	label			CR3  GDT/TR  IDT  GS   an NMI here
 *	sw_enter		H    H       H    H    is the host's
 *	  after lidt		H    H       O    H    is noted; its IST stack is the host's
 *	  after ltr		H    O       O    H    is noted
 *	  after swapgs		H    O       O    G    is noted
 *	sw_enter_window		G    O       O    G    makes us leave again (sw_enter_abort)
 *	sw_syscall & co		G    O       O    G    is noted, seen before the return
 *	sw_page_fault		G    O       O    G    likewise
 *	sw_sysret_window	G    O       O    G    makes us leave (sw_sysret_abort)
 *	sw_iret_window		G    O       O    G    makes us leave (sw_iret_abort)
 *	guest, ring 3		G    O       O    G    exits with the registers as of then
 *	sw_exit			G    O       O    G    is noted, C looks after sw_enter
 *	  after swapgs		G    O       O    H    is noted
 *	  after mov cr3		H    O       O    H    is noted
 *	  after lidt		H    H       H    H    is the host's
 *
 * Between the test of nmi_pending and the instruction that enters ring 3 an
 * NMI cannot only be noted, or it would wait until the guest's next exit:
 * the NMI handler moves RIP from a window to that window's abort label. In a
 * window all of the guest's registers are in registers or in a place that
 * nothing overwrites.
 *
 * IRQs are off throughout. #DB, NMI, #DF and #MC have stacks of their own, as
 * SYSCALL arrives with the guest's RSP, and RSP is a scratch register below.
 */
#include <linux/linkage.h>
#include <asm/nospec-branch.h>
#include <asm/segment.h>
#include "switcher.h"

	.section .rodata.pvhv_switcher, "a", @progbits
	.balign 4096
SYM_DATA_START_LOCAL(sw_blob)
	.globl sw_blob_start
sw_blob_start:

#define DATA(off)	(sw_blob_start + SW_PG_DATA * 4096 + (off))(%rip)
#define GDT(off)	(sw_blob_start + SW_PG_GDT * 4096 + (off))(%rip)
#define STACK_TOP	(sw_blob_start + (SW_PG_STACK + 1) * 4096)(%rip)
#define FRAME_BASE	(sw_blob_start + (SW_PG_STACK + 1) * 4096 - 40)(%rip)
#define REGS_BASE	(sw_blob_start + (SW_PG_STACK + 1) * 4096 - 22 * 8)(%rip)

#define MSR_SPEC_CTRL		0x48
#define MSR_PRED_CMD		0x49
#define MSR_FSBASE		0xc0000100
#define MSR_GSBASE		0xc0000101

	vec = 0
	.rept 256
	.balign 16
	endbr64
	.if vec == 1
	jmp	sw_debug
	.elseif vec == 2
	jmp	sw_nmi
	.elseif vec == 18
	jmp	sw_mc
	.else
	.if !(vec == 8 || (vec >= 10 && vec <= 14) || vec == 17 || \
	      vec == 21 || vec == 29 || vec == 30)
	push	$0
	.endif
	push	$vec
	.if vec == 14
	jmp	sw_page_fault
	.else
	jmp	sw_exception
	.endif
	.endif
	vec = vec + 1
	.endr

	.org sw_blob_start + SW_PG_CODE * 4096

	.macro PUSH_GPRS
	push	%rdi
	push	%rsi
	push	%rdx
	push	%rcx
	push	%rax
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	.endm

/*
 * void sw_enter(void): called at its address in this CPU's area, IRQs off,
 * host_cr3 and enter_cr3 set, struct sw_regs at REGS_BASE.
 */
	.globl sw_enter
sw_enter:
	endbr64
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, DATA(D_HOST_RSP)
	lidt	DATA(D_OWN_IDTR)
	lgdt	DATA(D_OWN_GDTR)
	movb	$0x89, GDT(SW_TSS_SEL + 5)	/* available again, for LTR */
	mov	$SW_TSS_SEL, %eax
	ltr	%ax
	lea	REGS_BASE, %rsp
	swapgs
	mov	DATA(D_ENTER_CR3), %rax
	mov	%rax, %cr3
	testb	$SW_WORK_SEGS, DATA(D_WORK)
	jnz	sw_load_segs
sw_segs_loaded:
	mov	DATA(D_GS_BASE), %rax
	testb	$SW_F_FSGSBASE, DATA(D_FLAGS)
	jz	sw_enter_wrmsr_gs
	wrgsbase %rax
sw_enter_gs_done:
	testb	$SW_F_VERW, DATA(D_FLAGS)
	jz	sw_enter_window
	verw	DATA(D_VERW_SEL)
sw_enter_window:
	cmpw	$0, DATA(D_NMI_PENDING)
	jne	sw_enter_abort
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
	add	$16, %rsp
sw_enter_iretq:
	iretq
sw_enter_window_end:

/* The registers are still in their frame: nothing was pushed over it. */
sw_enter_abort:
	lea	REGS_BASE, %rsp
	movq	$SW_VEC_ABORT, (15 * 8)(%rsp)
	jmp	sw_exit

sw_enter_wrmsr_gs:
	mov	$MSR_GSBASE, %ecx
	mov	4 + DATA(D_GS_BASE), %edx
	wrmsr
	jmp	sw_enter_gs_done

/*
 * Selectors were checked against our own GDT and the LDT copy, so none of
 * these can fault. GS is swapped already: the host's base is safe. The LDT is
 * in the domain's window, so the guest's CR3 must be loaded.
 */
	.macro LOAD_SEG reg at
	movzwl	DATA(\at), %eax
	mov	%eax, \reg
	.endm
sw_load_segs:
	movb	$0, DATA(D_WORK)
	cmpb	$0, DATA(D_STALE)
	jne	sw_load_stale
	mov	$SW_LDT_SEL, %eax
	lldt	%ax
	LOAD_SEG %ds, D_DS
	LOAD_SEG %es, D_ES
	LOAD_SEG %fs, D_FS
	LOAD_SEG %gs, D_GS
sw_load_fs_base:
	mov	$MSR_FSBASE, %ecx
	mov	DATA(D_FS_BASE), %eax
	mov	4 + DATA(D_FS_BASE), %edx
	wrmsr
	jmp	sw_segs_loaded

/*
 * Selectors stay in their registers when their descriptors go, until they are loaded
 * again, and Linux reads them after it has changed TLS and LDT for the next task. So all
 * are loaded where anything can be, and those that are good once more as they should be.
 */
sw_load_stale:
	mov	$SW_STALE_SEL, %eax
	lldt	%ax
	LOAD_SEG %ds, D_DS
	LOAD_SEG %es, D_ES
	LOAD_SEG %fs, D_FS
	LOAD_SEG %gs, D_GS
	mov	DATA(D_TLS), %rax
	mov	%rax, GDT(SW_TLS)
	mov	8 + DATA(D_TLS), %rax
	mov	%rax, GDT(SW_TLS + 8)
	mov	16 + DATA(D_TLS), %rax
	mov	%rax, GDT(SW_TLS + 16)
	mov	$SW_LDT_SEL, %eax
	lldt	%ax
	.macro LOAD_GOOD reg at stale
	testb	$\stale, DATA(D_STALE)
	jnz	1f
	LOAD_SEG \reg, \at
1:
	.endm
	LOAD_GOOD %ds, D_DS, SW_STALE_DS
	LOAD_GOOD %es, D_ES, SW_STALE_ES
	LOAD_GOOD %fs, D_FS, SW_STALE_FS
	LOAD_GOOD %gs, D_GS, SW_STALE_GS
	jmp	sw_load_fs_base

/* All exceptions and interrupts without a stack of their own */
	.balign 16
sw_exception:
	testb	$3, 24(%rsp)
	jz	sw_ring0
sw_from_guest:
	PUSH_GPRS
	mov	%cr2, %rax
	mov	%rax, DATA(D_CR2)

/* Leave: the guest's registers are saved, its CR3 and GS are loaded. */
sw_exit:
	testb	$SW_F_FSGSBASE, DATA(D_FLAGS)
	jz	sw_exit_rdmsr_gs
	rdgsbase %rax
	mov	%rax, DATA(D_GS_BASE)
sw_exit_gs_done:
	swapgs
sw_exit_swapped:
	mov	DATA(D_HOST_CR3), %rax
	mov	%rax, %cr3
	/* LTR wants an available TSS: clear busy in our copy of the host's */
	movb	$0x89, GDT(SW_HOST_TSS_SEL + 5)
	mov	$SW_HOST_TSS_SEL, %eax
	ltr	%ax
	lgdt	DATA(D_HOST_GDTR)
	lidt	DATA(D_HOST_IDTR)
	mov	DATA(D_HOST_RSP), %rsp
	/*
	 * The guest's kernel runs at addresses that are the host kernel's too,
	 * so SMEP does not keep its stale predictions from being used here.
	 */
	testb	$SW_F_RSB_FILL | SW_F_IBRS | SW_F_IBPB_EXIT | SW_F_BHB, DATA(D_FLAGS)
	jnz	sw_exit_mitigate
sw_exit_mitigated:
	/* The guest may have trained that branch: no RET before it is decided. */
	lfence
	/* AC, DF, TF, NT may be the guest's */
	push	$2
	popfq
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	xor	%eax, %eax
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	jmp	sw_exit_ret

/*
 * A page fault in user mode goes straight to the guest's kernel, if that wants it so: it can see
 * for itself whether its own tables are to blame. What is not an ordinary access to the user half
 * is for C: protection keys, reserved bits, addresses that are canonical to five levels only, and
 * KVM's notes about its own paging, which have 0 as their error code.
 */
	.balign 16
sw_page_fault:
	testb	$3, 24(%rsp)
	jz	sw_ring0
	cmpb	$0, DATA(D_DIRECT_FAULTS)
	je	sw_from_guest
	cmpb	$0, DATA(D_USER_MODE)
	je	sw_from_guest
	push	%rax
	push	%rcx
	mov	24(%rsp), %rcx		/* error code: P, W, I and always U */
	mov	%ecx, %eax
	and	$~0x13, %eax
	cmp	$4, %eax
	jne	sw_page_fault_slow
	mov	%cr2, %rax
	shr	$47, %rax
	jnz	sw_page_fault_slow
	mov	DATA(D_VP), %rax
	mov	%rcx, PVHV_VP_ERROR_CODE(%rax)
	mov	%cr2, %rcx
	mov	%rcx, PVHV_VP_CR2(%rax)
	movq	$14, PVHV_VP_VECTOR(%rax)
	mov	32(%rsp), %rcx
	mov	%rcx, PVHV_VP_RIP(%rax)
	mov	40(%rsp), %rcx
	mov	%rcx, PVHV_VP_CS(%rax)
	mov	48(%rsp), %rcx
	mov	%rcx, PVHV_VP_RFLAGS(%rax)	/* IF is set in ring 3 */
	mov	56(%rsp), %rcx
	mov	%rcx, PVHV_VP_RSP(%rax)
	mov	64(%rsp), %rcx
	mov	%rcx, PVHV_VP_SS(%rax)
	rdgsbase %rcx
	mov	%rcx, PVHV_VP_USER_GS_BASE(%rax)
	movb	$0, PVHV_VP_VIF(%rax)
	movb	$1, PVHV_VP_IN_DELIVERY(%rax)
	mov	DATA(D_KERNEL_GS), %rcx
	wrgsbase %rcx
	movb	$0, DATA(D_USER_MODE)
	incq	DATA(D_NR_FAULTS)
	mov	DATA(D_KERNEL_CR3), %rcx
	mov	%rcx, %cr3
	/* RSP stays the program's */
	mov	DATA(D_ENTRY_EVENT), %rcx	/* canonical: checked when it was registered */
	mov	%rcx, 32(%rsp)
	movq	$SW_USER_CS, 40(%rsp)
	movq	$SW_FLAGS_FIXED, 48(%rsp)
	movq	$SW_USER_DS, 64(%rsp)
	pop	%rcx
	pop	%rax
	add	$16, %rsp
	jmp	sw_iret_window

sw_page_fault_slow:
	pop	%rcx
	pop	%rax
	jmp	sw_from_guest

sw_exit_rdmsr_gs:
	mov	$MSR_GSBASE, %ecx
	rdmsr
	mov	%eax, DATA(D_GS_BASE)
	mov	%edx, 4 + DATA(D_GS_BASE)
	jmp	sw_exit_gs_done

sw_exit_mitigate:
	testb	$SW_F_IBPB_EXIT, DATA(D_FLAGS)
	jz	1f
	mov	$MSR_PRED_CMD, %ecx
	mov	$1, %eax
	xor	%edx, %edx
	wrmsr
1:	testb	$SW_F_IBRS, DATA(D_FLAGS)
	jz	2f
	mov	$MSR_SPEC_CTRL, %ecx
	mov	DATA(D_SPEC_CTRL), %eax
	mov	4 + DATA(D_SPEC_CTRL), %edx
	wrmsr
2:	testb	$SW_F_RSB_FILL, DATA(D_FLAGS)
	jz	4f
	.rept	32
	call	3f
	int3
3:
	.endr
	add	$(32 * 8), %rsp
	lfence
4:	testb	$SW_F_BHB, DATA(D_FLAGS)
	jz	sw_exit_mitigated
	mov	$5, %ecx
	call	sw_bhb_outer
	jmp	sw_exit_mitigated

/*
 * So many taken branches that none of the guest's is left in the branch history
 * (Intel, "Branch History Injection", software sequence). Where indirect branches
 * in the first half of a cache line are predicted by others (ITS), that goes
 * for RET as well: all of ours lie in second halves.
 */
	.balign 64, 0xcc
	.skip	32, 0xcc
sw_exit_ret:
	ret
	int3
sw_bhb_ret:
	ret
	int3
	.balign 64, 0xcc
sw_bhb_outer:
	call	sw_bhb_inner
	jmp	sw_bhb_ret
	.balign 64, 0xcc
sw_bhb_inner:
	mov	$5, %eax
1:	jmp	2f
	nop
2:	sub	$1, %eax
	jnz	1b
	sub	$1, %ecx
	jnz	sw_bhb_outer
	jmp	sw_bhb_ret

/*
 * Exception in ring 0. Only the IRETs to the guest may fault (selectors and
 * RIP are the guest's); everything else is a bug of ours.
 */
sw_ring0:
	push	%rax
	lea	sw_enter_iretq(%rip), %rax
	cmp	%rax, 24(%rsp)
	je	sw_bad_return
	lea	sw_iretq(%rip), %rax
	cmp	%rax, 24(%rsp)
	je	sw_bad_return
	mov	8(%rsp), %rax
	mov	%rax, DATA(D_FAULT_VEC)
	mov	16(%rsp), %rax
	mov	%rax, DATA(D_FAULT_ERR)
	mov	24(%rsp), %rax
	mov	%rax, DATA(D_FAULT_RIP)
	mov	48(%rsp), %rax
	mov	%rax, DATA(D_FAULT_RSP)
	mov	%cr2, %rax
	mov	%rax, DATA(D_CR2)
	lea	REGS_BASE, %rsp
	movq	$SW_VEC_FATAL, (15 * 8)(%rsp)
	mov	$MSR_GSBASE, %ecx
	mov	DATA(D_HOST_GS), %eax
	mov	4 + DATA(D_HOST_GS), %edx
	wrmsr
	jmp	sw_exit_swapped

/* All of the guest's registers but RAX are live, RAX is pushed. */
sw_bad_return:
	mov	8(%rsp), %rax
	mov	%rax, DATA(D_FAULT_VEC)
	mov	16(%rsp), %rax
	mov	%rax, DATA(D_SCRATCH)
	pop	%rax
	lea	FRAME_BASE, %rsp
	push	DATA(D_SCRATCH)
	push	$SW_VEC_BAD_RETURN
	PUSH_GPRS
	jmp	sw_exit

/*
 * SYSCALL in 64-bit mode: RCX = RIP, R11 = RFLAGS, RSP still the guest's.
 * The flags that matter were cleared by MSR_SYSCALL_MASK.
 */
	.balign 64
	.globl sw_syscall
sw_syscall:
	endbr64
	mov	%rsp, DATA(D_SCRATCH)
	cmpb	$0, DATA(D_USER_MODE)
	jne	sw_from_user
	cmp	DATA(D_RET_SYSRET), %rcx
	je	sw_ret_sysret
	cmp	DATA(D_RET_KERNEL), %rcx
	je	sw_ret_kernel
	cmp	DATA(D_RET_IRET), %rcx
	je	sw_ret_iret
	lea	STACK_TOP, %rsp
	push	$SW_USER_DS
	push	DATA(D_SCRATCH)
	push	%r11
	push	$SW_USER_CS
	push	%rcx
	push	$0
	push	$SW_VEC_SYSCALL
	PUSH_GPRS
	jmp	sw_exit

/* User mode to the guest's kernel, without the host. */
sw_from_user:
	mov	DATA(D_VP), %rsp
	mov	%rcx, PVHV_VP_RIP(%rsp)
	mov	%r11, PVHV_VP_RFLAGS(%rsp)
	mov	DATA(D_SCRATCH), %r11
	mov	%r11, PVHV_VP_RSP(%rsp)
	movb	$0, PVHV_VP_VIF(%rsp)
	testb	$SW_F_FSGSBASE, DATA(D_FLAGS)
	jz	sw_from_user_msr
	rdgsbase %r11
	mov	%r11, PVHV_VP_USER_GS_BASE(%rsp)
	mov	DATA(D_KERNEL_GS), %r11
	wrgsbase %r11
sw_from_user_gs_done:
	movb	$0, DATA(D_USER_MODE)
	incq	DATA(D_NR_SYSCALLS)
	mov	DATA(D_KERNEL_CR3), %r11
	mov	%r11, %cr3
	mov	DATA(D_ENTRY_SYSCALL), %rcx	/* canonical: checked when it was registered */
	mov	$SW_FLAGS_FIXED, %r11d
sw_sysret_window:
	cmpw	$0, DATA(D_NMI_PENDING)
	jne	sw_sysret_abort
	mov	DATA(D_SCRATCH), %rsp
	sysretq
sw_sysret_window_end:

sw_sysret_abort:
	lea	STACK_TOP, %rsp
	push	$SW_USER_DS
	push	DATA(D_SCRATCH)
	push	%r11
	push	$SW_USER_CS
	push	%rcx
	push	$0
	push	$SW_VEC_ABORT
	PUSH_GPRS
	jmp	sw_exit

/* Without FSGSBASE. RAX and RDX are the guest's arguments. */
sw_from_user_msr:
	mov	%rax, DATA(D_SAVE_RAX)
	mov	%rdx, DATA(D_SAVE_RDX)
	mov	$MSR_GSBASE, %ecx
	rdmsr
	mov	%eax, PVHV_VP_USER_GS_BASE(%rsp)
	mov	%edx, 4 + PVHV_VP_USER_GS_BASE(%rsp)
	mov	DATA(D_KERNEL_GS), %eax
	mov	4 + DATA(D_KERNEL_GS), %edx
	wrmsr
	mov	DATA(D_SAVE_RAX), %rax
	mov	DATA(D_SAVE_RDX), %rdx
	jmp	sw_from_user_gs_done

/* Kernel to user mode as SYSRET does, when nothing waits for C. */
sw_ret_sysret:
	mov	DATA(D_VP), %rsp
	cmpb	$0, PVHV_VP_PENDING(%rsp)
	jne	sw_ret_sysret_slow
	cmpl	$0, PVHV_VP_NR_HINTS(%rsp)
	jne	sw_ret_sysret_slow
	/* SYSRET to a non-canonical address would fault in ring 0 on Intel */
	mov	PVHV_VP_RIP(%rsp), %rcx
	mov	%rcx, %r11
	shr	$47, %r11
	jnz	sw_ret_sysret_slow
	testb	$SW_F_FSGSBASE, DATA(D_FLAGS)
	jz	sw_ret_sysret_slow
	/* WRGSBASE wants a canonical value: make it one */
	mov	PVHV_VP_USER_GS_BASE(%rsp), %r11
	shl	$16, %r11
	sar	$16, %r11
	wrgsbase %r11
	mov	PVHV_VP_RSP(%rsp), %r11
	mov	%r11, DATA(D_SCRATCH)
	mov	PVHV_VP_RFLAGS(%rsp), %r11
	and	$SW_FLAGS_SYSRET, %r11d
	or	$SW_FLAGS_FIXED, %r11d
	movb	$1, DATA(D_USER_MODE)
	incq	DATA(D_NR_RETURNS)
	mov	DATA(D_USER_CR3), %rsp
	mov	%rsp, %cr3
	jmp	sw_sysret_window

/* Kernel to kernel: only RIP, RSP, flags, RCX and R11 change. */
sw_ret_kernel:
	mov	DATA(D_VP), %rcx
	lea	STACK_TOP, %rsp
	mov	PVHV_VP_RFLAGS(%rcx), %r11
	test	$0x200, %r11d
	jz	sw_ret_kernel_off
	/*
	 * If an interrupt comes after the test, whoever raised it also makes
	 * this CPU exit, and C sees VIF set then.
	 */
	cmpb	$0, PVHV_VP_PENDING(%rcx)
	jne	sw_ret_kernel_slow
	movb	$1, PVHV_VP_VIF(%rcx)
sw_ret_kernel_flags:
	push	$SW_USER_DS
	push	PVHV_VP_RSP(%rcx)
	and	$SW_FLAGS_IRET, %r11d
	or	$SW_FLAGS_FIXED, %r11d
	push	%r11
	push	$SW_USER_CS
	push	PVHV_VP_RIP(%rcx)
	mov	PVHV_VP_R11(%rcx), %r11
	mov	PVHV_VP_RCX(%rcx), %rcx
	incq	DATA(D_NR_RETURNS)
sw_iret_window:
	cmpw	$0, DATA(D_NMI_PENDING)
	jne	sw_iret_abort
sw_iretq:
	iretq
sw_iret_window_end:

sw_ret_kernel_off:
	movb	$0, PVHV_VP_VIF(%rcx)
	jmp	sw_ret_kernel_flags

sw_iret_abort:
	push	$0
	push	$SW_VEC_ABORT
	PUSH_GPRS
	jmp	sw_exit

/* Kernel to user mode as IRET does; odd selectors are for C to look at. */
sw_ret_iret:
	mov	DATA(D_VP), %rcx
	lea	STACK_TOP, %rsp
	cmpb	$0, PVHV_VP_PENDING(%rcx)
	jne	sw_ret_iret_slow
	cmpl	$0, PVHV_VP_NR_HINTS(%rcx)
	jne	sw_ret_iret_slow
	testb	$SW_F_FSGSBASE, DATA(D_FLAGS)
	jz	sw_ret_iret_slow
	cmpq	$SW_USER_DS, PVHV_VP_SS(%rcx)
	jne	sw_ret_iret_slow
	cmpq	$SW_USER_CS, PVHV_VP_CS(%rcx)
	jne	sw_ret_iret_slow
	push	$SW_USER_DS
	push	PVHV_VP_RSP(%rcx)
	mov	PVHV_VP_RFLAGS(%rcx), %r11
	and	$SW_FLAGS_IRET, %r11d
	or	$SW_FLAGS_FIXED, %r11d
	push	%r11
	push	$SW_USER_CS
	push	PVHV_VP_RIP(%rcx)
	mov	PVHV_VP_USER_GS_BASE(%rcx), %r11
	shl	$16, %r11
	sar	$16, %r11
	wrgsbase %r11
	movb	$1, DATA(D_USER_MODE)
	incq	DATA(D_NR_RETURNS)
	mov	PVHV_VP_R11(%rcx), %r11
	/* RCX last: after this the vCPU page is out of reach */
	mov	PVHV_VP_RCX(%rcx), %rcx
	mov	%rcx, DATA(D_SCRATCH)
	mov	DATA(D_USER_CR3), %rcx
	mov	%rcx, %cr3
	mov	DATA(D_SCRATCH), %rcx
	jmp	sw_iret_window

/* C takes everything from the vCPU page; RIP and flags here mean nothing. */
sw_ret_sysret_slow:
	lea	STACK_TOP, %rsp
	sub	$(6 * 8), %rsp
	push	$SW_VEC_RET_SYSRET
	PUSH_GPRS
	jmp	sw_exit
sw_ret_kernel_slow:
	sub	$(6 * 8), %rsp
	push	$SW_VEC_RET_KERNEL
	PUSH_GPRS
	jmp	sw_exit
sw_ret_iret_slow:
	sub	$(6 * 8), %rsp
	push	$SW_VEC_RET_IRET
	PUSH_GPRS
	jmp	sw_exit

/* SYSCALL in compatibility mode (AMD; Intel raises #UD) */
	.balign 16
	.globl sw_syscall32
sw_syscall32:
	endbr64
	mov	%rsp, DATA(D_SCRATCH)
	lea	STACK_TOP, %rsp
	push	$SW_USER_DS
	push	DATA(D_SCRATCH)
	push	%r11
	push	$SW_USER32_CS
	push	%rcx
	push	$0
	push	$SW_VEC_SYSCALL32
	PUSH_GPRS
	jmp	sw_exit

/*
 * From ring 3 on a stack of their own: continue on the entry stack, as the
 * registers are expected there. No IRET before the host has had its NMI, so
 * further NMIs stay blocked.
 */
	.macro MOVE_FRAME vector
	push	%rax
	mov	%rsp, %rax
	lea	STACK_TOP, %rsp
	push	40(%rax)
	push	32(%rax)
	push	24(%rax)
	push	16(%rax)
	push	8(%rax)
	push	$0
	push	$\vector
	mov	(%rax), %rax
	PUSH_GPRS
	.endm

	.balign 16
sw_debug:
	testb	$3, 8(%rsp)
	jz	1f
	MOVE_FRAME 1
	jmp	sw_exit
	/*
	 * A single-step or MOV SS trap of the guest that SYSCALL or INT carried
	 * into ring 0 (SDM 6.8.3, CVE-2018-8897): drop it, and what it says in
	 * DR6, or Linux takes it for its own with the next one.
	 */
1:	andl	$~0x100, 16(%rsp)
	push	%rax
	mov	$SW_DR6_INIT, %eax
	mov	%rax, %dr6
	pop	%rax
	iretq

	.balign 16
sw_mc:
	testb	$3, 8(%rsp)
	jz	1f
	MOVE_FRAME 18
	jmp	sw_exit
1:	movb	$1, DATA(D_MC_PENDING)
	jmp	sw_note

	.balign 16
sw_nmi:
	testb	$3, 8(%rsp)
	jz	1f
	MOVE_FRAME 2
	jmp	sw_exit
1:	movb	$1, DATA(D_NMI_PENDING)

/* Noted; if that was in a window, turn back. */
sw_note:
	push	%rax
	push	%rcx
	mov	16(%rsp), %rax
	.macro WINDOW name
	lea	\name\()_window(%rip), %rcx
	cmp	%rcx, %rax
	jb	8f
	lea	\name\()_window_end(%rip), %rcx
	cmp	%rcx, %rax
	jae	8f
	lea	\name\()_abort(%rip), %rcx
	jmp	9f
8:
	.endm
	WINDOW	sw_enter
	WINDOW	sw_sysret
	WINDOW	sw_iret
	jmp	1f
9:	mov	%rcx, 16(%rsp)
1:	pop	%rcx
	pop	%rax
	/*
	 * If this is the host's NMI stack, asm_exc_nmi keeps "NMI executing" in this
	 * word, and RCX was just there. No NMI is: pvhv_enter() is not called by one.
	 */
	movq	$0, -16(%rsp)
	iretq

	.org sw_blob_start + SW_PG_DATA * 4096
	.globl sw_blob_end
sw_blob_end:
SYM_DATA_END(sw_blob)

	.text
/*
 * void pvhv_call_gate(unsigned long handler): enter a host interrupt handler
 * with the frame that the CPU would have pushed, IRQs off.
 */
SYM_FUNC_START(pvhv_call_gate)
	push	%rbp
	mov	%rsp, %rbp
	and	$-16, %rsp
	push	$__KERNEL_DS
	push	%rbp
	pushf
	push	$__KERNEL_CS
	CALL_NOSPEC rdi
	mov	%rbp, %rsp
	pop	%rbp
	RET
SYM_FUNC_END(pvhv_call_gate)
