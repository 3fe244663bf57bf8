/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The launcher's end of the control socket; the protocol is in protocol.h.
 *
 * The server knows connections and lines. What a request means is the
 * launcher's business, by the callbacks.
 */
#ifndef PVHV_TOOL_SERVER_H
#define PVHV_TOOL_SERVER_H

#include "loop.h"
#include "protocol.h"

struct server_ops {
	/* Add "=KEY VALUE" lines to @out; or fill in @e with "TYPE TEXT" and return -1. */
	int (*request)(void *ctx, const char *verb, const char *arg, struct strbuf *out,
		       struct errmsg *e);
	/* Bytes of input that the guest's console can take now */
	size_t (*console_room)(void *ctx);
	void (*console_input)(void *ctx, const void *data, size_t len);
	/* Add the last bytes of output to @out. */
	void (*console_history)(void *ctx, struct strbuf *out);
};

struct server;

struct client {
	struct server *srv;
	int fd;			/* -1: this place is free */
	bool attached;		/* is a console */
	bool closing;		/* hang up once @out is sent */
	bool input_ended;
	u64 last_used;		/* number of the request or input */
	size_t in_len;
	char *in;		/* CONTROL_MAX_REQUEST bytes, while @fd is not -1 */
	struct strbuf out;
	u64 skipped;		/* bytes that @out had no room for */
};

struct server {
	struct loop *loop;
	int listen_fd;
	const char *name;
	const struct server_ops *ops;
	void *ctx;
	u64 tick;
	struct client client[CONTROL_MAX_CLIENTS];
};

void server_init(struct server *srv, struct loop *loop, int listen_fd, const char *name,
		 const struct server_ops *ops, void *ctx);
/* Guest output, for all attached consoles */
void server_console_output(struct server *srv, const void *data, size_t len);
/* The guest's console can take input again, or no longer. */
void server_console_room(struct server *srv);
/* Try for at most @ms to send what is queued. */
void server_flush(struct server *srv, unsigned int ms);

#endif
