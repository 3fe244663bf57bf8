/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The requests of the control socket (protocol.h), for the table in
 * launcher-control.c: fill in @out, or @e with "TYPE TEXT" and return -1.
 */
#ifndef PVHV_TOOL_LAUNCHER_REQUESTS_H
#define PVHV_TOOL_LAUNCHER_REQUESTS_H

#include "launcher.h"

/* True, with @e, when the domain has ended */
int launcher_not_running(struct launcher *l, struct errmsg *e);

typedef int request_fn(struct launcher *l, const char *arg, struct strbuf *out, struct errmsg *e);

request_fn request_disks, request_disk_attach, request_disk_detach, request_disk_remove,
	   request_disk_resize;
request_fn request_cpus, request_cpu_pin, request_cpu_set;
request_fn request_nets, request_net_attach, request_net_detach, request_net_remove;

#endif
