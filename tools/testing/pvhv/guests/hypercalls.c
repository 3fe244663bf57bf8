// SPDX-License-Identifier: GPL-2.0
/*
 * hypercalls: every number, with arguments from a careless or hostile kernel.
 *
 * Misuse gives an error between -1 and -4095 and changes nothing. What each
 * call does when used well is for other guests to show.
 */
#include "lib/guest.h"

static u8 page[2 * PAGE_SIZE] __page_aligned;

static bool is_error(long r)
{
	return r < 0 && r >= -4095;
}

/* Places where no structure of 16 bytes or more can be; filled in once */
static u64 bad_gpas[40];
static unsigned int nr_bad_gpas;

static void find_bad_gpas(void)
{
	const u64 own = gpa_of(page);
	const u64 list[] = {
		own + 1, own + 2, own + 4, own + 7,		/* not aligned */
		own + PAGE_SIZE - 1, own + PAGE_SIZE - 4,
		own + PAGE_SIZE - 8,				/* not in one page */
		1UL << 40, 1UL << 46, 1UL << 47, 1UL << 51, 1UL << 52, 1UL << 62, 1UL << 63,
		(1UL << 63) + own, (1UL << 52) + own, (1UL << 47) + own,
		~0UL, -8UL, -PAGE_SIZE, ~PAGE_SIZE, (1UL << 52) - PAGE_SIZE, (1UL << 52) - 8,
		0x7fffffffffffffff, 0x7ffffffffffff000, 0xfffffffffffffff0,
		HOLE_BASE, HOLE_BASE + 0x10000, (u64)page, DIRECT_BASE, DIRECT_BASE + own,
		0x800000000000,
	};

	if (nr_bad_gpas)
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(list); i++)
		bad_gpas[nr_bad_gpas++] = list[i];
	bad_gpas[nr_bad_gpas++] = 0x100000000000;
	bad_gpas[nr_bad_gpas++] = 1UL << 45;
}

/* Past the last RAM of the memory map */
static u64 past_ram(void)
{
	const struct pvhv_memmap_entry *e = va_of(start_info.memmap);
	u64 end = 0;

	for (u32 i = 0; i < start_info.nr_memmap; i++)
		if (e[i].type == PVHV_MEM_RAM && e[i].addr + e[i].size > end)
			end = e[i].addr + e[i].size;
	return end;
}

TEST(unknown_numbers)
{
	static const u64 numbers[] = {
		0, PVHV_NR_HYPERCALLS, PVHV_NR_HYPERCALLS + 1, 63, 64, 65, 100, 255, 256, 1000, 4095,
		0x7fffffff, 0x80000000, 0xffffffff, 1UL << 32, (1UL << 32) + PVHV_HC_GET_TIME,
		(1UL << 63) + PVHV_HC_GET_TIME, (1UL << 31) + PVHV_HC_YIELD, ~0UL, -(u64)PVHV_HC_GET_TIME,
		0x4141414141414141,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++)
		check_eq(hypercall6(numbers[i], ~0UL, ~0UL, ~0UL, ~0UL, ~0UL, ~0UL), -PVHV_ENOSYS,
			 "hypercall %#lx", numbers[i]);
	for (u64 nr = PVHV_NR_HYPERCALLS; nr < PVHV_NR_HYPERCALLS + 200; nr++)
		check_eq(hypercall0(nr), -PVHV_ENOSYS, "hypercall %#lx", nr);
}

TEST(unused_arguments)
{
	/* Calls look at no more arguments than they have */
	check(hypercall6(PVHV_HC_GET_TIME, ~0UL, 1, 2, 3, 4, 5) > 0, "GET_TIME looks at arguments");
	check_eq(hypercall6(PVHV_HC_YIELD, ~0UL, ~0UL, ~0UL, ~0UL, ~0UL, ~0UL), 0, "YIELD's result");
	check(hypercall6(PVHV_HC_GET_CAUSES, ~0UL, 1, 2, 3, 4, 5) >= 0, "GET_CAUSES fails");
	check_eq(hypercall6(PVHV_HC_GET_VCPUS, ~0UL, 1, 2, 3, 4, 5), 0, "GET_VCPUS, nobody has said");
}

