// SPDX-License-Identifier: GPL-2.0
/*
 * shutdown: the ways of ending, and what a message may be.
 *
 * case poweroff: poweroff
 * case poweroff-message: poweroff
 * case reboot: poweroff
 * case crash: crashed: panic
 * case message: crashed: panic.*the quick brown fox
 * case control: crashed: panic.*A[ -~]*B[ -~]*C
 * case long: crashed: panic.*0123456789
 * case empty: crashed: panic
 * case not-terminated: crashed: panic.*zzzz
 * case bad-pointer: crashed: panic: .unreadable
 * case bad-pointer-past-ram: crashed: panic: .unreadable
 * case bad-length: crashed: panic: (.unreadable|xyz)
 * case bad-reason: poweroff
 * case format: crashed: panic.*%s%n%p
 */
#include "lib/guest.h"

void guest_start(u64 start_gpa);

static char buf[2 * PAGE_SIZE] __page_aligned;

static void __noreturn crash_with(u64 gpa, u64 len)
{
	long r = hc_shutdown(PVHV_SHUTDOWN_CRASH, gpa, len);

	printf("not ok shutdown - SHUTDOWN(crash, %#lx, %#lx) returns %ld\n", gpa, len, r);
	shutdown(PVHV_SHUTDOWN_POWEROFF, NULL);
}

static void __noreturn crash_text(const char *text, u64 len)
{
	memcpy(buf, text, len);
	crash_with((u64)buf - KERNEL_BASE, len);
}

void guest_start(u64 start_gpa)
{
	static const u64 bad_reasons[] = { 3, 4, 255, 1UL << 32, (1UL << 32) + 2, 1UL << 63, ~0UL };
	const char *name;

	start_init(start_gpa);
	name = cmdline_value("case") ?: "";
	printf("done 1\n");
	if (!strcmp(name, "poweroff"))
		hc_shutdown(PVHV_SHUTDOWN_POWEROFF, 0, 0);
	if (!strcmp(name, "poweroff-message"))
		hc_shutdown(PVHV_SHUTDOWN_POWEROFF, (u64)memcpy(buf, "bye", 3) - KERNEL_BASE, 3);
	if (!strcmp(name, "reboot"))
		hc_shutdown(PVHV_SHUTDOWN_REBOOT, 0, 0);
	if (!strcmp(name, "crash"))
		crash_with(0, 0);
	if (!strcmp(name, "message"))
		crash_text("the quick brown fox", 19);
	if (!strcmp(name, "control"))
		crash_text("A\x1b[2J\x07\r\nB\x80\xff\xc3\xa4\x7f\tC", 19);
	if (!strcmp(name, "long")) {
		for (unsigned int i = 0; i < sizeof(buf); i++)
			buf[i] = '0' + i % 10;
		crash_with((u64)buf - KERNEL_BASE, sizeof(buf));
	}
	if (!strcmp(name, "empty"))
		crash_with((u64)buf - KERNEL_BASE, 100);
	if (!strcmp(name, "not-terminated")) {
		memset(buf, 'z', sizeof(buf));
		crash_with((u64)buf - KERNEL_BASE + PAGE_SIZE - 4, 8);
	}
	if (!strcmp(name, "bad-pointer"))
		crash_with(~0UL - 3, 16);
	if (!strcmp(name, "bad-pointer-past-ram"))
		crash_with(1UL << 45, 16);
	if (!strcmp(name, "bad-length")) {
		memcpy(buf, "xyz", 4);
		crash_with((u64)buf - KERNEL_BASE, ~0UL);
	}
	if (!strcmp(name, "format"))
		crash_text("%s%n%p%s", 8);
	if (!strcmp(name, "bad-reason")) {
		for (unsigned int i = 0; i < ARRAY_SIZE(bad_reasons); i++) {
			long r = hc_shutdown(bad_reasons[i], 0, 0);

			if (r != -PVHV_EINVAL)
				printf("not ok bad-reason - SHUTDOWN(%#lx) returns %ld\n",
				       bad_reasons[i], r);
		}
		hc_shutdown(PVHV_SHUTDOWN_POWEROFF, 0, 0);
	}
	printf("not ok shutdown - the domain lives after '%s'\n", name);
	hc_shutdown(PVHV_SHUTDOWN_POWEROFF, 0, 0);
}
