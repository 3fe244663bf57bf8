// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "console.h"

#define PTY_BUFFER	65536
#define TICK_MS		500	/* how often to look whether someone opened the pty, ... */
#define READ_CHUNK	4096
#define PTY_EMPTY_LOOKS	10

static size_t main_room(struct console *con)
{
	if (con->failed)
		return READ_CHUNK;
	if (con->kind != CONSOLE_PTY)
		return writer_room(con->writer);
	if (!con->pty_open)
		return READ_CHUNK;
	return con->pty_out.len < PTY_BUFFER ? PTY_BUFFER - con->pty_out.len : 0;
}

static void guest_poll(struct console *con)
{
	short events = 0;

	if (con->guest_fd < 0)
		return;
	if (main_room(con) >= READ_CHUNK)
		events |= POLLIN;
	if (con->in_len && !con->guest_last)
		events |= POLLOUT;
	loop_set(con->loop, con->guest_fd, events);
}

static void guest_gone(struct console *con)
{
	loop_remove(con->loop, con->guest_fd);
	con->guest_fd = -1;
	con->in_len = 0;
	con->ops->room(con->ctx);
}

static bool no_guest(struct console *con)
{
	return con->guest_fd < 0 || con->guest_last;
}

size_t console_room(struct console *con)
{
	return no_guest(con) ? 0 : sizeof(con->in) - con->in_len;
}

/* How much to read from stdin. One byte of it may become two. */
static size_t stdin_room(struct console *con)
{
	size_t room = console_room(con);

	/* A terminal is always read: the escape sequence must work. */
	if (con->stdin_tty && no_guest(con))
		return sizeof(con->in) - 1;
	return room ? room - 1 : 0;
}

static void stdin_poll(struct console *con)
{
	bool mine = !con->stdin_tty || term_is_foreground();

	if (con->kind == CONSOLE_STDIO && !con->stdin_ended)
		loop_set(con->loop, STDIN_FILENO, mine && stdin_room(con) ? POLLIN : 0);
}

static void pty_poll(struct console *con)
{
	short events = 0;

	if (con->kind != CONSOLE_PTY)
		return;
	if (con->pty_open) {
		if (con->pty_out.len)
			events |= POLLOUT;
		if (console_room(con))
			events |= POLLIN;
		if (!events)
			events = POLLPRI;	/* for POLLHUP */
	}
	loop_set(con->loop, con->pty_fd, events);
}

static void input_changed(struct console *con)
{
	guest_poll(con);
	stdin_poll(con);
	pty_poll(con);
}

static void tick_set(struct console *con, bool on)
{
	struct itimerspec tick = { 0 };

	if (on) {
		tick.it_value.tv_nsec = TICK_MS * 1000000L;
		tick.it_interval = tick.it_value;
	}
	timerfd_settime(con->tick_fd, 0, &tick, NULL);
}

/*
 * Output
 */

static void pty_send(struct console *con)
{
	while (con->pty_out.len) {
		ssize_t n = write(con->pty_fd, con->pty_out.data, con->pty_out.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		strbuf_consume(&con->pty_out, n);
	}
	pty_poll(con);
	guest_poll(con);
}

static void main_put(struct console *con, const void *data, size_t len)
{
	if (con->failed)
		return;
	if (con->kind != CONSOLE_PTY) {
		writer_put(con->writer, data, len);
	} else if (con->pty_open) {
		strbuf_add(&con->pty_out, data, len);
		pty_send(con);
	}
}

static void remember(struct console *con, const u8 *data, size_t len)
{
	size_t at = con->history_len % CONSOLE_HISTORY, first;

	first = min(len, CONSOLE_HISTORY - at);
	memcpy(con->history + at, data, first);
	memcpy(con->history, data + first, len - first);
	con->history_len += len;
}

void console_history(struct console *con, struct strbuf *out)
{
	size_t at = con->history_len % CONSOLE_HISTORY;

	if (con->history_len > CONSOLE_HISTORY)
		strbuf_add(out, con->history + at, CONSOLE_HISTORY - at);
	strbuf_add(out, con->history, at);
}

/* False: nothing more to be had now */
static bool guest_read(struct console *con)
{
	u8 buf[READ_CHUNK];
	ssize_t n;

	if (con->guest_fd < 0 || main_room(con) < sizeof(buf))
		return false;
	n = read(con->guest_fd, buf, sizeof(buf));
	if (n > 0) {
		remember(con, buf, n);
		main_put(con, buf, n);
		con->ops->output(con->ctx, buf, n);
		return true;
	}
	if (n < 0 && errno == EINTR)
		return true;
	if (n == 0 || errno != EAGAIN || con->guest_last)
		guest_gone(con);
	return false;
}

/* Once the domain has ended, nothing tells that more is there: ask. */
static void guest_drain(struct console *con)
{
	while (con->guest_last && guest_read(con))
		;
}

static void guest_event(void *arg, short revents)
{
	struct console *con = arg;
	ssize_t n;

	if ((revents & POLLOUT) && con->in_len) {
		n = write(con->guest_fd, con->in, con->in_len);
		if (n > 0) {
			con->in_len -= n;
			memmove(con->in, con->in + n, con->in_len);
			con->ops->room(con->ctx);
		} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
			con->in_len = 0;	/* nobody is left to read it */
		}
	}
	if ((revents & ~POLLOUT) && !guest_read(con) && con->guest_fd >= 0 &&
	    (revents & (POLLHUP | POLLERR)) && main_room(con) >= READ_CHUNK)
		guest_gone(con);
	input_changed(con);
}

