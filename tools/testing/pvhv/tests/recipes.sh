#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock
# long: stock
# boot: recipes
# needs: guest
# copy: Documentation/pvhv/recipes.rst:/root/recipes.rst
# timeout: 1500
#
# The recipes of the documentation as they are written there, those in blocks with a name. What
# they need of the kernel they get by themselves: no module is loaded here but loop.
# shellcheck disable=SC2016 # what the guest's shell expands
. ./lib.sh

# recipe NAME: the commands of the block of that name in the documentation
recipe() {
	awk -v name="$1" '
		$1 == ":name:" { on = $2 == name; next }
		on && /^[^ ]/ { exit }
		on { sub(/^   /, ""); print }' recipes.rst >"/tmp/recipe.$1"
	grep -q . "/tmp/recipe.$1" || fail "recipes.rst has no $1"
	cat "/tmp/recipe.$1"
}

# on_host NAME: a result. Later recipes know the variables of earlier ones.
: >/tmp/recipe.variables
on_host() {
	recipe "$1" >/tmp/recipe
	sh -ec '. /tmp/recipe.variables; . /tmp/recipe; set | grep -E "^(base|cow|loop)=" >/tmp/recipe.set || :' \
		>/tmp/recipe.out 2>&1 </dev/null
	status=$?
	if [ $status = 0 ]; then
		cat /tmp/recipe.set >/tmp/recipe.variables
		ok "$1"
	else
		tail -n 15 /tmp/recipe.out
		not_ok "$1" "status $status: $(tail -n 1 /tmp/recipe.out)"
	fi
}

# guest_says SECONDS NAME TEXT: seconds of the clock
guest_says() {
	end=$(($(date +%s) + $1))
	until said "$2" "$3"; do
		[ "$(date +%s)" -lt $end ] || return 1
		sleep 0.5
	done
}

# start NAME MEMORY: a guest that takes orders by the descriptor that is opened for it
start() {
	rm -f "/tmp/$1.in"
	mkfifo "/tmp/$1.in" || fail "no fifo"
	pvhv run --name "$1" --initrd /tmp/initrd --memory "$2" --append 'quiet loglevel=4' \
		<>"/tmp/$1.in" >"/tmp/$1.out" 2>&1 &
	guest_says 300 "$1" '^guest-ready' || fail "$1 does not start: $(tail -n 3 "/tmp/$1.out")"
}

# in_guest NAME SECONDS COMMAND: its output and status are ours
in_guest() {
	# a number that no subshell has used either
	orders=$(date +%s%N)
	order_lines=$(wc -l <"/tmp/$1.out")
	printf '%s\n' "{ $3" "} ; echo \"guest-done $orders \$? .\"" . | tr '\t' ' ' >"/tmp/$1.in"
	guest_says "$2" "$1" "^guest-done $orders [0-9]* [.]" || { echo "timeout of: $3"; return 124; }
	tail -n "+$((order_lines + 1))" "/tmp/$1.out" | tr -d '\r' >/tmp/order.out
	grep -v '^guest-done' /tmp/order.out
	return "$(sed -n "s/^guest-done $orders \([0-9]*\) [.]/\1/p" /tmp/order.out)"
}

# guest RESULT NAME SECONDS COMMAND: a result
guest() {
	in_guest "$2" "$3" "$4" >/tmp/order.shown
	status=$?
	[ $status = 0 ] && ok "$1" && return
	tail -n 15 /tmp/order.shown
	not_ok "$1" "status $status: $(tail -n 1 /tmp/order.shown)"
}

# used SERIAL: it can be written to, and what is written is read back
used() {
	guest "$1-used" web 120 "until_true 10 disk $1; d=\$(disk $1) && mkfs.ext4 -q -F \$d && mount -t ext4 \$d /mnt &&
		head -c 3000000 /dev/urandom >/mnt/x && md5sum </mnt/x >/root/sum && sync && umount /mnt &&
		e2fsck -fn \$d && mount -t ext4 \$d /mnt && md5sum </mnt/x | cmp - /root/sum; s=\$?; umount /mnt; (exit \$s)"
}

# What the recipes find
modprobe null_blk nr_devices=1 memory_backed=1 gb=2 && mkfs.ext4 -q /dev/nullb0 && mkdir -p /srv &&
	mount /dev/nullb0 /srv || fail "no file system"
truncate -s 64M /srv/base.img /srv/remote.img /srv/disk.img
mkfs.ext4 -q -F /srv/base.img
base_sum=$(md5sum </srv/base.img)
# no udevd here: without this, dmsetup and cryptsetup wait for it
export DM_DISABLE_UDEV=1
# nor who would load this when losetup looks for it
modprobe loop || fail "no loop devices"
for module in pvhv_blkback pvhv_netback; do
	[ ! -e /sys/module/$module ] || fail "$module is here before it is needed"
done
make_guest guest/orders guest/disks:root/disks /sbin/mkfs.ext4 /sbin/e2fsck
start web 192M
start db 128M
in_guest web 20 'mkdir -p /mnt' || fail "web takes no orders"

