// SPDX-License-Identifier: GPL-2.0
/*
 * Loading a vCPU on a CPU, entering it, and what the host must see at once.
 *
 * While a vCPU is loaded, preemption is off, the FPU and some MSRs hold the
 * guest's values and CR4.PGE is clear: host kernel mappings are global at the
 * very addresses that the guest's kernel uses, so no such translation may be
 * in the TLB when the guest runs, nor a guest's one stay behind. As the thread
 * cannot be switched out in between, no preempt notifier is needed; whoever
 * wants to sleep calls pvhv_put() first.
 */
#include <linux/cpu.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/hw_breakpoint.h>
#include <asm/desc.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/irq_vectors.h>
#include <asm/kvm_para.h>
#include <asm/mce.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>
#include <asm/pkru.h>
#include <asm/smp.h>
#include <asm/special_insns.h>
#include <asm/spec-ctrl.h>
#include <asm/tlbflush.h>
#include <asm/trapnr.h>

#include "area.h"
#include "../../../../drivers/pvhv/core/trace.h"

#define SW_ASSERT(type, member, offset) \
	static_assert(offsetof(type, member) == (offset))
SW_ASSERT(struct sw_data, host_rsp, D_HOST_RSP);
SW_ASSERT(struct sw_data, host_cr3, D_HOST_CR3);
SW_ASSERT(struct sw_data, host_gdtr, D_HOST_GDTR);
SW_ASSERT(struct sw_data, host_idtr, D_HOST_IDTR);
SW_ASSERT(struct sw_data, own_gdtr, D_OWN_GDTR);
SW_ASSERT(struct sw_data, own_idtr, D_OWN_IDTR);
SW_ASSERT(struct sw_data, scratch, D_SCRATCH);
SW_ASSERT(struct sw_data, nmi_pending, D_NMI_PENDING);
SW_ASSERT(struct sw_data, mc_pending, D_MC_PENDING);
SW_ASSERT(struct sw_data, flags, D_FLAGS);
SW_ASSERT(struct sw_data, host_gs, D_HOST_GS);
SW_ASSERT(struct sw_data, spec_ctrl, D_SPEC_CTRL);
SW_ASSERT(struct sw_data, fault_vec, D_FAULT_VEC);
SW_ASSERT(struct sw_data, fault_err, D_FAULT_ERR);
SW_ASSERT(struct sw_data, fault_rip, D_FAULT_RIP);
SW_ASSERT(struct sw_data, fault_rsp, D_FAULT_RSP);
SW_ASSERT(struct sw_data, verw_sel, D_VERW_SEL);
SW_ASSERT(struct sw_data, enter_cr3, D_ENTER_CR3);
SW_ASSERT(struct sw_data, save_rax, D_SAVE_RAX);
SW_ASSERT(struct sw_data, save_rdx, D_SAVE_RDX);
SW_ASSERT(struct sw_data, guest, D_GUEST);
SW_ASSERT(struct sw_data, guest.user_mode, D_USER_MODE);
SW_ASSERT(struct sw_data, guest.work, D_WORK);
SW_ASSERT(struct sw_data, guest.stale, D_STALE);
SW_ASSERT(struct sw_data, guest.vp, D_VP);
SW_ASSERT(struct sw_data, guest.kernel_cr3, D_KERNEL_CR3);
SW_ASSERT(struct sw_data, guest.user_cr3, D_USER_CR3);
SW_ASSERT(struct sw_data, guest.entry_syscall, D_ENTRY_SYSCALL);
SW_ASSERT(struct sw_data, guest.ret_sysret, D_RET_SYSRET);
SW_ASSERT(struct sw_data, guest.ret_iret, D_RET_IRET);
SW_ASSERT(struct sw_data, guest.ret_kernel, D_RET_KERNEL);
SW_ASSERT(struct sw_data, guest.kernel_gs, D_KERNEL_GS);
SW_ASSERT(struct sw_data, guest.gs_base, D_GS_BASE);
SW_ASSERT(struct sw_data, guest.fs_base, D_FS_BASE);
SW_ASSERT(struct sw_data, guest.cr2, D_CR2);
SW_ASSERT(struct sw_data, guest.nr_syscalls, D_NR_SYSCALLS);
SW_ASSERT(struct sw_data, guest.nr_returns, D_NR_RETURNS);
SW_ASSERT(struct sw_data, guest.ds, D_DS);
SW_ASSERT(struct sw_data, guest.tls, D_TLS);
SW_ASSERT(struct sw_data, guest.direct_faults, D_DIRECT_FAULTS);
SW_ASSERT(struct sw_data, guest.entry_event_user, D_ENTRY_EVENT);
SW_ASSERT(struct sw_data, guest.nr_faults, D_NR_FAULTS);
SW_ASSERT(struct sw_data, guest.es, D_ES);
SW_ASSERT(struct sw_data, guest.fs, D_FS);
SW_ASSERT(struct sw_data, guest.gs, D_GS);

