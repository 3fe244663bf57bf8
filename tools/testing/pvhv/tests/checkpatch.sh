#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# quick: yes
# timeout: 1800
#
# checkpatch.pl --strict over all C, assembly and header files;
# scripts/checkpatch-exceptions tells what does not apply, and why.
set -euo pipefail
tree=$(scripts/kernel-source)
ignore=$(awk '!/^#/ && NF == 1 {print $1}' scripts/checkpatch-exceptions | paste -sd,)
bad=0
git ls-files -co --exclude-standard '*.c' '*.h' '*.S' >/tmp/pvhv-checkpatch.$$
trap 'rm -f /tmp/pvhv-checkpatch.$$ /tmp/pvhv-checkpatch.$$.all' EXIT
# those with the same exceptions together, as each start takes a quarter of a second
: >/tmp/pvhv-checkpatch.$$.all
while read -r file; do
	[ -f "$file" ] || continue
	# "TYPE path" is an exception of one file, or of a "directory/".
	more=$(awk -v f="$file" '!/^#/ && NF == 2 && ($2 == f ||
			($2 ~ /\/$/ && index(f, $2) == 1)) {print $1}' \
		scripts/checkpatch-exceptions | paste -sd,)
	echo "${more:--} $file" >>/tmp/pvhv-checkpatch.$$.all
done </tmp/pvhv-checkpatch.$$
while read -r more files; do
	[ "$more" != - ] || more=
	# shellcheck disable=SC2086 # a list
	perl "$tree/scripts/checkpatch.pl" --root="$tree" --strict --no-tree --terse \
		--show-types --no-summary --max-line-length=100 \
		${ignore:+--ignore "$ignore"}${more:+,"$more"} -f $files </dev/null || bad=1
done < <(awk '{files[$1] = files[$1] " " $2} END {for (more in files) print more files[more]}' \
	/tmp/pvhv-checkpatch.$$.all)
exit $bad
