/*
 * --explain and --check: the same rules, compiled and asked as for a mount, on paths that need not
 * exist. Nothing is mounted, and a source (-C) is only asked what is a directory there.
 */
#include "explain.h"

#include "cleanup.h"
#include "json.h"
#include "log.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>

#define STREAM_BUFFER (256U << 10)

struct explain {
	const struct fs_options *options;
	struct af_policy *policy;
	FILE *out;
	int source_fd; /* -1: none */
	bool failed;
	char *path;    /* the path at hand in the policy's form: no slash at either end */
	char *escaped; /* room for text that must be escaped */
	size_t path_room, escaped_room;
};

static bool make_room(char **buffer, size_t *room, size_t want)
{
	char *bigger;

	if (want <= *room)
		return true;
	bigger = realloc(*buffer, want + want / 2);
	if (!bigger)
		return false;
	*buffer = bigger;
	*room = want + want / 2;
	return true;
}

/* ---- paths ------------------------------------------------------------------------------------ */

/*
 * Copies text without empty and "." components into e->path. Returns the length, -EINVAL where a
 * component is "..", which only a filesystem could tell the meaning of, or -EILSEQ for a NUL.
 */
static ssize_t normalize(struct explain *e, const char *text, size_t len)
{
	const char *end = text + len;
	size_t used = 0;

	if (memchr(text, '\0', len))
		return -EILSEQ;
	if (!make_room(&e->path, &e->path_room, len + 1))
		return -ENOMEM;
	while (text < end) {
		const char *slash = memchr(text, '/', (size_t)(end - text));
		size_t name = (size_t)((slash ? slash : end) - text);

		if (name == 2 && text[0] == '.' && text[1] == '.')
			return -EINVAL;
		if (name > 0 && !(name == 1 && text[0] == '.')) {
			if (used > 0)
				e->path[used++] = '/';
			memcpy(e->path + used, text, name);
			used += name;
		}
		text += name + (slash != NULL);
	}
	e->path[used] = '\0';
	return (ssize_t)used;
}

/* Whether the source has a directory at e->path; no symlink is followed. */
static bool is_directory(const struct explain *e)
{
	af_autoclose int fd = path_openat2(e->source_fd, e->path, O_PATH | O_NOFOLLOW, 0,
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

/* ---- records ---------------------------------------------------------------------------------- */

static bool is_plain(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] > 0x7e)
			return false;
	return true;
}

/* Text of a line: escaped, unless records end in NUL. */
static void put_text(struct explain *e, const char *text, size_t len)
{
	if (e->options->nul || is_plain(text, len)) {
		fwrite_unlocked(text, 1, len, e->out);
		return;
	}
	if (make_room(&e->escaped, &e->escaped_room, len * 4 + 1))
		fwrite_unlocked(
			e->escaped, 1, log_escape(e->escaped, e->escaped_room, text, len), e->out);
	else
		e->failed = true;
}

static void put_string(struct explain *e, const char *text)
{
	put_text(e, text, strlen(text));
}

static void put_number(struct explain *e, unsigned int number)
{
	char digits[12];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	fwrite_unlocked(digits + at, 1, sizeof(digits) - at, e->out);
}

static void print_line(struct explain *e, const char *path, size_t len, enum af_level level,
	const struct af_rule *rule)
{
	put_string(e, level_name(level));
	putc_unlocked('\t', e->out);
	put_text(e, path, len);
	putc_unlocked('\t', e->out);
	put_string(e, rule ? rule->file : "default");
	if (rule && rule->line > 0) {
		putc_unlocked(':', e->out);
		put_number(e, rule->line);
		put_string(e, ": ");
		put_string(e, rule->pattern);
	}
}

static void print_json(struct explain *e, const char *path, size_t len, enum af_level level,
	const struct af_rule *rule)
{
	struct af_json json;

	json_init(&json, e->out);
	json_object(&json, NULL);
	json_bytes(&json, "path", path, len);
	json_string(&json, "level", level_name(level));
	json_string(&json, "rule", rule ? rule->pattern : NULL);
	json_string(&json, "file", rule ? rule->file : NULL);
	if (rule && rule->line > 0)
		json_int(&json, "line", rule->line);
	else
		json_null(&json, "line");
	json_object_end(&json);
}

