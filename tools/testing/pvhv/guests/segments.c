// SPDX-License-Identifier: GPL-2.0
/*
 * segments: selectors, TLS and LDT descriptors, FS and GS bases.
 */
#include "lib/guest.h"

#define DESC(base, limit, access, flags)					\
	(((limit) & 0xffffUL) | ((base) & 0xffffffUL) << 16 | (u64)(access) << 40 | \
	 (((limit) >> 16) & 0xfUL) << 48 | (u64)(flags) << 52 | (((base) >> 24) & 0xffUL) << 56)

#define DATA32(base)	DESC(base, 0xfffffUL, 0xf3, 0xc)
#define CODE32(base)	DESC(base, 0xfffffUL, 0xfb, 0xc)

static u64 pattern __user_data = 0x5a5aa5a5c3c33c3c;

TEST(flat_selectors)
{
	/* What the hypervisor's GDT must have; loading anything else must not help */
#define LOADS(reg, sel)							\
	do {								\
		TRY_IO("mov %w0, %%" reg, : : "r"(sel));		\
		check_no_trap("mov %#x to " reg, sel);			\
	} while (0)
	LOADS("ds", SEL_USER_DS);
	LOADS("es", SEL_USER_DS);
	LOADS("ds", 0);
	LOADS("es", 0);
	LOADS("ds", 3);
	LOADS("fs", 0);
#undef LOADS
}

TEST(kernel_selectors_are_refused)
{
	static const u16 bad[] = { 0x08, 0x0b, 0x10, 0x13, 0x18, 0x1b, 0x20, 0x28, 0x30, 0x40, 0x43, 0x50,
				   0x53, 0x80, 0x83, 0xfff8, 0xffff };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		/* 0x28 with RPL 0 is loadable into DS at CPL 3: DPL 3 >= both */
		if (bad[i] == 0x28)
			continue;
		TRY_IO("mov %w0, %%ds", : : "r"(bad[i]));
		if (bad[i] == 0x20 || bad[i] == 0x30) {
			/* readable code of DPL 3 */
			check_no_trap("mov %#x to DS", bad[i]);
			continue;
		}
		check(trap_is(&trap, X_GP, bad[i] & ~3u) || trap_is(&trap, X_NP, bad[i] & ~3u),
		      "mov %#x to DS gives %s", bad[i], trap_text(&trap));
	}
	TRY_IO("mov %w0, %%ds", : : "r"(0));
	TRY_IO("mov %w0, %%ss", : : "r"(0x18));
	check_trap(X_GP, 0x18, "mov 0x18 to SS");
	TRY_IO("mov %w0, %%ss", : : "r"(0));
	check_trap(X_GP, 0, "mov 0 to SS");
	TRY_IO("mov %w0, %%ss", : : "r"(SEL_USER_DS));
	check_no_trap("mov 0x2b to SS");
}

TEST(selectors_survive_exits)
{
	u16 ds = 0, es = 0;

	asm volatile("mov %w0, %%ds; mov %w1, %%es" : : "r"(SEL_USER_DS), "r"(0));
	hc_yield();
	TRY("ud2");
	asm volatile("mov %%ds, %0; mov %%es, %1" : "=r"(ds), "=r"(es));
	check_eq(ds, SEL_USER_DS, "DS");
	check_eq(es, 0, "ES");
	asm volatile("mov %w0, %%ds" : : "r"(0));
}

TEST(tls_is_used)
{
	u64 value = 0;

	check_eq(hc_set_tls(DATA32((u64)&pattern), DATA32((u64)&pattern + 4), 0), 0, "SET_TLS");
	TRY_IO("mov %w1, %%fs; mov %%fs:0, %0", : "=&r"(value) : "r"(SEL_TLS(0)));
	check_no_trap("a kernel access to user memory by FS");
	check_eq(value, pattern, "what FS points to");
	asm volatile("mov %0, %%fs" : : "r"(0));
	hc_set_tls(0, 0, 0);
}

asm(".pushsection .user.text, \"ax\"\n"
    "user_fs: mov %edi, %fs; mov %fs:0, %rax; syscall; ud2\n"
    "user_fs_kept: mov %edi, %fs; syscall; mov %fs:0, %rax; mov %fs, %ebx; ud2\n"
    "user_gs: mov %edi, %gs; mov %gs:0, %rax; syscall; ud2\n"
    "user_gs_read: mov %gs:0, %rax; mov %gs, %ebx; syscall; ud2\n"
    "user_lsl: xor %eax, %eax; lsl %edi, %eax; syscall; ud2\n"
    /* no LRET: QEMU 7.2 with SMAP reads its stack as ring 0 would */
    "user_far: push $0; mov %esi, (%rsp); mov %edi, 4(%rsp); ljmp *(%rsp)\n"
    ".code32\n"
    "user32_target: mov $0x600d, %eax; mov %cs, %ebx; int3\n"
    ".code64\n"
    ".popsection");
