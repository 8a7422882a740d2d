/*
 * inbox.h - what a client has read from a service and not yet taken: bytes in,
 * messages out.
 */
#ifndef IPC_INBOX_H
#define IPC_INBOX_H

#include <stdbool.h>
#include <stddef.h>

struct ipc_inbox { /* zeroed is empty */
	char *bytes;
	size_t size, used;
	size_t taken;	/* bytes[0..taken) were given out */
	size_t scanned; /* no NUL in bytes[taken..scanned) */
};

/*
 * One read.  1: there is more; 0: the end; -EAGAIN; -EMSGSIZE: one message
 * longer than VARLINK_REPLY_MAX; other -errno.
 */
int ipc_inbox_read(struct ipc_inbox *, int fd);

/* The next whole message without its NUL, valid until the next read; false: none yet. */
bool ipc_inbox_next(struct ipc_inbox *, const char **ret, size_t *ret_size);

void ipc_inbox_done(struct ipc_inbox *);

#endif
