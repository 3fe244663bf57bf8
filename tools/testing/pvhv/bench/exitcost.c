// SPDX-License-Identifier: GPL-2.0
/*
 * exitcost: what each way between user mode, guest kernel and hypervisor
 * costs, without any Linux in the guest. A test guest, see lib/guest.h there.
 *
 * Prints result lines as bench.c does. The guest's own part of each is a
 * handful of instructions, see exitcost-entry.S and the comments below.
 */
#include "guest.h"
#include "exitcost.h"

#define REPS	7
#define N	1024UL		/* operations, also pages */
#define AREA	(SCRATCH_BASE + 0x4000000000)
#define PTE_RW	(PTE_P | PTE_W | PTE_A | PTE_D)

static u64 sample[REPS];
static u64 page[N];

/* With loop=NAME that one runs for ever, for the profiler. */
static bool looping(const char *name)
{
	const char *loop = cmdline_value("loop");

	if (!loop || strcmp(loop, name))
		return false;
	printf("BENCH loop %s\n", name);
	return true;
}

static void sort(u64 *a, int n)
{
	int i, j;

	for (i = 1; i < n; i++) {
		for (j = i; j && a[j - 1] > a[j]; j--) {
			u64 t = a[j];

			a[j] = a[j - 1];
			a[j - 1] = t;
		}
	}
}

/* Of a sample of n operations, in tenths of a nanosecond */
static u64 tenths(u64 ticks, u64 n)
{
	return ticks * 10 * 1000000 / start_info.tsc_khz / n;
}

/*
 * Run what() with a first time that does not count and prepare() before each.
 */
static void cost(const char *name, u64 n, void (*prepare)(void), void (*what)(void))
{
	u64 middle, least, most;
	bool forever = looping(name);
	int i;

	for (i = -1; forever || i < REPS; i++) {
		u64 t;

		if (prepare)
			prepare();
		t = rdtsc();
		what();
		t = rdtsc() - t;
		if (!forever && i >= 0)
			sample[i] = t;
	}
	sort(sample, REPS);
	middle = tenths(sample[REPS / 2], n);
	least = tenths(sample[0], n);
	most = tenths(sample[REPS - 1], n);
	printf("BENCH result %s median=%lu.%lu min=%lu.%lu max=%lu.%lu n=%lu\n", name,
	       middle / 10, middle % 10, least / 10, least % 10, most / 10, most % 10, n);
}

/* An operation, to the profiler: see mark() in bench.h */
static inline void mark(void)
{
	asm volatile("991:\n"
		     ".pushsection marks, \"a\"\n"
		     ".quad 991b\n"
		     ".popsection");
}

static void do_hypercall(void)
{
	for (u64 i = 0; i < N; i++) {
		hc_irq_window();
		mark();
	}
}

static void do_set_timer(void)
{
	for (u64 i = 0; i < N; i++) {
		hc_set_timer(0);
		mark();
	}
}

static void do_flush_none(void)
{
	for (u64 i = 0; i < N; i++) {
		hc_flush_range(AREA, AREA + PAGE_SIZE, 0, 0);
		mark();
	}
}

static u64 root[2], ctx[2];

static void do_load_cr3(void)
{
	for (u64 i = 0; i < N; i++) {
		hc_load_cr3(root[i & 1], ctx[i & 1], 1, 0);
		mark();
	}
}

static void do_new_mm(void)
{
	for (u64 i = 0; i < N; i++) {
		u64 c = new_ctx();

		hc_load_cr3(root[1], c, 1, 0);
		hc_load_cr3(root[0], ctx[0], 1, 0);
		hc_mm_drop(c);
		mark();
	}
}

TEST(hypercalls)
{
	root[0] = gpa_of(boot_root);
	root[1] = new_root();
	ctx[0] = new_ctx();
	ctx[1] = new_ctx();
	irq_disable();
	cost("hypercall", N, NULL, do_hypercall);
	cost("set_timer", N, NULL, do_set_timer);
	cost("flush_none", N, NULL, do_flush_none);
	cost("load_cr3", N, NULL, do_load_cr3);
	cost("new_mm", N, NULL, do_new_mm);
	hc_load_cr3(root[0], 0, 0, PVHV_CR3_FLUSH_ALL);
}

