// SPDX-License-Identifier: GPL-2.0
/*
 * A domain's console: two byte queues between the guest's hypercalls and a
 * file descriptor of the owner.
 */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

#include "pvhv.h"

#define CHUNK	512

void pvhv_console_init(struct pvhv_domain *d)
{
	struct pvhv_console *c = &d->console;

	spin_lock_init(&c->lock);
	mutex_init(&c->in_lock);
	init_waitqueue_head(&c->wq);
	INIT_KFIFO(c->out);
	INIT_KFIFO(c->in);
}

/**
 * pvhv_hc_console_write - PVHV_HC_CONSOLE_WRITE
 * @v:	the vCPU, not loaded
 * @a:	arguments
 *
 * Return: bytes taken; fewer than offered when the owner does not read, and
 * PVHV_CAUSE_CONSOLE is raised when there is room again.
 */
long pvhv_hc_console_write(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_console *c = &v->domain->console;
	u8 buf[CHUNK];
	u64 done = 0;

	while (done < a[1] && done < PVHV_CONSOLE_SIZE) {
		size_t n = min_t(u64, a[1] - done, sizeof(buf));
		unsigned int room;

		if (pvhv_copy_from_guest(v, buf, a[0] + done, n)) {
			if (!done)
				return -PVHV_EFAULT;
			break;
		}
		spin_lock(&c->lock);
		room = kfifo_in(&c->out, buf, n);
		c->starved |= room < n;
		spin_unlock(&c->lock);
		done += room;
		if (room < n)
			break;
	}
	if (done)
		wake_up_interruptible(&c->wq);
	return done;
}

/**
 * pvhv_hc_console_read - PVHV_HC_CONSOLE_READ
 * @v:	the vCPU, not loaded
 * @a:	arguments
 */
long pvhv_hc_console_read(struct pvhv_vcpu *v, const u64 *a)
{
	struct pvhv_console *c = &v->domain->console;
	u8 buf[CHUNK];
	long n;

	/* Taken only if the guest could have it */
	mutex_lock(&c->in_lock);
	spin_lock(&c->lock);
	n = kfifo_out_peek(&c->in, buf, min_t(u64, a[1], sizeof(buf)));
	spin_unlock(&c->lock);
	if (n && pvhv_copy_to_guest(v, a[0], buf, n))
		n = -PVHV_EFAULT;
	if (n > 0) {
		spin_lock(&c->lock);
		n = kfifo_out(&c->in, buf, n);
		spin_unlock(&c->lock);
		wake_up_interruptible(&c->wq);
	}
	mutex_unlock(&c->in_lock);
	return n;
}

static ssize_t console_read(struct file *file, char __user *to, size_t len, loff_t *pos)
{
	struct pvhv_domain *d = file->private_data;
	struct pvhv_console *c = &d->console;
	u8 buf[CHUNK];
	unsigned int n;
	bool starved;
	int ret;

	for (;;) {
		spin_lock(&c->lock);
		n = kfifo_out(&c->out, buf, min(len, sizeof(buf)));
		starved = n && c->starved;
		if (n)
			c->starved = false;
		spin_unlock(&c->lock);
		if (n || !len)
			break;
		/* All has been read: end of file once nothing can follow */
		if (pvhv_domain_ended(d))
			return 0;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		ret = wait_event_interruptible(c->wq, !kfifo_is_empty(&c->out) ||
					       pvhv_domain_ended(d));
		if (ret)
			return ret;
	}
	if (starved)
		pvhv_raise_cause(d, 0);
	return copy_to_user(to, buf, n) ? -EFAULT : n;
}

static ssize_t console_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	struct pvhv_domain *d = file->private_data;
	struct pvhv_console *c = &d->console;
	u8 buf[CHUNK];
	unsigned int n;
	int ret;

	len = min(len, sizeof(buf));
	if (copy_from_user(buf, from, len))
		return -EFAULT;
	for (;;) {
		if (pvhv_domain_ended(d))
			return -EPIPE;
		spin_lock(&c->lock);
		n = kfifo_in(&c->in, buf, len);
		spin_unlock(&c->lock);
		if (n || !len)
			break;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		ret = wait_event_interruptible(c->wq, !kfifo_is_full(&c->in) ||
					       pvhv_domain_ended(d));
		if (ret)
			return ret;
	}
	if (n)
		pvhv_raise_cause(d, 0);
	return n;
}

static __poll_t console_poll(struct file *file, poll_table *wait)
{
	struct pvhv_domain *d = file->private_data;
	struct pvhv_console *c = &d->console;
	__poll_t mask = 0;

	poll_wait(file, &c->wq, wait);
	if (!kfifo_is_empty(&c->out))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (!kfifo_is_full(&c->in))
		mask |= EPOLLOUT | EPOLLWRNORM;
	if (pvhv_domain_ended(d))
		mask |= EPOLLHUP;
	return mask;
}

static int console_release(struct inode *inode, struct file *file)
{
	pvhv_domain_put(file->private_data);
	return 0;
}

static const struct file_operations console_fops = {
	.owner		= THIS_MODULE,
	.read		= console_read,
	.write		= console_write,
	.poll		= console_poll,
	.release	= console_release,
	.llseek		= noop_llseek,
};

/**
 * pvhv_get_console - PVHV_GET_CONSOLE
 * @d:	the domain
 *
 * Return: a descriptor; each reader of several gets part of the output.
 */
int pvhv_get_console(struct pvhv_domain *d)
{
	int fd;

	kref_get(&d->ref);
	fd = anon_inode_getfd("pvhv-console", &console_fops, d, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		pvhv_domain_put(d);
	return fd;
}
