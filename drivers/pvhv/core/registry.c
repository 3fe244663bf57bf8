// SPDX-License-Identifier: GPL-2.0
/*
 * The registry of split devices. What a guest sees of it is in <pvhv/device.h>.
 *
 * registry_lock covers all of it: publishing is rare and copies a page at most. What calls
 * into the bus and may wait for a driver is done without it:
 *
 * - A device is made by PVHV_DEVICE_ADD, which asks for a driver. Nobody else finds it
 *   before that is done (@visible).
 * - It is taken away by a work item, once, whoever wants it first (@removing): the
 *   owner, by force; both sides, when they have let go of a device that is not
 *   ONLINE; or the end of the frontend's domain.
 *
 * pvhv_bus_changed() only queues work, so it is called under the lock, as long as
 * rd->bus is there.
 */
#include <linux/capability.h>
#include <linux/etherdevice.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kmod.h>
#include <linux/memcontrol.h>
#include <linux/mutex.h>
#include <linux/nsproxy.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <net/net_namespace.h>

#include "pvhv.h"
#include "registry.h"
#include "registry_check.h"
#include "trace.h"

static DEFINE_MUTEX(registry_lock);
static LIST_HEAD(devices);
static u32 last_id;

/* Devices up to the end of their memory, which is after that of their domains */
static atomic_t nr_rdevs;
static DECLARE_WAIT_QUEUE_HEAD(rdevs_gone);

#define F	PVHV_ROLE_FRONTEND
#define B	PVHV_ROLE_BACKEND

/* ---- telling ---- */

/* The device as the domain with the side @role sees it */
static void fill_info(const struct pvhv_rdev *rd, u32 role, struct pvhv_device_info *info)
{
	const struct pvhv_rside *other = &rd->side[!role];

	*info = (struct pvhv_device_info) {
		.id		= rd->id,
		.class		= rd->class,
		.index		= rd->index,
		.role		= role,
		.peer		= other->domid,
		.state		= other->state,
		.generation	= other->generation,
		.flags		= rd->flags,
	};
}

/* The side @role has something to look at. */
static void tell(struct pvhv_rdev *rd, u32 role)
{
	struct pvhv_device_info info;
	struct pvhv_domain *d = rd->side[role].domain;

	lockdep_assert_held(&registry_lock);
	if (d) {
		pvhv_raise_cause(d, ilog2(PVHV_CAUSE_DEVICES));
	} else if (role == B && rd->bus) {
		fill_info(rd, role, &info);
		pvhv_bus_changed(rd->bus, &info);
	}
}

static void set_flags(struct pvhv_rdev *rd, u32 flags)
{
	lockdep_assert_held(&registry_lock);
	rd->flags = flags;
	rd->side[F].generation++;
	rd->side[B].generation++;
	tell(rd, F);
	tell(rd, B);
}

/* ---- workqueues ---- */

static void disk_queue_put(struct pvhv_disk_queue *dq)
{
	if (!refcount_dec_and_test(&dq->users))
		return;
	destroy_workqueue(dq->wq);
	kfree(dq);
}

/* Made with the first disk. Return: NULL if there is no memory */
static struct pvhv_disk_queue *disk_queue_get(struct pvhv_domain *d)
{
	struct pvhv_disk_queue *dq;

	mutex_lock(&d->lock);
	dq = d->disk_queue;
	if (dq)
		goto got;
	dq = kmalloc(sizeof(*dq), GFP_KERNEL_ACCOUNT);
	if (!dq)
		goto out;
	/* A loop of swap and guests must not be its end. */
	dq->wq = alloc_workqueue("pvhv%u-disks", WQ_UNBOUND | WQ_MEM_RECLAIM, WQ_MAX_ACTIVE, d->id);
	if (!dq->wq) {
		kfree(dq);
		dq = NULL;
		goto out;
	}
	refcount_set(&dq->users, 1);
	d->disk_queue = dq;
got:
	refcount_inc(&dq->users);
out:
	mutex_unlock(&d->lock);
	return dq;
}

