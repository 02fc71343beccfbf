#!/bin/bash
# What is never allowed, at level write either: devices, set-id bits, file capabilities, and xattrs
# that are not the user's own.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"
source_moves

# CAP_NET_RAW, permitted and effective.
capability=0x0100000200200000000000000000000000000000

bits()
{
	later EPERM "$WHO: create with set-uid" -- open "$MNT/n1" wronly,creat 4755
	later ENOENT "$WHO: ... and nothing is there" -- stat "$MNT/n1" type
	later EPERM "$WHO: create with set-uid, not executable" -- open "$MNT/n2" wronly,creat 4644
	later EPERM "$WHO: create with set-gid and exec" -- open "$MNT/n3" wronly,creat 2755
	later EPERM "$WHO: mknod with set-uid" -- mknod "$MNT/n4" reg 4755
	later EPERM "$WHO: mknod with set-gid and exec" -- mknod "$MNT/n5" reg 2711
	later EPERM "$WHO: O_TMPFILE with set-uid" -- open "$MNT" rdwr,tmpfile 4700
	later EPERM "$WHO: chmod to set-uid" -- chmod "$MNT/f" 4755
	later EPERM "$WHO: chmod to set-gid and exec" -- chmod "$MNT/f" 2755
	later EPERM "$WHO: fchmod to set-uid" -- open "$MNT/f" rdwr , fchmod @0 4644
	later OK "$WHO: create, then chmod by descriptor" -- open "$MNT/n6" wronly,creat 755
	later EPERM "$WHO: ... to set-uid" -- open "$MNT/n6" wronly , fchmod @0 4755
	later EPERM "$WHO: chmod of an unnamed file" -- open "$MNT" rdwr,tmpfile 700 , fchmod @0 4700
	later EPERM "$WHO: chmod of an unlinked file" -- open "$MNT/n7" rdwr,creat , unlink "$MNT/n7" , fchmod @0 4755
	later EPERM "$WHO: chmod of a directory to set-uid" -- chmod "$MNT/d" 4755
	later OK "$WHO: set-gid of a directory" -- chmod "$MNT/d" 2755
	later OK "$WHO: mkdir below it" -- mkdir "$MNT/d/sub"
	later OK "$WHO: a file below it" -- open "$MNT/d/file" wronly,creat 755
	later OK "$WHO: sticky" -- chmod "$MNT/d/sub" 3777
	run_later
	is "$($RUNAS "$SYS" stat "$(at_rest d/sub)" mode)" 3777 "$WHO: set-gid is inherited by directories"
	check "$WHO: an ACL on a set-gid directory" $RUNAS setfacl -m u:12345:rx "$MNT/d/sub"
	like "$($RUNAS "$SYS" stat "$(at_rest d/sub)" mode)" '^37' "$WHO: leaves set-gid"
	is "$($RUNAS "$SYS" stat "$(at_rest f)" mode)" 0644 "$WHO: the file's mode is as it was"
	is "$(find_beneath -type f -perm /6000)" '' "$WHO: no file has any"
}

# Set-gid without exec is no danger until someone adds exec.
setgid_later()
{
	errno_is OK "$WHO: set-gid without exec" -- chmod "$MNT/f" 2644
	errno_is EPERM "$WHO: then exec" -- chmod "$MNT/f" 2654
	refute "$WHO: then exec by an ACL" $RUNAS setfacl -m g::rx "$MNT/f"
	is "$($RUNAS "$SYS" stat "$(at_rest f)" mode)" 2644 "$WHO: has no effect"
	errno_is OK "$WHO: and away again" -- chmod "$MNT/f" 644
}

devices()
{
	local kind
	for kind in chr blk; do
		later EPERM "$WHO: mknod $kind" -- mknod "$MNT/dev" $kind
		later EPERM "$WHO: mknod $kind below" -- mknod "$MNT/d/dev" $kind
	done
	run_later
	like "$($RUNAS mknod "$MNT/wh" c 0 0 2>&1)" 'Operation not permitted' "$WHO: a whiteout"
	is "$(find_beneath -type c -o -type b)" '' "$WHO: no device was made"
}

