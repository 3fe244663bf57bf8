// SPDX-License-Identifier: GPL-2.0
/*
 * Event channels. What a guest sees of them is in <pvhv/event.h>.
 *
 * A channel has two ends, each a struct pvhv_event: a port of a guest, or a
 * callback of the host's kernel. Ends are found and followed under RCU, so
 * that a notification needs no lock; making, binding and closing them take
 * port_lock.
 *
 * A callback runs in the thread of the vCPU that has sent the event, between two
 * loads, so that the sender pays and nobody has to be woken. It is never run
 * twice at the same time:
 *
 *	IDLE -> RUNNING		whoever notifies first; he calls it
 *	RUNNING -> AGAIN	whoever notifies meanwhile; he goes away
 *	RUNNING, AGAIN -> IDLE	the caller; after AGAIN there is more to do
 *	IDLE -> CLOSED		pvhv_host_event_close()
 *
 * All of these are read-modify-writes of one word, so what was written before a
 * notification is seen by a call that begins after it.
 */
#include <linux/bottom_half.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include <pvhv/bus.h>
#include "pvhv.h"
#include "trace.h"

/**
 * struct pvhv_event - an end of a channel
 * @peer:	the other end, NULL: not bound; changed under port_lock
 * @domain:	whose end it is, NULL: the host's
 * @port:	its number there
 * @remote:	the domain that may have the other end
 * @vcpu:	guest: who is told
 * @bindable:	made by alloc: the other side may bind to it
 * @fn:		host: the handler
 * @data:	host: for it
 * @flags:	host: PVHV_EVENT_xxx
 * @state:	host: see above
 * @work:	host: calls the handler when there is no sender whose thread could
 * @wq:		host: for it. The device's own, as the handler may wait for the domain's
 *		memory, which may be long
 * @rcu:	frees it
 */
struct pvhv_event {
	struct pvhv_event __rcu *peer;
	struct pvhv_domain *domain;
	u32 port;
	pvhv_domid_t remote;
	u32 vcpu;
	bool bindable;

	bool (*fn)(void *data);
	void *data;
	unsigned int flags;
	atomic_t state;
	struct work_struct work;
	struct workqueue_struct *wq;
	struct rcu_head rcu;
};

enum { IDLE, RUNNING, AGAIN, CLOSED };	/* 0 is what a new end has */

/* Which ends there are and how they are bound; a guest's or a driver's call at a time */
static DEFINE_SPINLOCK(port_lock);
static struct xarray host_ends = XARRAY_INIT(host_ends, XA_FLAGS_ALLOC1);

static struct xarray *ends_of(struct pvhv_domain *d)
{
	return d ? &d->ports.ends : &host_ends;
}

static pvhv_domid_t domid_of(struct pvhv_domain *d)
{
	return d ? pvhv_domid(d) : PVHV_DOMID_HOST;
}

/* ---- notification ---- */

static void tell_vcpu(struct pvhv_event *ev)
{
	struct pvhv_vcpu *v = READ_ONCE(ev->domain->vcpus[READ_ONCE(ev->vcpu)]);

	if (v)
		pvhv_raise_event(v, ev->port / 64);
}

/* Under RCU or port_lock. Any context. */
static void notify_guest(struct pvhv_event *ev)
{
	struct pvhv_ports *ports = &ev->domain->ports;
	struct pvhv_event_page *page = READ_ONCE(ports->page);

	/* A guest that has made a port has registered the page before. */
	if (test_and_set_bit(ev->port, (unsigned long *)page->pending))
		return;
	atomic64_inc(&ports->received);
	if (!test_bit(ev->port, (unsigned long *)page->mask))
		tell_vcpu(ev);
}

/*
 * Return: 1 if the caller has to call the handler, 0 if somebody does, or
 * PVHV_SEND_SLEEPS if the caller cannot and nobody does.
 */
