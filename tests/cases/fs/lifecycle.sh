#!/bin/bash
# Reload, signals, a killed daemon, mounts inside the source and around it.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"
source_moves

policy()
{
	$RUNAS bash -c 'printf "%s\n" "${@:2}" >"$1.new"; mv "$1.new" "$1"' sh "$BASE/policy" "$@"
}

told()
{
	grep -q -E "$1" "$T/log"
}

# A process inside the mount that runs what it is told: in_dir COMMAND prints its output.
start_inside()
{
	coproc inside { $RUNAS bash -c 'cd "$1" && exec 5<f 6>>f && while read -r line; do
		eval "$line" 2>&1; echo "=$?"; done' sh "$1"; }
	inside_pid=$! to_inside=${inside[1]}
}

in_dir()
{
	local line out=
	# shellcheck disable=SC2154
	echo "$1" >&"$to_inside"
	while read -r -t 20 line <&"${inside[0]}"; do
		case $line in
		=*) echo "$out${line#=}"; return ;;
		*) out+=$line' ' ;;
		esac
	done
	echo 'no answer'
}

reload()
{
	policy 'write("/dir")' 'read("/a")' 'read("/marker1")'
	mount_front -o "policy=$BASE/policy" -o "$1" || return
	start_inside "$MNT/dir"
	is "$(in_dir 'cat f; echo 1 >new; stat -c %a f')" 'text 644 0' "$WHO, $1: before"
	is "$($RUNAS ls "$MNT" | tr '\n' ' ')" 'a dir marker1 ' "$WHO, $1: the listing before"
	errno_is ENOENT "$WHO, $1: a name hidden before" -- stat "$MNT/b" type

	policy 'read("/dir")' 'view("/a")' 'read("/b")' 'read("/marker2")'
	kill -HUP "$daemon"
	wait_for 10 $RUNAS test -e "$MNT/marker2"
	ok $? "$WHO, $1: a good policy takes effect"
	like "$(in_dir 'echo x >new2')" 'new2: Permission denied 1$' "$WHO, $1: in a working directory"
	is "$(in_dir 'cat f; stat -c %a f')" 'text 444 0' "$WHO, $1: reading goes on, the mode tells"
	is "$(in_dir 'pwd -P')" "$MNT/dir 0" "$WHO, $1: getcwd works"
	is "$(in_dir 'echo more >&6')" 0 "$WHO, $1: what was opened to write still writes"
	is "$($RUNAS ls "$MNT" | tr '\n' ' ')" 'a b dir marker2 ' "$WHO, $1: the listing after"
	errno_is EACCES "$WHO, $1: read before, view now" -- open "$MNT/a" rdonly
	errno_is OK "$WHO, $1: hidden before, read now" -- open "$MNT/b" rdonly
	errno_is ENOENT "$WHO, $1: seen before, hidden now" -- stat "$MNT/marker1" type

	policy 'read("/marker3")'
	kill -HUP "$daemon"
	wait_for 10 $RUNAS test -e "$MNT/marker3"
	is "$(in_dir 'cat f')" 'cat: f: No such file or directory 1' "$WHO, $1: a hidden working directory"
	is "$(in_dir 'cat <&5')" 'text more 0' "$WHO, $1: what was opened to read still reads"
	is "$(in_dir 'echo *')" '* 0' "$WHO, $1: nothing is listed in it"
	errno_is ENOENT "$WHO, $1: it is gone" -- stat "$MNT/dir" type

	policy 'write("/dir")' 'bad(' 'read("/marker4")'
	kill -HUP "$daemon"
	wait_for 10 told 'policy:[0-9]'
	ok $? "$WHO, $1: a bad policy is reported"
	errno_is ENOENT "$WHO, $1: and has no effect" -- stat "$MNT/dir" type
	errno_is OK "$WHO, $1: the old one stays" -- stat "$MNT/marker3" type

	policy 'write("/dir")' 'read("/marker5")'
	kill -HUP "$daemon"
	wait_for 10 $RUNAS test -e "$MNT/marker5"
	is "$(in_dir 'cat f; echo 1 >new3; pwd -P')" "text more $MNT/dir 0" "$WHO, $1: and the directory is back"
	exec {to_inside}>&-
	wait "$inside_pid"
}

signals()
{
	kill -USR1 "$daemon"
	wait_for 10 told '[a-z]+[ =:]+[0-9]+.*[a-z]+[ =:]+[0-9]+'
	ok $? "$WHO: SIGUSR1 writes counters" || diag "$(cat "$T/log")"
	errno_is OK "$WHO: and goes on" -- stat "$MNT/dir" type
	kill -TERM "$daemon"
	wait_for 10 is_not_mounted "$MNT"
	ok $? "$WHO: SIGTERM unmounts"
	is "$($RUNAS ls -A "$MNT")" '' "$WHO: the mount point is usable"
}

