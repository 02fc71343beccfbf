/*
 * sys OP ARG... [, OP ARG...]...: one system call, and its exact answer.
 * sys batch: such a list of words, separated by the byte 0x1f, from each line of the input, each
 * line in a process of its own; prints OK or the errno's name for each.
 *
 * Prints OK, or the value asked for, and exits 0; or prints the errno's name and exits 1. A usage
 * error exits 2. After a lone comma the next OP follows in the same process, with the descriptors
 * that open and mktmp have made so far, named @0, @1 ... in order; the first failure ends it.
 * It never takes longer than 30 seconds (SIGALRM ends it).
 *
 * P is a path; as @N/NAME it is NAME relative to descriptor N. D is a descriptor, @N. Numbers may be
 * 0x or 0 prefixed, modes are octal.
 *
 *   open P FLAGS [MODE]          FLAGS by comma: rdonly wronly rdwr creat excl trunc append nofollow
 *                                directory path tmpfile nonblock direct sync noatime
 *   close D  hold                hold: prints "holding" and waits for a byte or the end of stdin
 *   mkdir P [MODE]  mknod P fifo|sock|reg|chr|blk [MODE]  bind P (socket)  connect P
 *   symlink TARGET P  readlink P  link P P  linkfd D P (through /proc/self/fd)  linkfollow P P
 *   rename P P [noreplace|exchange|whiteout]  unlink P  rmdir P
 *   truncate P SIZE  ftruncate D SIZE  fallocate D MODES OFFSET SIZE (keep,punch,zero,... or none)
 *   chmod P MODE  fchmod D MODE  chown P UID GID  fchown D UID GID (-1 keeps)
 *   utimens P ATIME MTIME  futimens D ATIME MTIME    SECONDS[.NANOSECONDS], now or omit
 *   setxattr P NAME VALUE [create|replace]  getxattr P NAME  listxattr P  removexattr P NAME
 *   fsetxattr D NAME VALUE  fgetxattr D NAME  flistxattr D  fremovexattr D NAME
 *   stat P FIELDS  fstat D FIELDS                    by comma: type mode size nlink uid gid ino dev
 *                                blocks rdev atime mtime ctime; stat does not follow
 *   access P rwx  eaccess P rwx  statfs P FIELDS (type files ffree blocks bfree bavail namelen)
 *   list P [OFFSET]  flist D [OFFSET]                a line an entry: NEXT-OFFSET TYPE NAME
 *   read D SIZE [OFFSET]  write D TEXT [OFFSET]  seek D set|cur|end|data|hole OFFSET
 *   copy D D SIZE (copy_file_range)  mmapwrite D OFFSET TEXT  mmapread D OFFSET SIZE  fsync D
 *   flock D sh|ex|un  lock D r|w|un START LEN  ofdlock D r|w|un START LEN   (none of them waits)
 *   chdir P  exec P  watch P (inotify)
 */
#include "sys.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_WORDS = 64 };

static int held[MAX_HELD];
static int held_count;

void usage(const char *what, const char *arg)
{
	fprintf(stderr, "sys: %s: %s\n", what, arg);
	exit(2);
}

int hold_fd(int fd)
{
	if (fd < 0)
		return -1;
	if (held_count == MAX_HELD)
		usage("too many descriptors", "open");
	held[held_count++] = fd;
	return 0;
}

int arg_fd(const char *arg)
{
	char *end;
	long n = arg[0] == '@' ? strtol(arg + 1, &end, 10) : -1;

	if (n < 0 || n >= held_count || *end)
		usage("no such descriptor", arg);
	return held[n];
}

struct place arg_place(const char *arg)
{
	char *end;
	long n;

	if (arg[0] != '@' || !isdigit((unsigned char)arg[1]))
		return (struct place){AT_FDCWD, arg};
	n = strtol(arg + 1, &end, 10);
	if (n >= held_count || *end != '/')
		usage("no such descriptor", arg);
	return (struct place){held[n], end + 1};
}

/* For calls that have no *at() form. The result lives until the program ends. */
const char *arg_path(const char *arg)
{
	struct place at = arg_place(arg);
	char *joined;

	if (at.dir == AT_FDCWD)
		return arg;
	if (asprintf(&joined, "/proc/self/fd/%d/%s", at.dir, at.name) < 0)
		usage("no memory", arg);
	return joined;
}

