// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv: what a side of a device may publish, what a grant permits, and how an
 * area is divided into rings.
 */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <pvhv/blkif.h>
#include <pvhv/ring.h>
#include "grant_check.h"
#include "registry_check.h"

/* By role: each path of <pvhv/device.h>'s table, as the states that follow a state */
static const char * const paths[2][PVHV_DEV_CLOSED + 1] = {
	[PVHV_ROLE_FRONTEND] = {
		[PVHV_DEV_INITIALISING]	= "\3\5",
		[PVHV_DEV_INIT_WAIT]	= "",
		[PVHV_DEV_INITIALISED]	= "\4\5",
		[PVHV_DEV_CONNECTED]	= "\5",
		[PVHV_DEV_CLOSING]	= "",
		[PVHV_DEV_CLOSED]	= "\1",
	},
	[PVHV_ROLE_BACKEND] = {
		[PVHV_DEV_INITIALISING]	= "\2\5",
		[PVHV_DEV_INIT_WAIT]	= "\4\5",
		[PVHV_DEV_INITIALISED]	= "",
		[PVHV_DEV_CONNECTED]	= "\5",
		[PVHV_DEV_CLOSING]	= "",
		[PVHV_DEV_CLOSED]	= "\1\2",
	},
};

static void state_jumps(struct kunit *test)
{
	u32 role, from, to;

	for (role = 0; role < 2; role++) {
		for (from = PVHV_DEV_INITIALISING; from <= PVHV_DEV_CLOSED; from++) {
			for (to = 0; to < 300; to++) {
				bool good = to >= PVHV_DEV_INITIALISING && to <= PVHV_DEV_CLOSED &&
					(to == from || to == PVHV_DEV_CLOSED ||
					 strchr(paths[role][from], to));

				KUNIT_EXPECT_EQ_MSG(test, pvhv_state_jump_ok(role, from, to), good,
						    "role %u from %u to %u", role, from, to);
			}
			KUNIT_EXPECT_FALSE(test, pvhv_state_jump_ok(role, from, BIT(31)));
			KUNIT_EXPECT_FALSE(test, pvhv_state_jump_ok(role, from, U32_MAX));
		}
	}
}

static void properties(struct kunit *test)
{
	struct pvhv_prop *p = kunit_kcalloc(test, PVHV_MAX_PROPS, sizeof(*p), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, pvhv_props_ok(p, 0));
	for (i = 0; i < PVHV_MAX_PROPS; i++)
		p[i] = (struct pvhv_prop) { .key = 1 + i % 3, .index = i / 3, .value = i };
	KUNIT_EXPECT_TRUE(test, pvhv_props_ok(p, PVHV_MAX_PROPS));
	/* Not looked into */
	KUNIT_EXPECT_FALSE(test, pvhv_props_ok(p, PVHV_MAX_PROPS + 1));
	KUNIT_EXPECT_FALSE(test, pvhv_props_ok(p, U32_MAX));

	/* The same twice, wherever they are */
	for (i = 0; i < PVHV_MAX_PROPS - 1; i++) {
		struct pvhv_prop last = p[PVHV_MAX_PROPS - 1];

		p[PVHV_MAX_PROPS - 1].key = p[i].key;
		p[PVHV_MAX_PROPS - 1].index = p[i].index;
		KUNIT_EXPECT_FALSE(test, pvhv_props_ok(p, PVHV_MAX_PROPS));
		KUNIT_EXPECT_TRUE(test, pvhv_props_ok(p, PVHV_MAX_PROPS - 1));
		p[PVHV_MAX_PROPS - 1] = last;
	}
	p[7].key = 0;
	KUNIT_EXPECT_FALSE(test, pvhv_props_ok(p, 8));
	KUNIT_EXPECT_TRUE(test, pvhv_props_ok(p, 7));
	p[7].key = 77;
	p[7].reserved = 1;
	KUNIT_EXPECT_FALSE(test, pvhv_props_ok(p, 8));
}

/* Every control word of one bit and of two, for reading and writing, for the right domain or not */
static void grant_permissions(struct kunit *test)
{
	const u32 marks = PVHV_GRANT_READING | PVHV_GRANT_WRITING;
	const pvhv_domid_t who = (__force pvhv_domid_t)5;
	int i, j, write, right;

	for (i = 0; i < 32; i++)
		for (j = 0; j < 32; j++)
			for (write = 0; write < 2; write++)
				for (right = 0; right < 2; right++) {
					u32 control = BIT(i) | BIT(j);
					union pvhv_grant_word w = {
						.control = control,
						.domid = right ? who : (__force pvhv_domid_t)6,
					};
					bool good = right && control & PVHV_GRANT_PERMIT &&
						!(control & ~(PVHV_GRANT_FLAGS | marks)) &&
						!(write && control & PVHV_GRANT_READONLY);

					KUNIT_EXPECT_EQ_MSG(test, pvhv_grant_permits(w, who, write),
							    good ? 0 : -EPERM, "%#x %d %d", control,
							    write, right);
				}
	KUNIT_EXPECT_EQ(test, pvhv_grant_permits((union pvhv_grant_word) { .word = 0 },
						 PVHV_DOMID_HOST, false), -EPERM);
}

