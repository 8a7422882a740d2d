/*
 * operator.h - org.trivet.check.control: what an operator says of a check.
 */
#ifndef CHECKD_OPERATOR_H
#define CHECKD_OPERATOR_H

#include "checkd/target.h"
#include "ipc/publish.h"

/* SetAdministrative; ends the call. */
void operator_serve(
    struct ipc_call *, const json_t *parameters, struct target *, const struct ipc_publisher *);

#endif
