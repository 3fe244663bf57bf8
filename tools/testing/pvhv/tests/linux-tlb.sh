#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug up
# long: up
# needs: guest programs
# copy: build/programs:/root/programs
# timeout: 3000
#
# What threads on several vCPUs, also more than the host has CPUs, see of each other's page tables
# and clocks: no translation that was taken away, no step backwards.
. ./lib.sh
use_guest programs/tests.cpio
# at least; with four vCPUs so long that a window of some instructions is met
for cpus in $(rounds "$(at_length '2 4 8' 4)" 4); do
	seconds=2
	[ "$cpus" != 4 ] || seconds=8
	tests=smp,threads$(rounds ,signals '')
	run_guest "smp-$cpus" "$(rounds 900 2000)" --cpus "$cpus" \
		--append "quiet loglevel=1 tests=$tests smp_seconds=$seconds"
done
exit $failed
