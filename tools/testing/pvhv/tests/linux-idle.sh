#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock
# needs: guest
# timeout: 400
#
# How often a Linux guest wakes up that has nothing to do: its ticks stop. An hour of it is in
# linux-drift.
. ./lib.sh

seconds=25
cat >/tmp/test <<'EOF'
echo idle
exec sleep 100000
EOF
make_guest /tmp/test

# "uptime-ms sleeps polls exits"
counts() {
	# shellcheck disable=SC2016
	pvhv stat --json "$1" | perl -ne '
		my $line = $_;
		print join(" ", map { $line =~ /"$_":(?: \{"total":)? (\d+)/ }
			   qw(uptime_ms sleeps polls exits)), "\n"'
}

for cpus in 1 4; do
	start_guest idle-$cpus --cpus $cpus --append quiet
	says_in 90 idle-$cpus '^idle' || not_ok idle-$cpus-boot "$(tail -n 1 /tmp/idle-$cpus.out)"
done
sleep 5		# what a boot leaves to be done
for cpus in 1 4; do
	counts idle-$cpus >/tmp/before-$cpus
done
sleep $seconds
# A tick would be CONFIG_HZ times a second, on each CPU.
for cpus in 1 4; do
	echo "$(cat /tmp/before-$cpus) $(counts idle-$cpus)" >/tmp/counts-$cpus
	awk -v cpus=$cpus -v least=$seconds '
		NF != 8 { print "no counts: " $0; exit 1 }
		{
			s = ($5 - $1) / 1000
			printf "%d vCPUs: %.1f sleeps, %.1f polls, %.1f exits a second, for %.1f s\n",
			       cpus, ($6 - $2) / s, ($7 - $3) / s, ($8 - $4) / s, s
			exit s < least - 1 || ($6 - $2 + $7 - $3) / s > 10 + 5 * cpus
		}' /tmp/counts-$cpus >/tmp/rates-$cpus && ok ticks-stop-$cpus ||
		not_ok ticks-stop-$cpus "$(cat /tmp/rates-$cpus)"
	echo "# $(cat /tmp/rates-$cpus)"
	pvhv kill idle-$cpus
done
wait
exit $failed
