// SPDX-License-Identifier: GPL-2.0
/*
 * roots: many address spaces, their names and generations.
 *
 * timeout: 240
 * options: --memory 128M
 */
#include "lib/guest.h"

#define VA	0x40000000000UL
#define KVA	(SCRATCH_BASE + 0x3000000000)

struct space {
	u64 root, ctx, gen;
	u64 *page;
};

asm(".pushsection .user.text, \"ax\"\n"
    "user_read: mov (%rdi), %rax; syscall; ud2\n"
    ".popsection");
extern const char user_read[];

static void load(struct space *s)
{
	long r = hc_load_cr3(s->root, s->ctx, s->gen, 0);

	if (r)
		panic("LOAD_CR3(%#lx, %lu, %lu) returns %ld", s->root, s->ctx, s->gen, r);
	current_root = s->root;
}

static void make(struct space *s, u64 value)
{
	s->root = new_root();
	s->ctx = new_ctx();
	s->gen = 1;
	s->page = alloc_page();
	s->page[0] = value;
	*make_entry(s->root, VA, 1) = gpa_of(s->page) | PTE_P | PTE_W | PTE_U;
}

static void free_tables(u64 table, int level)
{
	u64 *e = va_of(table & PTE_ADDR);

	for (int i = 0; i < (level == 4 ? 256 : 512); i++)
		if (level > 1 && e[i] & PTE_P)
			free_tables(e[i], level - 1);
	free_page(e);
}

static void unmake(struct space *s)
{
	hc_mm_drop(s->ctx);
	free_tables(s->root, 4);
	free_page(s->page);
}

static void check_space(u64 want, const char *what)
{
	struct regs r;
	u64 value;

	try_read(VA, &value);
	check_no_trap("%s: a kernel read", what);
	check_eq(value, want, "%s: what kernel mode sees", what);
	user_regs(&r, user_read);
	r.rdi = VA;
	run_user(&r, BY_SYSRET);
	check_user(&r, VECTOR_SYSCALL, 0, "%s: a user read", what);
	check_eq(r.rax, want, "%s: what user mode sees", what);
}

static u64 boot;

static void back_to_boot(void)
{
	if (hc_load_cr3(boot, 0, 0, 0) && hc_load_cr3(boot, 0, 0, PVHV_CR3_FLUSH_ALL))
		panic("the boot root cannot be loaded");
	current_root = boot;
}

TEST(two_spaces)
{
	struct space s[2];

	boot = current_root;
	make(&s[0], 100);
	make(&s[1], 101);
	for (int i = 0; i < 200; i++) {
		load(&s[i % 2]);
		check_space(100 + i % 2, "one of two spaces");
	}
	back_to_boot();
	try_read(VA, NULL);
	check_trap(X_PF, 0, "a read where the boot root has nothing");
	unmake(&s[0]);
	unmake(&s[1]);
}

TEST(same_root_again)
{
	struct space s;

	make(&s, 5);
	for (int i = 0; i < 1000; i++)
		load(&s);
	check_space(5, "a root loaded again and again");
	back_to_boot();
	unmake(&s);
}

TEST(generations)
{
	struct space s;
	u64 *other = alloc_page();

	make(&s, 1);
	other[0] = 2;
	load(&s);
	check_space(1, "generation 1");
	back_to_boot();
	/* changed while away: the newer generation says so */
	*make_entry(s.root, VA, 1) = gpa_of(other) | PTE_P | PTE_W | PTE_U;
	s.gen = 2;
	load(&s);
	check_space(2, "generation 2");
	/* a flush here that tells its generation counts as synchronised */
	*make_entry(s.root, VA, 1) = gpa_of(s.page) | PTE_P | PTE_W | PTE_U;
	check_eq(hc_flush_range(VA, VA + PAGE_SIZE, 3, 0), 0, "FLUSH_RANGE");
	s.gen = 3;
	check_space(1, "generation 3");
	back_to_boot();
	load(&s);
	check_space(1, "generation 3 again");
	*make_entry(s.root, VA, 1) = gpa_of(other) | PTE_P | PTE_W | PTE_U;
	check_eq(hc_flush_all(4, PVHV_FLUSH_USER), 0, "FLUSH_ALL");
	s.gen = 4;
	check_space(2, "generation 4");
	/* far ahead */
	*make_entry(s.root, VA, 1) = gpa_of(s.page) | PTE_P | PTE_W | PTE_U;
	s.gen = ~0UL;
	load(&s);
	check_space(1, "the last generation");
	back_to_boot();
	unmake(&s);
	free_page(other);
}

