// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "domain.h"

/* What the guest's kernel mode has: the GDT's flat user segments */
#define KERNEL_CS	0x33
#define KERNEL_DS	0x2b
#define RFLAGS_FIXED	0x2

#define KICK_SIGNAL	SIGUSR1
#define KICK_MS		10	/* between kicks: one may come just before PVHV_RUN */
#define KICKS		100

/* bytes: the default's 8 MiB would be a page table of its own for each */
#define VCPU_STACK	(256 * 1024)

static void on_kick(int sig)
{
}

/* What a debugger, or a terminal that changes its size, may interrupt and must not end */
static int device_ioctl_again(int fd, unsigned long request, unsigned long arg)
{
	int rc;

	do
		rc = device_ioctl(fd, request, arg);
	while (rc == -EINTR);
	return rc;
}

/* Stay here while the domain is paused. */
static void park(struct vcpu *vcpu)
{
	struct domain *dom = vcpu->dom;

	pthread_mutex_lock(&dom->lock);
	while (dom->park) {
		vcpu->parked = true;
		pthread_cond_broadcast(&dom->changed);
		pthread_cond_wait(&dom->changed, &dom->lock);
	}
	vcpu->parked = false;
	pthread_mutex_unlock(&dom->lock);
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	u64 one = 1;
	int rc = 0;

	if (vcpu->dom->cpuid_faults)
		rc = thread_cpuid_faults(true);
	pthread_mutex_lock(&vcpu->dom->lock);
	vcpu->tid = gettid();
	pthread_cond_broadcast(&vcpu->dom->changed);
	pthread_mutex_unlock(&vcpu->dom->lock);
	while (!rc) {
		struct pvhv_run run = { 0 };

		rc = device_ioctl(vcpu->fd, PVHV_RUN, (unsigned long)&run);
		if (rc != -EINTR)
			break;
		rc = 0;
		park(vcpu);
	}
	pthread_mutex_lock(&vcpu->dom->lock);
	vcpu->ended = true;
	vcpu->error = rc;
	pthread_cond_broadcast(&vcpu->dom->changed);
	pthread_mutex_unlock(&vcpu->dom->lock);
	write_all(vcpu->dom->event_fd, &one, sizeof(one));
	return NULL;
}

static void wait_begun(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->dom->lock);
	while (!vcpu->tid)
		pthread_cond_wait(&vcpu->dom->changed, &vcpu->dom->lock);
	pthread_mutex_unlock(&vcpu->dom->lock);
}

/* The domain is paused: call its threads out of PVHV_RUN, or let them go on. */
static void set_park(struct domain *dom, bool on)
{
	int kicks;

	pthread_mutex_lock(&dom->lock);
	dom->park = on;
	pthread_cond_broadcast(&dom->changed);
	for (kicks = 0; on && kicks < KICKS; kicks++) {
		struct timespec until;
		bool all = true;

		/* Those that end instead are not joined before we return. */
		for (unsigned int i = 0; i < dom->nr_vcpus; i++) {
			struct vcpu *vcpu = &dom->vcpu[i];

			if (vcpu->started && !vcpu->parked && !vcpu->ended) {
				pthread_kill(vcpu->thread, KICK_SIGNAL);
				all = false;
			}
		}
		if (all)
			break;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += KICK_MS * 1000000L;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_nsec -= 1000000000L;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&dom->changed, &dom->lock, &until);
	}
	pthread_mutex_unlock(&dom->lock);
}

static void domain_init(struct domain *dom)
{
	unsigned int i;

	memset(dom, 0, sizeof(*dom));
	dom->fd = -1;
	dom->console_fd = -1;
	dom->event_fd = -1;
	pthread_mutex_init(&dom->lock, NULL);
	pthread_cond_init(&dom->changed, NULL);
	for (i = 0; i < PVHV_MAX_VCPUS; i++) {
		dom->vcpu[i].dom = dom;
		dom->vcpu[i].fd = -1;
	}
}

static int hide_features(struct domain *dom, const struct cpu_features *hidden,
			 struct errmsg *e)
{
	struct pvhv_mask_cpuid mask;
	const char *name;
	unsigned int i;
	int rc;

