#!/bin/bash
# lib.sh itself: a case that leaves a mount, a process or a file behind fails, and so does one that
# ends early; one that does not passes. Else every other case's silence would mean nothing.
. "$(dirname "$0")/../../lib.sh"

# Runs a case of these lines; its output and exit status.
run_case()
{
	local file=$T/cases/$1/one.sh
	mkdir -p "${file%/*}"
	ln -sfn "$ROOT/tests/lib.sh" "$T/lib.sh"
	{
		printf '#!/bin/bash\n. "%s/tests/lib.sh"\n' "$ROOT"
		cat
	} >"$file"
	chmod +x "$file"
	env -u AF_TEST_ID AF_PATIENCE=1 TMPDIR="$T/tmp" "$file" >"$T/out" 2>&1
	echo "exit $?" >>"$T/out"
	cat "$T/out"
}

out=$(run_case clean <<'EOS'
ok 0 fine
check true true
refute false false
is a a same
like abc '^a.c$' like
errno_is OK exists -- access / r
errno_is ENOENT missing -- access "$T/none" r
check 'soon' wait_for 5 true
sleep 0.2 &
done_testing
EOS
)
like "$out" $'\n1\\.\\.9\n.*exit 0|exit 0' 'a case that leaves nothing passes'
unlike "$out" 'not ok' '... with no failure'
like "$out" 'ok 9 - leaves no mount, process or file behind' '... and counts its last check'

out=$(run_case failing <<'EOS'
is a b different
check false false
refute true true
refute 'not runnable' /nonexistent
errno_is EACCES 'wrong errno' -- access /nonexistent r
errno_is OK 'not OK' -- access /nonexistent r
check late wait_for 1 false
done_testing
EOS
)
is "$(grep -c '^not ok' <<<"$out")" 7 'each helper can fail'
like "$out" 'exit 1' '... and the case with them'
like "$out" 'line 3\)' '... and the line of the case is told'

out=$(run_case early <<'EOS'
ok 0 fine
exit 0
EOS
)
like "$out" 'exit 1' 'a case without done_testing fails'
unlike "$out" '1\.\.' '... with no plan'

out=$(run_case process <<'EOS'
env -i setsid sh -c 'sleep 300 & exit' </dev/null >/dev/null 2>&1
done_testing
EOS
)
like "$out" 'not ok 1 - leaves.*# process: [0-9]+ sleep 300' \
	'an orphan without environment is found'
like "$out" 'exit 1' '... and fails the case'
pid=$(sed -n 's/^# process: \([0-9]*\).*/\1/p' <<<"$out")
refute '... and is killed' kill -0 "$pid"

out=$(run_case early-process <<'EOS'
setsid sleep 301 </dev/null >/dev/null 2>&1 &
echo "pid $!"
kill -9 $$
EOS
)
like "$out" 'exit 137' 'a case that was killed'
refute '... leaves no process all the same' kill -0 "$(sed -n 's/^pid //p' <<<"$out")"

stray=/var/tmp/agentfense-stray-$$
out=$(run_case file <<EOS
echo >$stray
done_testing
EOS
)
rm -f "$stray"
like "$out" "not ok 1 - leaves.*# file: $stray" 'a file outside is found'

if is_root; then
	out=$(run_case mount <<-'EOS'
	mkdir "$T/a b"
	mount -t tmpfs none "$T/a b"
	is "$(mounts_below "$T")" "$T/a b" listed
	check mounted is_mounted "$T/a b"
	refute 'not mounted' is_mounted "$T/a"
	done_testing
	EOS
	)
	like "$out" 'not ok 4 - leaves.*# mount: [^ ]*/a b' 'a mount is found'
	is "$(mounts_below "$T")" '' '... and taken away'
	is "$(as_user sh -c 'id -un; id -G | wc -w; cd; pwd')" "aftest"$'\n1\n'"$T/user" \
		'as_user is an ordinary user with a home'
	check '... who can write there' as_user touch "$T/user/x"
	check '... and can open /dev/fuse' as_user sh -c 'exec 3<>/dev/fuse'
	errno_is OK 'RUNAS: root' -- mkdir "$T/rootdir" 0700
	RUNAS=as_user errno_is EACCES 'RUNAS: the user' -- list "$T/rootdir"
fi

done_testing
