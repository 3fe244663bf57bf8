// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls: the table, and those that fit nowhere else. Their contracts are
 * in <pvhv/hypercall.h>.
 *
 * A handler runs with the vCPU loaded, so it may not sleep; it returns the
 * hypercall's result, or one of the HC_xxx below, after which it is called
 * again from the start. It must not have changed anything by then that a
 * second call would do differently.
 */
#include <linux/nospec.h>
#include <linux/ktime.h>

#include "../mmu/access.h"
#include "pvhv.h"
#include "trace.h"

/* Results beyond any -errno */
#define HC_RETRY_SLOW	(-5000L)	/* v->slow says what is missing */
#define HC_SLEEP	(-5001L)	/* result 0, then sleep until an interrupt */
#define HC_YIELD	(-5002L)	/* result 0, then let others run */
#define HC_DONE		(-5003L)	/* no result: the registers are not the caller's */
#define HC_MORE		(-5004L)	/* call again, after a look at signals */
#define HC_WAIT		(-5005L)	/* result 0, then sleep until a kick */

/* Where a handler that must sleep finds itself loaded */
static long need_sleep(struct pvhv_vcpu *v)
{
	v->slow.sleepable = true;
	return HC_RETRY_SLOW;
}

static long mmu_result(struct pvhv_vcpu *v, int ret)
{
	if (ret == -ENOMEM) {
		v->slow.topup = true;
		return HC_RETRY_SLOW;
	}
	return ret;
}

/* A flush may be long: do a step, look at signals, go on where it stopped. */
static long flush_step(struct pvhv_vcpu *v, int ret)
{
	if (ret == 1)
		return HC_MORE;
	memset(&v->flush, 0, sizeof(v->flush));
	return mmu_result(v, ret);
}

static long hc_load_cr3(struct pvhv_vcpu *v, const u64 *a)
{
	bool all = a[3] & PVHV_CR3_FLUSH_ALL;

	if (!pvhv_load_cr3_args_ok(a) || !pvhv_root_ok(v->domain, a[0]))
		return -PVHV_EINVAL;
	return flush_step(v, pvhv_mmu_load_root(&v->domain->mmu, &v->mmu, a[0], a[1], a[2], all,
						&v->flush));
}

static long hc_flush_range(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_mmu *mmu = &v->domain->mmu;
	int ret;

	if (!pvhv_flush_range_args_ok(a))
		return -PVHV_EINVAL;
	ret = pvhv_mmu_flush_range_step(mmu, &v->mmu, a[0], a[1], a[2], a[3], &v->flush);
	if (!ret && a[3] & PVHV_FLUSH_EVERYWHERE)
		pvhv_mmu_host_flush_root(mmu, NULL);
	return flush_step(v, ret);
}

static long hc_flush_all(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_mmu *mmu = &v->domain->mmu;
	int ret;

	if (!pvhv_flush_all_args_ok(a))
		return -PVHV_EINVAL;
	ret = pvhv_mmu_flush_all_step(mmu, &v->mmu, a[0], a[1], &v->flush);
	if (!ret && a[1] & PVHV_FLUSH_EVERYWHERE)
		pvhv_mmu_host_flush_root(mmu, NULL);
	return flush_step(v, ret);
}

static long hc_flush_mm(struct pvhv_vcpu *v, const u64 *a)
{
	if (!pvhv_flush_mm_args_ok(a))
		return -PVHV_EINVAL;
	return flush_step(v, pvhv_mmu_flush_mm_step(&v->domain->mmu, &v->mmu, a[0],
						    a[1] & PAGE_MASK, a[2], a[3],
						    a[1] & PVHV_FLUSH_FREED_TABLES, &v->flush));
}

/* INVLPG, from the emulator. Return: 1 done, -ENOMEM try again */
int pvhv_invlpg(struct pvhv_vcpu *v, u64 gva)
{
	struct pvhv_mmu_flush fl = { };
	int ret;

	if (!pvhv_canonical(gva))
		return 1;
	do {
		ret = pvhv_mmu_flush_range_step(&v->domain->mmu, &v->mmu, gva & PAGE_MASK,
						(gva & PAGE_MASK) + PAGE_SIZE, 0, 0, &fl);
	} while (ret == 1);
	return ret ? ret : 1;
}

/* As page_fault() in vcpu.c, for one that the switcher has told of. */
static long hc_page_fault(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_mmu_fault_info info;
	int ret;

	if (!pvhv_page_fault_args_ok(a))
		return -PVHV_EINVAL;
	ret = pvhv_mmu_fault(&v->domain->mmu, &v->mmu, a[0], a[1] & ~(u64)PVHV_PF_P, &info);
	trace_pvhv_page_fault(v->id, a[0], a[1], ret);
	switch (ret) {
	case PVHV_MMU_FILLED:
		return 0;
	case PVHV_MMU_GUEST_FAULT:
		return info.error_code;
	case -EAGAIN:
		v->slow.fault_in = true;
		v->slow.gfn = info.gfn;
		v->slow.write = info.write;
		return HC_RETRY_SLOW;
	}
	return mmu_result(v, ret);
}

