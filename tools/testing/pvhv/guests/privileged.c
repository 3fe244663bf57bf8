// SPDX-License-Identifier: GPL-2.0
/*
 * privileged: instructions that ring 3 may not use.
 *
 * In kernel mode the hypervisor emulates the few that a kernel cannot avoid
 * before its paravirt calls are in place, and reflects all others. In user
 * mode everything is reflected.
 */
#include "lib/guest.h"

#define CR0_PE	BIT(0)
#define CR0_TS	BIT(3)
#define CR0_WP	BIT(16)
#define CR0_PG	BIT(31)
#define CR4_PAE	BIT(5)
#define CR4_OSFXSR BIT(9)

TEST(kernel_cr_reads)
{
	u64 v = 0;

	TRY_IO("mov %%cr0, %0", : "=r"(v));
	check_no_trap("a read of CR0");
	check((v & (CR0_PE | CR0_PG)) == (CR0_PE | CR0_PG), "CR0 reads as %#lx", v);
	check(!(v & CR0_TS), "CR0 reads as %#lx: TS", v);

	TRY_IO("mov %%cr3, %0", : "=r"(v));
	check_no_trap("a read of CR3");
	check_eq(v & PTE_ADDR, current_root, "CR3");

	TRY_IO("mov %%cr4, %0", : "=r"(v));
	check_no_trap("a read of CR4");
	check((v & (CR4_PAE | CR4_OSFXSR)) == (CR4_PAE | CR4_OSFXSR), "CR4 reads as %#lx", v);

	try_read(SCRATCH_BASE + 0x5000, NULL);
	TRY_IO("mov %%cr2, %0", : "=r"(v));
	check_no_trap("a read of CR2");
	check_eq(v, SCRATCH_BASE + 0x5000, "CR2");
}

TEST(kernel_cr_reads_into_every_register)
{
	u64 want, v;

	TRY_IO("mov %%cr0, %0", : "=r"(want));
#define READ(reg)							\
	do {								\
		v = 0;							\
		TRY_IO("mov %%cr0, %%" reg "; mov %%" reg ", %0",	\
		       : "+r"(v) : : reg);				\
		check_no_trap("mov cr0, " reg);				\
		check_eq(v, want, reg);					\
	} while (0)
	READ("rax"); READ("rbx"); READ("rcx"); READ("rdx"); READ("rsi"); READ("rdi");
	READ("r8"); READ("r9"); READ("r10"); READ("r11"); READ("r12"); READ("r13");
	READ("r14"); READ("r15");
#undef READ
}

TEST(kernel_cr_writes)
{
	u64 v = 0, w = 0;

	TRY_IO("mov %%cr0, %0; mov %0, %%cr0", : "=r"(v));
	check_no_trap("a write of what CR0 holds");
	TRY_IO("mov %%cr4, %0; mov %0, %%cr4", : "=r"(v));
	check_no_trap("a write of what CR4 holds");
	TRY_IO("mov %0, %%cr2", : : "r"(0x123456789abc000UL));
	check_no_trap("a write of CR2");
	TRY_IO("mov %%cr3, %0; mov %0, %%cr3", : "=r"(v));
	check_no_trap("a write of what CR3 holds");

	/* Whatever this gives, paging stays on */
	TRY_IO("mov %0, %%cr0", : : "r"(0UL));
	TRY_IO("mov %0, %%cr4", : : "r"(0UL));
	TRY_IO("mov %%cr0, %0", : "=r"(w));
	check((w & (CR0_PE | CR0_PG)) == (CR0_PE | CR0_PG), "CR0 became %#lx", w);
	TRY_IO("mov %0, %%cr0", : : "r"(~0UL));
	TRY_IO("mov %0, %%cr4", : : "r"(~0UL));
	check_eq(hc_yield(), 0, "YIELD's result");
}

