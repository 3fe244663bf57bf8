# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Sourced by the tests whose machine the module refuses.

# one_line NAME STATUS PATTERN COMMAND...: one line for an error, and no other
one_line() {
	name=$1 wanted=$2 pattern=$3
	shift 3
	timeout 60 "$@" </dev/null >/tmp/out 2>&1
	status=$?
	sed 's/^/# /' /tmp/out
	errors=$(grep -vc '^warning ' /tmp/out)
	if [ $status = "$wanted" ] && [ "$errors" = 1 ] && grep -q "$pattern" /tmp/out; then
		ok "$name"
	else
		not_ok "$name" "status $status, not $wanted, $errors lines: $(head -n 1 /tmp/out)"
	fi
}

# refuses WHY PROBLEM: what the module says in the log, and the command to the user
refuses() {
	dmesg -C
	modprobe pvhv 2>/tmp/out && not_ok modprobe "it succeeded" || ok modprobe
	sed 's/^/# /' /tmp/out
	# the kernel itself says that it is no module of its own
	dmesg | grep -v -e 'pvhv: loading out-of-tree' -e 'pvhv: module verification' >/tmp/log
	sed 's/^/# /' /tmp/log
	if [ "$(grep -c pvhv: /tmp/log)" = 1 ] && grep -q "pvhv: cannot run here: $1\$" /tmp/log; then
		ok log
	else
		not_ok log "not one line: $(grep pvhv: /tmp/log | tail -n 1)"
	fi
	[ ! -e /dev/pvhv ] && [ ! -e /sys/module/pvhv ] && ok nothing-left ||
		not_ok nothing-left "a device or a module"
	one_line check 2 "^error unsupported-cpu: $2; " pvhv check
	one_line run 2 "error unsupported-cpu: $2; " pvhv run
	# the backends do not come without it, and neither leaves anything
	for backend in pvhv-blkback pvhv-netback; do
		modprobe $backend 2>/dev/null && not_ok $backend "it was loaded" || ok $backend
	done
	! grep '^pvhv' /proc/modules && ok no-modules || not_ok no-modules "$(grep -c ^pvhv /proc/modules)"
}
