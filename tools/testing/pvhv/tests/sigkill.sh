#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# needs: guest programs test-guests
# copy: build/programs:/root/programs build/guests.install:/root/guests
# timeout: 1500
#
# A launcher killed at any moment, in any state, frees everything.
. ./lib.sh

# What the guests do: the whole of a boot, computing, busy with processes,
# rebooting, crashed and kept, paused.
cat >/tmp/test <<'EOF'
while :; do
	seq 1 2000 | sort -rn | md5sum
done
EOF
make_guest /tmp/test
for init in init-off init-exit init-spin; do
	./mkinitrd /tmp/$init programs/$init || fail "no initrd"
done

start_kind() {
	case $(($1 % 6)) in
	0) start_guest "k$1" --cpus 3 --append quiet ;;
	1) start_guest "k$1" --initrd /tmp/init-spin --append quiet ;;
	2) start_guest "k$1" --initrd /tmp/init-off --append 'quiet -- reboot' ;;
	3) start_guest "k$1" --initrd /tmp/init-exit --append quiet --on-crash preserve ;;
	4)
		start_guest "k$1" --initrd /tmp/init-spin --append quiet
		sleep 0.5
		pvhv pause "k$1" >/dev/null 2>&1
		;;
	5) start_guest "k$1" --append quiet --console pty ;;
	esac
}

kill_one() {
	start_kind "$1"
	# from the first instructions of the launcher to a busy user space
	sleep "$(awk -v i="$1" 'BEGIN {srand(i); printf "%.3f", rand() * rand() * 5}')"
	kill -9 "$guest_pid" 2>/dev/null || not_ok "alive-$1" "$(tail -n 1 "/tmp/k$1.out")"
	wait "$guest_pid" 2>/dev/null
	rm -f "/tmp/k$1.out"
}

for i in 1 2 3 4 5 6; do kill_one $i; done	# they fill caches
before=$(host_counts)
for i in $(seq 7 "$(rounds "$(at_length 36 22)" 24)"); do
	kill_one "$i"
done
ok killed

# A domain whose pages another one copies from and to (grants) is killed meanwhile.
copier() { start_guest copier --kernel guests/peer.elf --initrd /dev/null --append "peer=$1"; }
for i in $(seq "$(rounds 8 4)"); do
	start_guest granter --kernel guests/peer.elf --initrd /dev/null
	granter=$guest_pid
	says_in 30 granter '^# granted' || { not_ok "granter-$i" "$(tail -n 1 /tmp/granter.out)"; break; }
	copier "$(pvhv info --json granter | sed -n 's/.*"domid": \([0-9]*\).*/\1/p')"
	says_in 30 copier '^# copying' || not_ok "copier-$i" "$(tail -n 1 /tmp/copier.out)"
	sleep "0.$((i * 37 % 100 + 100))"
	kill -9 "$granter"
	wait "$granter" 2>/dev/null
	wait "$guest_pid"
	said copier '^ok copies' && said copier '^done 1' && ok "copies-$i" ||
		not_ok "copies-$i" "$(grep '^not ok' /tmp/copier.out; tail -n 1 /tmp/copier.out)"
done
rm -f /tmp/granter.out /tmp/copier.out

gone() { [ "$(awk '$1 == "pvhv" {print $3}' /proc/modules)" = 0 ]; }
wait_for 10 gone && ok unused || not_ok unused "$(grep ^pvhv /proc/modules)"
same_counts nothing-lost "$before" "$(host_counts)" 8192
no_leaks
[ -z "$(pvhv list | sed 1d)" ] && ok no-domains || not_ok no-domains "$(pvhv list | tail -n 1)"
[ -z "$(ls -A /run/pvhv 2>/dev/null)" ] && ok no-sockets || not_ok no-sockets "$(ls /run/pvhv)"
unloads
exit $failed
