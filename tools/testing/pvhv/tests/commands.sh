#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# needs: guest
# timeout: 400
#
# The pvhv command with a Linux guest that runs.
. ./lib.sh

cat >/tmp/test <<'EOF'
echo up
i=0
while sleep 0.2; do
	i=$((i + 1))
	echo $i
	[ $((i % 5)) != 0 ] || echo uptime "$(cut -d' ' -f1 /proc/uptime)"
done
EOF
make_guest /tmp/test
expect check 0 pvhv check
expect check-json 0 pvhv check --json
start_guest one
says_in 120 one '^3' || fail "the guest does not start: $(tail -n 1 /tmp/one.out)"

state() { pvhv list | awk -v n="$1" '$1 == n {print $3}'; }
counted() { tr -d '\r' </tmp/one.out | grep -E '^[0-9]+$' | tail -n 1; }

[ "$(state one)" = running ] && ok list || not_ok list "$(pvhv list | tail -n 1)"
pvhv list --json | grep -q '"name": "one".*"running"' && ok list-json ||
	not_ok list-json "$(pvhv list --json | tail -n 1)"
expect info 0 pvhv info one
expect info-json 0 pvhv info --json one
expect stat 0 pvhv stat one
expect same-name 1 timeout 20 pvhv run --name one --initrd /tmp/initrd
expect no-such-name 1 pvhv info two
modprobe -r pvhv 2>/dev/null && not_ok unload-refused "unloaded under a domain" || ok unload-refused

expect pause 0 pvhv pause one
sleep 1
a=$(counted)
sleep 2
[ "$a" = "$(counted)" ] && ok stands-still || not_ok stands-still "from $a to $(counted)"
[ "$(state one)" = paused ] && ok paused || not_ok paused "$(state one)"
pvhv info one | grep -qi rip && ok registers || not_ok registers "pvhv info shows none"
expect resume 0 pvhv resume one
goes_on() { [ "$(counted)" -gt "$a" ]; }
wait_for 30 goes_on && ok goes-on || not_ok goes-on "still at $a"
expect kill 0 pvhv kill one
wait "$guest_pid"
[ $? = 4 ] && ok kill-status || not_ok kill-status "pvhv run does not end with 4"
[ -z "$(state one)" ] && ok gone || not_ok gone "$(pvhv list | tail -n 1)"

# Time goes on while a guest is paused, and it survives that often.
start_guest again --append 'quiet loglevel=1'
says_in 120 again '^3' || not_ok again "$(tail -n 1 /tmp/again.out)"
for i in 1 2 3 4 5 6 7 8 9 10; do
	pvhv pause again && pvhv resume again || not_ok "pause-$i" "status $?"
done
uptime_of() { tr -d '\r' </tmp/again.out | awk '$1 == "uptime" {u = $2} END {print int(u)}'; }
says_in 10 again uptime
a=$(uptime_of)
pvhv pause again
sleep 5
pvhv resume again
later() { [ "$(uptime_of)" -ge $((a + 5)) ]; }
wait_for 5 later && ok time-goes-on || not_ok time-goes-on "from $a to $(uptime_of) in 5 s of pause"
expect stop 0 pvhv stop again
wait "$guest_pid"
status=$?
[ $status = 0 ] && ok stop-status || not_ok stop-status "status $status"

# counters only grow, and a guest that works has some
start_guest counted
says_in 120 counted '^3' || not_ok counted "$(tail -n 1 /tmp/counted.out)"
pvhv stat counted | tail -n +2 >/tmp/stat1
sleep 1
pvhv stat counted | tail -n +2 >/tmp/stat2
cat /tmp/stat1 /tmp/stat2 | awk '$1 in seen && $2 < seen[$1] && $1 !~ /_now$/ {print $1; bad = 1}
	{seen[$1] = $2} END {exit bad}' >/tmp/bad && ok stat-grows ||
	not_ok stat-grows "$(head -n 1 /tmp/bad) fell"
[ "$(awk '$2 > 0' /tmp/stat2 | wc -l)" -ge 8 ] && ok stat-counts ||
	not_ok stat-counts "only $(awk '$2 > 0' /tmp/stat2 | wc -l) counters are not 0"
pvhv stat --json counted | grep -q '"counters": {.*"total": [0-9]*' && ok stat-json ||
	not_ok stat-json "$(pvhv stat --json counted | cut -c1-100)"
pvhv stat --interval 0.2 --count 3 counted >/tmp/stat3 && [ "$(grep -c ^COUNTER /tmp/stat3)" = 3 ] &&
	ok stat-interval || not_ok stat-interval "$(grep -c ^COUNTER /tmp/stat3) times"
for key in name pid state domid vcpus memory kernel console; do
	pvhv info --json counted | grep -q "\"$key\": " || not_ok "info-$key" "not there"
done
kill -9 "$guest_pid"
wait "$guest_pid" 2>/dev/null
[ -z "$(state counted)" ] && ok killed-launcher || not_ok killed-launcher "$(state counted)"

start_guest crash --on-crash preserve --append rdinit=/nothing
crashed() { [ "$(state crash)" = crashed ]; }
wait_for 120 crashed && ok preserved || not_ok preserved "$(state crash)"
pvhv info crash >/tmp/info
grep -qi 'reason' /tmp/info && ok crash-reason || not_ok crash-reason "$(head -n 3 /tmp/info)"
expect kill-crashed 0 pvhv kill crash

# a user of the group, without root
chgrp pvhv /dev/pvhv
runuser -u user -- timeout 120 pvhv run --name mine --kernel $guest_kernel \
	--append rdinit=/nothing </dev/null >/tmp/mine.out 2>&1
[ $? = 3 ] && ok unprivileged || not_ok unprivileged "$(tail -n 1 /tmp/mine.out)"
exit $failed
