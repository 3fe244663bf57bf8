// SPDX-License-Identifier: GPL-2.0
/*
 * console: floods and odd lengths. The host buffers a bounded amount, and what
 * it takes arrives once and in order (the runner only sees whole lines).
 */
#include "lib/guest.h"

static char buf[4 * PAGE_SIZE] __page_aligned;

TEST(lengths)
{
	for (unsigned int i = 0; i < sizeof(buf); i++)
		buf[i] = i % 64 == 63 ? '\n' : '.';
	for (u64 len = 0; len < sizeof(buf); len += 64 * 7) {
		u64 done = 0;

		while (done < len) {
			long r = hc_console_write(gpa_of(buf) + done, len - done);

			if (!check(r >= 0 && r <= (long)(len - done), "CONSOLE_WRITE of %lu returns %ld",
				   len - done, r))
				return;
			if (!r)
				hc_yield();
			done += r;
		}
	}
	check_eq(hc_console_write(gpa_of(buf), 0), 0, "CONSOLE_WRITE of nothing");
}

TEST(flood_without_waiting)
{
	u64 taken = 0, refused = 0;
	long r;

	/* Not too many lines: the runner reads them all. */
	for (unsigned int i = 0; i < sizeof(buf); i++)
		buf[i] = i % 1024 == 1023 ? '\n' : '.';
	for (int i = 0; i < 2000; i++) {
		r = hc_console_write(gpa_of(buf), sizeof(buf));
		if (!check(r >= 0 && r <= (long)sizeof(buf), "CONSOLE_WRITE returns %ld", r))
			return;
		taken += r;
		refused += !r;
	}
	printf("\n# %lu bytes taken, %lu times nothing\n", taken, refused);
}

TEST(control_characters)
{
	for (unsigned int i = 0; i < 256; i++)
		buf[i] = i;
	buf[256] = '\n';
	console_write(buf, 257);
	console_write("\n\x1b[0m\n", 6);
}

TEST(read_nothing)
{
	memset(buf, 0x5a, sizeof(buf));
	check_eq(hc_console_read(gpa_of(buf), 0), 0, "CONSOLE_READ of nothing");
	for (int i = 0; i < 1000; i++) {
		long r = hc_console_read(gpa_of(buf), sizeof(buf));

		if (!check(r >= 0 && r <= (long)sizeof(buf), "CONSOLE_READ returns %ld", r))
			break;
	}
	check(hc_get_causes() >= 0, "GET_CAUSES fails");
}
