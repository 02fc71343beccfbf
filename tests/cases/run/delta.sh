#!/bin/bash
# A run's writes: into a delta, merged into the source when the command has ended well, and kept and
# named where they were not. Several runs at once, and killed ones: delta_many.sh, delta_killed.sh.
. "$(dirname "$0")/../../lib.sh"
. "$(dirname "$0")/../../runlib.sh"
. "$(dirname "$0")/../../rundelta.sh"
need_sandbox
# A path of which a shell makes several words.
SRC="$T/the source"

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
check 'deleted' test ! -e "$SRC/d/g"
is "$(readlink "$SRC/l")" f 'a symlink'
is "$(stat -c %a "$SRC/f")" 700 'a mode'
is "$(stat -c %u "$SRC/f" "$SRC/d/new" "$SRC/e" | sort -u)" "$(id -u)" 'all of it is ours'
is "$(kept)" '' 'and no delta is left'
check 'taken back' "$AFSYNCD" -q --undo "$SRC"
is "$(cat "$SRC/f")" one 'as it was'
is "$(cat "$SRC/d/g")" two 'what was deleted as well'
is "$(stat -c %a "$SRC/f")" 755 'and the mode'
check 'what was made is gone' test ! -e "$SRC/e"

fresh
echo before >"$SRC/seen"
start -q -- sh -c 'echo after >seen; until [ -e stop ]; do sleep 0.05; done'
check 'a run that goes on has written' wait_for 10 is_written seen
is "$(cat "$SRC/seen")" before 'while it runs, the source is as it was'
is "$(run -- cat seen)" before 'as another run sees it'
is "$(status_of run -- sh -c 'ls -a . | grep -c agentfense')" $'0\n1' 'which does not see the delta'
is "$(cd "$SRC" && status_of run -- cat .agentfense/deltas/*/upper/seen 2>/dev/null)" 1 \
	'nor gets there by its name'
echo stop >"$SRC/stop"
wait "$RUN"
is "$(cat "$SRC/seen")" after 'and then it is not'

# ---- --sync -----------------------------------------------------------------------------------

fresh
is "$(status_of loud -- sh -c 'echo lost >>f; exit 3' 2>"$T/err")" 3 'the status of a command that fails'
is "$(cat "$SRC/f")" one 'nothing is merged then'
delta=$(kept)
like "$(cat "$T/err")" "^afrun: the command failed; what it wrote: kept in $delta; .afsyncd -n '$delta'. shows it$" \
	'what it wrote is kept, and named'
