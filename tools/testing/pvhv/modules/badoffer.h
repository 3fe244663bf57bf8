/* SPDX-License-Identifier: GPL-2.0 */
/* What the bad backends share. */
#ifndef _BADOFFER_H
#define _BADOFFER_H

#include <linux/err.h>
#include <linux/slab.h>

#include <pvhv/bus.h>

/* To say CONNECTED is then about what is offered, or about what was offered @before that. */
static inline int badoffer_take(struct pvhv_device *dev, unsigned int before)
{
	struct pvhv_props *props = pvhv_read_peer(dev, NULL);

	if (IS_ERR(props))
		return PTR_ERR(props);
	pvhv_offer_take(dev, props);
	dev->offer -= before;
	kfree(props);
	return 0;
}

#endif /* _BADOFFER_H */