static void writer_event(void *arg, short revents)
{
	struct console *con = arg;
	u64 count;
	int error;

	if (read(con->writer->event_fd, &count, sizeof(count)) < 0)
		return;
	error = writer_error(con->writer);
	if (error && !con->failed) {
		con->failed = true;
		if (con->kind == CONSOLE_STDIO && (error == -EPIPE || error == -EIO))
			con->ops->lost(con->ctx);
		else
			say("the console's output is lost from here on: %s", strerror(-error));
	}
	guest_drain(con);
	guest_poll(con);
}

/*
 * Input
 */

void console_input(struct console *con, const void *data, size_t len)
{
	if (no_guest(con))
		return;
	memcpy(con->in + con->in_len, data, len);
	con->in_len += len;
	input_changed(con);
}

static void stdin_event(void *arg, short revents)
{
	struct console *con = arg;
	u8 in[CONSOLE_INPUT], out[CONSOLE_INPUT + 1];
	size_t room = stdin_room(con), done, len;
	enum escape_action action;
	const u8 *p = in;
	ssize_t n;

	/* it may have been used up since poll() returned */
	if (room == 0)
		return;
	n = read(STDIN_FILENO, in, room);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0 && errno == EIO && con->stdin_tty && !term_is_foreground()) {
		console_continued(con);
		return;
	}
	if (n <= 0) {
		con->stdin_ended = true;
		loop_remove(con->loop, STDIN_FILENO);
		return;
	}
	if (!con->stdin_tty) {
		console_input(con, in, n);
		return;
	}
	while (n > 0) {
		done = escape_filter(&con->escape, p, n, out, &len, &action);
		console_input(con, out, len);
		if (action == ESCAPE_HELP)
			write_all(STDERR_FILENO, con->help, strlen(con->help));
		else if (action == ESCAPE_QUIT)
			con->ops->quit(con->ctx);
		p += done;
		n -= done;
	}
}

static void pty_event(void *arg, short revents)
{
	struct console *con = arg;
	u8 buf[512];
	ssize_t n;

	if (revents & POLLOUT)
		pty_send(con);
	if ((revents & POLLIN) && console_room(con)) {
		n = read(con->pty_fd, buf, min(sizeof(buf), console_room(con)));
		if (n > 0) {
			console_input(con, buf, n);
			revents &= ~POLLHUP;
		}
	}
	if (revents & (POLLHUP | POLLERR)) {
		con->pty_open = false;
		strbuf_consume(&con->pty_out, con->pty_out.len);
		tick_set(con, true);
	}
	guest_drain(con);
	input_changed(con);
}

static void pty_look(struct console *con)
{
	struct pollfd pfd = { .fd = con->pty_fd, .events = POLLIN };

	if (con->pty_open || poll(&pfd, 1, 0) < 0 || (pfd.revents & POLLHUP))
		return;
	con->pty_open = true;
	tick_set(con, false);
	console_history(con, &con->pty_out);
	pty_send(con);
}

static void tick_event(void *arg, short revents)
{
	struct console *con = arg;
	u64 count;

	if (read(con->tick_fd, &count, sizeof(count)) < 0)
		return;
	if (con->kind == CONSOLE_PTY)
		pty_look(con);
	else
		console_continued(con);
}

