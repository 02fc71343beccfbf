/*
 * agentfensefs(1): mounts a view of a directory in which each path is none, view, read or write.
 *
 * In the order in which things happen:
 *
 *     options.c options_rules.c options_mount.c usage.c   command line and -o -> struct fs_options
 *     explain.c      --explain, --check, --presets: decisions without a mount
 *     main.c         the life of a mount, in the foreground or in the background
 *     mount.c        on the mount point, and off it
 *     conn.c         what we and the kernel agree on
 *     session.c      worker threads and signals
 *     op_*.c         requests: parse, gate, layer, reply
 *     gate.c         the only caller of the policy: verdicts -> errno and audit
 *     tree.c         whether a whole directory may move
 *     inode.c inode_name.c inode_path.c   nodes that the kernel knows, and their names
 *     dirfd.c        from a node to a descriptor
 *     overlay.c merge.c   what is seen of two layers: a name, a directory
 *     copyup.c copyup_dir.c copyup_tree.c links.c   from the source to the delta, before a change
 *     change.c change_rename.c whiteout.c   names made, moved and taken away
 *     upper.c upper_quota.c   the delta: its log, its lock, its space
 *     layer.c        every *at() call on one directory tree
 *     attr.c cred.c  what files look like; acting as the caller
 *     kcache.c stale.c   what the kernel may remember, and must forget
 *     hold.c refresh.c   standing still while the delta is merged, and what is seen afterwards
 *     audit.c audit_infer.c counters.c   what is told to whom
 */
#include "fs.h"

#include "cleanup.h"
#include "conn.h"
#include "cred.h"
#include "explain.h"
#include "log.h"
#include "mount.h"
#include "op.h"
#include "session.h"

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { EXIT_USAGE = 2, MAX_HELD_DIRECTORIES = 1024, MAX_DESCRIPTORS = 65536 };

/* libfuse's own messages, one line each like ours; it writes some of them in pieces. */
static void log_fuse(enum fuse_log_level level, const char *fmt, va_list args)
{
	static _Thread_local char text[1024];
	static _Thread_local size_t used;
	int len = vsnprintf(text + used, sizeof(text) - used, fmt, args);

	if (len < 0)
		return;
	used = used + (size_t)len < sizeof(text) ? used + (size_t)len : sizeof(text) - 1;
	if (used == 0 || (text[used - 1] != '\n' && used < sizeof(text) - 1))
		return;
	text[used - 1] = '\0';
	used = 0;
	if (level <= FUSE_LOG_WARNING)
		log_error("%s", text);
	else
		log_notice("%s", text);
}

/* As many descriptors as we may have; a share of them holds directories. */
static uint32_t raise_descriptors(void)
{
	struct rlimit limit;
	rlim_t share;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 64;
	limit.rlim_cur = limit.rlim_max < MAX_DESCRIPTORS ? limit.rlim_max : MAX_DESCRIPTORS;
	setrlimit(RLIMIT_NOFILE, &limit);
	share = limit.rlim_cur / 4;
	return share < MAX_HELD_DIRECTORIES ? (uint32_t)share : MAX_HELD_DIRECTORIES;
}

/* What libfuse is to do where mount.c cannot; the name is needed either way. */
static int set_mount_options(struct fs_options *options)
{
	struct fuse_args *args = &options->mount_args;
	char *escaped = NULL;
	/* mount(8) passes suid and dev for root; nothing in the source may have that power here. */
	int err = fuse_opt_add_arg(args, "-odefault_permissions,subtype=agentfensefs,nosuid,nodev");

	if (!err && !options->mount.name) {
		af_autofree char *option = NULL;

		options->mount.name = realpath(options->source, NULL);
		if (!options->mount.name ||
			asprintf(&option, "fsname=%s", options->mount.name) < 0) {
			option = NULL;
			return -ENOMEM;
		}
		err = fuse_opt_add_opt_escaped(&escaped, option) || fuse_opt_add_arg(args, "-o") ||
			fuse_opt_add_arg(args, escaped);
		free(escaped);
	}
	if (!err && options->debug)
		err = fuse_opt_add_arg(args, "-d");
	return err ? -ENOMEM : 0;
}

