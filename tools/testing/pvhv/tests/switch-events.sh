#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# needs: hostvm module tools guest programs
# timeout: 1800
#
# An NMI at each instruction of the world switch, and in make check-long a machine check, too.
# The latter on a model of Intel's, as on others Linux takes it for fatal.
set -u
module=$(echo build/*-amd64/pvhv.ko)
failed=0
run() {
	name=$1
	shift
	tools/testing/pvhv/switch-events "$@" | sed -E "s/^((not )?ok) /\1 $name-/"
	[ "${PIPESTATUS[0]}" = 0 ] || failed=1
}
run nmi nmi "$module"
[ "${PVHV_TEST_LENGTH-}" != long ] || run mce mce "$module" --cpu Skylake-Client,smap=off 2>/dev/null
exit $failed
