// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU: its descriptor, its run loop and what follows an exit.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/ktime.h>
#include <linux/uaccess.h>
#include <asm/irq_vectors.h>
#include <asm/pkru.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "pvhv.h"
#include "trace.h"

/**
 * pvhv_kick - make a vCPU look at what has been set for it
 * @v:	the vCPU
 *
 * Any context. Pairs with the barrier in run_loaded(): either the vCPU sees
 * what the caller has set, or the caller sees that it is in the guest.
 */
void pvhv_kick(struct pvhv_vcpu *v)
{
	int cpu;

	smp_mb();	/* what was set, then mode */
	/* Meanwhile no CPU goes offline. */
	preempt_disable();
	if (READ_ONCE(v->mode) == PVHV_IN_GUEST) {
		cpu = READ_ONCE(v->cpu);
		if (cpu >= 0 && cpu_online(cpu))
			pvhv_send_kick(cpu);
	}
	preempt_enable();
	wake_up(&v->wq);
}

static enum pvhv_next page_fault(struct pvhv_vcpu *v)
{
	struct pvhv_mmu_fault_info info;
	u64 gva = v->guest->cr2, err = v->regs->err;
	u32 access = err & (PVHV_ACC_WRITE | PVHV_ACC_FETCH);
	int ret;

	if (unlikely(v->apf_flags)) {
		v->apf_flags = 0;
		v->slow.async_fault = true;
		return PVHV_RETRY_SLOW;
	}
	v->stats.exit_page_fault++;
	if (unlikely(err & PVHV_PF_PK)) {
		/* Not the guest's to set, but WRPKRU cannot be trapped. */
		write_pkru(0);
		return PVHV_CONTINUE;
	}
	if (v->guest->user_mode)
		access |= PVHV_ACC_USER;
	if (unlikely(!pvhv_canonical(gva))) {
		/* A host with five levels: guests have four. */
		pvhv_deliver(v, X86_TRAP_GP, 0);
		return PVHV_CONTINUE;
	}
	if (unlikely(!(err & PVHV_PF_U) && err & PVHV_PF_P)) {
		/*
		 * All of the guest is ring 3. QEMU 7.2 takes such a fault on
		 * IRET from ring 3 with SMAP; nothing would change next time.
		 */
		pvhv_domain_end(v->domain, PVHV_STATE_CRASHED, PVHV_CRASH_EVENT,
				"vCPU %u: supervisor page fault at %#llx in ring 3, rip %#llx (IRET under QEMU with SMAP? try -cpu ...,smap=off)",
				v->id, gva, v->regs->ip);
		return PVHV_OUT;
	}
	if (unlikely(pvhv_in_hole(gva))) {
		pvhv_deliver_page_fault(v, gva, access);
		return PVHV_CONTINUE;
	}
	if (unlikely(err & PVHV_PF_RSVD)) {
		pvhv_domain_end(v->domain, PVHV_STATE_CRASHED, PVHV_CRASH_HOST,
				"vCPU %u: reserved bit in the shadow of %#llx", v->id, gva);
		return PVHV_OUT;
	}
	ret = pvhv_mmu_fault(&v->domain->mmu, &v->mmu, gva, access, &info);
	trace_pvhv_page_fault(v->id, gva, err, ret);
	switch (ret) {
	case PVHV_MMU_FILLED:
		return PVHV_CONTINUE;
	case PVHV_MMU_GUEST_FAULT:
		pvhv_deliver_page_fault(v, gva, info.error_code);
		return PVHV_CONTINUE;
	case -EAGAIN:
		v->slow.fault_in = true;
		v->slow.gfn = info.gfn;
		v->slow.write = info.write;
		return PVHV_RETRY_SLOW;
	case -ENOMEM:
		v->slow.topup = true;
		return PVHV_RETRY_SLOW;
	}
	pvhv_domain_end(v->domain, PVHV_STATE_CRASHED, PVHV_CRASH_HOST,
			"vCPU %u: MMU error %d for %#llx", v->id, ret, gva);
	return PVHV_OUT;
}

/* May be called again for the same exit, after v->slow has been seen to. */
static enum pvhv_next handle_exit(struct pvhv_vcpu *v)
{
	struct sw_regs *r = v->regs;
	u64 vec = r->vec;