/*
 * Off while a vCPU is loaded: PGE for the reason above, PCE because RDPMC
 * would show the host's counters, LASS because the guest's kernel runs in
 * ring 3 at addresses of the upper half.
 */
#define CR4_LASS	BIT(27)
#ifndef PVHV_TEST_KEEP_PGE
#define CR4_OFF		(X86_CR4_PGE | X86_CR4_PCE | CR4_LASS)
#else
/* The negative control of tools/testing/pvhv/bochs: unsafe, never install it. */
#define CR4_OFF		(X86_CR4_PCE | CR4_LASS)
#endif

static bool use_pcid __ro_after_init;
static u8 switcher_flags __ro_after_init;
static u64 xfeatures __ro_after_init;	/* 0: FXSAVE */
static u64 xfeatures_init __ro_after_init;
static u64 host_xcr0 __ro_after_init;
static bool kvm_possible __ro_after_init;
static bool has_ds_area __ro_after_init;
static u32 xstate_size __ro_after_init;
static struct kmem_cache *xstate_cache;

/*
 * Not the guest's: PKRU, which is the host's, see pvhv_load(), and AMX. Its tiles are
 * put into their initial state at each load, as they may be another process's.
 */
#define XFEATURE_PKRU	BIT_ULL(9)
#define XFEATURES_AMX	(BIT_ULL(17) | BIT_ULL(18))

/* Called on the CPU itself. */
void pvhv_cpu_features(struct pvhv_area *a)
{
	a->data->flags = switcher_flags;
}

static int detect_features(void)
{
	if (boot_cpu_has(X86_FEATURE_FSGSBASE))
		switcher_flags |= SW_F_FSGSBASE;
	if (boot_cpu_has(X86_FEATURE_RSB_CTXSW) || boot_cpu_has(X86_FEATURE_RSB_VMEXIT) ||
	    boot_cpu_has(X86_FEATURE_RSB_VMEXIT_LITE))
		switcher_flags |= SW_F_RSB_FILL;
	if (boot_cpu_has(X86_FEATURE_CLEAR_CPU_BUF) || boot_cpu_has(X86_FEATURE_CLEAR_CPU_BUF_VM))
		switcher_flags |= SW_F_VERW;
	if (boot_cpu_has(X86_FEATURE_KERNEL_IBRS))
		switcher_flags |= SW_F_IBRS;
#ifdef X86_FEATURE_CLEAR_BHB_LOOP
	if (boot_cpu_has(X86_FEATURE_CLEAR_BHB_LOOP) ||
	    boot_cpu_has(X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT))
		switcher_flags |= SW_F_BHB;
#endif
	/* The blob's RET comes before any untraining that we could call. */
	if (boot_cpu_has(X86_FEATURE_IBPB) &&
	    (boot_cpu_has(X86_FEATURE_UNRET) || boot_cpu_has(X86_FEATURE_ENTRY_IBPB) ||
	     boot_cpu_has(X86_FEATURE_SRSO) || boot_cpu_has(X86_FEATURE_SRSO_ALIAS) ||
	     boot_cpu_has(X86_FEATURE_IBPB_ON_VMEXIT)))
		switcher_flags |= SW_F_IBPB_EXIT;

	use_pcid = pvhv_raw_cr4() & X86_CR4_PCIDE;
	kvm_possible = boot_cpu_has(X86_FEATURE_VMX) || boot_cpu_has(X86_FEATURE_SVM);
	has_ds_area = boot_cpu_has(X86_FEATURE_PEBS) || boot_cpu_has(X86_FEATURE_BTS);

	if (boot_cpu_has(X86_FEATURE_XSAVE)) {
		u32 eax, ebx, ecx, edx;

		host_xcr0 = xgetbv(0);
		xfeatures_init = host_xcr0 & ~XFEATURE_PKRU;
		xfeatures = xfeatures_init & ~XFEATURES_AMX;
		cpuid_count(0xd, 0, &eax, &ebx, &ecx, &edx);
		xstate_size = ebx;
	} else {
		xstate_size = 512;
	}
	xstate_cache = kmem_cache_create("pvhv_xstate", xstate_size, 64, SLAB_ACCOUNT, NULL);
	return xstate_cache ? 0 : -ENOMEM;
}

