// SPDX-License-Identifier: GPL-2.0
/*
 * Keep the host's translation of the vsyscall page in the TLB. The host must
 * have been booted with vsyscall=emulate.
 */
#include <sched.h>

int main(void)
{
	volatile unsigned long *page = (void *)0xffffffffff600000UL;
	unsigned long sum = 0;

	for (;;) {
		sum += *page;
		sched_yield();
	}
	return sum;
}
