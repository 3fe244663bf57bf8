#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock
# needs: guest programs
# copy: build/programs/vmlinuz:/root/vmlinuz
# timeout: 300
# quick: yes
#
# What pvhv run is given that is wrong, also as disks and network devices: one clear line, a status,
# no leftovers.
. ./lib.sh

# refused NAME STATUS COMMAND...
refused() {
	name=$1 wanted=$2
	shift 2
	timeout 60 "$@" </dev/null >/tmp/out 2>&1
	status=$?
	lines=$(wc -l </tmp/out)
	if [ $status = "$wanted" ] && [ "$lines" = 1 ]; then
		echo "# $(cat /tmp/out)"
		ok "$name"
	else
		head -n 5 /tmp/out
		not_ok "$name" "status $status, not $wanted, $lines lines: $(head -n 1 /tmp/out)"
	fi
}

size=$(stat -c %s $guest_kernel)
echo hello >/tmp/text
: >/tmp/empty
head -c 1000 $guest_kernel >/tmp/short
head -c $((size / 2)) $guest_kernel >/tmp/half
# no ELF note of ours: an ordinary program
cp /bin/busybox /tmp/program
{ printf '\177ELF'; head -c 5000 /dev/urandom; } >/tmp/garbage
# the second byte of a field of the ELF header: 32 bits, another processor
patched() { cp $guest_kernel "$1" && printf '%b' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null; }
patched /tmp/elf32 4 '\0001'
patched /tmp/arm 18 '\0267'
# a bzImage: half of it, and one with other bytes in its middle
bzimage=/usr/lib/pvhv/bzImage-guest
bzsize=$(stat -c %s $bzimage)
head -c $((bzsize / 2)) $bzimage >/tmp/half-bz
cp $bzimage /tmp/bad-bz
dd if=/dev/urandom of=/tmp/bad-bz bs=1k seek=$((bzsize / 2048)) count=16 conv=notrunc 2>/dev/null
truncate -s 300M /tmp/large

# Disks and interfaces that are in use, also by a guest, which needs not run for that
truncate -s 8M /tmp/image /tmp/taken /tmp/disk
truncate -s 1000 /tmp/odd
rm -f /tmp/fifo
mkfifo /tmp/fifo
install -m 444 /tmp/disk /tmp/readonly
install -m 600 /tmp/disk /tmp/private
# what would be loaded in the middle, and say so in the log
modprobe -a loop bridge
mkfs.ext4 -q -F /tmp/image && mount -o loop /tmp/image /mnt || fail "nothing is mounted"
mounted=$(findmnt -n -o SOURCE /mnt)
chgrp pvhv /dev/pvhv
pvhv run --name holder --disk path=/tmp/taken --net ifname=taken0 </dev/null >/tmp/holder.out 2>&1 &
holder=$!
holds() { pvhv net list holder | grep -q taken0; }
wait_for 60 holds && pvhv pause holder || fail "no guest holds them: $(tail -n 1 /tmp/holder.out)"
devices() { find /sys/class/net /sys/bus/pvhv/devices -type l | sed 's,.*/,,' | sort | paste -sd ' '; }
devices_before=$(devices)
# of a host on a busy machine
log() { dmesg | grep -v -e 'pvhv-test:' -e 'hrtimer: interrupt took'; }
before=$(log | wc -l)

refused text 1 pvhv run --kernel /tmp/text
refused empty 1 pvhv run --kernel /tmp/empty
refused header-only 1 pvhv run --kernel /tmp/short
refused truncated 1 pvhv run --kernel /tmp/half
refused program 1 pvhv run --kernel /tmp/program
refused garbage 1 pvhv run --kernel /tmp/garbage
refused elf32 1 pvhv run --kernel /tmp/elf32
refused another-processor 1 pvhv run --kernel /tmp/arm
refused truncated-bzimage 1 pvhv run --kernel /tmp/half-bz
refused damaged-bzimage 1 pvhv run --kernel /tmp/bad-bz
refused directory 1 pvhv run --kernel /tmp
refused missing 1 pvhv run --kernel /tmp/nothing
refused missing-initrd 1 pvhv run --initrd /tmp/nothing
refused initrd-directory 1 pvhv run --initrd /tmp
refused initrd-too-large 1 pvhv run --initrd /tmp/large
refused console-path 1 pvhv run --console file:/nothing/there
refused console-kind 1 pvhv run --console teletype
refused on-crash 1 pvhv run --on-crash dance
refused no-cpus 1 pvhv run --cpus 0
refused too-many-cpus 1 pvhv run --cpus 65
refused cpus-above-max 1 pvhv run --cpus 2,max=1
refused odd-cpus 1 pvhv run --cpus all
refused unknown-feature 1 pvhv run --cpu-features -teleport
refused needed-feature 1 pvhv run --cpu-features -avx,-sse2
refused added-feature 1 pvhv run --cpu-features +avx
refused odd-features 1 pvhv run --cpu-features avx
refused no-feature 1 pvhv run --cpu-features -avx,
refused append-too-long 1 pvhv run --append "$(seq 1 2000 | tr '\n' ' ')"
refused no-memory 1 pvhv run --memory 1M
refused odd-memory 1 pvhv run --memory lots
refused too-much-memory 1 pvhv run --memory 1000000G
refused bad-name 1 pvhv run --name 'a/b'
refused bad-option 1 pvhv run --nonsense
# another distribution's kernel, without PVHV_GUEST
refused foreign-kernel 1 pvhv run --kernel /root/vmlinuz
refused no-permission 2 runuser -u outsider -- pvhv run
refused control-of-none 1 pvhv kill nobody
refused no-command 1 pvhv
refused unknown-command 1 pvhv dance

