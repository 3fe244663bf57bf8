#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# quick: yes
# timeout: 300
#
# The test guests build (tests/guests.sh runs them).
set -euo pipefail
make -C tools/testing/pvhv/guests install DESTDIR="$PWD/build/guests.install"
