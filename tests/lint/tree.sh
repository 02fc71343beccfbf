#!/bin/bash
# tree.sh: what no other linter looks at. Prints each finding and exits 1 if there is any.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

# So that `... | report` runs here and can set found.
shopt -s lastpipe
found=0
report()
{
	local lines
	lines=$(sed "s|^|$1: |")
	[ -z "$lines" ] || { printf '%s\n' "$lines"; found=1; }
}

mapfile -t sources < <(ls common/*.[ch] agentfensefs/*.[ch] afrun/*.[ch] afsyncd/*.[ch])
mapfile -t all < <(ls -d Makefile README.md .ci/* policies/* tests/*.* tests/*/*.* tests/*/*/*.* \
	agentfensefs/* afrun/* afsyncd/* common/* 2>/dev/null)

# Every source file is in a list of the Makefile, else it is neither built nor tested.
listed=$(make -s print-lists)
for file in common/*.c agentfensefs/*.c afrun/*.c afsyncd/*.c tests/*.c tests/unit/*.c tests/fixtures/*.c \
	tests/fuzz/*.c tests/bench/*.c; do
	[ ! -e "$file" ] || grep -qxF "$file" <<<"$listed" || echo "$file"
done | report 'in no list of the Makefile'

# Calls that have a safer twin, typedef'd structs, and literals of whoever wrote them.
grep -nE '\<(sprintf|vsprintf|strcpy|strcat|strncpy|gets|alloca|atoi|atol|strtok|system|tmpnam|mktemp)\(' \
	"${sources[@]}" | report 'call not used here'
grep -nE '^typedef struct' "${sources[@]}" | report "typedef'd struct"
grep -nE '\<(exit|_exit|abort)\(' "${sources[@]}" |
	grep -vE '/main\.c:|\.h:|_exit\(|VISIBLE void exit\(' | report 'exits outside main.c'
grep -nE '\<(TODO|FIXME|XXX)\>' "${all[@]}" | grep -v '^tests/lint/tree.sh' | report 'unfinished'
grep -nE '[[:space:]]+$' "${all[@]}" | grep -vE '\.(png|gz):|^tests/fuzz/corpus' | report 'ends in white space'

# A header stands alone.
mapfile -t flags <build/compile_flags.txt
for header in common/*.h agentfensefs/*.h afrun/*.h afsyncd/*.h; do
	cc -fsyntax-only "${flags[@]}" -x c -include "$header" /dev/null 2>&1 | head -n 3
done | report 'header does not stand alone'

# common/ knows no program, and no program another.
grep -nE '#include "(agentfensefs|afrun|afsyncd|\.\.)/' "${sources[@]}" | report 'include across programs'
for header in agentfensefs/*.h afrun/*.h afsyncd/*.h; do
	grep -nF "#include \"${header##*/}\"" common/*.[ch]
done | report 'common/ includes a program'

# What is run by its name can be.
for script in .ci/* tests/check.sh tests/run-case tests/as-user tests/lint/*.sh; do
	[ -x "$script" ] || echo "$script"
done | report 'not executable'

# A file has one purpose. Tests of one thing may be longer lists.
longer_than() { wc -l "${@:2}" | awk -v most="$1" '$2 != "total" && $1 > most { print $2 ": " $1 " lines" }'; }
longer_than 450 "${sources[@]}" | report 'more than 450 lines'
longer_than 500 tests/*.[ch] tests/*/*.[ch] | report 'more than 500 lines'

exit "$found"
