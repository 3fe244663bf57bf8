// SPDX-License-Identifier: GPL-2.0
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "term.h"

static struct termios saved;
static atomic_int is_raw;	/* read by signal handlers */

bool term_is_tty(void)
{
	return isatty(STDIN_FILENO);
}

bool term_is_foreground(void)
{
	pid_t owner = tcgetpgrp(STDIN_FILENO);

	/* A terminal that is not our controlling one has no job control for us. */
	return owner < 0 || owner == getpgrp();
}

void term_restore(void)
{
	if (!is_raw)
		return;
	is_raw = 0;
	say_raw = false;
	/* TCSANOW: draining could wait for ever on a stopped terminal */
	tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}

static void fatal_signal(int sig)
{
	term_restore();
	raise(sig);	/* SA_RESETHAND: now with its usual effect */
}

void term_raw(void)
{
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP };
	static bool prepared;
	struct termios raw;
	size_t i;

	if (is_raw || !term_is_tty() || !term_is_foreground())
		return;
	if (tcgetattr(STDIN_FILENO, &saved))
		return;
	if (!prepared) {
		struct sigaction sa = { .sa_handler = fatal_signal, .sa_flags = SA_RESETHAND };

		atexit(term_restore);
		for (i = 0; i < ARRAY_SIZE(fatal); i++)
			sigaction(fatal[i], &sa, NULL);
		prepared = true;
	}
	raw = saved;
	cfmakeraw(&raw);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	is_raw = 1;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw))
		is_raw = 0;
	/* only when the messages go to that terminal too */
	say_raw = is_raw && isatty(STDERR_FILENO);
}

size_t escape_filter(struct escape *esc, const u8 *in, size_t len, u8 *out, size_t *out_len,
		     enum escape_action *action)
{
	size_t i, n = 0;

	*action = ESCAPE_NONE;
	for (i = 0; i < len && *action == ESCAPE_NONE; i++) {
		u8 c = in[i];

		if (!esc->pending) {
			if (c == ESCAPE_KEY)
				esc->pending = true;
			else
				out[n++] = c;
			continue;
		}
		esc->pending = false;
		if (c == 'q' || c == '.') {
			*action = ESCAPE_QUIT;
		} else if (c == '?') {
			*action = ESCAPE_HELP;
		} else {
			out[n++] = ESCAPE_KEY;
			if (c != ESCAPE_KEY)
				out[n++] = c;
		}
	}
	*out_len = n;
	return i;
}
