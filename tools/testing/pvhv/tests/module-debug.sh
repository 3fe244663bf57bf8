#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# timeout: 600
# needs: debug-kernel
#
# The module for the debug kernel builds without a word of warning.
set -euo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
make module-debug 2>&1 | tee "$log"
! grep -iE 'warning|objtool' "$log"
