#!/bin/bash
# How long `afrun -q --direct -- true`, and without --direct, takes beside bare bubblewrap with the same namespaces and the
# same tree (but for the view). Interleaved; medians in milliseconds. RUNS (50) of each.
set -eu
BUILD=${BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"

bare=(bwrap --unshare-all --unshare-user --disable-userns --die-with-parent --new-session --cap-drop ALL
	--ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64
	--proc /proc --dev /dev --tmpfs /tmp --tmpfs /run --tmpfs /home --bind "$dir" /workspace
	--chdir /workspace -- true)
now() { echo $((${EPOCHREALTIME/./})); }
took()
{
	local start
	start=$(now)
	"$@" </dev/null >/dev/null
	echo $(($(now) - start))
}
median() { sort -n "$1" | awk '{ a[NR] = $1 } END { printf "%.1f", a[int((NR + 1) / 2)] / 1000 }'; }

mkdir "$dir/src"
for ((i = 0; i < ${RUNS:-50}; i++)); do
	took "${bare[@]}" >>"$dir/bare"
	took "$BUILD/afrun" -q --direct -C "$dir/src" -- true >>"$dir/afrun"
	took "$BUILD/afrun" -q -C "$dir/src" -- true >>"$dir/delta"
done
printf 'bare bwrap %s ms, afrun --direct %s ms, with a delta %s ms (medians of %d, interleaved)\n' \
	"$(median "$dir/bare")" "$(median "$dir/afrun")" "$(median "$dir/delta")" "${RUNS:-50}"
