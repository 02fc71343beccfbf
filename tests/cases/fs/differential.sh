#!/bin/bash
# Random operations give the same results, the same errno and the same trees on a mount and on a
# plain directory. AF_FSDIFF_STEPS and AF_FSDIFF_SEED make it longer, or repeat a failure.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"

any= # or -p: permissions that bind the owner too
steps=${AF_FSDIFF_STEPS:-3000}
seeds=${AF_FSDIFF_SEED:-1 2 3}

differential()
{
	local seed
	fresh_dirs
	mount_fs "$@" -o rule=write:/ "$SRC" "$MNT" || { ok 1 "$WHO: mounts"; return; }
	for seed in $seeds; do
		$RUNAS mkdir "$MNT/$seed" "$BASE/plain$af_dirs.$seed"
		check "$WHO $*: seed $seed, $steps steps" $RUNAS timeout 600 \
			"$BUILD/tests/fsdiff" $any -s "$seed" -n "$steps" "$MNT/$seed" "$BASE/plain$af_dirs.$seed"
		[ -z "$any" ] || $RUNAS chmod -R u+rwX "$MNT/$seed" "$BASE/plain$af_dirs.$seed"
		check "$WHO $*: seed $seed, the trees through the mount" \
			same_tree -n "$MNT/$seed" "$BASE/plain$af_dirs.$seed"
		check "$WHO $*: seed $seed, the trees beneath" \
			same_tree -n "$(at_rest "$seed")" "$BASE/plain$af_dirs.$seed"
	done
}

both()
{
	differential
	differential -o cache=never
	differential -o cache=always
	if [ "$WHO" = user ]; then
		any=-p
		differential
	fi
}

each_user both
done_testing
