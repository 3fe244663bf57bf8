/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pvhv guest: what the rest of the kernel needs to know.
 *
 * Everything here costs nothing without CONFIG_PVHV_GUEST, and a patched-out
 * branch in a kernel with it that runs on bare hardware.
 */
#ifndef _ASM_X86_PVHV_H
#define _ASM_X86_PVHV_H

#ifdef CONFIG_PVHV_GUEST

/*
 * The virtual interrupt flag, the first byte of the vCPU page, as inline
 * assembly for paravirt.h. The second turns it into EFLAGS.IF (bit 9).
 * <pvhv/vcpu_page.h> is not included because all of the kernel would be
 * rebuilt whenever it changes; processor.c checks the offset.
 */
#define PVHV_ASM_IRQ_DISABLE	"movb $0, %%gs:pvhv_vcpu_page;"
#define PVHV_ASM_SAVE_FL	"movzbl %%gs:pvhv_vcpu_page, %%eax; shl $9, %%eax;"

#ifndef __ASSEMBLY__
#include <linux/types.h>

struct vm_area_struct;

#define pvhv_guest()	cpu_feature_enabled(X86_FEATURE_PVHV)

void pvhv_flush_user_range(unsigned long start, unsigned long end,
			   u64 tlb_gen, bool freed_tables);
void pvhv_flush_user_all(u64 tlb_gen);
void pvhv_flush_kernel_range(unsigned long start, unsigned long end);
void pvhv_hint(struct vm_area_struct *vma, unsigned long addr, unsigned int more);
#endif /* __ASSEMBLY__ */

#else /* !CONFIG_PVHV_GUEST */

#ifndef __ASSEMBLY__
struct vm_area_struct;

#define pvhv_guest()	false

static inline void pvhv_flush_user_range(unsigned long start, unsigned long end,
					 u64 tlb_gen, bool freed_tables) { }
static inline void pvhv_flush_user_all(u64 tlb_gen) { }
static inline void pvhv_flush_kernel_range(unsigned long start, unsigned long end) { }
static inline void pvhv_hint(struct vm_area_struct *vma, unsigned long addr,
			     unsigned int more) { }
#endif /* __ASSEMBLY__ */

#endif /* CONFIG_PVHV_GUEST */
#endif /* _ASM_X86_PVHV_H */
