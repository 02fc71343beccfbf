/*
 * What a run may use. See limits.h.
 */
#include "limits.h"

#include "cleanup.h"
#include "log.h"

#include <bsd/stdlib.h>
#include <string.h>

enum {
	PIDS_MAX = 4194304, /* the kernel's own limit */
	CPUS_MAX = 8192,
	SHARES_MIN = 2, /* as the kernel has them */
	SHARES_MAX = 262144,
	PERIOD_US = 100000,
	WEIGHT_MAX = 10000, /* of version 2 */
};

/* ---- options ------------------------------------------------------------------------------------ */

int limits_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	size_t digits = strspn(text, "0123456789");
	const char *unit = text[digits] ? strchr(units, text[digits]) : NULL;
	unsigned int shift = unit ? (unsigned int)(unit - units + 1) * 10 : 0;
	uint64_t value;

	if (digits == 0 || digits > 18 || (text[digits] && (!unit || text[digits + 1])))
		return -EINVAL;
	value = strtoull(text, NULL, 10);
	if (value == 0 || value > (uint64_t)INT64_MAX >> shift)
		return -EINVAL;
	*bytes = value << shift;
	return 0;
}

static int wrong(const char *option, const char *text, const char *why)
{
	log_error("%s: %s: %s", option, text, why);
	return -EINVAL;
}

int limits_set_memory(struct af_limits *limits, const char *text)
{
	return limits_size(text, &limits->memory) == 0
		? 0
		: wrong("--memory", text, "not a size such as 500M or 2G");
}

static int set_number(
	const char *option, const char *text, long long min, long long max, uint64_t *value)
{
	const char *bad = NULL;

	*value = (uint64_t)strtonum(text, min, max, &bad);
	if (!bad)
		return 0;
	log_error("%s: %s: not a number from %lld to %lld", option, text, min, max);
	return -EINVAL;
}

int limits_set_pids(struct af_limits *limits, const char *text)
{
	return set_number("--pids", text, 1, PIDS_MAX, &limits->pids);
}

int limits_set_cpu_shares(struct af_limits *limits, const char *text)
{
	return set_number("--cpu-shares", text, SHARES_MIN, SHARES_MAX, &limits->cpu_shares);
}

int limits_set_cpus(struct af_limits *limits, const char *text)
{
	char *end;
	double value = strtod(text, &end);

	/* No sign, exponent, or word for a number. */
	if (text[strspn(text, "0123456789.")] || *end || !(value >= 0.01 && value <= CPUS_MAX))
		return wrong("--cpus", text, "not a number of processors such as 0.5 or 2");
	limits->cpus_milli = (uint64_t)(value * 1000 + 0.5);
	return 0;
}

int limits_set_mode(struct af_limits *limits, const char *text)
{
	if (strcmp(text, "strict") == 0)
		limits->mode = AF_LIMITS_STRICT;
	else if (strcmp(text, "best-effort") == 0)
		limits->mode = AF_LIMITS_BEST_EFFORT;
	else
		return wrong("--limits", text, "not one of best-effort, strict");
	return 0;
}

/* ---- how they are held -------------------------------------------------------------------------- */

/* An option, by what it needs and what there is in place of it. */
struct option_held {
	const char *name, *instead; /* of what a process can do for itself; NULL: nothing */
	enum cgroup_controller controller;
	uint64_t value;
};

enum { OPTION_COUNT = 4 };

static void list_options(const struct af_limits *limits, struct option_held options[OPTION_COUNT])
{
	options[0] = (struct option_held){"--memory",
		"it holds for each process by itself, not for all of them together", CGROUP_MEMORY,
		limits->memory};
	options[1] = (struct option_held){"--pids", "it holds for the user inside, by RLIMIT_NPROC",
		CGROUP_PIDS, limits->pids};
	options[2] = (struct option_held){"--cpus", NULL, CGROUP_CPU, limits->cpus_milli};
	options[3] = (struct option_held){"--cpu-shares", NULL, CGROUP_CPU, limits->cpu_shares};
}

static const char *why_none(int err)
{
	return err == -ENOENT ? "none is delegated to us" : strerror(-err);
}

/* One for which there is no group. 0 or -EPERM, reported. */
static int do_without(
	const struct af_limits *limits, const struct option_held *option, int err, bool quiet)
{
	if (limits->mode == AF_LIMITS_STRICT ||
		(limits->mode == AF_LIMITS_USUAL && !option->instead)) {
		log_error("%s: no cgroup can be made (%s); %s goes on without", option->name,
			why_none(err), "--limits=best-effort");
		return -EPERM;
	}
	if (!quiet)
		log_warn("%s: no cgroup can be made (%s): %s", option->name, why_none(err),
			option->instead ? option->instead : "it does not hold");
	return 0;
}

static int decide(struct af_held *held, const int err[CGROUP_COUNT], bool quiet)
{
	struct option_held options[OPTION_COUNT];
	int result = 0;

	list_options(held->limits, options);
	for (int i = 0; i < OPTION_COUNT && !result; i++)
		if (options[i].value && held->group.dirs[options[i].controller] < 0)
			result = do_without(
				held->limits, &options[i], err[options[i].controller], quiet);
	if (held->group.dirs[CGROUP_MEMORY] < 0)
		held->own_memory = held->limits->memory;
	if (held->group.dirs[CGROUP_PIDS] < 0)
		held->own_pids = held->limits->pids;
	return result;
}

