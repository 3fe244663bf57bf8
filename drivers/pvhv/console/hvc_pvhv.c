// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv console: hvc0 over a ring (confront.c) or, before there is one, without one and
 * while the kernel dies, over two hypercalls.
 *
 * The hypercalls take and give bytes by guest-physical address, within a
 * page. Callers' buffers may be on a vmapped stack, so all go through one of
 * ours. Input is announced by PVHV_CAUSE_CONSOLE or by the ring's event: nothing polls.
 */
#include <linux/console.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/panic.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/time64.h>

#include <asm/page.h>
#include <asm/pvhv.h>
#include <asm/pvhv-hypercall.h>

#include "../../tty/hvc/hvc_console.h"
#include "confront.h"

void pvhv_console_early_init(void);

#define PVHV_CONSOLE_BUF	1024

/* All the time that the last words wait for who reads them */
#define PVHV_PANIC_WAIT		(5 * NSEC_PER_SEC)

/*
 * Aligned to their size, so that each lies within one page. A raw lock,
 * because printk() may come from anywhere.
 */
static char pvhv_out[PVHV_CONSOLE_BUF] __aligned(PVHV_CONSOLE_BUF);
static char pvhv_in[PVHV_CONSOLE_BUF] __aligned(PVHV_CONSOLE_BUF);
static DEFINE_RAW_SPINLOCK(pvhv_out_lock);
static DEFINE_RAW_SPINLOCK(pvhv_in_lock);

static struct hvc_struct *pvhv_hvc;
/* Changed with both locks held */
static struct confront *pvhv_ring;
/* Of a ring whose backend has gone; by pvhv_out_lock */
static char pvhv_left[CONFRONT_LEFT];
static unsigned int pvhv_left_at, pvhv_left_end;

static long pvhv_write(const char *buf, int count)
{
	memcpy(pvhv_out, buf, count);
	return pvhv_hypercall2(PVHV_HC_CONSOLE_WRITE, __pa(pvhv_out), count);
}

static long pvhv_read(char *buf, int count)
{
	long ret = pvhv_hypercall2(PVHV_HC_CONSOLE_READ, __pa(pvhv_in), count);

	if (ret > 0)
		memcpy(buf, pvhv_in, ret);
	return ret;
}

/* Returns true if nothing is left. */
static bool pvhv_write_left(void)
{
	while (pvhv_left_at < pvhv_left_end) {
		unsigned int n = min_t(unsigned int, pvhv_left_end - pvhv_left_at,
				       PVHV_CONSOLE_BUF);
		long ret = pvhv_write(pvhv_left + pvhv_left_at, n);

		if (!ret)
			return false;
		pvhv_left_at += ret < 0 ? n : ret;
	}
	return true;
}

/* Returns the bytes taken; 0 when nobody has read what there was before. */
static long pvhv_put(const char *buf, int count, bool dying)
{
	long ret = -1;

	if (!pvhv_write_left())
		return 0;
	/* The hypervisor takes what is in the ring first, so the order is kept. */
	if (IS_ENABLED(CONFIG_PVHV_BUS) && pvhv_ring && !dying)
		ret = confront_write(pvhv_ring, buf, count);
	return ret < 0 ? pvhv_write(buf, count) : ret;
}

static bool pvhv_other_panics(void)
{
	int cpu = atomic_read(&panic_cpu);

	return cpu != PANIC_CPU_INVALID && cpu != raw_smp_processor_id();
}

/*
 * Nothing comes after the last words, so they wait for their reader; but not for ever, as
 * there may be none.
 */
static bool pvhv_may_wait(void)
{
	static u64 end;		/* of the one CPU that panics */
	u64 now;

	if (atomic_read(&panic_cpu) != raw_smp_processor_id())
		return false;
	now = pvhv_hypercall0(PVHV_HC_GET_TIME);
	if (!end)
		end = now + PVHV_PANIC_WAIT;
	if (now >= end)
		return false;
	pvhv_hypercall0(PVHV_HC_YIELD);
	return true;
}

static int pvhv_put_chars(u32 vtermno, const char *buf, int count)
{
	bool dying = READ_ONCE(oops_in_progress), locked = true;
	unsigned long flags;
	long ret;

	count = min(count, PVHV_CONSOLE_BUF);

	local_irq_save(flags);
	/* In a panic the one who holds the lock may be stopped already. */
	if (dying)
		locked = raw_spin_trylock(&pvhv_out_lock);
	else
		raw_spin_lock(&pvhv_out_lock);

	/* Or he panics, and waits: what others have to say comes later, if at all. */
	if (!locked && pvhv_other_panics()) {
		ret = 0;
	} else {
		do {
			ret = pvhv_put(buf, count, dying);
		} while (!ret && pvhv_may_wait());
	}
	if (locked)
		raw_spin_unlock(&pvhv_out_lock);
	local_irq_restore(flags);

	return ret < 0 ? -EIO : ret;
}

