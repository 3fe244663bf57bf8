// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv guest: the privileged part of the processor.
 *
 * What the kernel keeps about descriptor tables, TSS and control registers
 * stays in its own memory and is never loaded: the hypervisor owns the real
 * ones. Only what user mode can see is passed on: TLS segments, LDT, the
 * per-CPU segment limit, segment bases, debug registers.
 */
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>

#include <asm/cpu_entry_area.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fsgsbase.h>
#include <asm/msr.h>
#include <asm/paravirt.h>
#include <asm/processor.h>

#include "guest.h"

DEFINE_PER_CPU_PAGE_ALIGNED(struct pvhv_vcpu_page, pvhv_vcpu_page);
EXPORT_PER_CPU_SYMBOL(pvhv_vcpu_page);

/* Aligned to its size, so that it lies within one page */
static DEFINE_PER_CPU(struct pvhv_vcpu_setup, pvhv_vcpu_setup) __aligned(128);
/* The GS base with which this CPU is registered */
static DEFINE_PER_CPU(unsigned long, pvhv_registered_base);
static DEFINE_PER_CPU(u64[GDT_ENTRY_TLS_ENTRIES], pvhv_tls);
static DEFINE_PER_CPU(unsigned int, pvhv_ldt_entries);
static DEFINE_PER_CPU(unsigned long[8], pvhv_dr);

/* WRFSBASE and its kin may be used. Read while GS is not valid: not per CPU. */
static bool pvhv_fsgsbase __ro_after_init;
/* trap_init() has been there */
static bool pvhv_traps_ready __ro_after_init;

/* For a double fault before trap_init() */
static char pvhv_early_df_stack[PAGE_SIZE] __initdata __aligned(16);

static phys_addr_t pvhv_percpu_pa(void *p)
{
	return is_vmalloc_addr(p) ? slow_virt_to_phys(p) : __pa(p);
}

/*
 * (Re-)register this CPU's vCPU page and entries. VIF is clear. __ref: what
 * is discarded after boot is not used any more when traps are ready.
 */
void __ref pvhv_register_vcpu(void)
{
	struct pvhv_vcpu_setup *setup = this_cpu_ptr(&pvhv_vcpu_setup);
	struct pvhv_vcpu_page *page = this_cpu_ptr(&pvhv_vcpu_page);
	unsigned long base = (unsigned long)this_cpu_ptr(&fixed_percpu_data);

	BUILD_BUG_ON(sizeof(*setup) != 128);
	/* <asm/pvhv.h> relies on it */
	BUILD_BUG_ON(PVHV_VP_VIF != 0);

	if (this_cpu_read(pvhv_registered_base) != base) {
		memset(page, 0, sizeof(*page));
		this_cpu_write(pvhv_registered_base, base);
	}

	memset(setup, 0, sizeof(*setup));
	setup->page_gpa = pvhv_percpu_pa(page);
	setup->flags = pvhv_direct_faults() ? PVHV_SETUP_DIRECT_FAULTS : 0;
	setup->kernel_gs_base = base;
	setup->entry_syscall = (unsigned long)pvhv_entry_syscall;
	setup->entry_event_user = (unsigned long)pvhv_entry_event_user;
	setup->entry_double_fault = (unsigned long)pvhv_entry_double_fault;
	setup->ret_user_sysret = (unsigned long)pvhv_ret_user_sysret;
	setup->ret_user_iret = (unsigned long)pvhv_ret_user_iret;
	setup->ret_kernel = (unsigned long)pvhv_ret_kernel;
	if (pvhv_traps_ready) {
		setup->entry_event_kernel = (unsigned long)pvhv_entry_event_kernel;
		setup->df_stack = __this_cpu_ist_top_va(DF);
	} else {
		setup->entry_event_kernel = (unsigned long)pvhv_entry_event_early;
		setup->df_stack = (unsigned long)pvhv_early_df_stack + PAGE_SIZE;
	}

	if (pvhv_hypercall1(PVHV_HC_VCPU_SETUP, pvhv_percpu_pa(setup)))
		pvhv_shutdown(PVHV_SHUTDOWN_CRASH, "the hypervisor refused the vCPU page");
}