static void register_entries(bool fast)
{
	struct pvhv_vcpu_setup *s = alloc_page();

	vcpu_setup_fill(s, &cpu0);
	if (fast) {
		s->entry_syscall = (u64)fast_syscall;
		s->entry_event_user = (u64)fast_event_user;
		s->entry_event_kernel = (u64)fast_event_kernel;
	}
	if (hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(s)))
		panic("VCPU_SETUP is refused");
	free_page(s);
}

static void user_loop(const char *code, u64 rsi)
{
	struct regs r;

	user_regs(&r, code);
	r.rdi = N;
	r.rsi = rsi;
	run_user(&r, BY_SYSRET);
	check_user(&r, X_UD, 0, "the end of the loop");
}

static void do_direct(void)
{
	user_loop(user_syscalls, 0);
}

static void do_ud_user(void)
{
	user_loop(user_uds, 0);
}

static void do_ud_kernel(void)
{
	for (u64 i = 0; i < N; i++) {
		asm volatile("ud2" : : : "memory");
		mark();
	}
}

static void do_fault_user(void)
{
	user_loop(user_reads, 0x10000);
}

TEST(switches)
{
	register_entries(true);
	irq_disable();
	cost("direct", N, NULL, do_direct);
	cost("ud_kernel", N, NULL, do_ud_kernel);
	cost("ud_user", N, NULL, do_ud_user);
	cost("fault_user", N, NULL, do_fault_user);
	register_entries(false);
}

/* With the library's handler, of some 130 instructions */
static void do_ipi(void)
{
	for (u64 i = 0; i < N; i++) {
		hc_send_ipi(0, 1, 0x99);
		irq_enable();
		irq_disable();
		mark();
	}
}

TEST(interrupts)
{
	irq_disable();
	cost("ipi", N, NULL, do_ipi);
}

/* All of the area, with these bits; 0: not present */
static void set_area(u64 flags)
{
	for (u64 i = 0; i < N; i++)
		WRITE_ONCE(*make_entry(current_root, AREA + i * PAGE_SIZE, 1),
			   flags ? page[i] | flags : 0);
}

static void flush_area(void)
{
	if (hc_flush_range(AREA, AREA + N * PAGE_SIZE, 0, 0))
		panic("FLUSH_RANGE is refused");
}

static void read_area(void)
{
	for (u64 i = 0; i < N; i++) {
		(void)READ_ONCE(*(u64 *)(AREA + i * PAGE_SIZE));
		mark();
	}
}

static void prepare_miss(void)
{
	set_area(0);
	flush_area();
	set_area(PTE_P | PTE_W);
}

static void prepare_miss8(void)
{
	set_area(0);
	flush_area();
	set_area(PTE_RW);
}

static void prepare_kept(void)
{
	prepare_miss8();
	read_area();
}

static void prepare_unmap(void)
{
	prepare_kept();
	set_area(0);
}

static void prepare_protect(void)
{
	prepare_kept();
	set_area(PTE_P | PTE_A | PTE_D);
}

static void prepare_hint(void)
{
	prepare_miss8();
	vp->hints[0] = AREA | 511;
	vp->hints[1] = (AREA + 512 * PAGE_SIZE) | 511;
	vp->nr_hints = 2;
}

static void do_hint(void)
{
	hc_sync_hints();
}

TEST(shadow)
{
	for (u64 i = 0; i < N; i++)
		page[i] = gpa_of(alloc_page());
	set_area(PTE_RW);
	for (u64 i = 0; i < N; i++)
		*(u64 *)(AREA + i * PAGE_SIZE) = i;	/* the host has them all */
	cost("miss", N, prepare_miss, read_area);
	cost("miss8", N, prepare_miss8, read_area);
	cost("flush_kept", N, prepare_kept, flush_area);
	cost("flush_unmap", N, prepare_unmap, flush_area);
	cost("flush_protect", N, prepare_protect, flush_area);
	cost("hint", N, prepare_hint, do_hint);
}
