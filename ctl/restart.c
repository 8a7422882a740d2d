/*
 * restart.c - `trivet restart`: asks the supervisor of `trivet run` (run_ask.c).
 */
#include "common/text.h"
#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Connected, or -errno. */
static int
open_supervisor(const char *run_dir)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, n;

	n = snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/supervisor.sock", run_dir);
	if (n < 0 || (size_t)n >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

/* The answer's line without its end, to be freed; NULL: the supervisor went away. */
static char *
ask(int fd, const char *name)
{
	char *line = xasprintf("restart %s\n", name);
	struct text answer = { 0 };
	char buf[256];
	ssize_t n = write(fd, line, strlen(line));

	free(line);
	while (n > 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		text_add_n(&answer, buf, (size_t)n);
	if (answer.length == 0 || answer.chars[answer.length - 1] != '\n') {
		text_done(&answer);
		return NULL;
	}
	answer.chars[answer.length - 1] = '\0';
	return text_take(&answer);
}

/* Comes back when the successor is ready, or cannot become so. */
static int
restart(const char *run_dir, const char *name)
{
	int fd = open_supervisor(run_dir), code = EXIT_FAILED;
	char *answer;

	if (fd == -ENOENT || fd == -ECONNREFUSED)
		return ctl_fail("restart",
		    "no trivet run is at work in %s (under systemd: systemctl restart trivet-%s)",
		    run_dir, name);
	if (fd < 0)
		return ctl_fail("restart", "%s: %s", run_dir, strerror(-fd));
	answer = ask(fd, name);
	close(fd);
	if (answer == NULL)
		ctl_fail("restart", "%s: the supervisor went away", name);
	else if (strcmp(answer, "ok") == 0)
		code = EXIT_OK;
	else if (strcmp(answer, "unknown") == 0)
		ctl_fail("restart", "%s is not among the daemons run here", name);
	else
		ctl_fail("restart", "%s: %s", name,
		    strncmp(answer, "failed: ", 8) == 0 ? answer + 8 : answer);
	free(answer);
	return code;
}

int
verb_restart(const struct ctl *ctl, int argc, char **argv)
{
	int code = EXIT_OK;

	if (argc < 2)
		return ctl_usage("restart", "which daemon?");
	for (int i = 1; i < argc && code == EXIT_OK; i++)
		code = restart(ctl->run_dir, argv[i]);
	return code;
}
