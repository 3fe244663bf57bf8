#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug up cpu-max* cpu-epyc* cpu-skylake* cpu-qemu64* cpu-la57
# long: cpu-max-nopcid cpu-epyc-pti cpu-skylake-nopti cpu-la57
# needs: guest
# timeout: 300
# quick: yes
#
# A Linux guest boots to user space, works, and powers off.
. ./lib.sh
make_guest guest/basic
run_guest basic 240
exit $failed
