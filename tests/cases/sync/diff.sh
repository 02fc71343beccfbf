#!/bin/bash
# --diff: a patch that git and patch(1) take, and after which a copy is as the merged source.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"

# What a patch carries of a tree: files and symlinks, and whether they are executable.
carried()
{
	(
		cd "$1" || exit
		find . -mindepth 1 \( -path ./.agentfense -o -path ./.git \) -prune -o -type f -perm -100 \
			-printf 'x %P ' -exec sh -c 'md5sum <"$1"' - {} \; -o -type f -printf 'f %P ' \
			-exec sh -c 'md5sum <"$1"' - {} \; -o -type l -printf 'l %P %l\n' | sort
	)
}

# Applies the delta's patch with the tool to a copy of the source.
applied()
{
	rm -rf "$T/copy"
	cp -a "$S" "$T/copy"
	(cd "$T/copy" && eval "$1" <"$T/patch" >"$T/said" 2>&1) || { cat "$T/said"; return 1; }
}

text='
	seq 100 >text; seq 50 >gone; seq 30 >renamed; echo x >script; : >empty; printf "no newline" >end
	mkdir -p dir/sub "sp ace"; seq 9 >dir/sub/f; seq 9 >"sp ace/t	ab"; ln -s text link; ln -s gone type
	seq 20 >dir/g; printf "crlf\r\n" >crlf; echo é >é; echo x >"q\"uo\\te"; echo 1 >swap1; echo 2 >swap2'
change='
	sed -i "s/^50$/fifty/; 3d" text; rm gone; mv renamed "re named"; echo more >>"re named"; chmod 755 script
	echo full >empty; echo " now" >>end; mv dir moved; echo new >moved/new; echo line >>"sp ace/t	ab"
	ln -sfn end link; rm type; seq 5 >type; rm crlf; : >fresh; echo ü >>é; echo y >>"q\"uo\\te"
	printf -- "--- a/x\n+++ b/x\n" >looks; mv swap1 swap3; mv swap2 swap1; mv swap3 swap2; ln -s nowhere dangling'
new_source "$text"
sandbox "$D" "$change"
before=$(tree_of "$S")
afsync --diff "$D"
cp "$T/out" "$T/patch"
is "$STATUS" 0 'a patch of texts'
is "$(tree_of "$S")" "$before" '... merges nothing'
like "$(cat "$T/patch")" $'\nrename from dir/g\nrename to moved/g\n' '... with renames'
check '... git apply --check' applied 'git apply --check'
check '... git apply' applied 'git apply'
cp -a "$T/copy" "$T/by-git"
check '... patch -p1' applied 'patch -s -p1'
cp -a "$T/copy" "$T/by-patch"
check '... git apply -R takes it back' eval 'cd "$T/by-git" && git apply -R "$T/patch" && git apply "$T/patch"'
afsync "$D"
is "$(carried "$T/by-git")" "$(carried "$S")" '... and git makes what the merge makes'
is "$(carried "$T/by-patch")" "$(carried "$S")" '... and patch too'

new_source 'head -c 3000 /dev/urandom >bin; printf "a\0b" >small; cp bin gone; seq 9 >text'
sandbox "$D" 'printf "\0\1\2" >>bin; : >small; rm gone; head -c 70000 /dev/urandom >new; printf "x\0" >>text'
afsync --diff "$D"
cp "$T/out" "$T/patch"
check 'a patch of binary files: git apply --check' applied 'git apply --check'
check '... git apply' applied 'git apply'
cp -a "$T/copy" "$T/by-git2"
check '... and in a repository, into the index' applied \
	'{ git init -q && git add -A && git -c user.name=a -c user.email=a@b commit -qm a && git apply --index; }'
refute '... which must not have changed meanwhile' applied '{ echo x >>bin; git apply --check; }'
afsync "$D"
is "$(carried "$T/by-git2")" "$(carried "$S")" '... and git makes what the merge makes'

