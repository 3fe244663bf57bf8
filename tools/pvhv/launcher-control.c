// SPDX-License-Identifier: GPL-2.0
/*
 * The requests of the control socket; protocol.h describes them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pvhv/start_info.h>

#include "cpulist.h"
#include "launcher.h"
#include "launcher-requests.h"

static void get_state(struct launcher *l, struct pvhv_state *state)
{
	if (l->phase != LAUNCHER_RUNNING)
		*state = l->final;
	else
		domain_state(&l->dom, state);
}

/* As a list such as 0-3,6 */
static void add_vcpus_up(const struct pvhv_state *state, struct strbuf *out)
{
	struct cpu_list up = { 0 };
	struct strbuf text = { 0 };
	unsigned int i;

	for (i = 0; i < PVHV_MAX_VCPUS; i++)
		if (state->vcpus_up >> i & 1)
			CPU_SET(i, &up.set[0]);
	cpu_list_format(&up, &text);
	if (text.len)
		control_add(out, "vcpus-up", text.data);
	strbuf_free(&text);
}

static int request_info(struct launcher *l, const char *arg, struct strbuf *out,
			struct errmsg *e)
{
	const struct launcher_config *cfg = l->cfg;
	struct strbuf hidden = { 0 };
	struct pvhv_state state;
	char reason[512];

	get_state(l, &state);
	launcher_reason(&state, reason, sizeof(reason));
	control_add(out, "name", cfg->name);
	control_addf(out, "pid", "%d", getpid());
	control_add(out, "state", domain_state_name(state.state));
	if (reason[0])
		control_add(out, "reason", reason);
	control_addf(out, "domid", "%u", l->dom.domid);
	control_addf(out, "vcpus", "%u", cfg->cpus);
	control_addf(out, "max-vcpus", "%u", cfg->max_cpus);
	add_vcpus_up(&state, out);
	control_addf(out, "memory", "%llu", cfg->memory);
	control_addf(out, "disks", "%u", devices_count(&cfg->devices, PVHV_CLASS_BLOCK));
	control_addf(out, "nets", "%u", devices_count(&cfg->devices, PVHV_CLASS_NET));
	control_addf(out, "uptime-ms", "%llu", monotonic_ms() - l->started_ms);
	control_addf(out, "reboots", "%u", l->reboots);
	control_add(out, "kernel", cfg->kernel_path);
	control_add(out, "kernel-format", cfg->kernel.format);
	if (cfg->initrd_path)
		control_add(out, "initrd", cfg->initrd_path);
	control_add(out, "cmdline", cfg->cmdline);
	if (cfg->console_kind == CONSOLE_PTY)
		control_addf(out, "console", "pty:%s", l->console.pty_name);
	else
		control_add(out, "console", cfg->console);
	control_add(out, "on-crash", cfg->preserve ? "preserve" : "destroy");
	control_addf(out, "features", "0x%llx", l->features);
	/* what its programs see; its kernel always sees its own */
	control_add(out, "cpuid", l->features & PVHV_F_CPUID_FAULTING ? "masked" : "raw");
	if (cfg->hidden.nr) {
		cpu_features_format(&cfg->hidden, &hidden);
		control_add(out, "cpu-features", hidden.data);
		strbuf_free(&hidden);
	}
	return 0;
}

static int request_regs(struct launcher *l, const char *arg, struct strbuf *out, struct errmsg *e)
{
	struct pvhv_vcpu_regs r = { 0 };
	u64 vcpu = 0;
	int rc;

	if (*arg && parse_number(arg, PVHV_MAX_VCPUS, &vcpu))
		return errmsg_set(e, "failed %s is not the number of a vCPU", arg);
	rc = domain_regs(&l->dom, vcpu, &r);
	if (rc == -EBUSY)
		return errmsg_set(e, "state the vCPU is running: pause the domain first");
	if (rc == -ENOENT)
		return errmsg_set(e, "failed there is no vCPU %llu", vcpu);
	if (rc)
		return errmsg_set(e, "failed the host refuses: %s", strerror(-rc));
#define REG(name)	control_addf(out, #name, "%016llx", (u64)r.name)
#define SELECTOR(name)	control_addf(out, #name, "%04x", r.name)
	REG(rax); REG(rbx); REG(rcx); REG(rdx); REG(rsi); REG(rdi); REG(rbp); REG(rsp);
	REG(r8); REG(r9); REG(r10); REG(r11); REG(r12); REG(r13); REG(r14); REG(r15);
	REG(rip); REG(rflags); REG(fs_base); REG(gs_base); REG(cr2); REG(cr3);
	SELECTOR(cs); SELECTOR(ds); SELECTOR(es); SELECTOR(fs); SELECTOR(gs); SELECTOR(ss);
#undef REG
#undef SELECTOR
	control_add(out, "mode", r.mode ? "user" : "kernel");
	return 0;
}

