/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A domain: its descriptors and one thread for each vCPU.
 *
 * The threads do nothing but PVHV_RUN, with all signals blocked but one. When
 * one comes to its end, @event_fd becomes readable; everything else is the main
 * thread's.
 *
 * Where the CPU can, CPUID faults in these threads, so that the module shows the guest's
 * programs what their kernel sees. The threads' own code must then execute none: after
 * the start it is these loops, system calls and the end of a thread, which glibc serves
 * by what it has found out about the CPU when the process started.
 *
 * Registers can only be had of a vCPU that is not in PVHV_RUN. So a paused
 * domain's threads are called out of it by a signal and wait here, @parked.
 */
#ifndef PVHV_TOOL_DOMAIN_H
#define PVHV_TOOL_DOMAIN_H

#include <pthread.h>

#include <linux/pvhv.h>
#include <pvhv/device.h>

#include "cpufeatures.h"
#include "cpulist.h"
#include "util.h"

#define DOMAIN_MAX_STATS	512

struct domain;

struct vcpu {
	struct domain *dom;
	int fd;
	pthread_t thread;
	bool started;
	/* under the domain's lock */
	pid_t tid;		/* 0: the thread has not begun yet */
	bool parked;
	bool ended;		/* out of PVHV_RUN for good; then it raises the event */
	int error;		/* 0: the domain has ended; or -errno of PVHV_RUN */
};

struct domain {
	int fd;
	int console_fd;		/* not blocking */
	int event_fd;
	u32 domid;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool cpuid_faults;	/* in the threads */
	bool park;		/* threads shall stay out of PVHV_RUN; under lock */
	unsigned int nr_vcpus;
	struct vcpu vcpu[PVHV_MAX_VCPUS];
};

/* Where the boot vCPU starts */
struct domain_start {
	u64 rip;
	u64 cr3;
	u64 start_info;
};

struct domain_config {
	u8 *ram;
	u64 size;			/* of it, in bytes */
	unsigned int nr_vcpus;
	const struct cpu_features *hidden;
	bool cpuid_faults;		/* for the programs of the guest, too */
};

/* Make a domain and its vCPUs. */
int domain_create(struct domain *dom, int device, const struct domain_config *cfg,
		  struct errmsg *e);
int domain_start(struct domain *dom, const struct domain_start *start, struct errmsg *e);
/*
 * True when no vCPU thread is left in PVHV_RUN, or one has failed, whose -errno is then
 * in *@error; clears the event.
 */
bool domain_ended(struct domain *dom, int *error);
/* End it if it has not ended, and release everything. */
void domain_destroy(struct domain *dom);

/* All: 0 or -errno */

/* PVHV_CONTROL; pausing also makes registers available */
int domain_control(struct domain *dom, unsigned int what);
int domain_state(struct domain *dom, struct pvhv_state *state);
int domain_regs(struct domain *dom, unsigned int vcpu, struct pvhv_vcpu_regs *regs);
/* Number of counters, in *stats, malloc'ed; or -errno */
int domain_stats(struct domain *dom, struct pvhv_stat **stats);

/* Ask the guest to have so many vCPUs online. */
int domain_set_vcpus(struct domain *dom, unsigned int nr);
/* Where the thread of a vCPU may run; -ESRCH: it has ended */
int domain_pin(struct domain *dom, unsigned int vcpu, const struct cpu_list *cpus);

struct vcpu_thread {
	pid_t tid;
	int cpu;		/* of the host, where it ran last; -1: unknown */
	u64 time_ms;		/* that it has run */
	struct cpu_list affinity;
};

int domain_vcpu_thread(struct domain *dom, unsigned int vcpu, struct vcpu_thread *t);

int domain_device_add(struct domain *dom, struct pvhv_device_add *add);
int domain_device_remove(struct domain *dom, u32 id, bool force);
/* The file of a disk has another size. */
int domain_device_changed(struct domain *dom, u32 id);
/* Number of devices, at most PVHV_MAX_DEVICES; or -errno */
int domain_devices(struct domain *dom, struct pvhv_device_entry *entries);

const char *domain_state_name(u32 state);
const char *domain_crash_name(u32 crash);

#endif
