#!/bin/bash
# make deps: as an ordinary user what is missing is listed, with the command, and the status is 1;
# where nothing is missing nothing is done. The system's apt is left alone.
. "$(dirname "$0")/../../lib.sh"

cp -a "$ROOT/.ci" "$T/.ci"
chmod -R go+rX "$T/.ci"
apt_state()
{
	find /etc/apt /var/lib/apt/lists -printf '%p %s %T@\n' 2>/dev/null | sort
}

# A dpkg-query to whom two packages are missing, and an apt-get that must not be called.
mkdir "$T/bin"
cat >"$T/bin/dpkg-query" <<'EOS'
#!/bin/sh
for last; do :; done
case $last in acl) exit 1 ;; attr) printf config-files ;; *) printf installed ;; esac
EOS
cat >"$T/bin/apt-get" <<EOS
#!/bin/sh
echo "\$@" >>"$T/tmp/apt-get.called"
EOS
chmod 755 "$T/bin"/*

before=$(apt_state)
status=0
out=$(as_user env PATH="$T/bin:$PATH" "$T/.ci/deps" 2>&1) || status=$?
is "$status" 1 'missing packages, no root: status 1'
like "$out" 'missing: (attr acl|acl attr)' '... they are listed, and no other'
like "$out" 'apt-get install --no-install-recommends (attr acl|acl attr)' '... with the command'
refute '... and apt-get was not called' test -e "$T/tmp/apt-get.called"

if is_root; then
	PATH=$T/bin:$PATH "$T/.ci/deps" lint >"$T/out" 2>&1
	is "$?:$(cat "$T/out")" '0:' 'nothing is missing: nothing is done'
	refute '... nor asked of apt' test -e "$T/tmp/apt-get.called"
	PATH=$T/bin:$PATH "$T/.ci/deps" >"$T/out" 2>&1
	check 'as root: installed' grep -qE '^install .*--no-install-recommends (attr acl|acl attr)$' \
		"$T/tmp/apt-get.called"
	is "$(head -n 1 "$T/tmp/apt-get.called")" 'update -qq' '... after one update'
fi
is "$(apt_state)" "$before" 'the apt of the system is as it was'

# Where no newer libfuse is to be had, that is said and is no failure.
mkdir -p "$T/user/tree"
cp -a "$T/.ci" "$T/user/tree"
if pkg-config --atleast-version=3.17 fuse3; then
	skip 'no mirror' 'the libfuse of the system is new enough'
else
	rm -f "$T/tmp/apt-get.called"
	out=$(PATH=$T/bin:$PATH "$T/user/tree/.ci/libfuse" 2>&1)
	is "$?" 0 'no mirror: no failure'
	like "$out" 'no Debian 12 mirror.*the system.s 3\.[0-9.]+ is used' '... and it is said'
fi

# libfuse itself: static, of the newer version, and no path of it is a run-time one.
if [ -e "$ROOT/build/libfuse/prefix/lib/pkgconfig/fuse3.pc" ]; then
	refute 'the built libfuse is linked in' sh -c "ldd '$AFS' | grep -q libfuse"
	like "$("$AFS" --version)" '3\.1[7-9]' '... and --version says so'
	unlike "$(strings "$AFS" | grep bin/)" "$ROOT/build/libfuse/prefix/bin" \
		'... and fusermount3 is looked for in the system'
else
	skip 'the built libfuse' 'it could not be had'
fi

done_testing
