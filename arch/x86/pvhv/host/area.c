// SPDX-License-Identifier: GPL-2.0
/*
 * The memory of the switcher: per-CPU areas, the page tables that map them at
 * PML4 slot 256, and the windows of domains at slot 257.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/desc.h>
#include <asm/pgtable.h>
#include <asm/irq_vectors.h>
#include <asm/trapnr.h>

#include "area.h"

DEFINE_PER_CPU(struct pvhv_area, pvhv_area);

static struct page *code_pages[2];
static u64 switcher_entry;
static enum cpuhp_state hp_state;
static bool host_has_int80;

#define TABLE_FLAGS	(_PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED)
#define CODE_FLAGS	(_PAGE_PRESENT | _PAGE_ACCESSED)
#define DATA_FLAGS	(_PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED | _PAGE_DIRTY | \
			 (__supported_pte_mask & _PAGE_NX))

/**
 * pvhv_hole_levels - levels of the host's page tables, so of the shadows too
 */
int pvhv_hole_levels(void)
{
	return pgtable_l5_enabled() ? 5 : 4;
}

static u64 slot_address(int slot)
{
	return pgtable_l5_enabled() ? (u64)slot << 48 | 0xff00000000000000ULL :
				      (u64)slot << 39 | 0xffff800000000000ULL;
}

static u64 area_address(int cpu)
{
	return slot_address(PVHV_HOLE_FIRST_SLOT) + (u64)cpu * SW_STRIDE;
}

/**
 * pvhv_window_address - where a vCPU's part of its domain's window is
 * @vcpu:	number of the vCPU
 *
 * The window is mapped supervisor-only in all roots of the domain: the first
 * page is the vCPU page, the LDT follows at PVHV_WINDOW_LDT.
 */
u64 pvhv_window_address(int vcpu)
{
	return slot_address(PVHV_HOLE_FIRST_SLOT + 1) + (u64)vcpu * PVHV_WINDOW_STRIDE;
}

/* Set the leaf for @va below the top-level entry @top, which is made if 0. */
static int map_page(u64 *top, u64 va, u64 leaf)
{
	u64 *entry = top;
	int level;

	for (level = pvhv_hole_levels() - 1; level >= 1; level--) {
		u64 *table;

		if (!*entry) {
			table = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
			if (!table)
				return -ENOMEM;
			WRITE_ONCE(*entry, __sme_pa(table) | TABLE_FLAGS);
		}
		table = __va(*entry & PTE_PFN_MASK & ~sme_me_mask);
		entry = &table[(va >> (PAGE_SHIFT + 9 * (level - 1))) & 511];
	}
	WRITE_ONCE(*entry, leaf);
	return 0;
}

static void free_tables(u64 entry, int level)
{
	u64 *table;
	int i;

	if (!entry)
		return;
	table = __va(entry & PTE_PFN_MASK & ~sme_me_mask);
	for (i = 0; level > 1 && i < 512; i++)
		free_tables(table[i], level - 1);
	free_page((unsigned long)table);
}

/**
 * pvhv_window_map - map a page in a domain's window, or unmap it
 * @d:		the domain; d->lock is held or it is not yet public
 * @vcpu:	whose part of the window
 * @page:	page of that part
 * @p:		what to map there, NULL: nothing
 *
 * The caller makes all vCPUs flush when it changes a mapping.
 */
int pvhv_window_map(struct pvhv_domain *d, int vcpu, int page, struct page *p)
{
	u64 va = pvhv_window_address(vcpu) + (u64)page * PAGE_SIZE;

	return map_page(&d->window_entry, va,
			p ? __sme_set(page_to_phys(p)) | DATA_FLAGS : 0);
}

void pvhv_window_free(struct pvhv_domain *d)
{
	free_tables(d->window_entry, pvhv_hole_levels() - 1);
	d->window_entry = 0;
}

u64 pvhv_switcher_entry(void)
{
	return switcher_entry;
}

/* Does ring 3 get through the host's gate for INT 0x80? Else it is a device's. */
bool pvhv_host_has_int80(void)
{
	return host_has_int80;
}

static void set_gate(gate_desc *gate, u64 addr, unsigned int ist, unsigned int dpl)
{
	*gate = (gate_desc) {
		.offset_low	= addr,
		.offset_middle	= addr >> 16,
		.offset_high	= addr >> 32,
		.segment	= __KERNEL_CS,
		.bits = {
			.ist	= ist,
			.type	= GATE_INTERRUPT,
			.dpl	= dpl,
			.p	= 1,
		},
	};
}

/*
 * IST numbers are those of the host's own IDT: for a few instructions of the
 * switch our IDT is loaded with the host's TSS.
 */
