/*
 * Policy files -> rules. libConfuse reads them; this file gives its calls their meaning.
 *
 * libConfuse hands callbacks no pointer of ours, and its lexer is global: both are under one mutex.
 */
#include "policy_internal.h"

#include "cleanup.h"
#include "log.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_INCLUDES 16

/* A file being read, and those that include it. */
struct parse {
	const struct parse *by; /* the includer, or NULL */
	struct af_rules *rules;
	const char *name; /* as messages name it; in the rules' pool */
	dev_t dev;
	ino_t ino;
	unsigned int depth;
	struct policy_text text;
	size_t next_arg; /* of text.arg_lines */
	int rc;          /* the first error: -ENOMEM is not -EINVAL */
};

static pthread_mutex_t parse_lock = PTHREAD_MUTEX_INITIALIZER;
static struct parse *current; /* under parse_lock */

static int parse_file(struct parse *p, const char *path);

/* libConfuse wants -1; the file's own result is kept. */
static int fail(int rc)
{
	if (current->rc == 0)
		current->rc = rc;
	return -1;
}

static void on_error(cfg_t *cfg, const char *fmt, va_list args)
	__attribute__((format(printf, 2, 0)));
static void on_error(cfg_t *cfg, const char *fmt, va_list args)
{
	af_autofree char *message = NULL;

	if (vasprintf(&message, fmt, args) < 0)
		message = NULL;
	log_error("%s:%d: %s", current->name, cfg->line, message ? message : "syntax error");
	fail(-EINVAL);
}

static int refuse(const cfg_t *cfg, const char *object, const char *why)
{
	return fail(rules_refuse(current->name, (unsigned int)cfg->line, object, why));
}

/* The line of the i-th of a call's strings. */
static unsigned int arg_line(const cfg_t *cfg, size_t i)
{
	const struct policy_text *text = &current->text;

	return current->next_arg + i < text->args ? text->arg_lines[current->next_arg + i]
						  : (unsigned int)cfg->line;
}

static int on_level(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
	struct af_rules *rules = current->rules;
	struct af_rule rule = {.file = current->name};
	bool positive = false;

	if (level_parse(opt->name, &rule.level) < 0)
		return refuse(cfg, opt->name, "not a level");
	if (argc == 0)
		return refuse(cfg, opt->name, "no pattern");
	rules->groups++;
	for (int i = 0; i < argc; i++) {
		int rc;

		rule.line = arg_line(cfg, (size_t)i);
		rule.pattern = argv[i];
		rc = rules_add_pattern(rules, &rule);
		if (rc)
			return fail(rc);
		rules->patterns[rules->count - 1].in_group = cfg_title(cfg) != NULL;
		positive |= argv[i][0] != '!';
	}
	if (!positive)
		return refuse(cfg, opt->name, "only patterns with !, which take out of nothing");
	current->next_arg += (size_t)argc;
	return 0;
}

/* default = LEVEL */
static int on_default(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *text = cfg_opt_getnstr(opt, 0);
	enum af_level level;

	if (!text || level_parse(text, &level) < 0)
		return refuse(cfg, text, "not a level: none, view, read or write");
	if (!current->rules->level_forced)
		current->rules->level = level;
	return 0;
}

static int on_priority(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *text = cfg_opt_getnstr(opt, 0);
	int priority;

	if (!text || policy_parse_priority(text, &priority) < 0)
		return refuse(cfg, text, "not a priority: a whole number from -1000000 to 1000000");
	return 0;
}

/* The end of a rules{} section: what it says holds for all of it. */
static int on_group(cfg_t *cfg, cfg_opt_t *opt)
{
	struct af_rules *rules = current->rules;
	cfg_t *section = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
	const char *text = cfg_getstr(section, "priority");
	bool nocase = cfg_getbool(section, "nocase") == cfg_true;
	int priority = 0;

	if (text && policy_parse_priority(text, &priority) < 0)
		return refuse(cfg, text, "not a priority");
	for (size_t i = rules->count; i > 0 && rules->patterns[i - 1].in_group; i--) {
		struct pattern *pattern = &rules->patterns[i - 1];

		pattern->rule.priority = priority;
		pattern->nocase = nocase;
		pattern->in_group = false;
	}
	return 0;
}

/* name in the directory of the file at hand. Newly allocated, or NULL. */
static char *beside(const char *name)
{
	const char *slash = strrchr(current->name, '/');
	char *path = NULL;

	if (name[0] == '/' || !slash)
		return strdup(name);
	if (asprintf(&path, "%.*s/%s", (int)(slash - current->name), current->name, name) < 0)
		return NULL;
	return path;
}

/*
 * A preset's name, which has no dot or slash; else a file, relative to the one that includes it;
 * else, where there is no such file, NAME.conf of a preset.
 */
