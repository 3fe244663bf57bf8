// SPDX-License-Identifier: GPL-2.0
/*
 * meanwhile: what one vCPU changes while a hypercall of another one is reading it
 * (double fetches), and two vCPUs that use the same ports, grants and tables. Each
 * result must be one that some order of the two could have given.
 *
 * options: --cpus 2
 * with: burner
 * timeout: 300
 */
#include "lib/guest.h"
#include "lib/split.h"

#define SECOND		1000000000UL
#define TIME		(2 * SECOND)	/* for each test */
#define FOR_A_WHILE(i)							\
	for (u64 end_ = now() + TIME, i = 0; (i % 16) || now() < end_; i++)

static struct pvhv_vcpu_start start __attribute__((aligned(64)));
static struct pvhv_vcpu_start victim __attribute__((aligned(64)));
static u8 stack[8192] __attribute__((aligned(16)));
static struct cpu cpu1;
static volatile bool stop, running;
static u64 seed = 88172645463325252UL;

static struct pvhv_multicall calls[PVHV_MULTICALL_MAX] __page_aligned;
static struct pvhv_event_page events __page_aligned;
static struct pvhv_grant_entry table[PVHV_GRANTS_PER_FRAME] __page_aligned;
static struct pvhv_grant_copy copies[PAGE_SIZE / sizeof(struct pvhv_grant_copy)] __page_aligned;
static u8 pages[2][PAGE_SIZE] __page_aligned;

#define gfn_of(p)	(gpa_of(p) >> 12)

