// SPDX-License-Identifier: GPL-2.0
/*
 * peer: copies from and to a page of another domain, which is killed meanwhile.
 * With peer=DOMID on the command line it copies until there is no such domain;
 * without, it grants and waits to be killed.
 *
 * case alone: killed
 * kill: 5
 */
#include "lib/guest.h"
#include "lib/split.h"

#define SECOND	1000000000UL
#define LIMIT	(300 * SECOND)

static struct pvhv_grant_entry table[PVHV_GRANTS_PER_FRAME] __page_aligned;
static struct pvhv_grant_copy copies[PVHV_GRANT_COPY_MAX] __attribute__((aligned(PAGE_SIZE)));
static u8 page[PAGE_SIZE] __page_aligned;

/* Domains whose numbers are near have a reference each. */
static u32 ref_for(u32 granter, u32 copier)
{
	return (copier - granter + PVHV_GRANTS_PER_FRAME / 2) % PVHV_GRANTS_PER_FRAME;
}

static void grant_and_wait(void)
{
	u32 domid = start_info.domid, n, ref;

	if (!check_eq(hc_grant_setup(0, gpa_of(table)), 0, "GRANT_SETUP"))
		return;
	for (n = 0; n < PVHV_GRANTS_PER_FRAME / 2; n++) {
		ref = ref_for(domid, domid + n);
		table[ref].domid = domid + n;
		table[ref].gfn = gpa_of(page) >> 12;
		WRITE_ONCE(table[ref].control, PVHV_GRANT_PERMIT);
		ref = ref_for(domid, domid - n);
		table[ref].domid = domid - n;
		table[ref].gfn = gpa_of(page) >> 12;
		WRITE_ONCE(table[ref].control, PVHV_GRANT_PERMIT);
	}
	memset(page, 0x5a, sizeof(page));
	printf("# granted\n");
	for (;;)
		sleep_ns(SECOND);
}

static u32 number(const char *text)
{
	u32 n = 0;

	while (*text >= '0' && *text <= '9')
		n = 10 * n + *text++ - '0';
	return n;
}

static void copy_until_it_dies(u32 peer)
{
	u32 ref = ref_for(peer, start_info.domid), i, good = 0, first_bad = PVHV_GRANT_COPY_MAX;
	u64 end = now() + LIMIT;
	long r = 0;

	while (first_bad == PVHV_GRANT_COPY_MAX && now() < end) {
		for (i = 0; i < PVHV_GRANT_COPY_MAX; i++) {
			struct pvhv_copy_end theirs = { .domid = peer, .ref = ref };
			struct pvhv_copy_end ours = { .gfn = gpa_of(page) >> 12 };

			copies[i] = (struct pvhv_grant_copy) {
				.src = i & 1 ? ours : theirs, .dst = i & 1 ? theirs : ours,
				.len = PAGE_SIZE, .status = 1,
			};
		}
		r = hc_grant_copy(gpa_of(copies), PVHV_GRANT_COPY_MAX);
		if (!check_eq(r, PVHV_GRANT_COPY_MAX, "GRANT_COPY"))
			return;
		for (i = 0; i < PVHV_GRANT_COPY_MAX && !copies[i].status; i++)
			;
		first_bad = i;
		if (i && !check_eq(page[i % PAGE_SIZE], 0x5a, "what was copied"))
			return;
		if (!good++)
			printf("# copying\n");
	}
	if (!check(first_bad < PVHV_GRANT_COPY_MAX, "it lives"))
		return;
	check(good > 1, "it was dead before the first copy");
	/* once it is gone, it stays so */
	for (i = first_bad; i < PVHV_GRANT_COPY_MAX; i++)
		if (!check_eq(copies[i].status, -PVHV_ENOENT, "copy %u after the first that failed",
			      i - first_bad))
			return;
}

TEST(copies)
{
	const char *peer = cmdline_value("peer");

	if (peer)
		copy_until_it_dies(number(peer));
	else
		grant_and_wait();
}
