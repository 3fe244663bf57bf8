#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock
# needs: guest test-guests
# copy: build/guests.install:/root/guests
# args: --memory 4096M
# boot: many
# timeout: 1200
#
# 50 domains at once, started and ended in any order, and nothing is left of them. A third of
# them are Linux, which takes long to boot; the others sleep.
. ./lib.sh

number=50
cat >/tmp/test <<'EOF'
echo many-ready
while :; do sleep 1; done
EOF
make_guest /tmp/test
rm -f /tmp/m*.out

# start_all: pids in /tmp/mN.pid
start_all() {
	for i in $(seq "$1" | shuf); do
		set -- --kernel guests/spin.elf --append case=sleeps-for-ever
		[ $((i % 3)) != 0 ] || set -- --initrd /tmp/initrd --append 'quiet loglevel=4'
		pvhv run --name "m$i" --memory 64M --cpus $((i % 4 + 1)) "$@" \
			</dev/null >"/tmp/m$i.out" 2>&1 &
		echo $! >"/tmp/m$i.pid"
	done
}

ready='^many-ready|^# sleeps-for-ever'
all_ready() { [ "$(grep -l -E "$ready" /tmp/m*.out | wc -l)" = "$1" ]; }

# end_all: each in one of four ways
end_all() {
	for i in $(seq "$1" | shuf); do
		case $((i % 4)) in
		0) pvhv kill "m$i" ;;
		1) kill -9 "$(cat "/tmp/m$i.pid")" ;;
		2) pvhv pause "m$i" && pvhv kill "m$i" ;;
		3) pvhv stop --timeout 0 "m$i"; pvhv kill "m$i" || ! pvhv info "m$i" >/dev/null ;;
		esac || not_ok "end-m$i" "$(tail -n 1 "/tmp/m$i.out")"
	done 2>/dev/null
	wait
	rm -f /tmp/m*.out /tmp/m*.pid
}

# These fill caches.
start_all 5
wait_for 200 all_ready 5 || fail "5 guests do not start: $(grep -L -E "$ready" /tmp/m*.out)"
end_all 5
before=$(host_counts)
start_all $number
wait_for 800 all_ready $number && ok all-run ||
	not_ok all-run "$(grep -L -E "$ready" /tmp/m*.out | wc -l) do not"
[ "$(pvhv list | grep -c running)" = $number ] && ok all-listed || not_ok all-listed "$(pvhv list | tail -n 1)"
grep -h -E 'BUG:|WARNING:|Oops|rcu.*stall|lockup' /tmp/m*.out >/tmp/complaints && not_ok no-complaints "$(head -n 1 /tmp/complaints)" ||
	ok no-complaints
end_all $number
[ "$(pvhv list | wc -l)" = 1 ] && ok none-listed || not_ok none-listed "$(pvhv list | tail -n 1)"
# 20 KiB for each
same_counts nothing-lost "$before" "$(host_counts)" 1024
unloads
exit $failed
