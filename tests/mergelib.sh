# shellcheck shell=bash
# Real tools in a delta that is merged, compared with what they do natively; sourced after lib.sh,
# synclib.sh and fslib.sh. The texts are those of tests/tools, which toollib.sh explains.
#
#     merging_tools FUNCTION  with TREE
#     tool ...                BEFORE makes the source. SCRIPT is run in a delta mount of it and, natively,
#                             in a copy, at one and the same path: it must say the same, and the source
#                             be as it was. Then that is merged: with what is merged and with the copy
#                             AFTER must say the same, and leave the same trees (mtimes too, but of what
#                             is newer than SCRIPT in both); the delta is empty. At last it is undone, and
#                             the source as before.

# shellcheck disable=SC2034 # fslib.sh and the tools do
RUNAS='' BASE=$T/base
AT=$T/at

merging_tools()
{
	mkdir "$BASE"
	TREE=$BASE/tree
	make_tree "$TREE"
	# Which is never merged.
	rm "$TREE/dir/pipe"
	touch -d '2001-02-03 04:05:06.789012345' "$TREE/dir"
	"$1"
}

# run_at DIR TEXT: runs it with DIR, which must not be a mount, being AT
run_at()
{
	mv "$1" "$AT"
	run_tool "$AT" "$2"
	mv "$AT" "$1"
}

run_mounted()
{
	mount_fs -o "preset=full-access,delta=$D" "$S" "$AT" || return
	run_tool "$AT" "$1"
	umount_fs "$AT" && wait_for 10 flock -n "$D/meta/lock" true && rmdir "$AT"
}

# Undoing changes the inodes once more.
timeless()
{
	sed 's/ [^ ]*$//' "$1"
}

# same_file NAME A B
same_file()
{
	cmp -s "$2" "$3"
	ok $? "$1" || diag "$(diff "$2" "$3" | head -n 20)"
}

tool()
{
	local name=$1 flags=$2 before=$3 script=$4 after=${5:-}
	new_source :
	run_at "$S" "$before" >"$T/said-before"
	cp -a "$S" "$S.native"
	manifest "$S" >"$S.before"
	touch "$T/began"
	run_mounted "$script" >"$S.said"
	run_at "$S.native" "$script" >"$S.native.said"
	same_file "$name: says the same" "$S.native.said" "$S.said"
	is "$(tail -qn 1 "$T/said-before" "$S.said")" $'status 0\nstatus 0' "$name: succeeds"
	same_file "$name: the source is as it was" "$S.before" <(manifest "$S")

	afsync --no-hold "$D"
	is "$STATUS" 0 "$name: is merged" || diag "$ERR"
	afsync -n "$D"
	is "$OUT$ERR" '' "$name: the delta is empty"
	cp -a "$S" "$S.merged"
	run_at "$S.merged" "$after" >"$S.said"
	run_at "$S.native" "$after" >"$S.native.said"
	same_file "$name: goes on as well" "$S.native.said" "$S.said"
	is "$(tail -n 1 "$S.said")" 'status 0' "$name: goes on"
	# shellcheck disable=SC2086 # no flags must be no argument
	check "$name: merged is as native" same_tree $flags -m -a "$(stat -c %.Y "$T/began")" "$S.native" "$S.merged"

	afsync --undo "$S"
	is "$STATUS" 0 "$name: is undone" || diag "$ERR"
	same_file "$name: the source is as before" <(timeless "$S.before") <(manifest "$S" | timeless -)
}