TEST(generation_backwards)
{
	struct space s;
	u64 *other = alloc_page();

	/* A guest's bug; what it sees may be old, but only of its own */
	make(&s, 1);
	other[0] = 2;
	s.gen = 1000;
	load(&s);
	check_space(1, "generation 1000");
	back_to_boot();
	*make_entry(s.root, VA, 1) = gpa_of(other) | PTE_P | PTE_W | PTE_U;
	for (s.gen = 999; s.gen > 990; s.gen--) {
		u64 value = 0;

		load(&s);
		try_read(VA, &value);
		check(value == 1 || value == 2, "a value from nowhere: %#lx", value);
	}
	check_eq(hc_flush_all(0, PVHV_FLUSH_USER), 0, "FLUSH_ALL");
	check_space(2, "after a flush");
	back_to_boot();
	unmake(&s);
	free_page(other);
}

TEST(same_name_with_another_root)
{
	struct space s[2];

	/* ctx_ids are never reused; one that is must not show the first root's pages */
	make(&s[0], 7);
	make(&s[1], 8);
	s[1].ctx = s[0].ctx;
	for (int i = 0; i < 20; i++) {
		load(&s[i % 2]);
		check_space(7 + i % 2, "one name, two roots");
	}
	back_to_boot();
	unmake(&s[0]);
	unmake(&s[1]);
}

TEST(same_root_with_another_name)
{
	struct space s;

	make(&s, 9);
	for (int i = 0; i < 300; i++) {
		load(&s);
		if (i % 50 == 0)
			check_space(9, "one root, many names");
		s.ctx = new_ctx();
	}
	back_to_boot();
	unmake(&s);
}

TEST(strange_names)
{
	static const u64 names[] = { ~0UL, 1UL << 63, 1UL << 32, 0x4141414141414141, 0xffffffff };
	struct space s;
	u64 was;

	make(&s, 3);
	was = s.ctx;
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		s.ctx = names[i];
		load(&s);
		check_space(3, "a strange name");
		check_eq(hc_mm_drop(s.ctx), 0, "MM_DROP(%#lx)", s.ctx);
		check_space(3, "a strange name, dropped");
	}
	s.ctx = was;
	back_to_boot();
	unmake(&s);
}

TEST(dropped_while_loaded)
{
	struct space s;
	u64 *other = alloc_page();

	make(&s, 11);
	other[0] = 12;
	load(&s);
	check_space(11, "before MM_DROP");
	check_eq(hc_mm_drop(s.ctx), 0, "MM_DROP of the current space");
	check_space(11, "after MM_DROP");
	*make_entry(s.root, VA, 1) = gpa_of(other) | PTE_P | PTE_W | PTE_U;
	hc_flush_range(VA, VA + PAGE_SIZE, 0, 0);
	check_space(12, "remapped after MM_DROP");
	for (int i = 0; i < 100; i++) {
		hc_mm_drop(s.ctx);
		load(&s);
		check_space(12, "dropped and loaded");
	}
	back_to_boot();
	hc_mm_drop(s.ctx);
	unmake(&s);
	free_page(other);
}

TEST(dropped_twice_and_unknown)
{
	struct space s;

	make(&s, 1);
	load(&s);
	back_to_boot();
	check_eq(hc_mm_drop(s.ctx), 0, "MM_DROP");
	check_eq(hc_mm_drop(s.ctx), 0, "MM_DROP again");
	for (u64 i = 0; i < 1000; i++)
		hc_mm_drop(1000000 + i * 7919);
	unmake(&s);
}

