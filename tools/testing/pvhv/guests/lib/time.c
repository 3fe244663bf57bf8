// SPDX-License-Identifier: GPL-2.0
/* Test guests: time and what CPU this is. */
#include "guest.h"

u64 now(void)
{
	return hc_get_time();
}

void delay_ns(u64 ns)
{
	u64 end = now() + ns;

	while (now() < end)
		asm volatile("pause");
}

/*
 * The timer must not fire between setting it and HALT: VIF is clear meanwhile. Other
 * interrupts end HALT, too, and are none of our business.
 */
void sleep_ns(u64 ns)
{
	u64 end = now() + ns;

	do {
		irq_disable();
		hc_set_timer(end);
		hc_halt();
	} while (now() < end);
	irq_disable();
}

u64 rdtsc(void)
{
	u32 low, high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (u64)high << 32 | low;
}

/* The hypervisor's view; CPUID itself may show the host's */
void cpuid(u32 leaf, u32 sub, u32 *a, u32 *b, u32 *c, u32 *d)
{
	if (hc_cpuid(leaf, sub))
		panic("CPUID(%#x, %#x) is refused", leaf, sub);
	*a = vp->cpuid[0];
	*b = vp->cpuid[1];
	*c = vp->cpuid[2];
	*d = vp->cpuid[3];
}

/* By what the instruction says: the host's view where CPUID does not fault */
bool under_tcg(void)
{
	u32 a = 0x40000000, b, c = 0, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return b == 0x54474354 && c == 0x43544743 && d == 0x47435447;
}

bool have_fsgsbase(void)
{
	return start_info.features & PVHV_F_FSGSBASE;
}
