#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# quick: yes
# timeout: 600
#
# The documentation and the man pages build without a warning, and what the former
# says of names, numbers and tables is what the sources have.
exec make --no-print-directory docs
