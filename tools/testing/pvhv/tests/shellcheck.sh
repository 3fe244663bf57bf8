#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# quick: yes
# timeout: 600
#
# All shell scripts of the tree.
set -euo pipefail
git ls-files -co --exclude-standard | while read -r file; do
	[ -f "$file" ] || continue
	case $(head -c 64 "$file" | tr -d '\0' | head -n 1) in
	'#!'*sh | '#!'*'sh '*) echo "$file" ;;
	*) case $file in *.sh) echo "$file" ;; esac ;;
	esac
done >/tmp/pvhv-shellcheck.$$
trap 'rm -f /tmp/pvhv-shellcheck.$$' EXIT
# SC1091: a file that is sourced from the test's own directory in the VM;
# SC2015: "test && ok NAME || not_ok NAME ...", where ok cannot fail;
# SC2317: a function that is called by its name in an argument
xargs -a /tmp/pvhv-shellcheck.$$ shellcheck -x -P SCRIPTDIR -P . -e SC1091,SC2015,SC2317
