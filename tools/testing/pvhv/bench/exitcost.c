// SPDX-License-Identifier: GPL-2.0
/*
 * exitcost: what each way between user mode, guest kernel and hypervisor
 * costs, without any Linux in the guest. See lib/guest.h of the test guests.
 *
 * Prints lines as bench.c does. The guest's own part of each is a handful of
 * instructions, counted in the comments.
 */
#include "guest.h"

#define REPS	7
#define N	1024		/* operations, also pages */
#define AREA	(SCRATCH_BASE + 0x4000000000)
#define PTE_RW	(PTE_P | PTE_W | PTE_A | PTE_D)

/* An operation, to the profiler: see MARK() of bench.h */
#define MARK_TEXT	"991:\n.pushsection marks, \"a\"\n.quad 991b\n.popsection\n"

/*
 * Entries of our own, which do no more than they must, and the library's for
 * what they do not know. Both user loops end in UD2 with RBX = 0.
 */
asm(".pushsection .text\n"
    /* + 3 instructions, and 3 of the loop */
    "fast_syscall:\n"
    "	cmp	$0x1000, %eax\n"
    "	jne	entry_syscall\n"
    "	jmp	ret_user_sysret - 2\n"
    /* + 7 instructions: skip two bytes and go on */
    "fast_event_kernel:\n"
    "	cmpb	$32, %gs:0x48\n"		/* VECTOR */
    "	jae	entry_event_kernel\n"
    "	addq	$2, %gs:0x8\n"			/* RIP */
    "	movb	$0, %gs:0x2\n"			/* IN_DELIVERY */
    "	mov	%rcx, %gs:0x30\n"
    "	mov	%r11, %gs:0x38\n"
    "	jmp	ret_kernel - 2\n"
    /* + 8 instructions */
    "fast_event_user:\n"
    "	test	%ebx, %ebx\n"
    "	jz	entry_event_user\n"
    "	addq	$2, %gs:0x8\n"
    "	movb	$0, %gs:0x2\n"
    "	mov	%rcx, %gs:0x30\n"
    "	mov	%r11, %gs:0x38\n"
    "	jmp	ret_user_iret - 2\n"
    ".popsection\n"
    ".pushsection .user.text, \"ax\"\n"
    "user_syscalls:\n"
    "	mov	%edi, %ebx\n"
    "1:	mov	$0x1000, %eax\n"
    "	syscall\n"
    MARK_TEXT "	dec	%ebx\n"
    "	jnz	1b\n"
    "	ud2\n"
    "user_uds:\n"
    "	mov	%edi, %ebx\n"
    "1:	ud2\n"
    MARK_TEXT "	dec	%ebx\n"
    "	jnz	1b\n"
    "	ud2\n"
    "user_reads:\n"			/* of RSI, two bytes long */
    "	mov	%edi, %ebx\n"
    "1:	mov	(%rsi), %eax\n"
    MARK_TEXT "	dec	%ebx\n"
    "	jnz	1b\n"
    "	ud2\n"
    ".popsection\n");
extern char fast_syscall[], fast_event_kernel[], fast_event_user[];
extern const char user_syscalls[], user_uds[], user_reads[];

_Static_assert(PVHV_VP_VECTOR == 0x48 && PVHV_VP_RIP == 0x8 && PVHV_VP_IN_DELIVERY == 0x2 &&
	       PVHV_VP_RCX == 0x30 && PVHV_VP_R11 == 0x38, "the offsets above");

static u64 sample[REPS];
static u64 before;

static void begin(void)
{
	before = rdtsc();
}

static void end(int rep)
{
	sample[rep] = rdtsc() - before;
}

/* In tenths of a ns each */
static u64 tenths(u64 ticks, u64 n)
{
	return ticks * 10 * 1000000 / start_info.tsc_khz / n;
}

static void result(const char *name, u64 n)
{
	int i, j;

	for (i = 1; i < REPS; i++)
		for (j = i; j && sample[j - 1] > sample[j]; j--) {
			u64 t = sample[j];

			sample[j] = sample[j - 1];
			sample[j - 1] = t;
		}
#define NS(t) tenths(t, n) / 10, tenths(t, n) % 10
	printf("BENCH result %s median=%lu.%lu min=%lu.%lu max=%lu.%lu n=%lu\n", name,
	       NS(sample[REPS / 2]), NS(sample[0]), NS(sample[REPS - 1]), n);
}

/* With loop=NAME that one runs for ever, for tools/.../profile. */
static bool looping(const char *name)
{
	const char *loop = cmdline_value("loop");

	if (!loop || strcmp(loop, name))
		return false;
	printf("BENCH loop %s\n", name);
	return true;
}

