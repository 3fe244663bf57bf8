#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# needs: guest programs
# copy: build/programs
# timeout: 900
#
# The host takes pages away from a guest that uses them: swap, reclaim,
# compaction, huge pages. The guest sees what it wrote.
. ./lib.sh

modprobe zram 2>/dev/null
[ -b /dev/zram0 ] || fail "no zram"
echo 768M >/sys/block/zram0/disksize
mkswap /dev/zram0 >/dev/null && swapon /dev/zram0 || fail "no swap"
group=/sys/fs/cgroup/guest
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir $group

echo 'fill 96 6' >/tmp/test
make_guest /tmp/test programs/fill

swapped() { awk '$1 == "pswpout" {print $2}' /proc/vmstat; }

# a limit below what the guest uses
echo 72M >$group/memory.max
start=$(swapped)
sh -c 'echo $$ >/sys/fs/cgroup/guest/cgroup.procs; exec timeout -k 5 300 \
	pvhv run --name limited --initrd /tmp/initrd' </dev/null >/tmp/limited.out 2>&1
guest_results limited $?
[ $(($(swapped) - start)) -gt 5000 ] && ok limited-swaps ||
	not_ok limited-swaps "only $(($(swapped) - start)) pages went to the swap"
echo max >$group/memory.max

# proactive reclaim, compaction and huge pages while it runs
echo always >/sys/kernel/mm/transparent_hugepage/enabled
echo 100 >/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs
echo 'fill 96 12' >/tmp/test
make_guest /tmp/test programs/fill
start=$(swapped)
sh -c 'echo $$ >/sys/fs/cgroup/guest/cgroup.procs; exec timeout -k 5 300 \
	pvhv run --name reclaimed --initrd /tmp/initrd' </dev/null >/tmp/reclaimed.out 2>&1 &
pid=$!
while kill -0 $pid 2>/dev/null; do
	echo 40M >$group/memory.reclaim
	echo 1 >/proc/sys/vm/compact_memory
	sleep 1
done 2>/dev/null
wait $pid
guest_results reclaimed $?
[ $(($(swapped) - start)) -gt 5000 ] && ok reclaim-swaps ||
	not_ok reclaim-swaps "only $(($(swapped) - start)) pages went to the swap"
swapoff /dev/zram0
exit $failed
