#!/bin/bash
# A delta cannot make a merge take long, much memory or much room by its size alone; one that the caller
# may not write to, or that is another user's, is told, and gets nobody what they did not have.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"

make_outside
# Its peak memory in MiB is PEAK.
measured()
{
	STATUS=0
	PEAK=$(python3 - 60 "$T/out" "$T/err" "$AFSYNCD" "${STATE[@]}" "$@" <<'EOT'
import resource, subprocess, sys
limit, out, err, *args = sys.argv[1:]
run = subprocess.run(args, stdout=open(out, 'w'), stderr=open(err, 'w'), timeout=int(limit))
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
sys.exit(run.returncode)
EOT
	) || STATUS=$?
	ERR=$(cat "$T/err")
}

# 20,000 files in one directory and in many; COUNT says how many.
count=${COUNT:-20000}
new_source 'echo 0 >a'
sandbox "$D" 'echo 1 >a'
python3 - "$D/upper" "$count" <<'EOT'
import os, sys
top, count = sys.argv[1], int(sys.argv[2])
for i in range(count):
    d = os.path.join(top, 'one' if i % 2 else 'many/%d' % (i % 400))
    if i < 800: os.makedirs(d, exist_ok=True)
    with open(os.path.join(d, 'f%d' % i), 'w') as f: f.write(str(i))
EOT
measured -n "$D"
is "$STATUS:$(grep -c '^A.*/f' "$T/out")" "0:$count" "a plan of $count files"
start=${EPOCHREALTIME/[.,]/}
measured "$D"
took=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
is "$STATUS:$(find "$S/one" "$S/many" -type f | wc -l)" "0:$count" "$count files are merged ($took ms, $PEAK MiB)"
[ "$PEAK" -lt $((32 + count / 250)) ]
ok $? '... in less than 4 KiB of memory each'
start=${EPOCHREALTIME/[.,]/}
measured --undo "$S"
is "$STATUS:$(find "$S" -type f ! -path '*/.agentfense/*' | wc -l)" 0:1 \
	"... and undone ($(((${EPOCHREALTIME/[.,]/} - start) / 1000)) ms)"

# Sparse, of an apparent tebibyte: taken by a rename, and copied where somebody has it open.
for how in moved copied; do
	new_source 'echo 0 >a'
	sandbox "$D" 'echo 1 >a'
	if ! truncate -s 1T "$D/upper/huge" 2>/dev/null; then
		skip "a file of 1 TiB, $how" 'this filesystem holds none'
		continue
	fi
	printf end | dd of="$D/upper/huge" bs=1 seek=$(((1 << 40) - 3)) conv=notrunc status=none
	[ "$how" = moved ] || exec 7>>"$D/upper/huge"
	for option in -n --diff ''; do
		# shellcheck disable=SC2086 # one or none
		bounded $option "$D"
		ok "$TIMELY" "a file of 1 TiB, $how: afsyncd $option ends"
	done
	exec 7>&-
	is "$STATUS:$(stat -c %s "$S/huge"):$(tail -c 3 "$S/huge")" "0:$((1 << 40)):end" '... it is merged' || diag "$ERR"
	[ "$(stat -c %b "$S/huge")" -lt 4096 ]
	ok $? '... and is still sparse'
	rm -f "$S/huge"
done
# The source has one, the delta as well, and both say that they changed: content is compared.
new_source 'truncate -s 2G same; truncate -s 2G other'
sandbox "$D" 'printf x >>other; truncate -s 2G other; touch same; echo x | dd of=same conv=notrunc status=none'
printf y | dd of="$S/other" bs=1 conv=notrunc status=none
bounded "$D"
ok "$TIMELY" 'large sparse files in conflict'

# Names without end: xattrs, symlinks.
new_source 'echo 0 >a'
sandbox "$D" 'echo 1 >a'
for ((i = 0; i < 60; i++)); do setfattr -n "user.$(printf '%0200d' "$i")" -v x "$D/upper/a" 2>/dev/null || break; done
ln -s "$(printf '%04095d' 0)" "$D/upper/long"
for ((i = 0; i < 50; i++)); do ln -s "l$(((i + 1) % 50))" "$D/upper/l$i"; done
bounded "$D"
[ "$TIMELY" -eq 0 ] && [ "$STATUS" -le 1 ] && [ "$(cat "$S/a")" = 1 ]
ok $? "many xattrs, long symlinks, rings of them ($STATUS)" || diag "$ERR"
is "$(readlink "$S/long" | wc -c)" 4096 '... a symlink of 4,095 bytes is whole'

# A source that the caller may not write to; the delta is theirs.
owner_was() { (cd "$S" && find . -path ./.agentfense -prune -o -printf '%P %u %m %T@\n' | sort); }
if is_root; then
	as_user true
	new_source 'mkdir dir; echo 0 >dir/f; echo 0 >a; mkdir -m 700 closed; echo secret >closed/f'
	D=$T/user/delta
	was=$(owner_was)
	mkdir "$T/user/mnt"
	chown aftest: "$T/user/mnt"
	if RUNAS=as_user mount_fs -o "preset=full-access,delta=$D" "$S" "$T/user/mnt"; then
		RUNAS=as_user umount_fs "$T/user/mnt"
		as_user sh -c 'cd "$1" && mkdir -p dir closed && echo 1 >a && echo 1 >dir/f && echo 1 >new && echo 1 >closed/x && chmod 777 dir' \
			- "$D/upper"
		for option in -n --diff ''; do
			STATUS=0
			# shellcheck disable=SC2086 # one or none
			as_user timeout 20 "$AFSYNCD" $option "$D" "$S" >"$T/out" 2>"$T/err" || STATUS=$?
			case $option$STATUS in -*[012] | [12]) status=0 ;; *) status=1 ;; esac
			ok "$status" "a source of another's: afsyncd $option: exit $STATUS"
			unlike "$(cat "$T/out" "$T/err")" secret '... and shows nothing that the caller may not read'
		done
		is "$(owner_was)" "$was" '... and the source is as it was'
		[ -e "$D/upper/a" ] && [ -e "$D/upper/closed/x" ]
		ok $? '... and so is the delta'

		# Root merges a user's delta: only into what root names, and never with more than plain rights.
		as_user sh -c 'cd "$1" && mkfifo fifo && echo x >suid && chmod 4755 suid && ln -s /etc/passwd link' - "$D/upper"
		afsync "$D"
		is "$STATUS" 2 "root, and a user's delta: it does not say into what it is merged"
		is "$(owner_was)" "$was" '... nothing is'
		afsync "$D" "$S"
		is "$STATUS:$(owner_was)" "2:$was" '... nor does it say what is allowed'
		afsync -r 'write:/**' "$D" "$S"
		is "$STATUS:$(cat "$S/new" "$S/closed/x" | paste -sd ' ')" '1:1 1' '... into the named source, by the named rules' || diag "$ERR"
		is "$(find "$S" -path "$S/.agentfense" -prune -o \( -perm -4000 -o -type p -o -name link \) -print)" '' \
			'... without set-id bits, FIFOs and symlinks out'
		is "$(stat -c %U "$S/new")" aftest '... what they made is theirs'
		is "$(stat -c %u "${STATE[1]}")" 0 '... and the state is not'
	fi
fi
intact 'sizes and users'

done_testing
