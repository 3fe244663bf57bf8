// SPDX-License-Identifier: GPL-2.0
/* Test guests: a frontend, see frontend.h. */
#include "frontend.h"

static struct pvhv_event_page event_page __page_aligned;
struct pvhv_grant_entry grants[PVHV_GRANTS_PER_FRAME] __page_aligned;
static struct pvhv_device_info infos[PVHV_DEVICES_PER_LIST] __page_aligned;
struct pvhv_device_side mine __page_aligned, theirs __page_aligned;
static u32 device, device_class;

bool find_device(u32 class)
{
	const struct pvhv_device_info *i;

	check_eq(hc_event_setup(gpa_of(&event_page)), 0, "EVENT_SETUP");
	check_eq(hc_grant_setup(0, gpa_of(grants)), 0, "GRANT_SETUP");
	device_class = class;
	i = info();
	if (!check(i, "no device of class %u", class))
		return false;
	device = i->id;
	return true;
}

void grant(u32 ref, u64 gfn, u32 flags)
{
	grants[ref].domid = PVHV_DOMID_HOST;
	grants[ref].gfn = gfn;
	WRITE_ONCE(grants[ref].control, flags);
}

const struct pvhv_device_info *info(void)
{
	long n = hc_device_list(gpa_of(infos));

	for (long i = 0; i < n; i++)
		if (infos[i].class == device_class)
			return &infos[i];
	return NULL;
}

bool wait_state(u32 state)
{
	u64 end = now() + TIMEOUT;
	const struct pvhv_device_info *i;

	do {
		i = info();
		if (i && i->state == state)
			return true;
		hc_yield();
	} while (now() < end);
	fail("the backend is in state %u, not %u", i ? i->state : 0, state);
	return false;
}

long publish(u32 state)
{
	mine.state = state;
	return hc_device_publish(device, gpa_of(&mine));
}

bool read_peer(void)
{
	return check_eq(hc_device_read(device, gpa_of(&theirs)), 0, "DEVICE_READ");
}

bool reopen(void)
{
	mine.nr_props = 0;
	publish(PVHV_DEV_CLOSED);
	if (!wait_state(PVHV_DEV_CLOSED))
		return false;
	publish(PVHV_DEV_INITIALISING);
	return wait_state(PVHV_DEV_INIT_WAIT);
}

void prop(u16 key, u16 index, u64 value)
{
	mine.props[mine.nr_props++] = (struct pvhv_prop) {
		.key = key, .index = index, .value = value,
	};
}

void set_prop(u16 key, u16 index, u64 value)
{
	for (u32 i = 0; i < mine.nr_props; i++)
		if (mine.props[i].key == key && mine.props[i].index == index)
			mine.props[i].value = value;
}

/* Each offer has a number of its own, of more than 32 bits. */
static u64 offered;

void offer_number(void)
{
	offered += 0x100000001;
	prop(PVHV_PROP_OFFER, 0, offered);
}

bool connect_offer(void)
{
	u64 taken = 0;

	check_eq(publish(PVHV_DEV_INITIALISED), 0, "publishing INITIALISED");
	if (!wait_state(PVHV_DEV_CONNECTED) || !read_peer())
		return false;
	for (u32 i = 0; i < theirs.nr_props; i++)
		if (theirs.props[i].key == PVHV_PROP_OFFER)
			taken = theirs.props[i].value;
	check_eq(taken, offered, "the offer that was taken");
	check_eq(publish(PVHV_DEV_CONNECTED), 0, "publishing CONNECTED");
	return true;
}

void offer_area(struct area *a, u32 n, u32 request_size, u32 response_size)
{
	struct pvhv_ring_layout l = pvhv_ring_layout(PAGES, request_size, response_size);

	memset(a->area, 0, sizeof(a->area));
	pvhv_ring_init(&a->requests, a->area + PVHV_RING_REQUEST_HEADER, a->area + l.requests, l.nr,
		       request_size);
	pvhv_ring_init(&a->responses, a->area + PVHV_RING_RESPONSE_HEADER, a->area + l.responses,
		       l.nr, response_size);
	if (a->port)
		hc_event_close(a->port);
	a->port = hc_event_alloc(PVHV_DOMID_HOST);
	for (u32 i = 0; i < PAGES; i++) {
		grant(RING_REF(n, i), gpa_of(a->area + i * PAGE_SIZE) >> 12, PVHV_GRANT_PERMIT);
		prop(PVHV_PROP_RING_REF, n * 16 + i, RING_REF(n, i));
	}
	prop(PVHV_PROP_PORT, n, a->port);
}

void push(struct area *a)
{
	if (pvhv_ring_push(&a->requests))
		hc_event_send(a->port);
}

bool get(struct area *a, void *response)
{
	u64 end = now() + TIMEOUT;

	while (!pvhv_ring_items(&a->responses)) {
		if (now() > end || a->responses.broken)
			return false;
		hc_yield();
	}
	pvhv_ring_get(&a->responses, response, a->responses.size);
	if (pvhv_ring_pull(&a->responses))
		hc_event_send(a->port);
	return true;
}

u32 random_below(u32 n)
{
	static u64 seed = 777;

	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (seed >> 33) % n;
}
