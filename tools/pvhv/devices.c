// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "devices.h"
#include "disk.h"

#define AGAIN_MS	5000	/* for the last domain's interface to go away */
#define AGAIN_PAUSE_NS	20000000

static struct device *new_device(struct devices *ds, u32 class, struct errmsg *e)
{
	struct device *d;

	if (ds->nr == PVHV_MAX_DEVICES) {
		errmsg_set(e, "a domain has at most %d devices", PVHV_MAX_DEVICES);
		return NULL;
	}
	d = xzalloc(sizeof(*d));
	d->class = class;
	d->fd = -1;
	return d;
}

static struct device *disk_by_serial(const struct devices *ds, const char *serial)
{
	unsigned int i;

	for (i = 0; i < ds->nr; i++)
		if (ds->dev[i]->class == PVHV_CLASS_BLOCK && *serial &&
		    !strcmp(ds->dev[i]->disk.serial, serial))
			return ds->dev[i];
	return NULL;
}

static bool is_own_disk(const struct devices *ds, const char *path)
{
	struct stat st, own;
	unsigned int i;

	if (stat(path, &st))
		return false;
	for (i = 0; i < ds->nr; i++)
		if (ds->dev[i]->fd >= 0 && !fstat(ds->dev[i]->fd, &own) &&
		    own.st_dev == st.st_dev && own.st_ino == st.st_ino)
			return true;
	return false;
}

struct device *devices_new_disk(struct devices *ds, const struct disk_spec *spec,
				struct errmsg *e)
{
	struct device *d = new_device(ds, PVHV_CLASS_BLOCK, e);

	if (!d)
		return NULL;
	d->disk = *spec;
	if (disk_by_serial(ds, spec->serial)) {
		errmsg_set(e, "serial=%s: is another disk's of this domain", spec->serial);
		goto fail;
	}
	d->fd = disk_open(spec->path, spec->readonly, e);
	if (d->fd < 0) {
		/* the lock tells only that somebody has it */
		if (is_own_disk(ds, spec->path))
			errmsg_set(e, "is another disk of this domain already");
		goto fail;
	}
	ds->dev[ds->nr++] = d;
	return d;
fail:
	free(d);
	return NULL;
}

static bool mac_taken(const struct devices *ds, const u8 mac[6])
{
	unsigned int i;

	for (i = 0; i < ds->nr; i++)
		if (ds->dev[i]->class == PVHV_CLASS_NET && !memcmp(ds->dev[i]->net.mac, mac, 6))
			return true;
	return false;
}

/* Tells this host from others whose guests have the same names. */
static void host_salt(char *salt, size_t len)
{
	FILE *f = fopen("/etc/machine-id", "re");

	if (!f || !fgets(salt, len, f))
		salt[0] = '\0';
	if (f)
		fclose(f);
}

static int check_interfaces(const struct net_spec *spec, struct errmsg *e)
{
	if (*spec->bridge && interface_exists(spec->bridge) == -ENODEV)
		return errmsg_set(e, "there is no bridge %s: ip link add %s type bridge",
				  spec->bridge, spec->bridge);
	if (*spec->ifname && !interface_exists(spec->ifname))
		return errmsg_set(e, "there is an interface %s already", spec->ifname);
	return 0;
}

struct device *devices_new_net(struct devices *ds, const struct net_spec *spec,
			       const char *domain, struct errmsg *e)
{
	struct device *d = new_device(ds, PVHV_CLASS_NET, e);
	char salt[64], mac[MAC_TEXT_LEN];
	unsigned int n;

	if (!d)
		return NULL;
	d->net = *spec;
	if (check_interfaces(spec, e))
		goto fail;
	if (!spec->has_mac) {
		host_salt(salt, sizeof(salt));
		n = 0;
		do {
			mac_derive(d->net.mac, salt, domain, n++);
		} while (mac_taken(ds, d->net.mac));
	} else if (mac_taken(ds, spec->mac)) {
		errmsg_set(e, "mac=%s: is another device's of this domain",
			   mac_text(spec->mac, mac));
		goto fail;
	}
	ds->dev[ds->nr++] = d;
	return d;
fail:
	free(d);
	return NULL;
}

void devices_drop(struct devices *ds, struct device *d)
{
	unsigned int i;

	for (i = 0; i < ds->nr && ds->dev[i] != d; i++)
		;
	if (i == ds->nr)
		return;
	memmove(&ds->dev[i], &ds->dev[i + 1], (ds->nr - i - 1) * sizeof(*ds->dev));
	ds->nr--;
	if (d->fd >= 0)
		close(d->fd);
	free(d);
}

