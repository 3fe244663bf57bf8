/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pvhv: a machine for the MMU's tests.
 *
 * Guest RAM is an array, host frame numbers are made up, the hardware is
 * testvm_hw(), which walks the shadow tables as a CPU in ring 3 would, and the
 * guest's view is testvm_model(), which walks the guest's tables and was
 * written apart from walk.c.
 */
#ifndef _PVHV_TESTVM_H
#define _PVHV_TESTVM_H

#include <kunit/test.h>

#include "mmu_internal.h"

/* RAM: low memory with contents, and 8 MiB at 1 GiB that only has frames */
#define LOW_GFNS	1024
#define HIGH_GFN	0x40000
#define HIGH_GFNS	2048
#define ALL_GFNS	(LOW_GFNS + HIGH_GFNS)
#define DATA_GFN	512		/* of low memory: not used for tables */
#define NO_GFN		0x3000		/* no RAM there */
#define PHYS_BITS	40

#define USER_VA		0x00007f1234400000ULL
#define KERNEL_VA	0xffff888000000000ULL
#define TEXT_VA		0xffffffff81000000ULL

/* Guest PTE flags */
#define G_TABLE		(PT_P | PT_W | PT_U | PT_A)
#define G_RW		(PT_P | PT_W | PT_U | PT_A | PT_D)
#define G_RO		(PT_P | PT_U | PT_A)
#define G_KRW		(PT_P | PT_W | PT_A | PT_D)
#define G_KRO		(PT_P | PT_A)

/* Accesses */
#define KR		0
#define KW		PVHV_ACC_WRITE
#define KX		PVHV_ACC_FETCH
#define UR		PVHV_ACC_USER
#define UW		(PVHV_ACC_USER | PVHV_ACC_WRITE)
#define UX		(PVHV_ACC_USER | PVHV_ACC_FETCH)

/* What testvm_access() returns besides the guest's error code */
#define ACCESS_OK	BIT(16)

struct testgfn {
	unsigned long rmap;
	u64 pfn;
	bool absent;		/* must be faulted in */
	bool readonly;		/* ... to be written */
	bool known;		/* has been looked up: has a reverse map */
};

enum testhook {
	HOOK_READ,		/* after a table was read, @arg: gpa */
	HOOK_CMPXCHG,		/* before it is tried, @arg: gpa */
	HOOK_PFN,		/* after a page was looked up, @arg: gfn */
};

struct testvm {
	struct kunit *test;
	struct pvhv_mmu mmu;
	struct pvhv_mmu_vcpu mv[2];
	struct pvhv_mmu_vcpu *v;	/* the current one */
	u64 *ram;
	struct testgfn *gfns;
	u64 next_table;
	u64 next_pfn;
	unsigned int host_flushes;
	unsigned int root_flushes;
	unsigned int reads;
	unsigned int faults;		/* calls of pvhv_mmu_fault() */
	void (*hook)(struct testvm *vm, enum testhook what, u64 arg);
	u64 hook_arg, hook_data;
	unsigned int hook_count;
};

/* What the guest's tables say */
struct testxlat {
	bool ok;
	u32 error;		/* P and RSVD, if not ok */
	u64 gfn;
	bool w, u, x, d;	/* as a whole; d: of the leaf */
	bool a;			/* all levels have it */
	int level;
};

struct testvm *testvm_create(struct kunit *test, u64 max_pages, int levels);
void testvm_destroy(struct testvm *vm);

struct testgfn *testvm_gfn(struct testvm *vm, u64 gfn);
u64 *testvm_ptr(struct testvm *vm, u64 gpa);
u64 testvm_new_table(struct testvm *vm);
u64 *testvm_pte(struct testvm *vm, u64 cr3, u64 gva, int level, u64 table_flags);
void testvm_map(struct testvm *vm, u64 cr3, u64 gva, u64 gfn, u64 flags);
void testvm_map_range(struct testvm *vm, u64 cr3, u64 gva, u64 gfn, unsigned int n, u64 flags);
void testvm_map_large(struct testvm *vm, u64 cr3, u64 gva, u64 gfn, int level, u64 flags);
struct testxlat testvm_model(struct testvm *vm, u64 cr3, u64 gva);
bool testvm_model_permits(const struct testxlat *x, u64 gva, u32 access);

u64 testvm_hw_pte(struct testvm *vm, struct pvhv_mmu_vcpu *mv, u64 gva, bool user);
bool testvm_hw_permits(u64 spte, u32 access);
u32 testvm_access(struct testvm *vm, u64 gva, u32 access);
unsigned int testvm_present(struct testvm *vm);
void testvm_check(struct testvm *vm);
void testvm_check_agrees(struct testvm *vm);

void testvm_load(struct testvm *vm, u64 cr3, u64 ctx, u64 gen);
void testvm_load_all(struct testvm *vm, u64 cr3);
struct pvhv_mmu_flush testvm_flush(struct testvm *vm, u64 start, u64 end, u64 gen, u64 flags);
struct pvhv_mmu_flush testvm_flush_mm(struct testvm *vm, u64 ctx, u64 start, u64 end, u64 gen,
				      u64 flags);
struct pvhv_mmu_flush testvm_flush_all(struct testvm *vm, u64 gen, u64 flags);
void testvm_hint(struct testvm *vm, u64 gva, unsigned int pages);
void testvm_host_takes(struct testvm *vm, u64 gfn);

void testvm_expect(struct testvm *vm, u64 gva, u32 access, u32 outcome, int line);
void testvm_expect_hw(struct testvm *vm, u64 gva, u32 access, bool yes, int line);

/* An access must work, must fault with these bits, is in the shadow already or not */
#define EXPECT_OK(vm, gva, access) testvm_expect(vm, gva, access, ACCESS_OK, __LINE__)
#define EXPECT_FAULT(vm, gva, access, code) testvm_expect(vm, gva, access, code, __LINE__)
#define EXPECT_HW(vm, gva, access, yes) testvm_expect_hw(vm, gva, access, yes, __LINE__)

#endif /* _PVHV_TESTVM_H */
