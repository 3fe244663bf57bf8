/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pvhv guest: the first instructions, and the notes by which the hypervisor's
 * loader finds them (see include/pvhv/start_info.h).
 *
 * The boot vCPU starts here in kernel mode on init_top_pgt, which is built
 * statically and maps the kernel's image where it was linked. So none of the
 * work of startup_64 is needed, and none of its privileged instructions.
 */
#include <linux/elfnote.h>
#include <linux/init.h>
#include <linux/linkage.h>

#include <asm/asm.h>
#include <asm/page_types.h>
#include <asm/percpu.h>
#include <asm/unwind_hints.h>

#include <pvhv/hypercall.h>
#include <pvhv/start_info.h>

	__INIT
/* RSI = gpa of struct pvhv_start_info */
SYM_CODE_START(pvhv_startup)
	UNWIND_HINT_EMPTY
	ANNOTATE_NOENDBR
	cld

	movq	initial_stack(%rip), %rsp

	/*
	 * The boot CPU's per-CPU data are the image's own until they are
	 * allocated. A hypercall because whether WRGSBASE may be used is only
	 * known from the start info, which is not mapped yet.
	 */
	movq	%rsi, %rbx
	movl	$PVHV_HC_SET_BASE, %eax
	movl	$PVHV_BASE_KERNEL_GS, %edi
	leaq	INIT_PER_CPU_VAR(fixed_percpu_data)(%rip), %rsi
	call	pvhv_hypercall

	movq	%rbx, %rdi
	call	pvhv_start_kernel
SYM_CODE_END(pvhv_startup)
	__FINIT

/* Any other vCPU: its stack and per-CPU data are those of struct pvhv_vcpu_start. */
	.text
SYM_CODE_START(pvhv_startup_secondary)
	UNWIND_HINT_EMPTY
	ANNOTATE_NOENDBR
	cld
	xorl	%ebp, %ebp
	call	pvhv_start_secondary
	ud2
SYM_CODE_END(pvhv_startup_secondary)

	ELFNOTE(pvhv, PVHV_NOTE_ENTRY, .quad pvhv_startup)
	ELFNOTE(pvhv, PVHV_NOTE_ROOT, .quad init_top_pgt - __START_KERNEL_map)
	ELFNOTE(pvhv, PVHV_NOTE_ABI, .quad PVHV_ABI_VERSION)
