#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock up debug
# long: debug
# needs: guest
# timeout: 900
#
# A Linux guest boots with 1 to 64 vCPUs, on a host with two CPUs, or one.
. ./lib.sh
make_guest guest/processors
for cpus in 1 2 4 8 64; do
	# 64 on one CPU would show no more, and take long
	[ $cpus = 64 ] && [ "$(nproc)" = 1 ] ||
		run_guest boot-$cpus 400 --cpus $cpus --append "quiet loglevel=4 wanted=$cpus"
done
exit $failed
