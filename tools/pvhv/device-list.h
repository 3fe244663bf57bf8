/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Printing what a launcher answers to "disks" and "nets".
 */
#ifndef PVHV_TOOL_DEVICE_LIST_H
#define PVHV_TOOL_DEVICE_LIST_H

#include "client.h"

/* An array, without a newline behind it */
void device_list_json(const struct answer *a);
/* With a headline */
void device_list_table(const struct answer *a, bool is_disk);

#endif
