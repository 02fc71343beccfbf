#!/bin/bash
# Crash safety of merges, undo and discard: a fault at every system call that they make. What must hold
# after each is tests/fixtures/crash_walk.c's to say; here is what is merged, and how it is walked.
#
# SIGKILL meets every call that changes something, in a merge that has one of everything and in its undo.
# What else there is takes half an hour, so it is done in strides, beginning anywhere; AF_CRASH=all does
# all of it, but for the second crashes, of which there are too many. A walk that failed tells at which
# call: with -o it can be repeated from there.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"

WALK=$BUILD/tests/crash_walk
ALL=
[ "${AF_CRASH:-}" != all ] || ALL=1
# Root's walks are the thorough ones, unless each step takes a sanitizer's time.
THINNER=1
is_root || THINNER=4
case $BUILD in */asan | */tsan) THINNER=5 ;; esac

# In memory a sync costs nothing. Where that can hold a delta, $T is another filesystem for one.
PLACE=$T
MEMORY=$(mktemp -d /dev/shm/crash.XXXXXXXX) || MEMORY=$T/memory
trap 'STATUS=$?; chmod -R u+rwX "$MEMORY"; rm -rf "$MEMORY"; (exit "$STATUS"); af_exit' EXIT
setfattr -n user.overlay.test -v y "$MEMORY" 2>/dev/null && PLACE=$MEMORY

# pattern NAME SOURCE SANDBOX [SINCE]: $T/NAME, by scripts that make the source, that run in the sandbox,
# and that change the source afterwards.
pattern()
{
	mkdir "$T/$1"
	S=$T/$1/source
	mkdir "$S"
	run_in "$S" "$2"
	sandbox "$T/$1/delta" "$3"
	run_in "$S" "${4:-}"
}

# walk STRIDE WALK FAULT PATTERN [OPTION]... [-- AFSYNCD-OPTION]...: begins one; as many go on at once as
# there are processors. STRIDE,ALL: and where all is walked.
names=()
walk()
{
	local stride=$((${1%,*} * THINNER)) what=("$2" "$3" "$T/$4") flags=() work
	[ -z "$ALL" ] || stride=${1#"${1%,*}"} stride=${stride:-,1} stride=${stride#,}
	[ -z "$ALL" ] || [ "$3" != kill ] || [ "$2" = recover ] || flags=(-a)
	names+=("$4: $2, $3${5:+ (${*:5})}")
	shift 4
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		flags+=("$1")
		shift
	done
	[ "$stride" -eq 1 ] || flags+=(-s "$stride" -o $((RANDOM % stride + 1)))
	work=$PLACE/${#names[@]}
	mkdir "$work"
	while [ "$(jobs -pr | wc -l)" -ge "$(nproc)" ]; do
		wait -n
	done
	{
		timeout 3000 "$WALK" "${flags[@]}" "${what[@]}" "$work" "$AFSYNCD" "${@:2}" >"$work.log" 2>&1
		echo $? >"$work.status"
	} &
}

results()
{
	local i status
	wait
	for ((i = 1; i <= ${#names[@]}; i++)); do
		status=$(cat "$PLACE/$i.status")
		if [ "$status" = 77 ]; then
			skip "${names[i - 1]}" 'no such fault on this machine'
		else
			ok "$status" "${names[i - 1]}: $(tail -n 1 "$PLACE/$i.log" | sed 's/^.*: //')" || diag "$(cat "$PLACE/$i.log")"
		fi
	done
}

source='
	for f in mod del ren typ; do echo "$f of the source" >$f; done; printf "%s\n" 1 2 3 4 5 6 7 >text
	echo m >mode; echo t >time; echo x >xattr; setfattr -n user.note -v old xattr mod; chmod 640 mod
	for f in link gone pair mix; do echo $f >${f}1; ln ${f}1 ${f}2; done; ln -s mod sym; ln -s mod linkdir
	mkdir -p dir/deep rmdir/below tofile sub .vscode; echo x >dir/x; echo y >dir/deep/y; echo z >rmdir/below/z
	echo w >tofile/w; echo d >todir; echo both >both; echo keeps >keeps; echo s >sub/s; chmod 750 sub; echo {} >.vscode/settings.json
	touch -d 2001-02-03T04:05:06.789 mod del ren dir/x time dir/deep dir both text tofile rmdir'
change='
	echo more >>mod; rm del; mv ren renamed; mkdir -p new/tree/below; echo n >new/tree/n; echo a >added
	chmod 600 mode; touch -d 2002-02-03T04:05:06.789 time; setfattr -n user.note -v new xattr
	echo three >link1; rm gone1 gone2; chmod 600 pair1 mix1; rm mix2; ln -sfn added sym; ln -s added sym2
	mv dir moved; rm -r rmdir tofile; echo now >tofile; rm todir; mkdir todir; echo t >todir/t
	echo pair >new1; ln new1 new2; sed -i s/2/TWO/ text; echo ours >>both; rm typ; ln -s mod typ; rm linkdir
	mkdir linkdir; echo more >>keeps; chmod 700 sub; echo s2 >sub/s2; head -c 100000 /dev/zero | tr "\0" x >large'

# All of it is merged. With the other, something is held back and something in conflict.
pattern clean "$source" "$change"
pattern stays "$source" "$change; echo {1} >.vscode/settings.json; echo >.envrc" \
	'sed -i s/6/SIX/ text; echo theirs >>both; chmod 711 keeps; setfattr -n user.note -v theirs keeps'

# Whoever is not root needs leave to write to these.
is_root || pattern readonly '
	mkdir gone keep ren sub; for d in gone keep ren sub; do echo $d >$d/f; done; chmod 555 gone keep ren sub' '
	mkdir ro; echo x >ro/x; chmod 555 ro; chmod 755 gone; rm -r gone; chmod 755 keep; echo b >keep/b
	echo more >>keep/f; chmod 555 keep; mv ren moved; chmod 700 sub; echo s >sub/s'

walk 1 merge kill stays -e 1 -- --conflict merge
walk 1 merge kill clean
walk 1 undo kill clean
walk 1 discard kill clean
walk 4 merge kill clean -d "$T/elsewhere"
walk 9 merge kill stays -e 1 -- --conflict keep
walk 9 merge kill stays -e 1 -- --conflict both
walk 9 merge torn clean
walk 60 merge eio clean
walk 60 merge eio stays -e 1 -- --conflict both
walk 20 merge enospc clean
walk 20 merge full clean
walk 90 merge dead clean
walk 60 merge eio clean -d "$T/elsewhere.eio"
walk 20 merge full clean -d "$T/elsewhere.full"
walk 30 undo eio clean
walk 2 undo full clean
walk 60 undo dead clean
walk 20 discard eio clean
often=20 seldom=90
[ -z "$ALL" ] || often=3 seldom=20
walk 70,11 recover kill clean -i $often
walk 70,11 recover kill stays -i $often -e 1 -- --conflict both
walk 90,20 recover eio clean -i $seldom
# THINNER is for what root walks too.
THINNER=1
is_root || walk 1 merge kill readonly
is_root || walk 1 undo kill readonly
is_root || walk 5 merge eio readonly
is_root || walk 5 undo eio readonly
results

done_testing
