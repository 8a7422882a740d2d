/*
 * operator.h - org.trivet.vrrp.control: what the operator says of an election.
 * Who may call is the server's business (ipc/server.h).
 */
#ifndef VRRPD_OPERATOR_H
#define VRRPD_OPERATOR_H

#include "ipc/server.h"
#include "vrrpd/vrrpd.h"

/* Serve it there; 'vrrpd' has to have its control by the time a call comes. */
void operator_serve(struct vrrpd *, struct ipc_server *);

#endif
