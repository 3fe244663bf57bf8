# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034,SC2154
#
# Sourced by the tests of network devices, after lib.sh and block-lib.sh.

modprobe pvhv-netback || fail "no netback"
modprobe -a bridge 8021q 2>/dev/null
[ -x /tmp/netload ] || gcc -O2 -o /tmp/netload guest/netload.c || fail "no compiler here"
PATH=$PATH:/tmp

# The first socket with time stamps, as ping's is, and the end of the last one make Linux
# patch the path of each packet, by an INT3 for a moment. QEMU 7.2 once kept its translation
# of that, and both CPUs hung there: Linux tells them again and again that it is gone.
if ! pgrep -f 'ping -q -i 3600' >/dev/null; then
	ip link set lo up
	ping -q -i 3600 127.0.0.1 >/dev/null 2>&1 &
fi

net_tools="/tmp/netload $(command -v ethtool) $(command -v iperf3) $(command -v ip)"

# make_net_guest: /tmp/initrd, whose guest takes orders
make_net_guest() {
	# shellcheck disable=SC2086 # a list
	make_guest guest/orders guest/disks:root/disks $net_tools
}

# net_guest NAME ADDRESS [OPTION]...: a guest whose eth0 has this address
net_guest() {
	guest=$1 address=$2
	shift 2
	order_guest "$guest" "$@"
	in_guest 30 "until_true 10 [ -e /sys/class/net/eth0 ] && ip link set lo up && ip link set eth0 up &&
		ip addr add $address/24 dev eth0 && until_true 10 carrier eth0 1" >/dev/null ||
		fail "the guest has no network"
}

# vif_of GUEST: its first backend
vif_of() { pvhv net list "$1" | awk '$2 == "connected" { print $1; exit }'; }

# carrier INTERFACE 0|1
carrier() { [ "$(cat "/sys/class/net/$1/carrier" 2>/dev/null || echo 0)" = "$2" ]; }

# vif_stat INTERFACE NAME: sum over all queues
vif_stat() { ethtool -S "$1" | awk -v name="_$2:" 'index($1, name) { n += $2 } END { print n + 0 }'; }

# zerocopy_of VIF: packets from its guest, of them those left alone, of those again those copied for a
# socket; since the last call
zerocopy_of() {
	set -- "$(vif_stat "$1" tx_packets)" "$(vif_stat "$1" tx_zerocopy)" "$(vif_stat "$1" tx_orphaned)"
	echo "$(($1 - ${zc_packets:-0})) $(($2 - ${zc_alone:-0})) $(($3 - ${zc_orphaned:-0}))"
	zc_packets=$1 zc_alone=$2 zc_orphaned=$3
}

# check NAME COMMAND...: a result by its status
check() {
	check_name=$1
	shift
	if "$@" >/tmp/check.out 2>&1; then
		ok "$check_name"
	else
		not_ok "$check_name" "$(tail -n 1 /tmp/check.out)"
	fi
}
