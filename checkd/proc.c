/*
 * proc.c - see proc.h.
 */
#include "checkd/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMM_MAX 15 /* TASK_COMM_LEN without its NUL */

/* The beginning of /proc/PID/FILE as a string; its size, or -1. */
static ssize_t
read_proc(pid_t pid, const char *file, char *buf, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n < 0)
		return -1;
	buf[n] = '\0';
	return n;
}

static bool
comm_is(pid_t pid, const char *name)
{
	char comm[64];
	ssize_t n;

	if (strlen(name) > COMM_MAX)
		return false;
	n = read_proc(pid, "comm", comm, sizeof(comm));
	if (n <= 0)
		return false;
	if (comm[n - 1] == '\n')
		comm[n - 1] = '\0';
	return strcmp(comm, name) == 0;
}

static bool
argv0_is(pid_t pid, const char *name)
{
	char argv0[1024];
	const char *slash;

	if (read_proc(pid, "cmdline", argv0, sizeof(argv0)) <= 0)
		return false;
	slash = strrchr(argv0, '/');
	return strcmp(slash != NULL ? slash + 1 : argv0, name) == 0;
}

/* proc(5): "pid (comm) state ..."; comm may hold anything, so the last parenthesis counts. */
static bool
is_alive(pid_t pid)
{
	char stat[512];
	const char *p;

	if (read_proc(pid, "stat", stat, sizeof(stat)) <= 0)
		return false;
	p = strrchr(stat, ')');
	return p != NULL && p[1] == ' ' && p[2] != 'Z' && p[2] != 'X';
}

bool
proc_is_named(pid_t pid, const char *name)
{
	return (comm_is(pid, name) || argv0_is(pid, name)) && is_alive(pid);
}

int
proc_find(const char *name, void (*found)(void *, pid_t), void *aux)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;

	if (dir == NULL)
		return -errno;
	while ((e = readdir(dir)) != NULL) {
		pid_t pid = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? atoi(e->d_name) : 0;

		if (pid > 0 && proc_is_named(pid, name))
			found(aux, pid);
	}
	closedir(dir);
	return 0;
}
