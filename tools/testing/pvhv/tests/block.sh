#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# boot: split
# needs: guest
# timeout: 1500
#
# Disks of a Linux guest on all kinds of backing stores: file systems, verified
# writes of all kinds, flush, FUA, discard, write-zeroes, limits, partitions.
# shellcheck disable=SC2016 # for the guest's shell
. ./lib.sh
. ./block-lib.sh

modprobe loop || fail "no loop devices"
null_disk null-one 64 cache_size=4
null_one=$null_disk
null_disk null-four 64 blocksize=4096
null_four=$null_disk
# a file system with direct I/O
null_disk null-under 128
mkfs.ext4 -q "$null_disk" && mkdir -p /tmp/fs && mount "$null_disk" /tmp/fs || fail "no file system"
truncate -s 64M /tmp/fs/image
truncate -s 64M /tmp/cached
truncate -s 64M /tmp/looped
loop=$(losetup -f --show /tmp/looped) || fail "no loop device"
dd if=/dev/urandom of=/tmp/readonly bs=1M count=4 2>/dev/null
null_disk null-cached 64 cache_size=4
null_cached=$null_disk

# fio comes with 80 MiB of libraries, which take long to get into an initrd and out again: a disk.
# Where everything is checked they would take ten minutes in any case.
fio=$(rounds "$(command -v fio)" '')
programs=
if [ -n "$fio" ]; then
	null_disk null-programs 128
	mkfs.ext4 -q "$null_disk" && mkdir -p /tmp/programs && mount "$null_disk" /tmp/programs &&
		ldd "$fio" | grep -o '/[^ )]*' | xargs cp -L -t /tmp/programs "$fio" && umount /tmp/programs ||
		fail "no disk of programs"
	programs="--disk path=$null_disk,serial=programs,ro"
fi
# with_programs: in the guest
with_programs() {
	[ -z "$fio" ] || guest_expect "$1-programs" 0 30 'mkdir /programs && mount -t ext4 -o ro $(disk programs) /programs &&
		fio() { LD_LIBRARY_PATH=/programs /programs/fio "$@"; }'
}
make_disk_guest
# shellcheck disable=SC2086 # options
order_guest block --disk "path=$null_one,serial=null" --disk path=/tmp/fs/image,serial=file \
	--disk path=/tmp/cached,serial=cached,cache=writeback --disk "path=$null_four,serial=four" \
	--disk "path=$loop,serial=loop" --disk path=/tmp/readonly,serial=readonly,ro \
	--disk "path=$null_cached,serial=null-cached,cache=writeback" $programs
with_programs block

backings=$(cat "$(back 0)/backing" "$(back 1)/backing" "$(back 2)/backing" "$(back 6)/backing" | paste -sd ' ')
[ "$backings" = "block device file, direct cached cached" ] && ok backings || not_ok backings "$backings"

# the same limits on both sides
for kind in "null $null_one" "four $null_four" "loop $loop"; do
	in_guest 20 "limits ${kind%% *}" >/tmp/limits.guest
	while read -r name _; do
		echo "$name $(cat "/sys/block/$(basename "${kind#* }")/queue/$name")"
	done </tmp/limits.guest >/tmp/limits.host
	# in whole blocks
	sed -i -E 's/^(.*_max.* )([0-9]+)$/echo "\1$((\2 \/ 4096))"/e' /tmp/limits.guest /tmp/limits.host
	[ -s /tmp/limits.host ] && cmp -s /tmp/limits.guest /tmp/limits.host && ok "limits-${kind%% *}" ||
		not_ok "limits-${kind%% *}" "$(diff /tmp/limits.guest /tmp/limits.host | paste -sd ' ')"
done

# Read-only: for the guest's kernel, and for the backend should it not care
sum=$(md5sum </tmp/readonly | cut -d' ' -f1)
guest_expect readonly-reads 0 60 "dd if=\$(disk readonly) bs=1M 2>/dev/null | md5sum | grep $sum"
guest_expect readonly-refuses 1 60 'dd if=/dev/zero of=$(disk readonly) bs=4k count=1'
guest_expect readonly-known 0 10 '[ $(blockdev --getro $(disk readonly)) = 1 ]'

for kind in null file cached four loop null-cached; do
	block=512
	[ $kind != four ] || block=4096
	guest_expect "fs-$kind" 0 200 "file_system $kind"
	guest_expect "verify-$kind" 0 300 "verify $kind $block"
done

# what others use to find errors: two jobs, each verifies what it has written, with flushes
fio_options='--direct=1 --ioengine=io_uring --iodepth=16 --bsrange=4k-64k --verify=crc32c --verify_fatal=1 --fsync=64 \
	--size=4M --offset_increment=16M --group_reporting'
