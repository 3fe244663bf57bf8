# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# Sourced by the bash scripts of this tree: places, progress lines, locks.

pvhv_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
pvhv_cache=${XDG_CACHE_HOME:-$HOME/.cache}/pvhv
pvhv_log=$pvhv_cache/log
pvhv_jobs=${PVHV_JOBS:-$(nproc)}
mkdir -p "$pvhv_log"

say() { echo "pvhv: $*" >&2; }
die() { echo "pvhv: $*" >&2; exit 1; }

# step TEXT LOG COMMAND...: one line before a long command, whose output goes
# to the file LOG in the log directory; its last lines are shown when it fails.
# COMMAND may be a function, which ends at its first error: so call step
# neither in a condition nor before || (bash would ignore errors inside).
step() {
	local text=$1 log=$pvhv_log/$2 start=$SECONDS rc
	shift 2
	say "$text (log: $log)"
	set +e
	(set -e; "$@") >"$log" 2>&1 </dev/null
	rc=$?
	set -e
	if [ $rc -ne 0 ]; then
		tail -n 25 "$log" >&2
		say "FAILED with status $rc: $text (log: $log)"
		return $rc
	fi
	say "done in $((SECONDS - start)) s: $text"
}

# locked NAME: hold the lock NAME until this script ends. Descriptor 9 is
# not inherited on purpose by daemons: nothing here starts any.
locked() {
	mkdir -p "$pvhv_cache/lock"
	exec 9>"$pvhv_cache/lock/$1"
	flock -n 9 && return
	say "waiting for another build of $1"
	flock 9
}

# hash_files FILE...: one hash over names and contents, in the order given;
# the same in every clone.
hash_files() { sha256sum -- "$@" | sed "s,$pvhv_top/,," | sha256sum | cut -c1-16; }

# drop_old PATTERN KEEP: remove cached results of older contents but the KEEP
# newest. Whoever still uses one holds its files open, so this is safe.
drop_old() {
	local old
	# shellcheck disable=SC2012,SC2086 # a pattern, and names made here
	ls -dt "$pvhv_cache"/$1 2>/dev/null | tail -n +"$(($2 + 1))" |
		while read -r old; do rm -rf "$old"; done
}

# lost_options FRAGMENT CONFIG: what the fragment asks for (=y, =m, a value)
# and kconfig did not take, because of a dependency or of a name that is gone.
lost_options() {
	grep '^CONFIG_' "$1" | grep -v '=n$' | grep -vxF -f "$2" | tr '\n' ' ' || true
}

# debian_sources: this machine's own apt sources of Debian 12, for a root file
# system: they work here, whatever they are.
debian_sources() {
	# shellcheck disable=SC2016 # expanded by apt-get
	apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' 'Origin: Debian' | grep bookworm
}
