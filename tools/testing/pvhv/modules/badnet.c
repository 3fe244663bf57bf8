// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv-badnet: states and properties. It binds to network devices while pvhv-netback is not
 * loaded.
 */
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "badnet.h"
#include "badoffer.h"

static int state_set(const char *text, const struct kernel_param *kp);
static const struct kernel_param_ops state_ops = { .set = state_set };
module_param_cb(state, &state_ops, NULL, 0200);
MODULE_PARM_DESC(state, "PVHV_DEV_xxx to be published for all devices, whatever it does to them");

static bool absent;
module_param(absent, bool, 0644);
MODULE_PARM_DESC(absent, "say that it is connected, and use nothing");

/* Properties: any number */
static ulong mac = 0x020000000002, mtu = 9000, queues = 2, pages = 4, features = ~0UL, linked = 1;
module_param(mac, ulong, 0644);
MODULE_PARM_DESC(mac, "address of the guest's interface, first byte lowest");
module_param(mtu, ulong, 0644);
MODULE_PARM_DESC(mtu, "largest packet");
module_param(queues, ulong, 0644);
MODULE_PARM_DESC(queues, "queue pairs at most");
module_param(pages, ulong, 0644);
MODULE_PARM_DESC(pages, "pages of a ring area at most");
module_param(features, ulong, 0644);
MODULE_PARM_DESC(features, "PVHV_NET_F_xxx");
module_param(linked, ulong, 0644);
MODULE_PARM_DESC(linked, "carrier");

static uint stale;
module_param(stale, uint, 0644);
MODULE_PARM_DESC(stale, "so many times CONNECTED is about another offer");

LIST_HEAD(badnet_devices);
DEFINE_MUTEX(badnet_devices_lock);	/* the list */

/* ---- states; under b->control ---- */

static int badnet_publish(struct badnet *b, u32 state)
{
	struct pvhv_props *props = pvhv_props_alloc();
	int err;

	if (!props)
		return -ENOMEM;
	pvhv_prop_add(props, PVHV_PROP_NR_QUEUES, 0, READ_ONCE(queues));
	pvhv_prop_add(props, PVHV_PROP_RING_PAGES, 0, READ_ONCE(pages));
	pvhv_prop_add(props, PVHV_NET_FEATURES, 0, READ_ONCE(features));
	pvhv_prop_add(props, PVHV_NET_LINK, 0, READ_ONCE(linked));
	pvhv_prop_add(props, PVHV_NET_MAC, 0, READ_ONCE(mac));
	pvhv_prop_add(props, PVHV_NET_MTU, 0, READ_ONCE(mtu));
	pvhv_prop_add(props, PVHV_PROP_PORT, 0, ~0ULL);
	pvhv_prop_add(props, 999, 999, ~0ULL);
	pvhv_offer_say(b->dev, props);
	err = pvhv_publish(b->dev, state, props);
	kfree(props);
	return err;
}

static void disconnect(struct badnet *b)
{
	unsigned int i;

	mutex_lock(&b->lock);
	b->nr_queues = 0;
	mutex_unlock(&b->lock);
	for (i = 0; i < MAX_QUEUES; i++) {
		pvhv_area_destroy(&b->q[i].tx_area);
		pvhv_area_destroy(&b->q[i].rx_area);
	}
}

static int accept_queue(struct badnet_queue *q, unsigned int i, const struct pvhv_props *props)
{
	struct pvhv_device *dev = q->b->dev;
	int err;

	err = pvhv_area_accept(&q->tx_area, dev, 2 * i, props, badnet_event, q, 0);
	if (!err)
		err = pvhv_area_accept(&q->rx_area, dev, 2 * i + 1, props, badnet_event, q, 0);
	if (err)
		return err;
	badnet_rings_init(q);
	return 0;
}

static void connect(struct badnet *b)
{
	struct pvhv_props *props = pvhv_read_peer(b->dev, NULL);
	unsigned int nr, i;

	if (IS_ERR(props))
		return;
	/* It may have begun anew unseen. */
	disconnect(b);
	pvhv_offer_take(b->dev, props);
	nr = min_t(u64, pvhv_prop_get(props, PVHV_PROP_NR_QUEUES, 0, 1), MAX_QUEUES);
	for (i = 0; i < nr; i++)
		if (accept_queue(&b->q[i], i, props))
			break;
	kfree(props);
	if (i < nr) {
		disconnect(b);
		return;
	}
	mutex_lock(&b->lock);
	b->nr_queues = nr;
	mutex_unlock(&b->lock);
	badnet_publish(b, PVHV_DEV_CONNECTED);
	for (i = 0; i < nr; i++)
		badnet_event(&b->q[i]);
}

/* Say that it is connected, to what is offered or to what was offered @before that. */
static int pretend(struct badnet *b, unsigned int before)
{
	return badoffer_take(b->dev, before) ?: badnet_publish(b, PVHV_DEV_CONNECTED);
}

