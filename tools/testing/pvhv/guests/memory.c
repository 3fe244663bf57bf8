// SPDX-License-Identifier: GPL-2.0
/*
 * memory: guest RAM that nobody has touched yet, in each order of first uses.
 * The host provides it on demand: a zero page to who reads, a page to who writes.
 */
#include "lib/guest.h"

#define VA	(SCRATCH_BASE + 0x6000000000)
#define UVA	0x60000000000UL

static u64 next;	/* gpa; pages from here upwards are untouched */

static u64 untouched(void)
{
	if (!next)
		next = ram_end - 0x1800000;	/* the loader may have used the last pages */
	next += PAGE_SIZE;
	return next - PAGE_SIZE;
}

asm(".pushsection .user.text, \"ax\"\n"
    "user_read: mov (%rdi), %rax; syscall; ud2\n"
    ".popsection");
extern const char user_read[];

TEST(read_first)
{
	u64 value = 1;

	for (int i = 0; i < 20; i++) {
		check(try_read((u64)va_of(untouched()), &value), "a read gives %s", trap_text(&trap));
		check_eq(value, 0, "untouched memory");
	}
}

TEST(write_first)
{
	for (int i = 0; i < 20; i++) {
		u64 *p = va_of(untouched());

		check(try_write((u64)p, 5), "a write gives %s", trap_text(&trap));
		check_eq(p[0], 5, "what was written");
		check_eq(p[1], 0, "the word behind it");
	}
}

TEST(read_then_write)
{
	u64 value;

	for (int i = 0; i < 20; i++) {
		u64 *p = va_of(untouched());

		check(try_read((u64)p, &value), "a read gives %s", trap_text(&trap));
		check_eq(value, 0, "untouched memory");
		check(try_write((u64)p, 6), "a write gives %s", trap_text(&trap));
		check_eq(READ_ONCE(*p), 6, "what was written");
	}
	check(try_read((u64)va_of(untouched()), &value), "a read gives %s", trap_text(&trap));
	check_eq(value, 0, "the next untouched page");
}

TEST(read_only_mapping_first)
{
	u64 gpa = untouched(), value = 1;
	struct regs r;

	map_page(UVA, gpa, PTE_P | PTE_U);
	user_regs(&r, user_read);
	r.rdi = UVA;
	run_user(&r, BY_SYSRET);
	check_user(&r, VECTOR_SYSCALL, 0, "a user read");
	check_eq(r.rax, 0, "untouched memory");
	/* written through another mapping: both must see it */
	*(u64 *)va_of(gpa) = 0x77;
	check(try_read(UVA, &value), "a read gives %s", trap_text(&trap));
	check_eq(value, 0x77, "what was written elsewhere");
	*entry_of(current_root, UVA, 1) = 0;
	flush_page(UVA);
}

TEST(fetch_first)
{
	u64 gpa = untouched(), value;

	/* 00 00: ADD to where RAX points, which is this very page or nowhere */
	map_page(VA, gpa, PTE_P | PTE_W);
	try_exec(VA);
	check(trap.vector == X_PF || trap.vector == X_UD || trap.vector == X_GP,
	      "running an untouched page gives %s", trap_text(&trap));
	check(try_read(VA, &value), "a read gives %s", trap_text(&trap));
	*entry_of(current_root, VA, 1) = 0;
	flush_page(VA);
}

TEST(untouched_tables)
{
	u64 gpa[3] = { untouched(), untouched(), untouched() };

	/* Tables of zeroes that nobody has written */
	for (int level = 2; level <= 4; level++) {
		u64 va = VA + 0x8000000000 * level, *e = make_entry(current_root, va, level);

		*e = gpa[level - 2] | PTE_P | PTE_W;
		for (u64 i = 0; i < 8; i++) {
			try_read(va + i * 0x1201000, NULL);
			check_trap(X_PF, 0, "a read below an untouched table of level %d", level - 1);
		}
		*e = 0;
		hc_flush_range(va, va + 0x40000000, 0, PVHV_FLUSH_FREED_TABLES);
	}
}

TEST(hypercalls_on_untouched_memory)
{
	struct pvhv_multicall *m = va_of(untouched());
	u64 clock = untouched(), page = untouched(), text = untouched();
	static struct pvhv_vcpu_setup s __attribute__((aligned(256)));
	long r;

	check_eq(hc_multicall(gpa_of(m), 1), 1, "MULTICALL of zeroes");
	check_eq(m[0].result, -PVHV_ENOSYS, "hypercall 0");
	check_eq(hc_set_clock(clock), 0, "SET_CLOCK");
	r = hc_console_write(text, 1);
	check(r == 0 || r == 1, "CONSOLE_WRITE of an untouched page returns %ld", r);
	r = hc_console_read(untouched(), 1);
	check(r == 0, "CONSOLE_READ to an untouched page returns %ld", r);
	vcpu_setup_fill(&s, &cpu0);
	s.page_gpa = page;
	check_eq(hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(&s)), 0, "VCPU_SETUP with an untouched page");
	vcpu_setup();
	TRY("ud2");
	check_trap(X_UD, 0, "ud2");
	hc_set_ldt((u64)va_of(untouched()), 16);
	hc_set_ldt(0, 0);
}

TEST(untouched_root)
{
	u64 root = untouched();

	/* Its kernel half comes from what the hypervisor knows already, until a flush */
	check_eq(hc_load_cr3(root, 0, 0, 0), 0, "LOAD_CR3 of an untouched root");
	check_eq(hc_load_cr3(current_root, 0, 0, PVHV_CR3_FLUSH_ALL), 0, "LOAD_CR3");
}

TEST(all_of_ram)
{
	u64 n = 0, value;

	/* Everything above what we use: read, then written */
	for (u64 gpa = next; gpa < ram_end - 0x400000; gpa += PAGE_SIZE, n++) {
		if (!check(try_read((u64)va_of(gpa), &value), "a read of %#lx gives %s", gpa,
			   trap_text(&trap)))
			return;
		if (!check(try_write((u64)va_of(gpa) + 8, gpa), "a write to %#lx gives %s", gpa,
			   trap_text(&trap)))
			return;
	}
	for (u64 gpa = next; gpa < ram_end - 0x400000; gpa += PAGE_SIZE)
		if (!check_eq(((u64 *)va_of(gpa))[1], gpa, "what was written"))
			return;
	printf("# %lu pages\n", n);
}
