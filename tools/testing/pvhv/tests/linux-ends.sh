#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock debug
# long: debug
# needs: guest programs
# copy: build/programs:/root/programs
# timeout: 600
#
# How a Linux guest can end, and what pvhv run makes of it.
. ./lib.sh

# end NAME WANTED REGEX INITRD [OPTION]...: its status, and what it says
end() {
	name=$1 wanted=$2 regex=$3 initrd=$4
	shift 4
	timeout -k 5 120 pvhv run --name "end-$name" --initrd "$initrd" "$@" \
		</dev/null >/tmp/raw 2>&1
	status=$?
	tr -d '\r' </tmp/raw >/tmp/out
	if [ $status = "$wanted" ] && grep -qE -- "$regex" /tmp/out; then
		ok "$name"
	else
		tail -n 10 /tmp/out
		not_ok "$name" "status $status, not $wanted, or no '$regex': $(tail -n 1 /tmp/out)"
	fi
	[ -z "$(pvhv list | sed 1d)" ] || not_ok "$name-list" "$(pvhv list | tail -n 1)"
}

# Arbitrary static programs as the whole user space of an arbitrary initrd,
# made with nothing but cpio
arbitrary() {
	rm -rf /tmp/root && mkdir -p /tmp/root/dev
	cp "programs/$1" /tmp/root/init
	mknod /tmp/root/dev/console c 5 1
	(cd /tmp/root && find . | busybox cpio -o -H newc 2>/dev/null) >"/tmp/$1.cpio"
}
arbitrary init-off
arbitrary init-exit
end power-off 0 '^hello from init-off, pid 1$' /tmp/init-off.cpio
end arguments 0 '^argument some$' /tmp/init-off.cpio --append 'quiet x=1 -- some words'
grep -q '^environment x=1$' /tmp/out && grep -q '^argument words$' /tmp/out &&
	ok environment || not_ok environment "$(grep -E '^(arg|env)' /tmp/out)"
end init-exits 3 '^pvhv: domain .*crashed: .*Attempted to kill init! exitcode=0x00000700' \
	/tmp/init-exit.cpio
grep -q '^hello from init-exit$' /tmp/out && ok init-ran || not_ok init-ran "no hello"
gzip -k /tmp/init-off.cpio
end gzip 0 '^hello from init-off' /tmp/init-off.cpio.gz
end bzimage 0 '^hello from init-off' /tmp/init-off.cpio --kernel /usr/lib/pvhv/bzImage-guest
# RAM of more and less than one page of page tables
end little-memory 0 '^hello from init-off' /tmp/init-off.cpio --memory 64M --append quiet
end odd-memory 0 '^hello from init-off' /tmp/init-off.cpio --memory 99M --append quiet
end much-memory 0 '^hello from init-off' /tmp/init-off.cpio --memory 5G --append quiet

end no-init 3 '^pvhv: domain .*crashed: .*Unable to mount root' /tmp/init-off.cpio \
	--append 'quiet rdinit=/nothing init=/nothing'
end no-root 3 '^pvhv: domain .*crashed: .*Unable to mount root' /dev/null --append quiet

# Reboot: the guest is started again by the same process, or not
end no-reboot 0 '^hello' /tmp/init-off.cpio --no-reboot --append 'quiet -- reboot'
[ "$(grep -c '^hello' /tmp/out)" = 1 ] && ok no-reboot-once || not_ok no-reboot-once "again"
pvhv run --name again --initrd /tmp/init-off.cpio --append 'quiet -- reboot' \
	</dev/null >/tmp/again.out 2>&1 &
pid=$!
rebooted() { [ "$(grep -c '^hello' /tmp/again.out)" -ge 3 ]; }
wait_for 120 rebooted && ok reboot || not_ok reboot "$(tail -n 1 /tmp/again.out)"
reboots=$(pvhv info again | awk '$1 == "reboots" {print $2}')
[ "$reboots" -ge 2 ] && ok reboots-counted || not_ok reboots-counted "'$reboots'"
pvhv kill again
wait $pid
[ $? = 4 ] && ok reboot-kill || not_ok reboot-kill "pvhv run did not end with 4"

# Panics: by the guest's own will, in an interrupt, and with a reboot after it
make_guest guest/sysrq
end panic 3 '^pvhv: domain .*crashed: .*sysrq triggered crash' /tmp/initrd --append do=c
end power-off-by-sysrq 0 '.' /tmp/initrd --append 'quiet do=o'
end panic-reboots 3 '^pvhv: domain .*crashed: .*sysrq triggered crash' /tmp/initrd \
	--append 'quiet panic=-1 do=c'

# Nothing can wake a guest that halts.
end halt 0 'System halted' /tmp/init-off.cpio --append '-- halt'

# A signal asks the guest to power off, as its own power button would: by its
# own program if there is one.
cat >/tmp/poweroff <<'EOF'
#!/bin/sh
echo orderly >/dev/console
exec /bin/poweroff -f
EOF
chmod 755 /tmp/poweroff
echo 'echo up; sleep 1000' >/tmp/test
make_guest /tmp/test /tmp/poweroff:sbin/poweroff
start_guest asked --append quiet
wait_for 60 said asked '^up' || not_ok asked "$(tail -n 1 /tmp/asked.out)"
kill -TERM "$guest_pid"
wait "$guest_pid"
status=$?
[ $status = 0 ] && said asked orderly && ok terminate ||
	not_ok terminate "status $status: $(tail -n 1 /tmp/asked.out)"
start_guest no-program --initrd /tmp/init-off.cpio --append 'quiet -- read'
wait_for 60 said no-program hello || not_ok no-program "$(tail -n 1 /tmp/no-program.out)"
kill -HUP "$guest_pid"
wait "$guest_pid"
status=$?
[ $status = 0 ] && ok hang-up || not_ok hang-up "status $status"
exit $failed
