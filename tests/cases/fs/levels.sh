#!/bin/bash
# SPEC's table of operations, row by row: each operation at each level on each kind of object, in
# directories of each level; what decides is the level of the name itself.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"

# Names begin with their level; the directories d, r, v and n are write, read, view and none with
# grants below (traversable). In u and w nothing differs below: all read, all write.
rules='write:/d,read:/r,view:/v,read:/u,write:/w,view:/*/view-*,read:/*/read-*,write:/*/write-*,none:/*/none-*'
options=()
for rule in ${rules//,/ }; do
	options+=(-o "rule=$rule")
done

# What one operation changes no other looks at: each has an object of its own, LEVEL-OPERATION.
# shellcheck disable=SC2016
make_objects()
{
	$RUNAS bash -ec 'umask 0; mkdir "$1/d"; cd "$1/d"
		for l in none view read write; do
			for o in file unlink onto trunc {mv,over,old,xa,xb}-{none,view,read,write}; do
				printf "#!/bin/true\n" >$l-$o
			done
			mkdir $l-dir $l-full $l-rmdir $l-mvdir-{none,view,read,write}
			cp $l-file $l-dir/in; cp $l-file $l-full/in
		done
		chmod 777 *-*
		for l in none view read write; do
			ln -s in $l-link; ln -s x $l-unlink-link; mkfifo $l-fifo $l-unlink-fifo
			setfattr -n user.x -v 1 $l-file $l-dir
			"$2" bind $l-sock , bind $l-unlink-sock
		done
		cd ..; for p in r v n u w; do cp -a d $p; done' sh "$SRC" "$SYS" >/dev/null
}

# row NAME NONE VIEW READ WRITE -- sys arguments, in which ^ is the directory and % DIRECTORY/LEVEL
row()
{
	local name=$1 level dir i=0 expected=("$2" "$3" "$4" "$5")
	shift 6
	for level in none view read write; do
		for dir in $dirs; do
			local args=("${@//%/$MNT/$dir/$level}")
			later "${expected[i]}" "$WHO: $dir/$level: $name" -- "${args[@]//^/$MNT/$dir}"
		done
		i=$((i + 1))
	done
}

seen()
{
	local kind
	for kind in file dir link fifo sock; do
		row "stat of a $kind" ENOENT OK OK OK -- stat %-$kind type
		[ $kind = link ] || row "existence of a $kind" ENOENT OK OK OK -- access %-$kind f
		row "O_PATH of a $kind" ENOENT OK OK OK -- open %-$kind path,nofollow
	done
	row 'readlink' ENOENT OK OK OK -- readlink %-link
	row 'statfs' ENOENT OK OK OK -- statfs %-file type
	row 'chdir' ENOENT OK OK OK -- chdir %-dir
	row 'listing' ENOENT OK OK OK -- list %-dir
	row 'opening a symlink itself' ENOENT ELOOP ELOOP ELOOP -- open %-link rdonly,nofollow
	row 'opening a directory for writing' ENOENT EISDIR EISDIR EISDIR -- open %-dir wronly
	row 'a directory that is a file' ENOENT ENOTDIR ENOTDIR ENOTDIR -- open %-file rdonly,directory
	row 'through a file' ENOENT ENOTDIR ENOTDIR ENOTDIR -- stat %-file/x type
}

reading()
{
	row 'open for reading' ENOENT EACCES OK OK -- open %-file rdonly
	row 'open in a directory' ENOENT EACCES OK OK -- open %-dir/in rdonly
	row 'exec' ENOENT EACCES OK OK -- exec %-file
	row 'getxattr' ENOENT EACCES OK OK -- getxattr %-file user.x
	row 'listxattr' ENOENT EACCES OK OK -- listxattr %-file
	row 'getxattr of a directory' ENOENT EACCES OK OK -- getxattr %-dir user.x
	row 'listxattr of a directory' ENOENT EACCES OK OK -- listxattr %-dir
	row 'open of an existing file, O_CREAT' EACCES EACCES OK OK -- open %-file rdonly,creat
	row 'open, O_CREAT, O_EXCL' EACCES EEXIST EEXIST EEXIST -- open %-file rdonly,creat,excl
}

writing()
{
	local kind
	row 'open for writing' ENOENT EACCES EACCES OK -- open %-file wronly
	row 'open for both' ENOENT EACCES EACCES OK -- open %-file rdwr
	row 'open for appending' ENOENT EACCES EACCES OK -- open %-file wronly,append
	row 'open, O_TRUNC' ENOENT EACCES EACCES OK -- open %-trunc rdonly,trunc
	row 'open, O_CREAT and O_TRUNC' EACCES EACCES EACCES OK -- open %-trunc wronly,creat,trunc
	row 'open in a directory for writing' ENOENT EACCES EACCES OK -- open %-dir/in wronly
	row 'truncate' ENOENT EACCES EACCES OK -- truncate %-trunc 3
	row 'fallocate' ENOENT EACCES EACCES OK -- open %-trunc rdwr , fallocate @0 none 0 10
	row 'setxattr' ENOENT EACCES EACCES OK -- setxattr %-file user.y 1
	row 'removexattr' ENOENT EACCES EACCES OK -- removexattr %-file user.y
	row 'setxattr of a directory' ENOENT EACCES EACCES OK -- setxattr %-dir user.y 1
	row 'removexattr of a directory' ENOENT EACCES EACCES OK -- removexattr %-dir user.y
	for kind in file dir fifo sock; do
		row "chmod of a $kind" ENOENT EACCES EACCES OK -- chmod %-$kind 777
	done
	for kind in file dir fifo sock link; do
		row "chown of a $kind" ENOENT EACCES EACCES OK -- chown %-$kind "$($RUNAS id -u)" -1
		row "utimens of a $kind" ENOENT EACCES EACCES OK -- utimens %-$kind 1.5 2.5
		row "utimens now of a $kind" ENOENT EACCES EACCES OK -- utimens %-$kind now now
	done
	row 'fchmod of what was opened to read' ENOENT EACCES EACCES OK -- \
		open %-file path , open %-file rdonly , fchmod @1 777
	row 'fsetxattr of what was opened to read' ENOENT EACCES EACCES OK -- \
		open %-file rdonly , fsetxattr @0 user.y 1
	row 'fchmod of an open directory' ENOENT EACCES EACCES OK -- open %-dir rdonly , fchmod @0 777
	row 'futimens of what was opened to read' ENOENT EACCES EACCES OK -- \
		open %-file rdonly , futimens @0 1 1
}

creating()
{
	row 'stat of what is not there' ENOENT ENOENT ENOENT ENOENT -- stat %-missing type
	row 'unlink of what is not there' ENOENT ENOENT ENOENT ENOENT -- unlink %-missing
	row 'create' EACCES EACCES EACCES OK -- open %-new wronly,creat
	row 'create, O_EXCL' EACCES EACCES EACCES OK -- open %-newx rdwr,creat,excl
	row 'create, O_RDONLY' EACCES EACCES EACCES OK -- open %-newr rdonly,creat
	row 'mknod of a file' EACCES EACCES EACCES OK -- mknod %-newm reg
	row 'mkdir' EACCES EACCES EACCES OK -- mkdir %-newdir
	row 'mkfifo' EACCES EACCES EACCES OK -- mknod %-newfifo fifo
	row 'mknod of a socket' EACCES EACCES EACCES OK -- mknod %-newsock sock
	row 'bind' EACCES EACCES EACCES OK -- bind %-newbound
	row 'symlink' EACCES EACCES EACCES OK -- symlink x %-newlink
	row 'create in a directory' ENOENT EACCES EACCES OK -- open %-dir/new wronly,creat
	row 'mkdir in a directory' ENOENT EACCES EACCES OK -- mkdir %-dir/newdir
	row 'create where something is, mkdir' EACCES EEXIST EEXIST EEXIST -- mkdir %-file
	row 'create where something is, symlink' EACCES EEXIST EEXIST EEXIST -- symlink x %-dir
	row 'create where something is, mkfifo' EACCES EEXIST EEXIST EEXIST -- mknod %-link fifo
	row 'create where something is, bind' EACCES EADDRINUSE EADDRINUSE EADDRINUSE -- bind %-sock
	row 'O_TMPFILE, linkat' EACCES EACCES EACCES OK -- \
		open ^ rdwr,tmpfile , linkfd @0 %-tmp
}

removing()
{
	row 'unlink' ENOENT EACCES EACCES OK -- unlink %-unlink
	row 'unlink of a symlink' ENOENT EACCES EACCES OK -- unlink %-unlink-link
	row 'unlink of a FIFO' ENOENT EACCES EACCES OK -- unlink %-unlink-fifo
	row 'unlink of a socket' ENOENT EACCES EACCES OK -- unlink %-unlink-sock
	row 'unlink in a directory' ENOENT EACCES EACCES OK -- unlink %-dir/in
	row 'rmdir' ENOENT EACCES EACCES OK -- rmdir %-rmdir
	row 'rmdir of a full one' ENOENT EACCES EACCES ENOTEMPTY -- rmdir %-full
	row 'unlink of a directory' ENOENT EISDIR EISDIR EISDIR -- unlink %-full
	row 'rmdir of a file' ENOENT ENOTDIR ENOTDIR ENOTDIR -- rmdir %-file
}

# Two names: 4 by 4 levels.
link_answer()
{
	case $1-$2 in
	none-*) echo ENOENT ;;
	write-write) echo OK ;;
	read-write) echo EXDEV ;;
	*) echo EACCES ;;
	esac
}