/* Why PVHV_DEVICE_ADD failed: as device_plug() returns it */
static int add_error(const struct device *d, int rc, struct errmsg *e)
{
	bool net = d->class == PVHV_CLASS_NET;
	const char *module = net ? "pvhv-netback" : "pvhv-blkback";

	switch (rc) {
	case -ENODEV:
		errmsg_set(e, "the module %s is not loaded: modprobe %s", module, module);
		break;
	case -ENOSPC:
		errmsg_set(e, "a domain has at most %d devices", PVHV_MAX_DEVICES);
		break;
	case -EPERM:
		errmsg_set(e, net ? "network devices need CAP_NET_ADMIN: start pvhv run as root" :
			   "the host refuses: not permitted");
		break;
	case -EEXIST:
		errmsg_set(e, "there is an interface %s already",
			   *d->net.ifname ? d->net.ifname : "of its name");
		break;
	case -EINVAL:
		/* what spec.c has let through, the kernel's own rules for names have not */
		errmsg_set(e, net ? "the host takes no interface of this name, MTU and MAC" :
			   "the host refuses: Invalid argument");
		break;
	case -EOPNOTSUPP:
		errmsg_set(e, "the host cannot use it like a disk: %s",
			   "it has huge pages, zones, or blocks larger than a page");
		break;
	case -ENOTTY:
		errmsg_set(e, "the module pvhv that is loaded knows no devices");
		break;
	default:
		errmsg_set(e, "the host refuses: %s", strerror(-rc));
		break;
	}
	return rc == -EEXIST ? -EINVAL : -EIO;
}

/* Its interface's name: as asked for, or what the module made of it */
static int find_interface(struct device *d, struct domain *dom)
{
	struct pvhv_device_entry entries[PVHV_MAX_DEVICES];
	int nr = domain_devices(dom, entries);
	int i;

	for (i = 0; i < nr && entries[i].id != d->id; i++)
		;
	if (i >= nr)
		return nr < 0 ? nr : -ENOENT;
	snprintf(d->ifname, sizeof(d->ifname), "%.*s", (int)sizeof(d->ifname) - 1,
		 entries[i].ifname);
	return 0;
}

static int set_up_interface(struct device *d, struct domain *dom, struct errmsg *e)
{
	int rc = find_interface(d, dom);

	if (rc) {
		errmsg_set(e, "its interface is not there: %s", strerror(-rc));
		return -EIO;
	}
	if (*d->net.bridge) {
		rc = interface_into_bridge(d->ifname, d->net.bridge);
		if (rc == -EOPNOTSUPP) {
			errmsg_set(e, "%s is not a bridge", d->net.bridge);
			return -EINVAL;
		}
		if (rc) {
			errmsg_set(e, "%s cannot become part of the bridge %s: %s", d->ifname,
				   d->net.bridge, strerror(-rc));
			return -EIO;
		}
	}
	rc = interface_up(d->ifname);
	if (rc) {
		errmsg_set(e, "%s cannot be turned on: %s", d->ifname, strerror(-rc));
		return -EIO;
	}
	return 0;
}

static int check_queues(const struct device *d, struct errmsg *e)
{
	unsigned int most = disk_max_queues();

	if (!most || d->disk.queues <= most)
		return 0;
	errmsg_set(e, "queues=%u: pvhv-blkback takes at most %u, its parameter max_queues",
		   d->disk.queues, most);
	return -EINVAL;
}

int device_plug(struct device *d, struct domain *dom, bool again, struct errmsg *e)
{
	struct pvhv_device_add request = {
		.class = d->class,
		.fd = d->fd,
		.mtu = d->net.mtu,
		.max_queues = d->class == PVHV_CLASS_NET ? d->net.queues : d->disk.queues,
		.flags = (d->disk.readonly ? PVHV_DEVICE_READONLY : 0) |
			 (d->disk.cached ? PVHV_DEVICE_CACHED : 0),
	};
	const struct timespec pause = { .tv_nsec = AGAIN_PAUSE_NS };
	u64 end = monotonic_ms() + AGAIN_MS;
	struct pvhv_device_add add;
	int rc;

	/* padded with NULs, which need not be there at the end */
	memcpy(request.serial, d->disk.serial, sizeof(request.serial));
	memcpy(request.ifname, d->net.ifname, sizeof(request.ifname));
	memcpy(request.mac, d->net.mac, sizeof(request.mac));
	rc = again ? 0 : check_queues(d, e);
	if (rc)
		return rc;
	for (;;) {
		add = request;
		rc = domain_device_add(dom, &add);
		if (rc != -EEXIST || !again || monotonic_ms() > end)
			break;
		nanosleep(&pause, NULL);
	}
	if (rc)
		return add_error(d, rc, e);
	d->id = add.id;
	d->index = add.index;
	/* the queues once more: the first disk loads the module */
	if (d->class == PVHV_CLASS_NET)
		rc = set_up_interface(d, dom, e);
	else if (!again)
		rc = check_queues(d, e);
	if (rc) {
		domain_device_remove(dom, d->id, true);
		return rc;
	}
	d->plugged = true;
	return 0;
}

