// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv-netback: the control path. States, the network device, ethtool.
 *
 * The interface lives as long as the device is on the bus; the frontend comes and goes,
 * which is its carrier. Whether it is up here is the link state of the guest.
 */
#include <linux/ethtool.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/vmalloc.h>

#include <net/net_namespace.h>

#include "netback.h"

static unsigned int max_queues;
module_param(max_queues, uint, 0644);
MODULE_PARM_DESC(max_queues,
		 "Queue pairs of an interface at most; 0: as asked for, or one for each CPU");

static const char * const state_names[] = {
	[PVHV_DEV_INITIALISING] = "initialising",
	[PVHV_DEV_INIT_WAIT] = "waiting",
	[PVHV_DEV_INITIALISED] = "initialised",
	[PVHV_DEV_CONNECTED] = "connected",
	[PVHV_DEV_CLOSING] = "closing",
	[PVHV_DEV_CLOSED] = "closed",
};

/* ---- net_device ---- */

/* Up or down here is the guest's link. Under the RTNL, so the publication is the worker's */
static int netback_open(struct net_device *ndev)
{
	struct netback *nb = netdev_priv(ndev);

	mod_delayed_work(nb->pdev->wq, &nb->work, 0);
	return 0;
}

/* Under the RTNL as well */
static int netback_change_mtu(struct net_device *ndev, int mtu)
{
	struct netback *nb = netdev_priv(ndev);

	WRITE_ONCE(ndev->mtu, mtu);
	mod_delayed_work(nb->pdev->wq, &nb->work, 0);
	return 0;
}

static netdev_features_t netback_fix_features(struct net_device *ndev, netdev_features_t features)
{
	struct netback *nb = netdev_priv(ndev);

	return pvhv_net_fix_features(features, READ_ONCE(nb->features));
}

static void netback_get_stats64(struct net_device *ndev, struct rtnl_link_stats64 *s)
{
	struct netback *nb = netdev_priv(ndev);
	unsigned int i;

	for (i = 0; i < nb->max_queues; i++) {
		const struct netback_stats *q = &nb->queues[i].stats;

		s->rx_packets += READ_ONCE(q->tx_packets);
		s->rx_bytes += READ_ONCE(q->tx_bytes);
		s->rx_errors += READ_ONCE(q->tx_invalid);
		s->rx_dropped += READ_ONCE(q->tx_dropped);
		s->tx_packets += READ_ONCE(q->rx_packets);
		s->tx_bytes += READ_ONCE(q->rx_bytes);
		s->tx_errors += READ_ONCE(q->rx_invalid);
		s->tx_dropped += READ_ONCE(q->rx_dropped);
	}
}

static const struct net_device_ops netback_ops = {
	.ndo_open		= netback_open,
	.ndo_stop		= netback_open,
	.ndo_start_xmit		= netback_start_xmit,
	.ndo_features_check	= pvhv_net_features_check,
	.ndo_change_mtu		= netback_change_mtu,
	.ndo_fix_features	= netback_fix_features,
	.ndo_get_stats64	= netback_get_stats64,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
};

/* ---- ethtool ---- */

#define STAT(name) { #name, offsetof(struct netback_stats, name) }
static const struct {
	char name[ETH_GSTRING_LEN];
	size_t offset;
} netback_stat[] = {
	STAT(tx_zerocopy), STAT(tx_orphaned), STAT(tx_invalid), STAT(tx_dropped),
	STAT(tx_events), STAT(tx_notified), STAT(tx_waited), STAT(rx_dropped), STAT(rx_deferred),
	STAT(rx_invalid), STAT(rx_stopped), STAT(rx_stalled), STAT(rx_events), STAT(rx_notified),
	STAT(tx_packets), STAT(rx_packets),
};

static void netback_get_drvinfo(struct net_device *ndev, struct ethtool_drvinfo *info)
{
	struct netback *nb = netdev_priv(ndev);

	strscpy(info->driver, "pvhv-netback", sizeof(info->driver));
	strscpy(info->bus_info, dev_name(&nb->pdev->dev), sizeof(info->bus_info));
	/* ethtool shows this in a line of its own */
	snprintf(info->erom_version, sizeof(info->erom_version), "%s",
		 nb->broken ?: state_names[nb->state]);
}

