// SPDX-License-Identifier: GPL-2.0
/* pvhv: what guests are shown of CPUID, and the instruction */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/string.h>

#include "cpuid_policy.h"

enum { EAX, EBX, ECX, EDX };

/* What a guest sees of a CPU that has everything */
static u32 shown(const struct pvhv_cpuid_policy *p, u32 leaf, u32 sub, u32 reg)
{
	u32 out[4];

	memset(out, 0xff, sizeof(out));
	pvhv_cpuid_filter(p, leaf, sub, out);
	return out[reg];
}

static int hide(struct pvhv_cpuid_policy *p, u32 leaf, u32 sub, u32 reg, u32 mask)
{
	struct pvhv_mask_cpuid m = { .leaf = leaf, .subleaf = sub, .reg = reg, .mask = mask };

	return pvhv_cpuid_mask(p, &m);
}

/* Bits that no guest of an x86-64 kernel does without */
static void essential(struct kunit *test)
{
	static const struct {
		u32 leaf, reg, bit;
	} cases[] = {
		{ 1, EDX, 0 /* fpu */ }, { 1, EDX, 3 /* pse */ }, { 1, EDX, 4 /* tsc */ },
		{ 1, EDX, 5 /* msr */ }, { 1, EDX, 6 /* pae */ }, { 1, EDX, 8 /* cx8 */ },
		{ 1, EDX, 9 /* apic */ }, { 1, EDX, 13 /* pge */ }, { 1, EDX, 15 /* cmov */ },
		{ 1, EDX, 16 /* pat */ }, { 1, EDX, 23 /* mmx */ }, { 1, EDX, 24 /* fxsr */ },
		{ 1, EDX, 25 /* sse */ }, { 1, EDX, 26 /* sse2 */ },
		{ 1, ECX, 13 /* cx16 */ }, { 1, ECX, 27 /* osxsave */ },
		{ 1, ECX, 31 /* hypervisor */ }, { 7, EBX, 0 /* fsgsbase */ },
		{ 0x80000001, EDX, 11 /* syscall */ }, { 0x80000001, EDX, 20 /* nx */ },
		{ 0x80000001, EDX, 29 /* lm */ }, { 0x80000007, EDX, 8 /* invariant TSC */ },
	};
	struct pvhv_cpuid_policy p = { }, none = { };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		KUNIT_EXPECT_EQ_MSG(test, hide(&p, cases[i].leaf, 0, cases[i].reg,
					       BIT(cases[i].bit)), -EINVAL, "%x.%u", cases[i].leaf,
				    cases[i].bit);
		/* Nor together with what could be hidden */
		KUNIT_EXPECT_EQ(test, hide(&p, cases[i].leaf, 0, cases[i].reg, ~0U), -EINVAL);
	}
	KUNIT_EXPECT_EQ(test, memcmp(&p, &none, sizeof(p)), 0);
}

/* Not words of features at all */
static void unknown_words(struct kunit *test)
{
	static const struct pvhv_mask_cpuid bad[] = {
		{ .leaf = 0, .reg = EBX, .mask = 1 },
		{ .leaf = 1, .reg = EAX, .mask = 1 },
		{ .leaf = 1, .reg = EBX, .mask = 1 },
		{ .leaf = 1, .reg = 4, .mask = 1 },
		{ .leaf = 1, .reg = 0x80000002, .mask = 1 },
		{ .leaf = 1, .subleaf = 1, .reg = ECX, .mask = 1 },
		{ .leaf = 4, .reg = EAX, .mask = 1 },
		{ .leaf = 7, .reg = EAX, .mask = 1 },
		{ .leaf = 7, .subleaf = 2, .reg = EDX, .mask = 1 },
		{ .leaf = 0xd, .reg = EAX, .mask = 4 },
		{ .leaf = 0xd, .subleaf = 2, .reg = EAX, .mask = 1 },
		{ .leaf = 0x40000000, .reg = EBX, .mask = 1 },
		{ .leaf = 0x80000021, .reg = EAX, .mask = 4 },
		{ .leaf = ~0U, .subleaf = ~0U, .reg = ~0U, .mask = ~0U },
		/* What must be zero */
		{ .leaf = 1, .reg = ECX, .mask = 1, .reserved = { 1, 0 } },
		{ .leaf = 1, .reg = ECX, .mask = 1, .reserved = { 0, 1ULL << 63 } },
	};
	struct pvhv_cpuid_policy p = { }, none = { };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, pvhv_cpuid_mask(&p, &bad[i]), -EINVAL, "case %u", i);
	KUNIT_EXPECT_EQ(test, memcmp(&p, &none, sizeof(p)), 0);
}