	switch (vec) {
	case X86_TRAP_PF:
		return page_fault(v);
	case SW_VEC_SYSCALL:
		return pvhv_hypercall(v);
	case SW_VEC_RET_SYSRET:
		v->stats.exit_return++;
		return pvhv_return_to_user(v, false);
	case SW_VEC_RET_IRET:
		v->stats.exit_return++;
		return pvhv_return_to_user(v, true);
	case SW_VEC_RET_KERNEL:
		v->stats.exit_return++;
		return pvhv_return_to_kernel(v);
	case SW_VEC_BAD_RETURN:
		pvhv_deliver(v, v->bad_return, r->err);
		return PVHV_CONTINUE;
	case SW_VEC_SYSCALL32:
		/* Hidden from guests; RIP is behind the instruction. */
		r->ip -= 2;
		pvhv_deliver(v, X86_TRAP_UD, 0);
		return PVHV_CONTINUE;
	case SW_VEC_FATAL:
		return PVHV_OUT;
	case X86_TRAP_NMI:
	case X86_TRAP_MC:
		return PVHV_CONTINUE;
	case X86_TRAP_NM:
		/*
		 * TS and EM are clear, so this is AMX, which the launcher's XFD forbids and
		 * guests know nothing of. Linux clears this when it has a #NM of its own.
		 */
		if (boot_cpu_has(X86_FEATURE_XFD))
			wrmsrl(MSR_IA32_XFD_ERR, 0);
		v->stats.exit_exception++;
		pvhv_deliver(v, X86_TRAP_UD, 0);
		return PVHV_CONTINUE;
	case X86_TRAP_GP:
		v->stats.exit_exception++;
		return pvhv_emulate(v, r->err);
	case IA32_SYSCALL_VECTOR:
		/* Else it was an interrupt of the host's. */
		if (pvhv_host_has_int80()) {
			v->stats.exit_exception++;
			pvhv_deliver(v, IA32_SYSCALL_VECTOR, 0);
		}
		return PVHV_CONTINUE;
	}
	if (vec < 32) {
		v->stats.exit_exception++;
		pvhv_deliver(v, vec, r->err);
	}
	return PVHV_CONTINUE;
}

/* Enter the guest until something needs a context that may sleep. */
static enum pvhv_next run_loaded(struct pvhv_vcpu *v)
{
	enum pvhv_next next;

	for (;;) {
		local_irq_disable();
		WRITE_ONCE(v->mode, PVHV_IN_GUEST);
		/* Against pvhv_kick() and pvhv_mmu_host_flush() */
		smp_mb();
		if (READ_ONCE(v->requests) ||
		    read_thread_flags() & (_TIF_NEED_RESCHED | _TIF_SIGPENDING |
					   _TIF_NOTIFY_SIGNAL | _TIF_NOTIFY_RESUME)) {
			WRITE_ONCE(v->mode, PVHV_OUTSIDE);
			local_irq_enable();
			return PVHV_CONTINUE;
		}
		pvhv_deliver_interrupts(v);
		pvhv_enter(v);
		WRITE_ONCE(v->mode, PVHV_OUTSIDE);
		trace_pvhv_exit(v->id, v->regs->vec, v->regs->err, v->regs->ip,
				v->guest->user_mode);
		local_irq_enable();

		next = handle_exit(v);
		if (next != PVHV_CONTINUE || unlikely(v->want_topup))
			return next;
	}
}

static int do_slow(struct pvhv_vcpu *v)
{
	struct pvhv_slow *s = &v->slow;
	int ret = 0;

	if (s->async_fault) {
		pvhv_async_fault_wait(v);
		v->regs->vec = SW_VEC_DONE;
	}
	if (s->topup || v->want_topup)
		ret = pvhv_mmu_topup(&v->domain->mmu, &v->mmu);
	if (!ret && s->fault_in) {
		v->stats.host_faults++;
		ret = pvhv_fault_in(v->domain, s->gfn, s->write);
		if (ret == -EINTR || ret == -ERESTARTSYS)
			return -EINTR;
	}
	if (ret)
		pvhv_domain_end(v->domain, PVHV_STATE_CRASHED, PVHV_CRASH_MEMORY,
				"vCPU %u: no memory from the host for guest page %#llx: error %d",
				v->id, s->fault_in ? s->gfn : 0, ret);
	v->want_topup = false;
	memset(s, 0, sizeof(*s));
	return ret;
}

static void set_active(struct pvhv_vcpu *v, bool active)
{
	struct pvhv_domain *d = v->domain;

	spin_lock(&d->state_lock);
	v->active = active;
	spin_unlock(&d->state_lock);
	if (!active)
		wake_up_all(&d->state_wq);
}

