/*
 * libFuzzer target: whatever the bytes are, the parser must end with rules or an error, and the
 * compiled policy must decide as the reference does.
 *
 * Input: a policy file, a NUL, then paths that end in NUL. Or, with 0xff first: rules as on a command
 * line, each ended by a newline, then a NUL and the paths.
 */
#include "../unit/policy_check.h"

#include "io.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_init("fuzz_policy");
	return 0;
}

static int add_file(struct af_rules *rules, const char *text, size_t size)
{
	char path[64];
	int fd = memfd_create("policy", MFD_CLOEXEC);
	int rc;

	if (fd < 0 || io_write_all(fd, text, size) < 0)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rc = rules_add_file(rules, path);
	close(fd);
	return rc;
}

static int add_lines(struct af_rules *rules, char *text)
{
	char *save = NULL;
	int rc = 0;

	for (char *line = strtok_r(text, "\n", &save); line && !rc;
		line = strtok_r(NULL, "\n", &save))
		rc = rules_add_text(rules, line, "fuzz");
	return rc;
}

/* The reference's view of the rules. Returns whether it has room for them. */
static bool describe(const struct af_rules *rules, struct check *check)
{
	check->level = rules->level;
	check->count = rules->count;
	if (rules->count > CHECK_MAX_PATTERNS)
		return false;
	for (size_t i = 0; i < rules->count; i++) {
		const struct pattern *p = &rules->patterns[i];

		/* The reference is exponential in stars and braces. */
		if (strlen(p->rule.pattern) > 40)
			return false;
		check->patterns[i] = (struct slow_pattern){
			p->rule.pattern, p->group, (int)p->rule.level, p->rule.priority, p->nocase};
	}
	return true;
}

/* A path as a mount has them: no empty component, no dots. */
static bool is_path(const char *path, size_t len)
{
	size_t start = 0;

	if (len > 60)
		return false;
	for (size_t i = 0; i <= len && len > 0; i++) {
		if (i < len && path[i] != '/')
			continue;
		if (i == start || (path[start] == '.' && i - start <= 2 && path[i - 1] == '.'))
			return false;
		start = i + 1;
	}
	return true;
}

static void check_paths(struct check *check, bool reference, const char *paths, const char *end)
{
	struct af_step step;

	for (int i = 0; i < 16 && paths < end; i++) {
		size_t len = strnlen(paths, (size_t)(end - paths));

		if (reference && is_path(paths, len)) {
			if (!check_path(check, paths, len))
				abort();
		} else {
			policy_path(check->policy, paths, len, &step);
		}
		paths += len + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct af_rules *rules = rules_new();
	char *text = malloc(size + 1);
	struct check check = {0};
	size_t len;
	int rc;

	if (!rules || !text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	len = strlen(text);
	if (size > 0 && data[0] == 0xff)
		rc = add_lines(rules, text + 1);
	else
		rc = add_file(rules, text, len);
	/* A small cache, so that its end is met too. */
	if (rc == 0 && policy_compile_sized(rules, 65536, &check.policy) == 0) {
		check_paths(
			&check, describe(rules, &check), text + len + (len < size), text + size);
		policy_put(check.policy);
	}
	rules_free(rules);
	free(text);
	return 0;
}
