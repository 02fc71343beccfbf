# shellcheck shell=bash
# What sqlite, make and a compiler, Python and npm do, for toollib.sh and mergelib.sh.

has()
{
	$RUNAS bash -c "command -v $1" >/dev/null || { skip "$1" "not here"; return 1; }
}

sqlite_works()
{
	local make='CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000)
		INSERT INTO t SELECT i, hex(i*i) FROM n;'
	local change='BEGIN; DELETE FROM t WHERE a%3=0; ROLLBACK; DELETE FROM t WHERE a%100=1;
		BEGIN; UPDATE t SET b=b||1 WHERE a%7=0; COMMIT; SELECT count(*), sum(length(b)) FROM t;'
	local sound="sqlite3 db 'PRAGMA integrity_check; SELECT count(*), sum(length(b)) FROM t;'; ls; sqlite3 db .dump | cksum"
	local mode
	for mode in delete truncate persist memory wal; do
		tool "sqlite, journal $mode" -n "sqlite3 db 'PRAGMA journal_mode=$mode; $make'" \
			"sqlite3 db 'PRAGMA journal_mode=$mode; $change'; sqlite3 db 'VACUUM;'" "$sound"
	done
	# One that was killed: its log is there, and what is in it only there.
	tool 'sqlite, a log left behind' -n "sqlite3 db 'PRAGMA journal_mode=wal; $make'
		{ sqlite3 db 'PRAGMA wal_autocheckpoint=0; $change' '.shell kill -9 \$PPID' || test -s db-wal; } 2>/dev/null" \
		"sqlite3 db 'SELECT count(*) FROM t; INSERT INTO t VALUES(-1, 2)'; ls
		{ sqlite3 db 'PRAGMA wal_autocheckpoint=0; DELETE FROM t WHERE a%11=0' '.shell kill -9 \$PPID' ||
			test -s db-wal; } 2>/dev/null" \
		"$sound"
	tool 'sqlite, mmap' -n "sqlite3 db '$make'" "sqlite3 db 'PRAGMA mmap_size=100000000; $change'
		sqlite3 db 'PRAGMA mmap_size=100000000; SELECT sum(a) FROM t;'" "$sound"
	tool 'sqlite, two writers' -n "sqlite3 db 'PRAGMA journal_mode=wal; CREATE TABLE t(a, b DEFAULT 1);'" \
		"for w in 1 2; do (for i in \$(seq 30); do echo \"INSERT INTO t(a) VALUES(\$i);\"; done |
			sqlite3 -cmd '.timeout 20000' db) & done; wait; sqlite3 db 'SELECT count(*), sum(a) FROM t'" \
		"sqlite3 db 'PRAGMA integrity_check'; sqlite3 db .dump | sort | cksum; rm -f db*"
}

# shellcheck disable=SC2016
make_works()
{
	tool 'make' -n 'mkdir src; for i in 1 2 3 4; do echo "int f$i(void); int f$i(void){return $i;}" >src/f$i.c; done
		echo "int f1(void); int main(void){return f1()-1;}" >src/main.c
		printf "%s\n" "o := \$(patsubst src/%.c,obj/%.o,\$(wildcard src/*.c))" \
			"prog: \$(o)" "	\$(CC) -o \$@ \$^" "obj/%.o: src/%.c" "	@mkdir -p obj" "	\$(CC) -c -o \$@ \$<" >Makefile
		make -s -j2; ./prog; make -q; ar rcsD lib.a obj/f1.o' \
		'sleep 0.01; touch src/f2.c; make -n | grep -c "obj/f2"; make -s
		sleep 0.01; echo "int f5(void); int f5(void){return 0;}" >src/f5.c
		sed -i "s/f1/f5/g; s/-1//" src/main.c; rm src/f4.c obj/f4.o; make -s -j2; ./prog; ar rcsD lib.a obj/f5.o; strip -p prog' \
		'make -q; ./prog; ar t lib.a; rm -r obj'
}

# A package as pip would leave it, in two versions of which one takes the other's place; and a venv that
# is made anew over one.
# shellcheck disable=SC2016
venv_works()
{
	local env='PATH=/usr/bin:/bin; unset PYTHONDONTWRITEBYTECODE
		site=$(echo v/lib/python3*/site-packages)
		unpack() { mkdir -p $site/pkg/sub $site/pkg-$1.dist-info; echo "x = $1" >$site/pkg/__init__.py
			for i in $(seq $1 9); do echo "y = $i$1" >$site/pkg/sub/m$i.py; done
			echo "Version: $1" >$site/pkg-$1.dist-info/METADATA
			python3 -m compileall -q --invalidation-mode unchecked-hash $site/pkg; }
		'
	tool 'python3 -m venv' -n 'PATH=/usr/bin:/bin; python3 -m venv --without-pip v; '"$env"'unpack 1
		mkdir pkg2; echo "x = 1" >pkg2/__init__.py; python3 -m venv --without-pip w; touch w/old' \
		"$env"'v/bin/python -c "import sys, pkg.sub.m1; print(sys.prefix != sys.base_prefix, pkg.x)"
		rm -r $site/pkg $site/pkg-1.dist-info; unpack 3; v/bin/python -c "import pkg; print(pkg.x)"
		v/bin/python -c "import pkg2; print(pkg2.x)"; ls pkg2/__pycache__; rm -r pkg2/__pycache__
		python3 -m venv --without-pip --clear w; python3 -m venv --without-pip --upgrade v; ls w' \
		"$env"'v/bin/python -c "import sys, pkg.sub.m3; print(sys.prefix != sys.base_prefix, pkg.x, pkg.sub.m3.y)"
		w/bin/python -c "print(1)"; ls $site $site/pkg/sub
		grep -rlI "$PWD" . | while read -r f; do sed -i "s#$PWD#X#g" "$f"; done'
}

# shellcheck disable=SC2016
npm_works()
{
	local env='export npm_config_cache=$HOME/npm-cache npm_config_update_notifier=false npm_config_offline=true
		export npm_config_audit=false npm_config_fund=false npm_config_loglevel=silent
		pack() { mkdir -p $1; (cd $1; echo "{\"name\":\"$1\",\"version\":\"$2\",\"bin\":\"run.js\"}" >package.json
			printf "#!/usr/bin/env node\nconsole.log(\"$1 $2 runs\")\n" >run.js; echo "module.exports=\"$2\"" >index.js
			echo >only-in-$2.js; npm pack); }
		'
	tool 'npm install, npm ci' -n "$env"'pack dep 1.0.0; pack tool 1.0.0; mkdir app; cd app
		echo "{\"name\":\"app\",\"version\":\"1.0.0\"}" >package.json
		npm install ../dep/dep-1.0.0.tgz ../tool/tool-1.0.0.tgz' \
		"$env"'pack dep 2.0.0; rm dep/only-in-1.0.0.js; cd app; npm install ../dep/dep-2.0.0.tgz
		node -p "require(\"dep\")"; node_modules/.bin/dep; ls node_modules/dep; npm ci
		npm uninstall tool; npm install ../tool; ls -l node_modules | wc -l' \
		"$env"'cd app; npm ls | tail -n +2; node_modules/.bin/dep; node_modules/.bin/tool; npm uninstall tool'
}

build_tools()
{
	has sqlite3 && sqlite_works
	has make && has cc && make_works
	has python3 && $RUNAS /usr/bin/python3 -c 'import venv' 2>/dev/null && venv_works
	has npm && npm_works
}
