# shellcheck shell=bash disable=SC2034,SC2154
# Long random sequences of operations on a mount with a delta and on a plain copy; sourced after fslib.sh.
#
#     kernel_can                whether this user can mount overlayfs
#     kernel_view DIR COMMAND   with SRC and UPPER mounted at DIR by the kernel, read-only, in a mount
#                               namespace of its own; as an ordinary user in a user namespace too
#     trees                     checks that the trees at MNT, PLAIN and (where `can` is set) the kernel's
#                               at KERNEL are the same; times from `start` (seconds) on are; `name` is theirs
#     names                     ovl_random's option for xattrs that look like overlayfs's own

# user.overlay.overlay.* is user.overlay.* for overlayfs from 6.7 on.
names=-x
[ "$(printf '%s\n' 6.7 "$(uname -r)" | sort -V | head -n 1)" = 6.7 ] || names=

kernel_view()
{
	local unshare=(unshare -m)
	[ "$($RUNAS id -u)" = 0 ] || unshare=(unshare -Urm)
	# shellcheck disable=SC2016
	$RUNAS timeout 120 "${unshare[@]}" bash -c 'mount -t overlay overlay \
		-o "ro,userxattr,lowerdir=$1:$2" "$3" && shift 3 && exec "$@"' bash "$UPPER" "$SRC" "$@"
}

kernel_can()
{
	$RUNAS mkdir "$BASE/can"{1,2,3}
	UPPER=$BASE/can1 SRC=$BASE/can2 kernel_view "$BASE/can3" true 2>/dev/null
}

trees()
{
	check "$name: the trees of the mount and of the copy" same_tree -m -a "$start" "$MNT" "$PLAIN"
	[ -n "$can" ] || { skip "$name: overlayfs" 'not for this user here'; return; }
	check "$name: of overlayfs and of the copy" \
		kernel_view "$KERNEL" "$TREECMP" -m -a "$start" "$KERNEL" "$PLAIN"
	check "$name: of overlayfs and of the mount, to the nanosecond" \
		kernel_view "$KERNEL" "$TREECMP" -m "$KERNEL" "$MNT"
}