static long hc_mm_drop(struct pvhv_vcpu *v, const u64 *a)
{
	/* The bigger it was the longer it takes. */
	if (v->loaded)
		return need_sleep(v);
	pvhv_mmu_mm_drop(&v->domain->mmu, a[0]);
	return 0;
}

static long hc_sync_hints(struct pvhv_vcpu *v, const u64 *a)
{
	if (!v->page)
		return -PVHV_EINVAL;
	return pvhv_sync_hints(v);
}

/* Being here is enough: interrupts are looked at before each entry. */
static long hc_irq_window(struct pvhv_vcpu *v, const u64 *a)
{
	return 0;
}

static long hc_halt(struct pvhv_vcpu *v, const u64 *a)
{
	if (!v->page)
		return -PVHV_EINVAL;
	WRITE_ONCE(v->page->vif, 1);
	return HC_SLEEP;
}

static long hc_wait(struct pvhv_vcpu *v, const u64 *a)
{
	if (!v->page || a[0] & ~(u64)PVHV_WAIT_ENABLE)
		return -PVHV_EINVAL;
	if (a[0] & PVHV_WAIT_ENABLE)
		WRITE_ONCE(v->page->vif, 1);
	return HC_WAIT;
}

static long hc_vcpu_down(struct pvhv_vcpu *v, const u64 *a)
{
	if (v->loaded)
		return need_sleep(v);
	pvhv_hc_vcpu_down(v);
	return HC_DONE;
}

static long hc_yield(struct pvhv_vcpu *v, const u64 *a)
{
	return HC_YIELD;
}

static long hc_get_time(struct pvhv_vcpu *v, const u64 *a)
{
	return pvhv_clock_now(v->domain);
}

static long hc_get_wallclock(struct pvhv_vcpu *v, const u64 *a)
{
	return ktime_get_real_ns();
}

static long hc_shutdown(struct pvhv_vcpu *v, const u64 *a)
{
	char msg[PVHV_MESSAGE_LEN] = "";
	size_t i, len = min_t(u64, a[2], sizeof(msg) - 1);
	u32 state;

	switch (a[0]) {
	case PVHV_SHUTDOWN_POWEROFF:
		state = PVHV_STATE_POWEROFF;
		break;
	case PVHV_SHUTDOWN_REBOOT:
		state = PVHV_STATE_REBOOT;
		break;
	case PVHV_SHUTDOWN_CRASH:
		state = PVHV_STATE_CRASHED;
		break;
	default:
		return -PVHV_EINVAL;
	}
	if (v->loaded)
		return need_sleep(v);
	/* A message that cannot be read is no reason to live on. */
	if (a[1] && pvhv_copy_from_guest(v, msg, a[1], len))
		strscpy(msg, "(unreadable message)", sizeof(msg));
	/* It will be shown on terminals and in logs. */
	for (i = 0; msg[i]; i++)
		if (msg[i] < ' ' || msg[i] > '~')
			msg[i] = '?';
	pvhv_domain_end(v->domain, state,
			state == PVHV_STATE_CRASHED ? PVHV_CRASH_PANIC : PVHV_CRASH_NONE,
			"%s", msg);
	return HC_DONE;
}

static long hc_set_base(struct pvhv_vcpu *v, const u64 *a)
{
	if (!pvhv_canonical(a[1]))
		return -PVHV_EINVAL;
	switch (a[0]) {
	case PVHV_BASE_FS:
		pvhv_reload_segments(v);
		v->guest->fs_base = a[1];
		pvhv_segments_changed(v);
		return 0;
	case PVHV_BASE_KERNEL_GS:
		v->guest->gs_base = a[1];
		return 0;
	}
	return -PVHV_EINVAL;
}

static long hc_set_debugreg(struct pvhv_vcpu *v, const u64 *a)
{
	/* They are in the CPU only while the vCPU is loaded. */
	return v->loaded ? need_sleep(v) : pvhv_set_debugreg(v, a[0], a[1]);
}

/* Results that do not fit into RAX need the vCPU page. */
static long hc_get_debugreg(struct pvhv_vcpu *v, const u64 *a)
{
	u64 val;
	long ret;

	if (!v->page)
		return -PVHV_EINVAL;
	ret = pvhv_get_debugreg(v, a[0], &val);
	if (!ret)
		v->page->result[0] = val;
	return ret;
}

static long hc_cpuid(struct pvhv_vcpu *v, const u64 *a)
{
	u32 out[4];

	if (!v->page)
		return -PVHV_EINVAL;
	pvhv_cpuid(v, a[0], a[1], out);
	memcpy(v->page->cpuid, out, sizeof(out));
	return 0;
}

