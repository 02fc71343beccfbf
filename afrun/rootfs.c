/*
 * The tree of the sandbox. See rootfs.h.
 *
 * The host's programs are there read-only, a minimal /etc, and memory for everything else. Nothing
 * of the host is named but /usr (and its kin), the listed parts of /etc and what was asked for; so
 * homes, other sandboxes, the mount's place and the source's real path do not exist. The parts of
 * /proc that speak to the kernel as a whole are read-only on top of not being ours to write.
 */
#include "rootfs.h"

#include "cleanup.h"
#include "io.h"

#include <bsd/stdlib.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

/* Takes over src and dst; NULL dst stands for memory that was not to be had. */
static void take_place(
	struct af_rootfs *rootfs, enum af_place_kind kind, unsigned int mode, char *src, char *dst)
{
	struct af_place *more = rootfs->places;

	if (rootfs->count == rootfs->room) {
		more = reallocarray(more, rootfs->room * 2 + 32, sizeof(*more));
		if (more) {
			rootfs->places = more;
			rootfs->room = rootfs->room * 2 + 32;
		}
	}
	if (!more || !dst) {
		rootfs->error = -ENOMEM;
		free(src);
		free(dst);
		return;
	}
	more[rootfs->count++] =
		(struct af_place){.kind = kind, .mode = mode, .src = src, .dst = dst, .fd = -1};
}

static void add_place(
	struct af_rootfs *rootfs, enum af_place_kind kind, const char *src, const char *dst)
{
	char *copy = src ? strdup(src) : NULL;

	if (src && !copy)
		rootfs->error = -ENOMEM;
	take_place(
		rootfs, kind, kind == AF_PLACE_COPY ? 0444 : 0755, copy, dst ? strdup(dst) : NULL);
}

static void add_directory(
	struct af_rootfs *rootfs, enum af_place_kind kind, unsigned int mode, const char *dst)
{
	take_place(rootfs, kind, mode, NULL, strdup(dst));
}

__attribute__((format(printf, 3, 4))) static void add_file(
	struct af_rootfs *rootfs, const char *dst, const char *fmt, ...)
{
	char *text;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	if (!text)
		rootfs->error = -ENOMEM;
	take_place(rootfs, AF_PLACE_FILE, 0444, text, strdup(dst));
}

static void add_programs(struct af_rootfs *rootfs, const struct af_host *host)
{
	add_place(rootfs, AF_PLACE_RO_BIND, "/usr", "/usr");
	for (size_t i = 0; i < host->dir_count; i++) {
		const struct af_host_dir *dir = &host->dirs[i];

		if (dir->link)
			add_place(rootfs, AF_PLACE_SYMLINK, dir->link, dir->path);
		else
			add_place(rootfs, AF_PLACE_RO_BIND, dir->path, dir->path);
	}
}

static void add_accounts(struct af_rootfs *rootfs, const struct af_identity *id)
{
	const char *others = "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
	const char *root = id->shown_uid == 0 ? "" : "root:x:0:0:root:/root:/bin/sh\n";
	const char *root_group = id->shown_gid == 0 ? "" : "root:x:0:\n";

	if (id->shown_uid == 65534)
		others = "";
	add_file(rootfs, "/etc/passwd", "%s%s:x:%u:%u:%s:%s:/bin/bash\n%s", root, id->name,
		id->shown_uid, id->shown_gid, id->name, id->home, others);
	add_file(rootfs, "/etc/group", "%s%s:x:%u:\n%s", root_group, id->group, id->shown_gid,
		id->shown_gid == 65534 ? "" : "nogroup:x:65534:\n");
}

static void add_etc(struct af_rootfs *rootfs, const struct af_rootfs_facts *facts)
{
	const struct af_host *host = facts->host;

	add_accounts(rootfs, facts->identity);
	add_file(rootfs, "/etc/nsswitch.conf",
		"passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
		"networks: files\nprotocols: files\nservices: files\n");
	add_file(rootfs, "/etc/hosts",
		"127.0.0.1 localhost sandbox\n::1 localhost ip6-localhost ip6-loopback\n");
	add_file(rootfs, "/etc/hostname", "sandbox\n");
	add_place(rootfs, AF_PLACE_SYMLINK, "/proc/self/mounts", "/etc/mtab");
	/* A small file is cheaper to copy than to mount. */
	for (size_t i = 0; i < host->etc_files.count; i++)
		add_place(
			rootfs, AF_PLACE_COPY, host->etc_files.items[i], host->etc_files.items[i]);
	for (size_t i = 0; i < host->etc_dirs.count; i++)
		add_place(
			rootfs, AF_PLACE_RO_BIND, host->etc_dirs.items[i], host->etc_dirs.items[i]);
	if (host->localtime)
		add_place(rootfs, AF_PLACE_SYMLINK, host->localtime, "/etc/localtime");
	else
		add_place(rootfs, AF_PLACE_RO_BIND_TRY, "/etc/localtime", "/etc/localtime");
	if (facts->net_host && host->resolv)
		add_place(rootfs, AF_PLACE_RO_BIND, host->resolv, "/etc/resolv.conf");
}

