# shellcheck shell=bash
# What the cases of afrun's default run share, on top of runlib.sh: a run here is not --direct, and may
# write all of the source but secrets.
#
#     fresh                  $SRC: a new source with f, d/g and a secret
#     run ARGS...            afrun -q on it; loud ARGS... without -q
#     start ARGS...          the same in the background: $RUN is afrun's pid
#     kept                   the temporary deltas that are there
#     is_written NAME        whether a run has written that file, which is at the top of the source
#     is_free DELTA          whether no process uses it
#     report_lists           of $T/report: merged, kept, conflicts, held (sorted), and delta

run()
{
	"$AFRUN" -q -C "$SRC" -p development "$@"
}

loud()
{
	"$AFRUN" -C "$SRC" -p development "$@"
}

start()
{
	"$AFRUN" -C "$SRC" -p development "$@" &
	# shellcheck disable=SC2034 # for the cases
	RUN=$!
}

fresh()
{
	rm -rf "$SRC" "$T/own"
	mkdir -p "$SRC/d"
	echo one >"$SRC/f"
	echo two >"$SRC/d/g"
	echo SECRET=1 >"$SRC/.env"
	chmod 755 "$SRC/f"
}

kept()
{
	find "$SRC/.agentfense/deltas" -mindepth 1 -maxdepth 1 2>/dev/null
}

is_written()
{
	local file
	for file in "$SRC"/.agentfense/deltas/*/upper/"$1"; do
		[ -s "$file" ] && return 0
	done
	return 1
}

is_free()
{
	flock -n "$1/meta/lock" true
}

report_lists()
{
	python3 -c 'import json, sys; r = json.load(open(sys.argv[1]))
print(*[sorted(r[k]) for k in ("merged", "kept", "conflicts", "held")], r["delta"])' "$T/report"
}
