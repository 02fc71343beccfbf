#!/bin/bash
# Conflicts: what is one, and what each strategy makes of it.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"

text=$(seq 20)
base='for f in mod del gone same free text clash bin; do seq 20 >$f; done; printf "\\0" >>bin'
ours='echo ours >mod; rm del; echo ours >gone; echo same >same; echo ours >free; echo ours >new
	echo alike >alike; sed -i "s/^2$/ours/" text clash; echo ours >>bin'
theirs='echo theirs >mod; echo theirs >del; rm gone; echo same >same; echo theirs >new
	echo alike >alike; sed -i "s/^19$/theirs/" text; sed -i "s/^2$/theirs/" clash; echo theirs >>bin'
conflicts='bin clash del gone mod new text'

# Both sides change what they have; the later one is the one named.
scene()
{
	new_source "$base"
	if [ "$1" = ours-later ]; then
		mount_fs -o "preset=full-access,delta=$D" "$S" "$T/mnt"
		# The origin is logged at the first change; the last is after theirs.
		run_in "$T/mnt" 'for f in mod del gone text clash bin new; do echo first >>$f; done'
		run_in "$S" "$theirs"
		run_in "$T/mnt" "seq 20 | tee text >clash; (seq 20; printf '\\0') >bin; $ours"
		umount_fs "$T/mnt"
	else
		sandbox "$D" "$ours"
		run_in "$S" "$theirs"
	fi
}

what() { (cd "$S" && for f in mod del gone new; do [ ! -e $f ] || echo "$f $(head -n 1 $f)"; done); }

scene theirs-later
is "$(plan | grep ^C | cut -f2 | paste -sd ' ')" "$conflicts" 'what is in conflict'
is "$(plan | grep -v ^C)" $'M\tfree' '... and what is not: the same on both sides, and what one changed'
afsync "$D"
is "$STATUS" 0 'lww: all is settled'
is "$(what | paste -sd ' ')" 'mod theirs del theirs gone ours new theirs' \
	'lww: the later is theirs, but a deletion of theirs, which nobody can date'
is "$(cat "$S/free")" ours '... and what is not in conflict is merged'
is "$(plan)" '' '... and nothing stays'
scene ours-later
afsync "$D"
is "$(what | paste -sd ' ')" 'mod ours gone ours new ours' 'lww: the later is ours'

scene ours-later
afsync --conflict keep "$D"
is "$STATUS" 1 'keep: exit 1'
is "$(what | paste -sd ' ')" 'mod theirs del theirs new theirs' 'keep: theirs stays'
like "$ERR" 'afsyncd: mod: conflict: ' '... and each is told with why'
is "$(grep -c ': conflict: ' <<<"$ERR")" 7 '... a line each'
is "$(plan | cut -f2 | paste -sd ' ')" "$conflicts" '... and they are still in the delta'
is "$(cat "$S/free")" ours '... the rest is merged'
afsync "$D"
is "$STATUS:$(what | paste -sd ' ')" '0:mod ours gone ours new ours' '... and can be merged later'

scene ours-later
before=$(tree_of "$S")
lines=$(plan)
for option in '' -n --diff; do
	# shellcheck disable=SC2086 # none or one
	afsync --conflict fail $option "$D"
	is "$STATUS" 1 "fail $option: exit 1"
done
is "$(tree_of "$S")" "$before" 'fail: nothing is merged'
is "$(plan)" "$lines" '... and all is still there'

scene ours-later
afsync --conflict both "$D"
is "$STATUS" 0 'both: exit 0'
is "$(what | paste -sd ' ')" 'mod theirs del theirs gone ours new theirs' 'both: theirs stays' ||
	diag "$(what)"
is "$(cat "$S"/mod.conflict-* "$S"/new.conflict-*)" $'ours\nours' '... ours is beside it'
is "$(plan)" '' '... and nothing stays'
names=("$S"/mod.conflict-*)
is "${#names[@]}" 1 '... once'

scene ours-later
afsync --conflict merge "$D"
is "$STATUS" 0 'merge: exit 0'
is "$(cat "$S/text")" "$(sed 's/^2$/ours/; s/^19$/theirs/' <<<"$text")" \
	'merge: changes of different lines are both there'
is "$(sed -n 2p "$S/clash"):$(sed -n 2p "$S"/clash.conflict-*)" theirs:ours \
	'... where they are of one line it is both'
is "$(tail -n 1 "$S/bin"):$(tail -n 1 "$S"/bin.conflict-*)" theirs:ours '... and where it is no text'
is "$(find "$S" -name 'text.conflict-*')" '' '... and only there'
is "$(plan)" '' '... and nothing stays'

# A directory with something new in it.
new_source 'mkdir dir; echo x >dir/x'
sandbox "$D" 'rm -r dir'
echo new >"$S/dir/new"
is "$(plan)" $'C\tdir' 'something is new in a deleted directory: a conflict'
afsync "$D"
is "$(echo "$S"/dir/*)" "$S/dir/new $S/dir/x" '... it is not lost, nor what it was made beside'
for conflict in lww keep both merge fail; do
	new_source 'mkdir dir; echo x >dir/x; echo z >z'
	sandbox "$D" 'rm -r dir; rm z'
	echo new >"$S/dir/new"
	echo theirs >"$S/z"
	before=$(tree_of "$S")
	afsync --conflict "$conflict" "$D"
	is "$(tree_of "$S")" "$before" "... with $conflict, nor is a changed file"
	stay=''
	case $conflict in keep | fail) stay=$'C\tdir\nC\tz' ;; esac
	is "$STATUS:$(plan)" "$([ -z "$stay" ]; echo "$?"):$stay" '... and the deletions are dropped, or stay'
done
# A file in place of a directory, and the other way round.
new_source 'mkdir dir; echo x >dir/x; echo f >file'
sandbox "$D" 'rm -r dir; echo f >dir; rm file; mkdir file; echo x >file/x'
echo new >"$S/dir/new"
echo theirs >"$S/file"
afsync --conflict keep "$D"
is "$(cat "$S/dir/new" "$S/file")" $'new\ntheirs' '... nor where a file or a directory takes the place'

done_testing
