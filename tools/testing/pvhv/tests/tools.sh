#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# quick: yes
# timeout: 300
#
# The pvhv command builds without a word of warning.
set -euo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
make tools 2>&1 | tee "$log"
[ -x tools/pvhv/pvhv ]
! grep -i 'warning' "$log"
