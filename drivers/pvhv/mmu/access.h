/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pvhv: what the MMU needs from whoever embeds it.
 *
 * The shadow MMU knows guest-physical addresses, host frame numbers and pages
 * of its own, nothing else of the host. These few functions are the rest: the
 * module implements them over its memory slots, the KUnit build over an array.
 *
 * All are called under spinlocks except the two that flush TLBs, so none may
 * sleep; "would have to sleep" is -EAGAIN. They are called for addresses that
 * the guest made up, so any u64 below 2^52 must be safe.
 */
#ifndef _PVHV_MMU_ACCESS_H
#define _PVHV_MMU_ACCESS_H

#include <linux/types.h>

struct pvhv_mmu;
struct pvhv_root;

/**
 * pvhv_gpt_read() - read one entry of a guest page table
 * @mmu: the domain's MMU
 * @gpa: where, 8-byte aligned
 * @val: out: the entry, read at once
 *
 * Return: 0, -ENOENT if there is no RAM, -EAGAIN if it is not resident now.
 */
int pvhv_gpt_read(struct pvhv_mmu *mmu, u64 gpa, u64 *val);

/**
 * pvhv_gpt_read_line() - read eight neighbouring entries of a guest page table
 * @mmu: the domain's MMU
 * @gpa: where, 64-byte aligned
 * @val: out: the entries, each read at once
 *
 * One translation serves the missed entry and those filled around it.
 *
 * Return: as pvhv_gpt_read().
 */
int pvhv_gpt_read_line(struct pvhv_mmu *mmu, u64 gpa, u64 val[8]);

/**
 * pvhv_gpt_cmpxchg() - change one entry of a guest page table
 * @mmu: the domain's MMU
 * @gpa: where, 8-byte aligned
 * @old: what it is expected to be
 * @new: what it shall become
 *
 * Return: 0 done, 1 it was not @old, -ENOENT, -EAGAIN (also: not writable now).
 */
int pvhv_gpt_cmpxchg(struct pvhv_mmu *mmu, u64 gpa, u64 old, u64 new);

/**
 * pvhv_gfn_to_pfn() - where a page of guest RAM is now
 * @mmu:	the domain's MMU
 * @gfn:	guest frame number
 * @write:	it is going to be mapped writable
 * @pfn:	out: host frame number
 * @writable:	out: it may be mapped writable (always true after @write)
 * @rmap:	out: what pvhv_gfn_rmap() returns
 *
 * No reference is taken: the MMU relies on pvhv_mmu_invalidate_begin() being
 * called before the host takes the page away. A page that is reported writable
 * may be written from now on: mark it dirty here.
 *
 * Return: 0, -ENOENT if there is no RAM, -EAGAIN if it must be faulted in, resident or not.
 */
int pvhv_gfn_to_pfn(struct pvhv_mmu *mmu, u64 gfn, bool write, u64 *pfn, bool *writable,
		    unsigned long **rmap);

/**
 * pvhv_gfn_rmap() - the reverse-map word of a page of guest RAM
 * @mmu: the domain's MMU
 * @gfn: guest frame number
 *
 * The word is zero at first and belongs to the MMU until pvhv_mmu_destroy(),
 * after which it is zero again.
 *
 * Return: the word, NULL if there is no RAM or pvhv_gfn_to_pfn() has never found the page.
 */
unsigned long *pvhv_gfn_rmap(struct pvhv_mmu *mmu, u64 gfn);

/**
 * pvhv_gfn_skip() - pass over pages of RAM that have no reverse-map word
 * @mmu: the domain's MMU
 * @gfn: guest frame number of a page of RAM
 *
 * Return: @gfn if it may have a word, else a later page, before which there are none.
 */
u64 pvhv_gfn_skip(struct pvhv_mmu *mmu, u64 gfn);

/**
 * pvhv_mmu_host_flush() - no CPU may use translations older than now
 * @mmu: the domain's MMU
 *
 * mmu->tlb_gen has been incremented before. On return, no CPU runs a vCPU of
 * the domain with what it cached before that increment; CPUs that are not in
 * the guest need not be disturbed, they flush when they enter next. Called
 * without spinlocks, may wait for other CPUs.
 */
void pvhv_mmu_host_flush(struct pvhv_mmu *mmu);

/**
 * pvhv_mmu_host_flush_root() - no CPU may use old translations of an address space
 * @mmu: the domain's MMU
 * @root: the address space, which stays; NULL: of any
 *
 * As pvhv_mmu_host_flush(), but CPUs that have entered the guest since tlb_gen was last
 * incremented, or with another address space, are not disturbed.
 */
void pvhv_mmu_host_flush_root(struct pvhv_mmu *mmu, const struct pvhv_root *root);

/**
 * pvhv_table_pa() - what a page-table entry or CR3 holds to point at a table
 * @table: a page of the MMU's own
 *
 * Return: physical address, with the memory encryption bit if the host has it.
 */
u64 pvhv_table_pa(const void *table);

/**
 * pvhv_leaf_pa() - what a leaf entry holds to point at a page of guest RAM
 * @pfn: from pvhv_gfn_to_pfn()
 *
 * Return: physical address, with the memory encryption bit if the host has it.
 */
u64 pvhv_leaf_pa(u64 pfn);

#endif /* _PVHV_MMU_ACCESS_H */
