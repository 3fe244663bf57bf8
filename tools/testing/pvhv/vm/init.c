// SPDX-License-Identifier: GPL-2.0
/*
 * Process 1 of the host VM, the other end of ../hostvm.
 *
 * It loads the few drivers a stock kernel has as modules, stacks a tmpfs over
 * the read-only images (payload over kernel modules over root file system),
 * runs one command and powers the machine off.
 *
 * One virtio-serial port carries everything between the command and hostvm, in
 * frames of a type byte, a little-endian 32-bit length and the bytes, so that
 * no output is lost, standard output and error stay apart, and the kernel's
 * console never mixes with either:
 *
 *	to us	C command (see start())		from us	R ready
 *		I input, empty at its end		O standard output
 *		W window size "rows cols"		E standard error
 *							X exit status, decimal
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK	65536
#define MAX_ARG	4096

static int port = -1;

static void log_line(const char *fmt, ...)
{
	va_list ap;
	int fd = open("/dev/kmsg", O_WRONLY);

	va_start(ap, fmt);
	vdprintf(fd < 0 ? 2 : fd, fmt, ap);
	va_end(ap);
	if (fd >= 0)
		close(fd);
}

static void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

/* hostvm sees a machine that went away without an exit status. */
#define die(fmt, ...) do {						\
	log_line("<2>hostvm-init: " fmt ": %s\n", ##__VA_ARGS__,	\
		 strerror(errno));					\
	power_off();							\
} while (0)

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		log_line("<4>hostvm-init: %s: %s\n", path, strerror(errno));
	close(fd);
}

static void mount_at(const char *what, const char *where, const char *type,
		     unsigned long flags, const char *data)
{
	mkdir(where, 0755);
	if (mount(what, where, type, flags, data))
		die("mount %s on %s", type ? type : what, where);
}

/* Some kernels lack some file systems: only the tests that need them care. */
static void mount_if_known(const char *where, const char *type,
			   const char *data)
{
	mkdir(where, 0755);
	if (mount(type, where, type, 0, data))
		log_line("<6>hostvm-init: no %s\n", type);
}

/* /modules lists what the initrd carries in the order to load it. */
static void load_modules(void)
{
	char name[256];
	FILE *list = fopen("/modules", "r");

	while (list && fscanf(list, "%255s", name) == 1) {
		int fd = open(name, O_RDONLY);

		/* crc32c-intel refuses a CPU without the instruction */
		if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST &&
		    errno != ENODEV)
			die("module %s", name);
		close(fd);
	}
	if (list)
		fclose(list);
}

/* The serial number is the only name that a disk keeps in every order. */
static int find_disk(const char *serial, char *dev, size_t len)
{
	struct dirent *d;
	DIR *dir = opendir("/sys/block");

	while (dir && (d = readdir(dir))) {
		char path[300], have[64] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/sys/block/%s/serial", d->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (fscanf(f, "%63s", have) != 1)
			have[0] = 0;
		fclose(f);
		if (!strcmp(have, serial)) {
			snprintf(dev, len, "/dev/%s", d->d_name);
			closedir(dir);
			return 1;
		}
	}
	if (dir)
		closedir(dir);
	return 0;
}

static void mount_image(const char *serial, const char *where)
{
	char dev[300];
	int tries = 0;

	while (!find_disk(serial, dev, sizeof(dev))) {
		if (tries++ == 1000)
			die("no disk with serial %s", serial);
		usleep(10000);
	}
	mount_at(dev, where, "erofs", MS_RDONLY, NULL);
}

