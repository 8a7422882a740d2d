/*
 * systemd.h - libsystemd, loaded when something of it is first asked for.
 *
 * With what it needs itself (libgcrypt, three compressors) loading it is a third
 * of the time in which a daemon starts, and a crashed vrrpd has until its peers
 * count it out; the command and the runner never need it at all.
 */
#ifndef COMMON_SYSTEMD_H
#define COMMON_SYSTEMD_H

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
#include <systemd/sd-login.h>

#define SYSTEMD_FUNCTIONS(X)                                                                       \
	X(sd_booted)                                                                               \
	X(sd_bus_call_method_async)                                                                \
	X(sd_bus_close_unref)                                                                      \
	X(sd_bus_get_events)                                                                       \
	X(sd_bus_get_fd)                                                                           \
	X(sd_bus_message_enter_container)                                                          \
	X(sd_bus_message_is_method_error)                                                          \
	X(sd_bus_message_read)                                                                     \
	X(sd_bus_open_system)                                                                      \
	X(sd_bus_process)                                                                          \
	X(sd_journal_sendv)                                                                        \
	X(sd_listen_fds_with_names)                                                                \
	X(sd_notify)                                                                               \
	X(sd_notify_barrier)                                                                       \
	X(sd_pid_get_cgroup)                                                                       \
	X(sd_pid_notify_with_fds)                                                                  \
	X(sd_watchdog_enabled)

struct systemd {
#define X(function) typeof(function) *function;
	SYSTEMD_FUNCTIONS(X)
#undef X
};

/*
 * Its functions by their names; NULL, and logged once: it cannot be loaded.  Of any
 * thread.  Asked for, it is loaded.
 */
const struct systemd *systemd(void);

/* The same where the environment says that there is something to ask it; else NULL. */
const struct systemd *systemd_if(const char *variable);

#endif