static int netback_get_sset_count(struct net_device *ndev, int set)
{
	struct netback *nb = netdev_priv(ndev);

	return set == ETH_SS_STATS ? nb->max_queues * ARRAY_SIZE(netback_stat) : -EOPNOTSUPP;
}

static void netback_get_strings(struct net_device *ndev, u32 set, u8 *data)
{
	struct netback *nb = netdev_priv(ndev);
	unsigned int i, k;

	if (set != ETH_SS_STATS)
		return;
	for (i = 0; i < nb->max_queues; i++)
		for (k = 0; k < ARRAY_SIZE(netback_stat); k++)
			ethtool_sprintf(&data, "queue%u_%s", i, netback_stat[k].name);
}

static void netback_get_ethtool_stats(struct net_device *ndev, struct ethtool_stats *stats,
				      u64 *data)
{
	struct netback *nb = netdev_priv(ndev);
	unsigned int i, k;

	for (i = 0; i < nb->max_queues; i++)
		for (k = 0; k < ARRAY_SIZE(netback_stat); k++)
			*data++ = READ_ONCE(*(const u64 *)((char *)&nb->queues[i].stats +
							   netback_stat[k].offset));
}

static void netback_get_channels(struct net_device *ndev, struct ethtool_channels *ch)
{
	struct netback *nb = netdev_priv(ndev);

	ch->max_combined = nb->max_queues;
	ch->combined_count = nb->nr_queues;
}

static const struct ethtool_ops netback_ethtool_ops = {
	.get_drvinfo		= netback_get_drvinfo,
	.get_link		= ethtool_op_get_link,
	.get_ts_info		= ethtool_op_get_ts_info,
	.get_sset_count		= netback_get_sset_count,
	.get_strings		= netback_get_strings,
	.get_ethtool_stats	= netback_get_ethtool_stats,
	.get_channels		= netback_get_channels,
};

/* ---- states; all under nb->lock ---- */

static int publish(struct netback *nb, u32 state)
{
	struct pvhv_props *p = pvhv_props_alloc();
	unsigned int mtu = READ_ONCE(nb->ndev->mtu);
	bool link = netif_running(nb->ndev);
	int err;

	if (!p)
		return -ENOMEM;
	pvhv_prop_add(p, PVHV_PROP_NR_QUEUES, 0, nb->max_queues);
	pvhv_prop_add(p, PVHV_PROP_RING_PAGES, 0, PVHV_MAX_RING_PAGES);
	pvhv_prop_add(p, PVHV_NET_FEATURES, 0, PVHV_NET_ALL_FEATURES);
	pvhv_prop_add(p, PVHV_NET_LINK, 0, link);
	pvhv_prop_add(p, PVHV_NET_MAC, 0, pvhv_net_mac_to_prop(nb->pdev->config->mac));
	pvhv_prop_add(p, PVHV_NET_MTU, 0, mtu);
	pvhv_offer_say(nb->pdev, p);
	err = pvhv_publish(nb->pdev, state, p);
	kfree(p);
	if (err)
		return err;
	nb->state = state;
	nb->link = link;
	nb->mtu = mtu;
	return 0;
}

static void disconnect(struct netback *nb)
{
	unsigned int i;

	for (i = 0; i < nb->nr_queues; i++)
		netback_rx_stop(&nb->queues[i]);
	netif_carrier_off(nb->ndev);
	for (i = 0; i < nb->nr_queues; i++) {
		netback_tx_stop(&nb->queues[i]);
		pvhv_area_destroy(&nb->queues[i].rx_area);
		pvhv_area_destroy(&nb->queues[i].tx_area);
	}
	nb->nr_queues = 0;
}

