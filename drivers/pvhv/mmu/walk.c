// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv: walking the guest's page tables.
 *
 * The guest's tables have four levels and mean what the architecture says,
 * with NX and SMEP on, SMAP and protection keys off, and two differences: the
 * kernel half is never accessible to user mode, whatever its U bits say, and
 * slots 256..259 are empty. A table or page outside of RAM is reported like a
 * reserved bit: there is no device behind it that could answer.
 */
#include "mmu_internal.h"

/* Reserved when PT_PS is set, by level: low address bits, or PT_PS itself */
static const u64 rsvd_ps[5] = {
	[2] = GENMASK_ULL(20, 13),
	[3] = GENMASK_ULL(29, 13),
	[4] = PT_PS,
};

/**
 * pvhv_walk() - find what the guest's tables say about an address
 * @mmu:	the domain's MMU
 * @cr3:	the guest's PML4 (gpa)
 * @gva:	the address
 * @lowest:	1, or 2 to stop short of reading an entry of an L1 table: then
 *		w->level is 1, w->gpa[1] is the table's and w->acc is w->upper
 * @w:		out
 *
 * Permissions are collected, not checked; A and D are left alone. PT_A in
 * w->acc tells whether all levels have it.
 *
 * Return: 0, PVHV_MMU_GUEST_FAULT with w->error, -EAGAIN with w->gfn.
 */
int pvhv_walk(struct pvhv_mmu *mmu, u64 cr3, u64 gva, int lowest, struct pvhv_walk *w)
{
	u64 acc = ACC_ALL | PT_A;
	u64 table = cr3;
	int level = 4;

	w->error = 0;
	if (!pvhv_is_user_half(gva)) {
		if (!pvhv_is_kernel_half(gva) || pvhv_is_hole(gva))
			return PVHV_MMU_GUEST_FAULT;
		acc &= ~ACC_U;
	}

	for (;; level--) {
		u64 gpa = table | pvhv_index(gva, level) << 3;
		u64 rsvd = mmu->rsvd;
		u64 pte;
		int r;

		w->gpa[level] = gpa;
		w->upper = acc;
		if (level < lowest) {
			w->gpa[level] = table;
			w->pte[level] = 0;
			w->acc = acc;
			w->level = level;
			return 0;
		}
		r = pvhv_gpt_read(mmu, gpa, &pte);
		if (unlikely(r)) {
			if (r == -EAGAIN) {
				w->gfn = gpa >> PAGE_SHIFT;
				return r;
			}
			goto rsvd;
		}
		w->pte[level] = pte;
		if (!(pte & PT_P))
			return PVHV_MMU_GUEST_FAULT;
		if (level > 1 && (pte & PT_PS))
			rsvd |= rsvd_ps[level];
		if (unlikely(pte & rsvd))
			goto rsvd;
		acc &= pte ^ PT_NX;
		table = pte & PT_ADDR;
		if (level == 1 || (pte & PT_PS))
			break;
	}

	w->acc = acc;
	w->level = level;
	w->gfn = table >> PAGE_SHIFT;
	if (level > 1) {
		u64 pages = BIT_ULL(9 * (level - 1));

		w->gfn &= ~(pages - 1);
		w->gfn |= (gva >> PAGE_SHIFT) & (pages - 1);
	}
	return 0;
rsvd:
	w->error = PVHV_PF_P | PVHV_PF_RSVD;
	return PVHV_MMU_GUEST_FAULT;
}

/**
 * pvhv_walk_mark() - set A, and other bits in the leaf, as hardware would
 * @mmu:	the domain's MMU
 * @w:		a successful walk
 * @leaf_bits:	what to set in the leaf; PT_A for the levels above is implied
 * @gfn:	out: for -EAGAIN, page that must be writable
 *
 * Return: 0, 1 if an entry has changed since (walk again), -EAGAIN.
 */
int pvhv_walk_mark(struct pvhv_mmu *mmu, const struct pvhv_walk *w, u64 leaf_bits, u64 *gfn)
{
	int level;

	for (level = 4; level >= w->level; level--) {
		u64 need = level == w->level ? leaf_bits : PT_A;
		u64 pte = w->pte[level];
		int r;

		if (likely((pte & need) == need))
			continue;
		r = pvhv_gpt_cmpxchg(mmu, w->gpa[level], pte, pte | need);
		if (r == -EAGAIN)
			*gfn = w->gpa[level] >> PAGE_SHIFT;
		if (r)
			return r == -EAGAIN ? r : 1;
	}
	return 0;
}

/**
 * pvhv_mmu_translate() - what an address means to the guest now
 * @mmu:	the domain's MMU
 * @mv:		whose root is used
 * @gva:	the address
 * @access:	PVHV_ACC_xxx
 * @gpa:	out: guest-physical address; not checked to be RAM
 * @out:	out: error code or missing page
 *
 * Fills nothing and leaves A and D alone. Not ordered against changes by
 * other vCPUs: the answer may be old when it arrives, as any TLB's.
 *
 * Return: 0, PVHV_MMU_GUEST_FAULT with out->error_code, -EAGAIN with out->gfn.
 */
int pvhv_mmu_translate(struct pvhv_mmu *mmu, struct pvhv_mmu_vcpu *mv, u64 gva, u32 access,
		       u64 *gpa, struct pvhv_mmu_fault_info *out)
{
	struct pvhv_walk w;
	int r;

	r = pvhv_walk(mmu, pvhv_mmu_cr3(mv), gva, 1, &w);
	if (!r && !pvhv_access_ok(w.acc, access)) {
		w.error = PVHV_PF_P;
		r = PVHV_MMU_GUEST_FAULT;
	}
	if (!r) {
		*gpa = w.gfn << PAGE_SHIFT | (gva & ~PAGE_MASK);
	} else if (r == -EAGAIN) {
		out->gfn = w.gfn;
		out->write = false;
	} else {
		out->error_code = w.error | access;
	}
	return r;
}
