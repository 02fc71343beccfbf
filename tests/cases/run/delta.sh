#!/bin/bash
# A run's writes: into a delta, merged into the source when the command has ended well, and kept and
# named where they were not.
. "$(dirname "$0")/../../lib.sh"
. "$(dirname "$0")/../../runlib.sh"

# The runs here are not --direct; all of the source may be written but secrets.
run()
{
	"$AFRUN" -q -C "$SRC" -p development "$@"
}

fresh()
{
	rm -rf "$SRC" "$T/own"
	mkdir -p "$SRC/d"
	echo one >"$SRC/f"
	echo two >"$SRC/d/g"
	echo SECRET=1 >"$SRC/.env"
	chmod 755 "$SRC/f"
}

# The temporary deltas that are there.
kept()
{
	find "$SRC/.agentfense/deltas" -mindepth 1 -maxdepth 1 2>/dev/null
}

fresh
before=$(find "$SRC" | sort)
check 'a run that writes nothing' run -- true
is "$(find "$SRC" | sort)" "$before" 'leaves nothing behind'
is "$(status_of run -- sh -c 'exit 7')" 7 'nor one that fails'
is "$(find "$SRC" | sort)" "$before" 'and writes nothing'

check 'a run that writes' run -- sh -ec '
	echo more >>f; echo new >d/new; rm d/g; mkdir e; echo x >e/x; ln -s f l; chmod 700 f
	test "$(cat f)" = "one
more"'
is "$(cat "$SRC/f")" $'one\nmore' 'merged when it ends with 0: changed'
is "$(cat "$SRC/d/new" "$SRC/e/x")" $'new\nx' 'made'
refute 'deleted' test -e "$SRC/d/g"
is "$(readlink "$SRC/l")" f 'a symlink'
is "$(stat -c %a "$SRC/f")" 700 'a mode'
is "$(kept)" '' 'and no delta is left'
check 'taken back' "$AFSYNCD" -q --undo "$SRC"
is "$(cat "$SRC/f")" one 'as it was'
is "$(cat "$SRC/d/g")" two 'what was deleted as well'
is "$(stat -c %a "$SRC/f")" 755 'and the mode'
refute 'what was made is gone' test -e "$SRC/e"

fresh
echo before >"$SRC/seen"
"$AFRUN" -q -C "$SRC" -p development -- sh -c 'echo after >seen; until [ -e /tmp/go ]; do sleep 0.05
	[ -e stop ] && exit 0; done' &
pid=$!
wait_for 10 test -d "$SRC/.agentfense/deltas"
sleep 0.3
is "$(cat "$SRC/seen")" before 'while it runs, the source is as it was'
echo stop >"$SRC/stop"
wait "$pid"
is "$(cat "$SRC/seen")" after 'and then it is not'

fresh
is "$(status_of run -- sh -c 'echo lost >>f; exit 3' 2>"$T/err")" 3 'the status of a command that fails'
is "$(cat "$SRC/f")" one 'nothing is merged then'
delta=$(kept)
like "$(cat "$T/err")" "kept in $delta; .afsyncd -n $delta. shows it" 'what it wrote is kept, and named'
is "$("$AFSYNCD" -n "$delta")" $'M\tf' 'and can be shown'
check 'merged by hand' "$AFSYNCD" -q "$delta"
is "$(cat "$SRC/f")" $'one\nlost' 'it is there'
check 'and thrown away' "$AFSYNCD" --discard "$delta"
is "$(kept)" '' 'which leaves none'

fresh
check '--sync never' run --sync never -- sh -c 'echo x >>f' 2>"$T/err"
is "$(cat "$SRC/f")" one 'merges nothing'
is "$(kept | wc -l)" 1 'and keeps it'
fresh
is "$(status_of run --sync always -- sh -c 'echo x >>f; exit 9')" 9 '--sync always'
is "$(cat "$SRC/f")" $'one\nx' 'merges whatever the status'

fresh
check '-D' run -D "$T/own" --sync never -- sh -c 'echo x >>f' 2>"$T/err"
is "$("$AFSYNCD" -n "$T/own")" $'M\tf' 'keeps the delta there'
check 'a second run on it' run -D "$T/own" --sync never -- sh -c 'test "$(cat f)" = "one
x" && echo y >>f' 2>>"$T/err"
check 'and one that merges' run -D "$T/own" -- true
is "$(cat "$SRC/f")" $'one\nx\ny' 'all of it is there'
check 'the delta is there still' test -d "$T/own/upper"
is "$("$AFSYNCD" -n "$T/own")" '' 'and empty'
check 'it can be used again' run -D "$T/own" -- sh -c 'echo z >>f'
is "$(tail -n 1 "$SRC/f")" z 'and merges again'
refute 'nothing is kept in the source' test -e "$SRC/.agentfense/deltas"

