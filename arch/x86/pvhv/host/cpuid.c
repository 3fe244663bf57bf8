// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest's kernel is told about its CPU, and MSRs and debug registers.
 *
 * What it is not told of is in cpuid_policy.c. Its programs are told the same where
 * the CPUID instruction faults (see emulate.c); elsewhere they see the host's CPU.
 */
#include <linux/kernel.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/fpu/xcr.h>
#include <asm/msr.h>
#include <asm/processor.h>

#include "area.h"

#define BIT32(n)	(1U << (n))

static u64 guest_xfeatures(const struct pvhv_domain *d)
{
	return pvhv_guest_xfeatures(&d->cpuid, d->xcr0);
}

/* Sizes are for the features that the guest has enabled, in both formats. */
static void xstate_leaf(struct pvhv_vcpu *v, u32 sub, u32 out[4])
{
	u64 features = guest_xfeatures(v->domain);
	u64 on = v->xcr0 ?: XFEATURE_MASK_FPSSE;
	u32 standard = 576, compact = 576;
	u32 eax, ebx, ecx, edx;
	int i;

	if (!features) {
		memset(out, 0, 16);
		return;
	}
	if (sub >= 2) {
		if (sub > 63 || !(features & 1ULL << sub))
			memset(out, 0, 16);
		return;
	}
	for (i = 2; i < 63; i++) {
		if (!(on & 1ULL << i))
			continue;
		cpuid_count(0xd, i, &eax, &ebx, &ecx, &edx);
		standard = max(standard, ebx + eax);
		if (ecx & 2)
			compact = ALIGN(compact, 64);
		compact += eax;
	}
	if (sub == 0) {
		out[0] = lower_32_bits(features);
		out[1] = standard;
		out[3] = upper_32_bits(features);
		for (i = 2, standard = 576; i < 63; i++) {
			if (!(features & 1ULL << i))
				continue;
			cpuid_count(0xd, i, &eax, &ebx, &ecx, &edx);
			standard = max(standard, ebx + eax);
		}
		out[2] = standard;
	} else {
		out[0] &= 7;	/* XSAVEOPT, XSAVEC, XGETBV(1); not XSAVES */
		out[1] = compact;
		out[2] = 0;
		out[3] = 0;
	}
}

/**
 * pvhv_cpuid - what a guest's kernel sees
 * @v:		the vCPU
 * @leaf:	EAX
 * @sub:	ECX
 * @out:	EAX, EBX, ECX, EDX
 */
void pvhv_cpuid(struct pvhv_vcpu *v, u32 leaf, u32 sub, u32 out[4])
{
	if (leaf == 0x40000000) {
		out[0] = leaf;
		memcpy(&out[1], "pvhvpvhvpvhv", 12);
		return;
	}
	cpuid_count(leaf, sub, &out[0], &out[1], &out[2], &out[3]);
	if (!pvhv_cpuid_filter(&v->domain->cpuid, leaf, sub, out))
		return;

	switch (leaf) {
	case 1:
		out[1] |= v->id << 24 | 1 << 16;
		out[2] |= BIT32(31);
		break;
	case 7:
		if (sub == 0) {
			out[0] = min(out[0], 1U);
			if (!boot_cpu_has(X86_FEATURE_FSGSBASE))
				out[1] &= ~BIT32(0);
			if (!(pvhv_raw_cr4() & X86_CR4_UMIP))
				out[2] &= ~BIT32(2);
		}
		break;
	case 0xd:
		xstate_leaf(v, sub, out);
		break;
	case 0x80000001:
		if (!boot_cpu_has(X86_FEATURE_RDTSCP))
			out[3] &= ~BIT32(27);
		break;
	case 0x80000007:
		if (!pvhv_clock_stable())
			out[3] = 0;
		break;
	case 0x80000008:
		out[0] = min_t(u32, out[0] & 0xff, 46) | 48 << 8;
		break;
	}
}

/**
 * pvhv_set_xcr0 - XSETBV of the guest
 * @v:		the vCPU
 * @val:	for XCR0
 *
 * XCR0 stays as the domain has it: features that the guest does not want are only
 * not counted in the sizes that CPUID reports. XGETBV shows it, so what guests do not
 * have, but the host does, may be in @val.
 */
bool pvhv_set_xcr0(struct pvhv_vcpu *v, u64 val)
{
	if (!(val & XFEATURE_MASK_FP) || val & ~v->domain->xcr0)
		return false;
	v->xcr0 = val & guest_xfeatures(v->domain);
	return true;
}

/* ---- MSRs ---- */

#define PAT_DEFAULT	0x0007040600070406ULL

/**
 * pvhv_read_msr - RDMSR of a guest's kernel
 * @v:		the vCPU
 * @msr:	number
 * @val:	out: value
 *
 * Return: 0, or -EINVAL for what must raise #GP.
 */
