# shellcheck shell=bash
# The shell library of the cases: TAP, a private directory, mounts with bounded waits, exact errno,
# and a check at the end that the case left nothing behind. Each case sources it first:
#
#     . "$(dirname "$0")/../../lib.sh"
#
# It sets  ROOT (source tree)  BUILD (build directory)  AFS AFRUN AFSYNCD (the programs)  SYS (tests/sys)
#          T (private directory, 0755)  HOME TMPDIR (inside T)  CASE (this case's name)
#
#     ok STATUS NAME            check NAME CMD...     refute NAME CMD...
#     is GOT EXPECTED NAME      like TEXT ERE NAME    unlike TEXT ERE NAME
#     errno_is ENAME NAME -- OP ARGS...    tests/sys OP ARGS gives exactly this errno (or OK)
#     mount_fs [OPTION]... SRC MNT         mount, waiting at most 20 s; unmounted at the end
#     umount_fs MNT                        unmount, and wait until it is gone
#     try_mount [OPTION]... SRC MNT        the same as a plain command: its status, its messages
#     wait_for SECONDS CMD...              until CMD succeeds, or fail when the time is over
#     as_user CMD...                       as the ordinary test user, whose HOME is $T/user
#     is_root    is_mounted MNT    fd_count PID    daemon_of MNT (its pid)
#     diag TEXT    skip_all REASON    skip NAME REASON    done_testing (the last line of each case)
#
# With AF_DELTA=1 mounts get a delta; deltalib.sh, which is sourced too, tells how cases go with that.
# RUNAS=as_user before mount_fs, try_mount, umount_fs or errno_is runs the program as that user.
# A case never waits without a limit and never sleeps for a fixed time.
set -u

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$ROOT/$BUILD ;; esac
AFS=$BUILD/agentfensefs
AFRUN=$BUILD/afrun
AFSYNCD=$BUILD/afsyncd
SYS=$BUILD/tests/sys
CASE=${0##*/}

# Every process of the case is a descendant of the reaper, also a daemon that lost its parent and
# its environment; so none can hide from the leak check.
if [ "${AF_TEST_ID:-}" != "$PPID" ]; then
	[ -x "$BUILD/tests/reap" ] || { echo "Bail out! $BUILD/tests/reap: not built"; exit 1; }
	exec "$BUILD/tests/reap" "$BASH" "$0" "$@"
fi

export ROOT BUILD AFS AFRUN AFSYNCD SYS LC_ALL=C.UTF-8 LANG=C.UTF-8
af_outside=${TMPDIR:-/tmp}
T=$(mktemp -d "$af_outside/case.XXXXXXXX") || { echo 'Bail out! no private directory'; exit 1; }
T=$(cd "$T" && pwd -P)
chmod 755 "$T"
mkdir "$T/home" "$T/tmp" "$T/san"
chmod 1777 "$T/tmp" "$T/san"
export HOME=$T/home TMPDIR=$T/tmp
unset XDG_RUNTIME_DIR XDG_STATE_HOME XDG_CONFIG_HOME XDG_CACHE_HOME XDG_DATA_HOME
# Nor does a case's own make belong to the one that runs the tests.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
# A sanitizer's report goes to a file, since a daemon has no stderr; one such file fails the case.
export ASAN_OPTIONS=log_path=$T/san/asan:detect_leaks=1:handle_abort=1
export UBSAN_OPTIONS=log_path=$T/san/ubsan:print_stacktrace=1
export TSAN_OPTIONS=log_path=$T/san/tsan:suppressions=$ROOT/tests/lint/tsan.supp

af_count=0
af_failed=0
af_mounts=()
af_done=

# ---- TAP --------------------------------------------------------------------------------------

diag()
{
	printf '%s\n' "$*" | sed 's/^/# /' >&2
}

ok()
{
	local status=$1
	shift
	af_count=$((af_count + 1))
	if [ "$status" -eq 0 ]; then
		printf 'ok %d - %s\n' "$af_count" "${*//#/\\#}"
		return 0
	fi
	af_failed=$((af_failed + 1))
	printf 'not ok %d - %s\n' "$af_count" "${*//#/\\#}"
	diag "failed: $* (${BASH_SOURCE[-1]##*/} line $(af_line))"
	return 1
}

# The line of the case, not of this library, on whose behalf we are called.
af_line()
{
	echo "${BASH_LINENO[-2]}"
}

check()
{
	local name=$1 status=0 out
	shift
	out=$("$@" 2>&1) || status=$?
	ok "$status" "$name" || { diag "status $status of: $*" "$out"; return 1; }
}

refute()
{
	local name=$1 status=0 out
	shift
	out=$("$@" 2>&1) || status=$?
	# 125 to 127 and signals are no refusal: the command did not run or broke.
	[ "$status" -ne 0 ] && [ "$status" -lt 124 ]
	ok $? "$name" || { diag "status $status of: $*" "$out"; return 1; }
}

is()
{
	[ "$1" = "$2" ]
	ok $? "$3" || { diag "     got: $1" "expected: $2"; return 1; }
}

like()
{
	[[ $1 =~ $2 ]]
	ok $? "$3" || { diag "    text: $1" "no match: $2"; return 1; }
}

unlike()
{
	! [[ $1 =~ $2 ]]
	ok $? "$3" || { diag "    text: $1" " matches: $2"; return 1; }
}

skip()
{
	af_count=$((af_count + 1))
	printf 'ok %d - %s # SKIP %s\n' "$af_count" "${1//#/\\#}" "$2"
}

skip_all()
{
	af_done=1
	printf '1..0 # SKIP %s\n' "$*"
	af_clean >/dev/null
	exit 0
}

errno_is()
{
	local expected=$1 name=$2 got status=0
	shift 2
	[ "$1" = -- ] && shift
	got=$(${RUNAS:-} "$SYS" "$@" 2>&1) || status=$?
	[ "$status" -eq 0 ] && got=OK
	[ "$got" = "$expected" ]
	ok $? "$name" || { diag "     got: $got" "expected: $expected" "of: sys $*"; return 1; }
}

# ---- waiting, users ---------------------------------------------------------------------------

wait_for()
{
	local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
	shift
	until "$@"; do
		[ "${EPOCHREALTIME/[.,]/}" -lt "$end" ] || return 1
		sleep 0.02
	done
}

is_root()
{
	[ "$(id -u)" -eq 0 ]
}

as_user()
{
	is_root || { "$@"; return; }
	af_user_home || return 125
	HOME=$T/user "$ROOT/tests/as-user" "$@"
}

# Asked for once a case, so that what as-user has to say is not mixed up with a command's output.
af_user_home()
{
	[ -d "$T/user" ] || { "$ROOT/tests/as-user" true && install -d -o aftest -g aftest "$T/user"; }
}

# ---- mounts -----------------------------------------------------------------------------------

# Reads the mount points into $af_points; mountinfo, since stat of a dead mount fails. In one piece: read(1)
# seeks back after each line, and would miss lines where others unmount meanwhile.
af_read_mounts()
{
	local i line
	mapfile -t af_points </proc/self/mountinfo
	for i in "${!af_points[@]}"; do
		read -r _ _ _ _ line _ <<<"${af_points[i]}"
		printf -v "af_points[$i]" '%b' "$line"
	done
}

# Prints the mount points at or below $1.
mounts_below()
{
	local point
	af_read_mounts
	for point in "${af_points[@]}"; do
		case $point in "$1" | "$1"/*) printf '%s\n' "$point" ;; esac
	done
}

is_mounted()
{
	local point
	af_read_mounts
	for point in "${af_points[@]}"; do
		[ "$point" = "$1" ] && return 0
	done
	return 1
}

is_not_mounted()
{
	! is_mounted "$1"
}

# timeout(1), for a command that RUNAS may run as another user.
af_bounded()
{
	local seconds=$1
	shift
	${RUNAS:-} timeout "$seconds" "$@"
}

try_mount()
{
	af_choose_delta "$@"
	af_bounded 20 "$AFS" "${af_delta_option[@]}" "$@" </dev/null
}

mount_fs()
{
	local mnt=${*: -1} status=0
	mkdir -p "$mnt"
	case ${RUNAS:-} in as_user) is_root && af_user_home && chown aftest: "$mnt" ;; esac
	mnt=$(cd "$mnt" && pwd -P)
	af_note_source "$mnt" "${*: -2:1}"
	try_mount "$@" || status=$?
	if [ "$status" -ne 0 ] || is_not_mounted "$mnt"; then
		diag "mount_fs: status $status: $AFS $*"
		return 1
	fi
	af_mounts+=("$mnt")
}

umount_fs()
{
	local mnt
	mnt=$(realpath -m -- "$1")
	if is_root && [ -z "${RUNAS:-}" ]; then
		timeout 20 umount -- "$mnt"
	else
		af_bounded 20 fusermount3 -u -- "$mnt"
	fi || return
	wait_for 10 is_not_mounted "$mnt" || return
	af_check_source "$mnt"
}

# The pid of the agentfensefs whose command line ends in this mount point.
daemon_of()
{
	local pid args
	for pid in $(af_descendants); do
		mapfile -d '' args <"/proc/$pid/cmdline" || continue
		[ "${#args[@]}" -gt 1 ] && [ "${args[0]##*/}" = agentfensefs ] &&
			[ "$(realpath -m -- "${args[-1]}")" = "$(realpath -m -- "$1")" ] &&
			echo "$pid" && return 0
	done 2>/dev/null
	return 1
}

