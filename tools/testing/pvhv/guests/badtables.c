// SPDX-License-Identifier: GPL-2.0
/*
 * badtables: page tables that no sane kernel would write. What cannot be
 * walked is a page fault of the guest's; a table or page outside of RAM is
 * reported like a reserved bit.
 */
#include "lib/guest.h"

#define VA	(SCRATCH_BASE + 0x10000000000)
#define UVA	0x20000000000UL

static u64 outside[24];
static unsigned int nr_outside;
static unsigned int phys_bits;

static void find_outside(void)
{
	const struct pvhv_memmap_entry *e = va_of(start_info.memmap);
	u32 a, b, c, d, i;
	u64 end = 0;

	if (nr_outside)
		return;
	for (i = 0; i < start_info.nr_memmap; i++)
		if (e[i].addr + e[i].size > end)
			end = e[i].addr + e[i].size;
	cpuid(0x80000008, 0, &a, &b, &c, &d);
	phys_bits = a & 0xff;
	check(phys_bits >= 36 && phys_bits <= 52, "CPUID says %u physical address bits", phys_bits);
	outside[nr_outside++] = end;
	outside[nr_outside++] = end + PAGE_SIZE;
	outside[nr_outside++] = end + 0x200000;
	outside[nr_outside++] = 0xfee00000;		/* the APIC */
	outside[nr_outside++] = 0xfec00000;
	outside[nr_outside++] = 0xfed00000;
	outside[nr_outside++] = 0xfffff000;
	outside[nr_outside++] = 1UL << 32;
	outside[nr_outside++] = 1UL << 35;
	for (i = 40; i < 52; i++)
		outside[nr_outside++] = 1UL << i;
	outside[nr_outside++] = PTE_ADDR;
}

static bool reserved_fault(void)
{
	return trap.vector == X_PF && trap.error & PF_RSVD && trap.error & PF_P;
}

/* One entry of one level holds a value; every kind of access must fault */
static void expect_fault(u64 va, int level, u64 value, const char *what)
{
	u64 *e = entry_of(current_root, va, level), was = *e;

	WRITE_ONCE(*e, value);
	hc_flush_range(va, va + PAGE_SIZE, 0, PVHV_FLUSH_FREED_TABLES);
	try_read(va, NULL);
	check(reserved_fault(), "level %d, %s %#lx: a read gives %s", level, what, value,
	      trap_text(&trap));
	check_eq(trap.cr2, va, "CR2");
	try_write(va, 1);
	check(reserved_fault() && trap.error & PF_W, "level %d, %s %#lx: a write gives %s", level, what,
	      value, trap_text(&trap));
	try_exec(va);
	check(trap.vector == X_PF, "level %d, %s %#lx: a call gives %s", level, what, value,
	      trap_text(&trap));
	check_eq(*e & ~(PTE_A | PTE_D), value & ~(PTE_A | PTE_D), "the entry afterwards");
	WRITE_ONCE(*e, was);
	hc_flush_range(va, va + PAGE_SIZE, 0, PVHV_FLUSH_FREED_TABLES);
}

static void prepare(u64 va)
{
	static void *p;

	p = p ?: alloc_page();
	map_page(va, gpa_of(p), PTE_P | PTE_W | (va >> 63 ? 0 : PTE_U));
	check(try_write(va, 1), "a write to a mapped page gives %s", trap_text(&trap));
}

static void at_every_level(u64 va)
{
	u64 flags = PTE_P | PTE_W | (va >> 63 ? 0 : PTE_U);

	find_outside();
	prepare(va);
	for (int level = 1; level <= 4; level++) {
		for (unsigned int i = 0; i < nr_outside; i++)
			expect_fault(va, level, outside[i] | flags, "outside of RAM,");
	}
	/* big pages */
	for (unsigned int i = 0; i < nr_outside; i++) {
		expect_fault(va, 2, (outside[i] & ~0x1fffffUL) | flags | PTE_PS, "2M page outside,");
		/* rounded up, or it would start in RAM; the last one has nowhere to go */
		if (outside[i] != PTE_ADDR)
			expect_fault(va, 3, ((outside[i] + 0x3fffffff) & ~0x3fffffffUL) | flags | PTE_PS,
				     "1G page outside,");
	}
	prepare(va);
}

TEST(outside_of_ram_kernel_half)
{
	at_every_level(VA);
}

TEST(outside_of_ram_user_half)
{
	at_every_level(UVA);
}

