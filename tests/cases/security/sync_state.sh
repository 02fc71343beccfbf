#!/bin/bash
# A hostile SOURCE/.agentfense: what came with an archive or a repository is never taken for a merge of
# ours, and nothing outside is read, written or removed on its behalf.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"
STATE=()
JOURNALS=$BUILD/tests/journals

make_outside

hex() { printf %s "$1" | od -An -v -tx1 | tr -d ' \n'; }

# JOURNAL: what a merge that makes .git/hooks/pre-commit, replaces x and deletes gone/y leaves when it
# is killed before its first step. That it copies, and moves nothing, is byte 16 of a step.
new_source 'mkdir -p .git/hooks zz gone; echo old >x; echo old >zz/f; echo y >gone/y'
sandbox "$D" 'printf "#!/bin/sh\n" >.git/hooks/pre-commit; chmod +x .git/hooks/pre-commit; echo new >zz/canary
	echo new >x; rm gone/y'
afsync --no-hold "$D"
is "$STATUS" 0 'a merge whose journal is copied'
id=$(ls "$S/.agentfense/undo")
"$JOURNALS" dump "$S/.agentfense/undo/$id" journal >"$T/ended"
JOURNAL=$(grep -v '^6 0[34]' "$T/ended" | sed -E 's/^(4 .{32})01/\100/')
like "$JOURNAL" $'\n6 01000000' 'it is committed, and not ended'
victim=$S
cp -a "$S/.agentfense/undo/$id" "$T/undone"

# Planted in a tree as git or tar would make it.
plant()
{
	new_source 'mkdir -p .git/hooks .agentfense/stage .agentfense/undo zz gone; echo old >x; echo y >gone/y'
	"$JOURNALS" make "$S/.agentfense" journal <<<"$JOURNAL"
	for i in {0..9}; do
		echo evil >"$S/.agentfense/stage/$i"
		chmod +x "$S/.agentfense/stage/$i"
	done
}

plant
sandbox "$D" 'echo mine >w'
afsync "$D"
is "$STATUS" 2 'a planted journal is not carried out, and nothing merged'
like "$ERR" 'the journal of an interrupted merge: it came with a copy' '... and this is told'
is "$(find "$S" -path "$S/.agentfense" -prune -o -type f -printf '%P ' | sort)" 'x gone/y ' '... nothing of it is there'
is "$(cat "$S/x")" old '... nor replaced'
afsync --undo "$S"
is "$STATUS" 2 '... nor by --undo'
afsync -n "$D"
is "$STATUS:$OUT" $'0:A\tw' '-n can look all the same'
rm -r "$S/.agentfense/journal" "$S/.agentfense/stage"
afsync "$D"
is "$STATUS:$(cat "$S/w")" 0:mine 'without it the merge goes on'

# A merge that could be undone, planted.
plant
rm -r "$S/.agentfense/journal" "$S/.agentfense/stage"
cp -a "$T/undone" "$S/.agentfense/undo/$id"
for i in {0..9}; do echo evil >"$S/.agentfense/undo/$id/$i"; done
rm -r "$S/gone/y"
afsync --history "$S"
is "$STATUS:$OUT" 0: 'a planted merge is none in the history'
like "$ERR" "undo/$id: it came with a copy" '... and this is told'
afsync --undo "$S"
is "$STATUS" 2 'it is not undone'
afsync --undo "$id" "$S"
is "$STATUS" 2 '... nor by its id'
is "$(find "$S/gone" "$S/zz" -mindepth 1)" '' '... nothing of it is there'
"$JOURNALS" make "$S/.agentfense" journal <<<"kind 1196246593 2
7 $(printf '%02x000000' ${#id})$(hex "$id")00"
afsync --undo "$S"
is "$STATUS" 2 'nor is an undo under way gone on with'
is "$(find "$S/gone" "$S/zz" -mindepth 1)" '' '... nothing of it is there'
intact 'planted'

# Even of our own directory: paths that leave the source.
forged()
{
	local path=$1 forged=$2
	rm -rf "$victim/.agentfense/stage"
	mkdir "$victim/.agentfense/stage"
	for i in {0..9}; do echo evil >"$victim/.agentfense/stage/$i"; done
	"$JOURNALS" make "$victim/.agentfense" journal \
		<<<"${JOURNAL//00$(hex "$path")00/00$(hex "$forged")00}"
	cmp -s <("$JOURNALS" dump "$victim/.agentfense" journal) <(cat <<<"$JOURNAL")
	[ $? -eq 1 ]
	ok $? "forged: $forged"
	afsync --undo "$victim"
	is "$STATUS" 2 '... is refused'
	intact "$forged"
	rm -rf "$victim/.agentfense/stage" "$victim/.agentfense/journal"
}
rm -f "$victim/zz/canary"
forged zz/canary ../canary
forged zz/canary zz/canar/
forged zz/canary zz/../zzz
forged zz/canary ////////.
forged zz/canary zz/cana/..
forged gone/y ../..//
forged x .

# Every record cut, and every byte of one that matters changed: an error or a merge, nothing else.
new_source 'echo 0 >a; mkdir d'
sandbox "$D" 'echo 1 >a; echo 2 >d/b'
afsync "$D"
id=$(ls "$S/.agentfense/undo")
file=$S/.agentfense/undo/$id/journal
cp "$file" "$T/journal"
"$JOURNALS" dump "${file%/*}" journal >"$T/lines"
bad=
for ((n = 1; n <= $(wc -l <"$T/lines"); n++)); do
	head -n "$n" "$T/lines" | "$JOURNALS" make "${file%/*}" journal
	afsync --history "$S"
	[ "$STATUS" -le 2 ] || bad+=" $n:$STATUS"
	# The line with its length, types and numbers all ones from some place on.
	for at in 0 2 4 8 16 32 48; do
		sed -E "${n}s/^([1-9] .{$at}).{8}/\1ffffffff/" "$T/lines" | "$JOURNALS" make "${file%/*}" journal
		afsync --history "$S"
		[ "$STATUS" -le 2 ] || bad+=" $n/$at:$STATUS"
	done
done
is "$bad" '' 'journals that are cut or say nonsense are no crash'
cat "$T/journal" >"$file"

# Symlinks in place of what is ours.
state_of() { [ -L "$1" ] && readlink "$1"; }
for what in .agentfense .agentfense/undo .agentfense/stage .agentfense/lock .agentfense/journal .agentfense/.gitignore; do
	new_source 'echo 0 >a'
	sandbox "$D" 'echo 1 >a'
	mkdir -p "$(dirname "$S/$what")"
	target=$T/outside
	case $what in */lock | */journal | */.gitignore) target=$T/canary ;; esac
	ln -s "$target" "$S/$what"
	afsync "$D"
	case $STATUS:$(cat "$S/a") in 0:1 | 2:0) status=0 ;; *) status=1 ;; esac
	ok "$status" "$what is a symlink: refused, or replaced ($STATUS)" || diag "$ERR"
	intact "$what"
	afsync --undo "$S"
	afsync --history "$S"
	intact "$what, --undo and --history"
