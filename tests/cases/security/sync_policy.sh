#!/bin/bash
# What the delta's policy forbids is not merged, however the delta says it: whiteouts, opaque
# directories, a file in a directory's place, a rename; and what is held back, however it is spelled.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"

make_outside
base='mkdir -p ro/sub open/deep secret
	echo r >ro/f; echo r >ro/sub/f; echo s >open/hidden; echo d >open/deep/hidden; echo f >open/free; echo s >secret/s
	echo 0 >a; echo v >view; mkdir -p mixed/sub; echo r >mixed/sub/ro; echo w >mixed/w'
OPTIONS="rule=write:/**,rule=read:/ro,rule=none:hidden,rule=none:/secret,rule=view:/view,rule=read:/mixed/sub/ro"

# The record of this policy, for logs that it is put into.
new_source "$base"
mount_fs -o "$OPTIONS,delta=$D" "$S" "$T/mnt" && umount_fs "$T/mnt"
POLICY=$("$BUILD/tests/journals" dump "$D/meta" log | grep '^2 ')
like "$POLICY" '^2 [0-9a-f]+$' 'the record of a policy'

# A delta under this policy in which all of SCRIPT was done, as if by a mount that had not kept to it;
# its log knows everything that was changed.
forbidden_delta()
{
	new_source "$base"
	sandbox "$D" "echo 1 >a; ${1:-}"
	"$BUILD/tests/journals" dump "$D/meta" log >"$T/log"
	sed "s/^2 .*/$POLICY/" "$T/log" | "$BUILD/tests/journals" make "$D/meta" log
	U=$D/upper
	was=$(protected)
}
protected() { tree_of "$S" | grep -E ' (ro|view|secret|open/hidden|open/deep/hidden|mixed/sub/ro)(/| )'; }

unharmed()
{
	afsync "$D"
	[ "$STATUS" -le 1 ]
	ok $? "$1: exit 0 or 1" || diag "$ERR"
	is "$(cat "$S/a")" 1 '... the rest is merged'
	is "$(protected)" "$was" '... and what is hidden or read-only is as it was'
}

# NAME: the merge took a, and nothing that is forbidden; the others are what must be told.
spared()
{
	unharmed "$1"
	is "$STATUS" 1 '... exit 1'
	shift
	local path
	for path; do like "$ERR" "afsyncd: $path: " "... $path is told"; done
}

# By what a mount does, had it had another policy.
forbidden_delta 'rm -r secret'
spared 'a hidden directory is deleted' secret
forbidden_delta 'rm open/hidden ro/f ro/sub/f view'
spared 'hidden and read-only files are deleted' open/hidden ro/f ro/sub/f view
forbidden_delta 'rm -r open mixed'
spared 'directories above hidden and read-only files are deleted' open mixed
forbidden_delta 'rm -r open mixed; mkdir -p open/deep mixed/sub; echo x >open/new'
spared '... and made anew, opaque' open/hidden mixed/sub/ro
forbidden_delta 'rm -r open mixed secret ro; echo x | tee open mixed secret >ro'
spared '... and a file takes their place' open mixed secret ro
forbidden_delta 'rm -r open mixed secret ro; for name in open mixed secret ro; do ln -s a $name; done'
spared '... or a symlink' open mixed secret ro
forbidden_delta 'mv open open2; mv mixed free; mv secret public; mv ro rw; mv view seen'
spared 'all are renamed'
forbidden_delta 'rm -r secret; mkdir x; echo x >x/s; mv x secret; mv open/deep/hidden a2'
spared 'renamed over and out of hidden ones'
forbidden_delta 'rm view open/hidden ro/f; mkdir view open/hidden ro/f; echo x | tee view/x open/hidden/x >ro/f/x'
spared 'directories in place of files' view open/hidden ro/f
forbidden_delta 'chmod 777 ro secret ro/f; chmod 600 view; setfattr -n user.x -v 1 secret/s; touch -d 2001-01-01 ro/f'
spared 'attributes' ro secret view secret/s

