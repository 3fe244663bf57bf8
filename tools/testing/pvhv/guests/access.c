// SPDX-License-Identifier: GPL-2.0
/*
 * access: every combination of P, W, U and NX at two levels, against a model
 * of what the architecture does (NX and SMEP on, SMAP off), for every kind of
 * access from both modes; and A and D bits.
 *
 * In the kernel half user mode has no access whatever the U bits say.
 *
 * timeout: 180
 */
#include "lib/guest.h"

#define READ	0
#define WRITE	PF_W
#define FETCH	PF_I
#define USER	PF_U

/* Two addresses, one in each half; the tables above are open */
#define USER_VA		0x10000000000UL
#define KERNEL_VA	(SCRATCH_BASE + 0x8000000000)

asm(".pushsection .user.text, \"ax\"\n"
    "user_read: mov (%rdi), %rax; syscall; ud2\n"
    "user_write: mov %rsi, (%rdi); syscall; ud2\n"
    "user_fetch: jmp *%rdi\n"
    ".popsection");
extern const char user_read[], user_write[], user_fetch[];

static void *page, *big;

struct outcome {
	bool ok;
	u64 error;
};

/* What hardware would say */
static struct outcome model(u64 upper, u64 leaf, u64 access, bool kernel_half)
{
	struct outcome o = { .ok = false, .error = access };
	bool w = upper & leaf & PTE_W, u = upper & leaf & PTE_U && !kernel_half;
	bool nx = (upper | leaf) & PTE_NX;

	if (!(upper & PTE_P) || !(leaf & PTE_P))
		return o;
	o.error |= PF_P;
	if (access & USER)
		o.ok = u && (!(access & WRITE) || w) && (!(access & FETCH) || !nx);
	else
		o.ok = (!(access & WRITE) || w) && (!(access & FETCH) || (!nx && !u));
	return o;
}

static struct outcome real(u64 va, u64 access)
{
	struct outcome o = { .ok = true };
	struct regs r;

	if (!(access & USER)) {
		if (access & FETCH)
			try_exec(va);
		else if (access & WRITE)
			try_write(va, 0xc3c3c3c3050f050f);
		else
			try_read(va, NULL);
		if (trap.vector == NO_TRAP)
			return o;
		o.ok = false;
		o.error = trap.error;
		check_eq(trap.vector, X_PF, "vector");
		check_eq(trap.cr2, va, "CR2");
		return o;
	}
	user_regs(&r, access & FETCH ? user_fetch : access & WRITE ? user_write : user_read);
	r.rdi = va;
	r.rsi = 0xc3c3c3c3050f050f;
	run_user(&r, BY_SYSRET);
	if (r.vector == VECTOR_SYSCALL)
		return o;
	o.ok = false;
	o.error = r.error;
	check_eq(r.vector, X_PF, "user mode's vector");
	check_eq(r.cr2, va, "user mode's CR2");
	return o;
}

static const u64 accesses[] = { READ, WRITE, FETCH, USER | READ, USER | WRITE, USER | FETCH };

static u64 bits(unsigned int i)
{
	return (i & 1 ? PTE_P : 0) | (i & 2 ? PTE_W : 0) | (i & 4 ? PTE_U : 0) | (i & 8 ? PTE_NX : 0);
}

static bool compare(u64 va, u64 upper, u64 leaf, u64 access, const char *what)
{
	struct outcome want = model(upper, leaf, access, va >> 63), seen = real(va, access);

	return check(want.ok == seen.ok && (want.ok || want.error == seen.error),
		     "%s: upper %#lx leaf %#lx, a %s %s gives %s %#lx, not %s %#lx", what, upper, leaf,
		     access & USER ? "user" : "kernel",
		     access & FETCH ? "fetch" : access & WRITE ? "write" : "read",
		     seen.ok ? "no fault" : "error", seen.error, want.ok ? "no fault" : "error",
		     want.error);
}

/*
 * All combinations. With fresh set, every access starts with nothing cached;
 * without, the accesses of one combination follow one another.
 */
