#!/bin/bash
# Many processes at once, in directories of their own and in one that they share; the mount and what
# lies beneath agree at the end, and the daemon has lost nothing.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"

seconds=${AF_STRESS_SECONDS:-4}

# Random operations on few names, so that they meet; none may hang or kill the daemon.
# shellcheck disable=SC2016
shared='use Fcntl; srand($ARGV[1]); chdir($ARGV[0]) or die; $end = time + $ARGV[2];
	sub n { my $n = ("a" .. "h")[rand 8]; rand() < 0.4 ? ("d", "e")[rand 2] . "/$n" : $n }
	while (time < $end) {
		for (1 .. 50) {
			my ($x, $y, $o) = (n(), n(), int rand 14);
			if ($o < 3) { sysopen(F, $x, O_RDWR | O_CREAT) && do { syswrite F, "x" x rand 9000; close F } }
			elsif ($o < 5) { rename $x, $y }
			elsif ($o == 5) { unlink $x }
			elsif ($o == 6) { link $x, $y }
			elsif ($o == 7) { mkdir $x }
			elsif ($o == 8) { rmdir $x }
			elsif ($o == 9) { symlink $x, $y }
			elsif ($o == 10) { opendir(D, ".") && do { my @l = readdir D; closedir D } }
			elsif ($o == 11) { chmod 0700 | rand 0100, $x }
			elsif ($o == 12) { sysopen(F, $x, O_RDONLY | O_NONBLOCK) && do { sysread F, $b, 9000; close F } }
			else { stat $x; utime 1, 2, $y; truncate $x, rand 5000 }
		}
	}'

stress()
{
	local pids=() i status=0 daemon
	fresh_dirs
	mount_fs "$@" -o rule=write:/ "$SRC" "$MNT" || { ok 1 "$WHO: mounts"; return; }
	daemon=$(daemon_of "$MNT")
	$RUNAS mkdir "$MNT/shared" "$MNT/shared/d" "$MNT/shared/e" "$MNT"/own{1,2} "$BASE/plain$af_dirs"{.1,.2}
	for i in 1 2 3 4; do
		$RUNAS timeout $((seconds + 60)) perl -e "$shared" "$MNT/shared" "$i" "$seconds" 2>"$T/said$i" &
		pids+=($!)
	done
	for i in 1 2; do
		$RUNAS timeout 120 "$BUILD/tests/fsdiff" -s "$((i + 20))" -n 3000 "$MNT/own$i" "$BASE/plain$af_dirs.$i" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || status=$?
	done
	ok "$status" "$WHO $*: all go on to their end" || diag "$(cat "$T"/said?)"
	is "$(daemon_of "$MNT")" "$daemon" "$WHO $*: the daemon lives"
	check "$WHO $*: the mount and what lies beneath agree" same_tree -mn "$MNT/shared" "$(at_rest shared)"
	check "$WHO $*: and with a plain directory" same_tree -n "$MNT/own1" "$BASE/plain$af_dirs.1"
	check "$WHO $*: all can be removed" $RUNAS rm -rf "$MNT"/{shared,own1,own2}
	# Files that are open keep descriptors, and none is.
	wait_for 10 few_descriptors "$daemon"
	ok $? "$WHO $*: no descriptor is lost" || diag "$(ls -l "/proc/$daemon/fd")"
	umount_fs "$MNT"
}

few_descriptors()
{
	[ "$(fd_count "$1")" -lt 60 ]
}

both()
{
	stress
	stress -o threads=1,cache=never
}

each_user both
done_testing
