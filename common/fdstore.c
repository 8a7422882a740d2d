/*
 * fdstore.c - see fdstore.h.
 */
#include "common/fdstore.h"

#include "common/systemd.h"
#include "common/text.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

bool
fdstore_exists(void)
{
	return getenv("NOTIFY_SOCKET") != NULL;
}

size_t
fdstore_max(void)
{
	const char *text = getenv("FDSTORE");
	long n = text != NULL ? strtol(text, NULL, 10) : 0;

	return n > 0 ? (size_t)n : FDSTORE_MAX;
}

size_t
fdstore_take(struct fdstore_entry **ret)
{
	const struct systemd *sd = systemd_if("LISTEN_FDS");
	struct fdstore_entry *entries;
	char **names = NULL;
	int n = sd != NULL ? sd->sd_listen_fds_with_names(1, &names) : 0;

	if (n <= 0) {
		*ret = NULL;
		return 0;
	}
	entries = xcalloc((size_t)n, sizeof(*entries));
	for (int i = 0; i < n; i++)
		entries[i] = (struct fdstore_entry){ names[i], SD_LISTEN_FDS_START + i };
	free(names);
	*ret = entries;
	return (size_t)n;
}

void
fdstore_free(struct fdstore_entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (entries[i].fd >= 0)
			close(entries[i].fd);
		free(entries[i].name);
	}
	free(entries);
}

/* sd_notify(3): 0 means that nobody listens. */
static int
result(int rc)
{
	return rc > 0 ? 0 : rc == 0 ? -ENOTCONN : rc;
}

int
fdstore_push(const char *name, int fd)
{
	char *state = xasprintf("FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	const struct systemd *sd = systemd_if("NOTIFY_SOCKET");
	int rc = sd != NULL ? sd->sd_pid_notify_with_fds(0, 0, state, &fd, 1) : 0;

	free(state);
	return result(rc);
}

int
fdstore_remove(const char *name)
{
	char *state = xasprintf("FDSTOREREMOVE=1\nFDNAME=%s", name);
	const struct systemd *sd = systemd_if("NOTIFY_SOCKET");
	int rc = sd != NULL ? sd->sd_notify(0, state) : 0;

	free(state);
	return result(rc);
}

int
fdstore_barrier(int64_t timeout_us)
{
	const struct systemd *sd = systemd_if("NOTIFY_SOCKET");

	return result(sd != NULL ? sd->sd_notify_barrier(0, (uint64_t)timeout_us) : 0);
}
