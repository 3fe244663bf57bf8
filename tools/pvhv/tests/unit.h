/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests: each test-NAME.c has one function of tables, in unit.c's list.
 */
#ifndef PVHV_TEST_UNIT_H
#define PVHV_TEST_UNIT_H

#include <stdlib.h>
#include <string.h>

#include "util.h"

void test_util(void);
void test_kernel(void);
void test_guest(void);
void test_protocol(void);
void test_term(void);
void test_host(void);
void test_spec(void);
void test_cpulist(void);
void test_cpufeatures(void);

/* Count a case, and say so if it failed. */
void check_case(bool good, const char *file, int line, const char *fmt, ...) __printf(4, 5);
#define CHECK(good, ...)	check_case(good, __FILE__, __LINE__, __VA_ARGS__)
/* @text has @part in it */
#define CHECK_TEXT(text, part)	check_text(text, part, __FILE__, __LINE__)
void check_text(const char *text, const char *part, const char *file, int line);

/* Rounds of a random test: fewer when each costs much more */
#ifdef __SANITIZE_ADDRESS__
#define ROUNDS(n)	((n) / 10)
#else
#define ROUNDS(n)	(n)
#endif

/* A small deterministic generator: a failure can be repeated */
u32 test_random(void);

#endif