# What does not fit in.
new_source 'echo x >a; echo y >b; mkdir gone'
sandbox "$D" 'mkdir empty; echo p >private; chmod 600 private; setfattr -n user.x -v y a; rmdir gone; ln b c
	echo z >>b; truncate -s 1T huge'
afsync --diff "$D"
is "$STATUS" 2 'a file that is too large is an error'
like "$ERR" 'huge: File too large' '... and told'
like "$ERR" 'empty: not in it: an empty directory' 'an empty directory is told'
like "$ERR" 'gone: not in it: that an empty directory goes' '... and one that goes'
like "$ERR" 'private: not in it: all bits of its mode' '... a mode'
like "$ERR" 'a: not in it: ' '... and attributes'
like "$OUT" '\+z' '... and the rest is there'

# Conflicts are shown as they would be merged; what stays is not.
new_source 'seq 9 >text; echo 0 >.envrc'
sandbox "$D" 'sed -i "s/1/one/" text; echo 1 >.envrc'
sed -i 's/9/nine/' "$S/text"
afsync --diff --conflict merge "$D"
like "$OUT" $'\n-1\n\\+one\n' 'a three-way merge is shown as what it changes'
unlike "$OUT" 'nine\n|^\+9|envrc' '... and nothing else'
afsync --diff --conflict keep "$D"
is "$STATUS:$OUT" 0: 'what stays is not in it'

# Random trees, by the seed.
random_change()
{
	python3 - "$1" <<'PY'
import os, random, sys
r = random.Random(int(sys.argv[1]))
names = ["a", "b c", "d\te", "é", "sub/x", "sub/y z", "deep/er/n"]
def content():
    lines = [r.choice(["x", "y", "--- q", "+++ q", "\\ No", "", "diff --git a/x b/x"]) + "\n" for _ in range(r.randrange(12))]
    data = "".join(lines).encode()
    return data[:-1] if r.random() < .3 else data
for n in names:
    if r.random() < .3: continue
    kind = r.choice("fffxlnb")
    if os.path.lexists(n): os.remove(n)
    if kind == "n": continue
    if os.path.dirname(n): os.makedirs(os.path.dirname(n), exist_ok=True)
    if kind == "l": os.symlink(r.choice(names), n); continue
    with open(n, "wb") as f: f.write(content() + (b"\0" if kind == "b" else b""))
    os.chmod(n, 0o755 if kind == "x" else 0o644)
PY
}
commit='git add -A . 2>/dev/null && git -c user.name=a -c user.email=a@b commit -qm m'
new_source "git init -q; seq 9 >text; echo x >.gitignore; $commit
	mkdir two; cd two; git init -q; echo y >f; $commit"
sandbox "$D" "echo more >>text; echo z >.gitignore; $commit; cd two; echo z >>f; $commit"
afsync --diff "$D"
cp "$T/out" "$T/patch"
is "$STATUS" 0 'a patch of what commits'
check '... git apply --check' applied 'git apply --check'
check '... has the files beside .git' grep -q '^diff --git a/.gitignore b/.gitignore' "$T/patch"
check '... and nothing in it' eval '! grep -q "^diff.*/\.git/" "$T/patch"'
like "$ERR" $'--diff: \.git: not in it: [1-9][0-9]* changes' '... and says so'

wrong=
for seed in $(seq 12); do
	new_source "random_change $seed"
	sandbox "$D" "random_change $((seed + 1000))"
	afsync --diff --no-hold "$D"
	cp "$T/out" "$T/patch"
	[ ! -s "$T/patch" ] || applied 'git apply --check' || wrong+=" check:$seed"
	[ ! -s "$T/patch" ] || applied 'git apply' || wrong+=" apply:$seed"
	afsync --no-hold "$D"
	[ ! -s "$T/patch" ] || [ "$(carried "$T/copy")" = "$(carried "$S")" ] || wrong+=" tree:$seed"
done
is "$wrong" '' 'random changes'

done_testing
