// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv guest: page tables.
 *
 * The hypervisor runs the guest on shadow page tables that it fills from the
 * guest's on demand, like a TLB in software. So page tables are written here
 * as on bare hardware, and the hypervisor must be told of exactly what the
 * hardware must be told of: CR3 loads and flushes. Three things make that cheap:
 *
 *  - A CR3 load says which address space it is (ctx_id) and up to which flush
 *    it must be current (tlb_gen). Linux has both for its own use of ASIDs.
 *    The hypervisor keeps shadows by ctx_id, for all vCPUs together, so a
 *    switch back to an address space finds its shadow as it was left, and the
 *    guest needs no PCID.
 *  - Page faults of programs come here first (PVHV_SETUP_DIRECT_FAULTS): most are
 *    the guest's own, and the few misses of the shadow cost a look at our tables.
 *  - Hints: where Linux makes a PTE present it says so in the vCPU page. That
 *    costs no exit; the hypervisor reads it when it is entered anyhow, and a
 *    fault that the guest has just served is not taken again by the shadow.
 */
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/percpu.h>

#include <asm/paravirt.h>
#include <asm/pgtable.h>
#include <asm/pvhv.h>
#include <asm/tlb.h>
#include <asm/tlbflush.h>
#include <asm/trap_pf.h>

#include "guest.h"

static DEFINE_PER_CPU(unsigned long, pvhv_cr3);

static unsigned long pvhv_read_cr3(void)
{
	return this_cpu_read(pvhv_cr3);
}

static void pvhv_load_cr3(unsigned long cr3, u64 ctx_id, u64 tlb_gen, unsigned long flags)
{
	this_cpu_write(pvhv_cr3, cr3);
	if (WARN_ON_ONCE(pvhv_hypercall4(PVHV_HC_LOAD_CR3, cr3, ctx_id, tlb_gen, flags)))
		pvhv_shutdown(PVHV_SHUTDOWN_CRASH, "the hypervisor refused a page table");
}

/*
 * X86_FEATURE_PCID is off. Then switch_mm_irqs_off() always uses ASID 0 and
 * notes in ctxs[0] what it is about to load before it loads it.
 *
 * swapper_pg_dir is loaded in other ways as well (load_cr3(), CPU hotplug),
 * when ctxs[0] is not valid. But it always is init_mm, and has no user half.
 */
static void pvhv_write_cr3(unsigned long cr3)
{
	struct tlb_context *ctx = this_cpu_ptr(&cpu_tlbstate.ctxs[0]);

	if (cr3 == __pa_symbol(swapper_pg_dir))
		pvhv_load_cr3(cr3, init_mm.context.ctx_id,
			      atomic64_read(&init_mm.context.tlb_gen), 0);
	else
		pvhv_load_cr3(cr3, ctx->ctx_id, ctx->tlb_gen, 0);
}

/* Until swapper_pg_dir is loaded, what CR3 gets is early_top_pgt. */
static void __init pvhv_write_cr3_early(unsigned long cr3)
{
	if (cr3 == __pa_symbol(swapper_pg_dir))
		pv_ops.mmu.write_cr3 = pvhv_write_cr3;
	pvhv_load_cr3(cr3, 0, 0, PVHV_CR3_FLUSH_ALL);
}

static noinstr void pvhv_write_cr2(unsigned long cr2)
{
	raw_cpu_write(pvhv_vcpu_page.cr2, cr2);
}

/**
 * pvhv_shadow_miss - is a page fault in user mode none of ours?
 * @error_code:	of the fault, whose address is in the vCPU page; is made what it would be on bare
 *		hardware
 *
 * Interrupts are off: what another CPU unmaps stays a page table until this one has passed a
 * quiescent state (see tlb_remove_table).
 *
 * Return: true if the tables permit the access and the hypervisor has seen to it: try again.
 */
noinstr bool pvhv_shadow_miss(unsigned long *error_code)
{
	unsigned long address = raw_cpu_read_8(pvhv_vcpu_page.cr2);
	unsigned long error = *error_code & ~X86_PF_PROT;
	u64 entry = raw_cpu_read_8(pvhv_cr3);
	u64 all = ~0ULL, any = 0;
	unsigned int shift;
	long ret;

	/* The kernel half's are not told before they have been looked at. */
	if (address >> 47)
		return false;
	for (shift = 39; ; shift -= 9) {
		u64 *table = __va(entry & PTE_PFN_MASK);

		entry = READ_ONCE(table[address >> shift & (PTRS_PER_PTE - 1)]);
		if (!(entry & _PAGE_PRESENT))
			goto own;
		all &= entry;
		any |= entry;
		if (shift == PAGE_SHIFT || entry & _PAGE_PSE)
			break;
	}
	error |= X86_PF_PROT;
	if (!(all & _PAGE_USER) || (error & X86_PF_WRITE && !(all & _PAGE_RW)) ||
	    (error & X86_PF_INSTR && any & _PAGE_NX))
		goto own;
	ret = pvhv_hypercall2(PVHV_HC_PAGE_FAULT, address, error);
	if (ret <= 0)
		return !ret;
	/* changed meanwhile, or the hypervisor knows of no such memory */
	error = ret;
own:
	*error_code = error;
	return false;
}

static void pvhv_flush_tlb_user(void)
{
	pvhv_hypercall2(PVHV_HC_FLUSH_ALL, 0, PVHV_FLUSH_USER);
}

static void pvhv_flush_tlb_kernel(void)
{
	pvhv_hypercall2(PVHV_HC_FLUSH_ALL, 0, PVHV_FLUSH_USER | PVHV_FLUSH_KERNEL);
}

