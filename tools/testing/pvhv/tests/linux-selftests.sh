#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock
# long: stock
# needs: guest programs
# copy: build/programs:/root/programs
# timeout: 1200
#
# The kernel's own tests of x86 and of what else is close to the processor, in
# a guest; linux/selftests tells which do not pass, and why.
. ./lib.sh
use_guest programs/selftests.cpio
run_guest selftests 1100 --append 'quiet loglevel=1'
exit $failed
