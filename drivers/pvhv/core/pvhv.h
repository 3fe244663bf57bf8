/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The module's own structures: domains and vCPUs.
 */
#ifndef _PVHV_CORE_H
#define _PVHV_CORE_H

#include <linux/hrtimer.h>
#include <linux/kfifo.h>
#include <linux/kref.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <uapi/linux/pvhv.h>
#include <asm/desc_defs.h>

#include <pvhv/hypercall.h>
#include <pvhv/start_info.h>
#include <pvhv/vcpu_page.h>
#include "../../../arch/x86/pvhv/host/cpuid_policy.h"
#include "../../../arch/x86/pvhv/host/switcher.h"
#include "../mmu/mmu.h"
#include "hypercall_check.h"
#include "split.h"

struct pvhv_domain;

/**
 * struct pvhv_vcpu_stats - counters of a vCPU, see PVHV_GET_STATS
 * @exits:		world switches back to the host
 * @exit_hypercall:	hypercalls that reached the host
 * @exit_return:	returns that the switcher left to C
 * @exit_page_fault:	page faults, the guest's own and shadow misses, but @faults_direct
 * @exit_exception:	other exceptions
 * @exit_emulate:	privileged instructions emulated
 * @exit_interrupt:	the host's interrupts
 * @exit_nmi:		the host's NMIs
 * @syscalls_direct:	system calls that the switcher served alone
 * @returns_direct:	returns likewise
 * @faults_direct:	page faults in user mode likewise
 * @events:		exceptions delivered, but for @faults_direct
 * @interrupts:		interrupts delivered
 * @loads:		times that the vCPU was loaded on a CPU
 * @halts:		times that it slept in PVHV_HC_HALT
 * @hints:		page-table hints consumed
 * @host_faults:	guest pages that had to be got from the host
 * @port_sends:		notifications sent through event channels
 */
struct pvhv_vcpu_stats {
	u64 exits;
	u64 exit_hypercall;
	u64 exit_return;
	u64 exit_page_fault;
	u64 exit_exception;
	u64 exit_emulate;
	u64 exit_interrupt;
	u64 exit_nmi;
	u64 syscalls_direct;
	u64 returns_direct;
	u64 faults_direct;
	u64 events;
	u64 interrupts;
	u64 loads;
	u64 halts;
	u64 sleeps;
	u64 polls;
	u64 hints;
	u64 host_faults;
	u64 port_sends;
};

/* vcpu->mode */
enum {
	PVHV_OUTSIDE,		/* the host's code runs, or nothing */
	PVHV_IN_GUEST,		/* must be interrupted to see a change */
};

/* Bits of vcpu->requests */
enum {
	PVHV_REQ_STOP,		/* domain paused, ended: look at it */
};

/* Why the inner loop left a vCPU, beside errors */
enum pvhv_next {
	PVHV_CONTINUE,		/* enter the guest again */
	PVHV_RETRY_SLOW,	/* do vcpu->slow, then handle the same exit again */
	PVHV_SLEEP,		/* the exit was HALT, or HLT with interrupts on */
	PVHV_WAIT,		/* ... or WAIT */
	PVHV_YIELD,
	PVHV_OUT,		/* back to user space */
};

/* vcpu->power, under domain->state_lock; only the vCPU leaves PVHV_VCPU_UP or _STARTING */
enum pvhv_power {
	PVHV_VCPU_DOWN,
	PVHV_VCPU_STARTING,	/* its own thread will do it, from vcpu->start */
	PVHV_VCPU_UP,
};

/**
 * struct pvhv_slow - what an exit needs before it can be handled
 * @topup:	fill the MMU caches
 * @fault_in:	get @gfn from the host, for writing if @write
 * @sleepable:	run the handler where it may sleep
 * @async_fault: wait for KVM to bring the host's own page
 */
struct pvhv_slow {
	bool topup;
	bool fault_in;
	bool write;
	bool sleepable;
	bool async_fault;
	u64  gfn;
};

