#!/bin/bash
# Modes and xattrs that the sandbox, the source or both have changed, each beside contents.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"

# xattr of a file: its value, or - for none.
xattr()
{
	getfattr --only-values -n "$1" "$2" 2>/dev/null || printf -
}

# After the sandbox's script the source's own, then the plan.
both_change()
{
	sandbox "$D" "$1"
	run_in "$S" "$2"
	plan >"$T/plan"
}

# ---- xattrs alone -------------------------------------------------------------------------------

new_source 'echo a >a; setfattr -n user.x -v old a; mkdir d; echo b >b; setfattr -n user.x -v old b'
sandbox "$D" 'setfattr -n user.x -v new a; setfattr -n user.y -v new d; setfattr -x user.x b'
# The source's change time is another, but nothing else is.
chmod 600 "$S"/[ab]; chmod 700 "$S/d"; chmod 644 "$S"/[ab]; chmod 755 "$S/d"
is "$(plan)" "$(printf 'P\ta\nP\tb\nP\td')" 'xattrs alone, of a file and a directory'
afsync -q "$D"
is "$STATUS:$ERR" '0:' '... are merged'
is "$(xattr user.x "$S/a") $(xattr user.y "$S/d") $(xattr user.x "$S/b")" 'new new -' '... as they are'
afsync -q --undo "$S"
is "$(xattr user.x "$S/a") $(xattr user.y "$S/d") $(xattr user.x "$S/b")" 'old - old' '... and undone'

new_source 'echo a >a; setfattr -n user.x -v old a; echo b >b'
both_change 'setfattr -n user.x -v ours a; setfattr -n user.x -v same b' \
	'setfattr -n user.x -v theirs a; setfattr -n user.x -v same b'
is "$(<"$T/plan")" "$(printf 'C\ta')" 'xattrs that both changed: in conflict where they differ'
afsync -q --conflict keep "$D"
is "$STATUS:$(xattr user.x "$S/a")" '1:theirs' '... and kept'

new_source 'echo a >a'
sandbox "$D" 'setfattr -n user.overlay.x -v theirs a'
is "$(plan)" "$(printf 'P\ta')" 'an xattr with a name of bookkeeping'
afsync -q "$D"
# Root's mount shows it as the user wrote it; so does the source.
is "$STATUS:$(xattr user.overlay.x "$S/a")" '0:theirs' '... is merged under its own name'
sandbox "$D" 'echo b >a'
is "$(plan)" "$(printf 'M\ta')" '... and no change later'

new_source 'echo a >a; setfattr -n user.x -v old a; echo b >b; setfattr -n user.x -v old b'
sandbox "$D" 'rm a; echo a >a; mv b c; setfattr -n user.x -v new c'
afsync -q "$D"
is "$STATUS:$(xattr user.x "$S/a") $(xattr user.x "$S/c")" '0:- new' 'of a file made anew, and of one renamed'

# ---- contents here, attributes there ------------------------------------------------------------

new_source 'for f in a b c; do echo $f >$f; done; chmod 600 c'
both_change 'for f in a b c; do echo more >>$f; touch -d @1000000000.5 $f; done' \
	'chmod 750 a; setfattr -n user.x -v theirs b; chmod 640 c; chmod 600 c'
before=$(tree_of "$S")
is "$(<"$T/plan")" "$(printf 'M\ta\nM\tb\nM\tc')" 'the content changed here, attributes there: no conflict'
afsync -q "$D"
is "$STATUS:$(cat "$S"/[abc] | tr '\n' ' ')$(stat -c '%a %.1Y' "$S/a") $(xattr user.x "$S/b") $(stat -c %a "$S/c")" \
	'0:a more b more c more 750 1000000000.5 theirs 600' '... and both are merged'
afsync -q --undo "$S"
is "$(tree_of "$S") $(xattr user.x "$S/b")" "$before theirs" '... and undone'

new_source 'echo a >a'
both_change 'echo more >>a' 'chmod 4755 a'
afsync -q "$D"
is "$STATUS:$(stat -c %a "$S/a")" '0:755' 'set-id bits are not for another content'

new_source 'seq 9 >a'
both_change 'sed -i s/^2/two/ a' 'sed s/^8/eight/ a >a.new; cat a.new >a; rm a.new; chmod 700 a'
is "$(<"$T/plan")" "$(printf 'C\ta')" 'contents changed on both sides, and the mode there'
afsync -q --conflict merge "$D"
is "$STATUS:$(stat -c %a "$S/a")$(tr '\n' ' ' <"$S/a")" '0:7001 two 3 4 5 6 7 eight 9 ' '... merged in three ways'

new_source 'echo a >a; echo b >b'
both_change 'echo more >>a; chmod 700 a; echo more >>b; chmod 700 b' 'chmod 711 a; chmod 700 b'
is "$(<"$T/plan")" "$(printf 'C\ta\nM\tb')" 'contents and modes here, other modes there'
# The later write.
afsync -q "$D"
is "$STATUS:$(stat -c %a "$S/a" "$S/b" | tr '\n' ' ')$(cat "$S/a" "$S/b" | tr '\n' ' ')" '0:711 700 a b more ' \
	'... the later wins'

new_source 'echo a >a; echo b >b; mkdir d; echo c >c'
both_change 'rm a; rm b; mkdir b; rmdir d; mv c e' 'chmod 600 a b c; chmod 700 d'
is "$(<"$T/plan")" "$(printf 'C\ta\nC\tb\nC\tc\nC\td\nA\te')" 'deleted, replaced and moved here, and given other modes there'
afsync -q --conflict keep "$D"
is "$STATUS:$(cd "$S" && stat -c '%a %n' -- *)" "1:600 a
600 b
600 c
700 d
644 e" '... the source has them still'

# ---- one after the other --------------------------------------------------------------------------

new_source 'mkdir d; echo x >d/x; echo y >d/y; echo a >a'
sandbox "$D" 'chmod 711 d; setfattr -n user.x -v new d; echo more >>d/x; chmod 700 a; ln a b'
afsync -q --only - --exclude d/x "$D" <<<d
is "$STATUS:$(stat -c %a "$S/d")" '0:711' 'the attributes of a directory, and not what is in it'
sandbox "$D" 'rm -r d'
is "$(afsync -n "$D"; printf '%s' "$OUT")" "$(printf 'P\ta\nA\tb\nD\td')" '... which is deleted later: no conflict with ourselves'

done_testing
