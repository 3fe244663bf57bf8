// SPDX-License-Identifier: GPL-2.0
/*
 * memory: what mmap() and its relatives promise, and that every fault is told
 * with its address and reason.
 */
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define RW	(PROT_READ | PROT_WRITE)

static u8 *anon(size_t size, int prot)
{
	return must_map(mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "mmap");
}

static u8 *shared(size_t size)
{
	return must_map(mmap(NULL, size, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), "mmap");
}

/* Each word of a page tells which page and of what kind it is. */
static void fill(u8 *p, size_t size, u32 kind)
{
	u32 *w = (u32 *)p;
	size_t i;

	for (i = 0; i < size / 4; i++)
		w[i] = kind ^ (u32)(i * 2654435761u);
}

static void verify(const u8 *p, size_t size, u32 kind, const char *what)
{
	const u32 *w = (const u32 *)p;
	size_t i;

	for (i = 0; i < size / 4; i++)
		check(w[i] == (kind ^ (u32)(i * 2654435761u)), "%s: word %#zx is %#x, not %#x",
		      what, i * 4, w[i], kind ^ (u32)(i * 2654435761u));
}

static void verify_zero(const u8 *p, size_t size, const char *what)
{
	size_t i;

	for (i = 0; i < size; i++)
		check(!p[i], "%s: byte %#zx is %#x, not 0", what, i, p[i]);
}

static void check_fault(const struct fault *f, const volatile void *addr, int code,
			unsigned long err, const char *what)
{
	check(f->sig == SIGSEGV && f->addr == (uintptr_t)addr && f->code == code,
	      "%s at %p: signal %d code %d at %#lx", what, addr, f->sig, f->code,
	      (unsigned long)f->addr);
	/* an instruction fetch is told only where there is NX, which is here */
	check((f->err & (PF_PROT | PF_WRITE | PF_USER | PF_INSTR)) == err && f->trapno == 14,
	      "%s at %p: error code %#lx, not %#lx, trap %lu", what, addr, f->err, err,
	      f->trapno);
}