extern const char user_fs[], user_fs_kept[], user_gs[], user_gs_read[], user_lsl[], user_far[],
	user32_target[];

TEST(tls_in_user_mode)
{
	struct regs r;

	hc_set_tls(DATA32((u64)&pattern), DATA32((u64)&pattern + 4), DATA32((u64)&pattern - 8));
	for (int i = 0; i < 2; i++) {
		user_regs(&r, user_fs);
		r.rdi = SEL_TLS(i);
		run_user(&r, BY_IRET);
		check_user(&r, VECTOR_SYSCALL, 0, "a load of FS");
		if (!i)
			check_eq(r.rax, pattern, "what FS points to");
		else
			check_eq((u32)r.rax, pattern >> 32, "what FS points to");
		user_regs(&r, user_gs);
		r.rdi = SEL_TLS(i);
		run_user(&r, BY_SYSRET);
		check_user(&r, VECTOR_SYSCALL, 0, "a load of GS");
		check_eq((u32)r.rax, (u32)(pattern >> 32 * i), "what GS points to");
	}
}

static bool resume_syscall(struct regs *regs, bool user)
{
	return user && regs->vector == VECTOR_SYSCALL;
}

TEST(fs_survives_system_calls)
{
	struct regs r;

	event_hook = resume_syscall;
	hc_set_tls(DATA32((u64)&pattern), 0, 0);
	user_regs(&r, user_fs_kept);
	r.rdi = SEL_TLS(0);
	run_user(&r, BY_IRET);
	check_user(&r, X_UD, 0, "user code");
	check_eq(r.rax, pattern, "what FS points to");
	check_eq(r.rbx, SEL_TLS(0), "FS");
	asm volatile("mov %0, %%fs" : : "r"(0));
}

TEST(empty_tls_faults)
{
	struct regs r;

	check_eq(hc_set_tls(0, 0, 0), 0, "SET_TLS(0, 0, 0)");
	for (int i = 0; i < 3; i++) {
		user_regs(&r, user_fs);
		r.rdi = SEL_TLS(i);
		run_user(&r, BY_IRET);
		check(user_is(&r, X_GP, SEL_TLS(i) & ~3u) || user_is(&r, X_NP, SEL_TLS(i) & ~3u),
		      "a load of an empty TLS descriptor gives %s", user_text(&r));
	}
}

/* Access byte, flags: everything that is not an ordinary segment of DPL 3 */
static const struct {
	u8 access, flags;
	const char *what;
} bad_descriptors[] = {
	{ 0x89, 0, "an available TSS" }, { 0x8b, 0, "a busy TSS" }, { 0x82, 0, "an LDT" },
	{ 0xe9, 0, "a TSS of DPL 3" }, { 0xeb, 0, "a busy TSS of DPL 3" }, { 0xe2, 0, "an LDT of DPL 3" },
	{ 0x8c, 0, "a call gate" }, { 0xec, 0, "a call gate of DPL 3" }, { 0xe4, 0, "a 286 call gate" },
	{ 0xe5, 0, "a task gate" }, { 0xee, 0, "an interrupt gate" }, { 0xef, 0, "a trap gate" },
	{ 0xe0, 0, "type 0" }, { 0xe8, 0, "type 8" }, { 0xea, 0, "type 10" }, { 0xed, 0, "type 13" },
	{ 0x93, 0xc, "data of DPL 0" }, { 0xb3, 0xc, "data of DPL 1" }, { 0xd3, 0xc, "data of DPL 2" },
	{ 0x9b, 0xc, "code of DPL 0" }, { 0x9b, 0xa, "64-bit code of DPL 0" },
	{ 0xdb, 0xa, "64-bit code of DPL 2" }, { 0x9f, 0xa, "conforming code of DPL 0" },
	{ 0x9e, 0xc, "conforming 32-bit code of DPL 0" },
};

