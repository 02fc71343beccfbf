#!/bin/bash
# The Makefile: what is made is right after any change, in parallel, and nowhere but in build/.
. "$(dirname "$0")/../../lib.sh"

unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CFLAGS CPPFLAGS LDFLAGS WERROR
cp -a "$ROOT" "$T/src" 2>/dev/null
rm -rf "$T/src/build" "$T/src/.git"
cd "$T/src" || exit 1

# Linked with the system's libfuse, so that this too is built by every run of the tests.
run_make()
{
	timeout 300 make LIBFUSE=system "$@" 2>&1
}

compiled()
{
	grep -oE '^  CC +.*' | awk '{ print $2 }' | sort
}

snapshot()
{
	find . -path ./build -prune -o -printf '%y %m %s %T@ %p\n' | sort
}

before=$(snapshot)
check 'a parallel build from nothing' run_make -j4 all
is "$(snapshot)" "$before" 'nothing is written but build/'
check 'the programs are there' test -x build/agentfensefs -a -x build/afrun
like "$(build/agentfensefs --version 2>&1)" 'fuse' '... and run, on the system libfuse'
is "$(run_make all | compiled)" '' 'a second make compiles nothing'

# A header's change reaches exactly what includes it, directly or not.
sleep_until_newer() { touch "$1"; [ "$1" -nt build/afrun ]; }
check 'json.h is newer' wait_for 5 sleep_until_newer common/json.h
out=$(run_make all | compiled)
like "$out" 'common/json\.c' 'a changed header: its own file is compiled'
missed=$(grep -lE '#include "json.h"' common/*.c agentfensefs/*.c afrun/*.c | sort |
	comm -23 - <(printf '%s\n' "$out"))
is "$missed" '' '... and all others that include it'
unlike "$out" 'common/glob\.c' '... and none that does not'
is "$(run_make all | compiled)" '' '... once'

# A header that goes away does not stop the build.
cp common/json.h "$T/json.h"
sed 's/json\.h/writer.h/' common/json.c >"$T/json.c"
mv common/json.h common/writer.h
grep -lrE '#include "json.h"' common agentfensefs afrun | xargs sed -i 's/"json\.h"/"writer.h"/'
check 'a renamed header' run_make all
# ... nor does a source file that goes away leave its object in the archive.
printf '#include "log.h"\nvoid log_set_verbose(bool verbose)\n{\n\t(void)verbose;\n}\n' >common/extra.c
refute 'a source twice in the list does not link' run_make COMMON="$(make -s print-common) extra" \
	LDFLAGS=-Wl,--whole-archive all
rm common/extra.c
check 'gone from the list, gone from the archive' run_make all

# The user's flags.
out=$(run_make V=1 CFLAGS='-O1 -DUSER_C' CPPFLAGS=-DUSER_CPP LDFLAGS=-Wl,-O1 all)
is "$(grep -c -- ' -c common/' <<<"$out")" "$(make -s print-common | wc -w)" \
	'other flags compile everything again'
unlike "$(grep -- ' -c ' <<<"$out" | sed 's/.* -O1 -DUSER_C//')" ' -O2' 'the user CFLAGS come last'
like "$(grep -- ' -c ' <<<"$out" | head -n 1)" '-DUSER_CPP' '... with CPPFLAGS'
like "$(grep -- ' -o build/afrun ' <<<"$out")" '-Wl,-O1' '... and LDFLAGS'
unlike "$(run_make CFLAGS=-O0 V=1 build/libcommon.a)" '_FORTIFY_SOURCE=3' 'no fortify without optimizing'

# A failed link or compile leaves nothing half-made that a later make takes.
echo 'syntax error' >>common/glob.c
refute 'a broken source fails' run_make all
sed -i '$d' common/glob.c
check 'mended, it builds' run_make all

is "$(snapshot | grep -vE 'writer|json|\.[ch]$|common$')" \
	"$(grep -vE 'writer|json|\.[ch]$|common$' <<<"$before")" 'still nothing but build/'
check 'make help' run_make help
check 'make clean' run_make clean
is "$(find build -type f 2>/dev/null | grep -v '^build/libfuse/')" '' '... leaves no file'
check 'make clean, again' run_make clean

for flag in relro now; do
	like "$(readelf -ld "$AFS")" "$([ $flag = relro ] && echo GNU_RELRO || echo 'BIND_NOW|NOW')" \
		"hardening: $flag"
done
like "$(readelf -h "$AFRUN")" 'Type: +DYN' 'hardening: position independent'
like "$(readelf -Ws --dyn-syms "$AFS" "$AFRUN")" '__stack_chk_fail|__asan_' 'hardening: stack protector'

done_testing
