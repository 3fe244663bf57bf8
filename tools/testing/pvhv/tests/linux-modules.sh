#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# needs: guest
# copy: build/guest/modules:/root/guest-modules build/guest/vmlinux-modular:/root/vmlinux-modular
# boot: split
# timeout: 400
#
# A guest whose frontends are modules: with no device, with devices that are there
# before, that come while they are loaded, and that outlive them.
# shellcheck disable=SC2016 # for the guest's shell
. ./lib.sh
. ./block-lib.sh
. ./net-lib.sh

make_guest guest/orders guest/disks:root/disks "$(command -v ip)" \
	guest-modules/pvhv-blkfront.ko:modules/blk.ko guest-modules/pvhv-netfront.ko:modules/net.ko
truncate -s 16M /tmp/first /tmp/second
seq 100000 >/tmp/pattern
dd if=/tmp/pattern of=/tmp/first conv=notrunc status=none
sum=$(head -c 500000 /tmp/first | md5sum | cut -d ' ' -f 1)
modprobe pvhv-blkback
order_guest modules --kernel vmlinux-modular --disk path=/tmp/first --net ifname=mod0

guest_expect none-without 0 30 '[ ! -e /dev/pvda ] && [ ! -e /sys/class/net/eth0 ]'
for round in 1 2; do
	guest_expect "load-$round" 0 30 'insmod /modules/blk.ko && insmod /modules/net.ko'
	guest_expect "disk-$round" 0 60 "until_true 20 [ -b /dev/pvda ] &&
		[ \"\$(head -c 500000 /dev/pvda | md5sum | cut -d ' ' -f 1)\" = $sum ]"
	ip addr replace 10.9.0.1/24 dev mod0
	guest_expect "net-$round" 0 60 'until_true 20 [ -e /sys/class/net/eth0 ] &&
		ip link set eth0 up && ip addr add 10.9.0.2/24 dev eth0 &&
		until_true 20 ping -c 1 -W 1 10.9.0.1'
	guest_expect "in-use-$round" 0 30 'exec 3</dev/pvda; ! rmmod pvhv_blkfront; exec 3<&-'
	check "attach-$round" pvhv disk attach modules path=/tmp/second
	guest_expect "second-$round" 0 30 'until_true 20 [ -b /dev/pvdb ]'
	check "detach-$round" pvhv disk detach modules pvdb
	guest_expect "unload-$round" 0 60 'rmmod pvhv_blkfront && rmmod pvhv_netfront &&
		[ ! -e /dev/pvda ] && [ ! -e /sys/class/net/eth0 ]'
done
# devices that leave while no driver is there
check detach-unused pvhv disk detach modules pvda
check detach-net pvhv net detach modules mod0
end_guest
check unload-backends rmmod pvhv-netback pvhv-blkback
unloads
exit $failed
