/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest kernel: an ELF file (vmlinux), or a bzImage with one inside, that
 * has the notes of <pvhv/start_info.h>.
 *
 * kernel_open() believes nothing in the file; what it accepts, kernel_load()
 * can copy without further checks against anything but the RAM's size.
 */
#ifndef PVHV_TOOL_KERNEL_H
#define PVHV_TOOL_KERNEL_H

#include "image.h"
#include "util.h"

#define KERNEL_MAX_SEGMENTS	32

struct kernel_segment {
	u64 gpa;		/* p_paddr */
	u64 gva;		/* p_vaddr */
	u64 offset;		/* in the file */
	u64 file_size;
	u64 mem_size;		/* >= file_size, > 0 */
};

struct kernel {
	struct image elf;	/* what to read segments from */
	bool elf_is_file;	/* @elf is the caller's file, not unpacked from it */
	char format[24];	/* "vmlinux", "bzImage (zstd)" */
	u64 entry;		/* PVHV_NOTE_ENTRY: gva */
	u64 root;		/* PVHV_NOTE_ROOT: gpa */
	u64 abi;		/* PVHV_NOTE_ABI */
	u64 end;		/* first gpa above all segments */
	unsigned int nr_segments;	/* sorted by gpa, not overlapping */
	struct kernel_segment segment[KERNEL_MAX_SEGMENTS];
};

/* @file must stay open until kernel_close(). */
int kernel_open(struct kernel *k, const struct image *file, struct errmsg *e);
/* Copy the segments into @ram, which is zero and larger than k->end. */
int kernel_load(const struct kernel *k, u8 *ram, struct errmsg *e);
void kernel_close(struct kernel *k);

#endif
