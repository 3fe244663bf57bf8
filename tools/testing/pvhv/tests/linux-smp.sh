#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug up
# long: debug up
# needs: guest programs
# copy: build/programs:/root/programs build/linux/tests:/root/tables
# timeout: 6000
#
# Guests with several vCPUs, also more than the host has CPUs: processors that come and go, by the
# guest's own will and by that of its owner, load of all kinds, and pauses.
# shellcheck disable=SC2016 # what the guest expands
. ./lib.sh
. ./block-lib.sh
make_guest guest/hotplug programs/verify tables/smp:tests/smp
run_guest hotplug "$(rounds 400 1200)" --cpus 2,max=4 --append "quiet loglevel=1 rounds=$(at_length 10 4)"

# load of all kinds, and pauses
gcc -E -P -o /tmp/sum.i guest/sum.c && cc1=$(gcc -print-prog-name=cc1) &&
	$cc1 -quiet -O2 -fpreprocessed /tmp/sum.i -o /tmp/sum.s && as /tmp/sum.s -o /tmp/sum.o &&
	md5sum </tmp/sum.o >/tmp/sum.md5 || fail "no compiler here"
make_guest guest/storm /tmp/sum.i:root/sum.i /tmp/sum.md5:root/sum.md5 "$cc1" \
	"$(command -v as)" "$(command -v hackbench)"
start_guest storm --cpus 4 --append "quiet loglevel=4 loops=$(at_length 20 3)"
deadline=$(($(date +%s) + 600))
while kill -0 "$guest_pid" 2>/dev/null && [ "$(date +%s)" -lt $deadline ]; do
	sleep 0.2
	pvhv pause storm && pvhv resume storm && echo paused
done >/tmp/pauses 2>&1
pvhv kill storm 2>/dev/null
wait "$guest_pid"
guest_results storm $?
[ "$(grep -c paused /tmp/pauses)" -gt 10 ] && ok storm-pauses || not_ok storm-pauses "$(tail -n 1 /tmp/pauses)"

# what the owner asks for
make_guest guest/orders guest/disks:root/disks
order_guest cpus --cpus 2,max=4
functions='cpus_are() { [ "$(nproc)" = "$1" ] && [ "$(cat /sys/devices/system/cpu/online)" = "$2" ]; }'
in_guest 20 "$functions" || fail "it does not know its function"
nr_up() { pvhv cpu list cpus | grep -c ' up '; }

# set_cpus NAME NUMBER ONLINE: ONLINE as the guest's sysfs shows it
set_cpus() {
	expect "$1" 0 pvhv cpu set --timeout 100 cpus "$2"
	[ "$(nr_up)" = "$2" ] && ok "$1-listed" || not_ok "$1-listed" "$(nr_up) are up"
	# it counts a CPU a moment after that has started
	guest_expect "$1-guest" 0 60 "until_true 30 cpus_are $2 $3"
}
guest_expect at-boot 0 20 'cpus_are 2 0-1'
set_cpus all 4 0-3
set_cpus one 1 0
set_cpus one-again 1 0
set_cpus three 3 0-2
expect none 1 pvhv cpu set cpus 0
expect too-many 1 pvhv cpu set cpus 5
in_guest 20 'busy=; for i in 1 2 3; do while :; do :; done & busy="$busy $!"; done'
set_cpus busy-all 4 0-3
set_cpus busy-one 1 0
set_cpus busy-two 2 0-1
guest_expect busy-end 0 60 'kill $busy'
expect pause 0 pvhv pause cpus
expect paused 1 pvhv cpu set --timeout 2 cpus 3
expect resume 0 pvhv resume cpus
guest_expect resumed 0 60 'until_true 30 cpus_are 3 0-2'

# where they run: thread of a vCPU, and what that may use
may_use() { taskset -pc "$1" | sed 's/.*: //'; }
runs_on() {
	may=$(may_use "$(vcpu_tid cpus "$2")")
	[ "$may" = "$3" ] && ok "$1" || not_ok "$1" "vCPU $2: $may, not $3"
}
all=$(may_use "$guest_pid")
last=$(sed 's/.*[-,]//' /sys/devices/system/cpu/online)
runs_on unpinned 1 "$all"
expect pin 0 pvhv cpu pin cpus 1 "$last"
runs_on pinned 1 "$last"
runs_on others 0 "$all"
# Linux lets a thread go elsewhere whose only CPU goes
if [ "$last" != 0 ] && echo 0 >"/sys/devices/system/cpu/cpu$last/online"; then
	guest_expect pinned-to-none 0 60 'taskset 2 true && nproc && cat /proc/loadavg'
	echo 1 >"/sys/devices/system/cpu/cpu$last/online"
fi
expect pin-all 0 pvhv cpu pin cpus all 0
for vcpu in 0 1 2 3; do
	runs_on pinned-$vcpu $vcpu 0
done
guest_expect pinned-guest 0 60 'nproc && cat /proc/loadavg'
expect unpin 0 pvhv cpu pin cpus 3 all
runs_on unpinned-again 3 "$all"
expect pin-nowhere 1 pvhv cpu pin cpus 0 "$last,1000"
expect pin-nobody 1 pvhv cpu pin cpus 4 0
if [ "$last" != 0 ] && echo 0 >"/sys/devices/system/cpu/cpu$last/online"; then
	expect pin-offline 1 pvhv cpu pin cpus 0 "$last"
	echo 1 >"/sys/devices/system/cpu/cpu$last/online"
fi

# both are as they were when it has started again
before=$(vcpu_tid cpus 0)
printf '%s\n' 'reboot -f' . >&8
ready_again() { [ "$(grep -c '^guest-ready' /tmp/cpus.out)" = 2 ]; }
wait_for 200 ready_again && ok reboot || not_ok reboot "$(tail -n 1 /tmp/cpus.out)"
in_guest 20 "$functions" || fail "it has not started again"
guest_expect reboot-number 0 20 'cpus_are 3 0-2'
[ "$(vcpu_tid cpus 0)" != "$before" ] && ok reboot-threads || not_ok reboot-threads "the same"
runs_on reboot-pinned 0 0
runs_on reboot-unpinned 3 "$all"
end_guest
exit $failed
