#!/bin/bash
# What a hand-made upper may hold: objects, bits, xattrs and names that no sandbox could make. They are
# refused by name, the rest is merged, nothing is opened so as to wait, and nothing outside is touched.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"

make_outside

# Devices, FIFOs, sockets.
new_source 'echo 0 >a; mkdir d; echo 0 >d/x; echo 0 >fifo2'
sandbox "$D" 'echo 1 >a; echo 1 >d/x'
U=$D/upper
mkfifo "$U/fifo" "$U/d/fifo"
mkfifo "$U/fifo2"
python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$U/socket"
mkdir "$U/new"
mkfifo "$U/new/fifo"
echo x >"$U/new/file"
nodes=
if is_root; then
	mknod "$U/null" c 1 3
	mknod "$U/disk" b 7 0
	mknod "$U/new/zero" c 1 5
	mknod "$U/block0" b 0 0
	nodes='block0 disk null new/zero '
fi
for option in -n --diff '-n --json'; do
	# shellcheck disable=SC2086 # two words
	bounded $option "$D"
	ok "$TIMELY" "afsyncd $option does not wait for a FIFO"
done
bounded "$D"
is "$TIMELY:$STATUS" 0:1 'a merge past objects that cannot be merged: exit 1'
is "$(find "$S" -path "$S/.agentfense" -prune -o \( -type b -o -type c -o -type p -o -type s \) -print)" '' \
	'none of them is in the source'
is "$(cat "$S/a" "$S/d/x" "$S/new/file" "$S/fifo2" | paste -sd ' ')" '1 1 x 0' '... the rest is merged'
for path in fifo d/fifo fifo2 new/fifo socket $nodes; do
	like "$ERR" "afsyncd: $path: .*(device|FIFO|socket)" "... $path is named with why"
done
[ -p "$U/fifo" ] && [ -p "$U/new/fifo" ]
ok $? '... and stays'
bounded --fsck "$D"
ok "$TIMELY" '... nor does --fsck wait'
bounded --discard "$D"
is "$TIMELY:$STATUS:$(ls "$D" 2>/dev/null)" 0:0: '... --discard removes them unopened'

# In place of what is a delta's own.
for what in '' upper work meta meta/log meta/lock; do
	for kind in fifo device file dir; do
		new_source 'echo 0 >a'
		sandbox "$D" 'echo 1 >a'
		place=$D${what:+/$what}
		rm -r "$place"
		case $kind in
		fifo) mkfifo "$place" ;;
		device) if is_root; then mknod "$place" c 1 3; else : >"$place"; fi ;;
		file) echo x >"$place" ;;
		dir) mkdir "$place" ;;
		esac
		bad=
		for option in -n --diff '' --fsck --discard; do
			# shellcheck disable=SC2086 # one or none
			bounded $option "$D"
			[ "$TIMELY" -eq 0 ] || bad+=" $option:$STATUS"
		done
		is "$bad:$(tr 1 0 <"$S/a")" :0 "a $kind in place of DELTA/$what: no waiting, nothing broken"
		rm -rf "$D"
	done
done

# In the source: what the sandbox replaces or deletes has become one meanwhile.
new_source 'for f in mod del chm ren; do echo 0 >$f; done; mkdir gone; echo 0 >gone/x'
sandbox "$D" 'echo 1 >mod; rm del; chmod 700 chm; mv ren new; rm -r gone; echo 1 >add; echo 1 >dir'
(cd "$S" && rm -r mod del chm ren gone/x && mkfifo mod del chm ren gone/x add && mkdir dir && mkfifo dir/x)
bounded -n "$D"
ok "$TIMELY" 'a source of FIFOs: the plan does not wait'
bounded --diff "$D"
ok "$TIMELY" '... nor does a diff'
bounded "$D"
ok "$TIMELY" '... nor the merge'
[ -p "$S/gone/x" ] && [ -p "$S/dir/x" ]
ok $? '... and a FIFO below what was deleted or replaced is there'
is "$(find "$S" -path "$S/.agentfense" -prune -o -name 'new' -type p -print)" '' '... none is moved'

