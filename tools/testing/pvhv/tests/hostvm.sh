#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# quick: yes
# timeout: 900
#
# The harness itself: statuses, streams, and that it sees a host that is ill.
set -uo pipefail
hostvm=tools/testing/pvhv/hostvm
out=$(mktemp) err=$(mktemp) file=$(mktemp)
trap 'rm -f "$out" "$err" "$file" "$file.log"' EXIT
failed=0

# try NAME STATUS ARGS...: run hostvm and compare its exit status
try() {
	local name=$1 wanted=$2 status=0
	shift 2
	$hostvm --log "$file.log" "$@" >"$out" 2>"$err" </dev/null || status=$?
	if [ $status = "$wanted" ]; then
		echo "ok $name"
		return
	fi
	tail -n 5 "$err"
	echo "not ok $name - status $status, not $wanted"
	failed=1
}

same() {
	if [ "$2" = "$3" ]; then
		echo "ok $1"
	else
		echo "not ok $1 - got: ${2:0:60}"
		failed=1
	fi
}

# builds what it needs, which it tells on stderr
$hostvm --log "$file.log" -- true

try status 3 -- sh -c 'echo out; echo err >&2; exit 3'
same stdout "$(cat "$out")" out
same stderr "$(cat "$err")" err

# what is typed, a large output, files in both directions, one boot
truncate -s 1M "$file"
seq 1 100000 | $hostvm --stdin --copy Makefile:/opt/x --disk "$file" -- \
	sh -c 'cat; cmp /opt/x /opt/x && printf written >/dev/vda' >"$out" 2>"$err"
same stdin "$(sha256sum <"$out")" "$(seq 1 100000 | sha256sum)"
same disk "$(head -c 7 "$file")" written

try panic 121 -- sh -c 'echo c >/proc/sysrq-trigger'
try warning 121 -- sh -c 'echo "<4>WARNING: as if" >/dev/kmsg'
try expected 0 --expect 'as if' -- sh -c 'echo "<4>WARNING: as if" >/dev/kmsg'
# a user program's trap is nobody's bug
try user-trap 139 -- sh -c 'echo "<6>traps: a[1] general protection fault ip:0" >/dev/kmsg; kill -SEGV $$'
try power-off 122 -- sh -c 'echo o >/proc/sysrq-trigger; sleep 60'
try timeout 124 --timeout 8 -- sleep 1000
exit $failed
