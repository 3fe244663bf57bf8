# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034,SC2154
#
# Sourced after lib.sh by what boots the Debian of scripts/build-rootfs, which is
# on /dev/vda: a network for it, and its console.

debian_options="--memory 512M --disk path=/dev/vda,serial=root --net bridge=br0 --append root=/dev/pvda"

# A bridge with the host and a DHCP server on it
debian_network() {
	ip link add br0 type bridge || return
	ip address add 192.168.77.1/24 dev br0
	ip link set br0 up
	cat >/tmp/udhcpd.conf <<-EOF
		interface br0
		start 192.168.77.100
		end 192.168.77.199
		option subnet 255.255.255.0
		option router 192.168.77.1
		option dns 192.168.77.1
		lease_file /tmp/udhcpd.leases
		pidfile /tmp/udhcpd.pid
	EOF
	: >/tmp/udhcpd.leases
	busybox udhcpd -S /tmp/udhcpd.conf
}

# start_debian NAME [OPTION]...: its pid is then $debian_pid
start_debian() {
	debian=$1
	shift
	rm -f "/tmp/$debian.in"
	mkfifo "/tmp/$debian.in" || fail "no fifo"
	exec 7<>"/tmp/$debian.in"
	# shellcheck disable=SC2086 # a list of words
	pvhv run --name "$debian" $debian_options "$@" \
		<"/tmp/$debian.in" >"/tmp/$debian.out" 2>&1 7>&- &
	debian_pid=$!
}

# debian_runs: is pvhv run still there?
debian_runs() { kill -0 "$debian_pid" 2>/dev/null; }

# debian_says SECONDS TEXT: seconds of the clock, which a busy machine has few of;
# 1 also if it has ended without
debian_says() {
	end=$(($(date +%s) + $1))
	until said "$debian" "$2"; do
		debian_runs && [ "$(date +%s)" -lt $end ] || return 1
		sleep 0.5
	done
}

# debian_login SECONDS: past the login prompt to a shell without echo, prompt and
# line editing
debian_login() {
	debian_says "$1" '^debian login: ' || return
	echo root >&7
	debian_says 120 'root@debian:' || return
	echo 'exec sh' >&7
	# not the echo of it
	echo "stty -echo; PS1=; PS2=; echo; echo shell-is''-ready" >&7
	debian_says 60 'shell-is-ready'
}

# in_debian SECONDS COMMAND: in its shell; its output and status are ours, 124 if it
# does not end.
in_debian() {
	# a number that no subshell has used either
	orders=$(date +%s%N)
	order_lines=$(wc -l <"/tmp/$debian.out")
	printf '%s\n' "{ $2 ; } 2>&1; echo; echo order-done $orders \$? ." >&7
	if ! debian_says "$1" "^order-done $orders [0-9]* [.]"; then
		tail -n "+$((order_lines + 1))" "/tmp/$debian.out"
		echo "timeout of: $2"
		return 124
	fi
	tail -n "+$((order_lines + 1))" "/tmp/$debian.out" | tr -d '\r' >/tmp/order.out
	grep -v -e '^order-done' -e '^$' /tmp/order.out
	return "$(sed -n "s/^order-done $orders \([0-9]*\) [.]/\1/p" /tmp/order.out)"
}

# stop_debian SECONDS: poweroff, typed; the status is that of pvhv run, 124 if it
# does not end.
stop_debian() {
	echo poweroff >&7
	debian_ends "$1"
}

debian_ends() {
	end=$(($(date +%s) + $1))
	while debian_runs; do
		[ "$(date +%s)" -lt $end ] || return 124
		sleep 1
	done
	exec 7>&-
	wait "$debian_pid"
}
