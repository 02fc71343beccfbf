#!/bin/bash
# What a run may use: by a cgroup where one can be made, else by what a process can do for itself.
# shellcheck disable=SC2016 # the shells inside expand
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/runlib.sh"
need_sandbox

REPORT=$T/report
SAID=$T/said
# limited ARGS...: runs it, with a report and what was said; prints the command's own output
limited() { "$AFRUN" --direct -C "$SRC" --report "$REPORT" "$@" 2>"$SAID"; }
# reported KEY: the value in the report
reported() { sed "s/.*\"$1\":\\([^,]*\\),.*/\\1/" "$REPORT"; }
hog='x = bytearray(200 << 20); print(len(x))'
# Starts threads until it may not, and prints how many there were.
thread_all='
import threading
stop, count = threading.Event(), 0
while count < 60:
    try:
        threading.Thread(target=stop.wait).start()
    except RuntimeError:
        break
    count += 1
print(count)
stop.set()
'


# The directories of the groups of a process, by /proc/PID/cgroup: those that are afrun's.
groups_of()
{
	local names path dir
	while IFS=: read -r _ names path; do
		case $path in */afrun-*) ;; *) continue ;; esac
		for dir in /sys/fs/cgroup/"$names" /sys/fs/cgroup/unified /sys/fs/cgroup; do
			[ -d "$dir$path" ] && echo "$dir$path" && break
		done
	done <"/proc/$1/cgroup"
}

with_groups()
{
	local who=$1 pid dirs began took

	is "$(limited -m 60M -- python3 -c "$hog")" '' "$who: memory: more than that is not to be had"
	is "$(reported exit) $(reported signal) $(reported limit)" '137 9 "memory"' '... and the report says why'
	[ "$(reported peak_memory_bytes)" -le $((60 << 20)) ] && [ "$(reported peak_memory_bytes)" -gt $((30 << 20)) ]
	ok $? "... and the most that it had" || diag "$(cat "$REPORT")"
	like "$(cat "$SAID")" '^afrun: --memory: that was not enough: the kernel has killed a process inside$' '... and standard error'
	is "$(limited -m 60M -- python3 -c 'x = bytearray(20 << 20); print(len(x))')" 20971520 'less than that is'
	is "$(reported limit)" null '... and no limit was met'
	limited -m 60M -c 'for i in 1 2 3 4 5 6 7 8; do python3 -c "import time; x = bytearray(20 << 20); time.sleep(0.5)" & done; wait'
	is "$(reported limit)" '"memory"' 'of all processes together'
	limited -m 60M -c 'head -c 100M /dev/zero >/tmp/x'
	is "$(reported limit)" '"memory"' 'and of files in memory'

	is "$(limited --pids 10 -- python3 -c "$thread_all")" 9 "$who: pids: threads"
	is "$(reported limit)" '"pids"' '... the report says why'
	like "$(cat "$SAID")" '^afrun: --pids: that was not enough: processes could not be started$' '... and standard error'
	limited --pids 10 -c 'i=0; while [ $i -lt 9 ]; do sleep 0.2 & i=$((i + 1)); done; wait'
	is "$(reported exit) $(reported limit)" '0 null' '... so many as were asked for'
	limited --pids 10 -c 'i=0; while [ $i -lt 10 ]; do sleep 1 & i=$((i + 1)); done; wait'
	is "$(reported limit)" '"pids"' '... and not one more'
	limited --pids 30 -t 2 --kill-after 0 -c 'f() { f | f & }; f; sleep 60' &
	pid=$!
	began=$(date +%s%N)
	check 'beside a fork bomb another run goes on' run -- true
	took=$((($(date +%s%N) - began) / 1000000))
	[ "$took" -lt 2000 ]
	ok $? "... soon ($took ms)"
	wait "$pid"
	is "$? $(reported limit)" '124 "pids"' '... and the bomb ends in time'

	# Both processors' worth of work, for a second and a half.
	limited --cpus 0.2 -- timeout 1.5 sh -c 'while :; do :; done & while :; do :; done'
	is "$(reported exit) $(reported limit)" '124 "cpus"' "$who: cpus: it is held up"
	is "$(awk -v u="$(reported user_s)" -v s="$(reported sys_s)" -v w="$(reported wall_s)" \
		'BEGIN { print (u + s) / w < 0.4 ? "held" : (u + s) / w }')" held '... to a part of a processor'

	limited --cpu-shares 512 --cpus 1.5 --pids 20 -m 50M -c 'sleep 60; :' &
	pid=$(process_named sleep)
	dirs=$(groups_of "$pid")
	is "$(for dir in $dirs; do cat "$dir"/{cpu.shares,cpu.weight,cpu.cfs_quota_us,memory.limit_in_bytes,memory.max} 2>/dev/null; done |
		sort -n | paste -sd ' ')" '512 150000 52428800' "$who: each limit is the group's" || diag "$dirs"
	is "$(groups_of "$(process_named afrun-inside)")" "$dirs" '... which all inside are in'
	is "$(groups_of "$(process_named agentfensefs)")$(groups_of "$(process_named afrun)")" '' '... and nobody else'
	kill -KILL "$(process_named afrun)"
	wait
	gone() { ! ls -d $dirs >/dev/null 2>&1; }
	check 'afrun is killed: the groups go' wait_for 5 gone
	check '... and who has removed them' wait_for 5 eval '! find_named afrun-keeper >/dev/null'

	limited --cpu-shares 512 -m 50M --limits=strict -c 'sleep 0.3'
	is "$?:$(cat "$SAID")" 0: "$who: strict: all of it is held"
	is "$(find /sys/fs/cgroup -maxdepth 5 -name 'afrun-*' 2>/dev/null | grep -c "afrun-$$")" 0 'nothing is left'
	is "$(limited -m 50K -- true; echo $?)" 125 'less than the sandbox itself takes'
	like "$(cat "$SAID")" '^afrun: --memory: less than the sandbox itself takes$' '... is told'
}

