#!/bin/sh
# The agent of the demonstration. It runs inside the sandbox and tries what it should and what it
# should not; each attempt is a line "ATTEMPT: RESULT". What is right is run.sh's business.
#
# agent.sh tickets | project

# try ATTEMPT COMMAND...: the command's last line if it succeeds, else the reason that it gives.
try()
{
	attempt=$1
	shift
	if out=$("$@" 2>&1); then
		out=$(printf '%s\n' "$out" | tail -n 1)
		echo "$attempt: ${out:-done}"
	else
		echo "$attempt: refused, ${out##*: }"
	fi
}

list()
{
	find . -mindepth 1 -maxdepth 1 -printf '%f ' | tr ' ' '\n' | sort | xargs
}

append()
{
	echo 'The agent was here.' >>"$1"
}

case $1 in
tickets)
	try 'list the directory' list
	try 'read TKT-001.md' head -n 1 TKT-001.md
	try 'write TKT-001.md' append TKT-001.md
	try 'read TKT-002.md' head -n 1 TKT-002.md
	try 'write TKT-002.md' append TKT-002.md
	try 'delete TKT-002.md' rm -f TKT-002.md
	try 'look at TKT-003.md' stat -c '%s bytes' TKT-003.md
	try 'read TKT-003.md' cat TKT-003.md
	try 'create TKT-004.md' append TKT-004.md
	try 'read .env' cat .env
	try 'read keys/deploy.key' cat keys/deploy.key
	try 'read .env by its real path' cat "$REAL/.env"
	;;
project)
	try 'read .env' cat .env
	try 'read config/deploy.key' cat config/deploy.key
	try 'write .git/hooks/pre-commit' append .git/hooks/pre-commit
	try 'write .git/config' append .git/config
	try 'write LICENSE' append LICENSE
	try 'write README.md' append README.md
	try 'git commit' git -c user.name=agent -c user.email=agent@localhost commit -qam 'By the agent'
	;;
esac
