#!/bin/bash
# Others move, replace and remove things in the source while the mount is in use: it goes on, what is
# open stays what it was, and it does not run out of descriptors.
. "$(dirname "$0")/../../lib.sh"

mkdir -p "$T/src/x/y" "$T/src/dir" "$T/src/a"
mount_fs -o rule=write:'/**' "$T/src" "$T/mnt" || exit 1
daemon=$(daemon_of "$T/mnt")

# x/y becomes y and then y/x, and the mount hears of the last step first: no ring of directories.
swap()
{
	cd "$T/mnt/x/y" && ls >/dev/null && mv "$T/src/x/y" "$T/src/y" &&
		mv "$T/src/x" "$T/src/y/x" || return
	timeout 5 stat x x/more >/dev/null 2>&1
	[ $? -lt 124 ]
}
check 'directories that change places do not hang the mount' swap
check 'and are found where they are now' timeout 5 ls "$T/mnt/y/x"
check 'a path below them too' timeout 5 mkdir "$T/mnt/y/x/new"
check 'in the source as well' test -d "$T/src/y/x/new"

# A log that is rotated, a file that an editor replaces.
echo old >"$T/src/dir/log"
exec 7<>"$T/mnt/dir/log"
mv "$T/src/dir/log" "$T/src/dir/log.1"
check 'fstat of an open file that others renamed' stat -L /proc/self/fd/7
echo newer >"$T/src/dir/new" && mv "$T/src/dir/new" "$T/src/dir/log.1"
is "$(cat <&7)" old 'what is open is read when it was replaced'
is "$(python3 -c 'import os; print(os.fstat(7).st_size)')" 4 'and has its own attributes'
exec 7>&-

# One of two trees of hard links goes, while the kernel remembers the other.
for i in {1..3000}; do : >"$T/src/a/$i"; done
cp -al "$T/src/a" "$T/src/b"
find "$T/mnt/b" "$T/mnt/a" -type f -size +0 >"$T/found"
before=$(fd_count "$daemon")
check 'a tree of hard links is removed' rm -r "$T/mnt/a"
after=$(fd_count "$daemon")
check "with few descriptors ($before, then $after)" test "$after" -lt 1200
is "$(find "$T/mnt/b" -type f -links 1 | wc -l)" 3000 'and the other is whole'

done_testing
