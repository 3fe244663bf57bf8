/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pvhv guest: making hypercalls, and what drivers for pvhv need.
 *
 * Include this only from code that runs under pvhv (pvhv_guest() is true).
 */
#ifndef _ASM_X86_PVHV_HYPERCALL_H
#define _ASM_X86_PVHV_HYPERCALL_H

#include <linux/percpu.h>
#include <linux/types.h>
#include <asm/asm.h>
#include <asm/page.h>
#include <pvhv/hypercall.h>
#include <pvhv/vcpu_page.h>

DECLARE_PER_CPU_PAGE_ALIGNED(struct pvhv_vcpu_page, pvhv_vcpu_page);

/*
 * The SYSCALL itself is in entry.S, because objtool accepts it nowhere else.
 * It clobbers RCX and R11 and keeps the arguments.
 */
static __always_inline long pvhv_hypercall0(unsigned long nr)
{
	long ret = nr;

	asm volatile ("call pvhv_hypercall"
		      : "+a" (ret), ASM_CALL_CONSTRAINT
		      : : "rcx", "r11", "cc", "memory");
	return ret;
}

static __always_inline long pvhv_hypercall1(unsigned long nr, unsigned long a)
{
	long ret = nr;

	asm volatile ("call pvhv_hypercall"
		      : "+a" (ret), ASM_CALL_CONSTRAINT
		      : "D" (a)
		      : "rcx", "r11", "cc", "memory");
	return ret;
}

static __always_inline long pvhv_hypercall2(unsigned long nr, unsigned long a,
					    unsigned long b)
{
	long ret = nr;

	asm volatile ("call pvhv_hypercall"
		      : "+a" (ret), ASM_CALL_CONSTRAINT
		      : "D" (a), "S" (b)
		      : "rcx", "r11", "cc", "memory");
	return ret;
}

static __always_inline long pvhv_hypercall3(unsigned long nr, unsigned long a,
					    unsigned long b, unsigned long c)
{
	long ret = nr;

	asm volatile ("call pvhv_hypercall"
		      : "+a" (ret), ASM_CALL_CONSTRAINT
		      : "D" (a), "S" (b), "d" (c)
		      : "rcx", "r11", "cc", "memory");
	return ret;
}

static __always_inline long pvhv_hypercall4(unsigned long nr, unsigned long a,
					    unsigned long b, unsigned long c,
					    unsigned long d)
{
	register unsigned long r10 asm("r10") = d;
	long ret = nr;

	asm volatile ("call pvhv_hypercall"
		      : "+a" (ret), ASM_CALL_CONSTRAINT
		      : "D" (a), "S" (b), "d" (c), "r" (r10)
		      : "rcx", "r11", "cc", "memory");
	return ret;
}

/*
 * Who is called, in interrupt context, when the hypervisor raises a cause of
 * PVHV_VECTOR_CALLBACK. NULL: nobody any more.
 */
typedef void (*pvhv_cause_fn)(void);
int pvhv_set_cause_handler(unsigned int cause, pvhv_cause_fn handler);

/* drivers/pvhv/bus: PVHV_VECTOR_EVENT, in interrupt context */
void pvhv_event_interrupt(void);

/* PVHV_F_xxx that the hypervisor offers */
extern u64 pvhv_features;

#endif /* _ASM_X86_PVHV_HYPERCALL_H */