int devices_plug_all(struct devices *ds, struct domain *dom, bool again, struct device **culprit,
		     struct errmsg *e)
{
	unsigned int i;
	int rc;

	for (i = 0; i < ds->nr; i++) {
		*culprit = ds->dev[i];
		rc = device_plug(ds->dev[i], dom, again, e);
		if (rc)
			return rc;
	}
	return 0;
}

void devices_unplugged(struct devices *ds)
{
	unsigned int i = 0;

	while (i < ds->nr) {
		ds->dev[i]->plugged = false;
		if (ds->dev[i]->leaving)
			devices_drop(ds, ds->dev[i]);
		else
			i++;
	}
}

int device_unplug(struct device *d, struct domain *dom, bool force, struct errmsg *e)
{
	int rc = domain_device_remove(dom, d->id, force);

	if (rc && rc != -ENOENT)
		return errmsg_set(e, "the host refuses: %s", strerror(-rc));
	d->leaving = true;
	/* The module has the file open as long as it needs it. */
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	return 0;
}

int devices_refresh(struct devices *ds, struct domain *dom,
		    struct pvhv_device_entry entries[PVHV_MAX_DEVICES])
{
	struct pvhv_device_entry found[PVHV_MAX_DEVICES];
	int nr = domain_devices(dom, found);
	unsigned int i = 0;
	int k;

	if (nr < 0)
		return nr;
	while (i < ds->nr) {
		struct device *d = ds->dev[i];

		for (k = 0; k < nr && (!d->plugged || found[k].id != d->id); k++)
			;
		if (k == nr && d->leaving) {
			devices_drop(ds, d);
			continue;
		}
		if (k < nr)
			entries[i] = found[k];
		else
			memset(&entries[i], 0, sizeof(entries[i]));
		i++;
	}
	return 0;
}

/* pvda ... pvdz, pvdaa ...: as the frontend names them */
static void disk_name(u32 index, char name[DEVICE_NAME_LEN])
{
	char letters[8], *p = letters + sizeof(letters) - 1;

	*p = '\0';
	for (index++; index && p > letters; index /= 26)
		*--p = 'a' + --index % 26;
	snprintf(name, DEVICE_NAME_LEN, "pvd%s", p);
}

void device_name(const struct device *d, char name[DEVICE_NAME_LEN])
{
	if (d->class == PVHV_CLASS_BLOCK)
		disk_name(d->index, name);
	else
		memcpy(name, d->ifname, DEVICE_NAME_LEN);
}

const char *device_label(const struct device *d)
{
	return d->class == PVHV_CLASS_BLOCK ? d->disk.path : "--net";
}

struct device *devices_find(struct devices *ds, u32 class, const char *name)
{
	char own[DEVICE_NAME_LEN];
	struct device *by_serial;
	unsigned int i;
	u64 index;

	if (parse_number(name, PVHV_MAX_DEVICES, &index))
		index = ~0ULL;
	for (i = 0; i < ds->nr; i++) {
		struct device *d = ds->dev[i];

		if (d->class != class || !d->plugged)
			continue;
		device_name(d, own);
		if (d->index == index || !strcmp(name, own))
			return d;
	}
	if (class != PVHV_CLASS_BLOCK)
		return NULL;
	by_serial = disk_by_serial(ds, name);
	return by_serial && by_serial->plugged ? by_serial : NULL;
}

unsigned int devices_count(const struct devices *ds, u32 class)
{
	unsigned int i, n = 0;

	for (i = 0; i < ds->nr; i++)
		n += ds->dev[i]->class == class && ds->dev[i]->plugged;
	return n;
}

const char *device_state_name(const struct pvhv_device_entry *entry)
{
	u32 front = entry->frontend_state, back = entry->backend_state;

	if (!entry->id)
		return "gone";
	if (!(entry->status & PVHV_DEV_ONLINE))
		return "leaving";
	if (front == PVHV_DEV_CONNECTED && back == PVHV_DEV_CONNECTED)
		return "connected";
	if (back == PVHV_DEV_CLOSED || back == PVHV_DEV_CLOSING)
		return "no-backend";
	if (front == PVHV_DEV_CLOSED || front == PVHV_DEV_CLOSING)
		return "closed";
	return "waiting";
}
