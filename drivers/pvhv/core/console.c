// SPDX-License-Identifier: GPL-2.0
/*
 * A domain's console: two byte queues between the guest, by a ring or by hypercalls, and
 * a file descriptor of the owner.
 */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

#include "console.h"
#include "pvhv.h"

#define CHUNK	512

void pvhv_console_init(struct pvhv_domain *d)
{
	struct pvhv_console *c = &d->console;

	spin_lock_init(&c->lock);
	mutex_init(&c->in_lock);
	mutex_init(&c->pump_lock);
	init_waitqueue_head(&c->wq);
	INIT_KFIFO(c->out);
	INIT_KFIFO(c->in);
}

/* ---- the backend of a ring ---- */

/**
 * pvhv_console_attach - a ring is there
 * @c:		the console
 * @pump:	moves what can be moved; called whenever that may be more than before. Returns
 *		true if output is left that found no room
 * @data:	its argument
 */
void pvhv_console_attach(struct pvhv_console *c, bool (*pump)(void *data), void *data)
{
	mutex_lock(&c->pump_lock);
	c->pump = pump;
	c->pump_data = data;
	mutex_unlock(&c->pump_lock);
}

/**
 * pvhv_console_detach - the ring is going; the pump is not called afterwards
 * @c:	the console
 */
void pvhv_console_detach(struct pvhv_console *c)
{
	mutex_lock(&c->pump_lock);
	c->pump = NULL;
	mutex_unlock(&c->pump_lock);
	/* Input and room that the pump was told of, but did not use, are for hypercalls now. */
	pvhv_raise_cause(container_of(c, struct pvhv_domain, console), 0);
}

static unsigned int out_room(struct pvhv_console *c, bool last)
{
	unsigned int avail = kfifo_avail(&c->out), reserve = last ? 0 : PVHV_CONSOLE_RESERVE;

	lockdep_assert_held(&c->lock);
	return avail > reserve ? avail - reserve : 0;
}

/**
 * pvhv_console_put - output, all of it or nothing
 * @c:		the console
 * @buf:	bytes
 * @n:		how many
 * @last:	of a ring that goes: also where nothing else may
 *
 * Return: false if there is no room; the pump is called when the owner has read.
 */
bool pvhv_console_put(struct pvhv_console *c, const u8 *buf, unsigned int n, bool last)
{
	bool fits;

	spin_lock(&c->lock);
	fits = out_room(c, last) >= n;
	if (fits)
		kfifo_in(&c->out, buf, n);
	else
		c->starved = true;
	spin_unlock(&c->lock);
	if (fits)
		wake_up_interruptible(&c->wq);
	return fits;
}

/**
 * pvhv_console_take - input
 * @c:		the console
 * @buf:	where to
 * @n:		bytes at most
 *
 * Return: how many; the pump is called when there is more.
 */
unsigned int pvhv_console_take(struct pvhv_console *c, u8 *buf, unsigned int n)
{
	spin_lock(&c->lock);
	n = kfifo_out(&c->in, buf, n);
	spin_unlock(&c->lock);
	if (n)
		wake_up_interruptible(&c->wq);
	return n;
}

/* Return: true if there is a ring; @left: and output in it that found no room */
static bool pump(struct pvhv_console *c, bool *left)
{
	bool there;

	mutex_lock(&c->pump_lock);
	there = c->pump;
	*left = there && c->pump(c->pump_data);
	mutex_unlock(&c->pump_lock);
	return there;
}

/* The owner has read or written: whichever way the guest uses, or hypercalls as well */
static void tell_guest(struct pvhv_domain *d, bool call)
{
	bool left;

	if (!pump(&d->console, &left) || call)
		pvhv_raise_cause(d, 0);
}

/* ---- hypercalls ---- */

/*
 * Output in the ring comes first. Return: true if some is left, for which there is no room;
 * then the guest is told of room, too. The owner may have made some meanwhile: @starved says
 * nothing, and if he has read all there is nobody who would tell.
 */
static bool ring_waits(struct pvhv_domain *d)
{
	struct pvhv_console *c = &d->console;
	unsigned int tries;
	bool left, empty;

	for (tries = 0; tries < 2; tries++) {
		pump(c, &left);
		if (!left)
			return false;
		spin_lock(&c->lock);
		empty = kfifo_is_empty(&c->out);
		if (!empty) {
			c->starved = true;
			c->call_starved = true;
		}
		spin_unlock(&c->lock);
		if (!empty)
			return true;
	}
	pvhv_raise_cause(d, 0);
	return true;
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

	if (ring_waits(v->domain))
		return 0;
	while (done < a[1] && done < PVHV_CONSOLE_SIZE) {
		size_t n = min_t(u64, a[1] - done, sizeof(buf));
		unsigned int room;

		if (pvhv_copy_from_guest(v, buf, a[0] + done, n)) {
			if (!done)
				return -PVHV_EFAULT;
			break;
		}
		spin_lock(&c->lock);
		room = kfifo_in(&c->out, buf, min_t(size_t, n, out_room(c, false)));
		if (room < n) {
			c->starved = true;
			c->call_starved = true;
		}
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

/* ---- the owner ---- */

static ssize_t console_read(struct file *file, char __user *to, size_t len, loff_t *pos)
{
	struct pvhv_domain *d = file->private_data;
	struct pvhv_console *c = &d->console;
	u8 buf[CHUNK];
	bool starved, call, left, ended = false;
	unsigned int n;
	int ret;

	for (;;) {
		spin_lock(&c->lock);
		n = kfifo_out(&c->out, buf, min(len, sizeof(buf)));
		starved = n && c->starved;
		call = n && c->call_starved;
		if (n) {
			c->starved = false;
			c->call_starved = false;
		}
		spin_unlock(&c->lock);
		if (n || !len)
			break;
		/* All has been read: end of file once nothing can follow, from a ring either */
		if (ended)
			return 0;
		ended = pvhv_domain_ended(d);
		if (ended) {
			pump(c, &left);
			continue;
		}
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		ret = wait_event_interruptible(c->wq, !kfifo_is_empty(&c->out) ||
					       pvhv_domain_ended(d));
		if (ret)
			return ret;
	}
	if (starved)
		tell_guest(d, call);
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
		tell_guest(d, false);
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
