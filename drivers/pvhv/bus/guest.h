/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pvhv bus: what the files of a guest's transport share.
 */
#ifndef _PVHV_BUS_GUEST_H
#define _PVHV_BUS_GUEST_H

#include "bus.h"

/* guest-event.c */
int pvhv_guest_event_init(void);
struct pvhv_event *pvhv_guest_event_alloc(struct pvhv_device *dev, bool (*fn)(void *data),
					  void *data, unsigned int flags);
struct pvhv_event *pvhv_guest_event_bind(struct pvhv_device *dev, pvhv_port_t peer_port,
					 bool (*fn)(void *data), void *data,
					 unsigned int flags);
void pvhv_guest_event_close(struct pvhv_event *event);
void pvhv_guest_event_send(struct pvhv_event *event);
pvhv_port_t pvhv_guest_event_port(const struct pvhv_event *event);

/* guest-grant.c */
int pvhv_guest_grant_init(void);
pvhv_grant_t pvhv_guest_grant(struct pvhv_device *dev, struct page *page, bool readonly);
bool pvhv_guest_revoke(struct pvhv_device *dev, pvhv_grant_t ref);
void pvhv_guest_map(struct pvhv_device *dev, struct pvhv_map *maps, unsigned int nr,
		    bool atomic);
void pvhv_guest_unmap(struct pvhv_device *dev, struct pvhv_map *maps, unsigned int nr,
		      bool dirty);
void pvhv_guest_copy(struct pvhv_device *dev, struct pvhv_copy *copies, unsigned int nr,
		     bool atomic);

#endif /* _PVHV_BUS_GUEST_H */
