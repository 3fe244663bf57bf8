#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# quick: yes
# timeout: 600
#
# The module for the stock kernel builds without a word of warning.
set -euo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
make module 2>&1 | tee "$log"
! grep -iE 'warning|objtool' "$log"
