#!/bin/bash
# What is held back: it stays in the delta and is named, until somebody asks for it.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"

new_source 'git init -q .; echo 0 >a; echo "echo safe" >.git/hooks/mine; chmod 755 .git/hooks/mine
	mkdir sub hooks; echo 0 >.envrc; echo tool >sub/tool; ln -s a safe'
before=$(tree_of "$S")
sandbox "$D" '
	echo 1 >a
	echo "echo evil" >.git/hooks/mine
	printf "#!/bin/sh\n" >.git/hooks/post-checkout; chmod 755 .git/hooks/post-checkout
	printf "[core]\n\tfsmonitor = evil\n" >>.git/config
	rm .envrc
	mkdir .vscode; echo "{}" >.vscode/tasks.json
	mkdir -p sub/.github/workflows .github; echo x >sub/.github/workflows/ci.yml; echo x >.github/CODEOWNERS
	echo "*.c filter=evil" >sub/.gitattributes
	git init -q nested; echo x >nested/file; echo evil >nested/.git/hooks/pre-commit
	echo x >.BashRC
	ln -s /etc/passwd out; ln -s ../../x up; ln -s sub/tool in; ln -s sub/.. via
	echo x >.git/run; chmod 755 .git/run
	echo x >hooks/pre-push; chmod 755 hooks/pre-push
	echo "gitdir: ../evil" >sub/.git
	mkdir decoy; ln -s decoy .config'
held='.BashRC .config .envrc .git/config .git/hooks/mine .git/hooks/post-checkout .git/run .vscode
	.vscode/tasks.json hooks/pre-push nested/.git/config nested/.git/hooks nested/.git/hooks/pre-commit out
	sub/.git sub/.gitattributes sub/.github/workflows sub/.github/workflows/ci.yml up via'
got=$(plan | sed -n 's/^Q\t//p' | grep -v 'nested/.git/hooks/.*\.sample')
is "$got" "$(tr -s ' \n\t' '\n' <<<"$held" | LC_ALL=C sort)" 'what is held' ||
	diag "$(diff <(tr -s ' \n\t' '\n' <<<"$held" | LC_ALL=C sort) <(echo "$got"))"
afsync "$D"
is "$STATUS" 1 'merging leaves it, and exits 1'
like "$ERR" $'\nafsyncd: \\.git/hooks/mine: held back: listed: ' 'each is named with why'
like "$ERR" 'afsyncd: out: held back: a symlink that leaves the source' '... a symlink'
like "$ERR" 'afsyncd: \.git/run: held back: becomes executable under \.git' '... an executable'
is "$(cat "$S/a" "$S/.github/CODEOWNERS" "$S/nested/file" "$S/in" | paste -sd ' ')" '1 x x tool' \
	'the rest is merged'
for path in .envrc .git/config .git/hooks/mine; do
	[ "$(grep -F " $path " <<<"$before")" = "$(tree_of "$S" | grep -F " $path ")" ]
	ok $? "... but $path is as it was"
done
is "$(cd "$S" && find . -path ./.agentfense -prune -o \( -name post-checkout -o -name .vscode -o -name out \
	-o -name up -o -name via -o -name .BashRC -o -name run -o -name pre-push -o -name .config \
	-o -name .gitattributes -o -name workflows \) -print)" '' '... and nothing of it is there'
is "$(plan | sed -n 's/^Q\t//p' | grep -v 'nested/.git/hooks/.*\.sample')" "$got" 'it is still in the delta'
afsync "$D"
is "$STATUS" 1 '... and held again'

# Asked for.
echo .envrc | timeout 60 "$AFSYNCD" --state "$T/state" -q --no-hold --only - "$D"
is "$?:$(find "$S" -name .envrc)" 0: 'one that is asked for is merged'
afsync --no-hold "$D"
is "$STATUS" 0 '--no-hold: all of it'
is "$(readlink "$S/out"):$(cat "$S/.git/hooks/mine")" '/etc/passwd:echo evil' '... is merged'
is "$(plan)" '' '... and nothing stays'

# More of it.
new_source 'echo 0 >billing; mkdir pay; echo 0 >pay/x'
sandbox "$D" 'echo 1 >billing; echo 1 >pay/x; echo 1 >free'
afsync --hold billing --hold '/pay/' "$D"
is "$STATUS:$(cat "$S/billing" "$S/pay/x" "$S/free" | paste -sd ' ')" '1:0 0 1' '--hold'
afsync --hold '[' "$D"
is "$STATUS" 2 'a bad pattern'
afsync --hold x --no-hold "$D"
is "$STATUS" 2 '--hold with --no-hold'

done_testing
