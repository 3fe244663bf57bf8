// SPDX-License-Identifier: GPL-2.0
/*
 * devices: the registry, as a frontend without manners sees it.
 *
 * disk: 1M
 */
#include "lib/guest.h"
#include "lib/split.h"

static struct pvhv_device_info list[PVHV_DEVICES_PER_LIST] __page_aligned;
static struct pvhv_device_side mine __page_aligned, theirs __page_aligned;

#define TIMEOUT	20000000000UL	/* ns */

static long publish(u64 id, u32 state)
{
	mine.state = state;
	return hc_device_publish(id, gpa_of(&mine));
}

static u32 backend_state(void)
{
	long n = hc_device_list(gpa_of(list));

	/* beside the console */
	for (long i = 0; i < n; i++) {
		if (list[i].class == PVHV_CLASS_BLOCK) {
			list[0] = list[i];
			return list[0].state;
		}
	}
	return 0;
}

static bool wait_backend(u32 state)
{
	for (u64 end = now() + TIMEOUT; now() < end; hc_yield())
		if (backend_state() == state)
			return true;
	fail("the backend is in state %u, not %u", backend_state(), state);
	return false;
}

TEST(one_device)
{
	if (!wait_backend(PVHV_DEV_INIT_WAIT))
		return;
	check_eq(list[0].class, PVHV_CLASS_BLOCK, "class");
	check_eq(list[0].index, 0, "index");
	check_eq(list[0].role, PVHV_ROLE_FRONTEND, "role");
	check_eq(list[0].peer, PVHV_DOMID_HOST, "peer");
	check_eq(list[0].flags, PVHV_DEV_ONLINE, "flags");
	check_eq(hc_device_read(list[0].id, gpa_of(&theirs)), 0, "DEVICE_READ");
	check_eq(theirs.state, PVHV_DEV_INIT_WAIT, "the other side's state");
	check_eq(theirs.generation, list[0].generation, "its generation");
	check(theirs.nr_props > 0 && theirs.nr_props <= PVHV_MAX_PROPS, "%u properties",
	      theirs.nr_props);
}

TEST(bad_pages)
{
	u32 id = list[0].id;

	check_eq(hc_device_list(gpa_of(list) + 8), -PVHV_EINVAL, "a list that is not aligned");
	check_eq(hc_device_list(1UL << 50), -PVHV_EFAULT, "a list that is no RAM");
	check_eq(hc_device_read(id, gpa_of(&theirs) + 8), -PVHV_EINVAL, "a read, not aligned");
	check_eq(hc_device_read(id, 1UL << 50), -PVHV_EFAULT, "a read to what is no RAM");
	check_eq(hc_device_publish(id, gpa_of(&mine) + 8), -PVHV_EINVAL, "publishing, not aligned");
	check_eq(hc_device_publish(id, 1UL << 50), -PVHV_EFAULT, "publishing what is no RAM");
}

TEST(bad_ids)
{
	const u64 bad[] = { 0, list[0].id + 1, list[0].id - 2, list[0].id | BIT(32), ~0UL };

	mine.nr_props = 0;
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		check_eq(hc_device_read(bad[i], gpa_of(&theirs)), -PVHV_ENOENT, "DEVICE_READ(%#lx)",
			 bad[i]);
		check_eq(publish(bad[i], PVHV_DEV_CLOSED), -PVHV_ENOENT, "DEVICE_PUBLISH(%#lx)", bad[i]);
	}
}

TEST(bad_publications)
{
	u32 id = list[0].id;

	mine.nr_props = 0;
	check_eq(publish(id, 0), -PVHV_EINVAL, "state 0");
	check_eq(publish(id, 7), -PVHV_EINVAL, "state 7");
	check_eq(publish(id, ~0U), -PVHV_EINVAL, "state ~0");
	check_eq(publish(id, PVHV_DEV_INIT_WAIT), -PVHV_EINVAL, "a backend's state");
	check_eq(publish(id, PVHV_DEV_CONNECTED), -PVHV_EINVAL, "a state too far");
	mine.nr_props = PVHV_MAX_PROPS + 1;
	check_eq(publish(id, PVHV_DEV_INITIALISING), -PVHV_EINVAL, "a property too many");
	mine.nr_props = ~0U;
	check_eq(publish(id, PVHV_DEV_INITIALISING), -PVHV_EINVAL, "~0 properties");
	mine.nr_props = 1;
	mine.props[0] = (struct pvhv_prop) { .key = 0 };
	check_eq(publish(id, PVHV_DEV_INITIALISING), -PVHV_EINVAL, "key 0");
	mine.props[0] = (struct pvhv_prop) { .key = 1, .reserved = 1 };
	check_eq(publish(id, PVHV_DEV_INITIALISING), -PVHV_EINVAL, "a reserved field");
	mine.nr_props = 2;
	mine.props[0] = (struct pvhv_prop) { .key = 1, .index = 3 };
	mine.props[1] = mine.props[0];
	check_eq(publish(id, PVHV_DEV_INITIALISING), -PVHV_EINVAL, "one property twice");
	mine.props[1].index = 4;
	check_eq(publish(id, PVHV_DEV_INITIALISING), 0, "two properties");
	mine.nr_props = PVHV_MAX_PROPS;
	for (u32 i = 0; i < PVHV_MAX_PROPS; i++)
		mine.props[i] = (struct pvhv_prop) { .key = 1000, .index = i, .value = i };
	check_eq(publish(id, PVHV_DEV_INITIALISING), 0, "all the properties that fit");
	mine.nr_props = 0;
	check_eq(publish(id, PVHV_DEV_INITIALISING), 0, "none");
}

/* The backend's answer comes with a cause and another generation. */
TEST(told_of_changes)
{
	u32 generation = list[0].generation;

	hc_get_causes();
	mine.nr_props = 0;
	check_eq(publish(list[0].id, PVHV_DEV_CLOSED), 0, "CLOSED");
	if (!wait_backend(PVHV_DEV_CLOSED))
		return;
	check(list[0].generation != generation, "the generation did not change");
	check(hc_get_causes() & PVHV_CAUSE_DEVICES, "no PVHV_CAUSE_DEVICES");
	check_eq(publish(list[0].id, PVHV_DEV_INITIALISING), 0, "INITIALISING");
	wait_backend(PVHV_DEV_INIT_WAIT);
}

/* A storm of them: the last one counts. */
TEST(many_publications)
{
	mine.nr_props = PVHV_MAX_PROPS;
	for (u32 i = 0; i < PVHV_MAX_PROPS; i++)
		mine.props[i] = (struct pvhv_prop) { .key = 1000, .index = i, .value = i };
	for (int i = 0; i < 2000; i++) {
		publish(list[0].id, PVHV_DEV_CLOSED);
		publish(list[0].id, PVHV_DEV_INITIALISING);
	}
	mine.nr_props = 0;
	publish(list[0].id, PVHV_DEV_CLOSED);
	if (wait_backend(PVHV_DEV_CLOSED)) {
		publish(list[0].id, PVHV_DEV_INITIALISING);
		wait_backend(PVHV_DEV_INIT_WAIT);
	}
}
