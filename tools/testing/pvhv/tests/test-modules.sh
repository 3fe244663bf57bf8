#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# needs: module
# timeout: 300
#
# Modules that are only for tests build without a warning.
set -euo pipefail
exec tools/testing/pvhv/modules/build "$(printf '%s\n' /lib/modules/*/build | sort -rV | head -n 1)"
