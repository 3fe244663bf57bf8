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

# rounds N M: N, or M on a host whose checkers make all of it four times as slow
rounds() {
	case $(uname -r) in
	*-pvhv-debug) echo "$2" ;;
	*) echo "$1" ;;
	esac
}

# at_length LONG SHORT: LONG in make check-long, else SHORT
at_length() { [ "$PVHV_TEST_LENGTH" = long ] && echo "$1" || echo "$2"; }

# wait_for SECONDS COMMAND...: until it succeeds
wait_for() {
	deadline=$(($(date +%s) + $1))
	shift
	while ! "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -le $deadline ] || return 1
		sleep 0.1
	done
}

# enough NAME TIMES LEAST: was something done so often that a test of it means something?
enough() {
	echo "# $1: $2 times"
	[ "${2:-0}" -ge "$3" ] || not_ok "$1-times" "only ${2:-0} times"
}

# vcpu_tid NAME VCPU: its thread
vcpu_tid() { pvhv cpu list "$1" | awk -v vcpu="$2" '$1 == vcpu {print $3}'; }

guest_kernel=/usr/lib/pvhv/vmlinux-guest

# make_guest TEST [FILE[:DST]]...: /tmp/initrd, whose guest runs the file TEST
make_guest() {
	test=$1
	shift
	rm -f /tmp/initrd	# not through use_guest's link
	./mkinitrd /tmp/initrd guest/init "$test:test" guest/checks:root/checks "$@" || fail "no initrd"
}

# use_guest FILE: an initrd that is there already
use_guest() { ln -sfn "$(realpath "$1")" /tmp/initrd; }

# run_guest NAME SECONDS [OPTION]...: a guest with /tmp/initrd to its end.
# Passes its result lines on; one more result for how it ended.
run_guest() {
	guest=$1 limit=$2
	shift 2
	timeout -k 5 "$limit" pvhv run --name "$guest" --initrd /tmp/initrd \
		--memory 256M "$@" </dev/null >"/tmp/$guest.out" 2>&1
	status=$?
	guest_results "$guest" $status
}

# guest_results NAME STATUS: of a guest that wrote to /tmp/NAME.out
guest_results() {
	tr -d '\r' <"/tmp/$1.out" >"/tmp/$1.lines"
	grep -E '^(ok|not ok|#) ' "/tmp/$1.lines"
	if [ "$2" = 0 ] && grep -q '^guest-status 0' "/tmp/$1.lines"; then
		ok "$1-end"
		return
	fi
	# the guest kernel's complaint if there is one, else the last words
	why=$(grep -m 1 -E 'WARNING:|BUG:|Oops|Kernel panic|crashed' "/tmp/$1.lines")
	if [ -n "$why" ]; then
		grep -m 1 -A 40 -F -- "$why" "/tmp/$1.lines"
	else
		tail -n 15 "/tmp/$1.lines"
		why=$(grep -v -e '^ok' -e '^$' "/tmp/$1.lines" | tail -n 1)
	fi
	[ "$2" != 124 ] && [ "$2" != 137 ] || why="timeout; $why"
	not_ok "$1-end" "status $2: $why"
}

# start_guest NAME [OPTION]...: in the background, its pid in $guest_pid
start_guest() {
	guest=$1
	shift
	pvhv run --name "$guest" --initrd /tmp/initrd --memory 256M "$@" \
		</dev/null >"/tmp/$guest.out" 2>&1 &
	guest_pid=$!
}

# said NAME TEXT: has the guest said this yet?
said() { grep -q -- "$2" "/tmp/$1.out"; }

# says_in SECONDS NAME TEXT: does the guest $guest_pid, before it ends?
says_in() {
	ended_or_said() { said "$1" "$2" || ! kill -0 "$guest_pid"; }
	wait_for "$1" ended_or_said "$2" "$3"
	said "$2" "$3"
}

