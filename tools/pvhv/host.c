// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <pvhv/hypercall.h>

#include "device.h"
#include "host.h"
#include "runtime.h"

#define MIN_MEMORY	(64 * MIB)	/* less free, and no Linux guest gets anywhere */
#define DEFAULT_MEMORY	(256 * MIB)

static void add(struct host *h, bool is_error, const char *type, const char *action,
		const char *fmt, ...) __printf(5, 6);

static void add(struct host *h, bool is_error, const char *type, const char *action,
		const char *fmt, ...)
{
	struct problem *p = &h->problem[h->nr];
	va_list args;

	if (h->nr == HOST_MAX_PROBLEMS)
		return;
	h->nr++;
	p->is_error = is_error;
	p->type = type;
	snprintf(p->action, sizeof(p->action), "%s", action);
	va_start(args, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, args);
	va_end(args);
}

/* The beginning of a small file below h->root, "" if it cannot be read */
static size_t read_file(const struct host *h, const char *path, char *buf, size_t len)
{
	char name[PATH_MAX];
	size_t n = 0;
	FILE *f;

	snprintf(name, sizeof(name), "%s%s", h->root, path);
	f = fopen(name, "re");
	if (f) {
		n = fread(buf, 1, len - 1, f);
		fclose(f);
	}
	buf[n] = '\0';
	return n;
}

static bool exists(const struct host *h, const char *path)
{
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "%s%s", h->root, path);
	return !access(name, F_OK);
}

static bool has_word(const char *line, const char *word)
{
	size_t len = strlen(word);
	const char *p = line;

	while ((p = strstr(p, word))) {
		bool starts = p == line || isspace((unsigned char)p[-1]);

		if (starts && (!p[len] || isspace((unsigned char)p[len])))
			return true;
		p += len;
	}
	return false;
}

/*
 * What the module itself refuses when it is loaded, found here without it
 */
static void check_kernel(struct host *h)
{
	unsigned int major = 0, minor = 0;

	if (strcmp(h->machine, "x86_64")) {
		add(h, true, "wrong-machine", "use an x86-64 host with a 64-bit kernel",
		    "this is a %s kernel", h->machine);
		return;
	}
	if (sscanf(h->release, "%u.%u", &major, &minor) != 2)
		return;
	if (major < 6 || (major == 6 && minor < 1))
		add(h, true, "old-kernel", "boot Linux " HOST_MIN_KERNEL " or later",
		    "Linux %s is too old", h->release);
}

static void check_platform(struct host *h)
{
	char text[16384], *flags, *end;

	read_file(h, "/sys/kernel/realtime", text, sizeof(text));
	if (text[0] == '1')
		add(h, true, "preempt-rt", "boot a kernel without PREEMPT_RT",
		    "this is a PREEMPT_RT kernel");

	read_file(h, "/sys/hypervisor/guest_type", text, sizeof(text));
	if (!strncmp(text, "PV", 2) && !isalnum((unsigned char)text[2]))
		add(h, true, "xen-pv", "use a host that is not a Xen PV domain",
		    "this kernel is a Xen PV domain and does not own the CPU");

	read_file(h, "/proc/cpuinfo", text, sizeof(text));
	flags = strstr(text, "\nflags");
	if (!flags)
		return;
	end = strchr(++flags, '\n');
	if (end)
		*end = '\0';
	if (!has_word(flags, "nx"))
		add(h, true, "unsupported-cpu", "turn it on in the firmware's setup",
		    "the CPU has no NX, or it is turned off");
	if (!has_word(flags, "syscall"))
		add(h, true, "unsupported-cpu", "use another machine",
		    "the CPU has no SYSCALL");
	if (!has_word(flags, "pge"))
		add(h, true, "unsupported-cpu", "use another machine, or another CPU model for it",
		    "the CPU has no global pages (PGE)");
	/* QEMU and the clouds show sev_es to guests only when they are */
	if (has_word(flags, "hypervisor") && has_word(flags, "sev_es"))
		add(h, true, "sev-es", "use a virtual machine without SEV-ES",
		    "this machine is an SEV-ES guest, whose exceptions cannot be taken over");
	if (has_word(flags, "tdx_guest"))
		add(h, true, "tdx", "use a virtual machine without TDX",
		    "this machine is a TDX guest, whose exceptions cannot be taken over");
	if (has_word(flags, "fred"))
		add(h, true, "fred", "boot with fred=off on the kernel's command line",
		    "the kernel uses FRED event delivery");
}

