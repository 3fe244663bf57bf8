#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# timeout: 1500
#
# The pure logic under KUnit, in a User Mode Linux.
exec tools/testing/pvhv/kunit/run
