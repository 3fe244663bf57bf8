// SPDX-License-Identifier: GPL-2.0
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <pvhv/hypercall.h>
#include <pvhv/start_info.h>

#include "guest.h"

/* The last "NAME=..." among the words of @cmdline: its value, or NULL */
static const char *find_parameter(const char *cmdline, const char *name)
{
	size_t len = strlen(name);
	const char *found = NULL;
	bool quoted = false, start = true;
	const char *p;

	for (p = cmdline; *p; p++) {
		if (start && !strncmp(p, name, len) && p[len] == '=')
			found = p + len + 1;
		/* "--" ends what is the kernel's */
		if (start && !strncmp(p, "--", 2) && (p[2] == ' ' || p[2] == '\0'))
			break;
		if (*p == '"')
			quoted = !quoted;
		start = !quoted && (*p == ' ' || *p == '\t' || *p == '\n');
	}
	return found;
}

char *guest_cmdline(const char *append)
{
	struct strbuf s = { 0 };

	if (!find_parameter(append, "console"))
		strbuf_addf(&s, "console=hvc0%s", *append ? " " : "");
	strbuf_addf(&s, "%s", append);
	return s.data;
}

/* The highest gpa for @size bytes below @limit beside the kernel; 0: none */
static u64 find_room(const struct kernel *k, u64 limit, u64 size)
{
	unsigned int i = k->nr_segments;
	u64 top = page_align_down(limit);

	for (;;) {
		u64 bottom = GUEST_INITRD_MIN;
		u64 next = 0;

		if (i > 0) {
			const struct kernel_segment *s = &k->segment[--i];

			bottom = max(bottom, page_align(s->gpa + s->mem_size));
			next = page_align_down(s->gpa);
		}
		if (top >= bottom && top - bottom >= size)
			return top - size;
		if (next == 0)
			return 0;
		top = min(top, next);
	}
}

int layout_plan(struct layout *l, const struct kernel *k, u64 memory, u64 initrd_size,
		const char *cmdline, enum layout_culprit *culprit, struct errmsg *e)
{
	u64 room = page_align(initrd_size), limit = memory, kernel_limit = memory, needed;
	const char *mem = find_parameter(cmdline, "mem");
	char size[32];

	memset(l, 0, sizeof(*l));
	l->memory = memory;
	l->initrd_size = initrd_size;

	*culprit = LAYOUT_MEMORY;
	if (memory < GUEST_MIN_MEMORY || memory > GUEST_MAX_MEMORY || memory % GUEST_PAGE_SIZE)
		return errmsg_set(e, "must be a multiple of 4K from %lluM to %lluT",
				  GUEST_MIN_MEMORY / MIB, GUEST_MAX_MEMORY / GIB / 1024);
	*culprit = LAYOUT_APPEND;
	if (strlen(cmdline) > GUEST_CMDLINE_MAX)
		return errmsg_set(e, "makes a command line of %zu bytes: shorten it to %d",
				  strlen(cmdline), GUEST_CMDLINE_MAX);
	*culprit = LAYOUT_KERNEL;
	if (k->segment[0].gpa < GUEST_LOW_END)
		return errmsg_set(e, "loads at 0x%llx over the start information: link it higher",
				  k->segment[0].gpa);

	/* a guest told mem=N does not see what is above it */
	if (mem) {
		const char *end;
		u64 n = parse_kernel_size(mem, &end);

		if (n && (*end == '\0' || *end == ' '))
			kernel_limit = min(kernel_limit, page_align_down(n));
	}
	limit = min(kernel_limit, GUEST_INITRD_LIMIT);

	if (k->end <= kernel_limit) {
		if (!initrd_size)
			return 0;
		l->initrd = find_room(k, limit, room);
		if (l->initrd)
			return 0;
	}

	if (k->end <= memory && room && find_room(k, GUEST_INITRD_LIMIT, room) == 0) {
		*culprit = LAYOUT_INITRD;
		return errmsg_set(e, "does not fit below 4 GiB with its %llu MiB: make it smaller",
				  initrd_size / MIB);
	}
	if (kernel_limit < memory) {
		*culprit = LAYOUT_APPEND;
		return errmsg_set(e, "has a mem= that is too low: kernel and initrd need %lluM",
				  (page_align(k->end) + room + MIB - 1) / MIB);
	}

	/* The smallest RAM that would do. */
	needed = page_align(k->end);
	if (room && !find_room(k, needed, room))
		needed = max(needed, GUEST_INITRD_MIN) + room;
	if (needed > GUEST_MAX_MEMORY)
		return errmsg_set(e, "loads up to 0x%llx, beyond any memory: build it again",
				  k->end);
	needed = (needed + MIB - 1) / MIB;
	return errmsg_set(e, "needs at least %lluM of memory%s, not %s: give --memory %lluM",
			  needed, room ? " with this initrd" : "",
			  format_size(memory, size, sizeof(size)), needed);
}