	for (i = 0; i < hidden->nr; i++) {
		name = cpu_features_request(hidden, i, &mask);
		rc = device_ioctl_again(dom->fd, PVHV_MASK_CPUID, (unsigned long)&mask);
		if (rc < 0)
			return errmsg_set(e, "the host does not hide the feature %s: %s", name,
					  strerror(-rc));
	}
	return 0;
}

int domain_create(struct domain *dom, int device, const struct domain_config *cfg,
		  struct errmsg *e)
{
	struct pvhv_create_domain create = { 0 };
	struct pvhv_memory memory = { .size = cfg->size, .hva = (unsigned long)cfg->ram };
	/* by hypercalls alone for guests that do not know it */
	struct pvhv_device_add console = { .class = PVHV_CLASS_CONSOLE, .fd = -1 };
	unsigned int i;
	int rc;

	domain_init(dom);
	dom->nr_vcpus = cfg->nr_vcpus;
	dom->cpuid_faults = cfg->cpuid_faults;
	rc = device_ioctl_again(device, PVHV_CREATE_DOMAIN, (unsigned long)&create);
	if (rc < 0) {
		errmsg_set(e, "the host refuses another domain: %s", strerror(-rc));
		goto fail;
	}
	dom->fd = rc;
	dom->domid = create.domid;

	rc = device_ioctl_again(dom->fd, PVHV_SET_MEMORY, (unsigned long)&memory);
	if (rc < 0) {
		errmsg_set(e, "the host refuses %llu MiB of guest memory: %s", cfg->size / MIB,
			   strerror(-rc));
		goto fail;
	}
	if (hide_features(dom, cfg->hidden, e))
		goto fail;
	for (i = 0; i < dom->nr_vcpus; i++) {
		rc = device_ioctl(dom->fd, PVHV_CREATE_VCPU, i);
		if (rc < 0) {
			errmsg_set(e, "the host refuses vCPU %u: %s", i, strerror(-rc));
			goto fail;
		}
		dom->vcpu[i].fd = rc;
	}
	rc = device_ioctl(dom->fd, PVHV_GET_CONSOLE, 0);
	if (rc < 0) {
		errmsg_set(e, "the host refuses the console: %s", strerror(-rc));
		goto fail;
	}
	dom->console_fd = rc;
	if (fcntl(dom->console_fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0) {
		errmsg_set(e, "the console cannot be used without blocking: %s", strerror(errno));
		goto fail;
	}
	rc = domain_device_add(dom, &console);
	if (rc) {
		errmsg_set(e, "the host refuses the console's device: %s", strerror(-rc));
		goto fail;
	}
	dom->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (dom->event_fd < 0) {
		errmsg_set(e, "no eventfd: %s", strerror(errno));
		goto fail;
	}
	return 0;
fail:
	domain_destroy(dom);
	return -1;
}

int domain_start(struct domain *dom, const struct domain_start *start, struct errmsg *e)
{
	struct pvhv_vcpu_regs regs = {
		.rip = start->rip,
		.rsi = start->start_info,
		.cr3 = start->cr3,
		.rflags = RFLAGS_FIXED,
		.cs = KERNEL_CS,
		.ss = KERNEL_DS,
		.ds = KERNEL_DS,
		.es = KERNEL_DS,
	};
	struct sigaction kick = { .sa_handler = on_kick };
	pthread_attr_t attr;
	sigset_t all, old;
	unsigned int i;
	int rc;

	rc = device_ioctl(dom->vcpu[0].fd, PVHV_SET_REGS, (unsigned long)&regs);
	if (rc < 0)
		return errmsg_set(e, "the host refuses the kernel's start state: %s",
				  strerror(-rc));

	sigaction(KICK_SIGNAL, &kick, NULL);
	sigfillset(&all);
	sigdelset(&all, KICK_SIGNAL);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, VCPU_STACK);
	/* vCPU 0 last: it starts the others */
	for (i = dom->nr_vcpus; !rc && i--;) {
		struct vcpu *vcpu = &dom->vcpu[i];
		char name[24];

		rc = pthread_create(&vcpu->thread, &attr, vcpu_thread, vcpu);
		if (rc) {
			errmsg_set(e, "no thread for vCPU %u: %s", i, strerror(rc));
			break;
		}
		vcpu->started = true;
		snprintf(name, sizeof(name), "pvhv-vcpu%u", i);
		pthread_setname_np(vcpu->thread, name);
		wait_begun(vcpu);
	}
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc ? -1 : 0;
}