static char *include_path(const char *name)
{
	af_autofree char *path = preset_find(name);
	af_autofree char *stem = NULL;
	size_t len = strlen(name);

	if (path)
		return af_steal(&path);
	path = beside(name);
	if (!path || faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || len < 6 ||
		strcmp(name + len - 5, ".conf") != 0)
		return af_steal(&path);
	stem = strndup(name, len - 5);
	if (stem) {
		char *preset = preset_find(stem);

		if (preset)
			return preset;
	}
	return af_steal(&path);
}

static int on_include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
	struct parse *outer = current;
	struct parse p = {.by = outer, .rules = outer->rules, .depth = outer->depth + 1};
	af_autofree char *path = NULL;
	int rc;

	if (argc != 1 || argv[0][0] == '\0')
		return refuse(cfg, opt->name, "takes one file or preset");
	outer->next_arg++;
	if (p.depth > MAX_INCLUDES)
		return refuse(cfg, argv[0], "includes are nested too deeply");
	path = include_path(argv[0]);
	rc = path ? parse_file(&p, path) : -ENOMEM;
	if (rc)
		log_error("%s:%d: include: %s: not read", outer->name, cfg->line, argv[0]);
	return rc ? fail(rc) : 0;
}

static int on_nested_include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
	(void)argc;
	(void)argv;
	return refuse(cfg, opt->name, "not inside a group: its priority would not hold there");
}

static int parse_text(struct parse *p)
{
	cfg_opt_t group[] = {
		CFG_STR("priority", NULL, CFGF_NONE),
		CFG_BOOL("nocase", cfg_false, CFGF_NONE),
		CFG_FUNC("none", on_level),
		CFG_FUNC("view", on_level),
		CFG_FUNC("read", on_level),
		CFG_FUNC("write", on_level),
		CFG_FUNC("include", on_nested_include),
		CFG_END(),
	};
	cfg_opt_t file[] = {
		CFG_STR("default", NULL, CFGF_NONE),
		CFG_SEC("rules", group, CFGF_MULTI | CFGF_TITLE),
		CFG_FUNC("none", on_level),
		CFG_FUNC("view", on_level),
		CFG_FUNC("read", on_level),
		CFG_FUNC("write", on_level),
		CFG_FUNC("include", on_include),
		CFG_END(),
	};
	cfg_t *cfg = cfg_init(file, CFGF_NONE);
	af_autofclose FILE *in = fmemopen(p->text.text, p->text.size, "r");
	int rc = -ENOMEM;

	if (cfg && in) {
		cfg->filename = strdup(p->name);
		cfg_set_error_function(cfg, on_error);
		cfg_set_validate_func(cfg, "default", on_default);
		cfg_set_validate_func(cfg, "rules", on_group);
		cfg_set_validate_func(cfg, "rules|priority", on_priority);
		rc = cfg_parse_fp(cfg, in) == CFG_SUCCESS ? p->rc : p->rc ? p->rc : -EINVAL;
	}
	cfg_free(cfg);
	return rc;
}

static bool is_loop(const struct parse *p)
{
	for (const struct parse *outer = p->by; outer; outer = outer->by)
		if (outer->dev == p->dev && outer->ino == p->ino)
			return true;
	return false;
}

static int read_text(struct parse *p, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	p->dev = st.st_dev;
	p->ino = st.st_ino;
	if (is_loop(p)) {
		log_error("%s: includes itself", p->name);
		return -EINVAL;
	}
	return policy_text_read(&p->text, fd, p->name);
}

/* Under parse_lock. p->by, rules and depth are set. */
static int parse_file(struct parse *p, const char *path)
{
	/* Opening a FIFO must not wait for a writer. */
	af_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct parse *outer = current;
	int rc = fd < 0 ? -errno : 0;

	p->name = pool_add(&p->rules->pool, path, strlen(path));
	if (rc || !p->name) {
		log_error("%s: %s", path, strerror(rc ? -rc : ENOMEM));
		return rc ? rc : -ENOMEM;
	}
	rc = read_text(p, fd);
	if (!rc) {
		current = p;
		rc = parse_text(p);
		current = outer;
	}
	policy_text_fini(&p->text);
	return rc;
}

int rules_add_file(struct af_rules *rules, const char *path)
{
	struct parse p = {.rules = rules};
	int rc;

	pthread_mutex_lock(&parse_lock);
	rc = parse_file(&p, path);
	pthread_mutex_unlock(&parse_lock);
	return rc;
}

int rules_add_preset(struct af_rules *rules, const char *name)
{
	af_autofree char *path = preset_find(name);
	int rc = -errno;

	if (path)
		return rules_add_file(rules, path);
	if (rc == -ENOENT)
		log_error("%s: no such preset (agentfensefs --presets lists them)", name);
	else
		log_error("%s: preset: %s", name, strerror(-rc));
	return rc == -ENOMEM ? rc : -EINVAL;
}
