# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034,SC2154
#
# Sourced by the tests of disks, after lib.sh: backing stores, and a guest whose
# shell does what it is told.

# null_disk NAME MIB [ATTRIBUTE=VALUE]...: a disk in memory whose requests end in
# an interrupt, with a volatile cache. Its path is then in $null_disk.
null_disk() {
	config=/sys/kernel/config/nullb/$1
	[ -d /sys/kernel/config/nullb ] || {
		modprobe configfs && modprobe null_blk nr_devices=0 || fail "no null_blk"
		mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
	}
	mkdir "$config" || fail "no null_blk $1"
	echo "$2" >"$config/size"
	echo 1 >"$config/memory_backed"
	echo 1 >"$config/discard"
	echo 2 >"$config/irqmode"
	echo 200000 >"$config/completion_nsec"
	shift 2
	for attribute; do
		echo "${attribute#*=}" >"$config/${attribute%%=*}" || fail "null_blk: no $attribute"
	done
	echo 1 >"$config/power" || fail "null_blk does not start"
	null_disk=/dev/${config##*/}
}

# remove_disk NAME: such a disk
remove_disk() {
	echo 0 >"/sys/kernel/config/nullb/$1/power" && rmdir "/sys/kernel/config/nullb/$1" ||
		not_ok "$1-released" "still open"
}

# no_backs: is no backend of a disk left?
no_backs() { ! ls -d /sys/bus/pvhv/devices/pvhv-blk-back-* 2>/dev/null; }

# make_disk_guest: /tmp/initrd, whose guest takes orders. It takes long to make and is
# the same for all tests of a machine. What is in it is in $disk_files.
make_disk_guest() {
	disk_files="guest/disks:root/disks /sbin/mkfs.ext4 /sbin/e2fsck $(command -v blkdiscard) $(command -v dd) /tmp/iocheck"
	if [ ! -e /tmp/disk-initrd ]; then
		gcc -static -O2 -Wall -o /tmp/iocheck guest/iocheck.c || fail "no compiler here"
		# shellcheck disable=SC2086 # a list
		make_guest guest/orders $disk_files
		mv /tmp/initrd /tmp/disk-initrd
	fi
	use_guest /tmp/disk-initrd
}

# order_guest NAME [OPTION]...: starts such a guest, with $guest_memory; its pid is $guest_pid
order_guest() {
	guest=$1
	shift
	rm -f "/tmp/$guest.in"
	mkfifo "/tmp/$guest.in" || fail "no fifo"
	exec 8<>"/tmp/$guest.in"
	pvhv run --name "$guest" --initrd /tmp/initrd --memory "${guest_memory:-256M}" --append 'quiet loglevel=4' "$@" \
		<"/tmp/$guest.in" >"/tmp/$guest.out" 2>&1 8>&- &
	guest_pid=$!
	says_in 200 "$guest" '^guest-ready' ||
		fail "the guest does not start: $(tail -n 3 "/tmp/$guest.out")"
}

# in_guest SECONDS COMMAND: has the guest execute it; its output and its status
# are ours. The status is 124 if it does not end.
in_guest() {
	# a number that no subshell has used either
	orders=$(date +%s%N)
	order_lines=$(wc -l <"/tmp/$guest.out")
	# no tab: the terminal's line editing must not see one
	printf '%s\n' "{ $2" "} ; echo \"guest-done $orders \$? .\"" . | tr '\t' ' ' >&8
	wait_for "$1" said "$guest" "^guest-done $orders [0-9]* [.]" || {
		tail -n "+$((order_lines + 1))" "/tmp/$guest.out"
		echo "timeout of: $2"
		return 124
	}
	tail -n "+$((order_lines + 1))" "/tmp/$guest.out" | tr -d '\r' >/tmp/order.out
	grep -v '^guest-done' /tmp/order.out
	return "$(sed -n "s/^guest-done $orders \([0-9]*\) [.]/\1/p" /tmp/order.out)"
}

# guest_expect NAME WANTED SECONDS COMMAND: a result by the status of COMMAND in the guest
guest_expect() {
	in_guest "$3" "$4" >/tmp/order.shown
	status=$?
	if [ "$status" = "$2" ]; then
		ok "$1"
	else
		tail -n 15 /tmp/order.shown
		not_ok "$1" "status $status, not $2: $(tail -n 1 /tmp/order.shown)"
	fi
}

# end_guest: it powers off
end_guest() {
	printf 'exit 0\n' >&8
	wait "$guest_pid"
	guest_results "$guest" $?
	exec 8>&-
}

# back INDEX: the backend of a disk of the only guest
back() { echo /sys/bus/pvhv/devices/pvhv-blk-back-*-"$1"; }
back_stat() { cat "$(back "$1")/statistics/$2"; }

# same_md5 NAME SUM FILE [SKIP-MIB COUNT-MIB]
same_md5() {
	sum=$(dd if="$3" bs=1M skip="${4:-0}" ${5:+count="$5"} 2>/dev/null | md5sum | cut -d' ' -f1)
	[ "$sum" = "$2" ] && ok "$1" || not_ok "$1" "$3 has $sum, not $2"
}
