#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock
# args: --cpu qemu64,nx=off
# boot: nx
# module: no
# quick: yes
# timeout: 120
#
# On a CPU without NX the module does not load, and everybody says why.
. ./lib.sh
. ./refused-lib.sh
grep -q '^flags.*\<nx\>' /proc/cpuinfo && fail "this CPU has it"
refuses 'the CPU has no NX' 'the CPU has no NX, or it is turned off'
exit $failed