static void init_idt(struct pvhv_area *a, u64 va)
{
	gate_desc *idt = page_address(a->pages[SW_PG_IDT]);
	int vec;

	for (vec = 0; vec < 256; vec++) {
		unsigned int ist = 0, dpl = 0;

		switch (vec) {
		case X86_TRAP_DF:
			ist = IST_INDEX_DF + 1;
			break;
		case X86_TRAP_NMI:
			ist = IST_INDEX_NMI + 1;
			break;
		case X86_TRAP_DB:
			ist = IST_INDEX_DB + 1;
			break;
		case X86_TRAP_MC:
			ist = IST_INDEX_MCE + 1;
			break;
		case X86_TRAP_BP:
		case X86_TRAP_OF:
			dpl = 3;
			break;
		case IA32_SYSCALL_VECTOR:
			/* Else the vector may be a device's; see pvhv_emulate(). */
			dpl = host_has_int80 ? 3 : 0;
			break;
		}
		set_gate(&idt[vec], va + vec * 16, ist, dpl);
	}
}

/* Runs on the CPU itself, which is the only one that can read its GDTR. */
static int area_online(unsigned int cpu)
{
	struct pvhv_area *a = &per_cpu(pvhv_area, cpu);
	u64 va = area_address(cpu);
	struct desc_struct *gdt = page_address(a->pages[SW_PG_GDT]);
	struct x86_hw_tss *tss = (void *)gdt + SW_TSS_OFFSET;
	struct sw_data *data = a->data;
	struct desc_ptr host;
	tss_desc desc;

	native_store_gdt(&host);
	memcpy(gdt, (void *)host.address, GDT_ENTRIES * 8);
	memset(&gdt[GDT_ENTRY_TLS_MIN], 0, GDT_ENTRY_TLS_ENTRIES * 8);
	memset(&gdt[GDT_ENTRY_LDT], 0, 16);
	memset((void *)gdt + SW_LDT_SEL, 0, 16);
	set_tssldt_descriptor(&desc, va + SW_PG_GDT * PAGE_SIZE + SW_TSS_OFFSET,
			      DESC_TSS, sizeof(*tss) - 1);
	memcpy((void *)gdt + SW_TSS_SEL, &desc, sizeof(desc));

	memset(tss, 0, sizeof(*tss));
	tss->sp0 = va + (SW_PG_STACK + 1) * PAGE_SIZE;
	tss->ist[IST_INDEX_DF] = va + (SW_PG_DF + 1) * PAGE_SIZE;
	tss->ist[IST_INDEX_NMI] = va + (SW_PG_NMI + 1) * PAGE_SIZE;
	tss->ist[IST_INDEX_DB] = va + (SW_PG_DB + 1) * PAGE_SIZE;
	tss->ist[IST_INDEX_MCE] = va + (SW_PG_MC + 1) * PAGE_SIZE;
	/* Beyond the limit: every IN and OUT faults. */
	tss->io_bitmap_base = 0x8000;

	init_idt(a, va);
	data->own_gdtr.limit = SW_GDT_SIZE - 1;
	data->own_gdtr.base = va + SW_PG_GDT * PAGE_SIZE;
	data->own_idtr.limit = 256 * sizeof(gate_desc) - 1;
	data->own_idtr.base = va + SW_PG_IDT * PAGE_SIZE;
	data->verw_sel = __KERNEL_DS;

	a->gdt = gdt;
	a->enter = (void *)(va + (sw_enter - sw_blob_start));
	a->lstar = va + (sw_syscall - sw_blob_start);
	a->cstar = va + (sw_syscall32 - sw_blob_start);
	memset(a->pcid, 0, sizeof(a->pcid));
	a->last_domain = 0;
	pvhv_cpu_features(a);
	return 0;
}

static bool page_is_private(int i)
{
	switch (i) {
	case SW_PG_DATA:
	case SW_PG_GDT:
	case SW_PG_IDT:
	case SW_PG_STACK:
	case SW_PG_NMI:
	case SW_PG_DF:
	case SW_PG_DB:
	case SW_PG_MC:
		return true;
	}
	return false;
}

static int area_alloc(int cpu)
{
	struct pvhv_area *a = &per_cpu(pvhv_area, cpu);
	u64 va = area_address(cpu);
	int i, ret;

	for (i = 0; i < SW_NR_PAGES; i++) {
		u64 flags = DATA_FLAGS;

		if (i == SW_PG_STUBS || i == SW_PG_CODE) {
			a->pages[i] = code_pages[i];
			flags = CODE_FLAGS;
		} else if (page_is_private(i)) {
			a->pages[i] = alloc_pages_node(cpu_to_node(cpu),
						       GFP_KERNEL | __GFP_ZERO, 0);
		} else {
			continue;
		}
		if (!a->pages[i])
			return -ENOMEM;
		ret = map_page(&switcher_entry, va + i * PAGE_SIZE,
			       __sme_set(page_to_phys(a->pages[i])) | flags);
		if (ret)
			return ret;
	}
	a->data = page_address(a->pages[SW_PG_DATA]);
	a->regs = page_address(a->pages[SW_PG_STACK]) + PAGE_SIZE - sizeof(struct sw_regs);
	return 0;
}

