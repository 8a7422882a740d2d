/*
 * notify.h - the service manager's protocol (sd_notify(3)), and what it is
 * asked at SIGTERM.  Works without one: then everything here is quiet.
 */
#ifndef COMMON_NOTIFY_H
#define COMMON_NOTIFY_H

#include <stdbool.h>
#include <uv.h>

/* "READY=1", "STATUS=...", several lines allowed. */
void notify_send(const char *state);

/* 0: no watchdog asked for; else how often WATCHDOG=1 is due, microseconds (half its limit). */
uint64_t notify_watchdog_us(void);

enum notify_job { NOTIFY_JOB_STOP, NOTIFY_JOB_RESTART, NOTIFY_JOB_UNKNOWN };

/*
 * Under which job is this unit ending?  Asked of systemd over D-Bus (ListJobs),
 * or of `trivet run` over the socket named in TRIVET_SUPERVISOR.  Never blocks
 * the loop; on_answer comes within 250 ms, UNKNOWN when nobody answered
 * ('why' then says so).
 */
void notify_ask_job(uv_loop_t *, const char *daemon,
    void (*on_answer)(void *aux, enum notify_job, const char *why), void *aux);

#endif
