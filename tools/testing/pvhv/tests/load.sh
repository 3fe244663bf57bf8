#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug up cpu-*
# quick: yes
# module: no
# timeout: 120
#
# The module loads and unloads, again and again, and leaves nothing behind.
. ./lib.sh

state() {
	ls /sys/module /dev /sys/class/misc /sys/kernel/debug
	find /proc -maxdepth 1 -name '[!0-9]*'
	wc -l </proc/kallsyms
}

modprobe pvhv || fail "modprobe: $?"
[ -c /dev/pvhv ] || not_ok device "no /dev/pvhv"
modprobe -r pvhv || fail "modprobe -r: $?"

before=$(state)
free=$(free_memory)
for _ in 1 2 3 4 5 6 7 8 9 10; do
	modprobe pvhv || fail "modprobe: $?"
	modprobe -r pvhv || fail "modprobe -r: $?"
done
after=$(state)
if [ "$before" = "$after" ]; then
	ok no-traces
else
	echo "$before" >/tmp/before
	echo "$after" | diff /tmp/before -
	not_ok no-traces "names differ"
fi
now=$(free_memory)
# Ten leaked modules would be 2 MiB and more.
if [ $((free - now)) -lt 1024 ]; then
	ok memory
else
	not_ok memory "$((free - now)) KiB less"
fi
exit $failed