TEST(kernel_cr3_write_of_nonsense)
{
	static const u64 bad[] = { 0, 1, 0xfff, 1UL << 51, ~0UL, 0x8000000000000000, 1UL << 40 };
	u64 v = 0;

	/* Reflected or ignored; the tables that are in use must stay */
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		if (bad[i] < ram_end)
			continue;
		TRY_IO("mov %0, %%cr3", : : "r"(bad[i]));
		if (trap.vector != NO_TRAP)
			check_trap(X_GP, 0, "mov %#lx to CR3", bad[i]);
		TRY_IO("mov %%cr3, %0", : "=r"(v));
		check_eq(v & PTE_ADDR, current_root, "CR3");
	}
}

TEST(kernel_cli_sti)
{
	vp->vif = 1;
	TRY("cli");
	check_no_trap("cli");
	check_eq(vp->vif, 0, "VIF after CLI");
	TRY("sti");
	check_no_trap("sti");
	check_eq(vp->vif, 1, "VIF after STI");
	TRY("cli");
	check_eq(vp->vif, 0, "VIF after CLI");
}

TEST(kernel_sti_delivers)
{
	u64 before = irq_count[PVHV_VECTOR_TIMER], end = now() + 1000000000;

	irq_disable();
	hc_set_timer(now() + 1000);
	while (!READ_ONCE(vp->pending) && now() < end)
		;
	check_eq(vp->pending, 1, "PENDING after the timer's time");
	check_eq(irq_count[PVHV_VECTOR_TIMER], before, "number of interrupts with VIF clear");
	TRY("sti; nop; nop; nop; nop; cli");
	check_no_trap("sti, cli");
	check_eq(irq_count[PVHV_VECTOR_TIMER], before + 1, "number of interrupts after STI");
}

static bool set_timer_again(struct regs *regs, bool user)
{
	(void)user;
	if (regs->vector == PVHV_VECTOR_TIMER)
		hc_set_timer(now() + 2000000);
	return false;
}

TEST(kernel_hlt)
{
	u64 before = irq_count[PVHV_VECTOR_TIMER], t;

	irq_disable();
	/* The first interrupt may come before HLT. */
	event_hook = set_timer_again;
	t = now();
	hc_set_timer(t + 2000000);
	irq_enable();
	TRY("hlt");
	irq_disable();
	event_hook = NULL;
	check_no_trap("hlt");
	check(now() >= t + 2000000, "HLT ended early");
	check(irq_count[PVHV_VECTOR_TIMER] > before, "there was no timer interrupt");
	hc_halt();
	irq_enable();
	irq_disable();
}

TEST(kernel_io)
{
	u64 v = 0;

	TRY_IO("in $0x80, %%al", : "+a"(v));
	check_no_trap("in $0x80, %%al");
	check_eq(v, 0xff, "what IN gives");
	v = 0;
	TRY_IO("in %%dx, %%ax", : "+a"(v) : "d"(0xcfc));
	check_no_trap("in %%dx, %%ax");
	check_eq(v, 0xffff, "what IN gives");
	v = 0x1234567800000000;
	TRY_IO("in %%dx, %%eax", : "+a"(v) : "d"(0xcfc));
	check_no_trap("in %%dx, %%eax");
	check_eq(v, 0xffffffff, "what IN gives");
	v = 0x1122334455667700;
	TRY_IO("in %%dx, %%al", : "+a"(v) : "d"(0x3f8));
	check_no_trap("in %%dx, %%al");
	check_eq(v, 0x11223344556677ff, "what IN gives");
	v = 0;
	TRY_IO("in $0x71, %%eax", : "+a"(v));
	check_no_trap("in $0x71, %%eax");
	check_eq(v, 0xffffffff, "what IN gives");

	TRY_IO("out %%al, $0x80", : : "a"(0));
	check_no_trap("out %%al, $0x80");
	/* would be noticed: reset by port 0xcf9, by the keyboard controller, ACPI off */
	TRY_IO("out %%al, %%dx", : : "a"(6), "d"(0xcf9));
	check_no_trap("out %%al, %%dx");
	TRY_IO("out %%al, $0x64", : : "a"(0xfe));
	check_no_trap("out %%al, $0x64");
	TRY_IO("out %%ax, %%dx", : : "a"(0x2000), "d"(0x604));
	check_no_trap("out %%ax, %%dx");
	TRY_IO("out %%eax, %%dx", : : "a"(0x80000000), "d"(0xcf8));
	check_no_trap("out %%eax, %%dx");
}