# By hand: of what the log knows nothing.
for path in secret open/hidden ro view open mixed open/deep; do
	forbidden_delta
	mkdir -p "$U/${path%/*}"
	rmdir "$U/$path" 2>/dev/null
	mknod "$U/$path" c 0 0
	unharmed "a whiteout of $path by hand"
	forbidden_delta
	mkdir -p "$U/$path"
	setfattr -n user.overlay.opaque -v y "$U/$path"
	unharmed "an opaque $path by hand"
done
forbidden_delta
setfattr -n user.overlay.opaque -v y "$U"
unharmed 'an opaque root'

# Writes, attributes, xattrs, names in a hidden directory, a hidden name in an open one.
forbidden_delta
mkdir -p "$U/ro/new" "$U/secret/new" "$U/open/new"
echo evil | tee "$U/ro/f" "$U/ro/new/f" "$U/secret/s" "$U/secret/new/f" "$U/open/hidden" "$U/open/new/hidden" \
	"$U/view" >"$U/open/new/free"
chmod 777 "$U/ro" "$U/secret"
spared 'files where nothing may be written' ro/f
is "$(find "$S/ro" "$S/secret" "$S/open" -name new -path '*/ro/*' -o -name new -path '*/secret/*' -o -name hidden -path '*new*')" '' \
	'... none is made there'
is "$(cat "$S/open/new/free")" evil '... beside it they are'
is "$(stat -c %a "$S/ro" "$S/secret" | paste -sd ' ')" '755 755' '... nor are attributes of a directory'

# What a mount makes is right: a directory with a rename below, forged in the log.
forbidden_delta 'mkdir q; echo x >q/x; mv q secrex'
"$BUILD/tests/journals" dump "$D/meta" log >"$T/log"
sed "s/$(printf secrex | od -An -tx1 | tr -d ' \n')/$(printf secret | od -An -tx1 | tr -d ' \n')/g" "$T/log" |
	"$BUILD/tests/journals" make "$D/meta" log
mv "$U/secrex" "$U/secret"
spared 'a directory renamed over a hidden one' secret/x

# The caller's own policy counts as well, and a delta's cannot give more than it.
new_source "$base"
sandbox "$D" 'echo 1 >a; echo x >ro/f; rm -r secret; mv open moved'
was=$(protected)
afsync -r write:/a "$D"
is "$STATUS:$(cat "$S/a")" 1:1 "the caller's policy: what it grants is merged"
is "$(protected)" "$was" '... and nothing else'

# A forged policy in a delta that another could have written is not believed.
new_source "$base"
PRESET=read-only
mount_fs -o "rule=write:/a,default=read,delta=$D" "$S" "$T/mnt" && run_in "$T/mnt" 'echo 1 >a'
umount_fs "$T/mnt"
was=$(protected)
U=$D/upper
mkdir -p "$U/ro"
echo evil >"$U/ro/f"
chmod 777 "$D/meta" "$D"
afsync "$D"
is "$STATUS:$(cat "$S/a")" 2:0 'a delta that is open to others does not say into what it is merged'
afsync "$D" "$S"
[ "$STATUS" -ne 0 ] && [ "$(cat "$S/ro/f")" = r ]
ok $? '... nor under what policy' || diag "$STATUS $ERR $(cat "$S/ro/f")"
chmod 700 "$D/meta" "$D"

# Held back, however it is spelled or reached.
PRESET=full-access
new_source 'mkdir -p .git/hooks sub/deep/.git/hooks; echo "#!/bin/sh" >tool; chmod +x tool; echo old >.git/config'
sandbox "$D" 'echo 1 >free'
U=$D/upper
held=(.git/hooks/pre-commit .Git/Hooks/post-merge sub/.git/hooks/x sub/deep/.git/config .GIT/config .gitattributes sub/.GitAttributes
	.envrc .vscode/tasks.json .VSCode/settings.json .idea/x .claude/settings.json .cursor/mcp.json .mcp.json .github/workflows/x.yml
	.gitlab-ci.yml .bashrc sub/.ZSHRC .git/modules/m/hooks/x .git/worktrees/w/config .ssh/authorized_keys .npmrc .husky/pre-commit)
