#!/bin/bash
# A directory can be renamed only where all that is in it may be written, at its old and new path.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"

renames()
{
	fresh_dirs
	# shellcheck disable=SC2016
	$RUNAS bash -ec 'cd "$1"; mkdir -p a b/into c
		for d in all hidden reads views deep empty onto swap; do mkdir -p a/$d/s/t; echo x >a/$d/f; done
		rm -r a/empty/* a/onto/*; touch a/hidden/x.none a/reads/x.read a/views/s/x.view a/deep/s/t/x.none
		mkdir b/swap; touch b/swap/x.read a/all/is-read-in-c a/file' sh "$SRC"
	mount_fs -o rule=write:/,rule=read:*.read,rule=view:*.view,rule=none:*.none \
		-o rule=read:/c/*/is-read-in-c,rule=none:/b/into/*/s/t "$SRC" "$MNT" ||
		{ ok 1 "$WHO: mounts"; return; }
	later EXDEV "$WHO: with a hidden entry" -- rename "$MNT/a/hidden" "$MNT/b/new"
	later EXDEV "$WHO: with a read-only entry" -- rename "$MNT/a/reads" "$MNT/b/new"
	later EXDEV "$WHO: with an entry to view" -- rename "$MNT/a/views" "$MNT/b/new"
	later EXDEV "$WHO: with a hidden entry far below" -- rename "$MNT/a/deep" "$MNT/b/new"
	later EXDEV "$WHO: within the same directory" -- rename "$MNT/a/hidden" "$MNT/a/new"
	later EXDEV "$WHO: where an entry would be read-only" -- rename "$MNT/a/all" "$MNT/c/new"
	later EXDEV "$WHO: where an entry would be hidden" -- rename "$MNT/a/swap" "$MNT/b/into/new"
	later EXDEV "$WHO: exchange with a mixed one" -- rename "$MNT/a/swap" "$MNT/b/swap" exchange
	later EXDEV "$WHO: exchange of a mixed one" -- rename "$MNT/b/swap" "$MNT/a/swap" exchange
	later EXDEV "$WHO: exchange of a mixed one and a file" -- rename "$MNT/b/swap" "$MNT/a/file" exchange
	later EXDEV "$WHO: exchange of a file and a mixed one" -- rename "$MNT/a/file" "$MNT/b/swap" exchange
	later EXDEV "$WHO: onto an empty one" -- rename "$MNT/a/hidden" "$MNT/a/onto"
	later EXDEV "$WHO: without replacing" -- rename "$MNT/a/hidden" "$MNT/b/new" noreplace
	later EEXIST "$WHO: without replacing what is there" -- rename "$MNT/a/hidden" "$MNT/a/onto" noreplace
	later EACCES "$WHO: to a name that is read-only" -- rename "$MNT/a/all" "$MNT/b/x.read"
	later EACCES "$WHO: to a hidden name" -- rename "$MNT/a/all" "$MNT/b/x.none"
	later EINVAL "$WHO: into itself" -- rename "$MNT/a" "$MNT/a/all/x"
	later ENOENT "$WHO: nothing was renamed" -- stat "$MNT/b/new" type
	later OK "$WHO: where all may be written" -- rename "$MNT/a/all" "$MNT/b/new"
	later OK "$WHO: and back onto an empty one" -- rename "$MNT/b/new" "$MNT/a/onto"
	later OK "$WHO: an empty one, wherever rules differ" -- rename "$MNT/a/empty" "$MNT/c/empty"
	later OK "$WHO: exchange with a file" -- rename "$MNT/a/onto" "$MNT/a/file" exchange
	run_later
	check "$WHO: its entries came along" $RUNAS test -e "$(at_rest a/file/s/t)"
	is "$($RUNAS cat "$MNT/a/file/f")" x "$WHO: and are found through the mount"
	# What mv(1) does with EXDEV: it copies what it may see, and cannot remove what it may not.
	refute "$WHO: mv of a mixed one does not remove it" $RUNAS mv "$MNT/a/hidden" "$MNT/b/moved"
	check "$WHO: what was hidden is still there" $RUNAS test -e "$SRC/a/hidden/x.none"
	check "$WHO: and was not copied" $RUNAS test ! -e "$(at_rest b/moved/x.none)"
	umount_fs "$MNT"
}

each_user renames
done_testing