TEST(kernel_string_io_is_not_done)
{
	static u8 buf[64] = "unchanged";
	u64 rcx = 8, rdi = (u64)buf;

	TRY_IO("rep insb", : "+c"(rcx), "+D"(rdi) : "d"(0x80) : "memory");
	if (trap.vector != NO_TRAP) {
		check_trap(X_GP, 0, "rep insb");
		check(buf[0] == 'u', "a refused INSB has written memory");
	}
	rcx = 8;
	rdi = (u64)buf;
	TRY_IO("rep outsb", : "+c"(rcx), "+S"(rdi) : "d"(0x80) : "memory");
	if (trap.vector != NO_TRAP)
		check_trap(X_GP, 0, "rep outsb");
}

TEST(kernel_ignored)
{
	static u8 mem[16] __attribute__((aligned(16)));

#define IGNORED(insn)							\
	do {								\
		TRY_IO(insn, : : "a"(0), "b"(mem) : "memory");		\
		check(trap.vector == NO_TRAP, insn " gives %s", trap_text(&trap)); \
	} while (0)
	IGNORED("wbinvd");
	IGNORED("invd");
	IGNORED("invlpg (%%rbx)");
	IGNORED("invlpg 0x1000(%%rbx,%%rax,4)");
	IGNORED("lgdt (%%rbx)");
	IGNORED("lidt (%%rbx)");
	IGNORED("ltr %%ax");
	IGNORED("lldt %%ax");
	IGNORED("lldt (%%rbx)");
	IGNORED("clts");
#undef IGNORED
}

TEST(kernel_debug_registers)
{
	u64 v = 1;

	/* Breakpoints are for the user half; see debugreg */
	TRY_IO("mov %0, %%dr0", : : "r"((u64)USER_BASE));
	check_no_trap("a write of DR0");
	TRY_IO("mov %%dr0, %0", : "=r"(v));
	check_no_trap("a read of DR0");
	check_eq(v, USER_BASE, "DR0");
	TRY_IO("mov %0, %%dr0", : : "r"(SCRATCH_BASE));
	check_trap(X_GP, 0, "a kernel address to DR0");
	TRY_IO("mov %0, %%dr0", : : "r"(0UL));
	TRY_IO("mov %%dr7, %0", : "=r"(v));
	check_no_trap("a read of DR7");
	check_eq(v & 0xff, 0, "DR7's enable bits");
	TRY_IO("mov %%dr6, %0", : "=r"(v));
	check_no_trap("a read of DR6");
}

TEST(kernel_xsetbv)
{
	u64 low = 0, high = 0;
	u32 a, b, c, d;

	cpuid(1, 0, &a, &b, &c, &d);
	if (!(c & BIT(27)))
		return skip("no XSAVE");
	TRY_IO("xgetbv", : "=a"(low), "=d"(high) : "c"(0));
	check_no_trap("xgetbv");
	TRY_IO("xsetbv", : : "a"(low), "d"(high), "c"(0));
	check_no_trap("xsetbv of the present value");
	TRY_IO("xsetbv", : : "a"(0), "d"(0), "c"(0));
	check_trap(X_GP, 0, "xsetbv 0");
	TRY_IO("xsetbv", : : "a"(low | ~0x7u), "d"(~0), "c"(0));
	check_trap(X_GP, 0, "xsetbv of reserved bits");
	TRY_IO("xsetbv", : : "a"(low), "d"(high), "c"(7));
	check_trap(X_GP, 0, "xsetbv of XCR7");
}

