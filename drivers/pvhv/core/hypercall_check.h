/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is looked at in the arguments of hypercalls before anything is done. No
 * state of the host's or of a vCPU in here, so that KUnit can try all of it.
 */
#ifndef _PVHV_HYPERCALL_CHECK_H
#define _PVHV_HYPERCALL_CHECK_H

#include <linux/mm.h>
#include <linux/string.h>
#include <uapi/linux/pvhv.h>
#include <pvhv/hypercall.h>

#define PVHV_VECTOR_NMI		2	/* SDM volume 3, 6.3.1 */
#define PVHV_NR_EXCEPTIONS	32

#define PVHV_USER_BITS		47	/* of an address in the user half */

/* Of error codes (SDM volume 3, 4.7): U, and what a direct page fault may have: P, W, U, I */
#define PVHV_DIRECT_PF_U	BIT(2)
#define PVHV_DIRECT_PF		(BIT(0) | BIT(1) | PVHV_DIRECT_PF_U | BIT(4))

/* Canonical in four-level paging, which is what guests have */
static inline bool pvhv_canonical(u64 va)
{
	return (u64)((s64)(va << 16) >> 16) == va;
}

/* Something small that is copied at once: aligned, and within one page */
static inline bool pvhv_in_one_page(u64 gva, u64 len)
{
	return !(gva % 8) && len <= PAGE_SIZE && (gva & ~PAGE_MASK) + len <= PAGE_SIZE;
}

/* But for the root, which is a matter of the domain's memory */
static inline bool pvhv_load_cr3_args_ok(const u64 *a)
{
	bool all = a[3] & PVHV_CR3_FLUSH_ALL;

	return !(a[3] & ~(u64)PVHV_CR3_FLUSH_ALL) && !(all && a[1]);
}

static inline bool pvhv_flush_range_args_ok(const u64 *a)
{
	return !(a[3] & ~(u64)(PVHV_FLUSH_FREED_TABLES | PVHV_FLUSH_EVERYWHERE)) && a[0] < a[1] &&
	       pvhv_canonical(a[0]) && pvhv_canonical(a[1] - 1);
}

static inline bool pvhv_flush_mm_args_ok(const u64 *a)
{
	u64 start = a[1] & PAGE_MASK, last = a[2] - 1;

	return a[0] && !(a[1] & ~PAGE_MASK & ~(u64)PVHV_FLUSH_FREED_TABLES) &&
	       !(start >> PVHV_USER_BITS) &&
	       (!a[2] || (start <= last && !(last >> PVHV_USER_BITS)));
}

static inline bool pvhv_flush_all_args_ok(const u64 *a)
{
	return !(a[1] & ~(u64)(PVHV_FLUSH_USER | PVHV_FLUSH_KERNEL | PVHV_FLUSH_EVERYWHERE));
}

static inline bool pvhv_send_ipi_args_ok(const u64 *a)
{
	return a[0] < PVHV_MAX_VCPUS && a[2] <= 255 &&
	       (a[2] >= PVHV_NR_EXCEPTIONS || a[2] == PVHV_VECTOR_NMI);
}

/* But for the root */
static inline bool pvhv_vcpu_start_ok(const struct pvhv_vcpu_start *s)
{
	return !memchr_inv(s->reserved, 0, sizeof(s->reserved)) && pvhv_canonical(s->rip) &&
	       pvhv_canonical(s->kernel_gs_base);
}

static inline bool pvhv_multicall_args_ok(const u64 *a)
{
	return a[1] && a[1] <= PVHV_MULTICALL_MAX &&
	       pvhv_in_one_page(a[0], a[1] * sizeof(struct pvhv_multicall));
}

static inline bool pvhv_page_fault_args_ok(const u64 *a)
{
	return !(a[0] >> PVHV_USER_BITS) && !(a[1] & ~(u64)PVHV_DIRECT_PF) &&
	       a[1] & PVHV_DIRECT_PF_U;
}

/* But for what the host offers, and for the vCPU page, which is a matter of the domain's memory */
static inline bool pvhv_vcpu_setup_ok(const struct pvhv_vcpu_setup *s)
{
	return !(s->flags & ~(u64)PVHV_SETUP_DIRECT_FAULTS) &&
	       !memchr_inv(s->reserved, 0, sizeof(s->reserved)) &&
	       !(s->page_gpa & ~PAGE_MASK) &&
	       pvhv_canonical(s->kernel_gs_base) && pvhv_canonical(s->entry_syscall) &&
	       pvhv_canonical(s->entry_event_user) && pvhv_canonical(s->entry_event_kernel) &&
	       pvhv_canonical(s->entry_double_fault) && pvhv_canonical(s->df_stack) &&
	       pvhv_canonical(s->ret_user_sysret) && pvhv_canonical(s->ret_user_iret) &&
	       pvhv_canonical(s->ret_kernel);
}

#endif /* _PVHV_HYPERCALL_CHECK_H */