static void check_refusal(struct host *h)
{
	check_kernel(h);
	check_platform(h);
}

/* Is there a NAME.ko that modprobe would find? */
static bool module_installed(const struct host *h, const char *name)
{
	size_t len = strlen(name);
	char path[256], line[4096];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/lib/modules/%s/modules.dep", h->root, h->release);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');
		char *slash;

		if (!colon)
			continue;
		*colon = '\0';
		slash = strrchr(line, '/');
		slash = slash ? slash + 1 : line;
		found = !strncmp(slash, name, len) && !strncmp(slash + len, ".ko", 3) &&
			(!slash[len + 3] || slash[len + 3] == '.');
	}
	fclose(f);
	return found;
}

static void add_no_device(struct host *h)
{
	char text[64];

	if (exists(h, "/sys/module/pvhv")) {
		add(h, true, "no-device", "start udev, or mount devtmpfs on /dev",
		    "the module is loaded but " DEVICE_PATH " does not exist");
		return;
	}
	if (!module_installed(h, "pvhv")) {
		add(h, true, "no-module", "make install in the pvhv tree, then modprobe pvhv",
		    "the module pvhv is neither loaded nor installed for Linux %s", h->release);
		return;
	}
	read_file(h, "/sys/module/module/parameters/sig_enforce", text, sizeof(text));
	if (text[0] == 'Y')
		add(h, true, "no-device",
		    "sign pvhv.ko with a key that this kernel trusts, then: modprobe pvhv",
		    DEVICE_PATH " does not exist, and this kernel loads only signed modules");
	else
		add(h, true, "no-device", "load the module: modprobe pvhv",
		    DEVICE_PATH " does not exist");
}

static void add_no_permission(struct host *h)
{
	char action[256] = "run as root, or give this user access to " DEVICE_PATH;
	struct group *group;
	struct stat st;

	if (!device_stat(&st) && st.st_gid != 0 && (st.st_mode & 060) == 060) {
		group = getgrgid(st.st_gid);
		if (group)
			snprintf(action, sizeof(action),
				 "add this user to the group %s and log in again", group->gr_name);
	}
	add(h, true, "no-permission", action, "no permission to open " DEVICE_PATH);
}

int host_open_device(struct host *h)
{
	struct stat st;
	int fd, rc;

	rc = device_stat(&st);
	if (rc == -ENOENT) {
		/* "load it" is no help on a host that it refuses */
		if (!h->nr)
			check_refusal(h);
		if (!h->nr)
			add_no_device(h);
		return -1;
	}
	if (rc == 0 && !S_ISCHR(st.st_mode)) {
		add(h, true, "not-a-device", "remove it and load the module again",
		    DEVICE_PATH " is not a character device");
		return -1;
	}
	fd = rc ? rc : device_open();
	if (fd == -EACCES || fd == -EPERM) {
		add_no_permission(h);
		return -1;
	}
	if (fd == -ENXIO || fd == -ENODEV) {
		add(h, true, "no-module", "load the module: modprobe pvhv",
		    "no module serves " DEVICE_PATH);
		return -1;
	}
	if (fd < 0) {
		add(h, true, "refused", "see the kernel's log (dmesg)",
		    DEVICE_PATH " cannot be opened: %s", strerror(-fd));
		return -1;
	}
	rc = device_ioctl(fd, PVHV_GET_INFO, (unsigned long)&h->info);
	if (rc < 0) {
		add(h, true, "api-mismatch", "install module and tools from one pvhv tree",
		    "the module does not know this tool's API version %u (%s)",
		    PVHV_API_VERSION, strerror(-rc));
		close(fd);
		return -1;
	}
	h->have_info = true;
	if (h->info.api_version != PVHV_API_VERSION) {
		add(h, true, "api-mismatch", "install module and tools from one pvhv tree",
		    "the module has API version %u, this tool %u",
		    h->info.api_version, PVHV_API_VERSION);
		close(fd);
		return -1;
	}
	if (h->info.abi_version != PVHV_ABI_VERSION) {
		add(h, true, "abi-mismatch", "install module and tools from one pvhv tree",
		    "the module has guest ABI version %u, this tool %u",
		    h->info.abi_version, PVHV_ABI_VERSION);
		close(fd);
		return -1;
	}
	return fd;
}

