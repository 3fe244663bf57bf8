/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * pvhv: hypercalls and what surrounds them.
 *
 * The guest's kernel and its programs both run in ring 3; "kernel mode" and
 * "user mode" below are the hypervisor's notion, which it keeps itself.
 *
 * A hypercall is SYSCALL in kernel mode: number in RAX, arguments in RDI, RSI,
 * RDX, R10, R8, R9, result in RAX (>= 0, or -PVHV_Exxx).  RCX and R11 are
 * clobbered, every other register is kept.  "gpa" arguments are
 * guest-physical, "gva" are translated by the current page tables.  A
 * structure passed by gpa must be 8-byte aligned and lie within one page.
 *
 * Three addresses registered by PVHV_HC_VCPU_SETUP turn SYSCALL into a return:
 * when the SYSCALL instruction *ends* at
 *   ret_user_sysret	go to user mode as SYSRETQ does: RIP, RFLAGS, RSP from
 *			the vCPU page; CS 0x33, SS 0x2b; RCX and R11 become
 *			RIP and RFLAGS; TF, RF and NT are taken as clear
 *   ret_user_iret	go to user mode as IRETQ does: RIP, CS, RFLAGS, RSP, SS
 *			and RCX, R11 from the vCPU page. A frame that cannot be
 *			loaded is delivered as the #GP, #SS or #NP that IRETQ
 *			would raise, but *from user mode*, with the bad frame
 *			in the vCPU page.
 *   ret_kernel		stay in kernel mode: RIP, RFLAGS (IF becomes VIF), RSP,
 *			RCX, R11 from the vCPU page
 * The user returns load the GS base from user_gs_base (bits 63:48 are taken as
 * copies of bit 47) and are entered with VIF clear; in user mode interrupts can
 * always be delivered. IOPL, VM, VIF, VIP cannot be set.
 *
 * An event (exception or interrupt) enters the kernel at entry_event_user or
 * entry_event_kernel, by the mode that it interrupted; a SYSCALL in user mode
 * enters at entry_syscall. All three: VIF clear, GS base = kernel_gs_base, the
 * interrupted RIP, RFLAGS, RSP in the vCPU page (and CS, SS for events), RSP
 * still the interrupted one, RFLAGS 0x202. Events keep every other register;
 * a system call has clobbered RCX and R11. IN_DELIVERY is set by events and
 * must be cleared by the guest once the frame is saved: a page fault of the
 * guest's own in between is a double fault, delivered at entry_double_fault
 * with RSP = df_stack, vector 8, CR2 = the fault's address and the frame of
 * the event that was being delivered.
 */
#ifndef _PVHV_HYPERCALL_H
#define _PVHV_HYPERCALL_H

#define PVHV_ABI_VERSION	2

/* Errors have Linux's numbers; a guest that is not Linux needs these. */
#define PVHV_EPERM		1
#define PVHV_ENOENT		2
#define PVHV_EAGAIN		11
#define PVHV_ENOMEM		12
#define PVHV_EFAULT		14
#define PVHV_EBUSY		16
#define PVHV_EINVAL		22
#define PVHV_ENOSYS		38

/* (gpa of struct pvhv_vcpu_setup): register the vCPU page and the entries */
#define PVHV_HC_VCPU_SETUP	1
/*
 * (cr3 gpa, ctx_id, tlb_gen, flags): load a page-table root. What is shadowed
 * for an address space named ctx_id (never 0, never reused) stays valid if it
 * was last synchronised at tlb_gen or later.
 */
#define PVHV_HC_LOAD_CR3	2
#define PVHV_CR3_FLUSH_ALL	(1 << 0) /* forget everything, the kernel half too; ctx_id 0 */
/*
 * (start gva, end gva, new tlb_gen or 0, flags): PTEs of a range have changed.
 * In the user half, a range that is part of 2 MiB is about leaf entries only,
 * unless FREED_TABLES is given.
 */
