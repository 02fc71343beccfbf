#!/bin/bash
# figures.sh: single figures that the documentation gives, measured here and now. BUILD is what is measured.
#
# Prints `NAME VALUE UNIT` a line. Figures of programs are the median of several runs; two that are
# compared are run alternately.
set -euo pipefail
cd "$(dirname "$0")/../.."

afs=$BUILD/agentfensefs
afrun=$BUILD/afrun
dir=$(mktemp -d)
trap 'umount "$dir/mnt" 2>/dev/null || :; rm -rf --one-file-system "$dir"' EXIT
mkdir "$dir/src" "$dir/mnt"
echo data >"$dir/src/file"

# now: microseconds
now() { echo "${EPOCHREALTIME/[.,]/}"; }

# Prints how long a command takes, in microseconds.
time_of()
{
	local began
	began=$(now)
	"$@" >/dev/null
	echo $(($(now) - began))
}

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

usable() { "$afs" -o default=write "$dir/src" "$dir/mnt" && cat "$dir/mnt/file"; }
bare_bwrap() { bwrap --unshare-all --ro-bind / / --dev /dev --proc /proc true; }
our_run() { "$afrun" -q --direct -C "$dir/src" -- true; }

"$BUILD/bench/bench_policy"

for _ in $(seq 11); do
	time_of usable
	umount "$dir/mnt"
done | median | awk '{ print "mount_start_to_usable", $1 / 1000, "ms" }'

for _ in $(seq 11); do
	echo "bwrap $(time_of bare_bwrap)" "afrun $(time_of our_run)"
done >"$dir/runs"
awk '{ print $2 }' "$dir/runs" | median | awk '{ print "bwrap_true", $1 / 1000, "ms" }'
awk '{ print $4 }' "$dir/runs" | median | awk '{ print "afrun_true", $1 / 1000, "ms" }'

# 1,000 rules and a million paths, through a pipe.
seq 1000 | awk '{ printf "read(\"/d%d/**/*.c\")\n", $1 }' >"$dir/rules.conf"
seq 1000000 | awk '{ printf "d%d/src/f%d.c\n", $1 % 1000, $1 }' >"$dir/paths"
explain() { "$afs" --explain -o "policy=$dir/rules.conf" <"$dir/paths"; }
time_of explain | awk '{ printf "explain_paths_per_second %d 1/s\n", 1e12 / $1 }'