static int request_stats(struct launcher *l, const char *arg, struct strbuf *out,
			 struct errmsg *e)
{
	struct pvhv_stat *stats;
	int nr, i;

	nr = domain_stats(&l->dom, &stats);
	if (nr < 0)
		return errmsg_set(e, "failed the host refuses: %s", strerror(-nr));
	control_addf(out, "uptime-ms", "%llu", monotonic_ms() - l->started_ms);
	for (i = 0; i < nr; i++) {
		char *c;

		for (c = stats[i].name; *c; c++)
			if (*c <= ' ' || *c > '~')
				*c = '_';
		if (stats[i].name[0])
			control_addf(out, stats[i].name, "%llu", stats[i].value);
	}
	free(stats);
	return 0;
}

int launcher_not_running(struct launcher *l, struct errmsg *e)
{
	struct pvhv_state state;

	get_state(l, &state);
	if (l->phase == LAUNCHER_RUNNING && (state.state == PVHV_STATE_RUNNING ||
					     state.state == PVHV_STATE_PAUSED ||
					     state.state == PVHV_STATE_CREATED))
		return 0;
	return errmsg_set(e, "state the domain has ended (%s); pvhv kill takes it away",
			  domain_state_name(state.state));
}

static int control(struct launcher *l, unsigned int what, struct errmsg *e)
{
	struct pvhv_state state;
	int rc;

	if (launcher_not_running(l, e))
		return -1;
	get_state(l, &state);
	/* what is asked for twice is there already */
	if (what == PVHV_CONTROL_PAUSE && state.state == PVHV_STATE_PAUSED)
		return 0;
	if (what == PVHV_CONTROL_RESUME && state.state != PVHV_STATE_PAUSED)
		return 0;
	rc = what == PVHV_CONTROL_POWEROFF ? launcher_stop(l) : domain_control(&l->dom, what);
	if (rc)
		return errmsg_set(e, "failed the host refuses: %s", strerror(-rc));
	return 0;
}

static int request_pause(struct launcher *l, const char *arg,
			 struct strbuf *out, struct errmsg *e)
{
	return control(l, PVHV_CONTROL_PAUSE, e);
}

static int request_resume(struct launcher *l, const char *arg,
			  struct strbuf *out, struct errmsg *e)
{
	return control(l, PVHV_CONTROL_RESUME, e);
}

static int request_stop(struct launcher *l, const char *arg,
			struct strbuf *out, struct errmsg *e)
{
	return control(l, PVHV_CONTROL_POWEROFF, e);
}

static int request_kill(struct launcher *l, const char *arg,
			struct strbuf *out, struct errmsg *e)
{
	l->kill_requested = true;
	launcher_kill(l);
	return 0;
}

static const struct {
	const char *verb;
	bool takes_arg;
	request_fn *fn;
} requests[] = {
	{ "info", false, request_info },
	{ "regs", true, request_regs },
	{ "stats", false, request_stats },
	{ "pause", false, request_pause },
	{ "resume", false, request_resume },
	{ "stop", false, request_stop },
	{ "kill", false, request_kill },
	{ "cpus", false, request_cpus },
	{ "cpu-pin", true, request_cpu_pin },
	{ "cpu-set", true, request_cpu_set },
	{ "disks", false, request_disks },
	{ "disk-attach", true, request_disk_attach },
	{ "disk-detach", true, request_disk_detach },
	{ "disk-remove", true, request_disk_remove },
	{ "disk-resize", true, request_disk_resize },
	{ "nets", false, request_nets },
	{ "net-attach", true, request_net_attach },
	{ "net-detach", true, request_net_detach },
	{ "net-remove", true, request_net_remove },
};

static int on_request(void *ctx, const char *verb, const char *arg, struct strbuf *out,
		      struct errmsg *e)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(requests); i++)
		if (!strcmp(verb, requests[i].verb) && (!*arg || requests[i].takes_arg))
			return requests[i].fn(ctx, arg, out, e);
	return errmsg_set(e, "failed this launcher does not know the request '%s'", verb);
}

static size_t on_console_room(void *ctx)
{
	struct launcher *l = ctx;

	return console_room(&l->console);
}

static void on_console_input(void *ctx, const void *data, size_t len)
{
	struct launcher *l = ctx;

	console_input(&l->console, data, len);
}

static void on_console_history(void *ctx, struct strbuf *out)
{
	struct launcher *l = ctx;

	console_history(&l->console, out);
}

const struct server_ops launcher_server_ops = {
	.request = on_request,
	.console_room = on_console_room,
	.console_input = on_console_input,
	.console_history = on_console_history,
};
