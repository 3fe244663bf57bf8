#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# boot: split
# needs: guest test-modules
# copy: build/test-modules:/root/modules
# timeout: 2400
#
# A Linux guest whose network backend breaks the rules: a broken ring makes it say so
# once and use that backend no more, a bad packet is dropped and counted, and nothing else happens.
# shellcheck disable=SC2016 # for the guest's shell
. ./lib.sh
. ./block-lib.sh
. ./net-lib.sh

rmmod pvhv-netback
modprobe -r pvhv-blkback 2>/dev/null
insmod "modules/$(uname -r)/pvhv-badnet.ko" || fail "no bad backend"
parameters=/sys/module/pvhv_badnet/parameters
gcc -static -O2 -Wall -o /tmp/hoard guest/hoard.c || fail "no compiler here"
net_tools="$net_tools /tmp/hoard guest/badnet:root/badnet"
make_net_guest
order_guest badnet --append 'quiet loglevel=4 pvhv_netfront.max_queues=2'
in_guest 20 ". /root/badnet"
n=0
set_to() { echo "$2" >"$parameters/$1"; }
# attach: an interface that has not broken anything yet
attach() {
	n=$((n + 1))
	set_to mode good
	set_to header own
	pvhv net attach badnet >/tmp/attached 2>&1 || {
		not_ok "attach-$n" "$(cat /tmp/attached)"
		return 1
	}
	vif=$(cat /tmp/attached)
}
# detach: whatever state it is in, it goes, and its memory with it
detach() {
	set_to mode good
	set_to header own
	pvhv net detach --force badnet "$vif" >/tmp/detached 2>&1 ||
		not_ok "detach-$n" "$(tail -n 1 /tmp/detached)"
	in_guest 30 'until_true 20 [ ! -e /sys/class/net/eth0 ]' >/dev/null || not_ok "gone-$n" "eth0 stays"
}
# with_guest NAME COMMAND: attached, and up; then COMMAND in the guest
with_guest() { attach && guest_expect "$1" 0 60 "up && $2"; }

# what the guest has free, with its caches dropped: in $free
guest_free() {
	in_guest 30 'sync; echo 3 >/proc/sys/vm/drop_caches; sleep 3; free_pages' >/tmp/free
	free=$(grep -x '[0-9]*' /tmp/free)
}

with_guest good 'small && large && ping -c 1 -s 60000 10.9.0.1'
guest_expect good-tcp 0 60 'timeout 20 netload rr 10.9.0.1 7777 2'
[ "$(cat $parameters/leaked)" = 0 ] && ok no-leaks-to-the-backend ||
	not_ok no-leaks-to-the-backend "$(cat $parameters/leaked) pages"
detach
guest_free
before=$free

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

# a backend that does not answer, or not even look: close ends, and a new one works
for mode in tx-silent tx-frozen; do
	with_guest "$mode-before" large || continue
	set_to mode $mode
	guest_expect "$mode-full" 0 60 'netload flood 10.9.0.1 7777 600 5000; [ $(counter tx_stopped) -gt 0 ]'
	guest_expect "$mode-ifdown" 0 30 'ip link set eth0 down && ip link set eth0 up && ip link set eth0 down'
	guest_expect "$mode-ifup" 0 30 'ip link set eth0 up && carrier eth0 1'
	detach
	with_guest "$mode-detached" large
	set_to mode $mode
	in_guest 60 'netload flood 10.9.0.1 7777 600 5000' >/dev/null
	# the backend dies with packets in flight
	rmmod pvhv-badnet
	guest_expect "$mode-unloaded" 0 30 'until_true 20 carrier eth0 0'
	insmod "modules/$(uname -r)/pvhv-badnet.ko"
	guest_expect "$mode-reloaded" 0 60 'until_true 30 carrier eth0 1 && small && large'
	detach
done

# states in any order: 1 INITIALISING, 2 INIT_WAIT, 4 CONNECTED, 5 CLOSING, 6 CLOSED
with_guest states-before large
for states in '1' '3' '5 4' '6 4' '6 1 2 4' '6 2 5 6 1' '5 6 2 4' '6 1 5 6' '4 4 4'; do
	for state in $states; do
		echo "$state" >$parameters/state
	done 2>/dev/null
	sleep 0.3
