#!/bin/bash
# Names and paths that a hand-made upper may hold, and what is never merged whatever it is called:
# afsyncd's own directory, and what is held back, in any spelling.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"

make_outside

# Names that could forge a line, a terminal's command or an option.
new_source 'echo 0 >a'
sandbox "$D" 'echo 1 >a'
U=$D/upper
names=($'line\nA\tforged' $'tab\tname' $'esc\e[2Jx' $'c1\xc2\x9b31m' $'bell\a' $'bad\xff\xfe' $'cr\rx' -n --undo ' lead' 'trail '
	$'\x7f' \\ '*' '$(touch forged)' '"' "'")
for name in "${names[@]}"; do echo x >"$U/$name"; done
mkdir "$U/"$'dir\n'
echo x >"$U/"$'dir\n/-rf'
afsync -n "$D"
is "$(wc -l <"$T/out")" "$((${#names[@]} + 3))" 'a line a path'
is "$(LC_ALL=C tr -d '\n\t -~' <"$T/out" | wc -c)" 0 '... of printable ASCII alone' || diag "$(od -c "$T/out")"
is "$(cut -f1 "$T/out" | sort | uniq -c | tr -s ' ' | paste -sd ' ')" " $((${#names[@]} + 2)) A  1 M" '... none is forged'
afsync -n -0 "$D"
is "$(tr -cd '\0' <"$T/out" | wc -c)" "$((${#names[@]} + 3))" '... and with -0 a NUL a path'
is "$(python3 -c 'import sys; sys.stdout.write(str(b"bad\xff\xfe\0" in open(sys.argv[1], "rb").read()))' "$T/out")" \
	True '... as they are'
afsync -n --json "$D"
python3 -c 'import json, sys
text = open(sys.argv[1], encoding="utf-8").read()
try: json.loads(text)
except ValueError: [json.loads(line) for line in text.splitlines()]' "$T/out"
ok $? '... and JSON is JSON'
afsync --diff "$D"
is "$(LC_ALL=C grep -c $'^+++ .*\e' "$T/out")" 0 '... a diff escapes as well'
afsync -v "$D"
is "$STATUS" 0 'they are merged'
is "$(LC_ALL=C tr -d '\n\t -~' <"$T/err" | wc -c)" 0 '... and told in printable ASCII'
missing=
for name in "${names[@]}"; do [ -e "$S/$name" ] || missing+=" $name"; done
is "$missing" '' '... under their names'
[ -e "$S/"$'dir\n/-rf' ] && [ ! -e "$S/forged" ] && [ ! -e forged ]
ok $? '... and nothing else'
afsync --history "$S"
is "$(LC_ALL=C tr -d '\n\t -~' <"$T/out" | wc -c)" 0 '... and history is printable'

# Names of 255 bytes in a conflict: the one beside it has room.
new_source ''
long=$(printf '%0255d' 0)
wide=$(printf 'é%.0s' {1..127})
echo 0 >"$S/$long"
echo 0 >"$S/$wide"
sandbox "$D" "echo ours >$long; echo ours >$wide"
echo theirs >"$S/$long"
echo theirs >"$S/$wide"
afsync --conflict both "$D"
[ "$STATUS" -le 1 ]
ok $? 'a name of 255 bytes in conflict' || diag "$ERR"
is "$(cat "$S/$long" "$S/$wide" | paste -sd ' ')" 'theirs theirs' '... theirs stays'
is "$(cat "$S"/*conflict-* 2>/dev/null; [ ! -e "$D/upper/$long" ] || cat "$D/upper/$long" "$D/upper/$wide")" $'ours\nours' \
	'... and ours is not lost'

# A tree 1,000 levels deep, and one whose path is longer than PATH_MAX in few.
deep='import os, sys
os.chdir(sys.argv[1])
for i in range(int(sys.argv[2])):
    os.mkdir(sys.argv[3]); os.chdir(sys.argv[3])
open("end", "w").write("x")'
reach='import os, sys
os.chdir(sys.argv[1])
for i in range(int(sys.argv[2])): os.chdir(sys.argv[3])
print(open("end").read(), end="")'
for shape in '1000 d' "30 $(printf '%0250d' 0)"; do
	# shellcheck disable=SC2086 # two words
	set -- $shape
	new_source 'echo 0 >a'
	sandbox "$D" 'echo 1 >a'
	python3 -c "$deep" "$D/upper" "$@"
	afsync -n "$D"
	is "$STATUS:$(wc -l <"$T/out")" "0:$(($1 + 2))" "$1 levels of ${#2} bytes: the plan"
	afsync --diff "$D"
	is "$STATUS" 0 '... a diff'
	afsync "$D"
	is "$STATUS:$(python3 -c "$reach" "$S" "$@")" 0:x '... merged' || diag "$ERR"
	# rm -r of the sandbox, so that every descendant is looked at.
	sandbox "$D" "rm -r ./$2"
	afsync "$D"
	is "$STATUS:$(ls "$S")" 0:a '... deleted' || diag "$ERR"
	afsync --undo "$S"
	is "$STATUS:$(python3 -c "$reach" "$S" "$@")" 0:x '... undone' || diag "$ERR"
	sandbox "$D" 'echo 2 >a'
	python3 -c "$deep" "$D/work" "$@"
	afsync --discard "$D"
	is "$STATUS:$(ls "$D" 2>/dev/null)" 0: '... discarded' || diag "$ERR"
done

# afsyncd's own directory.
new_source 'mkdir sub; echo 0 >a'
sandbox "$D" 'echo 1 >a'
U=$D/upper
mkdir -p "$U/.agentfense/undo" "$U/.agentfense/stage" "$U/sub/.agentfense" "$U/.AGENTFENSE" "$U/.agentfense2"
echo evil >"$U/.agentfense/journal"
echo evil >"$U/.agentfense/stage/0"
for dir in sub/.agentfense .AGENTFENSE .agentfense2; do echo x >"$U/$dir/file"; done
STATE=()
afsync "$D"
is "$STATUS" 1 'an upper with a .agentfense at its root'
like "$ERR" "\.agentfense: .*afsyncd's own" '... which is told'
is "$(find "$S/.agentfense" -type f -exec grep -l evil {} +)" '' '... and nothing of it is merged'
is "$(cat "$S/a" "$S/sub/.agentfense/file" "$S/.agentfense2/file" | paste -sd ' ')" '1 x x' \
	'... deeper, or of another name, it is a plain one'
[ ! -e "$S/.AGENTFENSE" ]
ok $? '... but not in other letters, which may be the same name'
is "$("$AFS" --explain -o default=write .AgentFense/x | cut -f1)" none '... in no mount either'
afsync "$D"
is "$STATUS" 1 '... again, with the directory in use'
for what in 'c 0 0' dir link file; do
	rm -rf "$U/.agentfense"
	case $what in
	c*) mknod "$U/.agentfense" c 0 0 ;;
	dir) mkdir "$U/.agentfense"; setfattr -n user.overlay.opaque -v y "$U/.agentfense" ;;
	link) ln -s "$T/outside" "$U/.agentfense" ;;
	file) echo x >"$U/.agentfense" ;;
	esac
	afsync --no-hold "$D"
	[ -d "$S/.agentfense/undo" ] && [ ! -L "$S/.agentfense" ]
	ok $? "$what in its place: it stays (exit $STATUS)"
done
rm -rf "$U/.agentfense"
setfattr -n user.overlay.opaque -v y "$U"
afsync "$D"
[ -d "$S/.agentfense/undo" ]
ok $? 'an opaque root does not delete it'
intact '.agentfense'

done_testing
