#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug cpu-skylake
# long: debug cpu-skylake
# boot: faulting
# needs: guest test-guests test-modules
# copy: build/test-modules:/root/modules build/guests.install:/root/guests
# timeout: 900
#
# CPUID that faults, as far as that can be had without such a CPU: the launcher turns it
# on in the threads of vCPUs, and the hypervisor emulates the instruction.
. ./lib.sh

# reports HOW NAME
reports() { pvhv check | tail -n 1 | grep -q "$1\$" && ok "$2" || not_ok "$2" "$(pvhv check | tail -n 1)"; }

reports 'CPUID is raw' raw
insmod "modules/$(uname -r)/pvhv-cpuidfault.ko" || fail "no such module"
reports 'CPUID faults' faults
/root/guests/run-all -t 120 /root/guests cpuidfault || failed=1

# The flag of its threads does not disturb a guest.
make_guest guest/basic
run_guest basic 400 --cpus 2
start_guest faulting --cpus 2
wait_for 60 pvhv info faulting
pvhv info --json faulting | grep -q '"cpuid": "masked"' && ok info || not_ok info "$(pvhv info faulting | grep cpuid)"
pvhv kill faulting
wait $guest_pid

rmmod pvhv-cpuidfault
reports 'CPUID is raw' raw-again
unloads
exit $failed
