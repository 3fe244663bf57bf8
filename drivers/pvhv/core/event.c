// SPDX-License-Identifier: GPL-2.0
/*
 * What a vCPU is told: exceptions and interrupts, and its returns from them
 * where the switcher leaves them to us. See <pvhv/hypercall.h>.
 */
#include <linux/bitops.h>
#include <linux/wait.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "pvhv.h"
#include "trace.h"

static void enter_kernel(struct pvhv_vcpu *v, u64 entry)
{
	struct sw_guest *g = v->guest;
	struct sw_regs *r = v->regs;

	WRITE_ONCE(v->page->vif, 0);
	g->user_mode = 0;
	g->gs_base = g->kernel_gs;
	r->ip = entry;
	r->cs = SW_USER_CS;
	r->ss = SW_USER_DS;
	r->flags = SW_FLAGS_FIXED;
}

/*
 * The guest faulted while it was saving an event's frame, most likely because
 * its kernel stack is full. The first event's frame stays in the page.
 */
static void double_fault(struct pvhv_vcpu *v, u64 cr2)
{
	struct pvhv_vcpu_page *p = v->page;

	if (READ_ONCE(p->vector) == X86_TRAP_DF) {
		pvhv_domain_end(v->domain, PVHV_STATE_CRASHED, PVHV_CRASH_TRIPLE_FAULT,
				"vCPU %u: page fault at %#llx while delivering a double fault, rip %#llx",
				v->id, cr2, v->regs->ip);
		return;
	}
	p->vector = X86_TRAP_DF;
	p->error_code = 0;
	p->cr2 = cr2;
	enter_kernel(v, v->entry_double_fault);
	v->regs->sp = v->df_stack;
}

static void deliver(struct pvhv_vcpu *v, u8 vector, u64 error_code)
{
	struct pvhv_vcpu_page *p = v->page;
	struct sw_guest *g = v->guest;
	struct sw_regs *r = v->regs;
	u64 flags = r->flags & ~(u64)X86_EFLAGS_IF;

	p->rip = r->ip;
	p->cs = r->cs;
	p->rsp = r->sp;
	p->ss = r->ss;
	p->vector = vector;
	p->error_code = error_code;
	if (g->user_mode) {
		p->rflags = flags | X86_EFLAGS_IF;
		p->user_gs_base = g->gs_base;
		WRITE_ONCE(p->in_delivery, 1);
		enter_kernel(v, g->entry_event_user);
	} else {
		p->rflags = flags | (READ_ONCE(p->vif) ? X86_EFLAGS_IF : 0);
		WRITE_ONCE(p->in_delivery, 1);
		enter_kernel(v, v->entry_event_kernel);
	}
}

/* Without a vCPU page there is no way to tell the guest. */
static bool can_deliver(struct pvhv_vcpu *v, u8 vector, u64 error_code)
{
	if (likely(v->page))
		return true;
	pvhv_domain_end(v->domain, PVHV_STATE_CRASHED, PVHV_CRASH_EVENT,
			"vCPU %u: exception %u (error code %#llx, cr2 %#llx) at rip %#llx before PVHV_HC_VCPU_SETUP",
			v->id, vector, error_code, v->guest->cr2, v->regs->ip);
	return false;
}

/**
 * pvhv_deliver - deliver an exception other than a page fault
 * @v:		the vCPU, in its own thread
 * @vector:	of the exception
 * @error_code:	0 if it has none
 */
void pvhv_deliver(struct pvhv_vcpu *v, u8 vector, u64 error_code)
{
	if (!can_deliver(v, vector, error_code))
		return;
	trace_pvhv_event(v->id, vector, error_code, 0);
	v->stats.events++;
	if (vector == X86_TRAP_DB)
		v->page->dr6 = v->dr6;
	deliver(v, vector, error_code);
}

/**
 * pvhv_deliver_page_fault - deliver a page fault
 * @v:		the vCPU, in its own thread
 * @cr2:	the address
 * @error_code:	as hardware would report it for the guest's mode
 */
