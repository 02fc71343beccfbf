#!/bin/bash
# Completion of afrun in bash, and that --help, completion and manual name the same options.
. "$(dirname "$0")/../../lib.sh"

# What bash would offer for the words, the last of which is being typed; in one line.
offers()
{
	(
		cd "$T/dir" || exit
		PATH=$BUILD:$PATH
		# shellcheck source=afrun/afrun.bash
		. "$ROOT/afrun/afrun.bash"
		# shellcheck disable=SC2034 # for the function
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
		_afrun
		printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd ' '
	)
}

mkdir -p "$T/dir/delta" "$T/dir/source"
touch "$T/dir/policy.conf"

is "$(offers afrun --aud)" --audit 'options'
is "$(offers afrun --sync '')" 'always never success' 'values'
is "$(offers afrun --conflict '')" 'both fail keep lww merge' 'of --conflict'
is "$(offers afrun -p read)" read-only 'presets'
is "$(offers afrun -r n)" none: 'levels'
is "$(offers afrun -n h)" host 'of --net'
is "$(offers afrun --policy pol)" policy.conf 'files'
is "$(offers afrun -C '')" 'delta source' 'a source is a directory'
is "$(offers afrun -D d)" delta 'so is a delta'
is "$(offers afrun -D delta -p full)" full-access 'after a value'
is "$(offers afrun --limits s)" strict 'of --limits'
is "$(offers afrun --delta-size 1)" '' 'a number is anything'

help=$("$AFRUN" --help)
long=$(grep -oE -- '--[a-z][a-z-]*' <<<"$help" | sort -u)
short=$(sed -nE 's/^  (-[a-zA-Z])(,| ).*/\1/p; s/^  -v, --verbose  (-.), .*  (-.), .*/\1\n\2/p' <<<"$help")
page=$(sed -E 's/\\-/-/g' "$ROOT/afrun/afrun.1")
missing=''
for option in $long $short; do
	[ "$(offers afrun "$option" | tr ' ' '\n' | grep -cx -- "$option")" = 1 ] ||
		missing+=" $option (completion)"
	grep -qE "^\.It Fl (.* )?(Fl |, |)${option#-}( |$)" <<<"$page" ||
		missing+=" $option (manual)"
done
is "$missing" '' 'what --help names is completed, and is in the manual'
[ "$(wc -w <<<"$long")" -gt 25 ]
ok $? '... and it names all there is'
unknown=''
# Those that take a value take --help for it, which may be a file's name.
cd "$T/dir" || exit
for option in $(offers afrun --) $(offers afrun -); do
	grep -qE -- "(^|[ ,])$option( |,|$)" <<<"$help" || unknown+=" $option (help)"
	"$AFRUN" "$option" --help >/dev/null 2>"$T/err" </dev/null
	! grep -q 'no such option' "$T/err" || unknown+=" $option"
done
is "$unknown" '' 'what is completed is an option, and --help names it'

done_testing