/* What this side has to say to the other's state. Called with b->control */
static void badnet_answer(struct badnet *b)
{
	struct pvhv_device *dev = b->dev;

	switch (dev->peer_state) {
	case PVHV_DEV_INITIALISING:
		disconnect(b);
		if (dev->state == PVHV_DEV_CONNECTED)
			pvhv_publish(dev, PVHV_DEV_CLOSED, NULL);
		if (dev->state == PVHV_DEV_CLOSED)
			badnet_publish(b, PVHV_DEV_INIT_WAIT);
		break;
	case PVHV_DEV_INITIALISED:
		if (dev->state != PVHV_DEV_INIT_WAIT)
			break;
		if (READ_ONCE(stale)) {
			if (!pretend(b, 1))
				WRITE_ONCE(stale, stale - 1);
		} else if (READ_ONCE(absent)) {
			pretend(b, 0);
		} else {
			connect(b);
		}
		break;
	case PVHV_DEV_CLOSING:
	case PVHV_DEV_CLOSED:
		disconnect(b);
		if (dev->state != PVHV_DEV_CLOSED)
			badnet_publish(b, PVHV_DEV_CLOSED);
		break;
	}
	if (!(dev->flags & PVHV_DEV_ONLINE) && dev->state == PVHV_DEV_CONNECTED)
		badnet_publish(b, PVHV_DEV_CLOSING);
}

static void badnet_changed(struct pvhv_device *dev)
{
	struct badnet *b = dev_get_drvdata(&dev->dev);

	mutex_lock(&b->control);
	badnet_answer(b);
	mutex_unlock(&b->control);
}

static int state_set(const char *text, const struct kernel_param *kp)
{
	struct badnet *b;
	u32 state;
	int err = kstrtou32(text, 0, &state);

	if (err)
		return err;
	mutex_lock(&badnet_devices_lock);
	list_for_each_entry(b, &badnet_devices, list) {
		mutex_lock(&b->control);
		err = state == PVHV_DEV_CONNECTED ? pretend(b, 0) : badnet_publish(b, state);
		/* A frontend that is INITIALISING already will not say so again. */
		if (!err && state == PVHV_DEV_CLOSED)
			badnet_answer(b);
		mutex_unlock(&b->control);
	}
	mutex_unlock(&badnet_devices_lock);
	return err;
}

/* ---- an interface for the launcher, which is of no use ---- */

static netdev_tx_t badnet_xmit(struct sk_buff *skb, struct net_device *ndev)
{
	dev_kfree_skb_any(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops badnet_ops = { .ndo_start_xmit = badnet_xmit };

static int add_interface(struct badnet *b)
{
	const struct pvhv_device_config *config = b->dev->config;
	char name[IFNAMSIZ];
	int err;

	if (config->ifname[0])
		strscpy(name, config->ifname, sizeof(name));
	else
		snprintf(name, sizeof(name), "vif%u.%u", (__force u32)b->dev->peer, b->dev->index);
	b->ndev = alloc_netdev(0, name, NET_NAME_USER, ether_setup);
	if (!b->ndev)
		return -ENOMEM;
	b->ndev->netdev_ops = &badnet_ops;
	eth_hw_addr_random(b->ndev);
	err = register_netdev(b->ndev);
	if (err)
		free_netdev(b->ndev);
	return err;
}

/* ---- coming and going ---- */

static int badnet_probe(struct pvhv_device *dev)
{
	struct badnet *b = kvzalloc(sizeof(*b), GFP_KERNEL);
	unsigned int i;
	int err = -ENOMEM;

	if (!b)
		return -ENOMEM;
	b->dev = dev;
	mutex_init(&b->control);
	mutex_init(&b->lock);
	for (i = 0; i < MAX_QUEUES; i++)
		b->q[i].b = b;
	b->frame = alloc_pages_exact(FRAME_LEN, GFP_KERNEL | __GFP_ZERO);
	if (!b->frame)
		goto free;
	err = add_interface(b);
	if (err)
		goto frame;
	dev_set_drvdata(&dev->dev, b);
	err = badnet_publish(b, PVHV_DEV_INIT_WAIT);
	if (err)
		goto interface;
	mutex_lock(&badnet_devices_lock);
	list_add_tail(&b->list, &badnet_devices);
	mutex_unlock(&badnet_devices_lock);
	return 0;
interface:
	unregister_netdev(b->ndev);
	free_netdev(b->ndev);
frame:
	free_pages_exact(b->frame, FRAME_LEN);
free:
	kvfree(b);
	return err;
}

/* As a backend that dies: the frontend hears of it from the bus. */
static void badnet_remove(struct pvhv_device *dev)
{
	struct badnet *b = dev_get_drvdata(&dev->dev);

	mutex_lock(&badnet_devices_lock);
	list_del(&b->list);
	badnet_guess_end(dev);
	mutex_unlock(&badnet_devices_lock);
	disconnect(b);
	unregister_netdev(b->ndev);
	free_netdev(b->ndev);
	free_pages_exact(b->frame, FRAME_LEN);
	kvfree(b);
}

static struct pvhv_driver badnet_driver = {
	.driver = {
		.name = "pvhv-badnet",
	},
	.class = PVHV_CLASS_NET,
	.role = PVHV_ROLE_BACKEND,
	.probe = badnet_probe,
	.changed = badnet_changed,
	.remove = badnet_remove,
};

static int __init badnet_init(void)
{
	return pvhv_register_driver(&badnet_driver);
}
module_init(badnet_init);

static void __exit badnet_exit(void)
{
	pvhv_unregister_driver(&badnet_driver);
	badnet_drop_kept();
}
module_exit(badnet_exit);

MODULE_DESCRIPTION("pvhv: a network backend that breaks the rules, for tests");
MODULE_LICENSE("GPL");