# Two that change one file.
conflict()
{
	fresh
	"$AFRUN" -q -C "$SRC" -p development --conflict "$1" --report "$T/report" -- sh -c '
		echo ours >f; echo alone >mine; touch here; until [ -e gone ]; do sleep 0.05; done' \
		2>"$T/err" &
	pid=$!
	wait_for 10 find "$SRC/.agentfense/deltas" -name here | grep -q . || true
	until find "$SRC/.agentfense/deltas" -name here 2>/dev/null | grep -q .; do sleep 0.05; done
	echo theirs >"$SRC/f"
	touch "$SRC/gone"
	wait "$pid"
}
conflict keep
is "$(cat "$SRC/f")" theirs "--conflict keep: the source's stays"
is "$(cat "$SRC/mine")" alone 'what is in no conflict is merged'
delta=$(kept)
is "$("$AFSYNCD" -n "$delta" --conflict keep | cut -f 2)" f 'ours stays in the delta'
like "$(cat "$T/err")" "not all could be merged; the rest: kept in $delta" 'and is named'
report_lists()
{
	python3 -c 'import json, sys; r = json.load(open(sys.argv[1]))
print(*[sorted(r[k]) for k in ("merged", "kept", "conflicts", "held")], r["delta"])' "$T/report"
}
is "$(report_lists)" "['here', 'mine'] ['f'] ['f'] [] $delta" 'the report has all of it'
conflict both
is "$(cat "$SRC/f")" theirs "--conflict both: the source's stays"
is "$(cat "$SRC"/f.conflict-*)" ours 'and ours is beside it'
is "$(kept)" '' 'nothing is kept'
conflict lww
is "$(cat "$SRC/f")" theirs 'lww: the later wins'
is "$(report_lists)" "['f', 'here', 'mine'] [] ['f'] [] None" 'the report'

# What is held back.
fresh
mkdir "$SRC/.git"
check 'what is dangerous to the host' run -r write:.git/ --report "$T/report" -- sh -c '
	mkdir -p .git/hooks; echo bad >.git/hooks/post-checkout; echo good >>f' 2>"$T/err"
refute 'is held back' test -e "$SRC/.git/hooks"
is "$(tail -n 1 "$SRC/f")" good 'and the rest merged'
like "$(report_lists)" "'.git/hooks/post-checkout'\\] /" 'the report has it'

# What the policy hides is neither seen nor changed.
fresh
is "$(status_of run -- cat .env 2>&1)" $'cat: .env: No such file or directory\n1' 'a secret is hidden'
refute "nor is afrun's own directory there" run -- test -e .agentfense
is "$(status_of run -- sh -c 'mkdir .agentfense' 2>&1 | tail -n 1)" 1 'nor can it be made'
is "$(status_of run -- sh -c 'echo x >.env' 2>&1 | tail -n 1)" 1 'nor written'
is "$(cat "$SRC/.env")" SECRET=1 'it is as it was'

fresh
is "$(status_of run --delta-size 1M -- sh -c 'head -c 3M /dev/zero >big' 2>/dev/null)" 1 \
	'--delta-size holds'
refute 'nothing of it is merged' test -e "$SRC/big"
rm -rf "$SRC/.agentfense"

# Killed, each at its time: the source is whole, and the delta kept.
for victim in afrun agentfensefs bwrap; do
	fresh
	"$AFRUN" -q -C "$SRC" -p development -- sh -c 'echo x >>f; touch here; sleep 60' 2>/dev/null &
	pid=$!
	until find "$SRC/.agentfense/deltas" -name here 2>/dev/null | grep -q .; do sleep 0.05; done
	if [ "$victim" = afrun ]; then kill -9 "$pid"; else kill -9 "$(process_named "$victim")"; fi
	wait "$pid" 2>/dev/null
	is "$(cat "$SRC/f")" one "$victim killed: the source is whole"
	delta=$(kept)
	wait_for 10 check_unlocked "$delta"
	is "$("$AFSYNCD" -n "$delta" | cut -f 1,2)" $'M\tf\nA\there' 'its delta is kept'
	check 'and can be merged' "$AFSYNCD" -q "$delta"
	is "$(cat "$SRC/f")" $'one\nx' 'it is there'
done

# Many at once lose nothing, and leave nothing.
fresh
seq 40 | xargs -P 8 -I{} "$AFRUN" -q -C "$SRC" -p development -- \
	sh -c 'mkdir -p out; echo {} >out/{}; echo {} >d/{}' 2>"$T/err"
is "$?" 0 'forty runs, eight at a time'
is "$(cat "$T/err")" '' 'have nothing to say'
is "$(cat "$SRC"/out/* | sort -n | xargs)" "$(seq 40 | xargs)" 'and lose nothing'
is "$(cat "$SRC"/d/[0-9]* | sort -n | xargs)" "$(seq 40 | xargs)" 'in a directory that was there as well'
is "$(kept)" '' 'and leave no delta'

fresh
dry=$("$AFRUN" -C "$SRC" --dry-run --conflict both -- true)
like "$dry" 'delta=.*/.agentfense/deltas/' '--dry-run shows the delta'
like "$dry" 'afsyncd.* --conflict both' 'and the merge'
refute 'and makes nothing' test -e "$SRC/.agentfense"
done_testing
