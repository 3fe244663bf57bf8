#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# needs: guest
# timeout: 600
#
# A file system of the host's that is frozen: requests wait, not the guest's CPU, nor its end.
# And writes to an image on overlayfs leave nothing behind that a freeze would wait for.
# shellcheck disable=SC2016 # for the guest's shell
. ./lib.sh
. ./block-lib.sh
modprobe pvhv-blkback && modprobe overlay || fail "no modules"

null_disk null-files 32
mkdir -p /tmp/files /tmp/lower /tmp/over
mkfs.ext4 -q "$null_disk" && mount "$null_disk" /tmp/files || fail "no file system"
mkdir /tmp/files/upper /tmp/files/work
truncate -s 8M /tmp/files/image
make_disk_guest

writes='dd if=/dev/zero bs=64k count=64 oflag=direct'
order_guest frozen --disk path=/tmp/files/image,serial=frozen
guest_expect writes 0 20 "$writes of=\$(disk frozen)"

# write_frozen: some that the guest waits for
write_frozen() {
	fsfreeze -f /tmp/files || fail "it does not freeze"
	in_guest 20 "$writes of=\$(disk frozen) 2>/dev/null & echo \$! >/tmp/writer"
	guest_expect "$1" 0 20 'sleep 2; kill -0 $(cat /tmp/writer)'
}
write_frozen goes-on
fsfreeze -u /tmp/files
guest_expect thawed 0 20 'wait $(cat /tmp/writer)'

write_frozen goes-on-again
pvhv kill frozen
gone() { ! kill -0 "$guest_pid" 2>/dev/null; }
wait_for 20 gone && ok ends || not_ok ends "it waits for the disk"
wait_for 20 no_backs && ok device-gone || not_ok device-gone "it waits for the thaw"
fsfreeze -u /tmp/files
wait "$guest_pid"
exec 8>&-

mount -t overlay -o lowerdir=/tmp/lower,upperdir=/tmp/files/upper,workdir=/tmp/files/work overlay /tmp/over ||
	fail "no overlay"
truncate -s 8M /tmp/over/image
order_guest over --disk path=/tmp/over/image,serial=over
grep -qx 'file, direct' "$(back 0)/backing" && ok over-direct || not_ok over-direct "$(cat "$(back 0)/backing")"
guest_expect over-writes 0 20 "$writes of=\$(disk over)"
end_guest
# in the background, as it would not hear of a signal
fsfreeze -f /tmp/files &
freezer=$!
frozen() { ! kill -0 "$freezer" 2>/dev/null; }
wait_for 20 frozen && ok over-freezes || fail "a freeze waits for writes that have ended"
fsfreeze -u /tmp/files
umount /tmp/over
umount /tmp/files || not_ok files-released "still open"
remove_disk null-files
nothing_left
exit $failed
