#!/bin/bash
# What the kernel keeps of files and listings that have not changed (cache=auto), by the daemon's counters:
# nothing is asked for twice, and nothing that has changed is shown, whatever its times and sizes say.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"
source_moves

# asked COUNTER COMMAND...: how often the daemon was asked for that meanwhile; the output is in $T/out
asked()
{
	local before
	before=$(counters)
	$RUNAS "${@:2}" >"$T/out" 2>&1
	ASKED=$(counted "$before" "$1")
}

beside()
{
	$RUNAS bash -ec 'cd "$1"; eval "$2"' sh "$SRC" "$1"
}

policy()
{
	printf '%s\n' 'write("/")' "$@" >"$BASE/policy"
	chmod 644 "$BASE/policy"
}

listed()
{
	$RUNAS ls "$MNT/$1" 2>&1 | xargs
}

files()
{
	asked read cat "$MNT/d/f"
	is "$(cat "$T/out") $ASKED" 'text 1' "$WHO: a file is read"
	asked read cat "$MNT/d/f"
	is "$(cat "$T/out") $ASKED" 'text 0' "$WHO: and again from what the kernel has kept"
	# Of the same size, with the time put back: only the change time tells.
	beside 'touch -r d/f /tmp/stamp.$$; printf "TEXT\n" >d/f; touch -r /tmp/stamp.$$ d/f; rm /tmp/stamp.$$'
	is "$($RUNAS cat "$MNT/d/f")" TEXT "$WHO: changed without a trace in size and time: read anew at the next open"
	for i in 1 2 3 4 5; do
		beside "printf 'tex$i\n' >d/f"
		is "$($RUNAS cat "$MNT/d/f")" "tex$i" "$WHO: changed again at once ($i)"
	done
	# By a mapping, of which the times tell when the page is first written to.
	$RUNAS python3 -c '
import mmap, sys
with open(sys.argv[1], "r+b") as file: mmap.mmap(file.fileno(), 5)[:3] = b"map"' "$SRC/d/f"
	is "$($RUNAS cat "$MNT/d/f")" "map5" "$WHO: changed through a mapping"
	# A page that is dirty already takes more without a trace, also when all times are old.
	is "$($RUNAS python3 -c '
import mmap, sys, time
source, mount = sys.argv[1:]
with open(source, "r+b") as file:
    memory = mmap.mmap(file.fileno(), 5); memory[:4] = b"0000"
    time.sleep(3.3)
    for word in (b"1111", b"2222"):
        open(mount, "rb").read()
        memory[:4] = word
        print(open(mount, "rb").read().decode().strip(), end=" ")' "$SRC/d/f" "$MNT/d/f")" '1111 2222 ' \
		"$WHO: a mapping that is written to again"
	beside 'echo map5 >d/f'
	$RUNAS bash -c 'printf more >>"$1"' sh "$MNT/d/f"
	is "$($RUNAS cat "$MNT/d/f")" $'map5\nmore' "$WHO: changed through the mount"
	beside 'cp d/g d/new; mv d/new d/g'
	is "$($RUNAS cat "$MNT/d/g")" other "$WHO: replaced by the same"
}

listings()
{
	asked readdir ls "$MNT/l"
	is "$(xargs <"$T/out") $([ "$ASKED" -gt 0 ] && echo asked)" 'a b sub asked' "$WHO: a listing"
	asked readdir ls "$MNT/l"
	is "$(xargs <"$T/out") $ASKED" 'a b sub 0' "$WHO: and again from what the kernel has kept"
	beside 'touch l/c'
	is "$(listed l)" 'a b c sub' "$WHO: a new name beside it is listed at once"
	beside 'mv l/c l/d; touch -d @7 l'
	is "$(listed l)" 'a b d sub' "$WHO: and a rename, with the time put back"
	for i in 1 2 3 4 5; do
		beside "rm -f l/x*; touch l/x$i"
		is "$(listed l)" "a b d sub x$i" "$WHO: changed again at once ($i)"
	done
	$RUNAS rm "$MNT/l/x5"
	$RUNAS touch "$MNT/l/own"
	is "$(listed l)" 'a b d own sub' "$WHO: changed through the mount"
}

