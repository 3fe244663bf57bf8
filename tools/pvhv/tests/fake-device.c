// SPDX-License-Identifier: GPL-2.0
/*
 * In place of device.c: a /dev/pvhv whose guest is a small interpreter.
 *
 * PVHV_FAKE in the environment makes the host refuse in some way: missing,
 * denied, old-api, other-version, no-domain, no-memory, run-fails, no-backends,
 * not-admin, no-masks. With cpuid-faulting the host has that, with cpuid-refused it only
 * says so.
 *
 * The host has the interfaces br0 (a bridge), eth0, and those of network devices.
 *
 * The guest checks its start information, prints it, does what the words
 * "do=..." of its command line say, in their order, and then what the lines
 * say that it reads from its console:
 *
 *	poweroff  reboot
 *	crash:TEXT  panic with this text, '_' for blanks
 *	flood:N     print N numbered lines
 *	once:WORD   do=WORD unless it was started by a reboot
 *	deaf        ignore requests to power off
 *	devices     print what there is
 *	hold        do not let go of devices; release: do
 *	lazy        let the number of CPUs be; diligent: do what is asked for
 *
 * Other lines are answered with "you said: LINE".
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/pvhv.h>
#include <pvhv/device.h>
#include <pvhv/hypercall.h>
#include <pvhv/start_info.h>

#include "device.h"
#include "spec.h"
#include "util.h"

enum fake_kind { FAKE_NONE, FAKE_DEVICE, FAKE_DOMAIN, FAKE_VCPU };

#define MAX_FD 1024

static enum fake_kind kind[MAX_FD];
static __thread bool cpuid_faults;
static unsigned int vcpu_of[MAX_FD];	/* FAKE_VCPU: its number */

static struct fake_domain {
	pthread_mutex_t lock;
	int kick;		/* eventfd: look at the flags */
	int done;		/* eventfd: the guest has ended */
	pthread_t guest;
	int guest_end, host_end;
	u8 *ram;
	u64 size;
	u32 state, crash;
	char message[PVHV_MESSAGE_LEN];
	bool killed, paused, poweroff_asked, deaf, ended;
	struct pvhv_vcpu_regs regs;
	bool have_regs;
	struct fake_vcpu {
		atomic_bool in_run;
		bool interrupted;
	} vcpu[PVHV_MAX_VCPUS];
	u32 nr_vcpus, wanted;
	u32 hidden;		/* features */
	u64 up;			/* bit n: vCPU n */
	u64 wish_ms;		/* when the guest does what is wanted; 0: it has */
	bool lazy;
	u64 runs, bytes_out, bytes_in;
	char line[256];
	size_t line_len;
	bool hold;
	struct fake_split {
		struct pvhv_device_entry entry;	/* id 0: none */
		int fd;			/* the module's own reference to the file */
		char bridge[16];
		bool up;
		u64 size;		/* as the guest knows it */
	} split[PVHV_MAX_DEVICES];
} dom = { .lock = PTHREAD_MUTEX_INITIALIZER };

static unsigned int nr_created;

static bool fake_is(const char *what)
{
	const char *env = getenv("PVHV_FAKE");

	return env && !strcmp(env, what);
}

int device_stat(struct stat *st)
{
	if (fake_is("missing"))
		return -ENOENT;
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFCHR | 0600;
	return 0;
}

static int new_fd(enum fake_kind k)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	if (fd >= MAX_FD)
		abort();
	kind[fd] = k;
	return fd;
}

int device_open(void)
{
	if (fake_is("denied"))
		return -EACCES;
	return new_fd(FAKE_DEVICE);
}

int thread_cpuid_faults(bool on)
{
	if (!fake_is("cpuid-faulting"))
		return fake_is("cpuid-refused") ? -EACCES : -ENODEV;
	cpuid_faults = on;
	return 0;
}

/*
 * The guest
 */

static void end(u32 state)
{
	pthread_mutex_lock(&dom.lock);
	if (!dom.ended) {
		dom.ended = true;
		dom.state = state;
	}
	pthread_mutex_unlock(&dom.lock);
}

/* A guest takes a moment. */
#define WISH_MS 200

static u64 first_vcpus(u32 nr)
{
	return ~0ULL >> (64 - nr);
}

static int wish_timeout(void)
{
	u64 now = monotonic_ms();

	if (!dom.wish_ms || dom.lazy)
		return -1;
	return dom.wish_ms > now ? dom.wish_ms - now : 0;
}

