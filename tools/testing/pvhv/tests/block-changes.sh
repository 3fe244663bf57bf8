#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# boot: split
# needs: guest
# timeout: 1500
#
# Disks that come, go, grow, fail and wait under a load, backends that are
# unloaded, guests that are killed: and nothing is lost on the host.
# shellcheck disable=SC2016 # for the guest's shell
. ./lib.sh
. ./block-lib.sh
modprobe pvhv-blkback && modprobe dm-mod && modprobe dm-flakey && modprobe dm-delay ||
	fail "no modules"

null_disk null-load 64
load=$null_disk
null_disk null-mapped 32
mapped=$null_disk
truncate -s 32M /tmp/grows /tmp/hot
# table LINE...: of the mapped device
table() {
	printf '%s\n' "$@" >/tmp/table
	dmsetup suspend --noudevsync test && dmsetup load test /tmp/table &&
		dmsetup resume --noudevsync test || fail "no table $*"
}
sectors=65536
dmsetup create test --noudevsync --table "0 $sectors linear $mapped 0" || fail "no dm device"
dmsetup mknodes test

# A small file system, made when it is needed: what is written to it is in this machine's memory.
# It waits when it is told. Its journal must not do so meanwhile: ext4 may wait for it in any
# write, in a vCPU's thread, too, as it changes the file's times.
small_fs() {
	null_disk null-files 16
	dmsetup create files --noudevsync --table "0 32768 linear $null_disk 0" && dmsetup mknodes files &&
		mkfs.ext4 -q -m 0 /dev/mapper/files && mkdir -p /tmp/files &&
		mount -o commit=10000 /dev/mapper/files /tmp/files ||
		fail "no small file system"
}
drop_fs() {
	umount /tmp/files && dmsetup remove --noudevsync files || not_ok files-released "still open"
	remove_disk null-files
}

make_disk_guest
# a first one fills caches
small_fs
drop_fs
order_guest changes --disk "path=$load"
in_guest 60 'dd if=/dev/pvda of=/dev/null bs=1M 2>/dev/null'
end_guest
before=$(host_counts)

order_guest changes --disk "path=$load,serial=load" --disk path=/tmp/grows,serial=grows \
	--disk path=/dev/mapper/test,serial=test
# until it is told to end; a wrong sector ends it, too
in_guest 20 'iocheck $(disk load) 512 16 mixed 8388608 0 3000 >/tmp/load.out 2>&1 & sleep 2'
loaded() { in_guest 20 'kill -0 $(pidof iocheck)' >/dev/null; }
loaded && ok load || not_ok load "it does not run: $(in_guest 10 'cat /tmp/load.out' | tail -n 3 | paste -sd ' ')"

# online resize: by file and by hand, under a load of its own, then smaller again
grow() {
	in_guest 20 "until_true 10 size_is grows $1" >/dev/null && ok "$2" ||
		not_ok "$2" "$(in_guest 10 'cat /sys/block/pvdb/size') sectors, not $1"
}
truncate -s 48M /tmp/grows
expect resize-told 0 pvhv disk resize changes pvdb
grow 98304 resize-grows
expect resize-by-size 0 pvhv disk resize changes pvdb 64M
grow 131072 resize-to-size
guest_expect resize-new-end 0 20 'dd if=/dev/zero of=$(disk grows) bs=1M seek=63 count=1 oflag=direct'
in_guest 20 'iocheck $(disk grows) 512 8 mixed 8388608 0 3000 >/tmp/grows.out 2>&1 & echo $! >/tmp/grows.pid; sleep 1'
for i in $(seq 1 20); do
	pvhv disk resize changes pvdb $((64 + i))M >/dev/null || not_ok "resize-$i" "status $?"
done
grow $((84 * 2048)) resize-20-times
guest_expect resize-busy 0 20 'kill $(cat /tmp/grows.pid)' # it still runs
truncate -s 40M /tmp/grows
expect resize-shrink 0 pvhv disk resize changes pvdb
grow $((40 * 2048)) resize-shrinks
guest_expect resize-old-end 1 20 'dd if=/dev/zero of=$(disk grows) bs=1M seek=63 count=1 oflag=direct'

