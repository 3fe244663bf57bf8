#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug cpu-epyc cpu-skylake cpu-qemu64
# long: debug cpu-*
# needs: guest programs
# copy: build/programs:/root/programs
# timeout: 1200
#
# pvhv run --cpu-features: a Linux guest does not see what is hidden, and works. One
# without AVX beside one that uses it: neither finds the other's registers.
. ./lib.sh

# commas: a list of words in one word
commas() { tr -s ' \n' , | sed 's/,$//'; }

# have NAME,NAME...: those that this machine has
flags=" $(sed -n 's/^flags[^:]*: //p' /proc/cpuinfo | head -n 1) "
have() {
	echo "$1" | tr , '\n' | while read -r feature; do
		case $flags in *" $feature "*) echo "$feature" ;; esac
	done | commas
}

# with_hidden GUEST NAMES GONE SHOWN: a guest without NAMES (as --cpu-features has
# them), and so without GONE
with_hidden() {
	echo "# $1: of this machine's are hidden: $(have "$3")"
	run_guest "$1" 240 --cpu-features "$2" --append "case=$1 hidden=$3 shown=$4"
}

names=$(pvhv run --cpu-features help) || fail "no help: $names"
all=$(echo "$names" | commas)
avx=$(echo "$names" | tr ' ' '\n' | grep -E '^avx|^v(aes|pclmulqdq)$|^(fma4?|f16c|xop)$' | commas)

make_guest guest/features
with_hidden no-avx -avx,-avx2 "$avx" "$(have xsave,aes,ssse3,sse2)"
with_hidden no-avx2 -avx2 avx2,avx512f,avx512vl "$(have avx,fma,xsave)"
with_hidden no-xsave -xsave "$avx,xsave,xsaveopt,xsavec,xgetbv1" "$(have aes,rdrand)"
with_hidden nothing "$(echo ",$all" | sed 's/,/,-/g; s/^,//')" "$all" sse2,lm,hypervisor

# The others' are there, whatever this one hides.
use_guest programs/tests.cpio
start_guest with-avx --append 'quiet loglevel=1 tests=fpu'
run_guest without-avx 500 --cpu-features -avx --append 'quiet loglevel=1 tests=fpu'
if wait $guest_pid && tr -d '\r' </tmp/with-avx.out | grep -q '^guest-status 0'; then
	ok with-avx
else
	not_ok with-avx "$(tr -d '\r' </tmp/with-avx.out | grep -v '^ok' | tail -n 1)"
fi
run_guest without-xsave 500 --cpu-features -xsave --append 'quiet loglevel=1 tests=fpu'

pvhv check | grep -qE ', CPUID (faults|is raw)$' && ok check || not_ok check "$(pvhv check | tail -n 1)"
no_leaks
exit $failed
