#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# needs: guest test-guests
# copy: build/guests.install:/root/guests
# timeout: 1500
#
# 200 domains come and go, each eighth of them Linux, and no page or object is lost; fewer
# on the debug host, where kmemleak looks, too.
. ./lib.sh

echo true >/tmp/test
make_guest /tmp/test
cycle() {
	if [ $(($1 % 8)) = 1 ]; then
		timeout -k 5 120 pvhv run --initrd /tmp/initrd </dev/null
	else
		timeout -k 5 60 pvhv run --kernel guests/hello.elf --memory 64M </dev/null
	fi >/tmp/out 2>&1
}
# the first ones fill caches
for i in 1 2 3 4 5; do
	cycle $i || fail "cycle $i: $(tail -n 1 /tmp/out)"
done
before=$(host_counts)
# of a host on a busy machine
log() { dmesg | grep -v 'hrtimer: interrupt took'; }
lines=$(log | wc -l)
for i in $(seq 1 "$(rounds 200 "$(at_length 20 8)")"); do
	cycle "$i" || fail "cycle $i: $(tail -n 1 /tmp/out)"
done
ok cycles
# in normal running the module has nothing to say
[ "$(log | wc -l)" = "$lines" ] && ok kernel-log || not_ok kernel-log "$(log | tail -n 1)"
# 10 KiB for each domain: less than a page table and a stack. On the debug host freed
# objects stay in KASAN's quarantine.
same_counts nothing-lost "$before" "$(host_counts)" "$(rounds 2048 8192)"
nothing_left
no_leaks
unloads
exit $failed