# hot plug
for i in 1 2 3 4 5 6 7 8 9 10; do
	pvhv disk attach changes "path=/tmp/hot,serial=hot$i" >/tmp/attached 2>&1 || {
		not_ok "attach-$i" "$(cat /tmp/attached)"
		break
	}
	in_guest 20 "until_true 10 disk hot$i && dd if=\$(disk hot$i) of=/dev/null bs=1M count=2 2>/dev/null" \
		>/dev/null || not_ok "attach-$i" "not seen by the guest"
	pvhv disk detach changes "$(cat /tmp/attached)" >/tmp/detached 2>&1 || not_ok "detach-$i" "$(cat /tmp/detached)"
	in_guest 20 "until_true 10 gone hot$i" >/dev/null || not_ok "detach-$i" "still there"
done
[ "$i" = 10 ] && ok hot-plug
expect attach-again 0 pvhv disk attach changes path=/tmp/hot,serial=hot
expect attach-busy 1 pvhv disk attach changes path=/tmp/hot
expect attach-nothing 1 pvhv disk attach changes path=/nonexistent
expect attach-directory 1 pvhv disk attach changes path=/tmp
expect attach-mounted 1 pvhv disk attach changes path=/dev/mapper/test
guest_expect hot-mounted 0 60 'mkfs.ext4 -q $(disk hot) && mkdir -p /hot && mount -t ext4 $(disk hot) /hot'
expect detach-mounted 1 pvhv disk detach --timeout 3 changes pvdd
guest_expect detach-waits 0 60 'dd if=/dev/zero of=/hot/f bs=4k count=1 conv=fsync 2>/dev/null && umount /hot'
guest_expect detach-goes 0 60 'until_true 10 gone hot'
wait_for 10 pvhv disk attach changes path=/tmp/hot,serial=hot && ok attach-third || not_ok attach-third "$(pvhv disk list changes | tail -n 1)"
guest_expect hot-mounted-again 0 60 'until_true 10 disk hot && mount -t ext4 $(disk hot) /hot'
expect detach-force 0 pvhv disk detach --force changes pvdd
guest_expect hot-gone 0 60 'until_true 10 gone hot; ! dd if=/dev/zero of=/hot/f bs=4k count=1 conv=fsync 2>/dev/null;
	umount /hot'
loaded && ok load-goes-on || not_ok load-goes-on "$(in_guest 10 'cat /tmp/load.out' | tail -n 3 | paste -sd ' ')"

# errors of the host's disk arrive in the guest, and only where they are
reads() { echo "dd if=\$(disk test) of=/dev/null bs=4k skip=$1 count=1 iflag=direct"; }
writes() { echo "dd if=/dev/zero of=\$(disk test) bs=4k seek=$1 count=1 oflag=direct"; }
guest_expect before-errors 0 20 "$(reads 128) && $(writes 128)"
table "0 1024 linear $mapped 0" "1024 8 error" "1032 $((sectors - 1032)) linear $mapped 1032"
guest_expect error-read 1 20 "$(reads 128)"
grep -q 'I/O error\|Input/output error' /tmp/order.shown && ok error-is-eio || not_ok error-is-eio "$(tail -n 1 /tmp/order.shown)"
guest_expect error-write 1 20 "$(writes 128)"
guest_expect error-elsewhere 0 20 "$(reads 127) && $(reads 129) && $(writes 129)"
table "0 $sectors flakey $mapped 0 0 100 1 error_writes"
guest_expect flakey-write 1 20 "$(writes 128)"
guest_expect flakey-read 0 20 "$(reads 128)"
table "0 $sectors delay $mapped 0 700"
guest_expect delayed 0 20 "a=\$(cut -d' ' -f1 /proc/uptime | tr -d .); $(reads 128);
	b=\$(cut -d' ' -f1 /proc/uptime | tr -d .); [ \$((b - a)) -ge 65 ]"
table "0 $sectors linear $mapped 0"
guest_expect after-errors 0 20 "$(reads 128) && $(writes 128)"

