# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# In the host VM: guests of pvhv, of KVM and of Xen that run /root/initrd. For measure, memory,
# peer and profile.

# prepare_PEER: before the first guest
prepare_pvhv() { modprobe pvhv; }
prepare_kvm() { modprobe kvm_amd; }

prepare_xen() {
	export PATH=$PATH:/usr/lib/xen-4.17/bin
	mkdir -p /run/xen /run/xenstored /run/lock /var/lib/xenstored /var/log/xen/console /var/lib/xen
	mount -t xenfs none /proc/xen
	modprobe -a xen-evtchn xen-gntdev xen-gntalloc
	xenstored --pid-file /run/xen/xenstored.pid
	xen-init-dom0
	xenconsoled --log=guest --log-dir=/var/log/xen/console --pid-file=/run/xen/xenconsoled.pid
}

# warm_PEER: read what a guest would otherwise wait for, whose start is measured
warm_pvhv() {
	cat /usr/bin/pvhv /usr/lib/pvhv/* /root/initrd >/dev/null
	pvhv version >/dev/null
}

warm_kvm() { cat /root/qemu/* /root/vmlinux /root/initrd >/dev/null; }

warm_xen() {
	cat /root/vmlinux /root/initrd >/dev/null
	xl list >/dev/null
}

# guest_PEER NAME CPUS MIB ARGS: until it has ended
guest_pvhv() {
	exec /root/bench stamp pvhv run --name "$1" --cpus "$2" --memory "$3M" --initrd /root/initrd \
		--no-reboot --append "console=hvc0 $4"
}

# QEMU is that of the machine outside, with its libraries. maxcpus: see peers.
guest_kvm() {
	exec /root/bench stamp /root/qemu/ld.so --library-path /root/qemu \
		/root/qemu/qemu-system-x86_64 -L /root/qemu \
		-machine q35 -accel kvm -cpu host -smp "$2" -m "$3" -nodefaults \
		-no-user-config -display none -nic none -no-reboot -serial stdio \
		-kernel /root/vmlinux -initrd /root/initrd \
		-append "console=ttyS0 tsc=reliable maxcpus=1 $4" </dev/null
}

guest_xen() {
	cat >"/tmp/guest.$1" <<-END
		name='$1'
		type='pv'
		kernel='/root/vmlinux'
		ramdisk='/root/initrd'
		extra='console=hvc0 tsc=reliable $4'
		memory=$3
		vcpus=$2
		tsc_mode='native'
		on_poweroff='destroy'
		on_reboot='destroy'
		on_crash='destroy'
	END
	exec /root/bench stamp xl create -F "/tmp/guest.$1"
}

# destroy_PEER NAME PID: PID is that of guest_PEER
destroy_pvhv() { pvhv kill "$1"; }
destroy_kvm() { kill "$2"; }
destroy_xen() { xl destroy "$1"; }

# console_PEER NAME OUTPUT: the file that gets what it says; OUTPUT has that of guest_PEER
console_pvhv() { echo "$2"; }
console_kvm() { echo "$2"; }
console_xen() { echo "/var/log/xen/console/guest-$1.log"; }