static int host_start(struct pvhv_event *ev, bool may_call)
{
	int old = atomic_read(&ev->state);

	BUILD_BUG_ON(PVHV_SEND_SLEEPS == 1);
	do {
		if (old == CLOSED)
			return 0;
		if (old == IDLE && !may_call)
			return PVHV_SEND_SLEEPS;
	} while (!atomic_try_cmpxchg(&ev->state, &old, old == IDLE ? RUNNING : AGAIN));
	return old == IDLE;
}

/* After host_start(). Return: true if there is more to do. */
static bool host_call(struct pvhv_event *ev)
{
	bool more;

	if (ev->flags & PVHV_EVENT_ATOMIC) {
		local_bh_disable();
		more = ev->fn(ev->data);
		local_bh_enable();
	} else {
		more = ev->fn(ev->data);
	}
	if (atomic_xchg(&ev->state, IDLE) == AGAIN)
		more = true;
	/* It may be gone by now: this uses the address only. */
	wake_up_var(&ev->state);
	return more;
}

static void host_work(struct work_struct *work)
{
	struct pvhv_event *ev = container_of(work, struct pvhv_event, work);

	/*
	 * pvhv_host_event_close() waits for this before the memory goes. Who has closed
	 * his end does not get more done: it would be at the host's expense.
	 */
	while (host_start(ev, true) && host_call(ev) && rcu_access_pointer(ev->peer))
		cond_resched();
}

/**
 * pvhv_port_send - PVHV_HC_EVENT_SEND
 * @v:		the sender, in its own thread
 * @port:	of its domain, anything
 *
 * Return: 0, also if nobody has bound the other end; -PVHV_ENOENT; or
 * PVHV_SEND_xxx.
 */
long pvhv_port_send(struct pvhv_vcpu *v, u64 port)
{
	struct pvhv_event *ev, *peer;
	int start;

	if (port >= PVHV_MAX_PORTS)
		return -PVHV_ENOENT;
	rcu_read_lock();
	ev = xa_load(&v->domain->ports.ends, array_index_nospec(port, PVHV_MAX_PORTS));
	peer = ev ? rcu_dereference(ev->peer) : NULL;
	if (!peer || peer->domain) {
		if (peer) {
			trace_pvhv_event_send(v->domain->id, port, peer->domain->id, peer->port);
			v->stats.port_sends++;
			notify_guest(peer);
		}
		rcu_read_unlock();
		return ev ? 0 : -PVHV_ENOENT;
	}
	start = host_start(peer, !v->loaded);
	rcu_read_unlock();
	if (start == PVHV_SEND_SLEEPS)
		return start;
	v->stats.port_sends++;
	trace_pvhv_event_send(v->domain->id, port, 0, 0);
	/* Running: closing it waits, so it stays without RCU. */
	return start && host_call(peer) ? PVHV_SEND_MORE : 0;
}

/* ---- making, binding, closing ---- */

static void end_free(struct pvhv_event *ev)
{
	if (ev->domain)
		atomic_dec(&ev->domain->ports.nr);
	kfree_rcu(ev, rcu);
}

/* An end that nobody can bind to yet. Return: it or ERR_PTR(-errno). */
static struct pvhv_event *end_alloc(struct pvhv_domain *d, pvhv_domid_t remote)
{
	struct pvhv_event *ev = kzalloc(sizeof(*ev), GFP_KERNEL_ACCOUNT);
	u32 last = d ? PVHV_MAX_PORTS - 1 : PVHV_MAX_HOST_PORTS;
	int ret;

	if (!ev)
		return ERR_PTR(-ENOMEM);
	ev->domain = d;
	ev->remote = remote;
	INIT_WORK(&ev->work, host_work);
	/* The number first: it is there when the end can be found. */
	ret = xa_alloc(ends_of(d), &ev->port, NULL, XA_LIMIT(1, last), GFP_KERNEL_ACCOUNT);
	if (ret < 0) {
		kfree(ev);
		return ERR_PTR(ret == -EBUSY ? -ENOSPC : ret);
	}
	if (d)
		atomic_inc(&d->ports.nr);
	return ev;
}

