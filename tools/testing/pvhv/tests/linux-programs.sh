#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock
# needs: guest programs
# copy: build/programs:/root/programs
# timeout: 1500
#
# What programs of 64 and 32 bits expect of a kernel, in a Linux guest: memory,
# signals, threads, processes, ptrace, segments, floating point, time.
. ./lib.sh
use_guest programs/tests.cpio
# the longest, when there is one of them in 64 bits
without=$(at_length '' without=mm-random-32,processes-32)
run_guest programs 1400 --append "quiet loglevel=1 $without"
exit $failed
