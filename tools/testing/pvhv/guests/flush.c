// SPDX-License-Identifier: GPL-2.0
/*
 * flush: after each kind of flush the old translation is gone.
 *
 * What is used between a change and its flush is the hypervisor's choice, as
 * with a TLB; these tests never look there.
 */
#include "lib/guest.h"

#define KVA	(SCRATCH_BASE + 0x2000000000)
#define UVA	0x30000000000UL

static u64 *a, *b;
static u64 gen;		/* of the current address space */

static u64 flags_for(u64 va)
{
	return PTE_P | PTE_W | (va >> 63 ? 0 : PTE_U);
}

asm(".pushsection .user.text, \"ax\"\n"
    "user_read: mov (%rdi), %rax; syscall; ud2\n"
    "user_write: mov %rsi, (%rdi); syscall; ud2\n"
    ".popsection");
extern const char user_read[], user_write[];

/* Each way to flush one page; false: this way does not apply */
static const char * const ways[] = {
	"FLUSH_RANGE", "FLUSH_RANGE of 2 MiB", "FLUSH_RANGE of a half", "FLUSH_RANGE with freed tables",
	"FLUSH_ALL", "LOAD_CR3 with FLUSH_ALL", "LOAD_CR3 with a newer generation", "FLUSH_RANGE in a multicall",
};

static bool flush(unsigned int way, u64 va)
{
	static struct pvhv_multicall call __attribute__((aligned(64)));
	static u64 ctx;
	long r = 0;

	switch (way) {
	case 0:
		r = hc_flush_range(va, va + PAGE_SIZE, 0, 0);
		break;
	case 1:
		r = hc_flush_range(va & ~0x1fffffUL, (va & ~0x1fffffUL) + 0x200000, 0, 0);
		break;
	case 2:
		r = hc_flush_range(va >> 63 ? 0xffff820000000000 : 0, va >> 63 ? ~0UL : USER_END, 0, 0);
		break;
	case 3:
		r = hc_flush_range(va, va + PAGE_SIZE, 0, PVHV_FLUSH_FREED_TABLES);
		break;
	case 4:
		r = hc_flush_all(0, va >> 63 ? PVHV_FLUSH_KERNEL : PVHV_FLUSH_USER);
		break;
	case 5:
		r = hc_load_cr3(current_root, 0, 0, PVHV_CR3_FLUSH_ALL);
		break;
	case 6:
		if (va >> 63)
			return false;	/* says nothing about the kernel half */
		ctx = ctx ?: new_ctx();
		r = hc_load_cr3(current_root, ctx, ++gen, 0);
		break;
	case 7:
		call.nr = PVHV_HC_FLUSH_RANGE;
		call.args[0] = va;
		call.args[1] = va + PAGE_SIZE;
		r = hc_multicall(gpa_of(&call), 1);
		r = r == 1 ? call.result : -1;
		break;
	}
	check_eq(r, 0, "%s of %#lx", ways[way], va);
	return true;
}

static void prepare(void)
{
	a = a ?: alloc_page();
	b = b ?: alloc_page();
	a[0] = 0xaaaa;
	b[0] = 0xbbbb;
}

/* From wherever the address can be seen */
static void check_value(u64 va, u64 want, const char *what)
{
	u64 value = 0;
	struct regs r;

	try_read(va, &value);
	check_no_trap("%s: a kernel read", what);
	check_eq(value, want, "%s: what kernel mode sees", what);
	if (va >> 63)
		return;
	user_regs(&r, user_read);
	r.rdi = va;
	run_user(&r, BY_SYSRET);
	check_user(&r, VECTOR_SYSCALL, 0, "%s: a user read", what);
	check_eq(r.rax, want, "%s: what user mode sees", what);
}

static void check_gone(u64 va, const char *what)
{
	struct regs r;

	try_read(va, NULL);
	check_trap(X_PF, 0, "%s: a kernel read of an unmapped page", what);
	if (va >> 63)
		return;
	user_regs(&r, user_read);
	r.rdi = va;
	run_user(&r, BY_SYSRET);
	check_user(&r, X_PF, PF_U, "%s: a user read of an unmapped page", what);
}