static void print_record(struct explain *e, const char *path, size_t len, enum af_level level,
	const struct af_rule *rule)
{
	if (e->options->json)
		print_json(e, path, len, level, rule);
	else
		print_line(e, path, len, level, rule);
	putc_unlocked(e->options->nul ? '\0' : '\n', e->out);
}

/* ---- deciding --------------------------------------------------------------------------------- */

/* A full cache only costs time: an empty one is faster. */
static void keep_fast(struct explain *e)
{
	struct af_policy *fresh;

	if (!policy_is_full(e->policy))
		return;
	fresh = policy_renew(e->policy);
	if (!fresh)
		return;
	policy_put(e->policy);
	e->policy = fresh;
}

static void explain_path(struct explain *e, const char *text, size_t len)
{
	ssize_t path = normalize(e, text, len);
	struct af_verdict verdict;
	enum af_level level;
	struct af_step step;
	bool dir;

	if (path < 0) {
		log_error("%.*s: %s", (int)(len < 4096 ? len : 4096), text,
			path == -EINVAL           ? "a path with a .. component"
				: path == -EILSEQ ? "a path with a NUL (-0 ends paths in one)"
						  : strerror(ENOMEM));
		e->failed = true;
		return;
	}
	keep_fast(e);
	policy_path(e->policy, e->path, (size_t)path, &step);
	dir = path == 0 || text[len - 1] == '/' || (e->source_fd >= 0 && is_directory(e));
	verdict = dir ? step.dir : step.file;
	level = (enum af_level)verdict.level;
	/* The root of a mount always exists. */
	if (level == AF_NONE && dir && (path == 0 || verdict.flags & AF_V_TRAVERSABLE))
		level = AF_VIEW;
	print_record(e, text, len, level, policy_rule(e->policy, &verdict));
}

/* The paths of stdin. Returns 0 or -errno. */
static int explain_stdin(struct explain *e)
{
	int delimiter = e->options->nul ? '\0' : '\n';
	af_autofree char *line = NULL;
	size_t room = 0;
	ssize_t len;

	setvbuf(stdin, NULL, _IOFBF, STREAM_BUFFER);
	while (!ferror(e->out) && (len = getdelim(&line, &room, delimiter, stdin)) >= 0) {
		if (len > 0 && line[len - 1] == (char)delimiter)
			len--;
		explain_path(e, line, (size_t)len);
	}
	return ferror(stdin) ? -errno : 0;
}

static int explain_all(struct explain *e)
{
	const struct fs_options *options = e->options;
	int rc = 0;

	if (!isatty(fileno(e->out)))
		setvbuf(e->out, NULL, _IOFBF, STREAM_BUFFER);
	for (size_t i = 0; i < options->paths_count; i++)
		explain_path(e, options->paths[i], strlen(options->paths[i]));
	if (options->paths_count == 0)
		rc = explain_stdin(e);
	if (rc)
		log_error("standard input: %s", strerror(-rc));
	return rc || e->failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int explain_paths(const struct fs_options *options)
{
	struct af_rules *rules = options_load_rules(options, false);
	struct explain e = {.options = options, .out = stdout, .source_fd = -1};
	int status = EXIT_FAILURE;

	if (!rules)
		return status;
	if (options->explain_source) {
		e.source_fd = open(options->explain_source, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (e.source_fd < 0)
			log_error("%s: %s", options->explain_source, strerror(errno));
	}
	if ((!options->explain_source || e.source_fd >= 0) && !policy_compile(rules, &e.policy))
		status = explain_all(&e);
	rules_free(rules);
	policy_put(e.policy);
	if (e.source_fd >= 0)
		close(e.source_fd);
	free(e.path);
	free(e.escaped);
	return status;
}

int explain_check(const struct fs_options *options)
{
	struct af_rules *rules = options_load_rules(options, false);
	int unreachable = rules ? rules_warn_unreachable(rules) : -EINVAL;

	rules_free(rules);
	return unreachable < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
