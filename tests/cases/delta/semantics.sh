#!/bin/bash
# What a delta is to its user and its owner: one filesystem inside, the source untouched, a lock, a limit, and
# an end at any moment that loses nothing that was synced.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"

# with_delta OPTIONS [SRC MNT]: mounts with DELTA, a new one unless it is set
with_delta()
{
	mount_fs -o "rule=write:/,delta=$DELTA${1:+,$1}" "${2:-$SRC}" "${3:-$MNT}" || ok 1 "$WHO: mounts with ${1:-no options}"
}

new_case()
{
	fresh_dirs
	DELTA=$BASE/delta$af_dirs
	UPPER=$DELTA/upper
}

in_mount()
{
	$RUNAS bash -c 'cd "$1" && eval "$2"' sh "$MNT" "$1"
}

# ---- the checks in C -----------------------------------------------------------------------------

checks()
{
	local program options=$1
	new_case
	for program in delta_layers delta_names; do
		$RUNAS mkdir "$SRC/$program"
		check "$WHO: $program: prepares" $RUNAS "$BUILD/tests/$program" prepare "$SRC/$program"
	done
	manifest "$SRC" >"$T/before"
	with_delta "$options"
	for program in delta_layers delta_names; do
		WHO="$WHO, ${options:-synced}" run_checks "$program" check "$MNT/$program"
	done
	# Of an xattr that was set, the kernel asks for no more than the change time: blocks may be old.
	sleep 1
	in_mount 'ls -lR; find . -type f -exec cksum {} +' >"$T/seen" 2>&1
	umount_fs "$MNT"
	check "$WHO: the source is as it was" diff "$T/before" <(manifest "$SRC")
	with_delta "$options"
	in_mount 'ls -lR; find . -type f -exec cksum {} +' >"$T/again" 2>&1
	check "$WHO: mounted again: the same" diff "$T/seen" "$T/again"
	$RUNAS chmod -R u+w "$MNT"/delta_layers
	check "$WHO: all can be removed" $RUNAS rm -rf "$MNT"/delta_layers "$MNT"/delta_names
	is "$($RUNAS ls -A "$MNT")" '' "$WHO: and is gone"
	umount_fs "$MNT"
	check "$WHO: the source is as it was even then" diff "$T/before" <(manifest "$SRC")
}

# The checks themselves are right: on a plain directory they hold too.
checks_natively()
{
	local program
	for program in delta_layers delta_names; do
		$RUNAS mkdir "$BASE/$program"
		$RUNAS "$BUILD/tests/$program" prepare "$BASE/$program"
		WHO="$WHO natively" run_checks "$program" check "$BASE/$program"
	done
}

# ---- what is hidden ------------------------------------------------------------------------------

hidden_entries()
{
	new_case
	# shellcheck disable=SC2016
	$RUNAS bash -ec 'cd "$1"; mkdir -p only mixed/sub read; echo x >only/x.none; echo x >mixed/sub/x.none
		echo x >mixed/f; echo x >read/f.read; echo x >read/g' sh "$SRC"
	mount_fs -o "rule=write:/,rule=none:*.none,rule=read:*.read,delta=$DELTA" "$SRC" "$MNT"
	errno_is ENOTEMPTY "$WHO: rmdir of what holds only hidden things" -- rmdir "$MNT/only"
	errno_is EXDEV "$WHO: rename of what holds hidden things" -- rename "$MNT/mixed" "$MNT/new"
	errno_is EXDEV "$WHO: of what holds read-only things" -- rename "$MNT/read" "$MNT/new"
	errno_is EACCES "$WHO: create at a hidden name" -- open "$MNT/only/x.none" wronly,creat
	errno_is OK "$WHO: a file beside them" -- open "$MNT/only/y" wronly,creat
	errno_is OK "$WHO: which goes again" -- unlink "$MNT/only/y"
	errno_is ENOTEMPTY "$WHO: rmdir then" -- rmdir "$MNT/only"
	errno_is EACCES "$WHO: what may be read is not written" -- open "$MNT/read/f.read" wronly
	errno_is EACCES "$WHO: nor removed" -- unlink "$MNT/read/f.read"
	refute "$WHO: rm -rf leaves them" $RUNAS rm -rf "$MNT/mixed" "$MNT/read"
	umount_fs "$MNT"
	is "$($RUNAS find "$UPPER" -name '*.none' -o -name '*.read')" '' "$WHO: nothing of them is in the delta"
}

