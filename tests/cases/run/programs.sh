#!/bin/bash
# Usual programs work inside as they do outside: shells, version control, compilers, interpreters, databases,
# debuggers, editors on a terminal. Each has a directory of its own in the view, and what it leaves there is
# in the source afterwards. What is not installed is skipped.
# shellcheck disable=SC2016 # the shells inside expand
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/runlib.sh"
need_sandbox

# Where the sandbox looks.
is_installed()
{
	PATH=/usr/local/bin:/usr/bin:/bin command -v "$1" >/dev/null
}

# tool PROGRAMS NAME EXPECTED SCRIPT [OPTION]...: what bash -e inside prints of the script, errors too. (What
# afrun says is not that: that some of it is held back, with a delta.)
tool()
{
	local programs=$1 name=$2 expected=$3 script=$4 program
	shift 4
	for program in $programs; do
		is_installed "$program" || { skip "$name" "$program is not installed"; return; }
	done
	is "$(run -p full-access -t 120 "$@" -- bash -ec 'exec 2>&1; mkdir -p "$1"; cd "$1"; eval "$2"' bash \
		"output/${programs%% *}" "$script" 2>"$T/said" </dev/null; echo $?)" "$expected"$'\n0' "$name" ||
		diag "$(cat "$T/said")"
}

# ---- who and where
tool id 'ids and their names' "$(id -un) $(id -gn) $(id -un) $(id -u)" \
	'echo "$(id -un)" "$(id -gn)" "$(whoami)" "$(getent passwd "$(id -u)" | cut -d : -f 3)"'
tool getent 'names of services, protocols and this host' $'80/tcp\nTCP\n127.0.0.1' \
	'getent services http | tr -s " " | cut -d " " -f 2; getent protocols tcp | grep -ow TCP
	getent hosts "$(hostname)" | cut -d " " -f 1'
tool locale 'the locales of the host' "$(locale -a | sort)"$'\nUTF-8' 'locale -a | sort; locale charmap'
tool date 'the time zone, and others' "$(date +%Z) 01:00" 'echo "$(date +%Z) $(TZ=Europe/Berlin date -d @0 +%H:%M)"'
tool ulimit 'limits can be lowered' '100 5' 'ulimit -n 100; echo "$(ulimit -n) $(nice -n 5 nice)"'
tool su 'no privileges by programs that have them' refused 'su -c true root 2>/dev/null && ! grep -q "^Uid:.0" /proc/self/status || echo refused'

