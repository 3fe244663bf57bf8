// SPDX-License-Identifier: GPL-2.0
/*
 * hello: the least that a guest can do. No vCPU page, no events, no stack
 * switch: the initial state, CONSOLE_WRITE and SHUTDOWN.
 */
#include "lib/guest.h"

void guest_start(u64 start_gpa);

void guest_start(u64 start_gpa)
{
	static const char text[] __attribute__((aligned(64))) = "ok hello\ndone 1\n";

	hc_console_write((u64)text - KERNEL_BASE, sizeof(text) - 1);
	hc_shutdown(PVHV_SHUTDOWN_POWEROFF, 0, 0);
	(void)start_gpa;
}