/* The lock is held */
static void do_wish(void)
{
	if (wish_timeout())
		return;
	dom.up = first_vcpus(dom.wanted);
	dom.wish_ms = 0;
}

/* Wait for a kick or, if wanted, the console; false: the domain has ended */
static bool guest_wait(short console_events)
{
	struct pollfd pfd[2] = {
		{ .fd = dom.kick, .events = POLLIN },
		{ .fd = dom.guest_end, .events = console_events },
	};
	bool paused, asked;
	u64 count;

	do {
		paused = dom.paused;
		pfd[1].fd = paused ? -1 : dom.guest_end;
		poll(pfd, 2, paused ? -1 : wish_timeout());
		if (pfd[0].revents && read(dom.kick, &count, sizeof(count)) < 0)
			abort();
		pthread_mutex_lock(&dom.lock);
		paused = dom.paused;
		if (!paused)
			do_wish();
		asked = dom.poweroff_asked && !dom.deaf;
		if (dom.killed && !dom.ended) {
			dom.ended = true;
			dom.state = PVHV_STATE_KILLED;
		}
		pthread_mutex_unlock(&dom.lock);
		if (dom.ended)
			return false;
	} while (paused);
	if (asked) {
		end(PVHV_STATE_POWEROFF);
		return false;
	}
	return true;
}

static void print(const char *text)
{
	size_t len = strlen(text);
	ssize_t n;

	while (len && !dom.ended) {
		n = send(dom.guest_end, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			text += n;
			len -= n;
			dom.bytes_out += n;
		} else if (!guest_wait(POLLOUT)) {
			return;
		}
	}
}

static void printn(const char *fmt, ...) __printf(1, 2);

static void printn(const char *fmt, ...)
{
	char buf[4096];
	va_list args;

	va_start(args, fmt);
	vsnprintf(buf, sizeof(buf), fmt, args);
	va_end(args);
	print(buf);
}

/*
 * Devices: the lock is held
 */

static u32 last_device;

static u64 file_size(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_size;
}

static void drop_device(struct fake_split *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->entry.id = 0;
}

static void let_go(void)
{
	struct fake_split *d;

	for (d = dom.split; d < dom.split + PVHV_MAX_DEVICES; d++)
		if (d->entry.id && !(d->entry.status & PVHV_DEV_ONLINE) && !dom.hold)
			drop_device(d);
}

static struct fake_split *find_device(u32 id)
{
	struct fake_split *d;

	for (d = dom.split; d < dom.split + PVHV_MAX_DEVICES; d++)
		if (id && d->entry.id == id)
			return d;
	return NULL;
}

static struct fake_split *find_interface(const char *name)
{
	struct fake_split *d;

	for (d = dom.split; d < dom.split + PVHV_MAX_DEVICES; d++)
		if (d->entry.id && d->entry.class == PVHV_CLASS_NET &&
		    !strcmp(d->entry.ifname, name))
			return d;
	return NULL;
}

static int add_device(struct pvhv_device_add *a)
{
	bool block = a->class == PVHV_CLASS_BLOCK, used[PVHV_MAX_DEVICES] = { false };
	struct fake_split *d, *place = NULL;
	char ifname[16];
	int mode, wanted;

	if (a->class == PVHV_CLASS_CONSOLE)
		return a->fd == -1 && !a->flags ? 0 : -EINVAL;	/* not in the list */
	if (fake_is("no-backends"))
		return -ENODEV;
	if (!block && fake_is("not-admin"))
		return -EPERM;
	/* what the module would refuse is a bug of the tool */
	mode = block ? fcntl(a->fd, F_GETFL) : 0;
	wanted = a->flags & PVHV_DEVICE_READONLY ? O_RDONLY : O_RDWR;
	if (a->backend || a->id || a->index || mode < 0 ||
	    (block && (mode & O_ACCMODE) != wanted) ||
	    (!block && (a->fd != -1 || a->flags || a->mac[0] & 1)))
		abort();
	for (d = dom.split; d < dom.split + PVHV_MAX_DEVICES; d++) {
		if (!d->entry.id)
			place = place ? place : d;
		else if (d->entry.class == a->class)
			used[d->entry.index] = true;
	}
	if (!place)
		return -ENOSPC;
	while (used[a->index])
		a->index++;
	if (*a->ifname || block)
		memcpy(ifname, a->ifname, sizeof(ifname));
	else
		snprintf(ifname, sizeof(ifname), "vif%u.%u", nr_created, a->index);
	if (!block && !interface_exists(ifname))
		return -EEXIST;
	a->id = ++last_device;
	memset(place, 0, sizeof(*place));
	place->fd = block ? fcntl(a->fd, F_DUPFD_CLOEXEC, 0) : -1;
	place->size = block ? file_size(a->fd) : 0;
	place->entry = (struct pvhv_device_entry) {
		.id = a->id, .class = a->class, .index = a->index, .flags = a->flags,
		.status = PVHV_DEV_ONLINE, .frontend_state = PVHV_DEV_CONNECTED,
		.backend_state = PVHV_DEV_CONNECTED, .max_queues = a->max_queues, .mtu = a->mtu,
	};
	memcpy(place->entry.mac, a->mac, sizeof(a->mac));
	memcpy(place->entry.serial, a->serial, sizeof(a->serial));
	memcpy(place->entry.ifname, ifname, sizeof(ifname));
	return 0;
}

