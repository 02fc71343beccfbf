/*
 * The pattern parser of glob.h. It knows the grammar and nothing of rules or levels.
 */
#include "glob.h"

#include "utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool glob_grow(void **array, size_t *room, size_t count, size_t element)
{
	size_t want = *room ? *room * 2 : 32;
	void *bigger;

	if (count < *room)
		return true;
	bigger = reallocarray(*array, want, element);
	if (!bigger)
		return false;
	*array = bigger;
	*room = want;
	return true;
}

uint32_t glob_symbol(const char *text, size_t len, size_t *bytes)
{
	uint32_t code = 0;
	size_t used = utf8_length(text, len, &code);

	*bytes = used ? used : 1;
	return used ? code : GLOB_STRAY_BASE + (unsigned char)text[0];
}

static int add(struct glob *glob, enum glob_kind kind, uint32_t value)
{
	if (!glob_grow((void **)&glob->tokens, &glob->token_room, glob->token_count,
		    sizeof(*glob->tokens)))
		return -ENOMEM;
	glob->tokens[glob->token_count++] = (struct glob_token){kind, value};
	return 0;
}

static int invalid(const char **why, const char *text)
{
	*why = text;
	return -EINVAL;
}

/* Adds the character at *text, which may be escaped. */
static int add_char(struct glob *glob, const char **text, const char **why)
{
	size_t bytes;
	uint32_t symbol;

	if (**text == '\\') {
		(*text)++;
		if (**text == '\0')
			return invalid(why, "nothing follows the backslash at its end");
		if (**text == '/')
			return invalid(why, "a backslash before a slash");
	}
	symbol = glob_symbol(*text, strlen(*text) > 4 ? 4 : strlen(*text), &bytes);
	*text += bytes;
	return add(glob, GLOB_CHAR, symbol);
}

/* One more star; several in a row are as one. */
static int add_star(struct glob *glob, size_t component)
{
	if (glob->token_count > component && glob->tokens[glob->token_count - 1].kind == GLOB_STAR)
		return 0;
	return add(glob, GLOB_STAR, 0);
}

/* One token of a component, or a brace of it. */
static int parse_one(struct glob *glob, const char **text, size_t component, unsigned int *depth,
	const char **why)
{
	switch (**text) {
	case '*':
		(*text)++;
		return add_star(glob, component);
	case '?':
		(*text)++;
		return add(glob, GLOB_ANY, 0);
	case '[':
		(*text)++;
		return glob_parse_class(glob, text, why);
	case '{':
		(*text)++;
		if (++*depth > GLOB_MAX_DEPTH)
			return invalid(why, "braces nested too deeply");
		return add(glob, GLOB_OPEN, 0);
	case ',':
		if (*depth == 0)
			break;
		(*text)++;
		return add(glob, GLOB_COMMA, 0);
	case '}':
		if (*depth == 0)
			break;
		(*text)++;
		(*depth)--;
		return add(glob, GLOB_CLOSE, 0);
	}
	return add_char(glob, text, why);
}

/* Whether the tokens from first on are exactly count dots. */
static bool is_dots(const struct glob *glob, size_t first, size_t count)
{
	if (glob->token_count - first != count)
		return false;
	for (size_t i = first; i < glob->token_count; i++)
		if (glob->tokens[i].kind != GLOB_CHAR || glob->tokens[i].value != '.')
			return false;
	return true;
}

/* Whether anything between first and the end could match a character. */
static bool consumes(const struct glob *glob, size_t first)
{
	for (size_t i = first; i < glob->token_count; i++)
		if (glob->tokens[i].kind != GLOB_OPEN && glob->tokens[i].kind != GLOB_COMMA &&
			glob->tokens[i].kind != GLOB_CLOSE)
			return true;
	return false;
}

/* Parses one component up to its slash or the end. */
static int parse_component(struct glob *glob, const char **text, const char **why)
{
	size_t component = glob->token_count;
	unsigned int depth = 0;

	while (**text && (**text != '/' || depth > 0)) {
		int rc;

		if (**text == '/')
			return invalid(why, "a slash in braces");
		rc = parse_one(glob, text, component, &depth, why);
		if (rc)
			return rc;
	}
	if (depth > 0)
		return invalid(why, "a { without its }");
	if (is_dots(glob, component, 1) || is_dots(glob, component, 2))
		return invalid(why, "a component that is . or ..");
	if (!consumes(glob, component))
		return invalid(why, "an empty component");
	return 0;
}

/* Whether text begins with the whole component "**". */
static bool is_globstar(const char *text)
{
	return text[0] == '*' && text[1] == '*' && (text[2] == '/' || text[2] == '\0');
}

static int add_globstar(struct glob *glob)
{
	if (glob->token_count > 0 && glob->tokens[glob->token_count - 1].kind == GLOB_GLOBSTAR)
		return 0;
	return add(glob, GLOB_GLOBSTAR, 0);
}

/*
 * A pattern that ends in the component "**": what is before it, directories only. With a slash after
 * that it is every directory below, as .gitignore has it.
 */
static int finish_globstar(struct glob *glob, bool slash)
{
	int rc;

	glob->directory_only = true;
	if (slash) {
		rc = add_globstar(glob);
		return rc ? rc : add(glob, GLOB_STAR, 0);
	}
	/* A trailing slash token, or an earlier globstar ("x/" or all of "**" then "**"), adds nothing. */
	while (glob->token_count > 0 &&
		(glob->tokens[glob->token_count - 1].kind == GLOB_SLASH ||
			glob->tokens[glob->token_count - 1].kind == GLOB_GLOBSTAR))
		glob->token_count--;
	return 0;
}

static int parse_components(struct glob *glob, const char *text, const char **why)
{
	for (;;) {
		int rc;

		if (*text == '/')
			return invalid(why, "an empty component");
		if (is_globstar(text)) {
			text += 2;
			if (text[0] == '\0' || text[1] == '\0')
				return finish_globstar(glob, text[0] == '/');
			rc = add_globstar(glob);
			text++;
			if (rc)
				return rc;
			continue;
		}
		rc = parse_component(glob, &text, why);
		if (rc || *text == '\0')
			return rc;
		text++;
		if (*text == '\0') {
			glob->directory_only = true;
			return 0;
		}
		rc = add(glob, GLOB_SLASH, 0);
		if (rc)
			return rc;
	}
}

/* Whether the pattern is bound to the root: a slash at its beginning or inside. */
static bool is_anchored(const char *text)
{
	const char *slash = strchr(text, '/');

	return slash && (slash == text || slash[1] != '\0');
}

int glob_parse(struct glob *glob, const char *text, bool nocase, const char **why)
{
	int rc;

	glob->token_count = glob->class_count = glob->range_count = 0;
	glob->directory_only = false;
	glob->nocase = nocase;
	glob->negative = text[0] == '!';
	text += glob->negative;
	if (*text == '\0')
		return invalid(why, "an empty pattern");
	if (strcmp(text, "/") == 0)
		return 0;
	if (!is_anchored(text)) {
		rc = add_globstar(glob);
		if (rc)
			return rc;
	} else if (*text == '/') {
		text++;
	}
	return parse_components(glob, text, why);
}

void glob_fini(struct glob *glob)
{
	free(glob->tokens);
	free(glob->classes);
	free(glob->ranges);
	memset(glob, 0, sizeof(*glob));
}
