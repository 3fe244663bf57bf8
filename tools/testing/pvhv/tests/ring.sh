#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# timeout: 900
#
# The ring engine in user space: arithmetic, hostile peers, two threads.
exec tools/testing/pvhv/ring/run