static int remove_device(const struct pvhv_device_remove *r)
{
	struct fake_split *d = find_device(r->id);

	if (!d)
		return -ENOENT;
	d->entry.status &= ~PVHV_DEV_ONLINE;
	if (r->flags & PVHV_DEVICE_FORCE)
		drop_device(d);
	let_go();
	return 0;
}

static int list_devices(struct pvhv_device_list *list)
{
	struct pvhv_device_entry *out = (void *)(unsigned long)list->devices;
	struct fake_split *d;
	u32 n = 0;

	for (d = dom.split; d < dom.split + PVHV_MAX_DEVICES; d++) {
		if (!d->entry.id)
			continue;
		if (n < list->count)
			out[n] = d->entry;
		n++;
	}
	list->count = n;
	return 0;
}

static int device_changed(u32 id)
{
	struct fake_split *d = find_device(id);

	if (!d)
		return -ENOENT;
	d->size = file_size(d->fd);
	return 0;
}

static int device_request_locked(unsigned long request, unsigned long arg)
{
	int rc;

	pthread_mutex_lock(&dom.lock);
	if (request == PVHV_DEVICE_ADD)
		rc = add_device((void *)arg);
	else if (request == PVHV_DEVICE_REMOVE)
		rc = remove_device((void *)arg);
	else if (request == PVHV_DEVICE_LIST)
		rc = list_devices((void *)arg);
	else
		rc = device_changed(arg);
	pthread_mutex_unlock(&dom.lock);
	return rc;
}

/* 8, as the module's default is; not before it is loaded by the first disk */
unsigned int disk_max_queues(void)
{
	return fake_is("not-loaded") && !last_device ? 0 : 8;
}

/* Called by the launcher's only thread, as are changes of what these look at. */
int interface_exists(const char *ifname)
{
	return !strcmp(ifname, "br0") || !strcmp(ifname, "eth0") || find_interface(ifname) ? 0 :
		-ENODEV;
}

int interface_up(const char *ifname)
{
	struct fake_split *d = find_interface(ifname);

	if (!d)
		return -ENODEV;
	d->up = true;
	return 0;
}

int interface_into_bridge(const char *ifname, const char *bridge)
{
	struct fake_split *d = find_interface(ifname);

	if (!d || interface_exists(bridge))
		return -ENODEV;
	if (strcmp(bridge, "br0"))
		return -EOPNOTSUPP;
	snprintf(d->bridge, sizeof(d->bridge), "%s", bridge);
	return 0;
}

static void print_devices(void)
{
	struct fake_split *d;
	char mac[MAC_TEXT_LEN], byte = 0;

	for (d = dom.split; d < dom.split + PVHV_MAX_DEVICES; d++) {
		const struct pvhv_device_entry *e = &d->entry;

		if (!e->id)
			continue;
		if (e->class == PVHV_CLASS_BLOCK && pread(d->fd, &byte, 1, 0) != 1)
			abort();
		if (e->class == PVHV_CLASS_BLOCK)
			printn("disk %u: size %llu flags %u queues %u serial %.32s first %c\r\n",
			       e->index, d->size, e->flags, e->max_queues, e->serial, byte);
		else
			printn("net %u: %s mac %s bridge %s %s queues %u mtu %u\r\n", e->index,
			       e->ifname, mac_text(e->mac, mac), d->bridge, d->up ? "up" : "down",
			       e->max_queues, e->mtu);
	}
	print("no more devices\r\n");
}

