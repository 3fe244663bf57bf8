#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run: here
# quick: yes
# needs: module tools guest
# timeout: 600
#
# "make install" puts everything where it is looked for, below DESTDIR, and "make
# uninstall" takes it away.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
kernel=$(make --no-print-directory -s kernelversion)
failed=0

# same NAME GOT WANTED
same() {
	if [ "$2" = "$3" ]; then
		echo "ok $1"
	else
		diff <(echo "$2") <(echo "$3") || true
		echo "not ok $1 - other files or words than expected"
		failed=1
	fi
}

# wanted PREFIX: the files of an installation
wanted() {
	sort <<-FILES
		$1/bin/pvhv 755
		$1/share/man/man1/pvhv.1 644
		/lib/modules/$kernel/extra/pvhv-blkback.ko 644
		/lib/modules/$kernel/extra/pvhv-netback.ko 644
		/lib/modules/$kernel/extra/pvhv.ko 644
		/usr/lib/pvhv/vmlinux-guest 644
		/usr/lib/udev/rules.d/60-pvhv.rules 644
	FILES
}

found() { find "$dir" ! -type d -printf '/%P %m\n' | sort; }

make --no-print-directory install DESTDIR="$dir"
same files "$(found)" "$(wanted /usr)"
same command "$("$dir/usr/bin/pvhv" version | head -n 1)" "$(tools/pvhv/pvhv version | head -n 1)"
same module "$(modinfo -F vermagic "$dir/lib/modules/$kernel/extra/pvhv.ko" | cut -d' ' -f1)" "$kernel"
cmp "$dir/usr/lib/pvhv/vmlinux-guest" build/guest/vmlinux && echo "ok guest-kernel" ||
	{ echo "not ok guest-kernel - another one"; failed=1; }
# what somebody else has there stays
touch "$dir/usr/lib/pvhv/other"
make --no-print-directory uninstall DESTDIR="$dir"
same uninstall "$(found)" "/usr/lib/pvhv/other 644"
rm "$dir/usr/lib/pvhv/other"

make --no-print-directory install DESTDIR="$dir" PREFIX=/usr/local
same prefix "$(found)" "$(wanted /usr/local)"
make --no-print-directory uninstall DESTDIR="$dir" PREFIX=/usr/local
same prefix-uninstall "$(found)" ""
exit $failed