# The delta in the source does not exist, and does not show itself.
inside_the_source()
{
	new_case
	DELTA=$SRC/dir/delta UPPER=$SRC/dir/delta/upper
	$RUNAS mkdir "$SRC/dir"
	$RUNAS touch "$SRC/dir/f"
	with_delta ''
	is "$($RUNAS ls -A "$MNT/dir")" f "$WHO: delta in the source: not listed"
	errno_is ENOENT "$WHO: ... not to be looked up" -- stat "$MNT/dir/delta" type
	errno_is ENOENT "$WHO: ... nor what is in it" -- stat "$MNT/dir/delta/upper" type
	errno_is EACCES "$WHO: ... and its name is taken" -- mkdir "$MNT/dir/delta"
	errno_is OK "$WHO: ... beside it all is as ever" -- open "$MNT/dir/g" wronly,creat
	check "$WHO: ... a walk ends" $RUNAS timeout 20 find "$MNT" -type f
	umount_fs "$MNT"
	is "$($RUNAS ls -A "$SRC/dir" | tr '\n' ' ')" 'delta f ' "$WHO: ... and is where it was"
	is "$($RUNAS ls -A "$UPPER/dir")" g "$WHO: ... with what was written"
}

# ---- bookkeeping ---------------------------------------------------------------------------------

locked()
{
	local said status=0 pid
	new_case
	with_delta ''
	pid=$(daemon_of "$MNT")
	$RUNAS mkdir "$BASE/second"
	said=$(try_mount -o "rule=write:/,delta=$DELTA" "$SRC" "$BASE/second" 2>&1) || status=$?
	is "$status" 1 "$WHO: a second mount of one delta is refused"
	like "$said" "\\b$pid\\b" "$WHO: with the pid of the first"
	is "$(wc -l <<<"$said")" 1 "$WHO: in one line"
	check "$WHO: and not mounted" is_not_mounted "$BASE/second"
	DELTA=$DELTA.second with_delta '' "$SRC" "$BASE/second"
	$RUNAS sh -c 'echo 1 >"$1"; echo 2 >"$2"' sh "$MNT/f" "$BASE/second/f"
	is "$($RUNAS cat "$MNT/f" "$BASE/second/f" | tr '\n' ' ')" '1 2 ' "$WHO: two deltas of one source are apart"
	umount_fs "$BASE/second"
	umount_fs "$MNT"
	with_delta ''
	is "$($RUNAS cat "$MNT/f")" 1 "$WHO: free again after the end"
	umount_fs "$MNT"
}

# What the kernel's overlayfs would read, and the log that goes with it.
on_disk()
{
	new_case
	# shellcheck disable=SC2016
	$RUNAS bash -ec 'cd "$1"; mkdir -p dir/sub old; echo "a text" >dir/changed; echo "gone text" >gone
		echo kept >kept; echo x >dir/sub/in; ln -s kept link' sh "$SRC"
	with_delta ''
	in_mount 'echo more >>dir/changed; rm gone; rm -r old; mkdir old; echo new >new; mv dir/sub moved; rm link'
	umount_fs "$MNT"
	is "$($RUNAS find "$UPPER" -mindepth 1 -printf '%P %y\n' | sort | tr '\n' ' ')" \
		'dir d dir/changed f dir/sub c gone c link c moved d moved/in f new f old d ' "$WHO: what is in upper"
	is "$(stat -c %t:%T "$UPPER/gone")" 0:0 "$WHO: a whiteout is a device 0:0"
	is "$($RUNAS getfattr --only-values -n user.overlay.opaque "$UPPER/old" "$UPPER/moved" 2>/dev/null)" yy \
		"$WHO: what replaces, and what was renamed, is opaque"
	refute "$WHO: a directory that both have is not" $RUNAS getfattr -n user.overlay.opaque "$UPPER/dir"
	is "$($RUNAS ls -A "$DELTA/work")" '' "$WHO: work is empty" || $RUNAS ls -la "$DELTA/work"
	is "$($RUNAS stat -c %a "$DELTA")" 700 "$WHO: a delta is its owner's alone"
	origins
}

