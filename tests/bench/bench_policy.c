/*
 * What a policy costs: reading and compiling 10,000 mixed rules (time, memory), a step with 1 and
 * with 10,000 rules, and policies built to explode. Prints `NAME VALUE UNIT` a line.
 *
 * bench_policy [ROUNDS]: the best of ROUNDS (default 15) is printed, of CPU time and of wall time each.
 */
#include "policy.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RULES 10000
#define NAMES 4096

/* Seconds: wall says how long somebody waits, cpu what it costs whatever else the machine does. */
struct moment {
	double wall, cpu;
};

static double clock_s(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double now_s(void)
{
	return clock_s(CLOCK_MONOTONIC);
}

static struct moment now(void)
{
	return (struct moment){now_s(), clock_s(CLOCK_PROCESS_CPUTIME_ID)};
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

/* Makes best the least of what it was and of the time between two moments. */
static void keep_best(struct moment *best, struct moment from, struct moment to)
{
	best->wall = least(best->wall, to.wall - from.wall);
	best->cpu = least(best->cpu, to.cpu - from.cpu);
}

static void print_best(const char *what, struct moment best)
{
	printf("%s_%d_rules %.2f ms\n", what, RULES, best.wall * 1e3);
	printf("%s_%d_rules_cpu %.2f ms\n", what, RULES, best.cpu * 1e3);
}

/* Memory of this process alone, in bytes: pages it has touched. */
static double resident(void)
{
	long pages = 0, size = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (!file || fscanf(file, "%ld %ld", &size, &pages) != 2)
		pages = 0;
	if (file)
		fclose(file);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* Rules of every kind, as a project with very many would have them. */
static void write_rule(FILE *out, int i)
{
	static const char *const levels[] = {"none", "view", "read", "write"};

	fprintf(out, "%s(", levels[i % 4]);
	switch (i % 10) {
	case 0:
	case 1:
		fprintf(out, "'/src/module%d/part%d/file%d.c'", i % 97, i % 31, i);
		break;
	case 2:
	case 3:
		fprintf(out, "'*.ext%d'", i);
		break;
	case 4:
		fprintf(out, "'generated%d/'", i);
		break;
	case 5:
		fprintf(out, "'/data/**/set%d/*.csv'", i);
		break;
	case 6:
		fprintf(out, "'name%d-[0-9][a-f]?.{txt,log,md}'", i);
		break;
	case 7:
		fprintf(out, "'/docs/chapter%d/**'", i);
		break;
	case 8:
		fprintf(out, "'secret%d*', '!secret%d.example'", i, i);
		break;
	case 9:
		fprintf(out, "'**/cache%d/*/tmp?'", i);
		break;
	}
	fprintf(out, ")\n");
}

/* A memory file to write a policy to; *path gets its name. */
static FILE *open_policy(const char **path)
{
	static char name[64];
	int fd = memfd_create("policy", 0);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

	if (!out)
		exit(1);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	*path = name;
	return out;
}

static const char *write_text(const char *text)
{
	const char *path;
	FILE *out = open_policy(&path);

	fputs(text, out);
	fflush(out);
	return path;
}

static const char *write_policy(int count)
{
	const char *path;
	FILE *out = open_policy(&path);

	fprintf(out, "default = read\n");
	for (int i = 0; i < count; i++)
		write_rule(out, i);
	fflush(out);
	return path;
}

/* The times, where wanted, are kept if they are the best until now. */
static struct af_policy *load(const char *path, struct moment *parse, struct moment *compile)
{
	struct af_rules *rules = rules_new();
	struct af_policy *policy = NULL;
	struct moment start = now(), parsed, compiled;

	if (!rules || rules_add_file(rules, path) != 0)
		exit(1);
	parsed = now();
	if (policy_compile(rules, &policy) != 0)
		exit(1);
	compiled = now();
	if (parse)
		keep_best(parse, start, parsed);
	if (compile)
		keep_best(compile, parsed, compiled);
	rules_free(rules);
	return policy;
}

static void bench_compile(const char *path, int rounds)
{
	struct moment parse = {1e9, 1e9}, compile = parse;
	double memory = resident();

	for (int i = 0; i < rounds; i++) {
		struct af_policy *policy = load(path, &parse, &compile);

		if (i == 0)
			printf("memory_of_%d_rules %.1f MB\n", RULES, (resident() - memory) / 1e6);
		policy_put(policy);
	}
	print_best("parse", parse);
	print_best("compile", compile);
}

/* Names such as trees hold; most are named by no rule. */
static void make_names(char (*names)[32])
{
	static const char *const forms[] = {"main%d.c", "README%d.md", "test_%d.py", "index%d.html",
		"module%d", "name%d-3fx.txt", "photo_%d.jpeg", "%d.ext"};

	for (int i = 0; i < NAMES; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(names[i], sizeof(names[i]), forms[i % 8], i * 7 % 1000);
#pragma GCC diagnostic pop
	}
}

/* Seconds for one pass over all names. */
static double pass(struct af_policy *policy, struct af_state dir, char (*names)[32])
{
	struct af_step step;
	double start = now_s();

	for (int i = 0; i < NAMES; i++)
		policy_step(policy, dir, names[i], strlen(names[i]), &step);
	return now_s() - start;
}

/* Where the cache is full or nothing below can change, names are not read: no like with like. */
static struct af_state comparable(struct af_policy *policy, const char *dir)
{
	struct af_step step;

	policy_path(policy, dir, strlen(dir), &step);
	if (step.state.id == 0 || policy_is_full(policy) || step.dir.flags & AF_V_UNIFORM) {
		log_error("%s: a state in which names are not read as usual", dir);
		exit(1);
	}
	return step.state;
}

/*
 * The two policies take turns, so that what else the machine does meets both, over the same names
 * from the same directory. The one rule is one that matches at any depth, as many of the others do: a
 * directory below which nothing can match any more would not even read the name.
 */
static void bench_steps(struct af_policy *one, struct af_policy *many, int rounds)
{
	static char names[NAMES][32];
	struct af_state at_one = comparable(one, "usr/lib"), at_many = comparable(many, "usr/lib");
	double best_one = 1e9, best_many = 1e9;

	make_names(names);
	for (int i = 0; i < rounds * 50; i++) {
		best_one = least(best_one, pass(one, at_one, names));
		best_many = least(best_many, pass(many, at_many, names));
	}
	comparable(one, "usr/lib");
	comparable(many, "usr/lib");
	printf("step_with_1_rule %.2f ns\n", best_one / NAMES * 1e9);
	printf("step_with_%d_rules %.2f ns\n", RULES, best_many / NAMES * 1e9);
	printf("step_ratio %.3f x\n", best_many / best_one);
}

/* Hundreds of rules whose determinised form would be exponential. */
static void bench_explosion(void)
{
	struct af_rules *rules = rules_new();
	struct af_policy *policy = NULL;
	struct af_step step;
	double start = now_s(), memory = resident();
	unsigned int seed = 1;
	int steps = 20000;

	for (int i = 0; i < 400; i++) {
		char text[128];

		snprintf(text, sizeof(text), "read:**/%c*%c*%c*/**/%c*%c?????????%c*", 'a' + i % 26,
			'a' + i / 7 % 26, 'a' + i / 3 % 26, 'a' + i % 5, 'a' + i % 11, 'a' + i % 3);
		if (!rules || rules_add_text(rules, text, "bench") != 0)
			exit(1);
	}
	if (policy_compile(rules, &policy) != 0)
		exit(1);
	for (int i = 0; i < steps; i++) {
		char path[64];
		size_t len = 0;

		for (; len < 60; len++)
			path[len] = len % 20 == 19 ? '/' : (char)('a' + rand_r(&seed) % 26);
		policy_path(policy, path, len, &step);
		if (policy_is_full(policy)) {
			struct af_policy *fresh = policy_renew(policy);

			policy_put(policy);
			policy = fresh;
		}
	}
	printf("exploding_policy_path %.1f us\n", (now_s() - start) / steps * 1e6);
	printf("exploding_policy_memory %.1f MB\n", (resident() - memory) / 1e6);
	policy_put(policy);
	rules_free(rules);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 15;
	struct af_policy *one, *many;

	log_init("bench_policy");
	bench_compile(write_policy(RULES), rounds);
	one = load(write_text("default = read\nnone('*.key')\n"), NULL, NULL);
	many = load(write_policy(RULES), NULL, NULL);
	bench_steps(one, many, rounds);
	policy_put(one);
	policy_put(many);
	bench_explosion();
	return 0;
}
