// SPDX-License-Identifier: GPL-2.0
/*
 * An owner of domains that does what no launcher does: calls in the wrong order, wrong
 * arguments, threads against each other. Prints "ok NAME" or "not ok NAME - why".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/pvhv.h>
#include <pvhv/device.h>
#include <pvhv/hypercall.h>
#include <pvhv/vcpu_page.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB		(1UL << 20)
#define RACE_SIZE	(256 * MIB)
#define RACE_SECONDS	4

#define STR_(x)		#x
#define STR(x)		STR_(x)

static int device, failures;

static void result(const char *name, const char *format, ...)
{
	va_list ap;

	if (!format) {
		printf("ok %s\n", name);
		return;
	}
	failures++;
	printf("not ok %s - ", name);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
}

/* The result of a call must be this errno, or 0 for success */
static void expect(const char *name, long ret, int wanted)
{
	int got = ret < 0 ? errno : 0;

	if (got == wanted)
		result(name, NULL);
	else
		result(name, "%s, not %s", strerror(got), strerror(wanted));
}

static int make_domain(void)
{
	struct pvhv_create_domain c = { 0 };
	int fd = ioctl(device, PVHV_CREATE_DOMAIN, &c);

	if (fd < 0) {
		result("domain", "%s", strerror(errno));
		exit(1);
	}
	return fd;
}

static long set_memory(int domain, uint32_t slot, uint64_t gpa, uint64_t size, void *at)
{
	struct pvhv_memory m = { .slot = slot, .gpa = gpa, .size = size, .hva = (uint64_t)at };

	return ioctl(domain, PVHV_SET_MEMORY, &m);
}

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		result("mmap", "%s", strerror(errno));
		exit(1);
	}
	return p;
}

static void fresh_vcpu(void)
{
	struct pvhv_vcpu_regs regs, zero = { 0 };
	struct pvhv_run run = { 0 };
	int domain = make_domain(), vcpu = ioctl(domain, PVHV_CREATE_VCPU, 0);

	expect("vcpu", vcpu, 0);
	expect("vcpu-twice", ioctl(domain, PVHV_CREATE_VCPU, 0), EEXIST);
	expect("vcpu-number", ioctl(domain, PVHV_CREATE_VCPU, PVHV_MAX_VCPUS), EINVAL);
	memset(&regs, 0xff, sizeof(regs));
	expect("regs-of-fresh-vcpu", ioctl(vcpu, PVHV_GET_REGS, &regs), 0);
	if (regs.cr3 || regs.rip || memcmp(regs.reserved, zero.reserved, sizeof(zero.reserved)))
		result("regs-are-zero", "cr3 %#llx, rip %#llx", regs.cr3, regs.rip);
	else
		result("regs-are-zero", NULL);
	expect("run-without-regs", ioctl(vcpu, PVHV_RUN, &run), EINVAL);
	/* No memory yet, so no root */
	expect("regs-without-memory", ioctl(vcpu, PVHV_SET_REGS, &zero), EINVAL);
	close(vcpu);
	close(domain);
}

/* A vCPU whose page tables are empty cannot even be told so. */
static void empty_guest(void)
{
	struct pvhv_vcpu_regs regs = { .cs = 0x33, .ss = 0x2b, .rip = 0x1000 };
	struct pvhv_run run = { 0 };
	struct pvhv_state state = { 0 };
	int domain = make_domain(), vcpu = ioctl(domain, PVHV_CREATE_VCPU, 0);
	void *ram = map(MIB);
	pid_t pid;
	int status, ret;

	expect("memory", set_memory(domain, 0, 0, MIB, ram), 0);
	expect("set-regs", ioctl(vcpu, PVHV_SET_REGS, &regs), 0);
	pid = fork();
	if (!pid)
		_exit(ioctl(vcpu, PVHV_RUN, &run) < 0 && errno == EPERM ? 0 : 1);
	waitpid(pid, &status, 0);
	result("run-in-another-process", status ? "it is let" : NULL);
	/* it goes back to user space for a signal, and for whatever the kernel has to do there */
	while ((ret = ioctl(vcpu, PVHV_RUN, &run)) < 0 && errno == EINTR)
		;
	expect("run", ret, 0);
	ioctl(domain, PVHV_GET_STATE, &state);
	if (state.state == PVHV_STATE_CRASHED && state.message[0])
		result("crashes", NULL);
	else
		result("crashes", "state %u", state.state);
	expect("memory-too-late", set_memory(domain, 1, MIB, MIB, map(MIB)), EBUSY);
	close(vcpu);
	close(domain);
	munmap(ram, MIB);
}

