/*
 * What a policy costs: reading and compiling 10,000 mixed rules (time, memory), a step with 1 and
 * with 10,000 rules, and policies built to explode. Prints `NAME VALUE UNIT` a line.
 *
 * bench_policy [ROUNDS]: the best of ROUNDS (default 7) is printed.
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

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
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

static struct af_policy *load(const char *path, double *parse_s, double *compile_s)
{
	struct af_rules *rules = rules_new();
	struct af_policy *policy = NULL;
	double start = now_s(), parsed;

	if (!rules || rules_add_file(rules, path) != 0)
		exit(1);
	parsed = now_s();
	if (policy_compile(rules, &policy) != 0)
		exit(1);
	*parse_s = parsed - start;
	*compile_s = now_s() - parsed;
	rules_free(rules);
	return policy;
}

static void bench_compile(const char *path, int rounds)
{
	double parse = 1e9, compile = 1e9, memory = resident();

	for (int i = 0; i < rounds; i++) {
		double parse_s, compile_s;
		struct af_policy *policy = load(path, &parse_s, &compile_s);

		if (i == 0)
			printf("memory_of_%d_rules %.1f MB\n", RULES, (resident() - memory) / 1e6);
		parse = parse_s < parse ? parse_s : parse;
		compile = compile_s < compile ? compile_s : compile;
		policy_put(policy);
	}
	printf("parse_%d_rules %.2f ms\n", RULES, parse * 1e3);
	printf("compile_%d_rules %.2f ms\n", RULES, compile * 1e3);
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
static double pass(
	struct af_policy *policy, struct af_state dir, char (*names)[32], unsigned int *sum)
{
	struct af_step step;
	double start = now_s();

	for (int i = 0; i < NAMES; i++) {
		policy_step(policy, dir, names[i], strlen(names[i]), &step);
		*sum += step.file.level;
	}
	return now_s() - start;
}

/*
 * The two policies take turns, so that what else the machine does meets both. The one rule is one
 * that matches at any depth: a directory below which nothing can match any more would not even read
 * the name.
 */
static void bench_steps(struct af_policy *one, struct af_policy *many, int rounds)
{
	static char names[NAMES][32];
	struct af_step at_one, at_many;
	double best_one = 1e9, best_many = 1e9;
	unsigned int sum = 0;

	make_names(names);
	policy_path(one, "usr/lib", 7, &at_one);
	policy_path(many, "usr/lib", 7, &at_many);
	for (int i = 0; i < rounds * 100; i++) {
		double s = pass(one, at_one.state, names, &sum);

		best_one = s < best_one ? s : best_one;
		s = pass(many, at_many.state, names, &sum);
		best_many = s < best_many ? s : best_many;
	}
	printf("step_with_1_rule %.2f ns\n", best_one / NAMES * 1e9);
	printf("step_with_%d_rules %.2f ns\n", RULES, best_many / NAMES * 1e9);
	printf("step_ratio %.3f (sum %u)\n", best_many / best_one, sum);
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
	int rounds = argc > 1 ? atoi(argv[1]) : 7;
	struct af_policy *one, *many;
	double unused;

	log_init("bench_policy");
	bench_compile(write_policy(RULES), rounds);
	one = load(write_text("default = read\nnone('*.key')\n"), &unused, &unused);
	many = load(write_policy(RULES), &unused, &unused);
	bench_steps(one, many, rounds);
	policy_put(one);
	policy_put(many);
	bench_explosion();
	return 0;
}