/* On a vCPU that has just been started: it knows nothing of what it had before. */
void pvhv_cpu_start(void)
{
	memset(this_cpu_ptr(pvhv_tls), 0, sizeof(pvhv_tls));
	this_cpu_write(pvhv_ldt_entries, 0);
	memset(this_cpu_ptr(pvhv_dr), 0, sizeof(pvhv_dr));
	pvhv_register_vcpu();
}

/*
 * MSR_GS_BASE is written when a CPU gets its own per-CPU data, and with them
 * another vCPU page. GS is 0 until then (see load_percpu_segment()).
 */
static void pvhv_set_gs_base(unsigned long base)
{
	if (pvhv_fsgsbase)
		wrgsbase(base);
	else
		pvhv_hypercall2(PVHV_HC_SET_BASE, PVHV_BASE_KERNEL_GS, base);
	barrier();

	if (this_cpu_read(pvhv_registered_base) != base)
		pvhv_register_vcpu();
}

/* Called at the end of cpu_init_exception_handling(): IST stacks are mapped. */
static void pvhv_load_tr_desc(void)
{
	if (!pvhv_traps_ready)
		pvhv_traps_ready = true;
	pvhv_register_vcpu();
}

static int pvhv_do_read_msr(unsigned int msr, u64 *val)
{
	long ret;
	u8 vif;

	switch (msr) {
	case MSR_KERNEL_GS_BASE:	/* at every context switch */
		*val = this_cpu_read(pvhv_vcpu_page.user_gs_base);
		return 0;
	case MSR_GS_BASE:
		*val = (unsigned long)raw_cpu_ptr(&fixed_percpu_data);
		return 0;
	case MSR_FS_BASE:
		if (!pvhv_fsgsbase)
			break;
		*val = rdfsbase();
		return 0;
	case MSR_EFER:
		*val = EFER_SCE | EFER_LME | EFER_LMA | EFER_NX;
		return 0;
	case MSR_IA32_CR_PAT:
		/* As after reset: cache attributes are the hypervisor's choice. */
		*val = 0x0007040600070406ULL;
		return 0;
	}

	vif = pvhv_vif_save();
	ret = pvhv_hypercall1(PVHV_HC_READ_MSR, msr);
	*val = ret ? 0 : raw_cpu_read(pvhv_vcpu_page.result[0]);
	pvhv_vif_restore(vif);

	if (msr == MSR_IA32_ARCH_CAPABILITIES) {
		/*
		 * User mode runs on a page table of its own, made by the
		 * hypervisor: what Meltdown and L1TF need is not there.
		 */
		*val |= ARCH_CAP_RDCL_NO;
		return 0;
	}
	return ret ? -EIO : 0;
}

static int pvhv_do_write_msr(unsigned int msr, u64 val)
{
	switch (msr) {
	case MSR_KERNEL_GS_BASE:
		this_cpu_write(pvhv_vcpu_page.user_gs_base, val);
		return 0;
	case MSR_GS_BASE:
		pvhv_set_gs_base(val);
		return 0;
	case MSR_FS_BASE:
		if (pvhv_fsgsbase) {
			wrfsbase(val);
			return 0;
		}
		return pvhv_hypercall2(PVHV_HC_SET_BASE, PVHV_BASE_FS, val) ? -EIO : 0;
	/* Entries are registered elsewhere, TSC_AUX goes with GDT_ENTRY_CPUNODE. */
	case MSR_STAR:
	case MSR_LSTAR:
	case MSR_CSTAR:
	case MSR_SYSCALL_MASK:
	case MSR_IA32_SYSENTER_CS:
	case MSR_IA32_SYSENTER_ESP:
	case MSR_IA32_SYSENTER_EIP:
	case MSR_TSC_AUX:
	case MSR_EFER:
	case MSR_IA32_CR_PAT:
		return 0;
	}
	return pvhv_hypercall2(PVHV_HC_WRITE_MSR, msr, val) ? -EIO : 0;
}