/* Else the guest's watchdogs take it for a CPU that hangs. */
static void tell_stopped(struct pvhv_vcpu *v, u64 since)
{
	if (v->page && ktime_get_ns() - since >= NSEC_PER_SEC)
		WRITE_ONCE(v->page->stopped, 1);
}

/* Return: 0 go on, 1 the domain has ended, -EINTR */
static int check_state(struct pvhv_vcpu *v)
{
	struct pvhv_domain *d = v->domain;
	u64 since;
	int ret;

	clear_bit(PVHV_REQ_STOP, &v->requests);
	smp_mb__after_atomic();		/* the request is gone, then look */
	while (READ_ONCE(d->paused) && !pvhv_domain_ended(d)) {
		set_active(v, false);
		since = ktime_get_ns();
		ret = wait_event_interruptible(d->state_wq, !READ_ONCE(d->paused) ||
					       pvhv_domain_ended(d));
		set_active(v, true);
		tell_stopped(v, since);
		if (ret)
			return -EINTR;
	}
	return pvhv_domain_ended(d);
}

/* Tell the guest how long this thread has been runnable without running. */
static void report_steal(struct pvhv_vcpu *v)
{
#ifdef CONFIG_SCHED_INFO
	u64 delay = current->sched_info.run_delay;
	struct pvhv_vcpu_page *p = v->page;

	v->steal_ns += delay - v->run_delay;
	v->run_delay = delay;
	if (!p)
		return;
	/* Ours is what counts: the guest may write anything there. */
	WRITE_ONCE(p->steal_seq, ++v->steal_seq);
	smp_wmb();	/* odd, then new, then even: as the guest reads it */
	WRITE_ONCE(p->steal_ns, v->steal_ns);
	smp_wmb();	/* likewise */
	WRITE_ONCE(p->steal_seq, ++v->steal_seq);
#endif
}

/*
 * What is next is kept in the vCPU, so that a signal at any point interrupts
 * the work but does not lose it.
 */
static int run(struct pvhv_vcpu *v)
{
	int ret;

	for (;;) {
		ret = check_state(v);
		if (ret)
			return ret;
		if (signal_pending(current) || test_thread_flag(TIF_NOTIFY_RESUME))
			return -EINTR;
		cond_resched();
		if (unlikely(READ_ONCE(v->power) != PVHV_VCPU_UP)) {
			ret = pvhv_vcpu_power(v);
			if (ret)
				return ret;
			continue;
		}

		switch (v->next) {
		case PVHV_CONTINUE:
		case PVHV_OUT:
			v->next = PVHV_CONTINUE;
			if (unlikely(v->want_topup)) {
				do_slow(v);
				break;
			}
			report_steal(v);
			/* Back to user mode, where KVM gives back what it has borrowed. */
			if (!pvhv_load(v))
				return -EINTR;
			v->next = run_loaded(v);
			pvhv_put(v);
			break;
		case PVHV_RETRY_SLOW:
			ret = do_slow(v);
			if (ret == -EINTR)
				return ret;
			v->next = ret ? PVHV_CONTINUE : handle_exit(v);
			break;
		case PVHV_SLEEP:
		case PVHV_WAIT:
			ret = pvhv_idle(v, v->next == PVHV_SLEEP);
			if (ret)
				return ret;
			break;
		case PVHV_YIELD:
			/* Leaving the CPU for a moment is what the loop does. */
			set_tsk_need_resched(current);
			set_preempt_need_resched();
			v->next = PVHV_CONTINUE;
			break;
		}
	}
}

static long vcpu_run(struct pvhv_vcpu *v, void __user *arg)
{
	struct pvhv_domain *d = v->domain;
	struct pvhv_run run_arg;
	long ret;

	if (copy_from_user(&run_arg, arg, sizeof(run_arg)))
		return -EFAULT;
	if (memchr_inv(&run_arg, 0, sizeof(run_arg)))
		return -EINVAL;
	if (current->mm != d->mm)
		return -EPERM;
	if (!v->id && !v->started)
		return -EINVAL;

	spin_lock(&d->state_lock);
	if (d->state == PVHV_STATE_CREATED)
		d->state = PVHV_STATE_RUNNING;
	v->active = true;
	spin_unlock(&d->state_lock);
#ifdef CONFIG_SCHED_INFO
	/* Another thread than before, maybe, and not while it is elsewhere */
	v->run_delay = current->sched_info.run_delay;
#endif
	if (v->left_at)
		tell_stopped(v, v->left_at);
	ret = run(v);
	v->left_at = ktime_get_ns();
	/* Where the kernel is preemptible, it waits on its way out. */
	report_steal(v);
	set_active(v, false);
	if (ret == 1) {
		run_arg.exit = PVHV_EXIT_ENDED;
		ret = copy_to_user(arg, &run_arg, sizeof(run_arg)) ? -EFAULT : 0;
	}
	return ret;
}

