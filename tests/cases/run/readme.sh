#!/bin/bash
# The README's examples: each console block is run line by line, in one shell and in the order of the
# file, and must print what stands below its commands. Blocks of other kinds are put to their use.
. "$(dirname "$0")/../../lib.sh"

PATH=$BUILD:$PATH
# Where sessions are found.
export XDG_RUNTIME_DIR=$T/runtime
mkdir -m 700 "$XDG_RUNTIME_DIR"

# Prints the lines of block $2 (from 1) of kind $1.
block()
{
	awk -v fence="\`\`\`$1" -v want="$2" '
		$0 == fence { inside = ++count == want; next }
		/^```/ { inside = 0 }
		inside' "$ROOT/README.md"
}

# Messages quote as the locale has it; the README is in ASCII.
plain()
{
	sed "s/[‘’]/'/g" "$1"
}

finish_command()
{
	[ -z "$command" ] || is "$(plain "$T/out")" "$expected" "\$ $command"
	command='' expected=''
}

# Runs console block $1 in this shell.
run_console()
{
	local line command='' expected=''
	while IFS= read -r line <&9; do
		case $line in
		'$ '*)
			finish_command
			command=${line#'$ '}
			eval "$command" >"$T/out" 2>&1 </dev/null
			;;
		*) expected+=${expected:+$'\n'}$line ;;
		esac
	done 9<<<"$(block console "$1")"
	finish_command
}

targets=$(block sh 1 | sed -nE 's/^make ([a-z]+).*/\1/p')
is "$(xargs <<<"$targets")" 'demo check' 'the two commands'
for target in $targets; do
	check "... make $target is known" grep -q "^$target:" "$ROOT/Makefile"
done

# Somebody who picks all there is, as fzf is not installed everywhere.
fzf() { cat; }

mkdir "$T/play"
cd "$T/play" || exit
block makefile 1 >agents.mk
for number in 1 2 3 4 5 6 7 8; do
	run_console "$number"
done
af_mounts+=("$T/play/view")
run_console 9

# The daemon's table: a delta for each row, merged where the row says.
block table 1 | sed "s|/var/lib|$T/var|; s|/home/|$T/home/|; s|/srv/|$T/srv/|" >"$T/table"
mkdir -p "$T/srv/code" "$T/srv/docs" "$T/var/agents" "$T/home/me/deltas"
"$AFSYNCD" --daemon --table "$T/table" 2>"$T/daemon.log" </dev/null &
daemon=$!
check 'afsyncd --daemon takes the table' wait_for 10 grep -q ': 2 rows$' "$T/daemon.log"
"$AFRUN" -q -C "$T/srv/code" -p full-access -D "$T/var/agents/a" --sync never -- touch made
"$AFRUN" -q -C "$T/srv/docs" -p full-access -D "$T/home/me/deltas/docs" --sync never -- touch made a.log
check '... and merges what ends' wait_for 10 test -e "$T/srv/code/made" -a -e "$T/srv/docs/made"
kill "$daemon"
wait "$daemon"
check '... but what is excluded' test ! -e "$T/srv/docs/a.log"

block conf 1 >"$T/code.conf"
check 'the policy is good' "$AFS" --check --policy "$T/code.conf"
is "$("$AFS" --explain --policy "$T/code.conf" src/a.c a.log output/x billing/x .env |
	cut -f 1 | xargs)" 'read write write none none' '... and decides as it looks'

# mount(8) finds programs in /usr/local/bin whatever PATH says: they are put there for a moment, in a
# mount namespace that nobody else sees.
block fstab 1 | sed "s|/srv/code|$T/play/project|; s|/mnt/agent|$T/mnt|; s|/etc/code.conf|$T/code.conf|" \
	>"$T/fstab"
mkdir -p "$T/mnt" "$T/local/bin" "$T/local/share/agentfense"
cp "$AFS" "$T/local/bin/"
cp -r "$ROOT/policies" "$T/local/share/agentfense/"
as_installed()
{
	# shellcheck disable=SC2016 # the inner shell expands these
	T=$T timeout 60 unshare --mount bash -c 'set -e
		mount --bind "$T/local" /usr/local
		mount -T "$T/fstab" "$T/mnt"
		ls -A "$T/mnt"
		"$SYS" open "$T/mnt/src/main.c" wronly || echo "status $?"
		'"$(declare -f as_user af_user_home is_root)"'
		as_user cat "$T/mnt/src/main.c"
		umount "$T/mnt"
		ls -A "$T/mnt"
		sed -i "s|allow_other|&,delta=$T/var/agents/b|" "$T/fstab"
		mount -T "$T/fstab" "$T/mnt"
		echo x >"$T/mnt/output/b"
		umount "$T/mnt"
		[ -e "$T/play/project/output/b" ] || ls "$T/var/agents/b/upper/output/b"' 2>&1
}
if is_root; then
	as_user true
	is "$(as_installed)" $'output\nsrc\nEACCES\nstatus 1\nint main(void) { return 0; }\n'"$T/var/agents/b/upper/output/b" \
		'fstab: mount shows what the policy grants, to others as well, umount ends it; and with a delta'
else
	skip 'fstab' 'only root mounts from it'
fi

run_console 10
block make 1 >Makefile
run_console 11
is "$(block console 12)" '' 'there is no other example'

done_testing
