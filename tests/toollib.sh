# shellcheck shell=bash
# Real tools, whose work is compared with what they do on a plain directory; sourced after fslib.sh.
# What they do is in tests/tools: functions that call, for each thing,
#
#     tool NAME FLAGS BEFORE SCRIPT [AFTER]
#
# BEFORE makes what is there before, SCRIPT is what is compared (FLAGS as treecmp's), and AFTER sees
# whether the tool goes on working with what was left, and takes away what cannot be the same twice.
# Each of these texts is run in the same directory, $1 being TREE, by a shell of its own that ends at
# the first failure.
#
# There are two that define it: this, for mounts, and mergelib.sh, for what is merged.
#
#     with_tools FUNCTION     each_user, each with TREE (a tree to work on) and a mount of SRC at MNT
#     tool ...                all three texts in a new directory of MNT and of a plain one: output,
#                             status and the trees left must be the same, in what lies beneath too;
#                             then rm -rf takes all away
#     run_tool DIR TEXT...    runs them there, at most 180 s, and prints the status

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

run_tool()
{
	$RUNAS timeout 180 env HOME="$BASE" GIT_CONFIG_NOSYSTEM=1 \
		GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org \
		GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org \
		GIT_AUTHOR_DATE=2001-01-01T00:00:00Z GIT_COMMITTER_DATE=2001-01-01T00:00:00Z \
		bash -c 'umask 022; cd "$1" || exit 99
			tree=$2; shift 2; set -e
			for text; do (set -- "$tree"; eval "$text"); done' bash "$1" "$TREE" "${@:2}" 2>&1 </dev/null
	echo "status $?"
}

tool()
{
	local name=$1 flags=$2 side
	for side in "$PLAIN" "$MNT"; do
		$RUNAS mkdir "$side/work"
		run_tool "$side/work" "$3" "$4" "${5:-}" >"$T/said"
		$RUNAS touch -d @1 "$side/work"
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