static void obey(const char *word)
{
	char *c;

	if (!strncmp(word, "once:", 5)) {
		if (nr_created > 1)
			return;
		word += 5;
	}
	if (!strcmp(word, "poweroff")) {
		end(PVHV_STATE_POWEROFF);
	} else if (!strcmp(word, "reboot")) {
		end(PVHV_STATE_REBOOT);
	} else if (!strcmp(word, "devices")) {
		print_devices();
	} else if (!strcmp(word, "hold")) {
		dom.hold = true;
		print("held\r\n");
	} else if (!strcmp(word, "release")) {
		pthread_mutex_lock(&dom.lock);
		dom.hold = false;
		let_go();
		pthread_mutex_unlock(&dom.lock);
		print("released\r\n");
	} else if (!strcmp(word, "lazy") || !strcmp(word, "diligent")) {
		dom.lazy = !strcmp(word, "lazy");
		printn("%s now\r\n", word);
	} else if (!strcmp(word, "deaf")) {
		dom.deaf = true;
	} else if (!strncmp(word, "crash:", 6)) {
		snprintf(dom.message, sizeof(dom.message), "%s", word + 6);
		for (c = dom.message; *c; c++)
			if (*c == '_')
				*c = ' ';
		dom.crash = PVHV_CRASH_PANIC;
		end(PVHV_STATE_CRASHED);
	} else if (!strncmp(word, "flood:", 6)) {
		int i, n = atoi(word + 6);

		for (i = 0; i < n && !dom.ended; i++)
			printn("line %d of the flood\r\n", i);
	} else {
		printn("you said: %s\r\n", word);
	}
}

static void start_guest(void)
{
	const struct pvhv_start_info *si = (void *)(dom.ram + dom.regs.rsi);
	const struct pvhv_memmap_entry *map = (void *)(dom.ram + si->memmap);
	const char *cmdline = (char *)dom.ram + si->cmdline;
	char words[4096], *word, *save;
	u8 any = 0;
	size_t i;

	if (si->magic != PVHV_START_MAGIC || si->version != PVHV_ABI_VERSION ||
	    si->size != sizeof(*si) || strlen(cmdline) != si->cmdline_len ||
	    si->nr_vcpus != dom.nr_vcpus || !si->nr_vcpus_boot ||
	    si->nr_vcpus_boot > si->nr_vcpus ||
	    si->nr_memmap != 1 || map->type != PVHV_MEM_RAM || si->tsc_khz != 1234567)
		abort();
	for (i = 0; i < sizeof(si->rng_seed); i++)
		any |= si->rng_seed[i];
	if (!any)
		abort();
	dom.up = first_vcpus(si->nr_vcpus_boot);
	printn("fake guest: boot %u entry %llx root %llx ram %llx-%llx initrd %llx+%llx\r\n",
	       nr_created, dom.regs.rip, dom.regs.cr3, map->addr, map->addr + map->size,
	       si->initrd, si->initrd_len);
	printn("cmdline: %s\r\n", cmdline);
	printn("hidden: %u, CPUID %s\r\n", dom.hidden,
	       si->features & PVHV_F_CPUID_FAULTING ? "faults" : "is raw");
	/* what was left over by the boot before would be seen here */
	for (i = 0x3000; i < 0x100000; i += 8)
		if (*(u64 *)(dom.ram + i))
			abort();
	*(u64 *)(dom.ram + 0x8000) = 1;
	snprintf(words, sizeof(words), "%s", cmdline);
	for (word = strtok_r(words, " ", &save); word && !dom.ended;
	     word = strtok_r(NULL, " ", &save))
		if (!strncmp(word, "do=", 3))
			obey(word + 3);
}

static void read_console(void)
{
	char buf[64];
	ssize_t n = recv(dom.guest_end, buf, sizeof(buf), MSG_DONTWAIT);
	ssize_t i;

	for (i = 0; i < n && !dom.ended; i++) {
		dom.bytes_in++;
		if (buf[i] != '\n' && buf[i] != '\r') {
			if (dom.line_len < sizeof(dom.line) - 1)
				dom.line[dom.line_len++] = buf[i];
			continue;
		}
		dom.line[dom.line_len] = '\0';
		dom.line_len = 0;
		obey(dom.line);
	}
}

