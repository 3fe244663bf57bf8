// SPDX-License-Identifier: GPL-2.0
/*
 * smp: vCPUs that start, stop, wake and interrupt each other, and what they see
 * of page tables that one of them changes.
 *
 * options: --cpus 4
 * timeout: 240
 */
#include "lib/guest.h"

#define CPUS		4
#define SECOND		1000000000UL
#define UVA		0x30000000000UL
#define KVA		(SCRATCH_BASE + 0x3000000000)
#define VECTOR		0x50

static struct pvhv_vcpu_start start __attribute__((aligned(64)));
static u8 stacks[CPUS][8192] __attribute__((aligned(16)));
static struct cpu cpus[CPUS];
static volatile bool stop;
static volatile u64 count[CPUS];
static u64 ctx, gen;

static long up(u64 id, void (*fn)(u64), u64 arg)
{
	memset(&start, 0, sizeof(start));
	start.rip = (u64)fn;
	start.rsp = (u64)stacks[id % CPUS] + sizeof(stacks[0]) - 8;
	start.arg = arg;
	start.cr3 = current_root;
	start.kernel_gs_base = (u64)&cpus[id % CPUS];
	return hypercall2(PVHV_HC_VCPU_UP, id, gpa_of(&start));
}

/* Its last life may not be over yet. */
static bool must_up(u64 id, void (*fn)(u64), u64 arg)
{
	u64 end = now() + 20 * SECOND;
	long r;

	while ((r = up(id, fn, arg)) == -PVHV_EBUSY && now() < end)
		hc_yield();
	return check_eq(r, 0, "VCPU_UP of %lu", id);
}

static void __noreturn down(void)
{
	for (;;)
		hypercall0(PVHV_HC_VCPU_DOWN);
}

static bool all_reach(u64 n)
{
	u64 end = now() + 20 * SECOND;
	int i;

	for (i = 1; i < CPUS; i++) {
		while (count[i] < n && now() < end)
			hc_yield();
		if (!check(count[i] >= n, "vCPU %d has got to %lu, not %lu", i, count[i], n))
			return false;
	}
	return true;
}

static void setup_secondary(u64 id)
{
	static struct pvhv_vcpu_setup s[CPUS] __attribute__((aligned(256)));
	long r;

	cpus[id].self = &cpus[id];
	vcpu_setup_fill(&s[id], &cpus[id]);
	r = hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(&s[id]));
	if (r)
		panic("VCPU_SETUP on vCPU %lu returns %ld", id, r);
}

static void reset(void)
{
	memset((void *)count, 0, sizeof(count));
	stop = false;
}

static void once(u64 id)
{
	count[id]++;
	down();
}

TEST(bad_starts)
{
	static const u64 no_root[] = { ~0UL, BIT(51), 0x3ffff000 };
	unsigned int i;
	long r;

	check_eq(up(0, once, 0), -PVHV_EBUSY, "starting oneself");
	check_eq(up(CPUS, once, 0), -PVHV_ENOENT, "starting vCPU 4 of 4");
	check_eq(up(63, once, 0), -PVHV_ENOENT, "starting vCPU 63");
	check_eq(up(64, once, 0), -PVHV_ENOENT, "starting vCPU 64");
	check_eq(up(~0UL, once, 0), -PVHV_ENOENT, "starting vCPU -1");
	check_eq(hypercall2(PVHV_HC_VCPU_UP, 1, gpa_of(&start) + 4), -PVHV_EINVAL, "4 past");
	check_eq(hypercall2(PVHV_HC_VCPU_UP, 1, PAGE_SIZE - 8), -PVHV_EINVAL, "over a page's end");
	check_eq(hypercall2(PVHV_HC_VCPU_UP, 1, BIT(45)), -PVHV_EFAULT, "not in RAM");
	for (i = 0; i < 5; i++) {
		up(0, once, 1);
		if (i == 0)
			start.rip = BIT(47);
		else if (i == 1)
			start.kernel_gs_base = BIT(63);
		else
			start.reserved[i - 2] = 1;
		r = hypercall2(PVHV_HC_VCPU_UP, 1, gpa_of(&start));
		check_eq(r, -PVHV_EINVAL, "bad field %u", i);
	}
	for (i = 0; i < ARRAY_SIZE(no_root); i++) {
		up(0, once, 1);
		start.cr3 = no_root[i];
		r = hypercall2(PVHV_HC_VCPU_UP, 1, gpa_of(&start));
		check_eq(r, -PVHV_EINVAL, "root %#lx", no_root[i]);
	}
	check_eq(count[1], 0, "what vCPU 1 has done");
}

