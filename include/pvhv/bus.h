/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pvhv: the bus of split devices, for drivers in any kernel.
 *
 * A frontend or a backend is a driver on this bus and knows nothing of where
 * its peer lives or of where it lives itself. What it needs is behind struct pvhv_transport: the
 * host's kernel does it by calls into the core, a guest's by hypercalls.
 */
#ifndef _PVHV_BUS_H
#define _PVHV_BUS_H

#include <linux/device.h>
#include <linux/mm_types.h>
#include <linux/workqueue.h>

#include <pvhv/device.h>
#include <pvhv/event.h>
#include <pvhv/grant.h>
#include <pvhv/ring.h>

struct net;
struct file;
struct pvhv_console;
struct mem_cgroup;
struct workqueue_struct;
struct pvhv_device;
struct pvhv_event;

/**
 * struct pvhv_device_config - what the owner of the frontend's domain wants of a backend
 * @file:	block: the backing file or block device, open
 * @cached:	block: through the page cache
 * @readonly:	block
 * @serial:	block: not necessarily NUL-terminated
 * @net:	net: where the interface appears
 * @ifname:	net: its name, or "" for vif<domain>.<index>
 * @mac:	net: the frontend's address
 * @mtu:	net: 0: 1500
 * @max_queues:	0: the driver decides
 * @console:	console: the queues behind the owner's descriptor
 * @memcg:	the owner's; probe() and changed() run in it
 *
 * Of the host; a backend in a driver domain has none yet.
 */
struct pvhv_device_config {
	struct file *file;
	bool cached;
	bool readonly;
	char serial[32];
	struct net *net;
	char ifname[16];
	u8 mac[6];
	u32 mtu;
	u32 max_queues;
	struct pvhv_console *console;
	struct mem_cgroup *memcg;
};

/**
 * struct pvhv_map - one granted page to be mapped
 * @ref:	in: of the peer
 * @readonly:	in: the page will not be written
 * @status:	out: 0 or -errno
 * @page:	out: a page with a reference, for bios, skbs and page_address()
 * @handle:	out: the transport's, for unmapping
 */
struct pvhv_map {
	pvhv_grant_t ref;
	bool readonly;
	int status;
	struct page *page;
	unsigned long handle[2];
};

/**
 * struct pvhv_copy - one copy between a page of ours and one of the peer's
 * @ref:	of the peer
 * @offset:	in its page
 * @page:	ours
 * @page_offset: in it
 * @len:	bytes; neither crosses its page
 * @to_peer:	direction
 * @status:	out: 0 or -errno
 */
struct pvhv_copy {
	pvhv_grant_t ref;
	u16 offset;
	u16 page_offset;
	u16 len;
	bool to_peer;
	int status;
	struct page *page;
};

/**
 * struct pvhv_transport - how this kernel reaches the other side
 * @name:	for people
 * @publish:	this side's state and properties. May sleep
 * @read_peer:	the other side, into a page. May sleep
 * @grant:	let the peer use a page; returns a reference or PVHV_GRANT_NONE when
 *		there is none left. Any context
 * @revoke:	take it back; false if the peer uses it now. Any context
 * @map:	map granted pages; each has a status. May sleep, unless @atomic: then
 *		-EAGAIN where it would have to
 * @unmap:	the opposite; @dirty if they were written. Any context
 * @copy:	copy; may sleep, unless @atomic, as above
 * @event_alloc: a new port that the peer may bind. May sleep
 * @event_bind:	a new port, bound to one of the peer's. May sleep
 * @event_close: no handler runs afterwards. May sleep
 * @event_send:	notify the peer. Any context
 * @event_port:	its number
 *
 * event_alloc and event_bind return an ERR_PTR when they fail. What a transport
 * cannot do returns -EOPNOTSUPP.
 */