void console_continued(struct console *con)
{
	if (con->kind != CONSOLE_STDIO || !con->stdin_tty || con->stdin_ended)
		return;
	term_raw();
	stdin_poll(con);
	tick_set(con, !term_is_foreground());
}

/*
 * Life
 */

static int make_pty(struct console *con, struct errmsg *e)
{
	struct termios tio;
	int slave;

	con->pty_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (con->pty_fd < 0 || grantpt(con->pty_fd) || unlockpt(con->pty_fd) ||
	    ptsname_r(con->pty_fd, con->pty_name, sizeof(con->pty_name)))
		return errmsg_set(e, "--console pty: no pseudo-terminal: %s", strerror(errno));
	/* raw until someone wants it otherwise: no echo of what the guest prints */
	slave = open(con->pty_name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return errmsg_set(e, "--console pty: %s: %s", con->pty_name, strerror(errno));
	if (!tcgetattr(slave, &tio)) {
		cfmakeraw(&tio);
		tcsetattr(slave, TCSANOW, &tio);
	}
	close(slave);
	loop_add(con->loop, con->pty_fd, 0, pty_event, con);
	return 0;
}

static int make_writer(struct console *con, int fd, struct errmsg *e)
{
	int rc;

	con->writer = xmalloc(sizeof(*con->writer));
	rc = writer_start(con->writer, fd);
	if (rc)
		return errmsg_set(e, "the console cannot be started: %s", strerror(-rc));
	loop_add(con->loop, con->writer->event_fd, POLLIN, writer_event, con);
	return 0;
}

int console_init(struct console *con, struct loop *loop, enum console_kind kind,
		 const char *path, const struct console_ops *ops, void *ctx, struct errmsg *e)
{
	int fd;

	memset(con, 0, sizeof(*con));
	con->kind = kind;
	con->loop = loop;
	con->ops = ops;
	con->ctx = ctx;
	con->guest_fd = -1;
	con->pty_fd = -1;
	con->tick_fd = -1;

	switch (kind) {
	case CONSOLE_PTY:
		return make_pty(con, e);
	case CONSOLE_FILE:
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC, 0600);
		if (fd < 0)
			return errmsg_set(e, "--console file:%s: %s", path, strerror(errno));
		return make_writer(con, fd, e);
	default:
		con->stdin_tty = term_is_tty();
		return make_writer(con, STDOUT_FILENO, e);
	}
}

void console_start(struct console *con)
{
	if (con->kind == CONSOLE_PTY || con->stdin_tty) {
		con->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		if (con->tick_fd >= 0)
			loop_add(con->loop, con->tick_fd, POLLIN, tick_event, con);
	}
	if (con->kind == CONSOLE_PTY)
		tick_set(con, true);
	if (con->kind == CONSOLE_STDIO) {
		loop_add(con->loop, STDIN_FILENO, 0, stdin_event, con);
		stdin_poll(con);
		console_continued(con);
	}
}

void console_attach_guest(struct console *con, int guest_fd)
{
	con->guest_fd = guest_fd;
	con->guest_last = false;
	loop_add(con->loop, guest_fd, POLLIN, guest_event, con);
	input_changed(con);
}

void console_guest_ended(struct console *con)
{
	con->guest_last = true;
	con->in_len = 0;
	guest_drain(con);
	con->ops->room(con->ctx);
	input_changed(con);
}

bool console_guest_drained(struct console *con)
{
	return con->guest_fd < 0;
}

bool console_flushed(struct console *con)
{
	if (con->guest_fd >= 0)
		return false;
	if (con->kind == CONSOLE_PTY)
		return con->pty_out.len == 0;
	return con->failed || writer_idle(con->writer);
}

void console_finish(struct console *con, unsigned int ms)
{
	struct timespec pause = { .tv_nsec = 10 * 1000000L };
	u64 end = monotonic_ms() + ms;
	int slave, unread, empty = 0;

	if (con->kind != CONSOLE_PTY || !con->pty_open)
		return;
	/* What is unread in the pty goes away with our end of it. */
	slave = open(con->pty_name, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (slave < 0)
		return;
	/* the kernel passes it on with some delay: empty for a while is empty */
	while (empty < PTY_EMPTY_LOOKS && monotonic_ms() < end) {
		pty_send(con);
		if (!con->pty_out.len && (ioctl(slave, FIONREAD, &unread) || unread == 0))
			empty++;
		else
			empty = 0;
		nanosleep(&pause, NULL);
	}
	close(slave);
}
