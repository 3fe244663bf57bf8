// SPDX-License-Identifier: GPL-2.0
/*
 * spin: domains that do not end by themselves, each in another way of keeping
 * the hypervisor busy. "pvhv kill" must end them.
 *
 * kill: 3
 * case loop: killed
 * case user-loop: killed
 * case hypercalls: killed
 * case faults: killed
 * case event-loop: killed
 * case stack-loop: killed
 * case flushes: killed
 * case sleeps: killed
 * case sleeps-for-ever: killed
 * case console: killed
 * case timers: killed
 */
#include "lib/guest.h"

void guest_start(u64 start_gpa);

asm(".pushsection .user.text, \"ax\"\n"
    "user_loop: jmp user_loop\n"
    ".popsection\n"
    ".text\n"
    "ud_loop: ud2");
extern const char user_loop[], ud_loop[];

static struct pvhv_vcpu_setup s __attribute__((aligned(256)));

void guest_start(u64 start_gpa)
{
	const char *name;
	struct regs r;

	start_init(start_gpa);
	mm_init();
	vcpu_setup();
	name = cmdline_value("case") ?: "";
	printf("# %s\n", name);
	if (!strcmp(name, "loop"))
		for (;;)
			barrier();
	if (!strcmp(name, "user-loop")) {
		user_regs(&r, user_loop);
		run_user(&r, BY_SYSRET);
	}
	if (!strcmp(name, "hypercalls"))
		for (;;)
			hc_get_time();
	if (!strcmp(name, "faults"))
		for (;;)
			try_read(SCRATCH_BASE, NULL);
	if (!strcmp(name, "event-loop")) {
		vcpu_setup_fill(&s, &cpu0);
		s.entry_event_kernel = (u64)ud_loop;
		hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(&s));
		asm volatile("ud2");
	}
	if (!strcmp(name, "stack-loop")) {
		/* #SS whose frame cannot be pushed: #SS again, for ever */
		asm volatile("mov $0x8000000000000000, %rax; mov %rax, %rsp; push %rax");
	}
	if (!strcmp(name, "flushes"))
		for (;;)
			hc_flush_range(0xffff888000000000, 0xffffffffffffffff, 0,
				       PVHV_FLUSH_FREED_TABLES);
	if (!strcmp(name, "sleeps")) {
		for (;;) {
			sleep_ns(1000);
		}
	}
	if (!strcmp(name, "sleeps-for-ever"))
		for (;;)
			hc_halt();
	if (!strcmp(name, "console"))
		for (;;)
			console_write("x\n", 2);
	if (!strcmp(name, "timers")) {
		irq_enable();
		for (;;)
			hc_set_timer(1);
	}
	printf("not ok spin - '%s' came to an end\n", name);
	shutdown(PVHV_SHUTDOWN_POWEROFF, NULL);
}
