/*
 * Which processes came of a text. See inside_tree.h; proc(5) tells.
 *
 * One whose parent has ended is our child. It is the text's if it is new; that an earlier text's job
 * might have started it meanwhile cannot be told.
 */
#include "inside_tree.h"

#include "cleanup.h"
#include "io.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>

/* More rounds than a fork bomb that is stopped first can last. */
enum { ROUNDS = 100, STAT_MAX = 1024 };

/* Returns false where it is gone. */
static bool read_process(int proc, const char *name, struct af_process *process)
{
	char path[32], text[STAT_MAX + 1];
	const char *after;
	af_autoclose int fd = -1;
	ssize_t got;
	int parent;
	unsigned long long began;

	snprintf(path, sizeof(path), "%.20s/stat", name);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : io_read_full(fd, text, STAT_MAX);
	if (got <= 0)
		return false;
	text[got] = '\0';
	/* The name may have anything in it. */
	after = strrchr(text, ')');
	if (!after ||
		sscanf(after + 1,
			" %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
			"%*d %llu",
			&parent, &began) != 2)
		return false;
	*process = (struct af_process){
		.pid = (pid_t)strtol(name, NULL, 10), .parent = parent, .began = began};
	return true;
}

static int add(struct af_processes *list, const struct af_process *process)
{
	if (list->count == list->size) {
		size_t size = list->size ? list->size * 2 : 64;
		struct af_process *more = reallocarray(list->items, size, sizeof(*more));

		if (!more)
			return -ENOMEM;
		list->items = more;
		list->size = size;
	}
	list->items[list->count++] = *process;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct af_process *left = a, *right = b;

	return (left->pid > right->pid) - (left->pid < right->pid);
}

static const struct af_process *find(const struct af_processes *list, pid_t pid)
{
	struct af_process key = {.pid = pid};

	return list->count ? bsearch(&key, list->items, list->count, sizeof(key), compare) : NULL;
}

int processes_list(struct af_processes *list)
{
	af_autoclosedir DIR *proc = opendir("/proc");
	const struct dirent *entry;
	int err = 0;

	list->count = 0;
	if (!proc)
		return -errno;
	while (!err && (entry = readdir(proc))) {
		struct af_process process;

		if (strspn(entry->d_name, "0123456789") == strlen(entry->d_name) &&
			read_process(dirfd(proc), entry->d_name, &process))
			err = add(list, &process);
	}
	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), compare);
	return err;
}

void processes_fini(struct af_processes *list)
{
	free(list->items);
	*list = AF_PROCESSES_NONE;
}

static bool was_there(const struct af_processes *before, const struct af_process *process)
{
	const struct af_process *same = find(before, process->pid);

	return same && same->began == process->began;
}

static bool is_of_text(const struct af_processes *before, const struct af_processes *now,
	const struct af_process *process, pid_t shell)
{
	/* A list taken while they come and go may have a ring. */
	for (size_t steps = 0; process && steps <= now->count; steps++) {
		if (process->pid == 1 || process->pid == shell)
			return steps > 0;
		if (was_there(before, process))
			return false;
		process = find(now, process->parent);
	}
	return true;
}

static size_t signal_all(
	const struct af_processes *before, struct af_processes *now, pid_t shell, int signal_number)
{
	size_t count = 0;

	if (processes_list(now))
		return 0;
	for (size_t i = 0; i < now->count; i++)
		if (is_of_text(before, now, &now->items[i], shell) &&
			kill(now->items[i].pid, signal_number) == 0)
			count++;
	return count;
}

size_t processes_signal(const struct af_processes *before, pid_t shell, int signal_number)
{
	struct af_processes now = AF_PROCESSES_NONE;
	size_t count = 0, last = 0;

	/* A stopped one starts no other. */
	for (int i = 0; signal_number == SIGKILL && i < ROUNDS && (i == 0 || count != last); i++) {
		last = count;
		count = signal_all(before, &now, shell, SIGSTOP);
	}
	count = signal_all(before, &now, shell, signal_number);
	processes_fini(&now);
	return count;
}