static void get_regs(struct pvhv_vcpu *v, struct pvhv_vcpu_regs *u)
{
	const struct sw_regs *r = v->regs;
	const struct sw_guest *g = v->guest;

	*u = (struct pvhv_vcpu_regs) {
		.rax = r->ax, .rbx = r->bx, .rcx = r->cx, .rdx = r->dx,
		.rsi = r->si, .rdi = r->di, .rbp = r->bp, .rsp = r->sp,
		.r8 = r->r8, .r9 = r->r9, .r10 = r->r10, .r11 = r->r11,
		.r12 = r->r12, .r13 = r->r13, .r14 = r->r14, .r15 = r->r15,
		.rip = r->ip, .rflags = r->flags,
		.fs_base = g->fs_base, .gs_base = g->gs_base,
		.cr2 = v->page ? v->page->cr2 : 0, .cr3 = v->started ? pvhv_mmu_cr3(&v->mmu) : 0,
		.cs = r->cs, .ds = g->ds, .es = g->es, .fs = g->fs, .gs = g->gs,
		.ss = r->ss, .mode = g->user_mode,
	};
	if (!g->user_mode) {
		u->rflags &= ~(u64)X86_EFLAGS_IF;
		if (v->page && v->page->vif)
			u->rflags |= X86_EFLAGS_IF;
	}
}

/**
 * pvhv_set_regs - make a vCPU start from these registers
 * @v:	the vCPU, not loaded
 * @u:	the registers
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int pvhv_set_regs(struct pvhv_vcpu *v, const struct pvhv_vcpu_regs *u)
{
	struct pvhv_mmu_flush flush = { };
	struct sw_regs *r = v->regs;
	struct sw_guest *g = v->guest;
	int ret;

	if (memchr_inv(u->reserved, 0, sizeof(u->reserved)) || u->mode > 1 ||
	    (u->mode == 1 && !v->page) ||
	    (u->cs & 3) != 3 || (u->ss & 3) != 3 ||
	    !pvhv_canonical(u->rip) || !pvhv_canonical(u->fs_base) ||
	    !pvhv_canonical(u->gs_base) || !pvhv_root_ok(v->domain, u->cr3) ||
	    !pvhv_selector_ok(v, u->ds) || !pvhv_selector_ok(v, u->es) ||
	    !pvhv_selector_ok(v, u->fs) || !pvhv_selector_ok(v, u->gs))
		return -EINVAL;
	do {
		ret = pvhv_mmu_topup(&v->domain->mmu, &v->mmu);
		if (ret)
			return ret;
		ret = pvhv_mmu_load_root(&v->domain->mmu, &v->mmu, u->cr3, 0, 0, true, &flush);
		cond_resched();
	} while (ret);

	*r = (struct sw_regs) {
		.ax = u->rax, .bx = u->rbx, .cx = u->rcx, .dx = u->rdx,
		.si = u->rsi, .di = u->rdi, .bp = u->rbp, .sp = u->rsp,
		.r8 = u->r8, .r9 = u->r9, .r10 = u->r10, .r11 = u->r11,
		.r12 = u->r12, .r13 = u->r13, .r14 = u->r14, .r15 = u->r15,
		.ip = u->rip, .cs = u->cs, .ss = u->ss,
		.flags = (u->rflags & SW_FLAGS_IRET) | SW_FLAGS_FIXED,
	};
	g->user_mode = u->mode;
	g->fs_base = u->fs_base;
	g->gs_base = u->gs_base;
	if (v->page)
		v->page->cr2 = u->cr2;
	g->ds = u->ds;
	g->es = u->es;
	g->fs = u->fs;
	g->gs = u->gs;
	if (!u->mode && v->page)
		v->page->vif = !!(u->rflags & X86_EFLAGS_IF);
	v->started = true;
	spin_lock(&v->domain->state_lock);
	v->power = PVHV_VCPU_UP;
	spin_unlock(&v->domain->state_lock);
	/* What was interrupted is forgotten, with all that was done of it. */
	v->next = PVHV_CONTINUE;
	memset(&v->slow, 0, sizeof(v->slow));
	memset(&v->flush, 0, sizeof(v->flush));
	v->multicall.count = 0;
	v->grant_copy.count = 0;
	return 0;
}

