#!/bin/bash
# --check and --presets; each mistake is one line with program, file, line and reason, and exit 1.
. "$(dirname "$0")/../../lib.sh"

# bad LINE WHY <TEXT
bad()
{
	local status=0 out
	cat >"$T/bad.conf"
	out=$("$AFS" --check -o "policy=$T/bad.conf" 2>&1) || status=$?
	[ "$status" -eq 1 ] && [ "$out" = "agentfensefs: $T/bad.conf:$1: $2" ]
	ok $? "$2" || diag "status $status, got: $out"
}

bad 2 'a//b: an empty component' <<<$'read("**")\nread("a//b")'
bad 3 '../x: a component that is . or ..' <<<$'read("a",\n  "b",\n  "../x")'
bad 1 ': an empty pattern' <<<'read("")'
bad 1 '[ab: a [ without its ]' <<<'read("[ab")'
bad 1 '{a,b: a { without its }' <<<'read("{a,b")'
bad 1 '{a/b}: a slash in braces' <<<'read("{a/b}")'
bad 1 'none: only patterns with !, which take out of nothing' <<<'none("!a")'
bad 2 "no such option 'allow'" <<<$'\nallow("a")'
bad 1 'all: not a level: none, view, read or write' <<<'default = all'
bad 2 'high: not a priority: a whole number from -1000000 to 1000000' <<<$'rules "x" {\npriority = high\n}'
# shellcheck disable=SC2016 # the dollar is the policy's
bad 1 '${...} is put in from the environment in double quotes: use single quotes, or \$' <<<'read("${HOME}")'
bad 1 'a pattern or file name must be in quotes' <<<'none(*.key)'
bad 1 'a string that goes on in the next line' <<<"read('a)"
bad 1 'a string that is not closed' < <(printf "read('a")
bad 2 'a group that is not closed' <<<$'\nrules "x" {\nread("a")\n'
bad 1 'a comment that is not closed' <<<'/* read("a")'
bad 1 'an empty file' </dev/null
printf 'read("a")\n\0' >"$T/nul"
bad 2 'a NUL byte: not a policy file' <"$T/nul"
printf 'read("a//\x1b[31mb")' >"$T/esc"
bad 1 'a//\x1b[31mb: an empty component' <"$T/esc"

# refused WHY ARGS...
refused()
{
	local why=$1 status=0 out
	shift
	out=$(timeout 20 "$AFS" --check "$@" 2>&1 </dev/null) || status=$?
	[ "$status" -eq 1 ] && [ "$out" = "agentfensefs: $why" ]
	ok $? "$why" || diag "status $status, got: $out"
}

refused "$T/nowhere: No such file or directory" -o "policy=$T/nowhere"
refused "$T: Is a directory" -o "policy=$T"
mkfifo "$T/fifo"
refused "$T/fifo: not a regular file" -o "policy=$T/fifo"
truncate -s 1T "$T/huge"
refused "$T/huge: File too large" -o "policy=$T/huge"
refused 'nosuch: no such preset (agentfensefs --presets lists them)' -o preset=nosuch
refused '../p: no such preset (agentfensefs --presets lists them)' -o preset=../p
refused '-o:1: read: not a rule: LEVEL[@PRIORITY]:PATTERN' -o rule=read
refused '-o:2: rule:a: not a level: none, view, read or write' -o rule=read:b,rule=rule:a
refused '-o:1: read@high:a: not a priority: a whole number from -1000000 to 1000000' -o rule=read@high:a
echo 'include("b.conf")' >"$T/a.conf"
echo 'include("a.conf")' >"$T/b.conf"
refused "$T/b.conf:1: include: $T/a.conf: includes itself" -o "policy=$T/a.conf"

# A mount with a bad policy is none.
mkdir "$T/src" "$T/mnt"
refute 'nothing is mounted with a bad rule' try_mount -o rule=read:a//b "$T/src" "$T/mnt"
refute '... is a mount' is_mounted "$T/mnt"

# Rules that can never decide are named; that is no error.
printf 'none("*.key")\nread("/a/b", "/c")\nread("/a")\nwrite("*.key")\n' >"$T/p.conf"
out=$("$AFS" --check -o "policy=$T/p.conf" 2>&1)
is "$?" 0 'warnings do not fail it'
is "$out" "agentfensefs: $T/p.conf:1: *.key: can never decide: $T/p.conf:4: *.key wins
agentfensefs: $T/p.conf:2: /a/b: can never decide: $T/p.conf:3: /a wins" 'the rules are named'
for preset in agent-safe development full-access read-only view-only; do
	is "$("$AFS" --check -o preset=$preset 2>&1; echo $?)" 0 "$preset has nothing to warn of"
done

out=$("$AFS" --presets)
is "$(cut -f1 <<<"$out" | tr '\n' ' ')" 'agent-safe development full-access read-only view-only ' \
	'--presets lists them'
while IFS=$'\t' read -r name file; do
	check "$name's file is there" test -f "$file"
done <<<"$out"

done_testing