static void check_read_only(u64 va, const char *what)
{
	struct regs r;

	try_write(va, 1);
	check_trap(X_PF, PF_P | PF_W, "%s: a kernel write to a read-only page", what);
	if (va >> 63)
		return;
	user_regs(&r, user_write);
	r.rdi = va;
	run_user(&r, BY_SYSRET);
	check_user(&r, X_PF, PF_U | PF_P | PF_W, "%s: a user write to a read-only page", what);
}

static void make_writable_and_dirty(u64 va)
{
	struct regs r;

	check(try_write(va, 0xaaaa), "a write to a mapped page gives %s", trap_text(&trap));
	if (va >> 63)
		return;
	user_regs(&r, user_write);
	r.rdi = va;
	r.rsi = 0xaaaa;
	run_user(&r, BY_SYSRET);
	check_user(&r, VECTOR_SYSCALL, 0, "a user write to a mapped page");
}

static void one_page(u64 va)
{
	u64 *e = make_entry(current_root, va, 1);

	for (unsigned int way = 0; way < ARRAY_SIZE(ways); way++) {
		prepare();
		/* remapped */
		WRITE_ONCE(*e, gpa_of(a) | flags_for(va));
		if (!flush(way, va))
			continue;
		make_writable_and_dirty(va);
		check_value(va, 0xaaaa, ways[way]);
		WRITE_ONCE(*e, gpa_of(b) | flags_for(va));
		flush(way, va);
		check_value(va, 0xbbbb, ways[way]);
		/* made read-only */
		make_writable_and_dirty(va);
		WRITE_ONCE(*e, gpa_of(b) | (flags_for(va) & ~PTE_W));
		flush(way, va);
		check_read_only(va, ways[way]);
		/* and writable again, without a flush: a fault is no excuse */
		WRITE_ONCE(*e, gpa_of(b) | flags_for(va));
		make_writable_and_dirty(va);
		/* made a supervisor page */
		if (!(va >> 63)) {
			struct regs r;

			WRITE_ONCE(*e, gpa_of(b) | PTE_P | PTE_W);
			flush(way, va);
			check(try_read(va, NULL), "%s: a kernel read gives %s", ways[way],
			      trap_text(&trap));
			user_regs(&r, user_read);
			r.rdi = va;
			run_user(&r, BY_SYSRET);
			check_user(&r, X_PF, PF_U | PF_P, "%s: a user read of a supervisor page",
				   ways[way]);
		}
		/* unmapped */
		WRITE_ONCE(*e, 0);
		flush(way, va);
		check_gone(va, ways[way]);
		/* mapped without a flush */
		WRITE_ONCE(*e, gpa_of(b) | flags_for(va));
		b[0] = 0xb00b;
		check_value(va, 0xb00b, "a new mapping");
		WRITE_ONCE(*e, 0);
		flush(way, va);
	}
}

TEST(kernel_page)
{
	one_page(KVA + 0x5000);
}

TEST(user_page)
{
	one_page(UVA + 0x5000);
}

TEST(made_no_execute)
{
	u64 va = KVA + 0x7000, *e = make_entry(current_root, va, 1);

	prepare();
	a[0] = 0xc3c3c3c3c3c3c3c3;
	for (unsigned int way = 0; way < ARRAY_SIZE(ways); way++) {
		WRITE_ONCE(*e, gpa_of(a) | PTE_P);
		if (!flush(way, va))
			continue;
		check(try_exec(va), "%s: a call gives %s", ways[way], trap_text(&trap));
		WRITE_ONCE(*e, gpa_of(a) | PTE_P | PTE_NX);
		flush(way, va);
		try_exec(va);
		check_trap(X_PF, PF_P | PF_I, "%s: a call of a no-execute page", ways[way]);
	}
	WRITE_ONCE(*e, 0);
	flush(0, va);
}

