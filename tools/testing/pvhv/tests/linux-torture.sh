#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# needs: guest
# copy: build/guest/modules:/root/guest-modules
# timeout: 1200
#
# rcutorture and locktorture in a guest with more vCPUs than the host has CPUs.
. ./lib.sh
make_guest guest/torture guest-modules/torture.ko:modules/torture.ko \
	guest-modules/rcutorture.ko:modules/rcutorture.ko guest-modules/locktorture.ko:modules/locktorture.ko
run_guest torture 1100 --cpus 4 --append 'quiet loglevel=1'
exit $failed
