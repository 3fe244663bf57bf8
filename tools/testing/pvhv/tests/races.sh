#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: kcsan
# long: kcsan
# needs: guest test-guests programs
# copy: build/guests.install:/root/guests build/programs:/root/programs
# timeout: 3000
#
# Guests with several vCPUs or with devices on a host that looks for data races. Only races between
# functions of ours are reported (which makes the host's log, and so the test, bad): Linux has some
# of its own.
. ./lib.sh
modprobe pvhv && modprobe pvhv-blkback && modprobe pvhv-netback || fail "no module"
kcsan=/sys/kernel/debug/kcsan
[ -e $kcsan ] || fail "this kernel has no KCSAN"
awk '$4 ~ /^\[pvhv/ && tolower($2) == "t" {print substr($4, 2, length($4) - 2) ":" $3}' /proc/kallsyms |
	grep -v -e '[.]' -e '__pfx_' | sort -u >/tmp/functions
while read -r function; do
	echo "!$function"  >$kcsan
done </tmp/functions 2>/tmp/errors
echo whitelist >$kcsan && echo on >$kcsan || fail "KCSAN cannot be set up"
grep '' $kcsan | head -n 20 | sed 's/^/# /'
[ "$(wc -l </tmp/functions)" -gt 300 ] && [ ! -s /tmp/errors ] && ok functions ||
	not_ok functions "$(wc -l </tmp/functions), $(head -n 1 /tmp/errors)"

guests/run-all -t 300 guests smp smpcrash flush hints roots ports grants timer multicall || failed=1
# This kernel has no IPv6, by which the host says something of its own accord on each interface.
while sleep 0.3; do
	for interface in /sys/class/net/vif*; do
		ip addr add 192.0.2.1/24 dev "${interface##*/}"
		ping -c 1 -W 1 -I "${interface##*/}" 192.0.2.2
	done
done >/dev/null 2>&1 &
talker=$!
guests/run-all -t 600 guests blkring netring conring || failed=1
kill $talker
use_guest programs/tests.cpio
run_guest smp 900 --cpus 4 --append "quiet loglevel=1 tests=smp$(at_length ,threads '')"
# not in vain: it has set up watchpoints, also in what we asked for
grep '' $kcsan | sed -n '/watchpoints/s/^/# /p'
awk '/setup_watchpoints/ {found = $2} END {exit !(found > 1000)}' $kcsan && ok watchpoints ||
	not_ok watchpoints "$(head -n 5 $kcsan | tr '\n' ' ')"
exit $failed
