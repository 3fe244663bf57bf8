#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# boot: split
# needs: guest
# timeout: 1500
#
# A network interface between a guest and the host: data, offloads, MTU, link,
# multicast, VLAN, queues, what ethtool tells.
# shellcheck disable=SC2016,SC2034 # for the guest's shell; a counter
. ./lib.sh
. ./block-lib.sh
. ./net-lib.sh

make_net_guest
netload serve 7777 &
server=$!
iperf3 -s -D
net_guest net 10.9.0.2 --append 'quiet loglevel=4 pvhv_netfront.max_queues=2' \
	--net queues=2,mtu=65535,mac=02:00:00:00:09:02 --net ifname=second0,mac=02:00:00:00:08:02
vif=$(pvhv net list net | awk '/02:00:00:00:09:02/ {print $1}')
ip addr add 10.9.0.1/24 dev "$vif"

check vif-carrier carrier "$vif" 1
guest_expect mac 0 10 '[ "$(cat /sys/class/net/eth0/address)" = 02:00:00:00:09:02 ]'
check ping-guest ping -c 3 -i 0.2 -W 10 10.9.0.2
guest_expect ping-host 0 60 'ping -c 3 -W 10 10.9.0.1'
check multicast-ipv6 ping -c 2 -W 10 -I "$vif" ff02::1%"$vif"

# a second interface is one of its own
ip addr add 10.8.0.1/24 dev second0
guest_expect second-mac 0 10 '[ "$(cat /sys/class/net/eth1/address)" = 02:00:00:00:08:02 ]'
guest_expect second-ping 0 60 'ip link set eth1 up && ip addr add 10.8.0.2/24 dev eth1 &&
	until_true 10 ping -c 1 -W 1 10.8.0.1'
received() { cat "/sys/class/net/$1/statistics/rx_bytes"; }
first=$(received "$vif")
guest_expect second-transfer 0 200 'netload transfer 10.8.0.1 7777 1000000 1000000'
[ "$(received second0)" -gt 1000000 ] && [ $(($(received "$vif") - first)) -lt 100000 ] && ok second-only ||
	not_ok second-only "$(received second0) bytes, and $(($(received "$vif") - first)) from the first"

# both ends, data verified
offloads() {
	ethtool -K "$vif" "$1" "$2" && in_guest 20 "ethtool -K eth0 $1 $2"
}
mtu() {
	ip link set "$vif" mtu "$1" && in_guest 20 "ip link set eth0 mtu $1"
}
# the host's MTU is the guest's largest, at once
ip link set "$vif" mtu 1400
guest_expect mtu-shrinks 0 20 'until_true 10 grep -x 1400 /sys/class/net/eth0/mtu && ! ip link set eth0 mtu 1401'
ip link set "$vif" mtu 65535
guest_expect mtu-may-grow 0 20 'until_true 10 ip link set eth0 mtu 65535'
for mtu in 65535 9000 1500; do
	check "mtu-$mtu" mtu $mtu
	for tso in off on; do
		check "tso-$tso-$mtu" offloads tso $tso
		guest_expect "transfer-tso-$tso-$mtu" 0 200 'netload transfer 10.9.0.1 7777 4000000 4000000'
	done
	guest_expect "datagrams-$mtu" 0 100 "netload datagrams 10.9.0.1 7777 20 $((mtu - 28)) &&
		netload datagrams 10.9.0.1 7777 20 1 && netload datagrams 10.9.0.1 7777 10 30000"
done
# Segments become larger packets on the host: what tcpdump sees is behind GRO.
check gro-tso-off offloads tso off
merged() {
	tcpdump -l -nn -i "$vif" 'tcp and greater 3000 and src 10.9.0.2' >/tmp/large 2>&1 &
	dumper=$!
	wait_for 20 grep -q 'listening on' /tmp/large &&
		in_guest 100 'netload transfer 10.9.0.1 7777 2000000 2000000' && wait_for "$1" grep -q 'Flags' /tmp/large
	merged=$?
	kill "$dumper"
	wait "$dumper"
	return "$merged"
}
check gro-merges merged 20
ethtool -K "$vif" gro off
check gro-off eval '! merged 2 && grep -q "listening on" /tmp/large'
ethtool -K "$vif" gro on
# A thread of its own may be late: the guest waits for it.
echo 1 >"/sys/class/net/$vif/threaded"
guest_expect transfer-threaded 0 200 'netload transfer 10.9.0.1 7777 4000000 1000000'
check tso-threaded offloads tso on
guest_expect transfer-threaded-tso 0 200 'netload transfer 10.9.0.1 7777 4000000 1000000'
echo 0 >"/sys/class/net/$vif/threaded"
check tso-not-threaded offloads tso off
check tx-off offloads tx off
guest_expect transfer-no-checksums 0 200 'netload transfer 10.9.0.1 7777 2000000 2000000'
check tx-on offloads tx on
check tso-again offloads tso on
check sg-off offloads sg off
guest_expect transfer-no-sg 0 200 'netload transfer 10.9.0.1 7777 2000000 2000000'
check sg-on offloads sg on
check tso-once-more offloads tso on
link_local=$(ip -6 -o addr show dev "$vif" | sed -n 's/.*inet6 \(fe80[^/]*\).*/\1/p' | head -n 1)
guest_expect transfer-ipv6 0 200 "netload transfer $link_local%eth0 7777 2000000 2000000"
guest_expect iperf3-up 0 100 'iperf3 -c 10.9.0.1 -t 3 -P 2'
guest_expect iperf3-down 0 100 'iperf3 -c 10.9.0.1 -t 3 -P 2 -R'
guest_expect connects 0 600 "netload connects 10.9.0.1 7777 $(rounds 10000 500) 16"
guest_expect iperf3-udp 0 100 'iperf3 -c 10.9.0.1 -t 2 -u -l 64 -b 500K'

