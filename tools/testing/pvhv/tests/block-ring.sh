#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# needs: test-guests
# timeout: 600
# copy: build/guests.install:/root/guests
#
# A test guest that is a bad frontend of a disk.
exec /root/guests/run-all -t 400 /root/guests blkring