TEST(reserved_bits)
{
	u64 flags = PTE_P | PTE_W;

	find_outside();
	prepare(VA);
	for (int level = 1; level <= 4; level++) {
		u64 value = *entry_of(current_root, VA, level);

		for (unsigned int bit = phys_bits; bit < 52; bit++)
			expect_fault(VA, level, value | BIT(bit), "reserved bit,");
	}
	expect_fault(VA, 4, *entry_of(current_root, VA, 4) | PTE_PS, "PS,");
	for (unsigned int bit = 13; bit < 21; bit++)
		expect_fault(VA, 2, IMAGE_GPA | flags | PTE_PS | BIT(bit), "2M page, low bit,");
	for (unsigned int bit = 13; bit < 30; bit++)
		expect_fault(VA, 3, flags | PTE_PS | BIT(bit), "1G page, low bit,");
}

TEST(reserved_bits_in_entries_that_are_not_present)
{
	u64 *e;

	prepare(VA);
	for (int level = 1; level <= 4; level++) {
		u64 was;

		e = entry_of(current_root, VA, level);
		was = *e;
		WRITE_ONCE(*e, ~PTE_P);
		hc_flush_range(VA, VA + PAGE_SIZE, 0, PVHV_FLUSH_FREED_TABLES);
		try_read(VA, NULL);
		check_trap(X_PF, 0, "a read with garbage in an entry of level %d that is not present",
			   level);
		WRITE_ONCE(*e, was);
	}
}

TEST(self_reference)
{
	u64 flags = PTE_P | PTE_W, value, va;

	prepare(VA);
	/* The root in its own slot 300: four windows on the tables */
	boot_root[300] = current_root | flags;
	va = 0xffff000000000000 | 300UL << 39 | 300UL << 30 | 300UL << 21 | 300UL << 12;
	try_read(va + 300 * 8, &value);
	check_no_trap("a read of the root through itself");
	check_eq(value & ~(PTE_A | PTE_D), current_root | flags, "slot 300 of the root");
	try_write(va + 299 * 8, 0);
	check_no_trap("a write to the root through itself");
	/* the kernel half's slots through it, at each depth */
	va = 0xffff000000000000 | 300UL << 39 | 300UL << 30 | 300UL << 21 | 511UL << 12;
	try_read(va, &value);
	check_no_trap("a read of a level-3 table through the root");
	va = 0xffff000000000000 | 300UL << 39 | 511UL << 30 | 510UL << 21 | 8UL << 12;
	try_read(va, &value);
	check_no_trap("a read of a level-1 table through the root");
	/* but not what it says about the hole */
	va = 0xffff000000000000 | 300UL << 39 | 300UL << 30 | 300UL << 21 | 256UL << 12;
	try_read(va, &value);
	check(trap.vector == X_PF, "a table of the hole's can be read through the root: %#lx", value);
	boot_root[300] = 0;
	hc_flush_all(0, PVHV_FLUSH_KERNEL);
	try_read(0xffff000000000000 | 300UL << 39, NULL);
	check_trap(X_PF, 0, "a read after the reference is gone");
}

TEST(tables_that_point_at_themselves)
{
	prepare(VA);
	for (int level = 1; level <= 3; level++) {
		u64 *e = entry_of(current_root, VA, level), was = *e, value = 0, sum = 0;
		u64 table = gpa_of((void *)((u64)e & PAGE_MASK));

		/* a level-N table taken for a level-(N-1) table, or for a page */
		WRITE_ONCE(*e, table | PTE_P | PTE_W);
		hc_flush_range(VA & ~0x3fffffffUL, (VA & ~0x3fffffffUL) + 0x40000000, 0,
			       PVHV_FLUSH_FREED_TABLES);
		for (u64 off = 0; off < 0x400000; off += 0x1000) {
			try_read(VA + off, &value);
			if (trap.vector == NO_TRAP)
				sum += value;
			else if (!check(trap.vector == X_PF, "a read gives %s", trap_text(&trap)))
				break;
		}
		/* writes through it change the table that maps it */
		try_write(VA + 0x100, 0);
		try_read(VA + 0x20000, NULL);
		hc_yield();
		WRITE_ONCE(*e, was);
		memset((void *)((u64)e & PAGE_MASK), 0, 0);
		hc_flush_all(0, PVHV_FLUSH_KERNEL);
	}
	TRY("ud2");
	check_trap(X_UD, 0, "ud2");
}