/* xorshift; each vCPU has a state of its own */
static u64 next(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void __noreturn life(u64 fn)
{
	running = true;
	while (!stop)
		((void (*)(void))fn)();
	running = false;
	for (;;)
		hypercall0(PVHV_HC_VCPU_DOWN);
}

/* vCPU 1 calls @fn again and again. */
static bool begin(void (*fn)(void))
{
	u64 end = now() + 20 * SECOND;
	long r;

	stop = false;
	memset(&start, 0, sizeof(start));
	start.rip = (u64)life;
	start.rsp = (u64)stack + sizeof(stack) - 8;
	start.arg = (u64)fn;
	start.cr3 = current_root;
	start.kernel_gs_base = (u64)&cpu1;
	do {
		r = hypercall2(PVHV_HC_VCPU_UP, 1, gpa_of(&start));
	} while (r == -PVHV_EBUSY && now() < end);
	if (!check_eq(r, 0, "VCPU_UP"))
		return false;
	while (!running && now() < end)
		hc_yield();
	return check(running, "vCPU 1 does not run");
}

static void finish(void)
{
	u64 end = now() + 20 * SECOND;

	stop = true;
	while (running && now() < end)
		hc_yield();
	check(!running, "vCPU 1 does not stop");
}

/* ---- batches ---- */

/* Harmless where they may stand in a batch, refused where not */
static const u64 numbers[] = {
	PVHV_HC_GET_TIME, PVHV_HC_HALT, PVHV_HC_MULTICALL, PVHV_HC_SHUTDOWN, PVHV_HC_VCPU_DOWN,
	PVHV_HC_WAIT, PVHV_HC_IRQ_WINDOW, PVHV_HC_YIELD, PVHV_HC_VCPU_SETUP, PVHV_HC_READ_MSR,
	PVHV_HC_SYNC_HINTS, PVHV_HC_GET_WALLCLOCK, 0, PVHV_NR_HYPERCALLS, ~0UL, BIT(32), BIT(63),
};

static void change_calls(void)
{
	static u64 state = 1234567;
	struct pvhv_multicall *c = &calls[next(&state) % 8];

	WRITE_ONCE(c->nr, numbers[next(&state) % ARRAY_SIZE(numbers)]);
	WRITE_ONCE(c->args[0], next(&state));
	WRITE_ONCE(c->result, 0x7777);
}

/*
 * The entry that ends the guest, sleeps or nests must be refused by the number that was
 * looked at, whatever stands there a moment later.
 */
TEST(batch)
{
	if (!begin(change_calls))
		return;
	FOR_A_WHILE(i) {
		long r = hc_multicall(gpa_of(calls), 8);

		if (!check(r >= -PVHV_ENOSYS && r <= 8, "MULTICALL gives %ld", r))
			break;
	}
	finish();
}

/* ---- structures that are checked, then used ---- */

static void change_start(void)
{
	static const u64 rips[] = { BIT(47), ~BIT(47), BIT(63), 0, ~0UL };
	static u64 state = 7654321;

	WRITE_ONCE(victim.rip, rips[next(&state) % ARRAY_SIZE(rips)]);
	WRITE_ONCE(victim.kernel_gs_base, rips[next(&state) % ARRAY_SIZE(rips)]);
	WRITE_ONCE(victim.cr3, next(&state) & 1 ? current_root : next(&state));
	WRITE_ONCE(victim.reserved[0], next(&state) & 1);
}

/* There is no vCPU to start: 0 is this one, 1 runs. The checks come before or after. */
TEST(start)
{
	if (!begin(change_start))
		return;
	FOR_A_WHILE(i) {
		long r = hypercall2(PVHV_HC_VCPU_UP, i & 1, gpa_of(&victim));

		if (!check(r == -PVHV_EBUSY || r == -PVHV_EINVAL, "VCPU_UP gives %ld", r))
			break;
	}
	finish();
}

static void change_copies(void)
{
	static u64 state = 33333;
	struct pvhv_grant_copy *c = &copies[next(&state) % 4];
	u64 what = next(&state) % 6;

	if (what == 0)
		WRITE_ONCE(c->src.offset, next(&state) % 3 ? 0 : (u32)next(&state));
	else if (what == 1)
		WRITE_ONCE(c->dst.offset, next(&state) % 3 ? 0 : 4095);
	else if (what == 2)
		WRITE_ONCE(c->len, next(&state) % 3 ? 4096 : (u32)next(&state));
	else if (what == 3)
		WRITE_ONCE(c->dst.gfn, next(&state) % 2 ? gfn_of(pages[1]) : next(&state));
	else if (what == 4)
		WRITE_ONCE(c->src.ref, next(&state) % 2 ? 1 : (u32)next(&state));
	else
		WRITE_ONCE(table[1].control, next(&state) % 2 ? PVHV_GRANT_PERMIT : 0);
}

static bool may_be_status(long s)
{
	return s == 0 || s == -PVHV_EINVAL || s == -PVHV_EFAULT || s == -PVHV_EPERM ||
	       s == -PVHV_ENOENT || s == -PVHV_EBUSY;
}

TEST(copies_that_change)
{
	u64 i;

	if (!check_eq(hc_grant_setup(0, gpa_of(table)), 0, "GRANT_SETUP"))
		return;
	table[1].domid = start_info.domid;
	table[1].gfn = gfn_of(pages[0]);
	table[1].control = PVHV_GRANT_PERMIT;
	for (i = 0; i < 4; i++) {
		copies[i].src.domid = start_info.domid;
		copies[i].src.ref = 1;
		copies[i].dst.gfn = gfn_of(pages[1]);
		copies[i].len = PAGE_SIZE;
	}
	if (!begin(change_copies))
		return;
	FOR_A_WHILE(k) {
		long r = hc_grant_copy(gpa_of(copies), 4);

		if (!check_eq(r, 4, "GRANT_COPY"))
			break;
		for (i = 0; i < 4; i++)
			if (!check(may_be_status(copies[i].status), "status %ld",
				   (long)copies[i].status))
				break;
	}
	finish();
	/* nothing is marked as in use that is not */
	check(!(table[1].control & (PVHV_GRANT_READING | PVHV_GRANT_WRITING)), "in use: %#lx",
	      (u64)table[1].control);
	table[1].control = PVHV_GRANT_PERMIT;
	copies[0] = (struct pvhv_grant_copy) {
		.src = { .domid = start_info.domid, .ref = 1 }, .dst = { .gfn = gfn_of(pages[1]) },
		.len = PAGE_SIZE,
	};
	check_eq(hc_grant_copy(gpa_of(copies), 1), 1, "GRANT_COPY afterwards");
	check_eq(copies[0].status, 0, "its status");
}

/* ---- the same ports, from both sides ---- */

#define PORTS	8

static bool may_be_port(long r)
{
	return r >= 0 || r == -PVHV_ENOENT || r == -PVHV_EBUSY || r == -PVHV_EINVAL ||
	       r == -PVHV_EPERM;
}

static volatile long bad_port_result;

static void use_ports(u64 *state)
{
	u32 port = 1 + next(state) % PORTS;
	long r;

	switch (next(state) % 6) {
	case 0:
		r = hc_event_alloc(start_info.domid);
		if (r > PORTS)		/* few, so that the two meet */
			hc_event_close(r);
		break;
	case 1:
		r = hc_event_bind(start_info.domid, port);
		if (r > PORTS)
			hc_event_close(r);
		break;
	case 2:
		r = hc_event_close(port);
		break;
	case 3:
		r = hc_event_send(port);
		break;
	case 4:
		r = hc_event_unmask(port);
		break;
	default:
		r = hc_event_bind_vcpu(port, next(state) % 2);
		break;
	}
	if (!may_be_port(r))
		bad_port_result = r;
}

static void use_ports_too(void)
{
	static u64 state = 5555555;

	use_ports(&state);
}

TEST(ports)
{
	u64 n = 0;
	u32 port;
	long r;

	check_eq(hc_event_setup(gpa_of(&events)), 0, "EVENT_SETUP");
	if (!begin(use_ports_too))
		return;
	FOR_A_WHILE(i)
		use_ports(&seed);
	finish();
	check_eq(bad_port_result, 0, "a result");
	/* None is lost: as many can be had as there are, after all were closed. */
	for (port = 1; port < PVHV_MAX_PORTS; port++)
		hc_event_close(port);
	while ((r = hc_event_alloc(start_info.domid)) > 0 && n <= PVHV_MAX_PORTS)
		n++;
	for (port = 1; port < PVHV_MAX_PORTS; port++)
		hc_event_close(port);
	check_eq(n, PVHV_MAX_PORTS - 1, "ports");
}

/* ---- page tables that a walk reads ---- */

#define VA	(SCRATCH_BASE + 0x5000000000)

static u64 *pte;
static u64 good[2];

static void change_table(void)
{
	static u64 state = 999;

	/* not present, reserved bits, no RAM */
	static const u64 bad[] = { 0, BIT(45) | 3, BIT(51) | 3, 0x3ffff000 | 3 };
	u64 what = next(&state) % 8;

	WRITE_ONCE(*pte, what < ARRAY_SIZE(bad) ? bad[what] : good[what & 1]);
	if (next(&state) & BIT(20))
		hc_flush_range(VA, VA + PAGE_SIZE, 0, 0);
}

TEST(tables)
{
	u64 *a = alloc_page(), *b = alloc_page(), value, reads[2] = {};

	a[0] = 0xa;
	b[0] = 0xb;
	good[0] = gpa_of(a) | PTE_P | PTE_W;
	good[1] = gpa_of(b) | PTE_P | PTE_W;
	map_page(VA, gpa_of(a), PTE_P | PTE_W);
	pte = entry_of(current_root, VA, 1);
	if (!begin(change_table))
		return;
	FOR_A_WHILE(i) {
		if (try_read(VA, &value)) {
			if (!check(value == 0xa || value == 0xb, "%#lx is read, of another page",
				   value))
				break;
			reads[value == 0xb]++;
		}
		hc_flush_range(VA, VA + PAGE_SIZE, 0, 0);
	}
	finish();
	printf("# read from two pages: %lu, %lu\n", reads[0], reads[1]);
	*pte = 0;
	flush_page(VA);
	check(!try_read(VA, &value), "it can be read afterwards");
}
