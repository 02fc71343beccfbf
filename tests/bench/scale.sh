#!/bin/bash
# What a walk of many files costs the daemon: descriptors, bytes for each inode, and whether memory
# comes back when the kernel forgets. AF_SCALE=1000000 is the size by hand; a case runs it small.
#
#     tests/bench/scale.sh            prints a line of figures; exit 1 where a limit is passed
set -u
ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
BUILD=${BUILD:-$ROOT/build}
files=${AF_SCALE:-1000000}
max_fds=2000
max_bytes=300
slack=2000000 # what any daemon keeps that has once been busy
dir=$(mktemp -d "${TMPDIR:-/tmp}/scale.XXXXXX")
pid=

finish()
{
	cd /
	mountpoint -q "$dir/mnt" && { umount "$dir/mnt" 2>/dev/null || fusermount3 -u "$dir/mnt"; }
	[ -n "$pid" ] && wait "$pid" 2>/dev/null
	rm -rf --one-file-system "$dir"
}
trap finish EXIT

# Anonymous memory only: what is the daemon's own.
bytes()
{
	awk '/^Pss_Anon:/ { print $2 * 1024 }' "/proc/$pid/smaps_rollup"
}

fds()
{
	local list=("/proc/$pid/fd/"*)
	echo "${#list[@]}"
}

mkdir "$dir/src" "$dir/mnt"
# 100 directories, which hold directories of 1,000 files at most.
perl -e '
	($dir, $files) = @ARGV;
	for $i (0 .. $files - 1) {
		$d = sprintf("%s/%02d", $dir, int($i / 1000) % 100);
		$s = sprintf("%s/%d", $d, int($i / 1000));
		if ($i % 1000 == 0) { mkdir $d; mkdir $s }
		open(F, ">", "$s/file-number-$i") or die "$s: $!";
	}' "$dir/src" "$files"

"$BUILD/agentfensefs" -f ${AF_DELTA:+-o "delta=$dir/delta"} -o 'rule=write:/,rule=none:*.key,rule=read:/**/.git/' "$dir/src" "$dir/mnt" &
pid=$!
for _ in $(seq 500); do
	mountpoint -q "$dir/mnt" && break
	sleep 0.02
done
ls "$dir/mnt" >/dev/null
before=$(bytes)
find "$dir/mnt" -type f -size +1k >/dev/null # stats each
after=$(bytes)
most_fds=$(fds)
inodes=$(find "$dir/src" | wc -l)
each=$(((after - before) / inodes))
back=unknown
if [ -w /proc/sys/vm/drop_caches ]; then
	# Forgetting comes in the background, and frees by pieces.
	for _ in $(seq 100); do
		echo 2 >/proc/sys/vm/drop_caches
		back=$(bytes)
		[ $(((back - before - slack) * 4)) -lt $((after - before)) ] && break
		sleep 0.1
	done
	back=$((back - before))
fi
echo "inodes $inodes  descriptors $most_fds  bytes/inode $each  memory $((after - before))" \
	"after forgetting $back"
[ "$most_fds" -le "$max_fds" ] || { echo "more than $max_fds descriptors" >&2; exit 1; }
[ "$each" -le "$max_bytes" ] || { echo "more than $max_bytes bytes for each inode" >&2; exit 1; }
[ "$back" = unknown ] || [ $(((back - slack) * 4)) -lt $((after - before)) ] ||
	{ echo 'memory does not come back' >&2; exit 1; }
