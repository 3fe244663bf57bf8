/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * pvhv: event channels, as a guest sees them.
 *
 * A channel has two ends, each a *port* of its domain. Sending through one
 * makes the other *pending*: one bit, so any number of sends before it is seen
 * are one. The guest registers one page for its domain with PVHV_HC_EVENT_SETUP.
 *
 * Ports are marked in two levels: pending[] by port, and per vCPU the word
 * PVHV_VP_EVENT_SEL of the vCPU page, whose bit i says "look at pending[i]".
 *
 * 1. The sender sets the pending bit. If it was set before, or the port is
 *    masked, that is all.
 * 2. Else it sets the bit of EVENT_SEL of the port's vCPU and raises
 *    PVHV_VECTOR_EVENT there. The bit is there when the vector arrives, not before.
 * 3. The receiver takes EVENT_SEL by exchange with 0, then looks at
 *    pending[i] & ~mask[i], and clears a pending bit *before* it acts on it:
 *    what comes later is a new event.
 * 4. To unmask, clear the mask bit by an atomic operation, then test the pending
 *    bit; if it is set, PVHV_HC_EVENT_UNMASK does step 2.
 *
 * Masks are the guest's, the hypervisor only reads them. All operations on
 * these words are atomic; the hypervisor believes nothing that it reads here,
 * and a guest that writes nonsense loses its own events.
 *
 * There are no other kinds of ports: interrupts between the vCPUs of a domain are
 * PVHV_HC_SEND_IPI, what the hypervisor itself has to say is PVHV_HC_GET_CAUSES
 * and PVHV_VECTOR_TIMER.
 */
#ifndef _PVHV_EVENT_H
#define _PVHV_EVENT_H

#include <pvhv/types.h>

#define PVHV_EVENT_WORDS	16
#define PVHV_MAX_PORTS		(PVHV_EVENT_WORDS * 64)

/**
 * struct pvhv_event_page - argument of PVHV_HC_EVENT_SETUP, zeroed by the guest
 * @pending:	bit p of word p / 64: port p
 * @mask:	likewise: do not tell me now
 * @reserved:	0
 */
struct pvhv_event_page {
	__u64 pending[PVHV_EVENT_WORDS];
	__u64 mask[PVHV_EVENT_WORDS];
	__u64 reserved[512 - 2 * PVHV_EVENT_WORDS];
};

_Static_assert(sizeof(struct pvhv_event_page) == 4096, "event page");

#endif /* _PVHV_EVENT_H */
