// SPDX-License-Identifier: GPL-2.0
/*
 * The requests of the control socket that are about devices.
 */
#include <string.h>

#include "disk.h"
#include "launcher.h"
#include "launcher-requests.h"

/* What the module knows now, with those forgotten that have left */
static int refresh(struct launcher *l, struct pvhv_device_entry entries[PVHV_MAX_DEVICES],
		   struct errmsg *e)
{
	int rc = devices_refresh(&l->cfg->devices, &l->dom, entries);

	if (rc)
		return errmsg_set(e, "failed the host refuses: %s", strerror(-rc));
	return 0;
}

static void add_disk(const struct device *d, struct strbuf *out)
{
	struct errmsg ignored;
	u64 size;

	if (d->fd >= 0 && !disk_size(d->fd, &size, &ignored))
		control_addf(out, "size", "%llu", size);
	control_add(out, "mode", d->disk.readonly ? "ro" : "rw");
	control_add(out, "cache", d->disk.cached ? "writeback" : "none");
	if (d->disk.queues)
		control_addf(out, "queues", "%u", d->disk.queues);
	if (*d->disk.serial)
		control_add(out, "serial", d->disk.serial);
	control_add(out, "path", d->disk.path);
}

static void add_net(const struct device *d, struct strbuf *out)
{
	char mac[MAC_TEXT_LEN];

	control_add(out, "mac", mac_text(d->net.mac, mac));
	if (*d->net.bridge)
		control_add(out, "bridge", d->net.bridge);
	if (d->net.queues)
		control_addf(out, "queues", "%u", d->net.queues);
	if (d->net.mtu)
		control_addf(out, "mtu", "%u", d->net.mtu);
}

static int list(struct launcher *l, u32 class, struct strbuf *out, struct errmsg *e)
{
	struct pvhv_device_entry entries[PVHV_MAX_DEVICES];
	struct devices *ds = &l->cfg->devices;
	unsigned int i;

	if (refresh(l, entries, e))
		return -1;
	for (i = 0; i < ds->nr; i++) {
		const struct device *d = ds->dev[i];
		char name[DEVICE_NAME_LEN];

		if (d->class != class || !d->plugged)
			continue;
		device_name(d, name);
		control_add(out, "device", name);
		control_addf(out, "id", "%u", d->id);
		control_addf(out, "index", "%u", d->index);
		control_add(out, "state", device_state_name(&entries[i]));
		if (class == PVHV_CLASS_BLOCK)
			add_disk(d, out);
		else
			add_net(d, out);
	}
	return 0;
}

int request_disks(struct launcher *l, const char *arg, struct strbuf *out, struct errmsg *e)
{
	return list(l, PVHV_CLASS_BLOCK, out, e);
}

int request_nets(struct launcher *l, const char *arg, struct strbuf *out, struct errmsg *e)
{
	return list(l, PVHV_CLASS_NET, out, e);
}

/* Both were told about @e without a type. */
static int say_failed(struct errmsg *e)
{
	struct errmsg why = *e;

	return errmsg_set(e, "failed %.1000s", why.text);
}

static int attach(struct launcher *l, u32 class, const char *arg, struct strbuf *out,
		  struct errmsg *e)
{
	struct pvhv_device_entry entries[PVHV_MAX_DEVICES];
	struct devices *ds = &l->cfg->devices;
	char text[CONTROL_MAX_REQUEST], name[DEVICE_NAME_LEN];
	struct disk_spec disk;
	struct net_spec net;
	struct device *d;

	if (launcher_not_running(l, e) || refresh(l, entries, e))
		return -1;
	snprintf(text, sizeof(text), "%s", arg);
	control_unescape(text);
	if (class == PVHV_CLASS_BLOCK ? disk_spec_parse(&disk, text, e) :
					net_spec_parse(&net, text, e))
		return say_failed(e);
	d = class == PVHV_CLASS_BLOCK ? devices_new_disk(ds, &disk, e) :
					devices_new_net(ds, &net, l->cfg->name, e);
	if (!d)
		return say_failed(e);
	if (device_plug(d, &l->dom, false, e)) {
		devices_drop(ds, d);
		return say_failed(e);
	}
	device_name(d, name);
	control_add(out, "device", name);
	control_addf(out, "id", "%u", d->id);
	return 0;
}

int request_disk_attach(struct launcher *l, const char *arg, struct strbuf *out, struct errmsg *e)
{
	return attach(l, PVHV_CLASS_BLOCK, arg, out, e);
}

int request_net_attach(struct launcher *l, const char *arg, struct strbuf *out, struct errmsg *e)
{
	return attach(l, PVHV_CLASS_NET, arg, out, e);
}

static struct device *find(struct launcher *l, u32 class, const char *name, struct errmsg *e)
{
	struct pvhv_device_entry entries[PVHV_MAX_DEVICES];
	struct device *d;

	if (launcher_not_running(l, e) || refresh(l, entries, e))
		return NULL;
	d = devices_find(&l->cfg->devices, class, name);
	if (!d)
		errmsg_set(e, "failed there is no such %s", class == PVHV_CLASS_BLOCK ? "disk" :
			   "network device");
	return d;
}

static int detach(struct launcher *l, u32 class, const char *arg, bool force, struct strbuf *out,
		  struct errmsg *e)
{
	struct device *d = find(l, class, arg, e);

	if (!d)
		return -1;
	if (device_unplug(d, &l->dom, force, e))
		return say_failed(e);
	control_addf(out, "id", "%u", d->id);
	return 0;
}

int request_disk_detach(struct launcher *l, const char *arg, struct strbuf *out, struct errmsg *e)
{
	return detach(l, PVHV_CLASS_BLOCK, arg, false, out, e);
}

int request_disk_remove(struct launcher *l, const char *arg, struct strbuf *out, struct errmsg *e)
{
	return detach(l, PVHV_CLASS_BLOCK, arg, true, out, e);
}

int request_net_detach(struct launcher *l, const char *arg, struct strbuf *out, struct errmsg *e)
{
	return detach(l, PVHV_CLASS_NET, arg, false, out, e);
}

int request_net_remove(struct launcher *l, const char *arg, struct strbuf *out, struct errmsg *e)
{
	return detach(l, PVHV_CLASS_NET, arg, true, out, e);
}

/* "DISK" or "DISK,BYTES" */
int request_disk_resize(struct launcher *l, const char *arg, struct strbuf *out, struct errmsg *e)
{
	char name[CONTROL_MAX_REQUEST], *comma;
	struct device *d;
	u64 size = 0;
	int rc;

	snprintf(name, sizeof(name), "%s", arg);
	comma = strchr(name, ',');
	if (comma) {
		*comma++ = '\0';
		if (parse_number(comma, 1ULL << 62, &size) || !size)
			return errmsg_set(e, "failed %s is no size", comma);
	}
	d = find(l, PVHV_CLASS_BLOCK, name, e);
	if (!d)
		return -1;
	if (d->leaving)
		return errmsg_set(e, "failed it is leaving");
	if ((size && disk_grow(d->fd, size, e)) || disk_size(d->fd, &size, e))
		return say_failed(e);
	rc = domain_device_changed(&l->dom, d->id);
	if (rc)
		return errmsg_set(e, "failed the host refuses: %s", strerror(-rc));
	control_addf(out, "size", "%llu", size);
	return 0;
}
