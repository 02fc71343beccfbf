#!/bin/bash
# What others change in the source is seen: within a second with cache=auto, at once with never; and
# what is done through the mount is seen at once in either.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"
source_moves

# seen NAME EXPECTED COMMAND...: its output is as expected, at once or within what the mode promises
shows()
{
	[ "$($RUNAS "${@:2}" 2>&1)" = "$1" ]
}

seen()
{
	local name=$1 expected=$2
	shift 2
	wait_for "$patience" shows "$expected" "$@"
	ok $? "$WHO, $mode: $name" || diag "     got: $($RUNAS "$@" 2>&1)" "expected: $expected"
}

beside()
{
	$RUNAS bash -ec 'cd "$1"; eval "$2"' sh "$SRC" "$1"
}

by_others()
{
	local gone='cat: '"$MNT"'/d/f: No such file or directory'
	# Everything is known to the kernel before it changes.
	$RUNAS bash -c 'cd "$1"; ls -lR; cat d/f; stat d/missing; ls d/sub' sh "$MNT" >/dev/null 2>&1
	beside 'echo longer than before >d/f'
	seen 'content and size' 'longer than before' cat "$MNT/d/f"
	beside 'echo LONGER than before >d/f'
	seen 'content of the same size' 'LONGER than before' cat "$MNT/d/f"
	beside 'echo x >>d/f'
	seen 'appended' 21 stat -c %s "$MNT/d/f"
	beside 'chmod 600 d/f'
	seen 'mode' 600 stat -c %a "$MNT/d/f"
	beside 'touch -d @7 d/f'
	seen 'time' 7 stat -c %Y "$MNT/d/f"
	beside 'echo new >d/missing'
	seen 'a name that was missing' new cat "$MNT/d/missing"
	seen 'and is listed' "$(printf '%s\n' f g missing sub)" ls "$MNT/d"
	beside 'mv d/missing d/moved'
	seen 'a new name' new cat "$MNT/d/moved"
	seen 'the listing after a rename' "$(printf '%s\n' f g moved sub)" ls "$MNT/d"
	beside 'echo other >d/t; mv d/t d/f'
	seen 'a file replaced' other cat "$MNT/d/f"
	beside 'rm d/f'
	seen 'a file removed' "$gone" cat "$MNT/d/f"
	beside 'mkdir d/f; echo in >d/f/in'
	seen 'a file that became a directory' in cat "$MNT/d/f/in"
	beside 'mv d/f d/sub/f; echo more >d/sub/f/more'
	seen 'a directory that moved' more cat "$MNT/d/sub/f/more"
	beside 'rm -r d/sub'
	seen 'a tree removed' "$(printf '%s\n' g moved)" ls "$MNT/d"
	beside 'ln -s g d/link; ln d/g d/hard'
	seen 'a symlink' text cat "$MNT/d/link"
	seen 'a link count' 2 stat -c %h "$MNT/d/g"
	beside 'ln -sfn moved d/link'
	seen 'a symlink that changed' new cat "$MNT/d/link"
	beside 'setfattr -n user.x -v 1 d/g'
	seen 'an xattr' 1 getfattr --only-values --absolute-names -n user.x "$MNT/d/g"
}

# A descriptor held open sees what others write.
held_open()
{
	coproc reader { $RUNAS bash -c 'exec 5<"$1"; while read -r; do dd bs=100 count=1 status=none <"/proc/self/fd/5"; echo; done' \
		sh "$MNT/d/g"; }
	local pid=$! to_reader=${reader[1]}
	echo >&"${reader[1]}"
	read -r -t 20 line <&"${reader[0]}"
	is "$line" text "$WHO, $mode: a descriptor held open"
	read -r -t 20 line <&"${reader[0]}"
	beside 'printf "TEXT\n" | dd of=d/g conv=notrunc status=none'
	reads_now()
	{
		echo >&"${reader[1]}"
		read -r -t 20 line <&"${reader[0]}"
		read -r -t 20 _ <&"${reader[0]}"
		[ "$line" = TEXT ]
	}
	wait_for "$patience" reads_now
	ok $? "$WHO, $mode: and what was written beside it" || diag "got: $line"
	exec {to_reader}>&-
	wait "$pid"
}

# Through the mount, and into what lies beneath, there is nothing to wait for.
by_ourselves()
{
	patience=0
	$RUNAS bash -c 'cd "$1/d"; echo one >own; mkdir own-d; mv own own-d/; chmod 640 own-d/own' sh "$MNT"
	seen 'written, moved, changed through the mount' 640 stat -c %a "$MNT/d/own-d/own"
	seen 'and beneath' one cat "$(at_rest d/own-d/own)"
	$RUNAS bash -c 'echo two >>"$1/d/own-d/own"' sh "$MNT"
	seen 'appended through the mount' "$(printf 'one\ntwo')" cat "$(at_rest d/own-d/own)"
	$RUNAS rm -r "$MNT/d/own-d"
	seen 'removed through the mount' 1 sh -c 'ls "$1" >/dev/null 2>&1; test ! -e "$1"; echo $((1 - $?))' sh "$(at_rest d/own-d)"
}

caching()
{
	for mode in auto never always; do
		patience=2
		[ "$mode" = never ] && patience=0
		fresh_dirs
		beside 'mkdir -p d/sub; echo text >d/f; echo text >d/g'
		mount_fs -o "rule=write:/,cache=$mode" "$SRC" "$MNT" || { ok 1 "$WHO: mounts"; return; }
		if [ "$mode" != always ]; then
			by_others
			held_open
		fi
		by_ourselves
		umount_fs "$MNT"
	done
}

each_user caching
done_testing
