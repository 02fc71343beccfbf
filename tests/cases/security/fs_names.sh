#!/bin/bash
# No name lends another its rights: hard links under several levels, descriptors opened again through
# /proc, directories held while they or their parents are renamed, handles.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"

says()
{
	local expected=$1 name=$2
	shift 2
	is "$($RUNAS "$SYS" "$@" 2>&1)" "$expected" "$WHO: $name"
}

hard_links()
{
	says "$($RUNAS "$SYS" stat "$MNT/f.write" ino)" 'one st_ino' stat "$MNT/f.read" ino
	says "$($RUNAS "$SYS" stat "$MNT/f.write" ino)" 'one st_ino, to view too' stat "$MNT/f.view" ino
	for _ in 1 2; do
		errno_is OK "$WHO: the name of level write, opened" -- open "$MNT/f.write" rdwr
		errno_is EACCES "$WHO: the name of level read, to write" -- open "$MNT/f.read" rdwr
		errno_is EACCES "$WHO: to truncate" -- open "$MNT/f.read" rdonly,trunc
		errno_is EACCES "$WHO: while the other is open" -- open "$MNT/f.write" rdwr , open "$MNT/f.read" wronly
		errno_is EACCES "$WHO: the name of level view" -- open "$MNT/f.write" rdwr , open "$MNT/f.view" rdonly
		errno_is ENOENT "$WHO: the hidden name" -- open "$MNT/f.write" rdwr , open "$MNT/f.none" rdonly
		errno_is EACCES "$WHO: chmod" -- chmod "$MNT/f.read" 777
		errno_is EACCES "$WHO: setxattr" -- setxattr "$MNT/f.read" user.a 1
		errno_is EACCES "$WHO: truncate" -- truncate "$MNT/f.read" 0
		errno_is EACCES "$WHO: unlink" -- unlink "$MNT/f.read"
		errno_is EXDEV "$WHO: link to a name of level write" -- link "$MNT/f.read" "$MNT/new.write"
		errno_is EACCES "$WHO: rename onto itself under another level" -- rename "$MNT/f.write" "$MNT/f.read"
		errno_is EACCES "$WHO: rename from the lower level" -- rename "$MNT/f.read" "$MNT/f.write"
		is "$($RUNAS "$SYS" stat "$MNT/f.read" mode) $($RUNAS "$SYS" stat "$MNT/f.write" mode)" '0444 0644' \
			"$WHO: each name has its own mode bits"
	done
}

# What is written by one name is read by the other, by descriptors and maps that are open already.
coherent()
{
	says first 'written by one, read by the other' open "$MNT/f.write" rdwr , write @0 first 0 , \
		open "$MNT/f.read" rdonly , read @1 5 0
	says $'first\nSECON' 'by a descriptor that has read before' open "$MNT/f.read" rdonly , read @0 5 0 , \
		open "$MNT/f.write" rdwr , write @1 SECON 0 , read @0 5 0
	says $'SECON\nTHIRD' 'by a map' open "$MNT/f.read" rdonly , mmapread @0 0 5 , \
		open "$MNT/f.write" rdwr , write @1 THIRD 0 , mmapread @0 0 5
	says FOURT 'written by a map' open "$MNT/f.read" rdonly , open "$MNT/f.write" rdwr , \
		mmapwrite @1 0 FOURT , read @0 5 0
	says 3 'size' open "$MNT/f.read" rdonly , open "$MNT/f.write" rdwr , ftruncate @1 3 , fstat @0 size
	says '3 0600' 'and mode' chmod "$MNT/f.write" 600 , stat "$MNT/f.write" size,mode
	says 0400 'of the other name' chmod "$MNT/f.write" 600 , stat "$MNT/f.read" mode
	errno_is OK "$WHO: and back" -- chmod "$MNT/f.write" 644
}

