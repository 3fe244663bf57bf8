// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "writer.h"

#define WRITER_CHUNK	4096	/* room is made in steps of this */

static void *writer_thread(void *arg)
{
	struct writer *w = arg;
	u64 one = 1;

	for (;;) {
		size_t at, len;
		int rc = 0;

		pthread_mutex_lock(&w->lock);
		/* Use the same pages again, and do not touch the others. */
		if (w->put == w->written) {
			w->put = 0;
			w->written = 0;
		}
		while (w->put == w->written)
			pthread_cond_wait(&w->more, &w->lock);
		at = w->written % WRITER_BUFFER;
		len = min_t(size_t, w->put - w->written, WRITER_BUFFER - at);
		len = min_t(size_t, len, WRITER_CHUNK);
		if (w->error)
			len = w->put - w->written;
		pthread_mutex_unlock(&w->lock);

		/* these bytes are ours until @written is moved */
		if (!w->error)
			rc = write_all(w->fd, w->buf + at, len);

		pthread_mutex_lock(&w->lock);
		if (rc)
			w->error = rc;
		w->written += len;
		pthread_mutex_unlock(&w->lock);
		write_all(w->event_fd, &one, sizeof(one));
	}
	return NULL;
}

int writer_start(struct writer *w, int fd)
{
	sigset_t all, old;
	int rc;

	memset(w, 0, offsetof(struct writer, buf));
	w->fd = fd;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	w->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->event_fd < 0)
		return -errno;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&w->thread, NULL, writer_thread, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -rc;
}

size_t writer_room(struct writer *w)
{
	size_t room;

	pthread_mutex_lock(&w->lock);
	room = WRITER_BUFFER - (w->put - w->written);
	pthread_mutex_unlock(&w->lock);
	return room;
}

void writer_put(struct writer *w, const void *data, size_t len)
{
	size_t at, first;

	pthread_mutex_lock(&w->lock);
	at = w->put % WRITER_BUFFER;
	first = min(len, WRITER_BUFFER - at);
	memcpy(w->buf + at, data, first);
	memcpy(w->buf, (const u8 *)data + first, len - first);
	w->put += len;
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
}

bool writer_idle(struct writer *w)
{
	bool idle;

	pthread_mutex_lock(&w->lock);
	idle = w->put == w->written;
	pthread_mutex_unlock(&w->lock);
	return idle;
}

int writer_error(struct writer *w)
{
	int error;

	pthread_mutex_lock(&w->lock);
	error = w->error;
	pthread_mutex_unlock(&w->lock);
	return error;
}
