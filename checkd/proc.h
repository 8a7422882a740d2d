/*
 * proc.h - processes by name, from /proc.  Any user may read the names of all
 * processes (unless /proc is mounted with hidepid: then only its own).
 */
#ifndef CHECKD_PROC_H
#define CHECKD_PROC_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Is it alive (no zombie) and does it bear that name: its command name, as for
 * `killall`, or the last part of its argv[0]?  The kernel keeps 15 characters
 * of a command name; a longer name is found by argv[0] only.
 */
bool proc_is_named(pid_t pid, const char *name);

/* Calls found() for each process of that name.  0 or -errno. */
int proc_find(const char *name, void (*found)(void *aux, pid_t pid), void *aux);

#endif
