/*
 * Policy files -> rules. libConfuse reads them; this file gives its calls their meaning.
 *
 * libConfuse hands callbacks no pointer of ours, and its lexer is global: both are under one mutex.
 * The lexer does not survive another parse inside a callback (cfg_free() of a root destroys it), so
 * an include is only noted there; the file is read when the one that includes it has been, and its
 * rules go to where it was included.
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

/* What must happen in its place between the patterns of a file: an include, or a default. */
struct event {
	size_t before;     /* how many of the file's own patterns come before it */
	char *include;     /* a file or preset as written; owned; NULL: a default */
	unsigned int line; /* of the include */
	enum af_level level;
};

/* A file being read, and those that include it. */
struct parse {
	const struct parse *by; /* the includer, or NULL */
	unsigned int by_line;   /* where in it */
	struct af_rules *rules;
	const char *name; /* as messages name it; in the rules' pool */
	bool in_memory;   /* no file: it has no place of its own to include others from */
	dev_t dev;
	ino_t ino;
	unsigned int depth;
	struct policy_text text;
	size_t next_arg; /* of text.arg_lines */
	size_t first;    /* of rules' patterns: where this file's own begin */
	cfg_t *group;    /* the rules{} that has the last pattern; it ends at on_group() */
	struct event *events;
	size_t event_count, event_room;
	int rc; /* the first error: -ENOMEM is not -EINVAL */
};

static pthread_mutex_t parse_lock = PTHREAD_MUTEX_INITIALIZER;
static struct parse *current; /* under parse_lock */

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
		if (cfg_title(cfg)) {
			rules->patterns[rules->count - 1].in_group = true;
			current->group = cfg;
		}
		positive |= argv[i][0] != '!';
	}
	if (!positive)
		return refuse(cfg, opt->name, "only patterns with !, which take out of nothing");
	current->next_arg += (size_t)argc;
	return 0;
}

/* Notes event as of now; takes event.include over. */
static int add_event(struct event event)
{
	event.before = current->rules->count - current->first;
	if (glob_grow((void **)&current->events, &current->event_room, current->event_count,
		    sizeof(*current->events))) {
		current->events[current->event_count++] = event;
		return 0;
	}
	free(event.include);
	log_error("%s: %s", current->name, strerror(ENOMEM));
	return fail(-ENOMEM);
}

/* default = LEVEL */
static int on_default(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *text = cfg_opt_getnstr(opt, 0);
	enum af_level level;

	if (!text || level_parse(text, &level) < 0)
		return refuse(cfg, text, "not a level: none, view, read or write");
	return add_event((struct event){.level = level});
}

static int on_priority(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *text = cfg_opt_getnstr(opt, 0);
	int priority;

	if (!text || policy_parse_priority(text, &priority) < 0)
		return refuse(cfg, text, "not a priority: a whole number from -1000000 to 1000000");
	return 0;
}

/*
 * The end of a rules{} section: what it says holds for all of it. It is not always the last one that
 * libConfuse has: one with a title that was used before takes that one's place.
 */