# Of other kinds, each arrives as itself. With a path: not the shell's own dd
fails_with() {
	guest_expect "$1" 0 60 "! /bin/dd $3 2>/tmp/said && { grep -q \"$2\" /tmp/said || { cat /tmp/said; false; }; }"
}
small_fs
truncate -s 64M /tmp/files/direct /tmp/files/cached
dd if=/dev/urandom of=/tmp/files/image bs=1M count=1 conv=fsync 2>/dev/null	# for later
dd if=/dev/zero of=/tmp/files/rest bs=64k conv=fsync 2>/dev/null
for kind in direct cached; do
	cache=
	[ $kind = direct ] || cache=,cache=writeback
	pvhv disk attach changes "path=/tmp/files/$kind,serial=$kind$cache" >/tmp/attached 2>&1 ||
		not_ok "full-$kind" "$(cat /tmp/attached)"
	in_guest 20 "until_true 10 disk $kind"
	write="if=/dev/zero of=\$(disk $kind) bs=64k count=16 oflag=direct"
	fails_with "full-$kind" 'No space left on device' "$write"
	rm -f /tmp/files/rest
	sync
	guest_expect "full-no-more-$kind" 0 20 "/bin/dd $write"
	dd if=/dev/zero of=/tmp/files/rest bs=64k conv=fsync 2>/dev/null
	expect "full-detach-$kind" 0 pvhv disk detach changes "$(cat /tmp/attached)"
done
rm -f /tmp/files/rest /tmp/files/direct /tmp/files/cached

# the backend goes with requests in flight, and comes again
table "0 $sectors delay $mapped 0 2000"
in_guest 20 'rm -f /tmp/late; { dd if=$(disk test) of=/dev/null bs=64k count=8 iflag=direct; echo $? >/tmp/late; } 2>/dev/null & sleep 1'
expect unload 0 timeout 60 rmmod pvhv-blkback
guest_expect unload-ends-requests 0 30 'until_true 20 [ -s /tmp/late ]'
guest_expect unload-fails-requests 1 20 "$(reads 0)"
table "0 $sectors linear $mapped 0"
expect reload 0 modprobe pvhv-blkback
guest_expect reload-connects 0 60 "for i in 1 2 3 4 5 6 7 8 9 10; do $(reads 0) && break; sleep 1; done; $(reads 0) && $(writes 5)"
guest_expect reload-load 0 200 "killall iocheck; sleep 1; verify load 512"
for i in 1 2 3 4 5; do
	timeout 60 rmmod pvhv-blkback && modprobe pvhv-blkback || not_ok "reload-$i" "status $?"
done
guest_expect reload-5-times 0 60 "for i in 1 2 3 4 5 6 7 8 9 10; do $(reads 0) && break; sleep 1; done; $(reads 0)"

