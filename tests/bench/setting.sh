# setting.sh: what all parts of the bench share: where it is, how it is cleaned up, what it works on.
# To be sourced. BUILD is what is measured; TMPDIR the filesystem.
#
# $dir has a directory for each user that something is measured as, $dir/root and $dir/user, in which
# src is the directory that is mounted:
#
#     tree/     FILES small files, ten a directory; a git repository with a few secrets, which git ignores
#     build/    a C program for ninja      py/  Python modules      pk/  packages, as npm has them
#     big       a file of SIZE MiB         out/ where things are written, which the policy allows
#
# shellcheck shell=bash

# shellcheck disable=SC2034 # what is set here is used by those who source it
{
	bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
	root=${bench%/tests/bench}
	BUILD=${BUILD:-$root/build}
	work=$BUILD/bench/bench_work
	afs=$BUILD/agentfensefs
	# A number of lines is a terminal's; and bash would set it to that.
	shopt -u checkwinsize
	only=${LINES:-}
	only=${only##*[0-9]*}
}

if [ -n "${TINY:-}" ]; then
	: "${FILES:=100}" "${SIZE:=2}" "${ROUNDS:=1}" "${TRANSACTIONS:=20}" "${UNITS:=3}" "${MODULES:=10}" \
		"${PACKAGES:=5}" "${PAGES:=200}"
fi
: "${FILES:=10000}"       # in tree/
: "${SIZE:=1024}"         # MiB of the large file
: "${ROUNDS:=6}"
: "${TRANSACTIONS:=2000}" # of sqlite
: "${UNITS:=16}"          # files of the C program
: "${MODULES:=300}"       # of Python
: "${PACKAGES:=100}"      # of twenty files each
: "${PAGES:=50000}"       # read and written at random places
: "${MEMORY:=}"           # set: on an ext4 of so many GiB in memory, so that no disk is measured; as root
: "${CORE:=0}"            # where all of it runs, client and daemons; `no`: anywhere

dir=$(mktemp -d "${TMPDIR:-/tmp}/bench.XXXXXX")
chmod 755 "$dir"
image=

# Ends what is mounted and running, whatever state it is in. system_down is that of systems.sh.
finish()
{
	trap '' INT TERM HUP
	cd /
	if declare -F system_down >/dev/null; then
		system_down || :
	fi
	while read -r _ place _; do
		case $place in
		"$dir" | "$dir"/*) umount -l "$place" 2>/dev/null || fusermount3 -uz "$place" 2>/dev/null || : ;;
		esac
	done < <(tac /proc/mounts)
	[ -z "$image" ] || rm -f "$image"
	rm -rf --one-file-system "$dir"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ -n "$MEMORY" ]; then
	image=$(mktemp /dev/shm/bench.XXXXXX)
	truncate -s "${MEMORY}G" "$image"
	mkfs.ext4 -q -F "$image"
	mount -o loop "$image" "$dir"
	chmod 755 "$dir"
fi
[ "$CORE" = no ] || taskset -pc "$CORE" $$ >/dev/null

for program in "$work" "$afs"; do
	[ -x "$program" ] || { echo "bench: $program is not there: make bench" >&2; exit 1; }
done

say() { printf '%s\n' "bench: $*" >&2; }

if [ "$(id -u)" -eq 0 ]; then
	users='root user'
	"$root/tests/as-user" true
	as_user=(setpriv --reuid aftest --regid aftest --init-groups --inh-caps=-all
		env "HOME=$dir/user" USER=aftest LOGNAME=aftest)
else
	# shellcheck disable=SC2034
	users='user'
	as_user=(env "HOME=$dir/user")
fi
# words_of USER: sets `words`, which go before a command that `root` or `user` is to run
words_of()
{
	if [ "$1" = user ]; then
		words=("${as_user[@]}")
	else
		words=(env "HOME=$dir/root")
	fi
}
as()
{
	words_of "$1"
	"${words[@]}" "${@:2}"
}

# git in a directory of whomever, without what this machine has set, and not writing its index: whether
# it may would differ.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
export GIT_CONFIG_NOSYSTEM=1 GIT_OPTIONAL_LOCKS=0 LC_ALL=C PYTHONDONTWRITEBYTECODE=1

# make_source USER: $dir/USER/src, and the lists of its files beside it
make_source()
{
	local home=$dir/$1
	[ ! -d "$home/src" ] || return 0
	mkdir -p "$home"
	[ "$1" = root ] || [ "$(id -u)" -ne 0 ] || chown aftest: "$home"
	FILES=$FILES SIZE=$SIZE UNITS=$UNITS MODULES=$MODULES PACKAGES=$PACKAGES TRANSACTIONS=$TRANSACTIONS \
		as "$1" bash "$bench/source.sh" "$home"
}