# sys has its first descriptor at 3, the second at 4.
reopened()
{
	errno_is EACCES "$WHO: /proc/self/fd: read to write" -- open "$MNT/f.read" rdonly , open /proc/self/fd/3 wronly
	errno_is EACCES "$WHO: /proc/self/fd: read to truncate" -- open "$MNT/f.read" rdonly , truncate /proc/self/fd/3 0
	errno_is EACCES "$WHO: /proc/self/fd: read to chmod" -- open "$MNT/f.read" rdonly , chmod /proc/self/fd/3 777
	errno_is EACCES "$WHO: /proc/self/fd: O_PATH to read" -- open "$MNT/f.view" path , open /proc/self/fd/3 rdonly
	errno_is EACCES "$WHO: /proc/self/fd: O_PATH to write" -- open "$MNT/f.read" path , open /proc/self/fd/3 rdwr
	errno_is EACCES "$WHO: /proc/self/fd: O_PATH to execute" -- open "$MNT/x.view" path , exec /proc/self/fd/3
	errno_is OK "$WHO: /proc/self/fd: what the level allows" -- open "$MNT/f.read" path , open /proc/self/fd/3 rdonly
	errno_is EXDEV "$WHO: linkat of a descriptor to read" -- open "$MNT/f.read" rdonly , linkfd @0 "$MNT/new.write"
	errno_is EACCES "$WHO: linkat of a descriptor to view" -- open "$MNT/f.view" path , linkfd @0 "$MNT/new.write"
}

# A directory's rights are those of the path it has now, whatever it was when it was opened.
held_directories()
{
	errno_is OK "$WHO: before" -- open "$MNT/w/a" rdonly , open @0/one.txt wronly,creat , unlink @0/one.txt
	errno_is EACCES "$WHO: a held directory, renamed: create" -- open "$MNT/w/a" rdonly , \
		rename "$MNT/w/a" "$MNT/w/ro" , open @0/one.txt wronly,creat
	errno_is ENOENT "$WHO: its old name" -- stat "$MNT/w/a" type
	errno_is OK "$WHO: and back" -- open "$MNT/w/ro" rdonly , rename "$MNT/w/ro" "$MNT/w/a" , open @0/one.txt wronly,creat
	errno_is EXDEV "$WHO: not while it holds what would be read-only" -- rename "$MNT/w/a" "$MNT/w/ro"
	errno_is EACCES "$WHO: a held directory, its parent renamed: create" -- open "$MNT/w/p/sub" rdonly , \
		rename "$MNT/w/p" "$MNT/w/ro" , open @0/one.txt wronly,creat
	errno_is ENOENT "$WHO: and what would be hidden" -- open "$MNT/w/ro/sub" rdonly , stat @0/x.none type
	errno_is OK "$WHO: back" -- rename "$MNT/w/ro" "$MNT/w/p"
	errno_is EACCES "$WHO: exchanged" -- open "$MNT/w/e" rdonly , rename "$MNT/w/e" "$MNT/w/ro" , \
		mkdir "$MNT/w/e" , rename "$MNT/w/e" "$MNT/w/ro" exchange , open @0/one.txt wronly,creat , unlink @0/one.txt , \
		rename "$MNT/w/e" "$MNT/w/ro" exchange , open @0/two.txt wronly,creat
	errno_is EACCES "$WHO: chdir and dot" -- chdir "$MNT/r" , open ./new wronly,creat
	errno_is EACCES "$WHO: dot-dot" -- open "$MNT/w/a" rdonly , open @0/../../r/new wronly,creat
	errno_is ENOENT "$WHO: dot-dot to what is hidden" -- open "$MNT/w/a" rdonly , open @0/../../f.none rdonly
}

names()
{
	fresh_dirs
	# shellcheck disable=SC2016
	$RUNAS bash -ec 'umask 022; cd "$1"; echo start >f.write; for l in read view none; do ln f.write f.$l; done
		printf "#!/bin/true\n" >x.view; chmod 755 x.view; mkdir -p w/a w/p/sub w/e r' sh "$SRC"
	mount_fs -o rule=write:*.write,rule=write:/w,rule=read:/r,rule=read:*.read,rule=view:*.view \
		-o 'rule=read:/w/ro/**/*.txt,rule=none:*.none' "$SRC" "$MNT" || { ok 1 "$WHO: mounts"; return; }
	hard_links
	coherent
	reopened
	held_directories
	is "$($RUNAS cat "$SRC/f.none" | cut -c1-3)" FOU "$WHO: written only by the name of level write"
	umount_fs "$MNT"
}

handles()
{
	WHO=root RUNAS='' BASE=$T/as-root
	fresh_dirs
	for ((i = 0; i < 100; i++)); do
		echo secret >"$SRC/secret$i"
		echo readable >"$SRC/file$i"
	done
	ln "$SRC/secret0" "$SRC/view0"
	mount_fs -o 'rule=read:file*,rule=view:view*' "$SRC" "$MNT" || { ok 1 'root: mounts'; return; }
	ls -lR "$MNT" >/dev/null
	check 'open_by_handle_at reaches nothing hidden, and lends no rights' "$BUILD/tests/fs_handles" "$MNT/file1"
	umount_fs "$MNT"
}

each_user names
is_root && handles
done_testing