TEST(vcpu_setup_bad_gpa)
{
	long r;

	find_bad_gpas();
	for (unsigned int i = 0; i < nr_bad_gpas; i++) {
		r = hypercall1(PVHV_HC_VCPU_SETUP, bad_gpas[i]);
		check(is_error(r), "VCPU_SETUP(%#lx) returns %ld", bad_gpas[i], r);
	}
	r = hypercall1(PVHV_HC_VCPU_SETUP, past_ram());
	check(is_error(r), "VCPU_SETUP past RAM returns %ld", r);
	r = hypercall1(PVHV_HC_VCPU_SETUP, past_ram() - 8);
	check(is_error(r), "VCPU_SETUP at the end of RAM returns %ld", r);
	TRY("ud2");
	check_trap(X_UD, 0, "an event after that");
}

TEST(vcpu_setup_bad_fields)
{
	struct pvhv_vcpu_setup *s = (void *)page;
	long r;

	find_bad_gpas();
	for (unsigned int i = 0; i < nr_bad_gpas + 2; i++) {
		vcpu_setup_fill(s, &cpu0);
		s->page_gpa = i < nr_bad_gpas ? bad_gpas[i] : i == nr_bad_gpas ? past_ram() :
			gpa_of(vp) + 8;
		r = hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(s));
		check(is_error(r), "a vCPU page at %#lx is accepted (%ld)", (u64)s->page_gpa, r);
	}
	/* bit 0 is of directfaults */
	for (unsigned int bit = 1; bit < 64; bit++) {
		vcpu_setup_fill(s, &cpu0);
		s->flags = BIT(bit);
		r = hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(s));
		check_eq(r, -PVHV_EINVAL, "VCPU_SETUP with flag %u", bit);
	}
	for (unsigned int i = 0; i < 5; i++) {
		vcpu_setup_fill(s, &cpu0);
		s->reserved[i] = 1UL << (i * 13);
		r = hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(s));
		check_eq(r, -PVHV_EINVAL, "VCPU_SETUP with reserved[%u] set", i);
	}
	for (unsigned int i = 2; i < 11; i++) {
		static const u64 bad[] = { 1UL << 47, 1UL << 63, 0xffff7fffffffffff, 0x4141414141414141 };

		for (unsigned int j = 0; j < ARRAY_SIZE(bad); j++) {
			vcpu_setup_fill(s, &cpu0);
			((u64 *)s)[i] = bad[j];
			r = hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(s));
			check(is_error(r), "VCPU_SETUP with %#lx at offset %u returns %ld", bad[j],
			      i * 8, r);
		}
	}
	TRY("ud2");
	check_trap(X_UD, 0, "an event after that");
}

TEST(load_cr3_bad_arguments)
{
	static const u64 bad_flags[] = { 2, 4, 0x100, 1UL << 31, 1UL << 32, 1UL << 63, ~0UL };
	const u64 ctx = new_ctx();
	long r;

	find_bad_gpas();
	for (unsigned int i = 0; i < nr_bad_gpas; i++) {
		if (bad_gpas[i] < ram_end && !(bad_gpas[i] & 0xfff))
			continue;
		r = hc_load_cr3(bad_gpas[i], ctx, 1, 0);
		check(is_error(r), "LOAD_CR3(%#lx) returns %ld", bad_gpas[i], r);
	}
	r = hc_load_cr3(past_ram(), ctx, 1, 0);
	check(is_error(r), "LOAD_CR3 of a root past RAM returns %ld", r);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad_flags); i++) {
		r = hc_load_cr3(current_root, ctx, 1, bad_flags[i]);
		check_eq(r, -PVHV_EINVAL, "LOAD_CR3 with flags %#lx", bad_flags[i]);
	}
	check_eq(hc_load_cr3(current_root, ctx, 1, PVHV_CR3_FLUSH_ALL), -PVHV_EINVAL,
		 "LOAD_CR3 with a ctx_id and FLUSH_ALL");
	check_eq(hc_load_cr3(current_root, 0, 1, 0), 0, "LOAD_CR3 of an address space without a name");
	check_eq(hc_load_cr3(current_root, ctx, 1, 0), 0, "LOAD_CR3 of the boot root");
}

