// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <sys/mman.h>

#include "guest.h"
#include "test-elf.h"
#include "unit.h"

/* A kernel of one segment: @gpa up to @end */
static struct kernel one_segment(u64 gpa, u64 end)
{
	return (struct kernel){
		.nr_segments = 1, .end = end,
		.segment = { { .gpa = gpa, .mem_size = end - gpa } },
	};
}

/* Where kernels are */
enum place { LINUX, LINUX_1, HIGH, ACROSS, BEYOND, OVER_INFO, AT_0, BEHIND_INFO };

static const struct { u64 gpa, end; } places[] = {
	[LINUX]		= { 16 * MIB, 56 * MIB },	/* about what a Linux guest takes */
	[LINUX_1]	= { 16 * MIB, 56 * MIB + 1 },
	[HIGH]		= { 4 * GIB, 5 * GIB },
	[ACROSS]	= { 3 * GIB, 5 * GIB },
	[BEYOND]	= { 0x4000000000000, 0x4000000001000 },
	[OVER_INFO]	= { 0x2000, 0x8000 },
	[AT_0]		= { 0, 0x8000 },
	[BEHIND_INFO]	= { 0x3000, 0x8000 },
};

static void test_layout(void)
{
	static const struct {
		enum place kernel;
		u64 memory, initrd;
		const char *cmdline;
		u64 at;			/* of the initrd */
		enum layout_culprit culprit;
		const char *reason;	/* NULL: it fits */
	} cases[] = {
		{ LINUX, 256 * MIB, 0, "", 0, 0, NULL },
		{ LINUX, 56 * MIB, 0, "", 0, 0, NULL },
		{ LINUX, 256 * MIB, 10 * MIB, "", 246 * MIB, 0, NULL },
		{ LINUX, 256 * MIB, 10 * MIB + 1, "", 246 * MIB - 4096, 0, NULL },
		{ LINUX, 256 * MIB, 200 * MIB, "", 56 * MIB, 0, NULL },
		/* below the kernel when there is no room above */
		{ LINUX, 56 * MIB, 15 * MIB, "", 1 * MIB, 0, NULL },
		{ LINUX, 60 * MIB, 10 * MIB, "", 6 * MIB, 0, NULL },
		{ LINUX, 60 * MIB, 4 * MIB, "", 56 * MIB, 0, NULL },
		/* the limits of initrds */
		{ LINUX, 8 * GIB, 100 * MIB, "", 4 * GIB - 100 * MIB, 0, NULL },
		{ HIGH, 8 * GIB, 100 * MIB, "", 4 * GIB - 100 * MIB, 0, NULL },
		{ ACROSS, 8 * GIB, 2 * GIB, "", GIB, 0, NULL },
		{ ACROSS, 8 * GIB, 3 * GIB, "", 0, LAYOUT_INITRD, "below 4 GiB" },
		{ LINUX, 64 * GIB, 5 * GIB, "", 0, LAYOUT_INITRD, "below 4 GiB" },
		/* mem= */
		{ LINUX, 256 * MIB, 10 * MIB, "mem=128M", 118 * MIB, 0, NULL },
		{ LINUX, 256 * MIB, 10 * MIB, "a mem=64M mem=96M b", 86 * MIB, 0, NULL },
		{ LINUX, 256 * MIB, 10 * MIB, "memory=64M xmem=64M", 246 * MIB, 0, NULL },
		{ LINUX, 256 * MIB, 10 * MIB, "mem=512M", 246 * MIB, 0, NULL },
		{ LINUX, 256 * MIB, 10 * MIB, "mem=nopentium", 246 * MIB, 0, NULL },
		{ LINUX, 256 * MIB, 10 * MIB, "x=\"a mem=64M\" y", 246 * MIB, 0, NULL },
		{ LINUX, 256 * MIB, 10 * MIB, "-- mem=64M", 246 * MIB, 0, NULL },
		{ LINUX, 256 * MIB, 60 * MIB, "mem=64M", 0, LAYOUT_APPEND, "need 116M" },
		{ LINUX, 256 * MIB, 0, "mem=32M", 0, LAYOUT_APPEND, "need 56M" },
		/* too little memory: how much is needed */
		{ LINUX, 32 * MIB, 0, "", 0, LAYOUT_KERNEL, "at least 56M" },
		{ LINUX, 56 * MIB - 4096, 0, "", 0, LAYOUT_KERNEL, "at least 56M" },
		{ LINUX_1, 56 * MIB, 0, "", 0, LAYOUT_KERNEL, "at least 57M" },
		{ LINUX, 64 * MIB, 20 * MIB, "", 0, LAYOUT_KERNEL, "at least 76M" },
		{ LINUX, 32 * MIB, 8 * MIB, "", 0, LAYOUT_KERNEL, "at least 56M" },
		{ LINUX, 2 * MIB, 0, "", 0, LAYOUT_KERNEL, "not 2M" },
		{ BEYOND, 256 * MIB, 0, "", 0, LAYOUT_KERNEL, "beyond any memory" },
		/* sizes and places that are wrong by themselves */
		{ LINUX, 0, 0, "", 0, LAYOUT_MEMORY, "multiple of 4K" },
		{ LINUX, 256 * MIB + 1, 0, "", 0, LAYOUT_MEMORY, "multiple of 4K" },
		{ LINUX, ~0ULL << 62, 0, "", 0, LAYOUT_MEMORY, "16T" },
		{ OVER_INFO, 2 * MIB, 0, "", 0, LAYOUT_KERNEL, "start information" },
		{ AT_0, 2 * MIB, 0, "", 0, LAYOUT_KERNEL, "start information" },
		{ BEHIND_INFO, 2 * MIB, 4096, "", 2 * MIB - 4096, 0, NULL },
	};
	enum layout_culprit culprit;
	struct errmsg e;
	struct layout l;
	size_t i;
	int rc;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kernel k = one_segment(places[cases[i].kernel].gpa,
						 places[cases[i].kernel].end);

		rc = layout_plan(&l, &k, cases[i].memory, cases[i].initrd, cases[i].cmdline,
				 &culprit, &e);
		if (!rc)
			strcpy(e.text, "fits");
		CHECK(!rc == !cases[i].reason, "layout %zu: %s", i, e.text);
		if (!rc && !cases[i].reason) {
			CHECK(l.initrd == cases[i].at, "layout %zu: initrd at 0x%llx", i, l.initrd);
		} else if (rc && cases[i].reason) {
			CHECK(culprit == cases[i].culprit || cases[i].kernel == BEYOND,
			      "layout %zu: culprit %d", i, culprit);
			CHECK_TEXT(e.text, cases[i].reason);
		}
	}
}

