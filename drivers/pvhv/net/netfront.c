// SPDX-License-Identifier: GPL-2.0
/*
 * pvhv-netfront: the control path. States, the network device, ethtool.
 *
 * The interface appears when a backend first tells of it and stays until the device
 * goes, whatever becomes of the backend: while there is none it has no carrier.
 *
 * A backend that breaks the rules is not talked to any more, until the device is made anew.
 */
#include <linux/ethtool.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/vmalloc.h>

#include "netfront.h"

static unsigned int max_queues;
module_param(max_queues, uint, 0444);
MODULE_PARM_DESC(max_queues, "Queue pairs of an interface at most; 0: one for each CPU (0)");

/* ---- polls ---- */

static int netfront_poll(struct napi_struct *napi, int budget)
{
	struct netfront_queue *q = container_of(napi, struct netfront_queue, napi);
	int done;

	q->stats.polls++;
	netfront_tx_poll_begin(q);
	done = netfront_rx_poll(q, budget);
	netfront_tx_poll_end(q);
	if (done < budget)
		napi_complete_done(napi, done);
	return done;
}

/* ---- queues; under the RTNL ---- */

static void start_queues(struct netfront *nf)
{
	unsigned int i;

	for (i = 0; i < nf->nr_queues; i++) {
		struct netfront_queue *q = &nf->queues[i];

		netfront_rx_start(q);
		napi_enable(&q->napi);
		netfront_tx_start(q);
		/* Events were lost as long as nobody polled. */
		local_bh_disable();
		napi_schedule(&q->napi);
		local_bh_enable();
	}
	nf->running = true;
}

static void stop_queues(struct netfront *nf)
{
	unsigned int i;

	if (!nf->running)
		return;
	for (i = 0; i < nf->nr_queues; i++) {
		struct netfront_queue *q = &nf->queues[i];

		napi_disable(&q->napi);
		netfront_tx_stop(q);
		netfront_rx_stop(q);
	}
	nf->running = false;
}

/* ---- net_device ---- */

static int netfront_open(struct net_device *ndev)
{
	struct netfront *nf = netdev_priv(ndev);

	if (nf->connected)
		start_queues(nf);
	return 0;
}

static int netfront_stop(struct net_device *ndev)
{
	stop_queues(netdev_priv(ndev));
	return 0;
}

static netdev_features_t netfront_fix_features(struct net_device *ndev, netdev_features_t features)
{
	struct netfront *nf = netdev_priv(ndev);

	return pvhv_net_fix_features(features, READ_ONCE(nf->features));
}

static void netfront_get_stats64(struct net_device *ndev, struct rtnl_link_stats64 *s)
{
	struct netfront *nf = netdev_priv(ndev);
	unsigned int i;

	for (i = 0; i < nf->max_queues; i++) {
		const struct netfront_stats *q = &nf->queues[i].stats;

		s->rx_packets += READ_ONCE(q->rx_packets);
		s->rx_bytes += READ_ONCE(q->rx_bytes);
		s->rx_errors += READ_ONCE(q->rx_errors);
		s->rx_dropped += READ_ONCE(q->rx_no_memory);
		s->tx_packets += READ_ONCE(q->tx_packets);
		s->tx_bytes += READ_ONCE(q->tx_bytes);
		s->tx_errors += READ_ONCE(q->tx_errors);
		s->tx_dropped += READ_ONCE(q->tx_dropped);
	}
}

static const struct net_device_ops netfront_ops = {
	.ndo_open		= netfront_open,
	.ndo_stop		= netfront_stop,
	.ndo_start_xmit		= netfront_start_xmit,
	.ndo_features_check	= pvhv_net_features_check,
	.ndo_fix_features	= netfront_fix_features,
	.ndo_get_stats64	= netfront_get_stats64,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
};

/* ---- ethtool ---- */

#define STAT(name) { #name, offsetof(struct netfront_stats, name) }
static const struct {
	char name[ETH_GSTRING_LEN];
	size_t offset;
} netfront_stat[] = {
	STAT(tx_packets), STAT(tx_bytes), STAT(tx_dropped), STAT(tx_errors), STAT(tx_linearized),
	STAT(tx_stopped), STAT(tx_no_grants), STAT(tx_notified), STAT(tx_events),
	STAT(rx_packets), STAT(rx_bytes), STAT(rx_errors), STAT(rx_no_memory),
	STAT(rx_notified), STAT(rx_events), STAT(polls),
};

static void netfront_get_drvinfo(struct net_device *ndev, struct ethtool_drvinfo *info)
{
	struct netfront *nf = netdev_priv(ndev);

	strscpy(info->driver, "pvhv-netfront", sizeof(info->driver));
	strscpy(info->bus_info, dev_name(&nf->pdev->dev), sizeof(info->bus_info));
}

