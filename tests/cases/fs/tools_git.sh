#!/bin/bash
# git does on a mount what it does on a plain directory.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"
. "$ROOT/tests/toollib.sh"

need git

# The index holds inode numbers and times, and a worktree's files absolute paths: they cannot be the
# same, so what git says of them is compared instead.
finish='git fsck --full --strict; git status --porcelain -b; git ls-files -s; git log --all --oneline --graph
	find .git -name index -delete; rm -rf .git/worktrees tree/.git .git/logs'

# shellcheck disable=SC2016
git_works()
{
	tool 'git init, commit, checkout' -n 'git init -q -b main; cp -a "$1/." .; rm -f dir/pipe
		git add -A; git commit -qm one; git checkout -qb side
		echo more >>dir/file; git mv soft soft2; git rm -q dangling; git commit -qam two
		git checkout -q main; cat dir/file; git checkout -q side; cat dir/file; git checkout -q main
		echo third >third; git add third; git commit -qm three; git merge -q -m merged side
		git reset -q --hard HEAD~1; git stash list; echo x >>third; git stash -q; git stash pop -q; '"$finish"
	tool 'git gc, worktree, clean' -n 'git init -q -b main; git config pack.threads 1; git config gc.auto 0
		for i in 1 2 3 4 5; do echo $i >f$i; git add .; git commit -qm $i; done
		git gc -q; git worktree add -q tree -b other; echo w >tree/w; git -C tree add w; git -C tree commit -qm w
		git -C tree status --porcelain; git repack -adq; git worktree list | wc -l
		touch junk; git clean -qfd; git tag -a -m t v1; git count-objects; '"$finish"
	tool 'git clone, fetch, rebase' -n 'git init -q -b main a; cd a; echo 1 >f; git add f; git commit -qm 1
		cd ..; git clone -q a b; cd b; echo 2 >g; git add g; git commit -qm 2; cd ../a; echo 3 >h; git add h
		git commit -qm 3; cd ../b; git pull -q --rebase; git log --oneline; cd ..
		find . -name index -delete; rm -rf a/.git/logs b/.git/logs; sed -i "s#$PWD#X#" b/.git/config b/.git/FETCH_HEAD'
}

with_tools git_works
done_testing
