// SPDX-License-Identifier: GPL-2.0
/*
 * vcpupage: the shared page in strange places, and moved about.
 */
#include "lib/guest.h"

static struct pvhv_vcpu_setup s __attribute__((aligned(256)));
static struct cpu other;

static void use(struct cpu *cpu)
{
	vcpu_setup_fill(&s, cpu);
	if (hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(&s)))
		panic("VCPU_SETUP is refused");
	/* GS of the running kernel is not changed by it */
	if (have_fsgsbase())
		asm volatile("wrgsbase %0" : : "r"(cpu) : "memory");
	else
		hc_set_base(PVHV_BASE_KERNEL_GS, (u64)cpu);
}

TEST(moves)
{
	other.self = &other;
	memset(&other.page, 0, sizeof(other.page));
	use(&other);
	TRY("ud2");
	check_trap(X_UD, 0, "ud2");
	check_eq(other.page.vector, X_UD, "the vector in the new page");
	vp->vector = 99;
	TRY("int3");
	check_eq(vp->vector, 99, "the vector in the old page");
	check_eq(other.page.vector, X_BP, "the vector in the new page");
	use(&cpu0);
	TRY("ud2");
	check_eq(vp->vector, X_UD, "the vector in the page that is back");
	check_eq(other.page.vector, X_BP, "the vector in the page that is gone");
}

TEST(vif_goes_along)
{
	other.self = &other;
	memset(&other.page, 0, sizeof(other.page));
	irq_disable();
	other.page.vif = 1;
	use(&other);
	check_eq(other.page.vif, 0, "VIF in the new page");
	use(&cpu0);
	check_eq(vp->vif, 0, "VIF");
}

TEST(pending_goes_along)
{
	u64 before = irq_count[0x66];

	other.self = &other;
	memset(&other.page, 0, sizeof(other.page));
	irq_disable();
	hc_send_ipi(0, 1, 0x66);
	use(&other);
	use(&cpu0);
	hc_yield();
	check_eq(vp->pending, 1, "PENDING");
	irq_enable();
	irq_disable();
	check_eq(irq_count[0x66], before + 1, "number of interrupts");
}

TEST(ten_thousand_times)
{
	other.self = &other;
	memset(&other.page, 0, sizeof(other.page));
	for (int i = 0; i < 5000; i++) {
		use(&other);
		use(&cpu0);
	}
	TRY("ud2");
	check_trap(X_UD, 0, "ud2");
}

TEST(every_page_of_ram)
{
	/* Pages that nobody else uses; each is let go of again */
	for (int i = 0; i < 1000; i++) {
		u64 *p = alloc_page();
		long r;

		vcpu_setup_fill(&s, &cpu0);
		s.page_gpa = gpa_of(p);
		r = hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(&s));
		if (!check_eq(r, 0, "VCPU_SETUP"))
			break;
		memset(p, 0x5a, PAGE_SIZE);	/* garbage in every field */
		/* but this, which goes along as an interrupt */
		((struct pvhv_vcpu_page *)p)->event_sel = 0;
		use(&cpu0);
		p[0] = 0x1122334455667788;
		TRY("ud2");
		if (!check_eq(p[0], 0x1122334455667788, "the first word of a page that is gone"))
			break;
		free_page(p);
	}
}

TEST(own_setup_structure)
{
	static union {
		struct pvhv_vcpu_setup s;
		struct cpu cpu;
	} u __page_aligned;
	u64 was;

	/* The page that holds the argument becomes the vCPU page */
	vcpu_setup_fill(&u.s, &cpu0);
	u.s.page_gpa = gpa_of(&u);
	was = hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(&u));
	use(&cpu0);
	check_eq(was, 0, "VCPU_SETUP");
	TRY("ud2");
	check_trap(X_UD, 0, "ud2");
}

TEST(page_table_as_vcpu_page)
{
	u64 va = SCRATCH_BASE + 0x40000000, *pte, *table;
	long r;

	/* The hypervisor's writes into it are then garbage in a table: the guest's loss */
	map_page(va, gpa_of(alloc_page()), PTE_P | PTE_W);
	pte = entry_of(current_root, va, 1);
	table = (u64 *)((u64)pte & PAGE_MASK);
	check(try_write(va, 1), "a write to a mapped page faults");
	vcpu_setup_fill(&s, &cpu0);
	s.page_gpa = gpa_of(table);
	r = hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(&s));
	check_eq(r, 0, "VCPU_SETUP");
	hc_yield();
	use(&cpu0);
	for (int i = 0; i < 512; i++)
		try_read(va + i * PAGE_SIZE, NULL);
	memset(table, 0, PAGE_SIZE);
	hc_flush_range(va, va + 0x200000, 0, 0);
	TRY("ud2");
	check_trap(X_UD, 0, "ud2");
}

TEST(root_as_vcpu_page)
{
	/* Words 0..31 of the root: user mode's mappings only */
	static u64 saved[512];
	long r;

	memcpy(saved, boot_root, sizeof(saved));
	vcpu_setup_fill(&s, &cpu0);
	s.page_gpa = current_root;
	r = hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(&s));
	hc_yield();
	use(&cpu0);
	memcpy(boot_root, saved, 256 * 8);
	hc_flush_all(0, PVHV_FLUSH_USER);
	check(r == 0 || (r < 0 && r >= -4095), "VCPU_SETUP returns %ld", r);
	TRY("ud2");
	check_trap(X_UD, 0, "ud2");
}

TEST(garbage_in_every_field)
{
	static const u8 values[] = { 0xff, 0x80, 0x01, 0x5a, 0 };

	for (unsigned int i = 0; i < ARRAY_SIZE(values); i++) {
		irq_disable();
		memset(vp, values[i], sizeof(*vp));
		hc_yield();
		hc_sync_hints();
		vp->vif = 0;
		vp->in_delivery = 0;
		TRY("ud2");
		check_trap(X_UD, 0, "ud2");
	}
	memset(vp, 0, sizeof(*vp));
}
