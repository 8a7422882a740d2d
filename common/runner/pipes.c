/*
 * pipes.c - see pipes.h.
 */
#include "common/runner/pipes.h"

#include "common/daemon.h"
#include "common/log.h"
#include "common/runner/cred.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIFO_MODE 0660 /* vrrpd opens it for both, so that it takes lines before anybody reads */

/* Nobody but root can put something else into the place of what is root's. */
static bool
is_roots(const struct stat *dir)
{
	bool others = (dir->st_mode & S_IWOTH) != 0 ||
		      ((dir->st_mode & S_IWGRP) != 0 && dir->st_gid != 0);

	return dir->st_uid == 0 && (!others || (dir->st_mode & S_ISVTX) != 0);
}

/* In 'dir', where it cannot be replaced while we look. */
static const char *
make_in(int dir, const char *name, const struct cred *cred, gid_t group)
{
	struct stat st;

	if (mkfifoat(dir, name, 0600) < 0 && errno != EEXIST)
		return strerror(errno);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return strerror(errno);
	if (!S_ISFIFO(st.st_mode))
		return "there is something else of that name";
	if (st.st_uid != 0 && st.st_uid != cred->uid)
		return NULL; /* another's, who knows what for */
	if (fchownat(dir, name, cred->uid, group, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(dir, name, FIFO_MODE, 0) < 0)
		return strerror(errno);
	return NULL;
}

static const char *
make(const struct fifo_conf *fifo, gid_t group, struct text *why)
{
	const char *slash = strrchr(fifo->path, '/'), *failed = NULL;
	char *parent = slash == fifo->path ? xstrdup("/")
					   : xstrndup(fifo->path, (size_t)(slash - fifo->path));
	int dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct cred cred;
	struct stat st;

	if (dir < 0 || fstat(dir, &st) < 0)
		failed = strerror(errno);
	else if (cred_lookup(&(struct conf_script){ .user = fifo->user }, &cred, why) < 0)
		failed = text_str(why);
	else if (is_roots(&st))
		failed = make_in(dir, slash + 1, &cred, group);
	if (dir >= 0)
		close(dir);
	free(parent);
	return failed;
}

static void
make_one(const struct fifo_conf *fifo, gid_t group)
{
	struct text why = { 0 };
	const char *failed = fifo->path != NULL ? make(fifo, group, &why) : NULL;

	if (failed != NULL)
		log_warn("cannot make FIFO %s: %s", fifo->path, failed);
	text_done(&why);
}

void
pipes_make(const struct conf *conf)
{
	const struct group *group = getgrnam(DAEMON_GROUP);
	gid_t gid = group != NULL ? group->gr_gid : (gid_t)-1;

	if (geteuid() != 0)
		return; /* who reads is who writes */
	for (size_t i = 0; i < ARRAY_LEN(conf->fifos); i++)
		make_one(&conf->fifos[i], gid);
	for (size_t i = 0; i < conf->n_instances; i++)
		make_one(&conf->instances[i].fifo, gid);
	for (size_t i = 0; i < conf->n_groups; i++)
		make_one(&conf->groups[i].fifo, gid);
}