# Set-id bits, capabilities, xattrs of others.
new_source 'echo 0 >a; mkdir sgid'
sandbox "$D" 'echo 1 >a; for f in suid sgidx caps trusted plain; do echo $f >$f; chmod 755 $f; done; mkdir suid.d sgid.d'
U=$D/upper
chmod 4755 "$U/suid"
chmod 2755 "$U/sgidx"
chmod 4755 "$U/suid.d"
chmod 2775 "$U/sgid.d"
if is_root; then
	setcap cap_setuid+ep "$U/caps" 2>/dev/null || setfattr -n security.capability \
		-v 0x0100000280000000000000000000000000000000 "$U/caps"
	setfattr -n trusted.overlay.opaque -v y "$U/trusted"
fi
afsync "$D"
is "$STATUS" 1 'set-id bits: exit 1'
is "$(find "$S" -path "$S/.agentfense" -prune -o -perm -4000 -print)" '' 'no set-uid in the source'
is "$(find "$S" -path "$S/.agentfense" -prune -o -type f -perm -2000 -print)" '' '... nor a set-gid file'
is "$(getcap -r "$S" 2>/dev/null)" '' '... nor a capability'
is "$(getfattr --absolute-names -R -d -m '^(trusted|security.capability)' "$S" 2>/dev/null)" '' '... nor an xattr of others'
is "$(cat "$S/plain" "$S/a" | paste -sd ' ')" 'plain 1' '... the rest is merged'
like "$ERR" 'suid: .*set-id' 'each is told'
is_root && like "$ERR" 'caps: .*xattr' '... a capability'
is_root && like "$ERR" 'trusted: .*xattr' '... a trusted xattr'
is "$(plan | grep -c .)" "$(is_root && echo 5 || echo 3)" '... and they stay'

# Odd bookkeeping.
new_source 'echo 0 >a; mkdir d e; echo 0 >d/keep; echo 0 >e/keep; echo secret >hidden; echo 0 >meta'
sandbox "$D" 'echo 1 >a; echo 1 >d/x; echo 1 >e/x; echo 1 >meta; setfattr -n user.mine -v 1 meta'
U=$D/upper
setfattr -n user.overlay.opaque -v garbage "$U/d"
setfattr -n user.overlay.redirect -v /hidden "$U/e"
setfattr -n user.overlay.metacopy -v '' "$U/meta"
setfattr -n user.overlay.redirect -v "$T/outside/file" "$U/meta"
setfattr -n user.overlay.origin -v 0x00fb2100810101010101 "$U/meta"
setfattr -n user.overlay.opaque -v y "$U/a"
afsync "$D"
is "$STATUS" 0 'odd bookkeeping is no reason not to merge'
is "$(cat "$S/d/keep" "$S/e/keep" "$S/d/x" "$S/e/x" "$S/meta" | paste -sd ' ')" '0 0 1 1 1' \
	'... opaque=garbage is not opaque, and redirect, metacopy and origin mean nothing'
is "$(getfattr --absolute-names -R -d -m 'overlay' "$S" 2>/dev/null | grep -v agentfense/)" '' '... and none of it comes to the source'
is "$(getfattr --absolute-names --only-values -n user.mine "$S/meta")" 1 '... what is theirs does'
intact 'bookkeeping'

# Hard links to what is outside, on the same filesystem.
new_source 'echo 0 >a; echo 0 >b'
sandbox "$D" 'echo 1 >a; echo 1 >b'
U=$D/upper
ln "$T/canary" "$U/new"
ln -f "$T/canary" "$U/a"
mkdir "$U/dir"
ln "$T/outside/file" "$U/dir/one"
ln "$T/outside/file" "$U/dir/two"
links=$(stat -c '%i %h' "$T/canary" "$T/outside/file")
afsync "$D"
for path in new a dir/one dir/two; do
	[ ! -e "$S/$path" ] || ! [ "$S/$path" -ef "$T/canary" ] && ! [ "$S/$path" -ef "$T/outside/file" ]
	ok $? "$path is not the file outside"
done
is "$(cat "$T/canary" "$T/outside/file" | paste -sd ' ')" 'canary canary' '... which has its content'
(cd "$S" && for f in new a dir/one dir/two; do [ ! -e $f ] || echo changed >$f; done)
is "$(cat "$T/canary" "$T/outside/file" | paste -sd ' ')" 'canary canary' '... and keeps it when the source is written'
is "$(stat -c '%i' "$T/canary" "$T/outside/file" | paste -sd ' ')" "$(cut -d' ' -f1 <<<"$links" | paste -sd ' ')" '... and is itself'
afsync --undo "$S"
is "$(cat "$T/canary" "$T/outside/file" | paste -sd ' ')" 'canary canary' '... after undo too'
make_outside

