// SPDX-License-Identifier: GPL-2.0
/*
 * multicall: batches, what they may hold and what not.
 */
#include "lib/guest.h"

static struct pvhv_multicall calls[128] __page_aligned;

static void fill(unsigned int i, u64 nr, u64 a, u64 b, u64 c, u64 d)
{
	calls[i].nr = nr;
	calls[i].result = 0x7777;
	calls[i].args[0] = a;
	calls[i].args[1] = b;
	calls[i].args[2] = c;
	calls[i].args[3] = d;
}

TEST(empty)
{
	long r = hc_multicall(gpa_of(calls), 0);

	check(r == 0 || r == -PVHV_EINVAL, "a batch of no calls returns %ld", r);
}

TEST(results_in_order)
{
	fill(0, PVHV_HC_GET_TIME, 0, 0, 0, 0);
	fill(1, PVHV_HC_SET_TIMER, 0, 0, 0, 0);
	fill(2, 0, 0, 0, 0, 0);
	fill(3, PVHV_HC_GET_TIME, 0, 0, 0, 0);
	fill(4, PVHV_HC_READ_MSR, 0xc0000080, 0, 0, 0);
	check_eq(hc_multicall(gpa_of(calls), 4), 4, "a batch of four");
	check(calls[0].result > 0 && calls[3].result >= calls[0].result,
	      "the times are %ld and %ld", (long)calls[0].result, (long)calls[3].result);
	check_eq(calls[1].result, 0, "SET_TIMER(0)");
	check_eq(calls[2].result, -PVHV_ENOSYS, "hypercall 0");
	check_eq(calls[4].result, 0x7777, "the result of the call after the batch");
}

TEST(all_that_fit)
{
	for (unsigned int i = 0; i < PVHV_MULTICALL_MAX; i++)
		fill(i, PVHV_HC_GET_TIME, 0, 0, 0, 0);
	check_eq(hc_multicall(gpa_of(calls), PVHV_MULTICALL_MAX), PVHV_MULTICALL_MAX,
		 "a batch of as many as there may be");
	for (unsigned int i = 1; i < PVHV_MULTICALL_MAX; i++)
		check(calls[i].result >= calls[i - 1].result, "time went back at call %u", i);
}

TEST(not_within_one_page)
{
	u64 gpa = gpa_of(calls) + PAGE_SIZE - sizeof(calls[0]);

	/* Refused as a structure in two pages; done is as good if all of it is done */
	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++)
		fill(i, PVHV_HC_GET_TIME, 0, 0, 0, 0);
	for (u64 at = gpa; at < gpa + 64; at += 8) {
		long r = hc_multicall(at, 4);

		check(r < 0 || r == 4, "a batch across pages at %#lx returns %ld", at, r);
	}
}

TEST(forbidden_entries)
{
	static const struct {
		u64 nr;
		const char *name;
	} forbidden[] = {
		{ PVHV_HC_MULTICALL, "MULTICALL" }, { PVHV_HC_HALT, "HALT" },
		{ PVHV_HC_IRQ_WINDOW, "IRQ_WINDOW" }, { PVHV_HC_SHUTDOWN, "SHUTDOWN" },
		{ PVHV_HC_VCPU_DOWN, "VCPU_DOWN" }, { PVHV_HC_YIELD, "YIELD" },
		{ PVHV_HC_VCPU_SETUP, "VCPU_SETUP" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(forbidden); i++) {
		long r;

		fill(0, PVHV_HC_GET_TIME, 0, 0, 0, 0);
		fill(1, forbidden[i].nr, gpa_of(calls), 1, 0, 0);
		fill(2, PVHV_HC_GET_TIME, 0, 0, 0, 0);
		r = hc_multicall(gpa_of(calls), 3);
		check(r < 0 || calls[1].result < 0 ||
		      forbidden[i].nr == PVHV_HC_YIELD || forbidden[i].nr == PVHV_HC_VCPU_SETUP,
		      "%s in a batch gives %ld", forbidden[i].name, (long)calls[1].result);
	}
	TRY("ud2");
	check_trap(X_UD, 0, "an event after that");
}

TEST(every_number_with_zeroes)
{
	for (u64 nr = 0; nr < PVHV_NR_HYPERCALLS + 40; nr++) {
		long r;

		if (nr == PVHV_HC_VCPU_SETUP)
			continue;	/* what is at gpa 0 might be taken for a good one */
		fill(0, nr, 0, 0, 0, 0);
		r = hc_multicall(gpa_of(calls), 1);
		check(r == 1 || r < 0, "call %lu in a batch: %ld calls were done", nr, r);
	}
	check_eq(hc_yield(), 0, "YIELD's result");
}

TEST(overwrites_itself)
{
	/* CONSOLE_READ into the batch: what is read must not become a call */
	fill(0, PVHV_HC_CONSOLE_READ, gpa_of(calls + 1), 48, 0, 0);
	fill(1, PVHV_HC_GET_TIME, 0, 0, 0, 0);
	check_eq(hc_multicall(gpa_of(calls), 2), 2, "a batch that reads into itself");
}

TEST(remaps_itself)
{
	/* The batch is found by gpa: what happens to its mapping is nothing to it */
	u64 gpa = gpa_of(calls);

	fill(0, PVHV_HC_FLUSH_ALL, 0, PVHV_FLUSH_KERNEL | PVHV_FLUSH_USER, 0, 0);
	fill(1, PVHV_HC_LOAD_CR3, current_root, new_ctx(), 1, 0);
	fill(2, PVHV_HC_FLUSH_RANGE, (u64)calls, (u64)calls + PAGE_SIZE, 0, 0);
	fill(3, PVHV_HC_GET_TIME, 0, 0, 0, 0);
	check_eq(hc_multicall(gpa, 4), 4, "a batch that flushes itself");
	check_eq(calls[0].result, 0, "FLUSH_ALL in a batch");
	check_eq(calls[1].result, 0, "LOAD_CR3 in a batch");
	check_eq(calls[2].result, 0, "FLUSH_RANGE in a batch");
	check(calls[3].result > 0, "GET_TIME in a batch gives %ld", (long)calls[3].result);
}
