/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test guests: where everything is. Shared by C, assembly and linker script.
 *
 *	0x0000000000400000	user text and data (section .user*), U=1
 *	0xffff888000000000	first GiB of guest-physical memory, NX
 *	0xffffc90000000000	nothing: tests map what they like (SCRATCH)
 *	0xffffffff81000000	the image, gpa 0x1000000
 *
 * There is no identity mapping.
 */
#ifndef _LIB_LAYOUT_H
#define _LIB_LAYOUT_H

#define KERNEL_BASE	0xffffffff80000000	/* virtual address of gpa 0 */
#define DIRECT_BASE	0xffff888000000000
#define DIRECT_SIZE	0x40000000
#define SCRATCH_BASE	0xffffc90000000000
#define IMAGE_GPA	0x1000000
#define USER_BASE	0x400000
#define HOLE_BASE	0xffff800000000000	/* PML4 slots 256..259 */
#define USER_END	0x7ffffffff000		/* last page below 2^47 starts here */

#define KERNEL_STACK	32768

/* Selectors that the hypervisor's GDT has */
#define SEL_USER32_CS	0x23
#define SEL_USER_DS	0x2b
#define SEL_USER_CS	0x33
#define SEL_TLS(n)	((12 + (n)) * 8 + 3)
#define SEL_CPUNODE	(15 * 8 + 3)
#define SEL_LDT(n)	((n) * 8 + 7)

/* struct regs, from RSP upwards after an entry; see entry.S */
#define REGS_R15	0
#define REGS_R14	8
#define REGS_R13	16
#define REGS_R12	24
#define REGS_RBP	32
#define REGS_RBX	40
#define REGS_R11	48
#define REGS_R10	56
#define REGS_R9		64
#define REGS_R8		72
#define REGS_RAX	80
#define REGS_RCX	88
#define REGS_RDX	96
#define REGS_RSI	104
#define REGS_RDI	112
#define REGS_DR6	120
#define REGS_CR2	128
#define REGS_VECTOR	136
#define REGS_ERROR	144
#define REGS_RIP	152
#define REGS_CS		160
#define REGS_RFLAGS	168
#define REGS_RSP	176
#define REGS_SS		184
#define REGS_SIZE	192

#define VECTOR_SYSCALL	0x100	/* regs.vector of SYSCALL in user mode */

/* struct cpu, which GS points to in kernel mode: the vCPU page, then: */
#define CPU_KSTACK	4096	/* RSP for entries from user mode */
#define CPU_SELF	4104

#endif