# tcpdump sees both directions, tc shapes one and filters the other
timeout 60 tcpdump -c 4 -nn -i "$vif" icmp >/tmp/dump 2>&1 &
dumper=$!
wait_for 20 grep -q 'listening on' /tmp/dump
in_guest 60 'ping -c 2 -W 10 10.9.0.1' >/dev/null
wait $dumper
[ "$(grep -c '10.9.0.2 > 10.9.0.1: ICMP echo request' /tmp/dump)$(grep -c '10.9.0.1 > 10.9.0.2: ICMP echo reply' /tmp/dump)" = 22 ] &&
	ok tcpdump || not_ok tcpdump "$(paste -sd ' ' /tmp/dump)"
check tc-tbf tc qdisc replace dev "$vif" root tbf rate 40mbit burst 16kb limit 200kb
guest_expect transfer-shaped 0 200 'netload transfer 10.9.0.1 7777 0 1000000'
tc -s qdisc show dev "$vif" >/tmp/tbf
[ "$(sed -n 's/.*overlimits \([0-9]*\).*/\1/p' /tmp/tbf)" -gt 0 ] && ok tc-shapes || not_ok tc-shapes "$(paste -sd ' ' /tmp/tbf)"
tc qdisc del dev "$vif" root
check tc-filter eval 'tc qdisc add dev $vif clsact && tc filter add dev $vif ingress matchall action drop'
guest_expect tc-drops 0 20 '! ping -c 1 -W 1 10.9.0.1'
tc qdisc del dev "$vif" clsact
guest_expect tc-gone 0 60 'ping -c 1 -W 10 10.9.0.1'

# IPv4 multicast both ways
netload cast 239.9.9.9 7979 "$vif" &
guest_expect multicast-in 0 60 'netload join 239.9.9.9 7979'
wait $!
in_guest 5 'netload cast 239.9.9.8 7978 eth0 >/dev/null 2>&1 & true'
INTERFACE=$vif check multicast-out netload join 239.9.9.8 7978

# VLAN on both ends, with offloads
ip link add link "$vif" name vlan7 type vlan id 7 && ip addr add 10.9.7.1/24 dev vlan7 &&
	ip link set vlan7 up
guest_expect vlan 0 200 'ip link add link eth0 name eth0.7 type vlan id 7 && ip addr add 10.9.7.2/24 dev eth0.7 &&
	ip link set eth0.7 up && ping -c 2 -W 10 10.9.7.1 && netload transfer 10.9.7.1 7777 2000000 2000000 &&
	netload datagrams 10.9.7.1 7777 20 1472'

# all queues, both ways
for i in 1 2 3; do
	in_guest 200 'for k in 1 2 3 4; do netload transfer 10.9.0.1 7777 100000 100000 & done; wait' >/dev/null
done
guest_expect queues-guest 0 10 '[ $(ethtool -l eth0 | grep -c "Combined:.*2") = 2 ]'
check queues-host eval '[ "$(ethtool -l $vif | grep -c "Combined:.*2")" = 2 ]'
ethtool -S "$vif" >/tmp/stats
for counter in queue0_tx_packets queue0_rx_packets queue1_tx_packets queue1_rx_packets; do
	[ "$(awk -v n="$counter:" '$1 == n {print $2}' /tmp/stats)" -gt 0 ] && ok "$counter" ||
		not_ok "$counter" "$(grep "$counter" /tmp/stats)"
done
# what goes to sockets is copied once: the backend tries only some of it without
zerocopy_of "$vif" >/dev/null
in_guest 200 'for k in 1 2 3 4; do netload transfer 10.9.0.1 7777 20000000 1000; done' >/dev/null
zerocopy_of "$vif" >/tmp/zerocopy
awk '$1 > 800 && $2 > 0 && $3 > 0 && $2 < $1 / 16 { good = 1 } END { exit !good }' /tmp/zerocopy &&
	ok zerocopy-to-sockets || not_ok zerocopy-to-sockets "$(cat /tmp/zerocopy)"
