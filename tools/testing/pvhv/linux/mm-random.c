// SPDX-License-Identifier: GPL-2.0
/*
 * mm-random: random changes of an address space, checked against a model.
 *
 * A window of pages is mapped, unmapped, protected, moved, dropped, forked and
 * written at random, and a table says what each page must hold and allow. After
 * each change some pages are tried, right ones and wrong ones: what hardware
 * may do to a page is what the kernel said last, not what it said before.
 */
#define _GNU_SOURCE
#include "test.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WINDOW	1200	/* pages; more than two page tables */
#define CHANGES	600

static struct page {
	bool mapped, readable, writable, executable;
	u32 value;		/* of all its words that are looked at; 0: new */
} model[WINDOW];

static u8 *window;
static u32 next_value;

/* Where on a page the value is: at its start, and in its second half */
static volatile u32 *place(unsigned int i, unsigned int n)
{
	u8 *p = window + i * PAGE;

	return (volatile u32 *)(n ? p + 3000 : p);
}

static void write_page(unsigned int i)
{
	model[i].value = ++next_value;
	*place(i, 0) = model[i].value;
	*place(i, 1) = model[i].value;
}

static void try_page(unsigned int i, const char *after)
{
	const struct page *m = &model[i];
	struct fault f;
	unsigned int n;
	bool faulted;

	if (m->readable) {
		for (n = 0; n < 2; n++)
			check(*place(i, n) == m->value, "page %u holds %u, not %u, after %s", i,
			      *place(i, n), m->value, after);
	} else {
		faulted = read_faults(place(i, 0), &f);
		check(faulted && f.sig == SIGSEGV && f.addr == (uintptr_t)place(i, 0) &&
		      f.code == (m->mapped ? SEGV_ACCERR : SEGV_MAPERR),
		      "read of %s page %u after %s: signal %d code %d",
		      m->mapped ? "an inaccessible" : "no", i, after, f.sig, f.code);
	}
	if (m->writable) {
		if (rnd() % 2)
			write_page(i);
		return;
	}
	faulted = write_faults((u8 *)place(i, 1), &f);
	check(faulted && f.sig == SIGSEGV && f.code == (m->mapped ? SEGV_ACCERR : SEGV_MAPERR),
	      "write to page %u after %s: signal %d code %d", i, after, f.sig, f.code);
}

static void try_some(unsigned int start, unsigned int n, const char *after)
{
	unsigned int i;

	try_page(start, after);
	try_page(start + n - 1, after);
	if (start)
		try_page(start - 1, after);
	if (start + n < WINDOW)
		try_page(start + n, after);
	for (i = 0; i < 4; i++)
		try_page(start + rnd() % n, after);
	for (i = 0; i < 4; i++)
		try_page(rnd() % WINDOW, after);
}

static void set(unsigned int start, unsigned int n, int prot, bool fresh)
{
	unsigned int i;

	for (i = start; i < start + n; i++) {
		if (fresh) {
			model[i].mapped = true;
			model[i].value = 0;
		}
		model[i].readable = prot != PROT_NONE;
		model[i].writable = prot & PROT_WRITE;
		model[i].executable = prot & PROT_EXEC;
	}
}

static int random_prot(void)
{
	static const int prots[] = {
		PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
		PROT_READ | PROT_EXEC, PROT_READ | PROT_WRITE | PROT_EXEC,
	};

	return prots[rnd() % ARRAY_SIZE(prots)];
}

static bool all_mapped(unsigned int start, unsigned int n)
{
	for (; n; start++, n--)
		if (!model[start].mapped)
			return false;
	return true;
}

static void change_map(unsigned int start, unsigned int n)
{
	int prot = random_prot();

	must_map(mmap(window + start * PAGE, n * PAGE, prot,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), "mmap");
	set(start, n, prot, true);
	try_some(start, n, "mmap");
}

static void change_unmap(unsigned int start, unsigned int n)
{
	must(munmap(window + start * PAGE, n * PAGE), "munmap");
	memset(&model[start], 0, n * sizeof(model[0]));
	try_some(start, n, "munmap");
}

