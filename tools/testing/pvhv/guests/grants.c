// SPDX-License-Identifier: GPL-2.0
/*
 * grants: a grant table, and copies from and to what this domain grants itself.
 */
#include "lib/guest.h"
#include "lib/split.h"

static struct pvhv_grant_entry table[2][PVHV_GRANTS_PER_FRAME] __page_aligned;
static u8 pages[2][PAGE_SIZE] __page_aligned;
/* and nothing else in its page, which is overwritten */
static struct pvhv_grant_copy copies[PAGE_SIZE / sizeof(struct pvhv_grant_copy)] __page_aligned;
static u8 next_page[PAGE_SIZE] __page_aligned __attribute__((used));

#define gfn_of(p)	(gpa_of(p) >> 12)

static void grant_to(u32 ref, u32 domid, u64 gfn, u32 control)
{
	struct pvhv_grant_entry *e = &table[ref / PVHV_GRANTS_PER_FRAME][ref % PVHV_GRANTS_PER_FRAME];

	e->domid = domid;
	e->gfn = gfn;
	WRITE_ONCE(e->control, control);
}

static void grant(u32 ref, u64 gfn, u32 control)
{
	grant_to(ref, start_info.domid, gfn, control);
}

/* From grant @ref to pages[1] */
static struct pvhv_grant_copy from(u32 ref)
{
	return (struct pvhv_grant_copy) {
		.src = { .domid = start_info.domid, .ref = ref },
		.dst = { .gfn = gfn_of(pages[1]) },
		.len = PAGE_SIZE,
	};
}

static struct pvhv_grant_copy to(u32 ref)
{
	return (struct pvhv_grant_copy) {
		.src = { .gfn = gfn_of(pages[1]) },
		.dst = { .domid = start_info.domid, .ref = ref },
		.len = PAGE_SIZE,
	};
}

/* The status of one copy */
static long copy(struct pvhv_grant_copy c)
{
	long ret;

	copies[0] = c;
	copies[0].status = 1234;
	ret = hc_grant_copy(gpa_of(copies), 1);
	return ret == 1 ? copies[0].status : 100000 + ret;
}

TEST(before_setup)
{
	check_eq(copy(from(1)), -PVHV_ENOENT, "a copy without a table");
}

TEST(setup)
{
	u64 gpa = gpa_of(table[0]);

	check_eq(hc_grant_setup(1, gpa), -PVHV_EINVAL, "the second frame first");
	check_eq(hc_grant_setup(0, gpa + 16), -PVHV_EINVAL, "a frame that is not aligned");
	check_eq(hc_grant_setup(0, 1UL << 50), -PVHV_EFAULT, "a frame that is no RAM");
	check_eq(hc_grant_setup(0, ~0UL << 12), -PVHV_EFAULT, "the last page of all");
	check_eq(hc_grant_setup(0, gpa), 0, "frame 0");
	check_eq(hc_grant_setup(0, gpa), -PVHV_EBUSY, "frame 0 again");
	check_eq(hc_grant_setup(1, gpa_of(table[1])), 0, "frame 1");
	check_eq(hc_grant_setup(PVHV_MAX_GRANT_FRAMES, gpa), -PVHV_EINVAL, "a frame too many");
	check_eq(hc_grant_setup(BIT(32), gpa), -PVHV_EINVAL, "frame 2^32");
	check_eq(hc_grant_setup(~0UL, gpa), -PVHV_EINVAL, "frame ~0");
}

TEST(copy_from_and_to)
{
	static const u32 refs[] = { 1, 255, 256, 511 };

	for (u32 i = 0; i < ARRAY_SIZE(refs); i++) {
		grant(refs[i], gfn_of(pages[0]), PVHV_GRANT_PERMIT);
		memset(pages[0], 0x11 + i, PAGE_SIZE);
		memset(pages[1], 0, PAGE_SIZE);
		check_eq(copy(from(refs[i])), 0, "a copy from grant %u", refs[i]);
		check(pages[1][0] == 0x11 + i && pages[1][4095] == 0x11 + i, "nothing copied");
		memset(pages[1], 0x22 + i, PAGE_SIZE);
		check_eq(copy(to(refs[i])), 0, "a copy to grant %u", refs[i]);
		check(pages[0][0] == 0x22 + i && pages[0][4095] == 0x22 + i, "nothing copied back");
		grant(refs[i], 0, 0);
	}
}

