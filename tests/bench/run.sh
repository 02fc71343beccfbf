#!/bin/bash
# run.sh [SECTION...]: measures, here and now. BUILD is what is measured; the results are put into BUILD/bench.
#
#     lines     each line of work on each system, interleaved, as ratios to the native directory
#     growth    how costs grow with rules, depth, directories, mounts and changes
#     costs     requests a file, and system calls, allocations and lock waits a request
#     figures   the policy alone, starting a mount and a sandbox, --explain
#     copyup merge start      the first write to a file; merging; afrun beside bare bubblewrap
#     scale many              a walk of a million files; many sandboxes at once
#
# With no section: the first four; with LINES, the first alone. The environment:
#
#     LINES SYSTEMS USERS     some of them: LINES='find git-status' SYSTEMS='native afs-direct' USERS=root
#     ROUNDS FILES SIZE       and the other sizes of setting.sh; TINY=1: as small as can be, and all must be there
#     MEMORY=8                on an ext4 of so many GiB in memory, as root; else TMPDIR says where
#     CORE=0                  the core on which all of it runs; `no`: anywhere
#
# run.sh --readme: measures nothing; puts the last results, the table and the picture, into README.
set -euo pipefail
shopt -u checkwinsize # bash would set LINES
here=$(cd "$(dirname "$0")" && pwd -P)
export BUILD=${BUILD:-${here%/tests/bench}/build}

report() { awk -v form="$1" -f "$here/picture.awk" -f "$here/report.awk" "$2"; }

# Between two lines of README that say `bench`.
readme()
{
	local text
	cp "$BUILD/bench/result.svg" "$here/result.svg"
	text="![Each line's ratios, and how costs grow](tests/bench/result.svg)"$'\n\n'$(report markdown "$BUILD/bench/result.tsv")
	TEXT=$text awk '/^<!-- bench -->$/ { print; print ENVIRON["TEXT"] "\n"; skip = 1 }
		/^<!-- end of bench -->$/ { skip = 0 }
		!skip' "$here/../../README.md" >"$BUILD/bench/README.md"
	cat "$BUILD/bench/README.md" >"$here/../../README.md"
}
if [ "${1:-}" = --readme ]; then
	readme
	exit
fi

machine()
{
	local filesystem
	filesystem=$(df --output=fstype "${TMPDIR:-/tmp}" | tail -n 1)
	[ -z "${MEMORY:-}" ] || filesystem='ext4 in memory'
	printf 'machine\t%s\t%s\n' cores "$(nproc --all)" kernel "$(uname -r | sed 's/^\([0-9.]*[0-9]\).*/\1/')" \
		filesystem "$filesystem" core "${CORE:-0}"
}

# figures_of COMMAND...: what prints `NAME VALUE UNIT [LEAST MOST]` a line
figures_of() { "$@" | awk '{ printf "figure\t%s\t%s\t%s\t%s\t%s\n", $1, $2, $3, $4, $5 }'; }

section()
{
	case $1 in
	lines) "$here/compare.sh" ;;
	growth) ROUNDS=${GROWTH_ROUNDS:-${TINY:-3}} "$here/growth.sh" ;;
	costs) LINES=${LINES:-${TINY:+read tar}} "$here/cost.sh" ;;
	figures) figures_of "$here/figures.sh" ;;
	copyup | merge | many) figures_of "$here/$1.sh" ;;
	start) "$here/afrun_start.sh" >&2 ;;
	scale) "$here/scale.sh" >&2 ;;
	*) echo "run.sh: $1: no such section" >&2; return 2 ;;
	esac
}

if [ $# -eq 0 ]; then
	case ${LINES:-} in
	'' | *[0-9]*) set -- lines growth costs ;;
	*) set -- lines ;;
	esac
	[ $# -eq 1 ] || [ -n "${TINY:-}" ] || set -- "$@" figures
fi
mkdir -p "$BUILD/bench"
result=$BUILD/bench/result
machine >"$result.tsv"
status=0
for name; do
	section "$name" >>"$result.tsv" || status=$?
done
report json "$result.tsv" >"$result.json"
report svg "$result.tsv" >"$result.svg"
report table "$result.tsv"
printf '\nin %s: result.tsv, result.json, result.svg\n' "${BUILD#"$PWD"/}/bench"
[ -z "${TINY:-}" ] || { report check "$result.tsv" && python3 -m json.tool "$result.json" >/dev/null; } || status=1
exit "$status"
