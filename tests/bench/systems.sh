# systems.sh: what is compared, how each is mounted and ended. To be sourced, after setting.sh.
#
# system_up NAME USER sets `view`, the directory in which to work, and `enter`, what comes before a command
# that works there; 1 if there is no such thing here. system_down takes it away with all that was written.
# Names: native overlayfs bindfs mergerfs fuse-overlayfs, and afs-direct and afs-delta, to which
# -NAME adds a policy (see policy_file); volatile is afs-delta that syncs nothing.
#
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables are shared with setting.sh and with those who source this

systems_all='native overlayfs bindfs mergerfs fuse-overlayfs afs-direct afs-direct-1 afs-direct-10k afs-delta'
daemon='' holder='' home='' view=''
enter=()
before_serve=() # words before a daemon's own
debug=''        # whether each is to print every request

# policy_file NAME: 30 is the usual one; 1 is one rule of the same effect, secrets aside, which can match at any
# depth as others do; Nk is the usual one after N thousand less 30 that match nothing; write lets everything
# be written, as `development` does.
policy_file()
{
	local file=$dir/policy-$1.conf
	if [ ! -e "$file" ]; then
		case $1 in
		30) cp "$bench/policies/30.conf" "$file" ;;
		1) printf 'default = read\nwrite("**/out/")\n' >"$file" ;;
		write) sed 's/^read("\*\*")/write("**")/' "$bench/policies/30.conf" >"$file" ;;
		*k) { idle_rules $((${1%k} * 1000 - 30)); cat "$bench/policies/30.conf"; } >"$file" ;;
		esac
		chmod 644 "$file"
	fi
	echo "$file"
}

# idle_rules COUNT: of every kind, and each has to be looked at where a name is
idle_rules()
{
	awk -v count="$1" 'BEGIN {
		split("none view read write", level)
		split("*.ext%d|generated%d/|/data/**/set%d/*.csv|name%d-[0-9][a-f]?.{txt,log,md}|" \
			"/tree/elsewhere%d/file.c|**/cache%d/*/tmp?", form, "|")
		for (i = 0; i < count; i++)
			printf "%s(\"" form[i % 6 + 1] "\")\n", level[i % 4 + 1], i
	}'
}

is_mounted() { grep -qF " $1 " /proc/mounts; }

# serve USER COMMAND...: a daemon in the foreground; waits until it is mounted
serve()
{
	local who=$1 i
	shift
	words_of "$who"
	"${words[@]}" "${before_serve[@]}" "$@" </dev/null >"$home/log" 2>&1 &
	daemon=$!
	view=$home/mnt
	for ((i = 0; i < 1000; i++)); do
		! is_mounted "$view" || return 0
		if ! kill -0 "$daemon" 2>/dev/null; then
			cat "$home/log" >&2
			return 1
		fi
		sleep 0.01
	done
	return 1
}

has() { command -v "$1" >/dev/null; }

# In a user namespace of its own the kernel's overlayfs is to be had by everybody. One process holds it.
overlay_of_user()
{
	local options=$1 i
	"${as_user[@]}" unshare -Urm sh -c 'mount -t overlay overlay -o "$1" "$2" && echo up >"$3" && exec sleep infinity' \
		- "$options,userxattr" "$home/mnt" "$home/up" </dev/null >"$home/log" 2>&1 &
	holder=$!
	for ((i = 0; i < 300; i++)); do
		[ ! -s "$home/up" ] || break
		kill -0 "$holder" 2>/dev/null || return 1
		sleep 0.01
	done
	view=$home/mnt
	enter=(nsenter -t "$holder" -U -m --preserve-credentials)
}

afs_up()
{
	local who=$1 mode=$2 policy=30 options
	case $mode in
	*-*) policy=${mode#*-} mode=${mode%%-*} ;;
	esac
	options=policy=$(policy_file "$policy")
	case $mode in
	direct) ;;
	delta) options+=,delta=$home/delta ;;
	volatile) options+=,volatile,delta=$home/delta ;;
	*) return 1 ;;
	esac
	serve "$who" "$afs" -f ${debug:+-d} ${AFS_OPTIONS:+-o "$AFS_OPTIONS"} -o "$options" "$home/src" "$home/mnt"
}

system_up()
{
	local name=$1 who=$2 layers
	home=$dir/$who
	layers=lowerdir=$home/src,upperdir=$home/upper,workdir=$home/work
	enter=()
	as "$who" mkdir -p "$home/mnt" "$home/upper" "$home/work"
	case $name in
	native) view=$home/src ;;
	overlayfs)
		if [ "$who" = user ]; then
			overlay_of_user "$layers"
		else
			mount -t overlay overlay -o "$layers" "$home/mnt" && view=$home/mnt
		fi ;;
	bindfs) has bindfs && serve "$who" bindfs -f ${debug:+-d} --no-allow-other "$home/src" "$home/mnt" ;;
	mergerfs)
		# Its own helper is not set-user-id in Debian; that of fuse3 does the same.
		mkdir -p "$dir/bin" && ln -sf "$(command -v fusermount3)" "$dir/bin/mergerfs-fusermount"
		has mergerfs && serve "$who" env "PATH=$dir/bin:$PATH" mergerfs -f ${debug:+-d} "$home/src" "$home/mnt" ;;
	fuse-overlayfs) has fuse-overlayfs && serve "$who" fuse-overlayfs -f ${debug:+-d} -o "$layers" "$home/mnt" ;;
	afs-*) afs_up "$who" "${name#afs-}" ;;
	*) return 1 ;;
	esac
}

# What is still busy, as a process that has just ended can be, is tried again.
system_umount()
{
	local i
	for ((i = 0; i < 200; i++)); do
		is_mounted "$1" || return 0
		if [ "$(id -u)" -eq 0 ]; then umount "$1"; else fusermount3 -u "$1"; fi 2>/dev/null || sleep 0.02
	done
	say "$1: cannot be unmounted"
	return 1
}

system_down()
{
	[ -n "$home" ] || return 0
	[ "$view" != "$home/mnt" ] || [ -n "$holder" ] || system_umount "$home/mnt" || kill "$daemon" 2>/dev/null || :
	[ -z "$holder" ] || kill "$holder" 2>/dev/null || :
	wait
	daemon='' holder='' view=''
	rm -rf "$home/upper" "$home/work" "$home/delta" "$home/up"
	[ ! -d "$home/src/out" ] || find "$home/src/out" -mindepth 1 -delete
}

# counters: those of agentfensefs until now, `NAME VALUE` a line
counters()
{
	local before i
	before=$(grep -c 'counters:' "$home/log" || :)
	kill -USR1 "$daemon"
	for ((i = 0; i < 200; i++)); do
		[ "$(grep -c 'counters:' "$home/log" || :)" -eq "$before" ] || break
		sleep 0.01
	done
	grep 'counters:' "$home/log" | tail -n 1 | tr ' =' '\n ' | grep ' '
}
