/*
 * control.h - proxyd on the bus: org.trivet.proxy (ipc.md section 4) and its
 * metrics, named as monitors of HAProxy expect them (section 5).
 */
#ifndef PROXYD_CONTROL_H
#define PROXYD_CONTROL_H

#include <stdbool.h>

struct control;
struct proxy;

/* Opens the socket and serves.  0 or -errno after logging. */
int control_start(struct proxy *, struct control **ret);
void control_free(struct control *);

/* The object came, changed or went: subscribers hear of it.  Counters alone are no change. */
void control_listener_changed(struct control *, const char *name);
void control_upstream_changed(struct control *, const char *name, bool gone);
void control_server_changed(struct control *, const char *upstream, const char *name, bool gone);

#endif