/* Tells whoever waits: --ready-fd, and the process that started us. */
static void mount_is_ready(struct af_fs *fs)
{
	int ready_fd = fs->options->ready_fd;

	kcache_probe(fs);
	if (ready_fd >= 0) {
		if (write(ready_fd, "ready\n", 6) < 0)
			log_warn("ready-fd: %d: %s", ready_fd, strerror(errno));
		close(ready_fd);
	}
	if (fs->parent_fd >= 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		for (int fd = 0; null >= 0 && fd <= 2; fd++)
			dup2(null, fd);
		if (null > 2)
			close(null);
		log_to_syslog();
		if (write(fs->parent_fd, "", 1) < 0)
			log_warn("cannot tell that the mount is ready: %s", strerror(errno));
		close(fs->parent_fd);
		fs->parent_fd = -1;
	}
}

/*
 * Goes to the background: the child goes on with *parent_fd, and this process waits until the child
 * has written to it or has failed, with its status. Returns in the child only, or -errno.
 */
static int go_to_background(int *parent_fd)
{
	int fds[2], status;
	char byte;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		close(fds[0]);
		setsid();
		*parent_fd = fds[1];
		return 0;
	}
	close(fds[1]);
	if (read(fds[0], &byte, 1) == 1)
		_exit(0);
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	log_error("the background process was killed");
	_exit(1);
}

/* A directory's rename must not wait for as long as others make files without a pause. */
static void init_rename_lock(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(lock, &attr);
	pthread_rwlockattr_destroy(&attr);
}

static int fs_init(struct af_fs *fs, const struct fs_options *options, const char *policy_text)
{
	struct layer_dir root;
	int err;

	*fs = (struct af_fs){
		.options = options,
		.policy_text = policy_text,
		.event_fd = -1,
		.parent_fd = -1,
		.stale = {.event_fd = -1},
	};
	hold_init(&fs->hold, options->hold_fd);
	fs->layer.root_fd = -1;
	init_rename_lock(&fs->rename_lock);
	err = layer_open(&fs->layer, options->source, options->delta != NULL);
	if (err) {
		log_error("source: %s: %s", options->source, strerror(-err));
		return err;
	}
	owners_init(&fs->owners);
	fs->owners.lend = options->lend;
	fs->owners.lend_uid = options->lend_uid;
	fs->owners.lend_gid = options->lend_gid;
	err = upper_open(fs);
	if (err)
		return err;
	overlay_root(fs, &root);
	dirfds_init(&fs->dirfds, &root, raise_descriptors());
	kcache_init(fs);
	err = stale_init(&fs->stale);
	if (!err)
		err = table_init(&fs->table, &fs->layer.root, &fs->dirfds);
	fs->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!err && fs->event_fd < 0)
		err = -errno;
	if (err) {
		log_error("start: %s", strerror(-err));
		return err;
	}
	if (options->audit)
		err = audit_open(options->audit, options->audit_all, &fs->audit);
	if (fs->upper)
		fs->upper->audit = fs->audit;
	return err;
}

static void fs_fini(struct af_fs *fs)
{
	if (fs->upper)
		delta_lock_ends(&fs->upper->delta);
	if (fs->table.by_id)
		table_fini(&fs->table);
	if (fs->dirfds.limit)
		dirfds_fini(&fs->dirfds);
	upper_close(fs->upper);
	free(fs->source_path);
	layer_close(&fs->layer);
	if (fs->gate.policy)
		gate_fini(&fs->gate);
	audit_close(fs->audit);
	stale_fini(&fs->stale);
	if (fs->event_fd >= 0)
		close(fs->event_fd);
	hold_fini(&fs->hold);
	pthread_rwlock_destroy(&fs->rename_lock);
}