# ---- devices
tool dd 'the usual devices' $'0000 0\n8 8\nfull\ntty\n9' 'echo x >/dev/null
	echo "$(head -c 2 /dev/zero | od -An -tx1 | tr -d " ") $(wc -c </dev/null)"
	echo "$(head -c 8 /dev/urandom | wc -c) $(head -c 8 /dev/random | wc -c)"
	dd if=/dev/zero of=/dev/full count=1 2>/dev/null || echo full
	(: </dev/tty) 2>/dev/null || [ ! -c /dev/tty ] || echo tty
	echo /dev/shm/* >/dev/shm/some; wc -c </dev/shm/some | sed s/11/9/'
tool cat 'pipes by the names of the streams' $'in\nout\nerr' \
	'echo in | cat /dev/stdin; echo out >/dev/stdout; echo err >/dev/stderr'
is "$(echo word | run -- sh -c 'cat /dev/stdin; echo out >/dev/stdout; echo err >/dev/stderr' 2>&1 | cat)" \
	$'word\nout\nerr' "and the caller's pipes by them"
tool ps 'processes' $'bash\nyes' 'ps -e -o comm= | grep -x bash | head -n 1; top -b -n 1 | grep -q "bash *$" && echo yes'

# ---- files
tool flock 'FIFOs, locks, links, sparse files' $'fifo\nlocked\n2\n1048576 0' 'mkfifo p; echo fifo >p & cat p; wait
	flock lock sh -c "flock -n lock true || echo locked"
	echo x >a; ln a b; stat -c %h b; truncate -s 1M sparse; stat -c "%s %b" sparse; rm p'
tool tar 'archives' same 'mkdir -p t/u; echo x >t/u/f; ln -s u t/l; ln t/u/f t/g; chmod 750 t/u
	tar czf t.tgz t; mkdir x; tar xzf t.tgz -C x; diff -r t x/t; [ t/g -ef t/u/f ] && [ x/t/g -ef x/t/u/f ] && echo same'
tool rsync 'rsync' same 'mkdir a; seq 1000 >a/f; ln -s f a/l; rsync -a a/ b/; diff -r a b
	echo x >>a/f; rsync -a --delete a/ b/; diff -r a b && echo same'
tool xargs 'find and xargs -P' 50 'mkdir d; seq 50 | xargs -P 4 -I{} sh -c "echo {} >d/{}"
	find d -type f -print0 | xargs -0 -P 4 -n 5 cat | sort -nu | wc -l'
tool tail 'tail -f of what is written inside' line 'touch f; exec 3< <(exec tail -n +1 -f f); tail=$!; echo line >>f
	read -r word <&3; echo "$word"; kill "$tail"'
tool inotifywait 'notifications of what is changed inside' f 'inotifywait -q -t 60 -e create --format %f . &
	until grep -qs "inotify wd" /proc/$!/fdinfo/*; do sleep 0.02; done; echo x >f; wait'

# ---- shells and version control
tool bash 'bash' $'2 sub 3\nhere\nback\n42' 'a=(1 2); echo "${#a[@]} $(cat <(echo sub)) $((1 + 2))"; cat <<<here
	coproc cat; echo back >&"${COPROC[1]}"; read -r line <&"${COPROC[0]}"; echo "$line"; (exit 42) & wait $! || echo $?'
tool git 'git' $'M\tf\n2\n# branch.head main\n1 .M\n3\n2\ntwo' 'export GIT_CONFIG_COUNT=3 GIT_CONFIG_KEY_0=user.name GIT_CONFIG_VALUE_0=n \
		GIT_CONFIG_KEY_1=user.email GIT_CONFIG_VALUE_1=a@b GIT_CONFIG_KEY_2=init.defaultBranch GIT_CONFIG_VALUE_2=main
	git init -q r; cd r; echo 1 >f; git add f; git commit -qm one; echo 2 >f; git commit -qam two
	git diff --name-status HEAD~1; git worktree add -q ../w -b side; git -C ../w log --oneline | wc -l
	echo 3 >f; git status --porcelain=2 --branch | sed -n "s/^\(1 ..\) .*/\1/p; /head/p"
	git commit -qam three; git -C ../w merge -q main; git gc -q; git fsck --no-progress
	git -C ../w log --oneline | wc -l; git clone -q . ../c; git -C ../c reset -q --hard HEAD~1
	git -C ../c rev-list --count HEAD; git -C ../c log -n 1 --format=%s'
! is_installed git || check '... and what it left is sound' git -C "$SRC/output/git/c" fsck

# ---- compilers and debuggers
mkdir "$SRC/output/make" "$SRC/output/make/sub"
cat >"$SRC/output/make/Makefile" <<'EOT'
CFLAGS = -g -MMD -pthread
prog: main.o sub/six.o sub/seven.o
	$(CC) -pthread -o $@ $^
