// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "runtime.h"

#define SUFFIX		".sock"
#define LOCK_TRIES	100		/* of LOCK_PAUSE_MS each: others hold it for a moment */
#define LOCK_PAUSE_MS	50
#define MAX_NAMES	4096
#define CONTROL_BACKLOG	16

bool name_valid(const char *name)
{
	size_t len;

	for (len = 0; name[len]; len++)
		if (!strchr("._-", name[len]) && (!isascii(name[len]) || !isalnum(name[len])))
			return false;
	return len >= 1 && len <= NAME_MAX_LEN && name[0] != '-';
}

struct candidates {
	unsigned int nr;
	char path[3][PATH_MAX];
};

static void list_candidates(struct candidates *c)
{
	const char *dir = getenv("PVHV_RUNTIME_DIR");
	const char *xdg = getenv("XDG_RUNTIME_DIR");

	c->nr = 0;
	if (dir && *dir) {
		snprintf(c->path[c->nr++], PATH_MAX, "%s", dir);
		return;
	}
	snprintf(c->path[c->nr++], PATH_MAX, "/run/pvhv");
	if (xdg && *xdg == '/')
		snprintf(c->path[c->nr++], PATH_MAX, "%s/pvhv", xdg);
	snprintf(c->path[c->nr++], PATH_MAX, "/tmp/pvhv-%u", geteuid());
}

/* Open a candidate; with @make, for adding to it. -errno with @e filled in */
static int open_dir(const char *path, bool make, struct errmsg *e)
{
	struct stat st;
	int fd, rc;

	if (make && mkdir(path, 0700) && errno != EEXIST) {
		rc = -errno;
		errmsg_set(e, "%s cannot be made: %s; set PVHV_RUNTIME_DIR to a directory of yours",
			   path, strerror(-rc));
		return rc;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st)) {
		rc = -errno;
		errmsg_set(e, "%s cannot be used: %s; set PVHV_RUNTIME_DIR to a directory of yours",
			   path, strerror(-rc));
		goto fail;
	}
	rc = -EPERM;
	if (st.st_uid != geteuid() && st.st_uid != 0) {
		errmsg_set(e, "%s belongs to user %u: set PVHV_RUNTIME_DIR to a directory of yours",
			   path, st.st_uid);
		goto fail;
	}
	if ((st.st_mode & 022) && !(st.st_mode & S_ISVTX)) {
		errmsg_set(e, "%s can be changed by others: chmod go-w %s", path, path);
		goto fail;
	}
	rc = -EACCES;
	if (make && faccessat(fd, ".", W_OK | X_OK, AT_EACCESS)) {
		errmsg_set(e, "%s is not writable: set PVHV_RUNTIME_DIR to a directory of yours",
			   path);
		goto fail;
	}
	return fd;
fail:
	if (fd >= 0)
		close(fd);
	return rc;
}

static int open_runtime_dir(char *path, size_t len, struct errmsg *e)
{
	struct candidates c;
	unsigned int i;
	int fd = -1;

	list_candidates(&c);
	for (i = 0; i < c.nr && fd < 0; i++) {
		fd = open_dir(c.path[i], true, e);
		if (fd >= 0)
			snprintf(path, len, "%s", c.path[i]);
	}
	return fd;
}

int runtime_dir(char *path, size_t len, struct errmsg *e)
{
	int fd = open_runtime_dir(path, len, e);

	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

/* By the directory's descriptor: a path may be longer than a socket's may be. */
static void socket_address(struct sockaddr_un *addr, int dir_fd, const char *name)
{
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d/%s" SUFFIX,
		 dir_fd, name);
}

static int lock_dir(int dir_fd)
{
	struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000L };
	int i;

	/* In a shared directory, someone may sit on the lock for ever. */
	for (i = 0; i < LOCK_TRIES; i++) {
		if (!flock(dir_fd, LOCK_EX | LOCK_NB))
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		nanosleep(&pause, NULL);
	}
	return -EBUSY;
}