TEST(bad_tls_is_refused)
{
	long r;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad_descriptors); i++) {
		u64 d = DESC(0x1000UL, 0xfffffUL, bad_descriptors[i].access, bad_descriptors[i].flags);

		for (int at = 0; at < 3; at++) {
			r = hc_set_tls(at == 0 ? d : 0, at == 1 ? d : 0, at == 2 ? d : 0);
			check(r < 0, "%s is accepted as TLS", bad_descriptors[i].what);
		}
	}
	/* L and D both set; 64-bit TLS code is of no use either */
	r = hc_set_tls(DESC(0UL, 0xfffffUL, 0xfb, 0xe), 0, 0);
	check(r < 0, "code with L and D is accepted as TLS");
	hc_set_tls(0, 0, 0);
}

static u64 ldt[8192] __page_aligned;

TEST(bad_ldt_is_refused)
{
	struct regs r;
	long ret;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad_descriptors); i++) {
		memset(ldt, 0, 64);
		ldt[1] = DESC(0x1000UL, 0xfffffUL, bad_descriptors[i].access, bad_descriptors[i].flags);
		ret = hc_set_ldt((u64)ldt, 4);
		check(ret < 0, "%s is accepted in the LDT", bad_descriptors[i].what);
		if (ret < 0)
			continue;
		user_regs(&r, user_fs);
		r.rdi = SEL_LDT(1);
		run_user(&r, BY_IRET);
		check(r.vector != VECTOR_SYSCALL, "%s can be loaded into FS", bad_descriptors[i].what);
	}
	hc_set_ldt(0, 0);
}

TEST(ldt_is_used)
{
	struct regs r;

	memset(ldt, 0, sizeof(ldt));
	ldt[0] = DATA32((u64)&pattern);
	ldt[8191] = DATA32((u64)&pattern);
	ldt[600] = CODE32(0UL);
	check_eq(hc_set_ldt((u64)ldt, 8192), 0, "SET_LDT of 8192 entries");
	for (int i = 0; i < 2; i++) {
		user_regs(&r, user_fs);
		r.rdi = SEL_LDT(i ? 8191 : 0);
		run_user(&r, BY_IRET);
		check_user(&r, VECTOR_SYSCALL, 0, "a load of FS");
		check_eq(r.rax, pattern, "what FS points to");
	}
	user_regs(&r, user_fs);
	r.rdi = SEL_LDT(5);
	run_user(&r, BY_IRET);
	check_user(&r, X_GP, SEL_LDT(5) & ~3u, "a load of an empty LDT entry");

	/* A copy: what the guest writes afterwards is not seen */
	ldt[0] = DATA32((u64)&pattern + 4);
	user_regs(&r, user_fs);
	r.rdi = SEL_LDT(0);
	run_user(&r, BY_IRET);
	check_eq(r.rax, pattern, "what FS points to after the guest's copy changed");

	/* A 32-bit code segment, by far return and by IRET */
	user_regs(&r, user_far);
	r.rdi = SEL_LDT(600);
	r.rsi = (u64)user32_target;
	run_user(&r, BY_IRET);
	check_user(&r, X_BP, 0, "a far return to the LDT's code");
	check_eq(r.rax, 0x600d, "EAX");
	check_eq(r.cs, SEL_LDT(600), "CS");
	r.rip = (u64)user32_target;
	r.rax = 0;
	run_user(&r, BY_IRET);
	if (!user_is(&r, X_GP, ANY_ERROR)) {	/* refusing LDT code is documented or not */
		check_user(&r, X_BP, 0, "IRET to the LDT's code");
		check_eq(r.rax, 0x600d, "EAX");
	}
	check_eq(hc_set_ldt(0, 0), 0, "SET_LDT(0, 0)");
	user_regs(&r, user_fs);
	r.rdi = SEL_LDT(0);
	run_user(&r, BY_IRET);
	check_user(&r, X_GP, SEL_LDT(0) & ~3u, "a load from an LDT that is gone");
	asm volatile("mov %0, %%fs" : : "r"(0));
}

TEST(ldt_taken_away_while_loaded)
{
	struct regs r;

	/* A selector that cannot be loaded again must not hurt the host on the next entry */
	memset(ldt, 0, 64);
	ldt[0] = DATA32((u64)&pattern);
	hc_set_ldt((u64)ldt, 1);
	hc_set_tls(DATA32((u64)&pattern), 0, 0);
	asm volatile("mov %0, %%fs; mov %1, %%ds; mov %0, %%es" : : "r"(SEL_LDT(0)), "r"(SEL_TLS(0)));
	hc_set_ldt(0, 0);
	hc_set_tls(0, 0, 0);
	for (int i = 0; i < 20; i++) {
		sleep_ns(50000);
		hc_yield();
	}
	irq_disable();
	asm volatile("mov %0, %%fs; mov %0, %%ds; mov %0, %%es" : : "r"(0));
	user_regs(&r, user_lsl);
	r.rdi = SEL_USER_DS;
	run_user(&r, BY_IRET);
	check_user(&r, VECTOR_SYSCALL, 0, "user code");
}