is "$("$AFSYNCD" -n "$delta")" $'M\tf' 'and can be shown'
if is_root && [ -e /proc/sys/kernel/random/boot_id ]; then
	cat /proc/sys/kernel/random/uuid >"$T/boot_id"
	# shellcheck disable=SC2016 # for the shell inside
	restarted=(unshare --mount sh -c 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"' "$T/boot_id")
	check 'also when the machine was restarted' "${restarted[@]}" "$AFSYNCD" --only /dev/null -q "$delta"
else
	skip 'when the machine was restarted' 'only root can play that'
fi
check 'merged by hand' "$AFSYNCD" -q "$delta"
is "$(cat "$SRC/f")" $'one\nlost' 'it is there'
check 'and thrown away' "$AFSYNCD" --discard "$delta"
is "$(kept)" '' 'which leaves none'

fresh
is "$(status_of run -- sh -c 'echo lost >>f; exit 3' 2>&1)" 3 'with -q nothing is said of it'
is "$(kept | wc -l)" 1 'but it is kept'
fresh
is "$(status_of run -t 0.3 -- sh -c 'echo x >>f; sleep 30')" 124 'one that takes too long'
is "$(cat "$SRC/f")" one 'is one that failed'
is "$(kept | wc -l)" 1 'and kept'

fresh
is "$(status_of loud --sync never -- sh -c 'echo x >>f' 2>"$T/err")" 0 '--sync never'
is "$(cat "$SRC/f")" one 'merges nothing'
is "$(kept | wc -l)" 1 'and keeps it'
command=$(sed -n 's/^afrun: what was written: kept in .*`afsyncd\(.*\)` shows it$/"$AFSYNCD"\1/p' "$T/err")
is "$(eval "$command")" $'M\tf' 'the command of the message shows it'
is "$(run --sync never -- sh -c 'echo x >>f' 2>&1)" '' 'with -q nothing is said'
fresh
is "$(status_of run --sync always -- sh -c 'echo x >>f; exit 9')" 9 '--sync always'
is "$(cat "$SRC/f")" $'one\nx' 'merges whatever the status'
is "$(kept)" '' 'and keeps nothing'
fresh
check '--sync success' run --sync success -- sh -c 'echo x >>f'
is "$(cat "$SRC/f")" $'one\nx' 'merges what ended well'
is "$(status_of run --sync success -- sh -c 'echo y >>f; false')" 1 'and what did not'
is "$(cat "$SRC/f")" $'one\nx' 'it does not'

if command -v script >/dev/null; then
	export AFRUN SRC
	on_terminal() { script -qec '"$AFRUN" '"$1"' -C "$SRC" -p development -- sh -c "date >f"' /dev/null </dev/null; }
	like "$(on_terminal '')" '1 change merged' 'on a terminal the merge is told'
	unlike "$(on_terminal -q)" 'merged' 'unless -q'
else
	skip 'on a terminal the merge is told' 'script(1) is not installed'
fi
is "$(loud -- sh -c 'date >f' 2>&1)" '' 'elsewhere it is not'
like "$(loud -v -- sh -c 'date >f' 2>&1)" '1 change merged' 'but with -v'

# ---- -D, --state, --delta-size, a full disk ---------------------------------------------------

fresh
check '-D' run -D "$T/own" --sync never -- sh -c 'echo x >>f'
is "$("$AFSYNCD" -n "$T/own")" $'M\tf' 'keeps the delta there'
check 'a second run on it' run -D "$T/own" --sync never -- sh -c 'test "$(cat f)" = "one
x" && echo y >>f'
check 'and one that merges' run -D "$T/own" -- true
is "$(cat "$SRC/f")" $'one\nx\ny' 'all of it is there'
check 'the delta is there still' test -d "$T/own/upper"
is "$("$AFSYNCD" -n "$T/own")" '' 'and empty'
check 'it can be used again, and be named from here' sh -c \
	'cd "$1" && shift && exec "$@" -D own -- sh -c "echo z >>f"' - "$T" "$AFRUN" -q -C "$SRC" -p development
is "$(tail -n 1 "$SRC/f")" z 'and merges again'
check 'nothing is kept in the source' test ! -e "$SRC/.agentfense/deltas"
start -q -D "$T/own" -- sh -c 'echo w >>f; until [ -e stop ]; do sleep 0.05; done'
check 'while one has it' wait_for 10 test -s "$T/own/upper/f"
is "$(status_of run -D "$T/own" -- true 2>"$T/err")" 125 'another one fails'
like "$(cat "$T/err")" 'in use by process' 'and says why'
echo >"$SRC/stop"
wait "$RUN"
is "$(status_of run -D "$T/no/own" -- true 2>"$T/err")" 125 'one that cannot be made'
like "$(cat "$T/err")" "$T/no" 'is told'

fresh
check '--state' run --state "$T/state" -- sh -c 'echo x >>f'
is "$(cat "$SRC/f")" $'one\nx' 'merges as well'
check 'with nothing of ours in the source' test ! -e "$SRC/.agentfense"
check 'and is what undo takes' "$AFSYNCD" -q --undo --state "$T/state" "$SRC"
is "$(cat "$SRC/f")" one 'as it was'
check 'one that is not merged' run --state "$T/state" --sync never -- sh -c 'echo x >>f'
is "$("$AFSYNCD" -n "$T"/state/deltas/*)" $'M\tf' 'is kept there'
rm -rf "$T/state"

fresh
mkdir "$T/elsewhere"
ln -s "$T/elsewhere" "$SRC/.agentfense"
is "$(status_of run -- true 2>"$T/err")" 125 'a state directory that is a symlink'
like "$(cat "$T/err")" '\.agentfense: it is no directory of ours: name another one with --state' 'is not followed'
is "$(ls -A "$T/elsewhere")" '' 'and nothing is written there'
check 'with --state it goes' run --state "$T/state" -- true
if is_root; then
	fresh
	as_user true
	mkdir "$SRC/.agentfense"
	chown aftest: "$SRC/.agentfense"
	is "$(status_of run -- true 2>"$T/err")" 125 "nor is somebody else's"
	like "$(cat "$T/err")" '\.agentfense: it belongs to somebody else: name another directory with --state' \
		'which is told'
	chown -R aftest: "$SRC"
	rmdir "$SRC/.agentfense"
	check "root's run of a user's source" run -- sh -c 'id -un >who'
	is "$(stat -c %U "$SRC/who") $(cat "$SRC/who")" 'aftest aftest' "is that user's, and so is what it made"
	is "$(stat -c '%u %a' "$SRC/.agentfense")" '0 700' 'but for what root needs for undo'
else
	skip "somebody else's" 'nobody is there'
fi

fresh
if is_root; then
	skip 'a source that we may not write to' 'root may'
else
	chmod 555 "$SRC"
	is "$(run -- cat f)" one 'a source that we may not write to'
	is "$(ls -A "$HOME/.local/state/agentfense" 2>&1)" '' 'leaves nothing anywhere'
	check 'and what is ours below it' run -- sh -c 'echo x >d/x'
	is "$(cat "$SRC/d/x")" x 'merged'
	check 'with nothing of ours in it' test ! -e "$SRC/.agentfense"
	check 'but in our home' test -d "$HOME/.local/state/agentfense"
	XDG_STATE_HOME=$T/xdg run --sync never -- sh -c 'echo x >d/x'
	check 'or where XDG_STATE_HOME is' test -d "$T/xdg/agentfense"
	chmod 755 "$SRC"
fi

fresh
is "$(status_of run --delta-size 1M -- sh -c 'head -c 3M /dev/zero >big' 2>"$T/err")" 1 '--delta-size holds'
like "$(cat "$T/err")" 'No space left' 'and the command learns why'
check 'nothing of it is merged' test ! -e "$SRC/big"
check 'what fits is written' run --delta-size 4M -- sh -c 'head -c 3M /dev/zero >big'
is "$(stat -c %s "$SRC/big")" 3145728 'and merged'

fresh
mkdir "$T/small"
if is_root && mount -t tmpfs -o size=2m small "$T/small" 2>"$T/err"; then
	is "$(status_of loud -D "$T/small/own" -- sh -c 'echo x >>f; head -c 8M /dev/zero >big' 2>"$T/err")" 1 \
		'a full disk beneath the delta'
	like "$(cat "$T/err")" 'No space left' 'is what the command sees'
	is "$(cat "$SRC/f")" one 'the source is whole'
	check 'the delta can be mounted again, and the command make room' \
		run -D "$T/small/own" --sync always -- sh -c 'rm -f big; test "$(cat f)" = "one
x"'
	is "$(cat "$SRC/f")" $'one\nx' 'and merged into another filesystem'
	check 'where big never was' test ! -e "$SRC/big"
	umount "$T/small"
	mount -t tmpfs -o size=2m small "$T/small"
	echo one >"$T/small/f"
	is "$(status_of run -C "$T/small" -D "$T/big" -- sh -c 'echo x >>f; head -c 3M /dev/zero >big' 2>"$T/err")" 0 \
		'a full disk beneath the source'
	like "$(cat "$T/err")" 'No space left' 'is what the merge says'
	like "$(cat "$T/err")" "nothing was merged; what was written: kept in $T/big; .afsyncd -n $T/big. shows it" \
		'and what was written is named, with -q too'
	is "$(cd "$T/small" && head -n 5 ./*)" one 'the source is whole'
	mount -o remount,size=8m "$T/small"
	check 'with more room' "$AFSYNCD" -q "$T/big"
	is "$(cat "$T/small/f") $(stat -c %s "$T/small/big")" $'one\nx 3145728' 'all of it is merged'
	umount "$T/small"
else
	skip 'a full disk beneath the delta' 'it cannot be mounted'
fi

# ---- conflicts --------------------------------------------------------------------------------

# conflict POLICY [OURS]: f and mine are written in a run, and f in the source meanwhile.
conflict()
{
	fresh
	seq 20 >"$SRC/f"
	start --conflict "$1" --report "$T/report" -- sh -c '
		sed -i "s/^3$/ours/" f; echo alone >mine; echo here >here
		until [ -e gone ]; do sleep 0.05; done; eval "$0"' "${2:-:}" 2>"$T/err"
	wait_for 10 is_written here || diag 'nothing was written'
	sed -i 's/^17$/theirs/' "$SRC/f"
	echo >"$SRC/gone"
	wait "$RUN"
}
ours=$(seq 20 | sed 's/^3$/ours/') theirs=$(seq 20 | sed 's/^17$/theirs/')

conflict keep
is "$?" 0 'the status of a run with a conflict is the command'"'"'s own'
is "$(cat "$SRC/f")" "$theirs" "--conflict keep: the source's stays"
is "$(cat "$SRC/mine")" alone 'what is in no conflict is merged'
delta=$(kept)
is "$("$AFSYNCD" -n "$delta" --conflict keep | cut -f 1,2)" $'C\tf' 'ours stays in the delta'
like "$(cat "$T/err")" "not all could be merged; the rest: kept in $delta" 'and is named'
is "$(report_lists)" "['here', 'mine'] ['f'] ['f'] [] $delta" 'the report has all of it'
conflict both
is "$(cat "$SRC/f")" "$theirs" "--conflict both: the source's stays"
is "$(cat "$SRC"/f.conflict-*)" "$ours" 'and ours is beside it'
is "$(kept)" '' 'nothing is kept'
conflict lww
is "$(cat "$SRC/f")" "$theirs" '--conflict lww: the later wins'
is "$(report_lists)" "['f', 'here', 'mine'] [] ['f'] [] None" 'the report'
conflict lww 'sed -i "s/^3$/ours/" f'
is "$(cat "$SRC/f")" "$ours" 'whoever that is'
conflict merge
is "$(cat "$SRC/f")" "$(seq 20 | sed 's/^3$/ours/; s/^17$/theirs/')" '--conflict merge: both are in it'
is "$(kept)" '' 'nothing is kept'
conflict fail
is "$(cat "$SRC/f")" "$theirs" "--conflict fail: the source's stays"
check 'nothing is merged' test ! -e "$SRC/mine"
is "$(report_lists)" "[] ['f', 'here', 'mine'] ['f'] [] $(kept)" 'the report'

fresh
run --sync never --report "$T/report" -- sh -c 'echo x >>f; rm d/g'
is "$(report_lists)" "[] ['d/g', 'f'] [] [] $(kept)" 'the report of what is not to be merged'
fresh
run -D "$T/own" --report "$T/report" -- sh -c 'echo x >>f; mv d/g d/h'
is "$(report_lists)" "['d/h', 'f'] [] [] [] $T/own" "of the caller's own delta, with a renamed file"
run --report "$T/report" -- true
is "$(report_lists)" '[] [] [] [] None' 'of a run that writes nothing'
run --direct --report "$T/report" -- sh -c 'echo x >>f'
is "$(report_lists)" '[] [] [] [] None' 'of --direct'

# ---- what is not merged, and not seen ---------------------------------------------------------

fresh
mkdir "$SRC/.git"
is "$(status_of "$AFRUN" -C "$SRC" -p full-access --report "$T/report" -- sh -ec '
	mkdir -p .git/hooks; echo bad >.git/hooks/post-checkout; echo good >>f' 2>"$T/err")" 0 \
	'what is dangerous to the host'
check 'is held back' test ! -e "$SRC/.git/hooks/post-checkout"
is "$(tail -n 1 "$SRC/f")" good 'and the rest merged'
like "$(report_lists)" "\['.git/hooks', '.git/hooks/post-checkout'\] $(kept)" 'the report has it'
like "$(cat "$T/err")" "not all could be merged; the rest: kept in $(kept)" 'and so has the caller'

fresh
is "$(status_of run -- cat .env 2>&1)" $'cat: .env: No such file or directory\n1' 'a secret is hidden'
refute "nor is afrun's own directory there" run -- test -e .agentfense
refute 'nor can it be made' run -- mkdir .agentfense
refute 'nor a secret be written' run -- sh -c 'echo x >.env'
is "$(cat "$SRC/.env")" SECRET=1 'it is as it was'

fresh
dry=$("$AFRUN" -C "$SRC" --dry-run --conflict both --delta-size 5M -- true)
like "$dry" 'delta=.*/.agentfense/deltas/' '--dry-run shows the delta'
like "$dry" 'quota=5M' 'its size'
like "$dry" 'afsyncd.* --conflict both' 'and the merge'
check 'and makes nothing' test ! -e "$SRC/.agentfense"
done_testing
