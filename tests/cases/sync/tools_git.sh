#!/bin/bash
# What git does in a delta: merged, it is what git does natively.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"
. "$ROOT/tests/fslib.sh"
. "$ROOT/tests/toollib.sh"
. "$ROOT/tests/mergelib.sh"
. "$ROOT/tests/tools/git.sh"

need git
merging_tools git_tools

# Of a clone the settings and hooks are held back, and what is told of it; the rest is there.
new_source 'git init -q -b main . && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one'
sandbox "$D" 'git clone -q . clone; echo x >file'
afsync "$D"
is "$STATUS:$(cat "$S/file")" 1:x 'without --no-hold a clone is merged'
like "$ERR" 'afsyncd: clone/\.git/config: held back: listed' '... but for its settings'
check '... which are not there' test ! -e "$S/clone/.git/config"
unlike "$(plan)" $'\n[^Q]\t' '... and nothing else stays'
afsync --no-hold "$D"
is "$STATUS:$(git -C "$S/clone" log --format=%s):$(plan)" 0:one: 'with it all of it is'

# A run that commits, by default. To look at it must not change it.
export GIT_OPTIONAL_LOCKS=0
commit='echo more >>file; git add file; git -c user.name=a -c user.email=a@b commit -qm two; git gc -q'
if "$AFRUN" -q -p development -C "$S" -- true 2>/dev/null; then
	cp -a "$S" "$S.native"
	check 'afrun -- git commit' "$AFRUN" -q -p development -C "$S" -- sh -ec "$commit"
	run_in "$S.native" "$commit"
	for of in 'log --format=%s' 'fsck --full --strict' 'status --porcelain' 'show --format=%s'; do
		# shellcheck disable=SC2086 # several words
		is "$(git -C "$S" $of 2>&1)" "$(git -C "$S.native" $of 2>&1)" "... git $of as natively"
	done
	check '... and taken back' "$AFSYNCD" -q --undo "$S"
	is "$(git -C "$S" log --format=%s):$(git -C "$S" fsck --full --strict 2>&1)" one: '... it is not there'
else
	skip 'afrun -- git commit' 'no sandbox here'
fi
done_testing