TEST(parts_of_pages)
{
	struct pvhv_grant_copy c;

	grant(1, gfn_of(pages[0]), PVHV_GRANT_PERMIT);
	memset(pages[0], 0xaa, PAGE_SIZE);
	memset(pages[1], 0x55, PAGE_SIZE);
	c = from(1);
	c.src.offset = 4000;
	c.dst.offset = 100;
	c.len = 96;
	check_eq(copy(c), 0, "a copy of 96 bytes");
	check(pages[1][99] == 0x55 && pages[1][100] == 0xaa && pages[1][195] == 0xaa &&
	      pages[1][196] == 0x55, "it went elsewhere");
	c.len = 97;
	check_eq(copy(c), -PVHV_EINVAL, "a copy from beyond the page");
	c = from(1);
	c.dst.offset = 1;
	check_eq(copy(c), -PVHV_EINVAL, "a copy to beyond the page");
	c = from(1);
	c.src.offset = ~0U;
	c.len = 2;
	check_eq(copy(c), -PVHV_EINVAL, "an offset that wraps");
	c.src.offset = 2;
	c.len = ~0U;
	check_eq(copy(c), -PVHV_EINVAL, "a length that wraps");
	c = from(1);
	c.src.offset = 4096;
	c.len = 0;
	check_eq(copy(c), 0, "a copy of nothing at the end");
	c = from(1);
	c.src.reserved = 1;
	check_eq(copy(c), -PVHV_EINVAL, "a reserved field");
	c = from(1);
	c.dst.reserved = 1;
	check_eq(copy(c), -PVHV_EINVAL, "the other reserved field");
	/* within one page, overlapping */
	for (u32 i = 0; i < PAGE_SIZE; i++)
		pages[0][i] = i;
	c = from(1);
	c.dst.gfn = gfn_of(pages[0]);
	c.dst.offset = 1;
	c.len = 4095;
	check_eq(copy(c), 0, "an overlapping copy");
	check(pages[0][0] == 0 && pages[0][1] == 0 && pages[0][2] == 1 && pages[0][4095] == 0xfe,
	      "it copied what it had written");
}

TEST(permissions)
{
	u64 gfn = gfn_of(pages[0]);

	grant(1, gfn, 0);
	check_eq(copy(from(1)), -PVHV_EPERM, "from what is not granted");
	grant(1, gfn, PVHV_GRANT_READONLY);
	check_eq(copy(from(1)), -PVHV_EPERM, "from READONLY without PERMIT");
	grant(1, gfn, PVHV_GRANT_PERMIT | PVHV_GRANT_READONLY);
	check_eq(copy(from(1)), 0, "from a read-only page");
	check_eq(copy(to(1)), -PVHV_EPERM, "to a read-only page");
	grant(1, gfn, PVHV_GRANT_PERMIT | 4);
	check_eq(copy(from(1)), -PVHV_EPERM, "an unknown bit");
	grant(1, gfn, PVHV_GRANT_PERMIT | BIT(31));
	check_eq(copy(from(1)), -PVHV_EPERM, "another unknown bit");
	grant_to(1, PVHV_DOMID_HOST, gfn, PVHV_GRANT_PERMIT);
	check_eq(copy(from(1)), -PVHV_EPERM, "what is granted to the host");
	grant_to(1, 12345, gfn, PVHV_GRANT_PERMIT);
	check_eq(copy(to(1)), -PVHV_EPERM, "what is granted to somebody else");
	grant(1, 1UL << 40, PVHV_GRANT_PERMIT);
	check_eq(copy(from(1)), -PVHV_EFAULT, "a page that is no RAM");
	grant(1, ~0UL, PVHV_GRANT_PERMIT);
	check_eq(copy(to(1)), -PVHV_EFAULT, "page ~0");
	grant(1, gfn, PVHV_GRANT_PERMIT);
	/* nothing is left marked after all of these */
	check_eq(copy(from(1)), 0, "a good copy");
	check_eq(table[0][1].control, PVHV_GRANT_PERMIT, "its control word afterwards");
	/* marks of a use that is none */
	grant(1, gfn, PVHV_GRANT_PERMIT | PVHV_GRANT_READING | PVHV_GRANT_WRITING);
	check_eq(copy(to(1)), 0, "with marks in the entry");
	grant(1, 0, 0);
}

