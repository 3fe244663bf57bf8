/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's console in the launcher: between the domain's console
 * descriptor and one main place (stdio, a pty or a file), with copies of the
 * output for attached consoles.
 *
 * The main place sets the pace: nothing is read from the guest that it has no
 * room for, so nothing is lost when it is slow; the guest waits. Only a pty
 * that nobody has open takes everything and keeps the last CONSOLE_HISTORY
 * bytes, which it shows to whoever opens it.
 */
#ifndef PVHV_TOOL_CONSOLE_H
#define PVHV_TOOL_CONSOLE_H

#include "loop.h"
#include "term.h"
#include "writer.h"

#define CONSOLE_HISTORY		(16 * 1024)
#define CONSOLE_INPUT		4096

enum console_kind { CONSOLE_STDIO, CONSOLE_PTY, CONSOLE_FILE };

struct console_ops {
	void (*output)(void *ctx, const void *data, size_t len);	/* the guest's */
	void (*room)(void *ctx);	/* console_room() is more than 0 again */
	void (*quit)(void *ctx);	/* the escape sequence's q */
	void (*lost)(void *ctx);	/* stdout is broken, nobody reads it any more */
};

struct console {
	enum console_kind kind;
	struct loop *loop;
	const struct console_ops *ops;
	void *ctx;
	const char *help;		/* what Ctrl-] ? prints, with \r\n */

	int guest_fd;			/* -1: no guest, or it has no more to say */
	bool guest_last;		/* the domain has ended: read up to the end */

	/* towards the guest */
	size_t in_len;
	u8 in[CONSOLE_INPUT];

	/* stdin, when CONSOLE_STDIO */
	bool stdin_tty;
	bool stdin_ended;
	struct escape escape;
	int tick_fd;			/* timerfd: is the tty ours by now, has someone the pty */

	/* the main place */
	struct writer *writer;		/* stdout or the file */
	bool failed;
	int pty_fd;
	char pty_name[64];
	bool pty_open;			/* someone has it open */
	struct strbuf pty_out;

	size_t history_len;		/* bytes ever */
	u8 history[CONSOLE_HISTORY];
};

/* @path: of CONSOLE_FILE. Nothing is read or changed before console_start(). */
int console_init(struct console *con, struct loop *loop, enum console_kind kind,
		 const char *path, const struct console_ops *ops, void *ctx, struct errmsg *e);
/* Begin to use stdin, raw if it is a terminal. */
void console_start(struct console *con);
/* The console descriptor of a domain that is about to start */
void console_attach_guest(struct console *con, int guest_fd);
/* The domain has ended: take what it still has to say. */
void console_guest_ended(struct console *con);
/* All of that is taken; the descriptor may be closed. */
bool console_guest_drained(struct console *con);
/* And it has reached the main place. */
bool console_flushed(struct console *con);
/* The pty's reader gets up to @ms to take its last bytes. */
void console_finish(struct console *con, unsigned int ms);

/* Input for the guest, from attached consoles */
size_t console_room(struct console *con);
void console_input(struct console *con, const void *data, size_t len);
void console_history(struct console *con, struct strbuf *out);
/* After SIGCONT: the terminal may have been changed, or become ours. */
void console_continued(struct console *con);

#endif
