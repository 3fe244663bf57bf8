/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest RAM and what lies in it when a guest starts.
 *
 *	0x0000		not used, not in the memory map
 *	0x1000		struct pvhv_start_info, then the memory map
 *	0x2000		the command line
 *	0x3000		free
 *	p_paddr		the kernel's segments; Linux: 16 MiB
 *	...		free
 *	near the top	the initrd: as high as it fits below 4 GiB, below a mem=
 *			of the command line and beside the kernel, never below
 *			1 MiB, where Linux keeps out of what was the BIOS's
 *
 * RAM is one block from 0; the memory map says [0x1000, size).
 */
#ifndef PVHV_TOOL_GUEST_H
#define PVHV_TOOL_GUEST_H

#include "kernel.h"
#include "util.h"

#define GUEST_START_INFO	0x1000ULL
#define GUEST_CMDLINE		0x2000ULL
#define GUEST_LOW_END		0x3000ULL	/* a kernel must not be loaded below */
#define GUEST_INITRD_MIN	(1 * MIB)
#define GUEST_INITRD_LIMIT	(4 * GIB)
#define GUEST_CMDLINE_MAX	2047		/* Linux's COMMAND_LINE_SIZE with the NUL */
#define GUEST_MIN_MEMORY	(1 * MIB)
#define GUEST_MAX_MEMORY	(16384 * GIB)

/* Whose fault a layout that is impossible is, for the message. */
enum layout_culprit { LAYOUT_MEMORY, LAYOUT_KERNEL, LAYOUT_INITRD, LAYOUT_APPEND };

struct layout {
	u64 memory;
	u64 initrd;		/* gpa, 0: none */
	u64 initrd_size;
};

/* What the start information tells beside the layout. */
struct start_params {
	u64 features;
	u64 tsc_khz;
	u32 domid;
	u32 nr_vcpus;
	u32 nr_vcpus_boot;
	const char *cmdline;
};

/*
 * The guest's command line: "console=hvc0 " before @append unless that has a
 * console= of its own. malloc'ed.
 */
char *guest_cmdline(const char *append);

/* Find a place for everything, or say why there is none. */
int layout_plan(struct layout *l, const struct kernel *k, u64 memory, u64 initrd_size,
		const char *cmdline, enum layout_culprit *culprit, struct errmsg *e);

/* Address space for guest RAM, not populated; NULL and errno */
u8 *guest_ram_alloc(u64 size);
/* Give the contents back: all zero afterwards */
int guest_ram_clear(u8 *ram, u64 size);

/* Fill @ram, which is zero, for a start. */
int guest_load(u8 *ram, const struct layout *l, const struct kernel *k,
	       const struct image *initrd, const struct start_params *p,
	       enum layout_culprit *culprit, struct errmsg *e);

#endif
