/*
 * run_store.c - descriptors that outlive the process that made them (run.h),
 * by the rules of systemd's store: sd_notify(3), FDSTORE=1.
 */
#include "common/text.h"
#include "ctl/run.h"

#include <linux/kcmp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

bool
run_store_name_ok(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > RUN_STORE_NAME_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if (name[i] < ' ' || name[i] > '~' || name[i] == ':')
			return false;
	return true;
}

/* kcmp(2); where a container forbids it, two descriptors count as different. */
static bool
same_file(int a, int b)
{
	pid_t self = getpid();

	return syscall(SYS_kcmp, self, self, KCMP_FILE, a, b) == 0;
}

static bool
holds(const struct run_store *s, int fd)
{
	for (size_t i = 0; i < s->n; i++)
		if (same_file(s->items[i].fd, fd))
			return true;
	return false;
}

bool
run_store_add(struct run_store *s, int fd, const char *name, bool polled)
{
	if (holds(s, fd)) {
		close(fd);
		return true;
	}
	if (s->n >= RUN_STORE_MAX) {
		s->n_refused++;
		close(fd);
		return false;
	}
	s->items = xreallocarray(s->items, s->n + 1, sizeof(*s->items));
	s->items[s->n++] = (struct run_stored){ fd, polled, xstrdup(name) };
	return true;
}

static void
drop(struct run_store *s, size_t i)
{
	close(s->items[i].fd);
	free(s->items[i].name);
	s->items[i] = s->items[--s->n];
}

void
run_store_remove(struct run_store *s, const char *name)
{
	for (size_t i = s->n; i-- > 0;)
		if (strcmp(s->items[i].name, name) == 0)
			drop(s, i);
}

void
run_store_prune(struct run_store *s)
{
	for (size_t i = s->n; i-- > 0;) {
		struct pollfd p = { .fd = s->items[i].fd };

		if (s->items[i].polled && poll(&p, 1, 0) > 0 &&
		    (p.revents & (POLLHUP | POLLERR)) != 0)
			drop(s, i);
	}
}

void
run_store_done(struct run_store *s)
{
	while (s->n > 0)
		drop(s, s->n - 1);
	free(s->items);
	*s = (struct run_store){ 0 };
}
