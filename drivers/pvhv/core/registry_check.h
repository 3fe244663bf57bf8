/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a side of a device may publish
 */
#ifndef _PVHV_REGISTRY_CHECK_H
#define _PVHV_REGISTRY_CHECK_H

#include <pvhv/device.h>

bool pvhv_state_jump_ok(u32 role, u32 from, u32 to);
bool pvhv_props_ok(const struct pvhv_prop *props, u32 nr);

#endif /* _PVHV_REGISTRY_CHECK_H */
