/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test guests: what a test can use.
 *
 * A guest is one C file in guests/ with a doc comment and any number of
 *
 *	TEST(what_it_shows)
 *	{
 *		check(2 + 2 == 4, "2 + 2 is %d", 2 + 2);
 *	}
 *
 * The library registers the vCPU page, maps the user half, runs the tests in
 * the order they are written in, prints "ok NAME" or "not ok NAME - sentence"
 * for each, then "done N", and powers off. Words in the doc comment that the
 * runner reads are listed in run-all.
 *
 * A guest that defines guest_start() itself gets nothing done for it.
 */
#ifndef _LIB_GUEST_H
#define _LIB_GUEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include <pvhv/start_info.h>
#include <pvhv/vcpu_page.h>
#include "layout.h"

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef unsigned long u64;	/* printf wants one type for %lx */

#include "hypercall.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BIT(n)		(1UL << (n))
#define PAGE_SIZE	4096UL
#define PAGE_MASK	(~(PAGE_SIZE - 1))
#define __page_aligned	__attribute__((aligned(4096)))
#define __printf(f, a)	__attribute__((format(printf, f, a)))
#define __noreturn	__attribute__((noreturn))
#define __user_text	__attribute__((section(".user.text"), noinline, used))
#define __user_data	__attribute__((section(".user.data"), used))
#define barrier()	asm volatile("" ::: "memory")
#define READ_ONCE(x)	(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

/* Exceptions */
#define X_DE	0
#define X_DB	1
#define X_NMI	2
#define X_BP	3
#define X_OF	4
#define X_BR	5
#define X_UD	6
#define X_NM	7
#define X_DF	8
#define X_TS	10
#define X_NP	11
#define X_SS	12
#define X_GP	13
#define X_PF	14
#define X_MF	16
#define X_AC	17
#define X_XM	19

#define PF_P	1	/* error code of #PF */
#define PF_W	2
#define PF_U	4
#define PF_RSVD	8
#define PF_I	16

#define FL_CF	BIT(0)
#define FL_ZF	BIT(6)
#define FL_TF	BIT(8)
#define FL_IF	BIT(9)
#define FL_DF	BIT(10)
#define FL_IOPL	(3UL << 12)
#define FL_NT	BIT(14)
#define FL_RF	BIT(16)
#define FL_VM	BIT(17)
#define FL_AC	BIT(18)
#define FL_VIF	BIT(19)
#define FL_VIP	BIT(20)
#define FL_ID	BIT(21)

/* Page-table entries */
#define PTE_P	BIT(0)
#define PTE_W	BIT(1)
#define PTE_U	BIT(2)
#define PTE_PWT	BIT(3)
#define PTE_PCD	BIT(4)
#define PTE_A	BIT(5)
#define PTE_D	BIT(6)
#define PTE_PS	BIT(7)
#define PTE_G	BIT(8)
#define PTE_NX	BIT(63)
#define PTE_ADDR 0x000ffffffffff000UL

struct regs {
	u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	u64 rax, rcx, rdx, rsi, rdi;
	u64 dr6, cr2, vector, error;
	u64 rip, cs, rflags, rsp, ss;
};

struct cpu {
	struct pvhv_vcpu_page page;
	u64 kstack;
	struct cpu *self;
	struct regs *user;	/* where run_user() wants the end state */
	u8 df_stack[8192] __attribute__((aligned(16)));
} __page_aligned;

extern struct cpu cpu0;
extern struct pvhv_start_info start_info;	/* a copy */
extern char cmdline[256];
#define vp (&cpu0.page)

/* console.c */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list args);
__printf(3, 4) int snprintf(char *buf, size_t size, const char *fmt, ...);
__printf(1, 2) void printf(const char *fmt, ...);
void console_write(const char *s, size_t len);
void __noreturn shutdown(int reason, const char *message);
__printf(1, 2) void __noreturn panic(const char *fmt, ...);

void *memset(void *s, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);

/* cmdline.c */
void start_init(u64 start_gpa);
const char *cmdline_value(const char *key);	/* of key=value, or NULL */

/* main.c */
struct test {
	const char *name;
	void (*run)(void);
};