/* What a vCPU displaces of the host's state while it is loaded */
struct pvhv_host_state {
	u64 fs_base, gs_base;
	u64 star, lstar, cstar, fmask, sysenter_cs, tsc_aux;
	u16 ds, es, fs, gs, ldt;
	u32 pkru;
	bool syscall_msrs;	/* they are in the CPU */
	unsigned long cr4;
	u64 pebs_enable, debugctl;
};

struct pvhv_vcpu {
	struct pvhv_domain *domain;
	u32 id;

	/* The guest's state: in the CPU's area while loaded, else in the saved copies */
	struct sw_regs *regs;
	struct sw_guest *guest;
	bool loaded;
	bool segments_live;	/* entered since the load: segment registers are the guest's */
	struct sw_regs saved_regs;
	struct sw_guest saved_guest;
	void *fpstate;

	/* Registered by PVHV_HC_VCPU_SETUP */
	struct pvhv_vcpu_page *page;
	struct page *page_ref;
	u64 entry_event_kernel;
	u64 entry_double_fault, df_stack;

	/* Descriptors and registers that only we may load */
	struct desc_struct tls[3];
	u32 cpunode;
	struct desc_struct *ldt;	/* PVHV_LDT_PAGES pages, in the window */
	u32 nr_ldt;
	unsigned long dr[4], dr6, dr7;
	u64 xcr0;			/* as the guest has set it, 0: not yet */

	struct pvhv_mmu_vcpu mmu;

	/* Interrupts: set by anybody, taken by the vCPU itself */
	unsigned long irr[4];
	bool irr_any;
	bool nmi_pending;
	bool kicked;			/* PVHV_HC_KICK */
	unsigned long event_sel;	/* for EVENT_SEL of the vCPU page */
	int mode;
	int cpu;
	u64 tlb_gen;			/* what the TLB was good for at the last entry */
	unsigned long requests;
	wait_queue_head_t wq;		/* halted here */
	struct hrtimer timer;

	/* Progress of a hypercall that is called again */
	struct pvhv_mmu_flush flush;
	struct pvhv_multicall_state {
		u32 count, done;
		struct pvhv_multicall entries[PVHV_MULTICALL_MAX];
	} multicall;
	struct pvhv_grant_copy_state grant_copy;

	struct pvhv_slow slow;
	unsigned int poll_ns;		/* what pvhv_idle() polls next time */
	u64 run_delay, steal_ns;	/* see report_steal() */
	u64 left_at;			/* ktime of the end of the last PVHV_RUN */
	u32 steal_seq;
	bool want_topup;		/* MMU caches ran low where nobody could wait */
	u32 apf_flags;			/* KVM's below us: pvhv_async_fault_wait() */
	u8 bad_return;			/* exception of SW_VEC_BAD_RETURN */
	enum pvhv_next next;
	u64 hints[PVHV_VP_MAX_HINTS];
	struct mutex lock;		/* one PVHV_RUN, GET_REGS or SET_REGS at a time */
	bool started;			/* it has registers and a root */
	enum pvhv_power power;
	struct pvhv_vcpu_start start;
	bool active;			/* in PVHV_RUN and not parked; under domain->state_lock */

	struct pvhv_host_state host;
	struct pvhv_vcpu_stats stats;
};

#define PVHV_LDT_PAGES	16

/**
 * struct pvhv_gfn - what the host knows of one guest page
 * @pfn:	pfn << PVHV_GFN_SHIFT | flags, 0 if unknown; under memory.lock
 * @rmap:	the MMU's
 */
struct pvhv_gfn {
	unsigned long pfn;
	unsigned long rmap;
};

#define PVHV_GFN_VALID		1UL
#define PVHV_GFN_WRITABLE	2UL
#define PVHV_GFN_SHIFT		2

