#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# boot: badnet
# needs: guest test-modules
# copy: build/test-modules:/root/modules
# timeout: 2400
#
# A Linux guest whose network backend breaks the rules of rings and headers: a broken ring
# makes it say so once and use that backend no more, a bad packet is dropped and counted, and
# nothing else happens.
# shellcheck disable=SC2016 # for the guest's shell
. ./lib.sh
. ./block-lib.sh
. ./net-lib.sh
. ./net-badback-lib.sh

with_guest good 'small && large && ping -c 1 -s 60000 10.9.0.1'
guest_expect good-tcp 0 60 'timeout 20 netload rr 10.9.0.1 7777 2'
[ "$(cat $parameters/leaked)" = 0 ] && ok no-leaks-to-the-backend ||
	not_ok no-leaks-to-the-backend "$(cat $parameters/leaked) pages"
detach
guest_free
before=$free

# connected, but to what was offered before: it offers again
set_to stale 3
with_guest other-offer 'small && large'
[ "$(cat $parameters/stale)" = 0 ] && ok other-offers-made || not_ok other-offers-made "$(cat $parameters/stale) are left"
detach

for mode in tx-id-too-large tx-id-not-sent tx-twice tx-keep tx-prod-too-far tx-prod-back \
	tx-cons-too-far tx-cons-back rx-id-too-large rx-id-unknown rx-twice rx-keep rx-prod-too-far \
	rx-prod-back rx-cons-too-far rx-cons-back rx-len-0 rx-len-4097 rx-len-huge rx-more-missing \
	rx-more-huge rx-more-disorder rx-not-full rx-status-mixed; do
	with_guest "$mode-before" 'large && before=$(broken)' || continue
	set_to mode $mode
	guest_expect "$mode-noticed" 0 60 "small 1; large 1; until_true 10 carrier eth0 0 &&
		[ \$(broken) = \$((before + 1)) ]"
	guest_expect "$mode-ends" 1 30 'ip link set eth0 down && ip link set eth0 up && ping -c 1 -W 1 10.9.0.1'
	detach
done

# packets that are dropped, and nothing else
with_guest drops 'large'
for mode in rx-status rx-runt rx-giant; do
	set_to mode $mode
	guest_expect "$mode-dropped" 0 30 'before=$(errors); ! small 1 && ! large 1 && [ $(errors) = $((before + 2)) ]'
	set_to mode good
	guest_expect "$mode-goes-on" 0 30 'small && large'
done
for header in flags reserved gso-2 gso-udp gso-udp-l4 gso-ecn-alone gso-all-bits gso-no-csum gso-size-0 \
	gso-size-max gso-ipv6 gso-csum-of-udp csum-start-0 csum-start-13 csum-start-max csum-offset-max \
	csum-both-max; do
	set_to header $header
	guest_expect "$header-dropped" 0 30 'before=$(errors); ! large 1 && [ $(errors) = $((before + 1)) ]'
done
for header in hdr-len gso-size-1 csum-of-ip csum-inside both-flags counts; do
	set_to header $header
	in_guest 30 'small 1; large 1' >/dev/null
	set_to header own
	guest_expect "$header-goes-on" 0 30 'small && large'
done
set_to header random
in_guest 60 'netload flood 10.9.0.1 7777 400 50; netload flood 10.9.0.1 7777 400 1400;
	netload flood 10.9.0.1 7777 100 8000; timeout 10 netload rr 10.9.0.1 7777 3;
	timeout 10 netload transfer 10.9.0.1 7777 400000 0' >/dev/null
set_to header own
guest_expect random-goes-on 0 30 'small && large'
set_to mode tx-status
guest_expect tx-status-counted 0 30 'before=$(counter tx_errors); small && [ $(counter tx_errors) -gt $before ]'
set_to mode storm
guest_expect storm 0 60 'small && large'
set_to mode good

# a checksum that begins before the packet does, once its VLAN tag is gone
guest_expect vlan 0 60 'ip link add link eth0 name eth0.7 type vlan id 7 && ip link set eth0.7 up &&
	ip addr add 10.9.7.2/24 dev eth0.7 && ping -c 1 -W 8 10.9.7.1 &&
	ip route add 10.9.7.3 dev eth0.7 mtu lock 600 && arp -s 10.9.7.3 02:00:00:00:00:03 &&
	echo 1 >/proc/sys/net/ipv4/ip_forward && echo 1 >/proc/sys/net/ipv4/ip_no_pmtu_disc'
set_to beyond 1
guest_expect vlan-forwards 0 30 'a=$(cat /sys/class/net/eth0.7/statistics/tx_packets); ping -c 1 -W 1 -s 1000 10.9.7.1;
	[ $(cat /sys/class/net/eth0.7/statistics/tx_packets) -gt $((a + 1)) ]'
set_to header csum-of-ip
guest_expect vlan-dropped 0 30 'before=$(errors); ping -c 1 -W 1 -s 1000 10.9.7.1; [ $(errors) -gt $before ]'
set_to beyond 0
set_to header own
guest_expect vlan-goes-on 0 30 'ip link del eth0.7 && echo 0 >/proc/sys/net/ipv4/ip_forward && small && large'
detach

same_memory
end_badnet badnet
exit $failed
