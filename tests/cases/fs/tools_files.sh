#!/bin/bash
# cp, tar, rsync, mv, ln, install, sed, find, patch and rm do on a mount what they do on a directory.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"
. "$ROOT/tests/toollib.sh"

need tar rsync patch setfacl setfattr

# shellcheck disable=SC2016 # the scripts are expanded where they run
files()
{
	tool 'cp -a' -mn 'cp -a "$1" copy'
	tool 'cp -a within' -mn 'cp -a "$1" a; cp -a a b; diff -r --no-dereference a b 2>&1 | grep -v fifo || true'
	tool 'cp --sparse, --reflink=auto' -n 'cp -r --sparse=always --reflink=auto "$1" copy'
	tool 'cp -al' -mn 'cp -a "$1" a; cp -al a b'
	tool 'tar through a pipe' -mn 'tar --acls --xattrs -C "$1" -cf - . | tar --acls --xattrs -xpf -'
	tool 'tar of the mount' -mn 'cp -a "$1" a; tar --acls --xattrs --sort=name -cf a.tar a
		mkdir b; tar --acls --xattrs -C b -xpf a.tar; rm -rf a a.tar; touch -d @1 b'
	tool 'rsync -aHAX' -mn 'rsync -aHAX "$1/" copy; rsync -aHAXi --delete "$1/" copy'
	tool 'rsync within, in place' -n 'rsync -aHX "$1/" a; rsync -aHX a/ b; echo more >>a/dir/file
		rm a/soft; rsync -aHX --inplace --delete a/ b'
	tool 'mv' -n 'cp -a "$1" a; mv a b; mkdir c; mv b c; mv c/b/dir/file c/b/dir/moved; mv -n c/b/soft c/b/hard
		mv c/b/dir/sub .'
	tool 'mv from outside and back' -mn 'cp -a "$1" "$1.moving"; mv "$1.moving" here; cp -a here again'
	tool 'ln and install' -n 'cp -a "$1" a; ln a/dir/file l; ln -s a/dir s; ln -sfn a s; ln -f a/hard l
		install -D -m 751 a/dir/script bin/x/run; install -d -m 711 made; bin/x/run'
	tool 'sed -i' -n 'cp -a "$1" a; sed -i s/text/changed/ a/dir/file; sed -i.bak s/5/five/ a/dir/sub/subsub/*
		cat a/dir/file a/hard a/dir/sub/subsub/f5'
	tool 'find' -n 'cp -a "$1" a; find . | sort; find a -type f -size +100k; find a -name "f1*" -delete
		find a -links 3; find a -perm 700; find a -type l | sort; find a -empty | sort'
	tool 'patch' -n 'cp -a "$1" a; cp -a a b; echo other >b/dir/file; echo new >b/dir/new; rm b/dir/script
		rm a/dir/pipe b/dir/pipe; diff -rNu --no-dereference a b | sed "s/\t.*//" >p || true
		patch -d a -p1 <p; rm -r b; cat a/dir/file'
	tool 'shell redirections' -n 'for i in 1 2 3; do echo $i >>log; done; cat log; : >log; test ! -s log
		set -C; ! echo x >log; set +C; mkdir -p a/b/c; (cd a/b/c && pwd -P | tail -c 6); rmdir -p a/b/c'
	tool 'du, wc, dd, truncate, cmp' '' 'head -c 100000 /dev/zero >z; dd if=z of=y bs=1000 count=50 seek=10 conv=notrunc status=none
		truncate -s 5000 z; wc -c y z; cmp z y | head -1; stat -c "%s %b" z; du --apparent-size -b y'
}

with_tools files
done_testing
