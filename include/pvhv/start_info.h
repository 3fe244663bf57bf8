/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * pvhv: how a guest kernel is found and started.
 *
 * The kernel is an ELF64 file, loaded at its segments' p_paddr, with notes of
 * the name "pvhv" that say where to start. The boot vCPU starts in kernel mode
 * at PVHV_NOTE_ENTRY with VIF clear, the page tables of PVHV_NOTE_ROOT, RSI =
 * the gpa of struct pvhv_start_info, flat 64-bit segments, no stack, GS base 0.
 */
#ifndef _PVHV_START_INFO_H
#define _PVHV_START_INFO_H

#define PVHV_NOTE_NAME		"pvhv"
#define PVHV_NOTE_ENTRY		1	/* u64: virtual address of the entry point */
#define PVHV_NOTE_ROOT		2	/* u64: gpa of the first page-table root, in the image */
#define PVHV_NOTE_ABI		3	/* u64: PVHV_ABI_VERSION the kernel was built for */

#define PVHV_START_MAGIC	0x7674726174537670ULL	/* "pvStartv" */

/* What the hypervisor offers; start_info.features and PVHV_GET_INFO */
#define PVHV_F_FSGSBASE		(1ULL << 0)	/* RD/WRFSBASE and RD/WRGSBASE work in ring 3 */
#define PVHV_F_CLOCK_STABLE	(1ULL << 1)	/* the TSC may be used for time */
#define PVHV_F_HINTS		(1ULL << 2)	/* the vCPU page's hints are consumed */
#define PVHV_F_CPUID_FAULTING	(1ULL << 3)	/* CPUID in user mode shows the guest's view */
#define PVHV_F_DIRECT_FAULTS	(1ULL << 4)	/* PVHV_SETUP_DIRECT_FAULTS can be asked for */

#define PVHV_MEM_RAM		1
#define PVHV_MEM_RESERVED	2	/* must not be used */

#ifndef __ASSEMBLY__
#include <linux/types.h>

struct pvhv_memmap_entry {
	__u64 addr;
	__u64 size;
	__u32 type;		/* PVHV_MEM_xxx */
	__u32 reserved;
};

/**
 * struct pvhv_start_info - what the boot vCPU is told
 * @magic:	PVHV_START_MAGIC
 * @version:	PVHV_ABI_VERSION of the hypervisor
 * @size:	bytes of this structure that are filled in
 * @features:	PVHV_F_xxx
 * @domid:	this domain
 * @nr_vcpus:	vCPUs that there are, numbered from 0; all but 0 are down
 * @tsc_khz:	frequency of the TSC
 * @cmdline:	gpa of the NUL-terminated command line
 * @cmdline_len: its length without the NUL
 * @initrd:	gpa of the initrd, page aligned; 0: none
 * @initrd_len:	its length in bytes
 * @memmap:	gpa of struct pvhv_memmap_entry[]
 * @nr_memmap:	its length
 * @nr_vcpus_boot: vCPUs that the owner wants to have started at boot
 * @rng_seed:	random bytes; the guest should erase them after use
 *
 * It, the command line and the memory map lie below 4 GiB, in RAM that the
 * memory map does not set apart: the guest keeps or copies what it needs.
 */
struct pvhv_start_info {
	__u64 magic;
	__u32 version;
	__u32 size;
	__u64 features;
	__u32 domid;
	__u32 nr_vcpus;
	__u64 tsc_khz;
	__u64 cmdline;
	__u64 cmdline_len;
	__u64 initrd;
	__u64 initrd_len;
	__u64 memmap;
	__u32 nr_memmap;
	__u32 nr_vcpus_boot;
	__u8  rng_seed[64];
};
#endif /* __ASSEMBLY__ */

#endif /* _PVHV_START_INFO_H */
