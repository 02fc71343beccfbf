#!/bin/bash
# A delta's log that says what never was: paths that leave the source, renames in rings, another's source,
# a policy that is none. That leads to nothing outside, and takes no time.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"
. "$ROOT/tests/forgelib.sh"

hex() { printf %s "$1" | od -An -v -tx1 | tr -d ' \n'; }

# Paths that are none: encoded by hand, since ours encodes none.
bad=
for to in .. . ../evil ../../x /etc/x a//b '' .agentfense/undo dir/../victim; do
	for from in a dir/moved moved dir/sub/f; do
		renew
		with_path "$from" "$to" >"$T/forged"
		cmp -s "$RECORDS" "$T/forged" && bad+=" $from:unchanged"
		forge <"$T/forged"
		attack "$from is $to"
	done
done
is "$bad" '' 'paths that leave the source'

# Renames in rings and chains: of paths that upper has or not.
bad=
like "$(renames <<<'moved dir/moved')" "$(grep -m1 '^7 ' "$RECORDS" | cut -c1-10)" 'a rename that is made by hand'
for pairs in 'a b:b a' 'a new:new a' 'keep/f new' 'victim a' 'keep named' 'named keep' 'dir a:a dir' 'victim keep/x:keep/x new' \
	'a named/x:named a' 'keep dir/moved' 'victim dir/moved' 'dir/moved victim'; do
	renew
	(cat "$RECORDS"; tr : '\n' <<<"$pairs" | renames) | forge
	attack "renames $pairs"
done
is "$bad" '' 'renames that never were'
renew
(
	cat "$RECORDS"
	for i in {1..300}; do printf 'n%s n%s\n' "$i" "$((i % 300 + 1))"; done | renames |
		awk '{ line[NR] = $0 } END { for (i = 0; i < 60; i++) for (n = 1; n <= NR; n++) print line[n] }'
) | forge
start=$EPOCHREALTIME
bad=
bounded -n "$D"
[ "$TIMELY" -eq 0 ] || bad+=" -n:$STATUS"
bounded "$D"
[ "$TIMELY" -eq 0 ] || bad+=" $STATUS"
is "$bad" '' "18,000 renames in a ring end ($start to $EPOCHREALTIME)"
is "$(rest)" "$rest_was" '... and the rest is as it was'

# Whose it is: another's SOURCE, a path that is a symlink now, a policy that is none.
mine=$S
new_source 'echo other >a'
other=$S
sandbox "$D" 'echo 9 >a'
theirs=$D
S=$mine D=$T/delta1
source_of_other=$("$JOURNALS" dump "$theirs/meta" log | grep '^1 ')
renew
sed "s/^1 .*/$source_of_other/" "$RECORDS" | forge
afsync "$D"
is "$(cat "$other/a")" other "another's SOURCE record: a delta of another upper is not merged into it"
renew
sed "s/^1 \(.*\)$/1 \1/; s/$(hex "$mine")/$(hex "$T/outsid1")/" "$RECORDS" | forge
afsync "$D"
is "$STATUS" 2 'a SOURCE that is not there'
renew
sed "s/$(hex "$mine")/$(hex "$other")/" "$RECORDS" | forge
afsync "$D"
is "$STATUS:$(cat "$other/a")" 2:other 'a SOURCE path of another directory'
renew
mv "$mine" "$T/elsewhere"
ln -s "$T/elsewhere" "$mine"
afsync "$D"
is "$STATUS:$(cat "$T/elsewhere/a")" 2:0 'a symlink in the place of the source'
rm "$mine"
mv "$T/elsewhere" "$mine"
for policy in 'none(' 'default = write' '' 'include("/etc/passwd")'; do
	renew
	sed "s/^2 .*/2 $(printf '%02x000000' "${#policy}")$(hex "$policy")00/" "$RECORDS" | forge
	bounded "$D"
	[ "$TIMELY" -eq 0 ]
	ok $? "a policy \"$policy\": exit $STATUS"
	unlike "$OUT$ERR" 'root:' '... no file is read for it'
done
is "$(rest)" "$rest_was" '... and the rest is as it was'

# Others could have written it: neither SOURCE nor POLICY is believed.
for what in . meta meta/log; do
	renew
	chmod a+w "$D/$what"
	afsync "$D"
	is "$STATUS:$(cat "$S/a")" 2:0 "DELTA/$what that others may write: it does not say where"
	chmod go-w "$D/$what"
done
intact 'logs'

done_testing
