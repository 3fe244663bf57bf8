/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pvhv bus: what its files share.
 *
 *	bus.c		the bus: devices, drivers, when a driver is called
 *	client.c	helpers for drivers: properties, ring areas
 *	host.c		the host's transport: calls into the core
 *	guest.c		a guest's transport: the registry by hypercalls, start-up
 *	guest-event.c	... event channels as Linux interrupts
 *	guest-grant.c	... the grant table, copies
 *
 * A kernel has bus.c, client.c and one of the transports.
 */
#ifndef _PVHV_BUS_INTERNAL_H
#define _PVHV_BUS_INTERNAL_H

#include <pvhv/bus.h>

extern struct bus_type pvhv_bus;

/* Called by whoever brings the transport, before and after all use of it */
int pvhv_bus_init(void);
void pvhv_bus_exit(void);
void pvhv_bus_flush(void);

void pvhv_client_exit(void);

#endif /* _PVHV_BUS_INTERNAL_H */