static void free_queues(struct pvhv_rdev *rd)
{
	if (rd->wq)
		destroy_workqueue(rd->wq);
	if (rd->disk_queue)
		disk_queue_put(rd->disk_queue);
}

/*
 * Who closes a device waits for its requests. A rescuer takes all that is pending and does it
 * in turn, so the two must not be in the same queue: it could wait for what is behind it.
 */
static int make_queues(struct pvhv_rdev *rd, struct pvhv_domain *d)
{
	rd->wq = alloc_workqueue("pvhv%u-dev", WQ_UNBOUND, 0, d->id);
	if (rd->class == PVHV_CLASS_BLOCK)
		rd->disk_queue = disk_queue_get(d);
	if (rd->wq && (rd->disk_queue || rd->class != PVHV_CLASS_BLOCK))
		return 0;
	free_queues(rd);
	return -ENOMEM;
}

/* ---- the end ---- */

static void free_work(struct work_struct *work)
{
	struct pvhv_rdev *rd = container_of(work, struct pvhv_rdev, free);

	free_queues(rd);
	kfree(rd);
	if (atomic_dec_and_test(&nr_rdevs))
		wake_up(&rdevs_gone);
}

static void rdev_free(struct pvhv_rdev *rd)
{
	kfree(rd->side[F].props);
	kfree(rd->side[B].props);
	if (rd->config.file)
		fput(rd->config.file);
	if (rd->config.net)
		put_net(rd->config.net);
	mem_cgroup_put(rd->config.memcg);
	pvhv_grant_table_put(rd->grants);
	if (rd->kept)
		pvhv_domain_put(rd->kept);
	/* We may be on its queue. */
	queue_work(pvhv_wq, &rd->free);
}

/* Out of the list. The bus does not know it any more. */
static void rdev_drop(struct pvhv_rdev *rd)
{
	u32 role;

	mutex_lock(&registry_lock);
	list_del(&rd->list);
	for (role = F; role <= B; role++) {
		struct pvhv_domain *d = rd->side[role].domain;

		if (!d)
			continue;
		WRITE_ONCE(d->nr_devices, d->nr_devices - 1);
		if (rd->visible)
			pvhv_raise_cause(d, ilog2(PVHV_CAUSE_DEVICES));
	}
	mutex_unlock(&registry_lock);
	rdev_free(rd);
}

static void remove_work(struct work_struct *work)
{
	struct pvhv_rdev *rd = container_of(work, struct pvhv_rdev, remove);
	struct pvhv_device *bus;

	mutex_lock(&registry_lock);
	bus = rd->bus;
	rd->bus = NULL;
	mutex_unlock(&registry_lock);
	pvhv_bus_remove(bus);
	if (rd->config.file) {
		/* fput() would do it some jiffies later: who sees the device gone may use it. */
		__fput_sync(rd->config.file);
		rd->config.file = NULL;
	}
	rdev_drop(rd);
}

static void start_remove(struct pvhv_rdev *rd)
{
	lockdep_assert_held(&registry_lock);
	if (rd->removing || !rd->visible)
		return;
	rd->removing = true;
	queue_work(rd->wq, &rd->remove);
}

/* Has everybody let go who was asked to? */
static void check_removal(struct pvhv_rdev *rd)
{
	u32 state = rd->side[F].state;

	/* A frontend that was never there has nothing to close. */
	if (!(rd->flags & PVHV_DEV_ONLINE) && rd->side[B].state == PVHV_DEV_CLOSED &&
	    (state == PVHV_DEV_CLOSED || state == PVHV_DEV_INITIALISING))
		start_remove(rd);
}

/* The domain with the side @role will do nothing more. */
static void side_dies(struct pvhv_rdev *rd, u32 role)
{
	lockdep_assert_held(&registry_lock);
	if (rd->flags & PVHV_DEV_PEER_DEAD)
		return;
	rd->side[role].state = PVHV_DEV_CLOSED;
	set_flags(rd, rd->flags | PVHV_DEV_PEER_DEAD);
	if (role == F)
		start_remove(rd);
}

