/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The control socket: how the other commands speak to a launcher.
 *
 * "pvhv run" listens on the Unix stream socket DIRECTORY/NAME.sock (see
 * runtime.h). Only its own user and root are served.
 *
 *  1. The launcher greets: "pvhv-control VERSION NAME\n". A client that does
 *     not know VERSION hangs up.
 *  2. The client sends a request: one line of at most CONTROL_MAX_REQUEST bytes
 *     with its newline, printable ASCII, a verb and at most one argument
 *     behind one blank. It may send the next one before the answer came, but
 *     no request is looked at before the answers to earlier ones were taken.
 *  3. The launcher answers with any number of lines "=KEY VALUE\n" and then one
 *     line, either "ok\n" or "error TYPE TEXT\n". In values, control characters
 *     and the backslash are written \xNN. Clients skip keys they do not know:
 *     new ones do not change VERSION.
 *
 *	info		=KEY VALUE for name, pid, state, reason, memory, ...
 *	regs [VCPU]	=REGISTER HEX of a paused or ended domain
 *	stats		=COUNTER TOTAL, and =uptime-ms N first
 *	pause, resume	done when answered
 *	stop		the guest was asked to power off
 *	kill		the launcher is about to exit; end of file comes when it did
 *	cpus		for each vCPU =vcpu NUMBER, then =state up or down, =tid N,
 *			=cpu N of the host, where it ran last, =time-ms N that it ran,
 *			=affinity LIST such as 0-3,6
 *	cpu-pin VCPU,LIST
 *			where its thread may run; both may be "all"
 *	cpu-set N	the guest was asked to have N vCPUs online; when it has, so
 *			many are up
 *	disks, nets	for each device =device NAME, then its own keys: id, index,
 *			state, path, ...
 *	disk-attach SPEC, net-attach SPEC
 *			=device NAME and =id N; SPEC as in spec.h, with blanks,
 *			backslashes and what is not printable written \xNN
 *	disk-detach DISK, net-detach NET
 *			=id N: the guest was asked to let go of it; when it has,
 *			it is no longer in the list
 *	disk-remove DISK, net-remove NET
 *			the same, and the guest is not asked
 *	disk-resize DISK[,BYTES]
 *			=size BYTES: the guest was told, after a file was made so large
 *	console		behind "ok\n" the connection is the console: raw bytes both
 *			ways, first the last bytes that the guest has printed
 *
 * Types of errors: bad-request (then the launcher hangs up), state (not possible
 * in the domain's state), failed (the host refused), busy (too many clients).
 *
 * Any number of consoles may be attached. Each sees all output, and input
 * comes from any. One that takes its output too slowly does not hold up the
 * guest or the others; it misses some and is told how much.
 *
 * A client cannot block the launcher: sockets do not block, there are at most
 * CONTROL_MAX_CLIENTS, of which the one that was silent for longest has to go
 * when another comes (attached consoles only if all are), and none holds more
 * than CONTROL_MAX_OUTPUT of memory.
 */
#ifndef PVHV_TOOL_PROTOCOL_H
#define PVHV_TOOL_PROTOCOL_H

#include "util.h"

#define CONTROL_VERSION		1
#define CONTROL_GREETING	"pvhv-control"
#define CONTROL_MAX_REQUEST	8192	/* a path, escaped */
#define CONTROL_MAX_LINE	32768		/* of an answer */
#define CONTROL_MAX_ANSWER	(1 * MIB)
#define CONTROL_MAX_VALUES	1024
#define CONTROL_MAX_CLIENTS	32
#define CONTROL_MAX_OUTPUT	(256 * KIB)	/* queued for one attached console */

/* Append "=KEY VALUE\n". */
void control_add(struct strbuf *out, const char *key, const char *value);
void control_addf(struct strbuf *out, const char *key, const char *fmt, ...) __printf(3, 4);

/*
 * Split a request, without newline, in place. *arg is "" if there is none.
 * -1: not a request; @e says why.
 */
int control_parse_request(char *line, size_t len, const char **verb, const char **arg,
			  struct errmsg *e);

/* What a line of an answer is; -1: none of these. Lines are changed in place. */
enum control_line { CONTROL_VALUE, CONTROL_OK, CONTROL_ERROR };
int control_parse_answer(char *line, char **key, char **value);
/* The version, or -1 if @line is no greeting */
int control_parse_greeting(const char *line);

/* @text as the argument of a request */
void control_add_escaped(struct strbuf *out, const char *text);
/* Undo \xNN in place. */
void control_unescape(char *text);

#endif