rename_answer()
{
	case $1-$2 in
	none-*) echo ENOENT ;;
	write-write) echo OK ;;
	*) echo EACCES ;;
	esac
}

noreplace_answer()
{
	case $1-$2 in
	none-*) echo ENOENT ;;
	*-none) echo EACCES ;;
	*) echo EEXIST ;;
	esac
}

exchange_answer()
{
	case $1-$2 in
	none-* | *-none) echo ENOENT ;;
	write-write) echo OK ;;
	*) echo EACCES ;;
	esac
}

two_names()
{
	local dir old new at expected
	for dir in $dirs; do
		at=$MNT/$dir
		for old in none view read write; do
			for new in none view read write; do
				expected=$(link_answer $old $new)
				later "$expected" "$WHO: $dir: link, $old to $new" -- link "$at/$old-old-$new" "$at/$new-lnk-$old"
				later "$(noreplace_answer $old $new)" "$WHO: $dir: link, $old onto $new" -- link "$at/$old-old-$new" "$at/$new-onto"
				later "$(noreplace_answer $old $new)" "$WHO: $dir: rename NOREPLACE, $old onto $new" -- \
					rename "$at/$old-mv-$new" "$at/$new-onto" noreplace
				expected=$(rename_answer $old $new)
				later "$expected" "$WHO: $dir: rename, $old to $new" -- rename "$at/$old-mv-$new" "$at/$new-moved-$old"
				later "$expected" "$WHO: $dir: rename of a directory, $old to $new" -- \
					rename "$at/$old-mvdir-$new" "$at/$new-movedir-$old"
				later "$expected" "$WHO: $dir: rename, $old onto $new" -- \
					rename "$at/$old-over-$new" "$at/$new-onto"
				later "$(exchange_answer $old $new)" "$WHO: $dir: RENAME_EXCHANGE, $old and $new" -- \
					rename "$at/$old-xa-$new" "$at/$new-xb-$old" exchange
			done
		done
		later EINVAL "$WHO: $dir: RENAME_WHITEOUT" -- rename "$at/write-file" "$at/write-wh" whiteout
		later ENOENT "$WHO: $dir: link from nothing" -- link "$at/write-missing" "$at/write-lnk"
		later ENOENT "$WHO: $dir: rename from nothing" -- rename "$at/write-missing" "$at/write-mvd"
	done
}