static void protection(void)
{
	u8 *p = anon(4 * PAGE, RW);
	struct fault f;

	p[PAGE + 5] = 7;
	check(read_faults(NULL, &f), "no fault at the null pointer");
	check_fault(&f, NULL, SEGV_MAPERR, PF_USER, "null pointer");

	must(mprotect(p + PAGE, PAGE, PROT_READ), "mprotect");
	check(write_faults(p + PAGE + 5, &f), "a read-only page was written");
	check_fault(&f, p + PAGE + 5, SEGV_ACCERR, PF_PROT | PF_WRITE | PF_USER, "write");
	check(p[PAGE + 5] == 7, "the write went through all the same");

	/* a page that was never touched */
	must(mprotect(p + 2 * PAGE, PAGE, PROT_READ), "mprotect");
	check(write_faults(p + 2 * PAGE + 9, &f), "a read-only page was written");
	check_fault(&f, p + 2 * PAGE + 9, SEGV_ACCERR, PF_WRITE | PF_USER, "first write");
	check(!p[2 * PAGE + 9], "contents of a new page");

	must(mprotect(p + PAGE, PAGE, PROT_NONE), "mprotect");
	check(read_faults(p + PAGE + 4095, &f), "a PROT_NONE page was read");
	check(f.sig == SIGSEGV && f.code == SEGV_ACCERR && f.addr == (uintptr_t)p + PAGE + 4095,
	      "PROT_NONE: signal %d code %d at %#lx", f.sig, f.code, (unsigned long)f.addr);

	must(mprotect(p + PAGE, PAGE, RW), "mprotect");
	check(p[PAGE + 5] == 7, "contents after PROT_NONE");
	p[PAGE + 5] = 8;

	must(munmap(p + PAGE, PAGE), "munmap");
	check(read_faults(p + PAGE + 5, &f), "an unmapped page was read");
	check_fault(&f, p + PAGE + 5, SEGV_MAPERR, PF_USER, "read of a hole");
	check(write_faults(p + PAGE + 5, &f), "an unmapped page was written");
	check_fault(&f, p + PAGE + 5, SEGV_MAPERR, PF_WRITE | PF_USER, "write to a hole");
	must_map(mmap(p + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		 "mmap");
	verify_zero(p + PAGE, PAGE, "a new page at an old address");
}

static void execution(void)
{
	/* mov $imm, %eax; ret */
	static const u8 code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
	u8 *p = anon(2 * PAGE, RW);
	int (*fn)(void) = (int (*)(void))(p + 16);
	struct fault f;

	check(exec_faults(p + PAGE, &f), "a page without PROT_EXEC was executed");
	/* Linux makes it present first and looks at VM_EXEC only then */
	check_fault(&f, p + PAGE, SEGV_ACCERR, PF_PROT | PF_USER | PF_INSTR, "first fetch");
	memcpy(p + 16, code, sizeof(code));
	check(exec_faults(p + 16, &f), "a page without PROT_EXEC was executed");
	check_fault(&f, p + 16, SEGV_ACCERR, PF_PROT | PF_USER | PF_INSTR, "fetch");
	check(f.ip == (uintptr_t)p + 16, "the fetch faults at ip %#lx", (unsigned long)f.ip);
	must(mprotect(p, PAGE, PROT_READ | PROT_EXEC), "mprotect");
	check(fn() == 42, "code");
	must(mprotect(p, PAGE, RW), "mprotect");
	p[17] = 43;
	check(exec_faults(p + 16, &f), "executed after PROT_EXEC was taken away");
	must(mprotect(p, PAGE, PROT_READ | PROT_EXEC), "mprotect");
	check(fn() == 43, "code that was changed");
	must(mprotect(p, PAGE, RW | PROT_EXEC), "mprotect");
	for (int i = 0; i < 100; i++) {
		p[17] = i;
		check(fn() == i, "code that changes itself");
	}
}

/* The halves are kept apart although both run in ring 3. */
static void kernel_half(void)
{
#ifdef __x86_64__
	static const struct {
		uintptr_t addr;
		const char *what;
	} places[] = {
		{ 0xffffffff81000000, "kernel text" },
		{ 0xffffffff82000000, "kernel data" },
		{ 0xffff888000000000, "direct map" },
		{ 0xffff888001000000, "direct map" },
		{ 0xffff800000000000, "hypervisor" },
		{ 0xffff800000010000, "hypervisor" },
		{ 0xffff808000000000, "hypervisor" },
		{ 0xffff818000000000, "hypervisor" },
		{ 0xffff820000000000, "hypervisor" },
		{ 0xffffc90000000000, "vmalloc" },
		{ 0xffffea0000000000, "page structs" },
		{ 0xfffffe0000000000, "CPU entry area" },
		{ 0xffffffffa0000000, "modules" },
		{ 0xffffffffff5ff000, "fixmap" },
		{ 0xfffffffffffff000, "last page" },
	};
	u8 buf[16];
	struct fault f;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		volatile void *p = (void *)places[i].addr;

		check(read_faults(p, &f) && f.sig == SIGSEGV, "%s %p: read", places[i].what, p);
		check(f.addr == places[i].addr, "%s %p: si_addr %#lx", places[i].what, p,
		      (unsigned long)f.addr);
		check(write_faults(p, &f) && f.sig == SIGSEGV, "%s %p: write", places[i].what, p);
		check(exec_faults((void *)p, &f) && f.sig == SIGSEGV, "%s %p: fetch",
		      places[i].what, p);
		/* as an argument of a system call */
		fd = must(open("/dev/zero", O_RDONLY), "/dev/zero");
		check(read(fd, (void *)p, 8) == -1 && errno == EFAULT, "%s %p: read()",
		      places[i].what, p);
		close(fd);
	}
	/* not canonical: a general protection fault without an address */
	check(read_faults((void *)0x800000000000, &f) && f.sig == SIGSEGV && f.trapno == 13 &&
	      !f.addr, "non-canonical address: signal %d trap %lu at %#lx", f.sig, f.trapno,
	      (unsigned long)f.addr);
	check(read_faults((void *)0xdead000000000000, &f) && f.sig == SIGSEGV && f.trapno == 13,
	      "non-canonical address: signal %d trap %lu", f.sig, f.trapno);
	/* the last byte of the user half, and beyond it by one access */
	check(read_faults((void *)0x7ffffffff000, &f) && f.sig == SIGSEGV, "end of the user half");
	(void)buf;
#else
	struct fault f;

	check(read_faults((void *)0xfffff000, &f) && f.sig == SIGSEGV && f.addr == 0xfffff000,
	      "last page: signal %d at %#lx", f.sig, (unsigned long)f.addr);
#endif
}