TEST(kernel_rdmsr)
{
	u64 low = 0, high = 0, v;

	TRY_IO("rdmsr", : "=a"(low), "=d"(high) : "c"(0xc0000080));
	check_no_trap("rdmsr EFER");
	check((low & 0x500) == 0x500, "EFER reads as %#lx", low | high << 32);
	check_eq(hc_read_msr(0xc0000080), 0, "READ_MSR's result");
	v = vp->result[0];
	check_eq(low | high << 32, v, "EFER by RDMSR");
	TRY_IO("rdmsr", : "=a"(low), "=d"(high) : "c"(0x12345678));
	check_trap(X_GP, 0, "rdmsr of an unknown MSR");
	check(hc_read_msr(0x12345678) < 0, "READ_MSR of an unknown MSR succeeds");
	TRY_IO("wrmsr", : : "a"(0), "d"(0), "c"(0x12345678));
	check_trap(X_GP, 0, "wrmsr of an unknown MSR");
	check(hc_write_msr(0x12345678, 0) < 0, "WRMSR of an unknown MSR succeeds");
	check(hc_read_msr(0xc000008000000080) < 0 || vp->result[0] != v,
	      "READ_MSR ignores bits 63:32 of the number");
}

/* Every MSR there may be, with values that would hurt a host that let them through */
TEST(kernel_msr_sweep)
{
	static const struct {
		u32 from, to;
	} ranges[] = {
		{ 0, 0x2000 }, { 0x40000000, 0x40000200 }, { 0x4b564d00, 0x4b564d10 },
		{ 0xc0000000, 0xc0000200 }, { 0xc0010000, 0xc0010200 }, { 0xc0011000, 0xc0011100 },
		{ 0xfffffff0, 0xffffffff },
	};
	u64 low, high, reads = 0, writes = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(ranges); i++) {
		for (u32 nr = ranges[i].from; nr < ranges[i].to; nr++) {
			TRY_IO("rdmsr", : "=a"(low), "=d"(high) : "c"(nr));
			if (trap.vector == NO_TRAP)
				reads++;
			else if (!check_trap(X_GP, 0, "rdmsr %#x", nr))
				return;
			if (nr == 0xc0000100 || nr == 0xc0000101 || nr == 0xc0000102)
				continue;	/* our own segment bases */
			TRY_IO("wrmsr", : : "a"(0xdeadbee8), "d"(0x7fff), "c"(nr));
			if (trap.vector == NO_TRAP)
				writes++;
			else if (!check_trap(X_GP, 0, "wrmsr %#x", nr))
				return;
			TRY_IO("wrmsr", : : "a"(~0), "d"(~0), "c"(nr));
			if (trap.vector != NO_TRAP && !check_trap(X_GP, 0, "wrmsr %#x of -1", nr))
				return;
		}
	}
	printf("# %lu MSRs can be read, %lu written\n", reads, writes);
	check_eq(hc_yield(), 0, "YIELD's result");
}

TEST(kernel_reflected)
{
	static u8 mem[64] __attribute__((aligned(64)));

#define REFLECTED(insn, vec)						\
	do {								\
		TRY_IO(insn, : : "a"(0), "b"(mem), "c"(0), "d"(0)	\
		       : "memory", "r11");				\
		check_trap(vec, 0, insn);				\
	} while (0)
	REFLECTED("swapgs", X_GP);
	REFLECTED("sysretq", X_GP);
	REFLECTED("sysretl", X_GP);
	REFLECTED("ud2", X_UD);
	REFLECTED(".byte 0x06", X_UD);			/* push es */
	REFLECTED(".byte 0xce", X_UD);			/* into */
	REFLECTED(".byte 0x0f, 0x01, 0xc1", X_UD);	/* vmcall */
	REFLECTED(".byte 0x0f, 0x01, 0xd9", X_UD);	/* vmmcall */
	REFLECTED(".byte 0x0f, 0x01, 0xca", X_UD);	/* clac */
	REFLECTED(".byte 0x0f, 0x01, 0xcb", X_UD);	/* stac */
#undef REFLECTED
}

