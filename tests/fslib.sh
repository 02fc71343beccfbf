# shellcheck shell=bash
# What the cases of the filesystem share, sourced after lib.sh.
#
#     each_user FUNCTION     as root where that is us, then as an ordinary user, each with
#                            WHO (root, user), RUNAS (as lib.sh takes it), BASE (their directory)
#     fresh_dirs             SRC and MNT, new ones, in BASE
#     mount_front OPTION...  with has_logged, reload_front, counters, counted: see there
#     run_checks PROGRAM DIR the checks of a program built on tests/fixtures/check.h
#     same_tree [-mn] A B    tests/fixtures/treecmp.c
#     make_tree DIR          a tree with everything an ordinary tree may have
#     need TOOL...           skips the case where one is missing
#     later ENAME NAME -- OP ARGS...   like errno_is, but runs with all others at run_later,
#     run_later              without a shell and a change of user for each

TREECMP=$BUILD/tests/treecmp
af_dirs=0

each_user()
{
	if is_root; then
		WHO=root RUNAS='' BASE=$T/as-root
		mkdir -p "$BASE"
		"$@"
	fi
	WHO=user RUNAS=as_user BASE=$T/user
	as_user true
	mkdir -p "$BASE"
	"$@"
	RUNAS=''
}

fresh_dirs()
{
	af_dirs=$((af_dirs + 1))
	SRC=$BASE/src$af_dirs
	MNT=$BASE/mnt$af_dirs
	$RUNAS mkdir "$SRC" "$MNT"
}

# mount_front OPTION...: MNT, in the foreground, with its messages in $T/log and its pid in daemon
mount_front()
{
	: >"$T/log"
	chmod 666 "$T/log"
	af_choose_delta "$@" "$SRC" "$MNT"
	# shellcheck disable=SC2154 # deltalib.sh sets it
	$RUNAS "$AFS" -f "${af_delta_option[@]}" "$@" "$SRC" "$MNT" 2>>"$T/log" &
	wait_for 10 is_mounted "$MNT" || { ok 1 "$WHO: mounts: $*"; return 1; }
	af_mounts+=("$MNT")
	daemon=$(daemon_of "$MNT")
}

# has_logged N ERE: whether the log of that mount has this so often by now
has_logged()
{
	[ "$(grep -cE "$2" "$T/log")" -ge "$1" ]
}

# reload_front: its daemon reads the policy again, and has done so
reload_front()
{
	local before
	before=$(grep -c 'reload: done' "$T/log")
	kill -HUP "$daemon"
	wait_for 10 has_logged $((before + 1)) 'reload: done'
}

# counters: what its daemon has counted by now, NAME=N a line
counters()
{
	local before
	before=$(grep -c 'counters:' "$T/log")
	kill -USR1 "$daemon"
	wait_for 10 has_logged $((before + 1)) 'counters:'
	grep 'counters:' "$T/log" | tail -n 1 | grep -oE '[a-z_]+=[0-9]+'
}

# counted BEFORE NAME: how much that counter has grown since counters said BEFORE
counted()
{
	local before=$1 name=$2 after
	after=$(counters)
	echo $(($(sed -n "s/^$name=//p" <<<"$after") - $(sed -n "s/^$name=//p" <<<"$before")))
}

run_checks()
{
	local line
	while IFS= read -r line; do
		case $line in
		'ok '*) ok 0 "$WHO: $1: ${line#ok }" ;;
		'not ok '*) ok 1 "$WHO: $1: ${line#not ok }" ;;
		'exit 0') ;;
		'exit '*) ok 1 "$WHO: $1: $line" ;;
		*) diag "${line#\# }" ;;
		esac
	done < <($RUNAS timeout 300 "$BUILD/tests/$1" "${@:2}" 2>&1; echo "exit $?")
}

same_tree()
{
	$RUNAS timeout 120 "$TREECMP" "$@"
}

# Run as $RUNAS, so that the entries are theirs.
make_tree()
{
	$RUNAS bash -ec '
		mkdir -p "$1"; cd "$1"; umask 022
		mkdir -p dir/sub/subsub empty private; chmod 700 private; chmod 1777 empty
		echo text >dir/file; printf "" >dir/nothing; chmod 640 dir/file
		printf "#!/bin/sh\necho run\n" >dir/script; chmod 755 dir/script
		head -c 300000 /dev/zero | tr "\0" x >dir/sub/large
		truncate -s 1M dir/sub/sparse; echo end >>dir/sub/sparse
		ln dir/file dir/sub/hard; ln dir/file hard; ln -s dir/file soft; ln -s nowhere dangling
		ln -s .. dir/sub/up; mkfifo -m 620 dir/pipe
		: >"$(printf "odd\nname \377\376 *")"; echo x >" lead"; echo x >-dash
		i=0; while [ $i -lt 40 ]; do echo $i >dir/sub/subsub/f$i; i=$((i + 1)); done
		setfattr -n user.note -v "a value" dir/file 2>/dev/null || true
		setfattr -n user.dir -v 1 dir 2>/dev/null || true
		setfacl -m u:12345:r-x,g:54321:r dir/script 2>/dev/null || true
		setfacl -m d:u:12345:rwx dir/sub/subsub 2>/dev/null || true
		chmod 400 dir/nothing
		find . -depth -exec touch -h -d "2001-02-03 04:05:06.789012345" {} +
	' sh "$1"
}

need()
{
	local tool
	for tool; do
		command -v "$tool" >/dev/null || skip_all "no $tool here"
	done
}

af_queue=$T/queue

# An old libfuse, which cannot pass O_TMPFILE on (agentfensefs --version says so).
AF_NO_TMPFILE=
case $("$AFS" --version) in
*'(lacks:'*O_TMPFILE*)
	AF_NO_TMPFILE=1
	diag 'this libfuse has no O_TMPFILE: not tested'
	;;
esac
export AF_NO_TMPFILE


later()
{
	local expected=$1 name=$2
	shift 3
	[ -n "$AF_NO_TMPFILE" ] && [[ " $* " == *' rdwr,tmpfile '* ]] && return
	local IFS=$'\x1f'
	printf '%s\n' "$*" >>"$af_queue"
	printf '%s\n' "$expected$IFS$name$IFS$*" >>"$af_queue.names"
}

run_later()
{
	local expected name got args
	$RUNAS "$SYS" batch <"$af_queue" >"$af_queue.got"
	while IFS=$'\x1f' read -r expected name args && read -r got <&3; do
		[ "$got" = "$expected" ]
		ok $? "$name" || diag "     got: $got" "expected: $expected" "of: sys ${args//$'\x1f'/ }"
	done <"$af_queue.names" 3<"$af_queue.got"
	is "$(wc -l <"$af_queue.got")" "$(wc -l <"$af_queue")" "$WHO: all were run"
	rm -f "$af_queue"*
}
