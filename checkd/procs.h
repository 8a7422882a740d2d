/*
 * procs.h - the processes there are, from /proc: one table for all process
 * checks.  Any user may read the names of all processes (unless /proc is
 * mounted with hidepid: then only its own).
 *
 * To read the name of every process costs some 15 us each, to list the numbers
 * next to nothing.  So a process is read when its number is new, and again
 * while it is young, because it may still take its name (execve); an old one
 * takes another name seldom, and is read again by PROCS_ALL only.
 */
#ifndef CHECKD_PROCS_H
#define CHECKD_PROCS_H

#include "checkd/proc.h"
#include "common/mono.h"

struct procs;

struct procs *procs_new(void);
void procs_free(struct procs *); /* accepts NULL */

enum procs_depth {
	PROCS_KEEP, /* as PROCS_NEW, unless somebody looked a moment ago */
	PROCS_NEW,  /* the numbers, and who is new or young */
	PROCS_ALL,  /* everybody, once a second; else as PROCS_NEW */
};

/* Bring the table up to date.  0 or -errno. */
int procs_look(struct procs *, enum procs_depth, mono_t now);

/* Calls found() for each process in the table that the caller wants; it may be gone meanwhile. */
void procs_each(const struct procs *, bool (*wants)(const struct proc *, const void *what),
    const void *what, void (*found)(void *aux, pid_t pid), void *aux);

/* Read now, whatever the table says: is it still alive and wanted? */
bool procs_is(pid_t pid, bool (*wants)(const struct proc *, const void *what), const void *what);

#endif