#define COST(name, n, prepare, what)					\
	do {								\
		for (bool loop_ = looping(name); loop_; ) {		\
			prepare;					\
			what;						\
		}							\
		for (int rep_ = -1; rep_ < REPS; rep_++) {		\
			prepare;					\
			begin();					\
			what;						\
			end(rep_ < 0 ? 0 : rep_);			\
		}							\
		result(name, n);					\
	} while (0)

#define TIMES(code)							\
	do {								\
		for (u64 i = 0; i < N; i++) {				\
			code;						\
			asm volatile(MARK_TEXT);			\
		}							\
	} while (0)

static void register_entries(bool fast)
{
	static struct pvhv_vcpu_setup s __attribute__((aligned(256)));

	vcpu_setup_fill(&s, &cpu0);
	if (fast) {
		s.entry_syscall = (u64)fast_syscall;
		s.entry_event_user = (u64)fast_event_user;
		s.entry_event_kernel = (u64)fast_event_kernel;
	}
	if (hypercall1(PVHV_HC_VCPU_SETUP, gpa_of(&s)))
		panic("VCPU_SETUP is refused");
}

static void user_loop(const char *code, u64 arg)
{
	struct regs r;

	user_regs(&r, code);
	r.rdi = N;
	r.rsi = arg;
	run_user(&r, BY_SYSRET);
	check_user(&r, X_UD, 0, "the end of the loop");
}

static u64 page[N];

/* All of the area, as @flags says; 0: not present */
static void set_area(u64 flags)
{
	for (u64 i = 0; i < N; i++)
		WRITE_ONCE(*make_entry(current_root, AREA + i * PAGE_SIZE, 1),
			   flags ? page[i] | flags : 0);
}

static void flush_area(void)
{
	if (hc_flush_range(AREA, AREA + N * PAGE_SIZE, 0, 0))
		panic("FLUSH_RANGE is refused");
}

static void read_area(void)
{
	TIMES((void)READ_ONCE(*(u64 *)(AREA + i * PAGE_SIZE)));
}

static void clean_area(u64 flags)
{
	set_area(0);
	flush_area();
	set_area(flags);
}

TEST(hypercalls)
{
	u64 other = new_root(), a = new_ctx(), b = new_ctx();

	irq_disable();
	/* + 7 or so, which is the loop */
	COST("hypercall", N, , TIMES(hc_irq_window()));
	COST("set_timer", N, , TIMES(hc_set_timer(0)));
	COST("flush_none", N, , TIMES(hc_flush_range(AREA, AREA + PAGE_SIZE, 0, 0)));
	COST("load_cr3", 2 * N, , TIMES(({
		hc_load_cr3(other, a, 1, 0);
		hc_load_cr3(gpa_of(boot_root), b, 1, 0);
	})));
	COST("new_mm", N, , TIMES(({
		u64 ctx = new_ctx();

		hc_load_cr3(other, ctx, 1, 0);
		hc_load_cr3(gpa_of(boot_root), b, 1, 0);
		hc_mm_drop(ctx);
	})));
	hc_load_cr3(gpa_of(boot_root), 0, 0, PVHV_CR3_FLUSH_ALL);
}

TEST(switches)
{
	register_entries(true);
	irq_disable();
	COST("direct", N, , user_loop(user_syscalls, 0));
	COST("ud_kernel", N, , TIMES(asm volatile("ud2" : : : "memory")));
	COST("ud_user", N, , user_loop(user_uds, 0));
	/* A page fault of the guest's own: the hypervisor walks and delivers. */
	COST("fault_user", N, , user_loop(user_reads, 0x10000));
	register_entries(false);
}

TEST(interrupts)
{
	irq_disable();
	/* The library's handler is part of it, some 130 instructions. */
	COST("ipi", N, , TIMES(({
		hc_send_ipi(0, 1, 0x99);
		irq_enable();
		irq_disable();
	})));
}

TEST(shadow)
{
	for (u64 i = 0; i < N; i++)
		page[i] = gpa_of(alloc_page());
	set_area(PTE_RW);
	for (u64 i = 0; i < N; i++)
		*(u64 *)(AREA + i * PAGE_SIZE) = i;	/* the host has them all */
	/* + 4 instructions each, the loop. First A must be set, then not. */
	COST("miss", N, clean_area(PTE_P | PTE_W), read_area());
	COST("miss8", N, clean_area(PTE_RW), read_area());
	COST("flush_kept", N, , flush_area());
	COST("flush_unmap", N, (clean_area(PTE_RW), read_area(), set_area(0)), flush_area());
	COST("flush_protect", N, (clean_area(PTE_RW), read_area(), set_area(PTE_P | PTE_A | PTE_D)),
	     flush_area());
	COST("hint", N, ({
		clean_area(PTE_RW);
		for (u64 i = 0; i < 2; i++)
			vp->hints[i] = (AREA + i * 512 * PAGE_SIZE) | 511;
		vp->nr_hints = 2;
	}), hc_sync_hints());
}
