// SPDX-License-Identifier: GPL-2.0
/*
 * Domains: life, control and the descriptor.
 */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/stdarg.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

#include "pvhv.h"

/*
 * By number, while they can be found. Numbers go round, so that one is used again
 * as late as possible: grants and ports name domains by them.
 */
#define MAX_DOMID	32767
static DEFINE_XARRAY_ALLOC1(domains);
static u32 next_domid = 1;
static atomic_t nr_domains = ATOMIC_INIT(0);
static atomic64_t last_unique_id = ATOMIC64_INIT(0);

int pvhv_nr_domains(void)
{
	return atomic_read(&nr_domains);
}

/**
 * pvhv_find_domain - a domain by its number
 * @domid:	anything
 *
 * Under RCU; the domain stays as long as that is held. Return: it or NULL.
 */
struct pvhv_domain *pvhv_find_domain(pvhv_domid_t domid)
{
	return xa_load(&domains, (__force u32)domid);
}

/**
 * pvhv_domain_end - end a domain, the first caller's reason counts
 * @d:		the domain
 * @state:	PVHV_STATE_POWEROFF or later
 * @crash:	PVHV_CRASH_xxx
 * @fmt:	the reason, for its owner
 *
 * Any context where pvhv_kick() is allowed; vCPUs leave their run loops.
 */
void pvhv_domain_end(struct pvhv_domain *d, u32 state, u32 crash, const char *fmt, ...)
{
	unsigned long flags;
	va_list args;
	int i;

	spin_lock_irqsave(&d->state_lock, flags);
	if (!pvhv_domain_ended(d)) {
		va_start(args, fmt);
		vscnprintf(d->message, sizeof(d->message), fmt, args);
		va_end(args);
		d->crash = crash;
		/* The reason is there for whoever sees the state. */
		smp_store_release(&d->state, state);
	}
	spin_unlock_irqrestore(&d->state_lock, flags);

	for (i = 0; i < PVHV_MAX_VCPUS; i++) {
		struct pvhv_vcpu *v = READ_ONCE(d->vcpus[i]);

		if (v) {
			set_bit(PVHV_REQ_STOP, &v->requests);
			pvhv_kick(v);
		}
	}
	wake_up_all(&d->state_wq);
	wake_up_all(&d->console.wq);
	pvhv_registry_domain_ended(d);
}

static void domain_free(struct kref *ref)
{
	struct pvhv_domain *d = container_of(ref, struct pvhv_domain, ref);
	int i;

	/* Nobody finds it, and after a grace period nobody has it. */
	xa_store(&domains, d->id, NULL, GFP_KERNEL);
	pvhv_registry_detach(d);
	pvhv_ports_close_all(d);
	pvhv_grants_detach(d);
	synchronize_rcu();
	pvhv_ports_free(d);
	pvhv_grant_table_put(d->grants);

	pvhv_memory_stop(d);
	for (i = 0; i < PVHV_MAX_VCPUS; i++)
		if (d->vcpus[i])
			pvhv_vcpu_free(d->vcpus[i]);
	pvhv_mmu_destroy(&d->mmu);
	pvhv_memory_destroy(d);
	if (d->clock_page)
		pvhv_unpin_guest_page(d->clock_page);
	pvhv_window_free(d);
	pvhv_mm_detach(d->mm);
	mmdrop(d->mm);
	xa_erase(&domains, d->id);
	atomic_dec(&nr_domains);
	kvfree(d);
}

void pvhv_domain_put(struct pvhv_domain *d)
{
	kref_put(&d->ref, domain_free);
}

static bool all_parked(struct pvhv_domain *d)
{
	bool parked = true;
	int i;

	spin_lock_irq(&d->state_lock);
	for (i = 0; i < PVHV_MAX_VCPUS; i++)
		parked &= !d->vcpus[i] || !d->vcpus[i]->active;
	spin_unlock_irq(&d->state_lock);
	return parked;
}

static int domain_pause(struct pvhv_domain *d)
{
	int i;

	spin_lock_irq(&d->state_lock);
	if (!pvhv_domain_ended(d))
		d->paused = true;
	spin_unlock_irq(&d->state_lock);
	for (i = 0; i < PVHV_MAX_VCPUS; i++) {
		struct pvhv_vcpu *v = READ_ONCE(d->vcpus[i]);

		if (v) {
			set_bit(PVHV_REQ_STOP, &v->requests);
			pvhv_kick(v);
		}
	}
	return wait_event_interruptible(d->state_wq, all_parked(d) || !READ_ONCE(d->paused) ||
					pvhv_domain_ended(d));
}

