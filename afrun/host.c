/*
 * The facts about this machine. See host.h; it reads, and decides nothing.
 */
#include "host.h"

#include "cleanup.h"

#include <glob.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static const char *const host_dirs[] = {
	"/bin",
	"/sbin",
	"/lib",
	"/lib64",
	"/lib32",
	"/libx32",
	NULL,
};

/*
 * What programs read from /etc that is neither secret nor about this machine's services: where
 * libraries, alternatives, certificates and locales are, and how shells and tools are set up: where
 * /usr has links to here, too. Each is a pattern of glob(3).
 */
static const char *const host_etc[] = {
	"ld.so.cache",
	"ld.so.conf",
	"ld.so.conf.d",
	"alternatives",
	"ssl/certs",
	"ssl/openssl.cnf",
	"pki/tls/certs",
	"pki/ca-trust",
	"crypto-policies",
	"profile",
	"bash.bashrc",
	"inputrc",
	"terminfo",
	"mime.types",
	"services",
	"protocols",
	"fonts",
	"perl",
	"groff",
	"java-*-openjdk",
	"maven/m2.conf",
	"maven/logging",
	"fpc.cfg",
	"gnucobol",
	"vim",
	"manpath.config",
	"os-release",
	"debian_version",
	"timezone",
	NULL,
};

/* The target of a symlink, newly allocated, or NULL where path is none. */
static char *read_link(const char *path)
{
	char target[PATH_MAX];
	ssize_t len = readlink(path, target, sizeof(target) - 1);

	if (len < 0)
		return NULL;
	target[len] = '\0';
	return strdup(target);
}

static void read_dirs(struct af_host *host)
{
	for (const char *const *path = host_dirs; *path; path++) {
		struct stat st;

		if (stat(*path, &st) < 0 || !S_ISDIR(st.st_mode))
			continue;
		host->dirs[host->dir_count++] =
			(struct af_host_dir){.path = *path, .link = read_link(*path)};
	}
}

static void add_etc(struct af_host *host, const char *pattern)
{
	char path[64];
	glob_t found;
	struct stat st;
	int status;

	snprintf(path, sizeof(path), "/etc/%s", pattern);
	status = glob(path, GLOB_NOSORT, NULL, &found);
	if (status == GLOB_NOSPACE)
		host->etc_files.error = -ENOMEM;
	if (status != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		if (stat(found.gl_pathv[i], &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			words_add(&host->etc_dirs, found.gl_pathv[i]);
		else if (S_ISREG(st.st_mode) && st.st_mode & S_IROTH)
			words_add(&host->etc_files, found.gl_pathv[i]);
	}
	globfree(&found);
}

int host_read(struct af_host *host)
{
	*host = (struct af_host){0};
	read_dirs(host);
	for (const char *const *pattern = host_etc; *pattern; pattern++)
		add_etc(host, *pattern);
	host->localtime = read_link("/etc/localtime");
	host->resolv = realpath("/etc/resolv.conf", NULL);
	return words_error(&host->etc_files) ? words_error(&host->etc_files)
					     : words_error(&host->etc_dirs);
}

void host_fini(struct af_host *host)
{
	for (size_t i = 0; i < host->dir_count; i++)
		free(host->dirs[i].link);
	words_fini(&host->etc_files);
	words_fini(&host->etc_dirs);
	free(host->localtime);
	free(host->resolv);
	*host = (struct af_host){0};
}