#define TEST(fn)							\
	static void run_##fn(void);					\
	static const struct test test_##fn				\
		__attribute__((section(".tests"), used)) = { #fn, run_##fn }; \
	static void run_##fn(void)

__printf(1, 2) void fail(const char *fmt, ...);
__printf(1, 2) void skip(const char *fmt, ...);
#define check(cond, fmt...)	({ bool ok_ = (cond); if (!ok_) fail(fmt); ok_; })
/* value == wanted, else "WHAT is 0x.., not 0x.." */
#define check_eq(value, wanted, what, ...)				\
	({								\
		u64 v_ = (u64)(value), w_ = (u64)(wanted);		\
									\
		check(v_ == w_, what " is %#lx, not %#lx",		\
		      ##__VA_ARGS__, v_, w_);				\
	})

/* trap.c */
struct trap {
	u64 vector;		/* NO_TRAP: nothing happened */
	u64 error, cr2, dr6, rip, rflags, rsp;
	u64 count;		/* since trap_reset() */
	bool double_fault;
};

#define NO_TRAP	(~0UL)

extern volatile struct trap trap;	/* the last one that TRY caught */
extern volatile u64 irq_count[256];
extern volatile u64 try_rsp;
/* Sees every event first; true: handled, go on at regs */
extern bool (*event_hook)(struct regs *regs, bool user);

void vcpu_setup(void);
void vcpu_setup_fill(struct pvhv_vcpu_setup *s, struct cpu *cpu);
const char *trap_text(const volatile struct trap *t);	/* "#GP(0x10)" */
bool trap_is(const volatile struct trap *t, u64 vector, u64 error);

static inline void trap_reset(void)
{
	trap.vector = NO_TRAP;
	trap.count = 0;
	trap.double_fault = false;
	barrier();
}

/*
 * Run instructions of which one may fault; what it was is in trap. RSP is
 * restored afterwards. TRY() tells the compiler nothing is kept but RBP and
 * R12..R15; TRY_IO() is for operands: TRY_IO("rdmsr", : "=a"(x) : "c"(nr)).
 */
#define TRY_TEXT(insn)							\
	"mov %%rsp, try_rsp(%%rip)\n"					\
	"771: " insn "\n"						\
	"nop\n"				/* traps point past INT n */	\
	"772: mov try_rsp(%%rip), %%rsp\n"				\
	".pushsection .extable, \"a\"\n"				\
	".quad 771b, 772b\n"						\
	".popsection\n"

#define TRY(insn)							\
	({								\
		trap_reset();						\
		asm volatile(TRY_TEXT(insn) : : :			\
			     "rax", "rbx", "rcx", "rdx", "rsi", "rdi",	\
			     "r8", "r9", "r10", "r11", "memory", "cc");	\
		trap.vector == NO_TRAP;					\
	})

#define TRY_IO(insn, ...)						\
	({								\
		trap_reset();						\
		asm volatile(TRY_TEXT(insn) __VA_ARGS__);		\
		trap.vector == NO_TRAP;					\
	})

/* One memory access each; true if it did not fault */
bool try_read(u64 va, u64 *value);
bool try_write(u64 va, u64 value);
bool try_exec(u64 va);		/* calls it; a RET should be there */

#define check_trap(vec, err, what, ...)					\
	check(trap_is(&trap, vec, err), what " gives %s, not %s",	\
	      ##__VA_ARGS__, trap_text(&trap), trap_name(vec, err))
#define check_no_trap(what, ...)					\
	check(trap.vector == NO_TRAP, what " gives %s", ##__VA_ARGS__, trap_text(&trap))
const char *trap_name(u64 vector, u64 error);
#define ANY_ERROR (~0UL)

static inline void irq_disable(void)
{
	WRITE_ONCE(vp->vif, 0);
	barrier();
}

static inline void irq_enable(void)
{
	WRITE_ONCE(vp->vif, 1);
	barrier();
	if (READ_ONCE(vp->pending))
		hc_irq_window();
}

/* user.c: user mode */
enum user_return { BY_SYSRET, BY_IRET };

extern void return_user_sysret(void), return_user_iret(void), return_kernel(void);
extern char ret_user_sysret[], ret_user_iret[], ret_kernel[];
extern char entry_event_kernel[], entry_event_user[], entry_syscall[], entry_double_fault[];
void user_enter(struct regs *regs, void (*ret)(void));
void __noreturn user_leave(void);

/* Fill for 64-bit (or compat) user code at rip, with a stack of its own */
void user_regs(struct regs *r, const void *rip);
void user_regs32(struct regs *r, const void *rip);
/* Run until an exception or system call, which r then describes */
void run_user(struct regs *r, enum user_return how);
/* SYSCALL (or an exception) of user code that was given three arguments */
u64 user_call(const void *fn, u64 a, u64 b, u64 c, struct regs *end);
extern char user_gpa[];		/* the symbol is the gpa */

#define check_user(r, vec, err, what, ...)				\
	check(user_is(r, vec, err), what " gives %s, not %s",		\
	      ##__VA_ARGS__, user_text(r), trap_name(vec, err))
bool user_is(const struct regs *r, u64 vector, u64 error);
const char *user_text(const struct regs *r);

/* mm.c: page tables */
extern u64 boot_root[512];
extern u64 current_root;	/* gpa */
extern u64 ram_end;		/* gpa past the RAM that holds the image */

void mm_init(void);
u64 gpa_of(const volatile void *p);
void *va_of(u64 gpa);
void *alloc_page(void);			/* zeroed, in the direct map */
void *alloc_pages_2m(void);		/* 2 MiB, aligned */
void free_page(void *p);
u64 free_pages_count(void);
/* The entry for va at a level (4: PML4E .. 1: PTE); NULL if a table is missing */
u64 *entry_of(u64 root, u64 va, int level);
u64 *make_entry(u64 root, u64 va, int level);
void map_page(u64 va, u64 gpa, u64 flags);	/* in the current root, no flush */
void flush_page(u64 va);
u64 new_root(void);		/* shares the kernel half and user text */
u64 new_ctx(void);		/* a ctx_id that was never used */

/* time.c */
u64 now(void);			/* ns, by hypercall */
void delay_ns(u64 ns);		/* spins */
void sleep_ns(u64 ns);		/* by HALT; VIF is clear afterwards */
u64 rdtsc(void);
void cpuid(u32 leaf, u32 sub, u32 *a, u32 *b, u32 *c, u32 *d);
bool have_fsgsbase(void);
bool under_tcg(void);		/* QEMU's emulator knows no #XM, icebp, ... */

#endif
