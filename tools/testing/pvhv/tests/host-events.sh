#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# needs: guest programs
# copy: build/programs
# timeout: 900
#
# What happens on a host while a guest works: CPUs come and go, threads are
# moved, stopped and signalled, NMIs arrive.
. ./lib.sh

cat >/tmp/test <<'EOF'
failed=0
for i in 1 2 3; do
	programs-static64 >/tmp/out || { grep -v ^ok /tmp/out; failed=1; }
	echo "round $i"
done
exit $failed
EOF
make_guest /tmp/test programs/programs-static64

# during NAME ACTION...: repeat the action while a guest works
during() {
	name=$1
	shift
	start_guest "$name"
	times=0
	while kill -0 "$guest_pid" 2>/dev/null && [ $times -lt 3000 ]; do
		"$@"
		times=$((times + 1))
	done
	wait "$guest_pid"
	guest_results "$name" $?
	echo "# $name: $times times"
	[ $times -ge 5 ] || not_ok "$name-times" "only $times times"
}

hotplug() {
	echo 0 >/sys/devices/system/cpu/cpu1/online
	sleep 0.1
	echo 1 >/sys/devices/system/cpu/cpu1/online
	sleep 0.1
}
migrate() {
	taskset -a -p 1 "$guest_pid" >/dev/null 2>&1
	sleep 0.02
	taskset -a -p 2 "$guest_pid" >/dev/null 2>&1
	sleep 0.02
}
nmi() {
	# an NMI for each other CPU, which prints where that is
	echo l >/proc/sysrq-trigger
	sleep 0.05
}
stop() {
	kill -STOP "$guest_pid" 2>/dev/null
	sleep 0.05
	kill -CONT "$guest_pid" 2>/dev/null
	sleep 0.1
}

during migrate migrate
during nmi nmi
during stop stop
during hotplug hotplug
exit $failed