done

# The undo directory of a merge, one of its objects; ids that are none.
new_source 'echo 0 >a; echo keep >b'
sandbox "$D" 'echo 1 >a; rm b'
afsync "$D"
id=$(ls "$S/.agentfense/undo")
ln -s "$T/outside" "$S/.agentfense/undo/20200101T000000-000000"
mkdir "$S/.agentfense/undo/..x" "$S/.agentfense/undo/99991231T235959-999999"
mv "$S/.agentfense/undo/$id" "$T/kept"
ln -s "$T/kept" "$S/.agentfense/undo/$id"
afsync --undo "$id" "$S"
is "$STATUS:$(cat "$S/a")" 2:1 'undo/ID is a symlink: not followed'
afsync --history "$S"
is "$STATUS:$OUT" 0: '... nor is it in the history'
rm "$S/.agentfense/undo/$id"
mv "$T/kept" "$S/.agentfense/undo/$id"
for object in "$S/.agentfense/undo/$id"/[0-9]*; do
	rm "$object"
	ln -s "$T/canary" "$object"
done
afsync --undo "$S"
unlike "$(cat "$S/a" "$S/b" 2>&1)" canary 'an object that is a symlink now is not what comes back'
afsync --undo ../../outside "$S"
is "$STATUS" 2 'an id with slashes'
afsync --undo .. "$S"
is "$STATUS" 2 '... and ..'
for _ in 1 2 3; do
	sandbox "$D" "echo $RANDOM >a"
	afsync --undo-keep 1 "$D"
done
is "$STATUS" 0 'pruning with these there' || diag "$ERR"
intact 'undo'

# Hard links, FIFOs.
new_source 'mkdir .agentfense; echo 0 >a'
sandbox "$D" 'echo 1 >a'
ln "$T/canary" "$S/.agentfense/lock"
afsync "$D"
is "$STATUS:$(cat "$T/canary")" 2:canary 'a lock that has another name is not written to'
rm "$S/.agentfense/lock"
ln "$T/canary" "$S/.agentfense/journal"
afsync "$D"
is "$(cat "$T/canary")" canary '... nor such a journal'
make_outside
for name in lock journal undo stage; do
	new_source 'mkdir .agentfense; echo 0 >a'
	sandbox "$D" 'echo 1 >a'
	mkfifo "$S/.agentfense/$name"
	timeout 10 "$AFSYNCD" "$D" 2>"$T/err"
	status=$?
	[ "$status" -eq 0 ] || [ "$status" -eq 2 ]
	ok $? "$name is a FIFO: no waiting ($status)"
done

# Mode and owner.
new_source 'mkdir -m 777 .agentfense; echo 0 >a'
sandbox "$D" 'echo 1 >a'
afsync "$D"
is "$STATUS:$(stat -c %a "$S/.agentfense")" 0:700 'one that is open to all is closed'
if is_root; then
	new_source 'mkdir .agentfense; echo 0 >a'
	chown 12345 "$S/.agentfense"
	sandbox "$D" 'echo 1 >a'
	afsync "$D"
	is "$STATUS:$(cat "$S/a")" 2:0 'one of another user is refused'
	afsync --undo "$S"
	is "$STATUS" 2 '... for --undo too'
fi
intact 'all of it'

done_testing