static void *guest_thread(void *arg)
{
	u64 one = 1;

	start_guest();
	while (!dom.ended && guest_wait(POLLIN))
		read_console();
	if (write(dom.done, &one, sizeof(one)) < 0)
		abort();
	return arg;
}

/* vCPU 0 is the guest, the others only wait for its end. */
static int vcpu_run(unsigned int nr, struct pvhv_run *run)
{
	struct fake_vcpu *v = &dom.vcpu[nr];
	struct pollfd pfd = { .fd = dom.done, .events = POLLIN };
	sigset_t all, old;

	if (!nr && !dom.have_regs)
		return -EINVAL;
	if (cpuid_faults != fake_is("cpuid-faulting"))
		abort();
	pthread_mutex_lock(&dom.lock);
	dom.runs++;
	pthread_mutex_unlock(&dom.lock);
	if (!v->interrupted) {
		v->interrupted = true;
		return -EINTR;
	}
	if (fake_is("run-fails"))
		return -EFAULT;
	pthread_mutex_lock(&dom.lock);
	if (!nr && dom.state == PVHV_STATE_CREATED) {
		dom.state = PVHV_STATE_RUNNING;
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old);
		pthread_create(&dom.guest, NULL, guest_thread, NULL);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
	v->in_run = true;
	pthread_mutex_unlock(&dom.lock);
	if (poll(&pfd, 1, -1) < 0) {
		v->in_run = false;
		return -EINTR;
	}
	v->in_run = false;
	if (!nr)
		pthread_join(dom.guest, NULL);
	run->exit = PVHV_EXIT_ENDED;
	return 0;
}

/*
 * The ioctls
 */

static int create_domain(struct pvhv_create_domain *create)
{
	static pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;
	int sv[2], size = 4096;
	unsigned int i;

	if (fake_is("no-domain"))
		return -ENOSPC;
	for (i = 0; i < PVHV_MAX_DEVICES; i++)
		if (dom.split[i].entry.id)
			drop_device(&dom.split[i]);
	memset(&dom, 0, sizeof(dom));
	dom.lock = fresh;
	dom.kick = eventfd(0, EFD_CLOEXEC);
	dom.done = eventfd(0, EFD_CLOEXEC);
	/* small, so that a slow reader is felt */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) ||
	    setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) ||
	    setsockopt(sv[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)))
		abort();
	dom.guest_end = sv[0];
	dom.host_end = sv[1];
	create->domid = ++nr_created;
	return new_fd(FAKE_DOMAIN);
}

static int control(unsigned int what)
{
	u64 one = 1;
	int rc = 0;

	pthread_mutex_lock(&dom.lock);
	if (what == PVHV_CONTROL_PAUSE && dom.state == PVHV_STATE_RUNNING) {
		dom.paused = true;
		dom.state = PVHV_STATE_PAUSED;
	} else if (what == PVHV_CONTROL_RESUME && dom.state == PVHV_STATE_PAUSED) {
		dom.paused = false;
		dom.state = PVHV_STATE_RUNNING;
	} else if (what == PVHV_CONTROL_KILL) {
		dom.killed = true;
		dom.paused = false;
		if (dom.state == PVHV_STATE_RUNNING && dom.ended)
			dom.state = PVHV_STATE_KILLED;
		/* no guest that would tell the vCPUs */
		if (dom.state == PVHV_STATE_CREATED && write(dom.done, &one, sizeof(one)) < 0)
			abort();
	} else if (what == PVHV_CONTROL_POWEROFF) {
		dom.poweroff_asked = true;
	} else {
		rc = -EINVAL;
	}
	pthread_mutex_unlock(&dom.lock);
	if (write(dom.kick, &one, sizeof(one)) < 0)
		abort();
	return rc;
}

static int get_state(struct pvhv_state *state)
{
	pthread_mutex_lock(&dom.lock);
	memset(state, 0, sizeof(*state));
	state->state = dom.state;
	state->crash = dom.crash;
	state->vcpus_up = dom.up;
	memcpy(state->message, dom.message, sizeof(state->message));
	pthread_mutex_unlock(&dom.lock);
	return 0;
}

static int mask_cpuid(const struct pvhv_mask_cpuid *m)
{
	if (fake_is("no-masks"))
		return -ENOTTY;
	/* what the module would refuse is a bug of the tool */
	if (dom.nr_vcpus || m->reg > 3 || !m->mask || m->reserved[0] || m->reserved[1])
		abort();
	dom.hidden++;
	return 0;
}