for counter in tx_invalid rx_invalid rx_stalled; do
	[ "$(vif_stat "$vif" $counter)" = 0 ] && ok "no-$counter" ||
		not_ok "no-$counter" "$(vif_stat "$vif" $counter)"
done
guest_expect no-errors 0 10 '! ethtool -S eth0 | grep -E "(errors|no_memory|no_grants): [1-9]"'
# The administrator's limit is also one of who asks for more.
queues_of() {
	pvhv net attach net "ifname=limited0,queues=$1" &&
		ethtool -l limited0 | awk '$1 == "Combined:" {print $2; exit}' | grep -x "$2" &&
		pvhv net detach net limited0
}
check queues-asked-for queues_of 8 8
echo 2 >/sys/module/pvhv_netback/parameters/max_queues
check queues-limited queues_of 8 2
check queues-below-the-limit queues_of 1 1
echo 0 >/sys/module/pvhv_netback/parameters/max_queues
guest_expect driver-guest 0 10 'ethtool -i eth0 | grep -q "^driver: pvhv-netfront" && ethtool -k eth0 | grep -q "^tcp-segmentation-offload: on"'
check driver-host eval 'ethtool -i $vif | grep -q "^driver: pvhv-netback"'

# what the tracepoints say of an interface that comes, is used and goes, and the counters after it
counters() {
	pvhv stat net | awk '$1 ~ /^(ports|grants_mapped|devices)_now$/ {print $1, $2}' | paste -sd ' '
}
before=$(counters)
trace=/sys/kernel/tracing
echo 16384 >$trace/buffer_size_kb
echo 1 >$trace/events/pvhv/enable
check traced-attach pvhv net attach net ifname=traced0
ip addr add 10.7.0.1/24 dev traced0
guest_expect traced-transfer 0 100 'until_true 10 [ -e /sys/class/net/eth2 ] &&
	ip link set eth2 up && ip addr add 10.7.0.2/24 dev eth2 && until_true 10 ping -c 1 -W 1 10.7.0.1 &&
	netload transfer 10.7.0.1 7777 200000 200000'
counters >/tmp/counters
check traced-detach pvhv net detach net traced0
echo 0 >$trace/events/pvhv/enable
cp $trace/trace /tmp/traced
domid=${vif#vif}
domid=${domid%.*}
# traced NAME FIELDS [MORE]: there is a line of pvhv_NAME with these fields
traced() {
	grep -qE ": pvhv_$1: $2\$" /tmp/traced && ok "traced-$1${3:+-$3}" ||
		not_ok "traced-$1${3:+-$3}" "$(grep -m 1 "pvhv_$1:" /tmp/traced)"
}
nr='[0-9]+' hex='0x[0-9a-f]+'
traced exit "vcpu 0 reason $hex error_code $hex rip $hex (user|kernel)"
traced hypercall "vcpu 0 nr $nr args $hex $hex $hex $hex"
traced event "vcpu 0 vector $nr error_code $hex cr2 $hex"
traced page_fault "vcpu 0 gva $hex error_code $hex result -?$nr"
traced event_send "domain $domid port $nr to domain 0 port 0" to-the-host
traced event_send "domain 0 port $nr to domain $domid port $nr" to-the-guest
for what in map unmap; do
	traced grant_$what "owner $domid ref $nr user 0 read result 0" read
	traced grant_$what "owner $domid ref $nr user 0 write result 0" write
done
traced grant_copy "owner $domid ref $nr user 0 write result 0"
for states in 'backend 1 2' 'frontend 1 3' 'backend 2 4' 'frontend 3 4' 'backend 4 5' \
	'frontend [45] 6' 'backend 5 6'; do
	from_to=${states#* }
	traced device "device $nr ${states%% *} state ${from_to% *} to ${from_to#* } flags $hex" \
		"$(echo "$states" | tr -d '[]' | tr ' ' -)"
done
[ "$(cat /tmp/counters)" != "$before" ] && ok counters-change || not_ok counters-change "$before"
counters_are() { [ "$(counters)" = "$1" ]; }
wait_for 10 counters_are "$before" && ok counters-again ||
	not_ok counters-again "$(counters), not $before"

# link down and up, from both ends
ip link set "$vif" down
guest_expect link-down 0 20 'until_true 10 carrier eth0 0'
ip link set "$vif" up
guest_expect link-up 0 20 'until_true 10 carrier eth0 1'
check ping-after-link ping -c 2 -W 10 10.9.0.2
in_guest 10 'ip link set eth0 down'
check ping-down eval '! ping -c 1 -W 1 10.9.0.2'
guest_expect guest-up 0 20 'ip link set eth0 up && until_true 10 ping -c 1 -W 1 10.9.0.1'
check ping-after-down ping -c 2 -W 10 10.9.0.2
guest_expect transfer-after-down 0 100 'netload transfer 10.9.0.1 7777 1000000 1000000'

end_guest
check vif-gone wait_for 10 [ ! -e "/sys/class/net/$vif" ]
kill $server
killall -q iperf3
nothing_left
no_leaks
exit $failed
