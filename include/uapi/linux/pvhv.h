/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/pvhv: domains and vCPUs.
 *
 * /dev/pvhv makes domains, a domain's descriptor makes vCPUs and the console,
 * a vCPU's descriptor runs. Guest RAM is memory of the process that made the
 * domain; only that process may call PVHV_RUN. Closing the domain's descriptor
 * ends the domain. Unknown flags and non-zero padding are refused with EINVAL.
 */
#ifndef _UAPI_LINUX_PVHV_H
#define _UAPI_LINUX_PVHV_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define PVHV_API_VERSION	1
#define PVHV_MAX_VCPUS		64
#define PVHV_MAX_MEMORY_SLOTS	8
#define PVHV_MESSAGE_LEN	256

/**
 * struct pvhv_info - PVHV_GET_INFO on /dev/pvhv
 * @api_version:	PVHV_API_VERSION of the module
 * @abi_version:	PVHV_ABI_VERSION that guests see
 * @features:		PVHV_F_xxx of <pvhv/start_info.h>
 * @tsc_khz:		frequency of the TSC
 * @max_vcpus:		vCPUs that a domain may have now
 * @nr_domains:		domains that exist
 * @switcher:		PVHV_SWITCHER_xxx: how this host is entered and left
 * @reserved:		0
 */
struct pvhv_info {
	__u32 api_version;
	__u32 abi_version;
	__u64 features;
	__u64 tsc_khz;
	__u32 max_vcpus;
	__u32 nr_domains;
	__u64 switcher;
	__u64 reserved[4];
};

#define PVHV_SWITCHER_PCID	(1ULL << 0)
#define PVHV_SWITCHER_LA57	(1ULL << 1)
#define PVHV_SWITCHER_PTI	(1ULL << 2)
#define PVHV_SWITCHER_FSGSBASE	(1ULL << 3)
#define PVHV_SWITCHER_INVPCID	(1ULL << 4)
#define PVHV_SWITCHER_RSB_FILL	(1ULL << 5)
#define PVHV_SWITCHER_IBRS	(1ULL << 6)
#define PVHV_SWITCHER_VERW	(1ULL << 7)
#define PVHV_SWITCHER_IBPB	(1ULL << 8)
#define PVHV_SWITCHER_BHB	(1ULL << 9)

/**
 * struct pvhv_create_domain - PVHV_CREATE_DOMAIN on /dev/pvhv
 * @flags:		0
 * @max_shadow_pages:	limit of page-table pages the host may use, 0: by RAM size
 * @domid:		out: number of the domain
 * @reserved:		0
 *
 * Returns a descriptor of the domain.
 */
struct pvhv_create_domain {
	__u64 flags;
	__u64 max_shadow_pages;
	__u32 domid;
	__u32 reserved[5];
};

/**
 * struct pvhv_memory - PVHV_SET_MEMORY on a domain, before the first vCPU runs
 * @slot:	0..PVHV_MAX_MEMORY_SLOTS-1, each set once
 * @flags:	0
 * @gpa:	first guest-physical address, page aligned
 * @size:	bytes, a multiple of 4096
 * @hva:	address in the caller's memory, page aligned
 *
 * EEXIST: slot or addresses in use. The memory need not be populated.
 */
struct pvhv_memory {
	__u32 slot;
	__u32 flags;
	__u64 gpa;
	__u64 size;
	__u64 hva;
};

/**
 * struct pvhv_vcpu_regs - PVHV_GET_REGS, PVHV_SET_REGS on a vCPU that is not running
 * @rax..@r15:	general registers
 * @rip:	canonical
 * @rflags:	as the guest sees them in user mode; in kernel mode IF is VIF
 * @cs, @ss:	selectors with RPL 3
 * @ds, @es, @fs, @gs: selectors that the guest could load, or null
 * @fs_base, @gs_base: of the current mode
 * @cr2, @cr3:	virtual; cr3 is a gpa
 * @mode:	0: kernel, 1: user
 * @reserved:	0
 */
struct pvhv_vcpu_regs {
	__u64 rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
	__u64 r8, r9, r10, r11, r12, r13, r14, r15;
	__u64 rip, rflags;
	__u64 fs_base, gs_base;
	__u64 cr2, cr3;
	__u16 cs, ds, es, fs, gs, ss;
	__u32 mode;
	__u64 reserved[4];
};

/**
 * struct pvhv_run - PVHV_RUN on a vCPU
 * @exit:	out: PVHV_EXIT_xxx
 * @reserved:	0
 *
 * Returns 0 when the vCPU has something for its owner, EINTR when a signal
 * came (call again), EPERM in another process than the domain's. vCPU 0 needs
 * PVHV_SET_REGS first (EINVAL), others stay in PVHV_RUN until the guest starts them.
 */