#define PVHV_HC_FLUSH_RANGE	3
#define PVHV_FLUSH_FREED_TABLES	(1 << 0) /* page tables were freed as well */
#define PVHV_FLUSH_EVERYWHERE	(1 << 2) /* no vCPU uses old translations then */
/* (new tlb_gen or 0, flags): everything of the current root may have changed */
#define PVHV_HC_FLUSH_ALL	4
#define PVHV_FLUSH_USER		(1 << 0) /* the user half of the current root */
#define PVHV_FLUSH_KERNEL	(1 << 1) /* the kernel half, which all roots share */
/* and PVHV_FLUSH_EVERYWHERE */
/* (ctx_id): the address space is dead; forget its shadow */
#define PVHV_HC_MM_DROP		5
/* (): consume the hints now instead of at the next return to user mode */
#define PVHV_HC_SYNC_HINTS	6
/* (): VIF was set while PENDING was: deliver */
#define PVHV_HC_IRQ_WINDOW	7
/* (): set VIF and sleep until an interrupt is delivered */
#define PVHV_HC_HALT		8
/* (): let other vCPUs and the host run */
#define PVHV_HC_YIELD		9
/* (absolute time in ns of the pvhv clock, 0 = stop): one-shot timer */
#define PVHV_HC_SET_TIMER	10
/* (gpa of a page): keep a struct pvclock_vcpu_time_info at its start */
#define PVHV_HC_SET_CLOCK	11
#define PVHV_HC_GET_TIME	12	/* (): ns of the pvhv clock */
#define PVHV_HC_GET_WALLCLOCK	13	/* (): ns since 1970-01-01 UTC */
#define PVHV_HC_CONSOLE_WRITE	14	/* (gpa, length): bytes taken, maybe 0 */
#define PVHV_HC_CONSOLE_READ	15	/* (gpa, length): bytes given, maybe 0 */
/* (reason, gpa of a message or 0, its length): end the domain; no return */
#define PVHV_HC_SHUTDOWN	16
#define PVHV_SHUTDOWN_POWEROFF	0
#define PVHV_SHUTDOWN_REBOOT	1
#define PVHV_SHUTDOWN_CRASH	2
/* (gpa of struct pvhv_multicall[], count): returns how many were done */
#define PVHV_HC_MULTICALL	17
#define PVHV_MULTICALL_MAX	64
/* (descriptor, descriptor, descriptor): GDT entries 12..14 of this vCPU */
#define PVHV_HC_SET_TLS		18
/* (gva, entries): this vCPU's LDT, copied; 0 entries: none */
#define PVHV_HC_SET_LDT		19
/* (selector): user mode's GS selector; its base goes to user_gs_base */
#define PVHV_HC_LOAD_GS_INDEX	20
/* (PVHV_BASE_xxx, value): for CPUs without WRFSBASE in ring 3 */
#define PVHV_HC_SET_BASE	21
#define PVHV_BASE_FS		0
#define PVHV_BASE_KERNEL_GS	1
#define PVHV_HC_SET_DEBUGREG	22	/* (0..3, 6, 7; value) */
#define PVHV_HC_GET_DEBUGREG	23	/* (0..3, 6, 7): value in result[0] */
#define PVHV_HC_CPUID		24	/* (leaf, subleaf): cpuid[] */
#define PVHV_HC_READ_MSR	25	/* (number): value in result[0] */
#define PVHV_HC_WRITE_MSR	26	/* (number, value) */
/* (first vCPU, mask of 64 vCPUs, vector): interrupt them; 2 is NMI */
#define PVHV_HC_SEND_IPI	27
/*
 * (vCPU, gpa of struct pvhv_vcpu_start): start one that is down. ENOENT: there is none,
 * EBUSY: it is not down
 */
#define PVHV_HC_VCPU_UP		28
/* (): stop this vCPU until another one starts it; no return. The last one ends the domain. */
#define PVHV_HC_VCPU_DOWN	29
/* (limit): GDT entry 15, which LSL and RDPID/RDTSCP (TSC_AUX) read */
#define PVHV_HC_SET_CPUNODE	30
/* (): causes of PVHV_VECTOR_CALLBACK since the last call, PVHV_CAUSE_xxx */
#define PVHV_HC_GET_CAUSES	31
#define PVHV_CAUSE_CONSOLE	(1 << 0) /* console input */
#define PVHV_CAUSE_POWEROFF	(1 << 1) /* the owner asks for an orderly power-off */
#define PVHV_CAUSE_REBOOT	(1 << 2) /* the owner asks for an orderly reboot */
#define PVHV_CAUSE_DEVICES	(1 << 3) /* a device, or the other side of one, has changed */
/* the owner wants another number of vCPUs online: GET_VCPUS */
#define PVHV_CAUSE_VCPUS	(1 << 4)

/* Event channels: <pvhv/event.h> */
#define PVHV_HC_EVENT_SETUP	32	/* (gpa of struct pvhv_event_page): once */
#define PVHV_HC_EVENT_ALLOC	33	/* (domid): a new port, for that domain to bind */
#define PVHV_HC_EVENT_BIND	34	/* (domid, port): a new port, bound to that one */
#define PVHV_HC_EVENT_CLOSE	35	/* (port): free it; the other end stays, unbound */
#define PVHV_HC_EVENT_SEND	36	/* (port) */
#define PVHV_HC_EVENT_UNMASK	37	/* (port): it was unmasked while pending */
#define PVHV_HC_EVENT_BIND_VCPU	38	/* (port, vCPU): who is told; at first vCPU 0 */
/* Grants: <pvhv/grant.h> */
#define PVHV_HC_GRANT_SETUP	39	/* (frame, gpa of a zeroed page): in order, each once */
#define PVHV_HC_GRANT_COPY	40	/* (gpa of struct pvhv_grant_copy[], count): done */
#define PVHV_GRANT_COPY_MAX	64
/* Devices: <pvhv/device.h>. What is shared is one page, page aligned. */
#define PVHV_HC_DEVICE_LIST	41	/* (gpa): how many; struct pvhv_device_info[] */
#define PVHV_HC_DEVICE_READ	42	/* (id, gpa): the other side */
#define PVHV_HC_DEVICE_PUBLISH	43	/* (id, gpa): the caller's side */
/*
 * (flags): sleep until PVHV_HC_KICK or, with VIF set, an interrupt; may end for no reason. A
 * kick before it is not lost.
 */
