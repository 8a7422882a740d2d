/*
 * inbox.c - see inbox.h.
 */
#include "ipc/inbox.h"

#include "common/text.h"
#include "ipc/varlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define READ_SIZE (64 * 1024)

static void
drop_taken(struct ipc_inbox *in)
{
	in->used -= in->taken;
	in->scanned -= in->taken;
	memmove(in->bytes, in->bytes + in->taken, in->used);
	in->taken = 0;
}

int
ipc_inbox_read(struct ipc_inbox *in, int fd)
{
	ssize_t n;

	if (in->taken > 0)
		drop_taken(in);
	if (in->used > VARLINK_REPLY_MAX)
		return -EMSGSIZE;
	if (in->size - in->used < READ_SIZE) {
		in->size = MAX(in->used + READ_SIZE, in->size * 2);
		in->bytes = xreallocarray(in->bytes, in->size, 1);
	}
	do
		n = recv(fd, in->bytes + in->used, in->size - in->used, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n == 0 ? 0 : -errno;
	in->used += (size_t)n;
	return 1;
}

bool
ipc_inbox_next(struct ipc_inbox *in, const char **ret, size_t *ret_size)
{
	const char *end;

	if (in->scanned == in->used)
		return false;
	end = memchr(in->bytes + in->scanned, '\0', in->used - in->scanned);
	if (end == NULL) {
		in->scanned = in->used;
		return false;
	}
	*ret = in->bytes + in->taken;
	*ret_size = (size_t)(end - *ret);
	in->taken += *ret_size + 1;
	in->scanned = in->taken;
	return true;
}

void
ipc_inbox_done(struct ipc_inbox *in)
{
	free(in->bytes);
	*in = (struct ipc_inbox){ 0 };
}