static int connect_at(int dir_fd, const char *name)
{
	char file[NAME_MAX_LEN + sizeof(SUFFIX)];
	struct sockaddr_un addr;
	struct ucred peer;
	socklen_t peer_len = sizeof(peer);
	struct stat st;
	int fd, rc;

	snprintf(file, sizeof(file), "%s" SUFFIX, name);
	if (fstatat(dir_fd, file, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOENT;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	socket_address(&addr, dir_fd, name);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_len)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	/* In a shared directory, anyone may have made a socket of this name. */
	if (geteuid() != 0 && peer.uid != geteuid() && peer.uid != 0) {
		close(fd);
		return -EACCES;
	}
	return fd;
}

/* The directory is locked: remove the socket of a launcher that is dead. */
static void remove_stale(int dir_fd, const char *name)
{
	char file[NAME_MAX_LEN + sizeof(SUFFIX)];
	int fd = connect_at(dir_fd, name);

	if (fd >= 0) {
		close(fd);
		return;
	}
	if (fd != -ECONNREFUSED)
		return;
	snprintf(file, sizeof(file), "%s" SUFFIX, name);
	unlinkat(dir_fd, file, 0);
}

/* Like connect_at(), but what is dead is removed and not there. */
static int connect_or_remove(int dir_fd, const char *name)
{
	int fd = connect_at(dir_fd, name);

	if (fd != -ECONNREFUSED)
		return fd;
	if (!lock_dir(dir_fd)) {
		remove_stale(dir_fd, name);
		flock(dir_fd, LOCK_UN);
	}
	return -ENOENT;
}

int runtime_connect(const char *name)
{
	struct candidates c;
	struct errmsg e;
	unsigned int i;
	int rc = -ENOENT;

	list_candidates(&c);
	for (i = 0; i < c.nr; i++) {
		int dir_fd = open_dir(c.path[i], false, &e);
		int fd;

		if (dir_fd < 0)
			continue;
		fd = connect_or_remove(dir_fd, name);
		close(dir_fd);
		if (fd >= 0)
			return fd;
		if (fd != -ENOENT)
			rc = fd;
	}
	return rc;
}

static int listen_at(struct claim *c, struct errmsg *e)
{
	char file[NAME_MAX_LEN + sizeof(SUFFIX)];
	struct sockaddr_un addr;
	struct stat st;
	mode_t mask;
	int rc;

	c->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->listen_fd < 0)
		return errmsg_set(e, "no control socket: %s", strerror(errno));
	socket_address(&addr, c->dir_fd, c->name);
	mask = umask(0177);
	rc = bind(c->listen_fd, (struct sockaddr *)&addr, sizeof(addr));
	umask(mask);
	if (rc && errno == EADDRINUSE)
		return errmsg_set(e, "a domain of this name exists: give another --name");
	if (rc)
		return errmsg_set(e, "no control socket in %s: %s", c->dir, strerror(errno));
	snprintf(file, sizeof(file), "%s" SUFFIX, c->name);
	if (listen(c->listen_fd, CONTROL_BACKLOG) ||
	    fstatat(c->dir_fd, file, &st, AT_SYMLINK_NOFOLLOW)) {
		rc = -errno;
		unlinkat(c->dir_fd, file, 0);
		return errmsg_set(e, "no control socket in %s: %s", c->dir, strerror(-rc));
	}
	c->dev = st.st_dev;
	c->ino = st.st_ino;
	return 0;
}

int runtime_claim(struct claim *c, const char *name, struct errmsg *e)
{
	int rc, fd;

	memset(c, 0, sizeof(*c));
	c->listen_fd = -1;
	c->dir_fd = -1;
	snprintf(c->name, sizeof(c->name), "%s", name);

	/* The name may also be in use in another of the directories. */
	fd = runtime_connect(name);
	if (fd != -ENOENT && fd != -EACCES) {
		if (fd >= 0)
			close(fd);
		return errmsg_set(e, "a domain of this name exists: give another --name");
	}
	c->dir_fd = open_runtime_dir(c->dir, sizeof(c->dir), e);
	if (c->dir_fd < 0)
		return -1;
	rc = lock_dir(c->dir_fd);
	if (rc) {
		errmsg_set(e, "%s is locked by someone else: %s", c->dir, strerror(-rc));
		goto fail;
	}
	remove_stale(c->dir_fd, name);
	rc = listen_at(c, e);
	flock(c->dir_fd, LOCK_UN);
	if (rc)
		goto fail;
	return 0;
fail:
	if (c->listen_fd >= 0)
		close(c->listen_fd);
	close(c->dir_fd);
	return -1;
}

void runtime_release(struct claim *c)
{
	char file[NAME_MAX_LEN + sizeof(SUFFIX)];
	struct stat st;

	if (c->listen_fd < 0)
		return;
	snprintf(file, sizeof(file), "%s" SUFFIX, c->name);
	/* unless someone removed it and the name is another launcher's by now */
	if (!fstatat(c->dir_fd, file, &st, AT_SYMLINK_NOFOLLOW) &&
	    st.st_dev == c->dev && st.st_ino == c->ino)
		unlinkat(c->dir_fd, file, 0);
	close(c->listen_fd);
	c->listen_fd = -1;
	close(c->dir_fd);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char * const *)a, *(char * const *)b);
}

char **runtime_names(void)
{
	char **names = xzalloc((MAX_NAMES + 1) * sizeof(*names));
	unsigned int i, nr = 0, unique = 0;
	struct candidates c;
	struct errmsg e;

	list_candidates(&c);
	for (i = 0; i < c.nr; i++) {
		int dir_fd = open_dir(c.path[i], false, &e);
		struct dirent *d;
		DIR *dir;

		if (dir_fd < 0)
			continue;
		dir = fdopendir(dir_fd);
		if (!dir) {
			close(dir_fd);
			continue;
		}
		while (nr < MAX_NAMES && (d = readdir(dir))) {
			size_t len = strlen(d->d_name);

			if (len <= strlen(SUFFIX) ||
			    strcmp(d->d_name + len - strlen(SUFFIX), SUFFIX))
				continue;
			d->d_name[len - strlen(SUFFIX)] = '\0';
			if (name_valid(d->d_name))
				names[nr++] = xstrdup(d->d_name);
		}
		closedir(dir);
	}
	qsort(names, nr, sizeof(*names), compare_names);
	for (i = 0; i < nr; i++) {
		if (unique && !strcmp(names[i], names[unique - 1]))
			free(names[i]);
		else
			names[unique++] = names[i];
	}
	names[unique] = NULL;
	return names;
}

void names_free(char **names)
{
	char **n;

	for (n = names; *n; n++)
		free(*n);
	free(names);
}
