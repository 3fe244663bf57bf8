# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034,SC2154
#
# A guest whose network backend is told how to misbehave; sourced after net-lib.sh.

rmmod pvhv-netback
modprobe -r pvhv-blkback 2>/dev/null
insmod "modules/$(uname -r)/pvhv-badnet.ko" || fail "no bad backend"
parameters=/sys/module/pvhv_badnet/parameters
net_tools="$net_tools guest/badnet:root/badnet"
make_net_guest
order_guest badnet --append 'quiet loglevel=4 pvhv_netfront.max_queues=2'
in_guest 20 ". /root/badnet"
n=0
set_to() { echo "$2" >"$parameters/$1"; }
# attach: an interface that has not broken anything yet
attach() {
	n=$((n + 1))
	set_to mode good
	set_to header own
	pvhv net attach badnet >/tmp/attached 2>&1 || {
		not_ok "attach-$n" "$(cat /tmp/attached)"
		return 1
	}
	vif=$(cat /tmp/attached)
}
# detach: whatever state it is in, it goes, and its memory with it
detach() {
	set_to mode good
	set_to header own
	pvhv net detach --force badnet "$vif" >/tmp/detached 2>&1 ||
		not_ok "detach-$n" "$(tail -n 1 /tmp/detached)"
	in_guest 30 'until_true 20 [ ! -e /sys/class/net/eth0 ]' >/dev/null || not_ok "gone-$n" "eth0 stays"
}
# with_guest NAME COMMAND: attached, and up; then COMMAND in the guest
with_guest() { attach && guest_expect "$1" 0 60 "up && $2"; }

# what the guest has free, with its caches dropped: in $free
guest_free() {
	in_guest 30 'sync; echo 3 >/proc/sys/vm/drop_caches; sleep 3; free_pages' >/tmp/free
	free=$(grep -x '[0-9]*' /tmp/free)
}

# end_badnet: the guest has not complained and has its memory back, and the modules go
end_badnet() {
	guest_expect no-complaint 1 20 'dmesg | grep -E "WARNING|BUG|Oops|blocked for more|timed out|Call Trace"'
	end_guest
	for module in "$@"; do
		rmmod "pvhv-$module" && ok "unloads-$module" || not_ok "unloads-$module" "rmmod fails"
	done
	nothing_left
	no_leaks
}

# same_memory: as free as $before, but for some noise
same_memory() {
	guest_free
	[ $((before - free)) -lt 4096 ] && ok guest-memory || not_ok guest-memory "$((before - free)) KiB less"
}
