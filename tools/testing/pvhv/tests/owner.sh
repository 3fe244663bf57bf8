#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# needs: programs
# copy: build/programs:/root/programs
# timeout: 300
#
# /dev/pvhv in the hands of a program that does everything wrong.
. ./lib.sh
modprobe pvhv-blkback || fail "no pvhv-blkback"
lines=$(dmesg | wc -l)
programs/owner || failed=1
group=/sys/fs/cgroup/small
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir $group
echo 64M >$group/memory.max
sh -c "echo \$\$ >$group/cgroup.procs && exec programs/owner immense" || failed=1
rmdir $group
[ "$(dmesg | wc -l)" = "$lines" ] && ok kernel-log || not_ok kernel-log "$(dmesg | tail -n 1)"
modprobe -r pvhv-blkback
unloads
exit $failed