static void scan(struct work_struct *work)
{
	struct pvhv_rdev *rd;
	u32 role;

	mutex_lock(&registry_lock);
	list_for_each_entry(rd, &devices, list)
		for (role = F; role <= B; role++)
			if (rd->visible && rd->side[role].domain &&
			    pvhv_domain_ended(rd->side[role].domain))
				side_dies(rd, role);
	mutex_unlock(&registry_lock);
}

static DECLARE_WORK(scan_work, scan);

/**
 * pvhv_registry_domain_ended - its devices' other sides must be told
 * @d:	has ended, its descriptors may be open
 *
 * Any context.
 */
void pvhv_registry_domain_ended(struct pvhv_domain *d)
{
	if (READ_ONCE(d->nr_devices))
		queue_work(pvhv_wq, &scan_work);
}

/**
 * pvhv_registry_detach - forget a domain
 * @d:	being freed
 *
 * Its devices go when their backends have let go; this does not wait for it.
 */
void pvhv_registry_detach(struct pvhv_domain *d)
{
	struct pvhv_rdev *rd;
	u32 role;

	mutex_lock(&registry_lock);
	list_for_each_entry(rd, &devices, list) {
		for (role = F; role <= B; role++) {
			if (rd->side[role].domain != d)
				continue;
			rd->side[role].domain = NULL;
			side_dies(rd, role);
		}
	}
	WRITE_ONCE(d->nr_devices, 0);
	mutex_unlock(&registry_lock);
	if (d->disk_queue)
		disk_queue_put(d->disk_queue);
}

/**
 * pvhv_registry_exit - wait for the end of all devices
 *
 * There are no domains any more, but what they have left goes on in workqueues.
 */
void pvhv_registry_exit(void)
{
	wait_event(rdevs_gone, !atomic_read(&nr_rdevs));
}

/* ---- what both sides do ---- */

/*
 * Check and copy properties. Without the lock: both may take long, the copy as long as
 * its cgroup's memory takes to be reclaimed. NULL if there are none, else an ERR_PTR().
 */
static struct pvhv_prop *copy_props(const struct pvhv_prop *props, u32 nr)
{
	struct pvhv_prop *copy;

	if (!pvhv_props_ok(props, nr))
		return ERR_PTR(-EINVAL);
	if (!nr)
		return NULL;
	copy = kmemdup(props, nr * sizeof(*props), GFP_KERNEL_ACCOUNT);
	return copy ?: ERR_PTR(-ENOMEM);
}

/* @copy is the device's, unless this fails. */
static int publish(struct pvhv_rdev *rd, u32 role, u32 state, struct pvhv_prop *copy, u32 nr)
{
	struct pvhv_rside *s = &rd->side[role];

	lockdep_assert_held(&registry_lock);
	if (!pvhv_state_jump_ok(role, s->state, state))
		return -EINVAL;
	trace_pvhv_device(rd->id, role, s->state, state, rd->flags);
	kfree(s->props);
	s->props = copy;
	s->nr_props = nr;
	s->state = state;
	s->generation++;
	if (rd->visible)
		tell(rd, !role);
	check_removal(rd);
	return 0;
}

/**
 * pvhv_registry_publish - publish a side of a device
 * @rd:		the device; the caller sees to it that it stays
 * @role:	which side
 * @state:	anything
 * @props:	anything, in memory that nobody else changes
 * @nr:		how many
 *
 * Sleeps. Return: 0, -EINVAL, -ENOMEM.
 */
int pvhv_registry_publish(struct pvhv_rdev *rd, u32 role, u32 state,
			  const struct pvhv_prop *props, u32 nr)
{
	struct pvhv_prop *copy = copy_props(props, nr);
	int ret;

	if (IS_ERR(copy))
		return PTR_ERR(copy);
	mutex_lock(&registry_lock);
	ret = publish(rd, role, state, copy, nr);
	mutex_unlock(&registry_lock);
	if (ret)
		kfree(copy);
	return ret;
}

