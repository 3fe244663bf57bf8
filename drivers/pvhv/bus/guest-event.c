// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv bus, a guest's transport: event channels as Linux interrupts.
 *
 * Each port is an interrupt of its own, so that /proc/interrupts shows it,
 * its affinity can be set and a CPU that goes offline gives it away. Handlers
 * that may sleep are interrupt threads.
 *
 * The mask bit of a port is its claim: whoever sets it handles the event, and
 * the port stays masked until the handler is done, be it a thread. So a peer
 * that sends all the time causes one interrupt for each run of the handler.
 *
 * Invariants, beside those of <pvhv/event.h>:
 * 1. A port that has no handler is masked. All are, at first.
 * 2. Claim: set the mask bit; if it was clear, clear the pending bit, then call
 *    the handler. A CPU that looks at a port while another handles it finds
 *    the mask bit set, and leaves the pending bit alone.
 * 3. Unmask: clear the mask bit, full barrier, test the pending bit, and have the
 *    event raised again if it is set. So what came in between is not lost,
 *    nor what was raised on a CPU that the port has left.
 */
#define pr_fmt(fmt) "pvhv: " fmt

#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include <asm/pvhv-hypercall.h>

#include "guest.h"

/**
 * struct pvhv_event - this side's end of a channel
 * @port:	its name
 * @irq:	the interrupt that it is
 * @closing:	the handler's thread shall come to an end
 * @fn:		handler
 * @data:	its argument
 * @name:	as /proc/interrupts shows it
 */
struct pvhv_event {
	pvhv_port_t port;
	unsigned int irq;
	bool closing;
	bool (*fn)(void *data);
	void *data;
	char name[32];
};

static struct pvhv_event_page *event_page;
static struct irq_domain *event_domain;
/*
 * A port's number may be used again as soon as it is closed; what belongs to
 * the old port is gone by then.
 */
static DEFINE_MUTEX(port_lock);

/* Words of the page as Linux's bit operations want them */
static unsigned long *pending_bits(void)
{
	return (unsigned long *)event_page->pending;
}

static unsigned long *mask_bits(void)
{
	return (unsigned long *)event_page->mask;
}

/* ---- receiving ---- */

/**
 * pvhv_event_interrupt - PVHV_VECTOR_EVENT
 *
 * In interrupt context. No hypercall: both levels are memory.
 */
void pvhv_event_interrupt(void)
{
	/* The hypervisor sets bits of it from other CPUs. */
	u64 *sel = &this_cpu_ptr(&pvhv_vcpu_page)->event_sel;
	unsigned long words, bits;
	unsigned int word, bit;

	if (!event_page)
		return;
	while ((words = xchg(sel, 0))) {
		for_each_set_bit(word, &words, PVHV_EVENT_WORDS) {
			bits = READ_ONCE(event_page->pending[word]) &
			       ~READ_ONCE(event_page->mask[word]);
			for_each_set_bit(bit, &bits, 64) {
				unsigned int port = word * 64 + bit;

				/* Invariant 2 */
				if (test_and_set_bit(port, mask_bits()))
					continue;
				clear_bit(port, pending_bits());
				/* Before the handler reads what was sent */
				smp_mb__after_atomic();
				/* Fails for a port without a handler: it stays masked. */
				generic_handle_domain_irq(event_domain, port);
			}
		}
	}
}

/* Raise a port that is pending, on the CPU that it belongs to now */
static void event_raise_if_pending(unsigned long port)
{
	if (test_bit(port, pending_bits()))
		pvhv_hypercall1(PVHV_HC_EVENT_UNMASK, port);
}

static void event_irq_mask(struct irq_data *d)
{
	set_bit(irqd_to_hwirq(d), mask_bits());
}

static void event_irq_unmask(struct irq_data *d)
{
	clear_bit(irqd_to_hwirq(d), mask_bits());
	smp_mb__after_atomic();		/* invariant 3 */
	event_raise_if_pending(irqd_to_hwirq(d));
}

static int event_irq_retrigger(struct irq_data *d)
{
	set_bit(irqd_to_hwirq(d), pending_bits());
	/* Whoever unmasks it now sees it pending, if we see it masked. */
	smp_mb__after_atomic();
	if (!test_bit(irqd_to_hwirq(d), mask_bits()))
		pvhv_hypercall1(PVHV_HC_EVENT_UNMASK, irqd_to_hwirq(d));
	return 1;
}

static int event_irq_set_affinity(struct irq_data *d, const struct cpumask *dest, bool force)
{
	/* Spreads the ports that may go anywhere */
	unsigned int cpu = cpumask_any_and_distribute(dest, cpu_online_mask);
	long ret;

	if (cpu >= nr_cpu_ids)
		return -EINVAL;
	ret = pvhv_hypercall2(PVHV_HC_EVENT_BIND_VCPU, irqd_to_hwirq(d), cpu);
	if (ret)
		return ret;
	irq_data_update_effective_affinity(d, cpumask_of(cpu));

	/* The CPU that it was raised on may be offline before it looks. */
	smp_mb();
	if (!test_bit(irqd_to_hwirq(d), mask_bits()))
		event_raise_if_pending(irqd_to_hwirq(d));
	return IRQ_SET_MASK_OK;
}

static struct irq_chip event_irq_chip = {
	.name			= "pvhv-event",
	.irq_mask		= event_irq_mask,
	.irq_unmask		= event_irq_unmask,
	.irq_retrigger		= event_irq_retrigger,
	.irq_set_affinity	= event_irq_set_affinity,
	.flags			= IRQCHIP_AFFINITY_PRE_STARTUP,
};

