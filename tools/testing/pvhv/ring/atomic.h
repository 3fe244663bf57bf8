/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What <pvhv/ring.h> needs of a kernel, in user space.
 *
 * ThreadSanitizer does not understand fences, and it does not have to: what it
 * judges is whether slots are handed over by @prod and @cons with release and
 * acquire. So smp_mb() under it is a locked operation on a variable of this
 * thread alone: a full barrier for the CPU and the compiler that orders nothing
 * in ThreadSanitizer's eyes. On a shared variable it would hide missing releases.
 *
 * MUTANT_xxx take an operation away: the test must fail then.
 */
#ifndef PVHV_RING_TEST_ATOMIC_H
#define PVHV_RING_TEST_ATOMIC_H

#include <stdint.h>
#include <string.h>

#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELAXED)

#ifdef MUTANT_NO_ACQUIRE
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_RELAXED)
#else
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#endif

#ifdef MUTANT_NO_RELEASE
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELAXED)
#else
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#endif

#if defined(MUTANT_NO_BARRIER)
#define smp_mb()		__asm__ volatile ("" : : : "memory")
#elif defined(__SANITIZE_THREAD__)
static _Thread_local uint32_t smp_mb_word;
#define smp_mb()		((void)__atomic_fetch_add(&smp_mb_word, 1, __ATOMIC_SEQ_CST))
#else
#define smp_mb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif

#include <pvhv/ring.h>

#endif