static void all(u64 va, int level, bool fresh, const char *what)
{
	u64 *leaf, *upper, leaf_addr, upper_addr;

	page = page ?: alloc_page();
	big = big ?: alloc_pages_2m();
	if (level == 1)
		leaf = make_entry(current_root, va, 1);
	else
		leaf = make_entry(current_root, va, 2);
	upper = entry_of(current_root, va, level + 1);
	upper_addr = *upper & PTE_ADDR;
	leaf_addr = level == 1 ? gpa_of(page) : gpa_of(big) | PTE_PS;
	*(u64 *)page = *(u64 *)big = 0xc3c3c3c3050f050f;
	/* SYSCALL for user fetches; kernel fetches return at once */
	for (unsigned int i = 0; i < 256; i++) {
		u64 l = bits(i & 15), u = bits(i >> 4);

		for (unsigned int j = 0; j < ARRAY_SIZE(accesses); j++) {
			if (!(accesses[j] & USER) && accesses[j] & FETCH)
				*(u64 *)page = *(u64 *)big = 0xc3c3c3c3c3c3c3c3;
			else
				*(u64 *)page = *(u64 *)big = 0xc3c3c3c3050f050f;
			if (fresh || !j) {
				WRITE_ONCE(*upper, 0);
				WRITE_ONCE(*leaf, 0);
				hc_flush_range(va & ~0x1fffffUL, (va & ~0x1fffffUL) + 0x200000, 0, 0);
				WRITE_ONCE(*leaf, l | leaf_addr);
				WRITE_ONCE(*upper, u | upper_addr);
			}
			if (!compare(va, u, l, accesses[j], what))
				goto out;
		}
	}
out:
	*leaf = 0;
	*upper = upper_addr | PTE_P | PTE_W | (va >> 63 ? 0 : PTE_U);
	hc_flush_range(va & ~0x1fffffUL, (va & ~0x1fffffUL) + 0x200000, 0, PVHV_FLUSH_FREED_TABLES);
}

TEST(user_half_small_pages)
{
	all(USER_VA, 1, true, "4K page");
	all(USER_VA, 1, false, "4K page, one access after another");
}

TEST(user_half_big_pages)
{
	all(USER_VA + 0x40000000, 2, true, "2M page");
	all(USER_VA + 0x40000000, 2, false, "2M page, one access after another");
}

/* The kernel half's upper tables are ours alone here: nobody else's pages are below */
TEST(kernel_half_small_pages)
{
	all(KERNEL_VA, 1, true, "4K page");
	all(KERNEL_VA, 1, false, "4K page, one access after another");
}

TEST(kernel_half_big_pages)
{
	all(KERNEL_VA + 0x40000000, 2, true, "2M page");
	all(KERNEL_VA + 0x40000000, 2, false, "2M page, one access after another");
}

/* Supervisor pages in the user half next to user pages: text_poke's mapping */
TEST(supervisor_page_in_user_half)
{
	u64 va = USER_VA + 0x80000000, value;

	for (u64 i = 0; i < 64; i++) {
		u64 *p = alloc_page();

		p[0] = i;
		map_page(va + i * PAGE_SIZE, gpa_of(p), PTE_P | PTE_W | (i & 1 ? PTE_U : 0));
	}
	for (int round = 0; round < 3; round++) {
		for (u64 i = 0; i < 64; i++) {
			struct regs r;

			check(try_read(va + i * PAGE_SIZE, &value), "a kernel read of page %lu faults", i);
			check_eq(value, i, "page %lu as kernel mode sees it", i);
			user_regs(&r, user_read);
			r.rdi = va + i * PAGE_SIZE;
			run_user(&r, BY_SYSRET);
			if (i & 1) {
				check_user(&r, VECTOR_SYSCALL, 0, "a user read of user page %lu", i);
				check_eq(r.rax, i, "page %lu as user mode sees it", i);
			} else {
				check_user(&r, X_PF, PF_P | PF_U, "a user read of supervisor page %lu", i);
			}
		}
	}
	for (u64 i = 0; i < 64; i++) {
		u64 *e = entry_of(current_root, va + i * PAGE_SIZE, 1);

		free_page(va_of(*e & PTE_ADDR));
		*e = 0;
	}
	hc_flush_range(va, va + 64 * PAGE_SIZE, 0, 0);
	check(!try_read(va, NULL), "an unmapped page can be read");
}