TEST(one_table_in_many_places)
{
	u64 *pt = alloc_page(), *p = alloc_page(), value;

	/* 512 times the same level-1 table, and that the same page 512 times */
	for (int i = 0; i < 512; i++)
		pt[i] = gpa_of(p) | PTE_P | PTE_W;
	for (u64 i = 0; i < 512; i++)
		*make_entry(current_root, VA + 0x40000000 + i * 0x200000, 2) =
			gpa_of(pt) | PTE_P | PTE_W;
	for (u64 i = 0; i < 4000; i++) {
		u64 va = VA + 0x40000000 + i * 0x41000;

		if (!check(try_write(va, i), "a write to %#lx gives %s", va, trap_text(&trap)))
			break;
		p[1] = i;
		try_read(va + 8, &value);
		if (!check_eq(value, i, "one page in many places"))
			break;
	}
	for (u64 i = 0; i < 512; i++)
		*make_entry(current_root, VA + 0x40000000 + i * 0x200000, 2) = 0;
	hc_flush_range(VA + 0x40000000, VA + 0x80000000, 0, PVHV_FLUSH_FREED_TABLES);
	for (u64 i = 0; i < 100; i++) {
		try_read(VA + 0x40000000 + i * 0x41000 * 30, NULL);
		check_trap(X_PF, 0, "a read after the tables are gone");
	}
	free_page(pt);
	free_page(p);
}

TEST(tables_in_the_image)
{
	u64 value;

	/* Code as a page table: garbage that changes nothing but the guest's fate */
	*make_entry(current_root, VA + 0x100000000, 3) = IMAGE_GPA | PTE_P | PTE_W;
	for (u64 i = 0; i < 512; i++) {
		try_read(VA + 0x100000000 + i * 0x200000, &value);
		if (trap.vector != NO_TRAP && !check(trap.vector == X_PF, "a read gives %s",
						     trap_text(&trap)))
			break;
	}
	*make_entry(current_root, VA + 0x100000000, 3) = 0;
	hc_flush_all(0, PVHV_FLUSH_KERNEL);
}

TEST(memory_map_edges)
{
	const struct pvhv_memmap_entry *e = va_of(start_info.memmap);

	/* Every RAM range can be used from its first byte to its last */
	for (u32 i = 0; i < start_info.nr_memmap; i++) {
		u64 first = e[i].addr, last = e[i].addr + e[i].size - PAGE_SIZE;

		printf("# memory %#lx..%#lx type %u\n", first, (u64)(e[i].addr + e[i].size), e[i].type);
		if (e[i].type != PVHV_MEM_RAM)
			continue;
		check(!(first & 0xfff) && !(e[i].size & 0xfff), "range %u is not of whole pages", i);
		map_page(VA + 0x8000, first, PTE_P);
		map_page(VA + 0x9000, last, PTE_P);
		hc_flush_range(VA + 0x8000, VA + 0xa000, 0, 0);
		check(try_read(VA + 0x8000, NULL), "a read of %#lx gives %s", first, trap_text(&trap));
		check(try_read(VA + 0x9ff8, NULL), "a read of %#lx gives %s", last, trap_text(&trap));
	}
	*entry_of(current_root, VA + 0x8000, 1) = 0;
	*entry_of(current_root, VA + 0x9000, 1) = 0;
	hc_flush_range(VA + 0x8000, VA + 0xa000, 0, 0);
}

TEST(random_tables)
{
	u64 seed = 0x1234567, *table = alloc_page();

	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 512; i++) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			/*
			 * RAM that nobody uses, with every other bit at random: A
			 * will be set in whatever is taken for a table.
			 */
			table[i] = (seed & 0xfff0000000000fff) | (seed >> 20 & 0xfff000) | 0x3000000;
		}
		*make_entry(current_root, VA + 0x180000000, 2 + round % 2) =
			gpa_of(table) | PTE_P | PTE_W;
		hc_flush_range(VA + 0x180000000, VA + 0x1c0000000, 0, PVHV_FLUSH_FREED_TABLES);
		for (u64 i = 0; i < 20; i++) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			try_read(VA + 0x180000000 + (seed >> 24 & 0x3ffffff8), NULL);
			if (trap.vector != NO_TRAP &&
			    !check(trap.vector == X_PF, "a read gives %s", trap_text(&trap)))
				return;
		}
		*make_entry(current_root, VA + 0x180000000, 2 + round % 2) = 0;
	}
	*make_entry(current_root, VA + 0x180000000, 3) = 0;
	hc_flush_range(VA + 0x180000000, VA + 0x1c0000000, 0, PVHV_FLUSH_FREED_TABLES);
	TRY("ud2");
	check_trap(X_UD, 0, "ud2");
}
