#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# needs: module-debug
# timeout: 300
#
# Modules that are only for tests build without a warning for the debug kernel.
set -euo pipefail
exec tools/testing/pvhv/modules/build "$(scripts/build-debug-kernel)/build"