static int accept_queue(struct netback *nb, struct netback_queue *q, const struct pvhv_props *p)
{
	int err;

	err = pvhv_area_accept(&q->tx_area, nb->pdev, 2 * q->index, p, netback_tx_event, q, 0);
	if (err)
		return err;
	err = pvhv_area_accept(&q->rx_area, nb->pdev, 2 * q->index + 1, p, netback_rx_event, q, 0);
	if (err)
		goto destroy_tx;
	pvhv_net_tx_rings_init(&q->tx, &q->tx_area);
	pvhv_net_rx_rings_init(&q->rx, &q->rx_area);
	err = -ESTALE;
	if (!pvhv_ring_unused(&q->tx.req, &q->tx.rsp) || !pvhv_ring_unused(&q->rx.req, &q->rx.rsp))
		goto destroy_rx;
	q->tx_promised = 0;
	return 0;

destroy_rx:
	pvhv_area_destroy(&q->rx_area);
destroy_tx:
	pvhv_area_destroy(&q->tx_area);
	return err;
}

static int connect(struct netback *nb)
{
	struct pvhv_props *p;
	unsigned int i, n;
	u32 state;
	int err;
	u64 nr;

	p = pvhv_read_peer(nb->pdev, &state);
	if (IS_ERR(p))
		return PTR_ERR(p);
	err = -EAGAIN;
	if (state != PVHV_DEV_INITIALISED)
		goto out;	/* there will be news */
	err = -EINVAL;
	nr = pvhv_prop_get(p, PVHV_PROP_NR_QUEUES, 0, 1);
	if (!nr || nr > nb->max_queues)
		goto out;

	pvhv_offer_take(nb->pdev, p);
	nb->broken = NULL;
	atomic_set(&nb->nr_stalled, 0);
	for (i = 0; i < nr; i++) {
		err = accept_queue(nb, &nb->queues[i], p);
		if (err)
			goto out_queues;
	}
	rtnl_lock();
	WRITE_ONCE(nb->features, pvhv_prop_get(p, PVHV_NET_FEATURES, 0, 0));
	netdev_update_features(nb->ndev);
	err = netif_set_real_num_tx_queues(nb->ndev, nr) ?:
		netif_set_real_num_rx_queues(nb->ndev, nr);
	rtnl_unlock();
	if (err)
		goto out_queues;

	nb->nr_queues = nr;
	for (i = 0; i < nr; i++) {
		struct netback_queue *q = &nb->queues[i];

		netback_tx_start(q);
		/* The frontend's events before this were lost: at most a ring full. */
		for (n = 0; n < q->tx.req.nr && netback_tx_event(q); n++)
			cond_resched();
		netback_rx_start(q);
	}
	err = publish(nb, PVHV_DEV_CONNECTED);
	if (err) {
		disconnect(nb);
		goto out;
	}
	netif_carrier_on(nb->ndev);
	goto out;

out_queues:
	while (i--) {
		pvhv_area_destroy(&nb->queues[i].rx_area);
		pvhv_area_destroy(&nb->queues[i].tx_area);
	}
out:
	kfree(p);
	return err;
}

static void close_device(struct netback *nb, u32 state)
{
	disconnect(nb);
	if (nb->state != state)
		publish(nb, state);
}

static void netback_changed(struct pvhv_device *pdev)
{
	struct netback *nb = dev_get_drvdata(&pdev->dev);
	int err;

	mutex_lock(&nb->lock);
	if (pdev->flags & PVHV_DEV_PEER_DEAD) {
		close_device(nb, PVHV_DEV_CLOSED);
		goto out;
	}
	if (!(pdev->flags & PVHV_DEV_ONLINE) && nb->state != PVHV_DEV_CLOSED &&
	    nb->state != PVHV_DEV_CLOSING)
		publish(nb, PVHV_DEV_CLOSING);

	switch (pdev->peer_state) {
	case PVHV_DEV_INITIALISING:
		/* A frontend that starts, maybe once more */
		nb->stale = 0;
		if (!(pdev->flags & PVHV_DEV_ONLINE)) {
			close_device(nb, PVHV_DEV_CLOSED);
		} else if (nb->state != PVHV_DEV_INIT_WAIT) {
			if (nb->nr_queues || nb->state == PVHV_DEV_CLOSING)
				close_device(nb, PVHV_DEV_CLOSED);
			publish(nb, PVHV_DEV_INIT_WAIT);
		}
		break;
	case PVHV_DEV_INITIALISED:
		/* What was offered to an earlier backend is not for us. */
		if (nb->state != PVHV_DEV_INIT_WAIT || pdev->generation == nb->stale)
			break;
		err = connect(nb);
		if (err && err != -EAGAIN) {
			/* A guest can do this as often as it likes. */
			if (net_ratelimit())
				netdev_warn(nb->ndev, "cannot connect to the frontend: %d\n", err);
			publish(nb, PVHV_DEV_CLOSING);
		}
		break;
	case PVHV_DEV_CONNECTED:
		break;
	case PVHV_DEV_CLOSING:
	case PVHV_DEV_CLOSED:
		nb->stale = 0;
		/* Not before: INIT_WAIT is for who comes, and nobody may have been there yet. */
		if (nb->state != PVHV_DEV_INIT_WAIT || !(pdev->flags & PVHV_DEV_ONLINE))
			close_device(nb, PVHV_DEV_CLOSED);
		break;
	}
out:
	mutex_unlock(&nb->lock);
}