/**
 * pvhv_features - PVHV_F_xxx that this host offers to guests
 */
u64 pvhv_features(void)
{
	u64 f = PVHV_F_HINTS;

	/* Without it too many MSRs are written for the switcher to do it alone. */
	if (switcher_flags & SW_F_FSGSBASE)
		f |= PVHV_F_FSGSBASE | PVHV_F_DIRECT_FAULTS;
	if (pvhv_clock_stable())
		f |= PVHV_F_CLOCK_STABLE;
	/* If the thread that runs a vCPU has asked for it: see pvhv_emulate() */
	if (boot_cpu_has(X86_FEATURE_CPUID_FAULT))
		f |= PVHV_F_CPUID_FAULTING;
	return f;
}

u64 pvhv_host_xcr0(void)
{
	return host_xcr0;
}

u64 pvhv_switcher_features(void)
{
	u64 f = 0;

	if (use_pcid)
		f |= PVHV_SWITCHER_PCID;
	if (pvhv_hole_levels() == 5)
		f |= PVHV_SWITCHER_LA57;
	if (boot_cpu_has(X86_FEATURE_PTI))
		f |= PVHV_SWITCHER_PTI;
	if (switcher_flags & SW_F_FSGSBASE)
		f |= PVHV_SWITCHER_FSGSBASE;
	if (boot_cpu_has(X86_FEATURE_INVPCID))
		f |= PVHV_SWITCHER_INVPCID;
	if (switcher_flags & SW_F_RSB_FILL)
		f |= PVHV_SWITCHER_RSB_FILL;
	if (switcher_flags & SW_F_IBRS)
		f |= PVHV_SWITCHER_IBRS;
	if (switcher_flags & SW_F_VERW)
		f |= PVHV_SWITCHER_VERW;
	if (boot_cpu_has(X86_FEATURE_USE_IBPB))
		f |= PVHV_SWITCHER_IBPB;
	if (switcher_flags & SW_F_BHB)
		f |= PVHV_SWITCHER_BHB;
	return f;
}

int pvhv_world_init(void)
{
	int ret = detect_features();

	if (ret)
		return ret;
	ret = pvhv_areas_init();
	if (ret)
		kmem_cache_destroy(xstate_cache);
	return ret;
}

void pvhv_world_exit(void)
{
	pvhv_areas_exit();
	kmem_cache_destroy(xstate_cache);
}

/* ---- FPU ---- */

/* As after FNINIT and with the default MXCSR (SDM 13.6: header 0 is init state) */
int pvhv_fpstate_alloc(struct pvhv_vcpu *v)
{
	u8 *fx = kmem_cache_zalloc(xstate_cache, GFP_KERNEL);

	if (!fx)
		return -ENOMEM;
	*(u16 *)fx = 0x37f;
	*(u32 *)(fx + 24) = MXCSR_DEFAULT;
	/* Without this XRSTOR would not take MXCSR and FCW from memory. */
	if (xfeatures)
		*(u64 *)(fx + 512) = XFEATURE_MASK_FPSSE;
	v->fpstate = fx;
	return 0;
}

void pvhv_fpstate_free(struct pvhv_vcpu *v)
{
	kmem_cache_free(xstate_cache, v->fpstate);
}

/*
 * Between fpu_load() and fpu_save() XCR0 is the domain's, which may have less than the
 * host's. Nobody sees that: the FPU is in use, so no interrupt touches it.
 */