#define PVHV_HC_WAIT		44
#define PVHV_WAIT_ENABLE	(1 << 0) /* set VIF first, as HALT does */
#define PVHV_HC_KICK		45	/* (vCPU): end its PVHV_HC_WAIT, or the next one */
/*
 * (ctx_id, start | PVHV_FLUSH_FREED_TABLES, end or 0, new tlb_gen or 0): FLUSH_RANGE of an
 * address space, in the user half, for all vCPUs. Start and end 0: all of it
 */
#define PVHV_HC_FLUSH_MM	46
/* (): the number of vCPUs that the owner wants online, 0: it has not said */
#define PVHV_HC_GET_VCPUS	47
/*
 * (gva in the user half, error code of a user-mode page fault): let the access be made again, if
 * the current tables permit it. Returns 0: go back and try; or the error code of the page fault
 * that it is
 */
#define PVHV_HC_PAGE_FAULT	48
#define PVHV_NR_HYPERCALLS	49

/* Vectors that the hypervisor raises by itself */
#define PVHV_VECTOR_TIMER	0xec	/* Linux's LOCAL_TIMER_VECTOR */
#define PVHV_VECTOR_CALLBACK	0xf3	/* Linux's HYPERVISOR_CALLBACK_VECTOR: see GET_CAUSES */
#define PVHV_VECTOR_EVENT	0xf2	/* Linux's POSTED_INTR_VECTOR: see <pvhv/event.h> */

/*
 * The address space: user half below 2^47. Kernel half: its translations are
 * the domain's, shared by every root; only FLUSH_ALL(KERNEL), FLUSH_RANGE and
 * CR3_FLUSH_ALL forget them. PML4 slots 256..259 are the hypervisor's: the
 * guest's own entries there are never looked at.
 */
#define PVHV_HOLE_FIRST_SLOT	256
#define PVHV_HOLE_NR_SLOTS	4

#ifndef __ASSEMBLY__
#include <linux/types.h>

/*
 * With PVHV_F_DIRECT_FAULTS: page faults in user mode may be told before the hypervisor has looked
 * at the guest's tables. They may permit the access, and P in the error code says nothing: ask with
 * PVHV_HC_PAGE_FAULT.
 */
#define PVHV_SETUP_DIRECT_FAULTS	(1 << 0)

/**
 * struct pvhv_vcpu_setup - argument of PVHV_HC_VCPU_SETUP
 * @page_gpa:		the vCPU page (page aligned, RAM); zeroed by the guest
 * @flags:		PVHV_SETUP_xxx
 * @kernel_gs_base:	GS base at every entry to kernel mode
 * @entry_syscall:	SYSCALL from user mode
 * @entry_event_user:	exception or interrupt in user mode
 * @entry_event_kernel:	exception or interrupt in kernel mode
 * @entry_double_fault:	a page fault while an event was being saved
 * @df_stack:		RSP for entry_double_fault
 * @ret_user_sysret:	see the head of this file
 * @ret_user_iret:	likewise
 * @ret_kernel:		likewise
 *
 * Addresses must be canonical. A vCPU may register again at any time; the old
 * page is no longer touched afterwards. Exceptions before the first
 * registration crash the domain.
 */
struct pvhv_vcpu_setup {
	__u64 page_gpa;
	__u64 flags;
	__u64 kernel_gs_base;
	__u64 entry_syscall;
	__u64 entry_event_user;
	__u64 entry_event_kernel;
	__u64 entry_double_fault;
	__u64 df_stack;
	__u64 ret_user_sysret;
	__u64 ret_user_iret;
	__u64 ret_kernel;
	__u64 reserved[5];
};

/**
 * struct pvhv_vcpu_start - argument of PVHV_HC_VCPU_UP
 * @rip:		first instruction, in kernel mode, VIF clear
 * @rsp:		stack
 * @arg:		RDI
 * @cr3:		page-table root (gpa)
 * @kernel_gs_base:	GS base
 * @reserved:		0
 *
 * All other registers are 0, segments flat. Addresses are canonical. An exception before
 * the vCPU's first PVHV_HC_VCPU_SETUP crashes the domain; what it has registered before it
 * was stopped stays.
 */
struct pvhv_vcpu_start {
	__u64 rip;
	__u64 rsp;
	__u64 arg;
	__u64 cr3;
	__u64 kernel_gs_base;
	__u64 reserved[3];
};

/**
 * struct pvhv_multicall - one entry of PVHV_HC_MULTICALL
 * @nr:		hypercall; those that may sleep, return elsewhere or nest are refused
 * @result:	filled in
 * @args:	RDI, RSI, RDX, R10
 */
struct pvhv_multicall {
	__u64 nr;
	__s64 result;
	__u64 args[4];
};
#endif /* __ASSEMBLY__ */

#endif /* _PVHV_HYPERCALL_H */