struct pvhv_run {
	__u32 exit;
	__u32 reserved[3];
};

#define PVHV_EXIT_ENDED		1	/* the domain has ended; see PVHV_GET_STATE */

/**
 * struct pvhv_state - PVHV_GET_STATE on a domain
 * @state:	PVHV_STATE_xxx
 * @crash:	PVHV_CRASH_xxx when crashed
 * @vcpus_up:	bit n: vCPU n is not down
 * @reserved:	0
 * @message:	why it ended, in words; NUL-terminated, may hold guest's text
 *		(printable ASCII only)
 */
struct pvhv_state {
	__u32 state;
	__u32 crash;
	__u64 vcpus_up;
	__u64 reserved;
	char  message[PVHV_MESSAGE_LEN];
};

#define PVHV_STATE_CREATED	0
#define PVHV_STATE_RUNNING	1
#define PVHV_STATE_PAUSED	2
#define PVHV_STATE_POWEROFF	3	/* ended by the guest */
#define PVHV_STATE_REBOOT	4	/* ended by the guest, which wants to be started again */
#define PVHV_STATE_CRASHED	5	/* ended by the hypervisor or by the guest's panic */
#define PVHV_STATE_KILLED	6	/* ended by PVHV_CONTROL_KILL */

#define PVHV_CRASH_NONE		0
#define PVHV_CRASH_PANIC	1	/* the guest reported its own panic */
#define PVHV_CRASH_EVENT	2	/* an event could not be delivered */
#define PVHV_CRASH_TRIPLE_FAULT	3	/* a double fault could not be delivered */
#define PVHV_CRASH_MEMORY	4	/* guest RAM could not be had from the host */
#define PVHV_CRASH_HYPERCALL	5	/* misuse that has no error return */
#define PVHV_CRASH_HOST		6	/* an invariant of the module was broken: report a bug */

/* PVHV_CONTROL on a domain: argument */
#define PVHV_CONTROL_PAUSE	1	/* returns when no vCPU runs any more */
#define PVHV_CONTROL_RESUME	2
#define PVHV_CONTROL_KILL	3
#define PVHV_CONTROL_POWEROFF	4	/* ask the guest for an orderly power-off */
#define PVHV_CONTROL_REBOOT	5	/* ask the guest for an orderly reboot */
#define PVHV_CONTROL_NMI	6	/* NMI to the first vCPU */

/**
 * struct pvhv_stat - one counter of PVHV_GET_STATS
 * @name:	NUL-terminated; counters are only ever added
 * @value:	events since creation, or for names ending in "_now" a level
 */
struct pvhv_stat {
	char  name[24];
	__u64 value;
};

/**
 * struct pvhv_stats - PVHV_GET_STATS on a domain
 * @count:	in: room in @stats, out: counters there are
 * @reserved:	0
 * @stats:	user address of struct pvhv_stat[]
 */
struct pvhv_stats {
	__u32 count;
	__u32 reserved;
	__u64 stats;
};

/**
 * struct pvhv_device_add - PVHV_DEVICE_ADD on a domain
 * @class:	PVHV_CLASS_xxx of <pvhv/device.h>
 * @backend:	domain with the other side: 0, the host
 * @flags:	PVHV_DEVICE_xxx
 * @fd:		block: the backing file or block device, open for reading and, unless
 *		PVHV_DEVICE_READONLY, for writing; else -1
 * @id:		out: number of the device, never used again
 * @index:	out: number among the domain's devices of this class
 * @max_queues:	0: the driver decides
 * @mtu:	net: 0: 1500
 * @mac:	net: the guest's address
 * @reserved:	0
 * @serial:	block: NUL-padded, else zero
 * @ifname:	net: name of the interface of the host, NUL-terminated; "": vif and
 *		the numbers of domain and device
 * @reserved2:	0
 *
 * The interface appears in the caller's network namespace, for which the caller
 * needs CAP_NET_ADMIN.
 */
struct pvhv_device_add {
	__u32 class;
	__u32 backend;
	__u32 flags;
	__s32 fd;
	__u32 id;
	__u32 index;
	__u32 max_queues;
	__u32 mtu;
	__u8  mac[6];
	__u8  reserved[2];
	char  serial[32];
	char  ifname[16];
	__u64 reserved2[3];
};

#define PVHV_DEVICE_READONLY	(1U << 0)	/* block */
#define PVHV_DEVICE_CACHED	(1U << 1)	/* block: through the host's page cache */

/**
 * struct pvhv_device_remove - PVHV_DEVICE_REMOVE on a domain
 * @id:		of PVHV_DEVICE_ADD
 * @flags:	PVHV_DEVICE_FORCE: now, whatever the guest does with it; else it is asked
 *		to let go, and the device is removed when it has
 * @reserved:	0
 */
