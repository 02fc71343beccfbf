#!/bin/bash
# compare.sh: times each line on each system, interleaved. LINES, SYSTEMS and USERS say which; all by default.
#
# Prints records as report.awk reads them. Exit 1 if something could not be done; what is not there is
# said on stderr.
set -euo pipefail
# shellcheck source=setting.sh
. "$(dirname "$0")/setting.sh"
# shellcheck source=systems.sh
. "$bench/systems.sh"
# shellcheck source=lines.sh
. "$bench/lines.sh"
: "${SYSTEMS:=$systems_all}" "${USERS:=$users}"

# record TIMES LINE WORK...: a sample, the median of so many
record()
{
	local line=$2 ns
	if ! wanted_line "$line"; then
		untimed "${@:3}"
	elif ns=$(worker -n "$1" "${@:3}"); then
		printf 'sample\t%s\t%s\t%s\t%d\t%d\n' "$who" "$system" "$line" "$round" "$ns"
	else
		say "$line: failed on $system as $who"
		failed=1
	fi
}

# road: how a mount of agentfensefs answers who opens and reads files once and once more, as `road USER
# SYSTEM ROAD`: n, the kernel asks for no OPEN; p, it reads by itself; cached, it keeps what it has read
road()
{
	local counts
	if [ "${system#afs-}" = "$system" ] || ! system_up "$system" "$who"; then
		system_down
		return 0
	fi
	head -n 100 "$home/files" >"$home/some"
	counts=$(for _ in 1 2; do untimed read "$home/some"; counters | awk '$1 == "open" || $1 == "read" { print $2 }'; done)
	printf 'road\t%s\t%s\t%s\n' "$who" "$system" "$(xargs <<<"$counts" | awk '
		{ print $3 == $1 ? "n" : $2 == 0 ? "p" : $4 == $2 ? "cached" : "plain" }')"
	system_down
}

select_work
while read -r line p n; do
	printf 'limit\t%s\t%s\t%s\n' "$line" "$p" "$n"
done < <(grep -v '^#' "$bench/limits")
read -ra names <<<"$SYSTEMS"
printf 'system\t%s\n' "${names[@]}"
for who in $USERS; do
	make_source "$who"
	for system in "${names[@]}"; do
		road
	done
done
# Each round begins with another system.
for ((round = 1; round <= ROUNDS; round++)); do
	for name in "${selected[@]}"; do
		say "round $round of $ROUNDS: $name"
		for ((i = 0; i < ${#names[@]}; i++)); do
			system=${names[(i + round) % ${#names[@]}]}
			for who in $USERS; do
				case $missing in *" $who:$system "*) ;; *) measure "$name" ;; esac
			done
		done
	done
done
exit "$failed"
