/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PVHV_CONFRONT_H
#define _PVHV_CONFRONT_H

#include <pvhv/conif.h>

struct confront;

/* hvc_pvhv.c: use this ring from now on, NULL: hypercalls. Nobody uses the last one then. */
void pvhv_console_use(struct confront *cf);
/*
 * The same as NULL, when the backend has let go: what is in the ring still is printed by
 * hypercalls, before anything else.
 */
void pvhv_console_leave(struct confront *cf);
/* Look for input, and for output that waits. Any context */
void pvhv_console_poll(void);

/*
 * Bytes written or read, maybe 0; -1: the ring is not to be used any more. Each is
 * called by one at a time.
 */
int confront_write(struct confront *cf, const char *buf, int count);
int confront_read(struct confront *cf, char *buf, int count);
/* What the backend has not taken: at most CONFRONT_LEFT bytes, half of an area */
#define CONFRONT_LEFT	(PVHV_CON_RING_PAGES * 4096 / 2)
int confront_left(struct confront *cf, char *buf);

#endif /* _PVHV_CONFRONT_H */
