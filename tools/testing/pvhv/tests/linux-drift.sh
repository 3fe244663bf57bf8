#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock
# needs: guest programs
# args: --icount
# boot: icount
# copy: build/linux/tests/time:/root/time
# long: stock
# timeout: 6000
#
# An hour of a guest with nothing to do, on a machine whose clock does not run on while it
# has nothing to do itself: the guest's clock has not drifted, and it has seldom been awake.
. ./lib.sh

cat >/tmp/test <<'EOF'
/tests/time clock 5
sleep 3600
/tests/time clock 5
EOF
make_guest /tmp/test time:tests/time

# Each line with the host's time at which it came
stamped() {
	perl -MTime::HiRes=clock_gettime,CLOCK_MONOTONIC -ne \
		'BEGIN {$| = 1} s/\r//; printf "%d %s", clock_gettime(CLOCK_MONOTONIC) * 1e9, $_' >/tmp/stamped
}
pvhv run --name drift --initrd /tmp/initrd --memory 128M --cpus 2 --append quiet </dev/null | stamped &
runner=$!
lines() { [ "$(grep -c ' clock ' /tmp/stamped)" -ge "$1" ]; }
wait_for 120 lines 10 || fail "no clock: $(tail -n 1 /tmp/stamped)"
sleep 10
awakenings() { pvhv stat drift | awk '$1 == "sleeps" {print $2}'; }
before=$(awakenings)
sleep 3000
after=$(awakenings)
wait $runner
grep -q 'guest-status 0' /tmp/stamped && ok end || not_ok end "$(tail -n 1 /tmp/stamped)"

# Late is every line, by what the host and its console take: the quickest ones tell.
awk '$2 == "clock" {
	late = $1 - $3
	if (++n <= 10 && (n == 1 || late < first)) first = late
	if (n > 10 && (n == 11 || late < last)) last = late
	at[n] = $1
}
END {
	printf "%d lines, %.6f s of drift in %.0f s\n", n, (last - first) / 1e9, (at[n] - at[1]) / 1e9
	exit n < 20 || at[n] - at[1] < 3600e9 || last - first > 5e6 || first - last > 5e6
}' /tmp/stamped >/tmp/drift && ok drift || not_ok drift "$(cat /tmp/drift)"
echo "# $(cat /tmp/drift)"
[ "$before" ] && [ $((after - before)) -lt 30000 ] && ok seldom-awake || not_ok seldom-awake "from $before to $after"
echo "# awake $((after - before)) times in 3000 s"
exit $failed
