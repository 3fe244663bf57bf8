/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The terminal on stdin: raw mode, undone however the program ends (except by
 * SIGKILL), and the escape sequence.
 */
#ifndef PVHV_TOOL_TERM_H
#define PVHV_TOOL_TERM_H

#include "util.h"

/* False also when stdin is a terminal but this process is in its background. */
bool term_is_foreground(void);
bool term_is_tty(void);

/*
 * Make the terminal raw. Does nothing when it is already, when stdin is no
 * terminal, or from the background.
 */
void term_raw(void);
/* Put it back as term_raw() found it. Async-signal-safe. */
void term_restore(void);

#define ESCAPE_KEY	0x1d		/* Ctrl-] */
#define ESCAPE_NAME	"Ctrl-]"

#define ESCAPE_HELP_TEXT(quit) \
	"\r\npvhv: " ESCAPE_NAME " q or " ESCAPE_NAME " .  " quit "\r\n" \
	"pvhv: " ESCAPE_NAME " " ESCAPE_NAME "       type " ESCAPE_NAME "\r\n" \
	"pvhv: " ESCAPE_NAME " ?            this help\r\n"

enum escape_action {
	ESCAPE_NONE,
	ESCAPE_QUIT,		/* q or . */
	ESCAPE_HELP,		/* ? */
};

struct escape {
	bool pending;		/* the last byte was ESCAPE_KEY */
};

/*
 * Copy @len bytes at @in to @out, which has room for @len + 1, without escape
 * sequences. Stops behind an action. ESCAPE_KEY twice gives one ESCAPE_KEY;
 * before another key it is passed on with that key. Returns how many bytes
 * were used up.
 */
size_t escape_filter(struct escape *esc, const u8 *in, size_t len, u8 *out, size_t *out_len,
		     enum escape_action *action);

#endif