TEST(starts)
{
	u64 round, id;

	reset();
	for (round = 1; round <= 50; round++) {
		for (id = 1; id < CPUS; id++)
			if (!must_up(id, once, id))
				return;
		if (!all_reach(round))
			return;
	}
	check_eq(count[1] + count[2] + count[3], 150, "starts");
}

static void waits(u64 id)
{
	setup_secondary(id);
	while (!stop) {
		count[id]++;
		hypercall0(PVHV_HC_WAIT);
	}
	count[id] = ~0UL;
	down();
}

/* A kick ends a wait, whether it comes before or after. */
TEST(kicks)
{
	u64 round, id;

	reset();
	for (id = 1; id < CPUS; id++)
		must_up(id, waits, id);
	for (round = 1; round <= 300; round++) {
		if (!all_reach(round))
			return;
		for (id = 1; id < CPUS; id++)
			check_eq(hypercall1(PVHV_HC_KICK, id), 0, "KICK");
	}
	stop = true;
	for (id = 1; id < CPUS; id++)
		hypercall1(PVHV_HC_KICK, id);
	all_reach(~0UL);
	check_eq(hypercall1(PVHV_HC_KICK, 0), 0, "KICK of oneself");
	check_eq(hypercall0(PVHV_HC_WAIT), 0, "WAIT after it");
	check_eq(hypercall1(PVHV_HC_KICK, CPUS), -PVHV_ENOENT, "KICK of vCPU 4 of 4");
	check_eq(hypercall1(PVHV_HC_KICK, ~0UL), -PVHV_ENOENT, "KICK of vCPU -1");
	check_eq(hypercall1(PVHV_HC_KICK, 1), 0, "KICK of one that is down");
}

static void stops(u64 id)
{
	setup_secondary(id);
	hc_set_timer(now() + 1000000);
	count[id] = 1;
	asm volatile("hlt" : : : "memory");
	count[id] = 2;
	down();
}

/* HLT with interrupts off sleeps, though one is pending; a kick ends it. */
TEST(hlt_with_interrupts_off)
{
	u64 end;

	reset();
	must_up(1, stops, 1);
	for (end = now() + 20 * SECOND; !count[1] && now() < end;)
		hc_yield();
	for (end = now() + SECOND / 20; now() < end;)
		hc_yield();
	check_eq(count[1], 1, "what the vCPU has done");
	check_eq(hypercall1(PVHV_HC_KICK, 1), 0, "KICK");
	for (end = now() + 20 * SECOND; count[1] == 1 && now() < end;)
		hc_yield();
	check_eq(count[1], 2, "what the vCPU has done after a kick");
}

static void stays(u64 id)
{
	while (!stop)
		count[id]++;
	count[id] = ~0UL;
	down();
}

static volatile long result_of_3;

static void starts_boot_vcpu(u64 id)
{
	result_of_3 = up(0, once, 0);
	count[id] = 1;
	while (!stop)
		hc_yield();
	count[id] = ~0UL;
	down();
}

/* One that never leaves the guest, one that waits, the boot vCPU: they go on where they are. */
TEST(starts_of_what_runs)
{
	u64 n, end, i;

	reset();
	if (!must_up(1, stays, 1) || !must_up(2, waits, 2) || !must_up(3, starts_boot_vcpu, 3))
		return;
	if (!all_reach(1))
		return;
	check_eq(result_of_3, -PVHV_EBUSY, "starting vCPU 0 from vCPU 3");
	for (i = 0; i < 1000; i++)
		if (!check_eq(up(1, once, 1), -PVHV_EBUSY, "starting vCPU 1, which runs") ||
		    !check_eq(up(2, once, 2), -PVHV_EBUSY, "starting vCPU 2, which waits"))
			break;
	n = count[1];
	for (end = now() + 20 * SECOND; count[1] == n && now() < end;)
		hc_yield();
	check(count[1] > n, "vCPU 1 has stopped at %lu", n);
	stop = true;
	check_eq(hypercall1(PVHV_HC_KICK, 2), 0, "KICK");
	all_reach(~0UL);
}