static void slots(void)
{
	int domain = make_domain();
	char *ram = map(16 * MIB);

	expect("slot-order", set_memory(domain, 1, 0, MIB, ram), EINVAL);
	expect("slot", set_memory(domain, 0, MIB, 4 * MIB, ram), 0);
	expect("slot-again", set_memory(domain, 0, 32 * MIB, MIB, ram + 8 * MIB), EEXIST);
	expect("slot-same-guest-address", set_memory(domain, 1, 4 * MIB, 4 * MIB, ram + 8 * MIB),
	       EEXIST);
	expect("slot-same-host-address", set_memory(domain, 1, 32 * MIB, 4 * MIB, ram + 3 * MIB),
	       EEXIST);
	expect("slot-unaligned", set_memory(domain, 1, 32 * MIB + 1, MIB, ram + 8 * MIB), EINVAL);
	expect("slot-empty", set_memory(domain, 1, 32 * MIB, 0, ram + 8 * MIB), EINVAL);
	expect("slot-wraps", set_memory(domain, 1, -4096UL, 8192, ram + 8 * MIB), EINVAL);
	expect("slot-in-kernel", set_memory(domain, 1, 32 * MIB, MIB, (void *)-(16 * MIB)), EINVAL);
	expect("slot-next", set_memory(domain, 1, 32 * MIB, MIB, ram + 8 * MIB), 0);
	close(domain);
	munmap(ram, 16 * MIB);
}

/* In a group of 64 MiB: for what is kept of each MiB there is no memory. Nobody is killed. */
static void immense(void)
{
	int domain = make_domain();

	expect("slot-immense", set_memory(domain, 0, 1UL << 45, 1UL << 45, (void *)MIB), ENOMEM);
	close(domain);
}

