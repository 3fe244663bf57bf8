// SPDX-License-Identifier: GPL-2.0
/*
 * setup: what every other guest needs: the vCPU page, exceptions with a fixup,
 * an interrupt, and user mode by each kind of return.
 */
#include "lib/guest.h"

TEST(start_info)
{
	check_eq(start_info.magic, PVHV_START_MAGIC, "magic");
	check_eq(start_info.version, PVHV_ABI_VERSION, "version");
	check(start_info.size >= sizeof(start_info), "size is %u", start_info.size);
	check(start_info.nr_vcpus >= 1, "there are no vCPUs");
	check(start_info.tsc_khz > 1000, "tsc_khz is %lu", (u64)start_info.tsc_khz);
	check(ram_end > IMAGE_GPA + 0x200000, "RAM ends at %#lx", ram_end);
	check_eq(start_info.nr_vcpus_boot, 1, "vCPUs at boot");
}

TEST(invalid_opcode)
{
	TRY("ud2");
	check_trap(X_UD, 0, "ud2");
	check_eq(trap.count, 1, "number of events");
}

TEST(breakpoint)
{
	u64 at = 0;

	TRY_IO("lea 1f(%%rip), %0; int3; 1:", : "=r"(at) : : "memory");
	check_trap(X_BP, 0, "int3");
	check_eq(trap.rip, at, "RIP");
}

TEST(page_fault)
{
	u64 value = 0;

	try_read(SCRATCH_BASE + 0x123456, NULL);
	check_trap(X_PF, 0, "a read of nothing");
	check_eq(trap.cr2, SCRATCH_BASE + 0x123456, "CR2");
	try_write(SCRATCH_BASE + 0x789, 1);
	check_trap(X_PF, PF_W, "a write to nothing");
	check_eq(trap.cr2, SCRATCH_BASE + 0x789, "CR2");

	map_page(SCRATCH_BASE, gpa_of(alloc_page()), PTE_P | PTE_W | PTE_NX);
	try_write(SCRATCH_BASE + 8, 77);
	check_no_trap("a write to a page mapped since");
	try_read(SCRATCH_BASE + 8, &value);
	check_eq(value, 77, "what was written");
	*entry_of(current_root, SCRATCH_BASE, 1) = 0;
	flush_page(SCRATCH_BASE);
	try_read(SCRATCH_BASE + 8, NULL);
	check_trap(X_PF, 0, "a read of an unmapped page");
}

static struct regs at_event;

static bool look_at_event(struct regs *regs, bool user)
{
	at_event = *regs;
	regs->rip += 2;
	return !user;
}

TEST(registers_survive_events)
{
	u64 a = 1, b = 2, c = 3, d = 4, si = 5, di = 6;
	register u64 r8 asm("r8") = 8;
	register u64 r9 asm("r9") = 9;
	register u64 r10 asm("r10") = 10;
	register u64 r11 asm("r11") = 11;
	register u64 r12 asm("r12") = 12;
	register u64 r15 asm("r15") = 15;

	event_hook = look_at_event;
	asm volatile("ud2" : "+a"(a), "+b"(b), "+c"(c), "+d"(d), "+S"(si), "+D"(di),
		     "+r"(r8), "+r"(r9), "+r"(r10), "+r"(r11), "+r"(r12), "+r"(r15) : : "memory");
	check(at_event.rax == 1 && at_event.rbx == 2 && at_event.rcx == 3 && at_event.rdx == 4 &&
	      at_event.rsi == 5 && at_event.rdi == 6 && at_event.r8 == 8 && at_event.r11 == 11,
	      "the handler saw another register than there was");
	check(a == 1 && b == 2 && c == 3 && d == 4 && si == 5 && di == 6,
	      "RAX..RDI are not what they were before the event");
	check(r8 == 8 && r9 == 9 && r10 == 10 && r11 == 11 && r12 == 12 && r15 == 15,
	      "R8..R15 are not what they were before the event");
}

TEST(hypercall_keeps_registers)
{
	u64 rbx = 1, rdx = 4, rsi = 3, rdi = 2, rbp_ = 0, rax = PVHV_HC_GET_TIME;
	register u64 r8 asm("r8") = 8;
	register u64 r9 asm("r9") = 9;
	register u64 r10 asm("r10") = 10;
	register u64 r12 asm("r12") = 12;
	register u64 r13 asm("r13") = 13;
	register u64 r14 asm("r14") = 14;
	register u64 r15 asm("r15") = 15;

	asm volatile("push %%rbp; mov $5, %%ebp; syscall; mov %%rbp, %%rcx; pop %%rbp"
		     : "+a"(rax), "+b"(rbx), "+d"(rdx), "+S"(rsi), "+D"(rdi), "=c"(rbp_),
		       "+r"(r8), "+r"(r9), "+r"(r10), "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15)
		     : : "r11", "memory", "cc");
	check(rbx == 1 && rdx == 4 && rsi == 3 && rdi == 2 && rbp_ == 5,
	      "a hypercall changed one of RBX, RDX, RSI, RDI, RBP");
	check(r8 == 8 && r9 == 9 && r10 == 10 && r12 == 12 && r13 == 13 && r14 == 14 && r15 == 15,
	      "a hypercall changed one of R8..R10, R12..R15");
}

