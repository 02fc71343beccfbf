# shellcheck shell=bash
# Cases in delta mode (AF_DELTA=1, as tests/check.sh runs them once more): every mount that lib.sh
# makes gets a delta, and what is written is looked for there. Sourced by lib.sh.
#
#     at_rest PATH      where a path of the mount really lies: in SRC, or in the delta if that has it
#     find_beneath ...  find(1) in SRC, and in the delta's upper
#     fresh_delta       the next mount of a source begins with an empty delta; else one source keeps its
#                       own from mount to mount, as it would keep what is written to it
#     manifest DIR      all that can be told of a tree without reading it: any change changes a line
#     source_moves      said by a case that itself changes the source while it is mounted; of others it
#                       is checked at each unmount that the source is as it was
#
# UPPER is the upper directory of the last mount's delta.

AF_DELTA=${AF_DELTA:-}
UPPER=
af_generation=0
af_source_moves=
declare -A af_manifests=()

fresh_delta()
{
	af_generation=$((af_generation + 1))
}

source_moves()
{
	af_source_moves=1
}

manifest()
{
	${RUNAS:-} find "$1" -printf '%P %i %m %U:%G %n %s %y%l %T@ %C@\n' | sort
}

find_beneath()
{
	${RUNAS:-} find "$SRC" ${UPPER:+"$UPPER"} "$@"
}

at_rest()
{
	if [ -n "$UPPER" ] && { [ -e "$UPPER/$1" ] || [ -L "$UPPER/$1" ]; }; then
		printf '%s\n' "$UPPER/$1"
	else
		printf '%s\n' "$SRC/$1"
	fi
}

af_delta_home()
{
	[ -d "$T/deltas" ] || { mkdir "$T/deltas"; chmod 1777 "$T/deltas"; }
}

# The option for a mount with these arguments, in af_delta_option, for lib.sh. Not where the case says delta itself.
af_choose_delta()
{
	local src mnt key n=0 dir
	af_delta_option=()
	[ -n "$AF_DELTA" ] && [ $# -ge 2 ] && [[ " $* " != *delta=* ]] || return 0
	src=$(realpath -m -- "${@: -2:1}") mnt=$(realpath -m -- "${@: -1}")
	af_delta_home
	key=$(cksum <<<"${RUNAS:-} $src $af_generation")
	# Two mounts of a source at once have two.
	dir=$T/deltas/${key%% *}.0
	while [ -f "$dir.at" ] && [ "$(<"$dir.at")" != "$mnt" ] && is_mounted "$(<"$dir.at")"; do
		n=$((n + 1))
		dir=$T/deltas/${key%% *}.$n
	done
	printf '%s\n' "$mnt" >"$dir.at"
	UPPER=$dir/upper
	# shellcheck disable=SC2034 # lib.sh does
	af_delta_option=(-o "delta=$dir")
}

# Before and after a mount of src at mnt.
af_note_source()
{
	[ -n "$AF_DELTA" ] && [ -z "$af_source_moves" ] && [ -d "$2" ] || return 0
	af_delta_home
	af_manifests[$1]=$T/deltas/manifest.${#af_manifests[@]}
	printf '%s\n' "$2" >"${af_manifests[$1]}.of"
	manifest "$2" >"${af_manifests[$1]}"
}

af_check_source()
{
	local noted=${af_manifests[$1]:-}
	unset "af_manifests[$1]"
	[ -n "$noted" ] && [ -z "$af_source_moves" ] || return 0
	manifest "$(<"$noted.of")" | diff "$noted" - >"$noted.diff"
	ok $? "the source of ${1##*/} is as it was" || { diag "$(head -n 20 "$noted.diff")"; return 1; }
}