static struct cpu *this_cpu(void)
{
	struct cpu *c;

	asm volatile("mov %%gs:%c1, %0" : "=r"(c) : "i"(CPU_SELF));
	return c;
}

static bool count_interrupts(struct regs *regs, bool user)
{
	(void)user;
	if (regs->vector != VECTOR)
		return false;
	count[this_cpu() == &cpu0 ? 0 : this_cpu() - cpus]++;
	return true;
}

static void halts(u64 id)
{
	setup_secondary(id);
	while (!stop)
		hc_halt();
	count[id] = ~0UL;
	down();
}

TEST(interrupts)
{
	u64 round, id;

	reset();
	event_hook = count_interrupts;
	for (id = 1; id < CPUS; id++)
		must_up(id, halts, id);
	for (round = 1; round <= 300; round++) {
		check_eq(hc_send_ipi(1, 7, VECTOR), 0, "SEND_IPI");
		if (!all_reach(round))
			break;
	}
	check_eq(hc_send_ipi(0, 1, VECTOR), 0, "SEND_IPI to oneself");
	irq_enable();
	irq_disable();
	check_eq(count[0], 1, "interrupts from oneself");
	stop = true;
	hc_send_ipi(1, 7, VECTOR);
	all_reach(~0UL);
	event_hook = NULL;
	/* nobody's, and those who are down get nothing that stays */
	check_eq(hc_send_ipi(CPUS, 1, VECTOR), -PVHV_ENOENT, "SEND_IPI to vCPU 4 of 4");
	check_eq(hc_send_ipi(63, 1, VECTOR), -PVHV_ENOENT, "SEND_IPI to vCPU 63");
	check_eq(hc_send_ipi(1, 7, VECTOR), 0, "SEND_IPI to some that are down");
	reset();
	must_up(1, once, 1);
	must_up(2, once, 2);
	must_up(3, once, 3);
	all_reach(1);
}

/*
 * Readers that never leave the guest by themselves. What they read must not be older than
 * what the last flush that has ended was about.
 */
static volatile u64 epoch, stale[CPUS];

static void reads(u64 arg)
{
	u64 id = arg & 7, va = arg & ~7UL, e, v;

	if (!(va >> 63) && hc_load_cr3(current_root, ctx, gen, 0))
		panic("LOAD_CR3 on vCPU %lu", id);
	while (!stop) {
		e = epoch;
		barrier();
		v = READ_ONCE(*(u64 *)va);
		if (v < e)
			stale[id] = e;
		count[id]++;
	}
	count[id] = ~0UL;
	down();
}

static long flush_for_all(u64 va, unsigned int how)
{
	if (va >> 63)
		return how & 1 ? hc_flush_all(0, PVHV_FLUSH_KERNEL | PVHV_FLUSH_EVERYWHERE) :
			hc_flush_range(va, va + PAGE_SIZE, 0, PVHV_FLUSH_EVERYWHERE);
	switch (how % 4) {
	case 0:
		return hypercall4(PVHV_HC_FLUSH_MM, ctx, 0, 0, ++gen);
	case 1:
		return hypercall4(PVHV_HC_FLUSH_MM, ctx, va | PVHV_FLUSH_FREED_TABLES,
				  va + 0x400000, ++gen);
	}
	return hypercall4(PVHV_HC_FLUSH_MM, ctx, va, va + PAGE_SIZE, ++gen);
}

static void no_stale_reads(u64 va)
{
	u64 flags = PTE_P | PTE_W | PTE_A | PTE_D | (va >> 63 ? PTE_NX : PTE_U);
	u64 *page[2] = { alloc_page(), alloc_page() };
	u64 end = now() + 4 * SECOND, id, i;

	reset();
	epoch = 0;
	map_page(va, gpa_of(page[0]), flags);
	for (id = 1; id < CPUS; id++)
		must_up(id, reads, va | id);
	all_reach(1);
	for (i = 1; now() < end || i < 50; i++) {
		WRITE_ONCE(page[i & 1][0], i);
		map_page(va, gpa_of(page[i & 1]), flags);
		check_eq(flush_for_all(va, i), 0, "the flush");
		barrier();
		epoch = i;
	}
	stop = true;
	all_reach(~0UL);
	for (id = 1; id < CPUS; id++)
		check(!stale[id], "vCPU %lu has read what was gone before flush %lu of %lu",
		      id, stale[id], i);
	printf("# %lu flushes\n", i);
}