killed()
{
	mount_fs -o rule=read:/ "$SRC" "$MNT"
	errno_is OK "$WHO: mounted" -- stat "$MNT/a" type
	kill -9 "$(daemon_of "$MNT")"
	wait_for 10 af_no_process
	errno_is ENOTCONN "$WHO: killed: the mount is dead" -- list "$MNT"
	check "$WHO: fusermount3 -u removes it" $RUNAS fusermount3 -u "$MNT"
	mount_fs -o rule=read:/ "$SRC" "$MNT"
	errno_is OK "$WHO: and it can be mounted again" -- stat "$MNT/a" type
	umount_fs "$MNT"
}

# The mount point inside the source: no deadlock, no endless tree.
inside_itself()
{
	$RUNAS mkdir "$SRC/mnt"
	mount_fs -o rule=write:/ "$SRC" "$SRC/mnt" || { ok 1 "$WHO: mounts inside its source"; return; }
	is "$($RUNAS timeout 20 ls "$SRC/mnt" | tr '\n' ' ')" 'a b dir marker1 marker2 marker3 marker5 mnt ' \
		"$WHO: inside itself: the listing"
	is "$($RUNAS timeout 20 ls -A "$SRC/mnt/mnt")" '' "$WHO: inside itself: the mount point is empty there"
	check "$WHO: inside itself: a walk ends" $RUNAS timeout 20 find "$SRC/mnt" -type f
	check "$WHO: inside itself: writing" $RUNAS timeout 20 sh -c 'echo x >"$1"' sh "$SRC/mnt/written"
	check "$WHO: inside itself: which is beneath" $RUNAS timeout 20 cat "$(at_rest written)"
	errno_is OK "$WHO: inside itself: stat" -- stat "$SRC/mnt/mnt" type
	check "$WHO: inside itself: unmounts" umount_fs "$SRC/mnt"
	$RUNAS rm "$(at_rest written)"
	$RUNAS rmdir "$SRC/mnt"
}

# Filesystems mounted in the source, before and after we mount it, are not entered.
others_inside()
{
	local when list
	mkdir "$SRC/inner" "$SRC/later"
	echo beneath >"$SRC/inner/beneath"
	echo beneath >"$SRC/later/beneath"
	mount -t tmpfs tmpfs "$SRC/inner"
	echo above >"$SRC/inner/above"
	mount_fs -o rule=write:/ "$SRC" "$MNT"
	ls "$MNT/later" >/dev/null
	mount -t tmpfs tmpfs "$SRC/later"
	echo above >"$SRC/later/above"
	for when in inner later; do
		wait_for 3 test ! -e "$MNT/$when/above"
		list=$(timeout 20 ls "$MNT/$when" 2>&1)
		like "$list" '^(beneath)?$' "$when: a mount in the source is not entered"
		errno_is ENOENT "$when: nothing of it can be reached" -- stat "$MNT/$when/above" type
		errno_is OK "$when: it is a directory" -- stat "$MNT/$when" type
		timeout 20 sh -c 'echo x >"$1/new"' sh "$MNT/$when" 2>/dev/null
		is "$(ls "$SRC/$when")" above "$when: and nothing is written to it"
	done
	umount "$SRC/inner" "$SRC/later"
	umount_fs "$MNT"
}

# Nobody who opens a FIFO, through the mount or beside it, stops the daemon.
fifos()
{
	$RUNAS mkfifo "$SRC/fifo"
	mount_fs -o rule=write:/,threads=1 "$SRC" "$MNT"
	$RUNAS timeout 20 cat "$MNT/fifo" >"$T/through" &
	$RUNAS timeout 20 cat "$SRC/fifo" >/dev/null &
	for op in 'stat type' 'chmod 600' 'getxattr user.x' 'truncate 0' 'utimens 1 1' 'access r'; do
		# shellcheck disable=SC2086
		set -- $op
		$RUNAS timeout 10 "$SYS" "$1" "$MNT/fifo" "${@:2}" >/dev/null 2>&1
		[ $? -ne 124 ]
		ok $? "$WHO: a FIFO does not block: $op"
	done
	check "$WHO: the daemon answers" $RUNAS timeout 10 ls "$MNT"
	check "$WHO: what is written through the mount" $RUNAS timeout 10 sh -c 'echo x >"$1"' sh "$MNT/fifo"
	check "$WHO: and beside it" $RUNAS timeout 10 sh -c 'echo x >"$1"' sh "$SRC/fifo"
	wait
	is "$(cat "$T/through")" x "$WHO: comes out of it"
	umount_fs "$MNT"
}

lifecycle()
{
	fresh_dirs
	$RUNAS bash -c 'cd "$1"; mkdir dir; echo text >dir/f; touch a b marker1 marker2 marker3 marker5' sh "$SRC"
	reload cache=auto && signals
	$RUNAS bash -c 'cd "$1"; echo text >dir/f; rm -f dir/new*' sh "$SRC"
	fresh_delta
	reload cache=always && signals
	killed
	inside_itself
	[ "$WHO" = root ] && others_inside
	fifos
}

each_user lifecycle
done_testing
