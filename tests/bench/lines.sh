# lines.sh: the work that is measured: a function for each mount, which runs one line or several. To be sourced.
#
# work_NAME is called in a fresh mount. `cold`, `again` and `once` LINE WORK... hand to record(), which whoever
# sources this has, what bench_work is to do in the mount, and how often; `untimed` only does it. `again` is
# for what changes nothing. On the native directory nothing is ever cold, so there `cold` is `again`.
#
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables are shared with setting.sh, systems.sh and those who source this

works='read find stat absent du grep git-status python build tar rm-below npm sqlite sqlite-wal seq-read seq-write'

# The lines of each, in order.
lines_of()
{
	case $1 in
	read | find | stat | absent | grep | git-status) echo "$1-cold $1-warm" ;;
	du) echo du-cold ;;
	python) echo python-imports ;;
	tar) echo tar-x cp-r rm-rf ;;
	npm) echo npm-extract ;;
	rm-below) echo rm-rf-below ;;
	seq-read) echo seq-read rand-read ;;
	seq-write) echo seq-write rand-write ;;
	*) echo "$1" ;;
	esac
}

# What PERFORMANCE.md and the picture call each.
line_title()
{
	case $1 in
	read-*) echo "open+read+close of $FILES files, ${1#*-}" ;;
	absent-*) echo "stat of names that are not there, ${1#*-}" ;;
	rm-rf-below) echo "rm -rf of what was there before" ;;
	tar-x) echo "tar x of $((FILES * 8 / 10)) files" ;;
	cp-r) echo 'cp -r of them' ;;
	rm-rf) echo 'rm -rf of the copy' ;;
	build) echo 'a C build (ninja)' ;;
	python-imports) echo 'Python imports, warm' ;;
	npm-extract) echo 'npm-like extract' ;;
	sqlite) echo "sqlite, $TRANSACTIONS transactions" ;;
	sqlite-wal) echo 'sqlite WAL' ;;
	seq-read) echo "sequential read $SIZE MiB, cold" ;;
	seq-write) echo "sequential write $SIZE MiB" ;;
	rand-*) echo "random ${1#rand-} 4k" ;;
	*-cold | *-warm) echo "${1%-*}, ${1##*-}" ;;
	esac
}

# How many files, transactions, pages or MiB a line is about.
things_of()
{
	case $1 in
	tar-x | cp-r | rm-rf*) echo $((FILES * 8 / 10)) ;;
	build) echo "$UNITS" ;;
	python-imports) echo "$MODULES" ;;
	npm-extract) echo $((PACKAGES * 20)) ;;
	sqlite*) echo "$TRANSACTIONS" ;;
	seq-*) echo "$SIZE" ;;
	rand-*) echo "$PAGES" ;;
	*) echo "$FILES" ;;
	esac
}

# worker [OPTION...] WORK...: from within the mount
worker() { as "$who" "${enter[@]}" "$work" -C "$view" "$@" </dev/null; }
again() { record 3 "$@"; }
once() { record 1 "$@"; }
cold() { if [ "$system" = native ]; then again "$@"; else once "$@"; fi; }
untimed() { worker "$@" >/dev/null || failed=1; }

# $only, which is LINES, has names of lines, or of the work that makes several.
wanted_line()
{
	local word
	[ -n "$only" ] || return 0
	for word in $only; do
		case $1 in "$word" | "$word"-cold | "$word"-warm) return 0 ;; esac
		case " $(lines_of "$word") " in *" $1 "*) return 0 ;; esac
	done
	return 1
}

# Sets `selected`, the work in which a wanted line is, and prints the records that name those lines.
select_work()
{
	local name line found
	selected=()
	for name in $works; do
		found=
		for line in $(lines_of "$name"); do
			! wanted_line "$line" || { found=1; printf 'line\t%s\t%s\n' "$line" "$(line_title "$line")"; }
		done
		[ -z "$found" ] || selected+=("$name")
	done
	[ "${#selected[@]}" -eq 0 ] || return 0
	say "$only: no such lines; there are: $(for name in $works; do lines_of "$name"; done | xargs)"
	exit 2
}

# measure WORK: by $who on $system, in a fresh mount. What is not to be had is an error where all should be.
measure()
{
	local name=$1
	if declare -F "before_$name" >/dev/null; then
		as "$who" bash -c "home=$dir/$who; $(declare -f "before_$name"); before_$name"
	fi
	sync -f "$dir"
	if system_up "$system" "$who"; then
		"work_$name"
	else
		say "$system as $who: not to be had here"
		missing+=" $who:$system "
		[ -z "${TINY:-}" ] || failed=1
	fi
	system_down
}
missing='' failed=0 system='' who='' selected=()

work_read()
{
	cold read-cold read "$home/files"
	again read-warm read "$home/files"
}
work_stat()
{
	cold stat-cold stat "$home/files"
	again stat-warm stat "$home/files"
}
work_absent()
{
	cold absent-cold absent "$home/absent"
	again absent-warm absent "$home/absent"
}
work_find()
{
	cold find-cold run find tree
	again find-warm run find tree
}
work_du() { cold du-cold run du -s tree; }
work_grep()
{
	cold grep-cold run grep -rc needle tree --include='*.c'
	again grep-warm run grep -rc needle tree --include='*.c'
}
work_git-status()
{
	cold git-status-cold run git -C tree status --porcelain
	again git-status-warm run git -C tree status --porcelain
}
work_python()
{
	untimed run env PYTHONPATH=py python3 -c 'import everything'
	again python-imports run env PYTHONPATH=py python3 -c 'import everything'
}
work_build() { once build run ninja -C build -j 2; }
work_tar()
{
	once tar-x run tar -oxf "$home/tree.tar" -C out
	once cp-r run cp -r out/tree out/copy
	once rm-rf run rm -rf out/copy
}
work_npm()
{
	once npm-extract run sh -c 'for p in pk/*.tgz; do
		d=out/node_modules/${p##*/}; mkdir -p "$d" && tar -oxzf "$p" -C "$d" --strip-components 1 || exit; done'
}
work_sqlite() { once sqlite run sqlite3 -init "$home/sqlite" out/db .quit; }
work_sqlite-wal() { once sqlite-wal run sqlite3 -init "$home/sqlite-wal" out/db .quit; }
work_seq-read()
{
	cold seq-read seq-read big
	again rand-read rand-read big "$PAGES"
}
work_seq-write()
{
	once seq-write seq-write out/big "$SIZE"
	once rand-write rand-write out/big "$PAGES"
}

# Before the mount is made, as the user: what is to be there.
before_rm-below() { tar -oxf "$home/tree.tar" -C "$home/src/out"; }
work_rm-below() { once rm-rf-below run rm -rf out/tree; }