static void mremap_moves(void)
{
	const size_t n = 64;
	u8 *p = anon(n * PAGE, RW), *q, *place;
	struct fault f;

	fill(p, n * PAGE, 1);
	place = anon(8 * n * PAGE, PROT_NONE);
	must(munmap(place, 8 * n * PAGE), "munmap");
	q = must_map(mremap(p, n * PAGE, 4 * n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place),
		     "mremap");
	check(q == place, "mremap to a fixed place");
	verify(q, n * PAGE, 1, "moved");
	verify_zero(q + n * PAGE, n * PAGE, "grown");
	for (size_t i = 0; i < n; i += 7)
		check(read_faults(p + i * PAGE, &f), "the old place is still there");
	q = must_map(mremap(q, 4 * n * PAGE, n / 2 * PAGE, 0), "mremap");
	verify(q, n / 2 * PAGE, 1, "shrunk");
	check(read_faults(q + n / 2 * PAGE, &f), "what was cut off is still there");
#ifdef MREMAP_DONTUNMAP
	p = mremap(q, n / 2 * PAGE, n / 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	must_map(p, "mremap");
	verify(p, n / 2 * PAGE, 1, "moved without unmapping");
	verify_zero(q, n / 2 * PAGE, "left behind");
#endif
	/* whole page tables change their place */
	p = must_map(mmap(NULL, 12 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "mmap");
	fill(p, 12 * MIB, 2);
	q = must_map(mmap(NULL, 32 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "mmap");
	/* as far from a 2 MiB border as the old place */
	place = (u8 *)((uintptr_t)q & -(2 * MIB)) + 2 * MIB + ((uintptr_t)p & (2 * MIB - 1));
	q = must_map(mremap(p, 12 * MIB, 12 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED, place),
		     "mremap");
	verify(q, 12 * MIB, 2, "12 MiB moved");
	check(read_faults(p + 6 * MIB, &f), "12 MiB are still at the old place");
}

static void copy_on_write(void)
{
	const size_t size = 2 * MIB;
	u8 *p = anon(size, RW);
	pid_t pid;

	fill(p, size, 3);
	for (int round = 0; round < 8; round++) {
		pid = must(fork(), "fork");
		if (!pid) {
			pid_t grandchild = must(fork(), "fork");

			if (!grandchild) {
				verify(p, size, 3, "grandchild");
				fill(p, size, 5);
				verify(p, size, 5, "grandchild's own");
				_exit(0);
			}
			verify(p, size / 2, 3, "child");
			fill(p, size / 2, 4);
			must_exit(grandchild, 0, "grandchild");
			verify(p, size / 2, 4, "child's own");
			_exit(0);
		}
		/* the parent writes meanwhile, which is nobody's business */
		fill(p, size, 6);
		must_exit(pid, 0, "child");
		verify(p, size, 6, "parent");
		fill(p, size, 3);
	}
}

static void private_files(void)
{
	const size_t size = 16 * PAGE;
	int fd = must(memfd_create("x", 0), "memfd_create");
	u8 *a, *b, *c;

	must(ftruncate(fd, size), "ftruncate");
	a = must_map(mmap(NULL, size, RW, MAP_SHARED, fd, 0), "mmap");
	b = must_map(mmap(NULL, size, RW, MAP_SHARED, fd, 0), "mmap");
	c = must_map(mmap(NULL, size, RW, MAP_PRIVATE, fd, 0), "mmap");
	fill(a, size, 7);
	verify(b, size, 7, "the same page elsewhere");
	verify(c, size, 7, "a private mapping before it is written");
	c[0] ^= 1;
	check(c[0] == (a[0] ^ 1) && a[0] == b[0], "a private write");
	for (size_t i = 0; i < size; i += 64) {
		a[i] = i / 64;
		check(b[i] == (u8)(i / 64), "alias, byte %zu", i);
		b[i] = ~a[i];
		check(a[i] == (u8)~(i / 64), "alias, byte %zu", i);
	}
	/* a hole punched in the file is gone from all mappings */
	must(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * PAGE, 2 * PAGE),
	     "fallocate");
	verify_zero(a + 2 * PAGE, 2 * PAGE, "punched hole");
	verify_zero(b + 2 * PAGE, 2 * PAGE, "punched hole");
	/* beyond the end of the file */
	must(ftruncate(fd, 4 * PAGE), "ftruncate");
	{
		struct fault f;

		check(read_faults(a + 5 * PAGE, &f) && f.sig == SIGBUS &&
		      f.addr == (uintptr_t)a + 5 * PAGE, "beyond the file: signal %d at %#lx",
		      f.sig, (unsigned long)f.addr);
	}
}

static void shared_by_processes(void)
{
	volatile u32 *p = (void *)shared(64 * PAGE);
	pid_t pid = must(fork(), "fork");
	u32 i;

	/* in turn, each adds one where the other did */
	for (i = 0; i < 2000; i++) {
		volatile u32 *w = p + i % 64 * (PAGE / 4);

		if (pid) {
			*w += 1;
			p[1] = i + 1;
			while (p[2] != i + 1)
				sched_yield();
		} else {
			while (p[1] != i + 1)
				sched_yield();
			*w += 1;
			p[2] = i + 1;
		}
	}
	if (!pid)
		_exit(0);
	must_exit(pid, 0, "child");
	for (i = 0; i < 64; i++)
		check(p[i * (PAGE / 4)] == 2 * (2000 / 64 + (i < 2000 % 64)), "page %u: %u", i,
		      p[i * (PAGE / 4)]);
}

static volatile uintptr_t deepest;

static int recurse(int depth)
{
	volatile u8 here[PAGE];

	here[0] = depth;
	deepest = (uintptr_t)here;
	if (depth > 0 && recurse(depth - 1) != depth - 1)
		return -1;
	return here[0] == (u8)depth ? depth : -1;
}

static void overflow(void *unused)
{
	(void)unused;
	recurse(1 << 30);
}

static void stack_growth(void)
{
	struct rlimit rl = { .rlim_cur = 8 * MIB, .rlim_max = RLIM_INFINITY };
	u8 top;
	struct fault f;

	setrlimit(RLIMIT_STACK, &rl);
	check(recurse(1000) == 1000, "4 MiB of stack");
	check(faults(overflow, NULL, &f) && f.sig == SIGSEGV, "no end of the stack");
	check((uintptr_t)&top - deepest > 7 * MIB, "the stack ends after %ld KiB",
	      (long)((uintptr_t)&top - deepest) / 1024);
	check(recurse(1000) == 1000, "the stack after its overflow");
}

static void brk_heap(void)
{
	u8 *start = sbrk(0), *p;
	struct fault f;

	for (int round = 0; round < 5; round++) {
		p = sbrk(3 * MIB);
		check(p == start, "sbrk moved");
		verify_zero(p, 3 * MIB, "new heap");
		fill(p, 3 * MIB, 8);
		verify(p, 3 * MIB, 8, "heap");
		sbrk(-(intptr_t)(2 * MIB));
		verify(p, MIB - PAGE, 8, "what is left of the heap");
		check(read_faults(p + MIB + 2 * PAGE, &f), "heap given back is still there");
		sbrk(-(intptr_t)MIB);
	}
}

static void dontneed(void)
{
	const size_t n = 512;
	u8 *p = anon(n * PAGE, RW);

	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < n; i++)
			p[i * PAGE + round] = 1;
		for (size_t i = 0; i < n; i += 3)
			must(madvise(p + i * PAGE, PAGE, MADV_DONTNEED), "madvise");
		for (size_t i = 0; i < n; i++)
			check(p[i * PAGE + round] == (i % 3 != 0), "page %zu, round %d", i, round);
	}
	must(madvise(p, n * PAGE, MADV_DONTNEED), "madvise");
	verify_zero(p, n * PAGE, "dropped");
}

