#!/bin/bash
# Many sandboxes of one source, each on a delta of its own: how many are started, run and merged a second;
# and N (300) alive at once: how fast they start, what memory each takes (PSS of all that is ours and
# bubblewrap's), how one more fares among them, and how they end. As root all of it is in a memory cgroup
# of 4 GB, where there is one of version 1.
set -eu
BUILD=${BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}
afrun=$BUILD/afrun
count=${1:-300}
dir=$(mktemp -d)
group=/sys/fs/cgroup/memory/afrun-bench-$$
cleanup()
{
	pkill -9 -f "sleep 98765" || :
	wait
	if [ -d "$group" ]; then
		echo $$ >/sys/fs/cgroup/memory/cgroup.procs
		rmdir "$group" 2>/dev/null || { sleep 1; rmdir "$group"; }
	fi
	rm -rf "$dir"
}
trap cleanup EXIT
chmod 755 "$dir"
mkdir -p "$dir/src/out"
seq 50 | while read -r i; do echo "$i" >"$dir/src/f$i"; done
if [ -w /sys/fs/cgroup/memory ] && mkdir "$group" 2>/dev/null; then
	echo 4G >"$group/memory.limit_in_bytes"
	echo $$ >"$group/cgroup.procs"
fi

now() { echo "${EPOCHREALTIME/[.,]/}"; }
run() { "$afrun" -q -p full-access -C "$dir/src" "$@"; }
export -f run
export afrun dir

# Whole runs: mount, sandbox, command, merge.
began=$(now)
seq 200 | xargs -P 50 -I{} bash -c 'run -- sh -c "echo {} >out/{}" </dev/null'
took=$(($(now) - began))
[ "$(find "$dir/src/out" -type f | wc -l)" -eq 200 ] || { echo 'many: a write was lost' >&2; exit 1; }
awk -v us="$took" 'BEGIN { printf "runs_merged_per_second %.1f 1/s\n", 200e6 / us }'

alive() { pgrep -cf '^sleep 98765' || :; }
began=$(now)
for ((i = 0; i < count; i++)); do
	"$afrun" -q -p full-access -C "$dir/src" -- sleep 98765 </dev/null 2>/dev/null &
	runs[i]=$!
done
while [ "$(alive)" -lt "$count" ]; do sleep 0.05; done
awk -v n="$count" -v us="$(($(now) - began))" 'BEGIN { printf "started_per_second %.1f 1/s\n", n * 1e6 / us }'

ours() { ps -eo pid=,comm= | awk '$2 ~ /^(afrun|agentfensefs|bwrap|afrun-inside|afrun-keeper)$/ { print $1 }'; }
for pid in $(ours); do
	awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup" 2>/dev/null || :
done | awk -v n="$count" '{ sum += $1 } END { printf "pss_per_sandbox %.0f KiB\n", sum / n }'
[ ! -d "$group" ] || awk '{ printf "memory_of_all %.0f MiB\n", $1 / 1048576 }' "$group/memory.usage_in_bytes"

for _ in $(seq 11); do
	began=$(now)
	run -- cat f1 </dev/null >/dev/null
	echo $(($(now) - began))
done | sort -n | awk '{ v[NR] = $1 } END { printf "one_more_among_them %.1f ms\n", v[6] / 1000 }'

began=$(now)
kill "${runs[@]}"
wait
awk -v us="$(($(now) - began))" 'BEGIN { printf "all_ended_after %.2f s\n", us / 1e6 }'
if [ "$(alive)" -ne 0 ] || [ -n "$(ours)" ]; then
	echo 'many: something is left' >&2
	exit 1
fi
