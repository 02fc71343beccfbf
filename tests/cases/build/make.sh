#!/bin/bash
# The Makefile: what is made is right after any change, in parallel, and nowhere but in build/.
. "$(dirname "$0")/../../lib.sh"

unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CFLAGS CPPFLAGS LDFLAGS WERROR
mkdir "$T/src"
(cd "$ROOT" && cp -a Makefile .ci common agentfensefs afrun afsyncd policies tests "$T/src") || exit 1
cd "$T/src" || exit 1

# With the system's libfuse, so that this too is built by every run of the tests; without
# optimization, to be quick.
run_make()
{
	timeout 300 make LIBFUSE=system CFLAGS=-O0 "$@" 2>&1
}

compiled()
{
	awk '$1 == "CC" { print $2 }' | sort
}

snapshot()
{
	find . -mindepth 1 -path ./build -prune -o -printf '%y %m %s %T@ %p\n' | sort
}

before=$(snapshot)
check 'a parallel build from nothing' run_make -j4 all
is "$(snapshot | diff - <(printf '%s\n' "$before") )" '' 'nothing is written but build/'
check 'the programs are there' test -x build/agentfensefs -a -x build/afrun -a -x build/afsyncd
like "$(build/agentfensefs --version 2>&1)" "libfuse $(pkg-config --modversion fuse3)" \
	'... and run, on the libfuse of the system'
is "$(run_make all | compiled)" '' 'a second make compiles nothing'

# A header's change reaches exactly what includes it, directly or not.
newer()
{
	touch "$1"
	[ "$1" -nt build/afrun ]
}
wait_for 5 newer common/json.h
out=$(run_make all | compiled)
like "$out" 'common/json\.c' 'a changed header: its own file is compiled'
missed=$(grep -l '#include "json.h"' common/*.c agentfensefs/*.c afrun/*.c afsyncd/*.c | sort |
	comm -23 - <(printf '%s\n' "$out"))
is "$missed" '' '... and all others that include it'
unlike "$out" 'common/glob\.c' '... and none that does not'
is "$(run_make all | compiled)" '' '... once'

# A header that goes away does not stop the build.
mv common/json.h common/writer.h
grep -lr '#include "json.h"' common agentfensefs afrun afsyncd | xargs sed -i 's/"json\.h"/"writer.h"/'
check 'a renamed header' run_make all

# A source that leaves the list leaves the archive as well.
members=$(ar t build/libcommon.a)
printf 'int extra;\n' >common/extra.c
check 'one source more' run_make COMMON="$(run_make -s print-common) extra" build/libcommon.a
like "$(ar t build/libcommon.a)" 'extra\.o' '... is in the archive'
rm common/extra.c build/obj/common/extra.o
touch common/glob.c
check 'one less' run_make build/libcommon.a
is "$(ar t build/libcommon.a)" "$members" '... is gone from it'

# What failed leaves nothing half-made behind that a later make takes.
cp common/glob.c "$T/glob.c"
echo 'syntax error' >>common/glob.c
refute 'a broken source fails' run_make build/libcommon.a
cp "$T/glob.c" common/glob.c
check 'mended, it builds' run_make build/libcommon.a

# The user's flags.
out=$(run_make V=1 CFLAGS='-O1 -DUSER_C' CPPFLAGS=-DUSER_CPP LDFLAGS=-Wl,-O1 build/libcommon.a \
	build/tests/reap)
is "$(grep -c -- ' -c common/' <<<"$out")" "$(wc -l <<<"$members")" \
	'other flags compile everything again'
unlike "$(grep -- ' -c common/' <<<"$out" | sed 's/.* -O1 -DUSER_C//')" ' -O[02]' \
	'the CFLAGS of the user come last'
is "$(grep -- ' -c common/' <<<"$out" | grep -vc -- -DUSER_CPP)" 0 '... with CPPFLAGS'
like "$(grep -- ' -o build/tests/reap ' <<<"$out")" '-Wl,-O1' '... and LDFLAGS'
like "$out" '_FORTIFY_SOURCE=3' 'hardening stays'
unlike "$(run_make V=1 build/tests/reap)" '_FORTIFY_SOURCE=3' '... but not where it cannot be'

# Where a library is missing, what to do is said.
mkdir "$T/bin"
printf '#!/bin/sh\ncase $* in *libcap*) exit 1;; esac\nexec %s "$@"\n' "$(command -v pkg-config)" \
	>"$T/bin/pkg-config"
chmod +x "$T/bin/pkg-config"
like "$(PATH=$T/bin:$PATH run_make all)" 'missing: libcap; run: make deps' 'a missing library is named'

check 'make help' run_make help
check 'make clean' run_make clean
is "$(find build -type f 2>/dev/null | grep -v '^build/libfuse/')" '' '... leaves no file'
check 'make clean, again' run_make clean

# The programs under test, which were built as a user builds them.
headers=$(readelf -Wld --dyn-syms "$AFS")
like "$headers" 'GNU_RELRO' 'hardening: relro'
like "$headers" 'BIND_NOW|FLAGS.* NOW' 'hardening: bound at start'
like "$(readelf -h "$AFRUN")" 'Type: +DYN' 'hardening: position independent'
if [ "$BUILD" = "$ROOT/build" ]; then
	like "$headers" '__stack_chk_fail' 'hardening: stack protector'
	like "$headers" '__[a-z]+_chk' 'hardening: fortified calls'
fi

done_testing
