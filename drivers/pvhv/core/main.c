// SPDX-License-Identifier: GPL-2.0
/*
 * The module and /dev/pvhv.
 */
#define pr_fmt(fmt) "pvhv: " fmt

#include <linux/cc_platform.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>
#include <asm/cpufeature.h>
#include <asm/hypervisor.h>
#include <asm/tsc.h>

#include "../bus/bus.h"
#include "../console/conback.h"
#include "pvhv.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static long get_info(struct pvhv_info __user *arg)
{
	struct pvhv_info info = {
		.api_version	= PVHV_API_VERSION,
		.abi_version	= PVHV_ABI_VERSION,
		.features	= pvhv_features(),
		.tsc_khz	= tsc_khz,
		.max_vcpus	= PVHV_MAX_VCPUS,
		.nr_domains	= pvhv_nr_domains(),
		.switcher	= pvhv_switcher_features(),
	};

	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case PVHV_GET_INFO:
		return get_info((void __user *)arg);
	case PVHV_CREATE_DOMAIN:
		return pvhv_create_domain((void __user *)arg);
	}
	return -ENOTTY;
}

static const struct file_operations dev_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= dev_ioctl,
	.llseek		= noop_llseek,
};

static struct miscdevice dev = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "pvhv",
	.fops	= &dev_fops,
	.mode	= 0660,
};

/* Why this host cannot be entered and left the way we do it */
static const char *refusal(void)
{
	if (boot_cpu_has(X86_FEATURE_XENPV))
		return "the host kernel itself is a Xen PV guest, in ring 3 or 1";
#ifdef X86_FEATURE_FRED
	if (cpu_feature_enabled(X86_FEATURE_FRED))
		return "FRED is on; boot the host with fred=off";
#endif
	if (boot_cpu_has(X86_FEATURE_TDX_GUEST))
		return "the host is a TDX guest";
	if (cc_platform_has(CC_ATTR_GUEST_STATE_ENCRYPT))
		return "the host is an SEV-ES guest";
	if (!boot_cpu_has(X86_FEATURE_PGE))
		return "the CPU has no global pages";
	if (!boot_cpu_has(X86_FEATURE_NX))
		return "the CPU has no NX";
	if (!boot_cpu_has(X86_FEATURE_SYSCALL))
		return "the CPU has no SYSCALL";
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return "PREEMPT_RT kernels are not supported";
	return NULL;
}

/*
 * What follows the end of domains: backends let go, and grant tables are given back. It
 * needs memory, maybe, but gives back more.
 */
struct workqueue_struct *pvhv_wq;

static int __init pvhv_init(void)
{
	const char *why = refusal();
	int ret;

	if (why) {
		pr_err("cannot run here: %s\n", why);
		return -ENODEV;
	}
	pvhv_clock_setup();
	ret = pvhv_mmu_setup();
	if (ret)
		return ret;
	ret = pvhv_world_init();
	if (ret)
		goto mmu;
	ret = pvhv_grants_setup();
	if (ret)
		goto world;
	ret = -ENOMEM;
	/* For what nobody's memory waits for: queues of disks are their own. */
	pvhv_wq = alloc_workqueue("pvhv", WQ_UNBOUND, 0);
	if (!pvhv_wq)
		goto grants;
	ret = pvhv_bus_init();
	if (ret)
		goto wq;
	ret = pvhv_conback_init();
	if (ret)
		goto bus;
	ret = misc_register(&dev);
	if (ret)
		goto console;
	return 0;
console:
	pvhv_conback_exit();
bus:
	pvhv_bus_exit();
wq:
	destroy_workqueue(pvhv_wq);
grants:
	pvhv_grants_teardown();
world:
	pvhv_world_exit();
mmu:
	pvhv_mmu_teardown();
	return ret;
}

static void __exit pvhv_exit(void)
{
	misc_deregister(&dev);
	/* Devices of domains that have just ended; they use this queue and the bus. */
	pvhv_registry_exit();
	pvhv_conback_exit();
	pvhv_bus_exit();
	destroy_workqueue(pvhv_wq);
	pvhv_grants_teardown();
	pvhv_world_exit();
	pvhv_mmu_teardown();
}

module_init(pvhv_init);
module_exit(pvhv_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Hypervisor without hardware virtualization");
