#!/bin/bash
# --explain: one record a path, in each of its forms.
. "$(dirname "$0")/../../lib.sh"

cat >"$T/p.conf" <<'END'
default = none
read("**")
write("/out")
none("/vault/")
read("/vault/open")
none(".env*", "!.env.example")
END
explain() { "$AFS" --explain -o "policy=$T/p.conf" "$@"; }
tab=$'\t'

is "$(explain a)" "read${tab}a${tab}$T/p.conf:2: **" 'level, path, file:line: pattern'
is "$(explain /out/x)" "write${tab}/out/x${tab}$T/p.conf:3: /out" 'the path is printed as given'
is "$(explain .env)" "none${tab}.env${tab}$T/p.conf:6: .env*" 'a file that is hidden'
is "$(explain .env/)" "view${tab}.env/${tab}$T/p.conf:6: .env*" 'a traversable directory prints as view'
is "$(explain vault)" "read${tab}vault${tab}$T/p.conf:2: **" 'no slash: not a directory'
is "$(explain vault/)" "view${tab}vault/${tab}$T/p.conf:4: /vault/" 'a slash: a directory'
is "$(explain ./out//x/. | cut -f1)" write './ and // are nothing'
is "$(explain / | cut -f1)" read 'the root'
is "$(explain -o default=view -o rule=none:a 2>&1 </dev/null)" '' 'no paths, no records'
is "$("$AFS" --explain -o rule=read:/x a b/)" "none${tab}a${tab}default
none${tab}b/${tab}default" 'default where no rule matched'
is "$("$AFS" --explain -o preset=full-access .agentfense)" "none${tab}.agentfense${tab}built-in" \
	'.agentfense at the root'
is "$("$AFS" --explain -o preset=full-access a/.agentfense | cut -f1)" write '... and only there'
is "$("$AFS" --explain -o rule=read:/a/b / | cut -f1)" view 'the root always exists'

# A pipe, in order, and with what names can hold.
is "$(printf 'a\n.env\nout\n' | explain | cut -f1,2)" "read${tab}a
none${tab}.env
write${tab}out" 'paths from a pipe'
is "$(printf 'out' | explain | cut -f1)" write 'no newline at the end'
is "$(printf 'a\nb\0out/c\0' | explain -0 | tr '\0\n' '@%' | sed "s|$T/||g")" \
	"read${tab}a%b${tab}p.conf:2: **@write${tab}out/c${tab}p.conf:3: /out@" '-0: names with newlines, as they are'
is "$(explain $'a\nb' | wc -l)" 1 'a newline in a name makes no second line'
like "$(explain $'a\e[31mb')" '^read.a\\x1b\[31mb' 'nor does it drive a terminal'

# JSON: the same, for programs.
is "$(explain --json out/x)" '{"path":"out/x","level":"write","rule":"/out","file":"'"$T"'/p.conf","line":3}' \
	'an object a line'
is "$("$AFS" --explain --json -o rule=read:x a)" \
	'{"path":"a","level":"none","rule":null,"file":null,"line":null}' 'nulls where no rule matched'
is "$(printf 'a\377"\n' | explain --json | cut -d, -f1)" '{"path":"a\udcff\""' 'bytes stay recoverable'
is "$("$AFS" --explain --json -o preset=read-only .agentfense)" \
	'{"path":".agentfense","level":"none","rule":"/.agentfense","file":"built-in","line":null}' 'built-in'
is "$(printf 'a\0b\0' | explain --json -0 | tr -dc '\0' | wc -c)" 2 'JSON with -0 ends in NUL'
if command -v python3 >/dev/null; then
	check 'it is JSON' python3 -c '
import json, subprocess, sys
out = subprocess.run([sys.argv[1], "--explain", "--json", "-0", "-o", "rule=read:**"],
	input=bytes(range(1, 256)) + b"\0", stdout=subprocess.PIPE, check=True).stdout
path = json.loads(out.rstrip(b"\0"))["path"]
assert path.encode("utf-8", "surrogateescape") == bytes(range(1, 256)), path
' "$AFS"
fi

# What is refused is said on stderr; the others are still answered, and the status tells.
out=$(printf 'a\n../b\na/../b\nout\n' | explain 2>"$T/err") && status=0 || status=$?
is "$status" 1 'a path with .. makes the status 1'
is "$(cut -f2 <<<"$out")" "a
out" '... and is left out'
is "$(wc -l <"$T/err")" 2 '... with a line each on stderr'
refute 'a NUL in a line is refused' bash -c "printf 'a\0b\n' | '$AFS' --explain -o preset=read-only"

# -C: what is a directory is seen in the source, no symlink is followed.
mkdir -p "$T/src/vault/open" "$T/src/real"
ln -s vault "$T/src/link"
ln -s real "$T/src/.env"
touch "$T/src/file"
is "$(explain -C "$T/src" vault file | cut -f1)" "view
read" '-C knows directories'
is "$(explain -C "$T/src" .env | cut -f1)" none 'a symlink to a directory is none'
is "$(explain -C "$T/src" link/open missing missing/ | cut -f1)" "read
read
read" 'what is not there goes by its slash'
refute 'a source that is not there' explain -C "$T/nowhere" a

# Orders of sources: files and presets as given, rules after them.
is "$("$AFS" --explain -o rule=none:a -o preset=read-only a | cut -f1,3)" "none${tab}-o:1: a" \
	'rules come after presets'
is "$("$AFS" --explain -o 'rule=read:a\,b' 'a,b' | cut -f1)" read 'a comma in -o is \,'
is "$("$AFS" --explain --rule read:a,b 'a,b' | cut -f1)" read '... and plain in --rule'
is "$("$AFS" --explain -o "policy=$T/p.conf,default=write,rule=none@-1:**" x | cut -f1)" read \
	'priority on the command line'

# A reader that has enough ends it quietly.
err=$(seq 200000 | "$AFS" --explain -o preset=read-only 2>&1 >/dev/full) && status=0 || status=$?
is "$status" 1 'a full disk is an error'
like "$err" 'No space left' '... that is named'
seq 300000 | "$AFS" --explain -o preset=read-only 2>"$T/err" | head -n 1 >/dev/null
is "$(cat "$T/err")" '' 'head(1) ends it without a message'

done_testing
