// SPDX-License-Identifier: GPL-2.0
/*
 * crash: what a domain cannot survive. Each case is one run; the domain must
 * end with the reason given here and take nothing else with it.
 *
 * case panic: crashed: panic: out of cheese
 * case early-ud: crashed: event.*exception 6 .*before
 * case early-pf: crashed: event.*exception 14.*before
 * case early-gp: crashed: event.*exception 13.*before
 * case early-int3: crashed: event.*exception 3.*before
 * case early-timer: poweroff
 * case early-user-return: crashed: event.*before
 * case entry-unmapped: crashed: panic
 * case entry-in-hole: crashed: triple-fault
 * case entry-user-page: crashed: triple-fault
 * case double-fault-entry: crashed: triple-fault
 * case double-fault-stack: crashed: triple-fault
 * case triple: crashed: triple-fault
 * case df-loop: crashed: triple-fault
 * case root-zeroed: crashed: triple-fault
 * case root-garbage: crashed: triple-fault
 * case cr3-zero-page: crashed: triple-fault
 * case vcpu-page-unmapped: poweroff
 * case halt-then-poweroff: poweroff
 * case vcpu-down: crashed: event.*the last one
 */
#include "lib/guest.h"

void guest_start(u64 start_gpa);

static void __noreturn survived(const char *name)
{
	printf("not ok %s - the domain lives\n", name);
	shutdown(PVHV_SHUTDOWN_POWEROFF, NULL);
}

static void setup(void)
{
	mm_init();
	vcpu_setup();
}

static struct pvhv_vcpu_setup s __attribute__((aligned(256)));

static void setup_again(void)
{
	long r = hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(&s));

	if (r) {
		printf("not ok setup - VCPU_SETUP returns %ld\n", r);
		shutdown(PVHV_SHUTDOWN_POWEROFF, NULL);
	}
}

static void c_panic(void)
{
	setup();
	shutdown(PVHV_SHUTDOWN_CRASH, "out of cheese");
}

static void c_early_ud(void)
{
	asm volatile("ud2");
}

static void c_early_pf(void)
{
	READ_ONCE(*(u64 *)SCRATCH_BASE);
}

static void c_early_gp(void)
{
	asm volatile("mov %%ax, %%ss" : : "a"(0x10));
}

static void c_early_int3(void)
{
	asm volatile("int3");
}

static void c_early_timer(void)
{
	/* Interrupts need a vCPU page; without one they wait */
	hc_set_timer(hc_get_time() + 1000);
	for (u64 end = hc_get_time() + 50000000; (u64)hc_get_time() < end;)
		;
	printf("done 1\n");
	shutdown(PVHV_SHUTDOWN_POWEROFF, NULL);
}

static void c_early_user_return(void)
{
	/* No return is registered: a SYSCALL that ends at 0 cannot be, so jump to one */
	hc_yield();
	asm volatile("mov $0, %%eax; jmp ret_user_iret - 2" : : : "memory");
}

static void c_entry_unmapped(void)
{
	setup();
	vcpu_setup_fill(&s, &cpu0);
	s.entry_event_kernel = SCRATCH_BASE;
	setup_again();
	asm volatile("ud2");
}

static void c_entry_in_hole(void)
{
	setup();
	vcpu_setup_fill(&s, &cpu0);
	s.entry_event_kernel = HOLE_BASE + 0x1000;
	s.entry_double_fault = HOLE_BASE + 0x2000;
	setup_again();
	asm volatile("ud2");
}

static void c_entry_user_page(void)
{
	setup();
	vcpu_setup_fill(&s, &cpu0);
	s.entry_event_kernel = USER_BASE;	/* U=1: kernel mode may not run it */
	s.entry_double_fault = USER_BASE;
	setup_again();
	asm volatile("ud2");
}

static void c_double_fault_entry(void)
{
	setup();
	vcpu_setup_fill(&s, &cpu0);
	s.entry_double_fault = SCRATCH_BASE;
	setup_again();
	asm volatile("mov $8, %rsp; ud2");
}

static void c_double_fault_stack(void)
{
	setup();
	vcpu_setup_fill(&s, &cpu0);
	s.df_stack = SCRATCH_BASE;
	setup_again();
	asm volatile("mov $8, %rsp; ud2");
}

