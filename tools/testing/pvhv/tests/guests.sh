#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug up no-tsc cpu-*
# long: up no-tsc cpu-*
# needs: test-guests
# timeout: 1200
# copy: build/guests.install:/root/guests
#
# The test guests: small kernels without Linux, one page each, in
# tools/testing/pvhv/guests.
. ./lib.sh
/root/guests/run-all /root/guests
status=$?
nothing_left
no_leaks
[ $failed = 0 ] || status=1
exit $status
