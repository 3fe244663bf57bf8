#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# boot: soak
# light: yes
# needs: guest
# timeout: 2400
#
# Two guests on a bridge for ten minutes: data both ways, and none of it ever stops for long.
# It comes in bursts with pauses between them: a wake-up that gets lost does so when a queue
# that was empty gets its next packet.
# shellcheck disable=SC2016 # for the guest's shell
. ./lib.sh
. ./block-lib.sh
. ./net-lib.sh
minutes=10

ip link add br0 type bridge && ip link set br0 up && ip addr add 10.9.0.1/24 dev br0 ||
	fail "no bridge"
make_net_guest
net_guest left 10.9.0.2 --net bridge=br0
left=$(vif_of left)
in_guest 5 'netload serve 7777 >/dev/null 2>&1 &'
exec 7>&8
left_pid=$guest_pid
net_guest right 10.9.0.3 --net bridge=br0
right=$(vif_of right)

in_guest 10 'for i in 1 2; do
	n=$i
	{ while [ ! -e /tmp/stop ]; do
		netload transfer 10.9.0.2 7777 200000 200000 || echo failed >>/tmp/failed
		sleep $((1 + n % 5)); n=$((n + i))
	done; } >/dev/null 2>&1 &
done'
bytes() { cat "/sys/class/net/$left/statistics/rx_bytes" "/sys/class/net/$right/statistics/rx_bytes"; }
end=$(($(date +%s) + minutes * 60))
before=$(bytes)
while [ "$(date +%s)" -lt $end ]; do
	sleep 15
	now=$(bytes)
	printf '%s\n%s\n' "$before" "$now" | awk '{ n[NR] = $1 } END { exit !(n[3] - n[1] > 100000 && n[4] - n[2] > 100000) }' ||
		{ not_ok no-stall "$(echo "from $before to $now bytes" | paste -sd ' ')"; break; }
	ping -q -c 1 -W 10 10.9.0.2 >/dev/null && ping -q -c 1 -W 10 10.9.0.3 >/dev/null ||
		{ not_ok answers "one of them does not"; break; }
	before=$now
done
[ $failed = 1 ] || ok no-stall
guest_expect all-correct 0 100 'touch /tmp/stop; wait; [ ! -e /tmp/failed ]'

end_guest
guest=left guest_pid=$left_pid
exec 8>&7 7>&-
end_guest
ip link del br0
nothing_left
no_leaks
exit $failed