static void change_protect(unsigned int start, unsigned int n)
{
	int prot = random_prot();

	if (!all_mapped(start, n))
		return;
	must(mprotect(window + start * PAGE, n * PAGE, prot), "mprotect");
	set(start, n, prot, false);
	try_some(start, n, "mprotect");
}

static void change_drop(unsigned int start, unsigned int n)
{
	unsigned int i;

	if (!all_mapped(start, n))
		return;
	must(madvise(window + start * PAGE, n * PAGE, MADV_DONTNEED), "madvise");
	for (i = start; i < start + n; i++)
		model[i].value = 0;
	try_some(start, n, "MADV_DONTNEED");
}

/* A page a time: mremap() does not move several mappings at once. */
static void change_move(unsigned int start, unsigned int n)
{
	unsigned int to = (start + WINDOW / 2) % WINDOW;

	if (n > 20)
		n = 20;
	if (to + n > WINDOW || !all_mapped(start, n))
		return;
	must(munmap(window + to * PAGE, n * PAGE), "munmap");
	memset(&model[to], 0, n * sizeof(model[0]));
	for (unsigned int i = 0; i < n; i++) {
		must_map(mremap(window + (start + i) * PAGE, PAGE, PAGE,
				MREMAP_MAYMOVE | MREMAP_FIXED, window + (to + i) * PAGE),
			 "mremap");
		model[to + i] = model[start + i];
		memset(&model[start + i], 0, sizeof(model[0]));
	}
	try_some(start, n, "mremap from there");
	try_some(to, n, "mremap to there");
}

static void change_fork(unsigned int start, unsigned int n)
{
	pid_t pid = must(fork(), "fork");
	unsigned int i;

	if (!pid) {
		/* its own changes must stay its own */
		for (i = 0; i < n; i++)
			try_page((start + i) % WINDOW, "fork (child)");
		for (i = 0; i < 20; i++)
			try_page(rnd() % WINDOW, "fork (child)");
		_exit(0);
	}
	for (i = 0; i < n; i++)
		try_page((start + i) % WINDOW, "fork (parent)");
	must_exit(pid, 0, "child");
	try_some(start, n, "fork and the child's end");
}

static void change_write(unsigned int start, unsigned int n)
{
	unsigned int i;

	for (i = start; i < start + n; i++)
		if (model[i].writable)
			write_page(i);
	try_some(start, n, "writes");
}

static void run_seed(u32 seed)
{
	static const struct {
		void (*fn)(unsigned int start, unsigned int n);
		unsigned int weight;
	} changes[] = {
		{ change_map, 5 }, { change_unmap, 2 }, { change_protect, 6 },
		{ change_drop, 2 }, { change_move, 2 }, { change_fork, 1 },
		{ change_write, 5 },
	};
	unsigned int n, i, start, count, pick;

	rnd_seed(seed);
	/* a hole around the window, on a border of page tables */
	window = must_map(mmap(NULL, (WINDOW + 1024) * PAGE, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "mmap");
	window = (u8 *)(((uintptr_t)window + 2 * MIB - 1) & -(2 * MIB)) + 100 * PAGE;
	must(munmap(window, WINDOW * PAGE), "munmap");
	for (n = 0; n < CHANGES; n++) {
		start = rnd() % WINDOW;
		count = 1 + rnd() % (rnd() % 4 ? 8 : 600);
		if (count > WINDOW - start)
			count = WINDOW - start;
		pick = rnd() % 23;
		for (i = 0; pick >= changes[i].weight; i++)
			pick -= changes[i].weight;
		changes[i].fn(start, count);
	}
	for (i = 0; i < WINDOW; i++)
		try_page(i, "all");
}

static void first(void)
{
	run_seed(1);
}

static void second(void)
{
	run_seed(2);
}

/* In two processes at once, so that address spaces alternate. */
static void together(void)
{
	pid_t pid = must(fork(), "fork");

	run_seed(pid ? 3 : 4);
	if (!pid)
		_exit(0);
	must_exit(pid, 0, "the other process");
}

const struct test tests[] = {
	{ "first", first },
	{ "second", second },
	{ "together", together, 240 },
	{ NULL }
};
