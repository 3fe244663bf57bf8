// SPDX-License-Identifier: GPL-2.0
/*
 * processes: fork, exec and exit in great numbers, and what is between
 * processes.
 */
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <net/if.h>
#include <unistd.h>

extern char **environ;

/* Started again by exec: what must be so in a new program */
int hook(int argc, char **argv)
{
	static const char zeros[100000];
	static int data = 4711;
	size_t i;

	if (argc != 4 || strcmp(argv[1], "exec"))
		return -1;
	for (i = 0; i < sizeof(zeros); i++)
		if (zeros[i])
			return 2;
	if (data != 4711 || strcmp(argv[3], "argument") || !getenv("MARK"))
		return 3;
	data = 0;
	return atoi(argv[2]);
}

static void exec_self(int status)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", status);
	execl("/proc/self/exe", self, "exec", text, "argument", NULL);
	_exit(99);
}

static void fork_storm(void)
{
	for (int i = 0; i < 2000; i++) {
		pid_t pid = must(fork(), "fork");

		if (!pid)
			_exit(i % 100);
		must_exit(pid, i % 100, "child");
	}
}

static void exec_storm(void)
{
	setenv("MARK", "1", 1);
	for (int i = 0; i < 500; i++) {
		pid_t pid = must(i % 2 ? fork() : vfork(), "fork");

		if (!pid)
			exec_self(10 + i % 100);
		must_exit(pid, 10 + i % 100, "exec");
	}
}

static void many_at_once(void)
{
	pid_t pid[200];
	int fd[2];
	char c;

	must(pipe(fd), "pipe");
	for (size_t i = 0; i < ARRAY_SIZE(pid); i++) {
		pid[i] = must(fork(), "fork");
		if (!pid[i]) {
			close(fd[1]);
			/* all wait for the end of the pipe */
			_exit(read(fd[0], &c, 1) == 0 ? 5 : 6);
		}
	}
	close(fd[1]);
	for (size_t i = 0; i < ARRAY_SIZE(pid); i++)
		must_exit(pid[i], 5, "child");
}

static void chain(void)
{
	int depth = 0, status;

	/* each the parent of the next */
	while (depth < 200) {
		pid_t pid = must(fork(), "fork");

		if (pid) {
			must(waitpid(pid, &status, 0), "waitpid");
			check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "depth %d: %#x",
			      depth, status);
			break;
		}
		depth++;
	}
	if (depth)
		_exit(0);
}

static void pipes(void)
{
	int a[2], b[2], n = 0;
	pid_t pid;

	must(pipe(a), "pipe");
	must(pipe(b), "pipe");
	pid = must(fork(), "fork");
	if (!pid) {
		close(a[1]);
		while (read(a[0], &n, 4) == 4) {
			n++;
			must(write(b[1], &n, 4), "write");
		}
		_exit(0);
	}
	for (int i = 0; i < 5000; i++)
		check(write(a[1], &n, 4) == 4 && read(b[0], &n, 4) == 4 && n == i + 1, "round %d",
		      i);
	close(a[1]);
	must_exit(pid, 0, "child");
}

static u32 mix(u32 i)
{
	i ^= i >> 15;
	i *= 2246822519u;
	return i ^ i >> 13;
}

static void send_all(int fd, size_t n)
{
	u32 buf[4096];
	size_t i, len, done = 0;

	while (done < n) {
		len = rnd() % ARRAY_SIZE(buf) + 1;
		if (len > n - done)
			len = n - done;
		for (i = 0; i < len; i++)
			buf[i] = mix(done + i);
		for (i = 0; i < len * 4;)
			i += must(write(fd, (char *)buf + i, len * 4 - i), "write");
		done += len;
	}
}

static void receive_all(int fd, size_t n)
{
	static u32 buf[8192];
	size_t have = 0, done = 0;

	while (done < n) {
		size_t want = rnd() % sizeof(buf) + 1, i;

		if (want > sizeof(buf) - have)
			want = sizeof(buf) - have;
		if (want > (n - done) * 4 - have)
			want = (n - done) * 4 - have;
		have += must(read(fd, (char *)buf + have, want), "read");
		for (i = 0; i < have / 4; i++)
			check(buf[i] == mix(done + i), "word %zu", done + i);
		done += i;
		memmove(buf, buf + i, have - i * 4);
		have -= i * 4;
	}
}

static void transfer(int from, int to, size_t words, const char *what)
{
	pid_t pid = must(fork(), what);

	if (!pid) {
		send_all(from, words);
		_exit(0);
	}
	receive_all(to, words);
	must_exit(pid, 0, what);
}

static void streams(void)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	socklen_t len = sizeof(addr);
	int fd[2], listener, from, to;

	must(pipe(fd), "pipe");
	transfer(fd[1], fd[0], 2000000, "pipe");
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), "socketpair");
	transfer(fd[1], fd[0], 1000000, "UNIX socket");

	listener = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
	ioctl(listener, SIOCSIFFLAGS, &ifr);
	must(bind(listener, (struct sockaddr *)&addr, len), "bind");
	must(listen(listener, 1), "listen");
	must(getsockname(listener, (struct sockaddr *)&addr, &len), "getsockname");
	from = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
	must(connect(from, (struct sockaddr *)&addr, len), "connect");
	to = must(accept(listener, NULL, NULL), "accept");
	transfer(from, to, 2000000, "TCP");
}

static void events(void)
{
	int ep = must(epoll_create1(0), "epoll_create"), fd[8];
	struct epoll_event ev = { .events = EPOLLIN }, got;
	u64 value;
	pid_t pid;

	for (int i = 0; i < 8; i++) {
		fd[i] = must(eventfd(0, 0), "eventfd");
		ev.data.u32 = i;
		must(epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &ev), "epoll_ctl");
	}
	pid = must(fork(), "fork");
	if (!pid) {
		for (u64 i = 0; i < 2000; i++) {
			value = 1;
			must(write(fd[i * 5 % 8], &value, 8), "write");
		}
		_exit(0);
	}
	for (int sum = 0; sum < 2000;) {
		check(epoll_wait(ep, &got, 1, 10000) == 1, "epoll_wait");
		must(read(fd[got.data.u32], &value, 8), "read");
		sum += value;
	}
	must_exit(pid, 0, "child");
}

/* Files of several MiB, by read(), write() and a mapping */
static void files(void)
{
	const size_t words = 3000000;
	int fd = must(open("/tmp/file", O_RDWR | O_CREAT | O_TRUNC, 0600), "/tmp/file");
	u32 *p;

	send_all(fd, words);
	p = must_map(mmap(NULL, words * 4, PROT_READ, MAP_SHARED, fd, 0), "mmap");
	for (size_t i = 0; i < words; i++)
		check(p[i] == mix(i), "word %zu of the mapping", i);
	must(lseek(fd, 0, SEEK_SET), "lseek");
	receive_all(fd, words);
	unlink("/tmp/file");
	close(fd);
}

static void name_spaces(void)
{
	pid_t pid = syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | SIGCHLD, 0, 0,
			    0, 0);

	must(pid, "clone");
	if (!pid)
		_exit(getpid() == 1 ? 7 : 8);
	must_exit(pid, 7, "clone");
}

const struct test tests[] = {
	{ "fork-storm", fork_storm },
	{ "exec-storm", exec_storm },
	{ "many-at-once", many_at_once },
	{ "chain", chain },
	{ "pipes", pipes },
	{ "streams", streams },
	{ "events", events },
	{ "files", files },
	{ "namespaces", name_spaces },
	{ NULL }
};