-include main.d
EOT
cat >"$SRC/output/make/main.c" <<'EOT'
#include <pthread.h>
#include "sub/six.h"
static int value;
static void *add(void *arg)
{
	value += *(int *)arg;
	return NULL;
}
int main(void)
{
	int product = six() * seven();
	pthread_t thread;
	pthread_create(&thread, NULL, add, &product);
	pthread_join(thread, NULL);
	return value;
}
EOT
echo 'int six(void); int seven(void);' >"$SRC/output/make/sub/six.h"
echo 'int six(void) { return 6; }' >"$SRC/output/make/sub/six.c"
echo 'int seven(void) { return 7; }' >"$SRC/output/make/sub/seven.c"
touch -d '1 hour ago' "$SRC"/output/make/{*,sub/*}
tool 'make gcc' 'make -j and gcc' $'42\nagain\n42' 'make -s -j 2 CC=gcc; ./prog || echo $?; make -q CC=gcc; touch sub/six.h
	! make -q CC=gcc || exit; make -s CC=gcc; echo again; ./prog || echo $?'
tool 'gcc g++' 'sanitizers, and C++' $'1\nc++' 'echo "int main(int c, char **v) { int a[1]; (void)v; a[c] = 0; return a[0]; }" >o.c
	gcc -fsanitize=address o.c -o o; ./o 2>&1 | grep -c "ERROR: AddressSanitizer: stack-buffer-overflow"
	echo "#include <iostream>
	int main() { std::cout << \"c++\n\"; }" >p.cc; g++ p.cc -o p; ./p'
if is_installed gdb && [ -x "$SRC/output/make/prog" ]; then
	out=$(run -p full-access -t 60 -w output/make -- gdb -q -batch -ex 'break add' -ex run -ex bt -ex 'watch value' \
		-ex continue -ex continue -ex continue ./prog 2>&1 </dev/null)
	like "$out" 'Breakpoint 1, add \(arg=.*\) at main.c:6' 'gdb on a child of its own: a breakpoint in a thread'
	like "$out" 'New value = 42' 'a watchpoint'
	like "$out" 'exited with code 052' 'and the end'
	out=$(run -p full-access -t 60 -- sh -c 'sleep 100 & gdb -q -batch -p $! -ex "info proc"; kill $!' 2>&1 </dev/null)
	like "$out" "exe = '/usr/bin/sleep'" 'and on a process of its own'
else
	skip 'gdb on a child of its own' 'gdb is not installed'
fi
tool strace 'strace' 2 'strace -f -e trace=execve -o trace sh -c "/bin/true; :"; grep -c "^[0-9]* *execve" trace'
tool 'java javac' 'java' '32 bytes' 'cat >H.java <<-EOT
	public class H {
		public static void main(String[] args) throws Exception {
			byte[] sum = java.security.MessageDigest.getInstance("SHA-256").digest(new byte[1]);
			System.out.println(sum.length + " bytes");
		}
	}
	EOT
	javac H.java; java H'

# ---- interpreters
tool perl 'perl' '42 1970' 'perl -MPOSIX -e '\''print 6 * 7, " ", strftime("%Y\n", gmtime(0))'\'
tool python3 'python3' '[1, 4, 9] item shared' "python3 -c '
import multiprocessing
from multiprocessing import shared_memory
def square(n): return n * n
queue = multiprocessing.Queue(); queue.put(\"item\")
memory = shared_memory.SharedMemory(create=True, size=6); memory.buf[:6] = b\"shared\"
with multiprocessing.Pool(2) as pool: print(pool.map(square, [1, 2, 3]), queue.get(), bytes(memory.buf[:6]).decode())
memory.close(); memory.unlink()'"
tool python3 'files that are mapped, sockets, files without a name' 'mapped mine socket named' "python3 -c '
import mmap, os, socket
fd = os.open(\"m\", os.O_RDWR | os.O_CREAT); os.truncate(fd, 8192)
memory = mmap.mmap(fd, 8192); memory[:6] = b\"mapped\"; memory.flush()
if os.fork() == 0: memory[4096:4100] = b\"mine\"; os._exit(0)
os.wait(); words = [os.pread(fd, 6, 0).decode(), memory[4096:4100].decode()]
with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
    server.bind(\"s\"); server.listen(); client.connect(\"s\"); server.accept()[0].send(b\"socket\")
    words.append(client.recv(9).decode())
fd = os.open(\".\", os.O_TMPFILE | os.O_RDWR); os.write(fd, b\"named\")
os.link(str(fd), \"n\", src_dir_fd=os.open(\"/proc/self/fd\", os.O_RDONLY), follow_symlinks=True)
words.append(open(\"n\").read()); os.unlink(\"s\"); print(*words)'"
pip=
python3 -c 'import ensurepip' 2>/dev/null || pip=--without-pip
tool python3 'venv' '/workspace/output/python3/v' "python3 -m venv $pip v"'; . v/bin/activate; python -c "import sys; print(sys.prefix)"
	[ ! -e v/bin/pip ] || pip --version >/dev/null'
tool node 'node' $'child worker\nwatched' 'cat >n.js <<-EOT
	const { execSync } = require("child_process"), { Worker } = require("worker_threads"), fs = require("fs");
	const child = execSync("echo child").toString().trim();
	const worker = new Worker("require(\"worker_threads\").parentPort.postMessage(\"worker\")", { eval: true });
	const watch = fs.watch(".", () => { watch.close(); console.log("watched"); });
	worker.on("message", word => { console.log(child, word); fs.writeFileSync("new", "x"); });
	EOT
	node n.js'
tool 'npm node' 'npm, offline' $'42\nbin 42\n42' 'mkdir dep app
	echo "{\"name\": \"dep\", \"version\": \"1.0.0\", \"main\": \"i.js\", \"bin\": {\"depbin\": \"b.js\"}}" >dep/package.json
	echo "module.exports = 42;" >dep/i.js
	printf "#!/usr/bin/env node\nconsole.log(\"bin\", require(\"./i.js\"));\n" >dep/b.js
	echo "{\"name\": \"app\", \"version\": \"1.0.0\", \"scripts\": {\"b\": \"depbin\"}, \"dependencies\": {\"dep\": \"file:../dep\"}}" >app/package.json
	cd app; npm install --offline --no-audit --no-fund --silent >&2; node -p "require(\"dep\")"; npm run --silent b
	npm pack --silent ../dep >/dev/null; npm install --offline --no-audit --no-fund --silent ./dep-1.0.0.tgz
	[ ! -L node_modules/dep ] && node -p "require(\"dep\")"'

# ---- data, keys, the network
tool sqlite3 'sqlite3, with several writers' $'wal\n40 820\nok' "sqlite3 t.db 'pragma journal_mode=wal; create table t(a)'
	seq 40 | xargs -P 4 -I{} sqlite3 -cmd '.timeout 60000' t.db 'insert into t values ({})'
	sqlite3 -separator ' ' t.db 'select count(*), sum(a) from t; pragma integrity_check'"
! is_installed sqlite3 || is "$(sqlite3 "$SRC/output/sqlite3/t.db" 'select sum(a) from t')" 820 '... and the source has it'
tool openssl 'openssl' $'CN = x\nsecret' 'openssl req -x509 -newkey rsa:2048 -nodes -keyout k -out c -subj /CN=x -days 1 2>/dev/null
	openssl x509 -in c -noout -subject -nameopt esc_ctrl,space_eq | sed s/subject=//
	echo secret | openssl enc -aes-256-cbc -pbkdf2 -pass pass:x | openssl enc -d -aes-256-cbc -pbkdf2 -pass pass:x'
tool ssh-keygen 'ssh-keygen' ED25519 'ssh-keygen -q -t ed25519 -N "" -f k; ssh-keygen -lf k.pub | grep -o ED25519'
tool gpg 'gpg, with its agent' signed 'export GNUPGHOME=/tmp/g; mkdir -m 700 /tmp/g
	gpg -q --batch --passphrase "" --quick-gen-key a@b >&2 2>/dev/null; echo x >f; gpg -q --batch -b f
	gpg -q --verify f.sig f 2>/dev/null && echo signed'
tool 'python3 curl' 'a server on the loopback' word 'echo word >f; mkfifo p
	python3 -u -m http.server --bind 127.0.0.1 0 >p 2>/dev/null & read -r line <p; port=${line#* port }
	curl -sS "http://localhost:${port%% *}/f"; kill $!; rm p'
# All addresses, as their order changes from one answer to the next.
addresses='getent ahostsv4 example.com | cut -d " " -f 1 | sort -u'
names=$(eval "$addresses")
if [ -n "$names" ]; then
	tool getent 'DNS with --net host' "$names" "$addresses" -n host
	tool getent 'and none without' 2 'getent hosts example.com || echo $?'
else
	skip 'DNS with --net host' 'no DNS here'
fi

# ---- manuals
cat >"$SRC/output/page.1" <<'EOT'
.TH PAGE 1
.SH NAME
page \- of a manual
EOT
tool man 'man' 'page - of a manual' 'man -P cat ../page.1 | sed -n "s/^ *page - /page - /p"'

# ---- an editor on a terminal
if ! is_installed vi || ! command -v tmux >/dev/null; then
	skip 'vi' 'vi or tmux is not installed'
	done_testing
fi
. "$ROOT/tests/tmuxlib.sh"
fresh_source
tmux_ new-session -d -s job -x 80 -y 24 \
	"TERM=screen '$AFRUN' $DIRECT -q -C '$SRC' -p full-access -e 'PS1=inside% ' -- bash --norc --noprofile; echo left \$?; exec cat"
types 'inside%' 'a shell on a terminal' ''
types '~' 'vi fills the screen' 'vi -u NONE new' Enter
types 'abc' 'what is typed is shown' i abc Escape
types ' *lines=24' 'vi knows the size' ':set lines? columns?' Enter
tmux_ send-keys -t job Enter
tmux_ resize-window -t job -x 100 -y 30
has_size() { tmux_ send-keys -t job ':set lines? columns?' Enter && wait_for 1 shows ' *lines=30' && shows ' *columns=100'; }
wait_for 20 has_size
ok $? 'and a change of it'
types '\[1\][+ ]*Stopped *vi -u NONE new' 'Ctrl-Z stops it' Enter C-z
types '\[1\][+ ]*Stopped *vi -u NONE new' 'it is a job' C-l jobs Enter
types 'abc' 'fg brings it back' fg Enter
types 'inside%' ':wq leaves it' ':wq' Enter
types 'abc 30 100' 'it has written, and the terminal has the size' 'echo $(cat new) $(stty size)' Enter
types 'left 0' 'the end' exit Enter
is "$(cat "$SRC/new")" abc 'the source has it'
tmux_ kill-server
done_testing
