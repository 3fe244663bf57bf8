#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# needs: hostvm module tools guest
# timeout: 900
#
# "make demo" without a terminal: a session of a guest, to its end. What runs it in the host VM
# is not content with a guest that does not boot, or that says nothing.
# shellcheck disable=SC2016 # for the VM's shell
set -uo pipefail
out=$(mktemp) dir=$(mktemp -d)
trap 'rm -rf "$out" "$dir"' EXIT
failed=0

# outcome NAME WHY COMMAND...: by its status
outcome() {
	local name=$1 why=$2
	shift 2
	if "$@" >/dev/null; then
		echo "ok $name"
	else
		echo "not ok $name - $why"
		failed=1
	fi
}

# said LINE: a whole line of the output
said() { grep -qx -- "$1" "$out"; }

make --no-print-directory demo </dev/null 2>&1 | tr -d '\r' | tee "$out"
status=$?
outcome status "$status" [ $status = 0 ]
outcome module "lsmod does not show it" grep -q '^pvhv .* 0 *$' "$out"
release=$(strings build/guest/vmlinux | sed -n "s/^Linux version \([^ ]*\) .*/\1/p" | head -n 1)
outcome guest-kernel "no uname of the guest" grep -q "^Linux .* $release " "$out"
outcome processes "no children" said 'child 3'
outcome data "another sum" said "$(seq 1 20000 | sort -rn | md5sum)"
outcome result "no status of the session" said 'demo: status 0'

# the same without a program that it could start, and with one that does nothing
echo nonsense >"$dir/garbage"
printf '%s\n' '#!/bin/sh' 'poweroff -f' >"$dir/init"
tools/testing/pvhv/mkinitrd "$dir/silent" "$dir/init"
tools/testing/pvhv/hostvm --copy tools/testing/pvhv/demo.d/host:/root/demo \
	--copy "$dir/garbage:/root/garbage" --copy "$dir/silent:/root/silent" -- \
	sh -c 'for i; do cp $i /root/initrd; /root/demo script; echo "$i: $?"; done' sh garbage silent \
	</dev/null 2>&1 | tr -d '\r' | tee "$out"
outcome no-boot "$(grep '^garbage: ' "$out")" said 'garbage: 3'
outcome no-session "$(grep '^silent: ' "$out")" said 'silent: 1'
exit $failed
