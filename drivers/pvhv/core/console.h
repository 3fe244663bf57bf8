/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A domain's console, as its backend on the bus uses it
 */
#ifndef _PVHV_CORE_CONSOLE_H
#define _PVHV_CORE_CONSOLE_H

#include <linux/types.h>

struct pvhv_console;

void pvhv_console_attach(struct pvhv_console *c, bool (*pump)(void *data), void *data);
void pvhv_console_detach(struct pvhv_console *c);
bool pvhv_console_put(struct pvhv_console *c, const u8 *buf, unsigned int n, bool last);
unsigned int pvhv_console_take(struct pvhv_console *c, u8 *buf, unsigned int n);

#endif /* _PVHV_CORE_CONSOLE_H */