static void check_ad(u64 va, int level, u64 flags, const char *what)
{
	u64 *leaf, *upper;
	u64 gpa = level == 1 ? gpa_of(page) : gpa_of(big) | PTE_PS;

	leaf = make_entry(current_root, va, level);
	upper = entry_of(current_root, va, level + 1);

	*leaf = 0;
	hc_flush_range(va, va + PAGE_SIZE, 0, 0);
	*upper &= ~PTE_A;
	WRITE_ONCE(*leaf, gpa | flags);
	try_read(va, NULL);
	check_no_trap("%s: a read", what);
	check_eq(READ_ONCE(*leaf) & (PTE_A | PTE_D), PTE_A, "%s: A and D after a read", what);
	check(READ_ONCE(*upper) & PTE_A, "%s: the table's A is not set", what);
	if (level > 1)
		check(!(*upper & PTE_D), "%s: the table's D is set", what);
	try_write(va, 0xc3c3c3c3c3c3c3c3);
	if (flags & PTE_W) {
		check_no_trap("%s: a write", what);
		check_eq(READ_ONCE(*leaf) & (PTE_A | PTE_D), PTE_A | PTE_D,
			 "%s: A and D after a write", what);
	} else {
		check_trap(X_PF, PF_P | PF_W, "%s: a write", what);
		check_eq(READ_ONCE(*leaf) & (PTE_A | PTE_D), PTE_A, "%s: A and D after a fault", what);
	}
	check_eq(READ_ONCE(*leaf) & ~(PTE_A | PTE_D), gpa | flags, "%s: the rest of the entry", what);

	/* Cleared and flushed, they are set again */
	WRITE_ONCE(*leaf, *leaf & ~(PTE_A | PTE_D));
	hc_flush_range(va, va + PAGE_SIZE, 0, 0);
	try_read(va, NULL);
	check_eq(READ_ONCE(*leaf) & (PTE_A | PTE_D), PTE_A, "%s: A and D after clearing, read", what);
	if (flags & PTE_W) {
		WRITE_ONCE(*leaf, *leaf & ~(PTE_A | PTE_D));
		hc_flush_range(va, va + PAGE_SIZE, 0, 0);
		try_write(va, 0xc3c3c3c3c3c3c3c3);
		check_eq(READ_ONCE(*leaf) & (PTE_A | PTE_D), PTE_A | PTE_D,
			 "%s: A and D after clearing, write", what);
	}
	/* Already dirty: stays so */
	*leaf = 0;
	hc_flush_range(va, va + PAGE_SIZE, 0, 0);
	*leaf = gpa | flags | PTE_A | PTE_D;
	try_read(va, NULL);
	check_eq(READ_ONCE(*leaf), gpa | flags | PTE_A | PTE_D, "%s: an entry with A and D", what);
	*leaf = 0;
	hc_flush_range(va, va + PAGE_SIZE, 0, 0);
}

TEST(accessed_and_dirty)
{
	page = page ?: alloc_page();
	big = big ?: alloc_pages_2m();
	check_ad(USER_VA + 0x100000000, 1, PTE_P | PTE_W | PTE_U, "user 4K page");
	check_ad(USER_VA + 0x100200000, 2, PTE_P | PTE_W | PTE_U, "user 2M page");
	check_ad(USER_VA + 0x100400000, 1, PTE_P | PTE_U, "read-only user 4K page");
	check_ad(USER_VA + 0x100600000, 1, PTE_P | PTE_W, "supervisor 4K page in the user half");
	check_ad(KERNEL_VA + 0x80000000, 1, PTE_P | PTE_W, "kernel 4K page");
	check_ad(KERNEL_VA + 0x80200000, 2, PTE_P | PTE_W, "kernel 2M page");
	check_ad(KERNEL_VA + 0x80400000, 1, PTE_P, "read-only kernel 4K page");
	check_ad(KERNEL_VA + 0x80600000, 1, PTE_P | PTE_W | PTE_G | PTE_PWT | PTE_PCD | PTE_PS,
		 "kernel 4K page with G, PWT, PCD, PAT");
	check_ad(KERNEL_VA + 0x80800000, 1, PTE_P | PTE_W | 0xe00 | 0x7ffUL << 52,
		 "kernel 4K page with the ignored bits");
}

