/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The launcher's event loop: poll() over descriptors with a handler each.
 *
 * poll() and not epoll, because stdin may be a regular file. A handler may
 * add and remove any descriptor, its own too. A descriptor that is of no
 * interest (events 0) is not polled at all: a hung-up one would spin.
 */
#ifndef PVHV_TOOL_LOOP_H
#define PVHV_TOOL_LOOP_H

#include "util.h"

#define LOOP_MAX_FDS	64

typedef void (*loop_fn)(void *arg, short revents);

struct loop {
	unsigned int nr;
	struct loop_fd {
		int fd;		/* -1: free */
		short events;
		loop_fn fn;
		void *arg;
	} fds[LOOP_MAX_FDS];
};

/* -ENOSPC when there are too many */
int loop_add(struct loop *l, int fd, short events, loop_fn fn, void *arg);
void loop_set(struct loop *l, int fd, short events);
void loop_remove(struct loop *l, int fd);
/* Wait for events, at most @timeout_ms (-1: for ever), and handle them. */
void loop_once(struct loop *l, int timeout_ms);

#endif
