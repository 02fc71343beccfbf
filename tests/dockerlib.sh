# shellcheck shell=bash
# What the cases of docker share, on top of runlib.sh: a dockerd of the case's own, that no other docker
# knows, with an image of busybox and bash.
#
#     need_docker         starts it, or skips the case
#     docked ARGS...      run -R docker --image IMAGE ARGS...
#     nothing_left        no container, no mount, no file of a run

IMAGE=afrun-test
export XDG_RUNTIME_DIR=$T/runtime
mkdir -m 700 "$XDG_RUNTIME_DIR"

# A root of the host's own files: no network is needed.
make_image()
{
	local root=$T/image file
	mkdir -p "$root"/{bin,etc,root,var,opt} "$root/home/user"
	mkdir -m 1777 "$root/tmp" "$root/var/tmp"
	cp "$(command -v busybox)" "$root/bin/busybox"
	for file in $("$root/bin/busybox" --list); do
		[ "$file" = busybox ] || ln -s busybox "$root/bin/$file"
	done
	# With what the test programs are linked with, on a sanitizer build too.
	for file in /bin/bash $({ ldd /bin/bash; ldd "$BUILD/tests/attack"; } | grep -o '/[^ ]*' | sort -u); do
		mkdir -p "$root${file%/*}"
		cp -L "$file" "$root$file"
	done
	echo 'only in the image' >"$root/etc/motd"
	tar -C "$root" -c . | docker import - "$IMAGE" >/dev/null
	rm -rf "$root"
}

docker_answers()
{
	docker version >/dev/null 2>&1
}

need_docker()
{
	is_root || skip_all 'only root can make a mount that docker sees'
	local program
	for program in dockerd docker busybox; do
		command -v "$program" >/dev/null || skip_all "$program is not installed"
	done
	export DOCKER_HOST=unix://$T/docker/sock DOCKER_CONFIG=$T/docker/config
	mkdir -p "$T/docker/config"
	dockerd --bridge=none --iptables=false --ip6tables=false --storage-driver vfs --group root \
		--data-root "$T/docker/root" --exec-root "$T/docker/exec" --pidfile "$T/docker/pid" \
		-H "$DOCKER_HOST" >"$T/docker/log" 2>&1 </dev/null &
	DOCKERD=$!
	wait_for 30 docker_answers || {
		tail -n 5 "$T/docker/log" | sed 's/^/# /'
		kill "$DOCKERD" 2>/dev/null
		skip_all 'dockerd does not run here'
	}
	make_image
}

end_docker()
{
	kill "$DOCKERD"
	wait "$DOCKERD"
	# Of a run with the host's network it leaves a mount.
	! is_mounted "$T/docker/exec/netns/default" || umount "$T/docker/exec/netns/default"
}

docked()
{
	run -R docker --image "$IMAGE" "$@"
}

no_container()
{
	[ -z "$(docker ps -aq)" ]
}

nothing_left()
{
	no_container && [ ! -e "$XDG_RUNTIME_DIR/afrun" ] && ! grep -q "$XDG_RUNTIME_DIR" /proc/self/mounts
}