static const struct {
	u32 leaf, sub, reg;
} words[] = {
	{ 1, 0, ECX }, { 1, 0, EDX }, { 7, 0, EBX }, { 7, 0, ECX }, { 7, 0, EDX }, { 7, 1, EAX },
	{ 7, 1, EDX }, { 0xd, 1, EAX }, { 0x80000001, 0, ECX }, { 0x80000001, 0, EDX },
	{ 0x80000008, 0, EBX },
};

/*
 * Each bit that can be hidden: it is one that is shown, then it is not, by itself or
 * with others, in any order, and no other leaf changes.
 */
static void each_bit(struct kunit *test)
{
	struct pvhv_cpuid_policy none = { };
	unsigned int w, bit, i, n = 0;

	for (w = 0; w < ARRAY_SIZE(words); w++) {
		u32 leaf = words[w].leaf, sub = words[w].sub, reg = words[w].reg;

		for (bit = 0; bit < 32; bit++) {
			struct pvhv_cpuid_policy p = { }, again;

			if (hide(&p, leaf, sub, reg, BIT(bit)))
				continue;
			n++;
			KUNIT_EXPECT_TRUE(test, shown(&none, leaf, sub, reg) & BIT(bit));
			KUNIT_EXPECT_FALSE(test, shown(&p, leaf, sub, reg) & BIT(bit));
			again = p;
			KUNIT_EXPECT_EQ(test, hide(&p, leaf, sub, reg, BIT(bit)), 0);
			KUNIT_EXPECT_EQ(test, memcmp(&p, &again, sizeof(p)), 0);
			/* Only words of features lose bits, and never gain one. */
			for (i = 0; i < ARRAY_SIZE(words); i++)
				KUNIT_EXPECT_FALSE(test, shown(&p, words[i].leaf, words[i].sub,
							       words[i].reg) &
						   ~shown(&none, words[i].leaf, words[i].sub,
							  words[i].reg));
			KUNIT_EXPECT_EQ(test, shown(&p, 0, 0, EAX), ~0U);
			KUNIT_EXPECT_EQ(test, shown(&p, 1, 0, EAX), ~0U);
			KUNIT_EXPECT_EQ(test, shown(&p, 1, 0, EDX), shown(&none, 1, 0, EDX));
			/* CLFLUSH size and such are no features. */
			KUNIT_EXPECT_EQ(test, shown(&p, 1, 0, EBX), 0xff00U);
		}
	}
	KUNIT_EXPECT_EQ(test, n, 75U);
}

/* ECX means nothing in leaves without subleaves: it must not show what is hidden. */
static void subleaves(struct kunit *test)
{
	struct pvhv_cpuid_policy p = { };

	KUNIT_ASSERT_EQ(test, hide(&p, 1, 0, ECX, BIT(30)), 0);
	KUNIT_ASSERT_EQ(test, hide(&p, 0x80000001, 0, ECX, BIT(5)), 0);
	KUNIT_ASSERT_EQ(test, hide(&p, 7, 0, EBX, BIT(18)), 0);
	KUNIT_EXPECT_FALSE(test, shown(&p, 1, 77, ECX) & BIT(30));
	KUNIT_EXPECT_FALSE(test, shown(&p, 0x80000001, ~0U, ECX) & BIT(5));
	/* And there is no such subleaf. */
	KUNIT_EXPECT_EQ(test, shown(&p, 7, 2, EBX), 0U);
	KUNIT_EXPECT_EQ(test, shown(&p, 0xd, 1, EAX), ~0U);
}

static void avx(struct kunit *test)
{
	struct pvhv_cpuid_policy p = { }, none = { };

	KUNIT_ASSERT_EQ(test, hide(&p, 1, 0, ECX, BIT(28)), 0);
	/* avx, fma, f16c, but not xsave, osxsave, aes */
	KUNIT_EXPECT_EQ(test, shown(&none, 1, 0, ECX) & ~shown(&p, 1, 0, ECX),
			BIT(28) | BIT(12) | BIT(29));
	/* avx2, avx512* */
	KUNIT_EXPECT_EQ(test, shown(&none, 7, 0, EBX) & ~shown(&p, 7, 0, EBX), 0xdc230020U);
	/* vaes, vpclmulqdq, avx512* */
	KUNIT_EXPECT_EQ(test, shown(&none, 7, 0, ECX) & ~shown(&p, 7, 0, ECX), 0x5e42U);
	KUNIT_EXPECT_EQ(test, shown(&p, 7, 0, EDX), BIT(4) | BIT(14));
	KUNIT_EXPECT_EQ(test, shown(&p, 7, 1, EAX), BIT(10) | BIT(11) | BIT(12));
	KUNIT_EXPECT_EQ(test, shown(&p, 7, 1, EDX), 0U);
	KUNIT_EXPECT_EQ(test, shown(&none, 0x80000001, 0, ECX) & ~shown(&p, 0x80000001, 0, ECX),
			BIT(11) | BIT(16));
	KUNIT_EXPECT_EQ(test, shown(&p, 0xd, 1, EAX), ~0U);
}

