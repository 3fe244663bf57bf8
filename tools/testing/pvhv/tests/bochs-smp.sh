#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# needs: module guest
# timeout: 2400
#
# On a machine of two CPUs with TLBs, which QEMU's emulator does not have: no CPU of a guest has a
# translation that another one took away. make check-bochs has more, and first shows that this
# machine can have any at all.
exec tools/testing/pvhv/bochs/run --cpus 2 --no-control smp
