// SPDX-License-Identifier: GPL-2.0
/*
 * The pvhv clock: nanoseconds since the domain was made, the same on all of
 * its vCPUs; its page; and the one-shot timers.
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <asm/pvclock.h>
#include <asm/tsc.h>

#include "pvhv.h"

static u32 tsc_mul __ro_after_init;
static s8 tsc_shift __ro_after_init;

/**
 * pvhv_clock_stable - may guests compute time from the TSC
 *
 * Else they get PVHV_HC_GET_TIME only: a TSC that Linux itself does not trust
 * may differ between CPUs or stop.
 */
bool pvhv_clock_stable(void)
{
	return boot_cpu_has(X86_FEATURE_TSC) && tsc_khz && !check_tsc_unstable();
}

/*
 * ns = (tsc << shift) * mul >> 32, or >> -shift first; see pvclock-abi.h. The
 * largest mul that fits 32 bits gives the best precision.
 */
void __init pvhv_clock_setup(void)
{
	u64 khz = tsc_khz;

	if (!khz)
		return;
	/* Want 1e6 << 32 / khz to be in [2^31, 2^32) */
	while (khz > 2000000ULL) {
		khz >>= 1;
		tsc_shift--;
	}
	while (khz <= 1000000ULL) {
		khz <<= 1;
		tsc_shift++;
	}
	tsc_mul = div64_u64(1000000ULL << 32, khz);
}

void pvhv_clock_init(struct pvhv_domain *d)
{
	d->clock_base = pvhv_clock_stable() ? rdtsc_ordered() : ktime_get_ns();
	d->clock_is_tsc = pvhv_clock_stable();
}

/**
 * pvhv_clock_now - ns of the domain's clock
 * @d:	the domain
 */
u64 pvhv_clock_now(struct pvhv_domain *d)
{
	if (d->clock_is_tsc)
		return pvclock_scale_delta(rdtsc_ordered() - d->clock_base, tsc_mul, tsc_shift);
	return ktime_get_ns() - d->clock_base;
}

/**
 * pvhv_clock_write - fill the clock page
 * @d:	the domain, d->lock held
 *
 * Nothing in it changes as long as the TSC is good, so once is enough.
 */
void pvhv_clock_write(struct pvhv_domain *d)
{
	struct pvclock_vcpu_time_info *ti = page_address(d->clock_page);
	u32 version = (READ_ONCE(ti->version) & ~1U) + 2;

	WRITE_ONCE(ti->version, version - 1);
	smp_wmb();	/* odd version, then data */
	ti->pad0 = 0;
	ti->tsc_timestamp = d->clock_is_tsc ? d->clock_base : 0;
	ti->system_time = 0;
	ti->tsc_to_system_mul = tsc_mul;
	ti->tsc_shift = tsc_shift;
	ti->flags = d->clock_is_tsc ? PVCLOCK_TSC_STABLE_BIT : 0;
	smp_wmb();	/* data, then even version */
	WRITE_ONCE(ti->version, version);
}

static enum hrtimer_restart timer_fn(struct hrtimer *t)
{
	pvhv_raise(container_of(t, struct pvhv_vcpu, timer), PVHV_VECTOR_TIMER);
	return HRTIMER_NORESTART;
}

void pvhv_timer_init(struct pvhv_vcpu *v)
{
	hrtimer_init(&v->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	v->timer.function = timer_fn;
}

/**
 * pvhv_hc_set_timer - PVHV_HC_SET_TIMER
 * @v:	the vCPU
 * @a:	arguments
 */
long pvhv_hc_set_timer(struct pvhv_vcpu *v, const u64 *a)
{
	s64 delta;

	if (!a[0]) {
		hrtimer_cancel(&v->timer);
		return 0;
	}
	delta = a[0] - pvhv_clock_now(v->domain);
	if (a[0] > S64_MAX)
		delta = KTIME_MAX;
	if (delta <= 0) {
		hrtimer_cancel(&v->timer);
		pvhv_raise(v, PVHV_VECTOR_TIMER);
	} else {
		hrtimer_start(&v->timer, delta, HRTIMER_MODE_REL);
	}
	return 0;
}
