#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock
# needs: guest rootfs
# args: --scratch build/rootfs.img --memory 2048M
# copy: Documentation/pvhv/recipes.rst:/root/recipes.rst
# boot: debian
# timeout: 3000
#
# Debian 12 from a disk: systemd to a login prompt, its network, what a package
# manager does to a file system, SIGKILL of the launcher while it does that,
# the file system after that, and a clean shutdown.
# shellcheck disable=SC2016 # what the guest's shell expands
. ./lib.sh
. ./debian-lib.sh

debian_expect() {
	in_debian "$2" "$3" >/tmp/order.shown
	status=$?
	if [ $status = 0 ]; then
		ok "$1"
	else
		tail -n 15 /tmp/order.shown
		not_ok "$1" "status $status: $(tail -n 1 /tmp/order.shown)"
	fi
}

# shown_fsck: what there is to say about it in a line
shown_fsck() { tail -n 2 /tmp/fsck | paste -sd ' '; }

# The recipe's command is this one, but for where the image is
recipe=$(awk '$1 == ":name:" { on = $2 == "debian"; next }
	on && /^[^ ]/ { exit }
	on && $1 == "pvhv" { command = 1 }
	command { sub(/\\$/, ""); print }' recipes.rst | xargs)
expected="pvhv run --name debian $(echo "$debian_options" | sed 's,/dev/vda,/srv/debian.img,')"
[ "$recipe" = "$expected" ] && ok recipe || not_ok recipe "it is \"$recipe\""

debian_network || fail "no network on the host"
# TCG translates a program again for each address that it runs at.
start_debian first --append 'root=/dev/pvda norandmaps'
debian_login 900 || {
	tail -n 20 /tmp/first.out
	fail "no login prompt"
}
ok login

in_debian 600 'systemctl is-system-running --wait; systemctl --failed --plain --no-legend' >/tmp/systemd
[ "$(head -n 1 /tmp/systemd)" = running ] && ok systemd || not_ok systemd "$(paste -sd ' ' /tmp/systemd)"
debian_expect root-disk 30 'mountpoint -d / | cmp - /sys/block/pvda/dev'
debian_expect disk-by-serial 30 '[ /dev/disk/by-id/pvhv-root -ef /dev/pvda ]'

# its address is by DHCP, and told to those who ask
debian_expect address 120 'for i in $(seq 60); do ip -4 address show dev eth0 | grep 192.168.77.1 && break; sleep 1; done; \
	ip -4 address show dev eth0 | grep "inet 192[.]168[.]77[.]1[0-9][0-9]/24"'
debian_expect route 30 'ip route | grep "default via 192.168.77.1 dev eth0"'
debian_expect ping 60 'ping -q -c 5 -i 0.2 -W 5 192.168.77.1'
address=$(in_debian 30 'ip -4 -o address show dev eth0' | grep -o '192\.168\.77\.1[0-9]*' | head -n 1)
expect ping-back 0 ping -q -c 5 -i 0.2 -W 5 "$address"
debian_expect name-server 60 'resolvectl dns eth0 | grep 192.168.77.1'

# packages come and go
in_debian 20 'spare="perl-modules-5.36 make patch less cpio bsdextrautils"'
debian_expect dpkg-install 600 'dpkg -i /var/cache/apt/archives/*.deb'
debian_expect dpkg-verify 300 'dpkg --verify $spare; dpkg --audit; [ -z "$(dpkg --verify $spare)$(dpkg --audit)" ]'
debian_expect dpkg-works 60 'cpio --version && printf "all:\n\t@echo made\n" | make -f - | grep made'
debian_expect dpkg-purge 300 'dpkg -P $spare && ! ls /usr/bin/cpio /usr/share/perl/5.36'

# the launcher dies in the middle of it
debian_expect synced 120 'head -c 5M /dev/urandom >/root/synced && sync && md5sum /root/synced >/root/synced.md5 && sync -f /root/synced.md5'
sum=$(in_debian 60 'cat /root/synced.md5' | cut -d' ' -f1)
echo 'while :; do dpkg -i /var/cache/apt/archives/*.deb; dpkg -P $spare; done >/dev/null 2>&1 &' >&7
sleep 20
kill -9 "$debian_pid"
wait "$debian_pid" 2>/dev/null
exec 7>&-
dumpe2fs -h /dev/vda 2>/dev/null | grep -q needs_recovery && ok was-in-use ||
	not_ok was-in-use "the file system was not in use"
e2fsck -p /dev/vda >/tmp/fsck 2>&1
status=$?
[ $status -le 1 ] && ok fsck-recovers || not_ok fsck-recovers "status $status: $(shown_fsck)"
e2fsck -fn /dev/vda >/tmp/fsck 2>&1
status=$?
[ $status = 0 ] && ok fsck-clean || not_ok fsck-clean "status $status: $(shown_fsck)"

# and it boots again
start_debian second --append 'root=/dev/pvda norandmaps'
debian_login 900 || {
	tail -n 20 /tmp/second.out
	fail "no login prompt after SIGKILL"
}
ok login-again
debian_expect synced-is-there 120 "echo '$sum  /root/synced' | md5sum -c"
debian_expect dpkg-recovers 600 'dpkg --configure -a && dpkg -i /var/cache/apt/archives/*.deb'
stop_debian 400
status=$?
[ $status = 0 ] && ok shutdown || not_ok shutdown "status $status: $(tail -n 1 /tmp/second.out)"
grep -q 'reboot: Power down' /tmp/second.out && ok power-down || not_ok power-down "$(tail -n 1 /tmp/second.out)"
dumpe2fs -h /dev/vda 2>/dev/null >/tmp/super
grep -q 'state: *clean' /tmp/super && ! grep -q needs_recovery /tmp/super && ok unmounted ||
	not_ok unmounted "$(grep -E 'state|features' /tmp/super | paste -sd ' ')"
e2fsck -fn /dev/vda >/tmp/fsck 2>&1
status=$?
[ $status = 0 ] && ok fsck-after-shutdown || not_ok fsck-after-shutdown "status $status: $(shown_fsck)"
nothing_left
exit $failed