/* Pages whose records are made together, when the first of them is wanted */
#define PVHV_GFN_CHUNK		(PAGE_SIZE / sizeof(struct pvhv_gfn))

/**
 * struct pvhv_slot - a piece of guest RAM; does not change once it can be found
 * @gfn:	its first page
 * @nr:		pages
 * @hva:	where the owner has it
 * @chunks:	of PVHV_GFN_CHUNK records each; from NULL to a page, which stays
 */
struct pvhv_slot {
	u64 gfn;
	u64 nr;
	unsigned long hva;
	struct pvhv_gfn **chunks;
};

struct pvhv_memory_map {
	int nr_slots;
	struct pvhv_slot slots[PVHV_MAX_MEMORY_SLOTS];
	/* Notifier against lookup: as in KVM, see look_up() */
	spinlock_t lock;		/* invalidat*, pfn of gfns */
	unsigned long invalidate_seq;
	long invalidate_count;
	unsigned long invalidations;	/* that go on, whatever they touch */
	wait_queue_head_t no_invalidation;
	struct mmu_notifier notifier;
	bool notifier_on;
};

#define PVHV_CONSOLE_SIZE	16384
#define PVHV_CONSOLE_RESERVE	2048	/* for what a ring holds when it goes */

struct pvhv_console {
	spinlock_t lock;		/* the queues and the two flags */
	struct mutex in_lock;		/* one vCPU at a time takes from @in; outside of @lock */
	DECLARE_KFIFO(out, u8, PVHV_CONSOLE_SIZE);
	DECLARE_KFIFO(in, u8, 1024);
	bool starved;			/* the guest found no room in @out, */
	bool call_starved;		/* ... and that by a hypercall */
	wait_queue_head_t wq;
	struct mutex pump_lock;		/* the next two, and calls; outside of the backend's */
	bool (*pump)(void *data);	/* moves bytes to and from a ring, NULL: there is none */
	void *pump_data;
};

struct pvhv_domain {
	struct kref ref;
	u32 id;				/* may be used again, */
	u64 unique_id;			/* ... this not */
	struct mm_struct *mm;
	struct list_head list;

	spinlock_t state_lock;		/* the next four, vcpu->active */
	u32 state;			/* PVHV_STATE_xxx */
	u32 crash;
	bool paused;
	char message[PVHV_MESSAGE_LEN];
	wait_queue_head_t state_wq;	/* pause, resume, end */

	struct mutex lock;		/* memory, vCPUs, LDT, registered pages, disk_queue */
	struct pvhv_vcpu *vcpus[PVHV_MAX_VCPUS];
	u32 vcpus_wanted;		/* by the owner, online; 0: it has not said */
	struct pvhv_cpuid_policy cpuid;	/* this and the next: fixed once there is a vCPU */
	u64 xcr0;			/* while a vCPU is loaded; 0: no XSAVE */

	struct pvhv_memory_map memory;
	struct pvhv_mmu mmu;
	u64 window_entry;		/* PML4 entry of the domain's window */

	struct page *clock_page;
	u64 clock_base;			/* TSC, or CLOCK_MONOTONIC ns, when the clock was 0 */
	bool clock_is_tsc;
	unsigned long causes;

	struct pvhv_ports ports;
	struct pvhv_grant_table *grants;
	u32 nr_devices;			/* it has a side of; under the registry's lock */
	struct pvhv_disk_queue *disk_queue;	/* NULL until it has had a disk; under lock */

	struct pvhv_console console;
};

static inline struct pvhv_domain *pvhv_mmu_domain(struct pvhv_mmu *mmu)
{
	return container_of(mmu, struct pvhv_domain, mmu);
}

static inline pvhv_domid_t pvhv_domid(const struct pvhv_domain *d)
{
	return (__force pvhv_domid_t)d->id;
}

