#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run: vm
# hosts: stock
# needs: guest programs
# copy: build/programs:/root/programs
# timeout: 900
#
# The guest's console: a terminal that one types at, with Ctrl-C and the escape
# key, pvhv console, a pty, a file, standard input that is none.
. ./lib.sh
expect=programs/expect

cat >/tmp/shell <<'EOF'
export PS1='guest# '
dmesg -n 1
setsid cttyhack sh
EOF
make_guest /tmp/shell

# talk NAME STATUS COMMAND...: by the script on standard input
talk() {
	name=$1 wanted=$2
	shift 2
	cat >"/tmp/$name.expect"
	$expect -t 60 "/tmp/$name.expect" "$@" >"/tmp/$name.talk" 2>&1
	status=$?
	if [ $status = "$wanted" ]; then
		ok "$name"
	else
		tail -n 25 "/tmp/$name.talk"
		not_ok "$name" "status $status, not $wanted: $(tail -n 1 "/tmp/$name.talk")"
	fi
}

# What is typed is echoed once, and edited; a ^C ends what runs in the guest,
# and the same for ^Z, ^D and ^\.
talk terminal 0 pvhv run --name con1 --initrd /tmp/initrd --append quiet <<'EOF'
wait guest# 
send echo one-$((40+2))\r
wait one-42
wait guest# 
send echo wrongx\x7f\x7f\x7f\x7f\x7f\x7fright-$((1+1))\r
wait \nright-2
not wrong-
wait guest# 
send sleep 1000\r
wait sleep 1000
run sleep 1
send \x03
wait guest# 
send echo status-$?\r
wait status-130
wait guest# 
send cat\r
run sleep 1
send typed\r
wait typed\r\ntyped
send \x04
wait guest# 
send sleep 1000\r
run sleep 1
send \x1c
wait guest# 
send sleep 1000\r
run sleep 1
send \x1a
wait guest# 
send jobs; kill -9 %1\r
wait sleep 1000
wait guest# 
send \x1d?
wait Ctrl-]
send echo after-help-$((3+4))\r
wait after-help-7
wait guest# 
send exit\r
end
EOF

# The escape key kills the guest, whatever it does.
talk escape 4 pvhv run --name con2 --initrd /tmp/initrd --append quiet <<'EOF'
wait guest# 
send while :; do :; done\r
run sleep 1
send \x1dq
end
EOF

# More output than anything buffers, and all of it arrives.
talk long-output 0 pvhv run --name con3 --initrd /tmp/initrd --append quiet <<'EOF'
wait guest# 
send stty -echo\r
wait guest# 
send echo; seq 1 20000; echo end-of-output\r
wait end-of-output
wait guest# 
send exit\r
end
EOF
tr -d '\r' </tmp/long-output.talk | grep -E '^[0-9]+$' >/tmp/numbers
seq 1 20000 | cmp - /tmp/numbers >/tmp/cmp 2>&1 && ok long-output-complete ||
	not_ok long-output-complete "$(cat /tmp/cmp), $(wc -l </tmp/numbers) lines"

# A long line that is pasted at once
line=$(seq -s, 1 150)
talk paste 0 pvhv run --name con4 --initrd /tmp/initrd --append quiet <<EOF
wait guest# 
send cat >/tmp/x\r
run sleep 1
send $line\n$line\n$line\n$line\n$line\n$line\n$line\n$line\r
send \x04
wait guest# 
send sort -u /tmp/x | md5sum; wc -l </tmp/x\r
wait $(echo "$line" | md5sum | cut -d' ' -f1)
wait 8
wait guest# 
send exit\r
end
EOF

# pvhv console: a second terminal at the same guest
start_guest con5 --append quiet --console file:/tmp/con5.log
wait_for 60 grep -q 'guest#' /tmp/con5.log || not_ok file-console "$(tail -n 1 /tmp/con5.out)"
talk attach 0 pvhv console con5 <<'EOF'
wait attached to con5
send \r
wait guest# 
send echo attached-$((5+5))\r
wait attached-10
send sleep 1000\r
run sleep 1
send \x03
wait guest# 
send \x1dq
wait detached from con5
end
EOF
kill -0 "$guest_pid" && ok detached || not_ok detached "the guest ended"
grep -q attached-10 /tmp/con5.log && ok file-console || not_ok file-console "$(tail -n 1 /tmp/con5.log)"
talk attach-to-the-end 0 pvhv console con5 <<'EOF'
send exit\r
wait the end of con5
end
EOF
wait "$guest_pid" && ok file-console-end || not_ok file-console-end "status $?"