void pvhv_deliver_page_fault(struct pvhv_vcpu *v, u64 cr2, u64 error_code)
{
	if (!can_deliver(v, X86_TRAP_PF, error_code))
		return;
	trace_pvhv_event(v->id, X86_TRAP_PF, error_code, cr2);
	v->stats.events++;
	if (!v->guest->user_mode && READ_ONCE(v->page->in_delivery)) {
		double_fault(v, cr2);
		return;
	}
	v->page->cr2 = cr2;
	deliver(v, X86_TRAP_PF, error_code);
}

/* Whoever sets something for a vCPU to see; pairs with run_loaded(). */
static void notify(struct pvhv_vcpu *v)
{
	WRITE_ONCE(v->irr_any, true);
	pvhv_kick(v);
}

/**
 * pvhv_raise - make an interrupt pending
 * @v:		the vCPU
 * @vector:	of the interrupt
 *
 * Any context.
 */
void pvhv_raise(struct pvhv_vcpu *v, u8 vector)
{
	set_bit(vector, v->irr);
	notify(v);
}

void pvhv_raise_nmi(struct pvhv_vcpu *v)
{
	WRITE_ONCE(v->nmi_pending, true);
	notify(v);
}

/**
 * pvhv_raise_event - tell a vCPU of pending ports
 * @v:		the vCPU
 * @word:	of the event page, where to look
 *
 * Any context. The vCPU's own thread brings it to the vCPU page, which may be
 * another one by then.
 */
void pvhv_raise_event(struct pvhv_vcpu *v, unsigned int word)
{
	set_bit(word, &v->event_sel);
	pvhv_raise(v, PVHV_VECTOR_EVENT);
}

/**
 * pvhv_raise_cause - tell the first vCPU one of PVHV_CAUSE_xxx
 * @d:		the domain
 * @bit:	number of the bit
 */
void pvhv_raise_cause(struct pvhv_domain *d, unsigned int bit)
{
	struct pvhv_vcpu *v = READ_ONCE(d->vcpus[0]);

	set_bit(bit, &d->causes);
	if (v)
		pvhv_raise(v, PVHV_VECTOR_CALLBACK);
}

static int next_vector(struct pvhv_vcpu *v)
{
	unsigned long vec;

	if (READ_ONCE(v->nmi_pending)) {
		WRITE_ONCE(v->nmi_pending, false);
		return X86_TRAP_NMI;
	}
	/* The highest first, as an APIC does */
	vec = find_last_bit(v->irr, 256);
	if (vec == 256)
		return -1;
	clear_bit(vec, v->irr);
	return vec;
}

/**
 * pvhv_deliver_interrupts - deliver one interrupt, if one waits and may be
 * @v:	the vCPU, in its own thread, about to be entered
 */
void pvhv_deliver_interrupts(struct pvhv_vcpu *v)
{
	struct pvhv_vcpu_page *p = v->page;
	int vec;

	if (likely(!READ_ONCE(v->irr_any)) || !p)
		return;
	if (!v->guest->user_mode && !READ_ONCE(p->vif)) {
		WRITE_ONCE(p->pending, 1);
		return;
	}
	/* First the flag, then the bits: notify() does it the other way round. */
	WRITE_ONCE(v->irr_any, false);
	smp_mb();	/* pairs with the atomic bit in pvhv_raise() */
	vec = next_vector(v);
	if (find_first_bit(v->irr, 256) < 256 || READ_ONCE(v->nmi_pending))
		WRITE_ONCE(v->irr_any, true);
	WRITE_ONCE(p->pending, READ_ONCE(v->irr_any));
	if (vec < 0)
		return;
	if (vec == PVHV_VECTOR_EVENT)
		atomic64_or(xchg(&v->event_sel, 0), (atomic64_t *)&p->event_sel);
	trace_pvhv_event(v->id, vec, 0, 0);
	v->stats.interrupts++;
	deliver(v, vec, 0);
}

