#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# quick: yes
# timeout: 2400
#
# The guest kernel builds.
exec make guest
