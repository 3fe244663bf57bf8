// SPDX-License-Identifier: GPL-2.0
/*
 * smpcrash: what one vCPU does to the others and to itself. Each case is one run.
 *
 * options: --cpus 2
 * case start-in-user-half: crashed: event.*exception 14.*before
 * case start-unmapped: crashed: event.*exception 14.*before
 * case boot-vcpu-again: poweroff
 * case both-down: crashed: event.*the last one
 * case shared-page: poweroff
 * case page-changes: poweroff
 * case panic-on-other: crashed: panic: vCPU 1 says so
 */
#include "lib/guest.h"

void guest_start(u64 start_gpa);

#define SECOND	1000000000UL

static struct pvhv_vcpu_start start __attribute__((aligned(64)));
static struct pvhv_vcpu_setup setups[2] __attribute__((aligned(256)));
static u8 stacks[2][8192] __attribute__((aligned(16)));
static struct cpu cpu1[2];
static volatile u64 counter;

static void up(u64 id, u64 rip)
{
	u64 end = now() + 20 * SECOND;
	long r;

	start.rip = rip;
	start.rsp = (u64)stacks[id] + sizeof(stacks[0]) - 8;
	start.cr3 = current_root;
	do {
		r = hypercall2(PVHV_HC_VCPU_UP, id, gpa_of(&start));
	} while (r == -PVHV_EBUSY && now() < end);
	if (r)
		panic("VCPU_UP returns %ld", r);
}

static void __noreturn power_off(void)
{
	printf("done 1\n");
	shutdown(PVHV_SHUTDOWN_POWEROFF, NULL);
}

static void __noreturn wait_for_the_end(void)
{
	delay_ns(20 * SECOND);
	printf("not ok end - the domain lives\n");
	shutdown(PVHV_SHUTDOWN_POWEROFF, NULL);
}

static void c_user_half(void)
{
	up(1, USER_BASE);
	wait_for_the_end();
}

static void c_unmapped(void)
{
	up(1, SCRATCH_BASE);
	wait_for_the_end();
}

static void second_life(void)
{
	power_off();
}

static void restart_boot_vcpu(void)
{
	up(0, (u64)second_life);
	hypercall0(PVHV_HC_VCPU_DOWN);
}

static void c_boot_vcpu_again(void)
{
	up(1, (u64)restart_boot_vcpu);
	hypercall0(PVHV_HC_VCPU_DOWN);
}

static void goes_down(void)
{
	counter = 1;
	hypercall0(PVHV_HC_VCPU_DOWN);
}

static void c_both_down(void)
{
	up(1, (u64)goes_down);
	while (!counter)
		hc_yield();
	hypercall0(PVHV_HC_VCPU_DOWN);
}

/* What both do with one vCPU page is nonsense for the guest, but not for the host. */
static void uses_the_page_of_cpu0(void)
{
	vcpu_setup_fill(&setups[1], &cpu0);
	hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(&setups[1]));
	for (;;) {
		counter++;
		hc_set_timer(now() + 1000);
		hc_yield();
		hc_cpuid(0, 0);
		WRITE_ONCE(cpu0.page.nr_hints, (u32)counter);
		hc_sync_hints();
	}
}

static void c_shared_page(void)
{
	u64 end = now() + SECOND;

	up(1, (u64)uses_the_page_of_cpu0);
	while (now() < end || counter < 100) {
		hc_cpuid(0, 0);
		hc_sync_hints();
		hc_read_msr(0x1b);
		vcpu_setup_fill(&setups[0], &cpu0);
		hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(&setups[0]));
	}
	power_off();
}

/* Its page is another one each time, while it is interrupted and used by the host. */
static void changes_its_page(void)
{
	for (;;) {
		struct cpu *c = &cpu1[counter & 1];

		c->self = c;
		vcpu_setup_fill(&setups[1], c);
		hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(&setups[1]));
		hc_yield();
		counter++;
	}
}

static void c_page_changes(void)
{
	u64 end = now() + 2 * SECOND;

	up(1, (u64)changes_its_page);
	while (now() < end || counter < 100) {
		hc_send_ipi(1, 1, 0x40 + counter % 64);
		hypercall1(PVHV_HC_KICK, 1);
	}
	power_off();
}

static void panics(void)
{
	shutdown(PVHV_SHUTDOWN_CRASH, "vCPU 1 says so");
}

static void c_panic_on_other(void)
{
	up(1, (u64)panics);
	for (;;)
		asm volatile("pause");
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "start-in-user-half", c_user_half },
	{ "start-unmapped", c_unmapped },
	{ "boot-vcpu-again", c_boot_vcpu_again },
	{ "both-down", c_both_down },
	{ "shared-page", c_shared_page },
	{ "page-changes", c_page_changes },
	{ "panic-on-other", c_panic_on_other },
};

void guest_start(u64 start_gpa)
{
	const char *name;

	start_init(start_gpa);
	mm_init();
	vcpu_setup();
	name = cmdline_value("case") ?: "";
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++)
		if (!strcmp(name, cases[i].name))
			cases[i].run();
	printf("not ok case - '%s' goes on\n", name);
	shutdown(PVHV_SHUTDOWN_POWEROFF, NULL);
}
