/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unpacking of the compressed kernel inside a bzImage.
 */
#ifndef PVHV_TOOL_UNPACK_H
#define PVHV_TOOL_UNPACK_H

#include "util.h"

#define UNPACK_MAX	(1 * GIB)	/* no kernel is that large */

/* "gzip", "xz", ... by its first bytes; NULL: none that is known */
const char *unpack_format(const u8 *in, size_t len);

/*
 * Unpack @in, the payload of a bzImage: a compressed stream whose last four
 * bytes are the unpacked size (gzip has them by itself, the kernel's build
 * appends them to the others). What is unpacked must have just that size.
 * Returns a malloc'ed buffer, or NULL.
 */
u8 *unpack_payload(const u8 *in, size_t len, size_t *out_len, struct errmsg *e);

#endif
