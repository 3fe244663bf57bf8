/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test guests: event channels, grants and devices. Sparse's types are plain
 * numbers here.
 */
#ifndef _LIB_SPLIT_H
#define _LIB_SPLIT_H

#ifndef __bitwise
#define __bitwise
#endif
#ifndef __force
#define __force
#endif

#include <pvhv/blkif.h>
#include <pvhv/device.h>
#include <pvhv/event.h>
#include <pvhv/grant.h>
#include "hypercall.h"

#define hc_event_setup(gpa)		hypercall1(PVHV_HC_EVENT_SETUP, gpa)
#define hc_event_alloc(domid)		hypercall1(PVHV_HC_EVENT_ALLOC, domid)
#define hc_event_bind(domid, port)	hypercall2(PVHV_HC_EVENT_BIND, domid, port)
#define hc_event_close(port)		hypercall1(PVHV_HC_EVENT_CLOSE, port)
#define hc_event_send(port)		hypercall1(PVHV_HC_EVENT_SEND, port)
#define hc_event_unmask(port)		hypercall1(PVHV_HC_EVENT_UNMASK, port)
#define hc_event_bind_vcpu(port, vcpu)	hypercall2(PVHV_HC_EVENT_BIND_VCPU, port, vcpu)
#define hc_grant_setup(frame, gpa)	hypercall2(PVHV_HC_GRANT_SETUP, frame, gpa)
#define hc_grant_copy(gpa, count)	hypercall2(PVHV_HC_GRANT_COPY, gpa, count)
#define hc_device_list(gpa)		hypercall1(PVHV_HC_DEVICE_LIST, gpa)
#define hc_device_read(id, gpa)		hypercall2(PVHV_HC_DEVICE_READ, id, gpa)
#define hc_device_publish(id, gpa)	hypercall2(PVHV_HC_DEVICE_PUBLISH, id, gpa)

#endif
