#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# needs: tools
# timeout: 600
#
# The pvhv command against a fake /dev/pvhv, with and without sanitizers.
exec make --no-print-directory -C tools/pvhv test
