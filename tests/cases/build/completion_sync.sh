#!/bin/bash
# Completion of afsyncd in bash, and that --help, completion and manual name the same options.
. "$(dirname "$0")/../../lib.sh"

# What bash would offer for the words, the last of which is being typed; in one line.
offers()
{
	(
		cd "$T/dir" || exit
		PATH=$BUILD:$PATH
		# shellcheck source=afsyncd/afsyncd.bash
		. "$ROOT/afsyncd/afsyncd.bash"
		# shellcheck disable=SC2034 # for the function
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
		_afsyncd
		printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd ' '
	)
}

mkdir -p "$T/dir/delta" "$T/dir/source"
touch "$T/dir/policy.conf"

is "$(offers afsyncd --his)" --history 'options'
is "$(offers afsyncd --conflict '')" 'both fail keep lww merge' 'values'
is "$(offers afsyncd --conflict = k)" keep '... where bash has split the word at ='
is "$(offers afsyncd --conflict =)" 'both fail keep lww merge' '... and at its end'
is "$(offers afsyncd -p read)" 'read-only' 'presets'
is "$(offers afsyncd -r n)" 'none:' 'levels'
is "$(offers afsyncd --only pol)" 'policy.conf' 'files'
is "$(offers afsyncd --hold x)" '' 'a pattern is anything'
is "$(offers afsyncd -n '')" 'delta source' 'operands are directories'

help=$("$AFSYNCD" --help)
long=$(grep -oE -- '--[a-z][a-z-]*' <<<"$help" | sort -u)
short=$(sed -nE 's/^  (-.), .*/\1/p; s/^  -q, --quiet  (-.), .*  (-.), .*/\1\n\2/p' <<<"$help")
page=$(sed -E 's/\\-/-/g' "$ROOT/afsyncd/afsyncd.8")
missing=''
for option in $long $short; do
	[ "$(offers afsyncd "$option" | tr ' ' '\n' | grep -cx -- "$option")" = 1 ] ||
		missing+=" $option (completion)"
	grep -qE "^\.It Fl (.* )?(Fl |, |)${option#-}( |$)" <<<"$page" ||
		missing+=" $option (manual)"
done
is "$missing" '' 'what --help names is completed, and is in the manual'
[ "$(wc -w <<<"$long")" -gt 18 ]
ok $? '... and it names all there is'
unknown=''
# Those that take a value take --help for it, which may be a file's name.
cd "$T/dir" || exit
for option in $(offers afsyncd --) $(offers afsyncd -); do
	grep -qE -- "(^|[ ,])$option( |,|$)" <<<"$help" || unknown+=" $option (help)"
	"$AFSYNCD" "$option" --help >/dev/null 2>"$T/err" </dev/null
	! grep -q 'no such option' "$T/err" || unknown+=" $option"
done
is "$unknown" '' 'what is completed is an option, and --help names it'

done_testing
