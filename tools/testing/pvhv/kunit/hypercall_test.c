// SPDX-License-Identifier: GPL-2.0
/* pvhv: arguments of hypercalls */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/sizes.h>

#include "hypercall_check.h"

#define LOW_END		0x0000800000000000UL
#define HIGH_START	0xffff800000000000UL

static void canonical(struct kunit *test)
{
	static const struct {
		u64 va;
		bool good;
	} cases[] = {
		{ 0, true }, { LOW_END - 1, true }, { LOW_END, false },
		{ HIGH_START - 1, false }, { HIGH_START, true }, { ~0UL, true },
		/* In five-level paging only */
		{ 0x00ffffffffffffffUL, false }, { 0xff00000000000000UL, false },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, pvhv_canonical(cases[i].va), cases[i].good, "%llx",
				    cases[i].va);
	/* Each bit of the upper half alone, set in a low and clear in a high address */
	for (i = 47; i < 64; i++) {
		KUNIT_EXPECT_FALSE(test, pvhv_canonical(BIT_ULL(i)));
		KUNIT_EXPECT_FALSE(test, pvhv_canonical(~BIT_ULL(i)));
	}
}

static void one_page(struct kunit *test)
{
	u64 offset, len;

	for (offset = 0; offset <= PAGE_SIZE; offset++) {
		for (len = 1; len <= PAGE_SIZE + 8; len += 61) {
			bool good = offset % 8 == 0 && offset % PAGE_SIZE + len <= PAGE_SIZE;

			KUNIT_EXPECT_EQ_MSG(test, pvhv_in_one_page(HIGH_START + offset, len), good,
					    "%llu bytes at %llu", len, offset);
		}
	}
	/* Sums that wrap */
	KUNIT_EXPECT_FALSE(test, pvhv_in_one_page(8, -8ULL));
	KUNIT_EXPECT_FALSE(test, pvhv_in_one_page(0, ~0ULL));
	KUNIT_EXPECT_TRUE(test, pvhv_in_one_page(-8ULL, 8));
	KUNIT_EXPECT_FALSE(test, pvhv_in_one_page(-8ULL, 9));
}

static void load_cr3(struct kunit *test)
{
	unsigned int bit;

	KUNIT_EXPECT_TRUE(test, pvhv_load_cr3_args_ok((u64[4]) { 0, 7, 7, 0 }));
	KUNIT_EXPECT_TRUE(test, pvhv_load_cr3_args_ok((u64[4]) { 0, 0, 0, PVHV_CR3_FLUSH_ALL }));
	/* All address spaces, and yet one of them */
	KUNIT_EXPECT_FALSE(test, pvhv_load_cr3_args_ok((u64[4]) { 0, 7, 0, PVHV_CR3_FLUSH_ALL }));
	for (bit = 0; bit < 64; bit++)
		KUNIT_EXPECT_EQ(test, pvhv_load_cr3_args_ok((u64[4]) { 0, 0, 0, BIT_ULL(bit) }),
				BIT_ULL(bit) == PVHV_CR3_FLUSH_ALL);
}

static void flush_range(struct kunit *test)
{
	static const struct {
		u64 start, end;
		bool good;
	} cases[] = {
		{ 0, 1, true }, { 0, 0, false }, { 1, 0, false },
		{ 0, LOW_END, true }, { 0, LOW_END + 1, false }, { LOW_END, LOW_END + 1, false },
		{ HIGH_START, ~0UL, true }, { HIGH_START - 1, ~0UL, false },
		{ ~0UL, 0, false }, { LOW_END - 1, LOW_END, true },
		/* Both ends are good: what is between is nobody's */
		{ 0, ~0UL, true },
	};
	unsigned int i, bit;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 a[4] = { cases[i].start, cases[i].end };

		KUNIT_EXPECT_EQ_MSG(test, pvhv_flush_range_args_ok(a), cases[i].good,
				    "%llx to %llx", a[0], a[1]);
	}
	for (bit = 0; bit < 64; bit++)
		KUNIT_EXPECT_EQ(test, pvhv_flush_range_args_ok((u64[4]) { 0, 1, 0, BIT_ULL(bit) }),
				BIT_ULL(bit) == PVHV_FLUSH_FREED_TABLES ||
				BIT_ULL(bit) == PVHV_FLUSH_EVERYWHERE);
}

static void flush_mm(struct kunit *test)
{
	static const struct {
		u64 ctx, start, end;
		bool good;
	} cases[] = {
		{ 1, 0, 0, true },
		{ 0, 0, 0, false },
		{ 1, 0x1000, 0x2000, true },
		{ 1, 0x1000 | PVHV_FLUSH_FREED_TABLES, 0x2000, true },
		{ 1, 0x1002, 0x2000, false },
		{ 1, 0x1800, 0x2000, false },
		{ 1, 0x2000, 0x2000, false },
		{ 1, 0x2000, 0x2001, true },
		{ 1, 0x2000, 0, true },
		{ 1, 0x2000, 0x1000, false },
		{ 1, 0, 0x800000000000, true },
		{ 1, 0, 0x800000000001, false },
		{ 1, 0x800000000000, 0, false },
		{ 1, 0xffff800000000000, 0xffff800000001000, false },
		{ 1, 0x7ffffffff000, ~0ULL, false },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 args[4] = { cases[i].ctx, cases[i].start, cases[i].end };

		KUNIT_EXPECT_EQ_MSG(test, pvhv_flush_mm_args_ok(args), cases[i].good,
				    "%llx: %llx to %llx", args[0], args[1], args[2]);
	}
}