# Somebody has a file of the delta open for writing, and goes on.
new_source 'echo 0 >a'
sandbox "$D" 'echo merged >a; echo merged >new'
exec 7>>"$D/upper/a" 8<>"$D/upper/new"
afsync "$D"
echo late >&7
echo late >&8
exec 7>&- 8>&-
is "$STATUS:$(cat "$S/a" "$S/new" | paste -sd ' ')" '0:merged merged' \
	'who holds a file of the delta open does not write to the source'
new_source 'echo 0 >a'
sandbox "$D" 'echo merged >a'
python3 - "$D/upper/a" "$AFSYNCD" "$T/state" "$D" "$S/a" <<'EOT'
import mmap, os, subprocess, sys
path, program, state, delta, merged = sys.argv[1:]
fd = os.open(path, os.O_RDWR)
memory = mmap.mmap(fd, 0)
os.close(fd)
status = subprocess.run([program, '-q', '--state', state, delta], timeout=20).returncode
memory[0:4] = b'late'
memory.flush()
sys.exit(status or open(merged).read() != 'merged\n')
EOT
ok $? '... nor who has it mapped'

# A lease does not tell of an open() that stands just before it, so what another user could open for
# writing is copied: who has it then has the delta's file, and not the source's.
moved() { [ "$(stat -c %i "$S/$1")" = "$2" ] && echo moved || echo copied; }
new_source 'echo 0 >a'
sandbox "$D" 'echo merged >a; echo merged >open; chmod 666 open; echo merged >group; chmod 660 group'
is "$(stat -c %a "$D")" 700 'a delta is closed to others'
inodes=$(stat -c %i "$D/upper/a" "$D/upper/open" "$D/upper/group")
afsync "$D"
# shellcheck disable=SC2086 # three numbers
set -- $inodes
is "$(moved a "$1") $(moved open "$2") $(moved group "$3")" 'moved moved moved' \
	'from where nobody else gets to, files are moved'
new_source 'echo 0 >a'
sandbox "$D" 'echo merged >a; echo merged >open; chmod 666 open; echo merged >group; chmod 660 group'
chmod 755 "$D" "$D/upper"
inodes=$(stat -c %i "$D/upper/a" "$D/upper/open" "$D/upper/group")
afsync "$D"
# shellcheck disable=SC2086 # three numbers
set -- $inodes
is "$STATUS:$(moved a "$1") $(moved open "$2") $(moved group "$3")" '0:moved copied copied' \
	'... and where others get to, only what they cannot write to'
if is_root; then
	new_source 'echo 0 >a'
	sandbox "$D" 'echo merged >a; echo merged >b; ln -s a link'
	chown -hR 12345 "$D"
	inodes=$(stat -c %i "$D/upper/a" "$D/upper/b")
	afsync --preset full-access "$D" "$S"
	# shellcheck disable=SC2086 # two numbers
	set -- $inodes
	is "$STATUS:$(moved a "$1") $(moved b "$2")" '0:copied copied' \
		"another user's files are copied out of his delta"
fi

# Who finds it just before it is moved waits for the lease, and is seen: /proc/locks tells when it is
# taken, and each rename is made to last.
new_source 'echo 0 >a'
sandbox "$D" 'echo merged >a'
inode=$(stat -c %i "$D/upper/a")
# The whole of a leak check is not to be had under strace.
ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0" python3 - "$D/upper/a" "$S/a" \
	strace -f -qq -o "$T/slow" -e trace=renameat2 -e inject=renameat2:delay_enter=500000 \
	"$AFSYNCD" -q --state "$T/state" "$D" <<'EOT'
import os, subprocess, sys, time
upper, merged, *command = sys.argv[1:]
inode = ':%d ' % os.stat(upper).st_ino
merge = subprocess.Popen(command)
until = time.monotonic() + 30
def leased(): return any('LEASE' in line and inode in line for line in open('/proc/locks'))
while not leased():
    if time.monotonic() > until or merge.poll() is not None: sys.exit('no lease was seen')
fd = os.open(upper, os.O_WRONLY)
status = merge.wait(timeout=30)
os.write(fd, b'late')
sys.exit(status or open(merged).read() != 'merged\n')
EOT
is "$?:$(moved a "$inode")" 0:copied 'who opens it while it is moved has the file of the delta'

done_testing
