#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# needs: module
# timeout: 300
#
# Modules that are only for tests build without a warning.
set -euo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
kdir=$(printf '%s\n' /lib/modules/*/build | sort -rV | head -n 1)
rm -rf build/*/test
tools/testing/pvhv/modules/build "$kdir" W=1 2>&1 | tee "$log"
if grep -iE 'warning|: error:' "$log"; then exit 1; fi
# where the tests in VMs find them
mkdir -p build/test-modules
cp build/*/test/*.ko build/test-modules/