uniform()
{
	later EACCES "$WHO: O_TMPFILE where nothing can be created" -- open "$MNT/u/read-dir" rdwr,tmpfile
	later EACCES "$WHO: O_TMPFILE in a directory of level view" -- open "$MNT/w/view-dir" rdwr,tmpfile
	later ENOENT "$WHO: O_TMPFILE in a hidden one" -- open "$MNT/w/none-dir" rdwr,tmpfile
	later OK "$WHO: O_TMPFILE where something can be" -- open "$MNT/w/write-dir" rdwr,tmpfile
	later EACCES "$WHO: create in the root" -- open "$MNT/new" wronly,creat
	later EACCES "$WHO: mkdir in the root" -- mkdir "$MNT/new"
	later EACCES "$WHO: rename of a top directory" -- rename "$MNT/w" "$MNT/ww"
	later EACCES "$WHO: chmod of the root" -- chmod "$MNT" 700
}

levels()
{
	dirs='d r v n'
	fresh_dirs
	make_objects
	mount_fs "$@" "${options[@]}" "$SRC" "$MNT" || { ok 1 "$WHO: mounts"; return; }
	is "$($RUNAS ls "$MNT")" "$(printf '%s\n' d n r u v w)" "$WHO: the root's listing"
	is "$($RUNAS ls "$MNT/d" | grep -c none-)" 0 "$WHO: no hidden name is listed"
	for dir in $dirs; do
		is "$($RUNAS ls "$MNT/$dir")" "$($RUNAS ls "$SRC/$dir" | grep -v ^none-)" "$WHO: the listing of $dir"
	done
	seen
	reading
	writing
	creating
	two_names
	removing
	uniform
	run_later
	[ -z "$UPPER" ] || is "$($RUNAS find "$UPPER" -name 'none-*' -o -name 'view-*' -o -name 'read-*')" '' \
		"$WHO: nor is any of it in the delta"
	is "$($RUNAS bash -c 'cd "$1"; md5sum */none-file */none-onto */view-file */read-file */none-dir/in |
		cut -d" " -f1 | sort -u | wc -l' sh "$SRC")" 1 "$WHO: what may not be written is as it was"
}

each_user levels
done_testing