long long arg_number(const char *arg)
{
	char *end;
	long long value = strtoll(arg, &end, 0);

	if (end == arg || *end)
		usage("not a number", arg);
	return value;
}

mode_t arg_mode(char *const *args, mode_t otherwise)
{
	return args[0] ? (mode_t)strtoul(args[0], NULL, 8) : otherwise;
}

long arg_word(const struct word *words, const char *arg)
{
	for (; words->name; words++)
		if (strcmp(words->name, arg) == 0)
			return words->value;
	usage("unknown word", arg);
	return 0;
}

long arg_words(const struct word *words, const char *arg)
{
	char *copy = strdup(arg), *save = NULL;
	long value = 0;

	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save))
		value |= arg_word(words, w);
	free(copy);
	return value;
}

static bool printed;

void answer(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printed = true;
}

/* Bytes that would break a line of output are shown as \xNN. */
int answer_bytes(const char *bytes, ssize_t size)
{
	if (size < 0)
		return -1;
	for (ssize_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c < 0x20 || c == 0x7f)
			answer("\\x%02x", c);
		else
			answer("%c", c);
	}
	answer("\n");
	return 0;
}

static const struct op *find_op(const char *name)
{
	static const struct op *const tables[] = {ops_names, ops_attrs, ops_data};

	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct op *op = tables[t]; op->name; op++)
			if (strcmp(op->name, name) == 0)
				return op;
	usage("unknown operation", name);
	return NULL;
}

/* Runs one operation, whose words end in NULL. */
static void run(char **words, int count)
{
	const struct op *op = find_op(words[0]);

	if (count - 1 < op->min_args || count - 1 > op->max_args)
		usage("wrong number of arguments", words[0]);
	if (op->run(words + 1) == 0)
		return;
	printf("%s\n", strerrorname_np(errno) ? strerrorname_np(errno) : "unknown");
	exit(1);
}

/* words[0] is the program's name. */
static int run_words(char **words, int count)
{
	int first = 1;

	umask(022);
	alarm(30);
	for (int i = 1; i <= count; i++) {
		if (i < count && strcmp(words[i], ",") != 0)
			continue;
		words[i] = NULL;
		if (i == first)
			usage("no operation", "before a comma");
		run(words + first, i - first);
		first = i + 1;
	}
	if (!printed)
		puts("OK");
	return 0;
}

static void run_line(char *line)
{
	char self[] = "sys", *words[MAX_WORDS + 1] = {self};
	int count = 1;

	for (char *word; (word = strsep(&line, "\x1f"));) {
		if (count == MAX_WORDS)
			usage("too many words", word);
		words[count++] = word;
	}
	exit(run_words(words, count));
}

/* Prints what the child of this line says, which is OK unless it fails. */
static int answer_line(char *line)
{
	char said[256];
	int out[2], status;
	size_t size;
	FILE *from;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		return -1;
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		/* At exit, stdio would take the offset that we share back to where we have read. */
		close(STDIN_FILENO);
		run_line(line);
	}
	close(out[1]);
	from = fdopen(out[0], "r");
	if (!from)
		return -1;
	size = fread(said, 1, sizeof(said) - 1, from);
	said[size] = '\0';
	while (getc(from) != EOF)
		continue;
	fclose(from);
	if (waitpid(pid, &status, 0) < 0)
		return -1;
	if (WIFSIGNALED(status))
		printf("%s\n", strsignal(WTERMSIG(status)));
	else if (status == 0)
		puts("OK");
	else
		printf("%.*s\n", (int)strcspn(said, "\n"), said);
	return fflush(stdout);
}

static int run_batch(void)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t size;

	while ((size = getline(&line, &room, stdin)) > 0) {
		if (line[size - 1] == '\n')
			line[size - 1] = '\0';
		if (answer_line(line) < 0) {
			perror("sys batch");
			return 2;
		}
	}
	free(line);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		usage("usage", "sys OP ARG... [, OP ARG...]...");
	return strcmp(argv[1], "batch") == 0 ? run_batch() : run_words(argv, argc);
}