static void fpu_load(struct pvhv_vcpu *v)
{
	/* These CPUs leave FIP, FDP and FOP alone, which are somebody else's. */
	if (boot_cpu_has_bug(X86_BUG_FXSAVE_LEAK))
		asm volatile("fnclex; emms; fildl %0" : : "m" (v->id));
	if (xfeatures)
		asm volatile("xrstor64 (%0)" : : "r" (v->fpstate), "a" ((u32)xfeatures_init),
			     "d" ((u32)(xfeatures_init >> 32)) : "memory");
	else
		asm volatile("fxrstor64 (%0)" : : "r" (v->fpstate) : "memory");
	/* What it takes away is in its initial state now, and cannot leave that. */
	if (unlikely(v->domain->xcr0 != host_xcr0))
		xsetbv(0, v->domain->xcr0);
}

static void fpu_save(struct pvhv_vcpu *v)
{
	if (unlikely(v->domain->xcr0 != host_xcr0))
		xsetbv(0, host_xcr0);
	if (xfeatures)
		asm volatile("xsave64 (%0)" : : "r" (v->fpstate), "a" ((u32)xfeatures),
			     "d" ((u32)(xfeatures >> 32)) : "memory");
	else
		asm volatile("fxsave64 (%0)" : : "r" (v->fpstate) : "memory");
}

/* ---- debug registers ---- */

/*
 * The guest's are in the CPU only while it runs: an IPI may set the host's at any
 * other time.
 */
static void debug_enter(struct pvhv_vcpu *v)
{
	int i;

	if (unlikely(v->dr7)) {
		for (i = 0; i < 4; i++)
			native_set_debugreg(i, v->dr[i]);
		native_set_debugreg(7, v->dr7);
	} else if (unlikely(hw_breakpoint_active())) {
		native_set_debugreg(7, 0);
	}
}

/* Before anything touches an address that the guest watches */
static void debug_exit(struct pvhv_vcpu *v)
{
	if (unlikely(v->dr7))
		native_set_debugreg(7, 0);
	if (unlikely(v->regs->vec == X86_TRAP_DB)) {
		v->dr6 = native_get_debugreg(6);
		native_set_debugreg(6, DR6_RESERVED);
	}
	if (unlikely(hw_breakpoint_active()))
		hw_breakpoint_restore();
}

/* ---- Intel's debug store ---- */

#define DEBUGCTL_STORES	(DEBUGCTLMSR_TR | DEBUGCTLMSR_BTS)

/*
 * PEBS and BTS write records to addresses of the host's kernel, but through the page
 * tables of whoever runs, and there these are the guest's kernel's.
 */
static void debug_store_off(struct pvhv_host_state *h)
{
	h->pebs_enable = 0;
	if (boot_cpu_has(X86_FEATURE_PEBS)) {
		rdmsrl(MSR_IA32_PEBS_ENABLE, h->pebs_enable);
		if (h->pebs_enable)
			wrmsrl(MSR_IA32_PEBS_ENABLE, 0);
	}
	rdmsrl(MSR_IA32_DEBUGCTLMSR, h->debugctl);
	if (h->debugctl & DEBUGCTL_STORES)
		wrmsrl(MSR_IA32_DEBUGCTLMSR, h->debugctl & ~DEBUGCTL_STORES);
}

static void debug_store_on(const struct pvhv_host_state *h)
{
	if (h->debugctl & DEBUGCTL_STORES)
		wrmsrl(MSR_IA32_DEBUGCTLMSR, h->debugctl);
	if (h->pebs_enable)
		wrmsrl(MSR_IA32_PEBS_ENABLE, h->pebs_enable);
}

/* ---- load and put ---- */

static bool has_tsc_aux(void)
{
	return boot_cpu_has(X86_FEATURE_RDTSCP) || boot_cpu_has(X86_FEATURE_RDPID);
}

/* Which selectors name nothing that can be loaded any more? See sw_load_stale. */
static u8 stale_selectors(struct pvhv_vcpu *v)
{
	const struct sw_guest *g = v->guest;

	return (pvhv_selector_ok(v, g->ds) ? 0 : SW_STALE_DS) |
	       (pvhv_selector_ok(v, g->es) ? 0 : SW_STALE_ES) |
	       (pvhv_selector_ok(v, g->fs) ? 0 : SW_STALE_FS) |
	       (pvhv_selector_ok(v, g->gs) ? 0 : SW_STALE_GS);
}

