#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# boot: split
# needs: guest test-modules
# copy: build/test-modules:/root/modules
# timeout: 900
#
# A Linux guest whose block backend breaks the rules: its requests fail, and nothing else
# happens to it.
# shellcheck disable=SC2016 # for the guest's shell
. ./lib.sh
. ./block-lib.sh

modprobe -r pvhv-blkback 2>/dev/null
insmod "modules/$(uname -r)/pvhv-badback.ko" || fail "no bad backend"
parameters=/sys/module/pvhv_badback/parameters
truncate -s 32M /tmp/disk
make_disk_guest
order_guest badback
in_guest 10 'messages() { dmesg | grep -c "$1" || true; }'
n=0

# a new disk, known to the guest as a letter
attach() {
	n=$((n + 1))
	pvhv disk attach badback "path=/tmp/disk" >/tmp/attached 2>&1 || {
		not_ok "attach-$n" "$(cat /tmp/attached)"
		return 1
	}
	disk=/dev/$(cat /tmp/attached)
}
detach() {
	echo good >$parameters/mode
	pvhv disk detach --force badback "${disk#/dev/}" >/tmp/detached 2>&1 ||
		not_ok "detach-$n" "$(tail -n 1 /tmp/detached)"
}
read_one() { echo "dd if=$disk of=/dev/null bs=64k count=4 iflag=direct"; }

attach
guest_expect good 0 60 "until_true 20 [ -b $disk ] && $(read_one)"
detach

for mode in id-too-large id-not-sent twice prod-too-far prod-back cons-too-far cons-back keep-page; do
	attach || continue
	in_guest 60 "until_true 20 [ -b $disk ]; before=\$(messages 'backend cannot be trusted')"
	echo $mode >$parameters/mode
	# the first request may still be answered well
	guest_expect "$mode-ends" 0 90 "for i in 1 2 3 4 5; do $(read_one) 2>/dev/null; done; true"
	guest_expect "$mode-noticed" 0 20 '[ $(messages "backend cannot be trusted") = $((before + 1)) ]'
	guest_expect "$mode-fails" 1 20 "$(read_one)"
	detach
	guest_expect "$mode-gone" 0 30 "until_true 20 [ ! -b $disk ]"
done

attach
in_guest 60 "until_true 20 [ -b $disk ]"
echo status >$parameters/mode
guest_expect status-is-an-error 1 60 "$(read_one)"
# those that somebody knows, by number: each is an error of its own
while read -r status text; do
	echo "$status" >$parameters/status
	# with a path: not the shell's own dd
	guest_expect "status-$status" 0 20 "! /bin/dd if=$disk of=/dev/null bs=4k count=1 iflag=direct 2>/tmp/said && {
		grep -q \"$text\" /tmp/said || { cat /tmp/said; false; }; }"
done <<EOF
1 Input/output error
2 Operation not supported
3 Connection timed out
4 No space left on device
5 No data available
6 Link has been severed
7 Invalid or incomplete multibyte
8 Cannot allocate memory
9 Input/output error
10 Remote I/O error
11 Invalid exchange
12 No such device
13 Input/output error
EOF
echo good >$parameters/mode
guest_expect status-goes-on 0 60 "$(read_one)"
echo storm >$parameters/mode
guest_expect storm 0 120 "$(read_one)"
echo silent >$parameters/mode
in_guest 20 "{ $(read_one); echo \$? >/tmp/silent; } 2>/dev/null & sleep 1"
detach
guest_expect silent-ends 0 60 'until_true 50 [ -s /tmp/silent ] && [ "$(cat /tmp/silent)" != 0 ]'

# connected, but to what was offered before: it offers again
echo 3 >$parameters/stale
attach
guest_expect other-offer 0 60 "until_true 20 [ -b $disk ] && $(read_one)"
[ "$(cat $parameters/stale)" = 0 ] && ok other-offers-made || not_ok other-offers-made "$(cat $parameters/stale) are left"
detach

# states in any order, see net-badstate
attach
guest_expect states-before 0 60 "until_true 20 [ -b $disk ] && $(read_one)"
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
guest_expect states-again 0 60 "until_true 40 $(read_one)"
detach
# numbers that make no disk
for bad in '0 65536' '1 65536' '511 65536' '513 65536' '8192 65536' '4294967295 65536'; do
	echo "${bad% *}" >$parameters/logical
	attach || continue
	guest_expect "logical-${bad% *}" 0 20 "sleep 1; [ ! -b $disk ] && [ \$(messages 'cannot connect') -gt 0 ]"
	detach
done
echo 512 >$parameters/logical
for size in 0 1 18446744073709551615; do
	echo $size >$parameters/sectors
	attach || continue
	guest_expect "sectors-$size" 0 30 "until_true 20 [ -b $disk ] && blockdev --getsize64 $disk"
	detach
done
echo 65536 >$parameters/sectors
# all but read-only
echo 62 >$parameters/features
attach
guest_expect discard 0 60 "until_true 20 [ -b $disk ] && timeout 40 blkdiscard $disk"
guest_expect zeroes 0 60 "timeout 40 /bin/blkdiscard -z -l 1M $disk"
detach
echo 2 >$parameters/features
# one that goes again before it is there; its name is free afterwards
for _ in 1 2 3 4 5 6; do
	attach
	detach
done
attach
guest_expect good-again 0 60 "until_true 20 [ -b $disk ] && $(read_one)"
detach
guest_expect no-complaint 1 20 'dmesg | grep -E "WARNING|BUG|Oops|blocked for more"'
end_guest
rmmod pvhv-badback && ok unloads || not_ok unloads "rmmod fails"
nothing_left
no_leaks
exit $failed
