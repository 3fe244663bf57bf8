#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# needs: guest programs test-guests
# copy: build/programs:/root/programs build/guests.install:/root/guests
# timeout: 4000
#
# What happens to the thread of one vCPU alone, while the other vCPUs are in the guest.
. ./lib.sh

# thread_signal PID TID NUMBER: tgkill(), as kill(1) sends to processes only
# shellcheck disable=SC2016
thread_signal() { perl -e 'exit !(syscall(234, map { $_ + 0 } @ARGV) == 0)' "$@"; }
# have all vCPUs computed since their times were put into /tmp/before, and has the guest said so?
vcpu_times() { pvhv cpu list "$1" | awk '$2 == "up" {print $1, $5}'; }
all_go_on() {
	[ "$(wc -l <"/tmp/$1.out")" -gt "$2" ] && vcpu_times "$1" | awk '
		NR == FNR { before[$1] = $2; n++; next }
		$1 in before && $2 > before[$1] + 0.1 { n-- }
		END { exit n != 0 }' /tmp/before -
}
all_are() { [ "$(awk '{print $3}' "/proc/$1/task"/*/stat | sort -u)" = "$2" ]; }

# One vCPU is in the guest all the time, the others come and go.
cat >/tmp/test <<'EOF'
while :; do :; done &
echo computing
while :; do
	seq 1 2000 | sort -rn | md5sum
done
EOF
make_guest /tmp/test

# Linux has no SIGKILL and no SIGSTOP for one thread: whichever it is sent to, the process ends
# or stops. So a domain never lives on without one of its vCPUs. (What it says as the reason is
# in linux/host/owner.c: the launcher, which would say it, is dead.)
for vcpu in 0 2; do
	run=kill-$vcpu
	start_guest $run --cpus 3 --append quiet
	says_in "$(rounds 90 300)" $run '^computing' || not_ok $run-computes "$(tail -n 1 /tmp/$run.out)"
	tid=$(vcpu_tid $run $vcpu)
	thread_signal "$guest_pid" "$tid" 19 || not_ok $run-stop "there is no thread '$tid'"
	wait_for 20 all_are "$guest_pid" T && ok $run-stop ||
		not_ok $run-stop "$(awk '{print $2, $3}' "/proc/$guest_pid/task"/*/stat | paste -sd ,)"
	kill -CONT "$guest_pid"
	vcpu_times $run >/tmp/before
	wait_for 60 all_go_on $run $(($(wc -l <"/tmp/$run.out") + 2)) && ok $run-goes-on ||
		not_ok $run-goes-on "$(paste -sd , /tmp/before), now $(vcpu_times $run | paste -sd ,)"
	thread_signal "$guest_pid" "$tid" 9 || {
		not_ok $run-kill "there is no thread '$tid'"
		kill -9 "$guest_pid"
	}
	wait "$guest_pid" 2>/dev/null
	status=$?
	[ $status = 137 ] && ok "$run-status" || not_ok "$run-status" "$status"
	nothing_left
	[ -z "$(pvhv list | sed 1d)" ] && ok "$run-gone" || not_ok "$run-gone" "$(pvhv list | tail -n 1)"
done

# held NAME LEAST OPTION...: a guest to its end, whose vCPUs are held one after another, so that
# the others flush, interrupt and start one that does not run for a while
held() {
	name=$1 least=$2
	shift 2
	start_guest "$name" "$@"
	times=$(programs/disturb hold "$guest_pid" "$(rounds 600 1500)")
	# one that still runs hangs, and is told as 137
	kill -9 "$guest_pid" 2>/dev/null
	wait "$guest_pid"
	status=$?
	enough "$name" "$times" "$least"
}
held bare 100 --kernel guests/smp.elf --initrd /dev/null --cpus 4
tr -d '\r' </tmp/bare.out | sed -n -E 's/^(ok|not ok) /&bare-/p; /^# /p'
! grep -q '^not ok' /tmp/bare.out || failed=1
[ $status = 0 ] && grep -q '^done [1-9]' /tmp/bare.out && ok bare-end ||
	not_ok bare-end "status $status: $(tail -n 1 /tmp/bare.out)"

use_guest programs/tests.cpio
held linux 100 --cpus 3 --append 'quiet loglevel=1 tests=smp smp_seconds=2'
guest_results linux $status
nothing_left
no_leaks
unloads
exit $failed
