#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug up
# long: debug up
# needs: guest programs
# copy: build/programs:/root/programs build/linux/tests:/root/tables
# timeout: 2400
#
# Guests with several vCPUs, also more than the host has CPUs: what their threads see of
# page tables and clocks, processors that come and go.
. ./lib.sh
use_guest programs/tests.cpio
for cpus in 2 4 8; do
	run_guest smp-$cpus 900 --cpus $cpus --append 'quiet loglevel=1 tests=smp,threads,signals'
done
make_guest guest/hotplug programs/verify tables/smp:tests/smp
run_guest hotplug 400 --cpus 2,max=4 --append 'quiet loglevel=1'
exit $failed
