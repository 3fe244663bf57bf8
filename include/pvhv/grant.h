/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * pvhv: grants, by which a domain lets another one use a page of its own.
 *
 * The table is in the granting domain's memory, in frames that it registers
 * with PVHV_HC_GRANT_SETUP. To grant: write @domid and @gfn, then @control with
 * PVHV_GRANT_PERMIT. To revoke: compare and exchange @control from what was
 * written to 0; if PVHV_GRANT_READING or WRITING is set in it, which only the
 * hypervisor does, somebody uses the page now and the grant cannot be revoked:
 * ask the peer to stop and try again.
 *
 * The page stays alive while it is in use, whatever becomes of the grant, of
 * its table and of its domain. The hypervisor keeps its own record of uses: a guest that
 * overwrites READING or WRITING betrays only itself.
 */
#ifndef _PVHV_GRANT_H
#define _PVHV_GRANT_H

#include <pvhv/types.h>

/* The guest's half of @control */
#define PVHV_GRANT_PERMIT	(1U << 0)
#define PVHV_GRANT_READONLY	(1U << 1)
#define PVHV_GRANT_FLAGS	(PVHV_GRANT_PERMIT | PVHV_GRANT_READONLY)
/* The hypervisor's */
#define PVHV_GRANT_READING	(1U << 16)
#define PVHV_GRANT_WRITING	(1U << 17)

struct pvhv_grant_entry {
	__u32 control;
	pvhv_domid_t domid;
	__u64 gfn;
};

_Static_assert(sizeof(struct pvhv_grant_entry) == 16, "grant entry");

#define PVHV_GRANTS_PER_FRAME	256
#define PVHV_MAX_GRANT_FRAMES	128
#define PVHV_MAX_GRANTS		(PVHV_GRANTS_PER_FRAME * PVHV_MAX_GRANT_FRAMES)

/* One end of a copy: a page of the caller's, or one granted to it */
struct pvhv_copy_end {
	__u64 gfn;		/* of the caller's RAM, if @ref is PVHV_GRANT_NONE */
	pvhv_domid_t domid;	/* who granted @ref */
	pvhv_grant_t ref;
	__u32 offset;		/* in bytes, in the page */
	__u32 reserved;		/* 0 */
};

/**
 * struct pvhv_grant_copy - one entry of PVHV_HC_GRANT_COPY
 * @src:	from
 * @dst:	to
 * @len:	bytes; neither end may cross its page
 * @status:	filled in: 0 or -PVHV_Exxx
 */
struct pvhv_grant_copy {
	struct pvhv_copy_end src, dst;
	__u32 len;
	__s32 status;
};

#endif /* _PVHV_GRANT_H */
