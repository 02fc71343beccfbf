#!/bin/bash
# Options in every form they can be given, in fstab too; and mistakes: one line, the right status,
# nothing mounted, and a mount point that can still be used.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"

sees()
{
	is "$($RUNAS ls -A "$MNT" 2>&1 | tr '\n' ' ')" "$1" "$WHO: $2"
}

given()
{
	local name=$1 expected=$2
	shift 2
	mount_fs "$@" "$SRC" "$MNT" || { ok 1 "$WHO: $name: mounts"; return; }
	sees "$expected" "$name"
	umount_fs "$MNT" || ok 1 "$WHO: $name: unmounts"
}

forms()
{
	$RUNAS bash -c 'echo "read(\"/a\")" >"$1"; echo "read(\"/b\")" >"$1.2"' sh "$BASE/policy"
	given 'no rule: nothing but the root' ''
	given '-o rule' 'a ' -o rule=read:/a
	given '--rule' 'a ' --rule read:/a
	given '--rule=' 'a ' --rule=read:/a
	given 'several rules in one -o' 'a b ' -o rule=read:/a,rule=view:/b
	given 'a comma in a pattern' 'a b ' -o 'rule=read:/{a\,b}'
	given 'a comma in a long option' 'a b ' '--rule=read:/{a,b}'
	given 'default' '.env a b c ' -o default=view
	given '--default' '.env a c ' --default read -o rule=none:b
	given 'policy' 'a ' -o "policy=$BASE/policy"
	given 'two policies' 'a b ' -o "policy=$BASE/policy,policy=$BASE/policy.2"
	given '--policy and a rule' 'b ' --policy "$BASE/policy" -o rule=none:/a --rule=read:/b
	given 'rules come after files' 'c ' -o rule=none:/a -o "policy=$BASE/policy" -o rule=read:/c
	given 'priority' 'a ' -o rule=read@5:/a,rule=none:/a
	given 'preset' 'a b c ' -o preset=agent-safe
	given '--preset' '.env a b c ' --preset=read-only
	given 'other options' 'a ' -o rule=read:/a,cache=never,threads=2,passthrough=no
	given 'the same, long' 'a ' --rule=read:/a --cache always --threads=1 --passthrough auto
	given 'audit' 'a ' -o rule=read:/a -o "audit=$BASE/audit.log"
	check "$WHO: the audit log is there" $RUNAS test -e "$BASE/audit.log"
	given 'options after the arguments are options' 'a ' -o noatime,rule=read:/a
}

shown()
{
	mount_fs -o rule=write:/,fsname=somename "$SRC" "$MNT"
	like "$(grep -F " $MNT " /proc/mounts)" '^somename .* fuse\.agentfensefs ' "$WHO: fsname and type"
	umount_fs "$MNT"
	mount_fs -o rule=write:/,ro "$SRC" "$MNT"
	like "$(grep -F " $MNT " /proc/mounts)" "^$SRC .* fuse\.agentfensefs ro" "$WHO: the source, and ro"
	errno_is EROFS "$WHO: ro: create" -- open "$MNT/new" wronly,creat
	errno_is OK "$WHO: ro: read" -- open "$MNT/a" rdonly
	umount_fs "$MNT"
	# Relative paths, where the shell stands.
	$RUNAS bash -c 'cd "$1" && exec "$2" -o rule=read:/a "${3##*/}" "${4##*/}"' sh "$BASE" "$AFS" "$SRC" "$MNT"
	wait_for 5 is_mounted "$MNT"
	sees 'a ' 'relative paths'
	umount_fs "$MNT"
}

# wrong NAME STATUS PATTERN ARGS...
wrong()
{
	local name=$1 status=$2 pattern=$3 said got=0
	shift 3
	said=$(try_mount "$@" 2>&1) || got=$?
	like "$got" "^$status$" "$WHO: $name: exit status"
	like "$said" "$pattern" "$WHO: $name: says why"
	is "$(wc -l <<<"$said")" 1 "$WHO: $name: in one line" || diag "$said"
	check "$WHO: $name: nothing is mounted" is_not_mounted "$MNT"
	is "$($RUNAS ls -A "$MNT" 2>&1)" '' "$WHO: $name: the mount point is usable"
}