struct pvhv_transport {
	const char *name;
	int (*publish)(struct pvhv_device *dev, u32 state, const struct pvhv_prop *props,
		       unsigned int nr);
	int (*read_peer)(struct pvhv_device *dev, struct pvhv_device_side *side);
	pvhv_grant_t (*grant)(struct pvhv_device *dev, struct page *page, bool readonly);
	bool (*revoke)(struct pvhv_device *dev, pvhv_grant_t ref);
	void (*map)(struct pvhv_device *dev, struct pvhv_map *maps, unsigned int nr, bool atomic);
	void (*unmap)(struct pvhv_device *dev, struct pvhv_map *maps, unsigned int nr, bool dirty);
	void (*copy)(struct pvhv_device *dev, struct pvhv_copy *copies, unsigned int nr,
		     bool atomic);
	struct pvhv_event *(*event_alloc)(struct pvhv_device *dev, bool (*fn)(void *data),
					  void *data, unsigned int flags);
	struct pvhv_event *(*event_bind)(struct pvhv_device *dev, pvhv_port_t peer_port,
					 bool (*fn)(void *data), void *data, unsigned int flags);
	void (*event_close)(struct pvhv_event *event);
	void (*event_send)(struct pvhv_event *event);
	pvhv_port_t (*event_port)(const struct pvhv_event *event);
};

/*
 * Handlers of events: called at least once after each notification, never twice at
 * the same time for one event. A handler does a bounded amount of work and
 * returns true if there is more: it is called again. By default it may sleep: in
 * a guest it is an interrupt thread, on the host it may be the thread of the vCPU
 * that has sent the event, which pays for the work.
 */
#define PVHV_EVENT_ATOMIC	(1U << 0)	/* called in interrupt context, must not sleep */

/**
 * struct pvhv_device - a side of a split device
 * @dev:	in the driver model
 * @id:		the registry's number
 * @class:	PVHV_CLASS_xxx
 * @index:	number among the frontend's devices of this class
 * @role:	PVHV_ROLE_xxx, of this side
 * @peer:	the other domain
 * @tp:		how to get there
 * @tp_data:	the transport's
 * @config:	backends on the host, else NULL
 * @wq:		for work of this device that may wait long, for the peer's memory or for
 *		what goes on in @io_wq: on the host no other device's waits behind it
 * @io_wq:	for work that somebody's memory may wait for, and that itself waits for no
 *		other work. On the host the disks of a domain share it; else it is @wq
 * @state:	this side's, as last published
 * @peer_state:	the other side's, as last seen
 * @generation:	likewise
 * @flags:	PVHV_DEV_ONLINE, PVHV_DEV_PEER_DEAD
 * @offer:	PVHV_PROP_OFFER, made or taken
 * @error:	what the last probe() returned; the driver core keeps it to itself
 *
 * A driver reads @state, @peer_state and @flags in its callbacks only, @flags with
 * READ_ONCE() anywhere.
 */
struct pvhv_device {
	struct device dev;
	u32 id;
	u32 class;
	u32 index;
	u32 role;
	pvhv_domid_t peer;
	const struct pvhv_transport *tp;
	void *tp_data;
	const struct pvhv_device_config *config;
	struct workqueue_struct *wq;
	struct workqueue_struct *io_wq;
	u32 state;
	u32 peer_state;
	u32 generation;
	u32 flags;
	u64 offer;
	int error;
};

#define to_pvhv_device(d)	container_of(d, struct pvhv_device, dev)

/**
 * struct pvhv_driver - a frontend or a backend
 * @driver:	of the driver model; @name is set by the driver
 * @class:	PVHV_CLASS_xxx
 * @role:	PVHV_ROLE_xxx
 * @probe:	a device is there. Both sides are INITIALISING, or the peer is on
 * @changed:	the other side or a flag has changed; also called once after @probe
 * @remove:	the device is gone, or the driver goes. Leaves nothing mapped, granted or
 *		in flight. The bus publishes CLOSED afterwards
 *
 * Callbacks of one device are serialised and may sleep.
 */
struct pvhv_driver {
	struct device_driver driver;
	u32 class;
	u32 role;
	int (*probe)(struct pvhv_device *dev);
	void (*changed)(struct pvhv_device *dev);
	void (*remove)(struct pvhv_device *dev);
};

int __pvhv_register_driver(struct pvhv_driver *drv, struct module *owner);
#define pvhv_register_driver(drv)	__pvhv_register_driver(drv, THIS_MODULE)
void pvhv_unregister_driver(struct pvhv_driver *drv);

#define module_pvhv_driver(drv) \
	module_driver(drv, pvhv_register_driver, pvhv_unregister_driver)

