/* SPDX-License-Identifier: GPL-2.0 */
/*
 * exitcost: entries that do no more than they must, with the test guests'
 * library's for what they do not know, and the loops of user mode. These end
 * in UD2 with RBX = 0.
 */
#ifndef __ASSEMBLY__
#define __ASSEMBLY__
#endif
#include <pvhv/hypercall.h>
#include <pvhv/vcpu_page.h>
#include "exitcost.h"

	/* An operation, to the profiler: see mark() in bench.h */
	.macro	mark
991:
	.pushsection marks, "a"
	.quad	991b
	.popsection
	.endm

	/* Behind the instruction of two bytes that raised an exception */
	.macro	skip_two_bytes
	addq	$2, %gs:PVHV_VP_RIP
	movb	$0, %gs:PVHV_VP_IN_DELIVERY
	mov	%rcx, %gs:PVHV_VP_RCX
	mov	%r11, %gs:PVHV_VP_R11
	.endm

	.text
	/* 4 instructions with the library's SYSCALL */
	.globl	fast_syscall
fast_syscall:
	cmp	$FAST_SYSCALL, %eax
	jne	entry_syscall
	jmp	ret_user_sysret - 2

	/* 8 */
	.globl	fast_event_kernel
fast_event_kernel:
	cmpb	$32, %gs:PVHV_VP_VECTOR
	jae	entry_event_kernel
	skip_two_bytes
	jmp	ret_kernel - 2

	/* 8 */
	.globl	fast_event_user
fast_event_user:
	test	%ebx, %ebx
	jz	entry_event_user
	skip_two_bytes
	jmp	ret_user_iret - 2

	.section .user.text, "ax"
	/* 4 instructions a turn */
	.globl	user_syscalls
user_syscalls:
	mov	%edi, %ebx
1:	mov	$FAST_SYSCALL, %eax
	syscall
	mark
	dec	%ebx
	jnz	1b
	ud2

	/* 3 */
	.globl	user_uds
user_uds:
	mov	%edi, %ebx
1:	ud2
	mark
	dec	%ebx
	jnz	1b
	ud2

	/* 3, reads RSI */
	.globl	user_reads
user_reads:
	mov	%edi, %ebx
1:	mov	(%rsi), %eax
	mark
	dec	%ebx
	jnz	1b
	ud2

	.section .note.GNU-stack, "", @progbits