static int pvhv_get_chars(u32 vtermno, char *buf, int count)
{
	unsigned long flags;
	long ret = -1;

	count = min(count, PVHV_CONSOLE_BUF);

	raw_spin_lock_irqsave(&pvhv_in_lock, flags);
	if (IS_ENABLED(CONFIG_PVHV_BUS) && pvhv_ring)
		ret = confront_read(pvhv_ring, buf, count);
	if (ret < 0)
		ret = pvhv_read(buf, count);
	raw_spin_unlock_irqrestore(&pvhv_in_lock, flags);

	return ret < 0 ? -EIO : ret;
}

#ifdef CONFIG_PVHV_BUS
static void pvhv_switch(struct confront *cf, struct confront *old)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&pvhv_out_lock, flags);
	raw_spin_lock(&pvhv_in_lock);
	/* If the last one's is not out yet, nothing was put into this one. */
	if (old && pvhv_ring == old && pvhv_left_at == pvhv_left_end) {
		pvhv_left_at = 0;
		pvhv_left_end = confront_left(old, pvhv_left);
	}
	pvhv_ring = cf;
	raw_spin_unlock(&pvhv_in_lock);
	raw_spin_unlock_irqrestore(&pvhv_out_lock, flags);
}

void pvhv_console_use(struct confront *cf)
{
	pvhv_switch(cf, NULL);
}

void pvhv_console_leave(struct confront *cf)
{
	pvhv_switch(NULL, cf);
}
#endif

void pvhv_console_poll(void)
{
	struct hvc_struct *hp = READ_ONCE(pvhv_hvc);
	unsigned long flags;

	/* hvc_poll() does so only for bytes of its own. */
	if (READ_ONCE(pvhv_left_at) != READ_ONCE(pvhv_left_end)) {
		raw_spin_lock_irqsave(&pvhv_out_lock, flags);
		pvhv_write_left();
		raw_spin_unlock_irqrestore(&pvhv_out_lock, flags);
	}

	/* True: there is more to do than may be done here. */
	if (hp && hvc_poll(hp))
		hvc_kick();
}

/* The hvc core polls a console whose irq_requested is not set. */
static int pvhv_notifier_add(struct hvc_struct *hp, int data)
{
	hp->irq_requested = 1;
	return 0;
}

static void pvhv_notifier_del(struct hvc_struct *hp, int data)
{
	hp->irq_requested = 0;
}

static const struct hv_ops pvhv_hvc_ops = {
	.get_chars		= pvhv_get_chars,
	.put_chars		= pvhv_put_chars,
	.notifier_add		= pvhv_notifier_add,
	.notifier_del		= pvhv_notifier_del,
	.notifier_hangup	= pvhv_notifier_del,
};

static void pvhv_boot_console_write(struct console *con, const char *s, unsigned int count)
{
	while (count) {
		const char *eol = memchr(s, '\n', count);
		unsigned int n = eol ? eol - s : count;

		while (n) {
			int done = pvhv_put_chars(0, s, n);

			/* Full: nobody reads, and there is no one to wait for. */
			if (done <= 0)
				return;
			s += done;
			n -= done;
			count -= done;
		}
		if (eol) {
			pvhv_put_chars(0, "\r\n", 2);
			s++;
			count--;
		}
	}
}

/* Prints until hvc0 does. */
static struct console pvhv_boot_console = {
	.name	= "pvhvboot",
	.write	= pvhv_boot_console_write,
	.flags	= CON_PRINTBUFFER | CON_BOOT | CON_ANYTIME | CON_ENABLED,
	.index	= -1,
};

void __init pvhv_console_early_init(void)
{
	register_console(&pvhv_boot_console);
}

static int __init pvhv_console_init(void)
{
	if (!pvhv_guest())
		return 0;
	return hvc_instantiate(0, 0, &pvhv_hvc_ops);
}
console_initcall(pvhv_console_init);

static int __init pvhv_hvc_init(void)
{
	struct hvc_struct *hp;

	if (!pvhv_guest())
		return -ENODEV;

	hp = hvc_alloc(0, 0, &pvhv_hvc_ops, PVHV_CONSOLE_BUF);
	if (IS_ERR(hp))
		return PTR_ERR(hp);
	WRITE_ONCE(pvhv_hvc, hp);
	return pvhv_set_cause_handler(PVHV_CAUSE_CONSOLE, pvhv_console_poll);
}
device_initcall(pvhv_hvc_init);
