// SPDX-License-Identifier: GPL-2.0
/*
 * Segment descriptors: the guest's TLS entries, its LDT and the selectors that
 * it may load. Every descriptor that hardware can see was checked here.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <asm/desc.h>
#include <asm/segment.h>

#include "pvhv.h"
#include "../../../arch/x86/pvhv/host/area.h"

/*
 * Code or data of ring 3 that is not both 64-bit and 32-bit; or nothing at
 * all. The accessed bit is set so that the CPU never has to write to it.
 */
static bool check_desc(struct desc_struct *d)
{
	/* Loading what is not present is #NP, if it is a segment at all. */
	if (!d->p) {
		if (!d->s)
			memset(d, 0, sizeof(*d));
		return true;
	}
	if (!d->s || d->dpl != 3)
		return false;
	if (d->type & 8 && d->l && d->d)
		return false;
	/* Conforming code: no use, and a way to run it at another CPL */
	if ((d->type & 12) == 12)
		return false;
	d->type |= 1;
	return true;
}

static struct desc_struct desc_of(u64 raw)
{
	struct desc_struct d;

	memcpy(&d, &raw, sizeof(d));
	return d;
}

/**
 * pvhv_hc_set_tls - PVHV_HC_SET_TLS
 * @v:	the vCPU
 * @a:	arguments
 */
long pvhv_hc_set_tls(struct pvhv_vcpu *v, const u64 *a)
{
	struct desc_struct tls[3];
	int i;

	for (i = 0; i < 3; i++) {
		tls[i] = desc_of(a[i]);
		if (!check_desc(&tls[i]))
			return -PVHV_EINVAL;
	}
	pvhv_reload_segments(v);
	memcpy(v->tls, tls, sizeof(tls));
	pvhv_segments_changed(v);
	return 0;
}

long pvhv_hc_set_cpunode(struct pvhv_vcpu *v, const u64 *a)
{
	if (a[0] > 0xfffff)
		return -PVHV_EINVAL;
	pvhv_reload_segments(v);
	v->cpunode = a[0];
	pvhv_segments_changed(v);
	return 0;
}

static int map_ldt(struct pvhv_vcpu *v)
{
	int i, ret;

	v->ldt = alloc_pages_exact(PVHV_LDT_PAGES * PAGE_SIZE, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!v->ldt)
		return -ENOMEM;
	for (i = 0; i < PVHV_LDT_PAGES; i++) {
		ret = pvhv_window_map(v->domain, v->id, PVHV_WINDOW_LDT + i,
				      virt_to_page((void *)v->ldt + i * PAGE_SIZE));
		if (ret)
			goto unmap;
	}
	return 0;

unmap:
	while (i--)
		pvhv_window_map(v->domain, v->id, PVHV_WINDOW_LDT + i, NULL);
	free_pages_exact(v->ldt, PVHV_LDT_PAGES * PAGE_SIZE);
	v->ldt = NULL;
	return ret;
}

/**
 * pvhv_hc_set_ldt - PVHV_HC_SET_LDT
 * @v:	the vCPU, not loaded
 * @a:	arguments
 *
 * Invalid entries make the whole call fail and leave the LDT as it was.
 */
long pvhv_hc_set_ldt(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_domain *d = v->domain;
	struct desc_struct *copy = NULL;
	size_t len = a[1] * 8;
	long ret;
	u32 i;

	if (a[1] > 8192)
		return -PVHV_EINVAL;
	if (a[1]) {
		copy = kvmalloc(len, GFP_KERNEL_ACCOUNT);
		if (!copy)
			return -PVHV_ENOMEM;
		ret = pvhv_copy_from_guest_virt(v, copy, a[0], len, false);
		if (ret)
			goto out;
		ret = -PVHV_EINVAL;
		for (i = 0; i < a[1]; i++)
			if (!check_desc(&copy[i]))
				goto out;
		mutex_lock(&d->lock);
		ret = v->ldt ? 0 : map_ldt(v);
		mutex_unlock(&d->lock);
		if (ret)
			goto out;
		memcpy(v->ldt, copy, len);
	}
	v->nr_ldt = a[1];
	/* The vCPU is not loaded, so it will load its segments anyway. */
	pvhv_segments_changed(v);
	ret = 0;
out:
	kvfree(copy);
	return ret;
}

static bool find_desc(struct pvhv_vcpu *v, u16 sel, struct desc_struct *d)
{
	unsigned int i = sel >> 3;

	if (sel & SEGMENT_TI_MASK) {
		if (i >= v->nr_ldt)
			return false;
		*d = v->ldt[i];
		return true;
	}
	switch (i) {
	/* As in Linux's gdt_page */
	case GDT_ENTRY_DEFAULT_USER32_CS:
		*d = desc_of(0x00cffb000000ffffULL);
		return true;
	case GDT_ENTRY_DEFAULT_USER_DS:
		*d = desc_of(0x00cff3000000ffffULL);
		return true;
	case GDT_ENTRY_DEFAULT_USER_CS:
		*d = desc_of(0x00affb000000ffffULL);
		return true;
	case GDT_ENTRY_TLS_MIN ... GDT_ENTRY_TLS_MAX:
		*d = v->tls[i - GDT_ENTRY_TLS_MIN];
		return true;
	case GDT_ENTRY_CPUNODE:
		*d = desc_of(0x0040f50000000000ULL);
		return true;
	}
	return false;
}

static bool loadable(struct pvhv_vcpu *v, u16 sel, struct desc_struct *d)
{
	if (!find_desc(v, sel, d) || !d->p)
		return false;
	/* Data, or readable code */
	return !(d->type & 8) || d->type & 2;
}

/**
 * pvhv_selector_ok - can a selector be loaded into DS, ES, FS, GS in ring 3
 * @v:	the vCPU
 * @sel: selector
 */
bool pvhv_selector_ok(struct pvhv_vcpu *v, u16 sel)
{
	struct desc_struct d;

	/* Any RPL will do for a data segment of DPL 3; null loads always. */
	return !(sel & ~3) || loadable(v, sel, &d);
}

/**
 * pvhv_code_address - the linear address of the next instruction
 * @v:	the vCPU
 *
 * It is RIP, but for 16-bit and 32-bit code of an LDT.
 */
u64 pvhv_code_address(struct pvhv_vcpu *v)
{
	struct desc_struct d;

	if (!find_desc(v, v->regs->cs, &d) || d.l)
		return v->regs->ip;
	return (u32)(get_desc_base(&d) + v->regs->ip);
}

/**
 * pvhv_hc_load_gs_index - PVHV_HC_LOAD_GS_INDEX
 * @v:	the vCPU
 * @a:	arguments
 */
long pvhv_hc_load_gs_index(struct pvhv_vcpu *v, const u64 *a)
{
	struct desc_struct d = { };

	if (a[0] > 0xffff || !v->page)
		return -PVHV_EINVAL;
	if (a[0] & ~3ULL && !loadable(v, a[0], &d))
		return -PVHV_EINVAL;
	pvhv_reload_segments(v);
	v->guest->gs = a[0];
	pvhv_segments_changed(v);
	v->page->user_gs_base = d.base0 | d.base1 << 16 | (u32)d.base2 << 24;
	return 0;
}