TEST(fetch_sets_accessed)
{
	u64 va = KERNEL_VA + 0x90000000, *leaf;

	page = page ?: alloc_page();
	*(u64 *)page = 0xc3c3c3c3c3c3c3c3;
	map_page(va, gpa_of(page), PTE_P);
	leaf = entry_of(current_root, va, 1);
	try_exec(va);
	check_no_trap("a fetch");
	check_eq(*leaf & (PTE_A | PTE_D), PTE_A, "A and D after a fetch");
	*leaf = 0;
	flush_page(va);
}

TEST(neighbours_are_left_alone)
{
	u64 va = KERNEL_VA + 0xa0000000;
	int accessed = 0, dirty = 0;

	/* Filling ahead may set A where nobody was (as speculation does), D never */
	for (u64 i = 0; i < 512; i++)
		map_page(va + i * PAGE_SIZE, gpa_of(page ?: alloc_page()), PTE_P | PTE_W);
	try_write(va + 100 * PAGE_SIZE, 1);
	for (u64 i = 0; i < 512; i++) {
		u64 e = *entry_of(current_root, va + i * PAGE_SIZE, 1);

		accessed += !!(e & PTE_A);
		dirty += !!(e & PTE_D);
	}
	check_eq(dirty, 1, "number of dirty entries after one write");
	check(accessed >= 1, "no entry is accessed");
	printf("# A is set in %d of 512 entries after one access\n", accessed);
	for (u64 i = 0; i < 512; i++)
		*entry_of(current_root, va + i * PAGE_SIZE, 1) = 0;
	hc_flush_range(va, va + 0x200000, 0, 0);
}

TEST(huge_page)
{
	u64 va = KERNEL_VA + 0x100000000, *e, value;
	u32 a, b, c, d;

	cpuid(0x80000001, 0, &a, &b, &c, &d);
	e = make_entry(current_root, va, 3);
	*e = PTE_P | PTE_W | PTE_PS | PTE_NX;	/* the first GiB of guest memory */
	*(u64 *)va_of(gpa_of(boot_root)) += 0;
	if (try_read(va + gpa_of(boot_root) + 273 * 8, &value)) {
		check_eq(value & ~(PTE_A | PTE_D), boot_root[273] & ~(PTE_A | PTE_D),
			 "what a 1G page shows");
		try_exec(va + gpa_of(boot_root));
		check_trap(X_PF, PF_P | PF_I, "a fetch from a 1G page with NX");
		try_read(va + 0x3ffff000, NULL);
		if (ram_end < 0x3ffff000)
			check(trap.vector == X_PF, "a 1G page reaches past RAM");
	} else {
		check_trap(X_PF, PF_P | PF_RSVD, "a 1G page");
		check(!(d & BIT(26)), "CPUID has 1G pages, but one faults");
	}
	*e = 0;
	hc_flush_range(va, va + 0x40000000, 0, 0);
}

TEST(hole_slots)
{
	u64 *p = alloc_page();
	struct regs r;

	/* The guest's own entries there are never looked at */
	for (u64 slot = PVHV_HOLE_FIRST_SLOT; slot < PVHV_HOLE_FIRST_SLOT + PVHV_HOLE_NR_SLOTS; slot++) {
		u64 base = 0xffff000000000000 | slot << 39;

		*make_entry(current_root, base, 1) = gpa_of(p) | PTE_P | PTE_W;
		for (u64 off = 0; off < 0x8000; off += 0x800) {
			u64 va = base + off;

			try_read(va, NULL);
			check_trap(X_PF, ANY_ERROR, "a read of %#lx", va);
			check(!(trap.error & ~PF_P), "a read of %#lx gives error %#lx", va, trap.error);
			check_eq(trap.cr2, va, "CR2");
			try_write(va, 1);
			check_trap(X_PF, ANY_ERROR, "a write to %#lx", va);
			try_exec(va);
			check_trap(X_PF, ANY_ERROR, "a call of %#lx", va);
			user_regs(&r, user_read);
			r.rdi = va;
			run_user(&r, BY_SYSRET);
			check_user(&r, X_PF, ANY_ERROR, "a user read of %#lx", va);
			user_regs(&r, user_fetch);
			r.rdi = va;
			run_user(&r, BY_SYSRET);
			check_user(&r, X_PF, ANY_ERROR, "a user call of %#lx", va);
		}
		boot_root[slot] = 0;
	}
	/* further in: per-CPU areas, and where five-level tables have the hole */
	for (u64 off = 0; off < 1UL << 41; off += (1UL << 41) / 1024 - 0x5000) {
		try_read(HOLE_BASE + (off & ~7UL), NULL);
		check(trap.vector == X_PF, "a read of %#lx gives %s", HOLE_BASE + (off & ~7UL),
		      trap_text(&trap));
	}
	for (u64 off = 0; off < 64 * 0x10000; off += 0x1000) {
		try_write(HOLE_BASE + off, 0);
		if (!check(trap.vector == X_PF, "a write to %#lx gives %s", HOLE_BASE + off,
			   trap_text(&trap)))
			break;
	}
	try_read(0xff00000000002000, NULL);
	check_trap(X_GP, 0, "a read of an address that is canonical for five levels only");
	free_page(p);
}

