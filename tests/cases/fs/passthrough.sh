#!/bin/bash
# Open files that the kernel reads and writes by itself (root): what reaches the daemon and what must, and
# that nothing is different for it.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"
is_root || skip_all 'only root has passthrough'
BASE=$T/base RUNAS='' WHO=root
mkdir "$BASE"

mounted()
{
	AF_DELTA='' mount_front -o "$@"
}

# data COMMAND...: its output, and how many READs and WRITEs it made
data()
{
	local before
	before=$(counters)
	"$@" >"$T/out" 2>&1
	echo "$(cat "$T/out") $(counted "$before" read)/$(counted "$before" write)"
}

fresh()
{
	fresh_dirs
	echo text >"$SRC/f"
	echo text >"$SRC/r"
	echo text >"$SRC/s"
	head -c 3000000 /dev/urandom >"$SRC/big"
}

# Whether this kernel and this libfuse have it.
fresh
mounted rule=write:/ || skip_all 'no mount'
case $(data cat "$MNT/f") in
'text 0/0') ;;
*) skip_all 'no passthrough here (Linux 6.9, libfuse 3.17)' ;;
esac

is "$(data cmp "$MNT/big" "$SRC/big")" ' 0/0' 'a large file is read'
is "$(data bash -c 'echo more >>"$1/f"; echo new >"$1/n"; cat "$1/f" "$1/n"' sh "$MNT")" $'text\nmore\nnew 0/1' \
	'files are written, but for what appends'
is "$(cat "$SRC/f" "$SRC/n")" $'text\nmore\nnew' 'and are in the source'
is "$(data python3 -c '
import mmap, sys
with open(sys.argv[1], "r+b") as file:
    memory = mmap.mmap(file.fileno(), 0); memory[:4] = b"TEXT"; print(memory[:4].decode())
' "$MNT/r")" 'TEXT 0/0' 'mapped'
is "$(cat "$SRC/r")" TEXT 'and the source has it, before anything is synced'
exec 5<"$MNT/s"
echo changed >"$SRC/s"
is "$(cat <&5)" changed 'what others write is seen at once by who has it open'
exec 5<&-

# What is small and has settled is kept for when it is opened again.
sleep 3.5
is "$(data cat "$MNT/s") $(data cat "$MNT/s") $(data cat "$MNT/s")" 'changed 1/0 changed 0/0 changed 0/0' \
	'a small file'
is "$(data cmp "$MNT/big" "$SRC/big") $(data cmp "$MNT/big" "$SRC/big")" ' 0/0  0/0' 'a large one: always by itself'
exec 5<"$MNT/s"
echo more >"$MNT/s"
is "$(cat "$MNT/s") $(cat <&5)" 'more more' 'written while it is kept'
exec 5<&-

# Handles of all kinds at once, of one file.
is "$(python3 -c '
import os, sys
os.chdir(sys.argv[1])
fds = [os.open("k", os.O_RDWR | os.O_CREAT)]
for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR | os.O_APPEND, os.O_RDWR | os.O_SYNC, os.O_RDWR | os.O_TRUNC):
    fds.append(os.open("k", flags))
os.write(fds[0], b"0123"); os.write(fds[3], b"45"); os.pwrite(fds[4], b"x", 1)
os.lseek(fds[2], 0, 2); os.write(fds[2], b"6")
os.unlink("k")
print(os.read(fds[1], 99).decode(), os.fstat(fds[5]).st_size)' "$MNT")" '0x23456 7' 'handles of all kinds of one file'

# Rights are those of the open.
chmod 666 "$SRC/f"
chmod 755 "$SRC" "$MNT" "$BASE"
umount_fs "$MNT"
mounted 'rule=write:/,rule=read:/r,allow_other'
is "$(python3 -c '
import errno, mmap, os, sys
def refused(what):
    try: what()
    except (OSError, ValueError) as error: return errno.errorcode[error.errno]
    return "allowed"
fd = os.open(sys.argv[1] + "/r", os.O_RDONLY)
print(refused(lambda: os.write(fd, b"x")), refused(lambda: mmap.mmap(fd, 5, mmap.MAP_SHARED, mmap.PROT_WRITE)),
    refused(lambda: os.open("/proc/self/fd/%d" % fd, os.O_RDWR)), refused(lambda: os.ftruncate(fd, 0)))
' "$MNT")" 'EBADF EACCES EACCES EINVAL' 'what may be read is not written through its descriptor'
is "$(cat "$SRC/r")" TEXT 'and is as it was'
cp "$(type -P true)" "$SRC/setid"
chmod 6777 "$SRC/setid"
as_user bash -c 'echo >>"$1/setid"; dd if=/dev/zero of="$1/setid" bs=1 count=1 conv=notrunc status=none' sh "$MNT"
is "$(stat -c %a "$SRC/setid")" 777 'writing takes set-id bits away'
cp "$(type -P true)" "$SRC/able"
chmod 777 "$SRC/able"
if setcap cap_net_raw+ep "$SRC/able" 2>/dev/null; then
	as_user dd if=/dev/zero of="$MNT/able" bs=1 count=1 conv=notrunc status=none
	is "$(getcap "$SRC/able")" '' 'and file capabilities'
