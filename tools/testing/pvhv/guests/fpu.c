// SPDX-License-Identifier: GPL-2.0
/*
 * fpu: x87, SSE, AVX state is the guest's own. It starts clean, survives exits,
 * sleep, preemption and other users of the FPU on the host, and is not the
 * host's or another domain's.
 *
 * with: burner
 * timeout: 120
 */
#include "lib/guest.h"

#define XMM_ALL(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) \
	X(14) X(15)

static bool have_avx, have_avx512, have_xsave;
static u64 xcr0;

static void find_features(void)
{
	u32 a, b, c, d, low, high;

	cpuid(1, 0, &a, &b, &c, &d);
	have_xsave = c & BIT(27);
	if (have_xsave) {
		asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
		xcr0 = low | (u64)high << 32;
	}
	have_avx = have_xsave && c & BIT(28) && (xcr0 & 6) == 6;
	cpuid(7, 0, &a, &b, &c, &d);
	have_avx512 = have_avx && b & BIT(16) && (xcr0 & 0xe6) == 0xe6;
}

static void save_xmm(u64 *to)
{
#define X(n) "movups %%xmm" #n ", " #n "*16(%0)\n"
	asm volatile(XMM_ALL(X) : : "r"(to) : "memory");
#undef X
}

static void load_xmm(const u64 *from)
{
#define X(n) "movups " #n "*16(%0), %%xmm" #n "\n"
	asm volatile(XMM_ALL(X) : : "r"(from) : "memory");
#undef X
}

static void save_ymm(u64 *to)
{
#define X(n) "vmovups %%ymm" #n ", " #n "*32(%0)\n"
	asm volatile(XMM_ALL(X) : : "r"(to) : "memory");
#undef X
}

static void load_ymm(const u64 *from)
{
#define X(n) "vmovups " #n "*32(%0), %%ymm" #n "\n"
	asm volatile(XMM_ALL(X) : : "r"(from) : "memory");
#undef X
}

static void save_zmm_high(u64 *to)
{
	asm volatile("vmovups %%zmm16, (%0); vmovups %%zmm31, 64(%0); kmovq %%k1, 128(%0)"
		     : : "r"(to) : "memory");
}

static void load_zmm_high(const u64 *from)
{
	asm volatile("vmovups (%0), %%zmm16; vmovups 64(%0), %%zmm31; kmovq 128(%0), %%k1"
		     : : "r"(from) : "memory");
}

static u64 pattern[128] __page_aligned;
static u64 found[128] __page_aligned;
static u16 fcw_found;
static u32 mxcsr_found;
static u64 st0_found;

static void fill_registers(u64 seed)
{
	static const u16 fcw = 0x27f;
	static const u32 mxcsr = 0x9fc0;	/* FTZ, DAZ */
	static u64 st0;

	for (unsigned int i = 0; i < ARRAY_SIZE(pattern); i++)
		pattern[i] = seed * (i + 1) + 0x0123456789abcdef;
	st0 = seed & 0xffffffffffff;
	if (have_avx)
		load_ymm(pattern);
	else
		load_xmm(pattern);
	if (have_avx512)
		load_zmm_high(pattern + 64);
	asm volatile("fninit; fldcw %0; fildll %1; ldmxcsr %2" : : "m"(fcw), "m"(st0), "m"(mxcsr));
}

static bool registers_are(u64 seed, const char *after)
{
	unsigned int words = have_avx ? 64 : 32;

	if (have_avx)
		save_ymm(found);
	else
		save_xmm(found);
	if (have_avx512)
		save_zmm_high(found + 64);
	asm volatile("fnstcw %0; fistpll %1; stmxcsr %2"
		     : "=m"(fcw_found), "=m"(st0_found), "=m"(mxcsr_found));
	asm volatile("fninit");
	for (unsigned int i = 0; i < words; i++)
		if (!check(found[i] == pattern[i], "%s word %u of the vector registers is %#lx, not %#lx",
			   after, i, found[i], pattern[i]))
			return false;
	for (unsigned int i = 64; have_avx512 && i < 64 + 17; i++)
		if (!check(found[i] == pattern[i], "%s word %u of ZMM16, ZMM31, K1 is %#lx, not %#lx",
			   after, i - 64, found[i], pattern[i]))
			return false;
	return check_eq(fcw_found, 0x27f, "FCW") && check_eq(mxcsr_found & ~0x3f, 0x9fc0, "MXCSR") &&
		check_eq(st0_found, seed & 0xffffffffffff, "ST0");
}

