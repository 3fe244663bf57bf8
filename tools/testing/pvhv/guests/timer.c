// SPDX-License-Identifier: GPL-2.0
/*
 * timer: the one-shot timer, HALT, and the clocks.
 */
#include "lib/guest.h"

#define MS 1000000UL

/* As in the kernel's pvclock-abi.h */
struct time_info {
	u32 version, pad0;
	u64 tsc_timestamp, system_time;
	u32 tsc_to_system_mul;
	signed char tsc_shift;
	u8 flags, pad[2];
} __attribute__((packed));

static struct time_info clock_page[PAGE_SIZE / sizeof(struct time_info)] __page_aligned;

static u64 fired(void)
{
	return irq_count[PVHV_VECTOR_TIMER];
}

/* With VIF set until the timer fires or some time is over */
static bool wait_for_timer(u64 before, u64 ns)
{
	u64 end = now() + ns;

	irq_enable();
	while (fired() == before && now() < end)
		;
	irq_disable();
	return fired() != before;
}

TEST(fires_once)
{
	u64 before = fired(), t = now();

	hc_set_timer(t + MS);
	check(wait_for_timer(before, 2000 * MS), "the timer never fired");
	check(now() >= t + MS, "the timer was early");
	check(!wait_for_timer(before + 1, 10 * MS), "the timer fired twice");
}

TEST(fires_without_exits)
{
	u64 before = fired(), t = now(), end = rdtsc() + (u64)start_info.tsc_khz * 2000;

	/* no hypercall in the loop: the interrupt must come by itself */
	hc_set_timer(t + 5 * MS);
	irq_enable();
	while (fired() == before && rdtsc() < end)
		asm volatile("pause");
	irq_disable();
	check_eq(fired(), before + 1, "number of timer interrupts");
}

TEST(past_deadline)
{
	u64 before = fired();

	hc_set_timer(1);
	check(wait_for_timer(before, 2000 * MS), "a timer set to 1 never fired");
	before = fired();
	hc_set_timer(now() - MS);
	check(wait_for_timer(before, 2000 * MS), "a timer set to the past never fired");
	before = fired();
	hc_set_timer(now());
	check(wait_for_timer(before, 2000 * MS), "a timer set to now never fired");
}

TEST(cancel)
{
	u64 before = fired();

	hc_set_timer(now() + 5 * MS);
	hc_set_timer(0);
	check(!wait_for_timer(before, 20 * MS), "a stopped timer fired");
}

TEST(replace)
{
	u64 before = fired(), t = now();

	hc_set_timer(t + 2 * MS);
	hc_set_timer(t + 20 * MS);
	check(wait_for_timer(before, 2000 * MS), "the timer never fired");
	check(now() >= t + 20 * MS, "the timer that was replaced fired");
	before = fired();
	t = now();
	hc_set_timer(t + 100000 * MS);
	hc_set_timer(t + 2 * MS);
	check(wait_for_timer(before, 2000 * MS), "the earlier timer never fired");
}

TEST(huge)
{
	u64 before = fired();

	hc_set_timer(~0UL);
	check(!wait_for_timer(before, 5 * MS), "a timer at the end of time fired");
	hc_set_timer(1UL << 63);
	check(!wait_for_timer(before, 5 * MS), "a timer at 2^63 fired");
	hc_set_timer((1UL << 63) - 1);
	check(!wait_for_timer(before, 5 * MS), "a timer at 2^63 - 1 fired");
	hc_set_timer(0);
}

TEST(ten_thousand_settings)
{
	u64 before = fired();

	for (int i = 0; i < 10000; i++)
		hc_set_timer(now() + 1000 * MS + i);
	hc_set_timer(0);
	check(!wait_for_timer(before, MS), "a timer fired");
}

TEST(many_interrupts)
{
	u64 before = fired(), end = now() + 2000 * MS;
	u64 n = 0;

	while (n < 200 && now() < end) {
		hc_set_timer(now() + 10000);
		if (!wait_for_timer(before + n, 1000 * MS))
			break;
		n++;
		check_eq(fired(), before + n, "number of timer interrupts");
	}
	check_eq(n, 200, "number of timers that fired");
}

TEST(halt)
{
	u64 before, t;

	for (int i = 0; i < 20; i++) {
		irq_disable();
		before = fired();
		t = now();
		hc_set_timer(t + MS);
		check_eq(hc_halt(), 0, "HALT's result");
		check_eq(fired(), before + 1, "number of timer interrupts");
		check(now() >= t + MS, "HALT ended %ld ns early", (long)(t + MS - now()));
	}
	irq_disable();
}

TEST(halt_with_pending_interrupt)
{
	u64 before = irq_count[0x50];

	irq_disable();
	hc_send_ipi(0, 1, 0x50);
	hc_set_timer(0);
	check_eq(hc_halt(), 0, "HALT's result");
	check_eq(irq_count[0x50], before + 1, "number of interrupts");
	irq_disable();
}