/* Let it be found, bound to @port of @remote unless that is 0. */
static int end_publish(struct pvhv_event *ev, u32 port)
{
	pvhv_domid_t mine = domid_of(ev->domain);
	struct pvhv_event *peer = NULL;
	struct pvhv_domain *d = NULL;
	int ret = 0;

	rcu_read_lock();
	spin_lock(&port_lock);
	if (ev->remote != PVHV_DOMID_HOST) {
		d = pvhv_find_domain(ev->remote);
		if (!d)
			ret = -ENOENT;
	}
	if (!ret && port) {
		peer = xa_load(ends_of(d), port);
		if (!peer || peer->remote != mine || !peer->bindable)
			ret = -ENOENT;
		else if (rcu_access_pointer(peer->peer))
			ret = -EBUSY;
	}
	if (!ret) {
		ev->bindable = !port;
		if (peer) {
			RCU_INIT_POINTER(ev->peer, peer);
			rcu_assign_pointer(peer->peer, ev);
		}
		/* Cannot fail: the slot was reserved. */
		xa_store(ends_of(ev->domain), ev->port, ev, GFP_NOWAIT);
	}
	spin_unlock(&port_lock);
	rcu_read_unlock();
	return ret;
}

static struct pvhv_event *end_make(struct pvhv_event *ev, u32 port)
{
	int ret = end_publish(ev, port);

	if (!ret)
		return ev;
	xa_erase(ends_of(ev->domain), ev->port);
	end_free(ev);
	return ERR_PTR(ret);
}

/* Nobody finds it any more; the other end stays and is told to look. */
static void end_unlink(struct pvhv_event *ev)
{
	struct pvhv_event *peer;

	lockdep_assert_held(&port_lock);
	xa_erase(ends_of(ev->domain), ev->port);
	peer = rcu_dereference_protected(ev->peer, true);
	if (!peer)
		return;
	RCU_INIT_POINTER(ev->peer, NULL);
	RCU_INIT_POINTER(peer->peer, NULL);
	if (peer->domain)
		notify_guest(peer);
	else
		queue_work(peer->wq, &peer->work);
}

/* ---- guests ---- */

/**
 * pvhv_hc_event_setup - PVHV_HC_EVENT_SETUP
 * @v:	the vCPU, not loaded
 * @a:	arguments
 */
long pvhv_hc_event_setup(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_domain *d = v->domain;
	struct page *page;
	long ret = 0;

	if (a[0] & ~PAGE_MASK)
		return -PVHV_EINVAL;
	page = pvhv_pin_guest_page(d, a[0]);
	if (IS_ERR(page))
		return PTR_ERR(page);
	mutex_lock(&d->lock);
	if (d->ports.page) {
		ret = -PVHV_EBUSY;
	} else {
		d->ports.page_ref = page;
		/* guest_end() looks without the lock. */
		smp_store_release(&d->ports.page, (struct pvhv_event_page *)page_address(page));
	}
	mutex_unlock(&d->lock);
	if (ret)
		pvhv_unpin_guest_page(page);
	return ret;
}

static long guest_end(struct pvhv_vcpu *v, u64 domid, u64 port)
{
	struct pvhv_domain *d = v->domain;
	struct pvhv_event *ev;

	/* Pairs with pvhv_hc_event_setup(): no port before there is a page to mark it in */
	if (!smp_load_acquire(&d->ports.page) || upper_32_bits(domid))
		return -PVHV_EINVAL;
	ev = end_alloc(d, (__force pvhv_domid_t)(u32)domid);
	if (!IS_ERR(ev))
		ev = end_make(ev, port);
	if (!IS_ERR(ev))
		return ev->port;
	return PTR_ERR(ev) == -ENOSPC ? -PVHV_ENOMEM : PTR_ERR(ev);
}

