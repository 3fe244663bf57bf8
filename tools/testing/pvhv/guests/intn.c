// SPDX-License-Identifier: GPL-2.0
/*
 * intn: INT n for every n, from kernel, 64-bit and 32-bit user mode.
 *
 * 3, 4 and 0x80 are open to user mode. Everything else is #GP with the IDT
 * entry's number, as on hardware: never an interrupt or exception of the host.
 */
#include "lib/guest.h"

static u64 vector_of(unsigned int n)
{
	switch (n) {
	case 3:
	case 4:
	case 0x80:
		return n;
	default:
		return X_GP;
	}
}

/* QEMU's TCG has 16 for the size of an IDT entry here */
static bool is_gp(u64 vector, u64 error, unsigned int n)
{
	return vector == X_GP && (error == n * 8 + 2 || error == n * 16 + 2);
}

static bool is_open(unsigned int n)
{
	return n == 3 || n == 4 || n == 0x80;
}

/* 256 times "int n; ret", 4 bytes each */
asm(".text\n"
    "int_n:\n"
    ".set n, 0\n"
    ".rept 256\n"
    ".byte 0xcd, n; ret; nop\n"
    ".set n, n + 1\n"
    ".endr\n"
    ".pushsection .user.text, \"ax\"\n"
    "user_int_n:\n"
    ".set n, 0\n"
    ".rept 256\n"
    ".byte 0xcd, n, 0x0f, 0x0b\n"
    ".set n, n + 1\n"
    ".endr\n"
    ".popsection");
extern const char int_n[], user_int_n[];

TEST(from_kernel_mode)
{
	for (unsigned int n = 0; n < 256; n++) {
		u64 at = (u64)int_n + n * 4;

		try_exec(at);
		if (!is_gp(trap.vector, trap.error, n) || is_open(n))
			check_trap(vector_of(n), n * 8 + 2, "int %#x", n);
		check_eq(trap.rip, at + (is_open(n) ? 2 : 0), "RIP after int %#x", n);
	}
}

static void from_user(bool compat)
{
	struct regs r;

	for (unsigned int n = 0; n < 256; n++) {
		const char *code = user_int_n + n * 4;

		if (compat)
			user_regs32(&r, code);
		else
			user_regs(&r, code);
		r.rax = 0x1234;
		run_user(&r, BY_IRET);
		if (!is_gp(r.vector, r.error, n) || is_open(n))
			check_user(&r, vector_of(n), n * 8 + 2, "int %#x", n);
		check_eq(r.rip, (u64)code + (is_open(n) ? 2 : 0), "RIP after int %#x", n);
		check_eq(r.rax, 0x1234, "RAX");
		check_eq(r.cs, compat ? SEL_USER32_CS : SEL_USER_CS, "CS after int %#x", n);
	}
}

TEST(from_user_mode)
{
	from_user(false);
}

TEST(from_compat_mode)
{
	from_user(true);
}

static bool resume_int80(struct regs *regs, bool user)
{
	if (!user || regs->vector != 0x80)
		return false;
	regs->rax++;
	return true;
}

asm(".pushsection .user.text, \"ax\"\n"
    ".code32\n"
    "user_int80_loop: int $0x80; cmp $1000, %eax; jb user_int80_loop; ud2\n"
    ".code64\n"
    ".popsection");
extern const char user_int80_loop[];

TEST(int80_system_calls)
{
	struct regs r;

	event_hook = resume_int80;
	user_regs32(&r, user_int80_loop);
	r.rbp = 0xbbbb;
	run_user(&r, BY_IRET);
	check_user(&r, X_UD, 0, "the end of the loop");
	check_eq(r.rax, 1000, "number of calls");
	check_eq(r.rbp, 0xbbbb, "EBP");
}