static void areas_free(void)
{
	int cpu, i;

	free_tables(switcher_entry, pvhv_hole_levels() - 1);
	switcher_entry = 0;
	for_each_possible_cpu(cpu) {
		struct pvhv_area *a = &per_cpu(pvhv_area, cpu);

		for (i = 0; i < SW_NR_PAGES; i++)
			if (page_is_private(i) && a->pages[i])
				__free_page(a->pages[i]);
		memset(a, 0, sizeof(*a));
	}
	for (i = 0; i < 2; i++) {
		if (code_pages[i])
			__free_page(code_pages[i]);
		code_pages[i] = NULL;
	}
}

int pvhv_areas_init(void)
{
	struct desc_ptr idtr;
	int cpu, i, ret;

	BUILD_BUG_ON(sizeof(struct sw_regs) != 22 * 8);
	store_idt(&idtr);
	host_has_int80 = ((gate_desc *)idtr.address)[IA32_SYSCALL_VECTOR].bits.dpl == 3;

	ret = -ENOMEM;
	for (i = 0; i < 2; i++) {
		code_pages[i] = alloc_page(GFP_KERNEL);
		if (!code_pages[i])
			goto err;
		memcpy(page_address(code_pages[i]), sw_blob_start + i * PAGE_SIZE, PAGE_SIZE);
	}
	for_each_possible_cpu(cpu) {
		ret = area_alloc(cpu);
		if (ret)
			goto err;
	}
	ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "x86/pvhv:online", area_online, NULL);
	if (ret < 0)
		goto err;
	hp_state = ret;
	return 0;
err:
	areas_free();
	return ret;
}

/* Nothing may keep a translation of the areas when their pages are freed. */
static void flush_everything(void *unused)
{
	unsigned long flags, cr4;

	local_irq_save(flags);
	cr4 = pvhv_raw_cr4();
	pvhv_set_raw_cr4(cr4 ^ X86_CR4_PGE);
	pvhv_set_raw_cr4(cr4);
	local_irq_restore(flags);
}

void pvhv_areas_exit(void)
{
	cpuhp_remove_state_nocalls(hp_state);
	on_each_cpu(flush_everything, NULL, 1);
	areas_free();
}

/*
 * The address spaces that have the switcher in their PML4. An mm may outlive
 * its domains; the last one to go takes the entry out.
 */
struct attached_mm {
	struct list_head list;
	struct mm_struct *mm;
	int users;
};

static LIST_HEAD(attached_mms);
static DEFINE_MUTEX(attached_lock);

static struct attached_mm *find_mm(struct mm_struct *mm)
{
	struct attached_mm *am;

	list_for_each_entry(am, &attached_mms, list)
		if (am->mm == mm)
			return am;
	return NULL;
}

/**
 * pvhv_mm_attach - map the switcher in a process
 * @mm:	its address space
 *
 * Slot 256 is in the guard hole that Linux keeps for hypervisors, and is not
 * copied by fork() (pgd_ctor() copies from swapper_pg_dir).
 *
 * Return: 0, -ENOMEM, or -EBUSY if something else is mapped there.
 */
int pvhv_mm_attach(struct mm_struct *mm)
{
	u64 *slot = (u64 *)mm->pgd + PVHV_HOLE_FIRST_SLOT;
	struct attached_mm *am;
	int ret = 0;

	mutex_lock(&attached_lock);
	am = find_mm(mm);
	if (am) {
		am->users++;
		goto out;
	}
	ret = -EBUSY;
	if (*slot)
		goto out;
	ret = -ENOMEM;
	am = kmalloc(sizeof(*am), GFP_KERNEL);
	if (!am)
		goto out;
	am->mm = mm;
	am->users = 1;
	mmgrab(mm);
	list_add(&am->list, &attached_mms);
	WRITE_ONCE(*slot, switcher_entry);
	ret = 0;
out:
	mutex_unlock(&attached_lock);
	return ret;
}

void pvhv_mm_detach(struct mm_struct *mm)
{
	struct attached_mm *am;

	mutex_lock(&attached_lock);
	am = find_mm(mm);
	if (!WARN_ON_ONCE(!am) && !--am->users) {
		/*
		 * No flush: the areas stay, stale translations of them do no
		 * harm until pvhv_areas_exit() flushes.
		 */
		WRITE_ONCE(((u64 *)mm->pgd)[PVHV_HOLE_FIRST_SLOT], 0);
		list_del(&am->list);
		mmdrop(mm);
		kfree(am);
	}
	mutex_unlock(&attached_lock);
}