TEST(many_pages_in_one_range)
{
	u64 *pages[64];

	for (u64 i = 0; i < 64; i++) {
		pages[i] = alloc_page();
		pages[i][0] = i;
	}
	for (int half = 0; half < 2; half++) {
		/* across the end of a level-1 table */
		u64 base = (half ? UVA : KVA) + 0x400000 - 32 * PAGE_SIZE;

		for (u64 i = 0; i < 64; i++)
			map_page(base + i * PAGE_SIZE, gpa_of(pages[i]), flags_for(base));
		for (u64 i = 0; i < 64; i++)
			make_writable_and_dirty(base + i * PAGE_SIZE);
		for (u64 i = 0; i < 64; i++) {
			pages[i][0] = i;
			map_page(base + i * PAGE_SIZE, gpa_of(pages[63 - i]), PTE_P | PTE_U);
		}
		hc_flush_range(base + 8 * PAGE_SIZE, base + 56 * PAGE_SIZE, 0, 0);
		for (u64 i = 8; i < 56; i++) {
			check_value(base + i * PAGE_SIZE, 63 - i, "a range");
			check_read_only(base + i * PAGE_SIZE, "a range");
		}
		hc_flush_range(base, base + 64 * PAGE_SIZE, 0, 0);
		check_value(base, 63, "a range");
		check_value(base + 63 * PAGE_SIZE, 0, "a range");
		for (u64 i = 0; i < 64; i++)
			map_page(base + i * PAGE_SIZE, 0, 0);
		hc_flush_range(base, base + 64 * PAGE_SIZE, 0, 0);
		for (u64 i = 0; i < 64; i += 7)
			check_gone(base + i * PAGE_SIZE, "a range");
	}
	for (u64 i = 0; i < 64; i++)
		free_page(pages[i]);
}

TEST(odd_range_ends)
{
	u64 va = KVA + 0x600000, *e = make_entry(current_root, va, 1);

	/* Any byte of a page in the range means the page */
	static const struct {
		u64 from, to;
	} ranges[] = { { 0, 1 }, { 4095, 4096 }, { 100, 200 }, { 0, 4096 }, { -1UL, 1 }, { 4095, 4097 } };

	prepare();
	for (unsigned int i = 0; i < ARRAY_SIZE(ranges); i++) {
		WRITE_ONCE(*e, gpa_of(a) | PTE_P | PTE_W);
		check_value(va, a[0], "mapped");
		WRITE_ONCE(*e, gpa_of(b) | PTE_P | PTE_W);
		hc_flush_range(va + ranges[i].from, va + ranges[i].to, 0, 0);
		check_value(va, b[0], "an odd range");
		WRITE_ONCE(*e, 0);
		flush(0, va);
	}
}

TEST(freed_table)
{
	for (int half = 0; half < 2; half++) {
		u64 va = (half ? UVA : KVA) + 0x800000, *pmd, *old, *new;

		prepare();
		map_page(va, gpa_of(a), flags_for(va));
		make_writable_and_dirty(va);
		pmd = entry_of(current_root, va, 2);
		old = va_of(*pmd & PTE_ADDR);
		/* another table takes its place, the old one is used for data */
		new = alloc_page();
		new[0] = gpa_of(b) | flags_for(va);
		WRITE_ONCE(*pmd, gpa_of(new) | flags_for(va));
		hc_flush_range(va, va + 0x200000, 0, PVHV_FLUSH_FREED_TABLES);
		check_value(va, b[0], "a new table");
		memset(old, 0xff, PAGE_SIZE);
		check_value(va, b[0], "a new table");
		for (u64 i = 1; i < 20; i++)
			check_gone(va + i * PAGE_SIZE, "a new table");
		/* gone altogether */
		WRITE_ONCE(*pmd, 0);
		hc_flush_range(va, va + 0x200000, 0, PVHV_FLUSH_FREED_TABLES);
		for (int i = 0; i < 512; i++)
			new[i] = 0xdead000000000fff;
		check_gone(va, "no table");
		free_page(old);
		free_page(new);
	}
}

TEST(freed_upper_tables)
{
	u64 va = UVA + 0x4000000000, value;
	u64 *pgd, *pud, *pmd, *pt;

	prepare();
	map_page(va, gpa_of(a), flags_for(va));
	make_writable_and_dirty(va);
	pgd = entry_of(current_root, va, 4);
	pud = va_of(*pgd & PTE_ADDR);
	pmd = va_of(*entry_of(current_root, va, 3) & PTE_ADDR);
	pt = va_of(*entry_of(current_root, va, 2) & PTE_ADDR);
	WRITE_ONCE(*pgd, 0);
	hc_flush_range(va, va + PAGE_SIZE, 0, PVHV_FLUSH_FREED_TABLES);
	free_page(pud);
	free_page(pmd);
	free_page(pt);
	check_gone(va, "three tables freed");
	/* the pages come back in another order */
	map_page(va, gpa_of(b), flags_for(va));
	check_value(va, b[0], "the tables used again");
	try_read(va + PAGE_SIZE, &value);
	check_trap(X_PF, 0, "the page behind it");
}

