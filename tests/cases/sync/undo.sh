#!/bin/bash
# Undo: what a merge replaced comes back, the newest merge first or the one that is named.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"

# All of it: times and xattrs too.
everything()
{
	tree_of "$1"
	(cd "$1" && find . -mindepth 1 -path ./.agentfense -prune -o ! -type d -printf '%P %T@ %U %G\n' | sort)
	(cd "$1" && getfattr -R -P -d -m - . 2>/dev/null)
}

new_source '
	for f in mod del ren typ mode; do echo $f >$f; done; mkdir -p dir/deep gone; echo x >dir/x; echo y >gone/y
	touch -d 2001-02-03T04:05:06.789 mod del dir/x; chmod 640 mod; ln -s mod link
	setfattr -n user.note -v first mod'
before=$(everything "$S")
sandbox "$D" '
	echo more >>mod; rm del; mv ren new; rm typ; mkdir typ; echo z >typ/z; chmod 700 mode; mv dir moved
	rm -r gone; ln -sfn new link; echo added >added; setfattr -n user.note -v second mod'
afsync "$D"
after=$(everything "$S")
[ "$before" != "$after" ]
ok $? 'a merge'
afsync --history "$S"
is "$STATUS:$(wc -l <<<"$OUT")" 0:1 'it is in the history'
like "$OUT" "$D" '... with its delta'
id=${OUT%%$'\t'*}
afsync --history --json "$S"
like "$OUT" "\"id\":\"$id\"" '... as JSON too'
python3 -c 'import json, sys; json.loads(sys.argv[1])' "$OUT"
ok $? '... that is JSON'
afsync --undo "$S"
is "$STATUS" 0 'undone'
is "$(everything "$S")" "$before" '... all is as before: content, modes, times, xattrs'
afsync --history "$S"
unlike "$OUT" "$id" '... and it is no longer in the history'
afsync --undo "$S"
[ "$STATUS" -ne 0 ] && [ -n "$ERR" ]
ok $? 'there is nothing more to undo'

# Several; the newest goes first, or the one that is named.
new_source 'echo 0 >a; echo 0 >b'
for i in 1 2 3; do
	sandbox "$D" "echo $i >a; [ $i != 2 ] || echo $i >b"
	afsync "$D"
done
afsync --history "$S"
is "$(wc -l <<<"$OUT")" 3 'three merges'
second=$(sed -n 2p <<<"$OUT" | cut -f1)
afsync --undo "$second" "$S"
is "$STATUS:$(cat "$S/a" "$S/b" | paste -sd ' ')" '1:3 2' 'one that another came after is refused'
like "$ERR" '\<a\>' '... and the path is named'
afsync --undo "$S"
is "$STATUS:$(cat "$S/a" "$S/b" | paste -sd ' ')" '0:2 2' 'the newest is undone'
afsync --undo "$second" "$S"
is "$STATUS:$(cat "$S/a" "$S/b" | paste -sd ' ')" '0:1 0' '... then the one that is named'
afsync --undo nonsense "$S"
[ "$STATUS" -ne 0 ] && [ -n "$ERR" ]
ok $? 'an id that is none'

# What has moved on since stays.
new_source 'echo 0 >a; echo 0 >b'
sandbox "$D" 'echo 1 >a; echo 1 >b'
afsync "$D"
echo mine >"$S/b"
afsync --undo "$S"
is "$STATUS" 1 'the source has moved on: refused'
like "$ERR" '\<b\>' '... and where is told'
is "$(cat "$S/a" "$S/b" | paste -sd ' ')" '1 mine' '... with nothing undone'

# How many are kept.
new_source 'echo 0 >a'
for i in 1 2 3 4; do
	sandbox "$D" "echo $i >a"
	afsync --undo-keep 2 "$D"
done
afsync --history "$S"
is "$(wc -l <<<"$OUT")" 2 '--undo-keep 2'
afsync --undo "$S"
afsync --undo "$S"
is "$STATUS:$(cat "$S/a")" 0:2 '... two can be undone'
sandbox "$D" 'echo 5 >a'
afsync --undo-keep 0 "$D"
afsync --history "$S"
is "$STATUS:$(cat "$S/a"):$OUT" 0:5: '--undo-keep 0: none'

done_testing
