/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The commands. Each is a builtin-NAME.c (the four that only send a request
 * share builtin-control.c, disk and net builtin-device.c) and gets its own name as argv[0].
 */
#ifndef PVHV_TOOL_BUILTIN_H
#define PVHV_TOOL_BUILTIN_H

#include "util.h"

/* Exit status, of pvhv run above all; a signal gives 128 + its number. */
#define STATUS_OK	0	/* orderly power-off */
#define STATUS_USAGE	1	/* usage, bad configuration, no such domain */
#define STATUS_HOST	2	/* the host refuses */
#define STATUS_CRASH	3	/* the guest crashed */
#define STATUS_KILLED	4	/* by pvhv kill or the escape sequence */

struct command {
	const char *name;
	int (*fn)(int argc, char **argv);
	const char *summary;	/* for the list */
	const char *usage;	/* arguments */
	const char *help;	/* options and the rest, lines */
};

extern const struct command commands[];		/* ends with a name of NULL */
const struct command *find_command(const char *name);

int cmd_check(int argc, char **argv);
int cmd_console(int argc, char **argv);
int cmd_control(int argc, char **argv);		/* pause, resume, stop, kill */
int cmd_cpu(int argc, char **argv);
int cmd_device(int argc, char **argv);		/* disk, net */
int cmd_help(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_version(int argc, char **argv);

/* For getopt_long(): print what is wrong with the call; returns STATUS_USAGE. */
int bad_usage(char **argv, const char *fmt, ...) __printf(2, 3);
int bad_option(char **argv);		/* what getopt_long() does not know */
/* SECONDS of --timeout, where 0 is allowed; 0 or STATUS_USAGE, and it was printed */
int parse_timeout(char **argv, unsigned int *ms);
/* The --help of a command; returns STATUS_OK. */
int print_command_help(const char *name);

/*
 * Options of a command that takes NAME and some of --json and --help. On
 * success *name is valid; otherwise -1 and *status.
 */
int parse_name(int argc, char **argv, const char **name, int *status);

#endif
