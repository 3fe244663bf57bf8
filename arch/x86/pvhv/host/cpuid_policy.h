/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which bits of CPUID a guest's kernel is shown, and which of these its owner may
 * take away. No state of the host's or of a vCPU in here, so that KUnit can try
 * all of it.
 */
#ifndef _PVHV_CPUID_POLICY_H
#define _PVHV_CPUID_POLICY_H

#include <linux/types.h>
#include <uapi/linux/pvhv.h>

/* Words of feature bits of which some may be taken away */
enum {
	PVHV_CPUID_1_ECX,
	PVHV_CPUID_7_EBX,
	PVHV_CPUID_7_ECX,
	PVHV_CPUID_7_EDX,
	PVHV_CPUID_7_1_EAX,
	PVHV_CPUID_7_1_EDX,
	PVHV_CPUID_D_1_EAX,
	PVHV_CPUID_81_ECX,
	PVHV_CPUID_81_EDX,
	PVHV_CPUID_88_EBX,
	PVHV_CPUID_WORDS,
};

/**
 * struct pvhv_cpuid_policy - what a domain is shown less than others
 * @hidden:	bits of PVHV_MASK_CPUID, with those that need them
 */
struct pvhv_cpuid_policy {
	u32 hidden[PVHV_CPUID_WORDS];
};

int pvhv_cpuid_mask(struct pvhv_cpuid_policy *p, const struct pvhv_mask_cpuid *m);
bool pvhv_cpuid_filter(const struct pvhv_cpuid_policy *p, u32 leaf, u32 sub, u32 out[4]);
u64 pvhv_cpuid_xcr0(const struct pvhv_cpuid_policy *p, u64 xcr0);
u64 pvhv_guest_xfeatures(const struct pvhv_cpuid_policy *p, u64 xcr0);
unsigned int pvhv_cpuid_insn(const u8 *bytes, unsigned int len);

#endif /* _PVHV_CPUID_POLICY_H */