# What the policy hides is not in a listing that was kept from before.
hidden()
{
	listed p >/dev/null
	asked readdir ls "$MNT/p"
	is "$(xargs <"$T/out") $ASKED" 'open secret 0' "$WHO: a listing is kept"
	policy 'none("secret")'
	reload_front
	is "$(listed p)" open "$WHO: a name that is hidden by a new policy is in it no more"
	policy 'none("/n/**/secret")'
	reload_front
	listed m/deep/er >/dev/null
	is "$(listed m/deep/er)" 'open secret' "$WHO: a listing, deeper"
	beside 'mv m/deep n/deep'
	is "$(listed n/deep/er)" open "$WHO: moved to where it is hidden: listed without it"
	beside 'mv n/deep m/deep'
	is_back() { [ "$(listed m/deep/er)" = 'open secret' ]; }
	wait_for 2 is_back
	ok $? "$WHO: and back" || diag "$(listed m/deep/er)"
}

# A listing that was begun before the policy changed is not what is kept after it.
overtaken()
{
	local pass
	for pass in 1 2 3 4; do
		policy
		reload_front
		: >"$T/log"
		policy 'none("/many/secret")'
		is "$($RUNAS python3 -c '
import os, signal, sys, threading, time
many, log, daemon, pause = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
held = os.open(many, os.O_RDONLY)
reader = threading.Thread(target=lambda: os.listdir(many))
reader.start()
time.sleep(pause)
os.kill(daemon, signal.SIGHUP)
for i in range(5000):
    if "reload: done" in open(log).read(): break
    time.sleep(.0005)
os.close(os.open(many, os.O_RDONLY))
reader.join()
print("secret" in os.listdir(many), "secret" in os.listdir(many))' "$MNT/many" "$T/log" "$daemon" "0.0$((pass * 4 + 1))")" \
			'False False' "$WHO: a listing that the policy overtook, $pass"
	done
}

# Who has a directory open sees no more of it, where it moves in the source to where names are hidden.
rewound()
{
	policy 'none("/n/**/secret")'
	reload_front
	is "$($RUNAS python3 -c '
import os, sys, time
source, mount = sys.argv[1:]
fd = os.open(mount + "/m/deep/er", os.O_RDONLY)
before = sorted(os.listdir(fd)) == sorted(os.listdir(fd)) == ["open", "secret"]
os.rename(source + "/m/deep", source + "/n/deep")
for i in range(30):
    os.path.exists(mount + "/n/deep/er/open")
    if os.listdir(fd) == ["open"]: break
    time.sleep(.1)
print(before, os.listdir(fd))
os.rename(source + "/n/deep", source + "/m/deep")' "$SRC" "$MNT")" "True ['open']" "$WHO: an open directory that moved, rewound"
}

# Names alone, or with attributes: as whoever reads wants them.
readers()
{
	asked lookup find "$MNT/tree" -type f
	is "$(wc -l <"$T/out") $ASKED" '200 11' "$WHO: find: no file is looked up"
	sleep 1
	asked lookup ls -lR "$MNT/tree"
	is "$(grep -c '^-' "$T/out")" 200 "$WHO: ls -lR"
	[ "$ASKED" -lt 60 ]
	ok $? "... files are looked up in its first directories only" || diag "$ASKED"
}

keeping()
{
	fresh_dirs
	policy
	beside 'mkdir -p d l/sub p m/deep/er n tree/{0..9}; echo text >d/f; echo other >d/g; touch l/{a,b} p/{open,secret}
		touch m/deep/er/{open,secret} tree/{0..9}/{1..20}; mkdir many; cd many; seq 60000 | xargs touch secret'
	mount_front -o "policy=$BASE/policy,passthrough=no" || return
	sleep 3.5 # until it has settled
	listings
	files
	readers
	hidden
	overtaken
	rewound
	umount_fs "$MNT"
}

each_user keeping
done_testing
