// SPDX-License-Identifier: GPL-2.0
/*
 * The transport of the host's kernel: plain calls into the core. Its sides are
 * backends, and their peers are guests.
 */
#include "../core/registry.h"

static struct pvhv_rdev *rdev(struct pvhv_device *dev)
{
	return dev->tp_data;
}

static int host_publish(struct pvhv_device *dev, u32 state, const struct pvhv_prop *props,
			unsigned int nr)
{
	return pvhv_registry_publish(rdev(dev), PVHV_ROLE_BACKEND, state, props, nr);
}

static int host_read_peer(struct pvhv_device *dev, struct pvhv_device_side *side)
{
	pvhv_registry_read(rdev(dev), PVHV_ROLE_FRONTEND, side);
	return 0;
}

/* Backends use what they are granted; the host's own pages are not for guests. */
static pvhv_grant_t host_grant(struct pvhv_device *dev, struct page *page, bool readonly)
{
	return PVHV_GRANT_NONE;
}

static bool host_revoke(struct pvhv_device *dev, pvhv_grant_t ref)
{
	return true;
}

static void host_map(struct pvhv_device *dev, struct pvhv_map *maps, unsigned int nr, bool atomic)
{
	pvhv_grant_map(rdev(dev)->grants, PVHV_DOMID_HOST, maps, nr, atomic);
}

static void host_unmap(struct pvhv_device *dev, struct pvhv_map *maps, unsigned int nr, bool dirty)
{
	pvhv_grant_unmap(maps, nr, dirty);
}

static void host_copy(struct pvhv_device *dev, struct pvhv_copy *copies, unsigned int nr,
		      bool atomic)
{
	pvhv_grant_copy(rdev(dev)->grants, PVHV_DOMID_HOST, copies, nr, atomic);
}

static struct pvhv_event *host_event_alloc(struct pvhv_device *dev, bool (*fn)(void *data),
					   void *data, unsigned int flags)
{
	return pvhv_host_event_alloc(dev->peer, fn, data, flags, dev->io_wq);
}

static struct pvhv_event *host_event_bind(struct pvhv_device *dev, pvhv_port_t peer_port,
					  bool (*fn)(void *data), void *data, unsigned int flags)
{
	return pvhv_host_event_bind(dev->peer, peer_port, fn, data, flags, dev->io_wq);
}

const struct pvhv_transport pvhv_host_transport = {
	.name		= "host",
	.publish	= host_publish,
	.read_peer	= host_read_peer,
	.grant		= host_grant,
	.revoke		= host_revoke,
	.map		= host_map,
	.unmap		= host_unmap,
	.copy		= host_copy,
	.event_alloc	= host_event_alloc,
	.event_bind	= host_event_bind,
	.event_close	= pvhv_host_event_close,
	.event_send	= pvhv_host_event_send,
	.event_port	= pvhv_host_event_port,
};
