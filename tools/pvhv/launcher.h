/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A running "pvhv run": one process for one domain, which it starts again when
 * the guest reboots.
 */
#ifndef PVHV_TOOL_LAUNCHER_H
#define PVHV_TOOL_LAUNCHER_H

#include "console.h"
#include "devices.h"
#include "domain.h"
#include "guest.h"
#include "host.h"
#include "runtime.h"
#include "server.h"

struct launcher_config {
	const char *name;
	const char *kernel_path;
	const char *initrd_path;	/* NULL: none */
	const char *console;		/* as given */
	enum console_kind console_kind;
	const char *console_path;	/* CONSOLE_FILE */
	char *cmdline;			/* as the guest gets it */
	u64 memory;
	unsigned int cpus;		/* started at boot, and wanted since by pvhv cpu set */
	unsigned int max_cpus;
	struct cpu_features hidden;	/* --cpu-features */
	bool preserve;			/* --on-crash preserve */
	bool no_reboot;
	struct disk_spec *disk;		/* --disk, in their order */
	unsigned int nr_disks;
	struct net_spec *net;		/* --net */
	unsigned int nr_nets;
	struct devices devices;		/* those, and what came later */

	struct image kernel_file;
	struct image initrd;
	struct kernel kernel;
	struct layout layout;
};

struct launcher {
	struct launcher_config *cfg;
	struct host host;
	int device;
	u8 *ram;
	u64 features;			/* PVHV_F_xxx, as the guest sees them */
	struct domain dom;
	struct loop loop;
	struct claim claim;
	struct server server;
	struct console console;
	int signal_fd;
	u64 started_ms;			/* when the domain was */
	unsigned int reboots;
	struct cpu_list *pin[PVHV_MAX_VCPUS];	/* where the vCPUs may run; NULL: as we may */

	/* how it ends */
	enum { LAUNCHER_RUNNING, LAUNCHER_ENDED, LAUNCHER_PRESERVED, LAUNCHER_DONE } phase;
	struct pvhv_state final;	/* once ENDED */
	u64 ended_ms;
	int vcpu_error;			/* -errno of a PVHV_RUN that failed */
	bool kill_requested;		/* by pvhv kill or the escape sequence */
	int kill_signal;		/* or by this */
	u64 stop_ms;			/* when a signal first asked for a stop; 0: not yet */
	int status;
};

/* Everything from here to the exit status */
int launcher_run(struct launcher_config *cfg);

/* in launcher-control.c: what the control socket can ask for */
extern const struct server_ops launcher_server_ops;
/* in launcher-cpus.c: the threads are new ones */
void launcher_pin_again(struct launcher *l);
/* Set kill_requested or kill_signal before. */
void launcher_kill(struct launcher *l);
int launcher_stop(struct launcher *l);		/* ask for a power-off; 0 or -errno */
/* "panic: Attempted to kill init!"; "" unless crashed */
void launcher_reason(const struct pvhv_state *state, char *text, size_t len);

#endif
