#!/bin/bash
# growth.sh: how costs grow: of a lookup, with the number of rules, depth, the size of a directory and the number of
# mounts; of a listing, of a delta and of its merge, with what is in them; of a mount. MOST (100000) is the largest number;
# as the first of USERS.
#
# Prints `curve` and `point` records as report.awk reads them; each point is a median of ROUNDS, in fresh mounts.
set -euo pipefail
# shellcheck source=setting.sh
. "$(dirname "$0")/setting.sh"
# shellcheck source=systems.sh
. "$bench/systems.sh"
: "${MOST:=${TINY:+10}}" "${MOST:=100000}"
who=${USERS:-$users}
who=${who%% *}
home=$dir/$who
src=$home/src
lookups=1000
few=$((MOST < 1000 ? MOST : 1000)) # with less a process's start would be measured
mkdir -p "$home/mnt"
[ "$who" = root ] || [ "$(id -u)" -ne 0 ] || chown -R aftest: "$home"

tens() { awk -v most="$1" -v from="${2:-1}" 'BEGIN { for (n = from; n <= most; n *= 10) print n }'; }
curve() { printf 'curve\t%s\t%s\t%s\t%s\n' "$@"; }
# sample CURVE SERIES X COUNT: the nanoseconds read, for so many, are a sample of a point
sample() { awk -v OFS='\t' -v count="$4" -v where="$1 $2 $3" '{ split(where, w, " "); print w[1], w[2], w[3], $1 / 1000 / count }' >>"$home/samples"; }
# The points of what was sampled: medians.
points()
{
	sort -k 1,1 -k 2,2 -k 3,3n -k 4,4g "$home/samples" | awk -F '\t' '
		function flush() { if (n) printf "point\t%s\t%.3f\n", last, v[int((n + 1) / 2)] }
		{ key = $1 FS $2 FS $3 }
		key != last { flush(); n = 0; last = key }
		{ v[++n] = $4 }
		END { flush() }'
	rm "$home/samples"
}

# up MODE OPTIONS: agentfensefs on $src
up()
{
	local options=$2
	[ "$1" != delta ] || options+=,delta=$home/delta,volatile
	serve "$who" "$afs" -f -o "$options" "$src" "$home/mnt"
}
down()
{
	system_umount "$home/mnt"
	wait
	daemon=
	rm -rf "$home/delta"
}
inside() { as "$who" "$work" -C "$home/mnt/$1" "${@:2}"; }

# lookup CURVE X DIR LIST OPTIONS [BEFORE]: samples what each name of LIST, below DIR, costs when first looked
# up; those of BEFORE are known by then
lookup()
{
	local mode
	for mode in direct delta; do
		up "$mode" "$5"
		[ -z "${6:-}" ] || inside . stat "$6" >/dev/null
		inside "$3" stat "$4" | sample "$1" "$mode" "$2" "$(wc -l <"$4")"
		down
	done
}

# fresh: an empty source
fresh()
{
	rm -rf "$src"
	as "$who" mkdir -p "$src"
}
# files DIR COUNT [PREFIX]: makes them, of a few bytes
files() { as "$who" mkdir -p "$src/$1" && as "$who" sh -c 'cd "$1" && seq -f "${3}f%.0f" "$2" | xargs touch' - "$src/$1" "$2" "${3:-}"; }
names() { seq -f "${2:-}f%.0f" "$1"; }

# Whatever grows is made before; then each round has all of it.
by_rules()
{
	local n
	curve rules 'a lookup' rules us
	curve mount-rules 'a mount, until it answers' rules ms
	fresh
	files d "$lookups"
	names "$lookups" >"$home/list"
	for n in $(tens "$MOST"); do
		{ idle_rules $((n - 1)); echo 'read("**/d")'; } >"$home/rules-$n.conf"
	done
	for ((round = 0; round < ROUNDS; round++)); do
		for n in $(tens "$MOST"); do
			lookup rules "$n" d "$home/list" "policy=$home/rules-$n.conf"
			as "$who" "$work" run "$afs" -o "policy=$home/rules-$n.conf" "$src" "$home/mnt" |
				sample mount-rules direct "$n" 1000
			down
		done
	done
	points
}

# All in one chain of directories.
by_depth()
{
	local n most=$((MOST < 1000 ? MOST : 1000))
	curve depth 'a lookup' depth us
	fresh
	names "$lookups" >"$home/list"
	for n in $(tens "$most"); do
		files "$(chain "$n")" "$lookups"
	done
	for ((round = 0; round < ROUNDS; round++)); do
		for n in $(tens "$most"); do
			lookup depth "$n" "$(chain "$n")" "$home/list" 'default=read,rule=none:*.key'
		done
	done
	points
}
chain() { awk -v n="$1" 'BEGIN { for (i = 1; i < n; i++) printf "d/"; print "d" }'; }

