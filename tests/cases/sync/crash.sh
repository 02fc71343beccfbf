#!/bin/bash
# Crash safety of merges, undo and discard: a fault at every system call that they make. What must hold
# after each is tests/fixtures/crash_walk.c's to say; here is what is merged.
#
# AF_CRASH=all walks everything, which takes some minutes.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"

WALK=$BUILD/tests/crash_walk
ALL=${AF_CRASH:-}

# pattern NAME SOURCE SANDBOX [SINCE]: $T/NAME, of scripts that make the source, that run in the sandbox,
# and that change the source afterwards.
pattern()
{
	mkdir -p "$T/$1"
	S=$T/$1/source
	mkdir "$S"
	run_in "$S" "$2"
	sandbox "$T/$1/delta" "$3"
	run_in "$S" "${4:-}"
}

# walk NAME WALK FAULT PATTERN [OPTION]... [-- AFSYNCD-OPTION]...
walk()
{
	local name=$1 walk=$2 fault=$3 pattern=$T/$4 status=0 options=() work
	shift 4
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	[ $# -gt 0 ] && shift
	work=$(mktemp -d "$T/work.XXXXXX")
	"$WALK" "${options[@]}" "$walk" "$fault" "$pattern" "$work" "$AFSYNCD" "$@" >"$work.log" || status=$?
	case $status in
	77) skip "$name" 'no such fault on this machine' ;;
	*)
		ok "$status" "$name: $(tail -n 1 "$work.log")"
		sed '$d' "$work.log" >&2
		;;
	esac
	rm -rf "$work"
}

make_source='
	for f in mod del ren hold.txt typ deep; do echo "$f of the source" >$f; done
	printf "%s\n" one two three four five six seven >text
	echo attrs >mode; echo attrs >time; echo attrs >xattr; setfattr -n user.note -v old xattr mod
	echo two >link1; ln link1 link2; ln -s mod sym
	for f in gone pair mix; do echo $f >${f}1; ln ${f}1 ${f}2; done
	 mkdir -p dir/deep gone/below tofile sub
	echo x >dir/x; echo y >dir/deep/y; echo z >gone/below/z; echo w >tofile/w; echo todir >todir
	echo both >both; echo s >sub/s; chmod 640 mod; chmod 555 sub; mkdir .vscode; echo {} >.vscode/settings.json
	touch -d 2001-02-03T04:05:06.789 mod del ren dir/x time dir/deep dir both text tofile gone'
change='
	echo more >>mod; rm del; mv ren renamed; mkdir -p new/tree/below; echo n >new/tree/n; echo a >added
	chmod 600 mode; touch -d 2002-02-03T04:05:06.789 time; setfattr -n user.note -v new xattr
	echo three >link1; rm gone1 gone2; chmod 600 pair1 mix1; rm mix2; ln -sfn added sym; ln -s added sym2; mv dir moved; rm -r gone
	rm -r tofile; echo now >tofile; rm todir; mkdir todir; echo t >todir/t; echo pair >p1; ln p1 p2
	sed -i s/two/TWO/ text; echo ours >>both; rm typ; ln -s mod typ; chmod 700 sub; echo s2 >sub/s2
	head -c 100000 /dev/zero | tr "\0" x >large'
since='sed -i s/six/SIX/ text; echo theirs >>both'

pattern all "$make_source" "$change; echo {1} >.vscode/settings.json; echo >.envrc" "$since"
pattern clean "$make_source" "$change"

#walk x merge kill all -- --conflict merge
#walk x merge kill clean
[ -n "${KEEP:-}" ] && cp -a "$T" "$KEEP"
done_testing
