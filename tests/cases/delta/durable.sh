#!/bin/bash
# What a delta syncs and when, as only its system calls tell (a kill loses nothing that the kernel has);
# and what happens where one of them fails: the caller is told, each file is wholly old or wholly new, and
# the mount goes on.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"
need strace

tracer=
# Those by which a delta is changed. What the daemon answers with is another (writev).
CALLS=fsync,fdatasync,renameat,renameat2,linkat,unlinkat,mknodat,mkdirat,symlinkat,fchmod,fchmodat,fchown
CALLS+=,fchownat,utimensat,fsetxattr,setxattr,copy_file_range,pwrite64,ftruncate,ioctl

# trace [OPTION]...: follows the daemon of MNT, with its calls in $T/trace
trace()
{
	rm -f "$T/trace"
	: >"$T/attached"
	strace -f -y -o "$T/trace" -e "trace=$CALLS" "$@" -p "$(daemon_of "$MNT")" 2>"$T/attached" &
	tracer=$!
	wait_for 10 grep -q attached "$T/attached"
}

end_trace()
{
	kill "$tracer"
	wait "$tracer" 2>/dev/null
}

# One worker, so that strace counts all calls as one row.
begin()
{
	fresh_dirs
	DELTA=$BASE/delta$af_dirs
	UPPER=$DELTA/upper
	make_source "$SRC"
	mount_fs -o "rule=write:/,threads=1,passthrough=no,delta=$DELTA${1:+,$1}" "$SRC" "$MNT"
}

make_source()
{
	(
		cd "$1" || exit
		mkdir dir
		echo lower | tee f g dir/x moved >/dev/null
	)
}

# What was traced, a line each: the call and the names of what it was about, relative to the delta.
calls()
{
	sed -En "s/^[0-9]+ +([a-z0-9_]+)\((.*)\) += 0.*/\1 \2/; t name; d; :name
		s/[0-9]+<([^>]*)>/\1/g; s#$DELTA/?##g; s#\"([^\"]*)\"#\1#g; p" "$T/trace"
}

# before NAME ERE ERE: the first such call is before the first of the second, and both are there
before()
{
	local first second
	first=$(calls | grep -nEm1 "$2" | cut -d: -f1)
	second=$(calls | grep -nEm1 "$3" | cut -d: -f1)
	[ -n "$first" ] && [ -n "$second" ] && [ "$first" -lt "$second" ]
	ok $? "$1" || diag "$2: ${first:-never}; $3: ${second:-never}" "$(calls)"
}

synced()
{
	begin
	trace || { ok 1 'traces'; return; }
	echo + >>"$MNT/f"
	end_trace
	before 'copy-up: the copy is synced before it takes its place' '^fsync work/' '^(renameat2? work, [^,]*|linkat [^,]*, [^,]*), upper, f'
	before 'copy-up: so is the log' '^fdatasync meta/log' '^(renameat2? work, [^,]*|linkat [^,]*, [^,]*), upper, f'
	trace
	sync "$MNT/f"
	end_trace
	like "$(calls)" 'fsync upper/f' 'fsync of a file'
	trace
	rm "$MNT/g"
	mv "$MNT/moved" "$MNT/dir/here"
	sync "$MNT" "$MNT/dir"
	end_trace
	like "$(calls)" $'\nfsync upper\n' 'fsync of a directory'
	like "$(calls)" $'\nfsync upper/dir' '... of each'
	before '... after the log that says what was there' '^fdatasync meta/log' '^fsync upper$'
	trace
	rm "$MNT/dir/x"
	sync "$MNT/f"
	end_trace
	before 'what else a fsync makes durable has its record too' '^fdatasync meta/log' '^fsync upper/f$'
	umount_fs "$MNT"
}

not_synced()
{
	begin volatile
	trace || { ok 1 'traces'; return; }
	echo + >>"$MNT/f"
	rm "$MNT/g"
	sync "$MNT/f" "$MNT"
	end_trace
	like "$(calls)" 'upper, f' 'volatile: copied up'
	unlike "$(calls)" '(fsync|fdatasync|sync_file_range) ' '... and nothing is synced'
	umount_fs "$MNT"
}

# umount(8) does not wait for the log's last sync, which a busy disk can make long.
ended_slowly()
{
	local -x ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 # who is traced cannot look for them

	begin
	echo + >>"$MNT/f"
	trace -e inject=fdatasync:delay_enter=2500000 || { ok 1 'traces'; return; }
	umount_fs "$MNT"
	mount_fs -o "rule=write:/,passthrough=no,delta=$DELTA" "$SRC" "$MNT"
	ok $? 'a delta whose mount is about to end is waited for'
	end_trace
	is "$(cat "$MNT/f")" $'lower\n+' '... and has it all'
	umount_fs "$MNT"
}

# ---- what fails ----------------------------------------------------------------------------------