/*
 * Masked while it is handled, in a thread as well, then unmasked: that is the
 * flow of a level. The acknowledgment was in the claim.
 */
static int event_domain_map(struct irq_domain *d, unsigned int irq, irq_hw_number_t port)
{
	irq_set_chip_and_handler(irq, &event_irq_chip, handle_level_irq);
	irq_set_noprobe(irq);
	/* Moved by the hypercall alone: no interrupt has to come first. */
	irq_set_status_flags(irq, IRQ_MOVE_PCNTXT);
	return 0;
}

static const struct irq_domain_ops event_domain_ops = {
	.map	= event_domain_map,
};

static irqreturn_t event_atomic(int irq, void *data)
{
	struct pvhv_event *event = data;

	/* Once more, but after others: found pending when it is unmasked */
	if (event->fn(event->data))
		set_bit((__force u32)event->port, pending_bits());
	return IRQ_HANDLED;
}

static irqreturn_t event_thread(int irq, void *data)
{
	struct pvhv_event *event = data;

	while (event->fn(event->data) && !READ_ONCE(event->closing))
		cond_resched();
	return IRQ_HANDLED;
}

/* ---- ports ---- */

static struct pvhv_event *event_open(struct pvhv_device *dev, bool bind, pvhv_port_t peer_port,
				     bool (*fn)(void *data), void *data, unsigned int flags)
{
	struct pvhv_event *event = kzalloc(sizeof(*event), GFP_KERNEL);
	u32 domid = (__force u32)dev->peer;
	long port;
	int err;

	if (!event)
		return ERR_PTR(-ENOMEM);
	event->fn = fn;
	event->data = data;

	mutex_lock(&port_lock);
	port = bind ? pvhv_hypercall2(PVHV_HC_EVENT_BIND, domid, (__force u32)peer_port) :
		      pvhv_hypercall1(PVHV_HC_EVENT_ALLOC, domid);
	if (port < 0) {
		err = port;
		goto unlock;
	}
	event->port = (__force pvhv_port_t)port;
	snprintf(event->name, sizeof(event->name), "%s:%ld", dev_name(&dev->dev), port);

	err = -ENOMEM;
	event->irq = irq_create_mapping(event_domain, port);
	if (!event->irq)
		goto close;
	/* Unmasks it: if the peer has sent in the meantime, here it comes. */
	if (flags & PVHV_EVENT_ATOMIC)
		err = request_irq(event->irq, event_atomic, 0, event->name, event);
	else
		err = request_threaded_irq(event->irq, NULL, event_thread, IRQF_ONESHOT,
					   event->name, event);
	if (err)
		goto dispose;
	mutex_unlock(&port_lock);
	return event;
dispose:
	irq_dispose_mapping(event->irq);
close:
	pvhv_hypercall1(PVHV_HC_EVENT_CLOSE, port);
	clear_bit(port, pending_bits());
unlock:
	mutex_unlock(&port_lock);
	kfree(event);
	return ERR_PTR(err);
}

struct pvhv_event *pvhv_guest_event_alloc(struct pvhv_device *dev, bool (*fn)(void *data),
					  void *data, unsigned int flags)
{
	return event_open(dev, false, PVHV_PORT_NONE, fn, data, flags);
}

struct pvhv_event *pvhv_guest_event_bind(struct pvhv_device *dev, pvhv_port_t peer_port,
					 bool (*fn)(void *data), void *data, unsigned int flags)
{
	return event_open(dev, true, peer_port, fn, data, flags);
}

void pvhv_guest_event_close(struct pvhv_event *event)
{
	u32 port = (__force u32)event->port;

	WRITE_ONCE(event->closing, true);
	/* Waits for handlers, and masks it. */
	free_irq(event->irq, event);

	mutex_lock(&port_lock);
	irq_dispose_mapping(event->irq);
	pvhv_hypercall1(PVHV_HC_EVENT_CLOSE, port);
	clear_bit(port, pending_bits());
	mutex_unlock(&port_lock);
	kfree(event);
}

void pvhv_guest_event_send(struct pvhv_event *event)
{
	pvhv_hypercall1(PVHV_HC_EVENT_SEND, (__force u32)event->port);
}

pvhv_port_t pvhv_guest_event_port(const struct pvhv_event *event)
{
	return event->port;
}

int __init pvhv_guest_event_init(void)
{
	struct fwnode_handle *fwnode;
	struct irq_domain *domain;
	struct pvhv_event_page *page;
	long err = -ENOMEM;

	page = (void *)get_zeroed_page(GFP_KERNEL);
	fwnode = irq_domain_alloc_named_fwnode("pvhv-event");
	if (!page || !fwnode)
		goto fail;
	domain = irq_domain_create_linear(fwnode, PVHV_MAX_PORTS, &event_domain_ops, NULL);
	if (!domain)
		goto fail;

	err = pvhv_hypercall1(PVHV_HC_EVENT_SETUP, __pa(page));
	if (err)
		goto domain;
	/* Invariant 1; there are no ports yet. */
	memset(page->mask, 0xff, sizeof(page->mask));
	event_domain = domain;
	WRITE_ONCE(event_page, page);
	return 0;
domain:
	irq_domain_remove(domain);
fail:
	if (fwnode)
		irq_domain_free_fwnode(fwnode);
	free_page((unsigned long)page);
	return err;
}