/**
 * pvhv_sync_hints - consume the hints of the vCPU page
 * @v:	the vCPU, in its own thread
 *
 * Return: number of hints. What cannot be done now is dropped: a hint is no
 * promise.
 */
long pvhv_sync_hints(struct pvhv_vcpu *v)
{
	struct pvhv_vcpu_page *p = v->page;
	u32 i, n = READ_ONCE(p->nr_hints);

	if (!n)
		return 0;
	/* The guest may lie about the number, and change hints meanwhile. */
	n = min_t(u32, n, PVHV_VP_MAX_HINTS);
	for (i = 0; i < n; i++)
		v->hints[i] = READ_ONCE(p->hints[i]);
	WRITE_ONCE(p->nr_hints, 0);
	v->stats.hints += n;
	if (pvhv_mmu_sync_hints(&v->domain->mmu, &v->mmu, v->hints, n) == -ENOMEM)
		v->want_topup = true;
	return n;
}

/**
 * pvhv_return_to_user - a return to user mode that the switcher left to us
 * @v:		the vCPU, in its own thread
 * @iret:	by ret_user_iret, else by ret_user_sysret
 */
enum pvhv_next pvhv_return_to_user(struct pvhv_vcpu *v, bool iret)
{
	struct pvhv_vcpu_page *p = v->page;
	struct sw_guest *g = v->guest;
	struct sw_regs *r = v->regs;

	pvhv_sync_hints(v);
	r->ip = READ_ONCE(p->rip);
	r->sp = READ_ONCE(p->rsp);
	g->gs_base = (s64)(READ_ONCE(p->user_gs_base) << 16) >> 16;
	g->user_mode = 1;
	if (iret) {
		r->cs = READ_ONCE(p->cs) & 0xffff;
		r->ss = READ_ONCE(p->ss) & 0xffff;
		r->flags = (READ_ONCE(p->rflags) & SW_FLAGS_IRET) | SW_FLAGS_FIXED;
		r->cx = READ_ONCE(p->rcx);
		r->r11 = READ_ONCE(p->r11);
		/*
		 * A selector with another RPL would be loaded happily: IRET in
		 * ring 0 may go to any ring. Everything else IRET checks itself.
		 */
		if ((r->cs & 3) != 3) {
			pvhv_deliver(v, X86_TRAP_GP, r->cs & 0xfffc);
			return PVHV_CONTINUE;
		}
		if ((r->ss & 3) != 3) {
			pvhv_deliver(v, X86_TRAP_GP, r->ss & 0xfffc);
			return PVHV_CONTINUE;
		}
	} else {
		r->cs = SW_USER_CS;
		r->ss = SW_USER_DS;
		r->flags = (READ_ONCE(p->rflags) & SW_FLAGS_SYSRET) | SW_FLAGS_FIXED;
		r->cx = r->ip;
		r->r11 = r->flags;
	}
	return PVHV_CONTINUE;
}

/**
 * pvhv_return_to_kernel - ret_kernel with an interrupt pending
 * @v:	the vCPU, in its own thread
 */
enum pvhv_next pvhv_return_to_kernel(struct pvhv_vcpu *v)
{
	struct pvhv_vcpu_page *p = v->page;
	struct sw_regs *r = v->regs;
	u64 flags = READ_ONCE(p->rflags);

	r->ip = READ_ONCE(p->rip);
	r->sp = READ_ONCE(p->rsp);
	r->cs = SW_USER_CS;
	r->ss = SW_USER_DS;
	r->flags = (flags & SW_FLAGS_IRET) | SW_FLAGS_FIXED;
	r->cx = READ_ONCE(p->rcx);
	r->r11 = READ_ONCE(p->r11);
	WRITE_ONCE(p->vif, !!(flags & X86_EFLAGS_IF));
	return PVHV_CONTINUE;
}
