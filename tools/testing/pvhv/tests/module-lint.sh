#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# quick: yes
# timeout: 900
# needs: module
#
# ... and neither with the kernel's extra warnings nor under sparse.
set -euo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Objects of its own: the flags differ, so kbuild would build all of it anew.
make module BUILD="$PWD/build/lint" W=1 C=2 CF=-D__CHECK_ENDIAN__ 2>&1 | tee "$log"
! grep -iE 'warning|objtool|: error:' "$log"