/* What exception it is depends on the CPU, but there must be one */
TEST(kernel_reflected_somehow)
{
	static u8 mem[64] __attribute__((aligned(64)));

#define SOMEHOW(insn)							\
	do {								\
		TRY_IO(insn, : : "a"(0), "b"(mem), "c"(0), "d"(0)	\
		       : "memory", "r11");				\
		check(trap_is(&trap, X_GP, 0) || trap_is(&trap, X_UD, 0), \
		      insn " gives %s", trap_text(&trap));		\
	} while (0)
	SOMEHOW(".byte 0x0f, 0x20, 0xc8");		/* mov %cr1, %rax */
	SOMEHOW("sysenter");
	SOMEHOW("sysexitl");
	SOMEHOW("monitor");
	SOMEHOW("mwait");
	SOMEHOW("rdpmc");
	SOMEHOW("rsm");
	SOMEHOW("invpcid (%%rbx), %%rax");
	SOMEHOW("xsaves (%%rbx)");
	SOMEHOW("xrstors (%%rbx)");
	SOMEHOW("vmptrld (%%rbx)");
	SOMEHOW("vmxon (%%rbx)");
	SOMEHOW("vmrun");
	SOMEHOW("stgi");
	SOMEHOW("clgi");
	SOMEHOW("getsec");
#undef SOMEHOW
}

TEST(kernel_exceptions)
{
	u64 at;

	TRY("xor %%ecx, %%ecx; xor %%edx, %%edx; div %%ecx");
	check_trap(X_DE, 0, "a division by 0");
	TRY_IO("lea 1f(%%rip), %0; int3; 1:", : "=r"(at));
	check_trap(X_BP, 0, "int3");
	check_eq(trap.rip, at, "RIP");
	/* QEMU's TCG does not know it */
	TRY_IO("lea 1f(%%rip), %0; .byte 0xf1; 1:", : "=r"(at));
	if (!under_tcg()) {
		check_trap(X_DB, 0, "icebp");
		check_eq(trap.rip, at, "RIP");
	}
	TRY("mov $0x8000000000000000, %%rax; mov (%%rax), %%rax");
	check_trap(X_GP, 0, "a non-canonical address");
}

TEST(kernel_single_step)
{
	TRY("pushfq; orq $0x100, (%%rsp); popfq; nop; nop");
	check_trap(X_DB, 0, "TF");
	check(trap.dr6 & BIT(14), "DR6 is %#lx: no BS", trap.dr6);
	/* over a hypercall: SYSCALL clears TF or traps after it, the host must not care */
	TRY("mov $9, %%eax; pushfq; orq $0x100, (%%rsp); popfq; syscall; nop; nop");
	check_trap(X_DB, 0, "TF over SYSCALL");
	TRY("mov %%ss, %%ebx; mov $9, %%eax; pushfq; orq $0x100, (%%rsp); popfq; mov %%ebx, %%ss; "
	    "syscall; nop; nop");
	check_trap(X_DB, 0, "TF and MOV SS before SYSCALL");
	TRY("mov %%ss, %%ebx; pushfq; orq $0x100, (%%rsp); popfq; mov %%ebx, %%ss; int3; nop; nop");
	check(trap.vector == X_DB || trap.vector == X_BP, "TF and MOV SS before INT3 gives %s",
	      trap_text(&trap));
}

