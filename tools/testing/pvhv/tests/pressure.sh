#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# needs: guest programs
# copy: build/programs:/root/programs
# timeout: 900
#
# The host takes pages away from guests that use them: swap, proactive reclaim,
# KSM, huge pages made and split. Guests see what they wrote.
. ./lib.sh

modprobe zram 2>/dev/null
[ -b /dev/zram0 ] || fail "no zram"
echo 768M >/sys/block/zram0/disksize
mkswap /dev/zram0 >/dev/null && swapon /dev/zram0 || fail "no swap"
group=/sys/fs/cgroup/guest
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir $group

# What nothing takes away is in all of them: the guest's kernel and its tables
# are in RAM that may be swapped like the rest.
counter() { awk -v n="$1" '$1 == n {print $2}' /proc/vmstat; }

# work NAME MIB SECONDS: a guest in the group that verifies memory, started. Longer than an
# idle machine needs to be disturbed so often
work() {
	echo "verify $2 $3" >/tmp/test
	make_guest /tmp/test programs/verify
	start_guest "$1" --append 'quiet loglevel=1'
	echo "$guest_pid" >$group/cgroup.procs
}

# done_with NAME COUNTER START LEAST: results of a guest, and that it was
# disturbed: so many events of /proc/vmstat since START
done_with() {
	wait "$guest_pid"
	guest_results "$1" $?
	events=$(($(counter "$2") - $3))
	echo "# $1: $2 $events"
	[ $events -ge "$4" ] || not_ok "$1-happened" "only $events times $2"
}

# A limit below what the guest uses
start=$(counter pswpout)
echo 72M >$group/memory.max
work limited 48 "$(at_length 10 6)"
done_with limited pswpout "$start" 5000
echo max >$group/memory.max

# Pages written out one by one while they are used
start=$(counter pswpin)
work paged-out 16 "$(at_length 15 8)"
programs/disturb pageout "$guest_pid" >/dev/null
done_with paged-out pswpin "$start" 500

# Proactive reclaim
start=$(counter pswpin)
work reclaimed 32 "$(at_length 15 8)"
while kill -0 "$guest_pid" 2>/dev/null; do
	echo 12M >$group/memory.reclaim
	sleep 1
done 2>/dev/null
done_with reclaimed pswpin "$start" 2000

# Equal pages of two guests become one, and are copied again when written.
echo 2000 >/sys/kernel/mm/ksm/pages_to_scan
echo 10 >/sys/kernel/mm/ksm/sleep_millisecs
echo 1 >/sys/kernel/mm/ksm/run
export LD_PRELOAD="$PWD/programs/preload.so" PVHV_MERGEABLE=1
work merged 24 "$(at_length 15 8)"
first=$guest_pid
start_guest merged-too --append 'quiet loglevel=1'
unset LD_PRELOAD PVHV_MERGEABLE
most=0
while kill -0 "$guest_pid" 2>/dev/null; do
	now=$(cat /sys/kernel/mm/ksm/pages_sharing)
	[ "$now" -le "$most" ] || most=$now
	sleep 0.5
done 2>/dev/null
wait "$guest_pid"
guest_results merged-too $?
wait "$first"
guest_results merged $?
echo "# merged: $most pages were shared"
[ "$most" -ge 1000 ] && ok merged-happened || not_ok merged-happened "only $most pages were shared"
echo 0 >/sys/kernel/mm/ksm/run

# Huge pages are made of small ones and split again.
echo never >/sys/kernel/mm/transparent_hugepage/enabled
start=$(counter thp_collapse_alloc)
work collapsed 16 5
programs/disturb collapse "$guest_pid" >/dev/null &
disturb=$!
programs/disturb pageout "$guest_pid" >/dev/null
wait $disturb
done_with collapsed thp_collapse_alloc "$start" 5
echo always >/sys/kernel/mm/transparent_hugepage/enabled

# Not even with swap is there enough: the OOM killer takes the launcher, and
# nothing is left of the domain.
echo 40M >$group/memory.max
echo 0 >$group/memory.swap.max
work killed 96 20
wait "$guest_pid"
status=$?
[ $status = 137 ] && ok oom-kill || not_ok oom-kill "status $status: $(tail -n 1 /tmp/killed.out)"
[ -z "$(pvhv list | sed 1d)" ] || not_ok oom-list "$(pvhv list | tail -n 1)"
# Pages that were being written out when their guest ended stay in the swap cache until
# somebody looks at them, and khugepaged may be about to find out that its process is gone.
# What a CPU has been granted in advance, 256 KiB at most, stays.
swapoff /dev/zram0
echo 1 >/proc/sys/vm/drop_caches
nothing_charged() { [ "$(cat "$group/memory.current")" -lt 1000000 ]; }
if wait_for 10 nothing_charged; then
	ok nothing-charged
else
	grep -v ' 0$' $group/memory.stat
	not_ok nothing-charged "$(cat $group/memory.current) bytes"
fi
rmdir $group && ok group-removed || not_ok group-removed "still in use"
unloads
exit $failed
