/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Output to a descriptor that may block, by a thread of its own.
 *
 * stdout may be a stopped terminal or a full pipe, and making it non-blocking
 * would do so for every process that shares it. So a thread writes, and the
 * main thread puts bytes into a buffer of fixed size and looks at its room:
 * no room, no more reading from the guest.
 *
 * @event_fd becomes readable whenever room was made or the descriptor failed.
 */
#ifndef PVHV_TOOL_WRITER_H
#define PVHV_TOOL_WRITER_H

#include <pthread.h>

#include "util.h"

#define WRITER_BUFFER	65536

struct writer {
	int fd;
	int event_fd;
	pthread_t thread;
	pthread_mutex_t lock;	/* for all below */
	pthread_cond_t more;
	u64 put, written;	/* since the buffer was last empty */
	int error;		/* -errno; what was put is thrown away */
	u8 buf[WRITER_BUFFER];
};

/* There is no end to it but the process's. */
int writer_start(struct writer *w, int fd);
size_t writer_room(struct writer *w);
/* @len at most writer_room() */
void writer_put(struct writer *w, const void *data, size_t len);
/* Everything is written, or the descriptor failed. */
bool writer_idle(struct writer *w);
int writer_error(struct writer *w);

#endif
