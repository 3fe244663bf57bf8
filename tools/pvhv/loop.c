// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <poll.h>

#include "loop.h"

static struct loop_fd *find(struct loop *l, int fd)
{
	unsigned int i;

	for (i = 0; i < l->nr; i++)
		if (l->fds[i].fd == fd)
			return &l->fds[i];
	return NULL;
}

int loop_add(struct loop *l, int fd, short events, loop_fn fn, void *arg)
{
	struct loop_fd *f = find(l, -1);

	if (!f) {
		if (l->nr == LOOP_MAX_FDS)
			return -ENOSPC;
		f = &l->fds[l->nr++];
	}
	*f = (struct loop_fd){ .fd = fd, .events = events, .fn = fn, .arg = arg };
	return 0;
}

void loop_set(struct loop *l, int fd, short events)
{
	struct loop_fd *f = find(l, fd);

	if (f && fd >= 0)
		f->events = events;
}

void loop_remove(struct loop *l, int fd)
{
	struct loop_fd *f = find(l, fd);

	if (f && fd >= 0)
		f->fd = -1;
}

void loop_once(struct loop *l, int timeout_ms)
{
	struct pollfd pfd[LOOP_MAX_FDS];
	struct loop_fd seen[LOOP_MAX_FDS];
	unsigned int nr = l->nr, i;

	for (i = 0; i < nr; i++) {
		seen[i] = l->fds[i];
		pfd[i].fd = seen[i].events ? seen[i].fd : -1;
		pfd[i].events = seen[i].events;
		pfd[i].revents = 0;
	}
	if (poll(pfd, nr, timeout_ms) <= 0)
		return;
	for (i = 0; i < nr; i++) {
		struct loop_fd *f = &l->fds[i];

		if (!pfd[i].revents)
			continue;
		/* an earlier handler may have removed or replaced it */
		if (f->fd != seen[i].fd || f->fn != seen[i].fn || f->arg != seen[i].arg)
			continue;
		f->fn(f->arg, pfd[i].revents);
	}
}