static void load_descriptors(struct pvhv_vcpu *v)
{
	struct pvhv_area *a = this_cpu_ptr(&pvhv_area);
	struct desc_struct *gdt = a->gdt;
	struct sw_guest *g = v->guest;
	tss_desc ldt = { };
	int i;

	BUILD_BUG_ON(GDT_ENTRY_TLS_MIN * 8 != SW_TLS);
	BUILD_BUG_ON(sizeof(g->tls) != sizeof(v->tls));
	g->stale = stale_selectors(v);
	memcpy(g->tls, v->tls, sizeof(g->tls));
	for (i = 0; i < ARRAY_SIZE(v->tls); i++)
		gdt[GDT_ENTRY_TLS_MIN + i] = g->stale ? PVHV_STALE_DESC : v->tls[i];
	gdt[GDT_ENTRY_CPUNODE] = (struct desc_struct)GDT_ENTRY_INIT(0xf5, 0, v->cpunode & 0xfffff);
	gdt[GDT_ENTRY_CPUNODE].g = 0;
	gdt[GDT_ENTRY_CPUNODE].d = 1;
	/* With no entries it is there, so that pvhv_enter() finds it, but too short for any. */
	set_tssldt_descriptor(&ldt, pvhv_window_address(v->id) + PVHV_WINDOW_LDT * PAGE_SIZE,
			      DESC_LDT, v->nr_ldt ? v->nr_ldt * 8 - 1 : 0);
	memcpy((void *)gdt + SW_LDT_SEL, &ldt, sizeof(ldt));
	g->work |= SW_WORK_SEGS;
}

/*
 * Only while the guest's are in the registers. DS and ES are saved at each exit already:
 * modify_ldt() of the owner's has them loaded from its own LDT, or with null, by IPI
 * (refresh_ldt_segments()).
 */
static void save_segments(struct sw_guest *g)
{
	savesegment(fs, g->fs);
	savesegment(gs, g->gs);
	rdmsrl(MSR_FS_BASE, g->fs_base);
}

/**
 * pvhv_reload_segments - the vCPU's descriptors or selectors are changing
 * @v:	the vCPU
 *
 * Call before the change; brings the selectors and FS base into v->guest. Call
 * pvhv_segments_changed() after it.
 */
void pvhv_reload_segments(struct pvhv_vcpu *v)
{
	if (v->segments_live && !(v->guest->work & SW_WORK_SEGS)) {
		save_segments(v->guest);
		v->guest->work |= SW_WORK_SEGS;
	}
}

void pvhv_segments_changed(struct pvhv_vcpu *v)
{
	if (v->loaded) {
		local_irq_disable();
		load_descriptors(v);
		if (has_tsc_aux() && !v->host.syscall_msrs)
			wrmsrl(MSR_TSC_AUX, v->cpunode);
		local_irq_enable();
	}
}

/*
 * The MSRs that KVM, too, uses for its guests and the host alike. It looks for the
 * host's values by IPI (kvm_user_return_msr_cpu_online()), so where there can be a KVM
 * they are in the CPU whenever interrupts are on.
 */
static void load_syscall_msrs(struct pvhv_vcpu *v, const struct pvhv_area *a)
{
	wrmsr(MSR_STAR, 0, __USER32_CS << 16 | __KERNEL_CS);
	wrmsrl(MSR_LSTAR, a->lstar);
	wrmsrl(MSR_CSTAR, a->cstar);
	wrmsrl(MSR_SYSCALL_MASK, 0x3f7fd5 & ~X86_EFLAGS_FIXED);
	if (has_tsc_aux())
		wrmsrl(MSR_TSC_AUX, v->cpunode);
	v->host.syscall_msrs = false;
}

static void restore_syscall_msrs(struct pvhv_vcpu *v)
{
	struct pvhv_host_state *h = &v->host;

	wrmsrl(MSR_STAR, h->star);
	wrmsrl(MSR_LSTAR, h->lstar);
	wrmsrl(MSR_CSTAR, h->cstar);
	wrmsrl(MSR_SYSCALL_MASK, h->fmask);
	if (has_tsc_aux())
		wrmsrl(MSR_TSC_AUX, h->tsc_aux);
	h->syscall_msrs = true;
}

/**
 * pvhv_load - make a vCPU this CPU's
 * @v:	the vCPU; the caller's thread may sleep
 *
 * Returns with preemption off.
 *
 * Return: false, with nothing done, if KVM has left values of a guest of its own in
 * MSRs until this thread returns to user mode.
 */