/* domain.c */
struct pvhv_domain *pvhv_find_domain(pvhv_domid_t domid);
int pvhv_nr_domains(void);
int pvhv_create_domain(void __user *arg);
void pvhv_domain_put(struct pvhv_domain *d);
void pvhv_domain_end(struct pvhv_domain *d, u32 state, u32 crash, const char *fmt, ...)
	__printf(4, 5);
static inline bool pvhv_domain_ended(const struct pvhv_domain *d)
{
	return READ_ONCE(d->state) >= PVHV_STATE_POWEROFF;
}

/* vcpu.c */
int pvhv_create_vcpu(struct pvhv_domain *d, unsigned long id);
void pvhv_vcpu_free(struct pvhv_vcpu *v);
void pvhv_kick(struct pvhv_vcpu *v);
int pvhv_set_regs(struct pvhv_vcpu *v, const struct pvhv_vcpu_regs *u);

/* event.c */
void pvhv_deliver(struct pvhv_vcpu *v, u8 vector, u64 error_code);
void pvhv_deliver_page_fault(struct pvhv_vcpu *v, u64 cr2, u64 error_code);
void pvhv_raise(struct pvhv_vcpu *v, u8 vector);
void pvhv_raise_event(struct pvhv_vcpu *v, unsigned int word);
void pvhv_raise_nmi(struct pvhv_vcpu *v);
void pvhv_raise_cause(struct pvhv_domain *d, unsigned int bit);
void pvhv_deliver_interrupts(struct pvhv_vcpu *v);
enum pvhv_next pvhv_return_to_user(struct pvhv_vcpu *v, bool iret);
enum pvhv_next pvhv_return_to_kernel(struct pvhv_vcpu *v);
long pvhv_sync_hints(struct pvhv_vcpu *v);

/* hypercall.c */
enum pvhv_next pvhv_hypercall(struct pvhv_vcpu *v);

/* smp.c */
int pvhv_vcpu_power(struct pvhv_vcpu *v);
int pvhv_idle(struct pvhv_vcpu *v, bool halted);
struct pvhv_vcpu *pvhv_find_vcpu(struct pvhv_domain *d, u64 id);
long pvhv_hc_vcpu_up(struct pvhv_vcpu *v, const u64 *a);
void pvhv_hc_vcpu_down(struct pvhv_vcpu *v);
long pvhv_hc_kick(struct pvhv_vcpu *v, const u64 *a);
long pvhv_set_vcpus(struct pvhv_domain *d, unsigned long nr);
long pvhv_hc_get_vcpus(struct pvhv_vcpu *v, const u64 *a);

/* setup.c */
long pvhv_hc_vcpu_setup(struct pvhv_vcpu *v, const u64 *a);
long pvhv_hc_set_clock(struct pvhv_vcpu *v, const u64 *a);
void pvhv_vcpu_unregister(struct pvhv_vcpu *v);

/* desc.c */
long pvhv_hc_set_tls(struct pvhv_vcpu *v, const u64 *a);
long pvhv_hc_set_ldt(struct pvhv_vcpu *v, const u64 *a);
long pvhv_hc_load_gs_index(struct pvhv_vcpu *v, const u64 *a);
long pvhv_hc_set_cpunode(struct pvhv_vcpu *v, const u64 *a);
bool pvhv_selector_ok(struct pvhv_vcpu *v, u16 sel);
u64 pvhv_code_address(struct pvhv_vcpu *v);

