#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug no-tsc cpu-qemu64
# long: debug cpu-qemu64
# needs: guest programs
# copy: build/linux/tests/time:/root/time
# timeout: 300
#
# A guest's clocks against the host's, while it runs and while it is stopped.
. ./lib.sh

cat >/tmp/test <<'EOF'
echo "date $(date +%s)"
# of four seconds already, else a stop would have to be one of twenty; and who idles is not watched
echo 2 >/proc/sys/kernel/watchdog_thresh
[ "$(cat /proc/sys/kernel/watchdog_thresh)" = 2 ] || echo "not ok watchdog - there is none"
while :; do :; done &
/tests/time clock 27
dmesg | grep -E 'soft lockup|stall' && echo "not ok watchdogs - a stop is taken for a CPU that hangs" ||
	echo "ok watchdogs"
EOF
make_guest /tmp/test time:tests/time

# Each line with the host's time at which it came
start_guest clock --append quiet
# shellcheck disable=SC2016
perl -MTime::HiRes=time,sleep -e '
	open my $out, "<", $ARGV[0] or die;
	my $rest = "";
	for (my $ended = 0;;) {
		while (defined(my $part = <$out>)) {
			$rest .= $part;
			next unless $rest =~ s/\r?\n\z//;
			printf "%d %s\n", time * 1e9, $rest;
			$rest = "";
		}
		last if $ended;
		$ended = !kill 0, $ARGV[1];
		sleep 0.01;
		seek $out, 0, 1;
	}' /tmp/clock.out "$guest_pid" >/tmp/stamped &
stamper=$!
says_in 60 clock 'clock ' || fail "no clock: $(tail -n 1 /tmp/clock.out)"
sleep 3
kill -STOP "$guest_pid"
sleep 8
kill -CONT "$guest_pid"
sleep 3
pvhv pause clock
sleep 8
pvhv resume clock
wait "$guest_pid"
guest_results clock $?
wait $stamper

# The guest cannot be ahead. Late is every line, by what the host and its
# console take: the quickest ones tell.
awk '$2 == "clock" {
	late = $1 - $3
	if (!n++ || late < first) { if (n <= 8) first = late }
	lates[n] = late
}
END {
	if (n < 15) { print "only " n " lines"; exit 1 }
	last = lates[n]
	for (i = n - 7; i <= n; i++)
		if (lates[i] < last) last = lates[i]
	printf "%d lines, drift of %.3f s\n", n, (last - first) / 1e9
	exit last - first > 300000000 || first - last > 300000000
}' /tmp/stamped >/tmp/drift && ok monotonic || not_ok monotonic "$(cat /tmp/drift)"
echo "# $(cat /tmp/drift)"

awk '$2 == "date" {d = $1 / 1e9 - $3; print d; exit}
END {exit !(d != "" && d > -1 && d < 30)}' /tmp/stamped >/tmp/date &&
	ok date || not_ok date "the guest is $(cat /tmp/date) s late"
exit $failed