xattrs()
{
	# What the kernel answers itself, to those without CAP_SYS_ADMIN, comes first.
	local trusted_set=EOPNOTSUPP trusted_get=EOPNOTSUPP security=EOPNOTSUPP
	[ "$($RUNAS id -u)" = 0 ] || { trusted_set=EPERM trusted_get=ENODATA security=EPERM; }
	later $trusted_set "$WHO: set trusted." -- setxattr "$MNT/f" trusted.x 1
	later $trusted_get "$WHO: get trusted." -- getxattr "$MNT/f" trusted.x
	later $trusted_set "$WHO: remove trusted." -- removexattr "$MNT/f" trusted.x
	later $security "$WHO: set security." -- setxattr "$MNT/f" security.x 1
	later EOPNOTSUPP "$WHO: get security." -- getxattr "$MNT/f" security.x
	later EOPNOTSUPP "$WHO: set an unknown one" -- setxattr "$MNT/f" other.x 1
	later EOPNOTSUPP "$WHO: get an unknown one" -- getxattr "$MNT/f" other.x
	later EOPNOTSUPP "$WHO: get system." -- getxattr "$MNT/f" system.x
	later OK "$WHO: set user." -- setxattr "$MNT/f" user.x 1
	run_later
	like "$($RUNAS setfattr -n security.capability -v "$capability" "$MNT/f" 2>&1)" \
		'Operation not permitted' "$WHO: set a capability"
	like "$($RUNAS setfattr -n security.capability -v "$capability" "$MNT/d" 2>&1)" \
		'Operation not permitted' "$WHO: set a capability of a directory"
	is "$($RUNAS "$SYS" listxattr "$MNT/f")" user.x "$WHO: only user. is listed"
	if is_root; then
		setfattr -n trusted.real -v 1 "$(at_rest f)"
		setfattr -n security.real -v 1 "$(at_rest f)"
		is "$($RUNAS "$SYS" listxattr "$MNT/f")" user.x "$WHO: others that are there are not"
	fi
}

acls()
{
	local acl
	check "$WHO: an ACL can be set" $RUNAS setfacl -m u:12345:rw,g:54321:r "$MNT/f"
	acl=$($RUNAS getfacl -cE "$MNT/f")
	like "$acl" 'user:12345:rw-' "$WHO: and is shown"
	is "$($RUNAS getfacl -cE "$(at_rest f)")" "$acl" "$WHO: as it is beneath"
	check "$WHO: a default ACL too" $RUNAS setfacl -d -m u:12345:rwx "$MNT/d"
	check "$WHO: a directory below" $RUNAS mkdir "$MNT/d/inherits"
	like "$($RUNAS getfacl -cE "$(at_rest d/inherits)")" 'default:user:12345:rwx' "$WHO: inherits it"
	check "$WHO: a file below" $RUNAS touch "$MNT/d/inherits/f"
	like "$($RUNAS getfacl -cE "$(at_rest d/inherits/f)")" 'user:12345:rwx' "$WHO: has it"
	check "$WHO: and away" $RUNAS setfacl -b "$MNT/f"
	is "$($RUNAS getfacl -cE "$(at_rest f)" | grep -c 12345)" 0 "$WHO: it is gone"
}

# A source that has what the mount could not make: visible without its powers.
inherited()
{
	$RUNAS bash -c 'cd "$1"; echo x >old; chmod 4755 old' sh "$SRC"
	errno_is OK "$WHO: chmod of a set-uid file to less" -- chmod "$MNT/old" 755
	is "$($RUNAS "$SYS" stat "$(at_rest old)" mode)" 0755 "$WHO: takes the bit away"
	$RUNAS chmod 4777 "$(at_rest old)"
	errno_is OK "$WHO: writing to a set-uid file" -- open "$MNT/old" wronly , write @0 y
	like "$(grep -F " $MNT " /proc/self/mountinfo)" nosuid "$WHO: the mount is nosuid"
	like "$(grep -F " $MNT " /proc/self/mountinfo)" nodev "$WHO: and nodev"
}

forbidden()
{
	fresh_dirs
	# shellcheck disable=SC2016
	$RUNAS bash -c 'umask 022; cd "$1"; mkdir d; echo x >f' sh "$SRC"
	mount_fs -o rule=write:/ "$SRC" "$MNT" || { ok 1 "$WHO: mounts"; return; }
	bits
	setgid_later
	devices
	xattrs
	acls
	inherited
	umount_fs "$MNT"
}

each_user forbidden
done_testing
