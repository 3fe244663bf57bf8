// SPDX-License-Identifier: GPL-2.0
/* Test guests: user mode. */
#include "guest.h"

void event_user(struct regs *regs);

static char user_stack[16384] __user_data __attribute__((aligned(4096)));

static void user_regs_common(struct regs *r, const void *rip)
{
	memset(r, 0, sizeof(*r));
	r->rip = (u64)rip;
	r->rflags = FL_IF | 2;
	r->rsp = (u64)user_stack + sizeof(user_stack) - 64;
	r->ss = SEL_USER_DS;
}

void user_regs(struct regs *r, const void *rip)
{
	user_regs_common(r, rip);
	r->cs = SEL_USER_CS;
}

void user_regs32(struct regs *r, const void *rip)
{
	user_regs_common(r, rip);
	r->cs = SEL_USER32_CS;
}

/* Events and system calls in user mode; returning resumes it at regs */
void event_user(struct regs *regs)
{
	if (event_hook && event_hook(regs, true))
		return;
	if (regs->vector >= 32 && regs->vector < 256 && regs->vector != 0x80) {
		irq_count[regs->vector]++;
		return;
	}
	if (!cpu0.user)
		panic("event %lu in user mode, which nobody entered", regs->vector);
	*cpu0.user = *regs;
	user_leave();
}

void run_user(struct regs *r, enum user_return how)
{
	struct regs *outer = cpu0.user;
	bool vif = READ_ONCE(vp->vif);

	irq_disable();
	cpu0.user = r;
	user_enter(r, how == BY_SYSRET ? return_user_sysret : return_user_iret);
	cpu0.user = outer;
	if (vif)
		irq_enable();
}

u64 user_call(const void *fn, u64 a, u64 b, u64 c, struct regs *end)
{
	struct regs r;

	user_regs(&r, fn);
	r.rdi = a;
	r.rsi = b;
	r.rdx = c;
	run_user(&r, BY_IRET);
	if (end)
		*end = r;
	return r.rax;
}