static int netfront_get_sset_count(struct net_device *ndev, int set)
{
	struct netfront *nf = netdev_priv(ndev);

	return set == ETH_SS_STATS ? nf->max_queues * ARRAY_SIZE(netfront_stat) : -EOPNOTSUPP;
}

static void netfront_get_strings(struct net_device *ndev, u32 set, u8 *data)
{
	struct netfront *nf = netdev_priv(ndev);
	unsigned int i, k;

	if (set != ETH_SS_STATS)
		return;
	for (i = 0; i < nf->max_queues; i++)
		for (k = 0; k < ARRAY_SIZE(netfront_stat); k++)
			ethtool_sprintf(&data, "queue%u_%s", i, netfront_stat[k].name);
}

static void netfront_get_ethtool_stats(struct net_device *ndev, struct ethtool_stats *stats,
				       u64 *data)
{
	struct netfront *nf = netdev_priv(ndev);
	unsigned int i, k;

	for (i = 0; i < nf->max_queues; i++)
		for (k = 0; k < ARRAY_SIZE(netfront_stat); k++)
			*data++ = READ_ONCE(*(const u64 *)((char *)&nf->queues[i].stats +
							   netfront_stat[k].offset));
}

static void netfront_get_channels(struct net_device *ndev, struct ethtool_channels *ch)
{
	struct netfront *nf = netdev_priv(ndev);

	ch->max_combined = nf->max_queues;
	ch->combined_count = nf->nr_queues;
}

static const struct ethtool_ops netfront_ethtool_ops = {
	.get_drvinfo		= netfront_get_drvinfo,
	.get_link		= ethtool_op_get_link,
	.get_ts_info		= ethtool_op_get_ts_info,
	.get_sset_count		= netfront_get_sset_count,
	.get_strings		= netfront_get_strings,
	.get_ethtool_stats	= netfront_get_ethtool_stats,
	.get_channels		= netfront_get_channels,
};

/* ---- states; all under nf->lock ---- */

static int publish(struct netfront *nf, u32 state, const struct pvhv_props *p)
{
	int err = pvhv_publish(nf->pdev, state, p);

	if (!err)
		nf->state = state;
	return err;
}

/* No packets any more; what is in flight stays. */
static void quiesce(struct netfront *nf)
{
	rtnl_lock();
	netif_carrier_off(nf->ndev);
	stop_queues(nf);
	nf->connected = false;
	rtnl_unlock();
}

static void disconnect(struct netfront *nf)
{
	unsigned int i;

	quiesce(nf);
	for (i = 0; i < nf->nr_queues; i++) {
		netfront_tx_destroy(&nf->queues[i]);
		netfront_rx_destroy(&nf->queues[i]);
	}
	nf->nr_queues = 0;
}

static void close_device(struct netfront *nf)
{
	disconnect(nf);
	if (nf->state != PVHV_DEV_CLOSED)
		publish(nf, PVHV_DEV_CLOSED, NULL);
}

/* Closed, and ready for another backend if one can come */
static void reopen(struct netfront *nf)
{
	close_device(nf);
	if (nf->pdev->flags & PVHV_DEV_ONLINE && !(nf->pdev->flags & PVHV_DEV_PEER_DEAD))
		publish(nf, PVHV_DEV_INITIALISING, NULL);
}

/* What may change while the interface is in use. Under the RTNL */
static void update(struct netfront *nf, const struct pvhv_props *p)
{
	u64 mtu = pvhv_prop_get(p, PVHV_NET_MTU, 0, ETH_DATA_LEN);

	nf->ndev->max_mtu = clamp_t(u64, mtu, ETH_MIN_MTU, PVHV_NET_MAX_MTU);
	if (nf->ndev->mtu > nf->ndev->max_mtu)
		dev_set_mtu(nf->ndev, nf->ndev->max_mtu);
	if (nf->connected && pvhv_prop_get(p, PVHV_NET_LINK, 0, 1))
		netif_carrier_on(nf->ndev);
	else
		netif_carrier_off(nf->ndev);
}

/*
 * The interface, as the first backend says. Backends answer in any order: for names to be in
 * that of the devices, each is asked for here, if nobody has it.
 */
static int register_interface(struct netfront *nf, const struct pvhv_props *p)
{
	u8 mac[ETH_ALEN];
	int err;

	pvhv_net_mac_from_prop(mac, pvhv_prop_get(p, PVHV_NET_MAC, 0, 0));
	if (!is_valid_ether_addr(mac))
		return -EADDRNOTAVAIL;
	eth_hw_addr_set(nf->ndev, mac);
	nf->ndev->mtu = clamp_t(u64, pvhv_prop_get(p, PVHV_NET_MTU, 0, ETH_DATA_LEN), ETH_MIN_MTU,
				PVHV_NET_MAX_MTU);
	nf->ndev->max_mtu = nf->ndev->mtu;
	rtnl_lock();
	snprintf(nf->ndev->name, IFNAMSIZ, "eth%u", nf->pdev->index);
	if (__dev_get_by_name(dev_net(nf->ndev), nf->ndev->name))
		strscpy(nf->ndev->name, "eth%d", IFNAMSIZ);
	err = register_netdevice(nf->ndev);
	rtnl_unlock();
	nf->registered = !err;
	return err;
}

