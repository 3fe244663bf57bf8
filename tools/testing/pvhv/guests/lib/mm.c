// SPDX-License-Identifier: GPL-2.0
/* Test guests: memory and page tables. */
#include "guest.h"

extern char user_start[], user_end[], image_end_gpa[];

u64 current_root;
u64 ram_end;

static u64 next_page;		/* gpa: never used from here on */
static u64 free_list;		/* gpa of a page that holds the next one's */
static u64 free_pages;
static u64 last_ctx;

static struct {
	u64 from, to;
} reserved[4];

u64 gpa_of(const volatile void *p)
{
	u64 va = (u64)p;

	if (va >= KERNEL_BASE)
		return va - KERNEL_BASE;
	if (va >= DIRECT_BASE && va < DIRECT_BASE + DIRECT_SIZE)
		return va - DIRECT_BASE;
	if (va >= (u64)user_start && va < (u64)user_end)
		return va - (u64)user_start + (u64)user_gpa;
	panic("%#lx has no gpa", va);
}

void *va_of(u64 gpa)
{
	return (void *)(DIRECT_BASE + gpa);
}

static bool is_reserved(u64 from, u64 to)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(reserved); i++)
		if (from < reserved[i].to && to > reserved[i].from)
			return true;
	return false;
}

static u64 take(u64 size)
{
	u64 gpa = (next_page + size - 1) & ~(size - 1);

	while (is_reserved(gpa, gpa + size))
		gpa += size;
	if (gpa + size > ram_end)
		panic("out of guest memory");
	/* What the alignment skipped is not lost */
	for (; next_page < gpa; next_page += PAGE_SIZE)
		if (!is_reserved(next_page, next_page + PAGE_SIZE))
			free_page(va_of(next_page));
	next_page = gpa + size;
	return gpa;
}

void *alloc_page(void)
{
	u64 gpa = free_list;

	if (gpa) {
		free_list = *(u64 *)va_of(gpa);
		free_pages--;
	} else {
		gpa = take(PAGE_SIZE);
	}
	return memset(va_of(gpa), 0, PAGE_SIZE);
}

void *alloc_pages_2m(void)
{
	return va_of(take(0x200000));
}

void free_page(void *p)
{
	*(u64 *)p = free_list;
	free_list = gpa_of(p);
	free_pages++;
}

u64 free_pages_count(void)
{
	return free_pages + (ram_end - next_page) / PAGE_SIZE;
}

static int slot(u64 va, int level)
{
	return va >> (12 + 9 * (level - 1)) & 511;
}

static u64 *lookup(u64 root, u64 va, int level, bool create)
{
	u64 *table = va_of(root & PTE_ADDR), *e;
	int at;

	for (at = 4; ; at--) {
		e = table + slot(va, at);
		if (at == level)
			return e;
		if (!(*e & PTE_P)) {
			if (!create)
				return NULL;
			*e = gpa_of(alloc_page()) | PTE_P | PTE_W | PTE_A;
			if (!(va >> 63))
				*e |= PTE_U;
		} else if (*e & PTE_PS) {
			return NULL;
		}
		table = va_of(*e & PTE_ADDR);
	}
}

u64 *entry_of(u64 root, u64 va, int level)
{
	return lookup(root, va, level, false);
}

u64 *make_entry(u64 root, u64 va, int level)
{
	u64 *e = lookup(root, va, level, true);

	if (!e)
		panic("a big page is in the way at %#lx", va);
	return e;
}

void map_page(u64 va, u64 gpa, u64 flags)
{
	WRITE_ONCE(*make_entry(current_root, va, 1), gpa | flags);
}

void flush_page(u64 va)
{
	long r = hc_flush_range(va, va + PAGE_SIZE, 0, 0);

	if (r)
		panic("FLUSH_RANGE of %#lx returns %ld", va, r);
}

static void map_user(u64 root)
{
	u64 va;

	for (va = (u64)user_start; va < (u64)user_end; va += PAGE_SIZE)
		*make_entry(root, va, 1) = gpa_of((void *)va) | PTE_P | PTE_W | PTE_U | PTE_A | PTE_D;
}

u64 new_root(void)
{
	u64 *root = alloc_page();

	memcpy(root + 256, (u64 *)va_of(current_root) + 256, 256 * 8);
	map_user(gpa_of(root));
	return gpa_of(root);
}

u64 new_ctx(void)
{
	return ++last_ctx;
}

static void reserve(int i, u64 gpa, u64 size)
{
	reserved[i].from = gpa & PAGE_MASK;
	reserved[i].to = (gpa + size + PAGE_SIZE - 1) & PAGE_MASK;
}

void mm_init(void)
{
	const struct pvhv_memmap_entry *e = va_of(start_info.memmap);
	u32 i;

	current_root = gpa_of(boot_root);
	next_page = ((u64)image_end_gpa + PAGE_SIZE - 1) & PAGE_MASK;
	reserve(0, start_info.memmap, start_info.nr_memmap * sizeof(*e));
	reserve(1, start_info.initrd, start_info.initrd_len);
	for (i = 0; i < start_info.nr_memmap; i++)
		if (e[i].type == PVHV_MEM_RAM && e[i].addr <= IMAGE_GPA &&
		    e[i].addr + e[i].size > IMAGE_GPA)
			ram_end = e[i].addr + e[i].size;
	if (!ram_end)
		panic("the memory map has no RAM at the image");
	if (ram_end > DIRECT_SIZE)
		ram_end = DIRECT_SIZE;
	map_user(current_root);
}