# a pty
start_guest con6 --append quiet --console pty
pty() { pvhv info con6 | sed -n 's/^console *pty://p'; }
has_pty() { [ -c "$(pty)" ]; }
wait_for 60 has_pty || not_ok pty "$(tail -n 1 /tmp/con6.out)"
# Its end is EIO or, a moment later, the end of the file.
# shellcheck disable=SC2016 # for that shell
talk pty 0 sh -c 'socat -,raw,echo=0 "$0,raw,echo=0" 2>/tmp/socat || grep "Input/output error" /tmp/socat' \
	"$(pty)" <<'EOF'
run sleep 3
send \r
wait guest# 
send echo by-pty-$((6+7))\r
wait by-pty-13
send exit\r
end
EOF
wait "$guest_pid" && ok pty-end || not_ok pty-end "status $?"

# no terminal: what comes from a pipe is typed, its end is no end of the guest
# shellcheck disable=SC2016 # for the guest
{ sleep 8; echo 'echo by-pipe-$((2*4)); exit'; } |
	timeout 60 pvhv run --name con7 --initrd /tmp/initrd --append quiet >/tmp/con7.out 2>&1
status=$?
[ $status = 0 ] && grep -q by-pipe-8 /tmp/con7.out && ok pipe ||
	not_ok pipe "status $status: $(tail -n 1 /tmp/con7.out)"

# The rings: much output for one who reads slowly, much input, and the last words of a
# kernel that dies, which go by hypercalls but must not overtake what is in the ring.
many=$(at_length 200000 40000) some=$(at_length 60000 10000) small=$(at_length 20000 4000)
echo "many=$many small=$small" >/tmp/rings
cat >>/tmp/rings <<'EOF'
[ "$(cat /sys/bus/pvhv/devices/pvhv-con-front-0/state)" = connected ] || exit 1
stty raw -echo
echo rings-ready
head -c 65536 | md5sum
seq 1 $many
echo rings-small
i=0; while [ $i -lt $small ]; do echo $i; i=$((i+1)); done
echo rings-end
for i in 1 2 3 4 5 6 7 8; do seq $i$i$i 999 | tr '\n' ' '; done; echo
echo 1 >/proc/sys/kernel/sysrq
echo c >/proc/sysrq-trigger
EOF
make_guest /tmp/rings
# a reader that stops again and again
slowly() {
	exec 3<&0	# of which a background command has none
	cat <&3 &
	while kill -STOP $! 2>/dev/null; do
		sleep 0.2
		kill -CONT $!
		sleep 0.1
	done
}
head -c 49152 /dev/urandom | base64 -w 0 >/tmp/typed	# 65536 bytes
mkfifo /tmp/con8.in
{ timeout 200 pvhv run --name con8 --initrd /tmp/initrd --append 'quiet panic=0' </tmp/con8.in 2>/tmp/con8.err
	echo $? >/tmp/con8.status; } | slowly >/tmp/con8.out &
exec 9>/tmp/con8.in
wait_for 60 grep -q rings-ready /tmp/con8.out && ok rings || not_ok rings "$(tail -n 1 /tmp/con8.out)"
cat /tmp/typed >&9
used() { bytes=$(cat /sys/bus/pvhv/devices/pvhv-con-back-*/bytes_out) && [ "$bytes" -gt 100000 ]; }
wait_for 60 used && ok rings-used || not_ok rings-used "${bytes:-no} bytes"
wait
exec 9>&-
tr -d '\r' </tmp/con8.out >/tmp/con8.lines
grep -q "$(md5sum </tmp/typed | cut -d ' ' -f 1)" /tmp/con8.lines && ok rings-input ||
	not_ok rings-input "$(grep -m 1 '  -$' /tmp/con8.lines)"
# A lot; then writes so small that a full ring holds less than the owner reads at once
between() { sed "1,/^$1\$/d;/^$2\$/,\$d" "$3"; }
between 'rings-ready' 'rings-small' /tmp/con8.lines | sed 1d >/tmp/numbers	# the sum's line
seq 1 "$many" | cmp - /tmp/numbers >/tmp/cmp 2>&1 && ok rings-output || not_ok rings-output "$(cat /tmp/cmp)"
between 'rings-small' 'rings-end' /tmp/con8.lines >/tmp/numbers
seq 0 $((small - 1)) | cmp - /tmp/numbers >/tmp/cmp 2>&1 && ok rings-small || not_ok rings-small "$(cat /tmp/cmp)"
# all that was printed before, then the panic
[ "$(cat /tmp/con8.status)" = 3 ] && [ "$(grep -o ' 998 999 ' /tmp/con8.lines | wc -l)" = 8 ] &&
	sed '1,/ 998 999 /d' /tmp/con8.lines | grep -q 'Kernel panic - not syncing: sysrq' &&
	ok rings-panic || not_ok rings-panic "status $(cat /tmp/con8.status): $(tail -n 1 /tmp/con8.lines)"