/* AnonHugePages of the mapping at @p, in KiB */
static long huge_kib(const void *p)
{
	char line[256];
	unsigned long start, end;
	bool inside = false;
	long kib = 0;
	FILE *f = fopen("/proc/self/smaps", "r");

	check(f, "smaps");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= (uintptr_t)p && (uintptr_t)p < end;
		else if (inside)
			sscanf(line, "AnonHugePages: %ld", &kib);
	}
	fclose(f);
	return kib;
}

static void transparent_huge_pages(void)
{
	const size_t size = 8 * MIB;
	u8 *raw = anon(size + 2 * MIB, RW);
	u8 *p = (u8 *)(((uintptr_t)raw + 2 * MIB - 1) & -(2 * MIB));
	struct fault f;
	pid_t pid;

	if (madvise(p, size, MADV_HUGEPAGE))
		skip("no transparent huge pages");
	fill(p, size, 9);
	check(huge_kib(p) > 0, "no huge page was used");
	verify(p, size, 9, "huge pages");
	/* a page in the middle of one changes: it is split */
	must(mprotect(p + 2 * MIB + 5 * PAGE, PAGE, PROT_READ), "mprotect");
	check(write_faults(p + 2 * MIB + 5 * PAGE, &f), "read-only page of a huge page");
	p[2 * MIB + 4 * PAGE]++;
	p[2 * MIB + 4 * PAGE]--;
	must(munmap(p + 4 * MIB + 9 * PAGE, PAGE), "munmap");
	check(read_faults(p + 4 * MIB + 9 * PAGE, &f), "hole in a huge page");
	verify(p, 4 * MIB + 9 * PAGE, 9, "huge pages after a split");
	pid = must(fork(), "fork");
	if (!pid) {
		fill(p, 2 * MIB, 10);
		verify(p, 2 * MIB, 10, "child's huge page");
		_exit(0);
	}
	must_exit(pid, 0, "child");
	verify(p, 4 * MIB, 9, "parent's huge pages");
	must(madvise(p, 2 * MIB, MADV_DONTNEED), "madvise");
	verify_zero(p, 2 * MIB, "dropped huge page");
	/* small pages become a huge one under way */
	must(madvise(p, 2 * MIB, MADV_NOHUGEPAGE), "madvise");
	fill(p, 2 * MIB, 11);
	must(madvise(p, 2 * MIB, MADV_HUGEPAGE), "madvise");
	if (madvise(p, 2 * MIB, MADV_COLLAPSE))
		note("no MADV_COLLAPSE: %s", strerror(errno));
	verify(p, 2 * MIB, 11, "collapsed");
	fill(p, 2 * MIB, 12);
	verify(p, 2 * MIB, 12, "collapsed and written");
}

