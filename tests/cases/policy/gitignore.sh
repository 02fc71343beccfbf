#!/bin/bash
# Patterns mean what they mean in .gitignore, where the two agree: each of many patterns against each
# of many paths, asked of git check-ignore. Left out: braces (git has none), a trailing /** (here the
# directory too), a lone ** (here the root's files too, as there), bytes that are not UTF-8.
. "$(dirname "$0")/../../lib.sh"

command -v git >/dev/null || skip_all 'no git'
export GIT_CONFIG_NOSYSTEM=1
git init -q "$T/repo"
cd "$T/repo" || exit 1

pieces=(a b ab 'a*' '*b' '*' '?' 'a?' '[ab]' '[!a]' '[^b]*' '[[:alpha:]]' '[]a]' '\a' 'a**b' '**' '.a' '.*'
	'[a-c]?' '\*' '[\]]' 'A' '*.*' 'a.b')
patterns=()
for p in "${pieces[@]}"; do
	[ "$p" = '**' ] || patterns+=("$p" "/$p" "$p/" "/$p/")
	for q in a '*b' '?' '[!a]' 'a.b' '.*' '\a' ab; do
		[ "$q" = "$p" ] || patterns+=("$p/$q" "$p/$q/")
	done
done
for p in a '*' '?b'; do
	for q in b '*a' '[ab]'; do
		patterns+=("**/$p/$q" "$p/**/$q" "/**/$p" "$p/**/$q/" "**/$p/**/$q" "/$p/*/$q")
	done
done

names=(a b ab ba A .a aa a.b ']' '*' c)
paths=()
for x in "${names[@]}"; do
	paths+=("$x")
	for y in a b ab .a 'a.b'; do
		paths+=("$x/$y" "$x/$y/a" "a/$x/$y")
	done
done
# git looks at the tree to know what is a directory.
printf '%s\n' "${paths[@]}" | sort -u >"$T/paths"
awk '{ n = split($0, part, "/"); path = ""
	for (i = 1; i < n; i++) { path = path part[i]; dir[path] = 1; path = path "/" } }
	{ all[$0] = 1 }
	END { for (p in all) if (!(p in dir)) print p > files; for (d in dir) print d > dirs }' \
	files="$T/files" dirs="$T/dirs" "$T/paths"
xargs -d '\n' -a "$T/dirs" mkdir -p --
xargs -d '\n' -a "$T/files" touch --
sort -u "$T/files" "$T/dirs" >"$T/all"

compared=0
wrong=0
for pattern in "${patterns[@]}"; do
	printf '%s\n' "$pattern" >"$T/repo/.git/info/exclude"
	git check-ignore --no-index --stdin <"$T/all" >"$T/git" 2>/dev/null
	"$AFS" --explain -C "$T/repo" --default none --rule "read:$pattern" <"$T/all" |
		awk -F'\t' '$1 == "read" { print $2 }' >"$T/ours"
	compared=$((compared + 1))
	cmp -s "$T/git" "$T/ours" && continue
	wrong=$((wrong + 1))
	[ "$wrong" -le 5 ] && diag "pattern $pattern: git (<) and ours (>)" "$(diff "$T/git" "$T/ours" | head -n 6)"
done
is "$wrong" 0 "$compared patterns on $(wc -l <"$T/all") paths as git check-ignore"
[ "$compared" -gt 250 ]
ok $? 'enough of them'

done_testing