static void domain_resume(struct pvhv_domain *d)
{
	spin_lock_irq(&d->state_lock);
	d->paused = false;
	spin_unlock_irq(&d->state_lock);
	wake_up_all(&d->state_wq);
}

static long domain_control(struct pvhv_domain *d, unsigned long what)
{
	if (pvhv_domain_ended(d))
		return what == PVHV_CONTROL_KILL ? 0 : -ESRCH;
	switch (what) {
	case PVHV_CONTROL_PAUSE:
		return domain_pause(d);
	case PVHV_CONTROL_RESUME:
		domain_resume(d);
		return 0;
	case PVHV_CONTROL_KILL:
		pvhv_domain_end(d, PVHV_STATE_KILLED, PVHV_CRASH_NONE, "killed by its owner");
		return 0;
	case PVHV_CONTROL_POWEROFF:
		pvhv_raise_cause(d, ilog2(PVHV_CAUSE_POWEROFF));
		return 0;
	case PVHV_CONTROL_REBOOT:
		pvhv_raise_cause(d, ilog2(PVHV_CAUSE_REBOOT));
		return 0;
	case PVHV_CONTROL_NMI:
		if (!d->vcpus[0])
			return -ENOENT;
		pvhv_raise_nmi(d->vcpus[0]);
		return 0;
	}
	return -EINVAL;
}

static long get_state(struct pvhv_domain *d, struct pvhv_state __user *arg)
{
	struct pvhv_state s = { };
	int i;

	BUILD_BUG_ON(BITS_PER_TYPE(s.vcpus_up) < PVHV_MAX_VCPUS);
	spin_lock_irq(&d->state_lock);
	s.state = d->state == PVHV_STATE_RUNNING && d->paused ? PVHV_STATE_PAUSED : d->state;
	s.crash = d->crash;
	for (i = 0; i < PVHV_MAX_VCPUS; i++) {
		struct pvhv_vcpu *v = READ_ONCE(d->vcpus[i]);

		if (v && v->power != PVHV_VCPU_DOWN)
			s.vcpus_up |= BIT_ULL(i);
	}
	memcpy(s.message, d->message, sizeof(s.message));
	spin_unlock_irq(&d->state_lock);
	return copy_to_user(arg, &s, sizeof(s)) ? -EFAULT : 0;
}

static long set_memory(struct pvhv_domain *d, void __user *arg)
{
	struct pvhv_memory m;

	if (copy_from_user(&m, arg, sizeof(m)))
		return -EFAULT;
	return pvhv_set_memory(d, &m);
}

static long mask_cpuid(struct pvhv_domain *d, void __user *arg)
{
	struct pvhv_mask_cpuid m;
	long ret = 0;
	int i;

	if (copy_from_user(&m, arg, sizeof(m)))
		return -EFAULT;
	mutex_lock(&d->lock);
	for (i = 0; i < PVHV_MAX_VCPUS; i++)
		if (d->vcpus[i])
			ret = -EBUSY;
	if (!ret)
		ret = pvhv_cpuid_mask(&d->cpuid, &m);
	if (!ret)
		d->xcr0 = pvhv_cpuid_xcr0(&d->cpuid, pvhv_host_xcr0());
	mutex_unlock(&d->lock);
	return ret;
}

static long domain_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct pvhv_domain *d = file->private_data;
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case PVHV_SET_MEMORY:
		if (current->mm != d->mm)
			return -EPERM;
		return set_memory(d, uarg);
	case PVHV_CREATE_VCPU:
		if (current->mm != d->mm)
			return -EPERM;
		return pvhv_create_vcpu(d, arg);
	case PVHV_GET_CONSOLE:
		return arg ? -EINVAL : pvhv_get_console(d);
	case PVHV_CONTROL:
		return domain_control(d, arg);
	case PVHV_GET_STATE:
		return get_state(d, uarg);
	case PVHV_GET_STATS:
		return pvhv_get_stats(d, uarg);
	case PVHV_DEVICE_ADD:
		return pvhv_device_add(d, uarg);
	case PVHV_DEVICE_REMOVE:
		return pvhv_device_remove(d, uarg);
	case PVHV_DEVICE_LIST:
		return pvhv_device_list(d, uarg);
	case PVHV_DEVICE_CHANGED:
		return pvhv_device_changed(d, arg);
	case PVHV_SET_VCPUS:
		return pvhv_set_vcpus(d, arg);
	case PVHV_MASK_CPUID:
		if (current->mm != d->mm)
			return -EPERM;
		return mask_cpuid(d, uarg);
	}
	return -ENOTTY;
}

