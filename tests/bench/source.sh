#!/bin/bash
# source.sh HOME: makes HOME/src, the directory that the bench mounts, and beside it the lists and
# archives that the work needs. See setting.sh for what is in it and for the sizes.
set -euo pipefail
umask 022
home=$1
mkdir -p "$home/src/out" "$home/src/pk"
cd "$home/src"

# Files of 200 to 4,000 bytes, ten in each directory, three deep; every fifth has the word that grep seeks.
awk -v files="$FILES" 'BEGIN {
	for (d = 0; d < files / 10; d++)
		printf "tree/part%d/module%d/unit%d\n", d % 10, int(d / 10) % 10, d
}' >"$home/dirs"
xargs mkdir -p <"$home/dirs"
awk -v list="$home/files" 'BEGIN { srand(1) } {
	for (i = 0; i < 10; i++) {
		file = $0 "/file" i ".c"
		print file >list
		n = 5 + int(rand() * 75)
		for (j = 0; j < n; j++)
			print "int f" j "(int a) { return a + " int(rand() * 1e6) "; } /* text */" >file
		if (i % 5 == 0)
			print "/* needle */" >file
		close(file)
	}
}' "$home/dirs"
sed 's/$/.absent/' "$home/files" >"$home/absent"

# Times of another day, so that git need not look into what has changed in its own second. Of a file's
# numbers it is to look at time and size alone: inode numbers differ between filesystems.
find tree -exec touch -h -d '2024-01-02 03:04:05' {} +
printf '%s\n' .env '*.key' 'secrets/' >tree/.gitignore
(
	cd tree
	unset GIT_OPTIONAL_LOCKS
	git init -q --template= .
	git config core.checkStat minimal
	git config core.trustctime false
	git config gc.auto 0
	git add .
	git -c user.name=bench -c user.email=bench@localhost commit -q -m all
	git gc -q
	sleep 1
	git status --porcelain
	mkdir secrets
	for file in .env part0/.env part0/server.key secrets/token; do
		echo hidden >"$file"
	done
)

# The C program: headers that all include, and functions enough for the compiler to have work.
mkdir build
awk -v units="$UNITS" 'BEGIN {
	for (h = 0; h < 20; h++) {
		file = "build/part" h ".h"
		for (i = 0; i < 50; i++)
			print "int part" h "_" i "(int a, const char *b);" >file
		close(file)
	}
	for (u = 0; u < units; u++) {
		file = "build/unit" u ".c"
		print "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>" >file
		for (h = 0; h < 20; h++)
			print "#include \"part" h ".h\"" >file
		for (i = 0; i < 30; i++)
			print "int unit" u "_" i "(int a) { for (int j = 0; j < a; j++) printf(\"%d\\n\", a * j); return a; }" >file
		close(file)
	}
	print "int main(void) { return 0; }" >"build/main.c"
	ninja = "build/build.ninja"
	print "builddir = ../out\nrule cc\n  command = cc -O1 -MD -MF $out.d -c $in -o $out\n  depfile = $out.d" >ninja
	print "rule link\n  command = cc $in -o $out\nbuild ../out/main.o: cc main.c" >ninja
	objects = "../out/main.o"
	for (u = 0; u < units; u++) {
		print "build ../out/unit" u ".o: cc unit" u ".c" >ninja
		objects = objects " ../out/unit" u ".o"
	}
	print "build ../out/program: link " objects >ninja
}'

# Modules in packages, compiled, and one that imports them all.
awk -v modules="$MODULES" 'BEGIN {
	for (p = 0; p < modules / 10; p++)
		print "py/package" p
}' | xargs mkdir -p
awk -v modules="$MODULES" 'BEGIN {
	for (m = 0; m < modules; m++) {
		package = "package" int(m / 10)
		file = "py/" package "/module" m ".py"
		for (i = 0; i < 20; i++)
			print "def function" i "(a, b=None):\n    \"\"\"Text.\"\"\"\n    return [a, b, " i "]\n" >file
		close(file)
		print "" >("py/" package "/__init__.py")
		close("py/" package "/__init__.py")
		print "import " package ".module" m >"py/everything.py"
	}
}'
(unset PYTHONDONTWRITEBYTECODE; python3 -m compileall -q py)

# Packages of twenty files.
mkdir "$home/package"
for ((p = 0; p < PACKAGES; p++)); do
	rm -rf "$home/package"
	mkdir -p "$home/package/lib"
	awk -v p="$p" -v dir="$home/package" 'BEGIN {
		for (i = 0; i < 20; i++) {
			file = dir "/lib/file" i ".js"
			for (j = 0; j < 20 + i * 3; j++)
				print "module.exports.f" p "_" j " = (a) => a + " j * 7919 % 1000 ";" >file
			close(file)
		}
	}'
	tar -C "$home" -czf "pk/package$p.tgz" package
done
rm -rf "$home/package"

head -c $((SIZE * 1048576)) /dev/zero | tr '\0' x >big

# Eight tenths of the tree, to be extracted; and what sqlite is given, each line a transaction.
sed -n '/part[0-7]\//p' "$home/files" | tar -cf "$home/tree.tar" -T -
for mode in delete wal; do
	echo "pragma journal_mode=$mode; create table t(id integer primary key, a text, b integer);"
	seq "$TRANSACTIONS" | awk '{ printf "insert into t(a, b) values (\"text of row %d\", %d);\n", $1, $1 * 7919 }'
	echo "select count(*) from t;"
done | awk -v home="$home" '/^pragma/ { file = home "/" (++n == 1 ? "sqlite" : "sqlite-wal") } { print >file }'
