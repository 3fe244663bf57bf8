/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The switcher: what is mapped at PML4 slot 256 in every guest root and in the
 * vCPU threads' own page tables.
 *
 * Each CPU has an area of SW_STRIDE bytes there. The two code pages are the
 * same memory in all areas, so RIP-relative addressing reaches the data of the
 * CPU that executes, without a scratch register.
 */
#ifndef _PVHV_SWITCHER_H
#define _PVHV_SWITCHER_H

#include <pvhv/vcpu_page.h>

/* Pages of an area. The gaps are unmapped and catch stack overflow. */
#define SW_STRIDE	0x20000
#define SW_PG_STUBS	0	/* 256 IDT stubs, 16 bytes each */
#define SW_PG_CODE	1
#define SW_PG_DATA	2	/* struct sw_data */
#define SW_PG_GDT	3	/* our GDT, our TSS behind it */
#define SW_PG_IDT	4
#define SW_PG_STACK	6	/* RSP0; the guest's registers are at its top */
#define SW_PG_NMI	8
#define SW_PG_DF	10
#define SW_PG_DB	12
#define SW_PG_MC	14
#define SW_NR_PAGES	16
#define SW_PG_STALE	16	/* and 15 more, all the same: LDT for stale selectors */

/* Our GDT is the host's first 16 entries plus our TSS and LDTs. */
#define SW_TSS_SEL	0x80
#define SW_HOST_TSS_SEL	0x40
#define SW_TLS		0x60	/* three entries */
#define SW_LDT_SEL	0x90	/* one that Linux never loads */
#define SW_STALE_SEL	0xa0	/* LDT of nothing but entries that can be loaded */
#define SW_GDT_SIZE	(SW_STALE_SEL + 16)
#define SW_TSS_OFFSET	0x800

/* Selectors that guests see: Linux's */
#define SW_KERNEL_CS	0x10
#define SW_USER32_CS	0x23
#define SW_USER_DS	0x2b
#define SW_USER_CS	0x33

/* Exit reasons beside the vectors 0..255 */
#define SW_VEC_SYSCALL		0x100	/* hypercall */
#define SW_VEC_SYSCALL32	0x101	/* SYSCALL in compatibility mode */
#define SW_VEC_RET_SYSRET	0x102	/* a return that the switcher leaves to C */
#define SW_VEC_RET_IRET		0x103
#define SW_VEC_RET_KERNEL	0x104
#define SW_VEC_BAD_RETURN	0x105	/* IRET to the guest faulted; its error code */
#define SW_VEC_FATAL		0x106	/* exception in the switcher: our bug */
#define SW_VEC_DONE		0x107	/* set by C: the exit has been handled */
#define SW_VEC_ABORT		0x108	/* an NMI or #MC came in a window, see xx_pending */

/* sw_data.flags */
#define SW_F_FSGSBASE	0x01
#define SW_F_RSB_FILL	0x02	/* fill the return stack buffer at exit */
#define SW_F_VERW	0x04	/* clear CPU buffers at entry */
#define SW_F_IBRS	0x08	/* write SPEC_CTRL at exit */
#define SW_F_IBPB_EXIT	0x10	/* predictor barrier at exit, where RETs need untraining */
#define SW_F_BHB	0x20	/* clear the branch history at exit */

/* sw_guest.stale: selectors whose descriptors are gone since they were loaded */
#define SW_STALE_DS	0x01
#define SW_STALE_ES	0x02
#define SW_STALE_FS	0x04
#define SW_STALE_GS	0x08

/* sw_guest.work */
#define SW_WORK_SEGS	0x01	/* load LDTR, DS, ES, FS, GS before entering */

