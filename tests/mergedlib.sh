# shellcheck shell=bash disable=SC2034,SC2154
# A random tree, its sandbox, and what a merge made of it; sourced after fslib.sh and randomlib.sh.
#
#     new_trees SEED       SRC: a new random tree; PLAIN: a copy; MNT, DELTA, UPPER, KERNEL, STATE: for it
#     in_sandbox SEED      $steps random operations in it, half of them after another mount; the mount, PLAIN
#                          and overlayfs are checked to be the same, and the tree is kept as `sandbox`
#     keep NAME DIR        a copy of the tree, with its times, links and xattrs
#     source_is NAME WHAT  a check that SRC is that, to the nanosecond
#     is_emptied           a check that nothing is left in DELTA
#     contents DIR         a line for each file and symlink of it: the sum of the content, or the target
#     afsync ARG...        afsyncd as $RUNAS: STATUS, OUT, ERR (but for its summary)

new_trees()
{
	fresh_dirs
	PLAIN=$BASE/plain$af_dirs KERNEL=$BASE/kernel$af_dirs DELTA=$BASE/delta$af_dirs
	UPPER=$DELTA/upper STATE=$BASE/state$af_dirs KEPT=$BASE/kept$af_dirs
	$RUNAS mkdir "$KERNEL" "$KEPT"
	$RUNAS "$BUILD/tests/ovl_random" -gm -s "$1" "$SRC"
	$RUNAS cp -a "$SRC" "$PLAIN"
	start=$(($(date +%s) - 1))
}

# once SEED: half of the steps.
af_once()
{
	mount_fs -o "rule=write:/,delta=$DELTA,volatile" "$SRC" "$MNT" || { ok 1 "$name: mounts"; return 1; }
	check "$name: $((steps / 2)) steps" $RUNAS timeout 300 \
		"$BUILD/tests/ovl_random" -m $names -s "$1" -n "$((steps / 2))" "$MNT" "$PLAIN" || return
	[ -z "${2:-}" ] || trees
	[ -z "${2:-}" ] || keep "$2" "$MNT"
	umount_fs "$MNT" && wait_for 10 flock -n "$DELTA/meta/lock" true
}

in_sandbox()
{
	af_once "$1" && af_once "${1}0" sandbox
}

keep()
{
	[ ! -d "$KEPT/$1" ] || $RUNAS chmod -R u+rwX "$KEPT/$1"
	$RUNAS rm -rf "${KEPT:?}/$1"
	$RUNAS cp -a "$2" "$KEPT/$1"
}

source_is()
{
	check "$name: $2" same_tree -m "$SRC" "$KEPT/$1"
}

is_emptied()
{
	afsync -n "$DELTA" "$SRC"
	is "$STATUS:$OUT$($RUNAS find "$UPPER" -mindepth 1)" '0:' "$name: the delta is empty"
	afsync --fsck "$DELTA"
	is "$STATUS:$ERR" '0:' "$name: ... and sound"
}

contents()
{
	$RUNAS find "$1" -type l -printf '%l\n' -o -type f -exec md5sum {} + | sed 's/ .*//'
}

# shellcheck disable=SC2034 # OUT is for the case
afsync()
{
	local state=(--state "$STATE")
	case " $* " in *' --fsck '* | *' --discard '*) state=() ;; esac
	STATUS=0
	$RUNAS timeout 60 "$AFSYNCD" -q "${state[@]}" "$@" >"$T/out" 2>"$T/err" || STATUS=$?
	OUT=$(tr '\0' '@' <"$T/out")
	ERR=$(cat "$T/err")
}
