#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# needs: guest programs
# copy: build/programs:/root/programs build/linux/tests:/root/tables
# timeout: 2400
#
# What happens on a host while a guest works: CPUs come and go, threads are
# moved, stopped, traced and signalled, NMIs arrive.
. ./lib.sh
make_guest guest/busy programs/verify tables/fpu:tests/fpu tables/signals:tests/signals \
	tables/entries:tests/entries tables/segments-32:tests/segments-32 tables/smp:tests/smp

# results NAME TIMES LEAST: of the guest NAME, which something was done to
results() {
	wait "$guest_pid"
	guest_results "$1" $?
	enough "$@"
}

# during NAME LEAST PROGRAMS ACTION: a function again and again while a guest works
during() {
	start_guest "$1" --append "quiet loglevel=1 busy=$3"
	times=0
	while kill -0 "$guest_pid" 2>/dev/null; do
		"$4"
		times=$((times + 1))
	done
	results "$1" $times "$2"
}

# disturbed NAME LEAST PROGRAMS HOW [OPTION]...: by linux/host/disturb.c
disturbed() {
	name=$1 least=$2 programs=$3 how=$4
	shift 4
	start_guest "$name" --append "quiet loglevel=1 smp_seconds=5 busy=$programs" "$@"
	results "$name" "$(programs/disturb "$how" "$guest_pid")" "$least"
}

# the guest must get something done in between
hotplug_pause=$(rounds 0.1 1)
hotplug() {
	echo 0 >/sys/devices/system/cpu/cpu1/online
	sleep "$hotplug_pause"
	echo 1 >/sys/devices/system/cpu/cpu1/online
	sleep "$hotplug_pause"
}

# An NMI for each other CPU, which prints where it is; half of these prints
# would be all that this machine does.
nmi() {
	echo l >/proc/sysrq-trigger
	sleep 0.02
}

disturbed migrate 100 fpu,segments-32 migrate
# each vCPU's clock is read on all CPUs of the host, against the other vCPU's; these CPUs have one
# TSC, so it is about what the clock's page says
disturbed clock 100 smp:clock-monotonic migrate --cpus 2
disturbed ptrace 100 signals,entries ptrace
during hotplug 5 "$(at_length fpu,entries entries)" hotplug

echo N >/sys/module/printk/parameters/ignore_loglevel
dmesg -n 4
during nmi 20 "$(at_length fpu,signals fpu)" nmi
dmesg -n 8
echo Y >/sys/module/printk/parameters/ignore_loglevel

# signals that interrupt PVHV_RUN, a thousand a second
export LD_PRELOAD="$PWD/programs/preload.so" PVHV_STORM=1000 PVHV_STORM_COUNT=/tmp/storm.count
start_guest storm --append 'quiet loglevel=1 busy=signals'
unset LD_PRELOAD PVHV_STORM PVHV_STORM_COUNT
wait "$guest_pid"
guest_results storm $?
enough storm "$(cat /tmp/storm.count)" 1000

# the launcher has an LDT of its own, and so has a program of the guest
export LD_PRELOAD="$PWD/programs/preload.so" PVHV_LDT=1
start_guest ldt --append 'quiet loglevel=1 busy=segments-32,entries'
unset LD_PRELOAD PVHV_LDT
wait "$guest_pid"
guest_results ldt $?

# all of it at once, and the CPU that goes is the one that a vCPU was told to stay on
start_guest everything --cpus 2 --append "quiet loglevel=1 busy=$(at_length fpu,signals,entries,segments-32 signals)"
pin() {
	for thread in "/proc/$guest_pid/task"/*; do
		[ "$(cat "$thread/comm")" = pvhv-vcpu1 ] && taskset -cp 1 "${thread##*/}" && return
	done
	return 1
}
wait_for 30 pin || not_ok pinned "there is no vCPU 1"
programs/disturb migrate "$guest_pid" >/dev/null &
programs/disturb stop "$guest_pid" >/dev/null &
times=0
while kill -0 "$guest_pid" 2>/dev/null; do
	hotplug
	times=$((times + 1))
done
results everything $times 3
exit $failed