static void copy_bounds(struct kunit *test)
{
	static const u32 values[] = { 0, 1, 2, 4094, 4095, 4096, 4097, 8192, BIT(31), U32_MAX - 1,
		U32_MAX };
	struct pvhv_grant_copy c;
	int i, j, k;

	for (i = 0; i < ARRAY_SIZE(values); i++)
		for (j = 0; j < ARRAY_SIZE(values); j++)
			for (k = 0; k < ARRAY_SIZE(values); k++) {
				u64 s = values[i], d = values[j], len = values[k];

				c = (struct pvhv_grant_copy) {
					.src.offset = s, .dst.offset = d, .len = len,
				};
				KUNIT_EXPECT_EQ_MSG(test, pvhv_grant_copy_ok(&c),
						    s + len <= SZ_4K && d + len <= SZ_4K,
						    "%llu %llu %llu", s, d, len);
				c.src.reserved = 1;
				KUNIT_EXPECT_FALSE(test, pvhv_grant_copy_ok(&c));
				c.src.reserved = 0;
				c.dst.reserved = BIT(31);
				KUNIT_EXPECT_FALSE(test, pvhv_grant_copy_ok(&c));
			}
}

/* Both rings fit, do not overlap, and could not be twice as long. */
static void ring_layouts(struct kunit *test)
{
	u32 pages, request, response;

	for (pages = 0; pages <= PVHV_MAX_RING_PAGES; pages++)
		for (request = 8; request <= 8192; request = request * 3 / 2 / 8 * 8 + 8)
			for (response = 8; response <= 128; response += 24) {
				struct pvhv_ring_layout l =
					pvhv_ring_layout(pages, request, response);
				u32 both = request + response;
				u64 end = l.responses + (u64)l.nr * response;
				u64 twice = PVHV_RING_FIRST_SLOT + 2ULL * l.nr * both;

				if (!l.nr) {
					KUNIT_EXPECT_LT(test, (u64)pages * SZ_4K,
							(u64)PVHV_RING_FIRST_SLOT + both);
					continue;
				}
				KUNIT_EXPECT_EQ(test, l.nr & (l.nr - 1), 0U);
				KUNIT_EXPECT_GE(test, l.requests, (u32)PVHV_RING_FIRST_SLOT);
				KUNIT_EXPECT_GE(test, l.responses, l.requests + l.nr * request);
				KUNIT_EXPECT_LE(test, end, (u64)pages * SZ_4K);
				KUNIT_EXPECT_GT(test, twice, (u64)pages * SZ_4K);
			}
}

/* A ring whose other side lies is broken, and stays so. */
static void ring_indices(struct kunit *test)
{
	static const u32 bad[] = { 9, 10, 0x7fffffff, 0x80000000, U32_MAX };
	struct pvhv_ring_header h;
	struct pvhv_ring p, c;
	u64 slots[8], item;
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		memset(&h, 0, sizeof(h));
		pvhv_ring_init(&c, &h, slots, 8, sizeof(u64));
		h.prod = bad[i];
		KUNIT_EXPECT_EQ(test, pvhv_ring_items(&c), 0U);
		KUNIT_EXPECT_TRUE(test, c.broken);
		h.prod = 1;
		KUNIT_EXPECT_EQ(test, pvhv_ring_items(&c), 0U);

		memset(&h, 0, sizeof(h));
		pvhv_ring_init(&p, &h, slots, 8, sizeof(u64));
		h.cons = bad[i];
		KUNIT_EXPECT_EQ(test, pvhv_ring_room(&p), 0U);
		KUNIT_EXPECT_TRUE(test, p.broken);
	}

	/* A consumer that takes more than it was given, across the wrap of indices */
	memset(&h, 0, sizeof(h));
	pvhv_ring_init(&p, &h, slots, 8, sizeof(u64));
	pvhv_ring_init(&c, &h, slots, 8, sizeof(u64));
	for (i = 0; i < 1000; i++) {
		item = i;
		KUNIT_ASSERT_GT(test, pvhv_ring_room(&p), 0U);
		pvhv_ring_put(&p, &item, sizeof(item));
		pvhv_ring_push(&p);
		KUNIT_ASSERT_EQ(test, pvhv_ring_items(&c), 1U);
		pvhv_ring_get(&c, &item, sizeof(item));
		KUNIT_EXPECT_EQ(test, item, (u64)i);
		pvhv_ring_pull(&c);
	}
	h.cons++;
	KUNIT_EXPECT_EQ(test, pvhv_ring_room(&p), 0U);
	KUNIT_EXPECT_TRUE(test, p.broken);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(state_jumps),
	KUNIT_CASE(properties),
	KUNIT_CASE(grant_permissions),
	KUNIT_CASE(copy_bounds),
	KUNIT_CASE(ring_layouts),
	KUNIT_CASE(ring_indices),
	{}
};

static struct kunit_suite suite = {
	.name = "pvhv_split",
	.test_cases = cases,
};

kunit_test_suite(suite);
