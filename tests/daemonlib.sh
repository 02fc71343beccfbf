# shellcheck shell=bash
# What the cases of afsyncd --daemon share, sourced after synclib.sh.
#
#     serve            starts it on $table, and waits until it is ready; its messages are in $log
#     end_daemon       ends it, and checks that it ended well
#     said ERE         whether it has been logged within 5 s
#     holds FILE TEXT  whether that is what is in the file
#     rows ROW...      makes the table
#     reload           lets it read the table again, and waits until it has

daemon_pid=
table=$T/table
log=$T/log

serve()
{
	: >"$log"
	"$AFSYNCD" --daemon --table "$table" 2>"$log" </dev/null &
	daemon_pid=$!
	wait_for 5 grep -q ': [0-9]* rows$' "$log"
}

end_daemon()
{
	kill -TERM "$daemon_pid"
	wait "$daemon_pid"
	is $? 0 'it ends at SIGTERM with 0'
}

said() { wait_for 5 grep -qE "$1" "$log"; }
holds() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }
rows() { printf '%s\n' "$@" >"$table"; }

reload()
{
	local before
	before=$(grep -c ': read again: ' "$log")
	kill -HUP "$daemon_pid"
	wait_for 5 eval '[ "$(grep -c ": read again: " "$log")" -gt '"$before ]"
}
