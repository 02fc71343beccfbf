#!/bin/bash
# merge.sh [ROUNDS]: what afsyncd costs. BUILD is what is measured; TMPDIR the filesystem.
#
# Prints `NAME MEDIAN UNIT LEAST MOST` a line, of ROUNDS (5):
#
#     merge_small       10,000 changed files of 2 KiB merged, and undone; and beside each round, what
#                       `cp -r` of the same files and `sync` take
#     plan_10           the plan of 10 changes in a source of 100,000 files
#     merge_large       a new file of 1 GiB merged, and beside it `cp -r` and `sync`
#
# FEWER=N divides these numbers.
set -euo pipefail

rounds=${1:-5}
fewer=${FEWER:-1}
dir=$(mktemp -d)
trap 'umount "$dir/mnt" 2>/dev/null || :; rm -rf --one-file-system "$dir"' EXIT
mkdir "$dir/src" "$dir/mnt"

now() { echo "${EPOCHREALTIME/[.,]/}"; }

# times NAME COMMAND...: its time in microseconds goes to $dir/NAME
times()
{
	local name=$1 began
	shift
	began=$(now)
	"$@" >/dev/null
	echo $(($(now) - began)) >>"$dir/$name"
}

spread()
{
	sort -n | awk -v name="$1" -v unit="$2" '{ v[NR] = $1 }
		END { print name, v[int((NR + 1) / 2)], unit, v[1], v[NR] }'
}

figure() { awk '{ printf "%.1f\n", $1 / 1000 }' "$dir/$1" | spread "$1" ms; }

# ratio NAME OTHER: of the two in one round
ratio() { paste "$dir/$1" "$dir/$2" | awk '{ printf "%.2f\n", $1 / $2 }' | spread "$1/$2" times; }

# sandbox SCRIPT: runs it in a mount of the source that writes to $dir/delta
sandbox()
{
	"$BUILD/agentfensefs" -o "preset=full-access,delta=$dir/delta" "$dir/src" "$dir/mnt"
	(cd "$dir/mnt" && eval "$1")
	umount "$dir/mnt"
	until flock -n "$dir/delta/meta/lock" true; do sleep 0.01; done
}

merge() { "$BUILD/afsyncd" -q "$dir/delta" "$dir/src"; }
undo() { "$BUILD/afsyncd" -q --undo "$dir/src"; }
plan() { "$BUILD/afsyncd" -n "$dir/delta" "$dir/src"; }
copy() { cp -r "$dir/delta/upper" "$dir/copy" && sync; }

# small COUNT: a source of so many files
small()
{
	rm -rf "$dir/src" "$dir/delta"
	mkdir "$dir/src"
	(cd "$dir/src" && seq -f 'd%.0f' 100 | xargs mkdir && seq "$1" | awk '{
		file = "d" $1 % 100 + 1 "/f" $1
		for (i = 0; i < 32; i++)
			printf "line %5d of the file %-9d, as it was before: 64 bytes in all\n", i, $1 >file
		close(file)
	}')
}

small $((10000 / fewer))
for _ in $(seq "$rounds"); do
	sandbox 'find . -name "f*" -exec sh -c "for f; do echo more >>\$f; done" - {} +'
	sync
	times copy_small copy
	rm -rf "$dir/copy"
	sync
	times merge_small merge
	sync
	times undo_small undo
	rm -rf "$dir/delta"
done
figure merge_small
figure copy_small
ratio merge_small copy_small
figure undo_small

small $((100000 / fewer))
sandbox 'for i in $(seq 10); do echo more >>d$i/f$((100 + i - 1)); done'
for _ in $(seq "$rounds"); do
	times plan_10 plan
done
figure plan_10

rm -rf "$dir/src"
mkdir "$dir/src"
for _ in $(seq "$rounds"); do
	rm -rf "$dir/delta" "$dir/copy"
	sandbox "head -c $((1073741824 / fewer)) /dev/zero | tr '\\0' x >large"
	sync
	times copy_large copy
	rm -rf "$dir/copy"
	sync
	times merge_large merge
	undo
done
figure merge_large
figure copy_large