struct pvhv_device_remove {
	__u32 id;
	__u32 flags;
	__u64 reserved;
};

#define PVHV_DEVICE_FORCE	(1U << 0)

/**
 * struct pvhv_device_entry - one device of PVHV_DEVICE_LIST
 * @id:		of PVHV_DEVICE_ADD
 * @class:	likewise
 * @index:	likewise
 * @backend:	likewise
 * @flags:	likewise
 * @status:	PVHV_DEV_ONLINE and PVHV_DEV_PEER_DEAD of <pvhv/device.h>
 * @frontend_state: PVHV_DEV_xxx of <pvhv/device.h>
 * @backend_state: likewise
 * @max_queues:	as asked for
 * @mtu:	net
 * @mac:	net
 * @reserved:	0
 * @serial:	block
 * @ifname:	net: what it was called at first
 * @reserved2:	0
 */
struct pvhv_device_entry {
	__u32 id;
	__u32 class;
	__u32 index;
	__u32 backend;
	__u32 flags;
	__u32 status;
	__u32 frontend_state;
	__u32 backend_state;
	__u32 max_queues;
	__u32 mtu;
	__u8  mac[6];
	__u8  reserved[2];
	char  serial[32];
	char  ifname[16];
	__u64 reserved2[2];
};

/**
 * struct pvhv_device_list - PVHV_DEVICE_LIST on a domain
 * @count:	in: room in @devices, out: devices there are
 * @reserved:	0
 * @devices:	user address of struct pvhv_device_entry[]
 */
struct pvhv_device_list {
	__u32 count;
	__u32 reserved;
	__u64 devices;
};

/**
 * struct pvhv_mask_cpuid - PVHV_MASK_CPUID on a domain, before its first vCPU is made
 * @leaf:	EAX of CPUID
 * @subleaf:	ECX, 0 where the leaf has no subleaves
 * @reg:	where the bits are: 0 EAX, 1 EBX, 2 ECX, 3 EDX
 * @mask:	features that the guest is not to see, beside those hidden before
 * @reserved:	0
 *
 * What needs a hidden feature is hidden as well: AVX2 with AVX.
 */
struct pvhv_mask_cpuid {
	__u32 leaf;
	__u32 subleaf;
	__u32 reg;
	__u32 mask;
	__u64 reserved[2];
};

#define PVHV_IOC		0xB7
/* on /dev/pvhv */
#define PVHV_GET_INFO		_IOR(PVHV_IOC, 0x00, struct pvhv_info)
#define PVHV_CREATE_DOMAIN	_IOWR(PVHV_IOC, 0x01, struct pvhv_create_domain)
/* on a domain */
#define PVHV_SET_MEMORY		_IOW(PVHV_IOC, 0x10, struct pvhv_memory)
#define PVHV_CREATE_VCPU	_IO(PVHV_IOC, 0x11)	/* argument: number; returns a descriptor */
/* returns a descriptor: read gives guest output, write gives it input, poll */
#define PVHV_GET_CONSOLE	_IO(PVHV_IOC, 0x12)
#define PVHV_CONTROL		_IO(PVHV_IOC, 0x13)
#define PVHV_GET_STATE		_IOR(PVHV_IOC, 0x14, struct pvhv_state)
#define PVHV_GET_STATS		_IOWR(PVHV_IOC, 0x15, struct pvhv_stats)
#define PVHV_DEVICE_ADD		_IOWR(PVHV_IOC, 0x16, struct pvhv_device_add)
#define PVHV_DEVICE_REMOVE	_IOW(PVHV_IOC, 0x17, struct pvhv_device_remove)
#define PVHV_DEVICE_LIST	_IOWR(PVHV_IOC, 0x18, struct pvhv_device_list)
#define PVHV_DEVICE_CHANGED	_IO(PVHV_IOC, 0x19)	/* argument: id; its file has a new size */
/* argument: how many vCPUs the guest is asked to have online, of those that were created */
#define PVHV_SET_VCPUS		_IO(PVHV_IOC, 0x1a)
#define PVHV_MASK_CPUID		_IOW(PVHV_IOC, 0x1b, struct pvhv_mask_cpuid)
/* on a vCPU */
#define PVHV_GET_REGS		_IOR(PVHV_IOC, 0x20, struct pvhv_vcpu_regs)
#define PVHV_SET_REGS		_IOW(PVHV_IOC, 0x21, struct pvhv_vcpu_regs)
#define PVHV_RUN		_IOWR(PVHV_IOC, 0x22, struct pvhv_run)

#endif /* _UAPI_LINUX_PVHV_H */
