#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: here
# quick: yes
#
# What undoes the steps for bench/steps still applies.
exec tools/testing/pvhv/bench/steps --check