/* AVX2 alone takes AVX-512 with it, but leaves AVX and its registers. */
static void avx2(struct kunit *test)
{
	struct pvhv_cpuid_policy p = { };

	KUNIT_ASSERT_EQ(test, hide(&p, 7, 0, EBX, BIT(5)), 0);
	KUNIT_EXPECT_TRUE(test, shown(&p, 1, 0, ECX) & BIT(28));
	KUNIT_EXPECT_FALSE(test, shown(&p, 7, 0, EBX) & (BIT(5) | BIT(16) | BIT(31)));
	KUNIT_EXPECT_TRUE(test, shown(&p, 7, 0, ECX) & BIT(9));
	KUNIT_EXPECT_EQ(test, pvhv_cpuid_xcr0(&p, 0xe7), 0x7ULL);
}

static void xsave(struct kunit *test)
{
	struct pvhv_cpuid_policy p = { }, none = { };

	KUNIT_ASSERT_EQ(test, hide(&p, 1, 0, ECX, BIT(26)), 0);
	/* xsave, osxsave, avx, fma, f16c */
	KUNIT_EXPECT_EQ(test, shown(&none, 1, 0, ECX) & ~shown(&p, 1, 0, ECX),
			BIT(26) | BIT(27) | BIT(28) | BIT(12) | BIT(29));
	KUNIT_EXPECT_EQ(test, shown(&p, 0xd, 1, EAX) & 7, 0U);
	KUNIT_EXPECT_FALSE(test, shown(&p, 7, 0, EBX) & BIT(5));
}

/* XCR0 of the host; of a domain, and what leaf 0xd shows, without AVX-512, AVX, XSAVE */
static void xcr0(struct kunit *test)
{
	static const struct {
		u64 host, all, no_avx512, no_avx, no_xsave;
	} cases[] = {
		{ 0, 0, 0, 0, 0 },
		{ 3, 3, 3, 3, 3 },
		{ 7, 7, 7, 3, 3 },
		{ 0xe7, 0xe7, 7, 3, 3 },
		/* PKRU and AMX are the host's business, and stay. */
		{ 0x2e7, 0x2e7, 0x207, 0x203, 0x203 },
		{ 0x602e7, 0x602e7, 0x60207, 0x60203, 0x60203 },
		/* MPX comes in pairs, and has no part in this. */
		{ 0x1f, 0x1f, 0x1f, 0x1b, 0x1b },
	};
	struct pvhv_cpuid_policy all = { }, no_avx512 = { }, no_avx = { }, no_xsave = { };
	unsigned int i;

	KUNIT_ASSERT_EQ(test, hide(&no_avx512, 7, 0, EBX, BIT(16)), 0);
	KUNIT_ASSERT_EQ(test, hide(&no_avx, 1, 0, ECX, BIT(28)), 0);
	KUNIT_ASSERT_EQ(test, hide(&no_xsave, 1, 0, ECX, BIT(26)), 0);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 pkru_amx = 0x60200, host = cases[i].host;

		KUNIT_EXPECT_EQ(test, pvhv_cpuid_xcr0(&all, host), cases[i].all);
		KUNIT_EXPECT_EQ(test, pvhv_cpuid_xcr0(&no_avx512, host), cases[i].no_avx512);
		KUNIT_EXPECT_EQ(test, pvhv_cpuid_xcr0(&no_avx, host), cases[i].no_avx);
		KUNIT_EXPECT_EQ(test, pvhv_cpuid_xcr0(&no_xsave, host), cases[i].no_xsave);
		KUNIT_EXPECT_EQ(test, pvhv_guest_xfeatures(&all, host), cases[i].all & ~pkru_amx);
		KUNIT_EXPECT_EQ(test, pvhv_guest_xfeatures(&no_avx, cases[i].no_avx),
				cases[i].no_avx & ~pkru_amx);
		KUNIT_EXPECT_EQ(test, pvhv_guest_xfeatures(&no_xsave, cases[i].no_xsave), 0ULL);
	}
}