static void pvhv_flush_tlb_one(unsigned long addr)
{
	addr &= PAGE_MASK;
	pvhv_hypercall4(PVHV_HC_FLUSH_RANGE, addr, addr + PAGE_SIZE, 0, 0);
}

/* The range of the loaded address space that takes it to @tlb_gen */
void pvhv_flush_user_range(unsigned long start, unsigned long end, u64 tlb_gen,
			   bool freed_tables)
{
	pvhv_hypercall4(PVHV_HC_FLUSH_RANGE, start & PAGE_MASK, PAGE_ALIGN(end), tlb_gen,
			freed_tables ? PVHV_FLUSH_FREED_TABLES : 0);
}

/* All of the loaded address space, taking it to @tlb_gen */
void pvhv_flush_user_all(u64 tlb_gen)
{
	pvhv_hypercall2(PVHV_HC_FLUSH_ALL, tlb_gen, PVHV_FLUSH_USER);
}

/* On all CPUs: they share its shadow. */
void pvhv_flush_kernel_range(unsigned long start, unsigned long end)
{
	if (end == TLB_FLUSH_ALL)
		pvhv_hypercall2(PVHV_HC_FLUSH_ALL, 0, PVHV_FLUSH_KERNEL | PVHV_FLUSH_EVERYWHERE);
	else
		pvhv_hypercall4(PVHV_HC_FLUSH_RANGE, start & PAGE_MASK, PAGE_ALIGN(end), 0,
				PVHV_FLUSH_EVERYWHERE);
}

/*
 * Like page tables in a CPU's caches, their shadow is shared: one hypercall makes it agree
 * and sees to it that no vCPU uses what its TLB had before, whether it runs or not. So nobody
 * is interrupted here. What the other CPUs note of their own flushes (tlb_gen) stays behind;
 * they catch up when they load the address space again, which the hypervisor knows to be
 * current.
 */
static void pvhv_flush_tlb_multi(const struct cpumask *cpus, const struct flush_tlb_info *info)
{
	bool all = info->end == TLB_FLUSH_ALL;

	/* of several address spaces: each CPU flushes what it has loaded */
	if (!info->mm) {
		native_flush_tlb_multi(cpus, info);
		return;
	}
	pvhv_hypercall4(PVHV_HC_FLUSH_MM, info->mm->context.ctx_id,
			(all ? 0 : info->start & PAGE_MASK) |
			(info->freed_tables ? PVHV_FLUSH_FREED_TABLES : 0),
			all ? 0 : PAGE_ALIGN(info->end), info->new_tlb_gen);
	if (info->mm == this_cpu_read(cpu_tlbstate.loaded_mm))
		this_cpu_cmpxchg(cpu_tlbstate.ctxs[0].tlb_gen, info->new_tlb_gen - 1,
				 info->new_tlb_gen);
}

/* No CPU has it loaded any more, not even lazily. */
static void pvhv_pgd_free(struct mm_struct *mm, pgd_t *pgd)
{
	pvhv_hypercall1(PVHV_HC_MM_DROP, mm->context.ctx_id);
}

/**
 * pvhv_hint - PTEs have become present or more permissive
 * @vma:	where
 * @addr:	the first page
 * @more:	further pages
 *
 * The caller holds a page-table lock, so this does not migrate. When the page
 * is full a hint is dropped: a hypercall costs more than a shadow miss.
 */
void pvhv_hint(struct vm_area_struct *vma, unsigned long addr, unsigned int more)
{
	unsigned int n;

	/* Hints are about the loaded root. exec, for one, fills another one. */
	if (vma->vm_mm != raw_cpu_read(cpu_tlbstate.loaded_mm))
		return;

	n = raw_cpu_read_4(pvhv_vcpu_page.nr_hints);
	if (n) {
		u64 *last = raw_cpu_ptr(&pvhv_vcpu_page.hints[n - 1]);
		u64 pages = *last & ~PAGE_MASK;

		/* Fault-around and the like come in ascending order. */
		if ((*last & PAGE_MASK) + ((pages + 1) << PAGE_SHIFT) == addr &&
		    pages + 1 + more < PAGE_SIZE) {
			*last += 1 + more;
			return;
		}
		if (n >= PVHV_VP_MAX_HINTS)
			return;
	}
	raw_cpu_write_8(pvhv_vcpu_page.hints[n], addr | more);
	raw_cpu_write_4(pvhv_vcpu_page.nr_hints, n + 1);
}

void __init pvhv_mmu_init(void)
{
	pv_ops.mmu.read_cr2 = __PV_IS_CALLEE_SAVE(pvhv_read_cr2);
	pv_ops.mmu.write_cr2 = pvhv_write_cr2;
	pv_ops.mmu.read_cr3 = pvhv_read_cr3;
	pv_ops.mmu.write_cr3 = pvhv_write_cr3_early;
	pv_ops.mmu.flush_tlb_user = pvhv_flush_tlb_user;
	pv_ops.mmu.flush_tlb_kernel = pvhv_flush_tlb_kernel;
	pv_ops.mmu.flush_tlb_one_user = pvhv_flush_tlb_one;
	pv_ops.mmu.flush_tlb_multi = pvhv_flush_tlb_multi;
	/* What walks tables with interrupts off is not waited for by a flush without IPIs. */
	pv_ops.mmu.tlb_remove_table = tlb_remove_table;
	pv_ops.mmu.pgd_free = pvhv_pgd_free;
}
