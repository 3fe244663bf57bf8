/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test guests: the ELF notes, the first page tables and the first instruction.
 */
#include <pvhv/start_info.h>
#include <pvhv/hypercall.h>
#include "layout.h"

	.macro	pvhv_note type, value
	.pushsection .note.pvhv, "a", @note
	.balign	4
	.long	5, 8, \type
	.asciz	PVHV_NOTE_NAME
	.balign	4
	.quad	\value
	.popsection
	.endm

	pvhv_note PVHV_NOTE_ENTRY, _start
	pvhv_note PVHV_NOTE_ROOT, (boot_root - KERNEL_BASE)
	pvhv_note PVHV_NOTE_ABI, PVHV_ABI_VERSION

	.section .text.start, "ax"
	.globl	_start
_start:
	lea	boot_stack + KERNEL_STACK(%rip), %rsp
	xor	%ebp, %ebp
	mov	%rsi, %rdi
	call	guest_start
	ud2

#define TABLE	0x63			/* present, writable, accessed, dirty */
#define PAGE	0x63
#define BIG	0xe3			/* a 2 MiB page */
#define NX	0x8000000000000000

	.section .data.page_tables, "aw"
	.balign	4096
	.globl	boot_root
boot_root:
	.fill	273, 8, 0
	.quad	direct_pud - KERNEL_BASE + TABLE
	.fill	511 - 274, 8, 0
	.quad	kernel_pud - KERNEL_BASE + TABLE
direct_pud:
	.quad	direct_pmd - KERNEL_BASE + TABLE
	.fill	511, 8, 0
direct_pmd:				/* 2 MiB of small pages, then big ones */
	.quad	direct_pte - KERNEL_BASE + TABLE
	.set	gpa, 0x200000
	.rept	511
	.quad	gpa + BIG + NX
	.set	gpa, gpa + 0x200000
	.endr
direct_pte:
	.set	gpa, 0
	.rept	512
	.quad	gpa + PAGE + NX
	.set	gpa, gpa + 0x1000
	.endr
kernel_pud:
	.fill	510, 8, 0
	.quad	kernel_pmd - KERNEL_BASE + TABLE
	.quad	0
kernel_pmd:				/* likewise for the image: 16 MiB at most */
	.fill	8, 8, 0
	.quad	kernel_pte - KERNEL_BASE + TABLE
	.set	gpa, IMAGE_GPA + 0x200000
	.rept	7
	.quad	gpa + BIG
	.set	gpa, gpa + 0x200000
	.endr
	.fill	512 - 16, 8, 0
kernel_pte:
	.set	gpa, IMAGE_GPA
	.rept	512
	.quad	gpa + PAGE
	.set	gpa, gpa + 0x1000
	.endr

	.bss
	.balign	4096
	.globl	boot_stack
boot_stack:
	.skip	KERNEL_STACK

	.section .note.GNU-stack, "", @progbits
