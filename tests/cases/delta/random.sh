#!/bin/bash
# Long random sequences of operations leave the same on a mount with a delta, on a plain copy, and in what
# the kernel's own overlayfs makes of the source and the delta; the source stays as it was.
# AF_OVL_STEPS and AF_OVL_SEED make it longer, or repeat a failure.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"
. "$ROOT/tests/randomlib.sh"

steps=${AF_OVL_STEPS:-1000}

# random_case SEED OPTIONS
random_case()
{
	local name="$WHO: seed $1, $2" start
	fresh_dirs
	PLAIN=$BASE/plain$af_dirs KERNEL=$BASE/kernel$af_dirs DELTA=$BASE/delta$af_dirs UPPER=$BASE/delta$af_dirs/upper
	$RUNAS mkdir "$KERNEL"
	$RUNAS "$BUILD/tests/ovl_random" -g -s "$1" "$SRC"
	$RUNAS cp -a "$SRC" "$PLAIN"
	manifest "$SRC" >"$T/before"
	start=$(($(date +%s) - 1))
	mount_fs -o "rule=write:/,delta=$DELTA,$2" "$SRC" "$MNT" || { ok 1 "$name: mounts"; return; }
	check "$name: the trees to begin with" same_tree -m "$MNT" "$PLAIN"
	check "$name: $steps steps" $RUNAS timeout 300 \
		"$BUILD/tests/ovl_random" $names -s "$1" -n "$steps" "$MNT" "$PLAIN"
	trees
	check "$name: unmounts" umount_fs "$MNT"
	check "$name: the source is as it was" diff "$T/before" <(manifest "$SRC")
	mount_fs -o "rule=write:/,delta=$DELTA,$2" "$SRC" "$MNT" || { ok 1 "$name: mounts again"; return; }
	name+=', mounted again'
	trees
	check "$name: $steps more steps" $RUNAS timeout 300 \
		"$BUILD/tests/ovl_random" $names -s "$1$1" -n "$steps" "$MNT" "$PLAIN"
	trees
	check "$name: unmounts" umount_fs "$MNT"
	check "$name: the source is as it was" diff "$T/before" <(manifest "$SRC")
}

random()
{
	local seed
	can=
	kernel_can && can=1
	for seed in ${AF_OVL_SEED:-1 2 3 4 5 6}; do
		random_case "$seed" volatile
	done
	random_case "${AF_OVL_SEED:-7}" cache=never
	random_case "${AF_OVL_SEED:-8}" cache=always,volatile
}

each_user random
done_testing
