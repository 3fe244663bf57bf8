// SPDX-License-Identifier: GPL-2.0
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"
#include "unit.h"

static char root[32];

/* Make ROOT/PATH with these contents; NULL: remove it. */
static void put(const char *path, const char *text)
{
	char name[PATH_MAX], *slash;
	FILE *f;

	snprintf(name, sizeof(name), "%s%s", root, path);
	if (!text) {
		unlink(name);
		return;
	}
	for (slash = name + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(name, 0700);
		*slash = '/';
	}
	f = fopen(name, "w");
	if (!f)
		abort();
	fputs(text, f);
	fclose(f);
}

#define CPU(flags)	"vendor_id\t: X\nflags\t\t: fpu " flags "\nbugs\t: fred nx\n"
#define CPUINFO(flags)	CPU("pge syscall nx " flags)
#define MEMORY		MEMINFO("900000")
#define MEMINFO(kib)	"MemTotal:  9999999 kB\nMemFree:  1 kB\nMemAvailable:  " kib " kB\n"

static void test_table(void)
{
	static const struct {
		const char *machine, *release, *guest_type, *cpuinfo, *meminfo;
		const char *type;	/* of the only problem; NULL: none */
		bool ready;
	} cases[] = {
		{ "x86_64", "6.1.0-56-amd64", NULL, CPUINFO("lm"), MEMORY, NULL, true },
		{ "x86_64", "7.0", NULL, CPUINFO("lm"), MEMORY, NULL, true },
		{ "x86_64", "6.0.19", NULL, CPUINFO("lm"), MEMORY, "old-kernel", false },
		{ "x86_64", "5.10.0-30-amd64", NULL, CPUINFO("lm"), MEMORY, "old-kernel",
		  false },
		{ "aarch64", "6.1.0", NULL, "", MEMORY, "wrong-machine", false },
		{ "i686", "6.1.0", NULL, CPUINFO("pae"), MEMORY, "wrong-machine", false },
		{ "x86_64", "6.1.0", "PV\n", CPUINFO("lm"), MEMORY, "xen-pv", false },
		{ "x86_64", "6.1.0", "PVH\n", CPUINFO("lm"), MEMORY, NULL, true },
		{ "x86_64", "6.1.0", "HVM\n", CPUINFO("lm"), MEMORY, NULL, true },
		{ "x86_64", "6.1.0", NULL, CPUINFO("hypervisor sev_es"), MEMORY, "sev-es",
		  false },
		/* a host that could start such guests */
		{ "x86_64", "6.1.0", NULL, CPUINFO("sev sev_es"), MEMORY, NULL, true },
		{ "x86_64", "6.1.0", NULL, CPUINFO("hypervisor tdx_guest"), MEMORY, "tdx",
		  false },
		{ "x86_64", "6.12", NULL, CPUINFO("fred lm"), MEMORY, "fred", false },
		{ "x86_64", "6.12", NULL, CPUINFO("nofred fredx"), MEMORY, NULL, true },
		{ "x86_64", "6.1.0", NULL, CPUINFO("lm"), MEMINFO("60000"), "low-memory", false },
		{ "x86_64", "6.1.0", NULL, CPUINFO("lm"), MEMINFO("200000"), "low-memory", true },
		{ "x86_64", "6.1.0", NULL, CPU("pge syscall lm"), MEMORY, "unsupported-cpu",
		  false },
		{ "x86_64", "6.1.0", NULL, CPU("pge nx lm"), MEMORY, "unsupported-cpu", false },
		{ "x86_64", "6.1.0", NULL, CPU("nx syscall lm"), MEMORY, "unsupported-cpu",
		  false },
		/* a /proc and a /sys that cannot be read are no reason to refuse */
		{ "x86_64", "6.1.0", NULL, NULL, NULL, NULL, true },
	};
	struct host h;
	size_t i;

	put(HOST_DEFAULT_KERNEL, "a kernel");
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		bool ready;

		put("/sys/hypervisor/guest_type", cases[i].guest_type);
		put("/proc/cpuinfo", cases[i].cpuinfo);
		put("/proc/meminfo", cases[i].meminfo);
		host_init(&h);
		h.root = root;
		h.with_device = false;
		h.machine = cases[i].machine;
		h.release = cases[i].release;
		ready = host_check(&h);
		CHECK(ready == cases[i].ready, "host %zu: ready %d", i, ready);
		CHECK(h.nr == !!cases[i].type, "host %zu: %u problems", i, h.nr);
		if (h.nr && cases[i].type)
			CHECK(!strcmp(h.problem[0].type, cases[i].type) &&
			      h.problem[0].is_error == !cases[i].ready && h.problem[0].action[0],
			      "host %zu: %s", i, h.problem[0].type);
	}
	put("/sys/kernel/realtime", "1\n");
	host_init(&h);
	h.root = root;
	h.with_device = false;
	CHECK(!host_check(&h) && h.nr == 1 && !strcmp(h.problem[0].type, "preempt-rt"),
	      "PREEMPT_RT");
	put("/sys/kernel/realtime", NULL);
	put(HOST_DEFAULT_KERNEL, NULL);
	host_init(&h);
	h.root = root;
	h.with_device = false;
	CHECK(host_check(&h) && h.nr == 1 && !strcmp(h.problem[0].type, "no-kernel"),
	      "no default kernel");
}