/* memory.c */
int pvhv_set_memory(struct pvhv_domain *d, const struct pvhv_memory *m);
int pvhv_memory_init(struct pvhv_domain *d);
void pvhv_memory_stop(struct pvhv_domain *d);
void pvhv_memory_destroy(struct pvhv_domain *d);
bool pvhv_root_ok(struct pvhv_domain *d, u64 gpa);
int pvhv_fault_in(struct pvhv_domain *d, u64 gfn, bool write);
int pvhv_copy_from_guest(struct pvhv_vcpu *v, void *to, u64 gpa, size_t len);
int pvhv_copy_to_guest(struct pvhv_vcpu *v, u64 gpa, const void *from, size_t len);
int pvhv_copy_from_guest_virt(struct pvhv_vcpu *v, void *to, u64 gva, size_t len, bool fetch);
struct page *pvhv_grab_gfn_page(struct pvhv_domain *d, u64 gfn, bool write);
struct page *pvhv_fetch_gfn_page(struct pvhv_grant_table *gt, u64 gfn, bool write);
struct page *pvhv_pin_guest_page(struct pvhv_domain *d, u64 gpa);
void pvhv_unpin_guest_page(struct page *page);

/* time.c */
u64 pvhv_clock_now(struct pvhv_domain *d);
void pvhv_clock_setup(void);
void pvhv_clock_init(struct pvhv_domain *d);
void pvhv_clock_write(struct pvhv_domain *d);
void pvhv_timer_init(struct pvhv_vcpu *v);
long pvhv_hc_set_timer(struct pvhv_vcpu *v, const u64 *a);
bool pvhv_clock_stable(void);

/* stats.c */
long pvhv_get_stats(struct pvhv_domain *d, void __user *arg);

/* console.c */
int pvhv_get_console(struct pvhv_domain *d);
void pvhv_console_init(struct pvhv_domain *d);
long pvhv_hc_console_write(struct pvhv_vcpu *v, const u64 *a);
long pvhv_hc_console_read(struct pvhv_vcpu *v, const u64 *a);

/* The world switch, arch/x86/pvhv/host/ */
int pvhv_world_init(void);
void pvhv_world_exit(void);
u64 pvhv_features(void);
u64 pvhv_switcher_features(void);
u64 pvhv_host_xcr0(void);
int pvhv_hole_levels(void);
u64 pvhv_switcher_entry(void);
u64 pvhv_window_address(int vcpu);
int pvhv_window_map(struct pvhv_domain *d, int vcpu, int page, struct page *p);
void pvhv_window_free(struct pvhv_domain *d);
int pvhv_mm_attach(struct mm_struct *mm);
void pvhv_mm_detach(struct mm_struct *mm);

bool pvhv_host_has_int80(void);

bool pvhv_load(struct pvhv_vcpu *v);
void pvhv_put(struct pvhv_vcpu *v);
void pvhv_enter(struct pvhv_vcpu *v);
void pvhv_reload_segments(struct pvhv_vcpu *v);
void pvhv_segments_changed(struct pvhv_vcpu *v);
void pvhv_send_kick(int cpu);
void pvhv_async_fault_wait(struct pvhv_vcpu *v);
int pvhv_fpstate_alloc(struct pvhv_vcpu *v);
void pvhv_fpstate_free(struct pvhv_vcpu *v);

enum pvhv_next pvhv_emulate(struct pvhv_vcpu *v, u64 error_code);
long pvhv_read_msr(struct pvhv_vcpu *v, u32 msr, u64 *val);
long pvhv_write_msr(struct pvhv_vcpu *v, u32 msr, u64 val);
void pvhv_cpuid(struct pvhv_vcpu *v, u32 leaf, u32 sub, u32 out[4]);
bool pvhv_set_xcr0(struct pvhv_vcpu *v, u64 val);
int pvhv_invlpg(struct pvhv_vcpu *v, u64 gva);
long pvhv_set_debugreg(struct pvhv_vcpu *v, u64 nr, u64 val);
long pvhv_get_debugreg(struct pvhv_vcpu *v, u64 nr, u64 *val);

/* In the PML4 slots that are ours */
static inline bool pvhv_in_hole(u64 va)
{
	u64 slot = (va >> 39) & 511;

	return slot >= PVHV_HOLE_FIRST_SLOT && slot < PVHV_HOLE_FIRST_SLOT + PVHV_HOLE_NR_SLOTS;
}

#endif /* _PVHV_CORE_H */
