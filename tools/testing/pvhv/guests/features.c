// SPDX-License-Identifier: GPL-2.0
/*
 * features: what the owner hides from a guest is hidden, with what needs it; AVX is
 * not there at all. And CPUID by the instruction.
 *
 * options: --cpu-features -avx,-rdrand,-popcnt,-xsaveopt,-rdseed,-erms,-lahf_lm,-rdtscp
 * with: burner
 * timeout: 120
 */
#include "lib/guest.h"

static u32 reg(u32 leaf, u32 sub, int nr)
{
	u32 r[4];

	cpuid(leaf, sub, &r[0], &r[1], &r[2], &r[3]);
	return r[nr];
}

static void instruction(u32 leaf, u32 sub, u32 *r)
{
	asm volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
		     : "a"(leaf), "c"(sub));
}

static bool faults(void)
{
	return start_info.features & PVHV_F_CPUID_FAULTING;
}

TEST(hidden)
{
	check_eq(reg(1, 0, 2) & (BIT(28) | BIT(30) | BIT(23)), 0, "AVX, RDRAND, POPCNT");
	check_eq(reg(1, 77, 2) & BIT(28), 0, "AVX in a subleaf that is none");
	check_eq(reg(1, 0, 2) & (BIT(12) | BIT(29)), 0, "FMA, F16C");
	check_eq(reg(7, 0, 1) & (BIT(18) | BIT(9)), 0, "RDSEED, ERMS");
	check_eq(reg(7, 0, 1) & (BIT(5) | 0xdc230000), 0, "AVX2 and AVX-512");
	check_eq(reg(7, 0, 2) & 0x5e42, 0, "VAES, VPCLMULQDQ and AVX-512");
	check_eq(reg(7, 1, 0) & (BIT(4) | BIT(5) | BIT(23)), 0, "AVX_VNNI and such");
	check_eq(reg(0x80000001, 0, 2) & (BIT(0) | BIT(11) | BIT(16)), 0, "LAHF, XOP, FMA4");
	check_eq(reg(0x80000001, 0, 3) & BIT(27), 0, "RDTSCP");
	check_eq(reg(0xd, 1, 0) & BIT(0), 0, "XSAVEOPT");
	/* The rest is as it was. */
	check(reg(1, 0, 2) & BIT(31), "no hypervisor");
	check((reg(1, 0, 3) & 0x07808171) == 0x07808171, "EDX of leaf 1 is %#x", reg(1, 0, 3));
}

TEST(xstate)
{
	u32 low = 0, high = 0, r[4];

	if (!(reg(1, 0, 2) & BIT(27)))
		return skip("no XSAVE");
	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	check_eq(low & 0xe4, 0, "XCR0's AVX and AVX-512");
	check((low & 3) == 3, "XCR0 is %#x", low);
	check_eq(reg(0xd, 0, 0) & 0xe4, 0, "what XCR0 can have");
	check_eq(reg(0xd, 0, 0) & ~low, 0, "what XCR0 can, but does not have");
	for (u32 i = 2; i < 8; i++)
		if (!(reg(0xd, 0, 0) & BIT(i)))
			check_eq(reg(0xd, i, 0), 0, "bytes of component %u", i);
	if (reg(0xd, 0, 0) == 3) {
		check_eq(reg(0xd, 0, 1), 576, "bytes of an XSAVE area");
		check_eq(reg(0xd, 0, 2), 576, "bytes of the largest XSAVE area");
	}
	/* The CPU computes it from the XCR0 that it has. */
	instruction(0xd, 0, r);
	if (!faults() && low == 3)
		check_eq(r[1], 576, "the CPU's bytes of an XSAVE area");
	if (TRY_IO("xsetbv", : : "a"(7), "d"(0), "c"(0)))
		check(false, "XSETBV of AVX succeeds");
	check_trap(X_GP, 0, "XSETBV of AVX");
}

asm(".pushsection .user.text, \"ax\"\n"
    "user_avx: vxorps %ymm0, %ymm0, %ymm0; syscall; ud2\n"
    "user_cpuid: mov %edi, %eax; mov %esi, %ecx; cpuid; syscall; ud2\n"
    "user_step: mov $1, %eax; pushfq; orq $0x100, (%rsp); popfq; cpuid\n"
    "user_stepped: nop; ud2\n"
    ".popsection");
extern const char user_avx[], user_cpuid[], user_step[], user_stepped[];

TEST(avx_is_undefined)
{
	u64 until = now() + 300000000;
	struct regs r;
	int rounds = 0;

	/* XCR0 of the processes that run beside is another. */
	while (rounds++ < 20 || now() < until) {
		TRY("vxorps %%ymm0, %%ymm0, %%ymm0");
		if (!check_trap(X_UD, 0, "AVX in kernel mode"))
			break;
		user_regs(&r, user_avx);
		run_user(&r, BY_IRET);
		if (!check_user(&r, X_UD, 0, "AVX"))
			break;
		sleep_ns(1000000);
	}
}

TEST(sse_is_kept)
{
	u64 until = now() + 300000000;
	u64 in[2] = { 0x0123456789abcdef, 0xfedcba9876543210 }, out[2];

	while (now() < until) {
		asm volatile("movups %0, %%xmm7" : : "m"(in));
		sleep_ns(500000);
		asm volatile("movups %%xmm7, %0" : "=m"(out));
		if (!check(out[0] == in[0] && out[1] == in[1], "XMM7 is %#lx %#lx", out[1], out[0]))
			break;
		in[0] = in[0] * 5 + 1;
	}
}

/* Where it faults it is the hypervisor that answers, as it does hypercalls. */
TEST(the_instruction)
{
	static const u32 leaves[] = { 0, 1, 2, 4, 7, 0xb, 0xd, 0x40000000, 0x80000001, 0x80000008 };
	u32 wanted[4], r[4];
	struct regs u;

	for (unsigned int i = 0; i < ARRAY_SIZE(leaves); i++) {
		for (u32 sub = 0; sub < 3; sub++) {
			cpuid(leaves[i], sub, &wanted[0], &wanted[1], &wanted[2], &wanted[3]);
			instruction(leaves[i], sub, r);
			user_regs(&u, user_cpuid);
			u.rdi = leaves[i];
			u.rsi = sub;
			run_user(&u, BY_IRET);
			check_user(&u, VECTOR_SYSCALL, 0, "CPUID");
			if (!faults())
				continue;
			for (int n = 0; n < 4; n++)
				check(r[n] == wanted[n], "CPUID(%#x, %u): %#x, not %#x",
				      leaves[i], sub, r[n], wanted[n]);
			/* RCX and R11 are SYSCALL's */
			check(u.rax == wanted[0] && u.rbx == wanted[1] && u.rdx == wanted[3],
			      "CPUID(%#x, %u) in user mode: %#lx %#lx %#lx", leaves[i], sub, u.rax,
			      u.rbx, u.rdx);
		}
	}
}

TEST(a_step_over_it)
{
	struct regs r;

	user_regs(&r, user_step);
	run_user(&r, BY_IRET);
	check_user(&r, X_DB, 0, "a step over CPUID");
	check_eq(r.rip, (u64)user_stepped, "RIP after the step");
}
