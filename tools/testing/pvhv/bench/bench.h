/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bench: what the kernel's services cost, on any machine that runs Linux.
 *
 * bench.c measures and reports, ops.c has the operations.
 */
#ifndef _BENCH_H
#define _BENCH_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct op - an operation
 * @name:	in results and in ops=
 * @text:	what one of it is
 * @setup:	once before; may be NULL
 * @run:	do it @n times; returns the ns that took, setting up excluded
 * @cleanup:	once afterwards; may be NULL
 * @max:	most that @run can do at a time; 0: any number
 * @once:	only the first time means something: no warming up, one run of @max
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
 * Marks an operation, or a part that counts as one, for tools/.../profile: an
 * address that it sees executed, and no instruction.
 */
#define MARK()	asm volatile("1:\n"				\
			     ".pushsection marks, \"a\"\n"	\
			     ".quad 1b\n"			\
			     ".popsection")

extern const struct op ops[];	/* ends with a name of NULL */
extern char *bench_self;	/* a path to this program */

uint64_t now_ns(void);
void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...);

#endif
