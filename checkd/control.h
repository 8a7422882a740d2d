/*
 * control.h - checkd on the bus: org.trivet.check and the daemon's own metrics.
 */
#ifndef CHECKD_CONTROL_H
#define CHECKD_CONTROL_H

#include "checkd/checks.h"
#include "common/daemon.h"

struct control;

/* 0 or -errno after logging.  Serves nothing until control_show. */
int control_start(struct daemon *, struct control **ret);
void control_free(struct control *); /* accepts NULL */

/* These are the checks; they must outlive the control. */
void control_show(struct control *, struct checks *);
void control_reloaded(struct control *); /* after checks_reload */

/* As an on_change of checks. */
void control_changed(struct control *, const char *name);

#endif
