/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The other end of the control socket; the protocol is in protocol.h.
 */
#ifndef PVHV_TOOL_CLIENT_H
#define PVHV_TOOL_CLIENT_H

#include "protocol.h"

#define CLIENT_TIMEOUT_MS	5000	/* for an answer */

struct connection {
	int fd;
	struct strbuf in;		/* received, not yet looked at */
};

/* An answer's values, in its order */
struct answer {
	unsigned int nr;
	struct answer_value { char *key, *value; } *value;
};

/*
 * All return 0, or -errno and @e; among others -ENOENT: nobody has the name,
 * -EACCES, -EPERM: it is another user's, -EPIPE: the launcher hung up,
 * -EREMOTEIO: it answered with an error.
 */

/* Connect and be greeted. */
int client_connect(struct connection *c, const char *name, unsigned int timeout_ms,
		   struct errmsg *e);
/*
 * Send a request and take its answer, which must be freed when it is one. An
 * error of the launcher is in @e without its type.
 */
int client_request(struct connection *c, const char *request, unsigned int timeout_ms,
		   struct answer *answer, struct errmsg *e);
/* Wait for the launcher to hang up: 0, or -ETIMEDOUT */
int client_wait_end(struct connection *c, unsigned int timeout_ms);
void client_close(struct connection *c);

/* "" if there is no such key */
const char *answer_get(const struct answer *a, const char *key);
u64 answer_number(const struct answer *a, const char *key);
/* Of the thing that begins at @v, up to the next one; "-" if there is no such key */
const char *answer_of(const struct answer *a, const struct answer_value *v, const char *key);
void answer_free(struct answer *a);

/* Connect, request and hang up. */
int client_ask(const char *name, const char *request, struct answer *answer, struct errmsg *e);

#endif
