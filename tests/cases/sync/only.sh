#!/bin/bash
# Choosing what is merged: --only, with what -n prints, and --exclude.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"

base='echo 0 >a; echo 0 >b; mkdir dir; echo 0 >dir/x; echo 0 >ren; echo 0 >del'
work='echo 1 >a; echo 1 >b; echo 1 >dir/x; mkdir -p new/sub; echo 1 >new/sub/f; echo 1 >new/g; mv ren renamed
	rm del'

# Merges what the filter lets through of the plan; $2 are options of both.
choose()
{
	# shellcheck disable=SC2086 # several options, a filter of words
	timeout 60 "$AFSYNCD" --state "$T/state" -n $2 "$D" | eval "$1" |
		timeout 60 "$AFSYNCD" --state "$T/state" -q $2 --only - "$D"
}

new_source "$base"
sandbox "$D" "$work"
check 'one file of the plan' choose 'grep -F b | cut -f2' ''
is "$(cat "$S/a" "$S/b" | paste -sd ' ')" '0 1' '... is merged, and no other'
unlike "$(plan)" $'M\tb' '... it is gone from the delta'
like "$(plan)" $'M\ta' '... and the others are not'
check 'a file in a new directory' choose 'grep sub/f | cut -f2' ''
is "$(cd "$S" && find new -type f)" new/sub/f '... brings the directories above'
check 'a renamed file, by its old name' choose 'grep ^R | cut -f2' ''
is "$(cat "$S/renamed"; ls "$S/ren" 2>&1)" "0
ls: cannot access '$S/ren': No such file or directory" '... is renamed'
check 'a directory' eval 'printf "new/\n./dir\n" | timeout 60 "$AFSYNCD" --state "$T/state" -q --only - "$D"'
is "$(cat "$S/new/g" "$S/dir/x" | paste -sd ' ')" '1 1' '... is all that is below it'
check 'a deleted one' choose 'grep ^D | cut -f2' ''
[ ! -e "$S/del" ]
ok $? '... is deleted'
is "$(plan)" $'M\ta' 'what was not asked for is still there'
check 'nothing' choose 'grep nothing; true' ''
is "$(plan)" $'M\ta' '... is nothing'
echo 'a' >"$T/list"
afsync --only "$T/list" "$D"
is "$STATUS:$(cat "$S/a")" 0:1 'a list in a file'

# A directory that was made anew hides what was in it: not what has been merged into it.
new_source 'mkdir -p d/e; echo 0 >d/a; echo 0 >d/b; echo 0 >d/e/f; chmod 750 d'
sandbox "$D" 'rm -r d; mkdir -m 700 d; echo 1 >d/a; echo 1 >d/c; touch -d @7 d'
check 'a file in a directory made anew' choose 'grep d/c | cut -f2' ''
is "$(plan | paste -sd ' ')" $'P\td M\td/a D\td/b D\td/e' '... the rest is as it was'
mount_fs -o "preset=$PRESET,delta=$D" "$S" "$T/mnt"
is "$(ls "$T/mnt/d"; cat "$T/mnt/d/c")" $'a\nc\n1' '... and is seen so'
umount_fs "$T/mnt" && wait_for 10 flock -n "$D/meta/lock" true
check 'one that is deleted there' choose 'grep d/b | cut -f2' ''
check '... and the rest' choose 'cut -f2' ''
is "$(plan)$(ls "$S/d"; stat -c '%a %Y' "$S/d")" $'a\nc\n700 7' '... are merged, with the directory and its time'
new_source 'mkdir d e; touch -d @5 d e'
sandbox "$D" 'touch -d @7 d; echo 1 >e/f; touch -d @7 e'
check 'a directory of which only the time is another' choose 'grep ^P | cut -f2' ''
is "$(stat -c %Y "$S/d"; plan)" $'7\nA\te/f' '... is a change'
afsync --undo "$S"
is "$STATUS:$(stat -c %Y "$S/d")" 0:5 '... that can be undone'

# Whatever the names are.
new_source 'true'
odd=$'a\tb\nc \\x41 \377\033'
ODD=$odd sandbox "$D" 'echo 1 >"$ODD"; echo 1 >other; echo 1 >A'
check 'an odd name in a line' choose 'grep 377 -v | grep x41 | cut -f2' ''
is "$(ls "$S")" "$(cd "$T" && mkdir odd && touch "odd/$odd" && ls odd)" '... is that name alone'
new_source 'true'
ODD=$odd sandbox "$D" 'echo 1 >"$ODD"; echo 1 >other; echo 1 >A'
check 'an odd name with NUL' choose "grep -za x41 | cut -z -f2-" '-0'
is "$(ls "$S")" "$(ls "$T/odd")" '... is that name alone'
afsync --only <(printf 'x\0') "$D"
is "$STATUS" 2 'NUL without -0 is refused'
afsync --only "$T/none" "$D"
is "$STATUS" 2 'a list that is not there'

# --exclude.
new_source "$base"
sandbox "$D" "$work; echo 1 >x.o; echo 1 >new/y.o"
afsync --exclude '*.o' --exclude /dir/ "$D"
is "$STATUS" 0 '--exclude'
is "$(plan)" "$(printf 'M\tdir/x\nA\tnew/y.o\nA\tx.o')" '... stays in the delta'
is "$(cat "$S/a" "$S/new/g" "$S/dir/x" | paste -sd ' ')" '1 1 0' '... and the rest is merged'
printf 'new\nx.o\n' >"$T/list"
afsync --only "$T/list" --exclude x.o "$D"
is "$(plan)" "$(printf 'M\tdir/x\nA\tx.o')" 'both'

done_testing
