#!/bin/bash
# sqlite, make and a compiler, Python and npm do on a mount what they do on a plain directory.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"
. "$ROOT/tests/toollib.sh"

has()
{
	as_user bash -c "command -v $1" >/dev/null || { skip "$1" "not here"; return 1; }
}

sqlite_works()
{
	local fill='CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000)
		INSERT INTO t SELECT i, hex(i*i) FROM n; BEGIN; DELETE FROM t WHERE a%3=0; ROLLBACK;
		BEGIN; UPDATE t SET b=b||1 WHERE a%7=0; COMMIT; SELECT count(*), sum(length(b)) FROM t;
		PRAGMA integrity_check;'
	local mode
	for mode in delete truncate persist memory wal; do
		tool "sqlite, journal $mode" -n "sqlite3 db 'PRAGMA journal_mode=$mode; $fill'; sqlite3 db 'VACUUM;'
			sqlite3 db .dump | cksum"
	done
	tool 'sqlite, mmap' -n "sqlite3 db 'PRAGMA mmap_size=100000000; $fill'; sqlite3 db 'PRAGMA mmap_size=100000000;
		SELECT sum(a) FROM t;'"
	tool 'sqlite, two writers' -n "sqlite3 db 'PRAGMA journal_mode=wal; CREATE TABLE t(a);'
		for w in 1 2; do (for i in \$(seq 30); do echo \"INSERT INTO t VALUES(\$i);\"; done |
			sqlite3 -cmd '.timeout 20000' db) & done; wait; sqlite3 db 'SELECT count(*), sum(a) FROM t'
		sqlite3 db .dump | sort | cksum; rm -f db*"
}

# shellcheck disable=SC2016
make_works()
{
	tool 'make' -n 'mkdir src; for i in 1 2 3 4; do echo "int f$i(void); int f$i(void){return $i;}" >src/f$i.c; done
		echo "int f1(void); int main(void){return f1()-1;}" >src/main.c
		printf "%s\n" "o := \$(patsubst src/%.c,obj/%.o,\$(wildcard src/*.c))" \
			"prog: \$(o)" "	\$(CC) -o \$@ \$^" "obj/%.o: src/%.c" "	@mkdir -p obj" "	\$(CC) -c -o \$@ \$<" >Makefile
		make -s -j2; ./prog; make -q; sleep 0.01; touch src/f2.c; make -n | grep -c "obj/f2"; make -s
		ar rcsD lib.a obj/f1.o; strip -p prog; rm -r obj'
}

# shellcheck disable=SC2016
venv_works()
{
	tool 'python3 -m venv' -n 'PATH=/usr/bin:/bin; unset PYTHONDONTWRITEBYTECODE
		python3 -m venv --without-pip v; v/bin/python -c "import sys; print(sys.prefix != sys.base_prefix)"
		mkdir pkg; echo "x = 1" >pkg/__init__.py; v/bin/python -c "import pkg; print(pkg.x)"; ls pkg/__pycache__
		rm -r pkg/__pycache__; grep -rlI "$PWD" . | while read -r f; do sed -i "s#$PWD#X#g" "$f"; done'
}

# shellcheck disable=SC2016
npm_works()
{
	tool 'npm install' -n 'export npm_config_cache=$PWD/../../npm-cache npm_config_update_notifier=false
		mkdir dep app; echo "{\"name\":\"dep\",\"version\":\"1.0.0\",\"bin\":\"run.js\"}" >dep/package.json
		printf "#!/usr/bin/env node\nconsole.log(\"dep runs\")\n" >dep/run.js; echo "module.exports=7" >dep/index.js
		(cd dep && npm pack --silent); cd app; echo "{\"name\":\"app\",\"version\":\"1.0.0\"}" >package.json
		npm install --offline --no-audit --no-fund --silent ../dep/dep-1.0.0.tgz; node -p "require(\"dep\")"
		node_modules/.bin/dep; npm install --offline --no-audit --no-fund --silent ../dep; ls -l node_modules | wc -l
		npm uninstall --silent --no-audit --no-fund dep'
}

tools()
{
	has sqlite3 && sqlite_works
	has make && has cc && make_works
	has python3 && as_user /usr/bin/python3 -c 'import venv' 2>/dev/null && venv_works
	has npm && npm_works
}

with_tools tools
done_testing
