// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "builtin.h"
#include "client.h"
#include "term.h"

static const char help[] = ESCAPE_HELP_TEXT("detach; the guest goes on");

/* There is nothing to put in order but the terminal. */
static void on_signal(int sig)
{
	term_restore();
	_exit(128 + sig);
}

static void on_suspend(int sig)
{
	term_restore();
	raise(SIGSTOP);
	term_raw();
}

struct attached {
	int fd;
	bool tty;
	bool stdin_ended;
	struct escape escape;
	bool detach;
	u8 out[4096 + 1];	/* typed, not yet sent */
	size_t out_len;
};

static void read_stdin(struct attached *a)
{
	u8 in[4096];
	enum escape_action action;
	size_t done, len;
	const u8 *p = in;
	ssize_t n;

	n = read(STDIN_FILENO, in, sizeof(in));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		/* the output is still of interest */
		a->stdin_ended = true;
		shutdown(a->fd, SHUT_WR);
		return;
	}
	if (!a->tty) {
		memcpy(a->out, in, n);
		a->out_len = n;
		return;
	}
	while (n > 0 && !a->detach) {
		done = escape_filter(&a->escape, p, n, a->out + a->out_len, &len, &action);
		a->out_len += len;
		if (action == ESCAPE_HELP)
			write_all(STDERR_FILENO, help, strlen(help));
		a->detach = action == ESCAPE_QUIT;
		p += done;
		n -= done;
	}
}

/* Returns an exit status. */
static int exchange(struct attached *a, struct strbuf *first)
{
	char buf[4096];
	ssize_t n;

	if (first->len && write_all(STDOUT_FILENO, first->data, first->len))
		return STATUS_USAGE;
	while (!a->detach || a->out_len) {
		struct pollfd pfd[2] = {
			{ .fd = a->fd, .events = POLLIN | (a->out_len ? POLLOUT : 0) },
			{ .fd = STDIN_FILENO, .events = POLLIN },
		};

		if (a->stdin_ended || a->out_len)
			pfd[1].fd = -1;
		if (poll(pfd, 2, -1) < 0)
			continue;
		if (pfd[0].revents & (POLLIN | POLLHUP | POLLERR)) {
			n = recv(a->fd, buf, sizeof(buf), MSG_DONTWAIT);
			if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
				return STATUS_OK;	/* the domain has ended */
			if (n > 0 && write_all(STDOUT_FILENO, buf, n))
				return STATUS_USAGE;
		}
		if (pfd[0].revents & POLLOUT) {
			n = send(a->fd, a->out, a->out_len, MSG_NOSIGNAL | MSG_DONTWAIT);
			if (n > 0) {
				a->out_len -= n;
				memmove(a->out, a->out + n, a->out_len);
			}
		}
		if (pfd[1].revents)
			read_stdin(a);
	}
	return STATUS_OK;
}

int cmd_console(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	struct sigaction sa = { .sa_handler = on_signal };
	static struct attached attached;
	struct connection conn;
	const char *name = NULL;
	struct answer answer;
	struct errmsg e;
	int c, rc, status = STATUS_OK;
	size_t i;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h')
			return print_command_help(argv[0]);
		return bad_option(argv);
	}
	if (parse_name(argc, argv, &name, &status))
		return status;

	rc = client_connect(&conn, name, CLIENT_TIMEOUT_MS, &e);
	if (!rc) {
		rc = client_request(&conn, "console", CLIENT_TIMEOUT_MS, &answer, &e);
		if (rc)
			client_close(&conn);
	}
	if (rc) {
		say("%s: %s", name, e.text);
		return STATUS_USAGE;
	}
	answer_free(&answer);
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &sa, NULL);
	sa.sa_handler = on_suspend;
	sigaction(SIGTSTP, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);

	attached.fd = conn.fd;
	attached.tty = term_is_tty();
	if (attached.tty)
		say("attached to %s; " ESCAPE_NAME " q detaches", name);
	term_raw();
	status = exchange(&attached, &conn.in);
	term_restore();
	if (attached.tty && status == STATUS_OK)
		say("%s %s", attached.detach ? "detached from" : "the end of", name);
	client_close(&conn);
	return status;
}
