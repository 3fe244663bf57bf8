/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PVHV_AREA_H
#define _PVHV_AREA_H

#include <linux/percpu.h>
#include "../../../../drivers/pvhv/core/pvhv.h"

/* A vCPU's part of its domain's window */
#define PVHV_WINDOW_STRIDE	0x40000
#define PVHV_WINDOW_LDT		16	/* first page of the LDT */

/*
 * PCIDs of guests: Linux uses 1..6 and 0x801..0x806 for itself. A pair for
 * each root that a CPU remembers: the kernel's and the user's view.
 */
#define PVHV_PCID_BASE		0x100
#define PVHV_PCID_PAIRS		4

/* Reads as one */
#define PVHV_DR7_FIXED		0x400UL

struct pvhv_pcid {
	u64 root;		/* id of the root, 0: free */
	u64 gen;		/* mmu->tlb_gen that the TLB is up to date with */
};

/**
 * struct pvhv_area - a CPU's switcher
 * @pages:	of the area, see switcher.h
 * @data:	kernel's address of the data page
 * @regs:	of the registers at the top of the entry stack
 * @last_domain: unique_id of the domain that ran here last
 */
struct pvhv_area {
	struct page *pages[SW_NR_PAGES];
	struct sw_data *data;
	struct sw_regs *regs;
	struct desc_struct *gdt;
	void (*enter)(void);
	u64 lstar, cstar;
	struct pvhv_pcid pcid[PVHV_PCID_PAIRS];
	int next_pcid;
	u64 last_domain;
};

DECLARE_PER_CPU(struct pvhv_area, pvhv_area);

int pvhv_areas_init(void);
void pvhv_areas_exit(void);
void pvhv_cpu_features(struct pvhv_area *a);

/*
 * The host's helpers keep a shadow of CR4 that must not see what we do while
 * a vCPU is loaded: whatever they write in between is looked at again before
 * each entry.
 */
static inline unsigned long pvhv_raw_cr4(void)
{
	unsigned long val;

	asm volatile("mov %%cr4, %0" : "=r" (val) : : "memory");
	return val;
}

static inline void pvhv_set_raw_cr4(unsigned long val)
{
	asm volatile("mov %0, %%cr4" : : "r" (val) : "memory");
}

#endif /* _PVHV_AREA_H */
