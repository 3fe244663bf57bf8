#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# quick: yes
# needs: guest
# timeout: 600
#
# The guest's kernel boots without pvhv, on QEMU's bare machine: as a bzImage and as
# an ELF file.
set -euo pipefail
testing=tools/testing/pvhv
tests=$testing/tests
dir=$(mktemp -d)
qemu=
trap '[ -z "$qemu" ] || kill "$qemu" 2>/dev/null || true; rm -rf "$dir"' EXIT
failed=0
# which instructions TCG is slow with, see hostvm
cpu=max,la57=off,pku=off,erms=off,fsrm=off

$testing/mkinitrd "$dir/initrd" $tests/guest/init "$tests/guest/native:test" \
	"$tests/guest/checks:root/checks"
for image in bzImage vmlinux; do
	timeout -k 5 240 qemu-system-x86_64 -machine q35 -accel tcg -cpu $cpu -smp 1 -m 256M \
		-nodefaults -no-user-config -display none -nic none -no-reboot -serial stdio \
		-kernel "build/guest/$image" -initrd "$dir/initrd" \
		-append 'console=ttyS0 quiet loglevel=4 panic=-1 random.trust_cpu=on' \
		</dev/null >"$dir/out" 2>&1 &
	qemu=$!
	status=0
	wait $qemu || status=$?
	qemu=
	tr -d '\r' <"$dir/out" >"$dir/lines"
	sed -nE "s/^((not )?ok) /\1 $image-/p" "$dir/lines"
	if [ $status = 0 ] && grep -q '^guest-status 0' "$dir/lines"; then
		echo "ok $image"
	else
		tail -n 20 "$dir/lines" | sed "s/^/# /"
		echo "not ok $image - status $status: $(tail -n 1 "$dir/lines")"
		failed=1
	fi
done
exit $failed
