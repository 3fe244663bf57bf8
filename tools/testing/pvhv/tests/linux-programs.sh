#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug up cpu-epyc cpu-skylake cpu-qemu64
# needs: guest programs
# copy: build/programs
# timeout: 1500
#
# Programs of every kind in a Linux guest: 64 and 32 bits, static and dynamic,
# threads, signals, ptrace, a debugger, a compiler.
. ./lib.sh
cc1=$(gcc -print-prog-name=cc1)
$cc1 -quiet -O2 programs/programs.i -o /tmp/programs.s && as /tmp/programs.s -o /tmp/programs.o ||
	fail "no compiler here"
md5sum </tmp/programs.o >/tmp/programs.md5
make_guest guest/programs programs/programs-static64 programs/programs-dynamic64 \
	programs/programs-static32 programs/programs-dynamic32 programs/counter \
	programs/programs.i:root/programs.i /tmp/programs.md5:root/programs.md5 \
	"$cc1" "$(command -v as)" "$(command -v gdb)"
run_guest programs 1400 --memory 512M
exit $failed
