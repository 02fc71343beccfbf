# shellcheck shell=bash
# A terminal that is typed on and read, by tmux(1); sourced after runlib.sh.
#
#     tmux_ COMMAND...             tmux, of a server of the case's own; the session is called job
#     screen                       what is on it
#     shows ERE                    whether a line of it is exactly the expression
#     types ERE NAME KEY...        a check: types the keys (tmux send-keys), until a line is the expression

export AFRUN TMUX_TMPDIR=$T/tmp
tmux_()
{
	tmux -S "$T/tmux" -f /dev/null "$@"
}
screen()
{
	tmux_ capture-pane -p -t job
}
shows()
{
	screen | sed 's/ *$//' | grep -qxE -- "$1"
}
types()
{
	local expected=$1 name=$2
	shift 2
	tmux_ clear-history -t job
	tmux_ send-keys -t job "$@"
	wait_for 20 shows "$expected"
	ok $? "$name" || diag "$(screen)"
}
