// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <pvhv/start_info.h>

#include "builtin.h"
#include "device.h"
#include "launcher.h"

#define CLIENT_GOODBYE_MS	1000	/* to take their last answers and output */
#define PTY_GOODBYE_MS		2000
#define KILL_PATIENCE_MS	2000	/* for output that is not taken */
#define SIGNAL_REPEAT_MS	500	/* two within this are one: timeout(1) sends two */

void launcher_reason(const struct pvhv_state *state, char *text, size_t len)
{
	char message[PVHV_MESSAGE_LEN];
	size_t i;

	text[0] = '\0';
	if (state->state != PVHV_STATE_CRASHED)
		return;
	/* the module promises printable ASCII; a guest may have chosen the words */
	snprintf(message, sizeof(message), "%s", state->message);
	for (i = 0; message[i]; i++)
		if (message[i] < ' ' || message[i] > '~')
			message[i] = '?';
	snprintf(text, len, "%s%s%s%s", domain_crash_name(state->crash), message[0] ? ": " : "",
		 message, state->crash == PVHV_CRASH_HOST ?
		 " (this is a bug in pvhv, please report it)" : "");
}

static void conclude(struct launcher *l);

void launcher_kill(struct launcher *l)
{
	if (l->phase == LAUNCHER_RUNNING)
		domain_control(&l->dom, PVHV_CONTROL_KILL);
	else if (l->phase == LAUNCHER_ENDED)
		conclude(l);	/* give up on output that nobody takes */
	else
		l->phase = LAUNCHER_DONE;
}

int launcher_stop(struct launcher *l)
{
	struct pvhv_state state;

	/* a paused guest would never hear of it */
	if (!domain_state(&l->dom, &state) && state.state == PVHV_STATE_PAUSED)
		domain_control(&l->dom, PVHV_CONTROL_RESUME);
	return domain_control(&l->dom, PVHV_CONTROL_POWEROFF);
}

/*
 * Start and end of the domain
 */

static int start_domain(struct launcher *l)
{
	struct launcher_config *cfg = l->cfg;
	struct start_params params = {
		.features = l->features,
		.tsc_khz = l->host.info.tsc_khz,
		.nr_vcpus = cfg->max_cpus,
		.nr_vcpus_boot = cfg->cpus,
		.cmdline = cfg->cmdline,
	};
	struct domain_start start = {
		.rip = cfg->kernel.entry,
		.cr3 = cfg->kernel.root,
		.start_info = GUEST_START_INFO,
	};
	struct domain_config config = {
		.ram = l->ram,
		.size = cfg->memory,
		.nr_vcpus = cfg->max_cpus,
		.hidden = &cfg->hidden,
		.cpuid_faults = l->features & PVHV_F_CPUID_FAULTING,
	};
	enum layout_culprit culprit;
	struct device *device;
	struct errmsg e;
	int rc;

	if (domain_create(&l->dom, l->device, &config, &e)) {
		say("%s: %s", cfg->name, e.text);
		return STATUS_HOST;
	}
	params.domid = l->dom.domid;
	if (guest_load(l->ram, &cfg->layout, &cfg->kernel, &cfg->initrd, &params, &culprit, &e)) {
		say("%s: %s", culprit == LAYOUT_KERNEL ? cfg->kernel_path :
		    culprit == LAYOUT_INITRD ? cfg->initrd_path : cfg->name, e.text);
		domain_destroy(&l->dom);
		return STATUS_USAGE;
	}
	rc = devices_plug_all(&cfg->devices, &l->dom, l->reboots, &device, &e);
	if (rc) {
		say("%s: %s", device_label(device), e.text);
		domain_destroy(&l->dom);
		return rc == -EINVAL ? STATUS_USAGE : STATUS_HOST;
	}
	/* of a bzImage, the unpacked kernel is not kept: it is in RAM now */
	kernel_close(&cfg->kernel);
	if (domain_start(&l->dom, &start, &e)) {
		say("%s: %s", cfg->name, e.text);
		domain_destroy(&l->dom);
		return STATUS_HOST;
	}
	launcher_pin_again(l);
	l->started_ms = monotonic_ms();
	return STATUS_OK;
}

static void domain_event(void *arg, short revents);

static void connect_domain(struct launcher *l)
{
	l->phase = LAUNCHER_RUNNING;
	loop_add(&l->loop, l->dom.event_fd, POLLIN, domain_event, l);
	console_attach_guest(&l->console, l->dom.console_fd);
}

static void disconnect_domain(struct launcher *l)
{
	loop_remove(&l->loop, l->dom.event_fd);
	domain_destroy(&l->dom);
}