/* Hidden from every guest, whoever owns it */
static void never_shown(struct kunit *test)
{
	struct pvhv_cpuid_policy none = { };
	u32 out[4] = { ~0U, ~0U, ~0U, ~0U };

	/* monitor, vmx, x2apic, tsc_deadline_timer */
	KUNIT_EXPECT_FALSE(test, shown(&none, 1, 0, ECX) & (BIT(3) | BIT(5) | BIT(21) | BIT(24)));
	/* smep, invpcid, smap */
	KUNIT_EXPECT_FALSE(test, shown(&none, 7, 0, EBX) & (BIT(7) | BIT(10) | BIT(20)));
	/* pku, la57 */
	KUNIT_EXPECT_FALSE(test, shown(&none, 7, 0, ECX) & (BIT(3) | BIT(16)));
	/* svm */
	KUNIT_EXPECT_FALSE(test, shown(&none, 0x80000001, 0, ECX) & BIT(2));
	/* x2APIC topology, and nothing at all */
	KUNIT_EXPECT_FALSE(test, pvhv_cpuid_filter(&none, 0xb, 0, out));
	KUNIT_EXPECT_FALSE(test, out[EAX] | out[EBX] | out[ECX] | out[EDX]);
	KUNIT_EXPECT_FALSE(test, pvhv_cpuid_filter(&none, ~0U, ~0U, out));
	KUNIT_EXPECT_TRUE(test, pvhv_cpuid_filter(&none, 0, 0, out));
}

static void instruction(struct kunit *test)
{
	static const struct {
		u8 bytes[16];
		unsigned int len, result;
	} cases[] = {
		{ { 0x0f, 0xa2 }, 15, 2 },
		{ { 0x0f, 0xa2 }, 2, 2 },
		{ { 0x0f, 0xa2 }, 1, 0 },
		{ { 0x0f, 0xa2 }, 0, 0 },
		/* prefixes, REX too, and one before another prefix, which is ignored */
		{ { 0x66, 0x0f, 0xa2 }, 15, 3 },
		{ { 0xf2, 0xf3, 0x67, 0x0f, 0xa2 }, 15, 5 },
		{ { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x0f, 0xa2 }, 15, 8 },
		{ { 0x48, 0x0f, 0xa2 }, 15, 3 },
		{ { 0x4f, 0x66, 0x0f, 0xa2 }, 15, 4 },
		{ { 0x66, 0x0f, 0xa2 }, 2, 0 },
		/* as long as there can be */
		{ { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
		    0x0f, 0xa2 }, 15, 15 },
		{ { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
		    0x66, 0x0f, 0xa2 }, 15, 0 },
		{ { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
		    0x66, 0x66 }, 15, 0 },
		/* LOCK, and other instructions that raise #GP */
		{ { 0xf0, 0x0f, 0xa2 }, 15, 0 },
		{ { 0x0f, 0x32 }, 15, 0 },
		{ { 0x0f, 0x30 }, 15, 0 },
		{ { 0xf4, 0x0f, 0xa2 }, 15, 0 },
		{ { 0xa2, 0x0f }, 15, 0 },
		{ { 0x0f, 0x0f, 0xa2 }, 15, 0 },
		{ { 0xcd, 0x80 }, 15, 0 },
		/* VEX and EVEX */
		{ { 0xc5, 0xf8, 0xa2 }, 15, 0 },
		{ { 0x62, 0x0f, 0xa2 }, 15, 0 },
	};
	unsigned int i, b, n = 0;
	u8 two[2];

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, pvhv_cpuid_insn(cases[i].bytes, cases[i].len),
				    cases[i].result, "case %u", i);
	for (b = 0; b < 0x10000; b++) {
		two[0] = b;
		two[1] = b >> 8;
		n += pvhv_cpuid_insn(two, 2) != 0;
	}
	KUNIT_EXPECT_EQ(test, n, 1U);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(essential),
	KUNIT_CASE(unknown_words),
	KUNIT_CASE(each_bit),
	KUNIT_CASE(subleaves),
	KUNIT_CASE(avx),
	KUNIT_CASE(avx2),
	KUNIT_CASE(xsave),
	KUNIT_CASE(xcr0),
	KUNIT_CASE(never_shown),
	KUNIT_CASE(instruction),
	{ }
};

static struct kunit_suite suite = {
	.name = "pvhv_cpuid",
	.test_cases = cases,
};

kunit_test_suite(suite);
