// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv-cpustate: the registers of each CPU that belong to no task, in
 * /sys/kernel/debug/pvhv-cpustate. For tests that compare them before and after.
 */
#include <linux/cpu.h>
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/smp.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fpu/xcr.h>
#include <asm/msr.h>
#include <asm/special_insns.h>

static const u32 msrs[] = {
	MSR_EFER, MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK, MSR_GS_BASE, MSR_TSC_AUX,
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP, MSR_IA32_CR_PAT,
	MSR_IA32_APICBASE, MSR_IA32_DEBUGCTLMSR, MSR_IA32_SPEC_CTRL, MSR_MISC_FEATURES_ENABLES,
	MSR_IA32_XSS,
};

struct cpustate {
	u64 cr0, cr4, xcr0;
	unsigned long dr[8];
	struct desc_ptr gdt, idt;
	struct desc_struct tss[2];
	u16 tr, ldtr;
	u64 msr[ARRAY_SIZE(msrs)];
	bool has[ARRAY_SIZE(msrs)];
};

static void collect(void *data)
{
	struct cpustate *s = data;
	unsigned int i;

	s->cr0 = read_cr0();
	s->cr4 = native_read_cr4();
	s->xcr0 = s->cr4 & X86_CR4_OSXSAVE ? xgetbv(XCR_XFEATURE_ENABLED_MASK) : 0;
	for (i = 0; i < 8; i++)
		if (i != 4 && i != 5)
			get_debugreg(s->dr[i], i);
	native_store_gdt(&s->gdt);
	store_idt(&s->idt);
	store_tr(s->tr);
	store_ldt(s->ldtr);
	memcpy(s->tss, (void *)s->gdt.address + s->tr, sizeof(s->tss));
	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		s->has[i] = !rdmsrl_safe(msrs[i], &s->msr[i]);
}

static int cpustate_show(struct seq_file *m, void *unused)
{
	struct cpustate *s;
	unsigned int cpu, i;

	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	cpus_read_lock();
	for_each_online_cpu(cpu) {
		smp_call_function_single(cpu, collect, s, true);
		seq_printf(m, "cpu%u cr0 %llx cr4 %llx xcr0 %llx\n", cpu, s->cr0, s->cr4, s->xcr0);
		seq_printf(m, "cpu%u gdt %lx+%x idt %lx+%x tr %x ldtr %x\n", cpu, s->gdt.address,
			   s->gdt.size, s->idt.address, s->idt.size, s->tr, s->ldtr);
		seq_printf(m, "cpu%u tss %*phN\n", cpu, (int)sizeof(s->tss), s->tss);
		/* an address means nothing that DR7 does not enable, here as in Linux */
		for (i = 0; i < 8; i++)
			if (i > 5 || (i < 4 && s->dr[7] >> (2 * i) & 3))
				seq_printf(m, "cpu%u dr%u %lx\n", cpu, i, s->dr[i]);
		for (i = 0; i < ARRAY_SIZE(msrs); i++)
			if (s->has[i])
				seq_printf(m, "cpu%u msr %x %llx\n", cpu, msrs[i], s->msr[i]);
	}
	cpus_read_unlock();
	kfree(s);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(cpustate);

static struct dentry *file;

static int __init cpustate_init(void)
{
	file = debugfs_create_file("pvhv-cpustate", 0400, NULL, NULL, &cpustate_fops);
	return PTR_ERR_OR_ZERO(file);
}
module_init(cpustate_init);

static void __exit cpustate_exit(void)
{
	debugfs_remove(file);
}
module_exit(cpustate_exit);

MODULE_DESCRIPTION("pvhv: registers of the CPUs, for tests");
MODULE_LICENSE("GPL");
