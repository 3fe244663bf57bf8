#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# timeout: 1200
#
# The Debian root file system is built, and it is a clean file system.
set -euo pipefail
make --no-print-directory rootfs
e2fsck -fn build/rootfs.img
