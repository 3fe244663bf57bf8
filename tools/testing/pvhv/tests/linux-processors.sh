#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: debug up cpu-epyc cpu-skylake cpu-qemu64
# long: debug up cpu-*
# needs: guest programs
# copy: build/programs:/root/programs
# timeout: 1500
#
# Of the same programs those whose results depend on the host and its processor.
. ./lib.sh
use_guest programs/tests.cpio
run_guest programs 1400 --append "quiet loglevel=1 \
tests=entries,entries-32,fpu,memory,mm-random,ptrace,segments,segments-32,signals,signals-32,time"
exit $failed
