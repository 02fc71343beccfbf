#!/bin/bash
# Symlinks and mounts in place of directories, on either side and while afsyncd runs: nothing outside of
# the source and the delta is read, written or removed.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"

make_outside
mkdir "$T/outside/sub"
echo canary >"$T/outside/sub/file"
mkdir "$T/outside/victim"
echo secret-content >"$T/outside/victim/x"
af_outside_was=$(outside)
base='mkdir -p dir/sub gone/deep; echo 0 >dir/file; echo 0 >dir/sub/file; echo 0 >gone/deep/x; echo 0 >a'
script='echo 1 >a; echo 1 >dir/file; echo 1 >dir/sub/file; echo 1 >dir/new; mkdir dir/newdir; echo 1 >dir/newdir/x
	rm -r gone; chmod 700 dir/sub'

# In the source, in place of directories that the delta goes through.
for what in dir dir/sub gone gone/deep dir/file; do
	conflicts='lww merge'
	[ "$what" != dir ] || conflicts='lww keep both merge fail'
	for conflict in $conflicts; do
		new_source "$base"
		sandbox "$D" "$script"
		rm -r "${S:?}/$what"
		ln -s "$T/outside" "$S/$what"
		afsync -n "$D"
		afsync --diff "$D"
		unlike "$OUT" canary "$what is a symlink in the source: --diff does not read through it"
		afsync --conflict "$conflict" "$D"
		[ "$STATUS" -le 1 ]
		ok $? "... --conflict $conflict: exit $STATUS" || diag "$ERR"
		intact "$what, $conflict"
		afsync --undo "$S"
		intact "$what, --undo"
	done
done

# In upper.
new_source "$base"
sandbox "$D" "$script"
for path in dir/newdir dir/sub; do
	rm -r "$D/upper/$path"
	ln -s "$T/outside" "$D/upper/$path"
done
ln -s "$T/outside/file" "$D/upper/file"
ln -s "$T/outside" "$D/upper/.git"
afsync --diff "$D"
unlike "$(grep -v '^+/' <<<"$OUT")" canary 'a symlink in upper: --diff shows where it leads, not what is there'
afsync --no-hold "$D"
[ "$STATUS" -le 1 ]
ok $? '... merged as what it is'
is "$(readlink "$S/dir/newdir"):$(readlink "$S/file")" "$T/outside:$T/outside/file" '... a symlink'
intact 'symlinks in upper'
# What came by one merge is not a way for the next.
rm "$S/.git"
sandbox "$D" 'echo 1 >dir/other'
rm -rf "$D/upper/dir"
mkdir -p "$D/upper/dir/newdir" "$D/upper/.git"
echo evil >"$D/upper/dir/newdir/file"
echo evil >"$D/upper/file"
afsync --no-hold "$D"
[ "$STATUS" -le 1 ]
ok $? 'a merge through what an earlier one brought'
intact 'a merged symlink'

# The delta's own directories.
for what in upper work meta meta/log meta/lock; do
	new_source "$base"
	sandbox "$D" "$script"
	mv "$D/$what" "$T/moved"
	ln -s "$T/moved" "$D/$what"
	for option in '' -n --diff --fsck --discard; do
		# Who only looks needs no lock.
		case $what$option in meta/lock-n | meta/lock--diff) continue ;; esac
		# shellcheck disable=SC2086 # one or none
		afsync $option "$D"
		[ "$STATUS" -eq 2 ] || [ "$STATUS" -eq 1 ]
		ok $? "DELTA/$what is a symlink: afsyncd $option: refused ($STATUS)"
	done
	[ -e "$T/moved" ] && is "$(cat "$S/a" "$S/dir/file" | paste -sd ' ')" '0 0' '... nothing done'
	rm -rf "$T/moved" "$D"
done
new_source "$base"
sandbox "$D" "$script"
mv "$D/work" "$T/work"
ln -s "$T/outside" "$D/work"
afsync --fsck "$D"
afsync --discard "$D"
rm -rf "$T/work"
intact 'DELTA/work is a symlink'

# Symlinks in work are removed, not followed.
new_source "$base"
sandbox "$D" "$script"
ln -s "$T/outside" "$D/work/link"
mkdir "$D/work/dir"
ln -s "$T/outside/sub" "$D/work/dir/link"
ln -s "$T/outside" "$D/upper/link"
afsync --fsck "$D"
afsync --discard "$D"
is "$STATUS:$(ls "$D" 2>/dev/null)" 0: 'symlinks in upper and work are discarded'
intact '--discard'

