#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# quick: yes
# timeout: 600
#
# scripts/apply-guest: twice is once, an older state is brought up to date, what
# does not apply changes nothing, and --revert gives back the very same tree.
# On hard links to those files of the kernel that the patches touch.
set -euo pipefail
source=$(scripts/kernel-source 6.1)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

# names, modes and contents of all below DIR
state() { (cd "$1" && find . -printf '%p %y %m\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum); }
# when each was written, but for the record of it
times() { (cd "$1" && find . -name .pvhv -prune -o -type f -printf '%p %i %T@\n' | sort); }

same() {
	if [ "$2" = "$3" ]; then
		echo "ok $1"
	else
		diff <(echo "$2") <(echo "$3") | head -n 20 || true
		echo "not ok $1 - the trees differ"
		failed=1
	fi
}

# apply NAME STATUS ARGS...: apply-guest, from $from
from=.
apply() {
	local name=$1 wanted=$2 status=0
	shift 2
	"$from/scripts/apply-guest" "$@" >"$dir/out" 2>&1 || status=$?
	if [ $status = "$wanted" ]; then
		echo "ok $name"
	else
		cat "$dir/out"
		echo "not ok $name - status $status, not $wanted: $(tail -n 1 "$dir/out")"
		failed=1
	fi
}

clean=$dir/clean tree=$dir/tree
mkdir "$clean"
{
	echo Makefile
	echo init/main.c
	sed -n 's,^+++ b/\([^[:space:]]*\).*,\1,p' patches/linux-6.1/*.patch
} | sort -u | (cd "$source" && xargs cp --parents -pt "$clean")
cp -al "$clean" "$tree"
before=$(state "$clean")

apply apply 0 "$tree"
once=$(state "$tree") stamps=$(times "$tree")
[ "$once" != "$before" ] && grep -q PVHV_GUEST "$tree/arch/x86/pvhv/Kconfig" &&
	grep -q pvhv "$tree/arch/x86/Kconfig" && echo "ok applied" ||
	{ echo "not ok applied - nothing of it is there"; failed=1; }
same links "$(state "$clean")" "$before"
apply apply-again 0 "$tree"
same twice "$(state "$tree")" "$once"
same nothing-written "$(times "$tree")" "$stamps"

apply revert 0 "$tree" --revert
same reverted "$(state "$tree")" "$before"
apply revert-again 0 "$tree" --revert
same reverted-again "$(state "$tree")" "$before"

# from a state with another file, another content, and without the last patch
from=$dir/older
mkdir "$from"
cp -r --parents -t "$from" arch/x86/pvhv drivers/pvhv include/pvhv patches scripts
rm "$(printf '%s\n' "$from"/patches/linux-6.1/*.patch | tail -n 1)"
mkdir "$from/arch/x86/pvhv/guest/gone"
echo '/* gone */' >"$from/arch/x86/pvhv/guest/gone/gone.c"
echo '/* older */' >>"$from/arch/x86/pvhv/guest/setup.c"
apply apply-older 0 "$tree"
older=$(state "$tree")
[ "$older" != "$once" ] && [ -e "$tree/arch/x86/pvhv/guest/gone/gone.c" ] && echo "ok older" ||
	{ echo "not ok older - the older state was not applied"; failed=1; }
from=.
apply update 0 "$tree"
same updated "$(state "$tree")" "$once"

# a patch that does not apply, and one that cannot be taken out
from=$dir/older
cp "$(printf '%s\n' patches/linux-6.1/*.patch | head -n 1)" "$from/patches/linux-6.1/9999-again.patch"
apply bad-patch 1 "$tree"
same bad-patch-changes-nothing "$(state "$tree")" "$once"
from=.
victim=$tree/$(sed -n 's,^+++ b/\([^[:space:]]*\).*,\1,p' patches/linux-6.1/0002-*.patch | head -n 1)
sed -i s/pvhv/xxxx/\;s/PVHV/XXXX/\;s/PVR3/XXXX/ "$victim"
changed=$(state "$tree")
apply changed-since 1 "$tree" --revert
same changed-since-stays "$(state "$tree")" "$changed"
apply no-linux 1 "$dir/older"
exit $failed
