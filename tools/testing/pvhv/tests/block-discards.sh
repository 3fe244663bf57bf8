#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# needs: test-guests
# timeout: 600
# copy: build/guests.install:/root/guests
#
# A guest fills its rings with discards that take seconds each, and then closes the device,
# breaks a ring, is killed: nobody waits for all of them.
. ./lib.sh
. ./block-lib.sh
modprobe pvhv-blkback && modprobe dm-mod && modprobe dm-delay || fail "no modules"

null_disk null-discards 16
# 128 of them, one after the other: minutes
dmsetup create slow --noudevsync --table "0 32768 delay $null_disk 0 0 $null_disk 0 3000" || fail "no dm device"
dmsetup mknodes slow

# start TEST
start() {
	timeout -k 5 100 pvhv run --name discards --kernel /root/guests/discards.elf --memory 64M --no-reboot \
		--append "test=$1" --disk path=/dev/mapper/slow </dev/null >/tmp/discards.out 2>&1 &
	pid=$!
}
says() { grep -q "$1" /tmp/discards.out; }
closed() { [ "$(dmsetup info -c --noheadings -o open slow)" -eq 0 ]; }
gone() {
	wait_for 20 no_backs && ok "$1-device-gone" || not_ok "$1-device-gone" "it is still there"
	wait_for 5 closed && ok "$1-disk-released" || not_ok "$1-disk-released" "it is still open"
}

for test in closing broken; do
	start "$test"
	wait "$pid"
	tr -d '\r' </tmp/discards.out | grep '^ok\|^not ok'
	says '^done 1' || not_ok "$test-end" "$(tail -n 1 /tmp/discards.out)"
	gone $test
done

start killed
wait_for 60 says '^kill me' || not_ok killed "$(tail -n 1 /tmp/discards.out)"
# who reads the counters can be killed, and does not wait longer than the close
cat /sys/bus/pvhv/devices/pvhv-blk-back-*/in_flight >/dev/null &
reader=$!
pvhv kill discards
wait "$pid"
gone killed
no_reader() { ! kill -0 "$reader" 2>/dev/null; }
wait_for 5 no_reader && ok killed-reader || not_ok killed-reader "it waits"

dmsetup remove --noudevsync slow || not_ok dm-released "still open"
remove_disk null-discards
nothing_left
exit $failed
