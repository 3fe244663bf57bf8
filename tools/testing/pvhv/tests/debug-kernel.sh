#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# timeout: 3000
#
# The debug host kernel builds.
exec make debug-kernel