static void netback_work(struct work_struct *work)
{
	struct netback *nb = container_of(to_delayed_work(work), struct netback, work);
	unsigned int i;
	int err = 0;

	mutex_lock(&nb->lock);
	if (nb->broken && nb->state == PVHV_DEV_CONNECTED) {
		if (net_ratelimit())
			netdev_warn(nb->ndev, "stopped: the frontend has sent %s\n", nb->broken);
		/* Else the end of a stall would switch the carrier on again. */
		for (i = 0; i < nb->nr_queues; i++)
			netback_rx_stop(&nb->queues[i]);
		netif_carrier_off(nb->ndev);
		err = publish(nb, PVHV_DEV_CLOSING);
	} else if (nb->state == PVHV_DEV_CONNECTED &&
		   (nb->link != netif_running(nb->ndev) || nb->mtu != READ_ONCE(nb->ndev->mtu))) {
		err = publish(nb, PVHV_DEV_CONNECTED);
	}
	mutex_unlock(&nb->lock);
	/* No memory, most likely: nobody else would tell the guest. */
	if (err)
		queue_delayed_work(nb->pdev->wq, &nb->work, HZ);
}

/**
 * netback_break - the frontend broke a rule that there is no recovery from
 * @nb:		the device
 * @why:	a constant
 *
 * Any context but hard interrupts. The device is closed soon.
 */
void netback_break(struct netback *nb, const char *why)
{
	if (!cmpxchg(&nb->broken, NULL, why))
		mod_delayed_work(nb->pdev->wq, &nb->work, 0);
}

/* ---- coming and going ---- */

static struct net_device *create_netdev(struct pvhv_device *pdev, unsigned int queues)
{
	const struct pvhv_device_config *config = pdev->config;
	struct net_device *ndev;
	char name[IFNAMSIZ];

	if (config->ifname[0])
		strscpy(name, config->ifname, sizeof(name));
	else
		snprintf(name, sizeof(name), "vif%u.%u", (__force u32)pdev->peer, pdev->index);
	ndev = alloc_netdev_mqs(sizeof(struct netback), name, NET_NAME_USER, ether_setup, queues,
				queues);
	if (!ndev)
		return NULL;
	dev_net_set(ndev, config->net);
	SET_NETDEV_DEV(ndev, &pdev->dev);
	ndev->netdev_ops = &netback_ops;
	ndev->ethtool_ops = &netback_ethtool_ops;
	ndev->hw_features = PVHV_NET_HW_FEATURES;
	ndev->features = PVHV_NET_HW_FEATURES | NETIF_F_HIGHDMA | NETIF_F_RXCSUM;
	ndev->vlan_features = PVHV_NET_HW_FEATURES | NETIF_F_HIGHDMA;
	/* It stays where its maker has rights: a namespace's end would move it to the host's. */
	ndev->features |= NETIF_F_NETNS_LOCAL;
	ndev->min_mtu = ETH_MIN_MTU;
	ndev->max_mtu = PVHV_NET_MAX_MTU;
	if (config->mtu)
		ndev->mtu = config->mtu;
	/*
	 * The highest address there is, so that a bridge never takes it for its own.
	 * It is the peer of the guest's, not the guest's.
	 */
	eth_hw_addr_set(ndev, (const u8 []){ 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff });
	netif_carrier_off(ndev);
	return ndev;
}

