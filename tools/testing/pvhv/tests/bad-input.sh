#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock
# needs: guest
# timeout: 300
# quick: yes
#
# What pvhv run is given that is wrong: one clear line, a status, no leftovers.
. ./lib.sh

# refused NAME STATUS COMMAND...
refused() {
	name=$1 wanted=$2
	shift 2
	timeout 60 "$@" </dev/null >/tmp/out 2>&1
	status=$?
	lines=$(wc -l </tmp/out)
	if [ $status = "$wanted" ] && [ "$lines" = 1 ]; then
		echo "# $(cat /tmp/out)"
		ok "$name"
	else
		head -n 5 /tmp/out
		not_ok "$name" "status $status, not $wanted, $lines lines: $(head -n 1 /tmp/out)"
	fi
}

size=$(stat -c %s $guest_kernel)
echo hello >/tmp/text
: >/tmp/empty
head -c 1000 $guest_kernel >/tmp/short
head -c $((size / 2)) $guest_kernel >/tmp/half
# no ELF note of ours: an ordinary program
cp /bin/busybox /tmp/program
{ printf '\177ELF'; head -c 5000 /dev/urandom; } >/tmp/garbage

refused text 1 pvhv run --kernel /tmp/text
refused empty 1 pvhv run --kernel /tmp/empty
refused header-only 1 pvhv run --kernel /tmp/short
refused truncated 1 pvhv run --kernel /tmp/half
refused program 1 pvhv run --kernel /tmp/program
refused garbage 1 pvhv run --kernel /tmp/garbage
refused directory 1 pvhv run --kernel /tmp
refused missing 1 pvhv run --kernel /tmp/nothing
refused missing-initrd 1 pvhv run --initrd /tmp/nothing
refused no-memory 1 pvhv run --memory 1M
refused odd-memory 1 pvhv run --memory lots
refused too-much-memory 1 pvhv run --memory 1000000G
refused bad-name 1 pvhv run --name 'a/b'
refused bad-option 1 pvhv run --nonsense
# another distribution's kernel, without PVHV_GUEST
[ ! -e /root/vmlinuz ] || refused foreign-kernel 1 pvhv run --kernel /root/vmlinuz
refused no-permission 2 runuser -u outsider -- pvhv run
modprobe -r pvhv
refused no-module 2 pvhv run
modprobe pvhv

[ -z "$(pvhv list | sed 1d)" ] && ok no-domains || not_ok no-domains "$(pvhv list | tail -n 1)"
modprobe -r pvhv && ok unloads || not_ok unloads "modprobe -r fails"
exit $failed
