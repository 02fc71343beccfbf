/*
 * One merge of the daemon's. See errand.h; when there is something to merge is not its business.
 *
 * Lines are told apart by what they begin with: a path within the delta has no slash there, the source
 * and the delta have one. So no name of a file makes a line be taken for another than it is.
 */
#include "errand.h"

#include "cleanup.h"
#include "log.h"
#include "spawn.h"

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

/* ---- starting it -------------------------------------------------------------------------------- */

/* In the child: nothing to read, what it prints to nobody, what it says to us. */
static int set_up(void *arg)
{
	const int *write_end = arg;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
		dup2(*write_end, STDERR_FILENO) < 0 || setpgid(0, 0) < 0)
		return -errno;
	return 0;
}

/* Newly allocated; the words are borrowed. */
static const char **arguments(const struct table_row *row, const char *delta)
{
	const char **argv = calloc(row->option_count + 6, sizeof(*argv));
	size_t count = 0;

	if (!argv)
		return NULL;
	argv[count++] = "/proc/self/exe";
	argv[count++] = "--verbose"; /* for the merge's id */
	for (size_t i = 0; i < row->option_count; i++)
		argv[count++] = row->options[i];
	argv[count++] = "--";
	argv[count++] = delta;
	argv[count++] = row->source;
	return argv;
}

/* read_end is ours alone: the other is another open file. */
static int open_pipe(int *read_end, int *write_end)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	*read_end = ends[0];
	*write_end = ends[1];
	return fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int start(struct errand *errand, int dir_fd, int said_fd, const struct table_row *row,
	const sigset_t *signals)
{
	af_autofree const char **argv = arguments(row, errand->argument);
	struct af_spawn spawn = {.argv = (char *const *)(uintptr_t)argv,
		.envp = environ,
		.keep = &dir_fd,
		.keep_count = 1,
		.mask = signals,
		.setup = set_up,
		.arg = &said_fd};
	struct af_child child = AF_CHILD_NONE;
	int err = argv ? spawn_start(&spawn, &child, NULL) : -ENOMEM;

	/* A child without a pidfd runs all the same; SIGCHLD tells of its end. */
	if (err && child.pid <= 0)
		return err;
	cleanup_close(&child.pidfd);
	errand->pid = child.pid;
	return 0;
}

int errand_start(struct errand *errand, const char *delta, int dir_fd, const struct table_row *row,
	const sigset_t *signals)
{
	af_autoclose int read_end = -1, write_end = -1;
	int err = open_pipe(&read_end, &write_end);

	if (err)
		return err;
	*errand = (struct errand){
		.said_fd = -1, .delta = strdup(delta), .source = strdup(row->source)};
	snprintf(errand->argument, sizeof(errand->argument), "/proc/self/fd/%d", dir_fd);
	err = errand->delta && errand->source ? start(errand, dir_fd, write_end, row, signals)
					      : -ENOMEM;
	if (!err) {
		errand->said_fd = af_steal_fd(&read_end);
		return 0;
	}
	free(errand->delta);
	free(errand->source);
	*errand = ERRAND_NONE;
	return err;
}

void errand_stop(const struct errand *errand)
{
	if (errand->pid)
		kill(-errand->pid, SIGTERM);
}

/* ---- what it says ------------------------------------------------------------------------------- */

/* "SOURCE: afsyncd --undo ID takes it back" */
static bool take_id(struct errand *errand, const char *line)
{
	static const char before[] = ": afsyncd --undo ", after[] = " takes it back";
	size_t len = strlen(line), end = strlen(after);
	const char *id = strstr(line, before);

	if (line[0] != '/' || !id || len < end || strcmp(line + len - end, after) != 0)
		return false;
	id += strlen(before);
	snprintf(errand->id, sizeof(errand->id), "%.*s", (int)(line + len - end - id), id);
	return true;
}

/* The delta is named by us; the word by which it was known to the child says nothing to anybody. */
static const char *without_argument(const struct errand *errand, char *line)
{
	size_t len = strlen(errand->argument);
	char *tail = strstr(line, " left in ");

	if (tail && strcmp(tail + strlen(" left in "), errand->argument) == 0)
		tail[strlen(" left")] = '\0';
	if (strncmp(line, errand->argument, len) == 0 && strncmp(line + len, ": ", 2) == 0)
		line += len + 2;
	return line;
}

/* The line is whole. */
static void take_line(struct errand *errand)
{
	static const char prefix[] = "afsyncd: ";
	char *text = errand->line;
	bool of_all;

	errand->line[errand->line_len] = '\0';
	errand->line_len = 0;
	if (strncmp(text, prefix, strlen(prefix)) == 0)
		text += strlen(prefix);
	if (!*text || take_id(errand, text))
		return;
	of_all = text[0] == '/';
	strlcpy(errand->last, without_argument(errand, text), sizeof(errand->last));
	if (of_all)
		strlcpy(errand->summary, errand->last, sizeof(errand->summary));
	else if (!errand->reason[0] && !strstr(text, ": conflict, resolved"))
		strlcpy(errand->reason, text, sizeof(errand->reason));
}

static void take_text(struct errand *errand, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n')
			take_line(errand);
		else if (errand->line_len < sizeof(errand->line) - 1)
			errand->line[errand->line_len++] = text[i];
	}
}

/* Whether there may be more. */
static bool read_some(struct errand *errand)
{
	char text[16384];
	ssize_t got = read(errand->said_fd, text, sizeof(text));

	if (got > 0)
		take_text(errand, text, (size_t)got);
	/* All other ends are closed: poll(2) would return for that at once each time. */
	if (got == 0)
		close(af_steal_fd(&errand->said_fd));
	return got > 0;
}

void errand_read(struct errand *errand)
{
	read_some(errand);
}

/* ---- the line that is logged -------------------------------------------------------------------- */

static void report_merge(const struct errand *errand, bool stays)
{
	const char *id = errand->id, *open = *id ? " (" : "", *close = *id ? ")" : "";

	if (stays)
		log_warn("%s: %s%s%s%s; %s", errand->delta, errand->summary, open, id, close,
			errand->reason);
	else if (*id)
		log_notice("%s: %s%s%s%s", errand->delta, errand->summary, open, id, close);
	else
		log_info("%s: into %s: nothing to merge", errand->delta, errand->source);
}

static void report(const struct errand *errand, int status)
{
	const char *colon = errand->last[0] ? ": " : "";

	if (WIFSIGNALED(status))
		log_error("%s: into %s: ended by signal %d%s%s", errand->delta, errand->source,
			WTERMSIG(status), colon, errand->last);
	else if (WEXITSTATUS(status) > 1)
		log_error("%s: into %s: failed%s%s", errand->delta, errand->source, colon,
			errand->last);
	else
		report_merge(errand, WEXITSTATUS(status) == 1);
}

bool errand_end(struct errand *errand, int status)
{
	/* A pipe's worth: something that it started may go on writing. */
	for (int i = 0; i < 64 && errand->said_fd >= 0 && read_some(errand); i++)
		continue;
	if (errand->line_len > 0)
		take_line(errand);
	report(errand, status);
	cleanup_close(&errand->said_fd);
	free(errand->delta);
	free(errand->source);
	*errand = ERRAND_NONE;
	return WIFSIGNALED(status) || WEXITSTATUS(status) > 1;
}
