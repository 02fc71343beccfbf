#!/bin/bash
# make install and uninstall: all that is needed and nothing else, below DESTDIR and below PREFIX,
# and nothing left, not even a directory; what others have there stays.
. "$(dirname "$0")/../../lib.sh"

unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
# In a copy, since another PREFIX changes what is built; -a, so that only that is built.
cp -a "$ROOT" "$T/src"
cd "$T/src" || exit 1
variant=${BUILD#"$ROOT"/build}
export BUILD=$T/src/${BUILD#"$ROOT"/}

run_make()
{
	timeout 300 make --no-print-directory ${variant:+"${variant#/}"} "$@"
}

tree()
{
	[ ! -e "$1" ] || (cd "$1" && find . -mindepth 1 -printf '%P %m\n' | sort)
}

presets=$(cd policies && echo *.conf)
expected=$({
	printf '%s 755\n' bin bin/afrun bin/afsyncd bin/agentfensefs share share/agentfense share/agentfense/policies \
		share/bash-completion share/bash-completion/completions share/man share/man/man1 \
		share/man/man5 share/man/man8
	printf 'share/agentfense/policies/%s 644\n' $presets
	printf '%s 644\n' share/bash-completion/completions/{afrun,afsyncd,agentfensefs} \
		share/man/man1/{afrun,agentfensefs}.1 share/man/man5/agentfense-policy.5 share/man/man8/afsyncd.8
} | sort)

umask 022
before=$(tree "$T/src/common")
check 'install below PREFIX' run_make install PREFIX="$T/opt/af"
is "$(tree "$T/opt/af")" "$expected" '... exactly these files, with these modes'
like "$("$T/opt/af/bin/agentfensefs" --presets)" "agent-safe"$'\t'"$T/opt/af/share/agentfense" \
	'... and the installed program finds the installed presets'
check '... and the installed launcher runs' "$T/opt/af/bin/afrun" --version
check '... and the installed merger' "$T/opt/af/bin/afsyncd" --version
check 'uninstall' run_make uninstall PREFIX="$T/opt/af"
is "$(tree "$T/opt")" '' '... leaves nothing'
is "$(tree "$T/src/common")" "$before" 'nothing is written into the sources'

# Installing under a DESTDIR with the usual prefix is what packagers do.
check 'install below DESTDIR' run_make install DESTDIR="$T/dest dir"
is "$(tree "$T/dest dir/usr/local")" "$expected" '... the same files'
check 'uninstall from DESTDIR' run_make uninstall DESTDIR="$T/dest dir"
is "$(tree "$T/dest dir")" '' '... leaves nothing'
check 'uninstall where nothing is' run_make uninstall DESTDIR="$T/dest dir"

# What others own stays.
mkdir -p "$T/shared/bin" "$T/shared/share/man/man1" "$T/shared/share/agentfense/policies"
touch "$T/shared/bin/other" "$T/shared/share/man/man1/other.1" \
	"$T/shared/share/agentfense/policies/mine.conf"
before=$(tree "$T/shared")
check 'install beside others' run_make install PREFIX="$T/shared"
check 'uninstall beside others' run_make uninstall PREFIX="$T/shared"
is "$(tree "$T/shared")" "$before" '... leaves theirs'

# Whatever the umask is, others can read what was installed.
umask 077
check 'install with umask 077' run_make install DESTDIR="$T/masked"
is "$(tree "$T/masked/usr/local/share")" "$(sed -n 's,^share/,,p' <<<"$expected")" \
	'... and it can be read by others'

done_testing
