/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PVHV_RING_TEST_H
#define PVHV_RING_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* The first failure of a test ends it, with a sentence. */
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
#define check(cond, ...) do { if (!(cond)) fail(__VA_ARGS__); } while (0)

uint64_t random64(uint64_t *state);

/* peers.c: one thread that plays both sides, or a hostile one */
void test_peers(void);

/* race.c: two threads; @items for each case, in all */
extern unsigned long race_items;
extern unsigned int race_watchdog;	/* seconds without progress that are a hang */
extern const char *race_only;		/* only the cases with this in their name */
void test_race(void);

#endif