/* The memory that is said to be needed is enough, and a page less is not. */
static void test_minimum(void)
{
	enum layout_culprit culprit;
	struct errmsg e;
	struct layout l;
	int i;

	for (i = 0; i < 5000; i++) {
		u64 gpa = MIB + test_random() % (64 * MIB);
		u64 end = gpa + 4096 + test_random() % (64 * MIB);
		u64 initrd = test_random() % 3 ? test_random() % (64 * MIB) : 0;
		struct kernel k = one_segment(gpa, end);
		u64 needed;

		if (!layout_plan(&l, &k, MIB, initrd, "", &culprit, &e)) {
			CHECK(false, "fits into 1M");
			continue;
		}
		CHECK(sscanf(e.text, "needs at least %lluM", &needed) == 1, "%s", e.text);
		CHECK(!layout_plan(&l, &k, needed * MIB, initrd, "", &culprit, &e), "%s", e.text);
		CHECK(layout_plan(&l, &k, (needed - 1) * MIB, initrd, "", &culprit, &e),
		      "%lluM would have been enough", needed - 1);
	}
}

static void test_cmdline(void)
{
	static const struct { const char *append, *cmdline; } cases[] = {
		{ "", "console=hvc0" },
		{ "quiet", "console=hvc0 quiet" },
		{ "console=ttyS0", "console=ttyS0" },
		{ "quiet console=tty0 x", "quiet console=tty0 x" },
		{ "netconsole=x", "console=hvc0 netconsole=x" },
		{ "console", "console=hvc0 console" },
		{ "init=/x -- console=y", "console=hvc0 init=/x -- console=y" },
		{ "a=\"b console=c\"", "console=hvc0 a=\"b console=c\"" },
	};
	struct kernel k = one_segment(16 * MIB, 56 * MIB);
	char line[GUEST_CMDLINE_MAX + 2];
	enum layout_culprit culprit;
	struct errmsg e;
	struct layout l;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		char *cmdline = guest_cmdline(cases[i].append);

		CHECK(!strcmp(cmdline, cases[i].cmdline), "'%s': '%s'", cases[i].append, cmdline);
		free(cmdline);
	}

	memset(line, 'x', sizeof(line));
	line[GUEST_CMDLINE_MAX] = '\0';
	CHECK(!layout_plan(&l, &k, 256 * MIB, 0, line, &culprit, &e), "%s", e.text);
	line[GUEST_CMDLINE_MAX] = 'x';
	line[GUEST_CMDLINE_MAX + 1] = '\0';
	CHECK(layout_plan(&l, &k, 256 * MIB, 0, line, &culprit, &e) && culprit == LAYOUT_APPEND,
	      "a command line that is too long");
	CHECK_TEXT(e.text, "shorten it to 2047");
}

