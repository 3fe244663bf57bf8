// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"

static void client_drop(struct client *c)
{
	loop_remove(c->srv->loop, c->fd);
	close(c->fd);
	strbuf_free(&c->out);
	free(c->in);
	c->fd = -1;
}

static void client_poll(struct client *c)
{
	/* never 0: a hang-up is always of interest */
	short events = POLLPRI;

	if (c->out.len)
		events |= POLLOUT;
	if (c->attached) {
		if (!c->input_ended && c->srv->ops->console_room(c->srv->ctx))
			events |= POLLIN;
	} else if (!c->out.len && !c->closing) {
		events |= POLLIN;
	}
	loop_set(c->srv->loop, c->fd, events);
}

/* Send what the socket takes; false: the client is gone. */
static bool client_send(struct client *c)
{
	while (c->out.len) {
		ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			client_drop(c);
			return false;
		}
		strbuf_consume(&c->out, n);
		if (!c->out.len && c->skipped) {
			strbuf_addf(&c->out, "\r\n[pvhv: %llu bytes skipped]\r\n", c->skipped);
			c->skipped = 0;
		}
	}
	if (c->closing) {
		client_drop(c);
		return false;
	}
	return true;
}

static void client_request(struct client *c, char *line, size_t len)
{
	struct server *srv = c->srv;
	const char *verb, *arg;
	struct errmsg e;

	c->last_used = ++srv->tick;
	if (control_parse_request(line, len, &verb, &arg, &e)) {
		strbuf_addf(&c->out, "error bad-request %s\n", e.text);
		c->closing = true;
		return;
	}
	if (!strcmp(verb, "console") && !*arg) {
		strbuf_addf(&c->out, "ok\n");
		srv->ops->console_history(srv->ctx, &c->out);
		c->attached = true;
		return;
	}
	if (srv->ops->request(srv->ctx, verb, arg, &c->out, &e)) {
		/* nothing of a half-made answer */
		strbuf_consume(&c->out, c->out.len);
		strbuf_addf(&c->out, "error %s\n", e.text);
	} else {
		strbuf_addf(&c->out, "ok\n");
	}
}

/* Take requests out of c->in while their answers get away at once. */
static bool client_requests(struct client *c)
{
	while (!c->out.len && !c->closing && !c->attached) {
		char line[CONTROL_MAX_REQUEST + 1];
		char *newline = memchr(c->in, '\n', c->in_len);
		size_t len;

		if (!newline) {
			if (c->in_len < CONTROL_MAX_REQUEST)
				break;
			strbuf_addf(&c->out, "error bad-request longer than %d bytes\n",
				    CONTROL_MAX_REQUEST);
			c->closing = true;
		} else {
			len = newline - c->in;
			memcpy(line, c->in, len);
			c->in_len -= len + 1;
			memmove(c->in, newline + 1, c->in_len);
			client_request(c, line, len);
		}
		if (!client_send(c))
			return false;
	}
	return true;
}

static void console_input(struct client *c)
{
	struct server *srv = c->srv;
	char buf[512];
	size_t room;
	ssize_t n;

	/* what came right behind the request */
	room = srv->ops->console_room(srv->ctx);
	if (c->in_len && room) {
		n = min(c->in_len, room);
		srv->ops->console_input(srv->ctx, c->in, n);
		c->in_len -= n;
		memmove(c->in, c->in + n, c->in_len);
		return;
	}
	if (!room)
		return;
	n = recv(c->fd, buf, min(room, sizeof(buf)), MSG_DONTWAIT);
	if (n > 0) {
		c->last_used = ++srv->tick;
		srv->ops->console_input(srv->ctx, buf, n);
	} else if (n == 0) {
		/* its output may still be wanted: pvhv console NAME </dev/null */
		c->input_ended = true;
	} else if (errno != EAGAIN && errno != EINTR) {
		client_drop(c);
	}
}

