#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# boot: split
# needs: guest
# timeout: 1200
#
# The launcher is killed while the guest writes: what the guest had synced is
# there, and the file system is sound, on every kind of backing store.
. ./lib.sh
. ./block-lib.sh

modprobe loop || fail "no loop devices"
null_disk null-direct 64
direct=$null_disk
null_disk null-files 160
mkfs.ext4 -q "$null_disk" && mkdir -p /tmp/fs /tmp/look && mount "$null_disk" /tmp/fs ||
	fail "no file system"
truncate -s 64M /tmp/fs/image /tmp/cached
for store in "$direct" /tmp/fs/image /tmp/cached; do
	mkfs.ext4 -q -F "$store" || fail "no file system on $store"
done

make_disk_guest

# cut KIND STORE OPTIONS ROUND
cut_power() {
	order_guest "power$1$4" --disk "path=$2,serial=store$3"
	printf '%s\n' "write_files $4 a b c" . >&8
	wait_for 60 said "$guest" "mnt/$4-[abc]-[5-9]" || not_ok "writes-$1-$4" "nothing written: $(tail -n 2 "/tmp/$guest.out")"
	sleep "$(awk -v s="$4$1" 'BEGIN { srand(length(s) + s + 0); printf "%.2f", rand() * 3 }')"
	kill -9 "$guest_pid"
	wait "$guest_pid" 2>/dev/null
	exec 8>&-
	check_store "$@"
}

# Of each writer the last files it named must be there, but those that it may
# have removed since.
check_store() {
	tr -d '\r' <"/tmp/$guest.out" | grep -E "^[0-9a-f]{32}  /mnt/$4-[abc]-[0-9]+$" |
		awk -F'[-]' '{ n = $NF; w = $(NF - 1); line[w, n] = $0; if (n > last[w]) last[w] = n }
			END { for (w in last) for (n = last[w] - 2; n <= last[w]; n++)
				if ((w, n) in line) print line[w, n] }' >/tmp/synced
	case $2 in
	/dev/*) mount "$2" /tmp/look ;;
	*) mount -o loop "$2" /tmp/look ;;
	esac || { not_ok "mounts-$1-$4" "it does not"; return; }
	sed 's, /mnt/, /tmp/look/,' /tmp/synced >/tmp/synced.here
	lines=$(wc -l </tmp/synced.here)
	[ "$lines" -ge 3 ] && md5sum -c --quiet /tmp/synced.here >/tmp/bad 2>&1 && ok "synced-$1-$4" ||
		not_ok "synced-$1-$4" "of $lines: $(head -n 2 /tmp/bad | paste -sd ' ')"
	rm -rf /tmp/look/*-*
	umount /tmp/look
	e2fsck -fn "$2" >/tmp/fsck 2>&1 && ok "fsck-$1-$4" || {
		cat /tmp/fsck
		not_ok "fsck-$1-$4" "$(grep -v '^Pass\|^e2fsck' /tmp/fsck | head -n 1)"
	}
}

for round in $(at_length '1 2 3' 1); do
	cut_power direct "$direct" '' "$round"
	cut_power file /tmp/fs/image '' "$round"
	cut_power cached /tmp/cached ,cache=writeback "$round"
done
nothing_left
exit $failed
