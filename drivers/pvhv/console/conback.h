/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PVHV_CONBACK_H
#define _PVHV_CONBACK_H

/* Part of pvhv.ko: a domain's console needs no other module */
int pvhv_conback_init(void);
void pvhv_conback_exit(void);

#endif /* _PVHV_CONBACK_H */