static long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct pvhv_vcpu *v = file->private_data;
	void __user *uarg = (void __user *)arg;
	struct pvhv_vcpu_regs regs;
	long ret;

	/* PVHV_RUN may take forever: who finds it running is told so. */
	if (!mutex_trylock(&v->lock))
		return -EBUSY;
	switch (cmd) {
	case PVHV_RUN:
		ret = vcpu_run(v, uarg);
		break;
	case PVHV_GET_REGS:
		get_regs(v, &regs);
		ret = copy_to_user(uarg, &regs, sizeof(regs)) ? -EFAULT : 0;
		break;
	case PVHV_SET_REGS:
		ret = -EFAULT;
		if (!copy_from_user(&regs, uarg, sizeof(regs)))
			ret = current->mm == v->domain->mm ? pvhv_set_regs(v, &regs) : -EPERM;
		break;
	default:
		ret = -ENOTTY;
	}
	mutex_unlock(&v->lock);
	return ret;
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct pvhv_vcpu *v = file->private_data;

	pvhv_domain_put(v->domain);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner		= THIS_MODULE,
	.release	= vcpu_release,
	.unlocked_ioctl	= vcpu_ioctl,
	.llseek		= noop_llseek,
};

/**
 * pvhv_create_vcpu - PVHV_CREATE_VCPU
 * @d:	the domain
 * @id:	number of the vCPU
 *
 * Return: a descriptor, or -EINVAL, -EEXIST, -ENOSPC, -ENOMEM, -EMFILE, -ENFILE.
 */
int pvhv_create_vcpu(struct pvhv_domain *d, unsigned long id)
{
	struct pvhv_vcpu *v;
	struct file *file;
	int fd, ret;

	if (id >= PVHV_MAX_VCPUS)
		return -EINVAL;
	/* Else the spares of all evict what one of them works with. */
	if (d->mmu.max_pages < PVHV_MMU_MIN_PAGES + id * PVHV_MMU_VCPU_PAGES)
		return -ENOSPC;
	mutex_lock(&d->lock);
	ret = -EEXIST;
	if (d->vcpus[id])
		goto out;
	ret = -ENOMEM;
	v = kzalloc(sizeof(*v), GFP_KERNEL_ACCOUNT);
	if (!v)
		goto out;
	v->domain = d;
	v->id = id;
	v->cpu = -1;
	v->regs = &v->saved_regs;
	v->guest = &v->saved_guest;
	/* Unreachable until registered: SYSCALL cannot end at such addresses. */
	v->guest->ret_sysret = 1ULL << 63;
	v->guest->ret_iret = 1ULL << 63;
	v->guest->ret_kernel = 1ULL << 63;
	mutex_init(&v->lock);
	init_waitqueue_head(&v->wq);
	pvhv_timer_init(v);
	if (pvhv_fpstate_alloc(v))
		goto free;
	pvhv_mmu_vcpu_init(&v->mmu);

	fd = get_unused_fd_flags(O_CLOEXEC);
	ret = fd;
	if (fd < 0)
		goto destroy;
	file = anon_inode_getfile("pvhv-vcpu", &vcpu_fops, v, O_RDWR);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		put_unused_fd(fd);
		goto destroy;
	}
	kref_get(&d->ref);
	/* Before anybody can run it: a flush looks for vCPUs here. */
	smp_store_mb(d->vcpus[id], v);
	fd_install(fd, file);
	goto out;
destroy:
	pvhv_mmu_vcpu_destroy(&d->mmu, &v->mmu);
	pvhv_fpstate_free(v);
free:
	kfree(v);
out:
	mutex_unlock(&d->lock);
	return ret;
}

/* From the end of the domain: nobody can reach the vCPU any more. */
void pvhv_vcpu_free(struct pvhv_vcpu *v)
{
	hrtimer_cancel(&v->timer);
	pvhv_vcpu_unregister(v);
	pvhv_mmu_vcpu_destroy(&v->domain->mmu, &v->mmu);
	pvhv_fpstate_free(v);
	if (v->ldt)
		free_pages_exact(v->ldt, PVHV_LDT_PAGES * PAGE_SIZE);
	kfree(v);
}