on_host overlay
used overlay
[ "$(dmsetup status web | sed 's/.* \([0-9]*\)\/.*/\1/')" -gt 6000 ] && ok overlay-has-the-changes ||
	not_ok overlay-has-the-changes "$(dmsetup status web)"
on_host overlay-end
[ "$(md5sum </srv/base.img)" = "$base_sum" ] && ok base-is-unchanged || not_ok base-is-unchanged "changed"

on_host encryption
guest secret-marker web 60 'until_true 10 disk secret; { printf PLAINTEXT-MARKER; head -c 4080 /dev/zero; } |
	dd of=$(disk secret) bs=4k seek=5000 oflag=direct conv=fsync 2>/dev/null'
grep -q PLAINTEXT-MARKER /dev/mapper/secret && ok secret-is-written || not_ok secret-is-written "not there"
grep -q PLAINTEXT-MARKER /srv/secret.img && not_ok secret-is-secret "plain text in the file" || ok secret-is-secret
used secret
on_host encryption-end

on_host remote-server
on_host remote
used remote
on_host remote-end
e2fsck -fn /srv/remote.img >/tmp/fsck 2>&1 && ok remote-has-it || not_ok remote-has-it "$(tail -n 1 /tmp/fsck)"

on_host loop
used part
on_host loop-end
[ "$(head -c 1M /srv/disk.img | tr -d '\0' | wc -c)" = 0 ] && ok loop-before-the-part ||
	not_ok loop-before-the-part "written to"
losetup --offset 1M --find --show /srv/disk.img >/tmp/loop && e2fsck -fn "$(cat /tmp/loop)" >/tmp/fsck 2>&1 &&
	ok loop-has-it || not_ok loop-has-it "$(tail -n 1 /tmp/fsck)"

on_host resize
guest resized web 60 'until_true 10 disk data; until_true 10 size_is data 262144'
used data

on_host bridge
guest bridge-web web 60 "until_true 10 [ -e /sys/class/net/eth0 ]; $(recipe bridge-web)"
guest bridge-db db 60 "until_true 10 [ -e /sys/class/net/eth0 ]; $(recipe bridge-db)"
expect bridge-host-to-web 0 ping -q -c 3 -W 10 192.168.77.2
guest bridge-web-to-host web 60 'ping -q -c 3 -W 10 192.168.77.1'
guest bridge-web-to-db web 60 'ping -q -c 3 -W 10 192.168.77.3'
guest bridge-db-to-web db 60 'ping -q -c 3 -W 10 192.168.77.2'
in_guest db 20 'head -c 2000000 /dev/urandom >/tmp/file; httpd -p 5000 -h /tmp; md5sum </tmp/file' >/tmp/sum
guest bridge-transfer web 120 "wget -q -O - http://192.168.77.3:5000/file | md5sum | grep $(cut -d' ' -f1 /tmp/sum)"

# Another part of the network, which has the guests' addresses
ip netns add lan
ip link add eth1 type veth peer name eth0 netns lan
ip -n lan address add 192.168.77.4/24 dev eth0
ip -n lan link set eth0 up
on_host bridge-port
guest bridge-web-to-lan web 60 'ping -q -c 3 -W 10 192.168.77.4'
expect bridge-lan-to-db 0 ip netns exec lan ping -q -c 3 -W 10 192.168.77.3

# The outside: a network namespace that knows nothing of 192.168.77
ip netns add outside
ip link add out0 type veth peer name eth0 netns outside
ip address add 203.0.113.1/24 dev out0
ip link set out0 up
ip -n outside address add 203.0.113.2/24 dev eth0
ip -n outside link set eth0 up
ip -n outside link set lo up
on_host nat
guest nat-web web 20 "$(recipe nat-web)"
guest nat-ping web 60 'ping -q -c 3 -W 10 203.0.113.2'
ip netns exec outside sh -c 'echo from-outside | busybox nc -l -p 6000 -w 60' >/tmp/outside &
sleep 1
guest nat-tcp web 60 'nc 203.0.113.2 6000 </dev/null | grep from-outside'
on_host forward
in_guest web 20 '(echo from-web | nc -l -p 80 >/dev/null &)'
ip netns exec outside busybox nc -w 20 203.0.113.1 8080 </dev/null >/tmp/forwarded
grep -q from-web /tmp/forwarded && ok forward-tcp || not_ok forward-tcp "no answer"

for name in web db; do
	printf 'exit 0\n' >"/tmp/$name.in"
done
no_guests() { [ "$(pvhv list | wc -l)" = 1 ]; }
wait_for 60 no_guests && ok guests-end || not_ok guests-end "$(pvhv list | tail -n 1)"
# which does not wait for their interfaces
no_interfaces() { [ ! -e /sys/class/net/web0 ] && [ ! -e /sys/class/net/db0 ]; }
wait_for 30 no_interfaces && ok interfaces-are-gone ||
	not_ok interfaces-are-gone "$(ip -brief link | cut -d" " -f1 | paste -sd " ")"
nothing_left
exit $failed