done
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	for state in 6 2 4 5 6 1 2; do
		echo "$state" >$parameters/state
	done 2>/dev/null
done
echo 6 >$parameters/state
# This backend answers only news: if the frontend has been waiting since before, there are none.
sleep 1
echo 2 >$parameters/state
guest_expect states-again 0 90 'until_true 40 carrier eth0 1; until_true 10 small 1 && large'
detach
set_to absent 1
with_guest absent '! small 1'
guest_expect absent-ifdown 0 20 'ip link set eth0 down'
set_to absent 0
detach

# properties
for mtu in 0 1 67 68 1279 65535 65536 18446744073709551615; do
	set_to mtu $mtu
	with_guest "mtu-$mtu" '[ $(cat /sys/class/net/eth0/mtu) -ge 68 -a $(cat /sys/class/net/eth0/mtu) -le 65535 ] && small'
	detach
done
set_to mtu 9000
for mac in 0 1 281474976710655; do
	set_to mac $mac
	attach || continue
	guest_expect "mac-$mac" 0 20 'sleep 2; [ ! -e /sys/class/net/eth0 ]'
	detach
done
guest_expect mac-noticed 0 10 'dmesg | grep "cannot connect: error -99"'
set_to mac $((0x020000000002))
for what in queues pages; do
	for number in 0 1 9 65536 4294967297 18446744073709551615; do
		set_to $what $number
		with_guest "$what-$number" 'small && large'
		detach
	done
	set_to $what 4
done
set_to features 0
with_guest features-0 'small && large && [ $(ethtool -k eth0 | grep -c "^tx-checksumming: off") = 1 ]'
set_to features 18446744073709551615
# ... that change in use
set_to mtu 576
echo 4 >$parameters/state
guest_expect mtu-shrinks 0 20 'until_true 10 grep -x 576 /sys/class/net/eth0/mtu && small'
set_to mtu 9000
set_to linked 0
echo 4 >$parameters/state
guest_expect link-goes 0 20 'until_true 10 carrier eth0 0'
set_to linked 18446744073709551615
echo 4 >$parameters/state
guest_expect link-comes 0 20 'until_true 10 carrier eth0 1 && small && large'
detach

guest_free
[ $((before - free)) -lt 4096 ] && ok guest-memory || not_ok guest-memory "$((before - free)) KiB less"

# grants run out in the middle of a packet, and the backend uses those that there were
insmod "modules/$(uname -r)/pvhv-badback.ko" || not_ok badback "not loaded"
truncate -s 32M /tmp/disk
set_to mtu 65535
with_guest grants-before 'echo 0 >/proc/sys/kernel/hung_task_timeout_secs; small'
disk=$(pvhv disk attach badnet path=/tmp/disk)
in_guest 30 "until_true 20 [ -b /dev/$disk ]"
echo silent >/sys/module/pvhv_badback/parameters/mode
set_to mode tx-silent
guest_expect grants-run-out 0 120 "hoard /dev/$disk 112; sleep 10; netload flood 10.9.0.1 7777 450 60000;
	until_true 20 eval '[ \$(counter tx_no_grants) -gt 3 ]'"
set_to guess 1
# a matter of luck: between the grant and its end are some instructions of the guest's
if in_guest 60 'for i in 1 2 3 4 5; do netload flood 10.9.0.1 7777 450 60000; done >/dev/null 2>&1 &
	until_true 5 eval "dmesg | grep \"a use of a grant that it was not told of\""' >/dev/null; then
	ok grants-guessed
	guest_expect grants-closed 0 30 'until_true 20 carrier eth0 0'
else
	echo "ok grants-guessed # SKIP the backend did not guess in time"
fi
in_guest 30 'kill $!; killall netload; wait' >/dev/null
set_to guess 0
pvhv disk detach --force badnet "$disk" >/tmp/detached 2>&1 || not_ok detach-disk "$(cat /tmp/detached)"
detach
set_to mtu 9000
with_guest grants-again 'small && large'
detach

guest_expect no-complaint 1 20 'dmesg | grep -E "WARNING|BUG|Oops|blocked for more|timed out|Call Trace"'
end_guest
for module in badnet badback; do
	rmmod pvhv-$module && ok "unloads-$module" || not_ok "unloads-$module" "rmmod fails"
done
no_leaks
nothing_left
no_leaks
exit $failed
