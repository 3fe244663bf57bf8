// SPDX-License-Identifier: GPL-2.0
/*
 * interrupted: hypercalls that take long or have to sleep, while the vCPU's
 * thread is preempted, paused and resumed all the time. None may be lost, done
 * twice, or come back with another result.
 *
 * with: burner pauses
 * timeout: 240
 */
#include "lib/guest.h"

#define VA	(SCRATCH_BASE + 0x7000000000)
#define TIME	1000000000UL	/* ns for each test */
#define FOR_A_WHILE(i)							\
	for (u64 end_ = now() + TIME, i = 0; (i % 16) || now() < end_; i++)

TEST(get_time)
{
	u64 last = 0;

	FOR_A_WHILE(i) {
		u64 t = now();

		if (!check(t >= last, "GET_TIME went from %lu to %lu", last, t))
			break;
		last = t;
	}
}

TEST(long_flush)
{
	static u64 *pt[64], *a, *b;
	u64 value;

	a = alloc_page();
	b = alloc_page();
	a[0] = 0xa;
	b[0] = 0xb;
	for (u64 i = 0; i < 64; i++) {
		map_page(VA + i * 0x200000, gpa_of(a), PTE_P | PTE_W);
		pt[i] = entry_of(current_root, VA + i * 0x200000, 1);
	}
	/* 64 tables are more than one step of a flush */
	FOR_A_WHILE(i) {
		u64 *p = i & 1 ? a : b;
		long r;

		for (u64 j = 0; j < 64; j++)
			WRITE_ONCE(*pt[j], gpa_of(p) | PTE_P | PTE_W);
		r = i & 2 ? hc_flush_range(VA, VA + 64 * 0x200000, 0, i & 4 ? PVHV_FLUSH_FREED_TABLES : 0) :
			hc_flush_all(0, PVHV_FLUSH_KERNEL);
		if (!check_eq(r, 0, "the flush's result"))
			break;
		for (u64 j = 0; j < 64; j++) {
			value = READ_ONCE(*(u64 *)(VA + j * 0x200000));
			if (!check_eq(value, p[0], "after %lu flushes, table %lu", i, j))
				return;
		}
	}
}

TEST(multicall)
{
	static struct pvhv_multicall calls[PVHV_MULTICALL_MAX] __page_aligned;
	u64 last = 0;

	FOR_A_WHILE(i) {
		u64 n = 1 + i % PVHV_MULTICALL_MAX;

		for (u64 j = 0; j < n; j++) {
			calls[j].nr = j % 5 == 4 ? PVHV_HC_FLUSH_RANGE : j % 5 == 3 ? 0 : PVHV_HC_GET_TIME;
			calls[j].result = 0x7777;
			calls[j].args[0] = VA;
			calls[j].args[1] = VA + 0x40000000;
		}
		if (!check_eq(hc_multicall(gpa_of(calls), n), n, "MULTICALL's result"))
			return;
		for (u64 j = 0; j < n; j++) {
			u64 r = calls[j].result;

			if (j % 5 == 4)
				check_eq(r, 0, "FLUSH_RANGE in it");
			else if (j % 5 == 3)
				check_eq(r, -PVHV_ENOSYS, "a call that does not exist");
			else if (!check(r >= last, "GET_TIME in it went from %lu to %lu", last, r))
				return;
			else
				last = r;
		}
	}
}

TEST(calls_that_sleep)
{
	static struct pvhv_vcpu_setup s __attribute__((aligned(256)));
	static u64 clock[512] __page_aligned, ldt[512] __page_aligned;
	static char nl[64] __attribute__((aligned(64))) = "\n";

	FOR_A_WHILE(i) {
		long r;

		vcpu_setup_fill(&s, &cpu0);
		r = hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(&s));
		if (!check_eq(r, 0, "VCPU_SETUP's result"))
			break;
		r = hc_set_clock(gpa_of(clock));
		if (!check_eq(r, 0, "SET_CLOCK's result"))
			break;
		r = hc_set_ldt((u64)ldt, i % 512);
		if (!check_eq(r, 0, "SET_LDT's result"))
			break;
		r = hc_console_write(gpa_of(nl), 1);
		if (!check(r == 0 || r == 1, "CONSOLE_WRITE's result is %ld", r))
			break;
	}
	hc_set_ldt(0, 0);
}

TEST(console_is_complete)
{
	static char text[4096] __page_aligned;
	u64 line = 0;

	/* Every line has its number; the runner sees "# lost" if one is missing */
	FOR_A_WHILE(i) {
		snprintf(text, sizeof(text), "count %lu\n", line++);
		console_write(text, strlen(text));
		delay_ns(100000);
	}
	printf("counted %lu\n", line);
}

TEST(emulated_instructions)
{
	FOR_A_WHILE(i) {
		u64 low = 0, high = 0, rip = 0;

		TRY_IO("rdmsr", : "=a"(low), "=d"(high) : "c"(0xc0000080));
		if (!check_no_trap("RDMSR"))
			break;
		if (!check(low & BIT(8), "EFER reads as %#lx", low))
			break;
		low = 0;
		TRY_IO("in $0x80, %%al; lea (%%rip), %1", : "+a"(low), "=r"(rip));
		if (!check_eq(low, 0xff, "what IN gives"))
			break;
	}
}

TEST(faults_on_new_memory)
{
	u64 gpa = ram_end - 0xa00000;

	for (; gpa < ram_end - 0x400000; gpa += PAGE_SIZE) {
		u64 *p = va_of(gpa), value = 1;

		if (gpa & PAGE_SIZE && !check(try_read((u64)p, &value) && !value, "a read gives %s, %#lx",
					      trap_text(&trap), value))
			break;
		if (!check(try_write((u64)p, gpa), "a write gives %s", trap_text(&trap)))
			break;
		if (!check_eq(*p, gpa, "what was written"))
			break;
	}
}

TEST(sleep)
{
	FOR_A_WHILE(i) {
		u64 before = irq_count[PVHV_VECTOR_TIMER], t = now();
		u64 causes = irq_count[PVHV_VECTOR_CALLBACK];

		irq_disable();
		hc_set_timer(t + 200000);
		hc_halt();
		irq_disable();
		/*
		 * The console has room again, long after a test has filled it. The
		 * timer may have fired since: it must not end the next HALT.
		 */
		if (irq_count[PVHV_VECTOR_CALLBACK] != causes) {
			hc_set_timer(0);
			irq_enable();
			irq_disable();
			continue;
		}
		if (!check_eq(irq_count[PVHV_VECTOR_TIMER], before + 1, "number of timer interrupts"))
			break;
		if (!check(now() >= t + 200000, "HALT ended early"))
			break;
	}
}

asm(".pushsection .user.text, \"ax\"\n"
    "user_count: inc %rbx; mov %rbx, %rax; syscall; cmp $2000, %rbx; jb user_count; ud2\n"
    ".popsection");
extern const char user_count[];

static u64 calls_seen;

static bool count_calls(struct regs *regs, bool user)
{
	if (!user || regs->vector != VECTOR_SYSCALL)
		return false;
	if (regs->rax == calls_seen + 1)
		calls_seen++;
	return true;
}

TEST(system_calls)
{
	struct regs r;

	event_hook = count_calls;
	FOR_A_WHILE(i) {
		calls_seen = 0;
		user_regs(&r, user_count);
		run_user(&r, i & 1 ? BY_IRET : BY_SYSRET);
		if (!check_user(&r, X_UD, 0, "the end of the loop"))
			break;
		if (!check_eq(calls_seen, 2000, "number of system calls"))
			break;
	}
}
