/*
 * daemon_files.c - the directories and small files of a daemon: who may own
 * them, and how they are written so that nobody reads half of one.
 */
#include "common/caps.h"
#include "common/daemon_priv.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *
daemon_run_path(const struct daemon *d, const char *file)
{
	return xasprintf("%s/%s/%s", d->options.run_dir, d->class->name, file);
}

char *
daemon_state_path(const struct daemon *d, const char *file)
{
	return xasprintf("%s/%s/%s", d->options.state_dir, d->class->name, file);
}

static char *
new_path(const char *path)
{
	return xasprintf("%s.new", path);
}

int
daemon_file_begin(const char *path, mode_t mode)
{
	char *tmp = new_path(path);
	int fd, err = 0;

	unlink(tmp); /* of an earlier write that was cut off */
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		err = -errno;
	else if (fchmod(fd, mode) < 0)
		err = daemon_file_end(path, fd, -errno);
	free(tmp);
	return err < 0 ? err : fd;
}

int
daemon_file_add(int fd, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		size -= (size_t)n;
	}
	return 0;
}

int
daemon_file_end(const char *path, int fd, int err)
{
	char *tmp = new_path(path);

	if (close(fd) < 0 && err == 0)
		err = -errno;
	if (err == 0 && rename(tmp, path) < 0)
		err = -errno;
	if (err < 0)
		unlink(tmp);
	free(tmp);
	return err;
}

int
daemon_write_file(const char *path, const char *text, size_t size, mode_t mode)
{
	int fd = daemon_file_begin(path, mode);

	return fd < 0 ? fd : daemon_file_end(path, fd, daemon_file_add(fd, text, size));
}

static int
read_trusted(int fd, size_t max_bytes, char **ret_text, size_t *ret_size)
{
	struct text t = { 0 };
	struct stat st;
	char buf[8192];
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (st.st_mode & 0022) != 0 ||
	    (st.st_uid != 0 && st.st_uid != geteuid() && geteuid() != 0))
		return -EPERM;
	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || t.length + (size_t)n > max_bytes) {
			int err = n < 0 ? -errno : -EFBIG;

			text_done(&t);
			return err;
		}
		text_add_n(&t, buf, (size_t)n);
	}
	*ret_size = t.length;
	*ret_text = text_take(&t);
	return 0;
}

int
daemon_read_file(const char *path, size_t max_bytes, char **ret_text, size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	int err;

	if (fd < 0)
		return -errno;
	err = read_trusted(fd, max_bytes, ret_text, ret_size);
	close(fd);
	return err;
}

/* mkdir -p, each made directory root's and 0755. */
static int
make_parents(const char *path)
{
	char buf[PATH_MAX];

	if (strlen(path) >= sizeof(buf))
		return -ENAMETOOLONG;
	strcpy(buf, path);
	for (char *p = buf + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(buf, 0755) < 0 && errno != EEXIST)
			return -errno;
		if (c == '\0')
			return 0;
		*p = c;
	}
}

/* PARENT/NAME belongs to the daemon alone; whatever stood there must have been its own already. */
static int
make_own(const char *parent, const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	char *path = xasprintf("%s/%s", parent, name);
	struct stat st;
	int fd = -1, err = make_parents(parent);

	if (err == 0 && mkdir(path, mode) < 0 && errno != EEXIST)
		err = -errno;
	if (err == 0) {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0)
			err = -errno;
		else if (st.st_uid != 0 && st.st_uid != uid)
			err = -EPERM;
		else if (fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0)
			err = -errno;
	}
	if (err < 0)
		log_err("%s: %s", path, err == -EPERM ? "belongs to another user" : strerror(-err));
	if (fd >= 0)
		close(fd);
	free(path);
	return err;
}

/* RUN_DIR/NAME.sock -> NAME/bus: made by root, so that no daemon can stand in for another. */
static int
make_link(const char *run_dir, const char *name)
{
	char *link = xasprintf("%s/%s.sock", run_dir, name);
	char *target = xasprintf("%s/bus", name);
	char now[PATH_MAX];
	ssize_t n = readlink(link, now, sizeof(now) - 1);
	int err = 0;

	if (n < 0 || (size_t)n != strlen(target) || memcmp(now, target, (size_t)n) != 0) {
		unlink(link);
		if (symlink(target, link) < 0 && errno != EEXIST) {
			err = -errno;
			log_err("%s: %s", link, strerror(-err));
		}
	}
	free(link);
	free(target);
	return err;
}

int
daemon_make_dirs(const struct daemon *d)
{
	const struct group *group = getgrnam(DAEMON_GROUP);
	uid_t uid;
	gid_t gid;
	int err;

	if (caps_user(d->class->user, &uid, &gid) < 0 || group == NULL)
		return 0; /* caps_drop says it in one line */
	err = make_own(d->options.run_dir, d->class->name, 0750, uid, group->gr_gid);
	if (err == 0)
		err = make_link(d->options.run_dir, d->class->name);
	if (err == 0)
		err = make_own(d->options.state_dir, d->class->name, 0700, uid, gid);
	return err;
}

static int
check_dir(const char *parent, const char *name, const char *option)
{
	char *path = xasprintf("%s/%s", parent, name);
	int err = access(path, W_OK | X_OK) < 0 ? -errno : 0;

	if (err < 0)
		log_err("%s: %s (%s; made by root at start, or by systemd-tmpfiles)", path,
		    strerror(-err), option);
	free(path);
	return err;
}

int
daemon_check_dirs(const struct daemon *d)
{
	int err = check_dir(d->options.run_dir, d->class->name, "--run-dir");

	if (err == 0)
		err = check_dir(d->options.state_dir, d->class->name, "--state-dir");
	return err;
}
