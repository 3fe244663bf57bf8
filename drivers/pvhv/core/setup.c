// SPDX-License-Identifier: GPL-2.0
/*
 * The pages that a guest registers to be shared with us: vCPU and clock page.
 * They are pinned while registered, one page each.
 */
#include <linux/bitops.h>
#include <linux/mm.h>

#include "pvhv.h"
#include "../mmu/access.h"
#include "../../../arch/x86/pvhv/host/area.h"

/**
 * pvhv_hc_vcpu_setup - PVHV_HC_VCPU_SETUP
 * @v:	the vCPU, not loaded
 * @a:	arguments
 */
long pvhv_hc_vcpu_setup(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_domain *d = v->domain;
	struct sw_guest *g = v->guest;
	struct pvhv_vcpu_setup s;
	struct page *page;
	bool direct;
	u8 vif = 0;
	int ret;

	if (!pvhv_in_one_page(a[0], sizeof(s)))
		return -PVHV_EINVAL;
	if (pvhv_copy_from_guest(v, &s, a[0], sizeof(s)))
		return -PVHV_EFAULT;
	direct = s.flags & PVHV_SETUP_DIRECT_FAULTS;
	if (!pvhv_vcpu_setup_ok(&s) || (direct && !(pvhv_features() & PVHV_F_DIRECT_FAULTS)))
		return -PVHV_EINVAL;
	page = pvhv_pin_guest_page(d, s.page_gpa);
	if (IS_ERR(page))
		return PTR_ERR(page);

	mutex_lock(&d->lock);
	ret = pvhv_window_map(d, v->id, 0, page);
	if (ret) {
		mutex_unlock(&d->lock);
		pvhv_unpin_guest_page(page);
		return ret;
	}
	if (v->page) {
		vif = !!READ_ONCE(v->page->vif);
		/* What was told there and not yet taken is told again here. */
		set_mask_bits(&v->event_sel, 0, xchg(&v->page->event_sel, 0));
		if (v->event_sel)
			pvhv_raise(v, PVHV_VECTOR_EVENT);
	}
	if (v->page_ref)
		pvhv_unpin_guest_page(v->page_ref);
	v->page_ref = page;
	v->page = page_address(page);
	mutex_unlock(&d->lock);

	/* The interrupt flag is the vCPU's, not the page's. */
	v->page->vif = vif;
	v->page->pending = 0;
	v->page->in_delivery = 0;
	v->page->nr_hints = 0;
	g->vp = pvhv_window_address(v->id);
	g->entry_syscall = s.entry_syscall;
	g->ret_sysret = s.ret_user_sysret;
	g->ret_iret = s.ret_user_iret;
	g->ret_kernel = s.ret_kernel;
	g->kernel_gs = s.kernel_gs_base;
	g->entry_event_user = s.entry_event_user;
	g->direct_faults = direct;
	v->entry_event_kernel = s.entry_event_kernel;
	v->entry_double_fault = s.entry_double_fault;
	v->df_stack = s.df_stack;

	/* What the TLBs know of the window is wrong now. */
	atomic64_inc(&d->mmu.tlb_gen);
	pvhv_mmu_host_flush(&d->mmu);
	return 0;
}

/* At the end of the domain */
void pvhv_vcpu_unregister(struct pvhv_vcpu *v)
{
	if (v->page_ref)
		pvhv_unpin_guest_page(v->page_ref);
	v->page_ref = NULL;
	v->page = NULL;
}

/**
 * pvhv_hc_set_clock - PVHV_HC_SET_CLOCK
 * @v:	the vCPU, not loaded
 * @a:	arguments
 */
long pvhv_hc_set_clock(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_domain *d = v->domain;
	struct page *page, *old;

	if (a[0] & ~PAGE_MASK)
		return -PVHV_EINVAL;
	page = pvhv_pin_guest_page(d, a[0]);
	if (IS_ERR(page))
		return PTR_ERR(page);
	mutex_lock(&d->lock);
	old = d->clock_page;
	d->clock_page = page;
	pvhv_clock_write(d);
	mutex_unlock(&d->lock);
	if (old)
		pvhv_unpin_guest_page(old);
	return 0;
}
