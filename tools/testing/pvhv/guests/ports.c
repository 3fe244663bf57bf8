// SPDX-License-Identifier: GPL-2.0
/*
 * ports: event channels, with both ends in this domain.
 */
#include "lib/guest.h"
#include "lib/split.h"

static struct pvhv_event_page page __page_aligned;

#define BAD_DOMID	12345

/* As a receiver does: what is marked for this vCPU, in bits of @got */
static void collect(u64 got[PVHV_EVENT_WORDS])
{
	u64 sel;

	/* EVENT_SEL is good once the vector has arrived. */
	irq_enable();
	hc_yield();
	sel = __atomic_exchange_n(&vp->event_sel, 0, __ATOMIC_SEQ_CST);

	for (u32 i = 0; i < PVHV_EVENT_WORDS; i++) {
		got[i] = 0;
		if (!(sel & BIT(i)))
			continue;
		got[i] = READ_ONCE(page.pending[i]) & ~READ_ONCE(page.mask[i]);
		__atomic_and_fetch(&page.pending[i], ~got[i], __ATOMIC_SEQ_CST);
	}
}

static bool got_port(const u64 *got, u32 port)
{
	return got[port / 64] & BIT(port % 64);
}

static void set_mask(u32 port, bool on)
{
	if (on)
		__atomic_or_fetch(&page.mask[port / 64], BIT(port % 64), __ATOMIC_SEQ_CST);
	else
		__atomic_and_fetch(&page.mask[port / 64], ~BIT(port % 64), __ATOMIC_SEQ_CST);
}

/* Two bound ends; false if there are none */
static bool make_pair(u32 *a, u32 *b)
{
	long p = hc_event_alloc(start_info.domid), q;

	if (!check(p > 0 && p < PVHV_MAX_PORTS, "EVENT_ALLOC gives %ld", p))
		return false;
	q = hc_event_bind(start_info.domid, p);
	if (!check(q > 0 && q < PVHV_MAX_PORTS && q != p, "EVENT_BIND gives %ld", q))
		return false;
	*a = p;
	*b = q;
	return true;
}

TEST(before_setup)
{
	check_eq(hc_event_alloc(start_info.domid), -PVHV_EINVAL, "EVENT_ALLOC");
	check_eq(hc_event_bind(start_info.domid, 1), -PVHV_EINVAL, "EVENT_BIND");
	check_eq(hc_event_send(1), -PVHV_ENOENT, "EVENT_SEND");
	check_eq(hc_event_unmask(1), -PVHV_ENOENT, "EVENT_UNMASK");
	check_eq(hc_event_close(1), -PVHV_ENOENT, "EVENT_CLOSE");
	check_eq(hc_event_bind_vcpu(1, 0), -PVHV_ENOENT, "EVENT_BIND_VCPU");
}

TEST(setup)
{
	check_eq(hc_event_setup(gpa_of(&page) + 8), -PVHV_EINVAL, "a page that is not aligned");
	check_eq(hc_event_setup(ram_end + (1UL << 40)), -PVHV_EFAULT, "a page that is no RAM");
	check_eq(hc_event_setup(~0UL << 12), -PVHV_EFAULT, "the last page of all");
	check_eq(hc_event_setup(gpa_of(&page)), 0, "EVENT_SETUP");
	check_eq(hc_event_setup(gpa_of(&page)), -PVHV_EBUSY, "a second EVENT_SETUP");
}

TEST(send_and_receive)
{
	u64 got[PVHV_EVENT_WORDS], irqs = irq_count[PVHV_VECTOR_EVENT];
	u32 a, b;

	if (!make_pair(&a, &b))
		return;
	irq_enable();
	check_eq(hc_event_send(a), 0, "EVENT_SEND");
	hc_yield();
	check_eq(irq_count[PVHV_VECTOR_EVENT] - irqs, 1, "interrupts after one event");
	collect(got);
	check(got_port(got, b), "the other end is not pending");
	check(!got_port(got, a), "the sender's end is pending");

	/* Any number of events before it is seen are one. */
	irqs = irq_count[PVHV_VECTOR_EVENT];
	irq_disable();
	for (int i = 0; i < 100; i++)
		hc_event_send(b);
	irq_enable();
	hc_yield();
	check_eq(irq_count[PVHV_VECTOR_EVENT] - irqs, 1, "interrupts after 100 events");
	collect(got);
	check(got_port(got, a), "not pending after 100 events");
	hc_event_close(a);
	hc_event_close(b);
}

