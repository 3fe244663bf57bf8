# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154
#
# Sourced by the scripts that run a device's benchmarks in the host VM, after lib.sh and
# block-lib.sh: the rows.

# counter NAME: of the guest, whose name is bench
counter() { pvhv stat bench | awk -v name="$1" '$1 == name { print $2 }'; }
exits() { counter exits; }
# both directions: hypercalls that sent an event, and events that became pending for the guest
notifications() { echo $(($(counter port_sends) + $(counter port_events))); }

# counted COMMAND...: its output in $output, and in $n_exits and $n_notifications what
# the guest had meanwhile
counted() {
	n_exits=$(exits) n_notifications=$(notifications)
	# not in a subshell: in_guest() counts its orders
	"$@" >/tmp/counted.out
	output=$(cat /tmp/counted.out)
	n_exits=$(($(exits) - n_exits)) n_notifications=$(($(notifications) - n_notifications))
}

# row NAME UNIT BYTES NATIVE PVHV OPERATIONS TEXT: a row, of what counted() has found
# in so many OPERATIONS; BYTES of each one, or 0
row() {
	[ "${4:-0}" -gt 0 ] && [ "${5:-0}" -gt 0 ] && [ "${6:-0}" -gt 0 ] || {
		echo "BENCH error $1: native '$4', pvhv '$5' in '$6' operations: $output"
		return
	}
	row="BENCH row $1 unit=$2 bytes=$3 native=$4 pvhv=$5"
	awk -v exits="$n_exits" -v notifications="$n_notifications" -v n="$6" -v start="$row" \
		-v text="$7" 'BEGIN {
			printf "%s exits=%.3f notifications=%.3f text=%s\n",
				start, exits / n, notifications / n, text }'
}
