/*
 * procs.c - see procs.h.
 */
#include "checkd/procs.h"

#include "common/text.h"
#include "common/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#define YOUNG_US  (300 * USEC_PER_MSEC) /* one look more than a fork and its execve are apart */
#define ALL_US	  USEC_PER_SEC
#define MOMENT_US (20 * USEC_PER_MSEC) /* checks that are due together share one look */
#define STALE_US  USEC_PER_SEC /* later, a number may have passed from one process to another */

struct row {
	TAILQ_ENTRY(row) entry;
	struct proc proc;
	mono_t first; /* seen */
	unsigned look;
};

struct procs {
	TAILQ_HEAD(, row) rows;
	void *by_pid; /* tsearch(3) */
	unsigned look;
	mono_t looked, read_all; /* zero: never */
};

/* ---- one process ---- */

/* The beginning of /proc/PID/FILE; its size, or -1. */
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
	n = read(fd, buf, size);
	close(fd);
	return n;
}

/* False: it is gone. */
static bool
read_names(struct proc *p, char cmdline[static PROC_CMDLINE_MAX])
{
	char comm[64];
	ssize_t n = read_proc(p->pid, "comm", comm, sizeof(comm));

	if (n < 0)
		return false;
	proc_set_comm(p, comm, (size_t)n);
	n = read_proc(p->pid, "cmdline", cmdline, PROC_CMDLINE_MAX);
	p->cmdline = n > 0 ? cmdline : NULL;
	p->cmdline_size = n > 0 ? (size_t)n : 0;
	return true;
}

bool
procs_is(pid_t pid, bool (*wants)(const struct proc *, const void *), const void *what)
{
	char cmdline[PROC_CMDLINE_MAX], stat[512];
	struct proc p = { .pid = pid };
	ssize_t n;

	if (!read_names(&p, cmdline) || !wants(&p, what))
		return false;
	n = read_proc(pid, "stat", stat, sizeof(stat));
	return n > 0 && proc_is_alive(stat, (size_t)n);
}

/* ---- the table ---- */

static int
compare(const void *a, const void *b)
{
	pid_t x = ((const struct row *)a)->proc.pid, y = ((const struct row *)b)->proc.pid;

	return x < y ? -1 : x > y;
}

static void
read_row(struct row *r)
{
	char cmdline[PROC_CMDLINE_MAX];
	struct proc p = { .pid = r->proc.pid };

	if (!read_names(&p, cmdline))
		return; /* it ends: the next look misses it */
	free(r->proc.cmdline);
	r->proc = p;
	if (p.cmdline == NULL)
		return;
	r->proc.cmdline = xcalloc(1, p.cmdline_size);
	memcpy(r->proc.cmdline, p.cmdline, p.cmdline_size);
}

static void
row_free(struct procs *p, struct row *r)
{
	tdelete(r, &p->by_pid, compare);
	TAILQ_REMOVE(&p->rows, r, entry);
	free(r->proc.cmdline);
	free(r);
}

static struct row *
row_of(struct procs *p, pid_t pid, mono_t now)
{
	const struct row key = { .proc.pid = pid };
	void *node = tfind(&key, &p->by_pid, compare);
	struct row *r;

	if (node != NULL)
		return *(struct row **)node;
	r = xcalloc(1, sizeof(*r));
	r->proc.pid = pid;
	r->first = now;
	TAILQ_INSERT_TAIL(&p->rows, r, entry);
	tsearch(r, &p->by_pid, compare);
	return r;
}

static void
drop_gone(struct procs *p)
{
	struct row *r, *next;

	for (r = TAILQ_FIRST(&p->rows); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry);
		if (r->look != p->look)
			row_free(p, r);
	}
}

int
procs_look(struct procs *p, enum procs_depth depth, mono_t now)
{
	bool all = mono_until(p->looked, now) >= STALE_US ||
		   (depth == PROCS_ALL && mono_until(p->read_all, now) >= ALL_US);
	struct dirent *e;
	DIR *dir;

	if (depth == PROCS_KEEP && mono_until(p->looked, now) < MOMENT_US)
		return 0;
	dir = opendir("/proc");
	if (dir == NULL)
		return -errno;
	p->look++;
	while ((e = readdir(dir)) != NULL) {
		pid_t pid = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? atoi(e->d_name) : 0;
		struct row *r;

		if (pid <= 0)
			continue;
		r = row_of(p, pid, now);
		r->look = p->look;
		if (all || mono_until(r->first, now) < YOUNG_US)
			read_row(r);
	}
	closedir(dir);
	drop_gone(p);
	p->looked = now;
	if (all)
		p->read_all = now;
	return 0;
}

void
procs_each(const struct procs *p, bool (*wants)(const struct proc *, const void *),
    const void *what, void (*found)(void *, pid_t), void *aux)
{
	const struct row *r;

	TAILQ_FOREACH (r, &p->rows, entry)
		if (wants(&r->proc, what))
			found(aux, r->proc.pid);
}

struct procs *
procs_new(void)
{
	struct procs *p = xcalloc(1, sizeof(*p));

	TAILQ_INIT(&p->rows);
	return p;
}

void
procs_free(struct procs *p)
{
	if (p == NULL)
		return;
	while (!TAILQ_EMPTY(&p->rows))
		row_free(p, TAILQ_FIRST(&p->rows));
	free(p);
}
