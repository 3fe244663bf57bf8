#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# boot: split
# needs: guest
# timeout: 1500
#
# A bridge with two guests and the host: data between all of them, with and
# without segmentation, MTU 1500 and 9000; VLAN and multicast from guest to guest.
. ./lib.sh
. ./block-lib.sh
. ./net-lib.sh

ip link add br0 type bridge && ip link set br0 mtu 9000 up && ip addr add 10.9.0.1/24 dev br0 ||
	fail "no bridge"
make_net_guest
net_guest left 10.9.0.2 --net bridge=br0,mtu=9000
left=$(vif_of left)
in_guest 5 'netload serve 7777 >/dev/null 2>&1 & iperf3 -s -D
	{ while netload cast 239.9.9.9 7979 eth0; do :; done; } >/dev/null 2>&1 &
	ip link add link eth0 name eth0.7 type vlan id 7 && ip addr add 10.9.7.2/24 dev eth0.7 && ip link set eth0.7 up'
# its orders are for descriptor 7 from now on
exec 7>&8
left_pid=$guest_pid
net_guest right 10.9.0.3 --net bridge=br0,mtu=9000
right=$(vif_of right)

guest_expect ping-guest 0 60 'ping -c 3 -W 10 10.9.0.2'
guest_expect ping-host 0 60 'ping -c 3 -W 10 10.9.0.1'
check ping-left ping -c 2 -W 10 10.9.0.2
check ping-right ping -c 2 -W 10 10.9.0.3

# more than the backend allows
guest_expect mtu-too-large 0 20 '! ip link set eth0 mtu 9001'
for mtu in 9000 1500; do
	# the smaller of two ends is what TCP takes
	in_guest 10 "ip link set eth0 mtu $mtu"
	for tso in off on; do
		ethtool -K "$left" tso $tso && ethtool -K "$right" tso $tso
		in_guest 10 "ethtool -K eth0 tso $tso"
		guest_expect "guests-tso-$tso-$mtu" 0 200 'netload transfer 10.9.0.2 7777 3000000 3000000'
	done
done
check host-to-left netload transfer 10.9.0.2 7777 3000000 3000000
zerocopy_of "$right" >/dev/null
guest_expect iperf3 0 100 'iperf3 -c 10.9.0.2 -t 3'
zerocopy_of "$right" >/tmp/zerocopy
awk '$2 > $1 / 4 && $3 <= $2 / 16 { good = 1 } END { exit !good }' /tmp/zerocopy &&
	ok zerocopy-to-guests || not_ok zerocopy-to-guests "$(cat /tmp/zerocopy)"
guest_expect iperf3-reverse 0 100 'iperf3 -c 10.9.0.2 -t 3 -R'
guest_expect connects 0 600 "netload connects 10.9.0.2 7777 $(rounds "$(at_length 10000 1000)" 500) 16"
guest_expect multicast 0 60 'netload join 239.9.9.9 7979'
guest_expect vlan 0 100 'ip link add link eth0 name eth0.7 type vlan id 7 && ip addr add 10.9.7.3/24 dev eth0.7 &&
	ip link set eth0.7 up && ping -c 2 -W 10 10.9.7.2 && netload transfer 10.9.7.2 7777 2000000 2000000'
guest_expect datagrams 0 100 'netload datagrams 10.9.0.2 7777 50 1472'

for vif in "$left" "$right"; do
	for counter in tx_invalid rx_invalid rx_stalled rx_dropped; do
		[ "$(vif_stat "$vif" $counter)" = 0 ] && ok "no-$counter-$vif" ||
			not_ok "no-$counter-$vif" "$(vif_stat "$vif" $counter)"
	done
done

end_guest
guest=left guest_pid=$left_pid
exec 8>&7 7>&-
end_guest
ip link del br0
nothing_left
no_leaks
exit $failed