TEST(root_freed_while_loaded)
{
	struct space s;

	/* The page of the root is used for something else; the kernel half is known already */
	make(&s, 1);
	load(&s);
	check_space(1, "a root that lives");
	memset(va_of(s.root), 0xff, 256 * 8);
	hc_flush_all(0, PVHV_FLUSH_USER);
	try_read(VA, NULL);
	check(trap.vector == X_PF, "a root of all ones: a read gives %s", trap_text(&trap));
	back_to_boot();
	hc_mm_drop(s.ctx);
	free_page(s.page);
}

TEST(kernel_half_is_shared)
{
	struct space s[3];
	u64 *p = alloc_page(), *q = alloc_page(), value;

	/* The upper tables exist before the roots are made, as in Linux */
	map_page(KVA, gpa_of(p), PTE_P | PTE_W);
	p[0] = 1;
	q[0] = 2;
	for (int i = 0; i < 3; i++)
		make(&s[i], i);
	for (int i = 0; i < 3; i++) {
		load(&s[i]);
		try_read(KVA, &value);
		check_eq(value, 1, "the kernel half in space %d", i);
	}
	/* changed and flushed in one: seen so in all */
	*entry_of(current_root, KVA, 1) = gpa_of(q) | PTE_P | PTE_W;
	flush_page(KVA);
	for (int i = 0; i < 3; i++) {
		load(&s[i]);
		try_read(KVA, &value);
		check_eq(value, 2, "the kernel half in space %d", i);
	}
	*entry_of(current_root, KVA, 1) = 0;
	flush_page(KVA);
	for (int i = 0; i < 3; i++) {
		load(&s[i]);
		try_read(KVA, NULL);
		check_trap(X_PF, 0, "a read of what is unmapped, in space %d", i);
	}
	back_to_boot();
	for (int i = 0; i < 3; i++)
		unmake(&s[i]);
	free_page(p);
	free_page(q);
}

#define MANY	2500

TEST(thousands_of_spaces)
{
	static struct space s[MANY];
	int n;

	/* More than the hypervisor keeps shadows of: it must forget some, not stop */
	for (n = 0; n < MANY && free_pages_count() > 100; n++)
		make(&s[n], n);
	printf("# %d spaces\n", n);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < n; i++) {
			u64 value;

			load(&s[i]);
			try_read(VA, &value);
			if (!check(trap.vector == NO_TRAP && value == (u64)i,
				   "space %d of many: %s, value %lu", i, trap_text(&trap), value))
				goto out;
			if (i % 50 == round)
				check_space(i, "one space of many");
		}
	}
	/* in another order, some with news */
	for (int i = 0; i < n; i++) {
		struct space *x = &s[(u64)i * 7919 % n];

		x->page[0] += 10;
		load(x);
		check_eq(*(volatile u64 *)VA, x->page[0], "a space of many");
	}
out:
	back_to_boot();
	for (int i = 0; i < n; i++)
		unmake(&s[i]);
	TRY("ud2");
	check_trap(X_UD, 0, "ud2");
}

TEST(never_dropped)
{
	struct space s;

	/* Names that the guest forgets to drop are the hypervisor's to collect */
	make(&s, 1);
	for (int i = 0; i < 10000; i++) {
		s.ctx = new_ctx();
		load(&s);
		if (i % 100 == 0)
			check_space(1, "a name that is not dropped");
	}
	back_to_boot();
	unmake(&s);
}

TEST(wide_space)
{
	struct space s;
	u64 *p = alloc_page();
	u64 value;

	/* One page in each of many tables: the most shadow for the least guest */
	make(&s, 1);
	load(&s);
	for (u64 i = 0; i < 1500; i++) {
		u64 va = i * 0x1240000000UL % (1UL << 46) + 0x100000000000;

		p[0] = i;
		map_page(va, gpa_of(p), PTE_P | PTE_W | PTE_U);
		try_read(va, &value);
		if (!check(trap.vector == NO_TRAP && value == i, "page %lu of a wide space: %s, value %lu",
			   i, trap_text(&trap), value))
			break;
		if (free_pages_count() < 20)
			break;
	}
	back_to_boot();
	unmake(&s);
	free_page(p);
}
