#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# boot: split
# needs: guest
# timeout: 1200
#
# The bus of split devices, with disks: what it shows, as many devices as there may be, those
# that come and go faster than the guest looks, drivers that are unbound on either side, and
# guests that do not look at all. Guest and host get back what all this took.
# shellcheck disable=SC2016 # what the guest expands
. ./lib.sh
. ./block-lib.sh
modprobe pvhv-blkback || fail "no pvhv-blkback"

for i in $(seq 0 64); do
	truncate -s 4M "/tmp/disk$i" || fail "no disk$i"
done
back_dir=/sys/bus/pvhv/devices
nr_backs() { find $back_dir -name 'pvhv-blk-back-*' | wc -l; }
backs_are() { [ "$(nr_backs)" = "$1" ]; }

make_disk_guest
# a first one fills caches
order_guest devices --disk path=/tmp/disk0
in_guest 60 'dd if=/dev/pvda of=/dev/null bs=64k 2>/dev/null'
end_guest
before=$(host_counts)

order_guest devices --disk path=/tmp/disk0,serial=first
in_guest 5 'cd /sys/bus/pvhv/devices; front() { echo "pvhv-blk-front-$1"; };
	fronts() { ls | grep -c blk-front; }; fronts_are() { [ "$(fronts)" = "$1" ]; };
	reads() { dd if="$(disk "$1")" of=/dev/null bs=64k count=4 iflag=direct; };
	state_is() { [ "$(cat "$(front "$1")/state") $(cat "$(front "$1")/peer_state")" = "$2" ]; }' || fail "it does not know its functions"

# what sysfs shows, on both sides
shows() { echo "[ \"\$(cat \$(front 0)/$1)\" = $2 ]"; }
guest_expect guest-attributes 0 10 "$(shows class blk) && $(shows role frontend) && $(shows index 0) &&
	$(shows peer 0) && $(shows state connected) && $(shows peer_state connected) && $(shows modalias pvhv:c1r0)"
dir=$(echo $back_dir/pvhv-blk-back-*-0)
domid=${dir##*back-}
shown=$(cd "$dir" && cat class role index peer state peer_state modalias | paste -sd ' ')
[ "$shown" = "blk backend 0 ${domid%-0} connected connected pvhv:c1r1" ] && ok host-attributes ||
	not_ok host-attributes "$shown"
guest_expect interrupts 0 10 'count() { awk "/pvhv-event.*pvhv-blk-front-0/ {print \$2}" /proc/interrupts; }
	before=$(count); [ "$before" -gt 0 ] && reads first && [ "$(count)" -gt "$before" ]'

# all that there may be, and one more; names are the lowest that are free
fill() {
	for i in $(seq 1 63); do
		pvhv disk attach devices "path=/tmp/disk$i,serial=serial$i" >/tmp/attached 2>&1 || {
			not_ok "$1" "disk$i: $(cat /tmp/attached)"
			return
		}
	done
	guest_expect "$1" 0 200 'until_true 100 fronts_are 64 && until_true 30 reads serial63; n=0
		for d in /sys/block/pvd*; do
			dd if=/dev/${d##*/} of=/dev/null bs=64k count=4 iflag=direct && n=$((n + 1))
		done 2>/dev/null
		[ $n = 64 ]'
}
# empty NAME: all but the first
empty() {
	for i in $(seq 1 63); do
		pvhv disk detach --timeout 0 devices "serial$i" >/tmp/detached 2>&1 ||
			not_ok "$1" "disk$i: $(cat /tmp/detached)"
	done
	wait_for 120 backs_are 1 && ok "$1" || not_ok "$1" "$(nr_backs) backends are left"
	guest_expect "$1-guest" 0 60 'until_true 50 fronts_are 1 && reads first'
}
fill as-many-as-possible
# their workqueue has a rescuer, which nobody is charged for: one for all of them
nr=$(cat /proc/[0-9]*/comm 2>/dev/null | grep -c "^pvhv[0-9]*-d")
[ "$nr" -le 1 ] && ok one-rescuer || not_ok one-rescuer "$nr threads"
pvhv disk attach devices path=/tmp/disk64 >/tmp/attached 2>&1 && not_ok one-too-many "attached" || {
	[ "$(wc -l </tmp/attached)" = 1 ] && grep -q 'at most 64' /tmp/attached && ok one-too-many ||
		not_ok one-too-many "$(cat /tmp/attached)"
}
expect detach-middle 0 pvhv disk detach devices serial7
[ "$(pvhv disk attach devices path=/tmp/disk7,serial=serial7)" = pvdh ] && ok lowest-name || not_ok lowest-name "another"
guest_expect lowest-name-guest 0 20 'until_true 10 reads serial7 && [ "$(disk serial7)" = /dev/pvdh ]'
empty all-gone

# What all of them took of the guest comes back, and is not taken again. A kernel at rest gains
# and loses some hundred KiB by itself; but what 64 devices do not give back, a page of each at
# least, is lost anew each time.
in_guest 5 'free_now() { sync; echo 3 >/proc/sys/vm/drop_caches; sleep 1;
	awk "/^MemFree:/ {n += \$2} \$1 == \"count:\" {n += \$2 * 4} END {print n}" /proc/meminfo /proc/zoneinfo; }
	free_now >/dev/null; sleep 1; b=$(free_now)'
guest_memory() {
	in_guest 20 'sleep 2; a=$b; b=$(free_now); [ $((a - b)) -lt 192 ]'
}
for i in 1 2 3 4; do
	fill "fill-again-$i"
	empty "empty-again-$i"
	guest_memory && break
done
guest_expect guest-memory 0 5 'echo "$a KiB free before the last time, $b after"; [ $((a - b)) -lt 192 ]'

# faster than the guest looks; who does not wait for the end may find the file still in use
attach() { name=$(pvhv disk attach devices "path=/tmp/disk1" 2>/tmp/attached); }
for i in $(seq 1 100); do
	wait_for 20 attach || { not_ok fast "attach $i: $(cat /tmp/attached)"; break; }
	case $((i % 3)) in
	0)	pvhv disk detach --force --timeout 0 devices "$name" ;;
	1)	pvhv disk detach --timeout 0 devices "$name" ;;
	2)	pvhv disk detach devices "$name" ;;
	esac >/tmp/detached 2>&1 || { not_ok fast "detach $i: $(cat /tmp/detached)"; break; }
