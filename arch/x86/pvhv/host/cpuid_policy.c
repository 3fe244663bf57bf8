// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest's kernel is told about its CPU, of what the host's has.
 *
 * Hidden is what ring 3 cannot do, what the switcher does not keep apart, what is
 * the host's business, and what the domain's owner has taken away.
 */
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "cpuid_policy.h"

enum { EAX, EBX, ECX, EDX };

#define B(n)	(1U << (n))

/* Leaf, subleaf (-1: any), and which bits of EAX, EBX, ECX, EDX are passed on */
static const struct cpuid_mask {
	u32 leaf;
	s32 sub;
	u32 mask[4];
} masks[] = {
	{ 0x00000000, -1, { ~0U, ~0U, ~0U, ~0U } },
	{ 0x00000001, -1, {
		~0U,
		0x0000ff00,		/* CLFLUSH size */
		~(B(2) | B(3) | B(4) | B(5) | B(6) | B(7) | B(8) | B(10) | B(11) | B(14) |
		  B(15) | B(17) | B(18) | B(21) | B(24)),
		~(B(7) | B(11) | B(12) | B(14) | B(18) | B(21) | B(22) | B(28) | B(29) |
		  B(31)) } },
	{ 0x00000002, -1, { ~0U, ~0U, ~0U, ~0U } },
	{ 0x00000004, -1, { 0x3fff, ~0U, ~0U, ~0U } },
	{ 0x00000007, 0, {
		~0U,
		~(B(1) | B(2) | B(7) | B(10) | B(12) | B(14) | B(15) | B(20) | B(25)),
		~(B(3) | B(4) | B(5) | B(7) | B(16) | B(23) | B(24) | B(26) | B(28) | B(29) |
		  B(30) | B(31)),
		B(2) | B(3) | B(4) | B(8) | B(14) | B(23) } },
	{ 0x00000007, 1, {
		B(4) | B(5) | B(10) | B(11) | B(12) | B(23), 0, 0, B(4) | B(5) } },
	{ 0x0000000d, -1, { ~0U, ~0U, ~0U, ~0U } },	/* see xstate_leaf() */
	{ 0x80000000, -1, { ~0U, ~0U, ~0U, ~0U } },
	{ 0x80000001, -1, {
		~0U, 0, B(0) | B(5) | B(6) | B(7) | B(8) | B(11) | B(16) | B(21), ~0U } },
	{ 0x80000002, -1, { ~0U, ~0U, ~0U, ~0U } },
	{ 0x80000003, -1, { ~0U, ~0U, ~0U, ~0U } },
	{ 0x80000004, -1, { ~0U, ~0U, ~0U, ~0U } },
	{ 0x80000005, -1, { ~0U, ~0U, ~0U, ~0U } },
	{ 0x80000006, -1, { ~0U, ~0U, ~0U, ~0U } },
	{ 0x80000007, -1, { 0, 0, 0, B(8) } },
	{ 0x80000008, -1, { 0xffff, B(0) | B(2), 0, 0 } },
	{ 0x8000001d, -1, { 0x3fff, ~0U, ~0U, ~0U } },
	{ 0x80000021, -1, { B(2) | B(6), 0, 0, 0 } },
};

/* Bits that have a part in the rules below */
#define XSAVE		B(26)	/* 1 ECX */
#define OSXSAVE		B(27)
#define AVX		B(28)
#define FMA		B(12)
#define F16C		B(29)
#define AVX2		B(5)	/* 7 EBX */
#define AVX512F		B(16)
#define AVX512_7_EBX	(B(16) | B(17) | B(21) | B(26) | B(27) | B(28) | B(30) | B(31))
#define AVX512_7_ECX	(B(1) | B(6) | B(11) | B(12) | B(14))
#define AVX512_7_EDX	(B(2) | B(3) | B(8) | B(23))
#define VAES		B(9)	/* 7 ECX */
#define VPCLMULQDQ	B(10)
#define AVX_VNNI	B(4)	/* 7.1 EAX */
#define AVX512_BF16	B(5)
#define AVX_IFMA	B(23)
#define AVX_7_1_EDX	(B(4) | B(5))
#define XSAVE_D_1_EAX	(B(0) | B(1) | B(2))
#define XOP		B(11)	/* 0x80000001 ECX */
#define FMA4		B(16)
#define AMD_3DNOWEXT	B(30)	/* 0x80000001 EDX */
#define AMD_3DNOW	B(31)

