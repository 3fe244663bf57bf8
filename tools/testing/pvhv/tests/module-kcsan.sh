#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# long: yes
# timeout: 3600
#
# The module for the kernel with KCSAN builds without a word of warning.
set -euo pipefail
scripts/build-debug-kernel kcsan
log=$(mktemp)
trap 'rm -f "$log"' EXIT
make module-kcsan 2>&1 | tee "$log"
! grep -iE 'warning|objtool' "$log"
