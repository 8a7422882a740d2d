/*
 * ctl.h - the command `trivet`: one verb, one function, one file (or a group).
 *
 * A verb gets what follows it, argv[0] being its own name, and returns the exit
 * code (common/daemon.h: 0, 1 failed, 2 usage, 78 configuration).
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "common/daemon.h"
#include "common/util.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct ctl {
	const char *run_dir;
	bool json;
	bool colour; /* standard output is a terminal that shows it */
};

int verb_status(const struct ctl *, int argc, char **argv);
int verb_watch(const struct ctl *, int argc, char **argv);
int verb_why(const struct ctl *, int argc, char **argv);
int verb_events(const struct ctl *, int argc, char **argv);
int verb_metrics(const struct ctl *, int argc, char **argv);
int verb_check(const struct ctl *, int argc, char **argv);
int verb_reload(const struct ctl *, int argc, char **argv);
int verb_restart(const struct ctl *, int argc, char **argv);
int verb_failover(const struct ctl *, int argc, char **argv);
int verb_priority(const struct ctl *, int argc, char **argv);
int verb_pause(const struct ctl *, int argc, char **argv);
int verb_force(const struct ctl *, int argc, char **argv);
int verb_resume(const struct ctl *, int argc, char **argv);
int verb_drain(const struct ctl *, int argc, char **argv);
int verb_maintenance(const struct ctl *, int argc, char **argv);
int verb_ready(const struct ctl *, int argc, char **argv);
int verb_weight(const struct ctl *, int argc, char **argv);
int verb_sessions(const struct ctl *, int argc, char **argv);
int verb_close(const struct ctl *, int argc, char **argv);
int verb_sync(const struct ctl *, int argc, char **argv);
int verb_doctor(const struct ctl *, int argc, char **argv);
int verb_run(const struct ctl *, int argc, char **argv);

/* "trivet VERB: what is wrong", and how the verb is used; returns EXIT_USAGE. */
int ctl_usage(const char *verb, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "trivet VERB: what failed" on standard error; returns EXIT_FAILED. */
int ctl_fail(const char *verb, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A JSON value on standard output, for programs: indented, one line end. */
void ctl_print_json(const json_t *);

/* Is 'name' among the words of "vrrpd,checkd"?  NULL is everything. */
bool ctl_among(const char *words, const char *name);

/* "90", "90s", "15m", "2h", "1.5d", above 0: in milliseconds.  0 or -EINVAL. */
int ctl_parse_time(const char *, int64_t *ret_ms);

/* `trivet resume` of an instance (failover.c): 0, or -ENOENT: vrrpd knows none of that name. */
int failover_resume(const struct ctl *, const char *name);

#define CTL_N_DAEMONS 3
/* checkd, proxyd, vrrpd: the order in which a change is made and things start. */
extern const char *const ctl_daemons[CTL_N_DAEMONS];

#endif