static void test_load(void)
{
	const u64 memory = 32 * MIB;
	struct start_params params = {
		.features = 0x5a, .tsc_khz = 2400000, .domid = 7, .nr_vcpus = 4, .nr_vcpus_boot = 2,
		.cmdline = "console=hvc0 quiet",
	};
	struct image file, initrd;
	enum layout_culprit culprit;
	struct pvhv_start_info *si;
	struct pvhv_memmap_entry *map;
	struct test_elf elf;
	struct layout l;
	struct errmsg e;
	struct kernel k;
	u8 seed[64];
	u8 *ram;
	int i;

	test_elf_init(&elf);
	image_from_memory(&file, memcpy(xmalloc(sizeof(elf)), &elf, sizeof(elf)), sizeof(elf));
	image_from_memory(&initrd, memset(xmalloc(5000), 0x1d, 5000), 5000);
	CHECK(!kernel_open(&k, &file, &e), "%s", e.text);
	CHECK(!layout_plan(&l, &k, memory, initrd.size, params.cmdline, &culprit, &e), "%s",
	      e.text);
	ram = guest_ram_alloc(memory);
	CHECK(ram, "no RAM");

	for (i = 0; i < 2; i++) {
		CHECK(!guest_load(ram, &l, &k, &initrd, &params, &culprit, &e), "%s", e.text);
		si = (void *)(ram + GUEST_START_INFO);
		CHECK(si->magic == PVHV_START_MAGIC && si->version == PVHV_ABI_VERSION &&
		      si->size == sizeof(*si) && si->features == 0x5a && si->domid == 7 &&
		      si->nr_vcpus == 4 && si->nr_vcpus_boot == 2 && si->tsc_khz == 2400000,
		      "start information");
		CHECK(!strcmp((char *)ram + si->cmdline, params.cmdline) &&
		      si->cmdline_len == strlen(params.cmdline), "command line");
		CHECK(si->initrd == memory - 8192 && si->initrd_len == 5000 &&
		      ram[si->initrd] == 0x1d && ram[si->initrd + 4999] == 0x1d &&
		      ram[si->initrd + 5000] == 0, "initrd");
		map = (void *)(ram + si->memmap);
		CHECK(si->nr_memmap == 1 && map->addr == 4096 && map->addr + map->size == memory &&
		      map->type == PVHV_MEM_RAM && map->reserved == 0, "memory map");
		CHECK(si->memmap + sizeof(*map) <= si->cmdline, "memory map and command line");
		CHECK(ram[TEST_GPA] == 0x90, "kernel");
		CHECK(i == 0 || memcmp(seed, si->rng_seed, sizeof(seed)), "the same seed twice");
		memcpy(seed, si->rng_seed, sizeof(seed));
		CHECK(!guest_ram_clear(ram, memory), "clear");
		CHECK(ram[TEST_GPA] == 0 && ram[GUEST_START_INFO] == 0 && ram[memory - 8192] == 0,
		      "cleared RAM");
	}
	munmap(ram, memory);
	kernel_close(&k);
	image_close(&file);
	image_close(&initrd);

	CHECK(!guest_ram_alloc(1ULL << 60) && errno == ENOMEM, "an exabyte of RAM");
}

void test_guest(void)
{
	test_layout();
	test_minimum();
	test_cmdline();
	test_load();
}
