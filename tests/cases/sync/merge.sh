#!/bin/bash
# A merge: the plan's letters and forms, what the source is afterwards, and what is said of it.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"

base='
	for f in keep modified deleted renamed typed mode "sp ace" toucha; do echo "$f" >"$f"; done
	mkdir -p dir/deep goes/down stays
	echo 1 >dir/one; echo 2 >dir/deep/two; echo x >goes/down/x; echo y >stays/y
	ln -s keep link'
work='
	echo more >>modified; rm deleted; mv renamed new\ name; rm typed; ln -s keep typed
	chmod 755 mode; mkdir -p fresh/sub; echo n >fresh/sub/n; rm -r goes; mv dir moved
	echo 3 >moved/three; ln -sfn modified link; echo same >stays/y; echo y >stays/y'

new_source "$base"
cp -a "$S" "$T/native"
run_in "$T/native" "$work"
before=$(tree_of "$S")
sandbox "$D" "$work"
is "$(tree_of "$S")" "$before" 'before the merge the source is as it was'

is "$(plan)" "$(
	cat <<-'EOT'
	D	deleted
	A	fresh
	A	fresh/sub
	A	fresh/sub/n
	D	goes
	M	link
	P	mode
	M	modified
	R	dir	moved
	A	moved/three
	R	renamed	new name
	P	stays/y
	T	typed
	EOT
)" 'the plan'
afsync -n "$D"
is "$STATUS" 0 '... exits 0'
is "$(tree_of "$S")" "$before" '... and merges nothing'
[ ! -e "$T/state" ] && [ ! -e "$S/.agentfense" ]
ok $? '... and makes no state'
lines=$OUT
afsync -n -0 "$D"
is "$OUT" "$(tr '\n' '@' <<<"$lines")" 'the same with NUL'
afsync -n --json "$D"
is "$(python3 -c '
import json, sys
for line in sys.stdin:
    e = json.loads(line)
    assert e["stays"] is False and e["why"] is None
    print(*([e["letter"]] + ([e["old"]] if e["old"] else []) + [e["path"]]), sep="\t")
' <<<"$OUT")" "$lines" 'the same as JSON'

afsync "$D"
is "$STATUS" 0 'merged: exit 0'
is "$(tree_of "$S")" "$(tree_of "$T/native")" '... and the source is as if it had been written to'
like "$ERR" "^afsyncd: $S: [0-9]+ changes merged$" '... and so it is said'
is "$OUT" '' '... on standard error alone'
is "$(plan)" '' 'the delta is empty then'
afsync "$D"
is "$STATUS:$OUT:$ERR" '0::' '... and merging it again is nothing'
sandbox "$D" 'echo again >again'
is "$(plan)" $'A\tagain' '... and it can be used again'
afsync -v "$D"
is "$OUT" $'A\tagain' '-v prints what was done'
sandbox "$D" 'echo again >>again'
afsync --json "$D"
like "$OUT" '"letter":"M","path":"again"' '... and --json'
sandbox "$D" 'echo again >>again'
afsync -q "$D"
is "$STATUS:$OUT:$ERR" '0::' '-q says nothing'

# In a directory to which the sandbox's own user may not write any more.
new_source 'mkdir d; echo a >a'
sandbox "$D" 'echo b >a; ln -s a d/l; echo a >d/f; ln -s a l; chmod 555 d'
afsync "$D"
is "$STATUS:$(readlink "$S/l" "$S/d/l" | tr '\n' ' ')$(stat -c %a "$S/d")$(cat "$S/a" "$S/d/f")" "0:a a 555b
a" 'symlinks in a read-only directory'
chmod 755 "$S/d"

# Names.
new_source 'echo a >"old	name"'
sandbox "$D" 'mv "old	name" "new
name"; echo >"$(printf "\377\033[2J")"; echo >"\\x41"; echo >"\\backslash"; echo >é; echo >-dash'
is "$(plan)" "$(
	cat <<-'EOT'
	A	-dash
	A	\backslash
	A	\x5cx41
	R	old\x09name	new\x0aname
	A	é
	A	\xff\x1b[2J
	EOT
)" 'names that could forge a line are escaped' ||
	is "$(plan | sort)" "$(printf '%s\n' $'A\t-dash' $'A\t\\x5cx41' $'A\t\\backslash' \
		$'R\told\\x09name\tnew\\x0aname' $'A\té' $'A\t\\xff\\x1b[2J' | sort)" '... (in any order)'
afsync "$D"
is "$STATUS" 0 '... and merged'
is "$(cat "$S/"$'\377\033[2J' "$S/new"$'\n'name "$S/\\x41" | tr -d '\n')" a '... as what they are'

# Where the state is.
new_source 'echo a >a'
sandbox "$D" 'echo b >a'
check 'the state is in the source by default' "$AFSYNCD" -q "$D"
is "$(stat -c %a "$S/.agentfense"):$(cat "$S/.agentfense/.gitignore")" '700:*' \
	'... for nobody else, and for no git'
mount_fs -o preset=full-access "$S" "$T/mnt"
[ ! -e "$T/mnt/.agentfense" ]
ok $? '... and no mount shows it'
umount_fs "$T/mnt"

# What is in use, or is not there.
new_source 'echo a >a'
mount_fs -o "preset=full-access,delta=$D" "$S" "$T/mnt"
echo b >"$T/mnt/a"
afsync "$D"
is "$STATUS" 2 'a delta that is mounted is not merged'
like "$ERR" "in use by process $(daemon_of "$T/mnt")" '... and who has it is told'
is "$(plan)" $'M\ta' '... but looked at'
umount_fs "$T/mnt"
mv "$S" "$S.moved"
afsync "$D"
is "$STATUS" 2 'a source that is gone'
mkdir "$S"
afsync "$D"
is "$STATUS" 2 'a source that is another directory'
like "$ERR" 'name the source' '... and what to do is told'
is "$(ls -A "$S")" '' '... and it is left alone'
afsync "$D" "$S.moved"
is "$STATUS:$(cat "$S.moved/a")" 0:b 'a source that is named'

# Usage.
afsync
is "$STATUS" 2 'no operand'
like "$ERR" '^afsyncd: operands: wanted: DELTA' '... is told'
for bad in --bogus '--conflict=x d' '-n --diff d' '--undo-keep=x d' '--fsck --json d' 'a b c'; do
	# shellcheck disable=SC2086 # several words
	afsync $bad
	is "$STATUS:$OUT" 2: "usage: $bad"
done
afsync "$T/none"
is "$STATUS" 2 'no such delta'
like "$ERR" "^afsyncd: $T/none: No such file" '... is told'
afsync "$T"
is "$STATUS" 2 'no delta'

done_testing
