#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# needs: test-guests
# timeout: 600
# copy: build/guests.install:/root/guests
#
# Test guests with a disk: one that publishes what it must not, and one that is a bad
# frontend.
. ./lib.sh
/root/guests/run-all -t 400 /root/guests devices blkring
status=$?
nothing_left
no_leaks
[ $failed = 0 ] || status=1
exit $status
