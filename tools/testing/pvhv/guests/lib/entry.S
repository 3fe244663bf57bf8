/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test guests: the entries that PVHV_HC_VCPU_SETUP registers and the returns.
 *
 * In kernel mode GS points to struct cpu, which begins with the vCPU page.
 * Every entry builds a struct regs; every return consumes one.
 */
#include <pvhv/hypercall.h>
#include <pvhv/vcpu_page.h>
#include "layout.h"

	.macro	push_event
	pushq	%gs:PVHV_VP_SS
	pushq	%gs:PVHV_VP_RSP
	pushq	%gs:PVHV_VP_RFLAGS
	pushq	%gs:PVHV_VP_CS
	pushq	%gs:PVHV_VP_RIP
	pushq	%gs:PVHV_VP_ERROR_CODE
	pushq	%gs:PVHV_VP_VECTOR
	pushq	%gs:PVHV_VP_CR2
	pushq	%gs:PVHV_VP_DR6
	.endm

	.macro	push_regs
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

	.macro	call_c function
	mov	%rsp, %rdi
	mov	%rsp, %rbx
	and	$-16, %rsp
	call	\function
	mov	%rbx, %rsp
	.endm

	/* RSP -> struct regs; the kernel's RSP is not needed any more */
#define TO_PAGE(field)					\
	mov	REGS_##field(%rsp), %rax;		\
	mov	%rax, %gs:PVHV_VP_##field

	.macro	pop_regs
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
	.endm

	.text
	.globl	entry_event_kernel
entry_event_kernel:
	push_event
	push_regs
	movb	$0, %gs:PVHV_VP_IN_DELIVERY
	call_c	event_kernel

	.globl	return_kernel
return_kernel:
	TO_PAGE(RIP)
	TO_PAGE(RFLAGS)
	TO_PAGE(RSP)
	TO_PAGE(RCX)
	TO_PAGE(R11)
	pop_regs
	syscall
	.globl	ret_kernel
ret_kernel:
	ud2

	.globl	entry_event_user
entry_event_user:
	mov	%gs:CPU_KSTACK, %rsp
	push_event
	push_regs
	movb	$0, %gs:PVHV_VP_IN_DELIVERY
	call_c	event_user

	.globl	return_user_iret
return_user_iret:
	TO_PAGE(RIP)
	TO_PAGE(CS)
	TO_PAGE(RFLAGS)
	TO_PAGE(RSP)
	TO_PAGE(SS)
	TO_PAGE(RCX)
	TO_PAGE(R11)
	pop_regs
	syscall
	.globl	ret_user_iret
ret_user_iret:
	ud2

	.globl	entry_syscall
entry_syscall:
	mov	%gs:CPU_KSTACK, %rsp
	pushq	$SEL_USER_DS
	pushq	%gs:PVHV_VP_RSP
	pushq	%gs:PVHV_VP_RFLAGS
	pushq	$SEL_USER_CS
	pushq	%gs:PVHV_VP_RIP
	pushq	$0
	pushq	$VECTOR_SYSCALL
	pushq	$0
	pushq	$0
	mov	%gs:PVHV_VP_RIP, %rcx
	mov	%gs:PVHV_VP_RFLAGS, %r11
	push_regs
	call_c	event_user

	.globl	return_user_sysret
return_user_sysret:
	TO_PAGE(RIP)
	TO_PAGE(RFLAGS)
	TO_PAGE(RSP)
	pop_regs
	syscall
	.globl	ret_user_sysret
ret_user_sysret:
	ud2

	/* RSP = df_stack, the frame is that of the event being delivered */
	.globl	entry_double_fault
entry_double_fault:
	push_event
	push_regs
	movb	$0, %gs:PVHV_VP_IN_DELIVERY
	call_c	event_double_fault
	jmp	return_kernel

	/* void user_enter(struct regs *regs, void (*ret)(void)): until user_leave() */
	.globl	user_enter
user_enter:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	pushq	%gs:CPU_KSTACK
	mov	%rsp, %gs:CPU_KSTACK
	mov	%rdi, %rsp
	jmp	*%rsi

	/* void user_leave(void): user_enter() returns to its caller */
	.globl	user_leave
user_leave:
	mov	%gs:CPU_KSTACK, %rsp
	popq	%gs:CPU_KSTACK
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.section .note.GNU-stack, "", @progbits
