#!/bin/bash
# Completion of agentfensefs in bash, and that --help, completion and manual name the same options.
. "$(dirname "$0")/../../lib.sh"

# What bash would offer for the line $1, in one line. The program is asked as bash would ask it.
offers()
{
	(
		cd "$T/dir" || exit
		PATH=$BUILD:$PATH
		# shellcheck source=agentfensefs/agentfensefs.bash
		. "$ROOT/agentfensefs/agentfensefs.bash"
		COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
		export COMP_LINE COMP_POINT
		function=$(complete -p agentfensefs) || exit
		function=${function#*-F }
		"${function%% *}" agentfensefs '' '' 2>"$T/errors"
		cat "$T/errors" >&2
		printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd ' '
	)
}

mkdir -p "$T/dir/project" "$T/dir/views"
touch "$T/dir/policy.conf" "$T/dir/pol&icy.conf" "$T/dir/a=b.conf"

is "$(offers 'agentfensefs --pr')" '--preset --presets' 'long options'
is "$(offers 'agentfensefs -o cache=a')" 'always auto' 'values of -o'
is "$(offers 'agentfensefs -o audit_a')" 'audit_all' 'names of -o'
is "$(offers 'agentfensefs -o allow_other,def')" 'allow_other,default=' 'names after a comma'
is "$(offers 'agentfensefs -o preset=read-only,def')" 'read-only,default=' \
	'... where bash has split the word at ='
is "$(offers 'agentfensefs -o a&b,def')" 'a&b,default=' '... whatever is before it'
is "$(offers 'agentfensefs -o ro,preset=')" \
	'agent-safe development full-access read-only view-only' 'presets'
is "$(offers 'agentfensefs --preset=d')" 'development' '... of a long option with ='
is "$(offers 'agentfensefs --preset d')" 'development' '... and without'
is "$(offers 'agentfensefs --default ')" 'none read view write' 'levels'
is "$(offers 'agentfensefs -o rule=w')" 'write:' 'levels of a rule'
is "$(offers 'agentfensefs -o rule=none:')" '' '... whose pattern is anything'
is "$(offers 'agentfensefs --policy poli')" 'policy.conf' 'files of policies'
is "$(offers 'agentfensefs -o policy=pol')" 'pol&icy.conf policy.conf' '... in -o'
is "$(offers 'agentfensefs -o policy=a=')" 'b.conf' '... that have a word break in their name'
is "$(offers 'agentfensefs -C ')" 'project views' 'a source is a directory'
is "$(offers 'agentfensefs -f project v')" 'views' 'operands'

# Words that the summary shows at the start of a line or as a long option.
help=$("$AFS" --help)
long=$(grep -oE -- '--[a-z][a-z_-]*' <<<"$help" | sort -u)
names=$(sed -nE 's/^  ([a-z_]+)(=| ).*/\1/p' <<<"$help")
page=$(sed -E 's/\\-/-/g' "$ROOT/agentfensefs/agentfensefs.1")
missing=''
for option in $long; do
	[ "$(offers "agentfensefs $option" | tr ' ' '\n' | grep -cx -- "$option")" = 1 ] ||
		missing+=" $option (completion)"
	grep -qE "Fl -${option#--}( |$)" <<<"$page" || missing+=" $option (manual)"
done
for name in $names; do
	[ "$(offers "agentfensefs -o $name" | tr ' ' '\n' | grep -cxE "$name=?")" = 1 ] ||
		missing+=" $name (completion)"
	grep -qE "^\.It Cm $name( |$)" <<<"$page" || missing+=" $name (manual)"
done
is "$missing" '' 'what --help names is completed, and is in the manual'
[ "$(wc -w <<<"$long $names")" -gt 15 ]
ok $? '... and it names all there is'

# And back: whatever is completed is an option that the program knows.
unknown=''
for option in $(offers 'agentfensefs --'); do
	"$AFS" "$option" --help >/dev/null 2>"$T/out" </dev/null
	! grep -qE 'unrecognized|unknown' "$T/out" || unknown+=" $option"
done
is "$unknown" '' 'what is completed is an option'

done_testing