int limits_begin(struct af_held *held, const struct af_limits *limits, bool quiet)
{
	unsigned int wanted = (limits->memory ? 1U << CGROUP_MEMORY : 0) |
		(limits->pids ? 1U << CGROUP_PIDS : 0) |
		(limits->cpus_milli || limits->cpu_shares ? 1U << CGROUP_CPU : 0);
	int err[CGROUP_COUNT], result;

	*held = AF_HELD_NONE;
	held->limits = limits;
	if (!wanted)
		return 0;
	result = cgroup_make(&held->group, wanted, err);
	for (int i = 0; result && i < CGROUP_COUNT; i++)
		err[i] = result;
	return decide(held, err, quiet);
}

static int apply_memory(const struct af_held *held)
{
	const struct af_cgroup *group = &held->group;
	uint64_t bytes = held->limits->memory;
	int err;

	if (group->unified[CGROUP_MEMORY]) {
		err = cgroup_write_number(group, CGROUP_MEMORY, "memory.max", bytes);
		if (!err)
			err = cgroup_write_number(group, CGROUP_MEMORY, "memory.swap.max", 0);
	} else {
		err = cgroup_write_number(group, CGROUP_MEMORY, "memory.limit_in_bytes", bytes);
		if (!err)
			err = cgroup_write_number(
				group, CGROUP_MEMORY, "memory.memsw.limit_in_bytes", bytes);
	}
	/* Where nothing accounts for swap, there is no such file: the first is set. */
	return err == -ENOENT || err == -EOPNOTSUPP ? 0 : err;
}

/* What is there already is ours, and does not count. */
static int apply_pids(const struct af_held *held)
{
	uint64_t ours = cgroup_read_number(&held->group, CGROUP_PIDS, "pids.current", NULL);

	return cgroup_write_number(
		&held->group, CGROUP_PIDS, "pids.max", ours + held->limits->pids);
}

static int apply_cpus(const struct af_held *held)
{
	const struct af_cgroup *group = &held->group;
	uint64_t quota_us = held->limits->cpus_milli * (PERIOD_US / 1000);
	char text[64];
	int err;

	if (group->unified[CGROUP_CPU]) {
		snprintf(text, sizeof(text), "%ju %d", (uintmax_t)quota_us, PERIOD_US);
		return cgroup_write(group, CGROUP_CPU, "cpu.max", text);
	}
	err = cgroup_write_number(group, CGROUP_CPU, "cpu.cfs_period_us", PERIOD_US);
	return err ? err : cgroup_write_number(group, CGROUP_CPU, "cpu.cfs_quota_us", quota_us);
}

static int apply_cpu_shares(const struct af_held *held)
{
	const struct af_cgroup *group = &held->group;
	uint64_t shares = held->limits->cpu_shares;

	if (!group->unified[CGROUP_CPU])
		return cgroup_write_number(group, CGROUP_CPU, "cpu.shares", shares);
	return cgroup_write_number(group, CGROUP_CPU, "cpu.weight",
		1 + (shares - SHARES_MIN) * (WEIGHT_MAX - 1) / (SHARES_MAX - SHARES_MIN));
}

void limits_follow(struct af_held *held, pid_t pid)
{
	cgroup_end(&held->group);
	cgroup_open(&held->group, pid);
}

void limits_note(struct af_held *held)
{
	held->met = limits_met(held);
	held->peak = limits_peak(held);
	held->noted = true;
}

int limits_apply(const struct af_held *held)
{
	static int (*const apply[OPTION_COUNT])(const struct af_held *held) = {
		apply_memory, apply_pids, apply_cpus, apply_cpu_shares};
	struct option_held options[OPTION_COUNT];

	if (held->by_runtime)
		return 0;
	list_options(held->limits, options);
	for (int i = 0; i < OPTION_COUNT; i++) {
		int err;

		if (!options[i].value || held->group.dirs[options[i].controller] < 0)
			continue;
		err = apply[i](held);
		if (err && held->limits->mode != AF_LIMITS_BEST_EFFORT) {
			log_error("%s: %s", options[i].name,
				err == -EBUSY ? "less than the sandbox itself takes"
					      : strerror(-err));
			return err;
		}
	}
	return 0;
}

/* ---- what came of it ---------------------------------------------------------------------------- */

const char *limits_met(const struct af_held *held)
{
	const struct af_cgroup *group = &held->group;
	const int *dirs = group->dirs;

	if (held->noted)
		return held->met;
	/* A runtime's group has all of them, asked for or not. */
	if (held->limits->memory && dirs[CGROUP_MEMORY] >= 0 &&
		cgroup_read_number(group, CGROUP_MEMORY,
			group->unified[CGROUP_MEMORY] ? "memory.events" : "memory.oom_control",
			"oom_kill"))
		return "memory";
	if (held->limits->pids && dirs[CGROUP_PIDS] >= 0 &&
		cgroup_read_number(group, CGROUP_PIDS, "pids.events", "max"))
		return "pids";
	if (held->limits->cpus_milli && dirs[CGROUP_CPU] >= 0 &&
		cgroup_read_number(group, CGROUP_CPU, "cpu.stat", "nr_throttled"))
		return "cpus";
	return NULL;
}

uint64_t limits_peak(const struct af_held *held)
{
	const struct af_cgroup *group = &held->group;

	if (held->noted)
		return held->peak;
	if (group->dirs[CGROUP_MEMORY] < 0)
		return 0;
	return cgroup_read_number(group, CGROUP_MEMORY,
		group->unified[CGROUP_MEMORY] ? "memory.peak" : "memory.max_usage_in_bytes", NULL);
}

void limits_end(struct af_held *held)
{
	cgroup_end(&held->group);
}