mistakes()
{
	$RUNAS bash -c 'printf "read(\"/a\")\nread(\"a//b\")\n" >"$1/bad.conf"; printf "nonsense" >"$1/worse.conf"
		echo "include(\"loop.conf\")" >"$1/loop.conf"; echo x >"$1/file"' sh "$BASE"
	wrong 'a bad pattern' 1 'bad.conf:2' -o "policy=$BASE/bad.conf" "$SRC" "$MNT"
	wrong 'no policy at all' 1 'worse.conf' -o "policy=$BASE/worse.conf" "$SRC" "$MNT"
	wrong 'a policy that includes itself' 1 'loop.conf' -o "policy=$BASE/loop.conf" "$SRC" "$MNT"
	wrong 'a missing policy' 1 'missing.conf' -o "policy=$BASE/missing.conf" "$SRC" "$MNT"
	wrong 'a missing preset' 1 'no-such' -o preset=no-such "$SRC" "$MNT"
	wrong 'a bad level' '[12]' 'maybe' -o rule=maybe:/a "$SRC" "$MNT"
	wrong 'a bad rule' '[12]' 'a//b' -o rule=read:a//b "$SRC" "$MNT"
	wrong 'a missing source' 1 'missing' -o rule=read:/ "$BASE/missing" "$MNT"
	wrong 'a source that is a file' 1 'file' -o rule=read:/ "$BASE/file" "$MNT"
	wrong 'a missing mount point' 1 'missing' -o rule=read:/ "$SRC" "$BASE/missing"
	wrong 'a mount point that is a file' 1 'file' -o rule=read:/ "$SRC" "$BASE/file"
	wrong 'a bad option' 2 'no-such-option' -o rule=read:/,no-such-option "$SRC" "$MNT"
	wrong 'a bad long option' 2 'no-such-option' --rule=read:/ --no-such-option "$SRC" "$MNT"
	wrong 'a bad value' 2 'sometimes' -o rule=read:/,cache=sometimes "$SRC" "$MNT"
	wrong 'a bad number' 2 'many' -o rule=read:/,threads=many "$SRC" "$MNT"
	wrong 'one argument' 2 . -o rule=read:/ "$SRC"
	wrong 'no argument' 2 .
	wrong 'three arguments' 2 . -o rule=read:/ "$SRC" "$MNT" extra
	wrong 'an audit file that cannot be' 1 'nodir/x' -o "rule=read:/,audit=$BASE/nodir/x" "$SRC" "$MNT"
}

ready()
{
	local out
	# shellcheck disable=SC2016
	out=$($RUNAS timeout 20 bash -c '"$0" -f --ready-fd=3 -o rule=read:/a "$1" "$2" 3>"$1/../ready" &
		for i in $(seq 500); do [ -s "$1/../ready" ] && break; sleep 0.02; done
		cat "$1/../ready"; ls "$2"; fusermount3 -u "$2"; wait $!; echo "status $?"' "$AFS" "$SRC" "$MNT" 2>&1)
	like "$out" '.+' "$WHO: --ready-fd is written to"
	is "$(tail -n 2 <<<"$out" | tr '\n' ' ')" 'a status 0 ' "$WHO: and then the mount answers; -f ends with 0"
}

options()
{
	fresh_dirs
	$RUNAS touch "$SRC/a" "$SRC/b" "$SRC/c" "$SRC/.env"
	forms
	shown
	mistakes
	ready
}

# mount(8) calls /sbin/mount.fuse3, which looks for the program by name.
by_mount()
{
	local said
	WHO=root RUNAS='' BASE=$T/as-root
	fresh_dirs
	touch "$SRC/a" "$SRC/b" "$SRC/with space"
	[ -x /sbin/mount.fuse3 ] || [ -x /sbin/mount.fuse ] || { skip 'mount(8)' 'no mount.fuse3 here'; return; }
	# It is looked for where programs are installed; bound there for these commands only.
	# shellcheck disable=SC2016
	said=$(timeout 60 unshare -m bash -c 'mount --bind "$1" /usr/local/bin || exit; cd "$2" || exit
		mount -t fuse.agentfensefs -o rule=read:/a "$3" "$4"; echo "mount $?" $(ls "$4")
		grep -F " $4 " /proc/mounts; umount "$4"; echo "umount $?"
		echo "$3 $4 fuse.agentfensefs rule=read:/b,rule=read:/with\\040space,allow_other 0 0" >fstab
		mount -a -T fstab; echo "mount -a $?" $(ls "$4"); stat -c "%a" "$4"
		echo "guest" $(setpriv --reuid 1 --regid 1 --clear-groups ls "$4")
		umount "$4"; mount --bind fstab /etc/fstab; mount "$4"; echo "mount MNT $?" $(ls "$4"); umount "$4"
		mount -t fuse.agentfensefs -o rule=read:a//b "$3" "$4" 2>&1; echo "bad $?" $(ls "$4")' \
		bash "$BUILD" "$T" "$SRC" "$MNT" 2>&1)
	like "$said" $'mount 0 a\n' 'mount -t fuse.agentfensefs'
	like "$said" "$SRC $MNT fuse.agentfensefs [^ ]*nosuid,nodev" 'mount(8): nosuid, nodev'
	like "$said" $'umount 0\n' 'umount'
	like "$said" $'mount -a 0 b with space\n' 'mount -a'
	like "$said" $'guest b with space\n' 'allow_other in fstab'
	like "$said" $'mount MNT 0 b with space\n' 'mount MNT, by /etc/fstab'
	like "$said" $'a//b.*\nbad [1-9][0-9]*$' 'a bad rule for mount(8)'
}

each_user options
is_root && by_mount
done_testing