/*
 * Where features are, and those that may be taken away: programs use them, and
 * kernels that find them, but none depends on them. All that an x86-64 program may
 * take for granted is missing here, and so is what kernels need (CMPXCHG16B, NX,
 * the TSC, PAT) or take for granted (PREFETCHW on AMD), what follows the host
 * (FSGSBASE, UMIP) and "hypervisor".
 */
static const struct cpuid_word {
	u32 leaf, sub, reg;
	u32 maskable;
} words[PVHV_CPUID_WORDS] = {
	[PVHV_CPUID_1_ECX] = { 1, 0, ECX,
		B(0) | B(1) | B(9) | FMA | B(19) | B(20) | B(22) | B(23) | B(25) | XSAVE | AVX |
		F16C | B(30) },
	[PVHV_CPUID_7_EBX] = { 7, 0, EBX,
		B(3) | B(4) | AVX2 | B(8) | B(9) | B(11) | B(18) | B(19) | B(23) | B(24) | B(29) |
		AVX512_7_EBX },
	[PVHV_CPUID_7_ECX] = { 7, 0, ECX,
		B(8) | VAES | VPCLMULQDQ | B(22) | B(25) | B(27) | AVX512_7_ECX },
	[PVHV_CPUID_7_EDX] = { 7, 0, EDX, B(4) | B(14) | AVX512_7_EDX },
	[PVHV_CPUID_7_1_EAX] = { 7, 1, EAX,
		AVX_VNNI | AVX512_BF16 | B(10) | B(11) | B(12) | AVX_IFMA },
	[PVHV_CPUID_7_1_EDX] = { 7, 1, EDX, AVX_7_1_EDX },
	[PVHV_CPUID_D_1_EAX] = { 0xd, 1, EAX, XSAVE_D_1_EAX },
	[PVHV_CPUID_81_ECX] = { 0x80000001, 0, ECX,
		B(0) | B(5) | B(6) | B(7) | XOP | FMA4 | B(21) },
	[PVHV_CPUID_81_EDX] = { 0x80000001, 0, EDX,
		B(22) | B(25) | B(26) | B(27) | AMD_3DNOWEXT | AMD_3DNOW },
	[PVHV_CPUID_88_EBX] = { 0x80000008, 0, EBX, B(0) | B(2) },
};

/*
 * What goes with a feature: who sees AVX2 does not ask for AVX, and without the
 * registers in XCR0 its instructions are #UD. In such an order that once is enough.
 */
static const struct cpuid_need {
	u8 word;
	u32 feature;
	u32 also[PVHV_CPUID_WORDS];
} needs[] = {
	{ PVHV_CPUID_1_ECX, XSAVE, {
		[PVHV_CPUID_1_ECX] = OSXSAVE | AVX,
		[PVHV_CPUID_D_1_EAX] = XSAVE_D_1_EAX } },
	{ PVHV_CPUID_1_ECX, AVX, {
		[PVHV_CPUID_1_ECX] = FMA | F16C,
		[PVHV_CPUID_7_EBX] = AVX2,
		[PVHV_CPUID_7_ECX] = VAES | VPCLMULQDQ,
		[PVHV_CPUID_81_ECX] = XOP | FMA4 } },
	{ PVHV_CPUID_7_EBX, AVX2, {
		[PVHV_CPUID_7_EBX] = AVX512F,
		[PVHV_CPUID_7_1_EAX] = AVX_VNNI | AVX_IFMA,
		[PVHV_CPUID_7_1_EDX] = AVX_7_1_EDX } },
	{ PVHV_CPUID_7_EBX, AVX512F, {
		[PVHV_CPUID_7_EBX] = AVX512_7_EBX,
		[PVHV_CPUID_7_ECX] = AVX512_7_ECX,
		[PVHV_CPUID_7_EDX] = AVX512_7_EDX,
		[PVHV_CPUID_7_1_EAX] = AVX512_BF16 } },
	{ PVHV_CPUID_81_EDX, AMD_3DNOW, { [PVHV_CPUID_81_EDX] = AMD_3DNOWEXT } },
};

/**
 * pvhv_cpuid_mask - PVHV_MASK_CPUID
 * @p:	the domain's policy
 * @m:	what its owner wants hidden; anything
 *
 * What needs a hidden feature is hidden as well.
 *
 * Return: 0, or -EINVAL with nothing changed: not a word of features, or bits that
 * must not be taken away.
 */