for kind in ${fio:+null file cached null-cached}; do
	guest_expect "fio-$kind" 0 200 "fio --filename=\$(disk $kind) $fio_options --numjobs=2 \
		--name=random --rw=randwrite --name=mixed --stonewall --rw=randrw \
		--name=sequential --stonewall --rw=write >/tmp/fio 2>&1 || { tail -n 3 /tmp/fio; false; }"
done

# Batches: many requests for one exit of the guest, and for one interrupt
counts() { echo "$(($(back_stat 0 read_requests) + $(back_stat 0 write_requests))) $(back_stat 0 runs) $(back_stat 0 notifications_sent)"; }
before=$(counts)
guest_expect depth-32 0 100 'iocheck $(disk null) 4096 32 random 16777216 0 0'
after=$(counts)
echo "$before $after" | awk '{
	printf "# depth 32: %d requests, %d notifications to the backend, %d to the guest\n", $4 - $1, $5 - $2, $6 - $3
	exit $4 == $1 || 2 * ($5 - $2) > $4 - $1 }' && ok batches || not_ok batches "$before, then $after"

# 1 MiB is one request, with 256 pages that are nowhere near each other
for kind in '0 null' '1 file'; do
	index=${kind% *} kind=${kind#* }
	guest_expect "largest-$kind" 0 10 "[ \$(cat /sys/block/\$(basename \$(disk $kind))/queue/max_hw_sectors_kb) = 1024 ]"
	before=$(back_stat "$index" write_requests)
	in_guest 60 "/bin/dd if=/dev/zero of=\$(disk $kind) bs=1M count=8 oflag=direct 2>/dev/null"
	after=$(back_stat "$index" write_requests)
	[ $((after - before)) = 8 ] && ok "unsplit-$kind" || not_ok "unsplit-$kind" "$((after - before)) requests for 8 MiB"
done

# what was written is there
for kind in "null $null_one" "file /tmp/fs/image" "cached /tmp/cached" "four $null_four" \
	"loop /tmp/looped" "null-cached $null_cached"; do
	name=${kind%% *}
	in_guest 100 "dd if=/dev/urandom of=/tmp/random bs=1M count=3 2>/dev/null; \
		dd if=/tmp/random of=\$(disk $name) bs=256k seek=40 oflag=direct 2>/dev/null; \
		dd if=/tmp/random of=\$(disk $name) bs=64k seek=320 conv=fsync 2>/dev/null; \
		md5sum </tmp/random" >/tmp/sum
	sum=$(cut -d' ' -f1 </tmp/sum)
	same_md5 "written-$name" "$sum" "${kind#* }" 10 3
	same_md5 "written-cached-$name" "$sum" "${kind#* }" 20 3
done

# Flush and FUA arrive at the device. With a path, because busybox's shell prefers its
# own dd and blkdiscard.
trace=/sys/kernel/tracing
[ -d $trace/events ] || mount -t tracefs none $trace
seen() {
	echo 0 >$trace/tracing_on
	grep -q "block_bio_queue: $dev $1 " $trace/trace && ok "$2" ||
		not_ok "$2" "$(grep "block_bio_queue: $dev" $trace/trace | tail -n 2 | paste -sd ' ')"
	: >$trace/trace
	echo 1 >$trace/tracing_on
}
dev=$(tr : , <"/sys/block/$(basename "$null_one")/dev")
echo 1 >$trace/events/block/block_bio_queue/enable
in_guest 20 '/bin/dd if=/dev/zero of=$(disk null) bs=4k count=1 seek=100 oflag=direct,dsync 2>/dev/null'
seen 'WFS' fua
in_guest 20 'dd if=/dev/zero of=$(disk null) bs=4k count=1 seek=100 conv=fsync 2>/dev/null'
seen 'FW' flush
dev=$(tr : , <"/sys/block/$(basename "$null_cached")/dev")
in_guest 20 'dd if=/dev/zero of=$(disk null-cached) bs=4k count=1 seek=100 conv=fsync 2>/dev/null'
seen 'FWS' flush-null-cached
echo 0 >$trace/events/block/block_bio_queue/enable
for i in 0 1 2 6; do
	[ "$(back_stat $i flush_requests)" -gt 0 ] && ok "flushes-$i" || not_ok "flushes-$i" "none"
done

# All of pvhv's tracepoints but those of copies, with this guest's numbers in their fields
domain=$(back 0)
domain=${domain##*/pvhv-blk-back-}
domain=${domain%-0}
: >$trace/trace
echo 1 >$trace/events/pvhv/enable
pvhv disk attach block path=/tmp/readonly,serial=traced,ro >/tmp/traced.name 2>&1
in_guest 20 'until_true 10 disk traced; dd if=$(disk traced) of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null
	dd if=/dev/zero of=$(disk null) bs=4k count=1 oflag=direct 2>/dev/null'
pvhv disk detach block "$(cat /tmp/traced.name)" >/dev/null 2>&1
in_guest 20 'until_true 10 gone traced'
echo 0 >$trace/events/pvhv/enable
cat $trace/trace >/tmp/traced
while read -r event fields; do
	grep -qE "pvhv_$event: $fields\$" /tmp/traced && ok "trace-$event" ||
		not_ok "trace-$event" "no '$fields' in $(grep -c "pvhv_$event:" /tmp/traced): $(grep -m 1 "pvhv_$event:" /tmp/traced)"
done <<EOF
exit vcpu 0 reason 0x[0-9a-f]+ error_code (0|0x[0-9a-f]+) rip 0x[0-9a-f]+ user
hypercall vcpu 0 nr [0-9]+ args (0|0x[0-9a-f]+) (0|0x[0-9a-f]+) (0|0x[0-9a-f]+) (0|0x[0-9a-f]+)
event vcpu 0 vector [0-9]+ error_code (0|0x[0-9a-f]+) cr2 (0|0x[0-9a-f]+)
page_fault vcpu 0 gva 0x[0-9a-f]+ error_code 0x[0-9a-f]+ result [0-9]+
event_send domain $domain port [1-9][0-9]* to domain 0 port 0
grant_map owner $domain ref [0-9]+ user 0 write result 0
grant_map owner $domain ref [0-9]+ user 0 read result 0
grant_unmap owner $domain ref [0-9]+ user 0 write result 0
grant_unmap owner $domain ref [0-9]+ user 0 read result 0
device device [0-9]+ frontend state [0-9] to [0-9] flags (0|0x[0-9a-f]+)
device device [0-9]+ backend state [0-9] to [0-9] flags (0|0x[0-9a-f]+)
EOF

# discard and write-zeroes
for kind in null file cached loop; do
	guest_expect "discard-$kind" 0 60 "dd if=/tmp/random of=\$(disk $kind) bs=1M count=2 oflag=direct 2>/dev/null; \
		! zero $kind 1M && blkdiscard -o 0 -l 1M \$(disk $kind) && zero $kind 1M && ! zero $kind 1025k"
done
# null_blk has no write-zeroes, which is what a discard through the page cache would need
guest_expect discard-null-cached 0 10 '[ $(limits null-cached | grep -c -e "discard_max_hw_bytes 0" -e "write_zeroes_max_bytes 0") = 2 ]'
for kind in null file cached loop null-cached; do
	guest_expect "zeroes-$kind" 0 60 "dd if=/tmp/random of=\$(disk $kind) bs=1M count=2 oflag=direct 2>/dev/null; \
		/bin/blkdiscard -z -o 0 -l 1M \$(disk $kind) && zero $kind 1M && ! zero $kind 1025k"
done
before=$(du -k /tmp/fs/image | cut -f1)
guest_expect discard-all 0 60 'blkdiscard $(disk file)'
after=$(du -k /tmp/fs/image | cut -f1)
[ "$after" -lt 1024 ] && [ "$before" -gt 4096 ] && ok file-shrinks || not_ok file-shrinks "from $before to $after KiB"

guest_expect partitions 0 60 'd=$(disk null); printf "n\np\n1\n\n+16M\nn\np\n2\n\n\nw\n" | fdisk $d &&
	until_true 5 [ -b ${d}2 ] && [ $(blockdev --getsz ${d}1) = 32768 ]'

# not those on tmpfs, which cannot write zeroes without a hole, and once says so
for i in 0 1 3 6; do
	[ "$(back_stat $i errors)" = 0 ] && [ -z "$(cat "$(back $i)/fault")" ] && ok "no-errors-$i" ||
		not_ok "no-errors-$i" "$(back_stat $i errors) errors, $(cat "$(back $i)/fault")"
done
end_guest

# several queues, and vCPUs that use them all at the same time
# shellcheck disable=SC2086 # options
order_guest queues --cpus 4 --disk "path=$null_one,serial=null,queues=3" $programs
with_programs queues
guest_expect queues 0 20 '[ "$(ls /sys/block/pvda/mq | wc -l)" = 3 ]'
guest_expect queues-data 0 300 'pids=
	for i in 0 1 2 3; do
		taskset $((1 << i)) iocheck $(disk null) 512 8 mixed 2097152 $((i * 4194304)) 0 & pids="$pids $!"
	done
	for pid in $pids; do wait $pid || exit 1; done'
[ -z "$fio" ] || guest_expect queues-fio 0 200 "fio --filename=\$(disk null) $fio_options --numjobs=4 \
	--cpus_allowed=0-3 --cpus_allowed_policy=split --name=mixed --rw=randrw --name=sequential --stonewall --rw=write \
	>/tmp/fio 2>&1 || { tail -n 3 /tmp/fio; false; }"
guest_expect queues-used 0 20 'grep pvhv-blk-front-0 /proc/interrupts;
	[ "$(awk "/pvhv-blk-front-0/ && \$2 + \$3 + \$4 + \$5 > 10" /proc/interrupts | wc -l)" = 3 ]'
end_guest
umount /tmp/fs
losetup -d "$loop"
nothing_left
no_leaks
exit $failed
