#!/bin/bash
# copyup.sh [ROUNDS]: what the first change of a file costs, beside the kernel's overlayfs: one byte is
# appended to each of many files of one size. As root. BUILD is what is measured; TMPDIR the filesystem.
#
# Prints `NAME MEDIAN UNIT LEAST MOST` a line, times being those of one file, of ROUNDS (5); `volatile`
# is without syncs on both sides. FEWER=N divides the numbers of files, and the gibibyte.
set -euo pipefail

rounds=${1:-5}
fewer=${FEWER:-1}
dir=$(mktemp -d)
trap 'umount "$dir/mnt" 2>/dev/null || :; rm -rf --one-file-system "$dir"' EXIT
mkdir "$dir/mnt"

# touch_all COUNT: appends; the milliseconds for each file
touch_all()
{
	python3 - "$dir/mnt" "$1" <<-'E'
		import os, sys, time
		count = int(sys.argv[2])
		began = time.perf_counter()
		for i in range(1, count + 1):
		    fd = os.open(f"{sys.argv[1]}/f{i}", os.O_WRONLY | os.O_APPEND)
		    os.write(fd, b"x")
		    os.close(fd)
		print(f"{(time.perf_counter() - began) * 1e3 / count:.3f}")
	E
}

# kernel COUNT [,OPTION]
kernel()
{
	mkdir "$dir/upper" "$dir/work"
	mount -t overlay overlay -o "userxattr,lowerdir=$dir/src,upperdir=$dir/upper,workdir=$dir/work${2:-}" "$dir/mnt"
	touch_all "$1"
	umount "$dir/mnt"
	rm -rf "$dir/upper" "$dir/work"
}

ours()
{
	"$BUILD/agentfensefs" -o "rule=write:/,delta=$dir/delta${2:-}" "$dir/src" "$dir/mnt"
	touch_all "$1"
	umount "$dir/mnt"
	until flock -n "$dir/delta/meta/lock" true; do sleep 0.01; done
	rm -rf "$dir/delta"
}

spread()
{
	sort -n | awk -v name="$1" -v unit="$2" '{ v[NR] = $1 }
		END { print name, v[int((NR + 1) / 2)], unit, v[1], v[NR] }'
}

# copy_up NAME SIZE COUNT
copy_up()
{
	local mode option i
	rm -rf "$dir/src"
	mkdir "$dir/src"
	for ((i = 1; i <= $3; i++)); do
		head -c "$2" /dev/urandom >"$dir/src/f$i"
	done
	for mode in sync volatile; do
		option=${mode#sync}
		option=${option:+,$option}
		for _ in $(seq "$rounds"); do
			sync
			kernel "$3" "$option" >>"$dir/kernel"
			sync
			ours "$3" "$option" >>"$dir/ours"
		done
		spread "$1_${mode}_overlayfs" ms <"$dir/kernel"
		spread "$1_${mode}_ours" ms <"$dir/ours"
		paste "$dir/ours" "$dir/kernel" | awk '{ printf "%.2f\n", $1 / $2 }' | spread "$1_${mode}" times
		rm "$dir/kernel" "$dir/ours"
	done
}

copy_up 1_KiB 1024 $((1000 / fewer))
copy_up 1_MiB 1048576 $((100 / fewer))
copy_up 1_GiB $((1073741824 / fewer)) 1
