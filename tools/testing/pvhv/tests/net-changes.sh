#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# boot: split
# needs: guest test-guests
# copy: build/guests.install:/root/guests
# timeout: 1500
#
# Interfaces that come and go under a load, a backend that is unloaded, a guest
# that is killed, one that takes nothing, one that takes next to nothing: and nothing is
# lost on the host.
# shellcheck disable=SC2016 # for the guest's shell
. ./lib.sh
. ./block-lib.sh
. ./net-lib.sh

make_net_guest

# The guest has a load that goes on whatever happens, both ways.
load='for i in 1 2; do
	{ while [ ! -e /tmp/stop ]; do timeout 20 netload transfer 10.9.0.1 7777 10000000 10000000 || sleep 0.2; done; } >/dev/null 2>&1 &
done'
bring_up='until_true 20 [ -e /sys/class/net/eth0 ] && ip link set eth0 up &&
	{ ip addr add 10.9.0.2/24 dev eth0 2>/dev/null; until_true 20 carrier eth0 1; }'

changes() {
	netload serve 7777 &
	server=$!
	net_guest changes 10.9.0.2 --net ifname=pv0
	ip addr add 10.9.0.1/24 dev pv0
	in_guest 10 "$load"

	# hot unplug and plug
	for i in 1 2; do
		sleep 2
		check "detach-$1-$i" pvhv net detach changes pv0
		check "gone-$1-$i" wait_for 20 [ ! -e /sys/class/net/pv0 ]
		guest_expect "guest-gone-$1-$i" 0 30 'until_true 20 [ ! -e /sys/class/net/eth0 ]'
		check "attach-$1-$i" pvhv net attach changes ifname=pv0
		ip addr add 10.9.0.1/24 dev pv0
		guest_expect "guest-back-$1-$i" 0 50 "$bring_up"
		guest_expect "data-$1-$i" 0 100 'netload transfer 10.9.0.1 7777 300000 300000'
	done

	# the backend goes and comes
	for i in 1 2; do
		sleep 2
		check "unload-$1-$i" timeout 60 rmmod pvhv-netback
		guest_expect "no-carrier-$1-$i" 0 30 'until_true 20 carrier eth0 0'
		check "load-$1-$i" modprobe pvhv-netback
		wait_for 20 [ -e /sys/class/net/pv0 ]
		ip link set pv0 up && ip addr add 10.9.0.1/24 dev pv0
		guest_expect "guest-reconnects-$1-$i" 0 50 "$bring_up"
		guest_expect "data-again-$1-$i" 0 100 'netload transfer 10.9.0.1 7777 300000 300000'
	done

	# killed in the middle
	sleep 2
	kill -9 "$guest_pid"
	wait "$guest_pid" 2>/dev/null
	exec 8>&-
	check "killed-$1" wait_for 30 [ ! -e /sys/class/net/pv0 ]
	# What the server has for it would be sent again for minutes, and counted.
	orphans=$(sysctl -n net.ipv4.tcp_max_orphans)
	sysctl -q net.ipv4.tcp_max_orphans=0
	kill $server
	wait $server 2>/dev/null
	wait_for 120 grep -q 'orphan 0 ' /proc/net/sockstat
	sysctl -q net.ipv4.tcp_max_orphans="$orphans"
}

# A guest that takes nothing: bounded memory, and it works again.
stalled() {
	# the module was loaded anew
	echo 2 >/sys/module/pvhv_netback/parameters/stall_timeout
	netload serve 7777 &
	server=$!
	net_guest stalled 10.9.0.2 --net ifname=pv1
	ip addr add 10.9.0.1/24 dev pv1
	ping -c 1 -W 10 10.9.0.2 >/dev/null
	ip neigh replace 10.9.0.2 dev pv1 lladdr "$(in_guest 5 'cat /sys/class/net/eth0/address')"
	before=$(awk '/^MemFree/ {print $2}' /proc/meminfo)
	kill -STOP "$guest_pid"
	# more than it has buffers, and longer than stall_timeout
	ping -f -w 8 -s 1400 10.9.0.2 >/dev/null 2>&1
	after=$(awk '/^MemFree/ {print $2}' /proc/meminfo)
	[ $((before - after)) -lt 16384 ] && ok stalled-memory ||
		not_ok stalled-memory "$((before - after)) KiB less"
	# a busy machine may have needed all of that time to fill the buffers
	known() { [ "$(vif_stat pv1 rx_stalled)" -gt 0 ] && carrier pv1 0; }
	wait_for 10 known && ok stalled-known ||
		not_ok stalled-known "stalled $(vif_stat pv1 rx_stalled) times, stopped $(vif_stat pv1 rx_stopped)"
	kill -CONT "$guest_pid"
	check stalled-ends wait_for 20 carrier pv1 1
	check stalled-pings ping -c 2 -W 10 10.9.0.2
	guest_expect stalled-data 0 100 'netload transfer 10.9.0.1 7777 300000 300000'
	end_guest
	kill $server
	wait $server 2>/dev/null
}

# One that makes room for a packet now and then, always before the time is over
drips() {
	start_guest drip --kernel guests/netring.elf --initrd /dev/null --append test=drip --net queues=2,ifname=pv2
	says_in 60 drip '^# drips' || { not_ok drips "$(tail -n 1 /tmp/drip.out)"; return; }
	ip addr add 10.9.1.1/24 dev pv2
	ip neigh replace 10.9.1.2 dev pv2 lladdr 02:00:00:00:00:01
	ping -f -w 40 10.9.1.2 >/dev/null 2>&1 &
	pinger=$!
	known() { [ "$(vif_stat pv2 rx_stalled)" -gt 0 ]; }
	wait_for 40 known && [ "$(vif_stat pv2 rx_packets)" -gt 0 ] && ok drip-is-a-stall ||
		not_ok drip-is-a-stall "$(vif_stat pv2 rx_packets) packets, stopped $(vif_stat pv2 rx_stopped) times"
	kill $pinger
	kill -9 "$guest_pid"
	wait "$pinger" "$guest_pid" 2>/dev/null
}

# The first run fills caches.
changes warm
before=$(host_counts)
changes again
same_counts memory "$before" "$(host_counts)" 4096
stalled
drips
nothing_left
no_leaks
rmmod pvhv-netback && ok unload || not_ok unload "netback is in use"
exit $failed