int pvhv_cpuid_mask(struct pvhv_cpuid_policy *p, const struct pvhv_mask_cpuid *m)
{
	int w, i;

	if (memchr_inv(m->reserved, 0, sizeof(m->reserved)))
		return -EINVAL;
	for (w = 0; w < PVHV_CPUID_WORDS; w++)
		if (words[w].leaf == m->leaf && words[w].sub == m->subleaf &&
		    words[w].reg == m->reg)
			break;
	if (w == PVHV_CPUID_WORDS || m->mask & ~words[w].maskable)
		return -EINVAL;
	p->hidden[w] |= m->mask;
	for (i = 0; i < ARRAY_SIZE(needs); i++)
		if (p->hidden[needs[i].word] & needs[i].feature)
			for (w = 0; w < PVHV_CPUID_WORDS; w++)
				p->hidden[w] |= needs[i].also[w];
	return 0;
}

/**
 * pvhv_cpuid_filter - clear what a guest is not shown
 * @p:		the domain's policy
 * @leaf:	EAX
 * @sub:	ECX
 * @out:	EAX, EBX, ECX, EDX: of the host's CPU, then for the guest
 *
 * Return: false if guests have no such leaf; then @out is zero.
 */
bool pvhv_cpuid_filter(const struct pvhv_cpuid_policy *p, u32 leaf, u32 sub, u32 out[4])
{
	const struct cpuid_mask *m = NULL;
	int i;

	for (i = 0; i < ARRAY_SIZE(masks); i++)
		if (masks[i].leaf == leaf && (masks[i].sub < 0 || masks[i].sub == sub))
			m = &masks[i];
	for (i = 0; i < 4; i++)
		out[i] &= m ? m->mask[i] : 0;
	for (i = 0; i < PVHV_CPUID_WORDS; i++)
		/* Leaves 7 and 0xd have subleaves; the others do not look at ECX. */
		if (words[i].leaf == leaf &&
		    (words[i].sub == sub || (leaf != 7 && leaf != 0xd)))
			out[words[i].reg] &= ~p->hidden[i];
	return m;
}

#define XFEATURES_AVX		BIT_ULL(2)
#define XFEATURES_AVX512	(BIT_ULL(5) | BIT_ULL(6) | BIT_ULL(7))
#define XFEATURES_PKRU_AMX	(BIT_ULL(9) | BIT_ULL(17) | BIT_ULL(18))

/**
 * pvhv_cpuid_xcr0 - XCR0 while a domain's vCPU is loaded
 * @p:		the domain's policy
 * @xcr0:	the host's, 0 if it has no XSAVE
 *
 * Registers that the guest's kernel does not know of, and so does not switch, must
 * not be there: its programs find them by CPUID where that does not fault, and would
 * share them.
 */
u64 pvhv_cpuid_xcr0(const struct pvhv_cpuid_policy *p, u64 xcr0)
{
	if (p->hidden[PVHV_CPUID_1_ECX] & AVX)
		xcr0 &= ~XFEATURES_AVX;
	if (p->hidden[PVHV_CPUID_7_EBX] & AVX512F)
		xcr0 &= ~XFEATURES_AVX512;
	return xcr0;
}

/**
 * pvhv_guest_xfeatures - what leaf 0xd tells a guest of
 * @p:		the domain's policy
 * @xcr0:	of pvhv_cpuid_xcr0()
 *
 * PKRU and AMX are in XCR0 but not the guest's, see enter.c.
 */
u64 pvhv_guest_xfeatures(const struct pvhv_cpuid_policy *p, u64 xcr0)
{
	return p->hidden[PVHV_CPUID_1_ECX] & XSAVE ? 0 : xcr0 & ~XFEATURES_PKRU_AMX;
}

/**
 * pvhv_cpuid_insn - is this a CPUID instruction
 * @bytes:	where RIP points
 * @len:	how many there are, at most 15
 *
 * All prefixes but LOCK, which raises #UD, may be there and change nothing.
 *
 * Return: its length, 0 if it is something else.
 */
unsigned int pvhv_cpuid_insn(const u8 *bytes, unsigned int len)
{
	unsigned int i;

	for (i = 0; i + 1 < len; i++) {
		switch (bytes[i]) {
		case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64 ... 0x67:
		case 0x40 ... 0x4f: case 0xf2: case 0xf3:
			continue;
		case 0x0f:
			return bytes[i + 1] == 0xa2 ? i + 2 : 0;
		}
		break;
	}
	return 0;
}