TEST(kernel_flags)
{
	u64 flags;

	/* POPF cannot raise IOPL or clear IF in ring 3 */
	TRY_IO("pushfq; orq $0x3000, (%%rsp); andq $~0x200, (%%rsp); popfq; pushfq; pop %0",
	       : "=r"(flags));
	check_no_trap("popfq with IOPL");
	check_eq(flags & FL_IOPL, 0, "IOPL");
	check(flags & FL_IF, "POPF cleared the hardware's IF");
	/* AC, NT, DF, ID set while an event arrives */
	TRY("pushfq; orq $0x244400, (%%rsp); popfq; ud2");
	check_trap(X_UD, 0, "ud2 with AC, NT, DF, ID");
	check_eq(trap.rflags & (FL_AC | FL_NT | FL_DF | FL_ID), FL_AC | FL_NT | FL_DF | FL_ID,
		 "AC, NT, DF, ID in the event's RFLAGS");
	TRY("pushfq; orq $0x244400, (%%rsp); popfq; mov $9, %%eax; syscall; pushfq; pop %%rax; cld;"
	    "pushfq; andq $~0x244400, (%%rsp); popfq");
	check_no_trap("a hypercall with AC, NT, DF, ID");
	asm volatile("cld");
}

/* User mode: address of the instruction under test, then what it gives */
#define USER_INSN(name, insn)						\
	asm(".pushsection .user.text, \"ax\"\n"				\
	    "user_" name ": " insn "\n"					\
	    "syscall\n"							\
	    "ud2\n"							\
	    ".popsection")

#define USER_INSNS(X)							\
	X(hlt, "hlt", X_GP) X(cli, "cli", X_GP) X(sti, "sti", X_GP)	\
	X(rcr0, "mov %cr0, %rax", X_GP) X(rcr2, "mov %cr2, %rax", X_GP)	\
	X(rcr3, "mov %cr3, %rax", X_GP) X(rcr4, "mov %cr4, %rax", X_GP)	\
	X(wcr0, "mov %rax, %cr0", X_GP) X(wcr2, "mov %rax, %cr2", X_GP)	\
	X(wcr3, "mov %rax, %cr3", X_GP) X(wcr4, "mov %rax, %cr4", X_GP)	\
	X(rdr0, "mov %db0, %rax", X_GP) X(wdr0, "mov %rax, %db0", X_GP)	\
	X(rdr7, "mov %db7, %rax", X_GP) X(wdr7, "mov %rax, %db7", X_GP)	\
	X(rdmsr, "mov $0xc0000080, %ecx; rdmsr", X_GP)			\
	X(wrmsr, "mov $0xc0000080, %ecx; wrmsr", X_GP)			\
	X(inb, "in $0x80, %al", X_GP) X(inl, "in %dx, %eax", X_GP)	\
	X(outb, "out %al, $0x80", X_GP) X(outl, "out %eax, %dx", X_GP)	\
	X(insb, "insb", X_GP) X(outsb, "outsb", X_GP)			\
	X(invlpg, "invlpg (%rsp)", X_GP) X(wbinvd, "wbinvd", X_GP)	\
	X(invd, "invd", X_GP) X(lgdt, "lgdt (%rsp)", X_GP)		\
	X(lidt, "lidt (%rsp)", X_GP) X(ltr, "ltr %ax", X_GP)		\
	X(lldt, "lldt %ax", X_GP) X(lmsw, "lmsw %ax", X_GP)		\
	X(clts, "clts", X_GP) X(swapgs, "swapgs", X_GP)			\
	X(sysretq, "sysretq", X_GP) X(sysretl, "sysretl", X_GP)		\
	X(iret_kernel, "push $0x18; push %rsp; pushfq; push $0x10; lea (%rip), %rax; push %rax; iretq", \
	  X_GP)								\
	X(int3, "int3", X_BP)						\
	X(int3_long, ".byte 0xcd, 3", X_BP) X(ud2, "ud2", X_UD)		\
	X(into, ".byte 0xce", X_UD)					\
	X(div0, "xor %ecx, %ecx; xor %edx, %edx; div %ecx", X_DE)	\
	X(canonical, "mov $0x8000000000000000, %rax; mov (%rax), %rax", X_GP) \
	X(stack, "mov $0x8000000000000000, %rsp; push %rax", X_SS)	\
	X(popf_tf, "pushfq; orq $0x100, (%rsp); popfq; nop; nop", X_DB)	\
	X(stac, ".byte 0x0f, 0x01, 0xcb", X_UD)