/* The guest wants to be started again, from the files that it came from. */
static void restart_domain(struct launcher *l)
{
	struct launcher_config *cfg = l->cfg;
	struct errmsg e;
	int rc;

	disconnect_domain(l);
	devices_unplugged(&cfg->devices);
	l->reboots++;
	rc = guest_ram_clear(l->ram, cfg->memory);
	if (rc) {
		say("%s: the guest's memory cannot be cleared: %s", cfg->name, strerror(-rc));
		l->status = STATUS_HOST;
		l->phase = LAUNCHER_DONE;
		return;
	}
	if (kernel_open(&cfg->kernel, &cfg->kernel_file, &e)) {
		say("%s: %s", cfg->kernel_path, e.text);
		l->status = STATUS_USAGE;
		l->phase = LAUNCHER_DONE;
		return;
	}
	l->status = start_domain(l);
	if (l->status) {
		l->phase = LAUNCHER_DONE;
		return;
	}
	connect_domain(l);
}

/* All vCPU threads are back. */
static void domain_event(void *arg, short revents)
{
	struct launcher *l = arg;
	int rc;

	if (!domain_ended(&l->dom, &l->vcpu_error))
		return;
	rc = domain_state(&l->dom, &l->final);
	if (rc && !l->vcpu_error)
		l->vcpu_error = rc;
	l->phase = LAUNCHER_ENDED;
	l->ended_ms = monotonic_ms();
	loop_set(&l->loop, l->dom.event_fd, 0);
	console_guest_ended(&l->console);
}

static bool will_restart(const struct launcher *l)
{
	return l->final.state == PVHV_STATE_REBOOT && !l->cfg->no_reboot && !l->stop_ms &&
	       !l->kill_requested;
}

/* The domain has ended and its last output is on its way. */
static void conclude(struct launcher *l)
{
	const char *name = l->cfg->name;
	char reason[512];

	l->phase = LAUNCHER_DONE;
	if (l->vcpu_error) {
		term_restore();
		say("domain %s cannot run: %s", name, strerror(-l->vcpu_error));
		l->status = STATUS_HOST;
	} else if (l->final.state == PVHV_STATE_POWEROFF) {
		l->status = STATUS_OK;
	} else if (l->final.state == PVHV_STATE_REBOOT) {
		l->status = STATUS_OK;
		if (will_restart(l))
			restart_domain(l);
	} else if (l->final.state == PVHV_STATE_CRASHED) {
		launcher_reason(&l->final, reason, sizeof(reason));
		l->status = STATUS_CRASH;
		if (l->cfg->preserve && !l->stop_ms && !l->kill_requested)
			l->phase = LAUNCHER_PRESERVED;
		else
			term_restore();
		say("domain %s crashed: %s", name, reason);
		if (l->phase == LAUNCHER_PRESERVED)
			say("domain %s is kept: pvhv info %s shows it, pvhv kill %s ends it",
			    name, name, name);
	} else if (l->kill_signal) {
		l->status = 128 + l->kill_signal;
	} else {
		/* Nobody else has the descriptor, so it was us. */
		l->status = STATUS_KILLED;
	}
}

/*
 * Callbacks of the console
 */

static void on_output(void *ctx, const void *data, size_t len)
{
	struct launcher *l = ctx;

	server_console_output(&l->server, data, len);
}

static void on_room(void *ctx)
{
	struct launcher *l = ctx;

	server_console_room(&l->server);
}

static void on_quit(void *ctx)
{
	struct launcher *l = ctx;

	l->kill_requested = true;
	launcher_kill(l);
}

static void stop_once(struct launcher *l)
{
	if (l->phase == LAUNCHER_PRESERVED) {
		l->phase = LAUNCHER_DONE;
	} else if (!l->stop_ms) {
		l->stop_ms = monotonic_ms();
		launcher_stop(l);
	}
}

static void on_lost(void *ctx)
{
	stop_once(ctx);
}

static const struct console_ops console_callbacks = {
	.output = on_output,
	.room = on_room,
	.quit = on_quit,
	.lost = on_lost,
};

/*
 * Signals
 */

static void make_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGQUIT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGTSTP);
	sigaddset(set, SIGCONT);
}

/* Stop as Ctrl-Z would, with the terminal in order meanwhile. */
static void suspend(struct launcher *l)
{
	term_restore();
	raise(SIGSTOP);
	console_continued(&l->console);
}

static void signal_event(void *arg, short revents)
{
	struct launcher *l = arg;
	struct signalfd_siginfo si;

	if (read(l->signal_fd, &si, sizeof(si)) != sizeof(si))
		return;
	switch (si.ssi_signo) {
	case SIGTSTP:
		suspend(l);
		break;
	case SIGCONT:
		console_continued(&l->console);
		break;
	case SIGHUP:
		/* shells send it twice; it never kills */
		stop_once(l);
		break;
	default:
		if (!l->stop_ms || l->phase == LAUNCHER_PRESERVED) {
			stop_once(l);
		} else if (monotonic_ms() - l->stop_ms >= SIGNAL_REPEAT_MS) {
			l->kill_signal = si.ssi_signo;
			launcher_kill(l);
		}
	}
}

