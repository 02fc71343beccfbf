#!/bin/bash
# Long random sequences of operations in a sandbox, merged and undone: the mount, a plain copy, the kernel's
# overlayfs and the merged source are the same, and the source after --undo is the one before; in parts,
# several times over, and with another sandbox's changes in the way, whose files stay whole.
# AF_OVL_STEPS and AF_OVL_SEED make it longer, or repeat a failure.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"
. "$ROOT/tests/deltalib.sh"
. "$ROOT/tests/randomlib.sh"
. "$ROOT/tests/mergedlib.sh"

steps=${AF_OVL_STEPS:-500}

# whole SEED: everything merged, again with the same delta, and undone merge by merge.
whole()
{
	local name="$WHO: seed $1" round all=$names names=
	new_trees "$1"
	for round in 1 2 3; do
		# Overlayfs shows none of the source's that look like its own.
		[ "$round" != 3 ] || names=$all
		name="$WHO: seed $1, merge $round"
		keep before"$round" "$SRC"
		in_sandbox "$1$round" || return
		source_is before"$round" 'the source is as it was'
		afsync "$DELTA" "$SRC"
		is "$STATUS:$ERR" "0:" "$name: ends well"
		source_is sandbox 'the source is as the mount was'
		check "$name: ... and as the plain copy" same_tree -m -a "$start" "$SRC" "$PLAIN"
		is_emptied
	done
	for round in 3 2 1; do
		afsync --undo "$SRC"
		is "$STATUS:$ERR" "0:" "$name: undo of merge $round"
		source_is before"$round" 'the source is as it was before it'
	done
	is "$($RUNAS find "$STATE/undo" "$STATE/stage" "$STATE/journal" -mindepth 1 2>/dev/null)" '' \
		"$name: nothing is left of them"
}

# parts SEED: half of what there is, and then the rest.
parts()
{
	local name="$WHO: seed $1 in parts" part
	new_trees "$1"
	in_sandbox "${1}4" || return
	keep before "$SRC"
	for part in 1 2 3; do
		afsync -n "$DELTA" "$SRC"
		RANDOM=$1$part
		while IFS=$'\t' read -r _ path _; do
			[ $((RANDOM % 2)) -eq 0 ] || printf '%s\n' "$path"
		done <<<"$OUT" >"$T/only"
		[ -s "$T/only" ] || continue
		afsync --only "$T/only" "$DELTA" "$SRC"
		[ "$STATUS" -le 1 ]
		ok $? "$name: part $part" || diag "$ERR"
	done
	afsync "$DELTA" "$SRC"
	is "$STATUS:$ERR" "0:" "$name: the rest"
	source_is sandbox 'the source is as the mount was'
	is_emptied
	while [ -n "$($RUNAS ls "$STATE/undo")" ]; do
		afsync --undo "$SRC"
		is "$STATUS:$ERR" "0:" "$name: an undo" || break
	done
	source_is before 'after all undos the source is as it was'
}

# overlap SEED STRATEGY: two sandboxes of one source, merged one after the other.
overlap()
{
	local name="$WHO: seed $1, two sandboxes, $2" second first=$T/contents
	new_trees "$1"
	second=$DELTA.2
	contents "$SRC" >"$first"
	keep before "$SRC"
	$RUNAS cp -a "$SRC" "$PLAIN.2"
	in_sandbox "${1}5" || return
	contents "$PLAIN" >>"$first"
	PLAIN+=.2 DELTA=$second UPPER=$second/upper in_sandbox "${1}6" || return
	contents "$PLAIN.2" >>"$first"
	afsync "$DELTA" "$SRC"
	is "$STATUS:$ERR" "0:" "$name: the first is merged"
	keep merged "$SRC"
	afsync --conflict "$2" "$second" "$SRC"
	[ "$STATUS" = 1 ] || [ "$STATUS:$ERR" = 0: ]
	ok $? "$name: the second is merged, or in conflict" || diag "status $STATUS: $ERR"
	is "$(contents "$SRC" | sort -u | comm -23 - <(sort -u "$first"))" '' \
		"$name: each file is as one of the three has it"
	[ "$2" != fail ] || [ "$STATUS" = 0 ] || source_is merged 'nothing is merged'
	if [ -n "$($RUNAS ls "$STATE/undo" | sed 1d)" ]; then
		afsync --undo "$SRC"
		is "$STATUS:$ERR" "0:" "$name: the undo of the second"
	fi
	source_is merged 'without the second'
	afsync --undo "$SRC"
	is "$STATUS:$ERR" "0:" "$name: the undo of the first"
	source_is before 'without both'
}

random()
{
	local seed strategy
	can=
	kernel_can && can=1
	for seed in ${AF_OVL_SEED:-1 2}; do
		whole "$seed"
	done
	for seed in ${AF_OVL_SEED:-3 4}; do
		parts "$seed"
	done
	seed=${AF_OVL_SEED:-5}
	for strategy in lww keep both merge fail; do
		overlap "$seed" "$strategy"
		seed=${AF_OVL_SEED:-$((seed + 1))}
	done
}

each_user random
done_testing
