#!/bin/bash
# The audit log: a JSON object a line for every refusal and every hidden path asked for.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"

# Prints OP PATH LEVEL NEEDED ERRNO a line, of each line that is an object with all the keys.
events()
{
	perl -MJSON::PP -ne '
		s/\\udc[89a-f][0-9a-f]/?/g; # a byte that is not UTF-8; strict parsers refuse it
		$e = eval { decode_json($_) } or do { print "not JSON: $_"; next };
		next if exists $e->{dropped};
		for (qw(time op path level needed rule errno pid uid comm)) {
			print "no $_: $_[0]\n" unless exists $e->{$_};
		}
		binmode STDOUT, ":utf8";
		print join(" ", map { $_ // "-" } @$e{qw(op path level needed errno)}), "\n";
	' "$LOG"
}

logged()
{
	events | grep -q -x -F -- "$1"
}

# refused EVENT OP ARGS...: the call is made, and then the event is in the log.
refused()
{
	local event=$1
	shift
	$RUNAS "$SYS" "$@" >/dev/null 2>&1
	wait_for 5 logged "$event"
	ok $? "$WHO: $event" || diag "$(events | tail -n 3)"
}

refusals()
{
	refused 'open /v view read EACCES' open "$MNT/v" rdonly
	refused 'open /r read write EACCES' open "$MNT/r" wronly
	refused 'lookup /none none view ENOENT' stat "$MNT/none" type
	refused 'lookup /nothing none view ENOENT' stat "$MNT/nothing" type
	refused 'mkdir /newdir none write EACCES' mkdir "$MNT/newdir"
	refused 'unlink /r read write EACCES' unlink "$MNT/r"
	refused 'rmdir /vd view write EACCES' rmdir "$MNT/vd"
	refused 'create /d/x.none none write EACCES' open "$MNT/d/x.none" wronly,creat
	refused 'mknod /d/f.none none write EACCES' mknod "$MNT/d/f.none" fifo
	refused 'symlink /d/s.none none write EACCES' symlink x "$MNT/d/s.none"
	refused 'setxattr /r read write EACCES' setxattr "$MNT/r" user.x 1
	refused 'getxattr /v view read EACCES' getxattr "$MNT/v" user.x
	refused 'chmod /r read write EACCES' chmod "$MNT/r" 777
	refused 'truncate /r2 read write EACCES' truncate "$MNT/r2" 0
	refused 'rename /r read write EACCES' rename "$MNT/r" "$MNT/d/r"
	refused 'link /v view write EACCES' link "$MNT/v" "$MNT/d/v"
}

details()
{
	local last
	$RUNAS "$SYS" open "$MNT/v2" rdonly >/dev/null
	wait_for 5 logged 'open /v2 view read EACCES'
	last=$(grep '"/v2"' "$LOG" | head -n 1)
	like "$last" '"uid": ?'"$($RUNAS id -u)"'[,}]' "$WHO: uid"
	like "$last" '"comm": ?"sys"' "$WHO: comm"
	like "$last" '"pid": ?[1-9]' "$WHO: pid"
	like "$last" '"rule": ?"[^"]*policy:3: /v\*"' "$WHO: rule, with file, line and pattern"
	like "$last" '"time": ?"20[0-9-]+T[0-9:.]+Z"' "$WHO: time"
	last=$(grep '"/nothing"' "$LOG" | head -n 1)
	like "$last" '"rule": ?null' "$WHO: null where the default decided"
	# Bytes that are no UTF-8, and control characters, stay recoverable and on one line.
	$RUNAS "$SYS" stat "$MNT/$(printf 'b\377\nx')" type >/dev/null 2>&1
	wait_for 5 grep -q 'udcff' "$LOG"
	like "$(tail -n 1 "$LOG")" '"/b\\udcff\\nx"' "$WHO: bytes that are not UTF-8"
	is "$(stat -c %a "$LOG")" 600 "$WHO: nobody else reads the log"
}

# What the kernel alone refuses, from the mode bits, to those whom they bind.
by_the_kernel()
{
	local before
	before=$(wc -l <"$LOG")
	$RUNAS bash -c 'cat "$1/v3"; echo x >"$1/r3"' sh "$MNT" 2>/dev/null
	wait_for 5 grep -q '"/v3"' "$LOG"
	ok $? "$WHO: a refused read of cat" || diag "$(tail -n +$((before + 1)) "$LOG")"
	wait_for 5 grep -q '"/r3"' "$LOG"
	ok $? "$WHO: a refused write of the shell"
	[ "$WHO" = root ] && return
	$RUNAS "$SYS" access "$MNT/r4" w >/dev/null
	wait_for 5 logged 'access /r4 read write EACCES'
	ok $? "$WHO: access(2)" || diag "$(events | tail -n 3)"
}

# Never more than a bounded number of lines a second, and the rest is counted.
bounded()
{
	local total dropped start=$SECONDS
	$RUNAS perl -e 'for (0..29999) { stat("$ARGV[0]/flood-$_") }' "$MNT"
	sum()
	{
		total=$(grep -c 'flood-' "$LOG")
		dropped=$(perl -MJSON::PP -ne 's/\\udc[89a-f][0-9a-f]/?/g; $e = decode_json($_);
			$n += $e->{dropped} // 0; END { print $n }' "$LOG")
		[ $((total + dropped)) -ge 30000 ] || { $RUNAS "$SYS" stat "$MNT/again" type >/dev/null; return 1; }
	}
	wait_for 10 sum
	ok $? "$WHO: what is dropped is counted: $total lines, $dropped dropped"
	[ "$total" -le $((2000 * (SECONDS - start + 2))) ]
	ok $? "$WHO: at most 2,000 lines a second: $total in $((SECONDS - start)) s"
}

auditing()
{
	fresh_dirs
	LOG=$BASE/audit.log
	# shellcheck disable=SC2016
	$RUNAS bash -c 'cd "$1"; for f in v v2 v3 r r2 r3 r4 none; do echo x >$f; done; mkdir d vd
		printf "%s\n" "# one" "write(\"/d\")" "view(\"/v*\")" "read(\"/r*\")" "none(\"*.none\")" >"$2/policy"' \
		sh "$SRC" "$BASE"
	mount_fs -o "policy=$BASE/policy,audit=$LOG" "$SRC" "$MNT" || { ok 1 "$WHO: mounts"; return; }
	refusals
	details
	by_the_kernel
	is "$(events | grep -E '^(no|not) ')" '' "$WHO: every line is an object with all the keys"
	$RUNAS "$SYS" open "$MNT/r" rdonly >/dev/null
	refute "$WHO: what is granted is not logged" logged 'open /r read read -'
	bounded
	umount_fs "$MNT"
	$RUNAS rm -f "$LOG"
	mount_fs -o "policy=$BASE/policy,audit=$LOG,audit_all" "$SRC" "$MNT"
	refused 'open /r read read -' open "$MNT/r" rdonly
	umount_fs "$MNT"
}

each_user auditing
done_testing