for path in "${held[@]}"; do
	case $path in */*) mkdir -p "$U/${path%/*}" ;; esac
	echo evil >"$U/$path"
	chmod +x "$U/$path"
done
# Hooks by a symlink, a directory that becomes one, a .git that is a file, a way out in two steps.
ln -s ../../tool "$U/.git/hooks/post-checkout"
mkdir "$U/repo" "$U/repo2" "$U/way"
echo "gitdir: $T/outside" >"$U/repo/.git"
ln -s "$T/outside" "$U/repo2/.GIT"
ln -s /etc "$U/absolute"
ln -s ../.. "$U/way/up"
ln -s way/up/outside/file "$U/through"
ln -s ../way/../../outside "$U/way/climb"
afsync "$D"
is "$STATUS" 1 'held back: exit 1'
is "$(cat "$S/free")" 1 '... the rest is merged'
is "$(find "$S" -path "$S/.agentfense" -prune -o -type f -exec grep -l evil {} +)" '' '... and nothing that is listed'
is "$(find "$S" -path "$S/.agentfense" -prune -o -type l -print | sort | sed "s|$S/||" | paste -sd ' ')" through \
	'... nor a symlink that leaves the source, so that one through it leads nowhere'
is "$(find "$S" -path '*repo/.git' -o -iname '.git' -path '*repo2*')" '' '... nor a .git that is no directory'
is "$(cat "$S/.git/config")" old '... nor is one replaced'
missing=
for path in "${held[@]}"; do
	grep -qF "afsyncd: $path: held back" "$T/err" || missing+=" $path"
done
is "$missing" '' '... each is named'
# Through a symlink that the source has: it may be the user's own, or came with an earlier merge.
new_source "ln -s $T/outside own; ln -s sub in; mkdir sub; ln -s ../own sub/own2; echo x >sub/x"
sandbox "$D" 'ln -s own/file t1; ln -s sub/own2/file t2; mkdir new; ln -s ../own/none new/t3; ln -s own t4
	ln -s in/x ok1; ln -s ../in/none new/ok2; ln -s nowhere/x ok3'
afsync "$D"
is "$STATUS:$(cd "$S" && echo *t[1-4] new/*t3)" '1:*t[1-4] new/*t3' 'a symlink that leaves the source by another is held back'
is "$(grep -c 'held back: a symlink that leaves the source' "$T/err")" 4 '... and told'
is "$(readlink "$S/ok1" "$S/new/ok2" "$S/ok3" | paste -sd ' ')" 'in/x ../in/none nowhere/x' '... one that stays inside is merged'
# Deleted, or with a directory in between.
new_source 'mkdir -p .git/hooks sub/.git; echo old >.git/hooks/pre-commit; echo old >sub/.git/config; echo old >.envrc'
sandbox "$D" 'rm -r .git sub .envrc; mkdir sub; mv sub .vscode'
afsync "$D"
is "$(cat "$S/.git/hooks/pre-commit" "$S/sub/.git/config" "$S/.envrc" 2>&1 | paste -sd ' ')" 'old old old' \
	'nor is what is listed deleted, with a directory above neither'
new_source 'mkdir plain; echo x >plain/tasks.json; mkdir -p dot/hooks; echo "#!/bin/sh" >dot/hooks/pre-commit; chmod +x dot/hooks/pre-commit'
sandbox "$D" 'mv plain .vscode; mv dot .git'
afsync "$D"
is "$(find "$S/.vscode" "$S/.git" -type f 2>/dev/null)" '' 'a directory that is renamed to what is listed'
is "$(cat "$S/plain/tasks.json" "$S/dot/hooks/pre-commit" | paste -sd ' ')" 'x #!/bin/sh' '... stays whole where it was'
intact 'policy and hold'

done_testing