TEST(masked)
{
	u64 got[PVHV_EVENT_WORDS], irqs = irq_count[PVHV_VECTOR_EVENT];
	u32 a, b;

	if (!make_pair(&a, &b))
		return;
	irq_enable();
	set_mask(b, true);
	hc_event_send(a);
	hc_yield();
	check_eq(irq_count[PVHV_VECTOR_EVENT] - irqs, 0, "interrupts of a masked port");
	check(page.pending[b / 64] & BIT(b % 64), "a masked port is not pending");
	check_eq(hc_event_unmask(b), 0, "EVENT_UNMASK while still masked");
	hc_yield();
	check_eq(irq_count[PVHV_VECTOR_EVENT] - irqs, 0, "interrupts while still masked");
	set_mask(b, false);
	check_eq(hc_event_unmask(b), 0, "EVENT_UNMASK");
	hc_yield();
	check_eq(irq_count[PVHV_VECTOR_EVENT] - irqs, 1, "interrupts after unmasking");
	collect(got);
	check(got_port(got, b), "not seen after unmasking");
	hc_event_close(a);
	hc_event_close(b);
}

TEST(who_may_bind)
{
	u32 a, b;
	long p;

	if (!make_pair(&a, &b))
		return;
	check_eq(hc_event_bind(start_info.domid, a), -PVHV_EBUSY, "binding to a bound end");
	check_eq(hc_event_bind(start_info.domid, b), -PVHV_ENOENT, "binding to what was bound");
	check_eq(hc_event_bind(start_info.domid, 0), -PVHV_ENOENT, "binding to port 0");
	check_eq(hc_event_bind(start_info.domid, ~0UL), -PVHV_ENOENT, "binding to port ~0");
	check_eq(hc_event_bind(BAD_DOMID, 1), -PVHV_ENOENT, "binding to nobody");
	check_eq(hc_event_bind(BIT(32) | start_info.domid, a), -PVHV_EINVAL, "a domid of 33 bits");
	check_eq(hc_event_alloc(BAD_DOMID), -PVHV_ENOENT, "a port for nobody");
	check_eq(hc_event_alloc(~0UL), -PVHV_EINVAL, "a port for domain ~0");
	check_eq(hc_event_bind(PVHV_DOMID_HOST, 1), -PVHV_ENOENT, "binding to the host's port 1");
	/* made for the host: not ours to bind */
	p = hc_event_alloc(PVHV_DOMID_HOST);
	check(p > 0, "EVENT_ALLOC for the host gives %ld", p);
	check_eq(hc_event_bind(start_info.domid, p), -PVHV_ENOENT, "binding to the host's end");
	check_eq(hc_event_send(p), 0, "sending to nobody");
	hc_event_close(p);
	hc_event_close(a);
	hc_event_close(b);
}

TEST(closed)
{
	u64 got[PVHV_EVENT_WORDS];
	u32 a, b;
	long c;

	if (!make_pair(&a, &b))
		return;
	collect(got);
	check_eq(hc_event_close(a), 0, "EVENT_CLOSE");
	check_eq(hc_event_close(a), -PVHV_ENOENT, "a second EVENT_CLOSE");
	check_eq(hc_event_send(a), -PVHV_ENOENT, "sending through a closed end");
	check_eq(hc_event_send(b), 0, "sending to a closed end");
	collect(got);
	check(got_port(got, b), "the end that is left was not told");
	/* It was bound once, from the side that did not make it: nobody binds again. */
	check_eq(hc_event_bind(start_info.domid, b), -PVHV_ENOENT, "binding to the end that is left");
	hc_event_close(b);

	/* The end that was made can be bound again. */
	if (!make_pair(&a, &b))
		return;
	hc_event_close(b);
	c = hc_event_bind(start_info.domid, a);
	check(c > 0, "binding again gives %ld", c);
	hc_event_close(c);
	hc_event_close(a);
}