/* The compiled policy and, as a delta's log is to tell of it, its text (newly allocated). */
static struct af_policy *load_policy(const struct fs_options *options, char **text)
{
	struct af_rules *rules = options_load_rules(options, false);
	struct af_policy *policy = NULL;

	*text = rules ? options_rules_text(rules) : NULL;
	if (!*text || policy_compile(rules, &policy) != 0)
		policy = NULL;
	rules_free(rules);
	return policy;
}

/* Serves the mounted session until it ends. */
static int serve(struct af_fs *fs)
{
	int err = cred_init();

	if (!err && chdir("/") != 0)
		err = -errno;
	if (!err)
		err = session_run(fs, mount_is_ready);
	if (err)
		log_error("%s: %s", fs->options->mountpoint, strerror(-err));
	return err;
}

/* Unmounting must find it from whatever directory we are in by then. */
static int resolve_mountpoint(struct fs_options *options)
{
	char *real = realpath(options->mountpoint, NULL);
	struct stat st;
	int err = 0;

	if (!real || stat(real, &st) != 0)
		err = -errno;
	else if (!S_ISDIR(st.st_mode))
		err = -ENOTDIR;
	if (err) {
		log_error("mount point: %s: %s", options->mountpoint, strerror(-err));
		free(real);
		return err;
	}
	free(options->mountpoint);
	options->mountpoint = real;
	return 0;
}

static int mount_and_serve(struct af_fs *fs, struct fs_options *options)
{
	struct af_mount mount;
	int err = resolve_mountpoint(options);

	if (err)
		return err;
	err = set_mount_options(options);
	if (!err && !options->foreground)
		err = go_to_background(&fs->parent_fd);
	if (err) {
		log_error("start: %s", strerror(-err));
		return err;
	}
	if (fs->upper)
		delta_lock_claim(&fs->upper->delta);
	session_block_signals();
	fs->session = fuse_session_new(&options->mount_args, &session_ops, sizeof(session_ops), fs);
	if (!fs->session)
		return -EINVAL; /* an unknown option: libfuse has said so */
	if (options->rules_count == 0 && !options->has_default)
		log_warn("no policy: nothing of %s will be visible", options->source);
	err = mount_attach(&mount, fs->session, options);
	if (!err)
		err = serve(fs);
	mount_detach(&mount, fs->session, options);
	fs->session = NULL;
	op_files_fini(fs);
	op_listings_fini(fs);
	return err;
}

static int run_mount(struct fs_options *options)
{
	af_autofree char *policy_text = NULL;
	struct af_policy *policy = load_policy(options, &policy_text);
	struct af_fs fs;
	int err;

	if (!policy)
		return EXIT_FAILURE;
	err = fs_init(&fs, options, policy_text);
	gate_init(&fs.gate, policy);
	if (!err)
		err = mount_and_serve(&fs, options);
	fs_fini(&fs);
	if (err == -EINVAL)
		return EXIT_USAGE;
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(struct fs_options *options)
{
	switch (options->mode) {
	case FS_MOUNT:
		return run_mount(options);
	case FS_EXPLAIN:
		return explain_paths(options);
	case FS_CHECK:
		return explain_check(options);
	case FS_PRESETS:
		return rules_print_presets(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
	case FS_HELP:
		options_print_help();
		return EXIT_SUCCESS;
	case FS_VERSION:
		conn_print_version(stdout);
		return EXIT_SUCCESS;
	}
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct fs_options options;
	int status;

	log_init("agentfensefs");
	fuse_set_log_func(log_fuse);
	status = options_parse(&options, argc, argv);
	if (status == 0)
		status = run(&options);
	if (status == 0 && (fflush(stdout) != 0 || ferror(stdout))) {
		log_error("standard output: %s", strerror(errno));
		status = EXIT_FAILURE;
	}
	options_fini(&options);
	return status;
}
