#!/bin/bash
# cost.sh: where the time of a line goes: what the kernel asks the daemon, and what each answer takes it. LINES,
# SYSTEMS (afs-direct afs-delta; those of others are only asked for their requests) and USERS say which.
#
# Each line is run three times, in a fresh mount each: with every request printed (-d), for what is asked a file;
# with bench_probe.so, for allocations and for locks that had to be waited for; and with strace -c attached,
# for system calls. The daemon's own counters (SIGUSR1) are there for the second and third.
#
# Prints `cost USER SYSTEM LINE WHAT VALUE`, as report.awk reads it. WHAT is
#
#     requests, awaited, and each OPCODE         a file (a transaction, a page, a MiB); awaited are those for whose
#                                                answer somebody waits
#     allocations, locks, lock_waits, lock_us    a request
#     syscalls, and each call                    a request
set -euo pipefail
# shellcheck source=setting.sh
. "$(dirname "$0")/setting.sh"
# shellcheck source=systems.sh
. "$bench/systems.sh"
# shellcheck source=lines.sh
. "$bench/lines.sh"
: "${SYSTEMS:=afs-direct afs-delta}" "${USERS:=${users%% *}}"
probe=$BUILD/bench/bench_probe.so
strace='' way=''

# The requests that the daemon has counted until now, without those that come when they like.
counted()
{
	counters | awk '$1 !~ /^(forget|refused|nodes|directories_held)$/ { n += $2 } END { print n + 0 }'
}

cost() { printf 'cost\t%s\t%s\t%s\t%s\t%s\n' "$who" "$system" "$line" "$1" "$2"; }
costs()
{
	local what value
	while read -r what value; do
		cost "$what" "$value"
	done
}

opcodes()
{
	local from
	from=$(stat -c %s "$home/log")
	untimed "$@"
	sleep 0.2
	tail -c "+$((from + 1))" "$home/log" | awk -v things="$(things_of "$line")" '
		match($0, /opcode: [A-Z_0-9]+/) {
			name = substr($0, RSTART + 8, RLENGTH - 8)
			n[name]++
			all++
			if (name !~ /^(FORGET|BATCH_FORGET|RELEASE|RELEASEDIR|INTERRUPT)$/)
				awaited++
		}
		END {
			printf "requests %.4g\nawaited %.4g\n", all / things, awaited / things
			fflush()
			for (name in n)
				printf "%s %.4g\n", name, n[name] / things | "sort -k 2,2gr"
		}' | costs
}

probed()
{
	local before after asked
	asked=$(counted)
	before=$(od -An -v -w40 -t u8 "$home/probe")
	untimed "$@"
	after=$(od -An -v -w40 -t u8 "$home/probe")
	echo "$before $after $asked $(counted)" | awk '$12 > $11 {
		asked = $12 - $11
		printf "allocations %.3g\nlocks %.3g\nlock_waits %.3g\nlock_us %.3g\n",
			($6 - $1) / asked, ($8 - $3) / asked, ($9 - $4) / asked, ($10 - $5) / 1e3 / asked
	}' | costs
}

straced()
{
	local asked i
	asked=$(counted)
	strace -f -c -o "$home/calls" -p "$daemon" 2>"$home/attached" &
	strace=$!
	for ((i = 0; i < 200; i++)); do
		! grep -q attached "$home/attached" || break
		sleep 0.01
	done
	untimed "$@"
	sleep 0.1
	kill -INT "$strace"
	wait "$strace" || :
	strace=
	awk -v asked="$(($(counted) - asked))" '
		asked > 0 && $1 ~ /^[0-9.]+$/ && $4 ~ /^[0-9]+$/ {
			if ($NF == "total")
				printf "syscalls %.4g\n", $4 / asked
			else if ($4 / asked >= 0.01)
				printf "%s %.3g\n", $NF, $4 / asked
		}' "$home/calls" | sort -k 2,2gr | costs
}

record()
{
	line=$2
	if wanted_line "$line"; then
		"$way" "${@:3}"
	else
		untimed "${@:3}"
	fi
}

select_work >/dev/null
for who in $USERS; do
	make_source "$who"
	for name in "${selected[@]}"; do
		for system in $SYSTEMS; do
			say "costs of $name on $system as $who"
			way=opcodes debug=1
			measure "$name"
			debug=
			[ "${system#afs-}" != "$system" ] || continue
			before_serve=(env "BENCH_PROBE=$dir/$who/probe" "LD_PRELOAD=$probe")
			way=probed
			measure "$name"
			before_serve=()
			way=straced
			[ "$who" != root ] || measure "$name"
		done
	done
done
exit "$failed"
