/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Is this host ready to run guests, and if not, what is to be done about it?
 * "pvhv check" prints the answers; "pvhv run" prints them when it is refused.
 */
#ifndef PVHV_TOOL_HOST_H
#define PVHV_TOOL_HOST_H

#include <linux/pvhv.h>

#include "util.h"

#define HOST_MAX_PROBLEMS	16
#define HOST_MIN_KERNEL		"6.1"
#define HOST_DEFAULT_KERNEL	"/usr/lib/pvhv/vmlinux-guest"

/*
 * What there is to find. The names are part of the interface: scripts read
 * them. "error": guests cannot run. "warning": something will not work.
 */
struct problem {
	bool is_error;
	const char *type;	/* "no-device" */
	char text[256];		/* what is wrong */
	char action[256];	/* what to do */
};

struct host {
	const char *root;	/* "" or, in tests, where /proc, /sys, ... are */
	const char *machine;	/* uname -m */
	const char *release;	/* uname -r */
	bool with_device;	/* false in tests: the device is not looked at */
	bool have_info;
	struct pvhv_info info;	/* of the module, if that answered */
	unsigned int nr;
	struct problem problem[HOST_MAX_PROBLEMS];
};

void host_init(struct host *h);
/* Look at everything. Returns true if guests can run. */
bool host_check(struct host *h);
/*
 * Open the device and get h->info. Returns the descriptor, or -1, and then there
 * is a problem at least; without a device the first one is why the module would
 * not load here, if that is known.
 */
int host_open_device(struct host *h);

#endif
