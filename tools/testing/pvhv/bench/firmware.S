/* SPDX-License-Identifier: GPL-2.0 */
/*
 * firmware: a "kernel" that prints the TSC at its entry and ends the machine.
 * It tells how much of a native boot is QEMU's firmware. Started by PVH as
 * the ELF kernels are: 32 bits, flat, no stack.
 */
	.section .note.pvh, "a", @note
	.long	4, 4, 18		/* "Xen", XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start

	.text
	.code32
	.globl	_start
_start:
	rdtsc
	mov	%edx, %edi
	mov	%eax, %esi
	mov	$16, %ecx
	mov	$0x3f8, %edx
1:	mov	%edi, %eax
	shr	$28, %eax
	add	$'0', %al
	cmp	$'9', %al
	jbe	2f
	add	$('a' - '9' - 1), %al
2:	out	%al, %dx
	shld	$4, %esi, %edi
	shl	$4, %esi
	loop	1b
	mov	$'\n', %al
	out	%al, %dx
3:	hlt
	jmp	3b

	.section .note.GNU-stack, "", @progbits