#define X(name, insn, vec) USER_INSN(#name, insn);
USER_INSNS(X)
#undef X
#define X(name, insn, vec) extern const char user_##name[];
USER_INSNS(X)
#undef X

TEST(user_mode)
{
	static const struct {
		const char *insn, *code;
		int vector;
	} insns[] = {
#define X(name, insn, vec) { insn, user_##name, vec },
		USER_INSNS(X)
#undef X
	};
	struct regs r;

	for (unsigned int i = 0; i < ARRAY_SIZE(insns); i++) {
		/* QEMU 7.2 with SMAP reads IRET's frame as ring 0 would */
		if (insns[i].code == user_iret_kernel && under_tcg())
			continue;
		user_regs(&r, insns[i].code);
		run_user(&r, i & 1 ? BY_IRET : BY_SYSRET);
		/* the bad IRET names the selector */
		if (insns[i].code == user_iret_kernel)
			check_user(&r, X_GP, 0x10, "%s in user mode", insns[i].insn);
		else if (insns[i].vector == X_SS && under_tcg())
			check_user(&r, X_GP, 0, "%s in user mode", insns[i].insn);
		else
			check_user(&r, insns[i].vector, 0, "%s in user mode", insns[i].insn);
		check(r.rip >= (u64)insns[i].code && r.rip < (u64)insns[i].code + 64,
		      "%s in user mode: RIP is %#lx", insns[i].insn, r.rip);
	}
}

#define USER_SOMEHOWS(X)						\
	X(sysenter, "sysenter") X(sysexit, "sysexitl")			\
	X(monitor, "xor %ecx, %ecx; lea (%rsp), %rax; monitor")		\
	X(mwait, "xor %ecx, %ecx; xor %eax, %eax; mwait") X(rdpmc, "xor %ecx, %ecx; rdpmc") \
	X(xsetbv, "xor %ecx, %ecx; xsetbv") X(rsm, "rsm")		\
	X(invpcid, "invpcid (%rsp), %rax") X(xsaves, "xsaves (%rsp)")	\
	X(vmcall, ".byte 0x0f, 0x01, 0xc1") X(vmmcall, ".byte 0x0f, 0x01, 0xd9") \
	X(vmrun, "vmrun") X(getsec, "getsec") X(clac, ".byte 0x0f, 0x01, 0xca")

#define X(name, insn) USER_INSN(#name, insn);
USER_SOMEHOWS(X)
#undef X
#define X(name, insn) extern const char user_##name[];
USER_SOMEHOWS(X)
#undef X

TEST(user_mode_somehow)
{
	static const struct {
		const char *insn, *code;
	} insns[] = {
#define X(name, insn) { insn, user_##name },
		USER_SOMEHOWS(X)
#undef X
	};
	struct regs r;

	for (unsigned int i = 0; i < ARRAY_SIZE(insns); i++) {
		user_regs(&r, insns[i].code);
		run_user(&r, BY_IRET);
		check(user_is(&r, X_GP, 0) || user_is(&r, X_UD, 0), "%s in user mode gives %s",
		      insns[i].insn, user_text(&r));
	}
}

/* With UMIP these are #GP; without, they tell where the hypervisor's tables are */
#define USER_UMIP(X)							\
	X(sgdt, "sub $16, %rsp; sgdt (%rsp)") X(sidt, "sub $16, %rsp; sidt (%rsp)") \
	X(sldt, "sldt %eax") X(str, "str %eax") X(smsw, "smsw %eax")

#define X(name, insn) USER_INSN(#name, insn);
USER_UMIP(X)
#undef X
#define X(name, insn) extern const char user_##name[];
USER_UMIP(X)
#undef X