/* The device itself is played by fake-device.c. */
static void test_device(void)
{
	static const struct {
		const char *fake;
		const char *module, *modules_dep, *sig_enforce;
		const char *type, *action;
		const char *cpuinfo;
	} cases[] = {
		{ "missing", NULL, NULL, NULL, "no-module", "make install", NULL },
		{ "missing", NULL, "extra/pvhv.ko:\n", NULL, "no-device", "modprobe pvhv", NULL },
		{ "missing", NULL, "kernel/net/x.ko.xz: kernel/y.ko\nextra/pvhv.ko.xz:\n",
		  "N\n", "no-device", "modprobe pvhv", NULL },
		{ "missing", NULL, "extra/notpvhv.ko: extra/pvhv.ko\n", NULL, "no-module",
		  "make install", NULL },
		{ "missing", NULL, "extra/pvhv.ko:\n", "Y\n", "no-device", "sign", NULL },
		{ "missing", "Live", NULL, NULL, "no-device", "devtmpfs", NULL },
		/* the reason, not "load it" */
		{ "missing", NULL, "extra/pvhv.ko:\n", NULL, "unsupported-cpu", "another machine",
		  CPU("nx syscall") },
		{ "missing", NULL, NULL, NULL, "tdx", "without TDX", CPUINFO("tdx_guest") },
		{ "denied", "Live", NULL, NULL, "no-permission", "give this user access", NULL },
		{ "old-api", "Live", NULL, NULL, "api-mismatch", "one pvhv tree", NULL },
		{ "other-version", "Live", NULL, NULL, "api-mismatch", "one pvhv tree", NULL },
	};
	struct host h;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		put("/sys/module/pvhv", cases[i].module);
		put("/lib/modules/6.1.0/modules.dep", cases[i].modules_dep);
		put("/sys/module/module/parameters/sig_enforce", cases[i].sig_enforce);
		put("/proc/cpuinfo", cases[i].cpuinfo);
		host_init(&h);
		h.root = root;
		h.release = "6.1.0";
		setenv("PVHV_FAKE", cases[i].fake, 1);
		fd = host_open_device(&h);
		CHECK(fd == -1 && h.nr == 1, "device %zu: %u problems", i, h.nr);
		if (h.nr) {
			CHECK(!strcmp(h.problem[0].type, cases[i].type) && h.problem[0].is_error,
			      "device %zu: %s", i, h.problem[0].type);
			CHECK_TEXT(h.problem[0].action, cases[i].action);
		}
	}
	unsetenv("PVHV_FAKE");
	host_init(&h);
	fd = host_open_device(&h);
	CHECK(fd >= 0 && h.nr == 0 && h.have_info && h.info.api_version == PVHV_API_VERSION,
	      "a device that is there");
	close(fd);
}

void test_host(void)
{
	char command[64];

	strcpy(root, "/tmp/pvhv-test-XXXXXX");
	if (!mkdtemp(root))
		abort();
	setenv("PVHV_RUNTIME_DIR", root, 1);
	test_table();
	test_device();
	unsetenv("PVHV_RUNTIME_DIR");
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	if (system(command))
		CHECK(false, "clean up");
}
