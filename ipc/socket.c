/*
 * socket.c - see socket.h.
 */
#include "ipc/socket.h"

#include "common/log.h"
#include "common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#define BACKLOG	    64	  /* connects that wait while the loop is busy */
#define SOCKET_MODE 0664  /* 'w' is what connect() asks for; 'r' lets tools see what it is */
#define GROUPS_MAX  65536 /* NGROUPS_MAX: more supplementary groups no process has */

/*
 * The address of 'path'; a long one by way of an O_PATH descriptor of its
 * directory, which the caller closes after bind or connect.
 */
static int
address_of(const char *path, struct sockaddr_un *ret, int *ret_dir_fd)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *slash = strrchr(path, '/');
	char *dir;
	int fd;

	*ret_dir_fd = -1;
	if (strlen(path) < sizeof(sun.sun_path)) {
		strcpy(sun.sun_path, path);
		*ret = sun;
		return 0;
	}
	if (slash == NULL || strlen(slash) > 64)
		return -ENAMETOOLONG;
	dir = xstrndup(path, (size_t)(slash - path));
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (fd < 0)
		return -errno;
	snprintf(sun.sun_path, sizeof(sun.sun_path), "/proc/self/fd/%d%s", fd, slash);
	*ret = sun;
	*ret_dir_fd = fd;
	return 0;
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static int
unix_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd >= 0 ? fd : -errno;
}

int
ipc_socket_connect(const char *path, int *ret_fd)
{
	struct sockaddr_un sun;
	int dir_fd, fd, error;

	error = address_of(path, &sun, &dir_fd);
	if (error < 0)
		return error;
	fd = unix_socket();
	if (fd < 0)
		error = fd;
	else if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		error = -errno;
	close_fd(dir_fd);
	if (error < 0) {
		close_fd(fd);
		return error;
	}
	*ret_fd = fd;
	return 0;
}

/* The lock decides between two daemons that start at once; it dies with its holder. */
static int
take_lock(const char *path)
{
	char *lock_path = xasprintf("%s.lock", path);
	int fd = open(lock_path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int error = fd < 0 ? -errno : 0;

	free(lock_path);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		error = errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
		close(fd);
	}
	return error < 0 ? error : fd;
}

/* Somebody who does not know of the lock, but answers. */
static bool
is_served(const char *path)
{
	int fd, error = ipc_socket_connect(path, &fd);

	if (error == 0)
		close(fd);
	return error == 0 || error == -EAGAIN;
}

/*
 * bind(2) makes the inode with the mode of the socket's own (fchmod before),
 * less the umask: nobody gets in before group and mode are as they shall be.
 */
static int
bind_private(int fd, const char *path)
{
	struct sockaddr_un sun;
	int dir_fd, error;

	error = address_of(path, &sun, &dir_fd);
	if (error < 0)
		return error;
	if (unlink(path) < 0 && errno != ENOENT)
		error = -errno;
	else if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		error = -errno;
	close_fd(dir_fd);
	return error;
}

static int
open_to_group(const char *path, gid_t group)
{
	struct stat st;

	/* A unit with Group= has made it right, and its filter refuses chown(2) even so. */
	if (lstat(path, &st) == 0 && st.st_gid == group)
		group = (gid_t)-1;
	/* Not being in the group must not keep a daemon from its own service. */
	if (group != (gid_t)-1 && lchown(path, (uid_t)-1, group) < 0)
		log_warn("%s: group %u: %s", path, (unsigned)group, strerror(errno));
	return chmod(path, SOCKET_MODE) < 0 ? -errno : 0;
}

/* Steps in order; the first failure ends them. */
static int
listen_at(const char *temporary, gid_t group, struct ipc_listening *l)
{
	struct stat st;
	int error;

	l->fd = unix_socket();
	if (l->fd < 0)
		return l->fd;
	error = bind_private(l->fd, temporary);
	if (error == 0 && listen(l->fd, BACKLOG) < 0)
		error = -errno;
	if (error == 0)
		error = open_to_group(temporary, group);
	if (error == 0 && (lstat(temporary, &st) < 0 || rename(temporary, l->path) < 0))
		error = -errno;
	if (error < 0)
		return error;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	/* Tells tools that Varlink is spoken here; sockets take it since Linux 7.0 only. */
	(void)setxattr(l->path, "user.varlink", "entrypoint", 10, 0);
	return 0;
}

int
ipc_socket_listen(const char *path, gid_t group, struct ipc_listening *ret)
{
	struct ipc_listening l = { .fd = -1, .lock_fd = take_lock(path) };
	char *temporary;
	int error;

	if (l.lock_fd < 0)
		return l.lock_fd;
	l.path = xstrdup(path);
	temporary = xasprintf("%s.tmp", path);
	error = is_served(path) ? -EADDRINUSE : listen_at(temporary, group, &l);
	free(temporary);
	if (error < 0) {
		ipc_socket_close(&l);
		return error;
	}
	*ret = l;
	return 0;
}

/* Under the lock, so that the name cannot become a successor's in between. */
void
ipc_socket_close(struct ipc_listening *l)
{
	struct stat st;

	if (l->path != NULL && l->ino != 0 && lstat(l->path, &st) == 0 && st.st_dev == l->dev &&
	    st.st_ino == l->ino)
		unlink(l->path);
	close_fd(l->fd);
	close_fd(l->lock_fd);
	free(l->path);
	*l = (struct ipc_listening){ .fd = -1, .lock_fd = -1 };
}

int
ipc_socket_peer(int fd, uid_t *ret_uid, gid_t *ret_gid, pid_t *ret_pid)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return -errno;
	*ret_uid = cred.uid;
	*ret_gid = cred.gid;
	*ret_pid = cred.pid;
	return 0;
}

bool
ipc_socket_peer_in_group(int fd, gid_t group)
{
	gid_t few[64], *groups = few;
	socklen_t size = sizeof(few);
	struct ucred cred;
	socklen_t cred_size = sizeof(cred);
	bool found = false;
	int rc;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_size) == 0 && cred.gid == group)
		return true;
	rc = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size);
	if (rc < 0 && errno == ERANGE && size <= GROUPS_MAX * sizeof(gid_t)) {
		groups = xcalloc(size, 1);
		rc = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size);
	}
	for (size_t i = 0; rc == 0 && i < size / sizeof(gid_t); i++)
		found = found || groups[i] == group;
	if (groups != few)
		free(groups);
	return found;
}

struct ipc_trust
ipc_trust_daemon(const char *daemon)
{
	struct ipc_trust trust = { 0 };
	char *name = xasprintf("_trivet-%s", daemon);
	const struct passwd *pw = getpwnam(name);

	if (pw != NULL)
		trust = (struct ipc_trust){ .uid = pw->pw_uid, .has_user = true };
	free(name);
	return trust;
}

int
ipc_trust_check(const struct ipc_trust *trust, int fd, uid_t *ret_uid)
{
	uid_t uid = (uid_t)-1;
	gid_t gid;
	pid_t pid;
	int error = ipc_socket_peer(fd, &uid, &gid, &pid);

	if (error < 0)
		return error;
	*ret_uid = uid;
	return uid == 0 || uid == geteuid() || (trust->has_user && uid == trust->uid) ? 0 : -EPERM;
}

char *
ipc_socket_path(const char *run_dir, const char *daemon)
{
	return xasprintf("%s/%s.sock", run_dir, daemon);
}
