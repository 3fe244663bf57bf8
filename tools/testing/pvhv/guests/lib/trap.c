// SPDX-License-Identifier: GPL-2.0
/* Test guests: events in kernel mode, and what TRY() makes of them. */
#include "guest.h"

struct extable {
	u64 start, fixup;
};

extern const struct extable extable_start[], extable_end[];
void event_kernel(struct regs *regs);
void event_double_fault(struct regs *regs);
extern u64 exec_resume;

struct cpu cpu0;
volatile struct trap trap;
volatile u64 irq_count[256];
volatile u64 try_rsp;
bool (*event_hook)(struct regs *regs, bool user);

void vcpu_setup_fill(struct pvhv_vcpu_setup *s, struct cpu *cpu)
{
	memset(s, 0, sizeof(*s));
	s->page_gpa = gpa_of(&cpu->page);
	s->kernel_gs_base = (u64)cpu;
	s->entry_syscall = (u64)entry_syscall;
	s->entry_event_user = (u64)entry_event_user;
	s->entry_event_kernel = (u64)entry_event_kernel;
	s->entry_double_fault = (u64)entry_double_fault;
	s->df_stack = (u64)(cpu->df_stack + sizeof(cpu->df_stack));
	s->ret_user_sysret = (u64)ret_user_sysret;
	s->ret_user_iret = (u64)ret_user_iret;
	s->ret_kernel = (u64)ret_kernel;
}

void vcpu_setup(void)
{
	static struct pvhv_vcpu_setup s __attribute__((aligned(256)));
	long r;

	cpu0.self = &cpu0;
	vcpu_setup_fill(&s, &cpu0);
	r = hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(&s));
	if (r)
		panic("VCPU_SETUP returns %ld", r);
	/* The first event loads the GS base, not the registration */
	if (start_info.features & PVHV_F_FSGSBASE)
		asm volatile("wrgsbase %0" : : "r"(&cpu0) : "memory");
	else if (hc_set_base(PVHV_BASE_KERNEL_GS, (u64)&cpu0))
		panic("SET_BASE(kernel GS) is refused");
}

u64 exec_resume;		/* where try_exec() goes on after a fault */

static u64 fixup_of(u64 rip)
{
	const struct extable *e;

	for (e = extable_start; e < extable_end; e++)
		if (rip >= e->start && rip < e->fixup)
			return e->fixup;
	return exec_resume;
}

static bool fixup(struct regs *regs, bool df)
{
	u64 to = fixup_of(regs->rip);

	if (to) {
		trap.vector = regs->vector;
		trap.error = regs->error;
		trap.cr2 = regs->cr2;
		trap.dr6 = regs->dr6;
		trap.rip = regs->rip;
		trap.rflags = regs->rflags;
		trap.rsp = regs->rsp;
		trap.count++;
		trap.double_fault = df;
		regs->rip = to;
		regs->rflags &= ~(FL_TF | FL_NT | FL_AC | FL_DF);
		return true;
	}
	return false;
}

static void __noreturn die(struct regs *r, const char *where)
{
	panic("event %lu error %#lx in %s mode at %#lx, rsp %#lx, cr2 %#lx",
	      r->vector, r->error, where, r->rip, r->rsp, r->cr2);
}

void event_kernel(struct regs *regs)
{
	if (event_hook && event_hook(regs, false))
		return;
	if (regs->vector >= 32 && regs->vector < 256 && regs->vector != 0x80)
		irq_count[regs->vector]++;
	else if (!fixup(regs, false))
		die(regs, "kernel");
}

void event_double_fault(struct regs *regs)
{
	if (!fixup(regs, true))
		die(regs, "kernel, twice, in kernel");
}

static const char * const names[] = {
	"DE", "DB", "NMI", "BP", "OF", "BR", "UD", "NM", "DF", "9", "TS", "NP", "SS", "GP", "PF",
	"15", "MF", "AC", "MC", "XM",
};

static const char *event_text(u64 vector, u64 error)
{
	static char text[8][32];
	static int i;
	char *s = text[i++ % 8];

	if (vector == NO_TRAP)
		return "no exception";
	if (vector == VECTOR_SYSCALL)
		return "a system call";
	if (vector >= ARRAY_SIZE(names))
		snprintf(s, 32, "interrupt %#lx", vector);
	else if (error == ANY_ERROR)
		snprintf(s, 32, "#%s", names[vector]);
	else
		snprintf(s, 32, "#%s(%#lx)", names[vector], error);
	return s;
}

static bool has_error_code(u64 vector)
{
	return vector == X_DF || vector == X_AC || (vector >= X_TS && vector <= X_PF);
}

const char *trap_name(u64 vector, u64 error)
{
	return event_text(vector, has_error_code(vector) ? error : ANY_ERROR);
}

const char *trap_text(const volatile struct trap *t)
{
	return trap_name(t->vector, t->error);
}

bool trap_is(const volatile struct trap *t, u64 vector, u64 error)
{
	return t->vector == vector &&
		(error == ANY_ERROR || !has_error_code(vector) || t->error == error);
}

bool user_is(const struct regs *r, u64 vector, u64 error)
{
	return r->vector == vector &&
		(error == ANY_ERROR || !has_error_code(vector) || r->error == error);
}

const char *user_text(const struct regs *r)
{
	return trap_name(r->vector, r->error);
}

bool try_read(u64 va, u64 *value)
{
	u64 v = 0;
	bool ok = TRY_IO("mov (%1), %0", : "+r"(v) : "r"(va) : "memory");

	if (value)
		*value = v;
	return ok;
}

bool try_write(u64 va, u64 value)
{
	return TRY_IO("mov %0, (%1)", : : "r"(value), "r"(va) : "memory");
}

bool try_exec(u64 va)
{
	trap_reset();
	/* A faulting call lands outside the extable's range, so say where */
	asm volatile("mov %%rsp, try_rsp(%%rip)\n"
		     "lea 1f(%%rip), %%rax\n"
		     "mov %%rax, exec_resume(%%rip)\n"
		     "call *%0\n"
		     "1: mov try_rsp(%%rip), %%rsp\n"
		     "movq $0, exec_resume(%%rip)\n"
		     : : "r"(va) : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
		       "memory", "cc");
	return trap.vector == NO_TRAP;
}