# Each operation is tried in a directory of its own; its second function says what has become of it.
do_append() { echo + >>f; }
is_append() { texts f $'lower\n+'; }
do_rewrite() { echo new >f; }
is_rewrite() { texts f new; }
do_patch() { printf L 1<>large; }
is_patch() { case $(tr -d l <large | wc -c) in 1) echo old ;; 2) echo new ;; *) wc large ;; esac; }
do_mode() { chmod 700 dir/x; }
is_mode() { case $(stat -c %a dir/x) in 644) echo old ;; 700) echo new ;; *) stat dir/x ;; esac; }
do_remove() { rm dir/x; }
is_remove() { places dir/x:lower ''; }
do_move() { "$SYS" rename f dir/new; }
is_move() { places f:lower dir/new:lower; }
do_over() { "$SYS" rename f dir/x; }
is_over() { places 'f:lower dir/x:lower' dir/x:lower; }
do_tree() { "$SYS" rename dir there; }
is_tree() { places 'dir/sub/y:lower dir/x:lower' 'there/sub/y:lower there/x:lower'; }
do_rmdir() { rmdir empty; }
is_rmdir() { if [ -d empty ]; then echo old; else echo new; fi; }
do_create() { echo made >made; }
is_create() { [ "$(cat made 2>&1)" = '' ] && echo old; places '' made:made; }
do_note() { setfattr -n user.note -v upper f; }
is_note()
{
	texts f lower >/dev/null || return
	case $(getfattr --only-values -n user.note f 2>&1) in lower) echo old ;; upper) echo new ;; *) getfattr -d f ;; esac
}

# texts FILE NEW: old, new, or what else
texts()
{
	case $(cat "$1" 2>&1) in lower) echo old ;; "$2") echo new ;; *) echo "$1: $(cat "$1" 2>&1)" ;; esac
}

sorted() { printf '%s\n' "$@" | sort | xargs; }

# places OLD NEW: the files of which one of them has names, each with its content
places()
{
	local got names
	# shellcheck disable=SC2086 # several of them
	names=$(printf '%s\n' $1 $2 | cut -d: -f1 | sort -u)
	got=$(for name in $names; do [ ! -e "$name" ] || echo "$name:$(cat "$name" 2>&1)"; done | sort | xargs)
	# shellcheck disable=SC2086
	case $got in "$(sorted $1)") echo old ;; "$(sorted $2)") echo new ;; *) echo "has $got" ;; esac
}

OPERATIONS=(append rewrite patch mode remove move over tree rmdir create note)
MOST=60

make_many()
{
	mkdir one
	(cd one && mkdir -p dir/sub empty && echo lower | tee f dir/x dir/sub/y >/dev/null &&
		head -c 99999 /dev/zero | tr '\0' l >large && echo >>large && setfattr -n user.note -v lower f)
	for operation in "${OPERATIONS[@]}"; do
		mkdir "$operation"
		for ((k = 1; k <= MOST; k++)); do cp -a one "$operation/$k"; done
	done
}

# try OPERATION K [TRACE-OPTION]...: its status and what has become of it are in STATUS and NOW
try()
{
	trace "${@:3}" || { diag "$(cat "$T/attached")"; return 1; }
	(cd "$MNT/$1/$2" && "do_$1") >/dev/null 2>"$T/said"
	STATUS=$?
	end_trace
	NOW=$(cd "$MNT/$1/$2" && "is_$1" | xargs)
	echo "$1/$2 $NOW" >>"$T/became"
}

# walk OPERATION ERROR: with this at each of the calls that it makes when nothing fails. The first time
# it makes more: the directories above are copied up.
walk()
{
	local k=2 call count bad=
	try "$1" 1
	try "$1" 2
	is "$STATUS:$NOW" 0:new "$1"
	while read -r count call; do
		for ((; count > 0; count--)); do
			k=$((k + 1))
			try "$1" "$k" -e "inject=$call:error=$2:when=$count"
			case $STATUS:$NOW in
			0:new | [1-9]*:old | [1-9]*:new) ;;
			*) bad+=" $call $count: status $STATUS, $NOW;" ;;
			esac
			# What is only an attempt, or a cleanup, may fail unheard; a sync never.
			case $STATUS:$call in 0:fsync | 0:fdatasync | 0:rename*) bad+=" $call $count: not told;" ;; esac
			grep -q INJECTED "$T/trace" || bad+=" $call $count: not met;"
		done
	done < <(sed -En 's/^[0-9]+ +([a-z0-9_]+)\(.*/\1/p' "$T/trace" | sort | uniq -c)
	is "$bad" '' "$1: $2 at each of $((k - 2)) calls: told, and wholly old or wholly new"
	[ "$k" -gt 2 ] && [ "$k" -le "$MOST" ]
	ok $? '... of which there are some'
}

# failing ERROR OPERATION...
failing()
{
	fresh_dirs
	DELTA=$BASE/delta$af_dirs
	(cd "$SRC" && make_many)
	manifest "$SRC" >"$T/before"
	: >"$T/became"
	mount_fs -o "rule=write:/,threads=1,passthrough=no,delta=$DELTA" "$SRC" "$MNT"
	for operation in "${@:2}"; do
		walk "$operation" "$1"
	done
	umount_fs "$MNT"
	check "$1: the source is as it was" diff "$T/before" <(manifest "$SRC")
	mount_fs -o "rule=write:/,delta=$DELTA" "$SRC" "$MNT"
	while read -r operation _; do
		echo "$operation $(cd "$MNT/$operation" && "is_${operation%/*}")"
	done <"$T/became" >"$T/again"
	check "$1: mounted again: the same" diff "$T/became" "$T/again"
	umount_fs "$MNT"
	is "$(ls -A "$DELTA/work")" '' "$1: nothing is left in work"
	check "$1: the delta is whole" timeout 60 "$AFSYNCD" --fsck "$DELTA"
}

WHO=us RUNAS='' BASE=$T/base
mkdir "$BASE"
begin
trace || skip_all "$(tail -n 1 "$T/attached")"
end_trace
umount_fs "$MNT"

synced
not_synced
ended_slowly
failing EIO "${OPERATIONS[@]}"
failing ENOSPC append remove over tree
done_testing
