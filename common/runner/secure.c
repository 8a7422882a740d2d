/*
 * secure.c - see secure.h.
 */
#include "common/runner/secure.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define LINKS_MAX 40 /* as many as the kernel follows (path_resolution(7)) */

struct walk {
	const struct secure_host *host;
	struct text *why;
	bool as_root;
	unsigned n_links;
	char done[PATH_MAX]; /* checked so far: "/opt/x"; "" is the root directory */
	char todo[PATH_MAX]; /* relative to it */
};

static const char *
current(const struct walk *w)
{
	return w->done[0] != '\0' ? w->done : "/";
}

static int
refuse(struct walk *w, int err, const char *what)
{
	text_addf(w->why, "%s %s", current(w), what);
	return err;
}

static int
refuse_group(struct walk *w, gid_t gid)
{
	const char *name = w->host->group_name(w->host->aux, gid);

	if (name != NULL)
		text_addf(w->why, "%s is writable by group %s", current(w), name);
	else
		text_addf(w->why, "%s is writable by group %u", current(w), (unsigned)gid);
	return -EPERM;
}

static int
refuse_owner(struct walk *w, uid_t uid)
{
	const char *name = w->host->user_name(w->host->aux, uid);

	if (name != NULL)
		text_addf(w->why, "%s is owned by user %s", current(w), name);
	else
		text_addf(w->why, "%s is owned by user %u", current(w), (unsigned)uid);
	return -EPERM;
}

/* Who else than root could put something else in its place? */
static int
check_owner(struct walk *w, const struct secure_stat *st)
{
	if (!w->as_root)
		return 0;
	if (st->uid != 0)
		return refuse_owner(w, st->uid);
	if (S_ISLNK(st->mode) || (S_ISDIR(st->mode) && (st->mode & S_ISVTX) != 0))
		return 0; /* a link has no mode of its own; sticky: only the owner may replace */
	if ((st->mode & S_IWOTH) != 0)
		return refuse(w, -EPERM, "is writable by everybody");
	if ((st->mode & S_IWGRP) != 0 && st->gid != 0)
		return refuse_group(w, st->gid);
	return 0;
}

static int
check_last(struct walk *w, const struct secure_stat *st)
{
	if (S_ISDIR(st->mode))
		return refuse(w, -EACCES, "is a directory");
	if (!S_ISREG(st->mode))
		return refuse(w, -EACCES, "is not a regular file");
	if ((st->mode & 0111) == 0)
		return refuse(w, -EACCES, "is not executable");
	return 0;
}

/* One component off 'todo' onto 'done'. */
static int
step_into(struct walk *w)
{
	size_t n = strcspn(w->todo, "/"), length = strlen(w->done);
	bool dot = n == 1 && w->todo[0] == '.', dotdot = n == 2 && memcmp(w->todo, "..", 2) == 0;

	if (dotdot) {
		char *slash = strrchr(w->done, '/');

		if (slash != NULL)
			*slash = '\0';
	} else if (n > 0 && !dot) {
		if (length + n + 2 > sizeof(w->done))
			return refuse(w, -ENAMETOOLONG, "begins a path that is too long");
		w->done[length] = '/';
		memcpy(w->done + length + 1, w->todo, n);
		w->done[length + 1 + n] = '\0';
	}
	while (w->todo[n] == '/')
		n++;
	memmove(w->todo, w->todo + n, strlen(w->todo + n) + 1);
	return 0;
}

/* 'done' is a link: its target stands before the rest of the way. */
static int
follow(struct walk *w)
{
	char target[PATH_MAX], *slash;
	size_t n, rest = strlen(w->todo);
	int err;

	if (++w->n_links > LINKS_MAX)
		return refuse(w, -ELOOP, "has too many symbolic links behind it");
	err = w->host->readlink(w->host->aux, w->done, target, sizeof(target));
	if (err < 0)
		return refuse(w, err, strerror(-err));
	n = strlen(target);
	if (n + rest + 2 > sizeof(w->todo))
		return refuse(w, -ENAMETOOLONG, "leads to a path that is too long");
	memmove(w->todo + n + 1, w->todo, rest + 1);
	memcpy(w->todo, target, n);
	w->todo[n] = '/';
	slash = strrchr(w->done, '/');
	w->done[target[0] == '/' ? 0 : slash - w->done] = '\0';
	return 0;
}

static int
check_component(struct walk *w, struct secure_stat *st)
{
	int err = w->host->lstat(w->host->aux, current(w), st);

	if (err == -ENOENT || err == -ENOTDIR)
		return refuse(w, err, "does not exist");
	if (err < 0) {
		text_addf(w->why, "%s: %s", current(w), strerror(-err));
		return err;
	}
	err = check_owner(w, st);
	return err == 0 && S_ISLNK(st->mode) ? follow(w) : err;
}

int
secure_check(const struct secure_host *host, const char *path, bool as_root, struct text *why)
{
	struct walk w = { .host = host, .why = why, .as_root = as_root };
	struct secure_stat st;
	int err;

	if (path[0] != '/') {
		text_addf(why, "%s is not in the search path for scripts", path);
		return -ENOENT;
	}
	if (strlen(path) >= sizeof(w.todo)) {
		text_add(why, "the path is too long");
		return -ENAMETOOLONG;
	}
	strcpy(w.todo, path);
	for (;;) {
		err = check_component(&w, &st);
		if (err < 0)
			return err;
		while (w.todo[0] == '/')
			memmove(w.todo, w.todo + 1, strlen(w.todo));
		if (w.todo[0] == '\0')
			return check_last(&w, &st);
		if (!S_ISDIR(st.mode) && !S_ISLNK(st.mode))
			return refuse(&w, -ENOTDIR, "is not a directory");
		err = step_into(&w);
		if (err < 0)
			return err;
	}
}