static void set_up_root(void)
{
	mount_image("pvhv-root", "/root");
	mount_image("pvhv-modules", "/mods");
	mount_image("pvhv-payload", "/payload");
	mount_at("tmpfs", "/rw", "tmpfs", 0, "size=75%");
	mkdir("/rw/upper", 0755);
	mkdir("/rw/work", 0755);
	mount_at("overlay", "/new", "overlay", 0,
		 "lowerdir=/payload:/mods:/root,upperdir=/rw/upper,workdir=/rw/work");
	mount_at("/dev", "/new/dev", NULL, MS_MOVE, NULL);
	mount_at("/proc", "/new/proc", NULL, MS_MOVE, NULL);
	mount_at("/sys", "/new/sys", NULL, MS_MOVE, NULL);
	/* An initramfs cannot be the old root of pivot_root(2). */
	if (chdir("/new") || mount(".", "/", NULL, MS_MOVE, NULL) ||
	    chroot(".") || chdir("/"))
		die("new root");

	mount_at("devpts", "/dev/pts", "devpts", 0, "mode=620,gid=5,ptmxmode=666");
	mount_at("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
	mount_at("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
	mount_at("tmpfs", "/tmp", "tmpfs", 0, "mode=1777");
	mount_if_known("/sys/fs/cgroup", "cgroup2", NULL);
	mount_if_known("/sys/kernel/debug", "debugfs", NULL);
	mount_if_known("/sys/kernel/tracing", "tracefs", NULL);
	mount_if_known("/dev/hugepages", "hugetlbfs", NULL);
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
	sethostname("pvhv-host", 9);
}

/* ------------------------------------------------------------------ port */

static void open_port(void)
{
	struct dirent *d;
	DIR *dir = opendir("/sys/class/virtio-ports");

	while (dir && port < 0 && (d = readdir(dir))) {
		char path[300], name[64] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name",
			 d->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (fscanf(f, "%63s", name) == 1 && !strcmp(name, "pvhv.cmd")) {
			snprintf(path, sizeof(path), "/dev/%s", d->d_name);
			port = open(path, O_RDWR | O_CLOEXEC);
		}
		fclose(f);
	}
	if (dir)
		closedir(dir);
}

static void send_frame(char type, const void *data, uint32_t len)
{
	static char buf[CHUNK + 5];
	size_t done = 0, all = len + 5;

	buf[0] = type;
	memcpy(buf + 1, &len, 4);
	memcpy(buf + 5, data, len);
	while (done < all) {
		ssize_t n = write(port, buf + done, all - done);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			die("port");
		if (n > 0)
			done += n;
	}
}

static void read_all(void *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(port, (char *)data + done, len - done);

		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			die("port closed");
		if (n > 0)
			done += n;
	}
}

static char read_frame(char *data, uint32_t *len)
{
	char head[5];

	read_all(head, 5);
	memcpy(len, head + 1, 4);
	if (*len > CHUNK)
		die("frame of %u bytes", *len);
	read_all(data, *len);
	data[*len] = 0;
	return head[0];
}

/* --------------------------------------------------------------- command */

struct command {
	pid_t pid;
	int in, out, err;	/* in and out are the terminal when there is one */
	int tty;
};

static void set_window(int fd, const char *text)
{
	struct winsize ws = {};

	if (sscanf(text, "%hu %hu", &ws.ws_row, &ws.ws_col) == 2)
		ioctl(fd, TIOCSWINSZ, &ws);
}

static void make_pipe(int p[2])
{
	if (pipe2(p, O_CLOEXEC))
		die("pipe");
}

/*
 * A C frame holds strings that end in NUL: "tty", "pipe" or "null" for the
 * kind of standard input, the window size, the number of environment strings,
 * those, and the command's words.
 */
static void start(struct command *c, char *data, uint32_t len)
{
	static char *words[MAX_ARG + 1];
	int in[2], out[2], err[2], n = 0, nenv, tty = -1;
	char *kind, *window;
	sigset_t none;

	for (char *p = data; p < data + len && n < MAX_ARG; p += strlen(p) + 1)
		words[n++] = p;
	words[n] = NULL;
	if (n < 4)
		die("bad command frame");
	kind = words[0];
	window = words[1];
	nenv = atoi(words[2]);
	c->tty = !strcmp(kind, "tty");

	if (c->tty) {
		char name[64];

		c->in = open("/dev/ptmx", O_RDWR | O_CLOEXEC | O_NOCTTY);
		if (c->in < 0 || unlockpt(c->in) ||
		    ptsname_r(c->in, name, sizeof(name)))
			die("pty");
		set_window(c->in, window);
		tty = open(name, O_RDWR | O_CLOEXEC | O_NOCTTY);
		c->out = c->in;
		c->err = -1;
	} else {
		make_pipe(out);
		make_pipe(err);
		c->out = out[0];
		c->err = err[0];
		c->in = -1;
		in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (!strcmp(kind, "pipe")) {
			make_pipe(in);
			c->in = in[1];
		}
	}

	c->pid = fork();
	if (c->pid < 0)
		die("fork");
	if (!c->pid) {
		setsid();
		if (c->tty) {
			ioctl(tty, TIOCSCTTY, 0);
			dup2(tty, 0);
			dup2(tty, 1);
			dup2(tty, 2);
		} else {
			dup2(in[0], 0);
			dup2(out[1], 1);
			dup2(err[1], 2);
		}
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		if (chdir("/root"))
			dprintf(2, "hostvm: /root: %m\n");
		clearenv();
		for (int i = 0; i < nenv; i++)
			putenv(words[3 + i]);
		execvp(words[3 + nenv], words + 3 + nenv);
		dprintf(2, "hostvm: %s: %m\n", words[3 + nenv]);
		_exit(errno == ENOENT ? 127 : 126);
	}
	if (c->tty) {
		close(tty);
	} else {
		close(in[0]);
		close(out[1]);
		close(err[1]);
	}
	fcntl(c->out, F_SETFL, O_NONBLOCK);
	if (c->err >= 0)
		fcntl(c->err, F_SETFL, O_NONBLOCK);
	if (c->in >= 0)
		fcntl(c->in, F_SETFL, O_NONBLOCK);
}

/* False at the end of the file, or when a terminal's last user has left. */
static int forward(char type, int fd)
{
	static char buf[CHUNK];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n > 0)
		send_frame(type, buf, n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void drain(char type, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (fd >= 0 && poll(&p, 1, 0) > 0 && (p.revents & POLLIN))
		if (!forward(type, fd))
			return;
}

/* Returns the exit status of the command, as a shell would tell it. */
static int serve(struct command *c, int sigfd)
{
	static char input[CHUNK + 1];
	uint32_t have = 0, done = 0, len;
	int out = c->out, err = c->err;

	for (;;) {
		/* Take no new frame while the last input is not delivered. */
		struct pollfd p[] = {
			{ .fd = sigfd, .events = POLLIN },
			{ .fd = done == have ? port : -1, .events = POLLIN },
			{ .fd = out, .events = POLLIN },
			{ .fd = err, .events = POLLIN },
			{ .fd = done < have ? c->in : -1, .events = POLLOUT },
		};
		struct signalfd_siginfo si;
		int status;
		pid_t pid;

		if (poll(p, 5, -1) < 0)
			continue;
		if (p[2].revents && !forward('O', out))
			out = -1;
		if (p[3].revents && !forward('E', err))
			err = -1;
		if (p[4].revents) {
			ssize_t n = write(c->in, input + done, have - done);

			if (n > 0)
				done += n;
			else if (errno != EAGAIN && errno != EINTR)
				done = have;	/* nobody reads any more */
		}
		if (p[1].revents & POLLIN) {
			switch (read_frame(input, &len)) {
			case 'I':
				if (!len && c->in >= 0 && !c->tty) {
					close(c->in);
					c->in = -1;
				}
				done = 0;
				have = c->in >= 0 ? len : 0;
				break;
			case 'W':
				if (c->tty)
					set_window(c->in, input);
				break;
			}
		}
		if (!(p[0].revents & POLLIN))
			continue;
		if (read(sigfd, &si, sizeof(si)) < 0)
			continue;
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			if (pid != c->pid)
				continue;
			drain('O', out);
			drain('E', err);
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
						     WEXITSTATUS(status);
		}
	}
}

/* What the command left running must be able to die: a test of the module. */
static void kill_all(void)
{
	kill(-1, SIGTERM);
	kill(-1, SIGCONT);
	usleep(50000);
	for (int i = 0; i < 1000; i++) {
		int status;
		pid_t pid;

		kill(-1, SIGKILL);
		do {
			pid = waitpid(-1, &status, WNOHANG);
		} while (pid > 0);
		if (pid < 0 && errno == ECHILD)
			return;
		usleep(10000);
	}
	log_line("<2>hostvm-init: BUG: processes survive SIGKILL for 10 s\n");
}

#define KMEMLEAK "/sys/kernel/debug/kmemleak"

static int kmemleak_on(void)
{
	char line[4096] = "";
	FILE *f = fopen("/proc/cmdline", "r");

	if (f && !fgets(line, sizeof(line), f))
		line[0] = 0;
	if (f)
		fclose(f);
	return strstr(line, "kmemleak=on") && !access(KMEMLEAK, W_OK);
}

/* The kernel's own line "N new suspected memory leaks" makes hostvm fail. */
static void kmemleak_report(void)
{
	char line[512];
	FILE *f;

	sleep(6);	/* younger objects are not reported */
	write_file(KMEMLEAK, "scan");
	write_file(KMEMLEAK, "scan");
	f = fopen(KMEMLEAK, "r");
	while (f && fgets(line, sizeof(line), f))
		log_line("<4>kmemleak| %s", line);
	if (f)
		fclose(f);
}

int main(void)
{
	static char frame[CHUNK + 1];
	struct command c = {};
	char status[16];
	sigset_t chld;
	uint32_t len;
	int sigfd, leaks;

	mount_at("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount_at("proc", "/proc", "proc", 0, NULL);
	mount_at("sysfs", "/sys", "sysfs", 0, NULL);
	load_modules();
	set_up_root();
	open_port();
	if (port < 0)
		die("no port to hostvm");
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	sigfd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);

	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	if (system("ip link set lo up"))
		log_line("<4>hostvm-init: lo is down\n");
	leaks = kmemleak_on();
	if (leaks) {
		/* What the kernel lost before our command is not ours. */
		write_file(KMEMLEAK, "scan=off");
		sleep(6);
		write_file(KMEMLEAK, "scan");
		write_file(KMEMLEAK, "clear");
		log_line("<6>hostvm-init: kmemleak cleared\n");
	}

	send_frame('R', "", 0);
	while (read_frame(frame, &len) != 'C')
		;
	start(&c, frame, len);
	snprintf(status, sizeof(status), "%d", serve(&c, sigfd));
	kill_all();
	if (leaks)
		kmemleak_report();
	send_frame('X', status, strlen(status));
	power_off();
}