static void hugetlb(void)
{
	FILE *f = fopen("/proc/sys/vm/nr_hugepages", "w");
	u8 *p;
	pid_t pid;

	if (!f)
		skip("no hugetlbfs");
	fprintf(f, "4\n");
	fclose(f);
	p = mmap(NULL, 6 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (p == MAP_FAILED)
		skip("no memory for huge pages");
	verify_zero(p, 4 * MIB, "new");
	fill(p, 4 * MIB, 13);
	pid = must(fork(), "fork");
	if (!pid) {
		verify(p, 4 * MIB, 13, "child");
		_exit(0);
	}
	must_exit(pid, 0, "child");
	fill(p, 4 * MIB, 14);
	verify(p, 4 * MIB, 14, "parent");
	must(munmap(p, 6 * MIB), "munmap");
	f = fopen("/proc/sys/vm/nr_hugepages", "w");
	fprintf(f, "0\n");
	fclose(f);
}

/* Few pages far apart: many page tables for little memory */
static void sparse(void)
{
#ifdef __x86_64__
	const size_t space = 1UL << 40, n = 3000;
#else
	const size_t space = 1UL << 30, n = 500;
#endif
	u8 *p = must_map(mmap(NULL, space, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				   -1, 0), "mmap");
	u64 state, *place;

	must(madvise(p, space, MADV_NOHUGEPAGE), "madvise");

	for (int pass = 0; pass < 3; pass++) {
		state = 1;
		for (size_t i = 0; i < n; i++) {
			state = state * 6364136223846793005ULL + 1442695040888963407ULL;
			place = (u64 *)(p + (state >> 16) % (space / PAGE) * PAGE);
			if (pass == 0)
				*place = ~(uintptr_t)place;
			else
				check(*place == ~(uintptr_t)place, "page %zu of pass %d", i, pass);
		}
	}
	must(munmap(p, space), "munmap");
}

static void many_mappings(void)
{
	const size_t n = 6000;
	u8 *p = anon(n * PAGE, RW);
	struct fault f;

	for (size_t i = 0; i < n; i++)
		p[i * PAGE] = i;
	for (size_t i = 0; i < n; i += 2)
		must(mprotect(p + i * PAGE, PAGE, PROT_READ), "mprotect");
	for (size_t i = 0; i < n; i++)
		check(p[i * PAGE] == (u8)i, "page %zu", i);
	for (size_t i = 0; i < n; i += 101)
		check(write_faults(p + i * PAGE, &f) == (i % 2 == 0), "write to page %zu", i);
	must(mprotect(p, n * PAGE, RW), "mprotect");
	for (size_t i = 0; i < n; i++)
		p[i * PAGE] = i + 1;
	for (size_t i = 0; i < n; i++)
		check(p[i * PAGE] == (u8)(i + 1), "page %zu", i);
}

static void *handle_faults(void *arg)
{
	int fd = *(int *)arg;
	u8 page[PAGE] __attribute__((aligned(4096)));
	struct uffdio_copy copy = { .src = (uintptr_t)page, .len = PAGE };
	struct uffd_msg msg;

	while (read(fd, &msg, sizeof(msg)) == sizeof(msg)) {
		if (msg.event != UFFD_EVENT_PAGEFAULT)
			continue;
		copy.dst = msg.arg.pagefault.address & -PAGE;
		memset(page, copy.dst / PAGE, PAGE);
		must(ioctl(fd, UFFDIO_COPY, &copy), "UFFDIO_COPY");
	}
	return NULL;
}

static void user_faults(void)
{
	const size_t n = 200;
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	pthread_t thread;
	u8 *p;

	if (fd < 0)
		skip("no userfaultfd");
	p = anon(n * PAGE, RW);
	must(ioctl(fd, UFFDIO_API, &api), "UFFDIO_API");
	reg.range.start = (uintptr_t)p;
	reg.range.len = n * PAGE;
	must(ioctl(fd, UFFDIO_REGISTER, &reg), "UFFDIO_REGISTER");
	check(!pthread_create(&thread, NULL, handle_faults, &fd), "pthread_create");
	for (size_t i = 0; i < n; i++)
		check(p[i * PAGE + i] == (u8)((uintptr_t)(p + i * PAGE) / PAGE), "page %zu", i);
}

/* A page that is cleaned must become dirty by the next write. */
static void dirty_again(void)
{
	struct loop_info64 info = { .lo_flags = LO_FLAGS_AUTOCLEAR };
	const size_t n = 16;
	char name[32];
	int control, backing, loop, number;
	u8 *p, page[PAGE];

	control = open("/dev/loop-control", O_RDWR);
	if (control < 0)
		skip("no loop devices");
	number = must(ioctl(control, LOOP_CTL_GET_FREE), "LOOP_CTL_GET_FREE");
	snprintf(name, sizeof(name), "/dev/loop%d", number);
	backing = must(open("/tmp/backing", O_RDWR | O_CREAT | O_TRUNC, 0600), "backing");
	must(ftruncate(backing, n * PAGE), "ftruncate");
	loop = must(open(name, O_RDWR), name);
	must(ioctl(loop, LOOP_SET_FD, backing), "LOOP_SET_FD");
	ioctl(loop, LOOP_SET_STATUS64, &info);
	p = must_map(mmap(NULL, n * PAGE, RW, MAP_SHARED, loop, 0), "mmap");
	for (int i = 0; i < 300; i++) {
		size_t at = rnd() % n * PAGE + rnd() % PAGE;

		p[at] = i;
		must(msync((u8 *)((uintptr_t)(p + at) & -PAGE), PAGE, MS_SYNC), "msync");
		must(pread(backing, page, PAGE, at & -PAGE), "pread");
		check(page[at % PAGE] == (u8)i, "write %d did not reach the disk", i);
	}
	munmap(p, n * PAGE);
	close(loop);
	unlink("/tmp/backing");
}

/* Referenced KiB of the mapping at @p */
static long referenced_kib(const void *p)
{
	char line[256];
	unsigned long start, end;
	bool inside = false;
	long kib = -1;
	FILE *f = fopen("/proc/self/smaps", "r");

	check(f, "smaps");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= (uintptr_t)p && (uintptr_t)p < end;
		else if (inside)
			sscanf(line, "Referenced: %ld", &kib);
	}
	fclose(f);
	return kib;
}