long pvhv_read_msr(struct pvhv_vcpu *v, u32 msr, u64 *val)
{
	struct sw_guest *g = v->guest;

	switch (msr) {
	case MSR_EFER:
		*val = EFER_SCE | EFER_LME | EFER_LMA | EFER_NX;
		return 0;
	case MSR_IA32_CR_PAT:
		*val = PAT_DEFAULT;
		return 0;
	case MSR_IA32_TSC:
		*val = rdtsc();
		return 0;
	case MSR_FS_BASE:
		pvhv_reload_segments(v);
		*val = g->fs_base;
		return 0;
	case MSR_GS_BASE:
		*val = g->gs_base;
		return 0;
	case MSR_KERNEL_GS_BASE:
		*val = v->page ? v->page->user_gs_base : 0;
		return 0;
	case MSR_TSC_AUX:
		*val = v->cpunode;
		return 0;
	case MSR_AMD64_DE_CFG:
		*val = BIT_ULL(MSR_AMD64_DE_CFG_LFENCE_SERIALIZE_BIT);
		return 0;
	/* There, but without anything in them */
	case MSR_IA32_MISC_ENABLE:
	case MSR_IA32_UCODE_REV:	/* and MSR_AMD64_PATCH_LEVEL */
	case MSR_IA32_PLATFORM_ID:
	case MSR_PLATFORM_INFO:
	case MSR_MISC_FEATURES_ENABLES:
	case MSR_K7_HWCR:
	case MSR_STAR:
	case MSR_LSTAR:
	case MSR_CSTAR:
	case MSR_SYSCALL_MASK:
	case MSR_IA32_SYSENTER_CS:
	case MSR_IA32_SYSENTER_ESP:
	case MSR_IA32_SYSENTER_EIP:
		*val = 0;
		return 0;
	}
	return -EINVAL;
}

/**
 * pvhv_write_msr - WRMSR of a guest's kernel
 * @v:		the vCPU
 * @msr:	number
 * @val:	value
 *
 * Return: 0, or -EINVAL for what must raise #GP.
 */
long pvhv_write_msr(struct pvhv_vcpu *v, u32 msr, u64 val)
{
	switch (msr) {
	case MSR_FS_BASE:
	case MSR_GS_BASE:
	case MSR_KERNEL_GS_BASE:
		if (!pvhv_canonical(val))
			return -EINVAL;
		if (msr == MSR_FS_BASE) {
			pvhv_reload_segments(v);
			v->guest->fs_base = val;
			pvhv_segments_changed(v);
		} else if (msr == MSR_GS_BASE) {
			v->guest->gs_base = val;
		} else if (v->page) {
			v->page->user_gs_base = val;
		}
		return 0;
	/* Entry points are registered by PVHV_HC_VCPU_SETUP; the rest is fixed. */
	case MSR_EFER:
	case MSR_IA32_CR_PAT:
	case MSR_IA32_MISC_ENABLE:
	case MSR_IA32_UCODE_REV:
	case MSR_AMD64_DE_CFG:
	case MSR_K7_HWCR:
	case MSR_STAR:
	case MSR_LSTAR:
	case MSR_CSTAR:
	case MSR_SYSCALL_MASK:
	case MSR_IA32_SYSENTER_CS:
	case MSR_IA32_SYSENTER_ESP:
	case MSR_IA32_SYSENTER_EIP:
		return 0;
	}
	return -EINVAL;
}

/* ---- debug registers ---- */

/* L0..G3, LE, GE, and the conditions; not GD or RTM */
#define DR7_ALLOWED	0xffff03ffUL

/**
 * pvhv_set_debugreg - MOV to a debug register
 * @v:		the vCPU, not loaded
 * @nr:		0..3, 6, 7
 * @val:	value
 *
 * Breakpoints are for the user half only: an address in the upper half may be
 * the host's as well, and the switch between worlds runs with them armed.
 *
 * Return: 0 or -EINVAL.
 */
long pvhv_set_debugreg(struct pvhv_vcpu *v, u64 nr, u64 val)
{
	int i;

	switch (nr) {
	case 0 ... 3:
		if (val >> 47)
			return -EINVAL;
		v->dr[nr] = val;
		return 0;
	case 6:
		v->dr6 = val;
		return 0;
	case 7:
		val &= ~(u64)PVHV_DR7_FIXED;
		if (val & ~DR7_ALLOWED)
			return -EINVAL;
		/* I/O breakpoints need CR4.DE, and there are no ports. */
		for (i = 0; i < 4; i++)
			if (((val >> (16 + 4 * i)) & 3) == 2)
				return -EINVAL;
		v->dr7 = val & 0xff ? val : 0;
		return 0;
	}
	return -EINVAL;
}

long pvhv_get_debugreg(struct pvhv_vcpu *v, u64 nr, u64 *val)
{
	switch (nr) {
	case 0 ... 3:
		*val = v->dr[nr];
		return 0;
	case 6:
		*val = v->dr6 | DR6_RESERVED;
		return 0;
	case 7:
		*val = v->dr7 | PVHV_DR7_FIXED;
		return 0;
	}
	return -EINVAL;
}