done
wait_for 30 backs_are 1 && ok fast || not_ok fast "$(nr_backs) backends are left"
guest_expect fast-guest 0 30 'until_true 20 fronts_are 1 && reads first'

# without any, all that is left of what the counters count is the console's
counters() {
	pvhv stat devices | awk '$1 ~ /^(ports|grants_mapped|devices)_now$/ {print $1, $2}' | paste -sd ' '
}
counters_are() { [ "$(counters)" = "$1" ]; }
with_one=$(counters)
expect detach-last 0 pvhv disk detach devices first
wait_for 10 counters_are "ports_now 1 grants_mapped_now 2 devices_now 1" && ok no-grants ||
	not_ok no-grants "$(counters)"
expect attach-again 0 pvhv disk attach devices path=/tmp/disk0,serial=first
guest_expect attached-again 0 30 'until_true 20 reads first'
counters_are "$with_one" && ok same-counters || not_ok same-counters "$(counters), not $with_one"

# drivers that go and come, in the guest and on the host, with requests in flight
guest_expect unbind-guest 0 100 'for i in $(seq 1 20); do
	dd if=/dev/pvda of=/dev/null bs=4k count=1000 iflag=direct 2>/dev/null &
	echo $(front 0) >/sys/bus/pvhv/drivers/pvhv-blkfront/unbind || break;
	[ "$(cat $(front 0)/state)" = closed ] || break;
	wait; echo $(front 0) >/sys/bus/pvhv/drivers/pvhv-blkfront/bind || break;
	until_true 10 state_is 0 "connected connected" || break; done; [ $i = 20 ] && reads first'
# it goes and comes while the backend is still connecting to what it offered before
guest_expect rebind-guest 0 200 'again() {
		echo $(front 0) >/sys/bus/pvhv/drivers/pvhv-blkfront/unbind &&
		echo $(front 0) >/sys/bus/pvhv/drivers/pvhv-blkfront/bind; }
	for i in $(seq 0 19); do
		again && usleep $((i * 600)) && again && until_true 20 state_is 0 "connected connected" &&
		until_true 10 reads first || break
	done; [ $i = 19 ]'
for i in $(seq 1 20); do
	echo "${dir##*/}" >/sys/bus/pvhv/drivers/pvhv-blkback/unbind || break
	[ "$(cat "$dir/state")" = closed ] || break
	echo "${dir##*/}" >/sys/bus/pvhv/drivers/pvhv-blkback/bind || break
done
[ "$i" = 20 ] && ok unbind-host || not_ok unbind-host "at $i: $(cat "$dir/state")"
guest_expect unbind-host-guest 0 30 'until_true 20 state_is 0 "connected connected" && reads first'

# a guest that does not look: asked to let go, robbed, given a new one
second=$(pvhv disk attach devices path=/tmp/disk2,serial=two)
guest_expect two 0 20 'until_true 10 reads two'
expect pause 0 pvhv pause devices
expect paused-detach 1 pvhv disk detach --timeout 2 devices "$second"
backs_are 2 && ok paused-stays || not_ok paused-stays "$(nr_backs) backends"
expect paused-force 0 pvhv disk detach --force --timeout 20 devices "$second"
backs_are 1 && ok paused-robbed || not_ok paused-robbed "$(nr_backs) backends"
expect paused-attach 0 pvhv disk attach devices path=/tmp/disk3,serial=three
expect paused-unload 0 timeout 60 rmmod pvhv-blkback
expect paused-load 0 modprobe pvhv-blkback
expect resume 0 pvhv resume devices
guest_expect resumed 0 60 'until_true 30 reads three && gone two && until_true 20 reads first && fronts_are 2'
end_guest

wait_for 30 backs_are 0 && ok no-backends || not_ok no-backends "$(nr_backs) are left"
same_counts nothing-lost "$before" "$(host_counts)" 2048
nothing_left
no_leaks
expect unloads 0 modprobe -r pvhv-blkback pvhv
exit $failed
