/*
 * logfile.h - where lines about sessions go: files, syslog servers, the daemon's
 * own standard error.  Data threads put lines into memory; one thread writes,
 * so that a disk that is slow or full costs lines, which are counted, and
 * never a client's time.
 *
 * One registry for the process.  A target that several servers name is opened
 * once; which of them wants the shortest buffer, has it.
 */
#ifndef PROXYD_LOGFILE_H
#define PROXYD_LOGFILE_H

#include "common/conf/words.h"
#include "common/log.h"

struct logfile;

/* Lines that wait for the disk; what does not fit is lost and counted. */
#define LOGFILE_WAITING_MAX (1024 * 1024)
#define LOGFILE_LINE_MAX    8192 /* with its end; what is longer is cut */

/* ---- the control thread; closing: any ---- */

/*
 * The writing thread runs from the first logfile_open to logfiles_stop, which
 * writes what waits.  'what' is for words: "access_log", "error_log".
 */
struct logfile *logfile_open(
    const struct log_target *, const char *what, size_t buffer_size, int64_t flush_us);
void logfile_close(struct logfile *); /* accepts NULL */
void logfiles_reopen(void);	      /* SIGUSR1: lines up to now go to the old files */
void logfiles_stop(void);

struct logfile_counts {
	const char *name; /* path, syslog server or "stderr" */
	uint64_t lines, lost;
	const char *error; /* why nothing can be written; NULL: it can */
};
void logfiles_each(void (*found)(void *aux, const struct logfile_counts *), void *aux);

/* ---- any thread ---- */

/* A line without its end; 'severity' is syslog's. */
void logfile_add(struct logfile *, int severity, const char *line, size_t n);

#endif
