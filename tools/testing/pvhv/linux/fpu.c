// SPDX-License-Identifier: GPL-2.0
/*
 * fpu: each task has x87, SSE and AVX registers of its own, whatever happens
 * between two instructions.
 */
#define _GNU_SOURCE
#include "test.h"

#include <cpuid.h>
#include <fenv.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __x86_64__
#define REGISTERS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) \
	X(14) X(15)
#define NR	16
#else
#define REGISTERS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define NR	8
#endif

static bool have_avx(void)
{
	unsigned int a, b, c, d, low, high;

	__cpuid(1, a, b, c, d);
	if (!(c & bit_OSXSAVE) || !(c & bit_AVX))
		return false;
	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (low & 6) == 6;
}

static void load_xmm(const u32 *from)
{
#define X(n) "movups " #n "*16(%0), %%xmm" #n "\n"
	asm volatile(REGISTERS(X) : : "r"(from) : "memory");
#undef X
}

static void save_xmm(u32 *to)
{
#define X(n) "movups %%xmm" #n ", " #n "*16(%0)\n"
	asm volatile(REGISTERS(X) : : "r"(to) : "memory");
#undef X
}

static void load_ymm(const u32 *from)
{
#define X(n) "vmovups " #n "*32(%0), %%ymm" #n "\n"
	asm volatile(REGISTERS(X) : : "r"(from) : "memory");
#undef X
}

static void save_ymm(u32 *to)
{
#define X(n) "vmovups %%ymm" #n ", " #n "*32(%0)\n"
	asm volatile(REGISTERS(X) : : "r"(to) : "memory");
#undef X
}

/* No C code may run between a load and a save: it would use the registers. */
static void wait_here(u32 spins)
{
	asm volatile("1: pause; decl %0; jnz 1b" : "+r"(spins) : : "cc");
}

static void yield_here(void)
{
	long ret = 24;	/* sched_yield */

#ifdef __x86_64__
	asm volatile("syscall" : "+a"(ret) : : "rcx", "r11", "memory");
#else
	ret = 158;
	asm volatile("int $0x80" : "+a"(ret) : : "memory");
#endif
}

static void hold_patterns(u32 who, int rounds, bool avx)
{
	size_t words = NR * (avx ? 8 : 4);
	u32 in[NR * 8], out[NR * 8];

	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < words; i++)
			in[i] = who << 24 | round << 8 | i;
		if (avx)
			load_ymm(in);
		else
			load_xmm(in);
		if (round % 3)
			yield_here();
		else
			wait_here(20000);
		if (avx)
			save_ymm(out);
		else
			save_xmm(out);
		for (size_t i = 0; i < words; i++)
			check(in[i] == out[i], "process %u, round %d: word %zu is %#x, not %#x",
			      who, round, i, out[i], in[i]);
	}
}

static void several(bool avx)
{
	pid_t pid[3];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(pid); i++) {
		pid[i] = must(fork(), "fork");
		if (!pid[i]) {
			hold_patterns(i + 1, 500, avx);
			_exit(0);
		}
	}
	hold_patterns(i + 1, 500, avx);
	for (i = 0; i < ARRAY_SIZE(pid); i++)
		must_exit(pid[i], 0, "child");
}

static void sse(void)
{
	several(false);
}

static void avx(void)
{
	if (!have_avx())
		skip("no AVX");
	several(true);
}

static void x87(void)
{
	pid_t pid = must(fork(), "fork");
	u16 cw = pid ? 0x37f : 0x27f, cw2;
	long double sum = 0, sum2;

	for (int round = 0; round < 300; round++) {
		asm volatile("fldcw %0; fldpi; fld1" : : "m"(cw));
		if (round % 2)
			yield_here();
		else
			wait_here(10000);
		asm volatile("fnstcw %0" : "=m"(cw2));
		asm volatile("faddp; fstpt %0" : "=m"(sum2));
		check(cw == cw2, "control word %#x, not %#x", cw2, cw);
		check(fabsl(sum2 - 4.14159265358979323846L) < 0.000000001L, "pi + 1 is %Lf", sum2);
		sum += sum2;
	}
	if (!pid)
		_exit(0);
	must_exit(pid, 0, "child");
}

