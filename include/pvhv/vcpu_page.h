/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * pvhv: the page that a vCPU shares with the hypervisor.
 *
 * One page per vCPU, in the guest's own memory, registered by
 * PVHV_HC_VCPU_SETUP.  The guest may write any byte of it at any time, so the
 * hypervisor reads each field once and checks what it read.
 *
 * Offsets are constants because the guest's entry code and the hypervisor's
 * switcher are assembly; struct pvhv_vcpu_page is checked against them.
 */
#ifndef _PVHV_VCPU_PAGE_H
#define _PVHV_VCPU_PAGE_H

/* Interrupt state and work flags: all in the first eight bytes. */
#define PVHV_VP_VIF		0x000	/* u8: 1 = interrupts in kernel mode */
#define PVHV_VP_PENDING		0x001	/* u8: hypervisor: one waits for VIF */
#define PVHV_VP_IN_DELIVERY	0x002	/* u8: 1 until the frame is saved */
#define PVHV_VP_PREEMPTED	0x003	/* u8: hypervisor: wants to run, but does not */
#define PVHV_VP_NR_HINTS	0x004	/* u32: used entries of HINTS */

/* The frame of an event, a system call or a return. Order of IRET's frame. */
#define PVHV_VP_RIP		0x008
#define PVHV_VP_CS		0x010
#define PVHV_VP_RFLAGS		0x018	/* for kernel mode, bit 9 (IF) is VIF */
#define PVHV_VP_RSP		0x020
#define PVHV_VP_SS		0x028
#define PVHV_VP_RCX		0x030	/* only for the returns that restore RCX and R11 */
#define PVHV_VP_R11		0x038
#define PVHV_VP_USER_GS_BASE	0x040	/* GS base of user mode while the kernel runs */

/* What happened, valid until VP_IN_DELIVERY is cleared. */
#define PVHV_VP_VECTOR		0x048	/* x86 vector, 0..255 */
#define PVHV_VP_ERROR_CODE	0x050
#define PVHV_VP_CR2		0x058	/* changed only by the delivery of a page fault */
#define PVHV_VP_DR6		0x060	/* changed only by the delivery of #DB */

/* Results of hypercalls that return more than RAX holds. */
#define PVHV_VP_RESULT		0x068	/* u64[2]; cpuid: eax..edx, u32[4] */

#define PVHV_VP_STEAL_NS	0x080	/* u64: ns runnable but not running; see STEAL_SEQ */
#define PVHV_VP_STEAL_SEQ	0x088	/* u32: odd while STEAL_NS changes */
#define PVHV_VP_STOPPED		0x08c	/* u8: hypervisor: did not run, for a second or more */
#define PVHV_VP_EVENT_SEL	0x090	/* u64: words of pending events, see <pvhv/event.h> */

/*
 * Page-table hints: "the PTEs of these pages have just become present or more
 * permissive". Bits 63:12 are the first page's address, bits 11:0 the number
 * of further pages. They are only hints: dropping one costs a shadow miss.
 */
#define PVHV_VP_HINTS		0x100
#define PVHV_VP_MAX_HINTS	96

#ifndef __ASSEMBLY__
#include <linux/types.h>

struct pvhv_vcpu_page {
	__u8  vif;
	__u8  pending;
	__u8  in_delivery;
	__u8  preempted;
	__u32 nr_hints;
	__u64 rip;
	__u64 cs;
	__u64 rflags;
	__u64 rsp;
	__u64 ss;
	__u64 rcx;
	__u64 r11;
	__u64 user_gs_base;
	__u64 vector;
	__u64 error_code;
	__u64 cr2;
	__u64 dr6;
	union {
		__u64 result[2];
		__u32 cpuid[4];
	};
	__u64 reserved1;
	__u64 steal_ns;
	__u32 steal_seq;
	__u8  stopped;
	__u8  reserved2[3];
	__u64 event_sel;
	__u64 reserved3[13];
	__u64 hints[PVHV_VP_MAX_HINTS];
	__u64 reserved4[384];
};

#define PVHV_VP_ASSERT(field, offset) \
	_Static_assert(__builtin_offsetof(struct pvhv_vcpu_page, field) == (offset), #field)
PVHV_VP_ASSERT(vif, PVHV_VP_VIF);
PVHV_VP_ASSERT(pending, PVHV_VP_PENDING);
PVHV_VP_ASSERT(in_delivery, PVHV_VP_IN_DELIVERY);
PVHV_VP_ASSERT(preempted, PVHV_VP_PREEMPTED);
PVHV_VP_ASSERT(nr_hints, PVHV_VP_NR_HINTS);
PVHV_VP_ASSERT(rip, PVHV_VP_RIP);
PVHV_VP_ASSERT(cs, PVHV_VP_CS);
PVHV_VP_ASSERT(rflags, PVHV_VP_RFLAGS);
PVHV_VP_ASSERT(rsp, PVHV_VP_RSP);
PVHV_VP_ASSERT(ss, PVHV_VP_SS);
PVHV_VP_ASSERT(rcx, PVHV_VP_RCX);
PVHV_VP_ASSERT(r11, PVHV_VP_R11);
PVHV_VP_ASSERT(user_gs_base, PVHV_VP_USER_GS_BASE);
PVHV_VP_ASSERT(vector, PVHV_VP_VECTOR);
PVHV_VP_ASSERT(error_code, PVHV_VP_ERROR_CODE);
PVHV_VP_ASSERT(cr2, PVHV_VP_CR2);
PVHV_VP_ASSERT(dr6, PVHV_VP_DR6);
PVHV_VP_ASSERT(result, PVHV_VP_RESULT);
PVHV_VP_ASSERT(steal_ns, PVHV_VP_STEAL_NS);
PVHV_VP_ASSERT(steal_seq, PVHV_VP_STEAL_SEQ);
PVHV_VP_ASSERT(stopped, PVHV_VP_STOPPED);
PVHV_VP_ASSERT(event_sel, PVHV_VP_EVENT_SEL);
PVHV_VP_ASSERT(hints, PVHV_VP_HINTS);
_Static_assert(sizeof(struct pvhv_vcpu_page) == 4096, "vCPU page");
#endif /* __ASSEMBLY__ */

#endif /* _PVHV_VCPU_PAGE_H */
