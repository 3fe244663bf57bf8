#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# needs: guest
# timeout: 600
#
# How a Linux guest can end, and what pvhv run makes of it.
. ./lib.sh

# end NAME WANTED REGEX GUEST-COMMAND [OPTION]...
end() {
	name=$1 wanted=$2 regex=$3
	echo "$4" >/tmp/test
	shift 4
	make_guest /tmp/test
	timeout -k 5 120 pvhv run --name "end-$name" --initrd /tmp/initrd "$@" \
		</dev/null >/tmp/out 2>&1
	status=$?
	if [ $status = "$wanted" ] && tr -d '\r' </tmp/out | grep -qE -- "$regex"; then
		ok "$name"
	else
		tail -n 10 /tmp/out
		not_ok "$name" "status $status, not $wanted, or no '$regex': $(tail -n 1 /tmp/out)"
	fi
	[ -z "$(pvhv list | sed 1d)" ] || not_ok "$name-list" "$(pvhv list | tail -n 1)"
}

end power-off 0 'guest-status 0' true
end init-dies 3 '^pvhv: domain .*crashed.*init' true --append rdinit=/bin/false
end no-init 3 '^pvhv: domain .*crashed' true --append 'rdinit=/nothing init=/nothing'
end panic 3 '^pvhv: domain .*crashed.*panic' 'echo c >/proc/sysrq-trigger; sleep 60'
end reboot 0 'Restarting system' 'reboot -f; sleep 60' --no-reboot
exit $failed
