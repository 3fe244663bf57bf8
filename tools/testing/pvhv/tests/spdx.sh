#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# quick: yes
# timeout: 60
#
# Every source file names its licence in its first three lines.
set -euo pipefail
bad=$(git ls-files -co --exclude-standard |
	grep -E '(\.[chS]|\.sh|\.py|\.config|\.rst|\.lds|Makefile|Kbuild|Kconfig)$|^scripts/|^tools/testing/pvhv/tests/' |
	while read -r file; do
		[ -s "$file" ] || continue
		head -n 3 "$file" | grep -q 'SPDX-License-Identifier' || echo "$file"
	done)
[ -z "$bad" ] || { echo "no SPDX line: $bad"; exit 1; }
