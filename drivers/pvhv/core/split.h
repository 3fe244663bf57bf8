/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What split devices are made of: event channels, grants and the registry, as
 * the core and the host's transport (../bus/host.c) use them.
 */
#ifndef _PVHV_CORE_SPLIT_H
#define _PVHV_CORE_SPLIT_H

#include <linux/mm_types.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <pvhv/device.h>
#include <pvhv/event.h>
#include <pvhv/grant.h>

struct pvhv_domain;
struct pvhv_vcpu;
struct pvhv_copy;
struct pvhv_event;
struct pvhv_map;

extern struct workqueue_struct *pvhv_wq;

/* ---- port.c: event channels ---- */

/* Ends of channels that the host's kernel may have, of all backends together */
#define PVHV_MAX_HOST_PORTS	BIT(20)

/**
 * struct pvhv_ports - the ends of event channels of one domain
 * @ends:	struct pvhv_event by port; read under RCU, changed under port_lock
 * @page:	what the guest has registered, for good; NULL: not yet, or the host
 * @page_ref:	the same, pinned
 * @nr:		ends there are
 * @received:	notifications that have made one pending
 */
struct pvhv_ports {
	struct xarray ends;
	struct pvhv_event_page *page;
	struct page *page_ref;
	atomic_t nr;
	atomic64_t received;
};

void pvhv_ports_init(struct pvhv_domain *d);
void pvhv_ports_close_all(struct pvhv_domain *d);
void pvhv_ports_free(struct pvhv_domain *d);

long pvhv_hc_event_setup(struct pvhv_vcpu *v, const u64 *a);
long pvhv_hc_event_alloc(struct pvhv_vcpu *v, const u64 *a);
long pvhv_hc_event_bind(struct pvhv_vcpu *v, const u64 *a);
long pvhv_hc_event_close(struct pvhv_vcpu *v, const u64 *a);
long pvhv_hc_event_unmask(struct pvhv_vcpu *v, const u64 *a);
long pvhv_hc_event_bind_vcpu(struct pvhv_vcpu *v, const u64 *a);

/* Results of pvhv_port_send() that are no result of the hypercall */
enum {
	PVHV_SEND_SLEEPS = 2,	/* a handler must run: call again where it may sleep */
	PVHV_SEND_MORE,		/* it has more to do: call again, after a look at signals */
};

long pvhv_port_send(struct pvhv_vcpu *v, u64 port);

struct pvhv_event *pvhv_host_event_alloc(pvhv_domid_t peer, bool (*fn)(void *data), void *data,
					 unsigned int flags, struct workqueue_struct *wq);
struct pvhv_event *pvhv_host_event_bind(pvhv_domid_t peer, pvhv_port_t port,
					bool (*fn)(void *data), void *data, unsigned int flags,
					struct workqueue_struct *wq);
void pvhv_host_event_close(struct pvhv_event *ev);
void pvhv_host_event_send(struct pvhv_event *ev);
pvhv_port_t pvhv_host_event_port(const struct pvhv_event *ev);

/* ---- grant.c ---- */

/* The hypervisor's own record of the uses of an entry */
struct pvhv_grant_use {
	u32 readers;
	u32 writers;
};

/**
 * struct pvhv_grant_frame - a page of a grant table
 * @lock:	@uses, and the hypervisor's bits in the entries; any context
 * @entries:	the guest's
 * @page:	the same, pinned
 * @uses:	of each entry
 */
struct pvhv_grant_frame {
	spinlock_t lock;
	struct pvhv_grant_entry *entries;
	struct page *page;
	struct pvhv_grant_use uses[PVHV_GRANTS_PER_FRAME];
};

/**
 * struct pvhv_grant_table - what a domain has granted
 * @ref:	one of the domain, one of each device, one of each mapped page
 * @domain:	NULL once it is being freed; under RCU
 * @domid:	its number
 * @nr_frames:	used entries of @frames; only grows
 * @frames:	the table
 * @mapped:	pages that are mapped now
 * @maps:	that were ever mapped
 * @copies:	copies from or to granted pages
 * @work:	frees it: the last reference may be put anywhere
 */
struct pvhv_grant_table {
	refcount_t ref;
	struct pvhv_domain __rcu *domain;
	pvhv_domid_t domid;
	u32 nr_frames;
	struct pvhv_grant_frame *frames[PVHV_MAX_GRANT_FRAMES];
	atomic_t mapped;
	atomic64_t maps;
	atomic64_t copies;
	struct work_struct work;
};

/* Entries of PVHV_HC_GRANT_COPY between two looks at signals */
#define PVHV_GRANT_COPY_STEP	16

/* Progress of a PVHV_HC_GRANT_COPY that is called again */
struct pvhv_grant_copy_state {
	u32 count, done;
	struct pvhv_grant_copy entries[PVHV_GRANT_COPY_MAX];
};

int pvhv_grants_setup(void);
void pvhv_grants_teardown(void);
int pvhv_grants_init(struct pvhv_domain *d);
void pvhv_grants_detach(struct pvhv_domain *d);
void pvhv_grant_table_put(struct pvhv_grant_table *gt);
void pvhv_grant_map(struct pvhv_grant_table *gt, pvhv_domid_t who, struct pvhv_map *maps,
		    unsigned int nr, bool atomic);
void pvhv_grant_unmap(struct pvhv_map *maps, unsigned int nr, bool dirty);
void pvhv_grant_copy(struct pvhv_grant_table *gt, pvhv_domid_t who, struct pvhv_copy *copies,
		     unsigned int nr, bool atomic);
long pvhv_hc_grant_setup(struct pvhv_vcpu *v, const u64 *a);
/* Return: the result, or 0 if it must be called again after a look at signals */
long pvhv_hc_grant_copy(struct pvhv_vcpu *v, const u64 *a);

/* ---- registry.c ---- */

void pvhv_registry_domain_ended(struct pvhv_domain *d);
void pvhv_registry_detach(struct pvhv_domain *d);
void pvhv_registry_exit(void);

long pvhv_hc_device_list(struct pvhv_vcpu *v, const u64 *a);
long pvhv_hc_device_read(struct pvhv_vcpu *v, const u64 *a);
long pvhv_hc_device_publish(struct pvhv_vcpu *v, const u64 *a);

long pvhv_device_add(struct pvhv_domain *d, void __user *arg);
long pvhv_device_remove(struct pvhv_domain *d, void __user *arg);
long pvhv_device_list(struct pvhv_domain *d, void __user *arg);
long pvhv_device_changed(struct pvhv_domain *d, unsigned long id);

#endif /* _PVHV_CORE_SPLIT_H */
