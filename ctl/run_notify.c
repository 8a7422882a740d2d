/*
 * run_notify.c - what children say on NOTIFY_SOCKET (run.h): the protocol of
 * sd_notify(3), as far as a trivet daemon speaks it.
 *
 * A socket for each child, writable by its user only, and a datagram counts
 * only when the kernel says that the child itself sent it: a script it runs, or
 * a neighbour, cannot speak for it.
 */
#include "common/caps.h"
#include "common/log.h"
#include "common/text.h"
#include "ctl/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	MESSAGE_MAX = 4096, /* systemd's NOTIFY_BUFFER_MAX is of this order */
	FDS_MAX = 253,	    /* SCM_MAX_FD */
	BURST = 64,	    /* datagrams per wake-up: the other children get a turn */
};

struct message {
	char text[MESSAGE_MAX + 1];
	pid_t sender; /* 0: unknown */
	int fds[FDS_MAX];
	size_t n_fds;
};

/* The value of the line "KEY=..." in a private copy, or NULL.  'key' comes with its '='. */
static char *
find(const char *text, const char *key)
{
	size_t length = strlen(key);

	for (const char *line = text; line != NULL;) {
		const char *end = strchr(line, '\n');

		if (strncmp(line, key, length) == 0)
			return xstrndup(line + length,
			    end != NULL ? (size_t)(end - line) - length : strlen(line + length));
		line = end != NULL ? end + 1 : NULL;
	}
	return NULL;
}

static bool
says(const char *text, const char *key, const char *value)
{
	char *found = find(text, key);
	bool yes = found != NULL && strcmp(found, value) == 0;

	free(found);
	return yes;
}

static void
close_fds(struct message *m)
{
	while (m->n_fds > 0)
		close(m->fds[--m->n_fds]);
}

static void
store_fds(struct run_child *c, struct message *m)
{
	char *name = find(m->text, "FDNAME=");
	bool polled = !says(m->text, "FDPOLL=", "0");
	size_t lost = 0;

	if (name == NULL || !run_store_name_ok(name)) {
		free(name);
		name = xstrdup("stored"); /* what systemd calls it then */
	}
	for (size_t i = 0; i < m->n_fds; i++)
		lost += !run_store_add(&c->store, m->fds[i], name, polled);
	m->n_fds = 0;
	if (lost > 0)
		log_err("(%s) its store of %d descriptors is full: %zu closed", c->params->name,
		    RUN_STORE_MAX, lost);
	free(name);
}

static void
remove_fds(struct run_child *c, const struct message *m)
{
	char *name = find(m->text, "FDNAME=");

	if (name != NULL)
		run_store_remove(&c->store, name);
	free(name);
}

/*
 * BARRIER=1 carries the end of a pipe: that we close it tells the child that
 * everything it sent before has been dealt with.  close_fds does, last.
 */
static void
handle(struct run_child *c, struct message *m)
{
	char *status;

	if (says(m->text, "FDSTOREREMOVE=", "1"))
		remove_fds(c, m);
	else if (says(m->text, "FDSTORE=", "1"))
		store_fds(c, m);
	if ((status = find(m->text, "STATUS=")) != NULL)
		log_debug("(%s) %s", c->params->name, status);
	free(status);
	if (says(m->text, "READY=", "1"))
		run_child_event(c, SUPERVISE_EV_READY);
	if (says(m->text, "WATCHDOG=", "1"))
		run_child_event(c, SUPERVISE_EV_ALIVE);
}

static void
take_control(struct msghdr *msg, struct message *m)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h != NULL; h = CMSG_NXTHDR(msg, h)) {
		if (h->cmsg_level != SOL_SOCKET)
			continue;
		if (h->cmsg_type == SCM_CREDENTIALS) {
			struct ucred cred;

			memcpy(&cred, CMSG_DATA(h), sizeof(cred));
			m->sender = cred.pid;
		} else if (h->cmsg_type == SCM_RIGHTS) {
			m->n_fds = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(m->fds, CMSG_DATA(h), m->n_fds * sizeof(int));
		}
	}
}

/* One datagram; false when there is none. */
static bool
receive(int fd, struct message *m)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = { m->text, MESSAGE_MAX };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	m->sender = 0;
	m->n_fds = 0;
	do
		n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return false;
	m->text[n] = '\0';
	take_control(&msg, m);
	if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
		m->text[0] = '\0'; /* half a message is none */
	return true;
}

void
run_notify_drain(struct run_child *c)
{
	struct message m;

	for (int i = 0; i < BURST && c->notify_fd >= 0 && receive(c->notify_fd, &m); i++) {
		if (m.sender == c->pid && c->pid != 0)
			handle(c, &m);
		close_fds(&m);
	}
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	(void)events;
	if (status == 0)
		run_notify_drain(CONTAINER_OF(poll, struct run_child, notify_poll));
}

/* Bound, and for the child's user to write to. */
static int
make_socket(const char *path, const char *user)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	uid_t uid = 0;
	gid_t gid = 0;
	int fd, on = 1;

	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	strcpy(sun.sun_path, path);
	if (user != NULL && caps_user(user, &uid, &gid) < 0)
		uid = 0; /* the child will say what is missing */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 || chmod(path, 0600) < 0 ||
	    (geteuid() == 0 && chown(path, uid, gid) < 0) ||
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int
run_notify_open(struct run_child *c)
{
	int fd;

	c->notify_path = xasprintf("%s/notify/%s", c->run->options.run_dir, c->params->name);
	fd = make_socket(c->notify_path, c->user);
	if (fd < 0) {
		log_err("%s: %s", c->notify_path, strerror(-fd));
		return fd;
	}
	c->notify_fd = fd;
	uv_poll_init(c->run->loop, &c->notify_poll, fd);
	uv_unref((uv_handle_t *)&c->notify_poll);
	uv_poll_start(&c->notify_poll, UV_READABLE, on_readable);
	return 0;
}

void
run_notify_close(struct run_child *c)
{
	if (c->notify_fd < 0)
		return;
	uv_poll_stop(&c->notify_poll);
	uv_close((uv_handle_t *)&c->notify_poll, NULL);
	close(c->notify_fd);
	c->notify_fd = -1;
	unlink(c->notify_path);
}
