#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock
# needs: guest programs
# copy: build/programs:/root/programs
# timeout: 900
#
# Programs of a distribution in a Linux guest: dynamic ones of 64 and 32 bits,
# shells and interpreters, a debugger, a tracer, a compiler.
. ./lib.sh
use_guest programs/dynamic.cpio
without=$(at_length '' without=memory-dynamic-32,threads-dynamic-32,fpu-dynamic-32)
run_guest dynamic 400 --append "quiet loglevel=1 $without"

# what the compiler must make of it here and there
cc1=$(gcc -print-prog-name=cc1)
gcc -E -P -o /tmp/sum.i guest/sum.c && $cc1 -quiet -O2 -fpreprocessed /tmp/sum.i -o /tmp/sum.s &&
	as /tmp/sum.s -o /tmp/sum.o && md5sum </tmp/sum.o >/tmp/sum.md5 || fail "no compiler here"
libgcc=$(gcc -print-file-name=libgcc.a)
libgcc_eh=$(gcc -print-file-name=libgcc_eh.a)
gcc -O0 -g -o /tmp/counter guest/counter.c || fail "no compiler here"
lib=/usr/lib/x86_64-linux-gnu
make_guest guest/tools /tmp/sum.i:root/sum.i /tmp/sum.md5:root/sum.md5 /tmp/counter \
	"$cc1" "$(command -v as)" "$(command -v ld.bfd):bin/ld" "$(command -v gdb)" \
	"$(command -v strace)" "$(command -v bash)" "$(command -v perl)" "$(command -v gawk)" \
	$lib/crt1.o:lib/crt1.o $lib/crti.o:lib/crti.o $lib/crtn.o:lib/crtn.o \
	$lib/libc.a:lib/libc.a "$libgcc:lib/libgcc.a" "$libgcc_eh:lib/libgcc_eh.a"
run_guest tools 400 --memory 512M --append 'quiet loglevel=1'
exit $failed