# the device itself goes with requests in flight
if modprobe sd_mod 2>/dev/null && modprobe scsi_debug dev_size_mb=32 ndelay=5000000 2>/dev/null; then
	scsi() { ls -d /sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*/block/*; }
	wait_for 10 scsi >/dev/null
	scsi=$(basename "$(scsi)")
	expect scsi-attach 0 pvhv disk attach changes "path=/dev/$scsi,serial=scsi"
	guest_expect scsi-there 0 20 'until_true 10 disk scsi'
	echo 2 >/sys/bus/pseudo/drivers/scsi_debug/opts	# 0x1234 and nine more
	fails_with scsi-medium 'No data available' 'if=$(disk scsi) of=/dev/null skip=4660 count=1 iflag=direct'
	guest_expect scsi-medium-elsewhere 0 20 '/bin/dd if=$(disk scsi) of=/dev/null skip=4670 count=1 iflag=direct'
	echo 0 >/sys/bus/pseudo/drivers/scsi_debug/opts
	guest_expect scsi-load 0 20 '{ iocheck $(disk scsi) 512 16 mixed 8388608 0 3000 >/tmp/scsi.out 2>&1 & echo $! >/tmp/scsi.pid; } && sleep 1 &&
		kill -0 $(cat /tmp/scsi.pid)'
	echo 1 >"/sys/block/$scsi/device/delete"
	guest_expect scsi-gone 0 60 'until_true 30 [ -s /tmp/scsi.out ]; cat /tmp/scsi.out; grep -q "^iocheck:" /tmp/scsi.out'
	guest_expect scsi-errors 1 20 'dd if=$(disk scsi) of=/dev/null bs=4k count=1 iflag=direct'
	scsi_name=$(pvhv disk list changes | awk -v path="/dev/$scsi" '$NF == path {print $1}')
	expect scsi-detach 0 pvhv disk detach changes "$scsi_name"
	wait_for 20 rmmod scsi_debug && ok scsi-released || not_ok scsi-released "still open"
else
	echo "ok scsi-gone # skip no scsi_debug"
fi

# Killed with I/O in flight: its pages stay until the disk has done with them, whatever
# else wants memory meanwhile. For that the disks wait until they are told.
pvhv disk attach changes path=/tmp/files/image,serial=file >/tmp/attached 2>&1 || not_ok attach-file "$(cat /tmp/attached)"
in_guest 20 'until_true 10 disk file; dd if=/dev/urandom of=/tmp/pattern bs=64k count=16 2>/dev/null; md5sum </tmp/pattern' >/tmp/sum
sum=$(cut -d' ' -f1 /tmp/sum)
file_back=$(dirname "$(grep -l 'file, direct' /sys/bus/pvhv/devices/pvhv-blk-back-*/backing)")
for name in test files; do
	dmsetup suspend --noudevsync --nolockfs --noflush $name || not_ok "suspend-$name" "status $?"
done
medium() { dd if="$mapped" bs=1M count=1 iflag=direct 2>/dev/null | md5sum; }
untouched=$(medium)
in_guest 20 'for to in test file; do for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
	/bin/dd if=/tmp/pattern of=$(disk $to) bs=64k skip=$i seek=$i count=1 oflag=direct 2>/dev/null &
done; done' >/dev/null
in_flight() { [ "$(cat "$(back 2)/in_flight") $(cat "$file_back/in_flight")" = "16 16" ]; }
wait_for 30 in_flight && ok in-flight || not_ok in-flight "$(cat "$(back 2)/in_flight") and $(cat "$file_back/in_flight")"
kill -9 "$guest_pid"
no_memory() { ! grep -q VmRSS "/proc/$guest_pid/status"; }
wait_for 30 no_memory && ok killed-memory || not_ok killed-memory "it still has $(grep VmRSS "/proc/$guest_pid/status")"
# as much as is free, but for what the rest of this machine needs
mkdir -p /tmp/churn && mount -t tmpfs -o size=95% none /tmp/churn &&
	dd if=/dev/zero of=/tmp/churn/f bs=1M 2>/dev/null \
		count="$(awk '$1 == "MemAvailable:" {print int($2 / 1024) - 150}' /proc/meminfo)" || not_ok churn "no memory"
umount /tmp/churn
# not from in_flight, whose reader waits, as its device does, for the requests
[ "$(medium)" = "$untouched" ] && ok killed-in-flight || not_ok killed-in-flight "something was done"
for name in test files; do
	dmsetup resume --noudevsync $name
done
wait "$guest_pid" 2>/dev/null
exec 8>&-
wait_for 30 no_backs && ok killed-devices-gone || not_ok killed-devices-gone "$(ls /sys/bus/pvhv/devices)"
unused() { [ "$(awk '$1 == "pvhv_blkback" {print $3}' /proc/modules)" = 0 ]; }
wait_for 10 unused && ok killed-unused || not_ok killed-unused "$(grep ^pvhv /proc/modules)"
same_md5 killed-block "$sum" /dev/mapper/test 0 1
same_md5 killed-file "$sum" /tmp/files/image
drop_fs
dmsetup remove --noudevsync test && ok disk-released || not_ok disk-released "still open"
# what was written is in this machine's memory: it was next to nothing before
rm -f /tmp/grows /tmp/hot
remove_disk null-load
remove_disk null-mapped
same_counts nothing-lost "$before" "$(host_counts)" 2048
nothing_left
no_leaks
expect unloads 0 modprobe -r pvhv-blkback pvhv
exit $failed