/* "pvhv:c<class>r<role>", for modprobe */
#define MODULE_ALIAS_PVHV(class, role) \
	MODULE_ALIAS("pvhv:c" __stringify(class) "r" __stringify(role))

/*
 * ---- for transports ----
 *
 * add: makes the device; if a driver is there, has probed it on return, with the
 *	result in @error. May sleep and calls the transport. ERR_PTR(-errno) if the
 *	device could not be made; no driver, or a failed probe, is no such error.
 * changed: the other side or a flag is now as in @info; the driver's changed() is
 *	called soon, from a work item, even if nothing differs. Does not sleep and may
 *	be called under the transport's locks.
 * remove: waits for callbacks, calls the driver's remove(), publishes CLOSED if there
 *	was a driver, and puts the device. May sleep and calls the transport.
 */
struct pvhv_device *pvhv_bus_add(const struct pvhv_transport *tp, void *tp_data,
				 const struct pvhv_device_info *info,
				 const struct pvhv_device_config *config,
				 struct workqueue_struct *wq,
				 struct workqueue_struct *io_wq);
void pvhv_bus_changed(struct pvhv_device *dev, const struct pvhv_device_info *info);
void pvhv_bus_remove(struct pvhv_device *dev);

/* ---- helpers for drivers, bus/client.c ---- */

/**
 * struct pvhv_props - properties being collected, or the peer's being read
 * @nr:		used
 * @error:	some did not fit
 * @props:	them
 */
struct pvhv_props {
	unsigned int nr;
	int error;
	struct pvhv_prop props[PVHV_MAX_PROPS];
};

struct pvhv_props *pvhv_props_alloc(void);
void pvhv_prop_add(struct pvhv_props *p, u16 key, u16 index, u64 value);
u64 pvhv_prop_get(const struct pvhv_props *p, u16 key, u16 index, u64 otherwise);
int pvhv_publish(struct pvhv_device *dev, u32 state, const struct pvhv_props *p);
struct pvhv_props *pvhv_read_peer(struct pvhv_device *dev, u32 *state);

/*
 * Frontend: give what is offered a number; has the backend taken that? Backend: take
 * and say which
 */
void pvhv_offer_make(struct pvhv_device *dev, struct pvhv_props *p);
bool pvhv_offer_taken(struct pvhv_device *dev, const struct pvhv_props *p);
void pvhv_offer_take(struct pvhv_device *dev, const struct pvhv_props *p);
void pvhv_offer_say(struct pvhv_device *dev, struct pvhv_props *p);

/* Revoke, then put_page(): at once, or when the peer does not use the page any more */
void pvhv_revoke_put(struct pvhv_device *dev, pvhv_grant_t ref, struct page *page);

/**
 * struct pvhv_area - ring pages with a port
 * @dev:	the device
 * @addr:	contiguous in the kernel's addresses
 * @nr_pages:	of it
 * @event:	the channel
 * @refs:	frontend: grants of the pages
 * @maps:	backend: the peer's pages
 */
struct pvhv_area {
	struct pvhv_device *dev;
	void *addr;
	unsigned int nr_pages;
	struct pvhv_event *event;
	pvhv_grant_t refs[PVHV_MAX_RING_PAGES];
	struct pvhv_map maps[PVHV_MAX_RING_PAGES];
};

/* Frontend: zeroed pages, granted, with a port to offer; all in the properties */
int pvhv_area_create(struct pvhv_area *area, struct pvhv_device *dev, unsigned int nr_pages,
		     bool (*fn)(void *data), void *data, unsigned int flags);
void pvhv_area_offer(const struct pvhv_area *area, unsigned int i, struct pvhv_props *p);
/* Backend: what the frontend has offered, mapped and bound */
int pvhv_area_accept(struct pvhv_area *area, struct pvhv_device *dev, unsigned int i,
		     const struct pvhv_props *p, bool (*fn)(void *data), void *data,
		     unsigned int flags);
/* Either; the frontend's pages are freed when the peer has unmapped them */
void pvhv_area_destroy(struct pvhv_area *area);
void pvhv_area_notify(const struct pvhv_area *area);

#endif /* _PVHV_BUS_H */
