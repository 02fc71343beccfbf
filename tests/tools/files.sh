# shellcheck shell=bash
# What cp, tar, rsync, mv, ln, install, sed, find, patch, rm and a shell do, for toollib.sh and
# mergelib.sh.

# shellcheck disable=SC2016 # the texts are expanded where they run
file_tools()
{
	local changed='cp -a "$1" a; echo other >a/dir/file; rm a/hard a/dir/script a/soft; mkdir a/soft a/dir/script
		echo x >a/soft/x; rm -r a/dir/sub; echo x >a/dir/sub; chmod 700 a/empty; echo x >a/empty/x'
	tool 'cp -a' -mn '' 'cp -a "$1" copy'
	tool 'cp -a within' -mn 'cp -a "$1" a' \
		'cp -a a b; diff -r --no-dereference a b 2>&1 | grep -v fifo || true'
	tool 'cp -a over' -n 'cp -a "$1" a; echo other >a/dir/file; rm a/dir/sub/subsub/f1* a/dir/script
		echo x >a/dir/script; chmod 700 a/dir' \
		'cp -af "$1/." a; cp -a --remove-destination "$1/dir/sub/." a/dir/sub; cp -f "$1/dir/script" a/hard'
	tool 'cp --sparse, --reflink=auto' -n 'cp -r "$1" copy' \
		'rm -r copy/dir/sub; cp -r --sparse=always --reflink=auto "$1/dir/sub" copy/dir; cp --sparse=always "$1/dir/sub/sparse" copy/-dash'
	tool 'cp -al' -mn 'cp -a "$1" a' 'cp -al a b'
	tool 'rm -rf' -mn 'cp -a "$1" a; cp -a a b; cp -al b c' 'rm -rf a b/dir/sub c/dir/sub/subsub; ls; touch -d @1 b/dir c/dir/sub'
	tool 'rm -rf, and made again' -mn 'cp -a "$1" a; cp -a a b' 'rm -rf a b; cp -a "$1/dir" a; echo x >b; touch -d @1 b'
	tool 'tar through a pipe' -mn "$changed" \
		'tar --acls --xattrs -C "$1" -cf - . | tar --recursive-unlink --acls --xattrs -C a -xpf -
		touch -d @1 a a/empty'
	tool 'tar of the mount' -mn 'cp -a "$1" a' 'tar --acls --xattrs --sort=name -cf a.tar a
		mkdir b; tar --acls --xattrs -C b -xpf a.tar; rm -rf a a.tar; touch -d @1 b'
	tool 'rsync -aHAX' -mn "$changed" 'rsync -aHAX --force --delete "$1/" a; rsync -aHAXi --delete "$1/" a'
	tool 'rsync within, in place' -n 'rsync -aHX "$1/" a; rsync -aHX a/ b' 'echo more >>a/dir/file
		rm a/soft; rsync -aHX --inplace --delete a/ b'
	tool 'mv' -n 'cp -a "$1" a' 'mv a b; mkdir c; mv b c; mv c/b/dir/file c/b/dir/moved; mv -n c/b/soft c/b/hard
		mv c/b/dir/sub .; mv sub/subsub/f1 sub/subsub/f2'
	tool 'mv, names that change places' -n 'cp -a "$1/dir" a; cp -a "$1/dir/sub" b; cp -a "$1/hard" c' \
		'mv a x; mv b a; mv x b; mv c x; mv b c; mv x b; mv -f c/script a/large'
	tool 'mv from outside and back' -mn 'cp -a "$1" here' 'cp -a "$1" "$1.moving"; rm -rf here; mv "$1.moving" here
		cp -a here again'
	tool 'ln and install' -n 'cp -a "$1" a; echo x >s' 'ln a/dir/file l; ln -sf a/dir s; ln -sfn a s; ln -f a/hard l
		install -D -m 751 a/dir/script bin/x/run; install -d -m 711 made a/empty; bin/x/run
		install -m 700 a/dir/script a/hard'
	tool 'sed -i' -n 'cp -a "$1" a' 'sed -i s/text/changed/ a/dir/file; sed -i.bak s/5/five/ a/dir/sub/subsub/*
		cat a/dir/file a/hard a/dir/sub/subsub/f5'
	tool 'find' -n 'cp -a "$1" a' 'find . | sort; find a -type f -size +100k; find a -name "f1*" -delete
		find a -type f -links 3 | sort; find a -perm 700 | sort; find a -type l | sort; find a -empty | sort'
	tool 'patch' -n 'cp -a "$1" a; rm -f a/dir/pipe' 'cp -a a b; echo other >b/dir/file; echo new >b/dir/new
		rm b/dir/script; diff -rNu --no-dereference a b | sed "s/\t.*//" >p || true
		patch -d a -p1 <p; rm -r b; cat a/dir/file'
	tool 'shell redirections' -n 'echo 0 >log; mkdir -p a/b' 'for i in 1 2 3; do echo $i >>log; done; cat log
		: >log; test ! -s log; set -C; ! echo x >log; set +C; mkdir -p a/b/c
		(cd a/b/c && pwd -P | tail -c 6); rmdir -p a/b/c'
	tool 'du, wc, dd, truncate, cmp' '' 'head -c 100000 /dev/zero >z; cp z y; cp z w' \
		'dd if=z of=y bs=1000 count=50 seek=10 conv=notrunc status=none; truncate -s 5000 z; truncate -s 3M w
		wc -c y z w; cmp z y | head -1; stat -c "%s %b" z; du --apparent-size -b y'
	tool 'chmod, touch, setfacl, setfattr' -n 'cp -a "$1" a' 'chmod -R go-rwx a; touch -d @7 a/dir/sub/large a/empty
		touch -h -d @8 a/soft; setfacl -b a/dir/script; setfacl -m u:123:r a/dir/sub/large
		setfattr -x user.note a/hard 2>/dev/null || true; setfattr -n user.new -v 2 a/dir 2>/dev/null || true'
}
