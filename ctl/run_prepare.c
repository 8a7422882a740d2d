/*
 * run_prepare.c - what `trivet run` arranges before the first child (run.h).
 */
#include "common/log.h"
#include "common/text.h"
#include "ctl/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Beside our own executable (a build), or where packages put daemons. */
char *
run_find_program(const char *name)
{
	static const char *const where[] = { ".", "../sbin", "../libexec/trivet", "../lib/trivet" };
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return NULL;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < ARRAY_LEN(where); i++) {
		char *path = i == 0 ? xasprintf("%s/%s", self, name)
				    : xasprintf("%s/%s/%s", self, where[i], name);

		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

static void
make_parents(const char *path)
{
	char *copy = xstrdup(path);

	for (char *p = strchr(copy + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(copy, 0755);
		*p = '/';
	}
	free(copy);
}

/* DIR, root's and 0755; each daemon makes its own below it. */
static int
make_dir(const char *path, mode_t mode)
{
	struct stat st;
	int err = 0;

	if (mkdir(path, mode) < 0 && errno != EEXIST)
		err = -errno;
	else if (lstat(path, &st) < 0)
		err = -errno;
	else if (!S_ISDIR(st.st_mode))
		err = -ENOTDIR;
	else if (st.st_uid != geteuid())
		err = -EPERM;
	else if (chmod(path, mode) < 0)
		err = -errno;
	if (err < 0)
		log_err("%s: %s", path, strerror(-err));
	return err;
}

/* One supervisor for a directory: the lock ends with the process that holds it. */
static int
lock_dir(const char *run_dir)
{
	char *path = xasprintf("%s/supervisor.lock", run_dir);
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600), err = 0;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		err = -errno;
	if (err == -EWOULDBLOCK)
		log_err("%s: another trivet run is at work here", run_dir);
	else if (err < 0)
		log_err("%s: %s", path, strerror(-err));
	free(path);
	return err;
}

int
run_prepare_dirs(const struct run *run)
{
	char *notify = xasprintf("%s/notify", run->options.run_dir);
	int err;

	make_parents(run->options.run_dir); /* what it could not make, the next step names */
	err = make_dir(run->options.run_dir, 0755);

	if (err == 0)
		err = lock_dir(run->options.run_dir);
	if (err == 0)
		err = make_dir(notify, 0755);
	free(notify);
	return err;
}

void
run_raise_nofile(struct run *run)
{
	struct rlimit more;

	getrlimit(RLIMIT_NOFILE, &run->nofile);
	more = run->nofile;
	more.rlim_cur = MIN(more.rlim_max, (rlim_t)8192);
	if (more.rlim_cur > run->nofile.rlim_cur)
		setrlimit(RLIMIT_NOFILE, &more);
}
