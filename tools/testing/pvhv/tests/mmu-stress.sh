#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# needs: hostvm
# timeout: 600
#
# The shadow MMU by itself, under four vCPUs and a host at once. On the debug kernel:
# tools/testing/pvhv/kunit/stress/run debug.
exec tools/testing/pvhv/kunit/stress/run stock 8