without_groups()
{
	is "$(limited -m 100M -- python3 -c "$hog" 2>/dev/null)" '' 'no group: memory: for each process'
	like "$(cat "$SAID")" '^afrun: --memory: no cgroup can be made .*: it holds for each process by itself, not for all of them together' \
		'... which is said'
	is "$(limited -m 100M -- python3 -c 'print(len(bytearray(20 << 20)))')" 20971520 '... less than that is to be had'
	is "$(limited -q -m 100M -- true; cat "$SAID")" '' '... and with -q nothing is said'
	is "$(limited --pids 10 -- python3 -c "$thread_all")" 9 'pids'
	like "$(cat "$SAID")" '^afrun: --pids: no cgroup can be made .*: it holds for the user inside, by RLIMIT_NPROC$' '... which is said'
	is "$(limited --cpus 1 -- echo x; echo $?)" 125 'cpus: nothing else holds them'
	like "$(cat "$SAID")" '^afrun: --cpus: no cgroup can be made \(.*\); --limits=best-effort goes on without$' '... which is told'
	is "$(limited --cpu-shares 100 -- echo x; echo $?)" 125 'nor shares'
	is "$(limited --cpus 1 --cpu-shares 100 --limits best-effort -- echo x; echo $?)" $'x\n0' '... --limits=best-effort goes on'
	like "$(cat "$SAID")" '^afrun: --cpus: .*: it does not hold' '... and says so'
	is "$(limited -m 100M --limits strict -- echo x; echo $?)" 125 '--limits=strict: nor is a weaker one enough'
	is "$(limited --pids 10 --limits strict -- echo x; echo $?)" 125 '... of processes'
}

"$AFRUN" --direct -q -C "$SRC" --limits=strict -m 100M --pids 50 --cpus 1 -- true 2>/dev/null && can=1 || can=
if [ -n "$can" ]; then
	with_groups "$(id -un)"
elif is_root; then
	skip 'groups' 'no cgroups here'
fi

# A user to whom groups were delegated, and one to whom none were. (Of version 1: it asks for no more than
# the directories.)
if is_root && [ -n "$can" ] && [ -d /sys/fs/cgroup/memory ] && [ -d /sys/fs/cgroup/pids ] && [ -d /sys/fs/cgroup/cpu ]; then
	as_user true
	af_groups=()
	for name in memory pids cpu; do
		af_path=$(sed -n "s/^[0-9]*:$name:\\(.*\\)/\\1/p" /proc/self/cgroup)
		af_groups+=("/sys/fs/cgroup/$name${af_path%/}/delegated-$$")
	done
	mkdir "${af_groups[@]}"
	chown -R aftest: "${af_groups[@]}"
	chmod 755 "$T"
	mkdir -m 755 "$T/users"
	chown -R aftest: "$SRC" "$T/users"
	delegated()
	{
		bash -c 'for dir in "${@:2:3}"; do echo $$ >"$dir/cgroup.procs"; done; shift 4; as_user "$@"' - \
			x "${af_groups[@]}" "$AFRUN" --direct -q -C "$SRC" --report "$T/users/report" "$@"
	}
	export -f as_user
	delegated -m 60M --pids 20 --cpus 1 --limits=strict -- python3 -c "$hog" 2>/dev/null
	REPORT=$T/users/report
	is "$(reported exit) $(reported limit)" '137 "memory"' 'a user with groups of their own'
	is "$(find "${af_groups[@]}" -name 'afrun-*')" '' '... of which nothing is left'
	rmdir "${af_groups[@]}"
fi
[ -n "$can" ] || is_root || without_groups

# ---- without any group
limited_delta() { "$AFRUN" -C "$SRC" -p full-access --report "$T/report" "$@" 2>"$SAID"; }
if ! is_root || [ "$(stat -c %u "$SRC")" = "$(id -u)" ]; then
	limited_delta --delta-size 100K --sync never -c 'head -c 1M /dev/zero >big; :'
	REPORT=$T/report
	is "$(reported limit)" '"delta-size"' 'a delta that is too small is a limit that was met'
	like "$(cat "$SAID")" 'afrun: --delta-size: that was not enough: something could not be written' '... and is told'
	limited_delta --delta-size 10M --sync never -c 'head -c 1M /dev/zero >big; :'
	is "$(reported limit)" null '... one that is not, is none'
fi
like "$("$AFRUN" -C "$SRC" -m 1G --pids 5 --cpus 1.5 --cpu-shares 100 --dry-run -- true)" \
	'# .*held to: 1073741824 bytes of memory; 5 processes; 1.500 processors; 100 shares' '--dry-run shows them'

done_testing