static void read_side(struct pvhv_rdev *rd, u32 role, struct pvhv_device_side *out)
{
	const struct pvhv_rside *s = &rd->side[role];

	lockdep_assert_held(&registry_lock);
	out->state = s->state;
	out->generation = s->generation;
	out->nr_props = s->nr_props;
	out->flags = rd->flags;
	if (s->nr_props)
		memcpy(out->props, s->props, s->nr_props * sizeof(*s->props));
}

/**
 * pvhv_registry_read - read a side of a device
 * @rd:		the device; the caller sees to it that it stays
 * @role:	which side
 * @out:	what was published last; nothing is written behind the used properties
 */
void pvhv_registry_read(struct pvhv_rdev *rd, u32 role, struct pvhv_device_side *out)
{
	mutex_lock(&registry_lock);
	read_side(rd, role, out);
	mutex_unlock(&registry_lock);
}

/* ---- guests ---- */

/* A side of the domain's. Return: the device and the role, or NULL. */
static struct pvhv_rdev *find_side(struct pvhv_domain *d, u64 id, u32 *role)
{
	struct pvhv_rdev *rd;

	lockdep_assert_held(&registry_lock);
	list_for_each_entry(rd, &devices, list) {
		if (rd->id != id || !rd->visible)
			continue;
		for (*role = F; *role <= B; ++*role)
			if (rd->side[*role].domain == d)
				return rd;
	}
	return NULL;
}

/**
 * pvhv_hc_device_list - PVHV_HC_DEVICE_LIST
 * @v:	the vCPU, not loaded
 * @a:	arguments
 *
 * Return: devices, or -PVHV_Exxx.
 */
long pvhv_hc_device_list(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_domain *d = v->domain;
	struct pvhv_device_info *infos;
	struct pvhv_rdev *rd;
	u32 role, n = 0;
	long ret;

	if (a[0] & ~PAGE_MASK)
		return -PVHV_EINVAL;
	BUILD_BUG_ON(PVHV_DEVICES_PER_LIST * sizeof(*infos) != PAGE_SIZE);
	infos = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!infos)
		return -PVHV_ENOMEM;
	mutex_lock(&registry_lock);
	list_for_each_entry(rd, &devices, list)
		for (role = F; role <= B; role++)
			if (rd->visible && rd->side[role].domain == d &&
			    n < PVHV_DEVICES_PER_LIST)
				fill_info(rd, role, &infos[n++]);
	mutex_unlock(&registry_lock);
	ret = pvhv_copy_to_guest(v, a[0], infos, n * sizeof(*infos)) ? -PVHV_EFAULT : (long)n;
	free_page((unsigned long)infos);
	return ret;
}

/**
 * pvhv_hc_device_read - PVHV_HC_DEVICE_READ
 * @v:	the vCPU, not loaded
 * @a:	arguments
 */
long pvhv_hc_device_read(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_device_side *side;
	struct pvhv_rdev *rd;
	long ret = -PVHV_ENOENT;
	u32 role;

	if (a[1] & ~PAGE_MASK)
		return -PVHV_EINVAL;
	side = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!side)
		return -PVHV_ENOMEM;
	mutex_lock(&registry_lock);
	rd = find_side(v->domain, a[0], &role);
	if (rd)
		read_side(rd, !role, side);
	mutex_unlock(&registry_lock);
	if (rd)
		ret = pvhv_copy_to_guest(v, a[1], side,
					 offsetof(struct pvhv_device_side, props[side->nr_props])) ?
			-PVHV_EFAULT : 0;
	free_page((unsigned long)side);
	return ret;
}

/**
 * pvhv_hc_device_publish - PVHV_HC_DEVICE_PUBLISH
 * @v:	the vCPU, not loaded
 * @a:	arguments
 */
long pvhv_hc_device_publish(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_device_side *side;
	struct pvhv_prop *copy;
	struct pvhv_rdev *rd;
	long ret = -PVHV_EFAULT;
	u32 role;

	if (a[1] & ~PAGE_MASK)
		return -PVHV_EINVAL;
	side = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!side)
		return -PVHV_ENOMEM;
	/* All of the page, once: what is behind the used properties is not looked at. */
	if (pvhv_copy_from_guest(v, side, a[1], sizeof(*side)))
		goto out;
	ret = -PVHV_EINVAL;
	if (side->flags)
		goto out;
	copy = copy_props(side->props, side->nr_props);
	if (IS_ERR(copy)) {
		ret = PTR_ERR(copy);
		goto out;
	}
	mutex_lock(&registry_lock);
	rd = find_side(v->domain, a[0], &role);
	ret = -PVHV_ENOENT;
	if (rd)
		ret = publish(rd, role, side->state, copy, side->nr_props);
	mutex_unlock(&registry_lock);
	if (ret)
		kfree(copy);