/*
 * Setting up
 */

/* What --disk and --net ask for, as far as that can be checked without a domain */
static int open_devices(struct launcher_config *cfg)
{
	struct errmsg e;
	unsigned int i;

	for (i = 0; i < cfg->nr_disks; i++) {
		if (!devices_new_disk(&cfg->devices, &cfg->disk[i], &e)) {
			say("%s: %s", cfg->disk[i].path, e.text);
			return STATUS_USAGE;
		}
	}
	for (i = 0; i < cfg->nr_nets; i++) {
		if (!devices_new_net(&cfg->devices, &cfg->net[i], cfg->name, &e)) {
			say("--net: %s", e.text);
			return STATUS_USAGE;
		}
	}
	return STATUS_OK;
}

/* What the module offers, less what this process may not have */
static u64 guest_features(u64 features)
{
	if (features & PVHV_F_CPUID_FAULTING) {
		if (thread_cpuid_faults(true))
			features &= ~PVHV_F_CPUID_FAULTING;
		thread_cpuid_faults(false);
	}
	return features;
}

static int set_up(struct launcher *l)
{
	struct launcher_config *cfg = l->cfg;
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t signals;
	struct errmsg e;
	int status;

	l->device = host_open_device(&l->host);
	if (l->device < 0) {
		const struct problem *p = &l->host.problem[0];

		say("error %s: %s; %s", p->type, p->text, p->action);
		return STATUS_HOST;
	}
	l->features = guest_features(l->host.info.features);
	if (runtime_claim(&l->claim, cfg->name, &e)) {
		say("%s: %s", cfg->name, e.text);
		return STATUS_USAGE;
	}
	/* its memory is the process's: fails here when that is limited */
	l->ram = guest_ram_alloc(cfg->memory);
	if (!l->ram) {
		say("%s: no %llu MiB of memory: %s: give less --memory or raise ulimit -v",
		    cfg->name, cfg->memory / MIB, strerror(errno));
		return STATUS_HOST;
	}
	status = open_devices(cfg);
	if (status)
		return status;
	if (console_init(&l->console, &l->loop, cfg->console_kind, cfg->console_path,
			 &console_callbacks, l, &e)) {
		say("%s", e.text);
		return STATUS_USAGE;
	}

	sigaction(SIGPIPE, &ignore, NULL);
	make_signals(&signals);
	/* not ours to be stopped by: the console looks whose the terminal is */
	sigaddset(&signals, SIGTTIN);
	sigaddset(&signals, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	make_signals(&signals);
	l->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l->signal_fd < 0) {
		say("no signalfd: %s", strerror(errno));
		return STATUS_HOST;
	}
	loop_add(&l->loop, l->signal_fd, POLLIN, signal_event, l);
	server_init(&l->server, &l->loop, l->claim.listen_fd, l->claim.name,
		    &launcher_server_ops, l);
	return STATUS_OK;
}

static bool output_done(struct launcher *l)
{
	if (!console_guest_drained(&l->console))
		return false;
	/* what is still in the launcher's buffers survives a reboot */
	return will_restart(l) || console_flushed(&l->console);
}

/* How long to wait for events: output is waited for, unless it is to be killed. */
static int patience(struct launcher *l)
{
	u64 waited;

	if (l->phase != LAUNCHER_ENDED || (!l->kill_requested && !l->kill_signal))
		return -1;
	waited = monotonic_ms() - l->ended_ms;
	return waited < KILL_PATIENCE_MS ? KILL_PATIENCE_MS - waited : 0;
}

int launcher_run(struct launcher_config *cfg)
{
	struct launcher *l = xzalloc(sizeof(*l));
	int status;

	l->cfg = cfg;
	l->device = -1;
	l->claim.listen_fd = -1;
	host_init(&l->host);
	status = set_up(l);
	if (!status)
		status = start_domain(l);
	if (status)
		goto out;

	if (cfg->console_kind == CONSOLE_PTY) {
		printf("pvhv: domain %s: console on %s\n", cfg->name, l->console.pty_name);
		fflush(stdout);
	}
	l->console.help = ESCAPE_HELP_TEXT("kill the guest and quit");
	console_start(&l->console);
	connect_domain(l);

	while (l->phase != LAUNCHER_DONE) {
		loop_once(&l->loop, patience(l));
		if (l->phase == LAUNCHER_ENDED && (output_done(l) || patience(l) == 0))
			conclude(l);
	}
	status = l->status;
	server_flush(&l->server, CLIENT_GOODBYE_MS);
	console_finish(&l->console, PTY_GOODBYE_MS);
	term_restore();
	domain_destroy(&l->dom);
out:
	runtime_release(&l->claim);
	return status;
}
