/*
 * Presets: policy files that are installed with the programs and found by name.
 */
#include "policy_internal.h"

#include "cleanup.h"
#include "path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX ".conf"

/* Files beside the presets that are made to be included, or lists for another program. */
static const char *const parts[] = {"hold", "secrets"};

/* A name, so that no preset is a path in disguise. */
static bool is_preset_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_");

	return len > 0 && len < 64 && name[len] == '\0';
}

char *preset_find(const char *name)
{
	af_autofree char *file = NULL;

	if (!is_preset_name(name)) {
		errno = ENOENT;
		return NULL;
	}
	if (asprintf(&file, "policies/%s" SUFFIX, name) < 0) {
		file = NULL;
		errno = ENOMEM;
		return NULL;
	}
	return path_find_data(file);
}

static int is_policy(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > strlen(SUFFIX) && strcmp(entry->d_name + len - strlen(SUFFIX), SUFFIX) == 0;
}

static void print_preset(FILE *out, char *name)
{
	af_autofree char *path = NULL;

	name[strlen(name) - strlen(SUFFIX)] = '\0';
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strcmp(name, parts[i]) == 0)
			return;
	path = preset_find(name);
	if (path)
		fprintf(out, "%s\t%s\n", name, path);
}

int rules_print_presets(FILE *out)
{
	af_autofree char *dir = path_find_data("policies");
	struct dirent **list = NULL;
	int count = dir ? scandir(dir, &list, is_policy, alphasort) : -1;

	if (count < 0)
		return -errno;
	for (int i = 0; i < count; i++) {
		print_preset(out, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return ferror(out) ? -EIO : 0;
}