out:
	free_page((unsigned long)side);
	return ret;
}

/* ---- the owner ---- */

static int check_config(struct pvhv_device_add *a)
{
	if (memchr_inv(a->reserved, 0, sizeof(a->reserved)) ||
	    memchr_inv(a->reserved2, 0, sizeof(a->reserved2)) || a->id || a->index ||
	    a->flags & ~(PVHV_DEVICE_READONLY | PVHV_DEVICE_CACHED))
		return -EINVAL;
	if (a->backend)
		return -EOPNOTSUPP;
	switch (a->class) {
	case PVHV_CLASS_BLOCK:
		if (a->mtu || memchr_inv(a->mac, 0, sizeof(a->mac)) ||
		    memchr_inv(a->ifname, 0, sizeof(a->ifname)))
			return -EINVAL;
		return 0;
	case PVHV_CLASS_NET:
		if (a->flags || a->fd != -1 || memchr_inv(a->serial, 0, sizeof(a->serial)) ||
		    !is_valid_ether_addr(a->mac) ||
		    !memchr(a->ifname, 0, sizeof(a->ifname)))
			return -EINVAL;
		return 0;
	case PVHV_CLASS_CONSOLE:
		if (a->flags || a->fd != -1 || a->mtu || a->max_queues ||
		    memchr_inv(a->mac, 0, sizeof(a->mac)) ||
		    memchr_inv(a->ifname, 0, sizeof(a->ifname)) ||
		    memchr_inv(a->serial, 0, sizeof(a->serial)))
			return -EINVAL;
		return 0;
	}
	return -EINVAL;
}

static int make_config(struct pvhv_rdev *rd, struct pvhv_domain *d,
		       const struct pvhv_device_add *a)
{
	struct pvhv_device_config *c = &rd->config;
	fmode_t mode = FMODE_READ;

	c->memcg = get_mem_cgroup_from_mm(current->mm);
	c->cached = a->flags & PVHV_DEVICE_CACHED;
	c->readonly = a->flags & PVHV_DEVICE_READONLY;
	c->mtu = a->mtu;
	c->max_queues = a->max_queues;
	memcpy(c->serial, a->serial, sizeof(c->serial));
	memcpy(c->ifname, a->ifname, sizeof(c->ifname));
	memcpy(c->mac, a->mac, sizeof(c->mac));
	if (a->class == PVHV_CLASS_BLOCK) {
		if (!c->readonly)
			mode |= FMODE_WRITE;
		c->file = fget(a->fd);
		return c->file && (c->file->f_mode & mode) == mode ? 0 : -EBADF;
	}
	if (a->class == PVHV_CLASS_CONSOLE) {
		/* Until the device is gone, which the end of the domain sees to */
		kref_get(&d->ref);
		rd->kept = d;
		c->console = &d->console;
		return 0;
	}
	c->net = get_net(current->nsproxy->net_ns);
	return ns_capable(c->net->user_ns, CAP_NET_ADMIN) ? 0 : -EPERM;
}

