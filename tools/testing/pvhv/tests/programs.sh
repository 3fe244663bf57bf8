#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# quick: yes
# timeout: 120
#
# The programs that run in Linux guests build.
set -euo pipefail
src=tools/testing/pvhv/tests/guest
out=build/programs
mkdir -p $out
build() { gcc -std=gnu11 -O2 -Wall -Wextra -Werror -pthread -msse2 -mfpmath=sse "$@"; }
build -static -o $out/programs-static64 $src/programs.c
build -o $out/programs-dynamic64 $src/programs.c
build -m32 -static -DSTATIC32 -o $out/programs-static32 $src/programs.c
build -m32 -o $out/programs-dynamic32 $src/programs.c
build -E -P -o $out/programs.i $src/programs.c
build -O0 -g -static -o $out/counter $src/counter.c
build -static -o $out/fill $src/fill.c
