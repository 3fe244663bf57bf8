// SPDX-License-Identifier: GPL-2.0
/*
 * What a side of a device may publish. No state of the host's in here, so that
 * KUnit can try all of it.
 */
#include <linux/bits.h>
#include <linux/kernel.h>

#include <pvhv/device.h>
#include "registry_check.h"

#define TO(state)	BIT(PVHV_DEV_##state)

/*
 * Legal jumps, by role and state: see the table in <pvhv/device.h>. A side may
 * always publish its state again, and CLOSED at any time.
 */
static const u8 jumps[2][PVHV_DEV_CLOSED + 1] = {
	[PVHV_ROLE_FRONTEND] = {
		[PVHV_DEV_INITIALISING]	= TO(INITIALISED) | TO(CLOSING),
		[PVHV_DEV_INITIALISED]	= TO(CONNECTED) | TO(CLOSING),
		[PVHV_DEV_CONNECTED]	= TO(CLOSING),
		[PVHV_DEV_CLOSED]	= TO(INITIALISING),
	},
	[PVHV_ROLE_BACKEND] = {
		[PVHV_DEV_INITIALISING]	= TO(INIT_WAIT) | TO(CLOSING),
		[PVHV_DEV_INIT_WAIT]	= TO(CONNECTED) | TO(CLOSING),
		[PVHV_DEV_CONNECTED]	= TO(CLOSING),
		[PVHV_DEV_CLOSED]	= TO(INITIALISING) | TO(INIT_WAIT),
	},
};

/**
 * pvhv_state_jump_ok - may a side go from one state to another
 * @role:	PVHV_ROLE_xxx
 * @from:	PVHV_DEV_xxx, known to be good
 * @to:		anything
 */
bool pvhv_state_jump_ok(u32 role, u32 from, u32 to)
{
	if (to < PVHV_DEV_INITIALISING || to > PVHV_DEV_CLOSED)
		return false;
	return to == from || to == PVHV_DEV_CLOSED || jumps[role][from] & BIT(to);
}

/**
 * pvhv_props_ok - is this a list of properties
 * @props:	what somebody wants to publish, in memory that nobody else changes
 * @nr:		how many, anything
 */
bool pvhv_props_ok(const struct pvhv_prop *props, u32 nr)
{
	u32 i, j;

	if (nr > PVHV_MAX_PROPS)
		return false;
	for (i = 0; i < nr; i++) {
		if (!props[i].key || props[i].reserved)
			return false;
		/* 32,000 comparisons at the very most, and the publisher pays */
		for (j = 0; j < i; j++)
			if (props[j].key == props[i].key && props[j].index == props[i].index)
				return false;
	}
	return true;
}
