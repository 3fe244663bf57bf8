/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PVHV_CONFRONT_H
#define _PVHV_CONFRONT_H

struct confront;

/* hvc_pvhv.c: use this ring from now on, NULL: hypercalls. Nobody uses the last one then. */
void pvhv_console_use(struct confront *cf);
/* Look for input, and for output that waits. Any context */
void pvhv_console_poll(void);

/*
 * Bytes written or read, maybe 0; -1: the ring is not to be used any more. Each is
 * called by one at a time.
 */
int confront_write(struct confront *cf, const char *buf, int count);
int confront_read(struct confront *cf, char *buf, int count);

#endif /* _PVHV_CONFRONT_H */