# As many directories as give a thousand names, looked up before. With one entry each lookup is the first in its
# directory, which the daemon has to open: that is not flat.
by_size()
{
	local n d
	curve directory 'a lookup' 'entries of the directory' us
	fresh
	for n in $(tens "$MOST"); do
		for ((d = 0; d * n < lookups; d++)); do
			echo "of$n/d$d"
		done >"$home/before-$n"
		if [ "$n" -ge "$lookups" ]; then
			files "of$n/d0" "$n"
			names "$n" "of$n/d0/" | awk -v step="$((n / lookups))" 'NR % step == 0' >"$home/list-$n"
		else
			(cd "$src" && as "$who" xargs mkdir -p) <"$home/before-$n"
			while read -r d; do names "$n" "$d/"; done <"$home/before-$n" >"$home/list-$n"
			(cd "$src" && as "$who" xargs touch) <"$home/list-$n"
		fi
	done
	for ((round = 0; round < ROUNDS; round++)); do
		for n in $(tens "$MOST"); do
			lookup directory "$n" . "$home/list-$n" 'default=read,rule=none:*.key' "$home/before-$n"
		done
	done
	points
}

# Those of before stay, so here what else the machine does may show.
by_mounts()
{
	local n i started=0 most=$((MOST < 1000 ? MOST : 1000))
	curve mounts 'a lookup' 'mounts of the same source' us
	fresh
	files d "$lookups"
	names "$lookups" >"$home/list"
	as "$who" mkdir "$home/many"
	for n in $(tens "$most"); do
		for ((i = started + 1; i < n; i++)); do
			as "$who" mkdir "$home/many/$i"
			as "$who" "$afs" -o default=read,rule=none:*.key "$src" "$home/many/$i"
		done
		started=$((n - 1))
		for ((round = 0; round < ROUNDS; round++)); do
			lookup mounts "$n" d "$home/list" 'default=read,rule=none:*.key'
		done
	done
	for ((i = 1; i <= started; i++)); do
		system_umount "$home/many/$i"
	done
	rm -rf "$home/many"
	points
}

by_listing()
{
	local n mode
	curve listing 'a listing, each entry' entries us
	fresh
	for n in $(tens "$MOST" "$few"); do
		files "d$n" "$n"
	done
	for ((round = 0; round < ROUNDS; round++)); do
		for n in $(tens "$MOST" "$few"); do
			as "$who" "$work" -C "$src" run find "d$n" | sample listing native "$n" "$n"
			for mode in direct delta; do
				up "$mode" 'default=write,rule=none:*.key'
				# In a delta one entry is its own, so that there are two directories to merge.
				[ "$mode" = direct ] || as "$who" touch "$home/mnt/d$n/new"
				inside . run find "d$n" | sample listing "$mode" "$n" "$n"
				down
			done
		done
	done
	points
}

# Appends to n files, a thousand a directory; mounts that again and walks it; merges it. Once for each n.
by_changes()
{
	local n
	curve change 'a change in a delta: the first write to a file' 'files that are changed' us
	curve walk 'a walk of a delta, each file' 'files that were changed' us
	curve mount-changes 'a mount of a delta, until it answers' 'files that were changed' ms
	curve merge 'a merge, each file' 'files that were changed' us
	for n in $(tens "$MOST" "$few"); do
		fresh
		seq -f '%.0f' 0 $((n - 1)) | awk '{ printf "d%d/f%d\n", $1 / 1000, $1 }' >"$home/list"
		(cd "$src" && as "$who" sh -c 'cut -d / -f 1 "$1" | uniq | xargs mkdir && xargs -a "$1" touch' - "$home/list")
		up delta default=write
		inside . run xargs -a "$home/list" sh -c 'for f; do echo more >>"$f" || exit 255; done' - |
			sample change delta "$n" "$n"
		system_umount "$home/mnt"
		wait
		as "$who" "$work" run "$afs" -o "default=write,delta=$home/delta,volatile" "$src" "$home/mnt" |
			sample mount-changes delta "$n" 1000
		inside . run find . | sample walk delta "$n" "$n"
		system_umount "$home/mnt"
		# The daemon is nobody's child here, and holds the delta until it has ended.
		until flock -n "$home/delta/meta/lock" true; do sleep 0.01; done
		as "$who" "$work" run "$BUILD/afsyncd" -q "$home/delta" "$src" | sample merge delta "$n" "$n"
		rm -rf "$home/delta"
	done
	points
}

for part in ${PARTS:-rules depth size mounts listing changes}; do
	say "growth by $part"
	"by_$part"
done
