#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock
# needs: guest programs
# copy: build/programs/vmlinuz:/root/vmlinuz
# timeout: 300
# quick: yes
#
# What pvhv run is given that is wrong: one clear line, a status, no leftovers.
. ./lib.sh

# refused NAME STATUS COMMAND...
refused() {
	name=$1 wanted=$2
	shift 2
	timeout 60 "$@" </dev/null >/tmp/out 2>&1
	status=$?
	lines=$(wc -l </tmp/out)
	if [ $status = "$wanted" ] && [ "$lines" = 1 ]; then
		echo "# $(cat /tmp/out)"
		ok "$name"
	else
		head -n 5 /tmp/out
		not_ok "$name" "status $status, not $wanted, $lines lines: $(head -n 1 /tmp/out)"
	fi
}

size=$(stat -c %s $guest_kernel)
echo hello >/tmp/text
: >/tmp/empty
head -c 1000 $guest_kernel >/tmp/short
head -c $((size / 2)) $guest_kernel >/tmp/half
# no ELF note of ours: an ordinary program
cp /bin/busybox /tmp/program
{ printf '\177ELF'; head -c 5000 /dev/urandom; } >/tmp/garbage
# the second byte of a field of the ELF header: 32 bits, another processor
patched() { cp $guest_kernel "$1" && printf '%b' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null; }
patched /tmp/elf32 4 '\0001'
patched /tmp/arm 18 '\0267'
# a bzImage: half of it, and one with other bytes in its middle
bzimage=/usr/lib/pvhv/bzImage-guest
bzsize=$(stat -c %s $bzimage)
head -c $((bzsize / 2)) $bzimage >/tmp/half-bz
cp $bzimage /tmp/bad-bz
dd if=/dev/urandom of=/tmp/bad-bz bs=1k seek=$((bzsize / 2048)) count=16 conv=notrunc 2>/dev/null
truncate -s 300M /tmp/large
before=$(dmesg | grep -vc 'pvhv-test:')

refused text 1 pvhv run --kernel /tmp/text
refused empty 1 pvhv run --kernel /tmp/empty
refused header-only 1 pvhv run --kernel /tmp/short
refused truncated 1 pvhv run --kernel /tmp/half
refused program 1 pvhv run --kernel /tmp/program
refused garbage 1 pvhv run --kernel /tmp/garbage
refused elf32 1 pvhv run --kernel /tmp/elf32
refused another-processor 1 pvhv run --kernel /tmp/arm
refused truncated-bzimage 1 pvhv run --kernel /tmp/half-bz
refused damaged-bzimage 1 pvhv run --kernel /tmp/bad-bz
refused directory 1 pvhv run --kernel /tmp
refused missing 1 pvhv run --kernel /tmp/nothing
refused missing-initrd 1 pvhv run --initrd /tmp/nothing
refused initrd-directory 1 pvhv run --initrd /tmp
refused initrd-too-large 1 pvhv run --initrd /tmp/large
refused console-path 1 pvhv run --console file:/nothing/there
refused console-kind 1 pvhv run --console teletype
refused on-crash 1 pvhv run --on-crash dance
refused no-cpus 1 pvhv run --cpus 0
refused too-many-cpus 1 pvhv run --cpus 65
refused cpus-above-max 1 pvhv run --cpus 2,max=1
refused odd-cpus 1 pvhv run --cpus all
refused unknown-feature 1 pvhv run --cpu-features -teleport
refused needed-feature 1 pvhv run --cpu-features -avx,-sse2
refused added-feature 1 pvhv run --cpu-features +avx
refused odd-features 1 pvhv run --cpu-features avx
refused no-feature 1 pvhv run --cpu-features -avx,
refused append-too-long 1 pvhv run --append "$(seq 1 2000 | tr '\n' ' ')"
refused no-memory 1 pvhv run --memory 1M
refused odd-memory 1 pvhv run --memory lots
refused too-much-memory 1 pvhv run --memory 1000000G
refused bad-name 1 pvhv run --name 'a/b'
refused bad-option 1 pvhv run --nonsense
# another distribution's kernel, without PVHV_GUEST
refused foreign-kernel 1 pvhv run --kernel /root/vmlinuz
refused no-permission 2 runuser -u outsider -- pvhv run
refused control-of-none 1 pvhv kill nobody
refused no-command 1 pvhv
refused unknown-command 1 pvhv dance
[ "$(dmesg | grep -vc 'pvhv-test:')" = "$before" ] && ok kernel-log || not_ok kernel-log "$(dmesg | tail -n 1)"
[ "$(awk '$1 == "pvhv" {print $3}' /proc/modules)" = 0 ] && ok unused || not_ok unused "$(grep ^pvhv /proc/modules)"
[ -z "$(ls -A /run/pvhv 2>/dev/null)" ] && ok no-sockets || not_ok no-sockets "$(ls /run/pvhv)"
modprobe -r pvhv
refused no-module 2 pvhv run
modprobe pvhv

[ -z "$(pvhv list | sed 1d)" ] && ok no-domains || not_ok no-domains "$(pvhv list | tail -n 1)"
unloads
exit $failed
