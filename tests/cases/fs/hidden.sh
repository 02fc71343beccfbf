#!/bin/bash
# What is hidden cannot be told from what is missing: by no errno, listing, offset, count or size.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"
source_moves

kinds='file dir link fifo sock missing'

# Every system call that takes a name, on a hidden thing of each kind and on nothing at all.
same_errno()
{
	local kind at=$MNT/d
	for kind in $kinds; do
		ask()
		{
			local expected=$1
			shift
			later "$expected" "$WHO: hidden $kind: $*" -- "${@//%/$at/none-$kind}"
		}
		ask ENOENT stat % type
		ask ENOENT stat %/ type
		ask ENOENT stat %/x type
		ask ENOENT stat %/. type
		ask ENOENT stat %/../w type
		ask ENOENT access % f
		ask ENOENT access % rwx
		ask ENOENT readlink %
		ask ENOENT statfs % type
		ask ENOENT chdir %
		ask ENOENT watch %
		ask ENOENT exec %
		ask ENOENT list %
		ask ENOENT connect %
		ask ENOENT open % rdonly
		ask ENOENT open % path
		ask ENOENT open % rdonly,nofollow
		ask ENOENT open % rdonly,directory
		ask ENOENT open % wronly,trunc
		ask ENOENT open % rdwr,tmpfile
		ask ENOENT truncate % 0
		ask ENOENT chmod % 777
		ask ENOENT chown % -1 -1
		ask ENOENT utimens % now now
		ask ENOENT utimens % 1 1
		ask ENOENT getxattr % user.x
		ask ENOENT listxattr %
		ask ENOENT setxattr % user.x 1
		ask ENOENT setxattr % user.x 1 create
		ask ENOENT removexattr % user.x
		ask ENOENT unlink %
		ask ENOENT rmdir %
		ask ENOENT unlink %/x
		ask ENOENT rename % "$at/w-new"
		ask ENOENT rename % "$at/w"
		ask ENOENT rename % "$at/w" exchange
		ask ENOENT rename "$at/w" % exchange
		ask ENOENT link % "$at/w-new"
		ask ENOENT linkfollow % "$at/w-new"
		ask ENOENT mkdir %/x
		ask ENOENT open %/x wronly,creat
		ask ENOENT symlink x %/x
		ask ENOENT rename "$at/w" %/x
		ask EACCES open % wronly,creat
		ask EACCES open % rdonly,creat
		ask EACCES open % wronly,creat,excl
		ask EACCES open % wronly,creat,trunc,nofollow
		ask EACCES mkdir %
		ask EACCES mkdir %/
		ask EACCES mknod % fifo
		ask EACCES mknod % reg
		ask EACCES mknod % sock
		ask EACCES bind %
		ask EACCES symlink x %
		ask EACCES link "$at/w" %
		ask EACCES rename "$at/w" %
		ask EACCES rename "$at/w" % noreplace
		ask EACCES rename "$at/wdir" %
		ask EACCES rename "$at/wdir" % noreplace
		ask EACCES open "$at" rdwr,tmpfile , linkfd @0 %
		ask ENOENT open "$at/via-$kind" rdonly
		ask ENOENT stat "$at/via-$kind/" type
		ask OK stat "$at/via-$kind" type
		ask EACCES open "$at/via-$kind" wronly,creat
	done
	run_later
}

# What is listed, and at which offsets, is the same with and without hidden entries among them.
same_listing()
{
	local before after kind i
	before=$($RUNAS "$SYS" list "$MNT/e")
	is "$(wc -l <<<"$before")" 302 "$WHO: all that is shown is listed"
	for i in 1 2 3 4 5; do
		$RUNAS touch "$SRC/e/none-$i"
		$RUNAS mkdir "$SRC/e/none-d$i"
	done
	wait_for 5 test -e "$SRC/e/none-d5"
	umount_fs "$MNT"
	mount_fs "${options[@]}" "$SRC" "$MNT"
	after=$($RUNAS "$SYS" list "$MNT/e")
	is "$after" "$before" "$WHO: hidden entries change no offset and no order"
	for ((i = 0; i < 40; i++)); do
		is "$($RUNAS "$SYS" list "$MNT/e" "$i" | grep -c none-)" 0 "$WHO: no hidden entry from offset $i on"
	done
}

# Where something could be hidden, link count and size say nothing; elsewhere they are true.
same_attributes()
{
	local before after truth
	before=$($RUNAS "$SYS" stat "$MNT/d" nlink,size)
	like "$before" '^1 ' "$WHO: nlink 1 where something could be hidden"
	is "$($RUNAS "$SYS" stat "$MNT/e" nlink,size)" "$before" "$WHO: and a constant size"
	is "$($RUNAS "$SYS" stat "$MNT/empty" nlink,size)" "$before" "$WHO: in an empty one too"
	truth=$($RUNAS "$SYS" stat "$SRC/all" nlink,size)
	after=$($RUNAS "$SYS" stat "$MNT/all" nlink,size)
	is "$after" "$truth" "$WHO: the truth where nothing can be hidden"
	like "$truth" '^4 ' "$WHO: which is not 1"
	errno_is ENOTEMPTY "$WHO: rmdir of what holds only hidden things" -- rmdir "$MNT/holds"
	check "$WHO: which is still there" test -e "$SRC/holds/none-x"
	errno_is OK "$WHO: rmdir of an empty one" -- rmdir "$MNT/empty"
}

never_there()
{
	for op in 'stat % type' 'open % rdonly' 'chdir %' 'stat %/x type' 'rmdir %' 'rename % %2'; do
		# shellcheck disable=SC2086 # the words are arguments
		set -- $op
		later ENOENT "$WHO: .agentfense: $op" -- "${@//%/$MNT/.agentfense}"
	done
	later EACCES "$WHO: .agentfense: mkdir" -- mkdir "$MNT/.agentfense"
	later EACCES "$WHO: .agentfense: create" -- open "$MNT/.agentfense" wronly,creat
	later EACCES "$WHO: .agentfense: rename onto it" -- rename "$MNT/a" "$MNT/.agentfense"
	later OK "$WHO: .agentfense elsewhere is a name" -- mkdir "$MNT/a/.agentfense"
	run_later
	unlike "$($RUNAS ls -A "$MNT")" agentfense "$WHO: .agentfense is not listed"
}

hidden()
{
	fresh_dirs
	# shellcheck disable=SC2016
	$RUNAS bash -c 'cd "$1"; mkdir d e empty holds all all/a all/b; cd d; mkdir none-dir wdir
		echo x >none-file; echo x >w; ln -s w none-link; mkfifo none-fifo; "$2" bind none-sock
		setfattr -n user.x -v 1 none-file
		for k in file dir link fifo sock missing; do ln -s none-$k via-$k; done
		cd ../e; touch $(seq 300); touch ../holds/none-x' sh "$SRC" "$SYS" >/dev/null
	options=(-o rule=write:/d,rule=write:/e,rule=write:/empty,rule=write:/holds
		-o rule=none:/*/none-* -o rule=write:/all)
	mount_fs "${options[@]}" "$SRC" "$MNT" || { ok 1 "$WHO: mounts"; return; }
	same_errno
	same_listing
	same_attributes
	umount_fs "$MNT"
	fresh_dirs
	$RUNAS mkdir -p "$SRC/.agentfense/x" "$SRC/a"
	mount_fs -o rule=write:/ "$SRC" "$MNT" || { ok 1 "$WHO: mounts"; return; }
	never_there
	umount_fs "$MNT"
}

each_user hidden
done_testing