TEST(bad_ports)
{
	static const u64 bad[] = { 0, PVHV_MAX_PORTS - 1, PVHV_MAX_PORTS, BIT(31), BIT(32), ~0UL };

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		check_eq(hc_event_send(bad[i]), -PVHV_ENOENT, "EVENT_SEND(%#lx)", bad[i]);
		check_eq(hc_event_close(bad[i]), -PVHV_ENOENT, "EVENT_CLOSE(%#lx)", bad[i]);
		check_eq(hc_event_unmask(bad[i]), -PVHV_ENOENT, "EVENT_UNMASK(%#lx)", bad[i]);
		check_eq(hc_event_bind_vcpu(bad[i], 0), -PVHV_ENOENT, "EVENT_BIND_VCPU(%#lx)", bad[i]);
	}
}

TEST(bad_vcpus)
{
	u32 a, b;

	if (!make_pair(&a, &b))
		return;
	check_eq(hc_event_bind_vcpu(a, 0), 0, "EVENT_BIND_VCPU to vCPU 0");
	check_eq(hc_event_bind_vcpu(a, 1), -PVHV_EINVAL, "EVENT_BIND_VCPU to vCPU 1");
	check_eq(hc_event_bind_vcpu(a, 63), -PVHV_EINVAL, "EVENT_BIND_VCPU to vCPU 63");
	check_eq(hc_event_bind_vcpu(a, ~0UL), -PVHV_EINVAL, "EVENT_BIND_VCPU to vCPU ~0");
	hc_event_close(a);
	hc_event_close(b);
}

TEST(all_ports)
{
	u64 n = 0, got[PVHV_EVENT_WORDS];
	u32 seen = 0;
	long p;

	while ((p = hc_event_alloc(start_info.domid)) > 0)
		n++;
	check_eq(p, -PVHV_ENOMEM, "one port too many");
	check_eq(n, PVHV_MAX_PORTS - 1, "ports");
	for (p = 1; p < PVHV_MAX_PORTS; p++)
		check_eq(hc_event_close(p), 0, "closing port %ld", p);

	/* pairs as far as they go, an event in each */
	collect(got);
	for (n = 0; n < PVHV_MAX_PORTS / 2 - 1; n++) {
		u32 a, b;

		if (!make_pair(&a, &b))
			return;
		hc_event_send(a);
	}
	collect(got);
	for (u32 i = 0; i < PVHV_EVENT_WORDS; i++)
		for (; got[i]; got[i] &= got[i] - 1)
			seen++;
	check_eq(seen, n, "events");
	for (p = 1; p < PVHV_MAX_PORTS; p++)
		hc_event_close(p);
}

TEST(garbage_in_the_page)
{
	u32 a, b;

	if (!make_pair(&a, &b))
		return;
	memset(&page, 0xff, sizeof(page));
	for (int i = 0; i < 100; i++) {
		hc_event_send(a);
		hc_event_unmask(b);
	}
	WRITE_ONCE(vp->event_sel, ~0UL);
	hc_event_send(b);
	memset(&page, 0, sizeof(page));
	WRITE_ONCE(vp->event_sel, 0);
	irq_enable();
	hc_event_send(a);
	check_eq(page.pending[b / 64] & BIT(b % 64), BIT(b % 64), "pending after the garbage");
	hc_event_close(a);
	hc_event_close(b);
}

/* Sending may be one of many; making may not: it sleeps. */
TEST(in_a_multicall)
{
	static struct pvhv_multicall calls[4] __page_aligned;
	u32 a, b;

	if (!make_pair(&a, &b))
		return;
	calls[0] = (struct pvhv_multicall) { .nr = PVHV_HC_EVENT_SEND, .args = { a } };
	calls[1] = (struct pvhv_multicall) { .nr = PVHV_HC_EVENT_ALLOC, .args = { start_info.domid } };
	calls[2] = (struct pvhv_multicall) { .nr = PVHV_HC_EVENT_CLOSE, .args = { b } };
	calls[3] = (struct pvhv_multicall) { .nr = PVHV_HC_EVENT_SEND, .args = { b } };
	check_eq(hc_multicall(gpa_of(calls), 4), 4, "MULTICALL");
	check_eq(calls[0].result, 0, "EVENT_SEND in it");
	check_eq(calls[1].result, -PVHV_EINVAL, "EVENT_ALLOC in it");
	check_eq(calls[2].result, 0, "EVENT_CLOSE in it");
	check_eq(calls[3].result, -PVHV_ENOENT, "EVENT_SEND through a closed end in it");
	hc_event_close(a);
}

/* The domain ends with ports open. */
TEST(left_open)
{
	u32 a, b;

	for (int i = 0; i < 50; i++)
		if (!make_pair(&a, &b))
			return;
}