TEST(halt_with_expired_timer)
{
	u64 before = fired();

	irq_disable();
	hc_set_timer(now());
	delay_ns(MS);
	check_eq(hc_halt(), 0, "HALT's result");
	check_eq(fired(), before + 1, "number of timer interrupts");
	irq_disable();
}

TEST(get_time_is_monotonic)
{
	u64 last = 0, t;

	for (int i = 0; i < 20000; i++) {
		t = now();
		if (!check(t >= last, "GET_TIME went from %lu to %lu", last, t))
			return;
		last = t;
	}
}

TEST(wallclock)
{
	u64 t = hypercall0(PVHV_HC_GET_WALLCLOCK), u;

	check(t > 1577836800UL * 1000000000, "the wall clock is before 2020: %lu", t);
	u = now();
	delay_ns(20 * MS);
	u = now() - u;
	t = hypercall0(PVHV_HC_GET_WALLCLOCK) - t;
	check(t + 5 * MS > u && t < u + 1000 * MS, "the wall clock advanced by %lu ns in %lu", t, u);
}

static u64 read_clock(const struct time_info *info)
{
	u32 version;
	u64 delta, t;

	do {
		version = READ_ONCE(info->version);
		barrier();
		delta = rdtsc() - info->tsc_timestamp;
		if (info->tsc_shift < 0)
			delta >>= -info->tsc_shift;
		else
			delta <<= info->tsc_shift;
		t = info->system_time + (u64)((unsigned __int128)delta * info->tsc_to_system_mul >> 32);
		barrier();
	} while (version & 1 || version != READ_ONCE(info->version));
	return t;
}

TEST(clock_page)
{
	u64 last = 0, a, b, c, worst = 0;

	memset(clock_page, 0xff, sizeof(clock_page));
	check_eq(hc_set_clock(gpa_of(clock_page)), 0, "SET_CLOCK's result");
	hc_yield();
	check(!(clock_page[0].version & 1), "version is odd: %u", clock_page[0].version);
	check(clock_page[0].tsc_to_system_mul, "tsc_to_system_mul is 0");
	check_eq(*((u8 *)clock_page + 32), 0xff, "the byte after the structure");
	check_eq(clock_page[0].flags & 1, !!(start_info.features & PVHV_F_CLOCK_STABLE),
		 "the flag of a stable TSC");
	if (!(start_info.features & PVHV_F_CLOCK_STABLE))
		return skip("the page is of no use without a stable TSC");
	for (int i = 0; i < 5000; i++) {
		a = now();
		b = read_clock(clock_page);
		c = now();
		if (!check(b >= last, "the clock page went from %lu to %lu", last, b))
			return;
		last = b;
		if (b < a && a - b > worst)
			worst = a - b;
		if (b > c && b - c > worst)
			worst = b - c;
		if (i % 100 == 0) {
			sleep_ns(100000);
		}
	}
	check(worst < 50000, "the clock page and GET_TIME differ by %lu ns", worst);
}

TEST(clock_page_moves)
{
	void *other = alloc_page();
	u32 version;

	check_eq(hc_set_clock(gpa_of(other)), 0, "SET_CLOCK's result");
	hc_yield();
	check(read_clock(other) > 0, "the new clock page stands still");
	version = clock_page[0].version;
	memset(clock_page, 0x33, sizeof(clock_page));
	for (int i = 0; i < 20; i++) {
		sleep_ns(MS);
	}
	irq_disable();
	check_eq(clock_page[0].version, 0x33333333, "the old clock page's version");
	(void)version;
	hc_set_clock(gpa_of(clock_page));
	free_page(other);
}

TEST(clock_page_of_many_pages)
{
	for (int i = 0; i < 2000; i++) {
		void *p = alloc_page();

		if (!check_eq(hc_set_clock(gpa_of(p)), 0, "SET_CLOCK's result"))
			break;
		free_page(p);
	}
	check_eq(hc_set_clock(gpa_of(clock_page)), 0, "SET_CLOCK's result");
}

TEST(tsc_frequency)
{
	u64 t = now(), c = rdtsc(), khz;

	delay_ns(50 * MS);
	c = rdtsc() - c;
	t = now() - t;
	khz = c * 1000000 / t;
	/* QEMU's TSC is the machine's, and its kHz what a host on a loaded machine measured */
	if (under_tcg())
		return printf("# the TSC runs at %lu kHz, said to be %lu\n", khz,
			      (u64)start_info.tsc_khz);
	check(khz > start_info.tsc_khz * 9 / 10 && khz < start_info.tsc_khz * 11 / 10,
	      "the TSC runs at %lu kHz, not %lu", khz, (u64)start_info.tsc_khz);
}

TEST(steal_time)
{
	u64 a = READ_ONCE(vp->steal_ns);

	sleep_ns(MS);
	check(READ_ONCE(vp->steal_ns) >= a, "stolen time went back");
	check(!(vp->steal_seq & 1), "STEAL_SEQ is odd");
	check(vp->steal_ns < now(), "more time was stolen than there is: %lu", (u64)vp->steal_ns);
}