static void join_all(struct domain *dom)
{
	unsigned int i;

	for (i = 0; i < dom->nr_vcpus; i++) {
		if (!dom->vcpu[i].started)
			continue;
		pthread_join(dom->vcpu[i].thread, NULL);
		dom->vcpu[i].started = false;
	}
}

bool domain_ended(struct domain *dom, int *error)
{
	unsigned int i, nr = 0;
	u64 count;

	*error = 0;
	if (read(dom->event_fd, &count, sizeof(count)) != sizeof(count))
		return false;
	pthread_mutex_lock(&dom->lock);
	for (i = 0; i < dom->nr_vcpus; i++) {
		nr += dom->vcpu[i].ended;
		if (dom->vcpu[i].ended && dom->vcpu[i].error)
			*error = dom->vcpu[i].error;
	}
	pthread_mutex_unlock(&dom->lock);
	if (!*error && nr < dom->nr_vcpus)
		return false;
	/* Without one of its vCPUs a domain cannot go on. */
	if (*error)
		domain_control(dom, PVHV_CONTROL_KILL);
	join_all(dom);
	return true;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void domain_destroy(struct domain *dom)
{
	unsigned int i;

	if (dom->fd >= 0) {
		for (i = 0; i < dom->nr_vcpus; i++)
			if (dom->vcpu[i].started)
				break;
		if (i < dom->nr_vcpus)
			domain_control(dom, PVHV_CONTROL_KILL);
		join_all(dom);
	}
	close_fd(&dom->event_fd);
	close_fd(&dom->console_fd);
	for (i = 0; i < PVHV_MAX_VCPUS; i++)
		close_fd(&dom->vcpu[i].fd);
	close_fd(&dom->fd);
}

int domain_control(struct domain *dom, unsigned int what)
{
	int rc = device_ioctl_again(dom->fd, PVHV_CONTROL, what);

	if (rc < 0)
		return rc;
	if (what == PVHV_CONTROL_PAUSE)
		set_park(dom, true);
	else if (what == PVHV_CONTROL_RESUME || what == PVHV_CONTROL_KILL)
		set_park(dom, false);
	return 0;
}

int domain_state(struct domain *dom, struct pvhv_state *state)
{
	int rc;

	memset(state, 0, sizeof(*state));
	rc = device_ioctl(dom->fd, PVHV_GET_STATE, (unsigned long)state);
	state->message[PVHV_MESSAGE_LEN - 1] = '\0';
	return rc < 0 ? rc : 0;
}

int domain_regs(struct domain *dom, unsigned int vcpu, struct pvhv_vcpu_regs *regs)
{
	int rc;

	if (vcpu >= dom->nr_vcpus)
		return -ENOENT;
	rc = device_ioctl(dom->vcpu[vcpu].fd, PVHV_GET_REGS, (unsigned long)regs);
	return rc < 0 ? rc : 0;
}

int domain_stats(struct domain *dom, struct pvhv_stat **out)
{
	struct pvhv_stat *stats = xzalloc(DOMAIN_MAX_STATS * sizeof(*stats));
	struct pvhv_stats arg = { .count = DOMAIN_MAX_STATS, .stats = (unsigned long)stats };
	u32 i;
	int rc;

	rc = device_ioctl(dom->fd, PVHV_GET_STATS, (unsigned long)&arg);
	if (rc < 0) {
		free(stats);
		return rc;
	}
	/* counters are only ever added: what this tool has no room for is not shown */
	arg.count = min(arg.count, DOMAIN_MAX_STATS);
	for (i = 0; i < arg.count; i++)
		stats[i].name[sizeof(stats[i].name) - 1] = '\0';
	*out = stats;
	return arg.count;
}

int domain_set_vcpus(struct domain *dom, unsigned int nr)
{
	int rc = device_ioctl(dom->fd, PVHV_SET_VCPUS, nr);

	return rc < 0 ? rc : 0;
}

/* A thread that has not said that it ends keeps its tid while the lock is held. */
static bool thread_is_there(const struct vcpu *vcpu)
{
	return vcpu->started && vcpu->tid && !vcpu->ended;
}

int domain_pin(struct domain *dom, unsigned int vcpu, const struct cpu_list *cpus)
{
	struct vcpu *v = &dom->vcpu[vcpu];
	int rc = -ESRCH;

	pthread_mutex_lock(&dom->lock);
	if (thread_is_there(v))
		rc = cpu_list_set_affinity(cpus, v->tid);
	pthread_mutex_unlock(&dom->lock);
	return rc;
}

/* Field 39 of the thread's stat, counted from 1; the second one may hold anything */
static int last_cpu(pid_t tid)
{
	char path[64], text[1024] = "", *p;
	int field;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	p = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
	fclose(f);
	for (field = 2; p && field < 39; field++) {
		p = strchr(p, ' ');
		if (p)
			p++;
	}
	return p ? atoi(p) : -1;
}

int domain_vcpu_thread(struct domain *dom, unsigned int vcpu, struct vcpu_thread *t)
{
	struct vcpu *v = &dom->vcpu[vcpu];
	struct timespec ran = { 0 };
	clockid_t clock;
	int rc = -ESRCH;

	pthread_mutex_lock(&dom->lock);
	if (thread_is_there(v)) {
		t->tid = v->tid;
		t->cpu = last_cpu(v->tid);
		if (!pthread_getcpuclockid(v->thread, &clock))
			clock_gettime(clock, &ran);
		t->time_ms = ran.tv_sec * 1000ULL + ran.tv_nsec / 1000000;
		rc = cpu_list_get_affinity(&t->affinity, v->tid);
	}
	pthread_mutex_unlock(&dom->lock);
	return rc;
}

int domain_device_add(struct domain *dom, struct pvhv_device_add *add)
{
	int rc = device_ioctl_again(dom->fd, PVHV_DEVICE_ADD, (unsigned long)add);

	return rc < 0 ? rc : 0;
}

int domain_device_remove(struct domain *dom, u32 id, bool force)
{
	struct pvhv_device_remove remove = {
		.id = id, .flags = force ? PVHV_DEVICE_FORCE : 0,
	};
	int rc = device_ioctl(dom->fd, PVHV_DEVICE_REMOVE, (unsigned long)&remove);

	return rc < 0 ? rc : 0;
}

int domain_device_changed(struct domain *dom, u32 id)
{
	int rc = device_ioctl(dom->fd, PVHV_DEVICE_CHANGED, id);

	return rc < 0 ? rc : 0;
}

int domain_devices(struct domain *dom, struct pvhv_device_entry *entries)
{
	struct pvhv_device_list list = {
		.count = PVHV_MAX_DEVICES, .devices = (unsigned long)entries,
	};
	int rc = device_ioctl(dom->fd, PVHV_DEVICE_LIST, (unsigned long)&list);

	return rc < 0 ? rc : (int)min(list.count, PVHV_MAX_DEVICES);
}

const char *domain_state_name(u32 state)
{
	static const char * const names[] = {
		[PVHV_STATE_CREATED]	= "created",
		[PVHV_STATE_RUNNING]	= "running",
		[PVHV_STATE_PAUSED]	= "paused",
		[PVHV_STATE_POWEROFF]	= "poweroff",
		[PVHV_STATE_REBOOT]	= "reboot",
		[PVHV_STATE_CRASHED]	= "crashed",
		[PVHV_STATE_KILLED]	= "killed",
	};

	return state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

const char *domain_crash_name(u32 crash)
{
	static const char * const names[] = {
		[PVHV_CRASH_NONE]		= "none",
		[PVHV_CRASH_PANIC]		= "panic",
		[PVHV_CRASH_EVENT]		= "event",
		[PVHV_CRASH_TRIPLE_FAULT]	= "triple-fault",
		[PVHV_CRASH_MEMORY]		= "memory",
		[PVHV_CRASH_HYPERCALL]		= "hypercall",
		[PVHV_CRASH_HOST]		= "host",
	};

	return crash < ARRAY_SIZE(names) ? names[crash] : "unknown";
}
