#!/bin/bash
# What goes on beside a merge: others that wait for it and say so, those who write, sandboxes that run on, mounts that see
# what was merged; its progress on a terminal; and what it costs: moves in place of copies, few syncs.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"
# The whole of a leak check is not to be had under strace.
TRACE=(env "ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0" strace -f -qq)
can_trace=
"${TRACE[@]}" -o /dev/null true 2>/dev/null && can_trace=1

many='for i in $(seq 100); do echo '
hundred() { cat "$S"/f* | sort | uniq -c | sed 's/^ *//'; }
# A merge of a hundred files that takes some seconds.
SLOW=("${TRACE[@]}" -o /dev/null -e trace=renameat2 -e inject=renameat2:delay_exit=15000 "$AFSYNCD" "${STATE[@]}")

# ---- others --------------------------------------------------------------------------------------

running() { kill -0 "$first" 2>/dev/null; }
pid_of_lock() { cat "$T"/state/lock 2>/dev/null; }

others()
{
	local first
	new_source "$many old >f\$i; done; echo old >other"
	sandbox "$D" "$many new >f\$i; done"
	sandbox "$D.second" 'echo new >other'
	mount_fs -o "preset=full-access,delta=$D.third" "$S" "$T/run"
	"${SLOW[@]}" -q "$D" &
	first=$!
	wait_for 10 eval 'hundred | grep -q new'
	timeout 60 "$AFSYNCD" "${STATE[@]}" "$D.second" 2>"$T/second" &
	check 'another merge into the source says that it waits, and for whom' \
		wait_for 2 grep -qx "afsyncd: $S: waiting for another merge into it: process $(pid_of_lock)" "$T/second"
	like "$(tr '\0' ' ' <"/proc/$(pid_of_lock)/cmdline")" "afsyncd.* $D " '... which is right'
	check 'a sandbox runs on' run_in "$T/run" 'echo more >>f1; echo mine >mine; rm other; cat mine'
	check '... and one can be mounted' mount_fs -o "preset=full-access,delta=$D.fourth" "$S" "$T/mnt"
	running
	ok $? '... while the merge goes on'
	is "$(cat "$S/other")" old 'the other has not begun'
	wait "$first"
	is $? 0 'the merge ends'
	wait
	is "$(hundred):$(cat "$S/other")" '100 new:new' '... and then the other, each with all that it had'
	like "$(tail -n 1 "$T/second")" '1 change merged' '... which says so'
	umount_fs "$T/mnt"
	umount_fs "$T/run"
	is "$("$AFSYNCD" -n "$D.third" | cut -f 2 | xargs)" 'f1 mine other' 'what the sandbox wrote meanwhile is in its delta'
}

# Somebody writes while a merge is taken back: what they wrote stays, and so does what had been there.
undone()
{
	local pid
	new_source "$many old >f\$i; done"
	sandbox "$D" "$many new >f\$i; done"
	rm -rf "$T/state"
	afsync -q "$D"
	"${SLOW[@]}" --undo "$S" 2>"$T/err" &
	pid=$!
	wait_for 10 eval 'hundred | grep -q old'
	echo theirs >"$S/f1"
	wait "$pid"
	is "$?:$(hundred)" $'1:99 old\n1 theirs' 'an undo of which one file was changed meanwhile: all others are undone'
	like "$(cat "$T/err")" '^afsyncd: f1: could not be taken back: ' '... it is told'
	is "$(cat "$T"/state/undo/*/[0-9]* | grep -c old)" 1 '... and what it had been is kept'
	afsync --history "$S"
	is "$(cut -f1 <<<"$OUT")" "$(ls "$T/state/undo")" '... in the history'
}

# ---- a terminal ----------------------------------------------------------------------------------

on_terminal()
{
	new_source "$many old >f\$i; done"
	sandbox "$D" "$many new >f\$i; done"
	export WORDS="${SLOW[*]@Q} $* ${D@Q}"
	timeout 60 script -qec 'eval "$WORDS"' /dev/null </dev/null >"$T/typescript"
}

terminal()
{
	command -v script >/dev/null || { skip 'progress' 'no script(1)'; return; }
	on_terminal
	like "$(cat "$T/typescript")" $'\rmerging: [1-9][0-9]* of 100' 'progress of a long merge, on a terminal'
	like "$(cat "$T/typescript")" $'\r\e\\[K[^\n]*100 changes merged' '... which is gone at the end'
	on_terminal -q
	is "$(cat "$T/typescript")" '' '... and with -q none'
	new_source "$many old >f\$i; done"
	sandbox "$D" "$many new >f\$i; done"
	timeout 60 "${SLOW[@]}" "$D" >"$T/out" 2>&1 </dev/null
	is "$(cat "$T/out")" "afsyncd: $S: 100 changes merged" 'none in a pipe or a file'
	new_source 'echo old >f'
	sandbox "$D" 'echo new >f'
	export WORDS="${AFSYNCD@Q} ${STATE[*]@Q} ${D@Q}"
	is "$(script -qec 'eval "$WORDS"' /dev/null </dev/null)" "afsyncd: $S: 1 change merged"$'\r' 'nor of a short one'
}

