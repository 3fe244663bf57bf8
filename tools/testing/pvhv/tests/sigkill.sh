#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# needs: guest
# timeout: 900
#
# A launcher killed at any moment, in any state, frees everything.
. ./lib.sh

cat >/tmp/test <<'EOF'
while :; do
	seq 1 2000 | sort -rn | md5sum
done
EOF
make_guest /tmp/test
start_guest warm-up
sleep 2
kill -9 "$guest_pid"
wait "$guest_pid" 2>/dev/null
before=$(host_counts)
for i in $(seq 1 40); do
	start_guest "k$i"
	# from the first instructions of the launcher to a busy user space
	sleep "$(awk -v i="$i" 'BEGIN {srand(i); printf "%.3f", rand() * rand() * 6}')"
	kill -9 "$guest_pid" 2>/dev/null || not_ok "alive-$i" "$(tail -n 1 "/tmp/k$i.out")"
	wait "$guest_pid" 2>/dev/null
	rm -f "/tmp/k$i.out"
done
gone() { [ "$(awk '$1 == "pvhv" {print $3}' /proc/modules)" = 0 ]; }
wait_for 10 gone && ok unused || not_ok unused "$(grep ^pvhv /proc/modules)"
same_counts nothing-lost "$before" "$(host_counts)" 8192
[ -z "$(pvhv list | sed 1d)" ] && ok no-domains || not_ok no-domains "$(pvhv list | tail -n 1)"
modprobe -r pvhv && ok unloads || not_ok unloads "modprobe -r fails"
exit $failed