# Mounts: in the source, in upper, in the state.
if is_root && mount --bind "$T/outside" "$T/outside" 2>/dev/null; then
	umount "$T/outside"
	for what in dir dir/sub gone gone/deep; do
		new_source "$base"
		sandbox "$D" "$script"
		mount --bind "$T/outside" "$S/$what"
		afsync --diff "$D"
		unlike "$OUT" canary "a mount at $what of the source: --diff does not enter it"
		afsync "$D"
		[ "$STATUS" -eq 1 ]
		ok $? '... exit 1' || diag "$STATUS $ERR"
		afsync --undo "$S"
		umount "$S/$what"
		intact "a mount at $what"
	done
	for what in upper/dir upper/dir/newdir upper work meta; do
		new_source "$base"
		sandbox "$D" "$script"
		mount --bind "$T/outside" "$D/$what"
		afsync --diff "$D"
		unlike "$OUT" canary "a mount at $what of the delta: --diff does not enter it"
		afsync "$D"
		[ "$STATUS" -le 2 ] && [ ! -e "$S/dir/victim" ] && [ ! -e "$S/victim" ]
		ok $? "... nor a merge ($STATUS)"
		afsync --fsck "$D"
		afsync --discard "$D"
		mounts_below "$D" | xargs -r umount
		intact "a mount at $what"
	done
	STATE=()
	for what in .agentfense .agentfense/undo; do
		new_source "$base"
		sandbox "$D" "$script"
		mkdir -p "$S/$what"
		mount --bind "$T/outside" "$S/$what"
		afsync "$D"
		is "$STATUS" 2 "a mount at $what: refused"
		umount "$S/$what"
		intact "a mount at $what"
	done
	STATE=(--state "$T/state")
fi

# A directory of the source, or of the delta, changes places with a symlink all the time, a file with a FIFO.
race()
{
	python3 - "$1" "$2" "$T/outside" "$T/stop" "$T/raced" <<'EOT'
import ctypes, os, stat, sys
path, kind, outside, stop, raced = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
link = path + '.link'
if kind == 'fifo': os.mkfifo(link)
else: os.symlink(outside, link)
other = lambda name: os.path.lexists(name) and stat.S_IFMT(os.lstat(name).st_mode) in (stat.S_IFLNK, stat.S_IFIFO)
os.symlink(link, raced)
while not os.path.exists(stop):
    libc.renameat2(-100, os.fsencode(path), -100, os.fsencode(link), 2)
# What was there goes back to its name, if it is there still.
if other(path):
    libc.renameat2(-100, os.fsencode(path), -100, os.fsencode(link), 2)
if other(link):
    os.unlink(link)
EOT
}
for side in source/dir source/dir/sub upper/dir upper/dir/sub source/dir/sub/f20 upper/dir/sub/f20; do
	kind=symlink
	case $side in */f20) kind=fifo ;; esac
	bad=
	SECONDS=0
	for ((round = 0; SECONDS < 1 || round < 2; round++)); do
		new_source "$base"
		run_in "$S" 'for i in {1..40}; do echo 0 >dir/sub/f$i; done'
		sandbox "$D" 'for i in {1..40}; do echo 1 >dir/sub/f$i; done; rm dir/sub/file dir/file; echo x >dir/victim; mkdir dir/sub/sub'
		rm -f "$T/stop" "$T/raced"
		case $side in source/*) race "$S/${side#*/}" $kind & ;; *) race "$D/$side" $kind & ;; esac
		racer=$!
		wait_for 5 test -L "$T/raced" || bad+=' no race'
		for option in -n --diff '' '' --fsck; do
			# shellcheck disable=SC2086 # one or none
			bounded $option "$D"
			[ "$TIMELY" -eq 0 ] || bad+=" $option:$STATUS"
			[[ $OUT != *secret-content* ]] || bad+=" $option:read"
		done
		afsync --undo "$S"
		afsync --discard "$D"
		: >"$T/stop"
		wait "$racer" || bad+=" racer"
	done
	is "$bad" '' "$side changes places with a $kind ($round rounds): no crash, no waiting, nothing read"
	intact "$side"
done

done_testing