# Records of type 5 (ORIGIN) by journal.h's frame; the path is somewhere in the payload.
origins()
{
	local paths
	# shellcheck disable=SC2016
	paths=$($RUNAS perl -e 'local $/; open F, "<:raw", shift or die; $_ = <F>; $at = 16;
		substr($_, 0, 8) eq "AFJOURNL" or die "no journal";
		while ($at + 16 <= length) { ($size, $type) = unpack "Vv", substr $_, $at, 8;
			$data = substr $_, $at + 16, $size; $at += 16 + ($size + 7 & ~7);
			if ($type == 5) { for $p (@ARGV) { print "$p\n" if $data =~ /(^|[^\w\/])\Q$p\E([^\w\/]|$)/ } } }
		' "$DELTA/meta/log" dir dir/changed gone old dir/sub dir/sub/in link kept | sort -u | tr '\n' ' ')
	is "$paths" 'dir dir/changed dir/sub dir/sub/in gone link old ' "$WHO: ORIGIN records of what changed, and no other"
	check "$WHO: with the text" grep -qa 'a text' "$DELTA/meta/log"
	check "$WHO: of what was removed too" grep -qa 'gone text' "$DELTA/meta/log"
}

# ---- an end at any moment ------------------------------------------------------------------------

killed()
{
	new_case
	$RUNAS bash -c 'cd "$1"; head -c 3000000 /dev/zero | tr "\0" l >large; echo lower >f' sh "$SRC"
	with_delta ''
	check "$WHO: synced before the kill" in_mount 'echo upper >f; sync f; dd if=/dev/zero of=large bs=1 count=1 \
		conv=notrunc,fsync status=none; mkdir d; echo x >d/new; sync d/new d .; rm -f none'
	kill -9 "$(daemon_of "$MNT")"
	wait_for 10 af_no_process
	check "$WHO: killed: fusermount3 -u" $RUNAS fusermount3 -u "$MNT"
	with_delta ''
	is "$($RUNAS cat "$MNT/f" "$MNT/d/new" | tr '\n' ' ')" 'upper x ' "$WHO: killed: what was synced is there"
	is "$($RUNAS sh -c 'tr -d "l\0" <"$1" | wc -c; wc -c <"$1"' sh "$MNT/large" | tr '\n' ' ')" '0 3000000 ' \
		"$WHO: killed: a copied-up file is whole"
	umount_fs "$MNT"
	is "$($RUNAS ls -A "$DELTA/work")" '' "$WHO: killed: nothing is left in work"
}

# In the middle of many copy-ups, again and again.
killed_while_writing()
{
	local i pid status bad=
	new_case
	$RUNAS bash -c 'cd "$1"; for i in $(seq 60); do head -c 200000 /dev/zero | tr "\0" l >f$i; done' sh "$SRC"
	for i in 1 2 3 4 5 6; do
		with_delta ''
		# shellcheck disable=SC2016
		$RUNAS bash -c 'cd "$1"; for i in $(seq 60); do echo + >>f$i; mv f$i g$i; mv g$i f$i; done' sh "$MNT" 2>/dev/null &
		pid=$!
		sleep "0.0$i"
		kill -9 "$(daemon_of "$MNT")"
		wait "$pid"
		$RUNAS fusermount3 -u "$MNT"
		with_delta ''
		# shellcheck disable=SC2016
		bad+=$($RUNAS bash -c 'cd "$1"; for i in $(seq 60); do f=f$i; [ -e $f ] || mv g$i f$i
			[ "$(head -c 200000 $f | tr -d l | wc -c)" = 0 ] || echo "$f is torn"
			[ "$(wc -c <$f)" -ge 200000 ] || echo "$f is cut"; done; ls -A | wc -l | grep -vx 60' sh "$MNT" 2>&1)
		umount_fs "$MNT"
	done
	is "$bad" '' "$WHO: killed six times while files are copied up and moved: each is whole"
}

# ---- limits --------------------------------------------------------------------------------------

quota()
{
	local free
	new_case
	$RUNAS bash -c 'head -c 3000000 /dev/zero | tr "\0" l >"$1/large"' sh "$SRC"
	with_delta quota=2000000,quota_files=20
	free=$($RUNAS "$SYS" statfs "$MNT" bavail,bfree,files,ffree)
	like "$free" '^[0-9]+ [0-9]+ 20 20$|' "$WHO: quota: statfs tells" || diag "$free"
	[ $(($($RUNAS stat -f -c '%a * %S' "$MNT"))) -le 2000000 ]
	ok $? "$WHO: quota: no more is free" || diag "$($RUNAS stat -f "$MNT")"
	errno_is ENOSPC "$WHO: quota: copy-up of what is larger" -- open "$MNT/large" rdwr , write @0 x
	is "$($RUNAS sh -c 'tr -d l <"$1" | wc -c; wc -c <"$1"' sh "$MNT/large" | tr '\n' ' ')" '0 3000000 ' \
		"$WHO: quota: which is whole"
	like "$(in_mount 'head -c 5000000 /dev/zero >big' 2>&1)" 'No space left' "$WHO: quota: a write ends with ENOSPC"
	[ "$($RUNAS stat -c %b "$MNT/big")" -le $((2000000 / 512 + 16)) ]
	ok $? "$WHO: quota: at the limit" || diag "$($RUNAS stat "$MNT/big")"
	errno_is ENOSPC "$WHO: quota: fallocate" -- open "$MNT/alloc" rdwr,creat , fallocate @0 none 0 5000000
	in_mount 'rm -f big alloc'
	# A file's room is free when its last user's close has got to the daemon, which nobody waits for.
	wait_for 5 in_mount 'head -c 1500000 /dev/zero >big' 2>/dev/null
	ok $? "$WHO: quota: what is removed is free again"
	in_mount 'rm big'
	like "$(in_mount 'for i in $(seq 30); do echo >f$i || break; done' 2>&1)" 'No space left' \
		"$WHO: quota_files: ENOSPC"
	[ "$($RUNAS find "$MNT" -name 'f*' | wc -l)" -le 20 ]
	ok $? "$WHO: quota_files: at the limit"
	check "$WHO: quota_files: and free again" in_mount 'rm -f f*; echo x >again'
	umount_fs "$MNT"
	# It counts what is there already.
	with_delta quota=1000000
	like "$(in_mount 'head -c 600000 /dev/zero >one; head -c 600000 /dev/zero >two' 2>&1)" 'No space left' \
		"$WHO: quota: again"
	umount_fs "$MNT"
	with_delta quota=1000000
	like "$(in_mount 'head -c 600000 /dev/zero >three' 2>&1)" 'No space left' \
		"$WHO: quota: it counts what was there"
	umount_fs "$MNT"
}

# A full filesystem below the delta: the writer is told, and all stays whole.
full()
{
	WHO=root RUNAS='' BASE=$T/as-root
	new_case
	DELTA=$BASE/small/delta
	mkdir "$BASE/small"
	mount -t tmpfs -o size=4m tmpfs "$BASE/small"
	af_mounts+=("$BASE/small")
	head -c 8000000 /dev/zero | tr '\0' l >"$SRC/large"
	echo lower >"$SRC/f"
	if ! try_mount -o "rule=write:/,delta=$DELTA" "$SRC" "$MNT" 2>"$T/said"; then
		like "$(cat "$T/said")" 'user' 'full: a tmpfs without user xattrs is refused'
		return
	fi
	af_mounts+=("$MNT")
	errno_is ENOSPC 'full: copy-up' -- open "$MNT/large" rdwr , write @0 x
	is "$(cksum <"$MNT/large")" "$(cksum <"$SRC/large")" 'full: leaves the file whole'
	is "$(ls -A "$DELTA/work")" '' 'full: and nothing in work'
	like "$(in_mount 'head -c 8000000 /dev/zero >big' 2>&1)" 'No space left' 'full: a write'
	check 'full: what was there can still be read' grep -q lower "$MNT/f"
	rm "$MNT/big"
	# A file's room is free when its last user's close has got to the daemon, which nobody waits for.
	wait_for 5 in_mount 'echo upper >f && sync f' 2>/dev/null
	ok $? 'full: and there is room again'
	umount_fs "$MNT"
	with_delta ''
	is "$(cat "$MNT/f")" upper 'full: it mounts again'
	umount_fs "$MNT"
	umount "$BASE/small"
}

# ---- where a delta can be ------------------------------------------------------------------------

refused()
{
	local name=$1 pattern=$2 said status=0
	shift 2
	said=$(try_mount "$@" 2>&1) || status=$?
	is "$status" 1 "$WHO: $name: refused"
	like "$said" "$pattern" "$WHO: $name: says why"
	is "$(wc -l <<<"$said")" 1 "$WHO: $name: in one line" || diag "$said"
	check "$WHO: $name: nothing is mounted" is_not_mounted "$MNT" || umount_fs "$MNT"
}

places()
{
	new_case
	$RUNAS bash -c 'cd "$1"; mkdir other; echo x >other/x; echo x >file; echo x >src-f' sh "$BASE"
	refused 'a directory that holds something else' 'other' -o "rule=write:/,delta=$BASE/other" "$SRC" "$MNT"
	is "$($RUNAS ls "$BASE/other")" x "$WHO: and is as it was"
	refused 'a file' 'file' -o "rule=write:/,delta=$BASE/file" "$SRC" "$MNT"
	refused 'no such parent' 'none' -o "rule=write:/,delta=$BASE/none/delta" "$SRC" "$MNT"
	refused 'the source itself' . -o "rule=write:/,delta=$SRC" "$SRC" "$MNT"
	$RUNAS mkdir "$BASE/other-source"
	with_delta ''
	umount_fs "$MNT"
	refused "another source's" 'source' -o "rule=write:/,delta=$DELTA" "$BASE/other-source" "$MNT"
	# shellcheck disable=SC2016
	$RUNAS bash -c 'printf "\377" | dd of="$1/meta/log" bs=1 seek=3 conv=notrunc status=none' sh "$DELTA"
	refused 'a log that is none' 'log' -o "rule=write:/,delta=$DELTA" "$SRC" "$MNT"
	if [ "$WHO" = user ] && is_root; then
		mkdir -m 755 "$T/roots"
		refused 'no right to write there' 'roots' -o "rule=write:/,delta=$T/roots/delta" "$SRC" "$MNT"
	fi
}

# A log whose end was torn off by a crash of the machine.
torn_log()
{
	new_case
	$RUNAS bash -c 'echo one >"$1/a"; echo two >"$1/b"' sh "$SRC"
	with_delta ''
	in_mount 'echo + >>a'
	umount_fs "$MNT"
	$RUNAS bash -c 'printf "garbage that is no record" >>"$1"' sh "$DELTA/meta/log"
	with_delta ''
	is "$($RUNAS cat "$MNT/a" | tr '\n' ' ')" 'one + ' "$WHO: a torn log: it mounts"
	check "$WHO: a torn log: and goes on" in_mount 'echo + >>b'
	umount_fs "$MNT"
	check "$WHO: a torn log: what was torn is gone" $RUNAS bash -c '! grep -qa garbage "$1"' sh "$DELTA/meta/log"
}

read_only_source()
{
	new_case
	$RUNAS bash -c 'cd "$1"; mkdir d; echo lower >d/f; chmod 555 d; chmod 444 d/f; chmod 555 .' sh "$SRC"
	if [ "$WHO" = root ]; then
		mount --bind "$SRC" "$SRC"
		mount -o remount,bind,ro "$SRC"
	fi
	with_delta ''
	check "$WHO: a read-only source: everything can be changed" in_mount 'chmod 755 . d; chmod 644 d/f; echo + >>d/f
		mv d e; mkdir d; echo new >new; rm e/f'
	is "$($RUNAS ls -A "$MNT" | tr '\n' ' ')" 'd e new ' "$WHO: a read-only source: and has been"
	umount_fs "$MNT"
	[ "$WHO" != root ] || umount "$SRC"
	is "$($RUNAS cat "$SRC/d/f")" lower "$WHO: a read-only source: is as it was"
}

# Filesystems that cannot hold an upper: refused before anything is mounted.
foreign()
{
	WHO=root RUNAS='' BASE=$T/as-root
	new_case
	mkdir "$BASE/fat"
	# shellcheck disable=SC2016
	if command -v mkfs.vfat >/dev/null && truncate -s 8M "$T/fat.img" && mkfs.vfat "$T/fat.img" >/dev/null 2>&1 &&
		mount -o loop "$T/fat.img" "$BASE/fat" 2>/dev/null; then
		refused 'vfat' 'xattr|filesystem' -o "rule=write:/,delta=$BASE/fat/delta" "$SRC" "$MNT"
		umount "$BASE/fat"
	else
		skip 'vfat' 'not to be mounted here'
	fi
	mount -t tmpfs tmpfs "$BASE/fat"
	DELTA=$BASE/fat/delta
	echo lower >"$SRC/f"
	# The kernel's tmpfs has user xattrs from 6.6 on.
	if [ "$(printf '%s\n' 6.6 "$(uname -r)" | sort -V | head -n 1)" = 6.6 ]; then
		with_delta ''
		check 'tmpfs: works, on another filesystem than the source' in_mount 'echo + >>f; rm f; mkdir f; ls f'
		umount_fs "$MNT"
	else
		refused 'tmpfs' 'xattr' -o "rule=write:/,delta=$DELTA" "$SRC" "$MNT"
	fi
	umount "$BASE/fat"
}

# ---- volatile ------------------------------------------------------------------------------------

# As if the machine had crashed: another boot id, while the last mount never ended in order.
volatile()
{
	local boot=/proc/sys/kernel/random/boot_id said
	new_case
	with_delta volatile
	in_mount 'echo x >f; sync f'
	umount_fs "$MNT"
	with_delta volatile
	is "$($RUNAS cat "$MNT/f")" x "$WHO: volatile: mounts again after its end"
	kill -9 "$(daemon_of "$MNT")"
	wait_for 10 af_no_process
	$RUNAS fusermount3 -u "$MNT"
	with_delta volatile
	is "$($RUNAS cat "$MNT/f")" x "$WHO: volatile: and after a kill, in the same boot"
	kill -9 "$(daemon_of "$MNT")"
	wait_for 10 af_no_process
	$RUNAS fusermount3 -u "$MNT"
	[ "$WHO" = root ] || return
	echo 01234567-89ab-cdef-0123-456789abcdef >"$T/boot"
	# shellcheck disable=SC2016
	said=$(timeout 60 unshare -m bash -c 'mount --bind "$1" "$2" && "$3" -o "rule=write:/,volatile,delta=$4" "$5" "$6"
		echo "status $?"; umount "$6" 2>/dev/null' bash "$T/boot" $boot "$AFS" "$DELTA" "$SRC" "$MNT" 2>&1)
	like "$said" 'status 1$' 'volatile: refused after the machine crashed'
	like "$said" 'volatile' 'volatile: says why'
	new_case
	with_delta ''
	in_mount 'echo x >f; sync f'
	kill -9 "$(daemon_of "$MNT")"
	wait_for 10 af_no_process
	umount "$MNT"
	# shellcheck disable=SC2016
	said=$(timeout 60 unshare -m bash -c 'mount --bind "$1" "$2" && "$3" -o "rule=write:/,delta=$4" "$5" "$6"
		echo "status $?"; cat "$6/f"; umount "$6"' bash "$T/boot" $boot "$AFS" "$DELTA" "$SRC" "$MNT" 2>&1)
	is "$said" "$(printf 'status 0\nx')" 'one that is synced mounts after a crash'
}

semantics()
{
	checks_natively
	checks ''
	checks volatile
	[ "$WHO" = user ] || checks cache=never,passthrough=no
	hidden_entries
	inside_the_source
	locked
	on_disk
	killed
	killed_while_writing
	quota
	places
	torn_log
	read_only_source
	volatile
}

each_user semantics
if is_root; then
	full
	foreign
fi
done_testing
