// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "runtime.h"

/* Wait for @events until @end; 0 or -ETIMEDOUT */
static int wait_for(struct connection *c, short events, u64 end)
{
	struct pollfd pfd = { .fd = c->fd, .events = events };
	u64 now;
	int rc;

	do {
		now = monotonic_ms();
		rc = poll(&pfd, 1, now < end ? end - now : 0);
	} while (rc < 0 && errno == EINTR);
	return rc > 0 ? 0 : -ETIMEDOUT;
}

/* More bytes into c->in: 0, -EPIPE at the end, or -errno */
static int receive(struct connection *c, u64 end)
{
	char buf[4096];
	ssize_t n;
	int rc;

	for (;;) {
		n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n > 0) {
			strbuf_add(&c->in, buf, n);
			return 0;
		}
		if (n == 0)
			return -EPIPE;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		rc = wait_for(c, POLLIN, end);
		if (rc)
			return rc;
	}
}

/* The next line, malloc'ed and without its newline; or -errno and @e */
static int read_line(struct connection *c, u64 end, char **line, struct errmsg *e)
{
	char *newline;
	size_t len;
	int rc;

	for (;;) {
		newline = c->in.len ? memchr(c->in.data, '\n', c->in.len) : NULL;
		if (newline)
			break;
		if (c->in.len > CONTROL_MAX_LINE) {
			errmsg_set(e, "its launcher talks nonsense");
			return -EPROTO;
		}
		rc = receive(c, end);
		if (rc == -ETIMEDOUT)
			errmsg_set(e, "its launcher does not answer");
		else if (rc == -EPIPE || rc == -ECONNRESET)
			errmsg_set(e, "its launcher has just ended");
		else if (rc)
			errmsg_set(e, "its launcher cannot be asked: %s", strerror(-rc));
		if (rc)
			return rc == -ECONNRESET ? -EPIPE : rc;
	}
	len = newline - c->in.data;
	*line = xmalloc(len + 1);
	memcpy(*line, c->in.data, len);
	(*line)[len] = '\0';
	strbuf_consume(&c->in, len + 1);
	return 0;
}

static int check_greeting(const char *line, struct errmsg *e)
{
	int version = control_parse_greeting(line);

	if (version == CONTROL_VERSION)
		return 0;
	if (version > 0)
		errmsg_set(e, "was started by another version of pvhv (protocol %d, not %d)",
			   version, CONTROL_VERSION);
	else if (!strncmp(line, "error busy", 10))
		errmsg_set(e, "its launcher is busy: try again");
	else
		errmsg_set(e, "its launcher talks nonsense");
	return -EPROTO;
}

int client_connect(struct connection *c, const char *name, unsigned int timeout_ms,
		   struct errmsg *e)
{
	u64 end = monotonic_ms() + timeout_ms;
	char *line;
	int rc;

	memset(c, 0, sizeof(*c));
	c->fd = runtime_connect(name);
	if (c->fd < 0) {
		if (c->fd == -ENOENT)
			errmsg_set(e, "no domain of this name; pvhv list shows all");
		else if (c->fd == -EACCES || c->fd == -EPERM)
			errmsg_set(e, "belongs to another user");
		else if (c->fd == -EAGAIN)
			errmsg_set(e, "its launcher does not answer");
		else
			errmsg_set(e, "its launcher cannot be asked: %s", strerror(-c->fd));
		return c->fd;
	}
	rc = read_line(c, end, &line, e);
	if (!rc) {
		rc = check_greeting(line, e);
		free(line);
	}
	if (rc)
		client_close(c);
	return rc;
}

static int send_request(struct connection *c, const char *request, u64 end)
{
	char line[CONTROL_MAX_REQUEST + 1];
	size_t len, done = 0;
	ssize_t n;
	int rc;

	len = snprintf(line, sizeof(line), "%s\n", request);
	if (len > CONTROL_MAX_REQUEST)
		return -EMSGSIZE;
	while (done < len) {
		n = send(c->fd, line + done, len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			done += n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		rc = wait_for(c, POLLOUT, end);
		if (rc)
			return rc;
	}
	return 0;
}

int client_request(struct connection *c, const char *request, unsigned int timeout_ms,
		   struct answer *answer, struct errmsg *e)
{
	u64 end = monotonic_ms() + timeout_ms;
	size_t total = 0;
	int rc, kind;

	answer->nr = 0;
	answer->value = xmalloc(CONTROL_MAX_VALUES * sizeof(*answer->value));
	rc = send_request(c, request, end);
	/* It may have told us why it hung up. */
	if (rc && rc != -EPIPE) {
		errmsg_set(e, "its launcher cannot be asked: %s", strerror(-rc));
		answer_free(answer);
		return rc;
	}
	for (;;) {
		char *line, *key, *value;

		rc = read_line(c, end, &line, e);
		if (rc)
			break;
		total += strlen(line);
		kind = total > CONTROL_MAX_ANSWER ? -1 : control_parse_answer(line, &key, &value);
		switch (kind) {
		case CONTROL_VALUE:
			if (answer->nr == CONTROL_MAX_VALUES) {
				errmsg_set(e, "its launcher talks nonsense");
				rc = -EPROTO;
				break;
			}
			answer->value[answer->nr].key = xstrdup(key);
			answer->value[answer->nr].value = xstrdup(value);
			answer->nr++;
			free(line);
			continue;
		case CONTROL_OK:
			free(line);
			return 0;
		case CONTROL_ERROR:
			errmsg_set(e, "%s", value);
			rc = -EREMOTEIO;
			break;
		default:
			errmsg_set(e, "its launcher talks nonsense");
			rc = -EPROTO;
		}
		free(line);
		break;
	}
	answer_free(answer);
	return rc;
}

int client_wait_end(struct connection *c, unsigned int timeout_ms)
{
	u64 end = monotonic_ms() + timeout_ms;
	int rc;

	do {
		rc = receive(c, end);
		strbuf_consume(&c->in, c->in.len);
	} while (!rc);
	return rc == -ETIMEDOUT ? rc : 0;
}

void client_close(struct connection *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	strbuf_free(&c->in);
}

const char *answer_get(const struct answer *a, const char *key)
{
	unsigned int i;

	for (i = 0; i < a->nr; i++)
		if (!strcmp(a->value[i].key, key))
			return a->value[i].value;
	return "";
}

u64 answer_number(const struct answer *a, const char *key)
{
	return strtoull(answer_get(a, key), NULL, 10);
}

const char *answer_of(const struct answer *a, const struct answer_value *v, const char *key)
{
	const struct answer_value *end = a->value + a->nr;
	const char *first = v->key;

	for (v++; v < end && strcmp(v->key, first); v++)
		if (!strcmp(v->key, key))
			return v->value;
	return "-";
}

void answer_free(struct answer *a)
{
	unsigned int i;

	for (i = 0; i < a->nr; i++) {
		free(a->value[i].key);
		free(a->value[i].value);
	}
	free(a->value);
	memset(a, 0, sizeof(*a));
}

int client_ask(const char *name, const char *request, struct answer *answer, struct errmsg *e)
{
	struct connection c;
	int rc;

	rc = client_connect(&c, name, CLIENT_TIMEOUT_MS, e);
	if (rc)
		return rc;
	rc = client_request(&c, request, CLIENT_TIMEOUT_MS, answer, e);
	client_close(&c);
	return rc;
}
