#!/bin/bash
# A mount by root for all users gives nobody what they did not have, and what they make is theirs.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"

is_root || skip_all 'several users need root'

WHO=users RUNAS='' BASE=$T/as-root
mkdir "$BASE"
fresh_dirs

# Two users of numbers that nobody has; the first is also in group 40003.
ann()
{
	setpriv --reuid 40001 --regid 40001 --groups 40003 --inh-caps=-all "$@"
}

bob()
{
	setpriv --reuid 40002 --regid 40002 --clear-groups --inh-caps=-all "$@"
}

by()
{
	local user=$1 expected=$2 name=$3
	shift 3
	RUNAS=$user errno_is "$expected" "$user: $name" -- "$@"
}

owner()
{
	is "$(stat -c '%u:%g %a' "$SRC/$1")" "$2" "$1 belongs to $2"
}

umask 022
(
	cd "$SRC" || exit
	mkdir -m 755 rootdir
	mkdir -m 700 private
	mkdir -m 1777 sticky
	mkdir -m 777 open
	mkdir -m 2777 setgid
	mkdir -m 770 group
	chgrp 40003 setgid group
	for f in rootdir/file private/file sticky/file open/file; do echo root >$f; done
	chmod 600 open/file
	echo x >groupfile
	chgrp 40003 groupfile
	chmod 660 groupfile
	echo x >annfile
	chown 40001:40001 annfile
	chmod 640 annfile
	mkdir -m 777 acl
	setfacl -d -m u:40002:rwx,m::rwx acl
)
mount_fs -o rule=write:/,allow_other "$SRC" "$MNT" || { ok 1 mounts; done_testing; }

by ann EACCES "root's file of mode 600, to read" open "$MNT/open/file" rdonly
by ann EACCES "root's file of mode 644, to write" open "$MNT/rootdir/file" wronly
by ann EACCES 'to truncate' truncate "$MNT/rootdir/file" 0
by ann OK 'to read' open "$MNT/rootdir/file" rdonly
by ann EACCES "to create in root's directory" open "$MNT/rootdir/new" wronly,creat
by ann EACCES 'mkdir there' mkdir "$MNT/rootdir/new"
by ann EACCES 'symlink there' symlink x "$MNT/rootdir/new"
[ -n "$AF_NO_TMPFILE" ] || by ann EACCES 'O_TMPFILE there' open "$MNT/rootdir" rdwr,tmpfile
by ann EACCES 'unlink there' unlink "$MNT/rootdir/file"
by ann EACCES 'rename there' rename "$MNT/rootdir/file" "$MNT/open/file2"
by ann EACCES 'a private directory, to enter' stat "$MNT/private/file" type
by ann EACCES 'to list' list "$MNT/private"
by ann EPERM "chmod of root's file" chmod "$MNT/rootdir/file" 666
by ann EPERM "chown of root's file" chown "$MNT/rootdir/file" 40001 -1
by ann EPERM "utimens of root's file" utimens "$MNT/rootdir/file" 1 1
by ann EACCES "utimens to now of root's file" utimens "$MNT/rootdir/file" now now
by ann EACCES "setxattr of root's file" setxattr "$MNT/rootdir/file" user.x 1
by ann EPERM "unlink of another's in a sticky directory" unlink "$MNT/sticky/file"
by ann EPERM 'rename of it' rename "$MNT/sticky/file" "$MNT/sticky/file2"
by ann OK 'unlink in an open directory' unlink "$MNT/open/file"
by ann OK "her group's file, to write" open "$MNT/groupfile" rdwr
by ann OK "her group's directory" open "$MNT/group/ann" wronly,creat
by bob EACCES "not his group's file" open "$MNT/groupfile" rdonly
by bob EACCES "not his group's directory" list "$MNT/group"
by bob EACCES "ann's file" open "$MNT/annfile" rdonly
by ann OK 'her own file' open "$MNT/annfile" rdwr
by ann EPERM 'chown away' chown "$MNT/annfile" 40002 -1
by ann EPERM 'chgrp to a group that is not hers' chown "$MNT/annfile" -1 40002
by ann OK 'chgrp to a group of hers' chown "$MNT/annfile" -1 40003
owner annfile '40001:40003 640'

by ann OK 'a file' open "$MNT/open/f" wronly,creat 666
by ann OK 'a directory' mkdir "$MNT/open/d" 777
by ann OK 'a FIFO' mknod "$MNT/open/p" fifo 666
by ann OK 'a symlink' symlink x "$MNT/open/l"
by ann OK 'a socket' bind "$MNT/open/s"
[ -n "$AF_NO_TMPFILE" ] || by ann OK 'an unnamed file that gets a name' open "$MNT/open" rdwr,tmpfile 600 , linkfd @0 "$MNT/open/t"
by bob OK 'a file of no mode, written' open "$MNT/open/zero" rdwr,creat 0 , write @0 x
owner open/f '40001:40001 644'
owner open/d '40001:40001 755'
owner open/p '40001:40001 644'
owner open/l '40001:40001 777'
owner open/s '40001:40001 755'
[ -n "$AF_NO_TMPFILE" ] || owner open/t '40001:40001 600'
owner open/zero '40002:40002 0'
owner group/ann '40001:40001 644'
by ann OK 'a file in a set-gid directory' open "$MNT/setgid/f" wronly,creat 644
by bob OK 'a directory in a set-gid directory' mkdir "$MNT/setgid/d" 755
by ann EPERM 'a set-gid program of that group' open "$MNT/setgid/ax" wronly,creat 2755
# To those who are not in the group the kernel grants it without the bit.
by bob OK 'a set-gid program of that group' open "$MNT/setgid/bx" wronly,creat 2755
owner setgid/bx '40002:40003 755'
owner setgid/f '40001:40003 644'
owner setgid/d '40002:40003 2755'
ann sh -c 'umask 077; echo x >"$1/open/masked"; umask 0; echo x >"$1/open/unmasked"; mkdir "$1/open/unmasked.d"' sh "$MNT"
owner open/masked '40001:40001 600'
owner open/unmasked '40001:40001 666'
owner open/unmasked.d '40001:40001 777'
ann sh -c 'umask 077; echo x >"$1/acl/f"; mkdir "$1/acl/d"' sh "$MNT"
like "$(getfacl -cnE "$SRC/acl/f")" 'user:40002:rw' 'a default ACL is inherited by a file, whatever the umask'
like "$(getfacl -cnE "$SRC/acl/d")" 'default:user:40002:rwx' 'and by a directory'
by bob OK "which lets bob write ann's file" open "$MNT/acl/f" rdwr
by bob EPERM "but not change its ACL" chmod "$MNT/acl/f" 600
is "$(cat "$SRC/rootdir/file")" root "root's file is as it was"
owner rootdir/file '0:0 644'
by ann OK 'root sees what root may' statfs "$MNT" type
check 'root may all' sh -c 'echo x >>"$1/annfile"; cat "$1/private/file"' sh "$MNT"
umount_fs "$MNT"

mount_fs -o rule=write:/ "$SRC" "$MNT"
by ann EACCES 'without allow_other, nobody else' stat "$MNT/rootdir" type
umount_fs "$MNT"
mount_fs -o rule=read:/,rule=write:/open,allow_other "$SRC" "$MNT"
by ann EACCES 'her own file at level read' open "$MNT/annfile" wronly
by ann EACCES 'chmod of it' chmod "$MNT/annfile" 777
by ann OK 'her own at level write' open "$MNT/open/f" wronly
by bob EACCES 'level write, but not his' open "$MNT/open/f" wronly
umount_fs "$MNT"
done_testing