/* Offsets in struct sw_data, checked in enter.c */
#define D_HOST_RSP	0x000
#define D_HOST_CR3	0x008
#define D_HOST_GDTR	0x010
#define D_HOST_IDTR	0x020
#define D_OWN_GDTR	0x030
#define D_OWN_IDTR	0x040
#define D_SCRATCH	0x050
#define D_NMI_PENDING	0x058	/* u8; tested together with the next as u16 */
#define D_MC_PENDING	0x059	/* u8 */
#define D_FLAGS		0x05a	/* u8: SW_F_xxx */
#define D_HOST_GS	0x060
#define D_SPEC_CTRL	0x068
#define D_FAULT_VEC	0x070
#define D_FAULT_ERR	0x078
#define D_FAULT_RIP	0x080
#define D_FAULT_RSP	0x088
#define D_VERW_SEL	0x090
#define D_ENTER_CR3	0x098
#define D_SAVE_RAX	0x0a0
#define D_SAVE_RDX	0x0a8
#define D_GUEST		0x100	/* struct sw_guest */
#define D_USER_MODE	0x100	/* u8 */
#define D_WORK		0x101	/* u8: SW_WORK_xxx */
#define D_STALE		0x102	/* u8: SW_STALE_xxx, with SW_WORK_SEGS */
#define D_DIRECT_FAULTS	0x103	/* u8: page faults in user mode go to D_ENTRY_EVENT */
#define D_VP		0x108	/* address of the vCPU page in the window */
#define D_KERNEL_CR3	0x110
#define D_USER_CR3	0x118
#define D_ENTRY_SYSCALL	0x120
#define D_RET_SYSRET	0x128
#define D_RET_IRET	0x130
#define D_RET_KERNEL	0x138
#define D_KERNEL_GS	0x140
#define D_GS_BASE	0x148	/* guest's GS base while the host runs */
#define D_FS_BASE	0x150	/* with SW_WORK_SEGS */
#define D_CR2		0x158
#define D_NR_SYSCALLS	0x160
#define D_NR_RETURNS	0x168
#define D_DS		0x170	/* u16 */
#define D_ES		0x172	/* u16 */
#define D_FS		0x174	/* u16 */
#define D_GS		0x176	/* u16 */
#define D_TLS		0x178	/* 3 descriptors */
#define D_ENTRY_EVENT	0x190	/* entry_event_user */
#define D_NR_FAULTS	0x198

/* Flags that a guest may have in user mode and across its kernel's returns:
 * CF PF AF ZF SF DF OF AC ID and, for IRET, TF NT RF
 */
#define SW_FLAGS_SYSRET	0x240cd5
#define SW_FLAGS_IRET	0x254dd5
#define SW_FLAGS_FIXED	0x202

#define SW_DR6_INIT	0xffff0ff0	/* nothing has happened (SDM volume 3, 18.2.3) */

#ifndef __ASSEMBLY__
#include <linux/types.h>

/**
 * struct sw_regs - the guest's registers, at the top of the entry stack
 *
 * The layout is that of the pushes in switcher.S; from @ip on, of the CPU.
 */
struct sw_regs {
	u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	u64 vec, err;
	u64 ip, cs, flags, sp, ss;
};

struct sw_desc_ptr {
	u16 limit;
	u64 base;
	u8  pad[6];
} __packed;

/**
 * struct sw_guest - the vCPU's part of a CPU's switcher data
 *
 * While a vCPU is loaded this lives in the CPU's data page, otherwise in the
 * vCPU; see pvhv_load().
 */
struct sw_guest {
	u8  user_mode;
	u8  work;
	u8  stale;
	u8  direct_faults;
	u8  pad0[4];
	u64 vp;
	u64 kernel_cr3;
	u64 user_cr3;
	u64 entry_syscall;
	u64 ret_sysret;
	u64 ret_iret;
	u64 ret_kernel;
	u64 kernel_gs;
	u64 gs_base;
	u64 fs_base;
	u64 cr2;
	u64 nr_syscalls;
	u64 nr_returns;
	u16 ds, es, fs, gs;
	u64 tls[3];
	u64 entry_event_user;
	u64 nr_faults;
};

struct sw_data {
	u64 host_rsp;
	u64 host_cr3;
	struct sw_desc_ptr host_gdtr;
	struct sw_desc_ptr host_idtr;
	struct sw_desc_ptr own_gdtr;
	struct sw_desc_ptr own_idtr;
	u64 scratch;
	u8  nmi_pending;
	u8  mc_pending;
	u8  flags;
	u8  pad0[5];
	u64 host_gs;
	u64 spec_ctrl;
	u64 fault_vec;
	u64 fault_err;
	u64 fault_rip;
	u64 fault_rsp;
	u64 verw_sel;
	u64 enter_cr3;
	u64 save_rax, save_rdx;
	u64 pad1[10];
	struct sw_guest guest;
};

extern const char sw_blob_start[], sw_blob_end[];
extern const char sw_enter[], sw_syscall[], sw_syscall32[];

void pvhv_call_gate(unsigned long handler);
#endif /* __ASSEMBLY__ */

#endif /* _PVHV_SWITCHER_H */
