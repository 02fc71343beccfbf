# shellcheck shell=bash
# What git does, for toollib.sh and mergelib.sh.

# The index holds inode numbers and times, and a worktree's files absolute paths: they cannot be the
# same, so what git says of them is compared instead. Whether it writes an object anew that is there, by
# which that gets another time, depends on what falls into one tick of the clock.
af_git_after='git fsck --full --strict; git status --porcelain -b; git ls-files -s; git log --all --oneline --graph
	find .git -name index -delete; rm -rf .git/worktrees tree/.git .git/logs
	find . -path "*/objects/*" -type f -exec touch -d @1 {} +'

# shellcheck disable=SC2016 # the texts are expanded where they run
git_tools()
{
	tool 'git commit, checkout, merge, stash' -n 'git init -q -b main; cp -a "$1/." .; rm -f dir/pipe
		git add -A; git commit -qm one' \
		'git checkout -qb side
		echo more >>dir/file; git mv soft soft2; git rm -q dangling; git commit -qam two
		git checkout -q main; cat dir/file; git checkout -q side; cat dir/file; git checkout -q main
		echo third >third; git add third; git commit -qm three; git merge -q -m merged side
		git reset -q --hard HEAD~1; git stash list; echo x >>third; git stash -q; git stash pop -q' \
		"$af_git_after"
	tool 'git gc, repack, worktree, clean' -n 'git init -q -b main; git config pack.threads 1
		git config gc.auto 0
		for i in 1 2 3 4 5; do echo $i >f$i; git add .; git commit -qm $i; done
		git repack -q; git branch gone; echo 6 >f6; git add .; git commit -qm 6; touch junk' \
		'git gc -q; git worktree add -q tree -b other; echo w >tree/w; git -C tree add w
		git -C tree commit -qm w; git -C tree status --porcelain; git branch -qD gone
		git repack -adq; git prune --expire=now; git worktree list | wc -l
		git clean -qfd; git tag -a -m t v1; git count-objects' "$af_git_after"
	tool 'git rebase' -n 'git init -q -b main; for i in 1 2 3; do echo $i >f$i; git add .; git commit -qm $i; done
		git checkout -qb side HEAD~2; for i in 4 5; do echo $i >f$i; git add .; git commit -qm $i; done
		echo 3 >f3; git add .; git commit -qm both' \
		'git rebase -q main 2>/dev/null || git rebase --skip; git log --oneline; ls
		echo x >f1; git commit -qam "f1"; git checkout -q main; echo y >f1; git commit -qam "f1 too"
		git checkout -q side; git rebase main >/dev/null 2>&1 && exit 1; git status --porcelain
		echo xy >f1; git add f1; GIT_EDITOR=true git rebase --continue >/dev/null 2>&1
		git rebase -q --onto HEAD~2 HEAD~1; git branch -qd main 2>/dev/null || git branch -qD main' "$af_git_after"
	tool 'git clone, fetch, pull' -n 'git init -q -b main a; cd a; echo 1 >f; git add f; git commit -qm 1
		cd ..; git clone -q a b; cd b; echo 2 >g; git add g; git commit -qm 2' \
		'cd a; echo 3 >h; git add h; git commit -qm 3; cd ../b; git pull -q --rebase; git log --oneline
		cd ..; git clone -q --bare b c; git -C c gc -q; rm -rf a; mv b a' \
		'for i in a c; do git -C $i fsck --full --strict; git -C $i log --all --oneline; done
		find . -name index -delete; rm -rf a/.git/logs
		find . -path "*/objects/*" -type f -exec touch -d @1 {} +
		sed -i "s#$PWD#X#" a/.git/config c/config a/.git/FETCH_HEAD; sed -i "s#$PWD#X#" c/packed-refs'
}
