/*
 * --report. See report.h; it says what happened, and finds nothing out.
 *
 * The keys are always all there: what there is not (a limit, with --direct a delta) is null or empty.
 */
#include "report.h"

#include "cleanup.h"
#include "json.h"

#include <bsd/stdlib.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

int report_open(const char *target)
{
	const char *bad = NULL;
	int fd;

	if (strcmp(target, "-") == 0)
		fd = fcntl(1, F_DUPFD_CLOEXEC, 3);
	else if (strncmp(target, "fd:", 3) != 0)
		fd = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
	else {
		fd = (int)strtonum(target + 3, 0, INT_MAX, &bad);
		if (bad)
			return -EINVAL;
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	}
	return fd < 0 ? -errno : fd;
}

static void write_words(struct af_json *json, const char *key, const struct af_words *words)
{
	json_array(json, key);
	for (size_t i = 0; i < words->count; i++)
		json_string(json, NULL, words->items[i]);
	json_array_end(json);
}

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void write_outcome(struct af_json *json, const struct af_outcome *outcome)
{
	json_int(json, "exit", outcome->exit);
	if (outcome->signal)
		json_int(json, "signal", outcome->signal);
	else
		json_null(json, "signal");
	json_bool(json, "timed_out", outcome->timed_out);
	json_string(json, "limit", outcome->limit);
	json_double(json, "wall_s", outcome->wall_s);
	json_double(json, "user_s", seconds(outcome->usage.ru_utime));
	json_double(json, "sys_s", seconds(outcome->usage.ru_stime));
	json_int(json, "peak_memory_bytes",
		outcome->peak_memory ? (int64_t)outcome->peak_memory
				     : (int64_t)outcome->usage.ru_maxrss * 1024);
}

static void write_writes(struct af_json *json, const struct af_writes *writes)
{
	write_words(json, "merged", &writes->merged);
	write_words(json, "kept", &writes->kept);
	write_words(json, "conflicts", &writes->conflicts);
	write_words(json, "held", &writes->held);
	json_string(json, "delta", writes->stays || !writes->is_temporary ? writes->path : NULL);
}

int report_write(FILE *out, const struct af_plan *plan, const char *runtime,
	const struct af_outcome *outcome, const struct af_refusals *refusals,
	const struct af_writes *writes)
{
	struct af_json json;

	json_init(&json, out);
	json_object(&json, NULL);
	write_words(&json, "argv", &plan->argv);
	json_string(&json, "source", plan->source);
	write_words(&json, "policy", &plan->policy);
	json_string(&json, "runtime", runtime);
	write_outcome(&json, outcome);
	fputs(",\"refused\":", out);
	refusals_write(refusals, out);
	json_int(&json, "refused_uncounted", (int64_t)refusals->uncounted);
	write_writes(&json, writes);
	json_object_end(&json);
	putc('\n', out);
	return fflush(out) != 0 || ferror(out) ? -EIO : 0;
}
