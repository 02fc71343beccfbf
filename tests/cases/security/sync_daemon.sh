#!/bin/bash
# --daemon beside somebody who may make what they like where its pattern matches.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"
. "$ROOT/tests/daemonlib.sh"

mkdir "$T/deltas" "$T/state" "$T/theirs"
new_source 'echo 0 >a'
rows "$T/deltas/*/delta $S state=$T/state" "$T/deltas/* $S state=$T/state"
serve
passes=0
passed()
{
	passes=$((passes + 1))
	sandbox "$T/deltas/next" "echo $passes >next"
	wait_for 5 holds "$S/next" "$passes"
}

# Somebody else's delta, of the same source, that nobody wants to be merged: each road to it.
sandbox "$T/theirs/delta" 'echo theirs >theirs'
before=$(tree_of "$T/theirs/delta")
ln -s "$T/theirs/delta" "$T/deltas/link"
ln -s "$T/theirs" "$T/deltas/above"
mkdir "$T/deltas/within" "$T/deltas/parts" "$T/deltas/upper" "$T/deltas/log"
ln -s "$T/theirs/delta" "$T/deltas/within/delta"
ln -s ../../theirs/delta/meta "$T/deltas/parts/meta"
ln -s ../../theirs/delta/upper "$T/deltas/parts/upper"
ln -s ../../theirs/delta/work "$T/deltas/parts/work"
cp -r "$T/theirs/delta/meta" "$T/deltas/upper/meta"
ln -s "$T/theirs/delta/upper" "$T/deltas/upper/upper"
mkdir "$T/deltas/upper/work" "$T/deltas/log/upper" "$T/deltas/log/work" "$T/deltas/log/meta"
ln -s "$T/theirs/delta/meta/log" "$T/deltas/log/meta/log"
: >"$T/deltas/log/meta/lock"
check 'symlinks in the place of deltas and of their parts' passed
check '... are not followed' passed
is "$(ls "$S/theirs" 2>/dev/null):$(tree_of "$T/theirs/delta")" ":$before" '... and what they lead to is as it was'

# What blocks whoever opens it, or never ends.
mkdir -p "$T/deltas/fifo/meta" "$T/deltas/fifo/upper" "$T/deltas/fifo/work" "$T/deltas/lock/meta"
mkfifo "$T/deltas/fifo/meta/log" "$T/deltas/fifo/meta/lock" "$T/deltas/lock/meta/lock" "$T/deltas/pipe"
cp "$T/theirs/delta/meta/log" "$T/deltas/lock/meta/log"
mkdir "$T/deltas/zero" "$T/deltas/zero/meta"
ln -s /dev/zero "$T/deltas/zero/meta/log"
check 'FIFOs and devices in the place of files' passed
check '... do not block it' passed

# A log that is held as if it was mounted, for ever: only that one waits.
sandbox "$T/theirs/held" 'echo held >held'
exec 7>>"$T/theirs/held/meta/lock"
flock 7
mv "$T/theirs/held" "$T/deltas/held"
check 'a lock that is never let go of' passed
[ ! -e "$S/held" ]
ok $? '... holds its own delta only'
exec 7>&-
check '... and is merged when it is' wait_for 5 holds "$S/held" held

# Names that would be lines of the log, and more of them than a line has room for.
sandbox "$T/theirs/names" '
	name=$(printf "x\nafsyncd: forged: 9 changes merged (1)")
	mkdir -p .vscode
	echo 1 >.vscode/"$name"
	for i in $(seq 2000); do echo 1 >.vscode/"$(printf "%0200d" "$i")"; done; echo names >names'
mv "$T/theirs/names" "$T/deltas/names"
check 'thousands of names that are held back' wait_for 20 holds "$S/names" names
check '... are one line' said "deltas/names: $S: .* left .*; .*held back"
is "$(grep -c '^afsyncd: forged' "$log")" 0 '... and none of it is forged by a name'
is "$(awk 'length > 2500' "$log")" '' '... or very long'

# Who takes what is merged away meanwhile has it put nowhere else.
for i in $(seq 20); do
	sandbox "$T/theirs/swap$i" "echo $i >swap$i"
	mv "$T/theirs/swap$i" "$T/deltas/swap" && mv "$T/deltas/swap" "$T/theirs/swap$i"
	ln -sfn "$T/theirs/delta" "$T/deltas/swap" && rm "$T/deltas/swap"
done
check 'deltas that come and go' passed
is "$(ls "$S/theirs" 2>/dev/null):$(tree_of "$T/theirs/delta")" ":$before" '... and none in the place of another'

# What the table itself says may be a symlink.
ln -s "$T/deltas" "$T/way"
sandbox "$T/theirs/more" 'echo more >more'
rows "$T/way/* $S state=$T/state"
reload
mv "$T/theirs/more" "$T/deltas/more"
check 'a symlink above the wildcards' wait_for 5 holds "$S/more" more
end_daemon

done_testing