static void use_ctx(void)
{
	ctx = new_ctx();
	gen = 1;
	check_eq(hc_load_cr3(current_root, ctx, gen, 0), 0, "LOAD_CR3");
}

TEST(no_stale_reads_user)
{
	use_ctx();
	no_stale_reads(UVA);
}

TEST(no_stale_reads_kernel)
{
	no_stale_reads(KVA);
}

/* A writer gets a page fault when the page is read-only, and nothing of it is in the page. */
static volatile bool writable;
static volatile u64 faults[CPUS];

static bool wait_until_writable(struct regs *regs, bool user)
{
	(void)user;
	if (regs->vector != X_PF || regs->error != (PF_P | PF_W))
		return false;
	faults[this_cpu() - cpus]++;
	while (!writable)
		asm volatile("pause");
	return true;
}

static void writes(u64 arg)
{
	u64 id = arg & 7, va = arg & ~7UL, n = 0;

	setup_secondary(id);
	if (hc_load_cr3(current_root, ctx, gen, 0))
		panic("LOAD_CR3 on vCPU %lu", id);
	while (!stop) {
		WRITE_ONCE(((u64 *)va)[id], ++n);
		count[id]++;
	}
	count[id] = ~0UL;
	down();
}

TEST(no_stale_writes)
{
	u64 ro = PTE_P | PTE_U | PTE_A | PTE_D, end, id, i, before[CPUS];
	volatile u64 *page = alloc_page();

	reset();
	use_ctx();
	map_page(UVA, gpa_of(page), ro | PTE_W);
	event_hook = wait_until_writable;
	for (id = 1; id < CPUS; id++)
		must_up(id, writes, UVA | id);
	all_reach(1);
	end = now() + 4 * SECOND;
	for (i = 0; now() < end || i < 20; i++) {
		writable = false;
		map_page(UVA, gpa_of(page), ro);
		check_eq(flush_for_all(UVA, i), 0, "the flush");
		for (id = 1; id < CPUS; id++)
			before[id] = page[id];
		delay_ns(20000);
		for (id = 1; id < CPUS; id++)
			check_eq(page[id], before[id], "what vCPU %lu has written after flush %lu",
				 id, i);
		map_page(UVA, gpa_of(page), ro | PTE_W);
		barrier();
		writable = true;
		delay_ns(20000);
	}
	stop = true;
	all_reach(~0UL);
	event_hook = NULL;
	check(faults[1] + faults[2] + faults[3], "no writer has met a read-only page");
	printf("# %lu flushes, %lu faults\n", i, faults[1] + faults[2] + faults[3]);
}

TEST(bad_flushes)
{
	check_eq(hypercall4(PVHV_HC_FLUSH_MM, 0, 0, 0, 1), -PVHV_EINVAL, "no name");
	check_eq(hypercall4(PVHV_HC_FLUSH_MM, ctx, 2, PAGE_SIZE, 0), -PVHV_EINVAL, "flag 1");
	check_eq(hypercall4(PVHV_HC_FLUSH_MM, ctx, KVA, 0, 0), -PVHV_EINVAL, "the kernel half");
	check_eq(hypercall4(PVHV_HC_FLUSH_MM, ctx, 0, ~0UL, 0), -PVHV_EINVAL, "all there is");
	check_eq(hypercall4(PVHV_HC_FLUSH_MM, ~0UL, 0, 0, 0), 0, "a name that nobody has");
	check_eq(hypercall4(PVHV_HC_FLUSH_MM, ctx, 0, 0, ~0UL), 0, "the last generation");
	check_eq(hypercall4(PVHV_HC_FLUSH_MM, ctx, UVA, UVA + 1, ~0UL), 0, "again");
	check_eq(hypercall4(PVHV_HC_FLUSH_MM, ctx, UVA, UVA + 1, 1), 0, "the first");
}

static void spins(u64 id)
{
	(void)id;
	for (;;)
		asm volatile("pause");
}

/* The library powers off next, while these do not care. */
TEST(others_spin_at_the_end)
{
	u64 id;

	for (id = 1; id < CPUS; id++)
		must_up(id, spins, id);
}