/**
 * pvhv_hc_event_alloc - PVHV_HC_EVENT_ALLOC
 * @v:	the vCPU, not loaded
 * @a:	arguments
 *
 * Return: a port or -PVHV_Exxx.
 */
long pvhv_hc_event_alloc(struct pvhv_vcpu *v, const u64 *a)
{
	return guest_end(v, a[0], 0);
}

/**
 * pvhv_hc_event_bind - PVHV_HC_EVENT_BIND
 * @v:	the vCPU, not loaded
 * @a:	arguments
 *
 * Return: a port or -PVHV_Exxx.
 */
long pvhv_hc_event_bind(struct pvhv_vcpu *v, const u64 *a)
{
	if (!a[1] || a[1] > PVHV_MAX_HOST_PORTS)
		return -PVHV_ENOENT;
	return guest_end(v, a[0], a[1]);
}

/**
 * pvhv_hc_event_close - PVHV_HC_EVENT_CLOSE
 * @v:	the vCPU, may be loaded
 * @a:	arguments
 */
long pvhv_hc_event_close(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_event *ev = NULL;

	spin_lock(&port_lock);
	if (a[0] < PVHV_MAX_PORTS)
		ev = xa_load(&v->domain->ports.ends, array_index_nospec(a[0], PVHV_MAX_PORTS));
	if (ev)
		end_unlink(ev);
	spin_unlock(&port_lock);
	if (!ev)
		return -PVHV_ENOENT;
	end_free(ev);
	return 0;
}

/**
 * pvhv_hc_event_unmask - PVHV_HC_EVENT_UNMASK
 * @v:	the vCPU, may be loaded
 * @a:	arguments
 */
long pvhv_hc_event_unmask(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_ports *ports = &v->domain->ports;
	struct pvhv_event *ev = NULL;

	rcu_read_lock();
	if (a[0] < PVHV_MAX_PORTS)
		ev = xa_load(&ports->ends, array_index_nospec(a[0], PVHV_MAX_PORTS));
	if (ev && test_bit(ev->port, (unsigned long *)ports->page->pending) &&
	    !test_bit(ev->port, (unsigned long *)ports->page->mask))
		tell_vcpu(ev);
	rcu_read_unlock();
	return ev ? 0 : -PVHV_ENOENT;
}

/**
 * pvhv_hc_event_bind_vcpu - PVHV_HC_EVENT_BIND_VCPU
 * @v:	the vCPU, may be loaded
 * @a:	arguments
 */
long pvhv_hc_event_bind_vcpu(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_domain *d = v->domain;
	struct pvhv_event *ev = NULL;

	if (a[1] >= PVHV_MAX_VCPUS ||
	    !READ_ONCE(d->vcpus[array_index_nospec(a[1], PVHV_MAX_VCPUS)]))
		return -PVHV_EINVAL;
	rcu_read_lock();
	if (a[0] < PVHV_MAX_PORTS)
		ev = xa_load(&d->ports.ends, array_index_nospec(a[0], PVHV_MAX_PORTS));
	if (ev)
		WRITE_ONCE(ev->vcpu, a[1]);
	rcu_read_unlock();
	return ev ? 0 : -PVHV_ENOENT;
}

