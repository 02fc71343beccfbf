#!/bin/bash
# --fsck: what is wrong with a delta is told, what can be proved is mended; and --discard.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"

new_source 'echo 0 >a; echo 0 >b; mkdir dir; echo 0 >dir/x'
sandbox "$D" 'echo 1 >a; rm b; mkdir new; echo 1 >new/y; mkfifo fifo; setfattr -n user.overlay.opaque -v x a'
afsync --fsck "$D"
is "$STATUS:$OUT:$ERR" 0:: 'a delta as it is left is clean'
# Of all but the lock, which has the pid of the last holder.
sums_of() { find "$1" -type f ! -name lock -exec md5sum {} + | sort; }
sums=$(sums_of "$D")

# A torn end of the log.
cp -a "$D" "$T/damaged"
printf 'half a record' >>"$D/meta/log"
afsync --fsck "$D"
is "$STATUS" 1 'a torn log'
like "$OUT" '^meta/log: 13 bytes at its end' '... is told'
is "$(sums_of "$D")" "$sums" '... and cut off'
afsync --fsck "$D"
is "$STATUS:$OUT" 0: '... and clean then'
echo x >"$D/work/left"
mkdir "$D/work/dir"
afsync --fsck "$D"
is "$STATUS" 1 'leftovers in work'
like "$OUT" '^work: 2 left over' '... are told'
is "$(ls "$D/work")" '' '... and removed'

# Cut anywhere: what is left is told, and never more is mended than the end.
size=$(stat -c %s "$D/meta/log")
bad=
for cut in $(seq 1 7 "$size"); do
	cp "$D/meta/log" "$T/log"
	truncate -s "$cut" "$D/meta/log"
	afsync --fsck "$D"
	case $STATUS in 0 | 1 | 2) ;; *) bad+=" $cut:$STATUS" ;; esac
	[ "$cut" -ge 16 ] || [ "$STATUS" -ne 0 ] || bad+=" $cut:clean"
	cat "$T/log" >"$D/meta/log"
done
is "$bad" '' 'a log cut anywhere is no crash, and never clean without its head'

# A copy, and what no agentfensefs leaves.
afsync --fsck "$T/damaged"
is "$STATUS" 1 'a copy of a delta'
like "$OUT" 'upper: not the one that the log is of' '... is told'
setfattr -n user.overlay.unknown -v y "$D/upper/new"
setfattr -n user.overlay.opaque -v n "$D/upper/new"
mknod "$D/upper/whiteout" c 0 0
chmod u+s "$D/upper/a"
is_root && mknod "$D/upper/null" c 1 3
kept=$(tree_of "$D/upper")
afsync --fsck "$D"
is "$STATUS" 1 'what cannot be in upper'
like "$OUT" 'upper/new: bookkeeping that cannot be' '... bookkeeping'
like "$OUT" 'upper/whiteout: a whiteout of what the log does not know' '... a whiteout'
like "$OUT" 'upper/a: set-id bits' '... set-id bits'
is_root && like "$OUT" 'upper/null: a device' '... a device'
is "$(tree_of "$D/upper")" "$kept" '... and none of it is touched'
rm "$D/meta/log"
afsync --fsck "$D"
[ "$STATUS" -ne 0 ]
ok $? 'no log'

# Names that could forge a line; a path of 6,000 bytes.
new_source 'echo 0 >a'
sandbox "$D" 'd=$(printf "%0200d" 0); for i in $(seq 30); do mkdir $d && cd $d || break; done; echo x >x'
afsync --fsck "$D"
is "$STATUS:$OUT" 0: 'a deep tree'
mknod "$D/upper/"$'x\nupper: forged' c 0 0
afsync --fsck "$D"
is "$(wc -l <<<"$OUT")" 1 'a name cannot forge a line'

# In use.
mount_fs -o "preset=full-access,delta=$D" "$S" "$T/mnt"
echo x >"$D/work/theirs"
afsync --fsck "$D"
like "$ERR" 'in use: only looked at' 'in use: only looked at'
[ -e "$D/work/theirs" ]
ok $? '... and nothing removed'
afsync --discard "$D"
is "$STATUS" 2 'what is in use is not discarded'
like "$ERR" 'in use by process' '... and who has it is told'
umount_fs "$T/mnt"

# --discard.
touch "$D/other"
afsync --discard "$D"
is "$STATUS:$(ls "$D")" 2:other 'what is not of the delta stays, with its directory'
rm -r "$D"
sandbox "$D" 'mkdir -m 0 closed; echo 1 >a; mkdir -p d/e; echo x >d/e/f; chmod 0 d'
afsync --discard "$D"
is "$STATUS:$OUT:$ERR" 0:: 'discarded'
[ ! -e "$D" ]
ok $? '... with its directory'
is "$(cat "$S/a")" 0 '... and the source is as it was'
mkdir "$T/plain"
echo x >"$T/plain/x"
afsync --discard "$T/plain"
is "$STATUS:$(cat "$T/plain/x")" 2:x 'what is no delta is refused'
afsync --discard "$T/none"
is "$STATUS" 2 'what is not there'

done_testing
