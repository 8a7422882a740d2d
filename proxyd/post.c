/*
 * post.c - see post.h.
 */
#include "proxyd/post.h"

#include "common/fdstore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Wished for; the kernel gives up to twice net.core.wmem_max. */
#define BOX_BYTES (8 * 1024 * 1024)

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(PARCEL_FDS_MAX * sizeof(int))];
};

/* ---- sending ---- */

void
outbox_init(struct outbox *o, const char *name, size_t max)
{
	*o = (struct outbox){ .name = name, .max = max, .fds = { -1, -1 } };
}

static void
close_box(struct outbox *o)
{
	for (int i = 0; i < 2; i++) {
		if (o->fds[i] >= 0)
			close(o->fds[i]);
		o->fds[i] = -1;
	}
}

void
outbox_done(struct outbox *o)
{
	close_box(o);
}

static int
open_box(struct outbox *o)
{
	const int size = BOX_BYTES;

	if (o->n_stored >= o->max)
		return -ENOSPC;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, o->fds) < 0)
		return -errno;
	setsockopt(o->fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)); /* a wish */
	return 0;
}

int
outbox_store(struct outbox *o)
{
	int rc;

	if (o->fds[0] < 0)
		return 0;
	rc = fdstore_push(o->name, o->fds[1]);
	if (rc == 0)
		o->n_stored++;
	close_box(o);
	return rc;
}

static int
send_message(int fd, const struct parcel *p)
{
	struct iovec iov = { p->bytes.chars, p->bytes.length };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control = { 0 };
	struct cmsghdr *h;

	if (p->n_fds > 0) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(p->n_fds * sizeof(int));
		h = CMSG_FIRSTHDR(&msg);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(p->n_fds * sizeof(int));
		memcpy(CMSG_DATA(h), p->fds, p->n_fds * sizeof(int));
	}
	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int
outbox_send(struct outbox *o, const struct parcel *p)
{
	int rc = o->fds[0] < 0 ? open_box(o) : 0;

	if (rc == 0)
		rc = send_message(o->fds[0], p);
	if (rc != -EAGAIN)
		return rc;
	rc = outbox_store(o);
	if (rc == 0)
		rc = open_box(o);
	if (rc == 0)
		rc = send_message(o->fds[0], p);
	return rc == -EAGAIN ? -ENOSPC : rc;
}

/* ---- receiving ---- */

static void
take_fds(struct msghdr *msg, struct post_message *m)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h != NULL; h = CMSG_NXTHDR(msg, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		m->n_fds = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(m->fds, CMSG_DATA(h), m->n_fds * sizeof(int));
	}
}

int
post_read(int box, bool peek, struct post_message *ret)
{
	struct post_message m = { .bytes = xcalloc(1, PARCEL_SIZE_MAX) };
	struct iovec iov = { m.bytes, PARCEL_SIZE_MAX };
	union control control;
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	int flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC | (peek ? MSG_PEEK : 0);
	ssize_t n = recvmsg(box, &msg, flags);
	int rc = 0;

	if (n <= 0) { /* 0: the sending end is closed, as it should be */
		rc = -EAGAIN;
	} else {
		take_fds(&msg, &m);
		m.size = (size_t)n;
		if ((msg.msg_flags & MSG_CTRUNC) != 0)
			rc = -EMFILE;
		else if ((msg.msg_flags & MSG_TRUNC) != 0)
			rc = -EBADMSG;
	}
	if (rc < 0) {
		post_message_done(&m);
		return rc;
	}
	m.bytes = xreallocarray(m.bytes, m.size, 1);
	*ret = m;
	return 0;
}

void
post_message_done(struct post_message *m)
{
	for (size_t i = 0; i < m->n_fds; i++)
		if (m->fds[i] >= 0)
			close(m->fds[i]);
	free(m->bytes);
	*m = (struct post_message){ 0 };
}