TEST(flush_bad_arguments)
{
	static const struct {
		u64 from, to;
	} ranges[] = {
		{ 0, 0 }, { 0x1000, 0 }, { 0, ~0UL }, { 5, 5 }, { ~0UL, 0 }, { ~0UL, ~0UL }, { 1, 2 },
		{ 0, 1UL << 63 }, { 1UL << 63, 0 }, { 0x7fffffffffff, 0x800000000000 },
		{ 0x7ffffffff000, 0xffff800000000000 }, { HOLE_BASE, HOLE_BASE + (4UL << 39) },
		{ HOLE_BASE - 1, HOLE_BASE + 1 }, { 0, 1UL << 47 }, { 0xffff888000000000, ~0UL },
		{ 0xffffffffffffe000, 0 }, { 0xfffffffffffff000, ~0UL }, { 0x4141414141414141, 0x5 },
		{ 0x800000000000, 0xffff7fffffffffff }, { 0x400000, 0x3ff000 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(ranges); i++) {
		long r = hc_flush_range(ranges[i].from, ranges[i].to, 0, 0);

		check(r == 0 || is_error(r), "FLUSH_RANGE(%#lx, %#lx) returns %ld", ranges[i].from,
		      ranges[i].to, r);
		r = hc_flush_range(ranges[i].from, ranges[i].to, 0, PVHV_FLUSH_FREED_TABLES);
		check(r == 0 || is_error(r), "FLUSH_RANGE(%#lx, %#lx) with freed tables returns %ld",
		      ranges[i].from, ranges[i].to, r);
	}
	for (unsigned int bit = 1; bit < 64; bit++)
		check_eq(hc_flush_range(0x1000, 0x2000, 0, BIT(bit)),
			 BIT(bit) == PVHV_FLUSH_EVERYWHERE ? 0 : -PVHV_EINVAL,
			 "FLUSH_RANGE with flag %u", bit);
	for (unsigned int bit = 3; bit < 64; bit++)
		check_eq(hc_flush_all(0, BIT(bit)), -PVHV_EINVAL, "FLUSH_ALL with flag %u", bit);
	check_eq(hc_flush_all(0, PVHV_FLUSH_USER | PVHV_FLUSH_KERNEL), 0, "FLUSH_ALL(user, kernel)");
}

static void bad_buffers(const char *name, u64 nr)
{
	static const u64 lengths[] = {
		1UL << 31, 1UL << 32, (1UL << 32) + 1, 1UL << 52, 1UL << 63, ~0UL, -PAGE_SIZE,
	};
	/* With no input there is nothing to copy, and the buffer is not looked at */
	const bool nothing = nr == PVHV_HC_CONSOLE_READ;
	const u64 end = past_ram();
	long r;

	find_bad_gpas();
	for (unsigned int i = 0; i < nr_bad_gpas; i++) {
		if (bad_gpas[i] < end)
			continue;
		r = hypercall2(nr, bad_gpas[i], 16);
		check(is_error(r) || (!r && nothing), "%s(%#lx, 16) returns %ld", name, bad_gpas[i], r);
		r = hypercall2(nr, bad_gpas[i], 0);
		check(r == 0 || is_error(r), "%s(%#lx, 0) returns %ld", name, bad_gpas[i], r);
	}
	r = hypercall2(nr, end, 1);
	check(is_error(r) || (!r && nothing), "%s past RAM returns %ld", name, r);
	for (unsigned int i = 0; i < ARRAY_SIZE(lengths); i++) {
		/* May do as much as it likes to, but not fail the host */
		memset(page, 0, sizeof(page));
		if (nr == PVHV_HC_CONSOLE_WRITE) {
			r = hypercall2(nr, end - 8, lengths[i]);
			check(is_error(r) || (r >= 0 && r <= 8), "%s(end - 8, %#lx) returns %ld", name,
			      lengths[i], r);
		}
		r = hypercall2(nr, ~0UL - 3, lengths[i]);
		check(is_error(r) || (!r && nothing), "%s(-4, %#lx) returns %ld", name, lengths[i], r);
		r = hypercall2(nr, -lengths[i] + 8, lengths[i]);
		check(is_error(r) || -lengths[i] + 8 < end || (!r && nothing),
		      "%s(-%#lx + 8, %#lx) returns %ld", name, lengths[i], lengths[i], r);
	}
}

TEST(console_write_bad_buffer)
{
	bad_buffers("CONSOLE_WRITE", PVHV_HC_CONSOLE_WRITE);
	printf("\n");
}

TEST(console_read_bad_buffer)
{
	bad_buffers("CONSOLE_READ", PVHV_HC_CONSOLE_READ);
}

TEST(set_clock_bad_page)
{
	long r;

	find_bad_gpas();
	for (unsigned int i = 0; i < nr_bad_gpas; i++) {
		r = hc_set_clock(bad_gpas[i]);
		check(is_error(r), "SET_CLOCK(%#lx) returns %ld", bad_gpas[i], r);
	}
	r = hc_set_clock(past_ram());
	check(is_error(r), "SET_CLOCK past RAM returns %ld", r);
}

TEST(vcpu_up_bad_arguments)
{
	long r;

	find_bad_gpas();
	for (unsigned int i = 0; i < nr_bad_gpas; i++) {
		r = hypercall2(PVHV_HC_VCPU_UP, 0, bad_gpas[i]);
		check(is_error(r), "VCPU_UP(0, %#lx) returns %ld", bad_gpas[i], r);
		r = hypercall2(PVHV_HC_VCPU_UP, bad_gpas[i], bad_gpas[i]);
		check(is_error(r), "VCPU_UP(%#lx, %#lx) returns %ld", bad_gpas[i], bad_gpas[i], r);
		r = hypercall2(PVHV_HC_VCPU_UP, bad_gpas[i], gpa_of(page));
		check(is_error(r), "VCPU_UP(%#lx) returns %ld", bad_gpas[i], r);
	}
	memset(page, 0, sizeof(page));
	r = hypercall2(PVHV_HC_VCPU_UP, 0, gpa_of(page));
	check(is_error(r), "VCPU_UP of the running vCPU returns %ld", r);
	r = hypercall2(PVHV_HC_VCPU_UP, start_info.nr_vcpus, gpa_of(page));
	check(is_error(r), "VCPU_UP of a vCPU that is not there returns %ld", r);
	r = hypercall2(PVHV_HC_VCPU_UP, 64, gpa_of(page));
	check(is_error(r), "VCPU_UP(64) returns %ld", r);
}

TEST(send_ipi_bad_arguments)
{
	static const struct {
		u64 first, mask, vector;
	} calls[] = {
		{ 0, 1, 256 }, { 0, 1, ~0UL }, { 0, 1, 0 }, { 0, 1, 1 }, { 0, 1, 3 }, { 0, 1, 14 },
		{ 0, 1, 31 }, { 0, 1, (1UL << 32) + 0x30 }, { ~0UL, 1, 0x30 }, { 64, 1, 0x30 },
		{ 1UL << 32, 1, 0x30 }, { 1UL << 63, 1, 0x30 }, { ~0UL - 62, ~0UL, 0x30 },
		{ 0, 1UL << 63, 0x30 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		long r = hc_send_ipi(calls[i].first, calls[i].mask, calls[i].vector);

		/* IPIs to vCPUs that are not there may be taken and lost */
		check(is_error(r) || (r == 0 && calls[i].vector == 0x30),
		      "SEND_IPI(%#lx, %#lx, %#lx) returns %ld", calls[i].first, calls[i].mask,
		      calls[i].vector, r);
	}
}

TEST(send_ipi_to_self)
{
	u64 before;

	irq_disable();
	for (unsigned int v = 0x20; v < 256; v++) {
		if (v == 0x80)
			continue;
		before = irq_count[v];
		check_eq(hc_send_ipi(0, 1, v), 0, "SEND_IPI(0, 1, %#x)", v);
		check_eq(vp->pending, 1, "PENDING after an IPI to oneself");
		check_eq(irq_count[v], before, "interrupts %#x with VIF clear", v);
		irq_enable();
		irq_disable();
		check_eq(irq_count[v], before + 1, "interrupts %#x", v);
	}
}

TEST(timer_arguments)
{
	static const u64 times[] = { ~0UL, 1UL << 63, (1UL << 63) - 1, 1UL << 62, 1UL << 40 };

	for (unsigned int i = 0; i < ARRAY_SIZE(times); i++) {
		u64 before = irq_count[PVHV_VECTOR_TIMER];
		long r = hc_set_timer(times[i]);

		check(r == 0 || is_error(r), "SET_TIMER(%#lx) returns %ld", times[i], r);
		irq_enable();
		delay_ns(200000);
		irq_disable();
		check_eq(irq_count[PVHV_VECTOR_TIMER], before, "timer interrupts after SET_TIMER(%#lx)",
			 times[i]);
	}
	check_eq(hc_set_timer(0), 0, "SET_TIMER(0)");
}

TEST(descriptor_arguments)
{
	static const u64 gvas[] = {
		0, 1, SCRATCH_BASE + 0x40000, HOLE_BASE, 1UL << 47, 1UL << 63, ~0UL, -8UL, USER_END,
	};
	static const u64 counts[] = { 1, 2, 8191, 8192, 8193, 65536, 1UL << 31, 1UL << 32, 1UL << 61, ~0UL };
	long r;

	for (unsigned int i = 0; i < ARRAY_SIZE(gvas); i++) {
		for (unsigned int j = 0; j < ARRAY_SIZE(counts); j++) {
			r = hc_set_ldt(gvas[i], counts[j]);
			check(is_error(r), "SET_LDT(%#lx, %#lx) returns %ld", gvas[i], counts[j], r);
		}
	}
	for (unsigned int j = 3; j < ARRAY_SIZE(counts); j++) {
		if (counts[j] <= 8192)
			continue;
		r = hc_set_ldt((u64)page, counts[j]);
		check(is_error(r), "SET_LDT of %#lx entries returns %ld", counts[j], r);
	}
	check_eq(hc_set_ldt(0, 0), 0, "SET_LDT(0, 0)");
	for (u64 sel = 0; sel < 0x20000; sel += sel < 0x200 ? 1 : 0x111) {
		r = hc_load_gs_index(sel);
		check(r == 0 || is_error(r), "LOAD_GS_INDEX(%#lx) returns %ld", sel, r);
		if (sel > 0xffff)
			check(is_error(r), "LOAD_GS_INDEX(%#lx) is accepted", sel);
	}
	check_eq(hc_load_gs_index(0), 0, "LOAD_GS_INDEX(0)");
	r = hc_set_cpunode(1UL << 20);
	check(is_error(r), "SET_CPUNODE of 21 bits returns %ld", r);
	r = hc_set_cpunode(~0UL);
	check(is_error(r), "SET_CPUNODE(-1) returns %ld", r);
	check_eq(hc_set_cpunode(0), 0, "SET_CPUNODE(0)");
}

TEST(set_base_arguments)
{
	static const u64 bad[] = { 1UL << 47, 1UL << 63, 0xffff7fffffffffff, 0x4141414141414141 };
	long r;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		r = hc_set_base(PVHV_BASE_FS, bad[i]);
		check(is_error(r), "SET_BASE(FS, %#lx) returns %ld", bad[i], r);
		r = hc_set_base(PVHV_BASE_KERNEL_GS, bad[i]);
		check(is_error(r), "SET_BASE(kernel GS, %#lx) returns %ld", bad[i], r);
	}
	for (u64 which = 2; which < 66; which++) {
		r = hc_set_base(which, 0);
		check(is_error(r), "SET_BASE(%lu) returns %ld", which, r);
	}
	r = hc_set_base(1UL << 32, 0);
	check(is_error(r), "SET_BASE(1 << 32) returns %ld", r);
}

TEST(debugreg_arguments)
{
	static const u64 bad[] = { 4, 5, 8, 9, 63, 64, 255, 1UL << 32, (1UL << 32) + 7, ~0UL };
	long r;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		r = hc_set_debugreg(bad[i], 0);
		check(is_error(r), "SET_DEBUGREG(%#lx) returns %ld", bad[i], r);
		r = hc_get_debugreg(bad[i]);
		check(is_error(r), "GET_DEBUGREG(%#lx) returns %ld", bad[i], r);
	}
}