static long hc_read_msr(struct pvhv_vcpu *v, const u64 *a)
{
	u64 val;
	long ret;

	if (!v->page)
		return -PVHV_EINVAL;
	if (upper_32_bits(a[0]))
		return -PVHV_EINVAL;
	ret = pvhv_read_msr(v, a[0], &val);
	if (!ret)
		v->page->result[0] = val;
	return ret;
}

static long hc_write_msr(struct pvhv_vcpu *v, const u64 *a)
{
	if (upper_32_bits(a[0]))
		return -PVHV_EINVAL;
	return pvhv_write_msr(v, a[0], a[1]);
}

static long hc_send_ipi(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_domain *d = v->domain;
	unsigned long mask = a[1];
	unsigned int bit;

	if (!pvhv_send_ipi_args_ok(a))
		return -PVHV_EINVAL;
	for_each_set_bit(bit, &mask, 64) {
		struct pvhv_vcpu *to = pvhv_find_vcpu(d, a[0] + bit);

		if (!to)
			return -PVHV_ENOENT;
		/* It would be the first thing that it gets when it is started. */
		if (READ_ONCE(to->power) == PVHV_VCPU_DOWN)
			continue;
		if (a[2] == PVHV_VECTOR_NMI)
			pvhv_raise_nmi(to);
		else
			pvhv_raise(to, a[2]);
	}
	return 0;
}

static long hc_get_causes(struct pvhv_vcpu *v, const u64 *a)
{
	return xchg(&v->domain->causes, 0);
}

#define SLEEPS(name)							\
static long hc_##name(struct pvhv_vcpu *v, const u64 *a)		\
{									\
	return v->loaded ? need_sleep(v) : pvhv_hc_##name(v, a);	\
}

SLEEPS(vcpu_setup)
SLEEPS(set_clock)
SLEEPS(set_ldt)
SLEEPS(vcpu_up)
SLEEPS(console_write)
SLEEPS(console_read)
SLEEPS(event_setup)
SLEEPS(event_alloc)
SLEEPS(event_bind)
SLEEPS(grant_setup)
SLEEPS(device_list)
SLEEPS(device_read)
SLEEPS(device_publish)

static long hc_event_send(struct pvhv_vcpu *v, const u64 *a)
{
	long ret = pvhv_port_send(v, a[0]);

	switch (ret) {
	case PVHV_SEND_SLEEPS:
		return need_sleep(v);
	case PVHV_SEND_MORE:
		return HC_MORE;
	}
	return ret;
}

static long hc_grant_copy(struct pvhv_vcpu *v, const u64 *a)
{
	if (v->loaded)
		return need_sleep(v);
	return pvhv_hc_grant_copy(v, a) ?: HC_MORE;
}

static long hc_multicall(struct pvhv_vcpu *v, const u64 *a);

/*
 * MULTI: allowed in a multicall, that is: needs no registers but RAX, and
 * neither sleeps nor goes elsewhere.
 */
#define MULTI	1