static void free_netback(struct netback *nb)
{
	struct netback_queue *queues = nb->queues;
	unsigned int i;

	if (queues) {
		/* free_netdev() would wait for readers once for each. */
		for (i = 0; i < nb->max_queues; i++)
			__netif_napi_del(&queues[i].tx_napi);
		synchronize_net();
	}
	free_netdev(nb->ndev);
	kvfree(queues);
}

static int netback_probe(struct pvhv_device *pdev)
{
	const struct pvhv_device_config *config = pdev->config;
	unsigned int queues, i;
	struct net_device *ndev;
	struct netback *nb;
	int err;

	if (!config || !config->net)
		return -EINVAL;
	if (!is_valid_ether_addr(config->mac))
		return -EINVAL;
	if (config->mtu && (config->mtu < ETH_MIN_MTU || config->mtu > PVHV_NET_MAX_MTU))
		return -EINVAL;
	queues = min_not_zero(config->max_queues, READ_ONCE(max_queues)) ?: num_online_cpus();
	queues = min_t(unsigned int, queues, PVHV_NET_MAX_QUEUES);

	ndev = create_netdev(pdev, queues);
	if (!ndev)
		return -ENOMEM;
	nb = netdev_priv(ndev);
	nb->pdev = pdev;
	nb->ndev = ndev;
	nb->max_queues = queues;
	nb->state = PVHV_DEV_INITIALISING;
	mutex_init(&nb->lock);
	INIT_DELAYED_WORK(&nb->work, netback_work);
	nb->queues = kvcalloc(queues, sizeof(*nb->queues), GFP_KERNEL_ACCOUNT);
	if (!nb->queues) {
		err = -ENOMEM;
		goto out_free;
	}
	for (i = 0; i < queues; i++) {
		struct netback_queue *q = &nb->queues[i];

		q->nb = nb;
		q->index = i;
		q->txq = netdev_get_tx_queue(ndev, i);
		mutex_init(&q->tx_mutex);
		spin_lock_init(&q->tx_lock);
		init_waitqueue_head(&q->tx_idle);
		init_waitqueue_head(&q->tx_room);
		skb_queue_head_init(&q->tx_skbs);
		netif_napi_add(ndev, &q->tx_napi, netback_tx_poll);
		netback_rx_init(q);
	}
	if (pdev->peer_state == PVHV_DEV_INITIALISED)
		nb->stale = pdev->generation;
	dev_set_drvdata(&pdev->dev, nb);
	err = register_netdev(ndev);
	if (err)
		goto out_free;
	mutex_lock(&nb->lock);
	err = publish(nb, PVHV_DEV_INIT_WAIT);
	mutex_unlock(&nb->lock);
	if (err)
		goto out_registered;
	return 0;

out_registered:
	unregister_netdev(ndev);
	cancel_delayed_work_sync(&nb->work);
out_free:
	free_netback(nb);
	return err;
}

static void netback_remove(struct pvhv_device *pdev)
{
	struct netback *nb = dev_get_drvdata(&pdev->dev);

	mutex_lock(&nb->lock);
	disconnect(nb);
	nb->state = PVHV_DEV_CLOSED;
	mutex_unlock(&nb->lock);
	unregister_netdev(nb->ndev);
	cancel_delayed_work_sync(&nb->work);
	free_netback(nb);
}

static struct pvhv_driver netback_driver = {
	.driver.name	= "pvhv-netback",
	.class		= PVHV_CLASS_NET,
	.role		= PVHV_ROLE_BACKEND,
	.probe		= netback_probe,
	.changed	= netback_changed,
	.remove		= netback_remove,
};

static int __init netback_init(void)
{
	int err = netback_tx_init();

	if (err)
		return err;
	err = pvhv_register_driver(&netback_driver);
	if (err)
		netback_tx_exit();
	return err;
}
module_init(netback_init);

static void __exit netback_exit(void)
{
	pvhv_unregister_driver(&netback_driver);
	netback_tx_exit();
}
module_exit(netback_exit);

/* PVHV_CLASS_NET, PVHV_ROLE_BACKEND */
MODULE_ALIAS("pvhv:c2r1");
MODULE_AUTHOR("The pvhv authors");
MODULE_DESCRIPTION("pvhv network backend");
MODULE_LICENSE("GPL");