static int create_queue(struct netfront_queue *q, unsigned int tx_pages, unsigned int rx_pages)
{
	int err = netfront_tx_create(q, tx_pages);

	if (err)
		return err;
	err = netfront_rx_create(q, rx_pages);
	if (err)
		netfront_tx_destroy(q);
	return err;
}

/* The backend says what it takes: offer queues. */
static int offer(struct netfront *nf)
{
	unsigned int nr, pages, i;
	struct pvhv_props *p;
	int err = 0;
	u32 state;

	p = pvhv_read_peer(nf->pdev, &state);
	if (IS_ERR(p))
		return PTR_ERR(p);
	if (state != PVHV_DEV_INIT_WAIT)
		goto out;	/* there will be news */
	nf->seen = nf->pdev->generation;
	if (!nf->registered)
		err = register_interface(nf, p);
	if (err)
		goto out;

	nr = clamp_t(u64, pvhv_prop_get(p, PVHV_PROP_NR_QUEUES, 0, 1), 1, nf->max_queues);
	pages = clamp_t(u64, pvhv_prop_get(p, PVHV_PROP_RING_PAGES, 0, 1), 1, NETFRONT_RING_PAGES);
	WRITE_ONCE(nf->features, pvhv_prop_get(p, PVHV_NET_FEATURES, 0, 0));
	p->nr = 0;
	pvhv_prop_add(p, PVHV_PROP_NR_QUEUES, 0, nr);
	pvhv_prop_add(p, PVHV_PROP_RING_PAGES, 0, pages);
	pvhv_prop_add(p, PVHV_NET_FEATURES, 0, PVHV_NET_ALL_FEATURES);
	pvhv_offer_make(nf->pdev, p);
	for (i = 0; i < nr; i++) {
		err = create_queue(&nf->queues[i], pages, pages);
		if (err)
			break;
		nf->nr_queues++;
		pvhv_area_offer(&nf->queues[i].tx_area, 2 * i, p);
		pvhv_area_offer(&nf->queues[i].rx_area, 2 * i + 1, p);
	}
	if (!err)
		err = publish(nf, PVHV_DEV_INITIALISED, p);
	if (err)
		disconnect(nf);
out:
	kfree(p);
	return err;
}

/* The backend has mapped them. */
static int connect(struct netfront *nf)
{
	struct pvhv_props *p;
	u32 state;
	int err;

	p = pvhv_read_peer(nf->pdev, &state);
	if (IS_ERR(p))
		return PTR_ERR(p);
	if (state != PVHV_DEV_CONNECTED) {
		kfree(p);
		return 0;	/* there will be news */
	}
	if (!pvhv_offer_taken(nf->pdev, p)) {
		kfree(p);
		reopen(nf);
		return 0;
	}
	rtnl_lock();
	err = netif_set_real_num_tx_queues(nf->ndev, nf->nr_queues) ?:
		netif_set_real_num_rx_queues(nf->ndev, nf->nr_queues);
	if (!err) {
		netdev_update_features(nf->ndev);
		nf->connected = true;
		if (netif_running(nf->ndev))
			start_queues(nf);
		update(nf, p);
	}
	rtnl_unlock();
	kfree(p);
	return err ?: publish(nf, PVHV_DEV_CONNECTED, NULL);
}

static void changed_again(struct netfront *nf)
{
	struct pvhv_props *p = pvhv_read_peer(nf->pdev, NULL);

	if (IS_ERR(p))
		return;
	rtnl_lock();
	update(nf, p);
	rtnl_unlock();
	kfree(p);
}

static void netfront_changed(struct pvhv_device *pdev)
{
	struct netfront *nf = dev_get_drvdata(&pdev->dev);
	int err = 0;

	mutex_lock(&nf->lock);
	if (READ_ONCE(nf->broken))
		goto out;
	switch (pdev->peer_state) {
	case PVHV_DEV_INITIALISING:
	case PVHV_DEV_INIT_WAIT:
		/* A new one; we have not seen the end of the last one. */
		if (nf->state != PVHV_DEV_INITIALISING &&
		    (nf->state != PVHV_DEV_INITIALISED || pdev->generation != nf->seen))
			reopen(nf);
		if (pdev->peer_state == PVHV_DEV_INIT_WAIT && nf->state == PVHV_DEV_INITIALISING)
			err = offer(nf);
		break;
	case PVHV_DEV_CONNECTED:
		if (nf->state == PVHV_DEV_INITIALISED)
			err = connect(nf);
		else if (nf->state == PVHV_DEV_CONNECTED)
			changed_again(nf);
		break;
	case PVHV_DEV_CLOSING:
		/* The rings stay until the backend does not use them any more. */
		quiesce(nf);
		if (nf->state < PVHV_DEV_CLOSING)
			publish(nf, PVHV_DEV_CLOSING, NULL);
		break;
	case PVHV_DEV_CLOSED:
		if (nf->state != PVHV_DEV_INITIALISING)
			reopen(nf);
		break;
	}
	if (err) {
		dev_err_ratelimited(&pdev->dev, "cannot connect: error %d\n", err);
		close_device(nf);
	}
out:
	mutex_unlock(&nf->lock);
}