TEST(umip_instructions)
{
	static const struct {
		const char *insn, *code;
	} insns[] = {
#define X(name, insn) { insn, user_##name },
		USER_UMIP(X)
#undef X
	};
	unsigned int faults = 0;
	struct regs r;
	u64 mem[2];

	for (unsigned int i = 0; i < ARRAY_SIZE(insns); i++) {
		user_regs(&r, insns[i].code);
		run_user(&r, BY_IRET);
		if (r.vector == VECTOR_SYSCALL)
			continue;
		faults++;
		check_user(&r, X_GP, 0, "%s in user mode", insns[i].insn);
	}
	check(faults == 0 || faults == ARRAY_SIZE(insns),
	      "%u of 5 instructions that UMIP governs fault", faults);
	/* From kernel mode they fault or not likewise, and nothing else happens */
	TRY_IO("sgdt %0", : "=m"(mem));
	check(trap.vector == NO_TRAP || trap_is(&trap, X_GP, 0), "sgdt gives %s", trap_text(&trap));
	TRY_IO("sidt %0", : "=m"(mem));
	check(trap.vector == NO_TRAP || trap_is(&trap, X_GP, 0), "sidt gives %s", trap_text(&trap));
	TRY("sldt %%eax");
	check(trap.vector == NO_TRAP || trap_is(&trap, X_GP, 0), "sldt gives %s", trap_text(&trap));
	TRY("str %%eax");
	check(trap.vector == NO_TRAP || trap_is(&trap, X_GP, 0), "str gives %s", trap_text(&trap));
	TRY("smsw %%eax");
	check(trap.vector == NO_TRAP || trap_is(&trap, X_GP, 0), "smsw gives %s", trap_text(&trap));
}

/* 32-bit user mode */
#define COMPAT_INSNS(X)							\
	X(hlt32, "hlt", X_GP) X(cli32, "cli", X_GP) X(inb32, "inb $0x80, %al", X_GP) \
	X(div32, "xor %ecx, %ecx; xor %edx, %edx; div %ecx", X_DE)	\
	X(int332, "int3", X_BP) X(ud232, "ud2", X_UD) \
	X(into32, "mov $0x7fffffff, %eax; inc %eax; into", X_OF)	\
	X(bound32, "push $0; push $0; mov $5, %eax; bound %eax, (%esp)", X_BR) \
	X(rcr032, "mov %cr0, %eax", X_GP)

#define X(name, insn, vec) USER_INSN(#name, ".code32; " insn "; .code64");
COMPAT_INSNS(X)
#undef X
#define X(name, insn, vec) extern const char user_##name[];
COMPAT_INSNS(X)
#undef X

TEST(compat_mode)
{
	static const struct {
		const char *insn, *code;
		int vector;
	} insns[] = {
#define X(name, insn, vec) { insn, user_##name, vec },
		COMPAT_INSNS(X)
#undef X
	};
	struct regs r;

	for (unsigned int i = 0; i < ARRAY_SIZE(insns); i++) {
		user_regs32(&r, insns[i].code);
		run_user(&r, BY_IRET);
		check_user(&r, insns[i].vector, 0, "%s in 32-bit mode", insns[i].insn);
	}
}

USER_INSN("syscall32", ".code32; mov $20, %eax; syscall; int3; .code64");
USER_INSN("sysenter32", ".code32; mov $20, %eax; sysenter; int3; .code64");
extern const char user_syscall32[], user_sysenter32[];

TEST(compat_fast_system_calls)
{
	struct regs r;

	/* Neutralised: an exception, or an error in EAX */
	user_regs32(&r, user_syscall32);
	run_user(&r, BY_IRET);
	check(user_is(&r, X_UD, 0) || (r.vector == X_BP && (u32)r.rax == (u32)-PVHV_ENOSYS),
	      "SYSCALL in 32-bit mode gives %s with EAX %#lx", user_text(&r), r.rax);
	user_regs32(&r, user_sysenter32);
	run_user(&r, BY_IRET);
	check(user_is(&r, X_GP, 0) || user_is(&r, X_UD, 0),
	      "SYSENTER in 32-bit mode gives %s", user_text(&r));
}
