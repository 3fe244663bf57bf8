// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv-cpuidfault: a CPU that could fault on CPUID, as far as the kernel knows. For tests
 * only, where neither the CPU nor QEMU can: arch_prctl(ARCH_SET_CPUID) then succeeds and
 * sets a thread's flag, and QEMU ignores writes to the MSR behind it.
 */
#include <linux/module.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>

static int __init cpuidfault_init(void)
{
	if (boot_cpu_has(X86_FEATURE_CPUID_FAULT) || !boot_cpu_has(X86_FEATURE_HYPERVISOR))
		return -EEXIST;
	set_cpu_cap(&boot_cpu_data, X86_FEATURE_CPUID_FAULT);
	return 0;
}
module_init(cpuidfault_init);

static void __exit cpuidfault_exit(void)
{
	clear_bit(X86_FEATURE_CPUID_FAULT, (unsigned long *)boot_cpu_data.x86_capability);
}
module_exit(cpuidfault_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("pvhv: test of guests whose CPUID faults");
