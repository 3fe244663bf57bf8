/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is looked at before a granted page is used. No state of the host's in
 * here, so that KUnit can try all of it.
 */
#ifndef _PVHV_GRANT_CHECK_H
#define _PVHV_GRANT_CHECK_H

#include <linux/errno.h>
#include <linux/mm.h>
#include <pvhv/grant.h>

/* The two halves of an entry that must be seen, and changed, together */
union pvhv_grant_word {
	struct {
		u32 control;
		pvhv_domid_t domid;
	};
	u64 word;
};

static_assert(offsetof(struct pvhv_grant_entry, control) == 0);
static_assert(offsetof(struct pvhv_grant_entry, domid) == 4);

/**
 * pvhv_grant_permits - does an entry let a domain use its page
 * @w:		as read from the table, once
 * @who:	wants to use it
 * @write:	and write
 *
 * Return: 0 or -EPERM.
 */
static inline int pvhv_grant_permits(union pvhv_grant_word w, pvhv_domid_t who, bool write)
{
	u32 unknown = ~(PVHV_GRANT_FLAGS | PVHV_GRANT_READING | PVHV_GRANT_WRITING);

	if (!(w.control & PVHV_GRANT_PERMIT) || w.control & unknown || w.domid != who ||
	    (write && w.control & PVHV_GRANT_READONLY))
		return -EPERM;
	return 0;
}

/* What the hypervisor sets while it uses a page */
static inline u32 pvhv_grant_mark(bool write)
{
	return write ? PVHV_GRANT_WRITING : PVHV_GRANT_READING;
}

static inline bool pvhv_part_of_page(u32 offset, u32 len)
{
	return offset <= PAGE_SIZE && len <= PAGE_SIZE - offset;
}

static inline bool pvhv_grant_copy_ok(const struct pvhv_grant_copy *c)
{
	return !c->src.reserved && !c->dst.reserved &&
	       pvhv_part_of_page(c->src.offset, c->len) &&
	       pvhv_part_of_page(c->dst.offset, c->len);
}

#endif /* _PVHV_GRANT_CHECK_H */