/* Into the list, with numbers, not visible */
static int enlist(struct pvhv_rdev *rd, struct pvhv_domain *d)
{
	DECLARE_BITMAP(used, PVHV_MAX_DEVICES) = { };
	struct pvhv_rdev *other;
	u32 nr = 0;
	int ret = 0;

	mutex_lock(&registry_lock);
	list_for_each_entry(other, &devices, list) {
		if (other->side[F].domain != d)
			continue;
		nr += other->class != PVHV_CLASS_CONSOLE;
		if (other->class == rd->class)
			__set_bit(other->index, used);
	}
	if (rd->class == PVHV_CLASS_CONSOLE && test_bit(0, used)) {
		ret = -EEXIST;
	} else if ((rd->class != PVHV_CLASS_CONSOLE && nr >= PVHV_MAX_DEVICES) ||
		   last_id == U32_MAX) {
		ret = -ENOSPC;
	} else {
		rd->id = ++last_id;
		rd->index = find_first_zero_bit(used, PVHV_MAX_DEVICES);
		if (rd->class == PVHV_CLASS_NET && !rd->config.ifname[0])
			snprintf(rd->config.ifname, sizeof(rd->config.ifname), "vif%u.%u",
				 d->id, rd->index);
		WRITE_ONCE(d->nr_devices, d->nr_devices + 1);
		list_add_tail(&rd->list, &devices);
	}
	mutex_unlock(&registry_lock);
	return ret;
}

/* Does a driver have it? Return: 0, its probe's error, -ENODEV if there is none. */
static int driver_result(struct pvhv_device *dev)
{
	bool bound;

	device_lock(&dev->dev);
	bound = dev->dev.driver;
	device_unlock(&dev->dev);
	return bound ? 0 : dev->error ?: -ENODEV;
}

/* Without a lock: probing calls us. */
static int put_on_bus(struct pvhv_rdev *rd)
{
	struct pvhv_device_info info;
	struct pvhv_device *bus;
	int ret;

	fill_info(rd, B, &info);
	bus = pvhv_bus_add(&pvhv_host_transport, rd, &info, &rd->config, rd->wq,
			   rd->disk_queue ? rd->disk_queue->wq : NULL);
	if (IS_ERR(bus))
		return PTR_ERR(bus);
	ret = driver_result(bus);
	if (ret == -ENODEV) {
		request_module("pvhv:c%ur%u", rd->class, PVHV_ROLE_BACKEND);
		ret = driver_result(bus);
	}
	if (ret)
		pvhv_bus_remove(bus);
	else
		rd->bus = bus;
	return ret;
}

static int add_device(struct pvhv_domain *d, struct pvhv_device_add *a)
{
	struct pvhv_rdev *rd = kzalloc(sizeof(*rd), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!rd)
		return -ENOMEM;
	rd->class = a->class;
	ret = make_queues(rd, d);
	if (ret) {
		kfree(rd);
		return ret;
	}
	atomic_inc(&nr_rdevs);
	rd->flags = PVHV_DEV_ONLINE;
	rd->side[F].domid = pvhv_domid(d);
	rd->side[F].domain = d;
	rd->side[F].state = PVHV_DEV_INITIALISING;
	rd->side[B].domid = PVHV_DOMID_HOST;
	rd->side[B].state = PVHV_DEV_INITIALISING;
	INIT_WORK(&rd->remove, remove_work);
	INIT_WORK(&rd->free, free_work);
	refcount_inc(&d->grants->ref);
	rd->grants = d->grants;

	ret = make_config(rd, d, a);
	if (!ret)
		ret = enlist(rd, d);
	if (ret) {
		rdev_free(rd);
		return ret;
	}
	ret = put_on_bus(rd);
	if (ret) {
		rdev_drop(rd);
		return ret;
	}
	mutex_lock(&registry_lock);
	rd->visible = true;
	a->id = rd->id;
	a->index = rd->index;
	if (pvhv_domain_ended(d)) {
		/* Too late for scan() to see it. */
		side_dies(rd, F);
		ret = -ESRCH;
	} else {
		tell(rd, F);
	}
	mutex_unlock(&registry_lock);
	return ret;
}

/**
 * pvhv_device_add - PVHV_DEVICE_ADD
 * @d:		the domain
 * @arg:	struct pvhv_device_add of the caller
 *
 * Return: 0, -EINVAL, -EOPNOTSUPP for a backend that is not the host, -EBADF, -EPERM,
 * -EEXIST for a second console, -ENOSPC with PVHV_MAX_DEVICES, -ENODEV without a driver,
 * -ESRCH, or what the driver says.
 */