void pvhv_ports_init(struct pvhv_domain *d)
{
	xa_init_flags(&d->ports.ends, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
}

/**
 * pvhv_ports_close_all - close what a domain has not closed
 * @d:	being freed: nobody makes ends of its any more, or finds it to bind to them
 *
 * After a grace period nobody uses the domain through its ends.
 */
void pvhv_ports_close_all(struct pvhv_domain *d)
{
	struct pvhv_event *ev;
	unsigned long port;

	xa_for_each(&d->ports.ends, port, ev) {
		spin_lock(&port_lock);
		end_unlink(ev);
		spin_unlock(&port_lock);
		end_free(ev);
	}
}

/* After the grace period */
void pvhv_ports_free(struct pvhv_domain *d)
{
	xa_destroy(&d->ports.ends);
	if (d->ports.page_ref)
		pvhv_unpin_guest_page(d->ports.page_ref);
}

/* ---- the host's kernel ---- */

static struct pvhv_event *host_end(pvhv_domid_t peer, u32 port, bool (*fn)(void *data),
				   void *data, unsigned int flags, struct workqueue_struct *wq)
{
	struct pvhv_event *ev;

	/* It has no channels to itself. */
	if (peer == PVHV_DOMID_HOST)
		return ERR_PTR(-EINVAL);
	ev = end_alloc(NULL, peer);
	if (IS_ERR(ev))
		return ev;
	ev->fn = fn;
	ev->data = data;
	ev->flags = flags;
	ev->wq = wq;
	return end_make(ev, port);
}

/**
 * pvhv_host_event_alloc - make an end of the host's for a domain to bind
 * @peer:	the domain
 * @fn:		called after each notification, see struct pvhv_transport
 * @data:	for it
 * @flags:	PVHV_EVENT_ATOMIC: @fn is called with bottom halves off
 * @wq:		calls @fn when no vCPU can; stays until the end is closed
 *
 * Sleeps. Return: it or ERR_PTR(-errno): -ENOENT for no such domain, -ENOSPC,
 * -ENOMEM.
 */
struct pvhv_event *pvhv_host_event_alloc(pvhv_domid_t peer, bool (*fn)(void *data), void *data,
					 unsigned int flags, struct workqueue_struct *wq)
{
	return host_end(peer, 0, fn, data, flags, wq);
}

/**
 * pvhv_host_event_bind - make an end of the host's, bound to a domain's
 * @peer:	the domain
 * @port:	of its, made for the host
 * @fn:		as above
 * @data:	for it
 * @flags:	as above
 * @wq:		as above
 *
 * Sleeps. @fn may be called before this returns. Return: as above; also -ENOENT
 * for a port that is not there or not for the host, and -EBUSY for one that is bound.
 */
struct pvhv_event *pvhv_host_event_bind(pvhv_domid_t peer, pvhv_port_t port,
					bool (*fn)(void *data), void *data, unsigned int flags,
					struct workqueue_struct *wq)
{
	if (port == PVHV_PORT_NONE || (__force u32)port >= PVHV_MAX_PORTS)
		return ERR_PTR(-ENOENT);
	return host_end(peer, (__force u32)port, fn, data, flags, wq);
}

static bool try_close(struct pvhv_event *ev)
{
	return atomic_cmpxchg(&ev->state, IDLE, CLOSED) == IDLE;
}

/**
 * pvhv_host_event_close - close an end of the host's
 * @ev:	of pvhv_host_event_alloc() or pvhv_host_event_bind()
 *
 * Sleeps; not in the end's own handler. The handler is not called afterwards.
 */
void pvhv_host_event_close(struct pvhv_event *ev)
{
	spin_lock(&port_lock);
	end_unlink(ev);
	spin_unlock(&port_lock);
	wait_var_event(&ev->state, try_close(ev));
	cancel_work_sync(&ev->work);
	end_free(ev);
}

/**
 * pvhv_host_event_send - notify the other end
 * @ev:	of the host's
 *
 * Any context but NMI.
 */
void pvhv_host_event_send(struct pvhv_event *ev)
{
	struct pvhv_event *peer;

	rcu_read_lock();
	peer = rcu_dereference(ev->peer);
	if (peer) {
		trace_pvhv_event_send(0, ev->port, peer->domain->id, peer->port);
		notify_guest(peer);
	}
	rcu_read_unlock();
}

pvhv_port_t pvhv_host_event_port(const struct pvhv_event *ev)
{
	return (__force pvhv_port_t)ev->port;
}
