/*
 * Where this process is among the control groups. See cgroup.h; texts to paths, nothing else.
 */
#include "cgroup.h"

#include "cleanup.h"

#include <string.h>

static const char *const names[CGROUP_COUNT] = {
	[CGROUP_MEMORY] = "memory", [CGROUP_PIDS] = "pids", [CGROUP_CPU] = "cpu"};

/* Whether a list with commas has the word. */
static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (;;) {
		size_t size = strcspn(list, ",");

		if (size == len && strncmp(list, word, len) == 0)
			return true;
		if (!list[size])
			return false;
		list += size + 1;
	}
}

/* \ooo, as mountinfo has blanks and the like, in place. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
			from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* A line of mountinfo that is of a control group's filesystem. All borrowed from the line. */
struct mount {
	char *root, *point, *options; /* of the filesystem */
	bool unified;
};

static bool read_mount(char *line, struct mount *mount)
{
	enum { ROOT = 3, POINT = 4, TYPE = 0, SUPER = 2, FIELDS = 6 };
	char *tail = strstr(line, " - "), *fields[FIELDS] = {NULL}, *after[SUPER + 1] = {NULL};

	if (!tail)
		return false;
	*tail = '\0';
	tail += strlen(" - ");
	for (int i = 0; i < FIELDS; i++)
		fields[i] = strsep(&line, " ");
	for (int i = 0; i <= SUPER; i++)
		after[i] = strsep(&tail, " ");
	if (!fields[POINT] || !after[SUPER])
		return false;
	*mount = (struct mount){.root = fields[ROOT],
		.point = fields[POINT],
		.options = after[SUPER],
		.unified = strcmp(after[TYPE], "cgroup2") == 0};
	unescape(mount->root);
	unescape(mount->point);
	return mount->unified || strcmp(after[TYPE], "cgroup") == 0;
}

/* The path of /proc/self/cgroup whose controllers have the name ("": version 2); newly allocated. */
static char *own_path(const char *self, const char *name)
{
	while (*self) {
		size_t len = strcspn(self, "\n");
		af_autofree char *line = strndup(self, len);
		char *rest = line, *list;

		if (!line)
			return NULL;
		strsep(&rest, ":");
		list = strsep(&rest, ":");
		if (list && rest && (*name ? has_word(list, name) : !*list))
			return strdup(rest);
		self += len + (self[len] == '\n');
	}
	errno = ENOENT;
	return NULL;
}

/* Where the path is below the mount, which may show but a part of the hierarchy. */
static char *join(const struct mount *mount, const char *path)
{
	size_t len = strcmp(mount->root, "/") == 0 ? 0 : strlen(mount->root);
	bool below = strncmp(path, mount->root, len) == 0 && (path[len] == '/' || !path[len]);
	const char *rest = below ? path + len : "";
	char *joined;

	if (strcmp(rest, "/") == 0)
		rest = "";
	return asprintf(&joined, "%s%s", mount->point, rest) < 0 ? NULL : joined;
}

/* 0 where there is no such thing, too. */
static int take_path(char **to, const struct mount *mount, const char *self, const char *name)
{
	af_autofree char *path = *to ? NULL : own_path(self, name);

	if (*to || (!path && errno == ENOENT))
		return 0;
	*to = path ? join(mount, path) : NULL;
	return *to ? 0 : -ENOMEM;
}

static int take_mount(struct cgroup_home *home, const struct mount *mount, const char *self)
{
	int err = 0;

	if (mount->unified) {
		bool first = !home->unified;

		err = take_path(&home->unified, mount, self, "");
		if (first)
			home->unified_root = strlen(mount->point);
		return err;
	}
	for (int i = 0; i < CGROUP_COUNT && !err; i++)
		if (has_word(mount->options, names[i]))
			err = take_path(&home->legacy[i], mount, self, names[i]);
	return err;
}

int cgroup_find_home(struct cgroup_home *home, const char *mountinfo, const char *self)
{
	int err = 0;

	*home = (struct cgroup_home){.unified = NULL};
	while (*mountinfo && !err) {
		size_t len = strcspn(mountinfo, "\n");
		af_autofree char *line = strndup(mountinfo, len);
		struct mount mount;

		if (!line)
			return -ENOMEM;
		if (read_mount(line, &mount))
			err = take_mount(home, &mount, self);
		mountinfo += len + (mountinfo[len] == '\n');
	}
	return err;
}

void cgroup_home_fini(struct cgroup_home *home)
{
	for (int i = 0; i < CGROUP_COUNT; i++)
		free(home->legacy[i]);
	free(home->unified);
	*home = (struct cgroup_home){.unified = NULL};
}