/* Must be first: what nobody has touched */
TEST(starts_clean)
{
	u16 fsw, ftw[14];
	bool clean = true;

	find_features();
	asm volatile("fnstcw %0; fnstsw %1; stmxcsr %2"
		     : "=m"(fcw_found), "=m"(fsw), "=m"(mxcsr_found));
	asm volatile("fnstenv %0" : "=m"(ftw));
	check_eq(fcw_found, 0x37f, "FCW");
	check_eq(fsw, 0, "FSW");
	check_eq(ftw[4], 0xffff, "FTW");
	check_eq(mxcsr_found, 0x1f80, "MXCSR");
	if (have_avx)
		save_ymm(found);
	else
		save_xmm(found);
	if (have_avx512)
		save_zmm_high(found + 64);
	for (unsigned int i = 0; i < ARRAY_SIZE(found); i++)
		clean &= !found[i];
	check(clean, "a vector register is not 0 at the start");
	asm volatile("fninit");
	printf("# XCR0 %#lx%s%s\n", xcr0, have_avx ? ", AVX" : "", have_avx512 ? ", AVX-512" : "");
}

TEST(survives_hypercalls)
{
	for (u64 i = 0; i < 1000; i++) {
		fill_registers(i * 0x1111111111);
		hc_yield();
		hc_get_time();
		if (!registers_are(i * 0x1111111111, "after hypercalls"))
			return;
	}
}

TEST(survives_exceptions)
{
	for (u64 i = 0; i < 1000; i++) {
		fill_registers(i * 0x2222222223);
		TRY("ud2");
		try_read(SCRATCH_BASE + i * 4096, NULL);
		if (!registers_are(i * 0x2222222223, "after exceptions"))
			return;
	}
}

TEST(survives_shadow_misses)
{
	for (u64 i = 0; i < 500; i++) {
		void *p = alloc_page();

		map_page(SCRATCH_BASE + 0x1000000 + i * 4096, gpa_of(p), PTE_P | PTE_W);
		fill_registers(i * 0x3333333335);
		try_write(SCRATCH_BASE + 0x1000000 + i * 4096, i);
		if (!registers_are(i * 0x3333333335, "after a shadow miss"))
			return;
	}
}

TEST(survives_sleep)
{
	for (u64 i = 0; i < 50; i++) {
		fill_registers(i * 0x4444444447);
		sleep_ns(200000);
		if (!registers_are(i * 0x4444444447, "after HALT"))
			return;
	}
}

TEST(survives_preemption)
{
	u64 end = now() + 2000000000, seed = 1, until;

	while (now() < end) {
		fill_registers(seed);
		/* long enough for the burners to get their turn, without an exit */
		until = rdtsc() + (u64)start_info.tsc_khz * 8;
		while (rdtsc() < until)
			;
		if (!registers_are(seed, "after spinning"))
			return;
		seed += 0x987654321;
	}
}

asm(".pushsection .user.text, \"ax\"\n"
    "user_fpu: movq %rdi, %xmm0; movq %rdi, %xmm15\n"
    "1: pause; dec %rsi; jnz 1b\n"
    "syscall\n"
    "movq %xmm0, %rax; movq %xmm15, %rbx; ud2\n"
    ".popsection");
extern const char user_fpu[];

static bool resume_syscall(struct regs *regs, bool user)
{
	return user && regs->vector == VECTOR_SYSCALL;
}

TEST(survives_user_mode)
{
	struct regs r;

	/* One register file for both modes: nobody but the guest switches it */
	event_hook = resume_syscall;
	for (u64 i = 0; i < 300; i++) {
		user_regs(&r, user_fpu);
		r.rdi = i * 0x0101010101010101;
		r.rsi = 2000;
		run_user(&r, BY_IRET);
		if (!check_user(&r, X_UD, 0, "user code"))
			return;
		check_eq(r.rax, r.rdi, "XMM0");
		if (!check_eq(r.rbx, r.rdi, "XMM15"))
			return;
	}
}

TEST(exceptions_of_its_own)
{
	static const u32 unmasked = 0x1f80 & ~0x200;	/* divide by zero */
	static const u32 masked = 0x1f80;
	static const u16 fcw = 0x37f & ~4;

	TRY_IO("ldmxcsr %0; xorps %%xmm1, %%xmm1; mov $1, %%eax; cvtsi2ss %%eax, %%xmm0;"
	       "divss %%xmm1, %%xmm0", : : "m"(unmasked) : "rax");
	if (!under_tcg())
		check_trap(X_XM, 0, "an SSE division by 0");
	asm volatile("ldmxcsr %0" : : "m"(masked));
	TRY_IO("fninit; fldcw %0; fld1; fldz; fdivrp; fwait", : : "m"(fcw));
	check_trap(X_MF, 0, "an x87 division by 0");
	asm volatile("fninit; ldmxcsr %0" : : "m"(masked));
}