static int create_vcpu(unsigned long nr)
{
	int fd;

	if (nr >= PVHV_MAX_VCPUS)
		return -EINVAL;
	fd = new_fd(FAKE_VCPU);
	vcpu_of[fd] = nr;
	dom.nr_vcpus++;
	return fd;
}

static int set_vcpus(unsigned long nr)
{
	u64 one = 1;
	int rc = 0;

	pthread_mutex_lock(&dom.lock);
	if (dom.state >= PVHV_STATE_POWEROFF)
		rc = -ESRCH;
	else if (!nr || nr > dom.nr_vcpus)
		rc = -EINVAL;
	if (!rc) {
		dom.wanted = nr;
		dom.wish_ms = monotonic_ms() + WISH_MS;
	}
	pthread_mutex_unlock(&dom.lock);
	if (!rc && write(dom.kick, &one, sizeof(one)) < 0)
		abort();
	return rc;
}

static int get_stats(struct pvhv_stats *arg)
{
	struct pvhv_stat stats[] = {
		{ "runs", dom.runs },
		{ "console_out_bytes", dom.bytes_out },
		{ "console_in_bytes", dom.bytes_in },
		{ "shadow_pages_now", 7 },
		{ "twenty_three_characters", ~0ULL },
	};
	struct pvhv_stat *user = (void *)(unsigned long)arg->stats;

	memcpy(user, stats, min_t(size_t, arg->count, ARRAY_SIZE(stats)) * sizeof(*stats));
	arg->count = ARRAY_SIZE(stats);
	return 0;
}

static int device_request(unsigned long request, void *arg)
{
	struct pvhv_info *info = arg;

	if (request == PVHV_CREATE_DOMAIN)
		return create_domain(arg);
	if (request != PVHV_GET_INFO || fake_is("old-api"))
		return -ENOTTY;
	memset(info, 0, sizeof(*info));
	info->api_version = PVHV_API_VERSION + fake_is("other-version");
	info->abi_version = PVHV_ABI_VERSION;
	info->tsc_khz = 1234567;
	if (fake_is("cpuid-faulting") || fake_is("cpuid-refused"))
		info->features = PVHV_F_CPUID_FAULTING;
	info->max_vcpus = PVHV_MAX_VCPUS;
	return 0;
}

static int domain_request(unsigned long request, unsigned long arg)
{
	const struct pvhv_memory *memory = (void *)arg;

	switch (request) {
	case PVHV_SET_MEMORY:
		if (fake_is("no-memory"))
			return -ENOMEM;
		dom.ram = (u8 *)(unsigned long)memory->hva;
		dom.size = memory->size;
		return 0;
	case PVHV_CREATE_VCPU:
		return create_vcpu(arg);
	case PVHV_GET_CONSOLE:
		return dup(dom.host_end);
	case PVHV_CONTROL:
		return control(arg);
	case PVHV_SET_VCPUS:
		return set_vcpus(arg);
	case PVHV_MASK_CPUID:
		return mask_cpuid((void *)arg);
	case PVHV_GET_STATE:
		return get_state((void *)arg);
	case PVHV_GET_STATS:
		return get_stats((void *)arg);
	case PVHV_DEVICE_ADD:
	case PVHV_DEVICE_REMOVE:
	case PVHV_DEVICE_LIST:
	case PVHV_DEVICE_CHANGED:
		return device_request_locked(request, arg);
	}
	return -ENOTTY;
}

static int vcpu_request(unsigned int nr, unsigned long request, void *arg)
{
	switch (request) {
	case PVHV_SET_REGS:
		dom.regs = *(struct pvhv_vcpu_regs *)arg;
		dom.have_regs = true;
		return 0;
	case PVHV_GET_REGS:
		if (dom.vcpu[nr].in_run)
			return -EBUSY;
		*(struct pvhv_vcpu_regs *)arg = dom.regs;
		return 0;
	case PVHV_RUN:
		return vcpu_run(nr, arg);
	}
	return -ENOTTY;
}

int device_ioctl(int fd, unsigned long request, unsigned long arg)
{
	switch (fd >= 0 && fd < MAX_FD ? kind[fd] : FAKE_NONE) {
	case FAKE_DEVICE:
		return device_request(request, (void *)arg);
	case FAKE_DOMAIN:
		return domain_request(request, arg);
	case FAKE_VCPU:
		return vcpu_request(vcpu_of[fd], request, (void *)arg);
	default:
		return -EBADF;
	}
}