static int on_group(cfg_t *cfg, cfg_opt_t *opt)
{
	struct af_rules *rules = current->rules;
	cfg_t *section = current->group;
	const char *text = section ? cfg_getstr(section, "priority") : NULL;
	bool nocase = section && cfg_getbool(section, "nocase") == cfg_true;
	int priority = 0;

	(void)opt;
	current->group = NULL;
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

static int on_include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
	struct event event = {.line = arg_line(cfg, 0)};

	if (argc != 1 || argv[0][0] == '\0')
		return refuse(cfg, opt->name, "takes one file or preset");
	if (current->in_memory)
		return refuse(cfg, argv[0], "a policy that is kept elsewhere includes no other");
	current->next_arg++;
	event.include = strdup(argv[0]);
	if (!event.include)
		return fail(-ENOMEM);
	return add_event(event);
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

/* name in the directory of the file p. Newly allocated, or NULL. */
static char *beside(const struct parse *p, const char *name)
{
	const char *slash = strrchr(p->name, '/');
	char *path = NULL;

	if (name[0] == '/' || !slash)
		return strdup(name);
	if (asprintf(&path, "%.*s/%s", (int)(slash - p->name), p->name, name) < 0)
		return NULL;
	return path;
}

/*
 * A preset's name, which has no dot or slash; else a file, relative to the one that includes it;
 * else, where there is no such file, NAME.conf of a preset.
 */
static char *include_path(const struct parse *p, const char *name)
{
	af_autofree char *path = preset_find(name);
	af_autofree char *stem = NULL;
	size_t len = strlen(name);

	if (path)
		return af_steal(&path);
	path = beside(p, name);
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

static bool is_loop(const struct parse *p)
{
	for (const struct parse *outer = p->by; outer; outer = outer->by)
		if (outer->dev == p->dev && outer->ino == p->ino)
			return true;
	return false;
}

/* Says why the file cannot be read at all: by the line that wanted it, if there is one. */
static int unreadable(const struct parse *p, const char *path, int err, const char *why)
{
	if (p->by)
		log_error("%s:%u: include: %s: %s", p->by->name, p->by_line, path, why);
	else
		log_error("%s: %s", path, why);
	return err;
}

static int read_text(struct parse *p, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return unreadable(p, p->name, -errno, strerror(errno));
	p->dev = st.st_dev;
	p->ino = st.st_ino;
	if (is_loop(p))
		return unreadable(p, p->name, -EINVAL, "includes itself");
	return policy_text_read(&p->text, fd, p->name);
}

static int parse_file(struct parse *p, const char *path);

static int include(const struct parse *p, const struct event *event)
{
	struct parse inner = {
		.by = p, .by_line = event->line, .rules = p->rules, .depth = p->depth + 1};
	af_autofree char *path = include_path(p, event->include);

	if (inner.depth > MAX_INCLUDES)
		return rules_refuse(
			p->name, event->line, event->include, "includes are nested too deeply");
	if (!path)
		return unreadable(&inner, event->include, -ENOMEM, strerror(ENOMEM));
	return parse_file(&inner, path);
}

/* Appends patterns from..to of own to the rules. */
static int append(struct af_rules *rules, const struct pattern *own, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if (!glob_grow((void **)&rules->patterns, &rules->room, rules->count,
			    sizeof(*rules->patterns)))
			return -ENOMEM;
		rules->patterns[rules->count++] = own[i];
	}
	return 0;
}

/* Does what was noted, each in its place between the file's own patterns. */
static int do_events(struct parse *p)
{
	struct af_rules *rules = p->rules;
	size_t count = rules->count - p->first, done = 0;
	af_autofree struct pattern *own = calloc(count + 1, sizeof(*own));
	int rc = own ? 0 : -ENOMEM;

	if (own && count)
		memcpy(own, rules->patterns + p->first, count * sizeof(*own));
	rules->count = p->first;
	for (size_t i = 0; i < p->event_count && !rc; i++) {
		const struct event *event = &p->events[i];

		rc = append(rules, own, done, event->before);
		done = event->before;
		if (!rc && event->include)
			rc = include(p, event);
		else if (!rules->level_forced)
			rules->level = event->level;
	}
	return rc ? rc : append(rules, own, done, count);
}

static void parse_fini(struct parse *p)
{
	for (size_t i = 0; i < p->event_count; i++)
		free(p->events[i].include);
	free(p->events);
	policy_text_fini(&p->text);
}

/* Under parse_lock. p->text has been read. */
static int parse_rules(struct parse *p)
{
	int rc;

	current = p;
	rc = parse_text(p);
	current = NULL;
	if (!rc && p->event_count)
		rc = do_events(p);
	return rc;
}

/* Under parse_lock. p->by, rules and depth are set. */
static int parse_file(struct parse *p, const char *path)
{
	/* Opening a FIFO must not wait for a writer. */
	af_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int rc = fd < 0 ? -errno : 0;

	p->name = pool_add(&p->rules->pool, path, strlen(path));
	p->first = p->rules->count;
	if (!rc && !p->name)
		rc = -ENOMEM;
	if (rc)
		return unreadable(p, path, rc, strerror(-rc));
	rc = read_text(p, fd);
	if (!rc)
		rc = parse_rules(p);
	parse_fini(p);
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

int rules_add_named_text(struct af_rules *rules, const char *name, const char *text)
{
	struct parse p = {.rules = rules, .first = rules->count, .in_memory = true};
	int rc;

	p.name = pool_add(&rules->pool, name, strlen(name));
	if (!p.name)
		return unreadable(&p, name, -ENOMEM, strerror(ENOMEM));
	pthread_mutex_lock(&parse_lock);
	rc = policy_text_copy(&p.text, text, p.name);
	if (!rc)
		rc = parse_rules(&p);
	parse_fini(&p);
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
