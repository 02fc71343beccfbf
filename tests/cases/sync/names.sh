#!/bin/bash
# Names of one file, what takes another's place, and the times of directories: merged and taken back.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"

# like_native NAME BEFORE SCRIPT: merged it is as native, and undone as before; with times and inodes
like_native()
{
	new_source "$2"
	cp -a "$S" "$S.native"
	touch "$T/began"
	before=$(of_all "$S" '%i')
	run_in "$S.native" "$3"
	sandbox "$D" "$3"
	afsync "$D"
	is "$STATUS:$ERR" "0:${ERR:-nothing}" "$1: is merged"
	# What was displaced has names, too, where undoing will look for it: but a copy has not.
	cp -a "$S" "$S.merged"
	check "$1: as native" "$BUILD/tests/treecmp" -n -m -a "$(stat -c %.Y "$T/began")" "$S.native" "$S.merged"
	is "$(plan)" '' "$1: nothing is left"
	afsync --undo "$S"
	is "$STATUS:$(of_all "$S" '%i')" "0:$before" "$1: and undone"
}

of_all()
{
	(cd "$1" && find . -printf "%P $2 %m %n %y%l %T@\n" | sort)
}

three='mkdir d; echo x >d/a; ln d/a b; ln d/a c; touch -d @1 d/a d'
like_native 'one of three names is written to' "$three" 'echo more >>b'
like_native 'three names made anew' "$three" 'echo y >>b; for f in d/a b c; do rm $f; echo x >$f; done'
like_native 'one of three made anew, with other bits' "$three" 'rm b; echo x >b; chmod 700 b; touch -d @1 d'
like_native 'a fourth name' "$three" 'ln c d/e'
like_native 'a fourth name, and one that goes' "$three" 'ln c d/e; rm b'
like_native 'a new name of a symlink' 'ln -s x l' 'ln l m'
like_native 'two equal files become one' 'echo x >a; echo x >b; touch -d @1 a b' 'ln -f a b'
like_native 'bits of one file' "$three" 'chmod 700 b'
like_native 'an equal file in the place of another' 'echo x >a; echo x >b; touch -d @1 a; chmod 700 b' 'mv b a'
like_native 'directories that change places' 'mkdir -m 700 a; mkdir b; echo x >a/f; echo x >b/f; chmod 604 b/f' \
	'mv a x; mv b a; mv x b'
like_native 'a directory whose time was set' 'mkdir d d/e; touch -d @5 d' 'echo x >d/f; rmdir d/e; touch -d @7 d'
like_native 'a large file made anew as it was' 'truncate -s 3M f; touch -d @1 f' 'rm f; truncate -s 3M f; touch -d @2 f'
like_native 'files that nobody may write to' 'mkdir d; echo x >d/a; chmod 400 d/a' 'mv d/a b; mkdir e; mv b e'

# Names that the sandbox may not change keep what they have.
new_source 'echo x >a; ln a b; chmod 600 a'
mount_fs -o "default=read,rule=write:/b,delta=$D" "$S" "$T/mnt"
check 'a name that may be written to gets a mode' chmod 644 "$T/mnt/b"
umount_fs "$T/mnt" && wait_for 10 flock -n "$D/meta/lock" true
afsync "$D"
is "$(stat -c '%n %a' "$S/a" "$S/b" | sed 's#.*/##' | paste -sd ' ')" 'a 600 b 644' \
	'... merged, and the other name of that file, which may not, has its own'

# Names in the directory came from elsewhere meanwhile: it has the time of the merge.
new_source 'mkdir d; touch -d @5 d'
sandbox "$D" 'echo x >d/f; touch -d @7 d'
echo x >"$S/d/other"
touch -d @6 "$S/d"
afsync "$D"
check 'a directory that others changed, too, is newer' test "$S/d" -nt "$T/began"

done_testing