static u64 pvhv_read_msr(unsigned int msr)
{
	u64 val;

	pvhv_do_read_msr(msr, &val);
	return val;
}

static void pvhv_write_msr(unsigned int msr, unsigned int low, unsigned int high)
{
	pvhv_do_write_msr(msr, low | (u64)high << 32);
}

static u64 pvhv_read_msr_safe(unsigned int msr, int *err)
{
	u64 val;

	*err = pvhv_do_read_msr(msr, &val);
	return val;
}

static int pvhv_write_msr_safe(unsigned int msr, unsigned int low, unsigned int high)
{
	return pvhv_do_write_msr(msr, low | (u64)high << 32);
}

static u64 pvhv_read_pmc(int counter)
{
	return 0;
}

/*
 * The hypervisor shows what the processor can do and may be used. The
 * topology is the guest's own: one thread and one core per vCPU, APIC
 * identifiers that are vCPU numbers (see apic.c).
 */
static void pvhv_cpuid(unsigned int *ax, unsigned int *bx, unsigned int *cx, unsigned int *dx)
{
	unsigned int cpu = raw_smp_processor_id();
	unsigned int leaf = *ax;
	u8 vif;

	vif = pvhv_vif_save();
	if (pvhv_hypercall2(PVHV_HC_CPUID, leaf, *cx)) {
		*ax = 0;
		*bx = 0;
		*cx = 0;
		*dx = 0;
	} else {
		*ax = raw_cpu_read(pvhv_vcpu_page.cpuid[0]);
		*bx = raw_cpu_read(pvhv_vcpu_page.cpuid[1]);
		*cx = raw_cpu_read(pvhv_vcpu_page.cpuid[2]);
		*dx = raw_cpu_read(pvhv_vcpu_page.cpuid[3]);
	}
	pvhv_vif_restore(vif);

	switch (leaf) {
	case 1:
		*bx = (*bx & 0xffff) | 1 << 16 | cpu << 24;
		*dx &= ~BIT(X86_FEATURE_HT & 31);
		break;
	case 4:
	case 0x8000001d:
		*ax &= 0x3fff;		/* caches are shared with nobody */
		break;
	case 0xb:
	case 0x1f:
	case 0x40000000 ... 0x400000ff:	/* this may be a host that is a guest itself */
		*ax = 0;
		*bx = 0;
		*cx = 0;
		*dx = 0;
		break;
	case 0x80000008:
		*cx = 0;
		break;
	case 0x8000001e:
		*ax = cpu;
		*bx = 0;
		*cx = 0;
		break;
	}
}

static unsigned long pvhv_read_cr0(void)
{
	return CR0_STATE;
}

/* Nothing in CR0 or CR4 is the guest's to change. */
static void pvhv_write_cr(unsigned long val)
{
}

static noinstr unsigned long pvhv_get_debugreg(int reg)
{
	if (reg == 6)
		return raw_cpu_read(pvhv_vcpu_page.dr6);
	return *raw_cpu_ptr(&pvhv_dr[reg]);
}

static noinstr void pvhv_set_debugreg(int reg, unsigned long val)
{
	unsigned long *dr;

	/* The hypervisor stores it when it delivers #DB, and that is all. */
	if (reg == 6) {
		raw_cpu_write(pvhv_vcpu_page.dr6, val);
		return;
	}

	dr = raw_cpu_ptr(&pvhv_dr[reg]);
	if (*dr == val)
		return;
	*dr = val;
	pvhv_hypercall2(PVHV_HC_SET_DEBUGREG, reg, val);
}

static void pvhv_load_desc_nop(const struct desc_ptr *desc)
{
}

static unsigned long pvhv_store_tr(void)
{
	return 0;
}

static void pvhv_load_sp0(unsigned long sp0)
{
}