# A guest that nobody reads waits with its last words, but not for ever.
cat >/tmp/unread <<'EOF'
seq 1 1000000 &
sleep 5
echo 1 >/proc/sys/kernel/sysrq
echo c >/proc/sysrq-trigger
EOF
make_guest /tmp/unread
mkfifo /tmp/con10.out
exec 7<>/tmp/con10.out
pvhv run --name con10 --initrd /tmp/initrd --memory 256M --append 'quiet panic=0' --on-crash preserve \
	</dev/null >/tmp/con10.out 2>/tmp/con10.err &
unread=$!
crashed() { pvhv list | grep -q '^con10 .*crashed'; }
wait_for 60 crashed && ok unread-panic || not_ok unread-panic "$(pvhv list | tail -n 1)"
pvhv kill con10
cat <&7 >/dev/null &
reader=$!
wait "$unread"
kill "$reader"
exec 7>&-

# The ring comes and goes, by either side, under output that waits: nothing is lost, doubled or
# overtaken. Without one the guest goes on by hypercalls.
echo "some=$some" >/tmp/switches
cat >>/tmp/switches <<'EOF'
front=pvhv-con-front-0 driver=/sys/bus/pvhv/drivers/pvhv-confront
state() { cat /sys/bus/pvhv/devices/$front/state; }
connected() { until [ "$(state)" = connected ]; do sleep 0.1; done; }
stty raw -echo
connected
echo switch-by-guest
{ for i in 1 2 3 4 5 6; do
	sleep 0.3
	echo $front >$driver/unbind
	sleep 0.3
	echo $front >$driver/bind
done; } &
seq 1 $some
wait
connected
echo switch-by-host
read -r go
seq 1 $some
echo switch-end
read -r go
echo "the ring is $(state)"
head -c 65536 | md5sum
connected
echo ring-again
head -c 65536 | md5sum
dmesg | grep -E 'WARNING:|BUG:|cannot connect'
EOF
make_guest /tmp/switches
mkfifo /tmp/con9.in
{ timeout 200 pvhv run --name con9 --initrd /tmp/initrd --append quiet </tmp/con9.in 2>/tmp/con9.err
	echo $? >/tmp/con9.status; } | slowly >/tmp/con9.out &
exec 9>/tmp/con9.in
# seen SECONDS NAME TEXT
seen() { wait_for "$1" grep -q "$3" /tmp/con9.out && ok "$2" || not_ok "$2" "no $3: $(tail -n 1 /tmp/con9.out)"; }
seen 100 switch-by-guest '^switch-by-host'
back=$(basename /sys/bus/pvhv/devices/pvhv-con-back-*)
driver=/sys/bus/pvhv/drivers/pvhv-conback
echo go >&9
for i in 1 2 3 4 5 6; do
	sleep 0.3
	echo "$back" >$driver/unbind
	sleep 0.3
	echo "$back" >$driver/bind
done
sleep 0.3
echo "$back" >$driver/unbind
seen 100 switch-by-host '^switch-end'
echo go >&9
seen 20 no-ring '^the ring is init'
sum="$(md5sum </tmp/typed | cut -d ' ' -f 1)"
cat /tmp/typed >&9
seen 60 no-ring-input "^$sum"
echo "$back" >$driver/bind
seen 20 ring-again '^ring-again'
cat /tmp/typed >&9
wait
exec 9>&-
tr -d '\r' </tmp/con9.out >/tmp/con9.lines
[ "$(grep -c "^$sum" /tmp/con9.lines)" = 2 ] && ok ring-again-input || not_ok ring-again-input "$(tail -n 1 /tmp/con9.lines)"
for i in guest:host host:end; do
	between "switch-by-${i%:*}" "switch-.*${i#*:}" /tmp/con9.lines >/tmp/numbers
	seq 1 "$some" | cmp - /tmp/numbers >/tmp/cmp 2>&1 && ok "switch-output-${i%:*}" ||
		not_ok "switch-output-${i%:*}" "$(cat /tmp/cmp)"
done
[ "$(cat /tmp/con9.status)" = 0 ] && ! grep -E 'WARNING:|BUG:|cannot connect' /tmp/con9.lines &&
	ok switch-end || not_ok switch-end "status $(cat /tmp/con9.status)"
exit $failed
