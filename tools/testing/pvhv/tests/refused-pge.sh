#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock
# args: --cpu max,la57=off,smap=off,pku=off,erms=off,fsrm=off,pge=off
# boot: pge
# module: no
# quick: yes
# timeout: 120
#
# On a CPU without global pages the module does not load, and everybody says why.
. ./lib.sh
. ./refused-lib.sh
grep -q '^flags.*\<pge\>' /proc/cpuinfo && fail "this CPU has it"
refuses 'the CPU has no global pages' 'the CPU has no global pages (PGE)'
exit $failed