u8 *guest_ram_alloc(u64 size)
{
	void *ram = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (ram == MAP_FAILED)
		return NULL;
	madvise(ram, size, MADV_HUGEPAGE);	/* a hint; the host may not have it */
	if (madvise(ram, size, MADV_DONTFORK)) {
		munmap(ram, size);
		return NULL;
	}
	return ram;
}

int guest_ram_clear(u8 *ram, u64 size)
{
	return madvise(ram, size, MADV_DONTNEED) ? -errno : 0;
}

int guest_load(u8 *ram, const struct layout *l, const struct kernel *k,
	       const struct image *initrd, const struct start_params *p,
	       enum layout_culprit *culprit, struct errmsg *e)
{
	struct pvhv_start_info info = {
		.magic = PVHV_START_MAGIC,
		.version = PVHV_ABI_VERSION,
		.size = sizeof(info),
		.features = p->features,
		.domid = p->domid,
		.nr_vcpus = p->nr_vcpus,
		.tsc_khz = p->tsc_khz,
		.cmdline = GUEST_CMDLINE,
		.cmdline_len = strlen(p->cmdline),
		.initrd = l->initrd,
		.initrd_len = l->initrd_size,
		.memmap = GUEST_START_INFO + sizeof(info),
		.nr_memmap = 1,
		.nr_vcpus_boot = p->nr_vcpus_boot,
	};
	struct pvhv_memmap_entry map = {
		.addr = GUEST_PAGE_SIZE,
		.size = l->memory - GUEST_PAGE_SIZE,
		.type = PVHV_MEM_RAM,
	};
	int rc;

	static_assert(sizeof(info) % 8 == 0 &&
		      sizeof(info) + sizeof(map) <= GUEST_CMDLINE - GUEST_START_INFO,
		      "the start information fits in its page");
	static_assert(GUEST_LOW_END - GUEST_CMDLINE > GUEST_CMDLINE_MAX,
		      "the command line fits in its page");

	*culprit = LAYOUT_KERNEL;
	if (kernel_load(k, ram, e))
		return -1;

	*culprit = LAYOUT_INITRD;
	if (l->initrd) {
		rc = image_read(initrd, 0, ram + l->initrd, l->initrd_size);
		if (rc == -EIO)
			return errmsg_set(e, "became smaller while it was read: try again");
		if (rc)
			return errmsg_set(e, "cannot be read: %s", strerror(-rc));
	}

	/* An early getrandom() waits only on a host that is just booting. */
	if (getrandom(info.rng_seed, sizeof(info.rng_seed), 0) != sizeof(info.rng_seed)) {
		*culprit = LAYOUT_MEMORY;
		return errmsg_set(e, "no random bytes: %s", strerror(errno));
	}
	memcpy(ram + GUEST_START_INFO, &info, sizeof(info));
	memcpy(ram + info.memmap, &map, sizeof(map));
	memcpy(ram + GUEST_CMDLINE, p->cmdline, info.cmdline_len + 1);
	explicit_bzero(info.rng_seed, sizeof(info.rng_seed));
	return 0;
}
