// SPDX-License-Identifier: GPL-2.0
/*
 * sharedpage: an address that the host's kernel maps for everybody, with a
 * global and user-accessible entry (the vsyscall page), is the guest's own in
 * the guest. A TLB that keeps the host's translation shows the host's page;
 * emulators without a real TLB cannot, see ../bochs.
 */
#include "lib/guest.h"

#define VSYSCALL	0xffffffffff600000UL
#define PATTERN		0x7061676573686172UL

static u64 mine[512] __page_aligned;

TEST(is_the_guests)
{
	volatile u64 *p = (void *)VSYSCALL;

	for (unsigned int i = 0; i < ARRAY_SIZE(mine); i++)
		mine[i] = PATTERN + i;
	map_page(VSYSCALL, gpa_of(mine), PTE_P | PTE_W | PTE_NX);
	for (unsigned int i = 0; i < 2000; i++) {
		/* The host runs in between, and so does whoever reads its page. */
		hc_yield();
		if (!check_eq(p[i % 512], PATTERN + i % 512, "word %u", i % 512))
			break;
	}
}
