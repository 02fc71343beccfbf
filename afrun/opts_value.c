/*
 * What an option's value means, where it is more than a text. See opts_internal.h.
 */
#include "opts_internal.h"

#include "log.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int opts_duration(const char *text, int64_t *ms)
{
	static const char units[] = "smhd";
	static const double seconds[] = {1, 60, 3600, 86400};
	char *end;
	double value;
	double factor = 1;

	if (text[strspn(text, "0123456789.")] && !strchr(units, text[strspn(text, "0123456789.")]))
		return -EINVAL;
	value = strtod(text, &end);
	if (end == text)
		return -EINVAL;
	if (*end) {
		const char *unit = strchr(units, *end);

		if (!unit || end[1])
			return -EINVAL;
		factor = seconds[unit - units];
	}
	value = ceil(value * factor * 1000);
	if (!(value >= 0 && value <= 9e15))
		return -EINVAL;
	*ms = (int64_t)value;
	return 0;
}

int opts_set_duration(const char *option, const char *text, int64_t *ms)
{
	int err = opts_duration(text, ms);

	if (err)
		log_error("%s: %s: not a duration such as 90, 1.5m or 2h", option, text);
	return err;
}

int opts_set_runtime(struct af_opts *opts, const char *text)
{
	opts->in_docker = strcmp(text, "docker") == 0;
	if (opts->in_docker || strcmp(text, "bwrap") == 0)
		return 0;
	log_error("--runtime: %s: not one of bwrap, docker", text);
	return -EINVAL;
}

int opts_set_net(struct af_opts *opts, const char *text)
{
	opts->net_host = strcmp(text, "host") == 0;
	if (opts->net_host || strcmp(text, "none") == 0)
		return 0;
	log_error("--net: %s: not one of none, host", text);
	return -EINVAL;
}

int opts_set_sync(struct af_opts *opts, const char *text)
{
	static const char *const names[] = {[AF_SYNC_SUCCESS] = "success",
		[AF_SYNC_ALWAYS] = "always",
		[AF_SYNC_NEVER] = "never"};

	opts->sync_given = true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			opts->sync = (enum af_sync)i;
			return 0;
		}
	}
	log_error("--sync: %s: not one of success, always, never", text);
	return -EINVAL;
}

int opts_set_conflict(struct af_opts *opts, const char *text)
{
	static const char *const names[] = {"lww", "keep", "both", "fail", "merge"};

	opts->conflict = text;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0)
			return 0;
	log_error("--conflict: %s: not one of lww, keep, both, fail, merge", text);
	return -EINVAL;
}

/* agentfensefs reads the number; here only that it is one. */
int opts_set_delta_size(struct af_opts *opts, const char *text)
{
	uint64_t bytes;

	opts->delta_size = text;
	if (limits_size(text, &bytes) == 0)
		return 0;
	log_error("--delta-size: %s: not a size such as 500M or 2G", text);
	return -EINVAL;
}