/* Linux changes the TLS before it saves DS and ES of the task that it leaves. */
TEST(selectors_survive_their_tls)
{
	u16 ds, es;

	hc_set_tls(DATA32((u64)&pattern), DATA32((u64)&pattern), 0);
	asm volatile("mov %0, %%ds; mov %1, %%es" : : "r"(SEL_TLS(0)), "r"(SEL_TLS(1)));
	hc_set_tls(0, 0, 0);
	for (int i = 0; i < 20; i++) {
		asm volatile("mov %%ds, %0; mov %%es, %1" : "=r"(ds), "=r"(es));
		if (!check(ds == SEL_TLS(0) && es == SEL_TLS(1), "DS is %#x, ES is %#x", ds, es))
			break;
		sleep_ns(50000);
		hc_yield();
	}
	irq_disable();
	asm volatile("mov %0, %%ds; mov %0, %%es" : : "r"(0));
}

TEST(cpunode)
{
	static const u32 limits[] = { 0, 1, 0x7b, 0xfffff, 0x12345 };
	bool rdtscp, rdpid;
	u32 a, b, c, d;
	struct regs r;

	cpuid(0x80000001, 0, &a, &b, &c, &d);
	rdtscp = d & BIT(27);
	cpuid(7, 0, &a, &b, &c, &d);
	rdpid = c & BIT(22);
	for (unsigned int i = 0; i < ARRAY_SIZE(limits); i++) {
		check_eq(hc_set_cpunode(limits[i]), 0, "SET_CPUNODE");
		user_regs(&r, user_lsl);
		r.rdi = SEL_CPUNODE;
		run_user(&r, BY_IRET);
		check_user(&r, VECTOR_SYSCALL, 0, "LSL");
		check_eq(r.rax, limits[i], "LSL of the CPU's entry");
		if (rdtscp) {
			asm volatile("rdtscp" : "=c"(c) : : "rax", "rdx");
			check_eq(c, limits[i], "RDTSCP's TSC_AUX");
		}
		if (rdpid) {
			u64 v;

			asm volatile("rdpid %0" : "=r"(v));
			check_eq(v, limits[i], "RDPID");
		}
	}
	/* stays so while the host's own value is loaded now and then */
	hc_set_cpunode(0x321);
	for (int i = 0; rdtscp && i < 100; i++) {
		if (i % 10 == 0) {
			sleep_ns(100000);
		}
		hc_yield();
		asm volatile("rdtscp" : "=c"(c) : : "rax", "rdx");
		if (!check_eq(c, 0x321, "RDTSCP's TSC_AUX"))
			break;
	}
	irq_disable();
}

TEST(load_gs_index)
{
	struct regs r;

	hc_set_tls(DATA32((u64)&pattern), 0, 0);
	check_eq(hc_load_gs_index(SEL_TLS(0)), 0, "LOAD_GS_INDEX of a TLS selector");
	check_eq(vp->user_gs_base, (u64)&pattern, "user_gs_base");
	user_regs(&r, user_gs_read);
	run_user(&r, BY_IRET);
	check_user(&r, VECTOR_SYSCALL, 0, "user code");
	check_eq(r.rax, pattern, "what GS points to");
	check_eq(r.rbx, SEL_TLS(0), "GS");
	check(hc_load_gs_index(0x10) < 0, "LOAD_GS_INDEX of a kernel selector is accepted");
	check(hc_load_gs_index(SEL_TLS(1)) < 0, "LOAD_GS_INDEX of an empty entry is accepted");
	check_eq(hc_load_gs_index(0), 0, "LOAD_GS_INDEX(0)");
	hc_set_tls(0, 0, 0);
}

TEST(user_gs_base)
{
	struct regs r;

	for (int how = BY_SYSRET; how <= BY_IRET; how++) {
		vp->user_gs_base = (u64)&pattern;
		user_regs(&r, user_gs_read);
		run_user(&r, how);
		check_user(&r, VECTOR_SYSCALL, 0, "user code");
		check_eq(r.rax, pattern, "what GS points to");
		check_eq(vp->user_gs_base, (u64)&pattern, "user_gs_base after a system call");
	}
	vp->user_gs_base = 0;
}