TEST(mm_drop_arguments)
{
	static const u64 ids[] = { 0, 12345, ~0UL, 1UL << 63, 1UL << 32 };

	for (unsigned int i = 0; i < ARRAY_SIZE(ids); i++) {
		long r = hc_mm_drop(ids[i]);

		check(r == 0 || is_error(r), "MM_DROP(%#lx) returns %ld", ids[i], r);
	}
}

TEST(cpuid_arguments)
{
	/* Any leaf has an answer; none names the host's CPU features that a guest cannot have */
	for (u64 i = 0; i < 64; i++) {
		check_eq(hc_cpuid(BIT(i), BIT(63 - i)), i < 32 ? 0 : hc_cpuid(BIT(i), 0),
			 "CPUID(%#lx)", BIT(i));
	}
	for (u32 leaf = 0; leaf < 0x40; leaf++)
		for (u32 sub = 0; sub < 20; sub++)
			check_eq(hc_cpuid(leaf, sub), 0, "CPUID(%#x, %#x)", leaf, sub);
}

TEST(multicall_bad_arguments)
{
	static const u64 counts[] = { PVHV_MULTICALL_MAX + 1, 1000, 1UL << 31, 1UL << 32, 1UL << 58,
				      1UL << 63, ~0UL };
	long r;

	find_bad_gpas();
	memset(page, 0, sizeof(page));
	for (unsigned int i = 0; i < nr_bad_gpas; i++) {
		r = hc_multicall(bad_gpas[i], 1);
		check(is_error(r), "MULTICALL(%#lx, 1) returns %ld", bad_gpas[i], r);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(counts); i++) {
		r = hc_multicall(gpa_of(page), counts[i]);
		check(is_error(r), "MULTICALL of %#lx calls returns %ld", counts[i], r);
	}
	r = hc_multicall(past_ram(), 1);
	check(is_error(r), "MULTICALL past RAM returns %ld", r);
}