TEST(illegal_states)
{
	static u8 area[8192] __attribute__((aligned(64)));

	/* What faults on a bare machine faults here, and the host does not load it */
	memset(area, 0, sizeof(area));
	*(u32 *)(area + 24) = 0xffffffff;	/* MXCSR, reserved bits */
	TRY_IO("fxrstor (%0)", : : "r"(area));
	if (!under_tcg())
		check_trap(X_GP, 0, "FXRSTOR of a bad MXCSR");
	TRY_IO("ldmxcsr 24(%0)", : : "r"(area));
	if (!under_tcg())
		check_trap(X_GP, 0, "LDMXCSR of reserved bits");
	*(u32 *)(area + 24) = 0x1f80;
	if (!have_xsave)
		return;
	*(u64 *)(area + 512) = ~0UL;		/* XSTATE_BV */
	TRY_IO("xrstor (%0)", : : "r"(area), "a"(~0), "d"(~0));
	check_trap(X_GP, 0, "XRSTOR of a bad header");
	*(u64 *)(area + 512) = 0;
	*(u64 *)(area + 528) = 1;		/* reserved */
	TRY_IO("xrstor (%0)", : : "r"(area), "a"(~0), "d"(~0));
	check_trap(X_GP, 0, "XRSTOR of a header with reserved bytes");
	*(u64 *)(area + 528) = 0;
	TRY_IO("xrstor (%0)", : : "r"(area), "a"(~0), "d"(~0));
	check_no_trap("XRSTOR of the initial state");
	hc_yield();
}

TEST(init_state_is_kept)
{
	static u8 area[8192] __attribute__((aligned(64)));

	if (!have_xsave)
		return skip("no XSAVE");
	/* XINUSE goes from set to clear and back while others run */
	for (u64 i = 0; i < 20; i++) {
		memset(area, 0, sizeof(area));
		asm volatile("xrstor (%0)" : : "r"(area), "a"(~0), "d"(~0) : "memory");
		sleep_ns(100000);
		save_xmm(found);
		for (unsigned int j = 0; j < 32; j++)
			if (!check_eq(found[j], 0, "word %u of XMM in its initial state", j))
				return;
		fill_registers(i);
		sleep_ns(100000);
		if (!registers_are(i, "after the initial state"))
			return;
	}
}

/*
 * Protection keys are hidden from guests, but where the host uses them the
 * instructions may work all the same. All pages of a guest are user pages of
 * key 0 in the shadow, so PKRU could lock out its kernel.
 */
asm(".pushsection .user.text, \"ax\"\n"
    "user_wrpkru: xor %ecx, %ecx; xor %edx, %edx; mov %edi, %eax; wrpkru; syscall; ud2\n"
    ".popsection");
extern const char user_wrpkru[];

TEST(pkru_does_not_lock_the_kernel_out)
{
	static const u32 values[] = { 0xfffffffc, 0xfffffffe, 0xffffffff };
	u64 v = 0;
	struct regs r;

	TRY_IO("rdpkru", : "=a"(v) : "c"(0) : "rdx");
	if (trap.vector == X_UD)
		return skip("no protection keys");
	check_no_trap("rdpkru");
	check_eq(v, 0, "PKRU");
	for (unsigned int i = 0; i < ARRAY_SIZE(values); i++) {
		printf("# user mode writes %#x to PKRU\n", values[i]);
		user_regs(&r, user_wrpkru);
		r.rdi = values[i];
		run_user(&r, BY_SYSRET);
		/* With all access denied, user mode cannot go on either: at the next fetch it can */
		check(user_is(&r, VECTOR_SYSCALL, 0) || r.vector == X_PF || user_is(&r, X_UD, 0),
		      "user code gives %s", user_text(&r));
		TRY_IO("rdpkru", : "=a"(v) : "c"(0) : "rdx");
		hc_yield();
		check(try_write((u64)found, 1), "a kernel write gives %s", trap_text(&trap));
	}
	TRY_IO("wrpkru", : : "a"(0), "c"(0), "d"(0));
}
