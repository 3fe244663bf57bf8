// SPDX-License-Identifier: GPL-2.0
/*
 * expect [-t SECONDS] SCRIPT COMMAND...: run COMMAND on a new terminal and talk
 * to it. Everything it writes is passed on to standard output.
 *
 * A line of the file SCRIPT is one of
 *	wait TEXT	until the command has written TEXT, after what was waited
 *			for before
 *	not TEXT	what is between the last two texts that were waited for does
 *			not have TEXT in it
 *	send TEXT	type TEXT
 *	size ROWS COLS	change the size of the terminal
 *	run COMMAND	of the shell, apart from the terminal
 *	end		until the command ends
 * with \n, \r, \t, \\ and \xHH in TEXT. The status is that of COMMAND after
 * "end", 0 without; 124 if a wait takes too long, 125 for a bad script or if a
 * "not" or "run" does not hold.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdarg.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LATE	124
#define BAD	125

static int terminal;
static pid_t pid;
static char *text;		/* all that was written, */
static size_t len, room;
static size_t seen, before;	/* up to where it was waited for, last and before */
static double limit = 60;
static int line_number;

static void __attribute__((format(printf, 2, 3), noreturn)) die(int status, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "\nexpect: line %d: ", line_number);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	if (pid)
		kill(pid, SIGHUP);
	exit(status);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* false: there will be no more */
static bool take_output(int timeout_ms)
{
	struct pollfd pfd = { .fd = terminal, .events = POLLIN };
	ssize_t n;

	if (poll(&pfd, 1, timeout_ms) <= 0)
		return true;
	if (room - len < 4096) {
		room = len + 65536;
		text = realloc(text, room);
		if (!text)
			die(BAD, "no memory");
	}
	n = read(terminal, text + len, 4095);
	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0)
		return false;	/* EIO: the other side is closed */
	fwrite(text + len, 1, n, stdout);
	fflush(stdout);
	len += n;
	return true;
}

static size_t unescape(char *s)
{
	char *out = s, *start = s;
	unsigned int byte;

	while (*s) {
		if (*s != '\\') {
			*out++ = *s++;
			continue;
		}
		s++;
		switch (*s++) {
		case 'n':
			*out++ = '\n';
			break;
		case 'r':
			*out++ = '\r';
			break;
		case 't':
			*out++ = '\t';
			break;
		case '\\':
			*out++ = '\\';
			break;
		case 'x':
			if (sscanf(s, "%2x", &byte) != 1)
				die(BAD, "\\x without digits");
			*out++ = byte;
			s += 2;
			break;
		default:
			die(BAD, "unknown escape");
		}
	}
	return out - start;
}

static void do_wait(const char *what, size_t n)
{
	double end = now() + limit;
	char *found;

	for (;;) {
		found = len > seen ? memmem(text + seen, len - seen, what, n) : NULL;
		if (found)
			break;
		if (now() > end)
			die(LATE, "'%s' was not written within %g s", what, limit);
		if (!take_output(100))
			die(LATE, "the command ended without '%s'", what);
	}
	before = seen;
	seen = found - text + n;
}

static int do_end(void)
{
	double end = now() + limit;
	int status;

	while (take_output(100))
		if (now() > end)
			die(LATE, "the command does not end");
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (now() > end)
			die(LATE, "the command closed its terminal and does not end");
		usleep(10000);
	}
	pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void do_send(const char *what, size_t n)
{
	while (n) {
		ssize_t done = write(terminal, what, n);

		if (done < 0 && errno != EINTR)
			die(BAD, "write: %s", strerror(errno));
		if (done > 0) {
			what += done;
			n -= done;
		}
		take_output(0);
	}
}

/* The exit status so far */
static int do_line(char *line)
{
	char *arg = line + strcspn(line, " ");
	struct winsize size = { 0 };
	size_t n;

	if (*arg)
		*arg++ = '\0';
	if (!strcmp(line, "run")) {
		fflush(stdout);
		if (system(arg))
			die(BAD, "'%s' failed", arg);
		return 0;
	}
	n = unescape(arg);
	if (!strcmp(line, "wait")) {
		do_wait(arg, n);
	} else if (!strcmp(line, "not")) {
		if (memmem(text + before, seen - before, arg, n))
			die(BAD, "there is '%s'", arg);
	} else if (!strcmp(line, "send")) {
		do_send(arg, n);
	} else if (!strcmp(line, "size")) {
		if (sscanf(arg, "%hu %hu", &size.ws_row, &size.ws_col) != 2 ||
		    ioctl(terminal, TIOCSWINSZ, &size))
			die(BAD, "size '%s'", arg);
	} else if (!strcmp(line, "end")) {
		return do_end();
	} else {
		die(BAD, "unknown word '%s'", line);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	char line[4096];
	FILE *script;
	int c, status = 0;

	while ((c = getopt(argc, argv, "+t:")) != -1) {
		if (c != 't')
			return BAD;
		limit = atof(optarg);
	}
	if (argc - optind < 2) {
		fprintf(stderr, "usage: expect [-t SECONDS] SCRIPT COMMAND...\n");
		return BAD;
	}
	script = fopen(argv[optind], "re");
	if (!script) {
		perror(argv[optind]);
		return BAD;
	}
	pid = forkpty(&terminal, NULL, NULL, &size);
	if (pid < 0) {
		perror("forkpty");
		return BAD;
	}
	if (!pid) {
		execvp(argv[optind + 1], argv + optind + 1);
		perror(argv[optind + 1]);
		_exit(127);
	}
	fcntl(terminal, F_SETFD, FD_CLOEXEC);
	while (fgets(line, sizeof(line), script)) {
		line_number++;
		line[strcspn(line, "\n")] = '\0';
		if (*line && *line != '#')
			status = do_line(line);
	}
	if (pid)
		kill(pid, SIGHUP);
	return status;
}