TEST(bad_references)
{
	static const u32 bad[] = { 512, 513, PVHV_MAX_GRANTS - 1, PVHV_MAX_GRANTS, 1U << 31, ~0U };
	struct pvhv_grant_copy c;

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		check_eq(copy(from(bad[i])), -PVHV_ENOENT, "from grant %#x", bad[i]);
		check_eq(copy(to(bad[i])), -PVHV_ENOENT, "to grant %#x", bad[i]);
	}
	c = from(1);
	c.src.domid = 12345;
	check_eq(copy(c), -PVHV_ENOENT, "a grant of nobody");
	c.src.domid = PVHV_DOMID_HOST;
	check_eq(copy(c), -PVHV_ENOENT, "a grant of the host");
	c = from(0);
	c.src.gfn = ~0UL;
	check_eq(copy(c), -PVHV_EFAULT, "an own page that is no RAM");
	c = (struct pvhv_grant_copy) {
		.src = { .gfn = gfn_of(pages[0]) },
		.dst = { .gfn = gfn_of(pages[1]) },
		.len = PAGE_SIZE,
	};
	memset(pages[0], 0x77, PAGE_SIZE);
	check_eq(copy(c), 0, "a copy between two own pages");
	check_eq(pages[1][4095], 0x77, "what it copied");
}

TEST(bad_lists)
{
	u64 gpa = gpa_of(copies);

	check_eq(hc_grant_copy(gpa, 0), -PVHV_EINVAL, "an empty list");
	check_eq(hc_grant_copy(gpa, PVHV_GRANT_COPY_MAX + 1), -PVHV_EINVAL, "a list too long");
	check_eq(hc_grant_copy(gpa, ~0UL), -PVHV_EINVAL, "a list of ~0");
	check_eq(hc_grant_copy(gpa + 4, 1), -PVHV_EINVAL, "a list that is not aligned");
	check_eq(hc_grant_copy(gpa + PAGE_SIZE - 8, 1), -PVHV_EINVAL, "a list across pages");
	check_eq(hc_grant_copy(1UL << 50, 1), -PVHV_EFAULT, "a list that is no RAM");
}

TEST(many_at_once)
{
	u32 bad = 0;

	grant(1, gfn_of(pages[0]), PVHV_GRANT_PERMIT);
	for (u32 i = 0; i < PVHV_GRANT_COPY_MAX; i++) {
		copies[i] = from(i % 7 ? 1 : 300);
		copies[i].status = 1234;
	}
	check_eq(hc_grant_copy(gpa_of(copies), PVHV_GRANT_COPY_MAX), PVHV_GRANT_COPY_MAX, "GRANT_COPY");
	for (u32 i = 0; i < PVHV_GRANT_COPY_MAX; i++)
		bad += copies[i].status != (i % 7 ? 0 : -PVHV_EPERM);
	check_eq(bad, 0, "wrong statuses");
	check_eq(table[0][1].control, PVHV_GRANT_PERMIT, "the control word afterwards");
}

/* Everything may be a page that the hypervisor itself looks at. */
TEST(copies_into_odd_places)
{
	struct pvhv_grant_copy c = from(1);

	grant(1, gfn_of(pages[0]), PVHV_GRANT_PERMIT);
	memset(pages[0], 0, PAGE_SIZE);
	/* the table: no more grants until it is written again */
	c.dst.gfn = gfn_of(table[0]);
	check_eq(copy(c), 0, "a copy over the table");
	check_eq(copy(from(1)), -PVHV_EPERM, "a copy afterwards");
	grant(1, gfn_of(pages[0]), PVHV_GRANT_PERMIT);
	/* the list itself */
	c = from(1);
	c.dst.gfn = gfn_of(copies);
	copies[0] = c;
	check_eq(hc_grant_copy(gpa_of(copies), 1), 1, "a copy over its own list");
	check_eq(copy(from(1)), 0, "a copy afterwards");
}

TEST(all_frames)
{
	long ret;
	u32 n = 2;

	for (;; n++) {
		void *frame = alloc_page();

		ret = hc_grant_setup(n, gpa_of(frame));
		if (ret)
			break;
	}
	check_eq(n, PVHV_MAX_GRANT_FRAMES, "frames");
	check_eq(ret, -PVHV_EINVAL, "one more");
	check_eq(copy(from(PVHV_MAX_GRANTS - 1)), -PVHV_EPERM, "the last grant");
	check_eq(copy(from(PVHV_MAX_GRANTS)), -PVHV_ENOENT, "the one after the last");
}
