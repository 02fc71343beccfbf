#!/bin/bash
# Another process swaps directories and files of the source with symlinks that lead out, and with
# FIFOs: nothing outside is ever read or changed, and the daemon goes on.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"

races()
{
	local seconds=$1 mode=$2 outside=$BASE/outside-$2
	fresh_dirs
	# shellcheck disable=SC2016
	$RUNAS bash -ec 'umask 022; cd "$1"; mkdir -p dir/sub; echo inside >dir/f; echo inside >dir/sub/f
		echo inside >file; echo inside >plain; mkfifo plain.fifo; ln -s "$2" dir.link
		ln -s "$2/canary" file.link; mkdir -p "$2/sub"; cd "$2"
		echo canary >canary; echo canary >f; echo canary >sub/f; cp -a "$2" "$2.before"' sh "$SRC" "$outside"
	mount_fs -o "rule=write:/,cache=$mode" "$SRC" "$MNT" || { ok 1 "$WHO: mounts"; return; }
	check "$WHO, $mode: $seconds seconds of swapping: nothing outside is read" \
		$RUNAS timeout $((seconds + 60)) "$BUILD/tests/fs_race" "$SRC" "$MNT" "$seconds"
	check "$WHO, $mode: nothing outside is changed" same_tree -mn "$outside" "$outside.before"
	# What was there a moment ago may be known still.
	check "$WHO, $mode: the daemon answers" wait_for 2 $RUNAS timeout 20 ls -l "$MNT"
	check "$WHO, $mode: and ends" umount_fs "$MNT"
}

all_races()
{
	if [ "$WHO" = root ]; then races 10 auto; else races 4 auto; fi
	races 3 never
}

each_user all_races
done_testing