TEST(big_page_split_and_collapsed)
{
	u64 *big = alloc_pages_2m(), *pt = alloc_page(), *pmd, *other = alloc_page();

	for (int half = 0; half < 2; half++) {
		u64 va = (half ? UVA : KVA) + 0x40000000;

		for (u64 i = 0; i < 512; i++)
			big[i * 512] = i;
		other[0] = 0x07e6;
		pmd = make_entry(current_root, va, 2);
		WRITE_ONCE(*pmd, gpa_of(big) | flags_for(va) | PTE_PS);
		hc_flush_range(va, va + 0x200000, 0, 0);
		for (u64 i = 0; i < 512; i += 13)
			check_value(va + i * PAGE_SIZE, i, "a big page");
		make_writable_and_dirty(va + 5 * PAGE_SIZE);
		big[5 * 512] = 5;
		/* split: the same pages but one, which is elsewhere, and one read-only */
		for (u64 i = 0; i < 512; i++)
			pt[i] = (gpa_of(big) + i * PAGE_SIZE) | flags_for(va);
		pt[100] = gpa_of(other) | flags_for(va);
		pt[5] &= ~PTE_W;
		pt[200] = 0;
		WRITE_ONCE(*pmd, gpa_of(pt) | flags_for(va));
		hc_flush_range(va, va + 0x200000, 0, 0);
		for (u64 i = 0; i < 512; i += 13)
			if (i != 100 && i != 200)
				check_value(va + i * PAGE_SIZE, i, "a split page");
		check_value(va + 100 * PAGE_SIZE, 0x07e6, "a split page");
		check_read_only(va + 5 * PAGE_SIZE, "a split page");
		check_gone(va + 200 * PAGE_SIZE, "a split page");
		/* collapsed */
		WRITE_ONCE(*pmd, gpa_of(big) | flags_for(va) | PTE_PS);
		hc_flush_range(va, va + 0x200000, 0, PVHV_FLUSH_FREED_TABLES);
		memset(pt, 0xff, PAGE_SIZE);
		check_value(va + 100 * PAGE_SIZE, 100, "a collapsed page");
		check_value(va + 200 * PAGE_SIZE, 200, "a collapsed page");
		make_writable_and_dirty(va + 5 * PAGE_SIZE);
		big[5 * 512] = 5;
		/* narrowed as a whole, with a flush of one of its pages */
		WRITE_ONCE(*pmd, gpa_of(big) | (flags_for(va) & ~PTE_W) | PTE_PS);
		hc_flush_range(va, va + 0x200000, 0, 0);
		for (u64 i = 0; i < 512; i += 51)
			check_read_only(va + i * PAGE_SIZE, "a read-only big page");
		WRITE_ONCE(*pmd, 0);
		hc_flush_range(va, va + 0x200000, 0, 0);
		check_gone(va, "no big page");
		check_gone(va + 300 * PAGE_SIZE, "no big page");
	}
	free_page(other);
	free_page(pt);
}

TEST(narrowed_at_every_level)
{
	prepare();
	for (int half = 0; half < 2; half++) {
		u64 va = (half ? UVA + 0x8000000000 : KVA + 0x8000000000);

		map_page(va, gpa_of(a), flags_for(va));
		for (int level = 1; level <= 4; level++) {
			u64 *e = entry_of(current_root, va, level), was;

			make_writable_and_dirty(va);
			was = *e;
			WRITE_ONCE(*e, was & ~PTE_W);
			/* A part of 2 MiB in the user half is about leaves. */
			hc_flush_range(va, va + PAGE_SIZE, 0,
				       half && level > 1 ? PVHV_FLUSH_FREED_TABLES : 0);
			check_read_only(va, "an upper entry");
			WRITE_ONCE(*e, was);
			make_writable_and_dirty(va);
			WRITE_ONCE(*e, 0);
			hc_flush_range(va, va + PAGE_SIZE, 0, PVHV_FLUSH_FREED_TABLES);
			check_gone(va, "an upper entry");
			WRITE_ONCE(*e, was);
			check_value(va, 0xaaaa, "an upper entry that is back");
		}
		*entry_of(current_root, va, 1) = 0;
		flush(0, va);
	}
}

