#!/bin/bash
# What a channel must not be: a way to another channel, to the host, to more than its size, or to another
# user's.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/runlib.sh"
. "$ROOT/tests/sessionlib.sh"
need_sandbox

no_channel()
{
	[ ! -e "$XDG_RUNTIME_DIR/afrun" ]
}

in_channel()
{
	inside --channel a "$@"
}

check 'one that stays' run --channel a,keep,size=1M -- true
check 'and another' run --channel b,keep -- sh -c 'echo secret >/run/channel/b/secret'

# ---- from inside
is "$(in_channel -- sh -c 'ls /run/channel; ls /run/channel/b /run/channel/a/../b 2>/dev/null')" a 'no other channel is seen'
is "$(in_channel -- sh -c 'find / -xdev -name secret 2>/dev/null; grep -rl secret /proc/[0-9]*/environ 2>/dev/null')" '' 'nor found'
like "$(in_channel -- cat /proc/self/mounts)" 'afrun-channel /run/channel/a tmpfs rw,nosuid,nodev' 'nosuid and nodev'
is "$(in_channel -- sh -c 'grep -c channel /proc/self/mounts')" 1 'one mount'
# The error of a system call made inside: NAME ARGS...
error_of()
{
	in_channel -- python3 -c '
import ctypes, errno, sys
libc = ctypes.CDLL(None, use_errno=True)
words = [int(w, 0) if w[0].isdigit() else None if w == "NULL" else w.encode() for w in sys.argv[2:]]
print(errno.errorcode.get(ctypes.get_errno()) if getattr(libc, sys.argv[1])(*words) < 0 else "done")' "$@"
}
is "$(error_of mknod /run/channel/a/null 0x21ff 0x103)" EPERM 'a device'
is "$(error_of mount NULL /run/channel/a NULL 0x20 size=1G)" EPERM 'a larger one, remounted'
is "$(error_of umount2 /run/channel/a 2)" EPERM 'or gone'
is "$(error_of rmdir /run/channel/a)" EBUSY 'or removed'
is "$(in_channel -- sh -c 'ps -e 2>/dev/null | grep -c afrun-channel')" 0 'its holder is not seen'
is "$(in_channel -- sh -c 'cat /proc/net/unix | grep -c @')" 0 'nor its socket'
is "$(in_channel -- sh -c 'ls -d /run/afrun /run/user '"$XDG_RUNTIME_DIR"' 2>/dev/null')" '' 'nor the directory of it'

# A link in it is followed by who meets it, in what they have themselves.
echo outside >"$T/outside"
in_channel -- ln -s "$T/outside" /run/channel/a/link
in_channel -- ln -s /proc/1/root/etc/shadow /run/channel/a/shadow
refute 'a link to the outside leads nowhere' in_channel -- cat /run/channel/a/link
refute 'nor one through /proc' in_channel -- cat /run/channel/a/shadow
is "$(error_of link /workspace/file /run/channel/a/file)" EXDEV 'no hard link out of the view'

# ---- from outside
is "$(grep -c afrun-channel /proc/self/mountinfo)" 0 'no mount of it on the host'
is "$(stat -c %a "$XDG_RUNTIME_DIR/afrun")" 700 'its socket is behind a closed directory'
holder=$("$AFRUN" --channel a --status | cut -f3)
is "$(readlink "/proc/$holder/fd/0" "/proc/$holder/fd/1" "/proc/$holder/fd/2" | sort -u)" /dev/null 'the holder has none of the streams'
is "$(find "/proc/$holder/fd" -mindepth 1 | wc -l)" 6 'and nothing else: a directory, a lock, a socket'
is "$(ps -o sid= -p "$holder" | tr -d ' ')" "$holder" 'a session of its own, without a terminal'
if is_root; then
	as_user true
	chmod 711 "$T" "$XDG_RUNTIME_DIR"
	like "$(as_user env XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR" "$AFRUN" --channel a --status 2>&1)" 'there is none|denied' \
		"another user does not see root's"
	# With the directory open by mistake, the peer is checked as well.
	chmod 755 "$XDG_RUNTIME_DIR/afrun"
	chmod 666 "$XDG_RUNTIME_DIR"/afrun/*.sock
	is "$(as_user python3 - "$XDG_RUNTIME_DIR/afrun/@a.sock" <<-'EOF'
		import os, socket, struct, sys
		try:
		    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		    s.connect(sys.argv[1])
		    s.send(struct.pack("iii", 11, 3, 0) + bytes(120))
		    print(len(s.recv(4096)))
		except ConnectionResetError:
		    print(0)
		except BrokenPipeError:
		    print(0)
	EOF
	)" 0 'nor joins it'
	chmod 700 "$XDG_RUNTIME_DIR/afrun"
	chmod 600 "$XDG_RUNTIME_DIR"/afrun/*.sock
	chmod 700 "$XDG_RUNTIME_DIR"
else
	skip 2 'only root has another user'
fi

# Nonsense on its socket is no harm.
python3 - "$XDG_RUNTIME_DIR/afrun/@a.sock" <<-'EOF'
	import os, socket, sys
	for size in (0, 1, 8, 152, 153, 4096, 60000):
	    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
	    s.connect(sys.argv[1])
	    try:
	        s.send(os.urandom(size))
	        s.settimeout(2)
	        s.recv(4096)
	    except OSError:
	        pass
	    s.close()
EOF
check 'the holder is still there' "$AFRUN" --channel a --status
check 'and answers' in_channel -- true

# ---- its size is all that it takes
is "$(in_channel -- sh -c 'cd /run/channel/a; head -c 4M /dev/zero >big 2>/dev/null; truncate -s 1G sparse; stat -c %s big')" 1048576 'no more than its size'
in_channel -- sh -c 'cd /run/channel/a; rm -f big sparse; i=0; while :>f$i; do i=$((i + 1)); done' 2>/dev/null
check 'nor names without end' [ "$(in_channel -- sh -c 'ls /run/channel/a | wc -l')" -lt 400 ]

"$AFRUN" --channel a --stop
"$AFRUN" --channel b --stop
check 'all gone' no_channel
done_testing