static void accessed(void)
{
	const size_t n = 256;
	u8 *p = must_map(mmap(NULL, n * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), "mmap");
	long kib;

	must(madvise(p, n * PAGE, MADV_NOHUGEPAGE), "madvise");
	memset(p, 1, n * PAGE);
	for (int round = 0; round < 3; round++) {
		int fd = must(open("/proc/self/clear_refs", O_WRONLY), "clear_refs");

		must(write(fd, "1", 1), "clear_refs");
		close(fd);
		kib = referenced_kib(p);
		check(kib == 0, "%ld KiB referenced after clearing", kib);
		/*
		 * Linux clears the bits without a flush, so the processor may go
		 * on without setting them again: for long, if it is pvhv.
		 */
		must(mprotect(p, n * PAGE, PROT_NONE), "mprotect");
		must(mprotect(p, n * PAGE, RW), "mprotect");
		for (size_t i = 0; i < n; i += 2)
			(void)((volatile u8 *)p)[i * PAGE];
		kib = referenced_kib(p);
		check(kib == (long)(n / 2 * 4), "%ld KiB referenced, not %zu", kib, n / 2 * 4);
	}
}

static void other_process(void)
{
	u8 *p = anon(4 * PAGE, RW), buf[64];
	struct iovec local = { buf, sizeof(buf) };
	struct iovec remote = { p + PAGE - 32, sizeof(buf) };
	char path[64];
	int fd, ready[2], go[2];
	pid_t pid;

	fill(p, 4 * PAGE, 15);
	must(pipe(ready), "pipe");
	must(pipe(go), "pipe");
	must(mprotect(p + 2 * PAGE, PAGE, PROT_READ), "mprotect");
	pid = must(fork(), "fork");
	if (!pid) {
		fill(p, 2 * PAGE, 16);
		must(write(ready[1], "x", 1), "write");
		must(read(go[0], buf, 1), "read");
		check(p[PAGE] == 0xaa, "what the parent wrote is not seen: %#x", p[PAGE]);
		check(p[2 * PAGE + 8] == 0xbb, "a forced write is not seen: %#x", p[2 * PAGE + 8]);
		_exit(0);
	}
	must(read(ready[0], buf, 1), "read");
	check(process_vm_readv(pid, &local, 1, &remote, 1, 0) == sizeof(buf), "process_vm_readv");
	for (size_t i = 0; i < sizeof(buf) / 4; i++)
		check(((u32 *)buf)[i] ==
		      (16 ^ (u32)(((PAGE - 32) / 4 + i) * 2654435761u)), "word %zu", i);
	memset(buf, 0xaa, sizeof(buf));
	remote.iov_base = p + PAGE;
	check(process_vm_writev(pid, &local, 1, &remote, 1, 0) == sizeof(buf), "process_vm_writev");
	/* as a debugger writes to code: a private copy of a read-only page */
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = must(open(path, O_RDWR), path);
	check(pwrite(fd, "\xbb", 1, (uintptr_t)p + 2 * PAGE + 8) == 1, "write to %s", path);
	must(write(go[1], "x", 1), "write");
	must_exit(pid, 0, "child");
	verify(p, 4 * PAGE, 15, "the parent's own");
}

