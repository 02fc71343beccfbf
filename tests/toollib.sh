# shellcheck shell=bash
# Real tools on a mount and on a plain directory, compared entry by entry; sourced after fslib.sh.
#
#     with_tools FUNCTION     each_user, each with TREE (a tree to work on) and a mount of SRC at MNT
#     tool NAME FLAGS SCRIPT  runs the text in a new directory of MNT and of a plain one, $1 being
#                             TREE: output, status and the trees left must be the same (FLAGS as
#                             treecmp's), in what lies beneath too; then rm -rf takes all away

af_with_tools()
{
	TREE=$BASE/tree PLAIN=$BASE/plain
	make_tree "$TREE"
	$RUNAS mkdir "$PLAIN"
	fresh_dirs
	mount_fs -o rule=write:/ "$SRC" "$MNT" || { ok 1 "$WHO: mounts"; return; }
	"$1"
	check "$WHO: unmounts" umount_fs "$MNT"
}

with_tools()
{
	each_user af_with_tools "$1"
}

tool()
{
	local name=$1 flags=$2 side
	for side in "$PLAIN" "$MNT"; do
		$RUNAS timeout 180 env HOME="$BASE" GIT_CONFIG_NOSYSTEM=1 \
			GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org \
			GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org \
			GIT_AUTHOR_DATE=2001-01-01T00:00:00Z GIT_COMMITTER_DATE=2001-01-01T00:00:00Z \
			bash -c 'umask 022; mkdir "$1/work" && cd "$1/work" || exit 99
				work=$PWD script=$2; shift 2; set -e; eval "$script"
				touch -d @1 "$work"' bash "$side" "$3" "$TREE" \
			>"$T/said" 2>&1 </dev/null
		echo "status $?" >>"$T/said"
		sed "s#$side#DIR#g" "$T/said" >"$T/said${side##*/}"
	done
	is "$(cat "$T/said${MNT##*/}")" "$(cat "$T/said${PLAIN##*/}")" "$WHO: $name: says the same"
	is "$(tail -n 1 "$T/saidplain")" 'status 0' "$WHO: $name: succeeds"
	# shellcheck disable=SC2086 # no flags must be no argument
	check "$WHO: $name: leaves the same" same_tree $flags "$PLAIN" "$MNT"
	# shellcheck disable=SC2086
	check "$WHO: $name: the same beneath" same_tree $flags "$PLAIN" "$(at_rest .)"
	$RUNAS rm -rf "$PLAIN/work"
	check "$WHO: $name: rm -rf" $RUNAS rm -rf "$MNT/work"
	is "$($RUNAS find "$MNT" -mindepth 1; find_beneath -mindepth 1)" '' "$WHO: $name: nothing is left"
}