static void c_triple(void)
{
	setup();
	vcpu_setup_fill(&s, &cpu0);
	s.entry_event_kernel = SCRATCH_BASE;
	s.entry_double_fault = SCRATCH_BASE;
	setup_again();
	asm volatile("ud2");
}

asm(".text; df_loop: mov $8, %rsp; push %rax");
extern const char df_loop[];

static void c_df_loop(void)
{
	setup();
	vcpu_setup_fill(&s, &cpu0);
	s.entry_event_kernel = (u64)df_loop;
	s.entry_double_fault = (u64)df_loop;
	setup_again();
	asm volatile("mov $8, %rsp; push %rax");
}

static void c_root_zeroed(void)
{
	setup();
	memset(boot_root, 0, sizeof(boot_root));
	hc_flush_all(0, PVHV_FLUSH_USER | PVHV_FLUSH_KERNEL);
}

static void c_root_garbage(void)
{
	setup();
	for (unsigned int i = 0; i < 512; i++)
		boot_root[i] = 0xdeadbeefcafef00d * (i + 1);
	hc_load_cr3(current_root, 7, 1, 0);
	hc_flush_all(0, PVHV_FLUSH_USER | PVHV_FLUSH_KERNEL);
}

static void c_cr3_zero_page(void)
{
	void *zero;

	setup();
	zero = alloc_page();
	hc_load_cr3(gpa_of(zero), 0, 0, PVHV_CR3_FLUSH_ALL);
	hc_load_cr3(gpa_of(zero), 8, 1, 0);
	hc_flush_all(0, PVHV_FLUSH_USER | PVHV_FLUSH_KERNEL);
}

static void c_vcpu_page_unmapped(void)
{
	u64 *page;

	/* The page is known by gpa; that nothing maps it hurts the guest only */
	setup();
	page = alloc_page();
	vcpu_setup_fill(&s, &cpu0);
	s.page_gpa = gpa_of(page);
	setup_again();
	vcpu_setup();
	TRY("ud2");
	if (trap.vector != X_UD)
		printf("not ok vcpu-page - %s\n", trap_text(&trap));
	printf("done 1\n");
	shutdown(PVHV_SHUTDOWN_POWEROFF, NULL);
}

static void c_halt_then_poweroff(void)
{
	setup();
	hc_set_timer(hc_get_time() + 500000000);
	hc_halt();
	printf("done 1\n");
	shutdown(PVHV_SHUTDOWN_POWEROFF, NULL);
}

static void c_vcpu_down(void)
{
	setup();
	printf("done 1\n");
	hypercall0(PVHV_HC_VCPU_DOWN);
	survived("vcpu-down");
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "panic", c_panic },
	{ "early-ud", c_early_ud },
	{ "early-pf", c_early_pf },
	{ "early-gp", c_early_gp },
	{ "early-int3", c_early_int3 },
	{ "early-timer", c_early_timer },
	{ "early-user-return", c_early_user_return },
	{ "entry-unmapped", c_entry_unmapped },
	{ "entry-in-hole", c_entry_in_hole },
	{ "entry-user-page", c_entry_user_page },
	{ "double-fault-entry", c_double_fault_entry },
	{ "double-fault-stack", c_double_fault_stack },
	{ "triple", c_triple },
	{ "df-loop", c_df_loop },
	{ "root-zeroed", c_root_zeroed },
	{ "root-garbage", c_root_garbage },
	{ "cr3-zero-page", c_cr3_zero_page },
	{ "vcpu-page-unmapped", c_vcpu_page_unmapped },
	{ "halt-then-poweroff", c_halt_then_poweroff },
	{ "vcpu-down", c_vcpu_down },
};

void guest_start(u64 start_gpa)
{
	const char *name;

	start_init(start_gpa);
	name = cmdline_value("case") ?: "";
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		if (strcmp(name, cases[i].name))
			continue;
		cases[i].run();
		survived(name);
	}
	printf("not ok case - there is no case '%s'\n", name);
	shutdown(PVHV_SHUTDOWN_POWEROFF, NULL);
}