/* What nobody has used is nothing to keep, or to look through when it goes, page by page. */
static void huge(void)
{
	int domain = make_domain();
	char *ram = mmap(NULL, 1UL << 40, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	expect("slot-huge", set_memory(domain, 0, MIB, 1UL << 40, ram), 0);
	for (int i = 0; i < 8; i++)
		expect("slot-huge-unmapped", munmap(ram + ((uint64_t)i << 37), 1UL << 37), 0);
	close(domain);
}

static void arguments(void)
{
	static const unsigned long of_domain[] = {
		PVHV_SET_MEMORY, PVHV_GET_STATE, PVHV_GET_STATS, PVHV_DEVICE_ADD,
		PVHV_DEVICE_REMOVE, PVHV_DEVICE_LIST,
	};
	struct pvhv_create_domain c = { .reserved = { 1 } };
	int domain = make_domain(), vcpu = ioctl(domain, PVHV_CREATE_VCPU, 0);
	bool good = true;

	expect("padding", ioctl(device, PVHV_CREATE_DOMAIN, &c), EINVAL);
	expect("bad-address", ioctl(device, PVHV_CREATE_DOMAIN, (void *)-1), EFAULT);
	expect("no-such-call", ioctl(device, _IO(PVHV_IOC, 0x7f), 0), ENOTTY);
	expect("no-such-domain-call", ioctl(domain, PVHV_RUN, 0), ENOTTY);
	expect("no-such-vcpu-call", ioctl(vcpu, PVHV_SET_MEMORY, 0), ENOTTY);
	expect("no-such-control", ioctl(domain, PVHV_CONTROL, 99), EINVAL);
	expect("no-vcpus", ioctl(domain, PVHV_SET_VCPUS, 0), EINVAL);
	expect("too-many-vcpus", ioctl(domain, PVHV_SET_VCPUS, 2), EINVAL);
	expect("immensely-many-vcpus", ioctl(domain, PVHV_SET_VCPUS, 1UL + (1UL << 32)), EINVAL);
	expect("all-vcpus", ioctl(domain, PVHV_SET_VCPUS, 1), 0);
	for (unsigned int i = 0; i < sizeof(of_domain) / sizeof(*of_domain); i++)
		if (!ioctl(domain, of_domain[i], (void *)-1) || errno != EFAULT)
			good = false;
	for (unsigned long nr = PVHV_GET_REGS; nr; nr = nr == PVHV_GET_REGS ? PVHV_SET_REGS : 0)
		if (!ioctl(vcpu, nr, (void *)-1) || errno != EFAULT)
			good = false;
	result("bad-addresses", good ? NULL : "not all give EFAULT");
	close(vcpu);
	close(domain);
}

static long hide(int domain, uint32_t leaf, uint32_t reg, uint32_t mask, uint64_t reserved)
{
	struct pvhv_mask_cpuid m = {
		.leaf = leaf, .reg = reg, .mask = mask, .reserved = { 0, reserved },
	};

	return ioctl(domain, PVHV_MASK_CPUID, &m);
}

static void features(void)
{
	int domain = make_domain(), vcpu, status;
	pid_t pid;

	expect("hide", hide(domain, 1, 2, 1U << 28 | 1U << 30, 0), 0);
	expect("hide-again", hide(domain, 1, 2, 1U << 28, 0), 0);
	expect("hide-nothing", hide(domain, 1, 2, 0, 0), 0);
	expect("hide-what-is-needed", hide(domain, 1, 3, 1U << 26, 0), EINVAL);
	expect("hide-all", hide(domain, 1, 2, ~0U, 0), EINVAL);
	expect("hide-in-no-word", hide(domain, 2, 0, 1, 0), EINVAL);
	expect("hide-in-no-register", hide(domain, 1, 4, 1, 0), EINVAL);
	expect("hide-padding", hide(domain, 1, 2, 1, 1), EINVAL);
	expect("hide-bad-address", ioctl(domain, PVHV_MASK_CPUID, (void *)-1), EFAULT);
	pid = fork();
	if (!pid)
		_exit(hide(domain, 1, 2, 1, 0) < 0 && errno == EPERM ? 0 : 1);
	waitpid(pid, &status, 0);
	result("hide-in-another-process", status ? "it is let" : NULL);
	vcpu = ioctl(domain, PVHV_CREATE_VCPU, 3);
	expect("hide-too-late", hide(domain, 1, 2, 1, 0), EBUSY);
	close(vcpu);
	/* It still belongs to the domain. */
	expect("hide-much-too-late", hide(domain, 1, 2, 1, 0), EBUSY);
	close(domain);
}

/* A file of 4 MiB that is on no disk */
static int memory_file(unsigned int flags, const char *name)
{
	int fd = memfd_create(name, flags);

	if (fd < 0 || ftruncate(fd, 4 * MIB))
		result(name, "%s", strerror(errno));
	return fd;
}

static long add_disk(int domain, int fd, uint32_t flags)
{
	struct pvhv_device_add add = { .class = PVHV_CLASS_BLOCK, .fd = fd, .flags = flags };

	return ioctl(domain, PVHV_DEVICE_ADD, &add);
}

/* Backing files that the kernel could open, but not use, or not so */
static void disks(void)
{
	int domain = make_domain(), pipes[2];
	int file = memory_file(0, "disk-file"), huge = memory_file(MFD_HUGETLB, "disk-huge");
	void *ram = map(MIB);

	expect("disk-memory", set_memory(domain, 0, 0, MIB, ram), 0);
	expect("disk-none", add_disk(domain, -1, 0), EBADF);
	expect("disk-directory", add_disk(domain, open("/", O_RDONLY), PVHV_DEVICE_READONLY),
	       ENOTBLK);
	expect("disk-character", add_disk(domain, open("/dev/null", O_RDWR), 0), ENOTBLK);
	if (!pipe(pipes))
		expect("disk-pipe", add_disk(domain, pipes[0], PVHV_DEVICE_READONLY), ENOTBLK);
	expect("disk-write-only", add_disk(domain, open("/tmp/owner", O_CREAT | O_WRONLY, 0600),
					   PVHV_DEVICE_READONLY), EBADF);
	expect("disk-read-only", add_disk(domain, open("/tmp/owner", O_RDONLY), 0), EBADF);
	/* hugetlbfs knows no write(2) */
	expect("disk-huge-pages", add_disk(domain, huge, 0), EOPNOTSUPP);
	expect("disk-huge-pages-read-only", add_disk(domain, huge, PVHV_DEVICE_READONLY), 0);
	expect("disk-plain", add_disk(domain, file, 0), 0);
	fcntl(file, F_SETFL, O_APPEND);
	expect("disk-append", add_disk(domain, file, 0), EPERM);
	expect("disk-append-read-only", add_disk(domain, file, PVHV_DEVICE_READONLY), 0);
	close(domain);
	munmap(ram, MIB);
}

static atomic_bool stop;
static char *race_ram;

static void *invalidate(void *unused)
{
	while (!stop) {
		for (size_t i = 0; i < RACE_SIZE; i += 4096 * 16)
			race_ram[i] = 1;
		madvise(race_ram, RACE_SIZE, MADV_DONTNEED);
	}
	return unused;
}

/* The host takes pages away while they become guest RAM; the host's log has what goes wrong */
static void memory_race(void)
{
	time_t end = time(NULL) + RACE_SECONDS;
	unsigned int times = 0;
	pthread_t thread;

	race_ram = map(RACE_SIZE);
	pthread_create(&thread, NULL, invalidate, NULL);
	while (time(NULL) < end) {
		int domain = make_domain();

		for (int i = 0; i < 4; i++)
			if (set_memory(domain, i, i * 64 * MIB, 64 * MIB, race_ram + i * 64 * MIB)) {
				result("memory-race", "%s", strerror(errno));
				exit(1);
			}
		close(domain);
		times++;
	}
	stop = true;
	pthread_join(thread, NULL);
	printf("# memory-race: %u domains\n", times);
	result("memory-race", times > 10 ? NULL : "only %u domains", times);
}

/*
 * A guest of a few instructions, in kernel mode. RBX: a counter, RBP: where it believes its vCPU
 * page to be, R12: gpa of its registration, R13: register again in each turn?, R14: gpa of the
 * start of vCPU 1, or 0. Interrupts come by the timer: the module writes frames and reads them.
 */
asm(".pushsection .rodata\n"
	"guest_code:\n"
	"	call	1f\n"
	"	test	%r14, %r14\n"
	"	jz	turn\n"
	"	mov	$" STR(PVHV_HC_VCPU_UP) ", %eax\n"
	"	mov	$1, %edi\n"
	"	mov	%r14, %rsi\n"
	"	syscall\n"
	"	mov	%rbx, %rdi\n"
	"guest_spin:\n"
	"	incq	(%rdi)\n"
	"	jmp	guest_spin\n"
	"turn:\n"
	"	mov	$" STR(PVHV_HC_CPUID) ", %eax\n"
	"	xor	%edi, %edi\n"
	"	xor	%esi, %esi\n"
	"	syscall\n"
	"	movl	$1, " STR(PVHV_VP_NR_HINTS) "(%rbp)\n"	/* of whatever */
	"	mov	$" STR(PVHV_HC_SYNC_HINTS) ", %eax\n"
	"	syscall\n"
	"	cli\n"
	"	mov	$" STR(PVHV_HC_SET_TIMER) ", %eax\n"
	"	mov	$1, %edi\n"		/* is past */
	"	syscall\n"
	"	mov	$" STR(PVHV_HC_HALT) ", %eax\n"
	"	syscall\n"
	"	incq	(%rbx)\n"
	"	test	%r13, %r13\n"
	"	jz	turn\n"
	"	call	1f\n"
	"	jmp	turn\n"
	"1:	mov	$" STR(PVHV_HC_VCPU_SETUP) ", %eax\n"
	"	mov	%r12, %rdi\n"
	"	syscall\n"
	"	ret\n"
	"guest_event:\n"
	"	movb	$0, " STR(PVHV_VP_IN_DELIVERY) "(%rbp)\n"
	"	syscall\n"
	"guest_return:\n"
	"guest_end:\n"
	".popsection\n");
extern const char guest_code[], guest_spin[], guest_event[], guest_return[], guest_end[];

/* Its pages, by number: gpa, and address above GUEST_BASE */
enum { ROOT = 1, PUD, PMD, PTE, CODE, SETUP, VCPU_PAGE, COUNTERS, OTHER, STACK, GUEST_PAGES };

#define PAGE		4096UL
#define GUEST_BASE	0xffffffff80000000UL
#define ADDRESS(page)	(GUEST_BASE + (page) * PAGE)

struct runner {
	int vcpu;
	pid_t tid;
	pthread_t thread;
};

struct guest {
	int domain;
	char *ram;
	struct runner runner[2];
};

static void *page_of(const struct guest *g, int page)
{
	return g->ram + page * PAGE;
}

static uint64_t address_of(const char *symbol)
{
	return ADDRESS(CODE) + (symbol - guest_code);
}

static uint64_t counter(const struct guest *g, int i)
{
	return ((volatile uint64_t *)page_of(g, COUNTERS))[i];
}

static void *run_vcpu(void *arg)
{
	struct pvhv_run run = { 0 };
	struct runner *r = arg;

	r->tid = syscall(SYS_gettid);
	while (ioctl(r->vcpu, PVHV_RUN, &run) < 0 && errno == EINTR)
		;
	return NULL;
}

static void start_guest(struct guest *g, bool touches, bool registers, bool two)
{
	struct pvhv_vcpu_setup setup = {
		.page_gpa = VCPU_PAGE * PAGE, .entry_syscall = address_of(guest_event),
		.entry_event_user = address_of(guest_event),
		.entry_event_kernel = address_of(guest_event),
		.entry_double_fault = address_of(guest_event), .df_stack = ADDRESS(GUEST_PAGES),
		/* only one of them is used */
		.ret_user_sysret = GUEST_BASE, .ret_user_iret = GUEST_BASE,
		.ret_kernel = address_of(guest_return),
	};
	struct pvhv_vcpu_start up = {
		.rip = address_of(guest_spin), .arg = ADDRESS(COUNTERS) + 8, .cr3 = ROOT * PAGE,
	};
	struct pvhv_vcpu_regs regs = {
		.cs = 0x33, .ss = 0x2b, .rip = ADDRESS(CODE), .rsp = ADDRESS(GUEST_PAGES),
		.cr3 = ROOT * PAGE, .rbx = ADDRESS(COUNTERS),
		.rbp = ADDRESS(touches ? VCPU_PAGE : OTHER), .r12 = SETUP * PAGE,
		.r13 = registers, .r14 = two ? SETUP * PAGE + 512 : 0,
	};

	g->ram = map(MIB);
	g->domain = make_domain();
	for (int i = 0; i < 2; i++)
		g->runner[i].vcpu = ioctl(g->domain, PVHV_CREATE_VCPU, i);
	((uint64_t *)page_of(g, ROOT))[511] = PUD * PAGE | 0x63;
	((uint64_t *)page_of(g, PUD))[510] = PMD * PAGE | 0x63;
	((uint64_t *)page_of(g, PMD))[0] = PTE * PAGE | 0x63;
	for (int i = 0; i < GUEST_PAGES; i++)
		((uint64_t *)page_of(g, PTE))[i] = i * PAGE | 0x63;
	memcpy(page_of(g, CODE), guest_code, guest_end - guest_code);
	memcpy(page_of(g, SETUP), &setup, sizeof(setup));
	memcpy((char *)page_of(g, SETUP) + 512, &up, sizeof(up));
	if (set_memory(g->domain, 0, 0, MIB, g->ram) ||
	    ioctl(g->runner[0].vcpu, PVHV_SET_REGS, &regs)) {
		result("guest", "%s", strerror(errno));
		exit(1);
	}
	for (int i = 0; i < 2; i++)
		pthread_create(&g->runner[i].thread, NULL, run_vcpu, &g->runner[i]);
}

/* For a long time: a loaded machine is no failure */
static bool counts_on(const struct guest *g, int i, uint64_t more)
{
	uint64_t from = counter(g, i);
	time_t end = time(NULL) + 30;

	while (counter(g, i) - from < more && time(NULL) < end)
		usleep(1000);
	return counter(g, i) - from >= more;
}

static struct pvhv_state state_of(int domain)
{
	struct pvhv_state state = { 0 };

	ioctl(domain, PVHV_GET_STATE, &state);
	return state;
}

/* vCPU 1 waits to be started, and has to end as well. */
static struct pvhv_state end_guest(struct guest *g)
{
	struct pvhv_state state;

	ioctl(g->domain, PVHV_CONTROL, PVHV_CONTROL_KILL);
	for (int i = 0; i < 2; i++) {
		pthread_join(g->runner[i].thread, NULL);
		close(g->runner[i].vcpu);
	}
	state = state_of(g->domain);
	close(g->domain);
	munmap(g->ram, MIB);
	return state;
}

/* The page of a vCPU is dropped again and again: it has another one, which it may register. */
static void vcpu_page_dropped(bool registers)
{
	const char *name = registers ? "page-dropped-registered" : "page-dropped";
	const volatile struct pvhv_vcpu_page *page;
	struct pvhv_state state;
	const char *why = NULL;
	struct guest g;
	int i;

	start_guest(&g, true, registers, false);
	page = page_of(&g, VCPU_PAGE);
	for (i = 0; i < 2000; i++) {
		if (madvise(page_of(&g, VCPU_PAGE), PAGE, MADV_DONTNEED))
			break;
		if (i % 16 == 0 && !counts_on(&g, 0, 1))
			break;
	}
	state = state_of(g.domain);
	if (i < 2000 || state.state != PVHV_STATE_RUNNING || !counts_on(&g, 0, 100)) {
		end_guest(&g);
		return result(name, "it does not go on after %d times: state %u, %s", i,
			      state.state, state.message);
	}
	/* The module takes hints from its own page, and so leaves those in the guest's new one. */
	if (!registers && page->nr_hints != 1)
		why = "the guest still has the old page";
	state = end_guest(&g);
	if (!why && state.state != PVHV_STATE_KILLED)
		why = "it was not killed";
	result(name, why ? "%s: state %u, %s" : NULL, why, state.state, state.message);
}

/*
 * It is gone for good: the module still has what it was told of, which the guest cannot see any
 * more. A guest that wants to ends, as without any other page.
 */
static void vcpu_page_unmapped(bool touches)
{
	const char *name = touches ? "page-unmapped-touched" : "page-unmapped";
	struct pvhv_state state = { 0 };
	const char *why = NULL;
	struct guest g;
	int i;

	for (i = 0; !why && i < 20; i++) {
		time_t end = time(NULL) + 30;

		start_guest(&g, touches, i % 2, false);
		if (!counts_on(&g, 0, 1 + i))
			why = "it does not start";
		munmap(page_of(&g, VCPU_PAGE), PAGE);
		if (touches) {
			while (state_of(g.domain).state == PVHV_STATE_RUNNING && time(NULL) < end)
				usleep(1000);
			state = end_guest(&g);
			if (!why && (state.state != PVHV_STATE_CRASHED ||
				     state.crash != PVHV_CRASH_MEMORY))
				why = "it has not crashed";
		} else {
			if (!why && !counts_on(&g, 0, 50))
				why = "it does not go on";
			state = end_guest(&g);
			if (!why && state.state != PVHV_STATE_KILLED)
				why = "it was not killed";
		}
	}
	result(name, why ? "%s, round %d from 1: state %u, crash %u, %s" : NULL, why, i, state.state,
	       state.crash, state.message);
}

/*
 * SIGKILL of the thread of a vCPU that does not leave the guest: its process ends, and the domain
 * with it, though somebody else has a descriptor.
 */
static void killed_thread(int which)
{
	static const char * const names[] = { "kill-vcpu-0", "kill-vcpu-1", "kill-main-thread" };
	int pipes[2], status = 0, pidfd, domain = -1;
	struct pvhv_state state = { 0 };
	const char *why = NULL;
	struct guest g;
	pid_t pid;

	if (pipe(pipes))
		return result(names[which], "pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0) {
		perror("fork");
		exit(1);
	}
	if (!pid) {
		start_guest(&g, true, false, true);
		if (counts_on(&g, 0, 1000) && counts_on(&g, 1, 1000) &&
		    write(pipes[1], &g, sizeof(g)) == sizeof(g))
			pause();
		_exit(1);
	}
	close(pipes[1]);
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (read(pipes[0], &g, sizeof(g)) != sizeof(g)) {
		why = "its guest does not run";
	} else {
		domain = syscall(SYS_pidfd_getfd, pidfd, g.domain, 0);
		state = state_of(domain);
		if (state.state != PVHV_STATE_RUNNING || state.vcpus_up != 3)
			why = "it does not run before";
		else if (syscall(SYS_tgkill, pid, which < 2 ? g.runner[which].tid : pid, SIGKILL))
			why = "tgkill fails";
	}
	if (why)
		kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (!why) {
		state = state_of(domain);
		if (!WIFSIGNALED(status) || state.state != PVHV_STATE_KILLED ||
		    strcmp(state.message, "its process has ended"))
			why = "it ends otherwise";
	}
	result(names[which], why ? "%s: status %#x, state %u, %s" : NULL, why, status,
	       state.state, state.message);
	close(domain);
	close(pidfd);
	close(pipes[0]);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	device = open("/dev/pvhv", O_RDWR);
	if (device < 0) {
		perror("/dev/pvhv");
		return 1;
	}
	if (argc > 1 && !strcmp(argv[1], "immense")) {
		immense();
		return !!failures;
	}
	fresh_vcpu();
	empty_guest();
	slots();
	huge();
	arguments();
	features();
	disks();
	memory_race();
	vcpu_page_dropped(false);
	vcpu_page_dropped(true);
	vcpu_page_unmapped(false);
	vcpu_page_unmapped(true);
	for (int i = 0; i < 3; i++)
		killed_thread(i);
	return !!failures;
}
