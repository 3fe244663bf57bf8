#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug up cpu-*
# long: cpu-max-nopcid cpu-epyc-pti cpu-skylake-nopti cpu-qemu64 cpu-la57
# quick: yes
# module: no
# needs: test-guests test-modules
# copy: build/test-modules:/root/modules build/guests.install:/root/guests
# timeout: 300
#
# The module loads and unloads, again and again, and leaves nothing behind: no name, no
# memory, and no other value in a register of a CPU after guests have run there.
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

insmod "modules/$(uname -r)/pvhv-cpustate.ko" || fail "no cpustate"
cpu_state=/sys/kernel/debug/pvhv-cpustate
cat $cpu_state >/tmp/before
modprobe pvhv || fail "modprobe: $?"
guests/run-all -t 100 guests hello segments debugreg fpu features returns intn
failed=$((failed | $?))
modprobe -r pvhv || fail "modprobe -r: $?"
cat $cpu_state >/tmp/after
if diff /tmp/before /tmp/after; then
	ok registers
else
	not_ok registers "$(diff /tmp/before /tmp/after | sed -n 's/^> //p' | head -n 1)"
fi
rmmod pvhv-cpustate
exit $failed