long pvhv_device_add(struct pvhv_domain *d, void __user *arg)
{
	struct pvhv_device_add a;
	long ret;

	if (copy_from_user(&a, arg, sizeof(a)))
		return -EFAULT;
	if (pvhv_domain_ended(d))
		return -ESRCH;
	ret = check_config(&a);
	if (ret)
		return ret;
	ret = add_device(d, &a);
	if (ret)
		return ret;
	/* The device stays: it can be listed. */
	return copy_to_user(arg, &a, sizeof(a)) ? -EFAULT : 0;
}

/* A device that the domain is the frontend of, and its owner may change */
static struct pvhv_rdev *find_own(struct pvhv_domain *d, u64 id)
{
	struct pvhv_rdev *rd;
	u32 role;

	rd = find_side(d, id, &role);
	return rd && role == F && rd->class != PVHV_CLASS_CONSOLE ? rd : NULL;
}

long pvhv_device_remove(struct pvhv_domain *d, void __user *arg)
{
	struct pvhv_device_remove r;
	struct pvhv_rdev *rd;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	if (r.flags & ~PVHV_DEVICE_FORCE || r.reserved)
		return -EINVAL;
	mutex_lock(&registry_lock);
	rd = find_own(d, r.id);
	if (rd) {
		if (rd->flags & PVHV_DEV_ONLINE)
			set_flags(rd, rd->flags & ~PVHV_DEV_ONLINE);
		if (r.flags & PVHV_DEVICE_FORCE)
			start_remove(rd);
		else
			check_removal(rd);
	}
	mutex_unlock(&registry_lock);
	return rd ? 0 : -ENOENT;
}

static void fill_entry(const struct pvhv_rdev *rd, struct pvhv_device_entry *e)
{
	const struct pvhv_device_config *c = &rd->config;

	*e = (struct pvhv_device_entry) {
		.id		= rd->id,
		.class		= rd->class,
		.index		= rd->index,
		.backend	= (__force u32)rd->side[B].domid,
		.flags		= (c->readonly ? PVHV_DEVICE_READONLY : 0) |
				  (c->cached ? PVHV_DEVICE_CACHED : 0),
		.status		= rd->flags,
		.frontend_state	= rd->side[F].state,
		.backend_state	= rd->side[B].state,
		.max_queues	= c->max_queues,
		.mtu		= c->mtu,
	};
	memcpy(e->mac, c->mac, sizeof(e->mac));
	memcpy(e->serial, c->serial, sizeof(e->serial));
	memcpy(e->ifname, c->ifname, sizeof(e->ifname));
}

long pvhv_device_list(struct pvhv_domain *d, void __user *arg)
{
	struct pvhv_device_entry *entries;
	struct pvhv_device_list l;
	struct pvhv_rdev *rd;
	long ret = 0;
	u32 room, n = 0;

	if (copy_from_user(&l, arg, sizeof(l)))
		return -EFAULT;
	if (l.reserved)
		return -EINVAL;
	entries = kcalloc(PVHV_MAX_DEVICES, sizeof(*entries), GFP_KERNEL_ACCOUNT);
	if (!entries)
		return -ENOMEM;
	mutex_lock(&registry_lock);
	list_for_each_entry(rd, &devices, list)
		if (rd->visible && rd->side[F].domain == d && rd->class != PVHV_CLASS_CONSOLE)
			fill_entry(rd, &entries[n++]);
	mutex_unlock(&registry_lock);
	room = min(l.count, n);
	l.count = n;
	if (copy_to_user(u64_to_user_ptr(l.devices), entries, room * sizeof(*entries)) ||
	    copy_to_user(arg, &l, sizeof(l)))
		ret = -EFAULT;
	kfree(entries);
	return ret;
}

long pvhv_device_changed(struct pvhv_domain *d, unsigned long id)
{
	struct pvhv_rdev *rd;

	mutex_lock(&registry_lock);
	rd = find_own(d, id);
	if (rd) {
		/* So that it is news to the backend, and to nobody else */
		rd->side[F].generation++;
		tell(rd, B);
	}
	mutex_unlock(&registry_lock);
	return rd ? 0 : -ENOENT;
}