static void netfront_work(struct work_struct *work)
{
	struct netfront *nf = container_of(work, struct netfront, work);

	mutex_lock(&nf->lock);
	close_device(nf);
	mutex_unlock(&nf->lock);
}

/**
 * netfront_break - the backend broke a rule
 * @nf:		the device
 * @why:	a constant
 *
 * Any context. The device is closed soon, for ever.
 */
void netfront_break(struct netfront *nf, const char *why)
{
	if (cmpxchg(&nf->broken, NULL, why))
		return;
	dev_err_ratelimited(&nf->pdev->dev, "stopped: the backend has sent %s\n", why);
	schedule_work(&nf->work);
}

/* ---- coming and going ---- */

static void init_netdev(struct net_device *ndev, struct pvhv_device *pdev)
{
	SET_NETDEV_DEV(ndev, &pdev->dev);
	ndev->netdev_ops = &netfront_ops;
	ndev->ethtool_ops = &netfront_ethtool_ops;
	ndev->hw_features = PVHV_NET_HW_FEATURES;
	ndev->features = PVHV_NET_HW_FEATURES | NETIF_F_HIGHDMA | NETIF_F_RXCSUM;
	ndev->vlan_features = PVHV_NET_HW_FEATURES | NETIF_F_HIGHDMA;
	ndev->min_mtu = ETH_MIN_MTU;
	netif_carrier_off(ndev);
}

static int netfront_probe(struct pvhv_device *pdev)
{
	struct net_device *ndev;
	struct netfront *nf;
	unsigned int nr, i;

	nr = min_t(unsigned int, max_queues ?: num_online_cpus(), PVHV_NET_MAX_QUEUES);
	ndev = alloc_etherdev_mq(sizeof(*nf), nr);
	if (!ndev)
		return -ENOMEM;
	init_netdev(ndev, pdev);
	nf = netdev_priv(ndev);
	nf->pdev = pdev;
	nf->ndev = ndev;
	nf->max_queues = nr;
	nf->state = PVHV_DEV_INITIALISING;
	mutex_init(&nf->lock);
	INIT_WORK(&nf->work, netfront_work);
	nf->queues = kvcalloc(nr, sizeof(*nf->queues), GFP_KERNEL);
	if (!nf->queues) {
		free_netdev(ndev);
		return -ENOMEM;
	}
	for (i = 0; i < nr; i++) {
		struct netfront_queue *q = &nf->queues[i];

		q->nf = nf;
		q->index = i;
		q->txq = netdev_get_tx_queue(ndev, i);
		netif_napi_add(ndev, &q->napi, netfront_poll);
		netfront_tx_init(q);
		netfront_rx_init(q);
	}
	dev_set_drvdata(&pdev->dev, nf);
	return 0;
}

static void netfront_remove(struct pvhv_device *pdev)
{
	struct netfront *nf = dev_get_drvdata(&pdev->dev);
	unsigned int i;

	mutex_lock(&nf->lock);
	disconnect(nf);
	nf->state = PVHV_DEV_CLOSED;
	mutex_unlock(&nf->lock);
	if (nf->registered)
		unregister_netdev(nf->ndev);
	cancel_work_sync(&nf->work);
	for (i = 0; i < nf->max_queues; i++)
		netif_napi_del(&nf->queues[i].napi);
	kvfree(nf->queues);
	free_netdev(nf->ndev);
}

static struct pvhv_driver netfront_driver = {
	.driver.name	= "pvhv-netfront",
	.class		= PVHV_CLASS_NET,
	.role		= PVHV_ROLE_FRONTEND,
	.probe		= netfront_probe,
	.changed	= netfront_changed,
	.remove		= netfront_remove,
};
module_pvhv_driver(netfront_driver);

MODULE_ALIAS_PVHV(PVHV_CLASS_NET, PVHV_ROLE_FRONTEND);
MODULE_AUTHOR("The pvhv authors");
MODULE_DESCRIPTION("pvhv network frontend");
MODULE_LICENSE("GPL");
