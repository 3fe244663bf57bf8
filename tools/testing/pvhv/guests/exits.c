// SPDX-License-Identifier: GPL-2.0
/*
 * exits: what each way out of the guest costs, in TSC ticks. A table for
 * people; the only thing that can fail is an exit that does not come back.
 */
#include "lib/guest.h"

#define ROUNDS	2000

asm(".pushsection .user.text, \"ax\"\n"
    "user_syscalls: mov $2000, %ebx\n"
    "1: syscall; dec %ebx; jnz 1b\n"
    "ud2\n"
    "user_faults: mov $2000, %ebx\n"
    "1: int3; dec %ebx; jnz 1b\n"
    "ud2\n"
    ".popsection");
extern const char user_syscalls[], user_faults[];

#define COST(what, code)						\
	do {								\
		u64 t_ = rdtsc();					\
									\
		for (u64 i = 0; i < ROUNDS; i++)			\
			code;						\
		printf("# %6lu  %s\n", (rdtsc() - t_) / ROUNDS, what);	\
	} while (0)

static bool resume(struct regs *regs, bool user)
{
	return user && (regs->vector == VECTOR_SYSCALL || regs->vector == X_BP);
}

TEST(cost)
{
	u64 va = SCRATCH_BASE + 0x5000000000, t;
	u64 *p = alloc_page();
	struct regs r;

	COST("hypercall (GET_TIME)", hc_get_time());
	COST("hypercall that does not exist", hypercall0(0));
	COST("YIELD", hc_yield());
	COST("SET_TIMER", hc_set_timer(0));
	COST("FLUSH_RANGE of a page", hc_flush_range(va, va + PAGE_SIZE, 0, 0));
	COST("LOAD_CR3 of the same root", hc_load_cr3(current_root, 77, 1, 0));
	COST("READ_MSR", hc_read_msr(0xc0000080));
	COST("ud2 in kernel mode, delivered and returned from", TRY("ud2"));
	COST("page fault of the guest's", try_read(va, NULL));
	COST("RDMSR, emulated", TRY_IO("rdmsr", : : "c"(0xc0000080) : "rax", "rdx"));
	COST("CLI, emulated", TRY("cli"));
	map_page(va, gpa_of(p), PTE_P | PTE_W);
	COST("shadow miss, and the flush for it", ({
		try_write(va, i);
		flush_page(va);
		*entry_of(current_root, va, 1) = 0;
		flush_page(va);
		map_page(va, gpa_of(p), PTE_P | PTE_W);
	}));
	irq_disable();
	COST("IPI to oneself, delivered", ({
		hc_send_ipi(0, 1, 0x99);
		irq_enable();
		irq_disable();
	}));
	event_hook = resume;
	user_regs(&r, user_syscalls);
	t = rdtsc();
	run_user(&r, BY_SYSRET);
	printf("# %6lu  system call of user mode and back\n", (rdtsc() - t) / ROUNDS);
	check_user(&r, X_UD, 0, "the end of the loop");
	user_regs(&r, user_faults);
	t = rdtsc();
	run_user(&r, BY_SYSRET);
	printf("# %6lu  exception in user mode and back\n", (rdtsc() - t) / ROUNDS);
	check_user(&r, X_UD, 0, "the end of the loop");
	hc_load_cr3(current_root, 0, 0, PVHV_CR3_FLUSH_ALL);
}