fd_count()
{
	local fds=(/proc/"$1"/fd/*)
	echo "${#fds[@]}"
}

. "$ROOT/tests/deltalib.sh"

# ---- the end ----------------------------------------------------------------------------------

# All processes below the reaper but the case's own shell and the subshell that lists them.
af_descendants()
{
	ps -eo pid=,ppid=,stat= | awk -v top="$AF_TEST_ID" -v shell="$$" -v lister="$BASHPID" '
		{ parent[$1] = $2; dead[$1] = $3 ~ /^Z/ }
		function below(pid, above) {
			while (pid in parent && pid != above)
				pid = parent[pid]
			return pid == above
		}
		END {
			while (lister in parent && parent[lister] != shell)
				lister = parent[lister]
			for (pid in parent)
				if (pid != top && pid != shell && !dead[pid] &&
					below(pid, top) && !below(pid, lister))
					print pid
		}'
}

af_no_process()
{
	[ -z "$(af_descendants)" ]
}

# What programs of ours would leave outside: by name, as other programs may work there meanwhile.
af_strays()
{
	local dir
	for dir in "$af_outside" /tmp /var/tmp /dev/shm /run; do
		find -H "$dir" -maxdepth 1 -newer "$T/home" \
			\( -iname '*agentfense*' -o -iname '*afrun*' -o -name '.fuse_hidden*' \) 2>/dev/null
	done | sort -u
}

# Ends what the case registered; whatever is there beyond that is a leak. Prints the leaks.
af_clean()
{
	local mnt pid
	cd /
	for ((i = ${#af_mounts[@]} - 1; i >= 0; i--)); do
		mnt=${af_mounts[i]}
		if is_mounted "$mnt"; then
			if is_root; then umount -- "$mnt"; else fusermount3 -u -- "$mnt"; fi 2>/dev/null ||
				echo "mount that is busy or dead: $mnt"
		fi
	done
	mounts_below "$T" | sort -r | while read -r mnt; do
		echo "mount: $mnt"
		umount -l -- "$mnt" 2>/dev/null || fusermount3 -u -z -- "$mnt"
	done
	if ! wait_for "${AF_PATIENCE:-15}" af_no_process; then
		for pid in $(af_descendants); do
			echo "process: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
			kill -9 "$pid" 2>/dev/null
		done
	fi
	af_strays | sed 's/^/file: /'
	for report in "$T"/san/*; do
		[ -f "$report" ] && { echo "sanitizer report:"; head -n 60 "$report"; }
	done
	if [ -z "$(mounts_below "$T")" ]; then
		chmod -R u+rwX "$T" 2>/dev/null
		rm -rf --one-file-system "$T" || echo "file: $T"
	fi
}

af_check_leaks()
{
	local leaks
	leaks=$(af_clean 2>&1)
	[ -z "$leaks" ]
	ok $? 'leaves no mount, process or file behind' || diag "$leaks"
}

done_testing()
{
	af_done=1
	af_check_leaks
	printf '1..%d\n' "$af_count"
	[ "$af_failed" -eq 0 ]
	exit
}

# Reached without done_testing, the case broke: no plan is printed, and prove says so.
af_exit()
{
	local status=$?
	[ -n "$af_done" ] && exit "$status"
	diag "$CASE ended early with status $status"
	af_clean | sed 's/^/# /' >&2
	exit $((status ? status : 1))
}
trap af_exit EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
