#!/bin/bash
# Mode bits, and ACLs, tell the truth: what test -w, access(2) and ls -l say is what will happen.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"

options=(-o 'default=view,rule=read:/*/read-*,rule=write:/*/write-*,rule=none:/*/none-*'
	-o 'rule=read:/u,rule=write:/w')

shown()
{
	is "$($RUNAS "$SYS" stat "$MNT/$1" mode)" "$2" "$WHO: mode of $1"
}

masked()
{
	shown d/view-file 0000
	shown d/read-file 0555
	shown d/write-file 0777
	shown d/view-exec 0000
	shown d/read-exec 0555
	shown d/write-exec 0755
	shown d/view-dir 0555
	shown d/read-dir 0555
	shown d/write-dir 0777
	shown d/view-fifo 0000
	shown d/read-fifo 0444
	shown d/write-fifo 0666
	shown d/read-sticky 1555
	shown d/view-link 0777
	# A directory keeps w where something directly in it may be created.
	shown d 0777
	shown u 0555
	shown w 0777
	shown '' 0777 # /w is one
	is "$($RUNAS "$SYS" stat "$SRC/d/view-file" mode)" 0777 "$WHO: the source's are as they were"
}

# test(1) and the calls agree; only for a user whom the bits bind.
agree()
{
	local level
	for level in view read write; do
		local r=EACCES w=EACCES
		[ $level = view ] || r=OK
		[ $level = write ] && w=OK
		later $r "$WHO: access r, $level" -- access "$MNT/d/$level-file" r
		later $r "$WHO: access x, $level" -- access "$MNT/d/$level-file" x
		later $w "$WHO: access w, $level" -- access "$MNT/d/$level-file" w
		later $w "$WHO: access w, $level directory" -- access "$MNT/d/$level-dir" w
		later OK "$WHO: access x, $level directory" -- access "$MNT/d/$level-dir" x
		# FIFOs and sockets, about which the kernel does not ask, are bound by the bits.
		later $r "$WHO: a FIFO to read, $level" -- open "$MNT/d/$level-fifo" rdonly,nonblock
		later $w "$WHO: a FIFO to write, $level" -- open "$MNT/d/$level-fifo" rdwr,nonblock
		[ $w = OK ] && w=ECONNREFUSED
		later $w "$WHO: a socket, $level" -- connect "$MNT/d/$level-sock"
	done
	run_later
}

# chmod through the mount sets what was asked for, not what was masked before.
changes()
{
	errno_is OK "$WHO: chmod" -- chmod "$MNT/d/write-exec" 711
	is "$($RUNAS "$SYS" stat "$(at_rest d/write-exec)" mode)" 0711 "$WHO: chmod is what lies beneath"
	errno_is OK "$WHO: chmod of a directory" -- chmod "$MNT/d/write-dir" 750
	is "$($RUNAS "$SYS" stat "$(at_rest d/write-dir)" mode)" 0750 "$WHO: of a directory too"
}

modes()
{
	fresh_dirs
	# shellcheck disable=SC2016
	$RUNAS bash -ec 'umask 0; cd "$1"; mkdir d u w; cd d
		for l in view read write; do
			echo x >$l-file; chmod 777 $l-file; echo x >$l-exec; chmod 755 $l-exec
			mkdir $l-dir; mkfifo $l-fifo; ln -s x $l-link; mkdir -m 1777 $l-sticky
			"$2" bind $l-sock; chmod 777 $l-sock
		done; chmod 777 .. ../d ../u ../w' sh "$SRC" "$SYS" >/dev/null
	mount_fs "${options[@]}" "$SRC" "$MNT" || { ok 1 "$WHO: mounts"; return; }
	masked
	[ "$WHO" = root ] || agree
	changes
	umount_fs "$MNT"
}

# ACLs of root's source that give a user more than the level does, seen by that user.
acls()
{
	local level file r w acl
	WHO=guest RUNAS='' BASE=$T/guest
	mkdir -p "$BASE"
	as_user true
	fresh_dirs
	mkdir "$SRC/d" "$SRC/u" "$SRC/w"
	for level in view read write; do
		file=$SRC/d/$level-file
		echo x >"$file"
		chmod 600 "$file"
		setfacl -m u:aftest:rwx,g:aftest:rwx "$file"
		mkdir "$SRC/d/$level-dir"
		setfacl -m u:aftest:rwx "$SRC/d/$level-dir"
		echo x >"$SRC/d/$level-denied"
		chmod 666 "$SRC/d/$level-denied"
		setfacl -m u:aftest:- "$SRC/d/$level-denied"
	done
	mount_fs -o allow_other "${options[@]}" "$SRC" "$MNT" || { ok 1 "$WHO: mounts"; return; }
	RUNAS=as_user
	for level in view read write; do
		r=EACCES w=EACCES
		[ $level = view ] || r=OK
		[ $level = write ] && w=OK
		later $r "guest: access r by ACL, $level" -- access "$MNT/d/$level-file" r
		later $w "guest: access w by ACL, $level" -- access "$MNT/d/$level-file" w
		later $r "guest: open by ACL, $level" -- open "$MNT/d/$level-file" rdonly
		later $w "guest: open to write by ACL, $level" -- open "$MNT/d/$level-file" wronly
		later $w "guest: access w of a directory by ACL, $level" -- access "$MNT/d/$level-dir" w
		later EACCES "guest: open what the ACL denies, $level" -- open "$MNT/d/$level-denied" rdonly
		later EACCES "guest: access to it, $level" -- access "$MNT/d/$level-denied" r
	done
	run_later
	acl=$(as_user getfacl -c "$MNT/d/write-file")
	like "$acl" 'user:aftest:rwx' 'guest: the ACL is shown'
	unlike "$(as_user getfacl -ce "$MNT/d/read-file" | grep -v '^user::')" 'effective:.w' \
		'guest: no w is effective at level read'
	RUNAS=''
}

each_user modes
is_root && acls
done_testing