# ---- mounts --------------------------------------------------------------------------------------

# In a file, since what is looked at may be between two states.
sees()
{
	[ "$(cd "$1" && { cat changed added dir/in moved/x; ls . dir; cat gone old/x 2>&1; } 2>&1)" = "$2" ]
}

mounts()
{
	local mnt seen
	new_source 'mkdir dir old; echo old | tee changed gone dir/in old/x >/dev/null'
	sandbox "$D" 'echo newer | tee changed added dir/in dir/more >/dev/null; rm gone; mv old moved'
	mount_fs -o 'preset=full-access,cache=auto' "$S" "$T/plain"
	mount_fs -o "preset=full-access,cache=auto,delta=$D.other" "$S" "$T/layered"
	for mnt in plain layered; do
		# Everything is known to the kernel, also what is not there.
		(cd "$T/$mnt" && ls -lR . && cat changed gone dir/in old/x added moved/x) >/dev/null 2>&1
	done
	afsync -q "$D"
	is "$STATUS" 0 'merged'
	seen=$(cd "$S" && { cat changed added dir/in moved/x; ls . dir; cat gone old/x 2>&1; } 2>&1)
	like "$seen" $'newer\nnewer\nnewer\nold\n' '... as it should be'
	check 'within a second a mount with cache=auto sees it' wait_for 1 sees "$T/plain" "$seen" ||
		diag "$(cd "$T/plain" && ls -lR)"
	check '... and so does one with a delta of its own' wait_for 1 sees "$T/layered" "$seen" ||
		diag "$(cd "$T/layered" && ls -lR)"
	umount_fs "$T/plain"
	umount_fs "$T/layered"
}

# ---- costs ---------------------------------------------------------------------------------------

moved()
{
	local numbers
	new_source 'echo old >f; echo old >open'
	sandbox "$D" 'echo new >f; echo new >made; echo new >open; mkfifo x; rm x'
	numbers=$(cd "$D/upper" && stat -c %i f made)
	exec 9>>"$D/upper/open"
	afsync -q "$D"
	is "$STATUS:$(cd "$S" && stat -c %i f made)" "0:$numbers" 'what the delta has on the same filesystem is moved'
	is "$(getfattr -d -m user.overlay "$S/f" 2>&1)" '' '... and has nothing of its bookkeeping'
	echo late >&9
	exec 9>&-
	is "$(cat "$S/open")" new 'what somebody has open is copied: what they write later is not in the source'
}

# Where in the trace the first or last such call is.
line_of() { grep -nE "$2" "$T/trace" | "$1" -n 1 | cut -d: -f1; }

syncs()
{
	local count last
	new_source 'for i in $(seq 300); do echo old >f$i; done'
	sandbox "$D" 'for i in $(seq 300); do echo new >f$i; done; for i in $(seq 300); do echo new >g$i; done'
	"${TRACE[@]}" -y -o "$T/trace" -e trace=fsync,fdatasync,syncfs,sync,sync_file_range,renameat2,renameat,unlinkat \
		"$AFSYNCD" "${STATE[@]}" -q "$D"
	is "$?:$(cat "$S"/[fg]* | sort | uniq -c | sed 's/^ *//')" '0:600 new' '600 files are merged'
	count=$(grep -cE ' (fsync|fdatasync|syncfs|sync)\(' "$T/trace")
	[ "$count" -gt 2 ] && [ "$count" -lt 40 ]
	ok $? "... with $count syncs" || diag "$(grep -E ' (fsync|fdatasync|syncfs|sync)\(' "$T/trace" | sort -k2 | head -n 50)"
	last=$(line_of tail "renameat2.*<$S>.* = 0")
	[ -n "$last" ] && [ "$last" -lt "$(grep -nE ' syncfs\(.* = 0' "$T/trace" | tail -n 1 | cut -d: -f1)" ]
	ok $? '... one of them after all is in its place' || diag "$(tail -n 30 "$T/trace")"
	grep -nE ' syncfs\(.* = 0' "$T/trace" | cut -d: -f1 | awk -v last="$last" -v empty="$(line_of head "unlinkat.*<$D/upper")" \
		'$1 > last && (empty == "" || $1 < empty) { found = 1 } END { exit !found }'
	ok $? '... before the delta is emptied' || diag "$(grep -nE ' syncfs|unlinkat.*upper' "$T/trace" | head -n 20)"
}

if [ -n "$can_trace" ]; then
	others
	undone
	terminal
	syncs
else
	skip 'slow merges' 'nothing can be traced here'
fi
mounts
moved
done_testing