TEST(widened_without_a_flush)
{
	u64 va = UVA + 0xc00000, *e = make_entry(current_root, va, 1);
	struct regs r;

	prepare();
	for (int i = 0; i < 50; i++) {
		WRITE_ONCE(*e, 0);
		flush(0, va);
		check_gone(va, "unmapped");
		WRITE_ONCE(*e, gpa_of(a) | PTE_P);
		check(try_read(va, NULL), "a kernel read gives %s", trap_text(&trap));
		WRITE_ONCE(*e, gpa_of(a) | PTE_P | PTE_U);
		user_regs(&r, user_read);
		r.rdi = va;
		run_user(&r, BY_SYSRET);
		check_user(&r, VECTOR_SYSCALL, 0, "a read of a page that has become user mode's");
		WRITE_ONCE(*e, gpa_of(a) | PTE_P | PTE_U | PTE_W);
		user_regs(&r, user_write);
		r.rdi = va;
		run_user(&r, BY_SYSRET);
		check_user(&r, VECTOR_SYSCALL, 0, "a write to a page that has become writable");
	}
	WRITE_ONCE(*e, 0);
	flush(0, va);
}

TEST(ten_thousand_remaps)
{
	u64 va = KVA + 0xe00000, *e = make_entry(current_root, va, 1), value;
	u64 *pages[8];

	for (u64 i = 0; i < 8; i++) {
		pages[i] = alloc_page();
		pages[i][0] = i;
	}
	for (u64 i = 0; i < 10000; i++) {
		WRITE_ONCE(*e, gpa_of(pages[i % 8]) | PTE_P | PTE_W);
		hc_flush_range(va, va + PAGE_SIZE, 0, 0);
		value = READ_ONCE(*(u64 *)va);
		if (!check_eq(value, i % 8, "what is mapped at the %lu-th time", i))
			break;
	}
	WRITE_ONCE(*e, 0);
	flush(0, va);
}

TEST(invlpg)
{
	u64 va = KVA + 0xf00000, *e = make_entry(current_root, va, 1);

	prepare();
	for (int i = 0; i < 100; i++) {
		WRITE_ONCE(*e, gpa_of(i & 1 ? a : b) | PTE_P | PTE_W);
		asm volatile("invlpg (%0)" : : "r"(va) : "memory");
		check_value(va, i & 1 ? a[0] : b[0], "INVLPG");
	}
	WRITE_ONCE(*e, 0);
	asm volatile("invlpg (%0)" : : "r"(va) : "memory");
	check_gone(va, "INVLPG");
}

/* The ends of both halves, where range arithmetic wraps */
TEST(edge_pages)
{
	static const struct {
		u64 va, to;
	} edges[] = {
		{ 0, PAGE_SIZE }, { USER_END, USER_END + PAGE_SIZE },
		{ 0xfffffffffffff000, ~0UL }, { 0xffff820000000000, 0xffff820000001000 },
	};

	prepare();
	for (unsigned int i = 0; i < ARRAY_SIZE(edges) * 2; i++) {
		u64 va = edges[i / 2].va, *e = make_entry(current_root, va, 1);

		for (int j = 0; j < 4; j++) {
			WRITE_ONCE(*e, j < 3 ? gpa_of(j & 1 ? a : b) | flags_for(va) : 0);
			if (i & 1)
				asm volatile("invlpg (%0)" : : "r"(va) : "memory");
			else
				check_eq(hc_flush_range(va, edges[i / 2].to, 0, 0), 0,
					 "FLUSH_RANGE of %#lx", va);
			if (j < 3)
				check_value(va, j & 1 ? a[0] : b[0], "an edge page");
			else
				check_gone(va, "an edge page");
		}
	}
}

TEST(kernel_text_remapped)
{
	u64 value;

	/* The page that runs is flushed away under our feet, and comes back */
	for (int i = 0; i < 100; i++) {
		hc_flush_all(0, PVHV_FLUSH_KERNEL);
		hc_flush_range(0xffffffff81000000, 0xffffffff81400000, 0, PVHV_FLUSH_FREED_TABLES);
		hc_load_cr3(current_root, 0, 0, PVHV_CR3_FLUSH_ALL);
	}
	value = *(u64 *)va_of(IMAGE_GPA);
	check_eq(*(u64 *)0xffffffff81000000, value, "the first word of the image");
}