# Free memory in KiB, with what waits in per-CPU lists (those alone make MemFree
# vary by 20 MiB, their sum with it by less than 100 KiB) and in empty slabs.
free_memory() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	for cache in /sys/kernel/slab/*/shrink; do
		echo 1 >"$cache"
	done
	sleep 1
	awk '/^MemFree:/ {n += $2} $1 == "count:" {n += $2 * 4} END {print n}' \
		/proc/meminfo /proc/zoneinfo
}

# What exists only with a domain or a device: "count name" lines.
domain_counts() {
	find /proc/[0-9]*/fd -lname '*pvhv*' 2>/dev/null | wc -l | sed 's/$/ files/'
	pvhv check --json | grep -o '"domains": [0-9]*' | awk '{print $2, "domains"}'
	awk '/^nr_foll_pin_acquired/ {n += $2} /^nr_foll_pin_released/ {n -= $2} END {print n, "pinned"}' /proc/vmstat
	# objects of its own caches that are in use, the empty ones given back
	for cache in /sys/kernel/slab/pvhv_* /sys/kernel/slab/netback_tx; do
		# a merged one has objects of others
		[ ! -e "$cache" ] || [ -L "$cache" ] && continue
		echo 1 >"$cache/shrink"
		echo "$(cut -d' ' -f1 "$cache/objects") ${cache##*/}"
	done
}

# What a domain takes of the host and must give back: "count name" lines.
host_counts() {
	echo "$(free_memory) free"
	grep -c pvhv /proc/vmallocinfo | sed 's/$/ vmalloc/'
	awk '$1 == "nr_page_table_pages" || $1 == "nr_kernel_stack" || $1 == "nr_mlock" {print $2, $1}' /proc/vmstat
	awk '$1 == "pvhv" {print $3, "references"}' /proc/modules
	domain_counts
}

# same_counts NAME BEFORE AFTER FREE: all equal up to a little noise, and not
# more than FREE KiB of free memory lost
same_counts() {
	printf '%s\n---\n%s\n' "$2" "$3" | awk -v slack="$4" '
		/^---/ { after = 1; next }
		!after { before[$2] = $1; next }
		{
			lost = $2 == "free" ? before[$2] - $1 : $1 - before[$2]
			# the kernel keeps workers of its own for some minutes
			room = $2 == "free" ? slack : $2 == "nr_kernel_stack" ? 160 : $2 ~ /^nr_/ ? 40 : 0
			if (lost > room) {
				printf "%s: from %d to %d; ", $2, before[$2], $1
				bad = 1
			}
		}
		END { exit bad }' >/tmp/counts.diff && ok "$1" || not_ok "$1" "$(cat /tmp/counts.diff)"
}

left_of_domains() { domain_counts | grep -v '^0 '; }

# nothing_left: a result, when all domains have ended. A page of a guest that is in use is
# seen by its grant table, of which there is one for as long as any of its pages is used.
nothing_left() {
	none_left() { ! left_of_domains >/tmp/left.now; }
	wait_for 20 none_left && ok nothing-left || not_ok nothing-left "$(paste -sd ' ' /tmp/left.now)"
}

# no_leaks: a result on hosts with kmemleak, for all since the machine's start. It takes minutes,
# and hostvm looks at the machine's end, so only where there is time to see which test it was.
# An object must be 5 seconds old to count.
no_leaks() {
	[ "$(at_length yes no)" = yes ] && [ -e /sys/kernel/debug/kmemleak ] || return 0
	# It refuses if it is off (kmemleak=on) or has given up: then nothing was looked at.
	echo scan >/sys/kernel/debug/kmemleak || { not_ok no-leaks "kmemleak does not scan"; return; }
	sleep 6
	echo scan >/sys/kernel/debug/kmemleak || { not_ok no-leaks "kmemleak has given up"; return; }
	cat /sys/kernel/debug/kmemleak >/tmp/leaks
	[ ! -s /tmp/leaks ] && ok no-leaks && return
	head -n 40 /tmp/leaks
	not_ok no-leaks "$(grep -c '^unreferenced' /tmp/leaks) objects of $(grep -m 1 comm /tmp/leaks)"
}

# unloads: the module goes, as nobody uses it; else who does
unloads() {
	if why=$(modprobe -r pvhv 2>&1); then
		ok unloads
		return
	fi
	grep '^pvhv' /proc/modules
	find /proc/[0-9]*/fd -lname '*pvhv*' 2>/dev/null
	pgrep -af pvhv
	not_ok unloads "$why: $(awk '$1 == "pvhv" {print $3, $4}' /proc/modules)"
}
