#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: stock debug
# boot: badstate
# needs: guest test-modules
# copy: build/test-modules:/root/modules
# timeout: 2400
#
# A Linux guest whose network backend is silent, goes through states in any order, has
# properties that make no sense, or keeps what it is granted: the guest waits for nothing that
# does not come, and gets on with the next backend.
# shellcheck disable=SC2016 # for the guest's shell
. ./lib.sh
. ./block-lib.sh
. ./net-lib.sh
gcc -static -O2 -Wall -o /tmp/hoard guest/hoard.c || fail "no compiler here"
net_tools="$net_tools /tmp/hoard"
. ./net-badback-lib.sh

with_guest good 'small && large'
detach
guest_free
before=$free

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

same_memory

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

end_badnet badnet badback
exit $failed
