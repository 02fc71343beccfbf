#!/bin/bash
# The demonstration (make demo): an agent among tickets, two that change the same file, then this
# project built in a sandbox. It works on copies in a private directory, checks each thing that it
# shows, and exits with 1 if any is not as it should be. BUILD is the build directory.
set -u
cd "$(dirname "$0")/../.." || exit
ROOT=$PWD
BUILD=${BUILD:-$ROOT/build}
export LC_ALL=C.UTF-8 PATH="$BUILD:$PATH"

bold='' red='' green='' off=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' off=$'\e[m'
fi
wrong=0

T=$(mktemp -d) || exit
T=$(cd "$T" && pwd -P)
trap 'cd / && rm -rf --one-file-system "$T"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP PIPE

say()
{
	printf '%s\n' "$@"
}

# judge STATUS TEXT: a line of what is shown, and whether it is as it should be.
judge()
{
	if [ "$1" -eq 0 ]; then
		printf '  %sok%s     %s\n' "$green" "$off" "$2"
	else
		printf '  %sWRONG%s  %s\n' "$red" "$off" "$2"
		wrong=$((wrong + 1))
	fi
}

# check TEXT COMMAND...: that the command succeeds.
check()
{
	local text=$1
	shift
	"$@" >>"$T/log" 2>&1
	judge $? "$text"
}

# run COMMAND: shows the command line and runs it; what it says goes to $T/out.
run()
{
	printf '\n  %s$ %s%s\n' "$bold" "$1" "$off"
	eval "$1" >"$T/out" 2>&1 </dev/null
}

# said ATTEMPT RESULT: what the agent has told of the attempt, which must be that.
said()
{
	local result
	result=$(sed -n "s|^$1: ||p" "$T/out")
	[ "$result" = "$2" ]
	judge $? "$(printf '%-29s %s' "$1" "${result:-(nothing)}")"
	[ "$result" = "$2" ] || say "         expected: $2"
}

# audited OP PATH ERRNO: that the audit log has such a line; shows what it says.
audited()
{
	local line fields='"op":"(.*)","path":"(.*)","level":"(.*)","needed":"(.*)","rule":(.*),"errno"'
	line=$(grep -F "\"op\":\"$1\",\"path\":\"$2\"" refused.log | grep -F "\"errno\":\"$3\"" |
		head -n 1)
	if [[ ${line/'"rule":null'/'"rule":"no rule"'} =~ $fields ]]; then
		judge 0 "$(printf '%-7s %-12s is %-5s needed %-6s %-7s %s' "${BASH_REMATCH[@]:1:2}" \
			"${BASH_REMATCH[3]}," "${BASH_REMATCH[4]}," "$3" "${BASH_REMATCH[5]//\"/}")"
	else
		judge 1 "no line for $1 $2 $3"
	fi
}

make_tickets()
{
	mkdir -p tickets/keys
	echo 'The printer is on fire' >tickets/TKT-001.md
	echo 'The coffee is cold' >tickets/TKT-002.md
	echo 'Salaries of next year' >tickets/TKT-003.md
	echo 'TOKEN=hunter2' >tickets/.env
	echo 'not a real key' >tickets/keys/deploy.key
	cp "$ROOT/tests/demo/agent.sh" tickets/
	cp -a tickets tickets.before
	cat >tickets.conf <<-'CONF'
		write("/TKT-001.md")
		read("/TKT-002.md", "/agent.sh")
		view("/TKT-003.md")
	CONF
}

show_tickets()
{
	say "${bold}1. An agent among tickets$off" ''
	say "  The directory tickets: $(cd tickets && find . -type f -printf '%P\n' | sort | xargs)"
	say '  The policy tickets.conf, in which what no rule names does not exist:' ''
	sed 's/^/      /' tickets.conf
}

attempts_on_tickets()
{
	said 'list the directory' 'TKT-001.md TKT-002.md TKT-003.md agent.sh'
	said 'read TKT-001.md' 'The printer is on fire'
	said 'write TKT-001.md' 'done'
	said 'read TKT-002.md' 'The coffee is cold'
	said 'write TKT-002.md' 'refused, Permission denied'
	said 'delete TKT-002.md' 'refused, Permission denied'
	said 'look at TKT-003.md' '22 bytes'
	said 'read TKT-003.md' 'refused, Permission denied'
	said 'create TKT-004.md' 'refused, Permission denied'
	said 'read .env' 'refused, No such file or directory'
	said 'read keys/deploy.key' 'refused, No such file or directory'
	said 'read .env by its real path' 'refused, No such file or directory'
}

refusals_of_tickets()
{
	say '' '  The refusals, in refused.log:' ''
	audited open /TKT-002.md EACCES
	audited unlink /TKT-002.md EACCES
	audited open /TKT-003.md EACCES
	audited create /TKT-004.md EACCES
	audited lookup /.env ENOENT
	audited lookup /keys ENOENT
	say '' '  Each is a line such as' '' "$(grep -m 1 '"/TKT-002.md"' refused.log)"
}

tickets()
{
	make_tickets
	show_tickets
	export REAL=$T/tickets
	run 'afrun -C tickets -P tickets.conf --audit refused.log -e REAL -- sh agent.sh tickets'
	judge $? 'the agent ran to its end, and says:'
	attempts_on_tickets
	refusals_of_tickets
	say '' '  It has ended well, so what it wrote is merged. In tickets:' ''
	check 'TKT-001.md has a new line' grep -qx 'The agent was here.' tickets/TKT-001.md
	cp tickets.before/TKT-001.md tickets/
	check 'all else is as it was' diff -r -x .agentfense tickets.before tickets
}

# shown TEXT EXPECTED: that the last command has printed that; shows it.
shown()
{
	[ "$(cat out)" = "$2" ]
	judge $? "$1"
	sed 's/^/         /' out
	[ "$(cat out)" = "$2" ] || printf '%s\n' '         expected:' "$2"
}

make_desk()
{
	mkdir desk
	printf '%s\n' 'The coffee is cold.' 'The printer is on fire.' >desk/todo
	cp -a desk desk.before
}

# Each writes to a delta of its own, which is kept here to be looked at.
write_both()
{
	run 'afrun -q -C desk -p full-access -D ann --sync never -c "sed -i s/cold/hot/ todo" &
    afrun -q -C desk -p full-access -D bob --sync never -c "sed -i s/cold/gone/ todo; echo 3 >cups" &
    wait'
	check 'desk is as it was' diff -r desk.before desk
	run 'afsyncd -n bob'
	shown 'what bob would change, a path a line:' $'A\tcups\nM\ttodo'
	run 'afsyncd --diff bob | tee bob.patch | grep "^[-+][^-+]"'
	shown 'and as a patch:' $'+3\n-The coffee is cold.\n+The coffee is gone.'
	check 'which git apply takes' git -C desk apply --check "$T/bob.patch"
}

merge_both()
{
	run 'afsyncd ann'
	shown 'ann is merged:' "afsyncd: $T/desk: 1 change merged"
	run 'afsyncd -n bob'
	shown 'now bob and desk have changed the same file, which is a conflict:' $'A\tcups\nC\ttodo'
	run 'afsyncd -q --conflict both bob; head -n 1 desk/todo*'
	[ "$(cat out)" = "$(printf '%s\n' '==> desk/todo <==' 'The coffee is hot.' '' \
		"==> $(echo desk/todo.conflict-*) <==" 'The coffee is gone.')" ]
	judge $? 'of the answers to it (lww, keep, both, fail, merge) this one keeps both:'
	sed 's/^/         /' out
}

undo_both()
{
	run 'afsyncd --history desk | cut -f 3,4'
	shown 'what was merged, the newest first:' "$T/bob"$'\tA1 C1\n'"$T/ann"$'\tM1'
	run 'afsyncd --undo desk && afsyncd --undo desk'
	judge $? 'and all of it can be taken back'
	check 'desk is as it was' diff -r -x .agentfense desk.before desk
}

desk()
{
	say '' "${bold}2. Two agents, one file$off" ''
	say '  The directory desk has a file, todo:' ''
	make_desk
	sed 's/^/      /' desk/todo
	write_both
	merge_both
	undo_both
}

# A copy of the tree as it is, as a repository of its own, and secrets in it.
make_project()
{
	mkdir project
	tar -C "$ROOT" --exclude=./.git --exclude=./build -cf - . |
		tar -C project --no-same-owner -xf - || return
	mkdir -p project/config project/build before
	# The libfuse that make deps has built is no part of what is shown.
	[ ! -d "$BUILD/libfuse" ] || cp -r "$BUILD/libfuse" project/build/
	git -C project init -q && git -C project add -A &&
		git -C project -c user.name=demo -c user.email=demo@localhost commit -qm Copy || return
	echo 'TOKEN=hunter2' >project/.env
	echo 'not a real key' >project/config/deploy.key
	cp -a project/{.env,config,LICENSE} before/ && cp -a project/.git/hooks before/
}

project_is_whole()
{
	diff before/.env project/.env && diff -r before/config project/config &&
		diff before/LICENSE project/LICENSE && diff -r before/hooks project/.git/hooks
}

attempts_on_project()
{
	said 'read .env' 'refused, No such file or directory'
	said 'read config/deploy.key' 'refused, No such file or directory'
	said 'write .git/hooks/pre-commit' 'refused, Permission denied'
	said 'write .git/config' 'refused, Permission denied'
	said 'write LICENSE' 'refused, Permission denied'
	said 'write README.md' 'done'
	said 'git commit' 'done'
}

project()
{
	say '' "${bold}3. This project in a sandbox$off" ''
	say '  The directory project: a copy of this tree, with secrets in .env and config/deploy.key.'
	say '  The preset development hides secrets, and keeps what git runs; a rule keeps LICENSE.'
	check 'the copy could be made' make_project
	run 'afrun -C project -p development -r read:/LICENSE -- sh tests/demo/agent.sh project'
	judge $? 'the agent ran to its end, and says:'
	attempts_on_project
	run 'afrun -C project -p development -r read:/LICENSE -c "make -j2 && make unit"'
	judge $? 'the project builds itself and passes its unit tests:'
	tail -n 3 out | sed 's/^/         /'
	say '' '  And in project, now that all of it is merged:' ''
	check 'there is a new build/agentfensefs, which runs' project/build/agentfensefs --version
	check 'secrets, hooks and LICENSE are as they were' project_is_whole
}

whats_next()
{
	cat <<-'NEXT'

		Type next:

		  build/afrun -C DIR -- COMMAND              a command of yours in a sandbox
		  build/afsyncd --undo DIR                   take back what it wrote
		  build/agentfensefs --explain -C DIR -p ... what it would see
		  man afrun/afrun.1                          all the rest; also README.md
		  make check                                 all tests
	NEXT
}

cd "$T" || exit
tickets
desk
project
if [ "$wrong" -gt 0 ]; then
	say '' "${red}$wrong of these are not as they should be.$off The last messages:" ''
	tail -n 20 out log
	exit 1
fi
whats_next