TEST(timer_interrupt)
{
	u64 before = irq_count[PVHV_VECTOR_TIMER], end, t = now();

	check_eq(hc_set_timer(t + 1000000), 0, "SET_TIMER's result");
	irq_enable();
	end = t + 2000000000;
	while (irq_count[PVHV_VECTOR_TIMER] == before && now() < end)
		;
	irq_disable();
	check_eq(irq_count[PVHV_VECTOR_TIMER] - before, 1, "number of timer interrupts");
	check(now() >= t + 1000000, "the timer was early");
}

TEST(halt_until_timer)
{
	u64 before = irq_count[PVHV_VECTOR_TIMER], t = now();

	hc_set_timer(t + 1000000);
	check_eq(hc_halt(), 0, "HALT's result");
	check_eq(irq_count[PVHV_VECTOR_TIMER] - before, 1, "number of timer interrupts");
	check(now() >= t + 1000000, "the timer was early");
	check_eq(vp->vif, 1, "VIF after HALT");
}

__user_text static void user_adds(void)
{
	asm volatile("lea (%rdi,%rsi), %rax; add %rdx, %rax; syscall; ud2");
}

static void add_in_user_mode(enum user_return how)
{
	struct regs r;

	user_regs(&r, user_adds);
	r.rdi = 30;
	r.rsi = 500;
	r.rdx = 7000;
	r.rbx = 0x1111;
	r.rbp = 0x2222;
	r.r8 = 0x8888;
	r.r15 = 0xffff;
	run_user(&r, how);
	check_user(&r, VECTOR_SYSCALL, 0, "user code");
	check_eq(r.rax, 7530, "the sum");
	check(r.rbx == 0x1111 && r.rbp == 0x2222 && r.r8 == 0x8888 && r.r15 == 0xffff,
	      "RBX, RBP, R8 or R15 did not come through");
	check(r.rip > (u64)user_adds && r.rip < (u64)user_adds + 32, "RIP is %#lx", r.rip);
	check(r.rflags & FL_IF, "user mode's RFLAGS are %#lx: no IF", r.rflags);
	check_eq(vp->vif, 0, "VIF after a system call");
}

TEST(user_by_sysret)
{
	add_in_user_mode(BY_SYSRET);
}

TEST(user_by_iret)
{
	add_in_user_mode(BY_IRET);
}

__user_text static void user_traps(void)
{
	asm volatile("mov $0x55, %eax; ud2");
}

TEST(user_exception)
{
	struct regs r;

	user_regs(&r, user_traps);
	r.rcx = 0xcccc;
	r.r11 = 0x1111;
	run_user(&r, BY_IRET);
	check_user(&r, X_UD, 0, "ud2 in user mode");
	check_eq(r.rax, 0x55, "RAX");
	check_eq(r.rcx, 0xcccc, "RCX");
	check_eq(r.r11, 0x1111, "R11");
	check_eq(r.cs, SEL_USER_CS, "CS");
	check_eq(r.ss, SEL_USER_DS, "SS");
}

asm(".pushsection .user.text, \"ax\"; .code32\n"
    "user_compat: mov $0x12345678, %eax; inc %eax; int3\n"
    ".code64; .popsection");
extern char user_compat[];

TEST(user_compat_mode)
{
	struct regs r;

	user_regs32(&r, user_compat);
	run_user(&r, BY_IRET);
	check_user(&r, X_BP, 0, "int3 in 32-bit user mode");
	check_eq(r.rax, 0x12345679, "EAX");
	check_eq(r.cs, SEL_USER32_CS, "CS");
}

__user_text static void user_counts(void)
{
	asm volatile("1: syscall; inc %rbx; cmp $1000, %rbx; jb 1b; ud2");
}

static bool resume_syscall(struct regs *regs, bool user)
{
	return user && regs->vector == VECTOR_SYSCALL;
}

TEST(thousand_system_calls)
{
	struct regs r;

	event_hook = resume_syscall;
	user_regs(&r, user_counts);
	run_user(&r, BY_IRET);
	check_user(&r, X_UD, 0, "the end of the loop");
	check_eq(r.rbx, 1000, "number of system calls");
}

__user_text static void user_spins(void)
{
	asm volatile("1: cmpq $0, (%rdi); je 1b; ud2");
}

static volatile u64 user_flag __user_data __attribute__((aligned(8)));

static bool stop_spinning(struct regs *regs, bool user)
{
	(void)regs;
	if (user)
		user_flag = 1;
	return false;
}

TEST(timer_in_user_mode)
{
	u64 before = irq_count[PVHV_VECTOR_TIMER];
	struct regs r;

	user_flag = 0;
	event_hook = stop_spinning;
	hc_set_timer(now() + 1000000);
	user_regs(&r, user_spins);
	r.rdi = (u64)&user_flag;
	run_user(&r, BY_SYSRET);
	check_user(&r, X_UD, 0, "the end of the loop");
	check_eq(irq_count[PVHV_VECTOR_TIMER] - before, 1, "number of timer interrupts");
}

TEST(multicall)
{
	static struct pvhv_multicall calls[2] __attribute__((aligned(4096)));

	calls[0].nr = PVHV_HC_GET_TIME;
	calls[1].nr = 12345;
	check_eq(hc_multicall(gpa_of(calls), 2), 2, "MULTICALL's result");
	check(calls[0].result > 0, "GET_TIME in it gives %ld", (long)calls[0].result);
	check_eq(calls[1].result, -PVHV_ENOSYS, "an unknown call's result");
}