static void pvhv_write_gdt_entry(struct desc_struct *dt, int entry, const void *desc, int type)
{
	native_write_gdt_entry(dt, entry, desc, type);

	if (entry == GDT_ENTRY_CPUNODE) {
		const struct desc_struct *d = desc;

		pvhv_hypercall1(PVHV_HC_SET_CPUNODE, d->limit0 | (u32)d->limit1 << 16);
	}
}

/* Almost always nothing has changed: only some 32-bit programs use them. */
static void pvhv_load_tls(struct thread_struct *t, unsigned int cpu)
{
	u64 *cur = this_cpu_ptr(pvhv_tls);
	u64 next[GDT_ENTRY_TLS_ENTRIES];

	BUILD_BUG_ON(GDT_ENTRY_TLS_ENTRIES != 3 || GDT_ENTRY_TLS_MIN != 12);

	memcpy(next, t->tls_array, sizeof(next));
	if (likely(!((cur[0] ^ next[0]) | (cur[1] ^ next[1]) | (cur[2] ^ next[2]))))
		return;

	memcpy(cur, next, sizeof(next));
	native_load_tls(t, cpu);
	pvhv_hypercall3(PVHV_HC_SET_TLS, next[0], next[1], next[2]);
}

static void pvhv_load_gs_index(unsigned int selector)
{
	/* As native_load_gs_index(): what cannot be loaded becomes null. */
	if (unlikely(pvhv_hypercall1(PVHV_HC_LOAD_GS_INDEX, (u16)selector)))
		pvhv_hypercall1(PVHV_HC_LOAD_GS_INDEX, 0);
}

static void pvhv_set_ldt(const void *addr, unsigned int entries)
{
	if (!entries && !this_cpu_read(pvhv_ldt_entries))
		return;
	this_cpu_write(pvhv_ldt_entries, entries);
	if (WARN_ON_ONCE(pvhv_hypercall2(PVHV_HC_SET_LDT, (unsigned long)addr, entries)))
		pvhv_hypercall2(PVHV_HC_SET_LDT, 0, 0);
}

void __init pvhv_cpu_use_fsgsbase(void)
{
	pvhv_fsgsbase = true;
}

void __init pvhv_cpu_init(void)
{
	pv_ops.cpu.io_delay = paravirt_nop;
	pv_ops.cpu.cpuid = pvhv_cpuid;
	pv_ops.cpu.get_debugreg = pvhv_get_debugreg;
	pv_ops.cpu.set_debugreg = pvhv_set_debugreg;
	pv_ops.cpu.read_cr0 = pvhv_read_cr0;
	pv_ops.cpu.write_cr0 = pvhv_write_cr;
	pv_ops.cpu.write_cr4 = pvhv_write_cr;
	pv_ops.cpu.wbinvd = paravirt_nop;
	pv_ops.cpu.read_msr = pvhv_read_msr;
	pv_ops.cpu.write_msr = pvhv_write_msr;
	pv_ops.cpu.read_msr_safe = pvhv_read_msr_safe;
	pv_ops.cpu.write_msr_safe = pvhv_write_msr_safe;
	pv_ops.cpu.read_pmc = pvhv_read_pmc;
	pv_ops.cpu.load_tr_desc = pvhv_load_tr_desc;
	pv_ops.cpu.store_tr = pvhv_store_tr;
	pv_ops.cpu.load_gdt = pvhv_load_desc_nop;
	pv_ops.cpu.load_idt = pvhv_load_desc_nop;
	pv_ops.cpu.write_gdt_entry = pvhv_write_gdt_entry;
	pv_ops.cpu.load_tls = pvhv_load_tls;
	pv_ops.cpu.load_gs_index = pvhv_load_gs_index;
	pv_ops.cpu.set_ldt = pvhv_set_ldt;
	pv_ops.cpu.load_sp0 = pvhv_load_sp0;
#ifdef CONFIG_X86_IOPL_IOPERM
	pv_ops.cpu.invalidate_io_bitmap = paravirt_nop;
	pv_ops.cpu.update_io_bitmap = paravirt_nop;
#endif
}
