// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz: hypercalls, returns and vCPU page contents at random. The domain may
 * end in any way that is not the host's fault, or live, or do so for ever.
 *
 * kill: 10
 * case 1: crashed: (panic|event|triple-fault|hypercall|memory)|poweroff|killed
 * case 2: crashed: (panic|event|triple-fault|hypercall|memory)|poweroff|killed
 * case 3: crashed: (panic|event|triple-fault|hypercall|memory)|poweroff|killed
 * case 4: crashed: (panic|event|triple-fault|hypercall|memory)|poweroff|killed
 * case 5: crashed: (panic|event|triple-fault|hypercall|memory)|poweroff|killed
 * case 6: crashed: (panic|event|triple-fault|hypercall|memory)|poweroff|killed
 * case 7: crashed: (panic|event|triple-fault|hypercall|memory)|poweroff|killed
 * case 8: crashed: (panic|event|triple-fault|hypercall|memory)|poweroff|killed
 */
#include "lib/guest.h"

void guest_start(u64 start_gpa);

#define ROUNDS	20000

static u64 seed;

static u64 random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* A number of the kind that breaks things */
static u64 nasty(void)
{
	static const u64 special[] = {
		0, 1, 2, 7, 8, 0xfff, 0x1000, 0x1001, 0x7fffffff, 0x80000000, 0xffffffff, 1UL << 32,
		1UL << 47, 0x7ffffffff000, 0xffff7fffffffffff, 0xffff800000000000, HOLE_BASE + 0x2000,
		DIRECT_BASE, SCRATCH_BASE, KERNEL_BASE + IMAGE_GPA, 1UL << 52, 1UL << 63, ~0UL, -8UL,
		-0x1000UL, IMAGE_GPA, USER_BASE, 0x3fff000,
	};
	u64 r = random();

	switch (r & 7) {
	case 0:
	case 1:
		return random() & 0xff;
	case 2:
		return 0x2000000 + (random() & 0x1fffff8);	/* RAM that is not the image */
	case 3:
		return random() >> (r >> 8 & 63);
	case 4:
		return special[(r >> 16) % ARRAY_SIZE(special)] + (r >> 32 & 15);
	default:
		return special[(r >> 16) % ARRAY_SIZE(special)];
	}
}

static void random_hypercall(void)
{
	u64 nr = random() % (PVHV_NR_HYPERCALLS + 2);

	switch (nr) {
	case PVHV_HC_SHUTDOWN:
	case PVHV_HC_VCPU_DOWN:
		return;
	case PVHV_HC_LOAD_CR3:
		hc_load_cr3(current_root, nasty(), nasty(), nasty() & 1);
		return;
	case PVHV_HC_VCPU_SETUP:
		if (random() % 64)	/* most are the end of it */
			return;
		break;
	case PVHV_HC_HALT:
		hc_set_timer(1);
		break;
	case PVHV_HC_WAIT:
		hypercall1(PVHV_HC_KICK, 0);
		break;
	}
	hypercall6(nr, nasty(), nasty(), nasty(), nasty(), nasty(), nasty());
}

static void random_multicall(void)
{
	static struct pvhv_multicall calls[85] __page_aligned;
	u64 n = random() % 70;

	for (u64 i = 0; i < n; i++) {
		do {
			calls[i].nr = random() % (PVHV_NR_HYPERCALLS + 2);
		} while (calls[i].nr == PVHV_HC_SHUTDOWN || calls[i].nr == PVHV_HC_LOAD_CR3);
		for (int j = 0; j < 4; j++)
			calls[i].args[j] = nasty();
	}
	hc_multicall(gpa_of(calls), n);
}

asm(".pushsection .user.text, \"ax\"\n"
    "user_syscall: syscall; ud2\n"
    ".popsection");
extern const char user_syscall[];

static void random_return(void)
{
	static const u16 selectors[] = { 0x23, 0x2b, 0x33, 0x63, 0x6b, 0x73, 0x7b, 7, 0xf, 0x10, 0x18, 0 };
	struct regs r;

	user_regs(&r, user_syscall);
	if (random() & 1)
		r.rip = nasty();
	if (random() & 1)
		r.rsp = nasty();
	if (random() & 1)
		r.rflags = nasty();
	if (random() & 1)
		r.cs = selectors[random() % ARRAY_SIZE(selectors)];
	if (random() & 1)
		r.ss = selectors[random() % ARRAY_SIZE(selectors)];
	if (random() & 1)
		vp->user_gs_base = nasty();
	hc_set_timer(now() + 100000);	/* out of endless loops */
	run_user(&r, random() & 1 ? BY_IRET : BY_SYSRET);
}

static bool leave_on_timer(struct regs *regs, bool user)
{
	if (user && regs->vector == PVHV_VECTOR_TIMER) {
		*cpu0.user = *regs;
		user_leave();
	}
	return false;
}

static void random_page(void)
{
	u64 *p = (u64 *)vp;

	irq_disable();
	for (u64 i = random() % 64; i; i--)
		p[random() % 512] = nasty();
	hypercall0(random() & 1 ? PVHV_HC_YIELD : PVHV_HC_SYNC_HINTS);
	vp->in_delivery = 0;
	irq_disable();
}

/* Tables, in a part of the address space and of RAM that is for this only */
static void random_tables(void)
{
	u64 va = SCRATCH_BASE + 0x8000000000 + (random() & 0x3fffffff), *e;

	e = make_entry(current_root, va & ~0x3fffffffUL, 3);
	*e = (0x2000000 + (random() & 0xfff000)) | PTE_P | PTE_W;
	((u64 *)va_of(*e & PTE_ADDR))[random() & 511] = nasty() | (random() & 3);
	try_read(va & ~7UL, NULL);
	if (random() & 1)
		hc_flush_range(va & PAGE_MASK, (va & PAGE_MASK) + PAGE_SIZE, 0, random() & 1);
}

static void random_privileged(void)
{
	static u8 insn[PAGE_SIZE] __page_aligned;

	for (int i = 0; i < 15; i++)
		insn[i] = random();
	/* QEMU 7.2 aborts at a VPINSRW of 256 bits, which does not exist: no VEX there. */
	for (int i = 0; i < 15 && under_tcg(); i++)
		if ((insn[i] & 0xfe) == 0xc4)
			insn[i] = 0x90;
	if (random() & 1)
		insn[0] = 0x0f;
	insn[15] = 0xc3;
	/* A random instruction in user mode, which cannot jump far without faulting */
	struct regs r;

	map_page(0x10000000, gpa_of(insn), PTE_P | PTE_U);
	flush_page(0x10000000);
	user_regs(&r, (void *)0x10000000);
	r.rax = nasty();
	r.rcx = nasty();
	r.rdx = nasty();
	hc_set_timer(now() + 100000);
	run_user(&r, BY_IRET);
}

void guest_start(u64 start_gpa)
{
	const char *name;

	start_init(start_gpa);
	mm_init();
	vcpu_setup();
	name = cmdline_value("case") ?: "1";
	seed = 0x9e3779b97f4a7c15 * (name[0] + 1);
	event_hook = leave_on_timer;
	for (u64 i = 0; i < ROUNDS; i++) {
		switch (random() % 16) {
		case 0 ... 6:
			random_hypercall();
			break;
		case 7:
			random_multicall();
			break;
		case 8 ... 9:
			random_return();
			break;
		case 10:
			random_page();
			break;
		case 11 ... 12:
			random_tables();
			break;
		default:
			random_privileged();
		}
	}
	printf("done %d\n", ROUNDS);
	shutdown(PVHV_SHUTDOWN_POWEROFF, NULL);
}