static int domain_release(struct inode *inode, struct file *file)
{
	struct pvhv_domain *d = file->private_data;

	/* vCPUs and the console may still be open, but nobody can control it. */
	pvhv_domain_end(d, PVHV_STATE_KILLED, PVHV_CRASH_NONE, "its descriptor was closed");
	pvhv_domain_put(d);
	return 0;
}

static const struct file_operations domain_fops = {
	.owner		= THIS_MODULE,
	.release	= domain_release,
	.unlocked_ioctl	= domain_ioctl,
	.llseek		= noop_llseek,
};

/* A sixteenth of RAM for page tables is what a busy guest with 4K pages needs */
static u64 default_shadow_pages(void)
{
	return max_t(u64, totalram_pages() / 16, 4 * PVHV_MMU_MIN_PAGES);
}

static struct pvhv_domain *domain_alloc(u64 max_pages)
{
	struct pvhv_mmu_config cfg = {
		.max_pages = max_pages ?: default_shadow_pages(),
		.levels = pvhv_hole_levels(),
		.phys_bits = min_t(unsigned int, boot_cpu_data.x86_phys_bits, 46),
	};
	struct pvhv_domain *d;
	int ret;

	if (max_pages && max_pages < PVHV_MMU_MIN_PAGES)
		return ERR_PTR(-EINVAL);
	d = kvzalloc(sizeof(*d), GFP_KERNEL_ACCOUNT);
	if (!d)
		return ERR_PTR(-ENOMEM);
	kref_init(&d->ref);
	spin_lock_init(&d->state_lock);
	init_waitqueue_head(&d->state_wq);
	mutex_init(&d->lock);
	pvhv_console_init(d);
	pvhv_clock_init(d);

	pvhv_ports_init(d);
	d->xcr0 = pvhv_host_xcr0();

	ret = xa_alloc_cyclic(&domains, &d->id, NULL, XA_LIMIT(1, MAX_DOMID), &next_domid,
			      GFP_KERNEL);
	if (ret < 0)
		goto free;
	d->unique_id = atomic64_inc_return(&last_unique_id);
	d->mm = current->mm;
	mmgrab(d->mm);
	ret = pvhv_mm_attach(d->mm);
	if (ret)
		goto drop;
	/* Makes the window's tables, so that all roots have its entry */
	ret = pvhv_window_map(d, 0, 0, NULL);
	if (ret)
		goto window;
	cfg.hole[0] = pvhv_switcher_entry();
	cfg.hole[1] = d->window_entry;
	ret = pvhv_mmu_init(&d->mmu, &cfg);
	if (ret)
		goto window;
	ret = pvhv_memory_init(d);
	if (ret)
		goto mmu;
	ret = pvhv_grants_init(d);
	if (ret)
		goto memory;
	atomic_inc(&nr_domains);
	xa_store(&domains, d->id, d, GFP_KERNEL);
	return d;
memory:
	pvhv_memory_stop(d);
mmu:
	pvhv_mmu_destroy(&d->mmu);
window:
	pvhv_window_free(d);
	pvhv_mm_detach(d->mm);
drop:
	mmdrop(d->mm);
	xa_erase(&domains, d->id);
free:
	kvfree(d);
	return ERR_PTR(ret);
}

/**
 * pvhv_create_domain - PVHV_CREATE_DOMAIN
 * @arg:	struct pvhv_create_domain of the caller
 *
 * Return: a descriptor or -errno; -EBUSY if the caller's address space already
 * has something where the switcher must be.
 */
int pvhv_create_domain(void __user *arg)
{
	struct pvhv_create_domain c;
	struct pvhv_domain *d;
	int fd;

	if (copy_from_user(&c, arg, sizeof(c)))
		return -EFAULT;
	if (c.flags || memchr_inv(c.reserved, 0, sizeof(c.reserved)) || c.domid)
		return -EINVAL;
	d = domain_alloc(c.max_shadow_pages);
	if (IS_ERR(d))
		return PTR_ERR(d);
	c.domid = d->id;
	if (copy_to_user(arg, &c, sizeof(c))) {
		pvhv_domain_put(d);
		return -EFAULT;
	}
	fd = anon_inode_getfd("pvhv-domain", &domain_fops, d, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		pvhv_domain_put(d);
	return fd;
}