bool pvhv_load(struct pvhv_vcpu *v)
{
	struct pvhv_host_state *h = &v->host;
	struct pvhv_area *a;
	struct desc_ptr desc;

	kernel_fpu_begin();
	local_irq_disable();
	if (test_thread_flag(TIF_USER_RETURN_NOTIFY)) {
		local_irq_enable();
		kernel_fpu_end();
		return false;
	}
	a = this_cpu_ptr(&pvhv_area);

	h->pkru = read_pkru();
	write_pkru(0);
	fpu_load(v);

	memcpy(a->regs, &v->saved_regs, sizeof(*a->regs));
	memcpy(&a->data->guest, &v->saved_guest, sizeof(a->data->guest));
	v->regs = a->regs;
	v->guest = &a->data->guest;

	savesegment(ds, h->ds);
	savesegment(es, h->es);
	savesegment(fs, h->fs);
	savesegment(gs, h->gs);
	store_ldt(h->ldt);
	rdmsrl(MSR_FS_BASE, h->fs_base);
	rdmsrl(MSR_KERNEL_GS_BASE, h->gs_base);
	rdmsrl(MSR_STAR, h->star);
	rdmsrl(MSR_LSTAR, h->lstar);
	rdmsrl(MSR_CSTAR, h->cstar);
	rdmsrl(MSR_SYSCALL_MASK, h->fmask);
	rdmsrl(MSR_IA32_SYSENTER_CS, h->sysenter_cs);
	if (has_tsc_aux())
		rdmsrl(MSR_TSC_AUX, h->tsc_aux);
	if (kvm_possible)
		h->syscall_msrs = true;
	else
		load_syscall_msrs(v, a);
	/* SYSENTER faults */
	wrmsrl(MSR_IA32_SYSENTER_CS, 0);
	rdmsrl(MSR_GS_BASE, a->data->host_gs);
	if (switcher_flags & SW_F_IBRS)
		rdmsrl(MSR_IA32_SPEC_CTRL, a->data->spec_ctrl);

	native_store_gdt(&desc);
	a->data->host_gdtr.limit = desc.size;
	a->data->host_gdtr.base = desc.address;
	store_idt(&desc);
	a->data->host_idtr.limit = desc.size;
	a->data->host_idtr.base = desc.address;

	load_descriptors(v);
	v->segments_live = false;

	if (a->last_domain != v->domain->unique_id) {
		if (boot_cpu_has(X86_FEATURE_USE_IBPB))
			wrmsrl(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
		a->last_domain = v->domain->unique_id;
	}
	h->cr4 = pvhv_raw_cr4();
	v->loaded = true;
	v->cpu = smp_processor_id();
	v->stats.loads++;
	if (v->page)
		WRITE_ONCE(v->page->preempted, 0);
	local_irq_enable();
	return true;
}

/**
 * pvhv_put - undo pvhv_load()
 * @v:	the vCPU
 */
void pvhv_put(struct pvhv_vcpu *v)
{
	struct pvhv_host_state *h = &v->host;
	struct pvhv_area *a;
	struct sw_guest *g;
	u16 gs, ldt;

	local_irq_disable();
	a = this_cpu_ptr(&pvhv_area);
	g = &a->data->guest;

	if (v->segments_live) {
		if (!(g->work & SW_WORK_SEGS))
			save_segments(g);
		loadsegment(ds, h->ds);
		loadsegment(es, h->es);
		loadsegment(fs, h->fs);
		savesegment(gs, gs);
		if (gs != h->gs)
			load_gs_index(h->gs);
		/* Else modify_ldt() of another thread has had the host's loaded. */
		store_ldt(ldt);
		if (ldt == SW_LDT_SEL)
			asm volatile("lldt %w0" : : "q" (h->ldt));
		wrmsrl(MSR_FS_BASE, h->fs_base);
		wrmsrl(MSR_KERNEL_GS_BASE, h->gs_base);
	}
	/* Taken back where it sleeps of its own accord. */
	if (v->page)
		WRITE_ONCE(v->page->preempted, 1);
	memcpy(&v->saved_regs, a->regs, sizeof(v->saved_regs));
	memcpy(&v->saved_guest, g, sizeof(v->saved_guest));
	v->regs = &v->saved_regs;
	v->guest = &v->saved_guest;

	if (!h->syscall_msrs)
		restore_syscall_msrs(v);
	wrmsrl(MSR_IA32_SYSENTER_CS, h->sysenter_cs);

	/*
	 * Turning PGE on flushes everything, so no translation of the guest's
	 * can be hit at a host address from now on. If it is on, the host has
	 * written CR4 since the last exit and all of it is as it should be.
	 */
	if (v->segments_live && !(pvhv_raw_cr4() & X86_CR4_PGE))
		pvhv_set_raw_cr4(h->cr4);

#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	/* VMSCAPE: whoever returns to user space here next, with our predictions */
	if (v->segments_live && boot_cpu_has(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
	fpu_save(v);
	write_pkru(h->pkru);
	v->loaded = false;
	v->segments_live = false;
	v->cpu = -1;
	local_irq_enable();
	kernel_fpu_end();
}

/* ---- address spaces ---- */

static void flush_pair(int pcid)
{
	if (boot_cpu_has(X86_FEATURE_INVPCID)) {
		invpcid_flush_single_context(pcid);
		invpcid_flush_single_context(pcid + 1);
	} else {
		unsigned long cr4 = pvhv_raw_cr4();

		/* Changing PGE flushes all PCIDs (SDM 4.10.4.1). */
		pvhv_set_raw_cr4(cr4 | X86_CR4_PGE);
		pvhv_set_raw_cr4(cr4 & ~X86_CR4_PGE);
	}
}

/*
 * Choose CR3 for both modes. The TLB tagged with the pair of PCIDs may be used
 * if it was filled from this root and nothing has been narrowed since then.
 * tlb_gen is read after v->mode says IN_GUEST, so whoever narrows later sees
 * that and interrupts us (pvhv_mmu_host_flush()).
 */
static void choose_cr3(struct pvhv_vcpu *v, struct pvhv_area *a)
{
	struct sw_guest *g = v->guest;
	u64 root = pvhv_mmu_root_id(&v->mmu);
	u64 gen = atomic64_read(&v->domain->mmu.tlb_gen);
	u64 kernel = pvhv_mmu_hw_root(&v->mmu, false);
	u64 user = pvhv_mmu_hw_root(&v->mmu, true);
	struct pvhv_pcid *p;
	int i, pcid;

	WRITE_ONCE(v->tlb_gen, gen);
	if (!use_pcid) {
		/* PGE is off: every write of CR3 flushes everything. */
		g->kernel_cr3 = kernel;
		g->user_cr3 = user;
		return;
	}
	for (i = 0; i < PVHV_PCID_PAIRS; i++)
		if (a->pcid[i].root == root)
			break;
	if (i == PVHV_PCID_PAIRS) {
		i = a->next_pcid;
		a->next_pcid = (i + 1) % PVHV_PCID_PAIRS;
		a->pcid[i].root = 0;
	}
	p = &a->pcid[i];
	pcid = PVHV_PCID_BASE + 2 * i;
	if (p->root != root || p->gen != gen) {
		flush_pair(pcid);
		p->root = root;
		p->gen = gen;
	}
	g->kernel_cr3 = kernel | pcid | X86_CR3_PCID_NOFLUSH;
	g->user_cr3 = user | (pcid + 1) | X86_CR3_PCID_NOFLUSH;
}

/* ---- events that are the host's ---- */

static void host_machine_check(void)
{
#ifdef CONFIG_X86_MCE
	/* As if from user mode: nothing of the host's was interrupted. */
	struct pt_regs regs = {
		.cs = 3,
		.flags = X86_EFLAGS_IF,
	};

	do_machine_check(&regs);
#endif
}

static void host_interrupt(struct sw_data *d, u8 vector)
{
	const gate_desc *idt = (void *)d->host_idtr.base;

	pvhv_call_gate(gate_offset(&idt[vector]));
}

/**
 * pvhv_enter - run the guest until its next exit
 * @v:	loaded, IRQs off, v->mode is PVHV_IN_GUEST
 *
 * On return v->regs tells the exit. An interrupt, NMI or machine check of the
 * host has been handled.
 */
void pvhv_enter(struct pvhv_vcpu *v)
{
	struct pvhv_area *a = this_cpu_ptr(&pvhv_area);
	struct sw_data *d = a->data;
	unsigned long cr4;
	u16 ldt;
	u64 vec;

	cr4 = pvhv_raw_cr4();
	if (unlikely(cr4 & CR4_OFF)) {
		/* First entry since the load, or the host has written CR4. */
		v->host.cr4 = cr4;
		pvhv_set_raw_cr4(cr4 & ~CR4_OFF);
		memset(a->pcid, 0, sizeof(a->pcid));
	}
	choose_cr3(v, a);
	d->enter_cr3 = v->guest->user_mode ? v->guest->user_cr3 : v->guest->kernel_cr3;
	d->host_cr3 = __native_read_cr3();
	if (use_pcid)
		d->host_cr3 |= X86_CR3_PCID_NOFLUSH;
	/* modify_ldt() again: the addresses of the host's LDT are the guest's to fill. */
	store_ldt(ldt);
	if (unlikely(v->segments_live && ldt != SW_LDT_SEL)) {
		v->host.ldt = ldt;
		pvhv_reload_segments(v);
		load_descriptors(v);
	}
	if (kvm_possible)
		load_syscall_msrs(v, a);
	if (has_ds_area)
		debug_store_off(&v->host);
	debug_enter(v);

	if (boot_cpu_has_bug(X86_BUG_DIV0))
		amd_clear_divider();
	current->flags |= PF_VCPU;
	v->segments_live = true;
	a->enter();
	savesegment(ds, d->guest.ds);
	savesegment(es, d->guest.es);

	debug_exit(v);
	if (has_ds_area)
		debug_store_on(&v->host);
	if (kvm_possible)
		restore_syscall_msrs(v);
	/* What the switcher counts, here so that nobody else looks into the area */
	v->stats.syscalls_direct += d->guest.nr_syscalls;
	v->stats.returns_direct += d->guest.nr_returns;
	v->stats.faults_direct += d->guest.nr_faults;
	d->guest.nr_syscalls = 0;
	d->guest.nr_returns = 0;
	d->guest.nr_faults = 0;
	vec = v->regs->vec;
	if (vec == X86_TRAP_PF)
		v->apf_flags = kvm_read_and_reset_apf_flags();
	v->stats.exits++;
	if (unlikely(d->mc_pending || vec == X86_TRAP_MC)) {
		d->mc_pending = 0;
		host_machine_check();
	}
	if (unlikely(d->nmi_pending || vec == X86_TRAP_NMI)) {
		d->nmi_pending = 0;
		v->stats.exit_nmi++;
		/*
		 * Through the host's gate: its IRET also unblocks NMIs. If this one was
		 * noted, the IRET of sw_note has done so already, and another one within
		 * the first instructions of the handler would take its stack. It is not
		 * worse than what a host risks that gets an NMI there after an #MC.
		 */
		asm volatile("int $2" : : : "memory");
	}
	if (vec >= FIRST_EXTERNAL_VECTOR && vec < 256 &&
	    (vec != IA32_SYSCALL_VECTOR || !pvhv_host_has_int80())) {
		v->stats.exit_interrupt++;
		host_interrupt(d, vec);
	}
	current->flags &= ~PF_VCPU;
	if (unlikely(vec == SW_VEC_BAD_RETURN))
		v->bad_return = d->fault_vec;
	if (unlikely(vec == SW_VEC_FATAL))
		pvhv_domain_end(v->domain, PVHV_STATE_CRASHED, PVHV_CRASH_HOST,
				"exception %llu (%llx) in the switcher at +%llx, cr2 %llx",
				d->fault_vec, d->fault_err,
				d->fault_rip & (SW_STRIDE - 1), d->guest.cr2);
}

/**
 * pvhv_async_fault_wait - sleep until KVM has a page of ours
 * @v:	the vCPU, not loaded
 *
 * A host that is a KVM guest itself may get, when ring 3 touches a page that
 * KVM has swapped out, a #PF that is no page fault but a note to run something
 * else; CR2 holds a token. Our guest is ring 3 as well.
 */
void pvhv_async_fault_wait(struct pvhv_vcpu *v)
{
#ifdef CONFIG_KVM_GUEST
	local_irq_disable();
	kvm_async_pf_task_wait_schedule(v->guest->cr2);
	local_irq_enable();
#endif
}

void pvhv_send_kick(int cpu)
{
	smp_send_reschedule(cpu);
}