TEST(non_canonical_user_gs_base)
{
	static const u64 bad[] = { 1UL << 47, 1UL << 63, 0x4141414141414141, 0xffff7fffffffffff };
	struct regs r;

	/* The guest's page, the host's WRMSR: it must not be the host that faults */
	for (unsigned int i = 0; i < ARRAY_SIZE(bad) * 2; i++) {
		vp->user_gs_base = bad[i / 2];
		user_regs(&r, user_gs_read);
		run_user(&r, i & 1 ? BY_IRET : BY_SYSRET);
		check(user_is(&r, X_GP, 0) || user_is(&r, X_PF, PF_U) || user_is(&r, X_PF, PF_U | PF_P),
		      "user_gs_base %#lx gives %s", bad[i / 2], user_text(&r));
		vp->user_gs_base = 0;
	}
}

asm(".pushsection .user.text, \"ax\"\n"
    "user_wrgsbase: wrgsbase %rdi; wrfsbase %rsi; syscall\n"
    "rdgsbase %rax; rdfsbase %rbx; ud2\n"
    ".popsection");
extern const char user_wrgsbase[];

TEST(fsgsbase)
{
	struct regs r;
	u64 v;

	if (!have_fsgsbase())
		return skip("no FSGSBASE");
	event_hook = resume_syscall;
	user_regs(&r, user_wrgsbase);
	r.rdi = 0x123456789000;
	r.rsi = (u64)&pattern;
	run_user(&r, BY_IRET);
	check_user(&r, X_UD, 0, "user code");
	check_eq(r.rax, r.rdi, "user mode's GS base after a system call");
	check_eq(r.rbx, r.rsi, "user mode's FS base after a system call");
	check_eq(vp->user_gs_base, 0x123456789000, "user_gs_base");
	asm volatile("rdfsbase %0" : "=r"(v));
	check_eq(v, (u64)&pattern, "FS base in kernel mode");
	vp->user_gs_base = 0;

	/* The kernel's own, over exits */
	asm volatile("wrfsbase %0" : : "r"(0x7eeeeeeeeee0UL));
	for (int i = 0; i < 100; i++) {
		if (i % 10 == 0) {
			sleep_ns(100000);
		}
		hc_yield();
		asm volatile("rdfsbase %0" : "=r"(v));
		if (!check_eq(v, 0x7eeeeeeeeee0UL, "FS base after exits"))
			break;
		asm volatile("rdgsbase %0" : "=r"(v));
		if (!check_eq(v, (u64)&cpu0, "GS base after exits"))
			break;
	}
	irq_disable();
	asm volatile("wrfsbase %0" : : "r"(0UL));
}

TEST(kernel_gs_base_write)
{
	static u64 other[600] __page_aligned;
	u64 v;

	/* The kernel moves its own GS base; an event brings the registered one back */
	if (!have_fsgsbase())
		return skip("no FSGSBASE");
	other[512 + 1] = 0x99;
	irq_disable();
	asm volatile("wrgsbase %0" : : "r"(other));
	hc_yield();
	hc_get_time();
	asm volatile("mov %%gs:%c1, %0" : "=r"(v) : "i"(CPU_SELF));
	check_eq(v, 0x99, "what GS points to");
	TRY("ud2");
	asm volatile("mov %%gs:%c1, %0" : "=r"(v) : "i"(CPU_SELF));
	check_eq(v, (u64)&cpu0, "what GS points to after an event");
}

TEST(set_base)
{
	u64 v;

	check_eq(hc_set_base(PVHV_BASE_FS, (u64)&cpu0), 0, "SET_BASE(FS)");
	asm volatile("mov %%fs:%c1, %0" : "=r"(v) : "i"(CPU_SELF));
	check_eq(v, (u64)&cpu0, "what FS points to");
	check_eq(hc_set_base(PVHV_BASE_FS, 0), 0, "SET_BASE(FS)");
	check_eq(hc_set_base(PVHV_BASE_KERNEL_GS, (u64)&cpu0), 0, "SET_BASE(kernel GS)");
	asm volatile("mov %%gs:%c1, %0" : "=r"(v) : "i"(CPU_SELF));
	check_eq(v, (u64)&cpu0, "what GS points to");
}

TEST(lsl_of_the_hypervisors_entries)
{
	/* System segments and DPL 0 are invisible to LSL and LAR in ring 3 */
	for (u32 sel = 0; sel < 0x200; sel += 8) {
		u64 limit = 0xabcd;
		bool ok;

		asm volatile("lsl %2, %0" : "+r"(limit), "=@ccz"(ok) : "r"((u64)sel | 3) : "cc");
		if (sel < 0x20)
			check(!ok, "LSL of %#x gives %#lx", sel, limit);
	}
}
