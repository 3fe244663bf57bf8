/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bench: what the kernel's services cost, on any machine that runs Linux.
 *
 * bench.c measures and reports, ops.c has the operations, smp.c those of two threads.
 */
#ifndef _BENCH_H
#define _BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/**
 * struct op - an operation
 * @name:	in results and in ops=
 * @text:	what one of it is
 * @setup:	once before; may be NULL
 * @run:	do it @n times; returns the ns that took, or by which it was late; setting up
 *		excluded
 * @cleanup:	once afterwards; may be NULL
 * @max:	most that @run can do at a time; 0: any number
 * @once:	one run of @max, without warming up: only the first time means something, or @max
 *		are what statistics of its own are about
 */
struct op {
	const char *name;
	const char *text;
	void (*setup)(void);
	uint64_t (*run)(unsigned long n);
	void (*cleanup)(void);
	unsigned long max;
	bool once;
};

/*
 * The profiler counts how often the next instruction is executed: it is where
 * an operation, or what counts as one, has been done. Costs nothing.
 */
static inline void mark(void)
{
	asm volatile("991:\n"
		     ".pushsection marks, \"a\"\n"
		     ".quad 991b\n"
		     ".popsection");
}

/* As a compiler must do it, of one byte */
static inline void write_byte(char *p)
{
	asm volatile("movb $1, %0" : "=m"(*p));
}

extern const struct op ops[];	/* ends with a name of NULL */
extern char *bench_self;	/* a path to this program */

uint64_t run_smp_fault(unsigned long n);
uint64_t run_smp_fault_mm(unsigned long n);
uint64_t run_smp_shootdown(unsigned long n);
uint64_t run_smp_futex(unsigned long n);
uint64_t run_smp_pipe(unsigned long n);
uint64_t run_smp_hackbench(unsigned long n);

pid_t fork_or_die(void);
void wait_for(pid_t pid);
uint64_t now_ns(void);
void die(const char *fmt, ...);

#endif
