/*
 * now.h - org.trivet.check.CheckNow: the answer waits for a run.
 */
#ifndef CHECKD_NOW_H
#define CHECKD_NOW_H

#include "checkd/target.h"
#include "ipc/publish.h"

/* Ends the call, now or when the check has run; the publisher outlives it. */
void now_serve(struct ipc_call *, struct target *, const struct ipc_publisher *);

#endif