static void flush_all(struct kunit *test)
{
	u64 known = PVHV_FLUSH_USER | PVHV_FLUSH_KERNEL | PVHV_FLUSH_EVERYWHERE;
	unsigned int bit;

	KUNIT_EXPECT_TRUE(test, pvhv_flush_all_args_ok((u64[4]) { 0, 0 }));
	KUNIT_EXPECT_TRUE(test, pvhv_flush_all_args_ok((u64[4]) { 0, known }));
	for (bit = 0; bit < 64; bit++)
		KUNIT_EXPECT_EQ(test, pvhv_flush_all_args_ok((u64[4]) { 0, BIT_ULL(bit) }),
				!!(BIT_ULL(bit) & known));
}

static void page_fault(struct kunit *test)
{
	const u64 known = 0x17;
	unsigned int bit;

	KUNIT_EXPECT_TRUE(test, pvhv_page_fault_args_ok((u64[4]) { 0, PVHV_DIRECT_PF_U }));
	KUNIT_EXPECT_TRUE(test, pvhv_page_fault_args_ok((u64[4]) { LOW_END - 1, known }));
	KUNIT_EXPECT_FALSE(test, pvhv_page_fault_args_ok((u64[4]) { LOW_END, known }));
	KUNIT_EXPECT_FALSE(test, pvhv_page_fault_args_ok((u64[4]) { HIGH_START, known }));
	KUNIT_EXPECT_FALSE(test, pvhv_page_fault_args_ok((u64[4]) { ~0ULL, known }));
	for (bit = 0; bit < 64; bit++) {
		u64 a[4] = { 0, PVHV_DIRECT_PF_U | BIT_ULL(bit) };

		KUNIT_EXPECT_EQ(test, pvhv_page_fault_args_ok(a), !!(BIT_ULL(bit) & known));
		a[1] = BIT_ULL(bit);
		KUNIT_EXPECT_EQ(test, pvhv_page_fault_args_ok(a), BIT_ULL(bit) == PVHV_DIRECT_PF_U);
	}
}

static void send_ipi(struct kunit *test)
{
	static const u64 firsts[] = {
		0, 1, PVHV_MAX_VCPUS - 1, PVHV_MAX_VCPUS, BIT_ULL(32), ~0ULL
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(firsts); i++) {
		u64 a[4] = { firsts[i] };

		for (a[2] = 0; a[2] < 600; a[2]++) {
			bool good = a[2] == 2 || (a[2] >= 32 && a[2] < 256);

			good = good && firsts[i] < 64;
			KUNIT_EXPECT_EQ_MSG(test, pvhv_send_ipi_args_ok(a), good,
					    "vector %llu to %llu", a[2], a[0]);
		}
		a[2] = BIT_ULL(32) + 64;
		KUNIT_EXPECT_FALSE(test, pvhv_send_ipi_args_ok(a));
	}
}

static void multicall(struct kunit *test)
{
	u64 size = sizeof(struct pvhv_multicall), nr;

	for (nr = 0; nr < 200; nr++)
		KUNIT_EXPECT_EQ(test, pvhv_multicall_args_ok((u64[4]) { HIGH_START, nr }),
				nr && nr <= PVHV_MULTICALL_MAX);
	KUNIT_EXPECT_FALSE(test, pvhv_multicall_args_ok((u64[4]) { HIGH_START, ~0ULL / size + 2 }));
	KUNIT_EXPECT_FALSE(test, pvhv_multicall_args_ok((u64[4]) { HIGH_START + 4, 1 }));
	KUNIT_EXPECT_TRUE(test, pvhv_multicall_args_ok((u64[4]) { PAGE_SIZE - size, 1 }));
	KUNIT_EXPECT_FALSE(test, pvhv_multicall_args_ok((u64[4]) { PAGE_SIZE - size, 2 }));
}

/* Each field with what it must not be; the offsets are the ABI's */
static void vcpu_setup(struct kunit *test)
{
	u64 words[sizeof(struct pvhv_vcpu_setup) / 8];
	struct pvhv_vcpu_setup *s = (void *)words;
	unsigned int i;

	BUILD_BUG_ON(sizeof(words) != 128);
	memset(s, 0, sizeof(*s));
	s->page_gpa = 5 * PAGE_SIZE;
	KUNIT_EXPECT_TRUE(test, pvhv_vcpu_setup_ok(s));
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		u64 old = words[i];

		words[i] = old | LOW_END;
		/* An address of guest memory may be any as far as this goes */
		KUNIT_EXPECT_EQ_MSG(test, pvhv_vcpu_setup_ok(s), i == 0, "word %u", i);
		words[i] = old + 1;
		/* one is a flag that is known */
		KUNIT_EXPECT_EQ_MSG(test, pvhv_vcpu_setup_ok(s), i > 0 && i < 11, "word %u", i);
		words[i] = old;
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(canonical),
	KUNIT_CASE(one_page),
	KUNIT_CASE(load_cr3),
	KUNIT_CASE(flush_range),
	KUNIT_CASE(flush_mm),
	KUNIT_CASE(flush_all),
	KUNIT_CASE(page_fault),
	KUNIT_CASE(send_ipi),
	KUNIT_CASE(multicall),
	KUNIT_CASE(vcpu_setup),
	{}
};

static struct kunit_suite suite = {
	.name = "pvhv_hypercall",
	.test_cases = cases,
};

kunit_test_suite(suite);