static void rounding(void)
{
	const float up = 0.333333343f, down = 0.333333313f;
	pid_t pid = must(fork(), "fork");
	u32 mxcsr = pid ? 0x5f80 : 0x3f80, now;	/* up, down */
	volatile float third;

	for (int round = 0; round < 300; round++) {
		asm volatile("ldmxcsr %0" : : "m"(mxcsr));
		yield_here();
		third = 1;
		asm volatile("divss %1, %0" : "+x"(*(float *)&third) : "x"(3.0f));
		asm volatile("stmxcsr %0" : "=m"(now));
		check((now & ~0x3f) == mxcsr, "MXCSR %#x, not %#x", now, mxcsr);
		check(third == (pid ? up : down), "1/3 is %a", third);
	}
	if (!pid)
		_exit(0);
	must_exit(pid, 0, "child");
}

/* A child starts with the parent's registers, a new program with clean ones. */
static void inherited(void)
{
	u32 in[NR * 4], out[NR * 4];
	long ret = 57;	/* fork */

	for (size_t i = 0; i < ARRAY_SIZE(in); i++)
		in[i] = 0xabcd0000 + i;
	load_xmm(in);
#ifdef __x86_64__
	asm volatile("syscall" : "+a"(ret) : : "rcx", "r11", "memory");
#else
	ret = 2;
	asm volatile("int $0x80" : "+a"(ret) : : "memory");
#endif
	save_xmm(out);
	check(!memcmp(in, out, sizeof(in)), "registers after fork in the %s",
	      ret ? "parent" : "child");
	if (!ret)
		_exit(0);
	must_exit(ret, 0, "child");
}

/* The registers of a signal's moment come back after the handler. */
static volatile int handled;

static void clobber(int sig)
{
	u32 junk[NR * 8];

	memset(junk, sig, sizeof(junk));
	load_xmm(junk);
	if (have_avx())
		load_ymm(junk);
	handled++;
}

static void signals(void)
{
	struct itimerval it = { { 0, 1000 }, { 0, 1000 } };
	u64 end = now_ns() + 15 * SECOND;
	bool wide = have_avx();

	signal(SIGALRM, clobber);
	setitimer(ITIMER_REAL, &it, NULL);
	while (handled < 300 && now_ns() < end)
		hold_patterns(handled % 100, 20, wide);
	memset(&it, 0, sizeof(it));
	setitimer(ITIMER_REAL, &it, NULL);
	check(handled >= 20, "only %d signals", handled);
}

static void arithmetic(void)
{
	double x = 0;
	float f = 1;
	long double l = 1;

	for (int i = 1; i < 200000; i++)
		x += 1.0 / i / i;
	check(fabs(x - 1.644929067) < 0.00000001, "pi^2/6 is %.9f", x);
	for (int i = 0; i < 100; i++) {
		f = sqrtf(f + 1);
		l = sqrtl(l + 1);
	}
	check(fabsf(f - 1.618034f) < 0.00001f && fabsl(l - 1.6180339887L) < 0.000000001L,
	      "%f %Lf", f, l);
}

/* XSAVE as user programs see it fits what CPUID tells. */
static void xsave(void)
{
	static u8 area[8192] __attribute__((aligned(64)));
	unsigned int a, b, c, d, low, high, sum = 576;

	__cpuid(1, a, b, c, d);
	if (!(c & bit_OSXSAVE))
		skip("no XSAVE");
	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	check((low & 3) == 3, "XCR0 %#x", low);
	__cpuid_count(0xd, 0, a, b, c, d);
	check((a & low) == low, "XCR0 is %#x, CPUID allows %#x", low, a);
	for (int i = 2; i < 32; i++) {
		unsigned int size, offset, e, f;

		if (!(low & 1u << i))
			continue;
		__cpuid_count(0xd, i, size, offset, e, f);
		check(size && offset >= 576, "component %d: %u bytes at %u", i, size, offset);
		if (offset + size > sum)
			sum = offset + size;
	}
	check(b >= sum && b <= sizeof(area), "XSAVE area of %u bytes, components end at %u", b,
	      sum);
	memset(area, 0x55, sizeof(area));
	asm volatile("xsave %0" : "+m"(area) : "a"(low), "d"(high));
	for (unsigned int i = b; i < sizeof(area); i++)
		check(area[i] == 0x55, "XSAVE wrote byte %u of %u", i, b);
}

const struct test tests[] = {
	{ "sse", sse },
	{ "avx", avx },
	{ "x87", x87 },
	{ "rounding", rounding },
	{ "fork", inherited },
	{ "signals", signals },
	{ "arithmetic", arithmetic },
	{ "xsave", xsave },
	{ NULL }
};
