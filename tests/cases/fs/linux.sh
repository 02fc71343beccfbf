#!/bin/bash
# What programs expect of a Linux filesystem holds on a write-level mount: mounted by root, by an
# ordinary user, and for an ordinary user by root.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"

programs='linux_data linux_names linux_sharing'

on_a_mount()
{
	local program
	fresh_dirs
	mount_fs -o rule=write:/ "$SRC" "$MNT" || { ok 1 "$WHO: mounts"; return; }
	for program in $programs; do
		$RUNAS mkdir "$MNT/$program"
		run_checks "$program" "$MNT/$program"
	done
	check "$WHO: all can be removed" $RUNAS rm -rf "$MNT"/linux_data "$MNT"/linux_names "$MNT"/linux_sharing
	is "$(find_beneath -mindepth 1)" '' "$WHO: and nothing is left beneath"
	check "$WHO: unmounts" umount_fs "$MNT"
}

# Also shows that the checks themselves are right, on the filesystem that holds the sources.
on_a_plain_directory()
{
	local program
	for program in $programs; do
		$RUNAS mkdir "$BASE/$program"
		WHO="$WHO natively" run_checks "$program" "$BASE/$program"
	done
}

for_a_guest()
{
	WHO=guest RUNAS='' BASE=$T/guest
	mkdir "$BASE"
	fresh_dirs
	as_user true
	chown aftest: "$SRC"
	mount_fs -o rule=write:/,allow_other "$SRC" "$MNT" || { ok 1 'guest: mounts'; return; }
	RUNAS=as_user
	as_user mkdir "$MNT/data" "$MNT/names" "$MNT/sharing"
	run_checks linux_data "$MNT/data"
	run_checks linux_sharing "$MNT/sharing"
	# Those that take long are no other for a guest.
	run_checks linux_names "$MNT/names" long_names inode_numbers links symlinks renames wrong_kinds \
		times modes entry_types deep_paths
	is "$(find_beneath -mindepth 1 ! -user aftest)" '' 'guest: what they made is theirs'
	RUNAS=''
}

each_user on_a_plain_directory
each_user on_a_mount
is_root && for_a_guest
done_testing