static void client_event(void *arg, short revents)
{
	struct client *c = arg;
	ssize_t n;

	if ((revents & (POLLHUP | POLLERR)) && !(revents & POLLIN)) {
		client_drop(c);
		return;
	}
	if ((revents & POLLOUT) && !client_send(c))
		return;
	if ((revents & POLLIN) && c->attached) {
		console_input(c);
	} else if ((revents & POLLIN) && !c->closing && c->in_len < CONTROL_MAX_REQUEST) {
		n = recv(c->fd, c->in + c->in_len, CONTROL_MAX_REQUEST - c->in_len, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			client_drop(c);
			return;
		}
		if (n > 0)
			c->in_len += n;
	}
	if (c->fd < 0 || !client_requests(c))
		return;
	if (c->attached && c->in_len)
		console_input(c);
	client_poll(c);
}

/* A free place; if there is none, that of the client silent for longest. */
static struct client *client_place(struct server *srv)
{
	struct client *c, *oldest = NULL;

	for (c = srv->client; c < srv->client + CONTROL_MAX_CLIENTS; c++) {
		if (c->fd < 0)
			return c;
		if (!oldest || c->attached < oldest->attached ||
		    (c->attached == oldest->attached && c->last_used < oldest->last_used))
			oldest = c;
	}
	send(oldest->fd, "error busy too many clients\n", 28, MSG_NOSIGNAL | MSG_DONTWAIT);
	client_drop(oldest);
	return oldest;
}

static void server_accept(void *arg, short revents)
{
	struct server *srv = arg;
	struct client *c;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int fd = accept4(srv->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) ||
	    (peer.uid != geteuid() && peer.uid != 0)) {
		close(fd);
		return;
	}
	c = client_place(srv);
	memset(c, 0, sizeof(*c));
	c->srv = srv;
	c->fd = fd;
	c->last_used = ++srv->tick;
	if (loop_add(srv->loop, fd, POLLIN, client_event, c)) {
		close(fd);
		c->fd = -1;
		return;
	}
	c->in = xmalloc(CONTROL_MAX_REQUEST);
	strbuf_addf(&c->out, "%s %d %s\n", CONTROL_GREETING, CONTROL_VERSION, srv->name);
	if (client_send(c))
		client_poll(c);
}

void server_init(struct server *srv, struct loop *loop, int listen_fd, const char *name,
		 const struct server_ops *ops, void *ctx)
{
	unsigned int i;

	memset(srv, 0, sizeof(*srv));
	srv->loop = loop;
	srv->listen_fd = listen_fd;
	srv->name = name;
	srv->ops = ops;
	srv->ctx = ctx;
	for (i = 0; i < CONTROL_MAX_CLIENTS; i++)
		srv->client[i].fd = -1;
	loop_add(loop, listen_fd, POLLIN, server_accept, srv);
}

void server_console_output(struct server *srv, const void *data, size_t len)
{
	struct client *c;

	for (c = srv->client; c < srv->client + CONTROL_MAX_CLIENTS; c++) {
		if (c->fd < 0 || !c->attached)
			continue;
		if (c->skipped || c->out.len + len > CONTROL_MAX_OUTPUT) {
			c->skipped += len;
			continue;
		}
		strbuf_add(&c->out, data, len);
		if (client_send(c))
			client_poll(c);
	}
}

void server_console_room(struct server *srv)
{
	struct client *c;

	for (c = srv->client; c < srv->client + CONTROL_MAX_CLIENTS; c++) {
		if (c->fd < 0 || !c->attached)
			continue;
		if (c->in_len)
			console_input(c);
		if (c->fd >= 0)
			client_poll(c);
	}
}

void server_flush(struct server *srv, unsigned int ms)
{
	u64 end = monotonic_ms() + ms;

	for (;;) {
		struct pollfd pfd[CONTROL_MAX_CLIENTS];
		unsigned int nr = 0;
		u64 now = monotonic_ms();
		struct client *c;

		for (c = srv->client; c < srv->client + CONTROL_MAX_CLIENTS; c++)
			if (c->fd >= 0 && c->out.len && client_send(c) && c->out.len)
				pfd[nr++] = (struct pollfd){ .fd = c->fd, .events = POLLOUT };
		if (nr == 0 || now >= end)
			return;
		poll(pfd, nr, end - now);
	}
}
