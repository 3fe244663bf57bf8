# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034
#
# Sourced by the tests that run in the host VM: . ./lib.sh

failed=0

ok() { echo "ok $1"; }

not_ok() {
	echo "not ok $1 - $2"
	failed=1
}

skip() {
	echo "$*"
	exit 77
}

fail() {
	echo "$*"
	exit 1
}

# expect NAME WANTED COMMAND...: one result by the status of COMMAND, whose
# output is shown when it is another.
expect() {
	name=$1 wanted=$2
	shift 2
	output=$("$@" 2>&1 </dev/null)
	status=$?
	if [ "$status" = "$wanted" ]; then
		ok "$name"
	else
		echo "$output" | tail -n 15
		not_ok "$name" "status $status, not $wanted: $(echo "$output" | tail -n 1)"
	fi
}

# wait_for SECONDS COMMAND...: until it succeeds
wait_for() {
	tries=$(($1 * 10))
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.1
	done
}

guest_kernel=/usr/lib/pvhv/vmlinux-guest
