/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where launchers' control sockets are, and whose a name is.
 *
 * The directory is $PVHV_RUNTIME_DIR if that is set; else the first of these
 * that this user can write to: /run/pvhv, $XDG_RUNTIME_DIR/pvhv and
 * /tmp/pvhv-UID. Commands look for a name in all of them.
 *
 * A directory is used only if it belongs to this user or to root and nobody
 * else can remove what is in it: not writable by others, or sticky. It is made
 * with mode 0700.
 *
 * A launcher that was killed with SIGKILL leaves its socket behind. Nobody
 * listens to it, so connect() is refused, and whoever notices removes it. To
 * keep that from hitting a socket that is bound but not yet listened to,
 * names are claimed and removed with the directory locked (flock).
 */
#ifndef PVHV_TOOL_RUNTIME_H
#define PVHV_TOOL_RUNTIME_H

#include <limits.h>
#include <sys/stat.h>

#include "util.h"

#define NAME_MAX_LEN	64

/* [A-Za-z0-9._-]{1,64}, not starting with '-' */
bool name_valid(const char *name);
#define NAME_RULE	"a name has 1 to 64 of A-Z a-z 0-9 . _ - and does not start with -"

struct claim {
	char name[NAME_MAX_LEN + 1];
	char dir[PATH_MAX];
	int dir_fd;
	int listen_fd;
	dev_t dev;		/* of the socket in the directory */
	ino_t ino;
};

/* The directory where this user's launchers put their sockets; made if need be */
int runtime_dir(char *path, size_t len, struct errmsg *e);
/* Take @name and listen; also -1 when another launcher has it. */
int runtime_claim(struct claim *c, const char *name, struct errmsg *e);
void runtime_release(struct claim *c);

/* A connected socket that does not block; -ENOENT: no such launcher; -errno */
int runtime_connect(const char *name);
/* Sorted names of the sockets there are, alive or not; free with names_free() */
char **runtime_names(void);
void names_free(char **names);

#endif
