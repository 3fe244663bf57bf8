/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LIB_HYPERCALL_H
#define _LIB_HYPERCALL_H

#include <pvhv/hypercall.h>

static inline long hypercall6(u64 nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	register u64 r10 asm("r10") = d;
	register u64 r8 asm("r8") = e;
	register u64 r9 asm("r9") = f;
	long ret;

	asm volatile("syscall" : "=a"(ret)
		     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory", "cc");
	return ret;
}

#define hypercall4(nr, a, b, c, d) hypercall6(nr, a, b, c, d, 0, 0)
#define hypercall3(nr, a, b, c)	hypercall6(nr, a, b, c, 0, 0, 0)
#define hypercall2(nr, a, b)	hypercall6(nr, a, b, 0, 0, 0, 0)
#define hypercall1(nr, a)	hypercall6(nr, a, 0, 0, 0, 0, 0)
#define hypercall0(nr)		hypercall6(nr, 0, 0, 0, 0, 0, 0)

#define hc_load_cr3(gpa, ctx, gen, flags)	hypercall4(PVHV_HC_LOAD_CR3, gpa, ctx, gen, flags)
#define hc_flush_range(from, to, gen, flags)	hypercall4(PVHV_HC_FLUSH_RANGE, from, to, gen, flags)
#define hc_flush_all(gen, flags)		hypercall2(PVHV_HC_FLUSH_ALL, gen, flags)
#define hc_mm_drop(ctx)				hypercall1(PVHV_HC_MM_DROP, ctx)
#define hc_sync_hints()				hypercall0(PVHV_HC_SYNC_HINTS)
#define hc_irq_window()				hypercall0(PVHV_HC_IRQ_WINDOW)
#define hc_halt()				hypercall0(PVHV_HC_HALT)
#define hc_yield()				hypercall0(PVHV_HC_YIELD)
#define hc_set_timer(ns)			hypercall1(PVHV_HC_SET_TIMER, ns)
#define hc_set_clock(gpa)			hypercall1(PVHV_HC_SET_CLOCK, gpa)
#define hc_get_time()				hypercall0(PVHV_HC_GET_TIME)
#define hc_console_write(gpa, len)		hypercall2(PVHV_HC_CONSOLE_WRITE, gpa, len)
#define hc_console_read(gpa, len)		hypercall2(PVHV_HC_CONSOLE_READ, gpa, len)
#define hc_shutdown(reason, gpa, len)		hypercall3(PVHV_HC_SHUTDOWN, reason, gpa, len)
#define hc_multicall(gpa, count)		hypercall2(PVHV_HC_MULTICALL, gpa, count)
#define hc_set_tls(a, b, c)			hypercall3(PVHV_HC_SET_TLS, a, b, c)
#define hc_set_ldt(gva, entries)		hypercall2(PVHV_HC_SET_LDT, gva, entries)
#define hc_load_gs_index(sel)			hypercall1(PVHV_HC_LOAD_GS_INDEX, sel)
#define hc_set_base(which, base)		hypercall2(PVHV_HC_SET_BASE, which, base)
#define hc_set_debugreg(nr, value)		hypercall2(PVHV_HC_SET_DEBUGREG, nr, value)
#define hc_get_debugreg(nr)			hypercall1(PVHV_HC_GET_DEBUGREG, nr)
#define hc_cpuid(leaf, sub)			hypercall2(PVHV_HC_CPUID, leaf, sub)
#define hc_read_msr(nr)				hypercall1(PVHV_HC_READ_MSR, nr)
#define hc_write_msr(nr, value)			hypercall2(PVHV_HC_WRITE_MSR, nr, value)
#define hc_send_ipi(first, mask, vector)	hypercall3(PVHV_HC_SEND_IPI, first, mask, vector)
#define hc_set_cpunode(limit)			hypercall1(PVHV_HC_SET_CPUNODE, limit)
#define hc_get_causes()				hypercall0(PVHV_HC_GET_CAUSES)

#endif