static const struct hypercall {
	long (*fn)(struct pvhv_vcpu *v, const u64 *a);
	unsigned int flags;
} hypercalls[PVHV_NR_HYPERCALLS] = {
#define HC(nr, handler, fl)	[PVHV_HC_##nr] = { .fn = handler, .flags = fl }
	HC(VCPU_SETUP,		hc_vcpu_setup,		0),
	HC(LOAD_CR3,		hc_load_cr3,		MULTI),
	HC(FLUSH_RANGE,		hc_flush_range,		MULTI),
	HC(FLUSH_ALL,		hc_flush_all,		MULTI),
	HC(MM_DROP,		hc_mm_drop,		MULTI),
	HC(SYNC_HINTS,		hc_sync_hints,		MULTI),
	HC(IRQ_WINDOW,		hc_irq_window,		0),
	HC(HALT,		hc_halt,		0),
	HC(YIELD,		hc_yield,		0),
	HC(SET_TIMER,		pvhv_hc_set_timer,	MULTI),
	HC(SET_CLOCK,		hc_set_clock,		0),
	HC(GET_TIME,		hc_get_time,		MULTI),
	HC(GET_WALLCLOCK,	hc_get_wallclock,	MULTI),
	HC(CONSOLE_WRITE,	hc_console_write,	0),
	HC(CONSOLE_READ,	hc_console_read,	0),
	HC(SHUTDOWN,		hc_shutdown,		0),
	HC(MULTICALL,		hc_multicall,		0),
	HC(SET_TLS,		pvhv_hc_set_tls,	MULTI),
	HC(SET_LDT,		hc_set_ldt,		0),
	HC(LOAD_GS_INDEX,	pvhv_hc_load_gs_index,	MULTI),
	HC(SET_BASE,		hc_set_base,		MULTI),
	HC(SET_DEBUGREG,	hc_set_debugreg,	MULTI),
	HC(GET_DEBUGREG,	hc_get_debugreg,	0),
	HC(CPUID,		hc_cpuid,		0),
	HC(READ_MSR,		hc_read_msr,		0),
	HC(WRITE_MSR,		hc_write_msr,		MULTI),
	HC(SEND_IPI,		hc_send_ipi,		MULTI),
	HC(VCPU_UP,		hc_vcpu_up,		0),
	HC(VCPU_DOWN,		hc_vcpu_down,		0),
	HC(SET_CPUNODE,		pvhv_hc_set_cpunode,	MULTI),
	HC(GET_CAUSES,		hc_get_causes,		MULTI),
	HC(EVENT_SETUP,		hc_event_setup,		0),
	HC(EVENT_ALLOC,		hc_event_alloc,		0),
	HC(EVENT_BIND,		hc_event_bind,		0),
	HC(EVENT_CLOSE,		pvhv_hc_event_close,	MULTI),
	HC(EVENT_SEND,		hc_event_send,		MULTI),
	HC(EVENT_UNMASK,	pvhv_hc_event_unmask,	MULTI),
	HC(EVENT_BIND_VCPU,	pvhv_hc_event_bind_vcpu, MULTI),
	HC(GRANT_SETUP,		hc_grant_setup,		0),
	HC(GRANT_COPY,		hc_grant_copy,		0),
	HC(DEVICE_LIST,		hc_device_list,		0),
	HC(DEVICE_READ,		hc_device_read,		0),
	HC(DEVICE_PUBLISH,	hc_device_publish,	0),
	HC(WAIT,		hc_wait,		0),
	HC(KICK,		pvhv_hc_kick,		MULTI),
	HC(FLUSH_MM,		hc_flush_mm,		MULTI),
	HC(GET_VCPUS,		pvhv_hc_get_vcpus,	MULTI),
	HC(PAGE_FAULT,		hc_page_fault,		0),
#undef HC
};

static const struct hypercall *find(u64 nr)
{
	const struct hypercall *hc;

	if (nr >= PVHV_NR_HYPERCALLS)
		return NULL;
	hc = &hypercalls[array_index_nospec(nr, PVHV_NR_HYPERCALLS)];
	return hc->fn ? hc : NULL;
}

/*
 * The entries are copied once. v->multicall keeps what is done already when an
 * entry has to be called again.
 */
static long hc_multicall(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_multicall_state *m = &v->multicall;
	const struct hypercall *hc;
	struct pvhv_multicall *e;
	long ret;

	if (!pvhv_multicall_args_ok(a))
		return -PVHV_EINVAL;
	if (v->loaded)
		return need_sleep(v);
	if (!m->count) {
		if (pvhv_copy_from_guest(v, m->entries, a[0], a[1] * sizeof(*e)))
			return -PVHV_EFAULT;
		m->count = a[1];
		m->done = 0;
	}
	while (m->done < m->count) {
		e = &m->entries[m->done];
		hc = find(e->nr);
		ret = -PVHV_ENOSYS;
		if (hc)
			ret = hc->flags & MULTI ? hc->fn(v, e->args) : -PVHV_EINVAL;
		if (ret == HC_RETRY_SLOW || ret == HC_MORE)
			return ret;
		e->result = ret;
		m->done++;
	}
	ret = m->count;
	m->count = 0;
	if (pvhv_copy_to_guest(v, a[0], m->entries, ret * sizeof(*e)))
		return -PVHV_EFAULT;
	return ret;
}

/**
 * pvhv_hypercall - handle a hypercall exit
 * @v:	the vCPU
 */
enum pvhv_next pvhv_hypercall(struct pvhv_vcpu *v)
{
	struct sw_regs *r = v->regs;
	const u64 args[] = { r->di, r->si, r->dx, r->r10 };
	const struct hypercall *hc = find(r->ax);
	long ret = -PVHV_ENOSYS;

	if (likely(hc)) {
		trace_pvhv_hypercall(v->id, r->ax, args[0], args[1], args[2], args[3]);
		ret = hc->fn(v, args);
	}
	switch (ret) {
	case HC_RETRY_SLOW:
	case HC_MORE:
		return PVHV_RETRY_SLOW;
	case HC_DONE:
		return PVHV_OUT;
	}
	v->stats.exit_hypercall++;
	r->ax = ret <= HC_SLEEP ? 0 : ret;
	r->vec = SW_VEC_DONE;
	if (ret == HC_SLEEP)
		return PVHV_SLEEP;
	if (ret == HC_WAIT)
		return PVHV_WAIT;
	return ret == HC_YIELD ? PVHV_YIELD : PVHV_CONTINUE;
}