fi
umount_fs "$MNT"

# passthrough=no; a delta
fresh
mounted rule=write:/,passthrough=no
is "$(data cat "$MNT/f")" 'text 1/0' 'passthrough=no'
umount_fs "$MNT"
fresh
mounted "rule=write:/,rule=read:/r,delta=$BASE/delta"
is "$(data cat "$MNT/r")" 'text 0/0' 'delta: of the source, to be read only'
exec 5<"$MNT/f"
is "$(data dd bs=2 count=1 status=none <&5)" 'te 1/0' 'of the source, but may be written: by the daemon'
echo TEXT >"$MNT/f"
is "$(data dd bs=2 count=1 status=none <&5)" 'XT 1/0' 'who had it open then sees what is written in the delta'
is "$(data cat "$MNT/f")" 'TEXT 1/0' 'and who opens it meanwhile'
exec 5<&-
is "$(data cat "$MNT/f")" 'TEXT 0/0' 'of the delta'
is "$(data bash -c 'echo new >"$1/n"; cat "$1/n"' sh "$MNT")" 'new 0/0' 'made in the delta'
ln "$MNT/n" "$MNT/n2"
is "$(data cat "$MNT/n")" 'new 1/0' 'a file with two names'
is "$(cat "$SRC/f")" text 'the source is as it was'
umount_fs "$MNT"
fresh
mounted "rule=write:/,delta=$BASE/delta2,quota=1M"
is "$(data bash -c 'echo new >"$1/n"; head -c 2000000 /dev/zero >>"$1/n" || echo full' sh "$MNT" | grep -o full)" full 'a quota holds'
umount_fs "$MNT"

# Two names, of which the other is written.
fresh
ln "$SRC/f" "$SRC/w"
mounted "rule=write:/,rule=read:/f,delta=$BASE/delta4"
exec 5<"$MNT/f"
is "$(dd bs=2 count=1 status=none <&5)" te 'a file with two names, opened by the one that may be read'
echo longer than before >"$MNT/w"
is "$(cat /dev/fd/5) $(stat -L -c %s /dev/fd/5)" 'longer than before 19' 'written by the other: one file'
exec 5<&-
umount_fs "$MNT"

# The mount ends while files are open.
fresh
: >"$T/strace"
ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 mounted rule=write:/ # who is traced cannot look for leaks
exec 5<"$MNT/big" 6<>"$MNT/f"
if command -v strace >/dev/null; then
	strace -f -e trace=ioctl -o "$T/strace" -p "$daemon" 2>"$T/attached" &
	tracer=$!
	wait_for 10 grep -q attached "$T/attached"
fi
kill "$daemon"
wait_for 10 is_not_mounted "$MNT"
wait "${tracer:-}" 2>/dev/null
is "$(grep -c 'EBADF' "$T/strace")" 0 'ended with files open: nothing is done with what is no descriptor'
exec 5<&- 6<&-

# The policy lets be written what is open to be read, by the kernel itself, of the source.
fresh
echo 'read("/")' >"$T/policy"
mounted "policy=$T/policy,delta=$BASE/delta3"
exec 5<"$MNT/f"
is "$(data dd bs=2 count=1 status=none <&5)" 'te 0/0' 'read by the kernel itself'
echo 'write("/")' >"$T/policy"
reload_front
check 'a new policy lets it be written' sh -c 'echo written >"$1"' sh "$MNT/f"
is "$(cat "$MNT/f" "$SRC/f")" $'written\ntext' 'in the delta, and is read'
is "$(dd bs=2 count=1 status=none <&5)" xt 'who had it open has what it was'
exec 5<&-
is "$(data cat "$MNT/f")" 'written 0/0' 'and then'
umount_fs "$MNT"

# Filesystems upon filesystems: the kernel allows two.
fresh
mkdir "$T/o" "$T/o/lower" "$T/o/mnt"
mount -t tmpfs none "$T/o/lower"
mkdir "$T/o/lower/"{l,u,w,u2,w2,m}
echo text >"$T/o/lower/l/f"
overlay()
{
	mount -t overlay -o "lowerdir=$1,upperdir=$T/o/lower/$2,workdir=$T/o/lower/$3" none "$4" 2>"$T/said"
}
if overlay "$T/o/lower/l" u w "$T/o/mnt"; then
	SRC=$T/o/mnt
	mounted rule=write:/
	is "$(data bash -c 'cat "$1/f"; echo more >"$1/f"; cat "$1/f"' sh "$MNT")" $'text\nmore 0/0' 'of an overlay'
	umount_fs "$MNT"
	umount "$T/o/mnt"
fi
fresh
mounted rule=write:/
overlay "$MNT" u2 w2 "$T/o/mnt"
is "$? $(cat "$T/o/mnt/f")" '0 text' 'an overlay upon the mount'
umount "$T/o/mnt"
umount_fs "$MNT"
umount "$T/o/lower"
done_testing