static void check_memory(struct host *h)
{
	char text[4096], *p;
	struct rlimit limit;
	u64 available;

	read_file(h, "/proc/meminfo", text, sizeof(text));
	p = strstr(text, "MemAvailable:");
	if (p) {
		available = strtoull(p + strlen("MemAvailable:"), NULL, 10) * KIB;
		if (available < MIN_MEMORY)
			add(h, true, "low-memory", "free some memory",
			    "%llu MiB of memory are available; a guest needs about %llu",
			    available / MIB, MIN_MEMORY / MIB);
		else if (available < DEFAULT_MEMORY)
			add(h, false, "low-memory", "free some memory, or give guests less",
			    "%llu MiB of memory are available; the default for guests is %llu",
			    available / MIB, DEFAULT_MEMORY / MIB);
	}
	if (!getrlimit(RLIMIT_AS, &limit) && limit.rlim_cur != RLIM_INFINITY &&
	    limit.rlim_cur < DEFAULT_MEMORY)
		add(h, false, "memory-limit", "ulimit -v unlimited",
		    "processes may have %llu MiB of memory; the default for guests is %llu",
		    (u64)limit.rlim_cur / MIB, DEFAULT_MEMORY / MIB);
}

/* Guests run without, but have no disks or no network. */
static void check_backends(struct host *h)
{
	if (!exists(h, "/sys/module/pvhv") && !module_installed(h, "pvhv"))
		return;		/* the first problem first */
	if (!exists(h, "/sys/module/pvhv_blkback") && !module_installed(h, "pvhv-blkback"))
		add(h, false, "no-block-backend", "insmod pvhv-blkback.ko, or install it",
		    "no disks: the module pvhv-blkback is neither loaded nor installed");
	if (!exists(h, "/sys/module/pvhv_netback") && !module_installed(h, "pvhv-netback"))
		add(h, false, "no-net-backend", "insmod pvhv-netback.ko, or install it",
		    "no network: the module pvhv-netback is neither loaded nor installed");
}

static void check_files(struct host *h)
{
	char dir[PATH_MAX], *colon;
	struct errmsg e;

	if (!exists(h, HOST_DEFAULT_KERNEL))
		add(h, false, "no-kernel",
		    "make install in the pvhv tree, or give pvhv run --kernel FILE",
		    "there is no default guest kernel " HOST_DEFAULT_KERNEL);
	if (runtime_dir(dir, sizeof(dir), &e)) {
		/* "what is wrong; what to do" */
		colon = strstr(e.text, "; ");
		if (colon)
			*colon = '\0';
		add(h, true, "runtime-dir", "set PVHV_RUNTIME_DIR to a directory of yours",
		    "no place for control sockets: %.200s", e.text);
	}
}

void host_init(struct host *h)
{
	static struct utsname uts;

	memset(h, 0, sizeof(*h));
	uname(&uts);
	h->root = "";
	h->machine = uts.machine;
	h->release = uts.release;
	h->with_device = true;
}

bool host_check(struct host *h)
{
	unsigned int i;
	int fd;

	check_refusal(h);
	if (h->with_device) {
		fd = host_open_device(h);
		if (fd >= 0)
			close(fd);
	}
	check_backends(h);
	check_memory(h);
	check_files(h);
	for (i = 0; i < h->nr; i++)
		if (h->problem[i].is_error)
			return false;
	return true;
}