static void maps_file(void)
{
	char line[512], perms[8];
	unsigned long start, end, last = 0;
	bool stack = false, vdso = false, code = false;
	FILE *f = fopen("/proc/self/maps", "r");
	int n = 0;

	check(f, "maps");
	while (fgets(line, sizeof(line), f)) {
		check(sscanf(line, "%lx-%lx %7s", &start, &end, perms) == 3, "line '%s'", line);
		check(start < end && start >= last, "mapping %lx-%lx after %lx", start, end, last);
		if (strstr(line, "[vsyscall]")) {
			check(!strcmp(perms, "--xp"), "[vsyscall] is %s", perms);
			continue;
		}
		check(end - 1 < (sizeof(long) == 8 ? 0x7ffffffff000 : 0xffffe000), "mapping at %lx",
		      start);
		last = end;
		stack |= strstr(line, "[stack]") && start <= (uintptr_t)&f && (uintptr_t)&f < end &&
			 perms[1] == 'w' && perms[2] == '-';
		vdso |= strstr(line, "[vdso]") && perms[2] == 'x';
		code |= start <= (uintptr_t)maps_file && (uintptr_t)maps_file < end &&
			!strcmp(perms, "r-xp");
		n++;
	}
	fclose(f);
	check(stack && vdso && code && n > 5, "stack %d, vdso %d, code %d in %d mappings", stack,
	      vdso, code, n);
}

const struct test tests[] = {
	{ "protection", protection },
	{ "execution", execution },
	{ "kernel-half", kernel_half },
	{ "mremap", mremap_moves },
	{ "copy-on-write", copy_on_write },
	{ "file-mappings", private_files },
	{ "shared", shared_by_processes },
	{ "stack-growth", stack_growth },
	{ "brk", brk_heap },
	{ "dontneed", dontneed },
	{ "huge-pages", transparent_huge_pages },
	{ "hugetlb", hugetlb },
	{ "sparse", sparse },
	{ "many-mappings", many_mappings },
	{ "userfaultfd", user_faults },
	{ "dirty-again", dirty_again },
	{ "accessed", accessed },
	{ "other-process", other_process },
	{ "maps", maps_file },
	{ NULL }
};
