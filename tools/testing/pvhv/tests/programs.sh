#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# quick: yes
# timeout: 900
#
# The programs that run in Linux guests, and the kernel's own, build.
set -euo pipefail
nice make --no-print-directory -C tools/testing/pvhv/linux install \
	DESTDIR="$PWD/build/programs"
# a kernel that is no guest
cp "$(printf '%s\n' /boot/vmlinuz-6.1*-amd64 | sort -V | tail -n 1)" build/programs/vmlinuz