static void add_kernel(struct af_rootfs *rootfs)
{
	static const char *const read_only[] = {
		"/proc/sys",
		"/proc/sysrq-trigger",
		"/proc/irq",
		"/proc/bus",
		"/proc/fs",
		"/proc/acpi",
		"/proc/scsi",
		NULL,
	};
	static const char *const masked[] = {"/proc/keys", "/proc/timer_list", NULL};

	add_place(rootfs, AF_PLACE_PROC, NULL, "/proc");
	for (const char *const *path = read_only; *path; path++)
		add_place(rootfs, AF_PLACE_RO_BIND_TRY, *path, *path);
	for (const char *const *path = masked; *path; path++)
		add_place(rootfs, AF_PLACE_RO_BIND_TRY, "/dev/null", *path);
	add_place(rootfs, AF_PLACE_DEV, NULL, "/dev");
}

void rootfs_build(struct af_rootfs *rootfs, const struct af_rootfs_facts *facts)
{
	const char *home = facts->identity->home;
	/* An image's home directories are not ours to hide. */
	bool below_home = !facts->image && strncmp(home, "/home/", 6) == 0;

	*rootfs = (struct af_rootfs){0};
	if (!facts->image) {
		add_programs(rootfs, facts->host);
		add_etc(rootfs, facts);
		add_kernel(rootfs);
	}
	add_directory(rootfs, AF_PLACE_TMPFS, 01777, "/tmp");
	add_directory(rootfs, AF_PLACE_TMPFS, 0755, "/run");
	if (facts->channels)
		add_directory(rootfs, AF_PLACE_DIR, 0755, "/run/channel");
	if (below_home)
		add_directory(rootfs, AF_PLACE_TMPFS, 0755, "/home");
	add_directory(rootfs, below_home ? AF_PLACE_DIR : AF_PLACE_TMPFS, 0700, home);
	if (facts->image) {
		add_directory(rootfs, AF_PLACE_TMPFS, 01777, "/var/tmp");
	} else {
		add_directory(rootfs, AF_PLACE_DIR, 0755, "/var");
		add_place(rootfs, AF_PLACE_SYMLINK, "/tmp", "/var/tmp");
		add_place(rootfs, AF_PLACE_SYMLINK, "/run", "/var/run");
	}
	add_place(rootfs, AF_PLACE_VIEW, NULL, facts->mount_at);
}

void rootfs_bind(struct af_rootfs *rootfs, const char *src, const char *dst, bool writable)
{
	add_place(rootfs, writable ? AF_PLACE_BIND : AF_PLACE_RO_BIND, src, dst);
}

void rootfs_channel(struct af_rootfs *rootfs, const char *name)
{
	char *dst;

	if (asprintf(&dst, "/run/channel/%s", name) < 0)
		dst = NULL;
	if (!dst)
		rootfs->error = -ENOMEM;
	take_place(rootfs, AF_PLACE_CHANNEL, 0, strdup(name), dst);
}

/* Where source would show below a place that shows src at dst: newly allocated, or NULL. */
static char *shown_path(const struct af_place *place, const char *source)
{
	size_t len = strlen(place->src);
	char *path;

	while (len > 0 && place->src[len - 1] == '/')
		len--;
	if (strncmp(source, place->src, len) != 0 || source[len] != '/' || !source[len + 1])
		return NULL;
	if (asprintf(&path, "%s%s", strcmp(place->dst, "/") == 0 ? "" : place->dst, source + len) <
		0)
		return NULL;
	return path;
}

/* The policy decides what is seen of the source, so no bind may show it as well. */
static void hide_source(struct af_rootfs *rootfs, const char *source)
{
	size_t count = rootfs->count;

	for (size_t i = 0; i < count; i++) {
		const struct af_place *place = &rootfs->places[i];
		char *path;

		if (place->kind != AF_PLACE_RO_BIND && place->kind != AF_PLACE_BIND)
			continue;
		path = shown_path(place, source);
		if (path)
			take_place(rootfs, AF_PLACE_TMPFS, 0, NULL, path);
	}
}

int rootfs_finish(struct af_rootfs *rootfs, const struct af_rootfs_facts *facts)
{
	hide_source(rootfs, facts->source);
	add_place(rootfs, AF_PLACE_READ_ONLY, NULL, "/");
	return rootfs->error;
}

void rootfs_fini(struct af_rootfs *rootfs)
{
	for (size_t i = 0; i < rootfs->count; i++) {
		free(rootfs->places[i].src);
		free(rootfs->places[i].dst);
		if (rootfs->places[i].fd >= 0)
			close(rootfs->places[i].fd);
	}
	free(rootfs->places);
	*rootfs = (struct af_rootfs){0};
}

bool rootfs_has_content(const struct af_place *place)
{
	return place->kind == AF_PLACE_FILE || place->kind == AF_PLACE_COPY;
}

static int open_text(const char *text)
{
	af_autoclose int fd = memfd_create("afrun-file", MFD_CLOEXEC);
	int err = fd < 0 ? -errno : io_write_all(fd, text, strlen(text));

	if (!err && lseek(fd, 0, SEEK_SET) < 0)
		err = -errno;
	return err ? err : af_steal_fd(&fd);
}

int rootfs_open_files(struct af_rootfs *rootfs)
{
	for (size_t i = 0; i < rootfs->count; i++) {
		struct af_place *place = &rootfs->places[i];
		int fd;

		if (!rootfs_has_content(place))
			continue;
		if (place->kind == AF_PLACE_FILE) {
			fd = open_text(place->src);
		} else {
			fd = open(place->src, O_RDONLY | O_CLOEXEC | O_NOCTTY);
			fd = fd < 0 ? -errno : fd;
		}
		if (fd < 0)
			return fd;
		place->fd = fd;
	}
	return 0;
}
