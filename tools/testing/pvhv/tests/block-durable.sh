#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# boot: split
# needs: guest
# timeout: 900
#
# The host's power fails: what the guest had synced is on the medium, below the page cache
# of the host and the cache of its disk, with every kind of backing store. What it had not
# synced is lost, or the failure would show nothing.
# shellcheck disable=SC2016 # for the guest's shell
. ./lib.sh
. ./block-lib.sh
modprobe dm-mod && modprobe dm-flakey || fail "no device mapper"

kinds="block block-cached file file-cached"
sectors=65536

# Each has a disk of its own, as a flush is one of all that is in a disk's cache. When it is
# switched off, null_blk forgets that cache. What is on its medium already is overwritten
# there, past the cache: each place here is written once.
power() { echo "$2" >"/sys/kernel/config/nullb/null-$1/power" || fail "null_blk: no power $2"; }
# Of a file system: its journal is written when it is asked for, and nothing is made later.
# Either would flush.
make_fs() { mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$1" || fail "no file system on $1"; }
start_fs() { mount -o commit=10000 "/dev/mapper/$1" "/tmp/$1" || fail "$1: no file system"; }
plug_in() {
	dmsetup create "$1" --noudevsync --table "0 $sectors linear /dev/null-$1 0" &&
		dmsetup mknodes "$1" || fail "no dm device"
}

# store_of KIND: path, in $store
store_of() {
	case $1 in
	block*) store=/dev/mapper/$1 ;;
	*) store=/tmp/$1/image ;;
	esac
}
cache_of() {
	case $1 in
	*-cached) echo ,cache=writeback ;;
	esac
}

# make_image KIND: all blocks are the file's, so that only data is written later, and the medium
# has none of them
make_image() {
	dd if=/dev/zero of="/tmp/$1/image" bs=1M count=8 conv=fsync 2>/dev/null || fail "$1: no image"
	filefrag -b512 -v "/tmp/$1/image" >/tmp/extents || fail "$1: no extents"
	awk -F '[ :.]+' '/^ *[0-9]+:/ {print $5 * 512, $7 * 512}' /tmp/extents >/tmp/ranges
	umount "/tmp/$1" || fail "$1: in use"
	while read -r start length; do
		blkdiscard -f -o "$start" -l "$length" "/dev/mapper/$1" >/tmp/said 2>&1 || fail "$1: $(cat /tmp/said)"
	done </tmp/ranges
	[ "$(awk '{n += $2} END {print n}' /tmp/ranges)" = $((8 << 20)) ] || fail "$1: $(cat /tmp/extents)"
	start_fs "$1"
}

# cut_power KIND: nothing reaches the disk from here on
cut_power() {
	dmsetup suspend --noudevsync --nolockfs --noflush "$1" &&
		dmsetup load "$1" --table "0 $sectors flakey /dev/null-$1 0 0 100 1 drop_writes" &&
		dmsetup resume --noudevsync "$1" || fail "no table for $1"
}

# start_again KIND: all that the host's memory held is gone, then the disk's cache
start_again() {
	pvhv disk detach --force durable "$(cat "/tmp/$1.disk")" >/tmp/detached 2>&1 || fail "detach: $(cat /tmp/detached)"
	case $1 in
	file*) wait_for 20 umount "/tmp/$1" || fail "$1: still in use" ;;
	esac
	wait_for 20 dmsetup remove --noudevsync "$1" || fail "$1: still open"
	power "$1" 0
	power "$1" 1
	plug_in "$1"
	case $1 in
	file*) start_fs "$1" ;;
	esac
}

make_disk_guest
order_guest durable
for kind in $kinds; do
	null_disk "null-$kind" 32 cache_size=24
	plug_in "$kind"
	case $kind in
	file*)
		make_fs "/dev/mapper/$kind"
		mkdir -p "/tmp/$kind"
		start_fs "$kind"
		make_image "$kind" ;;
	esac
done

for how in fsync fua; do
	case $how in
	fsync) options=conv=fsync mib=0 ;;
	fua) options=oflag=direct,dsync mib=1 ;;
	esac
	for kind in $kinds; do
		store_of "$kind"
		pvhv disk attach durable "path=$store,serial=$kind-$how$(cache_of "$kind")" >"/tmp/$kind.disk" 2>&1 ||
			fail "attach: $(cat "/tmp/$kind.disk")"
		# with a path, because busybox's shell prefers its own dd
		in_guest 60 "until_true 20 disk $kind-$how && d=\$(disk $kind-$how) &&
			dd if=/dev/urandom of=/tmp/random bs=64k count=16 2>/dev/null &&
			/bin/dd if=/tmp/random of=\$d bs=64k seek=$((mib * 16)) $options 2>/dev/null && md5sum </tmp/random" >/tmp/sum ||
			not_ok "writes-$kind-$how" "$(tail -n 1 /tmp/sum)"
		mv /tmp/sum "/tmp/$kind.synced"
		in_guest 60 "dd if=/dev/urandom of=/tmp/random bs=64k count=16 2>/dev/null &&
			/bin/dd if=/tmp/random of=\$d bs=64k seek=64 oflag=direct 2>/dev/null" >/tmp/more ||
			not_ok "writes-more-$kind-$how" "$(tail -n 1 /tmp/more)"
	done
	for kind in $kinds; do
		cut_power "$kind"
	done
	for kind in $kinds; do
		start_again "$kind"
		store_of "$kind"
		same_md5 "$how-$kind" "$(cut -d' ' -f1 "/tmp/$kind.synced")" "$store" "$mib" 1
		left=$(dd if="$store" bs=1M skip=4 count=1 2>/dev/null | tr -d '\0' | wc -c)
		[ "$left" = 0 ] && ok "$how-lost-$kind" || not_ok "$how-lost-$kind" "$left bytes are there: was the power off?"
	done
done
end_guest
for kind in $kinds; do
	case $kind in
	file*) umount "/tmp/$kind" ;;
	esac
	dmsetup remove --noudevsync "$kind"
	rmdir "/sys/kernel/config/nullb/null-$kind" || not_ok "released-$kind" "still open"
done
nothing_left
exit $failed
