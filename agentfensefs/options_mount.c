/*
 * What of -o is not ours: options of mount(8), mount(2) and libfuse. See options.h.
 */
#include "options.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

/* What fstab(5) and mount(8) say to themselves or to the kernel, and FUSE has no part in. */
static bool is_ignored(const char *option)
{
	static const char *const names[] = {"defaults", "auto", "noauto", "user", "nouser", "users",
		"owner", "group", "nofail", "_netdev", "relatime", "norelatime", "strictatime",
		"nostrictatime", "lazytime", "nolazytime"};

	if (strncmp(option, "x-", 2) == 0 || strncmp(option, "X-", 2) == 0 ||
		strncmp(option, "comment=", 8) == 0 || strncmp(option, "uhelper=", 8) == 0)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(option, names[i]) == 0)
			return true;
	return false;
}

static int set_name(struct fs_mount *mount, const char *name)
{
	free(mount->name);
	mount->name = strdup(name);
	return mount->name ? 0 : 1;
}

/* Notes what an option means to mount(2). */
static int note_mount_option(struct fs_mount *mount, const char *option)
{
	static const struct {
		const char *name;
		unsigned long set, clear;
	} flags[] = {
		{"ro", MS_RDONLY, 0},
		{"rw", 0, MS_RDONLY},
		{"noexec", MS_NOEXEC, 0},
		{"exec", 0, MS_NOEXEC},
		{"noatime", MS_NOATIME, 0},
		{"nodiratime", MS_NODIRATIME, 0},
		{"sync", MS_SYNCHRONOUS, 0},
		{"async", 0, MS_SYNCHRONOUS},
		{"dirsync", MS_DIRSYNC, 0},
		{"nosuid", 0, 0}, /* so are these, whatever is said */
		{"suid", 0, 0},
		{"nodev", 0, 0},
		{"dev", 0, 0},
		{"default_permissions", 0, 0},
	};

	if (strncmp(option, "fsname=", 7) == 0)
		return set_name(mount, option + 7);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (strcmp(option, flags[i].name) == 0) {
			mount->flags = (mount->flags & ~flags[i].clear) | flags[i].set;
			return 0;
		}
	}
	if (strcmp(option, "allow_other") == 0)
		mount->allow_other = true;
	else
		mount->unusual = true;
	return 0;
}

int options_add_mount(struct fs_options *options, const char *option)
{
	char *escaped = NULL;
	int status;

	if (is_ignored(option))
		return 0;
	status = note_mount_option(&options->mount, option);
	/* libfuse takes commas and backslashes escaped, as they were once. */
	if (fuse_opt_add_opt_escaped(&escaped, option) != 0 ||
		fuse_opt_add_arg(&options->mount_args, "-o") != 0 ||
		fuse_opt_add_arg(&options->mount_args, escaped) != 0)
		status = 1;
	free(escaped);
	return status;
}
