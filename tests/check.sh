#!/bin/bash
# check.sh [FILE]...: the tests through prove(1); all unit tests and cases where none are named.
#
# As root the cases that an ordinary user can run too are run once more as one (with AS_USER=1 only
# so, with AS_USER=0 not), and the cases of the filesystem and of runs once more in delta mode
# (tests/deltalib.sh, runlib.sh; AF_DELTA=1 only so, AF_DELTA=0 not). BUILD is the build directory. PROVE_FLAGS go to prove.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${BUILD:=$PWD/build}"
export BUILD

root() { [ "$(id -u)" -eq 0 ]; }

# So that no case is the first to need that user, and gets to read what is said of it. In a sandbox there is
# none to be made.
! root || tests/as-user true 2>/dev/null || :

# The ordinary user must reach the tree.
if root && [ "${AS_USER:-}" != 0 ] && ! tests/as-user test -x "$BUILD" 2>/dev/null; then
	[ -z "${AF_SHOWN:-}" ] || { echo "check: $BUILD: not to be reached by users" >&2; exit 1; }
	AF_SHOWN=1 exec tests/shown tests/check.sh "$@"
fi

if [ $# -gt 0 ]; then
	tests=("$@")
else
	tests=("$BUILD"/tests/unit/test_* tests/cases/*/*.sh)
fi
as_user=() delta=()
for file in "${tests[@]}"; do
	case $file in
	*/cases/fs/* | */run/end.sh | */run/options.sh | */run/programs.sh | */run/status.sh | */run/terminal.sh | */run_isolation.sh)
		delta+=("delta:$file") ;;&
	*/cases/fs/* | */cases/policy/* | */cases/run/* | */cases/security/* | */cases/sync/*)
		as_user+=("user:$file") ;;
	esac
done
case ${AF_DELTA:-} in
1) tests=() as_user=() ;;
0) delta=() ;;
esac
# Without root each case runs as the ordinary user that we are.
unset AF_DELTA
if root; then
	case ${AS_USER:-} in
	1) tests=("${as_user[@]}") ;;
	0) ;;
	*) tests+=("${as_user[@]}") ;;
	esac
fi
[ "${AS_USER:-}" = 1 ] || tests+=("${delta[@]}")
# shellcheck disable=SC2086 # several flags
exec prove --exec tests/run-case ${PROVE_FLAGS:-} "${tests[@]}"