TEST(user_mode_and_the_kernel_half)
{
	static const u64 vas[] = {
		0xffffffff81000000, DIRECT_BASE, DIRECT_BASE + IMAGE_GPA, 0xffffffffff600000,
		0xffffffffffffff00, 0xfffffe0000000000, SCRATCH_BASE, 0xffff800000000000,
	};
	u64 va = KERNEL_VA + 0xb0000000;
	struct regs r;

	for (unsigned int i = 0; i < ARRAY_SIZE(vas); i++) {
		user_regs(&r, user_read);
		r.rdi = vas[i];
		run_user(&r, BY_SYSRET);
		check(r.vector == X_PF && (r.error & ~PF_P) == PF_U, "a user read of %#lx gives %s",
		      vas[i], user_text(&r));
		user_regs(&r, user_write);
		r.rdi = vas[i];
		run_user(&r, BY_SYSRET);
		check(r.vector == X_PF && (r.error & ~PF_P) == (PF_U | PF_W),
		      "a user write to %#lx gives %s", vas[i], user_text(&r));
	}
	/* U at every level in the kernel half: still not user mode's */
	map_page(va, gpa_of(alloc_page()), PTE_P | PTE_W | PTE_U);
	for (int level = 2; level <= 4; level++)
		*entry_of(current_root, va, level) |= PTE_U;
	hc_flush_all(0, PVHV_FLUSH_KERNEL | PVHV_FLUSH_USER);
	check(try_write(va, 1), "a kernel write to it gives %s", trap_text(&trap));
	user_regs(&r, user_read);
	r.rdi = va;
	run_user(&r, BY_SYSRET);
	check(r.vector == X_PF, "a user read of a U=1 page in the kernel half gives %s", user_text(&r));
	for (int level = 2; level <= 4; level++)
		*entry_of(current_root, va, level) &= ~PTE_U;
	*entry_of(current_root, va, 1) = 0;
	hc_flush_all(0, PVHV_FLUSH_KERNEL | PVHV_FLUSH_USER);
}

TEST(accesses_that_cross_pages)
{
	u64 va = KERNEL_VA + 0xc0000000, value = 0;
	u64 *a = alloc_page(), *b = alloc_page();

	a[511] = 0x1111111111111111;
	b[0] = 0x2222222222222222;
	map_page(va, gpa_of(a), PTE_P | PTE_W);
	try_read(va + 0xffc, NULL);
	check_trap(X_PF, 0, "a read into an unmapped page");
	check_eq(trap.cr2, va + 0x1000, "CR2");
	map_page(va + 0x1000, gpa_of(b), PTE_P);
	try_read(va + 0xffc, &value);
	check_no_trap("a read across pages");
	check_eq(value, 0x2222222211111111, "what is there");
	try_write(va + 0xffc, 0);
	check_trap(X_PF, PF_P | PF_W, "a write into a read-only page");
	check_eq(trap.cr2, va + 0x1000, "CR2");
	check_eq(a[511], 0x1111111111111111, "the first page after that");
	*entry_of(current_root, va, 1) = 0;
	*entry_of(current_root, va + 0x1000, 1) = 0;
	hc_flush_range(va, va + 0x2000, 0, 0);
}