refused disk-missing 1 pvhv run --disk path=/tmp/nothing
refused disk-directory 1 pvhv run --disk path=/tmp
refused disk-character-device 1 pvhv run --disk path=/dev/null
refused disk-fifo 1 pvhv run --disk path=/tmp/fifo
refused disk-empty 1 pvhv run --disk path=/tmp/empty
refused disk-odd-size 1 pvhv run --disk path=/tmp/odd
refused disk-mounted 1 pvhv run --disk "path=$mounted"
refused disk-mounted-ro 1 pvhv run --disk "path=$mounted,ro"
refused disk-taken 1 pvhv run --disk path=/tmp/taken
refused disk-taken-ro 1 pvhv run --disk path=/tmp/taken,ro
refused disk-twice 1 pvhv run --disk path=/tmp/disk --disk path=/tmp/disk
same=path=/tmp/disk,ro,serial=a
refused disk-serial-twice 1 pvhv run --disk $same --disk $same
refused disk-odd-serial 1 pvhv run --disk path=/tmp/disk,serial=a/b
refused disk-long-serial 1 pvhv run --disk "path=/tmp/disk,serial=$(seq -s . 20)"
refused disk-no-path 1 pvhv run --disk ro
refused disk-odd-cache 1 pvhv run --disk path=/tmp/disk,cache=most
refused disk-odd-option 1 pvhv run --disk path=/tmp/disk,speed=high
refused disk-no-queues 1 pvhv run --disk path=/tmp/disk,queues=0
refused disk-queues 1 pvhv run --disk path=/tmp/disk,queues=25
# more than max_queues of the backend
refused disk-queues-of-the-module 1 pvhv run --disk path=/tmp/disk,queues=9
refused disk-to-write 1 runuser -u user -- pvhv run --disk path=/tmp/readonly
refused disk-private 1 runuser -u user -- pvhv run --disk path=/tmp/private
refused net-odd-mac 1 pvhv run --net mac=zz
refused net-short-mac 1 pvhv run --net mac=02:00:00:00:00
refused net-multicast-mac 1 pvhv run --net mac=01:00:5e:00:00:01
refused net-no-mac 1 pvhv run --net mac=00:00:00:00:00:00
refused net-mac-twice 1 pvhv run --net mac=02:00:00:00:00:01 --net mac=02:00:00:00:00:01
refused net-name-of-the-host 1 pvhv run --net ifname=lo
refused net-name-of-a-guest 1 pvhv run --net ifname=taken0
refused net-name-twice 1 pvhv run --net ifname=new0 --net ifname=new0
refused net-long-name 1 pvhv run --net ifname=0123456789abcdef
refused net-odd-name 1 pvhv run --net ifname=a/b
# no name for an interface, as the kernel finds when the backend registers it
refused net-name-of-all 2 pvhv run --net ifname=all
refused net-no-bridge 1 pvhv run --net bridge=none
refused net-not-a-bridge 1 pvhv run --net bridge=lo
refused net-small-mtu 1 pvhv run --net mtu=20
refused net-large-mtu 1 pvhv run --net mtu=65536
refused net-no-queues 1 pvhv run --net queues=0
refused net-queues 1 pvhv run --net queues=9
refused net-odd-option 1 pvhv run --net speed=10
refused net-no-permission 2 runuser -u user -- pvhv run --net
refused name-taken 1 pvhv run --name holder
refused attach-missing 1 pvhv disk attach holder path=/tmp/nothing
refused attach-twice 1 pvhv disk attach holder path=/tmp/taken
refused attach-net-name 1 pvhv net attach holder ifname=lo
refused attach-not-a-bridge 1 pvhv net attach holder bridge=lo
refused attach-to-none 1 pvhv disk attach nobody path=/tmp/disk
refused detach-none 1 pvhv disk detach holder pvdx
[ "$(devices)" = "$devices_before" ] && ok no-devices || not_ok no-devices "$(devices)"
[ "$(log | wc -l)" = "$before" ] && ok kernel-log || not_ok kernel-log "$(log | tail -n 1)"
pvhv kill holder
wait $holder
umount /mnt
rmmod pvhv-blkback pvhv-netback
# a host that has none of them
printf 'install %s /bin/false\n' pvhv-blkback pvhv-netback >/etc/modprobe.d/no-backends.conf
refused disk-no-backend 2 pvhv run --disk path=/tmp/disk
refused net-no-backend 2 pvhv run --net
rm /etc/modprobe.d/no-backends.conf
[ "$(awk '$1 == "pvhv" {print $3}' /proc/modules)" = 0 ] && ok unused || not_ok unused "$(grep ^pvhv /proc/modules)"
[ -z "$(ls -A /run/pvhv 2>/dev/null)" ] && ok no-sockets || not_ok no-sockets "$(ls /run/pvhv)"
modprobe -r pvhv
refused no-module 2 pvhv run
modprobe pvhv

[ -z "$(pvhv list | sed 1d)" ] && ok no-domains || not_ok no-domains "$(pvhv list | tail -n 1)"
unloads
exit $failed
